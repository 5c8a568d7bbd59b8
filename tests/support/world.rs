//! A world as text: zones as master files, tenants as NDJSON, pools as TOML, with keys that never change.

use super::{repeat_marked, wire_name};
use mxseal::answer::{Identity, Snapshot};
use mxseal::dns::name::Name;
use mxseal::dns::rtype::number as rt;
use mxseal::sign::Signing;
use mxseal::sign::key::{Key, SignFault, Signer};
use mxseal::time::SignaturePolicy;
use mxseal::zone::content::{self, Content, Delegation, Parts};
use mxseal::zone::endpoint::{Pools, Records, Tenant};
use mxseal::zone::kind::{Family, RecordKind};
use mxseal::zone::table::Table;
use mxseal::zone::{Zone, master, tenant};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Three of algorithm 13, then three of 15.
const KEYS: [&str; 6] = [
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkHkjHxJllTC9manZokk0esvGq2WQDinWtqVsJHQOTfehRANCAASni09n8o12FzPG05RO/JdrCx7DlcsAsm16mjZKfAP84xzQxjfgaWyhMa2H/bgTLli0NwqTSjQIJsp8SBqI36NO",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfUI6SRDtXSdMTOfwHySsRn5JDJOhTOsEvddcUrzQnFOhRANCAASoa53CwcMxx3vdVI3mliYMMiX1EfnhQaniRPqBpNIUe6FsTV6TWuhOT/Zpnh0ZIonZpgt/JpFzF5wW8ETH/NqP",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTkO3Lx1kVdjGghcUYNfdOn9iupis02EcrFE6/jqsdkqhRANCAAQ/MMCv7tei+NFuG6MIHwwlkI6aCZX0evQ65lVGCIuEc/5lXkFZbVLKZh64FrNfCEnQ1fVB4QtAlBrn8wZQOW5S",
    "MC4CAQAwBQYDK2VwBCIEIPUfI0MPXdhkgCVha1n8ZsxSL/vS/4iE8SoqctoPVT9e",
    "MC4CAQAwBQYDK2VwBCIEIBpLMBsRvZ8Ku5B37c2FEphOcEkE18cPBmZQlhcmB/c9",
    "MC4CAQAwBQYDK2VwBCIEIOk/KjagwONc87knZitMK785gimnoIZTH8KCYy3+YnDq",
];
/// Windows of data, then of key sets: the defaults of the configuration.
const WINDOWS: [SignaturePolicy; 2] = [
    SignaturePolicy { life: 3 * 86_400, grid: 43_200, inception_before: 86_400 },
    SignaturePolicy { life: 14 * 86_400, grid: 4 * 86_400, inception_before: 86_400 },
];
/// Windows so short that TTLs feel them, and without a phase.
const BRIEF: SignaturePolicy = SignaturePolicy { life: 600, grid: 1, inception_before: 60 };
/// What NSID and `id.server` answer.
pub const NSID: &str = "ns1.test";

/// One record: owner, type, TTL, data.
pub type Row = (Vec<u8>, u16, u32, Vec<u8>);

/// A zone as it was written, for oracles and verifiers.
pub struct Written {
    pub apex: Vec<u8>,
    /// What its keys are called: `csk`, or `ksk` and `zsk`, or more while they roll; none: unsigned. The first has the DS.
    pub keys: Vec<(&'static str, Key)>,
    /// Those that sign DNSKEY, CDS and CDNSKEY, and those that sign the data.
    pub signers: [&'static [&'static str]; 2],
    /// All its records, those of keys and tenants included, without what it says about children served here.
    pub rows: Vec<Row>,
}

impl Written {
    /// The keys that sign a type, in the order of their signatures.
    pub fn signers_of(&self, covered: u16) -> impl Iterator<Item = &(&'static str, Key)> {
        let at = usize::from(!matches!(covered, rt::DNSKEY | rt::CDS | rt::CDNSKEY));
        self.signers[at].iter().filter_map(|word| self.keys.iter().find(|(other, _)| other == word))
    }
}

/// A snapshot and what it was made from.
pub struct World {
    pub snapshot: Snapshot,
    pub zones: Vec<Written>,
}

/// A header line at the margin and the indented lines below it.
pub struct Block {
    pub line: usize,
    pub head: String,
    pub body: String,
}

/// The blocks of a text; lines that begin with `#` are comments.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let line = repeat_marked(line);
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(inside), Some(block)) => {
                block.body.push_str(inside);
                block.body.push('\n');
            }
            _ => blocks.push(Block { line: index + 1, head: line, body: String::new() }),
        }
    }
    blocks
}

/// The world that a text describes.
pub fn world(text: &str) -> World {
    build(&blocks(text))
}

struct Draft {
    apex: Name,
    kind: String,
    master: master::Parsed,
    tenants: Vec<tenant::Definition>,
}

/// The world that these blocks describe.
pub fn build<'b>(blocks: impl IntoIterator<Item = &'b Block>) -> World {
    let (mut drafts, mut pools, mut unavailable) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        let mut words = block.head.split_whitespace();
        let (kind, name, option) = (words.next().unwrap_or(""), words.next().unwrap_or("."), words.next());
        let apex = Name::from_wire(&wire_name(name)).expect("a name of a test");
        match kind {
            "zone" => {
                let none = &mut |_: &str| Err("none".to_owned());
                let master = master::parse(&apex, name, &block.body, none);
                assert!(master.diagnostics.is_empty(), "{name}: {:?}", master.diagnostics);
                drafts.push(Draft { apex, kind: option.unwrap_or("csk").to_owned(), master, tenants: Vec::new() });
            }
            "tenants" => {
                let parsed = tenant::parse_ndjson(name, &block.body);
                assert!(parsed.broken.is_empty(), "{:?}", parsed.broken);
                let draft = drafts.iter_mut().find(|draft| draft.apex == apex).expect("the zone stands above");
                draft.tenants = parsed.entries;
            }
            "pools" => {
                let parsed = tenant::parse_pools("pools.toml", &block.body);
                assert!(parsed.broken.is_empty(), "{:?}", parsed.broken);
                pools = parsed.entries;
            }
            "unavailable" => unavailable.push(apex),
            other => panic!("line {}: `{other}` is no part of a world", block.line),
        }
    }
    assemble(drafts, &pools, unavailable)
}

fn assemble(mut drafts: Vec<Draft>, pools: &[tenant::Pool], unavailable: Vec<Name>) -> World {
    let records: Pools =
        pools.iter().map(|pool| Some(Arc::new(Records::new(&pool.addresses, &pool.tlsa, 1800)))).collect();
    let records = Arc::new(records);
    // Children first: their parents delegate to them.
    drafts.sort_by_key(|draft| std::cmp::Reverse(mxseal::dns::name::label_count(&draft.apex)));
    let apexes: Vec<Name> = drafts.iter().map(|draft| draft.apex.clone()).chain(unavailable.clone()).collect();
    let mut delegations: BTreeMap<Name, Vec<Delegation>> = BTreeMap::new();
    let (mut zones, mut written) = (Vec::new(), Vec::new());
    for draft in &drafts {
        let keys = keys_of(&draft.kind);
        let key_sets = key_sets(&draft.apex, &keys);
        let children = delegations.remove(&draft.apex).unwrap_or_default();
        let (apex, signed) = (&draft.apex, !keys.is_empty());
        let parts =
            Parts { apex, signed, parsed: &draft.master, key_sets: &key_sets, children: &children, ttl_cap: u32::MAX };
        let (content, findings) = content::build(&parts);
        let content = Arc::new(content.unwrap_or_else(|| panic!("{apex}: {findings:?}")));
        let above = mxseal::dns::name::ancestors(apex).skip(1).find_map(|up| apexes.iter().find(|a| ***a == *up));
        if let Some(parent) = above {
            let ds = keys.first().map(|(_, key)| key.ds_data(apex)).into_iter().collect();
            delegations.entry(parent.clone()).or_default().push(content.delegation(apex, ds));
        }
        let zone = zone(draft, &keys, content, pools, &records);
        written.push(rows(draft, keys, &key_sets, &zone));
        zones.push(Arc::new(zone));
    }
    let identity = Arc::new(Identity::new(NSID, vec![[7; 16]], 100));
    World { snapshot: Snapshot::new(1, zones, identity).without(unavailable, Vec::new()), zones: written }
}

fn zone(
    draft: &Draft,
    keys: &[(&'static str, Key)],
    content: Arc<Content>,
    pools: &[tenant::Pool],
    records: &Arc<Pools>,
) -> Zone {
    let mut tenants = Table::default();
    for definition in &draft.tenants {
        let pool = definition.pool.as_ref().and_then(|name| pools.iter().position(|pool| pool.name == *name));
        let pool = pool.map(|index| u32::try_from(index).expect("few pools"));
        tenants.insert(Arc::new(Tenant::new(definition, pool, 0, 1800)));
    }
    let signing = (!keys.is_empty()).then(|| {
        let those = |words: &[&str], failing: bool| {
            let found = words.iter().filter_map(|word| keys.iter().find(|(other, _)| other == word));
            let key = |(_, key): &(&str, Key)| {
                let device: Arc<dyn Signer> = Arc::new(Failing(key.public.clone()));
                Arc::new(if failing { Key { signer: device, ..key.clone() } } else { key.clone() })
            };
            found.map(key).collect::<Vec<_>>()
        };
        let [entry, data] = signers_of(&draft.kind);
        let (entry_keys, data_keys) = (those(entry, false), those(data, draft.kind == "failing"));
        let [data, dnskey] = if draft.kind.starts_with("brief") { [BRIEF; 2] } else { WINDOWS };
        Arc::new(Signing::new(draft.apex.clone(), data_keys, entry_keys, data, dnskey).expect("keys that sign"))
    });
    let labels = mxseal::dns::name::label_count(&draft.apex);
    Zone { apex: draft.apex.clone(), labels, content, tenants, pools: Arc::clone(records), signing }
}

fn keys_of(kind: &str) -> Vec<(&'static str, Key)> {
    let key = |index: usize, flags| {
        let der = data_encoding::BASE64.decode(KEYS[index].as_bytes()).expect("base64");
        let algorithm = if index < 3 { 13 } else { 15 };
        Key::from_pkcs8(flags, algorithm, &der).expect("a key of the tests")
    };
    match kind {
        "unsigned" => Vec::new(),
        "csk" | "brief" | "failing" => vec![("csk", key(0, 257))],
        "ksk+zsk" => vec![("ksk", key(0, 257)), ("zsk", key(1, 256))],
        "csk+next" => vec![("csk", key(0, 257)), ("next", key(1, 257))],
        "13+15" | "brief+15" => vec![("csk13", key(0, 257)), ("csk15", key(3, 257))],
        "six" => vec![
            ("old13", key(0, 257)),
            ("new13", key(1, 257)),
            ("old15", key(3, 257)),
            ("new15", key(4, 257)),
            ("zsk13", key(2, 256)),
            ("zsk15", key(5, 256)),
        ],
        other => panic!("`{other}` is no way to sign"),
    }
}

/// Which keys sign the key sets, and which the data.
fn signers_of(kind: &str) -> [&'static [&'static str]; 2] {
    match kind {
        "unsigned" => [&[], &[]],
        "csk" | "brief" | "failing" => [&["csk"], &["csk"]],
        "ksk+zsk" => [&["ksk"], &["zsk"]],
        "csk+next" => [&["csk", "next"], &["csk"]],
        "13+15" | "brief+15" => [&["csk13", "csk15"], &["csk13", "csk15"]],
        "six" => [&["old13", "new13", "old15", "new15"], &["zsk13", "zsk15"]],
        other => panic!("`{other}` is no way to sign"),
    }
}

type KeySets = Vec<(u16, u32, Vec<Vec<u8>>)>;

fn key_sets(apex: &[u8], keys: &[(&'static str, Key)]) -> KeySets {
    let Some((_, entry)) = keys.first() else { return Vec::new() };
    let all = keys.iter().map(|(_, key)| key.dnskey_data()).collect();
    vec![
        (rt::DNSKEY, 3600, all),
        (rt::CDS, 3600, vec![entry.cds_data(apex)]),
        (rt::CDNSKEY, 3600, vec![entry.cdnskey_data()]),
    ]
}

fn rows(draft: &Draft, keys: Vec<(&'static str, Key)>, key_sets: &KeySets, zone: &Zone) -> Written {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(draft.master.records.iter().map(|r| (r.owner.to_vec(), r.rtype, r.ttl, r.data.to_vec())));
    for (rtype, ttl, data) in key_sets {
        rows.extend(data.iter().map(|data| (draft.apex.to_vec(), *rtype, *ttl, data.clone())));
    }
    for tenant in zone.tenants.iter() {
        let endpoint = Name::below(tenant.label(), &draft.apex).expect("an endpoint");
        let port = Name::parse("_25._tcp", &endpoint).expect("a name of TLSA");
        for kind in RecordKind::ALL {
            let (owner, rtype) = match kind {
                RecordKind::Address(Family::V4) => (endpoint.to_vec(), rt::A),
                RecordKind::Address(Family::V6) => (endpoint.to_vec(), rt::AAAA),
                RecordKind::Tlsa => (port.to_vec(), rt::TLSA),
            };
            let set = tenant.set(kind, &zone.pools);
            rows.extend(set.into_iter().flat_map(|set| {
                let owner = owner.clone();
                set.data().map(move |data| (owner.clone(), rtype, set.ttl, data.to_vec())).collect::<Vec<_>>()
            }));
        }
    }
    Written { apex: draft.apex.to_vec(), keys, signers: signers_of(&draft.kind), rows }
}

/// A device that makes no signatures any more.
struct Failing(Box<[u8]>);

impl Signer for Failing {
    fn algorithm(&self) -> u8 {
        13
    }

    fn public_key(&self) -> &[u8] {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignFault> {
        Err(SignFault)
    }
}
