//! `help`, `version`, `completions` and `man`: made from the definition of the arguments, so that they cannot drift from it.

use super::args::{Args, EXITS, filled};
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use clap::{Command, CommandFactory, Parser};
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// The day of the last change to what the pages say; mandoc and `man` want one.
const DATE: &str = "2026-11-30";
/// Octets of a line of a page, at most: `mandoc -Tlint` wants 80, and counts eight for a letter beyond ASCII.
const LINE_OCTETS: usize = 72;
/// What every command reads, and what the server writes.
const FILES: &[(&str, &str)] = &[
    (
        "./mxseal.toml, /etc/mxseal/mxseal.toml",
        "the configuration; the first one that is there, unless \\-\\-config names another",
    ),
    ("zones/NAME.zone", "the master file of a zone"),
    ("zones/NAME/", "the tenants of that zone: TOML files, and NDJSON files with one tenant a line"),
    ("zones/pools.toml", "the pools of mail hosts"),
    ("keys/", "private keys and journals, mode 0700; copy it, and keep the copy as secret"),
    (
        "keys/control.sock",
        "the control socket, by which commands ask the running server; socket in [server] names another place",
    ),
];

/// Prints the page of a command, as `--help` does.
pub fn help(words: &[String], output: &mut Output) -> Result<Exit, Stop> {
    let asked = words.iter().map(String::as_str);
    let Err(page) = Args::try_parse_from(["mxseal"].into_iter().chain(asked).chain(["--help"])) else {
        return Err(Failure::new(Exit::Failure, "there is no such page", "see `mxseal --help`").into());
    };
    if page.use_stderr() {
        return Err(super::wrong_usage(&page.render().to_string()).into());
    }
    let text = page.render();
    output.raw(if output.colour() { text.ansi().to_string() } else { text.to_string() }.as_bytes())?;
    Ok(Exit::Ok)
}

/// Prints the version, as `--version` does.
pub fn version(output: &mut Output) -> Result<Exit, Stop> {
    let version = env!("CARGO_PKG_VERSION");
    if output.is_json() {
        output.object(&serde_json::json!({ "name": "mxseal", "version": version }))?;
    } else {
        output.line(&format!("mxseal {version}"))?;
    }
    Ok(Exit::Ok)
}

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
        None => output.raw(&page(&root, &root).map_err(|error| Stop::from_write(&error))?)?,
        Some(folder) => write(&root, &root, folder).map_err(|error| {
            let message = format!("manual pages cannot be written into {}: {error}", folder.display());
            Failure::new(Exit::Failure, message, "the folder must be there already, and writable")
        })?,
    }
    Ok(Exit::Ok)
}

fn write(root: &Command, command: &Command, folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join(Man::new(command.clone()).get_filename()), page(root, command)?)?;
    command.get_subcommands().try_for_each(|below| write(root, below, folder))
}

/// One page. Examples and exit codes are sections of their own with their lines kept, which clap_mangen would fill.
fn page(root: &Command, command: &Command) -> io::Result<Vec<u8>> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let name = name_of(command);
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(DATE)
        .source(format!("mxseal {}", env!("CARGO_PKG_VERSION")))
        .manual("mxseal manual");
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut roff)?;
    }
    let (examples, exits) = after.split_once(EXITS).unwrap_or((&after, ""));
    examples_section(&mut roff, examples.split_once(":\n").map_or(examples, |(_, examples)| examples));
    exits_section(&mut roff, exits);
    files_section(&mut roff);
    see_also_section(&mut roff, root, command);
    Ok(tidied(&String::from_utf8_lossy(&roff)).into_bytes())
}

fn name_of(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Text as roff: `\&` keeps a line that begins with a dot from being a request; a bare dash would become a hyphen.
fn escaped(text: &str) -> String {
    format!("\\&{}", text.replace('\\', "\\e").replace('-', "\\-"))
}

fn examples_section(roff: &mut Vec<u8>, text: &str) {
    roff.extend(b".SH EXAMPLES\n.nf\n");
    for line in text.trim_end().lines() {
        let line = escaped(line.strip_prefix("  ").unwrap_or(line));
        roff.extend(format!("{line}\n").bytes());
    }
    roff.extend(b".fi\n");
}

/// Each code with its meaning, which may go on in lines below it.
fn exits_section(roff: &mut Vec<u8>, text: &str) {
    roff.extend(b".SH \"EXIT STATUS\"\n");
    for line in text.lines() {
        match line.trim_start().split_once("  ").filter(|_| !line.starts_with("   ")) {
            Some((code, meaning)) => roff.extend(format!(".TP\n\\fB{code}\\fR\n{}\n", escaped(meaning)).bytes()),
            None => roff.extend(format!("{}\n", escaped(line.trim_start())).bytes()),
        }
    }
}

fn files_section(roff: &mut Vec<u8>) {
    roff.extend(b".SH FILES\nRelative paths start at the folder of the configuration, which may name other folders.\n");
    for (path, meaning) in FILES {
        roff.extend(format!(".TP\n\\fI{path}\\fR\n{meaning}\n").bytes());
    }
}

/// The page of all commands, those below this one, and those beside it.
fn see_also_section(roff: &mut Vec<u8>, root: &Command, command: &Command) {
    let name = name_of(command);
    let parent = name.rsplit_once('-').map_or("", |(parent, _)| parent);
    let above = root.get_subcommands().chain([root]).find(|one| name_of(one) == parent);
    let beside = above.into_iter().flat_map(Command::get_subcommands);
    let all = std::iter::once(root).chain(above).chain(beside).chain(command.get_subcommands());
    let mut names: Vec<&str> = all.map(name_of).filter(|other| *other != name).collect();
    names.sort_unstable();
    names.dedup();
    let links: Vec<String> = names.iter().map(|name| format!("\\fB{}\\fR(1)", name.replace('-', "\\-"))).collect();
    roff.extend(format!(".SH \"SEE ALSO\"\n{}\n", links.join(",\n")).bytes());
}

/// Without blanks at ends, and no line of running text longer than pages should have.
fn tidied(roff: &str) -> String {
    let (mut text, mut is_kept, mut is_tag) = (String::new(), false, false);
    let lines: Vec<&str> = roff.lines().map(str::trim_end).collect();
    let is_space = |index: Option<usize>| index.and_then(|index| lines.get(index)).is_some_and(|line| line.is_empty());
    for (index, line) in lines.iter().copied().enumerate() {
        // A new line beside an empty one is one too many.
        if line == ".br" && (is_space(index.checked_sub(1)) || is_space(Some(index + 1))) {
            continue;
        }
        is_kept = if line == ".nf" { true } else { is_kept && line != ".fi" };
        // A request is one line, and so is the tag after .TP.
        if is_kept || is_tag || line.starts_with('.') || line.len() <= LINE_OCTETS {
            text.push_str(line);
            text.push('\n');
        } else {
            filled(line, LINE_OCTETS).iter().for_each(|part| {
                let guard = if part.starts_with(['.', '\'']) { "\\&" } else { "" };
                text.push_str(&format!("{guard}{part}\n"));
            });
        }
        is_tag = line == ".TP";
    }
    text
}
