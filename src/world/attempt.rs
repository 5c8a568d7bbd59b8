//! Whether a tenant would be served if its file were written: decided as for a file, and nothing is done.

use crate::diagnostic::Diagnostic;
use crate::dns::name::{Name, ROOT};
use crate::protocol::TenantDraft;
use crate::time::UnixTime;
use crate::world::World;
use crate::world::tenants::Surroundings;
use crate::zone::tenant::parse_toml;

impl World {
    /// Why not, in words; none: it would be served.
    pub fn why_not(&self, draft: &TenantDraft, now: UnixTime) -> Option<String> {
        let apex = Name::parse(draft.zone.trim_end_matches('.'), ROOT).ok();
        let Some(zone) = apex.and_then(|apex| self.zones.get(&apex)) else {
            return Some(format!("there is no zone {} here", draft.zone));
        };
        let parsed = parse_toml(&draft.path, &draft.text);
        if let Some(wrong) = parsed.broken.iter().flat_map(|broken| &broken.diagnostics).next() {
            return Some(wrong.one_line());
        }
        let (apex, content, cut) = (&zone.apex, zone.content().map(AsRef::as_ref), Some(&zone.cut));
        let around = Surroundings { apex, content, cut, now, files: &self.files, tenants_max: self.tenants_max };
        let refused = |definition| zone.tenants.why_refused(&draft.path, definition, &around, &self.pools);
        let refused = parsed.entries.into_iter().find_map(refused);
        refused.as_ref().map(Diagnostic::one_line).or_else(|| zone.why_not_served())
    }
}
