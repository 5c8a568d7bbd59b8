//! Which folders a line of `pools.toml` may have the server read.
//!
//! That file is written by a provisioning system, and the folders of its certificates stay open to the server when
//! everything else is closed. So it must never open the folders that hold the system itself.

use std::path::{Path, PathBuf};

/// Folders of the system, below its root, that hold much else: certificates have one of their own below them.
const SHARED: [&str; 22] = [
    "",
    "bin",
    "etc",
    "etc/ssl",
    "home",
    "lib",
    "lib64",
    "media",
    "mnt",
    "opt",
    "run",
    "run/user",
    "sbin",
    "srv",
    "tmp",
    "usr",
    "usr/local",
    "usr/share",
    "var",
    "var/lib",
    "var/log",
    "var/tmp",
];
/// Folders in which, and below which, no certificate lies.
const CLOSED: [&str; 5] = ["boot", "dev", "proc", "root", "sys"];

/// Why the folder of a certificate is not opened; none: it is. `folder` is a real path, without links.
pub(super) fn refused(folder: &Path) -> Option<String> {
    let below_root = folder.strip_prefix("/").ok()?;
    let shared = SHARED.iter().any(|one| below_root == Path::new(one));
    let closed = CLOSED.iter().any(|one| below_root.starts_with(one));
    (shared || closed).then(|| {
        let folder = folder.display();
        format!("{folder} is not opened for a certificate, as it holds what is not the server's: give certificates a folder of their own")
    })
}

/// The folder of a certificate and, where the file is a link, as certbot makes them, that of its target: real paths.
///
/// # Errors
/// In words, which of them is not opened.
pub(super) fn folders(file: &Path) -> Result<Vec<PathBuf>, String> {
    let own = file.parent().and_then(|folder| folder.canonicalize().ok());
    let target = file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    let all: Vec<PathBuf> = own.into_iter().chain(target).collect();
    all.iter().find_map(|folder| refused(folder)).map_or(Ok(all), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_system_are_not_opened_and_those_of_certificates_are() {
        for folder in ["/", "/etc", "/etc/ssl", "/proc/1", "/root", "/dev/shm", "/var/lib", "/var/tmp"] {
            assert!(refused(Path::new(folder)).is_some_and(|why| why.starts_with(folder)), "{folder}");
        }
        for folder in
            ["/etc/letsencrypt/live/mx", "/etc/ssl/certs", "/certs", "/srv/mx/certs", "/etc/mxseal", "/var/lib/acme"]
        {
            assert_eq!(refused(Path::new(folder)), None, "{folder}");
        }
    }

    #[test]
    fn a_link_opens_no_folder_of_the_system_either() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("cert.pem");
        std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
        assert!(folders(&link).is_err_and(|why| why.starts_with("/etc ")));
        assert!(folders(Path::new("/proc/self/environ")).is_err());
        let plain = folder.path().join("plain.pem");
        std::fs::write(&plain, "").expect("written");
        assert!(
            folders(&plain)
                .is_ok_and(|all| all.iter().all(|one| one.ends_with(folder.path().file_name().expect("a name"))))
        );
    }
}
