"""The other servers: each serves the same zone from one master file that was signed before; and the floor."""
import os
import subprocess
import time

from lib import world
from lib.common import HOST, Failed, executable, need
from lib.server import Server
from lib.world import ZONE

SIGNER = """server:
    rundir: "{folder}"
database:
    storage: "{folder}/db"
policy:
  - id: single
    algorithm: ecdsap256sha256
    single-type-signing: on
    nsec3: off
    rrsig-lifetime: 30d
zone:
  - domain: {zone}
    storage: "{folder}"
    file: "unsigned"
    dnssec-signing: on
    dnssec-policy: single
"""
# With the default of 500 ms for tcp-io-timeout Knot closes connections of a client that waits for its CPU.
KNOT = """server:
    rundir: "{folder}"
    listen: {host}@{port}
    udp-workers: 1
    tcp-workers: 1
    tcp-io-timeout: 5000
database:
    storage: "{folder}/db"
log:
  - target: stderr
    any: warning
zone:
  - domain: {zone}
    file: "{signed}"
    zonefile-sync: -1
    journal-content: none
"""
NSD = """server:
    server-count: 1
    ip-address: {host}@{port}
    database: ""
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/pid"
    logfile: "{folder}/log"
    xfrdfile: "{folder}/xfrd"
    zonelistfile: "{folder}/zonelist"
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    tcp-count: 1000
    minimal-responses: yes
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: "{signed}"
"""
BIND = """options {{
    directory "{folder}";
    listen-on port {port} {{ {host}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    minimal-responses yes;
    tcp-clients 2000;
    pid-file none;
    session-keyfile none;
}};
controls {{ }};
zone "{zone}" {{ type primary; file "{signed}"; }};
"""
# Configuration, programs that are needed, and the command; all of them answer with one thread, as mxseal does here.
SERVERS = {
    "nsd": (NSD, ["nsd"], ["nsd", "-d", "-c"]),
    "knot": (KNOT, ["knotd"], ["knotd", "-c"]),
    "bind": (BIND, ["named"], ["named", "-g", "-n", "1", "-U", "1", "-c"]),
}


def sign(folder: str, tenants: int) -> tuple[str, float]:
    """The world as one signed master file, made by Knot's signer, and the seconds that signing took."""
    need("keymgr", "kzonesign")
    os.makedirs(f"{folder}/db")
    os.makedirs(f"{folder}/out")
    world.master_file(f"{folder}/unsigned", tenants)
    world.write(f"{folder}/conf", [SIGNER.format(folder=folder, zone=ZONE)])
    quiet(["keymgr", "-c", f"{folder}/conf", ZONE, "generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"])
    began = time.monotonic()
    quiet(["kzonesign", "-c", f"{folder}/conf", "-o", f"{folder}/out", ZONE])
    seconds = time.monotonic() - began
    (name,) = os.listdir(f"{folder}/out")
    return f"{folder}/out/{name}", seconds


def quiet(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed: {done.stdout.strip()}")


def start(name: str, folder: str, signed: str, port: int, cpus: list[int]) -> Server:
    """One of [`SERVERS`]."""
    text, programs, command = SERVERS[name]
    need(*programs)
    os.makedirs(f"{folder}/db")
    world.write(f"{folder}/conf", [text.format(folder=folder, host=HOST, port=port, signed=signed, zone=ZONE)])
    return Server(name, [*command, f"{folder}/conf"], port, f"{folder}/output", cpus)


def floor(folder: str, port: int, cpus: list[int]) -> Server:
    """Answers with junk: what the sockets cost."""
    return Server("floor", [executable("bench", "floor", "FLOOR"), str(port)], port, f"{folder}/floor.log", cpus)
