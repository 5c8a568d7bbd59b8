//! The few system calls that neither the standard library nor a safe crate offers: identity, capabilities, limits.
//!
//! It decides nothing: each function is one call and its result. Nothing here may run once workers exist.
#![allow(unsafe_code)]

use std::io;

/// Capabilities are numbered up to 63 in the kernel's interface (`capability.h`, version 3).
const CAPABILITIES_MAX: libc::c_ulong = 63;
/// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// `__user_cap_header_struct`.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: libc::c_int,
}

/// `__user_cap_data_struct`; version 3 takes two, for the low and the high 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The effective user id of the process.
pub fn effective_user() -> u32 {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// Leaves all supplementary groups, then changes group and user (real, effective and saved) of all threads.
///
/// # Errors
/// What the kernel says; the process must then not go on.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: a length of zero makes the kernel read nothing through the null pointer (setgroups(2)).
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: plain integers; the C library tells all threads.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: plain integers; the C library tells all threads.
    check(unsafe { libc::setresuid(uid, uid, uid) })
}

/// Whether the process can become root again; it tries. Only call this after giving root up.
pub fn can_become_root() -> bool {
    // SAFETY: a plain integer; the C library tells all threads.
    unsafe { libc::setuid(0) == 0 }
}

/// Removes every capability from the bounding set, so that no program executed later could gain one. Needs
/// CAP_SETPCAP, hence comes before [`become_user`]; without it nothing changes, as NO_NEW_PRIVS has the same effect.
pub fn empty_bounding_set() {
    for capability in 0..=CAPABILITIES_MAX {
        // SAFETY: prctl with integers only; a number that the kernel does not know is refused with EINVAL.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// Gives up all capabilities: ambient, inheritable, permitted, effective.
///
/// # Errors
/// What the kernel says.
pub fn drop_capabilities() -> io::Result<()> {
    // SAFETY: prctl with integers only. A kernel before 4.3 has no ambient set and refuses, which is as good.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let none = [CapabilityData { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: both pointers are to live values of the layout that capset(2) reads for version 3: one header, two data.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, none.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets NO_NEW_PRIVS: nothing executed later gains privileges, and filters need none.
///
/// # Errors
/// What the kernel says.
pub fn no_new_privileges() -> io::Result<()> {
    // SAFETY: prctl with integers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// Makes the process not dumpable: no core file holds keys, and no process of the same user may trace it.
///
/// # Errors
/// What the kernel says.
pub fn not_dumpable() -> io::Result<()> {
    // SAFETY: prctl with integers only.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) })
}

/// Raises the soft limit of open descriptors to the hard one; returns the limit in force.
///
/// # Errors
/// What the kernel says.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit that the kernel fills.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        let wanted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: the pointer is to a live rlimit that the kernel reads.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) })?;
    }
    Ok(limit.rlim_max)
}

/// Counts the open descriptors below `bound`. The kernel gives out the lowest free number, so a bound of twice the
/// expected count misses nothing that matters.
pub fn open_descriptors(bound: i32) -> usize {
    // SAFETY: F_GETFD with a plain integer; a number that is not open is refused with EBADF.
    (0..bound).filter(|descriptor| unsafe { libc::fcntl(*descriptor, libc::F_GETFD) } != -1).count()
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
