//! A zone's keys as it uses them now: what is published, what signs, and what the parent is to point at.
//!
//! Pure. It decides nothing about time: each key comes with its part. It never lets a key sign that did not prove itself,
//! and never tells the parent to point only at keys that do not sign the keys.

use crate::config::Policy;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::dns::rtype::number as rt;
use crate::roll::zone::check;
use crate::roll::zone::facts::Limits;
use crate::sign::Signing;
use crate::sign::key::{Key, PublicKey};
use crate::time::Seconds;
use std::sync::Arc;

/// CDS and CDNSKEY that ask for the removal of all DS (RFC 8078 § 4): `0 0 0 00` and `0 3 0 AA==`.
const DELETE_CDS: [u8; 5] = [0; 5];
const DELETE_CDNSKEY: [u8; 5] = [0, 0, 3, 0, 0];

/// A key's part in its zone now.
pub struct Part {
    /// Its public half.
    pub public: PublicKey,
    /// Its private half; none where that cannot be read: then it may still be published, but not sign.
    pub private: Option<Key>,
    /// Its DNSKEY is in the RRset.
    pub published: bool,
    /// While it is published it signs DNSKEY, CDS and CDNSKEY.
    pub signs_keys: bool,
    /// It signs data, published or not (RFC 6781 § 4.1.4).
    pub signs_data: bool,
    /// The parent is to have a DS for it.
    pub wanted_ds: bool,
}

/// What CDS and CDNSKEY say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentWish {
    /// The wanted DS, always all of them (RFC 7344 § 4.1).
    Wanted,
    /// The zone goes insecure: no DS at all (RFC 8078 § 4).
    Delete,
    /// Nothing, there are none: the parent is served here and takes the wanted DS by itself.
    Unsaid,
}

/// What a key set is made from: equal ones make equal key sets, so it says whether another one is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The DNSKEY RRset.
    pub keys: check::Keys,
    /// The keys that sign data.
    pub data: check::KeySet,
    /// The keys that DS are wanted of.
    pub ds: check::KeySet,
    /// What the parent is told.
    pub wish: ParentWish,
    /// Tags of those that sign whose private halves are at hand.
    pub at_hand: Vec<u16>,
    /// By how much signatures begin earlier, so that they are valid by every reading of the clocks.
    pub earlier: Seconds,
    /// By how much they end later.
    pub later: Seconds,
    /// What caps TTLs and signatures.
    pub caps: Limits,
}

/// Keys as a zone uses them.
pub struct KeySet {
    /// What it was made from; none: it is not compared with what is to be served.
    pub basis: Option<Box<Basis>>,
    /// How the zone signs.
    pub signing: Arc<Signing>,
    /// DNSKEY, CDS and CDNSKEY: type, TTL, data.
    pub sets: Vec<(u16, u32, Vec<Vec<u8>>)>,
    /// DS data for the parent.
    pub ds: Vec<Vec<u8>>,
    /// Tags of the published keys.
    pub tags: Vec<u16>,
    /// The published keys, and whether each signs.
    pub published: Vec<(PublicKey, bool)>,
    /// The keys that sign and their published data, to prove themselves again; one that signs data before it is published,
    /// or after, with the data it would be published as.
    pub active: Vec<(Arc<Key>, Vec<u8>)>,
    /// What an operator should know about them.
    pub findings: Vec<Diagnostic>,
}

impl Part {
    fn signs(&self) -> bool {
        self.is_entry() || self.signs_data
    }

    fn is_entry(&self) -> bool {
        self.signs_keys && self.published
    }
}

impl KeySet {
    /// What `parts` make of a zone. Where several keys sign the same, the first published one is the zone's first key.
    ///
    /// # Errors
    /// The reason, where no key may sign, a key does not match its published data (I10 of the design), or the parent would
    /// be told to point at keys that do not sign the keys.
    pub fn new(
        apex: &Name,
        parts: &[Part],
        wish: ParentWish,
        policy: &Policy,
        challenge: &[u8],
    ) -> Result<KeySet, String> {
        let mut signers: Vec<(&Part, Arc<Key>)> = Vec::new();
        for part in parts.iter().filter(|part| part.signs()) {
            signers.push((part, prove(part, challenge)?));
        }
        // Validators find data signed by the first key, so it must be one whose DNSKEY they have.
        signers.sort_by_key(|(part, _)| !part.published);
        let ds = wanted_ds(apex, parts, wish)?;
        if !signers.iter().any(|(part, _)| part.published && part.signs_data) {
            return Err("no published key signs the zone's data: validators would refuse all of them".to_owned());
        }
        let those = |is_one: fn(&Part) -> bool| -> Vec<Arc<Key>> {
            signers.iter().filter(|(part, _)| is_one(part)).map(|(_, key)| Arc::clone(key)).collect()
        };
        let (data_keys, entry_keys) = (those(|part| part.signs_data), those(Part::is_entry));
        let (data, dnskey) = (policy.data_signatures(), policy.dnskey_signatures());
        let signing =
            Signing::new(apex.clone(), data_keys, entry_keys, data, dnskey).map_err(|fault| fault.to_string())?;
        let published = || parts.iter().filter(|part| part.published);
        Ok(KeySet {
            basis: None,
            signing: Arc::new(signing),
            sets: sets(parts, &ds, wish, policy.dnskey_ttl),
            ds,
            tags: published().map(|part| part.public.tag).collect(),
            published: published().map(|part| (part.public.clone(), part.signs())).collect(),
            active: signers.iter().map(|(part, key)| (Arc::clone(key), part.public.dnskey_data())).collect(),
            findings: Vec::new(),
        })
    }
}

/// The private half of a key that is to sign, after it has proved that it fits the public one.
fn prove(part: &Part, challenge: &[u8]) -> Result<Arc<Key>, String> {
    let tag = part.public.tag;
    let key = part.private.as_ref().ok_or_else(|| format!("key {tag} cannot sign: its private key cannot be read"))?;
    key.prove(&part.public.dnskey_data(), challenge).map_err(|fault| format!("key {tag} cannot sign: {fault}"))?;
    Ok(Arc::new(key.clone()))
}

fn wanted_ds(apex: &Name, parts: &[Part], wish: ParentWish) -> Result<Vec<Vec<u8>>, String> {
    let wanted: Vec<&Part> = parts.iter().filter(|part| part.wanted_ds && wish != ParentWish::Delete).collect();
    if wanted.is_empty() && wish == ParentWish::Wanted {
        return Err(
            "no key is wanted as a DS: CDS and CDNSKEY would be missing, which tells the parent nothing".to_owned()
        );
    }
    // A DS for a key in reserve does not help validators (I3 of the design).
    if !wanted.is_empty() && !wanted.iter().any(|part| part.is_entry()) {
        let tags: Vec<String> = wanted.iter().map(|part| part.public.tag.to_string()).collect();
        let tags = tags.join(", ");
        return Err(format!("of the keys wanted as DS ({tags}) none signs the DNSKEY records: all would be bogus"));
    }
    Ok(wanted.iter().map(|part| part.public.ds_data(apex)).collect())
}

fn sets(parts: &[Part], ds: &[Vec<u8>], wish: ParentWish, ttl: u32) -> Vec<(u16, u32, Vec<Vec<u8>>)> {
    let data_of = |is_one: fn(&Part) -> bool| -> Vec<Vec<u8>> {
        parts.iter().filter(|part| is_one(part)).map(|part| part.public.dnskey_data()).collect()
    };
    let mut sets = vec![(rt::DNSKEY, ttl, data_of(|part| part.published))];
    let (cds, cdnskey) = match wish {
        ParentWish::Unsaid => return sets,
        // The data of a CDS are those of the DS, of a CDNSKEY those of the DNSKEY (RFC 7344 § 3).
        ParentWish::Wanted => (ds.to_vec(), data_of(|part| part.wanted_ds)),
        ParentWish::Delete => (vec![DELETE_CDS.to_vec()], vec![DELETE_CDNSKEY.to_vec()]),
    };
    sets.extend([(rt::CDS, ttl, cds), (rt::CDNSKEY, ttl, cdnskey)]);
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::dns::rdata;
    use crate::sign::key::{ECDSA_P256, ED25519_NUMBER, ENTRY_FLAGS, ZONE_FLAGS, generate_pkcs8};

    fn key(flags: u16, algorithm: u8) -> Key {
        let der = generate_pkcs8(algorithm).expect("a new key");
        Key::from_pkcs8(flags, algorithm, &der).expect("a key")
    }

    /// The part of a key whose letters say what it does: `p`ublished, signs `k`eys, signs `d`ata, `w`anted as DS, and
    /// `-` its private key cannot be read.
    fn part(key: &Key, does: &str) -> Part {
        Part {
            public: key.public_half(),
            private: (!does.contains('-')).then(|| key.clone()),
            published: does.contains('p'),
            signs_keys: does.contains('k'),
            signs_data: does.contains('d'),
            wanted_ds: does.contains('w'),
        }
    }

    fn csk() -> Key {
        key(ENTRY_FLAGS, ECDSA_P256)
    }

    fn set_of(parts: &[Part], wish: ParentWish) -> Result<KeySet, String> {
        let apex = Name::parse("mx.example", ROOT).expect("a name");
        KeySet::new(&apex, parts, wish, &Policy::shard(), b"challenge")
    }

    fn refused(parts: &[Part], reason: &str) {
        let found = set_of(parts, ParentWish::Wanted).err().unwrap_or_default();
        assert!(found.contains(reason), "{found}");
    }

    fn counts(set: &KeySet) -> Vec<(u16, usize)> {
        set.sets.iter().map(|(rtype, _, data)| (*rtype, data.len())).collect()
    }

    /// The public half of one key and the private half of another, as in the outage of .de (2026).
    fn liar() -> Key {
        Key { signer: csk().signer, ..csk() }
    }

    #[test]
    fn a_key_that_does_not_sign_for_its_published_dnskey_never_serves() {
        assert!(set_of(&[part(&csk(), "pkdw")], ParentWish::Wanted).is_ok());
        refused(&[part(&liar(), "pkdw")], "cannot sign");
        refused(&[part(&csk(), "pkdw"), part(&liar(), "pk")], "cannot sign");
        refused(&[part(&csk(), "pkdw"), part(&liar(), "d")], "cannot sign");
        assert!(set_of(&[part(&csk(), "pkdw"), part(&liar(), "p")], ParentWish::Wanted).is_ok(), "it may wait");
        let other = Part { public: csk().public_half(), ..part(&csk(), "pkdw") };
        let reason = format!("key {} cannot sign", other.public.tag);
        refused(&[other], &reason);
    }

    #[test]
    fn a_key_without_its_private_half_may_be_published_and_wanted_but_not_sign() {
        let (ours, away) = (csk(), csk());
        let set = set_of(&[part(&ours, "pkdw"), part(&away, "pw-")], ParentWish::Wanted).expect("a set");
        assert_eq!((set.tags, set.ds.len(), set.active.len()), (vec![ours.tag, away.tag], 2, 1));
        refused(&[part(&ours, "pkdw"), part(&away, "pkw-")], &format!("key {} cannot sign", away.tag));
    }

    #[test]
    fn while_keys_roll_the_next_signs_the_key_sets_beside_the_old() {
        let (old, new) = (csk(), csk());
        let set = set_of(&[part(&old, "pkdw"), part(&new, "pk")], ParentWish::Wanted).expect("a set");
        assert_eq!(counts(&set), [(rt::DNSKEY, 2), (rt::CDS, 1), (rt::CDNSKEY, 1)]);
        let further = |rtype| set.signing.further(rtype).iter().map(|by| by.key().tag).collect::<Vec<_>>();
        assert_eq!(
            [rt::DNSKEY, rt::CDS, rt::CDNSKEY, rt::A].map(further),
            [vec![new.tag], vec![new.tag], vec![new.tag], vec![]]
        );
        assert!(set.published.iter().all(|(_, signs)| *signs) && set.active.len() == 2);
        assert!(!set.signing.may_be_unpublished(&new));
    }

    #[test]
    fn an_unpublished_key_signs_data_alone_and_only_beside_a_published_one() {
        let (old, new) = (csk(), key(ENTRY_FLAGS, ED25519_NUMBER));
        for parts in [[part(&old, "pkdw"), part(&new, "kd")], [part(&new, "kd"), part(&old, "pkdw")]] {
            let set = set_of(&parts, ParentWish::Wanted).expect("a set");
            let further = set.signing.further(rt::A).iter().map(|by| by.key().tag);
            assert_eq!(further.collect::<Vec<_>>(), [new.tag], "the published key is the first");
            assert!(set.signing.further(rt::DNSKEY).is_empty());
            assert!(set.signing.may_be_unpublished(&new) && !set.signing.may_be_unpublished(&old));
            assert_eq!(set.tags, [old.tag]);
        }
        refused(&[part(&old, "pkw"), part(&new, "d")], "no published key signs the zone's data");
        refused(&[part(&old, "pdw")], "none signs the DNSKEY records");
    }

    #[test]
    fn more_keys_than_answers_hold_are_refused() {
        let zsk = || part(&key(ZONE_FLAGS, ECDSA_P256), "pd");
        refused(&[part(&csk(), "pkw"), zsk(), zsk(), zsk()], "3 keys sign the zone's data at once, and at most 2 may");
        let entry: Vec<Part> = (0..5).map(|_| part(&csk(), "pkw")).chain([zsk()]).collect();
        refused(&entry, "at most 4 may");
    }

    #[test]
    fn the_parent_is_told_what_is_wanted_nothing_or_to_delete() {
        let (one, two) = (csk(), csk());
        let parts = [part(&one, "pkdw"), part(&two, "w-")];
        let wanted = set_of(&parts, ParentWish::Wanted).expect("a set");
        assert_eq!((counts(&wanted), wanted.ds.len()), (vec![(rt::DNSKEY, 1), (rt::CDS, 2), (rt::CDNSKEY, 2)], 2));
        let unsaid = set_of(&parts, ParentWish::Unsaid).expect("a set");
        assert_eq!((counts(&unsaid), unsaid.ds.len()), (vec![(rt::DNSKEY, 1)], 2));
        let delete = set_of(&parts, ParentWish::Delete).expect("a set");
        assert!(delete.ds.is_empty());
        let texts = delete.sets[1..].iter().map(|(rtype, _, data)| rdata::to_text(*rtype, &data[0]));
        assert_eq!(texts.collect::<Vec<_>>(), ["0 0 0 00", "0 3 0 AA=="]);
        refused(&[part(&one, "pkd")], "no key is wanted as a DS");
        refused(&[part(&one, "pkd"), part(&two, "w-")], "none signs the DNSKEY records");
    }
}
