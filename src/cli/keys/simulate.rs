//! `keys simulate`: years of a zone's keys in virtual time, each moment judged, without a server.
//!
//! It reads the configuration, zones and journals, and changes nothing.

use super::super::args::Simulate;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::progress::Bar;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{counted, minute, nearest, zone_stem};
use crate::control::keys_offline::{SignedZone, signed_zones};
use crate::roll::zone::sim::world::Wrong;
use crate::roll::zone::sim::{Fault, Outcome, Setup, run as live_through};
use crate::roll::zone::words::conflict;
use crate::time::steady;
use serde::Serialize;

/// Addresses of a registry that was never looked at: enough to disagree.
const SERVERS: usize = 2;
/// Lines of the past that are printed where something became bogus.
const TRACE_LINES: usize = 20;

/// How one zone fared.
#[derive(Debug, Default, Serialize)]
struct Verdict {
    zone: String,
    seed: u64,
    years: u64,
    /// Events, each judged.
    steps: u64,
    /// Keys that another one replaced.
    rolls: u64,
    crashes: u64,
    /// Moments at which something was bogus: none, or the one that ended the years.
    bogus: u64,
    /// Whether something did not end and named no reason.
    stuck: u64,
    seconds: f64,
    steps_per_second: f64,
    /// What happened before a bad end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace: Vec<String>,
    /// Each step with its moment, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timeline: Vec<(u64, String)>,
}

/// Lives through the years of each zone, and prints how it went.
pub fn run(context: &Context, asked: &Simulate, output: &mut Output) -> Result<Exit, Stop> {
    let (zones, findings) = signed_zones(&context.config);
    let zones = chosen(zones, &asked.zones).map_err(|failure| Failure { findings, ..failure })?;
    let bar = Bar::new(&format!(
        "{} of {}",
        counted(usize::try_from(asked.years).unwrap_or(usize::MAX), "year"),
        counted(zones.len(), "zone")
    ));
    let mut total = Verdict { zone: "all".to_owned(), seed: asked.seed, ..Verdict::default() };
    for (count, zone) in zones.iter().enumerate() {
        let verdict = live(zone, asked, &mut |part| bar.show((count as f64 + part) / zones.len() as f64));
        total.add(&verdict);
        print(&verdict, output)?;
    }
    bar.end();
    if !output.is_json() && zones.len() > 1 {
        output.line(&sentence(&total, output))?;
    }
    Ok(if total.bogus + total.stuck > 0 { Exit::Failure } else { Exit::Ok })
}

fn chosen(mut zones: Vec<SignedZone>, asked: &[String]) -> Result<Vec<SignedZone>, Failure> {
    let stems: Vec<String> = zones.iter().map(|zone| zone_stem(&zone.apex.to_string())).collect();
    if let Some(unknown) = asked.iter().map(|zone| zone_stem(zone)).find(|zone| !stems.contains(zone)) {
        let help = nearest("signed zone", &unknown, stems.iter().map(String::as_str));
        return Err(Failure::new(Exit::Failure, format!("there is no signed zone {unknown} that can be read"), help));
    }
    if stems.is_empty() {
        let help = "`mxseal check` says what is wrong with the files";
        return Err(Failure::new(Exit::Failure, "there is no signed zone that can be read", help));
    }
    let is_asked = |zone: &SignedZone| asked.iter().any(|name| zone_stem(name) == zone_stem(&zone.apex.to_string()));
    zones.retain(|zone| asked.is_empty() || is_asked(zone));
    Ok(zones)
}

/// The years of one zone. Journals go on from where they are; a zone without one starts for the first time.
fn live(zone: &SignedZone, asked: &Simulate, tell: &mut dyn FnMut(f64)) -> Verdict {
    let known = zone.facts.as_ref().map_or(0, |facts| facts.parent.servers.len());
    let servers = if zone.own_parent { 1 } else { SERVERS };
    let is_asked = |fault: &Fault| match fault {
        Fault::Crash => asked.crash,
        Fault::Clock => asked.clock,
        Fault::Parent => asked.lose_parent,
        Fault::People => true,
        Fault::Ttl | Fault::Algorithm => false,
    };
    let setup = Setup {
        facts: zone.facts.clone(),
        policy: zone.policy.clone(),
        limits: zone.limits,
        own_parent: zone.own_parent,
        servers: if known > 0 { known } else { servers },
        years: asked.years,
        faults: Fault::ALL.into_iter().filter(is_asked).collect(),
        seed: asked.seed,
    };
    let began = steady();
    let outcome = live_through(&setup, tell);
    let seconds = steady().saturating_duration_since(began).as_secs_f64();
    verdict(zone, asked, &outcome, seconds)
}

fn verdict(zone: &SignedZone, asked: &Simulate, outcome: &Outcome, seconds: f64) -> Verdict {
    let mut trace = Vec::new();
    if let Some(bogus) = &outcome.bogus {
        let skipped = bogus.trace.len().saturating_sub(TRACE_LINES);
        trace.extend(bogus.trace.iter().skip(skipped).cloned());
        let what = match &bogus.what {
            Wrong::Mixture(resolver, mixture) => {
                format!("bogus for a resolver of kind {resolver:?}: {}", conflict(mixture))
            }
            Wrong::Bare => "without DS, though nobody wanted that".to_owned(),
            Wrong::Refused(reason) => format!("a step was decided that cannot follow: {reason}"),
        };
        trace.push(format!("{}: {what}", minute(bogus.at.0)));
    }
    trace.extend(outcome.stuck.iter().flat_map(|stuck| stuck.lines().map(str::to_owned)));
    let timeline = outcome.steps.iter().filter(|_| asked.timeline).map(|(at, text)| (at.0, text.clone()));
    Verdict {
        zone: zone.apex.to_string(),
        seed: asked.seed,
        years: asked.years,
        steps: outcome.count.steps,
        rolls: outcome.count.rolls,
        crashes: outcome.count.crashes,
        bogus: u64::from(outcome.bogus.is_some()),
        stuck: u64::from(outcome.stuck.is_some()),
        seconds,
        steps_per_second: a_second(outcome.count.steps, seconds),
        trace,
        timeline: timeline.collect(),
    }
}

fn a_second(steps: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { (steps as f64 / seconds).round() } else { 0.0 }
}

impl Verdict {
    fn add(&mut self, other: &Verdict) {
        self.years += other.years;
        self.steps += other.steps;
        self.rolls += other.rolls;
        self.crashes += other.crashes;
        self.bogus += other.bogus;
        self.stuck += other.stuck;
        self.seconds += other.seconds;
        self.steps_per_second = a_second(self.steps, self.seconds);
    }
}

fn print(verdict: &Verdict, output: &mut Output) -> Result<(), Stop> {
    if output.is_json() {
        return output.object(verdict);
    }
    for (at, text) in &verdict.timeline {
        output.line(&format!("  {}  {}", minute(*at), output.tone(Tone::Plain, text)))?;
    }
    output.line(&sentence(verdict, output))?;
    for line in &verdict.trace {
        output.line(&format!("    {}", output.tone(Tone::Plain, line)))?;
    }
    if !verdict.trace.is_empty() {
        output.line(&format!(
            "    the same years again: --seed {} --years {}, and the same faults",
            verdict.seed, verdict.years
        ))?;
    }
    Ok(())
}

fn sentence(verdict: &Verdict, output: &Output) -> String {
    let (tone, word) = match (verdict.bogus, verdict.stuck) {
        (0, 0) => (Tone::Good, "good"),
        (0, _) => (Tone::Bad, "STUCK"),
        (..) => (Tone::Bad, "BOGUS"),
    };
    let Verdict { zone, years, steps, rolls, crashes, bogus, stuck, .. } = verdict;
    let zone = output.tone(Tone::Strong, zone.trim_end_matches('.'));
    format!(
        "{} {zone}: {years} years, {steps} events judged, {rolls} keys replaced, {crashes} crashes, {bogus} bogus, {stuck} \
         stuck; {:.1} s, {:.0} events a second",
        output.tone(tone, word),
        verdict.seconds,
        verdict.steps_per_second
    )
}
