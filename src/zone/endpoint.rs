//! A tenant as it is served: records of its own or its pool's, and the signatures over them.
//!
//! A tenant never copies what its pool gives, so a change of a pool is a change of one object.

use crate::dns::rrset::{RrsetView, digest, push_record};
use crate::dns::rtype::number as rtype;
use crate::sign::denial;
use crate::sign::memo::Slot;
use crate::zone::kind::{Family, Part, RecordKind};
use crate::zone::table::Keyed;
use crate::zone::tenant::{Definition, SpkiDigest};
use arrayvec::ArrayVec;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// Index of a pool, fixed while the process lives.
pub type PoolIndex = u32;

/// Records of each [`RecordKind`] in wire form: of a pool, or of a tenant that has its own. One block of memory, since a
/// million of these lie in no cache: the digest, the TTL, for each kind the octets and the number of its records, the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Box<[u8]>);

/// Octets of the numbers of one kind in [`Records`]: how many octets all its records have, and how many records they are.
const NUMBERS_OF_KIND: usize = size_of::<u16>() + size_of::<u8>();

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
    denials: OnceLock<Box<[Slot; Part::ALL.len()]>>,
    positive: [Slot; RecordKind::COUNT],
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

impl Records {
    /// Prepares records of one TTL in seconds; of a kind no more are used than there is room for in its numbers, which the
    /// parsers' limits keep far below.
    pub fn new(addresses: &[IpAddr], tlsa: &[SpkiDigest], ttl: u32) -> Records {
        let (mut wire, mut numbers) = (Vec::new(), [[0u8; NUMBERS_OF_KIND]; RecordKind::COUNT]);
        for (kind, numbers) in RecordKind::ALL.into_iter().zip(&mut numbers) {
            let mut data = data_of(kind, addresses, tlsa);
            data.sort_unstable();
            data.dedup();
            *numbers = push_kind(&mut wire, kind, ttl, &data);
        }
        let digest = digest(0, ttl, &wire).to_ne_bytes();
        Records([&digest[..], &ttl.to_ne_bytes(), numbers.as_flattened(), &wire].concat().into_boxed_slice())
    }

    /// One RRset; none where there are no records of that kind.
    pub fn set(&self, kind: RecordKind) -> Option<RrsetView<'_>> {
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

/// The record data of a kind.
fn data_of(kind: RecordKind, addresses: &[IpAddr], tlsa: &[SpkiDigest]) -> Vec<Vec<u8>> {
    let address = |address: &IpAddr| match (kind, address) {
        (RecordKind::Address(Family::V4), IpAddr::V4(v4)) => Some(v4.octets().to_vec()),
        (RecordKind::Address(Family::V6), IpAddr::V6(v6)) => Some(v6.octets().to_vec()),
        (RecordKind::Address(_) | RecordKind::Tlsa, _) => None,
    };
    match kind {
        RecordKind::Address(_) => addresses.iter().filter_map(address).collect(),
        // RFC 7671 § 5.1: usage 3, selector 1, matching type 1.
        RecordKind::Tlsa => tlsa.iter().map(|spki| [&[3u8, 1, 1][..], spki].concat()).collect(),
    }
}

/// Appends the records of a kind, as many as its numbers can tell; returns these numbers.
fn push_kind(wire: &mut Vec<u8>, kind: RecordKind, ttl: u32, data: &[Vec<u8>]) -> [u8; NUMBERS_OF_KIND] {
    let (start, mut octets, mut count) = (wire.len(), 0u16, 0u8);
    for rdata in data {
        let before = wire.len();
        let is_written = push_record(wire, kind.rtype(), ttl, rdata).is_ok();
        let (Some(more), Ok(length)) = (count.checked_add(1), u16::try_from(wire.len() - start)) else {
            wire.truncate(before);
            break;
        };
        if is_written {
            (octets, count) = (length, more);
        }
    }
    let [high, low] = octets.to_ne_bytes();
    [high, low, count]
}

/// One RRset of the octets of [`Records`].
fn set_in(records: &[u8], kind: RecordKind) -> Option<RrsetView<'_>> {
    let (digest, rest) = records.split_first_chunk::<8>()?;
    let (ttl, rest) = rest.split_first_chunk::<4>()?;
    let (numbers, wire) = rest.split_first_chunk::<{ NUMBERS_OF_KIND * RecordKind::COUNT }>()?;
    let (numbers, _) = numbers.as_chunks::<NUMBERS_OF_KIND>();
    let octets = |[one, two, _]: &[u8; NUMBERS_OF_KIND]| usize::from(u16::from_ne_bytes([*one, *two]));
    let own = numbers.get(kind.index())?;
    let start: usize = numbers.iter().take(kind.index()).map(octets).sum();
    let count = own.last().copied().filter(|count| *count > 0)?;
    Some(RrsetView {
        rtype: kind.rtype(),
        ttl: u32::from_ne_bytes(*ttl),
        count: u16::from(count),
        wire: wire.get(start..)?.get(..octets(own))?,
        digest: u64::from_ne_bytes(*digest),
    })
}

fn addresses_in(records: &[u8]) -> Vec<IpAddr> {
    let v4 = set_in(records, RecordKind::Address(Family::V4)).into_iter().flat_map(RrsetView::data);
    let v6 = set_in(records, RecordKind::Address(Family::V6)).into_iter().flat_map(RrsetView::data);
    let v4 = v4.filter_map(|data| <[u8; 4]>::try_from(data).ok().map(IpAddr::from));
    v4.chain(v6.filter_map(|data| <[u8; 16]>::try_from(data).ok().map(IpAddr::from))).collect()
}

fn tlsa_in(records: &[u8]) -> Vec<SpkiDigest> {
    let data = set_in(records, RecordKind::Tlsa).into_iter().flat_map(RrsetView::data);
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
        if borrows && set_in(own, RecordKind::Tlsa).is_none() { addresses_in(own) } else { Vec::new() }
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
    pub fn set<'a>(&'a self, kind: RecordKind, pools: &'a Pools) -> Option<RrsetView<'a>> {
        if kind == RecordKind::Tlsa && self.flags & DANE == 0 {
            return None;
        }
        let own = self.own();
        if kind.replaced_together().iter().any(|kind| set_in(own, *kind).is_some()) {
            return set_in(own, kind);
        }
        pools.get(usize::try_from(self.pool()?).ok()?)?.as_ref()?.set(kind)
    }

    /// Reads where the block of this tenant lies, and its signature of a kind, into caches.
    pub fn touch(&self, kind: RecordKind) -> u64 {
        u64::from(self.flags)
            ^ u64::try_from(self.block.len()).unwrap_or(0)
            ^ self.positive.get(kind.index()).map_or(0, Slot::touch)
    }

    /// Reads its label and its own records of a kind into caches, after [`Tenant::touch`].
    pub fn touch_data(&self, kind: RecordKind) -> u64 {
        let own = self.own_at();
        let octets =
            [self.block.first(), self.block.get(own), self.block.get(own + 32 * kind.index()), self.block.last()];
        octets.into_iter().flatten().fold(0, |sum, octet| sum ^ u64::from(*octet))
    }

    /// Where the signature of a kind is kept.
    pub fn slot(&self, kind: RecordKind) -> Option<&Slot> {
        self.positive.get(kind.index())
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
                let has = |family| self.set(RecordKind::Address(family), pools).is_some();
                let has = usize::from(has(Family::V4)) | usize::from(has(Family::V6)) << 1;
                ENDPOINT.get(has).map_or(denial::empty(), Vec::as_slice)
            }
            Part::Tcp => denial::empty(),
            Part::Port25 => &PORT25,
        }
    }

    /// Which part `below` names: the labels in front of the endpoint, as wire octets without a final zero.
    pub fn part(&self, below: &[u8], pools: &Pools) -> Option<Part> {
        let part = Part::named(below)?;
        let is_there = match part {
            Part::Endpoint => true,
            Part::Tcp | Part::Port25 => self.set(RecordKind::Tlsa, pools).is_some(),
        };
        is_there.then_some(part)
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
            let sets = RecordKind::ALL.map(|kind| records.set(kind));
            assert_eq!(sets.map(|set| set.map_or(0, |set| usize::from(set.count))), [four, six, tlsa]);
            assert!(
                sets.iter().flatten().all(|set| set.ttl == 1800 && set.records().count() == usize::from(set.count))
            );
        }
        assert!(RecordKind::ALL.iter().all(|kind| Records::default().set(*kind).is_none()));
    }

    #[test]
    fn records_of_a_kind_may_have_any_length_and_no_more_are_kept_than_can_be_told() {
        let ttl = 1800;
        let put = |lengths: &[usize]| {
            let (mut wire, data) = (Vec::new(), lengths.iter().map(|length| vec![7; *length]).collect::<Vec<_>>());
            let [one, two, count] = push_kind(&mut wire, RecordKind::Tlsa, ttl, &data);
            let octets = usize::from(u16::from_ne_bytes([one, two]));
            assert_eq!(octets, wire.len());
            let set = RrsetView { rtype: 0, ttl, count: u16::from(count), wire: &wire, digest: 0 };
            (set.data().map(<[u8]>::len).collect::<Vec<_>>(), count)
        };
        assert_eq!(put(&[3, 0, 255, 35]), (vec![3, 0, 255, 35], 4));
        assert_eq!(put(&[1; 300]), (vec![1; 255], 255));
        assert_eq!(put(&[60_000, 60_000, 1]).0, [60_000], "what does not fit ends the set");
        assert_eq!(put(&[70_000]).1, 0, "longer than any record data");
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
