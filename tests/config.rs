//! Configuration, tenants and pools as text: each fault has its code, line and column.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mxseal::config::{Config, KeyLayout, LogFormat, LogLevel, Whose, parse};
use mxseal::diagnostic::{Diagnostic, Place, Severity};
use mxseal::render;
use std::path::{Path, PathBuf};

type Found = (&'static str, u32, u32);

fn found(findings: &[Diagnostic]) -> Vec<Found> {
    findings.iter().map(|finding| (finding.code, finding.place.line, finding.place.column)).collect()
}

fn errors(text: &str) -> Vec<Found> {
    found(&parse("mxseal.toml", text).expect_err("the text has an error"))
}

fn good(text: &str) -> (Config, Vec<Found>) {
    let (config, warnings) = parse("mxseal.toml", text).unwrap_or_else(|e| panic!("{}", render::text(&e, false)));
    assert!(warnings.iter().all(|w| w.severity == Severity::Warning));
    (config, found(&warnings))
}

mod configuration {
    use super::*;

    #[test]
    fn the_version_alone_gives_the_defaults() {
        let (config, warnings) = good("version = 1");
        assert_eq!((config.clone(), warnings), (Config::default(), vec![]));
        assert_eq!(config.zones, PathBuf::from("zones"));
        assert_eq!(config.server.listen, ["127.0.0.1:5300", "[::1]:5300"].map(|a| a.parse().unwrap()));
        assert_eq!(config.metrics, Some("127.0.0.1:9153".parse().unwrap()));
        assert_eq!((config.server.udp_size, config.server.tcp_idle, config.server.user), (1232, 10, None));
        assert_eq!((config.log.format, config.log.level), (LogFormat::Text, LogLevel::Info));
    }

    #[test]
    fn default_policies_are_those_of_the_contract() {
        let config = Config::default();
        let registry = config.policy_for("mx.example", false);
        assert_eq!((registry.name.as_str(), registry.keys, registry.algorithm), ("registry", KeyLayout::KskZsk, 13));
        assert_eq!((registry.ksk_lifetime, registry.zsk_lifetime), (None, Some(90 * 86_400)));
        assert_eq!((registry.dnskey_ttl, registry.margin), (3600, 86_400));
        let data = registry.data_signatures();
        assert_eq!((data.life, data.grid, data.inception_before), (259_200, 43_200, 86_400));
        let keys = registry.dnskey_signatures();
        assert_eq!((keys.life, keys.grid), (14 * 86_400, 4 * 86_400));
        let shard = config.policy_for("a-v1.mx.example", true);
        assert_eq!((shard.name.as_str(), shard.keys), ("shard", KeyLayout::Csk));
        assert_eq!((shard.csk_lifetime, shard.margin), (Some(180 * 86_400), 3600));
    }

    #[test]
    fn networks_that_looks_go_to_are_listed_by_their_first_addresses() {
        let (config, _) = good("version = 1\n[probe]\nnetworks = [\"127.0.0.0/8\", \"::1\"]\n");
        let refusal = |at: &str| config.probe.networks.refusal(at.parse().unwrap(), Whose::Pool);
        assert_eq!([refusal("127.0.4.1"), refusal("::1")], [None, None]);
        assert_eq!(refusal("9.9.9.9").as_deref(), Some("in none of the listed networks"));
        assert_eq!(errors("version = 1\n[probe]\nnetworks = []\n"), [("MX1026", 3, 12)]);
        assert_eq!(errors("version = 1\n[probe]\nnetworks = [\"::/0\", \"10.0.0.1/8\"]\n"), [("MX1026", 3, 21)]);
        assert_eq!(errors("version = 1\n[probe]\nnetworks = \"::1\"\n"), [("MX1003", 3, 12)]);
    }

    #[test]
    fn every_key_is_read() {
        let (config, warnings) = good(
            r#"
version = 1
zones = "z"
keys = "/k"
server = { listen = ["192.0.2.1:53"], workers = 2, nsid = "fra1", user = "mxseal", tcp_connections = 50, tcp_connections_per_source = 5, tcp_idle = "3s", udp_size = 1000, denials_per_second = 7 }
rate_limit = { answers_per_second = 9, limit_loopback = true, dry_run = true }
encrypted = { dot = ["192.0.2.1:853"], doq = ["192.0.2.1:853"], certificate = "c.pem", key = "k.pem" }
metrics = { listen = "" }
log = { format = "json", level = "debug" }
[zone."MX.example."]
policy = "mine"
parents = ["192.0.2.9", "[2001:db8::9]:5353"]
[zone."old.example"]
signed = false
[policy.mine]
keys = "csk"
algorithm = 15
csk_lifetime = "400d"
ksk_lifetime = "unlimited"
[policy.shard]
margin = "2h"
"#,
        );
        assert_eq!(warnings, vec![]);
        assert_eq!((config.server.workers, config.server.nsid.as_str()), (2, "fra1"));
        assert_eq!(config.server.user.as_deref(), Some("mxseal"));
        assert_eq!((config.server.tcp_connections, config.server.tcp_connections_per_source), (50, 5));
        assert_eq!((config.server.tcp_idle, config.server.udp_size, config.server.denials_per_second), (3, 1000, 7));
        let limit = config.rate_limit;
        assert_eq!((limit.answers_per_second, limit.limit_loopback, limit.dry_run), (9, true, true));
        assert_eq!((config.metrics, config.log.format), (None, LogFormat::Json));
        assert_eq!((config.log.level, config.encrypted.dot.len(), config.encrypted.doq.len()), (LogLevel::Debug, 1, 1));
        let zone = config.zone_settings("mx.example");
        assert_eq!(zone.parents, ["192.0.2.9:53", "[2001:db8::9]:5353"].map(|a| a.parse().unwrap()));
        assert_eq!((zone.signed, config.places.of("zone.mx.example").line), (true, 10));
        let policy = config.policy_for("mx.example", true);
        assert_eq!((policy.name.as_str(), policy.algorithm, policy.csk_lifetime), ("mine", 15, Some(400 * 86_400)));
        assert_eq!(policy.zsk_lifetime, Some(90 * 86_400), "a policy of one's own starts as registry");
        assert!(!config.zone_settings("old.example").signed);
        assert!(config.zone_settings("unknown.example").signed);
        let shard = config.policy_for("unknown.example", true);
        assert_eq!((shard.margin, shard.keys), (7200, KeyLayout::Csk), "a built-in policy keeps what is not written");
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let (config, _) =
            good("version = 1\nkeys = \"/var/k\"\n[encrypted]\ndot=[\"127.0.0.1:5853\"]\ncertificate=\"c\"\nkey=\"k\"");
        assert_eq!(config.zones, PathBuf::from("zones"), "as written");
        let config = config.resolve(Path::new("/etc/mxseal"));
        assert_eq!((config.zones, config.keys), ("/etc/mxseal/zones".into(), "/var/k".into()));
        assert_eq!(config.encrypted.identity, Some(("/etc/mxseal/c".into(), "/etc/mxseal/k".into())));
    }

    #[test]
    fn all_errors_are_said_at_once_in_the_order_of_the_file() {
        let text =
            "version = 2\nzonse = \"x\"\n[server]\nworkers = \"two\"\nlisten = [\"here\"]\n[log]\nlevel = \"loud\"\n";
        assert_eq!(
            errors(text),
            [("MX1004", 1, 11), ("MX1002", 2, 1), ("MX1003", 4, 11), ("MX1006", 5, 11), ("MX1010", 7, 9)]
        );
    }

    #[test]
    fn an_unknown_key_names_the_nearest_of_its_table() {
        let help = |text: &str| {
            let all = parse("f", text).expect_err("unknown key");
            all.iter().find(|e| e.code == "MX1002").map(|e| e.help.clone()).unwrap_or_default()
        };
        assert_eq!(help("version=1\n[server]\nlisten_on=[]"), "did you mean `listen`?");
        assert_eq!(help("version=1\n[policy.registry]\nzsk_life=\"1d\""), "did you mean `zsk_lifetime`?");
        assert_eq!(help("version=1\n[zone.\"mx.example\"]\nsigend=true"), "did you mean `signed`?");
        assert_eq!(help("version=1\n[rate_limit]\nanswers_per_secnd=1"), "did you mean `answers_per_second`?");
        assert_eq!(help("version=1\n[rate_limits]\ndry_run=true"), "did you mean `rate_limit`?");
    }

    #[test]
    fn each_fault_has_its_place() {
        let cases: &[(&str, &[Found])] = &[
            ("", &[("MX1004", 0, 0)]),
            ("version = \"1\"", &[("MX1003", 1, 11)]),
            ("version = 1\nversion = 1", &[("MX1001", 2, 1)]),
            ("version = ", &[("MX1001", 1, 11)]),
            ("version = 1\nzones = \"\"", &[("MX1013", 2, 9)]),
            ("version = 1\nzones = \"a\"\nkeys = \"a/b\"", &[("MX1015", 3, 8)]),
            ("version = 1\n[server]\nudp_size = 4096", &[("MX1005", 3, 12)]),
            ("version = 1\n[rate_limit]\nanswers_per_second = -1", &[("MX1005", 3, 22)]),
            ("version = 1\n[rate_limit]\ndry_run = \"yes\"", &[("MX1003", 3, 11)]),
            ("version = 1\n[server]\nlisten = []", &[("MX1005", 3, 10)]),
            ("version = 1\n[server]\nlisten = [\"127.0.0.1:53\",\n  \"127.0.0.1:53\"]", &[("MX1007", 4, 3)]),
            ("version = 1\n[encrypted]\ndot = [\"127.0.0.1:5300\"]", &[("MX1007", 3, 8)]),
            ("version = 1\n[metrics]\nlisten = \"127.0.0.1:5300\"", &[("MX1007", 3, 10)]),
            ("version = 1\n[server]\ntcp_idle = 10", &[("MX1003", 3, 12)]),
            ("version = 1\n[server]\ntcp_idle = \"2h\"", &[("MX1005", 3, 12)]),
            ("version = 1\n[server]\ntcp_connections = 5\ntcp_connections_per_source = 6", &[("MX1009", 4, 30)]),
            ("version = 1\n[server]\nuser = \"root:root\"", &[("MX1005", 3, 8)]),
            ("version = 1\n[server]\nnsid = \"ä\"", &[("MX1005", 3, 8)]),
            ("version = 1\n[encrypted]\nkey = \"k\"", &[("MX1016", 3, 7)]),
            ("version = 1\n[zone.\"a..b\"]", &[("MX1011", 2, 7)]),
            ("version = 1\n[zone.\"bücher example\"]", &[("MX1011", 2, 7)]),
            ("version = 1\n[zone.\"a b\"]", &[("MX1011", 2, 7)]),
            ("version = 1\n[zone.\"xn--bcher-kva.example\"]\n[zone.\"bücher.example\"]", &[("MX1011", 3, 7)]),
            ("version = 1\n[zone.\"a.b\"]\n[zone.\"A.b.\"]", &[("MX1011", 3, 7)]),
            ("version = 1\n[zone.mx.example]\nsigned = false", &[("MX1011", 2, 10)]),
            ("version = 1\nzone = 3", &[("MX1003", 2, 8)]),
            ("version = 1\n[zone.\"a.b\"]\npolicy = \"registri\"", &[("MX1012", 3, 10)]),
            ("version = 1\n[zone.\"a.b\"]\nparents = [\"ns.example\"]", &[("MX1006", 3, 12)]),
            ("version = 1\n[policy.p]\nalgorithm = 8", &[("MX1010", 3, 13)]),
            ("version = 1\n[policy.p]\nkeys = \"zsk\"", &[("MX1010", 3, 8)]),
            ("version = 1\n[policy.p]\nmargin = \"1y\"", &[("MX1008", 3, 10)]),
            ("version = 1\n[policy.p]\ndnskey_ttl = \"2d\"", &[("MX1005", 3, 14)]),
            ("version = 1\n[policy.p]\nsignature_grid = \"2d\"", &[("MX1009", 3, 18)]),
            ("version = 1\n[policy.p]\ndnskey_refresh = \"14d\"", &[("MX1009", 3, 18)]),
            (
                "version = 1\n[policy.p]\nsignature_life = \"1d\"\ndnskey_ttl = \"13h\"",
                &[("MX1009", 3, 18), ("MX1105", 4, 14)],
            ),
            ("version = 1\n[policy.p]\ndnskey_refresh = \"30m\"", &[("MX1009", 3, 18), ("MX1101", 3, 18)]),
        ];
        for (text, expected) in cases {
            assert_eq!(errors(text), *expected, "{text}");
        }
    }

    #[test]
    fn the_order_of_rolls_and_the_pace_of_parents_are_read() {
        let (config, warnings) = good(
            "version = 1\n[rolls]\ncanary = \"A-V1.mx.example.\"\ntogether = 3\nanchors = \"a.txt\"\n\
             [policy.registry]\nparent_poll = \"30m\"",
        );
        assert_eq!(warnings, vec![]);
        assert_eq!((config.rolls.canary.as_deref(), config.rolls.together), (Some("a-v1.mx.example"), 3));
        assert_eq!(config.rolls.anchors, Some(PathBuf::from("a.txt")));
        assert_eq!(config.policy_for("mx.example", false).parent_poll, 1800);
        let default = good("version = 1\n[rolls]\ncanary = \"\"").0;
        assert_eq!((default.rolls.canary, default.rolls.together, default.rolls.anchors), (None, 1, None));
        let resolved = config.resolve(Path::new("/etc/mxseal"));
        assert_eq!(resolved.rolls.anchors, Some("/etc/mxseal/a.txt".into()));
    }

    #[test]
    fn faults_in_the_order_of_rolls_have_their_places() {
        let cases: &[(&str, &[Found])] = &[
            ("version = 1\nrolls = 3", &[("MX1003", 2, 9)]),
            ("version = 1\n[rolls]\ncanari = \"a.b\"", &[("MX1002", 3, 1)]),
            ("version = 1\n[rolls]\ncanary = 1", &[("MX1003", 3, 10)]),
            ("version = 1\n[rolls]\ncanary = \"a..b\"", &[("MX1011", 3, 10)]),
            ("version = 1\n[rolls]\ntogether = \"all\"", &[("MX1003", 3, 12)]),
            ("version = 1\n[rolls]\ntogether = 0", &[("MX1005", 3, 12)]),
            ("version = 1\n[rolls]\nanchors = 1", &[("MX1003", 3, 11)]),
            ("version = 1\n[rolls]\nanchors = \"\"", &[("MX1013", 3, 11)]),
            ("version = 1\n[policy.p]\nparent_poll = 600", &[("MX1003", 3, 15)]),
            ("version = 1\n[policy.p]\nparent_poll = \"0s\"", &[("MX1005", 3, 15)]),
            ("version = 1\n[policy.p]\nparent_poll = \"soon\"", &[("MX1008", 3, 15)]),
            ("version = 1\n[policy.p]\nparent_pol = \"1h\"", &[("MX1002", 3, 1)]),
        ];
        for (text, expected) in cases {
            assert_eq!(errors(text), *expected, "{text}");
        }
    }

    #[test]
    fn what_is_odd_but_allowed_is_a_warning() {
        let cases: &[(&str, &[Found])] = &[
            ("version = 1\n[metrics]\nlisten = \"192.0.2.1:9153\"", &[("MX1102", 3, 10)]),
            ("version = 1\n[server]\nlisten = [\"127.0.0.1:0\"]", &[("MX1103", 3, 11)]),
            ("version = 1\n[encrypted]\ncertificate = \"c\"\nkey = \"k\"", &[("MX1104", 2, 2)]),
            ("version = 1\n[zone.\"a.b\"]\nsigned = false\npolicy = \"shard\"", &[("MX1104", 4, 10)]),
            ("version = 1\n[policy.p]\nmargin = \"10s\"", &[("MX1101", 3, 10)]),
            ("version = 1\n[policy.p]\ndnskey_ttl = \"2h\"", &[("MX1105", 3, 14)]),
            ("version = 1\n[policy.shard]\ncsk_lifetime = \"10d\"", &[("MX1106", 3, 16)]),
        ];
        for (text, expected) in cases {
            assert_eq!(good(text).1, *expected, "{text}");
        }
    }

    #[test]
    fn a_whole_roll_can_be_made_to_take_seconds() {
        let (config, warnings) = good(
            r#"version = 1
[policy.shard]
csk_lifetime = "2m"
dnskey_ttl = "2s"
signature_life = "20s"
signature_grid = "5s"
inception_before = "10s"
dnskey_life = "30s"
dnskey_refresh = "20s"
margin = "1s"
"#,
        );
        let policy = config.policy_for("a-v1.mx.example", true);
        assert_eq!((policy.dnskey_ttl, policy.dnskey_signatures().grid), (2, 10));
        assert_eq!(warnings.iter().filter(|w| w.0 == "MX1101").count(), 4);
        assert!(!warnings.iter().any(|w| w.0 == "MX1106"), "the roll fits into the life: {warnings:?}");
    }
}

mod rendering {
    use super::*;

    fn finding() -> Diagnostic {
        let text = "[eu-1]\n\n# ü\ntlsa = [\"3 1 1 133b\"]  # next\n";
        let start = text.find("\"3 1 1").unwrap();
        let place = Place::span("zones/pools.toml", text, start, start + 12);
        Diagnostic::error("MX3007", place, "the digest has 64 hex digits", "see `mxseal cert plan`")
    }

    #[test]
    fn a_finding_shows_its_place_a_caret_and_the_way_out() {
        let expected = "\
error[MX3007]: the digest has 64 hex digits
 --> zones/pools.toml:4:9
  |
4 | tlsa = [\"3 1 1 133b\"]  # next
  |         ^^^^^^^^^^^^
  |
  = help: see `mxseal cert plan`
";
        assert_eq!(render::text(&[finding()], false), expected);
        assert!(render::text(&[finding()], true).contains('\u{1b}'));
        assert_eq!(render::text(&[finding(), finding()], false), format!("{expected}\n{expected}"));
    }

    #[test]
    fn a_whole_file_and_an_unquoted_line_have_no_caret() {
        let whole = Diagnostic::warning("MX1004", Place::file("a.toml"), "nothing here", "");
        assert_eq!(render::text(&[whole], false), "warning[MX1004]: nothing here\n--> a.toml\n");
        let mut unquoted = finding();
        unquoted.place.text.clear();
        assert!(render::text(&[unquoted], false).contains("--> zones/pools.toml:4:9\n"));
    }

    #[test]
    fn columns_count_characters_also_behind_tabs_and_wide_ones() {
        let text = "x = [\t\"日本\", \"bad\"]";
        let at = text.find("\"bad").unwrap();
        let place = Place::span("f", text, at, at + 5);
        assert_eq!(place.column, 13);
        let shown = render::text(&[Diagnostic::error("MX4008", place, "m", "")], false);
        assert!(shown.contains("--> f:1:13\n"), "{shown}");
    }

    #[test]
    fn a_file_cannot_move_the_cursor_or_forge_a_finding() {
        let text = "x = \"\u{1b}[2J\u{202e}\"";
        let place = Place::span("a\u{1b}[1m\nerror[MX9999]: b", text, 4, 8);
        let shown = render::text(&[Diagnostic::error("MX4008", place, "\u{1b}]0;t\u{7}", "a\nb")], false);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("error[MX9999]")), "{shown}");
    }

    #[test]
    fn programs_get_one_line_of_json() {
        let mut finding = finding();
        finding.message.push('\n');
        let line = render::json_line(&finding);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "severity": "error", "code": "MX3007", "file": "zones/pools.toml", "line": 4, "column": 9,
            "message": "the digest has 64 hex digits\n", "help": "see `mxseal cert plan`"
        });
        assert_eq!(value, expected);
    }
}
