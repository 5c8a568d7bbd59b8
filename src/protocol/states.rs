//! How zones and their keys stand, in the words that commands print and that `-o json` has: one list for all of them.
//!
//! Of one zone they agree: where its keys are `frozen` or `silent`, so is the zone.

use serde::{Deserialize, Serialize};

/// How a zone stands. Of several that hold, the first one of this list is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneStanding {
    /// It gets SERVFAIL, and its findings say why.
    Silent,
    /// Its names belong to a tenant of a zone above, which answers them.
    Waiting,
    /// It is served and signed; none of its keys is taken away, and no roll begins by itself.
    Frozen,
    /// Its master file is broken now: what was good before is served.
    #[serde(rename = "last good")]
    LastGood,
    /// It is served as its file says.
    #[default]
    Serving,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

impl ZoneStanding {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ZoneStanding::Silent => "silent",
            ZoneStanding::Waiting => "waiting",
            ZoneStanding::Frozen => "frozen",
            ZoneStanding::LastGood => "last good",
            ZoneStanding::Serving => "serving",
            ZoneStanding::Unknown => "unknown",
        }
    }

    /// Whether queries for its names are answered from it.
    pub fn is_answered(self) -> bool {
        matches!(self, ZoneStanding::Frozen | ZoneStanding::LastGood | ZoneStanding::Serving)
    }
}

/// How the keys of a zone stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeysStanding {
    /// They cannot be used, so the zone gets SERVFAIL.
    #[serde(rename = "silent")]
    Silent,
    /// Its zone waits for a tenant at its name, and has no keys yet.
    #[serde(rename = "waiting")]
    Waiting,
    /// They sign; none is taken away, and no roll begins by itself: something is in doubt, or a person holds them.
    #[serde(rename = "frozen")]
    Frozen,
    /// There are none: the zone is served unsigned.
    #[serde(rename = "insecure")]
    Insecure,
    /// Keys are being replaced.
    #[serde(rename = "rolling")]
    Rolling,
    /// Nothing is to be done now.
    #[default]
    #[serde(rename = "at rest")]
    AtRest,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl KeysStanding {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            KeysStanding::Silent => "silent",
            KeysStanding::Waiting => "waiting",
            KeysStanding::Frozen => "frozen",
            KeysStanding::Insecure => "insecure",
            KeysStanding::Rolling => "rolling",
            KeysStanding::AtRest => "at rest",
            KeysStanding::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_word_that_people_read_and_a_new_word_is_no_fault() {
        use ZoneStanding::{Frozen, LastGood, Serving, Silent, Waiting};
        for standing in [Silent, Waiting, Frozen, LastGood, Serving] {
            let word = serde_json::to_value(standing).expect("a word");
            assert_eq!(word, standing.word());
            assert_eq!(serde_json::from_value::<ZoneStanding>(word).expect("read"), standing);
        }
        let read = |word: &str| serde_json::from_value::<ZoneStanding>(word.into()).expect("read");
        assert_eq!(read("of the future"), ZoneStanding::Unknown);
        use KeysStanding::{AtRest, Insecure, Rolling};
        for standing in [KeysStanding::Silent, KeysStanding::Waiting, KeysStanding::Frozen, Insecure, Rolling, AtRest] {
            assert_eq!(serde_json::to_value(standing).expect("a word"), standing.word());
        }
        assert_eq!(
            serde_json::from_value::<KeysStanding>("of the future".into()).expect("read"),
            KeysStanding::Unknown
        );
    }
}
