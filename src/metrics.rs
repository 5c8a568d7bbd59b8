//! Counters of the server, and the text that Prometheus reads.
//!
//! Fixed counters, relaxed and per worker; labels are closed enums or names from the configuration (zone, pool), never
//! a tenant or a client.

use crate::answer::{Class, Outcome};
use crate::dns::rtype::number;
use crate::time::UnixTime;
pub use pool::PoolGauges;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
pub use zone::{KeyGauge, Standing, ZoneGauges};

mod pool;
pub mod progress;
mod text;
mod zone;

/// Why something was dropped or closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Not answered by design: too short, or itself a response.
    Silence,
    /// A reply could not be sent.
    Send,
    /// A TCP connection was closed for a newcomer or refused: the caps.
    TcpFull,
    /// A TCP connection ended by a deadline (slow writes, unread answers, idle).
    TcpDeadline,
    /// `accept` failed.
    TcpAccept,
    /// A panic was caught; each one is a bug.
    Panic,
}

/// The protocol of a query, for labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over QUIC.
    Doq,
}

/// Label values in the order of [`Proto`].
const PROTOS: [&str; 4] = ["udp", "tcp", "dot", "doq"];
/// Label values of `family`: IPv4, then IPv6.
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];
/// Label values of `reason` in the order of [`Dropped`].
const REASONS: [&str; 6] = ["silence", "send", "tcp_full", "tcp_deadline", "tcp_accept", "panic"];
/// Label values of `class` in the order of [`Class`].
const CLASSES: [&str; 4] = ["positive", "denial", "referral", "error"];
/// Label values of `dry_run`.
const DRY_RUN: [&str; 2] = ["false", "true"];
/// Types that have a label of their own; all others share `other`, so that strangers cannot make series.
const QTYPES: [(u16, &str); 12] = [
    (number::A, "A"),
    (number::AAAA, "AAAA"),
    (number::TLSA, "TLSA"),
    (number::MX, "MX"),
    (number::NS, "NS"),
    (number::SOA, "SOA"),
    (number::DS, "DS"),
    (number::DNSKEY, "DNSKEY"),
    (number::TXT, "TXT"),
    (number::CNAME, "CNAME"),
    (number::ANY, "ANY"),
    (65, "HTTPS"),
];
/// Response codes that have a label of their own (IANA registry; 16 and 23 are extended, RFC 6891 § 6.1.3).
const RCODES: [(u16, &str); 8] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];
/// Label value of what has none of its own.
const OTHER: &str = "other";
/// Series of requests: protocol × family × type, the last type being [`OTHER`].
const REQUESTS: usize = PROTOS.len() * FAMILIES.len() * (QTYPES.len() + 1);

/// Series of limited answers: whether they were only counted × class.
const LIMITED: usize = DRY_RUN.len() * CLASSES.len();

/// The counters of one worker; its own cache lines, so that workers never write what another reads often. Adjacent
/// lines are fetched in pairs, hence 128.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    requests: [AtomicU64; REQUESTS],
    responses: [AtomicU64; RCODES.len() + 1],
    dropped: [AtomicU64; REASONS.len()],
    limited: [AtomicU64; LIMITED],
    refused: [AtomicU64; PROTOS.len()],
    truncated: AtomicU64,
    signed: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            requests: [const { AtomicU64::new(0) }; REQUESTS],
            responses: [const { AtomicU64::new(0) }; RCODES.len() + 1],
            dropped: [const { AtomicU64::new(0) }; REASONS.len()],
            limited: [const { AtomicU64::new(0) }; LIMITED],
            refused: [const { AtomicU64::new(0) }; PROTOS.len()],
            truncated: AtomicU64::new(0),
            signed: AtomicU64::new(0),
            cache_hits: AtomicU64::new(0),
            cache_misses: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts one answer.
    pub fn answered(&self, proto: Proto, ipv6: bool, outcome: &Outcome) {
        add(self.requests.get(request_index(proto, ipv6, outcome.qtype)), 1);
        add(self.responses.get(index_of(&RCODES, outcome.rcode)), 1);
        if outcome.truncated {
            add(Some(&self.truncated), 1);
        }
        if outcome.signed > 0 {
            add(Some(&self.signed), u64::from(outcome.signed));
            add(Some(&self.cache_misses), u64::from(outcome.signed));
        }
        if outcome.kept > 0 {
            add(Some(&self.cache_hits), u64::from(outcome.kept));
        }
    }

    /// Counts `n` things without an answer.
    pub fn dropped(&self, reason: Dropped, n: u64) {
        add(self.dropped.get(reason as usize), n);
    }

    /// Counts one answer past the rate of its source; `dry`: it was sent all the same.
    pub fn limited(&self, class: Class, dry: bool) {
        add(self.limited.get(usize::from(dry) * CLASSES.len() + class as usize), 1);
    }

    /// Counts one query that got no signature, since the budget for them was spent.
    pub fn refused(&self, proto: Proto) {
        add(self.refused.get(proto as usize), 1);
    }

    /// Counts `n` signatures that no query waited for: the background pass.
    pub fn signed_ahead(&self, n: u64) {
        add(Some(&self.signed), n);
    }
}

fn add(counter: Option<&AtomicU64>, n: u64) {
    if let Some(counter) = counter {
        counter.fetch_add(n, Relaxed);
    }
}

fn request_index(proto: Proto, ipv6: bool, qtype: u16) -> usize {
    (proto as usize * FAMILIES.len() + usize::from(ipv6)) * (QTYPES.len() + 1) + index_of(&QTYPES, qtype)
}

/// Where `number` stands in `table`; one past its end where it does not.
fn index_of(table: &[(u16, &str)], number: u16) -> usize {
    table.iter().position(|(known, _)| *known == number).unwrap_or(table.len())
}

/// What the control plane shows; it sets whole values, and they stand until it sets others.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Version of the snapshot that answers.
    pub snapshot_version: u64,
    /// Zones by apex with its final dot.
    pub zones: BTreeMap<String, ZoneGauges>,
    /// Pools by name.
    pub pools: BTreeMap<String, PoolGauges>,
    /// Tenants of all zones.
    pub tenants: TenantGauges,
    /// Reading of the files.
    pub watch: WatchGauges,
    /// Whether `/readyz` says that the server is to be asked.
    pub ready: bool,
    /// How many findings stand, by severity and code; codes are few and fixed.
    pub findings: BTreeMap<(&'static str, &'static str), u64>,
    /// What is to be said of zones that are silent, a line each; zones beyond a limit are counted in the last one.
    pub silent: Vec<String>,
}

/// Tenants by state, as `status` counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TenantGauges {
    /// Served as their files say.
    pub served: u64,
    /// Broken now; their last good answer stays.
    pub last_good: u64,
    /// Broken and never good.
    pub broken: u64,
    /// Removal held back.
    pub held: u64,
}

/// Reading of the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchGauges {
    /// When a scan of the files last ended well.
    pub last_success: UnixTime,
    /// Age in seconds of the oldest change that is not answered yet.
    pub lag_seconds: f64,
    /// File events so far.
    pub events: u64,
    /// Overflows of the event queue so far.
    pub overflows: u64,
    /// Full scans so far.
    pub full_scans: u64,
}

/// All numbers of one instance.
#[derive(Debug)]
pub struct Metrics {
    workers: Mutex<Vec<Arc<Counters>>>,
    gauges: Mutex<Gauges>,
    encrypted_restarts: [AtomicU64; PROTOS.len()],
    log_lines_lost: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            workers: Mutex::default(),
            gauges: Mutex::default(),
            encrypted_restarts: [const { AtomicU64::new(0) }; PROTOS.len()],
            log_lines_lost: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Takes in the counters of workers that were made elsewhere.
    pub fn add(&self, counters: Vec<Arc<Counters>>) {
        hold(&self.workers).extend(counters);
    }

    /// Counters for one more worker; they are summed with the others' for as long as the process lives.
    pub fn worker(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        hold(&self.workers).push(Arc::clone(&counters));
        counters
    }

    /// Zones in all, those that are silent, and what is to be said of these.
    pub fn silence(&self) -> (usize, usize, Vec<String>) {
        let gauges = hold(&self.gauges);
        let silent = gauges.zones.values().filter(|zone| zone.standing == Some(Standing::Silent)).count();
        (gauges.zones.len(), silent, gauges.silent.clone())
    }

    /// How a zone stands, by its apex with the final dot; none: there is no such zone.
    pub fn standing(&self, apex: &str) -> Option<Standing> {
        hold(&self.gauges).zones.get(apex)?.standing
    }

    /// Lets the control plane change what it shows.
    pub fn set(&self, change: impl FnOnce(&mut Gauges)) {
        change(&mut hold(&self.gauges));
    }

    /// Counts one restart of an encrypted listener; returns how many there were.
    pub fn encrypted_restarted(&self, proto: Proto) -> u64 {
        self.encrypted_restarts.get(proto as usize).map_or(0, |count| count.fetch_add(1, Relaxed) + 1)
    }

    /// Counts one line of the log that could not be written.
    pub fn log_line_lost(&self) {
        add(Some(&self.log_lines_lost), 1);
    }

    /// Lines of the log that could not be written so far.
    pub fn log_lines_lost(&self) -> u64 {
        self.log_lines_lost.load(Relaxed)
    }

    /// Panics caught so far: each one is a bug.
    pub fn panics(&self) -> u64 {
        hold(&self.workers).iter().filter_map(|w| w.dropped.get(Dropped::Panic as usize)).map(|n| n.load(Relaxed)).sum()
    }

    /// The numbers in Prometheus' text format 0.0.4, summed over the workers.
    pub fn text(&self) -> String {
        text::write(self.sum(), hold(&self.gauges).clone())
    }

    fn sum(&self) -> Totals {
        let mut totals = Totals::default();
        for worker in hold(&self.workers).iter() {
            totals.take(worker);
        }
        totals.encrypted_restarts = self.encrypted_restarts.each_ref().map(|n| n.load(Relaxed));
        totals.log_lines_lost = self.log_lines_lost();
        totals
    }
}

/// A lock that a panic elsewhere cannot take away: numbers stay numbers.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counters summed over the workers.
#[derive(Debug)]
struct Totals {
    requests: [u64; REQUESTS],
    responses: [u64; RCODES.len() + 1],
    dropped: [u64; REASONS.len()],
    limited: [u64; LIMITED],
    refused: [u64; PROTOS.len()],
    truncated: u64,
    signed: u64,
    cache_hits: u64,
    cache_misses: u64,
    encrypted_restarts: [u64; PROTOS.len()],
    log_lines_lost: u64,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            requests: [0; REQUESTS],
            responses: [0; RCODES.len() + 1],
            dropped: [0; REASONS.len()],
            limited: [0; LIMITED],
            refused: [0; PROTOS.len()],
            truncated: 0,
            signed: 0,
            cache_hits: 0,
            cache_misses: 0,
            encrypted_restarts: [0; PROTOS.len()],
            log_lines_lost: 0,
        }
    }
}

impl Totals {
    fn take(&mut self, worker: &Counters) {
        sum_into(&mut self.requests, &worker.requests);
        sum_into(&mut self.responses, &worker.responses);
        sum_into(&mut self.dropped, &worker.dropped);
        sum_into(&mut self.limited, &worker.limited);
        sum_into(&mut self.refused, &worker.refused);
        self.truncated += worker.truncated.load(Relaxed);
        self.signed += worker.signed.load(Relaxed);
        self.cache_hits += worker.cache_hits.load(Relaxed);
        self.cache_misses += worker.cache_misses.load(Relaxed);
    }
}

fn sum_into(totals: &mut [u64], counters: &[AtomicU64]) {
    for (total, counter) in totals.iter_mut().zip(counters) {
        *total += counter.load(Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_are_summed_and_unknown_numbers_share_one_label() {
        let metrics = Metrics::default();
        let (one, two) = (metrics.worker(), metrics.worker());
        let answer = Outcome { qtype: number::TLSA, rcode: 0, kept: 2, ..Outcome::default() };
        one.answered(Proto::Udp, false, &answer);
        two.answered(Proto::Udp, false, &answer);
        two.answered(Proto::Doq, true, &Outcome { qtype: 64_000, rcode: 17, truncated: true, signed: 3, ..answer });
        two.dropped(Dropped::Panic, 4);
        one.limited(Class::Denial, false);
        two.limited(Class::Denial, false);
        two.limited(Class::Positive, true);
        one.refused(Proto::Tcp);
        let text = metrics.text();
        for line in [
            r#"mxseal_dns_requests_total{proto="udp",family="ipv4",qtype="TLSA"} 2"#,
            r#"mxseal_dns_requests_total{proto="doq",family="ipv6",qtype="other"} 1"#,
            r#"mxseal_dns_requests_total{proto="tcp",family="ipv4",qtype="A"} 0"#,
            r#"mxseal_dns_responses_total{rcode="NOERROR"} 2"#,
            r#"mxseal_dns_responses_total{rcode="other"} 1"#,
            "mxseal_dns_truncated_total 1",
            "mxseal_sign_total 3",
            "mxseal_sign_cache_hits_total 6",
            "mxseal_sign_cache_misses_total 3",
            r#"mxseal_dropped_total{reason="panic"} 4"#,
            "mxseal_panics_total 4",
            r#"mxseal_rrl_limited_total{dry_run="false",class="denial"} 2"#,
            r#"mxseal_rrl_limited_total{dry_run="true",class="positive"} 1"#,
            r#"mxseal_rrl_limited_total{dry_run="false",class="error"} 0"#,
            r#"mxseal_sign_refused_total{proto="tcp"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert_eq!(metrics.panics(), 4);
    }

    #[test]
    fn every_request_has_a_place_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for proto in [Proto::Udp, Proto::Tcp, Proto::Dot, Proto::Doq] {
            for ipv6 in [false, true] {
                for (qtype, _) in QTYPES {
                    assert!(seen.insert(request_index(proto, ipv6, qtype)));
                }
                assert!(seen.insert(request_index(proto, ipv6, 0)));
            }
        }
        assert_eq!((seen.len(), seen.last().copied()), (REQUESTS, Some(REQUESTS - 1)));
    }

    #[test]
    fn workers_share_no_cache_line() {
        assert_eq!(std::mem::align_of::<Counters>(), 128);
        assert_eq!(std::mem::size_of::<Counters>() % 128, 0);
    }
}
