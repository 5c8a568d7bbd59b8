//! `check` becomes the user that the server will be, so that it sees what that one sees.
//!
//! Whether a user may read a file is for the system to say, not for a rule about modes, owners, groups and access lists.

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Place};
use crate::process::{confine, system};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Becomes the user that the server will be, for good, and says where that cannot be: `[server] user`; without it whoever
/// owns the folder of keys, since the server runs as nobody else. Only root can become another user.
pub fn become_server(config: &Config) -> Vec<Diagnostic> {
    let running = system::effective_user();
    let place = config.places.of("server.user");
    let wanted = match config.server.user.as_deref() {
        None => std::fs::metadata(&config.keys).ok().map(|keys| (keys.uid(), keys.gid())),
        Some(user) => match confine::ids_of(user) {
            Ok((0, _)) => {
                let message = format!("`{user}` is root, which the server gives up: it does not start");
                return vec![Diagnostic::error("MX1035", place, message, "name a user other than root")];
            }
            Ok(ids) => Some(ids),
            Err(fault) => {
                let help = "`useradd --system` makes one; without it the server does not start";
                return vec![Diagnostic::error("MX1035", place, fault.to_string(), help)];
            }
        },
    };
    let Some((uid, gid)) = wanted.filter(|(uid, _)| *uid != running) else { return Vec::new() };
    let fault = match running {
        0 => system::become_user(uid, gid, &[]).err().map(|fault| fault.to_string()),
        _ => Some(format!("only root can, and this is user {running}")),
    };
    fault.map(|why| Diagnostic::warning("MX1036", place, in_doubt(config, uid, &why), CURE)).into_iter().collect()
}

const CURE: &str = "run `mxseal check` as root, or as that user";

fn in_doubt(config: &Config, uid: u32, why: &str) -> String {
    let user = config.server.user.clone().unwrap_or_else(|| format!("user {uid}, who owns {}", config.keys.display()));
    format!(
        "what follows about files that cannot be read, and about keys, may be wrong: the server will be {user}, which check cannot become: {why}"
    )
}

/// A configuration that the server's user cannot read is used at a start, which reads it as root, and by no reload.
pub fn rereads(file: &Path) -> Option<Diagnostic> {
    let cause = std::fs::File::open(file).err()?;
    let message = format!("the server's user cannot read this file: {cause}");
    let help = "a start reads it as root, but `mxseal reload` and commands run as that user will fail: `chmod o+r`, or give it the user's group";
    Some(Diagnostic::warning("MX1037", Place::file(file.display().to_string()), message, help))
}
