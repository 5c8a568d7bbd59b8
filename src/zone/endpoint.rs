//! A tenant as it is served: records of its own or its pool's, and the signatures over them.
//!
//! A tenant never copies what its pool gives, so a change of a pool is a change of one object.

use crate::dns::rrset::{RECORD_HEAD, RrsetView, digest, push_record};
use crate::dns::rtype::number as rtype;
use crate::sign::denial;
use crate::sign::memo::Slot;
use crate::zone::table::Keyed;
use crate::zone::tenant::{Definition, SpkiDigest};
use arrayvec::ArrayVec;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// Index of a pool, fixed while the process lives.
pub type PoolIndex = u32;

/// A, AAAA and TLSA in wire form: of a pool, or of a tenant that has its own. One block of memory, since a million of
/// these lie in no cache: the digest, the TTL, the number of records of each type in the order of [`KINDS`], the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Box<[u8]>);

/// Octets of the numbers in [`Records`].
const COUNTS: usize = KINDS.len();
/// Octets of one prepared record of each of [`KINDS`]: an address, an address, and 3 1 1 with a SHA-256.
const RECORD_OCTETS: [usize; 3] = [RECORD_HEAD + 4, RECORD_HEAD + 16, RECORD_HEAD + 35];

/// The types that a tenant has, in the order in which its signatures are kept.
pub const KINDS: [u16; 3] = [rtype::A, rtype::AAAA, rtype::TLSA];

/// The records of all pools by index; a pool that is not defined has none.
pub type Pools = Vec<Option<Arc<Records>>>;

/// One tenant, ready to answer. A million of these are most of the memory of a server, so what is small lies together:
/// beside the signatures there is one block with all the rest.
pub struct Tenant {
    /// Number of its file, its pool, its label, its domain, records of its own; each kind of these that is empty comes
    /// from the pool.
    block: Box<[u8]>,
    line: AtomicU32,
    label_octets: u8,
    /// Octets of its domain in the block.
    domain_octets: u8,
    /// [`DANE`], [`EXPLICIT`], [`WHOLE`].
    flags: u8,
    /// Signatures over the NSEC of the endpoint, of `_tcp` and of `_25._tcp`; made when first asked.
    denials: OnceLock<Box<[Slot; 3]>>,
    positive: [Slot; 3],
}

/// TLSA is published.
const DANE: u8 = 1;
/// The file names the endpoint.
const EXPLICIT: u8 = 2;
/// The block holds the whole domain; else the places of its dots, which are dashes in the label.
const WHOLE: u8 = 4;
/// Octets in front of the label: numbers of file and pool.
const NUMBERS: usize = 8;
/// Octets of a domain, at most (RFC 1035 § 2.3.4).
const DOMAIN_OCTETS_MAX: usize = 253;
/// Stands for no pool.
const NO_POOL: PoolIndex = PoolIndex::MAX;

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
    /// Prepares records of one TTL in seconds; at most 255 of a kind are used, which the parsers' limits keep far below.
    pub fn new(addresses: &[IpAddr], tlsa: &[SpkiDigest], ttl: u32) -> Records {
        let mut kinds: [Vec<Vec<u8>>; 3] = Default::default();
        for address in addresses {
            match address {
                IpAddr::V4(v4) => kinds[0].push(v4.octets().to_vec()),
                IpAddr::V6(v6) => kinds[1].push(v6.octets().to_vec()),
            }
        }
        // RFC 7671 § 5.1: usage 3, selector 1, matching type 1.
        kinds[2].extend(tlsa.iter().map(|spki| [&[3u8, 1, 1][..], spki].concat()));
        let (mut wire, mut counts) = (Vec::new(), [0u8; COUNTS]);
        for ((kind, data), count) in KINDS.iter().zip(&mut kinds).zip(&mut counts) {
            data.sort_unstable();
            data.dedup();
            data.truncate(usize::from(u8::MAX));
            *count = u8::try_from(data.len()).unwrap_or(u8::MAX);
            for rdata in data.iter() {
                push_record(&mut wire, *kind, ttl, rdata).ok();
            }
        }
        let digest = digest(0, ttl, &wire).to_ne_bytes();
        Records([&digest[..], &ttl.to_ne_bytes(), &counts, &wire].concat().into_boxed_slice())
    }

    /// One RRset; none where there are no records of that kind.
    pub fn set(&self, kind: usize) -> Option<RrsetView<'_>> {
        set_in(&self.0, kind)
    }

    /// The addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        addresses_in(&self.0)
    }

    /// The digests of TLSA 3 1 1.
    pub fn tlsa(&self) -> Vec<SpkiDigest> {
        tlsa_in(&self.0)
    }
}

/// One RRset of the octets of [`Records`].
fn set_in(records: &[u8], kind: usize) -> Option<RrsetView<'_>> {
    let (digest, rest) = records.split_first_chunk::<8>()?;
    let (ttl, rest) = rest.split_first_chunk::<4>()?;
    let (counts, wire) = rest.split_first_chunk::<COUNTS>()?;
    let octets = |(count, octets): (&u8, &usize)| usize::from(*count) * octets;
    let start: usize = counts.iter().zip(&RECORD_OCTETS).take(kind).map(octets).sum();
    let count = *counts.get(kind).filter(|count| **count > 0)?;
    Some(RrsetView {
        rtype: *KINDS.get(kind)?,
        ttl: u32::from_ne_bytes(*ttl),
        count: u16::from(count),
        wire: wire.get(start..)?.get(..octets((&count, RECORD_OCTETS.get(kind)?)))?,
        digest: u64::from_ne_bytes(*digest),
    })
}

fn addresses_in(records: &[u8]) -> Vec<IpAddr> {
    let v4 = set_in(records, 0).into_iter().flat_map(RrsetView::data);
    let v6 = set_in(records, 1).into_iter().flat_map(RrsetView::data);
    let v4 = v4.filter_map(|data| <[u8; 4]>::try_from(data).ok().map(IpAddr::from));
    v4.chain(v6.filter_map(|data| <[u8; 16]>::try_from(data).ok().map(IpAddr::from))).collect()
}

fn tlsa_in(records: &[u8]) -> Vec<SpkiDigest> {
    let data = set_in(records, 2).into_iter().flat_map(RrsetView::data);
    data.filter_map(|data| data.get(3..)?.try_into().ok()).collect()
}

/// The domain as a block holds it: the places of its dots where the label says the rest, else whole; which of these.
fn domain_in_block(domain: &str, label: &[u8]) -> (ArrayVec<u8, DOMAIN_OCTETS_MAX>, u8) {
    let same = |(a, b): (u8, &u8)| a == *b || (a == b'.' && *b == b'-');
    if domain.len() == label.len() && domain.bytes().zip(label).all(same) {
        let dots = domain.bytes().zip(0u8..).filter(|(octet, _)| *octet == b'.').map(|(_, at)| at);
        return (dots.collect(), 0);
    }
    (domain.bytes().take(DOMAIN_OCTETS_MAX).collect(), WHOLE)
}

impl Tenant {
    /// The tenant of a definition whose pool has been looked up; records of its own have this TTL in seconds.
    pub fn new(definition: &Definition, pool: Option<PoolIndex>, file: u32, ttl: u32) -> Tenant {
        let own = (!definition.addresses.is_empty() || !definition.tlsa.is_empty())
            .then(|| Records::new(&definition.addresses, &definition.tlsa, ttl));
        let label = definition.endpoint.as_bytes();
        let (domain, whole) = domain_in_block(&definition.domain, label);
        let numbers = [file.to_ne_bytes(), pool.unwrap_or(NO_POOL).to_ne_bytes()];
        let own = own.as_ref().map_or(&[][..], |own| &own.0);
        let dane = if definition.dane { DANE } else { 0 };
        let explicit = if definition.explicit_endpoint { EXPLICIT } else { 0 };
        Tenant {
            block: [numbers.as_flattened(), label, &domain, own].concat().into_boxed_slice(),
            line: AtomicU32::new(definition.line),
            // A label has at most 63 octets, a domain 253: whoever reads definitions sees to that.
            label_octets: u8::try_from(label.len()).unwrap_or(u8::MAX),
            domain_octets: u8::try_from(domain.len()).unwrap_or(u8::MAX),
            flags: dane | explicit | whole,
            denials: OnceLock::new(),
            positive: Default::default(),
        }
    }

    /// Its endpoint's label below the apex, lower case.
    pub fn label(&self) -> &[u8] {
        self.block.get(NUMBERS..NUMBERS + usize::from(self.label_octets)).unwrap_or_default()
    }

    /// Its domain as an A-label.
    pub fn domain(&self) -> String {
        let stored = self.stored_domain();
        if self.flags & WHOLE != 0 {
            return String::from_utf8_lossy(stored).into_owned();
        }
        let mut domain = self.label().to_vec();
        for at in stored {
            domain.get_mut(usize::from(*at)).into_iter().for_each(|octet| *octet = b'.');
        }
        String::from_utf8(domain).unwrap_or_default()
    }

    /// Whether it is the tenant of that domain.
    pub fn is_of(&self, domain: &str) -> bool {
        let (stored, whole) = domain_in_block(domain, self.label());
        domain.len() <= DOMAIN_OCTETS_MAX && whole == self.flags & WHOLE && *stored == *self.stored_domain()
    }

    /// Its pool.
    pub fn pool(&self) -> Option<PoolIndex> {
        let number = self.block.get(4..)?.first_chunk()?;
        Some(PoolIndex::from_ne_bytes(*number)).filter(|pool| *pool != NO_POOL)
    }

    /// The file that defines it, as the control plane numbers files.
    pub fn file(&self) -> u32 {
        self.block.first_chunk().map_or(u32::MAX, |number| u32::from_ne_bytes(*number))
    }

    /// Whether its file names the endpoint.
    pub fn has_explicit_endpoint(&self) -> bool {
        self.flags & EXPLICIT != 0
    }

    /// Whether all that it answers is its pool's.
    pub fn is_all_of_pool(&self) -> bool {
        self.own().is_empty() && self.flags & DANE != 0
    }

    /// Addresses of its own that it has TLSA of its pool for: hosts there show keys of the pool.
    pub fn addresses_with_tlsa_of_pool(&self) -> Vec<IpAddr> {
        let own = self.own();
        let borrows = self.flags & DANE != 0 && self.pool().is_some() && !own.is_empty();
        if borrows && set_in(own, 2).is_none() { addresses_in(own) } else { Vec::new() }
    }

    /// The digest over all records of its own, and these; empty where it has none.
    fn own(&self) -> &[u8] {
        self.block.get(self.own_at()..).unwrap_or_default()
    }

    fn own_at(&self) -> usize {
        NUMBERS + usize::from(self.label_octets) + usize::from(self.domain_octets)
    }

    fn stored_domain(&self) -> &[u8] {
        self.block.get(NUMBERS + usize::from(self.label_octets)..self.own_at()).unwrap_or_default()
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
        Definition {
            domain: self.domain(),
            endpoint: String::from_utf8_lossy(self.label()).into_owned(),
            explicit_endpoint: self.has_explicit_endpoint(),
            pool: pool.map(str::to_owned),
            addresses: addresses_in(self.own()),
            tlsa: tlsa_in(self.own()),
            dane: self.flags & DANE != 0,
            line: self.line(),
        }
    }

    /// Whether it answers and is listed as `other` does, wherever both are written.
    pub fn same_content(&self, other: &Tenant) -> bool {
        // In front of the pool there is but the number of the file.
        let lengths = |tenant: &Tenant| (tenant.label_octets, tenant.domain_octets, tenant.flags);
        self.block.get(4..) == other.block.get(4..) && lengths(self) == lengths(other)
    }

    /// Takes over the signatures of the tenant that this one replaces; stale ones no longer match their stamps.
    pub fn adopt(&self, before: &Tenant) {
        for (slot, old) in self.positive.iter().zip(&before.positive) {
            slot.copy_from(old);
        }
    }

    /// One RRset: its own, else its pool's.
    pub fn set<'a>(&'a self, kind: usize, pools: &'a Pools) -> Option<RrsetView<'a>> {
        if kind == 2 && self.flags & DANE == 0 {
            return None;
        }
        // Addresses of its own replace those of the pool in both families.
        let kinds = if kind == 2 { 2..3 } else { 0..2 };
        let own = self.own();
        if kinds.into_iter().any(|kind| set_in(own, kind).is_some()) {
            return set_in(own, kind);
        }
        pools.get(usize::try_from(self.pool()?).ok()?)?.as_ref()?.set(kind)
    }

    /// Reads where the block of this tenant lies, and its signature of a kind, into caches.
    pub fn touch(&self, kind: usize) -> u64 {
        u64::from(self.flags)
            ^ u64::try_from(self.block.len()).unwrap_or(0)
            ^ self.positive.get(kind).map_or(0, Slot::touch)
    }

    /// Reads its label and its own records of a kind into caches, after [`Tenant::touch`].
    pub fn touch_data(&self, kind: usize) -> u64 {
        let own = self.own_at();
        let octets = [self.block.first(), self.block.get(own), self.block.get(own + 32 * kind), self.block.last()];
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
        self.label()
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
            let records = Records::new(&wanted, &digests[..tlsa], 1800);
            assert_eq!(records.addresses(), wanted);
            assert_eq!(records.tlsa(), &digests[..tlsa]);
            let counts = [0, 1, 2].map(|kind| records.set(kind).map_or(0, |set| usize::from(set.count)));
            assert_eq!(counts, [four, six, tlsa]);
            assert!((0..3).filter_map(|kind| records.set(kind)).all(|set| set.ttl == 1800));
        }
        assert!(Records::default().set(0).is_none());
    }

    fn tenant(domain: &str, endpoint: &str, pool: Option<PoolIndex>, file: u32) -> (Definition, Tenant) {
        let definition = Definition {
            domain: domain.to_owned(),
            endpoint: endpoint.to_owned(),
            explicit_endpoint: endpoint.starts_with('x'),
            pool: pool.map(|pool| pool.to_string()),
            addresses: vec![IpAddr::from([192, 0, 2, 1])],
            tlsa: vec![[7; 32]],
            dane: domain.len().is_multiple_of(2),
            line: 5,
        };
        let tenant = Tenant::new(&definition, pool, file, 1800);
        (definition, tenant)
    }

    #[test]
    fn a_tenant_gives_back_all_that_its_file_said() {
        let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
        let domains = ["t1.com", "foo-bar.com", "foo.bar-baz.com", "xn--e1afmkfd.xn--p1ai", &long];
        for (domain, pool) in domains.iter().flat_map(|domain| [(domain, None), (domain, Some(0)), (domain, Some(9))]) {
            for endpoint in [crate::zone::tenant::endpoint_of(domain), "x".to_owned(), "foo-bar-com".to_owned()] {
                let (definition, tenant) = tenant(domain, &endpoint, pool, 77);
                assert_eq!(tenant.definition(pool.map(|pool| pool.to_string()).as_deref()), definition);
                assert_eq!((tenant.label(), tenant.file(), tenant.pool()), (endpoint.as_bytes(), 77, pool));
                let is_of: Vec<_> = domains.iter().filter(|other| tenant.is_of(other)).collect();
                assert_eq!(is_of, [domain]);
            }
        }
    }

    #[test]
    fn content_is_the_same_wherever_it_is_written_and_for_nobody_else() {
        let (_, one) = tenant("foo-bar.com", "foo-bar-com", Some(1), 1);
        assert!(one.same_content(&tenant("foo-bar.com", "foo-bar-com", Some(1), 2).1));
        assert!(!one.same_content(&tenant("foo.bar.com", "foo-bar-com", Some(1), 1).1));
        assert!(!one.same_content(&tenant("foo-bar.com", "foo-bar-com", Some(2), 1).1));
        assert!(!one.same_content(&tenant("foo-bar.com", "x", Some(1), 1).1));
    }

    #[test]
    fn a_tenant_takes_up_no_more_memory_than_was_paid_for() {
        // With the two counts of its `Arc` this just fits a block of 304 octets.
        assert!(size_of::<Tenant>() <= 280, "{}", size_of::<Tenant>());
        let (_, shared) = tenant("contoso.com", "contoso-com", Some(1), 1);
        assert_eq!(shared.own_at(), NUMBERS + 11 + 1);
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
