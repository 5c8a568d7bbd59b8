//! The one rule that no step may break: whatever addresses and TLSA records a sender holds, the host that it meets fits.
//!
//! The same function judges the next step of a server and the whole past of a simulated one. It never looks at policies:
//! they order steps, and only this permits them.
//!
//! A resolver keeps every RRset by itself, so any addresses A and any TLSA set T that may be in caches at one moment may
//! meet, at a host H of A that shows a key S then. With T not empty it holds at each moment, for each A, T, S with H in A:
//! S is in T, and H offers STARTTLS at all (RFC 7672 § 2.2: where TLSA records are secure, mail waits rather than go without).
//! Spans are intervals: three of them that meet pairwise meet all, so all pairs are looked at, which is complete.

use super::Profile;
use crate::cert::Spki;
use crate::roll::item::Span;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Keys whose TLSA are served together. All are `3 1 1`, so one match is enough (RFC 7671 § 8).
pub type SpkiSet = BTreeSet<Spki>;
/// Addresses that are served together.
pub type AddressSet = BTreeSet<IpAddr>;

/// What a host offers to those who ask in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// A certificate with this key.
    Key(Spki),
    /// A certificate with a key that is none of the pool's.
    Other,
    /// No STARTTLS.
    Plain,
}

/// What a host shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Showing {
    /// Which host.
    pub address: IpAddr,
    /// To whom.
    pub profile: Profile,
    /// What.
    pub offer: Offer,
}

/// All that senders may hold and meet, each with its span.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Addresses in caches.
    pub addresses: Vec<Span<AddressSet>>,
    /// TLSA sets in caches; empty: none, so that DANE does not apply.
    pub tlsa: Vec<Span<SpkiSet>>,
    /// What hosts show.
    pub shows: Vec<Span<Showing>>,
}

/// Something that a sender may hold and a host that it may meet then, which do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The TLSA set.
    pub tlsa: SpkiSet,
    /// The host, and what it shows.
    pub showing: Showing,
}

/// Proves that no sender can fail: every mixture of addresses and TLSA records that caches may hold fits what hosts show.
///
/// # Errors
/// The first that do not fit.
pub fn dane_ok(history: &History) -> Result<(), Box<Conflict>> {
    for shown in &history.shows {
        let reachable =
            |addresses: &&Span<AddressSet>| addresses.what.contains(&shown.what.address) && addresses.meets(shown);
        for addresses in history.addresses.iter().filter(reachable) {
            for tlsa in history.tlsa.iter().filter(|tlsa| tlsa.meets(shown) && tlsa.meets(addresses)) {
                fits(&tlsa.what, &shown.what)?;
            }
        }
    }
    Ok(())
}

/// Whether a sender that holds these TLSA delivers to a host that shows this.
///
/// # Errors
/// Both.
pub fn fits(tlsa: &SpkiSet, showing: &Showing) -> Result<(), Box<Conflict>> {
    let good = match showing.offer {
        Offer::Key(spki) => tlsa.is_empty() || tlsa.contains(&spki),
        Offer::Other | Offer::Plain => tlsa.is_empty(),
    };
    if good { Ok(()) } else { Err(Box::new(Conflict { tlsa: tlsa.clone(), showing: *showing })) }
}
