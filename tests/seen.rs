//! What is broken is seen everywhere: commands, /readyz, metrics and alerts agree about worlds that are really broken.
#![allow(clippy::panic, reason = "a test ends at the first surprise")]
#![allow(dead_code, reason = "the server of the tests of provisioning can do more than is needed here")]

#[path = "seen/agree.rs"]
mod agree;
#[path = "seen/alerts.rs"]
mod alerts;
#[path = "seen/configuration.rs"]
mod configuration;
#[path = "seen/lives.rs"]
mod lives;
#[path = "provisioning/server.rs"]
mod server;
#[path = "reconcile/words.rs"]
mod words;
#[path = "seen/worlds.rs"]
mod worlds;
