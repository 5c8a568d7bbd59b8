//! The control plane: it watches files, decides, persists and publishes snapshots.

pub mod durable;
pub(crate) mod first_keys;
pub mod frozen;
pub mod journal;
pub mod journal_file;
pub mod keyfile;
pub mod pools;
pub mod protocol;
pub mod store;
pub mod tenants;
pub mod world;
pub mod zones;
