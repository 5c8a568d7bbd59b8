//! Removals of tenants that the shrink guard holds back, as a finding: somebody must say whether they are meant.
//!
//! Pure.

use crate::diagnostic::{Diagnostic, Place};
use crate::world::zones::ZoneState;
use crate::world::{World, ZONE_SUFFIX};

/// Its code.
const HELD: &str = "MX4210";

impl World {
    /// That removals wait for a person.
    pub(super) fn held(&self, zone: &ZoneState) -> Option<Diagnostic> {
        let place = Place::file(self.shown(zone.path.trim_end_matches(ZONE_SUFFIX)) + "/");
        let (count, apex) = (zone.tenants.held_count(), &zone.apex);
        let message = format!("removals of {count} tenants of {apex} are held back: no file defines them any more");
        let help = "bring their files back; or, if they are to go, `mxseal reload --allow-shrink`";
        (count > 0).then(|| Diagnostic::error(HELD, place, message, help))
    }
}
