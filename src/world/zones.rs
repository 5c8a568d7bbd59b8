//! The zones: what each master file says, its keys, its place below a parent, and the zone that is served.
//!
//! Pure. A broken master file keeps the last good content; a zone whose keys cannot be trusted is not served, and nobody
//! denies its names meanwhile.

mod key_set;
mod last_good;
pub mod parts;
mod standing;

pub use key_set::{Basis, KeySet, ParentWish, Part};
pub use last_good::Held;

use crate::config::Policy;
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::dns::name::{self, Name};
use crate::roll::zone::facts::Limits;
use crate::time::{Seconds, UnixTime};
use crate::world::KeysPast;
use crate::world::file_names::FileNames;
use crate::world::pools::PoolTable;
use crate::world::tenants::{Surroundings, Tenants};
use crate::zone::Zone;
use crate::zone::content::{self, Content, Delegation, Parts};
use crate::zone::endpoint::Pools;
use crate::zone::lint::{self, Subject, Suspicion};
use crate::zone::master::Parsed;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a zone's master file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Master {
    /// There is none, or none any more.
    Gone,
    /// It cannot be read, or has an error in a line.
    Broken,
    /// It was read without an error in any line.
    Good,
}

/// One zone and all that is known about it.
pub struct ZoneState {
    /// Its apex.
    pub apex: Name,
    /// Its master file below `zones/`.
    pub path: String,
    /// Whether the configuration wants it signed.
    pub signed: bool,
    /// Its policy.
    pub policy: Policy,
    /// How long what is served of it may stay in caches, at most, until more can be recorded.
    pub caps: Limits,
    /// The nearest zone above that is served here.
    pub parent: Option<Name>,
    /// The zone served here at whose parent the chain of trust to this one begins; none: a zone above is unsigned.
    pub entry: Option<Name>,
    /// What its keys tell of its past.
    pub past: KeysPast,
    /// Whether last good content of its master file was kept when the last process ended.
    pub was_last_good: bool,
    /// Its keys.
    pub keys: Keys,
    /// Its tenants.
    pub tenants: Tenants,
    /// The file as read last without an error in any line.
    parsed: Option<Arc<Parsed>>,
    /// The file that what is served was built from.
    good: Option<Arc<Parsed>>,
    /// Findings about the file as it is now.
    file_findings: Vec<Diagnostic>,
    /// Files that the file includes, as it was read last and as it was good last.
    includes: Vec<String>,
    /// How its master file is now.
    master: Master,
    /// Whether what it says holds together.
    content_is_good: bool,
    revision: u64,
    content: Option<Arc<Content>>,
    content_findings: Vec<Diagnostic>,
    /// What looks like a slip in it.
    suspicions: Vec<Suspicion>,
    /// Labels of tenants that were served already when the master file began to use their names.
    hiding: Vec<Box<[u8]>>,
    attempt: Option<Attempt>,
    /// Whether it was ever served by this process.
    was_served: bool,
    /// Why it is not served: its names belong to a tenant that was served first.
    pub covered: Option<Diagnostic>,
    /// Labels just below the apex that belong to zones.
    pub cut: BTreeSet<Box<[u8]>>,
}

/// A zone's keys.
pub enum Keys {
    /// Unsigned.
    None,
    /// Not loaded yet.
    Wanted,
    /// Loaded and proved.
    Loaded(Box<KeySet>),
    /// Not to be trusted; the reason.
    Silent(Diagnostic),
}

/// What content is built from; equal values need no building.
struct Attempt {
    parsed: Arc<Parsed>,
    signed: bool,
    key_sets: Vec<(u16, u32, Vec<Vec<u8>>)>,
    children: Vec<Delegation>,
    ttl_cap: u32,
}

impl ZoneState {
    /// A zone that is new here.
    pub fn new(apex: Name, path: String, signed: bool, policy: Policy) -> ZoneState {
        ZoneState {
            entry: Some(apex.clone()),
            past: KeysPast::default(),
            was_last_good: false,
            apex,
            path,
            signed,
            policy,
            caps: Limits::UNBOUNDED,
            parent: None,
            keys: if signed { Keys::Wanted } else { Keys::None },
            tenants: Tenants::default(),
            parsed: None,
            good: None,
            file_findings: Vec::new(),
            includes: Vec::new(),
            master: Master::Gone,
            content_is_good: true,
            revision: 0,
            content: None,
            content_findings: Vec::new(),
            suspicions: Vec::new(),
            hiding: Vec::new(),
            attempt: None,
            was_served: false,
            covered: None,
            cut: BTreeSet::new(),
        }
    }

    /// Takes in the master file as read, with the files that it asked for; an error in it keeps what was good.
    pub fn take_in(&mut self, parsed: Parsed, included: Vec<String>) {
        let broken = parsed.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
        self.revision += 1;
        self.file_findings = parsed.diagnostics.clone();
        self.master = if broken { Master::Broken } else { Master::Good };
        if !broken {
            self.parsed = Some(Arc::new(parsed));
            self.includes.clear();
        }
        self.includes.extend(included);
        self.includes.sort();
        self.includes.dedup();
    }

    /// The master file cannot be read, or is gone: what was good stays.
    pub fn refuse(&mut self, finding: Diagnostic, master: Master) {
        self.revision += 1;
        self.file_findings = vec![finding];
        self.master = master;
    }

    /// At a start: takes back the content that an earlier process kept.
    pub fn restore(&mut self, parsed: Parsed) {
        if self.content.is_some() {
            return;
        }
        if let Some(error) = parsed.diagnostics.iter().find(|finding| finding.severity == Severity::Error) {
            self.file_findings.push(error.clone());
            return;
        }
        let parsed = Arc::new(parsed);
        self.revision += 1;
        self.parsed.get_or_insert_with(|| Arc::clone(&parsed));
        self.good = Some(parsed);
        self.attempt = None;
    }

    /// The master file was removed for good; the zone is as one that never had any.
    pub fn forget_content(&mut self) {
        self.revision += 1;
        self.parsed = None;
        self.good = None;
        self.content = None;
        self.attempt = None;
        self.includes.clear();
        self.content_findings.clear();
        self.suspicions.clear();
        self.content_is_good = true;
    }

    /// The highest TTL that its master file writes, in seconds.
    pub fn written_ttl(&self) -> u32 {
        let files = self.parsed.iter().chain(&self.good);
        files.flat_map(|parsed| parsed.records.iter().map(|record| record.ttl)).max().unwrap_or(0)
    }

    /// Files that the master file includes, below `zones/`.
    pub fn includes(&self) -> &[String] {
        &self.includes
    }

    /// Whether what is served is not what the file says now.
    pub fn is_last_good(&self) -> bool {
        !(self.master == Master::Good && self.content_is_good)
    }

    /// Changes whenever what must outlive a restart of the master file may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What is served of the master file.
    pub fn content(&self) -> Option<&Arc<Content>> {
        self.content.as_ref()
    }

    /// Whether the zone has content that could be served.
    pub fn has_content(&self) -> bool {
        self.content.is_some() || self.parsed.is_some()
    }

    /// What the parent hands out for this zone; none while its keys are not known.
    pub fn delegation(&self) -> Option<Delegation> {
        let ds = match &self.keys {
            Keys::None => Vec::new(),
            Keys::Loaded(set) => set.ds.clone(),
            // A parent takes no DS away because a child is silent.
            Keys::Silent(_) => self.past.ds.clone()?,
            Keys::Wanted => return None,
        };
        let delegation = self.content.as_ref()?.delegation(&self.apex, ds);
        // Each roll waits for the DS as for DNSKEY; a policy for trials makes both short.
        let ds_ttl = delegation.ds_ttl.min(self.policy.dnskey_ttl);
        Some(Delegation { ds_ttl, ..delegation })
    }

    /// Builds the content anew where what it is made from changed. A zone that does not hold together keeps what was good.
    pub fn build_content(&mut self, children: Vec<Delegation>) {
        let Some(parsed) = self.parsed.clone() else { return };
        let key_sets = match &self.keys {
            Keys::Loaded(set) => set.sets.clone(),
            Keys::None | Keys::Wanted | Keys::Silent(_) => Vec::new(),
        };
        let next = Attempt { parsed, signed: self.signed, key_sets, children, ttl_cap: self.caps.data_ttl };
        if self.attempt.as_ref().is_some_and(|before| before.equals(&next)) {
            return;
        }
        self.revision += 1;
        let (content, findings) = self.build(&next.parsed, &next);
        self.content_findings = findings;
        self.content_is_good = content.is_some();
        let subject = |content| Subject { apex: &self.apex, parsed: &next.parsed, content, children: &next.children };
        self.suspicions = content.as_ref().map(|content| lint::lint(&subject(content))).unwrap_or_default();
        match (content, &self.good) {
            (Some(content), _) => {
                self.content.iter().for_each(|before| content.adopt(before));
                self.content = Some(Arc::new(content));
                self.good = Some(Arc::clone(&next.parsed));
            }
            // What is good goes on with the keys and children of today.
            (None, Some(good)) => self.content = self.build(good, &next).0.map(Arc::new).or(self.content.take()),
            (None, None) => {}
        }
        self.attempt = Some(next);
        self.hiding = self.hiding();
    }

    /// Tenants at names that the content has too: they were there first, and stay.
    fn hiding(&self) -> Vec<Box<[u8]>> {
        let Some(content) = self.content.as_deref().filter(|_| !self.tenants.table.is_empty()) else {
            return Vec::new();
        };
        let labels = name::label_count(&self.apex) + 1;
        let below = content.nodes().filter(|(name, _)| name::label_count(name) == labels);
        let first = below.filter_map(|(name, _)| name::labels(name).next());
        let mut hiding: Vec<Box<[u8]>> =
            first.filter(|label| self.tenants.table.get(label).is_some()).map(Into::into).collect();
        hiding.sort();
        hiding
    }

    fn hidden(&self, label: &[u8]) -> Option<Diagnostic> {
        let tenant = self.tenants.table.get(label)?;
        let name = Name::below(label, &self.apex).ok()?;
        let source = self.content.as_ref()?.source(&name).unwrap_or_else(|| self.path.clone());
        let (file, line) = source.rsplit_once(':').unwrap_or((source.as_str(), "0"));
        let place = Place { line: line.parse().unwrap_or(0), ..Place::file(file) };
        let message = format!("records at {name} are not answered: it is the endpoint of {}", tenant.domain());
        let help = "remove them, or give the tenant another `endpoint`; the tenant was served first and stays";
        Some(Diagnostic::error("MX2124", place, message, help))
    }

    fn build(&self, parsed: &Parsed, with: &Attempt) -> (Option<Content>, Vec<Diagnostic>) {
        content::build(&Parts {
            apex: &self.apex,
            signed: self.signed,
            parsed,
            key_sets: &with.key_sets,
            children: &with.children,
            ttl_cap: with.ttl_cap,
        })
    }

    /// Whether it has no master file, or none any more.
    pub fn is_gone(&self) -> bool {
        self.master == Master::Gone
    }

    /// Whether it was ever served by this process.
    pub fn is_served(&self) -> bool {
        self.was_served
    }

    /// The zone to serve; none where it has no content or no keys.
    pub fn serve(&mut self, pools: &Arc<Pools>) -> Option<Arc<Zone>> {
        let signing = match &self.keys {
            Keys::None => None,
            Keys::Loaded(set) => Some(Arc::clone(&set.signing)),
            Keys::Wanted | Keys::Silent(_) => return None,
        };
        let content = self.content.clone()?;
        let labels = name::label_count(&self.apex);
        let tenants = self.tenants.table.clone();
        self.was_served = true;
        let pools = Arc::clone(pools);
        Some(Arc::new(Zone { apex: self.apex.clone(), labels, content, tenants, pools, signing }))
    }

    /// Runs `act` on the tenants with what they depend on: names of files, and how many there may be.
    pub fn with_tenants<T>(
        &mut self,
        now: UnixTime,
        files: &FileNames,
        tenants_max: usize,
        pools: &mut PoolTable,
        act: impl FnOnce(&mut Tenants, &Surroundings<'_>, &mut PoolTable) -> T,
    ) -> T {
        let content = self.content.as_deref();
        let around = Surroundings { apex: &self.apex, content, cut: Some(&self.cut), now, files, tenants_max };
        let life = if self.signed { self.policy.signature_life } else { 0 };
        self.tenants.homes.wait = Seconds::from(pools.ttl).max(life) + self.policy.margin;
        self.tenants.homes.forget_gone(pools, now);
        act(&mut self.tenants, &around, pools)
    }

    /// All findings about the zone itself.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let files = self.file_findings.iter().chain(&self.content_findings);
        let mut all: Vec<_> = files.chain(self.key_findings()).cloned().collect();
        // What seems to be missing may be a tenant's endpoint.
        let is_tenant = |label: &[u8]| self.tenants.table.get(label).is_some();
        let suspicions = self.suspicions.iter().filter(|one| !one.endpoint.as_deref().is_some_and(is_tenant));
        all.extend(suspicions.map(|one| one.diagnostic.clone()));
        all.extend(self.covered.clone());
        all.extend(self.hiding.iter().filter_map(|label| self.hidden(label)));
        all
    }
}

impl Attempt {
    fn equals(&self, other: &Attempt) -> bool {
        Arc::ptr_eq(&self.parsed, &other.parsed)
            && self.signed == other.signed
            && self.key_sets == other.key_sets
            && self.children == other.children
            && self.ttl_cap == other.ttl_cap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::dns::rtype::number as rt;
    use crate::sign::key::{ECDSA_P256, ENTRY_FLAGS, Key, generate_pkcs8};
    use crate::sign::memo::Slot;
    use crate::sign::{KeptIn, Signing, Subject, SubjectData, Unsigned};
    use crate::time::UnixTime;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn key() -> Arc<Key> {
        let der = generate_pkcs8(ECDSA_P256).expect("a new key");
        Arc::new(Key::from_pkcs8(ENTRY_FLAGS, ECDSA_P256, &der).expect("a key"))
    }

    #[test]
    fn a_roll_of_entry_keys_leaves_the_signatures_over_data_warm_and_the_other_way_round() {
        let apex = Name::parse("mx.example", ROOT).expect("a name");
        let policy = Policy::shard();
        let [one, two, three] = [key(), key(), key()];
        let signing = |data: &Arc<Key>, entry: &[&Arc<Key>]| {
            let entry = entry.iter().map(|key| Arc::clone(key)).collect();
            let windows = (policy.data_signatures(), policy.dnskey_signatures());
            Signing::new(apex.clone(), vec![Arc::clone(data)], entry, windows.0, windows.1).expect("keys")
        };
        let data = Subject { owner: &apex, rtype: rt::TXT, ttl: 300, data: SubjectData::One(b"\x01x") };
        let keys = Subject { rtype: rt::DNSKEY, ..data };
        let (of_data, of_keys) = (Slot::default(), Slot::default());
        let before = signing(&one, &[&two]);
        before.warm(&data, &of_data, NOW).expect("signed");
        before.warm(&keys, &of_keys, NOW).expect("signed");
        for (after, data_stays, keys_stay) in [
            (signing(&one, &[&two, &three]), true, true),
            (signing(&one, &[&three]), true, false),
            (signing(&three, &[&two]), false, true),
        ] {
            assert!(!after.is_same(&before));
            assert_eq!(after.kept(&data, KeptIn::Own(&of_data), NOW).is_some(), data_stays);
            assert_eq!(after.kept(&keys, KeptIn::Own(&of_keys), NOW).is_some(), keys_stay);
        }
    }

    #[test]
    fn the_background_pass_keeps_no_signature_that_does_not_verify() {
        let apex = Name::parse("mx.example", ROOT).expect("a name");
        let policy = Policy::shard();
        let (data, dnskey) = (policy.data_signatures(), policy.dnskey_signatures());
        let subject = Subject { owner: &apex, rtype: rt::TXT, ttl: 300, data: SubjectData::One(b"\x01x") };
        let liar = Arc::new(Key { signer: Arc::clone(&key().signer), ..(*key()).clone() });
        for (keys, good) in [
            (vec![key()], true),
            (vec![Arc::clone(&liar)], false),
            (vec![key(), key()], true),
            (vec![key(), liar], false),
        ] {
            let signing = Signing::new(apex.clone(), keys.clone(), vec![key()], data, dnskey).expect("keys");
            let slot = Slot::default();
            let made = signing.warm(&subject, &slot, NOW).map(|(_, made)| usize::from(made));
            assert_eq!(made, if good { Ok(keys.len()) } else { Err(Unsigned::Failed) });
            let further = signing.further(rt::TXT).first();
            let kept = signing.kept(&subject, KeptIn::Own(&slot), NOW).is_some()
                && further.is_none_or(|by| signing.sign_further(by, &subject, KeptIn::Own(&slot), NOW, false).is_ok());
            assert_eq!(kept, good);
            assert!(!good || signing.warm(&subject, &slot, NOW).map(|(_, made)| made) == Ok(0), "only once");
        }
    }
}
