//! The records of a zone by name and type, as they are written or derived, while its content is built.

use std::collections::BTreeMap;

/// The RRsets of a name in the order of their types: few, so a list takes the least memory.
#[derive(Default)]
pub(super) struct Sets<'a>(Vec<(u16, Written<'a>)>);

/// All names by their owners, lower case. Nothing of the master file is copied.
pub(super) type Names<'a> = BTreeMap<&'a [u8], Sets<'a>>;

/// Where a record stands: index of its file, and line; line 0: it is not written, but derived.
pub(super) type At = (u16, u32);

/// An RRset as it was written.
pub(super) struct Written<'a> {
    pub ttl: u32,
    pub data: Vec<&'a [u8]>,
    /// Its first record.
    pub at: At,
}

impl<'a> Written<'a> {
    pub fn derived(ttl: u32, data: impl IntoIterator<Item = &'a Vec<u8>>) -> Written<'a> {
        Written { ttl, data: data.into_iter().map(Vec::as_slice).collect(), at: (0, 0) }
    }
}

impl<'a> Sets<'a> {
    pub fn get(&self, rtype: u16) -> Option<&Written<'a>> {
        self.0.iter().find(|(of, _)| *of == rtype).map(|(_, set)| set)
    }

    pub fn has(&self, rtype: u16) -> bool {
        self.get(rtype).is_some()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn types(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|(rtype, _)| *rtype)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u16, &Written<'a>)> {
        self.0.iter().map(|(rtype, set)| (*rtype, set))
    }

    /// The RRset of a type, made by `new` where there is none.
    pub fn entry(&mut self, rtype: u16, new: impl FnOnce() -> Written<'a>) -> &mut Written<'a> {
        let at = self.0.binary_search_by_key(&rtype, |(of, _)| *of).unwrap_or_else(|at| {
            self.0.reserve_exact(1);
            self.0.insert(at, (rtype, new()));
            at
        });
        &mut self.0.get_mut(at).expect("it was found or put in just above").1
    }

    pub fn put(&mut self, rtype: u16, set: Written<'a>) {
        *self.entry(rtype, || Written::derived(0, [])) = set;
    }
}
