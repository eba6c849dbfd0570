"""Everybody is read again every `full_sync_days`, for stale balances and users who left."""

from datetime import timedelta
from types import SimpleNamespace

import duckdb
import pytest

import connector
from fake_awardco import NOON, Fault, listing, text, user, users
from harness import UNPROVED

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def machine(monkeypatch):
    """This machine's clock, as `machine.now`."""
    machine = SimpleNamespace(now=NOON)
    monkeypatch.setattr(connector, "now", lambda: machine.now)
    return machine


@pytest.fixture
def weekly(in_memory, api, machine, monkeypatch):
    """A sync with `full_sync_days` 7, at this machine's time; it tells whether it was full. Pages
    of a few users stand for capped ones."""
    monkeypatch.setattr(connector, "__SMALLEST_CAP", 1)
    api.users = users(10, NOON - 10 * DAY)

    def sync(at, **given):
        machine.now = api.clock = at
        api.requests = []
        outcome = in_memory.sync(api, **{"full_sync_days": "7", **given})
        outcome.full = api.requests[0][1] is None if api.requests else None
        return outcome

    return sync


def began(instant) -> str:
    """How the state holds the beginning of a full sync."""
    return instant.isoformat()


# --- when


def test_the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end(weekly, api, machine):
    """It takes ten hours. Counted from the end, a daily schedule would slip by a day."""

    def ten_hours_later(api):
        machine.now = api.clock = NOON + timedelta(hours=10)

    api.before_page[2] = ten_hours_later
    assert weekly(NOON).state["last_full_sync"] == began(NOON)
    for day in range(1, 7):
        outcome = weekly(NOON + day * DAY)
        assert not outcome.full and outcome.state["last_full_sync"] == began(NOON)
    assert not weekly(NOON + 7 * DAY - SECOND).full
    outcome = weekly(NOON + 7 * DAY)
    assert outcome.full and outcome.state["last_full_sync"] == began(NOON + 7 * DAY)
    assert not weekly(NOON + 8 * DAY).full


def test_without_the_setting_nobody_is_read_again(weekly):
    weekly(NOON, full_sync_days="")
    for days in (1, 30, 3000):
        assert not weekly(NOON + days * DAY, full_sync_days="").full


def test_first_syncs_and_re_syncs_set_the_date_without_the_setting_too(weekly):
    assert weekly(NOON, full_sync_days="").state["last_full_sync"] == began(NOON)
    outcome = weekly(NOON + 3 * DAY, full_sync_days="", state={})
    assert outcome.full and outcome.state["last_full_sync"] == began(NOON + 3 * DAY)


def test_a_full_read_that_found_nobody_has_read_nobody(weekly, api):
    """Page 1 was empty for a moment. Else all would look gone for a week."""
    before = weekly(NOON).state
    api.faults = [Fault(page=1, status=200, body=listing([]))]
    assert weekly(NOON + 7 * DAY).state == before
    assert weekly(NOON + 8 * DAY).full


def test_a_state_without_the_date_and_the_setting_given_is_a_full_sync(weekly):
    stored = {"last_sync_time": text(NOON - 10 * DAY)}
    assert not weekly(NOON, state=stored, full_sync_days="").full
    outcome = weekly(NOON, state=stored)
    assert outcome.full
    assert outcome.state == {**stored, "last_full_sync": began(NOON), "users": 10, **UNPROVED}


def test_a_clock_that_was_wrong_puts_no_full_sync_off_for_years(weekly):
    """The clock stood at 2099 once, or stands at 1970 now."""
    cursor = text(NOON - 11 * DAY)
    for stored in ("2099-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"):
        outcome = weekly(NOON, state={"last_sync_time": cursor, "last_full_sync": stored})
        assert outcome.full and outcome.state["last_full_sync"] == began(NOON), stored
    state = outcome.state
    outcome = weekly(NOON - 20_000 * DAY, state=state)
    assert outcome.full and outcome.state["last_sync_time"] == state["last_sync_time"]
    assert not weekly(NOON - DAY, state=state).full  # a day off is no reason


def test_a_machine_in_another_zone_counts_the_same_days(weekly):
    state = {"last_sync_time": text(NOON - 11 * DAY)}
    state["last_full_sync"] = "2026-02-22T23:00:00+11:00"  # NOON, seven days ago
    assert weekly(NOON, state=state).full
    assert not weekly(NOON - SECOND, state=state).full


# --- what counts as one


def test_a_full_read_that_fails_is_tried_again_and_does_not_move_the_date(weekly, api):
    state = weekly(NOON).state
    api.page_cap, api.faults = 5, [Fault(page=2, times=99, status=503)]
    outcome = weekly(NOON + 8 * DAY)
    assert outcome.failed and outcome.full and outcome.state == state
    api.faults = []
    outcome = weekly(NOON + 9 * DAY)
    assert outcome.full and outcome.state["last_full_sync"] == began(NOON + 9 * DAY)


def test_a_full_read_that_is_not_whole_is_tried_again_and_does_not_move_the_date(weekly, api):
    state = weekly(NOON).state
    api.order, api.page_cap = "storage", 2
    api.before_answer = lambda page: api.move("E00001", 9 if page == 1 else 0)
    outcome = weekly(NOON + 8 * DAY)
    assert outcome.full and not outcome.failed and outcome.state == state
    assert 0 not in api.sizes  # three quarters of one user
    api.before_answer = None
    outcome = weekly(NOON + 9 * DAY)
    assert outcome.full and outcome.state["last_full_sync"] == began(NOON + 9 * DAY)


def test_a_complete_read_tells_how_many_users_it_found(weekly, api):
    assert weekly(NOON).state["users"] == 10
    api.insert(user(11, NOON - 3 * DAY))
    outcome = weekly(NOON + 3 * DAY)
    assert not outcome.full and outcome.state["users"] == 10  # of changes nothing follows
    assert weekly(NOON + 7 * DAY).state["users"] == 11


def cut_off(api):
    """The API reaches no deeper than 40 users: it refuses page 3."""
    api.depth, api.past_end = 40, "400"


def hide_three(api):
    """The API counts three users more than it gives."""
    api.total, api.unlisted = "total", 3


@pytest.mark.parametrize("spoil, doubt", [(cut_off, "may be more"), (hide_three, "reports 53")])
def test_a_whole_read_that_is_not_complete_moves_the_dates_and_not_the_number_of_users(
    weekly, api, spoil, doubt
):
    """Or such an API would be read in full by every sync."""
    api.users, api.page_cap, api.order = users(50, NOON - 10 * DAY), 20, "id"
    assert weekly(NOON).state["users"] == 50
    api.change("E00001", updated_at=text(NOON - DAY))
    spoil(api)
    outcome = weekly(NOON + 7 * DAY)
    assert outcome.state == {
        "last_sync_time": text(NOON - DAY),
        "last_full_sync": began(NOON + 7 * DAY),
        "users": 50,
        **UNPROVED,
    }
    assert outcome.log_lines(doubt)


def test_an_api_without_anybody_new_has_not_read_everybody(weekly, api):
    """Page 1 is 204 where nobody has changed, and is answered without the filter."""
    state = weekly(NOON).state
    api.past_end, api.strict = "204", True
    outcome = weekly(NOON + 3 * DAY)
    assert not outcome.failed and outcome.state == state


def test_checkpoints_before_the_last_carry_the_old_values_of_both(in_memory, weekly, api):
    old = weekly(NOON).state
    api.users, api.page_cap = users(30, NOON + 7 * DAY), 10
    in_memory.destination.operations.clear()
    new = weekly(NOON + 8 * DAY).state
    states = [value for kind, value in in_memory.destination.operations if kind == "checkpoint"]
    assert states == [old, old, old, new]
    assert new == {
        "last_sync_time": text(NOON + 7 * DAY),
        "last_full_sync": began(NOON + 8 * DAY),
        "users": 30,
        **UNPROVED,
    }


def test_a_full_sync_of_nobody_new_keeps_the_cursor(weekly, api):
    cursor = weekly(NOON).cursor
    api.users = users(3, NOON - 90 * DAY)  # who held the newest change is gone
    outcome = weekly(NOON + 8 * DAY)
    assert outcome.full and outcome.cursor == cursor


# --- what it is for


def test_a_balance_that_moves_no_date_arrives_with_the_full_sync(weekly, api):
    weekly(NOON)
    api.users[3]["balance"] = 0.5
    assert weekly(NOON + 6 * DAY).rows["E00004"]["balance"] == 4.25
    assert weekly(NOON + 7 * DAY).rows["E00004"]["balance"] == 0.5


def test_rows_that_are_unchanged_tell_when_a_user_was_last_seen(project, api, machine):
    """So `_fivetran_synced` tells when somebody left, also where nobody is marked."""
    api.users = [*users(5, NOON - 10 * DAY), user(9)]
    project.sync(api, full_sync_days="7")
    first = synced(project)
    machine.now += DAY
    project.sync(api, full_sync_days="7")
    unchanged = synced(project)
    assert [key for key in first if unchanged[key] > first[key]] == ["E00005"]  # >= the cursor
    del api.users[0]
    machine.now += 7 * DAY
    project.sync(api, full_sync_days="7")
    last = synced(project)
    assert [key for key in first if last[key] == unchanged[key]] == ["E00001"]


def synced(project) -> dict:
    with duckdb.connect(str(project.folder / "files" / "warehouse.db"), read_only=True) as found:
        rows = found.execute("SELECT employee_id, _fivetran_synced FROM tester.user").fetchall()
    return dict(sorted(rows))
