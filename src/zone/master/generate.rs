//! $GENERATE: many records from one line, as BIND writes it.

use super::directive::wrong_number;
use super::fault::{Fault, code, span};
use super::lexer::{Lexer, LogicalLine};
use super::reader::{Owner, Reader, Source, read_head};
use crate::dns::rdata::{self, Token};

/// Records of one directive, at most: a reverse zone of a /16.
pub const GENERATED_MAX: u32 = 65_536;
/// Records of all directives of one master file, at most: four such zones; memory has an end.
pub const GENERATED_TOTAL_MAX: u32 = 262_144;
/// Octets of one directive's owner and data as written, at most: far more than a name and its data need, little
/// enough to be written 65,536 times.
const TEMPLATE_OCTETS_MAX: usize = 1024;
/// Width of one number, at most: no name holds more.
const WIDTH_MAX: usize = 255;
/// Start, stop and step, at most, as in BIND.
const VALUE_MAX: i64 = 0x7fff_ffff;
const FORM: &str = "$GENERATE <start>-<stop>[/<step>] <owner> [<TTL>] [<class>] <type> <data>";

/// The values that `$` takes.
struct Range {
    start: i64,
    stop: i64,
    step: i64,
}

impl Range {
    /// How many values there are.
    fn count(&self) -> usize {
        usize::try_from((self.stop - self.start) / self.step + 1).unwrap_or(usize::MAX)
    }
}

impl Reader<'_> {
    pub(super) fn generate(
        &mut self,
        source: &Source<'_>,
        line: &LogicalLine,
        fields: &[Token<'_>],
    ) -> Result<(), Fault> {
        let [directive, range_token, owner, ..] = fields else {
            let (directive, arguments) = fields.split_first().map_or((Token::default(), fields), |(d, a)| (*d, a));
            return Err(wrong_number(&directive, arguments, FORM));
        };
        let range = read_range(range_token)?;
        let template = template(owner, fields)?;
        if template.len() > TEMPLATE_OCTETS_MAX {
            let message = format!("owner and data are longer than {TEMPLATE_OCTETS_MAX} octets");
            return Err(Fault::new(code::GENERATE, span(directive), message, "write the records one by one"));
        }
        let count = self.records.len().saturating_add(range.count());
        if count > self.room.records {
            return Err(self.room.records_fault(span(range_token), count));
        }
        let mut text = String::new();
        let mut value = range.start;
        while value <= range.stop {
            self.generated += 1;
            if self.generated > GENERATED_TOTAL_MAX {
                let message = format!("more than {GENERATED_TOTAL_MAX} records are generated in all");
                return Err(Fault::new(code::GENERATE, span(range_token), message, "use fewer or smaller ranges"));
            }
            text.clear();
            expand(&template, value, &mut text)
                .map_err(|(message, help)| Fault::new(code::GENERATE, whole(fields), message, help))?;
            self.generated_line(source, line, &text).map_err(|fault| Fault {
                start: whole(fields).0,
                end: whole(fields).1,
                message: format!("generated record `{}`: {}", text.chars().take(80).collect::<String>(), fault.message),
                ..fault
            })?;
            value += range.step;
        }
        Ok(())
    }

    /// One record from its generated text, under the number of the directive's line.
    fn generated_line(&mut self, source: &Source<'_>, line: &LogicalLine, text: &str) -> Result<(), Fault> {
        let mut one = Source { text, file: source.file, origin: source.origin.clone(), owner: Owner::None };
        let mut fields = Vec::new();
        let Some(generated) = Lexer::new(text).next_line(&mut fields) else {
            return Err(Fault::new(code::GENERATE, (0, 0), "the record is empty", format!("write `{FORM}`")));
        };
        if let Some((fault, start, end)) = generated.fault {
            return Err(Fault::form(fault, start, end));
        }
        self.record_line(&mut one, &LogicalLine { number: line.number, ..generated }, &fields)
    }
}

/// From the owner to the end: what is underlined when a generated record is wrong.
fn whole(fields: &[Token<'_>]) -> (usize, usize) {
    let start = fields.get(2).map_or(0, |owner| owner.at);
    (start, fields.last().map_or(start, |last| span(last).1))
}

/// The line to expand. Data that are one quoted string stand without their quotes, so that they can hold blanks
/// (`MX "0 mail$"`), but a type that consists of strings keeps them.
fn template(owner: &Token<'_>, fields: &[Token<'_>]) -> Result<String, Fault> {
    let head = read_head(fields, 3)?;
    let data = fields.get(head.at + 1..).unwrap_or_default();
    let mut template = owner.text.to_owned();
    for token in fields.get(3..=head.at).unwrap_or_default() {
        template.push(' ');
        template.push_str(token.text);
    }
    let opened = matches!(data, [only] if only.quoted && !rdata::is_strings(head.rtype));
    for token in data {
        let quote = if token.quoted && !opened { "\"" } else { "" };
        template.extend([" ", quote, token.text, quote]);
    }
    Ok(if opened { template.replace("\\\"", "\"") } else { template })
}

fn read_range(token: &Token<'_>) -> Result<Range, Fault> {
    let fault = |message: String, help: &str| Fault::new(code::GENERATE, span(token), message, help);
    let range = parse_range(token.text).ok_or_else(|| {
        let shown: String = token.text.chars().take(80).collect();
        fault(format!("`{shown}` is not a range"), "write `<start>-<stop>` or `<start>-<stop>/<step>`, step above 0")
    })?;
    if range.start > range.stop {
        return Err(fault(format!("the range `{}` ends before it starts", token.text), "exchange start and stop"));
    }
    let count = range.count();
    if count > GENERATED_MAX as usize {
        let message = format!("the range makes {count} records, more than {GENERATED_MAX}");
        return Err(fault(message, "split it into several directives"));
    }
    Ok(range)
}

fn parse_range(text: &str) -> Option<Range> {
    let (range, step) = text.split_once('/').map_or((text, "1"), |(range, step)| (range, step));
    let (start, stop) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| digits && *n <= VALUE_MAX)
    };
    let step = number(step).filter(|step| *step > 0)?;
    Some(Range { start: number(start)?, stop: number(stop)?, step })
}

/// Writes the template with each `$` as `value`: `$`, `${offset,width,radix}`; `\$` and `$$` are a dollar sign.
fn expand(template: &str, value: i64, text: &mut String) -> Result<(), (String, &'static str)> {
    let mut rest = template;
    while let Some(at) = rest.find(['$', '\\']) {
        let (before, tail) = rest.split_at(at);
        text.push_str(before);
        if tail.starts_with('\\') {
            // An escape passes through whole; `\$` is read as `$` when the record is.
            let end = tail.char_indices().nth(2).map_or(tail.len(), |(at, _)| at);
            let (escape, tail) = tail.split_at(end);
            text.push_str(escape);
            rest = tail;
            continue;
        }
        let tail = tail.strip_prefix('$').unwrap_or(tail);
        if let Some(tail) = tail.strip_prefix('$') {
            text.push_str("\\$");
            rest = tail;
        } else if let Some(tail) = tail.strip_prefix('{') {
            let help = "write `${<offset>,<width>,<radix>}`, radix d, o, x, X, n or N";
            let (modifier, tail) = tail.split_once('}').ok_or_else(|| ("`${` is not closed".to_owned(), help))?;
            push_modified(modifier, value, text)
                .ok_or_else(|| (format!("`${{{modifier}}}` cannot be applied to {value}"), help))?;
            rest = tail;
        } else {
            text.push_str(&format!("{value}"));
            rest = tail;
        }
    }
    text.push_str(rest);
    Ok(())
}

/// `offset,width,radix`, the last two optional.
fn push_modified(modifier: &str, value: i64, text: &mut String) -> Option<()> {
    let mut parts = modifier.split(',');
    let offset: i64 = parts.next()?.parse().ok().filter(|offset: &i64| offset.abs() <= VALUE_MAX)?;
    let width: usize = parts.next().unwrap_or("0").parse().ok().filter(|width| *width <= WIDTH_MAX)?;
    let radix = parts.next().unwrap_or("d");
    let number = u64::try_from(value + offset).ok().filter(|_| parts.next().is_none())?;
    text.push_str(&match radix {
        "d" => format!("{number:0width$}"),
        "o" => format!("{number:0width$o}"),
        "x" => format!("{number:0width$x}"),
        "X" => format!("{number:0width$X}"),
        "n" => nibbles(number, width),
        "N" => nibbles(number, width).to_ascii_uppercase(),
        _ => return None,
    });
    Some(())
}

/// Hex digits with dots, the lowest first, as ip6.arpa has them. Dots count for the width, so that an even width ends
/// with one, as in BIND.
fn nibbles(number: u64, width: usize) -> String {
    let (mut left, mut text) = (number, String::new());
    loop {
        text.push_str(&format!("{:x}", left & 15));
        left >>= 4;
        if left > 0 || text.len() < width {
            text.push('.');
        }
        if left == 0 && text.len() >= width {
            return text;
        }
    }
}
