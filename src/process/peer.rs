//! Who is at the other end of a local socket, as the kernel tells.

// No crate that is here asks for the other end's credentials (unix(7), SO_PEERCRED and SO_PEERGROUPS).
#![allow(unsafe_code)]

use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// Groups of a process that are asked for at first; the kernel says where it has more.
const GROUPS: usize = 32;
/// Groups of a process, at most (NGROUPS_MAX, credentials(7)).
const GROUPS_MAX: usize = 65_536;

/// A process at the other end, as it was when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its supplementary groups, then its effective group.
    pub groups: Vec<u32>,
}

/// The process at the other end; none: the kernel does not tell.
pub fn of(stream: &UnixStream) -> Option<Peer> {
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
    if ended != 0 {
        return None;
    }
    let mut groups = supplementary_groups(stream);
    groups.push(found.gid);
    Some(Peer { uid: found.uid, groups })
}

/// The supplementary groups of the process at the other end; empty where the kernel does not tell (before Linux 4.13).
fn supplementary_groups(stream: &UnixStream) -> Vec<u32> {
    let mut groups = vec![0u32; GROUPS];
    loop {
        let Ok(mut octets) = libc::socklen_t::try_from(groups.len() * size_of::<u32>()) else { return Vec::new() };
        // SAFETY: the kernel writes at most `octets` octets to `groups`, which has as many; the descriptor is open as long as
        // `stream`, and all bit patterns are good ones.
        let ended = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast::<libc::c_void>(),
                &raw mut octets,
            )
        };
        let count = usize::try_from(octets).unwrap_or(0) / size_of::<u32>();
        let is_short = ended != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE);
        if is_short && (groups.len() + 1..=GROUPS_MAX).contains(&count) {
            groups.resize(count, 0);
            continue;
        }
        groups.truncate(if ended == 0 { count } else { 0 });
        return groups;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_has_the_user_and_the_groups_of_this_process() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let found = of(&one).expect("the kernel tells");
        assert_eq!(found.uid, rustix::process::geteuid().as_raw());
        let mut own: Vec<u32> = rustix::process::getgroups().expect("told").iter().map(|gid| gid.as_raw()).collect();
        own.push(rustix::process::getegid().as_raw());
        assert_eq!(found.groups, own);
    }
}
