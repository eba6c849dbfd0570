"""How fast the connector is, compared with the SDK alone and with a plain reader of pages.

`make bench` runs it, best on a machine with nothing else to do; `--quick` gives a rough answer. It
measures whole syncs through the SDK's `debug()` into DuckDB, each in a process, a home and a
project folder of its own, in alternating rounds, and subtracts the SDK's start:

- connector: this connector, against an API on loopback that answers after so many milliseconds and
  gives at most 1,000 users per page, or at most 100;
- floor: the same rows made in memory, with a checkpoint after each page: what the SDK costs;
- serial: asks for 100 users, writes them, and only then asks for the next 100;
- marking: the connector in a full read that marks who left, which writes each row twice, and
  marking-floor: the same rows from memory;
- old: with `--old REVISION`, the connector of that revision of git, at the connector's sizes.

Two syncs are compared within a round, and the median of the rounds counts. Whether the time per
row grows with the number of users is judged by the fastest stretches of a sync: a machine's other
work slows some of them down, and growth would all.

With `--old`, the CPU time of the two connectors is compared too: of update(), with operations that
do nothing, since the SDK's own varies by more than a connector takes. The least counts.

The exit code is 1 where a target is missed.
"""

import argparse
import json
import os
import re
import resource
import socketserver
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from importlib import import_module
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import NamedTuple
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

make_quiet_home = import_module("quiet_home").make_quiet_home

TOOLS = Path(__file__).resolve().parent
PROJECT = TOOLS.parents[1]
LARGE, SMALL = 1_000, 100  # users per page
STRETCH = 2  # large pages
START = datetime(2020, 1, 1, tzinfo=UTC)
COLUMNS = {
    "employeeId": "STRING",
    "firstName": "STRING",
    "lastName": "STRING",
    "email": "STRING",
    "currencyCode": "STRING",
    "balance": "DOUBLE",
    "updated_at": "UTC_DATETIME",
    "created_at": "UTC_DATETIME",
}
MEGABYTE = 1 << 20


class Sync(NamedTuple):
    """What is measured: who reads how many users, in pages of how many at most."""

    kind: str
    users: int
    pages: int = LARGE
    latency: int = 0  # milliseconds a request

    @property
    def old(self) -> "Sync":
        """The same with the connector of the other revision."""
        return self._replace(kind="old")

    def __str__(self) -> str:
        return f"{self.users:,} users, pages of {self.pages:,}, {self.latency} ms"


class Comparison(NamedTuple):
    """The rows/s of the first must be at least so many times those of the second."""

    sync: Sync
    other: Sync
    least: float


@dataclass
class Plan:
    """What to measure, how often, and how long that takes on 2 cores with nothing else to do."""

    duration: str
    rounds: int
    fast: list  # comparisons, in every round
    slow_rounds: int
    slow: list  # comparisons, in the first rounds only: each sync takes up to 40 seconds
    marking: Comparison  # of a full read that marks who left with one that does not
    many: int  # users, to see what grows with their number


def against_floor(users: int, pages: int, latency: int, least: float) -> Comparison:
    return Comparison(Sync("connector", users, pages, latency), Sync("floor", users, pages), least)


def against_unmarked(users: int) -> Comparison:
    return Comparison(Sync("marking", users), Sync("connector", users), least=0.4)


def against_serial(users: int, pages: int, latency: int, least: float) -> Comparison:
    serial = Sync("serial", users, SMALL, latency)
    return Comparison(Sync("connector", users, pages, latency), serial, least)


def make_plan(duration: str, rounds: int, slow_rounds: int, users: tuple, many: int) -> Plan:
    """A plan with so many users in large pages, in small ones, and in small ones read slowly."""
    large, small, slow = users
    fast = [(large, LARGE, 0, 0.9), (large, LARGE, 50, 0.85), (small, SMALL, 0, 0.88)]
    serial = [(10_000, LARGE, 300, 8.5), (slow, SMALL, 300, 1)]
    return Plan(
        duration,
        rounds,
        [against_floor(*one) for one in fast],
        slow_rounds,
        [against_serial(*one) for one in serial],
        against_unmarked(large),
        many,
    )


FULL = make_plan("9 minutes", 5, 2, users=(20_000, 10_000, 10_000), many=200_000)
QUICK = make_plan("90 seconds", 1, 1, users=(10_000, 3_000, 2_000), many=20_000)
FEW = 1_000  # users, for the memory of a small sync
NOTHING_NEW = Sync("incremental", FEW)


def row(number: int) -> dict:
    """A user as a connector hands it to the SDK."""
    return {
        "employeeId": f"E{number:06d}",
        "firstName": f"First{number}",
        "lastName": f"Last{number}",
        "email": f"user{number}@example.com",
        "currencyCode": "USD",
        "balance": number + 0.25,
        "updated_at": START + timedelta(minutes=number),
        "created_at": START,
    }


# --- The API, in a process of its own -----------------------------------------------------------


def serve(users: int):
    """Serve users that are serialised beforehand, until this process is ended.

    The path's first three parts are the milliseconds before an answer, how many users there are,
    and the largest page. With a filter there is one user, since an inclusive filter finds the
    newest again.
    """
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        server.users = [json.dumps(row(number), default=text).encode() for number in range(users)]
        server.requests = 0
        print(server.server_address[1], flush=True)
        server.serve_forever()


def text(instant: datetime) -> str:
    return instant.replace(tzinfo=None).isoformat() + "Z"


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    target = re.compile(
        rb"GET /(\d+)/(\d+)/(\d+)/api/users\?page=(\d+)&per_page=(\d+)(&updated_since=)?"
    )

    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline() != b"\r\n":
                pass
            self.wfile.write(self.answer(line))  # in one write: small ones meet Nagle's delay

    def answer(self, line: bytes) -> bytes:
        if line.startswith(b"GET /requests "):
            return head(body := str(self.server.requests).encode()) + body
        *numbers, filtered = self.target.match(line).groups()
        latency, users, largest, page, per_page = map(int, numbers)
        self.server.requests += 1
        time.sleep(latency / 1000)
        body = self.page(1 if filtered else users, page, min(per_page, largest))
        return head(body) + body

    def page(self, users: int, page: int, size: int) -> bytes:
        found = self.server.users[(page - 1) * size : min(page * size, users)]
        return b'{"success": true, "users": [%s]}' % b", ".join(found)


def head(body: bytes) -> bytes:
    date = formatdate(usegmt=True)
    return f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


@contextmanager
def api(users: int):
    """Start the API and give its address."""
    command = [sys.executable, __file__, "--serve", str(users)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


# --- One sync, in a process of its own ----------------------------------------------------------


def measure(sync: Sync, url: str, result: Path):
    """Run one sync, the only one of this process, and write what it took to `result`."""
    connector = CONNECTORS[sync.kind](sync)
    due = {"last_full_sync": START.isoformat(), "users": sync.users}
    states = {"incremental": {"last_sync_time": text(START)}, "marking": due}
    earlier = {"last_full_sync": START.isoformat()}
    empty = {} if sync.users else earlier  # a sync from nothing that finds nobody fails
    state = states.get(sync.kind, empty)
    days = "7" if sync.kind == "marking" else ""
    configuration = {"api_key": "a-key", "base_url": url, "full_sync_days": days}
    checkpoints, marks = times_of("checkpoint"), times_of("truncate")
    began = time.perf_counter()
    connector.debug(str(result.parent), configuration, state)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if sync != NOTHING_NEW:
        assert rows_in(result.parent / "files" / "warehouse.db") == sync.users
    assert len(marks) == (sync.users > 0 and sync.kind in ("marking", "marking-floor"))
    pages = checkpoints[: sync.users // sync.pages]  # without a last one that follows no page
    stretches = [end - begin for begin, end in pairwise(pages[::STRETCH])]
    result.write_text(json.dumps({"seconds": seconds, "peak": peak, "stretches": stretches}))


def measure_cpu(sync: Sync, url: str, result: Path):
    """Run update() without the SDK and write its CPU time per row, in µs, to `result`."""
    import connector  # of the folder that run() names

    def nothing(*_, **__):
        pass

    names = ("upsert", "checkpoint", "info", "warning")
    connector.op = connector.log = SimpleNamespace(**dict.fromkeys(names, nothing))
    times = []
    for _ in range(5):
        began = time.process_time()
        connector.update({"api_key": "a-key", "base_url": url}, {})
        times.append(time.process_time() - began)
    result.write_text(json.dumps(min(times) * 1e6 / sync.users))


def times_of(operation: str) -> list:
    """Will hold, of each such operation from now on, when it was done."""
    from fivetran_connector_sdk import Operations

    done, times = getattr(Operations, operation), []

    def timed(*arguments, **named):
        done(*arguments, **named)
        times.append(time.perf_counter())

    setattr(Operations, operation, staticmethod(timed))
    return times


def the_connector(sync: Sync):
    import connector  # of the folder that run() names

    return connector.connector


def floor(sync: Sync):
    from fivetran_connector_sdk import Operations

    def update(configuration: dict, state: dict):
        for number in range(sync.users):
            Operations.upsert("USER", row(number))
            if (number + 1) % sync.pages == 0:
                Operations.checkpoint({"last_sync_time": text(START + timedelta(minutes=number))})
        if sync.kind == "marking-floor" and sync.users:
            Operations.truncate("USER")
            for number in range(sync.users):
                Operations.upsert("USER", row(number))

    return plain_connector(update)


def serial_reader(sync: Sync):
    import requests
    from fivetran_connector_sdk import Operations

    def update(configuration: dict, state: dict):
        url = f"{configuration['base_url']}/api/users"
        with requests.Session() as session:
            session.headers["apiKey"] = configuration["api_key"]
            for page in count(1):
                params = {"page": page, "per_page": SMALL}
                users = session.get(url, params=params, timeout=60).json()["users"]
                if not users:
                    return
                for user in users:
                    for name in ("updated_at", "created_at"):
                        user[name] = datetime.fromisoformat(user[name].replace("Z", "+00:00"))
                    Operations.upsert("USER", user)
                Operations.checkpoint({"page": page + 1})

    return plain_connector(update)


def plain_connector(update):
    from fivetran_connector_sdk import Connector

    def schema(configuration: dict) -> list:
        return [{"table": "USER", "primary_key": ["employeeId"], "columns": COLUMNS}]

    return Connector(update=update, schema=schema)


CONNECTORS = {
    "connector": the_connector,
    "incremental": the_connector,
    "old": the_connector,
    "marking": the_connector,
    "floor": floor,
    "marking-floor": floor,
    "serial": serial_reader,
}


def rows_in(warehouse: Path) -> int:
    import duckdb

    with duckdb.connect(str(warehouse), read_only=True) as found:
        return found.execute('SELECT count(*) FROM tester."user"').fetchone()[0]


def run(sync: Sync, url: str, code: Path, what: str = "--measure"):
    """Measure one sync with the connector.py of a folder, and return what was found."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as project:
        make_quiet_home(Path(home))
        (Path(project) / "connector.py").touch()  # or the SDK's dependency check goes online
        result = Path(project) / "result.json"
        path = [str(TOOLS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        quiet = {"HOME": home, "USERPROFILE": home, "FIVETRAN_DEPLOYMENT_MODEL": "local_debug"}
        quiet |= {"PATH": os.pathsep.join(path), "PYTHONPATH": str(code)}
        base_url = f"{url}/{sync.latency}/{sync.users}/{sync.pages}"
        command = [sys.executable, __file__, what, json.dumps(sync), base_url, str(result)]
        subprocess.run(command, check=True, env=os.environ | quiet, stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())


# --- All of them, and the targets ---------------------------------------------------------------


class Runs:
    """What was measured of each sync, once a round."""

    def __init__(self, url: str, old: Path | None):
        self.url = url
        self.old = old  # a folder with the old connector.py
        self.found = defaultdict(list)
        self.cpu = defaultdict(list)  # microseconds per row

    def code(self, sync: Sync) -> Path:
        return self.old if sync.kind == "old" else PROJECT

    def add_cpu(self, sync: Sync):
        self.cpu[sync].append(run(sync, self.url, self.code(sync), "--cpu"))
        print(f"  {sync.kind:<11} {sync!s:<39} {self.cpu[sync][-1]:>6.1f} µs of CPU time per row")

    def add(self, sync: Sync):
        before = self.requests_made()
        found = run(sync, self.url, self.code(sync))
        found["requests"] = self.requests_made() - before
        self.found[sync].append(found)
        print(
            f"  {sync.kind:<11} {sync!s:<39} {found['seconds']:>6.2f} s"
            f" {found['requests']:>4} requests",
            flush=True,
        )

    def requests_made(self) -> int:
        with urlopen(f"{self.url}/requests", timeout=10) as answer:
            return int(answer.read())

    def values(self, sync: Sync, what: str) -> list:
        return [found[what] for found in self.found[sync]]

    def seconds(self, sync: Sync) -> list:
        """Of each round, without the SDK's start."""
        start = median(self.values(Sync(sync.kind, 0), "seconds"))
        return [seconds - start for seconds in self.values(sync, "seconds")]

    def rate(self, sync: Sync) -> float:
        """Rows a second."""
        return sync.users / median(self.seconds(sync))

    def ratios(self, sync: Sync, other: Sync) -> list:
        """The rows/s of the one as a multiple of the other's in the same round."""
        pairs = zip(self.seconds(sync), self.seconds(other), strict=True)
        return [others / own for own, others in pairs]

    def peak(self, sync: Sync) -> float:
        """Megabytes."""
        return max(self.values(sync, "peak")) / MEGABYTE

    def microseconds_a_row(self, sync: Sync) -> float:
        """In the fastest stretch of the later half of a sync."""
        stretches = self.values(sync, "stretches")
        fastest = min(min(found[len(found) // 2 :]) for found in stretches)
        return fastest * 1e6 / (STRETCH * sync.pages)


def measure_all(plan: Plan, runs: Runs):
    for number in range(plan.rounds):
        print(f"Round {number + 1} of {plan.rounds}")
        for kind in ("connector", "floor", "serial", "marking", *(["old"] if runs.old else [])):
            runs.add(Sync(kind, 0))
        runs.add(NOTHING_NEW)
        comparisons = [*plan.fast, plan.marking]
        comparisons += plan.slow if number < plan.slow_rounds else []
        syncs = [sync for one in comparisons for sync in (one.sync, one.sync.old, one.other)]
        syncs = dict.fromkeys(sync for sync in syncs if sync.kind != "old" or runs.old)
        for sync in syncs if number % 2 == 0 else reversed(syncs):
            runs.add(sync)
        for comparison in plan.fast if runs.old else ():
            runs.add_cpu(comparison.sync)
            runs.add_cpu(comparison.sync.old)
    print("Size")
    for users in (FEW, plan.many):
        for kind in ("connector", "floor"):
            runs.add(Sync(kind, users))
    for kind in ("marking", "marking-floor"):
        runs.add(Sync(kind, plan.many))


def targets(plan: Plan, runs: Runs) -> list:
    """Of each target what it asks, the figures, and whether they meet it."""
    found = [speed(runs, *comparison) for comparison in [*plan.fast, *plan.slow, plan.marking]]
    found.append(memory(plan, runs))
    found.append(memory_of_marks(plan, runs))
    found.append(time_a_row(plan, runs))
    if runs.old:
        found.append(cpu_time(plan, runs))
    requests = max(runs.values(NOTHING_NEW, "requests"))
    found.append(("nothing new: two requests", f"{requests} requests", requests <= 2))
    return found


def speed(runs: Runs, sync: Sync, other: Sync, least: float) -> tuple:
    ratios = runs.ratios(sync, other)
    what = f"{sync}: rows/s at least {least:g} times those of {other.kind}"
    figures = (
        f"{median(ratios):.3f} (in the rounds {min(ratios):.3f} to {max(ratios):.3f}): "
        f"{runs.rate(sync):,.0f} and {runs.rate(other):,.0f} rows/s"
    )
    return what, figures, median(ratios) >= least


def memory(plan: Plan, runs: Runs) -> tuple:
    peaks = [
        [runs.peak(Sync(kind, users)) for users in (FEW, plan.many)]
        for kind in ("connector", "floor")
    ]
    (few, many), (floor_few, floor_many) = peaks
    beyond = (many - few) - (floor_many - floor_few)
    what = f"{plan.many:,} users: at most 60 MB more than {FEW:,}, the floor's growth subtracted"
    figures = (
        f"{beyond:.0f} MB: from {few:.0f} to {many:.0f} MB, the floor from {floor_few:.0f} "
        f"to {floor_many:.0f} MB"
    )
    return what, figures, beyond <= 60


def memory_of_marks(plan: Plan, runs: Runs) -> tuple:
    plain, marking, floor, marking_floor = (
        runs.peak(Sync(kind, plan.many))
        for kind in ("connector", "marking", "floor", "marking-floor")
    )
    beyond = (marking - plain) - (marking_floor - floor)
    what = f"{plan.many:,} users: marking takes at most 60 MB more, the floor's part subtracted"
    figures = (
        f"{beyond:.0f} MB: from {plain:.0f} to {marking:.0f} MB, the floor from {floor:.0f} "
        f"to {marking_floor:.0f} MB"
    )
    return what, figures, beyond <= 60


def time_a_row(plan: Plan, runs: Runs) -> tuple:
    some = plan.fast[0].sync.users
    few, many, floor_few, floor_many = (
        runs.microseconds_a_row(Sync(kind, users))
        for kind in ("connector", "floor")
        for users in (some, plan.many)
    )
    growth = (many / few) / (floor_many / floor_few) - 1
    what = f"{plan.many:,} users: time per row at most 10 % beyond the floor's, from {some:,} on"
    figures = (
        f"{growth:.1%}: from {few:.0f} to {many:.0f} µs, the floor from {floor_few:.0f} "
        f"to {floor_many:.0f} µs"
    )
    return what, figures, growth <= 0.1


def cpu_time(plan: Plan, runs: Runs) -> tuple:
    first = plan.fast[0].sync
    growth = min(runs.cpu[first]) / min(runs.cpu[first.old]) - 1
    what = f"{first}: CPU time per row at most 5 % more than the old connector's"
    figures = [f"{growth:.1%}; new and old:"]
    for sync, *_ in plan.fast + plan.slow:
        line = f"{sync}: {runs.rate(sync):,.0f} and {runs.rate(sync.old):,.0f} rows/s"
        if sync in runs.cpu:
            line += f", {min(runs.cpu[sync]):.1f} and {min(runs.cpu[sync.old]):.1f} µs"
        figures.append(line)
    return what, "\n         ".join(figures), growth <= 0.05


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    version = sys.version.split()[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Python {version}; load before: {load}"


@contextmanager
def old_connector(revision: str | None):
    """Write the connector.py of a revision to a folder, and give it; None without a revision."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "connector.py").open("wb") as file:
            command = ["git", "show", f"{revision}:connector.py"]
            subprocess.run(command, check=True, cwd=PROJECT, stdout=file)
        yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round: a rough answer")
    parser.add_argument(
        "--old", metavar="REVISION", help="of git: measure its connector too (a third longer)"
    )
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    print(machine())
    print(f"This takes about {plan.duration} on 2 cores with nothing else to do.", flush=True)
    began = time.monotonic()
    with old_connector(options.old) as old, api(plan.many) as url:
        runs = Runs(url, old)
        measure_all(plan, runs)
    found = targets(plan, runs)
    print()
    for what, figures, met in found:
        print(f"{'met    ' if met else 'NOT MET'}  {what}\n         {figures}")
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"\nTook {minutes} min {seconds} s.")
    return 0 if all(met for *_, met in found) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] == ["--measure"]:
        measure(Sync(*json.loads(sys.argv[2])), sys.argv[3], Path(sys.argv[4]))
    elif sys.argv[1:2] == ["--cpu"]:
        measure_cpu(Sync(*json.loads(sys.argv[2])), sys.argv[3], Path(sys.argv[4]))
    else:
        sys.exit(main())
