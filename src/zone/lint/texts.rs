//! Records that mail programs read as text: SPF, DMARC and their like, CAA, mailboxes; and addresses in a wrong form.

use super::Slip;
use crate::dns::name::{self, Name};
use crate::dns::rtype::number as rt;
use crate::fields::{nearest, shown};
use crate::zone::master::OwnRecord as Record;
use std::collections::BTreeSet;

/// Policies: the label that they stand at, what they begin with, what they cannot do without, and what says so.
const POLICIES: [(&str, &str, &str, &str); 4] = [
    ("_dmarc", "v=DMARC1", "p=", "RFC 7489 § 6.3"),
    ("_mta-sts", "v=STSv1", "id=", "RFC 8461 § 3.1"),
    ("_tls", "v=TLSRPTv1", "rua=", "RFC 8460 § 3"),
    ("_domainkey", "v=DKIM1", "p=", "RFC 6376 § 3.6.1"),
];
/// What parts of SPF begin with (RFC 7208 § 12).
const SPF_TERMS: [&str; 12] =
    ["include:", "ip4:", "ip6:", "exists:", "redirect=", "exp=", "a:", "mx:", "-all", "~all", "?all", "+all"];
/// Tags of CAA (RFC 8659 § 4.1, RFC 9495, CA/Browser Forum, VMC).
const CAA_TAGS: [&str; 7] = ["issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"];

/// Reads the records of a zone in turn.
#[derive(Default)]
pub(super) struct Texts {
    /// Owners that have SPF, and owners that have a DMARC policy.
    seen: BTreeSet<(Name, &'static str)>,
}

impl Texts {
    /// What may be wrong with the data of a record.
    pub(super) fn slips(&mut self, record: &Record) -> Vec<Slip> {
        let one = match record.rtype {
            rt::TXT => return self.txt(record),
            rt::CAA => caa(record),
            rt::SOA => soa_mailbox(&record.data).and_then(|mailbox| at_sign(record, "SOA", mailbox)),
            rt::RP => at_sign(record, "RP", &record.data),
            rt::AAAA => mapped(record),
            _ => None,
        };
        one.into_iter().collect()
    }

    fn txt(&mut self, record: &Record) -> Vec<Slip> {
        let strings = strings(&record.data);
        let whole = strings.concat();
        let mut found = Vec::new();
        if begins(&whole, "v=spf1") {
            found.extend(spf(record, &strings, &whole));
            found.extend(self.second(record, "SPF", "mail servers take neither (RFC 7208 § 4.5): write one"));
        }
        for (label, version, needed, source) in POLICIES {
            if !at_label(&record.owner, label) || !begins(&whole, version) {
                continue;
            }
            if label == "_dmarc" {
                found.extend(self.second(record, "DMARC", "mail servers take none (RFC 7489 § 6.6.3): write one"));
            }
            if !whole.to_ascii_lowercase().split(';').any(|tag| tag.trim_start().starts_with(needed)) {
                let message =
                    format!("the policy of {} ends before `{needed}`, which it needs ({source})", record.owner);
                let help =
                    "quote the text: outside of quotes a semicolon begins a comment, as in TXT \"v=DMARC1; p=none\"";
                found.push(Slip::new("MX2141", message, help));
            }
        }
        found
    }

    fn second(&mut self, record: &Record, kind: &'static str, help: &str) -> Option<Slip> {
        let is_first = self.seen.insert((record.owner.clone(), kind));
        (!is_first).then(|| Slip::new("MX2143", format!("{} has two {kind} records", record.owner), help))
    }
}

/// Strings are put together without blanks between them (RFC 7208 § 3.3).
fn spf(record: &Record, strings: &[String], whole: &str) -> Option<Slip> {
    let glued = whole.get(6..).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '));
    let term = |next: &str| SPF_TERMS.iter().any(|term| next.to_ascii_lowercase().starts_with(term));
    let bare = |pair: &[String]| matches!(pair, [one, next] if !one.ends_with(' ') && term(next));
    if !glued && !strings.windows(2).any(bare) {
        return None;
    }
    let message =
        format!("SPF of {} reads `{}`: its strings are put together without blanks", record.owner, shown(whole));
    Some(Slip::new(
        "MX2140",
        message,
        "quote it as a whole, as in TXT \"v=spf1 mx -all\"; a long one takes a blank at the end of each string",
    ))
}

fn caa(record: &Record) -> Option<Slip> {
    let length = usize::from(*record.data.get(1)?);
    let tag = String::from_utf8_lossy(record.data.get(2..2 + length)?).to_ascii_lowercase();
    if CAA_TAGS.contains(&tag.as_str()) {
        return None;
    }
    let message = format!("CAA of {} has the tag `{}`, which no authority knows", record.owner, shown(&tag));
    let help = match nearest(&tag, &CAA_TAGS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {} (RFC 8659 § 4)", CAA_TAGS.join(", ")),
    };
    Some(Slip::new("MX2142", message, help))
}

/// A mailbox is a name: its first dot stands for `@` (RFC 1035 § 8).
fn at_sign(record: &Record, kind: &str, mailbox: &[u8]) -> Option<Slip> {
    let has = name::labels(mailbox).any(|label| label.contains(&b'@'));
    has.then(|| {
        let message = format!("the mailbox in {kind} of {} holds `@`", record.owner);
        Slip::new("MX2144", message, "write a dot in its place: hostmaster.example.com. (RFC 1035 § 8)")
    })
}

fn soa_mailbox(data: &[u8]) -> Option<&[u8]> {
    let first = name::ancestors(data).find(|rest| rest.first() == Some(&0))?;
    first.get(1..)
}

fn mapped(record: &Record) -> Option<Slip> {
    let prefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    record.data.starts_with(&prefix).then(|| {
        let message = format!("AAAA of {} holds an IPv4 address (::ffff:0:0/96)", record.owner);
        Slip::new("MX2145", message, "write an A record: such addresses never cross a network (RFC 4291 § 2.5.5.2)")
    })
}

fn begins(text: &str, version: &str) -> bool {
    text.get(..version.len()).is_some_and(|head| head.eq_ignore_ascii_case(version))
}

/// The first label, or for keys of DKIM the second.
fn at_label(owner: &[u8], label: &str) -> bool {
    name::labels(owner).take(2).any(|one| one == label.as_bytes())
}

fn strings(data: &[u8]) -> Vec<String> {
    let (mut strings, mut rest) = (Vec::new(), data);
    while let Some((length, tail)) = rest.split_first() {
        let Some((string, more)) = tail.split_at_checked(usize::from(*length)) else { return strings };
        strings.push(String::from_utf8_lossy(string).into_owned());
        rest = more;
    }
    strings
}
