//! Zone keys that go from other programs to mxseal and back: BIND, ldns, Knot and OpenSSL make, read and judge them.
//!
//! A program that is not installed fails its tests: `tests/run` installs them all. PowerDNS's forms are BIND's text and
//! OpenSSL's PEM; what is its own stands in `tests/corpus/foreign`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use mxseal::dns::name::{Name, ROOT};
use mxseal::sign::export::{BindFiles, Standing, to_bind, to_pem};
use mxseal::sign::foreign::{Foreign, ForeignFault, read_foreign};
use mxseal::sign::handover::{handover, matches_ds};
use mxseal::sign::key::{Key, PublicKey, Role, generate_pkcs8};
use mxseal::time::now;
use proptest::prelude::*;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zeroize::Zeroizing;

const ZONE: &str = "example.com.";
/// Knot's scalars have 33 octets in one of two keys: of so many keys, some are of each length.
const KNOT_KEYS: usize = 12;
const ALGORITHMS: [(u8, &str); 2] = [(13, "ECDSAP256SHA256"), (15, "ED25519")];
const TTL: u32 = 3600;
/// Long enough for a busy machine; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// A folder in which programs run.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        let sbin = PathBuf::from("/usr/sbin").join(program);
        let place = if sbin.is_file() { sbin } else { PathBuf::from(program) };
        let output = Command::new(place).args(args).current_dir(self.0.path()).stdin(Stdio::null()).output();
        output.unwrap_or_else(|fault| panic!("{program}: {fault}; `tests/run` installs it"))
    }

    /// What a program printed that must end well.
    fn said(&self, program: &str, args: &[&str]) -> String {
        let output = self.run(program, args);
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {args:?}: {text}{errors}");
        text.into_owned()
    }

    /// Reads a pair of files.
    fn pair(&self, stem: &str) -> Foreign {
        let (private, public) = (self.read(&format!("{stem}.private")), self.read(&format!("{stem}.key")));
        read_foreign(&private, Some(&public)).unwrap_or_else(|fault| panic!("{stem}: {fault}"))
    }

    /// Writes a pair of files.
    fn keep(&self, files: &BindFiles) {
        self.write(&format!("{}.key", files.stem), &files.key);
        self.write(&format!("{}.private", files.stem), files.private.as_bytes());
        files.state.iter().for_each(|state| self.write(&format!("{}.state", files.stem), state));
    }
}

fn zone() -> Name {
    Name::parse(ZONE, ROOT).unwrap()
}

fn new_key(flags: u16, algorithm: u8) -> (Zeroizing<Vec<u8>>, PublicKey) {
    let der = generate_pkcs8(algorithm).unwrap();
    let public = Key::from_pkcs8(flags, algorithm, &der).unwrap().public_half();
    (der, public)
}

fn key_of(foreign: &Foreign, flags: u16) -> PublicKey {
    Key::from_pkcs8(flags, foreign.algorithm, &foreign.der).unwrap().public_half()
}

/// The words of a record behind its type, joined: base64 and digests may be printed in pieces.
fn data_after(record: &str, rtype: &str) -> String {
    let words = record.split_whitespace().skip_while(|word| *word != rtype);
    words.skip(1).take_while(|word| !word.starts_with(';')).collect()
}

/// DS record data from one line of text.
fn ds_data(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split_whitespace().skip_while(|word| *word != "DS").skip(1).collect();
    let mut data = words[0].parse::<u16>().unwrap().to_be_bytes().to_vec();
    data.extend([words[1].parse::<u8>().unwrap(), words[2].parse().unwrap()]);
    data.extend(data_encoding::HEXUPPER.decode(words[3..].concat().to_ascii_uppercase().as_bytes()).unwrap());
    data
}

#[test]
fn keys_of_bind_have_the_tag_and_the_ds_that_bind_gives_them() {
    for (number, name) in ALGORITHMS {
        for ksk in [&["-f", "KSK"][..], &[]] {
            let folder = Folder::new();
            let stem = folder.said("dnssec-keygen", &[&["-q", "-a", name], ksk, &[ZONE]].concat());
            let stem = stem.trim();
            let foreign = folder.pair(stem);
            let key = key_of(&foreign, foreign.flags.unwrap());
            assert_eq!((foreign.algorithm, foreign.owner.as_ref()), (number, Some(&zone())));
            assert_eq!(key.flags, if ksk.is_empty() { 256 } else { 257 });
            assert!(stem.ends_with(&format!("+{number:03}+{:05}", key.tag)), "{stem}");
            let given = handover(&key, &zone());
            for (hash, ours) in [("SHA-1", None), ("SHA-256", Some(&given.ds)), ("SHA-384", Some(&given.ds_sha384))] {
                let theirs = folder.said("dnssec-dsfromkey", &["-a", hash, stem]);
                assert!(matches_ds(&key, &zone(), &ds_data(&theirs)), "{theirs}");
                assert!(ours.is_none_or(|ours| theirs.trim() == ours), "{theirs}");
            }
            assert!(!matches_ds(&new_key(257, number).1, &zone(), &key.ds_data(&zone())));
        }
    }
}

#[test]
fn keys_of_ldns_are_read() {
    for (number, name) in ALGORITHMS {
        let folder = Folder::new();
        let stem = folder.said("ldns-keygen", &["-a", name, "-k", ZONE]);
        let foreign = folder.pair(stem.trim());
        let key = key_of(&foreign, 257);
        assert_eq!((key.algorithm, foreign.owner.as_ref()), (number, Some(&zone())));
        let ds = String::from_utf8(folder.read(&format!("{}.ds", stem.trim()))).unwrap();
        assert!(matches_ds(&key, &zone(), &ds_data(&ds)), "{ds}");
    }
}

#[test]
fn keys_of_knot_are_read_from_its_folder_whatever_length_it_gives_a_scalar() {
    for (number, _) in ALGORITHMS {
        let folder = Folder::new();
        let mut lengths = Vec::new();
        for _ in 0..KNOT_KEYS {
            let made = folder.said("keymgr", &["-D", ".", ZONE, "generate", &format!("algorithm={number}"), "ksk=yes"]);
            let id = made.lines().last().unwrap().trim();
            let pem = folder.read(&format!("keys/{id}.pem"));
            lengths.push(pem.len());
            let record = folder.said("keymgr", &["-D", ".", ZONE, "dnskey", id]);
            for public in [None, Some(record.as_bytes())] {
                let key = key_of(&read_foreign(&pem, public).unwrap(), 257);
                assert_eq!(data_after(&handover(&key, &zone()).dnskey, "DNSKEY"), data_after(&record, "DNSKEY"));
                for line in folder.said("keymgr", &["-D", ".", ZONE, "ds", id]).lines() {
                    assert!(matches_ds(&key, &zone(), &ds_data(line)), "{line}");
                }
            }
        }
        lengths.sort_unstable();
        lengths.dedup();
        assert!(number == 15 || lengths.len() > 1, "all scalars had one length: {lengths:?}");
    }
}

#[test]
fn keys_of_openssl_are_read_in_every_form_it_writes() {
    let folder = Folder::new();
    let curve = "ec_paramgen_curve:P-256";
    folder.said("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "p256.pem"]);
    folder.said("openssl", &["ec", "-in", "p256.pem", "-out", "sec1.pem"]);
    folder.said("openssl", &["ecparam", "-genkey", "-name", "prime256v1", "-out", "with-parameters.pem"]);
    folder.said("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "ed25519.pem"]);
    let of = |name: &str| read_foreign(&folder.read(name), None).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    assert_eq!(of("p256.pem").der, of("sec1.pem").der);
    for (name, algorithm) in [("p256.pem", 13), ("with-parameters.pem", 13), ("ed25519.pem", 15)] {
        let (foreign, public) = (of(name), format!("{name}.der"));
        assert_eq!(foreign.algorithm, algorithm);
        folder.said("openssl", &["pkey", "-in", name, "-pubout", "-outform", "DER", "-out", &public]);
        assert!(folder.read(&public).ends_with(&key_of(&foreign, 257).public), "{name}");
    }
}

#[test]
fn p256_of_openssl_without_its_public_key_needs_the_dnskey() {
    let folder = Folder::new();
    folder.said("openssl", &["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", "whole.pem"]);
    folder.said("openssl", &["ec", "-in", "whole.pem", "-no_public", "-out", "sec1.pem"]);
    folder.said("openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem", "-out", "pkcs8.pem"]);
    folder.said("openssl", &["ec", "-in", "whole.pem", "-conv_form", "compressed", "-out", "short.pem"]);
    let whole = read_foreign(&folder.read("whole.pem"), None).unwrap();
    let record = handover(&key_of(&whole, 257), &zone()).dnskey;
    for name in ["sec1.pem", "pkcs8.pem", "short.pem"] {
        // Some releases of OpenSSL put the public key back in.
        let alone = read_foreign(&folder.read(name), None).map(|foreign| foreign.der);
        assert!(alone == Ok(whole.der.clone()) || alone == Err(ForeignFault::NoPublic), "{name}");
        assert_eq!(read_foreign(&folder.read(name), Some(record.as_bytes())).unwrap().der, whole.der, "{name}");
    }
}

#[test]
fn what_cannot_sign_here_is_refused_by_name() {
    let folder = Folder::new();
    folder.said("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "plain.pem"]);
    folder.said("openssl", &["pkcs8", "-topk8", "-in", "plain.pem", "-passout", "pass:word", "-out", "locked.pem"]);
    folder.said("openssl", &["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", "ec.pem"]);
    folder.said("openssl", &["ec", "-in", "ec.pem", "-aes128", "-passout", "pass:word", "-out", "old.pem"]);
    folder.said("openssl", &["genpkey", "-algorithm", "RSA", "-out", "rsa.pem"]);
    folder.said("openssl", &["rsa", "-in", "rsa.pem", "-traditional", "-out", "pkcs1.pem"]);
    folder.said("openssl", &["ecparam", "-genkey", "-noout", "-name", "secp384r1", "-out", "p384.pem"]);
    let fault = |name: &str| read_foreign(&folder.read(name), None).unwrap_err();
    assert_eq!(fault("locked.pem"), ForeignFault::Encrypted);
    assert_eq!(fault("old.pem"), ForeignFault::Encrypted);
    assert_eq!(fault("rsa.pem"), ForeignFault::Algorithm("RSA".to_owned()));
    assert_eq!(fault("pkcs1.pem"), ForeignFault::Algorithm("RSA".to_owned()));
    assert_eq!(fault("p384.pem"), ForeignFault::Algorithm("ECDSA P-384".to_owned()));
    for (name, said) in
        [("RSASHA256", "algorithm 8 (RSASHA256)"), ("ECDSAP384SHA384", "algorithm 14 (ECDSAP384SHA384)")]
    {
        let stem = folder.said("dnssec-keygen", &["-q", "-a", name, ZONE]);
        let fault = fault(&format!("{}.private", stem.trim()));
        assert_eq!(fault, ForeignFault::Algorithm(said.to_owned()));
        assert!(fault.to_string().contains("roll the zone"), "{fault}");
    }
    let stem = folder.said("dnssec-keygen", &["-q", "-a", "ED25519", ZONE]);
    let revoked = folder.said("dnssec-revoke", &[stem.trim()]);
    let stem = revoked.trim().rsplit('/').next().unwrap();
    let files = (folder.read(&format!("{stem}.private")), folder.read(&format!("{stem}.key")));
    assert!(matches!(read_foreign(&files.0, Some(&files.1)), Err(ForeignFault::NotZoneKey(_))), "{stem}");
}

#[test]
fn files_of_two_keys_are_no_pair() {
    for (_, name) in ALGORITHMS {
        let folder = Folder::new();
        let stems = [(); 2].map(|()| folder.said("dnssec-keygen", &["-q", "-a", name, ZONE]).trim().to_owned());
        let file = |at: usize, end: &str| folder.read(&format!("{}.{end}", stems[at]));
        let mixed = read_foreign(&file(0, "private"), Some(&file(1, "key"))).unwrap_err();
        let tag = folder.pair(&stems[1]).public.unwrap().tag;
        assert_eq!(mixed, ForeignFault::NotPair { tag });
        let swapped = read_foreign(&file(0, "key"), Some(&file(0, "private"))).unwrap_err();
        assert_eq!(swapped, ForeignFault::PrivateIsPublic);
        let twice = read_foreign(&file(0, "private"), Some(&file(0, "private"))).unwrap_err();
        assert_eq!(twice, ForeignFault::PublicIsPrivate);
    }
}

const UNSIGNED: &str =
    "$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 300\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

/// A folder with an unsigned zone and our keys of these roles in BIND's form; returned are their stems.
fn zone_with_keys(algorithm: u8, roles: &[Role], in_use: bool) -> (Folder, Vec<String>) {
    let folder = Folder::new();
    folder.write("zone", UNSIGNED);
    let write = |role: &Role| {
        let (der, public) = new_key(role.flags(), algorithm);
        let standing = in_use.then(|| Standing { role: *role, since: now().before(86_400 * 30) });
        let files = to_bind(&der, &public, &zone(), TTL, standing).unwrap();
        folder.keep(&files);
        files.stem
    };
    let stems = roles.iter().map(write).collect();
    (folder, stems)
}

/// BIND and ldns must find that the zone validates, and the DNSKEY records in it must be ours.
fn judge(folder: &Folder, stems: &[String]) {
    folder.said("dnssec-verify", &["-o", ZONE, "zone.signed"]);
    folder.said("ldns-verify-zone", &["zone.signed"]);
    let signed = String::from_utf8(folder.read("zone.signed")).unwrap().replace(['(', ')'], " ");
    for stem in stems {
        let tag = stem.rsplit('+').next().unwrap().parse::<u16>().unwrap();
        let by = format!(" {tag} {ZONE} ");
        let words = signed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&by), "nothing is signed by {tag}: {signed}");
    }
}

#[test]
fn zones_signed_by_bind_and_ldns_with_our_keys_validate() {
    for (algorithm, _) in ALGORITHMS {
        let (folder, stems) = zone_with_keys(algorithm, &[Role::Ksk, Role::Zsk], false);
        folder.write("with-keys", [UNSIGNED, "$INCLUDE ", &stems[0], ".key\n$INCLUDE ", &stems[1], ".key\n"].concat());
        let args = ["-o", ZONE, "-f", "zone.signed", "-k", &stems[0], "with-keys", &stems[1]];
        folder.said("dnssec-signzone", &args);
        judge(&folder, &stems);
        fs::remove_file(folder.path("zone.signed")).unwrap();
        folder.said("ldns-signzone", &["-o", ZONE, "-f", "zone.signed", "zone", &stems[0], &stems[1]]);
        judge(&folder, &stems);
    }
}

#[test]
fn bind_finds_our_keys_in_use_by_their_file_names_and_takes_them_for_active() {
    for (algorithm, _) in ALGORITHMS {
        let (folder, stems) = zone_with_keys(algorithm, &[Role::Ksk, Role::Zsk], true);
        folder.said("dnssec-signzone", &["-S", "-K", ".", "-o", ZONE, "-f", "zone.signed", "zone"]);
        judge(&folder, &stems);
        let (folder, _) = zone_with_keys(algorithm, &[Role::Ksk, Role::Zsk], false);
        let output = folder.run("dnssec-signzone", &["-S", "-K", ".", "-o", ZONE, "-f", "zone.signed", "zone"]);
        assert!(!output.status.success(), "keys without times are passed over, which is why a standing is given");
    }
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn poll_log(folder: &Folder, what: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let log = String::from_utf8_lossy(&folder.read("log")).into_owned();
        if log.contains(what) {
            return log;
        }
        assert!(Instant::now() < until, "no `{what}`: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_policy_of_bind_goes_on_with_our_keys_and_makes_no_other() {
    for (at, (algorithm, name)) in ALGORITHMS.into_iter().enumerate() {
        for (more, roles) in [&[Role::Csk][..], &[Role::Ksk, Role::Zsk]].into_iter().enumerate() {
            let (folder, stems) = zone_with_keys(algorithm, roles, true);
            let keys: String =
                roles.iter().map(|role| format!("{} lifetime unlimited algorithm {name}; ", role.word())).collect();
            let octets = u32::try_from(at * 2 + more).unwrap() | (std::process::id() << 2) & 0x00ff_ffff;
            let (ip, home) = (Ipv4Addr::from(0x7f00_0000 | octets), folder.path("").display().to_string());
            folder.write(
                "named.conf",
                format!(
                    "options {{ directory \"{home}\"; key-directory \"{home}\"; pid-file none; session-keyfile none; \
                     recursion no; listen-on port 5399 {{ {ip}; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n\
                     dnssec-policy ours {{ keys {{ {keys}}}; }};\nzone \"{ZONE}\" {{ type primary; file \"zone\"; \
                     dnssec-policy ours; inline-signing yes; }};\n"
                ),
            );
            let log = File::create(folder.path("log")).unwrap();
            let mut command = Command::new("/usr/sbin/named");
            command.args(["-g", "-c", "named.conf"]).current_dir(folder.path("")).stdin(Stdio::null()).stderr(log);
            let _running = Running(command.spawn().unwrap());
            let log = poll_log(&folder, "next key event");
            assert!(!log.contains("created for policy"), "another key was made: {log}");
            let files = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name());
            let private = files.filter(|file| file.to_string_lossy().ends_with(".private")).count();
            assert_eq!(private, stems.len(), "{log}");
            for stem in &stems {
                let state = String::from_utf8(folder.read(&format!("{stem}.state"))).unwrap();
                assert!(state.contains("GoalState: omnipresent") && !state.contains("Retired"), "{state}");
            }
        }
    }
}

#[test]
fn our_files_have_the_names_that_bind_would_give_them() {
    for zone in ["example.com.", ".", "0/25.2.0.192.in-addr.arpa.", "a\\.b_c-d.Example."] {
        let folder = Folder::new();
        let stem = folder.said("dnssec-keygen", &["-q", "-a", "ED25519", "-f", "KSK", zone]);
        let foreign = folder.pair(stem.trim());
        let (public, owner) = (foreign.public.unwrap(), foreign.owner.unwrap());
        assert_eq!(owner, Name::parse(zone, ROOT).unwrap());
        assert_eq!(to_bind(&foreign.der, &public, &owner, TTL, None).unwrap().stem, stem.trim());
    }
}

#[test]
fn knot_takes_our_keys_in_both_forms() {
    for (algorithm, _) in ALGORITHMS {
        let (der, public) = new_key(257, algorithm);
        let expected = data_after(&handover(&public, &zone()).dnskey, "DNSKEY");
        let folder = Folder::new();
        folder.write("ours.pem", to_pem(&der, &public).unwrap().as_bytes());
        folder.keep(&to_bind(&der, &public, &zone(), TTL, None).unwrap());
        let named = format!("algorithm={algorithm}");
        folder.said("keymgr", &["-D", "pem", ZONE, "import-pem", "ours.pem", &named, "ksk=yes"]);
        let stem = to_bind(&der, &public, &zone(), TTL, None).unwrap().stem;
        folder.said("keymgr", &["-D", "text", ZONE, "import-bind", &format!("{stem}.key")]);
        for store in ["pem", "text"] {
            let record = folder.said("keymgr", &["-D", store, ZONE, "dnskey", &public.tag.to_string()]);
            assert_eq!(data_after(&record, "DNSKEY"), expected);
        }
    }
}

#[test]
fn openssl_takes_our_pem() {
    for (algorithm, _) in ALGORITHMS {
        let (der, public) = new_key(257, algorithm);
        let folder = Folder::new();
        folder.write("ours.pem", to_pem(&der, &public).unwrap().as_bytes());
        folder.said("openssl", &["pkey", "-in", "ours.pem", "-check", "-pubout", "-outform", "DER", "-out", "public"]);
        assert!(folder.read("public").ends_with(&public.public));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_octets_panic(
        private in prop::collection::vec(any::<u8>(), 0..400),
        public in prop::option::of(prop::collection::vec(any::<u8>(), 0..400)),
        head in prop::sample::select(vec![
            "", "Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: ", "-----BEGIN PRIVATE KEY-----\n",
            "-----BEGIN EC PRIVATE KEY-----\n", "example. IN DNSKEY 257 3 15 ",
        ]),
    ) {
        let private = [head.as_bytes(), &private].concat();
        prop_assert!(read_foreign(&private, public.as_deref()).is_err());
    }

    #[test]
    fn no_der_within_pem_panics(der in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..140, octet in any::<u8>()) {
        let (good, public) = new_key(257, 13);
        let mut other = good.to_vec();
        if let Some(place) = other.get_mut(at) {
            *place = octet;
        }
        for der in [&der, &other] {
            let body = data_encoding::BASE64.encode(der);
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
            if let Ok(read) = read_foreign(pem.as_bytes(), None) {
                prop_assert_eq!(&*key_of(&read, 257).public, &*public.public);
            }
        }
    }
}
