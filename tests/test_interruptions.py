"""A sync that died is gone on with, with its own filter, and loses nobody."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fake_awardco import KEY, NOON, Fault, text, user, users

ORDERS = ["storage", "updated_at", "-updated_at", "id"]


@pytest.fixture
def api(api):
    """Pages of 100, so that 350 users are on four."""
    api.page_cap = 100
    return api


def break_off(project, api, page):
    """A sync that meets an outage at `page`."""
    api.faults = [Fault(page=page, times=99, status=503)]
    outcome = project.sync(api)
    assert outcome.failed
    api.faults, api.requests = [], []
    return outcome


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_what_was_read_before_an_outage_is_kept_and_reading_goes_on_there(project, api, page):
    api.users = users(350)
    broken = break_off(project, api, page)
    assert len(broken.rows) == 100 * (page - 1)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and api.pages_asked()[0] == page
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


def test_the_state_of_an_unfinished_sync_says_where_to_go_on(project, api):
    api.users = users(350)
    first = project.sync(api)
    api.clock += timedelta(days=1)
    for number in range(1, 351):
        api.change(f"E{number:05d}")
    broken = break_off(project, api, 3)
    assert broken.resume == {"updated_since": first.cursor, "page": 3, "per_page": 100}
    assert broken.cursor == text(api.clock - timedelta(hours=1))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("changed", ["E00010", "E00230"])
def test_users_that_change_while_it_is_down_cost_nobody_else(project, api, order, changed):
    """In ascending order a change on page 1 moves the first row of page 3 to page 2."""
    api.users, api.order = users(350), order
    break_off(project, api, 3)
    api.clock += timedelta(minutes=30)
    api.change(changed, balance=0.5)
    if order == "storage":
        api.move(changed, 340)
    project.sync(api)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and outcome.rows[changed]["balance"] == 0.5


def test_a_source_without_an_order_is_read_again_after_an_outage(project, api):
    api.users, api.order = users(350), "shuffled"
    break_off(project, api, 4)
    for _ in range(4):
        outcome = project.sync(api)
    assert len(outcome.rows) == 350


def test_going_on_uses_the_filter_of_the_walk_not_the_newest_value(project, api):
    """Unsorted rows: page 1 holds the newest user, whose time must not become the filter."""
    api.users, api.order = users(350), "-updated_at"
    broken = break_off(project, api, 2)
    assert broken.cursor == api.users[-1]["updated_at"]
    outcome = project.sync(api)
    assert {since for _, since in api.requests} == {None}
    assert len(outcome.rows) == 350


def test_then_the_window_is_read_from_page_1_because_rows_may_have_moved(project, api):
    api.users = users(350)
    break_off(project, api, 3)
    project.sync(api)
    assert api.pages_asked() == [3, 4, 5, 5, 6, 1, 1, 2, 3, 4, 5, 5, 6]


@pytest.mark.parametrize("per_page", [25, 100, 350, 1000])
def test_an_interrupted_pass_keeps_its_page_size(project, api, per_page):
    api.users, api.page_cap = users(350), 1000
    resume = {"updated_since": None, "page": 2, "per_page": per_page}
    assert len(project.sync(api, state={"resume": resume}).rows) == 350
    assert api.sizes[0] == per_page and api.requests[0] == (2, None)


@pytest.mark.parametrize("days", [0.9, 30, -1])
def test_an_interrupted_pass_is_gone_on_with_whatever_its_age(project, api, days):
    """By the server's clock, which also may have been set back since."""
    api.users = users(350)
    break_off(project, api, 3)
    api.clock += timedelta(days=days)
    api.change("E00010", balance=0.5)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and outcome.rows["E00010"]["balance"] == 0.5
    assert {since for _, since in api.requests} == {None}


def test_a_change_after_its_row_was_read_and_before_a_slow_page_1_is_synced(project, api):
    """The row is read on page 3, changes, and page 1 is answered two hours later. A cursor that
    counts from that answer would stand behind the change."""
    api.users, api.order = users(350), "id"
    api.strict = True
    break_off(project, api, 3)
    row = api.users[250]

    def change(api):
        api.clock += timedelta(minutes=1)
        row.update({"updated_at": text(api.clock), "balance": 0.5})
        api.clock += timedelta(hours=2)

    api.before_page[1] = change
    api.cache, api.cached = 9999, {}
    project.sync(api)
    api.cache, api.cached = 0, {}
    assert project.sync(api).rows["E00251"]["balance"] == 0.5


def test_an_outage_that_goes_on_ends_the_sync_at_the_page_where_it_was(project, api, clock):
    api.users = users(350)
    broken = break_off(project, api, 3)
    clock.sleeps.clear()
    api.faults = [Fault(page=3, times=99, status=503)]
    outcome = project.sync(api)
    assert outcome.failed and outcome.state == broken.state
    assert set(api.pages_asked()) == {3} and len(clock.sleeps) == 7


def test_a_page_that_is_refused_by_now_does_not_hold_a_sync_up(project, api):
    """Its users were removed, and past the end the API answers 404."""
    api.users, api.past_end = users(350), "404"
    break_off(project, api, 4)
    api.users = api.users[:150]
    outcome = project.sync(api)
    assert not outcome.failed and "resume" not in outcome.state
    assert len(outcome.rows) == 300  # nobody is deleted from the destination


@pytest.mark.parametrize("resume", [{"updated_since": None, "page": 3, "per_page": 100}])
@pytest.mark.parametrize("torn", [True, False, "?"])
@pytest.mark.parametrize("started_at", ["2026-02-28T12:00:00+00:00", "soon", None])
def test_a_state_of_an_older_version_is_gone_on_with(project, api, resume, torn, started_at):
    api.users = users(350)
    state = {"last_sync_time": api.users[199]["updated_at"]}
    state["resume"] = {**resume, "torn": torn, "started_at": started_at}
    outcome = project.sync(api, state=state)
    assert len(outcome.rows) == 350 and api.requests[0] == (3, None)
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


@pytest.mark.parametrize(
    "path, value",
    [
        ("resume", "page 3"),
        ("resume.page", 0),
        ("resume.page", "3"),
        ("resume.page", None),
        ("resume.page", True),
        ("resume.per_page", -1),
        ("resume.updated_since", "soon"),
    ],
)
def test_a_stored_value_that_cannot_be_read_is_an_error_that_names_it(project, api, path, value):
    resume = {"updated_since": None, "page": 2, "per_page": 100}
    if path == "resume":
        resume = value
    else:
        resume[path.split(".")[1]] = value
    outcome = project.sync(api, state={"last_sync_time": text(NOON), "resume": resume})
    assert outcome.failed and f"{path} is missing or unreadable" in outcome.log
    assert api.requests == []


def test_an_outage_in_the_second_pass_is_gone_on_with(project, api):
    api.users = users(350)
    api.before_page[3] = lambda api: api.change("E00010")
    outage = Fault(page=2, times=0, status=503)
    api.faults = [outage]
    api.before_answer = lambda page: setattr(outage, "times", 99 * (99 in api.sizes))
    assert project.sync(api).failed
    api.before_answer, api.faults = None, []
    assert len(project.sync(api).rows) == 350


SCRIPT = """
import json, os, sys
sys.path[:0] = sys.argv[3:]
import connector
seen = []
checkpoint = connector.op.checkpoint
def die(state):
    checkpoint(state)
    seen.append(state)
    if len(seen) == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
connector.op.checkpoint = die
connector.connector.debug(os.getcwd(), json.loads(sys.argv[1]), {})
"""


@pytest.mark.parametrize("order", ["updated_at", "-updated_at"])
def test_a_kill_between_two_checkpoints_loses_nothing(project, api, order):
    api.users, api.order = users(350), order
    project.sync(api, state={"last_sync_time": text(NOON)})  # makes the warehouse
    configuration = json.dumps({"api_key": KEY, "base_url": api.url})
    folders = [str(Path(__file__).parent.parent)]
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, configuration, "2", *folders],
        cwd=project.folder,
        env=os.environ,
        capture_output=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert project.state()["resume"]["page"] == 3
    assert len(project.table()[0]) == 200
    api.requests.clear()
    assert len(project.sync(api).rows) == 350
    assert api.pages_asked()[0] == 3


def test_users_hired_while_it_is_down_arrive(project, api):
    api.users = users(350)
    break_off(project, api, 2)
    api.clock += timedelta(minutes=5)
    api.insert(user(900, api.clock))
    project.sync(api)
    assert "E00900" in project.sync(api).rows
