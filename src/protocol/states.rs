//! How zones, keys, pools, hosts and tenants stand, in the words that commands print and that `-o json` has.
//!
//! Of one zone they agree: where its keys are `frozen` or `silent`, so is the zone. A word of a newer server is `Unknown`, and
//! no fault.

use serde::{Deserialize, Serialize};

/// How a zone stands. Of several that hold, the first one of this list is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[serde(rename_all = "kebab-case")]
pub enum KeysStanding {
    /// They cannot be used, so the zone gets SERVFAIL.
    Silent,
    /// Its zone waits for a tenant at its name, and has no keys yet.
    Waiting,
    /// They sign; none is taken away, and no roll begins by itself: something is in doubt, or a person holds them.
    Frozen,
    /// There are none: the zone is served unsigned.
    Insecure,
    /// Keys are being replaced.
    Rolling,
    /// Nothing is to be done now.
    #[default]
    #[serde(rename = "at rest")]
    AtRest,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolStanding {
    /// It is served as pools.toml says.
    #[default]
    Served,
    /// Its part of pools.toml or a certificate is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// It was never good, and nothing of it is served.
    Broken,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How the keys and hosts of a pool stand. Of several that hold, the first one of this list is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertStanding {
    /// Nothing is taken away: something is in doubt.
    Frozen,
    /// Something is to be withdrawn or admitted.
    Rolling,
    /// A next key is not ready yet.
    Staging,
    /// Nothing is to be done now.
    #[default]
    #[serde(rename = "at rest")]
    AtRest,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How a tenant stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantStanding {
    /// It is served as its file says.
    #[default]
    Served,
    /// Its file is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// Its file was never good, and nothing of it is served.
    Broken,
    /// Its file is gone, and the shrink guard holds its removal back.
    Held,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How a host of a pool stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostStanding {
    /// Its address is served.
    #[default]
    Served,
    /// It is gone from pools.toml, and caches may hold its address.
    Leaving,
    /// Its address is not served yet.
    Candidate,
    /// Its address is not served for as long as it offers no STARTTLS.
    Drained,
    /// It is at a tenant's own address, which has the pool's TLSA.
    #[serde(rename = "tenant's")]
    Tenants,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How far a key of a zone or of hosts has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPhase {
    /// It is kept here, and was never published.
    #[default]
    Staged,
    /// It is published, and some caches may not know it.
    Rumoured,
    /// All caches know it, and nothing uses it.
    Ready,
    /// It is in use.
    Active,
    /// It is used no more, and is published still.
    Retiring,
    /// It is published no more.
    Removed,
    /// Its private half is wiped.
    Destroyed,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

in_words!(ZoneStanding, KeysStanding, PoolStanding, CertStanding, TenantStanding, HostStanding, KeyPhase);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::tests::are;

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
