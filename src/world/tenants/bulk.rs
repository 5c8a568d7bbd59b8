//! The first tenants of a zone, all at once: what nobody contests is served without a look at each name.
//!
//! Pure. It decides nothing by itself: whatever shares its name or domain with another entry, lacks its pool or meets the
//! master file goes the way of every later batch, so all rules and their words are the same.

use crate::diagnostic::Diagnostic;
use crate::dns::name::{self, Name};
use crate::dns::rrset::hash_name;
use crate::metrics::progress::Progress;
use crate::world::pools::{Endpoint, Kept, PoolTable};
use crate::world::tenants::claims::{Batch, Claim};
use crate::world::tenants::homes::{Home, Homes};
use crate::world::tenants::limit;
use crate::world::tenants::limit::Surpluses;
use crate::world::tenants::{Done, Surroundings, TenantFile, Tenants, Waiting, keeps, read_each};
use crate::zone::content::Content;
use crate::zone::endpoint::{PoolIndex, Tenant};
use crate::zone::table::{Hashed, Table};
use crate::zone::tenant::{Broken, Definition, is_false_a_label};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Keyed hashes of names: by a quick hash of their own, keyed too.
pub(super) type Hashes = HashSet<u64, foldhash::fast::RandomState>;

/// How many files of tenants are read by a function of one: in whatever order, and what it gives in the order of the files.
/// How many at once is for whoever runs the world to say.
pub type ReadAll = fn(Vec<Job>, &(dyn Fn(Job) -> Fresh + Sync)) -> Vec<Fresh>;

/// One after another.
pub fn one_by_one(files: Vec<Job>, read: &(dyn Fn(Job) -> Fresh + Sync)) -> Vec<Fresh> {
    files.into_iter().map(read).collect()
}

/// A file of a zone that has no tenants yet.
pub struct Job {
    /// Its path below `zones/`.
    pub relative: String,
    /// How it is shown.
    pub path: Arc<str>,
    /// Its number.
    pub id: u32,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// Such a file, read.
pub struct Fresh {
    path: Arc<str>,
    id: u32,
    /// Its tenants, for the file and for the table.
    served: Vec<Arc<Tenant>>,
    entries: Vec<Hashed<Tenant>>,
    /// How many of these refer to which pool.
    uses: BTreeMap<PoolIndex, i64>,
    /// The same of addresses of their own that these have their pool's TLSA for.
    apart: BTreeMap<(PoolIndex, IpAddr), i64>,
    /// How many are served from the pool that is kept for them.
    at_home: usize,
    /// Domains and labels of those whose endpoint is named.
    explicit: Vec<(Box<str>, Box<[u8]>)>,
    /// Entries that need a decision.
    rest: Vec<Definition>,
    broken: Vec<Broken>,
    warnings: Vec<Diagnostic>,
    fault: Option<Box<Diagnostic>>,
}

/// Keyed hashes of the labels that a master file uses just below the apex.
pub(crate) fn static_labels(apex: &[u8], content: Option<&Content>) -> Hashes {
    let labels = name::label_count(apex) + 1;
    let below = content.into_iter().flat_map(Content::nodes).filter(|(name, _)| name::label_count(name) == labels);
    below.filter_map(|(name, _)| name::labels(name).next()).map(hash_name).collect()
}

/// What decides whether an entry may be served at once.
pub(crate) struct Known<'a> {
    /// The zone's apex.
    pub(crate) apex: &'a Name,
    /// Labels that the master file uses.
    pub(crate) is_static: Hashes,
    /// The pools.
    pub(crate) pools: &'a PoolTable,
    /// Where tenants were served from by an earlier process.
    pub(crate) homes: &'a Homes,
}

/// Reads a file.
pub(crate) fn read(job: Job, known: &Known<'_>, progress: &Progress) -> Fresh {
    let Job { relative, path, id, octets } = job;
    let mut fresh = Fresh::new(path, id);
    let shown = Arc::clone(&fresh.path);
    let parsed = read_each(&relative, &shown, &octets, &mut |definition| fresh.add(definition, known));
    progress.taken(octets.len(), fresh.served.len());
    match parsed {
        Ok(parsed) => (fresh.broken, fresh.warnings) = (parsed.broken, parsed.warnings),
        Err(fault) => fresh = Fresh { fault: Some(fault), ..Fresh::new(shown, id) },
    }
    fresh.served.shrink_to_fit();
    fresh
}

impl Known<'_> {
    /// The pool of an entry, or the way to it; none: it is not there, or the entry comes from another one.
    fn pool(&self, definition: &Definition, pool: &str, home: Option<&Home<'_>>) -> Option<PoolIndex> {
        let endpoint = Endpoint { label: &definition.endpoint, apex: self.apex };
        let home = home.and_then(|home| Some(Kept { pool: home.pool.flatten()?, way: home.way }));
        let is_at_home = || home.is_none_or(|home| home.pool == pool);
        let index = self.pools.index_for(endpoint, pool, home)?;
        (self.pools.is_on_way(endpoint, pool, home).unwrap_or_else(is_at_home)).then_some(index)
    }

    /// Whether what is kept of a tenant is just what is to be kept.
    fn is_at_home(&self, definition: &Definition, pool: Option<PoolIndex>, home: &Home<'_>) -> bool {
        home.domain == Some(&definition.domain)
            && home.pool == Some(definition.pool.as_deref())
            && home.way == pool.and_then(|pool| self.pools.way_name(pool))
    }
}

impl Fresh {
    fn new(path: Arc<str>, id: u32) -> Fresh {
        Fresh {
            path,
            id,
            served: Vec::new(),
            entries: Vec::new(),
            uses: BTreeMap::new(),
            apart: BTreeMap::new(),
            at_home: 0,
            explicit: Vec::new(),
            rest: Vec::new(),
            broken: Vec::new(),
            warnings: Vec::new(),
            fault: None,
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Number of its tenants that may be served at once.
    pub fn len(&self) -> usize {
        self.served.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    fn add(&mut self, mut definition: Definition, known: &Known<'_>) {
        if let Some(old) = keeps(&definition, |label| known.homes.was_at(label.as_bytes(), &definition.domain)) {
            definition.endpoint = old;
        }
        let home = known.homes.before(definition.endpoint.as_bytes());
        let pool = definition.pool.as_deref().map(|pool| known.pool(&definition, pool, home.as_ref()));
        let hash = hash_name(definition.endpoint.as_bytes());
        let is_others = home.and_then(|home| home.domain).is_some_and(|owner| owner != definition.domain);
        let is_refused = definition.explicit_endpoint && home.is_none() && is_false_a_label(&definition.endpoint);
        let is_others = is_others || known.homes.is_gone(definition.endpoint.as_bytes());
        if pool == Some(None) || is_others || is_refused || known.is_static.contains(&hash) {
            self.rest.push(definition);
            return;
        }
        self.at_home += usize::from(home.is_some_and(|home| known.is_at_home(&definition, pool.flatten(), &home)));
        let value = Arc::new(Tenant::new(&definition, pool.flatten(), self.id, known.pools.ttl));
        for address in value.addresses_with_tlsa_of_pool() {
            value.pool().into_iter().for_each(|pool| *self.apart.entry((pool, address)).or_default() += 1);
        }
        self.served.push(Arc::clone(&value));
        self.entries.push(Hashed { hash, value });
        pool.flatten().into_iter().for_each(|pool| *self.uses.entry(pool).or_default() += 1);
        if definition.explicit_endpoint {
            self.explicit.push((definition.domain.into(), definition.endpoint.into_bytes().into()));
        }
    }
}

/// Keyed hashes of labels that need a decision although only one entry here claims them: an entry that cannot be served at
/// once wants them too, or the domain of that entry is claimed under another label as well.
fn contested(files: &[Fresh]) -> Hashes {
    let rest = || files.iter().flat_map(|file| &file.rest);
    let mut labels: Hashes = rest().map(|definition| hash_name(definition.endpoint.as_bytes())).collect();
    // Two entries of one domain have one label too, unless an endpoint is named: only those domains are counted.
    let of_rest = rest().filter(|d| d.explicit_endpoint).map(|d| d.domain.as_str());
    let explicit = files.iter().flat_map(|file| &file.explicit).map(|(domain, _)| &**domain).chain(of_rest);
    let hash = |domain: &str| hash_name(domain.as_bytes());
    let mut counts: HashMap<u64, u32, foldhash::fast::RandomState> = explicit.map(|d| (hash(d), 0)).collect();
    if counts.is_empty() {
        return labels;
    }
    let served = || files.iter().flat_map(|file| &file.entries);
    let domains = served().map(|entry| hash(&entry.value.domain())).chain(rest().map(|d| hash(&d.domain)));
    domains.for_each(|domain| counts.get_mut(&domain).into_iter().for_each(|count| *count += 1));
    let twice = |entry: &&Hashed<Tenant>| counts.get(&hash(&entry.value.domain())).is_some_and(|count| *count > 1);
    labels.extend(served().filter(twice).map(|entry| entry.hash));
    labels
}

/// Drops what there is no room for: by the order of paths, then of lines.
fn cut_surplus(files: &mut [Fresh], tenants_max: usize) -> Surpluses {
    let mut all = Surpluses::new();
    if files.iter().map(|file| file.served.len()).sum::<usize>() <= tenants_max {
        return all;
    }
    let mut room = tenants_max;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files {
        for tenant in file.served.drain(room.min(file.served.len())..) {
            limit::add(&mut all, &file.path, tenant.line(), || tenant.domain());
            tenant.pool().into_iter().for_each(|pool| *file.uses.entry(pool).or_default() -= 1);
            for address in tenant.addresses_with_tlsa_of_pool() {
                tenant.pool().into_iter().for_each(|pool| *file.apart.entry((pool, address)).or_default() -= 1);
            }
        }
        file.served.shrink_to_fit();
        file.entries.truncate(file.served.len());
        room -= file.served.len();
    }
    all
}

impl Tenants {
    /// Whether nothing was ever read here, or all of it is gone again.
    pub(crate) fn is_untouched(&self) -> bool {
        self.files.is_empty() && self.table.is_empty() && self.waits.is_empty()
    }

    /// Takes in the first files: the same as [`Tenants::apply`] of their content, as long as there is room for all of it.
    /// Past the limit the paths that sort first are served, before it is looked at which of them contest a name.
    pub(crate) fn fill(&mut self, mut files: Vec<Fresh>, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let surplus = cut_surplus(&mut files, around.tenants_max);
        let (contested, is_cut) = (contested(&files), !surplus.is_empty());
        let (mut entries, mut claims, mut explicit) = (Vec::new(), Vec::new(), Vec::new());
        let mut out: Vec<Arc<Tenant>> = Vec::new();
        entries.reserve_exact(files.iter().map(|file| file.entries.len()).sum());
        let mut at_home = 0;
        for mut file in files {
            at_home += file.at_home;
            if contested.is_empty() {
                entries.append(&mut file.entries);
            }
            for entry in file.entries.drain(..) {
                if contested.contains(&entry.hash) { out.push(entry.value) } else { entries.push(entry) }
            }
            file.uses.iter().for_each(|(pool, count)| pools.count(Some(*pool), *count));
            let apart = file.apart.iter().filter(|(_, count)| **count > 0);
            apart.for_each(|((pool, address), count)| pools.count_apart(Some(*pool), *address, *count));
            explicit.append(&mut file.explicit);
            claims.extend(self.take_in_fresh(file));
        }
        self.refuse_surplus(surplus, around);
        let (table, doubles) = Table::filled(entries);
        out.extend(doubles);
        self.table = table;
        let mut done = Done { added: u64::try_from(self.table.len()).unwrap_or(u64::MAX), ..Done::default() };
        claims.extend(self.undo(&out, pools));
        match claims.is_empty() && !is_cut {
            true => self.homes.met(at_home, self.table.len()),
            false => self.homes.renew(),
        }
        let is_in = |domain: &str, label: &[u8]| self.table.get(label).is_some_and(|tenant| tenant.is_of(domain));
        self.explicit.extend(explicit.into_iter().filter(|(domain, label)| is_in(domain, label)));
        if !claims.is_empty() {
            done.add(&self.settle(Batch { claims, ..Batch::default() }, around, pools));
        }
        done
    }

    /// A file's tenants and what is odd about it; the entries that need a decision.
    fn take_in_fresh(&mut self, fresh: Fresh) -> impl Iterator<Item = Claim> + use<> {
        let Fresh { path, id, served, rest, broken, warnings, fault, .. } = fresh;
        match fault {
            Some(fault) => self.spoil(Arc::clone(&path), id, *fault),
            None => drop(self.files.insert(Arc::clone(&path), TenantFile { id, served, odd: None })),
        }
        self.warn(&path, warnings);
        for Broken { name, diagnostics } in broken {
            self.wait(&path, Waiting::new(name, None, diagnostics));
        }
        rest.into_iter().map(move |definition| Claim { path: Arc::clone(&path), file: id, definition })
    }

    /// Tenants that are contested become claims again.
    fn undo(&mut self, out: &[Arc<Tenant>], pools: &mut PoolTable) -> Vec<Claim> {
        if out.is_empty() {
            return Vec::new();
        }
        let labels: Hashes = out.iter().map(|tenant| hash_name(tenant.label())).collect();
        let numbers: BTreeSet<u32> = out.iter().map(|tenant| tenant.file()).collect();
        let mut paths: BTreeMap<u32, Arc<str>> = BTreeMap::new();
        for (path, file) in self.files.iter_mut().filter(|(_, file)| numbers.contains(&file.id)) {
            file.served.retain(|tenant| !labels.contains(&hash_name(tenant.label())));
            paths.insert(file.id, Arc::clone(path));
        }
        let claim = |tenant: &Arc<Tenant>| {
            pools.count_tenant(tenant, -1);
            let definition = tenant.definition(tenant.pool().and_then(|pool| pools.name(pool)));
            Some(Claim { path: Arc::clone(paths.get(&tenant.file())?), file: tenant.file(), definition })
        };
        out.iter().filter_map(claim).collect()
    }
}
