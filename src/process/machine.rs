//! What tells this machine, this start of it, and this folder from all others.
//!
//! It only reads, and never says more than the system does: what cannot be told is empty.

use data_encoding::HEXLOWER;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What differs between any two starts of the machine (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// What differs between any two installations (machine-id(5)); images for containers leave it out, or empty.
const MACHINE_ID: &str = "/etc/machine-id";
/// Where container managers leave a mark. A machine id is that of the container then, and new with each one.
const CONTAINER_MARKS: &[&str] = &["/run/.containerenv", "/.dockerenv", "/run/systemd/container"];
/// Mixed into the digest of the machine id, which is a secret of the machine (machine-id(5)).
const PURPOSE: &[u8] = b"mxseal: who uses this keys folder";

/// This start of the machine. Without /proc each start of the process counts as one of the machine: time off is then
/// believed up to its budget only.
pub fn boot() -> String {
    let own = || format!("process {} at {}", std::process::id(), crate::time::wall().0);
    text(BOOT_ID).unwrap_or_else(own)
}

/// This machine; empty: nothing tells it from others, or this is a container.
pub fn machine() -> String {
    if CONTAINER_MARKS.iter().any(|path| Path::new(path).exists()) {
        return String::new();
    }
    // systemd writes a word there while the first boot is under way.
    text(MACHINE_ID).filter(|id| id.len() >= 32).map_or_else(String::new, |id| print(id.as_bytes()))
}

/// Its name, for people; empty: it has none.
pub fn host() -> String {
    text("/proc/sys/kernel/hostname").unwrap_or_default()
}

/// What tells a folder from each of its copies: its number in the file system, and when it was made. Empty where the file
/// system does not say when. Numbers of devices are left out: they differ from start to start.
pub fn place(folder: &Path) -> String {
    let Ok(found) = std::fs::metadata(folder) else { return String::new() };
    let made = found.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    made.map_or_else(String::new, |made| format!("{}-{}", found.ino(), made.as_nanos()))
}

fn text(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn print(secret: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &[PURPOSE, secret].concat());
    HEXLOWER.encode(digest.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_start_is_told_and_the_machines_secret_is_not() {
        assert!(!boot().is_empty() && boot() == boot());
        let machine = machine();
        assert!(text(MACHINE_ID).is_none_or(|id| !machine.contains(&id)));
        assert!(machine.is_empty() || machine.len() == 32, "{machine}");
        assert_ne!(print(b"one"), print(b"two"));
        let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let [one, two] = folders.each_ref().map(|folder| place(folder.path()));
        assert!((one.is_empty() && two.is_empty()) || one != two, "{one}");
    }
}
