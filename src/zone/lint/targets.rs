//! Hosts that records name: whether they are there, and whether the name is the one that was meant.

use super::standing::{self, Standing};
use super::{Slip, Subject};
use crate::dns::name::{self, Name};
use crate::dns::rtype::{self, number as rt};
use crate::zone::master::OwnRecord as Record;

/// What may be wrong with the names of a record, worst first.
pub(super) fn slip(subject: &Subject<'_>, record: &Record) -> Option<Slip> {
    if is_doubled(&record.owner, subject.apex) {
        let message = format!("the owner {} has the name of the zone twice", record.owner);
        return Some(Slip::new("MX2134", message, dot_help(&record.owner, subject.apex)));
    }
    if record.rtype == rt::TLSA {
        return tlsa(subject, record);
    }
    let target = target_of(record)?;
    let kind = rtype::print(record.rtype);
    misread(subject, record, &target, &kind).or_else(|| absent(subject, record, &target, &kind))
}

/// A target that is not the name that was meant.
fn misread(subject: &Subject<'_>, record: &Record, target: &Name, kind: &str) -> Option<Slip> {
    let (owner, apex) = (&record.owner, subject.apex);
    let is_reverse = name::labels(apex).last() == Some(b"arpa");
    if is_address(target) && !is_reverse {
        let message = format!("{kind} of {owner} names {target}, which looks like an address");
        let help =
            format!("{kind} takes the name of a host (RFC 1035 § 3.3): write one, and give that name the address");
        return Some(Slip::new("MX2133", message, help));
    }
    if is_doubled(target, apex) || (record.rtype == rt::PTR && is_reverse && name::is_within(target, apex)) {
        let message = format!("{kind} of {owner} names {target}: the name of the zone was added to it");
        return Some(Slip::new("MX2134", message, dot_help(target, apex)));
    }
    if needs_host(record.rtype) && !is_host_name(target, apex) {
        let message = format!("{kind} of {owner} names {target}, which is no name of a host");
        let help =
            "names of hosts have letters, digits and dashes only (RFC 1123 § 2.1), and some programs refuse others";
        return Some(Slip::new("MX2135", message, help));
    }
    None
}

/// A target that this zone should have, and has not.
fn absent(subject: &Subject<'_>, record: &Record, target: &Name, kind: &str) -> Option<Slip> {
    let (owner, apex) = (&record.owner, subject.apex);
    // Glue that is missing below its own delegation is told by the checks of the zone itself.
    if record.rtype == rt::NS && owner != apex && name::is_within(target, owner) {
        return None;
    }
    match standing::of(subject.content, apex, target) {
        Standing::Missing if !matches!(record.rtype, rt::PTR | rt::DNAME) => {
            let message = format!("{kind} of {owner} names {target}, which does not exist");
            let more = name::label_count(target).saturating_sub(name::label_count(apex)) > 1;
            let help = match more {
                true => format!("{}; or give that name its records", dot_help(target, apex)),
                false => "give that name an A or AAAA record, or correct it".to_owned(),
            };
            Some(Slip { endpoint: endpoint(target, apex), ..Slip::new("MX2130", message, help) })
        }
        Standing::There { address: false } if needs_host(record.rtype) => {
            let message = format!("{kind} of {owner} names {target}, which has no address");
            Some(Slip::new("MX2131", message, "give that name an A or AAAA record"))
        }
        Standing::Alias if needs_host(record.rtype) => {
            let message = format!("{kind} of {owner} names {target}, which is an alias");
            let help = "write the name that the alias leads to: it must be no alias (RFC 2181 § 10.3, RFC 2782)";
            Some(Slip::new("MX2132", message, help))
        }
        Standing::Missing | Standing::There { .. } | Standing::Alias | Standing::Others => None,
    }
}

/// TLSA beside no host: nobody connects there, so nobody asks (RFC 6698 § 3).
fn tlsa(subject: &Subject<'_>, record: &Record) -> Option<Slip> {
    let is_service = |label: Option<&[u8]>| label.is_some_and(|label| label.starts_with(b"_") || label == b"*");
    let service = name::parent(&record.owner).filter(|_| is_service(name::labels(&record.owner).next()))?;
    let host = name::parent(service).filter(|_| is_service(name::labels(service).next()))?;
    match standing::of(subject.content, subject.apex, host) {
        Standing::There { address: true } | Standing::Alias | Standing::Others => None,
        Standing::There { address: false } | Standing::Missing => {
            let message = format!("TLSA of {} is for {}, which has no address", record.owner, name::print(host));
            let help = "give that host an A or AAAA record, or remove the TLSA";
            Some(Slip { endpoint: endpoint(host, subject.apex), ..Slip::new("MX2136", message, help) })
        }
    }
}

fn needs_host(rtype: u16) -> bool {
    matches!(rtype, rt::NS | rt::MX | rt::SRV)
}

/// The host or alias that a record names, in lower case; none where it names no host at all (RFC 7505 § 3, RFC 2782).
fn target_of(record: &Record) -> Option<Name> {
    let skip = match record.rtype {
        rt::NS | rt::CNAME | rt::PTR | rt::DNAME => 0,
        rt::MX | rt::SVCB | rt::HTTPS => 2,
        rt::SRV => 6,
        _ => return None,
    };
    let rest = record.data.get(skip..)?;
    let name = name::ancestors(rest).find(|rest| rest.first() == Some(&0))?;
    let octets = rest.len() - name.len() + 1;
    Some(Name::from_wire(rest.get(..octets)?).ok()?.to_lower()).filter(|name| **name != *name::ROOT)
}

/// A label just below the apex may be a tenant's endpoint.
fn endpoint(target: &[u8], apex: &[u8]) -> Option<Box<[u8]>> {
    name::labels(target).next().filter(|_| name::parent(target) == Some(apex)).map(Into::into)
}

/// `www.mx.test.mx.test.`: a name that was written whole, without its final dot. A zone of one label may well have a
/// name twice.
fn is_doubled(name: &[u8], apex: &[u8]) -> bool {
    let (labels, of_apex) = (name::label_count(name), name::label_count(apex));
    let written: Vec<&[u8]> = name::labels(name).take(labels.saturating_sub(of_apex)).collect();
    let apex_labels: Vec<&[u8]> = name::labels(apex).collect();
    of_apex > 1 && name::is_within(name, apex) && written.ends_with(&apex_labels)
}

/// What to do where the zone was added to a name that was meant whole.
fn dot_help(name: &[u8], apex: &[u8]) -> String {
    let text = name::print(name);
    let written = text.strip_suffix(&name::print(apex)).unwrap_or(&text);
    let written = if written.ends_with('.') { written.to_owned() } else { format!("{written}.") };
    format!("where its final dot is missing, add it: `{written}`")
}

fn is_address(name: &[u8]) -> bool {
    let octet =
        |label: &&[u8]| std::str::from_utf8(label).is_ok_and(|text| text.len() <= 3 && text.parse::<u8>().is_ok());
    let four = name::labels(name).take(4).filter(octet).count() == 4;
    four || name::labels(name).next().is_some_and(|label| label.contains(&b':'))
}

/// Nobody can change what the zone itself is called.
fn is_host_name(name: &[u8], apex: &[u8]) -> bool {
    let good = |label: &[u8]| {
        let ends = label.first().into_iter().chain(label.last());
        label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') && !ends.into_iter().any(|b| *b == b'-')
    };
    let own = if name::is_within(name, apex) { name::label_count(apex) } else { 0 };
    name::labels(name).take(name::label_count(name) - own).all(good)
}
