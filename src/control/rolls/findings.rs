//! What stands against a zone's keys now, for `status` and the log: what stops steps, what was seen to differ, and the fix.
//!
//! Pure. What freezes a zone is an error, since removals wait for somebody; what only delays is a warning.

use crate::control::rolls::ZoneRoll;
use crate::diagnostic::{Diagnostic, Place};
use crate::roll::zone::plan::{Block, Blocker};
use crate::roll::zone::words;
use crate::store::journal::file::LONG_SHARE;

/// Looks in a row that found something wrong, before it is said: a process that starts answers a moment later.
const FAILURES_SAID: u32 = 2;
/// Differences that are told of one zone, at most.
const FAULTS_MAX: usize = 4;
const LONG: &str = "MX5516";

/// All that stands against the keys of a zone. `file` is shown as the place, `zone` has no final dot.
pub fn findings(zone: &str, file: &str, roll: &ZoneRoll) -> Vec<Diagnostic> {
    let place = || Place::file(file);
    let mut found: Vec<Diagnostic> = Vec::new();
    for blocker in roll.plan.iter().flat_map(|plan| &plan.blockers) {
        let Some(code) = code(blocker) else { continue };
        let message = format!("keys of {zone}: {}", words::blocker(roll.facts(), blocker));
        let help = words::remedy(zone, blocker);
        found.push(match blocker.freezes() {
            true => Diagnostic::error(code, place(), message, &help),
            false => Diagnostic::warning(code, place(), message, &help),
        });
    }
    if let Some(reason) = &roll.refused {
        let message =
            format!("keys of {zone}: a step is not taken, for what it leads to does not prove itself: {reason}");
        let help = "what is served stays as it is; compare the files below `keys/` with a backup, then `mxseal reload`";
        found.push(Diagnostic::error("MX5511", place(), message, help));
    }
    if let Some(reason) = roll.disk.as_ref().filter(|_| !found.iter().any(|finding| finding.code == "MX5504")) {
        let message = format!("keys of {zone}: nothing can be recorded: {reason}");
        found.push(Diagnostic::error("MX5504", place(), message, words::remedy(zone, &Blocker::Disk(String::new()))));
    }
    if roll.own.failures >= FAILURES_SAID {
        for fault in roll.own.faults.iter().take(FAULTS_MAX) {
            let message = format!("{zone} is not answered as it should be: {fault}");
            let help = "it is looked at again by itself; no step is taken that rests on it until it is seen";
            found.push(Diagnostic::error("MX5512", place(), message, help));
        }
    }
    found.extend(long(zone, file, roll.journal().share()));
    found
}

/// That the journal is long, while there is time left to look. `share`: of its octets, that it has reached.
fn long(zone: &str, file: &str, share: f64) -> Option<Diagnostic> {
    let percent = (share * 100.0).floor();
    let message = format!("keys of {zone}: their journal has {percent} % of the octets that it may have");
    let help = format!(
        "look at the newest lines of `keys/{zone}/journal` for what is recorded again and again, and end that: a roll has some 20 \
         lines. Where the journal is full, {zone} is served and signed on, and no step is taken"
    );
    (share >= LONG_SHARE).then(|| Diagnostic::warning(LONG, Place::file(file), message, &help))
}

/// The code of what stops steps; none for what needs nobody.
fn code(blocker: &Blocker) -> Option<&'static str> {
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
