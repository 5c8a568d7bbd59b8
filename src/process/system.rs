//! What the process is to the kernel: its user, its capabilities, its descriptors.
//!
//! It decides nothing: each function is one request and its result. Those that give something up act on the calling
//! thread, so they run while there is no other, before workers exist.

use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Octets for listing descriptors: some hundreds of entries a call.
const LIST_OCTETS: usize = 16 * 1024;

/// The effective user id of the process.
pub fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Leaves all supplementary groups but these, then changes group and user (real, effective and saved).
///
/// # Errors
/// What the kernel says; the process must then not go on.
pub fn become_user(uid: u32, gid: u32, keep: &[u32]) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let keep: Vec<Gid> = keep.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&keep)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

/// Whether the process can become root again; it tries. Only call this after giving root up.
pub fn can_become_root() -> bool {
    rustix::thread::set_thread_uid(Uid::ROOT).is_ok()
}

/// Removes every capability from the bounding set, so that no program executed later could gain one. Needs
/// CAP_SETPCAP, hence comes before [`become_user`]; without it nothing changes, as NO_NEW_PRIVS has the same effect.
pub fn empty_bounding_set() {
    for capability in CapabilitySet::all() {
        // One that this kernel does not know is not there to be removed.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
}

/// Gives up all capabilities: ambient, inheritable, permitted, effective.
///
/// # Errors
/// What the kernel says.
pub fn drop_capabilities() -> io::Result<()> {
    // A kernel before 4.3 has no ambient set and refuses, which is as good.
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    Ok(rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// Sets NO_NEW_PRIVS: nothing executed later gains privileges, and filters need none.
///
/// # Errors
/// What the kernel says.
pub fn no_new_privileges() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Makes the process not dumpable: no core file holds keys, and no process of the same user may trace it.
///
/// # Errors
/// What the kernel says.
pub fn not_dumpable() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Raises the soft limit of open descriptors to the hard one, where that is allowed; returns the limit in force.
pub fn raise_descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let is_raised = limit.current == limit.maximum || rustix::process::setrlimit(Resource::Nofile, wanted).is_ok();
    let _ = descriptor_list();
    let in_force = if is_raised { limit.maximum } else { limit.current };
    in_force.unwrap_or(u64::MAX)
}

/// Counts the open descriptors; 0 where the kernel does not show them.
pub fn open_descriptors() -> usize {
    let Some(list) = descriptor_list() else { return 0 };
    // One counter at a time: the position in the list is shared.
    let list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if rustix::fs::seek(&*list, SeekFrom::Start(0)).is_err() {
        return 0;
    }
    let mut buffer = [MaybeUninit::uninit(); LIST_OCTETS];
    let mut entries = RawDir::new(&*list, &mut buffer);
    let mut count = 0;
    while let Some(Ok(entry)) = entries.next() {
        count += usize::from(!entry.file_name().to_bytes().starts_with(b"."));
    }
    count
}

/// The kernel's list of our descriptors, opened once: confined threads may open nothing.
fn descriptor_list() -> Option<&'static Mutex<OwnedFd>> {
    static LIST: OnceLock<Option<Mutex<OwnedFd>>> = OnceLock::new();
    let open =
        || rustix::fs::open("/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    LIST.get_or_init(|| open().ok().map(Mutex::new)).as_ref()
}
