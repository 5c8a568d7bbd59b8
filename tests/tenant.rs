//! Tenants and pools as text: what is read, what is refused and where, what is printed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mxseal::diagnostic::Diagnostic;
use mxseal::zone::tenant::*;
use std::net::IpAddr;

type Found = (&'static str, u32, u32);

const DIGEST: &str = "133b919c9d65d8b1488d36c6cb20cbe7dbf92a8abd4edcf4c4c3fb2d2c5f6a7e";

fn found(findings: &[Diagnostic]) -> Vec<Found> {
    findings.iter().map(|finding| (finding.code, finding.place.line, finding.place.column)).collect()
}

fn broken<T>(parsed: &Parsed<T>) -> Vec<(Option<&str>, Vec<Found>)> {
    parsed.broken.iter().map(|b| (b.name.as_deref(), found(&b.diagnostics))).collect()
}

fn one<T: Clone>(parsed: Parsed<T>) -> T {
    assert!(parsed.broken.is_empty(), "{:?}", broken(&parsed));
    assert_eq!(parsed.entries.len(), 1);
    parsed.entries[0].clone()
}

/// Numbers that look random and are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

mod values {
    use super::*;

    #[test]
    fn domains_are_compared_as_lower_case_a_labels() {
        for (text, domain) in [
            ("contoso.com", "contoso.com"),
            ("Contoso.COM.", "contoso.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("XN--bcher-kva.example", "xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("r3---sn-x.example", "r3---sn-x.example"),
            ("1und1.example", "1und1.example"),
        ] {
            assert_eq!(normal_domain(text).as_deref(), Ok(domain), "{text}");
        }
        let long = "a".repeat(63);
        assert!(normal_domain(&format!("{long}.{long}.{long}.{}", "b".repeat(61))).is_ok());
        for bad in [
            "",
            ".",
            "com",
            "a..b",
            ".a.b",
            "a.b..",
            "-a.b",
            "a-.b",
            "_dmarc.a.b",
            "a b.c",
            "a/b.c",
            "../x.y",
            "*.a.b",
            "192.0.2.1",
            "xn--a.example",
            "a\0.b",
            "a\u{200b}b_.c",
            &format!("{long}a.b"),
            &format!("{long}.{long}.{long}.{}", "b".repeat(62)),
        ] {
            assert!(normal_domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_the_domain_with_dashes_cut_and_hashed_past_a_label() {
        assert_eq!(endpoint_of("contoso.com"), "contoso-com");
        let fits = format!("{}.example", "a".repeat(55));
        assert_eq!(endpoint_of(&fits), fits.replace('.', "-"));
        let long = format!("{}.example", "a".repeat(56));
        assert_eq!(endpoint_of(&long), format!("{}-{}", "a".repeat(46), "36d3b291b3406ead"), "stable over versions");
        assert_ne!(endpoint_of(&long), endpoint_of(&format!("{}.examplf", "a".repeat(56))));
        // printf %s DOMAIN | tr . - | tr -s - | cut -c1-46, a dash, printf %s DOMAIN | sha256sum | cut -c1-16
        assert_eq!(endpoint_of("xn--mnchen-3ya.de"), "xn-mnchen-3ya-de-dc2c4828470884f5");
        assert_eq!(endpoint_of("ab--c.example"), "ab-c-example-148bebcfe9c46a81");
        assert_eq!(endpoint_of("a--b.example"), "a--b-example", "only the third and fourth place are reserved");
        assert_eq!(old_endpoint_of("xn--mnchen-3ya.de").as_deref(), Some("xn--mnchen-3ya-de"));
        assert_eq!(old_endpoint_of("contoso.com"), None);
        assert_eq!(old_endpoint_of(&long), None);
        for good in ["xn--mnchen-3ya", "contoso-com", "a--b"] {
            assert!(!is_false_a_label(good), "{good}");
        }
        for bad in ["xn--99zzz9--a", "xn--mnchen-3ya-de", "ab--c", "xn--", "xn--abc-"] {
            assert!(is_false_a_label(bad), "{bad}");
        }
        assert_eq!(endpoint_label("WWI-eu").as_deref(), Ok("wwi-eu"));
        for bad in ["", "a.b", "_a", "-a", "a-", "ü", "*", &"a".repeat(64)] {
            assert!(endpoint_label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_tlsa_3_1_1_is_taken_and_others_say_why_not() {
        let digest = tlsa_of(&format!("3 1 1 {DIGEST}")).unwrap();
        assert_eq!(digest[..2], [0x13, 0x3b]);
        let (left, right) = DIGEST.split_at(20);
        assert_eq!(tlsa_of(&format!(" 3  1 1 {} {right}\n", left.to_uppercase())), Ok(digest));
        assert_eq!(tlsa_of(&print_tlsa(&digest)), Ok(digest));
        for (text, reason) in [
            ("", "not a TLSA"),
            (DIGEST, "not a TLSA"),
            ("TLSA 3 1 1", "not a TLSA"),
            ("0 1 1 ab", "RFC 7672 § 3.1.3"),
            ("1 1 1 ab", "RFC 7672 § 3.1.3"),
            ("2 1 1 ab", "issuing authority"),
            ("3 0 1 ab", "every renewal"),
            ("3 1 0 ab", "whole key"),
            ("3 1 2 ab", "SHA-512"),
            ("3 1 9 ab", "RFC 6698"),
            ("3 1 1", "not 0"),
            ("3 1 1 abc", "not 3"),
            (&format!("3 1 1 {}g", &DIGEST[1..]), "0-9 and a-f"),
            (&format!("3 1 1 {DIGEST}00"), "not 66"),
        ] {
            let error = tlsa_of(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn tlsa_of_a_certificate_is_the_hash_of_its_public_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let spki = ring::digest::digest(&ring::digest::SHA256, &rcgen::PublicKeyData::subject_public_key_info(&key));
        let pem = certificate.pem();
        assert_eq!(tlsa_of_certificate(pem.as_bytes()).unwrap()[..], *spki.as_ref());
        let behind_key = format!("{}{pem}", key.serialize_pem());
        assert_eq!(tlsa_of_certificate(behind_key.as_bytes()).unwrap()[..], *spki.as_ref());
    }

    fn tlsa_of_certificate(pem: &[u8]) -> Result<[u8; 32], String> {
        mxseal::cert::chain::parse_pem(pem).map(|chain| chain.leaf.spki.0).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_error_about_a_certificate_never_quotes_the_file() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let garbage = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
        for bad in [key.as_str(), garbage, "", "-----BEGIN CERTIFICATE-----\n!!secret\n-----END CERTIFICATE-----\n"] {
            let error = tlsa_of_certificate(bad.as_bytes()).expect_err("no certificate");
            assert!(!error.contains("secret") && !error.contains("c2Vjc") && !error.contains("MIG"), "{error}");
        }
    }

    #[test]
    fn a_file_is_text_or_says_where_not() {
        assert_eq!(text_of("f", "\u{feff}ä\r\n".as_bytes()).ok(), Some("ä\r\n"));
        let at = |bytes: &[u8]| {
            let e = text_of("f", bytes).expect_err("no text");
            (e.code, e.place.line, e.place.column)
        };
        assert_eq!(at(b"ab\nc\0d"), ("MX4013", 2, 2));
        assert_eq!(at(b"\xef\xbb\xbfa\n\n\xc3\xa4\xff"), ("MX4013", 3, 2));
        assert_eq!(at(b"a\xc3"), ("MX4013", 1, 2));
    }
}

mod toml {
    use super::*;

    fn refused(text: &str) -> Vec<(Option<String>, Vec<Found>)> {
        let parsed = parse_toml("t.toml", text);
        assert!(parsed.entries.is_empty(), "{text}");
        parsed.broken.iter().map(|b| (b.name.clone(), found(&b.diagnostics))).collect()
    }

    #[test]
    fn a_tenant_is_a_domain_and_a_pool() {
        let tenant = one(parse_toml("t.toml", "# c\ndomain = \"Contoso.com\"\r\npool = \"eu-1\"\n"));
        let expected = Definition {
            domain: "contoso.com".into(),
            endpoint: "contoso-com".into(),
            explicit_endpoint: false,
            pool: Some("eu-1".into()),
            addresses: vec![],
            tlsa: vec![],
            dane: true,
            line: 2,
        };
        assert_eq!(tenant, expected);
    }

    #[test]
    fn a_tenant_may_have_all_of_its_own() {
        let text = format!(
            "domain = \"a.b\"\nendpoint = \"X\"\naddresses = [\"192.0.2.1\", \"2001:db8::1\"]\ntlsa = [\"3 1 1 {DIGEST}\"]\n"
        );
        let tenant = one(parse_toml("t.toml", &text));
        assert_eq!((tenant.endpoint.as_str(), tenant.explicit_endpoint, tenant.pool), ("x", true, None));
        assert_eq!(tenant.addresses, ["192.0.2.1", "2001:db8::1"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert_eq!((tenant.tlsa.len(), tenant.dane), (1, true));
    }

    #[test]
    fn each_fault_has_its_place() {
        let seventeen: Vec<String> = (1..=17).map(|i| format!("\"192.0.2.{i}\"")).collect();
        let head = "domain = \"a.b\"\npool = \"p\"\n";
        let some = || Some("a.b".to_owned());
        let cases: Vec<(String, Option<String>, Vec<Found>)> = vec![
            (String::new(), None, vec![("MX4004", 0, 0), ("MX4011", 0, 0)]),
            ("pool = \"p\"".into(), None, vec![("MX4004", 0, 0)]),
            ("domain = \"a.b\"".into(), some(), vec![("MX4011", 1, 10)]),
            ("domain = \"a b\"\npool = \"p\"".into(), None, vec![("MX4005", 1, 10)]),
            ("domain = \"a.b\"\npool = \"../p\"".into(), some(), vec![("MX4006", 2, 8)]),
            ("domain = \"a.b\"\npool = \"p".into(), some(), vec![("MX4001", 2, 10)]),
            ("domain = \"a.b\npool = \"p\"".into(), None, vec![("MX4001", 1, 14)]),
            ("domain = 5\npool = \"p\"".into(), None, vec![("MX4003", 1, 10)]),
            (format!("{head}pol = 1"), some(), vec![("MX4002", 3, 1)]),
            (format!("{head}dane = \"yes\""), some(), vec![("MX4003", 3, 8)]),
            (format!("{head}addresses = \"192.0.2.1\""), some(), vec![("MX4003", 3, 13)]),
            (format!("{head}addresses = [1, \"0.0.0.0\"]"), some(), vec![("MX4003", 3, 14), ("MX4008", 3, 17)]),
            (format!("{head}endpoint = \"a.b\""), some(), vec![("MX4007", 3, 12)]),
            (
                format!("{head}addresses = [\"192.0.2.1\",\n\"::\",\"ff02::1\",\"::ffff:192.0.2.1\"]"),
                some(),
                vec![("MX4008", 4, 1), ("MX4008", 4, 6), ("MX4008", 4, 16)],
            ),
            (
                format!("{head}addresses = [\"224.0.0.1\", \"255.255.255.255\", \"1.2.3\"]"),
                some(),
                vec![("MX4008", 3, 14), ("MX4008", 3, 27), ("MX4008", 3, 46)],
            ),
            (format!("{head}tlsa = [\"2 1 1 {DIGEST}\"]"), some(), vec![("MX4009", 3, 9)]),
            (format!("{head}addresses = [\n{}]", seventeen.join(",\n")), some(), vec![("MX4010", 20, 1)]),
        ];
        for (text, name, expected) in cases {
            assert_eq!(refused(&text), [(name, expected)], "{text}");
        }
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let parsed = parse_toml("t", "domain = \"a.b\"\npool = \"p\"\nadresses = []");
        assert_eq!(parsed.broken[0].diagnostics[0].help, "did you mean `addresses`?");
    }

    #[test]
    fn what_is_odd_but_allowed_is_a_warning() {
        let tlsa = format!("\"3 1 1 {DIGEST}\"");
        for (text, expected) in [
            ("domain=\"a.b\"\naddresses=[\"192.0.2.1\",\"192.0.2.1\"]\npool=\"p\"".to_owned(), ("MX4101", 2, 24)),
            (format!("domain=\"a.b\"\npool=\"p\"\ntlsa=[{tlsa},\n{tlsa}]"), ("MX4101", 4, 1)),
            (format!("domain=\"a.b\"\npool=\"p\"\ndane=false\ntlsa=[{tlsa}]"), ("MX4102", 4, 6)),
            ("domain=\"a.b\"\naddresses=[\"192.0.2.1\"]".to_owned(), ("MX4103", 2, 11)),
        ] {
            let parsed = parse_toml("t", &text);
            assert_eq!(found(&parsed.warnings), [expected], "{text}");
            let tenant = one(parsed);
            assert!(tenant.addresses.len() <= 1 && tenant.tlsa.len() <= 1, "doubles are dropped");
        }
    }

    #[test]
    fn no_depth_of_nesting_overflows_the_stack() {
        std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(|| {
                for text in [
                    format!("{}x=1", "a.".repeat(32_000)),
                    format!("{}x=1", "a . ".repeat(16_000)),
                    format!("[{}x]", "a.".repeat(32_000)),
                    format!("[[{}x]]", "a.".repeat(32_000)),
                    format!("x={}", "[".repeat(65_000)),
                    format!("x={}", "{a=".repeat(20_000)),
                    format!("x={}", "{a.a.a.a.a.a=".repeat(4_000)),
                    format!("{}x=1\n", "a.".repeat(250)).repeat(100),
                    format!("[{}x]\n{}y=1", "a.".repeat(250), "b.".repeat(250)),
                ] {
                    assert!(!parse_toml("t", &text).broken.is_empty());
                    assert!(!parse_pools("t", &text).broken.is_empty());
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn a_comment_may_have_as_many_dots_as_it_likes() {
        one(parse_toml("t", &format!("# {}\ndomain = \"a.b\"\npool = \"p\"", ".".repeat(1000))));
    }

    #[test]
    fn sizes_have_limits() {
        let filler = format!("domain=\"a.b\"\npool=\"p\"\n#{}", "x".repeat(TENANT_FILE_MAX));
        assert_eq!(refused(&filler)[0].1, [("MX4012", 0, 0)]);
        let keys: String = (0..5000).map(|i| format!("k{i}=1\n")).collect();
        assert!(parse_toml("t", &keys).broken[0].diagnostics.len() <= 100);
    }
}

mod ndjson {
    use super::*;

    #[test]
    fn each_line_is_a_tenant_and_a_broken_one_spoils_only_itself() {
        let text = concat!(
            "{\"domain\":\"a.example\",\"pool\":\"p\"}\r\n",
            "\n  \n",
            "{\"domain\":\"b.example\",\"pol\":\"p\"}\n",
            "{\"domain\":\"c.example\",\"pool\":\"p\",\"dane\":false,\"endpoint\":\"C\",\"addresses\":[\"192.0.2.1\"],\"tlsa\":null}\n",
            "{\"domain\":\"B\\u00fccher.example\", \"pool\" : \"p\"}",
        );
        let parsed = parse_ndjson("b.ndjson", text);
        let read: Vec<_> = parsed.entries.iter().map(|d| (d.domain.as_str(), d.endpoint.as_str(), d.line)).collect();
        assert_eq!(
            read,
            [
                ("a.example", "a-example", 1),
                ("c.example", "c", 5),
                ("xn--bcher-kva.example", "xn-bcher-kva-example-970ca6b73eaf2630", 6)
            ]
        );
        assert_eq!(broken(&parsed), [(Some("b.example"), vec![("MX4002", 4, 23)])], "what follows is not told");
        assert!(!parsed.unfinished, "it was read to its end");
    }

    #[test]
    fn each_fault_has_its_place() {
        let cases: &[(&str, Option<&str>, &[Found])] = &[
            ("{}", None, &[("MX4004", 2, 1), ("MX4011", 2, 1)]),
            ("[]", None, &[("MX4001", 2, 1)]),
            ("[\"a.b\",\"p\"]", None, &[("MX4001", 2, 1)]),
            (" 5", None, &[("MX4001", 2, 2)]),
            ("{\"domain\":\"a.b\",\"pool\":\"p\"} x", Some("a.b"), &[("MX4001", 2, 29)]),
            ("{\"domain\":\"a.b\",pool:\"p\"}", Some("a.b"), &[("MX4001", 2, 17)]),
            ("{\"domain\":\"ä.b\",\"pool\":\"p\",}", Some("xn--4ca.b"), &[("MX4001", 2, 28)]),
            (
                "{\"domain\":\"a.b\",\"pool\":5,\"x\":{\"y\":[\"}\"]}}",
                Some("a.b"),
                &[("MX4003", 2, 24), ("MX4002", 2, 26)],
            ),
            ("{\"domain\":\"a.b\",\"pool\":\"p\",\"pool\":\"q\"}", Some("a.b"), &[("MX4001", 2, 28)]),
            (
                "{\"domain\":\"a.b\",\"addresses\":[\"1.2.3.4\",null,[1],\"::\"]}",
                Some("a.b"),
                &[("MX4003", 2, 40), ("MX4003", 2, 45), ("MX4008", 2, 49)],
            ),
            ("{\"domain\":\"a.b\",\"pool\":\"p\",\"dane\":0}", Some("a.b"), &[("MX4003", 2, 35)]),
            ("{\"domain\":\"\\u00e4 x\",\"pool\":\"p\"}", None, &[("MX4005", 2, 11)]),
            ("{\"domain\":\"a.b\",\"pool\":\"p\",\"tlsa\":[\"1 1 1\"]}", Some("a.b"), &[("MX4009", 2, 36)]),
        ];
        for (line, name, expected) in cases {
            let text =
                format!("{{\"domain\":\"x.y\",\"pool\":\"p\"}}\n{line}\n{{\"domain\":\"z.y\",\"pool\":\"p\"}}\n");
            let parsed = parse_ndjson("b", &text);
            assert_eq!(broken(&parsed), [(*name, expected.to_vec())], "{line}");
            assert_eq!((parsed.entries.len(), parsed.unfinished), (2, false), "{line}");
        }
    }

    #[test]
    fn blank_lines_count_and_mean_nothing_however_many_there_are() {
        let good = "{\"domain\":\"a.b.example\",\"pool\":\"p\"}\n";
        let text = format!("{}  \t\r\n  {good}\n \n\n   {{}}\n{}", "\n".repeat(2_000_000), " \n".repeat(2_000_000));
        let parsed = parse_ndjson("b", &text);
        assert_eq!(parsed.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [2_000_002]);
        let [broken] = &parsed.broken[..] else { panic!("{:?}", parsed.broken) };
        assert_eq!((broken.diagnostics[0].place.line, broken.diagnostics[0].place.column), (2_000_006, 1));
        assert!(parse_ndjson("b", " \n\n ").broken.is_empty());
    }

    #[test]
    fn a_warning_does_not_stop_a_line() {
        let parsed = parse_ndjson("b", "\n{\"domain\":\"a.b\",\"addresses\":[\"192.0.2.1\"]}\n");
        assert_eq!(found(&parsed.warnings), [("MX4103", 2, 29)]);
        assert_eq!(one(parsed).line, 2);
    }

    #[test]
    fn a_line_that_is_not_used_tells_whose_it_is_as_soon_as_its_domain_is_whole() {
        let named = parse_ndjson("b", "{\"domain\":\"b.example\",\"po");
        assert_eq!(named.broken[0].name.as_deref(), Some("b.example"), "its last good answer is kept");
        for (line, name) in [
            ("{\"domain\":\"b.example\",\"po", Some("b.example")),
            ("{\"domain\":\"b.example\",\"pool\":\"p\"}", Some("b.example")),
            ("{\"domain\":\"b.exam", None),
            ("{\"domain\"", None),
            ("", None),
        ] {
            assert_eq!(name_of_line(line).as_deref(), name, "{line}");
        }
    }

    #[test]
    fn a_long_line_and_a_file_of_garbage_cost_little() {
        let long = format!(
            "{{\"domain\":\"a.b\",\"pool\":\"{}\"}}\n{{\"domain\":\"c.d\",\"pool\":\"p\"}}",
            "x".repeat(LINE_MAX)
        );
        let parsed = parse_ndjson("b", &long);
        assert_eq!(broken(&parsed), [(Some("a.b"), vec![("MX4012", 1, 1)])]);
        assert!(parsed.broken[0].diagnostics[0].place.text.is_empty(), "a long line is not kept");
        assert_eq!(parsed.entries.len(), 1);
        let garbage = parse_ndjson("b", &"{}\n".repeat(3 * BROKEN_LINES_MAX));
        assert_eq!((garbage.broken.len(), garbage.unfinished), (BROKEN_LINES_MAX + 1, true));
    }

    #[test]
    fn ndjson_and_toml_let_the_same_tenants_through() {
        let mut seeded = Seeded(7);
        for _ in 0..500 {
            let domain = seeded.pick(&["a.b", "ü.b", "a", "A.b.", "x y.z"]);
            let pool = seeded.pick(&["", ",\"pool\":\"p\"", ",\"pool\":\"p/q\"", ",\"pool\":1"]);
            let dane = seeded.pick(&["", ",\"dane\":true", ",\"dane\":false", ",\"dane\":3", ",\"x\":3"]);
            let addresses =
                seeded.pick(&["", ",\"addresses\":[\"192.0.2.1\"]", ",\"addresses\":[\"::\",\"192.0.2.1\"]"]);
            let json = format!("{{\"domain\":\"{domain}\"{pool}{dane}{addresses}}}");
            let toml = json[1..json.len() - 1].replace(",\"", "\n\"").replace("\":", "\"=");
            let toml = toml.replace("\n\"192", ",\"192");
            let (json, toml) = (parse_ndjson("f", &json), parse_toml("f", &toml));
            assert_eq!(json.entries, toml.entries);
            let codes = |parsed: &Parsed<Definition>| {
                let all = parsed.broken.iter().flat_map(|b| &b.diagnostics).chain(&parsed.warnings);
                all.map(|d| d.code).collect::<Vec<_>>()
            };
            assert_eq!(codes(&json), codes(&toml));
        }
    }
}

mod pools {
    use super::*;

    #[test]
    fn pools_are_read_in_the_order_of_the_file() {
        let text = format!(
            "[us]\naddresses = [\"192.0.2.1\"]\ntlsa = [\"3 1 1 {DIGEST}\"]\n\n[eu]\naddresses = [\"192.0.2.2\"]\ncertificates = [\"../c.pem\"]\n"
        );
        let parsed = parse_pools("pools.toml", &text);
        assert!(parsed.broken.is_empty() && parsed.warnings.is_empty());
        let [us, eu] = parsed.entries.as_slice() else { panic!("two pools") };
        assert_eq!((us.name.as_str(), us.line, us.tlsa.len()), ("us", 1, 1));
        assert_eq!((eu.name.as_str(), eu.line, eu.certificates.clone()), ("eu", 5, vec!["../c.pem".to_owned()]));
    }

    #[test]
    fn a_fault_breaks_its_pool_only_but_bad_grammar_the_file() {
        let good = "[good]\naddresses = [\"192.0.2.1\"]\ncertificates = [\"c\"]\n";
        let cases: &[(&str, Option<&str>, &[Found])] = &[
            ("[p]", Some("p"), &[("MX3005", 4, 2)]),
            ("[p]\naddresses = \"x\"", Some("p"), &[("MX3003", 5, 13)]),
            ("[p]\naddresses = [\"x\"]\nadresses = 1", Some("p"), &[("MX3002", 6, 1), ("MX3006", 5, 14)]),
            ("[\"../p\"]\naddresses = [\"192.0.2.1\"]", Some("../p"), &[("MX3004", 4, 2)]),
            ("[p]\naddresses = [\"192.0.2.1\"]\ntlsa = [\"3 1 1\"]", Some("p"), &[("MX3007", 6, 9)]),
            ("[p]\naddresses = [\"192.0.2.1\"]\ncertificates = [\"\"]", Some("p"), &[("MX3009", 6, 17)]),
            ("[[p]]\naddresses = []", Some("p"), &[("MX3003", 4, 1)]),
        ];
        for (text, name, expected) in cases {
            let parsed = parse_pools("pools.toml", &format!("{good}{text}"));
            assert_eq!(broken(&parsed), [(*name, expected.to_vec())], "{text}");
            assert_eq!(parsed.entries.len(), 1, "{text}");
        }
        let parsed = parse_pools("pools.toml", &format!("{good}[p\n"));
        assert_eq!((broken(&parsed), parsed.entries.len()), (vec![(None, vec![("MX3001", 4, 3)])], 0));
        let stray = parse_pools("pools.toml", &format!("x = 1\n{good}"));
        assert_eq!((broken(&stray), stray.entries.len()), (vec![(Some("x"), vec![("MX3003", 1, 5)])], 1));
    }

    #[test]
    fn a_pool_without_dane_and_too_many_keys_are_said() {
        let parsed = parse_pools("pools.toml", "[p]\naddresses = [\"192.0.2.1\"]");
        assert_eq!(found(&parsed.warnings), [("MX3102", 2, 13)]);
        let paths = vec!["\"c\""; 17].join(",");
        let parsed = parse_pools("pools.toml", &format!("[p]\naddresses = [\"192.0.2.1\"]\ncertificates = [{paths}]"));
        assert_eq!(broken(&parsed), [(Some("p"), vec![("MX3008", 3, 16)])]);
    }
}

mod printing {
    use super::*;

    fn random(seeded: &mut Seeded) -> Definition {
        let labels = ["contoso", "xn--bcher-kva", "a", "mail-7", "b0", "verylonglabel-verylonglabel-verylonglabel"];
        let count = 1 + seeded.below(4);
        let mut domain: Vec<&str> = (0..count).map(|_| seeded.pick(&labels)).collect();
        domain.push(seeded.pick(&["com", "example", "co"]));
        let domain = domain.join(".");
        let explicit_endpoint = seeded.below(2) == 0;
        let endpoint = if explicit_endpoint { seeded.pick(&["e", "e-1"]).to_owned() } else { endpoint_of(&domain) };
        let pool = (seeded.below(3) > 0).then(|| seeded.pick(&["eu-1", "p.q_R"]).to_owned());
        let own = if pool.is_none() { 1 + seeded.below(4) } else { seeded.below(3) };
        let address = |i: usize| if i.is_multiple_of(2) { format!("192.0.2.{i}") } else { format!("2001:db8::{i}") };
        let addresses = (0..own).map(|i| address(i).parse().unwrap()).collect();
        let tlsa = (0..seeded.below(3)).map(|i| [u8::try_from(16 * i + seeded.below(16)).unwrap(); 32]).collect();
        Definition { domain, endpoint, explicit_endpoint, pool, addresses, tlsa, dane: seeded.below(2) == 0, line: 1 }
    }

    #[test]
    fn what_is_printed_is_read_back_equal() {
        let mut seeded = Seeded(42);
        for _ in 0..1000 {
            let definition = random(&mut seeded);
            let (toml, json) = (print_toml(&definition), print_ndjson(&definition));
            assert_eq!(one(parse_toml("f", &toml)), definition, "{toml}");
            assert!(!json.contains('\n'));
            assert_eq!(one(parse_ndjson("f", &json)), definition, "{json}");
        }
    }

    #[test]
    fn defaults_are_not_printed() {
        let definition = one(parse_toml("f", "domain = \"a.b\"\npool = \"p\"\ndane = true"));
        assert_eq!(print_toml(&definition), "domain = \"a.b\"\npool = \"p\"\n");
        assert_eq!(print_ndjson(&definition), "{\"domain\":\"a.b\",\"pool\":\"p\"}");
    }
}

/// Bytes from strangers: a record or an error, never a panic and never silence.
#[test]
fn mutated_files_never_panic_and_never_vanish() {
    let samples = [
        include_str!("../zones/a-v1.mx.example/adatum.example.toml"),
        include_str!("../zones/a-v1.mx.example/bulk-0001.ndjson"),
        include_str!("../zones/pools.toml"),
        include_str!("../mxseal.toml"),
    ];
    let pieces: &[&[u8]] = &[
        b"\"",
        b"\\",
        b"[",
        b"]",
        b"{",
        b"}",
        b"=",
        b"\n",
        b"\r",
        b",",
        b":",
        b"\\u00",
        b"\xff",
        b"\0",
        b"'''",
        b"\"\"\"",
        b".",
        b"#",
        b"\xc3\xa4",
        b"-",
        b"1e9",
        b"null",
        b"xn--",
        b"\xf0\x9f\x98\x80",
        b"\\ud800",
    ];
    let mut seeded = Seeded(1);
    for round in 0..4000 {
        let mut bytes = samples[round % samples.len()].as_bytes().to_vec();
        for _ in 0..1 + seeded.below(4) {
            let at = seeded.below(bytes.len().max(1)).min(bytes.len());
            let end = (at + seeded.below(6)).min(bytes.len());
            let piece = if seeded.below(3) == 0 { b"".as_slice() } else { seeded.pick(pieces) };
            bytes.splice(at..end, piece.iter().copied());
            if seeded.below(20) == 0 {
                bytes.truncate(seeded.below(bytes.len().max(1)));
            }
        }
        let Ok(text) = text_of("f", &bytes) else { continue };
        let toml = parse_toml("f", text);
        assert_eq!(toml.entries.len() + toml.broken.len(), 1, "{text}");
        assert!(toml.broken.iter().all(|b| !b.diagnostics.is_empty()), "{text}");
        let lines = parse_ndjson("f", text);
        let content = text.split('\n').filter(|line| !line.trim_ascii().is_empty()).count();
        // An object over several lines is one broken entry, and only a bracket alone on its line begins one.
        let is_over_lines = text.split('\n').any(|line| matches!(line.trim(), "{" | "["));
        let told = lines.entries.len() + lines.broken.len();
        assert!(told == content || is_over_lines && told < content && !lines.broken.is_empty(), "{text}");
        assert!(lines.broken.iter().all(|b| !b.diagnostics.is_empty()), "{text}");
        let pools = parse_pools("f", text);
        assert!(pools.broken.iter().all(|b| !b.diagnostics.is_empty()), "{text}");
        let config = mxseal::config::parse("f", text);
        assert!(config.as_ref().err().is_none_or(|errors| !errors.is_empty()), "{text}");
        let findings = pools.broken.iter().chain(&toml.broken).chain(&lines.broken).flat_map(|b| &b.diagnostics);
        if round % 8 == 0 {
            findings
                .for_each(|finding| assert!(!mxseal::render::text(std::slice::from_ref(finding), false).is_empty()));
        }
    }
}

mod demo {
    use super::*;
    use std::path::{Path, PathBuf};

    fn files(folder: &Path, list: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() { files(&path, list) } else { list.push(path) }
        }
    }

    #[test]
    fn the_demo_world_is_good_and_shows_each_form() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("mxseal.toml")).unwrap();
        let (config, warnings) = mxseal::config::parse("mxseal.toml", &text).unwrap();
        assert!(warnings.is_empty() && !config.zone_settings("mail.protection.example").signed);
        let pools = parse_pools("pools.toml", &std::fs::read_to_string(root.join("zones/pools.toml")).unwrap());
        assert!(pools.broken.is_empty() && pools.warnings.is_empty());
        assert!(pools.entries.iter().all(|pool| pool.tlsa.len() == 2));
        let mut paths = Vec::new();
        files(&root.join("zones"), &mut paths);
        let mut tenants = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let parsed = match path.extension().and_then(|e| e.to_str()) {
                Some("toml") if !path.ends_with("pools.toml") => parse_toml("t", &text),
                Some("ndjson") => parse_ndjson("t", &text),
                _ => continue,
            };
            assert!(parsed.broken.is_empty() && parsed.warnings.is_empty(), "{}", path.display());
            tenants.extend(parsed.entries);
        }
        let known = |name: &String| pools.entries.iter().any(|pool| pool.name == *name);
        assert!(tenants.iter().all(|tenant| tenant.pool.as_ref().is_none_or(known)));
        assert!(tenants.iter().any(|tenant| !tenant.dane) && tenants.iter().any(|tenant| tenant.explicit_endpoint));
        let mut endpoints: Vec<_> = tenants.iter().map(|tenant| &tenant.endpoint).collect();
        endpoints.sort();
        endpoints.dedup();
        assert_eq!(endpoints.len(), tenants.len());
    }

    /// Uncommented, each line of the sample is a key that exists and a value that is the default.
    #[test]
    fn the_sample_configuration_shows_every_default() {
        let text = include_str!("../mxseal.toml");
        let shown: String = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ").filter(|rest| rest.contains(" = ") && !rest.contains("\"…\"")).unwrap_or(line)
            })
            .filter(|line| {
                !line.starts_with("certificate") && !line.starts_with("key  ") && !line.starts_with("parents")
            })
            .filter(|line| !line.starts_with("signed  ="))
            .map(|line| format!("{line}\n"))
            .collect();
        let (config, warnings) = mxseal::config::parse("mxseal.toml", &shown)
            .unwrap_or_else(|errors| panic!("{}", mxseal::render::text(&errors, false)));
        assert!(warnings.is_empty());
        let default = mxseal::config::Config::default();
        let socket = Some(default.control_socket());
        assert_eq!(config.server, mxseal::config::Server { socket, ..default.server });
        assert_eq!((config.encrypted, config.metrics, config.log), (default.encrypted, default.metrics, default.log));
        assert_eq!((config.zones, config.keys), (default.zones, default.keys));
        assert_eq!(config.policy, default.policy);
    }
}
