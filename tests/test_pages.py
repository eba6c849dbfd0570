"""Where a pass ends, and in which pages it is read: whatever the API does, nobody is cut off."""

import threading
from datetime import timedelta
from functools import partial

import pytest

import connector
from fake_awardco import (
    FAILURES,
    NOON,
    PAGE_PARAM,
    PAST_END,
    UPDATED_SINCE,
    Fault,
    listing,
    text,
    user,
    users,
)
from harness import UNPROVED


@pytest.fixture
def project(in_memory):
    return in_memory


ORDERS = ["storage", "updated_at", "-updated_at", "id"]
LAST_WEEK = NOON - timedelta(days=9)


def change(api, count, newest=NOON - timedelta(days=1)):
    """Let the first `count` users change, each a minute after the one before."""
    for number in range(1, count + 1):
        changed_at = newest - timedelta(minutes=count - number)
        api.change(f"E{number:05d}", updated_at=changed_at.isoformat(), balance=0.5)


def changed(outcome) -> int:
    return sum(row["balance"] == 0.5 for row in outcome.rows.values())


# --- one reader


def test_a_page_is_asked_for_only_when_the_one_before_it_has_been_answered(
    project, api, monkeypatch
):
    """Each page is answered once the one before it has been delivered, and not before."""
    api.users, api.page_cap, happened = users(550), 100, []
    gates, checkpoint = {page: threading.Event() for page in range(1, 8)}, connector.op.checkpoint
    closed = iter(gates.values())
    next(closed).set()  # there is no page before the first

    def delivered(state):
        checkpoint(state=state)
        next(closed, threading.Event()).set()

    def answer(page, _):
        happened.append(f"{page} answered")

    monkeypatch.setattr(connector.op, "checkpoint", delivered)
    api.before_answer = lambda page: happened.append(f"{page} asked for")
    for page, gate in gates.items():
        api.faults.append(Fault(page, kind="late", gate=gate, hook=partial(answer, page)))
    assert len(project.sync(api).rows) == 550
    expected = [f"{page} {what}" for page in gates for what in ("asked for", "answered")]
    assert happened[: len(expected)] == expected


def test_while_the_destination_takes_a_page_the_next_one_is_on_its_way(project, api, monkeypatch):
    api.users, api.page_cap = users(350), 100
    asked, upsert = {page: threading.Event() for page in range(1, 7)}, connector.op.upsert
    api.before_answer = lambda page: asked[page].set()
    ahead = []

    def slowly(table, data):
        page, row = divmod(int(data["employeeId"][1:]) - 1, 100)
        if row == 0:
            ahead.append(asked[page + 2].wait(5))
        upsert(table, data)

    monkeypatch.setattr(connector.op, "upsert", slowly)
    project.sync(api)
    assert ahead == [True] * 4


def test_operations_and_checkpoints_stay_on_the_thread_of_the_sync(project, api, monkeypatch):
    api.users, api.page_cap, threads = users(250), 100, set()
    for name in ("upsert", "checkpoint"):
        operation = getattr(connector.op, name)

        def noted(operation=operation, **arguments):
            threads.add(threading.get_ident())
            operation(**arguments)

        monkeypatch.setattr(connector.op, name, noted)
    project.sync(api)
    assert threads == {threading.get_ident()}


def test_a_sync_that_fails_does_not_wait_for_the_page_that_is_on_its_way(
    project, api, monkeypatch
):
    """Page 2 takes minutes when the destination refuses page 1."""
    api.users, api.page_cap, gate, answered = users(350), 100, threading.Event(), []
    api.faults = [Fault(page=2, kind="late", gate=gate, hook=answered.append)]

    def full(table, data):
        raise OSError("No space left on device")

    monkeypatch.setattr(connector.op, "upsert", full)
    monkeypatch.setattr("harness.wait_for_pages", lambda: None)
    assert project.sync(api).failed and answered == []
    gate.set()


# --- full, short and empty pages


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350, 999, 1000, 1001, 2000])
def test_pages_that_are_exactly_full_lose_nobody(project, api, count):
    api.users = users(count)
    assert len(project.sync(api).rows) == count


@pytest.mark.parametrize("count, asked", [(0, [1, 2]), (9, [1, 2]), (10, [1, 2, 3, 2])])
def test_a_window_of_fewer_users_than_any_cap_costs_two_requests(project, api, count, asked):
    api.users = users(count)
    project.sync(api)
    assert api.pages_asked() == asked


@pytest.mark.parametrize("strict", [False, True])
def test_a_sync_with_nothing_new_costs_two_requests(project, api, strict):
    api.users, api.strict = users(500), strict
    project.sync(api)
    api.requests.clear()
    outcome = project.sync(api)
    found = "0 users from 0 pages" if strict else "1 user from 1 page"
    assert f"Synced {found}" in outcome.log and api.pages_asked() == [1, 2]


@pytest.mark.parametrize("count", [0, 1, 15])
def test_a_sync_with_nothing_new_costs_at_most_six_requests_where_its_end_is_a_refusal(
    project, api, count
):
    api.users, api.past_end = users(500), "404"
    since = text(NOON - timedelta(days=2, minutes=count - 1))
    outcome = project.sync(api, state={"last_sync_time": since})
    assert len(outcome.rows) == count and len(api.requests) <= 6


EMPTY = {"status": 200, "body": listing([])}


@pytest.mark.parametrize("past_end", ["[]", "404", "null"])
@pytest.mark.parametrize(
    "cap, pages, page",
    [(100, 9, 1), (100, 9, 2), (100, 9, 4), (100, 9, 9), (50, 4, 2), (10, 4, 2), (1000, 2, 2)],
)
def test_a_page_that_is_empty_for_a_moment_costs_nobody(project, api, cap, pages, page, past_end):
    """A hiccup on page 4 of 9 would cost 600 users if it ended the pass, else those of page 4."""
    api.users, api.page_cap, api.past_end = users(cap * pages), cap, past_end
    api.faults = [Fault(page=page, **EMPTY)]
    outcome = project.sync(api)
    assert len(outcome.rows) == cap * pages and outcome.cursor


@pytest.mark.parametrize("page", [2, 3, 4])
def test_a_page_that_has_users_when_it_is_asked_again_costs_no_second_pass(project, api, page):
    """Page 4 is the last, and the one after it is empty too: only page 4 itself tells."""
    api.users, api.page_cap = users(350), 100
    api.faults = [Fault(page=page, **EMPTY)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and api.pages_asked().count(1) == 1


@pytest.mark.parametrize("cap", [100, 25])
def test_a_page_that_is_always_empty_holds_the_cursor_back(project, api, cap):
    """Users of page 4 are met on other pages of the second pass, but then others are not."""
    api.users, api.page_cap = users(cap * 9), cap
    api.faults = [Fault(page=4, times=999, **EMPTY)]
    outcome = project.sync(api)
    assert len(outcome.rows) == cap * 9 or outcome.cursor is None


def test_a_gap_is_not_whole_although_as_many_rows_came_as_users_are_known(project, api):
    """E00201 moves onto page 2 while it is read as empty, and page 3 lacks nobody it knows."""
    api.users, api.page_cap = users(350), 100
    api.faults = [Fault(page=2, times=2, **EMPTY)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and "Reading again, pass 2" in outcome.log


def test_users_who_were_there_while_the_end_was_looked_for_are_looked_for_again(project, api):
    """Page 3 is empty, page 4 has users, and then it is empty too."""
    api.users, api.page_cap = users(350), 100

    def hide(page):
        if len(api.requests) in (3, 5, 6, 8):
            api.faults.append(Fault(page=page, **EMPTY))

    api.before_answer = hide
    outcome = project.sync(api)
    assert api.pages_asked()[:8] == [1, 2, 3, 4, 3, 4, 5, 4] and len(outcome.rows) == 350


# --- what APIs give past the end


@pytest.fixture(params=PAST_END)
def past_end(request, api):
    api.past_end, api.signed = request.param, True
    return request.param


@pytest.mark.parametrize("cap", [100, 1000])
def test_a_first_sync_ends_however_the_api_says_so(project, api, past_end, cap):
    # Of an API that gives page 1 for others, nobody can read more.
    api.users, api.page_cap = users(350), 1000 if past_end == "page 1" else cap
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed, outcome.log
    assert outcome.cursor == api.users[-1]["updated_at"]
    assert len(api.requests) <= 20 and "there may be more" not in outcome.log


@pytest.mark.parametrize("count", [1, 40, 250])
def test_an_incremental_sync_ends_however_the_api_says_so(project, api, past_end, count):
    api.users = users(350, LAST_WEEK)
    first = project.sync(api).cursor
    change(api, count)
    outcome = project.sync(api)
    assert changed(outcome) == count and not outcome.failed, outcome.log
    assert outcome.cursor > first


def test_a_page_of_250_changes_is_not_taken_for_a_cap(project, api):
    """Every page is the same, since the API has none and gives all that changed."""
    api.users, api.past_end, api.strict = users(350, LAST_WEEK), "page 1", True
    project.sync(api)
    change(api, 250)
    outcome = project.sync(api)
    assert changed(outcome) == 250 and not outcome.failed, outcome.log


def test_a_sync_that_finds_nobody_ends_well_however_the_api_says_so(project, api, past_end):
    api.users, api.strict = users(150, LAST_WEEK), True
    first = project.sync(api)
    outcome = project.sync(api)
    assert not outcome.failed and outcome.state == first.state, outcome.log
    assert "Synced 0 users" in outcome.log


def test_an_outage_at_the_end_is_waited_for(project, api, past_end):
    api.users = users(350)
    api.faults = [Fault(page=page, times=2, status=503) for page in (2, 3)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed, outcome.log


def test_a_last_page_that_comes_in_another_order_each_time_is_the_end(project, api):
    """Its users have one timestamp."""
    same = NOON - timedelta(days=3)
    api.users = [user(n, same) for n in range(1, 31)]
    api.past_end, api.unstable_ties = "last page", True
    outcome = project.sync(api)
    assert len(outcome.rows) == 30 and not outcome.failed and len(api.requests) < 10


@pytest.mark.parametrize("hiccup", [None, {"status": 404}, EMPTY])
def test_a_last_page_of_one_user_who_moved_there_from_page_1_tells_of_a_missed_one(
    project, api, hiccup
):
    """301 users: E00001 changes after page 1, so E00101 and E00201 move to pages already read, and
    page 4 holds E00001 alone, whom the pass has met; it may be refused or empty at first."""
    api.users, api.page_cap = users(301), 100
    api.before_page[2] = lambda api: api.change("E00001", balance=0.5)
    api.faults = [Fault(page=4, **hiccup)] if hiccup else []
    outcome = project.sync(api)
    assert len(outcome.rows) == 301 and outcome.rows["E00001"]["balance"] == 0.5


@pytest.mark.parametrize("cap", [100, 1000])
def test_a_full_read_that_is_cut_off_moves_the_cursor_and_is_not_complete(project, api, cap):
    """Many an API reaches no deeper than 10,000 users, and would never become incremental."""
    api.users, api.page_cap = users(11 * cap), cap
    api.depth, api.past_end = 10 * cap, "400"
    outcome = project.sync(api)
    assert outcome.cursor == api.users[10 * cap - 1]["updated_at"]
    assert outcome.state["last_full_sync"] and "users" not in outcome.state
    told, _ = outcome.log_lines("The users end at a full page, so there may be more: Page 11")
    assert "HTTP 400" in told and "Invalid page." in told


def test_a_sync_of_changes_that_is_cut_off_moves_no_cursor(project, api):
    """An API that refused three requests in ten ended a sync after 199 of 301 changes."""
    api.users, api.page_cap = users(350, LAST_WEEK), 100
    before = project.sync(api).state
    change(api, 301)
    api.past_end, api.depth = "404", 200
    outcome = project.sync(api)
    assert changed(outcome) == 199 and outcome.state == before
    assert outcome.log_lines("The users end at a full page, so there may be more: Page 5")
    api.depth = None
    outcome = project.sync(api)
    assert changed(outcome) == 301 and outcome.cursor > before["last_sync_time"]


@pytest.mark.parametrize("cap, more", [(100, {}), (87, {"hasMore": True})])
def test_a_refusal_after_a_first_page_as_full_as_a_usual_cap_is_no_end(project, api, cap, more):
    """The API refuses page 2, in any size. Or page 1 says that it is there."""
    api.users, api.page_cap, api.depth, api.past_end = users(350), cap, cap, "404"
    api.with_total = lambda body, since: {**body, **more}
    outcome = project.sync(api)
    assert outcome.state == UNPROVED and not outcome.failed
    assert outcome.log_lines("Users may be missing: no pass was whole")
    assert "every page is page 1" not in outcome.log


def test_an_empty_page_that_says_there_is_more_is_not_a_full_one(project, api):
    """As in each idle sync of an API that always says so, and refuses page 2."""
    api.users, api.past_end = users(1), "404"
    project.sync(api)
    api.faults = [Fault(times=9, page=1, status=200, body=listing([], hasMore=True))]
    outcome = project.sync(api)
    assert "0 users" in outcome.log and "Users may be missing" not in outcome.log


def test_a_refusal_after_a_short_page_that_says_there_is_more_may_be_no_end(project, api):
    api.users, api.page_cap, api.past_end = users(187), 100, "404"
    api.with_total = lambda body, since: {**body, "hasMore": True}
    outcome = project.sync(api)
    assert outcome.log_lines("The users end at a full page, so there may be more: Page 3")
    assert outcome.cursor and "users" not in outcome.state


# --- refusals and errors that are not the end


REFUSALS = {
    "404": {"status": 404},
    "204": {"status": 204},
    "null": {"status": 200, "body": listing(None)},
}
each_refusal = pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)


@each_refusal
def test_one_page_refused_while_its_neighbours_answer_is_an_error(project, api, refusal):
    api.users, api.page_cap = users(450), 100
    api.faults = [Fault(page=3, times=99, **refusal)]
    outcome = project.sync(api)
    assert outcome.failed and len(outcome.rows) == 200 and outcome.cursor is None
    (told,) = [line for line in outcome.log.splitlines() if line.startswith("Page 3 of")]
    assert "base_url" not in told and "the pages before were answered" in told
    api.faults = []
    assert len(project.sync(api).rows) == 450


@each_refusal
def test_a_refusal_is_looked_into_even_where_page_1_brought_a_few_users(project, api, refusal):
    api.users, api.page_cap = users(40), 9
    api.faults = [Fault(page=2, **refusal)]
    assert len(project.sync(api).rows) == 40


@each_refusal
@pytest.mark.parametrize("past_end", ["404", "[]"])
def test_a_route_that_is_gone_for_some_seconds_is_not_the_end(project, api, refusal, past_end):
    """Every request is refused from page 3 on."""
    api.users, api.page_cap, api.past_end = users(450), 100, past_end
    api.before_page[3] = lambda api: api.faults.append(Fault(times=99, **refusal))
    outcome = project.sync(api)
    assert outcome.failed and outcome.cursor is None
    api.faults = []
    assert len(project.sync(api).rows) == 450


def test_a_user_hired_while_the_end_is_looked_for_does_not_end_the_sync(project, api):
    """In small pages. Page 5 is refused, as past the end, and holds a user when asked again."""
    api.users, api.past_end, api.accepts = users(400), "404", lambda per_page: per_page <= 100
    api.before_page[6] = lambda api: api.insert(user(999, api.clock))
    outcome = project.sync(api)
    assert len(outcome.rows) == 401 and not outcome.failed, outcome.log


@pytest.mark.parametrize("refused", [1, 2])
def test_a_route_that_comes_back_while_the_end_is_looked_for_is_not_the_end(project, api, refused):
    """404 to page 3, and perhaps to page 4; then page 1 and page 3 are answered."""
    api.users, api.page_cap, api.past_end = users(450), 100, "404"
    api.before_page[3] = lambda api: api.faults.append(Fault(times=refused, status=404))
    outcome = project.sync(api)
    assert len(outcome.rows) == 450, outcome.log


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("page", [1, 2, 3, 5])
def test_an_error_in_a_200_is_never_the_end(project, api, failure, page):
    """450 users on five pages, and from one page on the API says in a 200 that it failed."""
    api.users, api.order, api.page_cap = users(450), "-updated_at", 100
    api.fails_from, api.failure = page, failure
    outcome = project.sync(api)
    assert outcome.failed and outcome.cursor is None
    assert len(outcome.rows) == 100 * (page - 1)
    api.fails_from = None
    assert len(project.sync(api).rows) == 450


def test_an_error_in_a_200_past_the_end_names_the_place_to_change(project, api):
    """If that is how an API ends its list, every sync fails; nobody can tell it from a fault."""
    api.users, api.page_cap, api.fails_from = users(150), 100, 3
    outcome = project.sync(api)
    assert outcome.failed and "tells_error()" in outcome.log
    assert "directory service unavailable" in outcome.log


def test_an_outage_while_the_end_is_looked_for_is_no_refusal(project, api):
    """404 once to page 3, and 503 when page 1 and then page 3 itself are asked for again."""
    api.users, api.page_cap, api.past_end = users(450), 100, "404"
    outages = [Fault(page=page, times=0, status=503) for page in (1, 3)]

    def begin(api):
        api.faults = [Fault(page=3, status=404), *outages]
        for outage in outages:
            outage.times = 2

    api.before_page[3] = begin
    assert len(project.sync(api).rows) == 450


# --- the filter refused

REFUSED_FILTERS = {
    "too old": (400, {"message": "updated_since must not be older than 90 days"}),
    "gone": (410, {"errors": [{"detail": "older than 90 days"}]}),
    "notation": (422, {"error": {"message": "use YYYY-MM-DD"}}),
    "in a 200": (200, {"success": False, "message": "unknown filter"}),
    "by a fault of the server": (500, {"message": "cannot parse"}),
}


@pytest.mark.parametrize("refusal", REFUSED_FILTERS.values(), ids=REFUSED_FILTERS)
def test_a_filter_that_the_api_refuses_means_everybody_is_read_and_reported(project, api, refusal):
    api.users = users(350, LAST_WEEK)
    first = project.sync(api)
    api.filter_takes, api.filter_refusal = lambda since: False, refusal
    change(api, 40)
    outcome = project.sync(api)
    assert changed(outcome) == 40 and outcome.cursor > first.cursor, outcome.log
    told = outcome.log_lines(f"refuses the filter `{UPDATED_SINCE}`, so everybody was read:")
    reason = ("90 days", "YYYY-MM-DD", "unknown filter", "cannot parse")
    assert len(told) == 2 and any(text in told[0] for text in reason)


def test_an_outage_of_page_1_is_no_refusal_of_the_filter(project, api):
    """Two attempts in a large page and eight in a small one fail: ten 503s."""
    api.users = users(350, LAST_WEEK)
    before = project.sync(api).state
    change(api, 40)
    api.faults, api.requests = [Fault(times=10, status=503)], []
    outcome = project.sync(api)
    assert changed(outcome) == 40 and outcome.state == {**before, "last_sync_time": outcome.cursor}
    assert [since for _, since in api.requests].count(None) == 1  # to compare
    assert "refuses the filter" not in outcome.log


def test_a_filter_that_is_answered_once_and_then_no_more_is_an_error(project, api):
    """Not everybody, again and again: only the request that compares is answered."""
    api.users, state = users(350, LAST_WEEK), {"last_sync_time": "2026-01-01T00:00:00Z"}

    def fail(page):
        is_compared = api.requests[-2:-1] == [(1, None)]
        fails = api.requests[-1][1] and not is_compared and len(api.requests) < 99
        api.faults = [Fault(status=503)] if fails else []

    api.before_answer = fail
    outcome = project.sync(api, state=state)
    assert outcome.failed and "HTTP 503" in outcome.log and outcome.state == state


def test_a_filter_that_is_refused_costs_nobody_who_has_no_time(project, api):
    api.users = [user(999), *users(40, LAST_WEEK)]
    state = {"last_sync_time": "2025-01-01T00:00:00Z"}
    api.filter_takes = lambda since: False
    assert "E00999" in project.sync(api, state=state).rows


@pytest.mark.parametrize("past_end", ["null", "no users", "204"])
def test_an_api_that_never_answers_with_users_is_an_error_with_a_filter_too(
    project, api, past_end
):
    api.past_end = past_end
    outcome = project.sync(api, state={"last_sync_time": "2026-01-01T00:00:00Z"})
    assert outcome.failed and "Page 1 of the users could not be read" in outcome.log


@each_refusal
def test_a_refusal_of_page_1_is_an_error_where_there_is_no_filter(project, api, refusal):
    api.users = users(3)
    api.faults = [Fault(page=1, times=99, **refusal)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.state == {}


# --- pages that repeat


@pytest.mark.parametrize("past_end", ["[]", "404"])
@pytest.mark.parametrize("cap", [1, 10])
def test_rows_that_move_down_by_exactly_a_page_are_not_the_end(project, api, cap, past_end):
    """As many users are hired between two requests as a page holds: page 2 is page 1 again."""
    api.users, api.order, api.page_cap = users(22), "-updated_at", cap
    api.past_end = past_end

    def hire(api):
        for number in range(100, 100 + cap):
            api.insert(user(number, api.clock))

    api.before_page[2] = hire
    outcome = project.sync(api)
    assert {row["employeeId"] for row in api.users[:22]} <= set(outcome.rows)


def test_rows_that_move_down_by_exactly_a_page_twice_in_a_row_are_not_the_end(project, api):
    """Pages 6 and 7 both hold the user of page 5, and page 6, asked again, the one of page 4."""
    api.users, api.order, api.page_cap = users(13), "-updated_at", 1
    for page in (6, 7):
        api.before_page[page] = lambda api: api.insert(user(100 + len(api.users), api.clock))
    project.sync(api)
    assert len(project.sync(api).rows) == 15


def test_a_guest_with_a_link_that_is_signed_anew_does_not_make_pages_endless(project, api):
    """The last page comes for every number, and a row without a key looks new each time."""
    api.users, api.page_cap, api.past_end = users(250), 100, "last page"
    api.users[240]["employeeId"], api.signed, api.order = "", True, "storage"
    api.before_answer = lambda page: page > 20 and setattr(api, "past_end", "[]")
    outcome = project.sync(api)
    assert len(outcome.rows) == 249 and len(api.requests) < 10
    assert outcome.log_lines("1 user without a usable employeeId, skipped")


def test_pages_of_guests_without_any_declared_field_are_not_the_same_page(project, api):
    """Three in a row that look alike would be the end, and cost those who follow them."""
    guests = [{"id": number} for number in range(40)]
    api.users, api.page_cap, api.order = [*users(30), *guests, *users(60)[30:]], 10, "storage"
    outcome = project.sync(api)
    assert len(outcome.rows) == 60 and outcome.log_lines("40 users without a usable employeeId")


def test_an_api_that_goes_around_shares_no_identifier(project, api):
    """Past the end page 1 comes again: nobody is there twice."""
    api.users, api.page_cap, api.past_end = users(350), 100, "around"
    outcome = project.sync(api)
    assert outcome.cursor and "share an employeeId" not in outcome.log


def test_hires_do_not_make_pages_endless_where_the_last_page_comes_for_every_number(project, api):
    """Somebody is hired before each request, so no page is like the one before it."""
    api.users, api.page_cap, api.past_end = users(250), 100, "last page"
    numbers = iter(range(1000, 2000))
    api.before_answer = lambda page: page < 200 and api.insert(user(next(numbers), NOON))
    outcome = project.sync(api)
    assert not outcome.failed and max(api.pages_asked()) < 60
    api.before_answer = None
    assert len(project.sync(api).rows) == len(api.users)


@pytest.mark.parametrize("past_end", ["[]", "404", "last page"])
def test_a_user_hired_onto_the_last_page_before_it_repeats_is_found(project, api, past_end):
    api.users, api.page_cap, api.past_end = users(250), 100, past_end
    api.before_page[4] = lambda api: api.insert(user(999, api.clock))
    project.sync(api)
    assert "E00999" in project.sync(api).rows


def test_an_api_without_pages_that_gives_everybody_is_read_once(project, api):
    api.users, api.past_end, serve = users(80), "page 1", api.page
    api.page = lambda number, per_page, since: serve(number, 1000, since)
    outcome = project.sync(api)
    assert len(outcome.rows) == 80 and "pass 2" not in outcome.log
    assert outcome.cursor == api.users[-1]["updated_at"]


@pytest.mark.parametrize(
    "cap, count", [(100, 5000), (1000, 5000), (500, 5000), (50, 5000), (250, 800), (100, 101)]
)
def test_an_api_that_ignores_page_and_has_more_users_is_an_error(project, api, cap, count):
    """Every page is page 1, and full: it would be success with the first page of users."""
    api.users, api.page_cap, api.past_end = users(count), cap, "page 1"
    outcome = project.sync(api)
    assert outcome.failed
    assert f"The API ignores `{PAGE_PARAM}`" in outcome.log
    assert "set __PAGE_PARAM in connector.py" in outcome.log and outcome.state == {}


@pytest.mark.parametrize("cap", [100, 1000])
def test_an_api_that_ignores_page_is_an_error_in_an_incremental_sync_too(project, api, cap):
    """It had fewer users than its cap in the first sync."""
    api.users, api.page_cap, api.past_end = users(90, LAST_WEEK), cap, "page 1"
    first = project.sync(api).state
    for number in range(1000, 1000 + cap + 50):
        api.insert(user(number, NOON - timedelta(days=1)))
    outcome = project.sync(api)
    assert outcome.failed and outcome.state == first


@pytest.mark.parametrize("count, given", [(100, 100), (5000, 100), (450, 10)])
def test_an_api_that_ignores_page_and_size_is_reported_where_its_one_page_may_be_a_cap(
    project, api, count, given
):
    """It may want offset and limit, and gives 100 of 5,000; or it has just 100 users. Ten are the
    default of Awardco's other methods."""
    api.users, serve = users(count), api.page
    api.page = lambda number, per_page, since: serve(1, given, since)
    outcome = project.sync(api)
    assert len(outcome.rows) == given
    said = "no pass was whole (every page is page 1: check __PAGE_PARAM)"
    assert outcome.log_lines(said) and outcome.state == UNPROVED and not outcome.failed


@pytest.mark.parametrize("count", [100, 500, 1000, 3000])
def test_a_single_full_page_that_repeats_is_not_taken_for_an_api_that_ignores_page(
    project, api, count
):
    api.users, api.past_end = users(count), "last page"
    outcome = project.sync(api)
    assert len(outcome.rows) == count and outcome.cursor == api.users[-1]["updated_at"]
    assert "pass 3" not in outcome.log


# --- how many users a page


def test_large_pages_are_asked_for_from_the_start(project, api):
    api.users = users(2500)
    assert len(project.sync(api).rows) == 2500
    assert api.pages_asked() == [1, 2, 3, 4, 5, 4]  # page 4 is empty, and so is it once more
    assert set(api.sizes) == {1000}


@pytest.mark.parametrize("count", [80, 230, 1100])
@pytest.mark.parametrize("offset_from_asked", [False, True])
@pytest.mark.parametrize("cap", [33, 50, 100, 500])
def test_a_server_that_caps_pages_is_read_to_its_end(project, api, cap, offset_from_asked, count):
    """Some caps go with an offset counted from the number asked for, which skips users."""
    api.users, api.page_cap, api.offset_from_asked = users(count), cap, offset_from_asked
    outcome = project.sync(api)
    assert len(outcome.rows) == count and "pass 2" not in outcome.log
    assert outcome.cursor == api.users[-1]["updated_at"]


@pytest.mark.parametrize("cap", [10, 25, 100, 500, 730])
def test_the_number_that_page_1_brings_is_asked_for_from_then_on(project, api, cap):
    """This API counts its pages by what was asked for."""
    api.users, api.page_cap, api.offset_from_asked = users(2 * cap + 5), cap, True
    assert len(project.sync(api).rows) == 2 * cap + 5 and set(api.sizes[1:]) == {cap}


def test_a_window_that_grows_while_it_is_read_is_not_read_in_pages_of_one(project, api):
    """It held one change when a bulk job began that adds thousands."""
    api.users = users(1500)
    since = api.users[-1]["updated_at"]
    api.before_page[2] = lambda api: change(api, 1400)
    outcome = project.sync(api, state={"last_sync_time": since})
    assert changed(outcome) == 1400 and len(api.requests) < 20


@pytest.mark.parametrize("asked, brought", [(100, 97), (1000, 997), (1000, 733)])
def test_a_page_that_lacks_a_few_users_is_not_taken_for_a_cap(project, api, asked, brought):
    """The API hides those whom the key may not see. In pages of 97 it would overlap."""
    api.users, serve = users(3 * asked), api.page
    api.accepts = lambda per_page: per_page <= asked
    api.page = lambda page, per_page, since: (serve(page, per_page, since) or [])[:brought] or None
    project.sync(api)
    sizes = {size for page, size in zip(api.pages_asked(), api.sizes, strict=True) if page == 3}
    assert asked in sizes and brought not in sizes


def test_a_server_that_gives_more_than_was_asked_for_is_read_to_its_end(project, api):
    api.users, api.page_cap, serve = users(3200), 1500, api.page
    api.page = lambda page, per_page, since: serve(page, 1500, since)
    outcome = project.sync(api)
    assert len(outcome.rows) == 3200 and outcome.cursor and api.pages_asked().count(1) == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cap", [1, 7])
def test_a_server_that_gives_very_small_pages_is_read_to_its_end(project, api, cap, order):
    api.users, api.page_cap, api.order = users(22), cap, order
    assert len(project.sync(api).rows) == 22


@pytest.mark.parametrize("status, page", [(400, 2), (413, 1), (422, 1), (504, 1), (504, 3)])
def test_large_pages_that_fail_are_given_up_for_small_ones(project, api, status, page):
    """On whatever page, within the same sync: a gateway has its limit, page 3 is the heaviest."""
    api.users = users(1000 * page + 500)

    def fail(asked):
        heavy = asked == page and api.sizes[-1] > 100
        api.faults = [Fault(page=page, status=status, body={"message": "no"})] if heavy else []

    api.before_answer = fail
    outcome = project.sync(api)
    assert len(outcome.rows) == 1000 * page + 500 and not outcome.failed, outcome.log
    assert "Reading again in pages of 100 users: Page" in outcome.log


def test_page_1_of_a_large_size_is_tried_twice_only(project, api, clock):
    """A server that is too slow for it would take two minutes of every sync."""
    api.users, api.size_refusal = users(350), 504
    api.accepts = lambda per_page: per_page <= 100
    assert len(project.sync(api).rows) == 350
    assert api.sizes.count(1000) == 2 and len(clock.sleeps) == 1


LIMITS = {
    "429": {"status": 429},
    "429 with a wait": {"status": 429, "headers": {"Retry-After": "60"}},
    "403 with a wait": {"status": 403, "headers": {"Retry-After": "60"}},
    "503 with a wait": {"status": 503, "headers": {"Retry-After": "60"}},
}
each_limit = pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)


@each_limit
@pytest.mark.parametrize("page", [1, 2])
def test_a_rate_limit_does_not_send_a_sync_into_small_pages(project, api, limit, page):
    """They would make it worse: 205 requests for 20,000 users instead of 23."""
    api.users, api.faults = users(2000), [Fault(page=page, times=7, **limit)]
    assert len(project.sync(api).rows) == 2000
    assert set(api.sizes) == {1000} and len(api.requests) == 7 + 5


@each_limit
@pytest.mark.parametrize("page", [1, 2])
def test_a_rate_limit_that_lasts_is_an_error_after_all_attempts(project, api, limit, page):
    api.users, api.faults = users(2000), [Fault(page=page, times=99, **limit)]
    outcome = project.sync(api)
    last = outcome.log.splitlines()[-1]
    assert outcome.failed and f"HTTP {limit['status']}" in last and "sync less often" in last
    assert api.sizes == [1000] * (7 + page)


def test_a_rate_limit_at_the_last_attempt_of_a_large_page_is_waited_for(project, api, clock):
    api.users = users(2000)
    api.faults = [Fault(page=1, status=503), Fault(page=1, **LIMITS["503 with a wait"])]
    assert len(project.sync(api).rows) == 2000
    assert set(api.sizes) == {1000} and clock.sleeps[-1] == 60


def test_a_server_that_is_too_slow_for_large_pages_is_read_in_small_ones(
    project, api, monkeypatch
):
    monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (1, 0.3))
    api.users, api.latency_of = users(350), lambda per_page: 0.6 if per_page > 100 else 0.0
    assert len(project.sync(api).rows) == 350
    assert api.sizes[:3] == [1000, 1000, 100]


@pytest.mark.parametrize("count", [45, 350, 1350])
def test_a_server_that_takes_only_certain_sizes_is_read_although_users_move(project, api, count):
    """It refuses three quarters of a page."""
    api.users, api.accepts = users(count), lambda per_page: per_page in (25, 100, 1000)
    api.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert len(outcome.rows) == count and not outcome.failed, outcome.log
    project.sync(api)
    assert project.state()["last_sync_time"]


@pytest.mark.parametrize("past_end", ["[]", "404", "null"])
@pytest.mark.parametrize("count", [307, 1450])
def test_a_page_2_refused_for_a_moment_does_not_skip_users_of_a_capped_page(
    project, api, count, past_end
):
    """The API gives 100 but counts by what was asked for: page 2 of 1,000 begins at user 1,001."""
    api.users, api.page_cap, api.offset_from_asked = users(count), 100, True
    api.order, api.past_end, api.faults = "-updated_at", past_end, [Fault(page=2, status=404)]
    project.sync(api)
    assert len(project.sync(api).rows) == count


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_server_that_refuses_100_users_says_which_constant_to_lower(
    project, api, status, monkeypatch
):
    api.users, api.size_refusal = users(60), status
    api.accepts = lambda per_page: per_page <= 50
    outcome = project.sync(api)
    assert outcome.failed and "lower __SMALL_PAGE" in outcome.log
    monkeypatch.setattr(connector, "__SMALL_PAGE", 50)
    assert len(project.sync(api).rows) == 60


def test_a_server_that_changes_its_mind_about_large_pages_loses_nobody(project, api):
    """From page 3 on it gives 500 where it gave 1,000."""
    api.users = users(4500)
    api.before_page[3] = lambda api: setattr(api, "page_cap", 500)
    assert len(project.sync(api).rows) == 4500
