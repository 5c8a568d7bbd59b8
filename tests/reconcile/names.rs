//! Zones named in every way that names of files allow, master files in any encoding, DS in its place.

use crate::lab::*;

const CONTENT: &str = "@ 3600 SOA ns h 1 7200 3600 1209600 300\n@ NS ns\nns 300 A 192.0.2.1\nwww 300 A 192.0.2.80\n";

fn lab() -> Lab {
    Lab::with_config("version = 1\n")
}

#[test]
fn any_domain_name_may_be_a_zone_s_and_a_file_name_outside_ascii_is_a_u_label() {
    for (file, apex) in [
        ("b\u{fc}cher.test.zone", "xn--bcher-kva.test"),
        ("bu\u{308}cher.test.zone", "xn--bcher-kva.test"),
        ("*.x.test.zone", "*.x.test"),
        ("\\042.x.test.zone", "*.x.test"),
        ("a.*.b.x.test.zone", "a.*.b.x.test"),
        ("esc\\065.test.zone", "esca.test"),
        ("_tcp.test.zone", "_tcp.test"),
        ("0\\04725.2.0.192.in-addr.arpa.zone", "0/25.2.0.192.in-addr.arpa"),
    ] {
        let mut lab = lab();
        lab.write(&[(file, CONTENT)]);
        lab.fine();
        assert_eq!(lab.ask(&format!("www.{apex}"), "A"), "NOERROR A 192.0.2.80", "{file}");
    }
}

#[test]
fn a_file_name_that_no_master_file_would_hold_is_refused_with_the_right_one() {
    for (file, right) in [
        ("a b.test.zone", "`a\\032b.test`"),
        ("a\nb.test.zone", "`a\\010b.test`"),
        ("a;b.test.zone", "`a\\059b.test`"),
        ("@.zone", "the root is not served here"),
        ("b\u{fc}ch er.test.zone", "A-labels"),
    ] {
        let mut lab = lab();
        lab.write(&[(file, CONTENT)]);
        assert_eq!(lab.codes(), ["MX2120"], "{file:?}");
        let finding = lab.world.findings().remove(0);
        assert!(finding.message.contains(right), "{}", finding.message);
        assert!(!finding.message.contains('\n'), "{:?}", finding.message);
        lab.remove(&[file]);
        lab.fine();
    }
}

#[test]
fn of_two_files_of_one_zone_the_served_one_stays_whatever_their_spelling() {
    for (first, second) in [
        ("xn--bcher-kva.test.zone", "b\u{fc}cher.test.zone"),
        ("*.x.test.zone", "\\042.x.test.zone"),
        ("esca.test.zone", "esc\\065.test.zone"),
    ] {
        let apex = if first.starts_with('*') { "*.x.test" } else { first.trim_end_matches(".zone") };
        let mut lab = lab();
        lab.write(&[(first, CONTENT)]);
        lab.write(&[(second, &CONTENT.replace(".80", ".99"))]);
        assert_eq!(lab.codes(), ["MX2123"], "{second}");
        assert_eq!(lab.ask(&format!("www.{apex}"), "A"), "NOERROR A 192.0.2.80");
        lab.remove(&[first]);
        lab.fine();
        assert_eq!(lab.ask(&format!("www.{apex}"), "A"), "NOERROR A 192.0.2.99", "the other one had waited");
    }
}

#[test]
fn a_zone_at_an_asterisk_is_delegated_by_its_parent_and_is_no_wildcard_there() {
    let mut lab = lab();
    lab.write(&[("x.test.zone", CONTENT), ("*.x.test.zone", CONTENT)]);
    lab.fine();
    assert!(lab.ask("*.x.test", "DS").starts_with("NOERROR DS "));
    assert_eq!(lab.ask("www.*.x.test", "A"), "NOERROR A 192.0.2.80");
    assert_eq!(lab.ask("www.x.test", "A"), "NOERROR A 192.0.2.80");
    assert_eq!(lab.ask("nobody.x.test", "A"), "NXDOMAIN");
}

#[test]
fn tenants_of_a_zone_may_lie_in_a_folder_of_either_spelling() {
    for folder in ["b\u{fc}cher.test", "xn--bcher-kva.test"] {
        let mut lab = lab();
        lab.write(&[("b\u{fc}cher.test.zone", CONTENT), ("pools.toml", POOLS)]);
        lab.write(&[(&format!("{folder}/t1.toml"), &toml("t1.example", "eu"))]);
        lab.fine();
        assert_eq!(lab.ask("t1-example.xn--bcher-kva.test", "A"), "NOERROR A 192.0.2.25");
    }
}

#[test]
fn what_the_configuration_says_of_a_zone_holds_in_every_spelling() {
    for spelling in ["b\u{fc}cher.test", "xn--bcher-kva.test.", "XN--bcher-KVA.test"] {
        let mut lab = Lab::with_config(&format!("version = 1\n[zone.\"{spelling}\"]\nsigned = false\n"));
        lab.write(&[("b\u{fc}cher.test.zone", CONTENT)]);
        assert_eq!(lab.ask("xn--bcher-kva.test", "DNSKEY"), "NOERROR", "unsigned: {spelling}");
    }
}

#[test]
fn a_master_file_may_hold_any_octet_in_comments_and_strings() {
    let mut lab = lab();
    let mut octets = CONTENT.as_bytes().to_vec();
    octets.extend(b"; caf\xe9 and \xff\xfe\nt 300 TXT \"caf\xe9\" \\\xe9\xe8 ; \xe9\n$INCLUDE more\n");
    lab.change_octets(vec![("more", Some(b"u 300 TXT \xfc ; \xfc\n".to_vec())), ("test.zone", Some(octets))]);
    lab.fine();
    let zone = lab.world.zones[&name("test")].content().expect("content").clone();
    let text = |owner: &str| {
        let (set, _) = zone.node(&name(owner)).expect("a name").set(16).expect("TXT");
        set.data().map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    assert_eq!(text("t.test"), [b"\x04caf\xe9\x02\xe9\xe8".to_vec()]);
    assert_eq!(text("u.test"), [b"\x01\xfc".to_vec()]);
    // What no text holds is an error still.
    lab.change_octets(vec![("test.zone", Some(b"@ SOA a b 1 2 3 4 5 ; \x00\n".to_vec()))]);
    assert_eq!(lab.codes().len(), 1);
}

#[test]
fn ds_stands_beside_the_ns_of_a_delegation_alone() {
    let ds = "DS 2371 13 2 1F987CC6583E92DF0890718C421F987CC6583E92DF0890718C4212345678ABCD\n";
    for (more, codes) in [
        (format!("@ {ds}"), &["MX2116"][..]),
        (format!("ns {ds}"), &["MX2116"]),
        (format!("alone {ds}"), &["MX2116"]),
        (format!("sub {ds}sub NS ns.elsewhere.\n"), &[]),
        // Below a cut nothing is this zone's to say, nor to judge.
        (format!("sub NS ns.elsewhere.\nx.sub {ds}"), &[]),
    ] {
        let mut lab = lab();
        lab.write(&[("test.zone", &format!("{CONTENT}{more}"))]);
        let found: Vec<_> = lab.codes().into_iter().filter(|code| *code == "MX2116").collect();
        assert_eq!(found, codes, "{more}");
        assert_eq!(lab.ask("www.test", "A") == "NOERROR A 192.0.2.80", codes.is_empty(), "{more}");
    }
}
