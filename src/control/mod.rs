//! The control plane: it watches files, decides, persists and publishes snapshots.

pub mod files_link;
pub mod files_linked;
pub mod files_mount;
pub mod files_name;
pub mod files_read;
pub mod files_settle;
pub mod files_trouble;
pub mod files_wait;
pub mod files_walk;
pub mod protocol;
pub mod scan;
pub mod watch;
pub mod watch_thread;
