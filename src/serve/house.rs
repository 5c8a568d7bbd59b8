//! Who holds a TCP connection and who must leave: the caps, the deadlines, and the choice of whom to close.
//!
//! Pure: moments come in as arguments, and what must be closed is returned. It must never refuse a newcomer because of
//! connections that only sit there, and never let one network take all places.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Limits of TCP. Each one is a named default in [`ConnectionLimits::default`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in all; past it one leaves for each newcomer: of the source with the most, who has waited longest.
    pub connections_max: usize,
    /// Connections of one IPv4 address or IPv6 /64; more are refused.
    pub connections_per_source_max: usize,
    /// How long a connection without a started message stays, while the house is less than half full.
    pub idle: Duration,
    /// From the first octet of a message to its last; and how long a query may wait for its signature.
    pub message: Duration,
    /// How long the client may take to read what was answered.
    pub write: Duration,
    /// How long a connection lives in all.
    pub lifetime: Duration,
    /// Connections that wait for the budget for signatures at once; the next one is closed.
    pub signatures_queued_max: usize,
    /// How long one of them waits before it is closed; less than `message`, which ends any waiting.
    pub signature_wait: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            // Half of the usual 1,024 descriptors; the rest is for files, UDP, metrics and the encrypted transports.
            connections_max: 512,
            // A quarter, so that it takes four addresses to fill the house.
            connections_per_source_max: 128,
            // As Knot; longer only helps whoever fills the house (RFC 7766 § 6.2.3 asks for seconds).
            idle: Duration::from_secs(10),
            // One lost segment and its retransmission fit (RFC 6298: 1 s at first).
            message: Duration::from_secs(2),
            // 128 KiB at most wait to be read: 26 kB/s.
            write: Duration::from_secs(5),
            // So that nobody holds a place for ever; a resolver that still asks connects anew.
            lifetime: Duration::from_secs(600),
            // Half of all connections: whoever needs no signature still finds a place.
            signatures_queued_max: 256,
            // What a budget holds is earned in a second; who waits longer has more before him than it will bear.
            signature_wait: Duration::from_secs(1),
        }
    }
}

/// What a connection does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing: no octet of a message has come.
    Idle,
    /// A message has begun and not ended.
    Reading,
    /// A whole message waits for its turn or its signature.
    Working,
    /// Answers wait for the client to read.
    Writing,
}

/// What became of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It stays, under this number; `leaver` has to be closed for it.
    Admitted {
        /// The newcomer's number.
        id: u64,
        /// Who has to go, if the house was full.
        leaver: Option<u64>,
    },
    /// Its source holds too many already.
    Refused,
}

/// All connections of the server.
pub struct House {
    limits: ConnectionLimits,
    guests: BTreeMap<u64, Guest>,
    sources: BTreeMap<IpAddr, usize>,
    crowds: BTreeMap<IpAddr, usize>,
    next: u64,
}

struct Guest {
    source: IpAddr,
    born: Instant,
    doing: Doing,
    since: Instant,
    /// Whether a whole message has come from it.
    has_asked: bool,
}

impl House {
    /// An empty house.
    pub fn new(limits: ConnectionLimits) -> House {
        House { limits, guests: BTreeMap::new(), sources: BTreeMap::new(), crowds: BTreeMap::new(), next: 0 }
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.guests.len()
    }

    /// Lets a newcomer in, if need be in exchange for another.
    pub fn admit(&mut self, source: IpAddr, now: Instant) -> Admission {
        let source = network_of(source);
        if self.sources.get(&source).copied().unwrap_or(0) >= self.limits.connections_per_source_max {
            return Admission::Refused;
        }
        let leaver = if self.open() >= self.limits.connections_max { self.least_missed(now) } else { None };
        if let Some(leaver) = leaver {
            self.leave(leaver);
        }
        let id = self.next;
        self.next += 1;
        self.guests.insert(id, Guest { source, born: now, doing: Doing::Idle, since: now, has_asked: false });
        *self.sources.entry(source).or_insert(0) += 1;
        *self.crowds.entry(crowd_of(source)).or_insert(0) += 1;
        Admission::Admitted { id, leaver }
    }

    /// The connection is gone. Nothing happens if it had to leave before.
    pub fn leave(&mut self, id: u64) {
        let Some(guest) = self.guests.remove(&id) else {
            return;
        };
        take(&mut self.sources, guest.source);
        take(&mut self.crowds, crowd_of(guest.source));
    }

    /// Notes what a connection does from `now` on; its deadline starts anew.
    pub fn note(&mut self, id: u64, doing: Doing, now: Instant) {
        if let Some(guest) = self.guests.get_mut(&id) {
            (guest.doing, guest.since) = (doing, now);
            guest.has_asked |= matches!(doing, Doing::Working | Doing::Writing);
        }
    }

    /// Whether this connection has lived long enough, and should end at its next pause.
    pub fn is_old(&self, id: u64, now: Instant) -> bool {
        self.guests.get(&id).is_none_or(|guest| now.duration_since(guest.born) >= self.limits.lifetime)
    }

    /// Those whose deadline has passed.
    pub fn overdue(&self, now: Instant) -> Vec<u64> {
        let idle = idle_limit(&self.limits, self.open());
        let late = |guest: &Guest| {
            let waited = now.duration_since(guest.since);
            match guest.doing {
                Doing::Idle => waited >= idle || now.duration_since(guest.born) >= self.limits.lifetime,
                Doing::Reading | Doing::Working => waited >= self.limits.message,
                Doing::Writing => waited >= self.limits.write,
            }
        };
        self.guests.iter().filter(|(_, guest)| late(guest)).map(|(id, _)| *id).collect()
    }

    /// Those that wait for their client, and for whom nothing is left to do once no more queries are read.
    pub fn without_work(&self) -> Vec<u64> {
        let waits = |guest: &Guest| matches!(guest.doing, Doing::Idle | Doing::Reading);
        self.guests.iter().filter(|(_, guest)| waits(guest)).map(|(id, _)| *id).collect()
    }

    /// Of whoever has most company one who is not being answered, of those one who never asked although there was time for it,
    /// and of those who has waited longest: a crowd only drives out its own, however slowly it sends or reads, and thousands of
    /// sources that each bring a silent connection drive out silent ones. Whole IPv4 networks are no crowd: a farm of resolvers
    /// has one. Scanned, since a full house is rare and small.
    fn least_missed(&self, now: Instant) -> Option<u64> {
        // Whoever comes asks within this time, or is told to go for it.
        let is_new = |guest: &Guest| now.duration_since(guest.born) < self.limits.message;
        let rank = |guest: &Guest| {
            let company = self.crowds.get(&crowd_of(guest.source)).copied().unwrap_or(0);
            (Reverse(company), guest.doing == Doing::Working, guest.has_asked || is_new(guest), guest.since)
        };
        self.guests.iter().min_by_key(|(_, guest)| rank(guest)).map(|(id, _)| *id)
    }
}

/// Who counts as one crowd: an IPv4 address, or an IPv6 /48, of which a customer may have every /64.
fn crowd_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 80)),
    }
}

/// One less of a key; none is no entry.
fn take(counts: &mut BTreeMap<IpAddr, usize>, key: IpAddr) {
    let left = counts.get(&key).map_or(0, |held| held.saturating_sub(1));
    if left == 0 {
        counts.remove(&key);
    } else {
        counts.insert(key, left);
    }
}

/// Whose place it is: an IPv4 address, or the /64 that one IPv6 customer has at least.
pub fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
    }
}

/// The idle limit with `open` connections: whole up to half of the house, then falling to a tenth when it is full.
pub fn idle_limit(limits: &ConnectionLimits, open: usize) -> Duration {
    let half = limits.connections_max / 2;
    let (free, span) = (limits.connections_max.saturating_sub(open), limits.connections_max - half);
    if open <= half || span == 0 {
        return limits.idle;
    }
    let share = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (limits.idle * share(free) / share(span)).max(limits.idle / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn house(connections_max: usize, connections_per_source_max: usize) -> House {
        House::new(ConnectionLimits { connections_max, connections_per_source_max, ..ConnectionLimits::default() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_longest_idle_leaves_for_a_newcomer() {
        let (mut house, start) = (house(3, 9), Instant::now());
        for n in 0..3 {
            let admitted = house.admit(address("192.0.2.1"), start + SECOND * n);
            assert_eq!(admitted, Admission::Admitted { id: u64::from(n), leaver: None });
        }
        house.note(0, Doing::Idle, start + SECOND * 5);
        house.note(1, Doing::Working, start + SECOND);
        let newcomer = house.admit(address("192.0.2.2"), start + SECOND * 6);
        assert_eq!(newcomer, Admission::Admitted { id: 3, leaver: Some(2) }, "1 is older but at work, 0 came back");
        assert_eq!(house.open(), 3);
    }

    #[test]
    fn a_crowd_drives_out_its_own_whatever_it_does() {
        for doing in [Doing::Idle, Doing::Reading, Doing::Working, Doing::Writing] {
            for prefix in ["198.51.100.", "2001:db8:7:"] {
                let from = |n: u8| match prefix {
                    "198.51.100." => address(&format!("{prefix}{}", n % 4)),
                    _ => address(&format!("{prefix}{n:x}::1")),
                };
                let (mut house, start) = (house(22, 9), Instant::now());
                for honest in ["192.0.2.1", "2001:db8:8::1"] {
                    house.admit(address(honest), start);
                }
                for round in 0..9 {
                    for n in 0..20u8 {
                        let now = start + SECOND * round;
                        let newcomer = house.admit(from(n), now);
                        let Admission::Admitted { id, leaver } = newcomer else { panic!("{newcomer:?}") };
                        house.note(id, doing, now);
                        assert!(leaver.is_none_or(|leaver| leaver > 1), "one connection that pauses between queries");
                    }
                }
            }
        }
    }

    #[test]
    fn silent_connections_of_thousands_of_sources_drive_out_silent_ones() {
        let (mut house, start) = (house(800, 100), Instant::now());
        house.admit(address("192.0.2.1"), start);
        house.note(0, Doing::Writing, start);
        house.note(0, Doing::Idle, start);
        let mut now = start;
        for n in 0..2000u32 {
            now += Duration::from_millis(5);
            let newcomer = house.admit(IpAddr::V4((0xc633_0000 + n).into()), now);
            let Admission::Admitted { leaver, .. } = newcomer else { panic!("{newcomer:?}") };
            assert_ne!(leaver, Some(0), "{n}");
        }
        // Whoever only asks once gains nothing by it: then the longest wait decides, and newcomers have their time.
        for n in 0..1000u32 {
            now += Duration::from_millis(5);
            let Admission::Admitted { id, leaver } = house.admit(IpAddr::V4((0xc634_0000 + n).into()), now) else {
                continue;
            };
            assert!(leaver.is_some_and(|leaver| leaver + 400 <= id), "{leaver:?} has had two seconds before {id}");
            house.note(id, Doing::Writing, now);
        }
    }

    #[test]
    fn a_newcomer_gets_in_even_when_nobody_is_idle() {
        let (mut house, start) = (house(2, 9), Instant::now());
        for n in 0..2 {
            house.admit(address("192.0.2.1"), start);
            house.note(u64::from(n), Doing::Writing, start + SECOND * (2 - n));
        }
        let newcomer = house.admit(address("192.0.2.1"), start + SECOND * 3);
        assert_eq!(newcomer, Admission::Admitted { id: 2, leaver: Some(1) });
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_slash_64_and_leaving_frees_its_place() {
        let (mut house, now) = (house(99, 1), Instant::now());
        let admitted = |admission| matches!(admission, Admission::Admitted { .. });
        assert!(admitted(house.admit(address("2001:db8:0:1::1"), now)));
        assert_eq!(house.admit(address("2001:db8:0:1:ffff::2"), now), Admission::Refused);
        assert!(admitted(house.admit(address("2001:db8:0:2::1"), now)));
        assert!(admitted(house.admit(address("192.0.2.1"), now)));
        assert_eq!(house.admit(address("::ffff:192.0.2.1"), now), Admission::Refused);
        assert!(admitted(house.admit(address("192.0.2.2"), now)));
        house.leave(0);
        house.leave(0);
        assert!(admitted(house.admit(address("2001:db8:0:1::9"), now)));
        assert_eq!(house.open(), 4);
    }

    #[test]
    fn the_idle_limit_shrinks_as_the_house_fills() {
        let limits = ConnectionLimits { connections_max: 100, idle: SECOND * 10, ..ConnectionLimits::default() };
        let of = |open| idle_limit(&limits, open);
        assert_eq!([of(0), of(50), of(75), of(100), of(101)], [SECOND * 10, SECOND * 10, SECOND * 5, SECOND, SECOND]);
        for (open, max) in (0..9).flat_map(|open| (0..4).map(move |max| (open, max))) {
            assert!(idle_limit(&ConnectionLimits { connections_max: max, ..limits.clone() }, open) >= SECOND);
        }
    }

    #[test]
    fn each_thing_a_connection_does_has_its_own_deadline() {
        let limits =
            ConnectionLimits { idle: SECOND * 4, message: SECOND, write: SECOND * 2, ..ConnectionLimits::default() };
        let (mut house, start) = (House::new(limits), Instant::now());
        for (id, doing) in [(0, Doing::Idle), (1, Doing::Reading), (2, Doing::Working), (3, Doing::Writing)] {
            house.admit(address("192.0.2.1"), start);
            house.note(id, doing, start);
        }
        assert_eq!(house.overdue(start), [] as [u64; 0]);
        assert_eq!(house.overdue(start + SECOND), [1, 2]);
        assert_eq!(house.overdue(start + SECOND * 2), [1, 2, 3]);
        assert_eq!(house.overdue(start + SECOND * 4), [0, 1, 2, 3]);
        assert_eq!(house.without_work(), [0, 1]);
    }

    #[test]
    fn nobody_outlives_the_lifetime() {
        let limits = ConnectionLimits { lifetime: SECOND * 30, ..ConnectionLimits::default() };
        let (mut house, start) = (House::new(limits), Instant::now());
        house.admit(address("192.0.2.1"), start);
        house.note(0, Doing::Idle, start + SECOND * 29);
        assert!(house.overdue(start + SECOND * 29).is_empty() && !house.is_old(0, start + SECOND * 29));
        assert!(house.is_old(0, start + SECOND * 30));
        assert_eq!(house.overdue(start + SECOND * 30), [0]);
    }
}
