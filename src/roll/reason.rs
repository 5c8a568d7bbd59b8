//! Reasons that people give, as long as a fact keeps them.
//!
//! A reason is cut with a word, and never refused for its length: what it is given for may be urgent.

/// Octets of a reason that a fact keeps, at most: some screens of text, and even if each octet is written as six, far less
/// than a line of a journal may have.
pub const REASON_OCTETS_MAX: usize = 1024;
/// What ends a reason that was cut.
const CUT: &str = "… (cut)";

/// A reason that was given, no longer than a fact keeps.
pub fn cut(reason: String) -> String {
    if reason.len() <= REASON_OCTETS_MAX {
        return reason;
    }
    let end = reason.floor_char_boundary(REASON_OCTETS_MAX - CUT.len());
    format!("{}{CUT}", reason.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_kept_up_to_its_limit_and_cut_between_letters_beyond_it() {
        let longest = "x".repeat(REASON_OCTETS_MAX);
        assert_eq!(cut(longest.clone()), longest);
        for letter in ["x", "ö", "€", "𝄞"] {
            let kept = cut(letter.repeat(REASON_OCTETS_MAX));
            assert!(kept.len() <= REASON_OCTETS_MAX, "{letter}");
            assert_eq!(kept.ends_with(CUT), letter != "x");
            assert!(cut(letter.repeat(17_000)).starts_with(letter));
        }
    }
}
