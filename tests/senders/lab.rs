//! Three Postfix hosts, mxseal, a validating unbound and a sender in one network namespace; waits of seconds.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a busy machine; a test that meets it has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(50);
/// Between two questions of the sender: leaves other tests their share of the machine.
const BREATH: Duration = Duration::from_millis(20);
pub const HOSTS: [&str; 3] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
pub const TENANT: &str = "contoso-com.a-v1.mx.example";

const CONFIG: &str = "\
version = 1
[server]
listen = [\"127.0.0.1:5300\"]
[metrics]
listen = \"\"
[tenants]
ttl = \"2s\"
[probe]
every = \"1s\"
drain = \"3s\"
timeout = \"5s\"
roots = \"\"
networks = [\"127.0.0.0/8\"]
";
const WAITS: &str = "\
dnskey_ttl = \"2s\"
signature_life = \"8s\"
signature_grid = \"1s\"
dnskey_life = \"60s\"
dnskey_refresh = \"30s\"
margin = \"1s\"
";
const PARENT: &str = "$TTL 2\n@ IN SOA ns1 hostmaster 1 4h 1h 2w 2\n@ NS ns1\nns1 A 127.0.0.1\n";
const SHARD: &str = "$TTL 2\n@ IN SOA ns1.mx.example. hostmaster 1 4h 1h 2w 2\n@ NS ns1.mx.example.\n";

/// All of it. Whatever runs ends with it.
pub struct Lab {
    folder: TempDir,
    children: Vec<Child>,
    /// Keeps the namespaces; whatever runs in them ends with it, whoever ends it.
    holder: Child,
    /// The process id of the first process in them, which is their name.
    inside: String,
}

/// What the sender was told, by verdict: `Verified` and all others.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    pub verified: u64,
    /// By address of the host.
    pub hosts: BTreeMap<String, u64>,
    /// The first of the others, whole.
    pub others: Vec<String>,
    pub other: u64,
}

/// A sender that asks without pause.
pub struct Sender {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Verdicts>>,
    thread: JoinHandle<()>,
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}

impl Lab {
    /// A namespace with nothing in it.
    pub fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        for program in ["unshare", "nsenter", "ip", "postfix", "posttls-finger", "unbound", "openssl"] {
            assert!(has(program), "{program} is missing: run tests/run, which installs it");
        }
        fs::write(folder.path().join("resolv.conf"), "nameserver 127.0.0.1\noptions edns0 trust-ad\n").unwrap();
        let ready = folder.path().join("ready");
        let script = format!(
            "mount --bind {0}/resolv.conf /etc/resolv.conf && ip link set lo up && touch {0}/ready && exec sleep 600",
            text(folder.path())
        );
        let mut command = Command::new("unshare");
        let apart = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
        command.args(apart).args(["sh", "-ec", &script]);
        let holder = command.stdin(Stdio::null()).spawn().unwrap();
        let mut lab = Lab { folder, children: Vec::new(), holder, inside: String::new() };
        lab.until("a network namespace (it takes root)", || ready.exists());
        let children = format!("/proc/{0}/task/{0}/children", lab.holder.id());
        lab.inside = fs::read_to_string(children).unwrap().trim().to_owned();
        lab
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file whole: beside its place, then renamed.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let beside = place.with_extension("new-part");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, place).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// A command inside of the namespace.
    pub fn inside(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        // Whoever enters another mount namespace is in its root, wherever he came from.
        let folder = format!("--wd={}", text(self.folder.path()));
        command.args(["--target", &self.inside, "--net", "--mount", "--pid", &folder, program]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub fn spawn(&mut self, name: &str, program: &str, arguments: &[&str]) {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let mut command = self.inside(program, arguments);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.children.push(child);
    }

    /// Makes a key and a certificate that it signs itself, and the file with both that Postfix reads.
    pub fn certificate(&self, name: &str, algorithm: &[&str]) {
        fs::create_dir_all(self.path("made")).unwrap();
        let key = text(&self.path(&format!("made/{name}.key")));
        self.openssl(&[&["genpkey", "-out", &key, "-algorithm"][..], algorithm].concat());
        self.renew(name);
    }

    /// The same key with another certificate.
    pub fn renew(&self, name: &str) {
        let at = |end: &str| text(&self.path(&format!("made/{name}.{end}")));
        let names = "subjectAltName=DNS:*.a-v1.mx.example";
        self.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &at("key"),
            "-subj",
            "/CN=mx",
            "-days",
            "90",
            "-addext",
            names,
            "-out",
            &at("pem"),
        ]);
    }

    pub fn openssl(&self, arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The digest of a certificate's key, as openssl computes it.
    pub fn spki(&self, pem: &str) -> String {
        let script =
            "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r";
        let output = Command::new("sh").args(["-ec", script, &text(&self.path(pem))]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    /// Gives a host a key and certificate by hand: whoever connects next sees it, as each smtpd serves one connection.
    pub fn give(&self, host: &str, name: &str) {
        let both = self.read(&format!("made/{name}.key")) + &self.read(&format!("made/{name}.pem"));
        self.write(&format!("hosts/{host}/chain.pem"), both);
    }

    /// Starts Postfix on a host.
    pub fn postfix(&mut self, host: &str) {
        let base = format!("hosts/{host}");
        for folder in ["c", "q", "d"] {
            fs::create_dir_all(self.path(&format!("{base}/{folder}"))).unwrap();
        }
        // Its own user enters these.
        for folder in ["".to_owned(), "hosts".to_owned(), base.clone()] {
            fs::set_permissions(self.path(&folder), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let at = |end: &str| text(&self.path(&format!("{base}/{end}")));
        Command::new("chown").args(["postfix", &at("d")]).status().unwrap();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\ndaemon_directory = /usr/lib/postfix/sbin\n\
             command_directory = /usr/sbin\nmail_owner = postfix\nsetgid_group = postdrop\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmyhostname = {host}.example\nmynetworks = 127.0.0.0/8\nsmtpd_peername_lookup = no\n\
             smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}\nsmtpd_tls_session_cache_database =\n\
             maillog_file = {}\nmaillog_file_prefixes = /tmp, /var\nmax_use = 1\n",
            at("q"),
            at("d"),
            at("chain.pem"),
            at("log")
        );
        let master = format!(
            "{host}:25 inet n - n - - smtpd\nanvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\n\
             postlog unix-dgram n - n - 1 postlogd\nrewrite unix - - n - - trivial-rewrite\nproxymap unix - - n - - proxymap\n"
        );
        self.write(&format!("{base}/c/main.cf"), main);
        self.write(&format!("{base}/c/master.cf"), master);
        let config = at("c");
        self.spawn(&format!("postfix-{host}"), "postfix", &["-c", &config, "start-fg"]);
        self.until("Postfix", || self.shown(host).is_some());
    }

    /// What a host shows, as OpenSSL sees it.
    pub fn shown(&self, host: &str) -> Option<String> {
        let script = format!(
            "openssl s_client -starttls smtp -connect {host}:25 </dev/null 2>/dev/null | openssl x509 > {}/shown-{host}.pem",
            text(self.folder.path())
        );
        let output = self.inside("sh", &["-ec", &script]).output().unwrap();
        output.status.success().then(|| self.spki(&format!("shown-{host}.pem")))
    }

    /// Zones, one pool of these hosts, one tenant; mxseal and the resolver run. `more` goes into the configuration.
    pub fn serve(&mut self, more: &str, pools: &str) {
        let policies = format!("[policy.registry]\n{WAITS}[policy.shard]\n{WAITS}");
        self.write("mxseal.toml", format!("{CONFIG}{more}{policies}"));
        self.write("zones/mx.example.zone", PARENT);
        self.write("zones/a-v1.mx.example.zone", SHARD);
        self.write("zones/pools.toml", pools);
        self.write("zones/a-v1.mx.example/contoso.com.toml", "domain = \"contoso.com\"\npool = \"eu-1\"\n");
        let config = text(&self.path("mxseal.toml"));
        self.spawn("mxseal", env!("CARGO_BIN_EXE_mxseal"), &["--config", &config, "serve"]);
        self.until("mxseal", || self.mxseal(&["zone", "ds", "mx.example"]).status.success());
        self.unbound();
    }

    fn unbound(&mut self) {
        let ds = String::from_utf8(self.mxseal(&["zone", "ds", "mx.example"]).stdout).unwrap();
        let anchors: String = ds.lines().map(|line| format!("  trust-anchor: \"{line}\"\n")).collect();
        let config = format!(
            "server:\n  interface: 127.0.0.1\n  port: 53\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  pidfile: \"\"\n\
             \x20 directory: \"{}\"\n  use-syslog: no\n  do-ip6: no\n  module-config: \"validator iterator\"\n\
             \x20 do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\n  harden-dnssec-stripped: yes\n{anchors}\
             remote-control:\n  control-enable: no\nstub-zone:\n  name: \"mx.example\"\n  stub-addr: 127.0.0.1@5300\n",
            text(self.folder.path())
        );
        self.write("unbound.conf", config);
        let config = text(&self.path("unbound.conf"));
        self.spawn("unbound", "unbound", &["-d", "-c", &config]);
        self.until("a verified connection", || verdict(&self.finger()).0);
    }

    /// The command line; it needs no namespace, as it asks over a file.
    pub fn mxseal(&self, arguments: &[&str]) -> Output {
        let config = text(&self.path("mxseal.toml"));
        Command::new(env!("CARGO_BIN_EXE_mxseal")).args(["--config", &config]).args(arguments).output().unwrap()
    }

    /// The same, which must end with this code; what it printed to both.
    #[track_caller]
    pub fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.mxseal(arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "mxseal {arguments:?}\n{said}");
        said
    }

    /// All about a pool.
    pub fn status(&self, pool: &str) -> serde_json::Value {
        let output = self.mxseal(&["-o", "json", "cert", "status", pool]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// What our own server answers to a question, as dig prints it.
    fn dig(&self, name: &str, rtype: &str) -> String {
        let output =
            self.inside("dig", &["+short", "+time=2", "-p", "5300", "@127.0.0.1", name, rtype]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The digests of the TLSA that the tenant has now.
    pub fn tlsa(&self) -> Vec<String> {
        let said = self.dig(&format!("_25._tcp.{TENANT}"), "TLSA");
        let digests = said.lines().filter_map(|line| line.strip_prefix("3 1 1 "));
        let mut all: Vec<String> = digests.map(|digest| digest.replace(' ', "").to_lowercase()).collect();
        all.sort();
        all
    }

    /// The addresses that it has.
    pub fn addresses(&self) -> Vec<String> {
        let mut all: Vec<String> = self.dig(TENANT, "A").lines().map(str::to_owned).collect();
        all.sort();
        all
    }

    /// One question of the sender.
    fn finger(&self) -> String {
        let nexthop = format!("[{TENANT}]");
        let output = self.inside("timeout", &["20", "posttls-finger", "-c", "-l", "dane", &nexthop]).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// A sender that asks without pause.
    pub fn sender(&self) -> Sender {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Verdicts::default())));
        let (ended, verdicts) = (Arc::clone(&stop), Arc::clone(&seen));
        let nexthop = format!("[{TENANT}]");
        let (target, folder) = (self.inside.clone(), self.folder.path().to_owned());
        let thread = std::thread::spawn(move || {
            let words = [
                "--target",
                &target,
                "--net",
                "--mount",
                "--pid",
                "timeout",
                "20",
                "posttls-finger",
                "-c",
                "-l",
                "dane",
                &nexthop,
            ];
            poll_sender(&words, &folder, &ended, &verdicts);
        });
        Sender { stop, seen, thread }
    }

    #[track_caller]
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let log = || fs::read_to_string(self.path("mxseal.log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}\n{}", log());
            std::thread::sleep(LOOK);
        }
    }
}

fn poll_sender(words: &[&str], folder: &Path, ended: &AtomicBool, verdicts: &Mutex<Verdicts>) {
    while !ended.load(Ordering::Relaxed) {
        let output = Command::new("nsenter").args(words).stdin(Stdio::null()).current_dir(folder).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let (is_verified, host) = verdict(&said);
        let mut seen = verdicts.lock().unwrap();
        if is_verified {
            seen.verified += 1;
            *seen.hosts.entry(host).or_default() += 1;
        } else {
            seen.other += 1;
            if seen.others.len() < 5 {
                seen.others.push(said);
            }
        }
        drop(seen);
        std::thread::sleep(BREATH);
    }
}

/// Whether a sender at level dane would deliver, and to whom. Anything before the verified connection, such as a host that
/// does not match, is a refusal of that host, and counts as none.
fn verdict(said: &str) -> (bool, String) {
    let line = said.lines().find(|line| line.contains("TLS connection established to"));
    let host = line.and_then(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()));
    let is_refused = said.contains("not verified") || said.contains("not trusted") || said.contains("Untrusted TLS");
    let is_good = line.is_some_and(|line| line.contains("Verified TLS connection established"));
    (is_good && !is_refused, host.unwrap_or_default())
}

impl Sender {
    pub fn seen(&self) -> Verdicts {
        self.seen.lock().unwrap().clone()
    }

    /// Ends, and says how often it was told what.
    pub fn end(self, what: &str) -> Verdicts {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let seen = self.seen.lock().unwrap().clone();
        println!("{what}: {} verified, {} not; by host {:?}", seen.verified, seen.other, seen.hosts);
        seen
    }

    /// Ends; every single verdict was Verified, and there were some.
    pub fn all_verified(self, what: &str) -> Verdicts {
        let seen = self.end(what);
        assert_eq!(seen.other, 0, "{what}: {:#?}", seen.others);
        assert!(seen.verified > 50, "{what}: {seen:?}");
        seen
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// Whether a program is there, also where administrators' programs lie.
pub fn has(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
    folders.into_iter().any(|folder| Path::new(folder).join(program).exists())
}
