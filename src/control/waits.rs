//! Commands that wait until a tenant is served, or gone: looked at after each publication.
//!
//! Pure; the control thread says when.

use crate::dns::name::Name;
use crate::protocol::Line;
use crate::world::World;
use crate::world::tenants::Standing;
use std::sync::mpsc::Sender;
use std::time::Instant;

/// Commands that may wait at once; more are refused.
const WAITS_MAX: usize = 1000;

/// A command that waits.
pub struct Wait {
    /// Domain as an A-label.
    pub domain: String,
    /// Zone.
    pub zone: Name,
    /// Until it is served, or until it is gone.
    pub present: bool,
    /// Until when.
    pub deadline: Instant,
    /// Where the end goes.
    pub reply: Sender<Line>,
}

/// All that wait.
#[derive(Default)]
pub struct Waits(Vec<Wait>);

impl Waits {
    /// One more.
    pub fn push(&mut self, wait: Wait) {
        if self.0.len() >= WAITS_MAX {
            let message = format!("{WAITS_MAX} commands wait already: try again later");
            let _ = wait.reply.send(Line::End { exit: 1, message });
            return;
        }
        self.0.push(wait);
    }

    /// Ends those whose time has come; the others stay.
    pub fn settle(&mut self, world: &World, now: Instant) {
        self.0.retain(|wait| {
            let Some(end) = verdict(world, wait).or_else(|| (now >= wait.deadline).then(|| timed_out(wait))) else {
                return true;
            };
            // Who no longer listens needs no end.
            let _ = wait.reply.send(end);
            false
        });
    }

    /// When the next one's time is up.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|wait| wait.deadline).min()
    }
}

fn verdict(world: &World, wait: &Wait) -> Option<Line> {
    let Some(zone) = world.zones.get(&wait.zone) else {
        let gone =
            if wait.present { (1, format!("there is no zone {} any more", wait.zone)) } else { (0, String::new()) };
        return Some(Line::End { exit: gone.0, message: gone.1 });
    };
    let tenants = &zone.tenants;
    let served = tenants.by_domain(&wait.domain);
    let reasons = tenants.reasons(&wait.domain);
    if !wait.present {
        // An entry that is broken is not answered, but it is there: `tenant show` knows it.
        let is_gone = served.is_none() && reasons.is_empty();
        return is_gone.then(|| Line::End { exit: 0, message: String::new() });
    }
    if !reasons.is_empty() {
        return Some(Line::End { exit: 1, message: reasons.join("\n") });
    }
    if let Some(reason) = zone.why_not_served() {
        return Some(Line::End { exit: 1, message: reason });
    }
    let good = served.is_some_and(|tenant| tenants.standing(tenant) == Standing::Served);
    good.then(|| Line::End { exit: 0, message: String::new() })
}

fn timed_out(wait: &Wait) -> Line {
    let what = if wait.present { "not served yet" } else { "still there" };
    let message =
        format!("{} is {what} in {}: see `mxseal status` for what the server has read", wait.domain, wait.zone);
    Line::End { exit: 5, message }
}
