"""Pages are fetched ahead, and nobody can tell: all is as if they were read one after another."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import KEY, NOON, FakeAwardco, Fault, text, user, users
from harness import Clock, Memory

WINDOW = getattr(connector, "__PAGES_IN_FLIGHT")  # noqa: B009 - a class would mangle the name
PAGE_SIZE = 10
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(connector, "__PAGE_SIZE", PAGE_SIZE)


@pytest.fixture
def in_flight(monkeypatch):
    """The pages of the requests under way, and the most that there were at a time."""
    return watch_requests(monkeypatch)


def watch_requests(patch) -> "InFlight":
    found, request = InFlight(), getattr(connector, "_request")  # noqa: B009

    def watched(api, params):
        with found.request(params["page"]):
            return request(api, params)

    patch.setattr(connector, "_request", watched)
    return found


class InFlight:
    def __init__(self):
        self.lock = threading.Lock()
        self.pages, self.most, self.events = [], 0, []

    @contextmanager
    def request(self, page: int):
        self.note(self.pages.append, "asked", page)
        try:
            yield
        finally:
            self.note(self.pages.remove, "answered", page)

    def note(self, change, what: str, page: int):
        with self.lock:
            change(page)
            self.most = max(self.most, len(self.pages))
            self.events.append((what, page))

    def asked_before(self, what: str, page: int) -> list:
        events = self.events[: self.events.index((what, page))]
        return sorted(page for what, page in events if what == "asked")


def sync(api, destination=None) -> Memory:
    destination = destination or Memory()
    destination.sync(api_key=KEY, base_url=api.url)
    return destination


def hold(api, page: int, until) -> None:
    """Let the answer to a page wait, for ten seconds at most."""
    api.faults.append(Fault(page=page, kind="late", gate=until))


# --- the same as a serial reader


class Source(FakeAwardco):
    """Shuffled, it has another order for each page, and for each time that the page is asked for.

    Here an answer depends on its own page's history alone: requests that overlap in time reach
    the server in any order, and what depended on that could differ for no fault of the reader.
    """

    def page(self, number, per_page, since):
        self.salt = f"{number} {self.pages_asked().count(number)}"
        return super().page(number, per_page, since)

    def ordered(self):
        if self.order != "shuffled":
            return super().ordered()
        return sorted(self.users, key=lambda row: hash_of(f"{self.salt} {row['employeeId']}"))


def hash_of(value: str) -> int:
    return sum(ord(c) * 31**n for n, c in enumerate(value)) % 10007


def shuffled(case: dict) -> bool:
    return case["behaviour"]["order"] == "shuffled"


ORDERS = ["storage", "updated_at", "-updated_at", "id", "shuffled"]
AGES = st.one_of(st.none(), st.integers(-30, 3000), st.just("nonsense"))
FAULTS = st.tuples(
    st.integers(1, 12),
    st.sampled_from([1, 2, 99]),
    st.sampled_from(
        [{"status": 503}, {"status": 404}, {"status": 200}, {"kind": "cut"}, {"kind": "gzip"}]
    ),
)
SOURCES = st.fixed_dictionaries(
    {
        "ages": st.lists(AGES, max_size=24),
        "unusable": st.sets(st.integers(0, 23), max_size=3),
        "twice": st.sets(st.integers(0, 23), max_size=2),
        "behaviour": st.fixed_dictionaries(
            {
                "order": st.sampled_from(ORDERS),
                "page_cap": st.integers(1, 5),
                "strict": st.booleans(),
                "keeps_nulls": st.booleans(),
            }
        ),
        "paging": st.sampled_from(
            [{}, {}, {"filters_after_paging": True}, {"page_ignored": True}]
            + [{"page_clamped": True}, {"filter_param": None}]
        ),
        "page_size": st.sampled_from([3, 100]),
        "faults": st.lists(FAULTS, max_size=3),
        "changed_pages": st.sets(st.integers(1, 8), max_size=4),
        "state": st.sampled_from(["new", "cursor", "resume"]),
    }
).filter(lambda case: not (shuffled(case) and "page_ignored" in case["paging"]))


def source(case: dict) -> Source:
    """The source of a case, made anew."""
    rows = []
    for number, age in enumerate(case["ages"]):
        at = NOON - timedelta(minutes=age) if isinstance(age, int) else age
        unusable = {"employeeId": None} if number in case["unusable"] else {}
        rows += [user(number * 7 % 25, at, balance=number, **unusable)]
        rows += [user(number * 7 % 25, at, balance=-number)] if number in case["twice"] else []
    for row in rows:
        row["employeeId"] = row["employeeId"] or ""  # as blank as null, and to be sorted
    api = Source(rows, **case["behaviour"], **case["paging"])
    api.faults = [Fault(page, times, **fault) for page, times, fault in case["faults"]]
    if not case["paging"] and api.order != "shuffled":
        api.before_page = {page: changes(page) for page in case["changed_pages"]}
    return api


def changes(page: int):
    """When a page is asked for, a user on it changes, and stays where it is."""

    def change(api):
        since = instant_of(api.requests[-1][1])
        for row in api.page(page, getattr(connector, "__PAGE_SIZE"), since)[:1]:  # noqa: B009
            row["balance"] = 1000.5
            if api.order in ("storage", "id"):
                row["updated_at"] = text(api.clock)

    return change


def instant_of(value):
    return connector.parse_timestamp(value)


def state(case: dict) -> dict:
    since = text(NOON - timedelta(minutes=2000))
    resume = {"updated_since": since, "page": 2, "per_page": case["page_size"], "torn": False}
    resume["started_at"] = text(NOON - timedelta(minutes=5))
    cursor = {"last_sync_time": since}
    return {"new": {}, "cursor": cursor, "resume": {**cursor, "resume": resume}}[case["state"]]


def read(case: dict, window: int, patch) -> tuple:
    """All that a sync does to the destination, and how it ends."""
    patch.setattr(connector, "__PAGES_IN_FLIGHT", window)
    destination, error = Memory(state=state(case)), None
    with source(case) as api:
        try:
            sync(api, destination)
        except connector.SyncError as failed:
            error = str(failed)
    return destination.operations, destination.state, destination.warnings, error


def later_pages_first(patch):
    """Let an even page wait, a moment at most, until the one after it is there."""
    request, there = getattr(connector, "_request"), {}  # noqa: B009

    def late(api, params):
        page = params["page"]
        try:
            return request(api, params)
        finally:
            there.setdefault(page, threading.Event()).set()
            if page % 2 == 0:
                there.setdefault(page + 1, threading.Event()).wait(0.01)

    patch.setattr(connector, "_request", late)


def is_read_ahead_as_serially(case: dict):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(connector, "_sleep", clock.sleep)
        patch.setattr(connector, "time", clock)
        patch.setattr(connector, "__PAGE_SIZE", case["page_size"])
        patch.setenv("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
        serial = read(case, 1, patch)
        later_pages_first(patch)
        assert read(case, WINDOW, patch) == serial


CONFIGURED = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@given(SOURCES)
@settings(max_examples=100, **CONFIGURED)
def test_reading_ahead_does_what_reading_serially_does(case):
    is_read_ahead_as_serially(case)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(SOURCES)
@settings(max_examples=4000, derandomize=False, **CONFIGURED)
def test_reading_ahead_does_what_reading_serially_does_at_length(case):
    is_read_ahead_as_serially(case)


@pytest.mark.parametrize("order", ORDERS)
def test_a_long_source_is_read_ahead_as_serially(order):
    case = {
        "ages": [n * 37 % 3000 for n in range(25)],
        "unusable": {3},
        "twice": {5},
        "behaviour": {"order": order, "page_cap": 2},
        "paging": {},
        "page_size": 3,
        "faults": [(2, 2, {"status": 503}), (5, 1, {"kind": "cut"}), (6, 1, {"kind": "reset"})],
        "changed_pages": {3, 4, 9},
        "state": "new",
    }
    is_read_ahead_as_serially(case)


# --- the window


def test_an_empty_source_costs_one_request(api):
    sync(api)
    assert api.pages_asked() == [1]


@pytest.mark.parametrize("count", [1, PAGE_SIZE - 1])
def test_a_small_incremental_sync_costs_two_requests(api, count):
    api.users = users(50)
    destination = sync(api)
    for number in range(count):
        api.change(f"E{number + 1:05d}", updated_at=text(YESTERDAY + timedelta(hours=1)))
    api.users = [row for row in api.users if row["updated_at"] != destination.operations]
    api.requests.clear()
    api.strict = True
    sync(api, destination)
    assert api.pages_asked() == [1, 2]


def test_the_first_page_is_asked_for_alone(api, in_flight):
    api.users = users(5 * PAGE_SIZE)
    sync(api)
    assert in_flight.asked_before("answered", 1) == [1]


def test_a_full_page_opens_the_window(api, in_flight):
    """Pages 2 to 5 are answered only once all four have been asked for."""
    api.users = users(8 * PAGE_SIZE)
    together = threading.Barrier(WINDOW)
    for page in range(2, 2 + WINDOW):
        hold(api, page, until=together)
    assert len(sync(api).rows) == 8 * PAGE_SIZE
    assert not together.broken


def test_a_short_page_leaves_the_window_closed_and_a_second_one_opens_it(api, in_flight):
    api.users, api.page_cap = users(8 * PAGE_SIZE), PAGE_SIZE - 1
    together = threading.Barrier(WINDOW)
    for page in range(3, 3 + WINDOW):
        hold(api, page, until=together)
    assert len(sync(api).rows) == 8 * PAGE_SIZE
    assert not together.broken
    assert in_flight.asked_before("answered", 2) == [1, 2]


def test_no_more_than_four_requests_are_ever_in_flight(api, in_flight):
    """Not with faults, nor at the end of a pass with another after it."""
    assert WINDOW == 4
    api.users = users(95)
    api.before_page[3] = lambda api: api.change("E00001", balance=0.5)
    api.faults = [Fault(page=page, times=2, status=503) for page in (2, 4, 5, 7)]
    destination = sync(api)
    assert len(destination.rows) == 95 and api.pages_asked().count(1) == 2
    assert in_flight.most <= WINDOW


def test_requests_that_a_pass_has_left_count_in_the_next_one(api, in_flight):
    """Pages past the end are slow: three of them are under way when the second pass begins."""
    api.users = users(6 * PAGE_SIZE)
    api.before_page[3] = lambda api: api.change("E00001", balance=0.5)
    second_pass = threading.Event()
    for page in (8, 9, 10):
        hold(api, page, until=second_pass)

    def before_answer(page):
        if page == 5 and api.pages_asked().count(5) == 2:
            second_pass.set()

    api.before_answer = before_answer
    assert len(sync(api).rows) == 6 * PAGE_SIZE
    assert second_pass.is_set()
    assert in_flight.most <= WINDOW


def test_a_page_that_equals_the_one_before_is_looked_into_within_the_window(api, in_flight):
    api.users, api.page_clamped = users(6 * PAGE_SIZE), True
    sync(api)
    assert in_flight.most <= WINDOW


# --- one thread, in page order, up to an error


class Threads(Memory):
    """Notes on which threads operations and checkpoints come."""

    def record(self, record):
        self.threads.add(threading.get_ident())
        super().record(record)

    def checkpoint(self, checkpoint):
        self.threads.add(threading.get_ident())
        super().checkpoint(checkpoint)


def test_operations_and_checkpoints_stay_on_the_thread_of_the_sync(api, monkeypatch):
    destination = Threads()
    destination.threads = set()
    api.users = users(8 * PAGE_SIZE)
    sync(api, destination)
    assert destination.threads == {threading.get_ident()}


def test_answers_out_of_order_are_delivered_in_order(api, in_flight):
    """Page 2 is answered after pages 3 to 5, and page 6 after 7 to 9."""
    api.users = users(12 * PAGE_SIZE)
    gates = {5: threading.Event(), 9: threading.Event()}
    hold(api, 2, until=gates[5])
    hold(api, 6, until=gates[9])

    def before_answer(page):
        if page in gates:
            gates[page].set()

    api.before_answer = before_answer
    operations = sync(api).operations
    numbers = [row["employeeId"] for kind, row in operations if kind == "upsert"]
    assert numbers == [row["employeeId"] for row in api.users]
    kinds = [kind for kind, _ in operations]
    assert kinds == (["upsert"] * PAGE_SIZE + ["checkpoint"]) * 12 + ["checkpoint"]
    states = [state for kind, state in operations if kind == "checkpoint"]
    assert [state["resume"]["page"] for state in states[:-1]] == list(range(2, 14))
    assert "resume" not in states[-1]


def test_an_error_waits_until_all_pages_before_it_are_delivered(api, in_flight):
    """Page 5 fails at once, while page 3 is still under way; page 4 waits behind it."""
    api.users = users(12 * PAGE_SIZE)
    failed = threading.Event()
    hold(api, 3, until=failed)
    api.faults.append(Fault(page=5, times=99, status=404))
    api.before_answer = lambda page: page == 5 and failed.set()
    destination = Memory()
    with pytest.raises(connector.SyncError, match="^Page 5 .* HTTP 404"):
        sync(api, destination)
    assert sorted(destination.rows) == [row["employeeId"] for row in api.users[: 4 * PAGE_SIZE]]
    assert destination.operations[-1] == ("checkpoint", destination.state)
    assert destination.state["resume"]["page"] == 5


def test_of_two_errors_the_one_on_the_earlier_page_is_told(api):
    api.users = users(12 * PAGE_SIZE)
    failed = threading.Event()
    api.faults.append(Fault(page=3, times=99, status=403, kind="status", gate=failed))
    api.faults.append(Fault(page=4, times=99, status=404))
    api.before_answer = lambda page: page == 4 and failed.set()
    with pytest.raises(connector.SyncError, match="^Page 3 .* HTTP 403"):
        sync(api)


def test_an_error_ends_what_is_in_flight(api, monkeypatch):
    """Page 3 fails while page 4 waits to be tried again: it is not, and no page comes after."""
    api.users = users(30 * PAGE_SIZE)
    trying = threading.Event()
    api.faults.append(Fault(page=3, times=99, status=404, gate=trying))
    api.faults.append(Fault(page=4, times=99, status=503))
    slept = threading.Event()

    def sleep(closed, seconds):
        trying.set()
        assert closed.wait(10)
        slept.set()

    monkeypatch.setattr(connector, "_sleep", sleep)
    with pytest.raises(connector.SyncError, match="^Page 3 "):
        sync(api)
    assert slept.is_set()
    assert api.pages_asked().count(4) == 1
    assert max(api.pages_asked()) <= 6
