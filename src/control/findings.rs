//! What stands against the server's files now: gathered when it changes, and said in the log once.
//!
//! A publication that changes nothing about it costs nothing here, however much there is to say.

use crate::diagnostic::{Diagnostic, Severity};
use crate::protocol::Finding;
use crate::report::view::{finding, severity_word};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Findings that a report carries, at most; the rest are counted.
const FINDINGS_MAX: usize = 10_000;
/// New findings that are logged one by one; more are counted.
const FINDINGS_LOGGED_MAX: usize = 20;

/// How many findings stand, by severity and code.
pub(super) type Counts = BTreeMap<(&'static str, &'static str), u64>;

/// Lines about findings in a minute, at most: a file that is broken and mended in a loop must not fill the log's disk.
const LINES_MAX: usize = 600;
const MINUTE: Duration = Duration::from_secs(60);

/// How many lines may still be said.
struct Breath {
    since: Instant,
    left: usize,
    kept_back: usize,
}

/// What stands now.
pub(super) struct Findings {
    /// What is not about tenants, and how often the rest changed, hosts at tenants' own addresses among it: equal values mean
    /// equal findings.
    seen: Option<(Vec<Diagnostic>, Vec<u64>, u64)>,
    all: Vec<Diagnostic>,
    shown: Arc<Vec<Finding>>,
    counts: Counts,
    /// What was logged and still stands.
    said: BTreeSet<String>,
    /// Why the configuration as it is now was not taken at the last reload; empty: it was.
    pub(super) of_configuration: Vec<Diagnostic>,
    /// What stands against the configuration.
    pub(super) own: Vec<Diagnostic>,
    /// What the disk refused.
    pub(super) disk: Vec<Diagnostic>,
    /// What stands against keys of zones, and whether that may have changed.
    pub(super) keys: Vec<Diagnostic>,
    pub(super) is_key_news: bool,
    /// The same of pools.
    pub(super) pools: Vec<Diagnostic>,
    pub(super) is_pool_news: bool,
    breath: Breath,
}

impl Findings {
    /// Only this stands yet, against the configuration, at this moment.
    pub(super) fn new(own: Vec<Diagnostic>, at: Instant) -> Findings {
        let breath = Breath { since: at, left: LINES_MAX, kept_back: 0 };
        Findings {
            seen: None,
            all: Vec::new(),
            shown: Arc::default(),
            counts: Counts::new(),
            said: BTreeSet::new(),
            of_configuration: Vec::new(),
            own,
            disk: Vec::new(),
            keys: Vec::new(),
            is_key_news: false,
            pools: Vec::new(),
            is_pool_news: true,
            breath,
        }
    }
}

impl Breath {
    /// A new minute gives new breath.
    fn draw(&mut self, now: Instant) {
        if now.duration_since(self.since) < MINUTE {
            return;
        }
        if self.kept_back > 0 {
            tracing::warn!("{} lines about findings were left out: `mxseal status` has what stands", self.kept_back);
        }
        *self = Breath { since: now, left: LINES_MAX, kept_back: 0 };
    }

    /// Whether one more line may be said; says once that there are more.
    fn take(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        if !may {
            self.kept_back += 1;
            if self.kept_back == 1 {
                tracing::warn!("findings come and go too fast for the log: `mxseal status` has what stands");
            }
        }
        may
    }
}

impl Findings {
    /// All of them: errors first, causes before what follows from them.
    pub(super) fn all(&self) -> &[Diagnostic] {
        &self.all
    }

    /// The same for reports.
    pub(super) fn shown(&self) -> &Arc<Vec<Finding>> {
        &self.shown
    }

    /// How many stand, by severity and code.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Gathers what stands against `world`, and `more`.
    pub(super) fn update(&mut self, world: &World, more: &[Diagnostic], at: Instant) {
        let more: Vec<Diagnostic> = self.of_configuration.iter().chain(more).cloned().collect();
        let mut few = world.findings_but_tenants();
        few.extend_from_slice(&more);
        let revisions = world.zones.values().map(|zone| zone.tenants.revision()).collect();
        let now = Some((few, revisions, world.pools.apart_revision()));
        if self.seen == now {
            return;
        }
        self.seen = now;
        let mut all = world.findings();
        all.extend(more);
        all.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.cmp(b)));
        all.dedup();
        self.all = all;
        self.counts.clear();
        for finding in &self.all {
            let count = self.counts.entry((severity_word(finding.severity), finding.code)).or_default();
            *count = count.saturating_add(1);
        }
        self.shown = Arc::new(self.all.iter().take(FINDINGS_MAX).map(finding).collect());
        self.log(at);
    }

    fn log(&mut self, now: Instant) {
        self.breath.draw(now);
        let lines: BTreeSet<String> = self.all.iter().map(Diagnostic::one_line).collect();
        let fresh: Vec<&Diagnostic> = self.all.iter().filter(|found| !self.said.contains(&found.one_line())).collect();
        for finding in fresh.iter().take(FINDINGS_LOGGED_MAX).filter(|_| self.breath.take()) {
            match finding.severity {
                Severity::Error => tracing::error!(CODE = finding.code, "{}", finding.one_line()),
                Severity::Warning => tracing::warn!(CODE = finding.code, "{}", finding.one_line()),
            }
        }
        if fresh.len() > FINDINGS_LOGGED_MAX {
            tracing::error!("and {} more findings: see `mxseal status`", fresh.len() - FINDINGS_LOGGED_MAX);
        }
        for solved in self.said.difference(&lines).take(FINDINGS_LOGGED_MAX).filter(|_| self.breath.take()) {
            tracing::info!("solved: {solved}");
        }
        self.said = lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_findings_is_said_so_often_a_minute_and_no_more() {
        let start = Instant::now();
        let mut breath = Breath { since: start, left: LINES_MAX, kept_back: 0 };
        let said = |breath: &mut Breath| (0..5000).filter(|_| breath.take()).count();
        assert_eq!(said(&mut breath), LINES_MAX);
        breath.draw(start + MINUTE / 2);
        assert_eq!(said(&mut breath), 0, "half a minute gives none");
        breath.draw(start + MINUTE);
        assert_eq!(said(&mut breath), LINES_MAX);
    }
}
