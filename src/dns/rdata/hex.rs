//! Hex from text to octets: in one token, or in several with blanks anywhere.

use super::text::{shown, unquoted};
use super::{RdataFault, Token};

/// Appends one token of hex, which holds whole octets.
pub(super) fn push(out: &mut Vec<u8>, token: &Token<'_>) -> Result<(), RdataFault> {
    let mut half = None;
    push_nibbles(out, token, &mut half)?;
    whole(half, token)
}

/// Appends one token of hex; `half` is the digit whose octet has not got its other one yet.
pub(super) fn push_nibbles(out: &mut Vec<u8>, token: &Token<'_>, half: &mut Option<u8>) -> Result<(), RdataFault> {
    unquoted(token, "hex")?;
    for b in token.text.bytes() {
        let nibble = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            b'A'..=b'F' => b - b'A' + 10,
            _ => {
                return Err(RdataFault::new(
                    format!("`{}` is not hex", shown(token.text)),
                    "write digits 0 to 9, a to f",
                ));
            }
        };
        match half.take() {
            Some(high) => out.push(high << 4 | nibble),
            None => *half = Some(nibble),
        }
    }
    Ok(())
}

/// Refuses a digit that is left over; `token` is the last one.
pub(super) fn whole(half: Option<u8>, token: &Token<'_>) -> Result<(), RdataFault> {
    match half {
        None => Ok(()),
        Some(_) => Err(RdataFault::new(
            format!("the hex has an odd number of digits at `{}`", shown(token.text)),
            "write two digits an octet",
        )),
    }
}
