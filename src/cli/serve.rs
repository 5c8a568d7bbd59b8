//! `serve`: runs the server in the foreground.

use super::failure::{Exit, Failure};
use super::output::{Colour, Form, Output};
use std::path::Path;
use std::process::ExitCode;

/// Runs the server with the configuration at `config_path` (or where it is looked for) until it is told to end.
/// `strict`: it does not start with less than was asked for.
pub fn run(config_path: Option<&Path>, strict: bool) -> ExitCode {
    let _ = (config_path, strict);
    let failure = Failure::new(Exit::Failure, "this build cannot serve", "");
    Output::new(Form::Table, Colour::Auto).failure(&failure);
    failure.exit.into()
}
