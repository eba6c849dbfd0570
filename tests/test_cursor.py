"""Where `last_sync_time` may stand: instants, the server's clock, and room for late changes."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

import connector
from fake_awardco import NOON, Fault, text, user, users
from harness import utc

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "written, meant",
    [
        ("2026-02-01T10:00:00Z", "2026-02-01T10:00:00Z"),
        ("2026-02-01t10:00:00z", "2026-02-01T10:00:00Z"),
        ("2026-02-01T10:00:00+02:00", "2026-02-01T08:00:00Z"),
        ("2026-02-01T10:00:00+0200", "2026-02-01T08:00:00Z"),
        ("2026-02-01T10:00:00+02", "2026-02-01T08:00:00Z"),
        ("2026-02-01T10:00:00-09:30", "2026-02-01T19:30:00Z"),
        ("2026-02-01 10:00:00", "2026-02-01T10:00:00Z"),
        ("2026-02-01 10:00:00 +02:00", "2026-02-01T08:00:00Z"),
        ("2026-02-01T10:00", "2026-02-01T10:00:00Z"),
        ("2026-02-01T10:00Z", "2026-02-01T10:00:00Z"),
        ("2026-02-01", "2026-02-01T00:00:00Z"),
        (" 2026-02-01T10:00:00Z ", "2026-02-01T10:00:00Z"),
        ("2026-02-01T10:00:00.5Z", "2026-02-01T10:00:00.500000+00:00"),
        ("2026-02-01T10:00:00,25Z", "2026-02-01T10:00:00.250000+00:00"),
        ("2026-02-01T10:00:00.123456789Z", "2026-02-01T10:00:00.123456+00:00"),
    ],
)
def test_a_timestamp_is_read_as_the_instant_it_means(written, meant):
    assert connector.parse_timestamp(written) == utc(meant)


@pytest.mark.parametrize(
    "written",
    [None, "", "soon", 1767225600, True, {}, "2026-02-30T10:00:00Z", "2026-02-01T25:00:00Z"]
    + ["2026-02-01T10:00:00+99:00", "0001-01-01T00:00:00+02:00", "9999-12-31T23:00:00-02:00"]
    + ["20260201T100000Z", "2026-02-01T10:00:00.1234567890Z", "٢٠٢٦-٠٢-٠١", "2026-W05-1"],
)
def test_what_is_no_timestamp_is_none(written):
    assert connector.parse_timestamp(written) is None


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),
    st.sampled_from(["", "Z", "+02:00", "-0930", "+14"]),
    st.sampled_from("T "),
    st.integers(0, 9),
)
def test_an_instant_written_in_the_apis_notation_is_never_later(instant, zone, separator, digits):
    """What `_like` writes must be read as the same instant, but for the digits it cannot hold."""
    instant = instant.replace(tzinfo=timezone.utc)
    fraction = "." + "0" * digits if digits else ""
    sample = f"2026-02-01{separator}10:00:00{fraction}{zone}"
    lost = instant - connector.parse_timestamp(connector._like(sample, instant))
    assert timedelta(0) <= lost < timedelta(seconds=10.0 ** -min(digits, 6))


@pytest.mark.parametrize(
    "sample, expected",
    [
        ("2026-01-01T00:00:00Z", "2026-03-01T11:00:00Z"),
        ("2026-01-01T00:00:00.000Z", "2026-03-01T11:00:00.000Z"),
        ("2026-01-01 00:00:00", "2026-03-01 11:00:00"),
        ("2026-01-01T00:00:00+02:00", "2026-03-01T13:00:00+02:00"),
        ("2026-01-01T00:00+0200", "2026-03-01T13:00+0200"),
        ("2026-01-01", "2026-03-01"),
    ],
)
def test_the_cap_is_written_as_the_api_writes(project, api, sample, expected):
    """A change that lies within the hour is newer than the cursor may be."""
    api.users = [user(1, connector._like(sample, NOON + timedelta(days=1)))]
    assert project.sync(api).cursor == expected


def test_the_newest_is_the_latest_instant_not_the_greatest_text(project, api):
    api.users = [user(1, "2026-02-01T10:00:00+00:00"), user(2, "2026-02-01T11:00:00+05:00")]
    api.order = "storage"
    assert project.sync(api).cursor == "2026-02-01T10:00:00+00:00"


def test_fraction_digits_do_not_sort_as_text(project, api):
    api.users = [user(1, "2026-02-01T10:00:00Z"), user(2, "2026-02-01T10:00:00.5Z")]
    assert project.sync(api).cursor == "2026-02-01T10:00:00.5Z"


def test_the_cursor_is_the_apis_own_text(project, api):
    api.users = [user(1, "2026-02-01 10:00:00.120")]
    assert project.sync(api).cursor == "2026-02-01 10:00:00.120"


def test_a_row_dated_2099_does_not_freeze_the_cursor(project, api):
    api.users = [*users(3), user(9, "2099-01-01T00:00:00Z")]
    assert project.sync(api).cursor == text(NOON - HOUR)
    api.clock += timedelta(days=1)
    api.change("E00001", balance=1.5)
    outcome = project.sync(api)
    assert outcome.rows["E00001"]["balance"] == 1.5
    assert outcome.cursor == text(api.clock - HOUR)


def test_a_row_with_an_unreadable_time_lands_and_does_not_move_the_cursor(project, api):
    api.order = "storage"
    api.users = [user(1, "2026-02-01T10:00:00Z"), user(2, "Tuesday"), user(3, "9999-99-99")]
    outcome = project.sync(api)
    assert len(outcome.rows) == 3 and outcome.rows["E00002"]["updated_at"] is None
    assert outcome.cursor == "2026-02-01T10:00:00Z"


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(days=1)])
def test_the_servers_clock_decides_when_it_is_a_day_off(project, api, off, monkeypatch):
    """This machine's clock says NOON; the server's, and so its rows, are a day off."""
    monkeypatch.setattr(connector, "_now", lambda: NOON)
    api.clock += off
    api.users = [user(1, api.clock - timedelta(minutes=10))]
    assert project.sync(api).cursor == text(api.clock - HOUR)


@pytest.mark.parametrize("header", [None, "yesterday", "Mon, 99 Foo 2026 12:00:00 GMT"])
def test_without_a_readable_date_this_machines_clock_decides(project, api, monkeypatch, header):
    monkeypatch.setattr(connector, "_now", lambda: NOON)
    api.users = [user(1, NOON - timedelta(minutes=10))]
    api.clock = None
    if header:
        body = {"users": api.users}
        api.faults = [Fault(page=1, status=200, headers={"Date": header}, body=body)]
    assert project.sync(api).cursor == text(NOON - HOUR)


def test_a_change_that_was_committed_late_is_found_by_the_next_sync(project, api):
    api.users = users(3, NOON - timedelta(minutes=1))
    project.sync(api)
    api.clock += timedelta(minutes=10)
    api.change("E00001", balance=0.5, updated_at=text(NOON - timedelta(minutes=50)))
    assert project.sync(api).rows["E00001"]["balance"] == 0.5


def test_a_strict_filter_does_not_lose_the_change_at_the_cursors_very_second(project, api):
    """`>`: a second change in the second that the last sync has seen is not newer than it."""
    api.strict = True
    api.users = [user(1, NOON), user(2, NOON - timedelta(days=1))]
    project.sync(api)
    api.change("E00002", updated_at=text(NOON), balance=0.5)
    api.clock += timedelta(hours=3)
    assert project.sync(api).rows["E00002"]["balance"] == 0.5


def test_the_cursor_does_not_go_back_where_only_older_users_come(project, api):
    """The API ignores the filter, and the user who was newest is gone."""
    api.users, api.filter_param = users(5), None
    stored = text(NOON - timedelta(days=1))
    assert project.sync(api, state={"last_sync_time": stored}).cursor == stored


def test_the_cursor_does_not_go_back_where_the_servers_clock_does(project, api):
    api.users = users(5, NOON)
    first = project.sync(api).cursor
    api.clock -= timedelta(hours=3)
    assert project.sync(api).cursor == first


def test_an_empty_sync_does_not_move_the_cursor(project, api):
    api.users, api.strict = users(5), True
    first = project.sync(api)
    api.clock += timedelta(days=3)
    second = project.sync(api)
    assert second.cursor == first.cursor and "Synced 0 users" in second.log


def test_a_failed_sync_does_not_move_what_the_next_one_asks_for(project, api):
    api.users = users(250)
    before = project.sync(api).cursor
    api.clock += timedelta(days=1)
    for number in range(1, 251):
        api.change(f"E{number:05d}", balance=0.5)
    api.faults = [Fault(page=2, times=99, status=503)]
    assert project.sync(api).failed
    api.faults, api.requests = [], []
    outcome = project.sync(api)
    assert {since for _, since in api.requests} == {before}
    assert all(row["balance"] == 0.5 for row in outcome.rows.values())


def test_a_filter_that_the_api_ignores_is_told_once_and_loses_nobody(project, api):
    api.users = [user(500, NOON - timedelta(days=30)), *users(250, NOON - timedelta(days=9))]
    api.filter_param = None
    project.sync(api)
    api.users.append(user(999, NOON - timedelta(days=2)))
    outcome = project.sync(api)
    assert "E00999" in outcome.rows
    assert outcome.cursor == text(NOON - timedelta(days=2))
    told = outcome.log_lines("does not know the filter `updated_since`")
    assert len(told) == 2  # in the log, and as the warning that the dashboard shows
    assert "set updated_since_param" in told[0]


def test_a_filter_that_works_is_not_complained_of(project, api):
    api.users = users(250, NOON - timedelta(days=9))
    project.sync(api)
    api.change("E00001", updated_at=text(NOON - timedelta(days=8)))
    assert "does not know" not in project.sync(api).log


@pytest.mark.parametrize("stored", ["soon", 17, "", {"at": 1}, "2026-13-01T00:00:00Z"])
def test_a_stored_cursor_that_cannot_be_read_is_an_error_that_names_it(project, api, stored):
    api.users = users(3)
    outcome = project.sync(api, state={"last_sync_time": stored})
    assert outcome.failed and "last_sync_time is missing or unreadable" in outcome.log
    assert api.requests == []  # never a silent full sync


def test_a_stored_cursor_in_the_future_is_told(project, api):
    api.users = users(3)
    outcome = project.sync(api, state={"last_sync_time": "2099-01-01T00:00:00Z"})
    assert "last_sync_time lies in the future" in outcome.log
    assert outcome.cursor == "2099-01-01T00:00:00Z"


def test_a_source_without_any_change_date_is_told(project, api):
    api.users = [user(n) for n in range(3)]
    outcome = project.sync(api)
    assert "No user has a readable updated_at" in outcome.log and len(outcome.rows) == 3


def test_a_state_of_an_older_version_is_an_ordinary_incremental_start(project, api):
    api.users = users(10)
    since = api.users[4]["updated_at"]
    outcome = project.sync(api, state={"last_sync_time": since})
    assert api.requests[0] == (1, since) and len(outcome.rows) == 6
