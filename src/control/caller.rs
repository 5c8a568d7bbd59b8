//! Who asks over the control socket, and what of it the log keeps: each command that changes something, with the user.

// No crate that is here asks for the other end's credentials (unix(7), SO_PEERCRED).
#![allow(unsafe_code)]

use crate::control::protocol::Request;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// The user id of the process at the other end; none: the kernel does not tell.
pub(super) fn user(stream: &UnixStream) -> Option<u32> {
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

/// A command that changes something, in words; none: it only looks, or is a dry run.
pub(super) fn deed(request: &Request) -> Option<String> {
    let of = |dry_run: &bool, words: String| (!dry_run).then_some(words);
    match request {
        Request::Status
        | Request::ZoneList
        | Request::ZoneShow { .. }
        | Request::TenantList(_)
        | Request::TenantShow { .. }
        | Request::TenantTry(_)
        | Request::PoolList
        | Request::PoolShow { .. }
        | Request::PoolLook { .. }
        | Request::Explain { .. }
        | Request::KeysStatus { .. }
        | Request::KeysPlan { .. }
        | Request::CertStatus { .. }
        | Request::CertPlan { .. } => None,
        Request::Reload { allow_shrink: false } => Some("reload".to_owned()),
        Request::Reload { allow_shrink: true } => Some("reload --allow-shrink".to_owned()),
        Request::TenantWait { domain, zone, present: true, .. } => Some(format!("tenant add {domain} --zone {zone}")),
        // The removal itself was permitted, and logged, before.
        Request::TenantWait { present: false, .. } => None,
        Request::TenantPermitRemoval { domain, zone } => Some(format!("tenant rm {domain} --zone {zone}")),
        Request::KeysRoll { zone, dry_run, .. } => of(dry_run, format!("keys roll {zone}")),
        Request::KeysHold { zone, dry_run, .. } => of(dry_run, format!("keys hold {zone}")),
        Request::KeysResume { zone, dry_run, .. } => of(dry_run, format!("keys resume {zone}")),
        Request::KeysImport { zone, dry_run, .. } => of(dry_run, format!("keys import {zone}")),
        Request::KeysLead(asked) => of(&asked.dry_run, "keys lead".to_owned()),
        Request::CertCsr { pool, .. } => Some(format!("cert csr {pool}")),
        Request::CertStage { pool, dry_run, .. } => of(dry_run, format!("cert stage {pool}")),
        Request::CertPermit { pool, dry_run, .. } => of(dry_run, format!("cert permit {pool}")),
        Request::CertAdopt { pool, dry_run, .. } => of(dry_run, format!("cert adopt {pool}")),
        Request::CertDrop { pool, dry_run, .. } => of(dry_run, format!("cert drop {pool}")),
        Request::CertResume { pool, dry_run, .. } => of(dry_run, format!("cert resume {pool}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_has_the_user_of_this_process() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert_eq!(user(&one), Some(rustix::process::geteuid().as_raw()));
    }

    #[test]
    fn what_only_looks_is_no_deed() {
        let hold = |dry_run| Request::KeysHold { zone: "x.example.".to_owned(), reason: "r".to_owned(), dry_run };
        assert_eq!(deed(&hold(false)).as_deref(), Some("keys hold x.example."));
        assert_eq!((deed(&hold(true)), deed(&Request::Status)), (None, None));
    }
}
