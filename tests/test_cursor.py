"""Where `last_sync_time` may stand: instants, two clocks, and room for late changes."""

from datetime import UTC, timedelta, timezone

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

import connector
from fake_awardco import NOON, Fault, listing, text, user, users
from harness import Memory, utc

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOON - timedelta(days=9)


@pytest.fixture
def project(in_memory):
    return in_memory


def cursor_after(project, api, *times):
    """The cursor after a first sync of users with these times."""
    api.users, api.order = [user(n, time) for n, time in enumerate(times)], "storage"
    return project.sync(api, state={}).cursor


# --- what a time means


def test_a_timestamp_is_read_as_the_instant_it_means():
    meant = {
        "2026-02-01T10:00:00Z": "2026-02-01T10:00:00Z",
        "2026-02-01T10:00:00+02:00": "2026-02-01T08:00:00Z",
        "2026-02-01T10:00:00+0200": "2026-02-01T08:00:00Z",
        "2026-02-01T10:00:00+02": "2026-02-01T08:00:00Z",
        "2026-02-01T10:00:00-09:30": "2026-02-01T19:30:00Z",
        "2026-02-01 10:00:00": "2026-02-01T10:00:00Z",
        "2026-02-01 10:00:00 +02:00": "2026-02-01T08:00:00Z",
        "2026-02-01 10:00:00 -0700": "2026-02-01T17:00:00Z",
        "2026-02-01 10:00:00 UTC": "2026-02-01T10:00:00Z",
        "2026-02-01T10:00:00UTC": "2026-02-01T10:00:00Z",
        "2026-02-01t10:00:00z": "2026-02-01T10:00:00Z",
        "2026-02-01T10:00": "2026-02-01T10:00:00Z",
        "2026-02-01T10:00Z": "2026-02-01T10:00:00Z",
        "2026-02-01": "2026-02-01T00:00:00Z",
        " 2026-02-01T10:00:00Z ": "2026-02-01T10:00:00Z",
        "2026-02-01T10:00:00.5Z": "2026-02-01T10:00:00.500000Z",
        "2026-02-01T10:00:00,25Z": "2026-02-01T10:00:00.250000Z",
        "2026-02-01T10:00:00.123456789Z": "2026-02-01T10:00:00.123456Z",
        "2026-02-01T10:00:00.1234567890123Z": "2026-02-01T10:00:00.123456Z",
        "0001-01-01T00:00:00": "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z": "9999-12-31T23:59:59Z",
    }
    read = {written: connector.parse_timestamp(written) for written in meant}
    assert read == {written: utc(instant) for written, instant in meant.items()}


def test_what_is_no_timestamp_is_none():
    """Python would read some of these in a way of its own: `20230808` and `2023-08-08-07:00`."""
    unreadable = [None, "", "soon", 1767225600, 1767225600.5, True, {}, [], "1767225600"]
    unreadable += ["20230808", "20230808120000Z", "20230808T120000Z", "2026-W05-1", "2026-032"]
    unreadable += ["2023-08-08-07:00", "2023-08-08 -07:00", "2023-08-08+02:00", "2023-08-08Z"]
    unreadable += ["2026-02-30T10:00:00Z", "2026-02-01T25:00:00Z", "2026-02-01T10:00:00+99:00"]
    unreadable += ["0000-00-00", "0000-00-00 00:00:00", "٢٠٢٦-٠٢-٠١", "02/01/2026", "2026-2-1"]
    unreadable += ["/Date(1767225600000)/", "2026-02-01T10:00:00 Europe/Berlin", "2026-02-01T"]
    unreadable += ["0001-01-01T00:00:00+02:00", "9999-12-31T23:00:00-02:00"]
    read = {str(value): connector.parse_timestamp(value) for value in unreadable}
    assert {value: instant for value, instant in read.items() if instant is not None} == {}


DIGITS = st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,]{0,20})? ?[-+Z0-9:]{0,7}\Z")


@given(DIGITS | st.text(st.characters(exclude_categories=())))
def test_no_text_makes_the_reading_of_a_time_fail(written):
    connector.parse_timestamp(written)


# --- which time it is


def test_the_newest_is_the_latest_instant_not_the_greatest_text(project, api):
    times = "2026-02-01T10:00:00+00:00", "2026-02-01T11:00:00+05:00"
    assert cursor_after(project, api, *times) == times[0]
    times = "2026-02-01T10:00:00Z", "2026-02-01T10:00:00.5Z"
    assert cursor_after(project, api, *times) == times[1]


def test_the_cursor_is_the_apis_own_text(project, api):
    for written in (
        "2026-02-01 10:00:00.120",
        "2026-02-01T10:00:00.120000000+05:30",
        "2026-02-01",
    ):
        assert cursor_after(project, api, written) == written
        project.sync(api)
        assert api.requests[-1] == (2, written) or api.requests[-1] == (1, written)


def test_the_cursor_lies_an_hour_before_the_first_answer_or_39_where_the_zone_is_unknown(
    project, api
):
    """39 hours: 14 for the zone that is furthest ahead, 24 for a date alone, and the hour."""
    for written, margin in (
        (text, HOUR),
        (lambda time: time.isoformat(sep=" "), HOUR),
        (lambda time: text(time)[:-1], 39 * HOUR),
        (lambda time: text(time)[:-1].replace("T", " "), 39 * HOUR),
    ):
        old, at, late = LONG_AGO, NOON - margin, NOON - margin + timedelta(seconds=1)
        assert cursor_after(project, api, written(old), written(at)) == written(at)
        assert cursor_after(project, api, written(old), written(late)) == written(old)
    assert cursor_after(project, api, "2026-02-27", "2026-02-28") == "2026-02-27"
    assert cursor_after(project, api, text(NOON - MINUTE)) is None


def test_each_time_has_the_margin_of_its_own_notation(project, api):
    times = text(NOON - 3 * HOUR), "2026-03-01 10:00:00", "2026-02-27 10:00:00"
    assert cursor_after(project, api, *times) == times[0]


def test_a_row_dated_2099_does_not_freeze_the_cursor(project, api):
    api.users = [*users(3), user(9, "2099-01-01T00:00:00Z")]
    assert project.sync(api).cursor == text(NOON - timedelta(days=2))
    api.clock += timedelta(days=1)
    api.change("E00001", balance=1.5)
    changed_at = api.clock
    assert project.sync(api).rows["E00001"]["balance"] == 1.5
    api.clock += HOUR
    assert project.sync(api).cursor == text(changed_at)


def test_a_row_with_an_unreadable_time_lands_and_does_not_move_the_cursor(project, api):
    times = "2026-02-01T10:00:00Z", "Tuesday", "9999-99-99", 1772000000
    assert cursor_after(project, api, *times) == times[0]
    rows = project.destination.rows
    assert [rows[f"E0000{n}"]["updated_at"] for n in (1, 2, 3)] == [None] * 3


def test_a_user_never_updated_in_the_notation_of_net_is_no_reason_to_fail(project, api):
    for never in ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01"):
        cursor = cursor_after(project, api, never, "9999-12-31T23:59:59Z", LONG_AGO)
        assert cursor == text(LONG_AGO) and not project.sync(api).failed
        assert cursor_after(project, api, never) == never and not project.sync(api).failed


# --- the clocks


DAY = timedelta(days=1)


@pytest.mark.parametrize("off", [-DAY, -2 * HOUR, 26_700 * DAY])
@pytest.mark.parametrize("wrong", ["the server's", "this machine's"])
def test_the_earlier_clock_decides_where_one_is_wrong(project, api, monkeypatch, off, wrong):
    """2099 for one sync, say: a cursor that believes it would skip all changes until then."""
    server, machine = (NOON + off, NOON) if wrong == "the server's" else (NOON, NOON + off)
    monkeypatch.setattr(connector, "now", lambda: machine)
    api.date, earlier = server, min(server, machine)
    times = [earlier - HOUR, earlier - HOUR + MINUTE, NOON - MINUTE]
    assert cursor_after(project, api, LONG_AGO, *times) == text(earlier - HOUR)


@pytest.mark.parametrize(
    "header",
    [None, "yesterday", "Mon, 99 Foo 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1400"],
)
def test_without_a_readable_date_this_machines_clock_decides(project, api, monkeypatch, header):
    monkeypatch.setattr(connector, "now", lambda: NOON)
    api.users, api.clock = [user(1, NOON - HOUR), user(2, NOON - 59 * MINUTE)], None
    if header:
        body = listing(api.users)
        api.faults = [Fault(page=1, status=200, headers={"Date": header}, body=body)]
    assert project.sync(api).cursor == text(NOON - HOUR)


def test_a_server_that_says_it_is_the_year_1_is_no_reason_to_fail(project, api):
    date = {"Date": "Mon, 01 Jan 0001 00:00:00 GMT"}
    api.clock, api.faults = None, [Fault(1, status=200, headers=date, body=listing(users(2)))]
    outcome = project.sync(api)
    assert not outcome.failed and outcome.cursor is None and len(outcome.rows) == 2


def test_the_first_answer_dates_a_sync_not_the_last_one(project, api):
    """Users change while a sync takes hours."""
    api.users, api.page_cap, api.tick = users(350), 100, HOUR
    api.before_page[4] = lambda api: api.insert(user(900, NOON + HOUR))
    api.insert(user(901, NOON))
    assert project.sync(api).cursor == text(NOON)  # an hour before the first answer's 13:00


# --- what changes late


def test_a_change_that_was_committed_late_is_found_by_the_next_sync(project, api):
    api.users = users(3, NOON - MINUTE)
    project.sync(api)
    api.clock += 10 * MINUTE
    api.change("E00001", balance=0.5, updated_at=text(NOON - 50 * MINUTE))
    assert project.sync(api).rows["E00001"]["balance"] == 0.5


def test_a_strict_filter_does_not_lose_the_change_at_the_cursors_very_second(project, api):
    """`>`: a second change in the second that the last sync has seen is not newer than it."""
    api.strict = True
    api.users = [user(1, NOON), user(2, NOON - DAY)]
    project.sync(api)
    api.change("E00002", updated_at=text(NOON), balance=0.5)
    api.clock += 3 * HOUR
    assert project.sync(api).rows["E00002"]["balance"] == 0.5


# --- never back


def test_the_cursor_does_not_go_back_where_only_older_users_come(project, api):
    """The API ignores the filter, and the user who was newest is gone."""
    api.users, api.filter_param = users(5), None
    stored = text(NOON - DAY)
    assert project.sync(api, state={"last_sync_time": stored}).cursor == stored


def test_the_cursor_does_not_go_back_where_the_servers_clock_does(project, api):
    api.users = users(5, NOON - 2 * HOUR)
    first = project.sync(api).cursor
    assert first == text(NOON - 2 * HOUR)
    api.clock -= 4 * HOUR
    assert project.sync(api).cursor == first


# --- the filter, and the stored cursor


def test_a_filter_that_the_api_ignores_loses_nobody(project, api):
    api.users, api.filter_param = users(250, LONG_AGO), None
    project.sync(api)
    api.users.append(user(999, NOON - 2 * DAY))
    outcome = project.sync(api)
    assert "E00999" in outcome.rows and outcome.cursor == text(NOON - 2 * DAY)


# --- times without a zone, dates, and notations that differ


ZONES = {
    "-8": timezone(timedelta(hours=-8)),
    "0": UTC,
    "+5:30": timezone(timedelta(hours=5, minutes=30)),
    "+13": timezone(timedelta(hours=13)),
    "New York": pytz.timezone("America/New_York"),
}


@pytest.mark.parametrize("dates_only", [False, True])
@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_local_times_without_a_zone_hide_no_change(project, api, zone, dates_only):
    """Users change before a sync, after it in the same second, and late: dated half an hour back.
    Read as UTC, what changes in Los Angeles looks 8 hours old."""
    api.zone, api.dates_only, api.strict = zone, dates_only, True
    for hour in range(0, 24, 3):
        api.users, api.clock = users(40, LONG_AGO), NOON.replace(hour=hour)
        project.destination = Memory()
        api.change("E00001", balance=0.5)
        first = project.sync(api)
        api.change("E00002", balance=0.5)
        api.change("E00003", balance=0.5, updated_at=text(api.clock - HOUR / 2))
        for _ in range(3):
            api.clock += timedelta(hours=17)
            rows = project.sync(api).rows
        assert [rows[f"E0000{n}"]["balance"] for n in (1, 2, 3)] == [0.5] * 3, hour
        assert first.cursor is not None and len(rows) == 40


def test_the_hour_that_comes_twice_when_summer_time_ends_hides_no_change(project, api):
    """On 1 November 2026 New York's clocks go from 1:59:59 back to 1:00:00, at 6:00 UTC."""
    api.zone = ZONES["New York"]
    for minutes in range(-90, 91, 30):
        api.clock = utc("2026-11-01T06:00:00Z") + minutes * MINUTE
        api.users, project.destination = users(40, api.clock - MINUTE), Memory()
        for number in range(1, 4):
            project.sync(api)
            api.clock += 25 * MINUTE
            api.change(f"E{number:05d}", balance=0.5)
        rows = project.sync(api).rows
        assert [rows[f"E{n:05d}"]["balance"] for n in range(1, 4)] == [0.5] * 3, minutes


def test_notations_that_differ_from_row_to_row_hide_no_change(project, api):
    api.users, api.mixed = users(60, NOON - 5 * MINUTE), True
    for number in range(1, 20, 3):
        project.sync(api)
        api.clock += 40 * MINUTE
        api.change(f"E{number:05d}", balance=0.5)
    rows = project.sync(api).rows
    assert {rows[f"E{number:05d}"]["balance"] for number in range(1, 20, 3)} == {0.5}
