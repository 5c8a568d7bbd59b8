//! Moments, spans, zone names and near misses in words for people.
//!
//! Pure: the moment that counts as now comes in as an argument.

use super::tone::Tone;
use crate::dns::zone_name;
use crate::protocol::ZoneStanding;
use crate::protocol::{PoolStanding, TenantStanding};
use crate::time::{Seconds, UnixTime};

/// `2026-11-22 09:00:00 UTC`.
pub fn moment(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| format!("second {at}"), |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `2026-11-22 09:00 UTC`, for what is measured in days.
pub fn minute(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| format!("second {at}"), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// [`minute`], with seconds where it is less than an hour away: a trial rolls keys within one minute.
pub fn near(at: u64, now: UnixTime) -> String {
    const NEAR: Seconds = 3600;
    if at.abs_diff(now.0) < NEAR { moment(at) } else { minute(at) }
}

/// `1 zone`, `20,000 tenants`: a number with its noun, which takes an s for more than one.
pub fn counted(count: usize, noun: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The two largest units: `2 d 11 h`, `3 min 5 s`.
pub fn span(seconds: Seconds) -> String {
    let mut parts = Vec::new();
    let mut left = seconds;
    for (unit, scale) in [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)] {
        if left / scale > 0 {
            parts.push(format!("{} {unit}", left / scale));
            left %= scale;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// How `at` lies to `now`: `in 2 h`, `3 s ago`, `now`.
pub fn relative(at: u64, now: UnixTime) -> String {
    match at.cmp(&now.0) {
        std::cmp::Ordering::Greater => format!("in {}", span(at - now.0)),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Less => format!("{} ago", span(now.0 - at)),
    }
}

/// `yes` or `no`.
pub fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// The tone of how a zone stands; the word itself says the same.
pub fn tone_of_zone(standing: ZoneStanding) -> Tone {
    match standing {
        ZoneStanding::Serving => Tone::Good,
        ZoneStanding::LastGood | ZoneStanding::Frozen => Tone::Caution,
        ZoneStanding::Silent | ZoneStanding::Waiting | ZoneStanding::Unknown => Tone::Bad,
    }
}

/// The tone of how a tenant stands; the word itself says the same.
pub fn tone_of_tenant(standing: TenantStanding) -> Tone {
    match standing {
        TenantStanding::Served => Tone::Good,
        TenantStanding::LastGood | TenantStanding::Held => Tone::Caution,
        TenantStanding::Broken | TenantStanding::Unknown => Tone::Bad,
    }
}

/// The tone of how a pool stands; the word itself says the same.
pub fn tone_of_pool(standing: PoolStanding) -> Tone {
    match standing {
        PoolStanding::Served => Tone::Good,
        PoolStanding::LastGood => Tone::Caution,
        PoolStanding::Broken | PoolStanding::Unknown => Tone::Bad,
    }
}

/// A zone's name as people may write it, in lower case and without the final dot: how folders are named.
pub fn zone_stem(zone: &str) -> String {
    let as_is = || zone.strip_suffix('.').unwrap_or(zone).to_ascii_lowercase();
    // What is no name at all is told by whoever looks for it.
    zone_name::parse(zone).map_or_else(|_| as_is(), |name| name.to_string().trim_end_matches('.').to_owned())
}

/// The folder of a zone's tenants below `zones/`.
pub fn zone_folder(zone: &str) -> String {
    zone_name::parse(zone).map_or_else(|_| zone_stem(zone), |apex| zone_name::print(&apex))
}

/// `did you mean ...?` where one of the known names is near enough, else those that exist: a line of help.
pub fn nearest<'a>(what: &str, wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    // Names listed at most: a screen line, not a wall.
    const LISTED_MAX: usize = 8;
    // From jaro-winkler 0.8 on, two words share so much that a slip of the hand is likely.
    const NEAR: f64 = 0.8;
    let best = known
        .clone()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(near, _)| *near >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    if let Some((_, name)) = best {
        return format!("did you mean `{name}`?");
    }
    let mut names: Vec<&str> = known.collect();
    if names.is_empty() {
        return format!("there is no {what} yet");
    }
    names.sort_unstable();
    let more = if names.len() > LISTED_MAX { ", ..." } else { "" };
    names.truncate(LISTED_MAX);
    format!("the {what}s are: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc_and_spans_have_two_units() {
        assert_eq!(moment(1_795_338_000), "2026-11-22 09:00:00 UTC");
        assert_eq!(moment(u64::MAX), format!("second {}", u64::MAX));
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (3605, "1 h"), (212_400, "2 d 11 h")]
        {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(relative(10, UnixTime(5)), "in 5 s");
        assert_eq!(relative(5, UnixTime(10)), "5 s ago");
        assert_eq!(relative(5, UnixTime(5)), "now");
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name_else_with_those_that_exist() {
        let pools = ["eu-1", "us-1"];
        assert_eq!(nearest("pool", "eu1", pools.iter().copied()), "did you mean `eu-1`?");
        assert_eq!(nearest("pool", "zzz", pools.iter().copied()), "the pools are: eu-1, us-1");
        assert_eq!(nearest("pool", "zzz", [].iter().copied()), "there is no pool yet");
    }

    #[test]
    fn a_zone_is_named_with_or_without_its_final_dot() {
        assert_eq!(zone_stem("A-v1.MX.example."), "a-v1.mx.example");
        assert_eq!(zone_stem("mx.example"), "mx.example");
        assert_eq!(zone_stem("B\u{fc}cher.example"), "xn--bcher-kva.example");
        assert_eq!(zone_stem("No Name..Example"), "no name..example");
    }
}
