//! Requests, by who answers them and by what they are about.
//!
//! Each is one JSON object, whose `ask` says which it is: `keys_status`. No place that takes some of them can be handed another.

use crate::protocol::SecretText;
use crate::protocol::keys::{ImportedKey, LeadAsked, RollAsked, SilenceEnd};
use crate::protocol::tenants::{TenantDraft, TenantFilter};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A request. The server answers from the state of its control plane, never from files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// Answered from what was published last, without the loop.
    View(ViewRequest),
    /// For the loop.
    Do(Command),
}

/// What the loop answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Command {
    /// Of the server as a whole.
    Server(ServerRequest),
    /// Of tenants.
    Tenant(TenantRequest),
    /// Of pools.
    Pool(PoolRequest),
    /// Of zones' keys.
    Keys(KeysRequest),
    /// Of hosts' keys and certificates.
    Cert(CertRequest),
}

/// What is answered from what was published last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum ViewRequest {
    /// One [`Status`].
    Status,
    /// A [`ZoneInfo`] each.
    ZoneList,
    /// One [`ZoneInfo`], then a [`Finding`] each.
    ZoneShow {
        /// Apex, with or without the final dot.
        zone: String,
    },
    /// A [`TenantInfo`] each, broken ones included, ordered by zone and domain.
    TenantList(TenantFilter),
    /// A [`PoolInfo`] each.
    PoolList,
    /// One [`Explained`].
    Explain {
        /// Name asked, absolute.
        name: String,
        /// Type asked: `A`, `TYPE123`.
        rtype: String,
    },
}

/// What is asked of the server as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum ServerRequest {
    /// Reads everything anew; ends when the new snapshot answers. Items: one [`Finding`] each.
    Reload {
        /// Releases batches that the shrink guard holds.
        allow_shrink: bool,
    },
}

/// What is asked of the loop about tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask")]
pub enum TenantRequest {
    /// A [`TenantInfo`] for each zone that has it; where nobody has that domain, the tenant whose endpoint it is.
    #[serde(rename = "tenant_show")]
    Show {
        /// Domain (A-label or U-label), or the name of an endpoint.
        domain: String,
    },
    /// Whether a tenant would be served if it were written so; exit 1 with the reason where it would not.
    #[serde(rename = "tenant_try")]
    Try(TenantDraft),
    /// Ends when a tenant is served as its file says (or broken: exit 1), or after `seconds` (exit 5).
    #[serde(rename = "tenant_wait")]
    Wait {
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
    #[serde(rename = "tenant_permit_removal")]
    PermitRemoval {
        /// Domain as an A-label.
        domain: String,
        /// Zone.
        zone: String,
    },
}

/// What is asked of the loop about pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask")]
pub enum PoolRequest {
    /// One [`PoolInfo`].
    #[serde(rename = "pool_show")]
    Show {
        /// Name.
        pool: String,
    },
    /// Looks at all hosts of a pool now. A [`HostInfo`] each, when that has been done.
    #[serde(rename = "pool_look")]
    Look {
        /// Pool.
        pool: String,
    },
}

/// What is asked of the loop about zones' keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask")]
pub enum KeysRequest {
    /// A [`KeysInfo`] for each signed zone, or for one.
    #[serde(rename = "keys_status")]
    Status {
        /// Only this zone's.
        zone: Option<String>,
    },
    /// A [`KeysPlan`] for each signed zone, or for one.
    #[serde(rename = "keys_plan")]
    Plan {
        /// Only this zone's.
        zone: Option<String>,
        /// How far ahead.
        days: u64,
    },
    /// One [`KeysPlan`]: what the roll will do, or would (`dry_run`); exit 4 where it is refused, with the reason.
    #[serde(rename = "keys_roll")]
    Roll {
        /// Apex.
        zone: String,
        /// Which.
        roll: RollAsked,
        /// Changes nothing.
        dry_run: bool,
    },
    /// Stops all steps of a zone. One [`KeysInfo`].
    #[serde(rename = "keys_hold")]
    Hold {
        /// Apex.
        zone: String,
        /// Why.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
    /// Lets steps go on. One [`KeysInfo`].
    #[serde(rename = "keys_resume")]
    Resume {
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
    #[serde(rename = "keys_lead")]
    Lead(LeadAsked),
    /// Brings keys of a zone in that was signed elsewhere; it must not have keys here. One [`KeysInfo`].
    #[serde(rename = "keys_import")]
    Import {
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

/// What is asked of the loop about hosts' keys and certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask")]
pub enum CertRequest {
    /// A [`CertInfo`] for each pool, or for one.
    #[serde(rename = "cert_status")]
    Status {
        /// Only this pool's.
        pool: Option<String>,
    },
    /// A [`CertPlan`] for each pool, or for one.
    #[serde(rename = "cert_plan")]
    Plan {
        /// Only this pool's.
        pool: Option<String>,
        /// How far ahead.
        days: u64,
    },
    /// One [`CsrInfo`] for a next key.
    #[serde(rename = "cert_csr")]
    Csr {
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
    #[serde(rename = "cert_stage")]
    Stage {
        /// Pool.
        pool: String,
        /// The key in PEM.
        key: SecretText,
        /// Changes nothing.
        dry_run: bool,
    },
    /// One [`PermitInfo`]; exit 4 where hosts may not be given the key yet.
    #[serde(rename = "cert_permit")]
    Permit {
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
    #[serde(rename = "cert_adopt")]
    Adopt {
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
    #[serde(rename = "cert_drop")]
    Drop {
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
    #[serde(rename = "cert_resume")]
    Resume {
        /// Pool.
        pool: String,
        /// Who.
        reason: String,
        /// Changes nothing.
        dry_run: bool,
    },
}

impl From<ServerRequest> for Request {
    fn from(asked: ServerRequest) -> Request {
        Request::Do(Command::Server(asked))
    }
}

impl From<TenantRequest> for Request {
    fn from(asked: TenantRequest) -> Request {
        Request::Do(Command::Tenant(asked))
    }
}

impl From<PoolRequest> for Request {
    fn from(asked: PoolRequest) -> Request {
        Request::Do(Command::Pool(asked))
    }
}

impl From<KeysRequest> for Request {
    fn from(asked: KeysRequest) -> Request {
        Request::Do(Command::Keys(asked))
    }
}

impl From<CertRequest> for Request {
    fn from(asked: CertRequest) -> Request {
        Request::Do(Command::Cert(asked))
    }
}

impl From<ViewRequest> for Request {
    fn from(asked: ViewRequest) -> Request {
        Request::View(asked)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Request, D::Error> {
        let value = Value::deserialize(from)?;
        let ask = value.get("ask").and_then(Value::as_str).unwrap_or_default();
        match ask.split_once('_').unwrap_or((ask, "")) {
            // Lists of these are in what was published.
            ("tenant" | "pool", "list") => read::<ViewRequest, _>(value),
            ("tenant", _) => read::<TenantRequest, _>(value),
            ("pool", _) => read::<PoolRequest, _>(value),
            ("keys", _) => read::<KeysRequest, _>(value),
            ("cert", _) => read::<CertRequest, _>(value),
            ("reload", "") => read::<ServerRequest, _>(value),
            _ => read::<ViewRequest, _>(value),
        }
    }
}

fn read<R: DeserializeOwned + Into<Request>, E: Error>(value: Value) -> Result<Request, E> {
    serde_json::from_value::<R>(value).map(Into::into).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each request as commands of before sent it, and as those of later still do.
    const REQUESTS: &str = r#"
{"ask":"status"}
{"ask":"reload","allow_shrink":true}
{"ask":"zone_list"}
{"ask":"zone_show","zone":"a.example."}
{"ask":"tenant_show","domain":"contoso.com"}
{"ask":"tenant_wait","domain":"contoso.com","zone":"a.example.","present":true,"seconds":5}
{"ask":"tenant_permit_removal","domain":"contoso.com","zone":"a.example."}
{"ask":"pool_list"}
{"ask":"pool_show","pool":"eu"}
{"ask":"pool_look","pool":"eu"}
{"ask":"explain","name":"a.example.","rtype":"TXT"}
{"ask":"keys_status","zone":null}
{"ask":"keys_plan","zone":"a.example.","days":3}
{"ask":"keys_hold","zone":"a.example.","reason":"r","dry_run":false}
{"ask":"keys_resume","zone":"a.example.","reason":"r","clock":false,"overrule":false,"doubt":false,"silence":null,"dry_run":true}
{"ask":"keys_lead","reason":"r","dry_run":false}
{"ask":"keys_import","zone":"a.example.","keys":[],"ttl":1,"life":2,"hold":null,"dry_run":true}
{"ask":"cert_status","pool":null}
{"ask":"cert_plan","pool":null,"days":90}
{"ask":"cert_csr","pool":"eu","kind":null,"names":[],"self_signed":null}
{"ask":"cert_stage","pool":"eu","key":"k","dry_run":true}
{"ask":"cert_permit","pool":"eu","spki":"00","emergency":false,"dry_run":true}
{"ask":"cert_adopt","pool":"eu","spki":"00","reason":"r","dry_run":true}
{"ask":"cert_drop","pool":"eu","spki":"00","emergency":false,"back":true,"reason":"r","dry_run":true}
{"ask":"cert_resume","pool":"eu","reason":"r","dry_run":true}
"#;

    #[test]
    fn requests_are_read_and_written_as_they_always_were() {
        for text in REQUESTS.lines().filter(|line| !line.is_empty()) {
            let request: Request = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&request).expect("it is written"), text);
        }
        for text in
            [r#"{"ask":"keys_melt"}"#, r#"{"ask":"zone_melt"}"#, r#"{"ask":"melt"}"#, r#"{"ask":7}"#, "{}", "[]", "7"]
        {
            let fault = serde_json::from_str::<Request>(text).expect_err(text).to_string();
            let is_named = !text.contains("melt") || fault.contains("unknown variant") && fault.contains("melt");
            assert!(is_named, "{text}: {fault}");
        }
    }
}
