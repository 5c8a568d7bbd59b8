//! What moves on standard error while a command waits: a spinner, or a bar where the end is known.
//!
//! Silent when standard error is no terminal, and for waits that nobody notices.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Shorter waits show nothing: a spinner that flashes up is noise.
const QUIET: Duration = Duration::from_millis(500);
/// Time between two frames; ten a second look smooth and cost nothing.
const FRAME: Duration = Duration::from_millis(100);

/// Steps of a bar: finer than a terminal can draw.
const BAR_STEPS: u64 = 1000;

/// A bar that fills up as work goes on.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar; nothing where standard error is no terminal.
    pub fn new(what: &str) -> Bar {
        if !std::io::stderr().is_terminal() {
            return Bar(None);
        }
        let bar = ProgressBar::new(BAR_STEPS).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {elapsed}") {
            bar.set_style(style);
        }
        Bar(Some(bar))
    }

    /// Shows the part that is done, from 0 to 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a thousand")]
    pub fn show(&self, part: f64) {
        if let Some(bar) = &self.0 {
            bar.set_position((part.clamp(0.0, 1.0) * BAR_STEPS as f64) as u64);
        }
    }

    /// Takes it away.
    pub fn end(&self) {
        self.0.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// Does `work`, and says `waiting for what` while it takes long.
pub fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(FRAME);
            // It ends when the sender is dropped; nothing is ever sent.
            let _ = waiting.recv();
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}
