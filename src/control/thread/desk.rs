//! Commands as they reach the loop: each goes to whoever answers it; here are reload, one tenant, waits.

mod certs;
mod keys;
mod lead;
mod reply;
mod says;
mod silence;

use crate::config::Config;
use crate::control::outside::SIGNED_ANYWAY;
use crate::control::thread::{Mind, Moments, log_done};
use crate::control::waits::{Wait, Waits};
use crate::diagnostic::{Diagnostic, Severity};
use crate::dns::name::{Name, ROOT, labels};
use crate::protocol::request::{Command, ServerRequest, TenantRequest};
use crate::protocol::{Line, TenantInfo};
use crate::report::view::finding;
use crate::time::Now;
use reply::send;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How long a reload waits for files that are still being written, beyond what is there.
const RELOAD_WAIT_MAX: Duration = Duration::from_secs(3);

/// A reload that ends when files that are being written now have been read, too.
pub(super) struct Reload {
    reply: Sender<Line>,
    allow_shrink: bool,
    deadline: Instant,
}

/// Commands that wait for something.
#[derive(Default)]
pub(super) struct Callers {
    /// For a tenant.
    pub(super) waits: Waits,
    /// For files that are being written.
    pub(super) reloads: Vec<Reload>,
    /// For hosts to be looked at, by pool.
    pub(super) looks: Vec<(String, Sender<Line>)>,
}

impl Mind {
    pub(super) fn reload(&mut self, moments: &Moments) -> Result<(), Vec<Diagnostic>> {
        let now = moments(None);
        let (config, warnings) = match (self.basis.read_config)() {
            Ok(read) => read,
            Err(findings) => {
                for finding in &findings {
                    tracing::error!("the configuration is not used: {}", finding.one_line());
                }
                self.findings.of_configuration.clone_from(&findings);
                self.report(now);
                return Err(findings);
            }
        };
        self.findings.of_configuration.clear();
        let of_start = |config: &Config| {
            let (socket, group) = (config.control_socket(), config.server.socket_group.clone());
            (config.zones.clone(), config.keys.clone(), socket, group)
        };
        if of_start(&config) != of_start(&self.basis.config) {
            tracing::warn!("the folders of zones and keys, the control socket and its group change at a restart only");
        }
        let before = &self.basis.config;
        self.basis.config = Arc::new(Config { zones: before.zones.clone(), keys: before.keys.clone(), ..config });
        self.lives.rolls.read_again(&self.store, now);
        self.lives.rolls.asker.configure(Arc::clone(&self.basis.config));
        self.lives.certs.configure(Arc::clone(&self.basis.config), now);
        self.know_all();
        self.world.configure(Arc::clone(&self.basis.config));
        self.world.thaw();
        self.refresh_certificates(now);
        let changes = self.feed.all(moments(None));
        self.take_in(changes, moments(None));
        let now = moments(None);
        self.read_roots();
        self.findings.is_pool_news = true;
        self.findings.own = warnings;
        self.take_back_insecure(now);
        self.note_goals();
        // A policy may have changed, and with it what is to be done next.
        self.lives.rolls.zones.values_mut().for_each(|roll| roll.due = now.steady);
        let anchors = self.read_anchors();
        self.findings.own.extend(anchors);
        self.findings.own.extend(self.eyes.no_roots.clone());
        self.publish(now);
        tracing::info!(SNAPSHOT = self.served.version, "reloaded");
        Ok(())
    }

    /// When the next reload ends.
    pub(super) fn reloads_next(&self, now: Now) -> Option<Instant> {
        let first = self.callers.reloads.iter().map(|reload| reload.deadline).min()?;
        Some(if self.feed.is_settled() { now.steady } else { first })
    }

    /// Ends the reloads that wait for nothing any more.
    pub(super) fn end_reloads(&mut self, now: Now) {
        let settled = self.feed.is_settled();
        let (ended, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.callers.reloads)
            .into_iter()
            .partition(|reload| settled || reload.deadline <= now.steady);
        self.callers.reloads = waiting;
        if ended.iter().any(|reload| reload.allow_shrink) {
            log_done(&self.world.allow_shrink(now.signing));
            self.settle(now);
            self.publish(now);
        }
        let held = self.world.zones.values().map(|zone| zone.tenants.held_count()).sum();
        for reload in ended {
            answer_reload(self.findings.all(), held, &reload.reply);
        }
    }

    pub(super) fn command(&mut self, command: Command, reply: Sender<Line>, now: Now, moments: &Moments) {
        match command {
            Command::Server(ServerRequest::Reload { allow_shrink }) => self.begin_reload(allow_shrink, reply, moments),
            Command::Tenant(asked) => self.tenant_request(asked, reply, now),
            Command::Pool(asked) => self.pool_request(asked, &reply, now),
            Command::Keys(asked) => self.keys_request(asked, &reply, now, moments),
            Command::Cert(asked) => self.cert_request(asked, &reply, now),
        }
    }

    fn begin_reload(&mut self, allow_shrink: bool, reply: Sender<Line>, moments: &Moments) {
        match self.reload(moments) {
            Ok(()) => {
                let deadline = moments(None).steady + RELOAD_WAIT_MAX;
                self.callers.reloads.push(Reload { reply, allow_shrink, deadline });
            }
            Err(findings) => answer_reload(&findings, 0, &reply),
        }
    }

    fn tenant_request(&mut self, asked: TenantRequest, reply: Sender<Line>, now: Now) {
        match asked {
            TenantRequest::Show { domain } => self.show(&domain, &reply),
            TenantRequest::Try(draft) => {
                let why = self.world.why_not(&draft, now.signing);
                let exit = u8::from(why.is_some());
                let _ = reply.send(Line::End { exit, message: why.unwrap_or_default() });
            }
            TenantRequest::Wait { domain, zone, present, seconds } => {
                match Name::parse(zone.trim_end_matches('.'), ROOT) {
                    Ok(name) if self.world.zones.contains_key(&name) => {
                        let deadline = now.steady + Duration::from_secs(seconds.min(3600));
                        self.callers.waits.push(Wait { domain, zone: name, present, deadline, reply });
                    }
                    _ => drop(reply.send(Line::End { exit: 1, message: format!("there is no zone {zone} here") })),
                }
            }
            TenantRequest::PermitRemoval { domain, zone } => {
                let name = Name::parse(zone.trim_end_matches('.'), ROOT).ok();
                let zone = name.and_then(|name| self.world.zones.get_mut(&name));
                let known = zone.is_some();
                zone.into_iter().for_each(|zone| zone.tenants.permit_removal(&domain));
                let message = if known { String::new() } else { "there is no such zone here".to_owned() };
                let _ = reply.send(Line::End { exit: u8::from(!known), message });
            }
        }
    }

    fn show(&self, name: &str, reply: &Sender<Line>) {
        let domain = crate::zone::tenant::normal_domain(name).unwrap_or_else(|_| name.to_owned());
        let mut found = self.with_domain(&domain);
        if found.is_empty() {
            let owner = self.owner_of(&domain);
            found = owner.map(|domain| self.with_domain(&domain)).unwrap_or_default();
        }
        let exit = u8::from(found.is_empty() || found.iter().any(|info| !info.reasons.is_empty()));
        let message = if found.is_empty() { format!("{domain} is no tenant here") } else { String::new() };
        for info in &found {
            send(reply, info);
        }
        let _ = reply.send(Line::End { exit, message });
    }

    fn with_domain(&self, domain: &str) -> Vec<TenantInfo> {
        let view = self.served.view.load();
        let mut found = Vec::new();
        for (apex, zone) in &self.world.zones {
            let pools = self.world.pools.records();
            found.extend(zone.tenants.by_domain(domain).map(|tenant| view.tenant(apex, tenant, pools)));
            found.extend(view.broken(apex).iter().filter(|info| info.domain == domain).cloned());
        }
        found
    }

    /// The domain of the tenant that is served at this name.
    fn owner_of(&self, endpoint: &str) -> Option<String> {
        let name = Name::parse(endpoint, ROOT).ok()?;
        let label = labels(&name).next()?;
        let is_below = |apex: &Name| Name::below(label, apex).is_ok_and(|below| below == name);
        let zone = self.world.zones.iter().find(|(apex, _)| is_below(apex)).map(|(_, zone)| zone)?;
        Some(zone.tenants.table.get(label)?.domain())
    }
}

fn answer_reload(findings: &[Diagnostic], held: usize, reply: &Sender<Line>) {
    for found in findings {
        send(reply, &finding(found));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let refused = findings.iter().find(|finding| finding.code == SIGNED_ANYWAY);
    let (exit, message) = match (held, errors) {
        (0, _) if refused.is_some() => (4, refused.map(|finding| finding.message.clone()).unwrap_or_default()),
        (0, 0) => (0, String::new()),
        (0, _) => (1, format!("{errors} errors: what was good before is served")),
        _ => (4, format!("{held} removals are held back: `mxseal reload --allow-shrink` lets them go")),
    };
    let _ = reply.send(Line::End { exit, message });
}
