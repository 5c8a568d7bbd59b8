//! The server's configuration: as written in `mxseal.toml`, and checked.
//!
//! Nothing is guessed: an unknown key, a contradiction or an unknown version is an error, and all errors are said at
//! once. Nothing outside this folder fills in a default.

mod addresses;
mod keys;
mod limits;
mod listeners;
mod networks;
mod places;
mod policy;
mod probe;
mod rolls;
mod sections;

pub use addresses::Interfaces;
pub use keys::{Whereabouts, whereabouts};
pub use limits::Limits;
pub use networks::{Network, Networks, Whose, can_be_looked_at};
pub use places::Places;
pub use policy::{KeyLayout, Policy};
pub use probe::{Install, PoolSettings, Probe, Tenants};
pub use rolls::Rolls;
pub use sections::{Encrypted, Log, LogFormat, LogLevel, RateLimit, Server};

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::zone_name;
use crate::fields::{At, Codes, Reader, Table, Value, nearest_help, shown};
use addresses::{ADDRESSES_MAX, address, addresses};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The form of the file that this server reads.
const VERSION: i64 = 1;
/// Octets of the file, at most: a thousand zones with a table each.
pub const CONFIG_FILE_MAX: usize = 1024 * 1024;
/// Zones and keys lie beside the file unless it says otherwise.
const ZONES: &str = "zones";
/// The default folder of keys, relative to the file.
pub const KEYS: &str = "keys";
/// The control socket in the folder of keys, where `[server] socket` names no other place.
pub const CONTROL_SOCKET: &str = "control.sock";
/// Where DNS servers answer (RFC 1035 § 4.2).
const DNS_PORT: u16 = 53;

const CODES: Codes = Codes { syntax: "MX1001", unknown_key: "MX1002", wrong_type: "MX1003" };
const TOP_KEYS: &[&str] = &[
    "version",
    "zones",
    "keys",
    "server",
    "rate_limit",
    "encrypted",
    "metrics",
    "log",
    "rolls",
    "limits",
    "tenants",
    "probe",
    "pool",
    "zone",
    "policy",
];
const ZONE_KEYS: &[&str] = &["signed", "policy", "parents", "records_max"];

/// The checked configuration. Paths are as written; [`Config::resolve`] joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of master files, tenants and pools.
    pub zones: PathBuf,
    /// Folder of private keys, journals and the control socket.
    pub keys: PathBuf,
    /// Sockets for plain DNS, and their limits.
    pub server: Server,
    /// Limits of answers over UDP.
    pub rate_limit: RateLimit,
    /// DoT and DoQ.
    pub encrypted: Encrypted,
    /// Where metrics and health are shown; none: nowhere.
    pub metrics: Option<SocketAddr>,
    /// What is logged, and how.
    pub log: Log,
    /// In which order keys roll by themselves, and whom to believe about parents.
    pub rolls: Rolls,
    /// How much may be held of what provisioning writes.
    pub limits: Limits,
    /// Records of tenants.
    pub tenants: Tenants,
    /// How hosts are looked at.
    pub probe: Probe,
    /// What is said about single pools, by name.
    pub pool: BTreeMap<String, PoolSettings>,
    /// What is said about single zones, by apex in lower case without final dot.
    pub zone: BTreeMap<String, ZoneSettings>,
    /// All policies by name, the built-in ones among them.
    pub policy: BTreeMap<String, Policy>,
    /// Where all of this is written.
    pub places: Places,
}

/// What the configuration says about one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSettings {
    /// Whether it is signed.
    pub signed: bool,
    /// The policy that it names; none: see [`Config::policy_for`].
    pub policy: Option<Policy>,
    /// Where to ask for its DS; empty: found by asking the DNS.
    pub parents: Vec<SocketAddr>,
    /// Records of its master file, at most; none: see [`Limits::zone_records`].
    pub records_max: Option<usize>,
}

impl Default for ZoneSettings {
    fn default() -> ZoneSettings {
        ZoneSettings { signed: true, policy: None, parents: Vec::new(), records_max: None }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            zones: PathBuf::from(ZONES),
            keys: PathBuf::from(KEYS),
            server: Server::default(),
            rate_limit: RateLimit::default(),
            encrypted: Encrypted::default(),
            metrics: Some(sections::METRICS_LISTEN),
            log: Log::default(),
            rolls: Rolls::default(),
            limits: Limits::default(),
            tenants: Tenants::default(),
            probe: Probe::default(),
            pool: BTreeMap::new(),
            zone: BTreeMap::new(),
            policy: policy::built_in(),
            places: Places::default(),
        }
    }
}

impl Config {
    /// The same configuration with its paths joined to `folder`, which holds its file.
    pub fn resolve(&self, folder: &Path) -> Config {
        let mut config = self.clone();
        config.zones = folder.join(&self.zones);
        config.keys = folder.join(&self.keys);
        config.server.socket = self.server.socket.as_ref().map(|socket| folder.join(socket));
        config.rolls.anchors = self.rolls.anchors.as_ref().map(|file| folder.join(file));
        config.probe.roots = self.probe.roots.as_ref().map(|file| folder.join(file));
        for install in config.pool.values_mut().filter_map(|pool| pool.install.as_mut()) {
            install.certificate = folder.join(&install.certificate);
            install.key = folder.join(&install.key);
        }
        config.encrypted.identity = self.encrypted.identity.as_ref().map(|(c, k)| (folder.join(c), folder.join(k)));
        config
    }

    /// The control socket: commands ask there.
    pub fn control_socket(&self) -> PathBuf {
        self.server.socket.clone().unwrap_or_else(|| self.keys.join(CONTROL_SOCKET))
    }

    /// What is said about the zone at `apex` (lower case, no final dot), or what holds where nothing is.
    pub fn zone_settings(&self, apex: &str) -> ZoneSettings {
        self.zone.get(apex).cloned().unwrap_or_default()
    }

    /// What is said about a pool, or what holds where nothing is.
    pub fn pool_settings(&self, pool: &str) -> PoolSettings {
        self.pool.get(pool).cloned().unwrap_or_default()
    }

    /// The policies that the file defines anew and no zone uses: neither built in nor named by a zone.
    pub fn unused_policies(&self) -> impl Iterator<Item = &str> {
        let used = |name: &str| self.zone.values().any(|zone| zone.policy.as_ref().is_some_and(|one| one.name == name));
        let names = self.policy.keys().map(String::as_str);
        names.filter(move |name| ![policy::SHARD, policy::REGISTRY].contains(name) && !used(name))
    }

    /// The policy of the zone at `apex`: the one that it names, else `shard` where its parent zone is served here
    /// too, since its DS is ours to change, else `registry`.
    pub fn policy_for(&self, apex: &str, parent_is_ours: bool) -> Policy {
        let named = self.zone.get(apex).and_then(|settings| settings.policy.clone());
        let default = if parent_is_ours { Policy::shard } else { Policy::registry };
        let name = if parent_is_ours { policy::SHARD } else { policy::REGISTRY };
        named.or_else(|| self.policy.get(name).cloned()).unwrap_or_else(default)
    }
}

/// As [`parse_on`], for a host whose interfaces nobody names.
///
/// # Errors
/// As [`parse_on`].
pub fn parse(file: &str, text: &str) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    parse_on(file, text, &Interfaces::new())
}

/// Reads `mxseal.toml`; `file` is its name in findings. Warnings come beside a good configuration. Addresses may name the
/// interfaces of this host, as in `[fe80::1%eth0]:53`.
///
/// # Errors
/// All that is wrong, in the order of the file; the warnings are among them.
pub fn parse_on(file: &str, text: &str, interfaces: &Interfaces) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    if text.len() > CONFIG_FILE_MAX {
        let message = format!("the file has {} octets, the limit is {CONFIG_FILE_MAX}", text.len());
        return Err(vec![Diagnostic::error("MX1014", Place::file(file), message, "is this the configuration?")]);
    }
    let mut reader = Reader::new(file, text, 1, &CODES);
    let mut table = reader.toml();
    let mut config = Config::default();
    addresses::number_interfaces(&mut reader, &mut table, interfaces);
    // Half a table would only add findings that vanish with the first one.
    if reader.errors.is_empty() {
        config = Config { places: Places::read(file, text, &table), ..read(&mut reader, &table, file) };
    }
    if reader.errors.is_empty() {
        return Ok((config, reader.warnings));
    }
    let mut findings = reader.errors;
    findings.append(&mut reader.warnings);
    findings.sort_by_key(|finding| (finding.place.line, finding.place.column));
    Err(findings)
}

fn read(reader: &mut Reader<'_>, table: &Table, file: &str) -> Config {
    reader.refuse_unknown(table, "the configuration", TOP_KEYS);
    check_version(reader, table, file);
    let policy = policies(reader, table);
    let config = Config {
        zones: path(reader, table, "zones").unwrap_or_else(|| PathBuf::from(ZONES)),
        keys: path(reader, table, "keys").unwrap_or_else(|| PathBuf::from(KEYS)),
        server: sections::server(reader, table),
        rate_limit: sections::rate_limit(reader, table),
        encrypted: sections::encrypted(reader, table),
        metrics: sections::metrics(reader, table),
        log: sections::log(reader, table),
        rolls: rolls::rolls(reader, table),
        limits: limits::limits(reader, table),
        tenants: probe::tenants(reader, table),
        probe: probe::probe(reader, table),
        pool: probe::pools(reader, table),
        zone: zones(reader, table, &policy),
        policy,
        places: Places::default(),
    };
    check_folders(reader, table, &config);
    listeners::check_addresses_once(reader, table);
    config
}

fn check_version(reader: &mut Reader<'_>, table: &Table, file: &str) {
    match reader.integer(table, "version") {
        Some(At { value: VERSION, .. }) => {}
        Some(At { value, span }) => {
            let message = format!("version {value} is not known here");
            reader.error("MX1004", span, message, "this server reads version = 1");
        }
        None if table.get("version").is_some() => {}
        None => {
            let message = "the version of the file's form is missing";
            reader.note(Diagnostic::error("MX1004", Place::file(file), message, "begin the file with version = 1"));
        }
    }
}

fn policies(reader: &mut Reader<'_>, table: &Table) -> BTreeMap<String, Policy> {
    let mut policies = policy::built_in();
    let Some(tables) = reader.table(table, "policy") else { return policies };
    for (key, _) in &tables.value.0 {
        let Some(table) = reader.table(tables.value, &key.value) else { continue };
        let base = policies.get(&key.value).cloned().unwrap_or_else(Policy::registry);
        let name = key.value.clone();
        policies.insert(name.clone(), policy::read(reader, &table, Policy { name, ..base }));
    }
    policies
}

fn zones(
    reader: &mut Reader<'_>,
    table: &Table,
    policies: &BTreeMap<String, Policy>,
) -> BTreeMap<String, ZoneSettings> {
    let mut zones = BTreeMap::new();
    let Some(tables) = reader.table(table, "zone") else { return zones };
    for (key, _) in &tables.value.0 {
        let Some(table) = reader.table(tables.value, &key.value) else { continue };
        if let Some((inner, _)) = table.value.0.iter().find(|(_, at)| matches!(at.value, Value::Table(_))) {
            let message = format!("a zone has no table `{}`", shown(&inner.value));
            let help =
                format!("write the name in quotes, as in [zone.\"{}.{}\"]", shown(&key.value), shown(&inner.value));
            reader.error("MX1011", inner.span.clone(), message, &help);
            continue;
        }
        let settings = zone(reader, &table, policies);
        let apex = match apex(&key.value) {
            Ok(apex) => apex,
            Err(message) => {
                reader.error("MX1011", key.span.clone(), message, "write it in quotes, as in [zone.\"mx.example\"]");
                continue;
            }
        };
        if zones.insert(apex.clone(), settings).is_some() {
            let message = format!("zone `{apex}` is here twice");
            reader.error(
                "MX1011",
                key.span.clone(),
                message,
                "case, a final dot, escapes and U-labels make no difference",
            );
        }
    }
    zones
}

fn zone(reader: &mut Reader<'_>, table: &At<&Table>, policies: &BTreeMap<String, Policy>) -> ZoneSettings {
    reader.refuse_unknown(table.value, "a zone", ZONE_KEYS);
    let signed = reader.boolean(table.value, "signed").is_none_or(|at| at.value);
    let named = reader.text(table.value, "policy");
    let policy = named.as_ref().and_then(|name| policies.get(name.value).cloned());
    if let Some(name) = &named {
        if policy.is_none() {
            let known: Vec<&str> = policies.keys().map(String::as_str).collect();
            let message = format!("there is no policy `{}`", shown(name.value));
            reader.error("MX1012", name.span.clone(), message, &nearest_help(name.value, &known));
        } else if !signed {
            let message = "the policy has no effect, since the zone is not signed";
            reader.warning("MX1104", name.span.clone(), message, "remove one of the two");
        }
    }
    let parents = addresses(reader, table.value, "parents", Some(DNS_PORT)).unwrap_or_default();
    let parents = parents.into_iter().map(|at| at.value).collect();
    let records_max = sections::within(reader, table.value, "records_max", 1, limits::RECORDS_MAX);
    ZoneSettings { signed, policy, parents, records_max }
}

/// A zone's name in lower case without final dot.
fn apex(text: &str) -> Result<String, String> {
    let named = |cause: String| format!("`{}` is not the name of a zone: {cause}", shown(text));
    let apex = zone_name::parse(text).map_err(named)?.to_string();
    Ok(apex.strip_suffix('.').unwrap_or(&apex).to_owned())
}

fn path(reader: &mut Reader<'_>, table: &Table, key: &str) -> Option<PathBuf> {
    let text = reader.text(table, key)?;
    if text.value.is_empty() || text.value.contains('\0') {
        reader.error("MX1013", text.span, format!("the path `{key}` is empty or holds NUL"), "");
        return None;
    }
    Some(PathBuf::from(text.value))
}

/// Whoever writes `zones` must not be able to write keys, and keys must not be watched.
fn check_folders(reader: &mut Reader<'_>, table: &Table, config: &Config) {
    if config.keys.starts_with(&config.zones) || config.zones.starts_with(&config.keys) {
        let span = table.locate("keys", None).or_else(|| table.locate("zones", None)).unwrap_or(0..0);
        let message = "the folders `zones` and `keys` lie in each other, so whoever writes tenants could write keys";
        reader.error("MX1015", span, message, "give each a folder of its own");
    }
    if let Some(socket) = config.server.socket.as_ref().filter(|socket| socket.starts_with(&config.zones)) {
        let span = reader.table(table, "server").and_then(|at| at.value.locate("socket", None)).unwrap_or(0..0);
        let message = format!(
            "the control socket {} lies in `zones`, where whoever writes tenants could replace it",
            socket.display()
        );
        reader.error("MX1015", span, message, "put it elsewhere, as in socket = \"/run/mxseal/control.sock\"");
    }
}

/// The whole number at `key`, where it lies in `range`.
fn number(reader: &mut Reader<'_>, table: &Table, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let at = reader.integer(table, key)?;
    if range.contains(&at.value) {
        return Some(at.value);
    }
    let message = format!("`{key}` is {}, it takes {} to {}", at.value, range.start(), range.end());
    reader.error("MX1005", at.span, message, "");
    None
}

/// The value at `key` that one of `words` stands for.
fn word<T: Copy>(reader: &mut Reader<'_>, table: &Table, key: &str, words: &[(&str, T)]) -> Option<T> {
    let at = reader.text(table, key)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == at.value) {
        return Some(*value);
    }
    let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let message = format!("`{key}` does not take \"{}\"", shown(at.value));
    reader.error("MX1010", at.span, message, &format!("it takes {}", known.join(", ")));
    None
}
