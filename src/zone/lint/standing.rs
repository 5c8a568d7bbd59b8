//! What a zone says about a name of its own, as a resolver would come to see it.

use crate::dns::name::{self, Name};
use crate::dns::rtype::number as rt;
use crate::zone::content::{Content, Node, Role};

/// What there is at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The zone does not speak for it: it lies outside, or below a delegation.
    Others,
    /// An alias, by a CNAME or by a DNAME above it.
    Alias,
    /// It exists; whether with an address.
    There { address: bool },
    /// There is no such name.
    Missing,
}

/// RFC 1034 § 4.3.2, step 3: down from the apex, label by label.
pub(super) fn of(content: &Content, apex: &[u8], wanted: &[u8]) -> Standing {
    if !name::is_within(wanted, apex) {
        return Standing::Others;
    }
    let mut encloser = apex;
    for count in name::label_count(apex)..=name::label_count(wanted) {
        let Some((suffix, node)) = name::suffix(wanted, count).and_then(|at| content.entry(at)) else { break };
        encloser = suffix;
        match node.role {
            Role::Cut | Role::Hidden => return Standing::Others,
            Role::Plain if suffix.len() < wanted.len() && node.set(rt::DNAME).is_some() => return Standing::Alias,
            Role::Plain => {}
        }
    }
    if encloser == wanted {
        return content.node(encloser).map_or(Standing::Missing, at);
    }
    // RFC 4592 § 3.3.1: the source of synthesis lies just below the closest encloser, or there is none.
    let wildcard = Name::below(b"*", encloser).ok();
    wildcard.and_then(|wildcard| content.node(&wildcard)).map_or(Standing::Missing, at)
}

fn at(node: &Node) -> Standing {
    if node.set(rt::CNAME).is_some() {
        return Standing::Alias;
    }
    Standing::There { address: node.set(rt::A).is_some() || node.set(rt::AAAA).is_some() }
}
