"""`fivetran run` into a real Iceberg REST catalog on this machine, as docs/iceberg.md has it.

The packages are installed for these tests alone, from requirements-iceberg.txt.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import pytest

import iceberg_catalog
import pypi
from fake_awardco import KEY, FakeAwardco, Fault, instant, user, users
from fivetran_api import PROJECT, STUB_PIPREQS, VENV_BIN, Run, copy_project
from harness import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PIP_HOME = os.environ.get("HOME", "")  # pip's settings are there; conftest.py changes it later
PAGE = PROJECT / "docs" / "iceberg.md"
MOCK = "mock_data/configuration.json"
MOCK_USERS = json.loads((PROJECT / "mock_data" / "users.json").read_text("utf-8"))["users"]
VARIABLES = {  # of destination.json
    "CATALOG_CLIENT_ID": iceberg_catalog.CLIENT_ID,
    "CATALOG_CLIENT_SECRET": iceberg_catalog.CLIENT_SECRET,
    "S3_ACCESS_KEY_ID": iceberg_catalog.S3_KEY_ID,
    "S3_SECRET_ACCESS_KEY": iceberg_catalog.S3_SECRET,
}
SECRETS = [iceberg_catalog.CLIENT_SECRET, iceberg_catalog.S3_SECRET, KEY]
TOKEN = re.compile(r"\beyJ[\w-]{10,}")  # how a JSON web token begins: the catalog gives out such
DECLARED_TYPES = {
    "employee_id": "VARCHAR",
    "first_name": "VARCHAR",
    "last_name": "VARCHAR",
    "email": "VARCHAR",
    "currency_code": "VARCHAR",
    "balance": "DOUBLE",
    "updated_at": "TIMESTAMP WITH TIME ZONE",
    "created_at": "TIMESTAMP WITH TIME ZONE",
}


@pytest.fixture(scope="module")
def packages():
    with tempfile.TemporaryDirectory() as folder:
        try:
            requirements = iceberg_catalog.REQUIREMENTS
            yield pypi.install(requirements, Path(folder) / "packages", PIP_HOME)
        except pypi.NotHere as reason:
            pytest.skip(str(reason))


@pytest.fixture
def lake(packages, tmp_path):
    with new_lake(packages, tmp_path) as lake:
        yield lake


@contextmanager
def new_lake(packages: Path, folder: Path, vends: bool = True):
    warehouse = shown_destination()["warehouse"]
    with iceberg_catalog.Catalog(packages, folder / "catalog", warehouse, vends) as catalog:
        yield Lake(catalog, folder)


class Lake:
    """A copy of the project, and an empty catalog that its destination.json describes."""

    def __init__(self, catalog: iceberg_catalog.Catalog, folder: Path):
        self.catalog = catalog
        self.project = copy_project(folder)
        for left in ("files", "crash-reports"):
            shutil.rmtree(self.project / left)
        path = os.pathsep.join([str(STUB_PIPREQS), str(VENV_BIN), os.defpath])
        nowhere = "http://127.0.0.1:9"
        self.environment = {
            **iceberg_catalog.environment_with(catalog.packages, folder / "run-home"),
            **VARIABLES,
            "PATH": path,
            "PYTHONUTF8": "1",
            "DO_NOT_TRACK": "1",
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1",
        }
        self.output = ""  # of all commands
        self.describe(shown_destination())

    def describe(self, destination: dict):
        """Write destination.json, with the address of the catalog."""
        self.destination = {**destination, "uri": self.catalog.uri}
        (self.project / "destination.json").write_text(json.dumps(self.destination))

    def fivetran(self, *arguments, **variables) -> Run:
        with self.start(*arguments, **variables) as process:
            return self.finish(process)

    @contextmanager
    def start(self, *arguments, **variables):
        process = subprocess.Popen(
            [shutil.which("fivetran", path=self.environment["PATH"]), *arguments],
            cwd=self.project,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def finish(self, process: subprocess.Popen) -> Run:
        output, _ = process.communicate(timeout=120)
        self.output += output
        return Run(process.returncode, output)

    def run(self, *options):
        """A `fivetran run` that must go well."""
        ended = self.fivetran("run", *options)
        assert ended.status == 0, ended.output

    def debug(self, *options):
        """A `fivetran debug` that must go well."""
        ended = self.fivetran("debug", *options)
        assert ended.status == 0, ended.output

    def run_with(self, api: FakeAwardco, **settings) -> list:
        """The options of a run that reads the fake API."""
        settings = {"api_key": KEY, "base_url": api.url, **settings}
        (self.project / "configuration.local.json").write_text(json.dumps(settings))
        return ["--configuration", "configuration.local.json"]

    def state(self) -> dict:
        """The state that `run` and `debug` share."""
        return json.loads((self.project / "files" / "state.json").read_text())

    def query(self, sql: str) -> list:
        return iceberg_catalog.query(sql, self.destination, self.environment)

    @property
    def table(self) -> str:
        return f"lake.{self.destination['namespace']}.user"

    def rows(self) -> list:
        return self.query(f"SELECT * FROM {self.table}")

    def types(self) -> dict:
        found = self.query(f"DESCRIBE {self.table}")
        return {column["column_name"]: column["column_type"] for column in found}

    def snapshots(self) -> int:
        return len(self.snapshot_ids())

    def snapshot_ids(self) -> list:
        """From the oldest on."""
        found = self.query(
            f"SELECT snapshot_id FROM iceberg_snapshots('{self.table}') ORDER BY sequence_number"
        )
        return [row["snapshot_id"] for row in found]

    def marked_in(self, snapshot: int) -> list:
        """Who was marked as deleted in a snapshot."""
        found = self.query(
            f"SELECT employee_id FROM {self.table} AT (VERSION => {snapshot}) "
            "WHERE _fivetran_deleted ORDER BY employee_id"
        )
        return [row["employee_id"] for row in found]

    def shown(self) -> str:
        """What the commands printed, and what they left in text files."""
        left = [*self.project.glob("files/*.json"), *self.project.glob("crash-reports/*")]
        return self.output + "".join(path.read_text("utf-8") for path in left)


def shown_destination() -> dict:
    """The destination.json that docs/iceberg.md shows."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    (found,) = [json.loads(block) for block in blocks if '"uri"' in block and "warehouse" in block]
    return found


def damaged(rows: list, source: list) -> list:
    """The keys of users whose row is missing, there twice, or not as the source has it."""
    found, wanted = _by_key(rows, "employee_id"), _by_key(source, "employeeId")
    landed = {key: [_landed(row) for row in found[key]] for key in found}
    expected = {key: [_expected(row) for row in wanted[key]] for key in wanted}
    keys = landed.keys() | expected.keys()
    return [key for key in keys if landed.get(key) != expected.get(key)]


def _by_key(rows: list, key: str) -> dict:
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _landed(row: dict) -> dict:
    return {
        **{name: row[name] for name in DECLARED_TYPES},
        "updated_at": instant(row["updated_at"]),
        "created_at": instant(row["created_at"]),
        "address": row["address"] and json.loads(row["address"]),
    }


def _expected(row: dict) -> dict:
    return {
        "employee_id": row["employeeId"],
        "first_name": row["firstName"],
        "last_name": row["lastName"],
        "email": row["email"],
        "currency_code": row.get("currencyCode"),
        "balance": row["balance"] and float(row["balance"]),
        "updated_at": instant(row["updated_at"]),
        "created_at": instant(row["created_at"]),
        "address": row.get("address"),
    }


def written_since(before: list, after: list) -> list:
    """The rows that a run wrote."""
    newest = max(row["_fivetran_synced"] for row in before)
    return [row for row in after if row["_fivetran_synced"] > newest]


def some_users(count: int) -> list:
    """Users of the API, some with values that are easily damaged."""
    found = [
        {**row, "address": {"city": "Łódź", "floors": [n, None]}}
        for n, row in enumerate(users(count))
    ]
    found[6] = user(7, None, employeeId="00042", firstName="T", balance=16777217.25, address=None)
    return found


# --- Mock mode, twice ----------------------------------------------------------------------------


class MockMode:
    """What two runs in mock mode left in the catalog of docs/iceberg.md."""

    def __init__(self, lake: Lake):
        lake.run("--configuration", MOCK)
        self.rows, self.types, self.snapshots = lake.rows(), lake.types(), lake.snapshots()
        lake.run("--configuration", MOCK)
        self.rows_later, self.snapshots_later = lake.rows(), lake.snapshots()
        self.rows_written_later = written_since(self.rows, self.rows_later)
        self.shown = lake.shown()
        (lake.project.parent / "debug-state.json").write_text("{}")
        lake.debug("--configuration", MOCK, "--state", "../debug-state.json")
        _, self.types_of_debug = Project(lake.project, None).table()


@pytest.fixture(scope="module")
def mock_mode(packages, tmp_path_factory):
    with new_lake(packages, tmp_path_factory.mktemp("mock")) as lake:
        return MockMode(lake)


def test_mock_mode_lands_250_users_in_the_catalog_of_the_page(mock_mode):
    assert len(mock_mode.rows) == len(MOCK_USERS) == 250
    assert damaged(mock_mode.rows, MOCK_USERS) == []


def test_the_second_run_is_incremental_and_keeps_what_landed(mock_mode):
    assert 1 <= len(mock_mode.rows_written_later) < 10
    assert damaged(mock_mode.rows_later, MOCK_USERS) == []


def test_columns_have_the_declared_types(mock_mode):
    assert {name: mock_mode.types[name] for name in DECLARED_TYPES} == DECLARED_TYPES


def test_types_are_those_of_debug_but_json_becomes_text(mock_mode):
    assert mock_mode.types_of_debug["address"] == "JSON"
    found = {name: mock_mode.types[name] for name in mock_mode.types_of_debug}
    assert found == {
        name: kind.replace("JSON", "VARCHAR") for name, kind in mock_mode.types_of_debug.items()
    }


def test_no_run_removes_the_snapshots_of_those_before_it(mock_mode):
    """This is why a schedule slows down unless the catalog expires them."""
    assert mock_mode.snapshots_later > mock_mode.snapshots >= 1


# --- Users of an API -----------------------------------------------------------------------------


def test_5000_users_land_as_the_api_sent_them(lake):
    source = some_users(5000)
    with FakeAwardco(source) as api:
        lake.run(*lake.run_with(api))
    assert damaged(lake.rows(), source) == []
    assert lake.types()["address"] == "VARCHAR"
    assert lake.snapshots() == 5  # a page of 1,000 is a commit
    assert_shows_no_secret(lake.shown())


def test_a_run_that_was_killed_begins_again_and_loses_nobody(lake):
    source, reached = some_users(5000), threading.Event()
    with FakeAwardco(source, page_cap=500) as api:
        api.before_page[8] = lambda _: reached.set()
        api.faults = [Fault(page=8, kind="silent")]
        with lake.start("run", *lake.run_with(api)) as process:
            while not reached.wait(0.1):
                assert process.poll() is None, lake.finish(process).output
            process.kill()
            assert lake.finish(process).status < 0
        assert 0 < len(lake.rows()) < 5000
        assert lake.state() == {}
        lake.run(*lake.run_with(api))
    assert damaged(lake.rows(), source) == []
    assert lake.state().keys() == {"last_sync_time", "last_full_sync", "users", "source"}
    assert_shows_no_secret(lake.shown())


# --- Users who left -----------------------------------------------------------------------------


def test_a_full_read_marks_who_left_and_no_snapshot_shows_anybody_else_as_deleted(lake):
    source = some_users(50)
    with FakeAwardco(source, page_cap=20) as api:
        options = lake.run_with(api, full_sync_days="7")
        lake.run(*options)
        due = {**lake.state(), "last_full_sync": "2020-01-01T00:00:00+00:00"}
        (lake.project / "files" / "state.json").write_text(json.dumps(due))
        api.users = source[3:]
        lake.run(*options)
    rows = lake.rows()
    left = [user["employeeId"] for user in source[:3]]
    assert sorted(row["employee_id"] for row in rows if row["_fivetran_deleted"]) == left
    assert damaged(rows, source) == []
    marked = [lake.marked_in(snapshot) for snapshot in lake.snapshot_ids()]
    assert marked == [[]] * (len(marked) - 1) + [left]


# --- A catalog that vends no credentials ---------------------------------------------------------


S3_SETTINGS = {  # as in docs/iceberg.md
    "s3.region": "us-east-1",
    "s3.endpoint": "https://s3.example.com",
    "s3.access-key-id": "${S3_ACCESS_KEY_ID}",
    "s3.secret-access-key": "${S3_SECRET_ACCESS_KEY}",
    "s3.force-virtual-addressing": "false",
}


def test_the_page_names_the_s3_settings():
    page = PAGE.read_text("utf-8")
    assert [name for name in S3_SETTINGS if name not in page] == []


def test_without_vended_credentials_the_s3_settings_do(packages, tmp_path):
    with new_lake(packages, tmp_path, vends=False) as lake:
        destination = shown_destination()
        del destination["header.X-Iceberg-Access-Delegation"]
        lake.describe({**destination, **S3_SETTINGS, "s3.endpoint": lake.catalog.s3_endpoint})
        lake.run("--configuration", MOCK)
        assert damaged(lake.rows(), MOCK_USERS) == []
        assert_shows_no_secret(lake.shown())


# --- The state that `run` shares with `debug` ----------------------------------------------------


def test_a_first_run_after_a_debug_lands_only_what_changed_since_unless_reset(lake):
    """The page warns of it."""
    lake.debug("--configuration", MOCK)
    lake.run("--configuration", MOCK)
    assert 1 <= len(lake.rows()) < 10
    assert lake.fivetran("reset", "--yes").status == 0
    lake.run("--configuration", MOCK)
    assert damaged(lake.rows(), MOCK_USERS) == []


def test_with_a_state_file_of_its_own_the_first_run_lands_everybody(lake):
    lake.debug("--configuration", MOCK)
    debugged = lake.state()
    (lake.project.parent / "run-state.json").write_text("{}")
    own_state = ["--configuration", MOCK, "--state", "../run-state.json"]
    lake.run(*own_state)
    rows = lake.rows()
    assert damaged(rows, MOCK_USERS) == []
    lake.run(*own_state)
    assert 1 <= len(written_since(rows, lake.rows())) < 10
    assert lake.state() == debugged


# --- Secrets -------------------------------------------------------------------------------------


def assert_shows_no_secret(shown: str):
    assert [secret for secret in SECRETS if secret in shown] == []
    assert not TOKEN.search(shown)


def test_a_run_that_goes_well_shows_no_secret(mock_mode):
    assert_shows_no_secret(mock_mode.shown)


def test_a_secret_that_the_catalog_refuses_is_not_shown(lake):
    wrong = iceberg_catalog.CLIENT_SECRET + "-once"
    ended = lake.fivetran("run", "--configuration", MOCK, CATALOG_CLIENT_SECRET=wrong)
    assert ended.status == 1 and "could not connect to the Iceberg catalog" in ended.output
    assert_shows_no_secret(lake.shown())


def test_a_catalog_that_dies_ends_the_run_and_no_secret_is_shown(lake):
    with FakeAwardco(some_users(5000), page_cap=500) as api:
        api.before_page[8] = lambda _: lake.catalog.kill()
        ended = lake.fivetran("run", *lake.run_with(api))
    assert ended.status == 1 and "SYNC FAILED" in ended.output
    assert_shows_no_secret(lake.shown())
