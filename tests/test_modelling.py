"""The SQL of the documentation works: on mock mode's table, and on one that people left."""

import re
from datetime import timedelta

import duckdb
import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe

from dbt_project import REQUIREMENTS
from fake_awardco import NOON, user, users
from harness import connector
from modelling_page import DOCS, PAGE, blocks, read_everybody, without_status

CODE = blocks(PAGE)
OPERATIONS = blocks((DOCS / "operations.md").read_text(encoding="utf-8"))
STAGING = "models/staging/stg_awardco__users.sql"
HISTORY = "snapshots/awardco_users_history.yml"
TESTS = [name for name in CODE if name.startswith("tests/")]
DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "DOUBLE": "DOUBLE",
    "UTC_DATETIME": "TIMESTAMP WITH TIME ZONE",
    "JSON": "JSON",
    "BOOLEAN": "BOOLEAN",
}


class Warehouse:
    """The DuckDB file that a project's syncs wrote, and the page's SQL for it."""

    def __init__(self, project, code: dict = CODE):
        self.path = str(project.folder / "files" / "warehouse.db")
        self.code = code

    def run(self, sql: str) -> list:
        with duckdb.connect(self.path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def sql(self, name: str) -> str:
        """A block of the page, for the names that things have here."""
        sql = self.code[name].replace("{{ source('awardco', 'user') }}", "awardco.user")
        sql = sql.replace("{{ ref('stg_awardco__users') }}", "analytics.stg_awardco__users")
        return sql.replace("awardco.user", "tester.user")

    def rows(self, name: str) -> list:
        return self.run(self.sql(name))

    def build(self):
        self.run("create schema analytics")
        self.run(f"create view analytics.stg_awardco__users as {self.sql(STAGING)}")
        self.run(self.sql("active_users.sql"))

    def let_days_pass(self, days: int):
        self.run(
            f"update tester.user set _fivetran_synced = _fivetran_synced - interval {days} day"
        )

    def left(self) -> list:
        return sorted(row[0] for row in self.rows("who_left.sql"))

    def active(self) -> list:
        return sorted(row[0] for row in self.run("from analytics.active_users"))

    def staged(self) -> list:
        return sorted(row[0] for row in self.run("from analytics.stg_awardco__users"))


@pytest.fixture
def warehouse(project):
    return Warehouse(project)


@pytest.fixture
def mock_mode(project, warehouse):
    assert not project.sync(use_mock="true").failed
    warehouse.build()
    return warehouse


def keys(rows: list) -> list:
    return sorted(row["employeeId"] for row in rows)


# --- On the table of mock mode -------------------------------------------------------------------


def test_the_page_has_a_staging_model_and_four_tests():
    assert STAGING in CODE and len(TESTS) == 4


def test_the_staging_model_holds_every_user_of_mock_mode(mock_mode):
    ((users_staged, statuses),) = mock_mode.run(
        "select count(*), count(distinct status) from analytics.stg_awardco__users"
    )
    assert (users_staged, statuses) == (250, 2)


DAMAGE = {  # what each data test is for
    "every_user_is_there_once": "insert into tester.user from tester.user "
    "where email is null limit 1",
    "no_two_active_users_share_an_email": "update tester.user set email = 'a@example.com' "
    "where employee_id < '00003'",
    "every_status_is_known": "update tester.user set status = 'on leave' "
    "where employee_id = '00001'",
    "no_change_lies_in_the_future": "update tester.user set updated_at = '2099-01-01' "
    "where employee_id = '00001'",
}


def test_the_data_tests_pass_on_mock_mode_and_each_finds_what_it_is_for(mock_mode):
    assert [test for test in TESTS if mock_mode.rows(test)] == []
    mock_mode.run("create table intact as from tester.user")
    for name, damage in DAMAGE.items():
        # A copy has no primary key, which would refuse a second row.
        mock_mode.run("drop table tester.user cascade; create table tester.user as from intact")
        mock_mode.run(damage)
        assert [test for test in TESTS if mock_mode.rows(test)] == [f"tests/{name}.sql"]


def test_the_queries_of_the_other_page_work_on_mock_mode(project, mock_mode):
    queries = Warehouse(project, OPERATIONS)
    assert len(queries.rows("first_look.sql")) == 250 and len(queries.rows("freshness.sql")) == 1


def columns_of_the_history(code: dict) -> list:
    """The key and the columns whose changes the snapshot records."""
    key = re.search(r"unique_key: (\w+)", code[HISTORY]).group(1)
    checked = re.search(r"check_cols:\n((?: +- .+\n)+)", code[HISTORY]).group(1)
    return [key, *re.findall(r"- (\w+)", checked)]


def test_the_history_checks_columns_that_exist(mock_mode):
    columns = columns_of_the_history(CODE)
    assert columns == ["employee_id", "balance", "_fivetran_deleted", "status"]
    mock_mode.run(f"select {', '.join(columns)} from tester.user")


def test_the_columns_of_the_page_are_those_of_the_table(project, api, warehouse):
    described = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    api.users = [user(1, **{"部署": "営業"})]  # a name for other_fields
    project.sync(api)
    found = warehouse.run(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'tester' and table_name = 'user'"
    )
    assert {name: DUCKDB_TYPES[kind] for name, kind in described.items()} == dict(found)


def test_the_mock_users_have_the_undeclared_columns_that_the_page_names(mock_mode):
    named = ["department", "status", "hire_date", "manager_id", "address"]
    listed = ", ".join(f"`{name}`" for name in named[:-1]) + f" and `{named[-1]}`"
    assert listed in " ".join(PAGE.split())
    mock_mode.run(f"select {', '.join(named)} from tester.user")
    assert {redshift_safe(name) for name in connector.schema({})[0]["columns"]}.isdisjoint(named)


def test_the_dbt_of_the_page_is_the_one_in_which_its_models_are_tested():
    (version,) = re.findall(r"^dbt-core==(\d+\.\d+)\.", REQUIREMENTS.read_text(), re.MULTILINE)
    assert f"the models in dbt {version}" in " ".join(PAGE.split())


# --- Without a column `status` -------------------------------------------------------------------


def test_without_status_everything_works_if_the_named_lines_are_left_out(project, api):
    api.users = users(6)
    project.sync(api)
    code = without_status(CODE)
    assert CODE.keys() - code.keys() == {"tests/every_status_is_known.sql"}
    warehouse = Warehouse(project, code)
    warehouse.build()
    assert warehouse.active() == warehouse.staged() == keys(api.users)
    assert [name for name in code if name in TESTS and warehouse.rows(name)] == []
    warehouse.run(f"select {', '.join(columns_of_the_history(code))} from tester.user")


def test_without_status_a_data_test_still_finds_two_users_with_one_email(project, api):
    api.users = users(6)
    api.users[1]["email"] = api.users[0]["email"]
    project.sync(api)
    warehouse = Warehouse(project, without_status(CODE))
    warehouse.build()
    assert len(warehouse.rows("tests/no_two_active_users_share_an_email.sql")) == 1


# --- Who left ------------------------------------------------------------------------------------


@pytest.fixture
def tenant(project, api, warehouse):
    """Six users with a status in the table, and the models over it."""
    api.users = [{**row, "status": "Active"} for row in users(6)]
    project.sync(api)
    warehouse.build()
    return api


def test_somebody_who_was_removed_one_archived_and_one_who_came_back(project, tenant, warehouse):
    removed, archived, comes_back, *stay = tenant.users
    assert warehouse.left() == []
    assert warehouse.active() == warehouse.staged() == keys(tenant.users)

    archived = {**archived, "status": "Archived"}  # as Awardco's own pages write it
    read_everybody(project, [archived, *stay])
    assert warehouse.left() == keys([removed, comes_back])
    assert warehouse.active() == keys(stay)
    assert warehouse.staged() == keys([archived, *stay])

    read_everybody(project, [archived, comes_back, *stay])
    assert warehouse.left() == keys([removed])
    assert warehouse.active() == keys([comes_back, *stay])

    read_everybody(project, [{**archived, "status": "Active"}, comes_back, *stay])
    assert warehouse.active() == keys([archived, comes_back, *stay])


def test_who_came_back_is_no_longer_marked_after_the_next_sync_of_changes(
    project, tenant, warehouse
):
    *stay, comes_back = tenant.users
    read_everybody(project, stay)
    assert warehouse.left() == keys([comes_back])
    comes_back["updated_at"] = user(6, NOON - timedelta(hours=1))["updated_at"]
    outcome = project.sync(tenant)
    assert outcome.log_lines("Incremental sync")
    assert warehouse.left() == []
    assert warehouse.active() == keys([*stay, comes_back])


def test_a_mark_does_not_change_when_the_user_was_last_seen(project, tenant, warehouse):
    *stay, leaver = tenant.users
    warehouse.let_days_pass(7)
    query = (
        f"select _fivetran_synced from tester.user where employee_id = '{leaver['employeeId']}'"
    )
    ((last_written,),) = warehouse.run(query)
    read_everybody(project, stay)
    ((employee_id, email, last_seen),) = warehouse.rows("who_left.sql")
    assert (employee_id, email) == (leaver["employeeId"], leaver["email"])
    assert last_seen == last_written


def test_after_a_re_sync_by_hand_the_rows_older_than_its_start_are_gone(
    project, tenant, warehouse
):
    warehouse.let_days_pass(2)
    ((start,),) = warehouse.run("select now()::text")
    removed = tenant.users.pop()
    project.sync(tenant, state={})
    sql, changed = re.subn(
        r"'2026-03-01 12:00:00\+00'", f"'{start}'", warehouse.sql("gone_after_resync.sql")
    )
    assert changed == 1
    assert [row[0] for row in warehouse.run(sql)] == [removed["employeeId"]]
