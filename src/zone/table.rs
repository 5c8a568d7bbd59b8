//! A table by name that is cheap to copy with one change: the next snapshot shares all but one path with this one.
//!
//! A trie over the bits of the name's keyed hash. It is read without locks, and a change copies at most three small
//! nodes, at ten tenants as at a million.

use crate::dns::rrset::hash_name;
use std::sync::Arc;

/// Children of a branch: eight bits of the hash.
const FAN: usize = 256;
/// Entries of a leaf before it becomes a branch. A branch takes 4 KiB, so it must replace many entries: with 64 a table
/// of a million has 65,536 leaves of some 15 entries, whose hashes are compared in a few cache lines.
const LEAF_MAX: usize = 64;
/// Levels that consume all 64 bits of the hash; below them a leaf just grows, which takes equal 64-bit hashes.
const LEVELS: u32 = 8;

/// What a table holds.
pub trait Keyed {
    /// Its name, lower case.
    fn key(&self) -> &[u8];
}

/// A persistent table of shared values by name.
pub struct Table<V> {
    root: Node<V>,
    length: usize,
}

/// Each is one block of memory, so that a look-up goes to memory once for each level.
enum Node<V> {
    Leaf(Arc<[Entry<V>]>),
    Branch(Arc<[Node<V>; FAN]>),
}

/// The hash of a name and its value, which is there but for the moment in which it moves from one leaf to another.
type Entry<V> = (u64, Option<Arc<V>>);

/// A value with the hash of its name, which is cheapest to take where the name has just been made.
pub struct Hashed<V> {
    /// [`hash_name`] of its name.
    pub hash: u64,
    /// The value.
    pub value: Arc<V>,
}

impl<V: Keyed> Hashed<V> {
    /// Takes the hash.
    pub fn new(value: Arc<V>) -> Hashed<V> {
        Hashed { hash: hash_name(value.key()), value }
    }
}

/// Where an entry would be: found without having read its leaf.
pub struct Bucket<'t, V> {
    hash: u64,
    entries: &'t [Entry<V>],
}

impl<'t, V> Bucket<'t, V> {
    /// Reads the leaf into a cache: one entry of each line.
    pub fn touch(&self) -> u64 {
        self.entries.iter().step_by(4).chain(self.entries.last()).fold(0, |sum, entry| sum ^ entry.0)
    }

    /// The first entry with the same hash, which is nearly always the one.
    pub fn guess(&self) -> Option<&'t V> {
        self.entries.iter().find(|entry| entry.0 == self.hash).and_then(value).map(|value| &**value)
    }
}

impl<V> Clone for Node<V> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(entries) => Node::Leaf(Arc::clone(entries)),
            Node::Branch(children) => Node::Branch(Arc::clone(children)),
        }
    }
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Table { root: self.root.clone(), length: self.length }
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Table { root: Node::Leaf(Arc::new([])), length: 0 }
    }
}

impl<V: Keyed> Table<V> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The entry of that name.
    pub fn get(&self, key: &[u8]) -> Option<&Arc<V>> {
        let Bucket { hash, entries } = self.place(key);
        value(entries.get(position(entries, hash, key)?)?)
    }

    /// Where the entry of that name would be.
    pub fn place(&self, key: &[u8]) -> Bucket<'_, V> {
        let hash = hash_name(key);
        let mut node = &self.root;
        let mut level = 0;
        loop {
            match node {
                Node::Branch(children) => match children.get(slot(hash, level)) {
                    Some(child) => node = child,
                    None => return Bucket { hash, entries: &[] },
                },
                Node::Leaf(entries) => return Bucket { hash, entries },
            }
            level += 1;
        }
    }

    /// Puts an entry in; returns the one of the same name that it replaces.
    pub fn insert(&mut self, value: Arc<V>) -> Option<Arc<V>> {
        let old = insert(&mut self.root, hash_name(value.key()), value, 0);
        self.length += usize::from(old.is_none());
        old
    }

    /// A table of all these at once: the same as if each had been put in. Where several have one hash, which nearly always
    /// means one name, none of them is put in; these come back.
    pub fn filled(mut entries: Vec<Hashed<V>>) -> (Table<V>, Vec<Arc<V>>) {
        // The first level goes by the lowest octet.
        entries.sort_unstable_by_key(|entry| entry.hash.swap_bytes());
        let mut doubles = Vec::new();
        let mut kept: Vec<Entry<V>> = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter().peekable();
        while let Some(Hashed { hash, value }) = entries.next() {
            if entries.peek().is_none_or(|next| next.hash != hash) {
                kept.push((hash, Some(value)));
                continue;
            }
            doubles.push(value);
            doubles.extend(std::iter::from_fn(|| entries.next_if(|next| next.hash == hash)).map(|next| next.value));
        }
        let length = kept.len();
        let empty: Arc<[Entry<V>]> = Arc::new([]);
        let table = Table { root: filled(&mut kept, 0, &empty), length };
        (table, doubles)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &[u8]) -> Option<Arc<V>> {
        let old = remove(&mut self.root, hash_name(key), key, 0);
        self.length -= usize::from(old.is_some());
        old
    }

    /// All entries, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        let mut stack = vec![&self.root];
        let mut leaf = [].iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(entry) = leaf.next() {
                    return value(entry);
                }
                match stack.pop()? {
                    Node::Leaf(entries) => leaf = entries.iter(),
                    Node::Branch(children) => stack.extend(children.iter()),
                }
            }
        })
    }
}

fn slot(hash: u64, level: u32) -> usize {
    usize::from(hash.to_le_bytes().get(level as usize).copied().unwrap_or(0))
}

fn value<V>(entry: &Entry<V>) -> Option<&Arc<V>> {
    entry.1.as_ref()
}

fn position<V: Keyed>(entries: &[Entry<V>], hash: u64, key: &[u8]) -> Option<usize> {
    entries.iter().position(|entry| entry.0 == hash && value(entry).is_some_and(|v| v.key() == key))
}

fn insert<V: Keyed>(node: &mut Node<V>, hash: u64, value: Arc<V>, level: u32) -> Option<Arc<V>> {
    match node {
        Node::Branch(children) => {
            let child = Arc::make_mut(children).get_mut(slot(hash, level))?;
            insert(child, hash, value, level + 1)
        }
        Node::Leaf(entries) => {
            if let Some(at) = position(entries, hash, value.key()) {
                return Arc::make_mut(entries).get_mut(at)?.1.replace(value);
            }
            let full = entries.len() >= LEAF_MAX && level < LEVELS;
            let (count, entries) = (entries.len(), take(entries));
            *node = if full {
                split(entries.chain(std::iter::once((hash, Some(value)))), level)
            } else {
                leaf(count + 1, entries.chain(std::iter::once((hash, Some(value)))))
            };
            None
        }
    }
}

/// A node of these entries, which are in the order of their hashes, octet by octet; takes them all.
fn filled<V>(entries: &mut [Entry<V>], level: u32, empty: &Arc<[Entry<V>]>) -> Node<V> {
    if entries.is_empty() {
        return Node::Leaf(Arc::clone(empty));
    }
    if entries.len() <= LEAF_MAX || level >= LEVELS {
        return leaf(entries.len(), entries.iter_mut().map(|entry| (entry.0, entry.1.take())));
    }
    let mut rest = entries;
    Node::Branch(Arc::new(std::array::from_fn(|child| {
        let count = rest.partition_point(|entry| slot(entry.0, level) <= child);
        let (own, others) = std::mem::take(&mut rest).split_at_mut(count);
        rest = others;
        filled(own, level + 1, empty)
    })))
}

/// The entries of a leaf: moved out of it where nobody shares it, else copied.
fn take<V>(entries: &mut Arc<[Entry<V>]>) -> impl Iterator<Item = Entry<V>> {
    let mut at = 0;
    let mut entries = std::mem::replace(entries, Arc::new([]));
    std::iter::from_fn(move || {
        let (hash, value) = match Arc::get_mut(&mut entries) {
            Some(own) => own.get_mut(at).map(|entry| (entry.0, entry.1.take()))?,
            None => entries.get(at).cloned()?,
        };
        at += 1;
        Some((hash, value))
    })
}

fn leaf<V>(count: usize, entries: impl Iterator<Item = Entry<V>>) -> Node<V> {
    let mut all = Vec::with_capacity(count);
    all.extend(entries);
    Node::Leaf(all.into())
}

fn split<V>(entries: impl Iterator<Item = Entry<V>>, level: u32) -> Node<V> {
    let mut leaves: [Vec<Entry<V>>; FAN] = std::array::from_fn(|_| Vec::new());
    for entry in entries {
        if let Some(leaf) = leaves.get_mut(slot(entry.0, level)) {
            leaf.push(entry);
        }
    }
    let empty: Arc<[Entry<V>]> = Arc::new([]);
    let node = |entries: Vec<_>| Node::Leaf(if entries.is_empty() { Arc::clone(&empty) } else { entries.into() });
    Node::Branch(Arc::new(leaves.map(node)))
}

fn remove<V: Keyed>(node: &mut Node<V>, hash: u64, key: &[u8], level: u32) -> Option<Arc<V>> {
    match node {
        Node::Branch(children) => remove(Arc::make_mut(children).get_mut(slot(hash, level))?, hash, key, level + 1),
        Node::Leaf(entries) => {
            let at = position(entries, hash, key)?;
            let mut removed = None;
            let (count, entries) = (entries.len(), take(entries));
            let others = entries.enumerate().filter_map(|(index, entry)| {
                if index != at {
                    return Some(entry);
                }
                removed = entry.1;
                None
            });
            *node = leaf(count - 1, others);
            removed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::hash::{BuildHasher, Hasher};

    struct Entry(Vec<u8>, u32);

    impl Keyed for Entry {
        fn key(&self) -> &[u8] {
            &self.0
        }
    }

    fn key(i: u32) -> Vec<u8> {
        format!("t{i}-com").into_bytes()
    }

    #[test]
    fn a_table_is_a_map_whatever_is_done_to_it() {
        let mut table = Table::default();
        let mut model = BTreeMap::new();
        let mut state = 7u32;
        for round in 0..120_000u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let i = (state >> 8) % 30_000;
            if state.is_multiple_of(3) {
                assert_eq!(table.remove(&key(i)).map(|e: Arc<Entry>| e.1), model.remove(&key(i)));
            } else {
                let old = table.insert(Arc::new(Entry(key(i), round))).map(|e| e.1);
                assert_eq!(old, model.insert(key(i), round));
            }
            assert_eq!(table.len(), model.len());
        }
        for i in 0..30_000 {
            assert_eq!(table.get(&key(i)).map(|e| e.1), model.get(&key(i)).copied());
        }
        let listed: BTreeMap<_, _> = table.iter().map(|e| (e.0.clone(), e.1)).collect();
        assert_eq!(listed, model);
    }

    #[test]
    fn a_guess_before_the_look_up_is_the_entry_itself() {
        let mut table = Table::default();
        assert!(table.place(&key(1)).guess().is_none());
        for i in 0..1000 {
            table.insert(Arc::new(Entry(key(i), i)));
        }
        for i in 0..1000 {
            assert_eq!(table.place(&key(i)).guess().map(|e| e.1), Some(i));
        }
        assert!(table.place(&key(1000)).guess().is_none());
    }

    #[test]
    fn a_table_that_is_filled_at_once_is_the_one_that_grew() {
        for count in [0, 1, LEAF_MAX, LEAF_MAX + 1, 20_000] {
            let entry = |i| Arc::new(Entry(key(u32::try_from(i).expect("few")), 7));
            let (filled, doubles) = Table::filled((0..count).map(|i| Hashed::new(entry(i))).collect());
            assert!(doubles.is_empty());
            let mut grown = Table::default();
            (0..count).for_each(|i| drop(grown.insert(entry(i))));
            assert_eq!(filled.len(), grown.len());
            let depths = |table: &Table<Entry>| (0..count).map(|i| depth(table, &entry(i).0)).collect::<Vec<_>>();
            assert_eq!(depths(&filled), depths(&grown));
            assert!((0..count).all(|i| filled.get(&entry(i).0).is_some()));
            assert_eq!(filled.iter().count(), count);
        }
    }

    #[test]
    fn of_several_of_one_name_none_is_filled_in() {
        let entries = [1, 2, 1, 3, 1].map(|i| Hashed::new(Arc::new(Entry(key(i), i)))).into_iter().collect();
        let (filled, doubles) = Table::filled(entries);
        assert_eq!((filled.len(), doubles.len()), (2, 3));
        assert!(filled.get(&key(1)).is_none() && doubles.iter().all(|double| double.1 == 1));
    }

    /// How many branches lie above a name, and how many entries beside it.
    fn depth(table: &Table<Entry>, key: &[u8]) -> (u32, usize) {
        let (mut node, mut level) = (&table.root, 0);
        while let Node::Branch(children) = node {
            node = &children[slot(hash_name(key), level)];
            level += 1;
        }
        (level, table.place(key).entries.len())
    }

    #[test]
    fn names_chosen_to_meet_under_a_hash_without_a_key_are_spread_all_the_same() {
        // Anagrams: equal under sums, products and exclusive ors of their octets.
        let mut name = *b"abcdefgh-com";
        let mut names = std::collections::BTreeSet::new();
        let mut state = 1usize;
        while names.len() < 5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            name.swap((state >> 33) % 8, (state >> 40) % 8);
            names.insert(name);
        }
        // And names that meet in the low octet of a hash whose key is known.
        let known = |i: u32| foldhash::quality::FixedState::default().hash_one(key(i)).to_le_bytes()[0];
        let aimed: Vec<Vec<u8>> = (0..200_000).filter(|i| known(*i) == 0).map(key).collect();
        for names in [names.iter().map(|name| name.to_vec()).collect(), aimed] {
            let mut table = Table::default();
            names.iter().for_each(|name| drop(table.insert(Arc::new(Entry(name.clone(), 0)))));
            assert_eq!(table.len(), names.len());
            // Spread over 256 leaves a few dozen lie in each.
            assert!(names.iter().all(|name| depth(&table, name).1 <= LEAF_MAX && depth(&table, name).0 <= 2));
        }
    }

    #[test]
    fn another_process_finds_other_places_for_the_same_names() {
        let other = foldhash::quality::RandomState::default();
        let same = (0..1000).filter(|i| {
            let mut hasher = other.build_hasher();
            hasher.write(&key(*i));
            slot(hasher.finish(), 0) == slot(hash_name(&key(*i)), 0)
        });
        assert!(same.count() < 100);
    }

    #[test]
    fn readers_find_all_that_stays_while_the_table_is_replaced_again_and_again() {
        let mut table = Table::default();
        (0..500).for_each(|i| drop(table.insert(Arc::new(Entry(key(i), 0)))));
        let current = arc_swap::ArcSwap::from_pointee(table.clone());
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for first in [0, 100] {
                let (current, ended) = (&current, &ended);
                scope.spawn(move || {
                    while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                        let table = current.load();
                        assert!((first..500).step_by(50).all(|i| table.get(&key(i)).is_some_and(|e| e.0 == key(i))));
                    }
                });
            }
            for round in 0..3000 {
                table.insert(Arc::new(Entry(key(1000 + round % 300), round)));
                table.insert(Arc::new(Entry(key(round % 500), round)));
                table.remove(&key(1000 + (round + 150) % 300));
                current.store(Arc::new(table.clone()));
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(table.len(), 650);
    }

    #[test]
    fn a_copy_keeps_what_it_had() {
        let mut table = Table::default();
        for i in 0..1000 {
            table.insert(Arc::new(Entry(key(i), 0)));
        }
        let before = table.clone();
        table.insert(Arc::new(Entry(key(5), 1)));
        table.remove(&key(6));
        assert_eq!(before.get(&key(5)).map(|e| e.1), Some(0));
        assert_eq!(before.get(&key(6)).map(|e| e.1), Some(0));
        assert_eq!((before.len(), table.len()), (1000, 999));
    }
}
