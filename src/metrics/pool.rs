//! The numbers of one pool of mail hosts.
//!
//! They hold no address and no tenant.

use crate::time::UnixTime;

/// One pool.
#[derive(Clone, Debug, Default)]
pub struct PoolGauges {
    /// When the first of its certificates ends; none: it names none.
    pub not_after: Option<UnixTime>,
    /// Whether each host that senders may meet shows only published keys; none: not looked at.
    pub probe_ok: Option<bool>,
    /// Hosts that show only published keys.
    pub hosts_ok: u64,
    /// Hosts that show others.
    pub hosts_mismatching: u64,
    /// Hosts whose last look failed.
    pub hosts_failing: u64,
    /// TLSA that are served.
    pub keys: u64,
    /// Next keys whose TLSA are among them.
    pub next_keys: u64,
    /// When its next step may be taken; none: no moment is known.
    pub next_event: Option<UnixTime>,
    /// Whether something freezes it, so that nothing is taken away.
    pub blocked: bool,
}
