//! The signed zones of a configuration, for commands that run without a server or beside one.
//!
//! Nothing is locked, made or changed here.

use crate::config::Config;
use crate::control::outside;
use crate::control::rolls::build::roll_policy;
use crate::control::rolls::{Shift, limits};
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::roll::zone::Policy;
use crate::roll::zone::facts::Limits;
use crate::store::journal::ZoneFacts;
use crate::store::offline::read_facts;
use std::path::Path;

/// A signed zone as files tell it.
#[derive(Clone, Debug)]
pub struct SignedZone {
    /// Its apex.
    pub apex: Name,
    /// What is wanted of its keys.
    pub policy: Policy,
    /// How long what it serves may be held.
    pub limits: Limits,
    /// Whether its parent zone is served here too.
    pub own_parent: bool,
    /// What its journal adds up to; none: it never started.
    pub facts: Option<ZoneFacts>,
}

/// All signed zones that a configuration with resolved paths names, and what is wrong with files or journals; a zone whose
/// content or journal cannot be read is left out.
pub fn signed_zones(config: &Config) -> (Vec<SignedZone>, Vec<Diagnostic>) {
    let (world, mut findings) = outside::look(config);
    findings.extend(world.findings());
    let mut zones = Vec::new();
    for zone in world.zones.values().filter(|zone| zone.signed) {
        let Some(limits) = limits::of_zone(zone, !zone.tenants.table.is_empty(), world.pools.ttl, Shift::default())
        else {
            continue;
        };
        match read_facts(&config.keys, &zone.apex) {
            Ok(facts) => zones.push(SignedZone {
                apex: zone.apex.clone(),
                policy: roll_policy(&zone.policy),
                limits,
                own_parent: zone.parent.is_some(),
                facts,
            }),
            Err(frozen) => findings.push(frozen.diagnostic()),
        }
    }
    findings.sort();
    findings.dedup();
    (zones, findings)
}

/// The DS records that the parent of a zone should have, in master-file form, from its journal alone; none where it has no keys that can be believed.
pub fn ds_from_keys(keys: &Path, zone: &str) -> Option<Vec<String>> {
    let apex = Name::parse(zone, crate::dns::name::ROOT).ok()?;
    let facts = read_facts(keys, &apex).ok().flatten()?;
    if !facts.first_keys_done {
        return None;
    }
    // Only what the parent is to have: in a roll that is not the DS of each key (RFC 6781 § 4.1.2).
    let wanted = facts.keys.iter().filter(|key| facts.ds_wanted.has(key.id));
    Some(wanted.map(|key| crate::report::view::ds_text(&apex, &key.public.ds_data(&apex))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::zone::facts::Lives;

    const CONFIG: &str = r#"version = 1
[zone."mx.example"]
policy  = "lab"
parents = ["192.0.2.1"]

[policy.lab]
signature_life   = "8s"
signature_grid   = "1s"
inception_before = "10m"
dnskey_life      = "8s"
dnskey_refresh   = "4s"
dnskey_ttl       = "1s"
margin           = "1s"
"#;
    const MASTER: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.53\n";

    #[test]
    fn a_simulated_zone_waits_as_long_as_the_server_would() {
        let place = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(place.path().join("zones")).expect("a folder");
        std::fs::write(place.path().join("zones/mx.example.zone"), MASTER).expect("a file");
        let (config, _) = crate::config::parse("mxseal.toml", CONFIG).expect("a configuration");
        let config = Config { zones: place.path().join("zones"), keys: place.path().join("keys"), ..config };
        let (zones, findings) = signed_zones(&config);
        assert_eq!(zones.len(), 1, "{findings:?}");
        // It has no tenants and delegates nothing; and no cache uses what it serves past the end of its signature.
        assert_eq!(zones[0].limits, Limits::of(1, 8, 8, Lives { dnskey: 8, data: 8 }), "{findings:?}");
    }
}
