//! What a request is to the state of the server: it reads, it changes, or it is about private keys.
//!
//! Pure. Every request is named, so that a new one cannot be added without saying which it is.

use super::Request;

/// What a request takes. Whoever may do one of these may do those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Answered from what the server knows; nothing changes, and nothing is sent to anybody else.
    Read,
    /// Something changes, is waited for as part of a change, or hosts are asked.
    Change,
    /// A private key is in the request or is made by it.
    Secret,
}

impl Request {
    /// What this request takes. A dry run only reads, but for one that holds a private key.
    pub fn access(&self) -> Access {
        let change = |dry_run: &bool| if *dry_run { Access::Read } else { Access::Change };
        match self {
            Request::Status
            | Request::ZoneList
            | Request::ZoneShow { .. }
            | Request::TenantList(_)
            | Request::TenantShow { .. }
            | Request::TenantTry(_)
            | Request::PoolList
            | Request::PoolShow { .. }
            | Request::Explain { .. }
            | Request::KeysStatus { .. }
            | Request::KeysPlan { .. }
            | Request::CertStatus { .. }
            | Request::CertPlan { .. } => Access::Read,
            // Its hosts are looked at now, which is traffic to others.
            Request::PoolLook { .. } => Access::Change,
            Request::Reload { .. } | Request::TenantWait { .. } | Request::TenantPermitRemoval { .. } => Access::Change,
            Request::KeysRoll { dry_run, .. }
            | Request::KeysHold { dry_run, .. }
            | Request::KeysResume { dry_run, .. }
            | Request::CertPermit { dry_run, .. }
            | Request::CertAdopt { dry_run, .. }
            | Request::CertDrop { dry_run, .. }
            | Request::CertResume { dry_run, .. } => change(dry_run),
            Request::KeysLead(asked) => change(&asked.dry_run),
            Request::KeysImport { .. } | Request::CertCsr { .. } | Request::CertStage { .. } => Access::Secret,
        }
    }
}
