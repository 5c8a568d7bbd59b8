//! Cookies: the only sign that a source over UDP is real (RFC 7873, RFC 9018).
//!
//! It must never believe a cookie made for another address, with a secret that is not ours, or too long ago.

use crate::dns::query::Edns;
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use std::net::IpAddr;

/// Seconds that a server cookie is valid, and seconds that it may come from the future (RFC 9018 § 4.3).
const AGE_MAX: i32 = 3600;
const AHEAD_MAX: i32 = 300;
/// Seconds after which a valid server cookie is replaced by a new one (RFC 9018 § 4.3).
const FRESH: i32 = 1800;

/// What a reply says about cookies, and what the query's one proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cookie {
    /// Client and server cookie for the reply, where a client cookie came.
    pub reply: Option<[u8; 24]>,
    /// Whether the query's server cookie is valid.
    pub proven: bool,
}

/// Judges the cookie of a query; the first of `secrets` makes new ones, all of them are believed (RFC 9018 § 5).
pub fn judge(edns: Option<Edns>, now: u32, source: IpAddr, secrets: &[[u8; 16]]) -> Cookie {
    let client = edns.and_then(|edns| edns.client_cookie);
    let (Some(client), Some(secret)) = (client, secrets.first()) else { return Cookie::default() };
    let fresh = || make(client, now, source, secret);
    let Some(server) = edns.and_then(|edns| edns.server_cookie) else {
        return Cookie { reply: Some(fresh()), proven: false };
    };
    let mut cookie = [0; 24];
    cookie[..8].copy_from_slice(&client);
    cookie[8..].copy_from_slice(&server);
    let made = u32::from_be_bytes([server[4], server[5], server[6], server[7]]);
    // Serial arithmetic, which the wrap of 2106 does not touch (RFC 9018 § 4.3, RFC 1982).
    let age = now.wrapping_sub(made).cast_signed();
    let is_in_time = server[0] == 1 && (-AHEAD_MAX..=AGE_MAX).contains(&age);
    let maker = secrets.iter().filter(|_| is_in_time).position(|secret| cookie[16..] == hash(&cookie, source, secret));
    // The cookie that was sent does for the reply while it is young: then a proof costs no more than a new one.
    let stays = maker == Some(0) && (0..=FRESH).contains(&age) && server[1..4] == [0; 3];
    Cookie { reply: Some(if stays { cookie } else { fresh() }), proven: maker.is_some() }
}

/// Client cookie, then the server cookie of version 1 (RFC 9018 § 4): version, reserved, time, SipHash-2-4.
fn make(client: [u8; 8], time: u32, source: IpAddr, secret: &[u8; 16]) -> [u8; 24] {
    let mut cookie = [0u8; 24];
    cookie[..8].copy_from_slice(&client);
    cookie[8] = 1;
    cookie[12..16].copy_from_slice(&time.to_be_bytes());
    let hash = hash(&cookie, source, secret);
    cookie[16..].copy_from_slice(&hash);
    cookie
}

/// The last eight octets of `cookie`, from the others (RFC 9018 § 4.4: in the byte order of SipHash's reference code;
/// the reserved octets are hashed as they came, § 4.2).
fn hash(cookie: &[u8; 24], source: IpAddr, secret: &[u8; 16]) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&cookie[..16]);
    match source {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        let octets = data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex of the test");
        octets.try_into().expect("as many octets as the test says")
    }

    /// The query's cookie as in `text`, judged.
    fn judged(text: &str, now: u32, source: &str, secrets: &[&str]) -> Cookie {
        let (client, server) = text.split_at(16);
        let server_cookie = (!server.is_empty()).then(|| octets(server));
        let edns = Edns { client_cookie: Some(octets(client)), server_cookie, ..Edns::default() };
        let secrets: Vec<[u8; 16]> = secrets.iter().map(|secret| octets(secret)).collect();
        judge(Some(edns), now, source.parse().expect("an address"), &secrets)
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const CLIENT: &str = "2464c4abcf10c957";
    const SERVER: &str = "010000005cf79f111f8130c3eee29480";
    const SOURCE: &str = "198.51.100.100";
    /// When that server cookie was made.
    const MADE: u32 = 1_559_731_985;

    #[test]
    fn cookies_are_made_and_believed_as_in_appendix_a_of_rfc_9018() {
        let learned = judged(CLIENT, MADE, SOURCE, &[SECRET]);
        assert_eq!(learned, Cookie { reply: Some(octets(&format!("{CLIENT}{SERVER}"))), proven: false });
        let renewed = judged(&format!("{CLIENT}{SERVER}"), MADE + 2400, SOURCE, &[SECRET]);
        assert_eq!(renewed.reply, Some(octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77")));
        assert!(renewed.proven);
        // Reserved octets are hashed as they came.
        let odd = judged("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 0x5cf7_8f71, "203.0.113.203", &[SECRET]);
        assert!(odd.proven && odd.reply.is_some_and(|reply| reply[9..12] == [0; 3]));
        let (old, new) = ("dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962");
        let query = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
        let rolled = judged(query, 0x5cf7_c609, "2001:db8:220:1:59de:d0f4:8769:82b8", &[new, old]);
        assert_eq!(rolled.reply, Some(octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a")));
        assert!(rolled.proven);
    }

    #[test]
    fn a_cookie_is_valid_for_an_hour_and_from_five_minutes_before() {
        let query = format!("{CLIENT}{SERVER}");
        let proven = |now| judged(&query, now, SOURCE, &[SECRET]).proven;
        assert_eq!(
            [MADE - 301, MADE - 300, MADE, MADE + 3600, MADE + 3601].map(proven),
            [false, true, true, true, false]
        );
    }

    #[test]
    fn a_young_cookie_is_sent_back_as_it_came_and_an_older_one_is_renewed() {
        let query = format!("{CLIENT}{SERVER}");
        let same = |now| judged(&query, now, SOURCE, &[SECRET]).reply == Some(octets(&query));
        assert_eq!([MADE - 1, MADE, MADE + 1800, MADE + 1801].map(same), [false, true, true, false]);
    }

    #[test]
    fn a_cookie_of_another_address_secret_version_client_or_hash_proves_nothing() {
        let query = format!("{CLIENT}{SERVER}");
        assert!(!judged(&query, MADE, "198.51.100.101", &[SECRET]).proven);
        assert!(!judged(&query, MADE, SOURCE, &["00e973e5a6b2a43f48e7dc849e37bfcf"]).proven);
        assert!(!judged(&query, MADE, SOURCE, &[]).proven);
        for place in 0..24 {
            let mut octets: [u8; 24] = octets(&query);
            octets[place] ^= 1;
            let query = data_encoding::HEXLOWER.encode(&octets);
            assert!(!judged(&query, MADE, SOURCE, &[SECRET]).proven, "octet {place}");
        }
    }
}
