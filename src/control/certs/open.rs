//! The journal of a pool is opened: it is made where there never was one, and never where there may have been.

use crate::cert::Spki;
use crate::control::certs::PoolLife;
use crate::control::certs::closed::{Closed, End};
use crate::control::certs::past::{Past, Pasts};
use crate::roll::hosts::KEYS_MAX;
use crate::roll::hosts::check::SpkiSet;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::store::Store;
use crate::time::Now;

impl PoolLife {
    /// Opens the journal of a pool.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn open(store: &Store, pool: &str, pasts: &Pasts, now: Now) -> Result<PoolLife, Closed> {
        let closed = |end, reason: &str| Closed::new(store, pool, end, reason.to_owned());
        let past = pasts.of(pool);
        match store.pool_journal(pool) {
            Ok(Some(mut journal)) => {
                if let Some(reason) = past.and_then(|past| past.refutes(journal.facts())) {
                    return Err(closed(End::Restore, &reason));
                }
                let found = journal.mend(now.signing);
                journal.shorten();
                let mut life = PoolLife::with(journal, found, now);
                life.look_at_keys(store);
                life.take_added(past, now);
                Ok(life)
            }
            Ok(None) if !store.pool_keys(pool).is_empty() => {
                Err(closed(End::Restore, "the journal is gone, and private keys are there"))
            }
            Ok(None) if past.is_some() => Err(closed(End::Restore, "the journal is gone, and this pool had one")),
            Ok(None) => match &pasts.lost {
                Some(why) => {
                    let reason = format!("there is no journal, and nobody knows whether there was one: {why}");
                    Err(closed(End::Restore, &reason))
                }
                None => {
                    let journal =
                        store.create_pool_journal(pool, Fact::PoolBegan { from: None, to: None }, now.signing);
                    let journal = journal.map_err(|fault| closed(End::Begin, &fault.to_string()))?;
                    Ok(PoolLife::with(journal, Vec::new(), now))
                }
            },
            Err(fault) => Err(Closed::of(store, pool, &fault)),
        }
    }

    /// TLSA that were served while the journal could not be used are facts from here on, and go as all others do.
    fn take_added(&mut self, past: Option<&Past>, now: Now) {
        let added = past.iter().flat_map(|past| &past.added).filter(|spki| self.facts().key(**spki).is_none());
        let added: Vec<Spki> = added.copied().collect();
        for spki in &added {
            let file = String::new();
            self.record(Fact::KeyKnown { spki: *spki, kind: None, origin: Origin::Given, file }, now);
        }
        let keys: SpkiSet = self.facts().served_keys().into_iter().chain(added.iter().copied()).collect();
        if !added.is_empty() && keys.len() <= KEYS_MAX {
            // Hosts may have been given them: each stays for its wait, also where nobody looks.
            let named = self.facts().named.last().map(|version| version.what.clone()).unwrap_or_default();
            let given = named.keys.into_iter().chain(added).collect();
            let current = self.facts().current.iter().copied().collect();
            self.record(Fact::Named { current, given, hosts: None }, now);
            self.record(Fact::Tlsa { keys: keys.into_iter().collect() }, now);
        }
    }
}
