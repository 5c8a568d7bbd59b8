//! The silence of a zone: it begins where a key fails, and a person ends it by new keys, or by an old copy of its folder.
//!
//! It ends so only where the zone is silent for that very reason; its journal says who wanted it.

use crate::control::rolls::past::Word;
use crate::control::thread::Mind;
use crate::control::thread::desk::reply::Ended;
use crate::dns::name::Name;
use crate::protocol::SilenceEnd;
use crate::store::silence::{OLD_COPY, WITHOUT_KEYS};
use crate::time::Now;
use crate::world::zones::Keys;

impl Mind {
    /// Ends the silence of a zone.
    ///
    /// # Errors
    /// Exit code and reason: 4 where it is not silent for that.
    pub(super) fn end_silence(
        &mut self,
        apex: &Name,
        end: SilenceEnd,
        reason: String,
        dry_run: bool,
        now: Now,
    ) -> Result<(), Ended> {
        let Some(zone) = self.world.zones.get(apex) else { return Err((1, format!("there is no zone {apex} here"))) };
        let code = match &zone.keys {
            Keys::Silent(reason) => reason.code,
            Keys::None | Keys::Wanted | Keys::Loaded(_) => "",
        };
        let (fits, word, else_what) = match end {
            SilenceEnd::NewKeys => (
                WITHOUT_KEYS.contains(&code),
                Word::NewKeys(format!("new keys in place of those that are gone: {reason}")),
                "new keys are made only for a zone that is silent because it has none; roll those that it has",
            ),
            SilenceEnd::ServeOn => (
                code == OLD_COPY,
                Word::ServeOn(reason),
                "only a zone that is silent because an old copy of its folder is there can be served on",
            ),
        };
        if !fits {
            let why = zone.why_not_served().unwrap_or_else(|| format!("{apex} is served"));
            return Err((4, format!("{else_what}: {why}")));
        }
        if dry_run {
            return Ok(());
        }
        match &word {
            Word::NewKeys(why) => {
                tracing::warn!(ZONE = %apex, "by command new keys are made, the DS of before goes: {why}")
            }
            Word::ServeOn(why) => {
                tracing::warn!(ZONE = %apex, "by command the old copy of its keys is served on: {why}")
            }
        }
        if end == SilenceEnd::NewKeys {
            self.lives.rolls.asker.is_told(apex);
        }
        self.lives.rolls.words.insert(apex.clone(), word);
        self.set_keys(vec![(apex.clone(), Keys::Wanted)], now);
        self.lives.rolls.words.remove(apex);
        self.note_goals();
        self.publish(now);
        match self.world.zones.get(apex).map(|zone| &zone.keys) {
            Some(Keys::Silent(still)) => Err((4, format!("{apex} stays silent: {}", still.one_line()))),
            _ => Ok(()),
        }
    }

    /// A key of a zone does not sign as its DNSKEY says: nothing more is signed with it.
    pub(crate) fn key_failed(&mut self, apex: &Name, reason: String, now: Now) {
        if self.world.zones.get(apex).is_none_or(|zone| matches!(zone.keys, Keys::Silent(_))) {
            return;
        }
        self.lives.rolls.distrust(apex);
        // Its parent keeps the DS that it has now, which may be newer than what was told of it.
        self.know(vec![apex.clone()]);
        let Some(zone) = self.world.zones.get_mut(apex) else { return };
        zone.keys = Keys::Silent(crate::store::proof::unproved(&self.basis.config.keys, zone, reason));
        self.publish(now);
    }
}
