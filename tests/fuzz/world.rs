//! A snapshot with every kind of name, signed and unsigned, for the targets that ask questions.

use mxseal::answer::{Identity, Snapshot};
use mxseal::dns::name::{Name, ROOT, label_count};
use mxseal::dns::rtype::number as rt;
use mxseal::sign::Signing;
use mxseal::sign::key::{ENTRY_FLAGS, Key};
use mxseal::time::{SignaturePolicy, UnixTime};
use mxseal::zone::content::{self, Delegation, Parts};
use mxseal::zone::endpoint::{Records, Tenant};
use mxseal::zone::table::Table;
use mxseal::zone::{Zone, master, tenant};
use std::sync::{Arc, OnceLock};

/// The moment of all questions.
pub const NOW: UnixTime = UnixTime(1_800_000_000);

const PARENT: &str = r"$TTL 3600
@ SOA ns hostmaster 1 1h 15m 1w 300
@ NS ns
@ NS ns.elsewhere.test.
@ TXT apex
@ TYPE65401 \# 3 010203
ns A 192.0.2.1
ns AAAA 2001:db8::1
www A 192.0.2.2
www TXT www
large TXT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
$GENERATE 1-120 large A 192.0.2.$
a.b.c A 192.0.2.3
*.wild TXT wild
*.wild A 192.0.2.4
known.wild A 192.0.2.5
mid.*.star A 192.0.2.6
* TXT all
alias CNAME www
alias2 CNAME alias
toward CNAME nothing.there
outward CNAME www.elsewhere.test.
across CNAME contoso-com.a-v1
self CNAME self
ring1 CNAME ring2
ring2 CNAME ring1
*.aliased CNAME www
redirect DNAME b.c
inner DNAME inner.inner
secure NS ns.secure
secure NS ns.elsewhere.test.
secure DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.secure A 192.0.2.7
ns.secure AAAA 2001:db8::7
insecure NS ns.insecure
insecure NS ns2.elsewhere.test.
ns.insecure A 192.0.2.8
_25._tcp.www TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mail MX 10 www
mail MX 20 nothing
\000\255 A 192.0.2.9
long.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.ddddddddddddddddddddddddddddddddddddddddd A 192.0.2.10
";

const SHARD: &str = "$TTL 3600\n@ SOA ns.mx.example. hostmaster.mx.example. 1 1h 15m 1w 300\n@ NS ns\nns A 192.0.2.1\n";

const TENANTS: &str = r#"{"domain":"contoso.com","pool":"eu-1"}
{"domain":"fabrikam.com","pool":"eu-1","dane":false}
{"domain":"litware.example","addresses":["192.0.2.99","2001:db8::99"],"tlsa":["3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"]}
{"domain":"adatum.example","pool":"eu-1","endpoint":"ada"}
"#;

/// The key that signs all zones. Ed25519 makes the same signature each time, so answers can be compared.
pub fn key() -> &'static Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    KEY.get_or_init(|| {
        // PKCS#8 of Ed25519, version 1 (RFC 8410 § 7), around a secret that is none.
        let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let der = [&head[..], &[7; 32]].concat();
        Arc::new(Key::from_pkcs8(ENTRY_FLAGS, 15, &der).expect("a key"))
    })
}

/// `mx.example` with its shard `a-v1`, the unsigned `legacy.example` with the same content, and a zone that should be
/// there and is not.
pub fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let shard = zone("a-v1.mx.example.", SHARD, true, &[]);
        let child = shard.content.delegation(&shard.apex, vec![key().ds_data(&shard.apex)]);
        let zones = vec![
            zone("mx.example.", PARENT, true, std::slice::from_ref(&child)),
            zone("legacy.example.", PARENT, false, &[]),
            shard,
        ];
        let identity = Identity::new("fuzz", vec![[1; 16]], 100);
        let zones = zones.into_iter().map(Arc::new).collect();
        Snapshot::new(1, zones, Arc::new(identity)).without(vec![name("gone.mx.example.")], Vec::new())
    })
}

fn name(text: &str) -> Name {
    Name::parse(text, ROOT).expect("a name")
}

fn zone(apex: &str, text: &str, signed: bool, children: &[Delegation]) -> Zone {
    let apex = name(apex);
    let parsed = master::parse(&apex, "zone", text, &mut |_| Err("none".to_owned()));
    assert_eq!(parsed.diagnostics, [], "the zone of the test is good");
    let key_sets = [
        (rt::DNSKEY, 3600, vec![key().dnskey_data()]),
        (rt::CDS, 3600, vec![key().cds_data(&apex)]),
        (rt::CDNSKEY, 3600, vec![key().cdnskey_data()]),
    ];
    let parts = Parts {
        apex: &apex,
        signed,
        parsed: &parsed,
        key_sets: if signed { &key_sets } else { &[] },
        children,
        ttl_cap: u32::MAX,
    };
    let (content, findings) = content::build(&parts);
    let content = Arc::new(content.unwrap_or_else(|| panic!("{findings:?}")));
    let data = SignaturePolicy { life: 259_200, grid: 43_200, inception_before: 86_400 };
    let signing =
        Signing::new(apex.clone(), vec![Arc::clone(key())], vec![Arc::clone(key())], data, data).expect("a key");
    let pool = Records::new(&["192.0.2.25".parse().expect("an address")], &[[5; 32], [6; 32]], 1800);
    let (tenants, pools) = (tenants(text == SHARD), Arc::new(vec![Some(Arc::new(pool))]));
    let labels = label_count(&apex);
    Zone { apex, labels, content, tenants, pools, signing: signed.then(|| Arc::new(signing)) }
}

fn tenants(wanted: bool) -> Table<Tenant> {
    let mut table = Table::default();
    let parsed = tenant::parse_ndjson("tenants", if wanted { TENANTS } else { "" });
    assert!(parsed.broken.is_empty(), "{:?}", parsed.broken);
    for definition in parsed.entries {
        let pool = definition.pool.as_ref().map(|_| 0);
        table.insert(Arc::new(Tenant::new(&definition, pool, 0, 1800)));
    }
    table
}
