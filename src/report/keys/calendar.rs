//! The calendar of a zone's keys: steps to come, and a bar for each key with its phases.
//!
//! Bars are made from the facts that the forecast took, by the same function that tells phases now.

use crate::protocol::{KeyBar, KeysPlan};
use crate::report::keys::About;
use crate::roll::life::Facts;
use crate::roll::life::phase::Phase;
use crate::roll::zone::fold::{Caution, ZoneFacts};
use crate::roll::zone::forecast::{Forecast, forecast};
use crate::sign::key::PublicKey;
use crate::time::{Seconds, UnixTime};
use std::collections::BTreeMap;

/// The calendar of the next `days`.
pub fn keys_plan(about: &About<'_>, days: u64) -> KeysPlan {
    let account = about.account();
    let until = account.until(days);
    let ahead = forecast(about.facts, about.policy, about.clocks.signing, until);
    let bars = Bars::of(about, &ahead, until);
    let calendar = account.calendar(until, account.coming(ahead.steps), bars);
    KeysPlan { zone: about.apex.to_string(), calendar }
}

/// Phases of all keys as they change, in the order of the keys' making.
struct Bars {
    margin: Seconds,
    phases: BTreeMap<usize, Vec<(UnixTime, Phase)>>,
}

impl Bars {
    fn of(about: &About<'_>, ahead: &Forecast, until: UnixTime) -> Vec<KeyBar> {
        let account = about.account();
        let mut bars = Bars { margin: about.policy.margin, phases: BTreeMap::new() };
        let mut facts = ahead.start.clone();
        let mut last = about.clocks.signing;
        bars.look(&facts, last);
        for (at, fact) in &ahead.taken {
            bars.look_between(&facts, last, *at);
            // Each one could follow when the forecast was made.
            let _ = facts.take(fact, *at);
            last = *at;
            bars.look(&facts, last);
        }
        bars.look_between(&facts, last, until);
        let bar = |(place, phases): (usize, Vec<(UnixTime, Phase)>)| {
            let key = facts.keys.get(place)?;
            let is_invented = ahead.start.key(key.public.tag).is_none();
            let was_over = phases.iter().all(|(_, phase)| *phase == Phase::Destroyed);
            let phases = account.bar(phases);
            let PublicKey { tag, algorithm, .. } = key.public;
            let tag = (!is_invented).then_some(tag);
            (!was_over).then(|| KeyBar { tag, role: key.role.into(), algorithm, phases })
        };
        bars.phases.into_iter().filter_map(bar).collect()
    }

    /// A wait that ends changes a phase without a fact: looks at each moment after one.
    fn look_between(&mut self, facts: &ZoneFacts, from: UnixTime, to: UnixTime) {
        let ends = facts.key_sets.iter().filter_map(|version| version.until(Caution::Expiry, self.margin));
        let mut moments: Vec<UnixTime> = ends.map(|end| end.after(1)).filter(|at| *at > from && *at < to).collect();
        moments.sort_unstable();
        for at in moments {
            self.look(facts, at);
        }
    }

    fn look(&mut self, facts: &ZoneFacts, at: UnixTime) {
        for (place, key) in facts.keys.iter().enumerate() {
            let phase = key.phase(facts, self.margin, at);
            let phases = self.phases.entry(place).or_default();
            if let Some(last) = phases.last_mut().filter(|last| last.0 == at) {
                last.1 = phase;
            } else if phases.last().is_none_or(|(_, before)| *before != phase) {
                phases.push((at, phase));
            }
        }
    }
}
