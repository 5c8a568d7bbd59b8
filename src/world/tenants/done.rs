//! What a batch of files did to the tenants of a zone: how many of each kind, and the names of the first ones.
//!
//! Pure.

use std::fmt::{self, Display, Formatter};

/// Tenants that are named in one line of the log, at most: more are a bulk change, whose file tells.
pub const NAMED_MAX: usize = 20;

/// What became of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// Its content changed.
    Changed,
    /// It went.
    Removed,
    /// Its removal is held back.
    Held,
}

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Tenants that are new.
    pub added: u64,
    /// Tenants whose content changed.
    pub changed: u64,
    /// Tenants that went.
    pub removed: u64,
    /// Tenants whose removal is held back now, and were not before.
    pub held: u64,
    /// The domains of the first of them; none of those that a start finds.
    pub named: Vec<(Change, String)>,
}

impl Done {
    /// One tenant more; its domain is only asked for where it will be named.
    pub fn note(&mut self, change: Change, domain: impl FnOnce() -> String) {
        match change {
            Change::Added => self.added += 1,
            Change::Changed => self.changed += 1,
            Change::Removed => self.removed += 1,
            Change::Held => self.held += 1,
        }
        if self.named.len() < NAMED_MAX {
            self.named.push((change, domain()));
        }
    }

    /// Adds what another batch did.
    pub fn add(&mut self, more: &Done) {
        self.added += more.added;
        self.changed += more.changed;
        self.removed += more.removed;
        self.held += more.held;
        let room = NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend(more.named.iter().take(room).cloned());
    }

    /// Whether nothing changed.
    pub fn is_nothing(&self) -> bool {
        (self.added, self.changed, self.removed, self.held) == (0, 0, 0, 0)
    }
}

/// `added a.example, b.example; removed c.example; 3 more`.
impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kinds = [
            (Change::Added, "added"),
            (Change::Changed, "changed"),
            (Change::Removed, "removed"),
            (Change::Held, "held back the removal of"),
        ];
        let part = |(kind, word): (Change, &str)| {
            let names: Vec<&str> = self.named.iter().filter(|(of, _)| *of == kind).map(|(_, name)| &**name).collect();
            (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
        };
        let mut parts: Vec<String> = kinds.into_iter().filter_map(part).collect();
        let all = self.added + self.changed + self.removed + self.held;
        let more = all.saturating_sub(u64::try_from(self.named.len()).unwrap_or(u64::MAX));
        if more > 0 && !parts.is_empty() {
            parts.push(format!("{more} more"));
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_twenty_are_named_by_what_became_of_them_and_the_others_counted() {
        let mut done = Done::default();
        assert!(done.is_nothing() && done.to_string().is_empty());
        done.note(Change::Added, || "a.example".to_owned());
        done.note(Change::Removed, || "b.example".to_owned());
        let mut more = Done::default();
        more.note(Change::Added, || "c.example".to_owned());
        done.add(&more);
        assert_eq!(done.to_string(), "added a.example, c.example; removed b.example");
        (0..30).for_each(|n| done.note(Change::Changed, || format!("n{n}.example")));
        let text = done.to_string();
        assert_eq!((done.named.len(), done.changed), (NAMED_MAX, 30));
        assert!(text.contains("n16.example; removed b.example; 13 more"), "{text}");
        let start = Done { added: 1_000_000, ..Done::default() };
        assert_eq!(start.to_string(), "", "a start names nobody");
    }
}
