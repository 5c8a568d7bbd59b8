//! Groups of users, as the host lists them; service accounts are local.

use std::io;

/// Groups are read from here.
pub const GROUP: &str = "/etc/group";

/// The number of a group, by its name or number; none: there is no such group.
///
/// # Errors
/// The list cannot be read.
pub fn id_of(name: &str) -> io::Result<Option<u32>> {
    Ok(id_in(&std::fs::read_to_string(GROUP)?, name))
}

/// Finds a line `name:password:gid:members` by name, else by number (group(5)).
fn id_in(text: &str, wanted: &str) -> Option<u32> {
    let one = |line: &'_ str| {
        let mut fields = line.split(':');
        let is_it = fields.next()? == wanted;
        Some((is_it, fields.nth(1)?.parse::<u32>().ok()?))
    };
    let groups: Vec<(bool, u32)> = text.lines().filter_map(one).collect();
    let number = wanted.parse::<u32>().ok();
    let by_name = groups.iter().find(|(is_it, _)| *is_it);
    by_name.or_else(|| groups.iter().find(|(_, gid)| Some(*gid) == number)).map(|(_, gid)| *gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_before_number() {
        let text = "root:x:0:\n\nhelp:x:40:anna,ben\n40:x:41:\nbad:x:y:\nshort:x\n";
        assert_eq!(id_in(text, "help"), Some(40));
        assert_eq!(id_in(text, "40"), Some(41));
        assert_eq!(id_in(text, "0"), Some(0));
        assert_eq!((id_in(text, "bad"), id_in(text, "short"), id_in(text, "nobody")), (None, None, None));
        assert_eq!(id_of("root").expect("the list is there"), Some(0));
    }
}
