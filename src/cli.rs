//! The command line: arguments become a checked configuration and a request, and its answer becomes text or JSON.
//!
//! It decides nothing about zones: commands ask the running server over its control socket, and what they change is a
//! file that the server then reads. It never writes a file before the server has answered, and never over another one.

pub mod args;
mod certs;
mod change;
mod check;
mod client;
mod context;
mod explain;
mod failure;
mod keys;
mod lives;
mod manual;
mod pool;
mod reload;
mod screen;
pub mod serve;
mod starting;
mod status;
mod tenant;
mod zone;

use args::{Args, CertVerb, Command, KeysVerb, PoolVerb, TenantVerb, ZoneVerb};
use clap::Parser;
use context::Context;
use failure::{Exit, Failure, Stop};
use screen::output::{Colour, Form, Output};
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    if let Command::Serve { strict } = args.command {
        return serve::run(args.config.as_deref(), strict);
    }
    let mut output = Output::new(args.output, args.color);
    let done = run(&args, &mut output);
    // What was printed comes before what went wrong, also where both go to one terminal.
    match done.and_then(|exit| output.flush().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(Stop::Failed(failure)) => {
            // A reader that is gone now must not hide why the command failed.
            let _ = output.flush();
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(args: &Args, output: &mut Output) -> Result<Exit, Stop> {
    match &args.command {
        Command::Help { command } => return manual::help(command, output),
        Command::Version => return manual::version(output),
        Command::Completions { shell } => return manual::completions(*shell, output),
        Command::Man { folder } => return manual::pages(folder.as_deref(), output),
        Command::Check => return check::run(args.config.as_deref(), output),
        Command::Cert { verb: CertVerb::Tlsa(asked) } => return certs::tlsa(asked, output),
        _ => {}
    }
    let context = match needs_configuration(&args.command) {
        true => Context::load(args.config.as_deref())?,
        false => Context::of_server(args.config.as_deref())?,
    };
    // The answer to a reload says by itself what is wrong with the file.
    if let Some(broken) = context.broken.as_ref().filter(|_| !matches!(args.command, Command::Reload { .. })) {
        output.warning(broken, "the running server goes on with what it read before; a restart would fail");
    }
    match &args.command {
        Command::Reload { allow_shrink } => reload::run(&context, *allow_shrink, output),
        Command::Status => status::run(&context, output),
        Command::Zone { verb: ZoneVerb::List } => zone::list(&context, output),
        Command::Zone { verb: ZoneVerb::Show { zone } } => zone::show(&context, zone, output),
        Command::Zone { verb: ZoneVerb::Ds { zone } } => zone::ds(&context, zone, output),
        Command::Tenant { verb: TenantVerb::List(asked) } => tenant::list(&context, asked, output),
        Command::Tenant { verb: TenantVerb::Show { domain } } => tenant::show(&context, domain, output),
        Command::Tenant { verb: TenantVerb::Mx { domain } } => tenant::mx(&context, domain, output),
        Command::Tenant { verb: TenantVerb::Add(asked) } => change::add::run(&context, asked, output),
        Command::Tenant { verb: TenantVerb::Rm(asked) } => change::rm::run(&context, asked, output),
        Command::Pool { verb: PoolVerb::List } => pool::list(&context, output),
        Command::Pool { verb: PoolVerb::Show { pool } } => pool::show(&context, pool, output),
        Command::Keys { verb } => keys::run(&context, verb, output),
        Command::Cert { verb } => certs::run(&context, verb, output),
        Command::Explain { name, rtype } => explain::run(&context, name, rtype, output),
        // Done above: these run without a server, or are one.
        Command::Serve { .. }
        | Command::Check
        | Command::Help { .. }
        | Command::Version
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(Exit::Ok),
    }
}

/// Whether a command uses more of the configuration than where the running server is.
fn needs_configuration(command: &Command) -> bool {
    match command {
        Command::Tenant { verb } => matches!(verb, TenantVerb::Add(_) | TenantVerb::Rm(_)),
        Command::Keys { verb } => matches!(verb, KeysVerb::Export(_) | KeysVerb::Simulate(_)),
        Command::Cert { verb } => matches!(verb, CertVerb::Rotate(_)),
        Command::Reload { .. }
        | Command::Status
        | Command::Zone { .. }
        | Command::Pool { .. }
        | Command::Explain { .. } => false,
        // These read it themselves, or not at all.
        Command::Serve { .. }
        | Command::Check
        | Command::Help { .. }
        | Command::Version
        | Command::Completions { .. }
        | Command::Man { .. } => true,
    }
}

/// What clap says about wrong arguments, and help and version, which it treats as errors too. A script that asks for
/// JSON gets JSON here as well, so the form is looked up in the raw arguments.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && wants_json(std::env::args_os().map(|word| word.to_string_lossy().into_owned())) {
        Output::new(Form::Json, Colour::Never).failure(&wrong_usage(&error.render().to_string()));
        return Exit::Usage.into();
    }
    // A reader that is gone needs no help.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

/// What clap says: the error, which may have lines of its own, then tips, then how it is used.
fn wrong_usage(text: &str) -> Failure {
    let mut parts = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = parts.next().unwrap_or_default();
    let tips: Vec<String> =
        parts.filter(|part| part.starts_with("tip: ")).map(|part| part.replace("tip: ", "")).collect();
    let help = if tips.is_empty() { "see `mxseal --help`".to_owned() } else { tips.join("; ") };
    Failure::new(Exit::Usage, message, help)
}

fn wants_json(arguments: impl Iterator<Item = String>) -> bool {
    let words: Vec<String> = arguments.collect();
    let glued = |word: &String| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json");
    let apart =
        |pair: &[String]| matches!(pair, [flag, form] if (flag == "-o" || flag == "--output") && form == "json");
    words.iter().any(glued) || words.windows(2).any(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_arguments_keeps_its_lines_and_its_tips() {
        let said = |words: &[&str]| {
            let error = Args::try_parse_from(words).expect_err("it is wrong");
            wrong_usage(&error.render().to_string())
        };
        let typo = said(&["mxseal", "tenant", "lst"]);
        assert_eq!(typo.message, "unrecognized subcommand 'lst'");
        assert_eq!(typo.help, "a similar subcommand exists: 'list'");
        let missing = said(&["mxseal", "tenant", "add", "a.example"]);
        assert_eq!(missing.message, "the following required arguments were not provided: --pool <POOL>");
        let number = said(&["mxseal", "keys", "plan", "--days", "-1"]);
        assert_eq!(number.message, "invalid value '-1' for '--days <N>': write a whole number from 1 to 1825");
    }

    #[test]
    fn the_wish_for_json_is_seen_in_each_spelling() {
        for line in ["x -o json", "x a b --output json", "x -ojson", "x -o=json y", "x --output=json"] {
            assert!(wants_json(line.split(' ').map(str::to_owned)), "{line}");
        }
        for line in ["x", "x json", "x -o table", "x json -o"] {
            assert!(!wants_json(line.split(' ').map(str::to_owned)), "{line}");
        }
    }
}
