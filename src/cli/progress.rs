//! A spinner on standard error while a command waits for the server.
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
