//! What people and programs are told: the view of a moment, why an answer is what it is, and the keys of zones and hosts.

pub mod certs;
pub mod explain;
pub mod keys;
pub mod life;
pub mod plain;
pub(crate) mod view;
