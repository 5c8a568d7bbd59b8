//! What files become: tenants, pools, zones and their conflicts, in process, without sockets, disk or clock.

#[path = "reconcile/homes.rs"]
mod homes;
#[path = "reconcile/lab.rs"]
mod lab;
#[path = "reconcile/limits.rs"]
mod limits;
#[path = "reconcile/many.rs"]
mod many;
#[path = "reconcile/names.rs"]
mod names;
#[path = "reconcile/order.rs"]
mod order;
#[path = "reconcile/pools.rs"]
mod pools;
#[path = "reconcile/room.rs"]
mod room;
#[path = "reconcile/shrink.rs"]
mod shrink;
#[path = "reconcile/sources.rs"]
mod sources;
#[path = "reconcile/tenants.rs"]
mod tenants;
#[path = "reconcile/words.rs"]
mod words;
#[path = "reconcile/zones.rs"]
mod zones;
