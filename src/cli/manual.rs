//! `completions` and `man`: made from the definition of the arguments, so that they cannot drift from it.

use super::args::Args;
use super::failure::{Exit, Failure, Stop};
use super::output::Output;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// Prints the completions of a shell.
pub fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<Exit, Stop> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "mxseal", &mut text);
    output.raw(&text)?;
    Ok(Exit::Ok)
}

/// Prints the page of mxseal itself, or writes one page a command into `folder`.
pub fn pages(folder: Option<&Path>, output: &mut Output) -> Result<Exit, Stop> {
    let mut root = Args::command();
    // Gives each command below its whole name: `mxseal-tenant-add`.
    root.build();
    match folder {
        None => output.raw(&page(&root).map_err(|error| Stop::from_write(&error))?)?,
        Some(folder) => write(&root, folder).map_err(|error| {
            let message = format!("manual pages cannot be written into {}: {error}", folder.display());
            Failure::new(Exit::Failure, message, "the folder must be there already, and writable")
        })?,
    }
    Ok(Exit::Ok)
}

fn write(command: &Command, folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join(Man::new(command.clone()).get_filename()), page(command)?)?;
    command.get_subcommands().try_for_each(|below| write(below, folder))
}

/// One page. Examples and exit codes are sections of their own with their lines kept, which clap_mangen would fill.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.clone()).manual("mxseal manual");
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut roff)?;
    }
    let (examples, exits) = after.split_once("Exit codes:\n").unwrap_or((&after, ""));
    let examples = examples.split_once(":\n").map_or(examples, |(_, examples)| examples);
    section(&mut roff, "EXAMPLES", examples);
    section(&mut roff, "EXIT STATUS", exits);
    Ok(roff)
}

fn section(roff: &mut Vec<u8>, title: &str, text: &str) {
    roff.extend(format!(".SH \"{title}\"\n.nf\n").bytes());
    for line in text.trim_end().lines() {
        // `\&` keeps a line that begins with a dot from being a request; a bare dash would become a hyphen.
        let line = line.trim_start().replace('\\', "\\e").replace('-', "\\-");
        roff.extend(format!("\\&{line}\n").bytes());
    }
    roff.extend(b".fi\n");
}
