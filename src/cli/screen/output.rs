//! What a command prints: text for people or JSON for programs, on a standard output that is locked once.
//!
//! It never prints a control character that came from a file or from the server, and never draws or colours for a pipe.

use super::table::Table;
use super::tone::{Tone, clean, paint};
use crate::cli::failure::{Failure, Stop};
use crate::render::{self, escape};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Text for people.
    Table,
    /// One JSON object a line.
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where a command prints. Where whoever read it is gone, as after `| head -1`, the command goes on without printing, and
/// ends as it would have ended: a script that asks for its exit code must not get one that depends on timing.
pub struct Output {
    is_reader_gone: bool,
    form: Form,
    colour: bool,
    /// When to colour what goes to standard error.
    when: Colour,
    /// Columns of the terminal; `None` in a pipe, where nothing is cut or folded.
    width: Option<u16>,
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Output {
    /// Locks standard output.
    pub fn new(form: Form, colour: Colour) -> Output {
        let terminal = io::stdout().is_terminal();
        Output {
            is_reader_gone: false,
            form,
            colour: wanted(colour, terminal),
            when: colour,
            width: terminal.then(super::table::terminal_columns).flatten(),
            stdout: BufWriter::new(io::stdout().lock()),
        }
    }

    /// Whether programs read it.
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Whether text is coloured.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// One line of text.
    ///
    /// # Errors
    /// [`Stop`] where standard output takes no more.
    pub fn line(&mut self, text: &str) -> Result<(), Stop> {
        // Cells are clean already; where colour is on, only they can hold ESC, from whoever painted them.
        let text = if self.colour { Cow::Borrowed(text) } else { escape::lines(text) };
        let line = format!("{text}\n");
        self.raw(line.as_bytes())
    }

    /// Text that ends its own lines, as it is.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn raw(&mut self, text: &[u8]) -> Result<(), Stop> {
        if self.is_reader_gone {
            return Ok(());
        }
        let written = self.stdout.write_all(text);
        self.done(written)
    }

    /// One JSON object on a line of its own.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn object(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        let text = serde_json::to_string(value).map_err(|error| Stop::from_write(&error.into()))?;
        let line = format!("{}\n", escape::json(&text));
        self.raw(line.as_bytes())
    }

    /// Text that is moved in by two columns; on a terminal it goes on below itself, and what is too long for a line is
    /// divided, as keys and signatures are.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn folded(&mut self, text: &str) -> Result<(), Stop> {
        let text = clean(text);
        let Some(width) = self.width else { return self.line(&format!("  {text}")) };
        for (index, part) in divided(&text, usize::from(width).saturating_sub(4).max(1)).iter().enumerate() {
            self.line(&format!("{}{part}", if index == 0 { "  " } else { "    " }))?;
        }
        Ok(())
    }

    /// Columns of the terminal; none in a pipe.
    pub fn width(&self) -> Option<u16> {
        self.width
    }

    /// The lines of a table, fitted to the terminal.
    pub fn lines_of(&self, table: &Table) -> Vec<String> {
        table.lines(self.width, self.colour)
    }

    /// A table, fitted to the terminal.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn table(&mut self, table: &Table) -> Result<(), Stop> {
        for line in table.lines(self.width, self.colour) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// `text` in this tone, where colour is on.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        paint(self.colour, tone, &clean(text))
    }

    /// Hands everything on.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn flush(&mut self) -> Result<(), Stop> {
        if self.is_reader_gone {
            return Ok(());
        }
        let written = self.stdout.flush();
        self.done(written)
    }

    fn done(&mut self, written: io::Result<()>) -> Result<(), Stop> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_reader_gone = true;
                Ok(())
            }
            written => written.map_err(|error| Stop::from_write(&error)),
        }
    }

    /// Says on standard error why the command failed: `error: ...`, or one JSON object with `error` and `exit`.
    pub fn failure(&self, failure: &Failure) {
        self.complain(match self.form {
            Form::Json => failure_json(failure),
            Form::Table => failure_text(failure, "error", Tone::Bad, self.colours_errors()),
        });
    }

    /// The same for what does not end the command; `help` says what that means for it.
    pub fn warning(&self, failure: &Failure, help: &str) {
        let failure = Failure { help: help.to_owned(), ..failure.clone() };
        self.complain(match self.form {
            Form::Json => warning_json(&failure),
            Form::Table => failure_text(&failure, "warning", Tone::Caution, self.colours_errors()),
        });
    }

    fn colours_errors(&self) -> bool {
        wanted(self.when, io::stderr().is_terminal())
    }

    fn complain(&self, text: String) {
        // Nobody is left to be told when standard error is closed too.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

fn wanted(colour: Colour, terminal: bool) -> bool {
    // https://no-color.org: any value but the empty one.
    let refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && !refused() && !dumb(),
    }
}

fn failure_text(failure: &Failure, word: &str, tone: Tone, colour: bool) -> String {
    let mut text = render::text(&failure.findings, colour);
    text.push_str(&format!("{}: {}\n", paint(colour, tone, word), escape::lines(&failure.message)));
    if !failure.help.is_empty() {
        text.push_str(&format!("{}: {}\n", paint(colour, Tone::Good, "help"), escape::lines(&failure.help)));
    }
    text
}

fn failure_json(failure: &Failure) -> String {
    with_rest(serde_json::json!({ "error": failure.message, "exit": failure.exit as u8 }), failure)
}

fn warning_json(failure: &Failure) -> String {
    with_rest(serde_json::json!({ "warning": failure.message }), failure)
}

fn with_rest(mut object: serde_json::Value, failure: &Failure) -> String {
    if !failure.help.is_empty() {
        object["help"] = failure.help.as_str().into();
    }
    let findings: Vec<serde_json::Value> =
        failure.findings.iter().filter_map(|finding| serde_json::from_str(&render::json_line(finding)).ok()).collect();
    if !findings.is_empty() {
        object["findings"] = findings.into();
    }
    format!("{}\n", escape::json(&object.to_string()))
}

/// Words in lines of so many columns, at most; a longer word is divided.
fn divided(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for (index, part) in letters.chunks(columns).enumerate() {
            let part: String = part.iter().collect();
            let fits = |line: &&mut String| index == 0 && line.chars().count() + 1 + part.chars().count() <= columns;
            match lines.last_mut().filter(fits) {
                Some(line) => line.extend([" ", &part]),
                None => lines.push(part),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;

    #[test]
    fn a_long_record_is_divided_and_loses_nothing() {
        let record = format!("x.example. 300 IN RRSIG A 13 {}== end", "k".repeat(86));
        let lines = divided(&record, 40);
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), record.replace(' ', ""));
        assert_eq!(lines[0], "x.example. 300 IN RRSIG A 13");
    }

    #[test]
    fn a_failure_is_one_json_object_with_error_and_exit() {
        let text = failure_json(&Failure::new(Exit::Refused, "say \"no\"\nhere", "wait"));
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["error"], "say \"no\"\nhere");
        assert_eq!(value["exit"], 4);
        assert_eq!(value["help"], "wait");
    }

    #[test]
    fn colour_is_only_used_where_it_is_wanted() {
        assert!(wanted(Colour::Always, false));
        assert!(!wanted(Colour::Never, true));
        assert!(!wanted(Colour::Auto, false));
    }
}
