//! Whose a name is: the tenants of a domain, names that are kept for whoever was served there, and names of before.
//!
//! Pure.

use crate::world::tenants::{Tenants, Waiting};
use crate::zone::endpoint::Tenant;
use crate::zone::tenant::{self, Definition};
use std::sync::Arc;

impl Tenants {
    /// The tenant of a domain; one that is held only where there is no other.
    pub fn by_domain<'t>(&'t self, domain: &'t str) -> Option<&'t Arc<Tenant>> {
        let mut found = self.of_domain(domain);
        let first = found.next()?;
        Some(found.find(|_| self.is_held(first.label())).unwrap_or(first))
    }

    /// All tenants of a domain: one, and such as are held under another endpoint.
    pub(crate) fn of_domain<'t>(&'t self, domain: &'t str) -> impl Iterator<Item = &'t Arc<Tenant>> {
        let some = !self.table.is_empty();
        let explicit = some.then(|| self.explicit.get(domain)).flatten().and_then(|label| self.table.get(label));
        let derived = some.then(|| self.table.get(tenant::endpoint_of(domain).as_bytes())).flatten();
        let derived = derived.filter(move |derived| explicit.is_none_or(|explicit| !Arc::ptr_eq(explicit, derived)));
        let old = some.then(|| self.table.get(tenant::old_endpoint_of(domain)?.as_bytes())).flatten();
        let old = old.filter(move |old| explicit.is_none_or(|explicit| !Arc::ptr_eq(explicit, old)));
        explicit.into_iter().chain(derived).chain(old).filter(move |tenant| tenant.is_of(domain))
    }

    /// A tenant that is served under the label that was once made of its domain keeps it.
    pub(crate) fn named_before(&self, definition: Definition) -> Definition {
        let is_there =
            |label: &str| self.table.get(label.as_bytes()).is_some_and(|tenant| tenant.is_of(&definition.domain));
        match keeps(&definition, |label| is_there(label) || self.homes.was_at(label.as_bytes(), &definition.domain)) {
            Some(endpoint) => Definition { endpoint, ..definition },
            None => definition,
        }
    }

    /// The domain that a name is kept for, where another one wants it: while a start is under way, or its file is broken.
    pub(crate) fn reserved_for(&self, definition: &Definition) -> Option<&str> {
        let owner = self.homes.owner(definition.endpoint.as_bytes()).filter(|owner| *owner != definition.domain)?;
        (self.homes.is_start || self.is_broken(owner)).then_some(owner)
    }

    /// Whether something broken may be about a domain.
    fn is_broken(&self, domain: &str) -> bool {
        let about = |w: &Waiting| w.definition.is_none() && w.domain.as_deref().is_none_or(|named| named == domain);
        let odd = self.odd_files.iter().filter_map(|path| self.files.get(path)?.odd.as_deref());
        odd.into_iter().any(|odd| odd.fault.is_some() || odd.waiting.iter().any(about))
    }
}

/// The label that was once made of a tenant's domain, where it is served there.
pub(crate) fn keeps(definition: &Definition, is_there: impl Fn(&str) -> bool) -> Option<String> {
    let old = tenant::old_endpoint_of(&definition.domain).filter(|_| !definition.explicit_endpoint)?;
    is_there(&old).then_some(old)
}
