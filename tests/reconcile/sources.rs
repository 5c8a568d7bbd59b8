//! What a source tells of its documents is taken in alike, be it a folder or another source.

use crate::lab::*;
use mxseal::world::changes::{Changes, Document, Hindrance, of_folder};
use mxseal::world::trouble::{Reason, Trouble};
use std::path::Path;

const ROWS: &str = "a.mx.example/rows.ndjson";

fn document(path: &str, text: &str) -> Document {
    Document { path: path.to_owned(), octets: text.as_bytes().to_vec() }
}

fn take(lab: &mut Lab, changes: Changes) {
    let mut known = lab.memory.known_of(&lab.world, &changes);
    drop(lab.world.take(changes, &mut known, lab.now));
    lab.memory.settle(&mut lab.world);
    lab.consistent();
}

/// A world that was filled by a source without files.
fn filled() -> Lab {
    let mut lab = Lab::new();
    let rows = "{\"domain\": \"contoso.com\", \"pool\": \"eu\"}\n";
    let documents = vec![document(ROWS, rows), document("a.mx.example.zone", MASTER), document("pools.toml", POOLS)];
    take(&mut lab, Changes { documents, is_full: true, ..Changes::default() });
    assert_eq!(lab.address("contoso-com"), "192.0.2.25");
    lab
}

#[test]
fn a_zone_that_ends_and_begins_again_in_one_batch_keeps_its_past() {
    let mut lab = Lab::with_config("version = 1\n");
    let rows = "{\"domain\": \"contoso.com\", \"pool\": \"eu\"}\n";
    let master = document("a.mx.example.zone", MASTER);
    take(&mut lab, Changes { documents: vec![document(ROWS, rows), master.clone()], ..Changes::default() });
    // Its master file goes, and with it all that was served; nothing holds the zone but a folder with a file in trouble.
    take(&mut lab, Changes { gone: vec!["a.mx.example.zone".to_owned(), ROWS.to_owned()], ..Changes::default() });
    lab.allow_shrink();
    lab.configure("version = 1\n[zone.\"a.mx.example\"]\nsigned = false\n");
    take(&mut lab, Changes { documents: vec![document(ROWS, rows)], ..Changes::default() });
    let troubled = vec![Trouble { path: "a.mx.example/other.toml".into(), reason: Reason::WorldWritable }];
    take(&mut lab, Changes { gone: vec![ROWS.to_owned()], troubled, ..Changes::default() });
    take(&mut lab, Changes { documents: vec![master], ..Changes::default() });
    let zone = lab.world.zones.get(&name(ZONE)).expect("the zone");
    assert!(zone.signed, "its DS stands, so that it stays signed until its keys are rolled away");
}

#[test]
fn what_is_in_trouble_stays_until_it_is_healed_and_what_is_gone_goes() {
    let mut lab = filled();
    let troubled = vec![Trouble { path: ROWS.into(), reason: Reason::WorldWritable }];
    take(&mut lab, Changes { troubled, ..Changes::default() });
    assert!(lab.codes().contains(&"MX6002"), "{:?}", lab.codes());
    assert_eq!(lab.address("contoso-com"), "192.0.2.25");
    let rows = "{\"domain\": \"contoso.com\", \"pool\": \"us\"}\n";
    let (documents, healed) = (vec![document(ROWS, rows)], vec![ROWS.to_owned()]);
    take(&mut lab, Changes { documents, healed, ..Changes::default() });
    assert_eq!(lab.address("contoso-com"), "192.0.2.26");
    assert!(!lab.codes().contains(&"MX6002"), "{:?}", lab.codes());
    take(&mut lab, Changes { gone: vec![ROWS.to_owned()], ..Changes::default() });
    assert!(lab.tenant("contoso.com").is_none());
}

#[test]
fn what_hinders_the_source_stands_beside_what_hinders_a_document() {
    let mut lab = filled();
    let folder = of_folder(Path::new("a.mx.example"));
    let hindered = vec![Hindrance { folder: folder.clone(), reason: Reason::WorldWritable }];
    let told = Changes { hindered, ..Changes::default() };
    assert!(told.is_nothing() && told.is_about_source());
    take(&mut lab, told);
    take(&mut lab, Changes { healed: vec!["a.mx.example".to_owned()], ..Changes::default() });
    assert!(lab.codes().contains(&"MX6002"), "{:?}", lab.codes());
    take(&mut lab, Changes { freed: vec![folder], ..Changes::default() });
    assert!(!lab.codes().contains(&"MX6002"), "{:?}", lab.codes());
}
