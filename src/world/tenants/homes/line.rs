//! One line about a tenant in `tenant-pools`: its endpoint and domain, its pool, the way that it is on, and when it went.
//!
//! ```text
//! contoso.com eu-1               served from a pool, at the endpoint contoso-com
//! mail=contoso.com eu-1          the same at another endpoint
//! contoso.com .                  with addresses of its own
//! contoso.com us-1 .way-17       on its way to that pool
//! contoso.com eu-1 @1796058222   gone at that moment; caches may hold what it had
//! contoso-com eu-1               of before domains were kept
//! contoso-com                    nothing is known any more
//! ```

use crate::time::UnixTime;

/// The word for no pool: no pool's name begins with a dot.
const NO_POOL: &str = ".";

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home<'l> {
    /// Its first word, which tells the label.
    pub(super) word: &'l str,
    /// Whose endpoint it is; none: a line of before that was kept.
    pub domain: Option<&'l str>,
    /// The pool, or that it has none; none: nothing is known any more.
    pub pool: Option<Option<&'l str>>,
    /// The way that it is on.
    pub way: Option<&'l str>,
    /// When it went.
    pub gone: Option<UnixTime>,
}

impl<'l> Home<'l> {
    /// Reads a line; none: it is none.
    pub fn read(line: &'l str) -> Option<Home<'l>> {
        let mut words = line.split_ascii_whitespace();
        let word = words.next()?;
        let domain = word.split_once('=').map(|(_, domain)| domain).or_else(|| word.contains('.').then_some(word));
        let pool = words.next().map(|pool| Some(pool).filter(|pool| *pool != NO_POOL));
        let mut home = Home { word, domain, pool, way: None, gone: None };
        for more in words {
            match more.strip_prefix('@') {
                Some(at) => home.gone = at.parse().ok().map(UnixTime),
                None => home.way = Some(more),
            }
        }
        Some(home)
    }

    /// Writes the label that it is about in place of what was there.
    pub fn write_label(&self, label: &mut Vec<u8>) {
        let word = self.word.split_once('=').map_or(self.word, |(label, _)| label);
        label.clear();
        label.extend(word.bytes().map(|octet| if octet == b'.' { b'-' } else { octet }));
    }

    /// Whether it is about this label.
    pub fn is_at(&self, label: &[u8]) -> bool {
        let word = self.word.split_once('=').map_or(self.word, |(label, _)| label);
        word.len() == label.len() && word.bytes().zip(label).all(|(a, b)| a == *b || (a == b'.' && *b == b'-'))
    }
}

/// Adds a line.
pub(super) fn push(text: &mut String, label: &[u8], home: &Home<'_>) {
    let label = String::from_utf8_lossy(label);
    match home.domain.filter(|domain| !domain.is_empty()) {
        Some(domain) => {
            let is_plain = domain.len() == label.len()
                && domain.bytes().zip(label.bytes()).all(|(a, b)| a == b || (a == b'.' && b == b'-'));
            if !is_plain {
                text.push_str(&label);
                text.push('=');
            }
            text.push_str(domain);
        }
        None => text.push_str(&label),
    }
    text.push(' ');
    text.push_str(home.pool.flatten().unwrap_or(NO_POOL));
    if let Some(way) = home.way {
        text.push(' ');
        text.push_str(way);
    }
    if let Some(at) = home.gone {
        text.push_str(&format!(" @{}", at.0));
    }
    text.push('\n');
}

/// Adds a line that says that nothing is known any more.
pub(super) fn push_nothing(text: &mut String, label: &[u8]) {
    text.push_str(&String::from_utf8_lossy(label));
    text.push('\n');
}
