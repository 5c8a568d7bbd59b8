//! Rust sources as text: comments and literals blanked, tests cut out, lines and columns kept.

use std::path::{Path, PathBuf};

/// One source file.
pub struct Source {
    /// From the root of the repository: `src/zone/master/lexer.rs`.
    pub path: String,
    /// As it is.
    pub raw: String,
    /// Without comments and without the content of literals; every line has the length it had.
    pub code: String,
    /// The same without `#[cfg(test)]` items.
    pub shipped: String,
}

/// A function's text.
pub struct Function<'s> {
    pub name: &'s str,
    /// From 1.
    pub line: usize,
    pub lines: usize,
    /// From `fn` to the closing brace.
    pub text: &'s str,
}

/// Root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// All Rust files below a folder, sorted.
pub fn below(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    let sources: Vec<Source> = paths.iter().map(|path| Source::new(path)).collect();
    assert!(!sources.is_empty(), "no source below {folder}");
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    fn new(path: &Path) -> Source {
        let shown = path.strip_prefix(root()).expect("a path of the repository").to_string_lossy().into_owned();
        let raw = read(&shown);
        Source::from_text(shown, raw)
    }

    pub fn from_text(path: String, raw: String) -> Source {
        let code = blank(&raw);
        let shipped = without_tests(&code);
        Source { path, raw, code, shipped }
    }

    /// Its modules from the crate's root: `["zone", "master", "lexer"]`.
    pub fn modules(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        inner.split('/').filter(|part| !matches!(*part, "mod" | "lib")).collect()
    }

    /// Lines that hold `word` as a whole word, from 1.
    pub fn lines_with(text: &str, word: &str) -> Vec<usize> {
        let lines = text.lines().enumerate();
        lines.filter(|(_, line)| !places(line, word).is_empty()).map(|(at, _)| at + 1).collect()
    }

    /// As it is, with comments and literals, without what is blank because it does not ship.
    pub fn raw_shipped(&self) -> String {
        let is_blank = |line: &str| line.trim().is_empty();
        let lines = self.raw.lines().zip(self.shipped.lines()).filter(|(_, shipped)| !is_blank(shipped));
        lines.flat_map(|(raw, _)| [raw, "\n"]).collect()
    }

    /// Number of lines of code that ship, up to the tests.
    pub fn shipped_lines(&self) -> usize {
        self.shipped.trim_end().lines().count()
    }
}

/// Where `word` stands in `text` as a whole word.
pub fn places(text: &str, word: &str) -> Vec<usize> {
    let is_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let (bytes, first, last) = (text.as_bytes(), word.as_bytes().first(), word.as_bytes().last());
    let free = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let begins = !is_word(first) || !is_word(before);
        begins && (!is_word(last) || !is_word(bytes.get(at + word.len())))
    };
    text.match_indices(word).map(|(at, _)| at).filter(|at| free(*at)).collect()
}

/// Line of an offset, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Every function with a body, in blanked code.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let mut all = Vec::new();
    for at in places(code, "fn") {
        let rest = &code[at + 2..];
        let name = rest.trim_start();
        let name = &name[..name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0)];
        let Some(length) = item_length(&code[at..]).filter(|_| !name.is_empty()) else { continue };
        let text = &code[at..at + length];
        if text.ends_with('}') {
            all.push(Function { name, line: line_of(code, at), lines: text.lines().count(), text });
        }
    }
    all
}

/// Octets of the item at the start of `code`: to its first `;` outside of brackets, or the end of its first block.
pub fn item_length(code: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, b) in code.bytes().enumerate() {
        match b {
            b';' if depth == 0 => return Some(at + 1),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && b == b'}' {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn without_tests(code: &str) -> String {
    let mut shipped = code.to_owned();
    while let Some(at) = shipped.find("#[cfg(test)]") {
        // The attribute is blanked like the item, or it would be found again.
        let start = at + "#[cfg(test)]".len();
        let length = item_length(&shipped[start..]).unwrap_or(shipped.len() - start);
        let blanked: String = shipped[at..start + length].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        shipped.replace_range(at..start + length, &blanked);
    }
    shipped
}

/// Puts blanks for comments and for what literals hold.
pub fn blank(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = match &bytes[at..] {
            [b'/', b'/', ..] => line_comment(&mut out, at),
            [b'/', b'*', ..] => block_comment(&mut out, at),
            [b'"', ..] => string(&mut out, at),
            [b'r', ..] if starts_word(bytes, at) => raw_string(&mut out, at),
            [b'b', b'r', ..] if starts_word(bytes, at) => 1 + raw_string(&mut out, at + 1),
            [b'\'', ..] => character(&mut out, at),
            _ => 1,
        };
        at += length;
    }
    String::from_utf8(out).expect("only whole literals were blanked")
}

fn starts_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_')
}

fn wipe(out: &mut [u8], from: usize, to: usize) -> usize {
    let to = to.min(out.len());
    out[from..to].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
    to - from
}

fn line_comment(out: &mut [u8], at: usize) -> usize {
    let end = out[at..].iter().position(|b| *b == b'\n').map_or(out.len(), |length| at + length);
    wipe(out, at, end)
}

fn block_comment(out: &mut [u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < out.len() {
        match &out[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    wipe(out, start, at)
}

/// Quotes stay, so that an empty text and a text can be told apart from code.
fn string(out: &mut [u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < out.len() && out[at] != b'"' {
        at += if out[at] == b'\\' { 2 } else { 1 };
    }
    wipe(out, start + 1, at) + 2
}

fn raw_string(out: &mut [u8], start: usize) -> usize {
    let hashes = out[start + 1..].iter().take_while(|b| **b == b'#').count();
    if out.get(start + 1 + hashes) != Some(&b'"') {
        return 1;
    }
    let (open, end) = (start + 2 + hashes, [&b"\""[..], &b"#".repeat(hashes)].concat());
    let length = out[open..].windows(end.len()).position(|window| window == end).unwrap_or(out.len() - open);
    wipe(out, open, open + length);
    2 + hashes + length + end.len()
}

/// A character, or the quote of a lifetime.
fn character(out: &mut [u8], at: usize) -> usize {
    let close = match &out[at + 1..] {
        [b'\\', _, rest @ ..] => rest.iter().position(|b| *b == b'\'').map(|length| at + 3 + length),
        rest => {
            let wide = rest.first().map_or(1, |b| b.leading_ones().max(1) as usize);
            (rest.get(wide) == Some(&b'\'')).then_some(at + 1 + wide)
        }
    };
    close.map_or(1, |close| wipe(out, at + 1, close) + 2)
}

mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lifetimes_are_not() {
        let raw = "a(\"x\\\"y\", 'z', '\\'', r#\"u\"v\"#, b\"w\"); // end\n/* in /* it */ */ fn f<'a>(b: &'a u8) {}";
        let code = "a(\"    \", ' ', '  ', r#\"   \"#, b\" \");       \n                  fn f<'a>(b: &'a u8) {}";
        assert_eq!(blank(raw), code);
    }

    #[test]
    fn tests_are_cut_out_and_lines_stay() {
        let source = Source::from_text(
            "src/a.rs".to_owned(),
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {\n}\n".to_owned(),
        );
        assert_eq!(
            source.shipped.lines().map(str::trim).collect::<Vec<_>>(),
            ["fn a() {}", "", "", "", "", "fn c() {", "}"]
        );
        let found: Vec<_> = functions(&source.code).iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("a", 1, 1), ("b", 4, 1), ("c", 6, 2)]);
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(places("unsafe_code unsafe {", "unsafe"), [12]);
        assert_eq!(places("a.unwrap() b.unwrap_or()", ".unwrap()"), [1]);
    }
}
