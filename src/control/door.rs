//! The place of the control socket: opened at the start, and made anew while the server runs, whatever became of it.
//!
//! A socket that answers is never taken away from whoever listens there.

use crate::diagnostic::passing;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The socket below `keys/`.
const SOCKET_NAME: &str = "control.sock";
/// Octets of a socket's path, at most: `sun_path` has 108, and one of them ends it (unix(7)).
const PATH_OCTETS_MAX: usize = 107;
/// Only the server's own user, and root, may use it.
const MODE: u32 = 0o600;
/// How long a wait for the next command lasts, until its place is looked at.
const WAIT: Duration = Duration::from_secs(1);

/// The socket of a server that uses this folder of keys.
pub(super) fn path(keys: &Path) -> PathBuf {
    keys.join(SOCKET_NAME)
}

/// A path that the system takes for no socket, as it is too long.
#[derive(Debug, thiserror::Error)]
#[error("the control socket would be {}: {octets} octets, where the system takes {PATH_OCTETS_MAX} at most", path.display())]
pub(super) struct PathFault {
    path: PathBuf,
    octets: usize,
}

impl PathFault {
    /// What to do about it.
    pub(super) fn help(&self) -> String {
        let more = self.octets.saturating_sub(PATH_OCTETS_MAX);
        format!(
            "set `keys` to a folder whose path is at least {more} octets shorter, as in keys = \"/var/lib/mxseal/keys\""
        )
    }
}

/// Why there can be no socket of this path; none: there can.
pub(super) fn path_fault(path: &Path) -> Option<PathFault> {
    let octets = path.as_os_str().len();
    (octets > PATH_OCTETS_MAX).then(|| PathFault { path: path.to_owned(), octets })
}

/// The socket and where it is.
pub(super) struct Door {
    path: PathBuf,
    open: Option<Open>,
}

struct Open {
    listener: UnixListener,
    /// Device, inode and owner, as it was made.
    made: (u64, u64, u32),
}

impl Door {
    /// Opens the socket; a stale one is replaced, since the lock on `keys/` is held. Where the system refuses for now, as on
    /// a full disk, it is closed, with the reason; [`Door::mend`] tries again.
    ///
    /// # Errors
    /// What will not end by itself, such as a path that is too long.
    pub(super) fn open(keys: &Path) -> io::Result<(Door, Option<String>)> {
        let mut door = Door { path: path(keys), open: None };
        if let Some(fault) = path_fault(&door.path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{fault}; {}", fault.help())));
        }
        match door.make() {
            Ok(()) => Ok((door, None)),
            Err(fault) if passing::is_passing(&fault) => Ok((door, Some(fault.to_string()))),
            Err(fault) => Err(fault),
        }
    }

    /// The next command; none: nobody came for a while.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let Some(open) = &self.open else {
            std::thread::sleep(WAIT);
            return Ok(None);
        };
        match open.listener.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// A second descriptor of the socket, to be given up for a command when there are no others.
    pub(super) fn reserve(&self) -> Option<UnixListener> {
        self.open.as_ref()?.listener.try_clone().ok()
    }

    /// Looks whether the socket is at its place, as it was made, and makes it anew where it is not. True where it did.
    ///
    /// # Errors
    /// Why it cannot be had, in words.
    pub(super) fn mend(&mut self) -> Result<bool, String> {
        match (std::fs::symlink_metadata(&self.path), &self.open) {
            (Ok(found), Some(open)) if is_at_place(&found, open) => {
                return self.close_to_others(&found).map(|()| false);
            }
            (Ok(found), _) if found.file_type().is_socket() && is_answered(&self.path) => {
                return Err("another process listens there".to_owned());
            }
            _ => {}
        }
        self.make().map(|()| true).map_err(|fault| fault.to_string())
    }

    fn close_to_others(&self, found: &Metadata) -> Result<(), String> {
        if found.mode() & 0o7777 == MODE {
            return Ok(());
        }
        std::fs::set_permissions(&self.path, Permissions::from_mode(MODE)).map_err(|fault| fault.to_string())
    }

    fn make(&mut self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
        let listener = UnixListener::bind(&self.path)?;
        std::fs::set_permissions(&self.path, Permissions::from_mode(MODE))?;
        // So that a wait for a command ends: accept(2) takes the limit of reading.
        SockRef::from(&listener).set_read_timeout(Some(WAIT))?;
        let made = std::fs::symlink_metadata(&self.path)?;
        self.open = Some(Open { listener, made: (made.dev(), made.ino(), made.uid()) });
        Ok(())
    }
}

fn is_at_place(found: &Metadata, open: &Open) -> bool {
    found.file_type().is_socket() && (found.dev(), found.ino(), found.uid()) == open.made
}

/// Whether somebody listens at a socket. One whose queue is full has somebody, too.
fn is_answered(path: &Path) -> bool {
    let tried = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    !tried.is_err_and(|fault| matches!(fault.raw_os_error(), Some(libc::ECONNREFUSED | libc::ENOENT | libc::EACCES)))
}

/// The process that holds the lock on `keys/`; none where nobody does, or the system does not tell (/proc/locks, proc(5)).
/// Nothing is locked by asking.
pub fn holder(keys: &Path) -> Option<u32> {
    let folder = std::fs::metadata(keys).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let named = std::fs::read_to_string(keys.join(crate::store::folder::LOCK_NAME)).ok();
    let named = named.and_then(|text| text.trim().parse::<u32>().ok());
    let holders: Vec<u32> = locks.lines().filter_map(|line| holder_in(line, folder.ino())).collect();
    // Another file system may have the same number for a file: whoever left his number in the folder comes first.
    named.filter(|named| holders.contains(named)).or_else(|| holders.first().copied().filter(|_| named.is_none()))
}

/// The process of a line of /proc/locks that locks this inode: `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", process, file, ..] = fields.as_slice() else { return None };
    let is_it = file.rsplit(':').next()?.parse::<u64>().ok()? == inode;
    process.parse().ok().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).expect("it is there").mode() & 0o777
    }

    fn opened() -> (tempfile::TempDir, Door, PathBuf) {
        let keys = tempfile::tempdir().expect("a folder");
        let (door, why) = Door::open(keys.path()).expect("opened");
        assert_eq!(why, None);
        let path = keys.path().join(SOCKET_NAME);
        (keys, door, path)
    }

    fn answers(door: &Door, path: &Path) {
        let asked = UnixStream::connect(path).expect("somebody listens");
        assert!(door.accept().expect("accepted").is_some());
        drop(asked);
    }

    #[test]
    fn a_socket_that_is_lost_replaced_or_stale_is_made_anew_and_one_that_is_there_is_left() {
        let (_keys, mut door, path) = opened();
        assert_eq!(door.mend(), Ok(false));
        let remove = |path: &Path| std::fs::remove_file(path).expect("removed");
        let spoilers: [fn(&Path); 3] = [
            |_| {},
            |path| std::fs::write(path, "a file").expect("written"),
            // Its listener is gone at once: nobody is behind it.
            |path| drop(UnixListener::bind(path).expect("bound")),
        ];
        for spoil in spoilers {
            remove(&path);
            spoil(&path);
            assert_eq!(door.mend(), Ok(true));
            assert_eq!((door.mend(), mode(&path)), (Ok(false), MODE));
            answers(&door, &path);
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("opened to all");
        assert_eq!((door.mend(), mode(&path)), (Ok(false), MODE));
        answers(&door, &path);
    }

    #[test]
    fn a_folder_that_was_made_anew_gets_the_socket_and_anothers_socket_stays_anothers() {
        let (keys, mut door, path) = opened();
        std::fs::remove_dir_all(keys.path()).expect("removed");
        assert!(door.mend().is_err_and(|why| why.contains("No such file")));
        std::fs::create_dir(keys.path()).expect("made anew");
        assert_eq!(door.mend(), Ok(true));
        answers(&door, &path);
        std::fs::remove_file(&path).expect("removed");
        let other = UnixListener::bind(&path).expect("another's");
        assert_eq!(door.mend(), Err("another process listens there".to_owned()));
        drop(other);
        assert_eq!(door.mend(), Ok(true));
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error_of_the_start() {
        let keys = tempfile::tempdir().expect("a folder");
        let long = keys.path().join("x".repeat(150));
        std::fs::create_dir(&long).expect("made");
        assert!(Door::open(&long).is_err_and(|fault| fault.kind() == io::ErrorKind::InvalidInput));
    }

    #[test]
    fn whoever_holds_the_lock_is_found_and_nobody_else() {
        let keys = tempfile::tempdir().expect("a folder");
        assert_eq!(holder(keys.path()), None);
        let folder = File::open(keys.path()).expect("opened");
        folder.try_lock().expect("locked");
        assert_eq!(holder(keys.path()), Some(std::process::id()));
        std::fs::write(keys.path().join("lock"), format!("{}\n", std::process::id())).expect("written");
        assert_eq!(holder(keys.path()), Some(std::process::id()));
        drop(folder);
        assert_eq!(holder(keys.path()), None);
        assert_eq!(holder_in("1: FLOCK  ADVISORY  WRITE 12 fd:01:34 0 EOF", 34), Some(12));
        assert_eq!(holder_in("1: POSIX  ADVISORY  WRITE 12 fd:01:34 0 EOF", 34), None);
        assert_eq!(holder_in("1: -> FLOCK  ADVISORY  WRITE 12 fd:01:34 0 EOF", 34), None);
    }
}
