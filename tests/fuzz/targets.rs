//! What is tried with octets from strangers: one plain function a target, for the tests and for cargo-fuzz alike.
//!
//! Each takes any octets and panics only where a promise is broken.

mod files;
mod framing;
mod journal;
mod keys;
mod packet;
mod reply;
mod wire;
mod world;

/// A target's name, which is also its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const ALL: &[Target] = &[
    ("packet", packet::packet),
    ("master", files::master),
    ("tenant", files::tenant),
    ("bulk", files::bulk),
    ("pools", files::pools),
    ("config", files::config),
    ("certificate", files::certificate),
    ("names", wire::names),
    ("rdata", wire::rdata),
    ("journal", journal::journal),
    ("request", journal::request),
    ("framing", framing::framing),
    ("foreign", keys::foreign),
    ("reply", reply::reply),
];

/// Does what the target called `name` does; for cargo-fuzz, which has one program a target.
#[allow(dead_code, reason = "the tests go through all of them")]
pub fn run(name: &str, octets: &[u8]) {
    let (_, target) = ALL.iter().find(|(known, _)| *known == name).expect("a target of this name");
    target(octets);
}
