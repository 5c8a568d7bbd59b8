//! What is kept of moves beside the journals: where tenants were, who is on a way, and which ways have not ended.
//!
//! Each of these is there twice with a checksum, and tells of the others: the list of ways names what each one serves, so a
//! way whose own folder is lost is begun anew from there and nothing is taken away; `tenant-pools` names the way that a
//! tenant is on, so a lost list of endpoints loses nobody. What is lost all the same is told, and never taken for nothing.

use crate::cert::Spki;
use crate::control::certs::{Certs, PoolLife};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::roll::hosts::facts::{Fact, Inherited, Origin};
use crate::roll::hosts::way::inherited;
use crate::store::Store;
use crate::store::kept::{Found, Kept};
use crate::time::Now;
use crate::world::pools::{PoolServed, Route};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

/// Code of a file whose other copy is used.
const ONE_OF_TWO: &str = "MX5620";
/// Code of a file that is lost.
const LOST: &str = "MX5621";

/// A way in the list of all that have not ended, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    way: String,
    from: Vec<String>,
    to: String,
    /// What is served on it: were its journal lost, caches may hold this.
    addresses: Vec<IpAddr>,
    keys: Vec<Spki>,
}

impl Certs {
    /// Where tenants of a zone were when the last process ended; none: not known.
    pub fn read_homes(&mut self, store: &Store, apex: &Name) -> Option<String> {
        let mut file = store.tenant_pools(apex);
        let found = file.read();
        let path = file.path().to_owned();
        self.homes.insert(apex.clone(), file);
        match found {
            Found::Nothing => {
                self.homes_missing.extend(Some(apex.clone()).filter(|_| store.has_journal(apex)));
                None
            }
            Found::Whole { text, flaws } => {
                self.homes_flawed.extend(Some(apex.clone()).filter(|_| !flaws.is_empty()));
                self.tell_flaws(&path, flaws);
                Some(text)
            }
            Found::Lost(why) => {
                self.tell_lost_homes(&path, apex, &why);
                store.keep_beside(&path);
                None
            }
        }
    }

    /// After the first files of a start: zones with tenants that were served before, and of whom nothing is kept.
    pub fn tell_missing_homes(&mut self, store: &Store, has_tenants: impl Fn(&Name) -> bool) {
        for apex in std::mem::take(&mut self.homes_missing) {
            if has_tenants(&apex) {
                let path = store.tenant_pools(&apex).path().to_owned();
                self.tell_lost_homes(&path, &apex, "it and its copy are missing");
            }
        }
    }

    fn tell_lost_homes(&mut self, path: &Path, apex: &Name, why: &str) {
        let message =
            format!("nobody knows from which pools tenants of {apex} were served, and whose endpoints are: {why}");
        let help = "tenants on a way go on; others whose pool changed while no server ran are served as files say: for these, \
                    restore this file and its copy from a backup before the next start";
        self.tell(Diagnostic::error(LOST, Place::file(path.display().to_string()), message, help));
    }

    /// Who is on a way, by its list.
    pub(super) fn read_way_list(&mut self, store: &Store, way: &str) -> String {
        let mut file = store.way_list(way);
        let found = file.read();
        let path = file.path().to_owned();
        let why = match found {
            Found::Whole { text, flaws } => {
                if !flaws.is_empty() {
                    mend(store, &mut file, &text);
                }
                self.lists.insert(way.to_owned(), file);
                self.tell_flaws(&path, flaws);
                return text;
            }
            Found::Nothing => "it and its copy are missing".to_owned(),
            Found::Lost(why) => {
                store.keep_beside(&path);
                why
            }
        };
        mend(store, &mut file, "");
        self.lists.insert(way.to_owned(), file);
        let message = format!("who is on the way {way} between pools is known from `tenant-pools` only: {why}");
        let help = "nothing is to be done where that file is whole";
        self.tell(Diagnostic::error(LOST, Place::file(path.display().to_string()), message, help));
        String::new()
    }

    /// The ways that had not ended when the last process did.
    pub(super) fn read_ways(&mut self, store: &Store) -> BTreeMap<String, Listed> {
        let found = self.all_ways.get_or_insert_with(|| store.ways()).read();
        let path = store.ways().path().to_owned();
        let text = match found {
            Found::Nothing => return BTreeMap::new(),
            Found::Whole { text, flaws } => {
                self.tell_flaws(&path, flaws);
                text
            }
            Found::Lost(why) => {
                store.keep_beside(&path);
                let message =
                    format!("which ways between pools have not ended is known from their folders only: {why}");
                let help = "look whether `status` names a way that is lost; the list is written anew by itself";
                self.tell(Diagnostic::error(LOST, Place::file(path.display().to_string()), message, help));
                return BTreeMap::new();
            }
        };
        let listed = text.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok());
        listed.map(|listed| (listed.way.clone(), listed)).collect()
    }

    /// Makes durable which ways there are and what they serve, where that is news.
    ///
    /// # Errors
    /// Why it is not durable.
    pub(super) fn keep_ways(&mut self, store: &Store) -> Result<(), String> {
        let line = |(way, route): (&String, &Route)| {
            let served = self.lives.get(way).and_then(PoolLife::served).unwrap_or_default();
            let PoolServed { addresses, tlsa } = served;
            let keys = tlsa.into_iter().map(Spki).collect();
            let Route { from, to } = route.clone();
            // Names and numbers, for which serde_json cannot fail.
            serde_json::to_string(&Listed { way: way.clone(), from, to, addresses, keys }).unwrap_or_default() + "\n"
        };
        let text: String = self.ways.iter().map(line).collect();
        if self.ways_text == text {
            return Ok(());
        }
        let file = self.all_ways.get_or_insert_with(|| {
            let mut file = store.ways();
            file.read();
            file
        });
        store.write_kept(file, &text).map_err(|fault| fault.to_string())?;
        self.ways_text = text;
        Ok(())
    }

    /// A way whose journal is lost begins anew with what it served: caches may hold that, and all that its pools serve. So
    /// nothing goes before the waits are over once more.
    pub(super) fn begin_way_again(&mut self, store: &Store, listed: &Listed, why: &str, now: Now) -> Option<PoolLife> {
        let Listed { way, from, to, addresses, keys } = listed;
        for pool in from.iter().chain([to]) {
            if store.has_pool(pool) {
                self.open(store, pool, now);
            }
        }
        let place = Place::file(store.pool_folder(way).display().to_string());
        let margin = self.bounds.margin;
        let began = Fact::PoolBegan { from: Some(from.join(" ")), to: Some(to.clone()) };
        let journal = match store.create_pool_journal(way, began, now.signing) {
            Ok(journal) => journal,
            Err(fault) => {
                let message =
                    format!("what is known of the way {way} to pool {to} is lost ({why}), and cannot be begun anew");
                self.tell(Diagnostic::error(LOST, place, message, format!("{fault}: mend that, and start again")));
                return None;
            }
        };
        let mut life = PoolLife::with(journal, Vec::new(), now);
        life.count_clock(self.credited, now);
        life.limit(self.bounds, now);
        let lives = from.iter().filter_map(|pool| self.lives.get(pool));
        let mut facts: Vec<Fact> = lives.flat_map(|pool| inherited(pool.facts(), margin, now.signing)).collect();
        let known =
            |spki: &Spki| Fact::KeyKnown { spki: *spki, kind: None, origin: Origin::Given, file: String::new() };
        facts.extend(keys.iter().map(known));
        let (ttl, last) = (self.bounds.ttl, None);
        facts.push(Fact::Inherited {
            keys: vec![Inherited { what: keys.clone(), last, ttl, life: self.bounds.life }],
            addresses: vec![Inherited { what: addresses.clone(), last, ttl, life: self.bounds.life }],
        });
        // What was served last comes last: it goes on.
        facts.push(Fact::Tlsa { keys: keys.clone() });
        facts.push(Fact::Addresses { addresses: addresses.clone() });
        let is_known = |life: &PoolLife, fact: &Fact| matches!(fact, Fact::KeyKnown { spki, .. } if life.facts().key(*spki).is_some());
        for fact in facts {
            if !is_known(&life, &fact) && !life.record(fact, now) {
                tracing::error!(POOL = way, "what is known of it could not be recorded: {}", life.unrecorded());
            }
        }
        let message = format!("what was known of the way {way} to pool {to} is lost: {why}");
        let help = "what its tenants were served is served on, and each wait begins anew; nobody needs to act";
        self.tell(Diagnostic::error(LOST, place, message, help));
        Some(life)
    }

    pub(super) fn tell_flaws(&mut self, path: &Path, flaws: Vec<String>) {
        for flaw in flaws {
            let place = Place::file(path.display().to_string());
            let help = "nothing is lost, and both are written anew; look what damaged it";
            self.tell(Diagnostic::warning(ONE_OF_TWO, place, format!("one of two files was damaged: {flaw}"), help));
        }
    }

    pub(super) fn tell(&mut self, finding: Diagnostic) {
        tracing::error!("{}", finding.one_line());
        self.told.push(finding);
    }
}

/// Both files are written anew; what the disk refuses is written with the next tenant.
fn mend(store: &Store, file: &mut Kept, text: &str) {
    if let Err(fault) = store.write_kept(file, text) {
        tracing::warn!("{fault}");
    }
}

/// Names of ways in a folder and in the list.
pub(super) fn all_names(folders: Vec<String>, listed: &BTreeMap<String, Listed>) -> BTreeSet<String> {
    folders.into_iter().filter(|name| name.starts_with('.')).chain(listed.keys().cloned()).collect()
}
