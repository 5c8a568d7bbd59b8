//! Which module uses which: every path in the code that ships, followed through imports and re-exports to its module.
//!
//! It knows no types, so a method that is called on a value is no use: whoever has the value has named its type before.

use crate::source::{Source, line_of};
use std::collections::BTreeMap;

/// A module's place from the root: `["zone", "master", "lexer"]`.
pub type Place = Vec<String>;

/// Imports of imports that are followed at most: a circle of re-exports must end.
const FOLLOWED_MAX: usize = 16;

/// One module of the crate; a file, or a `mod name { … }` in it.
#[derive(Default)]
struct Module {
    /// What its imports call a path: `use a::b as c` binds `c`.
    bindings: BTreeMap<String, Place>,
    /// Every path that is written in it, as written, with the line.
    written: Vec<(Vec<String>, usize)>,
    file: String,
}

/// The modules of a crate.
pub struct Modules {
    all: BTreeMap<Place, Module>,
}

/// One module names something of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub from: Place,
    pub to: Place,
    /// `src/a.rs:7`.
    pub place: String,
}

impl Modules {
    /// Reads the sources of a crate; code of tests is left out.
    pub fn of(sources: &[Source]) -> Modules {
        let mut all = BTreeMap::new();
        for source in sources {
            let own: Place = source.modules().iter().map(|name| (*name).to_owned()).collect();
            Reader::new(&source.shipped).read(&own, &source.path, &mut all);
        }
        Modules { all }
    }

    /// Every use of a module by another one, a place for each.
    pub fn uses(&self) -> Vec<Use> {
        let mut found: BTreeMap<(Place, Place), String> = BTreeMap::new();
        for (from, module) in &self.all {
            for (path, line) in &module.written {
                for to in self.modules_of(from, path) {
                    if to != *from {
                        found.entry((from.clone(), to)).or_insert_with(|| format!("{}:{line}", module.file));
                    }
                }
            }
        }
        found.into_iter().map(|((from, to), place)| Use { from, to, place }).collect()
    }

    /// The modules that a path as written in `from` leads through; none: it is of another crate.
    fn modules_of(&self, from: &Place, path: &[String]) -> Vec<Place> {
        let mut found = Vec::new();
        if let Some(path) = self.absolute(from, path) {
            self.follow(&path, &mut found, 0);
        }
        found
    }

    /// A path from the root.
    fn absolute(&self, from: &Place, path: &[String]) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        let mut above = match first.as_str() {
            "crate" | "mxseal" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            name => {
                let child = [from.as_slice(), &[name.to_owned()]].concat();
                let module = self.all.get(from)?;
                match module.bindings.get(name) {
                    // What an import binds is written as absolute as its own path is.
                    Some(bound) if bound.first() != Some(first) => self.absolute(from, bound)?,
                    Some(_) | None if self.all.contains_key(&child) => child,
                    Some(_) | None => return None,
                }
            }
        };
        for name in rest {
            match name.as_str() {
                "super" => drop(above.pop()?),
                "self" => {}
                _ => above.push(name.clone()),
            }
        }
        Some(above)
    }

    /// Notes the deepest module of a path, and where that has the next name from elsewhere, goes on there.
    fn follow(&self, path: &Place, found: &mut Vec<Place>, followed: usize) {
        let depth = (0..=path.len()).rev().find(|depth| self.all.contains_key(&path[..*depth]));
        let Some(depth) = depth.filter(|_| followed < FOLLOWED_MAX) else { return };
        let module = &self.all[&path[..depth]];
        found.push(path[..depth].to_vec());
        let Some((name, rest)) = path[depth..].split_first() else { return };
        let bound = module.bindings.get(name).and_then(|bound| self.absolute(&path[..depth].to_vec(), bound));
        if let Some(bound) = bound {
            self.follow(&[bound.as_slice(), rest].concat(), found, followed + 1);
        }
    }
}

/// Reads the tokens of one file.
struct Reader<'s> {
    code: &'s str,
    tokens: Vec<(&'s str, usize)>,
    at: usize,
}

impl<'s> Reader<'s> {
    fn new(code: &'s str) -> Reader<'s> {
        Reader { code, tokens: tokens(code), at: 0 }
    }

    fn token(&self, ahead: usize) -> &'s str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.0)
    }

    fn before(&self, back: usize) -> &'s str {
        self.at.checked_sub(back).map_or("", |at| self.tokens[at].0)
    }

    /// Reads all; a `mod name {` begins a module that ends with its brace.
    fn read(&mut self, own: &Place, file: &str, all: &mut BTreeMap<Place, Module>) {
        let (mut depth, mut inner): (usize, Vec<usize>) = (0, Vec::new());
        let mut here = own.clone();
        all.entry(here.clone()).or_default().file = file.to_owned();
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inner.last() == Some(&depth) {
                        inner.pop();
                        here.pop();
                    }
                }
                "mod" if self.token(2) == "{" => {
                    inner.push(depth);
                    here.push(self.token(1).to_owned());
                    all.entry(here.clone()).or_default().file = file.to_owned();
                    self.at += 1;
                }
                "use" if self.token(1) != "<" => {
                    let module = all.entry(here.clone()).or_default();
                    self.at += 1;
                    self.tree(&[], module);
                    continue;
                }
                token if is_name(token) && self.token(1) == "::" => {
                    let module = all.entry(here.clone()).or_default();
                    self.path(module);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// A path within code: `crate::a::b`, `Type::method`. Who may see something (`pub(in crate::a)`) uses nothing.
    fn path(&mut self, module: &mut Module) {
        let says_who_sees = self.before(1) == "in" && self.before(2) == "(" && self.before(3) == "pub";
        let goes_on = self.before(1) == "::" || self.before(1) == ".";
        let (mut path, line) = (Vec::new(), line_of(self.code, self.tokens[self.at].1));
        while is_name(self.token(0)) {
            path.push(self.token(0).to_owned());
            self.at += 1;
            if self.token(0) != "::" {
                break;
            }
            self.at += 1;
        }
        if !says_who_sees && !goes_on {
            module.written.push((path, line));
        }
    }

    /// What stands after `use`, up to its end or the end of a list's entry.
    fn tree(&mut self, above: &[String], module: &mut Module) {
        let (mut path, mut alias) = (above.to_vec(), None);
        let line = self.tokens.get(self.at).map_or(0, |token| line_of(self.code, token.1));
        loop {
            match self.token(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | "") {
                        self.tree(&path, module);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    module.written.push((path, line));
                    return;
                }
                "as" => {
                    alias = Some(self.token(1).to_owned());
                    self.at += 2;
                }
                "::" => self.at += 1,
                name if is_name(name) => {
                    // `{self, …}` names the path itself; `self::a` begins one.
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    self.at += 1;
                }
                _ => break,
            }
        }
        if let Some(last) = alias.or_else(|| path.last().cloned()) {
            module.bindings.insert(last, path.clone());
        }
        module.written.push((path, line));
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other mark by itself, each with where it stands.
fn tokens(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = match c {
            ':' if code[at..].starts_with("::") => 2,
            c if is_part(c) => code[at..].find(|c| !is_part(c)).unwrap_or(code.len() - at),
            c => c.len_utf8(),
        };
        if !c.is_whitespace() {
            found.push((&code[at..at + length], at));
        }
        at += length;
    }
    found
}

mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Modules {
        let source = |(path, text): &(&str, &str)| Source::from_text((*path).to_owned(), (*text).to_owned());
        Modules::of(&files.iter().map(source).collect::<Vec<_>>())
    }

    /// What `src/a/one.rs` with this text uses, in a crate that has some more modules.
    fn used(text: &str) -> Vec<String> {
        let modules = crate_of(&[
            ("src/lib.rs", "pub mod a; pub mod b;"),
            ("src/a.rs", "mod one; mod two; pub use two::Two; use crate::b::deep as low; pub struct Own;"),
            ("src/a/one.rs", text),
            ("src/a/one/inner.rs", ""),
            ("src/a/two.rs", "pub struct Two;"),
            ("src/b.rs", "pub mod deep; pub use deep::{Deep, other::Other as Renamed}; pub use std::fmt;"),
            ("src/b/deep.rs", "pub mod other;"),
            ("src/b/deep/other.rs", ""),
        ]);
        let all = modules.uses().into_iter().filter(|found| found.from == ["a", "one"]);
        all.map(|found| found.to.join("::")).collect()
    }

    #[test]
    fn imports_of_every_form_are_seen() {
        for text in [
            "use super::two;",
            "use super::two::Two;",
            "use crate::a::two::{self, Two};",
            "use crate::{a::{two::Two as Other}, };",
            "pub(crate) use super::{two::Two};",
            "pub use self::super::two::Two;",
            "fn f() { use super::two::Two; }",
            "fn f() -> super::two::Two { super::two::make() }",
            "fn f(x: &[crate::a::two::Two]) {}",
            "impl super::two::Trait for X {}",
            "use mxseal::a::two::*;",
        ] {
            let found = used(text);
            assert!(found.contains(&"a::two".to_owned()), "{text}: {found:?}");
            assert!(found.iter().all(|name| ["a::two", "a"].contains(&name.as_str())), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_is_imported_through_another_module_is_followed_to_where_it_is() {
        assert_eq!(used("use super::Two;"), ["a", "a::two"]);
        assert_eq!(used("use super::Own;"), ["a"]);
        assert_eq!(used("use crate::b::Deep;"), ["b", "b::deep"]);
        assert_eq!(used("use crate::b::Renamed;"), ["b", "b::deep::other"]);
        assert_eq!(used("use super::low; fn f() { low::other::go() }"), ["a", "b::deep", "b::deep::other"]);
        assert_eq!(used("use crate::b as c; fn f() { c::deep::other::go() }"), ["b", "b::deep::other"]);
        assert_eq!(used("fn f() { inner::go() }"), ["a::one::inner"]);
    }

    #[test]
    fn words_that_are_no_use_are_none() {
        let nothing = [
            "//! [`super::two`]\n/// [`crate::b::deep`]\nfn f() {} // super::two::x()",
            "fn f() { let a = \"crate::b::deep\"; }",
            "pub(in crate::a) fn f() {}",
            "pub(super) fn f() {}",
            "use std::fmt; fn f() -> fmt::Result { two::go() }",
            "#[cfg(test)] mod tests { use super::super::two::Two; use crate::b; }",
            "fn f() -> impl Iterator + use<'_> { b::deep() }",
        ];
        for text in nothing {
            assert_eq!(used(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_module_within_a_file_is_one_of_its_own() {
        assert_eq!(used("mod inside { use super::super::two::Two; }"), [""; 0], "it is inside that uses it");
        let modules = crate_of(&[("src/a.rs", "mod x { pub use super::y::Y; } mod y { pub struct Y; } use x::Y;")]);
        let all: Vec<_> = modules.uses().iter().map(|found| (found.from.join("::"), found.to.join("::"))).collect();
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(all, [pair("a", "a::x"), pair("a", "a::y"), pair("a::x", "a::y")]);
    }

    #[test]
    fn a_use_says_where_it_stands() {
        let modules = crate_of(&[("src/a.rs", "\n\nfn f() { crate::b::go() }"), ("src/b.rs", "")]);
        assert_eq!(modules.uses()[0].place, "src/a.rs:3");
    }
}
