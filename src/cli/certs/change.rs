//! `cert csr`, `stage`, `permit`, `adopt`, `drop`, `resume`: what a person or a hook wants of keys.
//!
//! A dry run asks the same question and prints the same answer.

use super::super::args::{Adopt, CertResume, Csr, DropKey, Permit, Stage};
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::Pools;
use crate::cert::chain;
use crate::cert::make::PrivateKey;
use crate::cli::lives::{Change, ask, ask_one, change};
use crate::cli::screen::file::write;
use crate::cli::screen::output::Output;
use crate::cli::screen::words::{moment, near};
use crate::protocol::request::CertRequest;
use crate::protocol::{CertStanding, CsrInfo, PermitInfo, SecretText};
use crate::time::UnixTime;
use std::io::Read;
use std::path::Path;

/// Octets of a file that is named on the command line, at most.
const FILE_OCTETS_MAX: u64 = 1024 * 1024;

/// Reads a file of which a few kilobytes are expected.
///
/// # Errors
/// Exit 1 with why.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |why: String| Failure::new(Exit::Failure, format!("{} cannot be read: {why}", path.display()), "");
    let mut octets = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
    file.take(FILE_OCTETS_MAX).read_to_end(&mut octets).map_err(|error| fail(error.to_string()))?;
    Ok(octets)
}

/// Reads a chain.
///
/// # Errors
/// Exit 1 with why.
pub fn read_chain(path: &Path) -> Result<chain::Chain, Failure> {
    let wrong = |fault| Failure::new(Exit::Failure, format!("{} cannot be used: {fault}", path.display()), "");
    chain::parse_pem(&read(path)?).map_err(wrong)
}

/// Writes a request for a certificate.
pub fn csr(context: &Context, asked: &Csr, output: &mut Output) -> Result<Exit, Stop> {
    let request = CertRequest::Csr {
        pool: asked.pool.clone(),
        kind: asked.kind.clone(),
        names: asked.names.clone(),
        self_signed: asked.self_signed,
    }
    .into();
    let info: CsrInfo = ask_one::<Pools, _>(context, &request, &asked.pool)?;
    match &asked.out {
        _ if output.is_json() => output.object(&info)?,
        None => output.raw(info.pem.as_bytes())?,
        Some(file) => {
            write(file, &info.pem, output)?;
            output.line(&format!("key    {} ({})", info.spki, info.kind))?;
            output.line(&format!("names  {}", info.names.join(" ")))?;
            let now = crate::time::wall();
            let when = match info.ready_at {
                Some(at) if at <= now.0 => "now".to_owned(),
                Some(at) => format!("from {} on", near(at, now)),
                None => "once its TLSA was seen to be served".to_owned(),
            };
            output.line(&format!(
                "hosts may be given it {when}: `mxseal cert rotate {} --certificate FILE`",
                info.pool
            ))?;
        }
    }
    Ok(Exit::Ok)
}

/// Brings in a private key.
pub fn stage(context: &Context, asked: &Stage, output: &mut Output) -> Result<Exit, Stop> {
    let octets = zeroize::Zeroizing::new(read(&asked.key)?);
    let wrong = |fault| Failure::new(Exit::Failure, format!("{} cannot be used: {fault}", asked.key.display()), "");
    let key = PrivateKey::parse_pem(&octets).map_err(wrong)?;
    let secret = SecretText(key.pem().to_owned());
    let request = CertRequest::Stage { pool: asked.pool.clone(), key: secret, dry_run: asked.dry_run }.into();
    change::<Pools>(context, Change { name: &asked.pool, request, dry_run: asked.dry_run }, output)?;
    if !output.is_json() && !asked.dry_run {
        output.line(&format!(
            "Key {} is kept below `keys/`; remove {} when you have a backup.",
            key.spki(),
            asked.key.display()
        ))?;
    }
    Ok(Exit::Ok)
}

/// Asks whether hosts may be given a key.
pub fn permit(context: &Context, asked: &Permit, output: &mut Output) -> Result<Exit, Stop> {
    let spki = match (&asked.key, &asked.certificate) {
        (Some(key), _) => key.clone(),
        (None, Some(file)) => read_chain(file)?.leaf.spki.to_string(),
        (None, None) => String::new(),
    };
    let (emergency, dry_run) = (asked.emergency, asked.dry_run);
    let request = CertRequest::Permit { pool: asked.pool.clone(), spki, emergency, dry_run }.into();
    let (items, end) = ask::<Pools, PermitInfo>(context, &request, Some(&asked.pool))?;
    let Some(info) = items.into_iter().next() else {
        end.check()?;
        return Ok(Exit::Failure);
    };
    if output.is_json() {
        output.object(&info)?;
        return Ok(end.exit);
    }
    if info.granted {
        let until = info.until.map(moment).unwrap_or_default();
        output.line(&format!(
            "yes: hosts of pool {} may be given key {} until {until}",
            info.pool,
            short(&info.spki)
        ))?;
        return Ok(Exit::Ok);
    }
    let now = crate::time::wall();
    let help = match info.at {
        Some(at) => format!("ask again at {}", near(at, UnixTime(now.0))),
        None => format!("`mxseal cert status {}` says what it waits for", info.pool),
    };
    Err(Failure::new(end.exit, info.why, help).into())
}

/// Says that a key which a host shows is one of the pool's.
pub fn adopt(context: &Context, asked: &Adopt, output: &mut Output) -> Result<Exit, Stop> {
    let request = CertRequest::Adopt {
        pool: asked.pool.clone(),
        spki: asked.key.clone(),
        reason: asked.reason.clone(),
        dry_run: asked.dry_run,
    }
    .into();
    let info = change::<Pools>(context, Change { name: &asked.pool, request, dry_run: asked.dry_run }, output)?;
    if !output.is_json() && info.state == CertStanding::Frozen {
        output.line("The pool is frozen all the same: a key is added to its TLSA, and none is taken away.")?;
    }
    Ok(Exit::Ok)
}

/// Gives a key up, or takes that back.
pub fn drop_key(context: &Context, asked: &DropKey, output: &mut Output) -> Result<Exit, Stop> {
    let request = CertRequest::Drop {
        pool: asked.pool.clone(),
        spki: asked.key.clone(),
        emergency: asked.emergency,
        back: asked.back,
        reason: asked.reason.clone(),
        dry_run: asked.dry_run,
    }
    .into();
    change::<Pools>(context, Change { name: &asked.pool, request, dry_run: asked.dry_run }, output)?;
    Ok(Exit::Ok)
}

/// Says that what was in doubt has been looked at.
pub fn resume(context: &Context, asked: &CertResume, output: &mut Output) -> Result<Exit, Stop> {
    let (pool, reason, dry_run) = (asked.pool.clone(), asked.reason.clone(), asked.dry_run);
    let request = CertRequest::Resume { pool, reason, dry_run }.into();
    change::<Pools>(context, Change { name: &asked.pool, request, dry_run }, output)?;
    Ok(Exit::Ok)
}

/// A digest as people call it.
pub fn short(spki: &str) -> String {
    spki.chars().take(8).collect()
}
