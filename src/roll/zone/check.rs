//! The one rule that no step may break: whatever mixture of old and new a resolver holds, its chain of trust closes.
//!
//! The same function judges the next step of a server and the whole past of a simulated one. It never looks at policies:
//! they order steps, and only this permits them.
//!
//! A resolver keeps every RRset by itself, so any DS set, DNSKEY set and signed data that may be in caches at one moment
//! may meet. With D, K, R for these three ([`History`]), it holds at each moment, for each D, K, R that may be there then:
//! * for each algorithm in D, a key of K that D names and that signs K has it (RFC 4035 § 2.2, RFC 6840 § 5.11);
//! * for each algorithm in K, a key of K that signs R has it (RFC 4035 § 2.2);
//! * an unsigned R, or an unsigned zone, only beside an empty D.
//!
//! Both conditions are about pairs, so all pairs are looked at, which is complete: nothing is sampled.

use crate::roll::item::Span;
use crate::sign::key::PublicKey;
use arrayvec::ArrayVec;

/// Keys in one set, at most: with more, a DNSKEY answer does not fit 1232 octets (invariant I36).
pub const KEYS_MAX: usize = 8;

/// A key as validators tell it: by all of its octets. The tag is only how people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Key tag.
    pub tag: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// The first octets of the digest of its DNSKEY data, or of a foreign DS.
    pub print: u64,
}

impl KeyId {
    /// The name of a key.
    pub fn of(key: &PublicKey) -> KeyId {
        KeyId { tag: key.tag, algorithm: key.algorithm, print: print(&key.dnskey_data()) }
    }

    /// A DS that names no key of ours.
    pub fn foreign(ds: &[u8]) -> KeyId {
        let (tag, algorithm) = match ds {
            [high, low, algorithm, ..] => (u16::from_be_bytes([*high, *low]), *algorithm),
            _ => (0, 0),
        };
        KeyId { tag, algorithm, print: print(ds) }
    }
}

fn print(octets: &[u8]) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, octets);
    digest.as_ref().first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// A set of keys, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(ArrayVec<KeyId, KEYS_MAX>);

impl KeySet {
    /// Whether it has a key.
    pub fn has(&self, key: KeyId) -> bool {
        self.0.contains(&key)
    }

    /// Its keys.
    pub fn iter(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.iter().copied()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The set with one more key; unchanged where it is full or there already.
    pub fn with(&self, key: KeyId) -> KeySet {
        self.iter().chain([key]).collect()
    }

    /// The set without a key.
    pub fn without(&self, key: KeyId) -> KeySet {
        self.iter().filter(|other| *other != key).collect()
    }
}

impl FromIterator<KeyId> for KeySet {
    /// Past [`KEYS_MAX`] keys are left out; whoever publishes looks at the number before.
    fn from_iter<T: IntoIterator<Item = KeyId>>(keys: T) -> KeySet {
        let mut set = ArrayVec::new();
        for key in keys {
            if !set.contains(&key) && set.try_push(key).is_err() {
                break;
            }
        }
        set.sort_unstable();
        KeySet(set)
    }
}

/// A DNSKEY RRset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Its keys.
    pub published: KeySet,
    /// Those whose signatures it bears.
    pub signers: KeySet,
}

/// All that caches may hold of one zone, each thing with its span.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// DS sets of the parent; empty: none, proved.
    pub ds: Vec<Span<KeySet>>,
    /// DNSKEY RRsets.
    pub keys: Vec<Span<Keys>>,
    /// Keys that signed the data; empty: unsigned.
    pub data: Vec<Span<KeySet>>,
}

/// Two things that may be in one cache and do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A DS set that names no key which signs the DNSKEY RRset, for one of its algorithms.
    Entry {
        /// The DS set.
        ds: KeySet,
        /// The DNSKEY RRset.
        keys: Keys,
        /// The algorithm.
        algorithm: u8,
    },
    /// A DNSKEY RRset none of whose keys of one algorithm signed the data.
    Data {
        /// The DNSKEY RRset.
        keys: Keys,
        /// The keys that signed.
        signers: KeySet,
        /// The algorithm.
        algorithm: u8,
    },
    /// Data without signatures beside a DS.
    Bare {
        /// The DS set.
        ds: KeySet,
    },
}

/// Proves that no mixture in `history` is bogus for a validator that demands every algorithm.
///
/// # Errors
/// The first two that do not fit.
pub fn never_bogus(history: &History) -> Result<(), Box<Conflict>> {
    for ds in history.ds.iter().filter(|ds| !ds.what.is_empty()) {
        for keys in history.keys.iter().filter(|keys| keys.meets(ds)) {
            entry(&ds.what, &keys.what)?;
        }
        if history.data.iter().any(|data| data.what.is_empty() && data.meets(ds)) {
            return Err(Box::new(Conflict::Bare { ds: ds.what.clone() }));
        }
    }
    let is_secure = |keys: &Span<Keys>, data: &Span<KeySet>| {
        history.ds.iter().any(|ds| !ds.what.is_empty() && ds.meets(keys) && ds.meets(data))
    };
    for keys in &history.keys {
        for data in history.data.iter().filter(|data| data.meets(keys)) {
            if let Err(conflict) = data_signed(&keys.what, &data.what)
                && is_secure(keys, data)
            {
                return Err(conflict);
            }
        }
    }
    Ok(())
}

/// Whether a DS set leads to a DNSKEY RRset, for each of its algorithms.
///
/// # Errors
/// The algorithm that does not.
pub fn entry(ds: &KeySet, keys: &Keys) -> Result<(), Box<Conflict>> {
    let leads = |algorithm: u8| {
        let good = |key: KeyId| key.algorithm == algorithm && ds.has(key) && keys.signers.has(key);
        keys.published.iter().any(good)
    };
    match ds.iter().map(|key| key.algorithm).find(|algorithm| !leads(*algorithm)) {
        Some(algorithm) => Err(Box::new(Conflict::Entry { ds: ds.clone(), keys: keys.clone(), algorithm })),
        None => Ok(()),
    }
}

/// Whether data is signed by keys of a DNSKEY RRset, for each of its algorithms.
///
/// # Errors
/// The algorithm that is not.
pub fn data_signed(keys: &Keys, signers: &KeySet) -> Result<(), Box<Conflict>> {
    let signs = |algorithm: u8| keys.published.iter().any(|key| key.algorithm == algorithm && signers.has(key));
    match keys.published.iter().map(|key| key.algorithm).find(|algorithm| !signs(*algorithm)) {
        Some(algorithm) => Err(Box::new(Conflict::Data { keys: keys.clone(), signers: signers.clone(), algorithm })),
        None => Ok(()),
    }
}
