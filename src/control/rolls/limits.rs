//! How long what a zone serves may stay in caches, from its content and policy.
//!
//! Pure. Where that rises, it is recorded before anything is served that may stay so long.

use crate::config::Policy;
use crate::dns::rtype::number as rt;
use crate::roll::facts::Limits;
use crate::zone::content::Content;
use crate::zone::endpoint::TENANT_TTL;

/// The highest TTL of a content's RRsets, those of its keys aside.
pub fn content_ttl(content: &Content) -> u32 {
    let sets = content.nodes().flat_map(|(_, node)| node.sets());
    let sets = sets.filter(|(set, _)| !matches!(set.rtype, rt::DNSKEY | rt::CDS | rt::CDNSKEY));
    sets.map(|(set, _)| set.ttl).max().unwrap_or(0).max(content.negative_ttl)
}

/// The limits of a zone whose content's highest TTL is `content_ttl`.
pub fn of(policy: &Policy, content_ttl: u32, has_tenants: bool) -> Limits {
    let data = content_ttl.max(if has_tenants { TENANT_TTL } else { 0 });
    Limits::of(policy.dnskey_ttl, data, 0, (policy.dnskey_life, policy.signature_life))
}
