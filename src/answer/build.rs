//! From what a zone says about a name to the items of an answer: aliases followed, denials made, signatures found.
//!
//! Sections are filled in reading order; nothing is encoded here.

mod signed;

use super::{Account, Asked, Effort, Snapshot};
use crate::dns::name::{self, NAME_OCTETS_MAX, Name};
use crate::dns::query::{Query, rcode};
use crate::dns::reply::{Answer, Data, Item, Owner};
use crate::dns::rrset::RrsetView;
use crate::dns::rtype::number as rt;
use crate::sign::denial::{self, BITMAP_OCTETS_MAX, NextName};
use crate::sign::memo::Slot;
use crate::sign::recent::Recent;
use crate::sign::{Subject, SubjectData};
use crate::time::UnixTime;
use crate::zone::content::Host;
use crate::zone::kind::Family;
use crate::zone::{Cut, Found, Zone};
use arrayvec::ArrayVec;

/// Aliases followed within our zones: more than any sane chain has (CVE-2021-25215 and its kin had none).
const ALIAS_STEPS_MAX: usize = 8;

/// Why there is no answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A signature would have to be made, and none may be now.
    Deferred,
    /// The budget for signatures is spent.
    Truncate,
    /// A key failed.
    Failed,
}

/// A DNAME that stands above the name that is asked for.
struct Dname<'a> {
    owner: &'a [u8],
    set: RrsetView<'a>,
    slot: &'a Slot,
}

/// What an NSEC says: which types there are at a name, and which name comes next.
struct Gap<'n, 'a> {
    name: &'n [u8],
    owner: Owner<'a>,
    next: &'n NextName,
    bitmap: &'n [u8],
}

/// What of DNSSEC whoever asks can do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dnssec {
    /// Nothing: DO is clear.
    Unwanted,
    /// Signatures and proofs (RFC 3225).
    Wanted,
    /// The same, and compact denials with the code NXDOMAIN (CO, RFC 9824 § 5.1).
    CompactToo,
}

/// Builds one answer.
pub struct Builder<'q> {
    query: &'q Query<'q>,
    now: UnixTime,
    effort: Effort,
    dnssec: Dnssec,
    recent: &'q Recent,
    /// Signatures made.
    pub signed: u8,
    /// Signatures that were kept.
    pub kept: u8,
    /// What limits count the answer under.
    pub account: Account,
}

/// Where an alias leads: a name that the answer holds. The name itself would be moved around by every answer.
type Next<'a> = Owner<'a>;

/// An RRset without a signature.
pub fn plain<'a>(owner: Owner<'a>, set: RrsetView<'a>) -> Item<'a> {
    Item { owner, data: Data::Set(set), ttl: set.ttl, signature: None, signature_only: false }
}

fn subject_of<'s>(owner: &'s [u8], set: RrsetView<'s>) -> Subject<'s> {
    Subject { owner, rtype: set.rtype, ttl: set.ttl, data: SubjectData::Set(set) }
}

/// The TTL of the DNAME at `owner`, where the answer has it already.
fn given(owner: &[u8], answer: &Answer<'_>) -> Option<u32> {
    let is_it = |item: &&Item<'_>| {
        item.owner == Owner::Name(owner) && matches!(item.data, Data::Set(set) if set.rtype == rt::DNAME)
    };
    answer.items.iter().find(is_it).map(|item| item.ttl)
}

impl<'q> Builder<'q> {
    /// A builder for one query.
    pub fn new(query: &'q Query<'q>, asked: &Asked<'_>, recent: &'q Recent) -> Builder<'q> {
        Builder {
            query,
            now: asked.now,
            effort: asked.effort,
            dnssec: match query.edns {
                Some(edns) if edns.dnssec_ok && edns.compact_ok => Dnssec::CompactToo,
                Some(edns) if edns.dnssec_ok => Dnssec::Wanted,
                Some(_) | None => Dnssec::Unwanted,
            },
            recent,
            signed: 0,
            kept: 0,
            account: Account::default(),
        }
    }

    fn wants_dnssec(&self) -> bool {
        self.dnssec != Dnssec::Unwanted
    }

    /// Fills `answer` from `zone`, and from the zones that aliases lead to.
    ///
    /// # Errors
    /// [`Stop`]: what was filled in so far is void.
    pub fn build<'a>(&mut self, snapshot: &'a Snapshot, zone: &'a Zone, answer: &mut Answer<'a>) -> Result<(), Stop> {
        answer.authoritative = true;
        let mut next = self.step(zone, &self.query.name, Owner::Question, answer)?;
        let mut steps = 1;
        while let Some(owner) = next {
            let name = match owner {
                Owner::Question => Ok(self.query.name.clone()),
                Owner::Name(octets) => Name::from_wire(octets),
                Owner::Made(made) => Name::from_wire(answer.made(made)),
            };
            let name = name.map_err(|_| Stop::Failed)?;
            let zone = snapshot.zone_of(&name, self.query.qtype);
            let goes_on = steps < ALIAS_STEPS_MAX && !snapshot.is_unavailable(&name, self.query.qtype);
            let Some(zone) = zone.filter(|_| goes_on) else {
                // The chain leaves what we serve, or is too long: the resolver goes on from what it has.
                answer.end_answer();
                return Ok(());
            };
            next = self.step(zone, &name, owner, answer)?;
            steps += 1;
        }
        Ok(())
    }

    /// One step of RFC 1034 § 4.3.2: what the zone says about `name`, and where to go on.
    fn step<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        let found = zone.find(name, self.query.qtype);
        self.account.note(&zone.apex, name, &found, owner == Owner::Question);
        match found {
            Found::Set(set, slot, hosts) => {
                self.set(zone, name, owner, set, slot, answer)?;
                answer.end_answer();
                if !hosts.is_empty() {
                    answer.begin_optional();
                    self.hosts(zone, hosts, answer)?;
                }
                Ok(None)
            }
            Found::Alias(set, slot) => self.alias(zone, name, owner, set, slot, answer),
            Found::Redirect(from, set, slot) => {
                self.redirect(zone, name, owner, Dname { owner: from, set, slot }, answer)
            }
            Found::Nsec(bitmap, slot) => {
                let first = answer.items.len();
                self.nsec(zone, name, owner, bitmap, slot, answer)?;
                if self.query.qtype == rt::RRSIG {
                    answer.items.iter_mut().skip(first).for_each(|item| item.signature_only = true);
                }
                answer.end_answer();
                Ok(None)
            }
            Found::NoData(bitmap, slot) => self.deny(zone, name, owner, bitmap, slot, answer),
            Found::Missing => self.missing(zone, name, owner, answer),
            Found::Referral(cut) => self.referral(zone, cut, answer),
        }
    }

    fn alias<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        set: RrsetView<'a>,
        slot: Option<&'a Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        self.set(zone, name, owner, set, slot, answer)?;
        let target = set.data().next().and_then(|data| Some((data, Name::from_wire(data).ok()?)));
        // RFC 8482 § 4.1: an alias is one RRset, and enough for ANY.
        match target.filter(|_| self.query.qtype != rt::ANY) {
            Some((octets, name)) if !self.was_seen(&name, answer) => Ok(Some(Owner::Name(octets))),
            _ => {
                answer.end_answer();
                Ok(None)
            }
        }
    }

    /// RFC 6672 § 3.2: the DNAME, then the alias that it makes, which is never signed.
    fn redirect<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        dname: Dname<'a>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        let Dname { owner: from, set, slot } = dname;
        // A DNAME that redirects twice is given once: an RRset holds no record twice (RFC 2181 § 5).
        if given(from, answer).is_none() {
            self.set(zone, from, Owner::Name(from), set, Some(slot), answer)?;
        }
        let ttl = given(from, answer).unwrap_or(set.ttl);
        let prefix = name.get(..name.len().saturating_sub(from.len())).unwrap_or_default();
        let target = set.data().next().unwrap_or(name::ROOT);
        let made = answer.make(&[prefix, target]).filter(|made| usize::from(made.length) <= NAME_OCTETS_MAX);
        let Some((made, next)) = made.and_then(|made| Some((made, Name::from_wire(answer.made(made)).ok()?))) else {
            answer.rcode = rcode::YXDOMAIN;
            answer.end_answer();
            return Ok(None);
        };
        let data = Data::Made { rtype: rt::CNAME, data: made };
        answer.push(Item { owner, data, ttl, signature: None, signature_only: false });
        if self.was_seen(&next, answer) || matches!(self.query.qtype, rt::CNAME | rt::ANY) {
            answer.end_answer();
            return Ok(None);
        }
        Ok(Some(Owner::Made(made)))
    }

    /// Whether an alias leads back to a name that the answer has already: each is given once.
    fn was_seen(&self, target: &[u8], answer: &Answer<'_>) -> bool {
        // The last RRset is the alias itself, maybe with further signatures behind it.
        let mut earlier = answer.items.iter().rev().skip_while(|item| item.signature_only).skip(1);
        *self.query.name == *target
            || earlier.any(|item| match item.data {
                Data::Set(set) => set.rtype == rt::CNAME && set.data().next() == Some(target),
                Data::Made { rtype, data } => rtype == rt::CNAME && answer.made(data) == target,
            })
    }

    /// NODATA: SOA, and with DO the NSEC of the name (RFC 9824 § 3.2).
    fn deny<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        bitmap: &[u8],
        slot: Option<&'a Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        answer.begin_authority();
        self.soa(zone, answer)?;
        if self.wants_dnssec() && zone.signing.is_some() {
            self.nsec(zone, name, owner, bitmap, slot, answer)?;
        }
        answer.begin_additional();
        Ok(None)
    }

    /// No such name: NXDOMAIN; as a compact denial NOERROR (RFC 9824 § 3.1) unless CO asks for the code (§ 5.1).
    fn missing<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        let compact = self.wants_dnssec() && zone.signing.is_some();
        if !compact || self.dnssec == Dnssec::CompactToo {
            answer.rcode = rcode::NXDOMAIN;
        }
        answer.compact = compact && self.dnssec == Dnssec::CompactToo;
        self.deny(zone, name, owner, denial::nxname(), None, answer)
    }

    fn soa<'a>(&mut self, zone: &'a Zone, answer: &mut Answer<'a>) -> Result<(), Stop> {
        let Some((set, slot)) = zone.soa() else { return Ok(()) };
        let owner = if *self.query.name == *zone.apex { Owner::Question } else { Owner::Name(&zone.apex) };
        let subject = subject_of(&zone.apex, set);
        let mut item = self.signed(zone, owner, Data::Set(set), &subject, Some(slot))?;
        item.ttl = item.ttl.min(zone.content.negative_ttl);
        answer.push(item);
        self.sign_further(zone, &subject, Some(slot), answer)?;
        Ok(())
    }

    /// A referral: NS, which are not ours to sign; DS or the proof that there is none; glue (RFC 4035 § 3.1.4).
    fn referral<'a>(
        &mut self,
        zone: &'a Zone,
        cut: Cut<'a>,
        answer: &mut Answer<'a>,
    ) -> Result<Option<Next<'a>>, Stop> {
        // AA speaks of the name asked (RFC 1035 § 4.1.1): where that is an alias, it is ours.
        answer.authoritative = !answer.items.is_empty();
        answer.begin_authority();
        let owner = if *self.query.name == *cut.owner { Owner::Question } else { Owner::Name(cut.owner) };
        let servers = cut.node.set_with_hosts(rt::NS);
        if let Some((set, ..)) = servers {
            answer.push(plain(owner, set));
        }
        if self.wants_dnssec() && zone.signing.is_some() {
            match cut.node.set(rt::DS) {
                Some((set, slot)) => self.set(zone, cut.owner, owner, set, Some(slot), answer)?,
                None => {
                    let next = denial::next_past_subtree(cut.owner, &zone.apex);
                    let slot = Some(cut.node.denial_slot());
                    let gap = Gap { name: cut.owner, owner, next: &next, bitmap: cut.node.bitmap() };
                    self.nsec_of(zone, gap, slot, answer)?
                }
            };
        }
        answer.begin_additional();
        let hosts = servers.map_or(&[][..], |(_, _, hosts)| hosts);
        // RFC 9471 § 3: without addresses of servers within the cut it is of no use; all other addresses are a help.
        let (needed, others) = hosts.split_at(hosts.partition_point(|host| host.is_needed()));
        self.hosts(zone, needed, answer)?;
        if !others.is_empty() {
            answer.begin_optional();
            self.hosts(zone, others, answer)?;
        }
        Ok(None)
    }

    /// The addresses of hosts, to the additional section; of those that may be left out, as many as there is room for.
    #[inline(never)]
    fn hosts<'a>(&mut self, zone: &'a Zone, hosts: &'a [Host], answer: &mut Answer<'a>) -> Result<(), Stop> {
        let items_each = 1 + zone.signing.as_deref().map_or(0, |signing| signing.further(rt::A).len());
        for (host, family) in hosts.iter().flat_map(|host| Family::ALL.map(|family| (host, family))) {
            let Some((set, slot)) = zone.addresses(host, family) else { continue };
            if answer.needed.is_some() && answer.items.remaining_capacity() < items_each {
                return Ok(());
            }
            match slot {
                Some(_) => self.set(zone, &host.name, Owner::Name(&host.name), set, slot, answer)?,
                None => answer.push(plain(Owner::Name(&host.name), set)),
            }
        }
        Ok(())
    }

    /// The NSEC of a name, which covers nothing else. At a cut (DS asked) it passes over all below it.
    fn nsec<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        bitmap: &[u8],
        slot: Option<&'a Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<(), Stop> {
        let at_cut = denial::has_type(bitmap, rt::NS) && !denial::has_type(bitmap, rt::SOA);
        let next =
            if at_cut { denial::next_past_subtree(name, &zone.apex) } else { denial::next_name(name, &zone.apex) };
        self.nsec_of(zone, Gap { name, owner, next: &next, bitmap }, slot, answer)
    }

    fn nsec_of<'a>(
        &mut self,
        zone: &'a Zone,
        Gap { name, owner, next, bitmap }: Gap<'_, 'a>,
        slot: Option<&'a Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<(), Stop> {
        let mut data = ArrayVec::<u8, { NAME_OCTETS_MAX + BITMAP_OCTETS_MAX }>::new();
        let fits = data.try_extend_from_slice(next).is_ok() && data.try_extend_from_slice(bitmap).is_ok();
        let made = answer.make(&[&data]).filter(|_| fits).ok_or(Stop::Truncate)?;
        let ttl = zone.content.negative_ttl;
        let subject = Subject { owner: name, rtype: rt::NSEC, ttl, data: SubjectData::One(&data) };
        let item = self.signed(zone, owner, Data::Made { rtype: rt::NSEC, data: made }, &subject, slot)?;
        answer.push(item);
        self.sign_further(zone, &subject, slot, answer)
    }

    fn set<'a>(
        &mut self,
        zone: &'a Zone,
        name: &[u8],
        owner: Owner<'a>,
        set: RrsetView<'a>,
        slot: Option<&'a Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<(), Stop> {
        let subject = subject_of(name, set);
        let item = self.signed(zone, owner, Data::Set(set), &subject, slot)?;
        answer.push(item);
        self.sign_further(zone, &subject, slot, answer)
    }
}
