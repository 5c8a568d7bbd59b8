//! Keys that a command brings in, read and given their parts.
//!
//! Pure. A private key that is not that of its DNSKEY is refused before anything is made of it.

use crate::control::protocol::ImportedKey;
use crate::control::store::Import;
use crate::dns::name::Name;
use crate::sign::foreign::{read_foreign, read_public};
use crate::sign::key::{ENTRY_FLAGS, PublicKey, Role};

/// What the store takes in, for the zone `apex`.
///
/// # Errors
/// What is wrong with one of them, with where it was read.
pub fn read(apex: &Name, keys: &[ImportedKey]) -> Result<Vec<Import>, String> {
    let mut read = Vec::new();
    for key in keys {
        let (import, owner) = read_one(key).map_err(|why| format!("{}: {why}", key.source))?;
        if owner.as_ref().is_some_and(|owner| owner.to_lower() != apex.to_lower()) {
            return Err(format!("{}: it is a key of another zone than {apex}", key.source));
        }
        read.push((import, key.role.as_deref()));
    }
    let has_zone_key = read.iter().any(|(key, _)| key.public.flags != ENTRY_FLAGS);
    let mut imports = Vec::new();
    for (mut import, role) in read {
        import.role = match role {
            Some("ksk") => Role::Ksk,
            Some("zsk") => Role::Zsk,
            Some("csk") => Role::Csk,
            Some(other) => return Err(format!("there is no role `{other}`: write ksk, zsk or csk")),
            None if import.public.flags != ENTRY_FLAGS => Role::Zsk,
            None if has_zone_key => Role::Ksk,
            None => Role::Csk,
        };
        imports.push(import);
    }
    // One key of each algorithm signs; another that is here too waits for its turn.
    let mut signed = Vec::new();
    for import in imports.iter_mut().filter(|import| import.role != Role::Ksk && import.foreign.is_some()) {
        import.signs = !signed.contains(&import.public.algorithm);
        signed.push(import.public.algorithm);
    }
    Ok(imports)
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
