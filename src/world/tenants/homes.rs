//! Who owned an endpoint and from where it was served: for the next start, and for tenants that come back.
//!
//! Pure. What is kept is what was published, so it is written after a publication, and no way between two pools ends before
//! that is done. A name keeps its home as long as caches may hold its records, whoever is served there next; senders know
//! the name only.

mod line;

use crate::dns::name::Name;
use crate::dns::rrset::hash_name;
use crate::time::{Seconds, UnixTime};
use crate::world::pools::{Endpoint, Kept, PoolTable};
use crate::zone::endpoint::{PoolIndex, Tenant};
use crate::zone::table::Table;
pub use line::Home;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Lines that may be added to what is kept before all of it is written anew, beside one for each tenant.
const LINES_FREE: usize = 1_000;

/// The homes of the tenants of one zone.
#[derive(Default)]
pub struct Homes {
    /// Homes when the last process ended, of tenants that are not served yet.
    before: Before,
    /// Tenants that went and whose records caches may hold, by label.
    gone: BTreeMap<Box<[u8]>, Gone>,
    /// When these went, in that order.
    order: VecDeque<(UnixTime, Box<[u8]>)>,
    /// How long caches may hold what is served in this zone.
    pub wait: Seconds,
    /// Labels of tenants whose home may be other than kept.
    changed: BTreeSet<Box<[u8]>>,
    /// Lines that are kept; none: all is to be written.
    lines: Option<usize>,
    /// Whether the first files of a process are still being taken in: who owned a name when the last one ended has it.
    pub is_start: bool,
}

/// A tenant that went.
struct Gone {
    domain: Box<str>,
    pool: Option<PoolIndex>,
    at: UnixTime,
}

/// What an earlier process kept: the text, and where in it the last line of each label begins.
#[derive(Default)]
struct Before {
    text: String,
    lines: usize,
    at: HashMap<u64, usize, foldhash::fast::RandomState>,
    /// Where lines about tenants begin that were gone already.
    gone: Vec<usize>,
}

/// What is to be kept, one line a tenant.
#[derive(Debug, PartialEq, Eq)]
pub enum Lines {
    /// In place of what was kept; and those of tenants that are not served yet, again.
    All(String, String),
    /// Behind what was kept.
    More(String),
}

impl Lines {
    /// Their text.
    pub fn text(&self) -> &str {
        let (Lines::All(text, _) | Lines::More(text)) = self;
        text
    }
}

impl Before {
    /// A last line without an end was being written when the machine stopped; it does not count.
    fn read(text: String) -> Before {
        let room = text.bytes().filter(|octet| *octet == b'\n').count();
        let (mut at, mut start, mut lines) = (HashMap::with_capacity_and_hasher(room, Default::default()), 0, 0);
        let (mut gone, mut label) = (Vec::new(), Vec::new());
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if let Some(home) = Home::read(line) {
                home.write_label(&mut label);
                match home.pool.is_some() {
                    true => drop(at.insert(hash_name(&label), start)),
                    false => drop(at.remove(&hash_name(&label))),
                }
                gone.extend(home.gone.map(|_| start));
            }
            start += line.len();
            lines += 1;
        }
        Before { lines: if start == text.len() { lines } else { usize::MAX }, text, at, gone }
    }

    fn line(&self, start: usize) -> Option<&str> {
        self.text.get(start..)?.lines().next()
    }

    fn home(&self, label: &[u8]) -> Option<Home<'_>> {
        let home = Home::read(self.line(*self.at.get(&hash_name(label))?)?)?;
        home.is_at(label).then_some(home)
    }
}

impl Homes {
    /// What an earlier process kept.
    pub fn read(text: String) -> Homes {
        let before = Before::read(text);
        Homes { is_start: !before.at.is_empty(), before, ..Homes::default() }
    }

    /// Tenants that were gone already when the last process ended are remembered as those that go now.
    pub fn take_gone(&mut self, apex: &Name, pools: &mut PoolTable) {
        for start in std::mem::take(&mut self.before.gone) {
            let Some(home) = self.before.line(start).and_then(Home::read) else { continue };
            let mut label = Vec::new();
            home.write_label(&mut label);
            let (Some(at), true) = (home.gone, self.before.at.get(&hash_name(&label)) == Some(&start)) else {
                continue;
            };
            let text = String::from_utf8_lossy(&label);
            let endpoint = Endpoint { label: &text, apex };
            let pool = home.pool.flatten().and_then(|pool| pools.home(endpoint, Some(Kept { pool, way: home.way })));
            let domain = home.domain.unwrap_or_default().into();
            self.before.at.remove(&hash_name(&label));
            self.remember(label.into(), Gone { domain, pool, at }, pools);
        }
        self.order.make_contiguous().sort();
    }

    /// What was known of a name when the last process ended, where nobody is served there since.
    pub fn before(&self, label: &[u8]) -> Option<Home<'_>> {
        self.before.home(label)
    }

    /// The domain that a name belonged to when the last process ended, where nobody is served there since.
    pub fn owner(&self, label: &[u8]) -> Option<&str> {
        self.before(label).and_then(|home| home.domain)
    }

    /// A start is over: who was not met is not there any more, and whoever waits for a name may have it.
    pub fn end_start(&mut self) -> bool {
        std::mem::take(&mut self.is_start)
    }

    /// Whether a domain was served under a name: when the last process ended, or lately.
    pub fn was_at(&self, label: &[u8], domain: &str) -> bool {
        let gone = self.gone.get(label).is_some_and(|gone| *gone.domain == *domain);
        // A line of before there were domains in them may speak of anyone whose default this is.
        gone || self.before(label).is_some_and(|home| home.domain.is_none_or(|known| known == domain))
    }

    /// Whether caches may know a name that nobody is served under now, since lately.
    pub fn is_gone(&self, label: &[u8]) -> bool {
        self.gone.contains_key(label)
    }

    /// Where caches may know a name that nobody is served under now.
    pub fn of(&self, endpoint: Endpoint<'_>, pools: &mut PoolTable, now: UnixTime) -> Option<PoolIndex> {
        let label = endpoint.label.as_bytes();
        if let Some(gone) = self.gone.get(label).filter(|gone| now <= gone.at.after(self.wait)) {
            return gone.pool;
        }
        let kept = self.before(label);
        let kept = kept.and_then(|home| Some(Kept { pool: home.pool.flatten()?, way: home.way }));
        pools.home(endpoint, kept)
    }

    /// A tenant is served.
    pub fn came(&mut self, label: &[u8], pools: &mut PoolTable) {
        if let Some(gone) = self.gone.remove(label) {
            pools.remember(gone.pool, -1);
        }
        self.note(label);
    }

    /// A tenant is served no more.
    pub fn went(&mut self, tenant: &Tenant, pools: &mut PoolTable, now: UnixTime) {
        let gone = Gone { domain: tenant.domain().into(), pool: tenant.pool(), at: now };
        self.remember(tenant.label().into(), gone, pools);
        self.note(tenant.label());
    }

    fn remember(&mut self, label: Box<[u8]>, gone: Gone, pools: &mut PoolTable) {
        pools.remember(gone.pool, 1);
        self.order.push_back((gone.at, label.clone()));
        if let Some(before) = self.gone.insert(label, gone) {
            pools.remember(before.pool, -1);
        }
    }

    /// Forgets tenants of whom caches hold nothing any more.
    pub fn forget_gone(&mut self, pools: &mut PoolTable, now: UnixTime) {
        while let Some((at, label)) = self.order.pop_front_if(|(at, _)| at.after(self.wait) < now) {
            if self.gone.get(&label).is_some_and(|gone| gone.at == at) {
                let gone = self.gone.remove(&label);
                pools.remember(gone.and_then(|gone| gone.pool), -1);
                self.note(&label);
            }
        }
    }

    /// Whether somebody was served when the last process ended who was not met yet.
    pub fn are_awaited(&self) -> bool {
        !self.before.at.is_empty()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.before.at.is_empty()
    }

    fn note(&mut self, label: &[u8]) {
        self.before.at.remove(&hash_name(label));
        if self.lines.is_some() {
            self.changed.insert(label.into());
        }
    }

    /// Tenants that were not served since the last process will not come back.
    pub fn forget_before(&mut self) {
        if !self.before.at.is_empty() {
            self.before = Before::default();
            self.renew();
        }
    }

    /// After the first tenants of a process: `at_home` of them are where what is kept says, of `all`. Where these are all that
    /// is kept, nothing is to be written.
    pub fn met(&mut self, at_home: usize, all: usize) {
        self.renew();
        if at_home == self.before.at.len() {
            let before = std::mem::take(&mut self.before);
            self.is_start = false;
            let room = 2 * all + LINES_FREE;
            self.lines = Some(before.lines).filter(|lines| all == at_home && *lines <= room);
        }
    }

    /// All is to be written: what is kept is not known, or of no use.
    pub fn renew(&mut self) {
        self.lines = None;
        self.changed.clear();
    }

    /// What is to be kept now; none: it is.
    pub fn to_keep(&self, table: &Table<Tenant>, pools: &PoolTable) -> Option<Lines> {
        let room = 2 * table.len() + LINES_FREE;
        let mut text = String::new();
        if self.lines.is_some_and(|lines| lines + self.changed.len() <= room) {
            for label in &self.changed {
                match (table.get(label), self.gone.get(label)) {
                    (Some(tenant), _) => push_tenant(&mut text, tenant, pools),
                    (None, Some(gone)) => push_gone(&mut text, label, gone, pools),
                    (None, None) => line::push_nothing(&mut text, label),
                }
            }
            return (!self.changed.is_empty()).then_some(Lines::More(text));
        }
        Some(self.all(table, pools))
    }

    /// All that is to be kept.
    pub fn all(&self, table: &Table<Tenant>, pools: &PoolTable) -> Lines {
        let mut text = String::new();
        for tenant in table.iter() {
            push_tenant(&mut text, tenant, pools);
        }
        let mut left = String::new();
        let mut label = Vec::new();
        for line in self.before.at.values().filter_map(|start| self.before.line(*start)) {
            let Some(home) = Home::read(line) else { continue };
            home.write_label(&mut label);
            if table.get(&label).is_none() && !self.gone.contains_key(label.as_slice()) {
                left.push_str(line);
                left.push('\n');
            }
        }
        text.push_str(&left);
        for (label, gone) in &self.gone {
            push_gone(&mut text, label, gone, pools);
        }
        Lines::All(text, left)
    }

    /// These lines are kept.
    pub fn kept(&mut self, lines: Lines) {
        let count = lines.text().lines().count();
        self.changed.clear();
        match lines {
            Lines::More(_) => self.lines = self.lines.map(|before| before + count),
            Lines::All(_, left) => (self.before, self.lines) = (Before::read(left), Some(count)),
        }
    }
}

fn push_tenant(text: &mut String, tenant: &Tenant, pools: &PoolTable) {
    let (domain, pool) = (tenant.domain(), tenant.pool());
    let way = pool.and_then(|pool| pools.way_name(pool));
    let pool = Some(pool.and_then(|pool| pools.name(pool)));
    line::push(text, tenant.label(), &Home { word: "", domain: Some(&domain), pool, way, gone: None });
}

fn push_gone(text: &mut String, label: &[u8], gone: &Gone, pools: &PoolTable) {
    let way = gone.pool.and_then(|pool| pools.way_name(pool));
    let pool = Some(gone.pool.and_then(|pool| pools.name(pool)));
    line::push(text, label, &Home { word: "", domain: Some(&gone.domain), pool, way, gone: Some(gone.at) });
}
