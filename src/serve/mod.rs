//! Sockets, workers and what confines them.

pub mod confine;
pub mod encrypted;
pub mod health;
pub mod notify;
pub mod system;
