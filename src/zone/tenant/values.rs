//! Values of tenant and pool files: domains, endpoints, addresses, TLSA.
//!
//! Errors name the cause and never quote a certificate or a key.

use super::SpkiDigest;
use crate::dns::zone_name::to_a_labels;
use crate::fields::shown;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use ring::digest::{SHA256, digest};
use std::net::{IpAddr, Ipv4Addr};

/// Octets of a domain without its final dot, at most: 255 in wire form (RFC 1035 § 2.3.4).
const DOMAIN_OCTETS_MAX: usize = 253;
/// Octets of a label, at most (RFC 1035 § 2.3.4).
const LABEL_OCTETS_MAX: usize = 63;
/// Octets of an endpoint's hash in hex: 64 bits, so two of a billion long domains never meet by chance.
const ENDPOINT_HASH_OCTETS: usize = 16;
/// Octets of the domain in front of it.
const ENDPOINT_KEPT_OCTETS: usize = LABEL_OCTETS_MAX - ENDPOINT_HASH_OCTETS - 1;

/// A domain as it is compared and stored: A-labels (UTS 46), lower case, no final dot.
///
/// # Errors
/// Why it cannot receive mail: an empty or long label, another character than letters, digits and dashes, one label
/// only, or an address instead of a domain.
pub fn normal_domain(text: &str) -> Result<String, String> {
    let named = |cause: &str| format!("`{}` is not a domain: {cause}", shown(text));
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err("the domain is empty".to_owned());
    }
    let domain = if plain(text) { text.to_ascii_lowercase() } else { to_a_labels(text).map_err(|e| named(&e))? };
    if domain.len() > DOMAIN_OCTETS_MAX {
        return Err(named("it is longer than 253 octets"));
    }
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        check_label(label).map_err(|e| named(&e))?;
        labels += 1;
        last = label;
    }
    if labels < 2 {
        return Err(named("it has one label only; write the whole domain, as in `contoso.com`"));
    }
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(named("its last label is a number, as in an address"));
    }
    Ok(domain)
}

/// The label of a domain's endpoint: dots become dashes. Where that has more than 63 octets, or dashes in the third and
/// fourth place as only A-labels may (RFC 5890 § 2.3.1), it is the first 46 octets with single dashes, a dash, and 16 hex
/// digits of the SHA-256 of the domain, so it is the same on each instance and at each start, and anybody can compute it.
pub fn endpoint_of(domain: &str) -> String {
    let endpoint = domain.replace('.', "-");
    if endpoint.len() <= LABEL_OCTETS_MAX && !is_reserved(&endpoint) {
        return endpoint;
    }
    let mut kept = String::with_capacity(LABEL_OCTETS_MAX);
    for letter in endpoint.chars() {
        let is_doubled = letter == '-' && kept.ends_with('-');
        if !is_doubled && kept.len() < ENDPOINT_KEPT_OCTETS {
            kept.push(letter);
        }
    }
    format!("{}-{}", kept.trim_end_matches('-'), endpoint_hash(domain))
}

/// What was made of a domain before labels were avoided that no IDNA-aware program takes; none: the same as today.
pub fn old_endpoint_of(domain: &str) -> Option<String> {
    let endpoint = domain.replace('.', "-");
    if endpoint.len() <= LABEL_OCTETS_MAX {
        return is_reserved(&endpoint).then_some(endpoint);
    }
    let kept: String = endpoint.chars().take(ENDPOINT_KEPT_OCTETS).collect();
    let old = format!("{kept}-{}", endpoint_hash(domain));
    (old != endpoint_of(domain)).then_some(old)
}

fn endpoint_hash(domain: &str) -> String {
    let digest = digest(&SHA256, domain.as_bytes());
    HEXLOWER.encode(digest.as_ref()).chars().take(ENDPOINT_HASH_OCTETS).collect()
}

/// Whether a label has dashes in the third and fourth place.
fn is_reserved(label: &str) -> bool {
    label.as_bytes().get(2..4) == Some(b"--")
}

/// Whether a label looks like an A-label and is none: IDNA-aware programs refuse such a name (RFC 5890 § 2.3.1, UTS 46).
pub fn is_false_a_label(label: &str) -> bool {
    let form = |label: &str| {
        let ascii = Uts46::new().to_ascii(label.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify);
        ascii.is_ok_and(|ascii| ascii == label)
    };
    is_reserved(label) && !(label.starts_with("xn--") && form(label))
}

/// An endpoint that a file names itself: one label of letters, digits and dashes, in lower case.
///
/// # Errors
/// Why it is none.
pub fn endpoint_label(text: &str) -> Result<String, String> {
    let named = |cause: String| format!("`{}` is not an endpoint: {cause}", shown(text));
    if text.contains('.') {
        return Err(named("it is one label below the zone, without dots".to_owned()));
    }
    check_label(text).map_err(named)?;
    Ok(text.to_ascii_lowercase())
}

/// An address that a host can have.
///
/// # Errors
/// Why a sender could not reach it.
pub fn address_of(text: &str) -> Result<IpAddr, String> {
    let named = |cause: &str| format!("`{}` is not an address of a host: {cause}", shown(text));
    let address: IpAddr = text.parse().map_err(|_| named("write it as 192.0.2.25 or 2001:db8::25, without port"))?;
    if address.is_unspecified() {
        return Err(named("it means no address"));
    }
    if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(named("it means many hosts"));
    }
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(named("write the IPv4 address in it as such")),
        IpAddr::V6(_) | IpAddr::V4(_) => Ok(address),
    }
}

/// TLSA `3 1 1` in presentation form (RFC 6698 § 2.2); white space inside the digest is allowed.
///
/// # Errors
/// Why it is refused. Other parameters are refused on purpose: each says why (RFC 7672 § 3.1).
pub fn tlsa_of(text: &str) -> Result<SpkiDigest, String> {
    let form = "write `3 1 1` and the SHA-256 of the public key in 64 hex digits";
    let mut words = text.split_ascii_whitespace();
    let mut number = || words.next().and_then(|word| word.parse::<u8>().ok());
    let (Some(usage), Some(selector), Some(matching)) = (number(), number(), number()) else {
        return Err(format!("`{}` is not a TLSA: {form}", shown(text)));
    };
    if let Some(cause) = refused_parameters(usage, selector, matching) {
        return Err(format!("TLSA `{usage} {selector} {matching}` is refused: {cause}; {form}"));
    }
    let mut octets = [0; 32];
    let mut whole = words.clone();
    if let (Some(hex), None) = (whole.next(), whole.next())
        && hex.len() == 64
        && HEXLOWER_PERMISSIVE.decode_mut(hex.as_bytes(), &mut octets).is_ok()
    {
        return Ok(octets);
    }
    let hex: Vec<u8> = words.flat_map(str::bytes).map(|b| b.to_ascii_lowercase()).collect();
    if hex.contains(&b':') {
        return Err("the digest of a TLSA is written without colons: 64 hex digits and nothing between them".to_owned());
    }
    if hex.len() != 64 {
        return Err(format!("the digest of a TLSA `3 1 1` has 64 hex digits, not {}", hex.len()));
    }
    let octets = HEXLOWER.decode(&hex).map_err(|_| "the digest of the TLSA has other characters than 0-9 and a-f")?;
    octets.try_into().map_err(|_| "the digest of the TLSA is not 32 octets".to_owned())
}

/// `3 1 1` and the digest in hex: the form that [`tlsa_of`] reads.
pub fn print_tlsa(digest: &SpkiDigest) -> String {
    format!("3 1 1 {}", HEXLOWER.encode(digest))
}

fn refused_parameters(usage: u8, selector: u8, matching: u8) -> Option<&'static str> {
    match (usage, selector, matching) {
        (3, 1, 1) => None,
        (0 | 1, _, _) => Some("senders of mail do not use the usages PKIX-TA and PKIX-EE (RFC 7672 § 3.1.3)"),
        (2, _, _) => Some(
            "with usage DANE-TA a change at the issuing authority stops mail without warning; name the host's own key",
        ),
        (3, 0, _) => Some("selector Cert changes with every renewal, selector SPKI only with the key (RFC 7671 § 5.1)"),
        (3, 1, 0) => Some("matching type Full puts a whole key into each answer"),
        (3, 1, 2) => Some("not every sender knows SHA-512 (RFC 7671 § 10.1.2)"),
        _ => Some("RFC 6698 § 7 does not know these parameters"),
    }
}

/// Whether UTS 46 would only lower the case: plain ASCII, and no label that claims to be an A-label.
fn plain(text: &str) -> bool {
    text.is_ascii() && !text.as_bytes().windows(4).any(|octets| octets.eq_ignore_ascii_case(b"xn--"))
}

/// Letters, digits and dashes, no dash at an end (RFC 1123 § 2.1).
fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("a label is empty".to_owned());
    }
    if label.len() > LABEL_OCTETS_MAX {
        return Err("a label is longer than 63 octets".to_owned());
    }
    if let Some(other) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return Err(format!("`{}` is neither a letter, a digit nor a dash", shown(&other.to_string())));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a label begins or ends with a dash".to_owned());
    }
    Ok(())
}
