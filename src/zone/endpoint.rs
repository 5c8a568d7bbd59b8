//! A tenant as it is served: records of its own or its pool's, and the signatures over them.
//!
//! A tenant never copies what its pool gives, so a change of a pool is a change of one object.

use crate::dns::rrset::{RECORD_HEAD, RrsetView, digest, push_record};
use crate::dns::rtype::number as rtype;
use crate::sign::denial;
use crate::sign::memo::Slot;
use crate::zone::table::Keyed;
use crate::zone::tenant::{Definition, SpkiDigest};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// TTL of A, AAAA and TLSA of tenants: half an hour bounds the damage of a surprise certificate.
pub const TENANT_TTL: u32 = 1800;
/// Index of a pool, fixed while the process lives.
pub type PoolIndex = u32;

/// A, AAAA and TLSA in wire form: of a pool, or of a tenant that has its own. One block of memory, since a million of
/// these lie in no cache: the digest, the octets of each type in the order of [`KINDS`], the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Box<[u8]>);

/// Octets of the lengths in [`Records`].
const LENGTHS: usize = 2 * KINDS.len();
/// Octets of one prepared record of each of [`KINDS`]: an address, an address, and 3 1 1 with a SHA-256.
const RECORD_OCTETS: [usize; 3] = [RECORD_HEAD + 4, RECORD_HEAD + 16, RECORD_HEAD + 35];

/// The types that a tenant has, in the order in which its signatures are kept.
pub const KINDS: [u16; 3] = [rtype::A, rtype::AAAA, rtype::TLSA];

/// The records of all pools by index; a pool that is not defined has none.
pub type Pools = Vec<Option<Arc<Records>>>;

/// One tenant, ready to answer.
pub struct Tenant {
    /// Its endpoint's label below the apex, lower case.
    pub label: Box<[u8]>,
    /// Its domain as an A-label.
    pub domain: Box<str>,
    /// Its pool.
    pub pool: Option<PoolIndex>,
    /// Records of its own; each kind that is empty comes from the pool.
    pub own: Option<Records>,
    /// Whether TLSA is published.
    pub dane: bool,
    /// Whether its file names the endpoint.
    pub explicit_endpoint: bool,
    /// The file that defines it, as the control plane numbers files.
    pub file: u32,
    line: AtomicU32,
    positive: [Slot; 3],
    /// Signatures over the NSEC of the endpoint, of `_tcp` and of `_25._tcp`; made when first asked.
    denials: OnceLock<Box<[Slot; 3]>>,
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

impl Records {
    /// Prepares records; at most 255 of a kind are used, which the parsers' limits keep far below.
    pub fn new(addresses: &[IpAddr], tlsa: &[SpkiDigest]) -> Records {
        let mut kinds: [Vec<Vec<u8>>; 3] = Default::default();
        for address in addresses {
            match address {
                IpAddr::V4(v4) => kinds[0].push(v4.octets().to_vec()),
                IpAddr::V6(v6) => kinds[1].push(v6.octets().to_vec()),
            }
        }
        // RFC 7671 § 5.1: usage 3, selector 1, matching type 1.
        kinds[2].extend(tlsa.iter().map(|spki| [&[3u8, 1, 1][..], spki].concat()));
        let (mut wire, mut head) = (Vec::new(), Vec::with_capacity(LENGTHS));
        for (kind, data) in KINDS.iter().zip(&mut kinds) {
            data.sort_unstable();
            data.dedup();
            data.truncate(255);
            let start = wire.len();
            for rdata in data.iter() {
                push_record(&mut wire, *kind, TENANT_TTL, rdata).ok();
            }
            head.extend_from_slice(&u16::try_from(wire.len() - start).unwrap_or(0).to_ne_bytes());
        }
        Records([&digest(0, TENANT_TTL, &wire).to_ne_bytes()[..], &head, &wire].concat().into_boxed_slice())
    }

    /// One RRset; none where there are no records of that kind.
    pub fn set(&self, kind: usize) -> Option<RrsetView<'_>> {
        let (digest, rest) = self.0.split_first_chunk::<8>()?;
        let (lengths, mut wire) = rest.split_first_chunk::<LENGTHS>()?;
        let mut lengths = lengths.as_chunks::<2>().0.iter().map(|length| usize::from(u16::from_ne_bytes(*length)));
        for before in lengths.by_ref().take(kind) {
            wire = wire.get(before..)?;
        }
        let length = lengths.next().filter(|length| *length > 0)?;
        Some(RrsetView {
            rtype: *KINDS.get(kind)?,
            ttl: TENANT_TTL,
            count: u16::try_from(length / RECORD_OCTETS.get(kind)?).ok()?,
            wire: wire.get(..length)?,
            digest: u64::from_ne_bytes(*digest),
        })
    }

    /// The addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let v4 = self.set(0).into_iter().flat_map(RrsetView::data);
        let v6 = self.set(1).into_iter().flat_map(RrsetView::data);
        let v4 = v4.filter_map(|data| <[u8; 4]>::try_from(data).ok().map(IpAddr::from));
        v4.chain(v6.filter_map(|data| <[u8; 16]>::try_from(data).ok().map(IpAddr::from))).collect()
    }

    /// The digests of TLSA 3 1 1.
    pub fn tlsa(&self) -> Vec<SpkiDigest> {
        let data = self.set(2).into_iter().flat_map(RrsetView::data);
        data.filter_map(|data| data.get(3..)?.try_into().ok()).collect()
    }
}

impl Tenant {
    /// The tenant of a definition whose pool has been looked up.
    pub fn new(definition: &Definition, pool: Option<PoolIndex>, file: u32) -> Tenant {
        let own = (!definition.addresses.is_empty() || !definition.tlsa.is_empty())
            .then(|| Records::new(&definition.addresses, &definition.tlsa));
        Tenant {
            label: definition.endpoint.as_bytes().into(),
            domain: definition.domain.as_str().into(),
            pool,
            own,
            dane: definition.dane,
            explicit_endpoint: definition.explicit_endpoint,
            file,
            line: AtomicU32::new(definition.line),
            positive: Default::default(),
            denials: OnceLock::new(),
        }
    }

    /// The line of its file that defines it.
    pub fn line(&self) -> u32 {
        self.line.load(Ordering::Relaxed)
    }

    /// Its line moved, which is no change of the tenant.
    pub fn set_line(&self, line: u32) {
        self.line.store(line, Ordering::Relaxed);
    }

    /// The definition that gives this tenant again; `pool` is the name of its pool.
    pub fn definition(&self, pool: Option<&str>) -> Definition {
        let own = self.own.as_ref();
        Definition {
            domain: self.domain.to_string(),
            endpoint: String::from_utf8_lossy(&self.label).into_owned(),
            explicit_endpoint: self.explicit_endpoint,
            pool: pool.map(str::to_owned),
            addresses: own.map(Records::addresses).unwrap_or_default(),
            tlsa: own.map(Records::tlsa).unwrap_or_default(),
            dane: self.dane,
            line: self.line(),
        }
    }

    /// Whether it answers and is listed as `other` does, wherever both are written.
    pub fn same_content(&self, other: &Tenant) -> bool {
        self.label == other.label
            && self.domain == other.domain
            && self.pool == other.pool
            && self.own == other.own
            && self.dane == other.dane
            && self.explicit_endpoint == other.explicit_endpoint
    }

    /// Takes over the signatures of the tenant that this one replaces; stale ones no longer match their stamps.
    pub fn adopt(&self, before: &Tenant) {
        for (slot, old) in self.positive.iter().zip(&before.positive) {
            slot.copy_from(old);
        }
    }

    /// One RRset: its own, else its pool's.
    pub fn set<'a>(&'a self, kind: usize, pools: &'a Pools) -> Option<RrsetView<'a>> {
        if kind == 2 && !self.dane {
            return None;
        }
        // Addresses of its own replace those of the pool in both families.
        let kinds = if kind == 2 { 2..3 } else { 0..2 };
        let own = self.own.as_ref().filter(|own| kinds.clone().any(|k| own.set(k).is_some()));
        match own {
            Some(own) => own.set(kind),
            None => pools.get(usize::try_from(self.pool?).ok()?)?.as_ref()?.set(kind),
        }
    }

    /// Reads where the parts of this tenant lie, and its signature of a kind, into caches.
    pub fn touch(&self, kind: usize) -> u64 {
        let own = self.own.as_ref().map_or(0, |own| own.0.len());
        u64::from(self.dane)
            ^ u64::try_from(self.label.len() ^ own).unwrap_or(0)
            ^ self.positive.get(kind).map_or(0, Slot::touch)
    }

    /// Reads its label and its own records of a kind into caches, after [`Tenant::touch`].
    pub fn touch_data(&self, kind: usize) -> u64 {
        let own = self.own.as_ref().map_or(&[][..], |own| &own.0);
        let octets = [self.label.first(), own.first(), own.get(32 * kind), own.last()];
        octets.into_iter().flatten().fold(0, |sum, octet| sum ^ u64::from(*octet))
    }

    /// Where the signature of a kind is kept.
    pub fn slot(&self, kind: usize) -> Option<&Slot> {
        self.positive.get(kind)
    }

    /// Where the signature of a part's NSEC is kept.
    pub fn denial_slot(&self, part: Part) -> &Slot {
        let [endpoint, tcp, port25] = self.denials.get_or_init(Default::default).as_ref();
        match part {
            Part::Endpoint => endpoint,
            Part::Tcp => tcp,
            Part::Port25 => port25,
        }
    }

    /// The types at a part.
    pub fn bitmap(&self, part: Part, pools: &Pools) -> &'static [u8] {
        static ENDPOINT: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
            [0b00u8, 0b01, 0b10, 0b11].map(|has| {
                let a = (has & 1 != 0).then_some(rtype::A);
                let aaaa = (has & 2 != 0).then_some(rtype::AAAA);
                denial::bitmap([rtype::RRSIG, rtype::NSEC].into_iter().chain(a).chain(aaaa))
            })
        });
        static PORT25: LazyLock<Vec<u8>> = LazyLock::new(|| denial::bitmap([rtype::TLSA, rtype::RRSIG, rtype::NSEC]));
        match part {
            Part::Endpoint => {
                let has = usize::from(self.set(0, pools).is_some()) | usize::from(self.set(1, pools).is_some()) << 1;
                ENDPOINT.get(has).map_or(denial::empty(), Vec::as_slice)
            }
            Part::Tcp => denial::empty(),
            Part::Port25 => &PORT25,
        }
    }

    /// Which part `below` names: the labels in front of the endpoint, as wire octets without a final zero.
    pub fn part(&self, below: &[u8], pools: &Pools) -> Option<Part> {
        match below {
            b"" => Some(Part::Endpoint),
            b"\x04_tcp" if self.set(2, pools).is_some() => Some(Part::Tcp),
            b"\x03_25\x04_tcp" if self.set(2, pools).is_some() => Some(Part::Port25),
            _ => None,
        }
    }
}

impl Keyed for Tenant {
    fn key(&self) -> &[u8] {
        &self.label
    }
}

/// The label of `name` just below an apex of `apex_octets` octets, which it lies within, and the octets in front of it.
pub fn split_endpoint(name: &[u8], apex_octets: usize) -> Option<(&[u8], &[u8])> {
    let end = name.len().checked_sub(apex_octets)?;
    let mut at = 0;
    while at < end {
        let next = at + 1 + usize::from(*name.get(at)?);
        if next == end {
            return Some((name.get(..at)?, name.get(at + 1..next)?));
        }
        at = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_as_they_were_put_in() {
        let addresses: Vec<IpAddr> =
            ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|text| text.parse().expect("an address")).to_vec();
        let digests = [[1u8; 32], [2; 32], [3; 32]];
        for (four, six, tlsa) in (0..12).map(|n| (n % 3, n / 3 % 2, n / 6 * 3)) {
            let wanted = [&addresses[..four], &addresses[2..2 + six]].concat();
            let records = Records::new(&wanted, &digests[..tlsa]);
            assert_eq!(records.addresses(), wanted);
            assert_eq!(records.tlsa(), &digests[..tlsa]);
            let counts = [0, 1, 2].map(|kind| records.set(kind).map_or(0, |set| usize::from(set.count)));
            assert_eq!(counts, [four, six, tlsa]);
        }
        assert!(Records::default().set(0).is_none());
    }

    #[test]
    fn an_endpoint_is_the_label_just_below_the_apex() {
        let name = b"\x03_25\x04_tcp\x01t\x02mx\x00";
        assert_eq!(split_endpoint(name, 4), Some((&b"\x03_25\x04_tcp"[..], &b"t"[..])));
        assert_eq!(split_endpoint(name, 1), Some((&b"\x03_25\x04_tcp\x01t"[..], &b"mx"[..])));
        assert_eq!(split_endpoint(&name[9..], 4), Some((&b""[..], &b"t"[..])));
        assert_eq!(split_endpoint(&name[11..], 4), None, "the apex itself");
        assert_eq!(split_endpoint(&name[11..], 5), None);
    }
}
