//! Certificates, chains and private keys of hosts, judged by openssl: digests, requests, and every broken file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use mxseal::cert::chain::{ChainFault, Expected, Flaw, covers, parse_pem, shown};
use mxseal::cert::make::{MakeFault, PrivateKey};
use mxseal::cert::{Chain, KeyKind, Roots, Spki};
use mxseal::time::UnixTime;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const KINDS: [(&str, &[&str], KeyKind); 4] = [
    ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], KeyKind::Rsa),
    ("p256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], KeyKind::EcdsaP256),
    ("p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], KeyKind::EcdsaP384),
    ("ed25519", &["ED25519"], KeyKind::Ed25519),
];

/// Kinds of which only the digest is needed: nothing here makes or reads their private keys.
const OTHER_KINDS: [(&str, &[&str], KeyKind); 5] = [
    ("p521", &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"], KeyKind::EcdsaP521),
    ("pss", &["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], KeyKind::RsaPss),
    ("ed448", &["ED448"], KeyKind::Other),
    ("brainpool", &["EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"], KeyKind::Other),
    ("rsa8192", &["RSA", "-pkeyopt", "rsa_keygen_bits:8192"], KeyKind::Rsa),
];

struct Lab(TempDir);

impl Lab {
    fn new() -> Lab {
        Lab(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap()
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn key(&self, name: &str, algorithm: &[&str]) {
        self.openssl(&[&["genpkey", "-out", &format!("{name}.key"), "-algorithm"][..], algorithm].concat());
    }

    /// A certificate that its key signs, for `*.mx.example`.
    fn own(&self, name: &str, algorithm: &[&str]) -> Vec<u8> {
        self.key(name, algorithm);
        let out = format!("{name}.pem");
        let names = "subjectAltName=DNS:*.mx.example,DNS:MX.example";
        self.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &format!("{name}.key"),
            "-subj",
            "/CN=x",
            "-days",
            "90",
            "-addext",
            names,
            "-out",
            &out,
        ]);
        self.read(&out)
    }

    /// A root, an intermediate, and a host's certificate below: the three in PEM.
    fn authority(&self) -> [Vec<u8>; 3] {
        for name in ["root", "between", "leaf"] {
            self.key(name, KINDS[1].1);
        }
        self.openssl(&[
            "req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=root", "-days", "900", "-out", "root.pem",
        ]);
        fs::write(self.at("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n").unwrap();
        fs::write(
            self.at("leaf.ext"),
            "basicConstraints=CA:FALSE\nsubjectAltName=DNS:*.mx.example\nextendedKeyUsage=serverAuth\n",
        )
        .unwrap();
        for (name, by, ext) in [("between", "root", "ca.ext"), ("leaf", "between", "leaf.ext")] {
            self.openssl(&[
                "req",
                "-new",
                "-key",
                &format!("{name}.key"),
                "-subj",
                &format!("/CN={name}"),
                "-out",
                "r.csr",
            ]);
            self.openssl(&[
                "x509",
                "-req",
                "-in",
                "r.csr",
                "-CA",
                &format!("{by}.pem"),
                "-CAkey",
                &format!("{by}.key"),
                "-days",
                "90",
                "-extfile",
                ext,
                "-out",
                &format!("{name}.pem"),
            ]);
        }
        ["root.pem", "between.pem", "leaf.pem"].map(|name| self.read(name))
    }
}

fn spki(lab: &Lab, pem: &str) -> Spki {
    let script = "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r";
    let output = Command::new("sh").args(["-ec", script, &lab.at(pem)]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

fn flaws(chain: &Chain, names: &[&str], roots: Option<&Roots>) -> Vec<Flaw> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let now = UnixTime(chain.leaf.not_before.0 + 60);
    chain.flaws(&Expected { spki: None, names: &names, now, roots })
}

#[test]
fn digest_kind_names_and_dates_of_each_kind_are_those_that_openssl_sees() {
    let lab = Lab::new();
    for (name, algorithm, kind) in KINDS {
        let chain = parse_pem(&lab.own(name, algorithm)).unwrap();
        assert_eq!((chain.leaf.spki, chain.leaf.kind), (spki(&lab, &format!("{name}.pem")), kind));
        assert_eq!(chain.leaf.names, ["*.mx.example", "mx.example"]);
        assert_eq!(chain.leaf.not_after.0 - chain.leaf.not_before.0, 90 * 86_400);
        assert!(chain.leaf.self_signed);
        let key = PrivateKey::parse_pem(&lab.read(&format!("{name}.key"))).unwrap();
        assert_eq!((key.kind(), key.spki()), (kind, chain.leaf.spki), "its public half is derived again");
        assert!(chain.is_for(&key));
    }
}

#[test]
fn a_file_cut_at_any_octet_is_refused_and_never_gives_another_digest() {
    let lab = Lab::new();
    let pem = lab.own("p256", KINDS[1].1);
    let whole = parse_pem(&pem).unwrap().leaf.spki;
    for cut in 0..pem.len() - 1 {
        match parse_pem(&pem[..cut]) {
            Ok(chain) => assert_eq!(chain.leaf.spki, whole, "{cut}"),
            Err(ChainFault::Empty | ChainFault::Truncated | ChainFault::NoCertificate) => {}
            Err(other) => panic!("{cut}: {other}"),
        }
    }
    assert_eq!(parse_pem(b"\n \n"), Err(ChainFault::Empty));
}

#[test]
fn misordered_mixed_and_wrong_files_say_what_is_wrong_and_never_quote() {
    let lab = Lab::new();
    let [root, between, leaf] = lab.authority();
    let other = lab.own("p384", KINDS[2].1);
    assert_eq!(parse_pem(&[&leaf[..], &between, &root].concat()).unwrap().der.len(), 3);
    assert_eq!(parse_pem(&[&between[..], &leaf].concat()), Err(ChainFault::Misordered));
    // A leaf of another key behind the first one: openssl's self-signed ones call themselves authorities, so a plain leaf.
    lab.key("second", KINDS[1].1);
    lab.openssl(&["req", "-new", "-key", "second.key", "-subj", "/CN=second", "-out", "s.csr"]);
    lab.openssl(&[
        "x509",
        "-req",
        "-in",
        "s.csr",
        "-CA",
        "between.pem",
        "-CAkey",
        "between.key",
        "-days",
        "90",
        "-extfile",
        "leaf.ext",
        "-out",
        "second.pem",
    ]);
    assert_eq!(parse_pem(&[&leaf[..], &lab.read("second.pem")].concat()), Err(ChainFault::Mixed));
    assert_eq!(parse_pem(&lab.read("leaf.key")), Err(ChainFault::OnlyKey));
    let both = [&lab.read("p384.key")[..], &other].concat();
    assert_eq!(parse_pem(&both).unwrap().leaf.kind, KeyKind::EcdsaP384, "its key in front is passed over");
    let crossed = [&lab.read("leaf.key")[..], &other].concat();
    assert_eq!(parse_pem(&crossed), Err(ChainFault::OtherKey));
    assert_eq!(shown(vec![vec![1, 2, 3]]), Err(ChainFault::NotX509(1)));
    assert_eq!(shown(Vec::new()), Err(ChainFault::NoCertificate));
    let garbage = b"-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
    assert_eq!(parse_pem(garbage), Err(ChainFault::NotX509(1)));
    let many: Vec<u8> = std::iter::repeat_n(leaf.clone(), 17).flatten().collect();
    assert_eq!(parse_pem(&many), Err(ChainFault::TooMany));
    let short = lab.own("short", &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    assert_eq!(parse_pem(&short), Err(ChainFault::ShortKey(1024)));
}

#[test]
fn a_key_of_any_kind_can_be_published() {
    let lab = Lab::new();
    for (name, algorithm, kind) in OTHER_KINDS {
        let chain = parse_pem(&lab.own(name, algorithm)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!((chain.leaf.spki, chain.leaf.kind), (spki(&lab, &format!("{name}.pem")), kind), "{name}");
        let both = [lab.read(&format!("{name}.key")), lab.read(&format!("{name}.pem"))].concat();
        assert_eq!(parse_pem(&both).unwrap().leaf, chain.leaf, "{name}: its private key beside it says nothing");
    }
    for kind in [KeyKind::EcdsaP521, KeyKind::RsaPss, KeyKind::Other] {
        assert_eq!(PrivateKey::generate(kind).err(), Some(MakeFault::Elsewhere(kind)));
    }
}

/// Certificates of one key by words of openssl's configuration, and with the changes that its DER gets afterwards.
fn odd_certificates(lab: &Lab) -> Vec<(String, Vec<u8>)> {
    lab.key("odd", KINDS[1].1);
    lab.openssl(&["req", "-new", "-key", "odd.key", "-subj", "/CN=mx.example", "-out", "odd.csr"]);
    let mut all = Vec::new();
    let extensions = [
        ("version 1", ""),
        ("an authority", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"),
        ("an unknown critical extension", "1.2.3.4=critical,ASN1:NULL\n"),
        ("two of the same", "1.2.3.4=DER:05:00\n1.2.3.5=critical,DER:05:00\nbasicConstraints=CA:FALSE\n"),
        ("for clients alone", "extendedKeyUsage=critical,clientAuth\n"),
        ("names that are none", "subjectAltName=critical,DER:30:03:82:05:61\n"),
        ("a usage that is none", "keyUsage=critical,DER:04:00\n"),
        ("constraints of names", "nameConstraints=critical,excluded;DNS:.\n"),
        ("a poisoned one", "1.3.6.1.4.1.11129.2.4.3=critical,ASN1:NULL\n"),
    ];
    for (name, text) in extensions {
        fs::write(lab.at("odd.ext"), text).unwrap();
        let more: &[&str] = if text.is_empty() { &[] } else { &["-extfile", "odd.ext"] };
        let make = ["x509", "-req", "-in", "odd.csr", "-signkey", "odd.key", "-outform", "der", "-out", "odd.der"];
        lab.openssl(&[&make[..], more].concat());
        let der = lab.read("odd.der");
        // Dates that are none, which openssl reads all the same until somebody asks for them.
        let mut undated = der.clone();
        let at = undated.windows(2).position(|two| two == [0x17, 13]).unwrap();
        undated[at + 2..at + 15].copy_from_slice(b"999999999999Z");
        all.push((format!("{name}, with no date"), undated));
        all.push((name.to_owned(), der));
    }
    all
}

#[test]
fn what_a_host_shows_first_is_its_own_whatever_it_says_and_whatever_is_behind_it() {
    let lab = Lab::new();
    let [root, between, leaf] = lab.authority();
    let der = |pem: &[u8]| parse_pem(pem).map(|chain| chain.der[0].clone());
    let behind = [der(&root).unwrap(), der(&leaf).unwrap(), b"no certificate".to_vec()];
    for (name, first) in odd_certificates(&lab) {
        fs::write(lab.at("odd.der"), &first).unwrap();
        lab.openssl(&["x509", "-inform", "der", "-in", "odd.der", "-out", "odd.pem"]);
        let wanted = spki(&lab, "odd.pem");
        for count in 0..=behind.len() {
            let all = [&[first.clone()][..], &behind[..count]].concat();
            assert_eq!(shown(all).map(|chain| chain.leaf.spki), Ok(wanted), "{name}, {count} behind");
        }
    }
    let many = std::iter::repeat_n(der(&leaf).unwrap(), 40).collect();
    assert!(shown(many).is_ok(), "what is behind is not counted");
    assert_eq!(der(&between), Err(ChainFault::Authority), "as a file it is no host's");
}

#[test]
fn in_a_file_the_first_is_the_host_s_unless_it_is_known_as_an_issuer_s() {
    let lab = Lab::new();
    let [root, between, leaf] = lab.authority();
    let sign = |name: &str, options: &str| {
        fs::write(lab.at("kind.ext"), options).unwrap();
        let make = ["x509", "-req", "-in", "r.csr", "-CA", "root.pem", "-CAkey", "root.key", "-extfile", "kind.ext"];
        lab.key(name, KINDS[1].1);
        let (key, out) = (format!("{name}.key"), format!("{name}.pem"));
        lab.openssl(&["req", "-new", "-key", &key, "-subj", "/CN=one", "-out", "r.csr"]);
        lab.openssl(&[&make[..], &["-out", &out]].concat());
        lab.read(&out)
    };
    let host = "subjectAltName=DNS:mx.example\nbasicConstraints=CA:TRUE\n";
    let every = "keyUsage=digitalSignature,keyCertSign\n";
    for (name, first) in [
        ("an authority's with a host's name", sign("a", host)),
        ("the same for all uses", sign("b", &format!("{host}{every}"))),
        ("an authority's without a use", sign("c", "basicConstraints=CA:TRUE\n")),
        ("version 1", sign("d", "# nothing\n")),
    ] {
        fs::write(lab.at("chain.pem"), [&first[..], &root].concat()).unwrap();
        let chain = parse_pem(&lab.read("chain.pem")).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(chain.leaf.spki, spki(&lab, "chain.pem"), "{name}");
    }
    // What public authorities' intermediate certificates say, which `chain.pem` of certbot begins with.
    let public =
        sign("e", &format!("basicConstraints=critical,CA:TRUE,pathlen:0\n{every}extendedKeyUsage=serverAuth\n"));
    assert_eq!(parse_pem(&public), Err(ChainFault::Authority));
    assert_eq!(parse_pem(&[&public[..], &root].concat()), Err(ChainFault::Authority));
    assert_eq!(parse_pem(&[&between[..], &leaf].concat()), Err(ChainFault::Misordered));
}

/// Files by name, and whether they must be taken.
fn chain_files(lab: &Lab) -> Vec<(&'static str, bool, Vec<u8>)> {
    let [root, between, leaf] = lab.authority().map(|pem| String::from_utf8(pem).unwrap());
    let ends = ["-in", "leaf.pem", "-trustout"];
    let trusted = lab.openssl(&[&["x509"][..], &ends].concat());
    let pkcs7 = lab.openssl(&["crl2pkcs7", "-nocrl", "-certfile", "leaf.pem"]);
    let text = lab.openssl(&["x509", "-in", "leaf.pem", "-text"]);
    let curve = lab.openssl(&["ecparam", "-name", "prime256v1"]);
    let locked = lab.openssl(&["pkcs8", "-topk8", "-in", "leaf.key", "-passout", "pass:x"]);
    let csr = lab.openssl(&["req", "-new", "-key", "leaf.key", "-subj", "/CN=leaf"]);
    let key = String::from_utf8(lab.read("leaf.key")).unwrap();
    let own = String::from_utf8(lab.own("own", KINDS[1].1)).unwrap();
    let begin = |with: &str| leaf.replace("-----BEGIN CERTIFICATE-----", with) + &root;
    let all = vec![
        ("plain", true, format!("{leaf}{between}{root}")),
        ("the host's key in front", true, format!("{curve}{key}{leaf}{between}")),
        ("a key with a passphrase", true, format!("{locked}{leaf}{between}")),
        ("carriage returns", true, format!("{leaf}{root}").replace('\n', "\r\n")),
        ("text around", true, format!("# mx1\n{text}\nsubject=CN = root\n{root}# the end\n\u{1a}\0")),
        ("no last line end", true, format!("{leaf}{}", root.trim_end())),
        ("an older name", true, leaf.replace(" CERTIFICATE-", " X509 CERTIFICATE-") + &root),
        ("alone and self-signed", true, own.clone()),
        ("the same one twice", true, own.repeat(2)),
        ("trusted", false, trusted + &root),
        ("PKCS#7", false, pkcs7 + &root),
        ("a request", false, csr + &root),
        ("indented", false, begin(" -----BEGIN CERTIFICATE-----")),
        ("a byte order mark", false, begin("\u{feff}-----BEGIN CERTIFICATE-----")),
        ("lower case", false, begin("-----begin certificate-----")),
        ("four dashes", false, begin("----BEGIN CERTIFICATE-----")),
        ("an unfinished begin", false, begin("-----BEGIN CERTIFICATE")),
        ("no begin", false, begin("")),
        ("two in one line", false, format!("{}{}{root}", key.trim_end(), leaf)),
        ("an issuer first", false, format!("{between}{leaf}")),
        ("an issuer and its issuer", false, format!("{between}{root}")),
    ];
    all.into_iter().map(|(name, good, text)| (name, good, text.into_bytes())).collect()
}

#[test]
fn the_host_s_certificate_is_the_one_that_openssl_presents_or_the_file_is_refused() {
    let lab = Lab::new();
    for (name, is_good, octets) in chain_files(&lab) {
        fs::write(lab.at("chain.pem"), &octets).unwrap();
        match parse_pem(&octets) {
            Ok(chain) => assert_eq!(chain.leaf.spki, spki(&lab, "chain.pem"), "{name}"),
            Err(fault) => assert!(!is_good, "{name}: {fault}"),
        }
        assert!(is_good || parse_pem(&octets).is_err(), "{name}");
    }
}

#[test]
fn an_issuer_is_known_by_what_it_issued_whatever_its_certificate_says() {
    let lab = Lab::new();
    for (name, options) in [("v1", ""), ("plain", "basicConstraints=CA:FALSE\n")] {
        lab.key(name, KINDS[1].1);
        lab.key("below", KINDS[1].1);
        fs::write(lab.at("none.ext"), options).unwrap();
        let requests = [(name, "/CN=old root", name), ("below", "/CN=mx.example", "below")];
        for (key, subject, out) in requests {
            let (key, out) = (format!("{key}.key"), format!("{out}.csr"));
            lab.openssl(&["req", "-new", "-key", &key, "-subj", subject, "-out", &out]);
        }
        let (key, root, csr) = (format!("{name}.key"), format!("{name}.pem"), format!("{name}.csr"));
        let extensions: &[&str] = if options.is_empty() { &[] } else { &["-extfile", "none.ext"] };
        let signed = ["x509", "-req", "-in", &csr, "-signkey", &key, "-days", "90", "-out", &root];
        lab.openssl(&[&signed[..], extensions].concat());
        let below =
            ["x509", "-req", "-in", "below.csr", "-CA", &root, "-CAkey", &key, "-days", "90", "-out", "below.pem"];
        lab.openssl(&[&below[..], extensions].concat());
        let (root, below) = (lab.read(&root), lab.read("below.pem"));
        assert_eq!(parse_pem(&[&root[..], &below].concat()), Err(ChainFault::Misordered), "{name}");
        let chain = parse_pem(&[&below[..], &root].concat()).unwrap();
        assert_eq!(chain.leaf.spki, spki(&lab, "below.pem"), "{name}: behind it an issuer is an issuer, too");
    }
    lab.key("ca", KINDS[1].1);
    let usage = "keyUsage=critical,keyCertSign,cRLSign";
    lab.openssl(&["req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=ca", "-addext", usage, "-out", "ca.pem"]);
    assert_eq!(parse_pem(&lab.read("ca.pem")), Err(ChainFault::Authority));
}

#[test]
fn names_dates_and_trust_are_told_apart() {
    let lab = Lab::new();
    let [root, between, leaf] = lab.authority();
    let roots = Roots::parse_pem(&root).unwrap();
    let chain = parse_pem(&[&leaf[..], &between].concat()).unwrap();
    assert_eq!(flaws(&chain, &["a.mx.example", "*.mx.example"], Some(&roots)), []);
    let alone = parse_pem(&leaf).unwrap();
    assert!(matches!(&flaws(&alone, &[], Some(&roots))[..], [Flaw::Untrusted(_)]), "the issuer is missing");
    assert_eq!(flaws(&chain, &["mx.other"], None), [Flaw::Name("mx.other".to_owned())]);
    let own = parse_pem(&lab.own("p256", KINDS[1].1)).unwrap();
    let found = flaws(&own, &[], Some(&roots));
    assert!(matches!(&found[..], [Flaw::Untrusted(_)]) && !found[0].is_fatal());
    let at = |now: u64| chain.flaws(&Expected { spki: None, names: &[], now: UnixTime(now), roots: Some(&roots) });
    let (begin, end) = (chain.leaf.not_before.0, chain.leaf.not_after.0);
    assert_eq!(
        [at(begin - 1), at(end + 1), at(end - 86_400)],
        [vec![Flaw::NotYet], vec![Flaw::Expired], vec![Flaw::EndsSoon]]
    );
    let another = Expected { spki: Some(own.leaf.spki), names: &[], now: UnixTime(begin + 60), roots: None };
    assert!(matches!(&chain.flaws(&another)[..], [Flaw::OtherKey { .. }]));
    assert!(Roots::parse_pem(b"nothing").is_err());
    let mistyped =
        [&String::from_utf8(root.clone()).unwrap().replace("BEGIN", "BEGIN ").into_bytes()[..], &root].concat();
    assert!(Roots::parse_pem(&mistyped).is_err(), "an authority that is not read makes good chains look bad");
    for (pattern, name, good) in [
        ("*.a.example", "x.a.example", true),
        ("*.a.example", "x.y.a.example", false),
        ("*.a.example", "a.example", false),
        ("a.example", "A.Example.", true),
        ("*.a.example", ".a.example", false),
    ] {
        assert_eq!(covers(pattern, name), good, "{pattern} {name}");
    }
}

#[test]
fn requests_and_certificates_made_here_are_good_to_openssl() {
    let lab = Lab::new();
    lab.key("rsa", KINDS[0].1);
    let rsa = PrivateKey::parse_pem(&lab.read("rsa.key")).unwrap();
    let made = KINDS[1..].iter().map(|(_, _, kind)| PrivateKey::generate(*kind).unwrap());
    for key in made.chain([rsa]) {
        let names = ["*.a-v1.mx.example".to_owned(), "mx.example".to_owned()];
        fs::write(lab.at("r.csr"), key.csr(&names).unwrap()).unwrap();
        let said = lab.openssl(&["req", "-in", "r.csr", "-verify", "-noout", "-text"]);
        assert!(said.contains("DNS:*.a-v1.mx.example, DNS:mx.example"), "{said}");
        fs::write(lab.at("own.pem"), key.self_signed(&names, UnixTime(1_795_000_000), 365).unwrap()).unwrap();
        lab.openssl(&["verify", "-no_check_time", "-CAfile", "own.pem", "own.pem"]);
        let chain = parse_pem(&lab.read("own.pem")).unwrap();
        assert!(chain.is_for(&key) && chain.leaf.not_after.0 - chain.leaf.not_before.0 == 365 * 86_400);
        assert_eq!(spki(&lab, "own.pem"), key.spki());
        fs::write(lab.at("own.key"), key.pem()).unwrap();
        lab.openssl(&["pkey", "-in", "own.key", "-noout"]);
        assert_eq!(PrivateKey::parse_pem(key.pem().as_bytes()).unwrap().spki(), key.spki());
    }
    assert_eq!(PrivateKey::generate(KeyKind::Rsa).err(), Some(MakeFault::Rsa));
}

#[test]
fn private_keys_in_older_forms_are_read_and_all_else_is_refused() {
    let lab = Lab::new();
    lab.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.key"]);
    lab.openssl(&["genrsa", "-traditional", "-out", "pkcs1.key", "2048"]);
    lab.openssl(&["genpkey", "-algorithm", "ED25519", "-out", "ed.key"]);
    for (name, kind) in [("sec1", KeyKind::EcdsaP256), ("pkcs1", KeyKind::Rsa), ("ed", KeyKind::Ed25519)] {
        let key =
            PrivateKey::parse_pem(&lab.read(&format!("{name}.key"))).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(key.kind(), kind);
    }
    lab.openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-aes-128-cbc",
        "-pass",
        "pass:x",
        "-out",
        "locked.key",
    ]);
    let certificate = lab.own("p256", KINDS[1].1);
    let key = lab.read("sec1.key");
    for (octets, wanted) in [
        (lab.read("locked.key"), MakeFault::Encrypted),
        (certificate, MakeFault::OnlyCertificate),
        (b"nothing".to_vec(), MakeFault::NoKey),
        ([&key[..], &lab.read("pkcs1.key")].concat(), MakeFault::Several),
        (key[..key.len() - 30].to_vec(), MakeFault::Truncated),
    ] {
        assert_eq!(PrivateKey::parse_pem(&octets).err(), Some(wanted));
    }
}

#[test]
fn octets_by_chance_never_panic() {
    let mut state = 1u64;
    let lab = Lab::new();
    let pem = lab.own("p256", KINDS[1].1);
    for _ in 0..3000 {
        let mut octets = pem.clone();
        for _ in 0..4 {
            let at = mxseal::roll::zone::invented::next(&mut state) as usize % octets.len();
            octets[at] = mxseal::roll::zone::invented::next(&mut state) as u8;
        }
        let _ = parse_pem(&octets).map(|chain| flaws(&chain, &["x.example"], None));
        let _ = PrivateKey::parse_pem(&octets).err();
    }
    assert!(Path::new(&lab.at("p256.pem")).exists());
}
