"""The guarantees as a model: whatever happens, a quiet sync later nobody is lost and nobody stale.

A source of users lives through any schedule of inserts, updates, moves between pages, faults,
outages, crashes and restarts, in any order of rows, with any size and end of pages, while syncs
read it through the real `update()` over HTTP. Only the destination is simpler than usual:
operations are collected in memory (harness.Memory). Pages hold 5 users, large ones 20: in fewer,
two passes over a source in random order are alike by chance.
"""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import connector
from fake_awardco import ENCODINGS, FAILURES, KEY, NOON, FakeAwardco, Fault, instant, text, user
from harness import Clock, Killed, Memory, utc

ORDERS = ["storage", "updated_at", "-updated_at", "id", "shuffled"]
ENDS = ["[]", "null", "204", "404", "last page"]
CAPS = [5, 7, 20, 100]
SETTLING = timedelta(hours=1)

# What happens at the n-th request of a sync: (n, what, who, where)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 16),
        st.sampled_from(["update", "update late", "insert", "move", "cap"]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=5,
)


class SyncedSource(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
        self.patch.setattr(connector, "time", Clock())
        self.patch.setattr(connector, "__SMALL_PAGE", 5)
        self.patch.setattr(connector, "__LARGE_PAGE", 20)
        self.patch.setattr(connector, "__SMALLEST_CAP", 5)
        self.api = FakeAwardco(tick=timedelta(seconds=0.4)).__enter__()
        self.destination = Memory()
        self.numbers = 0
        self.cursor = None
        self.started_at = None
        self.is_set_up = False

    def teardown(self):
        try:
            if self.is_set_up:
                self.quiet_sync()
        finally:
            self.api.__exit__()
            self.patch.undo()

    @initialize(
        order=st.sampled_from(ORDERS),
        past_end=st.sampled_from(ENDS),
        page_cap=st.sampled_from(CAPS),
        largest=st.sampled_from([5, 20, 100]),
        strict=st.booleans(),
        api=st.fixed_dictionaries(
            {
                "status": st.sampled_from([200, 203]),
                "encoding": st.sampled_from(list(ENCODINGS)),
                "cookie": st.booleans(),
                "float_keys": st.booleans(),
                "rate_limit": st.sampled_from([None, 5]),
            }
        ),
        ages=st.lists(st.one_of(st.none(), st.integers(0, 3000)), min_size=1, max_size=25),
    )
    def a_source(self, order, past_end, page_cap, largest, strict, api, ages):
        if order == "shuffled":
            # Later passes ask for fewer users, and pages of fewer than five are a game of chance.
            page_cap, largest = max(page_cap, 20), 100
            past_end = past_end if past_end in ("[]", "null", "204", "404") else "[]"
        self.api.order, self.api.past_end, self.api.strict = order, past_end, strict
        self.api.page_cap, self.api.accepts = page_cap, lambda per_page: per_page <= largest
        for name, value in api.items():
            setattr(self.api, name, value)
        for age in ages:
            changed_at = None if age is None else NOON - timedelta(minutes=age)
            self.api.insert(user(self.next_number(), changed_at))
        self.is_set_up = True

    def next_number(self) -> int:
        # Identifiers in no order of creation
        self.numbers += 1
        return self.numbers * 7919 % 10007

    # -- what happens to the source

    def happen(self, what: str, who: int, where: int):
        users = self.api.users
        if what == "cap":  # the server changes its mind about large pages
            smallest = 20 if self.api.order == "shuffled" else 5
            self.api.page_cap = max(CAPS[where % len(CAPS)], smallest)
            return
        where = where % (len(users) + 1)
        if what == "insert":
            return self.api.insert(user(self.next_number(), self.api.clock), where)
        if not users:
            return
        employee_id = users[who % len(users)]["employeeId"]
        if what == "move":
            return self.api.move(employee_id, where)
        late = timedelta(minutes=40) if what == "update late" else timedelta(0)
        self.numbers += 1
        changed_at = self.api.clock - late
        row = next(row for row in users if row["employeeId"] == employee_id)
        if instant(row["updated_at"]) and changed_at < instant(row["updated_at"]):
            changed_at = self.api.clock  # a later change does not get an earlier time
        self.api.change(employee_id, updated_at=text(changed_at), version=self.numbers)
        self.api.move(employee_id, where)  # as a database without an order may do

    @rule(minutes=st.sampled_from([1, 20, 70, 1000, 3000]))
    def time_passes(self, minutes):
        self.api.clock += timedelta(minutes=minutes)

    @rule(
        what=st.sampled_from(["update", "update late", "insert", "move"]),
        who=st.integers(0, 30),
        where=st.integers(0, 30),
    )
    def a_change(self, what, who, where):
        self.happen(what, who, where)

    # -- what happens to a sync

    def sync(self, events=(), age=timedelta(0), **settings):
        """One sync, with the events at its requests; whether it ended well."""
        if age and "last_full_sync" in self.destination.state:
            last = connector.parse_timestamp(self.destination.state["last_full_sync"]) - age
            self.destination.state["last_full_sync"] = last.isoformat()
        first, first_answer = len(self.api.requests), len(self.api.dates)
        waiting = [event for event in events]

        def before_answer(page):
            number = len(self.api.requests) - first - 1
            for event in [event for event in waiting if event[0] == number]:
                waiting.remove(event)
                self.happen(*event[1:])

        self.api.before_answer = before_answer
        try:
            self.destination.sync(api_key=KEY, base_url=self.api.url, **settings)
            return True
        except (connector.SyncError, Killed):
            return False
        finally:
            dates = self.api.dates[first_answer:]
            self.started_at = dates[0].replace(microsecond=0) if dates else self.started_at
            self.api.before_answer = None
            self.api.faults = []
            self.destination.die_at = None

    @rule(events=EVENTS)
    def a_sync_while_users_change(self, events):
        assert self.sync(events)

    @rule(events=EVENTS, checkpoint=st.integers(1, 8))
    def a_sync_that_is_killed(self, events, checkpoint):
        self.destination.die_at = checkpoint
        self.sync(events)

    @rule(events=EVENTS, page=st.integers(1, 6))
    def a_sync_that_meets_an_outage(self, events, page):
        self.api.faults = [Fault(page=page, times=100, status=503)]
        self.sync(events)

    @rule(events=EVENTS, page=st.integers(1, 6), failure=st.sampled_from(list(FAILURES)))
    def a_sync_that_is_told_an_error_in_a_200(self, events, page, failure):
        self.api.fails_from, self.api.failure = page, failure
        self.sync(events)
        self.api.fails_from = None

    @rule(events=EVENTS)
    def a_sync_whose_filter_is_refused(self, events):
        self.api.filter_takes = lambda since: False
        assert self.sync(events)
        self.api.filter_takes = lambda since: True

    @rule(events=EVENTS)
    def a_sync_that_is_due_to_read_everybody(self, events):
        assert self.sync(events, full_sync_days="1", age=timedelta(days=2))

    @rule(
        events=EVENTS,
        page=st.integers(1, 6),
        times=st.integers(1, 5),
        status=st.sampled_from([404, 204, 400]),
    )
    def a_sync_that_meets_a_route_that_is_gone(self, events, page, times, status):
        """From a page on, every request is refused for a while."""
        gone = Fault(times=times, status=status)
        self.api.before_page[page] = lambda api: api.faults.append(gone)
        self.sync(events)
        self.api.before_page.clear()

    @rule(page=st.integers(1, 6), kind=st.sampled_from(["reset", "cut", "gzip"]))
    def a_sync_that_meets_faults(self, page, kind):
        self.api.faults = [Fault(page=page, times=2, kind=kind)]
        assert self.sync()

    @rule()
    def quiet_sync(self):
        for _ in range(60):
            self.destination.warnings = []
            assert self.sync()
            if not any("may be missing" in text for text in self.destination.warnings):
                break
        else:
            raise AssertionError("sixty quiet syncs could not be trusted")
        source = {self.api.written(row, 0)["employeeId"]: row for row in self.api.users}
        source = {connector.identify({"employeeId": key}): row for key, row in source.items()}
        found = self.destination.rows
        assert sorted(found) == sorted(source)
        for employee_id, row in source.items():
            version = row.get("version")
            assert found[employee_id].get("version") == (version and str(version)), employee_id

    # -- what always holds

    @invariant()
    def the_cursor_never_goes_back_nor_beyond_the_settling_time(self):
        state = self.destination.state
        if state.get("last_sync_time") is None:
            return
        cursor = utc(state["last_sync_time"])
        if self.cursor is not None:
            assert cursor >= self.cursor
        assert cursor == self.cursor or cursor <= self.started_at - SETTLING
        self.cursor = cursor


TestSyncedSource = SyncedSource.TestCase
TestSyncedSource.settings = settings(
    max_examples=60,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestSyncedSourceAtLength(SyncedSource.TestCase):
    settings = settings(
        TestSyncedSource.settings, max_examples=2000, stateful_step_count=20, derandomize=False
    )
