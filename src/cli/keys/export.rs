//! `keys export`: the keys of a zone as files that other servers read, from `keys/` alone.
//!
//! Files are readable by their owner only; none is ever written over, and nothing is written before all can be.

use super::super::args::{Export, KeyForm};
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::zone_stem;
use crate::dns::name::{Name, ROOT};
use crate::roll::zone::fold::ZoneFacts;
use crate::sign::export::{BindFiles, Standing, to_bind, to_pem};
use crate::sign::key::Role;
use crate::store::journal::KeyFacts;
use crate::store::offline::{private_half, read_facts};
use crate::time::UnixTime;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Reads, writes, prints.
pub fn run(context: &Context, asked: &Export, output: &mut Output) -> Result<Exit, Stop> {
    let stem = zone_stem(&asked.zone);
    let wrong = |fault| Failure::new(Exit::Usage, format!("`{}` is not a zone: {fault}", asked.zone), "");
    let apex = Name::parse(&stem, ROOT).map_err(wrong)?;
    let facts = read_facts(&context.config.keys, &apex).map_err(|frozen| {
        let found = frozen.diagnostic();
        Failure::new(Exit::Failure, format!("{}: {}", found.place.file, found.message), found.help)
    })?;
    let none = || {
        let message = format!("zone {stem} has no keys in {}", context.config.keys.display());
        Failure::new(Exit::Failure, message, "name a zone that was signed here: see `mxseal zone list`")
    };
    let facts = facts.ok_or_else(none)?;
    let keys = chosen(&facts, asked.tag);
    if keys.is_empty() {
        let message = match asked.tag {
            Some(tag) => format!("zone {stem} has no key {tag} with a private half here"),
            None => format!("zone {stem} has no key with a private half here"),
        };
        return Err(Failure::new(Exit::Failure, message, format!("see `mxseal keys status {stem}`")).into());
    }
    let ttl = context.config.policy_for(&stem, facts.parent.own).dnskey_ttl;
    if !asked.to.is_dir() {
        let message = format!("{} is not a folder", asked.to.display());
        return Err(Failure::new(Exit::Failure, message, "nothing was written; make it, or name another").into());
    }
    let mut all = Vec::new();
    for key in keys {
        let der = private_half(&context.config.keys, &apex, key)
            .map_err(|fault| Failure::new(Exit::Failure, fault.to_string(), "restore it from a backup"))?;
        let texts = texts(&der, key, &facts, &apex, ttl, asked.format)
            .map_err(|fault| Failure::new(Exit::Failure, format!("key {}: {fault}", key.public.tag), ""))?;
        let paths = texts.into_iter().map(|(name, text)| (asked.to.join(name), text)).collect::<Vec<_>>();
        all.push((key, paths));
    }
    for (path, _) in all.iter().flat_map(|(_, paths)| paths) {
        if path.symlink_metadata().is_ok() {
            let message = format!("{} is there already", path.display());
            return Err(Failure::new(Exit::Failure, message, "nothing was written; name an empty folder").into());
        }
    }
    for (key, paths) in &all {
        for (path, text) in paths {
            write(path, text)?;
        }
        tell(&apex, key, paths, output)?;
    }
    if !output.is_json() {
        output
            .line("Whoever reads these files can sign for the zone: move them over an encrypted way, and wipe them.")?;
    }
    Ok(Exit::Ok)
}

/// Keys that are there; one that was removed only by its tag, since another server must not use it by mistake.
fn chosen(facts: &ZoneFacts, tag: Option<u16>) -> Vec<&KeyFacts> {
    let is_kept = |key: &&KeyFacts| !key.file.is_empty() && key.destroyed.is_none();
    let is_wanted = |key: &&KeyFacts| match tag {
        Some(tag) => key.public.tag == tag,
        None => key.is_live(),
    };
    facts.keys.iter().filter(is_kept).filter(is_wanted).collect()
}

type Files = Vec<(String, Zeroizing<String>)>;

/// Names and contents of a key's files.
fn texts(
    der: &[u8],
    key: &KeyFacts,
    facts: &ZoneFacts,
    apex: &Name,
    ttl: u32,
    form: KeyForm,
) -> Result<Files, crate::sign::key::KeyFault> {
    let bind = to_bind(der, &key.public, apex, ttl, standing(facts, key))?;
    let BindFiles { stem, key: public, private, state } = bind;
    let mut files = vec![(format!("{stem}.key"), Zeroizing::new(public))];
    match form {
        KeyForm::Bind => {
            files.push((format!("{stem}.private"), private));
            files.extend(state.map(|state| (format!("{stem}.state"), Zeroizing::new(state))));
        }
        KeyForm::Pem => files.push((format!("{stem}.pem"), to_pem(der, &key.public)?)),
    }
    Ok(files)
}

/// How a key in use stands; none for one that waits, is leaving or gone: another server makes its own decision there.
fn standing(facts: &ZoneFacts, key: &KeyFacts) -> Option<Standing> {
    let signs = key.role != Role::Ksk && key.signs_data();
    let is_in_use = key.is_published() && (signs || facts.ds_wanted.has(key.id));
    let since = key.activated.max(key.published).unwrap_or(UnixTime(0));
    is_in_use.then_some(Standing { role: key.role, since })
}

fn write(path: &PathBuf, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        let message = format!("{} cannot be written: {error}", path.display());
        Failure::new(Exit::Failure, message, "the folder must be writable; remove what was written of this export")
    })
}

fn tell(apex: &Name, key: &KeyFacts, paths: &[(PathBuf, Zeroizing<String>)], output: &mut Output) -> Result<(), Stop> {
    let names: Vec<String> = paths.iter().map(|(path, _)| path.display().to_string()).collect();
    let (tag, role, algorithm) = (key.public.tag, key.role.word(), key.public.algorithm);
    if output.is_json() {
        let zone = apex.to_string();
        return output.object(
            &serde_json::json!({ "zone": zone, "tag": tag, "role": role, "algorithm": algorithm, "files": names }),
        );
    }
    let line = format!("{} {tag} of algorithm {algorithm}: {}", role.to_uppercase(), names.join(" "));
    output.line(&output.tone(Tone::Plain, &line))
}
