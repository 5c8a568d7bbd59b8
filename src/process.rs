//! What this process is to its machine: its user, its rights and its service manager, and what the machine tells it.
//!
//! It knows nothing of the DNS, and decides nothing about what is served.

pub mod address;
pub mod confine;
pub mod group;
pub mod machine;
pub mod notify;
pub mod peer;
pub mod system;
