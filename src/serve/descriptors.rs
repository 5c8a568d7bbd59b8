//! Shares the descriptors that the process may open: connections get what sockets, files, metrics and commands leave.
//!
//! Pure. Without a share of their own, a crowd of connections would keep files from being read and commands from being heard.

/// For files, watches, looks at hosts and parents, up to 80 connections of metrics and 64 commands: what stays free below
/// the usual 1,024 with the usual 800 connections over TCP, and some sockets.
const RESERVED: usize = 200;
/// Connections over TCP that are had whatever the limit is: resolvers come back over TCP where an answer is cut.
const TCP_MIN: usize = 4;

/// What the limit must be enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Descriptors that are open already: sockets, above all.
    pub open: usize,
    /// Connections over TCP, as configured.
    pub tcp: usize,
    /// Connections over TLS; 0 where DoT is not offered.
    pub dot: usize,
}

/// Who gets how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The limit that is shared.
    pub limit: u64,
    /// The limit that would be enough for all that is wanted.
    pub enough: u64,
    /// What stays free of connections.
    pub reserved: usize,
    /// Connections over TCP that may be open.
    pub tcp: usize,
}

impl Share {
    /// Shares `limit` descriptors. Where they are few, three quarters of those that are left are for all but connections:
    /// runtimes, watches and journals alone take some thirty.
    pub fn of(limit: u64, wanted: Wanted) -> Share {
        let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(wanted.open);
        let reserved = RESERVED.min(left / 4 * 3);
        let tcp = wanted.tcp.min((left - reserved).max(TCP_MIN));
        let all = [wanted.open, wanted.tcp, wanted.dot, RESERVED].into_iter().fold(0usize, usize::saturating_add);
        Share { limit, enough: u64::try_from(all).unwrap_or(u64::MAX), reserved, tcp }
    }

    /// Whether all that is wanted can be had.
    pub fn is_enough(&self) -> bool {
        self.limit >= self.enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_get_what_the_rest_leaves_and_a_shortage_is_known() {
        let wanted = Wanted { open: 20, tcp: 800, dot: 0 };
        let share = |limit, wanted| {
            let share = Share::of(limit, wanted);
            (share.tcp, share.reserved, share.is_enough())
        };
        assert_eq!(share(65_536, wanted), (800, 200, true));
        assert_eq!(share(1024, wanted), (800, 200, true), "the usual limit is enough for the usual connections");
        assert_eq!(share(512, wanted), (292, 200, false));
        assert_eq!(share(48, wanted), (7, 21, false));
        assert_eq!(share(20, wanted), (TCP_MIN, 0, false));
        assert_eq!(share(1024, Wanted { dot: 2000, ..wanted }), (800, 200, false));
        assert_eq!(Share::of(0, Wanted { dot: 2000, ..wanted }).enough, 3020);
        assert!(share(u64::MAX, Wanted { open: 0, tcp: usize::MAX, dot: 0 }).2);
    }
}
