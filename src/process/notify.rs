//! Tells systemd how the server is: ready, stopping, a line of status, alive.
//!
//! Without a service manager (no NOTIFY_SOCKET) nothing happens, and a manager that does not listen changes nothing.

use sd_notify::NotifyState;
use std::time::Duration;

/// The server answers.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The server drains and will end.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    send(&[NotifyState::Status(&one_line(status))]);
}

/// The server is alive; due once in each [`watchdog_interval`].
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// How often [`watchdog`] is to be called; none where no one waits for it. Half the limit, as sd_watchdog_enabled(3)
/// recommends.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|interval| !interval.is_zero())
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {fault}");
    }
}

/// The protocol is one assignment a line, so a status must not bring lines of its own.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
