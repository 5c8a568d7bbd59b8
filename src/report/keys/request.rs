//! What a command that asks for a roll records, or why it is refused.
//!
//! It only says what is wanted: whether and when a step may be taken is decided as for any other roll.

use crate::dns::name::Name;
use crate::protocol::KeyRole;
use crate::protocol::RollAsked;
use crate::report::plain;
use crate::roll::life::Facts;
use crate::roll::zone::facts::Fact;
use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use crate::roll::zone::forecast::forecast;
use crate::roll::zone::goal::Goal;
use crate::roll::zone::{Conditions, Policy};
use crate::sign::key::{ECDSA_P256, ED25519_NUMBER, Role};
use crate::time::{Clocks, Seconds, UnixTime};
use data_encoding::HEXLOWER;

/// Who asked, in the journal.
const BY_COMMAND: &str = "asked for by command";
/// What a roll waits for while another one goes on.
const UNTIL: &str = "its end, or `--back`";
/// How far ahead the end of a roll is looked for: longer than any roll with sane lives of signatures.
const ROLL_MAX: Seconds = 400 * 86_400;
/// How long a code to go insecure holds: two people sit at a table for it.
const CODE_SPAN: Seconds = 3600;
/// Octets of that code: short enough to be read out, and too long to be typed by chance.
const CODE_OCTETS: usize = 4;

/// Why a roll is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: String,
    /// What would have to be so, or be done, first; empty: nothing helps.
    pub missing: String,
    /// Since when what stands in its way does, by the signing clock; none: no moment is known.
    pub since: Option<UnixTime>,
    /// From when on it would be allowed, by the signing clock, if all goes well.
    pub allowed_at: Option<UnixTime>,
}

impl Refused {
    fn new(reason: impl Into<String>, missing: impl Into<String>) -> Refused {
        Refused { reason: reason.into(), missing: missing.into(), since: None, allowed_at: None }
    }

    /// One line for people, its moments by the wall clock.
    pub fn message(&self, clocks: Clocks) -> String {
        let shown = |at: UnixTime| moment(clocks.by_wall(at).0);
        let mut text = self.reason.clone();
        if let Some(since) = self.since {
            text.push_str(&format!(" (since {})", shown(since)));
        }
        if !self.missing.is_empty() {
            text.push_str(&format!("; missing: {}", self.missing));
        }
        if let Some(at) = self.allowed_at {
            text.push_str(&format!("; allowed from {}", shown(at)));
        }
        text
    }
}

fn moment(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| format!("second {at}"), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// The facts of a zone once those of a request are recorded: what a dry run is shown from.
///
/// # Errors
/// Why they cannot follow.
pub fn after(facts: &ZoneFacts, asked: &[Fact], now: UnixTime) -> Result<ZoneFacts, String> {
    let mut facts = facts.clone();
    asked.iter().try_for_each(|fact| facts.take(fact, now))?;
    Ok(facts)
}

/// What a roll that is asked for records. One that makes the zone insecure is for [`insecure_request`].
///
/// # Errors
/// [`Refused`].
pub fn roll_request(
    facts: &ZoneFacts,
    policy: &Policy,
    conditions: &Conditions,
    asked: &RollAsked,
    now: UnixTime,
) -> Result<Vec<Fact>, Refused> {
    ready(facts, conditions)?;
    if asked.insecure {
        return Err(Refused::new("a zone does not roll and go insecure at once", "ask for one of both"));
    }
    let asking = Asking { facts, policy, now };
    let role = asking.role(asked.role)?;
    match (asked.back, asked.algorithm) {
        (true, _) => asking.back(asked.role.as_ref().map(|_| role)),
        (false, Some(algorithm)) => asking.algorithm(algorithm),
        (false, None) => asking.replace(role, asked.emergency),
    }
}

/// What makes a zone insecure records, once two people have confirmed it. `unsigned_wanted`: the configuration says
/// `signed = false`.
///
/// # Errors
/// [`Refused`]; without `confirm` it names the code that a second person must give.
pub fn insecure_request(
    apex: &Name,
    facts: &ZoneFacts,
    unsigned_wanted: bool,
    confirm: Option<&str>,
    now: UnixTime,
) -> Result<Vec<Fact>, Refused> {
    ready(facts, &Conditions::default())?;
    let zone = apex.to_string();
    let zone = zone.trim_end_matches('.');
    if !unsigned_wanted {
        let missing = format!("`signed = false` below [zone.\"{zone}\"] in mxseal.toml, and `mxseal reload`");
        return Err(Refused::new("the configuration wants this zone signed", missing));
    }
    let code = insecure_code(apex, facts, now);
    match confirm {
        None => Err(Refused::new(
            "DANE would silently end for all mail to this zone, so a second person must confirm it within the hour",
            format!("`mxseal keys roll {zone} --insecure --confirm {code}`"),
        )),
        // One that was given just before the hour ended is as good.
        Some(given) if [code, insecure_code(apex, facts, now.before(CODE_SPAN))].iter().any(|code| code == given) => {
            Ok(vec![Fact::InsecureWanted {}])
        }
        Some(_) => Err(Refused::new(
            "this is not the code of this hour, or something happened to the keys since it was given",
            format!("ask again with `mxseal keys roll {zone} --insecure`"),
        )),
    }
}

/// The code with which a second person confirms: it changes with the hour and with every fact.
pub fn insecure_code(apex: &Name, facts: &ZoneFacts, now: UnixTime) -> String {
    let hour = now.0.checked_div(CODE_SPAN).unwrap_or(0);
    let text = format!("insecure {} {} {hour}", apex.to_lower(), facts.records);
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    HEXLOWER.encode(digest.as_ref().get(..CODE_OCTETS).unwrap_or_default())
}

fn ready(facts: &ZoneFacts, conditions: &Conditions) -> Result<(), Refused> {
    if !facts.first_keys_done {
        return Err(Refused::new("the zone has no keys yet", "its first start"));
    }
    if facts.unsigned || facts.insecure_wanted() {
        let how = if facts.unsigned { "is unsigned" } else { "is on its way to be unsigned" };
        return Err(Refused::new(format!("the zone {how}, so there is nothing to roll"), ""));
    }
    if let Some(reason) = &facts.held {
        return Err(Refused::new(format!("all steps are held: {reason}"), "`mxseal keys resume`"));
    }
    if let Some(reason) = &conditions.elsewhere {
        let what = format!("another server may roll these keys: {reason}");
        return Err(Refused::new(what, "`mxseal keys lead --reason WHY`, if this server leads"));
    }
    match &conditions.disk {
        Some(reason) => Err(Refused::new(format!("nothing can be recorded: {reason}"), "a disk that takes writes")),
        None => Ok(()),
    }
}

struct Asking<'a> {
    facts: &'a ZoneFacts,
    policy: &'a Policy,
    now: UnixTime,
}

impl Asking<'_> {
    fn role(&self, asked: Option<KeyRole>) -> Result<Role, Refused> {
        let layout = self.policy.layout;
        let Some(asked) = asked else { return Ok(layout.data()) };
        let no_role = || Refused::new("there is no such role", "ksk, zsk or csk");
        let role = plain::role(asked).ok_or_else(no_role)?;
        if layout.roles().contains(&role) {
            return Ok(role);
        }
        let mut roles: Vec<&str> = layout.roles().iter().map(|role| role.word()).collect();
        roles.dedup();
        let reason = format!("the zone has no {} by its policy", role.word().to_uppercase());
        Err(Refused::new(reason, format!("one of its roles: {}", roles.join(", "))))
    }

    fn replace(&self, role: Role, emergency: bool) -> Result<Vec<Fact>, Refused> {
        let wanted = |tags: Vec<u16>| vec![Fact::RollWanted { tags, emergency, reason: BY_COMMAND.to_owned() }];
        let leaving = leaving(self.facts, self.policy, role);
        if !leaving.is_empty() {
            if emergency && let Some(facts) = self.again(&leaving, role) {
                return Ok(facts);
            }
            let marked: Vec<u16> = leaving.iter().filter(|key| may_hurry(key)).map(|key| key.public.tag).collect();
            // A key that is found stolen while it is being replaced goes sooner.
            return if emergency && !marked.is_empty() {
                Ok(wanted(marked))
            } else {
                Err(self.under_way(role, &leaving))
            };
        }
        let goal = Goal::of(self.facts, self.policy);
        let key = if role == self.policy.layout.entry() { goal.entry } else { goal.data };
        match key.filter(|key| key.is_published()) {
            Some(key) => Ok(wanted(vec![key.public.tag])),
            None => Err(Refused::new(format!("there is no {} in use to be replaced", role.word().to_uppercase()), "")),
        }
    }

    /// In an emergency of a key whose roll was taken back: its successors, which leave for that, take its place after all.
    fn again(&self, leaving: &[&KeyFacts], role: Role) -> Option<Vec<Fact>> {
        let goal = Goal::of(self.facts, self.policy);
        let kept = if role == self.policy.layout.entry() { goal.entry } else { goal.data }?;
        // In the order of their making.
        let place = |key: &KeyFacts| self.facts.keys.iter().position(|other| other.id == key.id);
        let is_successor = |key: &&KeyFacts| key.is_live() && place(key) > place(kept) && key.outgoing.is_some();
        if !kept.is_published() || !leaving.iter().all(is_successor) {
            return None;
        }
        let reason = format!("{BY_COMMAND}: the roll that was taken back goes on");
        let back = Fact::RollTakenBack { tags: leaving.iter().map(|key| key.public.tag).collect() };
        Some(vec![back, Fact::RollWanted { tags: vec![kept.public.tag], emergency: true, reason }])
    }

    fn under_way(&self, role: Role, keys: &[&KeyFacts]) -> Refused {
        let since = keys.iter().filter_map(|key| key.outgoing.as_ref()).map(|mark| mark.since).min();
        let tags: Vec<String> = keys.iter().map(|key| key.public.tag.to_string()).collect();
        let reason = format!("{} {} is being replaced already", role.word().to_uppercase(), tags.join(", "));
        let allowed_at = self.ends(|facts| leaving(facts, self.policy, role).is_empty());
        Refused { reason, missing: UNTIL.to_owned(), since, allowed_at }
    }

    /// From when on something holds, if all goes well.
    fn ends(&self, holds: impl Fn(&ZoneFacts) -> bool) -> Option<UnixTime> {
        let ahead = forecast(self.facts, self.policy, self.now, self.now.after(ROLL_MAX));
        let mut facts = ahead.start;
        ahead.taken.iter().find(|(at, fact)| facts.take(fact, *at).is_ok() && holds(&facts)).map(|(at, _)| *at)
    }

    fn algorithm(&self, algorithm: u8) -> Result<Vec<Fact>, Refused> {
        if !matches!(algorithm, ECDSA_P256 | ED25519_NUMBER) {
            return Err(Refused::new(format!("keys of algorithm {algorithm} are not made here"), "13 or 15"));
        }
        let all_new = |facts: &ZoneFacts| {
            let wanted = facts.algorithm_wanted.unwrap_or(self.policy.algorithm);
            live(facts).all(|key| key.public.algorithm == wanted)
        };
        if !all_new(self.facts) {
            let reason = "a change of the algorithm is under way already".to_owned();
            let allowed_at = self.ends(all_new);
            return Err(Refused { reason, missing: UNTIL.to_owned(), since: None, allowed_at });
        }
        if live(self.facts).all(|key| key.public.algorithm == algorithm) {
            return Err(Refused::new(format!("all keys are of algorithm {algorithm} already"), ""));
        }
        Ok(vec![Fact::AlgorithmWanted { algorithm }])
    }

    /// The keys that were to go stay, and those that took their place go.
    fn back(&self, role: Option<Role>) -> Result<Vec<Fact>, Refused> {
        let wanted = self.facts.algorithm_wanted.unwrap_or(self.policy.algorithm);
        let old = live(self.facts).find(|key| key.public.algorithm != wanted && key.outgoing.is_none());
        if let Some(old) = old {
            return self.back_to_algorithm(old.public.algorithm);
        }
        let is_asked = |key: &KeyFacts| role.is_none_or(|role| key.role == role);
        let marked: Vec<&KeyFacts> = live(self.facts).filter(|key| key.outgoing.is_some() && is_asked(key)).collect();
        let Some(since) = marked.iter().filter_map(|key| key.outgoing.as_ref()).map(|mark| mark.since).min() else {
            let missing = "a roll whose old key is still published; else ask for a new roll";
            return Err(Refused::new("there is no roll that could be taken back", missing));
        };
        let same_roll =
            |key: &&KeyFacts| key.removed.is_some() && key.outgoing.as_ref().is_some_and(|m| m.since >= since);
        if let Some(gone) = self.facts.keys.iter().find(same_roll) {
            let reason = format!("key {} was removed already, so this roll cannot be taken back", gone.public.tag);
            return Err(Refused::new(reason, "its end; then ask for a new roll"));
        }
        let roles: Vec<Role> = marked.iter().map(|key| key.role).collect();
        let took_over = |key: &&KeyFacts| {
            let began = if key.role == Role::Zsk { key.activated } else { Some(key.created) };
            key.outgoing.is_none() && roles.contains(&key.role) && began.is_some_and(|began| began >= since)
        };
        let new: Vec<u16> = live(self.facts).filter(took_over).map(|key| key.public.tag).collect();
        let mut facts = vec![Fact::RollTakenBack { tags: marked.iter().map(|key| key.public.tag).collect() }];
        if !new.is_empty() {
            let reason = format!("{BY_COMMAND}: the roll to it was taken back");
            facts.push(Fact::RollWanted { tags: new, emergency: false, reason });
        }
        Ok(facts)
    }

    fn back_to_algorithm(&self, algorithm: u8) -> Result<Vec<Fact>, Refused> {
        let is_there = |role: &Role| live(self.facts).any(|key| key.role == *role && key.public.algorithm == algorithm);
        if self.policy.layout.roles().iter().all(is_there) {
            return Ok(vec![Fact::AlgorithmWanted { algorithm }]);
        }
        let reason = format!("keys of algorithm {algorithm} were removed already, so the change cannot be taken back");
        Err(Refused::new(reason, "its end; then ask for that algorithm anew"))
    }
}

fn live(facts: &ZoneFacts) -> impl Iterator<Item = &KeyFacts> {
    facts.keys.iter().filter(|key| key.is_live())
}

fn may_hurry(key: &KeyFacts) -> bool {
    key.is_live() && key.outgoing.as_ref().is_none_or(|mark| !mark.emergency)
}

/// Keys of a role that are being replaced.
fn leaving<'f>(facts: &'f ZoneFacts, policy: &Policy, role: Role) -> Vec<&'f KeyFacts> {
    let goal = Goal::of(facts, policy);
    let kept = [goal.entry, goal.data, goal.standby].map(|key| key.map(|key| key.id));
    let is_there = |key: &&KeyFacts| (key.is_live() || key.signs_data()) && !kept.contains(&Some(key.id));
    facts.keys.iter().filter(|key| key.role == role).filter(is_there).collect()
}
