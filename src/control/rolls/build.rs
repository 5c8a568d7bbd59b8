//! From facts to what a zone serves: its key set, what the parent is told, and what observers must find.
//!
//! Pure. Keys that the facts do not name have no part in anything.

use crate::config::{self, Policy};
use crate::control::rolls::{Shift, limits};
use crate::observe::own::OwnExpected;
use crate::roll;
use crate::roll::item;
use crate::roll::zone::facts::KeyLayout;
use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use crate::sign::key::Key;
use crate::time::Seconds;
use crate::world::zones::parts;
use crate::world::zones::{Basis, KeySet, ParentWish, ZoneState};
use std::collections::BTreeMap;

/// The data of a CDS that asks for the removal of DS (RFC 8078 § 4).
const DELETE_CDS: [u8; 5] = [0; 5];

/// Which keys a policy asks for, as the journal writes it.
pub fn layout(policy: &Policy) -> KeyLayout {
    match policy.keys {
        config::KeyLayout::Csk => KeyLayout::Csk,
        config::KeyLayout::KskZsk => KeyLayout::KskAndZsk,
    }
}

/// What a policy of the configuration wants of keys.
pub fn roll_policy(policy: &Policy) -> roll::zone::Policy {
    roll::zone::Policy {
        layout: layout(policy),
        algorithm: policy.algorithm,
        ksk_lifetime: policy.ksk_lifetime,
        zsk_lifetime: policy.zsk_lifetime,
        csk_lifetime: policy.csk_lifetime,
        margin: policy.margin,
    }
}

/// What the parent is told. Where it is served here it takes what is wanted by itself.
pub fn wish(facts: &ZoneFacts, parent_is_ours: bool) -> ParentWish {
    if parent_is_ours { ParentWish::Unsaid } else { parts::wish(facts) }
}

/// What a policy may ask for before and after the moment of signing while the clocks differ: two of these, what covers the
/// clocks and what covers time off are below 2^31 s, beyond which no window can be told from none (RFC 4034 § 3.1.5).
const OWN_SPAN_MAX: Seconds = 600 * 86_400;

/// The policy with signatures that are valid by every reading of the clocks; the grids stay.
fn shifted(policy: &Policy, shift: Shift) -> Policy {
    if shift == Shift::default() {
        return policy.clone();
    }
    let dnskey_life = policy.dnskey_life.min(OWN_SPAN_MAX);
    let grid = policy.dnskey_life.saturating_sub(policy.dnskey_refresh).min(dnskey_life / 2);
    Policy {
        inception_before: policy.inception_before.min(OWN_SPAN_MAX) + shift.before,
        signature_life: policy.signature_life.min(OWN_SPAN_MAX) + shift.after,
        signature_grid: policy.signature_grid.min(OWN_SPAN_MAX / 2),
        dnskey_life: dnskey_life + shift.after,
        dnskey_refresh: dnskey_life - grid + shift.after,
        ..policy.clone()
    }
}

/// The key set that the facts ask for; each of its keys has proved itself.
///
/// # Errors
/// Why it must not serve, in words.
pub fn key_set(
    zone: &ZoneState,
    shift: Shift,
    facts: &ZoneFacts,
    private: &BTreeMap<u16, Key>,
    challenge: &[u8],
) -> Result<KeySet, String> {
    let basis = basis(zone, shift, facts, private);
    let policy = shifted(&limits::capped(&zone.policy, zone.caps, shift), shift);
    let set = KeySet::new(&zone.apex, &parts::parts(facts, private), basis.wish, &policy, challenge)?;
    Ok(KeySet { basis: Some(Box::new(basis)), ..set })
}

/// What the key set that the facts ask for is made from.
pub fn basis(zone: &ZoneState, shift: Shift, facts: &ZoneFacts, private: &BTreeMap<u16, Key>) -> Basis {
    let signs = |key: &&KeyFacts| (key.is_published() && key.signs_keys()) || key.signs_data();
    let signing = facts.keys.iter().filter(signs).map(|key| key.public.tag);
    Basis {
        keys: facts.key_set(),
        data: facts.signers(),
        ds: facts.ds_wanted.clone(),
        wish: wish(facts, zone.parent.is_some()),
        at_hand: signing.filter(|tag| private.contains_key(tag)).collect(),
        earlier: shift.before,
        later: shift.after,
        caps: zone.caps,
    }
}

/// What the addresses of this server must answer for a zone whose private halves these are.
pub fn expected(apex: &[u8], facts: &ZoneFacts, private: &BTreeMap<u16, Key>, parent_is_ours: bool) -> OwnExpected {
    let keys = facts.key_set();
    let tags = |set: &crate::roll::zone::check::KeySet| -> Vec<u16> { set.iter().map(|id| id.tag).collect() };
    let entry = tags(&keys.signers).into_iter().filter(|tag| private.contains_key(tag));
    let published = facts.keys.iter().filter(|key| key.is_published());
    let wanted = facts.keys.iter().filter(|key| facts.ds_wanted.has(key.id));
    let signers = facts.signers();
    let alone = facts.keys.iter().filter(|key| signers.has(key.id) && !key.is_published());
    OwnExpected {
        dnskey: published.map(|key| key.public.dnskey_data()).collect(),
        key_tags: entry.collect(),
        data_tags: tags(&signers),
        unpublished: alone.map(|key| key.public.dnskey_data()).collect(),
        cds: match wish(facts, parent_is_ours) {
            ParentWish::Unsaid => Vec::new(),
            ParentWish::Wanted => wanted.map(|key| key.public.ds_data(apex)).collect(),
            ParentWish::Delete => vec![DELETE_CDS.to_vec()],
        },
    }
}

/// Whether something that is served no more was not seen to have gone, or numbers that fell still count.
pub fn is_unseen(facts: &ZoneFacts) -> bool {
    item::is_unseen(&facts.key_sets) || item::is_unseen(&facts.data) || facts.limits != facts.limits_next
}
