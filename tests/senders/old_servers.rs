//! The servers that a zone has now are found through the DNS and asked which of its keys are in use.
//!
//! A namespace of its own holds a root server, at an address that is built in, and the zone's servers: Knot, all at port 53.

use super::lab::{Lab, has, text};
use std::fs;

const CONFIG: &str =
    "version = 1\n[server]\nlisten = [\"127.0.0.1:5300\"]\n[metrics]\nlisten = \"\"\n[log]\nlevel = \"warn\"\n";
const ROOT: &str = "$TTL 60\n. SOA a.root. host.root. 1 4h 1h 2w 60\n. NS a.root.\na.root. A 198.41.0.4\n\
    moved.example. NS ns1.moved.example.\nmoved.example. NS ns2.moved.example.\n\
    ns1.moved.example. A 192.0.2.53\nns2.moved.example. A 192.0.2.54\n";
const ZONE: &str =
    "$TTL 2\n@ SOA ns1 hostmaster 1 4h 1h 2w 2\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.53\nns2 A 192.0.2.54\n";
/// A root server, and those of the zone.
const ADDRESSES: [&str; 3] = ["198.41.0.4", "192.0.2.53", "192.0.2.54"];

/// Knot in a folder of its own.
fn knot(lab: &mut Lab, folder: &str, at: &str, zone: &str, content: &str, is_signed: bool) {
    let signed = if is_signed { "    dnssec-signing: on\n    dnssec-policy: own\n" } else { "" };
    let place = text(&lab.path(folder));
    let config = format!(
        "server:\n  rundir: {place}\n  listen: {at}@53\n  background-workers: 1\n  udp-workers: 1\n  tcp-workers: 1\n\
         database:\n  storage: {place}\nlog:\n  - target: stderr\n    any: warning\n\
         policy:\n  - id: own\n    algorithm: ECDSAP256SHA256\n    cds-cdnskey-publish: none\n\
         zone:\n  - domain: \"{zone}\"\n    storage: {place}\n    file: zone\n    zonefile-sync: -1\n    \
         journal-content: all\n    semantic-checks: off\n{signed}"
    );
    lab.write(&format!("{folder}/zone"), content);
    lab.write(&format!("{folder}/knot.conf"), config);
    lab.spawn(folder, "sh", &["-ec", "echo $$ > \"$0/pid\"; exec knotd -c \"$0/knot.conf\"", &place]);
    let wanted = if is_signed { "RRSIG" } else { "SOA" };
    lab.until("Knot", || answer(lab, at, 53, zone, &["SOA", "+dnssec"]).contains(wanted));
}

/// Ends it, by the number that it has in the namespace.
fn end(lab: &Lab, folder: &str, at: &str) {
    let ended = lab.inside("kill", &[lab.read(&format!("{folder}/pid")).trim()]).status().unwrap();
    assert!(ended.success());
    lab.until("its end", || !answer(lab, at, 53, "moved.example", &["SOA"]).contains("\tSOA\t"));
}

/// What a server answers, as dig prints it.
fn answer(lab: &Lab, at: &str, port: u16, name: &str, more: &[&str]) -> String {
    let (at, port) = (format!("@{at}"), port.to_string());
    let fixed = ["+norecurse", "+noall", "+answer", "+time=2", "+tries=1", "-p", &port, &at, name];
    let output = lab.inside("dig", &[&fixed[..], more].concat()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The keys of the zone as the old server's guide says, and one that it will publish in five days.
fn keys(lab: &Lab) {
    let script = "cd \"$0\"; mkdir -p ../brought; m() { keymgr -c knot.conf moved.example \"$@\"; }\n\
        m generate algorithm=13 publish=+5d active=+10d >/dev/null\n\
        m list | while read -r id tag _; do case $id in *[!0-9a-f]*) continue;; esac\n\
        cp keys/keys/$id.pem ../brought/$tag.pem; m dnskey $tag > ../brought/$tag.key; done";
    let output = lab.inside("sh", &["-ec", script, &text(&lab.path("one"))]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(lab.path("brought")).unwrap().count(), 6, "three keys, two files each");
}

/// `keys import` in the namespace, which must end with this code; what it printed to both.
#[track_caller]
fn import(lab: &Lab, code: i32, more: &[&str]) -> String {
    let config = text(&lab.path("mxseal.toml"));
    let fixed = ["--config", &config, "keys", "import", "moved.example", "brought", "--ttl", "1h", "--life", "14d"];
    let output = lab.inside(env!("CARGO_BIN_EXE_mxseal"), &[&fixed[..], more].concat()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{more:?}\n{said}");
    said
}

#[test]
fn keys_that_the_zones_servers_use_are_brought_in_without_a_word_about_them_in_the_files() {
    for program in ["knotd", "keymgr", "dig"] {
        assert!(has(program), "{program} is missing: run tests/run, which installs it");
    }
    let mut lab = Lab::new();
    for address in ADDRESSES {
        let added = lab.inside("ip", &["addr", "add", &format!("{address}/32"), "dev", "lo"]).status().unwrap();
        assert!(added.success());
    }
    knot(&mut lab, "root", "198.41.0.4", ".", ROOT, false);
    knot(&mut lab, "one", "192.0.2.53", "moved.example", ZONE, true);
    keys(&lab);
    lab.write("mxseal.toml", CONFIG);
    lab.write("zones/other.example.zone", "$TTL 2\n@ SOA ns1 h 1 4h 1h 2w 2\n@ NS ns1\nns1 A 127.0.0.1\n");
    let config = text(&lab.path("mxseal.toml"));
    lab.spawn("mxseal", env!("CARGO_BIN_EXE_mxseal"), &["--config", &config, "serve"]);
    lab.until("mxseal", || lab.mxseal(&["status"]).status.code() != Some(3));
    // Knot's files say nothing of their use: nobody guesses.
    let said = import(&lab, 4, &["--from", "none", "--dry-run"]);
    assert!(said.contains("nobody was asked") && said.contains("nobody guesses"), "{said}");
    // One of two servers answers, and it knows.
    let said = import(&lab, 0, &["--dry-run"]);
    assert!(said.contains("192.0.2.53:53 was asked for DNSKEY and SOA"), "{said}");
    assert!(said.contains("192.0.2.53:53 does not publish it: it is left out"), "{said}");
    // The other one has keys of its own: nobody guesses which of them is right.
    knot(&mut lab, "two", "192.0.2.54", "moved.example", ZONE, true);
    let said = import(&lab, 4, &["--dry-run"]);
    assert!(said.contains("do not have the same keys in use") && said.contains("192.0.2.54:53 was asked"), "{said}");
    assert!(import(&lab, 4, &["--from", "192.0.2.54", "--dry-run"]).contains("keys that are not among these files"));
    end(&lab, "two", "192.0.2.54");
    // A parent that is named in the configuration leads to the same servers.
    let parent = format!("{CONFIG}[zone.\"moved.example\"]\nparents = [\"198.41.0.4\"]\n");
    lab.write("mxseal.toml", &parent);
    assert!(import(&lab, 0, &["--dry-run"]).contains("192.0.2.53:53 was asked for DNSKEY and SOA"));
    // Nobody answers: that is said, and the files have to do, which do not tell.
    let before = answer(&lab, "192.0.2.53", 53, "moved.example", &["DNSKEY", "+short"]);
    let signer = answer(&lab, "192.0.2.53", 53, "moved.example", &["SOA", "+dnssec", "+short"]);
    end(&lab, "one", "192.0.2.53");
    let said = import(&lab, 4, &["--dry-run"]);
    assert!(said.contains("nobody could be asked which keys moved.example. has in use"), "{said}");
    assert!(said.contains("dates and states in the files decide") && said.contains("192.0.2.5"), "{said}");
    knot(&mut lab, "one", "192.0.2.53", "moved.example", ZONE, true);
    // Held, or the next ZSK is published some milliseconds after the zone's file is there.
    let said = import(&lab, 0, &["--hold", "the old server still answers", "-o", "json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said["asked"].as_str().unwrap().contains("192.0.2.53:53 was asked"), "{said}");
    lab.write("zones/moved.example.zone", ZONE);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    lab.until("the same keys here", || {
        sorted(&answer(&lab, "127.0.0.1", 5300, "moved.example", &["DNSKEY", "+short"])) == sorted(&before)
    });
    let tag = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("SOA ")).map(str::to_owned);
        line.and_then(|line| line.split_whitespace().nth(6).map(str::to_owned))
    };
    let here = answer(&lab, "127.0.0.1", 5300, "moved.example", &["SOA", "+dnssec", "+short"]);
    assert!(tag(&here).is_some() && tag(&here) == tag(&signer), "{here}\n{signer}");
}
