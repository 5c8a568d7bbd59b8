//! What the server gives up at its start, and whom it lets in: root, files, and the group whose members may read.

use crate::cli::failure::{Exit, Failure};
use crate::config::Config;
use crate::control::{self, Readers};
use crate::process::confine::{self as process, Confinement, InForce};
use crate::process::group;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The group whose members may read, looked for while the list of groups can be read.
pub fn readers(config: &Config) -> Option<Readers> {
    let name = config.server.socket_group.clone()?;
    let gid = group::id_of(&name).unwrap_or_else(|fault| {
        tracing::warn!("the group `{name}` is not looked for: {} cannot be read: {fault}", group::GROUP);
        None
    });
    Some(Readers { name, gid })
}

/// Gives up root, then everything that is not needed, while there is one thread.
pub fn confine(config: &Config, file: &Path, readers: Option<&Readers>) -> Result<InForce, Failure> {
    let user = config.server.user.as_deref().unwrap_or("");
    process::make_folder_for(user, &config.keys).map_err(|fault| failed(fault.to_string()))?;
    // A member of a group may give it the control socket.
    let keep: Vec<u32> = readers.and_then(|readers| readers.gid).into_iter().collect();
    let mut in_force = process::drop_privileges(user, &keep).map_err(|fault| failed(fault.to_string()))?;
    if let Err(fault) = std::fs::create_dir_all(&config.keys) {
        return Err(failed(format!("the folder of keys {} cannot be made: {fault}", config.keys.display())));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut read_only: BTreeSet<PathBuf> = [config.zones.clone(), folder.to_owned(), PathBuf::from("/proc")].into();
    read_only.extend(control::certificate_folders(config));
    let read_only = read_only.into_iter().filter(|folder| folder.is_dir()).collect();
    // So that the control socket comes back also where the folder of keys was made anew.
    let sockets = config.keys.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    let sockets = sockets.map(Path::to_owned).into_iter().collect();
    let read_write = vec![config.keys.clone()];
    let more = process::apply_process(&Confinement { read_only, read_write, sockets, replaced_sockets: door(config) });
    in_force.words.extend(more.words);
    in_force.warnings.extend(more.warnings);
    for warning in &in_force.warnings {
        tracing::warn!("{warning}");
    }
    Ok(in_force)
}

/// The folder of a control socket outside of the folder of keys.
fn door(config: &Config) -> Vec<PathBuf> {
    let socket = config.control_socket();
    let folder = socket.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    folder.filter(|folder| !folder.starts_with(&config.keys)).map(Path::to_owned).into_iter().collect()
}

fn failed(message: String) -> Failure {
    Failure::new(Exit::Failure, message, "")
}
