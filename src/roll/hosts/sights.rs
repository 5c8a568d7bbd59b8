//! What looks at hosts become: facts, few enough that no host fills a journal, whatever it shows.
//!
//! Pure. A look never says that a key is one of the pool's, unless the pool's settings let it (`adopt = "seen"`): whoever
//! sits on the way to a host's port could have his key certified. What hosts at tenants' own addresses show is a fact only
//! as far as it has TLSA already.

use super::check::{AddressSet, SpkiSet};
use super::facts::{Fact, Origin, Shown};
use super::fold::{KeyFacts, PoolFacts};
use super::plan::{is_known_here, is_ours};
use super::{KEYS_MAX, Policy, Profile, UNNAMED_MAX, Wanted};
use crate::cert::{KeyKind, Spki};
use crate::time::{Seconds, UnixTime};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How often within a wait a host may cease to show something, so that it is taken to have ceased at once: a roll, the way
/// back, and one more of each. One that goes on with it counts as showing all of it until it was calm for a whole wait.
const ENDS_MAX: usize = 4;
/// Keys of one kind that looks alone may have adopted: the one of before, and the one after it.
const SEEN_MAX: usize = 2;

/// What a host showed to one way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A certificate with this key.
    Key(Spki, KeyKind),
    /// No certificate of this kind.
    Nothing,
    /// No STARTTLS.
    Plain,
}

/// What is known of the pool whose hosts are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What happened to it.
    pub facts: &'a PoolFacts,
    /// What its files say.
    pub wanted: &'a Wanted,
    /// What is wanted beside them.
    pub policy: &'a Policy,
}

/// What is remembered of looks beside the facts. It is lost with the process, and then all is seen for the first time.
#[derive(Clone, Debug, Default)]
pub struct Sights {
    hosts: BTreeMap<(IpAddr, Profile), Ends<Shown>>,
    /// The keys with TLSA that each host at a tenant's own address showed.
    apart: BTreeMap<IpAddr, SpkiSet>,
    held: Ends<Spki>,
    /// Keys that are none of the pool's, by host, and since when each look at it showed them.
    strangers: BTreeMap<(IpAddr, Spki), UnixTime>,
}

/// When things were last seen, and when some were taken to have ended.
#[derive(Clone, Debug)]
struct Ends<T> {
    seen: BTreeMap<T, UnixTime>,
    ended: Vec<UnixTime>,
}

impl<T> Default for Ends<T> {
    fn default() -> Ends<T> {
        Ends { seen: BTreeMap::new(), ended: Vec::new() }
    }
}

impl<T: Ord + Copy> Ends<T> {
    /// Whether something that is not there now may be taken to have ended.
    fn may_end(&mut self, what: T, wait: Seconds, now: UnixTime) -> bool {
        if self.ended.len() < ENDS_MAX {
            self.ended.retain(|at| at.after(wait) > now);
        }
        let last = *self.seen.entry(what).or_insert(now);
        self.ended.len() < ENDS_MAX || last.after(wait) <= now
    }

    fn end(&mut self, what: T, now: UnixTime) {
        self.seen.remove(&what);
        if self.ended.len() >= ENDS_MAX {
            // It was calm.
            self.ended.clear();
        }
        self.ended.push(now);
    }
}

impl Sights {
    /// What a look at a host of the pool's addresses says that was not known.
    pub fn own(
        &mut self,
        pool: &Known<'_>,
        address: IpAddr,
        profile: Profile,
        sight: Sight,
        now: UnixTime,
    ) -> Vec<Fact> {
        let Known { facts, wanted, policy } = *pool;
        let (shows, mut news) = match sight {
            Sight::Key(spki, kind) if is_ours(facts, wanted, spki) => (Shown::Key(spki), kind_of(facts, spki, kind)),
            Sight::Key(..) => (Shown::Other, Vec::new()),
            Sight::Nothing => (Shown::Nothing, Vec::new()),
            Sight::Plain => (Shown::Plain, Vec::new()),
        };
        let open = facts.sights.get(&(address, profile)).cloned().unwrap_or_default();
        let ends = self.hosts.entry((address, profile)).or_default();
        ends.seen.insert(shows, now);
        let others: Vec<Shown> = open.iter().copied().filter(|other| *other != shows).collect();
        if others.is_empty() && open.contains(&shows) {
            return news;
        }
        let wait = wait(facts, policy);
        // Each is asked, so that each is remembered.
        let may_end: Vec<bool> = others.iter().map(|other| ends.may_end(*other, wait, now)).collect();
        let alone = !may_end.contains(&false);
        let (class, sni) = (profile.class, profile.sni);
        if alone {
            others.iter().for_each(|other| ends.end(*other, now));
            news.push(Fact::HostShows { address, class, sni, shows });
        } else if !open.contains(&shows) {
            news.push(Fact::HostAlsoShows { address, class, sni, shows });
        }
        news
    }

    /// Takes in what a host at a tenant's own address shows.
    pub fn apart(&mut self, address: IpAddr, shown: SpkiSet) {
        self.apart.insert(address, shown);
    }

    /// All keys that hosts at tenants' own addresses show.
    pub fn shown_apart(&self) -> SpkiSet {
        self.apart.values().flatten().copied().collect()
    }

    /// What all hosts at tenants' own addresses show, as far as it has TLSA and that was not known. `is_dark`: not all of
    /// them could be looked at, and what they showed, they may show still.
    pub fn held(&mut self, facts: &PoolFacts, policy: &Policy, is_dark: bool, now: UnixTime) -> Option<Fact> {
        let served = facts.served_keys();
        let shown: SpkiSet = self.apart.values().flatten().copied().filter(|spki| served.contains(spki)).collect();
        let open: SpkiSet = facts.held.iter().filter(|held| held.last.is_none()).map(|held| held.what).collect();
        self.held.seen.extend(shown.iter().map(|spki| (*spki, now)));
        let mut all: SpkiSet = open.union(&shown).copied().collect();
        if !is_dark {
            let wait = wait(facts, policy);
            for gone in open.difference(&shown) {
                // What has no TLSA any more holds nothing.
                if !served.contains(gone) || self.held.may_end(*gone, wait, now) {
                    self.held.end(*gone, now);
                    all.remove(gone);
                }
            }
        }
        (all != open).then(|| Fact::ApartShows { keys: all.into_iter().collect() })
    }

    /// Keys that a host of the pool's addresses has shown in two looks, to those who name the endpoint and to those who do
    /// not, where the pool's settings let that count.
    pub fn adopt(
        &mut self,
        pool: &Known<'_>,
        address: IpAddr,
        shown: &BTreeMap<Profile, (Spki, KeyKind)>,
        now: UnixTime,
    ) -> Vec<Fact> {
        let Known { facts, wanted, policy } = *pool;
        let both = |profile: &Profile, spki: Spki| {
            let other = Profile { sni: !profile.sni, ..*profile };
            shown.get(&other).is_some_and(|(also, _)| *also == spki)
        };
        let strangers: BTreeMap<Spki, KeyKind> = shown
            .iter()
            .filter(|(profile, (spki, _))| both(profile, *spki) && !is_ours(facts, wanted, *spki))
            .map(|(_, (spki, kind))| (*spki, *kind))
            .collect();
        self.strangers.retain(|(host, spki), _| *host != address || strangers.contains_key(spki));
        let Some(every) = policy.adopt else { return Vec::new() };
        let mut news = Vec::new();
        for (spki, kind) in strangers {
            let since = *self.strangers.entry((address, spki)).or_insert(now);
            let is_given_up = facts.key(spki).is_some_and(|key| key.given_up.is_some());
            if !is_given_up && since.after(every) <= now && news.is_empty() && has_place(facts, kind) {
                let reason = format!("{address} showed it for {} s", now.0.saturating_sub(since.0));
                news.push(Fact::KeyAdopted { spki, kind, origin: Origin::Seen, reason });
            }
        }
        news
    }

    /// Hosts that nobody can meet any more are not remembered.
    pub fn keep_only(&mut self, own: &AddressSet, apart: &AddressSet) {
        self.hosts.retain(|(address, _), _| own.contains(address));
        self.strangers.retain(|(address, _), _| own.contains(address));
        self.apart.retain(|address, _| apart.contains(address));
    }
}

/// How long a change of what hosts show matters: as long as caches may hold what was served.
fn wait(facts: &PoolFacts, policy: &Policy) -> Seconds {
    let limits = facts.limits_next.map_or(0, |limits| Seconds::from(limits.ttl).max(limits.life));
    limits + policy.margin
}

/// The kind of a key of which only the digest was known.
fn kind_of(facts: &PoolFacts, spki: Spki, kind: KeyKind) -> Vec<Fact> {
    let is_news = |key: &&KeyFacts| key.kind.is_none() && !is_known_here(key);
    let known = facts.key(spki).filter(is_news).map(|key| key.origin);
    let fact = known.map(|origin| Fact::KeyKnown { spki, kind: Some(kind), origin, file: String::new() });
    fact.into_iter().collect()
}

/// Whether one more key that no file names finds a place: those of the files keep theirs.
pub fn has_room(facts: &PoolFacts) -> bool {
    let unnamed = facts.keys.iter().filter(|key| key.origin.is_by_look() && (key.is_served() || key.is_adopted()));
    unnamed.count() < UNNAMED_MAX && facts.served_keys().len() < KEYS_MAX
}

fn has_place(facts: &PoolFacts, kind: KeyKind) -> bool {
    let is_seen =
        |key: &&KeyFacts| key.origin == Origin::Seen && key.kind == Some(kind) && (key.is_served() || key.is_adopted());
    facts.keys.iter().filter(is_seen).count() < SEEN_MAX && has_room(facts)
}
