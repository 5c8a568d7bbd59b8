//! The judge of a simulation: it knows the true time and everything that was ever served, and finds what is bogus.
//!
//! It never reads the facts of the server that it judges.

use crate::roll::item::Span;
use crate::roll::zone::check::{Conflict, History, KeySet, Keys, never_bogus};
use crate::roll::zone::facts::Limits;
use crate::time::{Seconds, UnixTime};

/// How resolvers keep what they hold (lifecycle § 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// A1: until the TTL has run out, or the signature has expired.
    Honest,
    /// A2: twice the TTL and an hour.
    Sloppy,
    /// A3: until the signature has expired, whatever the TTL. A4, who keeps stale data for three days while nobody
    /// answers, is no worse: a validator behind it lets nothing pass that has expired.
    UntilExpiry,
}

/// All of them.
pub const RESOLVERS: [Resolver; 3] = [Resolver::Honest, Resolver::Sloppy, Resolver::UntilExpiry];

impl Resolver {
    /// How long after it was served last something may be held.
    fn keeps(self, ttl: u32, life: Seconds) -> Seconds {
        let ttl = Seconds::from(ttl);
        match self {
            Resolver::Honest => ttl.min(life),
            Resolver::Sloppy => (2 * ttl + 3600).min(life),
            Resolver::UntilExpiry => life,
        }
    }
}

/// Something that was served.
#[derive(Clone, Debug)]
struct Seen<T> {
    what: T,
    from: UnixTime,
    /// When it was served last; none: it is.
    last: Option<UnixTime>,
    ttl: u32,
    life: Seconds,
    /// Held at least until then, from moments at which TTL or life were higher; for each resolver.
    floors: [UnixTime; RESOLVERS.len()],
}

/// Everything that was served and that any cache may hold.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    ds: Vec<Seen<KeySet>>,
    keys: Vec<Seen<Keys>>,
    data: Vec<Seen<KeySet>>,
    /// Whether anything new was served since it was judged last.
    is_new: bool,
}

impl Judge {
    /// From now on this is served, and nothing else.
    pub fn serve(&mut self, keys: &Keys, data: &KeySet, limits: Limits, now: UnixTime) {
        self.is_new |= replace(&mut self.keys, Some((keys, limits.dnskey_ttl, limits.dnskey_life)), now);
        self.is_new |= replace(&mut self.data, Some((data, limits.data_ttl, limits.data_life)), now);
    }

    /// Nothing is served.
    pub fn silence(&mut self, now: UnixTime) {
        replace(&mut self.keys, None, now);
        replace(&mut self.data, None, now);
    }

    /// These DS sets are served by some address of the parent each, and no other.
    pub fn delegate(&mut self, sets: &[(KeySet, u32, Seconds)], now: UnixTime) {
        for seen in self.ds.iter_mut().filter(|seen| seen.last.is_none()) {
            if !sets.iter().any(|(set, ..)| *set == seen.what) {
                seen.last = Some(now);
            }
        }
        for (set, ttl, life) in sets {
            match self.ds.iter_mut().find(|seen| seen.last.is_none() && seen.what == *set) {
                Some(seen) => change(seen, *ttl, *life, now),
                None => {
                    self.ds.push(begin(set, *ttl, *life, now));
                    self.is_new = true;
                }
            }
        }
    }

    /// Whether any mixture that one of these may hold from now on is bogus. What was served before was judged then, and what
    /// ends makes nothing worse, so it is looked at again only where something new is served.
    ///
    /// # Errors
    /// The first.
    pub fn judge(&mut self, resolvers: &[Resolver], now: UnixTime) -> Result<(), (Resolver, Box<Conflict>)> {
        if !std::mem::take(&mut self.is_new) {
            return Ok(());
        }
        self.forget(now);
        let judge =
            |resolver: &Resolver| never_bogus(&self.history(*resolver, now)).map_err(|fault| (*resolver, fault));
        resolvers.iter().try_for_each(judge)
    }

    /// What this kind of resolver may hold from now on.
    pub fn history(&self, resolver: Resolver, now: UnixTime) -> History {
        History {
            ds: spans(&self.ds, resolver, now),
            keys: spans(&self.keys, resolver, now),
            data: spans(&self.data, resolver, now),
        }
    }

    /// Forgets what nobody holds any more.
    fn forget(&mut self, now: UnixTime) {
        fn old<T>(seen: &Seen<T>, now: UnixTime) -> bool {
            RESOLVERS.iter().all(|resolver| until(seen, *resolver).is_some_and(|until| until < now))
        }
        self.ds.retain(|seen| !old(seen, now));
        self.keys.retain(|seen| !old(seen, now));
        self.data.retain(|seen| !old(seen, now));
    }

    /// Whether a DS that is there now, or an answer that is given now, says that the zone is insecure.
    pub fn is_bare(&self) -> bool {
        let is_bare = |seen: &Seen<KeySet>| seen.last.is_none() && seen.what.is_empty();
        self.ds.iter().any(is_bare) || self.data.iter().any(is_bare)
    }
}

fn begin<T: Clone>(what: &T, ttl: u32, life: Seconds, now: UnixTime) -> Seen<T> {
    Seen { what: what.clone(), from: now, last: None, ttl, life, floors: Default::default() }
}

/// TTL or life changed: what was handed out before keeps its own.
fn change<T>(seen: &mut Seen<T>, ttl: u32, life: Seconds, now: UnixTime) {
    if (seen.ttl, seen.life) == (ttl, life) {
        return;
    }
    for (floor, resolver) in seen.floors.iter_mut().zip(RESOLVERS) {
        *floor = (*floor).max(now.after(resolver.keeps(seen.ttl, seen.life)));
    }
    (seen.ttl, seen.life) = (ttl, life);
}

/// Whether something new is served.
fn replace<T: Clone + PartialEq>(all: &mut Vec<Seen<T>>, next: Option<(&T, u32, Seconds)>, now: UnixTime) -> bool {
    if let Some(seen) = all.last_mut().filter(|seen| seen.last.is_none()) {
        match next {
            Some((what, ttl, life)) if seen.what == *what => {
                change(seen, ttl, life, now);
                return false;
            }
            _ => seen.last = Some(now),
        }
    }
    all.extend(next.map(|(what, ttl, life)| begin(what, ttl, life, now)));
    next.is_some()
}

fn until<T>(seen: &Seen<T>, resolver: Resolver) -> Option<UnixTime> {
    let floor = RESOLVERS.iter().position(|other| *other == resolver).and_then(|at| seen.floors.get(at)).copied();
    let last = seen.last?.after(resolver.keeps(seen.ttl, seen.life));
    Some(floor.map_or(last, |floor| floor.max(last)))
}

fn spans<T: Clone>(all: &[Seen<T>], resolver: Resolver, now: UnixTime) -> Vec<Span<T>> {
    let spans = all.iter().map(|seen| Span { what: seen.what.clone(), from: seen.from, until: until(seen, resolver) });
    spans.filter(|span| span.until.is_none_or(|until| until >= now)).collect()
}
