"""The SQL of the documentation works: on mock mode's table, on one that people left, and on those
over which an analyst trips."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe

from dbt_project import REQUIREMENTS
from fake_awardco import NOON, user, users
from fivetran_api import PROJECT
from harness import connector
from modelling_page import (
    CODE,
    DBT,
    PAGE,
    RESULTS,
    Warehouse,
    read_everybody,
)

DUCKDB_TYPES = {"STRING": "VARCHAR", "UTC_DATETIME": "TIMESTAMP WITH TIME ZONE"}
WEEK_LATER = "update tester.user set _fivetran_synced = _fivetran_synced - interval 7 day"
OPTIONAL = ["department", "manager_id", "hire_date"]


@pytest.fixture
def warehouse(project):
    return Warehouse(project)


@pytest.fixture
def mock_mode(project, warehouse):
    assert not project.sync(use_mock="true").failed
    create_view(warehouse)
    return warehouse


def create_view(warehouse: Warehouse, name="active_users.sql", lacks=()):
    """Create a view of the page, without the lines for columns that the table lacks."""
    optional = rf".*({'|'.join(lacks) or 'none of them'}).*-- leave out if there is none\n"
    sql, left_out = re.subn(optional, "", warehouse.sql(name))
    assert left_out == len(lacks)
    warehouse.run(f"create schema analytics; {sql}")


def keys(rows: list) -> list:
    return sorted(row["employeeId"] for row in rows)


def active(warehouse: Warehouse) -> list:
    return sorted(row[0] for row in warehouse.run("from analytics.active_users"))


def show_rows(warehouse: Warehouse, *arguments) -> str:
    script = PROJECT / "tests" / "tools" / "show_rows.py"
    before = warehouse.path.read_bytes()
    done = subprocess.run(
        [sys.executable, script, "--database", warehouse.path, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert warehouse.path.read_bytes() == before and "Traceback" not in done.stderr
    return done.stdout + done.stderr


# --- The page, and the table of mock mode --------------------------------------------------------


def test_the_result_beside_each_question_is_the_one_on_the_mock_users(mock_mode):
    """Those that need the history are tested in test_dbt.py."""
    shown = {name: table for name, table in RESULTS.items() if "analytics_snap" not in CODE[name]}
    del shown["headcount_per_month.sql"]
    assert len(shown) == 8
    assert {name: mock_mode.table(name) for name in shown} == shown


def test_two_users_who_share_an_address_and_manage_each_other(mock_mode):
    assert mock_mode.rows("shared_emails.sql") == []
    mock_mode.run("update tester.user set email = 'A@b.example' where employee_id < '00003'")
    assert mock_mode.rows("shared_emails.sql") == [("a@b.example", 2)]
    mock_mode.run("update tester.user set manager_id = '00002' where employee_id = '00001'")
    assert mock_mode.rows("team_sizes.sql")[:2] == [("00001", 6, 243), ("00002", 5, 243)]


def test_the_page_quotes_the_files_of_the_dbt_project():
    quoted = {name: code for name, code in CODE.items() if "/" in name}
    assert len(quoted) == 3
    assert quoted == {name: (DBT / name).read_text("utf-8") for name in quoted}
    for name in re.findall(r"^\| `(\w+/[\w/]+\.\w+)`", PAGE, re.MULTILINE):
        assert (DBT / name).exists(), name


def test_the_queries_of_the_other_page_work_on_mock_mode(mock_mode):
    assert len(mock_mode.rows("first_look.sql")) == 250
    assert len(mock_mode.rows("freshness.sql")) == 1


def test_the_columns_of_the_page_are_those_of_the_table(project, api, warehouse):
    described = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    api.users = [user(1, **{"部署": "営業"})]  # a name for other_fields
    project.sync(api)
    found = warehouse.run(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'tester' and table_name = 'user'"
    )
    assert {name: DUCKDB_TYPES.get(kind, kind) for name, kind in described.items()} == dict(found)


def test_the_mock_users_have_the_undeclared_columns_that_the_page_names(mock_mode):
    named = ["department", "status", "hire_date", "manager_id", "address"]
    listed = ", ".join(f"`{name}`" for name in named[:-1]) + f" and `{named[-1]}`"
    assert listed in " ".join(PAGE.split())
    mock_mode.run(f"select {', '.join(named)} from tester.user")
    assert {redshift_safe(name) for name in connector.schema({})[0]["columns"]}.isdisjoint(named)


def test_the_dbt_of_the_page_is_the_one_in_which_its_project_is_tested():
    (version,) = re.findall(r"^dbt-core==(\d+\.\d+)\.", REQUIREMENTS.read_text(), re.MULTILINE)
    assert f"the dbt project in dbt {version}" in " ".join(PAGE.split())


def test_the_view_works_without_the_columns_that_may_be_left_out(project, api, warehouse):
    api.users = users(6)
    project.sync(api)
    assert re.search(r"│ +6 │", show_rows(warehouse, "--sql", CODE["headcount_now.sql"]))
    create_view(warehouse, lacks=[*OPTIONAL, "status"])
    assert active(warehouse) == keys(api.users)
    assert warehouse.rows("headcount_now.sql") == [(6,)]


def test_marked_rows_are_shown_apart_and_are_not_counted_as_users(project, api, warehouse):
    api.users = users(12)
    project.sync(api)
    read_everybody(project, api.users[1:])
    newest, totals, marked = show_rows(warehouse).split("\n\n")[:3]
    assert re.search(r"│ +11 │ +1 │", totals)
    assert "E00001" not in newest and newest.index("E00012") < newest.index("E00011")
    assert re.search(r"│ E00001 +│ First1 +│ Last1 +│ true +│", marked)


def test_a_query_of_the_page_can_be_pasted_and_nothing_be_written(project, warehouse):
    project.sync(use_mock="true")
    assert "247" in show_rows(warehouse, "--sql", CODE["headcount_now.sql"])
    assert "Peña" in show_rows(warehouse, "--sql", "select last_name from tester.user")
    copy = project.folder / "copy.csv"
    for statement in (f"copy awardco.user to '{copy}'", "drop table tester.user"):
        assert re.search("disabled|read-only", show_rows(warehouse, "--sql", statement))
    assert not copy.exists()


# --- Who left ------------------------------------------------------------------------------------


@pytest.fixture
def tenant(project, api, warehouse):
    """Twelve users with a status in the table, and the view over it."""
    api.users = [{**row, "status": "Active"} for row in users(12)]
    project.sync(api)
    create_view(warehouse, lacks=OPTIONAL)
    return api


def test_somebody_who_was_removed_one_archived_and_one_who_came_back(project, tenant, warehouse):
    removed, archived, comes_back, *stay = tenant.users
    left = lambda: sorted(row[0] for row in warehouse.rows("who_left.sql"))  # noqa: E731
    assert left() == [] and active(warehouse) == keys(tenant.users)

    archived = {**archived, "status": "Archived"}  # as Awardco's own pages write it
    read_everybody(project, [archived, *stay])
    assert left() == keys([removed, comes_back])
    assert active(warehouse) == keys(stay)
    assert sum(count for _, count in warehouse.rows("last_seen_per_month.sql")) == 2

    comes_back["updated_at"] = user(3, NOON - timedelta(hours=1))["updated_at"]
    tenant.users = [archived, comes_back, *stay]
    assert project.sync(tenant).log_lines("Incremental sync")
    assert left() == keys([removed])
    assert active(warehouse) == keys([comes_back, *stay])

    read_everybody(project, [{**archived, "status": "Active"}, comes_back, *stay])
    assert active(warehouse) == keys([archived, comes_back, *stay])


def test_a_mark_does_not_change_when_the_user_was_last_seen(project, tenant, warehouse):
    leaver = tenant.users.pop(5)
    warehouse.run(WEEK_LATER)
    read_everybody(project, tenant.users)
    ((employee_id, email, last_seen),) = warehouse.rows("who_left.sql")
    assert (employee_id, email) == (leaver["employeeId"], leaver["email"])
    assert datetime.now(UTC) - last_seen > timedelta(days=7)


def test_after_a_re_sync_the_rows_older_than_its_start_are_gone(project, tenant, warehouse):
    warehouse.run(WEEK_LATER)
    ((start,),) = warehouse.run("select now()::text")
    removed = tenant.users.pop()
    project.sync(tenant, state={})
    sql, changed = re.subn(
        r"'2026-03-01 12:00:00\+00'", f"'{start}'", warehouse.sql("gone_after_resync.sql")
    )
    assert changed == 1
    assert [row[0] for row in warehouse.run(sql)] == [removed["employeeId"]]


# --- What an analyst trips over, and the table of the report -----------------------------------


def land(project, api, field: str, values: list):
    """Let users arrive who have these values in a field."""
    api.users = [
        {**row, field: value} for row, value in zip(users(len(values)), values, strict=True)
    ]
    assert not project.sync(api, state={}).failed


def test_one_object_among_texts_makes_a_column_of_json(project, api, warehouse):
    land(project, api, "department", ["Sales"] * 149 + [{"name": "Sales"}])
    assert warehouse.rows("columns_of_json.sql") == [("department",)]
    count = "select count(*) from tester.user where "
    assert warehouse.run(count + "cast(department as varchar) = 'Sales'") == [(0,)]
    assert warehouse.run(count + "department ->> '$' = 'Sales'") == [(149,)]
    with pytest.raises(Exception, match="Malformed JSON"):
        warehouse.run(count + "department = 'Sales'")


def test_a_column_that_widens_holds_one_number_in_two_notations(project, api, warehouse):
    land(project, api, "grade", [3, 3, "3b"])
    assert warehouse.run("select distinct grade from tester.user where grade <> '3b'") == [("3",)]
    land(project, api, "grade", [3, 3.0, "3b"])
    assert warehouse.rows("two_notations.sql") == [("3.0", 1)]


def test_a_status_that_is_no_longer_sent_makes_archived_users_active(project, api, warehouse):
    land(project, api, "status", ["Archived"] * 30 + ["Active"] * 120)
    create_view(warehouse, lacks=OPTIONAL)
    assert len(active(warehouse)) == 120 and warehouse.rows("nobody_has_a_status.sql") == []
    api.users = users(150)
    project.sync(api, state={})
    assert len(active(warehouse)) == 150 and warehouse.rows("nobody_has_a_status.sql") == [(150,)]


def test_a_stub_of_a_deleted_user_empties_the_row(project, api, warehouse):
    land(project, api, "status", ["Active"] * 6)
    assert warehouse.rows("stubs.sql") == []
    api.users[2] = {"employeeId": "E00003", "@removed": {"reason": "deleted"}}
    project.sync(api, state={})
    assert warehouse.rows("stubs.sql") == [("E00003",)]
    query = "select _removed ->> 'reason' from tester.user where status is null"
    assert warehouse.run(query) == [("deleted",)]


def test_a_manager_of_digits_is_a_number_that_the_view_makes_text(project, api, warehouse):
    land(project, api, "managerId", ["1234", "1234"])
    create_view(warehouse, lacks=["department", "hire_date", "status"])
    query = "select typeof(u.manager_id), typeof(a.manager_id) from tester.user u, active_users a"
    assert set(warehouse.run(f"use analytics; {query}")) == {("BIGINT", "VARCHAR")}


def test_the_table_of_the_report_answers_the_same_questions(project, api, warehouse):
    shown = dict(re.findall(r"^\| `([A-Z][\w :]+)` \| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {name: redshift_safe(name) for name in shown} == shown and len(shown) == 6
    api.users = users(6)
    for row in api.users:
        row.update({"Status": "Active", "Hire Date": "09/26/2018", "Meta : Department": "Sales"})
        row.update({"Birth Date": "05/19", "Preferred Name": "Bo", "Meta : Manager Id": "E00002"})
    api.users[0].update({"Status": "Archived", "Archived Date": "05/19/2025"})
    outcome = project.sync(api)
    assert {outcome.columns[column] for column in shown.values()} == {"VARCHAR"}
    assert re.search(r"│ +5 │", show_rows(warehouse, "--sql", CODE["headcount_now.sql"]))
    create_view(warehouse, "active_users_of_the_report.sql")
    assert warehouse.rows("headcount_by_department.sql") == [("Sales", 5)]
    assert warehouse.rows("team_sizes.sql") == [("E00002", 4, 4)]
    query = "select distinct hire_date::text from analytics.active_users"
    assert warehouse.run(query) == [("2018-09-26",)]
    assert warehouse.rows("archived_per_month.sql") == [("2025-05", 1)]
