//! The answer to a source that is limited: TC=1, or BADCOOKIE with the cookie that frees it.
//!
//! It must never be longer than the query but for a cookie, so that nobody is hit by more than what was sent.

use super::{Asked, Outcome, Reply, Snapshot, judge_cookie, limit};
use crate::dns::query::{self, Parsed, rcode};
use crate::dns::reply::{self, Answer, OptData};

/// Answers without an answer. A real source comes back over TCP, or with the cookie that it gets here: without TC, as a
/// client that cannot do cookies after all comes over TCP by itself (RFC 7873 §§ 5.2.3, 5.2.4, 5.3).
pub fn limited(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let (header, question, edns, answer, qtype) = match query::parse(asked.packet) {
        Parsed::Silence => return Reply::Silence,
        // What could not be read keeps its code, and TC stays clear: it is no longer than the query, and over TCP it would
        // be no better (RFC 8906 § 3.1.4).
        Parsed::Fault(fault) => {
            let answer = Answer { rcode: fault.rcode, ..Answer::default() };
            (fault.header, fault.question, fault.edns, answer, 0)
        }
        Parsed::Query(query) => {
            let has_cookie = query.edns.is_some_and(|edns| edns.client_cookie.is_some());
            let has_secret = !snapshot.identity.cookie_secrets.is_empty();
            let answer = match has_cookie && has_secret {
                true => Answer { rcode: rcode::BADCOOKIE, ..Answer::default() },
                false => Answer { truncated: true, ..Answer::default() },
            };
            (query.header, query.question, query.edns, answer, query.qtype)
        }
    };
    let cookie = judge_cookie(snapshot, asked, edns);
    // NSID and the like would only make it longer.
    let opt = OptData { cookie: cookie.reply, ..OptData::default() };
    let (length, truncated) = reply::write(header, question, edns, opt, &answer, limit(snapshot, asked, edns), out);
    Reply::Send(Outcome { length, rcode: answer.rcode, qtype, truncated, ..Outcome::default() })
}
