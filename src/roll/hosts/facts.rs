//! What happened to the keys, addresses and hosts of a pool: one fact each, as the journal keeps them.
//!
//! Only facts with moments, never a phase: what they add up to is computed by [`super::fold`]. A fact that asks for more
//! caution is written before the act, one that permits progress after it was observed.

use crate::cert::{KeyClass, KeyKind, Spki};
use crate::roll::reason::cut;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What happened. A kind that this version does not know is damage to it: an older program must not guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The first record.
    PoolBegan {
        /// For tenants on their way: the pool that they leave.
        from: Option<String>,
        /// And the pool that they go to.
        to: Option<String>,
    },
    /// What tenants may be served of the pool that they leave, when they begin to be served by this one.
    Inherited {
        /// TLSA sets.
        keys: Vec<Inherited<Vec<Spki>>>,
        /// Address sets.
        addresses: Vec<Inherited<Vec<IpAddr>>>,
    },
    /// A key is known; one that was made or brought in here is durable, and was read back.
    KeyKnown {
        /// Its digest.
        spki: Spki,
        /// Its kind; none: only a digest is known.
        kind: Option<KeyKind>,
        /// Where it came from.
        origin: Origin,
        /// The file of its private half in the pool's folder; empty: it is elsewhere.
        file: String,
    },
    /// What the certificate files and written TLSA name from here on.
    Named {
        /// Keys of certificate files.
        current: Vec<Spki>,
        /// Written TLSA.
        given: Vec<Spki>,
        /// The addresses whose hosts are to show these, where nobody looks at them; none: it was not kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hosts: Option<Vec<IpAddr>>,
    },
    /// From here on these TLSA may be seen (written before they are served).
    Tlsa {
        /// All of them.
        keys: Vec<Spki>,
    },
    /// From here on these addresses may be seen (written before they are served).
    Addresses {
        /// All of them.
        addresses: Vec<IpAddr>,
    },
    /// From here on tenants have these addresses of their own beside the TLSA (written before they are served).
    Apart {
        /// All of them.
        addresses: Vec<IpAddr>,
    },
    /// How long what is served may stay in caches, from here on; written before it is served where a number rises.
    Limits {
        /// TTL of addresses and TLSA, in seconds.
        ttl: u32,
        /// Time left of their signatures when they are made, at most, in seconds.
        life: u64,
    },
    /// A snapshot was seen on the wire as the facts say it must be; what they said before is served no more.
    PoolServed {
        /// Instance that answered.
        instance: u32,
        /// Version of the snapshot.
        snapshot: u64,
        /// Seconds since 1970.
        first_seen: u64,
        /// Seconds since 1970.
        last_seen: u64,
        /// Number of the record up to which the facts were seen.
        through: u64,
    },
    /// A host showed something that it did not show when it was looked at before, and nothing else from here on.
    HostShows {
        /// Its address.
        address: IpAddr,
        /// Kind of the key that was asked for.
        class: KeyClass,
        /// Whether the endpoint was named (SNI).
        sni: bool,
        /// What.
        shows: Shown,
    },
    /// A host shows this, too, now and then: what it showed lately, it may show still.
    HostAlsoShows {
        /// Its address.
        address: IpAddr,
        /// Kind of the key that was asked for.
        class: KeyClass,
        /// Whether the endpoint was named (SNI).
        sni: bool,
        /// What.
        shows: Shown,
    },
    /// Keys with TLSA that hosts at tenants' own addresses show from here on: all of them, and no others.
    ApartShows {
        /// Their digests.
        keys: Vec<Spki>,
    },
    /// A key that a host shows is one of the pool's, although no file names it.
    KeyAdopted {
        /// Its digest.
        spki: Spki,
        /// Its kind.
        kind: KeyKind,
        /// Who says so: an operator, or the pool's settings.
        origin: Origin,
        /// Why.
        reason: String,
    },
    /// Hosts may be given a certificate for this key.
    Permitted {
        /// Its digest.
        spki: Spki,
        /// Seconds since 1970 until when that may begin.
        until: u64,
    },
    /// They may not after all.
    PermitWithdrawn {
        /// Its digest.
        spki: Spki,
    },
    /// A key is not to be used any more: it is no next one, and its TLSA goes when no host shows it.
    KeyGivenUp {
        /// Its digest.
        spki: Spki,
        /// Waits are those of honest caches only: the key may be in foreign hands.
        emergency: bool,
        /// Who or what asked.
        reason: String,
    },
    /// It may be used after all.
    KeyTakenBack {
        /// Its digest.
        spki: Spki,
    },
    /// The private half of a removed key is wiped.
    KeyDestroyed {
        /// Its digest.
        spki: Spki,
    },
    /// The signing clock went forward by this much without having counted it: no wait that is under way counts it either.
    ClockCorrected {
        /// Seconds.
        by: u64,
    },
    /// Something about the past is not certain: nothing is removed until an operator resumes.
    Doubted {
        /// What.
        reason: String,
    },
    /// An operator has looked at what was in doubt.
    Resumed {
        /// Who.
        reason: String,
    },
}

impl Fact {
    /// The same, with a reason no longer than a fact keeps. All other parts have bounds of their own.
    pub fn bounded(self) -> Fact {
        match self {
            Fact::KeyGivenUp { spki, emergency, reason } => Fact::KeyGivenUp { spki, emergency, reason: cut(reason) },
            Fact::KeyAdopted { spki, kind, origin, reason } => {
                Fact::KeyAdopted { spki, kind, origin, reason: cut(reason) }
            }
            Fact::Doubted { reason } => Fact::Doubted { reason: cut(reason) },
            Fact::Resumed { reason } => Fact::Resumed { reason: cut(reason) },
            // Numbers, digests and addresses, and sets that are bounded where they come from.
            other => other,
        }
    }
}

/// Something that caches may hold from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherited<T> {
    /// What.
    pub what: T,
    /// When it was last served, in seconds since 1970; none: it is, until this pool is seen to be served.
    pub last: Option<u64>,
    /// Its TTL, in seconds.
    pub ttl: u32,
    /// Time that its signatures had left, in seconds.
    pub life: u64,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was made here, to be the next one.
    Made,
    /// An operator brought it in, to be the next one.
    Staged,
    /// A certificate file names it.
    File,
    /// Its TLSA is written down.
    Given,
    /// A host showed it, and nobody had said so: from journals of versions that published what they saw.
    Host,
    /// A host showed it, and an operator said that it is one of the pool's.
    Adopted,
    /// A host showed it, and the pool's settings let that count (`adopt = "seen"`).
    Seen,
}

impl Origin {
    /// Whether the key is known by looks alone, whoever let them count: no file says that it is the pool's.
    pub fn is_by_look(self) -> bool {
        match self {
            Origin::Host | Origin::Adopted | Origin::Seen => true,
            Origin::Made | Origin::Staged | Origin::File | Origin::Given => false,
        }
    }
}

/// What a host showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A certificate with this key.
    Key(Spki),
    /// No certificate of this kind.
    Nothing,
    /// No STARTTLS.
    Plain,
    /// A certificate with a key that is none of the pool's. Which one is no fact: a host may show another one each time.
    Other,
}
