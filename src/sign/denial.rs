//! Denial of existence by one made-up NSEC (RFC 9824): nothing to walk, nothing to precompute.
//!
//! Type bitmaps come from the data that answers are made of, never from the question (Slack 2021, coredns#1401).

use crate::dns::name::{self, LABEL_OCTETS_MAX, NAME_OCTETS_MAX};
use arrayvec::ArrayVec;

/// Octets of a type bitmap that a name may have: types in fifteen windows. More is refused when the zone is read.
pub const BITMAP_OCTETS_MAX: usize = 512;

/// NSEC's next name.
pub type NextName = ArrayVec<u8, NAME_OCTETS_MAX>;

/// The bitmap of types (RFC 4034 § 4.1.2).
pub fn bitmap(types: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut types: Vec<u16> = types.into_iter().collect();
    types.sort_unstable();
    types.dedup();
    let mut octets = Vec::new();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let low = |t: &u16| usize::from(t & 0xff);
        let length = window.last().map_or(0, |last| low(last) / 8 + 1);
        let mut bits = vec![0u8; length];
        for t in window {
            if let Some(octet) = bits.get_mut(low(t) / 8) {
                *octet |= 0x80 >> (low(t) % 8);
            }
        }
        octets.push(window.first().map_or(0, |t| t.to_be_bytes()[0]));
        octets.push(u8::try_from(length).unwrap_or(32));
        octets.extend(bits);
    }
    octets
}

/// Whether a bitmap has a type.
pub fn has_type(bitmap: &[u8], rtype: u16) -> bool {
    let [window, low] = rtype.to_be_bytes();
    let mut rest = bitmap;
    while let Some((&[at, length], tail)) = rest.split_first_chunk() {
        let Some((bits, tail)) = tail.split_at_checked(usize::from(length)) else { return false };
        if at == window {
            return bits.get(usize::from(low / 8)).is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0);
        }
        rest = tail;
    }
    false
}

/// RRSIG NSEC NXNAME: the bitmap of a name that does not exist (RFC 9824 § 3.1).
pub fn nxname() -> &'static [u8] {
    &[0, 17, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]
}

/// RRSIG NSEC: the bitmap of an empty non-terminal (RFC 9824 § 3.2).
pub fn empty() -> &'static [u8] {
    &[0, 6, 0, 0, 0, 0, 0, 3]
}

/// The next name of an NSEC at `owner`: its immediate successor `\000.owner` (RFC 9824 § 3.1), so that the record
/// covers nothing but the owner. Where that is longer than a name can be, the next one in canonical order
/// (RFC 4471 § 3.1.1), at the latest the apex.
pub fn next_name(owner: &[u8], apex: &[u8]) -> NextName {
    let mut next = NextName::new();
    if owner.len() + 2 <= NAME_OCTETS_MAX {
        next.try_extend_from_slice(&[1, 0]).ok();
        next.try_extend_from_slice(owner).ok();
        return next;
    }
    next_sibling(owner, apex)
}

/// The next name of the NSEC of a cut: `sub\000.zone`, past everything below the cut (RFC 9824 § 3.4;
/// `\000.sub.zone` there is bogus to unbound, NLnetLabs/unbound#441).
pub fn next_past_subtree(owner: &[u8], apex: &[u8]) -> NextName {
    next_sibling(owner, apex)
}

/// The least name that is greater than all names below `owner`: its first label with `\000` behind it; or, where the
/// label or the name is full, its last octet raised; or, where that is 255, dropped.
fn next_sibling(owner: &[u8], apex: &[u8]) -> NextName {
    for suffix in name::ancestors(owner).take_while(|suffix| suffix.len() > apex.len()) {
        let (Some(label), Some(parent)) = (name::labels(suffix).next(), name::parent(suffix)) else { break };
        if let Some(next) = next_label(label, parent.len()) {
            let mut octets = NextName::new();
            octets.try_push(u8::try_from(next.len()).unwrap_or(0)).ok();
            octets.try_extend_from_slice(&next).ok();
            octets.try_extend_from_slice(parent).ok();
            return octets;
        }
    }
    apex.iter().copied().collect()
}

fn next_label(label: &[u8], parent_octets: usize) -> Option<ArrayVec<u8, LABEL_OCTETS_MAX>> {
    let mut next: ArrayVec<u8, LABEL_OCTETS_MAX> = label.iter().copied().collect();
    if next.len() < LABEL_OCTETS_MAX && 1 + next.len() + 1 + parent_octets <= NAME_OCTETS_MAX {
        next.push(0);
        return Some(next);
    }
    while let Some(last) = next.pop() {
        if last < 255 {
            // Upper-case letters sort as their lower-case forms (RFC 4034 § 6.1), so the octet before `A` goes to `[`.
            next.push(if last == b'@' { b'[' } else { last + 1 });
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::{Name, ROOT, canonical_order};
    use crate::dns::rtype::number as rtype;
    use std::cmp::Ordering;

    fn wire(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name of the test")
    }

    #[test]
    fn bitmaps_are_those_of_rfc_4034() {
        // RFC 4034 § 4.3: A MX RRSIG NSEC TYPE1234.
        let expected = [&[0u8, 6, 0x40, 0x01, 0, 0, 0, 0x03, 4, 0x1b][..], &[0; 26], &[0x20]].concat();
        let bitmap = bitmap([15, 1, 46, 47, 1234, 1]);
        assert_eq!(bitmap, expected);
        for t in [1, 15, 46, 47, 1234] {
            assert!(has_type(&bitmap, t));
        }
        for t in [0, 2, 28, 255, 256, 1233, 65535] {
            assert!(!has_type(&bitmap, t));
        }
    }

    #[test]
    fn the_bitmaps_of_denials_hold_their_types() {
        assert_eq!(nxname(), bitmap([rtype::RRSIG, rtype::NSEC, rtype::NXNAME]));
        assert_eq!(empty(), bitmap([rtype::RRSIG, rtype::NSEC]));
    }

    #[test]
    fn edge_types_have_a_place() {
        for t in [0, 255, 256, 65535] {
            let one = bitmap([t]);
            assert!((0..=u16::MAX).all(|other| has_type(&one, other) == (other == t)), "{t}");
        }
    }

    #[test]
    fn the_next_name_is_the_immediate_successor() {
        assert_eq!(&*next_name(&wire("a.example."), &wire("example.")), &*wire("\\000.a.example."));
        assert_eq!(&*next_past_subtree(&wire("sub.example."), &wire("example.")), &*wire("sub\\000.example."));
    }

    #[test]
    fn full_names_get_a_greater_name_that_fits() {
        let apex = wire("example.");
        let l63 = |c: &str| c.repeat(63);
        let cases = [
            format!("{}.{}.{}.{}.example.", l63("a"), l63("b"), l63("c"), "d".repeat(51)),
            format!("{}.{}.{}.{}.example.", "a".repeat(52), l63("b"), l63("c"), l63("d")),
            format!("{}.{}.{}.{}.example.", "\\255".repeat(52), l63("b"), l63("c"), l63("d")),
            format!("{}.{}.{}.{}.example.", "@".repeat(52), l63("b"), l63("c"), l63("d")),
            format!(
                "{}.{}.{}.{}.example.",
                "\\255".repeat(52),
                "\\255".repeat(63),
                "\\255".repeat(63),
                "\\255".repeat(63)
            ),
        ];
        for text in cases {
            let Ok(owner) = Name::parse(&text, ROOT) else { panic!("{text}") };
            for next in [next_name(&owner, &apex), next_past_subtree(&owner, &apex)] {
                let next = Name::from_wire(&next).expect("a name");
                let greater = canonical_order(&owner, &next) == Ordering::Less || *next == *apex;
                assert!(greater && name::is_within(&next, &apex), "{text} {next}");
                assert!(!next.iter().any(u8::is_ascii_uppercase));
            }
        }
    }
}
