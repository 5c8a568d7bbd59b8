//! What people are told about the keys of a zone: what was done, what waits, what they must do, and what the server will.
//!
//! Pure: facts, a plan and a moment go in, plain values come out. It decides nothing, and what a person must do never
//! stands where the server acts by itself.

mod calendar;
pub mod findings;
pub mod gauges;
mod request;

pub use calendar::keys_plan;
pub use request::{Refused, after, insecure_code, insecure_request, roll_request};

use crate::diagnostic::Severity;
use crate::dns::name::Name;
use crate::protocol::{BlockerInfo, KeyInfo, KeysInfo, KeysStanding, ParentKind, ParentServerInfo, Story};
use crate::report::life::{Account, InWords, must, stops};
use crate::roll::zone::check::KeySet;
use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use crate::roll::zone::goal::Focus;
use crate::roll::zone::parent::Server;
use crate::roll::zone::plan::{Awaited, Block, Blocker, Plan, Wait, Why, ZoneKeys};
use crate::roll::zone::step::Step;
use crate::roll::zone::{Policy, words};
use crate::sign::handover::handover;
use crate::sign::key::Role;
use crate::time::{Clocks, UnixTime};

impl InWords for ZoneKeys {
    fn verb(step: &Step) -> &'static str {
        words::verb(step)
    }

    fn step(facts: &ZoneFacts, step: &Step) -> String {
        words::step(facts, step)
    }

    fn why(facts: &ZoneFacts, wait: &Wait) -> String {
        words::wait(facts, wait)
    }

    fn blocker(zone: &str, facts: &ZoneFacts, blocker: &Blocker) -> (String, String) {
        (words::blocker(facts, blocker), words::remedy(zone, blocker))
    }

    fn about(zone: &str) -> String {
        format!("keys of {zone}")
    }

    fn finding(blocker: &Blocker) -> Option<(&'static str, Severity)> {
        let severity = if blocker.freezes() { Severity::Error } else { Severity::Warning };
        findings::code(blocker).map(|code| (code, severity))
    }
}

/// What a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The zone.
    pub apex: &'a Name,
    /// What happened to its keys.
    pub facts: &'a ZoneFacts,
    /// What is wanted of them.
    pub policy: &'a Policy,
    /// The policy's name.
    pub policy_name: &'a str,
    /// What was decided at this moment.
    pub plan: &'a Plan,
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// What is to be said about the clock; empty: nothing.
    pub clock: &'a str,
    /// Addresses of the parent without an answer in the last round, and why.
    pub faults: &'a [(String, String)],
    /// The moment: decisions go by the signing clock, and all moments are told by the wall clock.
    pub clocks: Clocks,
}

impl<'a> About<'a> {
    /// What is told of zones as of all that lives by facts.
    fn account(&self) -> Account<'a, ZoneKeys> {
        let name = self.apex.to_string().trim_end_matches('.').to_owned();
        Account { name, facts: self.facts, plan: self.plan, clocks: self.clocks }
    }

    /// Whether the registry does not show the wanted DS at each address yet.
    fn waits_for_registry(&self) -> bool {
        let parent = &self.facts.parent;
        let was_asked =
            !self.facts.ds_wanted.is_empty() || (self.facts.insecure_wanted() && parent.secure_since.is_some());
        was_asked && !parent.own && parent.agreed() != Some(&self.facts.ds_wanted)
    }
}

/// The report of a zone whose keys cannot be used, so that it is silent: nothing is known but why.
pub fn silent(apex: &Name, policy_name: &str, snapshot: u64, what: &str, fix: &str, wall: UnixTime) -> KeysInfo {
    let blocker = BlockerInfo { what: what.to_owned(), fix: fix.to_owned(), freezes: true };
    KeysInfo {
        zone: apex.to_string(),
        state: KeysStanding::Silent,
        snapshot,
        policy: policy_name.to_owned(),
        story: Story { must: must([&blocker]), blockers: vec![blocker], ..Story::default() },
        now: wall.0,
        ..KeysInfo::default()
    }
}

/// The report of a zone that is served unsigned: nothing is wrong with that.
pub fn insecure(apex: &Name, policy_name: &str, snapshot: u64, wall: UnixTime) -> KeysInfo {
    KeysInfo {
        zone: apex.to_string(),
        state: KeysStanding::Insecure,
        snapshot,
        policy: policy_name.to_owned(),
        now: wall.0,
        ..KeysInfo::default()
    }
}

/// The report of a zone.
pub fn keys_info(about: &About<'_>) -> KeysInfo {
    let (facts, plan, account) = (about.facts, about.plan, about.account());
    let is_kept =
        |key: &&KeyFacts| key.is_live() || key.signs_data() || (key.destroyed.is_none() && !key.file.is_empty());
    let story = account.story(done(facts), []);
    KeysInfo {
        zone: about.apex.to_string(),
        state: state(facts, plan),
        snapshot: about.snapshot,
        policy: about.policy_name.to_owned(),
        parent: if facts.parent.own { ParentKind::Here } else { ParentKind::Registry },
        keys: facts.keys.iter().filter(is_kept).map(|key| key_info(about, key)).collect(),
        story: Story {
            will: will(about),
            must: musts(about, &story.blockers),
            next_at: plan.next.as_ref().map(|_| about.clocks.wall.0).or(story.next_at),
            ..story
        },
        ds_wanted: tags(&facts.ds_wanted),
        parent_servers: facts.parent.servers.iter().map(|server| server_info(about, server)).collect(),
        clock: about.clock.to_owned(),
        now: about.clocks.wall.0,
    }
}

fn tags(set: &KeySet) -> Vec<u16> {
    set.iter().map(|id| id.tag).collect()
}

fn tags_text(tags: &[u16]) -> String {
    tags.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ")
}

fn state(facts: &ZoneFacts, plan: &Plan) -> KeysStanding {
    let begins = plan.next.as_ref().is_some_and(|step| !matches!(step, Step::Destroy(_)));
    match () {
        () if is_frozen(facts, plan) => KeysStanding::Frozen,
        () if facts.unsigned => KeysStanding::Insecure,
        () if plan.focus != Focus::Rest || begins => KeysStanding::Rolling,
        () => KeysStanding::AtRest,
    }
}

/// Whether nothing is taken away and no roll begins: something is in doubt, or a person holds the keys.
pub fn is_frozen(facts: &ZoneFacts, plan: &Plan) -> bool {
    facts.held.is_some() || plan.blockers.iter().any(Blocker::freezes)
}

fn key_info(about: &About<'_>, key: &KeyFacts) -> KeyInfo {
    let (texts, account) = (handover(&key.public, about.apex), about.account());
    let told = |at: Option<UnixTime>| at.map(|at| account.told(at));
    KeyInfo {
        tag: key.public.tag,
        role: key.role.into(),
        algorithm: key.public.algorithm,
        phase: key.phase(about.facts, about.policy.margin, about.clocks.signing).into(),
        created: account.told(key.created),
        published: told(key.published),
        activated: told(key.activated),
        retired: told(key.retired),
        removed: told(key.removed),
        outgoing: key.outgoing.as_ref().map(|mark| mark.reason.clone()),
        emergency: key.outgoing.as_ref().is_some_and(|mark| mark.emergency),
        ds: (key.role != Role::Zsk).then_some(texts.ds),
        dnskey: texts.dnskey,
    }
}

fn server_info(about: &About<'_>, server: &Server) -> ParentServerInfo {
    let saw = server.saw.as_ref();
    let ours = |set: &KeySet| set.iter().filter(|id| about.facts.key_of(*id).is_some()).map(|id| id.tag).collect();
    let fault = about.faults.iter().find(|(address, _)| *address == server.address);
    ParentServerInfo {
        address: server.address.clone(),
        ds: saw.map(|saw| ours(&saw.set)),
        unknown: saw.map(|saw| saw.unknown.clone()).unwrap_or_default(),
        since: saw.map(|saw| about.clocks.by_wall(saw.since).0),
        fault: fault.map(|(_, why)| why.clone()).unwrap_or_default(),
    }
}

/// What the server does next by itself, in a line.
fn will(about: &About<'_>) -> String {
    let (facts, plan) = (about.facts, about.plan);
    if let Some(step) = &plan.next {
        return words::step(facts, step);
    }
    let is_stopped = plan.blockers.iter().any(stops);
    let step = |wait: &Wait| words::step(facts, &wait.step);
    let timed = plan.waits.iter().filter(|wait| wait.until.is_some()).min_by_key(|wait| wait.until);
    let asks = || {
        let many = facts.parent.servers.len();
        let addresses =
            if many == 1 { "the parent's address".to_owned() } else { format!("all {many} addresses of the parent") };
        let shown = if facts.ds_wanted.is_empty() { "no DS" } else { "just the DS wanted" };
        format!("ask {addresses}, and once {shown} is there and old copies have left caches")
    };
    match (timed, plan.waits.first()) {
        (Some(wait), _) if !is_stopped || wait.why == Why::Own(Awaited::Lifetime) => step(wait),
        (_, Some(wait)) if wait.why == Why::Own(Awaited::Parent) => format!("{}: {}", asks(), step(wait)),
        (_, Some(Wait { why: Why::Unseen(_), step: next, .. })) => {
            format!("look at what is served, and once it is seen: {}", words::step(facts, next))
        }
        _ if is_stopped => "serve and sign on, and take nothing away".to_owned(),
        _ if about.waits_for_registry() => format!("ask {} until just the DS wanted is there", "the parent"),
        _ => String::new(),
    }
}

/// What a person must do now.
fn musts(about: &About<'_>, blockers: &[BlockerInfo]) -> Vec<String> {
    let is_silence = |what: &Blocker| matches!(what, Blocker::Own(Block::Silent(_)));
    let named = about.plan.blockers.iter().zip(blockers).filter(|(what, _)| !is_silence(what));
    let mut must = must(named.map(|(_, info)| info));
    let zone = about.account().name;
    if about.waits_for_registry() && must.is_empty() {
        must.push(match tags(&about.facts.ds_wanted).as_slice() {
            [] => format!("have the registry remove the DS of {zone} (CDS asks for it, so it may do it by itself)"),
            wanted => format!(
                "give the DS of {} to the registry, as `mxseal zone ds {zone}` prints it (CDS says it too, so it may do it \
                 by itself)",
                tags_text(wanted)
            ),
        });
    }
    must
}

/// What was done, in the order of the keys' making within one second.
fn done(facts: &ZoneFacts) -> Vec<(UnixTime, String)> {
    let mut done: Vec<(UnixTime, String)> = Vec::new();
    for key in &facts.keys {
        let name = words::key(facts, key.public.tag);
        let mut note = |at: Option<UnixTime>, text: String| done.extend(at.map(|at| (at, text)));
        note(Some(key.created).filter(|_| key.published.is_none()), format!("{name} made"));
        note(key.published, format!("{name} published in DNSKEY{}", seen(facts, key)));
        note(key.activated.filter(|_| key.role != Role::Ksk), format!("{name} signs the data"));
        note(
            key.outgoing.as_ref().map(|mark| mark.since),
            match &key.outgoing {
                Some(mark) => format!("{name} is to be replaced: {}", mark.reason),
                None => String::new(),
            },
        );
        note(key.retired, format!("{name} signs the data no more"));
        note(key.removed, format!("{name} removed from DNSKEY"));
        note(key.destroyed, format!("private half of {name} wiped"));
    }
    let wanted = facts.parent.versions.iter().filter(|version| version.record > 0);
    for version in wanted {
        let text = match tags(&version.what).as_slice() {
            [] => "the parent was asked to remove the DS".to_owned(),
            tags => format!("the parent was asked for the DS of {}", tags_text(tags)),
        };
        done.push((version.since, text));
    }
    done.extend(agreed(facts));
    done
}

/// When a DNSKEY RRset with the key was seen on the wire, behind the moment in which it was published.
fn seen(facts: &ZoneFacts, key: &KeyFacts) -> String {
    let with = facts.key_sets.iter().position(|version| version.what.published.has(key.id));
    let before = with.and_then(|at| facts.key_sets.get(at.checked_sub(1)?));
    let gone = before.and_then(|version| version.last).zip(key.published);
    gone.map_or_else(String::new, |(last, published)| {
        format!(", seen on the wire after {} s", last.0.saturating_sub(published.0))
    })
}

fn agreed(facts: &ZoneFacts) -> Option<(UnixTime, String)> {
    let set = facts.parent.agreed()?;
    let since = facts.parent.servers.iter().filter_map(|server| Some(server.saw.as_ref()?.since)).max()?;
    let all = match facts.parent.servers.len() {
        1 => "its address".to_owned(),
        many => format!("all {many} addresses"),
    };
    Some((
        since,
        match tags(set).as_slice() {
            [] => format!("the parent has no DS, seen at {all}"),
            tags => format!("the parent has the DS of {}, seen at {all}", tags_text(tags)),
        },
    ))
}
