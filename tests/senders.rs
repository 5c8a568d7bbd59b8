//! Certificates change on real Postfix hosts while a real DANE sender asks without pause: every verdict is Verified.
//!
//! The sender is `posttls-finger` at level dane behind a validating unbound, all of it in a network namespace of its own. A
//! program that is not installed fails its tests: `tests/run` installs them all. They need root for the namespace.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise and says how many verdicts there were"
)]

mod senders {
    mod acme;
    mod lab;
    mod looks;
    mod old_servers;
    mod rolls;
}
