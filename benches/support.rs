//! A small world for benchmarks: a parent zone, a shard zone with tenants, and queries as resolvers send them.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use mxseal::answer::{Identity, Snapshot};
use mxseal::dns::name::{Name, ROOT, label_count};
use mxseal::dns::rtype::number as rt;
use mxseal::sign::Signing;
use mxseal::sign::key::{Key, SignFault, Signer, generate_pkcs8};
use mxseal::time::{SignaturePolicy, UnixTime};
use mxseal::zone::content::{self, Delegation, Parts};
use mxseal::zone::endpoint::{Pools, Records, Tenant};
use mxseal::zone::table::Table;
use mxseal::zone::tenant::Definition;
use mxseal::zone::{Zone, master};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The moment of all benchmarks.
pub const NOW: UnixTime = UnixTime(1_800_000_000);
/// The zone that delegates.
pub const PARENT: &str = "mx.example";
/// The zone with tenants.
pub const SHARD: &str = "a-v1.mx.example";

/// Windows of data, then of key sets: the defaults of the configuration.
const WINDOWS: [SignaturePolicy; 2] = [
    SignaturePolicy { life: 3 * 86_400, grid: 43_200, inception_before: 86_400 },
    SignaturePolicy { life: 14 * 86_400, grid: 4 * 86_400, inception_before: 86_400 },
];
const MASTER: &str = "\
@ 3600 SOA ns1 hostmaster 1 3600 900 1209600 300
@ 3600 NS ns1
@ 3600 NS ns2
ns1 3600 A 192.0.2.53
ns1 3600 AAAA 2001:db8::53
ns2 3600 A 198.51.100.53
ns2 3600 AAAA 2001:db8:1::53
";

/// A name of a benchmark.
pub fn name(text: &str) -> Name {
    Name::parse(text, ROOT).expect("a name of a benchmark")
}

/// The endpoint of a tenant.
pub fn endpoint(i: usize) -> String {
    format!("t{i}-com.{SHARD}")
}

/// A snapshot of the parent zone and the shard zone with `tenants` tenants; every third one has records of its own.
pub fn snapshot(tenants: usize) -> Snapshot {
    world(tenants, || Key::from_pkcs8(257, 13, &generate_pkcs8(13).expect("a new key")).expect("a key just made"))
}

/// The same with signatures that prove nothing and cost nothing, for worlds where making them would take minutes.
pub fn unproved(tenants: usize) -> Snapshot {
    world(tenants, || Key::from_signer(257, Arc::new(Unproved)).expect("64 octets"))
}

/// Signs nothing: the same octets for everything, of the kind that is not among those verified by sample.
struct Unproved;

impl Signer for Unproved {
    fn algorithm(&self) -> u8 {
        13
    }

    fn public_key(&self) -> &[u8] {
        &[1; 64]
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignFault> {
        Ok([1; 64])
    }
}

fn world(tenants: usize, key: fn() -> Key) -> Snapshot {
    let records = Records::new(&[Ipv4Addr::new(192, 0, 2, 25).into()], &[[7; 32], [8; 32]], 1800);
    let pools: Arc<Pools> = Arc::new(vec![Some(Arc::new(records))]);
    let mut table = Table::default();
    (0..tenants).for_each(|i| drop(table.insert(Arc::new(tenant(i)))));
    let (shard, delegation) = zone(SHARD, &[], table, &pools, key());
    let (parent, _) = zone(PARENT, &[delegation], Table::default(), &pools, key());
    let identity = Arc::new(Identity::new("ns1.example", vec![[7; 16]], 100));
    Snapshot::new(1, vec![parent, shard], identity)
}

/// Tenant `i`.
pub fn tenant(i: usize) -> Tenant {
    let number = u32::try_from(i).expect("few tenants");
    let own = i.is_multiple_of(3);
    let addresses = [Ipv4Addr::from(0x0a00_0000 + number).into(), Ipv6Addr::from(u128::from(number)).into()];
    let definition = Definition {
        domain: format!("t{i}.com"),
        endpoint: format!("t{i}-com"),
        explicit_endpoint: false,
        pool: None,
        addresses: if own { addresses.to_vec() } else { Vec::new() },
        tlsa: if own { vec![[1; 32], [2; 32]] } else { Vec::new() },
        dane: true,
        line: 1,
    };
    Tenant::new(&definition, Some(0), 0, 1800)
}

fn zone(
    apex: &str,
    children: &[Delegation],
    tenants: Table<Tenant>,
    pools: &Arc<Pools>,
    key: Key,
) -> (Arc<Zone>, Delegation) {
    let apex = name(apex);
    let parsed = master::parse(&apex, "master", MASTER, &mut |_| Err("none".to_owned()));
    let key = Arc::new(key);
    let key_sets = [(rt::DNSKEY, 3600, vec![key.dnskey_data()])];
    let parts = Parts { apex: &apex, signed: true, parsed: &parsed, key_sets: &key_sets, children, ttl_cap: u32::MAX };
    let content = Arc::new(content::build(&parts).0.expect("a good master file"));
    let delegation = content.delegation(&apex, vec![key.ds_data(&apex)]);
    let [data, dnskey] = WINDOWS;
    let signing = Signing::new(apex.clone(), vec![Arc::clone(&key)], vec![key], data, dnskey).expect("a key");
    let zone = Zone {
        labels: label_count(&apex),
        apex,
        content,
        tenants,
        pools: Arc::clone(pools),
        signing: Some(Arc::new(signing)),
    };
    (Arc::new(zone), delegation)
}

/// A query as a resolver sends it; with `dnssec_ok` it has an OPT with DO.
pub fn query(owner: &str, rtype: u16, dnssec_ok: bool) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(dnssec_ok)];
    packet.extend_from_slice(&name(owner));
    packet.extend_from_slice(&rtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if dnssec_ok {
        packet.extend_from_slice(&[0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    }
    packet
}
