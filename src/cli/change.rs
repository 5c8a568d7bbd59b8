//! `tenant add` and `tenant rm`: both change a file, then wait until the server answers accordingly.
//!
//! Nothing is changed before the server has answered, no other file is overwritten, and no reader ever sees half a file.

pub mod add;
pub mod rm;

use super::client::{End, PATIENCE_MORE};
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::progress;
use crate::protocol::request::TenantRequest;
use crate::time::{Seconds, print_span};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What was changed, for waiting and for words.
#[derive(Clone, Copy, Debug)]
struct Change<'a> {
    domain: &'a str,
    /// With final dot.
    zone: &'a str,
    file: &'a Path,
    /// Whether the tenant shall be there.
    present: bool,
    seconds: Seconds,
}

impl Change<'_> {
    /// Waits until the server answers as the file says. A server that goes away meanwhile does not undo the change, so
    /// the failure says that it is made.
    fn wait(self, context: &Context) -> Result<End, Stop> {
        let request = TenantRequest::Wait {
            domain: self.domain.to_owned(),
            zone: self.zone.to_owned(),
            present: self.present,
            seconds: self.seconds,
        }
        .into();
        let patience = Duration::from_secs(self.seconds).saturating_add(PATIENCE_MORE);
        let what = format!("waiting until {} is {}", self.domain, self.goal());
        let ended = progress::during(&what, || context.client.all::<serde_json::Value>(&request, patience));
        match ended {
            Ok((_, end)) => Ok(end),
            Err(Stop::Failed(mut failure)) => {
                failure.help = format!("{} is changed already; {}", self.file.display(), failure.help);
                Err(Stop::Failed(failure))
            }
        }
    }

    fn goal(self) -> &'static str {
        if self.present { "served" } else { "gone" }
    }

    /// The time given was not enough.
    fn late(self) -> Failure {
        let done = if self.present { "is written" } else { "is changed" };
        let message = format!(
            "{} is not {} after {}, though {} {done}",
            self.domain,
            self.goal(),
            print_span(self.seconds),
            self.file.display()
        );
        let help = format!(
            "`mxseal tenant show {}` tells what is served, `mxseal status` whether files are read; \
             the server may use another zones folder, or be busy",
            self.domain
        );
        Failure::new(Exit::TimedOut, message, help)
    }
}

/// A domain or zone that is to be a file's name must stay in its folder, whatever names it.
fn as_file_name(name: &str) -> Result<&str, Failure> {
    let outside = name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']);
    if outside {
        let help = "write its file by hand, under a name of your choice";
        return Err(Failure::new(Exit::Failure, format!("`{name}` cannot be the name of a file"), help));
    }
    Ok(name)
}

/// A failure of the file system at this path.
fn io_failure(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as a user who may write there",
        io::ErrorKind::StorageFull => "make room on the disk",
        // Its own words are all there is.
        _ => "",
    };
    Failure::new(Exit::Failure, format!("{doing} {} failed: {error}", path.display()), help)
}

/// Makes a rename or removal in this folder last across a crash.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
