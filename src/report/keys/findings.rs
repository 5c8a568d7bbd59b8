//! What stands against a zone's keys now, for `status` and the log: what stops steps, what was seen to differ, and the fix.
//!
//! Pure. What freezes a zone is an error, since removals wait for somebody; what only delays is a warning.

use crate::diagnostic::{Diagnostic, Place};
use crate::report::life::Ills;
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::{Block, Blocker, Plan};

/// Looks in a row that found something wrong, before it is said: a process that starts answers a moment later.
const FAILURES_SAID: u32 = 2;
/// Differences that are told of one zone, at most.
const FAULTS_MAX: usize = 4;
const LONG: &str = "MX5516";

/// The keys of a zone as they are known now.
#[derive(Clone, Copy, Debug)]
pub struct KeysState<'a> {
    /// The zone, without its final dot.
    pub zone: &'a str,
    /// What happened to them.
    pub facts: &'a ZoneFacts,
    /// What was decided last.
    pub plan: Option<&'a Plan>,
    /// What is wrong with how that is kept.
    pub ills: Ills<'a>,
    /// Looks at our own addresses in a row that found something wrong.
    pub failures: u32,
    /// What the last of them found wrong.
    pub faults: &'a [String],
}

/// All that stands against the keys of a zone. `file` is shown as the place.
pub fn findings(state: &KeysState<'_>, file: &str) -> Vec<Diagnostic> {
    let (zone, place) = (state.zone, Place::file(file));
    let mut found = state.ills.stopping(zone, &place, state.facts, state.plan);
    if let Some(reason) = state.ills.refused {
        let message =
            format!("keys of {zone}: a step is not taken, for what it leads to does not prove itself: {reason}");
        let help = "what is served stays as it is; compare the files below `keys/` with a backup, then `mxseal reload`";
        found.push(Diagnostic::error("MX5511", place.clone(), message, help));
    }
    if state.failures >= FAILURES_SAID {
        for fault in state.faults.iter().take(FAULTS_MAX) {
            let message = format!("{zone} is not answered as it should be: {fault}");
            let help = "it is looked at again by itself; no step is taken that rests on it until it is seen";
            found.push(Diagnostic::error("MX5512", place.clone(), message, help));
        }
    }
    found.extend(state.ills.long.map(|share| long(zone, &place, share)));
    found
}

/// That the journal is long, while there is time left to look. `share`: of its octets, that it has reached.
fn long(zone: &str, place: &Place, share: f64) -> Diagnostic {
    let percent = (share * 100.0).floor();
    let message = format!("keys of {zone}: their journal has {percent} % of the octets that it may have");
    let help = format!(
        "look at the newest lines of `keys/{zone}/journal` for what is recorded again and again, and end that: a roll has some 20 \
         lines. Where the journal is full, {zone} is served and signed on, and no step is taken"
    );
    Diagnostic::warning(LONG, place.clone(), message, &help)
}

/// The code of what stops steps; none for what needs nobody.
pub(super) fn code(blocker: &Blocker) -> Option<&'static str> {
    Some(match blocker {
        Blocker::Held(_) => "MX5501",
        Blocker::Doubt(_) => "MX5502",
        Blocker::Clock(_) => "MX5503",
        Blocker::Disk(_) => "MX5504",
        Blocker::Own(Block::Unreadable(..)) => "MX5505",
        Blocker::Own(Block::UnknownDs(..)) => "MX5506",
        Blocker::Own(Block::MissingDs(_)) => "MX5507",
        Blocker::Broken(_) => "MX5508",
        Blocker::Own(Block::Silent(_)) => "MX5509",
        Blocker::Own(Block::ParentSilent(_)) => "MX5517",
        Blocker::Own(Block::Full) => "MX5510",
        // It is told once for all zones.
        Blocker::Elsewhere(_) => return None,
        Blocker::Own(Block::Turn(_)) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use crate::time::UnixTime;

    fn told(blockers: Vec<Blocker>, ills: Ills<'_>, failures: u32) -> Vec<(&'static str, Severity, String)> {
        let (facts, plan) = (ZoneFacts::default(), Plan::rest(blockers, UnixTime(1_800_000_000)));
        let faults = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let (plan, faults) = (Some(&plan), &faults[..]);
        let state = KeysState { zone: "mx.example", facts: &facts, plan, ills, failures, faults };
        let all = findings(&state, "mx.zone").into_iter();
        all.map(|finding| (finding.code, finding.severity, finding.message)).collect()
    }

    #[test]
    fn what_freezes_is_an_error_and_what_is_told_for_all_zones_at_once_is_not_told_here() {
        let blockers = vec![
            Blocker::Doubt("a gap".to_owned()),
            Blocker::Held("a move".to_owned()),
            Blocker::Elsewhere("another one".to_owned()),
            Blocker::Own(Block::Turn("a.example".to_owned())),
        ];
        let text = |text: &str| format!("keys of mx.example: {text}");
        let wanted = [
            ("MX5502", Severity::Error, text("a gap")),
            ("MX5501", Severity::Warning, text("all steps are held: a move")),
        ];
        assert_eq!(told(blockers, Ills::default(), 0), wanted);
    }

    #[test]
    fn a_disk_that_refuses_is_told_once_whenever_that_was_decided() {
        let ills = Ills { disk: Some("no space left"), ..Ills::default() };
        let wanted =
            [("MX5504", Severity::Error, "keys of mx.example: nothing can be recorded: no space left".to_owned())];
        assert_eq!(told(Vec::new(), ills, 0), wanted);
        assert_eq!(told(vec![Blocker::Disk("no space left".to_owned())], ills, 0), wanted);
    }

    #[test]
    fn looks_that_fail_are_told_from_the_second_on_and_four_of_their_faults() {
        assert_eq!(told(Vec::new(), Ills::default(), 1), []);
        let codes: Vec<_> = told(Vec::new(), Ills::default(), 2).into_iter().map(|(code, ..)| code).collect();
        assert_eq!(codes, ["MX5512"; 4]);
        let ills = Ills { refused: Some("it does not sign"), long: Some(0.8), ..Ills::default() };
        let codes: Vec<_> = told(Vec::new(), ills, 0).into_iter().map(|(code, ..)| code).collect();
        assert_eq!(codes, ["MX5511", "MX5516"]);
    }
}
