//! What a zone holds and what it says about a name: records of its master file, tenants, delegations.
//!
//! Pure: content comes in as values, answers go out as views. A zone never changes after it is built; a change builds
//! the next one, and shares with it everything that stayed.

pub mod content;
pub mod master;
pub mod table;
pub mod tenant;

/// One zone, ready to answer.
pub struct Zone {
    /// Its apex.
    pub apex: crate::dns::name::Name,
}
