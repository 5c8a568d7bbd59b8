//! The pools that tenants were served from, for the next start: a pool that changed while no server ran is a move, too.
//!
//! Pure. What is kept is what was published, so it is written after a publication, and no way between two pools ends before
//! that is done. Who was not served when the last process ended has no home.

use crate::control::pools::PoolTable;
use crate::dns::rrset::hash_name;
use crate::zone::endpoint::Tenant;
use crate::zone::table::Table;
use std::collections::{BTreeSet, HashMap};

/// Lines that may be added to what is kept before all of it is written anew, beside one for each tenant.
const LINES_FREE: usize = 1_000;

/// The homes of the tenants of one zone.
#[derive(Default)]
pub struct Homes {
    /// Homes when the last process ended, of tenants that are not served yet.
    before: Before,
    /// Labels of tenants whose home may be other than kept.
    changed: BTreeSet<Box<[u8]>>,
    /// Lines that are kept; none: all is to be written.
    lines: Option<usize>,
}

/// What an earlier process kept: the text, and where in it the last line of each label begins.
#[derive(Default)]
struct Before {
    text: String,
    lines: usize,
    at: HashMap<u64, usize, foldhash::fast::RandomState>,
}

/// What is to be kept: lines of a label and, unless it has none any more, its pool.
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
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            match line.trim_end().split_once(' ') {
                Some((label, _)) => drop(at.insert(hash_name(label.as_bytes()), start)),
                None => drop(at.remove(&hash_name(line.trim_end().as_bytes()))),
            }
            start += line.len();
            lines += 1;
        }
        Before { lines: if start == text.len() { lines } else { usize::MAX }, text, at }
    }

    fn line(&self, start: usize) -> Option<(&str, &str)> {
        self.text.get(start..)?.lines().next()?.split_once(' ')
    }
}

impl Homes {
    /// What an earlier process kept.
    pub fn read(text: String) -> Homes {
        Homes { before: Before::read(text), ..Homes::default() }
    }

    /// The pool that a tenant was served from when the last process ended, where it was not served since.
    pub fn before(&self, label: &[u8]) -> Option<&str> {
        let start = self.before.at.get(&hash_name(label))?;
        self.before.line(*start).filter(|(known, _)| known.as_bytes() == label).map(|(_, pool)| pool)
    }

    /// A tenant has another home than before, or none any more.
    pub fn note(&mut self, label: &[u8]) {
        self.before.at.remove(&hash_name(label));
        if self.lines.is_some() {
            self.changed.insert(label.into());
        }
    }

    /// Tenants that were not served since the last process will not come back.
    pub fn forget_before(&mut self) {
        if !self.before.at.is_empty() {
            *self = Homes::default();
        }
    }

    /// After the first tenants of a process: `at_home` of them are served from the pool that is kept for them, of `all` that
    /// are served from pools. Where these are all that is kept, nothing is to be written.
    pub fn met(&mut self, at_home: usize, all: usize) {
        self.renew();
        if at_home == self.before.at.len() {
            let before = std::mem::take(&mut self.before);
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
        let pool = |tenant: &Tenant| pools.name(tenant.pool()?);
        let room = 2 * table.len() + LINES_FREE;
        let mut text = String::new();
        if self.lines.is_some_and(|lines| lines + self.changed.len() <= room) {
            for label in &self.changed {
                push(&mut text, label, table.get(label).and_then(|tenant| pool(tenant)).unwrap_or_default());
            }
            return (!self.changed.is_empty()).then_some(Lines::More(text));
        }
        for tenant in table.iter() {
            pool(tenant).into_iter().for_each(|pool| push(&mut text, tenant.label(), pool));
        }
        let mut left = String::new();
        let lines = self.before.at.values().filter_map(|start| self.before.line(*start));
        for (label, pool) in lines.filter(|(label, _)| table.get(label.as_bytes()).is_none()) {
            push(&mut left, label.as_bytes(), pool);
        }
        text.push_str(&left);
        Some(Lines::All(text, left))
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

/// A line: a pool, or none any more.
fn push(text: &mut String, label: &[u8], pool: &str) {
    text.push_str(&String::from_utf8_lossy(label));
    if !pool.is_empty() {
        text.push(' ');
        text.push_str(pool);
    }
    text.push('\n');
}
