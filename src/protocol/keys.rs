//! What commands about keys ask of the server, and what it answers: plain values, the same as `-o json` prints.
//!
//! No private key ever leaves the server this way; an import brings some in, over a socket that only its owner can use.

use super::states::KeyPhase;
use super::words::{KeyRole, ParentKind};
use crate::protocol::lives::{Calendar, Story};
use crate::protocol::states::KeysStanding;
use serde::{Deserialize, Serialize};

/// A roll as a command asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RollAsked {
    /// `ksk`, `zsk`, `csk`; none: the keys that sign data (a CSK, or the ZSK).
    pub role: Option<KeyRole>,
    /// Waits are those of honest caches only.
    pub emergency: bool,
    /// Another algorithm for all keys.
    pub algorithm: Option<u8>,
    /// Takes the roll under way back.
    pub back: bool,
    /// The zone goes insecure.
    pub insecure: bool,
    /// The code that a first person was given for it.
    pub confirm: Option<String>,
}

/// How a person ends the silence of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SilenceEnd {
    /// New keys are made in place of those that are gone: the DS of before goes.
    NewKeys,
    /// The old copy of its folder is served.
    ServeOn,
}

/// A person's word that this server leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadAsked {
    /// Why.
    pub reason: String,
    /// Changes nothing.
    pub dry_run: bool,
}

/// What a word about who leads has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadInfo {
    /// Why this server did not lead; empty: it did.
    pub before: String,
    /// Whether it leads now.
    pub leads: bool,
    /// Whether it leads from its next start on.
    #[serde(default)]
    pub restart: bool,
}

/// The keys of a zone: what is, what waits and until when, what the server will do, and what a person must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysInfo {
    /// Apex with final dot.
    pub zone: String,
    /// How they stand; `blockers` say why.
    pub state: KeysStanding,
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// Name of the policy.
    pub policy: String,
    /// Who serves its parent.
    pub parent: ParentKind,
    /// All keys that are there, and those removed whose private half is still kept.
    pub keys: Vec<KeyInfo>,
    /// What is told of it as of all that lives by facts.
    #[serde(flatten)]
    pub story: Story,
    /// The DS set that the parent should have, as tags.
    pub ds_wanted: Vec<u16>,
    /// What each address of the parent shows.
    pub parent_servers: Vec<ParentServerInfo>,
    /// What is to be said about the clock; empty: nothing.
    pub clock: String,
    /// The moment of this answer, seconds since 1970.
    pub now: u64,
}

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Key tag.
    pub tag: u16,
    /// What it is for.
    pub role: KeyRole,
    /// Algorithm number.
    pub algorithm: u8,
    /// How far it has come.
    pub phase: KeyPhase,
    /// Seconds since 1970 when it was made.
    pub created: u64,
    /// When its DNSKEY was first to be served.
    pub published: Option<u64>,
    /// When it was first to sign data.
    pub activated: Option<u64>,
    /// When it stopped signing data.
    pub retired: Option<u64>,
    /// When its DNSKEY was withdrawn.
    pub removed: Option<u64>,
    /// Why it is to be replaced; none: it is not.
    pub outgoing: Option<String>,
    /// Whether that is an emergency.
    pub emergency: bool,
    /// DS record for the registry, in master-file form; only of keys that a DS may name.
    pub ds: Option<String>,
    /// DNSKEY record in master-file form.
    pub dnskey: String,
}

/// What an address of the parent shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentServerInfo {
    /// Address with port.
    pub address: String,
    /// Tags of our keys that its DS set names; none: nothing was seen yet.
    pub ds: Option<Vec<u16>>,
    /// Entries that name no key of ours.
    pub unknown: Vec<String>,
    /// Since when it shows this set, seconds since 1970.
    pub since: Option<u64>,
    /// Why the last round had no answer from it; empty: it had.
    pub fault: String,
}

/// The calendar of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysPlan {
    /// Apex with final dot.
    pub zone: String,
    /// What comes, as of all that lives by facts.
    #[serde(flatten)]
    pub calendar: Calendar<KeyBar>,
}

/// A key's phases over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBar {
    /// Key tag; of a key that is still to be made: none.
    pub tag: Option<u16>,
    /// What it is for.
    pub role: KeyRole,
    /// Algorithm number.
    pub algorithm: u8,
    /// Moments, seconds since 1970, from which on each phase holds.
    pub phases: Vec<(u64, KeyPhase)>,
}

/// A key that is brought in: the texts of its files.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedKey {
    /// The private half (BIND `.private`, PEM); none: it stays elsewhere, and only its DNSKEY is published on.
    pub private: Option<String>,
    /// The `.key` file.
    pub public: Option<String>,
    /// `ksk`, `zsk`, `csk`; none: by its flags and the others.
    pub role: Option<KeyRole>,
    /// Whether it signs there now; none: not known.
    #[serde(default)]
    pub signs: Option<bool>,
    /// Where it was read, for messages.
    pub source: String,
}

/// Key material has no printed form.
impl std::fmt::Debug for ImportedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImportedKey({}, role {:?}, private half: {})", self.source, self.role, self.private.is_some())
    }
}
