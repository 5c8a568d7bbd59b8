//! What key files of BIND say about a key's life: dates, and the states of `dnssec-policy`.
//!
//! Pure. A key without dates is never taken for one in use: it says nothing.

use crate::time::UnixTime;

/// Dates and states of one key; those of a plan may lie ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    publish: Option<UnixTime>,
    activate: Option<UnixTime>,
    revoke: Option<UnixTime>,
    inactive: Option<UnixTime>,
    delete: Option<UnixTime>,
    /// Whether caches may be given it now, by `DNSKEYState`.
    dnskey: Option<bool>,
    /// Whether it signs the keys, by `KRRSIGState`.
    signs_keys: Option<bool>,
    /// Whether it signs data, by `ZRRSIGState`.
    signs_data: Option<bool>,
}

/// What a key is to its zone, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whether it is in DNSKEY.
    pub published: Option<bool>,
    /// Whether it signs: data, or for an entry key the keys.
    pub signs: Option<bool>,
    /// Whether its owner revoked it (RFC 5011 § 2.1).
    pub revoked: bool,
}

impl Times {
    /// Reads the lines `Name: value` of key files, comments of the public one too. What a former text says holds, so the
    /// private one comes first, as BIND believes that.
    pub fn read(texts: &[&str]) -> Times {
        let mut times = Times::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            let Some((name, value)) = line.trim_start_matches([';', ' ', '\t']).split_once(':') else { continue };
            let word = value.split_ascii_whitespace().next().unwrap_or_default();
            let (date, state) = (moment(word), state(word));
            match name.trim_end() {
                "Publish" | "Published" => set(&mut times.publish, date),
                "Activate" | "Active" => set(&mut times.activate, date),
                "Revoke" | "Revoked" => set(&mut times.revoke, date),
                "Inactive" | "Retired" => set(&mut times.inactive, date),
                "Delete" | "Removed" => set(&mut times.delete, date),
                "DNSKEYState" => set(&mut times.dnskey, state),
                "KRRSIGState" => set(&mut times.signs_keys, state),
                "ZRRSIGState" => set(&mut times.signs_data, state),
                _ => {}
            }
        }
        times
    }

    /// From when on it is published, signs, and signs and is published no more.
    pub fn of_dates(dates: [Option<UnixTime>; 4]) -> Times {
        let [publish, activate, inactive, delete] = dates;
        Times { publish, activate, inactive, delete, ..Times::default() }
    }

    /// What the key is at that moment. `is_entry`: its flags are those of a key that a DS points at.
    pub fn usage(&self, is_entry: bool, now: UnixTime) -> Usage {
        let is_past = |date: Option<UnixTime>| date.map(|date| date <= now);
        let is_over = is_past(self.delete) == Some(true);
        let begins = is_past(self.publish.or(self.activate));
        let by_dates = if is_over { Some(false) } else { begins };
        let ends = is_over || is_past(self.inactive) == Some(true);
        // A key that has dates and none to sign from does not sign.
        let signs = is_past(self.activate).or(begins.map(|_| false));
        let state = if is_entry { self.signs_keys.or(self.signs_data) } else { self.signs_data };
        Usage {
            published: self.dnskey.or(by_dates),
            signs: state.or(if ends { Some(false) } else { signs }),
            revoked: is_past(self.revoke) == Some(true),
        }
    }

    /// Why it is not published at that moment, in words.
    pub fn absence(&self, now: UnixTime) -> String {
        let is_past = |date: &UnixTime| *date <= now;
        if let Some(delete) = self.delete.filter(is_past) {
            return format!("it was removed from DNSKEY at {}", day(delete));
        }
        match self.publish.or(self.activate).filter(|date| !is_past(date)) {
            Some(publish) => format!("it is in DNSKEY from {} on", day(publish)),
            None => "its state says that it is not in DNSKEY".to_owned(),
        }
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) {
    if field.is_none() {
        *field = value;
    }
}

/// Whether a state means that the record is given out: `rumoured` begins so, `unretentive` was withdrawn.
fn state(word: &str) -> Option<bool> {
    match word {
        "rumoured" | "omnipresent" => Some(true),
        "unretentive" | "hidden" => Some(false),
        _ => None,
    }
}

/// `YYYYMMDDHHMMSS` in UTC.
fn moment(word: &str) -> Option<UnixTime> {
    let word = word.get(..14).filter(|_| word.len() == 14)?;
    let date = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", word).ok()?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(at).ok().map(UnixTime)
}

fn day(at: UnixTime) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| format!("second {}", at.0), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01.
    const NOW: UnixTime = UnixTime(1_767_225_600);

    fn usage(text: &str, is_entry: bool) -> (Option<bool>, Option<bool>) {
        let usage = Times::read(&[text]).usage(is_entry, NOW);
        (usage.published, usage.signs)
    }

    #[test]
    fn dates_say_whether_a_key_is_published_and_signs() {
        let (yes, no) = (Some(true), Some(false));
        for (text, wanted) in [
            ("", (None, None)),
            ("Created: 20250101000000\n", (None, None)),
            ("Publish: 20250101000000\nActivate: 20250101000000\n", (yes, yes)),
            ("; Publish: 20250101000000 (Wed Jan  1 00:00:00 2025)\n; Activate: 20260101000000 (x)\n", (yes, yes)),
            ("Publish: 20250101000000\nActivate: 20260101000001\n", (yes, no)),
            ("Publish: 20250101000000\n", (yes, no)),
            ("Publish: 20260601000000\nActivate: 20260701000000\n", (no, no)),
            ("Publish: 20250101000000\nActivate: 20250101000000\nInactive: 20251201000000\n", (yes, no)),
            ("Activate: 20250101000000\nInactive: 20250601000000\nDelete: 20250701000000\n", (no, no)),
            ("Activate: 20250101000000\nDelete: 20270101000000\n", (yes, yes)),
            ("Publish: soon\n", (None, None)),
        ] {
            assert_eq!(usage(text, false), wanted, "{text}");
        }
    }

    #[test]
    fn states_say_it_better_than_dates() {
        let dates = "Published: 20250101000000\nActive: 20250101000000\n";
        let of = |state: &str| format!("{dates}DNSKEYState: {state}\nZRRSIGState: {state}\n");
        assert_eq!(usage(&of("omnipresent"), false), (Some(true), Some(true)));
        assert_eq!(usage(&of("unretentive"), false), (Some(false), Some(false)));
        let entry = format!("{dates}DNSKEYState: rumoured\nKRRSIGState: rumoured\nZRRSIGState: hidden\n");
        assert_eq!((usage(&entry, true), usage(&entry, false)), ((Some(true), Some(true)), (Some(true), Some(false))));
    }

    #[test]
    fn why_a_key_is_absent_is_told_and_revoked_ones_are_known() {
        let removed = Times::read(&["Delete: 20250701000000"]);
        assert!(removed.absence(NOW).contains("2025-07-01"), "{}", removed.absence(NOW));
        let future = Times::read(&["Publish: 20260601000000"]);
        assert!(future.absence(NOW).contains("2026-06-01"), "{}", future.absence(NOW));
        assert!(Times::read(&["Revoke: 20250101000000"]).usage(true, NOW).revoked);
        assert!(!Times::read(&["Revoke: 20270101000000"]).usage(true, NOW).revoked);
        let both = Times::read(&["Activate: 20250101000000", "; Activate: 20270101000000"]);
        assert_eq!(both.usage(false, NOW).signs, Some(true), "the first text holds");
    }
}
