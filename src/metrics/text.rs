//! The numbers as the text that Prometheus reads (text format 0.0.4).
//!
//! Names and labels here are a contract with dashboards and with `contrib/alerts.yml`.

mod pools;

use super::{CLASSES, DRY_RUN, FAMILIES, Gauges, OTHER, PROTOS, QTYPES, RCODES, REASONS, Standing, Totals};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// Labels of one series.
type Labels = Vec<(&'static str, String)>;

pub(super) fn write(totals: Totals, gauges: Gauges) -> String {
    let mut registry = Registry::with_prefix("mxseal");
    registry.register_collector(Box::new(Picture { totals, gauges }));
    let mut text = String::new();
    match text::encode_registry(&mut text, &registry) {
        Ok(()) => text,
        // Writing into a string cannot fail; half a text would look like a restart.
        Err(fmt::Error) => String::new(),
    }
}

/// All numbers at one moment.
#[derive(Debug)]
struct Picture {
    totals: Totals,
    gauges: Gauges,
}

impl Collector for Picture {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page { encoder };
        self.traffic(&mut page)?;
        self.signing(&mut page)?;
        self.zones(&mut page)?;
        pools::pools(&self.gauges.pools, &mut page)?;
        self.tenants_and_files(&mut page)
    }
}

impl Picture {
    fn traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        let totals = &self.totals;
        let requests = request_labels().into_iter().zip(totals.requests);
        page.counters("dns_requests_total", "Queries answered", requests)?;
        let responses = rcode_labels().into_iter().zip(totals.responses);
        page.counters("dns_responses_total", "Answers by response code", responses)?;
        page.counter("dns_truncated_total", "Answers with TC set", totals.truncated)?;
        let dropped = REASONS.map(|reason| one("reason", reason)).into_iter().zip(totals.dropped);
        page.counters("dropped_total", "Queries, replies and connections dropped without an answer", dropped)?;
        let limited = limited_labels().into_iter().zip(totals.limited);
        page.counters("rrl_limited_total", "UDP answers past the rate of their source", limited)?;
        let panics = totals.dropped.get(super::Dropped::Panic as usize).copied().unwrap_or(0);
        page.counter("panics_total", "Panics caught, each one a bug", panics)?;
        let restarts =
            PROTOS.iter().zip(totals.encrypted_restarts).filter(|(proto, _)| matches!(**proto, "dot" | "doq"));
        let restarts = restarts.map(|(proto, count)| (one("proto", proto), count));
        page.counters("encrypted_restarts_total", "Restarts of the listeners for DoT and DoQ", restarts)?;
        page.counter("log_lines_lost_total", "Lines of the log that could not be written", totals.log_lines_lost)
    }

    fn signing(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter("sign_total", "Signatures made", self.totals.signed)?;
        page.counter("sign_cache_hits_total", "Signatures that queries found kept", self.totals.cache_hits)?;
        page.counter("sign_cache_misses_total", "Signatures that queries had to wait for", self.totals.cache_misses)?;
        let refused = PROTOS.map(|proto| one("proto", proto)).into_iter().zip(self.totals.refused);
        page.counters("sign_refused_total", "Queries past the budget for signatures of denials", refused)
    }

    fn zones(&self, page: &mut Page<'_>) -> fmt::Result {
        let zones = &self.gauges.zones;
        let expiries = zones.iter().flat_map(|(zone, gauges)| {
            [("data", gauges.data_expiry), ("dnskey", gauges.dnskey_expiry)].into_iter().filter_map(
                move |(set, expiry)| Some((vec![("zone", zone.clone()), ("set", set.to_owned())], seconds(expiry?.0))),
            )
        });
        let name = "zone_rrsig_min_expiry_timestamp_seconds";
        page.gauges(name, "When the first of the signatures being served expires", expiries)?;
        let by_zone = |value: fn(&super::ZoneGauges) -> u64| {
            zones.iter().map(move |(zone, gauges)| (one("zone", zone), seconds(value(gauges))))
        };
        page.gauges("signatures_kept", "Signatures kept warm now", by_zone(|z| z.signatures_kept))?;
        page.gauges("signatures_wanted", "Signatures that there are to keep warm", by_zone(|z| z.signatures_wanted))?;
        let standings = zones.iter().filter_map(|(zone, gauges)| Some((zone, gauges.standing?)));
        let standings = standings.flat_map(|(zone, standing)| {
            Standing::SHOWN.map(|shown| {
                (
                    vec![("zone", zone.clone()), ("state", shown.word().to_owned())],
                    seconds(u64::from(shown == standing)),
                )
            })
        });
        page.gauges(
            "zone_state",
            "Whether a zone is answered, is answered with its keys frozen, gets SERVFAIL",
            standings,
        )?;
        page.gauges("held_tenants", "Removals held back by the shrink guard", by_zone(|z| z.held))?;
        let keys = zones.iter().flat_map(|(zone, gauges)| {
            gauges.keys.iter().map(|key| {
                let labels: Labels = vec![
                    ("zone", zone.clone()),
                    ("tag", key.tag.to_string()),
                    ("role", key.role.to_owned()),
                    ("state", key.state.to_owned()),
                ];
                (labels, 1.0)
            })
        });
        page.gauges("key_state", "The state that each key is in", keys)?;
        self.rolls(page)
    }

    fn rolls(&self, page: &mut Page<'_>) -> fmt::Result {
        let zones = &self.gauges.zones;
        let next = zones.iter().filter_map(|(zone, gauges)| {
            let (event, at) = gauges.next_event?;
            Some((vec![("zone", zone.clone()), ("event", event.to_owned())], seconds(at.0)))
        });
        page.gauges("key_next_event_timestamp_seconds", "When the next step with keys may be taken", next)?;
        let fits = zones.iter().filter_map(|(zone, gauges)| {
            gauges.parent_ds_match.map(|fits| (one("zone", zone), seconds(u64::from(fits))))
        });
        page.gauges("parent_ds_match", "Whether each address of the parent shows just the wanted DS", fits)?;
        let blocked = zones.iter().map(|(zone, gauges)| (one("zone", zone), seconds(u64::from(gauges.roll_blocked))));
        page.gauges("roll_blocked", "Whether something in doubt keeps keys from being taken away", blocked)
    }

    fn tenants_and_files(&self, page: &mut Page<'_>) -> fmt::Result {
        let tenants = &self.gauges.tenants;
        let states = [
            ("served", tenants.served),
            ("last_good", tenants.last_good),
            ("broken", tenants.broken),
            ("held", tenants.held),
        ];
        let states = states.map(|(state, count)| (one("state", state), seconds(count)));
        page.gauges("tenants", "Tenants by state", states)?;
        let quarantined = tenants.last_good.saturating_add(tenants.broken);
        page.gauge("quarantined_tenants", "Tenants whose file is broken now", seconds(quarantined))?;
        let findings = self.gauges.findings.iter().map(|((severity, code), count)| {
            (vec![("severity", (*severity).to_owned()), ("code", (*code).to_owned())], seconds(*count))
        });
        page.gauges("findings", "What stands against files, keys, pools and the configuration now, by code", findings)?;
        page.gauge("ready", "Whether /readyz says that the server is to be asked", seconds(self.gauges.ready.into()))?;
        let watch = &self.gauges.watch;
        let last = seconds(watch.last_success.0);
        page.gauge("watch_last_success_timestamp_seconds", "When a scan of the files last ended well", last)?;
        page.gauge("watch_lag_seconds", "Age of the oldest change that is not answered yet", watch.lag_seconds)?;
        page.counter("watch_events_total", "File events", watch.events)?;
        page.counter("watch_overflows_total", "Overflows of the queue of file events", watch.overflows)?;
        page.counter("watch_full_scans_total", "Full scans of the files", watch.full_scans)?;
        let version = seconds(self.gauges.snapshot_version);
        page.gauge("snapshot_version", "Version of the snapshot that answers", version)?;
        let build = (one("version", env!("CARGO_PKG_VERSION")), 1.0);
        page.gauges("build_info", "The running program", [build])
    }
}

/// Gauges are floating point in this format; moments and counts stay exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn seconds(whole: u64) -> f64 {
    whole as f64
}

fn one(key: &'static str, value: &str) -> Labels {
    vec![(key, value.to_owned())]
}

fn request_labels() -> Vec<Labels> {
    let mut all = Vec::with_capacity(super::REQUESTS);
    for proto in PROTOS {
        for family in FAMILIES {
            for qtype in QTYPES.iter().map(|(_, name)| *name).chain([OTHER]) {
                all.push(vec![("proto", proto.to_owned()), ("family", family.to_owned()), ("qtype", qtype.to_owned())]);
            }
        }
    }
    all
}

fn limited_labels() -> Vec<Labels> {
    let each = |dry: &'static str| CLASSES.map(|class| vec![("dry_run", dry.to_owned()), ("class", class.to_owned())]);
    DRY_RUN.into_iter().flat_map(each).collect()
}

fn rcode_labels() -> Vec<Labels> {
    RCODES.iter().map(|(_, name)| *name).chain([OTHER]).map(|name| one("rcode", name)).collect()
}

/// The text as it grows, one metric after another.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?.encode_gauge(&value)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    /// `name` ends in `_total`. The library would add that to each series but not to the family, as OpenMetrics wants
    /// it and the text format does not; it adds nothing to gauges.
    fn counters(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, u64)>) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            encoder.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauges(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            encoder.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
