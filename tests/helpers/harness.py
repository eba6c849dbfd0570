"""Run a sync through the real SDK and read back, as plain values, all that it left."""

import atexit
import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import util
from pathlib import Path
from unittest import mock

import duckdb
from fivetran_connector_sdk_cli import runtime
from fivetran_connector_sdk_core.cells import decode_row_data

import connector
from fake_awardco import KEY

UNPROVED = {"source": "users"}  # the state after a first sync that has proved nothing


@dataclass
class Outcome:
    """What a sync left: its state, its log, whether it failed, and the table `USER`."""

    failed: bool
    log: str
    state: dict
    rows: dict  # employee_id to a dict of the row, without Fivetran's own columns
    columns: dict  # column to DuckDB type

    @property
    def cursor(self) -> str:
        return self.state.get("last_sync_time")

    def log_lines(self, part: str) -> list:
        return [line for line in self.log.splitlines() if part in line]


class Project:
    """A folder for `connector.debug()`: it keeps the warehouse and the state from sync to sync.

    It holds an empty connector.py, so that the SDK's dependency check finds nothing to look up.
    """

    def __init__(self, folder: Path, capsys):
        self.folder = folder
        self.capsys = capsys
        (folder / "connector.py").touch()

    def sync(self, api=None, state=None, naming=None, **configuration) -> Outcome:
        """Run one sync against `api`, from `state`, or from where the last one ended."""
        if api is not None:
            configuration = {"api_key": KEY, "base_url": api.url, **configuration}
        self.capsys.readouterr()
        failed = False
        state = self.state() if state is None else state
        try:
            with ending_process():
                connector.connector.debug(str(self.folder), configuration, state, naming)
        except SystemExit as end:
            failed = end.code != 0
        finally:
            wait_for_pages()
            connector.connector.configuration = connector.connector.state = None
        rows, columns = self.table(naming)
        return Outcome(failed, self.capsys.readouterr().out, self.state(), rows, columns)

    def state(self) -> dict:
        path = self.folder / "files" / "state.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def table(self, naming=None) -> tuple:
        name, key = ("USER", "employeeId") if naming else ("user", "employee_id")
        with duckdb.connect(str(self.folder / "files" / "warehouse.db"), read_only=True) as found:
            found.execute("SET TimeZone = 'UTC'")
            try:
                result = found.execute(f'SELECT * FROM tester."{name}"')
            except duckdb.CatalogException:
                return {}, {}
            columns = {item[0]: str(item[1]) for item in result.description}
            rows = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
        own = {name for name in columns if name.startswith("_fivetran")}
        kept = [{name: row[name] for name in row if name not in own} for row in rows]
        return {row[key]: row for row in kept}, {
            name: kind for name, kind in columns.items() if name not in own
        }


def use_copy(folder: Path, monkeypatch, clock, change=lambda source: source):
    """Let a copy of the connector in this folder, changed, take the place of the connector."""
    here = Path(connector.__file__)
    source = change(here.read_text(encoding="utf-8"))
    (folder / here.name).write_text(source, encoding="utf-8")
    spec = util.spec_from_file_location("connector_of_the_project", folder / here.name)
    copied = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, copied)
    spec.loader.exec_module(copied)
    monkeypatch.setattr(copied, "time", clock)
    monkeypatch.setattr(sys.modules[__name__], "connector", copied)
    return copied


TRUNCATE = object()


@dataclass
class Memory:
    """Stands where the SDK's runner stands, and keeps the operations: for thousands of syncs.

    As with the runner, rows count only once a checkpoint, or the end of a sync that went well, has
    committed them.
    """

    operations: list = field(default_factory=list)
    pending: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)
    gone: dict = field(default_factory=dict)  # the rows that are marked as deleted
    state: dict = field(default_factory=dict)
    die_at: int = None  # the checkpoint at which the process dies, counted from 1
    checkpoints: int = 0
    warnings: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    def sync(self, **configuration):
        """Run update(), from the state that the last one left, through the SDK's operations."""
        self.checkpoints = 0
        self.pending = []
        runtime.install(self)
        connector.log.LOG_LEVEL = connector.log.Level.CRITICAL
        try:
            connector.update(configuration, json.loads(json.dumps(self.state)))
            self.commit()
        finally:
            runtime.install(None)
            wait_for_pages()

    def commit(self):
        for key, row in self.pending:
            if key is TRUNCATE:
                self.gone.update(self.rows)
                self.rows.clear()
            else:
                self.rows[key] = row
                self.gone.pop(key, None)
        self.pending = []

    def record(self, record):
        row = decode_row_data(record.row_data)
        self.operations.append(("upsert", row))
        self.pending.append((row["employeeId"], row))

    def truncate(self, truncate):
        self.operations.append(("truncate", None))
        self.pending.append((TRUNCATE, None))

    def checkpoint(self, checkpoint):
        self.checkpoints += 1
        if self.checkpoints == self.die_at:
            raise Killed()
        self.commit()
        self.state = json.loads(checkpoint.state_json)
        self.operations.append(("checkpoint", self.state))

    def warning(self, warning):
        self.warnings.append(json.loads(warning.message)["message"])

    def task(self, task):
        """Deployed, op.error() returns."""
        self.errors.append(json.loads(task.message)["message"])


class InMemory:
    """In place of a Project where hundreds of syncs matter more than DuckDB: see Memory.

    Its log holds what the connector wrote, and the error that ended the sync.
    """

    def __init__(self, monkeypatch):
        self.destination = Memory()
        self.lines = []
        for level in ("info", "warning"):
            monkeypatch.setattr(connector.log, level, self.lines.append)

    def sync(self, api, state=None, **configuration) -> Outcome:
        self.lines.clear()
        self.destination.state = self.destination.state if state is None else state
        self.destination.warnings.clear()
        failed = False
        try:
            self.destination.sync(**{"api_key": KEY, "base_url": api.url, **configuration})
        except connector.SyncError as error:
            failed = True
            self.lines.append(str(error))
        log = "\n".join([*self.lines, *self.destination.warnings])
        return Outcome(failed, log, self.state(), dict(self.destination.rows), {})

    def state(self) -> dict:
        return self.destination.state


@contextmanager
def ending_process():
    """At the end of the block, let the SDK do what it does at the end of a process: it writes the
    crash report, and how much memory was used."""
    register, at_exit = atexit.register, []

    def keep(call, *arguments):
        if call.__module__.startswith("fivetran_connector_sdk"):
            at_exit.append(call)
        else:
            register(call, *arguments)

    try:
        with mock.patch("atexit.register", keep):
            yield
    finally:
        for call in reversed(at_exit):
            call()


def wait_for_pages():
    """Let requests end that a sync has made ahead and does not need any more."""
    for thread in threading.enumerate():
        if thread.name == "awardco-request":
            thread.join(1)


class Killed(BaseException):
    """The process ends between two checkpoints."""


class Clock:
    """In place of the module time in the connector: sleeping takes no time, and is noted."""

    def __init__(self):
        self.sleeps = []
        self.now = 1_000.0

    def sleep(self, seconds: float):
        self.sleeps.append(seconds)
        self.passes(seconds)

    def monotonic(self) -> float:
        return self.now

    def passes(self, seconds: float):
        """Let time pass as it does while an answer is slow."""
        self.now += seconds


def utc(value: str) -> datetime:
    return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
