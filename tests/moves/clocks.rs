//! A clock that jumps while tenants are on their way: no wait becomes shorter by it, and nothing goes while it is in doubt.

use crate::mover::{HOLD, Mover, WAIT, three_pools};
use mxseal::time::UnixTime;

fn on_the_way() -> Mover {
    let mut mover = Mover::new(three_pools());
    mover.move_to("t.example", "one");
    mover.run(2 * WAIT);
    mover.watch("t.example");
    mover.move_to("t.example", "two");
    mover
}

const UNION: [u8; 2] = [0x11, 0x22];

#[test]
fn time_that_no_clock_counted_ends_no_wait_of_a_move() {
    for (jump, restart) in [(WAIT, false), (30 * 86_400, false), (30 * 86_400, true), (3_650 * 86_400, true)] {
        for before in [0, WAIT / 2, WAIT + WAIT / 2] {
            let mut mover = on_the_way();
            mover.run(before);
            let served = mover.answer("t.example");
            // The machine was off, as far as anybody can tell: it may have been a jump.
            mover.now = mover.now.after(jump);
            mover.ahead += jump;
            let credited = mover.certs.credited + jump;
            mover.certs.take_clock(credited, None, mover.at());
            if restart {
                assert!(mover.start());
            }
            mover.turn();
            assert_eq!(mover.answer("t.example"), served, "{jump} s after {before} s, restart {restart}");
            mover.arrive("t.example", 0x22);
            mover.judge();
        }
    }
}

#[test]
fn while_the_clock_is_in_doubt_nothing_of_a_move_goes_and_then_it_goes_on() {
    for before in [0, WAIT / 2, WAIT + WAIT / 2] {
        let mut mover = on_the_way();
        mover.run(before);
        mover.certs.in_the_way.clock = Some("the wall clock went backwards".to_owned());
        mover.run(4 * WAIT);
        assert_eq!(mover.answer("t.example").1, UNION.into(), "after {before} s");
        // Another move in the doubt begins with more TLSA, too.
        mover.move_to("t.example", "six");
        assert_eq!(mover.answer("t.example").1, [0x11, 0x22, 0x66].into());
        mover.run(4 * WAIT);
        assert_eq!(mover.answer("t.example").1, [0x11, 0x22, 0x66].into());
        mover.certs.in_the_way.clock = None;
        mover.arrive("t.example", 0x66);
        mover.judge();
    }
}

#[test]
fn a_clock_that_goes_back_over_a_restart_makes_waits_longer_and_never_shorter() {
    for back in [1, HOLD, 86_400, 400 * 86_400] {
        for before in [WAIT / 2, WAIT + WAIT / 2] {
            let mut mover = on_the_way();
            mover.run(before);
            let served = mover.answer("t.example");
            // True time goes on: what the clock says is behind it.
            let offset = mover.now.0 - back;
            mover.now = UnixTime(offset);
            assert!(mover.start());
            assert_eq!(mover.answer("t.example"), served, "{back} s back after {before} s");
            mover.turn();
            assert_eq!(mover.answer("t.example"), served, "{back} s back after {before} s");
        }
    }
}

#[test]
fn what_no_clock_counted_before_a_move_began_is_nothing_to_it() {
    let jump = 30 * 86_400;
    let mut mover = Mover::new(three_pools());
    mover.move_to("t.example", "one");
    mover.run(2 * WAIT);
    (mover.now, mover.ahead) = (mover.now.after(jump), jump);
    mover.certs.take_clock(jump, None, mover.at());
    mover.watch("t.example");
    mover.move_to("t.example", "two");
    mover.run(4 * WAIT);
    assert_eq!(mover.answer("t.example"), ([0x22].into(), [0x22].into()), "its waits are those of any other move");
    mover.judge();
}
