//! Keys of a zone as facts leave them: when each of them did what.
//!
//! Moments only, never a phase.

use super::check::KeyId;
use super::facts::{Fact, key_file_name};
use crate::roll::item::Outgoing;
use crate::sign::key::{PublicKey, Role};
use crate::time::UnixTime;
use data_encoding::BASE64;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its public half.
    pub public: PublicKey,
    /// Its name in sets.
    pub id: KeyId,
    /// What it is for.
    pub role: Role,
    /// Name of its file; empty: its private half is elsewhere.
    pub file: String,
    /// When it was made.
    pub created: UnixTime,
    /// When its DNSKEY was first to be served.
    pub published: Option<UnixTime>,
    /// When it was first to sign data.
    pub activated: Option<UnixTime>,
    /// When it stopped signing data.
    pub retired: Option<UnixTime>,
    /// When its DNSKEY was withdrawn.
    pub removed: Option<UnixTime>,
    /// When its private half was wiped.
    pub destroyed: Option<UnixTime>,
    /// That it is to be replaced.
    pub outgoing: Option<Outgoing>,
    /// Whether it signs nothing now, since its private half cannot be used.
    pub silent: bool,
}

impl KeyFacts {
    /// Whether its DNSKEY belongs to the RRset now.
    pub fn is_published(&self) -> bool {
        self.published.is_some() && self.removed.is_none()
    }

    /// Whether it signs data now.
    pub fn signs_data(&self) -> bool {
        self.role != Role::Ksk && self.activated.is_some() && self.retired.is_none()
    }

    /// Whether it signs DNSKEY while it is published: entry keys do (RFC 6781 § 4.1.2, double signature).
    pub fn signs_keys(&self) -> bool {
        self.role != Role::Zsk && !self.file.is_empty() && !self.silent
    }

    /// Whether it signs anything now.
    pub fn is_active(&self) -> bool {
        self.removed.is_none() && (self.signs_data() || (self.role == Role::Ksk && self.activated.is_some()))
    }

    /// Whether it is there, published or not.
    pub fn is_live(&self) -> bool {
        self.removed.is_none()
    }
}

pub(super) fn once(slot: &mut Option<UnixTime>, at: UnixTime) -> Result<(), &'static str> {
    match slot {
        None => {
            *slot = Some(at);
            Ok(())
        }
        Some(_) => Err("takes a step twice"),
    }
}

/// A key that stopped signing may sign again: that is how a step is taken back.
pub(super) fn activate(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match (key.activated, key.retired) {
        (Some(_), None) => return Err("takes a step twice"),
        _ if key.file.is_empty() => return Err("has its private half elsewhere"),
        _ => (key.activated, key.retired) = (Some(at), None),
    }
    Ok(())
}

pub(super) fn retire(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match key.activated {
        None => Err("takes a step before the one in front of it"),
        Some(_) => once(&mut key.retired, at),
    }
}

/// The key of a [`Fact::KeyCreated`], every field of it checked against the others.
pub(super) fn created(fact: &Fact, at: UnixTime) -> Result<KeyFacts, String> {
    let Fact::KeyCreated { tag, algorithm, flags, role, public, file } = fact else {
        return Err("not the making of a key".to_owned());
    };
    let public = BASE64.decode(public.as_bytes()).map_err(|fault| format!("the public key is not base64: {fault}"))?;
    let public = PublicKey::new(*flags, *algorithm, &public).map_err(|fault| fault.to_string())?;
    if public.tag != *tag {
        return Err(format!("the public key has tag {}, not {tag}", public.tag));
    }
    if role.flags() != *flags {
        return Err(format!("a {} has flags {}, not {flags}", role.word(), role.flags()));
    }
    if !file.is_empty() && *file != key_file_name(*role, &public) {
        return Err(format!("key {tag} belongs in {}", key_file_name(*role, &public)));
    }
    Ok(KeyFacts {
        id: KeyId::of(&public),
        public,
        role: *role,
        file: file.clone(),
        created: at,
        published: None,
        activated: None,
        retired: None,
        removed: None,
        destroyed: None,
        outgoing: None,
        silent: false,
    })
}
