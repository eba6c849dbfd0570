"""The models of docs/modelling.md in dbt itself, over the DuckDB file that a sync wrote.

dbt is installed for these tests alone, from requirements-dbt.txt.
"""

import json
import os
import tempfile
from pathlib import Path

import duckdb
import pytest

import pypi
from dbt_project import REQUIREMENTS, DbtProject
from fivetran_api import PROJECT
from modelling_page import PAGE, blocks, read_everybody, without_status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PIP_HOME = os.environ.get("HOME", "")  # pip's settings are there; conftest.py changes it later
MOCK_USERS = json.loads((PROJECT / "mock_data" / "users.json").read_text("utf-8"))["users"]
HISTORY = "analytics_snapshots.awardco_users_history"
BUILT = {
    "stg_awardco__users": "success",
    "awardco_users_history": "success",
    "every_user_is_there_once": "pass",
    "no_two_active_users_share_an_email": "pass",
    "no_change_lies_in_the_future": "pass",
}


@pytest.fixture(scope="module")
def packages():
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield pypi.install(REQUIREMENTS, Path(folder) / "packages", PIP_HOME)
        except pypi.NotHere as reason:
            pytest.skip(str(reason))


class Warehouse:
    """The DuckDB file of a project."""

    def __init__(self, project):
        self.path = project.folder / "files" / "warehouse.db"

    def query(self, sql: str) -> list:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def count(self, table: str) -> int:
        return self.query(f"select count(*) from {table}")[0][0]

    def history(self, user: dict) -> list:
        """The balances and marks of a user, from the oldest on."""
        return self.query(
            f"select balance, _fivetran_deleted from {HISTORY} "
            f"where employee_id = '{user['employeeId']}' order by dbt_valid_from"
        )


def test_the_models_run_in_dbt_and_keep_who_left_and_came_back(packages, project, tmp_path):
    assert not project.sync(use_mock="true").failed
    warehouse = Warehouse(project)
    with DbtProject(tmp_path / "work", packages, warehouse.path, blocks(PAGE)) as dbt:
        run_twice(dbt, project, warehouse, MOCK_USERS, BUILT | {"every_status_is_known": "pass"})


def test_without_status_they_run_if_the_named_lines_are_left_out(packages, project, api, tmp_path):
    api.users = [
        {name: value for name, value in user.items() if name != "status"} for user in MOCK_USERS
    ]
    assert "status" not in project.sync(api).columns
    warehouse = Warehouse(project)
    code = without_status(blocks(PAGE))
    with DbtProject(tmp_path / "work", packages, warehouse.path, code) as dbt:
        run_twice(dbt, project, warehouse, api.users, BUILT)


def run_twice(dbt: DbtProject, project, warehouse: Warehouse, users: list, built: dict):
    """Build and take snapshots, each before and after people left, and somebody came back."""
    leaver, comes_back, spender, *stay = users
    assert dbt.run("build") == built
    assert dbt.run("snapshot") == {"awardco_users_history": "success"}
    assert warehouse.count("analytics.stg_awardco__users") == 250
    assert warehouse.count(HISTORY) == 250  # the second snapshot found no change

    spender = {**spender, "balance": 1.5}
    read_everybody(project, [spender, *stay])
    assert dbt.run("build") == built
    assert warehouse.count("analytics.stg_awardco__users") == 248
    read_everybody(project, [comes_back, spender, *stay])
    assert dbt.run("snapshot") == {"awardco_users_history": "success"}
    assert warehouse.count("analytics.stg_awardco__users") == 249

    assert warehouse.history(leaver) == marks(leaver, False, True)
    assert warehouse.history(comes_back) == marks(comes_back, False, True, False)
    assert [balance for balance, _ in warehouse.history(spender)] == [users[2]["balance"], 1.5]
    assert warehouse.count(HISTORY) == 250 + 1 + 2 + 1


def marks(user: dict, *deleted: bool) -> list:
    return [(user["balance"], mark) for mark in deleted]
