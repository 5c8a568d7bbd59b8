//! How much memory the system gives to the process, so that files of strangers cannot end it.
//!
//! Asked once, at the start: what others take later is not known here.

use rustix::process::Resource;
use std::fs::read_to_string;
use std::path::Path;

/// Octets that the rest of the process takes: stacks, buffers, sockets, what is read before it is known what it holds.
const RESERVE: u64 = 64 << 20;
/// Address space that threads set aside and hardly use, as measured: each has a stack and an arena of the allocator. Where
/// there is less, they share arenas, and one part in so many of the limit is left at least.
const RESERVE_ADDRESSES: u64 = 1 << 30;
const ADDRESSES_SHARE: u64 = 8;
/// Of what is left, one part in so many stays free: what the allocator cannot use again at once.
const FREE_SHARE: u64 = 4;
const CGROUPS: &str = "/sys/fs/cgroup";

/// What bounds the memory of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Octets for zones and tenants.
    pub octets: u64,
    /// What says so.
    pub by: &'static str,
}

/// The tightest of all bounds; none: the system tells of none.
pub(super) fn available() -> Option<Memory> {
    let limit = rustix::process::getrlimit(Resource::As).current;
    let addresses = |limit: u64| limit.saturating_sub(RESERVE_ADDRESSES).max(limit / ADDRESSES_SHARE);
    let addresses = limit.map(|limit| (addresses(limit), "RLIMIT_AS"));
    let group = group().map(|octets| (octets.saturating_sub(RESERVE), "memory.max of the control group"));
    let free = free(&read_to_string("/proc/meminfo").unwrap_or_default());
    let free = free.map(|octets| (octets.saturating_sub(RESERVE), "MemAvailable"));
    let (octets, by) = addresses.into_iter().chain(group).chain(free).min_by_key(|(octets, _)| *octets)?;
    Some(Memory { octets: octets - octets / FREE_SHARE, by })
}

fn free(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

/// The least that a control group (version 2) above this process leaves.
fn group() -> Option<u64> {
    let text = read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Path::new(CGROUPS).join(path).ancestors().take_while(|folder| folder.starts_with(CGROUPS)).filter_map(left).min()
}

fn left(group: &Path) -> Option<u64> {
    let number = |file: &str| read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_understood() {
        assert_eq!(free("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(free("MemTotal: 9 kB\n"), None);
        assert!(available().is_some_and(|memory| memory.octets > 0));
    }
}
