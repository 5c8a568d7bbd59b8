//! What the server says of all that lives by facts: zones' keys and hosts' keys.

use super::words::Verb;
use serde::{Deserialize, Serialize};

/// What was done, what waits, what the server will do, and what a person must do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// What was done lately, newest last.
    pub done: Vec<DoneInfo>,
    /// Steps that are to come and may not be taken yet.
    pub waits: Vec<WaitInfo>,
    /// What stands in the way.
    pub blockers: Vec<BlockerInfo>,
    /// What the server will do next, in a line; empty: nothing.
    pub will: String,
    /// What a person must do now, a line each; empty: nothing.
    pub must: Vec<String>,
    /// When the next step may be taken, seconds since 1970; none: when something is seen, or never.
    pub next_at: Option<u64>,
}

/// Something that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneInfo {
    /// Seconds since 1970.
    pub at: u64,
    /// What.
    pub text: String,
}

/// A step that may not be taken yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitInfo {
    /// What it does.
    pub verb: Verb,
    /// The step in words.
    pub step: String,
    /// Until when, seconds since 1970; none: until something is seen.
    pub until: Option<u64>,
    /// Why.
    pub why: String,
}

/// What stands in the way, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockerInfo {
    /// The fact.
    pub what: String,
    /// What a person must do; empty: nothing.
    pub fix: String,
    /// Whether nothing is taken away while it stands.
    pub freezes: bool,
}

/// What comes when, with a bar for each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar<B> {
    /// Seconds since 1970 of its first and last moment.
    pub from: u64,
    /// See `from`.
    pub until: u64,
    /// Steps to come, and what is to be done with certificates.
    pub steps: Vec<PlannedStep>,
    /// A bar for each key, for pictures.
    pub bars: Vec<B>,
    /// What stands in the way now; the calendar assumes that it is mended at once.
    pub blockers: Vec<BlockerInfo>,
}

/// Nothing comes.
impl<B> Default for Calendar<B> {
    fn default() -> Calendar<B> {
        Calendar { from: 0, until: 0, steps: Vec::new(), bars: Vec::new(), blockers: Vec::new() }
    }
}

/// One step to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Seconds since 1970, at the earliest.
    pub at: u64,
    /// What it does.
    pub verb: Verb,
    /// In words.
    pub text: String,
    /// What it is assumed that others do before; empty: nothing.
    pub assumes: String,
}

#[cfg(test)]
mod tests {
    use crate::protocol::{CertInfo, CertPlan, KeysInfo, KeysPlan};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// The names of the fields of an object in JSON, in their order.
    fn fields<T: Serialize + DeserializeOwned + Default + PartialEq + std::fmt::Debug>() -> Vec<String> {
        let text = serde_json::to_string(&T::default()).expect("JSON");
        assert_eq!(serde_json::from_str::<T>(&text).expect("it is read again"), T::default());
        let parts = text.split('"').collect::<Vec<_>>();
        let is_name = |pair: &&[&str]| pair[1].starts_with(':');
        parts.windows(2).filter(is_name).map(|pair| pair[0].to_owned()).collect()
    }

    #[test]
    fn reports_have_the_fields_that_they_always_had_in_their_order() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let story = "done waits blockers will must next_at";
        let keys = format!("zone state snapshot policy parent keys {story} ds_wanted parent_servers clock now");
        assert_eq!(fields::<KeysInfo>(), words(&keys));
        let cert = format!("pool state snapshot tenants keys certificates hosts names {story} notes clock now");
        assert_eq!(fields::<CertInfo>(), words(&cert));
        assert_eq!(fields::<KeysPlan>(), words("zone from until steps bars blockers"));
        assert_eq!(fields::<CertPlan>(), words("pool from until steps bars blockers"));
    }
}
