//! Where what the configuration says stands in its file, for what only the host and the other files can tell about it.

use super::apex;
use crate::diagnostic::Place;
use crate::fields::{Reader, Table, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The places of keys and tables, by their dotted paths: `server.user`, `zone.mx.example`, `pool.eu-1`, `keys`.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file: String,
    text: Arc<str>,
    spans: BTreeMap<String, Range<usize>>,
}

/// Where something is said is no part of what is said: two files that mean the same are equal.
impl PartialEq for Places {
    fn eq(&self, _: &Places) -> bool {
        true
    }
}

impl Eq for Places {}

impl Places {
    /// Notes where each value of `table` stands, and each table in it. Zones are called as they are called elsewhere: in
    /// lower case, without final dot.
    pub(super) fn read(file: &str, text: &str, table: &Table) -> Places {
        let mut places = Places { file: file.to_owned(), text: text.into(), spans: BTreeMap::new() };
        places.note("", table);
        places
    }

    fn note(&mut self, above: &str, table: &Table) {
        for (key, at) in &table.0 {
            let name = if above == "zone" { apex(&key.value).unwrap_or_default() } else { key.value.clone() };
            let path = if above.is_empty() { name } else { format!("{above}.{name}") };
            // The span of a table may reach over the whole file; its name is what a reader looks for.
            let is_table = matches!(at.value, Value::Table(_));
            self.spans.insert(path.clone(), if is_table { key.span.clone() } else { at.span.clone() });
            if let Value::Table(inner) = &at.value {
                self.note(&path, inner);
            }
        }
    }

    /// The place of the value or table at `path`; the file as a whole where the file does not have it.
    pub fn of(&self, path: &str) -> Place {
        let Some(span) = self.spans.get(path) else { return Place::file(self.file.clone()) };
        Reader::new(&self.file, &self.text, 1, &super::CODES).place(span.clone())
    }

    /// Whether the file itself says something at `path`.
    pub fn is_written(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }
}
