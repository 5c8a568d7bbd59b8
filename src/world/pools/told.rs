//! What ways between pools are told in, between those who decide and those who keep: who joined, who left, where they lead.
//!
//! Pure values.

use crate::dns::name::Name;
use crate::world::pools::PoolServed;
use std::collections::BTreeSet;
use std::fmt;

/// A tenant's endpoint: its label and the zone. A domain may be a tenant of two zones.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    /// The first label.
    pub label: &'a str,
    /// The rest.
    pub apex: &'a Name,
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.label, self.apex)
    }
}

/// Where an earlier process kept that a tenant is.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The pool, or the one that its way leads to.
    pub pool: &'a str,
    /// The way.
    pub way: Option<&'a str>,
}

/// Where a way leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The pools whose hosts senders may still be led to.
    pub from: Vec<String>,
    /// The pool that its tenants go to.
    pub to: String,
}

/// A way that tenants have joined, as it must be durable before they are served by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its name.
    pub way: String,
    /// The pool or way that they leave: caches hold what it served.
    pub left: String,
    /// Where it leads.
    pub route: Route,
    /// All endpoints on it, one a line.
    pub endpoints: String,
    /// Those of them that joined now.
    pub news: String,
}

/// Tenants that left a way for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The way's name.
    pub way: String,
    /// All endpoints that are still on it, one a line.
    pub endpoints: String,
    /// Those that are not, each with a dash in front.
    pub news: String,
}

/// A way that an earlier process began.
pub struct KnownWay {
    /// Its name.
    pub way: String,
    /// Where it leads.
    pub route: Route,
    /// All endpoints on it, one a line.
    pub endpoints: String,
}

/// A way whose tenants are to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayWanted {
    /// Its name.
    pub way: String,
    /// Whether nobody is on it any more, or may come back to it: then it ends.
    pub is_left: bool,
}

/// What is served to tenants on a way.
pub enum WayServed {
    /// This.
    Served(PoolServed),
    /// What they were served before: the way could not be begun yet.
    AsBefore,
    /// What the pool serves that they went to: they have arrived.
    Ended,
}

/// Endpoints of a list: each line adds one, or with a dash in front takes one away. No endpoint begins with a dash.
pub(super) fn listed(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix('-') {
            Some(left) => drop(all.remove(left)),
            None => drop(all.insert(line.to_owned())),
        }
    }
    all
}
