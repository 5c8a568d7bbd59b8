//! The OPT record of a reply (RFC 6891 § 6.1): flags, NSID, cookie, keepalive, extended error.

use super::{Answer, UDP_SIZE_MAX};
use crate::dns::query::{Edns, option};
use arrayvec::ArrayVec;

/// What goes into OPT besides flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptData<'a> {
    /// NSID, where it was asked for.
    pub nsid: Option<&'a [u8]>,
    /// Client and server cookie, where a client cookie came.
    pub cookie: Option<[u8; 24]>,
    /// Idle limit for edns-tcp-keepalive, in 100 ms.
    pub keepalive: Option<u16>,
}

/// Room for OPT: its head, NSID of a host name, cookie, keepalive and EDE.
pub(super) const OPT_OCTETS_MAX: usize = 11 + 4 + NSID_OCTETS_MAX + 28 + 6 + 6;
/// Octets of NSID, at most: a host name.
pub const NSID_OCTETS_MAX: usize = 128;

/// Writes the OPT record of a reply.
pub(super) fn write_opt(edns: Edns, opt: OptData<'_>, answer: &Answer<'_>, out: &mut ArrayVec<u8, OPT_OCTETS_MAX>) {
    let extended = u8::try_from(answer.rcode >> 4).unwrap_or(0);
    let flags = u8::from(edns.dnssec_ok) << 7 | u8::from(answer.compact) << 6;
    let [size_high, size_low] = UDP_SIZE_MAX.to_be_bytes();
    let mut put = |octets: &[u8]| out.try_extend_from_slice(octets).is_ok();
    put(&[0, 0, 41, size_high, size_low, extended, 0, flags, 0, 0, 0]);
    if let Some(nsid) = opt.nsid {
        let nsid = nsid.get(..NSID_OCTETS_MAX).unwrap_or(nsid);
        put(&option_head(option::NSID, nsid.len()));
        put(nsid);
    }
    if let Some(cookie) = opt.cookie {
        put(&option_head(option::COOKIE, cookie.len()));
        put(&cookie);
    }
    if let Some(limit) = opt.keepalive {
        put(&option_head(option::KEEPALIVE, 2));
        put(&limit.to_be_bytes());
    }
    if let Some(code) = answer.ede {
        put(&option_head(option::EDE, 2));
        put(&code.to_be_bytes());
    }
    let length = u16::try_from(out.len() - 11).unwrap_or(0).to_be_bytes();
    if let Some(place) = out.get_mut(9..11) {
        place.copy_from_slice(&length);
    }
}

fn option_head(code: u16, length: usize) -> [u8; 4] {
    let (code, length) = (code.to_be_bytes(), u16::try_from(length).unwrap_or(0).to_be_bytes());
    [code[0], code[1], length[0], length[1]]
}
