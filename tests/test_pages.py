"""Where a pass ends, and in which pages it is read: whatever the API does, nobody is cut off."""

import threading
from datetime import timedelta

import pytest

import connector
from fake_awardco import NOON, PAST_END, Fault, user, users


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


def test_a_page_is_asked_for_only_when_the_one_before_it_has_been_answered(project, api):
    api.users, api.page_cap, answered = users(550), 100, []
    api.before_answer = lambda page: answered.append((page, under_way.acquire(blocking=False)))
    under_way, serve = threading.Lock(), api.page

    def slowly(*query):
        found = serve(*query)
        threading.Timer(0.02, under_way.release).start()
        return found

    api.page, api.latency = slowly, 0.03
    assert len(project.sync(api).rows) == 550
    assert [alone for _, alone in answered] == [True] * len(answered)


def test_while_the_destination_takes_a_page_the_next_one_is_on_its_way(project, api, monkeypatch):
    api.users, api.page_cap = users(350), 100
    asked, upsert = {page: threading.Event() for page in range(1, 7)}, connector.op.upsert
    api.before_answer = lambda page: asked[page].set()
    ahead = []

    def slowly(table, row):
        page = (int(row["employeeId"][1:]) - 1) // 100 + 1
        ahead.append(asked[page + 1].wait(5))
        upsert(table, row)

    monkeypatch.setattr(connector.op, "upsert", slowly)
    project.sync(api)
    assert ahead == [True] * 350


def test_no_page_further_ahead_is_asked_for(project, api, monkeypatch):
    api.users, api.page_cap, upsert = users(350), 100, connector.op.upsert
    furthest = {}

    def noted(table, row):
        upsert(table, row)
        page = (int(row["employeeId"][1:]) - 1) // 100 + 1
        furthest[page] = max(api.pages_asked())

    monkeypatch.setattr(connector.op, "upsert", noted)
    project.sync(api)
    assert all(asked <= page + 1 for page, asked in furthest.items())


def test_operations_and_checkpoints_stay_on_the_thread_of_the_sync(project, api, monkeypatch):
    api.users, api.page_cap, threads = users(250), 100, set()
    for name in ("upsert", "checkpoint"):
        operation = getattr(connector.op, name)

        def noted(*arguments, operation=operation):
            threads.add(threading.get_ident())
            operation(*arguments)

        monkeypatch.setattr(connector.op, name, noted)
    project.sync(api)
    assert threads == {threading.get_ident()}


# --- full, short and empty pages


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 350, 999, 1000, 1001, 2000])
def test_pages_that_are_exactly_full_lose_nobody(project, api, count):
    api.users = users(count)
    assert len(project.sync(api).rows) == count


def test_an_empty_source_leaves_no_cursor_and_costs_one_request(project, api):
    outcome = project.sync(api)
    assert outcome.state == {} and outcome.rows == {} and not outcome.failed
    assert len(api.requests) == 1


@pytest.mark.parametrize("count", [1, 99])
def test_a_window_of_fewer_than_100_users_costs_two_requests(project, api, count):
    api.users, api.strict = users(count), True
    project.sync(api)
    assert api.requests == [(1, None), (2, None)] and api.sizes == [100, 100]
    api.requests.clear()
    change(api, count)
    assert changed(project.sync(api)) == count
    assert api.pages_asked() == [1, 2]


def test_a_sync_with_nothing_new_costs_two_requests(project, api):
    api.users = users(500)
    project.sync(api)
    api.requests.clear()
    outcome = project.sync(api)
    assert "Synced 1 user from 1 page" in outcome.log  # the newest again: the filter is >=
    assert api.pages_asked() == [1, 2]


@pytest.mark.parametrize("order", ORDERS)
def test_a_short_page_with_more_after_it_is_not_the_end(project, api, order):
    """The server filters after paging: 3 of 300 changed, and each page holds one of them."""
    api.users, api.order = users(300, LAST_WEEK), order
    project.sync(api)
    api.filters_after_paging, api.order = True, "id"
    for number in (50, 150, 250):
        api.change(f"E{number:05d}", balance=0.5)
    outcome = project.sync(api)
    assert changed(outcome) == 3
    assert outcome.cursor == (NOON - timedelta(hours=1)).isoformat()[:19] + "Z"


def test_a_filter_after_paging_is_not_taken_for_a_cap(project, api):
    """Page 1 brings 10 users, as an API that gives no more would; asked for 10, it brings one."""
    api.users, api.order = users(300, LAST_WEEK), "id"
    project.sync(api)
    api.filters_after_paging = True
    for number in [*range(5, 100, 10), 205]:
        api.change(f"E{number:05d}", balance=0.5)
    assert changed(project.sync(api)) == 11


def test_a_page_that_is_empty_by_a_filter_after_paging_is_not_the_end(project, api):
    api.users, api.order = users(500, LAST_WEEK), "id"
    project.sync(api)
    api.filters_after_paging = True
    for number in (50, 150, 350, 450):  # and nobody on page 3
        api.change(f"E{number:05d}", balance=0.5)
    assert changed(project.sync(api)) == 4


@pytest.mark.parametrize("past_end", ["[]", "404", "null"])
@pytest.mark.parametrize(
    "cap, page", [(100, 2), (100, 4), (100, 9), (50, 2), (50, 3), (1000, 2), (1000, 9)]
)
def test_a_page_that_is_empty_for_a_moment_costs_nobody(project, api, page, cap, past_end):
    """A hiccup on page 4 of 9 would cost 600 users if it ended the pass, else those of page 4."""
    api.users, api.page_cap, api.past_end = users(cap * 9), cap, past_end
    api.faults = [Fault(page=page, status=200, body={"users": []})]
    assert len(project.sync(api).rows) == cap * 9


@pytest.mark.parametrize("cap", [100, 25])
def test_a_page_that_is_always_empty_is_told_and_holds_the_cursor_back(project, api, cap):
    """Users of page 4 are met on other pages of the second pass, but then others are not."""
    api.users, api.page_cap = users(cap * 9), cap
    api.faults = [Fault(page=4, times=999, status=200, body={"users": []})]
    outcome = project.sync(api)
    assert len(outcome.rows) == cap * 9 or outcome.cursor is None


def test_a_second_pass_that_ends_too_early_is_not_whole(project, api):
    """The first missed E00201. Page 2 of the second is empty for a moment, twice, and its page 1
    holds fewer than 100 users, as a small window does."""
    api.users, api.page_cap = users(450), 100
    api.before_page[3] = lambda api: api.change("E00010", balance=0.5)
    empty = Fault(page=2, times=0, status=200, body={"users": []})
    api.faults = [empty]

    def hide(page):
        if api.sizes[-1] == 99 and page == 2 and api.sizes.count(99) == 2:
            empty.times = 2

    api.before_answer = hide
    outcome = project.sync(api)
    assert "E00201" in outcome.rows or outcome.cursor is None


def test_a_page_1_that_is_empty_for_a_moment_does_not_make_a_resumed_sync_whole(project, api):
    api.users, api.page_cap = users(350), 100
    state = {"resume": {"updated_since": None, "page": 3, "per_page": 100}}
    api.faults = [Fault(page=1, status=200, body={"users": []})]
    assert len(project.sync(api, state=state).rows) == 350


# --- what APIs give past the end

EMPTY_WINDOWS = ["null", "no users", "204"]


@pytest.fixture(params=PAST_END)
def past_end(request, api):
    api.past_end, api.signed = request.param, True
    return request.param


@pytest.mark.parametrize("cap", [100, 1000])
def test_a_first_sync_ends_however_the_api_says_so(project, api, past_end, cap):
    api.users, api.page_cap = users(350), cap
    if past_end == "page 1" and cap == 100:
        pytest.skip("nobody can read more than page 1 of such an API")
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed, outcome.log
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}
    assert len(api.requests) <= 10


@pytest.mark.parametrize("count", [1, 40, 250])
def test_an_incremental_sync_ends_however_the_api_says_so(project, api, past_end, count):
    api.users = users(350, LAST_WEEK)
    project.sync(api)
    change(api, count)
    outcome = project.sync(api)
    assert changed(outcome) == count and not outcome.failed, outcome.log
    assert "resume" not in outcome.state


def test_a_sync_that_finds_nobody_ends_well_however_the_api_says_so(project, api, past_end):
    api.users, api.strict = users(150, LAST_WEEK), True
    first = project.sync(api)
    outcome = project.sync(api)
    assert not outcome.failed and outcome.state == first.state, outcome.log
    assert "Synced 0 users" in outcome.log


@pytest.mark.parametrize("page", [2, 3, 9])
def test_a_resumed_sync_ends_however_the_api_says_so(project, api, past_end, page):
    """Page 9 does not exist any more."""
    api.users = users(350)
    state = {"resume": {"updated_since": None, "page": page, "per_page": 100}}
    outcome = project.sync(api, state=state)
    assert len(outcome.rows) == 350 and not outcome.failed, outcome.log
    assert "resume" not in outcome.state


@pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "cut"}])
def test_an_outage_at_the_end_is_waited_for(project, api, past_end, fault):
    api.users = users(350)
    api.faults = [Fault(page=2, times=2, **fault)]
    api.faults += [Fault(page=page, times=2, **fault) for page in (1_000_002, 1)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed, outcome.log


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_broken_server_among_several_does_not_end_a_pass(project, api, times):
    """It answers 404 to page 3, whenever it is asked; past the end the others do so too."""
    api.users, api.page_cap, api.past_end = users(450), 100, "404"
    api.faults = [Fault(page=3, times=times, status=404)]
    assert len(project.sync(api).rows) == 450


@pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "reset"}])
def test_an_outage_while_the_end_is_looked_for_is_no_refusal(project, api, fault):
    """404 once to page 3, and 503 when page 1 and then page 3 itself are asked for again."""
    api.users, api.page_cap, api.past_end = users(450), 100, "404"
    outages = [Fault(page=page, times=0, **fault) for page in (1, 3)]

    def begin(api):
        api.faults = [Fault(page=3, status=404), *outages]
        for outage in outages:
            outage.times = 2

    api.before_page[3] = begin
    assert len(project.sync(api).rows) == 450


def test_a_lasting_outage_while_the_end_is_looked_for_ends_the_sync(project, api):
    api.users, api.page_cap, api.past_end = users(450), 100, "404"
    api.faults = [Fault(page=3, status=404), Fault(page=3, times=99, status=503)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.resume["page"] == 3


def test_a_page_that_is_always_refused_is_a_fault_where_a_far_page_fails(project, api):
    api.users, api.page_cap = users(900), 100
    api.faults = [Fault(page=5, times=99, status=200, body={"success": False})]
    api.faults += [Fault(page=1_000_005, times=99, status=504)]
    assert project.sync(api).failed


def test_a_last_page_that_comes_in_another_order_each_time_is_the_end(project, api):
    """Its users have one timestamp."""
    same = NOON - timedelta(days=3)
    api.users = [user(n, same) for n in range(1, 31)]
    api.past_end, api.unstable_ties = "last page", True
    outcome = project.sync(api)
    assert len(outcome.rows) == 30 and not outcome.failed and len(api.requests) < 10


@pytest.mark.parametrize("status", [500, 503])
def test_a_far_page_that_fails_is_refused_in_its_own_way(project, api, status):
    """Some databases do not reach so far, and fail."""
    api.users, api.past_end = users(350), "404"
    api.faults = [Fault(page=page + 1_000_000, times=99, status=status) for page in range(1, 9)]
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed


def test_an_outage_at_the_end_that_lasts_ends_the_sync_and_the_next_one_goes_on(
    project, api, past_end
):
    api.users = users(350)
    api.faults = [Fault(page=2, times=99, status=503)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.resume["page"] == 2
    api.faults = []
    assert len(project.sync(api).rows) == 350
    assert project.state() == {"last_sync_time": api.users[-1]["updated_at"]}


REFUSALS = {
    **{str(status): {"status": status} for status in (400, 404, 410, 416, 422, 204)},
    "null": {"status": 200, "body": {"users": None}},
    "success: false": {"status": 200, "body": {"success": False, "message": "No such page"}},
}
each_refusal = pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)


@each_refusal
def test_a_refusal_in_the_middle_is_an_error_and_not_the_end(project, api, refusal):
    """The far page is answered, so the refusal is not what comes past the end."""
    api.users, api.page_cap = users(450), 100
    api.faults = [Fault(page=3, times=99, **refusal)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.resume["page"] == 3 and len(outcome.rows) == 200
    (told,) = {line.partition("Page 3 of")[2] for line in outcome.log_lines("Page 3 of the users")}
    assert "base_url" not in told and "the pages before were answered" in told
    api.faults = []
    assert len(project.sync(api).rows) == 450


@each_refusal
@pytest.mark.parametrize("past_end", ["404", "[]"])
def test_a_route_that_is_gone_for_some_seconds_is_not_the_end(project, api, refusal, past_end):
    """Every request is refused for a while, also that for a far page."""
    api.users, api.page_cap, api.past_end = users(450), 100, past_end

    def disappear(api):
        api.faults = [Fault(times=99, **refusal)]

    api.before_page[3] = disappear
    outcome = project.sync(api)
    assert outcome.failed and outcome.resume["page"] == 3
    api.faults = []
    assert len(project.sync(api).rows) == 450


@pytest.mark.parametrize("refused", [1, 2])
def test_a_route_that_is_back_before_it_is_asked_again_brings_the_page(project, api, refused):
    """404 to page 3, and to the far page; page 1 is there again, and so is page 3."""
    api.users, api.page_cap, api.past_end = users(450), 100, "404"

    def disappear(api):
        api.faults = [Fault(times=refused, status=404)]

    api.before_page[3] = disappear
    assert len(project.sync(api).rows) == 450


@each_refusal
def test_a_refusal_of_page_1_is_an_error_where_there_is_no_filter(project, api, refusal):
    api.users = users(3)
    api.faults = [Fault(page=1, times=99, **refusal)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.state == {}


@pytest.mark.parametrize("past_end", EMPTY_WINDOWS)
def test_an_api_that_never_answers_with_users_is_an_error_with_a_filter_too(
    project, api, past_end
):
    api.past_end = past_end
    outcome = project.sync(api, state={"last_sync_time": "2026-01-01T00:00:00Z"})
    assert outcome.failed and "Page 1 of the users could not be read" in outcome.log


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


@pytest.mark.parametrize("past_end", ["[]", "404", "last page"])
def test_a_user_hired_onto_the_last_page_before_it_repeats_is_found(project, api, past_end):
    api.users, api.page_cap, api.past_end = users(250), 100, past_end
    api.before_page[4] = lambda api: api.insert(user(999, api.clock))
    project.sync(api)
    assert "E00999" in project.sync(api).rows


@pytest.mark.parametrize("count", [80, 250, 1000])
def test_an_api_that_ignores_page_and_gives_everybody_is_read_once(project, api, count):
    api.users, api.past_end, api.page_cap = users(count), "page 1", 5000
    api.accepts = lambda per_page: True
    serve = api.page
    api.page = lambda number, per_page, since: serve(number, 5000, since)
    outcome = project.sync(api)
    assert len(outcome.rows) == count or outcome.failed
    if count != 1000:
        assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


@pytest.mark.parametrize(
    "cap, count", [(100, 5000), (1000, 5000), (500, 5000), (50, 5000), (100, 101)]
)
def test_an_api_that_ignores_page_and_has_more_users_is_an_error(project, api, cap, count):
    """Every page is page 1, and full: it would be success with the first page of users."""
    api.users, api.page_cap, api.past_end = users(count), cap, "page 1"
    outcome = project.sync(api)
    assert outcome.failed and f"Every page brings the same {cap} users" in outcome.log
    assert "last_sync_time" not in outcome.state or "resume" in outcome.state


@pytest.mark.parametrize("count", [100, 1000])
def test_a_single_full_page_that_repeats_is_not_taken_for_an_api_that_ignores_page(
    project, api, count
):
    api.users, api.past_end = users(count), "last page"
    outcome = project.sync(api)
    assert len(outcome.rows) == count and not outcome.failed


def test_pages_that_never_end_and_bring_nobody_new_are_an_error(project, api, monkeypatch):
    """The server ignores `page`, and no page equals the one before: the order is ever new."""
    monkeypatch.setattr(connector, "__MAX_PAGES_WITHOUT_NEW_USERS", 50)
    api.users, api.order, api.past_end = users(20), "shuffled", "page 1"
    outcome = project.sync(api)
    assert outcome.failed and "does not count pages by the parameter `page`" in outcome.log
    assert len(outcome.rows) == 20
    assert outcome.resume["updated_since"] is None


# --- how many users a page


def test_a_large_page_is_used_where_the_api_gives_it(project, api):
    api.users = users(2500)
    assert len(project.sync(api).rows) == 2500
    assert api.pages_asked() == [1, 1, 2, 3, 4, 4, 5]  # page 4 is empty, also once more
    assert api.sizes == [100] + [1000] * 6


def test_the_page_size_is_the_number_that_the_api_brought(project, api):
    api.users, api.page_cap = users(1200), 500
    assert len(project.sync(api).rows) == 1200
    assert api.sizes[:2] == [100, 1000] and set(api.sizes[2:]) == {500}
    assert api.pages_asked().count(2) == 1  # in one pass


@pytest.mark.parametrize("count", [80, 230, 1100])
@pytest.mark.parametrize("offset_from_asked", [False, True])
@pytest.mark.parametrize("cap", [20, 25, 50, 100, 101, 500])
def test_a_server_that_caps_pages_is_read_to_its_end(project, api, cap, offset_from_asked, count):
    """Some caps go with an offset counted from the number asked for, which skips users."""
    api.users, api.page_cap, api.offset_from_asked = users(count), cap, offset_from_asked
    outcome = project.sync(api)
    assert len(outcome.rows) == count
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


@pytest.mark.parametrize("offset_from_asked", [False, True])
@pytest.mark.parametrize("cap", [33, 99])
def test_a_server_with_an_unusual_cap_is_read_to_its_end(project, api, cap, offset_from_asked):
    """Pages that are short although users follow are a reason to read again in another size."""
    api.users, api.page_cap, api.offset_from_asked = users(230), cap, offset_from_asked
    outcome = project.sync(api)
    assert len(outcome.rows) == 230
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


def test_a_usual_cap_is_the_page_size_from_the_start(project, api):
    api.users, api.page_cap = users(230), 50
    project.sync(api)
    assert api.sizes == [100] + [50] * 8 and api.pages_asked() == [1, 1, 2, 3, 4, 5, 6, 6, 7]


@pytest.mark.parametrize("cap", [30, 60, 75])
def test_a_total_shows_that_a_small_page_is_not_all(project, api, cap):
    """An unusual cap, with an offset counted from the number asked for: page 2 of 100 is empty."""
    api.users, api.page_cap, api.offset_from_asked, api.total = users(90), cap, True, "total"
    assert len(project.sync(api).rows) == 90


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cap", [1, 7])
def test_a_server_that_gives_very_small_pages_is_read_to_its_end(project, api, cap, order):
    api.users, api.page_cap, api.order = users(22), cap, order
    assert len(project.sync(api).rows) == 22
    assert 0 not in api.sizes  # one fewer than one user


@pytest.mark.parametrize("status", [400, 422, 500, 204])
@pytest.mark.parametrize("largest", [100, 999])
def test_a_server_that_refuses_large_pages_is_read_in_smaller_ones(project, api, status, largest):
    api.users, api.size_refusal = users(350), status
    api.accepts = lambda per_page: per_page <= largest
    assert len(project.sync(api).rows) == 350
    assert api.sizes[:2] == [100, 1000] and set(api.sizes[2:]) == {100}


def test_a_server_that_takes_only_certain_sizes_is_read_although_users_move(project, api):
    api.users, api.accepts = users(350), lambda per_page: per_page in (25, 50, 100)
    api.before_page[3] = lambda api: api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and set(api.sizes) == {100, 1000, 99}
    assert outcome.rows["E00010"]["balance"] == 0.5


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_100_users_says_which_constant_to_lower(
    project, api, status, monkeypatch
):
    api.users, api.size_refusal = users(60), status
    api.accepts = lambda per_page: per_page <= 50
    outcome = project.sync(api)
    assert outcome.failed and "lower __PAGE_SIZE in connector.py" in outcome.log
    monkeypatch.setattr(connector, "__PAGE_SIZE", 50)
    assert len(project.sync(api).rows) == 60


def test_a_server_that_is_too_slow_for_large_pages_is_read_in_smaller_ones(
    project, api, monkeypatch, clock
):
    monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (1, 0.3))
    api.users, api.latency_of = users(350), lambda per_page: 0.6 if per_page > 100 else 0.0
    assert len(project.sync(api).rows) == 350
    assert api.sizes[:2] == [100, 1000] and set(api.sizes[2:]) == {100}
    assert clock.sleeps == []  # one attempt


def test_a_large_page_that_fails_in_every_sync_does_not_hold_syncs_up(project, api):
    """Page 1 of 1,000 users is quick, page 3 takes longer than the gateway waits."""
    api.users = users(3500)

    def fail(page):
        heavy = page == 3 and api.sizes[-1] > 100
        api.faults = [Fault(page=3, status=504)] if heavy else []

    api.before_answer = fail
    assert project.sync(api).failed
    outcome = project.sync(api)
    assert len(outcome.rows) == 3500 and not outcome.failed
    assert "The interrupted pass ends here, and a pass from page 1 follows" in outcome.log


def test_a_large_page_that_is_refused_in_every_sync_does_not_hold_syncs_up(project, api):
    api.users = users(3500)

    def refuse(page):
        heavy = page == 3 and api.sizes[-1] > 100
        api.faults = [Fault(page=3, status=400)] if heavy else []

    api.before_answer = refuse
    assert project.sync(api).failed
    outcome = project.sync(api)
    assert len(outcome.rows) == 3500 and not outcome.failed


@pytest.mark.parametrize("offset_from_asked", [False, True])
@pytest.mark.parametrize("page", [2, 3])
def test_a_server_that_changes_its_mind_about_large_pages_loses_nobody(
    project, api, page, offset_from_asked
):
    """From page 2 or 3 on it gives 100 where it gave 1,000."""
    api.users, api.offset_from_asked = users(4500), offset_from_asked
    api.before_page[page] = lambda api: setattr(api, "page_cap", 100)
    assert len(project.sync(api).rows) == 4500


@pytest.mark.parametrize("cap", [100, 250])
def test_a_server_that_changes_its_mind_between_syncs_loses_nobody(project, api, cap):
    api.users, api.offset_from_asked = users(3500), True
    api.faults = [Fault(page=3, times=99, status=503)]
    assert project.sync(api).resume == {"updated_since": None, "page": 3, "per_page": 1000}
    api.faults, api.page_cap = [], cap
    assert len(project.sync(api).rows) == 3500


def test_a_server_that_refuses_between_syncs_what_it_gave_loses_nobody(project, api):
    api.users = users(3500)
    api.faults = [Fault(page=3, times=99, status=503)]
    project.sync(api)
    api.faults, api.accepts = [], lambda per_page: per_page <= 100
    assert len(project.sync(api).rows) == 3500


# --- totals


@pytest.mark.parametrize("name", ["total", "count", "totalCount", "total_count", "Total"])
@pytest.mark.parametrize("level", ["", "meta.", "pagination."])
def test_fewer_users_than_the_api_counts_are_told_once_with_both_numbers(
    project, api, name, level
):
    """Such as an API that counts pages from 0, of which page 1 is the second."""
    api.users, api.first_page, api.total = users(350), 0, level + name
    api.page_cap = 100
    outcome = project.sync(api)
    told = outcome.log_lines("The API reports 350 users, but its pages brought 250. Check whether")
    assert len(told) == 2  # in the log, and as the warning that the dashboard shows


def test_an_api_that_ends_at_a_largest_offset_is_told(project, api):
    api.users, api.max_offset, api.total = users(350), 300, "totalElements"
    assert "reports 350 users, but its pages brought 300" in project.sync(api).log


def test_an_api_that_counts_users_whom_the_key_may_not_see_is_told(project, api):
    api.users, api.unlisted, api.total = users(50), 7, "meta.total"
    assert "reports 57 users, but its pages brought 50" in project.sync(api).log


def test_a_total_that_is_right_is_not_told(project, api):
    api.users, api.total = users(350), "total"
    assert "The API reports" not in project.sync(api).log


def test_a_count_of_the_page_alone_is_not_told(project, api):
    api.users, api.page_cap = users(350), 100
    api.with_total = lambda body, since: {**body, "count": len(body["users"])}
    assert "The API reports" not in project.sync(api).log


@pytest.mark.parametrize("body", [{"totalPages": 9000}, {"total": "9000"}, {"total": True}])
def test_other_fields_are_no_total(project, api, body):
    api.users = users(50)
    api.with_total = lambda answer, since: {**answer, **body}
    assert "The API reports" not in project.sync(api).log


def test_rehired_and_unusable_users_count_as_users(project, api):
    api.order, api.total = "storage", "total"
    api.users = [*users(120), *users(3), {**user(500), "employeeId": ""}]
    outcome = project.sync(api)
    assert len(outcome.rows) == 120 and "The API reports" not in outcome.log


def test_an_incremental_sync_is_not_compared_with_a_total(project, api):
    """The total may be that of all users, whatever the filter lets through."""
    api.users = users(350)
    project.sync(api)
    api.with_total = lambda body, since: {**body, "total": 350}
    assert "The API reports" not in project.sync(api).log


# --- any order


@pytest.mark.parametrize("order", ORDERS)
def test_users_with_one_and_the_same_timestamp_all_land(project, api, order):
    same = NOON - timedelta(days=3)
    api.users, api.order = [user(n, same) for n in range(1, 351)], order
    assert len(project.sync(api).rows) == 350
    assert len(project.sync(api).rows) == 350


@pytest.mark.parametrize("order", [*ORDERS, "shuffled"])
def test_any_order_lands_everybody(project, api, order):
    api.users, api.order, api.page_cap = users(350), order, 100
    for _ in range(4):  # a source without any order may need more than one sync
        outcome = project.sync(api)
    assert len(outcome.rows) == 350


def test_the_published_example_shape_loses_nobody(project, api):
    """5,000 users by change date: to move the filter while counting pages lands 900 of them."""
    api.users = users(5000)
    assert len(project.sync(api).rows) == 5000
