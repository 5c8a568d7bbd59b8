//! What people and programs get to see: text, tables and pictures on standard output, progress on standard error.
//!
//! It asks no server and decides nothing.

pub mod file;
pub mod findings;
pub mod output;
pub mod progress;
pub mod story;
pub mod svg;
pub mod table;
pub mod tone;
pub mod words;
