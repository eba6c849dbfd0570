"""The dbt project of the documentation, in dbt itself, over the DuckDB file that a sync wrote.

dbt is installed for these tests alone, from requirements-dbt.txt.
"""

import json
import os
import tempfile
from pathlib import Path

import pytest

import pypi
from dbt_project import REQUIREMENTS, DbtProject
from fake_awardco import users
from fivetran_api import PROJECT, contents
from modelling_page import DBT, RESULTS, Warehouse, read_everybody

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PIP_HOME = os.environ.get("HOME", "")  # pip's settings are there; conftest.py changes it later
MOCK_USERS = json.loads((PROJECT / "mock_data" / "users.json").read_text("utf-8"))["users"]
HISTORY = "analytics_snapshots.awardco_users_history"
OF_HISTORY = {"headcount_per_month.sql", "changed_since_yesterday.sql"}


@pytest.fixture(scope="module")
def packages():
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield pypi.install(REQUIREMENTS, Path(folder) / "packages", PIP_HOME)
        except pypi.NotHere as reason:
            pytest.skip(str(reason))


@pytest.fixture
def warehouse(project):
    return Warehouse(project)


@pytest.fixture
def dbt(packages, warehouse, tmp_path):
    """dbt, which must leave nothing in the project's folder: that is uploaded."""
    before = contents(DBT)
    with DbtProject(tmp_path / "dbt", packages, warehouse.path) as dbt:
        yield dbt
    assert contents(DBT) == before


def date_what_is_new(warehouse: Warehouse, day: str):
    """Let what the last snapshot saw have been seen on this day."""
    for column in ("dbt_valid_from", "dbt_valid_to"):
        warehouse.run(f"update {HISTORY} set {column} = '{day}' where {column} > '2026-05-01'")


def test_the_project_keeps_who_left_and_came_back(dbt, project, warehouse):
    assert not project.sync(use_mock="true").failed
    assert dbt.run("build") == dbt.run("source", "freshness") == []
    shown = {name: table for name, table in RESULTS.items() if name not in OF_HISTORY}
    assert {name: warehouse.table(name) for name in shown} == shown
    date_what_is_new(warehouse, "2026-01-31")

    leaver, comes_back, archived, spender, moves, two_records, *stay = MOCK_USERS
    archived = {**archived, "status": "Archived"}
    spender = {**spender, "balance": 1.5}
    moves = {**moves, "department": "Legal"}
    read_everybody(project, [archived, spender, moves, two_records, *stay])
    assert dbt.run("snapshot") == []
    changes = "changed_since_yesterday.sql"
    assert warehouse.table(changes) == RESULTS[changes]
    date_what_is_new(warehouse, "2026-02-15")

    hired = {**leaver, "employeeId": "00251", "email": "new@example.com", "hireDate": "2026-03-02"}
    two_records = {**two_records, "created_at": "2020-01-01T00:00:00Z", "balance": 2}
    read_everybody(project, [comes_back, archived, spender, moves, two_records, *stay, hired])
    assert dbt.run("snapshot") == []
    date_what_is_new(warehouse, "2026-03-10")

    warehouse.run(ODDITIES)  # archived before the first snapshot saw it; gone before the first day
    assert dbt.run("build") == []  # with the dates of the example; nothing is new
    months = "headcount_per_month.sql"
    assert warehouse.table(months) == RESULTS[months]
    assert warehouse.rows("two_records.sql") == [(two_records["employeeId"],)]

    for damage in DAMAGE.values():
        warehouse.run(damage)
    assert sorted(name.split("__")[0] for name in dbt.run("test")) == sorted(DAMAGE)


ODDITIES = f"""
    insert into {HISTORY} (employee_id, hire_date, is_active, dbt_valid_from, dbt_valid_to) values
        ('00042', '2025-11-01', true, '2026-01-02', '2026-01-31'),
        ('no-show', '2026-03-20', true, '2026-02-15', '2026-03-10'),
        ('no-show', '2026-03-20', false, '2026-03-10', '2026-03-11');
    update {HISTORY} set archived_date = '2025-12-01' where employee_id = '00042' and not is_active
"""
DAMAGE = {  # by how the name of the test begins that finds it
    "accepted_values_stg_awardco": "update tester.user set status = 'on leave'",
    "headcount_adds_up": "update analytics.fct_monthly_headcount set leavers = 700 - headcount",
    "no_change_lies_in_the_future": "update tester.user set updated_at = '2099-01-01'",
    "unique_stg_awardco": "update tester.user set email = 'a@example.com'",
}


def test_it_builds_without_optional_columns_and_when_those_of_the_report_appear(
    packages, project, api, warehouse, tmp_path
):
    names = {"department_column": "meta_department"}
    with DbtProject(tmp_path / "dbt", packages, warehouse.path, **names) as dbt:
        api.users = users(6)
        assert not project.sync(api).failed and dbt.run("build") == []
        same = {"Meta : Department": "Sales", "Hire Date": "02/28/2020", "Status": "Active"}
        api.users = [{**row, **same} for row in users(6)]
        api.users[0].update({"Status": "Archived", "Archived Date": "03/31/2021"})
        assert not project.sync(api, state={}).failed and dbt.run("build") == []
        rows = warehouse.run(
            "select department, hire_date::text, archived_date::text, is_active, count(*) "
            "from analytics.stg_awardco__users group by all order by 4"
        )
        assert rows == [
            ("Sales", "2020-02-28", "2021-03-31", False, 1),
            ("Sales", "2020-02-28", None, True, 5),
        ]
        warehouse.run("update tester.user set status = null")
        assert dbt.run("test") == ["somebody_has_a_status"]
