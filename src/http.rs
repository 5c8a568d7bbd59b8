//! What the server shows over HTTP, beside the DNS.
//!
//! It only reads what it is handed; nobody changes anything over it.

pub mod health;
