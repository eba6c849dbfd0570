"""The main job: every user lands, once, as the API sent it; the state and the log tell of it."""

from datetime import timedelta

import pytest

import connector
from fake_awardco import user, users

OLD = "2026-01-01T00:00:00Z"


def test_every_user_lands_and_the_cursor_is_the_newest_change(project, api):
    api.users = users(350)
    outcome = project.sync(api)
    assert sorted(outcome.rows) == sorted(row["employeeId"] for row in api.users)
    assert outcome.cursor == api.users[-1]["updated_at"]


def test_the_declared_columns_have_their_types_even_where_all_are_null(project, api):
    api.users = [{"employeeId": "1"}]
    columns = project.sync(api).columns
    declared = {
        "employee_id": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "email": "VARCHAR",
        "currency_code": "VARCHAR",
        "balance": "DOUBLE",
        "updated_at": "TIMESTAMP WITH TIME ZONE",
        "created_at": "TIMESTAMP WITH TIME ZONE",
    }
    assert columns.items() >= declared.items()


def test_first_syncs_and_re_syncs_send_no_filter_so_that_users_never_updated_arrive(project, api):
    api.users = [user(9), *users(3)]
    assert len(project.sync(api).rows) == 4
    project.sync(api, state={})
    assert {since for _, since in api.requests} == {None}


@pytest.mark.parametrize("state", [{}, {"last_sync_time": OLD, "source": "report", "users": 9}])
def test_a_sync_from_nothing_that_finds_nobody_fails(project, api, state):
    """It may be a re-sync, after which Fivetran marks every row that did not come."""
    api.users = users(3)
    before = project.sync(api).state
    api.users, api.requests = [], []
    outcome = project.sync(api, state=state)
    assert outcome.failed and len(outcome.rows) == 3 and outcome.state == before
    assert "The API returned no users, and nothing was stored; check that" in outcome.log
    assert {since for _, since in api.requests} == {None}


def test_the_second_sync_asks_for_what_changed_and_updates_it(project, api):
    api.users = users(120)
    first = project.sync(api)
    api.requests.clear()
    api.clock += timedelta(hours=5)
    api.change("E00003", balance=99.5)
    second = project.sync(api)
    assert {since for _, since in api.requests} == {first.cursor}
    assert second.rows["E00003"]["balance"] == 99.5
    assert len(second.rows) == 120


def test_a_new_field_becomes_a_new_column(project, api):
    api.users = users(2)
    project.sync(api)
    api.clock += timedelta(hours=5)
    api.change("E00001", costCentre="R&D")
    assert project.sync(api).rows["E00001"]["cost_centre"] == "R&D"


def test_the_log_tells_what_is_synced_how_far_it_is_and_the_totals(in_memory, api):
    """A line at the start, one every ten pages, one at the end."""
    api.users, api.page_cap = users(2050), 100
    in_memory.sync(api)
    newest = api.users[-1]["updated_at"]
    start, ten, twenty, end = in_memory.lines
    assert start == "Full sync: all users"
    assert ten.endswith("1,000 users so far") and twenty.endswith("2,000 users so far")
    assert end == f"Synced 2050 users from 21 pages; last_sync_time: {newest}"
    in_memory.sync(api)
    assert in_memory.lines == [
        f"Incremental sync: users changed since {newest}",
        f"Synced 1 user from 1 page; last_sync_time: {newest}",
    ]


def test_the_log_tells_how_many_users_there_are_where_the_api_says_so(in_memory, api):
    """A first sync can take an hour."""
    api.users, api.page_cap, api.total = users(1050), 100, "meta.total"
    in_memory.sync(api)
    assert in_memory.lines[1] == "10 pages read, 1,000 of 1,050 users so far"
    in_memory.sync(api, state={"last_sync_time": api.users[0]["updated_at"]})
    assert in_memory.lines[1] == "10 pages read, 1,000 users so far"


def test_the_filter_has_the_name_that_the_configuration_gives_it(project, api):
    api.users, api.filter_param = users(3), "modified_after"
    project.sync(api, updated_since_param="modified_after")
    api.requests.clear()
    assert len(project.sync(api, updated_since_param="modified_after").rows) == 3
    assert api.requests[0] == (1, api.users[-1]["updated_at"])


def test_source_naming_keeps_the_names(project, api):
    api.users = [user(1, costCentre="A")]
    row = project.sync(api, naming="SOURCE_NAMING").rows["E00001"]
    assert row["firstName"] == "First1" and row["costCentre"] == "A"


def test_mock_mode_pages_and_is_incremental_without_network_or_key(project):
    first = project.sync(use_mock="true")
    assert len(first.rows) == 250 and "from 3 pages" in first.log
    second = project.sync(use_mock="true")
    assert "Incremental sync" in second.log
    assert "Synced 1 user from 1 page;" in second.log
    assert len(second.rows) == 250


def test_the_mock_users_are_fictitious_and_varied(project):
    rows = list(project.sync(use_mock="true").rows.values())
    assert all(row["email"] is None or row["email"].endswith("@example.com") for row in rows)
    assert len({row["currency_code"] for row in rows}) > 5
    for column in ("updated_at", "balance", "email", "currency_code", "address"):
        assert any(row[column] is None for row in rows), column
    assert any(not row["last_name"].isascii() for row in rows)
    assert {row["status"] for row in rows} == {"active", "archived"}
    assert all(row["hire_date"] and row["department"] for row in rows)
    stamps = sorted(row["updated_at"] for row in rows if row["updated_at"])
    assert timedelta(days=300) < stamps[-1] - stamps[0] < timedelta(days=366)


def test_schema_needs_no_configuration():
    (table,) = connector.schema({})
    assert table["table"] == "USER" and table["primary_key"] == ["employeeId"]
