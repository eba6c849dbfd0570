"""Users who move between pages while these are read: who was missed is looked for again.

Nothing here is left to chance: each order of events that lost a user is scripted.
"""

import re
import threading
from datetime import timedelta
from random import Random

import pytest

from fake_awardco import NOON, Fault, instant, text, user, users

HOUR = timedelta(hours=1)
ORDERS = ["updated_at", "-updated_at", "id", "storage"]


def passes(outcome) -> int:
    return 1 + len(outcome.log_lines("Reading again, pass"))


# --- answers that overtake each other


@pytest.mark.parametrize("in_storage", [users(300), users(300)[::-1]], ids=["A to Z", "Z to A"])
@pytest.mark.parametrize("fault", [None, {"status": 503}])
def test_a_hire_between_two_answers_that_overtake_each_other_costs_nobody(
    project, api, in_storage, fault
):
    """Page 2 is slow, or fails once. If pages 3 and 4 are answered meanwhile, and then somebody is
    hired on page 2, who moves from there to page 3 is gone: no user comes twice."""
    api.users, api.order, api.page_cap = in_storage, "storage", 100
    overtaken, served, serve = threading.Event(), set(), api.page

    def page(number, per_page, since):
        found = serve(number, per_page, since)
        served.add(number)
        if {3, 4} <= served:
            overtaken.set()
        return found

    api.page = page
    late = Fault(2, kind="late", gate=overtaken, hook=lambda api: api.insert(user(900, NOON), 150))
    api.faults = [late] if fault is None else [Fault(page=2, **fault), late]
    project.sync(api)
    assert sorted(project.sync(api).rows) == [*(f"E{n:05d}" for n in range(1, 301)), "E00900"]


# --- rows that move


def test_a_row_that_moves_to_a_page_already_read_is_found(project, api):
    """E00010 changes after page 1: E00101 moves from page 2 to page 1, unseen."""
    api.users, api.page_cap = users(150), 100
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert "E00101" in outcome.rows and outcome.rows["E00010"]["balance"] == 0.5
    assert outcome.cursor == text(NOON - timedelta(days=2))


def test_a_row_that_moves_to_a_page_already_read_is_found_on_large_pages(project, api):
    api.users = users(1500)
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert "E01001" in outcome.rows and outcome.rows["E00010"]["balance"] == 0.5
    assert passes(outcome) == 2


def test_a_change_that_carries_an_earlier_time_costs_nobody(project, api):
    """Committed late: that its time lies before the pass began must not hide the move."""
    api.users, api.page_cap = users(150), 100
    late = text(NOON - timedelta(minutes=5))
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5, updated_at=late)
    assert len(project.sync(api).rows) == 150


def test_rows_without_an_order_that_move_are_found(project, api):
    api.users, api.order, api.page_cap = users(150), "storage", 100
    api.before_page[2] = lambda api: api.move("E00010", 149)
    outcome = project.sync(api)
    assert len(outcome.rows) == 150 and passes(outcome) == 2


@pytest.mark.parametrize("order", ORDERS)
def test_users_hired_during_the_pass_cost_nobody(project, api, order):
    api.users, api.order, api.page_cap = users(250), order, 100
    api.before_page[2] = lambda api: api.insert(user(0, api.clock), 0)
    api.before_page[3] = lambda api: api.insert(user(999, api.clock))
    project.sync(api)
    assert len(project.sync(api).rows) == 252


def always_changing(api):
    """With every request a user of page 1 changes."""
    numbers = iter(range(1, 10_000))

    def change(page):
        api.clock += timedelta(seconds=1)
        api.change(f"E{next(numbers):05d}", balance=0.5)

    return change


@pytest.mark.parametrize("order", ORDERS)
def test_a_busy_source_is_read_until_nobody_is_missing(project, api, order):
    api.users, api.order, api.page_cap = users(350), order, 100
    api.before_answer = always_changing(api)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350
    assert outcome.cursor is not None


def test_a_row_without_an_employee_id_that_moves_hides_nobody_else(project, api):
    """It is the one that comes twice, and has no identifier to tell."""
    api.users, api.page_cap, api.order = users(350), 100, "storage"
    api.users[5]["employeeId"] = ""
    api.before_page[3] = lambda api: api.move("", 349)
    assert len(project.sync(api).rows) == 349


def test_rows_without_an_employee_id_do_not_hold_the_cursor_back(project, api):
    api.users, api.page_cap = users(350), 100
    for number in (5, 105, 106):
        api.users[number]["employeeId"] = ""
    outcome = project.sync(api)
    assert len(outcome.rows) == 347 and passes(outcome) == 1
    assert outcome.cursor == api.users[-1]["updated_at"]


def test_a_row_without_an_employee_id_in_a_window_of_one_page_costs_no_second_pass(project, api):
    api.users = [*users(30), {**user(99), "employeeId": ""}]
    assert passes(project.sync(api)) == 1


def test_rows_without_an_employee_id_do_not_hold_a_busy_source_back(project, api):
    """Each pass brings the users in another order."""
    api.users, api.page_cap = users(350), 100
    api.users[105]["employeeId"] = api.users[106]["employeeId"] = ""
    api.before_answer = always_changing(api)
    outcome = project.sync(api)
    assert len(outcome.rows) == 348 and outcome.cursor is not None


# --- the same rows in another order on each page


@pytest.mark.parametrize("count, cap", [(300, 100), (2300, 1000)])
def test_ties_that_sort_differently_on_either_side_of_a_border_lose_nobody(
    project, api, count, cap
):
    """A bulk import: the users around the border have one timestamp, and the database sorts them
    one way on page 1 and another on page 2, each time alike. Five come twice and five never."""
    rows = users(count)
    for row in rows[cap - 5 : cap + 5]:
        row["updated_at"] = rows[cap]["updated_at"]
    api.users, api.page_cap, api.unstable_ties = rows, cap, True
    outcome = project.sync(api)
    assert len(outcome.rows) == count
    assert api.sizes.count(cap * 3 // 4) >= 3


def sort_as_postgresql(api, count: int, cap: int, share: float, sign: int, seed: int):
    """All were imported at once, and a share was changed in bulk later: two times in all."""
    api.users = [user(n, NOON - timedelta(days=9)) for n in range(count)]
    for row in Random(seed).sample(api.users, round(share * count)):
        row["updated_at"] = text(NOON - timedelta(days=1))
    api.page_cap, api.order = cap, "storage"
    api.sorted_by = lambda row: sign * instant(row["updated_at"]).timestamp()


def is_lost_in_silence(api, outcome, state: dict) -> bool:
    """Without a cap the third pass asks for all at once: no border, nobody lost."""
    says_so = "may be missing" in outcome.log and outcome.state == state
    return len(outcome.rows) < len(api.users) and not (says_so and api.page_cap == 100)


@pytest.mark.parametrize("state", [{}, {"last_sync_time": text(NOON - timedelta(days=9))}])
@pytest.mark.parametrize("count, cap", [(556, 100), (2600, 10_000)])
def test_users_whom_postgresql_hides_from_every_pass_are_not_lost_in_silence(
    in_memory, api, count, cap, state
):
    """It sorts ties one way up to the middle and another way beyond: pages of 100 and of 75 hide
    the same 156 of 556 users, and as many come twice."""
    sort_as_postgresql(api, count, cap, 0.28, 1, seed=1)
    outcome = in_memory.sync(api, state=state)
    assert not is_lost_in_silence(api, outcome, state)


@pytest.mark.parametrize("count, cap, sign", [(300, 100, -1), (2600, 10_000, 1)])
def test_a_user_who_comes_twice_in_every_pass_does_not_hide_another(
    in_memory, api, count, cap, sign
):
    """PostgreSQL's quicksort swaps the first of the ties with one in the middle. Pages of 100 and
    of 75 then show one user twice and another never, as if one had been hired twice."""
    lost = []
    for seed in range(4):
        sort_as_postgresql(api, count, cap, 0.5, sign, seed)
        in_memory.destination.rows.clear()
        outcome = in_memory.sync(api, state={})
        lost += [seed] if is_lost_in_silence(api, outcome, {}) else []
    assert lost == []


def test_a_cache_that_answers_each_address_for_two_minutes_hides_nobody(project, api):
    """It would show the second pass just what it showed the first."""
    api.users, api.page_cap, api.cache = users(350), 100, 120
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and outcome.rows["E00010"]["balance"] == 0.5
    assert passes(outcome) == 2


def test_a_source_without_any_order_comes_to_rest(project, api):
    api.users, api.order, api.page_cap = users(60), "shuffled", 20
    for _ in range(9):
        outcome = project.sync(api)
        if outcome.cursor:
            break
    assert len(outcome.rows) == 60 and outcome.cursor


# --- users who stand twice in the source


@pytest.mark.parametrize("order", ["storage", "updated_at", "-updated_at"])
def test_rehired_users_who_stand_twice_do_not_hold_the_cursor_back(project, api, order):
    api.users, api.order, api.page_cap = users(150), order, 100
    for n in range(1, 11):
        api.insert(user(n, NOON - timedelta(days=1, minutes=n)))
    outcome = project.sync(api)
    assert len(outcome.rows) == 150 and passes(outcome) == 2
    assert outcome.cursor == text(NOON - timedelta(days=1, minutes=1))


def test_a_rehired_user_and_changes_in_each_pass_still_become_incremental(project, api):
    api.users, api.order, api.page_cap = [*users(250), user(1, NOON)], "storage", 100
    numbers = iter(range(50, 250))

    def change(page):
        if page == 2:
            api.change(f"E{next(numbers):05d}", balance=0.5)

    api.before_answer = change
    outcome = project.sync(api)
    assert len(outcome.rows) == 250 and outcome.cursor
    assert "Incremental sync" in project.sync(api).log


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_rows_of_one_user_the_newer_is_kept(project, api, first):
    newer, older = text(NOON - timedelta(days=1)), text(NOON - timedelta(days=2))
    twice = {1: user(1, newer, balance=2.5), 2: user(1, older, balance=1.5)}
    between = users(120, NOON - timedelta(days=9))[1:]
    api.order, api.page_cap = "storage", 100
    api.users = [twice[first], *between, twice[3 - first]]
    assert project.sync(api).rows["E00001"]["balance"] == 2.5


def test_a_user_who_stands_twice_on_one_page_costs_no_second_pass(project, api):
    api.order, api.page_cap = "storage", 100
    api.users = [*users(50), *users(50), *users(150)[50:]]
    assert passes(project.sync(api)) == 1


def test_passes_that_are_alike_without_other_borders_prove_nothing(project, api):
    """The API takes no size but 100, and sorts ties in the same two ways in every pass."""
    rows = users(300)
    for row in rows[95:105]:
        row["updated_at"] = rows[100]["updated_at"]
    api.users, api.unstable_ties, api.accepts = rows, True, lambda per_page: per_page == 100
    outcome = project.sync(api)
    assert len(outcome.rows) == 295 and outcome.state == {}, outcome.log
    assert "Users may be missing: no pass was whole" in outcome.log


def test_a_few_rows_that_come_alike_twice_prove_nothing(project, api):
    """Six rows in the same order with other borders: a source without an order does that by
    chance, and F is in it too."""
    a, b, c, d, e = users(5)
    again = user(3, NOON)
    pages = {2: [[a, b], [c, d], [again, e]], 1: [[a], [b], [c], [d], [again], [e]]}

    def page(number, per_page, since):
        found = pages[1 if per_page == 1 else 2]
        return found[number - 1] if number <= len(found) else []

    api.page = page
    assert project.sync(api).state == {}


# --- what a second pass costs


def test_a_quiet_source_is_read_once(project, api):
    api.users, api.page_cap = users(350), 100
    assert passes(project.sync(api)) == 1
    assert api.pages_asked() == [1, 2, 3, 4, 5, 6, 5]


def test_a_window_of_one_page_is_read_once(project, api):
    api.users = users(30, NOON + timedelta(minutes=1))
    project.sync(api)
    assert api.pages_asked() == [1, 2, 3, 2]


def test_changes_in_an_order_of_identifiers_cost_no_second_pass(project, api):
    api.users, api.order, api.page_cap = users(350), "id", 100
    api.before_page[4] = lambda api: api.change("E00340", balance=0.5)
    outcome = project.sync(api)
    assert outcome.rows["E00340"]["balance"] == 0.5 and passes(outcome) == 1


def test_a_second_pass_delivers_only_what_the_first_did_not(project, api):
    api.users, api.page_cap = users(150), 100
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    log = project.sync(api).log
    assert "Synced 150 users" in log
    assert re.search(r"Upserts +\| 151 ", log)  # each once, and E00010 again as it changed


def test_a_second_pass_does_not_count_problems_twice(project, api):
    api.users, api.page_cap = [user(0, "Tuesday"), *users(150)], 100
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert passes(outcome) == 2 and "1 unreadable values of updated_at" in outcome.log


def test_a_user_who_has_no_time_is_delivered_once_a_sync(project, api):
    """Nothing tells whether the record has changed since: 30 users without one took 60 upserts."""
    api.users, api.page_cap = [*(user(n) for n in range(200, 230)), *users(150)], 100
    api.before_page[2] = lambda api: api.change("E00010")
    outcome = project.sync(api)
    assert passes(outcome) == 2 and re.search(r"Upserts +\| 181 ", outcome.log)


def test_what_a_sync_has_delivered_is_forgotten_with_it(project, api):
    """The next sync must deliver a row again if it is asked to."""
    api.users = users(150)
    project.sync(api)
    assert "Synced 150 users" in project.sync(api, state={}).log


# --- passes that are never whole


@pytest.fixture
def evasive(api):
    """A source in which E00001 is always on another page than the one that is asked for."""
    api.users, api.order, api.page_cap = users(10), "storage", 2
    api.before_answer = lambda page: api.move("E00001", 9 if page == 1 else 0)
    return api


def test_passes_that_are_never_whole_end_and_hold_the_cursor_back(project, evasive):
    outcome = project.sync(evasive)
    assert not outcome.failed and "E00001" not in outcome.rows
    assert outcome.state == {}  # where the window began: at no cursor
    assert "Users may be missing: no pass was whole" in outcome.log
    assert passes(outcome) == 5
    evasive.before_answer = None
    assert len(project.sync(evasive).rows) == 10


def test_a_cursor_that_is_held_back_stands_where_the_window_began(project, evasive):
    stored = {"last_sync_time": text(NOON - timedelta(days=9))}
    outcome = project.sync(evasive, state=stored)
    assert "stays where it was" in outcome.log and outcome.state == stored
