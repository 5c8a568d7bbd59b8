//! The DNS protocol as bytes: names, types, record data, questions and replies.
//!
//! Pure: no clock, no I/O, no logging. Nothing here knows what zones, tenants or keys hold.

pub mod name;
pub mod query;
pub mod rdata;
pub mod reply;
pub mod rrset;
pub mod rtype;
pub mod zone_name;
