//! The numbers of one zone: how it stands, its signatures, its keys.
//!
//! They hold no tenant.

use crate::time::UnixTime;

/// How a zone stands, for whoever watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is answered, and its keys go their way.
    Serving,
    /// It is answered and signed; none of its keys is taken away, and no roll begins by itself.
    Frozen,
    /// It gets SERVFAIL.
    Silent,
    /// Its names belong to a tenant of a zone above, which answers them: it waits.
    Waiting,
}

impl Standing {
    /// Those that are shown, each as a gauge of its own; a zone that waits is in none of them.
    pub const SHOWN: [Standing; 3] = [Standing::Serving, Standing::Frozen, Standing::Silent];

    /// The label of its gauge.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Serving => "serving",
            Standing::Frozen => "frozen",
            Standing::Silent => "silent",
            Standing::Waiting => "waiting",
        }
    }
}

/// One zone.
#[derive(Clone, Debug, Default)]
pub struct ZoneGauges {
    /// How it stands; none: nothing was published of it yet.
    pub standing: Option<Standing>,
    /// When the first of the signatures over its data will expire; none: nothing is signed.
    pub data_expiry: Option<UnixTime>,
    /// When the first of the signatures over DNSKEY, CDS and CDNSKEY will expire.
    pub dnskey_expiry: Option<UnixTime>,
    /// Removals that the shrink guard holds back.
    pub held: u64,
    /// Signatures kept warm now.
    pub signatures_kept: u64,
    /// Signatures that there are to keep; equal to `signatures_kept` once the zone is warm.
    pub signatures_wanted: u64,
    /// Its keys.
    pub keys: Vec<KeyGauge>,
    /// The step that its keys wait for next, by its verb, and when it may be taken; none: no moment is known.
    pub next_event: Option<(&'static str, UnixTime)>,
    /// Whether each address of its parent shows just the wanted DS; none: not looked at, or none is wanted.
    pub parent_ds_match: Option<bool>,
    /// Whether something in doubt keeps its keys from being taken away; so it is of each zone that is silent.
    pub roll_blocked: bool,
}

impl ZoneGauges {
    /// Shows how the keys of the zone stand: what comes next, whether the parent fits, whether something freezes them.
    pub fn set_rolls(
        &mut self,
        next_event: Option<(&'static str, UnixTime)>,
        parent_ds_match: Option<bool>,
        roll_blocked: bool,
    ) {
        (self.next_event, self.parent_ds_match, self.roll_blocked) = (next_event, parent_ds_match, roll_blocked);
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGauge {
    /// Key tag (RFC 4034 appendix B).
    pub tag: u16,
    /// `ksk`, `zsk`, `csk`.
    pub role: &'static str,
    /// Its phase: `staged`, `rumoured`, `ready`, `active`, `retiring`, `removed`.
    pub state: &'static str,
}
