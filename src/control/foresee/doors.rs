//! Whether commands will reach the server over its control socket, and nobody else can stand in for it.
//!
//! It looks at the path of the socket, at the folder that holds it, and at the way of the group whose members may read.

use crate::config::Config;
use crate::control::door;
use crate::diagnostic::{Diagnostic, Place};
use crate::process::{group, system};
use rustix::fs::Access;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Code of a folder that cannot hold the control socket, or not safely.
const BAD_FOLDER: &str = "MX1039";
/// Code of a group that does not exist.
const NO_GROUP: &str = "MX1040";
/// Code of a folder on the way to the socket that members of the group may not enter.
const NO_WAY: &str = "MX1041";
/// Who may write into a folder besides its owner (inode(7)).
const OTHERS_WRITE: u32 = 0o022;
/// Others may add entries, and remove only their own.
const STICKY: u32 = 0o1000;
const ELSEWHERE: &str = "put the socket into a folder that they may enter and not write into, as in socket = \
                         \"/run/mxseal/control.sock\"";

/// What would keep commands from the server, or strangers not away from it.
pub(super) fn findings(config: &Config) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = path(config).into_iter().collect();
    if config.server.socket.is_some() {
        found.extend(folder(config));
    }
    found.extend(readers(config));
    found
}

fn place(config: &Config) -> Place {
    config.places.of(if config.server.socket.is_some() { "server.socket" } else { "keys" })
}

/// The control socket is a file whose path the system bounds. A server may get by with a relative path; whoever asks it
/// from another folder cannot.
fn path(config: &Config) -> Option<Diagnostic> {
    let socket = config.control_socket();
    if let Some(fault) = door::path_fault(&socket) {
        return Some(Diagnostic::error("MX1033", place(config), fault.to_string(), fault.help()));
    }
    let fault = door::path_fault(&std::path::absolute(socket).ok()?)?;
    let help = format!("until then commands reach the server from this folder only; {}", fault.help());
    Some(Diagnostic::warning("MX1034", place(config), fault.to_string(), help))
}

/// The folder that holds the socket, without links.
fn folder_of(config: &Config) -> std::io::Result<PathBuf> {
    let socket = std::path::absolute(config.control_socket())?;
    socket.parent().unwrap_or(Path::new("/")).canonicalize()
}

/// A folder that the server cannot write into has no socket; in one that others can change, another program could stand in for
/// the server and be told private keys.
fn folder(config: &Config) -> Option<Diagnostic> {
    let socket = config.control_socket();
    let error = |why: String, help: &str| {
        let message = format!("the control socket {} cannot be used: {why}", socket.display());
        Some(Diagnostic::error(BAD_FOLDER, place(config), message, help))
    };
    let folder = match folder_of(config) {
        Ok(folder) => folder,
        Err(fault) => {
            let help = "make the folder, for the server's user; RuntimeDirectory= of a systemd unit does so below /run";
            return error(format!("its folder cannot be found: {}", super::plain(&fault)), help);
        }
    };
    if let Some(why) = folder.ancestors().find_map(|above| changeable(above, above == folder)) {
        return error(why, "give that folder to root or to the server's user, and let nobody else write into it");
    }
    let fault = rustix::fs::access(&folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let why = format!("the server may not write into {}: {}", folder.display(), super::plain(&fault.into()));
    error(why, "give the folder to the server's user")
}

/// Why somebody but root and the server's user could put another thing in the place of what lies in this folder. In the one that
/// holds the socket nobody else may even add one.
fn changeable(folder: &Path, holds_socket: bool) -> Option<String> {
    let found = folder.metadata().ok()?;
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    if owner != 0 && owner != system::effective_user() {
        return Some(format!("{} belongs to user id {owner}", folder.display()));
    }
    let is_guarded = mode & STICKY != 0 && !holds_socket;
    (mode & OTHERS_WRITE != 0 && !is_guarded)
        .then(|| format!("others can change {} (mode {mode:04o})", folder.display()))
}

fn readers(config: &Config) -> Option<Diagnostic> {
    let name = config.server.socket_group.as_deref()?;
    let place = config.places.of("server.socket_group");
    let gid = match group::id_of(name) {
        Ok(Some(gid)) => gid,
        Ok(None) => {
            let message = format!("there is no group `{name}` in {}, so nobody is let in to read", group::GROUP);
            return Some(Diagnostic::error(
                NO_GROUP,
                place,
                message,
                "`groupadd --system` makes one; then restart the server",
            ));
        }
        Err(fault) => {
            let message = format!("the group `{name}` is not looked for: {} cannot be read: {fault}", group::GROUP);
            return Some(Diagnostic::error(NO_GROUP, place, message, "let everybody read that list, as is usual"));
        }
    };
    let folder = folder_of(config).ok()?;
    let may_enter = |found: &Metadata| {
        let (mode, is_theirs) = (found.mode(), found.gid() == gid);
        mode & 0o001 != 0 || is_theirs && mode & 0o010 != 0
    };
    let closed = folder.ancestors().find(|above| above.metadata().is_ok_and(|found| !may_enter(&found)))?;
    let mode = closed.metadata().map_or(0, |found| found.mode() & 0o7777);
    let message = format!(
        "members of the group `{name}` cannot reach the control socket {}: they may not enter {} (mode {mode:04o})",
        config.control_socket().display(),
        closed.display()
    );
    Some(Diagnostic::warning(NO_WAY, place, message, ELSEWHERE))
}
