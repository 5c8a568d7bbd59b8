//! The octets of a master file as text: what is no UTF-8 becomes the escape that stands for the same octet.
//!
//! RFC 1035 § 5.1 knows no encoding: any octet may stand in a comment or in a string. Nothing is dropped, and nothing is
//! taken for another encoding.

use std::borrow::Cow;

/// Octets as text; each that belongs to no character of UTF-8 as `\DDD` (RFC 1035 § 5.1).
pub fn text_of(octets: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(octets.len() + octets.len() / 8);
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        for octet in chunk.invalid() {
            // A backslash in front takes the octet as it is, which the escape does, too.
            if ends_in_escape(&text) {
                text.pop();
            }
            text.push_str(&format!("\\{octet:03}"));
        }
    }
    Cow::Owned(text)
}

/// Whether the last backslash escapes what follows, and is not itself escaped.
fn ends_in_escape(text: &str) -> bool {
    text.bytes().rev().take_while(|octet| *octet == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_no_text_become_the_escapes_that_stand_for_them() {
        for (octets, text) in [
            (&b"plain \\; text"[..], "plain \\; text"),
            ("Gr\u{fc}\u{df}e".as_bytes(), "Gr\u{fc}\u{df}e"),
            (b"Gr\xfc\xdfe", "Gr\\252\\223e"),
            (b"\\\xfc \\\\\xfc \\\\\\\xfc", "\\252 \\\\\\252 \\\\\\252"),
            (b"cut \xe2\x82", "cut \\226\\130"),
            (b"\xff", "\\255"),
        ] {
            assert_eq!(text_of(octets), text);
        }
    }
}
