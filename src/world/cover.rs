//! Zones whose names belong to a tenant: whoever was served first stays.
//!
//! Pure. A master file may come for a name at or below the endpoint of a tenant that is served; it would take the tenant's
//! addresses and TLSA away, and all below would be bogus for whoever holds the denial of a delegation. So it waits.

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name};
use crate::world::World;

impl World {
    /// The zones above one, each with the label just below its apex that leads there.
    fn above<'a>(&'a self, apex: &'a Name) -> impl Iterator<Item = (&'a Name, &'a [u8])> {
        let count = name::label_count(apex);
        name::ancestors(apex).skip(1).filter_map(move |suffix| {
            let (parent, _) = self.zones.get_key_value(suffix)?;
            Some((parent, name::labels(apex).nth(count - name::label_count(parent) - 1)?))
        })
    }

    /// Why a zone is not served: a tenant above it is, or was when the last process ended.
    fn why_covered(&self, apex: &Name) -> Option<Diagnostic> {
        let zone = self.zones.get(apex).filter(|zone| !zone.is_served())?;
        self.above(apex).find_map(|(parent, label)| {
            let tenants = &self.zones.get(parent)?.tenants;
            let kept = || tenants.homes.before(label).filter(|_| tenants.homes.is_start);
            let owner = match tenants.table.get(label) {
                Some(tenant) => tenant.domain(),
                None => kept()?.domain.unwrap_or("a tenant").to_owned(),
            };
            let endpoint = Name::below(label, parent).ok()?;
            let message = format!("the zone {apex} is not served: {endpoint} is the endpoint of {owner}");
            let help = "the tenant was served first and stays: remove this file, or give the tenant another `endpoint`";
            Some(Diagnostic::error("MX2125", Place::file(self.shown(&zone.path)), message, help))
        })
    }

    /// Which zones wait for tenants, and which labels are no tenants' since zones have them.
    pub(super) fn cover(&mut self) {
        let apexes: Vec<Name> = self.zones.keys().cloned().collect();
        for apex in &apexes {
            let covered = self.why_covered(apex);
            if let Some(zone) = self.zones.get_mut(apex) {
                zone.cut.clear();
                zone.covered = covered;
            }
        }
        for apex in &apexes {
            let is_there = self.zones.get(apex).is_some_and(|zone| zone.covered.is_none() && zone.has_content());
            let above: Vec<(Name, Box<[u8]>)> =
                self.above(apex).filter(|_| is_there).map(|(parent, label)| (parent.clone(), label.into())).collect();
            for (parent, label) in above {
                if let Some(zone) = self.zones.get_mut(&parent) {
                    zone.cut.insert(label);
                }
            }
        }
    }

    /// Zones that waited for a tenant which is there no more are served.
    pub(super) fn uncover(&mut self) {
        let covered = self.zones.iter().filter(|(_, zone)| zone.covered.is_some()).map(|(apex, _)| apex);
        if covered.collect::<Vec<_>>().into_iter().any(|apex| self.why_covered(apex).is_none()) {
            self.build();
        }
    }
}
