//! Hosts as the server sees them: surprises, services that are down, and what is told about them.

use super::lab::{HOSTS, Lab};

#[test]
fn an_rsa_and_an_ecdsa_key_of_one_host_are_both_seen_and_both_published() {
    let mut lab = Lab::new();
    lab.certificate("ecdsa", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    lab.certificate("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let host = HOSTS[0];
    let both: String = ["ecdsa", "rsa"]
        .map(|name| lab.read(&format!("made/{name}.key")) + &lab.read(&format!("made/{name}.pem")))
        .concat();
    lab.write(&format!("hosts/{host}/chain.pem"), both);
    lab.postfix(host);
    for name in ["ecdsa", "rsa"] {
        lab.write(&format!("certs/{name}.pem"), lab.read(&format!("made/{name}.pem")));
    }
    let pools =
        format!("[eu-1]\naddresses = [\"{host}\"]\ncertificates = [\"../certs/ecdsa.pem\", \"../certs/rsa.pem\"]\n");
    lab.serve("[pool.\"eu-1\"]\nwebpki = false\n", &pools);
    lab.until("all looked at", || lab.status("eu-1")["hosts"][0]["matches"] == true);
    let status = lab.status("eu-1");
    let shows = status["hosts"][0]["shows"].as_array().unwrap();
    for (class, name) in [("rsa", "rsa"), ("ecdsa", "ecdsa")] {
        let spki = lab.spki(&format!("certs/{name}.pem"));
        let seen: Vec<_> =
            shows.iter().filter(|shown| shown["class"] == class).map(|shown| shown["spki"].clone()).collect();
        assert_eq!(seen, [serde_json::json!(spki), serde_json::json!(spki)], "with a name and without");
        assert!(lab.tlsa().contains(&spki));
    }
    let none = shows.iter().filter(|shown| shown["class"] == "ed25519").all(|shown| shown["spki"].is_null());
    assert!(none, "{shows:?}");
    // ring makes no RSA key: the operator is told, and brings one.
    let must = status["must"].to_string();
    assert!(must.contains("openssl genpkey"), "{must}");
    lab.openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &super::lab::text(&lab.path("next-rsa.pem")),
    ]);
    lab.ends(0, &["cert", "stage", "eu-1", "--key", &super::lab::text(&lab.path("next-rsa.pem"))]);
    lab.until("current and next of both kinds", || lab.tlsa().len() == 4);
    lab.ends(4, &["cert", "stage", "eu-1", "--key", &super::lab::text(&lab.path("next-rsa.pem"))]);
}

#[test]
fn a_host_added_with_a_wrong_key_never_enters_and_one_without_starttls_is_named() {
    let mut lab = Lab::new();
    lab.certificate("first", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    lab.certificate("wrong", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    for (host, name) in [(HOSTS[0], "first"), (HOSTS[1], "wrong"), (HOSTS[2], "first")] {
        lab.give(host, name);
        lab.postfix(host);
    }
    lab.write("certs/chain.pem", lab.read("made/first.pem"));
    let pools = |hosts: &[&str]| format!("[eu-1]\naddresses = {hosts:?}\ncertificates = [\"../certs/chain.pem\"]\n");
    lab.serve("[pool.\"eu-1\"]\nwebpki = false\n", &pools(&HOSTS[..1]));
    let sender = lab.sender();
    lab.until("the next key", || lab.tlsa().len() == 2);
    lab.write("zones/pools.toml", pools(&HOSTS));
    lab.until("the good host served", || lab.addresses() == [HOSTS[0], HOSTS[2]]);
    let many = sender.seen().verified + 100;
    lab.until("more verdicts", || sender.seen().verified > many);
    assert_eq!(lab.addresses(), [HOSTS[0], HOSTS[2]]);
    assert!(!lab.tlsa().contains(&lab.spki("made/wrong.pem")), "what only a candidate shows is not published");
    let status = lab.ends(1, &["status"]);
    assert!(status.contains("127.0.0.3 is not served") && status.contains("cert adopt eu-1"), "{status}");
    lab.give(HOSTS[1], "first");
    lab.until("it is served once it fits", || lab.addresses() == HOSTS);
    sender.all_verified("hosts added");
    // STARTTLS switched off: an alarm that names the host, whose address goes until it is back; the TLSA stay.
    let well = lab.read("hosts/127.0.0.4/c/main.cf");
    let main = well.replace("smtpd_tls_security_level = may", "smtpd_tls_security_level = none");
    lab.write("hosts/127.0.0.4/c/main.cf", main);
    lab.until("the alarm", || {
        let status = String::from_utf8(lab.mxseal(&["status"]).stdout).unwrap();
        status.contains("127.0.0.4 offers no STARTTLS")
    });
    lab.until("it is drained", || lab.addresses() == [HOSTS[0], HOSTS[1]]);
    assert_eq!(lab.tlsa().len(), 2);
    let shown = lab.ends(0, &["pool", "show", "eu-1"]);
    assert!(shown.lines().any(|line| line.contains("127.0.0.4") && line.contains("drained")), "{shown}");
    lab.write("hosts/127.0.0.4/c/main.cf", well);
    lab.until("it is served again", || lab.addresses() == HOSTS);
}

#[test]
fn a_host_at_a_tenants_own_address_is_looked_at_too_and_holds_the_tlsa_that_it_shows() {
    let mut lab = Lab::new();
    lab.certificate("first", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    for host in [HOSTS[0], "127.0.0.5"] {
        lab.give(host, "first");
        lab.postfix(host);
    }
    lab.write("certs/chain.pem", lab.read("made/first.pem"));
    let own = "domain = \"fabrikam.com\"\npool = \"eu-1\"\naddresses = [\"127.0.0.5\"]\n";
    lab.write("zones/a-v1.mx.example/fabrikam.com.toml", own);
    let pool = format!("[eu-1]\naddresses = [\"{}\"]\ncertificates = [\"../certs/chain.pem\"]\n", HOSTS[0]);
    lab.serve("[pool.\"eu-1\"]\nwebpki = false\n", &pool);
    let host = |lab: &Lab| {
        let hosts = lab.status("eu-1")["hosts"].as_array().cloned().unwrap_or_default();
        hosts.into_iter().find(|host| host["address"] == "127.0.0.5").unwrap_or_default()
    };
    lab.until("a look at it", || host(&lab)["matches"] == true);
    assert_eq!(host(&lab)["state"], "tenant's");
    assert_eq!(lab.addresses(), [HOSTS[0]], "others do not get its address");
    // A key that only it shows is none of the pool's: that tenant is told, and nobody else is concerned.
    lab.certificate("second", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let before = lab.tlsa();
    lab.give("127.0.0.5", "second");
    let second = lab.spki("made/second.pem");
    lab.until("the finding at the tenant", || {
        let status = String::from_utf8(lab.mxseal(&["status"]).stdout).unwrap();
        status.contains("fabrikam.com.toml") && status.contains(&second)
    });
    assert_eq!(lab.tlsa(), before);
    assert_ne!(lab.status("eu-1")["state"], "frozen");
    // While it shows one that the files name no more, the TLSA of that one stays; a command goes past it.
    lab.give("127.0.0.5", "first");
    lab.certificate("third", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let first = lab.spki("made/first.pem");
    lab.until("a look at the tenant's host", || host(&lab)["matches"] == true);
    lab.write("certs/chain.pem", lab.read("made/third.pem"));
    let third = lab.spki("made/third.pem");
    lab.until("both TLSA", || lab.tlsa().contains(&third) && lab.tlsa().contains(&first));
    lab.until("a permit", || lab.mxseal(&["cert", "permit", "eu-1", "--key", &third]).status.success());
    lab.give(HOSTS[0], "third");
    lab.until("only the tenant's host holds it", || lab.status("eu-1")["waits"].to_string().contains("127.0.0.5"));
    assert!(lab.tlsa().contains(&first));
    let said = lab.ends(0, &["cert", "drop", "eu-1", "--key", &first]);
    assert!(said.contains("fabrikam.com"), "{said}");
    lab.until("its TLSA gone", || !lab.tlsa().contains(&first));
}
