//! Keys of zones as their journals tell them, for commands that run without a server or beside one.
//!
//! Nothing is locked, made or changed here, and a private half is read only where a command is to write it elsewhere.

use super::rolls::{Shift, limits};
use crate::config::{self, Config};
use crate::control::outside;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::roll::zone::Policy;
use crate::roll::zone::facts::Limits;
use crate::sign::key::Key;
pub(crate) use crate::store::folder::{is_there, zone_folder};
use crate::store::frozen::Frozen;
pub(crate) use crate::store::frozen::check_folder;
use crate::store::journal::file::{JOURNAL_NAME, JournalFile};
use crate::store::journal::{KeyFacts, KeyLayout, ZoneFacts};
use crate::store::keyfile;
use crate::store::keyfile::KeyFileFault;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

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

/// What a zone's journal adds up to; none where it has none, or its first keys are not complete.
///
/// # Errors
/// [`Frozen`] where the journal cannot be believed.
pub fn read_facts(keys: &Path, apex: &[u8]) -> Result<Option<ZoneFacts>, Frozen> {
    let folder = zone_folder(keys, apex);
    if is_there(&folder) {
        check_folder(&folder)?;
    }
    let path = folder.join(JOURNAL_NAME);
    let read =
        JournalFile::<ZoneFacts>::read(Arc::default(), path.clone()).map_err(|fault| Frozen::journal(&path, fault))?;
    Ok(read.map(|journal| journal.facts().clone()).filter(|facts| facts.first_keys_done))
}

/// The private half of a key as PKCS#8 DER, proved to be that of its public half.
///
/// # Errors
/// [`KeyFileFault`].
pub fn private_half(keys: &Path, apex: &[u8], key: &KeyFacts) -> Result<Zeroizing<Vec<u8>>, KeyFileFault> {
    let path = zone_folder(keys, apex).join(&key.file);
    let der = keyfile::read_der(&path)?;
    let as_key = |fault| KeyFileFault::Key { file: path.clone(), fault };
    let read = Key::from_pkcs8(key.public.flags, key.public.algorithm, &der).map_err(as_key)?;
    keyfile::prove(&path, &read, &key.public)?;
    Ok(der)
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

/// What a policy of the configuration wants of keys.
pub fn roll_policy(policy: &config::Policy) -> Policy {
    Policy {
        layout: match policy.keys {
            config::KeyLayout::Csk => KeyLayout::Csk,
            config::KeyLayout::KskZsk => KeyLayout::KskAndZsk,
        },
        algorithm: policy.algorithm,
        ksk_lifetime: policy.ksk_lifetime,
        zsk_lifetime: policy.zsk_lifetime,
        csk_lifetime: policy.csk_lifetime,
        margin: policy.margin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (config, _) = config::parse("mxseal.toml", CONFIG).expect("a configuration");
        let config = Config { zones: place.path().join("zones"), keys: place.path().join("keys"), ..config };
        let (zones, findings) = signed_zones(&config);
        assert_eq!(zones.len(), 1, "{findings:?}");
        // It has no tenants and delegates nothing; and no cache uses what it serves past the end of its signature.
        assert_eq!(zones[0].limits, Limits::of(1, 8, 8, (8, 8)), "{findings:?}");
    }
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
