"""The guarantees as a model: whatever happens, a quiet sync later nobody is lost and nobody stale.

A source of users lives through any schedule of inserts, updates, deletions, moves between pages,
faults, outages, rate limits, crashes and restarts, in any order of rows, with any size and end of
pages, while syncs read it through the real `update()` over HTTP. Only the destination is simpler
than usual: operations are collected in memory (harness.Memory). Pages hold 5 users, large ones 20:
in fewer, two passes over a source in random order are alike by chance.

What the source holds is known here without the connector: no part of this file asks it where users
end, who is who, or what is whole. What no connector can see from outside is left out, as the table
of what is out of scope says: deletions during a sync where there is no total, and equal times that
sort differently from page to page where pages are capped.
"""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

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
AGES = st.one_of(st.none(), st.sampled_from([0, 90, 2000]), st.integers(0, 3000))  # minutes
DAILY = {"full_sync_days": "1", "age": timedelta(days=2)}  # a sync that is due to read everybody


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
        self.fewest = 1
        self.seen = 0
        self.deleted = []  # the rows of users who left

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
                "total": st.sampled_from([None, "total", "meta.count"]),
            }
        ),
        ages=st.lists(AGES, min_size=1, max_size=25),
        rehires=st.sampled_from([0, 0, 1, 4]),
    )
    def a_source(self, order, past_end, page_cap, largest, strict, api, ages, rehires):
        if order == "shuffled":
            # Later passes ask for fewer users, and pages of fewer than five are a game of chance.
            page_cap, largest = max(page_cap, 20), 100
            past_end = past_end if past_end in ("[]", "null", "204", "404") else "[]"
        self.api.order, self.api.past_end, self.api.strict = order, past_end, strict
        self.api.page_cap, self.api.accepts = page_cap, lambda per_page: per_page <= largest
        for name, value in api.items():
            setattr(self.api, name, value)
        if page_cap == largest == 100:  # only a page of all users can be trusted with ties
            self.api.unstable_ties, self.api.accepts = True, lambda per_page: True
            # A page of all users that comes for every number may be a cap: it is told each time.
            self.api.past_end = "[]" if past_end == "last page" else past_end
        for age in ages:
            changed_at = None if age is None else NOON - timedelta(minutes=age)
            self.api.insert(user(self.next_number(), changed_at))
        if order != "shuffled" and len(ages) > 20:
            self.fewest = 20 if rehires else 1
            for row in self.api.users[:rehires]:  # each with a record of another employment
                earlier = NOON - timedelta(days=30, minutes=len(self.api.users))
                self.api.insert({**row, "updated_at": text(earlier), "version": -1})
        self.is_set_up = True

    def next_number(self) -> int:
        # Identifiers in no order of creation
        self.numbers += 1
        return self.numbers * 7919 % 10007

    # -- what happens to the source

    def happen(self, what: str, who: int, where: int):
        users = self.api.users
        if what == "cap":
            return self.change_cap(where)
        if what == "lose rights":
            return self.lose_rights()
        where = where % (len(users) + 1)
        if what == "insert":
            return self.api.insert(user(self.next_number(), self.api.clock), where)
        if what == "return":
            return self.come_back(who, where)
        if not users:
            return
        employee_id = users[who % len(users)]["employeeId"]
        if what == "delete":
            return self.delete(employee_id)
        if what.startswith("update"):
            self.update(employee_id, timedelta(minutes=40) if what == "update late" else None)
        self.api.move(employee_id, where)  # as a database without an order may do

    def change_cap(self, number: int):
        """The server changes its mind about large pages."""
        if not self.api.unstable_ties:
            smallest = 20 if self.api.order == "shuffled" else 5
            self.api.page_cap = max(CAPS[number % len(CAPS)], smallest)

    def lose_rights(self):
        hidden = set(list(self.newest_records())[self.seen :])
        serve = self.api.ordered
        self.api.ordered = lambda page=1: [
            row for row in serve(page) if self.key(row) not in hidden
        ]

    def update(self, employee_id: str, late: timedelta | None):
        self.numbers += 1
        self.api.clock += timedelta(milliseconds=1)  # no two records of a user have one time
        changed_at = self.api.clock - (late or timedelta(0))
        row = self.newest_records()[self.key({"employeeId": employee_id})]
        if instant(row["updated_at"]) and changed_at < instant(row["updated_at"]):
            changed_at = self.api.clock  # a later change does not get an earlier time
        row.update(updated_at=text(changed_at), version=self.numbers)

    def delete(self, employee_id: str):
        """Not the last one: no tenant is without users. Nor so many that no two passes can be
        compared, where somebody has two records."""
        if len(self.newest_records()) > self.fewest:
            rows = [row for row in self.api.users if row["employeeId"] == employee_id]
            self.deleted.append(rows[0])
            self.api.delete(employee_id)

    def come_back(self, who: int, where: int):
        """Somebody who left is hired again."""
        if self.deleted:
            row = self.deleted.pop(who % len(self.deleted))
            self.api.insert({**row, "updated_at": text(self.api.clock)}, where)

    @rule(minutes=st.sampled_from([1, 20, 70, 1000, 3000]))
    def time_passes(self, minutes):
        self.api.clock += timedelta(minutes=minutes)

    @rule(
        what=st.sampled_from(["update", "update late", "insert", "move", "delete", "return"]),
        who=st.integers(0, 30),
        where=st.integers(0, 30),
    )
    def a_change(self, what, who, where):
        self.happen(what, who, where)

    @rule(every=st.integers(1, 3))
    def a_bulk_update(self, every):
        """Many users get one and the same time."""
        self.numbers += 1
        self.api.clock += timedelta(milliseconds=1)
        for row in list(self.newest_records().values())[::every]:
            row.update(updated_at=text(self.api.clock), version=self.numbers)

    # -- what happens to a sync

    def sync(self, events=(), age=timedelta(0), **settings):
        """One sync, with the events at its requests; whether it ended well."""
        if age and "last_full_sync" in self.destination.state:
            last = utc(self.destination.state["last_full_sync"]) - age
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
    def a_sync_that_gets_an_error_in_a_200(self, events, page, failure):
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
        assert self.sync(events, **DAILY)

    @rule(events=EVENTS, checkpoint=st.integers(1, 8))
    def a_sync_that_is_killed_when_it_is_due_to_read_everybody(self, events, checkpoint):
        self.destination.die_at = checkpoint
        self.sync(events, **DAILY)

    @precondition(lambda self: self.api.total and len(self.api.users) > 8)
    @rule(
        deletions=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=3),
        due=st.booleans(),
    )
    def a_sync_while_users_are_deleted(self, deletions, due):
        """And nobody else changes: with a hire at the same moment the total would not fall. In
        pages of one user, a last page that comes for every number looks like page 1."""
        events = [(number, "delete", who, 0) for number, who in deletions]
        assert self.sync(events, **(DAILY if due else {}))

    @rule(
        events=EVENTS,
        page=st.integers(1, 6),
        times=st.integers(1, 9),
        status=st.sampled_from([403, 429, 503]),
        wait=st.sampled_from(["1", "3600", "3601"]),
    )
    def a_sync_that_meets_a_rate_limit(self, events, page, times, status, wait):
        limit = Fault(page=page, times=times, status=status, headers={"Retry-After": wait})
        self.api.faults = [limit]
        ended_well = self.sync(events)
        is_met = limit.times < times
        assert ended_well or (is_met and (times > 6 or wait == "3601"))

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

    @rule(events=EVENTS, page=st.integers(3, 6), kept=st.integers(0, 4))
    def a_sync_that_meets_a_page_that_is_short_for_a_moment(self, events, page, kept):
        """Or empty. Not the last page, of which nobody can tell."""
        serve = self.api.page

        def serve_once(number, *query):
            found = serve(number, *query)
            if number != page or serve(number + 1, *query) in (None, found):
                return found
            self.api.page = serve
            return found[:kept]

        self.api.page = serve_once
        assert self.sync(events)
        self.api.page = serve

    @rule(page=st.integers(1, 6), kind=st.sampled_from(["reset", "cut", "gzip"]))
    def a_sync_that_meets_faults(self, page, kind):
        self.api.faults = [Fault(page=page, times=2, kind=kind)]
        assert self.sync()

    # A sync that knows more users than it sees makes five passes, the last ones in pages of a user
    # or two: where two pages can be alike, they look as if the API ignored `page`.
    @precondition(lambda self: self.destination.state.get("users", 0) > 3)
    @precondition(lambda self: self.api.order != "shuffled" and self.api.past_end != "last page")
    @rule(request=st.integers(0, 16))
    def a_sync_whose_key_loses_rights(self, request):
        """It sees half of the users whom the last complete read counted, and then all again. Who
        changes meanwhile is hidden until everybody is read."""
        self.seen = self.destination.state["users"] // 2
        gone = set(self.destination.gone)
        assert self.sync([(request, "lose rights", 0, 0)], **DAILY)
        assert self.newest_records().keys().isdisjoint(self.destination.gone.keys() - gone)
        self.api.__dict__.pop("ordered", None)
        self.sync_until_nothing_is_missing(**DAILY)

    @rule(events=EVENTS, state=st.sampled_from([{}, {"source": "report", "users": 5}]))
    def a_sync_that_goes_on_from_no_state_or_another_source(self, events, state):
        """It marks nobody."""
        self.destination.state, self.cursor = dict(state), None
        gone = set(self.destination.gone)
        assert self.sync(events, **DAILY)
        assert self.destination.gone.keys() <= gone

    @rule()
    def quiet_sync(self):
        """Nobody who is in the source is missing, stale or marked as gone. Nobody is in the table
        who never was in the source."""
        self.sync_until_nothing_is_missing()
        source, found = self.newest_records(), self.destination.rows
        assert source.keys() <= found.keys()
        assert found.keys() - source.keys() <= set(map(self.key, self.deleted))
        for key, row in source.items():
            version = row.get("version")
            assert found[key].get("version") == (version and str(version)), key

    @rule()
    def quiet_sync_that_is_due_to_read_everybody(self):
        """Who left is marked, and nobody else; or a warning says why nobody is marked."""
        self.quiet_sync()
        before = self.destination.state.get("users", 0)
        self.sync_until_nothing_is_missing(**DAILY)
        source, found = self.newest_records(), self.destination.rows
        assert source.keys() <= found.keys()
        if not any("Nobody was marked" in text for text in self.destination.warnings) and source:
            assert found.keys() == source.keys()
            assert self.destination.state["users"] == len(source) >= min(0.8 * before, before - 1)

    def sync_until_nothing_is_missing(self, **settings):
        for _ in range(60):
            self.destination.warnings = []
            assert self.sync(**settings)
            if not any("may be missing" in text for text in self.destination.warnings):
                return
        raise AssertionError("sixty quiet syncs could not be trusted")

    def newest_records(self) -> dict:
        """The users of the source by the key of their row, each with the newest record."""
        records = sorted(self.api.users, key=lambda row: row["updated_at"] or "")
        return {self.key(row): row for row in records}

    def key(self, row: dict) -> str:
        digits = row["employeeId"]
        return str(int(digits.lstrip("E"))) if self.api.float_keys else digits

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
    max_examples=30,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestSyncedSourceAtLength(SyncedSource.TestCase):
    settings = settings(
        TestSyncedSource.settings,
        max_examples=int(os.environ.get("EXAMPLES", "500")),
        stateful_step_count=20,
        derandomize=False,
    )
