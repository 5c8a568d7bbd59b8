//! What happened to the keys of a zone: one fact each, as the journal keeps them.
//!
//! Only facts with moments, never a phase: what they add up to is computed by [`super::fold`]. A fact that asks for more
//! caution is written before the act, one that permits progress after it was observed.

use crate::roll::reason::cut;
use crate::sign::key::{PublicKey, Role};
use serde::{Deserialize, Serialize};

/// What happened. A kind that this version does not know is damage to it: an older program must not guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The first record: keys are about to be made, because there were none, or brought in from elsewhere.
    FirstKeysIntended {
        /// Which keys.
        layout: KeyLayout,
        /// Algorithm number.
        algorithm: u8,
    },
    /// A key is durable and was read back.
    KeyCreated {
        /// Key tag.
        tag: u16,
        /// Algorithm number.
        algorithm: u8,
        /// DNSKEY flags.
        flags: u16,
        /// What it is for.
        role: Role,
        /// Public key field of its DNSKEY, in base64.
        public: String,
        /// Name of its file, beside the journal; empty for a key whose private half is elsewhere, which never signs here.
        file: String,
    },
    /// From here on its DNSKEY may have been seen (written before it is served).
    KeyPublished {
        /// Key tag.
        tag: u16,
    },
    /// From here on its signatures over data may have been seen, beside those of others (written before it signs).
    KeyActivated {
        /// Key tag.
        tag: u16,
    },
    /// From here on one key signs the data in place of another, in one step.
    KeySwitched {
        /// Key tag of the one that signed.
        from: u16,
        /// Key tag of the one that signs.
        to: u16,
    },
    /// It signs data no more, and stays published.
    KeyRetired {
        /// Key tag.
        tag: u16,
    },
    /// Its DNSKEY is about to be no longer served, or it was never published and will not be. Its tag stays taken.
    KeyRemoved {
        /// Key tag.
        tag: u16,
    },
    /// A published entry key signs DNSKEY no more, since its private half cannot be used; written before it is served so.
    KeySilent {
        /// Key tag.
        tag: u16,
    },
    /// It signs DNSKEY again.
    KeyHeard {
        /// Key tag.
        tag: u16,
    },
    /// The private half of a removed key is wiped.
    KeyDestroyed {
        /// Key tag.
        tag: u16,
    },
    /// The DS set that the parent should have; CDS and CDNSKEY say it from here on (RFC 7344). Empty: none, the zone goes
    /// insecure (RFC 8078 § 4).
    DsWanted {
        /// Key tags.
        tags: Vec<u16>,
    },
    /// The first keys are complete; only from here on may any be served. The DS of all entry keys is wanted.
    FirstKeysDone {},
    /// How long what is served may stay in caches, from here on; written before it is served where a number rises.
    Limits(Limits),
    /// A snapshot was seen on the wire as the facts say it must be; what they said before is served no more.
    ZoneServed {
        /// Instance that answered.
        instance: u32,
        /// Version of the snapshot.
        snapshot: u64,
        /// Seconds since 1970.
        first_seen: u64,
        /// Seconds since 1970.
        last_seen: u64,
        /// TTL seen, in seconds.
        ttl: u32,
        /// Latest expiration over its signatures, in seconds since 1970.
        expires: u64,
        /// Number of the record up to which the facts were seen; 0 in records of the first version.
        #[serde(default)]
        through: u64,
    },
    /// All addresses that answer for the parent zone: where the DS must be seen.
    ParentServers {
        /// Addresses with ports.
        servers: Vec<String>,
        /// Whether the parent zone is served here too.
        own: bool,
        /// Seconds between two rounds that must agree.
        rounds_apart: u64,
    },
    /// One of them gave a DS set, or a proof that there is none, that validates.
    ParentSaw {
        /// Address with port.
        server: String,
        /// Our keys that the set names by their whole digest.
        tags: Vec<u16>,
        /// Entries that name no key of ours: DS data in hex.
        unknown: Vec<String>,
        /// The higher of TTL and original TTL.
        ttl: u32,
        /// Seconds from inception to expiration of its signature.
        signature_span: u64,
        /// Expiration of its signature, in seconds since 1970.
        expires: u64,
    },
    /// These keys are to be replaced.
    RollWanted {
        /// Key tags.
        tags: Vec<u16>,
        /// Waits are those of honest caches only: the key may be in foreign hands.
        emergency: bool,
        /// Who or what asked.
        reason: String,
    },
    /// These keys are to stay after all.
    RollTakenBack {
        /// Key tags.
        tags: Vec<u16>,
    },
    /// Keys of this algorithm are wanted, whatever the policy says.
    AlgorithmWanted {
        /// Algorithm number.
        algorithm: u8,
    },
    /// The signing clock went forward by this much without having counted it: no wait that is under way counts it either.
    ClockCorrected {
        /// Seconds.
        by: u64,
    },
    /// Two people confirmed that the zone goes insecure.
    InsecureWanted {},
    /// From here on the zone is served without signatures.
    Unsigned {},
    /// The zone is to be signed after all, with the keys that it has: from here on what it serves is signed.
    SignedWanted {},
    /// The zone was served without signatures until now, with TTLs up to this.
    ServedUnsigned {
        /// Seconds.
        ttl: u32,
    },
    /// An operator stops every step.
    Held {
        /// Why.
        reason: String,
    },
    /// An operator lets steps go on and has looked at what was in doubt: both end.
    Resumed {
        /// Who.
        reason: String,
    },
    /// An operator lets steps go on; what is in doubt stays so.
    HoldEnded {
        /// Who.
        reason: String,
    },
    /// An operator has looked at what was in doubt; a hold stays.
    DoubtEnded {
        /// Who.
        reason: String,
    },
    /// Something about the past is not certain: nothing is removed until an operator resumes.
    Doubted {
        /// What.
        reason: String,
    },
}

impl Fact {
    /// The same, with a reason no longer than a fact keeps. All other parts have bounds of their own.
    pub fn bounded(self) -> Fact {
        match self {
            Fact::RollWanted { tags, emergency, reason } => Fact::RollWanted { tags, emergency, reason: cut(reason) },
            Fact::Held { reason } => Fact::Held { reason: cut(reason) },
            Fact::Resumed { reason } => Fact::Resumed { reason: cut(reason) },
            Fact::HoldEnded { reason } => Fact::HoldEnded { reason: cut(reason) },
            Fact::DoubtEnded { reason } => Fact::DoubtEnded { reason: cut(reason) },
            Fact::Doubted { reason } => Fact::Doubted { reason: cut(reason) },
            // Numbers, names of files and addresses, and sets that are bounded where they come from.
            other => other,
        }
    }
}

/// How long what a zone serves may stay in caches: the highest numbers in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// TTL of DNSKEY, CDS and CDNSKEY, in seconds.
    pub dnskey_ttl: u32,
    /// Highest TTL of all other RRsets and of negative answers, in seconds.
    pub data_ttl: u32,
    /// Time left of a signature over DNSKEY when it is made, at most, in seconds.
    pub dnskey_life: u64,
    /// Time left of any other signature when it is made, at most, in seconds.
    pub data_life: u64,
}

impl Limits {
    /// What may be in force before the first record of limits: the cap of TTLs, and the longest life that a built-in
    /// policy ever had. Journals of the first version have no such record.
    pub const UNKNOWN: Limits =
        Limits { dnskey_ttl: 86_400, data_ttl: 86_400, dnskey_life: 14 * 86_400, data_life: 14 * 86_400 };

    /// Nothing is limited.
    pub const UNBOUNDED: Limits =
        Limits { dnskey_ttl: u32::MAX, data_ttl: u32::MAX, dnskey_life: u64::MAX, data_life: u64::MAX };

    /// The limits of a zone: TTL of DNSKEY, highest TTL of data, TTL of negative answers, and the lives of signatures.
    pub fn of(dnskey_ttl: u32, data: u32, negative: u32, lives: Lives) -> Limits {
        // A denial keeps the old keys' signatures in caches as data does (RFC 2308, RFC 8198).
        Limits { dnskey_ttl, data_ttl: data.max(negative), dnskey_life: lives.dnskey, data_life: lives.data }
    }

    /// The higher of each.
    pub fn max(self, other: Limits) -> Limits {
        Limits {
            dnskey_ttl: self.dnskey_ttl.max(other.dnskey_ttl),
            data_ttl: self.data_ttl.max(other.data_ttl),
            dnskey_life: self.dnskey_life.max(other.dnskey_life),
            data_life: self.data_life.max(other.data_life),
        }
    }
}

/// Time left of signatures when they are made, at most, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lives {
    /// Over DNSKEY.
    pub dnskey: u64,
    /// Over all else.
    pub data: u64,
}

/// Which keys a zone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyLayout {
    /// One key for all.
    #[serde(rename = "csk")]
    Csk,
    /// A key signing key, a zone signing key, and the next zone signing key, which is published but does not sign.
    #[serde(rename = "ksk+zsk")]
    KskAndZsk,
}

impl KeyLayout {
    /// The roles of its keys in the order of their making.
    pub fn roles(self) -> &'static [Role] {
        match self {
            KeyLayout::Csk => &[Role::Csk],
            KeyLayout::KskAndZsk => &[Role::Ksk, Role::Zsk, Role::Zsk],
        }
    }

    /// The role of the key that the DS names.
    pub fn entry(self) -> Role {
        match self {
            KeyLayout::Csk => Role::Csk,
            KeyLayout::KskAndZsk => Role::Ksk,
        }
    }

    /// The role of the key that signs data.
    pub fn data(self) -> Role {
        match self {
            KeyLayout::Csk => Role::Csk,
            KeyLayout::KskAndZsk => Role::Zsk,
        }
    }
}

/// Name of a key's file: `csk-13-12345.pem`.
pub fn key_file_name(role: Role, key: &PublicKey) -> String {
    format!("{}-{}-{:05}.pem", role.word(), key.algorithm, key.tag)
}
