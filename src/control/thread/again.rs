//! What was refused is tried again by itself: keys that could not be read or made, and files that are named only once.
//!
//! It tries as a reload does, so nothing is believed that a reload would not believe. What only a person can judge, such as
//! a journal that is damaged, waits for one.

use crate::control::door::{DoorFault, KeptAway};
use crate::control::foresee::BAD_ANCHORS;
use crate::control::thread::Mind;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::observe::addresses::Addresses;
use crate::store::silence;
use crate::time::Now;
use crate::world::zones::{Keys, ZoneState};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often this host is looked at, and the first pause before keys are tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: a disk that is full for days is asked no more often.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What is tried again, and when.
pub(super) struct Again {
    addresses: Addresses,
    /// What the start found of this host, for good.
    of_start: Vec<Diagnostic>,
    /// Why commands do not reach the server.
    socket: Option<DoorFault>,
    looked: Instant,
    tried: Instant,
    pause: Duration,
    /// What stands against this host now.
    pub(super) findings: Vec<Diagnostic>,
}

impl Again {
    /// Nothing was tried yet.
    pub(super) fn new(addresses: Addresses, of_start: Vec<Diagnostic>, at: Instant) -> Again {
        let findings = of_start.clone();
        Again { addresses, of_start, socket: None, looked: at, tried: at, pause: PAUSE, findings }
    }

    /// When this host is looked at next.
    pub(super) fn next(&self) -> Option<Instant> {
        Some(self.looked + PAUSE)
    }
}

impl Mind {
    /// The control socket was lost, or is there again.
    pub(super) fn socket_is(&mut self, fault: Option<DoorFault>, now: Now) {
        self.eyes.here.socket = fault;
        self.look_at_host(now);
    }

    /// Looks at this host and tries what was refused, where that is due.
    pub(super) fn try_again(&mut self, now: Now) {
        self.look_at_host(now);
        if now.steady.saturating_duration_since(self.eyes.here.tried) >= self.eyes.here.pause {
            self.eyes.here.tried = now.steady;
            let is_refused = self.try_keys(now) | self.try_named_files(now) | self.try_last_good(now);
            self.eyes.here.pause = if is_refused { (self.eyes.here.pause * 2).min(PAUSE_MAX) } else { PAUSE };
        }
    }

    /// Whether this host has the addresses, and commands reach the server.
    pub(super) fn look_at_host(&mut self, now: Now) {
        self.eyes.here.looked = now.steady;
        let mut found = self.eyes.here.of_start.clone();
        found.extend(self.eyes.here.addresses.findings());
        found.extend(self.eyes.here.socket.as_ref().map(of_socket));
        if found != self.eyes.here.findings {
            self.eyes.here.findings = found;
            self.report(now);
        }
    }

    /// Zones whose keys could not be read or made; true where some still cannot.
    fn try_keys(&mut self, now: Now) -> bool {
        let (is_read, is_unread) = self.lives.rolls.try_unread(&self.store, now);
        let is_tried =
            |zone: &ZoneState| matches!(&zone.keys, Keys::Silent(reason) if silence::is_passing(reason.code));
        let tried: Vec<Name> =
            self.world.zones.iter().filter(|(_, zone)| is_tried(zone)).map(|(apex, _)| apex.clone()).collect();
        if tried.is_empty() && !is_read {
            return is_unread;
        }
        if is_read {
            // What was published can be read again, and says of each zone whether it was signed.
            self.know_all();
        }
        let before = self.frozen_zones();
        let wanted = tried.into_iter().map(|apex| (apex, Keys::Wanted)).collect();
        self.set_keys(wanted, now);
        if is_read || self.frozen_zones() != before {
            self.note_goals();
            self.publish(now);
        }
        is_unread || self.world.zones.values().any(is_tried)
    }

    /// Content of before that could not be read at the start; true where some still cannot.
    fn try_last_good(&mut self, now: Now) -> bool {
        let before = self.served.keeper.unread.len();
        if before > 0 {
            self.restore(None, &BTreeMap::new(), now);
        }
        if self.served.keeper.unread.len() != before {
            self.publish(now);
        }
        !self.served.keeper.unread.is_empty()
    }

    fn frozen_zones(&self) -> Vec<(Name, Diagnostic)> {
        let of = |(apex, zone): (&Name, &ZoneState)| match &zone.keys {
            Keys::Silent(reason) => Some((apex.clone(), reason.clone())),
            Keys::None | Keys::Wanted | Keys::Loaded(_) => None,
        };
        self.world.zones.iter().filter_map(of).collect()
    }

    /// Files of the configuration that are read once: true where one still cannot be used.
    fn try_named_files(&mut self, now: Now) -> bool {
        let had_none = (self.eyes.anchors.is_none(), self.eyes.no_roots.is_some());
        if had_none.0 && self.read_anchors().is_none() {
            self.findings.own.retain(|found| found.code != BAD_ANCHORS);
        }
        if let Some(missed) = self.eyes.no_roots.clone() {
            self.read_roots();
            self.findings.own.retain(|found| self.eyes.no_roots.is_some() || found.code != missed.code);
        }
        let have_none = (self.eyes.anchors.is_none(), self.eyes.no_roots.is_some());
        if have_none != had_none {
            self.findings.is_pool_news = true;
            self.report(now);
        }
        have_none.0 || have_none.1
    }
}

fn of_socket(fault: &DoorFault) -> Diagnostic {
    let (place, why) = (Place::file(fault.path.display().to_string()), &fault.why);
    match &fault.kept_away {
        KeptAway::All => {
            let message = format!("commands do not reach the server, since its control socket is lost: {why}");
            Diagnostic::error("MX6202", place, message, "repair this; it is made anew by itself then")
        }
        KeptAway::Readers(group) => {
            let message =
                format!("members of the group `{group}` ([server] socket_group) cannot ask this server: {why}");
            let help = "with systemd, name it in SupplementaryGroups= of the unit; until then the server's user and root can ask";
            Diagnostic::warning("MX6204", place, message, help)
        }
    }
}
