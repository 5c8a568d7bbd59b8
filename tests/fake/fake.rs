//! A folder with a configuration, a fake server on its control socket, and the program run inside.
//!
//! The fake answers from a `World` that a test sets; it reads no file but to see whether a tenant's is there.

use mxseal::protocol::request::{
    Command as Asked, KeysRequest, PoolRequest, ServerRequest, TenantRequest, ViewRequest,
};
use mxseal::protocol::{
    Explained, Finding, KeysInfo, KeysPlan, Line, PoolInfo, Request, Status, TenantFilter, TenantInfo, TenantStanding,
    ZoneInfo, ZoneStanding,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

/// What the fake server knows, and what it was asked.
#[derive(Default)]
pub struct World {
    pub status: Status,
    pub tenants: Vec<TenantInfo>,
    pub pools: Vec<PoolInfo>,
    pub zone_findings: Vec<Finding>,
    pub reload: (Vec<Finding>, u8, String),
    pub explained: Option<Explained>,
    pub keys: Vec<KeysInfo>,
    pub plans: Vec<KeysPlan>,
    /// What a command about certificates is answered: items, exit code, message.
    pub cert: Option<(Vec<Value>, u8, String)>,
    /// Why a roll, a hold, a resume or an import is refused; `None`: it is not.
    pub refusal: Option<String>,
    /// How waiting ends; `None`: well, as the files are.
    pub wait: Option<(u8, String)>,
    /// Sent instead of any answer.
    pub raw: Option<String>,
    pub asked: Vec<Request>,
    /// Whether the tenant's file was still there when its removal was permitted.
    pub file_at_permit: bool,
}

/// A folder with its server.
pub struct Place {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
}

/// How the program ended, and what it printed.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
    }

    #[track_caller]
    pub fn object(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        self.objects().remove(0)
    }

    #[track_caller]
    pub fn error(&self) -> Value {
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        serde_json::from_str(&self.err).expect("it is one object")
    }
}

impl Place {
    /// A folder with a minimal configuration and a server.
    pub fn new() -> Place {
        let place = Place::without_server();
        let listener = UnixListener::bind(place.path("keys/control.sock")).expect("the socket can be bound");
        let (world, folder) = (Arc::clone(&place.world), place.folder.path().to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(&world, &folder, stream);
            }
        });
        place
    }

    /// A folder with a minimal configuration.
    pub fn without_server() -> Place {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let place = Place { folder, world: Arc::default() };
        place.write("mxseal.toml", "version = 1\n");
        for name in ["zones", "keys"] {
            std::fs::create_dir(place.path(name)).expect("a folder can be made");
        }
        place
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    /// The names in a folder, sorted, hidden ones too.
    pub fn files(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).expect("the folder is there");
        let name_of = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("it can be read").file_name();
        let mut names: Vec<String> = entries.map(|entry| name_of(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(self.folder.path(), args)
    }

    pub fn run_in(&self, folder: impl AsRef<Path>, args: &[&str]) -> Ran {
        let output = command(folder.as_ref(), args).output().expect("the program can be run");
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("it is text"),
            err: String::from_utf8(output.stderr).expect("it is text"),
        }
    }

    /// As `| head -1` does: the pipe is closed after the first line.
    pub fn run_and_read_one_line(&self, args: &[&str]) -> Ran {
        let mut command = command(self.folder.path(), args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be run");
        let mut out = String::new();
        let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
        reader.read_line(&mut out).expect("there is a line");
        drop(reader);
        let mut err = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut err).expect("it is text");
        Ran { code: child.wait().expect("it ends").code(), out, err }
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxseal"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// A zone that serves.
pub fn zone(name: &str, tenants: u64, signed: bool, parent: Option<&str>) -> ZoneInfo {
    ZoneInfo {
        zone: name.to_owned(),
        signed,
        state: ZoneStanding::Serving,
        tenants,
        parent: parent.map(str::to_owned),
        keys: if signed { vec![12_345] } else { Vec::new() },
        ds: if signed { vec![format!("{name} 3600 IN DS 12345 13 2 AABB")] } else { Vec::new() },
        file: format!("zones/{name}zone"),
        ..ZoneInfo::default()
    }
}

/// A tenant that is served.
pub fn tenant(domain: &str, zone: &str, source: &str) -> TenantInfo {
    TenantInfo {
        domain: domain.to_owned(),
        zone: zone.to_owned(),
        endpoint: format!("{}.{zone}", domain.replace('.', "-")),
        state: TenantStanding::Served,
        pool: Some("eu-1".to_owned()),
        addresses: vec!["192.0.2.25".to_owned()],
        tlsa: vec!["3 1 1 aa".to_owned()],
        source: source.to_owned(),
        reasons: Vec::new(),
    }
}

fn answer(world: &Mutex<World>, folder: &Path, mut stream: UnixStream) {
    let mut text = String::new();
    let read = BufReader::new(&stream).read_line(&mut text);
    let Ok(request) = serde_json::from_str::<Request>(&text) else {
        assert!(read.is_ok_and(|octets| octets == 0), "no request: {text}");
        return;
    };
    let reply = {
        let mut world = world.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        world.asked.push(request.clone());
        world.raw.clone().unwrap_or_else(|| lines(&mut world, folder, &request))
    };
    // A client that has gone away is part of a test.
    let _ = stream.write_all(reply.as_bytes());
}

fn lines(world: &mut World, folder: &Path, request: &Request) -> String {
    let (items, exit, message) = reply(world, folder, request);
    let end = Line::End { exit, message };
    let all = items.into_iter().map(Line::Item).chain([end]);
    all.map(|line| serde_json::to_string(&line).expect("it can be written") + "\n").collect()
}

type Reply = (Vec<Value>, u8, String);

fn reply(world: &mut World, folder: &Path, request: &Request) -> Reply {
    let good = |items: Vec<Value>| (items, 0, String::new());
    let one = |item: Option<Value>, missing: &str| match item {
        Some(item) => good(vec![item]),
        None => (Vec::new(), 1, missing.to_owned()),
    };
    match request {
        Request::View(ViewRequest::Status) => good(vec![json!(world.status)]),
        Request::Do(Asked::Server(ServerRequest::Reload { .. })) => {
            let (findings, exit, message) = &world.reload;
            (findings.iter().map(|finding| json!(finding)).collect(), *exit, message.clone())
        }
        Request::View(ViewRequest::ZoneList) => good(world.status.zones.iter().map(|zone| json!(zone)).collect()),
        Request::View(ViewRequest::ZoneShow { zone }) => {
            let found = world.status.zones.iter().find(|info| info.zone == *zone);
            let mut reply = one(found.map(|info| json!(info)), "no such zone");
            if found.is_some() {
                reply.0.extend(world.zone_findings.iter().map(|finding| json!(finding)));
            }
            reply
        }
        Request::View(ViewRequest::TenantList(filter)) => good(listed(world, filter)),
        Request::Do(Asked::Tenant(TenantRequest::Show { domain })) => shown(world, domain),
        Request::Do(Asked::Tenant(TenantRequest::Try(_))) => match &world.refusal {
            Some(reason) => (Vec::new(), 1, reason.clone()),
            None => good(Vec::new()),
        },
        Request::Do(Asked::Tenant(TenantRequest::PermitRemoval { .. })) => {
            world.file_at_permit = folder.join("zones/a-v1.mx.example/contoso.com.toml").exists();
            good(Vec::new())
        }
        Request::Do(Asked::Tenant(TenantRequest::Wait { domain, zone, present, .. })) => {
            wait(world, folder, domain, zone, *present)
        }
        Request::View(ViewRequest::PoolList) => good(world.pools.iter().map(|pool| json!(pool)).collect()),
        Request::Do(Asked::Pool(PoolRequest::Show { pool })) => {
            one(world.pools.iter().find(|info| info.pool == *pool).map(|info| json!(info)), "no such pool")
        }
        Request::Do(Asked::Keys(KeysRequest::Status { zone })) => {
            of_zone(world.keys.iter().map(|info| (&info.zone, json!(info))), zone.as_deref(), 1)
        }
        Request::Do(Asked::Keys(KeysRequest::Plan { zone, .. })) => {
            of_zone(world.plans.iter().map(|plan| (&plan.zone, json!(plan))), zone.as_deref(), 0)
        }
        Request::Do(Asked::Keys(KeysRequest::Roll { zone, .. })) => match &world.refusal {
            Some(reason) => (Vec::new(), 4, reason.clone()),
            None => of_zone(world.plans.iter().map(|plan| (&plan.zone, json!(plan))), Some(zone), 0),
        },
        Request::Do(Asked::Keys(KeysRequest::Hold { zone, .. }))
        | Request::Do(Asked::Keys(KeysRequest::Resume { zone, .. }))
        | Request::Do(Asked::Keys(KeysRequest::Import { zone, .. })) => match &world.refusal {
            Some(reason) => (Vec::new(), 4, reason.clone()),
            None => of_zone(world.keys.iter().map(|info| (&info.zone, json!(info))), Some(zone), 0),
        },
        Request::Do(Asked::Keys(KeysRequest::Lead(asked))) => {
            one(Some(json!({"before": "it is a copy", "leads": !asked.dry_run})), "")
        }
        Request::Do(Asked::Cert(_) | Asked::Pool(PoolRequest::Look { .. })) => {
            world.cert.clone().unwrap_or_else(|| one(None, "not known here"))
        }
        Request::View(ViewRequest::Explain { .. }) => {
            one(world.explained.as_ref().map(|explained| json!(explained)), "no such type")
        }
    }
}

fn listed(world: &World, filter: &TenantFilter) -> Vec<Value> {
    let fits = |info: &&TenantInfo| {
        filter.zone.as_ref().is_none_or(|zone| *zone == info.zone)
            && (!filter.broken || !info.reasons.is_empty())
            && filter.fits(info)
    };
    world.tenants.iter().filter(fits).map(|info| json!(info)).collect()
}

fn shown(world: &World, name: &str) -> Reply {
    let is_meant = |info: &&TenantInfo| info.domain == *name || info.endpoint == format!("{name}.");
    let found: Vec<Value> = world.tenants.iter().filter(is_meant).map(|info| json!(info)).collect();
    if found.is_empty() { (found, 1, "no such tenant".to_owned()) } else { (found, 0, String::new()) }
}

/// The items of one zone or all; a status with blockers ends with `stopped`.
fn of_zone<'a>(items: impl Iterator<Item = (&'a String, Value)>, zone: Option<&str>, stopped: u8) -> Reply {
    let found: Vec<Value> =
        items.filter(|(name, _)| zone.is_none_or(|zone| zone == *name)).map(|item| item.1).collect();
    if let Some(zone) = zone.filter(|_| found.is_empty()) {
        return (found, 1, format!("there is no zone {zone} here"));
    }
    let is_stopped = found.iter().any(|item| item["blockers"].as_array().is_some_and(|some| !some.is_empty()));
    (found, if is_stopped { stopped } else { 0 }, String::new())
}

fn wait(world: &mut World, folder: &Path, domain: &str, zone: &str, present: bool) -> Reply {
    if let Some((exit, message)) = world.wait.clone() {
        return (Vec::new(), exit, message);
    }
    let name = format!("zones/{}/{domain}.toml", zone.trim_end_matches('.'));
    if !present {
        world.tenants.retain(|info| info.domain != domain || info.zone != zone);
        return (Vec::new(), 0, String::new());
    }
    let Ok(text) = std::fs::read_to_string(folder.join(&name)) else {
        return (Vec::new(), 5, "the file is not there".to_owned());
    };
    let mut info = tenant(domain, zone, &format!("{name}:1"));
    if let Some(label) = text.split("endpoint = \"").nth(1).and_then(|rest| rest.split('"').next()) {
        info.endpoint = format!("{label}.{zone}");
    }
    world.tenants.push(info);
    (Vec::new(), 0, String::new())
}
