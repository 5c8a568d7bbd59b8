//! The calendar of keys for calendar programs (RFC 5545): an event for each step to come.
//!
//! The same step has the same name in each file, so that a program that reads it again moves events and doubles none.

use crate::protocol::{KeysPlan, PlannedStep};
use std::collections::BTreeMap;

/// Octets of a line, at most, without its end (RFC 5545 § 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// The text of the file.
pub fn text(plans: &[KeysPlan]) -> String {
    let mut text = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//mxseal//keys plan//EN", "X-WR-CALNAME:Zone keys"] {
        put(&mut text, line);
    }
    for plan in plans {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for step in &plan.calendar.steps {
            let name = format!("{}-{}", slug(&plan.zone), slug(&step.text));
            let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
            event(&mut text, plan, step, &format!("{name}-{count}@mxseal"));
        }
    }
    put(&mut text, "END:VCALENDAR");
    text
}

fn event(text: &mut String, plan: &KeysPlan, step: &PlannedStep, uid: &str) {
    let zone = plan.zone.trim_end_matches('.');
    put(text, "BEGIN:VEVENT");
    put(text, &format!("UID:{uid}"));
    put(text, &format!("DTSTAMP:{}", stamp(plan.calendar.from)));
    put(text, &format!("DTSTART:{}", stamp(step.at)));
    put(text, &format!("SUMMARY:{}", escape(&format!("{zone}: {}", step.text))));
    let mut description = "mxseal does this by itself at this moment at the earliest.".to_owned();
    if !step.assumes.is_empty() {
        description.push_str(&format!(" Assumed: {}.", step.assumes));
    }
    put(text, &format!("DESCRIPTION:{}", escape(&description)));
    put(text, &format!("CATEGORIES:DNSSEC,{}", escape(&step.verb.to_string())));
    // It takes nobody's time.
    put(text, "TRANSP:TRANSPARENT");
    put(text, "END:VEVENT");
}

/// A moment in UTC (RFC 5545 § 3.3.5).
fn stamp(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text in a value (RFC 5545 § 3.3.11).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// One line, folded between characters where it is long (RFC 5545 § 3.1).
fn put(text: &mut String, line: &str) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS_MAX {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(c);
        octets += c.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Calendar, Verb};

    fn plan(texts: &[&str]) -> KeysPlan {
        let step = |(count, text): (u64, &&str)| PlannedStep {
            at: 1_795_338_000 + count,
            verb: Verb::Publish,
            text: (*text).to_owned(),
            assumes: String::new(),
        };
        let steps = (0..).zip(texts).map(step).collect();
        let calendar = Calendar { from: 1_795_338_000, steps, ..Calendar::default() };
        KeysPlan { zone: "mx.example.".to_owned(), calendar }
    }

    #[test]
    fn every_line_ends_with_crlf_and_has_75_octets_at_most() {
        let long = "ä".repeat(200);
        let text = text(&[plan(&["publish; KSK 1, in DNSKEY\nnow", &long])]);
        assert!(text.ends_with("END:VCALENDAR\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("SUMMARY:mx.example: {long}\r\n")));
        assert!(unfolded.contains("SUMMARY:mx.example: publish\\; KSK 1\\, in DNSKEY\\nnow\r\n"));
        assert!(unfolded.contains("DTSTART:20261122T090000Z\r\n") && unfolded.contains("DTSTAMP:20261122T090000Z\r\n"));
    }

    #[test]
    fn events_have_names_of_their_own_that_stay_when_dates_move() {
        let names = |text: &str| -> Vec<String> {
            let unfolded = text.replace("\r\n ", "");
            unfolded.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect()
        };
        let first = plan(&["make a ZSK of algorithm 13", "publish the next ZSK", "publish the next ZSK"]);
        let mut later = first.clone();
        later.calendar.steps.iter_mut().for_each(|step| step.at += 86_400);
        later.calendar.from += 3600;
        let found = names(&text(&[first]));
        assert_eq!(found, names(&text(&[later])));
        assert_eq!(found[2], "UID:mx-example-publish-the-next-zsk-2@mxseal");
    }
}
