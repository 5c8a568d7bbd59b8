//! The fields of one record as written, taken one by one.

use super::text::shown;
use super::{RdataFault, Token};

/// The tokens of one record, taken one by one.
pub(super) struct Words<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    /// Where the field that is being read began.
    start: usize,
    origin: &'t [u8],
}

impl<'t, 'a> Words<'t, 'a> {
    pub(super) fn new(tokens: &'t [Token<'a>], origin: &'t [u8]) -> Words<'t, 'a> {
        Words { tokens, at: 0, start: 0, origin }
    }

    /// Begins the next field, and says whether a token is left for it.
    pub(super) fn begin_field(&mut self) -> bool {
        self.start = self.at;
        self.at < self.tokens.len()
    }

    /// The next token, where there is one.
    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(*token)
    }

    /// The next token, which must be there.
    pub(super) fn need(&mut self, what: &str) -> Result<Token<'a>, RdataFault> {
        self.next().ok_or_else(|| RdataFault::new(format!("{what} is missing"), ""))
    }

    /// Number of tokens taken so far.
    pub(super) fn index(&self) -> usize {
        self.at
    }

    /// Index of the first token of the field.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn origin(&self) -> &'t [u8] {
        self.origin
    }

    /// Refuses what is left over.
    pub(super) fn end(&self) -> Result<(), RdataFault> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some(token) => {
                let message = format!("`{}` is more than the data hold", shown(token.text));
                Err(RdataFault::new(message, "").at(self.at))
            }
        }
    }
}
