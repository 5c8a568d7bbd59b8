//! The DNS protocol as bytes: names, types, record data, questions and replies.
//!
//! Pure: no clock, no I/O, no logging. Nothing here knows zones, tenants or keys.

pub mod name;
pub mod query;
pub mod rdata;
pub mod reply;
pub mod rrset;
pub mod rtype;
