//! What a server needs from its host at a start, beside the files that it serves: folders, a socket, lists of authorities.
//!
//! It reads and changes nothing. `check` asks it before anybody starts a server; the server itself reads the lists with it.

mod doors;

use crate::cert::roots::Roots;
use crate::config::Config;
use crate::diagnostic::{self, Diagnostic, Place};
use crate::resolve::anchors::Anchors;
use crate::store::ready;
use crate::world::named::{CANARY_IN_VAIN, POOL_IN_VAIN, ZONE_IN_VAIN};
use std::io::Read;
use std::path::Path;

/// Octets of a file of anchors, at most: a few hundred records.
const ANCHORS_OCTETS_MAX: u64 = 256 * 1024;
/// Code of a file of anchors that cannot be used.
pub(super) const BAD_ANCHORS: &str = "MX5513";
/// Code of a folder of zones that is not there, or cannot be listed.
pub const NO_ZONES: &str = "MX1030";
/// Codes of zones and pools that the configuration names in vain: without that folder there are none.
pub const NEEDS_ZONES: [&str; 3] = [ZONE_IN_VAIN, CANARY_IN_VAIN, POOL_IN_VAIN];
/// Code of a folder of keys that cannot be used.
pub const NO_KEYS: &str = "MX1032";

/// What would keep a server with this configuration from starting, or from what it is to do.
pub fn host(config: &Config) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> =
        [zones(config), keys(config), anchors(config).1, named_roots(config)].into_iter().flatten().collect();
    found.extend(doors::findings(config));
    found
}

fn zones(config: &Config) -> Option<Diagnostic> {
    let cause = std::fs::read_dir(&config.zones).err()?;
    let message = format!("`{}`, the folder of zones, cannot be read: {}", config.zones.display(), plain(&cause));
    let help = "make the folder, or correct `zones`; without it the server does not start";
    Some(Diagnostic::error(NO_ZONES, config.places.of("zones"), message, help))
}

fn keys(config: &Config) -> Option<Diagnostic> {
    // With `user` a server is started by root, which makes the folder.
    let fault = ready::why_unusable(&config.keys, config.server.user.is_some())?;
    let help = "the server does not start without a folder of keys that it can write into, and nobody else can read";
    Some(Diagnostic::error(NO_KEYS, config.places.of("keys"), fault.to_string(), help))
}

/// Where trust begins when a parent is asked; without it no parent of others is asked.
pub(super) fn anchors(config: &Config) -> (Option<Anchors>, Option<Diagnostic>) {
    let Some(file) = &config.rolls.anchors else { return (Some(Anchors::root()), None) };
    let read = text(file).and_then(|text| Anchors::parse(&text).map_err(|fault| fault.to_string()));
    match read {
        Ok(anchors) => (Some(anchors), None),
        Err(why) => {
            let message = format!("the trust anchors cannot be used: {why}");
            let help = "mend the file: it is read again by itself; until then no DS is looked for at parents, so rolls wait for it";
            (None, Some(Diagnostic::error(BAD_ANCHORS, Place::file(file.display().to_string()), message, help)))
        }
    }
}

/// Whom MTA-STS senders trust. A file that the configuration names is missed; without the list of the system only the log
/// says so.
pub(super) fn roots(config: &Config) -> (Option<Roots>, Option<Diagnostic>) {
    let Some(file) = config.probe.roots.as_ref().filter(|_| config.probe.enabled) else { return (None, None) };
    let octets = std::fs::read(file).map_err(|fault| plain(&fault));
    let why = match octets.and_then(|octets| Roots::parse_pem(&octets).map_err(|fault| fault.to_string())) {
        Ok(roots) => return (Some(roots), None),
        Err(why) => why,
    };
    let message = format!("the authorities that MTA-STS senders trust cannot be read from {}: {why}", file.display());
    let help = "correct `roots`, or install the system's list (ca-certificates), or write roots = \"\"; until then it is not looked at";
    (None, Some(Diagnostic::warning("MX1031", config.places.of("probe.roots"), message, help)))
}

fn named_roots(config: &Config) -> Option<Diagnostic> {
    roots(config).1.filter(|_| config.places.is_written("probe.roots"))
}

fn text(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|fault| plain(&fault))?;
    opened.take(ANCHORS_OCTETS_MAX).read_to_string(&mut text).map_err(|fault| plain(&fault))?;
    match diagnostic::unended(BAD_ANCHORS, "", &text, "nothing of the file is used") {
        Some(fault) => Err(format!("line {}: {} ({})", fault.place.line, fault.message, fault.help)),
        None => Ok(text),
    }
}

/// The system's words, without its number for them.
fn plain(fault: &std::io::Error) -> String {
    let text = fault.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
