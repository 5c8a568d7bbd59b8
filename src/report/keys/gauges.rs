//! How the keys of a zone stand, as metrics show it.
//!
//! Pure. Moments are those of the wall clock, by which whoever reads them goes.

use crate::metrics::KeyGauge;
use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use crate::roll::zone::plan::Plan;
use crate::roll::zone::words;
use crate::time::{Clocks, Seconds, UnixTime};

/// What is shown of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollGauges {
    /// Its keys.
    pub keys: Vec<KeyGauge>,
    /// The step that comes next, and when.
    pub next_event: Option<(&'static str, UnixTime)>,
    /// Whether the parent shows what is wanted.
    pub parent_ds_match: Option<bool>,
    /// Whether nothing may be taken away.
    pub roll_blocked: bool,
}

/// What gauges are made at.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The moment.
    pub clocks: Clocks,
    /// The policy's margin.
    pub margin: Seconds,
    /// What was shown before as the next step.
    pub before: Option<(&'static str, UnixTime)>,
}

/// The gauges of a zone.
pub fn gauges(facts: &ZoneFacts, plan: Option<&Plan>, at: At) -> RollGauges {
    // A destroyed key is history, and its series would only grow in number.
    let there = facts.keys.iter().filter(|key| key.destroyed.is_none());
    let gauge = |key: &KeyFacts| key.phase(facts, at.margin, at.clocks.signing).word();
    RollGauges {
        keys: there.map(|key| KeyGauge { tag: key.public.tag, role: key.role.word(), state: gauge(key) }).collect(),
        next_event: plan.and_then(|plan| next_event(plan, at)),
        parent_ds_match: parent_ds_match(facts),
        roll_blocked: plan.is_some_and(Plan::is_frozen),
    }
}

/// A step that may be taken and is still not taken, since the disk is full perhaps, is due since it was shown first.
fn next_event(plan: &Plan, at: At) -> Option<(&'static str, UnixTime)> {
    if let Some(step) = &plan.next {
        let (verb, now) = (words::verb(step), at.clocks.wall);
        let since = at.before.filter(|(before, _)| *before == verb).map_or(now, |(_, since)| since.min(now));
        return Some((verb, since));
    }
    let waits = plan.waits.iter().filter_map(|wait| Some((words::verb(&wait.step), at.clocks.by_wall(wait.until?))));
    waits.min_by_key(|(_, until)| *until)
}

/// None before the parent was ever seen, and where no DS is wanted.
fn parent_ds_match(facts: &ZoneFacts) -> Option<bool> {
    let was_seen = facts.parent.servers.iter().any(|server| server.saw.is_some());
    (was_seen && !facts.ds_wanted.is_empty()).then(|| facts.parent.agreed() == Some(&facts.ds_wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::life::Facts;
    use crate::roll::zone::facts::{Fact, KeyLayout};
    use crate::roll::zone::invented;
    use crate::roll::zone::plan::{Block, Blocker, Wait, Why};
    use crate::roll::zone::step::Step;
    use crate::sign::key::Role;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn at() -> At {
        At { clocks: Clocks::apart(NOW, 100), margin: 3600, before: None }
    }

    fn facts(more: &[Fact]) -> (ZoneFacts, u16) {
        let mut facts = ZoneFacts::default();
        let mut take = |fact: &Fact| facts.take(fact, NOW).expect("it follows");
        take(&Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 13 });
        let key = invented::public(Role::Csk, 13, 1).expect("a key");
        take(&invented::created(&key, Role::Csk));
        take(&Fact::KeyPublished { tag: key.tag });
        take(&Fact::KeyActivated { tag: key.tag });
        take(&Fact::FirstKeysDone {});
        more.iter().for_each(take);
        (facts, key.tag)
    }

    fn saw(tags: Vec<u16>) -> Vec<Fact> {
        let server = "192.0.2.1:53".to_owned();
        let servers = Fact::ParentServers { servers: vec![server.clone()], own: true, rounds_apart: 0 };
        let (expires, unknown) = (NOW.0 + 600, Vec::new());
        vec![servers, Fact::ParentSaw { server, tags, unknown, ttl: 60, signature_span: 600, expires }]
    }

    #[test]
    fn the_parent_fits_where_each_address_shows_just_the_wanted_ds() {
        let (before, tag) = facts(&[]);
        assert_eq!(gauges(&before, None, at()).parent_ds_match, None, "never seen");
        assert_eq!(gauges(&facts(&saw(vec![tag])).0, None, at()).parent_ds_match, Some(true));
        assert_eq!(gauges(&facts(&saw(vec![])).0, None, at()).parent_ds_match, Some(false));
        let insecure: Vec<Fact> = saw(vec![tag]).into_iter().chain([Fact::DsWanted { tags: vec![] }]).collect();
        assert_eq!(gauges(&facts(&insecure).0, None, at()).parent_ds_match, None, "none is wanted");
    }

    #[test]
    fn keys_are_shown_with_their_phases() {
        let (facts, tag) = facts(&[]);
        assert_eq!(gauges(&facts, None, at()).keys, [KeyGauge { tag, role: "csk", state: "active" }]);
    }

    #[test]
    fn the_next_step_is_the_first_whose_moment_is_known_and_one_that_is_not_taken_stays_due() {
        let (facts, tag) = facts(&[]);
        let wait = |step, until| Wait { step, until, why: Why::Frozen };
        let mut plan = crate::roll::zone::plan::plan(&facts, &policy(), &Default::default(), NOW);
        plan.waits = vec![
            wait(Step::Unsign, None),
            wait(Step::Remove(tag), Some(NOW.after(20))),
            wait(Step::Publish(tag), Some(NOW.after(10))),
        ];
        plan.next = None;
        assert_eq!(gauges(&facts, Some(&plan), at()).next_event, Some(("publish", NOW.after(110))));
        plan.next = Some(Step::Publish(tag));
        let shown = |before| gauges(&facts, Some(&plan), At { before, ..at() }).next_event;
        assert_eq!(shown(None), Some(("publish", NOW.after(100))));
        assert_eq!(shown(Some(("remove", NOW))), Some(("publish", NOW.after(100))));
        assert_eq!(shown(Some(("publish", NOW))), Some(("publish", NOW)));
    }

    #[test]
    fn what_freezes_blocks() {
        let (facts, tag) = facts(&[]);
        let blocked = |blocker| {
            let mut plan = crate::roll::zone::plan::plan(&facts, &policy(), &Default::default(), NOW);
            plan.blockers = vec![blocker];
            gauges(&facts, Some(&plan), at()).roll_blocked
        };
        assert!(blocked(Blocker::Own(Block::Unreadable(tag, String::new()))));
        assert!(!blocked(Blocker::Held(String::new())));
    }

    fn policy() -> crate::roll::zone::Policy {
        let (ksk_lifetime, zsk_lifetime, csk_lifetime) = (None, None, None);
        crate::roll::zone::Policy {
            layout: KeyLayout::Csk,
            algorithm: 13,
            ksk_lifetime,
            zsk_lifetime,
            csk_lifetime,
            margin: 3600,
        }
    }
}
