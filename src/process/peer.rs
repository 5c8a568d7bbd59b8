//! Who is at the other end of a local socket, as the kernel tells.

// No crate that is here asks for the other end's credentials (unix(7), SO_PEERCRED).
#![allow(unsafe_code)]

use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// The user id of the process at the other end; none: the kernel does not tell.
pub fn user(stream: &UnixStream) -> Option<u32> {
    let mut found = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).ok()?;
    // SAFETY: the kernel writes at most `length` octets to `found`, which has as many; the descriptor is open as long as
    // `stream`, and all bit patterns are good ones.
    let ended = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast::<libc::c_void>(),
            &raw mut length,
        )
    };
    (ended == 0).then_some(found.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_has_the_user_of_this_process() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert_eq!(user(&one), Some(rustix::process::geteuid().as_raw()));
    }
}
