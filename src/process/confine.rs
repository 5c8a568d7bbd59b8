//! What the process gives up before the first packet: root, capabilities, files, system calls.
//!
//! The order is: sockets bound and folders known → [`drop_privileges`] → [`apply_process`] → threads; a worker then
//! calls [`apply_worker`] for itself. A kernel without Landlock or seccomp costs a warning, never the start. Rules bind
//! the calling thread and those it starts, and can never be widened, so all of this comes before the first thread.

mod calls;
mod folder;

pub use folder::make_folder_for;

use crate::process::system;
use landlock::{
    ABI, Access, AccessFs, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus,
};
use std::path::PathBuf;

/// The newest Landlock interface that is asked for; the kernel gives what it has. 5 knows truncation and ioctl on
/// devices (Linux 6.10); later ones restrict sockets, which seccomp does here.
const LANDLOCK_ABI: ABI = ABI::V5;
/// Accounts and groups are read from here; service accounts are local.
const PASSWD: &str = "/etc/passwd";

/// What the process may still touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Folders that may be read: `zones/`, those of the certificates and of the configuration. Folders, not files: a
    /// file replaced by a rename is another inode.
    pub read_only: Vec<PathBuf>,
    /// Folders that may be written: `keys/`, and `zones/` where tenants are written by this process.
    pub read_write: Vec<PathBuf>,
    /// Folders below which a local socket may be made, and nothing else.
    pub sockets: Vec<PathBuf>,
    /// Folders below which a local socket may also be removed, to be made anew: of a control socket outside of `keys/`.
    pub replaced_sockets: Vec<PathBuf>,
}

/// What confines the process now, in words for the start line and `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// What is in force.
    pub words: Vec<String>,
    /// What is not, and why.
    pub warnings: Vec<String>,
}

/// Why root could not be given up; the server must not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConfineFault {
    /// The configured user does not exist.
    #[error("no user `{0}` in {PASSWD}; create it, or name another in the configuration")]
    UnknownUser(String),
    /// The file of users cannot be read.
    #[error("{PASSWD} cannot be read to find user `{0}`: {1}")]
    Accounts(String, std::io::Error),
    /// Only root can change its user.
    #[error("the process runs as user id {running} and cannot become `{user}`; start it as root or as that user")]
    NotRoot {
        /// Who it should be.
        user: String,
        /// Who it is.
        running: u32,
    },
    /// The kernel refused.
    #[error("the process cannot become user `{0}`: {1}")]
    Refused(String, std::io::Error),
    /// The folder of keys is missing, and root does not make it there.
    #[error("the folder {} is missing and is not made for user `{user}`: {why}; make it by hand: {}", folder.display(), folder::by_hand(user, folder))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Whose it shall be.
        user: String,
        /// Why not.
        why: String,
    },
    /// It worked, but can be undone.
    #[error("user `{0}` can still become root; its account must have a user id other than 0")]
    StillRoot(String),
}

/// A user and its first group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// Becomes `user` (a name or a number of [`PASSWD`]) for good: no group but its first one and those to `keep`, no capability, no
/// way back, proved. An empty name keeps the user and gives up capabilities, unless that user is root.
///
/// # Errors
/// [`ConfineFault`]: the server must end.
pub fn drop_privileges(user: &str, keep: &[u32]) -> Result<InForce, ConfineFault> {
    let running = system::effective_user();
    if user.is_empty() {
        return keep_user(running);
    }
    let account = find_account(user)?;
    if account.uid == 0 {
        return Err(ConfineFault::StillRoot(user.to_owned()));
    }
    if running == 0 {
        system::empty_bounding_set();
        let done = system::become_user(account.uid, account.gid, keep);
        done.map_err(|fault| ConfineFault::Refused(user.to_owned(), fault))?;
    } else if running != account.uid {
        return Err(ConfineFault::NotRoot { user: user.to_owned(), running });
    }
    system::drop_capabilities().map_err(|fault| ConfineFault::Refused(user.to_owned(), fault))?;
    if system::can_become_root() {
        return Err(ConfineFault::StillRoot(user.to_owned()));
    }
    let words = vec![format!("user {user} ({}:{}), no capabilities", account.uid, account.gid)];
    Ok(InForce { words, warnings: Vec::new() })
}

fn keep_user(running: u32) -> Result<InForce, ConfineFault> {
    if running == 0 {
        let warning = "runs as root; name a user in the configuration, or start it as one".to_owned();
        return Ok(InForce { words: vec!["user root".to_owned()], warnings: vec![warning] });
    }
    let name = running.to_string();
    system::drop_capabilities().map_err(|fault| ConfineFault::Refused(name.clone(), fault))?;
    if system::can_become_root() {
        return Err(ConfineFault::StillRoot(name));
    }
    Ok(InForce { words: vec![format!("user id {running}, no capabilities")], warnings: Vec::new() })
}

/// The ids of a user and its first group, by its name or number.
///
/// # Errors
/// [`ConfineFault::UnknownUser`], or that the file of users cannot be read.
pub fn ids_of(user: &str) -> Result<(u32, u32), ConfineFault> {
    find_account(user).map(|account| (account.uid, account.gid))
}

fn find_account(user: &str) -> Result<Account, ConfineFault> {
    let text = std::fs::read_to_string(PASSWD).map_err(|fault| ConfineFault::Accounts(user.to_owned(), fault))?;
    account_in(&text, user).ok_or_else(|| ConfineFault::UnknownUser(user.to_owned()))
}

/// Finds a line `name:password:uid:gid:…` by name, else by number (passwd(5)).
fn account_in(text: &str, user: &str) -> Option<Account> {
    let accounts = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let account = Account { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? };
        Some((name, account))
    });
    let accounts: Vec<(&str, Account)> = accounts.collect();
    let by_name = accounts.iter().find(|(name, _)| *name == user);
    let number = user.parse::<u32>().ok();
    by_name.or_else(|| accounts.iter().find(|(_, account)| Some(account.uid) == number)).map(|(_, account)| *account)
}

/// Confines the whole process: NO_NEW_PRIVS, not dumpable, Landlock, seccomp. Call it once, before other threads.
pub fn apply_process(confinement: &Confinement) -> InForce {
    let mut now = InForce::default();
    if let Some(count) = thread_count().filter(|count| *count > 1) {
        now.warnings.push(format!("{count} threads exist; the following binds one of them and those that it starts"));
    }
    note(&mut now, "no new privileges", system::no_new_privileges());
    note(&mut now, "no core files", system::not_dumpable());
    restrict_files(confinement, &mut now);
    note(
        &mut now,
        "seccomp: executing, tracing, mounting, loading and the like end the process",
        calls::bind_process(),
    );
    now
}

/// Narrows the calling thread further, for those that read what strangers send and for the log: no file is opened, made,
/// removed or given other rights, no socket made, nothing connected; `accept` stays. What is refused gets EPERM, so a surprise costs one operation and not the server.
///
/// # Errors
/// In words, why the kernel took no filter; a warning for the operator.
pub fn apply_worker() -> Result<(), String> {
    calls::bind_worker()
}

/// Threads of the process, where /proc tells (proc_pid_status(5)).
fn thread_count() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
}

fn note(now: &mut InForce, what: &str, result: Result<(), impl std::fmt::Display>) {
    match result {
        Ok(()) => now.words.push(what.to_owned()),
        Err(fault) => now.warnings.push(format!("not in force: {what}: {fault}")),
    }
}

fn restrict_files(confinement: &Confinement, now: &mut InForce) {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(LANDLOCK_ABI) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let mut rules = Vec::new();
    let wanted = confinement.read_only.iter().map(|path| (path, read));
    let wanted = wanted.chain(confinement.read_write.iter().map(|path| (path, write)));
    let wanted = wanted.chain(confinement.sockets.iter().map(|path| (path, AccessFs::MakeSock.into())));
    let replace = AccessFs::MakeSock | AccessFs::RemoveFile;
    for (path, access) in wanted.chain(confinement.replaced_sockets.iter().map(|path| (path, replace))) {
        match PathFd::new(path) {
            Ok(folder) => rules.push(Ok(PathBeneath::new(folder, access))),
            Err(PathFdError::OpenCall { source, path, .. }) => {
                now.warnings.push(format!("{} stays out of reach until a restart: {source}", path.display()));
            }
            Err(fault) => now.warnings.push(format!("{} stays out of reach until a restart: {fault}", path.display())),
        }
    }
    match landlock(rules) {
        Ok(RulesetStatus::FullyEnforced) => now.words.push(files_in_words(confinement, "")),
        Ok(RulesetStatus::PartiallyEnforced) => {
            now.words.push(files_in_words(confinement, " (as far as this kernel can)"));
        }
        Ok(RulesetStatus::NotEnforced) => {
            now.warnings.push("not in force: Landlock: this kernel has it not, or not switched on".to_owned());
        }
        Err(fault) => now.warnings.push(format!("not in force: Landlock: {fault}")),
    }
}

fn landlock(rules: Vec<Result<PathBeneath<PathFd>, RulesetError>>) -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK_ABI))?.create()?;
    Ok(ruleset.add_rules(rules)?.restrict_self()?.ruleset)
}

fn files_in_words(confinement: &Confinement, how: &str) -> String {
    let list = |paths: &[PathBuf]| {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let (read, write) = (list(&confinement.read_only), list(&confinement.read_write));
    format!("Landlock{how}: reads {read}; writes {write}; no other file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_before_number() {
        let text =
            "root:x:0:0:root:/root:/bin/sh\n\nmxseal:x:998:997::/:/bin/false\n998:x:1001:1002::/:/bin/sh\nbad:x:y:z\n";
        assert_eq!(account_in(text, "mxseal"), Some(Account { uid: 998, gid: 997 }));
        assert_eq!(account_in(text, "998"), Some(Account { uid: 1001, gid: 1002 }));
        assert_eq!(account_in(text, "0"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(account_in(text, "bad"), None);
        assert_eq!(account_in(text, "nobody"), None);
    }
}
