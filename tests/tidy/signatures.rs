//! What functions take and structs hold: no tuple of unlike things, no two `bool` of which nobody remembers which is which.

use crate::exact;
use crate::source::{below, line_of, places};
use std::collections::BTreeMap;

/// Structs whose flags have their names and their independence from elsewhere: bits of messages of the DNS, options as they
/// were typed, keys of `mxseal.toml`, fields of the JSON that commands print; and the last, what begins and ends each by itself.
const FLAGS_ALLOWED: &[&[&str]] = &[
    &["Answer", "Edns", "Message"],
    &["DropKey", "List", "Permit", "Resume", "Roll", "Rotate", "Simulate"],
    &["PoolSettings", "RateLimit"],
    &["CertKeyInfo", "LeadInfo", "RollAsked"],
    &["Instance", "Part", "PoolTable", "Waiting", "Way", "ZoneRoll"],
];

/// The parts of a list, divided by commas outside of all brackets.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0i32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        let is_arrow = c == '>' && (list[..at].ends_with('-') || list[..at].ends_with('='));
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if !is_arrow => depth -= 1,
            ',' if depth == 0 => {
                found.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&list[start..]);
    found.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// What stands inside of the bracket at the start of a text.
fn inside(text: &str) -> &str {
    let mut depth = 0i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..at];
        }
    }
    ""
}

/// The name of what is defined at an offset, and what stands in the bracket `open` after it; generics are passed over.
fn definition(code: &str, open: char) -> Option<(&str, &str)> {
    let code = code.trim_start();
    let name = &code[..code.find(|c: char| !c.is_alphanumeric() && c != '_')?];
    let mut depth = 0i32;
    for (at, c) in code.char_indices().skip(name.len()) {
        let is_arrow = c == '>' && (code[..at].ends_with('-') || code[..at].ends_with('='));
        match c {
            c if c == open && depth == 0 => return Some((name, inside(&code[at..]))),
            ';' | '}' if depth == 0 => return None,
            '<' | '(' | '[' => depth += 1,
            '>' if is_arrow => {}
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Every `fn` or `struct` with its line and the parts of its list.
fn all<'c>(code: &'c str, word: &str, open: char) -> Vec<(&'c str, usize, Vec<&'c str>)> {
    let found = places(code, word).into_iter().filter_map(|at| Some((at, definition(&code[at + word.len()..], open)?)));
    let named = found.filter(|(_, (name, _))| !name.is_empty());
    named.map(|(at, (name, list))| (name, line_of(code, at), parts(list))).collect()
}

/// A parameter's or a field's name or pattern, and its type; attributes and who may see it aside.
fn typed(part: &str) -> Option<(&str, &str)> {
    let mut part = part;
    while let Some(rest) = part.strip_prefix('#') {
        part = rest[inside(rest).len() + 2..].trim_start();
    }
    let (mut depth, bytes) = (0i32, part.as_bytes());
    for (at, b) in part.bytes().enumerate() {
        match b {
            b'(' | b'[' | b'<' | b'{' => depth += 1,
            b')' | b']' | b'>' | b'}' => depth -= 1,
            b':' if bytes.get(at + 1) == Some(&b':') || (at > 0 && bytes[at - 1] == b':') => {}
            b':' if depth == 0 => return Some((part[..at].trim(), part[at + 1..].trim())),
            _ => {}
        }
    }
    None
}

/// Whether a parameter is a tuple of things that are not one: of several types, or taken apart at once.
fn is_tuple(part: &str) -> bool {
    let Some((pattern, kind)) = typed(part) else { return false };
    let mut kind = kind;
    loop {
        let rest = kind.strip_prefix('&').or_else(|| kind.strip_prefix("mut ")).or_else(|| {
            let lifetime = kind.strip_prefix('\'')?;
            lifetime.find(' ').map(|at| &lifetime[at..])
        });
        match rest {
            Some(rest) => kind = rest.trim_start(),
            None => break,
        }
    }
    if !kind.starts_with('(') {
        return false;
    }
    let members = parts(inside(kind));
    let is_one_type = members.windows(2).all(|pair| pair[0] == pair[1]);
    members.len() > 1 && (!is_one_type || pattern.starts_with('('))
}

fn are_two_bools(list: &[&str]) -> bool {
    list.windows(2).any(|pair| pair.iter().all(|part| typed(part).is_some_and(|(_, kind)| kind == "bool")))
}

/// The name of each definition in the code that ships of which `is_wrong` says so, and where it stands.
fn wrong(word: &str, open: char, is_wrong: impl Fn(&[&str]) -> bool) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for source in below("src") {
        for (name, line, _) in all(&source.shipped, word, open).into_iter().filter(|(_, _, list)| is_wrong(list)) {
            found.entry(name.to_owned()).or_default().push_str(&format!(" {}:{line}", source.path));
        }
    }
    found
}

fn listed(left: &[&[&str]]) -> std::collections::BTreeSet<String> {
    left.concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn no_function_takes_a_tuple_of_unlike_things() {
    let found = wrong("fn", '(', |list| list.iter().any(|part| is_tuple(part)));
    exact("a tuple is a struct without a name: name it, or take its parts", found, listed(&[]));
}

#[test]
fn no_function_takes_two_bools_in_a_row() {
    let found = wrong("fn", '(', are_two_bools);
    exact("two `bool` in a row, which callers mix up: an enum says what they mean", found, listed(&[]));
}

#[test]
fn no_struct_holds_two_bools_in_a_row() {
    let found = wrong("struct", '{', are_two_bools);
    exact("two `bool` in a row: an enum says what they mean", found, listed(FLAGS_ALLOWED));
}

#[test]
fn tuples_of_unlike_things_are_seen_and_others_are_not() {
    let is_seen = |code: &str| all(code, "fn", '(').iter().any(|(_, _, list)| list.iter().any(|part| is_tuple(part)));
    for code in [
        "fn f((a, b): (A, B)) {}",
        "fn f(&self, a: (A, B)) -> C {}",
        "fn f<'a, T: Fn(A) -> B>(x: X, (a, b): &'a mut (A, B<C, D>)) where T: Y {}",
        "fn f((a, b): (u64, u64)) {}",
        "fn f(&mut self, a: &(A, B)) {}",
        "trait X { fn f(a: &'static (A, B)); }",
    ] {
        assert!(is_seen(code), "{code}");
    }
    for code in [
        "fn f(span: (usize, usize)) {}",
        "fn f(a: &[(A, B)], b: Option<(A, B)>, c: impl Fn((A, B)) -> C) {}",
        "fn f(A { a, b }: A, [a, b]: [u8; 2]) -> (A, B) {}",
        "fn f() { let a = |(a, b): (A, B)| a; }",
        "fn f(a: fn(A, B) -> (A, B), b: ()) {}",
    ] {
        assert!(!is_seen(code), "{code}");
    }
}

#[test]
fn two_bools_in_a_row_are_seen_and_others_are_not() {
    let of = |code: &str, word, open| all(code, word, open).iter().any(|(_, _, list)| are_two_bools(list));
    assert!(of("fn f(a: A, b: bool, c: bool) {}", "fn", '('));
    assert!(!of("fn f(b: bool, a: A, c: bool) {}", "fn", '('));
    assert!(!of("fn f(b: bool) -> fn(bool, bool) {}", "fn", '('));
    assert!(of("pub struct S<T> where T: X { pub a: bool, #[serde(default)] pub(crate) b: bool }", "struct", '{'));
    assert!(!of("struct S { a: bool, b: Option<bool>, c: bool } fn f(a: bool, b: bool) {}", "struct", '{'));
    assert!(!of("struct S(bool, bool); fn f() { T { a: x, b: y } }", "struct", '{'));
}
