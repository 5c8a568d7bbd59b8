//! What wakes the loop: files, commands, signals, and what was seen outside.

use crate::control::door::DoorFault;
use crate::dns::name::Name;
use crate::observe::observer::Seen;
use crate::protocol::Line;
use crate::protocol::request::Command;
use std::sync::mpsc::Sender;

/// What wakes the control thread.
pub enum Event {
    /// Files may have changed.
    Files,
    /// A command.
    Command(Command, Sender<Line>),
    /// SIGHUP.
    Reload,
    /// A parent was asked, before first keys are made.
    Asked,
    /// A key of this zone failed, with the reason.
    KeyFailed(Box<Name>, String),
    /// This zone was looked at from outside.
    Seen(Box<Name>, Box<Seen>),
    /// What is wrong with the control socket; none: nothing any more.
    Socket(Option<DoorFault>),
    /// The hosts of a pool were looked at.
    Probed(Box<crate::probe::HostsSeen>),
    /// The process ends.
    Stop,
}
