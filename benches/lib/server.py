"""Servers as processes: mxseal, and what all of them have in common."""
import os
import re
import resource
import subprocess
import time
import urllib.error
import urllib.request

from lib import ask
from lib.common import HOST, Failed, executable, prepare_child, until
from lib.world import ZONE

READY_SECONDS_MAX = 600
# A million tenants have four million signatures; the pass that makes them rests half of its time.
WARM_SECONDS_MAX = 3600
STOP_SECONDS_MAX = 30
# For tests with crowds of connections.
DESCRIPTORS = 8192
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process that answers on a port of loopback, until it is stopped or this script ends, however that ends."""

    def __init__(self, name: str, command: list[str], port: int, log: str, cpus: list[int]) -> None:
        self.name, self.port, self.log = name, port, log
        self.ready_seconds = float("nan")

        def prepare() -> None:
            prepare_child(cpus)
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS if hard < 0 else min(DESCRIPTORS, hard), hard))

        with open(log, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output,
                                            preexec_fn=prepare)
        self.began = time.monotonic()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()

    def wait_ready(self) -> float:
        """Seconds from its start until the SOA is answered."""
        with ask.udp(self.port, 0.1) as client:
            until(lambda: self.answers(client), READY_SECONDS_MAX, f"{self.name} was not ready", 0.005)
        self.ready_seconds = time.monotonic() - self.began
        return self.ready_seconds

    def answers(self, client) -> bool:
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8") as log:
                raise Failed(f"{self.name} ended with code {self.process.returncode}:\n{log.read()}")
        try:
            client.send(ask.query(ZONE, ask.SOA))
            answer = client.recv(4096)
            return answer[3] & 15 == 0 and answer[7] > 0
        except OSError:
            return False

    def processes(self) -> list[int]:
        """Its own and those that it started: NSD answers in a child."""
        found = [self.process.pid]
        for pid in found:
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    found += map(int, read(f"/proc/{pid}/task/{thread}/children").split())
            except FileNotFoundError:
                pass
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        stats = [read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split() for pid in self.processes()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS

    def pss_mib(self) -> float:
        """Memory, with its share of what is shared."""
        texts = [read(f"/proc/{pid}/smaps_rollup") for pid in self.processes()]
        return sum(int(found[1]) for text in texts if (found := re.search(r"^Pss:\s+(\d+)", text, re.M))) / 1024

    def drops(self) -> int:
        """Datagrams that came while the socket's buffer was full."""
        wanted = f":{self.port:04X}"
        rows = [line.split() for line in read("/proc/net/udp").splitlines()[1:]]
        return sum(int(row[-1]) for row in rows if row[1].endswith(wanted))


class Mxseal(Server):
    """mxseal on a world of [`lib.world.make`]; its metrics are on the next port."""

    def __init__(self, folder: str, port: int, cpus: list[int], name: str = "mxseal") -> None:
        self.config, self.binary = f"{folder}/mxseal.toml", executable("bin", "mxseal", "MXSEAL")
        super().__init__(name, [self.binary, "serve", "--config", self.config], port, f"{folder}/log", cpus)

    def metrics(self) -> dict[str, float]:
        """Sums over all labels, by name without its `mxseal_`."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port + 1}/metrics", timeout=30) as page:
                text = page.read().decode()
        except urllib.error.URLError as fault:
            raise Failed(f"no metrics of {self.name}: {fault}") from fault
        sums: dict[str, float] = {}
        for name, value in re.findall(r"^mxseal_(\w+)(?:\{.*\})? (\S+)$", text, re.M):
            sums[name] = sums.get(name, 0) + float(value)
        return sums

    def is_warm(self) -> bool:
        """Whether every signature that there is to keep is kept."""
        metrics = self.metrics()
        return 0 < metrics["signatures_wanted"] == metrics["signatures_kept"]

    def wait_warm(self) -> float:
        """Seconds until the background pass has made all signatures, which would count as the queries' cost."""
        seconds = until(self.is_warm, WARM_SECONDS_MAX, f"{self.name} did not become warm", 0.2)
        return seconds + self.wait_rest()

    def wait_rest(self) -> float:
        """Seconds until it uses no CPU."""
        began, before = time.monotonic(), self.cpu_seconds()
        while time.monotonic() - began < WARM_SECONDS_MAX:
            time.sleep(1)
            now = self.cpu_seconds()
            if now - before <= 0.02:
                return time.monotonic() - began
            before = now
        raise Failed(f"{self.name} does not come to rest")

    def pass_seconds(self) -> float:
        """CPU time of the thread that makes signatures in the background."""
        folder = f"/proc/{self.process.pid}/task"
        threads = [thread for thread in os.listdir(folder) if read(f"{folder}/{thread}/comm").strip() == "mxseal-warm"]
        return sum(int(read(f"{folder}/{thread}/schedstat").split()[0]) for thread in threads) / 1e9

    def reload(self) -> None:
        """Makes it read its configuration; returns once it has."""
        command = [self.binary, "reload", "--config", self.config]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"mxseal reload failed: {done.stderr.strip() or done.stdout.strip()}")


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
