//! The control plane: it watches files, decides, persists and publishes snapshots.
//!
//! One thread owns all state. What must outlive a restart is durable before it is published, and nothing here ever
//! answers a query.

pub mod certs;
mod copies;
pub mod durable;
pub mod explain;
pub mod file_names;
pub mod files_link;
pub mod files_linked;
pub mod files_mount;
pub mod files_name;
mod files_notes;
pub mod files_read;
pub mod files_settle;
pub mod files_take;
pub mod files_trouble;
pub mod files_wait;
pub mod files_walk;
mod files_writer;
mod findings;
pub(crate) mod first_keys;
pub mod frozen;
mod instance;
pub mod journal;
pub mod journal_file;
mod keeper;
pub mod kept;
mod key_load;
pub mod keyfile;
mod keys_folder;
pub mod keys_offline;
pub mod keys_report;
mod machine;
pub mod observe;
mod outside;
pub mod past;
pub mod pools;
pub mod progress;
pub mod protocol;
pub mod protocol_certs;
pub mod protocol_keys;
mod reach;
pub mod rolls;
pub mod scan;
pub mod signing_clock;
mod socket;
pub mod store;
pub mod tenants;
mod tenants_bulk;
mod tenants_check;
mod tenants_claims;
mod tenants_guard;
mod tenants_limit;
mod tenants_read;
mod tenants_report;
mod thread;
mod view;
mod waits;
mod warm;
pub mod watch;
mod watch_thread;
pub mod world;
pub mod zones;

pub use outside::{certificate_folders, ds_from_keys, examine};
pub use thread::{Control, Options, ReadConfig, StartFault, start};
