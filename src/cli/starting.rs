//! Whether a server for this configuration has just been started: it needs some milliseconds until its socket is there.
//!
//! Only /proc is asked. The lock on the folder of keys is never tried: a command that held it would end the server's start.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The id of a process of this program that runs `serve` with the configuration `config`.
pub fn server(config: &Path) -> Option<u32> {
    let (own, config) = (fs::read_link("/proc/self/exe").ok()?, fs::canonicalize(config).ok()?);
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| *id != std::process::id())
        .find(|id| is_server(&Path::new("/proc").join(id.to_string()), &own, &config))
}

fn is_server(process: &Path, own: &Path, config: &Path) -> bool {
    let read = || {
        // Another user's process does not tell what it runs: nothing is known of it then.
        let same = fs::read_link(process.join("exe")).ok()? == *own;
        let words = fs::read(process.join("cmdline")).ok().filter(|_| same)?;
        let named = serves(&words)?;
        let folder = process.join("cwd");
        let places = named.map_or_else(|| super::context::PLACES.map(PathBuf::from).to_vec(), |file| vec![file]);
        places.iter().map(|place| folder.join(place)).find_map(|place| fs::canonicalize(place).ok())
    };
    read().is_some_and(|file| file == config)
}

/// The arguments of a process (proc_pid_cmdline(5)): `None` where it does not serve, else the configuration that it names.
fn serves(arguments: &[u8]) -> Option<Option<PathBuf>> {
    let words: Vec<&[u8]> = arguments.split(|octet| *octet == 0).skip(1).collect();
    let path = |octets: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(octets));
    let apart = words.iter().position(|word| *word == b"--config").map(|at| at + 1);
    let named = apart.and_then(|at| words.get(at)).map(|octets| path(octets));
    let glued = words.iter().find_map(|word| word.strip_prefix(b"--config=")).map(path);
    let is_serve = words.iter().enumerate().any(|(at, word)| *word == b"serve" && Some(at) != apart);
    is_serve.then(|| named.or(glued))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_arguments() {
        let file = |text: &str| Some(Some(PathBuf::from(text)));
        assert_eq!(serves(b"mxseal\0serve\0"), Some(None));
        assert_eq!(serves(b"/usr/bin/mxseal\0--config\0a b.toml\0serve\0--strict\0"), file("a b.toml"));
        assert_eq!(serves(b"mxseal\0serve\0--config=/etc/x.toml\0"), file("/etc/x.toml"));
        assert_eq!(serves(b"mxseal\0status\0"), None);
        assert_eq!(serves(b"mxseal\0status\0--config\0serve\0"), None, "a file of that name");
        assert_eq!(serves(b""), None);
    }

    #[test]
    fn nothing_is_found_where_nobody_serves() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("mxseal.toml");
        fs::write(&file, "version = 1\n").expect("it can be written");
        assert_eq!(server(&file), None);
        assert_eq!(server(&folder.path().join("gone.toml")), None);
    }
}
