//! What the loop looks with: at zones and pools from outside, at hosts, at certificate files, at this host.
//!
//! It holds what was seen and what is awaited, and decides nothing.

use crate::cert::{Roots, Spki};
use crate::control::thread::again::Again;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::observe::observer::Observer;
use crate::probe::Prober;
use crate::resolve::anchors::Anchors;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// A file as the system describes it: other numbers mean that its content may be other.
pub(super) type Print = (u64, u64, u64, i64, i64);

/// All of it.
pub(super) struct Eyes {
    /// Looks at zones from outside; none before the server can answer.
    pub(super) observer: Option<Observer>,
    /// Where trust in parents begins; none: it cannot be read.
    pub(super) anchors: Option<Arc<Anchors>>,
    /// Looks at hosts; none before the server can answer.
    pub(super) prober: Option<Prober>,
    /// Rounds of looks at hosts so far.
    pub(super) round: u64,
    pub(super) roots: Option<Roots>,
    /// Why nobody is known whom MTA-STS senders trust.
    pub(super) no_roots: Option<Diagnostic>,
    /// Certificate files, and when they are looked after next.
    pub(super) files: BTreeMap<String, Option<Print>>,
    pub(super) files_at: Instant,
    /// When files of private keys are looked after next.
    pub(super) keys_at: Instant,
    /// A tenant of each pool, to look at it on the wire.
    pub(super) samples: BTreeMap<String, (Name, Box<[u8]>)>,
    /// The name of this host.
    pub(super) host: String,
    /// This host: its addresses, the control socket, what was refused.
    pub(super) here: Again,
    /// By pool: hosts at tenants' own addresses that show a key without TLSA, and what was told of it.
    pub(super) strange: BTreeMap<String, BTreeMap<IpAddr, Spki>>,
    pub(super) strange_found: Vec<Diagnostic>,
}

impl Eyes {
    /// Nothing was seen yet.
    pub(super) fn new(here: Again, at: Instant) -> Eyes {
        Eyes {
            observer: None,
            anchors: None,
            prober: None,
            round: 0,
            roots: None,
            no_roots: None,
            files: BTreeMap::new(),
            files_at: at,
            keys_at: at,
            samples: BTreeMap::new(),
            host: "localhost".to_owned(),
            here,
            strange: BTreeMap::new(),
            strange_found: Vec::new(),
        }
    }
}
