"""The made world that all load tests ask: one zone with N tenants, and questions about them."""
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator

from lib.common import HOST, write

ZONE = "mx.example"
POOL = "all"
TENANTS_PER_FILE = 10_000
APEX = """$TTL 3600
@ SOA ns1 hostmaster 1 3600 900 1209600 300
@ NS ns1
@ NS ns2
ns1 A 192.0.2.53
ns1 AAAA 2001:db8::53
ns2 A 198.51.100.53
ns2 AAAA 2001:db8:1::53
"""
# Names that exist are asked again and again anyway, so a file of this many is as good as an endless one.
POSITIVE_LINES = 500_000
# For each second of a run: more than dnsperf asks on any machine of today, so that no random name is asked twice.
LINES_PER_SECOND = 600_000


def make(folder: str, tenants: int, port: int, shared_pool: bool = False, **settings: object) -> None:
    """Master file, tenants and configuration of the server. With `shared_pool` all tenants refer to one pool."""
    os.makedirs(f"{folder}/zones/{ZONE}")
    os.mkdir(f"{folder}/keys", 0o700)
    write(f"{folder}/zones/{ZONE}.zone", [APEX])
    configure(folder, port, **settings)
    if shared_pool:
        write_pool(folder, "192.0.2.25")
    for first in range(0, tenants, TENANTS_PER_FILE):
        of_file = range(first, min(first + TENANTS_PER_FILE, tenants))
        lines = (pooled_line(f"tenant{i}.com") if shared_pool else tenant_line(i) for i in of_file)
        write(f"{folder}/zones/{ZONE}/bulk-{first // TENANTS_PER_FILE:04}.ndjson", lines)


def configure(folder: str, port: int, signature_life: str = "3d", **server: object) -> None:
    """The configuration; metrics take the port after the server's. `server`: more keys of its section."""
    more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in server.items())
    write(f"{folder}/mxseal.toml", [
        'version = 1\nzones = "zones"\nkeys = "keys"\n',
        f'[server]\nlisten = ["{HOST}:{port}"]\nworkers = 1\n{more}',
        f'[metrics]\nlisten = "{HOST}:{port + 1}"\n',
        f'[policy.registry]\nsignature_life = "{signature_life}"\n',
    ])


def pool_lines(address: str) -> list[str]:
    return [f'[{POOL}]\naddresses = ["{address}", "2001:db8::25"]\ntlsa = {json.dumps(tlsa_of("pool"))}\n']


def write_pool(folder: str, address: str) -> None:
    write(f"{folder}/zones/pools.toml", pool_lines(address))


def pooled_line(domain: str) -> str:
    return json.dumps({"domain": domain, "pool": POOL}) + "\n"


def tlsa_of(what: object) -> list[str]:
    """Current and next."""
    return [f"3 1 1 {hashlib.sha256(f'{which} {what}'.encode()).hexdigest()}" for which in ("current", "next")]


def addresses_of(i: int) -> list[str]:
    return [f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", f"2001:db8:{i >> 16:x}:{i & 0xFFFF:x}::25"]


def tenant_line(i: int) -> str:
    return json.dumps({"domain": f"tenant{i}.com", "addresses": addresses_of(i), "tlsa": tlsa_of(i)}) + "\n"


def endpoint(i: int) -> str:
    return f"tenant{i}-com.{ZONE}"


def master_file(path: str, tenants: int) -> None:
    """The same content as one unsigned master file, for servers that know no tenants."""
    def lines() -> Iterator[str]:
        yield APEX
        for i in range(tenants):
            v4, v6 = addresses_of(i)
            yield f"tenant{i}-com 1800 A {v4}\ntenant{i}-com 1800 AAAA {v6}\n"
            yield from (f"_25._tcp.tenant{i}-com 1800 TLSA {data}\n" for data in tlsa_of(i))
    write(path, lines())


# ---- questions ----

Maker = Callable[[random.Random, int], str]


def positive(dice: random.Random, tenants: int) -> str:
    """A third each of A, AAAA and TLSA of tenants."""
    name, kind = endpoint(int(dice.random() * tenants)), dice.random()
    if kind < 1 / 3:
        return f"{name} A\n"
    return f"{name} AAAA\n" if kind < 2 / 3 else f"_25._tcp.{name} TLSA\n"


def nobody(dice: random.Random, _: int) -> str:
    """A name that does not exist; 64 random bits, so that it is asked once."""
    return f"{dice.getrandbits(64):016x}.{ZONE} A\n"


def mail(dice: random.Random, tenants: int) -> str:
    """30 % each of A, AAAA and TLSA, 5 % types that a tenant lacks, 5 % random names."""
    kind = dice.random()
    if kind < 0.9:
        return positive(dice, tenants)
    return f"{endpoint(int(dice.random() * tenants))} MX\n" if kind < 0.95 else nobody(dice, tenants)


KINDS: dict[str, Maker] = {"mail": mail, "positive": positive, "random": nobody}


def questions(path: str, kind: str, tenants: int, lines: int, seed: object) -> None:
    """A file of questions. One seed, one file: two runs of a script ask the same."""
    dice, maker = random.Random(f"{kind} {seed}"), KINDS[kind]
    write(path, (maker(dice, tenants) for _ in range(lines)))


def existing(path: str, names: Iterable[str]) -> None:
    """A file that asks for the address of these endpoints."""
    write(path, (f"{name} A\n" for name in names))
