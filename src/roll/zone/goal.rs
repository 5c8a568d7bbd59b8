//! Where a zone's keys should get to, and the steps on the way, in their order.
//!
//! Only order is decided here. Whether a step may be taken now is for [`super::step::permit`], and no step here removes a
//! key that its zone should keep.

use super::Policy;
use super::facts::KeyLayout;
use super::fold::{KeyFacts, ZoneFacts};
use super::step::Step;
use crate::roll::life::TOMBSTONE;
use crate::sign::key::Role;
use crate::time::UnixTime;

/// The keys that a zone should have in the end.
pub struct Goal<'f> {
    /// The algorithm of all keys.
    pub algorithm: u8,
    /// The key that the DS names.
    pub entry: Option<&'f KeyFacts>,
    /// The key that signs data; for a CSK the same.
    pub data: Option<&'f KeyFacts>,
    /// The next one, published ahead; only beside a ZSK.
    pub standby: Option<&'f KeyFacts>,
    /// Which of them are being changed.
    pub focus: Focus,
    layout: KeyLayout,
}

/// Which keys are being changed: one kind at a time, unless all have to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// None.
    #[default]
    Rest,
    /// The keys that the DS names.
    Entry,
    /// The keys that sign data.
    Data,
    /// All: another algorithm, another layout, or keys that are both.
    All,
}

impl<'f> Goal<'f> {
    /// The goal of a zone.
    pub fn of(facts: &'f ZoneFacts, policy: &Policy) -> Goal<'f> {
        let algorithm = facts.algorithm_wanted.unwrap_or(policy.algorithm);
        let layout = policy.layout;
        let fits = move |key: &&KeyFacts, role: Role| {
            let is_good = key.is_live() && key.outgoing.is_none() && !key.file.is_empty();
            is_good && key.role == role && key.public.algorithm == algorithm
        };
        let best = |role: Role, rank: &dyn Fn(&KeyFacts) -> u8| {
            let keys = facts.keys.iter().filter(|key| fits(key, role));
            keys.enumerate().min_by_key(|(at, key)| (rank(key), *at)).map(|(_, key)| key)
        };
        let is_wanted = |key: &KeyFacts| facts.ds_wanted.has(key.id);
        let entry = best(layout.entry(), &|key| if is_wanted(key) { 0 } else { 2 - u8::from(key.is_published()) });
        let by_use = |key: &KeyFacts| if key.signs_data() { 0 } else { 2 - u8::from(key.is_published()) };
        let data = if layout.data() == layout.entry() { entry } else { best(layout.data(), &by_use) };
        let zsks = facts.keys.iter().filter(|key| fits(key, Role::Zsk));
        let others = zsks.filter(|key| layout == KeyLayout::KskAndZsk && data.is_some_and(|data| data.id != key.id));
        let standby = others.min_by_key(|key| !key.is_published());
        let mut goal = Goal { algorithm, entry, data, standby, focus: Focus::Rest, layout };
        goal.focus = goal.focus_of(facts);
        goal
    }

    /// Live keys that are none of those wanted.
    pub fn surplus<'a>(&'a self, facts: &'a ZoneFacts) -> impl Iterator<Item = &'a KeyFacts> {
        let kept = [self.entry, self.data, self.standby].map(|key| key.map(|key| key.id));
        facts.keys.iter().filter(move |key| {
            let is_there = key.is_live() || key.signs_data();
            is_there && !kept.contains(&Some(key.id))
        })
    }

    fn focus_of(&self, facts: &ZoneFacts) -> Focus {
        let live = || facts.keys.iter().filter(|key| key.is_live() || key.signs_data());
        let is_other =
            |key: &KeyFacts| key.public.algorithm != self.algorithm || !self.layout.roles().contains(&key.role);
        let ds_open =
            facts.ds_wanted.iter().next().map(Some) != Some(self.entry.map(|key| key.id)) || facts.ds_wanted.len() != 1;
        let entry_surplus = || self.surplus(facts).filter(|key| key.role != Role::Zsk);
        let data_surplus = || self.surplus(facts).filter(|key| key.role == Role::Zsk);
        let entry_open = ds_open || entry_surplus().next().is_some();
        let signer = self.data.map(|key| key.signs_data());
        let data_open = signer != Some(true) || data_surplus().next().is_some();
        if live().any(is_other) || (self.layout == KeyLayout::Csk && (entry_open || data_open)) {
            return Focus::All;
        }
        match (entry_open, data_open) {
            (false, false) => Focus::Rest,
            (true, false) => Focus::Entry,
            (false, true) => Focus::Data,
            (true, true) => self.first_of(entry_surplus(), data_surplus()),
        }
    }

    /// An emergency first, then what has begun, then what was asked for first.
    fn first_of<'a>(
        &self,
        entry: impl Iterator<Item = &'a KeyFacts>,
        data: impl Iterator<Item = &'a KeyFacts>,
    ) -> Focus {
        let rank = |begun: bool, keys: Vec<&KeyFacts>| {
            let marks = || keys.iter().filter_map(|key| key.outgoing.as_ref());
            let is_urgent = marks().any(|mark| mark.emergency);
            (!is_urgent, !begun, marks().map(|mark| mark.since).min().unwrap_or(UnixTime(u64::MAX)))
        };
        let (entry, data): (Vec<_>, Vec<_>) = (entry.collect(), data.collect());
        let entry_begun = self.entry.is_some_and(KeyFacts::is_published);
        let data_begun = data.iter().any(|key| key.retired.is_some());
        if rank(data_begun, data) < rank(entry_begun, entry) { Focus::Data } else { Focus::Entry }
    }

    /// The steps that lead there from where the zone is, in their order. The first that is permitted is the next one.
    pub fn steps(&self, facts: &ZoneFacts, now: UnixTime) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.focus {
            Focus::Rest => self.rest(facts, now, &mut steps),
            Focus::Entry => {
                self.make(self.entry, self.layout.entry(), &mut steps);
                self.publish(self.entry, &mut steps);
                self.ds(facts, &mut steps);
            }
            Focus::Data => {
                self.make(self.data, self.layout.data(), &mut steps);
                self.publish(self.data, &mut steps);
                self.sign(facts, &mut steps);
            }
            Focus::All => {
                self.make(self.data, self.layout.data(), &mut steps);
                self.make(self.entry, self.layout.entry(), &mut steps);
                self.all(facts, &mut steps);
            }
        }
        if self.focus != Focus::Rest {
            self.take_away(facts, &mut steps);
        }
        steps
    }

    /// Another algorithm signs first, is published then, and gets its DS last (RFC 6781 § 4.1.4).
    fn all(&self, facts: &ZoneFacts, steps: &mut Vec<Step>) {
        let is_published = facts.key_set().published.iter().any(|id| id.algorithm == self.algorithm);
        if let Some(data) = self.data.filter(|data| !is_published && !data.signs_data()) {
            // What signed for that algorithm until now was never published: another goal came in between.
            let to = data.public.tag;
            let before = facts.keys.iter().find(|key| key.signs_data() && key.public.algorithm == self.algorithm);
            steps.push(before.map_or(Step::Sign(to), |from| Step::Switch { from: from.public.tag, to }));
            return;
        }
        self.publish(self.data, steps);
        if self.entry.map(|key| key.id) != self.data.map(|key| key.id) {
            self.publish(self.entry, steps);
        }
        self.ds(facts, steps);
        self.sign(facts, steps);
    }

    fn make(&self, key: Option<&KeyFacts>, role: Role, steps: &mut Vec<Step>) {
        let step = Step::Create { role, algorithm: self.algorithm };
        if key.is_none() && !steps.contains(&step) {
            steps.push(step);
        }
    }

    fn publish(&self, key: Option<&KeyFacts>, steps: &mut Vec<Step>) {
        steps.extend(key.filter(|key| !key.is_published()).map(|key| Step::Publish(key.public.tag)));
    }

    /// Within one algorithm the DS is exchanged in one go, since both keys sign DNSKEY; to another one it is added, seen
    /// everywhere, and only then the old one dropped.
    fn ds(&self, facts: &ZoneFacts, steps: &mut Vec<Step>) {
        let Some(entry) = self.entry.filter(|key| key.is_published()) else { return };
        let is_wanted = facts.ds_wanted.has(entry.id);
        if is_wanted && facts.ds_wanted.len() == 1 {
            return;
        }
        let changes = facts.ds_wanted.iter().any(|id| id.algorithm != entry.public.algorithm);
        let mut tags = vec![entry.public.tag];
        if changes && !is_wanted {
            tags.extend(facts.ds_wanted.iter().map(|id| id.tag));
            tags.sort_unstable();
        }
        let is_everywhere = || {
            let open = facts.parent.versions.iter().filter(|version| version.last.is_none());
            open.clone().all(|version| version.what.has(entry.id)) && facts.parent.agreed() == Some(&facts.ds_wanted)
        };
        if !changes || !is_wanted || is_everywhere() {
            steps.push(Step::WantDs(tags));
        }
    }

    fn sign(&self, facts: &ZoneFacts, steps: &mut Vec<Step>) {
        let Some(data) = self.data.filter(|key| !key.signs_data() && key.is_published()) else { return };
        let twins = facts.keys.iter().filter(|key| key.signs_data() && key.public.algorithm == data.public.algorithm);
        match twins.min_by_key(|key| !key.is_published()) {
            Some(from) => steps.push(Step::Switch { from: from.public.tag, to: data.public.tag }),
            None => steps.push(Step::Sign(data.public.tag)),
        }
    }

    /// Keys that are wanted no more: those that a DS names, or that sign alone, stay.
    fn take_away(&self, facts: &ZoneFacts, steps: &mut Vec<Step>) {
        let is_replaced = self.data.is_some_and(KeyFacts::signs_data);
        let mut surplus: Vec<&KeyFacts> = self.surplus(facts).filter(|key| self.is_in_focus(key)).collect();
        surplus.sort_by_key(|key| (key.role == Role::Zsk, key.signs_data(), key.created));
        for key in surplus {
            let tag = key.public.tag;
            let has_twin = self.data.is_some_and(|data| data.public.algorithm == key.public.algorithm);
            let signs_on = key.signs_data();
            match (key.is_published(), signs_on) {
                _ if facts.ds_wanted.has(key.id) => {}
                (true, true) if has_twin && is_replaced => steps.push(Step::StopSigning(tag)),
                (true, true) if has_twin => {}
                (true, _) => steps.push(Step::Remove(tag)),
                (false, true) if is_replaced => steps.push(Step::StopSigning(tag)),
                (false, true) => {}
                (false, false) if key.is_live() => steps.push(Step::Remove(tag)),
                (false, false) => {}
            }
        }
    }

    fn is_in_focus(&self, key: &KeyFacts) -> bool {
        match self.focus {
            Focus::Rest | Focus::All => true,
            Focus::Entry => key.role != Role::Zsk,
            Focus::Data => key.role == Role::Zsk,
        }
    }

    /// At rest: the next ZSK is published ahead, and what was removed long ago is wiped.
    fn rest(&self, facts: &ZoneFacts, now: UnixTime, steps: &mut Vec<Step>) {
        if self.layout == KeyLayout::KskAndZsk {
            self.make(self.standby, Role::Zsk, steps);
            self.publish(self.standby, steps);
        }
        let is_due = |key: &&KeyFacts| {
            let is_kept = key.destroyed.is_none() && !key.file.is_empty() && !key.signs_data();
            is_kept && key.removed.is_some_and(|removed| now >= removed.after(TOMBSTONE))
        };
        steps.extend(facts.keys.iter().filter(is_due).map(|key| Step::Destroy(key.public.tag)));
    }

    /// Whether the keys that are being replaced may be in foreign hands.
    pub fn is_emergency(&self, facts: &ZoneFacts) -> bool {
        let mut marks = self.surplus(facts).filter(|key| self.is_in_focus(key)).filter_map(|key| key.outgoing.as_ref());
        marks.any(|mark| mark.emergency)
    }
}
