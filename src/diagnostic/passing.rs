//! Faults that pass: of the process or the machine, which say nothing about a file, and of a disk that may be mended.
//!
//! Pure. Whoever meets one tries again by himself; a message names the shortage, and never blames the file.

use std::io;

/// Whether a fault is one of this moment of the process or the machine, and not of the file that met it.
pub fn is_of_process(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR | libc::EAGAIN | libc::ENOBUFS | libc::EIO)
}

/// Whether a fault may end by itself, or once somebody mends the disk or its rights.
pub fn is_passing(fault: &io::Error) -> bool {
    fault.raw_os_error().is_some_and(|errno| {
        is_of_process(errno)
            || matches!(errno, libc::ENOSPC | libc::EDQUOT | libc::EROFS | libc::EACCES | libc::EPERM | libc::ESTALE)
    })
}

/// What is short, and what to do; none where the fault is not one of the process or the machine.
pub fn words(errno: i32) -> Option<(&'static str, &'static str)> {
    Some(match errno {
        libc::EMFILE => (
            "no file descriptors are left for this process",
            "it is tried again by itself; give it more (LimitNOFILE= in its unit, or `ulimit -n`), or lower [server] tcp_connections",
        ),
        libc::ENFILE => (
            "no file descriptors are left on this machine",
            "it is tried again by itself; raise fs.file-max, or end what holds so many",
        ),
        libc::ENOMEM | libc::ENOBUFS => (
            "the system gives no memory",
            "it is tried again by itself; free memory, or raise the limit of this process",
        ),
        libc::EINTR | libc::EAGAIN => ("it could not be read at this moment", "it is tried again by itself"),
        libc::EIO => {
            ("the disk or the network file system fails", "it is tried again by itself; see the system's log (`dmesg`)")
        }
        // All others are about the file.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_as_one_and_what_is_about_the_file_is_not() {
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EINTR, libc::EAGAIN, libc::ENOBUFS, libc::EIO] {
            assert!(is_of_process(errno) && is_passing(&io::Error::from_raw_os_error(errno)), "{errno}");
            assert!(words(errno).is_some_and(|(_, help)| help.contains("tried again by itself")), "{errno}");
        }
        for errno in [libc::EACCES, libc::ENOENT, libc::ELOOP, libc::EISDIR] {
            assert!(!is_of_process(errno) && words(errno).is_none(), "{errno}");
        }
        assert!(is_passing(&io::Error::from_raw_os_error(libc::EROFS)));
        assert!(!is_passing(&io::Error::other("a path that is too long")));
    }
}
