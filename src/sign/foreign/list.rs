//! Lists of a zone's keys as Knot and PowerDNS print them: `keymgr ZONE list`, `pdnsutil list-keys` and `show-zone`.
//!
//! Pure. A line that is no key says nothing; what is not in the list is not known.

use super::times::{Times, Usage};
use crate::time::UnixTime;

/// One key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its tag.
    pub tag: u16,
    /// What it is to its zone.
    pub usage: Usage,
}

/// All keys in a list, at that moment.
pub fn read(text: &str, now: UnixTime) -> Vec<Listed> {
    if let Ok(serde_json::Value::Array(keys)) = serde_json::from_str(text) {
        return keys.iter().filter_map(|key| of_json(key, now)).collect();
    }
    text.lines()
        .filter_map(|line| of_knot(line, now).or_else(|| of_list_keys(line)).or_else(|| of_show_zone(line)))
        .collect()
}

/// The names of Knot's dates for [`Times::of_dates`].
const DATES: [&str; 4] = ["publish", "active", "retire", "remove"];

/// `keymgr --json ZONE list`: seconds, 0 for none.
fn of_json(key: &serde_json::Value, now: UnixTime) -> Option<Listed> {
    let tag = u16::try_from(key.get("tag")?.as_u64()?).ok()?;
    let date = |name: &str| key.get(name).and_then(serde_json::Value::as_u64).filter(|at| *at > 0).map(UnixTime);
    let usage = Times::of_dates(DATES.map(date)).usage(false, now);
    Some(Listed { tag, usage })
}

/// `ID TAG KSK|ZSK|CSK ALGORITHM publish=… active=… …`: seconds, or ISO 8601.
fn of_knot(line: &str, now: UnixTime) -> Option<Listed> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let tag = words.get(1)?.parse().ok().filter(|_| words.get(2).is_some_and(|role| is_role(role)))?;
    let date = |name: &str| {
        let value = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        let seconds = value.parse().ok().filter(|at| *at > 0);
        let iso = || u64::try_from(value.parse::<jiff::Timestamp>().ok()?.as_second()).ok();
        seconds.or_else(iso).map(UnixTime)
    };
    let usage = Times::of_dates(DATES.map(date)).usage(false, now);
    Some(Listed { tag, usage })
}

/// `ZONE TYPE [Act] [Pub] SIZE ALGORITHM ID LOCATION TAG`.
fn of_list_keys(line: &str) -> Option<Listed> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let role = words.iter().position(|word| is_role(word)).filter(|at| *at <= 1)?;
    let tag = words.last()?.parse().ok()?;
    let has = |flag| words.iter().skip(role).take(3).any(|word| *word == flag);
    Some(Listed { tag, usage: Usage { published: Some(has("Pub")), signs: Some(has("Act")), revoked: false } })
}

/// `ID = 1 (CSK), flags = 257, tag = 12345, algo = 13, bits = 256 Active Published`.
fn of_show_zone(line: &str) -> Option<Listed> {
    let (_, rest) = line.split_once("tag = ")?;
    let tag = rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?;
    let has = |flag| line.split_ascii_whitespace().any(|word| word == flag);
    Some(Listed {
        tag,
        usage: Usage { published: Some(!has("Unpublished")), signs: Some(has("Active")), revoked: false },
    })
}

fn is_role(word: &str) -> bool {
    matches!(word, "KSK" | "ZSK" | "CSK")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn all(text: &str) -> Vec<(u16, Option<bool>, Option<bool>)> {
        read(text, NOW).into_iter().map(|key| (key.tag, key.usage.published, key.usage.signs)).collect()
    }

    #[test]
    fn lists_of_knot_are_read_in_each_form() {
        let (yes, no) = (Some(true), Some(false));
        let text = "699314abbeea97ba0f113a4fbc6936c9cdd3e8c2 12846 KSK ECDSAP256SHA256 publish=1796060068 ready=1796060068 \
                    active=1796060068\n\
                    5972ab8a455b61aba74f58b2d912070d432705af 48594 ZSK ECDSAP256SHA256 publish=2027-06-05T17:34:28Z \
                    active=2027-06-10T17:34:28Z\n\
                    5972 7 ZSK ECDSAP256SHA256 publish=1796060068 active=1796060068 retire=1796060069 remove=1796060070\n\
                    error: no such zone\n";
        assert_eq!(all(text), [(12846, yes, yes), (48594, no, no), (7, no, no)]);
        let json = r#"[{"zone":"a.","tag":5,"algorithm":13,"publish":1796060068,"active":1796060068,"retire":1796060069,
                       "remove":0},{"tag":70000}]"#;
        assert_eq!(all(json), [(5, yes, no)]);
    }

    #[test]
    fn lists_of_powerdns_are_read_in_each_form() {
        let (yes, no) = (Some(true), Some(false));
        let text = "Zone                          Type Act Pub Size    Algorithm       ID   Location    Keytag\n\
                    ----------------------------------------------------------------------------------\n\
                    example.org                   KSK  Act Pub 256     ECDSAP256SHA256 1    cryptokeys  12345\n\
                    example.org                   ZSK      Pub 256     ECDSAP256SHA256 2    cryptokeys  23456\n\
                    example.org                   ZSK          256     ECDSAP256SHA256 3    cryptokeys  34567\n";
        assert_eq!(all(text), [(12345, yes, yes), (23456, yes, no), (34567, no, no)]);
        let shown = "keys: \nID = 1 (CSK), flags = 257, tag = 12345, algo = 13, bits = 256\t  Active\t Published  ( ECDSAP256SHA256 )\n\
                     ID = 2 (ZSK), flags = 256, tag = 23456, algo = 13, bits = 256\tInactive\t Unpublished  ( ECDSAP256SHA256 )\n\
                     CSK DNSKEY = example.org. IN DNSKEY 257 3 13 x ; ( ECDSAP256SHA256 )\n";
        assert_eq!(all(shown), [(12345, yes, yes), (23456, no, no)]);
    }
}
