//! Which files of the provisioning folder concern the server, judged by their names alone.
//!
//! Pure. A name that editors, copy tools or package managers leave behind is never taken for a tenant.

/// Octets of a file with one tenant, at most: a tenant with all its keys and generous comments needs a few hundred.
pub const TENANT_OCTETS_MAX: u64 = 64 << 10;
/// Octets of a file with many tenants, at most: two million lines of 120 octets fit.
pub const TENANTS_OCTETS_MAX: u64 = 256 << 20;
/// Octets of a master file or of a file that it includes, at most: as many as for tenants.
pub const ZONE_OCTETS_MAX: u64 = 256 << 20;
/// Octets of `pools.toml`, at most: a thousand pools need less than one.
pub const POOLS_OCTETS_MAX: u64 = 8 << 20;
/// Octets of a line, at most. A TXT record of 64 KiB of escaped octets needs a quarter of it; whatever is longer is no text.
pub const LINE_OCTETS_MAX: usize = 1 << 20;
/// Octets of files that are read in one go, at most, beyond the first of them: eight million tenants, as a start brings them. More
/// of them wait for the next go.
pub const BATCH_OCTETS_MAX: u64 = 1 << 30;
/// Files remembered, at most: about 1 GB; files past it are refused, so that nobody can fill the memory.
pub const FILES_MAX: usize = 8_000_000;
/// Folders remembered, at most: some 100 MB, and more than there are watches.
pub const FOLDERS_MAX: usize = 1_000_000;
/// Folders inside each other, at most: people nest two or three; the bound keeps paths and the walk's stack small.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// What a file holds, as its path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `NAME.zone`: a master file.
    Zone,
    /// `pools.toml`.
    Pools,
    /// `NAME/…/FILE.toml`: one tenant of zone NAME.
    Tenant,
    /// `NAME/…/FILE.ndjson`: many tenants of zone NAME, one a line.
    Tenants,
    /// A file of any name that a master file includes.
    Include,
}

impl Kind {
    /// Octets that a file of this kind may have.
    pub fn octets_max(self) -> u64 {
        match self {
            Kind::Zone | Kind::Include => ZONE_OCTETS_MAX,
            Kind::Pools => POOLS_OCTETS_MAX,
            Kind::Tenant => TENANT_OCTETS_MAX,
            Kind::Tenants => TENANTS_OCTETS_MAX,
        }
    }
}

/// The kind of the file at `path` (relative, parts joined by `/`), or `None` where its name does not concern us.
/// It knows nothing of includes: any name may be one.
pub fn kind(path: &str) -> Option<Kind> {
    let (folders, name) = path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
    if is_dropping(name) || folders.is_some_and(|folders| folders.split('/').any(is_dropping_folder)) {
        return None;
    }
    let has = |end: &str| name.strip_suffix(end).is_some_and(|stem| !stem.is_empty());
    match folders {
        None if name == "pools.toml" => Some(Kind::Pools),
        None if has(".zone") => Some(Kind::Zone),
        None => None,
        Some(_) if has(".toml") => Some(Kind::Tenant),
        Some(_) if has(".ndjson") => Some(Kind::Tenants),
        Some(_) => None,
    }
}

/// Whether a file of this name was left behind by an editor (vim, emacs, GNOME), rsync, dpkg or a download, or is hidden.
pub fn is_dropping(name: &str) -> bool {
    let ends = ["~", "#", ".swp", ".swo", ".swx", ".tmp", ".part"];
    name.starts_with('.')
        || name.starts_with('#')
        || name == "4913"
        || name.contains(".dpkg-")
        || ends.iter().any(|end| name.ends_with(end))
}

/// Whether a folder of this name is none of ours: hidden (so are Kubernetes' `..data` and what it points at, which are
/// reached through links), a copy in the making, or the `lost+found` of a file system.
pub fn is_dropping_folder(name: &str) -> bool {
    let ends = ["~", ".tmp", ".part"];
    name.starts_with('.')
        || name == "lost+found"
        || name.contains(".dpkg-")
        || ends.iter().any(|end| name.ends_with(end))
}

/// The zone that a file below a tenant folder belongs to: the first part of its path.
pub fn zone_folder(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// `name` inside `folder`; the empty folder is the root.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether `path` lies below `folder` (not the folder itself); everything lies below the root.
pub fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The keys of everything below `folder` (not the folder itself) in a map ordered by octets.
pub fn range_below<T: From<String>>(folder: &str) -> std::ops::Range<T> {
    if folder.is_empty() {
        return T::from(String::new())..T::from(char::MAX.to_string());
    }
    // `0` follows `/` in ASCII.
    T::from(format!("{folder}/"))..T::from(format!("{folder}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_their_kind() {
        let cases = [
            ("mx.example.zone", Some(Kind::Zone)),
            ("pools.toml", Some(Kind::Pools)),
            ("a-v1.mx.example/contoso.com.toml", Some(Kind::Tenant)),
            ("a-v1.mx.example/x/y/bulk-0001.ndjson", Some(Kind::Tenants)),
            ("a-v1.mx.example/4913.toml", Some(Kind::Tenant)),
            ("contoso.com.toml", None),
            ("a-v1.mx.example/pools.txt", None),
            ("a-v1.mx.example/.toml", None),
            ("a-v1.mx.example/.git/x.toml", None),
            ("..data/x.toml", None),
            (".zone", None),
        ];
        for (path, expected) in cases {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn case_06_editor_droppings_are_nobodys_tenant() {
        let droppings = [
            ".contoso.toml.swp",
            ".contoso.toml.swx",
            "4913",
            "contoso.toml~",
            ".#contoso.toml",
            "#contoso.toml#",
            "contoso.toml.tmp",
            "contoso.toml.part",
            "contoso.toml.dpkg-new",
            "contoso.dpkg-old.toml",
            ".contoso.toml.Xa81kq",
            ".goutputstream-AB12CD",
        ];
        for name in droppings {
            assert!(is_dropping(name), "{name}");
            assert_eq!(kind(&format!("a.example/{name}")), None, "{name}");
        }
    }

    #[test]
    fn below_is_a_matter_of_whole_parts() {
        assert!(is_below("a/b", "a") && is_below("a", "") && !is_below("ab/c", "a") && !is_below("a", "a"));
        let range = range_below::<String>("a");
        assert!(range.contains(&"a/\u{10ffff}".to_owned()) && !range.contains(&"a-b/c".to_owned()));
    }
}
