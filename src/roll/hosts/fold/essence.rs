//! What of a pool's facts something is decided by, to prove that two journals decide the same.
//!
//! Never part of a decision.

use super::{HostLimits, PoolFacts};
use crate::cert::Spki;
use crate::roll::item::Version;
use crate::time::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

type Ended = (usize, Vec<Option<UnixTime>>);

impl PoolFacts {
    /// All but numbers of records, the moments from which on keys are known (which are only shown), and keys that were forgotten
    /// and of which nobody spoke.
    pub fn essence(&self, spoken: &BTreeSet<Spki>) -> PoolFacts {
        let forgotten = self.forgotten.iter().filter(|(spki, _)| spoken.contains(*spki));
        let mut facts = PoolFacts { forgotten: BTreeMap::new(), ..self.clone() };
        facts.records = 0;
        facts.forgotten = forgotten.map(|(spki, kind)| (*spki, *kind)).collect();
        facts.keys.iter_mut().for_each(|key| key.known = UnixTime(0));
        plain(&mut facts.tlsa);
        plain(&mut facts.addresses);
        plain(&mut facts.apart);
        plain(&mut facts.named);
        plain(&mut facts.shows);
        plain(&mut facts.held);
        facts
    }

    /// All that changes when something was seen on the wire, but for the moment.
    pub(in crate::roll::hosts) fn tally(&self) -> ([Ended; 6], usize, Option<HostLimits>) {
        let versions = [
            ended(&self.tlsa),
            ended(&self.addresses),
            ended(&self.apart),
            ended(&self.named),
            ended(&self.shows),
            ended(&self.held),
        ];
        (versions, self.sights.len(), self.limits)
    }
}

/// All but numbers of records, which are only ever compared with those of what comes.
fn plain<T>(versions: &mut [Version<T>]) {
    versions.iter_mut().for_each(|version| version.record = 0);
}

/// How many there are, and how many of them have ended.
fn ended<T>(versions: &[Version<T>]) -> (usize, Vec<Option<UnixTime>>) {
    (versions.len(), versions.iter().map(|version| version.last).collect())
}
