//! Commands about keys: what is, what will be, and what people want of it.
//!
//! A command only records what is wanted; whether and when a step is taken is decided as for all others. A dry run records
//! nothing.

use crate::control::rolls::build::roll_policy;
use crate::control::rolls::{ZoneRoll, import};
use crate::control::thread::clock::Against;
use crate::control::thread::desk::reply::{Ended, end, send};
use crate::control::thread::parents::silent_parent;
use crate::control::thread::{Mind, Moments};
use crate::dns::name::{Name, ROOT};
use crate::protocol::request::KeysRequest;
use crate::protocol::{Calendar, ImportedKey, KeysInfo, KeysPlan, KeysStanding, Line, RollAsked, SilenceEnd};
use crate::report::keys::{
    About, Refused, after, insecure, insecure_request, keys_info, keys_plan, roll_request, silent,
};
use crate::roll::life::Facts;
use crate::roll::zone::Conditions;
use crate::roll::zone::facts::{Fact, Limits};
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::plan;
use crate::roll::zone::words;
use crate::time::Now;
use crate::world::zones::{Keys, ZoneState};
use std::sync::mpsc::Sender;

/// How far ahead the calendar of a roll goes that is asked for.
const ROLL_DAYS: u64 = 400;

/// What two reports about a zone differ in.
enum Report<'a> {
    Info,
    Plan { days: u64, with: Option<&'a ZoneFacts> },
}

/// What `keys import` brings in.
struct Brought<'a> {
    keys: &'a [ImportedKey],
    /// How long caches may hold what the server of before served.
    from: Limits,
    /// Why the zone is held from the beginning, where it is.
    hold: Option<String>,
}

/// What an operator ends by `keys resume`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The doubt about the past, and nothing else.
    Doubt,
    /// The hold; where there is none the doubt.
    HoldFirst,
}

impl Mind {
    /// Answers a command about keys.
    pub(super) fn keys_request(&mut self, asked: KeysRequest, reply: &Sender<Line>, now: Now, moments: &Moments) {
        let done = match asked {
            KeysRequest::Status { zone } => self.report_all(zone.as_deref(), &Report::Info, reply, now),
            KeysRequest::Plan { zone, days } => {
                self.report_all(zone.as_deref(), &Report::Plan { days, with: None }, reply, now)
            }
            KeysRequest::Roll { zone, roll, dry_run } => self.roll(&zone, &roll, dry_run, reply, now),
            KeysRequest::Hold { zone, reason, dry_run } => self.mark(&zone, Fact::Held { reason }, dry_run, reply, now),
            KeysRequest::Resume { zone, reason, silence: Some(end), dry_run, .. } => {
                self.end_one_silence(&zone, end, reason, dry_run, reply, now)
            }
            KeysRequest::Resume { zone, reason: _, clock: true, overrule, dry_run, .. } => {
                let against = if overrule { Against::Overruled } else { Against::Heeded };
                self.resume_clock(&zone, against, dry_run, reply, moments)
            }
            KeysRequest::Resume { zone, reason, doubt, dry_run, .. } => {
                let ends = if doubt { Ends::Doubt } else { Ends::HoldFirst };
                self.resume(&zone, reason, ends, dry_run, reply, now)
            }
            KeysRequest::Lead(asked) => self.lead(&asked.reason, asked.dry_run, now).map(|info| send(reply, &info)),
            KeysRequest::Import { zone, keys, ttl, life, hold, dry_run } => {
                let from = Limits { dnskey_ttl: ttl, data_ttl: ttl, dnskey_life: life, data_life: life };
                self.import(&zone, Brought { keys: &keys, from, hold }, dry_run, reply, now)
            }
        };
        end(done, reply);
    }

    fn apex(&self, zone: &str) -> Result<Name, Ended> {
        let name = Name::parse(zone.trim_end_matches('.'), ROOT).map(|name| name.to_lower()).ok();
        name.filter(|name| self.world.zones.contains_key(name))
            .ok_or_else(|| (1, format!("there is no zone {zone} here")))
    }

    fn report_all(&self, zone: Option<&str>, report: &Report<'_>, reply: &Sender<Line>, now: Now) -> Result<(), Ended> {
        let one = zone.map(|zone| self.apex(zone)).transpose()?;
        for (apex, zone) in &self.world.zones {
            let is_wanted =
                one.as_ref().map_or(zone.signed || self.lives.rolls.zones.contains_key(apex), |one| one == apex);
            if is_wanted {
                self.describe(zone, report, reply, now);
            }
        }
        Ok(())
    }

    fn describe(&self, zone: &ZoneState, report: &Report<'_>, reply: &Sender<Line>, now: Now) {
        let roll = self.lives.rolls.zones.get(&zone.apex).filter(|_| !matches!(zone.keys, Keys::Silent(_)));
        let Some(roll) = roll else {
            let ill =
                |what: &str, fix: &str| silent(&zone.apex, &zone.policy.name, self.served.version, what, fix, now.wall);
            let info = match &zone.keys {
                Keys::Silent(reason) => ill(&reason.message, &reason.help),
                Keys::None => insecure(&zone.apex, &zone.policy.name, self.served.version, now.wall),
                Keys::Wanted | Keys::Loaded(_) => match &zone.covered {
                    Some(why) => KeysInfo { state: KeysStanding::Waiting, ..ill(&why.message, &why.help) },
                    None => ill("it has no keys before it has content", "mend its master file"),
                },
            };
            return match report {
                Report::Info => send(reply, &info),
                Report::Plan { .. } => {
                    let KeysInfo { zone, story, now, .. } = info;
                    let blockers = story.blockers;
                    let calendar = Calendar { from: now, until: now, blockers, ..Calendar::default() };
                    send(reply, &KeysPlan { zone, calendar });
                }
            };
        };
        match report {
            Report::Info => self.about(zone, roll, roll.facts(), |about| send(reply, &keys_info(about)), now),
            Report::Plan { days, with } => {
                let facts = with.unwrap_or(roll.facts());
                self.about(zone, roll, facts, |about| send(reply, &keys_plan(about, *days)), now);
            }
        }
    }

    fn about(&self, zone: &ZoneState, roll: &ZoneRoll, facts: &ZoneFacts, tell: impl FnOnce(&About<'_>), now: Now) {
        let (policy, clocks) = (roll_policy(&zone.policy), self.lives.clock.clocks(now));
        let own_parent = silent_parent(&self.world, zone);
        let conditions = Conditions { own_parent, ..roll.conditions(&self.in_the_way()) };
        let plan = plan(facts, &policy, &conditions, clocks.signing);
        tell(&About {
            apex: &zone.apex,
            facts,
            policy: &policy,
            policy_name: &zone.policy.name,
            plan: &plan,
            snapshot: self.served.version,
            clock: self.lives.clock.words(),
            faults: &roll.silent,
            clocks,
        });
    }

    fn roll(
        &mut self,
        zone: &str,
        asked: &RollAsked,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let apex = self.apex(zone)?;
        let (state, roll) = self.keys_of(&apex)?;
        let at = now.signing;
        let facts = match asked.insecure {
            true => {
                let text = apex.to_string();
                let unsigned_wanted = !self.basis.config.zone_settings(text.trim_end_matches('.')).signed;
                insecure_request(&apex, roll.facts(), unsigned_wanted, asked.confirm.as_deref(), at)
            }
            false => {
                roll_request(roll.facts(), &roll_policy(&state.policy), &roll.conditions(&self.in_the_way()), asked, at)
            }
        };
        let facts = facts.map_err(|refused: Refused| (4, refused.message(self.lives.clock.clocks(now))))?;
        let then = after(roll.facts(), &facts, at).map_err(|why| (4, why))?;
        if !dry_run {
            self.record(&apex, facts, now)?;
        }
        let state = self.world.zones.get(&apex).ok_or((1, String::new()))?;
        self.describe(state, &Report::Plan { days: ROLL_DAYS, with: Some(&then) }, reply, now);
        Ok(())
    }

    fn keys_of(&self, apex: &Name) -> Result<(&ZoneState, &ZoneRoll), Ended> {
        let state = self.world.zones.get(apex);
        let both = state.filter(|zone| !matches!(zone.keys, Keys::Silent(_))).zip(self.lives.rolls.zones.get(apex));
        both.ok_or_else(|| {
            let why = state.and_then(ZoneState::why_not_served).unwrap_or_else(|| "it has no keys".to_owned());
            (4, format!("the keys of {apex} cannot be used: {why}"))
        })
    }

    fn record(&mut self, apex: &Name, facts: Vec<Fact>, now: Now) -> Result<(), Ended> {
        let roll = self.lives.rolls.zones.get_mut(apex).ok_or((1, String::new()))?;
        for fact in facts {
            tracing::info!(ZONE = %apex, "recorded by command: {}", words::by_command(roll.facts(), &fact));
            if !roll.record(fact, now) {
                return Err((1, format!("nothing could be recorded: {}", roll.unrecorded())));
            }
        }
        Ok(())
    }

    fn mark(&mut self, zone: &str, fact: Fact, dry_run: bool, reply: &Sender<Line>, now: Now) -> Result<(), Ended> {
        let apex = self.apex(zone)?;
        let (state, roll) = self.keys_of(&apex)?;
        let then = after(roll.facts(), std::slice::from_ref(&fact), now.signing).map_err(|why| (4, why))?;
        self.about(state, roll, &then, |about| send(reply, &keys_info(about)), now);
        if dry_run { Ok(()) } else { self.record(&apex, vec![fact], now) }
    }

    /// Ends what is named, and nothing else: the doubt of the clock, the doubt about the past, or the hold; where none is
    /// named the hold, or the doubt of a zone that is not held.
    fn resume(
        &mut self,
        zone: &str,
        reason: String,
        ends: Ends,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let apex = self.apex(zone)?;
        let (_, roll) = self.keys_of(&apex)?;
        let (is_held, is_doubted) = (roll.facts().held.is_some(), roll.facts().doubt.is_some());
        let fact = match (is_held, is_doubted) {
            (true, true) if ends == Ends::Doubt => Fact::DoubtEnded { reason },
            (true, true) => Fact::HoldEnded { reason },
            (true, false) if ends == Ends::Doubt => {
                return Err((4, format!("nothing of {apex} is in doubt; its hold stays")));
            }
            (true, false) | (false, _) => Fact::Resumed { reason },
        };
        self.mark(zone, fact, dry_run, reply, now)
    }

    /// The clock's doubt ends for all zones, and no hold or doubt of any.
    fn resume_clock(
        &mut self,
        zone: &str,
        against: Against,
        dry_run: bool,
        reply: &Sender<Line>,
        moments: &Moments,
    ) -> Result<(), Ended> {
        let apex = self.apex(zone)?;
        self.confirm_clock(against, dry_run, moments)?;
        let zone = self.world.zones.get(&apex).ok_or((1, String::new()))?;
        self.describe(zone, &Report::Info, reply, moments(None));
        Ok(())
    }

    fn end_one_silence(
        &mut self,
        zone: &str,
        end: SilenceEnd,
        reason: String,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let apex = self.apex(zone)?;
        self.end_silence(&apex, end, reason, dry_run, now)?;
        let zone = self.world.zones.get(&apex).ok_or((1, String::new()))?;
        self.describe(zone, &Report::Info, reply, now);
        Ok(())
    }

    /// Keys of another server become those of a zone without any.
    fn import(
        &mut self,
        zone: &str,
        brought: Brought<'_>,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let Brought { keys, from, hold } = brought;
        let apex = Name::parse(zone.trim_end_matches('.'), ROOT).map(|name| name.to_lower());
        let apex = apex.map_err(|fault| (1, format!("`{zone}` is not a zone: {fault}")))?;
        let imports = import::read(&apex, keys).map_err(|fault| match &fault {
            import::ReadFault::Wrong(_) => (1, fault.to_string()),
            import::ReadFault::Ambiguous { .. } => (4, fault.to_string()),
        })?;
        let signing = imports.iter().filter(|import| import.foreign.is_some()).map(|import| &import.public);
        if let Some(tag) = self.lives.rolls.given_up_among(&self.store, &apex, signing).first() {
            return Err((4, format!("key {tag} of {apex} was given up in an emergency: it never signs again")));
        }
        if let Some(reason) = self.lives.clock.silence(&self.basis.config.keys) {
            return Err((4, format!("{}\nhelp: {}", reason.message, reason.help)));
        }
        let at = now.signing;
        let held = hold.map(|reason| Fact::Held { reason });
        let facts = match dry_run {
            true => {
                let mut facts = self.store.import_facts(&apex, &imports, from, at).map_err(refused)?;
                let fits = held.iter().try_for_each(|fact| facts.take(fact, at).map(drop));
                fits.map_err(|why| (4, why))?;
                facts
            }
            false => {
                let mut loaded = self.store.import(&apex, imports, from, at).map_err(refused)?;
                // Before its file is there, so that no step can come first.
                let unrecorded = |fault: &dyn std::fmt::Display| {
                    (1, format!("the keys of {apex} are in, but it is not held: {fault}"))
                };
                let done = held.into_iter().try_for_each(|fact| loaded.journal.append(fact, at).map(drop));
                done.map_err(|fault| unrecorded(&fault))?;
                let facts = loaded.journal.facts().clone();
                self.lives.rolls.take_in(&apex, loaded, now);
                facts
            }
        };
        let text = apex.to_string();
        let parent_is_ours = self.world.zones.get(&apex).is_some_and(|zone| zone.parent.is_some());
        let policy = self.basis.config.policy_for(text.trim_end_matches('.'), parent_is_ours);
        let wanted = roll_policy(&policy);
        let plan = plan(&facts, &wanted, &crate::roll::zone::Conditions::default(), at);
        send(
            reply,
            &keys_info(&About {
                apex: &apex,
                facts: &facts,
                policy: &wanted,
                policy_name: &policy.name,
                plan: &plan,
                snapshot: self.served.version,
                clock: self.lives.clock.words(),
                faults: &[],
                clocks: self.lives.clock.clocks(now),
            }),
        );
        if !dry_run {
            tracing::info!(ZONE = %apex, "keys of another server were brought in");
            self.serve_imported(&apex, now);
        }
        Ok(())
    }

    fn serve_imported(&mut self, apex: &Name, now: Now) {
        self.set_keys(vec![(apex.clone(), Keys::Wanted)], now);
        self.note_goals();
        self.publish(now);
    }
}

fn refused(fault: impl std::fmt::Display) -> Ended {
    (4, fault.to_string())
}
