//! `keys status`: what was done, what waits, what a person must do, and what the server will do, never mixed.
//!
//! It adds nothing to what the server says but the forms in which registrars want a DS.

use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use crate::cli::lives::Kind;
use crate::cli::screen::output::Output;
use crate::cli::screen::story::{Around, sentences};
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{near, nearest, zone_stem};
use crate::protocol::request::{KeysRequest, ViewRequest};
use crate::protocol::{KeyInfo, KeyPhase, KeysInfo, KeysStanding, ParentKind, ParentServerInfo, Request, ZoneInfo};
use crate::time::UnixTime;

/// Zones, whose keys live by facts.
pub struct Zones;

impl Kind for Zones {
    type Info = KeysInfo;

    const UNCHANGED: &'static str = "Nothing was changed; it would be so:";

    fn status(zone: Option<&str>) -> Request {
        KeysRequest::Status { zone: zone.map(super::apex) }.into()
    }

    fn unknown(context: &Context, zone: &str) -> Result<Option<Failure>, Stop> {
        let zones: Vec<ZoneInfo> = context.client.list(&ViewRequest::ZoneList.into())?;
        let stems: Vec<String> = zones.iter().map(|info| zone_stem(&info.zone)).collect();
        let stem = zone_stem(zone);
        let help = || nearest("zone", &stem, stems.iter().map(String::as_str));
        let unknown = || Failure::new(Exit::Failure, format!("zone {stem} is not served here"), help());
        Ok((!stems.contains(&stem)).then(unknown))
    }

    fn stands_still(info: &KeysInfo) -> bool {
        use KeysStanding::{Frozen, Silent, Unknown, Waiting};
        matches!(info.state, Frozen | Silent | Waiting | Unknown)
            || info.story.blockers.iter().any(|blocker| !blocker.fix.is_empty())
    }

    /// `alone`: also what each address of its parent shows.
    fn print(info: &KeysInfo, alone: bool, output: &mut Output) -> Result<(), Stop> {
        head(info, output)?;
        let around = Around { clock: &info.clock, is_silent: info.state == KeysStanding::Silent, now: info.now };
        output.table(&sentences(&info.story, around))?;
        if wants_handover(info) {
            handover(info, output)?;
        }
        if !info.keys.is_empty() {
            output.line("")?;
            output.table(&keys(info))?;
        }
        if alone && !info.parent_servers.is_empty() {
            output.line("")?;
            output.table(&servers(info))?;
        }
        Ok(())
    }
}

fn head(info: &KeysInfo, output: &mut Output) -> Result<(), Stop> {
    let tone = match info.state {
        KeysStanding::AtRest | KeysStanding::Rolling => Tone::Good,
        KeysStanding::Insecure | KeysStanding::Frozen => Tone::Caution,
        KeysStanding::Silent | KeysStanding::Waiting | KeysStanding::Unknown => Tone::Bad,
    };
    let name = output.tone(Tone::Strong, &format!("zone {}", info.zone.trim_end_matches('.')));
    let state = output.tone(tone, &info.state.to_string());
    let parent = match info.parent {
        ParentKind::NotKnown => String::new(),
        parent => format!("    parent {parent}"),
    };
    let serving = if matches!(info.state, KeysStanding::Silent | KeysStanding::Waiting) { "" } else { "serving " };
    let more = format!("    {serving}snapshot {}    policy {}{parent}", info.snapshot, info.policy);
    let more = output.tone(Tone::Plain, &more);
    output.line(&format!("{name}    {state}{more}"))
}

/// Whether some address of a registry shows another DS than the one wanted.
fn wants_handover(info: &KeysInfo) -> bool {
    let shows = |server: &ParentServerInfo| server.ds.as_ref() == Some(&info.ds_wanted) && server.unknown.is_empty();
    let is_shown = !info.parent_servers.is_empty() && info.parent_servers.iter().all(shows);
    info.parent == ParentKind::Registry && !info.ds_wanted.is_empty() && !is_shown
}

/// The DS in the three forms that registrars ask for.
fn handover(info: &KeysInfo, output: &mut Output) -> Result<(), Stop> {
    output.line("")?;
    output.line("  for the registry, in the form that it asks for:")?;
    let mut table = Table::plain(2);
    let mut row = |label: &str, text: String| table.row(vec![plain(format!("    {label}")), plain(text)]);
    for key in info.keys.iter().filter(|key| info.ds_wanted.contains(&key.tag)) {
        if let Some(ds) = &key.ds {
            row("DS record", ds.clone());
            row("DNSKEY record", key.dnskey.clone());
            row("four fields", fields(ds));
        }
    }
    output.table(&table)
}

/// The last four words of a DS record, named.
fn fields(ds: &str) -> String {
    let words: Vec<&str> = ds.split_whitespace().collect();
    match words.as_slice() {
        [.., tag, algorithm, digest_type, digest] => {
            format!("key tag {tag}, algorithm {algorithm}, digest type {digest_type}, digest {digest}")
        }
        // A newer server may print another form; it stands above already.
        _ => ds.to_owned(),
    }
}

fn keys(info: &KeysInfo) -> Table {
    let mut table = Table::new(&["tag", "role", "algorithm", "phase", "since", "leaves because"]).numbers(&[0, 2]);
    for key in &info.keys {
        // All others are neither good nor bad.
        let tone = if key.phase == KeyPhase::Active { Tone::Good } else { Tone::Plain };
        let why = match (&key.outgoing, key.emergency) {
            (Some(why), true) => format!("emergency: {why}"),
            (Some(why), false) => why.clone(),
            (None, _) => String::new(),
        };
        table.row(vec![
            plain(key.tag.to_string()),
            plain(key.role.to_string()),
            plain(key.algorithm.to_string()),
            (tone, key.phase.to_string()),
            plain(near(since(key), UnixTime(info.now))),
            plain(why),
        ]);
    }
    table
}

/// When what a key does now began, as its moments tell.
fn since(key: &KeyInfo) -> u64 {
    let moment = match key.phase {
        KeyPhase::Rumoured | KeyPhase::Ready => key.published,
        KeyPhase::Active => key.activated.max(key.published),
        KeyPhase::Retiring => key.retired.max(key.published),
        KeyPhase::Removed | KeyPhase::Destroyed => key.removed,
        KeyPhase::Staged | KeyPhase::Unknown => None,
    };
    moment.unwrap_or(key.created)
}

fn servers(info: &KeysInfo) -> Table {
    let mut table = Table::new(&["parent's address", "has the DS of", "since", ""]);
    for server in &info.parent_servers {
        let tags = server.ds.as_ref().map(|tags| tags.iter().map(u16::to_string));
        let ours = tags.map(|tags| tags.collect::<Vec<_>>().join(" "));
        let shown = match ours {
            None => "not seen yet".to_owned(),
            Some(ours) if ours.is_empty() && server.unknown.is_empty() => "none".to_owned(),
            Some(ours) => ours,
        };
        let is_good = server.ds.as_ref() == Some(&info.ds_wanted) && server.unknown.is_empty();
        let foreign = server.unknown.iter().map(|ds| format!("foreign DS {ds}"));
        let notes: Vec<String> = foreign.chain((!server.fault.is_empty()).then(|| server.fault.clone())).collect();
        table.row(vec![
            plain(&server.address),
            (if is_good { Tone::Good } else { Tone::Caution }, shown),
            plain(server.since.map(|at| near(at, UnixTime(info.now))).unwrap_or_default()),
            (Tone::Bad, notes.join("; ")),
        ]);
    }
    table
}
