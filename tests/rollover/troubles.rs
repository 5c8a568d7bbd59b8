//! The scenarios of trouble by number: storage, clocks, downtime, people.
//!
//! The zone goes on, nothing is removed, and what stands in the way has a name.

use super::lab::{DAY, HOUR, blockers, finish, in_use, pass, registry, resume, roll, shard, told};
use mxseal::roll::zone::facts::Fact;
use mxseal::roll::zone::plan::{Block, Blocker};
use mxseal::roll::zone::sim::world::Excuse;
use mxseal::sign::key::Role;

#[test]
fn s25_a_full_disk_stops_steps_that_take_away_and_is_named() {
    let mut world = registry();
    roll(&mut world, Role::Zsk);
    pass(&mut world, 1);
    world.conditions.disk = Some("no space left on device".to_owned());
    let plan = pass(&mut world, 30);
    assert!(blockers(&world, &plan).contains("nothing can be recorded: no space left on device"));
    assert_eq!(world.count.rolls, 0);
    world.conditions.disk = None;
    finish(&mut world, 2);
}

#[test]
fn s27_a_restored_backup_is_told_by_the_ds_of_the_parent() {
    let mut world = registry();
    let backup = world.facts.clone();
    roll(&mut world, Role::Ksk);
    finish(&mut world, 90);
    // The KSK of today is unknown to the backup.
    world.facts = backup;
    world.excuses.insert(Excuse::Parent);
    world.parent.delay = None;
    roll(&mut world, Role::Zsk);
    let plan = pass(&mut world, 30);
    assert!(plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Own(Block::UnknownDs(..)))), "{plan:?}");
    assert_eq!(world.facts.keys.iter().filter(|key| key.removed.is_some()).count(), 0);
}

#[test]
fn s27_a_doubt_about_the_past_holds_removals_until_somebody_resumes() {
    let mut world = registry();
    roll(&mut world, Role::Zsk);
    pass(&mut world, 1);
    world.command(&Fact::Doubted { reason: "the journal was read from its copy".to_owned() });
    let plan = pass(&mut world, 30);
    assert!(blockers(&world, &plan).contains("the journal was read from its copy"));
    assert_eq!(world.count.rolls, 0);
    resume(&mut world);
    finish(&mut world, 2);
}

#[test]
fn s30_and_s31_a_clock_that_jumps_ends_no_wait() {
    for jump in [2 * 3600, -2 * 3600, 30 * 86_400, -30 * 86_400, 400 * 86_400] {
        for (days, role) in [(0, Role::Zsk), (1, Role::Zsk), (1, Role::Ksk), (15, Role::Ksk)] {
            let mut world = registry();
            roll(&mut world, role);
            if days > 0 {
                pass(&mut world, days);
            }
            let (rolls, steps) = (world.count.rolls, world.steps.as_ref().map_or(0, Vec::len));
            world.jump(jump);
            let plan = pass(&mut world, 1);
            assert_eq!(world.count.rolls, rolls, "{jump} s in the middle of a {role:?} roll: {}", told(&world));
            assert!(steps + 1 >= world.steps.as_ref().map_or(0, Vec::len), "no burst");
            assert!(blockers(&world, &plan).contains("the clock cannot be trusted"), "{jump} s: {plan:?}");
            // Nothing is removed as long as the doubt stands.
            pass(&mut world, 40);
            assert_eq!(world.count.rolls, rolls);
            world.set_clock_right();
            finish(&mut world, 120);
        }
    }
}

#[test]
fn a_clock_that_jumps_while_a_roll_is_held_or_as_it_goes_on_ends_no_wait() {
    for jump in [2 * 3600, -2 * 3600, 30 * 86_400, -30 * 86_400, 400 * 86_400] {
        for (days, role) in [(1, Role::Zsk), (15, Role::Ksk)] {
            for moment in 0..4 {
                let mut world = registry();
                roll(&mut world, role);
                pass(&mut world, days);
                let rolls = world.count.rolls;
                world.command(&Fact::Held { reason: "a person looks".to_owned() });
                pass(&mut world, 1);
                // While it is held, as it goes on, just after it, and after a start in between.
                match moment {
                    0 => {
                        world.jump(jump);
                        pass(&mut world, 1);
                        resume(&mut world);
                    }
                    1 => {
                        world.jump(jump);
                        resume(&mut world);
                    }
                    2 => {
                        resume(&mut world);
                        world.jump(jump);
                    }
                    _ => {
                        resume(&mut world);
                        world.crash(60, false).expect("good");
                        world.jump(jump);
                    }
                }
                let plan = pass(&mut world, 40);
                let at = format!("{jump} s in the middle of a {role:?} roll, moment {moment}");
                assert_eq!(world.count.rolls, rolls, "{at}: {}", told(&world));
                assert!(blockers(&world, &plan).contains("the clock cannot be trusted"), "{at}: {plan:?}");
                world.set_clock_right();
                finish(&mut world, 120);
            }
        }
    }
}

#[test]
fn a_reboot_at_any_moment_of_a_roll_breaks_no_rule_and_freezes_nothing() {
    for role in [Role::Csk, Role::Zsk, Role::Ksk] {
        for off in [40, 280, 3 * 3600, 12 * 3600] {
            for looks in 0..60 {
                let mut world = if role == Role::Csk { shard() } else { registry() };
                let rolls = world.count.rolls;
                roll(&mut world, role);
                for _ in 0..looks {
                    super::lab::go(&mut world, u64::MAX);
                }
                if world.count.rolls > rolls {
                    break;
                }
                // The mark of the clock is late by then.
                let soon = world.time + 50;
                while world.time < soon {
                    super::lab::go(&mut world, soon);
                }
                world.crash(off, true).expect("good");
                for _ in 0..3 {
                    let soon = world.time + 10;
                    let plan = super::lab::go(&mut world, soon);
                    let said = blockers(&world, &plan);
                    assert!(!said.contains("does not fit"), "{role:?}, {off} s off after {looks} looks: {said}");
                }
            }
        }
    }
}

#[test]
fn s32_a_start_in_1970_goes_on_and_removes_nothing() {
    let mut world = registry();
    roll(&mut world, Role::Zsk);
    pass(&mut world, 1);
    world.crash(60, true).expect("good");
    let back = i64::try_from(world.time).expect("small");
    world.jump(-back);
    let before = world.clock().time;
    let plan = pass(&mut world, 20);
    assert!(world.clock().time >= before, "time goes on from what was kept");
    assert!(blockers(&world, &plan).contains("behind the time that has passed for certain"));
    assert_eq!(world.count.rolls, 0);
}

#[test]
fn s33_a_jump_back_while_something_is_published_opens_no_wait_again() {
    let mut world = shard();
    roll(&mut world, Role::Csk);
    super::lab::go(&mut world, u64::MAX);
    world.jump(-86_400);
    pass(&mut world, 1);
    world.set_clock_right();
    assert!(finish(&mut world, 60) <= 20);
}

#[test]
fn s35_the_years_2038_and_2106_are_years_like_others() {
    for edge in [1u64 << 31, 1 << 32] {
        let mut world = shard();
        let days = (edge - world.time) / DAY - 10;
        // The machine counts on, so no wait and no doubt comes from it.
        let end = world.time + days * DAY;
        while world.time < end {
            super::lab::go(&mut world, end);
        }
        roll(&mut world, Role::Csk);
        assert_eq!(finish(&mut world, 60), 17);
        assert!(world.time > edge);
    }
}

#[test]
fn s43_two_days_without_server_in_mid_roll_make_nothing_bogus_and_no_burst() {
    for days in [0, 3, 14, 16] {
        let mut world = shard();
        roll(&mut world, Role::Csk);
        if days > 0 {
            pass(&mut world, days);
        }
        let before = world.steps.as_ref().map_or(0, Vec::len);
        world.crash(2 * DAY, true).expect("good");
        let end = world.time + HOUR / 2;
        while world.time < end {
            super::lab::go(&mut world, end);
        }
        assert!(world.steps.as_ref().map_or(0, Vec::len) <= before + 2, "DS and signatures may be exchanged together");
        finish(&mut world, 60);
    }
}

#[test]
fn s44_rolls_move_on_for_sixty_days_without_a_query() {
    // There are no queries in this world at all.
    let mut world = shard();
    roll(&mut world, Role::Csk);
    pass(&mut world, 60);
    assert_eq!(world.count.rolls, 1);
}

#[test]
fn a_held_zone_takes_no_step_until_it_is_resumed() {
    let mut world = shard();
    roll(&mut world, Role::Csk);
    pass(&mut world, 1);
    let steps = world.steps.clone();
    world.command(&Fact::Held { reason: "a freeze of changes".to_owned() });
    let plan = pass(&mut world, 100);
    assert_eq!(world.steps, steps);
    assert!(blockers(&world, &plan).contains("a freeze of changes"));
    resume(&mut world);
    finish(&mut world, 60);
}

#[test]
fn every_step_before_the_removal_is_taken_back() {
    for (role, moments) in
        [(Role::Csk, [0u64, 1, 10, 15, 16]), (Role::Ksk, [0, 1, 10, 16, 20]), (Role::Zsk, [0, 1, 2, 3, 3])]
    {
        for days in moments {
            let mut world = if role == Role::Csk { shard() } else { registry() };
            let old = in_use(&world, role);
            roll(&mut world, role);
            super::lab::go(&mut world, u64::MAX);
            if days > 0 {
                pass(&mut world, days);
            }
            assert!(world.facts.key(old.tag).is_some_and(|key| key.is_live()), "{role:?} after {days} days");
            let newer: Vec<u16> = world
                .facts
                .keys
                .iter()
                .filter(|key| key.role == role && key.is_live() && key.id != old && key.outgoing.is_none())
                .map(|key| key.public.tag)
                .collect();
            world.command(&Fact::RollTakenBack { tags: vec![old.tag] });
            world.command(&Fact::RollWanted { tags: newer, emergency: false, reason: "taken back".to_owned() });
            finish(&mut world, 200);
            assert_eq!(in_use(&world, role), old, "{role:?} after {days} days: {}", told(&world));
        }
    }
}

#[test]
fn what_was_published_and_is_not_seen_begins_no_wait() {
    let mut world = shard();
    let old = in_use(&world, Role::Csk);
    roll(&mut world, Role::Csk);
    // A worker that hangs serves what was there before, for longer than any wait.
    world.stalled_until = world.time + 40 * DAY;
    pass(&mut world, 39);
    assert!(world.facts.ds_wanted.has(old), "nothing follows from a DNSKEY RRset that nobody can have seen");
    finish(&mut world, 60);
}

#[test]
fn what_is_broken_already_lets_nothing_through() {
    // The parent goes back to a DS whose key is long gone: BIND GL#5458 removed the last good keys then.
    let mut world = registry();
    let gone = in_use(&world, Role::Ksk);
    roll(&mut world, Role::Ksk);
    finish(&mut world, 90);
    world.excuses.insert(Excuse::Parent);
    world.parent.delay = None;
    world.parent.servers.iter_mut().for_each(|server| server.set = [gone].into_iter().collect());
    pass(&mut world, 2);
    let rolls = world.count.rolls;
    roll(&mut world, Role::Zsk);
    let plan = pass(&mut world, 100);
    assert_eq!(world.count.rolls, rolls, "nothing is removed");
    assert!(blockers(&world, &plan).contains("does not fit already"), "{plan:?}");
}

#[test]
fn s26_an_entry_key_that_could_not_sign_waits_anew_when_it_can() {
    let mut world = registry();
    let old = in_use(&world, Role::Ksk);
    roll(&mut world, Role::Ksk);
    pass(&mut world, 2);
    let new = world.facts.keys.last().expect("a key").public.tag;
    // Its file is lost over a restart: DNSKEY holds it and is signed by the other one alone.
    world.command(&Fact::KeySilent { tag: new });
    super::lab::go(&mut world, u64::MAX);
    world.crash(60, false).expect("good");
    pass(&mut world, 40);
    assert!(world.facts.ds_wanted.has(old), "no DS of a key that does not sign DNSKEY");
    world.command(&Fact::KeyHeard { tag: new });
    world.crash(60, false).expect("good");
    pass(&mut world, 13);
    assert!(world.facts.ds_wanted.has(old), "caches may hold DNSKEY without its signature");
    finish(&mut world, 90);
}
