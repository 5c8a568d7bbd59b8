//! Which file systems hide changes from the watcher, read from the kernel's list of mounts.
//!
//! Pure. Where events cannot be relied on, the folder is scanned every few seconds; a wrong guess costs time, never
//! an update.

use std::path::{Path, PathBuf};

/// File systems whose content others can change without an event here: network, FUSE, and overlays, whose layers can
/// be written directly.
const SILENT: [&str; 16] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "afs",
    "9p",
    "virtiofs",
    "gfs2",
    "ocfs2",
    "lustre",
    "glusterfs",
    "overlay",
    "aufs",
    "vboxsf",
];

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// Type of the file system.
    pub kind: String,
}

/// All mounts, in the order in which they were made. A line that cannot be understood is left out (proc(5)).
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = unescape(left.split(' ').nth(4)?);
        Some(Mount { point, kind: right.split(' ').next()?.to_owned() })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// Whether changes in `root` (canonical) can happen without an event: by the file system that it lies on, or by one
/// mounted below it. `is_file` says whether a mount point is a file: the folder that shows such a file is never told
/// about it (`subPath` of Kubernetes).
pub fn is_silent(mounts: &[Mount], root: &Path, is_file: impl Fn(&Path) -> bool) -> bool {
    let holds = |mount: &&Mount| root.starts_with(&mount.point);
    // Of mounts at one point, the last one made is on top.
    let at = mounts.iter().enumerate().filter(|(_, mount)| holds(mount));
    let on = at.max_by_key(|(made, mount)| (mount.point.components().count(), *made));
    let below = mounts.iter().filter(|mount| mount.point != root && mount.point.starts_with(root));
    on.is_some_and(|(_, mount)| is_silent_kind(&mount.kind))
        || below.into_iter().any(|mount| is_silent_kind(&mount.kind) || is_file(&mount.point))
}

fn is_silent_kind(kind: &str) -> bool {
    SILENT.contains(&kind) || kind == "fuse" || (kind.starts_with("fuse.") && kind != "fuse.lxcfs")
}

/// `\040` and the like stand for octets (proc(5)).
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /srv/nfs rw - nfs4 server:/x rw
31 22 0:31 / /srv/a\\040b rw - fuse.sshfs x rw
32 22 254:0 /some/file /srv/zones/pools.toml rw - ext4 /dev/vda rw
33 22 254:0 / /srv/nfs/local rw - ext4 /dev/vda rw
34 22 0:33 / /srv/stack rw - nfs4 x rw
35 34 0:34 / /srv/stack rw - tmpfs x rw
";

    #[test]
    fn case_15_network_fuse_and_files_mounted_alone_are_silent_and_local_disks_are_not() {
        let mounts = mounts(INFO);
        let silent = |root: &str| is_silent(&mounts, Path::new(root), |point| point.ends_with("pools.toml"));
        assert!(silent("/srv/nfs/zones") && silent("/srv/a b/zones"));
        assert!(silent("/srv/zones"), "a file is mounted in it");
        assert!(silent("/srv"), "a network file system is mounted below it");
        assert!(!silent("/srv/nfs/local/zones") && !silent("/etc/zones") && !silent("/srv/zonesx"));
        assert!(!silent("/srv/stack/zones"), "the mount on top counts");
    }
}
