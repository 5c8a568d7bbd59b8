//! Whether somebody has a file open for writing, or mapped so: the kernel is asked by a lease (fcntl(2), F_SETLEASE).
//!
//! A read lease is refused while there is a writer. It is given back at once, so nobody waits for it; its signal is one that
//! ends no process. Only a file's owner may ask, and only local file systems know all writers: the rest is not known.

// No safe crate offers leases.
#![allow(unsafe_code)]

use rustix::fs::fstatfs;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Which signal tells that somebody else wants the file (`asm-generic/fcntl.h`).
const F_SETSIG: libc::c_int = 10;
/// Local file systems (`linux/magic.h`). The others refuse leases for reasons of their own, as NFS without a delegation does,
/// or know only the writers of this machine.
const LOCAL: [u64; 8] = [
    0xEF53,      // ext2 to ext4
    0x5846_5342, // XFS
    0x9123_683E, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0xF2F5_2010, // F2FS
    0x2FC1_2FC1, // ZFS
    0x794C_7630, // overlay
];

/// Whether somebody has it open for writing; none: nobody may know. `file` is open for reading only.
pub(super) fn is_written(file: &File) -> Option<bool> {
    let descriptor = file.as_raw_fd();
    // SAFETY: fcntl(2) with a number as its argument touches no memory; the descriptor is open as long as `file`.
    let ask = |command: libc::c_int, argument: libc::c_int| unsafe { libc::fcntl(descriptor, command, argument) };
    // Whoever opens it in between is told by a signal, whose usual number would end the process.
    if ask(F_SETSIG, libc::SIGURG) != 0 {
        return None;
    }
    if ask(libc::F_SETLEASE, libc::F_RDLCK) == 0 {
        ask(libc::F_SETLEASE, libc::F_UNLCK);
        return Some(false);
    }
    let is_busy = std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
    let is_local =
        || fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type).is_ok_and(|kind| LOCAL.contains(&kind)));
    (is_busy && is_local()).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn a_writer_is_known_as_long_as_it_has_the_file_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        std::fs::write(&path, "x").expect("written");
        let file = File::open(&path).expect("opened");
        assert_eq!(is_written(&file), Some(false));
        let writer = OpenOptions::new().append(true).open(&path).expect("opened");
        assert_eq!(is_written(&file), Some(true));
        drop(writer);
        assert_eq!(is_written(&file), Some(false));
        let null = File::open("/dev/null").expect("opened");
        assert_eq!(is_written(&null), None, "no regular file");
    }
}
