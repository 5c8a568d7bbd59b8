//! The tables [tenants], [probe] and [pool."NAME"]: records of tenants, looks at hosts, and what an operator says of pools.
//!
//! Each default and each limit is a constant with its reason. What a provisioning system writes is not here but in
//! pools.toml: a command that is run belongs to whoever may edit this file.

use super::networks::{NETWORKS_MAX, Network, Networks};
use super::policy::span;
use super::sections::within;
use super::{number, path};
use crate::fields::{At, Reader, Table, pool_name, shown};
use crate::time::Seconds;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Half an hour bounds the damage of a surprise certificate, and costs few queries.
const TENANT_TTL: u32 = 1800;
/// In a signed zone TTLs above a day are refused (see the policies).
const TENANT_TTL_MAX: Seconds = 86_400;
/// Outside of this each change of a certificate waits long, or resolvers ask all the time.
const TENANT_TTL_ADVISED: std::ops::RangeInclusive<Seconds> = 30..=3600;
/// SMTP (RFC 5321 § 4.5.4.2).
const SMTP_PORT: u16 = 25;
/// A surprise is seen after this, and heals within one TTL more.
const PROBE_EVERY: Seconds = 300;
const PROBE_EVERY_MAX: Seconds = 86_400;
/// Longer than this nobody should be refused unseen.
const PROBE_EVERY_ADVISED: Seconds = 900;
/// A busy host greets late; senders wait five minutes (RFC 5321 § 4.5.3.2.1), a look need not.
const PROBE_TIMEOUT: Seconds = 30;
const PROBE_TIMEOUT_MAX: Seconds = 300;
/// Two looks and more: a host that is restarted is back by then.
const PROBE_DRAIN: Seconds = 600;
/// Six looks at each of some hundred hosts end within a minute, and none of them notices.
const PROBE_TOGETHER: usize = 8;
const PROBE_TOGETHER_MAX: i64 = 256;
/// The bundle of Debian and of what descends from it.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// A hook deploys within minutes, a person within a day.
const PERMIT_LIFE: Seconds = 86_400;
const PERMIT_LIFE_MAX: Seconds = 30 * 86_400;
/// Words of a command, at most.
const COMMAND_WORDS_MAX: usize = 64;

const TENANTS_KEYS: &[&str] = &["ttl"];
const PROBE_KEYS: &[&str] = &["enabled", "port", "every", "timeout", "together", "helo", "roots", "drain", "networks"];
const POOL_KEYS: &[&str] = &["probe", "port", "names", "webpki", "next", "permit", "adopt", "deploy", "install"];
const INSTALL_KEYS: &[&str] = &["certificate", "key", "then"];
/// What stands for something in a command.
const PLACEHOLDERS: [&str; 4] = ["{address}", "{pool}", "{certificate}", "{key}"];

/// Records of tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenants {
    /// TTL of A, AAAA and TLSA, in seconds.
    pub ttl: u32,
}

/// How hosts are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether they are.
    pub enabled: bool,
    /// Where they take mail.
    pub port: u16,
    /// How often each is looked at.
    pub every: Seconds,
    /// Time for one look.
    pub timeout: Seconds,
    /// Looks at once, at most.
    pub together: usize,
    /// The name said in EHLO; empty: that of this host.
    pub helo: String,
    /// Whom MTA-STS senders trust, in PEM; none: that is not looked at.
    pub roots: Option<PathBuf>,
    /// How long a host offers no STARTTLS before its address goes, in seconds; 0: it never does.
    pub drain: Seconds,
    /// Where looks go.
    pub networks: Networks,
}

/// What the operator says about a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Whether its hosts are looked at.
    pub probe: bool,
    /// Where they take mail; none: as [`Probe::port`] says.
    pub port: Option<u16>,
    /// Names that its certificates should have; empty: the endpoints of its zones, as wildcards.
    pub names: Vec<String>,
    /// Whether a certificate that MTA-STS senders do not trust is worth a warning.
    pub webpki: bool,
    /// Whether next keys are made here.
    pub next: bool,
    /// How long a permit lasts.
    pub permit: Seconds,
    /// Whether a key that a host shows in two looks is one of the pool's, although no file names it.
    pub adopt: bool,
    /// The command that gives a certificate to a host; empty: none.
    pub deploy: Vec<String>,
    /// Files that hosts read their certificate from; none: none.
    pub install: Option<Install>,
}

/// Files that hosts read their certificate and key from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The command that makes hosts read them; empty: none.
    pub then: Vec<String>,
}

impl Default for Tenants {
    fn default() -> Tenants {
        Tenants { ttl: TENANT_TTL }
    }
}

impl Default for Probe {
    fn default() -> Probe {
        Probe {
            enabled: true,
            port: SMTP_PORT,
            every: PROBE_EVERY,
            timeout: PROBE_TIMEOUT,
            together: PROBE_TOGETHER,
            helo: String::new(),
            roots: Some(PathBuf::from(ROOTS)),
            drain: PROBE_DRAIN,
            networks: Networks::default(),
        }
    }
}

impl Default for PoolSettings {
    fn default() -> PoolSettings {
        PoolSettings {
            probe: true,
            port: None,
            names: Vec::new(),
            webpki: true,
            next: true,
            permit: PERMIT_LIFE,
            adopt: false,
            deploy: Vec::new(),
            install: None,
        }
    }
}

pub fn tenants(reader: &mut Reader<'_>, table: &Table) -> Tenants {
    let default = Tenants::default();
    let Some(at) = reader.table(table, "tenants") else { return default };
    reader.refuse_unknown(at.value, "[tenants]", TENANTS_KEYS);
    let Some(ttl) = span(reader, at.value, "ttl", 1..=TENANT_TTL_MAX) else { return default };
    if !TENANT_TTL_ADVISED.contains(&ttl)
        && let Some(place) = at.value.locate("ttl", None)
    {
        let message = "each change of a certificate waits for this TTL, and below 30s resolvers ask all the time";
        reader.warning("MX1111", place, message, "write 30s to 1h; the default is 30m");
    }
    Tenants { ttl: u32::try_from(ttl).unwrap_or(default.ttl) }
}

pub fn probe(reader: &mut Reader<'_>, table: &Table) -> Probe {
    let default = Probe::default();
    let Some(at) = reader.table(table, "probe") else { return default };
    let table = at.value;
    reader.refuse_unknown(table, "[probe]", PROBE_KEYS);
    let every = span(reader, table, "every", 1..=PROBE_EVERY_MAX);
    if every.is_some_and(|every| every > PROBE_EVERY_ADVISED)
        && let Some(place) = table.locate("every", None)
    {
        let message = "a host that shows a key which is not published is noticed only after this";
        reader.warning("MX1112", place, message, "write at most 15m; the default is 5m");
    }
    let roots = match reader.text(table, "roots") {
        Some(text) if text.value.is_empty() => None,
        Some(_) => path(reader, table, "roots"),
        None => default.roots,
    };
    Probe {
        enabled: reader.boolean(table, "enabled").is_none_or(|at| at.value),
        port: port(reader, table).unwrap_or(default.port),
        every: every.unwrap_or(default.every),
        timeout: span(reader, table, "timeout", 1..=PROBE_TIMEOUT_MAX).unwrap_or(default.timeout),
        together: within(reader, table, "together", 1, PROBE_TOGETHER_MAX).unwrap_or(default.together),
        helo: helo(reader, table),
        roots,
        drain: span(reader, table, "drain", 0..=PROBE_EVERY_MAX).unwrap_or(default.drain),
        networks: networks(reader, table),
    }
}

fn networks(reader: &mut Reader<'_>, table: &Table) -> Networks {
    let Some(list) = reader.texts(table, "networks") else { return Networks::default() };
    let help = "write it as in networks = [\"198.51.100.0/24\", \"2001:db8::/32\"]";
    if list.value.is_empty() || list.value.len() > NETWORKS_MAX {
        let message =
            format!("`networks` lists 1 to {NETWORKS_MAX} networks; where no host is looked at: `enabled = false`");
        reader.error("MX1026", list.span, message, help);
        return Networks::default();
    }
    let mut all = Vec::new();
    for at in list.value {
        match at.value.parse::<Network>() {
            Ok(network) => all.push(network),
            Err(fault) => reader.error("MX1026", at.span, fault, help),
        }
    }
    Networks { listed: Some(all) }
}

pub fn pools(reader: &mut Reader<'_>, table: &Table) -> BTreeMap<String, PoolSettings> {
    let mut pools = BTreeMap::new();
    let Some(tables) = reader.table(table, "pool") else { return pools };
    for (key, _) in &tables.value.0 {
        let Some(table) = reader.table(tables.value, &key.value) else { continue };
        if let Err(message) = pool_name(&key.value) {
            reader.error("MX1020", key.span.clone(), message, "write the name as pools.toml does, in quotes");
            continue;
        }
        pools.insert(key.value.clone(), pool(reader, &table));
    }
    pools
}

fn pool(reader: &mut Reader<'_>, table: &At<&Table>) -> PoolSettings {
    let default = PoolSettings::default();
    let table = table.value;
    reader.refuse_unknown(table, "a pool", POOL_KEYS);
    let on = |reader: &mut Reader<'_>, key| reader.boolean(table, key).is_none_or(|at| at.value);
    PoolSettings {
        probe: on(reader, "probe"),
        port: port(reader, table),
        names: names(reader, table),
        webpki: on(reader, "webpki"),
        next: on(reader, "next"),
        permit: span(reader, table, "permit", 1..=PERMIT_LIFE_MAX).unwrap_or(default.permit),
        adopt: adopt(reader, table),
        deploy: command(reader, table, "deploy", true),
        install: install(reader, table),
    }
}

/// What looks may say of keys. Whoever sits on the way to a host's port decides what a look sees.
fn adopt(reader: &mut Reader<'_>, table: &Table) -> bool {
    let Some(at) = reader.text(table, "adopt") else { return false };
    match at.value {
        "seen" => true,
        "no" => false,
        other => {
            let message = format!("`{}` says nothing about keys that only hosts show", shown(other));
            let help = "write adopt = \"no\", or adopt = \"seen\" where nobody else can sit between here and the hosts";
            reader.error("MX1023", at.span, message, help);
            false
        }
    }
}

fn port(reader: &mut Reader<'_>, table: &Table) -> Option<u16> {
    u16::try_from(number(reader, table, "port", 1..=i64::from(u16::MAX))?).ok()
}

fn helo(reader: &mut Reader<'_>, table: &Table) -> String {
    let Some(at) = reader.text(table, "helo") else { return String::new() };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'[' | b']' | b':');
    if at.value.len() > 253 || !at.value.bytes().all(is_name) {
        let message = format!("`{}` is not a name that a host says of itself", shown(at.value));
        reader.error("MX1021", at.span, message, "write it as in helo = \"ns1.example\"");
        return String::new();
    }
    at.value.to_owned()
}

fn names(reader: &mut Reader<'_>, table: &Table) -> Vec<String> {
    let Some(list) = reader.texts(table, "names") else { return Vec::new() };
    let mut names = Vec::new();
    for at in list.value {
        let plain = at.value.strip_prefix("*.").unwrap_or(at.value);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if plain.is_empty() || plain.len() > 253 || !plain.contains('.') || !plain.bytes().all(allowed) {
            let message = format!("`{}` is not a name for a certificate", shown(at.value));
            reader.error("MX1021", at.span, message, "write it as in names = [\"*.a-v1.mx.example\"]");
            continue;
        }
        names.push(at.value.to_ascii_lowercase());
    }
    names
}

fn install(reader: &mut Reader<'_>, table: &Table) -> Option<Install> {
    let at = reader.table(table, "install")?;
    reader.refuse_unknown(at.value, "`install`", INSTALL_KEYS);
    let then = command(reader, at.value, "then", false);
    match (path(reader, at.value, "certificate"), path(reader, at.value, "key")) {
        (Some(certificate), Some(key)) => Some(Install { certificate, key, then }),
        (None, _) | (_, None) => {
            let message = "`install` names a certificate and a key, or nothing can be installed";
            let help = "write install = { certificate = \"/etc/mx/chain.pem\", key = \"/etc/mx/key.pem\" }";
            reader.error("MX1022", at.span, message, help);
            None
        }
    }
}

/// A command as a list of words: the program by its whole path, and words that may hold placeholders.
fn command(reader: &mut Reader<'_>, table: &Table, key: &str, needs_certificate: bool) -> Vec<String> {
    let Some(list) = reader.texts(table, key) else { return Vec::new() };
    let words: Vec<String> = list.value.iter().map(|at| at.value.to_owned()).collect();
    let fault = match words.first() {
        None => return Vec::new(),
        Some(program) if !Path::new(program).is_absolute() => {
            Some(format!("`{}` is not the whole path of a program", shown(program)))
        }
        Some(_) if words.len() > COMMAND_WORDS_MAX => Some(format!("it has more than {COMMAND_WORDS_MAX} words")),
        Some(_) if needs_certificate && !words.iter().any(|word| word.contains("{certificate}")) => {
            Some("it has no {certificate}, so no host would get one".to_owned())
        }
        Some(_) => words.iter().find_map(|word| unknown_placeholder(word)),
    };
    if let Some(fault) = fault {
        let help = format!("placeholders are {}", PLACEHOLDERS.join(", "));
        reader.error("MX1022", list.span, format!("`{key}`: {fault}"), &help);
        return Vec::new();
    }
    words
}

fn unknown_placeholder(word: &str) -> Option<String> {
    let (_, rest) = word.split_once('{')?;
    let (name, rest) = rest.split_once('}')?;
    let whole = format!("{{{name}}}");
    if PLACEHOLDERS.contains(&whole.as_str()) {
        unknown_placeholder(rest)
    } else {
        Some(format!("there is no {whole}"))
    }
}
