//! Keys that a command brings in, read and given their parts.
//!
//! Pure. A private key that is not that of its DNSKEY is refused before anything is made of it.

use crate::dns::name::Name;
use crate::protocol::ImportedKey;
use crate::report::plain;
use crate::sign::foreign::{read_foreign, read_public};
use crate::sign::key::{ENTRY_FLAGS, PublicKey, Role};
use crate::store::Import;

/// Why keys that a command brings in are no keys for a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// One of them is wrong: why, with where it was read.
    #[error("{0}")]
    Wrong(String),
    /// Several could be the one that signs.
    #[error(
        "which of the keys {} signs {what} is not known, and nobody guesses: ask the server that has the zone \
         (`--from ADDRESS`), give its list (`--list FILE`, of `keymgr ZONE list` or `pdnsutil list-keys ZONE`), or name only \
         the files of keys that it publishes", words(.tags)
    )]
    Ambiguous {
        /// What it signs.
        what: String,
        /// Their tags.
        tags: Vec<u16>,
    },
}

fn words(tags: &[u16]) -> String {
    tags.iter().map(u16::to_string).collect::<Vec<String>>().join(", ")
}

/// What the store takes in, for the zone `apex`.
///
/// # Errors
/// [`ReadFault`].
pub fn read(apex: &Name, keys: &[ImportedKey]) -> Result<Vec<Import>, ReadFault> {
    let mut read = Vec::new();
    for key in keys {
        let wrong = |why: &str| ReadFault::Wrong(format!("{}: {why}", key.source));
        let (import, owner) = read_one(key).map_err(|why| wrong(&why))?;
        if owner.as_ref().is_some_and(|owner| owner.to_lower() != apex.to_lower()) {
            return Err(wrong(&format!("it is a key of another zone than {apex}")));
        }
        read.push((import, key));
    }
    let has_zone_key = read.iter().any(|(key, _)| key.public.flags != ENTRY_FLAGS);
    let mut imports = Vec::new();
    let mut known = Vec::new();
    for (mut import, key) in read {
        let no_role = || ReadFault::Wrong("there is no such role: write ksk, zsk or csk".to_owned());
        import.role = match key.role {
            Some(written) => plain::role(written).ok_or_else(no_role)?,
            None if import.public.flags != ENTRY_FLAGS => Role::Zsk,
            None if has_zone_key => Role::Ksk,
            None => Role::Csk,
        };
        known.push(key.signs);
        imports.push(import);
    }
    refuse_guesses(&imports, &known)?;
    // One key of each algorithm signs; another that is here too waits for its turn.
    let mut signed = Vec::new();
    for (import, known) in imports.iter_mut().zip(&known).filter(|(import, _)| import.foreign.is_some()) {
        let may_sign = *known != Some(false);
        if import.role == Role::Ksk {
            // What no DS needs to point at is published on, and none is asked for.
            import.foreign = import.foreign.take().filter(|_| may_sign);
        } else if may_sign && !signed.contains(&import.public.algorithm) {
            import.signs = true;
            signed.push(import.public.algorithm);
        }
    }
    Ok(imports)
}

/// Of several keys that could do one thing, nobody guesses which one does it: resolvers may not know the other.
fn refuse_guesses(imports: &[Import], known: &[Option<bool>]) -> Result<(), ReadFault> {
    let whole: Vec<(&Import, &Option<bool>)> =
        imports.iter().zip(known).filter(|(import, _)| import.foreign.is_some()).collect();
    let parts: [(&str, &dyn Fn(Role) -> bool); 2] =
        [("the zone's data", &|role| role != Role::Ksk), ("the keys", &|role| role != Role::Zsk)];
    for (what, is_of) in parts {
        let of: Vec<_> = whole.iter().filter(|(import, _)| is_of(import.role)).collect();
        for algorithm in of.iter().map(|(import, _)| import.public.algorithm) {
            let same: Vec<_> = of.iter().filter(|(import, _)| import.public.algorithm == algorithm).collect();
            if same.len() > 1 && same.iter().any(|(_, known)| known.is_none()) {
                let tags = same.iter().map(|(import, _)| import.public.tag).collect();
                return Err(ReadFault::Ambiguous { what: what.to_owned(), tags });
            }
        }
    }
    Ok(())
}

fn read_one(key: &ImportedKey) -> Result<(Import, Option<Name>), String> {
    let public = key.public.as_deref().map(str::as_bytes);
    let import = |foreign, public: PublicKey| Import { foreign, public, role: Role::Csk, signs: false };
    match (&key.private, public) {
        (Some(private), public) => {
            let foreign = read_foreign(private.as_bytes(), public).map_err(|fault| fault.to_string())?;
            let known = foreign.public.clone().ok_or("its DNSKEY is not given: add its `.key` file")?;
            let owner = foreign.owner.clone();
            Ok((import(Some(foreign), known), owner))
        }
        (None, Some(public)) => {
            let (owner, public) = read_public(public).map_err(|fault| fault.to_string())?;
            Ok((import(None, public), Some(owner)))
        }
        (None, None) => Err("there is neither a private nor a public half".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::key::Key;
    use crate::sign::key::generate_pkcs8;

    /// A key as a command brings it in, and its tag.
    fn key(role: Role, signs: Option<bool>) -> (ImportedKey, u16) {
        let der = generate_pkcs8(15).expect("a key");
        let public = Key::from_pkcs8(role.flags(), 15, &der).expect("a key").public_half();
        let text = data_encoding::BASE64.encode(&public.public);
        let private = crate::sign::export::to_pem(&der, &public).expect("text").to_string();
        let record = format!("example. IN DNSKEY {} 3 15 {text}\n", public.flags);
        let source = format!("key {}", public.tag);
        let imported = ImportedKey { private: Some(private), public: Some(record), role: None, signs, source };
        (imported, public.tag)
    }

    fn signers(keys: &[(ImportedKey, u16)]) -> Result<Vec<u16>, ReadFault> {
        let apex = Name::parse("example", crate::dns::name::ROOT).expect("a name");
        let keys: Vec<ImportedKey> = keys.iter().map(|(key, _)| key.clone()).collect();
        let read = read(&apex, &keys)?;
        Ok(read.iter().filter(|import| import.signs).map(|import| import.public.tag).collect())
    }

    #[test]
    fn the_key_that_signs_there_signs_here_whatever_its_tag() {
        let (yes, no) = (Some(true), Some(false));
        for _ in 0..8 {
            let keys = [key(Role::Ksk, yes), key(Role::Zsk, no), key(Role::Zsk, yes), key(Role::Zsk, no)];
            assert_eq!(signers(&keys), Ok(vec![keys[2].1]));
        }
        let alone = [key(Role::Ksk, None), key(Role::Zsk, None)];
        assert_eq!(signers(&alone), Ok(vec![alone[1].1]), "of one key nothing need be known");
        assert_eq!(signers(&[key(Role::Ksk, yes), key(Role::Zsk, no)]), Ok(vec![]), "it does not sign there");
    }

    #[test]
    fn nobody_guesses_which_of_several_keys_signs() {
        let yes = Some(true);
        for (keys, what) in [
            ([key(Role::Ksk, None), key(Role::Zsk, None), key(Role::Zsk, None)], "the zone's data"),
            ([key(Role::Ksk, None), key(Role::Zsk, yes), key(Role::Zsk, None)], "the zone's data"),
            ([key(Role::Ksk, None), key(Role::Ksk, None), key(Role::Zsk, yes)], "the keys"),
            ([key(Role::Csk, None), key(Role::Csk, None), key(Role::Csk, None)], "the zone's data"),
        ] {
            let fault = signers(&keys).expect_err("a guess");
            let ReadFault::Ambiguous { what: found, tags } = &fault else { panic!("{fault}") };
            assert_eq!(found, what);
            assert!(tags.len() > 1 && fault.to_string().contains("--from"), "{fault}");
        }
    }

    #[test]
    fn an_entry_key_that_does_not_sign_is_published_on_and_no_ds_is_asked_for() {
        let keys = [key(Role::Ksk, Some(true)), key(Role::Ksk, Some(false)), key(Role::Zsk, Some(true))];
        let apex = Name::parse("example", crate::dns::name::ROOT).expect("a name");
        let keys: Vec<ImportedKey> = keys.into_iter().map(|(key, _)| key).collect();
        let whole: Vec<bool> =
            read(&apex, &keys).expect("keys").iter().map(|import| import.foreign.is_some()).collect();
        assert_eq!(whole, [true, false, true]);
    }
}
