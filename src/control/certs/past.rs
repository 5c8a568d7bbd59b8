//! What was published of each pool, kept beside the journals: it tells the loss of a journal from a first start.
//!
//! It is a list of its own in `keys/`, so that it outlives a pool's folder. Where a journal cannot be used, what was published
//! goes on by it, and a key that was given up does not come back. It never stands in for a journal that can be used.

use crate::cert::Spki;
use crate::roll::hosts::KEYS_MAX;
use crate::roll::hosts::fold::PoolFacts;
use crate::store::Store;
use crate::store::durable::DiskFault;
use crate::store::kept::{Found, Kept};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What was published of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Moment of the newest fact of its journal then, in seconds since 1970.
    pub at: u64,
    /// Its TLSA.
    pub tlsa: BTreeSet<Spki>,
    /// TLSA that files named while its journal could not be used; the journal does not know of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub added: BTreeSet<Spki>,
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Keys that were given up, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub given_up: BTreeMap<Spki, String>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    pool: String,
    #[serde(flatten)]
    past: Past,
}

/// The pasts of all pools.
pub struct Pasts {
    kept: Kept,
    pools: BTreeMap<String, Past>,
    /// Why it is not known which pools had a past.
    pub lost: Option<String>,
    /// Whether something is to be written.
    is_news: bool,
}

impl Past {
    fn of(facts: &PoolFacts) -> Past {
        let given_up = facts.keys.iter().filter_map(|key| Some((key.spki, key.given_up.as_ref()?.reason.clone())));
        Past {
            at: facts.time.0,
            tlsa: facts.served_keys(),
            added: BTreeSet::new(),
            addresses: facts.served_addresses(),
            given_up: given_up.collect(),
        }
    }

    /// Whether it says what is published in the same words.
    fn is_same(&self, other: &Past) -> bool {
        let moment = other.at;
        Past { at: moment, ..self.clone() } == *other
    }

    /// TLSA that are published by it.
    pub fn published(&self) -> BTreeSet<Spki> {
        self.tlsa.union(&self.added).copied().collect()
    }

    /// Files name these keys and addresses while the journal cannot be used: TLSA are added, since more of them never break
    /// a match, and nothing is taken away. True where that is news.
    pub fn follow(&mut self, keys: impl Iterator<Item = Spki>, addresses: &[IpAddr]) -> bool {
        let before = self.clone();
        for spki in keys {
            let is_new = !self.tlsa.contains(&spki) && !self.given_up.contains_key(&spki);
            if is_new && self.published().len() < KEYS_MAX {
                self.added.insert(spki);
            }
        }
        if self.addresses.is_empty() {
            self.addresses.extend(addresses);
        }
        *self != before
    }

    /// Why these facts cannot be those of the pool as it was last published; none: they can.
    pub fn refutes(&self, facts: &PoolFacts) -> Option<String> {
        if facts.between.is_some() {
            return Some("the journal is that of tenants on their way, and of no pool".to_owned());
        }
        let given_up = self.given_up.keys();
        if let Some(unknown) = self.tlsa.iter().chain(given_up).find(|spki| !facts.has_known(**spki)) {
            let unknown = unknown.short();
            return Some(format!(
                "the journal does not know key {unknown}, which this pool had: it is another pool's, or old"
            ));
        }
        (facts.time.0 < self.at).then(|| {
            let (has, known) = (facts.time, crate::time::UnixTime(self.at));
            let (has, known) = (crate::control::certs::date(has), crate::control::certs::date(known));
            format!(
                "the newest fact of the journal is of {has}, and facts up to {known} were published: it is an old copy"
            )
        })
    }
}

impl Pasts {
    /// Reads them.
    pub fn read(store: &Store) -> Pasts {
        let mut kept = store.pool_pasts();
        let mut pasts = Pasts { pools: BTreeMap::new(), lost: None, is_news: false, kept: store.pool_pasts() };
        match kept.read() {
            Found::Nothing => {}
            Found::Lost(why) => pasts.lost = Some(why),
            Found::Whole { text, flaws } => {
                pasts.is_news = !flaws.is_empty();
                flaws.iter().for_each(|flaw| tracing::warn!("{flaw}; its other file is used"));
                let line = |line: &str| serde_json::from_str::<Line>(line).map(|line| (line.pool, line.past));
                match text.lines().map(line).collect() {
                    Ok(pools) => pasts.pools = pools,
                    Err(fault) => pasts.lost = Some(format!("{}: {fault}", kept.path().display())),
                }
            }
        }
        Pasts { kept, ..pasts }
    }

    /// What is known of a pool.
    pub fn of(&self, pool: &str) -> Option<&Past> {
        self.pools.get(pool)
    }

    /// What is published of a pool by its journal.
    pub fn note(&mut self, pool: &str, facts: &PoolFacts) {
        let past = Past::of(facts);
        if self.pools.get(pool).is_none_or(|before| !before.is_same(&past)) {
            self.pools.insert(pool.to_owned(), past);
            self.is_news = true;
        }
    }

    /// What is published of a pool whose journal cannot be used.
    pub fn follow(&mut self, pool: &str, keys: impl Iterator<Item = Spki>, addresses: &[IpAddr]) -> &Past {
        let past = self.pools.entry(pool.to_owned()).or_default();
        self.is_news |= past.follow(keys, addresses);
        past
    }

    /// Makes it durable. `is_whole`: no pool is there whose journal cannot be used; where it is not known which pools had a
    /// past, nothing is written before.
    ///
    /// # Errors
    /// [`DiskFault`]; it is written at the next call.
    pub fn keep(&mut self, store: &Store, is_whole: bool) -> Result<(), DiskFault> {
        if !self.is_news || (self.lost.is_some() && !is_whole) {
            return Ok(());
        }
        let line = |(pool, past): (&String, &Past)| {
            // Text, numbers and lists with fixed keys, for which serde_json cannot fail.
            serde_json::to_string(&Line { pool: pool.clone(), past: past.clone() }).unwrap_or_default() + "\n"
        };
        let text: String = self.pools.iter().map(line).collect();
        store.keep(&mut self.kept, &text)?;
        (self.is_news, self.lost) = (false, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::hosts::facts::{Fact, Origin};
    use crate::roll::life::Facts;
    use crate::time::UnixTime;

    fn key(number: u8) -> Spki {
        Spki::of(&[number])
    }

    fn facts(known: &[u8], time: u64) -> PoolFacts {
        let mut facts = PoolFacts::default();
        let began = Fact::PoolBegan { from: None, to: None };
        let known = known.iter().map(|number| {
            let (spki, kind) = (key(*number), None);
            Fact::KeyKnown { spki, kind, origin: Origin::Given, file: String::new() }
        });
        for fact in [began].into_iter().chain(known) {
            facts.take(&fact, UnixTime(time)).expect("it follows");
        }
        facts
    }

    fn past(tlsa: &[u8], given_up: &[u8], at: u64) -> Past {
        let given_up = given_up.iter().map(|number| (key(*number), "stolen".to_owned())).collect();
        Past { at, tlsa: tlsa.iter().copied().map(key).collect(), given_up, ..Past::default() }
    }

    #[test]
    fn a_journal_that_lacks_what_was_published_is_refused() {
        assert_eq!(past(&[1, 2], &[3], 9).refutes(&facts(&[1, 2, 3, 4], 9)), None);
        assert_eq!(past(&[1, 2], &[3], 9).refutes(&facts(&[3, 2, 1], 10)), None);
        let refused = |past: Past, facts: PoolFacts| past.refutes(&facts).unwrap_or_default();
        assert!(refused(past(&[1, 2], &[], 9), facts(&[1], 9)).contains("another pool's, or old"));
        assert!(refused(past(&[1], &[2], 9), facts(&[1], 9)).contains("another pool's, or old"));
        assert!(refused(past(&[1], &[], 10), facts(&[1], 9)).contains("old copy"));
        let mut way = PoolFacts::default();
        let began = Fact::PoolBegan { from: Some("a".to_owned()), to: Some("b".to_owned()) };
        way.take(&began, UnixTime(9)).expect("it follows");
        assert!(refused(past(&[], &[], 9), way).contains("on their way"));
    }

    #[test]
    fn what_files_name_is_added_and_nothing_is_taken_away_or_comes_back() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut past = Past { addresses: [address("192.0.2.1")].into(), ..past(&[1, 2], &[3], 9) };
        assert!(past.follow([key(2), key(3), key(4)].into_iter(), &[address("192.0.2.9")]));
        assert_eq!(past.published(), [key(1), key(2), key(4)].into());
        assert_eq!(past.addresses, [address("192.0.2.1")].into());
        assert!(!past.follow([key(1)].into_iter(), &[]), "no news");
        assert!(past.follow((10..200).map(key), &[]));
        assert_eq!(past.published().len(), KEYS_MAX);
        assert!(past.published().contains(&key(1)) && !past.published().contains(&key(3)));
    }
}
