//! A disk that is full at any step of a move: the tenant stays where it was or is on its way, and never jumps.

use crate::mover::{Mover, WAIT, three_pools};

/// What happens once the disk is full.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The server goes on, and there is room again after a while.
    Wait,
    /// It ends at once, and starts when there is room again.
    Restart,
    /// It ends at once, starts on the full disk, and there is room again after a while.
    RestartFull,
}

/// A whole move with a disk that is full after so many steps; false where it never was.
fn journey(then: Then, steps: usize) -> bool {
    let mut mover = Mover::new(three_pools());
    mover.move_to("t.example", "one");
    mover.run(2 * WAIT);
    mover.watch("t.example");
    mover.fill_disk(steps);
    mover.move_to("t.example", "two");
    for _ in 0..40 {
        if mover.is_full() {
            break;
        }
        mover.run(WAIT / 8);
    }
    if mover.is_full() {
        let on_the_way = mover.answer("t.example");
        match then {
            Then::Wait => mover.run(2 * WAIT),
            Then::Restart => drop(mover.free_disk()),
            Then::RestartFull => {}
        }
        if then != Then::Wait {
            if mover.start() {
                // The step that was being recorded may count now: addresses or TLSA may be the next ones, never both.
                let answer = mover.answer("t.example");
                let jumped = answer.0.is_disjoint(&on_the_way.0) && answer.1 != on_the_way.1;
                assert!(!jumped, "{then:?} {steps}: {on_the_way:?} became {answer:?}");
                mover.judge();
                mover.run(2 * WAIT);
            } else {
                assert_eq!(then, Then::RestartFull, "the disk has room");
            }
        }
        mover.judge();
        mover.free_disk();
        if then == Then::RestartFull {
            // Whatever it could not open or keep is there with the next start at the latest.
            assert!(mover.start());
        }
        mover.arrive("t.example", 0x22);
        mover.judge();
        if then == Then::Wait {
            mover.turn();
            assert_eq!(mover.way_folders(), 0, "{steps}: what has ended is removed");
        }
        return true;
    }
    mover.free_disk();
    mover.arrive("t.example", 0x22);
    mover.judge();
    false
}

#[test]
fn a_disk_that_is_full_at_any_step_of_a_move_lets_no_tenant_jump() {
    // Each step is met by one of the three.
    for (first, then) in [Then::Wait, Then::Restart, Then::RestartFull].into_iter().enumerate() {
        let mut steps = first;
        while journey(then, steps) {
            steps += 3;
        }
        println!("{then:?}: {steps} steps");
        assert!(steps > 50, "{then:?}: only {steps} steps were reached");
    }
}
