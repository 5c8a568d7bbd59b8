//! Who may ask for what over the control socket, and what the log keeps of it: each command that changes something.

use crate::process::peer::Peer;
use crate::protocol::access::Access;
use crate::protocol::request::{CertRequest, Command, KeysRequest, PoolRequest, Request, ServerRequest, TenantRequest};

/// The group whose members may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readers {
    /// As the configuration names it.
    pub name: String,
    /// Its number; none: there is no such group.
    pub gid: Option<u32>,
}

/// Who may ask for what.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The user of this server.
    pub owner: u32,
    /// Who may read besides; none: nobody.
    pub readers: Option<Readers>,
}

impl Guard {
    /// The most that this caller may ask for; none: nothing at all.
    ///
    /// Where no group may read, the socket is its owner's alone (mode 0600), and the kernel has kept all others away. With a
    /// group it has let its members through, who may read and no more.
    pub(super) fn most(&self, caller: Option<&Peer>) -> Option<Access> {
        let Some(readers) = &self.readers else { return Some(Access::Secret) };
        let caller = caller?;
        if caller.uid == 0 || caller.uid == self.owner {
            return Some(Access::Secret);
        }
        readers.gid.is_some_and(|gid| caller.groups.contains(&gid)).then_some(Access::Read)
    }

    /// Why this caller may not ask for that: who asked, what is allowed, and what to do.
    pub(super) fn refusal(&self, caller: Option<&Peer>, wanted: Access) -> String {
        let who = caller.map_or_else(|| "an unknown user".to_owned(), |caller| format!("user id {}", caller.uid));
        let what = match wanted {
            Access::Read => "reads",
            Access::Change => "changes something",
            Access::Secret => "is about a private key",
        };
        let group = self.readers.as_ref().map_or("", |readers| &readers.name);
        let owner = self.owner;
        format!(
            "refused to {who}: this command {what}, and members of the group `{group}` may only read: run it as the \
             server's user (id {owner}), or as root"
        )
    }
}

/// A command that changes something, in words; none: it only looks, or is a dry run.
pub(super) fn deed(request: &Request) -> Option<String> {
    let Request::Do(command) = request else { return None };
    match command {
        Command::Server(ServerRequest::Reload { allow_shrink: false }) => Some("reload".to_owned()),
        Command::Server(ServerRequest::Reload { allow_shrink: true }) => Some("reload --allow-shrink".to_owned()),
        Command::Tenant(asked) => deed_on_tenants(asked),
        Command::Pool(PoolRequest::Show { .. } | PoolRequest::Look { .. }) => None,
        Command::Keys(asked) => deed_on_keys(asked),
        Command::Cert(asked) => deed_on_certs(asked),
    }
}

fn deed_on_tenants(asked: &TenantRequest) -> Option<String> {
    match asked {
        TenantRequest::Show { .. } | TenantRequest::Try(_) => None,
        TenantRequest::Wait { domain, zone, present: true, .. } => Some(format!("tenant add {domain} --zone {zone}")),
        // The removal itself was permitted, and logged, before.
        TenantRequest::Wait { present: false, .. } => None,
        TenantRequest::PermitRemoval { domain, zone } => Some(format!("tenant rm {domain} --zone {zone}")),
    }
}

fn deed_on_keys(asked: &KeysRequest) -> Option<String> {
    let of = |dry_run: &bool, words: String| (!dry_run).then_some(words);
    match asked {
        KeysRequest::Status { .. } | KeysRequest::Plan { .. } => None,
        KeysRequest::Roll { zone, dry_run, .. } => of(dry_run, format!("keys roll {zone}")),
        KeysRequest::Hold { zone, dry_run, .. } => of(dry_run, format!("keys hold {zone}")),
        KeysRequest::Resume { zone, dry_run, .. } => of(dry_run, format!("keys resume {zone}")),
        KeysRequest::Import { zone, dry_run, .. } => of(dry_run, format!("keys import {zone}")),
        KeysRequest::Lead(asked) => of(&asked.dry_run, "keys lead".to_owned()),
    }
}

fn deed_on_certs(asked: &CertRequest) -> Option<String> {
    let of = |dry_run: &bool, words: String| (!dry_run).then_some(words);
    match asked {
        CertRequest::Status { .. } | CertRequest::Plan { .. } => None,
        CertRequest::Csr { pool, .. } => Some(format!("cert csr {pool}")),
        CertRequest::Stage { pool, dry_run, .. } => of(dry_run, format!("cert stage {pool}")),
        CertRequest::Permit { pool, dry_run, .. } => of(dry_run, format!("cert permit {pool}")),
        CertRequest::Adopt { pool, dry_run, .. } => of(dry_run, format!("cert adopt {pool}")),
        CertRequest::Drop { pool, dry_run, .. } => of(dry_run, format!("cert drop {pool}")),
        CertRequest::Resume { pool, dry_run, .. } => of(dry_run, format!("cert resume {pool}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request::ViewRequest;

    fn guard(readers: Option<Option<u32>>) -> Guard {
        Guard { owner: 997, readers: readers.map(|gid| Readers { name: "help".to_owned(), gid }) }
    }

    fn of(uid: u32, groups: &[u32]) -> Option<Peer> {
        Some(Peer { uid, groups: groups.to_vec() })
    }

    #[test]
    fn members_of_the_group_read_the_owner_and_root_do_all_and_nobody_else_anything() {
        let most = |caller: Option<Peer>| guard(Some(Some(40))).most(caller.as_ref());
        assert_eq!(most(of(0, &[0])), Some(Access::Secret));
        assert_eq!(most(of(997, &[997])), Some(Access::Secret));
        assert_eq!(most(of(1001, &[1001, 40])), Some(Access::Read));
        assert_eq!(most(of(1001, &[1001, 0, 997, 41])), None);
        assert_eq!(most(None), None);
        assert_eq!(guard(Some(None)).most(of(1001, &[40]).as_ref()), None, "no such group");
        assert_eq!(guard(None).most(of(1001, &[]).as_ref()), Some(Access::Secret), "the file's mode let it through");
    }

    #[test]
    fn a_refusal_says_who_what_is_allowed_and_what_to_do() {
        let text = guard(Some(Some(40))).refusal(of(1001, &[40]).as_ref(), Access::Secret);
        assert_eq!(
            text,
            "refused to user id 1001: this command is about a private key, and members of the group `help` may only read: \
             run it as the server's user (id 997), or as root"
        );
    }

    #[test]
    fn what_the_log_keeps_as_a_deed_is_never_only_reading() {
        let zone = || "x.example.".to_owned();
        for dry_run in [false, true] {
            let import = Request::Do(Command::Keys(KeysRequest::Import {
                zone: zone(),
                keys: Vec::new(),
                ttl: 1,
                life: 1,
                hold: None,
                dry_run,
            }));
            assert_eq!(import.access(), Access::Secret, "it holds private keys");
            let hold = Request::Do(Command::Keys(KeysRequest::Hold { zone: zone(), reason: "r".to_owned(), dry_run }));
            assert_eq!(deed(&hold).is_some(), hold.access() > Access::Read);
        }
        let wait = |present| {
            Request::Do(Command::Tenant(TenantRequest::Wait { domain: zone(), zone: zone(), present, seconds: 1 }))
        };
        assert!([wait(true), wait(false)].iter().all(|wait| wait.access() == Access::Change));
        assert_eq!(Request::View(ViewRequest::Status).access(), Access::Read);
    }

    #[test]
    fn what_only_looks_is_no_deed() {
        let hold = |dry_run| {
            Request::Do(Command::Keys(KeysRequest::Hold {
                zone: "x.example.".to_owned(),
                reason: "r".to_owned(),
                dry_run,
            }))
        };
        assert_eq!(deed(&hold(false)).as_deref(), Some("keys hold x.example."));
        assert_eq!((deed(&hold(true)), deed(&Request::View(ViewRequest::Status))), (None, None));
    }
}
