//! A pool's journal made shorter: facts that nothing waits for and nothing is decided by are left out.
//!
//! Pure. It never leaves out anything without proof: the rest must add up to the same, but for numbers of records, for the
//! moment from which on a key is known, and for keys that nobody ever spoke of. What is decided is computed from what facts
//! add up to, so that both journals decide the same, now and after whatever comes.

use super::Profile;
use super::facts::{Fact, Origin, Shown};
use super::fold::PoolFacts;
use crate::cert::Spki;
use crate::roll::life::{Facts, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How much is tried to be left out; where one cannot be proved, the next is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeal {
    /// All that the rules know of.
    All,
    /// But for what was said of keys that somebody ever spoke of.
    Strangers,
    /// But for what was said of keys and hosts.
    Sights,
}

/// The records that are needed, numbered anew; none where all are, or where it cannot be proved that the rest is not.
pub fn condensed(records: &[Record<Fact>]) -> Option<Vec<Record<Fact>>> {
    let all = fold(records)?;
    if all.between.is_some() {
        // It ends with its way.
        return None;
    }
    let spoken = spoken_of(records, &all);
    let essence = all.essence(&spoken);
    [Zeal::All, Zeal::Strangers, Zeal::Sights].into_iter().find_map(|zeal| {
        let kept = renumbered(records, &needed(records, &all, &spoken, zeal));
        let kept = renumbered(&kept, &telling(&kept)?);
        let is_proved = kept.len() < records.len() && fold(&kept)?.essence(&spoken) == essence;
        is_proved.then_some(kept)
    })
}

fn fold(records: &[Record<Fact>]) -> Option<PoolFacts> {
    let mut facts = PoolFacts::default();
    records.iter().try_for_each(|record| facts.apply(record)).ok()?;
    Some(facts)
}

/// Keys that were ever more than shown by a host, or that count now.
fn spoken_of(records: &[Record<Fact>], all: &PoolFacts) -> BTreeSet<Spki> {
    let mut keys: BTreeSet<Spki> = all.keys.iter().map(|key| key.spki).collect();
    for record in records {
        match &record.fact {
            Fact::Named { current, given, .. } => keys.extend(current.iter().chain(given)),
            Fact::Tlsa { keys: published } | Fact::ApartShows { keys: published } => keys.extend(published),
            Fact::Inherited { keys: sets, .. } => keys.extend(sets.iter().flat_map(|set| &set.what)),
            Fact::KeyKnown { spki, origin, .. } if *origin != Origin::Host => drop(keys.insert(*spki)),
            Fact::KeyAdopted { spki, .. }
            | Fact::Permitted { spki, .. }
            | Fact::PermitWithdrawn { spki }
            | Fact::KeyGivenUp { spki, .. }
            | Fact::KeyTakenBack { spki }
            | Fact::KeyDestroyed { spki } => drop(keys.insert(*spki)),
            _ => {}
        }
    }
    keys
}

/// Numbers of the records that are needed; of what was seen on the wire: all.
fn needed(records: &[Record<Fact>], all: &PoolFacts, spoken: &BTreeSet<Spki>, zeal: Zeal) -> BTreeSet<u64> {
    let last_word = records.iter().rev().find(|record| is_word(&record.fact)).map(|record| record.sequence);
    let permits: BTreeMap<Spki, u64> =
        records.iter().filter_map(|record| Some((permitted(&record.fact)?, record.sequence))).collect();
    let shows = needed_shows(records, all);
    let apart = needed_apart(records, all);
    let is_needed = |record: &Record<Fact>| match &record.fact {
        Fact::Apart { .. } => apart.contains(&record.sequence),
        Fact::Doubted { .. } | Fact::Resumed { .. } => Some(record.sequence) == last_word,
        _ if zeal == Zeal::Sights => true,
        Fact::KeyKnown { spki, .. } => spoken.contains(spki),
        Fact::HostShows { shows: Shown::Key(spki), .. } | Fact::HostAlsoShows { shows: Shown::Key(spki), .. }
            if zeal == Zeal::Strangers =>
        {
            spoken.contains(spki) || shows.contains(&record.sequence)
        }
        Fact::HostShows { .. } | Fact::HostAlsoShows { .. } => shows.contains(&record.sequence),
        Fact::Permitted { spki, .. } | Fact::PermitWithdrawn { spki } if zeal == Zeal::All => {
            permits.get(spki) == Some(&record.sequence)
        }
        _ => true,
    };
    let needed = records.iter().filter(|record| is_needed(record)).map(|record| record.sequence);
    // The newest one says of when the journal is.
    needed.chain(records.last().map(|record| record.sequence)).collect()
}

fn is_word(fact: &Fact) -> bool {
    matches!(fact, Fact::Doubted { .. } | Fact::Resumed { .. })
}

fn permitted(fact: &Fact) -> Option<Spki> {
    match fact {
        Fact::Permitted { spki, .. } | Fact::PermitWithdrawn { spki } => Some(*spki),
        _ => None,
    }
}

/// How something was said to be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Alone: what was shown before has ended.
    Alone,
    /// Beside what was shown before.
    Too,
}

/// What was said of one host and one way of asking.
struct Said {
    number: u64,
    shows: Shown,
    how: How,
    /// Whether it is remembered itself.
    is_kept: bool,
}

/// Of each host and way of asking: what it showed last; what is remembered, or was the first use of a key; what came before that,
/// which ended the same of before; and what ended it.
fn needed_shows(records: &[Record<Fact>], all: &PoolFacts) -> BTreeSet<u64> {
    let remembered: BTreeSet<u64> = all.shows.iter().map(|shows| shows.record).collect();
    let first: BTreeSet<(Spki, u64)> = all.keys.iter().filter_map(|key| Some((key.spki, key.deployed?.0))).collect();
    let mut of: BTreeMap<(IpAddr, Profile), Vec<Said>> = BTreeMap::new();
    for record in records {
        let (Fact::HostShows { address, class, sni, shows } | Fact::HostAlsoShows { address, class, sni, shows }) =
            &record.fact
        else {
            continue;
        };
        let is_first = matches!(shows, Shown::Key(spki) if first.contains(&(*spki, record.time)));
        let number = record.sequence;
        let how = if matches!(record.fact, Fact::HostShows { .. }) { How::Alone } else { How::Too };
        let said = Said { number, shows: *shows, how, is_kept: is_first || remembered.contains(&number) };
        of.entry((*address, Profile { class: *class, sni: *sni })).or_default().push(said);
    }
    let mut needed = BTreeSet::new();
    for (host, said) in &of {
        if all.sights.contains_key(host) {
            let last = said.iter().rposition(|said| said.how == How::Alone).unwrap_or(0);
            needed.extend(said.iter().skip(last).map(|said| said.number));
        }
        for (at, kept) in said.iter().enumerate().filter(|(_, said)| said.is_kept) {
            let before = said.iter().take(at).rfind(|other| other.how == How::Alone);
            let after = said.iter().skip(at + 1).find(|other| other.how == How::Alone && other.shows != kept.shows);
            needed.extend([before, Some(kept), after].into_iter().flatten().map(|said| said.number));
        }
    }
    needed
}

/// Addresses of tenants' own that caches may hold, and what ended each.
fn needed_apart(records: &[Record<Fact>], all: &PoolFacts) -> BTreeSet<u64> {
    let known: BTreeSet<u64> = all.apart.iter().map(|version| version.record).collect();
    let begun: Vec<u64> = records
        .iter()
        .filter(|record| matches!(record.fact, Fact::Apart { .. }))
        .map(|record| record.sequence)
        .collect();
    let after = begun.windows(2).filter(|pair| known.contains(&pair[0])).map(|pair| pair[1]);
    known.iter().copied().chain(after).chain(begun.last().copied()).collect()
}

/// Numbers of the records without those of the wire that changed nothing. None where these records tell no story.
fn telling(records: &[Record<Fact>]) -> Option<BTreeSet<u64>> {
    let (mut facts, mut telling) = (PoolFacts::default(), BTreeSet::new());
    for record in records {
        let before = facts.tally();
        facts.apply(record).ok()?;
        let is_last = record.sequence == u64::try_from(records.len()).unwrap_or(u64::MAX);
        if !matches!(record.fact, Fact::PoolServed { .. }) || facts.tally() != before || is_last {
            telling.insert(record.sequence);
        }
    }
    Some(telling)
}

fn renumbered(records: &[Record<Fact>], needed: &BTreeSet<u64>) -> Vec<Record<Fact>> {
    let order: Vec<u64> = needed.iter().copied().collect();
    // How many of those that are kept were written up to a number.
    let number = |before: u64| order.partition_point(|kept| *kept <= before) as u64;
    let kept = records.iter().filter(|record| needed.contains(&record.sequence));
    kept.map(|record| {
        let mut record = Record { sequence: number(record.sequence), ..record.clone() };
        if let Fact::PoolServed { through, .. } = &mut record.fact {
            // None was seen, and one was, are told apart.
            *through = if *through == 0 { 0 } else { number(*through).max(1) };
        }
        record
    })
    .collect()
}
