//! How the keys of a zone are replaced without a moment in which a resolver finds a broken chain of trust.
//!
//! Pure: facts, a policy, what is known of the surroundings and the moment go in; one proved step, a moment to look again,
//! and the reasons come out. It never acts, never trusts a wait that was not begun by something seen on the wire, and never
//! lets a timeout stand for an answer.
//!
//! An *item* is anything that caches hold and that can be superseded: a DNSKEY RRset, a DS set, the signatures over data.
//! Each is a list of [`fold::Version`]s with the moments from and until which it may be served. From these alone
//! [`check::never_bogus`] proves every mixture; the phases that people see are computed:
//!
//! | phase | what exists | who may hold it | what follows |
//! |---|---|---|---|
//! | staged | private half, stored twice | nobody | `publish` |
//! | rumoured | in the DNSKEY RRset | some caches; others hold the RRset before | a wait from the moment it was seen |
//! | ready | in every DNSKEY RRset that a cache may hold | all | `switch`, `want DS` |
//! | active | signs, or its DS is wanted | all | a roll: by command, or at the end of its life |
//! | retiring | published, used no more | all; its signatures or DS too | a wait, then `remove` |
//! | removed | tag taken, private half kept for 30 days | nobody | `destroy` |
//! | destroyed | tag taken | nobody | nothing |
//!
//! Each step is one fact. What it waits for is a fact, too, and then for as long as caches may hold what was there before it;
//! what takes away waits besides while anything is in doubt:
//!
//! | step | recorded as | waits for | by |
//! |---|---|---|---|
//! | create | key_created | nothing | nobody sees it yet |
//! | publish | key_published | zone_served | each algorithm of DNSKEY signs the data (RFC 4035 § 2.2) |
//! | sign | key_activated | nothing | more signatures break no chain (RFC 6781 § 4.1.4) |
//! | switch | key_switched | zone_served | each DNSKEY RRset in caches has the key (RFC 6781 § 4.1.1.1) |
//! | want-ds | ds_wanted | zone_served | each DNSKEY RRset in caches is signed by the key (RFC 6781 § 4.1.2) |
//! | remove | key_removed | parent_saw, zone_served | no DS leads to the key, and no data is signed by it alone (RFC 4035 § 2.2, § 5.2) |
//! | stop-signing | key_retired | zone_served | no DNSKEY RRset in caches has its algorithm alone (RFC 6781 § 4.1.4) |
//! | destroy | key_destroyed | nothing | it was removed 30 days ago ([`crate::roll::life::TOMBSTONE`]) |
//! | begin | roll_wanted | the end of a life | the policy of the zone, and its turn ([`turn`]) |
//! | unsign | unsigned | parent_saw | no cache has a DS (RFC 8078 § 4) |

pub mod check;
pub mod facts;
pub mod fold;
pub mod forecast;
pub mod goal;
pub mod invented;
mod journal;
pub mod key;
pub mod parent;
pub mod past;
mod phase;
pub mod plan;
pub mod sim;
pub mod step;
pub mod turn;
pub mod words;

use crate::time::Seconds;
use facts::KeyLayout;

/// What is wanted of a zone's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which keys.
    pub layout: KeyLayout,
    /// Algorithm of new keys (IANA number).
    pub algorithm: u8,
    /// After how long a KSK is replaced; none: on command only.
    pub ksk_lifetime: Option<Seconds>,
    /// The same for a ZSK.
    pub zsk_lifetime: Option<Seconds>,
    /// The same for a CSK.
    pub csk_lifetime: Option<Seconds>,
    /// Added to every wait.
    pub margin: Seconds,
}

/// What is known of the surroundings now and is no fact of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Why the clock cannot be trusted.
    pub clock: Option<String>,
    /// Why another server may roll the keys of this zone; none: this one does.
    pub elsewhere: Option<String>,
    /// Why no fact can be recorded.
    pub disk: Option<String>,
    /// Keys whose private half cannot be used, by tag, and why.
    pub unreadable: Vec<(u16, String)>,
    /// Addresses of the parent that did not answer in the last round.
    pub silent: Vec<String>,
    /// Why the parent zone, which is served here, gives no answer; none: it does, or others serve it.
    pub own_parent: Option<String>,
    /// Why a planned roll may not begin now: another zone's turn.
    pub turn: Option<String>,
}
