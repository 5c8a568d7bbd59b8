//! The background pass: makes signatures before they are asked for and anew before they end, at low priority.
//!
//! It makes only what is kept for good: never a denial, never a wildcard's expansion. Each minute the active keys prove
//! themselves against the DNSKEY records that are served.

use crate::answer::Snapshot;
use crate::dns::name::Name;
use crate::dns::rtype::number as rt;
use crate::metrics::{Counters, Metrics};
use crate::sign::{Signing, Subject, SubjectData};
use crate::store::proof::challenge;
use crate::time::{Now, UnixTime, steady};
use crate::zone::Zone;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The pass works this long and then rests: it tells how far it is, and leaves something of its core to a neighbour of
/// the same nice value.
const SLICE: Duration = Duration::from_millis(10);
/// How long it rests. A million tenants are warm after five minutes of an idle core.
const REST: Duration = Duration::from_millis(2);
/// Names between two looks at the time: a signature with its verification takes some 70 µs.
const NAMES_A_LOOK: u32 = 32;
/// Pause between two passes, at least, where windows are hours wide.
const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The nice value of the thread: whoever answers comes first.
const NICE: i32 = 19;
/// A zone whose first pass took longer than this is said to be warm.
const NOTABLE: Duration = Duration::from_secs(3);
/// A pass that took a second is followed by a pause of this many.
const WORK_SHARE: u32 = 20;

/// How often the active keys prove themselves (invariant I10).
const PROOF_EVERY: Duration = Duration::from_secs(60);
/// How often a rest looks whether to end.
const LOOK: Duration = Duration::from_millis(200);

/// How the zones were signed at the last pass.
type Known = BTreeMap<Name, Arc<Signing>>;

/// What one pass found in a zone.
#[derive(Default)]
struct Tally {
    wanted: u64,
    kept: u64,
    data_expiry: Option<u32>,
    dnskey_expiry: Option<u32>,
    failed: bool,
}

/// What the pass works with.
pub struct Warm {
    /// Snapshots.
    pub slot: Arc<ArcSwap<Snapshot>>,
    /// Where the numbers go.
    pub metrics: Arc<Metrics>,
    /// Its own counters.
    pub counters: Arc<Counters>,
    /// Ends the thread.
    pub stop: Arc<AtomicBool>,
    /// Told of a zone whose key failed, with the reason.
    pub alarm: Box<dyn Fn(Name, String) + Send>,
}

impl Warm {
    /// Runs until it is told to stop.
    pub fn run(self) {
        // On Linux the priority is that of a thread. Without it the pass still rests now and then.
        if let Err(fault) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!("the background pass has no low priority: {fault}");
        }
        let (mut known, mut proved) = (Known::new(), steady());
        while !self.stop.load(Ordering::Relaxed) {
            let began = steady();
            let third = self.pass_all(&mut known, &mut proved);
            self.rest(&known, PAUSE_MIN.max((steady() - began) * WORK_SHARE).min(third), &mut proved);
        }
    }

    /// Looks at every zone, each as it is served when its turn comes; returns how long the next look may take to come: a
    /// third of the shortest grace.
    fn pass_all(&self, known: &mut Known, proved: &mut Instant) -> Duration {
        let apexes: Vec<Name> = self.slot.load().zones().iter().map(|zone| zone.apex.clone()).collect();
        known.retain(|apex, _| apexes.contains(apex));
        for apex in apexes {
            let zone = self.slot.load().zone(&apex).cloned();
            let signing = zone.as_ref().and_then(|zone| zone.signing.clone());
            let (Some(zone), Some(signing)) = (zone, signing) else {
                known.remove(&apex);
                continue;
            };
            let is_first = known.remove(&apex).is_none_or(|before| !before.is_same(&signing));
            if self.pass(&zone, is_first, proved) {
                known.insert(apex, signing);
            }
        }
        let graces = known.values().flat_map(|signing| [rt::A, rt::DNSKEY].map(|rtype| signing.policy(rtype).grace()));
        graces.map(|grace| Duration::from_secs((grace / 3).max(1))).min().unwrap_or(PAUSE_MIN)
    }

    /// One look at all signatures of a zone. The first one with its keys shows how far it is; later ones find next to
    /// nothing to do. It ends early, and returns false, where other keys sign by now: theirs it would replace.
    fn pass(&self, zone: &Zone, is_first: bool, proved: &mut Instant) -> bool {
        let Some(signing) = zone.signing.as_deref() else { return false };
        let mut tally = Tally::default();
        let (mut pace, mut wanted) = (Pace::begin(Now::read()), 0);
        let began = pace.now.steady;
        if is_first {
            zone.for_each_set(|_, _, _| wanted += 1);
            self.show(zone, wanted, 0);
        }
        let (mut made, mut is_over) = (0, false);
        zone.for_each_set(|owner, set, slot| {
            if !is_over && pace.rest() {
                is_over = self.stop.load(Ordering::Relaxed) || self.is_outdated(zone);
                self.prove_in_time(proved, pace.now.steady);
                if is_first && !is_over {
                    self.show(zone, wanted, tally.kept);
                }
            }
            if is_over {
                return;
            }
            tally.wanted += 1;
            let subject = Subject { owner, rtype: set.rtype, ttl: set.ttl, data: SubjectData::Set(set) };
            match signing.warm(&subject, slot, pace.now.signing) {
                Ok((expiration, fresh)) => {
                    tally.kept += 1;
                    made += u64::from(fresh);
                    // Else a query that comes now could wait for the rest of a slice of the scheduler, some 4 ms.
                    if fresh > 0 {
                        std::thread::yield_now();
                    }
                    let expiry = match set.rtype {
                        rt::DNSKEY | rt::CDS | rt::CDNSKEY => &mut tally.dnskey_expiry,
                        _ => &mut tally.data_expiry,
                    };
                    *expiry = Some(expiry.map_or(expiration, |least| least.min(expiration)));
                }
                Err(_) => tally.failed = true,
            }
        });
        self.counters.signed_ahead(made);
        if is_over || self.is_outdated(zone) {
            return false;
        }
        let moment = |expiry: u32| UnixTime(u64::from(expiry));
        self.metrics.set(|gauges| {
            // A zone that has gone meanwhile has no gauges any more.
            let Some(gauges) = gauges.zones.get_mut(&zone.apex.to_string()) else { return };
            gauges.signatures_wanted = tally.wanted;
            gauges.signatures_kept = tally.kept;
            gauges.data_expiry = tally.data_expiry.map(moment);
            gauges.dnskey_expiry = tally.dnskey_expiry.map(moment);
        });
        let took = steady() - began;
        if is_first && took >= NOTABLE {
            let seconds = took.as_secs();
            tracing::info!(ZONE = %zone.apex, kept = tally.kept, seconds, "all signatures are kept warm now");
        }
        if tally.failed {
            (self.alarm)(zone.apex.clone(), "a signature did not verify against the published DNSKEY".to_owned());
        }
        true
    }

    /// Shows how far the first pass is.
    fn show(&self, zone: &Zone, wanted: u64, kept: u64) {
        self.metrics.set(|gauges| {
            let Some(gauges) = gauges.zones.get_mut(&zone.apex.to_string()) else { return };
            gauges.signatures_wanted = wanted;
            gauges.signatures_kept = kept;
        });
    }

    /// Each minute, whatever else is done.
    fn prove_in_time(&self, proved: &mut Instant, now: Instant) {
        if now.saturating_duration_since(*proved) >= PROOF_EVERY {
            *proved = now;
            self.prove(&self.slot.load());
        }
    }

    /// Invariant I10: each active key signs, and its signature verifies against the DNSKEY bytes that are served; of one
    /// that validators do without, against those it would be published as.
    fn prove(&self, snapshot: &Snapshot) {
        for zone in snapshot.zones() {
            let Some(signing) = zone.signing.as_deref() else { continue };
            let served = zone.content.node(&zone.apex).and_then(|node| node.set(rt::DNSKEY));
            for key in signing.keys() {
                let own = key.dnskey_data();
                let mut published =
                    served.and_then(|(set, _)| set.data().find(|data| **data == *own)).unwrap_or_default();
                if published.is_empty() && signing.may_be_unpublished(key) {
                    published = &own;
                }
                if let Err(fault) = key.prove(published, &challenge()) {
                    (self.alarm)(zone.apex.clone(), format!("key {} cannot sign: {fault}", key.tag));
                }
            }
        }
    }

    /// Whether the zone is signed with other keys or windows by now, or gone.
    fn is_outdated(&self, zone: &Zone) -> bool {
        let snapshot = self.slot.load();
        let now = snapshot.zone(&zone.apex).and_then(|zone| zone.signing.as_deref());
        !now.zip(zone.signing.as_deref()).is_some_and(|(now, before)| now.is_same(before))
    }

    /// Rests until the next pass is due, or a zone's keys or windows are others than those of the last one: then all its
    /// signatures have to be made anew, and the sooner they are, the fewer queries make their own.
    fn rest(&self, known: &Known, span: Duration, proved: &mut Instant) {
        let mut now = steady();
        let until = now + span;
        let is_new = |zone: &Arc<Zone>| {
            let before = known.get(&zone.apex);
            zone.signing.as_ref().is_some_and(|now| before.is_none_or(|before| !before.is_same(now)))
        };
        while now < until && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            now = steady();
            self.prove_in_time(proved, now);
            if self.slot.load().zones().iter().any(is_new) {
                return;
            }
        }
    }
}

/// How a pass shares its core, and what time it is there: the clocks are read once for [`NAMES_A_LOOK`] names.
struct Pace {
    since: Instant,
    now: Now,
    count: u32,
}

impl Pace {
    fn begin(now: Now) -> Pace {
        Pace { since: now.steady, now, count: 0 }
    }

    /// Rests where a slice is over; true where it did.
    fn rest(&mut self) -> bool {
        self.count = self.count.wrapping_add(1);
        if !self.count.is_multiple_of(NAMES_A_LOOK) {
            return false;
        }
        self.now = Now::read();
        let is_over = self.now.steady - self.since >= SLICE;
        if is_over {
            std::thread::sleep(REST);
            self.now = Now::read();
            self.since = self.now.steady;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::sign::key::{Key, generate_pkcs8};
    use crate::world::zones::{KeySet, ParentWish, Part};
    use crate::zone::content::{Parts, build};
    use crate::zone::master;

    /// A key that signs what its letters say, as in the tests of [`KeySet`].
    fn part(algorithm: u8, does: &str) -> Part {
        let key = Key::from_pkcs8(257, algorithm, &generate_pkcs8(algorithm).expect("a key")).expect("a key");
        let [published, signs_keys, signs_data, wanted_ds] = ['p', 'k', 'd', 'w'].map(|letter| does.contains(letter));
        Part { public: key.public_half(), private: Some(key), published, signs_keys, signs_data, wanted_ds }
    }

    fn zone(names: usize) -> Arc<Zone> {
        zone_of(names, &[part(13, "pkdw")])
    }

    /// A signed zone with so many names that its first pass takes many slices.
    fn zone_of(names: usize, parts: &[Part]) -> Arc<Zone> {
        let (config, _) = crate::config::parse("mxseal.toml", "version = 1\n").expect("a configuration");
        let apex = Name::parse("mx.example", ROOT).expect("a name");
        let policy = config.policy_for("mx.example", false);
        let keys = KeySet::new(&apex, parts, ParentWish::Wanted, &policy, b"challenge").expect("a key that signs");
        let head = "@ 3600 SOA ns h 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n".to_owned();
        let text: String = std::iter::once(head).chain((0..names).map(|i| format!("n{i} A 192.0.2.2\n"))).collect();
        let parsed = master::parse(&apex, "mx.example.zone", &text, &mut |_| Err("nothing".to_owned()));
        let parts = Parts {
            apex: &apex,
            signed: true,
            parsed: &parsed,
            key_sets: &keys.sets,
            children: &[],
            ttl_cap: u32::MAX,
        };
        let content = build(&parts).0.expect("content");
        let (tenants, pools) = (Default::default(), Arc::default());
        Arc::new(Zone { labels: 2, content: Arc::new(content), tenants, pools, signing: Some(keys.signing), apex })
    }

    #[test]
    fn the_gauges_move_during_the_first_pass_and_agree_after_it() {
        let zone = zone(2000);
        let metrics = Arc::new(Metrics::default());
        metrics.set(|gauges| drop(gauges.zones.insert("mx.example.".to_owned(), Default::default())));
        let warm = warm(&zone, &metrics);
        let seen = || {
            let mut seen = (0, 0);
            metrics.set(|gauges| {
                let zone = gauges.zones.get("mx.example.");
                seen = zone.map_or((0, 0), |zone| (zone.signatures_kept, zone.signatures_wanted));
            });
            seen
        };
        let ended = AtomicBool::new(false);
        let moments = std::thread::scope(|scope| {
            let look = scope.spawn(|| {
                let mut moments = std::collections::BTreeSet::new();
                while !ended.load(Ordering::Relaxed) {
                    moments.insert(seen());
                    std::thread::yield_now();
                }
                moments
            });
            warm.pass(&zone, true, &mut Instant::now());
            ended.store(true, Ordering::Relaxed);
            look.join().expect("it only looks")
        });
        let (kept, wanted) = seen();
        // SOA, NS, DNSKEY, CDS, CDNSKEY, the address of `ns` and those of all names.
        assert_eq!((kept, wanted), (2006, 2006));
        assert!(moments.iter().any(|(kept, wanted)| (1..2006).contains(kept) && *wanted == 2006), "{moments:?}");
    }

    #[test]
    fn the_pass_signs_with_every_key_and_again_finds_nothing_to_do() {
        // The first step of an algorithm roll: the new key signs data before it is published.
        let zone = zone_of(10, &[part(13, "pkdw"), part(13, "pk"), part(15, "d")]);
        let metrics = Arc::new(Metrics::default());
        metrics.set(|gauges| drop(gauges.zones.insert("mx.example.".to_owned(), Default::default())));
        let warm = warm(&zone, &metrics);
        let made =
            || metrics.text().lines().find_map(|line| line.strip_prefix("mxseal_sign_total ")?.parse::<u64>().ok());
        for _ in 0..2 {
            assert!(warm.pass(&zone, true, &mut Instant::now()));
            // SOA, NS and 11 addresses; DNSKEY, CDS and CDNSKEY.
            assert_eq!(made(), Some(2 * 13 + 2 * 3));
        }
    }

    #[test]
    fn each_key_that_signs_proves_itself_published_or_not_yet() {
        let broken = |mut part: Part| {
            // The key's device answers with another key's signatures since the start.
            let other = Key::from_pkcs8(257, 13, &generate_pkcs8(13).expect("a key")).expect("a key");
            let key = part.private.take().expect("a key");
            Arc::new(Key { signer: other.signer, ..key })
        };
        let (one, two, three) = (part(13, "pkdw"), part(13, "pk"), part(15, "d"));
        let zone = zone_of(1, &[one, two, three]);
        let alarms = Arc::new(std::sync::Mutex::new(Vec::new()));
        let prove = |zone: &Arc<Zone>| {
            let said = Arc::clone(&alarms);
            let alarm = Box::new(move |_, reason| said.lock().expect("not poisoned").push(reason));
            let warm = Warm { alarm, ..warm(zone, &Arc::new(Metrics::default())) };
            warm.prove(&warm.slot.load());
            std::mem::take(&mut *alarms.lock().expect("not poisoned"))
        };
        assert_eq!(prove(&zone), [] as [String; 0]);
        let good = zone.signing.as_ref().expect("signed").keys().into_iter().cloned().collect::<Vec<_>>();
        let policy = *zone.signing.as_ref().expect("signed").policy(rt::A);
        let bad = broken(part(15, "d"));
        for (data, entry, tag) in [
            (vec![Arc::clone(&good[0]), Arc::clone(&bad)], vec![Arc::clone(&good[0])], bad.tag),
            (vec![Arc::clone(&good[0])], vec![Arc::clone(&good[0]), Arc::clone(&bad)], bad.tag),
            // A key that validators need has no DNSKEY.
            (vec![Arc::clone(&good[0])], vec![Arc::clone(&good[0]), Arc::clone(&good[1])], good[1].tag),
        ] {
            let signing = Signing::new(zone.apex.clone(), data, entry, policy, policy).expect("keys");
            let said = prove(&Arc::new(Zone { signing: Some(Arc::new(signing)), ..(*zone).clone() }));
            assert!(said.len() == 1 && said[0].starts_with(&format!("key {tag} cannot sign")), "{said:?}");
        }
    }

    fn warm(served: &Arc<Zone>, metrics: &Arc<Metrics>) -> Warm {
        Warm {
            slot: Arc::new(ArcSwap::from_pointee(Snapshot::new(1, vec![Arc::clone(served)], Arc::default()))),
            metrics: Arc::clone(metrics),
            counters: metrics.worker(),
            stop: Arc::default(),
            alarm: Box::new(|_, _| {}),
        }
    }

    #[test]
    fn new_keys_end_the_pass_of_the_old_ones_and_the_rest_after_it() {
        let (old, new) = (zone(2000), zone(1));
        let metrics = Arc::new(Metrics::default());
        metrics.set(|gauges| drop(gauges.zones.insert("mx.example.".to_owned(), Default::default())));
        let warm = warm(&new, &metrics);
        let mut proved = Instant::now();
        assert!(warm.is_outdated(&old) && !warm.is_outdated(&new));
        assert!(!warm.pass(&old, true, &mut proved));
        let made = metrics.text().lines().find_map(|line| line.strip_prefix("mxseal_sign_total ")?.parse::<u64>().ok());
        assert!(made.is_some_and(|made| (1..2000).contains(&made)), "{made:?}");
        // Were it not for the new keys, it would rest to the end.
        let (began, span) = (Instant::now(), Duration::from_secs(30));
        warm.rest(&Known::from([(old.apex.clone(), old.signing.clone().expect("signed"))]), span, &mut proved);
        warm.rest(&Known::new(), span, &mut proved);
        assert!(began.elapsed() < span);
        let mut known = Known::new();
        warm.pass_all(&mut known, &mut proved);
        assert!(known.get(&new.apex).is_some_and(|signing| signing.is_same(new.signing.as_ref().expect("signed"))));
    }
}
