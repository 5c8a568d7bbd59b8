//! A table by name that is cheap to copy with one change: the next snapshot shares all but one path with this one.
//!
//! A trie over the bits of the name's keyed hash. It is read without locks, and a change copies at most three small
//! nodes, at ten tenants as at a million.

use crate::dns::rrset::hash_name;
use std::sync::Arc;

/// Children of a branch: eight bits of the hash.
const FAN: usize = 256;
/// Entries of a leaf before it becomes a branch: few enough to compare their hashes in a cache line or two.
const LEAF_MAX: usize = 16;
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

enum Node<V> {
    Leaf(Arc<Vec<(u64, Arc<V>)>>),
    Branch(Arc<Vec<Node<V>>>),
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
        Table { root: Node::Leaf(Arc::default()), length: 0 }
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
        let hash = hash_name(key);
        let mut node = &self.root;
        let mut level = 0;
        loop {
            match node {
                Node::Branch(children) => node = children.get(slot(hash, level))?,
                Node::Leaf(entries) => {
                    return entries.iter().find(|(h, v)| *h == hash && v.key() == key).map(|(_, v)| v);
                }
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
                if let Some((_, value)) = leaf.next() {
                    return Some(value);
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

fn insert<V: Keyed>(node: &mut Node<V>, hash: u64, value: Arc<V>, level: u32) -> Option<Arc<V>> {
    match node {
        Node::Branch(children) => {
            let child = Arc::make_mut(children).get_mut(slot(hash, level))?;
            insert(child, hash, value, level + 1)
        }
        Node::Leaf(entries) => {
            let entries = Arc::make_mut(entries);
            if let Some(place) = entries.iter_mut().find(|(h, v)| *h == hash && v.key() == value.key()) {
                return Some(std::mem::replace(&mut place.1, value));
            }
            entries.push((hash, value));
            if entries.len() > LEAF_MAX && level < LEVELS {
                let full = std::mem::take(entries);
                *node = split(full, level);
            }
            None
        }
    }
}

fn split<V>(entries: Vec<(u64, Arc<V>)>, level: u32) -> Node<V> {
    let mut leaves: Vec<Vec<(u64, Arc<V>)>> = (0..FAN).map(|_| Vec::new()).collect();
    for (hash, value) in entries {
        if let Some(leaf) = leaves.get_mut(slot(hash, level)) {
            leaf.push((hash, value));
        }
    }
    let empty = Arc::new(Vec::new());
    let leaf = |entries: Vec<_>| if entries.is_empty() { Arc::clone(&empty) } else { Arc::new(entries) };
    Node::Branch(Arc::new(leaves.into_iter().map(|entries| Node::Leaf(leaf(entries))).collect()))
}

fn remove<V: Keyed>(node: &mut Node<V>, hash: u64, key: &[u8], level: u32) -> Option<Arc<V>> {
    match node {
        Node::Branch(children) => remove(Arc::make_mut(children).get_mut(slot(hash, level))?, hash, key, level + 1),
        Node::Leaf(entries) => {
            let at = entries.iter().position(|(h, v)| *h == hash && v.key() == key)?;
            Some(Arc::make_mut(entries).swap_remove(at).1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

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
        for round in 0..60_000u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let i = (state >> 8) % 9000;
            if state.is_multiple_of(3) {
                assert_eq!(table.remove(&key(i)).map(|e: Arc<Entry>| e.1), model.remove(&key(i)));
            } else {
                let old = table.insert(Arc::new(Entry(key(i), round))).map(|e| e.1);
                assert_eq!(old, model.insert(key(i), round));
            }
            assert_eq!(table.len(), model.len());
        }
        for i in 0..9000 {
            assert_eq!(table.get(&key(i)).map(|e| e.1), model.get(&key(i)).copied());
        }
        let listed: BTreeMap<_, _> = table.iter().map(|e| (e.0.clone(), e.1)).collect();
        assert_eq!(listed, model);
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
