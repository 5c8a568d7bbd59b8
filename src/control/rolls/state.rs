//! What is known of each zone's keys while the server runs: the open journal, the private halves, and what was looked at.
//!
//! A zone's journal has one owner, and this is it. Private halves are read once; what cannot be used is tried again when an
//! operator asks for it.

use crate::control::life::{NextLook, RETRY};
use crate::control::rolls::past::Word;
use crate::control::rolls::{Shift, build, limits};
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::observe::asker::Asker;
use crate::roll::life::Facts;
use crate::roll::zone::check;
use crate::roll::zone::facts::{Fact, Limits};
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::Plan;
use crate::roll::zone::step::Step;
use crate::roll::zone::words;
use crate::sign::key::{Key, Role};
use crate::store::proof::{challenge, unproved};
use crate::store::records::{Records, Unsigned};
use crate::store::silence::ASKING;
use crate::store::silence::{Cause, Silence};
use crate::store::{Store, ZoneKeys};
use crate::time::{Now, UnixTime};
use crate::world::zones::{KeySet, Keys, ParentWish, ZoneState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::store::journal::file::{AppendFault, JournalFile};

/// After a start, parents that others serve are first asked after this, at most: a server that starts has other things to
/// do, and one that is only tried asks nobody.
const PARENT_FIRST: Duration = Duration::from_secs(60);

/// All zones that have keys.
#[derive(Default)]
pub struct Rolls {
    /// The zones whose journals are open.
    pub zones: BTreeMap<Name, ZoneRoll>,
    /// How signatures cover all readings of the clocks.
    pub shift: Shift,
    /// Why no zone can be signed at all now.
    pub silence: Option<Diagnostic>,
    /// Why no zone may get its first keys here: another server may lead.
    pub elsewhere: Option<Diagnostic>,
    /// TTL of the records of tenants.
    pub tenants_ttl: u32,
    /// Zones whose journals say that they are unsigned, and that need not be open.
    unsigned: BTreeSet<Name>,
    /// What was published of each zone; none: not read yet.
    pub(super) records: Option<Records>,
    /// Zones that were served unsigned, and the highest TTL that they had; none: not read yet.
    pub(super) served_unsigned: Option<Unsigned>,
    /// Asks parents before first keys are made.
    pub asker: Asker,
    /// What people said about zones that are silent, for the next look at each.
    pub words: BTreeMap<Name, Word>,
    /// Zones whose first keys were made by this process.
    pub(super) first_made: BTreeSet<Name>,
    /// Zones whose parents could not be asked before their first keys were made, and why.
    pub(super) unasked: BTreeMap<Name, String>,
    /// Why what is published now is not kept.
    pub(super) unkept: Option<String>,
}

/// One zone's keys.
pub struct ZoneRoll {
    pub(super) journal: JournalFile,
    /// Private halves by tag.
    pub private: BTreeMap<u16, Key>,
    /// Keys whose private halves cannot be used, and why.
    pub unreadable: Vec<(u16, String)>,
    /// What was found when it was opened.
    pub found: Vec<Diagnostic>,
    /// Whether journal and keys are to be read again, since they could not be used.
    reread: bool,
    /// Whether its first keys were just made, and nobody may have seen them.
    pub(super) is_new: bool,
    /// Number of the facts that were kept beside the journal as published.
    pub(super) kept: Option<u64>,
    /// Whether the journal says that it is an old copy, where it is one.
    pub(super) is_doubt_kept: bool,
    /// What the key set that is served was made from.
    built: Option<Built>,
    /// The next look at what is to be done.
    pub due: Instant,
    /// What that look said last.
    pub plan: Option<Plan>,
    /// Number of facts that the newest publication shows.
    pub published: u64,
    /// Its moment.
    pub published_at: UnixTime,
    /// Steps that were published and not seen yet.
    pub open_steps: Vec<(Step, String)>,
    /// Whether it had tenants since the start.
    pub has_tenants: bool,
    /// The look at our own addresses.
    pub own: NextLook,
    /// The look at the parent.
    pub parent: NextLook,
    /// The signature of its DS as it was seen last, since the start.
    pub parent_signed: Option<ParentSigned>,
    /// Addresses of the parent that gave no answer in the last round, and why.
    pub silent: Vec<(String, String)>,
    /// Why the disk does not take the last fact, or the last key.
    pub disk: Option<String>,
    /// Why the last step was not taken though it was planned, or a fact cannot follow those before it.
    pub refused: Option<String>,
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

/// What a key set is made from; equal values make equal key sets.
#[derive(PartialEq, Eq)]
struct Built {
    keys: check::Keys,
    data: check::KeySet,
    ds: check::KeySet,
    wish: ParentWish,
    unsigned: bool,
    shift: Shift,
    caps: Limits,
}

impl Built {
    fn of(facts: &ZoneFacts, zone: &ZoneState, shift: Shift) -> Built {
        Built {
            keys: facts.key_set(),
            data: facts.signers(),
            ds: facts.ds_wanted.clone(),
            wish: build::wish(facts, zone.parent.is_some()),
            unsigned: facts.unsigned,
            shift,
            caps: zone.caps,
        }
    }
}

impl ZoneRoll {
    fn new(loaded: ZoneKeys, now: Now) -> ZoneRoll {
        let now = now.steady;
        ZoneRoll {
            journal: loaded.journal,
            private: loaded.private,
            unreadable: loaded.unreadable,
            found: loaded.findings,
            reread: false,
            is_new: loaded.is_new,
            kept: None,
            is_doubt_kept: true,
            built: None,
            due: now,
            plan: None,
            published: 0,
            published_at: UnixTime(0),
            open_steps: Vec::new(),
            has_tenants: false,
            own: NextLook::new(now),
            parent: NextLook::new(now),
            parent_signed: None,
            silent: Vec::new(),
            disk: None,
            refused: None,
        }
    }

    /// What the journal adds up to.
    pub fn facts(&self) -> &ZoneFacts {
        self.journal.facts()
    }

    /// The journal, for those that make keys.
    pub fn journal(&mut self) -> &mut JournalFile {
        &mut self.journal
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

    /// What is served is made anew with the next publication.
    pub(super) fn build_again(&mut self, now: Now) {
        (self.built, self.due) = (None, now.steady);
    }

    /// Records a fact; false where it is not recorded, and must not be acted upon.
    pub fn record(&mut self, fact: Fact, now: Now) -> bool {
        match self.journal.append(fact, now.signing) {
            Ok(()) => {
                self.disk = None;
                self.due = now.steady;
                true
            }
            Err(fault) => {
                match fault {
                    AppendFault::Contradiction { .. } => self.refused = Some(fault.to_string()),
                    AppendFault::TooLong { .. } | AppendFault::Full(_) | AppendFault::Disk(_) => {
                        self.disk = Some(fault.to_string())
                    }
                }
                self.due = self.due.min(now.steady + RETRY);
                false
            }
        }
    }

    /// A key was not made or wiped: a journal that does not fit is no fault of the disk.
    pub fn is_not_done(&mut self, frozen: &Silence) {
        match frozen.cause {
            Cause::JournalDamaged | Cause::JournalMissing => self.refused = Some(frozen.to_string()),
            // The others are files and folders that the disk does not give or take.
            _ => self.disk = Some(frozen.to_string()),
        }
    }

    /// Why the last fact was not recorded.
    pub fn unrecorded(&self) -> String {
        self.disk.clone().or_else(|| self.refused.clone()).unwrap_or_default()
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
    fn sign_again(&mut self, zone: &ZoneState, shift: Shift, now: Now) -> bool {
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

    /// What is served is made from the facts as they are.
    pub fn was_built(&mut self, zone: &ZoneState, shift: Shift) {
        self.built = Some(Built::of(self.facts(), zone, shift));
    }

    /// The key set of the facts as they are, where it is not the one that is served already.
    pub fn renewed(&mut self, zone: &ZoneState, shift: Shift) -> Option<Result<Keys, String>> {
        let now = Built::of(self.facts(), zone, shift);
        if self.built.as_ref() == Some(&now) {
            return None;
        }
        let keys = if self.facts().unsigned {
            Ok(Keys::None)
        } else {
            self.key_set(zone, self.facts(), shift).map(|set| Keys::Loaded(Box::new(set)))
        };
        if keys.is_ok() {
            self.built = Some(now);
        }
        Some(keys)
    }
}

impl Rolls {
    /// No zones yet.
    pub fn new(shift: Shift, tenants_ttl: u32) -> Rolls {
        Rolls { shift, tenants_ttl, ..Rolls::default() }
    }

    /// The keys of a zone: those that it has here already, or those of its folder, made at its first start.
    pub fn keys(&mut self, store: &Store, folder: &Path, zone: &ZoneState, now: Now) -> Keys {
        // Two servers would make different keys for one zone.
        let elsewhere = self.elsewhere.as_ref().filter(|_| !store.has_journal(&zone.apex));
        if let Some(reason) = self.silence.as_ref().or(elsewhere) {
            return Keys::Silent(reason.clone());
        }
        if self.zones.get(&zone.apex).is_none_or(|roll| roll.reread)
            && let Err(frozen) = self.open(store, zone, now)
        {
            // While its parent is asked, an unsigned zone stays what it is.
            let is_bare = frozen.code == ASKING && self.unsigned(store).ttl(&zone.apex.to_string()).is_some();
            return if is_bare { Keys::None } else { Keys::Silent(*frozen) };
        }
        let shift = self.shift;
        let Some(roll) = self.zones.get_mut(&zone.apex) else { return Keys::Wanted };
        if roll.facts().unsigned {
            self.unsigned.remove(&zone.apex);
            if !roll.sign_again(zone, shift, now) {
                // It has no DS, so that unsigned it is better served than not at all.
                return Keys::None;
            }
        }
        roll.built = None;
        match roll.renewed(zone, shift) {
            Some(Ok(keys)) => {
                if let Keys::Loaded(set) = &keys {
                    tracing::info!(ZONE = %zone.apex, KEY = %words::tag_list(&set.tags), "keys loaded and proved");
                }
                keys
            }
            Some(Err(reason)) => {
                roll.reread = true;
                Keys::Silent(unproved(folder, zone, reason))
            }
            None => Keys::Wanted,
        }
    }

    fn open(&mut self, store: &Store, zone: &ZoneState, now: Now) -> Result<(), Box<Diagnostic>> {
        self.zones.remove(&zone.apex);
        let layout = build::layout(&zone.policy);
        // Caches may hold what was served without signatures, and the first keys' own limits count from the start.
        let unsigned = self.unsigned_ttl(store, &zone.apex.to_string()).map(|ttl| Fact::ServedUnsigned { ttl });
        let limits = limits::written(&zone.policy, zone.written_ttl());
        let new_keys = match self.words.get(&zone.apex) {
            Some(Word::NewKeys(reason)) => Some(Fact::Resumed { reason: reason.clone() }),
            Some(Word::ServeOn(_)) | None => None,
        };
        let first: Vec<Fact> = unsigned.into_iter().chain([Fact::Limits(limits)]).chain(new_keys).collect();
        let may_begin = |begun| self.may_begin(store, zone, begun);
        let loaded = store.zone_keys_if(&zone.apex, layout, zone.policy.algorithm, &first, may_begin, now.signing);
        let loaded = loaded.map_err(|frozen| Box::new(frozen.diagnostic()))?;
        if loaded.is_new {
            self.first_made.insert(zone.apex.clone());
        }
        let mut roll = ZoneRoll::new(loaded, now);
        roll.note_silent(now);
        self.judge(store, &mut roll, &zone.apex, now)?;
        self.words.remove(&zone.apex);
        if zone.parent.is_none() {
            roll.parent.at += PARENT_FIRST.min(Duration::from_secs(zone.policy.parent_poll));
        }
        self.zones.insert(zone.apex.clone(), roll);
        Ok(())
    }

    /// Keys were brought in.
    pub fn take_in(&mut self, apex: &Name, loaded: ZoneKeys, now: Now) {
        self.unsigned.remove(apex);
        self.zones.insert(apex.clone(), ZoneRoll::new(loaded, now));
    }

    /// A key of this zone failed: its files are read again before it is served.
    pub fn distrust(&mut self, apex: &Name) {
        if let Some(roll) = self.zones.get_mut(apex) {
            roll.reread = true;
        }
    }

    /// Whether a zone is unsigned since its roll to insecure ended.
    pub fn is_unsigned(&mut self, store: &Store, apex: &Name) -> bool {
        if let Some(roll) = self.zones.get(apex) {
            return roll.facts().unsigned;
        }
        if !self.unsigned.contains(apex) && store.is_unsigned(apex) {
            self.unsigned.insert(apex.clone());
        }
        self.unsigned.contains(apex)
    }

    /// Zones that are gone have no open journal.
    pub fn keep_only(&mut self, is_there: impl Fn(&Name) -> bool) {
        self.zones.retain(|apex, _| is_there(apex));
    }
}
