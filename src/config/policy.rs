//! Policies: which keys a zone has, how long they and their signatures live.
//!
//! Spans that contradict each other are refused; spans that are only unsafe are used, with a warning.

use super::{number, word};
use crate::fields::{At, Reader, Table, Value, shown};
use crate::time::{Seconds, SignaturePolicy, parse_span, print_span};
use std::collections::BTreeMap;
use std::ops::Range;

/// The built-in policy for zones below a registry.
pub const REGISTRY: &str = "registry";
/// The built-in policy for zones whose parent zone is served here too.
pub const SHARD: &str = "shard";

const MINUTE: Seconds = 60;
const HOUR: Seconds = 3600;
const DAY: Seconds = 24 * HOUR;

/// ECDSA P-256 with SHA-256: every validator has it, its signatures are short (RFC 8624 § 3.1).
const ALGORITHM: u8 = 13;
/// Ed25519 (RFC 8080).
const ALGORITHM_ED25519: u8 = 15;
/// Often enough to be practised, seldom enough to be seen.
const ZSK_LIFETIME: Seconds = 90 * DAY;
/// The DS of a shard zone is ours, so its one key rolls by itself, twice a year.
const SHARD_CSK_LIFETIME: Seconds = 180 * DAY;
/// Each roll waits for it; an hour costs no queries worth counting.
const DNSKEY_TTL: Seconds = HOUR;
/// Short, so that a stolen answer is soon worthless; long enough for a weekend without signer.
const SIGNATURE_LIFE: Seconds = 3 * DAY;
/// A sixth of the life: signatures are made twice a day and name.
const SIGNATURE_GRID: Seconds = 12 * HOUR;
/// Validators whose clock or time zone is wrong by hours (RFC 6781 § 4.4.2.2).
const INCEPTION_BEFORE: Seconds = DAY;
/// Long enough to outlive a holiday without the key-signing key.
const DNSKEY_LIFE: Seconds = 14 * DAY;
/// Leaves ten days to notice that a refresh was missed.
const DNSKEY_REFRESH: Seconds = 10 * DAY;
/// A registry's servers and resolvers that cap nothing get a day more than arithmetic asks.
const MARGIN: Seconds = DAY;
/// Parent and child are the same server, so an hour covers the rest.
const SHARD_MARGIN: Seconds = HOUR;

/// Often enough that a roll is not slowed by it, and no load for anybody.
const PARENT_POLL: Seconds = 10 * MINUTE;
/// At most: a parent that is asked less than daily is not watched.
const PARENT_POLL_MAX: Seconds = DAY;

/// Spans, at most: serial arithmetic on signature times looks 68 years ahead (RFC 4034 § 3.1.5), and a century of
/// waiting is a slip of the pen.
const SPAN_MAX: Seconds = 3650 * DAY;
/// TTL in a signed zone, at most: signature windows and waits rest on it.
const TTL_MAX: Seconds = DAY;
/// TTL above which each roll gets slow, and below which resolvers ask all the time.
const TTL_ADVISED: std::ops::RangeInclusive<Seconds> = 30..=HOUR;
/// Less than this is unsafe: an outage of one night must not outlast the signatures.
const SIGNATURE_LIFE_SAFE: Seconds = DAY;
/// As above, for a weekend.
const DNSKEY_REFRESH_SAFE: Seconds = 2 * DAY;
/// Clocks that are an hour wrong are common: daylight saving.
const INCEPTION_BEFORE_SAFE: Seconds = HOUR;
/// Secondaries, caches and clocks are seldom exact to the minute.
const MARGIN_SAFE: Seconds = 5 * MINUTE;

const POLICY_KEYS: &[&str] = &[
    "keys",
    "algorithm",
    "ksk_lifetime",
    "zsk_lifetime",
    "csk_lifetime",
    "dnskey_ttl",
    "signature_life",
    "signature_grid",
    "inception_before",
    "dnskey_life",
    "dnskey_refresh",
    "margin",
    "parent_poll",
];

/// Which keys a zone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLayout {
    /// One key signs the keys, another the data.
    KskZsk,
    /// One key signs both.
    Csk,
}

/// How a zone is signed and its keys are rolled. Lifetimes: none is unlimited, a roll then comes on command only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Which keys.
    pub keys: KeyLayout,
    /// Algorithm of new keys (IANA number): 13 or 15.
    pub algorithm: u8,
    /// After how long a KSK is rolled.
    pub ksk_lifetime: Option<Seconds>,
    /// After how long a ZSK is rolled.
    pub zsk_lifetime: Option<Seconds>,
    /// After how long a CSK is rolled.
    pub csk_lifetime: Option<Seconds>,
    /// TTL of DNSKEY, CDS and CDNSKEY.
    pub dnskey_ttl: u32,
    /// Time left when a signature over data is made, at most.
    pub signature_life: Seconds,
    /// Width of the grid on which these move.
    pub signature_grid: Seconds,
    /// How far before its making any signature begins.
    pub inception_before: Seconds,
    /// Time left when a signature over DNSKEY, CDS or CDNSKEY is made, at most.
    pub dnskey_life: Seconds,
    /// Time left at which these are made anew.
    pub dnskey_refresh: Seconds,
    /// Added to every wait.
    pub margin: Seconds,
    /// How often a parent that others serve is asked for a DS that is awaited; two rounds must agree.
    pub parent_poll: Seconds,
}

impl Policy {
    /// The built-in policy `registry`.
    pub fn registry() -> Policy {
        Policy {
            name: REGISTRY.to_owned(),
            keys: KeyLayout::KskZsk,
            algorithm: ALGORITHM,
            ksk_lifetime: None,
            zsk_lifetime: Some(ZSK_LIFETIME),
            csk_lifetime: None,
            dnskey_ttl: u32::try_from(DNSKEY_TTL).unwrap_or(u32::MAX),
            signature_life: SIGNATURE_LIFE,
            signature_grid: SIGNATURE_GRID,
            inception_before: INCEPTION_BEFORE,
            dnskey_life: DNSKEY_LIFE,
            dnskey_refresh: DNSKEY_REFRESH,
            margin: MARGIN,
            parent_poll: PARENT_POLL,
        }
    }

    /// The built-in policy `shard`.
    pub fn shard() -> Policy {
        Policy {
            name: SHARD.to_owned(),
            keys: KeyLayout::Csk,
            csk_lifetime: Some(SHARD_CSK_LIFETIME),
            margin: SHARD_MARGIN,
            ..Policy::registry()
        }
    }

    /// Windows of signatures over a zone's data.
    pub fn data_signatures(&self) -> SignaturePolicy {
        SignaturePolicy {
            life: self.signature_life,
            grid: self.signature_grid,
            inception_before: self.inception_before,
        }
    }

    /// Windows of signatures over DNSKEY, CDS and CDNSKEY: made anew when `dnskey_refresh` is left.
    pub fn dnskey_signatures(&self) -> SignaturePolicy {
        SignaturePolicy {
            life: self.dnskey_life,
            grid: self.dnskey_life.saturating_sub(self.dnskey_refresh),
            inception_before: self.inception_before,
        }
    }
}

/// Both built-in policies by name.
pub fn built_in() -> BTreeMap<String, Policy> {
    [Policy::registry(), Policy::shard()].into_iter().map(|policy| (policy.name.clone(), policy)).collect()
}

/// `base` with the values of `table`.
pub fn read(reader: &mut Reader<'_>, table: &At<&Table>, base: Policy) -> Policy {
    let keys = table.value;
    reader.refuse_unknown(keys, "a policy", POLICY_KEYS);
    let faults = reader.errors.len();
    let layouts = [("ksk+zsk", KeyLayout::KskZsk), ("csk", KeyLayout::Csk)];
    let policy = Policy {
        keys: word(reader, keys, "keys", &layouts).unwrap_or(base.keys),
        algorithm: algorithm(reader, keys).unwrap_or(base.algorithm),
        ksk_lifetime: lifetime(reader, keys, "ksk_lifetime").unwrap_or(base.ksk_lifetime),
        zsk_lifetime: lifetime(reader, keys, "zsk_lifetime").unwrap_or(base.zsk_lifetime),
        csk_lifetime: lifetime(reader, keys, "csk_lifetime").unwrap_or(base.csk_lifetime),
        dnskey_ttl: span(reader, keys, "dnskey_ttl", 1..=TTL_MAX)
            .and_then(|ttl| u32::try_from(ttl).ok())
            .unwrap_or(base.dnskey_ttl),
        signature_life: span(reader, keys, "signature_life", 1..=SPAN_MAX).unwrap_or(base.signature_life),
        signature_grid: span(reader, keys, "signature_grid", 1..=SPAN_MAX).unwrap_or(base.signature_grid),
        inception_before: span(reader, keys, "inception_before", 0..=SPAN_MAX).unwrap_or(base.inception_before),
        dnskey_life: span(reader, keys, "dnskey_life", 1..=SPAN_MAX).unwrap_or(base.dnskey_life),
        dnskey_refresh: span(reader, keys, "dnskey_refresh", 1..=SPAN_MAX).unwrap_or(base.dnskey_refresh),
        margin: span(reader, keys, "margin", 0..=SPAN_MAX).unwrap_or(base.margin),
        parent_poll: span(reader, keys, "parent_poll", 1..=PARENT_POLL_MAX).unwrap_or(base.parent_poll),
        name: base.name,
    };
    // A value that was refused is replaced by its default, which contradicts others for no reason of theirs.
    if reader.errors.len() == faults {
        let mut check = Check { reader, table, policy: &policy };
        check.contradictions();
        check.unsafe_spans();
        check.lifetimes();
    }
    policy
}

/// One policy's spans, seen side by side.
struct Check<'r, 'a, 't> {
    reader: &'r mut Reader<'a>,
    table: &'t At<&'t Table>,
    policy: &'t Policy,
}

impl Check<'_, '_, '_> {
    fn contradictions(&mut self) {
        let Policy { signature_life, signature_grid, dnskey_life, dnskey_refresh, .. } = *self.policy;
        let ttl = Seconds::from(self.policy.dnskey_ttl);
        let of = |key: &str, span: Seconds| format!("`{key}` of {}", print_span(span));
        if signature_grid > signature_life / 2 {
            let (grid, life) = (of("signature_grid", signature_grid), of("signature_life", signature_life));
            let message = format!("{grid} is more than half of {life}: the grid takes off up to its width");
            self.refuse(&["signature_grid", "signature_life"], &message, "signature_grid", signature_life / 2);
        }
        if dnskey_refresh >= dnskey_life {
            let (refresh, life) = (of("dnskey_refresh", dnskey_refresh), of("dnskey_life", dnskey_life));
            let message = format!("{refresh} is not below {life}, so signatures would be due as soon as made");
            self.refuse(&["dnskey_refresh", "dnskey_life"], &message, "dnskey_refresh", dnskey_life / 2);
        }
        let of_ttl = of("dnskey_ttl", ttl);
        let so = "so signatures would end in caches";
        if signature_life < 2 * ttl {
            let message = format!("{} is below twice {of_ttl}, {so}", of("signature_life", signature_life));
            self.refuse(&["signature_life", "dnskey_ttl"], &message, "signature_life", 2 * ttl);
        }
        if dnskey_refresh < ttl {
            let message = format!("{} is below {of_ttl}, {so}", of("dnskey_refresh", dnskey_refresh));
            self.refuse(&["dnskey_refresh", "dnskey_ttl"], &message, "dnskey_refresh", ttl);
        } else if dnskey_life < 2 * ttl {
            let message = format!("{} is below twice {of_ttl}, {so}", of("dnskey_life", dnskey_life));
            self.refuse(&["dnskey_life", "dnskey_ttl"], &message, "dnskey_life", 2 * ttl);
        }
    }

    fn unsafe_spans(&mut self) {
        let policy = self.policy;
        for (key, span, safe, why) in [
            ("signature_life", policy.signature_life, SIGNATURE_LIFE_SAFE, "a night without signer ends them all"),
            ("dnskey_refresh", policy.dnskey_refresh, DNSKEY_REFRESH_SAFE, "a weekend without signer ends them all"),
            ("inception_before", policy.inception_before, INCEPTION_BEFORE_SAFE, "validators' clocks are often slow"),
            ("margin", policy.margin, MARGIN_SAFE, "caches and clocks are not exact to the second"),
        ] {
            if span < safe {
                let message = format!("`{key}` of {} is unsafe: {why}", print_span(span));
                self.warn("MX1101", key, &message, &format!("write at least {}, but for a trial", print_span(safe)));
            }
        }
        let ttl = Seconds::from(policy.dnskey_ttl);
        if !TTL_ADVISED.contains(&ttl) {
            let cost = if ttl > HOUR { "each roll waits that long" } else { "resolvers ask all the time" };
            let message = format!("`dnskey_ttl` of {} is odd: {cost}", print_span(ttl));
            self.warn("MX1105", "dnskey_ttl", &message, "write 30s to 1h");
        }
    }

    /// A key's life must be longer than its roll, or rolls follow each other without pause.
    fn lifetimes(&mut self) {
        let policy = self.policy;
        let waits = Seconds::from(policy.dnskey_ttl) + policy.margin;
        let over_keys = policy.dnskey_life.max(policy.signature_life) + waits;
        let over_data = policy.signature_life + waits;
        let used = match policy.keys {
            KeyLayout::Csk => [("csk_lifetime", policy.csk_lifetime, over_keys), ("", None, 0)],
            KeyLayout::KskZsk => [
                ("ksk_lifetime", policy.ksk_lifetime, policy.dnskey_life + waits),
                ("zsk_lifetime", policy.zsk_lifetime, over_data),
            ],
        };
        for (key, lifetime, roll) in used {
            if let Some(lifetime) = lifetime.filter(|lifetime| *lifetime < roll) {
                let (lifetime, roll) = (print_span(lifetime), print_span(roll));
                let message = format!("`{key}` of {lifetime} is shorter than a roll, which takes {roll}");
                self.warn("MX1106", key, &message, "write a longer one, or make the signatures' lives shorter");
            }
        }
    }

    /// `key` would be right with `good`; what is not written has its default.
    fn refuse(&mut self, keys: &[&str], message: &str, key: &str, good: Seconds) {
        let span = self.first_of(keys);
        let help = format!(
            "write {key} = \"{}\", or change the other; a key that is not written has its default",
            print_span(good)
        );
        self.reader.error("MX1009", span, message, &help);
    }

    fn warn(&mut self, code: &'static str, key: &str, message: &str, help: &str) {
        let span = self.first_of(&[key]);
        self.reader.warning(code, span, message, help);
    }

    /// The first of `keys` that the table has, else its own name.
    fn first_of(&self, keys: &[&str]) -> Range<usize> {
        keys.iter().find_map(|key| self.table.value.locate(key, None)).unwrap_or_else(|| self.table.span.clone())
    }
}

fn algorithm(reader: &mut Reader<'_>, table: &Table) -> Option<u8> {
    let number = number(reader, table, "algorithm", 0..=255)?;
    let algorithm = u8::try_from(number).ok()?;
    if matches!(algorithm, ALGORITHM | ALGORITHM_ED25519) {
        return Some(algorithm);
    }
    let span = table.locate("algorithm", None)?;
    reader.error(
        "MX1010",
        span,
        format!("algorithm {number} is not made here"),
        "it takes 13 (ECDSA P-256), 15 (Ed25519)",
    );
    None
}

/// Some(None) is "unlimited".
fn lifetime(reader: &mut Reader<'_>, table: &Table, key: &str) -> Option<Option<Seconds>> {
    if reader.text(table, key)?.value == "unlimited" {
        return Some(None);
    }
    span(reader, table, key, 1..=SPAN_MAX).map(Some)
}

pub(super) fn span(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    range: std::ops::RangeInclusive<Seconds>,
) -> Option<Seconds> {
    if let Some((_, At { value: Value::Integer(seconds), span })) = table.get(key) {
        let seconds = Seconds::try_from(*seconds).unwrap_or(0);
        let help = format!("{seconds} seconds are {key} = \"{}\"", print_span(seconds));
        reader.error("MX1003", span.clone(), format!("`{key}` takes a span of time in quotes, not a number"), &help);
        return None;
    }
    let at = reader.text(table, key)?;
    match parse_span(&shown(at.value)) {
        Ok(span) if range.contains(&span) => return Some(span),
        Ok(_) => {
            let (least, most) = (print_span(*range.start()), print_span(*range.end()));
            reader.error("MX1005", at.span, format!("`{key}` takes {least} to {most}"), "");
        }
        Err(message) => reader.error("MX1008", at.span, message, ""),
    }
    None
}
