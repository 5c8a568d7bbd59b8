//! What people and programs are told: the view of a moment, why an answer is what it is, and the keys of a zone.

pub mod explain;
pub mod keys;
pub mod plain;
pub(crate) mod view;
