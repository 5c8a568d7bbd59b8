//! How words look: their tone, which colour only repeats, and no control character among them.

use crate::render::{GREEN, ORANGE, RED, escape};

/// How a word is shown where colour is on. Colour only repeats what the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Strong,
    /// All is well.
    Good,
    /// Worth a look.
    Caution,
    /// Someone must act.
    Bad,
}

/// `text` in this tone, where colour is on.
pub fn paint(colour: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Strong => "1".to_owned(),
        Tone::Good => format!("38;5;{GREEN}"),
        Tone::Caution => format!("38;5;{ORANGE}"),
        Tone::Bad => format!("1;38;5;{RED}"),
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// `text` on one line without control characters: a tenant's file must not move the cursor of whoever lists it, nor
/// turn the direction of what follows.
pub fn clean(text: &str) -> String {
    escape::line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_file_never_reach_the_terminal() {
        let shown = clean("a\x1b[2J\u{9b}1m\n\u{202e}b");
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}1m\\u{a}\\u{202e}b");
        assert_eq!(clean("zürich 例え"), "zürich 例え");
    }

    #[test]
    fn a_tone_is_a_colour_only_where_it_is_wanted() {
        assert_eq!(paint(false, Tone::Bad, "x"), "x");
        assert_eq!(paint(true, Tone::Bad, "x"), "\x1b[1;38;5;160mx\x1b[0m");
    }

    /// Relative luminance of a colour of the cube 16 to 231 (WCAG 2.2, "relative luminance").
    fn luminance(colour: u8) -> f64 {
        let index = usize::from(colour - 16);
        let part = |step: usize| {
            let value = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0][step] / 255.0;
            if value <= 0.04045 { value / 12.92 } else { f64::powf((value + 0.055) / 1.055, 2.4) }
        };
        0.2126 * part(index / 36) + 0.7152 * part(index / 6 % 6) + 0.0722 * part(index % 6)
    }

    #[test]
    fn each_colour_can_be_read_on_white_and_on_black() {
        // WCAG 2.2 § 1.4.11 wants a contrast of 3; the same colour on both cannot have more than 4.58.
        for colour in [GREEN, ORANGE, RED] {
            let light = luminance(colour);
            assert!(1.05 / (light + 0.05) > 3.5, "{colour} on white");
            assert!((light + 0.05) / 0.05 > 3.5, "{colour} on black");
        }
    }
}
