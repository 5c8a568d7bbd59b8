//! What the log keeps of what is asked over the control socket: each command that changes something.

use crate::protocol::Request;

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
    fn what_only_looks_is_no_deed() {
        let hold = |dry_run| Request::KeysHold { zone: "x.example.".to_owned(), reason: "r".to_owned(), dry_run };
        assert_eq!(deed(&hold(false)).as_deref(), Some("keys hold x.example."));
        assert_eq!((deed(&hold(true)), deed(&Request::Status)), (None, None));
    }
}
