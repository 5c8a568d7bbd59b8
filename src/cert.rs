//! Public keys and certificates of mail hosts as DANE sees them: a kind, and the digest that TLSA `3 1 1` publishes.
//!
//! Pure: octets and moments come in. It never quotes content in an error, since a path may name a private key by mistake.

pub mod chain;
pub mod key;
pub mod leaf;
pub mod make;
pub mod pem;
pub mod roots;

pub use chain::Chain;
pub use key::{KeyClass, KeyKind, Spki};
pub use leaf::{Leaf, PublicKey};
pub use roots::Roots;
