"""The main job: every user lands, once, as the API sent it; the state and the log tell of it."""

from datetime import timedelta

import pytest

import connector
from fake_awardco import KEY, NOON, user, users


def test_every_user_lands_and_the_cursor_is_the_newest_change(project, api):
    api.users = users(350)
    outcome = project.sync(api)
    assert sorted(outcome.rows) == sorted(row["employeeId"] for row in api.users)
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


def test_a_row_holds_what_the_api_sent(project, api):
    api.users = [user(7, NOON - timedelta(days=2), address={"city": "Kraków"}, active=True)]
    row = project.sync(api).rows["E00007"]
    assert row.pop("address") == '{"city": "Krak\\u00f3w"}'
    assert row == {
        "employee_id": "E00007",
        "first_name": "First7",
        "last_name": "Last7",
        "email": "user7@example.com",
        "currency_code": "USD",
        "balance": 7.25,
        "updated_at": NOON - timedelta(days=2),
        "created_at": NOON - timedelta(days=1000),
        "active": True,
    }


def test_the_declared_columns_have_their_types_even_where_all_are_null(project, api):
    api.users = [{"employeeId": "1"}]
    assert project.sync(api).columns == {
        "employee_id": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "email": "VARCHAR",
        "currency_code": "VARCHAR",
        "balance": "DOUBLE",
        "updated_at": "TIMESTAMP WITH TIME ZONE",
        "created_at": "TIMESTAMP WITH TIME ZONE",
    }


def test_the_first_sync_sends_no_filter_so_that_users_never_updated_arrive(project, api):
    api.users = [user(1), *users(3)]
    outcome = project.sync(api)
    assert {since for _, since in api.requests} == {None}
    assert len(outcome.rows) == 3  # user 1 stands twice, once without updated_at


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


def test_a_re_sync_asks_for_everybody_again(project, api):
    api.users = [user(1), user(2, NOON - timedelta(days=1))]
    project.sync(api)
    api.requests.clear()
    project.sync(api, state={})
    assert {since for _, since in api.requests} == {None}


def test_a_new_field_becomes_a_new_column(project, api):
    api.users = users(2)
    project.sync(api)
    api.clock += timedelta(hours=5)
    api.change("E00001", costCentre="R&D")
    assert project.sync(api).rows["E00001"]["cost_centre"] == "R&D"


def test_each_page_is_checkpointed_with_how_far_the_sync_has_come(project, api):
    api.users, api.page_cap = users(250), 100
    log = project.sync(api).log
    pages = [line for line in log.splitlines() if '"resume"' in line]
    assert [f'"page": {n}' in line for n, line in zip((2, 3, 4), pages, strict=True)] == [True] * 3
    assert all('"updated_since": null' in line for line in pages)


def test_the_log_tells_what_is_synced_how_far_it_is_and_the_totals(project, api):
    api.users, api.page_cap = users(1050), 100
    log = project.sync(api).log
    assert "Full sync: all users" in log
    assert f"Page 10: 1000 users so far, newest change: {api.users[999]['updated_at']}" in log
    newest = api.users[-1]["updated_at"]
    assert f"Synced 1050 users from 11 pages; last_sync_time: {newest}" in log
    assert f"Incremental sync: users changed since {newest}" in project.sync(api).log


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
    stamps = sorted(row["updated_at"] for row in rows if row["updated_at"])
    assert timedelta(days=300) < stamps[-1] - stamps[0] < timedelta(days=366)


@pytest.mark.parametrize("model", ["production", "", None])
def test_mock_mode_is_refused_on_fivetran(project, monkeypatch, model):
    if model is None:
        monkeypatch.delenv("FIVETRAN_DEPLOYMENT_MODEL")
    else:
        monkeypatch.setenv("FIVETRAN_DEPLOYMENT_MODEL", model)
    outcome = project.sync(use_mock="true")
    assert outcome.failed and "use_mock is for `fivetran debug`" in outcome.log
    assert outcome.rows == {}


def test_schema_needs_no_configuration():
    (table,) = connector.schema({})
    assert table["table"] == "USER" and table["primary_key"] == ["employeeId"]


def test_the_key_is_sent_with_the_headers_that_the_api_wants(project, api):
    project.sync(api)
    headers = api.headers[0]
    assert headers["apiKey"] == KEY
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("fivetran-awardco-users")
