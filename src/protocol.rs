//! What the command line asks the running server over `keys/control.sock`, and what it answers: one JSON object a line.
//!
//! One request a connection; then any number of `Line::Item`, then exactly one `Line::End`.

/// People read the word that JSON has.
macro_rules! in_words {
    ($($word:ident),+ $(,)?) => {
        $(impl std::fmt::Display for $word {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        })+
    };
}

pub mod access;
pub mod certs;
pub mod keys;
pub mod lives;
pub mod request;
pub mod states;
pub mod tenants;
pub mod words;

pub use crate::protocol::keys::{
    ImportedKey, KeyBar, KeyInfo, KeysInfo, KeysPlan, LeadAsked, LeadInfo, ParentServerInfo, RollAsked, SilenceEnd,
};
pub use crate::protocol::lives::{BlockerInfo, Calendar, DoneInfo, PlannedStep, Story, WaitInfo};

pub use crate::protocol::certs::{
    CertBar, CertInfo, CertKeyInfo, CertPlan, CertificateInfo, CsrInfo, HostInfo, PermitInfo, ShownInfo,
};
pub use crate::protocol::states::{
    CertStanding, HostStanding, KeyPhase, KeysStanding, PoolStanding, TenantStanding, ZoneStanding,
};
pub use crate::protocol::words::{
    CertKeyClass, CertKeyKind, CertKeyOrigin, FindingSeverity, KeyRole, ParentKind, Verb,
};

pub use crate::protocol::request::Request;
pub use crate::protocol::tenants::{TenantDraft, TenantFilter, TenantInfo};

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use std::fmt;

    /// Each value is this word in JSON and for people, and a word of the future is no fault.
    pub(super) fn are<T>(words: &[(T, &str)], unknown: T)
    where
        T: Copy + PartialEq + fmt::Debug + fmt::Display + Serialize + DeserializeOwned,
    {
        for (value, word) in words {
            assert_eq!(serde_json::to_value(value).expect("a word"), *word);
            assert_eq!(value.to_string(), *word);
            assert_eq!(serde_json::from_value::<T>((*word).into()).expect("read"), *value);
        }
        assert_eq!(serde_json::from_value::<T>("of the future".into()).expect("read"), unknown);
    }
}
