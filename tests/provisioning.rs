//! Provisioning, judged at a running server: files change, and its answers, commands and metrics say what became of them.
#![allow(clippy::print_stdout, clippy::panic, reason = "a test tells what it measured, and ends at the first surprise")]

#[path = "provisioning/certificates.rs"]
mod certificates;
#[path = "provisioning/commands.rs"]
mod commands;
#[path = "provisioning/files.rs"]
mod files;
#[path = "provisioning/folders.rs"]
mod folders;
#[path = "provisioning/full.rs"]
mod full;
#[path = "provisioning/keys.rs"]
mod keys;
#[path = "provisioning/mail_host.rs"]
mod mail_host;
#[path = "provisioning/mounts.rs"]
mod mounts;
#[path = "provisioning/moves.rs"]
mod moves;
#[path = "provisioning/networks.rs"]
mod networks;
#[path = "provisioning/passing.rs"]
mod passing;
#[path = "provisioning/past.rs"]
mod past;
#[path = "provisioning/pasts.rs"]
mod pasts;
#[path = "provisioning/server.rs"]
mod server;
#[path = "provisioning/strangers.rs"]
mod strangers;
#[path = "reconcile/words.rs"]
mod words;
