//! How long what a zone serves may stay in caches, from its content and policy.
//!
//! Pure. Where that rises, it is recorded before anything is served that may stay so long.

use crate::config::Policy;
use crate::roll::facts::Limits;
use crate::zone::content::Content;
use crate::zone::endpoint::TENANT_TTL;

/// The limits of a zone that serves `content`.
pub fn of(policy: &Policy, content: &Content, has_tenants: bool) -> Limits {
    let tenants = if has_tenants { TENANT_TTL } else { 0 };
    limits(policy, content.ttl_max.max(tenants), content.negative_ttl)
}

/// The limits of a zone that has served nothing yet, whose file writes TTLs up to this.
pub fn written(policy: &Policy, ttl: u32) -> Limits {
    limits(policy, ttl, 0)
}

fn limits(policy: &Policy, data: u32, negative: u32) -> Limits {
    // What is kept past its signature is bogus whatever the keys do (RFC 4035 § 5.3.3), so waiting for it helps nobody.
    let life = u32::try_from(policy.signature_life).unwrap_or(u32::MAX);
    let (data, negative) = (data.min(life), negative.min(life));
    Limits::of(policy.dnskey_ttl, data, negative, (policy.dnskey_life, policy.signature_life))
}
