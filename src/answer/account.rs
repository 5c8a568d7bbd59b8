//! What limits count an answer under: the kind of outcome, the zone, and, where strangers cannot invent it, the name.

use crate::dns::rrset::hash_name;
use crate::zone::Found;

/// The kind of an answer: its outcome, not its response code, since a compact denial is NOERROR (RFC 9824 § 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Class {
    /// What was asked for, aliases included.
    Positive,
    /// No such name, or no such type at it.
    Denial,
    /// A delegation.
    Referral,
    /// REFUSED, FORMERR and the like, and what the server says about itself.
    #[default]
    Error,
}

/// What limits count an answer under. Answers that differ in nothing here share what they may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Account {
    /// The kind of answer.
    pub class: Class,
    /// Keyed hash of the apex of the zone that answers; 0 where none does.
    pub zone: u64,
    /// Keyed hash of the name asked, for positive answers of names that exist. Else 0: denials, wildcard expansions and
    /// names below a DNAME are without end, so a name of its own for each would be no limit.
    pub name: u64,
    /// Whether a valid server cookie came along, which only a real source can have (RFC 7873 § 4.2).
    pub proven: bool,
}

impl Account {
    /// Notes what the zone at `apex` found for `name`. The last step of a chain of aliases decides, but what the first
    /// one made up stays made up.
    pub(super) fn note(&mut self, apex: &[u8], name: &[u8], found: &Found<'_>, is_first: bool) {
        let before = self.class;
        self.zone = hash_name(apex);
        let (class, is_own_name) = match found {
            Found::Set(_, slot, _) | Found::Alias(_, slot) | Found::Nsec(_, slot) => (Class::Positive, slot.is_some()),
            Found::Redirect(..) => (Class::Positive, false),
            Found::NoData(..) | Found::Missing => (Class::Denial, false),
            // An alias that leads to a delegation is what was asked for.
            Found::Referral(_) if !is_first => (before, true),
            Found::Referral(_) => (Class::Referral, false),
        };
        self.class = class;
        if !is_own_name {
            self.name = 0;
        } else if is_first {
            self.name = hash_name(name);
        }
    }
}
