//! What an operator relies on beside the answers: metrics, health, DoT and DoQ, confinement, systemd.

#[path = "ops/alone.rs"]
mod alone;
#[path = "ops/confinement.rs"]
mod confinement;
#[path = "ops/encrypted.rs"]
mod encrypted;
#[path = "ops/monitoring.rs"]
mod monitoring;
