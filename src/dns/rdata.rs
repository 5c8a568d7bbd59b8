//! Record data of every type: from text to octets, back, and whether octets are what their type says.
//!
//! One table of fields per type serves all of it. Octets are only ever read through bounded slices, and data that do
//! not parse are printed in the form of RFC 3597, never guessed at.

mod bitmap;
mod extent;
mod hex;
mod hip;
mod layout;
mod location;
mod params;
mod prefixes;
mod print;
mod read;
mod text;
mod wire;
mod words;

pub(crate) use text::{Seconds32, print_moment, push_name, read_seconds};

use crate::dns::rtype;
use data_encoding::HEXLOWER;
use layout::{Field, Kind};
use words::Words;

/// Octets of record data, at most: the length field has 16 bits (RFC 1035 § 3.2.1).
pub const DATA_OCTETS_MAX: usize = 65_535;

/// One field of a line as written: escapes are still in it, quotes around it are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Token<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether quotes stood around it.
    pub quoted: bool,
    /// Octets in front of it in its file, its quote included.
    pub at: usize,
}

impl<'a> Token<'a> {
    /// An unquoted field at the start of a text.
    pub fn word(text: &'a str) -> Token<'a> {
        Token { text, quoted: false, at: 0 }
    }

    /// A quoted field at the start of a text, given without its quotes.
    pub fn quoted(text: &'a str) -> Token<'a> {
        Token { text, quoted: true, at: 0 }
    }
}

/// Why text or octets are not data of their type. `message` begins in lower case, ends without a dot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RdataFault {
    /// Index of the culprit among the tokens; none where the record as a whole is wrong.
    pub token: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl RdataFault {
    fn new(message: impl Into<String>, help: impl Into<String>) -> RdataFault {
        RdataFault { token: None, message: message.into(), help: help.into() }
    }

    /// Names the culprit, where no better one is named yet.
    fn at(mut self, token: usize) -> RdataFault {
        self.token.get_or_insert(token);
        self
    }
}

/// Data of a type from its fields as written, or from `\# length hex` (RFC 3597 § 5). Relative names end in `origin`.
/// Names that are signed in lower case are put in lower case.
///
/// # Errors
/// [`RdataFault`] names the culprit, the cause and the way out.
pub fn from_text(rtype: u16, tokens: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, RdataFault> {
    let mut data = Vec::new();
    push_text(&mut data, rtype, tokens, origin)?;
    Ok(data)
}

/// As [`from_text`], into a buffer that is empty and may be used again; after an error its content means nothing.
pub(crate) fn push_text(data: &mut Vec<u8>, rtype: u16, tokens: &[Token<'_>], origin: &[u8]) -> Result<(), RdataFault> {
    debug_assert!(data.is_empty());
    if tokens.first().is_some_and(|token| token.text == "\\#" && !token.quoted) {
        read::generic(data, tokens)?;
        check(rtype, data)?;
        lower_names(rtype, data);
        return Ok(());
    }
    let Some(fields) = layout::fields(rtype) else {
        return Err(RdataFault::new(
            format!("the text form of {} is not known here", rtype::print(rtype)),
            "write the data as `\\# <number of octets> <hex>` (RFC 3597)",
        ));
    };
    let mut words = Words::new(tokens, origin);
    for field in fields {
        read::field(field, &mut words, data).map_err(|fault| explain(rtype, fields, fault))?;
    }
    words.end().map_err(|fault| explain(rtype, fields, fault))?;
    if data.len() > DATA_OCTETS_MAX {
        return Err(RdataFault::new(
            format!("the data have {} octets, more than the {DATA_OCTETS_MAX} that a record can hold", data.len()),
            "shorten them",
        ));
    }
    Ok(())
}

/// Adds the order of the fields to faults that have no better help.
fn explain(rtype: u16, fields: &[layout::Field], mut fault: RdataFault) -> RdataFault {
    if fault.help.is_empty() {
        let order: Vec<String> = fields.iter().map(|field| format!("<{}>", field.0)).collect();
        fault.help = format!("write `{} {}`", rtype::print(rtype), order.join(" "));
    }
    fault
}

/// Text that [`from_text`] reads back to the same octets, names absolute. Data of unknown types, and data that are not
/// what their type says, take the form of RFC 3597: `\# length hex`.
pub fn to_text(rtype: u16, data: &[u8]) -> String {
    let mut text = String::new();
    let good = layout::fields(rtype).is_some()
        && walk(rtype, data, &mut |kind, octets| {
            let before = text.len();
            if before > 0 {
                text.push(' ');
            }
            let start = text.len();
            print::field(kind, octets, &mut text);
            if text.len() == start {
                text.truncate(before);
            }
        })
        .is_ok();
    // Empty text would not be read back: APL and HIP allow empty lists, but the record needs at least one field.
    if good && !text.is_empty() {
        return text;
    }
    match data.is_empty() {
        true => "\\# 0".to_owned(),
        false => format!("\\# {} {}", data.len(), HEXLOWER.encode(data)),
    }
}

/// Whether octets are data of their type: names whole and uncompressed, lengths and bitmaps right, nothing left over.
/// Data of types that are not known here are always good (RFC 3597 § 3).
///
/// # Errors
/// [`RdataFault`] without a token.
pub fn check(rtype: u16, data: &[u8]) -> Result<(), RdataFault> {
    if data.len() > DATA_OCTETS_MAX {
        return Err(RdataFault::new(format!("the data are longer than {DATA_OCTETS_MAX} octets"), "shorten them"));
    }
    walk(rtype, data, &mut |_, _| {})
}

/// Puts the names that are signed in lower case into lower case, as far as the data are what their type says
/// (RFC 4034 § 6.2, RFC 6840 § 5.1).
pub fn lower_names(rtype: u16, data: &mut [u8]) {
    let mut at = 0;
    for field in layout::fields(rtype).unwrap_or_default() {
        let Some(rest) = data.get_mut(at..) else { return };
        let Ok(length) = wire::extent(field.1, rest) else { return };
        if field.1 == Kind::Name {
            // Length octets are below 64, hence no letters.
            rest.get_mut(..length).unwrap_or_default().make_ascii_lowercase();
        }
        at += length;
    }
}

/// Whether the data of a type are nothing but character strings, as those of TXT are.
pub(crate) fn is_strings(rtype: u16) -> bool {
    matches!(layout::fields(rtype), Some([Field(_, Kind::Strs)]))
}

/// Shows each field's octets in turn.
fn walk(rtype: u16, data: &[u8], visit: &mut dyn FnMut(Kind, &[u8])) -> Result<(), RdataFault> {
    let Some(fields) = layout::fields(rtype) else { return Ok(()) };
    let wrong = |what: String| {
        RdataFault::new(
            format!("the octets are not data of {}: {what}", rtype::print(rtype)),
            "correct the hex, or write the fields in text",
        )
    };
    let mut rest = data;
    for Field(name, kind) in fields.iter().copied() {
        let length = wire::extent(kind, rest).map_err(|why| wrong(format!("{name}: {why}")))?;
        let Some((octets, tail)) = rest.split_at_checked(length) else {
            return Err(wrong(format!("they end inside {name}")));
        };
        visit(kind, octets);
        rest = tail;
    }
    if rest.is_empty() { Ok(()) } else { Err(wrong(format!("{} octets are left over", rest.len()))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::{Name, ROOT};
    use crate::dns::rtype::number as t;

    /// Cuts at blanks outside quotes, heeding escapes.
    fn words(text: &str) -> Vec<Token<'_>> {
        let (mut tokens, mut start, mut quotes, mut escaped) = (Vec::new(), 0, false, false);
        for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quotes = !quotes,
                ' ' if !quotes => {
                    let word = &text[start..at];
                    let inside = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                    tokens.extend((!word.is_empty()).then(|| inside.map_or(Token::word(word), Token::quoted)));
                    start = at + 1;
                }
                _ => {}
            }
        }
        tokens
    }

    fn origin() -> Name {
        Name::parse("example.", ROOT).expect("a name")
    }

    fn read(rtype: u16, text: &str) -> Result<Vec<u8>, RdataFault> {
        from_text(rtype, &words(text), &origin())
    }

    const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Type, text as an operator may write it, text as it is printed.
    type Sample = (u16, String, String);

    fn plain(rtype: u16, text: &str) -> Sample {
        other(rtype, text, text)
    }

    fn other(rtype: u16, text: &str, printed: &str) -> Sample {
        (rtype, text.to_owned(), printed.to_owned())
    }

    fn samples() -> Vec<Sample> {
        [samples_of_hosts(), samples_of_keys(), samples_of_services(), samples_of_one_form()].concat()
    }

    fn samples_of_hosts() -> Vec<Sample> {
        vec![
            plain(t::A, "192.0.2.1"),
            other(t::AAAA, "2001:DB8:0::1", "2001:db8::1"),
            other(t::SOA, "ns HostMaster 1 1h 15M 1w 300", "ns.example. hostmaster.example. 1 3600 900 604800 300"),
            other(t::NULL, "\\# 2 ABcd", "\\# 2 abcd"),
            other(t::HINFO, "PC \"a b\"", "\"PC\" \"a b\""),
            other(t::MINFO, "a @", "a.example. example."),
            other(t::RP, "A.b. .", "a.b. ."),
            other(t::TXT, "a\\;b \"\" \"c d\\034\"", "\"a;b\" \"\" \"c d\\\"\""),
            other(t::X25, "311061700956", "\"311061700956\""),
            other(t::ISDN, "150862028003217", "\"150862028003217\""),
            other(t::ISDN, "150862028003217 004", "\"150862028003217\" \"004\""),
            other(t::NSAP, "0x47.0005.80.005a00", "0x47000580005a00"),
            other(t::PX, "10 a b", "10 a.example. b.example."),
            other(t::GPOS, "-32.6882 116.8652 10.0", "\"-32.6882\" \"116.8652\" \"10.0\""),
            other(
                t::LOC,
                "42 21 54 N 71 06 18 W -24m 30m",
                "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m",
            ),
            plain(t::LOC, "0 0 0.001 S 180 0 0.000 E 42849672.95m 0.00m 90000000.00m 0.01m"),
            plain(t::SRV, "0 5 25 mail.example."),
            plain(t::NAPTR, "100 50 \"s\" \"z3950+I2L\" \"\" _z._tcp.example."),
        ]
    }

    fn samples_of_keys() -> Vec<Sample> {
        vec![
            other(t::CERT, "PKIX 1 RSASHA256 AQ ID", "1 1 8 AQID"),
            plain(t::APL, "1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8"),
            plain(t::APL, "\\# 0"),
            plain(t::SSHFP, &format!("4 2 {SHA256}")),
            plain(t::IPSECKEY, "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="),
            plain(t::IPSECKEY, "10 0 2 . AQ=="),
            plain(t::IPSECKEY, "10 3 0 GW.example."),
            plain(t::IPSECKEY, "10 2 2 2001:db8::1 AQ=="),
            other(
                t::RRSIG,
                "A ECDSAP256SHA256 2 3600 20261122000000 1795305600 12345 Example. AQ==",
                "A 13 2 3600 20261122000000 20261122000000 12345 example. AQ==",
            ),
            plain(t::NSEC, "Host.example. A MX RRSIG NSEC TYPE1234"),
            plain(t::NSEC, "\\000.example. NXNAME TYPE65535"),
            plain(t::DNSKEY, "257 3 13 AQID"),
            plain(t::CDNSKEY, "0 3 0 AA=="),
            plain(t::KEY, "49152 3 3"),
            plain(t::DHCID, "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="),
            plain(t::NSEC3, "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"),
            plain(t::NSEC3, "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
            plain(t::NSEC3PARAM, "1 0 0 -"),
            plain(t::HIP, "2 200100107b1a74df365639cc39f1d578 AQID rvs1.example. RVS2.example."),
            plain(t::HIP, "2 200100107b1a74df365639cc39f1d578 AQID"),
            plain(t::OPENPGPKEY, "AQIDBA=="),
            plain(t::CSYNC, "66 3 A NS AAAA"),
            plain(t::CSYNC, "66 3"),
            plain(t::ZONEMD, "1 1 240 0123456789abcdef01234567"),
        ]
    }

    fn samples_of_services() -> Vec<Sample> {
        vec![
            plain(t::SVCB, "0 Pool.example."),
            other(
                t::HTTPS,
                "1 . port=8443 alpn=\"h2,h3\" ipv4hint=192.0.2.1,192.0.2.2 mandatory=port,alpn key667=hello no-default-alpn",
                "1 . mandatory=alpn,port alpn=\"h2,h3\" no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 \
                 key667=\"hello\"",
            ),
            plain(t::HTTPS, "1 . ech=AQID ipv6hint=2001:db8::1,2001:db8::2 dohpath=\"/q{?dns}\" ohttp"),
            other(t::SVCB, "1 a alpn=f\\\\\\\\oo\\\\,bar,h2", "1 a.example. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""),
            plain(t::NID, "10 0014:4fff:ff20:ee64"),
            plain(t::L64, "10 2001:0db8:1140:1000"),
            plain(t::L32, "10 10.1.2.0"),
            plain(t::LP, "10 L64.example."),
            plain(t::EUI48, "00-00-5e-00-53-2a"),
            plain(t::EUI64, "00-00-5e-ef-10-00-00-2a"),
            plain(t::URI, "10 1 \"ftp://ftp1.example.com/public\""),
            plain(t::CAA, "0 issue \"ca.example; account=230123\""),
            plain(t::CAA, "128 tbs \"\""),
            other(t::DSYNC, "CDS notify 5300 Scanner", "CDS NOTIFY 5300 Scanner.example."),
            plain(t::TALINK, "A.example. b.example."),
            plain(65_400, "\\# 3 010203"),
            plain(65_400, "\\# 0"),
        ]
    }

    /// Types that share a form.
    fn samples_of_one_form() -> Vec<Sample> {
        let mut all = Vec::new();
        for rtype in [t::NS, t::MD, t::MF, t::CNAME, t::MB, t::MG, t::MR, t::PTR, t::DNAME] {
            all.push(other(rtype, "Mail\\.x", "mail\\.x.example."));
        }
        for rtype in [t::MX, t::AFSDB, t::RT, t::KX] {
            all.push(other(rtype, "10 MAIL.example.", "10 mail.example."));
        }
        for rtype in [t::SPF, t::AVC, t::RESINFO, t::NINFO, t::WALLET, t::CLA] {
            all.push(plain(rtype, "\"v=spf1 -all\" \"second\""));
        }
        for rtype in [t::DS, t::CDS, t::DLV, t::TA] {
            all.push(other(rtype, &format!("60485 ecdsap256sha256 2 {SHA256}"), &format!("60485 13 2 {SHA256}")));
        }
        for rtype in [t::TLSA, t::SMIMEA] {
            all.push(other(rtype, &format!("3 1 1 {}", SHA256.replace("89", " 89 ")), &format!("3 1 1 {SHA256}")));
        }
        all
    }

    #[test]
    fn every_type_goes_from_text_to_octets_and_back() {
        for (rtype, text, printed) in samples() {
            let data = read(rtype, &text).expect(&text);
            assert_eq!(to_text(rtype, &data), printed, "{text}");
            assert_eq!(check(rtype, &data), Ok(()), "{text}");
            assert_eq!(read(rtype, &printed), Ok(data.clone()), "{printed}");
            let hex = format!("\\# {} {}", data.len(), HEXLOWER.encode(&data));
            assert_eq!(read(rtype, &hex), Ok(data), "{hex}");
        }
    }

    #[test]
    fn every_type_with_fields_has_a_sample() {
        let samples = samples();
        let unseen: Vec<_> = (0..=u16::MAX)
            .filter(|rtype| layout::fields(*rtype).is_some() && samples.iter().all(|sample| sample.0 != *rtype))
            .map(rtype::print)
            .collect();
        assert_eq!(unseen, ["SIG", "RKEY"], "both share their table with a sample's type");
    }

    #[test]
    fn names_are_lowered_where_signatures_need_it_and_kept_elsewhere() {
        let hex = |rtype, text: &str| HEXLOWER.encode(&read(rtype, text).expect("good data"));
        assert_eq!(hex(t::NS, "\\# 3 014100"), "016100");
        assert_eq!(hex(t::SVCB, "\\# 5 0001014100"), "0001014100");
        let mut data = b"\x00\x0a\x01A\x00".to_vec();
        lower_names(t::MX, &mut data);
        assert_eq!(data, b"\x00\x0a\x01a\x00");
        let mut cut = b"\x00\x0a\x05A".to_vec();
        lower_names(t::MX, &mut cut);
        assert_eq!(cut, b"\x00\x0a\x05A", "broken data stay as they are");
    }

    #[test]
    fn faults_name_the_token_and_the_cause() {
        let long = format!("\"{}\"", "a".repeat(256));
        for (rtype, text, token, message) in [
            (t::A, "192.0.2", Some(0), "address `192.0.2` is not an IPv4 address"),
            (t::A, "", None, "address is missing"),
            (t::A, "192.0.2.1 x", Some(1), "`x` is more than the data hold"),
            (t::MX, "10", None, "host is missing"),
            (t::MX, "70000 a", Some(0), "preference `70000` is not a whole number from 0 to 65535"),
            (t::MX, "+1 a", Some(0), "preference `+1` is not a whole number from 0 to 65535"),
            (t::MX, "10 \"a\"", Some(1), "`\"a\"` is a quoted string where a name belongs"),
            (t::MX, "10 a..b", Some(1), "`a..b` is not a name: a label is empty"),
            (t::MX, "10 é", Some(1), "the name `é` is not ASCII"),
            (t::TXT, &long, Some(0), "a string has 256 octets, more than the 255 that one can hold"),
            (
                t::TXT,
                "a\\25",
                Some(0),
                "`a\\25`: a backslash is followed by neither a character nor three digits up to 255",
            ),
            (t::TLSA, "3 1 1 abcd", Some(3), "a digest of type 1 has 32 octets, this one has 2"),
            (t::TLSA, "3 1 1 abc", Some(3), "the hex has an odd number of digits at `abc`"),
            (t::TLSA, "3 1 0 xy", Some(3), "`xy` is not hex"),
            (t::DNSKEY, "257 3 13 AQI", Some(3), "public key `AQI` is not base64"),
            (
                t::DNSKEY,
                "257 3 NOPE AQ==",
                Some(2),
                "algorithm `NOPE` is not a number from 0 to 255 or a known mnemonic",
            ),
            (t::NSEC, "a A NOPE", Some(2), "`NOPE` is not a type"),
            (
                t::RRSIG,
                "A 13 2 3600 20261322000000 0 1 a AQ==",
                Some(4),
                "expiration `20261322000000` is not a moment in the form YYYYMMDDHHmmSS or in seconds",
            ),
            (t::SVCB, "1 . port=1 port=2", Some(3), "parameter port is given twice"),
            (t::SVCB, "1 . mandatory=alpn port=2", Some(2), "parameters: mandatory names alpn, which is missing"),
            (t::SVCB, "1 . colour=red", Some(2), "`colour` is not a service parameter"),
            (t::CAA, "0 is-sue a", Some(1), "tag `is-sue` holds other characters than letters and digits"),
            (t::LOC, "91 N 0 E 0", Some(0), "`91` is not part of an angle of at most 90 degrees"),
            (t::APL, "1:::1/3", Some(0), "`1:::1/3` is not a prefix"),
            (t::A, "\\# 4 0102", Some(1), "4 octets are announced, 2 follow"),
            (t::A, "\\# 2 0102", None, "the octets are not data of A: address: the octets end too early"),
            (t::NULL, "abc", None, "the text form of NULL is not known here"),
            (65_400, "abc", None, "the text form of TYPE65400 is not known here"),
        ] {
            let fault = read(rtype, text).expect_err(text);
            assert_eq!((fault.token, fault.message.as_str()), (token, message), "{text}");
            assert!(!fault.help.is_empty(), "{text}");
        }
    }

    #[test]
    fn octets_that_are_not_their_type_are_refused_and_printed_as_hex() {
        for (rtype, data) in [
            (t::A, &b"\x01\x02\x03"[..]),
            (t::A, b"\x01\x02\x03\x04\x05"),
            (t::NS, b"\xc0\x0c"),
            (t::NS, b"\x03abc"),
            (t::TXT, b""),
            (t::TXT, b"\x05a"),
            (t::NSEC, b"\x00\x00\x00"),
            (t::NSEC, b"\x00\x00\x21"),
            (t::NSEC, b"\x00\x00\x02\x40\x00"),
            (t::NSEC, b"\x00\x01\x01\x40\x00\x01\x40"),
            (t::NSEC3, b"\x01\x00\x00\x00\x05"),
            (t::SVCB, b"\x00\x01\x00\x00\x03\x00\x02\x00"),
            (t::SVCB, b"\x00\x01\x00\x00\x04\x00\x03\x01\x01\x01"),
            (t::SVCB, b"\x00\x01\x00\x00\x05\x00\x00"),
            (t::APL, b"\x00\x01\x21\x00"),
            (t::APL, b"\x00\x01\x08\x05\x01\x01\x01\x01\x01"),
            (t::HIP, b"\x10\x02\x00\x01\x00"),
            (t::IPSECKEY, b"\x00\x09\x00"),
            (t::LOC, b"\x01\x12\x16\x13\x80\x00\x00\x00\x80\x00\x00\x00\x00\x98\x96\x80"),
            (t::CAA, b"\x00\x00"),
        ] {
            assert!(check(rtype, data).is_err(), "{rtype} {data:?}");
            assert!(to_text(rtype, data).starts_with("\\# "), "{rtype} {data:?}");
        }
        assert_eq!(check(65_400, b"anything"), Ok(()));
        assert!(check(65_400, &vec![0; DATA_OCTETS_MAX + 1]).is_err());
    }

    #[test]
    fn octets_of_any_kind_never_panic_and_good_ones_come_back_from_text() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        let good: Vec<(u16, Vec<u8>)> =
            samples().iter().map(|(rtype, text, _)| (*rtype, read(*rtype, text).expect("good"))).collect();
        for round in 0..20_000usize {
            let (rtype, mut data) = good[round % good.len()].clone();
            for _ in 0..1 + next() % 3 {
                match (next() % 3, data.len()) {
                    (0, _) | (_, 0) => data.push(next()),
                    (1, length) => drop(data.remove(usize::from(next()) % length)),
                    (_, length) => data[usize::from(next()) % length] = next(),
                }
            }
            let text = to_text(rtype, &data);
            if check(rtype, &data).is_ok() {
                lower_names(rtype, &mut data);
                assert_eq!(read(rtype, &to_text(rtype, &data)), Ok(data.clone()), "{rtype} {text}");
            }
        }
    }
}
