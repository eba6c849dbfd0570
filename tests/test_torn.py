"""Rows that slip between pages while they are read: a second look finds them."""

import re
from datetime import timedelta

import pytest

import connector
from fake_awardco import NOON, text, user, users

HOUR = timedelta(hours=1)


def test_a_row_that_slips_to_a_page_already_read_is_found(project, api):
    """E00010 changes after page 1: E00101 moves from page 2 to page 1, unseen."""
    api.users = users(150)
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert "E00101" in outcome.rows and outcome.rows["E00010"]["balance"] == 0.5
    assert outcome.cursor == text(NOON - HOUR)


def test_a_change_in_the_very_second_of_the_start_is_one_during_the_pass(project, api):
    """`Date` has whole seconds, so the change carries the start's own time: `>` would miss it.

    It comes late enough for the row that moves to be met only at its new place.
    """
    api.users = users(150)
    api.before_page[2] = lambda api: api.change("E00140", balance=0.5)
    project.sync(api)
    assert api.pages_asked().count(1) == 2


def test_a_change_with_an_earlier_time_is_met_twice_and_so_seen(project, api):
    """Committed late: its time lies before the pass began, so that alone tells nothing."""
    api.users = users(150)
    late = text(NOON - timedelta(minutes=5))
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5, updated_at=late)
    outcome = project.sync(api)
    assert len(outcome.rows) == 150


def test_unordered_rows_that_move_are_met_twice_and_so_seen(project, api):
    api.users, api.order = users(150), "storage"
    api.before_page[2] = lambda api: api.move("E00010", 149)
    outcome = project.sync(api)
    assert len(outcome.rows) == 150
    assert api.pages_asked().count(1) == 2


def test_a_pass_over_one_page_is_not_torn(project, api):
    api.users = users(30, NOON + timedelta(minutes=1))
    project.sync(api)
    assert api.pages_asked() == [1, 2]


def test_a_quiet_pass_is_read_once(project, api):
    api.users = users(350)
    project.sync(api)
    assert api.pages_asked().count(1) == 1


def test_changes_in_an_order_of_identifiers_cost_no_second_look(project, api):
    api.users, api.order = users(350), "id"
    api.users[0]["updated_at"], api.users[1]["updated_at"] = text(NOON), text(NOON - HOUR)
    api.before_page[4] = lambda api: api.change("E00340", balance=0.5)
    outcome = project.sync(api)
    assert outcome.rows["E00340"]["balance"] == 0.5
    assert api.pages_asked().count(1) == 1


def test_the_second_look_delivers_only_what_the_first_did_not(project, api):
    api.users = users(150)
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    log = project.sync(api).log
    assert "Synced 150 users" in log
    assert re.search(r"Upserts +\| 151 ", log)  # each once, and E00010 again as it changed


def test_a_second_look_does_not_count_problems_twice(project, api):
    api.users = [user(0, "Tuesday"), *users(150)]
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    log = project.sync(api).log
    assert api.pages_asked().count(1) == 2
    assert "1 unreadable values of updated_at" in log


def test_a_user_whom_pages_show_in_two_versions_keeps_the_newer(project, api):
    """Pages that are asked for at the same time may be served in any order."""
    newer, older = text(NOON - timedelta(days=1)), text(NOON - timedelta(days=2))
    api.order = "storage"
    api.users = [
        user(1, newer, balance=2.5),
        *users(120, NOON - timedelta(days=9))[1:],
        user(1, older, balance=1.5),
    ]
    assert project.sync(api).rows["E00001"]["balance"] == 2.5


def always_changing(api):
    """With every request a user of page 1 changes."""
    numbers = iter(range(1, 10_000))

    def change(page):
        api.clock += timedelta(seconds=1)
        api.change(f"E{next(numbers):05d}", balance=0.5)

    return change


def test_a_busy_source_is_read_until_nobody_is_missing(project, api):
    api.users = users(350)
    api.before_answer = always_changing(api)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350
    assert outcome.cursor is not None


@pytest.fixture
def evasive(api, monkeypatch):
    """A source in which E00001 is always on another page than the one that is asked for."""
    monkeypatch.setattr(connector, "__PAGES_IN_FLIGHT", 1)
    api.users, api.order, api.page_cap = users(10), "storage", 2
    api.before_answer = lambda page: api.move("E00001", 9 if page == 1 else 0)
    return api


def test_a_pass_that_is_never_whole_ends_and_holds_the_cursor_back(project, evasive):
    outcome = project.sync(evasive)
    assert not outcome.failed and "E00001" not in outcome.rows
    assert outcome.state == {}  # where the window began: at no cursor
    assert "Users moved between pages in each of 5 passes" in outcome.log
    assert evasive.pages_asked().count(1) == 5
    evasive.before_answer = None
    assert len(project.sync(evasive).rows) == 10


def test_a_cursor_that_is_held_back_is_the_one_it_was(project, evasive):
    stored = {"last_sync_time": text(NOON - timedelta(days=9))}
    outcome = project.sync(evasive, state=stored)
    assert "stays where it was" in outcome.log and outcome.state == stored


@pytest.mark.parametrize("order", ["storage", "id"])
def test_users_who_stand_twice_in_the_source_do_not_hold_it_back(project, api, order):
    """The same rows in the same order twice: the source is stable, and its duplicates its own."""
    api.users = [*users(150), *users(150)[:60]]
    api.order = order
    outcome = project.sync(api)
    assert len(outcome.rows) == 150
    assert outcome.cursor == api.users[149]["updated_at"]
    assert api.pages_asked().count(1) == (2 if order == "storage" else 1)


def test_a_user_who_stands_twice_on_one_page_is_no_sign_of_a_move(project, api):
    api.order = "storage"
    api.users = [*users(50), *users(50), *users(150)[50:]]
    project.sync(api)
    assert api.pages_asked().count(1) == 1


@pytest.mark.parametrize("order", ["updated_at", "-updated_at", "id", "storage"])
def test_users_hired_during_the_pass_cost_nobody(project, api, order):
    api.users, api.order = users(250), order
    api.before_page[2] = lambda api: api.insert(user(0, api.clock), 0)
    api.before_page[3] = lambda api: api.insert(user(999, api.clock))
    project.sync(api)
    assert len(project.sync(api).rows) == 252


def test_the_memory_of_a_sync_ends_with_it(project, api):
    """Delivered rows are remembered for one sync: the next must deliver a row again if asked."""
    api.users = users(150)
    project.sync(api)
    outcome = project.sync(api, state={})
    assert "Synced 150 users" in outcome.log
