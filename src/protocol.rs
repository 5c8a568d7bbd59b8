//! What the command line asks the running server over `keys/control.sock`, and what it answers: one JSON object a line.
//!
//! One request a connection; then any number of `Line::Item`, then exactly one `Line::End`.

pub mod access;
pub mod certs;
pub mod keys;
pub mod states;
pub mod tenants;
pub mod words;

pub use crate::protocol::keys::{
    BlockerInfo, DoneInfo, ImportedKey, KeyBar, KeyInfo, KeysInfo, KeysPlan, LeadAsked, LeadInfo, ParentServerInfo,
    PlannedStep, RollAsked, SilenceEnd, WaitInfo,
};

pub use crate::protocol::certs::{
    CertBar, CertInfo, CertKeyInfo, CertPlan, CertificateInfo, CsrInfo, HostInfo, PermitInfo, ShownInfo,
};
pub use crate::protocol::states::{
    CertStanding, HostStanding, KeyPhase, KeysStanding, PoolStanding, TenantStanding, ZoneStanding,
};
pub use crate::protocol::words::{
    CertKeyClass, CertKeyKind, CertKeyOrigin, FindingSeverity, KeyRole, ParentKind, Verb,
};

pub use crate::protocol::tenants::{TenantDraft, TenantFilter, TenantInfo};

use serde::{Deserialize, Serialize};

/// A request. The server answers from the state of its control plane, never from files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// One [`Status`].
    Status,
    /// Reads everything anew; ends when the new snapshot answers. Items: one [`Finding`] each.
    Reload {
        /// Releases batches that the shrink guard holds.
        allow_shrink: bool,
    },
    /// A [`ZoneInfo`] each.
    ZoneList,
    /// One [`ZoneInfo`], then a [`Finding`] each.
    ZoneShow {
        /// Apex, with or without the final dot.
        zone: String,
    },
    /// A [`TenantInfo`] each, broken ones included, ordered by zone and domain.
    TenantList(TenantFilter),
    /// A [`TenantInfo`] for each zone that has it; where nobody has that domain, the tenant whose endpoint it is.
    TenantShow {
        /// Domain (A-label or U-label), or the name of an endpoint.
        domain: String,
    },
    /// Whether a tenant would be served if it were written so; exit 1 with the reason where it would not.
    TenantTry(TenantDraft),
    /// Ends when a tenant is served as its file says (or broken: exit 1), or after `seconds` (exit 5).
    TenantWait {
        /// Domain as an A-label.
        domain: String,
        /// Zone.
        zone: String,
        /// True: wait until it is served; false: until it is gone.
        present: bool,
        /// Limit.
        seconds: u64,
    },
    /// The next removal of this tenant does not count for the shrink guard.
    TenantPermitRemoval {
        /// Domain as an A-label.
        domain: String,
        /// Zone.
        zone: String,
    },
    /// A [`PoolInfo`] each.
    PoolList,
    /// One [`PoolInfo`].
    PoolShow {
        /// Name.
        pool: String,
    },
    /// One [`Explained`].
    Explain {
        /// Name asked, absolute.
        name: String,
        /// Type asked: `A`, `TYPE123`.
        rtype: String,
    },
    /// A [`KeysInfo`] for each signed zone, or for one.
    KeysStatus {
        /// Only this zone's.
        zone: Option<String>,
    },
    /// A [`KeysPlan`] for each signed zone, or for one.
    KeysPlan {
        /// Only this zone's.
        zone: Option<String>,
        /// How far ahead.
        days: u64,
    },
    /// One [`KeysPlan`]: what the roll will do, or would (`dry_run`); exit 4 where it is refused, with the reason.
    KeysRoll {
        /// Apex.
        zone: String,
        /// Which.
        roll: RollAsked,
        /// Changes nothing.
        dry_run: bool,
    },
    /// Stops all steps of a zone. One [`KeysInfo`].
    KeysHold {
        /// Apex.
        zone: String,
        /// Why.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
    /// Lets steps go on. One [`KeysInfo`].
    KeysResume {
        /// Apex.
        zone: String,
        /// Who.
        reason: String,
        /// The wall clock was looked at, and is right: its doubt ends, and nothing else.
        clock: bool,
        /// It is right though recorded facts say otherwise.
        #[serde(default)]
        overrule: bool,
        /// The doubt about the past ends, and no hold.
        #[serde(default)]
        doubt: bool,
        /// The silence of a zone ends so, and nothing else.
        #[serde(default)]
        silence: Option<SilenceEnd>,
        /// Changes nothing.
        dry_run: bool,
    },
    /// This server leads: of two that use the same keys, it alone rolls them. One [`LeadInfo`].
    KeysLead(LeadAsked),
    /// A [`CertInfo`] for each pool, or for one.
    CertStatus {
        /// Only this pool's.
        pool: Option<String>,
    },
    /// A [`CertPlan`] for each pool, or for one.
    CertPlan {
        /// Only this pool's.
        pool: Option<String>,
        /// How far ahead.
        days: u64,
    },
    /// One [`CsrInfo`] for a next key.
    CertCsr {
        /// Pool.
        pool: String,
        /// Kind of the key; none: the only one that there is.
        kind: Option<String>,
        /// Names instead of those of the pool; empty: those of the pool.
        names: Vec<String>,
        /// A certificate that the key signs itself, for so many days, instead of a request.
        self_signed: Option<u32>,
    },
    /// Brings in a private key that is to be the next one of its kind. One [`CertInfo`].
    CertStage {
        /// Pool.
        pool: String,
        /// The key in PEM.
        key: SecretText,
        /// Changes nothing.
        dry_run: bool,
    },
    /// One [`PermitInfo`]; exit 4 where hosts may not be given the key yet.
    CertPermit {
        /// Pool.
        pool: String,
        /// Digest of the key in hex.
        spki: String,
        /// Waits are those of honest caches only.
        emergency: bool,
        /// Changes nothing: no permit is recorded.
        dry_run: bool,
    },
    /// A key that a host shows is one of the pool's, although no file names it. One [`CertInfo`].
    CertAdopt {
        /// Pool.
        pool: String,
        /// Digest of the key in hex.
        spki: String,
        /// Who or what asked.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
    /// A key is not to be used any more, or is after all (`back`). One [`CertInfo`].
    CertDrop {
        /// Pool.
        pool: String,
        /// Digest of the key in hex.
        spki: String,
        /// Waits are those of honest caches only: the key may be in foreign hands.
        emergency: bool,
        /// It may be used after all.
        back: bool,
        /// Who or what asked.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
    /// An operator has looked at what was in doubt. One [`CertInfo`].
    CertResume {
        /// Pool.
        pool: String,
        /// Who.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
    /// Looks at all hosts of a pool now. A [`HostInfo`] each, when that has been done.
    PoolLook {
        /// Pool.
        pool: String,
    },
    /// Brings keys of a zone in that was signed elsewhere; it must not have keys here. One [`KeysInfo`].
    KeysImport {
        /// Apex.
        zone: String,
        /// Its keys.
        keys: Vec<ImportedKey>,
        /// Highest TTL that the zone had there, in seconds.
        ttl: u32,
        /// Longest life that signatures had there, in seconds.
        life: u64,
        /// Why no step of it may begin before a person says so; none: steps begin with its file.
        #[serde(default)]
        hold: Option<String>,
        /// Changes nothing.
        dry_run: bool,
    },
}

/// Text that has no printed form.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// One object of the kind that the request names.
    Item(serde_json::Value),
    /// The end: exit code of the command, and for people what went wrong.
    End {
        /// As design.md § 4: 0 ok, 1 findings or failure, 4 refused by a safety gate, 5 timed out waiting.
        exit: u8,
        /// Empty when all is well.
        message: String,
    },
}

/// The state of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since 1970 when it started.
    pub started: u64,
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// What /readyz says beside that the server is ready: zones that are silent. Empty: each one is answered.
    pub not_ready: Vec<String>,
    /// Addresses that it answers on.
    pub listen: Vec<String>,
    /// What confines the process, in words: user, Landlock, seccomp.
    pub confinement: Vec<String>,
    /// Zones.
    pub zones: Vec<ZoneInfo>,
    /// All findings that stand now.
    pub findings: Vec<Finding>,
    /// Seconds since 1970 of the last full scan that ended well.
    pub last_scan: u64,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ZoneInfo {
    /// Apex with final dot.
    pub zone: String,
    /// Whether it is signed.
    pub signed: bool,
    /// How it stands.
    pub state: ZoneStanding,
    /// SOA serial.
    pub serial: u32,
    /// Records of the master file.
    pub records: u64,
    /// Tenants served.
    pub tenants: u64,
    /// Tenants whose file is broken now.
    pub broken: u64,
    /// Removals that the shrink guard holds back.
    pub held: u64,
    /// Parent zone, where it is served here.
    pub parent: Option<String>,
    /// Key tags of the DNSKEY RRset.
    pub keys: Vec<u16>,
    /// DS records in master-file form.
    pub ds: Vec<String>,
    /// Master file.
    pub file: String,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PoolInfo {
    /// Name.
    pub pool: String,
    /// How it stands.
    pub state: PoolStanding,
    /// Addresses.
    pub addresses: Vec<String>,
    /// TLSA in presentation form.
    pub tlsa: Vec<String>,
    /// Certificate files.
    pub certificates: Vec<String>,
    /// Tenants that refer to it.
    pub tenants: u64,
    /// File and line.
    pub source: String,
    /// What is wrong.
    pub reasons: Vec<String>,
    /// Its keys, certificates and hosts; only in the answer to [`Request::PoolShow`].
    #[serde(default)]
    pub life: Option<CertInfo>,
}

/// Something an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Finding {
    /// How much it matters.
    pub severity: FindingSeverity,
    /// Stable code.
    pub code: String,
    /// `file:line:column`.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// An answer explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Explained {
    /// Name asked.
    pub name: String,
    /// Type asked.
    pub rtype: String,
    /// Response code in words: `NOERROR`.
    pub rcode: String,
    /// One sentence: what kind of answer this is and why.
    pub why: String,
    /// Records in master-file form by section: `answer`, `authority`, `additional`.
    pub records: Vec<(String, String)>,
    /// Octets of the reply with DO over UDP, and the most that UDP may carry.
    pub octets: usize,
    /// See `octets`.
    pub octets_max: usize,
    /// Zone.
    pub zone: Option<String>,
    /// Key tag that signs.
    pub key: Option<u16>,
    /// When its signatures begin and end, seconds since 1970.
    pub signed_from: Option<u64>,
    /// See `signed_from`.
    pub signed_until: Option<u64>,
    /// When the signature will be made anew, seconds since 1970.
    pub refresh_at: Option<u64>,
    /// File and line that the records come from.
    pub source: Option<String>,
}
