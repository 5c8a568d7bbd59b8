"""What every load test needs: ports, CPUs, percentiles, tables, and an end that leaves nothing behind."""
import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1

# Program: the Debian package that has it.
PACKAGES = {
    "dnsperf": "dnsperf", "nsd": "nsd", "knotd": "knot", "keymgr": "knot", "kzonesign": "knot-dnssecutils",
    "named": "bind9", "valgrind": "valgrind", "cargo": "cargo, or https://rustup.rs",
}
# Servers lie in sbin, which is not on everybody's path.
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"


class Failed(Exception):
    """Why there is no measurement, in words for whoever started it."""


class Cpus:
    """One CPU for the server and one for the clients, so that they do not fight for one."""

    def __init__(self) -> None:
        allowed = sorted(os.sched_getaffinity(0))
        self.server, self.client = allowed[:1], allowed[-1:]
        if len(allowed) < 2:
            print("only one CPU may be used: server and clients share it, and nothing here is exact", file=sys.stderr)


def prepare_child(cpus: list[int], nice: int = 0) -> None:
    """For `preexec_fn`: where a child runs, and that it ends with this script, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.sched_setaffinity(0, cpus)
    os.nice(nice)


def parser(text: str | None) -> argparse.ArgumentParser:
    """A parser that shows the script's own description, and takes the arguments that every load test takes."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--port", type=int, default=5407, help="first of ten ports on loopback, above 5000 (default 5407)")
    made.add_argument("--json", metavar="FILE", help="write all figures to this file too")
    made.add_argument("--keep", action="store_true", help="keep the temporary folder and print its path")
    return made


def check(made: argparse.ArgumentParser, args: argparse.Namespace, *at_least_one: str) -> argparse.Namespace:
    """The arguments, or the end with code 2."""
    if not 5000 < args.port < 65525:
        made.error("--port is between 5001 and 65524")
    for name in at_least_one:
        if getattr(args, name) < 1:
            made.error(f"{name} is at least 1")
    return args


def need(*programs: str) -> None:
    """Fails where a program is missing, with the package that has it."""
    for program in programs:
        if not shutil.which(program):
            raise Failed(f"the program {program} is not installed (Debian: apt install {PACKAGES[program]})")


def main(name: str, args: argparse.Namespace, run: Callable[[argparse.Namespace, str], int]) -> int:
    """Runs a load test in a folder of its own. The exit code is 0: measured, 1: something failed."""
    folder = tempfile.mkdtemp(prefix=f"mxseal-{name}-")
    # So that servers are ended and the folder is removed then too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(args, folder)
    except (Failed, subprocess.SubprocessError, OSError) as fault:
        print(f"{name}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 1
    finally:
        if args.keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def executable(kind: str, name: str, variable: str, options: Sequence[str] = ("--release",)) -> str:
    """A program of this repository, built if need be, or the one that a variable names."""
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise Failed(f"{variable}={named} is no program")
        return os.path.abspath(named)
    need("cargo")
    print(f"building {name} optimised, if it is not there yet", file=sys.stderr)
    command = ["cargo", "build", "--locked", f"--{kind}", name, "--message-format=json-render-diagnostics", *options]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise Failed(f"{name} does not build")
    for line in reversed(built.stdout.splitlines()):
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    raise Failed(f"cargo built no program {name}")


def until(condition: Callable[[], bool], seconds_max: float, what: str, pause: float = 0.01) -> float:
    """Seconds until a condition holds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds_max:
            raise Failed(f"{what} within {seconds_max:.0f} s")
        time.sleep(pause)
    return time.monotonic() - began


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them are; they come in order."""
    if not ordered:
        return float("nan")
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def micros(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}"


def millis(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def write(path: str, lines: Iterable[str]) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.writelines(lines)


def put(path: str, lines: Iterable[str]) -> float:
    """Writes a file beside its place and renames it into it, as who provisions should; returns when it was renamed."""
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.tmp")
    write(temporary, lines)
    os.rename(temporary, path)
    return time.monotonic()


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; columns of numbers stand right, all others left."""
    columns = list(zip(*rows)) if rows else [()] * len(head)
    widths = [max(map(len, [word, *column])) for word, column in zip(head, columns)]
    numeric = [all(re.fullmatch(r"-|[-+]?[\d.]+%?|nan", cell) for cell in column) for column in columns]
    for row in [head, *rows]:
        cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric)]
        print("  ".join(cells).rstrip(), flush=True)


def save(path: str | None, figures: object) -> None:
    """All figures as JSON, where that was asked for."""
    if path:
        with open(path, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
