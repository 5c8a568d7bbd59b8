//! After any order of events the state equals that of a fresh start on the final files.
//!
//! The designed exceptions: broken files keep their last good content, which a restart takes back; of two that want one
//! name the served one stays; what the shrink guard holds is not removed.

use crate::lab::*;
use mxseal::world::tenants;
use mxseal::world::tenants::Standing;
use std::collections::{BTreeMap, BTreeSet};

const FILES: [&str; 6] = ["a.toml", "b.toml", "c/d.toml", "e.toml", "one.ndjson", "x/two.ndjson"];
const DOMAINS: [&str; 7] =
    ["foo-bar.com", "foo.bar.com", "x.example", "y.example", "z.example", "mail.example", "www.example"];
const LABELS: [&str; 5] = ["foo-bar-com", "x-example", "mail", "www", "y-example"];

/// A small generator: the same seed gives the same events everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.roll(n) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let at = self.roll(all.len());
        all.get(at).expect("within")
    }
}

fn toml_text(dice: &mut Dice) -> String {
    let (domain, pool) = (dice.pick(&DOMAINS), dice.pick(&["eu", "eu", "us", "eux"]));
    if dice.one_in(3) { with_endpoint(domain, pool, dice.pick(&LABELS)) } else { toml(domain, pool) }
}

fn bulk_text(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.roll(5) {
        let (domain, pool) = (dice.pick(&DOMAINS), dice.pick(&["eu", "us", "us", "eux"]));
        match dice.roll(8) {
            0 => text.push_str("nonsense\n"),
            1 => text.push_str(&format!("{{\"domain\":\"{domain}\",\"pool\":7}}\n")),
            2 | 3 => text.push_str(&line_with_endpoint(domain, pool, dice.pick(&LABELS))),
            _ => text.push_str(&line(domain, pool)),
        }
    }
    if dice.one_in(9) { format!("{text}{{\"domain\":\"x.ex") } else { text }
}

fn pools_text(dice: &mut Dice) -> String {
    let eu = POOLS.get(..POOLS.find("[us]").expect("it is there")).expect("a part");
    match dice.roll(6) {
        0 => "[eu\n".to_owned(),
        1 => eu.to_owned(),
        2 => POOLS.replace("\"192.0.2.25\"", "\"nonsense\""),
        3 => format!("{POOLS}\n{}", eu.replace("[eu]", "[eux]")),
        4 => POOLS.replace("192.0.2.26", "192.0.2.226"),
        _ => POOLS.to_owned(),
    }
}

fn master_text(dice: &mut Dice) -> String {
    match dice.roll(5) {
        0 => "@ SOA nonsense\n".to_owned(),
        1 => MASTER.replace("www", "mail"),
        2 => format!("{MASTER}www CNAME x\n"),
        _ => MASTER.to_owned(),
    }
}

/// One event: a batch of one to three files, or a restart.
fn event(lab: &mut Lab, dice: &mut Dice) {
    // Everyday removals: the shrink guard has tests of its own.
    lab.pass(61);
    if dice.one_in(12) {
        return lab.restart();
    }
    let mut batch: BTreeMap<String, Option<String>> = BTreeMap::new();
    for _ in 0..=dice.roll(3) {
        let file = dice.pick(&FILES);
        match dice.roll(14) {
            0 => drop(batch.insert("pools.toml".to_owned(), Some(pools_text(dice)))),
            1 => drop(batch.insert("a.mx.example.zone".to_owned(), Some(master_text(dice)))),
            2 | 3 => drop(batch.insert(at(file), None)),
            4 if !lab.memory.files.contains_key(&at(file)) => {}
            4 => lab.spoil(&at(file)),
            5 => drop(batch.insert(at(file), Some("broken".to_owned()))),
            _ if file.ends_with(".toml") => drop(batch.insert(at(file), Some(toml_text(dice)))),
            _ => drop(batch.insert(at(file), Some(bulk_text(dice)))),
        }
    }
    let batch: Vec<(&str, Option<&str>)> = batch.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
    lab.change(&batch);
}

/// What is answered of each domain: its endpoint and its records.
fn state(lab: &mut Lab) -> BTreeMap<String, String> {
    let domains: Vec<(String, String)> = lab.world.zones[&name(ZONE)]
        .tenants
        .table
        .iter()
        .map(|tenant| (tenant.domain(), String::from_utf8_lossy(tenant.label()).into_owned()))
        .collect();
    domains
        .into_iter()
        .map(|(domain, label)| {
            let tlsa = lab.ask(&format!("_25._tcp.{label}.{ZONE}"), "TLSA");
            (domain, format!("{label} {} {tlsa}", lab.address(&label)))
        })
        .collect()
}

/// Domains that share a name with another entry, directly or through others, or with the master file.
fn contested(lab: &Lab) -> BTreeSet<String> {
    let mut wants: Vec<(String, String)> = Vec::new();
    for (path, octets) in lab.memory.files.iter().filter(|(path, _)| path.starts_with("a.mx.example/")) {
        let Ok(parsed) = tenants::read(path, path, octets) else { continue };
        wants.extend(parsed.entries.into_iter().map(|entry| (entry.domain, entry.endpoint)));
    }
    // What is last good wants its name as well, beside those whose files are good.
    for tenant in lab.world.zones[&name(ZONE)].tenants.table.iter() {
        let served = (tenant.domain(), String::from_utf8_lossy(tenant.label()).into_owned());
        let broken =
            lab.standing(&tenant.domain()) != Some(Standing::Served) && !lab.reasons(&tenant.domain()).is_empty();
        if !wants.contains(&served) || broken && good_elsewhere(lab, tenant.file(), &served.0) {
            wants.push(served);
        }
    }
    let mut bad: BTreeSet<String> = ["www".to_owned(), "mail".to_owned(), "x".to_owned()].into();
    for (at, (domain, label)) in wants.iter().enumerate() {
        for (other_domain, other_label) in wants.iter().skip(at + 1) {
            if domain == other_domain || label == other_label {
                bad.extend([domain, label, other_domain, other_label].map(Clone::clone));
            }
        }
    }
    loop {
        let before = bad.len();
        let touched: Vec<String> = wants
            .iter()
            .filter(|(domain, label)| bad.contains(domain) || bad.contains(label))
            .flat_map(|(domain, label)| [domain.clone(), label.clone()])
            .collect();
        bad.extend(touched);
        if bad.len() == before {
            return bad;
        }
    }
}

/// Whether a good entry of another file defines the domain.
fn good_elsewhere(lab: &Lab, file: u32, domain: &str) -> bool {
    let own = lab.world.files.path(file);
    lab.memory.files.iter().any(|(path, octets)| {
        let shown = format!("zones/{path}");
        let entries = tenants::read(path, path, octets).map(|parsed| parsed.entries).unwrap_or_default();
        own.as_deref() != Some(shown.as_str()) && entries.iter().any(|entry| entry.domain == domain)
    })
}

/// Compares two states but for contested domains; how many were compared.
#[track_caller]
fn compare(
    seed: u64,
    what: &str,
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
    but: &BTreeSet<String>,
) -> usize {
    let mut compared = 0;
    for domain in DOMAINS.iter().filter(|domain| !but.contains(**domain)) {
        assert_eq!(a.get(*domain), b.get(*domain), "seed {seed}, {what}, {domain}\n{a:#?}\n{b:#?}");
        compared += usize::from(a.contains_key(*domain));
    }
    compared
}

/// Makes every file good, so that nothing is last good any more.
fn mend(lab: &mut Lab, dice: &mut Dice) {
    let mut batch: BTreeMap<String, String> = BTreeMap::new();
    for file in FILES {
        let Some(octets) = lab.memory.files.get(&at(file)).cloned() else { continue };
        let good = tenants::read(file, file, &octets).is_ok_and(|parsed| parsed.broken.is_empty());
        if !good {
            let domain = dice.pick(&DOMAINS);
            let text = if file.ends_with(".toml") { toml(domain, "eu") } else { line(domain, "us") };
            batch.insert(at(file), text);
        } else if lab.world.findings().iter().any(|f| f.code == "MX6001" && f.place.file.ends_with(file)) {
            // It can be read again.
            batch.insert(at(file), String::from_utf8(octets).expect("text"));
        }
    }
    let pools = POOLS.replace("[us]", "[eux]\naddresses = [\"192.0.2.40\"]\ndaneless = 1\n[us]");
    batch.insert(
        "pools.toml".to_owned(),
        pools.replace("daneless = 1\n", &format!("tlsa = [\"3 1 1 {}\"]\n", "cd".repeat(32))),
    );
    batch.insert("a.mx.example.zone".to_owned(), MASTER.to_owned());
    lab.pass(61);
    let batch: Vec<(&str, &str)> = batch.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    lab.write(&batch);
}

#[test]
fn any_order_of_events_ends_where_a_fresh_start_ends() {
    let (mut compared, mut all) = (0, 0);
    for seed in 0..120u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut lab = Lab::new();
        for _ in 0..40 {
            event(&mut lab, &mut dice);
        }
        let (running, but) = (state(&mut lab), contested(&lab));
        lab.restart();
        compared += compare(seed, "restart", &running, &state(&mut lab), &but);
        mend(&mut lab, &mut dice);
        let (running, but) = (state(&mut lab), contested(&lab));
        lab.start_fresh();
        compared += compare(seed, "fresh start", &running, &state(&mut lab), &but);
        all += running.len() * 2;
    }
    assert!(compared * 4 > all, "only {compared} of {all} were compared");
}

#[test]
fn without_conflicts_any_order_of_batches_gives_the_same_state() {
    for seed in 0..60u64 {
        let mut dice = Dice(seed + 1_000);
        let mut files: Vec<(String, String)> = vec![
            ("pools.toml".to_owned(), POOLS.to_owned()),
            ("a.mx.example.zone".to_owned(), MASTER.to_owned()),
            (at("bulk.ndjson"), line("b1.example", "us") + &line_with_endpoint("b2.example", "eu", "two")),
        ];
        files.extend((0..6).map(|i| tenant_file(i, if i % 2 == 0 { "eu" } else { "us" })));
        let mut lab = Lab::empty();
        while !files.is_empty() {
            let mut batch = Vec::new();
            for _ in 0..=dice.roll(3).min(files.len() - 1) {
                batch.push(files.swap_remove(dice.roll(files.len())));
            }
            let batch: Vec<(&str, &str)> = batch.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            lab.write(&batch);
        }
        lab.fine();
        let running = state(&mut lab);
        assert_eq!(running.len(), 8);
        lab.start_fresh();
        assert_eq!(running, state(&mut lab), "seed {seed}");
    }
}

/// Everything that reports tell: tenants with their places, entries that wait with their reasons, uses of pools.
fn told(lab: &Lab) -> (BTreeSet<String>, Vec<String>, Vec<(String, u64)>) {
    let tenants = lab.world.zones[&name(ZONE)].tenants.table.iter().map(|tenant| {
        let path = lab.world.files.path(tenant.file()).unwrap_or_default();
        let definition = tenant.definition(tenant.pool().and_then(|pool| lab.world.pools.name(pool)));
        format!("{path}: {definition:?}")
    });
    let findings = lab.world.findings().iter().map(|finding| format!("{finding:?}")).collect();
    let pools = lab.world.pools.reports().map(|pool| (pool.name.to_owned(), pool.tenants)).collect();
    (tenants.collect(), findings, pools)
}

#[test]
fn the_first_tenants_taken_in_at_once_are_decided_as_any_later_batch() {
    let (mut refused, mut served) = (0, 0);
    for seed in 0..400u64 {
        let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for _ in 0..=dice.roll(6) {
            let file = dice.pick(&FILES);
            let text = if file.ends_with(".toml") { toml_text(&mut dice) } else { bulk_text(&mut dice) };
            files.insert(at(file), if dice.one_in(12) { "broken".to_owned() } else { text });
        }
        let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let swapped = dice.roll(files.len());
        files.swap(0, swapped);
        let mut at_once = Lab::new();
        let first = at_once.write(&files);
        // A zone that has a tenant already takes the ordinary way.
        let mut later = Lab::new();
        let dummy = at("zz-dummy.toml");
        later.write(&[(&dummy, &with_endpoint("dummy.example", "us", "dummy"))]);
        let second = later.write(&files);
        assert_eq!(first, second, "seed {seed}: {files:#?}");
        let (mut tenants, findings, mut pools) = told(&later);
        tenants.retain(|tenant| !tenant.contains("dummy"));
        pools.iter_mut().filter(|(pool, _)| pool == "us").for_each(|(_, uses)| *uses -= 1);
        assert_eq!(told(&at_once), (tenants, findings, pools), "seed {seed}: {files:#?}");
        served += first.added;
        refused += at_once.codes().iter().filter(|code| code.starts_with("MX42")).count();
    }
    assert!(served > 400 && refused > 400, "{served} served, {refused} refused");
}
