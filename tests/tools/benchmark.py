"""How fast the connector is, beside the SDK alone and beside reading one page after the other.

`make bench` runs it, best on a machine with nothing else to do; `--quick` gives a rough answer in
two minutes. It measures whole syncs through the SDK's `debug()` into DuckDB, each in a process, a
home and a project folder of its own, in alternating rounds, and subtracts the SDK's start:

- connector: this connector, against an API on loopback that answers after so many milliseconds;
- serial: the same, asking for a page only once the one before it is written;
- floor: the same rows from memory, with a checkpoint after each 100: what the SDK itself costs.

Whether the time a row grows with the number of users is judged by the fastest stretches of a sync:
a machine's other work slows some of them down, and growth would all.

The exit code is 1 where a target is missed.
"""

import argparse
import json
import math
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
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from quiet_home import make_quiet_home  # noqa: E402

TOOLS = Path(__file__).resolve().parent
PROJECT = TOOLS.parents[1]
PAGE_SIZE = 100  # the connector's
STRETCH = 20  # pages
START = datetime(2020, 1, 1, tzinfo=timezone.utc)
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


@dataclass
class Plan:
    """How often and how much to measure: users by the milliseconds that a request takes."""

    rounds: int
    speeds: dict
    few: int
    many: int


FULL = Plan(rounds=3, speeds={0: 20_000, 50: 20_000, 300: 10_000}, few=2_000, many=200_000)
QUICK = Plan(rounds=1, speeds={0: 5_000, 50: 5_000, 300: 10_000}, few=2_000, many=20_000)


def row(number: int) -> dict:
    """A user as the connector hands it to the SDK."""
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
    """Serve pages of users that are serialised beforehand, until this process is ended.

    The path's first two parts are the milliseconds before an answer and how many users there are.
    With a filter there is one, since an inclusive filter finds the newest again.
    """
    pages = [body(range(n, n + PAGE_SIZE)) for n in range(0, users, PAGE_SIZE)]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        server.pages, server.newest, server.nobody = pages, body(range(1)), body([])
        server.requests = 0
        print(server.server_address[1], flush=True)
        server.serve_forever()


def body(numbers) -> bytes:
    users = [row(number) for number in numbers]
    return json.dumps({"success": True, "users": users}, default=text).encode()


def text(instant: datetime) -> str:
    return instant.replace(tzinfo=None).isoformat() + "Z"


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    target = re.compile(rb"GET /(\d+)/(\d+)/api/users\?page=(\d+)&per_page=100(&updated_since=)?")

    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline() != b"\r\n":
                pass
            self.wfile.write(self.answer(line))  # in one write: small ones meet Nagle's delay

    def answer(self, line: bytes) -> bytes:
        if line.startswith(b"GET /requests "):
            return head(body := str(self.server.requests).encode()) + body
        latency, users, page, filtered = self.target.match(line).groups()
        self.server.requests += 1
        time.sleep(int(latency) / 1000)
        body = self.page(int(users), int(page), filtered)
        return head(body) + body

    def page(self, users: int, page: int, filtered: bool) -> bytes:
        if filtered and page == 1:
            return self.server.newest
        if filtered or page * PAGE_SIZE > users:
            return self.server.nobody
        return self.server.pages[page - 1]


def head(body: bytes) -> bytes:
    date = formatdate(usegmt=True)
    return f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


@contextmanager
def api():
    """Start the API and give its address."""
    command = [sys.executable, __file__, "--serve", str(FULL.many)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


# --- One sync, in a process of its own ----------------------------------------------------------


def measure(kind: str, users: int, url: str, result: Path):
    """Run one sync, the only one of this process, and write what it took to `result`."""
    began = time.perf_counter()
    if kind == "floor":
        connector = floor(users)
    else:
        connector = the_connector(serial=kind == "serial")
    state = {"last_sync_time": text(START)} if kind == "incremental" else {}
    configuration = {"api_key": "a-key", "base_url": url}
    checkpoints = times_of_checkpoints()
    called = time.perf_counter()
    connector.debug(str(result.parent), configuration, state)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if kind != "incremental":
        assert rows_in(result.parent / "files" / "warehouse.db") == users
    found = {"sync": ended - called, "process": ended - began, "peak": peak}
    found["stretches"] = [end - begin for begin, end in pairwise(checkpoints[::STRETCH])]
    result.write_text(json.dumps(found))


def times_of_checkpoints() -> list:
    """Will hold, of each checkpoint from now on, when it was done."""
    from fivetran_connector_sdk import Operations

    checkpoint, times = Operations.checkpoint, []

    def timed(state: dict):
        checkpoint(state)
        times.append(time.perf_counter())

    Operations.checkpoint = staticmethod(timed)
    return times


def the_connector(serial: bool):
    sys.path.insert(0, str(PROJECT))
    import connector

    if serial:
        open_api = connector._open_api

        def open_calm_api(*args):
            api = open_api(*args)
            api.calm_until = math.inf
            return api

        connector._open_api = open_calm_api
    return connector.connector


def floor(users: int):
    from fivetran_connector_sdk import Connector, Operations

    def update(configuration: dict, state: dict):
        for number in range(users):
            Operations.upsert("USER", row(number))
            if number % PAGE_SIZE == PAGE_SIZE - 1:
                Operations.checkpoint({"last_sync_time": text(START + timedelta(minutes=number))})

    def schema(configuration: dict) -> list:
        return [{"table": "USER", "primary_key": ["employeeId"], "columns": COLUMNS}]

    return Connector(update=update, schema=schema)


def rows_in(warehouse: Path) -> int:
    import duckdb

    with duckdb.connect(str(warehouse), read_only=True) as found:
        return found.execute('SELECT count(*) FROM tester."user"').fetchone()[0]


def run(kind: str, users: int, url: str = "", latency: int = 0) -> dict:
    """Measure one sync: its seconds, those with the imports, and the bytes at its peak."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as project:
        make_quiet_home(Path(home))
        (Path(project) / "connector.py").touch()  # or the SDK's dependency check goes online
        result = Path(project) / "result.json"
        path = [str(TOOLS / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        quiet = {"HOME": home, "USERPROFILE": home, "FIVETRAN_DEPLOYMENT_MODEL": "local_debug"}
        environment = {**os.environ, **quiet, "PATH": os.pathsep.join(path)}
        what = [kind, str(users), f"{url}/{latency}/{users}", str(result)]
        command = [sys.executable, __file__, "--measure", *what]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())


# --- All of them, and the targets ---------------------------------------------------------------


class Runs:
    """The measurements: of each kind, number of users and latency one a round."""

    def __init__(self, url: str):
        self.url = url
        self.found = defaultdict(list)
        self.requests = []  # of each incremental sync

    def add(self, kind: str, users: int, latency: int = 0):
        before = self.requests_made()
        found = run(kind, users, self.url, latency)
        self.found[kind, users, latency].append(found)
        if kind == "incremental":
            self.requests.append(self.requests_made() - before)
        print(
            f"  {kind:<11} {users:>7,} users {latency:>3} ms {found['sync']:>6.1f} s", flush=True
        )

    def requests_made(self) -> int:
        with urlopen(f"{self.url}/requests", timeout=10) as answer:
            return int(answer.read())

    def seconds(self, kind: str, users: int, latency: int = 0) -> list:
        """Of each round, without the SDK's start."""
        start = self.median("floor" if kind == "floor" else "connector", 0, "sync")
        return [found["sync"] - start for found in self.found[kind, users, latency]]

    def median(self, kind: str, users: int, what: str) -> float:
        return median(found[what] for found in self.found[kind, users, 0])

    def rate(self, kind: str, users: int, latency: int) -> float:
        return users / median(self.seconds(kind, users, latency))

    def ratio(self, kind: str, users: int, latency: int) -> float:
        """The connector's rows/s as a multiple of the other's in the same round; the median."""
        ours, theirs = (self.seconds(name, users, latency) for name in ("connector", kind))
        return median(other / own for own, other in zip(ours, theirs, strict=True))

    def seconds_a_row(self, kind: str, users: int) -> float:
        """In the fastest stretch of the later half of a sync."""
        syncs = [found["stretches"] for found in self.found[kind, users, 0]]
        return min(min(found[len(found) // 2 :]) for found in syncs) / (STRETCH * PAGE_SIZE)

    def growth(self, kind: str, few: int, many: int) -> float:
        """Bytes that the larger sync takes more, at its peak."""
        return self.median(kind, many, "peak") - self.median(kind, few, "peak")


def measure_all(plan: Plan, runs: Runs):
    for number in range(plan.rounds):
        print(f"Round {number + 1} of {plan.rounds}")
        for kind, users in (("connector", 0), ("floor", 0), ("incremental", plan.few)):
            runs.add(kind, users)
        for latency, users in plan.speeds.items():
            kinds = ["connector", "floor", "serial"]
            for kind in kinds if number % 2 == 0 else reversed(kinds):
                runs.add(kind, users, latency)
        for kind in ("connector", "floor"):
            runs.add(kind, plan.few)
    print("Size")
    for kind in ("connector", "floor"):
        runs.add(kind, plan.many)


def print_speeds(plan: Plan, runs: Runs):
    print(f"\n{'rows/s':>20} connector     floor    serial   of the floor   of serial")
    for latency, users in plan.speeds.items():
        rates = [runs.rate(kind, users, latency) for kind in ("connector", "floor", "serial")]
        columns = " ".join(f"{rate:>9,.0f}" for rate in rates)
        against_floor, against_serial = (
            runs.ratio(kind, users, latency) for kind in ("floor", "serial")
        )
        print(
            f"{users:>6,} rows, {latency:>3} ms {columns} {against_floor:>14.0%} "
            f"{against_serial:>10.2f}x"
        )


def print_sizes(plan: Plan, runs: Runs):
    print(f"\n{'peak MB':>11} {plan.few:>9,} {plan.many:>9,} users   growth")
    for kind in ("connector", "floor"):
        few, many = (runs.median(kind, users, "peak") for users in (plan.few, plan.many))
        grown = runs.growth(kind, plan.few, plan.many)
        columns = " ".join(f"{peak / MEGABYTE:>9.0f}" for peak in (few, many))
        print(f"{kind:>11} {columns} {grown / MEGABYTE:>14.0f}")
    some = plan.speeds[0]
    print(f"\n{'µs a row':>11} {some:>9,} {plan.many:>9,} users   growth")
    for kind in ("connector", "floor"):
        few, many = (runs.seconds_a_row(kind, users) for users in (some, plan.many))
        print(f"{kind:>11} {few * 1e6:>9.0f} {many * 1e6:>9.0f} {many / few - 1:>14.0%}")


def targets(plan: Plan, runs: Runs) -> list:
    """Of each target what it asks, the figure, and whether that meets it."""
    found = []
    for latency in (0, 50):
        ratio = runs.ratio("floor", plan.speeds[latency], latency)
        found.append((f"{latency} ms: >= 90 % of the floor", f"{ratio:.1%}", ratio >= 0.9))
    ratio = runs.ratio("serial", plan.speeds[300], 300)
    found.append(("300 ms: >= 3.5 times the serial reader", f"{ratio:.2f}", ratio >= 3.5))
    ours, floors = (runs.growth(kind, plan.few, plan.many) for kind in ("connector", "floor"))
    beyond = (ours - floors) / MEGABYTE
    what = f"memory, {plan.many:,} users: <= 60 MB beyond the floor's growth"
    found.append((what, f"{beyond:.0f} MB", beyond <= 60))
    ours, floors = (growth_a_row(plan, runs, kind) for kind in ("connector", "floor"))
    what = f"time a row, {plan.many:,} users: <= 10 % growth"
    found.append((what, f"{ours:.1%}, the floor {floors:.1%}", ours <= 0.1))
    found.append(("nothing new: <= 2 requests", max(runs.requests), max(runs.requests) <= 2))
    nothing_new = runs.median("incremental", plan.few, "process")
    beyond = nothing_new - runs.median("floor", 0, "process")
    found.append(("nothing new: <= 0.3 s beyond the SDK", f"{beyond:.2f} s", beyond <= 0.3))
    return found


def growth_a_row(plan: Plan, runs: Runs, kind: str) -> float:
    return runs.seconds_a_row(kind, plan.many) / runs.seconds_a_row(kind, plan.speeds[0]) - 1


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    version = sys.version.split()[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Python {version}; load before: {load}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="one short round: a rough answer")
    plan = QUICK if options.parse_args().quick else FULL
    print(machine())
    with api() as url:
        runs = Runs(url)
        measure_all(plan, runs)
    print_speeds(plan, runs)
    print_sizes(plan, runs)
    found = targets(plan, runs)
    print()
    for what, figure, met in found:
        print(f"{'met    ' if met else 'NOT MET'}  {what}: {figure}")
    return 0 if all(met for *_, met in found) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
    else:
        sys.exit(main())
