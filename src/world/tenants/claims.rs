//! Who gets which name: the claims of one batch, decided as a whole before anything is changed.
//!
//! Pure. A name has one owner and a domain one endpoint; who is served now stays, else an explicit endpoint wins, then the
//! path that sorts first. A claim that fails leaves its tenant where it was, so nobody else can take that name meanwhile.

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::dns::rrset::hash_name;
use crate::world::pools::PoolTable;
use crate::world::tenants::limit::{self, no_room};
use crate::world::tenants::{Surroundings, Tenants};
use crate::zone::endpoint::Tenant;
use crate::zone::tenant::{Definition, is_false_a_label};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Code of an entry whose pool is broken: it is told with the pool, once for all its tenants.
pub(super) const WAITS_FOR_POOL: &str = "MX4209";

/// Tenants that a batch no longer defines as they are, by label, with the paths of the files that did.
pub(super) type Vanished = BTreeMap<Box<[u8]>, (Arc<Tenant>, Arc<str>)>;

/// An entry of a file that wants to be served.
pub(crate) struct Claim {
    /// Its file.
    pub(super) path: Arc<str>,
    /// The number of its file.
    pub(super) file: u32,
    /// What it says.
    pub(super) definition: Definition,
}

/// The claims of a batch, and the tenants that they may replace.
#[derive(Default)]
pub(crate) struct Batch {
    /// What is claimed; after the decision, what is granted.
    pub(super) claims: Vec<Claim>,
    /// What is refused, with the reason.
    pub(super) refused: Vec<(Claim, Diagnostic)>,
    /// Served tenants whose files speak anew; after the decision, those that go.
    pub(super) vanished: Vanished,
    /// Served tenants that stay as they are because something broken is said about them, with the file that says it.
    pub(super) spared: Vanished,
}

/// Why a claim cannot be granted.
enum Obstacle {
    /// A served tenant has the endpoint.
    Owner(Arc<Tenant>, Diagnostic),
    /// Anything else.
    Other(Diagnostic),
}

/// What granted claims have taken: places in the list of claims, by the keyed hashes of endpoints and domains.
#[derive(Default)]
struct Taken {
    labels: HashMap<u64, usize>,
    domains: HashMap<u64, usize>,
}

impl Batch {
    /// Grants and refuses until nothing moves any more: a refused claim spares its tenant, which may be in the way of a
    /// claim that was granted before.
    pub(super) fn decide(&mut self, tenants: &mut Tenants, around: &Surroundings<'_>, pools: &PoolTable) {
        let order = |claim: &Claim| (tenants.rank(claim), !claim.definition.explicit_endpoint);
        let mut keyed: Vec<_> =
            std::mem::take(&mut self.claims).into_iter().map(|claim| (order(&claim), claim)).collect();
        keyed.sort_by(|(a, x), (b, y)| {
            let by_place = || (&x.path, x.definition.line).cmp(&(&y.path, y.definition.line));
            a.cmp(b).then_with(by_place)
        });
        self.claims = keyed.into_iter().map(|(_, claim)| claim).collect();
        while self.pass(tenants, around, pools) {}
        self.second_chance(tenants, around, pools);
    }

    /// One look at all claims; true where another one is needed.
    fn pass(&mut self, tenants: &mut Tenants, around: &Surroundings<'_>, pools: &PoolTable) -> bool {
        let moving = self.moving();
        let mut taken = Taken::default();
        let mut obstacles = Vec::new();
        for (at, claim) in self.claims.iter().enumerate() {
            match self.obstacle(claim, &moving, &taken, tenants, around, pools) {
                None => taken.add(claim, at),
                Some(obstacle) => obstacles.push((at, obstacle)),
            }
        }
        if obstacles.is_empty() {
            return false;
        }
        let mut obstacles = obstacles.into_iter().peekable();
        let (mut again, mut movers) = (false, Vec::new());
        for (at, claim) in std::mem::take(&mut self.claims).into_iter().enumerate() {
            match obstacles.next_if(|(other, _)| *other == at).map(|(_, obstacle)| obstacle) {
                None => self.claims.push(claim),
                Some(Obstacle::Other(reason)) => again |= self.refuse(claim, reason, tenants),
                Some(Obstacle::Owner(owner, reason)) => match tenants.pull_in(&owner) {
                    // The owner itself wants to go elsewhere: both are looked at together.
                    Some((mover, path)) => {
                        self.vanished.insert(owner.label().into(), (owner, path));
                        movers.push(mover);
                        self.claims.push(claim);
                        again = true;
                    }
                    None => again |= self.refuse(claim, reason, tenants),
                },
            }
        }
        self.claims.append(&mut movers);
        again
    }

    /// What was refused for a claim that was refused itself later on may be granted after all.
    fn second_chance(&mut self, tenants: &Tenants, around: &Surroundings<'_>, pools: &PoolTable) {
        let mut taken = Taken::default();
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            self.claims.iter().enumerate().for_each(|(at, claim)| taken.add(claim, at));
        }
        let moving = self.moving();
        for (claim, _) in refused {
            let own = self.unspare(&claim.definition.domain, tenants);
            match self.obstacle(&claim, &moving, &taken, tenants, around, pools) {
                None => {
                    taken.add(&claim, self.claims.len());
                    self.claims.push(claim);
                }
                Some(Obstacle::Owner(_, reason) | Obstacle::Other(reason)) => {
                    own.iter().for_each(|label| self.spare(label, &claim.path));
                    self.refused.push((claim, reason));
                }
            }
        }
    }

    /// Keyed hashes of the domains that are claimed, where that matters.
    fn moving(&self) -> HashSet<u64> {
        if self.vanished.is_empty() {
            return HashSet::new();
        }
        self.claims.iter().map(|claim| hash_name(claim.definition.domain.as_bytes())).collect()
    }

    /// Refuses a claim; true where that spares a tenant.
    fn refuse(&mut self, claim: Claim, reason: Diagnostic, tenants: &Tenants) -> bool {
        let labels = self.vanished_of(&claim.definition.domain, tenants);
        labels.iter().for_each(|label| self.spare(label, &claim.path));
        self.refused.push((claim, reason));
        !labels.is_empty()
    }

    /// A tenant stays as it is; from now on this file speaks for it.
    pub(super) fn spare(&mut self, label: &[u8], path: &Arc<str>) {
        if let Some((label, (tenant, _))) = self.vanished.remove_entry(label) {
            self.spared.insert(label, (tenant, Arc::clone(path)));
        }
    }

    fn unspare(&mut self, domain: &str, tenants: &Tenants) -> Vec<Box<[u8]>> {
        let labels = labels_in(&self.spared, domain, tenants);
        for label in &labels {
            if let Some((label, tenant)) = self.spared.remove_entry(label) {
                self.vanished.insert(label, tenant);
            }
        }
        labels
    }

    /// Labels under which a domain was served until this batch.
    pub(super) fn vanished_of(&self, domain: &str, tenants: &Tenants) -> Vec<Box<[u8]>> {
        labels_in(&self.vanished, domain, tenants)
    }

    /// Whether a claim could not be granted now, were its own last good content out of the way.
    pub(super) fn is_blocked(
        &mut self,
        claim: &Claim,
        tenants: &Tenants,
        around: &Surroundings<'_>,
        pools: &PoolTable,
    ) -> bool {
        for tenant in
            tenants.of_domain(&claim.definition.domain).filter(|tenant| tenants.is_kept_by(tenant, &claim.path))
        {
            self.vanished.insert(tenant.label().into(), (Arc::clone(tenant), Arc::clone(&claim.path)));
        }
        self.obstacle(claim, &self.moving(), &Taken::default(), tenants, around, pools).is_some()
    }

    fn obstacle(
        &self,
        claim: &Claim,
        moving: &HashSet<u64>,
        taken: &Taken,
        tenants: &Tenants,
        around: &Surroundings<'_>,
        pools: &PoolTable,
    ) -> Option<Obstacle> {
        let definition = &claim.definition;
        let place = || place_of(claim);
        let named = |claim: &Claim| format!("{}:{} ({})", claim.path, claim.definition.line, claim.definition.domain);
        let endpoint_taken = |by: &str| {
            let message = format!("endpoint {} of {} is taken by {by}", definition.endpoint, definition.domain);
            let help = "the one served now stays: give one of the two another `endpoint`, or remove it";
            Diagnostic::error("MX4202", place(), message, help)
        };
        let domain_taken = |by: &str| {
            let message = format!("{} is defined already by {by}", definition.domain);
            Diagnostic::error("MX4203", place(), message, "the one served now stays: remove one of the two")
        };
        if let Some(other) = taken.by_domain(definition, &self.claims) {
            return Some(Obstacle::Other(domain_taken(&format!("{}:{}", other.path, other.definition.line))));
        }
        if let Some(other) = taken.by_label(definition, &self.claims) {
            return Some(Obstacle::Other(endpoint_taken(&named(other))));
        }
        let owner = tenants.table.get(definition.endpoint.as_bytes()).cloned();
        if let Some(owner) = owner.as_ref().filter(|owner| !self.gives_way(owner, &definition.domain, moving, tenants))
        {
            let same = owner.is_of(&definition.domain);
            let reason = match same {
                true => domain_taken(&tenants.place_of(owner, around)),
                false => endpoint_taken(&tenants.named(owner, around)),
            };
            return Some(Obstacle::Owner(Arc::clone(owner), reason));
        }
        let is_own = owner.is_some_and(|owner| owner.is_of(&definition.domain));
        if let Some(reason) = false_a_label(claim, is_own, tenants) {
            return Some(Obstacle::Other(reason));
        }
        if let Some(owner) = tenants.reserved_for(definition) {
            let by = format!("{owner}, which was served there when the last process ended");
            return Some(Obstacle::Other(endpoint_taken(&by)));
        }
        let mut others = tenants.of_domain(&definition.domain);
        let other = others.find(|tenant| {
            *tenant.label() != *definition.endpoint.as_bytes()
                && !self.gives_way(tenant, &definition.domain, moving, tenants)
        });
        if let Some(other) = other {
            return Some(Obstacle::Other(domain_taken(&tenants.place_of(other, around))));
        }
        if let Some(pool) = definition.pool.as_deref().filter(|pool| pools.index(pool).is_none()) {
            if let Some(cause) = pools.why_broken(pool) {
                let message = format!("pool `{pool}` of {} cannot be used: {}", definition.domain, cause.one_line());
                let help = "mend the pool; its tenants are served with it";
                return Some(Obstacle::Other(Diagnostic::error(WAITS_FOR_POOL, place(), message, help)));
            }
            let message = format!("pool `{pool}` of {} is not defined", definition.domain);
            return Some(Obstacle::Other(Diagnostic::error("MX4204", place(), message, pools.help_for(pool))));
        }
        taken_by_zone(claim, around).map(Obstacle::Other)
    }

    /// Whether a served tenant makes room for `domain`. Its own domain always gets it back; another one only where the
    /// tenant moves elsewhere in this very batch. What merely goes is first judged by the shrink guard.
    fn gives_way(&self, owner: &Tenant, domain: &str, moving: &HashSet<u64>, tenants: &Tenants) -> bool {
        let same = owner.is_of(domain);
        match self.vanished.contains_key(owner.label()) {
            true => same || moving.contains(&hash_name(owner.domain().as_bytes())),
            false => same && tenants.is_held(owner.label()),
        }
    }
}

impl Tenants {
    /// The granted claims for which there is room; who has a tenant already needs none.
    pub(super) fn admit(&mut self, claims: Vec<Claim>, around: &Surroundings<'_>) -> Vec<Claim> {
        let mut room = around.tenants_max.saturating_sub(self.table.len());
        if claims.len() <= room {
            return claims;
        }
        let mut all = limit::Surpluses::new();
        let mut admitted = Vec::with_capacity(claims.len().min(around.tenants_max));
        for claim in claims {
            let definition = &claim.definition;
            let is_new = self.table.get(definition.endpoint.as_bytes()).is_none()
                && self.of_domain(&definition.domain).next().is_none();
            if is_new && room == 0 {
                limit::add(&mut all, &claim.path, definition.line, || definition.domain.clone());
                continue;
            }
            room -= usize::from(is_new);
            admitted.push(claim);
        }
        self.refuse_surplus(all, around);
        admitted
    }

    /// Why an entry would not be served if its file were written now; none: it would be. Nothing changes.
    pub fn why_refused(
        &self,
        path: &str,
        definition: Definition,
        around: &Surroundings<'_>,
        pools: &PoolTable,
    ) -> Option<Diagnostic> {
        let claim = Claim { path: path.into(), file: u32::MAX, definition: self.named_before(definition) };
        let found = Batch::default().obstacle(&claim, &HashSet::new(), &Taken::default(), self, around, pools);
        if let Some(Obstacle::Owner(_, reason) | Obstacle::Other(reason)) = found {
            return Some(reason);
        }
        let is_full = self.table.len() >= around.tenants_max;
        is_full.then(|| no_room(place_of(&claim), &claim.definition.domain, around))
    }
}

impl Taken {
    fn add(&mut self, claim: &Claim, at: usize) {
        self.labels.insert(hash_name(claim.definition.endpoint.as_bytes()), at);
        self.domains.insert(hash_name(claim.definition.domain.as_bytes()), at);
    }

    fn by_label<'c>(&self, definition: &Definition, claims: &'c [Claim]) -> Option<&'c Claim> {
        let at = self.labels.get(&hash_name(definition.endpoint.as_bytes()))?;
        claims.get(*at).filter(|claim| claim.definition.endpoint == definition.endpoint)
    }

    fn by_domain<'c>(&self, definition: &Definition, claims: &'c [Claim]) -> Option<&'c Claim> {
        let at = self.domains.get(&hash_name(definition.domain.as_bytes()))?;
        claims.get(*at).filter(|claim| claim.definition.domain == definition.domain)
    }
}

fn place_of(claim: &Claim) -> Place {
    Place { file: claim.path.to_string(), line: claim.definition.line, ..Place::default() }
}

/// An endpoint that IDNA-aware programs refuse; one that is served already stays.
fn false_a_label(claim: &Claim, is_own: bool, tenants: &Tenants) -> Option<Diagnostic> {
    let Definition { endpoint, domain, explicit_endpoint, .. } = &claim.definition;
    if !explicit_endpoint || is_own || !is_false_a_label(endpoint) || tenants.homes.was_at(endpoint.as_bytes(), domain)
    {
        return None;
    }
    let message = format!("endpoint {endpoint} of {domain} looks like an A-label and is none");
    let help =
        "senders that know IDNA refuse it (RFC 5890 § 2.3.1): write one without dashes in the third and fourth place";
    Some(Diagnostic::error("MX4207", place_of(claim), message, help))
}

/// An endpoint whose name a zone has: its own master file, or one at or below it.
fn taken_by_zone(claim: &Claim, around: &Surroundings<'_>) -> Option<Diagnostic> {
    let Definition { endpoint, domain, .. } = &claim.definition;
    let name = Name::below(endpoint.as_bytes(), around.apex).ok()?;
    if around.cut.is_some_and(|cut| cut.contains(endpoint.as_bytes())) {
        let message = format!("endpoint {endpoint} of {domain} belongs to a zone at {name} or below");
        let help = "give the tenant another `endpoint`, or remove that zone's master file";
        return Some(Diagnostic::error("MX4205", place_of(claim), message, help));
    }
    let content = around.content.filter(|content| content.node(&name).is_some())?;
    let source = content.source(&name).unwrap_or_else(|| "the zone's master file".to_owned());
    let message = format!("endpoint {endpoint} of {domain} is taken by {source}");
    let help = "give the tenant another `endpoint`, or remove the records there";
    Some(Diagnostic::error("MX4205", place_of(claim), message, help))
}

/// Labels of a domain's tenants that are in `all`.
fn labels_in(all: &Vanished, domain: &str, tenants: &Tenants) -> Vec<Box<[u8]>> {
    if all.is_empty() {
        return Vec::new();
    }
    let known = tenants.of_domain(domain).filter(|tenant| all.contains_key(tenant.label()));
    known.map(|tenant| tenant.label().into()).collect()
}
