"""The SQL of the documentation works: on mock mode's table, and on one that people left."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from fake_awardco import user, users

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "modelling.md").read_text(encoding="utf-8")
STAGING = "models/staging/stg_awardco__users.sql"


def blocks(page: str) -> dict:
    """The SQL blocks of a page by the file name in their first line, for the local table."""
    found = {}
    for name, sql in re.findall(r"```sql\n-- (\S+)\n(.*?)```", page, re.DOTALL):
        sql = sql.replace("{{ source('awardco', 'user') }}", "awardco.user")
        sql = sql.replace("{{ ref('stg_awardco__users') }}", "analytics.stg_awardco__users")
        found[name] = sql.replace("awardco.user", "tester.user")
    assert len(found) == page.count("```sql"), "a block does not begin with its name"
    return found


SQL = blocks(PAGE)
OPERATIONS = blocks((DOCS / "operations.md").read_text(encoding="utf-8"))
DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "UTC_DATETIME": "TIMESTAMP WITH TIME ZONE",
    "JSON": "JSON",
    "BOOLEAN": "BOOLEAN",
}
TESTS = [name for name in SQL if name.startswith("tests/")]


class Warehouse:
    """The DuckDB file that a project's syncs wrote, with the models of the page."""

    def __init__(self, project):
        self.path = str(project.folder / "files" / "warehouse.db")

    def run(self, sql: str) -> list:
        with duckdb.connect(self.path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def build(self):
        self.run("create schema analytics")
        self.run(f"create view analytics.stg_awardco__users as {SQL[STAGING]}")
        self.run(SQL["active_users.sql"])

    def let_days_pass(self, days: int):
        self.run(
            f"update tester.user set _fivetran_synced = _fivetran_synced - interval {days} day"
        )

    def gone(self) -> list:
        return sorted(row[0] for row in self.run(SQL["gone.sql"]))

    def active(self) -> list:
        found = self.run("select employee_id from analytics.active_users order by employee_id")
        return [row[0] for row in found]


@pytest.fixture
def mock_mode(project):
    assert not project.sync(use_mock="true").failed
    warehouse = Warehouse(project)
    warehouse.build()
    return warehouse


def test_the_page_has_a_staging_model_and_four_tests():
    assert STAGING in SQL and len(TESTS) == 4


def test_the_staging_model_holds_every_user_of_mock_mode(mock_mode):
    ((users_staged, statuses),) = mock_mode.run(
        "select count(*), count(distinct status) from analytics.stg_awardco__users"
    )
    assert (users_staged, statuses) == (250, 2)


@pytest.mark.parametrize("name", TESTS)
def test_the_data_tests_pass_on_mock_mode(mock_mode, name):
    assert mock_mode.run(SQL[name]) == []


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (
            "every_user_is_there_once",
            "insert into tester.user from tester.user where email is null limit 1",
        ),
        (
            "no_two_active_users_share_an_email",
            "update tester.user set email = 'a@example.com' where employee_id < '00003'",
        ),
        (
            "every_status_is_known",
            "update tester.user set status = 'on leave' where employee_id = '00001'",
        ),
        (
            "no_change_lies_in_the_future",
            "update tester.user set updated_at = '2099-01-01' where employee_id = '00001'",
        ),
    ],
)
def test_each_data_test_finds_what_it_is_for(mock_mode, name, damage):
    mock_mode.run("create table copy as select * from tester.user")  # without the primary key
    mock_mode.run("drop table tester.user cascade; create table tester.user as from copy")
    mock_mode.run(damage)
    failed = [test for test in TESTS if mock_mode.run(SQL[test])]
    assert failed == [f"tests/{name}.sql"]


@pytest.mark.parametrize(("name", "count"), [("first_look.sql", 250), ("freshness.sql", 1)])
def test_the_queries_of_the_other_page_work_on_mock_mode(mock_mode, name, count):
    assert len(mock_mode.run(OPERATIONS[name])) == count


def test_the_snapshot_has_eight_lines_and_checks_columns_that_exist(mock_mode):
    (snapshot,) = re.findall(r"```yaml\n(snapshots:\n.*?)```", PAGE, re.DOTALL)
    assert len(snapshot.splitlines()) == 8
    checked = re.search(r"check_cols: \[(.+)\]", snapshot).group(1).split(", ")
    key = re.search(r"unique_key: (\w+)", snapshot).group(1)
    mock_mode.run(f"select {', '.join([key, *checked])} from tester.user")


def test_the_columns_of_the_page_are_those_of_the_table(project, api):
    described = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    api.users = [user(1, **{"部署": "営業"})]  # a name for other_fields
    project.sync(api)
    found = Warehouse(project).run(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'tester' and table_name = 'user'"
    )
    assert {name: DUCKDB_TYPES[kind] for name, kind in described.items()} == dict(found)


def test_the_mock_users_have_the_undeclared_columns_that_the_page_names(mock_mode):
    named = ["department", "status", "hire_date", "manager_id", "address"]
    assert ", ".join(f"`{name}`" for name in named[:-1]) + f" and `{named[-1]}`" in PAGE
    mock_mode.run(f"select {', '.join(named)} from tester.user")


def read_everybody_after_40_days(project, api, warehouse):
    """The sync after 40 days, which full_sync_days makes a full one."""
    warehouse.let_days_pass(40)
    state = project.state()
    began = datetime.fromisoformat(state["last_full_sync"]) - timedelta(days=40)
    state["last_full_sync"] = began.isoformat()
    outcome = project.sync(api, state=state, full_sync_days="30")
    assert outcome.log_lines("Full sync: all users (full_sync_days)")


def test_a_user_who_was_removed_one_archived_and_one_who_came_back(project, api):
    api.users = [{**row, "status": "active"} for row in users(6)]
    removed, archived, comes_back, *stay = api.users
    project.sync(api)
    warehouse = Warehouse(project)
    warehouse.build()
    assert warehouse.gone() == []
    assert warehouse.active() == keys(api.users)

    api.users = [{**archived, "status": "archived"}, *stay]
    read_everybody_after_40_days(project, api, warehouse)
    assert warehouse.gone() == keys([removed, comes_back])
    assert warehouse.active() == keys(stay)

    api.users = [comes_back, *api.users]
    read_everybody_after_40_days(project, api, warehouse)
    assert warehouse.gone() == keys([removed])
    assert warehouse.active() == keys([comes_back, *stay])

    api.users = [archived, comes_back, *stay]  # who was archived is active again
    read_everybody_after_40_days(project, api, warehouse)
    assert warehouse.active() == keys([archived, comes_back, *stay])


def keys(rows: list) -> list:
    return [row["employeeId"] for row in rows]


def test_nobody_is_gone_between_two_full_reads_or_while_a_connection_is_paused(project, api):
    api.users = [{**row, "status": "active"} for row in users(3)]
    project.sync(api)
    warehouse = Warehouse(project)
    warehouse.let_days_pass(30)
    project.sync(api)  # incremental: writes the newest user again, and nobody else
    assert warehouse.gone() == []
    warehouse.let_days_pass(90)
    assert warehouse.gone() == []


def test_after_a_re_sync_by_hand_the_rows_older_than_its_start_are_gone(project, api):
    api.users = users(4)
    project.sync(api)
    warehouse = Warehouse(project)
    warehouse.let_days_pass(2)
    ((start,),) = warehouse.run("select now()::text")
    removed = api.users.pop()
    project.sync(api, state={})
    sql, changed = re.subn(
        r"'2026-03-01 12:00:00\+00'", f"'{start}'", SQL["gone_after_resync.sql"]
    )
    assert changed == 1
    assert [row[0] for row in warehouse.run(sql)] == [removed["employeeId"]]
