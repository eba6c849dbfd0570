"""Users who move between pages while these are read: who was missed is looked for again.

Nothing here is left to chance: each order of events that lost a user is scripted.
"""

import threading
from datetime import timedelta
from random import Random

import pytest

from fake_awardco import NOON, Fault, instant, text, user, users
from harness import UNPROVED

ORDERS = ["updated_at", "-updated_at", "id", "storage"]


@pytest.fixture
def project(in_memory):
    return in_memory


def passes(outcome) -> int:
    return 1 + len(outcome.log_lines("Reading again, pass"))


def upserts(project) -> int:
    return [what for what, _ in project.destination.operations].count("upsert")


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


@pytest.mark.parametrize("cap", [100, 1000])
def test_a_row_that_moves_to_a_page_already_read_is_found(project, api, cap):
    """E00010 changes after page 1: the first user of page 2 moves to page 1, unseen."""
    api.users, api.page_cap = users(cap + 50), cap
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert len(outcome.rows) == cap + 50 and outcome.rows["E00010"]["balance"] == 0.5
    assert outcome.cursor == text(NOON - timedelta(days=2)) and passes(outcome) == 2


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


def test_rows_without_an_employee_id_do_not_hold_the_cursor_back(project, api):
    api.users, api.page_cap = users(350), 100
    for number in (5, 105, 106):
        api.users[number]["employeeId"] = ""
    outcome = project.sync(api)
    assert len(outcome.rows) == 347 and passes(outcome) == 1
    assert outcome.cursor == api.users[-1]["updated_at"]


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
    says_so = "may be missing" in outcome.log and outcome.state == {**state, **UNPROVED}
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


def hide_at_each_border(api, rows):
    """As a database may sort users with one timestamp: the last is on no page, and the first comes
    in its place, unchanged. Only a page of all users has everybody."""
    api.users = rows
    hiding = [*rows[:-1], rows[0]]

    def page(number, per_page, since):
        shown = rows if per_page >= len(rows) else hiding
        return shown[(number - 1) * per_page : number * per_page] or None

    api.page = page


def test_a_user_whom_pages_of_every_size_hide_is_found_by_asking_for_all_at_once(project, api):
    hide_at_each_border(api, users(1200))
    outcome = project.sync(api)
    assert len(outcome.rows) == 1200 and outcome.cursor == api.users[-1]["updated_at"]
    assert passes(outcome) == 3 and max(api.sizes) == 2 * 1199


def test_no_more_than_10000_users_are_asked_for_at_once(project, api):
    hide_at_each_border(api, users(5100))
    assert len(project.sync(api).rows) == 5100 and max(api.sizes) == 10_000


def test_an_api_that_refuses_to_give_all_at_once_is_read_in_small_pages(project, api):
    hide_at_each_border(api, users(1200))
    api.accepts = lambda per_page: per_page <= 1000
    outcome = project.sync(api)
    assert len(outcome.rows) == 1199 and not outcome.failed and outcome.state == UNPROVED
    assert outcome.log_lines("Users may be missing: no pass was whole")


def test_a_record_that_comes_twice_unchanged_shows_that_another_never_came(project, api):
    """Two passes hide the same user and repeat the same one. A rehire has two records."""
    hide_at_each_border(api, users(300))
    api.signed, serve = True, api.page  # it comes with another link each time
    api.page = lambda page, per_page, since: serve(page, min(per_page, 100), since)
    outcome = project.sync(api)
    assert len(outcome.rows) == 299 and outcome.state == UNPROVED
    assert outcome.log_lines("Users may be missing: no pass was whole")
    assert "share an employeeId" not in outcome.log  # as of two records it would


def test_a_deletion_between_two_passes_does_not_make_up_for_a_hidden_user(project, api):
    """The second pass brings 299 rows, and 299 users are known: but one of them was deleted, as
    the API's total tells, one came twice, and a third on no page."""
    api.total, shown = "total", []

    def page(number, per_page, since):
        if number == 1:
            shown.append(users(300))
            if len(shown) > 1:
                api.users = shown[-1] = shown[-1][:149] + shown[-1][150:]
        hiding = [*shown[-1][:-1], shown[-1][0]]
        size = min(per_page, 100)
        return hiding[(number - 1) * size : number * size] or None

    api.users, api.page = users(300), page
    outcome = project.sync(api)
    assert "E00300" not in outcome.rows and outcome.state == UNPROVED
    assert outcome.log_lines("Users may be missing: no pass was whole")


def test_passes_that_hide_the_same_user_and_repeat_different_ones_prove_nothing(project, api):
    """E00101 moves from page 2 to page 1 in both. E00010 is met twice in the first pass and
    E00076 in the second, each changed meanwhile."""
    api.users, api.order, api.page_cap = users(300), "storage", 100
    moves = iter([("E00010", 299, "E00010"), ("E00101", 0, "E00076")])

    def move(page):
        moved, position, changed = next(moves, (None, 0, "")) if page == 2 else (None, 0, "")
        if moved:
            api.move(moved, position)
            api.change(changed, balance=0.5)

    api.before_answer = move
    outcome = project.sync(api)
    assert len(outcome.rows) == 300 and passes(outcome) == 3


def test_each_pass_has_borders_of_its_own(project, api):
    """Three quarters of the smallest size so far, even after the pass that asks for all."""
    api.users, api.order, api.page_cap = users(250), "storage", 100
    api.before_answer = lambda page: api.move("E00001", 249 if page == 1 else 0)
    assert passes(project.sync(api)) == 5
    first = [size for page, size in zip(api.pages_asked(), api.sizes, strict=True) if page == 1]
    later = [size for page, size in zip(api.pages_asked(), api.sizes, strict=True) if page == 2]
    assert first == [1000, 75, 498, 56, 42] and later == [100, 75, 100, 56, 42]


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


# --- what makes a pass doubtful


def test_a_short_page_in_the_middle_may_have_skipped_users(project, api):
    """Page 2 lacks 40 of its users once; as many rows come as users are known."""
    api.users, api.page_cap, serve = users(350), 100, api.page

    def page(number, *query):
        found = serve(number, *query)
        if number == 2:
            api.page = serve
            return found[:60]
        return found

    api.page = page
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and outcome.log_lines(
        "was short, but the page after it brought"
    )


def test_pages_that_are_always_short_hold_the_cursor_back_and_are_reported(project, api):
    """The API leaves out whom the key may not see, or skips users: nobody can tell."""
    api.users, api.page_cap, serve = users(350), 100, api.page
    api.page = lambda page, per_page, since: (serve(page, per_page, since) or [])[:-3]
    outcome = project.sync(api)
    assert outcome.state == UNPROVED and outcome.log_lines("no pass was whole (a page was short")


@pytest.mark.parametrize("order", ORDERS)
def test_a_user_deleted_while_pages_are_read_costs_nobody_else(project, api, order):
    """E00050 is deleted after page 1, which moves another user to it, unseen. The pages bring as
    many rows as users are known, but the API's own total falls from 450 to 449."""
    api.users, api.order, api.page_cap, api.total = users(450), order, 100, "total"
    gone = "E00400" if order == "-updated_at" else "E00050"
    api.before_page[2] = lambda api: api.delete(gone)
    outcome = project.sync(api)
    assert sorted(outcome.rows) == [f"E{n:05d}" for n in range(1, 451)]
    assert outcome.cursor == api.users[-1]["updated_at"]
    assert outcome.log_lines("Reading again, pass 2: the API's total fell")


@pytest.fixture
def remaining(api):
    """The API counts who remains: 450 on page 1, 350 on page 2."""
    api.users, api.page_cap, api.order = users(450), 100, "storage"

    def with_total(body, since):
        before = min(api.sizes[-1], 100) * (api.pages_asked()[-1] - 1)
        return {**body, "total": len(api.users) - before}

    api.with_total = with_total
    return api


def test_a_total_of_who_remains_is_no_fall(project, api, remaining):
    """It took 51 requests for 450 users in each sync, and no cursor was ever set."""
    outcome = project.sync(api)
    assert api.pages_asked() == [1, 2, 3, 4, 5, 6, 7, 6] and outcome.state["users"] == 450
    assert outcome.cursor == api.users[-1]["updated_at"]


@pytest.mark.parametrize("deleted", [1, 99, 120])
def test_a_total_of_who_remains_that_falls_by_more_than_a_page_tells_of_deletions(
    project, api, remaining, deleted
):
    """Who stood behind them has moved to pages that were already read."""
    api.before_page[3] = lambda api: [api.delete(f"E{n:05d}") for n in range(1, deleted + 1)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 450 and passes(outcome) == 2
    assert outcome.log_lines("Reading again, pass 2: the API's total fell")


TOTALS = """
total count totalCount total_users totalRecords TotalItems totalResults total-elements
totalEntries totalRows meta.total pagination.count paging.total page.totalElements
pageInfo.totalResults meta.pagination.total X-Total-Count
"""
OTHER_NUMBERS = """
summary.totalRecognitions summary.total totalPages totalPoints meta.totalPages stats.count
meta.stats.total X-Total counts
"""


@pytest.mark.parametrize("value", [53, "53", " 53 "], ids=repr)
@pytest.mark.parametrize("place", (TOTALS + OTHER_NUMBERS).split())
def test_a_total_is_found_where_apis_write_it_and_nowhere_else(project, api, place, value):
    """One that counts users whom the key may not see must be told, and any other number not: it
    kept anybody from being marked, and each sync made 27 requests in place of 6."""
    api.users = users(45)
    *outer, name = place.split(".")
    if place.startswith("X-"):
        api.sends = {place: str(value)}
    else:
        found = {name: value}
        for around in reversed(outer):
            found = {around: found}
        api.with_total = lambda body, since: {**body, **found}
    outcome = project.sync(api)
    said = outcome.log_lines("The API reports 53 users, but its pages brought 45")
    assert bool(said) == (place in TOTALS.split()) == ("users" not in outcome.state)


@pytest.mark.parametrize("value", [True, 53.0, "53.0", "5,300", "-53", None, [53], {"of": 53}])
def test_what_is_no_whole_number_is_no_total(project, api, value):
    api.users = users(45)
    api.with_total = lambda body, since: {**body, "total": value}
    assert project.sync(api).state["users"] == 45


def test_an_api_that_takes_out_who_left_after_it_has_cut_its_pages_is_told(project, api):
    """Pages 3 and 4 hold only users who left. It lost 250 of 450, who come after them."""
    api.users, api.order, api.page_cap, serve = users(450), "storage", 50, api.page

    def page(number, *query):
        found = serve(number, *query)
        return found and [row for row in found if not 100 < int(row["employeeId"][1:]) <= 200]

    api.page = page
    api.with_total = lambda body, since: {**body, "hasMore": api.pages_asked()[-1] < 9}
    outcome = project.sync(api)
    assert outcome.state == UNPROVED
    said = "no pass was whole (after the last page the API still says that there is more)"
    assert outcome.log_lines(said)


def test_a_total_that_grows_costs_no_second_pass(project, api):
    api.users, api.page_cap, api.total = users(250), 100, "total"
    api.before_page[3] = lambda api: api.insert(user(999, NOON))
    outcome = project.sync(api)
    assert len(outcome.rows) == 251 and passes(outcome) == 1


@pytest.mark.parametrize("total, passes_needed", [("count", 5), ("meta.total", 5), (None, 1)])
def test_changes_that_end_at_a_full_page_while_the_total_says_more_move_no_cursor(
    project, api, total, passes_needed
):
    """300 users changed; 100 of them come, and then an empty page."""
    api.users, serve, api.total = users(300), api.page, total
    since = api.users[0]["updated_at"]
    api.page = lambda page, per_page, since: serve(1, 100, since) if page == 1 else None
    outcome = project.sync(api, state={"last_sync_time": since})
    assert passes(outcome) == passes_needed and len(outcome.rows) == 100
    assert (outcome.cursor == since) == bool(total)


def test_a_total_that_is_no_larger_than_its_page_counts_that_page(project, api):
    """It falls with the last page, and says nothing about how many users there are."""
    api.users, api.page_cap = users(250), 100
    api.with_total = lambda body, since: {**body, "count": len(body["users"])}
    outcome = project.sync(api)
    assert len(outcome.rows) == 250 and passes(outcome) == 1 and outcome.state["users"] == 250


# --- users who stand twice in the source


def test_users_who_come_after_pages_of_known_ones_are_found(project, api):
    """300 users, a second record of each, then 50 others."""
    second = [user(n, NOON - timedelta(hours=n), balance=0.5) for n in range(1, 301)]
    others = [user(n, NOON - timedelta(days=3)) for n in range(301, 351)]
    api.users, api.order, api.page_cap = [*users(300), *second, *others], "storage", 100
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and passes(outcome) == 2
    assert outcome.rows["E00001"]["balance"] == 0.5
    assert outcome.cursor == second[0]["updated_at"]


def test_pages_of_known_users_without_end_are_given_up_and_reported(project, api):
    """The API mixes the same 300 users anew for each page number, whatever that is."""
    api.users, api.order = users(300), "shuffled"
    api.page = lambda page, *_: api.ordered()[:100] if page < 99 else None
    outcome = project.sync(api)
    assert outcome.state == UNPROVED and not outcome.failed and max(api.pages_asked()) < 20
    assert outcome.log_lines("the same users came again and again, without end")


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
    assert len(outcome.rows) == 295 and outcome.state == UNPROVED, outcome.log
    assert "Users may be missing: no pass was whole" in outcome.log


def test_a_cache_that_answers_an_api_of_one_size_proves_nothing(project, api):
    """Each pass gets the same answers: E00010 twice, as it was before and after a change, and
    E00101, who moved to page 1 meanwhile, never."""
    api.users, api.accepts, api.cache = users(350), lambda per_page: per_page == 100, 9999
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert "E00101" not in outcome.rows and outcome.state == UNPROVED
    api.cached.clear()
    assert len(project.sync(api).rows) == 350


def test_a_few_rows_that_come_alike_twice_prove_nothing(project, api):
    """15 users of 16 come, one of them twice, before a change and after: a source without an order
    shows a few users alike twice by chance."""
    api.users = [*users(15), user(3, NOON)]

    def page(number, per_page, since):
        size = min(per_page, 10)
        return api.users[(number - 1) * size : number * size] or None

    api.page = page
    outcome = project.sync(api)
    assert passes(outcome) == 5 and outcome.state == UNPROVED


# --- what a second pass costs


def test_a_quiet_source_is_read_once(project, api):
    api.users, api.page_cap = users(350), 100
    assert passes(project.sync(api)) == 1
    assert api.pages_asked() == [1, 2, 3, 4, 5, 6, 5]


def test_changes_in_an_order_of_identifiers_cost_no_second_pass(project, api):
    api.users, api.order, api.page_cap = users(350), "id", 100
    api.before_page[4] = lambda api: api.change("E00340", balance=0.5)
    outcome = project.sync(api)
    assert outcome.rows["E00340"]["balance"] == 0.5 and passes(outcome) == 1


def test_a_second_pass_delivers_only_what_the_first_did_not(project, api):
    api.users, api.page_cap = users(150), 100
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    assert "Synced 150 users" in project.sync(api).log
    assert upserts(project) == 151  # each once, and E00010 again as it changed


def test_a_second_pass_does_not_count_problems_twice(project, api):
    api.users, api.page_cap = [user(0, "Tuesday"), *users(150)], 100
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert (
        passes(outcome) == 2 and "1 unreadable value stored as null (updated_at: 1)" in outcome.log
    )


def test_a_user_who_has_no_time_is_delivered_once_a_sync(project, api):
    """Nothing tells whether the record has changed since: 30 users without one took 60 upserts."""
    api.users, api.page_cap = [*(user(n) for n in range(200, 230)), *users(150)], 100
    api.before_page[2] = lambda api: api.change("E00010")
    outcome = project.sync(api)
    assert passes(outcome) == 2 and upserts(project) == 181


# --- passes that are never whole


@pytest.fixture
def evasive(api):
    """A source in which E00001 is always on another page than the one that is asked for."""
    api.users, api.order, api.page_cap = users(10), "storage", 2
    api.before_answer = lambda page: api.move("E00001", 9 if page == 1 else 0)
    return api


@pytest.mark.parametrize("began", [{}, {"last_sync_time": text(NOON - timedelta(days=9))}])
def test_passes_that_are_never_whole_end_and_hold_the_cursor_back(project, evasive, began):
    outcome = project.sync(evasive, state=began)
    assert not outcome.failed and "E00001" not in outcome.rows
    assert outcome.state == {**began, **UNPROVED}  # where the window began
    assert "Users may be missing: no pass was whole" in outcome.log
    assert "stays where it was" in outcome.log and passes(outcome) == 5
    evasive.before_answer = None
    assert len(project.sync(evasive).rows) == 10
