//! What one signature costs: by algorithm, with the message that it covers, and verified.

#![allow(missing_docs, reason = "criterion's macros")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use mxseal::dns::rrset::Rrset;
use mxseal::dns::rtype::number as rt;
use mxseal::sign::key::{Key, generate_pkcs8, verify};
use mxseal::sign::memo::Slot;
use mxseal::sign::{KeptIn, Signing, Subject, SubjectData};
use mxseal::time::SignaturePolicy;
use std::hint::black_box;
use std::sync::Arc;
use support::{NOW, name};

const POLICY: SignaturePolicy = SignaturePolicy { life: 3 * 86_400, grid: 43_200, inception_before: 86_400 };

fn key(algorithm: u8) -> Key {
    Key::from_pkcs8(257, algorithm, &generate_pkcs8(algorithm).expect("a new key")).expect("a key just made")
}

/// The signature alone, over as many octets as a TLSA RRset with current and next has.
fn raw(c: &mut Criterion) {
    let message = [7u8; 220];
    for (algorithm, word) in [(13, "P-256"), (15, "Ed25519")] {
        let key = key(algorithm);
        c.bench_function(&format!("sign {word}"), |b| b.iter(|| key.signer.sign(black_box(&message))));
        let (data, signature) = (key.dnskey_data(), key.signer.sign(&message).expect("a good key"));
        c.bench_function(&format!("verify {word}"), |b| b.iter(|| verify(&data, black_box(&message), &signature)));
    }
}

/// The whole way from an RRset to its RRSIG: made, and found in its place.
fn rrset(c: &mut Criterion) {
    let apex = name("mx.example");
    let owner = name("_25._tcp.contoso-com.mx.example");
    let set = Rrset::new(rt::TLSA, 1800, vec![vec![3; 35], vec![4; 35]]).expect("a small set");
    let key = Arc::new(key(13));
    let signing = Signing::new(apex, vec![Arc::clone(&key)], vec![key], POLICY, POLICY).expect("a key");
    let subject = Subject { owner: &owner, rtype: rt::TLSA, ttl: 1800, data: SubjectData::Set(set.view()) };
    c.bench_function("RRSIG made", |b| {
        b.iter(|| signing.sign(black_box(&subject), KeptIn::Own(&Slot::default()), NOW, true).is_ok())
    });
    let slot = Slot::default();
    let keep = KeptIn::Own(&slot);
    assert!(signing.sign(&subject, keep, NOW, true).is_ok());
    c.bench_function("RRSIG kept", |b| b.iter(|| signing.sign(black_box(&subject), keep, NOW, false).is_ok()));
}

criterion_group!(benches, raw, rrset);
criterion_main!(benches);
