//! What people are told about keys, and which rolls are refused: from facts of a zone in virtual time.

use mxseal::dns::name::{Name, ROOT};
use mxseal::protocol::{KeyPhase, KeyRole, ParentKind, Verb};
use mxseal::protocol::{KeysInfo, KeysPlan, KeysStanding, RollAsked};
use mxseal::report::keys::{
    About, Refused, after, insecure_code, insecure_request, keys_info, keys_plan, roll_request, silent,
};
use mxseal::roll::life::Facts;
use mxseal::roll::zone::check::KeySet;
use mxseal::roll::zone::facts::{Fact, KeyLayout, Limits, Lives};
use mxseal::roll::zone::fold::ZoneFacts;
use mxseal::roll::zone::plan::plan;
use mxseal::roll::zone::sim::parent::Parent;
use mxseal::roll::zone::sim::world::World;
use mxseal::roll::zone::{Conditions, Policy};
use mxseal::sign::key::Role;
use mxseal::time::{Clocks, UnixTime};

const DAY: u64 = 86_400;
const START: u64 = 1_800_000_000;

fn policy(layout: KeyLayout) -> Policy {
    Policy {
        layout,
        algorithm: 13,
        ksk_lifetime: None,
        zsk_lifetime: Some(90 * DAY),
        csk_lifetime: Some(180 * DAY),
        margin: DAY,
    }
}

/// A zone below a registry whose DS has been there for some days.
fn world(layout: KeyLayout) -> World {
    let limits = Limits::of(3600, 1800, 300, Lives { dnskey: 14 * DAY, data: 3 * DAY });
    let mut world = World::new(policy(layout), limits, Parent::new(false, 4, &KeySet::default()), 7);
    go(&mut world, 20 * DAY);
    world
}

fn go(world: &mut World, seconds: u64) {
    let until = world.time + seconds;
    while world.time < until {
        assert!(world.go(until).is_ok());
    }
}

fn apex() -> Name {
    Name::parse("mx.example", ROOT).expect("a name")
}

fn told<T>(facts: &ZoneFacts, policy: &Policy, now: u64, ahead: i64, tell: impl Fn(&About<'_>) -> T) -> T {
    let (apex, now) = (apex(), UnixTime(now));
    let faults = [("192.0.2.2:53".to_owned(), "no answer within 5 s".to_owned())];
    let plan = plan(facts, policy, &Conditions::default(), now);
    let (policy_name, snapshot, clock) = ("registry", 48_213, "");
    let clocks = Clocks::apart(now, ahead);
    tell(&About { apex: &apex, facts, policy, policy_name, plan: &plan, snapshot, clock, faults: &faults, clocks })
}

fn info(world: &World) -> KeysInfo {
    told(&world.facts, &world.policy, world.time, 0, keys_info)
}

fn calendar(world: &World, days: u64) -> KeysPlan {
    told(&world.facts, &world.policy, world.time, 0, |about| keys_plan(about, days))
}

fn tag(world: &World, role: Role) -> u16 {
    let key = world.facts.keys.iter().find(|key| key.role == role && key.is_published());
    key.expect("there is one").public.tag
}

fn want(world: &mut World, role: Role, emergency: bool) {
    let tags = vec![tag(world, role)];
    world.command(&Fact::RollWanted { tags, emergency, reason: "an operator".to_owned() });
}

#[test]
fn only_steps_that_need_the_ds_say_that_they_rest_on_the_registry() {
    let limits = Limits::of(3600, 1800, 300, Lives { dnskey: 14 * DAY, data: 3 * DAY });
    let mut world = World::new(policy(KeyLayout::KskAndZsk), limits, Parent::new(false, 4, &KeySet::default()), 7);
    go(&mut world, 60);
    assert!(world.facts.parent.agreed() != Some(&world.facts.ds_wanted), "the DS is not there yet");
    let plan = calendar(&world, 400);
    assert!(
        plan.calendar.steps.iter().filter(|step| step.text.contains("ZSK")).count() > 10,
        "{:?}",
        plan.calendar.steps
    );
    assert!(
        plan.calendar.steps.iter().all(|step| step.assumes.is_empty()),
        "a ZSK needs no DS: {:?}",
        plan.calendar.steps
    );
    want(&mut world, Role::Ksk, false);
    let plan = calendar(&world, 400);
    let (resting, free): (Vec<_>, Vec<_>) = plan.calendar.steps.iter().partition(|step| !step.assumes.is_empty());
    assert!(resting.iter().any(|step| step.text.contains("remove KSK")), "{resting:?}");
    assert!(resting.iter().all(|step| !step.text.contains("ZSK")), "{resting:?}");
    assert!(free.iter().any(|step| step.text.contains("ZSK")), "{free:?}");
}

#[test]
fn at_rest_nobody_needs_to_act() {
    let world = world(KeyLayout::KskAndZsk);
    let info = info(&world);
    assert_eq!(
        (info.state, info.parent, info.zone.as_str()),
        (KeysStanding::AtRest, ParentKind::Registry, "mx.example.")
    );
    assert_eq!((&info.story.must, &info.story.blockers), (&Vec::new(), &Vec::new()));
    assert_eq!(info.ds_wanted, [tag(&world, Role::Ksk)]);
    let phases: Vec<_> = info.keys.iter().map(|key| (key.role, key.phase)).collect();
    assert_eq!(
        phases,
        [(KeyRole::Ksk, KeyPhase::Active), (KeyRole::Zsk, KeyPhase::Active), (KeyRole::Zsk, KeyPhase::Ready)]
    );
    assert!(info.keys[0].ds.as_ref().is_some_and(|ds| ds.starts_with("mx.example. IN DS ")));
    assert!(info.keys[1].ds.is_none() && info.keys[1].dnskey.starts_with("mx.example. IN DNSKEY 256 3 13 "));
    assert!(
        info.story.will.starts_with("begin to replace ZSK") && info.story.next_at == Some(START + 90 * DAY),
        "{info:?}"
    );
    let last = info.story.done.last().expect("something was done");
    assert!(last.text.ends_with("seen at all 4 addresses"), "{last:?}");
    assert!(info.story.done.len() <= 10 && info.story.done.is_sorted_by_key(|done| done.at));
    assert_eq!(info.parent_servers.len(), 4);
    assert_eq!(info.parent_servers[1].fault, "no answer within 5 s");
}

#[test]
fn moments_are_told_by_the_wall_clock() {
    let world = world(KeyLayout::KskAndZsk);
    let (plain, ahead) = (info(&world), told(&world.facts, &world.policy, world.time, -100, keys_info));
    assert_eq!((ahead.now, ahead.story.next_at), (plain.now - 100, plain.story.next_at.map(|at| at - 100)));
    assert_eq!(ahead.story.done[0].at, plain.story.done[0].at - 100);
    assert_eq!(ahead.keys[0].published, plain.keys[0].published.map(|at| at - 100));
    let plans =
        [0, -100].map(|ahead| told(&world.facts, &world.policy, world.time, ahead, |about| keys_plan(about, 400)));
    assert_eq!(plans[0].calendar.steps[0].at, plans[1].calendar.steps[0].at + 100);
    assert_eq!(plans[0].calendar.bars[0].phases[0].0, plans[1].calendar.bars[0].phases[0].0 + 100);
}

#[test]
fn a_registry_that_does_not_act_is_what_a_person_must_see_to() {
    let mut world = world(KeyLayout::KskAndZsk);
    world.parent.delay = None;
    let old = tag(&world, Role::Ksk);
    want(&mut world, Role::Ksk, false);
    go(&mut world, 3 * DAY);
    let waiting = info(&world);
    assert_eq!((waiting.state, waiting.story.must.len()), (KeysStanding::Rolling, 0), "{waiting:?}");
    assert!(waiting.story.waits.iter().any(|wait| wait.verb == Verb::WantDs && wait.until.is_some()), "{waiting:?}");
    go(&mut world, 20 * DAY);
    let asked = info(&world);
    let new = asked.ds_wanted[0];
    assert!(
        new != old && asked.story.must[0].starts_with(&format!("give the DS of {new} to the registry")),
        "{asked:?}"
    );
    assert!(asked.story.will.starts_with("ask all 4 addresses of the parent"), "{asked:?}");
    assert!(asked.story.waits.iter().any(|wait| wait.verb == Verb::Remove && wait.until.is_none()));
    world.parent.delay = Some(0);
    go(&mut world, 3 * DAY);
    assert_eq!(info(&world).story.must, Vec::<String>::new(), "the rest comes by itself");
}

#[test]
fn what_freezes_comes_with_its_way_out() {
    let mut world = world(KeyLayout::Csk);
    world.command(&Fact::Doubted { reason: "the journal is a copy".to_owned() });
    let frozen = info(&world);
    assert_eq!((frozen.state, frozen.story.blockers[0].freezes), (KeysStanding::Frozen, true));
    assert!(frozen.story.must[0].contains("mxseal keys resume mx.example"), "{frozen:?}");
    world.command(&Fact::Held { reason: "a move".to_owned() });
    let held = info(&world);
    assert_eq!(held.state, KeysStanding::Frozen, "by a person");
    assert!(
        held.story.blockers.iter().any(|blocker| blocker.freezes && blocker.what.contains("held: a move")),
        "{held:?}"
    );
    assert_eq!(calendar(&world, 10).calendar.blockers.len(), 2);
    let none = silent(&apex(), "registry", 7, "its journal is damaged", "restore it", UnixTime(START));
    assert_eq!((none.state, none.story.must.as_slice()), (KeysStanding::Silent, &["restore it".to_owned()][..]));
}

#[test]
fn the_calendar_calls_no_key_to_come_by_a_tag() {
    for (layout, name) in [(KeyLayout::KskAndZsk, "the next ZSK"), (KeyLayout::Csk, "the new CSK")] {
        let mut world = world(layout);
        let role = if layout == KeyLayout::Csk { Role::Csk } else { Role::Zsk };
        want(&mut world, role, false);
        let plan = calendar(&world, 400);
        assert!(plan.calendar.steps.iter().any(|step| step.text == format!("publish {name} in DNSKEY")), "{plan:?}");
        let known: Vec<String> = world.facts.keys.iter().map(|key| key.public.tag.to_string()).collect();
        for step in &plan.calendar.steps {
            let words = step.text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
            let strange: Vec<&str> =
                words.filter(|word| *word != "13" && !known.iter().any(|tag| tag == word)).collect();
            assert_eq!(strange, Vec::<&str>::new(), "{}", step.text);
        }
        assert!(plan.calendar.steps.is_sorted_by_key(|step| step.at) && plan.calendar.steps.len() > 8, "{plan:?}");
        let new = plan.calendar.bars.iter().filter(|bar| bar.tag.is_none());
        assert!(new.count() >= 2, "{plan:?}");
        for bar in &plan.calendar.bars {
            assert!(bar.phases.is_sorted_by_key(|(at, _)| *at) && !bar.phases.is_empty(), "{bar:?}");
            assert!(bar.phases.windows(2).all(|pair| pair[0].1 != pair[1].1), "{bar:?}");
        }
    }
}

#[test]
fn a_bar_shows_waits_that_end_without_a_fact() {
    let mut world = world(KeyLayout::KskAndZsk);
    want(&mut world, Role::Zsk, false);
    let plan = calendar(&world, 120);
    let made = plan.calendar.bars.iter().find(|bar| bar.tag.is_none()).expect("a new ZSK");
    let words: Vec<String> = made.phases.iter().map(|(_, phase)| phase.to_string()).collect();
    // It is made and published in one second.
    assert_eq!(words[..3], ["rumoured", "ready", "active"], "{made:?}");
    let rumoured = made.phases[1].0 - made.phases[0].0;
    assert!((15 * DAY..16 * DAY).contains(&rumoured), "a DNSKEY signature's life and the margin: {rumoured}");
}

// --- requests ---

fn asked(role: Option<KeyRole>) -> RollAsked {
    RollAsked { role, ..RollAsked::default() }
}

fn request(world: &World, asked: &RollAsked) -> Result<Vec<Fact>, Refused> {
    roll_request(&world.facts, &world.policy, &Conditions::default(), asked, UnixTime(world.time))
}

fn marks(facts: &[Fact]) -> Vec<(Vec<u16>, bool)> {
    let wanted = facts.iter().filter_map(|fact| match fact {
        Fact::RollWanted { tags, emergency, .. } => Some((tags.clone(), *emergency)),
        _ => None,
    });
    wanted.collect()
}

#[test]
fn a_roll_marks_the_key_of_its_role_that_is_in_use() {
    for (layout, role, expected) in [
        (KeyLayout::KskAndZsk, None, Role::Zsk),
        (KeyLayout::KskAndZsk, Some(KeyRole::Zsk), Role::Zsk),
        (KeyLayout::KskAndZsk, Some(KeyRole::Ksk), Role::Ksk),
        (KeyLayout::Csk, None, Role::Csk),
        (KeyLayout::Csk, Some(KeyRole::Csk), Role::Csk),
    ] {
        let world = world(layout);
        for emergency in [false, true] {
            let facts = request(&world, &RollAsked { emergency, ..asked(role) }).expect("it is allowed");
            assert_eq!(marks(&facts), [(vec![tag(&world, expected)], emergency)], "{layout:?} {role:?}");
            assert!(after(&world.facts, &facts, UnixTime(world.time)).is_ok());
        }
    }
}

#[test]
fn rolls_are_refused_with_their_reason_and_what_is_missing() {
    let refused = |world: &World, asked: &RollAsked, reason: &str, missing: &str| {
        let refused = request(world, asked).expect_err(reason);
        assert!(refused.reason.contains(reason) && refused.missing.contains(missing), "{refused:?}");
        refused
    };
    let csk = world(KeyLayout::Csk);
    refused(&csk, &asked(Some(KeyRole::Zsk)), "has no ZSK by its policy", "csk");
    refused(&csk, &asked(Some(KeyRole::Unknown)), "no such role", "ksk, zsk or csk");
    refused(&csk, &RollAsked { algorithm: Some(8), ..asked(None) }, "algorithm 8", "13 or 15");
    refused(&csk, &RollAsked { algorithm: Some(13), ..asked(None) }, "of algorithm 13 already", "");
    refused(&csk, &RollAsked { back: true, ..asked(None) }, "no roll that could be taken back", "still published");
    let mut held = world(KeyLayout::Csk);
    held.command(&Fact::Held { reason: "a move".to_owned() });
    refused(&held, &asked(None), "held: a move", "resume");
    let mut rolling = world(KeyLayout::KskAndZsk);
    want(&mut rolling, Role::Zsk, false);
    let since = rolling.time;
    go(&mut rolling, DAY);
    let again = refused(&rolling, &asked(None), "is being replaced already", "--back");
    assert_eq!(again.since, Some(UnixTime(since)));
    let again_at = Clocks::from(UnixTime(rolling.time));
    let allowed = again.allowed_at.expect("a forecast").0;
    assert!(allowed > rolling.time && allowed < rolling.time + 60 * DAY, "{again:?}");
    assert!(
        again.message(again_at).contains("allowed from 2027-") && again.message(again_at).contains("(since 2027-"),
        "{}",
        again.message(again_at)
    );
    assert!(request(&rolling, &asked(Some(KeyRole::Ksk))).is_ok(), "the other role may wait for its turn");
    let wait = allowed - rolling.time + DAY;
    go(&mut rolling, wait);
    assert!(request(&rolling, &asked(None)).is_ok(), "when it was said, it is allowed");
    let disk = Conditions { disk: Some("full".to_owned()), ..Conditions::default() };
    assert!(roll_request(&csk.facts, &csk.policy, &disk, &asked(None), UnixTime(csk.time)).is_err());
    let none = ZoneFacts::default();
    assert!(roll_request(&none, &csk.policy, &Conditions::default(), &asked(None), UnixTime(START)).is_err());
}

#[test]
fn an_emergency_hurries_a_roll_that_is_under_way() {
    let mut world = world(KeyLayout::Csk);
    want(&mut world, Role::Csk, false);
    let old = tag(&world, Role::Csk);
    go(&mut world, DAY);
    let urgent = RollAsked { emergency: true, ..asked(None) };
    let facts = request(&world, &urgent).expect("it is allowed");
    assert_eq!(marks(&facts), [(vec![old], true)]);
    facts.iter().for_each(|fact| world.command(fact));
    assert!(request(&world, &urgent).is_err(), "once is enough");
}

#[test]
fn a_roll_is_taken_back_as_long_as_the_old_key_is_there() {
    for role in [Role::Ksk, Role::Zsk] {
        let mut world = world(KeyLayout::KskAndZsk);
        let old = tag(&world, role);
        want(&mut world, role, false);
        go(&mut world, 3 * DAY);
        let back = RollAsked { back: true, ..asked(Some(role.into())) };
        let facts = request(&world, &back).expect("it is allowed");
        assert_eq!(facts[0], Fact::RollTakenBack { tags: vec![old] });
        let new = marks(&facts);
        assert!(new.len() == 1 && new[0].0 != [old], "{facts:?}");
        facts.iter().for_each(|fact| world.command(fact));
        go(&mut world, 60 * DAY);
        let info = info(&world);
        let key = info.keys.iter().find(|key| key.tag == old).expect("it stays");
        assert_eq!((key.phase, info.state), (KeyPhase::Active, KeysStanding::AtRest), "{info:?}");
    }
    let mut world = world(KeyLayout::KskAndZsk);
    want(&mut world, Role::Ksk, false);
    go(&mut world, 60 * DAY);
    let back = RollAsked { back: true, ..asked(Some(KeyRole::Ksk)) };
    assert!(request(&world, &back).is_err(), "the old key is gone");
}

#[test]
fn another_algorithm_is_wanted_once_and_may_be_taken_back() {
    let mut world = world(KeyLayout::KskAndZsk);
    let other = RollAsked { algorithm: Some(15), ..asked(None) };
    assert_eq!(request(&world, &other), Ok(vec![Fact::AlgorithmWanted { algorithm: 15 }]));
    world.command(&Fact::AlgorithmWanted { algorithm: 15 });
    go(&mut world, DAY);
    let again = request(&world, &other).expect_err("it is under way");
    assert!(again.allowed_at.is_some(), "{again:?}");
    let back = RollAsked { back: true, ..asked(None) };
    assert_eq!(request(&world, &back), Ok(vec![Fact::AlgorithmWanted { algorithm: 13 }]));
}

#[test]
fn a_zone_goes_insecure_only_by_two_people_and_its_configuration() {
    let world = world(KeyLayout::Csk);
    let ask = |unsigned, confirm, at: u64| insecure_request(&apex(), &world.facts, unsigned, confirm, UnixTime(at));
    let hour = world.time - world.time % 3600;
    assert!(ask(false, None, hour).expect_err("signed").missing.contains("signed = false"));
    let code = insecure_code(&apex(), &world.facts, UnixTime(hour));
    assert_eq!(code.len(), 8);
    let first = ask(true, None, hour).expect_err("one person");
    assert!(first.missing.contains(&format!("--confirm {code}")), "{first:?}");
    assert_eq!(ask(true, Some(&code), hour + 3599), Ok(vec![Fact::InsecureWanted {}]));
    assert!(ask(true, Some(&code), hour + 3601).is_ok(), "given just before the hour ended");
    assert!(ask(true, Some(&code), hour + 7201).is_err(), "too late");
    assert!(ask(true, Some("00000000"), hour).is_err());
    let mut more = world.facts.clone();
    assert!(more.take(&Fact::Held { reason: String::new() }, UnixTime(hour)).is_ok());
    assert_ne!(insecure_code(&apex(), &more, UnixTime(hour)), code, "something happened meanwhile");
}
