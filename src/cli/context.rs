//! What a command that talks to the server needs: the configuration, and from it the folders and the socket.
//!
//! It reads the configuration and nothing else.

use super::client::Client;
use super::failure::{Exit, Failure};
use crate::config::{self, Config, Whereabouts};
use crate::diagnostic::{self, Diagnostic};
use crate::zone::tenant::text_of;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where the configuration is looked for, in this order.
pub(super) const PLACES: [&str; 2] = ["mxseal.toml", "/etc/mxseal/mxseal.toml"];

/// Code of a file whose last line has no end.
const UNENDED: &str = "MX1024";

/// The configuration and what follows from it.
#[derive(Debug)]
pub struct Context {
    /// The configuration's file.
    pub file: PathBuf,
    /// The configuration, its paths joined to the folder of its file.
    pub config: Config,
    /// The running server.
    pub client: Client,
    /// Why the file as it is now cannot be used, where the running server is asked all the same.
    pub broken: Option<Failure>,
}

impl Context {
    /// Finds and reads the configuration. Warnings are left to `check` and the server.
    ///
    /// # Errors
    /// Exit 1 where there is none or it is wrong; all that is wrong is listed.
    pub fn load(given: Option<&Path>) -> Result<Context, Failure> {
        let file = find(given)?;
        let (config, _) = read(&file)?;
        let client = Client::new(&config, &file);
        Ok(Context { file, config, client, broken: None })
    }

    /// The same for a command that only asks the running server: of a file that is broken, missing or not to be read by this
    /// user it takes what says where that is, if it is there.
    ///
    /// # Errors
    /// As [`Context::load`], where no server is there, or the line that says where it is is broken itself.
    pub fn of_server(given: Option<&Path>) -> Result<Context, Failure> {
        let found = find(given).or_else(|none| with_socket().ok_or(none))?;
        read(&found).map_or_else(|failure| salvage(&found, failure), |_| Context::load(Some(&found)))
    }
}

/// The first of the places whose configuration is gone while a server that used it is there.
fn with_socket() -> Option<PathBuf> {
    let beside = |place: &PathBuf| place.with_file_name(config::KEYS).join(config::CONTROL_SOCKET).exists();
    PLACES.iter().map(PathBuf::from).find(beside)
}

/// What a file that cannot be used says about where the server is. `why`: what is wrong with it.
fn salvage(file: &Path, why: Failure) -> Result<Context, Failure> {
    let shown = file.display().to_string();
    let found = match octets(file) {
        Ok(octets) => config::whereabouts(&shown, &String::from_utf8_lossy(&octets)).map_err(|findings| Failure {
            findings,
            ..Failure::new(
                Exit::Failure,
                format!("{shown} is wrong, and so nobody knows where the control socket is"),
                "correct the line of `keys`, where the socket lies, or of `socket`; other faults of the file would not matter here",
            )
        })?,
        Err(_) => Whereabouts { keys: PathBuf::from(config::KEYS), socket: None },
    };
    let mut config = Config { keys: found.keys, ..Config::default() };
    config.server.socket = found.socket;
    let config = config.resolve(file.parent().unwrap_or(Path::new("")));
    let client = Client::new(&config, file);
    if !client.socket.exists() {
        return Err(why);
    }
    Ok(Context { file: file.to_owned(), config, client, broken: Some(why) })
}

/// The configuration's file: the given one, else the first that is there.
///
/// # Errors
/// Exit 1, naming every place.
pub fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    // One that is there but cannot be read is still the one that is meant: reading it then says why.
    let there = |path: &PathBuf| path.symlink_metadata().is_ok();
    PLACES.iter().map(PathBuf::from).find(there).ok_or_else(|| {
        let message = format!("no configuration: looked for ./{} and {}", PLACES[0], PLACES[1]);
        Failure::new(Exit::Failure, message, "name it with --config FILE; a file with `version = 1` is enough to begin")
    })
}

/// Reads and checks a configuration, and joins its paths to its folder; with it come its warnings.
///
/// # Errors
/// Exit 1 with all that is wrong.
pub fn read(file: &Path) -> Result<(Config, Vec<Diagnostic>), Failure> {
    let shown = file.display().to_string();
    let octets = octets(file).map_err(|error| {
        let message = format!("the configuration {shown} cannot be read: {error}");
        Failure::new(Exit::Failure, message, "name another one with --config FILE")
    })?;
    let wrong = |findings| Failure { findings, ..Failure::new(Exit::Failure, format!("{shown} is wrong"), "") };
    let text = text_of(&shown, &octets).map_err(|finding| wrong(vec![*finding]))?;
    // The server and every command read it here, so all of them say the same.
    if let Some(finding) = diagnostic::unended(UNENDED, &shown, text, "nothing of the file is used") {
        return Err(wrong(vec![finding]));
    }
    let (config, warnings) = config::parse_on(&shown, text, &interfaces()).map_err(wrong)?;
    Ok((config.resolve(file.parent().unwrap_or(Path::new(""))), warnings))
}

/// The host's interfaces with an IPv6 address, as the kernel lists them: address, number, three more, name.
fn interfaces() -> config::Interfaces {
    let text = std::fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
    let one = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let number = u32::from_str_radix(words.nth(1)?, 16).ok()?;
        Some((words.nth(3)?.to_owned(), number))
    };
    text.lines().filter_map(one).collect()
}

/// The file's octets, and not many more than its reader accepts: a wrong path may be a disk.
fn octets(file: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(config::CONFIG_FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    File::open(file)?.take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}
