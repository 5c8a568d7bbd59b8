//! How modules lie in their folders: no two that use each other, not too many in one, and one form of file.

use crate::exact;
use crate::paths::{Modules, Place};
use crate::source::{Source, below};
use std::collections::{BTreeMap, BTreeSet};

/// Modules in one folder, at most: more are a list that nobody reads. The rooms themselves are counted by the table in
/// `src/lib.rs`.
const FOLDER_MODULES_MAX: usize = 20;

/// The first name of a path below a folder, up to its dot or slash.
pub fn named<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.split(['/', '.']).next()
}

/// Pairs of modules of one folder that use each other, or have something below them that does; with a place for each way.
fn knots(modules: &Modules) -> BTreeMap<String, String> {
    let mut ways: BTreeMap<(Place, String, String), String> = BTreeMap::new();
    for one in modules.uses() {
        let shared = one.from.iter().zip(&one.to).take_while(|(from, to)| from == to).count();
        // What lies inside of a module may use it, and it what lies inside: they are one idea.
        if let (Some(from), Some(to)) = (one.from.get(shared), one.to.get(shared)) {
            ways.entry((one.from[..shared].to_vec(), from.clone(), to.clone())).or_insert(one.place);
        }
    }
    let back = |(folder, from, to): &(Place, String, String)| {
        ways.get(&(folder.clone(), to.clone(), from.clone())).filter(|_| from < to)
    };
    let both = ways.iter().filter_map(|(way, place)| Some((way, place, back(way)?)));
    let name = |(folder, one, other): &(Place, String, String)| format!("{}: {one} and {other}", folder.join("::"));
    both.map(|(way, there, back)| (name(way), format!("{there} and {back}"))).collect()
}

#[test]
fn no_two_modules_of_a_folder_use_each_other() {
    let found = knots(&Modules::of(&below("src")));
    exact("two modules that use each other: move what both need to where it belongs", found, BTreeSet::new());
}

#[test]
fn knots_are_found_at_any_depth_and_through_re_exports() {
    let knots = |files: &[(&str, &str)]| {
        let source = |(path, text): &(&str, &str)| Source::from_text((*path).to_owned(), (*text).to_owned());
        let found = knots(&Modules::of(&files.iter().map(source).collect::<Vec<_>>()));
        found.into_keys().collect::<Vec<_>>()
    };
    let (below, above) = (("src/a/b/one.rs", "use super::two::X;"), ("src/a/b/two.rs", "fn f() { super::one::go() }"));
    assert_eq!(knots(&[("src/a.rs", ""), ("src/a/b.rs", ""), below, above]), ["a::b: one and two"]);
    assert_eq!(knots(&[("src/a/b.rs", ""), below, ("src/a/b/two.rs", "/// [`super::one`]\nstruct X;")]), [""; 0]);
    let tested = "struct X; #[cfg(test)] mod tests { use super::super::one; }";
    assert_eq!(knots(&[("src/a/b.rs", ""), below, ("src/a/b/two.rs", tested)]), [""; 0]);
    let (deep, back) = (("src/a/one/in.rs", "use crate::a::two::X;"), ("src/a/two/in.rs", "use crate::a::{one};"));
    assert_eq!(knots(&[("src/a/one.rs", ""), ("src/a/two.rs", ""), deep, back]), ["a: one and two"]);
    let hidden =
        [("src/a.rs", "pub use one::One;"), ("src/a/one.rs", "use super::two;"), ("src/a/two.rs", "use super::One;")];
    assert_eq!(knots(&hidden), ["a: one and two"]);
    let (parent, child) = (("src/a.rs", "mod b; use b::X;"), ("src/a/b.rs", "use super::Y;"));
    assert_eq!(knots(&[parent, child]), [""; 0], "a module and what lies inside of it");
    assert_eq!(knots(&[("src/a.rs", "use crate::b::X;"), ("src/b.rs", "use crate::a::Y;")]), [": a and b"]);
}

/// Folders with more modules than a reader takes in, and how many they have.
fn full(paths: &[String], modules_max: usize) -> BTreeMap<String, String> {
    let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in paths {
        let parts: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        for at in parts.iter().filter(|at| path[..**at].contains('/')) {
            folders.entry(&path[..*at]).or_default().extend(named(path, &path[..=*at]).filter(|name| *name != "mod"));
        }
    }
    let many = folders.into_iter().filter(|(_, modules)| modules.len() > modules_max);
    many.map(|(folder, modules)| (folder.to_owned(), format!("{} modules", modules.len()))).collect()
}

fn paths(of: &[&str]) -> Vec<String> {
    of.iter().flat_map(|folder| below(folder)).map(|source| source.path).collect()
}

#[test]
fn a_folder_has_no_more_modules_than_a_reader_takes_in() {
    let found = full(&paths(&["src", "tests"]), FOLDER_MODULES_MAX);
    exact("a folder with too many modules: find the ideas in it", found, BTreeSet::new());
}

#[test]
fn modules_of_a_folder_are_counted_once_each() {
    let paths: Vec<String> =
        ["src/a.rs", "src/b.rs", "src/c.rs", "src/a/b.rs", "src/a/b/x.rs", "src/a/c/y.rs"].map(str::to_owned).into();
    assert_eq!(full(&paths, 2), BTreeMap::new());
    assert_eq!(full(&paths, 1), BTreeMap::from([("src/a".to_owned(), "2 modules".to_owned())]));
}

/// Files that are named after nothing, and folders without a file of their name.
fn other_forms(paths: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in paths {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        let own = format!("{folder}.rs");
        if file == "mod.rs" {
            found.insert(path.clone(), format!("is to be {own}"));
        } else if folder.starts_with("src/") && !paths.contains(&own) && !paths.contains(&format!("{folder}/mod.rs")) {
            found.insert(format!("{folder}/"), format!("has no {own} beside it"));
        }
    }
    found
}

#[test]
fn module_files_have_one_form() {
    let found = other_forms(&paths(&["src", "tests", "benches"]));
    let left = BTreeSet::new();
    exact("a module's file is foo.rs, beside the folder foo/", found, left);
}

#[test]
fn the_other_form_of_module_files_is_seen() {
    let paths = |all: &[&str]| all.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        other_forms(&paths(&["src/lib.rs", "src/a.rs", "src/a/b.rs", "tests/a.rs", "tests/b/c.rs"])),
        BTreeMap::new()
    );
    let found = other_forms(&paths(&["src/a/mod.rs", "src/a/b.rs", "src/c/d.rs", "tests/x/mod.rs"]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["src/a/mod.rs", "src/c/", "tests/x/mod.rs"]);
}
