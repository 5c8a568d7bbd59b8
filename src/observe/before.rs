//! Whether a parent has a DS of a zone that has no keys yet: asked once, in seconds, before its first keys are made.
//!
//! Nothing is validated here: a DS that anybody shows is reason enough to make no keys, and it only ever stops.

use crate::dns::name::Name;
use crate::dns::rtype::number;
use crate::resolve::client::Transport;
use crate::resolve::message::Message;
use crate::resolve::walk::{Walk, Ways};
use std::net::SocketAddr;
use std::time::Duration;

/// How long one question may take: a parent that answers does so in tenths of a second.
const ASK_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long all questions about one zone may take. A first start waits no longer.
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);
/// Configured addresses that are asked, at most: any one of them tells.
const ADDRESSES_MAX: usize = 4;

/// What a parent shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DsBefore {
    /// It has a DS: key tags, and who said so.
    There(Vec<u16>, SocketAddr),
    /// It has none.
    None,
    /// It could not be asked; why.
    Unknown(String),
}

/// The limits of time of such a look, from where all searches begin.
pub fn ways() -> Ways {
    Ways { ask_timeout: ASK_TIMEOUT, round_timeout: ROUND_TIMEOUT, ..Ways::default() }
}

/// Asks for the DS of a zone at these addresses, or at those that are found; the first that shows one ends it.
pub fn ds_before(child: &Name, parents: &[SocketAddr], ways: &Ways) -> DsBefore {
    let mut walk = Walk::new(ways);
    if parents.is_empty() {
        return match walk.locate(child, number::DS) {
            Ok(located) => judge(child, &located.reply, located.by),
            Err(why) => DsBefore::Unknown(why),
        };
    }
    let mut found = DsBefore::Unknown("no address was asked".to_owned());
    for server in parents.iter().take(ADDRESSES_MAX) {
        let said = match walk.ask(*server, child, number::DS, Transport::Tcp) {
            Ok(reply) => judge(child, &reply, *server),
            Err(fault) => DsBefore::Unknown(fault.to_string()),
        };
        match said {
            DsBefore::There(..) => return said,
            DsBefore::None => found = DsBefore::None,
            DsBefore::Unknown(_) if found == DsBefore::None => {}
            DsBefore::Unknown(_) => found = said,
        }
    }
    found
}

fn judge(child: &Name, reply: &Message, by: SocketAddr) -> DsBefore {
    let ds = reply.answer.iter().filter(|record| record.rtype == number::DS && *record.owner == **child);
    let tags: Vec<u16> =
        ds.filter_map(|record| Some(u16::from_be_bytes([*record.data.first()?, *record.data.get(1)?]))).collect();
    match tags.is_empty() {
        false => DsBefore::There(tags, by),
        true if reply.authoritative => DsBefore::None,
        true => DsBefore::Unknown(format!("{by}: it is no authority for the parent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::resolve::message::Record;

    #[test]
    fn a_ds_counts_whoever_shows_it_and_its_absence_only_from_an_authority() {
        let wire = |text: &str| Name::parse(text, ROOT).expect("a name");
        let (child, by) = (wire("mx.example."), SocketAddr::from(([192, 0, 2, 1], 53)));
        let with = |owner: &str, authoritative| {
            let record = Record { owner: wire(owner), rtype: number::DS, ttl: 60, data: vec![1, 2, 13, 2, 7] };
            Message { authoritative, answer: vec![record], ..Message::default() }
        };
        assert_eq!(judge(&child, &with("mx.example.", false), by), DsBefore::There(vec![258], by));
        assert_eq!(judge(&child, &with("other.example.", true), by), DsBefore::None);
        assert!(matches!(judge(&child, &Message::default(), by), DsBefore::Unknown(_)));
    }

    #[test]
    fn a_parent_that_nobody_answers_for_is_named_at_once() {
        let child = Name::parse("mx.example.", ROOT).expect("a name");
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let said = ds_before(&child, &[nobody], &ways());
        assert!(matches!(&said, DsBefore::Unknown(why) if why.contains(&nobody.to_string())), "{said:?}");
    }
}
