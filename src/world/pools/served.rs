//! What is served of pools and ways: asked for whole, and taken in whole.
//!
//! Pure. Nothing is served that did not come back from whoever makes it durable.

use crate::world::pools::told::{WayServed, WayWanted};
use crate::world::pools::{PoolServed, PoolTable, PoolWanted};
use crate::zone::endpoint::{PoolIndex, Pools, Records};
use std::sync::Arc;

impl PoolTable {
    /// What is served is asked for anew.
    pub fn ask_anew(&mut self) {
        self.is_stale = true;
    }

    /// Whether what is served has to be asked for.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// What the files say about each pool.
    pub fn wanted(&self) -> Vec<PoolWanted> {
        let mut apart = self.all_apart();
        let want = |(at, entry): (usize, &super::Entry)| {
            let pool = entry.pool.as_ref().filter(|_| entry.way.is_none())?;
            Some(PoolWanted {
                pool: entry.name.clone(),
                addresses: pool.addresses.clone(),
                certificates: entry.certificates.clone(),
                tlsa: pool.tlsa.clone(),
                apart: apart.remove(&at).unwrap_or_default(),
            })
        };
        self.entries.iter().enumerate().filter_map(want).collect()
    }

    /// Takes in what is served of the pools that [`PoolTable::wanted`] names, in their order.
    pub fn take_served(&mut self, served: Vec<PoolServed>) {
        self.is_stale = false;
        let mut served = served.into_iter();
        let records = |entry: &super::Entry| {
            entry.pool.as_ref().filter(|_| entry.way.is_none())?;
            let served = served.next()?;
            Some(Arc::new(Records::new(&served.addresses, &served.tlsa, self.served_ttl())))
        };
        self.next = Some(self.entries.iter().map(records).collect());
    }

    /// The ways that are open, in their order; none: nothing is to be asked about them.
    pub fn ways_wanted(&self) -> Option<Vec<WayWanted>> {
        self.next.as_ref()?;
        let want = |(at, entry): (usize, &super::Entry)| {
            entry.way.as_ref().filter(|way| !way.has_ended)?;
            Some(WayWanted { way: entry.name.clone(), is_left: self.is_left(at) })
        };
        Some(self.entries.iter().enumerate().filter_map(want).collect())
    }

    /// Takes in what is served on the ways that [`PoolTable::ways_wanted`] names, in their order: now all of it is served.
    pub fn take_ways(&mut self, served: Vec<WayServed>) {
        let Some(mut next) = self.next.take() else { return };
        self.rebuild_ways(&mut next, served);
        // An equal value stays the same object, so that nothing looks changed.
        for (new, old) in next.iter_mut().zip(self.records.iter()) {
            if new == old {
                new.clone_from(old);
            }
        }
        if next != *self.records {
            self.looks_change();
            self.records = Arc::new(next);
        }
    }

    /// What is served on each way, where what its pools serve is known: `next`.
    fn rebuild_ways(&mut self, next: &mut Pools, served: Vec<WayServed>) {
        let mut served = served.into_iter();
        for at in 0..self.entries.len() {
            let Some(way) = self.entries.get(at).and_then(|entry| entry.way.as_ref()) else { continue };
            let (left, to, has_ended) = (way.left, way.to, way.has_ended);
            let served = if has_ended { None } else { served.next() }.unwrap_or(WayServed::Ended);
            let of = |index: PoolIndex| usize::try_from(index).ok().and_then(|at| next.get(at).cloned().flatten());
            let records = match &served {
                WayServed::Served(served) => {
                    Some(Arc::new(Records::new(&served.addresses, &served.tlsa, self.served_ttl())))
                }
                WayServed::AsBefore => of(left).or_else(|| of(to)),
                WayServed::Ended => of(to),
            };
            if let Some(place) = next.get_mut(at) {
                *place = records;
            }
            if matches!(served, WayServed::Ended) && !has_ended {
                self.end_way(at);
            }
        }
    }
}
