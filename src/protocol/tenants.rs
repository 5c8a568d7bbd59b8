//! What commands ask about tenants, and what they are answered.

use super::states::TenantStanding;
use serde::{Deserialize, Serialize};

/// Which tenants a list shows; empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantFilter {
    /// Only this zone's.
    #[serde(default)]
    pub zone: Option<String>,
    /// Only broken ones.
    #[serde(default)]
    pub broken: bool,
    /// Only those that refer to this pool.
    #[serde(default)]
    pub pool: Option<String>,
    /// Only those whose domain or endpoint holds this text, in lower case.
    #[serde(default)]
    pub word: Option<String>,
}

impl TenantFilter {
    /// Whether pool and word let it through.
    pub fn fits(&self, tenant: &TenantInfo) -> bool {
        let has = |word: &String| tenant.domain.contains(word.as_str()) || tenant.endpoint.contains(word.as_str());
        self.word.as_ref().is_none_or(has) && (self.pool.is_none() || self.pool == tenant.pool)
    }
}

/// A tenant's file before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantDraft {
    /// Zone.
    pub zone: String,
    /// Where the file will be, for the words of a refusal.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TenantInfo {
    /// Domain as an A-label.
    pub domain: String,
    /// Zone with final dot.
    pub zone: String,
    /// Endpoint with final dot; the target of the MX record.
    pub endpoint: String,
    /// How it stands.
    pub state: TenantStanding,
    /// Pool.
    pub pool: Option<String>,
    /// Addresses that are answered.
    pub addresses: Vec<String>,
    /// TLSA that is answered, in presentation form.
    pub tlsa: Vec<String>,
    /// File and line that define it: `file:line`.
    pub source: String,
    /// Why it is not served as its file says; empty when it is.
    pub reasons: Vec<String>,
}
