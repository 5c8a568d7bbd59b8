//! Lines that begin with `$`: $ORIGIN, $TTL, $INCLUDE, and the way to $GENERATE.

use super::fault::{Fault, code, span};
use super::lexer::LogicalLine;
use super::reader::{Owner, Reader, Source, read_ttl};
use crate::dns::name::Name;
use crate::dns::rdata::{self, Token};

/// Files that include one another, at most: deeper is a mistake in practice, and the stack has an end.
pub const INCLUDE_DEPTH_MAX: usize = 8;
/// Files that one master file includes in all, at most: a ring that changes its spelling ends here.
pub const INCLUDES_MAX: usize = 1000;

impl Reader<'_> {
    pub(super) fn directive(
        &mut self,
        source: &mut Source<'_>,
        line: &LogicalLine,
        fields: &[Token<'_>],
    ) -> Result<(), Fault> {
        let Some((directive, arguments)) = fields.split_first() else { return Ok(()) };
        match directive.text.to_ascii_uppercase().as_str() {
            "$ORIGIN" => {
                let token = one(directive, arguments, "$ORIGIN <name>")?;
                source.origin = read_name(token, &source.origin)?;
                Ok(())
            }
            "$TTL" => {
                let token = one(directive, arguments, "$TTL <seconds or span>")?;
                self.ttl.default = Some(read_ttl(token)?);
                Ok(())
            }
            "$INCLUDE" => self.include(source, directive, arguments),
            "$GENERATE" => self.generate(source, line, fields),
            _ => Err(Fault::new(
                code::DIRECTIVE,
                span(directive),
                format!("`{}` is not a directive", directive.text.chars().take(80).collect::<String>()),
                "write $ORIGIN, $TTL, $INCLUDE or $GENERATE; an owner that begins with `$` is written `\\$`",
            )),
        }
    }

    fn include(&mut self, source: &Source<'_>, directive: &Token<'_>, arguments: &[Token<'_>]) -> Result<(), Fault> {
        let (path, origin) = match arguments {
            [path] => (path, source.origin.clone()),
            [path, origin] => (path, read_name(origin, &source.origin)?),
            _ => return Err(wrong_number(directive, arguments, "$INCLUDE <file> [<origin>]")),
        };
        let holder = self.open.last().map_or("", String::as_str);
        let joined = beside(holder, path.text);
        self.check_include(&joined, path)?;
        let text = (self.include)(&joined).map_err(|reason| {
            let message = format!("`{}` cannot be included: {reason}", path.text);
            Fault::new(code::INCLUDE, span(path), message, "name a file in the folder of this one or below it")
        })?;
        self.count_text(text.len(), span(path))?;
        let shown = beside(self.files.first().map_or("", String::as_str), &joined);
        let Ok(file) = u16::try_from(self.files.len()) else { return Err(too_many(path)) };
        self.files.push(shown);
        self.open.push(joined);
        // The included file's owner and origin end with it (RFC 1035 § 5.1); its $TTL goes on, as in BIND.
        self.source(Source { text: &text, file, origin, owner: Owner::None });
        self.open.pop();
        Ok(())
    }

    fn check_include(&self, joined: &str, path: &Token<'_>) -> Result<(), Fault> {
        if self.open.iter().any(|open| open == joined) {
            let message = format!("`{}` includes itself: {} > {joined}", path.text, self.open.join(" > "));
            return Err(Fault::new(code::INCLUDE_LIMIT, span(path), message, "remove one of these $INCLUDE"));
        }
        if self.open.len() > INCLUDE_DEPTH_MAX {
            let message = format!("more than {INCLUDE_DEPTH_MAX} files include one another");
            return Err(Fault::new(code::INCLUDE_LIMIT, span(path), message, "include from fewer levels"));
        }
        if self.files.len() > INCLUDES_MAX { Err(too_many(path)) } else { Ok(()) }
    }
}

fn too_many(path: &Token<'_>) -> Fault {
    let message = format!("more than {INCLUDES_MAX} files are included");
    Fault::new(code::INCLUDE_LIMIT, span(path), message, "put their records into fewer files")
}

/// A path as written in `holder`, relative to what `holder` is relative to.
fn beside(holder: &str, path: &str) -> String {
    match holder.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

fn one<'t, 'a>(directive: &Token<'_>, arguments: &'t [Token<'a>], form: &str) -> Result<&'t Token<'a>, Fault> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(wrong_number(directive, arguments, form)),
    }
}

pub(super) fn wrong_number(directive: &Token<'_>, arguments: &[Token<'_>], form: &str) -> Fault {
    let message = format!("{} has {} fields behind it", directive.text, arguments.len());
    Fault::new(code::ARGUMENT, span(directive), message, format!("write `{form}`"))
}

fn read_name(token: &Token<'_>, origin: &[u8]) -> Result<Name, Fault> {
    let mut wire = Vec::new();
    rdata::push_name(&mut wire, token, origin, true)
        .map_err(|fault| Fault::new(code::ARGUMENT, span(token), fault.message, fault.help))?;
    Name::from_wire(&wire)
        .map_err(|fault| Fault::new(code::ARGUMENT, span(token), fault.to_string(), "correct the name"))
}
