//! How zones, keys, pools, hosts and tenants stand, in the words that commands print and that `-o json` has.
//!
//! Of one zone they agree: where its keys are `frozen` or `silent`, so is the zone. A word of a newer server is `Unknown`, and
//! no fault.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a zone stands. Of several that hold, the first one of this list is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneStanding {
    /// It gets SERVFAIL, and its findings say why.
    Silent,
    /// Its names belong to a tenant of a zone above, which answers them.
    Waiting,
    /// It is served and signed; none of its keys is taken away, and no roll begins by itself.
    Frozen,
    /// Its master file is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// It is served as its file says.
    #[default]
    Serving,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

impl ZoneStanding {
    /// Whether queries for its names are answered from it.
    pub fn is_answered(self) -> bool {
        matches!(self, ZoneStanding::Frozen | ZoneStanding::LastGood | ZoneStanding::Serving)
    }
}

/// How the keys of a zone stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeysStanding {
    /// They cannot be used, so the zone gets SERVFAIL.
    #[serde(rename = "silent")]
    Silent,
    /// Its zone waits for a tenant at its name, and has no keys yet.
    #[serde(rename = "waiting")]
    Waiting,
    /// They sign; none is taken away, and no roll begins by itself: something is in doubt, or a person holds them.
    #[serde(rename = "frozen")]
    Frozen,
    /// There are none: the zone is served unsigned.
    #[serde(rename = "insecure")]
    Insecure,
    /// Keys are being replaced.
    #[serde(rename = "rolling")]
    Rolling,
    /// Nothing is to be done now.
    #[default]
    #[serde(rename = "at rest")]
    AtRest,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PoolStanding {
    /// It is served as pools.toml says.
    #[default]
    #[serde(rename = "served")]
    Served,
    /// Its part of pools.toml or a certificate is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// It was never good, and nothing of it is served.
    #[serde(rename = "broken")]
    Broken,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How the keys and hosts of a pool stand. Of several that hold, the first one of this list is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CertStanding {
    /// Nothing is taken away: something is in doubt.
    #[serde(rename = "frozen")]
    Frozen,
    /// Something is to be withdrawn or admitted.
    #[serde(rename = "rolling")]
    Rolling,
    /// A next key is not ready yet.
    #[serde(rename = "staging")]
    Staging,
    /// Nothing is to be done now.
    #[default]
    #[serde(rename = "at rest")]
    AtRest,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How a tenant stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TenantStanding {
    /// It is served as its file says.
    #[default]
    #[serde(rename = "served")]
    Served,
    /// Its file is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// Its file was never good, and nothing of it is served.
    #[serde(rename = "broken")]
    Broken,
    /// Its file is gone, and the shrink guard holds its removal back.
    #[serde(rename = "held")]
    Held,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How a host of a pool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HostStanding {
    /// Its address is served.
    #[default]
    #[serde(rename = "served")]
    Served,
    /// It is gone from pools.toml, and caches may hold its address.
    #[serde(rename = "leaving")]
    Leaving,
    /// Its address is not served yet.
    #[serde(rename = "candidate")]
    Candidate,
    /// Its address is not served for as long as it offers no STARTTLS.
    #[serde(rename = "drained")]
    Drained,
    /// It is at a tenant's own address, which has the pool's TLSA.
    #[serde(rename = "tenant's")]
    Tenants,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How far a key of a zone or of hosts has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyPhase {
    /// It is kept here, and was never published.
    #[default]
    #[serde(rename = "staged")]
    Staged,
    /// It is published, and some caches may not know it.
    #[serde(rename = "rumoured")]
    Rumoured,
    /// All caches know it, and nothing uses it.
    #[serde(rename = "ready")]
    Ready,
    /// It is in use.
    #[serde(rename = "active")]
    Active,
    /// It is used no more, and is published still.
    #[serde(rename = "retiring")]
    Retiring,
    /// It is published no more.
    #[serde(rename = "removed")]
    Removed,
    /// Its private half is wiped.
    #[serde(rename = "destroyed")]
    Destroyed,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl fmt::Display for ZoneStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for KeysStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for PoolStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for CertStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for TenantStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for HostStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for KeyPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    /// Each value is this word in JSON and for people, and a word of the future is no fault.
    fn are<T>(words: &[(T, &str)], unknown: T)
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

    #[test]
    fn json_has_the_word_that_people_read_and_a_new_word_is_no_fault() {
        are(
            &[
                (ZoneStanding::Silent, "silent"),
                (ZoneStanding::Waiting, "waiting"),
                (ZoneStanding::Frozen, "frozen"),
                (ZoneStanding::LastGood, "last good"),
                (ZoneStanding::Serving, "serving"),
            ],
            ZoneStanding::Unknown,
        );
        are(
            &[
                (KeysStanding::Silent, "silent"),
                (KeysStanding::Waiting, "waiting"),
                (KeysStanding::Frozen, "frozen"),
                (KeysStanding::Insecure, "insecure"),
                (KeysStanding::Rolling, "rolling"),
                (KeysStanding::AtRest, "at rest"),
            ],
            KeysStanding::Unknown,
        );
        are(
            &[
                (PoolStanding::Served, "served"),
                (PoolStanding::LastGood, "last good"),
                (PoolStanding::Broken, "broken"),
            ],
            PoolStanding::Unknown,
        );
        are(
            &[
                (CertStanding::Frozen, "frozen"),
                (CertStanding::Rolling, "rolling"),
                (CertStanding::Staging, "staging"),
                (CertStanding::AtRest, "at rest"),
            ],
            CertStanding::Unknown,
        );
    }

    #[test]
    fn so_it_is_for_tenants_hosts_and_their_keys() {
        are(
            &[
                (TenantStanding::Served, "served"),
                (TenantStanding::LastGood, "last good"),
                (TenantStanding::Broken, "broken"),
                (TenantStanding::Held, "held"),
            ],
            TenantStanding::Unknown,
        );
        are(
            &[
                (HostStanding::Served, "served"),
                (HostStanding::Leaving, "leaving"),
                (HostStanding::Candidate, "candidate"),
                (HostStanding::Drained, "drained"),
                (HostStanding::Tenants, "tenant's"),
            ],
            HostStanding::Unknown,
        );
        are(
            &[
                (KeyPhase::Staged, "staged"),
                (KeyPhase::Rumoured, "rumoured"),
                (KeyPhase::Ready, "ready"),
                (KeyPhase::Active, "active"),
                (KeyPhase::Retiring, "retiring"),
                (KeyPhase::Removed, "removed"),
                (KeyPhase::Destroyed, "destroyed"),
            ],
            KeyPhase::Unknown,
        );
    }
}
