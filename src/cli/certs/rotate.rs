//! `cert rotate`: a certificate is checked, permitted, given to each host, and seen at each, in that order.
//!
//! It runs with the rights of whoever called it, never with the server's. Each step can be repeated and taken back: the old
//! key stays published until the server has seen no host with it for the wait.

use super::super::args::Rotate;
use super::super::client;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::Pools;
use super::change::{read, read_chain, short};
use super::steps::{Act, fill, shows, steps};
use crate::cert::chain::{Chain, Expected};
use crate::cert::make::PrivateKey;
use crate::cert::{Roots, Spki};
use crate::cli::lives::{Kind, ask, ask_one};
use crate::cli::screen::output::Output;
use crate::cli::screen::progress;
use crate::config::{Install, PoolSettings};
use crate::protocol::request::{CertRequest, PoolRequest};
use crate::protocol::{CertInfo, HostInfo, PermitInfo, Verb};
use crate::store::pools::read_key;
use crate::time::{Seconds, steady};
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Between two looks at a host that does not show it yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the end waits for the server to see what was changed.
const SETTLE: Duration = Duration::from_secs(5);
/// How long one round of looks may take.
const LOOK_PATIENCE: Duration = Duration::from_secs(330);
/// What is put behind the name of a file that was exchanged.
const BEFORE: &str = "before";

/// What is given to hosts.
struct Goods {
    chain: Chain,
    certificate: Vec<u8>,
    key: PrivateKey,
}

/// Does it.
pub fn run(context: &Context, asked: &Rotate, output: &mut Output) -> Result<Exit, Stop> {
    let settings = context.config.pool_settings(&asked.pool);
    let info = info(context, &asked.pool)?;
    let (file, key) = files(asked, &settings)?;
    let chain = read_chain(&file)?;
    check(context, &chain, &file, &info, &settings)?;
    let key = private(context, &chain, key.as_deref(), &info)?;
    let goods = Goods { certificate: read(&file)?, chain, key };
    let acts = steps(&info, &goods.chain, &settings).ok_or_else(|| no_way(&asked.pool))?;
    permit(context, asked, goods.chain.leaf.spki, output)?;
    let walk = Walk { context, asked, settings: &settings, goods: &goods };
    for act in &acts {
        walk.take(act, output)?;
    }
    walk.end(acts.is_empty(), output)
}

fn info(context: &Context, pool: &str) -> Result<CertInfo, Stop> {
    ask_one::<Pools, _>(context, &Pools::status(Some(pool)), pool)
}

/// The files to give: those named, or those of before.
fn files(asked: &Rotate, settings: &PoolSettings) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    if let Some(file) = &asked.certificate {
        return Ok((file.clone(), asked.key.clone()));
    }
    let Some(install) = &settings.install else {
        let help = "name the certificate of before: `--certificate FILE --key FILE`";
        return Err(Failure::new(
            Exit::Usage,
            "`--back` needs `install` in the configuration, which keeps what was there",
            help,
        ));
    };
    Ok((before(&install.certificate), Some(before(&install.key))))
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(BEFORE);
    PathBuf::from(name)
}

/// The certificate is fit to be shown: for a published key, by names, dates and chain.
fn check(
    context: &Context,
    chain: &Chain,
    file: &Path,
    info: &CertInfo,
    settings: &PoolSettings,
) -> Result<(), Failure> {
    let spki = chain.leaf.spki.to_string();
    let is_published = info.keys.iter().any(|key| key.spki == spki && key.published.is_some() && key.removed.is_none());
    if !is_published {
        let message =
            format!("{} is for key {}, whose TLSA pool {} does not serve", file.display(), short(&spki), info.pool);
        let help = format!("get a certificate for its next key: `mxseal cert csr {}`", info.pool);
        return Err(Failure::new(Exit::Refused, message, help));
    }
    let roots = context.config.probe.roots.as_ref().filter(|_| settings.webpki);
    let roots = roots.and_then(|path| Roots::parse_pem(&std::fs::read(path).ok()?).ok());
    let now = crate::time::wall();
    let flaws = chain.flaws(&Expected { spki: None, names: &info.names, now, roots: roots.as_ref() });
    for flaw in flaws.iter().filter(|flaw| !flaw.is_fatal()) {
        eprintln_warning(&format!("{}: {flaw}", file.display()));
    }
    let fatal: Vec<String> = flaws.iter().filter(|flaw| flaw.is_fatal()).map(ToString::to_string).collect();
    if fatal.is_empty() {
        return Ok(());
    }
    let message = format!("{} must not be shown: {}", file.display(), fatal.join("; "));
    Err(Failure::new(Exit::Failure, message, "nothing was changed; get another certificate for the same key"))
}

fn eprintln_warning(text: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

/// The private half: from a file, or from where the server keeps it.
fn private(context: &Context, chain: &Chain, file: Option<&Path>, info: &CertInfo) -> Result<PrivateKey, Failure> {
    let spki = chain.leaf.spki;
    let wrong = |message: String| Failure::new(Exit::Failure, message, "");
    let key = match file {
        Some(file) => {
            let octets = zeroize::Zeroizing::new(read(file)?);
            PrivateKey::parse_pem(&octets)
                .map_err(|fault| wrong(format!("{} cannot be used: {fault}", file.display())))?
        }
        None => {
            let kept = info.keys.iter().find(|key| key.spki == spki.to_string()).map(|key| key.file.clone());
            let kept = kept.filter(|file| !file.is_empty()).ok_or_else(|| {
                let message = format!("the private half of key {} is not kept here", spki.short());
                Failure::new(Exit::Failure, message, "name its file: `--key FILE`")
            })?;
            read_key(&context.config.keys.join(kept), Some(spki)).map_err(|fault| wrong(fault.to_string()))?
        }
    };
    if chain.is_for(&key) {
        Ok(key)
    } else {
        Err(wrong("the private key does not belong to the certificate".to_owned()))
    }
}

fn no_way(pool: &str) -> Failure {
    let message = format!("the configuration does not say how hosts of pool {pool} get a certificate");
    let deploy = "deploy = [\"/path/to/command\", \"{address}\", \"{certificate}\", \"{key}\"]";
    let help = format!("write into mxseal.toml, below [pool.\"{pool}\"]: {deploy}, or `install` (see the README)");
    Failure::new(Exit::Usage, message, help)
}

/// The gate: nothing is given to anybody before the server says yes.
fn permit(context: &Context, asked: &Rotate, spki: Spki, output: &mut Output) -> Result<(), Stop> {
    let (pool, dry_run) = (asked.pool.clone(), asked.dry_run);
    let request = CertRequest::Permit { pool, spki: spki.to_string(), emergency: asked.emergency, dry_run }.into();
    let (items, end) = ask::<Pools, PermitInfo>(context, &request, Some(&asked.pool))?;
    let info = items.into_iter().next().unwrap_or_default();
    if info.granted {
        return say(output, "permit", "", &format!("hosts may be given key {}", spki.short()));
    }
    let at = info.at.map(|at| format!("ask again at {}", crate::cli::screen::words::moment(at))).unwrap_or_default();
    let why = if info.why.is_empty() { end.message } else { info.why };
    Err(Failure::new(end.exit, why, at).into())
}

fn say(output: &mut Output, step: &str, host: &str, text: &str) -> Result<(), Stop> {
    if output.is_json() {
        return output.object(&json!({ "step": step, "host": host, "text": text }));
    }
    output.line(text)
}

struct Walk<'w> {
    context: &'w Context,
    asked: &'w Rotate,
    settings: &'w PoolSettings,
    goods: &'w Goods,
}

impl Walk<'_> {
    fn take(&self, act: &Act, output: &mut Output) -> Result<(), Stop> {
        let will = if self.asked.dry_run { "would " } else { "" };
        let short = self.goods.chain.leaf.spki.short();
        match act {
            Act::Install => {
                let Some(install) = &self.settings.install else { return Ok(()) };
                let shown = install.certificate.display();
                say(output, "install", "", &format!("{will}install it as {shown}"))?;
                if self.asked.dry_run { Ok(()) } else { self.install(install) }
            }
            Act::Deploy(host) => {
                say(output, "deploy", host, &format!("{will}give it to {host}"))?;
                if self.asked.dry_run { Ok(()) } else { self.deploy(host) }
            }
            Act::Look(host) if self.asked.dry_run => {
                say(output, "look", host, &format!("would wait until {host} shows key {short}"))
            }
            Act::Look(host) => {
                self.look(host)?;
                say(output, "look", host, &format!("{host} shows key {short}"))
            }
            Act::Watch(file) => self.watch(file, output),
        }
    }

    /// Exchanges the files that hosts read; what was there is kept beside.
    fn install(&self, install: &Install) -> Result<(), Stop> {
        put(&install.key, self.goods.key.pem().as_bytes(), 0o600)?;
        put(&install.certificate, &self.goods.certificate, 0o644)?;
        let shown = |path: &Path| path.display().to_string();
        let words = fill(&install.then, "", &self.asked.pool, &shown(&install.certificate), &shown(&install.key));
        self.command(&words)
    }

    /// Gives it to one host, by files that nobody else can read and that are gone afterwards.
    fn deploy(&self, host: &str) -> Result<(), Stop> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failure, format!("a temporary file cannot be written: {error}"), "")
        };
        let folder = TempDir::new().map_err(failed)?;
        let write = |name: &str, octets: &[u8]| {
            let path = folder.path().join(name);
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| file.write_all(octets))?;
            Ok(path.display().to_string())
        };
        let certificate = write("chain.pem", &self.goods.certificate).map_err(failed)?;
        let key = write("key.pem", self.goods.key.pem().as_bytes()).map_err(failed)?;
        self.command(&fill(&self.settings.deploy, host, &self.asked.pool, &certificate, &key))
    }

    fn command(&self, words: &[String]) -> Result<(), Stop> {
        let Some((program, arguments)) = words.split_first() else { return Ok(()) };
        let failed = |why: String| {
            let help = "old and new key are both published, so no mail waits; mend it and run this again";
            Failure::new(Exit::Failure, format!("`{}` {why}", words.join(" ")), help)
        };
        // What it prints belongs to people, and standard output to our own answer.
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let until = steady() + Duration::from_secs(self.asked.timeout);
        loop {
            match child.try_wait().map_err(|error| failed(error.to_string()))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(failed(format!("failed: {status}")).into()),
                None if steady() >= until => {
                    // It had its time.
                    let _ = child.kill().and_then(|()| child.wait());
                    return Err(failed("did not end in time".to_owned()).into());
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Looks again and again until a host shows the key, and nothing else of its kind.
    fn look(&self, host: &str) -> Result<(), Stop> {
        let until = steady() + Duration::from_secs(self.asked.timeout);
        progress::during(&format!("waiting for {host}"), || self.look_until(host, until))
    }

    fn look_until(&self, host: &str, until: Instant) -> Result<(), Stop> {
        let leaf = &self.goods.chain.leaf;
        let (spki, request) = (leaf.spki.to_string(), PoolRequest::Look { pool: self.asked.pool.clone() }.into());
        loop {
            let (hosts, _) = self.context.client.all::<HostInfo>(&request, LOOK_PATIENCE)?;
            if hosts.iter().any(|seen| seen.address == host && shows(seen, &spki, leaf.kind)) {
                return Ok(());
            }
            if steady() >= until {
                return Err(self.late(host, &hosts).into());
            }
            std::thread::sleep(LOOK_AGAIN.max(client::PATIENCE / 1000));
        }
    }

    fn late(&self, host: &str, hosts: &[HostInfo]) -> Failure {
        let leaf = &self.goods.chain.leaf;
        let spki = leaf.spki.to_string();
        let (new, old): (Vec<&HostInfo>, Vec<&HostInfo>) = hosts.iter().partition(|seen| shows(seen, &spki, leaf.kind));
        let list = |hosts: &[&HostInfo]| match hosts {
            [] => "none".to_owned(),
            some => some.iter().map(|host| host.address.as_str()).collect::<Vec<_>>().join(", "),
        };
        let fault = hosts.iter().find(|seen| seen.address == host).map(|seen| seen.fault.as_str()).unwrap_or_default();
        let fault = if fault.is_empty() { String::new() } else { format!(" ({fault})") };
        let waited = crate::cli::screen::words::span(Seconds::from(self.asked.timeout));
        let message = format!(
            "{host} does not show key {} after {waited}{fault}; new key: {}; not yet: {}",
            leaf.spki.short(),
            list(&new),
            list(&old)
        );
        let help = "old and new key are both published, so no mail waits; mend that host and run this again, or go back with --back";
        Failure::new(Exit::TimedOut, message, help)
    }

    /// The file that pools.toml names becomes the new certificate, where it is a plain file here.
    fn watch(&self, file: &str, output: &mut Output) -> Result<(), Stop> {
        let path = self.context.config.zones.join(file);
        let is_installed = self.settings.install.as_ref().is_some_and(|install| same(&install.certificate, &path));
        if is_installed {
            return Ok(());
        }
        if !std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            let text = format!("{file} is no plain file here: make what pools.toml names the new certificate");
            return say(output, "watch", "", &text);
        }
        let will = if self.asked.dry_run { "would write" } else { "writes" };
        say(output, "watch", "", &format!("{will} it to {file}, which pools.toml names"))?;
        if self.asked.dry_run { Ok(()) } else { put(&path, &self.goods.certificate, 0o644) }
    }

    /// The state once the server has seen the new file, which takes it some seconds.
    fn settled(&self) -> Result<CertInfo, Stop> {
        let until = steady() + SETTLE;
        loop {
            let info = info(self.context, &self.asked.pool)?;
            if !info.story.waits.is_empty() || steady() >= until {
                return Ok(info);
            }
            std::thread::sleep(LOOK_AGAIN / 4);
        }
    }

    fn end(&self, nothing: bool, output: &mut Output) -> Result<Exit, Stop> {
        let spki = self.goods.chain.leaf.spki;
        if self.asked.dry_run {
            say(output, "end", "", "Nothing was changed.")?;
            return Ok(Exit::Ok);
        }
        let text = if nothing { "all hosts showed it already" } else { "all hosts show it" };
        say(output, "end", "", &format!("key {}: {text}", spki.short()))?;
        let info = self.settled()?;
        for wait in info.story.waits.iter().filter(|wait| wait.verb == Verb::Withdraw) {
            let when =
                wait.until.map(crate::cli::screen::words::moment).unwrap_or_else(|| "once it was seen".to_owned());
            say(output, "withdraw", "", &format!("{}: {when}; until then --back is free", wait.step))?;
        }
        Ok(Exit::Ok)
    }
}

fn same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// Exchanges a file whole; one that was other is kept beside. Modes stay as they were, where there was one.
fn put(path: &Path, octets: &[u8], mode: u32) -> Result<(), Stop> {
    let failed = |error: std::io::Error| {
        let help = "old and new key are both published, so no mail waits; mend it and run this again";
        Failure::new(Exit::Failure, format!("{} cannot be written: {error}", path.display()), help)
    };
    let there = std::fs::read(path).ok().map(zeroize::Zeroizing::new);
    if there.as_ref().is_some_and(|there| there.as_slice() == octets) {
        return Ok(());
    }
    let mode = std::fs::metadata(path).map_or(mode, |found| found.permissions().mode() & 0o7777);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = |target: &Path, octets: &[u8]| -> std::io::Result<()> {
        let mut beside = tempfile::Builder::new();
        let mut beside = beside.permissions(std::fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
        beside.write_all(octets)?;
        beside.as_file().sync_all()?;
        beside.persist(target).map(drop).map_err(|error| error.error)
    };
    if let Some(there) = there {
        write(&before(path), &there).map_err(failed)?;
    }
    Ok(write(path, octets).map_err(failed)?)
}
