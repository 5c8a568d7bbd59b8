//! certbot, lego and dehydrated against pebble, by the documented ways.
//!
//! Renewal with the same key, a new key that the hook holds back, and a certificate for the next key by request.

use super::lab::{HOSTS, Lab, TENANT, has, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const NAME: &str = "*.a-v1.mx.example";

/// An authority that believes every challenge, and certbot's folders.
fn authority(lab: &mut Lab) {
    for program in ["pebble", "certbot", "lego", "dehydrated", "curl"] {
        assert!(has(program), "{program} is missing: run tests/run, which installs it");
    }
    lab.certificate("pebble", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let at = |path: &str| text(&lab.path(path));
    let (key, certificate) = (at("made/pebble.key"), at("made/pebble.pem"));
    let by_address = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", &certificate];
    lab.openssl(&[&["req", "-x509", "-new", "-key", &key, "-subj", "/CN=pebble"][..], &by_address].concat());
    let config = serde_json::json!({ "pebble": {
        "listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
        "certificate": at("made/pebble.pem"), "privateKey": at("made/pebble.key"),
        "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    lab.write("pebble.json", config.to_string());
    let config = text(&lab.path("pebble.json"));
    lab.spawn(
        "pebble",
        "env",
        &["PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "pebble", "-config", &config],
    );
    lab.until("pebble", || {
        let log = fs::read_to_string(lab.path("pebble.log")).unwrap_or_default();
        log.contains("Listening on")
    });
}

/// certbot with folders of its own; what it said.
fn certbot(lab: &Lab, arguments: &[&str]) -> String {
    // Whole paths, so that nothing of it can ever land elsewhere.
    let [etc, work, logs] = ["etc", "work", "logs"].map(|folder| text(&lab.path(folder)));
    let folders = ["--config-dir", &etc, "--work-dir", &work, "--logs-dir", &logs];
    let always = [
        "--server",
        "https://127.0.0.1:14000/dir",
        "--no-verify-ssl",
        "--non-interactive",
        "--no-random-sleep-on-renew",
    ];
    let output = lab.inside("certbot", &[arguments, &folders, &always].concat()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "certbot {arguments:?}: {said}");
    said
}

const MANUAL: &[&str] = &[
    "--manual",
    "--preferred-challenges",
    "dns",
    "--manual-auth-hook",
    "/bin/true",
    "--agree-tos",
    "--register-unsafely-without-email",
];

fn script(lab: &Lab, name: &str, body: &str) {
    lab.write(name, format!("#!/bin/sh -e\ncd {}\n{body}", text(&lab.path(""))));
    fs::set_permissions(lab.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn certbot_renews_with_the_same_key_is_held_back_with_a_new_one_and_gets_one_for_the_next_key() {
    let mut lab = Lab::new();
    authority(&mut lab);
    certbot(&lab, &[&["certonly", "--cert-name", "mx", "-d", NAME, "--reuse-key"], MANUAL].concat());
    for host in HOSTS {
        lab.write(
            &format!("hosts/{host}/chain.pem"),
            lab.read("etc/live/mx/privkey.pem") + &lab.read("etc/live/mx/fullchain.pem"),
        );
        lab.postfix(host);
    }
    script(&lab, "deploy", "cat \"$3\" \"$2\" > hosts/$1/new\nmv hosts/$1/new hosts/$1/chain.pem\n");
    let deploy = text(&lab.path("deploy"));
    let more = format!(
        "[pool.\"eu-1\"]\nwebpki = false\ndeploy = [\"{deploy}\", \"{{address}}\", \"{{certificate}}\", \"{{key}}\"]\n"
    );
    lab.serve(&more, &format!("[eu-1]\naddresses = {HOSTS:?}\ncertificates = [\"../etc/live/mx/fullchain.pem\"]\n"));
    let sender = lab.sender();
    lab.until("the next key", || lab.tlsa().len() == 2);
    let (first, before) = (lab.spki("etc/live/mx/fullchain.pem"), lab.tlsa());

    // The hook of the README: no permit, no deployment.
    let mxseal = format!("{} --config {}", env!("CARGO_BIN_EXE_mxseal"), text(&lab.path("mxseal.toml")));
    let hosts = HOSTS.join(" ");
    script(
        &lab,
        "hook",
        &format!(
            "{mxseal} cert permit eu-1 --certificate \"$RENEWED_LINEAGE/fullchain.pem\"\nfor host in {hosts}; do\n\
         cat \"$RENEWED_LINEAGE/privkey.pem\" \"$RENEWED_LINEAGE/fullchain.pem\" > hosts/$host/new\n\
         mv hosts/$host/new hosts/$host/chain.pem\ndone\n"
        ),
    );
    let hook = text(&lab.path("hook"));
    let serial =
        |lab: &Lab| lab.openssl(&["x509", "-in", &text(&lab.path("etc/live/mx/cert.pem")), "-noout", "-serial"]);
    let old_serial = serial(&lab);
    certbot(&lab, &["renew", "--force-renewal", "--deploy-hook", &hook]);
    assert_ne!(serial(&lab), old_serial, "it was renewed");
    assert_eq!(
        (lab.spki("etc/live/mx/fullchain.pem"), lab.tlsa()),
        (first.clone(), before),
        "and nothing in DNS changed"
    );
    let shown = |lab: &Lab| HOSTS.map(|host| lab.shown(host).unwrap());
    assert_eq!(shown(&lab), HOSTS.map(|_| first.clone()));

    // A client that makes a new key (S47): the hook refuses, hosts keep the old one, and the TLSA is added meanwhile.
    let said = certbot(&lab, &["renew", "--force-renewal", "--no-reuse-key", "--new-key", "--deploy-hook", &hook]);
    assert!(said.contains("error code 4") || said.contains("exited with error"), "{said}");
    let second = lab.spki("etc/live/mx/fullchain.pem");
    assert_ne!(second, first);
    assert_eq!(shown(&lab), HOSTS.map(|_| first.clone()), "held back");
    lab.until("its TLSA", || lab.tlsa().contains(&second) && lab.tlsa().contains(&first));
    lab.until("the permit", || lab.mxseal(&["cert", "permit", "eu-1", "--key", &second, "--dry-run"]).status.success());
    let lineage = format!("RENEWED_LINEAGE={}", text(&lab.path("etc/live/mx")));
    assert!(lab.inside("env", &[&lineage, &hook]).status().unwrap().success());
    assert_eq!(shown(&lab), HOSTS.map(|_| second.clone()));
    lab.until("the first TLSA gone", || !lab.tlsa().contains(&first) && lab.tlsa().len() == 2);
    next_by_request(&lab);
    sender.all_verified("certbot: renewal, new key held back, next key by request");
}

/// A certificate for the next key by request: once its TLSA has been served for the wait, hosts get it.
fn next_by_request(lab: &Lab) {
    let csr = text(&lab.path("next.csr"));
    lab.ends(0, &["cert", "csr", "eu-1", "--out", &csr]);
    assert!(lab.openssl(&["req", "-in", &csr, "-noout", "-verify", "-text"]).contains(NAME));
    let full = text(&lab.path("next-full.pem"));
    let [cert, chain] = ["next-cert.pem", "next-chain.pem"].map(|file| text(&lab.path(file)));
    let paths = ["--cert-path", &cert, "--chain-path", &chain, "--fullchain-path", &full];
    certbot(lab, &[&["certonly", "--csr", &csr][..], &paths, MANUAL].concat());
    lab.until("its permit", || {
        lab.mxseal(&["cert", "permit", "eu-1", "--certificate", &full, "--dry-run"]).status.success()
    });
    lab.ends(0, &["cert", "rotate", "eu-1", "--certificate", &full]);
    let third = lab.spki("next-full.pem");
    assert_eq!(HOSTS.map(|host| lab.shown(host).unwrap()), HOSTS.map(|_| third.clone()));
}

/// lego with a folder of its own, whose challenges are always met.
fn lego(lab: &Lab, by_dns: bool, arguments: &[&str]) {
    let (root, folder) =
        (format!("LEGO_CA_CERTIFICATES={}", text(&lab.path("made/pebble.pem"))), text(&lab.path("lego")));
    let always = [
        &root,
        "EXEC_PATH=/bin/true",
        "lego",
        "--path",
        &folder,
        "--server",
        "https://127.0.0.1:14000/dir",
        "--accept-tos",
    ];
    // By DNS it asks a resolver, which is there only once mxseal is.
    let challenge: &[&str] =
        if by_dns { &["--dns", "exec", "--dns.disable-cp"] } else { &["--http", "--http.port", "127.0.0.1:5002"] };
    let more = ["--email", "postmaster@mx.example"];
    let output = lab.inside("env", &[&always[..], &more, challenge, arguments].concat()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // It tells of a hook that refused, and ends with whatever code.
    assert!(said.contains("responded with a certificate"), "lego {arguments:?}: {said}");
}

/// dehydrated with a folder of its own; what it printed.
fn dehydrated(lab: &Lab, renews_key: bool, arguments: &[&str]) -> String {
    let at = |path: &str| text(&lab.path(path));
    let word = if renews_key { "yes" } else { "no" };
    let config = format!(
        "CA=https://127.0.0.1:14000/dir\nBASEDIR={}\nHOOK={}\nPRIVATE_KEY_RENEW={word}\nKEY_ALGO=prime256v1\n\
         CHALLENGETYPE=dns-01\nCURL_OPTS=-k\n",
        at("dehydrated"),
        at("dehydrated-hook")
    );
    lab.write("dehydrated/config", config);
    lab.write("dehydrated/domains.txt", format!("{NAME} > mx\n"));
    let config = at("dehydrated/config");
    let output = lab.inside("dehydrated", &[&["-f", &config], arguments].concat()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn lego_and_dehydrated_keep_the_key_ask_the_gate_and_take_the_request() {
    let mut lab = Lab::new();
    authority(&mut lab);
    let mxseal = format!("{} --config {}", env!("CARGO_BIN_EXE_mxseal"), text(&lab.path("mxseal.toml")));
    script(
        &lab,
        "lego-hook",
        &format!("{mxseal} cert permit eu-1 --certificate \"$LEGO_CERT_PATH\"\necho lego >> let\n"),
    );
    let hook = format!(
        "[ \"$1\" = deploy_cert ] || exit 0\n{mxseal} cert permit eu-1 --certificate \"$5\"\necho dehydrated >> let\n"
    );
    script(&lab, "dehydrated-hook", &hook);
    lego(&lab, false, &["--domains", TENANT, "run"]);
    dehydrated(&lab, false, &["--register", "--accept-terms"]);
    dehydrated(&lab, false, &["-c"]);
    let [lego_file, dehydrated_file] =
        ["lego/certificates/contoso-com.a-v1.mx.example.crt", "dehydrated/certs/mx/fullchain.pem"];
    let key = lab.read("lego/certificates/contoso-com.a-v1.mx.example.key");
    lab.write("hosts/127.0.0.2/chain.pem", key + &lab.read(lego_file));
    lab.postfix("127.0.0.2");
    let pool =
        format!("[eu-1]\naddresses = [\"127.0.0.2\"]\ncertificates = [\"../{lego_file}\", \"../{dehydrated_file}\"]\n");
    lab.serve("[pool.\"eu-1\"]\nwebpki = false\n", &pool);
    lab.until("the next key", || lab.tlsa().len() == 3);
    let (before, spkis) = (lab.tlsa(), [lab.spki(lego_file), lab.spki(dehydrated_file)]);

    let renew = ["--domains", TENANT, "renew", "--days", "3650", "--no-random-sleep", "--renew-hook"];
    let hook = text(&lab.path("lego-hook"));
    lego(&lab, false, &[&renew[..], &[&hook, "--reuse-key"]].concat());
    dehydrated(&lab, false, &["-c", "-x"]);
    assert_eq!(lab.read("let"), "lego\ndehydrated\n", "the gate let both through");
    assert_eq!([lab.spki(lego_file), lab.spki(dehydrated_file)], spkis);
    assert_eq!(lab.tlsa(), before);

    let request = text(&lab.path("next.csr"));
    lab.ends(0, &["cert", "csr", "eu-1", "--out", &request]);
    let printed = dehydrated(&lab, false, &["--signcsr", &request]);
    lab.write("by-dehydrated.pem", printed);
    let next = lab.spki("by-dehydrated.pem");
    assert!(before.contains(&next) && !spkis.contains(&next), "{next}: {before:?}, {spkis:?}");

    // New keys by mistake: the gate holds them back.
    lego(&lab, false, &[&renew[..], &[&hook]].concat());
    dehydrated(&lab, true, &["-c", "-x"]);
    assert!(!spkis.contains(&lab.spki(lego_file)) && !spkis.contains(&lab.spki(dehydrated_file)));
    assert_eq!(lab.read("let"), "lego\ndehydrated\n");
    lego(&lab, true, &["--csr", &request, "run"]);
    assert_eq!(lab.spki("lego/certificates/_.a-v1.mx.example.crt"), next);
}
