//! What was published of zones is kept on a disk that may refuse any step, and is never lost by that.

use super::*;
use mxseal::roll::zone::past::Past;
use mxseal::store::records::{Records, Trust};

fn past(facts: u64) -> Vec<(String, Past)> {
    vec![("a.example.".to_owned(), Past::counted(facts))]
}

fn facts(records: &Records) -> u64 {
    records.of("a.example.").map_or(0, |past| past.facts)
}

#[test]
fn a_disk_that_refuses_any_step_leaves_what_was_kept_or_what_is_to_be() {
    let mut failed = 0;
    for step in 1.. {
        let place = Place::new();
        let store = place.store();
        let mut records = store.records();
        assert_eq!(records.trust, Trust::New);
        store.keep_records(&mut records, past(1)).expect("kept");
        drop(store);
        let (store, fails_at) = place.failing_store(28);
        let mut records = store.records();
        fails_at.store(step, Ordering::SeqCst);
        let kept = store.keep_records(&mut records, past(2));
        fails_at.store(0, Ordering::SeqCst);
        let read = Records::read(&place.keys());
        assert_eq!(read.trust, Trust::Whole, "step {step}");
        if kept.is_ok() {
            assert_eq!(facts(&read), 2);
            break;
        }
        failed += 1;
        assert!((1..=2).contains(&facts(&read)), "step {step}");
        assert_eq!(facts(&records), 1, "what is not kept is not believed to be");
        store.keep_records(&mut records, past(3)).expect("the disk takes it again");
        let read = Records::read(&place.keys());
        assert_eq!((facts(&read), read.flaws.len()), (3, 0), "step {step}");
    }
    assert!(failed >= 4, "{failed} steps");
}
