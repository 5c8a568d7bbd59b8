//! Reads ahead what the answers to a batch will need, side by side, so that memory is waited for once, not each time.
//!
//! With a million tenants hardly anything lies in a cache: an answer follows half a dozen pointers, each of which waits
//! for memory. Here all queries of a batch follow one pointer, then all of them the next. Nothing is decided here and
//! nothing changes; a wrong guess costs time.

use super::Snapshot;
use crate::dns::query;
use crate::zone::endpoint::{self, Tenant};
use crate::zone::kind::RecordKind;
use crate::zone::table::Bucket;
use arrayvec::ArrayVec;
use std::hint::black_box;

/// Tenants of a zone below which reading ahead gains nothing: at some 600 octets each they lie in a second-level cache even
/// after the kernel has carried a batch.
pub const TENANTS_MIN: usize = 200;
/// Packets at once, at most: a batch.
const PACKETS_MAX: usize = 64;
/// Packets that are worth it.
const PACKETS_MIN: usize = 4;

/// Touches what [`super::respond`] will read for these packets.
pub fn touch<'p>(snapshot: &Snapshot, packets: impl ExactSizeIterator<Item = &'p [u8]>) {
    if !snapshot.is_large || packets.len() < PACKETS_MIN {
        return;
    }
    let places: ArrayVec<_, PACKETS_MAX> =
        packets.take(PACKETS_MAX).filter_map(|packet| place(snapshot, packet)).collect();
    black_box(places.iter().fold(0, |sum, (place, _)| sum ^ place.touch()));
    let tenants: ArrayVec<(&Tenant, RecordKind), PACKETS_MAX> =
        places.into_iter().filter_map(|(place, kind)| Some((place.guess()?, kind))).collect();
    black_box(tenants.iter().fold(0, |sum, (tenant, kind)| sum ^ tenant.touch(*kind)));
    black_box(tenants.iter().fold(0, |sum, (tenant, kind)| sum ^ tenant.touch_data(*kind)));
}

/// Where the tenant of a query would be, and which of its RRsets is asked for.
fn place<'s>(snapshot: &'s Snapshot, packet: &[u8]) -> Option<(Bucket<'s, Tenant>, RecordKind)> {
    let (name, qtype) = query::question(packet)?;
    let zone = snapshot.zone_of(&name, qtype)?;
    let (_, label) = endpoint::split_endpoint(&name, zone.apex.len())?;
    Some((zone.tenants.place(label), RecordKind::guess(qtype)))
}
