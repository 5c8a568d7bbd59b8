//! How long what a zone serves may stay in caches, from its content and policy.
//!
//! Pure. Where that rises, it is recorded before anything is served that may stay so long.

use super::Shift;
use crate::config::Policy;
use crate::roll::zone::facts::{Limits, Lives};
use crate::time::Seconds;
use crate::world::zones::ZoneState;
use crate::zone::content::Content;

/// Signatures that cover a doubted clock count as longer by this, at most: beyond it only caches that ignore TTLs could hold
/// them, and a clock that was years ahead must not stop rolls for years.
const SHIFT_MAX: Seconds = 30 * 86_400;

/// The limits of a zone that serves `content`, and tenants with TTLs up to this (0: none).
pub fn of(policy: &Policy, content: &Content, tenants_ttl: u32, shift: Shift) -> Limits {
    let limits = limits(policy, content.ttl_max.max(tenants_ttl), content.negative_ttl);
    let after = shift.after.min(SHIFT_MAX);
    Limits { dnskey_life: limits.dnskey_life + after, data_life: limits.data_life + after, ..limits }
}

/// The limits of a zone as it is served now; none: it has no content. `has_tenants`: those of tenants count, which have
/// the TTL `tenants_ttl`.
pub fn of_zone(zone: &ZoneState, has_tenants: bool, tenants_ttl: u32, shift: Shift) -> Option<Limits> {
    let tenants_ttl = if has_tenants { tenants_ttl } else { 0 };
    Some(of(&zone.policy, zone.content()?, tenants_ttl, shift))
}

/// The policy by which no signature and no DNSKEY stays in caches longer than `caps` allow. Where signatures must cover a
/// clock that is off by more than that, they do: bogus answers would be worse.
pub fn capped(policy: &Policy, caps: Limits, shift: Shift) -> Policy {
    let after = shift.after.min(SHIFT_MAX);
    let life = |wanted: Seconds, cap: Seconds| wanted.min(if cap > after { cap - after } else { cap });
    let (signature_life, dnskey_life) =
        (life(policy.signature_life, caps.data_life), life(policy.dnskey_life, caps.dnskey_life));
    let grid = policy.dnskey_life.saturating_sub(policy.dnskey_refresh);
    let is_shorter = signature_life < policy.signature_life;
    Policy {
        dnskey_ttl: policy.dnskey_ttl.min(caps.dnskey_ttl),
        signature_grid: if is_shorter { policy.signature_grid.min(signature_life / 4) } else { policy.signature_grid },
        signature_life,
        dnskey_refresh: dnskey_life - grid.min(dnskey_life / 2),
        dnskey_life,
        ..policy.clone()
    }
}

/// The limits of a zone that has served nothing yet, whose file writes TTLs up to this.
pub fn written(policy: &Policy, ttl: u32) -> Limits {
    limits(policy, ttl, 0)
}

fn limits(policy: &Policy, data: u32, negative: u32) -> Limits {
    // What is kept past its signature is bogus whatever the keys do (RFC 4035 § 5.3.3), so waiting for it helps nobody.
    let life = u32::try_from(policy.signature_life).unwrap_or(u32::MAX);
    let (data, negative) = (data.min(life), negative.min(life));
    Limits::of(policy.dnskey_ttl, data, negative, Lives { dnskey: policy.dnskey_life, data: policy.signature_life })
}
