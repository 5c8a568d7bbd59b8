//! mxseal: an authoritative DNS server that signs mail-flow zones online.
pub mod answer;
pub mod control;
pub mod diagnostic;
pub mod dns;
pub mod metrics;
pub mod serve;
pub mod time;
pub mod zone;
