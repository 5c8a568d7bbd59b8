//! Whether a zone may have its first keys, and whether keys that are there are those that the world knows.
//!
//! What was published outlives the zone's folder: a zone that the world may hold something of, and that has no keys, gets
//! none, whatever its configuration says. It is silent until its keys are back, or a person says that the DS goes.

use crate::control::certs::date;
use crate::control::rolls::{Rolls, ZoneRoll};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::observe::before::DsBefore;
use crate::roll::zone::facts::Fact;
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::past::{Fit, Past};
use crate::sign::key::PublicKey;
use crate::store::Store;
use crate::store::records::{Records, Trust};
use crate::store::silence::{Cause, Silence};
use crate::time::{Now, UnixTime};
use crate::world::zones::ZoneState;
use std::path::Path;

/// What a person said about a zone that is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The DS of before goes: new keys are made; why.
    NewKeys(String),
    /// The old copy of its folder is served; why.
    ServeOn(String),
}

impl Rolls {
    /// What was published of each zone.
    pub(super) fn records(&mut self, store: &Store) -> &mut Records {
        self.records.get_or_insert_with(|| store.records())
    }

    /// Whether the world may hold something signed of a zone, or that must be feared.
    pub fn was_published(&mut self, store: &Store, apex: &Name) -> bool {
        let zone = apex.to_string();
        let records = self.records(store);
        let is_lost = !records.is_kept();
        let is_held = records.of(&zone).is_some_and(|past| past.is_held() || past.suspicion().is_some());
        is_held || (is_lost && self.unsigned(store).is_signed_for_all_we_know(&zone))
    }

    /// The data of the DS that the parent of a zone had; none: not known.
    pub fn ds_before(&mut self, store: &Store, apex: &Name) -> Option<Vec<Vec<u8>>> {
        self.records(store).of(&apex.to_string()).and_then(Past::ds)
    }

    /// Those of these keys of a zone that were given up here: their tags.
    pub fn given_up_among<'k>(
        &mut self,
        store: &Store,
        apex: &Name,
        keys: impl Iterator<Item = &'k PublicKey>,
    ) -> Vec<u16> {
        self.records(store).of(&apex.to_string()).map_or_else(Vec::new, |past| past.given_up_among(keys))
    }

    /// Whether a zone without keys may get its first ones now. `begun`: a first start was interrupted.
    ///
    /// # Errors
    /// Why none may be made, and what ends that.
    pub(super) fn may_begin(&mut self, store: &Store, zone: &ZoneState, begun: bool) -> Result<(), Silence> {
        let folder = store.zone_folder(&zone.apex);
        if matches!(self.words.get(&zone.apex), Some(Word::NewKeys(_))) {
            return Ok(());
        }
        let text = zone.apex.to_string();
        let stem = text.trim_end_matches('.');
        let records = self.records(store);
        let is_new = records.trust == Trust::New;
        match (records.of(&text), &records.trust) {
            (Some(past), _) if past.is_held() => return Err(gone(&folder, stem, past)),
            (Some(past), _) if past.suspicion().is_some() => {
                return Err(suspected(&folder, stem, past.suspicion().unwrap_or_default()));
            }
            (Some(_), _) => return Ok(()),
            (None, Trust::Lost(why)) => return Err(unknown(&folder, stem, why, &lost_help(records.path()))),
            (None, Trust::Unreadable(why)) => return Err(unknown(&folder, stem, why, &denied_help(records.path()))),
            (None, Trust::Whole | Trust::New) if begun => return Ok(()),
            (None, Trust::Whole | Trust::New) => {}
        }
        let Some(entry) = &zone.entry else { return Ok(()) };
        let is_own = *entry == zone.apex;
        if !is_own && self.is_known_of_entry(store, entry) {
            // The zone above was published by this folder of keys, so this one would be known if it had been.
            return match is_new && !self.first_made.contains(entry) {
                false => Ok(()),
                true => {
                    Err(self.suspect(store, zone, &format!("{entry} above it has keys of before, and {NO_RECORD}")))
                }
            };
        }
        match self.asker.said(entry) {
            None => Err(asking(&folder, entry)),
            Some(DsBefore::None) => Ok(()),
            Some(DsBefore::Unknown(why)) => {
                if is_own {
                    self.unasked.insert(zone.apex.clone(), why);
                }
                Ok(())
            }
            Some(DsBefore::There(tags, by)) => {
                let tags = tags.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
                let why = format!("the parent of {entry} has a DS (key {tags}), as {by} says");
                Err(self.suspect(store, zone, &why))
            }
        }
    }

    /// Whether the zone in which the chain of trust begins has keys, or was published.
    fn is_known_of_entry(&mut self, store: &Store, entry: &Name) -> bool {
        let is_held = self.records(store).of(&entry.to_string()).is_some_and(Past::is_held);
        is_held || self.zones.contains_key(entry) || store.has_journal(entry)
    }

    /// That a zone must be feared to have been published outlives a restart, as far as the disk allows.
    fn suspect(&mut self, store: &Store, zone: &ZoneState, why: &str) -> Silence {
        let text = zone.apex.to_string();
        let line = vec![(text.clone(), Past::suspected(why))];
        let kept = self.records(store);
        if let Err(fault) = store.keep_records(kept, line) {
            tracing::warn!(ZONE = %zone.apex, "why it is silent is not kept: {fault}");
        }
        suspected(&store.zone_folder(&zone.apex), text.trim_end_matches('.'), why)
    }

    /// Whether a journal that was just read goes on from what was published.
    ///
    /// # Errors
    /// Why the zone is silent with these keys.
    pub(super) fn judge(
        &mut self,
        store: &Store,
        roll: &mut ZoneRoll,
        apex: &Name,
        now: Now,
    ) -> Result<(), Box<Diagnostic>> {
        let text = apex.to_string();
        let Some(past) = self.records(store).of(&text).cloned() else { return Ok(()) };
        let (facts, before) = (roll.facts().records, past.facts);
        let word = match self.words.get(apex) {
            Some(Word::ServeOn(reason)) => Some(reason.clone()),
            Some(Word::NewKeys(_)) => return Ok(()),
            None => None,
        };
        let doubt = match (past.judge(roll.facts()), word) {
            (Fit::GoesOn, _) => return Ok(()),
            (Fit::Older, _) => format!(
                "the journal has {facts} facts, and {before} were published: it is an old copy, whose keys the world may \
                 have forgotten"
            ),
            (Fit::Apart, Some(reason)) => {
                format!("an old copy is served, with other keys than were published: {reason}")
            }
            (Fit::Apart, None) => {
                let past = past.apart_from(now.signing);
                let frozen = apart(&store.zone_folder(apex), roll.facts(), &past, now.signing);
                let kept = self.records(store);
                if let Err(fault) = store.keep_records(kept, vec![(text, past)]) {
                    tracing::warn!(ZONE = %apex, "since when it is silent is not kept: {fault}");
                }
                return Err(Box::new(frozen.diagnostic()));
            }
            (Fit::GivenUp(tag), _) => return Err(Box::new(given_up(&store.zone_folder(apex), tag).diagnostic())),
        };
        // A key that was given up never signs again: the old copy does not know.
        let tags = past.given_up_live(roll.facts());
        let reason = "it was given up before the old copy came back".to_owned();
        let marks = (!tags.is_empty()).then_some(Fact::RollWanted { tags, emergency: true, reason });
        let mut all = marks.into_iter().chain([Fact::Doubted { reason: doubt }]);
        roll.is_doubt_kept = all.all(|fact| roll.record(fact, now));
        Ok(())
    }

    /// Before a publication: what is published now is kept. Where the disk refuses, new zones must not be served.
    ///
    /// # Errors
    /// What the disk said.
    pub fn keep_past(&mut self, store: &Store) -> Result<(), String> {
        let mut changed = Vec::new();
        self.records(store);
        let Some(records) = &mut self.records else { return Ok(()) };
        for (apex, roll) in self.zones.iter().filter(|(_, roll)| roll.is_doubt_kept) {
            let facts = roll.facts();
            if roll.kept != Some(facts.records) && facts.first_keys_done {
                let zone = apex.to_string();
                let past = Past::of(apex, facts, records.of(&zone));
                changed.push((zone, past));
            }
        }
        let kept = store.keep_records(records, changed).map_err(|fault| fault.to_string());
        self.unkept = kept.clone().err();
        if kept.is_ok() && records.is_kept() {
            self.zones.values_mut().filter(|roll| roll.is_doubt_kept).for_each(|roll| {
                (roll.kept, roll.is_new) = (Some(roll.facts().records), false);
            });
        }
        kept
    }

    /// Zones whose first keys are made, and of which nothing is kept yet: the world must not see them.
    pub fn unkept(&self) -> Vec<Name> {
        let is_new = |(apex, roll): (&Name, &ZoneRoll)| (roll.is_new && self.unkept.is_some()).then(|| apex.clone());
        self.zones.iter().filter_map(is_new).collect()
    }

    /// Why a zone is not served before what is published of it is kept.
    pub fn why_unkept(&self, store: &Store, apex: &Name) -> Diagnostic {
        let reason = format!("that it is published cannot be kept: {}", self.unkept.as_deref().unwrap_or_default());
        let fix = "free the disk, or make it writable; then it goes on by itself";
        Silence::new(Cause::Disk, &store.zone_folder(apex), &reason, fix).diagnostic()
    }

    /// What stands against the record of what was published, and against zones whose parents could not be asked.
    pub fn past_findings(&mut self, store: &Store) -> Vec<Diagnostic> {
        let records = self.records(store);
        let keys = records.path().parent().map(Path::to_owned).unwrap_or_default();
        let shown = records.path().display().to_string();
        let place = || Place::file(shown.clone());
        let mut found = Vec::new();
        match &records.trust {
            Trust::Whole | Trust::New => {}
            Trust::Lost(why) => {
                let message = format!("what was published of each zone is not known: {why}");
                found.push(Diagnostic::error("MX5531", place(), message, lost_help(records.path())));
            }
            Trust::Unreadable(why) => {
                let message = format!("what was published of each zone cannot be read: {why}");
                found.push(Diagnostic::error("MX5532", place(), message, denied_help(records.path())));
            }
        }
        for flaw in &records.flaws {
            let help = "nothing to do: it was written anew from the other one; find out what damaged it";
            found.push(Diagnostic::warning("MX5533", place(), flaw.clone(), help));
        }
        if let Some(why) = &self.unkept {
            let message = format!("what is published of each zone cannot be kept: {why}");
            let help = "free the disk, or make it writable; it is tried again by itself";
            found.push(Diagnostic::error("MX5534", place(), message, help));
        }
        if let Some(why) = self.unsigned(store).why_lost() {
            let message = format!("which zones were served unsigned is not known: {why}");
            let help = "restore `.unsigned` and its copy from a backup; or move both away: until then a zone that gets its \
                        first keys waits a week before its DS is wanted";
            let place = Place::file(keys.join(".unsigned").display().to_string());
            found.push(Diagnostic::error("MX5535", place, message, help));
        }
        self.forget_asked();
        for (apex, why) in &self.unasked {
            let message =
                format!("the parent of {apex} could not be asked whether it has a DS, and first keys were made: {why}");
            let help = "if the zone was signed elsewhere or before: restore its keys, or bring them in with `mxseal keys import`";
            let place = Place::file(store.zone_folder(apex).display().to_string());
            found.push(Diagnostic::warning("MX5530", place, message, help));
        }
        found
    }

    /// A parent that was seen meanwhile tells more than one that could not be asked.
    fn forget_asked(&mut self) {
        let zones = &self.zones;
        self.unasked.retain(|apex, _| {
            let seen = |roll: &ZoneRoll| roll.facts().parent.servers.iter().any(|server| server.saw.is_some());
            zones.get(apex).is_some_and(|roll| !seen(roll))
        });
    }
}

/// For `check`, which asks nobody: whether a server would keep a zone silent that has these facts, or no keys.
///
/// # Errors
/// Why.
pub fn check(
    records: &Records,
    folder: &Path,
    zone: &str,
    facts: Option<&ZoneFacts>,
    now: UnixTime,
) -> Result<(), Silence> {
    let stem = zone.trim_end_matches('.');
    match (records.of(zone), facts, &records.trust) {
        (Some(past), Some(facts), _) => match past.judge(facts) {
            Fit::GoesOn | Fit::Older => Ok(()),
            Fit::Apart => Err(apart(folder, facts, past, now)),
            Fit::GivenUp(tag) => Err(given_up(folder, tag)),
        },
        (Some(past), None, _) if past.is_held() => Err(gone(folder, stem, past)),
        (Some(past), None, _) => past.suspicion().map_or(Ok(()), |why| Err(suspected(folder, stem, why))),
        (None, None, Trust::Lost(why)) => Err(unknown(folder, stem, why, &lost_help(records.path()))),
        (None, None, Trust::Unreadable(why)) => Err(unknown(folder, stem, why, &denied_help(records.path()))),
        (None, _, _) => Ok(()),
    }
}

const NO_RECORD: &str = "what was published is not known: `.records` is missing";

/// What ends the silence of a zone without keys.
fn ends(stem: &str) -> String {
    format!(
        "restore this folder from a backup, then `mxseal reload`; or bring its keys in with `mxseal keys import {stem}`; \
         only where that DS goes for good: `mxseal keys resume {stem} --new-keys --reason R`"
    )
}

fn gone(folder: &Path, stem: &str, past: &Past) -> Silence {
    let tags = past.ds_tags().iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let ds = if tags.is_empty() { String::new() } else { format!("; its DS is of key {tags}") };
    let reason = format!("the keys of {stem} are gone, and it was published{ds}: no new key is made");
    Silence::new(Cause::Gone, folder, &reason, &ends(stem))
}

fn suspected(folder: &Path, stem: &str, why: &str) -> Silence {
    let reason = format!("{stem} has no keys here, and it was signed before: {why}; no new key is made");
    Silence::new(Cause::Suspected, folder, &reason, &ends(stem))
}

fn unknown(folder: &Path, stem: &str, why: &str, help: &str) -> Silence {
    let reason = format!("{stem} has no keys, and nobody knows whether it was published: {why}; no new key is made");
    Silence::new(Cause::PastUnknown, folder, &reason, help)
}

fn asking(folder: &Path, entry: &Name) -> Silence {
    let reason = format!("before its first keys are made, the parent of {entry} is asked for a DS");
    Silence::new(Cause::Asking, folder, &reason, "nothing to do: it takes some seconds")
}

fn apart(folder: &Path, facts: &ZoneFacts, past: &Past, now: UnixTime) -> Silence {
    let tags = facts.keys.iter().filter(|key| key.is_published()).map(|key| key.public.tag.to_string());
    let tags = tags.collect::<Vec<_>>().join(", ");
    let reason = format!(
        "it is an old copy: its keys ({tags}) are not those that were published last; serving it is harmless from {} on, \
         if the DS names one of its keys by then",
        date(past.harmless_from(now))
    );
    let stem = folder.file_name().unwrap_or_default().to_string_lossy();
    let fix = format!(
        "restore the newest copy, then `mxseal reload`; or serve this one: `mxseal keys resume {stem} --serve-on --reason R`"
    );
    Silence::new(Cause::OldCopy, folder, &reason, &fix)
}

fn given_up(folder: &Path, tag: u16) -> Silence {
    let reason = format!("it is an old copy, in which key {tag} signs, which was given up: it never signs again");
    let stem = folder.file_name().unwrap_or_default().to_string_lossy();
    let fix = format!(
        "restore the newest copy, then `mxseal reload`; or move the folder away, and have new keys made once the DS goes: \
         `mxseal keys resume {stem} --new-keys --reason R`"
    );
    Silence::new(Cause::OldCopy, folder, &reason, &fix)
}

fn lost_help(path: &Path) -> String {
    format!(
        "restore {} and its copy in `copy/` from a backup, then `mxseal reload`; where there is none, move both away: then \
         parents are asked before zones get first keys",
        path.display()
    )
}

fn denied_help(path: &Path) -> String {
    format!("let this process read {} and its copy in `copy/`, then `mxseal reload`", path.display())
}
