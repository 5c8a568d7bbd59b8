//! The records of a master file, kept in little memory: millions of them are held for as long as their zone is served.

use crate::dns::name::Name;

/// A record, lent by [`Records`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Owner in wire form, lower case; names in the data are in lower case too.
    pub owner: &'a [u8],
    /// Type.
    pub rtype: u16,
    /// TTL.
    pub ttl: u32,
    /// Record data in uncompressed wire form.
    pub data: &'a [u8],
    /// Index into [`super::Parsed::files`].
    pub file: u16,
    /// Line in that file, from 1.
    pub line: u32,
}

/// A record of its own. Fields as in [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRecord {
    /// Owner, lower case.
    pub owner: Name,
    /// Type.
    pub rtype: u16,
    /// Record data in uncompressed wire form.
    pub data: Vec<u8>,
}

impl Record<'_> {
    /// The same for whoever needs its owner as a name; none where it is no name.
    pub fn own(&self) -> Option<OwnRecord> {
        Some(OwnRecord { owner: Name::from_wire(self.owner).ok()?, rtype: self.rtype, data: self.data.to_vec() })
    }
}

/// Records in the order of their files: 24 octets each beside owner and data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    heads: Vec<Head>,
    /// Owners and data, one after another.
    octets: Vec<u8>,
}

/// What is known of a record beside its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    /// Where its owner begins; its data follow, up to the next record.
    start: usize,
    ttl: u32,
    line: u32,
    rtype: u16,
    file: u16,
    owner_octets: u8,
}

impl Records {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Octets of all owners and data.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// The record of a number, from 0.
    pub fn get(&self, at: usize) -> Option<Record<'_>> {
        let Head { start, ttl, line, rtype, file, owner_octets } = self.heads.get(at)?.clone();
        let end = self.heads.get(at + 1).map_or(self.octets.len(), |next| next.start);
        let (owner, data) = self.octets.get(start..end)?.split_at_checked(owner_octets.into())?;
        Some(Record { owner, rtype, ttl, data, file, line })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> + Clone {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// One more; false where the system gives no memory for it, or its owner is no name.
    pub(super) fn push(&mut self, record: Record<'_>) -> bool {
        let Record { owner, rtype, ttl, data, file, line } = record;
        let Ok(owner_octets) = u8::try_from(owner.len()) else { return false };
        let room = self.octets.try_reserve(owner.len() + data.len());
        if room.and_then(|()| self.heads.try_reserve(1)).is_err() {
            return false;
        }
        self.heads.push(Head { start: self.octets.len(), ttl, line, rtype, file, owner_octets });
        self.octets.extend_from_slice(owner);
        self.octets.extend_from_slice(data);
        true
    }

    /// Gives back what was taken for records that did not come.
    pub(super) fn shrink(&mut self) {
        self.heads.shrink_to_fit();
        self.octets.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_given_back_as_they_were_put_in() {
        let mut records = Records::default();
        let one = Record { owner: b"\x01a\x00", rtype: 16, ttl: 5, data: b"\x01x", file: 0, line: 7 };
        let two = Record { owner: b"\x00", rtype: 65400, ttl: u32::MAX, data: b"", file: 3, line: 8 };
        assert!(records.push(one) && records.push(two) && records.push(one));
        records.shrink();
        assert_eq!(records.iter().collect::<Vec<_>>(), [one, two, one]);
        assert_eq!((records.len(), records.octets(), records.get(3)), (3, 11, None));
        assert_eq!(size_of::<Head>(), 24);
    }
}
