//! Follows links inside the watched folder, and remembers which files depend on which links, folders and targets.
//!
//! A link is resolved anew at each change, since Kubernetes swaps `..data` below files whose own links never change. The
//! index only says where to look; what may be read is judged when the file is open.

use crate::world::paths::{join, range_below};
use crate::world::trouble::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

/// Links followed for one path, at most: the same as Linux (path_resolution(7)).
pub const LINK_STEPS_MAX: usize = 40;
/// Links remembered, at most. A Kubernetes volume has some thousands; past it changes of targets are found by scans.
pub const LINKS_MAX: usize = 100_000;

/// Where a link leads.
#[derive(Debug)]
pub struct Resolved {
    /// Each link on the way and the target, as far as they lie inside the root: relative to it.
    pub chain: Vec<String>,
    /// The target, or what is wrong with it.
    pub target: Result<(PathBuf, Metadata), Reason>,
}

/// Follows the link `path` (relative to `root`, which is canonical).
pub fn resolve(root: &Path, path: &str) -> Resolved {
    let mut chain = Vec::new();
    let target = follow(root, path, &mut chain);
    let chain = chain.iter().filter_map(|at| Some(at.strip_prefix(root).ok()?.to_str()?.to_owned())).collect();
    Resolved { chain, target }
}

fn follow(root: &Path, path: &str, chain: &mut Vec<PathBuf>) -> Result<(PathBuf, Metadata), Reason> {
    let mut at = root.to_owned();
    let mut ahead: Vec<OsString> = parts(Path::new(path));
    let mut steps = 0;
    while let Some(part) = ahead.pop() {
        match part.to_str() {
            Some("/") => at = PathBuf::from("/"),
            Some("..") => drop(at.pop()),
            _ => {
                let next = at.join(&part);
                let Ok(target) = std::fs::read_link(&next) else {
                    at = next;
                    continue;
                };
                steps += 1;
                if steps > LINK_STEPS_MAX {
                    return Err(Reason::LinkLoop);
                }
                chain.push(next);
                ahead.extend(parts(&target));
            }
        }
    }
    chain.push(at.clone());
    if !at.starts_with(root) {
        return Err(Reason::LinkOut);
    }
    match at.symlink_metadata() {
        Ok(meta) => Ok((at, meta)),
        Err(fault) if crate::feed::read::is_gone(&fault) => Err(Reason::Dangling),
        Err(fault) => Err(crate::feed::read::unreadable(&fault)),
    }
}

/// The parts of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let keep = |part: &Component<'_>| !matches!(part, Component::CurDir);
    path.components().filter(keep).map(|part| part.as_os_str().to_owned()).rev().collect()
}

/// Which links pass through which paths.
#[derive(Debug, Default)]
pub struct Links {
    ways: BTreeMap<String, Way>,
    through: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Way {
    chain: Vec<String>,
    /// Whether the content of the folder at its end shows under the link's name.
    shows: bool,
}

impl Links {
    /// Remembers the way of `link`, instead of what was known before.
    pub fn set(&mut self, link: &str, chain: Vec<String>) {
        self.set_way(link, Way { chain, shows: true });
    }

    /// The same of a link that is not followed: it is looked at again when its way changes, and shows nothing.
    pub fn set_refused(&mut self, link: &str, chain: Vec<String>) {
        self.set_way(link, Way { chain, shows: false });
    }

    fn set_way(&mut self, link: &str, way: Way) {
        if self.ways.get(link) == Some(&way) {
            return;
        }
        self.forget(link);
        if self.ways.len() >= LINKS_MAX {
            return;
        }
        for at in way.chain.iter().filter(|at| *at != link) {
            self.through.entry(at.clone()).or_default().insert(link.to_owned());
        }
        self.ways.insert(link.to_owned(), way);
    }

    /// Forgets `link`.
    pub fn forget(&mut self, link: &str) {
        for at in self.ways.remove(link).map(|way| way.chain).unwrap_or_default() {
            if let Some(links) = self.through.get_mut(&at) {
                links.remove(link);
                if links.is_empty() {
                    self.through.remove(&at);
                }
            }
        }
    }

    /// Every path that may look different since `path` changed: links through it or through something below it, and
    /// what a link to a folder above it shows of it.
    pub fn touched_by(&self, path: &str) -> BTreeSet<String> {
        let mut touched: BTreeSet<String> = BTreeSet::new();
        if self.through.is_empty() {
            return touched;
        }
        touched.extend(self.through.get(path).into_iter().flatten().cloned());
        touched.extend(self.through.range(range_below::<String>(path)).flat_map(|(_, links)| links).cloned());
        for (at, _) in path.match_indices('/') {
            let (above, rest) = (&path[..at], &path[at + 1..]);
            let links = self.through.get(above).into_iter().flatten();
            // Only where the folder is the end of the way does its content show under the link's name.
            let shows = |link: &&String| {
                self.ways.get(*link).is_some_and(|way| way.shows && way.chain.last().is_some_and(|end| end == above))
            };
            touched.extend(links.filter(shows).map(|link| join(link, rest)));
        }
        touched.remove(path);
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(links: &[(&str, &[&str])]) -> Links {
        let mut index = Links::default();
        for (link, chain) in links {
            index.set(link, chain.iter().map(|at| (*at).to_owned()).collect());
        }
        index
    }

    fn touched(index: &Links, path: &str) -> Vec<String> {
        index.touched_by(path).into_iter().collect()
    }

    #[test]
    fn a_swapped_link_touches_all_that_pass_through_it() {
        let index = index(&[
            ("a/x.toml", &["a/x.toml", "a/..data", "a/..1/x.toml"]),
            ("b.example", &["b.example", "..data", "..1/b.example"]),
        ]);
        assert_eq!(touched(&index, "a/..data"), ["a/x.toml"]);
        assert_eq!(touched(&index, "a/..1"), ["a/x.toml"], "a folder above a target");
        assert_eq!(touched(&index, "..data"), ["b.example"]);
        assert_eq!(touched(&index, "..1/b.example/t/y.toml"), ["b.example/t/y.toml"], "content of a linked folder");
        assert!(touched(&index, "c").is_empty());
    }

    #[test]
    fn a_forgotten_link_is_touched_by_nothing() {
        let mut index = index(&[("a/x.toml", &["a/x.toml", "a/y"])]);
        index.set("a/x.toml", vec!["a/x.toml".to_owned(), "a/z".to_owned()]);
        assert!(touched(&index, "a/y").is_empty());
        assert_eq!(touched(&index, "a/z"), ["a/x.toml"]);
        index.forget("a/x.toml");
        assert!(index.through.is_empty() && index.ways.is_empty());
    }

    #[test]
    fn a_refused_link_shows_nothing_and_is_looked_at_when_its_way_changes() {
        let mut index = Links::default();
        let chain = || ["a/dot", "a/..way", "a"].map(str::to_owned).to_vec();
        index.set("a/dot", chain());
        assert_eq!(touched(&index, "a/v.toml"), ["a/dot/v.toml"]);
        index.set_refused("a/dot", chain());
        assert!(touched(&index, "a/v.toml").is_empty());
        assert_eq!(touched(&index, "a/..way"), ["a/dot"]);
    }
}
