//! Lines of what outlives a restart, within the octets that their file may have.

/// The lines one after another; none where they have more than so many octets.
pub(crate) fn joined_within(lines: impl Iterator<Item = String>, max: usize) -> Option<String> {
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() > max {
            return None;
        }
        text.push_str(&line);
    }
    Some(text)
}
