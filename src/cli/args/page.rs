//! The end of each help page: its examples, then the exit codes that its command can end with.
//!
//! No line is wider than a terminal of 80 columns, so that an example can be copied as it stands.

/// Columns of the narrowest terminal that help is laid out for, less the two that examples are moved in by.
const EXAMPLE_COLUMNS: usize = 78;
/// Columns that the meaning of an exit code has beside the code.
const MEANING_COLUMNS: usize = 75;
/// Heading of the exit codes, which the manual looks for too.
pub const EXITS: &str = "Exit codes:\n";

/// Examples, then exit codes. 2 is the same everywhere unless the page has more to say.
pub fn page(examples: &[&str], exits: &[(u8, &str)]) -> String {
    let mut text = String::from(if examples.len() == 1 { "Example:\n" } else { "Examples:\n" });
    for line in examples.iter().flat_map(|example| fitted(example)) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push('\n');
    text.push_str(EXITS);
    let usage = (2, "the arguments make no sense");
    let given = exits.iter().any(|(code, _)| *code == usage.0);
    let mut all: Vec<(u8, &str)> = exits.iter().copied().chain((!given).then_some(usage)).collect();
    all.sort_by_key(|(code, _)| *code);
    for (code, meaning) in all {
        text.push_str(&format!("  {code}  {}\n", filled(meaning, MEANING_COLUMNS).join("\n     ")));
    }
    text
}

/// An example in lines that fit: its remark goes above it, and the command goes on after a backslash.
fn fitted(example: &str) -> Vec<String> {
    if example.len() <= EXAMPLE_COLUMNS {
        return vec![example.to_owned()];
    }
    let (command, remark) =
        example.split_once("   # ").map_or((example, None), |(c, remark)| (c.trim_end(), Some(remark)));
    let mut lines: Vec<String> = remark.iter().map(|remark| format!("# {remark}")).collect();
    let mut line = String::new();
    for part in parts(command) {
        let is_full = line.len() + part.len() + " \\".len() > EXAMPLE_COLUMNS;
        if is_full && !line.is_empty() {
            lines.push(format!("{line} \\"));
            line = format!("    {}", part.trim_start());
        } else {
            line.push_str(part);
        }
    }
    lines.push(line);
    lines
}

/// A command in the parts between which a shell lets a line end: before options, pipes and `&&`, outside of quotes.
fn parts(command: &str) -> Vec<&str> {
    let (mut begin, mut is_quoted, mut all) = (0, false, Vec::new());
    for (at, letter) in command.char_indices() {
        is_quoted ^= letter == '\'';
        let rest = command.get(at..).unwrap_or_default();
        if !is_quoted && at > begin && [" --", " | ", " && "].iter().any(|start| rest.starts_with(start)) {
            all.extend(command.get(begin..at));
            begin = at;
        }
    }
    all.extend(command.get(begin..));
    all
}

/// Words in lines of so many columns.
pub fn filled(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= columns) {
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lists_its_exit_codes_in_order_and_usage_always() {
        let text = page(&["mxseal x"], &[(0, "ok"), (5, "late")]);
        assert_eq!(text, "Example:\n  mxseal x\n\nExit codes:\n  0  ok\n  2  the arguments make no sense\n  5  late\n");
    }

    #[test]
    fn a_long_example_goes_on_after_a_backslash_and_never_within_quotes() {
        let key = "2".repeat(64);
        let lines = fitted(&format!("mxseal cert permit eu-1 --key {key} --dry-run   # may they?"));
        let expected = [
            "# may they?".to_owned(),
            "mxseal cert permit eu-1 \\".to_owned(),
            format!("    --key {key} \\"),
            "    --dry-run".to_owned(),
        ];
        assert_eq!(lines, expected);
        let quoted = format!("mxseal a '{}'", " --x | y".repeat(12));
        assert_eq!(fitted(&quoted), [quoted.as_str()]);
    }

    #[test]
    fn long_meanings_go_on_below_themselves() {
        let text = page(&["mxseal x"], &[(0, &"word ".repeat(20))]);
        assert!(text.contains("\n     word"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
