//! One zone's keys while the server runs: its life, the private halves, and what was looked at.
//!
//! Private halves are read once; what cannot be used is tried again when an operator asks for it.

use crate::control::life::{InTheWay, Life, NextLook};
use crate::control::rolls::{Shift, build};
use crate::roll::life::Facts;
use crate::roll::zone::Conditions;
use crate::roll::zone::facts::{Fact, Limits};
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::ZoneKeys as Kind;
use crate::roll::zone::step::Step;
use crate::sign::key::{Key, Role};
use crate::store::ZoneKeys;
use crate::store::proof::challenge;
use crate::time::{Now, UnixTime};
use crate::world::zones::{Basis, KeySet, Keys, ZoneState};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// One zone's keys: a life, and what only zones have. What all lives have in common is reached through it.
pub struct ZoneRoll {
    life: Life<Kind>,
    /// Private halves by tag.
    pub private: BTreeMap<u16, Key>,
    /// Keys whose private halves cannot be used, and why.
    pub unreadable: Vec<(u16, String)>,
    /// Whether journal and keys are to be read again, since they could not be used.
    pub(super) reread: bool,
    /// Whether its first keys were just made, and nobody may have seen them.
    pub(super) is_new: bool,
    /// Number of the facts that were kept beside the journal as published.
    pub(super) kept: Option<u64>,
    /// Whether the journal says that it is an old copy, where it is one.
    pub(super) is_doubt_kept: bool,
    /// Steps that were published and not seen yet.
    pub open_steps: Vec<(Step, String)>,
    /// Whether it had tenants since the start.
    pub has_tenants: bool,
    /// The look at the parent.
    pub parent: NextLook,
    /// The signature of its DS as it was seen last, since the start.
    pub parent_signed: Option<ParentSigned>,
    /// Addresses of the parent that gave no answer in the last round, and why.
    pub silent: Vec<(String, String)>,
}

impl Deref for ZoneRoll {
    type Target = Life<Kind>;

    fn deref(&self) -> &Life<Kind> {
        &self.life
    }
}

impl DerefMut for ZoneRoll {
    fn deref_mut(&mut self) -> &mut Life<Kind> {
        &mut self.life
    }
}

/// The window of a signature that a parent of others served.
#[derive(Clone, Copy, Debug)]
pub struct ParentSigned {
    /// Its begin.
    pub inception: UnixTime,
    /// Its end.
    pub expiration: UnixTime,
    /// When it was seen.
    pub at: Instant,
}

impl ZoneRoll {
    pub(super) fn new(loaded: ZoneKeys, now: Now) -> ZoneRoll {
        ZoneRoll {
            life: Life::new(loaded.journal, loaded.findings, now),
            private: loaded.private,
            unreadable: loaded.unreadable,
            reread: false,
            is_new: loaded.is_new,
            kept: None,
            is_doubt_kept: true,
            open_steps: Vec::new(),
            has_tenants: false,
            parent: NextLook::new(now.steady),
            parent_signed: None,
            silent: Vec::new(),
        }
    }

    /// What is known around it, beside its own parent and its turn.
    pub fn conditions(&self, way: &InTheWay) -> Conditions {
        Conditions {
            clock: way.clock.clone(),
            elsewhere: way.elsewhere.clone(),
            disk: self.disk.clone(),
            unreadable: self.unreadable.clone(),
            silent: self.silent.iter().map(|(address, _)| address.clone()).collect(),
            own_parent: None,
            turn: None,
        }
    }

    /// Entry keys whose private halves cannot be used, or can again, sign DNSKEY no more, or again: caches will hold the
    /// RRset as it is signed, so that is a fact before it is served.
    pub(super) fn note_silent(&mut self, now: Now) {
        let is_lost = |tag: u16| self.unreadable.iter().any(|(lost, _)| *lost == tag);
        let entries = self.facts().keys.iter().filter(|key| key.is_live() && key.role != Role::Zsk);
        let turned = entries.filter(|key| !key.file.is_empty() && key.silent != is_lost(key.public.tag));
        let turned: Vec<(u16, bool)> = turned.map(|key| (key.public.tag, key.silent)).collect();
        for (tag, was_silent) in turned {
            self.record(if was_silent { Fact::KeyHeard { tag } } else { Fact::KeySilent { tag } }, now);
        }
    }

    /// Makes durable how long what is to be served may stay in caches, where that is news; what caps it where that is more
    /// than is recorded, and cannot be recorded now.
    pub fn limit(&mut self, wanted: Limits, now: Now) -> Limits {
        if self.facts().limits_next == Some(wanted) || self.record(Fact::Limits(wanted), now) {
            return Limits::UNBOUNDED;
        }
        let known = self.facts().limits.unwrap_or(Limits::UNKNOWN);
        if known.max(wanted) == known { Limits::UNBOUNDED } else { known }
    }

    /// The key set that these facts ask for.
    ///
    /// # Errors
    /// Why it must not serve.
    pub fn key_set(&self, zone: &ZoneState, facts: &ZoneFacts, shift: Shift) -> Result<KeySet, String> {
        let mut set = build::key_set(zone, shift, facts, &self.private, &challenge())?;
        set.findings.clone_from(&self.found);
        Ok(set)
    }

    /// A zone that became unsigned is signed again by the keys that it has; false where they cannot be used.
    pub(super) fn sign_again(&mut self, zone: &ZoneState, shift: Shift, now: Now) -> bool {
        let mut facts = self.facts().clone();
        let proved = facts.take(&Fact::SignedWanted {}, now.signing).and_then(|()| self.key_set(zone, &facts, shift));
        match proved {
            Ok(_) => {
                self.refused = None;
                self.record(Fact::SignedWanted {}, now)
            }
            Err(reason) => {
                self.refused = Some(reason);
                false
            }
        }
    }

    /// Why a zone that became unsigned is not signed again, where that was tried.
    pub fn bare_since(&self) -> Option<&str> {
        let reason = self.refused.as_deref().or(self.disk.as_deref());
        reason.filter(|_| self.facts().unsigned)
    }

    /// The keys that the facts ask for.
    ///
    /// # Errors
    /// Why they must not serve.
    pub(super) fn keys(&self, zone: &ZoneState, shift: Shift) -> Result<Keys, String> {
        match self.facts().unsigned {
            true => Ok(Keys::None),
            false => self.key_set(zone, self.facts(), shift).map(|set| Keys::Loaded(Box::new(set))),
        }
    }

    /// The keys that the facts ask for, where others are served; what cannot serve is refused, and what is served stays.
    pub(super) fn renewed(&mut self, zone: &ZoneState, shift: Shift) -> Option<Keys> {
        let Keys::Loaded(served) = &zone.keys else { return None };
        let is_made_from = |basis: &Basis| *basis == build::basis(zone, shift, self.facts(), &self.private);
        let is_same = served.basis.as_deref().is_some_and(is_made_from) && served.findings == self.found;
        if is_same && !self.facts().unsigned {
            return None;
        }
        let keys = self.keys(zone, shift);
        // What is served proved itself, and stays.
        self.refused = keys.as_ref().err().cloned();
        keys.ok()
    }
}
