//! Record types by number and name.
//!
//! Never guesses: a name that the registry does not know is `None`, and a number without a name prints as `TYPE123`.

use std::borrow::Cow;

/// Numbers of the types that code names (IANA registry of DNS parameters).
#[allow(missing_docs)]
pub mod number {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const MD: u16 = 3;
    pub const MF: u16 = 4;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const MB: u16 = 7;
    pub const MG: u16 = 8;
    pub const MR: u16 = 9;
    pub const NULL: u16 = 10;
    pub const PTR: u16 = 12;
    pub const HINFO: u16 = 13;
    pub const MINFO: u16 = 14;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const RP: u16 = 17;
    pub const AFSDB: u16 = 18;
    pub const X25: u16 = 19;
    pub const ISDN: u16 = 20;
    pub const RT: u16 = 21;
    pub const NSAP: u16 = 22;
    pub const SIG: u16 = 24;
    pub const KEY: u16 = 25;
    pub const PX: u16 = 26;
    pub const GPOS: u16 = 27;
    pub const AAAA: u16 = 28;
    pub const LOC: u16 = 29;
    pub const SRV: u16 = 33;
    pub const NAPTR: u16 = 35;
    pub const KX: u16 = 36;
    pub const CERT: u16 = 37;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
    pub const APL: u16 = 42;
    pub const DS: u16 = 43;
    pub const SSHFP: u16 = 44;
    pub const IPSECKEY: u16 = 45;
    pub const RRSIG: u16 = 46;
    pub const NSEC: u16 = 47;
    pub const DNSKEY: u16 = 48;
    pub const DHCID: u16 = 49;
    pub const NSEC3: u16 = 50;
    pub const NSEC3PARAM: u16 = 51;
    pub const TLSA: u16 = 52;
    pub const SMIMEA: u16 = 53;
    pub const HIP: u16 = 55;
    pub const NINFO: u16 = 56;
    pub const RKEY: u16 = 57;
    pub const TALINK: u16 = 58;
    pub const CDS: u16 = 59;
    pub const CDNSKEY: u16 = 60;
    pub const OPENPGPKEY: u16 = 61;
    pub const CSYNC: u16 = 62;
    pub const ZONEMD: u16 = 63;
    pub const SVCB: u16 = 64;
    pub const HTTPS: u16 = 65;
    pub const DSYNC: u16 = 66;
    pub const SPF: u16 = 99;
    pub const NID: u16 = 104;
    pub const L32: u16 = 105;
    pub const L64: u16 = 106;
    pub const LP: u16 = 107;
    pub const EUI48: u16 = 108;
    pub const EUI64: u16 = 109;
    pub const NXNAME: u16 = 128;
    pub const TKEY: u16 = 249;
    pub const TSIG: u16 = 250;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const MAILB: u16 = 253;
    pub const MAILA: u16 = 254;
    pub const ANY: u16 = 255;
    pub const URI: u16 = 256;
    pub const CAA: u16 = 257;
    pub const AVC: u16 = 258;
    pub const RESINFO: u16 = 261;
    pub const WALLET: u16 = 262;
    pub const CLA: u16 = 263;
    pub const TA: u16 = 32768;
    pub const DLV: u16 = 32769;
}

/// Characters of the longest mnemonic, `NSEC3PARAM` and `OPENPGPKEY`.
const MNEMONIC_MAX: usize = 10;

/// Every type that the IANA registry names, sorted by name.
const BY_NAME: &[(&str, u16)] = &[
    ("A", 1),
    ("A6", 38),
    ("AAAA", 28),
    ("AFSDB", 18),
    ("AMTRELAY", 260),
    ("ANY", 255),
    ("APL", 42),
    ("ATMA", 34),
    ("AVC", 258),
    ("AXFR", 252),
    ("BRID", 68),
    ("CAA", 257),
    ("CDNSKEY", 60),
    ("CDS", 59),
    ("CERT", 37),
    ("CLA", 263),
    ("CNAME", 5),
    ("CSYNC", 62),
    ("DHCID", 49),
    ("DLV", 32769),
    ("DNAME", 39),
    ("DNSKEY", 48),
    ("DOA", 259),
    ("DS", 43),
    ("DSYNC", 66),
    ("EID", 31),
    ("EUI48", 108),
    ("EUI64", 109),
    ("GID", 102),
    ("GPOS", 27),
    ("HHIT", 67),
    ("HINFO", 13),
    ("HIP", 55),
    ("HTTPS", 65),
    ("IPN", 264),
    ("IPSECKEY", 45),
    ("ISDN", 20),
    ("IXFR", 251),
    ("KEY", 25),
    ("KX", 36),
    ("L32", 105),
    ("L64", 106),
    ("LOC", 29),
    ("LP", 107),
    ("MAILA", 254),
    ("MAILB", 253),
    ("MB", 7),
    ("MD", 3),
    ("MF", 4),
    ("MG", 8),
    ("MINFO", 14),
    ("MR", 9),
    ("MX", 15),
    ("NAPTR", 35),
    ("NID", 104),
    ("NIMLOC", 32),
    ("NINFO", 56),
    ("NS", 2),
    ("NSAP", 22),
    ("NSAP-PTR", 23),
    ("NSEC", 47),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("NULL", 10),
    ("NXNAME", 128),
    ("NXT", 30),
    ("OPENPGPKEY", 61),
    ("OPT", 41),
    ("PTR", 12),
    ("PX", 26),
    ("RESINFO", 261),
    ("RKEY", 57),
    ("RP", 17),
    ("RRSIG", 46),
    ("RT", 21),
    ("SIG", 24),
    ("SINK", 40),
    ("SMIMEA", 53),
    ("SOA", 6),
    ("SPF", 99),
    ("SRV", 33),
    ("SSHFP", 44),
    ("SVCB", 64),
    ("TA", 32768),
    ("TALINK", 58),
    ("TKEY", 249),
    ("TLSA", 52),
    ("TSIG", 250),
    ("TXT", 16),
    ("UID", 101),
    ("UINFO", 100),
    ("UNSPEC", 103),
    ("URI", 256),
    ("WALLET", 262),
    ("WKS", 11),
    ("X25", 19),
    ("ZONEMD", 63),
];

/// The mnemonic of the IANA registry, or `TYPE123` (RFC 3597 § 5).
pub fn print(rtype: u16) -> Cow<'static, str> {
    match BY_NAME.iter().find(|(_, number)| *number == rtype) {
        Some((mnemonic, _)) => Cow::Borrowed(mnemonic),
        None => Cow::Owned(format!("TYPE{rtype}")),
    }
}

/// The type that `text` names: a mnemonic in any case, `*` for ANY (RFC 1035 § 3.2.3), or `TYPE123` (RFC 3597 § 5).
pub fn parse(text: &str) -> Option<u16> {
    let mut upper = [0u8; MNEMONIC_MAX];
    let upper = upper.get_mut(..text.len())?;
    upper.copy_from_slice(text.as_bytes());
    upper.make_ascii_uppercase();
    if let Ok(at) = BY_NAME.binary_search_by(|(mnemonic, _)| mnemonic.as_bytes().cmp(upper)) {
        return BY_NAME.get(at).map(|(_, number)| *number);
    }
    if upper == b"*" {
        return Some(number::ANY);
    }
    let digits = upper.strip_prefix(b"TYPE")?;
    let plain = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// Whether a type can never be zone data: a meta type or a question type (RFC 6895 § 3.1: 0, OPT and 128 to 255).
pub fn is_meta(rtype: u16) -> bool {
    matches!(rtype, 0 | number::OPT | 128..=255)
}

/// The mnemonic nearest to a mistyped one, where one is near enough to be meant.
pub fn nearest(text: &str) -> Option<&'static str> {
    // One slip in a short mnemonic, two in a longer one: beyond that, what is offered misleads more than it helps.
    let slips = if text.len() <= 3 { 1 } else { 2 };
    if text.len() > MNEMONIC_MAX + slips {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    BY_NAME
        .iter()
        .map(|(mnemonic, number)| (strsim::damerau_levenshtein(&upper, mnemonic), is_meta(*number), *mnemonic))
        .filter(|(distance, meta, mnemonic)| *distance <= slips && *distance < mnemonic.len() && !meta)
        .min()
        .map(|(_, _, mnemonic)| mnemonic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mnemonic_is_read_in_any_case_and_printed_back() {
        assert!(BY_NAME.is_sorted_by(|a, b| a.0 < b.0), "the search needs the order");
        for (mnemonic, number) in BY_NAME {
            assert_eq!(parse(mnemonic), Some(*number));
            assert_eq!(parse(&mnemonic.to_ascii_lowercase()), Some(*number));
            assert_eq!(parse(&format!("TYPE{number}")), Some(*number));
            assert_eq!(print(*number), *mnemonic);
        }
        assert_eq!(print(65_280), "TYPE65280");
        assert_eq!(parse("type65280"), Some(65_280));
        assert_eq!(parse("*"), Some(number::ANY));
    }

    #[test]
    fn what_is_no_type_is_none() {
        for text in ["", "TYPE", "TYPE-1", "TYPE+1", "TYPE65536", "TYPE000001", "TYPE1x", "AAAAA", "OPENPGPKEYS", "é"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn meta_types_are_no_zone_data() {
        for rtype in [0, number::OPT, number::NXNAME, number::TKEY, number::TSIG, number::IXFR, number::AXFR] {
            assert!(is_meta(rtype), "{rtype}");
        }
        for rtype in [number::MAILA, number::MAILB, number::ANY, 200] {
            assert!(is_meta(rtype), "{rtype}");
        }
        for rtype in [number::A, 127, number::URI, number::NSEC, 65_280] {
            assert!(!is_meta(rtype), "{rtype}");
        }
    }

    #[test]
    fn a_slip_finds_the_type_that_was_meant() {
        assert_eq!(nearest("AAA"), Some("AAAA"));
        assert_eq!(nearest("tsla"), Some("TLSA"));
        assert_eq!(nearest("CNMAE"), Some("CNAME"));
        assert_eq!(nearest("192.0.2.1"), None);
        assert_eq!(nearest("ANYY"), None);
    }
}
