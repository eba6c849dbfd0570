"""Where `last_sync_time` may stand: instants, the server's clock, and room for late changes."""

from datetime import datetime, timedelta, timezone

import pytest
import pytz
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
    """What is written must be read as the same instant, but for the digits it cannot hold."""
    instant = instant.replace(tzinfo=timezone.utc)
    fraction = "." + "0" * digits if digits else ""
    sample = f"2026-02-01{separator}10:00:00{fraction}{zone}"
    lost = instant - connector.parse_timestamp(connector.write_like(sample, instant))
    assert timedelta(0) <= lost < timedelta(seconds=10.0 ** -min(digits, 6))


@pytest.mark.parametrize(
    "sample, expected",
    [
        ("2026-01-01T00:00:00Z", "2026-03-01T11:00:00Z"),
        ("2026-01-01T00:00:00.000Z", "2026-03-01T11:00:00.000Z"),
        ("2026-01-01 00:00:00", "2026-02-28 21:00:00"),  # no zone: 15 hours
        ("2026-01-01T00:00:00+02:00", "2026-03-01T13:00:00+02:00"),
        ("2026-01-01T00:00+0200", "2026-03-01T13:00+0200"),
        ("2026-01-01T00:00:00,123", "2026-02-28T21:00:00,000"),
        ("2026-01-01", "2026-02-27"),  # a date alone: 39 hours
    ],
)
def test_the_cap_is_written_as_the_api_writes(project, api, sample, expected):
    """A change that lies within the hour is newer than the cursor may be."""
    api.users = [user(1, connector.write_like(sample, NOON + timedelta(days=1)))]
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


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(hours=-2), timedelta(days=26_700)])
def test_the_earlier_clock_decides_where_the_servers_is_wrong(project, api, off, monkeypatch):
    """2099 for one sync, say: a cursor that believes it would skip all changes until then."""
    monkeypatch.setattr(connector, "now", lambda: NOON)
    api.date = NOON + off
    api.users = [user(1, NOON - timedelta(minutes=10))]
    assert project.sync(api).cursor == text(min(NOON, NOON + off) - HOUR)
    api.date, api.clock = None, NOON + timedelta(minutes=30)
    api.change("E00001", balance=0.5)
    assert project.sync(api).rows["E00001"]["balance"] == 0.5


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(hours=-2), timedelta(days=26_700)])
def test_the_earlier_clock_decides_where_this_machines_is_wrong(project, api, off, monkeypatch):
    monkeypatch.setattr(connector, "now", lambda: NOON + off)
    api.users = [user(1, NOON - timedelta(minutes=10))]
    assert project.sync(api).cursor == text(min(NOON, NOON + off) - HOUR)


def test_the_first_answer_dates_a_sync_not_the_last_one(project, api):
    """Users change while a sync takes hours."""
    api.users, api.page_cap, api.tick = users(350), 100, timedelta(hours=1)
    api.before_page[4] = lambda api: api.insert(user(900, api.clock))
    assert project.sync(api).cursor == text(NOON)  # an hour before the first answer's 13:00


@pytest.mark.parametrize("header", [None, "yesterday", "Mon, 99 Foo 2026 12:00:00 GMT"])
def test_without_a_readable_date_this_machines_clock_decides(project, api, monkeypatch, header):
    monkeypatch.setattr(connector, "now", lambda: NOON)
    api.users = [user(1, NOON - timedelta(minutes=10))]
    api.clock = None
    if header:
        body = {"users": api.users}
        api.faults = [Fault(page=1, status=200, headers={"Date": header}, body=body)]
    assert project.sync(api).cursor == text(NOON - HOUR)


def test_a_first_answer_without_a_date_does_not_leave_it_to_a_clock_that_is_wrong(
    project, api, monkeypatch
):
    """This machine's is two days ahead, and a proxy answers the first request."""
    monkeypatch.setattr(connector, "now", lambda: NOON + timedelta(days=2))
    api.users = [user(1, NOON - timedelta(minutes=10))]
    api.clock = None
    api.before_page[2] = lambda api: setattr(api, "clock", NOON)
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


# --- times without a zone, and dates


ZONES = {
    "-8": timezone(timedelta(hours=-8)),
    "-7": timezone(timedelta(hours=-7)),
    "0": timezone.utc,
    "+5:30": timezone(timedelta(hours=5, minutes=30)),
    "+13": timezone(timedelta(hours=13)),
    "New York": pytz.timezone("America/New_York"),
}
LONG_AGO = NOON - timedelta(days=9)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dates_only", [False, True])
@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(days=3)])
@pytest.mark.parametrize("hour", [4, 12, 20])
def test_local_times_without_a_zone_hide_no_change(
    in_memory, api, zone, dates_only, strict, later, hour
):
    """Users change while a sync reads, and after it; the next one must bring all. One is dated
    2099, so the cursor is cut: read as UTC, what changes in Los Angeles looks 8 hours old."""
    api.users, api.zone, api.dates_only, api.strict = users(40, LONG_AGO), zone, dates_only, strict
    api.clock = NOON.replace(hour=hour)
    api.change("E00001", updated_at="2099-01-01T00:00:00Z")
    api.before_page[2] = lambda api: api.change("E00002", balance=0.5)
    first = in_memory.sync(api)
    api.clock += timedelta(seconds=10)
    api.change("E00003", balance=0.5)
    api.clock += later
    second = in_memory.sync(api)
    assert [second.rows[f"E0000{n}"]["balance"] for n in (2, 3)] == [0.5, 0.5]
    assert first.cursor is not None and len(second.rows) == 40


@pytest.mark.parametrize("minutes", range(-90, 91, 30))
def test_the_hour_that_comes_twice_when_summer_time_ends_hides_no_change(in_memory, api, minutes):
    """On 1 November 2026 New York's clocks go from 1:59:59 back to 1:00:00, at 6:00 UTC."""
    api.clock = utc("2026-11-01T06:00:00Z") + timedelta(minutes=minutes)
    api.zone, api.users = ZONES["New York"], users(40, api.clock - timedelta(minutes=1))
    for number in range(1, 4):
        in_memory.sync(api)
        api.clock += timedelta(minutes=25)
        api.change(f"E{number:05d}", balance=0.5)
    rows = in_memory.sync(api).rows
    assert [rows[f"E{number:05d}"]["balance"] for number in range(1, 4)] == [0.5] * 3


def test_one_value_without_a_zone_among_others_counts_for_the_whole_sync(in_memory, api):
    """The newest value has a zone; another, of the same source, has none."""
    api.order = "storage"
    api.users = [user(1, "2026-01-01 10:00:00"), user(2, NOON)]
    assert in_memory.sync(api).cursor == text(NOON - timedelta(hours=15))
    api.users.append(user(3, "2026-01-02"))
    assert in_memory.sync(api, state={}).cursor == text(NOON - timedelta(hours=39))


def test_notations_that_differ_from_row_to_row_hide_no_change(in_memory, api):
    api.users, api.mixed = users(60, NOON - timedelta(minutes=5)), True
    for number in range(1, 20, 3):
        in_memory.sync(api)
        api.clock += timedelta(minutes=40)
        api.change(f"E{number:05d}", balance=0.5)
    rows = in_memory.sync(api).rows
    assert {rows[f"E{number:05d}"]["balance"] for number in range(1, 20, 3)} == {0.5}


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01"])
def test_a_user_never_updated_by_the_notation_of_net_is_no_reason_to_fail(in_memory, api, never):
    api.order = "storage"
    api.users = [user(1, never), user(2, "9999-12-31T23:59:59Z"), user(3, LONG_AGO)]
    outcome = in_memory.sync(api)
    assert len(outcome.rows) == 3 and not outcome.failed
    assert not in_memory.sync(api).failed
    api.users = [user(1, never)]
    assert in_memory.sync(api, state={}).cursor == never
    assert not in_memory.sync(api).failed


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_python_cannot_hold_is_unreadable(in_memory, api, value):
    api.users = [user(1, value)]
    assert "1 unreadable values of updated_at" in in_memory.sync(api).log


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"]
)
def test_a_server_in_another_age_is_no_reason_to_fail(in_memory, api, date):
    api.users = [user(1, NOON)]
    body = {"users": api.users}
    api.faults = [Fault(page=1, status=200, headers={"Date": date}, body=body)]
    api.date = None
    assert not in_memory.sync(api).failed
