//! What the world may hold of a zone, as it is kept beside the zones' folders: it outlives them.
//!
//! Pure. It never decides that a zone may have new keys: it tells what was published, and whether a journal goes on from
//! that. Keys are named by digests, so that nothing secret stands here.

use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::key::KeyFacts;
use crate::sign::key::{PublicKey, Role};
use crate::time::{Seconds, UnixTime};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Octets of a digest that are kept: half of SHA-256, for which nobody makes a second key.
const DIGEST_OCTETS: usize = 16;
/// Part of a key whose DNSKEY is published.
const PUBLISHED: char = 'p';
/// Part of a key that signs.
const SIGNS: char = 's';
/// Part of a key that was given up because it may be in foreign hands. It never signs again.
const GIVEN_UP: char = 'g';

/// What was published of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Number of facts that were published; 0: none.
    #[serde(default)]
    pub facts: u64,
    /// Digests of keys, and the parts of each: `p`ublished, `s`igns, `g`iven up. Empty in what the first form told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<String, String>,
    /// The DS that the parent was to have, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ds: Vec<String>,
    /// How long caches may hold any of it, in seconds.
    #[serde(default)]
    life: Seconds,
    /// The zone went insecure: nobody holds a DS any more.
    #[serde(default, skip_serializing_if = "is_not")]
    unsigned: bool,
    /// Nothing is known but this reason to believe that it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspected: Option<String>,
    /// Since when the zone is silent because an old copy of its folder is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apart_since: Option<u64>,
}

/// For serde, which asks so whether to leave a value out.
fn is_not(value: &bool) -> bool {
    !value
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    zone: String,
    past: Past,
}

/// How a journal stands to what was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It goes on from there.
    GoesOn,
    /// It is an old copy, with the keys of today: the zone can be served, and removals wait.
    Older,
    /// Its keys are others than those that the world may hold.
    Apart,
    /// A key with this tag would sign, which was given up.
    GivenUp(u16),
}

impl Past {
    /// What is published of a zone with these facts. What was given up before stays so.
    pub fn of(apex: &[u8], facts: &ZoneFacts, before: Option<&Past>) -> Past {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        for key in &facts.keys {
            let parts = if facts.unsigned { String::new() } else { parts(key) };
            let given_up = if is_given_up(key) { GIVEN_UP.to_string() } else { String::new() };
            keys.insert(digest(&key.public), parts + &given_up);
        }
        for digest in before.into_iter().flat_map(Past::given_up) {
            // One that the journal has, and can use, was taken back, or it would not be so.
            let is_free = |key: &&KeyFacts| key.is_live() && !is_given_up(key) && self::digest(&key.public) == digest;
            if !facts.keys.iter().any(|key| is_free(&key)) {
                keys.insert(digest, GIVEN_UP.to_string());
            }
        }
        keys.retain(|_, parts| !parts.is_empty());
        let ds = facts.keys.iter().filter(|key| !facts.unsigned && facts.ds_wanted.has(key.id));
        let ds = ds.map(|key| HEXLOWER.encode(&key.public.ds_data(apex))).collect();
        Past { facts: facts.records, keys, ds, life: life(facts), unsigned: facts.unsigned, ..Past::default() }
    }

    /// What the first form told: how many facts were published.
    pub fn counted(facts: u64) -> Past {
        Past { facts, ..Past::default() }
    }

    /// That there is this reason to believe that the zone was published.
    pub fn suspected(reason: &str) -> Past {
        Past { suspected: Some(reason.to_owned()), ..Past::default() }
    }

    /// Whether the world may hold something signed of this zone.
    pub fn is_held(&self) -> bool {
        !self.unsigned && self.facts > 0
    }

    /// The reason to believe that it was published, where nothing else is known.
    pub fn suspicion(&self) -> Option<&str> {
        self.suspected.as_deref()
    }

    /// The data of the DS that the parent had; none: not known.
    pub fn ds(&self) -> Option<Vec<Vec<u8>>> {
        let known = self.is_held() && !self.in_use().is_empty();
        known.then(|| self.ds.iter().filter_map(|hex| HEXLOWER.decode(hex.as_bytes()).ok()).collect())
    }

    /// Key tags of these DS.
    pub fn ds_tags(&self) -> Vec<u16> {
        let all = self.ds().unwrap_or_default();
        all.iter().filter_map(|data| Some(u16::from_be_bytes([*data.first()?, *data.get(1)?]))).collect()
    }

    /// How a journal with these facts stands to it.
    pub fn judge(&self, facts: &ZoneFacts) -> Fit {
        let given_up: BTreeSet<String> = self.given_up().collect();
        let signs = |key: &&KeyFacts| !facts.unsigned && parts(key).contains(SIGNS);
        if let Some(key) = facts.keys.iter().filter(signs).find(|key| given_up.contains(&digest(&key.public))) {
            return Fit::GivenUp(key.public.tag);
        }
        let is_older = facts.records < self.facts;
        // The first form told no keys, and an insecure zone has none that anybody holds.
        if self.unsigned || self.in_use().is_empty() {
            return if is_older { Fit::Older } else { Fit::GoesOn };
        }
        let known: BTreeSet<String> = facts.keys.iter().map(|key| digest(&key.public)).collect();
        if self.in_use().keys().any(|digest| !known.contains(digest)) {
            return Fit::Apart;
        }
        let today = Past::of(&[], facts, None);
        match is_older {
            false => Fit::GoesOn,
            true if today.in_use() == self.in_use() => Fit::Older,
            true => Fit::Apart,
        }
    }

    /// Those of these keys that were given up: their tags.
    pub fn given_up_among<'k>(&self, keys: impl Iterator<Item = &'k PublicKey>) -> Vec<u16> {
        let given_up: BTreeSet<String> = self.given_up().collect();
        keys.filter(|key| given_up.contains(&digest(key))).map(|key| key.tag).collect()
    }

    /// Keys that a journal with these facts could still use, though they were given up.
    pub fn given_up_live(&self, facts: &ZoneFacts) -> Vec<u16> {
        let live = facts.keys.iter().filter(|key| key.is_live() && !is_given_up(key));
        self.given_up_among(live.map(|key| &key.public))
    }

    /// Since when the zone is silent for an old copy of its folder, from this moment on where that is new.
    pub fn apart_from(&self, now: UnixTime) -> Past {
        Past { apart_since: Some(self.apart_since.unwrap_or(now.0)), ..self.clone() }
    }

    /// From when on caches hold nothing of what was published.
    pub fn harmless_from(&self, now: UnixTime) -> UnixTime {
        UnixTime(self.apart_since.unwrap_or(now.0)).after(self.life)
    }

    /// Keys that are published or sign, and which of the two.
    fn in_use(&self) -> BTreeMap<String, String> {
        let used = |parts: &str| parts.chars().filter(|part| *part != GIVEN_UP).collect::<String>();
        let all = self.keys.iter().map(|(digest, parts)| (digest.clone(), used(parts)));
        all.filter(|(_, parts)| !parts.is_empty()).collect()
    }

    fn given_up(&self) -> impl Iterator<Item = String> {
        self.keys.iter().filter(|(_, parts)| parts.contains(GIVEN_UP)).map(|(digest, _)| digest.clone())
    }
}

/// Lines for the file.
pub fn print<'p>(zones: impl Iterator<Item = (&'p String, &'p Past)>) -> String {
    // Text and numbers, for which serde_json cannot fail.
    let line = |(zone, past): (&String, &Past)| {
        serde_json::to_string(&Line { zone: zone.clone(), past: past.clone() }).unwrap_or_default() + "\n"
    };
    zones.map(line).collect()
}

/// What a file says; of two lines about one zone the later one counts. The first form was one object of numbers.
///
/// # Errors
/// Why it cannot be believed.
pub fn read(text: &str) -> Result<BTreeMap<String, Past>, String> {
    if let Ok(counts) = serde_json::from_str::<BTreeMap<String, u64>>(text) {
        return Ok(counts.into_iter().map(|(zone, facts)| (zone, Past::counted(facts))).collect());
    }
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut zones = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let said: Line = serde_json::from_str(line).map_err(|fault| format!("its line {}: {fault}", number + 1))?;
        zones.insert(said.zone, said.past);
    }
    Ok(zones)
}

fn digest(key: &PublicKey) -> String {
    let whole = ring::digest::digest(&ring::digest::SHA256, &key.dnskey_data());
    HEXLOWER.encode(whole.as_ref().get(..DIGEST_OCTETS).unwrap_or_default())
}

/// What a key does. That its private half cannot be read now is no part of it.
fn parts(key: &KeyFacts) -> String {
    let signs_keys = key.is_published() && key.role != Role::Zsk && !key.file.is_empty();
    let signs = signs_keys || key.signs_data();
    [(key.is_published(), PUBLISHED), (signs, SIGNS)].iter().filter(|(does, _)| *does).map(|(_, part)| part).collect()
}

/// Whether a key was to be replaced in an emergency, and signs no more.
fn is_given_up(key: &KeyFacts) -> bool {
    key.outgoing.as_ref().is_some_and(|outgoing| outgoing.emergency) && !parts(key).contains(SIGNS)
}

/// How long caches may hold what is served, and the DS of it.
fn life(facts: &ZoneFacts) -> Seconds {
    let limits = facts.limits.unwrap_or(crate::roll::zone::facts::Limits::UNKNOWN);
    let served = [u64::from(limits.dnskey_ttl), u64::from(limits.data_ttl), limits.dnskey_life, limits.data_life];
    let ds = facts.parent.versions.iter().flat_map(|version| [u64::from(version.ttl), version.life]);
    served.into_iter().chain(ds).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::life::Facts;
    use crate::roll::zone::facts::{Fact, KeyLayout, key_file_name};
    use crate::sign::key::{ED25519_NUMBER, ENTRY_FLAGS, Key, generate_pkcs8};
    use data_encoding::BASE64;

    const APEX: &[u8] = b"\x01a\x00";

    fn key() -> PublicKey {
        let der = generate_pkcs8(ED25519_NUMBER).expect("a new key");
        Key::from_pkcs8(ENTRY_FLAGS, ED25519_NUMBER, &der).expect("a key").public_half()
    }

    fn after(mut zone: ZoneFacts, facts: &[Fact]) -> ZoneFacts {
        facts.iter().for_each(|fact| zone.take(fact, UnixTime(1)).expect("it follows"));
        zone
    }

    fn made(key: &PublicKey) -> Vec<Fact> {
        let (tag, public, file) = (key.tag, BASE64.encode(&key.public), key_file_name(Role::Csk, key));
        let (algorithm, flags) = (key.algorithm, key.flags);
        vec![Fact::KeyCreated { tag, algorithm, flags, role: Role::Csk, public, file }, Fact::KeyPublished { tag }]
    }

    /// A zone with one CSK.
    fn zone(key: &PublicKey) -> ZoneFacts {
        let begun = Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: ED25519_NUMBER };
        let begun =
            [vec![begun], made(key), vec![Fact::KeyActivated { tag: key.tag }, Fact::FirstKeysDone {}]].concat();
        after(ZoneFacts::default(), &begun)
    }

    /// The same after another key signs in its place, which was given up or not, and is gone or not.
    fn rolled(old: &PublicKey, new: &PublicKey, emergency: bool, gone: bool) -> ZoneFacts {
        let wanted = Fact::RollWanted { tags: vec![old.tag], emergency, reason: String::new() };
        let switched = Fact::KeySwitched { from: old.tag, to: new.tag };
        let end = [Fact::DsWanted { tags: vec![new.tag] }, Fact::KeyRemoved { tag: old.tag }];
        let end = if gone { end.to_vec() } else { Vec::new() };
        after(zone(old), &[vec![wanted], made(new), vec![switched], end].concat())
    }

    #[test]
    fn a_journal_that_goes_on_fits_and_one_of_other_keys_does_not() {
        let (old, new) = (key(), key());
        let (first, last) = (zone(&old), rolled(&old, &new, false, true));
        let (before, now) = (Past::of(APEX, &first, None), Past::of(APEX, &last, None));
        assert_eq!(before.judge(&last), Fit::GoesOn);
        assert_eq!(now.judge(&last), Fit::GoesOn);
        assert_eq!(now.judge(&first), Fit::Apart, "an old copy, whose key is gone from caches");
        let midway = rolled(&old, &new, false, false);
        assert_eq!(now.judge(&midway), Fit::Apart, "an old copy of the middle of the roll: its old key signs the keys");
        assert_eq!(now.judge(&zone(&key())), Fit::Apart, "keys of another zone");
        let more = after(first.clone(), &[Fact::Held { reason: String::new() }]);
        assert_eq!(Past::of(APEX, &more, None).judge(&first), Fit::Older, "an old copy with the keys of today");
        assert_eq!(before.judge(&zone(&new)), Fit::Apart, "as many facts, and another key");
    }

    #[test]
    fn a_key_that_was_given_up_never_signs_again() {
        let (old, new) = (key(), key());
        let first = zone(&old);
        for gone in [false, true] {
            let now = Past::of(APEX, &rolled(&old, &new, true, gone), None);
            // A CSK that is still published signs the keys, and is not given up before it is gone.
            let fit = if gone { Fit::GivenUp(old.tag) } else { Fit::Apart };
            assert_eq!(now.judge(&first), fit);
            let kept = Past::of(APEX, &zone(&new), Some(&now));
            assert_eq!(kept.given_up_among([&old].into_iter()).len(), usize::from(gone), "it stays so");
        }
        assert!(Past::of(APEX, &first, None).given_up_live(&first).is_empty());
    }

    #[test]
    fn an_insecure_zone_is_held_by_nobody_and_the_first_form_tells_numbers() {
        let csk = key();
        let bare = after(zone(&csk), &[Fact::DsWanted { tags: vec![] }, Fact::InsecureWanted {}, Fact::Unsigned {}]);
        let past = Past::of(APEX, &bare, None);
        assert!(!past.is_held() && past.ds().is_none() && past.judge(&zone(&csk)) == Fit::Older);
        let counts = read("{\"a.\":7,\"b.\":0}").expect("the first form");
        assert!(counts["a."].is_held() && counts["a."].ds().is_none() && !counts["b."].is_held());
        assert_eq!(counts["a."].judge(&zone(&csk)), Fit::Older);
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_understood_is_refused() {
        let csk = key();
        let mut past = Past::of(APEX, &zone(&csk), None).apart_from(UnixTime(5));
        past.suspected = Some("a \"reason\"\nof two lines".to_owned());
        let text = print([(&"a.".to_owned(), &past)].into_iter());
        assert_eq!(text.lines().count(), 1);
        let later = text.clone() + &print([(&"a.".to_owned(), &Past::counted(9))].into_iter());
        assert_eq!(read(&text).expect("read")["a."], past);
        assert_eq!(read(&later).expect("read")["a."], Past::counted(9));
        assert_eq!(past.ds(), Some(vec![csk.ds_data(APEX)]));
        let life = u64::from(past.harmless_from(UnixTime(9)).0 > 5);
        assert!(life == 1 && past.apart_from(UnixTime(9)) == past, "it counts from when it was found");
        for bad in ["", "\n", "{}x", "[]", &text.replace("facts", "fact"), &text[..text.len() / 2]] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
