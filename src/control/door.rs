//! The place of the control socket: opened at the start, and made anew while the server runs, whatever became of it.
//!
//! A socket that answers is never taken away from whoever listens there.

use super::caller::Readers;
use crate::diagnostic::passing;
use rustix::fs::Mode;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Octets of a socket's path, at most: `sun_path` has 108, and one of them ends it (unix(7)).
const PATH_OCTETS_MAX: usize = 107;
/// Only the server's own user, and root, may use it.
const MODE: u32 = 0o600;
/// Members of a group may use it, too; what they may ask for is not for the file to say.
const MODE_OF_GROUP: u32 = 0o660;
/// Commands that wait to be taken, at most, as the standard library has it.
const BACKLOG: i32 = 128;
/// How long a wait for the next command lasts, until its place is looked at.
const WAIT: Duration = Duration::from_secs(1);

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
            "set `keys`, or `socket` of [server], to a path that is at least {more} octets shorter, as in \
             keys = \"/var/lib/mxseal/keys\""
        )
    }
}

/// Why there can be no socket of this path; none: there can.
pub(super) fn path_fault(path: &Path) -> Option<PathFault> {
    let octets = path.as_os_str().len();
    (octets > PATH_OCTETS_MAX).then(|| PathFault { path: path.to_owned(), octets })
}

/// What is wrong with the control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorFault {
    /// The socket.
    pub path: PathBuf,
    /// Whom it keeps away.
    pub kept_away: KeptAway,
    /// Why, in words.
    pub why: String,
}

/// Whom a fault of the control socket keeps away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptAway {
    /// Every command.
    All,
    /// Members of the group that may read, of this name.
    Readers(String),
}

/// The socket, where it is, and who may use it besides the server's own user.
pub(super) struct Door {
    path: PathBuf,
    readers: Option<Readers>,
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
    pub(super) fn open(path: PathBuf, readers: Option<Readers>) -> io::Result<(Door, Option<DoorFault>)> {
        let mut door = Door { path, readers, open: None };
        if let Some(fault) = path_fault(&door.path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{fault}; {}", fault.help())));
        }
        match door.make() {
            Ok(()) => {
                let fault = door.let_in().err();
                Ok((door, fault))
            }
            // A folder that is missing may come, as one below /run does.
            Err(fault) if passing::is_passing(&fault) || fault.kind() == io::ErrorKind::NotFound => {
                let fault = door.fault(KeptAway::All, fault.to_string());
                Ok((door, Some(fault)))
            }
            Err(fault) => Err(io::Error::new(fault.kind(), format!("{}: {fault}", door.path.display()))),
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
    /// Why it cannot be had, or not by all who should.
    pub(super) fn mend(&mut self) -> Result<bool, DoorFault> {
        match (std::fs::symlink_metadata(&self.path), &self.open) {
            (Ok(found), Some(open)) if is_at_place(&found, open) => {
                return self.let_in().map(|()| false);
            }
            (Ok(found), _) if found.file_type().is_socket() && is_answered(&self.path) => {
                return Err(self.fault(KeptAway::All, "another process listens there".to_owned()));
            }
            _ => {}
        }
        self.make().map_err(|fault| self.fault(KeptAway::All, fault.to_string()))?;
        self.let_in().map(|()| true)
    }

    fn fault(&self, kept_away: KeptAway, why: String) -> DoorFault {
        DoorFault { path: self.path.clone(), kept_away, why }
    }

    /// Gives those the right to connect who shall have it, and nobody else.
    fn let_in(&self) -> Result<(), DoorFault> {
        let group = self.readers.as_ref().map(|readers| (readers, self.give_to(readers)));
        let mode = if matches!(group, Some((_, Ok(())))) { MODE_OF_GROUP } else { MODE };
        let set = std::fs::symlink_metadata(&self.path).and_then(|found| match found.mode() & 0o7777 == mode {
            true => Ok(()),
            false => std::fs::set_permissions(&self.path, Permissions::from_mode(mode)),
        });
        set.map_err(|fault| self.fault(KeptAway::All, fault.to_string()))?;
        match group {
            Some((readers, Err(why))) => Err(self.fault(KeptAway::Readers(readers.name.clone()), why)),
            Some((_, Ok(()))) | None => Ok(()),
        }
    }

    /// Makes the socket the group's; the error says in words why it is not.
    fn give_to(&self, readers: &Readers) -> Result<(), String> {
        let Some(gid) = readers.gid else {
            return Err("there is no such group; create it, and restart the server".to_owned());
        };
        let found = std::fs::symlink_metadata(&self.path).map_err(|fault| fault.to_string())?;
        if found.gid() == gid {
            return Ok(());
        }
        let given = std::os::unix::fs::lchown(&self.path, None, Some(gid));
        given.map_err(|fault| format!("the server may not give its socket to it: {fault}; make its user a member"))
    }

    fn make(&mut self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // bind(2) gives the file the mode of the socket: nobody else can connect at any moment, wherever it lies.
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(MODE))?;
        socket.bind(&SockAddr::unix(&self.path)?)?;
        socket.listen(BACKLOG)?;
        // So that a wait for a command ends: accept(2) takes the limit of reading.
        SockRef::from(&socket).set_read_timeout(Some(WAIT))?;
        let made = std::fs::symlink_metadata(&self.path)?;
        let listener = UnixListener::from(OwnedFd::from(socket));
        self.open = Some(Open { listener, made: (made.dev(), made.ino(), made.uid()) });
        Ok(())
    }
}

fn is_at_place(found: &std::fs::Metadata, open: &Open) -> bool {
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
        let path = keys.path().join("control.sock");
        let (door, why) = Door::open(path.clone(), None).expect("opened");
        assert_eq!((why, mode(&path)), (None, MODE));
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
        assert!(door.mend().is_err_and(|fault| fault.why.contains("No such file")));
        std::fs::create_dir(keys.path()).expect("made anew");
        assert_eq!(door.mend(), Ok(true));
        answers(&door, &path);
        std::fs::remove_file(&path).expect("removed");
        let other = UnixListener::bind(&path).expect("another's");
        let fault = door.mend().expect_err("another's");
        assert_eq!((fault.why.as_str(), fault.kept_away), ("another process listens there", KeptAway::All));
        drop(other);
        assert_eq!(door.mend(), Ok(true));
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error_of_the_start() {
        let keys = tempfile::tempdir().expect("a folder");
        let long = keys.path().join("x".repeat(150));
        std::fs::create_dir(&long).expect("made");
        let opened = Door::open(long.join("control.sock"), None);
        assert!(opened.is_err_and(|fault| fault.kind() == io::ErrorKind::InvalidInput));
    }

    #[test]
    fn a_group_gets_the_socket_and_one_that_cannot_leaves_it_to_the_owner() {
        let keys = tempfile::tempdir().expect("a folder");
        let path = keys.path().join("control.sock");
        let readers = |gid| Some(Readers { name: "help".to_owned(), gid });
        // Its own group is one that every process may give a file to.
        let own = rustix::process::getegid().as_raw();
        let (mut door, fault) = Door::open(path.clone(), readers(Some(own))).expect("opened");
        assert_eq!((fault, mode(&path)), (None, MODE_OF_GROUP));
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("opened to all");
        assert_eq!((door.mend(), mode(&path)), (Ok(false), MODE_OF_GROUP));
        drop(door);
        let (mut door, fault) = Door::open(path.clone(), readers(None)).expect("opened");
        assert_eq!(fault.map(|fault| fault.kept_away), Some(KeptAway::Readers("help".to_owned())));
        assert_eq!(mode(&path), MODE);
        assert!(door.mend().is_err_and(|fault| fault.why.contains("no such group")));
        answers(&door, &path);
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
