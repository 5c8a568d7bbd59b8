//! What was proved on the way down from the root: the keys of a zone, and what its parent says of its DS.

use crate::dns::name::Name;
use crate::time::UnixTime;

/// What a parent says about a child, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsSeen {
    /// DS data, sorted; none where the parent proves that the delegation has none.
    pub ds: Vec<Vec<u8>>,
    /// As it came; for a denial the longest that a cache may keep it.
    pub ttl: u32,
    /// The TTL that was signed, which is what bounds caches.
    pub original_ttl: u32,
    /// When the last signature over it ends.
    pub expires: UnixTime,
    /// When the last signature over it began: the parent's clock was not before it.
    pub inception: UnixTime,
}

/// The keys of a zone that its DS or an anchor vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedKeys {
    /// The zone.
    pub zone: Name,
    /// Its DNSKEY data.
    pub keys: Vec<Vec<u8>>,
}
