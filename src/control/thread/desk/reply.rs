//! How commands are answered: items, then an end.

use crate::protocol::Line;
use serde::Serialize;
use std::sync::mpsc::Sender;

/// Why a command ends without what it asked for: exit code, and what to say.
pub(super) type Ended = (u8, String);

/// Sends one item; whoever asked may be gone.
pub(super) fn send(reply: &Sender<Line>, item: &impl Serialize) {
    let _ = serde_json::to_value(item).map(|value| reply.send(Line::Item(value)));
}

/// Ends a command.
pub(super) fn end(done: Result<(), Ended>, reply: &Sender<Line>) {
    let (exit, message) = done.map_or_else(|ended| ended, |()| (0, String::new()));
    let _ = reply.send(Line::End { exit, message });
}
