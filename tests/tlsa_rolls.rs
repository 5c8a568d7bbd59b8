//! Certificates, addresses and TLSA in virtual time: no sender may ever fail by what the engine does.
//!
//! The engine sees only its facts and its looks; the judge sees the truth: all that was served, and all that hosts showed.
//! It looks at every mixture that caches may hold, for honest caches and for those that keep records until their signatures
//! end (lifecycle of the design, § 5).
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod tlsa_rolls {
    mod chaos;
    mod clocks;
    mod condense;
    mod crashes;
    mod moves;
    mod scenarios;
    mod strangers;
    mod table;
    mod world;
}
