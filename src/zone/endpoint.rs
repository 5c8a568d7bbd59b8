//! A tenant as it is served: records of its own or its pool's, and the signatures over them.
//!
//! A tenant never copies what its pool gives, so a change of a pool is a change of one object.

use crate::dns::name::label_count;
use crate::dns::rrset::{RrsetView, digest, push_record};
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

/// A, AAAA and TLSA in wire form: of a pool, or of a tenant that has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    wire: Box<[u8]>,
    /// Octets and records of each type, in the order of [`KINDS`].
    parts: [(u16, u8); 3],
    digest: u64,
}

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
    pub own: Option<Box<Records>>,
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
        let (mut wire, mut parts) = (Vec::new(), [(0u16, 0u8); 3]);
        for ((kind, data), part) in KINDS.iter().zip(&mut kinds).zip(&mut parts) {
            data.sort_unstable();
            data.dedup();
            data.truncate(255);
            let start = wire.len();
            for rdata in data.iter() {
                push_record(&mut wire, *kind, TENANT_TTL, rdata).ok();
            }
            *part = (u16::try_from(wire.len() - start).unwrap_or(0), u8::try_from(data.len()).unwrap_or(255));
        }
        Records { digest: digest(0, TENANT_TTL, &wire), wire: wire.into_boxed_slice(), parts }
    }

    /// One RRset; none where there are no records of that kind.
    pub fn set(&self, kind: usize) -> Option<RrsetView<'_>> {
        let (length, count) = *self.parts.get(kind).filter(|part| part.1 > 0)?;
        let start: usize = self.parts.iter().take(kind).map(|part| usize::from(part.0)).sum();
        let wire = self.wire.get(start..start + usize::from(length))?;
        Some(RrsetView {
            rtype: *KINDS.get(kind)?,
            ttl: TENANT_TTL,
            count: u16::from(count),
            wire,
            digest: self.digest,
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
            .then(|| Box::new(Records::new(&definition.addresses, &definition.tlsa)));
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
        let own = self.own.as_deref();
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
        let own = self.own.as_deref().filter(|own| kinds.clone().any(|k| own.set(k).is_some()));
        match own {
            Some(own) => own.set(kind),
            None => pools.get(usize::try_from(self.pool?).ok()?)?.as_ref()?.set(kind),
        }
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

/// The label of `name` just below an apex of `apex_labels` labels, and the octets in front of it.
pub fn split_endpoint(name: &[u8], apex_labels: usize) -> Option<(&[u8], &[u8])> {
    let skip = label_count(name).checked_sub(apex_labels + 1)?;
    let endpoint = crate::dns::name::ancestors(name).nth(skip)?;
    let label = crate::dns::name::labels(endpoint).next()?;
    Some((name.get(..name.len() - endpoint.len())?, label))
}
