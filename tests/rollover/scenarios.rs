//! The scenarios of rolls by number: S1 to S21 where all is as it should be, or the parent is not.

use super::lab::{
    DAY, HOUR, LIVES, blockers, finish, in_use, limits, pass, policy, registry, roll, second_opinion, shard, until,
    urgent_roll, verbs,
};
use mxseal::roll::zone::check::KeySet;
use mxseal::roll::zone::facts::{Fact, KeyLayout, Limits};
use mxseal::roll::zone::sim::parent::Parent;
use mxseal::roll::zone::sim::world::{Excuse, World};
use mxseal::sign::key::Role;

/// Steps that a CSK roll takes.
const CSK_ROLL: [&str; 5] = [
    "make a CSK of algorithm",
    "publish CSK in DNSKEY",
    "ask the parent for the DS of CSK",
    "sign with CSK instead of CSK",
    "remove CSK from DNSKEY",
];

#[test]
fn s1_a_zsk_roll_promotes_the_standby_at_once_and_stages_the_next() {
    let mut world = registry();
    roll(&mut world, Role::Zsk);
    // 3 days of data signatures, the TTL, and a day of margin.
    assert_eq!(until(&mut world, 9, "the removal", |world| world.count.rolls == 1), 4);
    finish(&mut world, 1);
    let steps =
        ["sign with ZSK instead of ZSK", "remove ZSK from DNSKEY", "make a ZSK of algorithm", "publish ZSK in DNSKEY"];
    assert_eq!(verbs(&world), steps);
}

#[test]
fn s2_a_csk_roll_below_our_own_parent_ends_after_seventeen_days() {
    let mut world = shard();
    roll(&mut world, Role::Csk);
    assert_eq!(finish(&mut world, 30), 17);
    assert_eq!(verbs(&world), CSK_ROLL);
}

#[test]
fn s3_a_ksk_roll_waits_for_a_registry_that_takes_nine_days() {
    let mut world = registry();
    world.parent.delay = Some(9 * DAY);
    roll(&mut world, Role::Ksk);
    let days = finish(&mut world, 90);
    // DNSKEY 14 d and margin, the registry 9 d, its old signature 14 d and margin.
    assert!((37..=42).contains(&days), "{days}");
}

#[test]
fn s4_a_registry_that_never_publishes_the_ds_stops_the_roll_by_name() {
    let mut world = registry();
    world.parent.delay = None;
    let old = in_use(&world, Role::Ksk);
    roll(&mut world, Role::Ksk);
    let plan = pass(&mut world, 800);
    assert!(world.facts.key(old.tag).is_some_and(|key| key.is_published()), "no timeout stands for an answer");
    let waits: Vec<String> =
        plan.waits.iter().map(|wait| mxseal::roll::zone::words::wait(&world.facts, wait)).collect();
    assert!(waits.iter().any(|wait| wait.contains("the parent does not show")), "{waits:?}");
}

#[test]
fn s5_a_registry_with_three_of_four_addresses_up_to_date_is_waited_for() {
    let mut world = registry();
    let old = in_use(&world, Role::Ksk);
    roll(&mut world, Role::Ksk);
    (world.parent.delay, world.parent.spread) = (Some(0), 60 * DAY);
    until(&mut world, 60, "the new DS is wanted", |world| !world.facts.ds_wanted.has(old));
    pass(&mut world, 58);
    assert!(world.facts.key(old.tag).is_some_and(|key| key.is_published()), "one address still has the old DS");
    finish(&mut world, 60);
    assert!(world.facts.key(old.tag).is_some_and(|key| key.removed.is_some()));
}

#[test]
fn s6_a_registry_that_goes_back_to_the_old_ds_finds_the_old_key_there() {
    let mut world = registry();
    let old = in_use(&world, Role::Ksk);
    roll(&mut world, Role::Ksk);
    until(&mut world, 60, "the new DS", |world| world.facts.parent.agreed().is_some_and(|set| !set.has(old)));
    pass(&mut world, 3);
    world.parent.delay = None;
    world.parent.revert(world.now());
    pass(&mut world, 100);
    assert!(world.facts.key(old.tag).is_some_and(|key| key.is_published()));
    world.parent.delay = Some(HOUR);
    finish(&mut world, 90);
}

#[test]
fn s7_an_unknown_ds_freezes_removals_until_it_is_gone() {
    let mut world = registry();
    let old = in_use(&world, Role::Zsk);
    world.parent.servers[2].extra = Some([&[0x12, 0x34, 13, 2][..], &[7; 32]].concat());
    pass(&mut world, 1);
    roll(&mut world, Role::Zsk);
    let plan = pass(&mut world, 60);
    assert!(blockers(&world, &plan).contains("has a DS that names no key of this zone: 4660 13 2 0707070707070707…"));
    assert!(
        world.facts.key(old.tag).is_some_and(|key| key.is_published() && !key.signs_data()),
        "promoted, not removed"
    );
    world.parent.servers[2].extra = None;
    finish(&mut world, 9);
}

#[test]
fn s7_a_ds_of_another_key_with_our_tag_is_unknown() {
    let mut world = registry();
    let tag = in_use(&world, Role::Ksk).tag.to_be_bytes();
    world.parent.servers[0].extra = Some([&tag[..], &[13, 2], &[9; 32]].concat());
    let plan = pass(&mut world, 2);
    assert!(blockers(&world, &plan).contains("names no key of this zone"));
}

#[test]
fn s8_the_ttl_that_the_parent_really_uses_is_waited_for() {
    let days = |ttl: u32| {
        let mut world = registry();
        (world.parent.ttl, world.parent.life) = (ttl, 2 * HOUR);
        world.facts.parent.longest = None;
        roll(&mut world, Role::Ksk);
        finish(&mut world, 120)
    };
    assert!(days(86_400) >= days(3600), "{} {}", days(86_400), days(3600));
}

#[test]
fn s9_a_parent_that_lowers_its_ttl_at_the_swap_shortens_no_wait() {
    let mut world = registry();
    world.parent.ttl = 86_400;
    pass(&mut world, 2);
    roll(&mut world, Role::Ksk);
    let old = in_use(&world, Role::Ksk);
    until(&mut world, 60, "the new DS is wanted", |world| !world.facts.ds_wanted.has(old));
    world.parent.ttl = 300;
    finish(&mut world, 90);
}

#[test]
fn s10_and_s11_ttls_raised_and_lowered_in_mid_roll_shorten_no_wait() {
    for (before, during) in [((300, 300), (300, 3600)), ((3600, 86_400), (300, 300)), ((86_400, 300), (60, 60))] {
        for moment in [0, 1, 3600] {
            let mut world = registry();
            world.set_limits(Limits::of(before.0, before.1, 300, LIVES)).expect("good");
            pass(&mut world, 30);
            roll(&mut world, Role::Zsk);
            let end = world.time + moment;
            while world.time < end {
                super::lab::go(&mut world, end);
            }
            world.set_limits(Limits::of(during.0, during.1, 300, LIVES)).expect("good");
            finish(&mut world, 90);
        }
    }
}

#[test]
fn s11_an_emergency_waits_for_the_ttl_that_caches_were_given_and_not_for_todays() {
    for moment in [0, 1, 3600] {
        let mut world = registry();
        world.policy.margin = HOUR;
        world.set_limits(Limits::of(86_400, 86_400, 300, LIVES)).expect("good");
        pass(&mut world, 30);
        let begin = world.time;
        urgent_roll(&mut world, Role::Zsk, true);
        let end = world.time + moment;
        while world.time < end {
            super::lab::go(&mut world, end);
        }
        world.set_limits(Limits::of(60, 60, 60, LIVES)).expect("good");
        until(&mut world, 9, "the removal", |world| world.count.rolls == 1);
        assert!(world.time >= begin + DAY, "after {} s", world.time - begin);
    }
}

#[test]
fn denials_keep_signatures_in_caches_as_data_does() {
    assert_eq!(Limits::of(60, 300, 86_400, LIVES).data_ttl, 86_400);
    assert_eq!(Limits::of(60, 7200, 300, LIVES).data_ttl, 7200);
}

#[test]
fn s12_an_algorithm_roll_signs_first_publishes_then_and_exchanges_the_ds_last() {
    let mut world = shard();
    world.command(&Fact::AlgorithmWanted { algorithm: 15 });
    finish(&mut world, 90);
    let steps = [
        "make a CSK of algorithm",
        "sign with CSK too",
        "publish CSK in DNSKEY",
        "ask the parent for the DS of CSK and CSK",
        "ask the parent for the DS of CSK",
        "remove CSK from DNSKEY",
        "stop signing with CSK",
    ];
    assert_eq!(verbs(&world), steps);
    let mut world = registry();
    world.command(&Fact::AlgorithmWanted { algorithm: 15 });
    finish(&mut world, 200);
    let algorithms: Vec<u8> = world.facts.key_set().published.iter().map(|id| id.algorithm).collect();
    assert_eq!(algorithms, [15, 15, 15], "KSK, ZSK and the next ZSK");
}

#[test]
fn s13_an_algorithm_roll_is_taken_back_at_every_moment_before_the_removal() {
    for days in [0, 2, 4, 10, 18, 20, 22] {
        let mut world = shard();
        let old = in_use(&world, Role::Csk);
        world.command(&Fact::AlgorithmWanted { algorithm: 15 });
        if days > 0 {
            pass(&mut world, days);
        }
        if world.facts.key(old.tag).is_some_and(|key| key.removed.is_some()) {
            continue;
        }
        world.command(&Fact::AlgorithmWanted { algorithm: 13 });
        finish(&mut world, 200);
        assert_eq!(in_use(&world, Role::Csk), old, "after {days} days");
        assert_eq!(world.facts.key_set().published.len(), 1);
    }
}

#[test]
fn s14_rolls_of_two_kinds_asked_for_together_follow_each_other() {
    let mut world = registry();
    roll(&mut world, Role::Ksk);
    roll(&mut world, Role::Zsk);
    finish(&mut world, 200);
    assert_eq!(world.count.rolls, 2);
    let steps = verbs(&world);
    let place = |text: &str| steps.iter().position(|step| step == text).expect("a step");
    assert!(place("remove KSK from DNSKEY") < place("sign with ZSK instead of ZSK"), "{steps:?}");
}

#[test]
fn s15_a_second_roll_before_the_first_ends_leaves_one_key() {
    for days in [0, 1, 13, 15] {
        let mut world = shard();
        roll(&mut world, Role::Csk);
        pass(&mut world, days.max(1));
        let newest = world.facts.keys.last().expect("a key").public.tag;
        world.command(&Fact::RollWanted { tags: vec![newest], emergency: false, reason: "again".to_owned() });
        finish(&mut world, 200);
        assert_eq!(world.facts.key_set().published.len(), 1, "after {days} days");
        assert_ne!(in_use(&world, Role::Csk).tag, newest);
    }
}

#[test]
fn s16_a_policy_edited_in_mid_roll_is_a_goal_and_removes_nothing_by_itself() {
    for layout in [KeyLayout::Csk, KeyLayout::KskAndZsk] {
        let mut world = if layout == KeyLayout::Csk { shard() } else { registry() };
        roll(&mut world, layout.data());
        pass(&mut world, 1);
        let published = world.facts.key_set().published;
        world.policy.algorithm = 15;
        super::lab::go(&mut world, u64::MAX);
        assert!(published.iter().all(|id| world.facts.key_set().published.has(id)));
        pass(&mut world, 4);
        world.policy.layout = if layout == KeyLayout::Csk { KeyLayout::KskAndZsk } else { KeyLayout::Csk };
        finish(&mut world, 400);
        assert!(world.facts.key_set().published.iter().all(|id| id.algorithm == 15));
    }
}

#[test]
fn s17_no_new_key_ever_has_a_tag_that_was_taken() {
    let mut world = shard();
    for _ in 0..20 {
        roll(&mut world, Role::Csk);
        finish(&mut world, 60);
    }
    for (at, key) in world.facts.keys.iter().enumerate() {
        assert!(world.facts.keys.iter().skip(at + 1).all(|other| !other.public.collides_with(&key.public)));
    }
}

#[test]
fn s18_an_emergency_signs_with_the_standby_at_once_and_drops_the_old_key_after_its_ttl() {
    let mut world = registry();
    let old = in_use(&world, Role::Zsk);
    urgent_roll(&mut world, Role::Zsk, true);
    let now = world.time;
    super::lab::go(&mut world, u64::MAX);
    assert!(world.time <= now + 1 && in_use(&world, Role::Zsk) != old, "promoted without a wait");
    // The TTL and a day of margin: no three days of signatures.
    assert_eq!(until(&mut world, 9, "the removal", |world| world.count.rolls == 1), 1);
    second_opinion(&world);
}

#[test]
fn s18_an_emergency_parks_a_roll_of_the_other_kind() {
    let mut world = registry();
    roll(&mut world, Role::Ksk);
    pass(&mut world, 3);
    urgent_roll(&mut world, Role::Zsk, true);
    finish(&mut world, 200);
    let steps = verbs(&world);
    let place = |text: &str| steps.iter().position(|step| step == text).expect("a step");
    assert!(place("sign with ZSK instead of ZSK") < place("ask the parent for the DS of KSK"), "{steps:?}");
}

#[test]
fn s19_a_lost_ksk_stops_every_removal_and_makes_no_other_key() {
    let mut world = registry();
    let (ksk, keys) = (in_use(&world, Role::Ksk), world.facts.keys.len());
    world.conditions.unreadable = vec![(ksk.tag, "it is gone".to_owned())];
    let plan = pass(&mut world, 30);
    assert_eq!(world.facts.keys.len(), keys);
    assert!(blockers(&world, &plan).contains("cannot be used: it is gone"));
    roll(&mut world, Role::Zsk);
    pass(&mut world, 30);
    assert_eq!(world.count.rolls, 0, "nothing is removed meanwhile");
}

#[test]
fn s20_a_zone_that_was_unsigned_gets_its_ds_when_caches_have_forgotten_that() {
    let parent = Parent::new(true, 1, &KeySet::default());
    let mut world = World::served_unsigned(policy(KeyLayout::Csk), limits(), parent, 86_400);
    assert!(world.facts.ds_wanted.is_empty(), "not yet");
    let days = until(&mut world, 20, "the DS", |world| !world.facts.ds_wanted.is_empty());
    assert_eq!(days, 1, "the TTL of a day, and an hour");
    finish(&mut world, 40);
}

#[test]
fn s21_a_zone_goes_insecure_only_when_nobody_holds_its_ds() {
    for (name, world) in [("shard", shard()), ("registry", registry())] {
        let mut world = world;
        world.parent.delay = Some(3 * DAY);
        world.command(&Fact::InsecureWanted {});
        let days = until(&mut world, 60, "unsigned", |world| world.facts.unsigned);
        assert!(days >= 6, "{name}: {days}");
        assert!(world.facts.key_set().published.is_empty(), "{name}: no DNSKEY is served");
        pass(&mut world, 30);
        second_opinion(&world);
    }
}

#[test]
fn s21_an_unsigned_zone_that_is_signed_again_gets_its_ds_when_caches_have_forgotten_that() {
    for (name, world, within) in [("shard", shard(), 7), ("registry", registry(), 8)] {
        let mut world = world;
        let entry = world.facts.ds_wanted.clone();
        world.command(&Fact::InsecureWanted {});
        until(&mut world, 60, "unsigned", |world| world.facts.unsigned);
        pass(&mut world, 10);
        world.command(&Fact::SignedWanted {});
        super::lab::go(&mut world, u64::MAX);
        assert!(world.facts.ds_wanted.is_empty(), "{name}: not yet");
        let days = until(&mut world, 9, "the DS", |world| !world.facts.ds_wanted.is_empty());
        assert_eq!(days, within, "{name}: TTLs of up to a week, and the margin");
        assert_eq!(world.facts.ds_wanted, entry, "{name}: the old keys are as good as ever");
        let plan = super::lab::go(&mut world, u64::MAX);
        assert_eq!(blockers(&world, &plan), "", "{name}: a DS that is not there yet is not missed");
        until(&mut world, 30, "the DS at the parent", |world| world.facts.parent.agreed() == Some(&entry));
        world.excuses.remove(&Excuse::Bare);
        pass(&mut world, 30);
        roll(&mut world, if name == "shard" { Role::Csk } else { Role::Ksk });
        finish(&mut world, 90);
    }
}

#[test]
fn s21_going_insecure_is_taken_back_at_every_moment() {
    for days in [0, 1, 2, 4, 6, 8] {
        for (name, world) in [("shard", shard()), ("registry", registry())] {
            let mut world = world;
            world.parent.delay = Some(3 * DAY);
            let entry = world.facts.ds_wanted.clone();
            world.command(&Fact::InsecureWanted {});
            if days > 0 {
                pass(&mut world, days);
            }
            world.command(&Fact::SignedWanted {});
            until(&mut world, 60, "the DS", |world| world.facts.parent.agreed() == Some(&entry));
            finish(&mut world, 60);
            assert!(!world.facts.unsigned && world.facts.ds_wanted == entry, "{name} after {days} days");
        }
    }
}
