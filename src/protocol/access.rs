//! What a request is to the state of the server: it reads, it changes, or it is about private keys.
//!
//! Pure. Every request is named, so that a new one cannot be added without saying which it is.

use crate::protocol::request::{CertRequest, Command, KeysRequest, PoolRequest, Request, ServerRequest, TenantRequest};

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
        match self {
            Request::View(_) => Access::Read,
            Request::Do(Command::Server(ServerRequest::Reload { .. })) => Access::Change,
            Request::Do(Command::Tenant(asked)) => of_tenants(asked),
            Request::Do(Command::Pool(PoolRequest::Show { .. })) => Access::Read,
            // Its hosts are looked at now, which is traffic to others.
            Request::Do(Command::Pool(PoolRequest::Look { .. })) => Access::Change,
            Request::Do(Command::Keys(asked)) => of_keys(asked),
            Request::Do(Command::Cert(asked)) => of_certs(asked),
        }
    }
}

fn of_tenants(asked: &TenantRequest) -> Access {
    match asked {
        TenantRequest::Show { .. } | TenantRequest::Try(_) => Access::Read,
        TenantRequest::Wait { .. } | TenantRequest::PermitRemoval { .. } => Access::Change,
    }
}

fn of_keys(asked: &KeysRequest) -> Access {
    match asked {
        KeysRequest::Status { .. } | KeysRequest::Plan { .. } => Access::Read,
        KeysRequest::Roll { dry_run, .. } | KeysRequest::Hold { dry_run, .. } | KeysRequest::Resume { dry_run, .. } => {
            change(*dry_run)
        }
        KeysRequest::Lead(asked) => change(asked.dry_run),
        KeysRequest::Import { .. } => Access::Secret,
    }
}

fn of_certs(asked: &CertRequest) -> Access {
    match asked {
        CertRequest::Status { .. } | CertRequest::Plan { .. } => Access::Read,
        CertRequest::Permit { dry_run, .. }
        | CertRequest::Adopt { dry_run, .. }
        | CertRequest::Drop { dry_run, .. }
        | CertRequest::Resume { dry_run, .. } => change(*dry_run),
        CertRequest::Csr { .. } | CertRequest::Stage { .. } => Access::Secret,
    }
}

fn change(dry_run: bool) -> Access {
    if dry_run { Access::Read } else { Access::Change }
}
