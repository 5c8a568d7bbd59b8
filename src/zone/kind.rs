//! The kinds of records that a tenant has, each with its type and its place: the only list of them.
//!
//! Whoever stores, signs, prints or reads ahead goes through [`RecordKind::ALL`] or matches every kind by name, so that a
//! new kind cannot be forgotten anywhere. Records of a kind may have any length ([`super::endpoint::Records`]).

use crate::dns::name::Name;
use crate::dns::rtype::number as rt;
use arrayvec::ArrayVec;

/// A kind of records that a tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Addresses of one family.
    Address(Family),
    /// What its hosts' keys are (RFC 6698).
    Tlsa,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: type A.
    V4,
    /// IPv6: type AAAA.
    V6,
}

/// A name of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The endpoint itself.
    Endpoint,
    /// `_tcp` below it: an empty non-terminal.
    Tcp,
    /// `_25._tcp` below it: the TLSA.
    Port25,
}

impl Family {
    /// Both, in the order in which addresses go out.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// Its type of records.
    pub const fn rtype(self) -> u16 {
        match self {
            Family::V4 => rt::A,
            Family::V6 => rt::AAAA,
        }
    }

    /// Its place in [`Family::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Family::V4 => 0,
            Family::V6 => 1,
        }
    }
}

impl RecordKind {
    /// How many there are.
    pub const COUNT: usize = RecordKind::ALL.len();

    /// All, in the order in which their records and signatures are stored.
    pub const ALL: [RecordKind; 3] =
        [RecordKind::Address(Family::V4), RecordKind::Address(Family::V6), RecordKind::Tlsa];

    /// Its place in [`RecordKind::ALL`].
    pub const fn index(self) -> usize {
        match self {
            RecordKind::Address(family) => family.index(),
            RecordKind::Tlsa => 2,
        }
    }

    /// Its type of records.
    pub const fn rtype(self) -> u16 {
        match self {
            RecordKind::Address(family) => family.rtype(),
            RecordKind::Tlsa => rt::TLSA,
        }
    }

    /// The name that has them.
    pub const fn part(self) -> Part {
        match self {
            RecordKind::Address(_) => Part::Endpoint,
            RecordKind::Tlsa => Part::Port25,
        }
    }

    /// The kinds that a tenant replaces together where it has one of them of its own: addresses of its own replace those of
    /// its pool in both families.
    pub const fn replaced_together(self) -> &'static [RecordKind] {
        match self {
            RecordKind::Address(_) => &[RecordKind::Address(Family::V4), RecordKind::Address(Family::V6)],
            RecordKind::Tlsa => &[RecordKind::Tlsa],
        }
    }

    /// What a question for a type is most likely about, wherever it is asked: good for reading ahead, not for answers.
    pub const fn guess(rtype: u16) -> RecordKind {
        match rtype {
            rt::A => RecordKind::Address(Family::V4),
            rt::AAAA => RecordKind::Address(Family::V6),
            _ => RecordKind::Tlsa,
        }
    }
}

impl Part {
    /// All, from the endpoint down.
    pub const ALL: [Part; 3] = [Part::Endpoint, Part::Tcp, Part::Port25];

    /// Its labels in front of the endpoint, as wire octets without a final zero.
    pub const fn below(self) -> &'static [u8] {
        match self {
            Part::Endpoint => b"",
            Part::Tcp => b"\x04_tcp",
            Part::Port25 => b"\x03_25\x04_tcp",
        }
    }

    /// Its name below an endpoint; none where that would be too long (RFC 1035 § 2.3.4).
    pub fn owner(self, endpoint: &Name) -> Option<Name> {
        let mut octets = ArrayVec::new();
        octets.try_extend_from_slice(self.below()).ok()?;
        octets.try_extend_from_slice(endpoint).ok()?;
        Some(Name::from_buffer(octets))
    }

    /// The part with these labels in front of the endpoint, whether or not a tenant has it.
    pub fn named(below: &[u8]) -> Option<Part> {
        match below {
            b"" => Some(Part::Endpoint),
            b"\x04_tcp" => Some(Part::Tcp),
            b"\x03_25\x04_tcp" => Some(Part::Port25),
            _ => None,
        }
    }

    /// The kind of records of a type at this part.
    pub const fn kind(self, rtype: u16) -> Option<RecordKind> {
        match (self, rtype) {
            (Part::Endpoint, rt::A) => Some(RecordKind::Address(Family::V4)),
            (Part::Endpoint, rt::AAAA) => Some(RecordKind::Address(Family::V6)),
            (Part::Port25, rt::TLSA) => Some(RecordKind::Tlsa),
            _ => None,
        }
    }

    /// The kinds of records that it may have.
    pub const fn kinds(self) -> &'static [RecordKind] {
        match self {
            Part::Endpoint => &[RecordKind::Address(Family::V4), RecordKind::Address(Family::V6)],
            Part::Tcp => &[],
            Part::Port25 => &[RecordKind::Tlsa],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;

    #[test]
    fn each_kind_has_one_place_in_every_list() {
        for (index, kind) in RecordKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
            assert_eq!(RecordKind::guess(kind.rtype()), kind);
            assert!(kind.replaced_together().contains(&kind));
            for part in Part::ALL {
                let is_there = part == kind.part();
                assert_eq!(part.kinds().contains(&kind), is_there, "{part:?}");
                assert_eq!(part.kind(kind.rtype()), is_there.then_some(kind), "{part:?}");
            }
        }
        assert_eq!(Family::ALL.map(Family::index), [0, 1]);
        let addresses = Family::ALL.map(RecordKind::Address);
        assert_eq!(addresses.map(RecordKind::rtype), Family::ALL.map(Family::rtype));
    }

    #[test]
    fn a_part_has_a_name_where_it_fits() {
        let endpoint = Name::parse("t.mx.example.", ROOT).expect("a name");
        let owners = Part::ALL.map(|part| part.owner(&endpoint).expect("it fits").to_string());
        assert_eq!(owners, ["t.mx.example.", "_tcp.t.mx.example.", "_25._tcp.t.mx.example."]);
        let label = |octets: u8| [vec![octets], vec![b'a'; usize::from(octets)]].concat();
        let long = [label(63), label(63), label(63), label(55), vec![0]].concat();
        let long = Name::from_wire(&long).expect("a name of 249 octets");
        assert_eq!(Part::ALL.map(|part| part.owner(&long).is_some()), [true, true, false]);
    }

    #[test]
    fn a_part_is_found_by_its_labels_and_by_nothing_else() {
        for part in Part::ALL {
            assert_eq!(Part::named(part.below()), Some(part));
            assert_eq!(Part::named(&[b"\x01x", part.below()].concat()), None);
        }
        assert_eq!(Part::named(b"\x03_25"), None);
    }
}
