//! The control plane: it watches files, decides, persists and publishes snapshots.

pub mod protocol;
