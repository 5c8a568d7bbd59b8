//! Where trust begins: the keys of the root, or those that the operator names for a zone of their own.
//!
//! Pure. A text that cannot be read whole gives no anchors at all, and no anchor is ever learnt from the network.

use crate::dns::name::{self, Name, ROOT};
use crate::dns::rdata::{self, Token};
use crate::dns::rtype::{self, number};
use crate::resolve::verify::is_zone_key;
use crate::sign::key::key_tag;
use ring::digest::{SHA256, SHA384, digest};

/// The keys of the root of 2017 and 2024, as IANA publishes them in `root-anchors.xml`.
const ROOT_ANCHORS: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";
/// Anchors in a text, at most: a root in a roll has two, and an operator has few private parents.
const ANCHORS_MAX: usize = 256;
/// Digest types that count: SHA-256 (RFC 4509) and SHA-384 (RFC 6605).
const DIGEST_SHA256: u8 = 2;
const DIGEST_SHA384: u8 = 4;

/// Trust anchors, each for one zone, all as DS data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchors(Vec<(Name, Vec<u8>)>);

/// Why a text is no list of anchors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct AnchorFault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Anchors {
    /// The keys of the root.
    pub fn root() -> Anchors {
        Anchors::parse(ROOT_ANCHORS).unwrap_or(Anchors(Vec::new()))
    }

    /// Reads DS or DNSKEY records in master-file form: one a line with an absolute owner, comments behind `;`.
    ///
    /// # Errors
    /// [`AnchorFault`] names the first line that is wrong.
    pub fn parse(text: &str) -> Result<Anchors, AnchorFault> {
        let mut anchors = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let fault = |message: String| AnchorFault { line: at + 1, message };
            let words: Vec<&str> = line.split(';').next().unwrap_or_default().split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            if anchors.len() == ANCHORS_MAX {
                return Err(fault(format!("more than {ANCHORS_MAX} anchors; remove those that are not needed")));
            }
            anchors.push(read(&words).map_err(fault)?);
        }
        match anchors.is_empty() {
            true => Err(AnchorFault { line: 1, message: "there is no DS and no DNSKEY record; add one".to_owned() }),
            false => Ok(Anchors(anchors)),
        }
    }

    /// The deepest zone at or above `zone` that has anchors, and their DS data.
    pub fn start(&self, zone: &[u8]) -> Option<(Name, Vec<Vec<u8>>)> {
        let above = self.0.iter().map(|(owner, _)| owner).filter(|owner| name::is_within(zone, owner));
        let owner = above.max_by_key(|owner| name::label_count(owner))?;
        let all = self.0.iter().filter(|(other, _)| other == owner).map(|(_, ds)| ds.clone());
        Some((owner.clone(), all.collect()))
    }
}

/// The digest of DNSKEY data at `owner`, where the digest type counts.
pub(super) fn key_digest(kind: u8, owner: &[u8], dnskey: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match kind {
        DIGEST_SHA256 => &SHA256,
        DIGEST_SHA384 => &SHA384,
        _ => return None,
    };
    Some(digest(algorithm, &[owner, dnskey].concat()).as_ref().to_vec())
}

fn read(words: &[&str]) -> Result<(Name, Vec<u8>), String> {
    let help = "write `<zone>. DS <key tag> <algorithm> <digest type> <digest>`, or the zone's DNSKEY";
    let (first, mut rest) = words.split_first().ok_or(help)?;
    let owner = Name::parse(first, ROOT).map_err(|fault| format!("`{first}` is no name: {fault}"))?;
    while let Some((_, tail)) = rest.split_first().filter(|(word, tail)| tail.len() > 1 && is_ttl_or_class(word)) {
        rest = tail;
    }
    let (kind, data) = rest.split_first().ok_or(help)?;
    let rtype = rtype::parse(kind).filter(|rtype| matches!(*rtype, number::DS | number::DNSKEY));
    let rtype = rtype.ok_or_else(|| format!("`{kind}` is neither DS nor DNSKEY; {help}"))?;
    let tokens: Vec<Token<'_>> = data.iter().map(|word| Token::word(word)).collect();
    let data = rdata::from_text(rtype, &tokens, ROOT).map_err(|fault| format!("{fault}; {help}"))?;
    if rtype == number::DNSKEY {
        return ds_of(&owner, &data)
            .map(|ds| (owner, ds))
            .ok_or_else(|| "the key may not sign a zone, or is revoked".to_owned());
    }
    match data.get(3) {
        Some(&(DIGEST_SHA256 | DIGEST_SHA384)) => Ok((owner, data)),
        _ => Err("only digest types 2 (SHA-256) and 4 (SHA-384) count; make the DS with one of them".to_owned()),
    }
}

fn is_ttl_or_class(word: &str) -> bool {
    word.eq_ignore_ascii_case("IN") || word.bytes().all(|b| b.is_ascii_digit())
}

/// The DS data of a key.
fn ds_of(owner: &[u8], dnskey: &[u8]) -> Option<Vec<u8>> {
    let algorithm = *dnskey.get(3).filter(|_| is_zone_key(dnskey))?;
    let mut ds = key_tag(dnskey).to_be_bytes().to_vec();
    ds.extend([algorithm, DIGEST_SHA256]);
    ds.extend(key_digest(DIGEST_SHA256, owner, dnskey)?);
    Some(ds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    #[test]
    fn the_anchors_of_the_root_are_the_digests_of_the_keys_that_hickory_carries() {
        use hickory_proto::dnssec::{PublicKey, TrustAnchors};
        let (zone, ds) = Anchors::root().start(&wire("mx.example.")).expect("the root");
        assert_eq!((&*zone, ds.len()), (ROOT, 2));
        let theirs = TrustAnchors::default();
        let digests: Vec<Vec<u8>> = (0..theirs.len())
            .map(|at| crate::sign::key::dnskey_data(257, 8, theirs.get(at).expect("a key").public_bytes()))
            .map(|key| ds_of(ROOT, &key).expect("a zone key"))
            .collect();
        assert!(ds.iter().all(|ds| digests.contains(ds)), "{ds:?} {digests:?}");
    }

    #[test]
    fn the_deepest_anchor_at_or_above_is_the_start() {
        let ds = |owner: &str, tag: u16| format!("{owner} 3600 in ds {tag} 13 2 {}\n", "ab".repeat(32));
        let text = format!("; ours\n\n{}{}{}", ds(".", 1), ds("Example.", 2), ds("mx.example.", 3));
        let anchors = Anchors::parse(&text).expect("anchors");
        for (zone, tag) in [("mx.example.", 3), ("a.mx.example.", 3), ("my.example.", 2), ("example.", 2), ("net.", 1)]
        {
            let (_, ds) = anchors.start(&wire(zone)).expect("an anchor");
            assert_eq!(ds[0][..2], u16::to_be_bytes(tag), "{zone}");
        }
        assert_eq!(Anchors::parse(&ds("example.", 2)).expect("one").start(&wire("net.")), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, line, part) in [
            ("", 1, "no DS"),
            ("; nothing", 1, "no DS"),
            ("\nexample. A 192.0.2.1", 2, "neither DS nor DNSKEY"),
            ("example. DS 1 13 1 0123456789012345678901234567890123456789", 1, "SHA-256"),
            ("example. DS 1 13 2 01", 1, "digest"),
            ("example. DNSKEY 385 3 13 AQID", 1, "revoked"),
            ("example. DNSKEY 0 3 13 AQID", 1, "may not sign"),
            ("exa..mple. DS 1", 1, "no name"),
        ] {
            let fault = Anchors::parse(text).expect_err(text);
            assert!(fault.line == line && fault.message.contains(part), "{text}: {fault}");
        }
    }
}
