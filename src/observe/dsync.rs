//! Where a parent wants to be told of changes: DSYNC records and the names where they are (RFC 9859).
//!
//! Pure.

use crate::dns::name::{self, Name};
use crate::dns::rdata;
use crate::dns::rtype::number;

/// The scheme NOTIFY (RFC 9859 § 2).
pub const SCHEME_NOTIFY: u8 = 1;
/// The label under which the records are (RFC 9859 § 3).
const LABEL: &[u8] = b"_dsync";

/// One DSYNC record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsync {
    /// The type whose changes are of interest; CDS stands for CDNSKEY too.
    pub rtype: u16,
    /// How to tell: [`SCHEME_NOTIFY`].
    pub scheme: u8,
    /// UDP port of the target.
    pub port: u16,
    /// Host to be told, in lower case.
    pub target: Name,
}

impl Dsync {
    /// Reads record data; none where they are broken.
    pub fn read(data: &[u8]) -> Option<Dsync> {
        rdata::check(number::DSYNC, data).ok()?;
        let (&[high, low, scheme, port_high, port_low], target) = data.split_first_chunk()?;
        Some(Dsync {
            rtype: u16::from_be_bytes([high, low]),
            scheme,
            port: u16::from_be_bytes([port_high, port_low]),
            target: Name::from_wire(target).ok()?.to_lower(),
        })
    }

    /// The record data.
    pub fn data(&self) -> Vec<u8> {
        let mut data = self.rtype.to_be_bytes().to_vec();
        data.push(self.scheme);
        data.extend(self.port.to_be_bytes());
        data.extend_from_slice(&self.target);
        data
    }

    /// Whether a change of CDS can be told to it.
    pub fn takes_cds(&self) -> bool {
        self.rtype == number::CDS
            && self.scheme == SCHEME_NOTIFY
            && self.port != 0
            && name::parent(&self.target).is_some()
    }
}

/// The names to look up for `child`, in order (RFC 9859 § 4.1, where the parent is known from its DS answer): the labels
/// of the child in front of `_dsync` and the parent, then `_dsync` alone.
pub fn lookup_names(child: &Name, parent: &Name) -> Vec<Name> {
    let Ok(common) = Name::below(LABEL, parent) else { return Vec::new() };
    let Some(own) = child.len().checked_sub(parent.len()).filter(|_| name::is_within(child, parent)) else {
        return Vec::new();
    };
    let special = child.get(..own).and_then(|labels| Name::from_wire(&[labels, &*common].concat()).ok());
    special.into_iter().chain([common]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::dns::rdata::Token;

    fn wire(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    #[test]
    fn data_are_read_as_the_master_file_writes_them() {
        let tokens = ["CDS", "NOTIFY", "5359", "cds-scanner.example.net."].map(Token::word);
        let data = rdata::from_text(number::DSYNC, &tokens, ROOT).expect("DSYNC");
        let read = Dsync::read(&data).expect("DSYNC");
        assert_eq!(read, Dsync { rtype: number::CDS, scheme: 1, port: 5359, target: wire("cds-scanner.example.net.") });
        assert_eq!(read.data(), data);
        assert!(read.takes_cds());
        for length in 0..data.len() {
            assert_eq!(Dsync::read(&data[..length]), None);
        }
        assert_eq!(Dsync::read(&[&data[..], &[0]].concat()), None);
    }

    #[test]
    fn other_types_schemes_and_null_targets_are_not_told() {
        let good = Dsync { rtype: number::CDS, scheme: 1, port: 53, target: wire("ns.example.") };
        for other in [
            Dsync { rtype: number::CSYNC, ..good.clone() },
            Dsync { scheme: 2, ..good.clone() },
            Dsync { port: 0, ..good.clone() },
            Dsync { target: wire("."), ..good.clone() },
        ] {
            assert!(!other.takes_cds(), "{other:?}");
        }
    }

    #[test]
    fn the_names_are_those_of_rfc_9859() {
        let names = |child: &str, parent: &str| -> Vec<String> {
            lookup_names(&wire(child), &wire(parent)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("mx.example.", "example."), ["mx._dsync.example.", "_dsync.example."]);
        assert_eq!(names("city.ise.mie.jp.", "jp."), ["city.ise.mie._dsync.jp.", "_dsync.jp."]);
        assert_eq!(names("example.", "."), ["example._dsync.", "_dsync."]);
        assert_eq!(names("mx.example.", "net."), [""; 0]);
        let long = format!("{0}.{0}.{0}.{1}.example.", "a".repeat(63), "b".repeat(50));
        assert_eq!(names(&long, "example."), ["_dsync.example."]);
    }
}
