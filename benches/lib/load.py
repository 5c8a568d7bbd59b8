"""Runs dnsperf and reads what it prints."""
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field

from lib.common import HOST, Failed, percentile, prepare_child

# dnsperf ends when the last answer came or timed out.
TIMEOUT_SECONDS = 2


@dataclass
class Result:
    """What one run of dnsperf saw."""

    sent: int
    completed: int
    lost: int
    rate: float
    codes: str
    latencies: list[float] = field(default_factory=list, repr=False)

    def at(self, share: float) -> float:
        """A percentile of the latencies in seconds; only of runs with `latencies=True`."""
        return percentile(self.latencies, share)

    @property
    def mean(self) -> float:
        return sum(self.latencies) / len(self.latencies) if self.latencies else float("nan")

    @property
    def is_good(self) -> bool:
        """No answer that says that something is wrong."""
        return not re.search("SERVFAIL|FORMERR|REFUSED|NOTIMP", self.codes)


class Load:
    """dnsperf in the background, with DO set. `source` is the address to send from."""

    def __init__(self, questions: str, port: int, mode: str = "udp", *, cpus: list[int], seconds: float | None = None,
                 clients: int = 20, outstanding: int = 500, rate: float | None = None, latencies: bool = False,
                 source: str | None = None, nice: int = 0, timeout: float = TIMEOUT_SECONDS) -> None:
        command = ["dnsperf", "-s", HOST, "-p", str(port), "-m", mode, "-d", questions, "-t", f"{timeout:g}", "-D",
                   "-c", str(clients), "-q", str(outstanding)]
        command += ["-l", f"{seconds:g}"] if seconds else []
        command += ["-Q", f"{max(rate, 1):.0f}"] if rate else []
        command += ["-v"] if latencies else []
        command += ["-a", source] if source else []

        # With -v it prints more than a pipe holds.
        self.output = tempfile.TemporaryFile(mode="w+", encoding="ascii")
        self.seconds = seconds
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT,
                                        preexec_fn=lambda: prepare_child(cpus, nice))

    def wait(self) -> Result:
        """The result once it has ended."""
        self.process.wait((self.seconds or 0) + 60)
        return self.result()

    def stop(self) -> Result:
        """Ends it; it still prints what it saw."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return self.result()

    def kill(self) -> None:
        """Ends it where its result is of no use any more."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def result(self) -> Result:
        latencies, rest = [], []
        self.output.seek(0)
        for line in self.output:
            if line.startswith("> "):
                latency = line.rsplit(" ", 1)[1]
                # A query without an answer has the letter T.
                if latency[0].isdigit():
                    latencies.append(float(latency))
            else:
                rest.append(line)
        text = "".join(rest)
        if self.process.returncode != 0 or "Queries completed" not in text:
            raise Failed(f"dnsperf failed: {text.strip()}")
        latencies.sort()
        number = lambda word, form=r"(\d+)": (re.search(rf"{word}:\s+{form}", text) or [0, 0])[1]
        codes = re.search(r"Response codes:\s+(.*)", text)
        return Result(int(number("Queries sent")), int(number("Queries completed")), int(number("Queries lost")),
                      float(number("per second", r"([\d.]+)")), codes[1] if codes else "", latencies)


def run(questions: str, port: int, mode: str = "udp", **options: object) -> Result:
    """dnsperf from begin to end; see [`Load`]."""
    with Load(questions, port, mode, **options) as load:
        return load.wait()
