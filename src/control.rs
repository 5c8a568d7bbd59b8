//! The control plane: it watches files, decides, persists and publishes snapshots.
//!
//! One thread owns all state. What must outlive a restart is durable before it is published, and nothing here ever
//! answers a query.

mod caller;
pub mod certs;
pub mod door;
mod event;
mod excerpts;
mod findings;
pub mod foresee;
mod keeper;
pub mod keys_offline;
pub mod life;
pub(crate) mod outside;
mod reach;
pub mod rolls;
mod socket;
mod thread;
mod waits;
mod warm;

pub use caller::Readers;
pub use keys_offline::ds_from_keys;
pub use outside::{Examined, certificate_folders, examine};
pub use thread::{Control, Options, ReadConfig, StartFault, start};
