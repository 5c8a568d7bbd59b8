//! A file that a command writes, whole or not at all: another program may read it at any moment.

use super::output::Output;
use super::tone::Tone;
use crate::cli::failure::{Exit, Failure, Stop};
use std::io::Write;
use std::path::Path;

/// Writes `text` to a file, or to standard output where it is `-`.
///
/// # Errors
/// Exit 1 with why.
pub fn write(file: &Path, text: &str, output: &mut Output) -> Result<(), Stop> {
    if file == Path::new("-") {
        return output.raw(text.as_bytes());
    }
    let failed = |why: String, help: &str| {
        Failure::new(Exit::Failure, format!("{} cannot be written: {why}", file.display()), help)
    };
    let fault = |error: std::io::Error| failed(error.to_string(), "its folder must be writable");
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.is_dir() {
        return Err(failed("it is a folder".to_owned(), "name a file in it").into());
    }
    if !folder.is_dir() {
        return Err(failed(format!("there is no folder {}", folder.display()), "make it, or name another").into());
    }
    let mut beside = tempfile::Builder::new();
    // It holds no secret, and others are to see it.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut beside = beside.permissions(mode).tempfile_in(folder).map_err(fault)?;
    beside.write_all(text.as_bytes()).map_err(fault)?;
    beside.persist(file).map_err(|error| fault(error.error))?;
    if output.is_json() {
        return output.object(&serde_json::json!({ "file": file }));
    }
    output.line(&format!("{} is written", output.tone(Tone::Plain, &file.display().to_string())))
}
