//! mxseal: an authoritative DNS server that signs mail-flow zones online.
pub mod answer;
pub mod cli;
pub mod config;
pub mod control;
pub mod diagnostic;
pub mod dns;
pub mod fields;
pub mod metrics;
pub mod render;
pub mod time;
pub mod zone;
