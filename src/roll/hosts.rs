//! How TLSA records, addresses and keys of mail hosts change without a moment in which a sender finds no match.
//!
//! Pure: facts about one pool, what its files say, what is known of the surroundings and the moment go in; one proved step,
//! a moment to look again, and the reasons come out. Adding a TLSA is always safe and is done at once; what takes away is
//! proved first, from what was seen and never from a timeout.
//!
//! A sender holds addresses and TLSA records, each as old as caches let it, and meets what a host shows at that moment. So
//! an item here is a set of TLSA records, a set of addresses, or what a host shows: each a [`fold::Version`] with the
//! moments from and until which it may be met. From these alone [`check::dane_ok`] proves every mixture (RFC 7671 § 8). The
//! phases of a host's key are computed, and never kept:
//!
//! | phase | what exists | who may hold it | what follows |
//! |---|---|---|---|
//! | staged | a private half, stored twice | nobody | `publish` |
//! | rumoured | its TLSA is served | some caches; others hold the records before | a wait from the moment it was seen |
//! | ready | its TLSA is in all that a cache may hold | all | a permit; then hosts may show it |
//! | active | a certificate file names it, or a host shows it | all | a roll, by command |
//! | retiring | its TLSA is served, and no host shows it | all | a wait, then `withdraw` |
//! | removed | no TLSA; its private half is kept for 30 days | nobody | `destroy` |
//! | destroyed | nothing | nobody | nothing |
//!
//! Each step is one fact. What it waits for is a fact, too, and then for as long as caches may hold what was there before it;
//! a TLSA goes only while nothing is in doubt:
//!
//! | step | recorded as | waits for | by |
//! |---|---|---|---|
//! | publish | tlsa | nothing | more TLSA never break a match (RFC 7671 § 8) |
//! | admit | addresses | host_shows, pool_served | each TLSA set in caches has the key that the host shows (RFC 7671 § 8) |
//! | create | key_known | nothing | nobody sees it yet |
//! | withdraw | tlsa | host_shows, pool_served, apart_shows | nobody meets a host with the key (RFC 7671 § 8.1), also at tenants' own addresses |
//! | destroy | key_destroyed | nothing | it was removed 30 days ago ([`crate::roll::life::TOMBSTONE`]) |

pub mod check;
pub mod condense;
pub mod facts;
pub mod fold;
pub mod forecast;
mod journal;
pub mod key;
mod phase;
pub mod plan;
pub mod seen;
pub mod sights;
pub mod step;
pub mod way;
pub mod words;

use crate::cert::{KeyClass, KeyKind, Spki};
use crate::roll::item::Version;
use crate::time::Seconds;
use check::{AddressSet, Showing, SpkiSet};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// TLSA records of one pool, at most: with their signature they just fit an answer over UDP.
pub const KEYS_MAX: usize = 16;
/// Of these, those that no file names, at most: current and next of four kinds always find a place, and few pools have two.
pub const UNNAMED_MAX: usize = KEYS_MAX - 8;

/// What the files say about a pool now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its addresses.
    pub addresses: AddressSet,
    /// Keys of its certificate files.
    pub current: BTreeMap<Spki, KeyKind>,
    /// TLSA that are written down.
    pub given: SpkiSet,
    /// Addresses of tenants' own that are served with its TLSA: hosts there are looked at, too, and may hold up that a TLSA
    /// goes. They never add one.
    pub apart: AddressSet,
    /// How many more of these there are than can be looked at.
    pub left_out: usize,
    /// For tenants on their way from another pool: that pool's TLSA, and its addresses.
    pub before: Option<(SpkiSet, AddressSet)>,
    /// For tenants on their way: keys of which somebody has said, of one of the pools, that their TLSA ends at once.
    pub disowned: SpkiSet,
}

impl Wanted {
    /// Whether the files say that a key is one of the pool's.
    pub fn names(&self, spki: Spki) -> bool {
        let is_before = self.before.as_ref().is_some_and(|(before, _)| before.contains(&spki));
        self.current.contains_key(&spki) || self.given.contains(&spki) || is_before
    }
}

/// What is wanted of a pool beside its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Added to every wait, in seconds.
    pub margin: Seconds,
    /// Where its next keys come from.
    pub next: NextKeys,
    /// Whether its hosts are looked at. Where they are not, its files count for what they show.
    pub probed: bool,
    /// How long a host offers no STARTTLS, or shows a key that is not published, before its address goes, in seconds;
    /// none: it never does.
    pub drain: Option<Seconds>,
    /// How far apart two looks are, in seconds, which make a key that a host shows one of the pool's; none: no look does.
    pub adopt: Option<Seconds>,
}

/// Where the next keys of a pool come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextKeys {
    /// They are made here.
    MadeHere,
    /// From elsewhere: certificate files, or an operator who brings them in.
    Elsewhere,
}

/// What is known of the surroundings now and is no fact of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Why the clock cannot be trusted.
    pub clock: Option<String>,
    /// Why another server may change the pool; none: this one does.
    pub elsewhere: Option<String>,
    /// Why no fact can be recorded.
    pub disk: Option<String>,
    /// Hosts whose last look failed, and why.
    pub silent: BTreeMap<IpAddr, String>,
    /// Hosts that were not looked at yet since the start.
    pub unseen: AddressSet,
    /// Hosts to come that were not looked at yet since the start, or whose last look failed.
    pub unknown: AddressSet,
    /// Hosts at tenants' own addresses that were not looked at yet since the start, or whose last look failed.
    pub dark: AddressSet,
    /// For tenants on their way: what the hosts of both pools show. None: what was seen of the pool's own.
    pub shows: Option<Vec<Version<Showing>>>,
    /// For tenants on their way: what hosts at tenants' own addresses show of both pools. None: what is known of this one.
    pub held: Option<Vec<Version<Spki>>>,
}

/// How a sender asks a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile {
    /// The signature algorithms that it is limited to.
    pub class: KeyClass,
    /// Whether it names the endpoint (SNI).
    pub sni: bool,
}

impl Profile {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Profile> {
        let both = |class| [true, false].map(|sni| Profile { class, sni });
        KeyClass::ALL.into_iter().flat_map(both)
    }
}
