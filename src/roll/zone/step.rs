//! The steps of a roll: each one change, which is proved before it is made and recorded before it is seen.

use super::check::{Conflict, History, KeySet, Keys, data_signed, entry, never_bogus};
use super::facts::Fact;
use super::fold::ZoneFacts;
use crate::roll::item::Span;
use crate::roll::life::refusal::{self, prove};
use crate::sign::key::Role;
use crate::time::UnixTime;

/// Why a step may not be taken now.
pub type Refusal = refusal::Refusal<Conflict>;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key is made and stored twice.
    Create {
        /// What it is for.
        role: Role,
        /// Algorithm number.
        algorithm: u8,
    },
    /// Its DNSKEY joins the RRset; an entry key signs it from then on.
    Publish(u16),
    /// It signs data beside the others (the first step to another algorithm).
    Sign(u16),
    /// One key signs data in place of another.
    Switch {
        /// Key tag of the one that signs.
        from: u16,
        /// Key tag of the one that will.
        to: u16,
    },
    /// The parent should have the DS of these keys, and no other.
    WantDs(Vec<u16>),
    /// Its DNSKEY leaves the RRset, or a key that was never published is given up.
    Remove(u16),
    /// It signs data no more.
    StopSigning(u16),
    /// The private half of a key that was removed long ago is wiped.
    Destroy(u16),
    /// Keys have reached the end of their life, and are to be replaced.
    Retire(Vec<u16>, String),
    /// The zone is served without signatures.
    Unsign,
}

impl Step {
    /// What is recorded before it is made. A key that is to be made is recorded by whoever makes it.
    pub fn fact(&self) -> Option<Fact> {
        Some(match self {
            Step::Create { .. } => return None,
            Step::Publish(tag) => Fact::KeyPublished { tag: *tag },
            Step::Sign(tag) => Fact::KeyActivated { tag: *tag },
            Step::Switch { from, to } => Fact::KeySwitched { from: *from, to: *to },
            Step::WantDs(tags) => Fact::DsWanted { tags: tags.clone() },
            Step::Remove(tag) => Fact::KeyRemoved { tag: *tag },
            Step::StopSigning(tag) => Fact::KeyRetired { tag: *tag },
            Step::Destroy(tag) => Fact::KeyDestroyed { tag: *tag },
            Step::Retire(tags, reason) => {
                Fact::RollWanted { tags: tags.clone(), emergency: false, reason: reason.clone() }
            }
            Step::Unsign => Fact::Unsigned {},
        })
    }

    /// Whether it takes away what was published: a frozen zone does not (lifecycle § 4).
    pub fn takes_away(&self, facts: &ZoneFacts) -> bool {
        match self {
            Step::Remove(tag) => facts.key(*tag).is_some_and(|key| key.published.is_some()),
            Step::StopSigning(_) | Step::Destroy(_) | Step::Unsign => true,
            Step::WantDs(tags) => facts.ds_wanted.iter().any(|id| !tags.contains(&id.tag)),
            Step::Create { .. } | Step::Publish(_) | Step::Sign(_) | Step::Switch { .. } | Step::Retire(..) => false,
        }
    }

    /// Whether the chain of trust changes with it.
    pub fn changes_chain(&self) -> bool {
        !matches!(self, Step::Create { .. } | Step::Destroy(_) | Step::Retire(..))
    }
}

/// Proves that after `step` no mixture of what caches may hold and what will be served is bogus: [`never_bogus`] of the
/// history with the step in it. What the step makes new is looked at first, since that tells until when it must wait.
///
/// # Errors
/// What would not fit, and until when caches may hold it.
pub fn permit(facts: &ZoneFacts, history: &History, step: &Step, now: UnixTime) -> Result<(), Refusal> {
    let Some(change) = change(facts, step) else { return Ok(()) };
    let mut after = history.clone();
    match change {
        Change::Keys(keys) => {
            for_keys(history, &keys)?;
            after.keys.push(Span { what: keys, from: now, until: None });
        }
        Change::Data(signers) => {
            for_data(history, &signers)?;
            after.data.push(Span { what: signers, from: now, until: None });
        }
        Change::Ds(ds) => {
            for_ds(history, &ds)?;
            after.ds.push(Span { what: ds, from: now, until: None });
        }
    }
    prove(never_bogus(history), never_bogus(&after))
}

/// What a step changes in what caches will hold.
enum Change {
    Keys(Keys),
    Data(KeySet),
    Ds(KeySet),
}

fn change(facts: &ZoneFacts, step: &Step) -> Option<Change> {
    let key = |tag: u16| facts.key(tag).map(|key| key.id);
    let (mut keys, signers) = (facts.key_set(), facts.signers());
    Some(match step {
        Step::Create { .. } | Step::Destroy(_) | Step::Retire(..) => return None,
        Step::Remove(tag) if facts.key(*tag).is_some_and(|key| key.published.is_none()) => return None,
        Step::Publish(tag) => {
            let key = facts.key(*tag)?;
            keys.published = keys.published.with(key.id);
            if key.signs_keys() {
                keys.signers = keys.signers.with(key.id);
            }
            Change::Keys(keys)
        }
        Step::Remove(tag) => {
            let id = key(*tag)?;
            Change::Keys(Keys { published: keys.published.without(id), signers: keys.signers.without(id) })
        }
        Step::Sign(tag) => Change::Data(signers.with(key(*tag)?)),
        Step::StopSigning(tag) => Change::Data(signers.without(key(*tag)?)),
        Step::Switch { from, to } => {
            Change::Data(signers.iter().filter(|id| id.tag != *from).chain(key(*to)).collect())
        }
        Step::WantDs(tags) => Change::Ds(tags.iter().filter_map(|tag| key(*tag)).collect()),
        Step::Unsign => Change::Data(KeySet::default()),
    })
}

fn is_secure(history: &History) -> bool {
    history.ds.iter().any(|ds| !ds.what.is_empty())
}

fn for_keys(history: &History, keys: &Keys) -> Result<(), Refusal> {
    refuse(&history.ds, |ds| if ds.is_empty() { Ok(()) } else { entry(ds, keys) })?;
    if !is_secure(history) {
        return Ok(());
    }
    refuse(&history.data, |signers| data_signed(keys, signers))
}

fn for_data(history: &History, signers: &KeySet) -> Result<(), Refusal> {
    if signers.is_empty() {
        let bare = |ds: &KeySet| Err(Box::new(Conflict::Bare { ds: ds.clone() }));
        return refuse(&history.ds, |ds| if ds.is_empty() { Ok(()) } else { bare(ds) });
    }
    if !is_secure(history) {
        return Ok(());
    }
    refuse(&history.keys, |keys| data_signed(keys, signers))
}

/// A DS may appear as soon as it is wanted, so all that it would meet must fit; beside a first one, all the rest too.
fn for_ds(history: &History, ds: &KeySet) -> Result<(), Refusal> {
    if ds.is_empty() {
        return Ok(());
    }
    refuse(&history.keys, |keys| entry(ds, keys))?;
    let bare = || Err(Box::new(Conflict::Bare { ds: ds.clone() }));
    refuse(&history.data, |signers| if signers.is_empty() { bare() } else { Ok(()) })?;
    history.keys.iter().try_for_each(|keys| refuse(&history.data, |signers| data_signed(&keys.what, signers)))
}

/// Looks at all that caches may hold.
fn refuse<T>(spans: &[Span<T>], fits: impl Fn(&T) -> Result<(), Box<Conflict>>) -> Result<(), Refusal> {
    refusal::refuse(spans.iter().filter_map(|span| Some((span.until, fits(&span.what).err()?))))
}
