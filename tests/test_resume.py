"""A sync that died goes on where it was, with its own filter, and loses nothing."""

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


def break_off(project, api, page):
    """A sync that meets an outage at `page`."""
    api.faults = [Fault(page=page, times=99, status=503)]
    outcome = project.sync(api)
    assert outcome.failed
    api.faults, api.requests = [], []
    return outcome


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_what_was_read_before_an_outage_is_kept_and_not_read_again(project, api, page):
    api.users = users(350)
    broken = break_off(project, api, page)
    assert len(broken.rows) == 100 * (page - 1)
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and min(api.pages_asked()) == page
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


def test_the_state_of_an_unfinished_sync_says_where_to_go_on(project, api):
    api.users = users(350)
    first = project.sync(api)
    api.clock += timedelta(days=1)
    for number in range(1, 351):
        api.change(f"E{number:05d}")
    broken = break_off(project, api, 3)
    assert broken.resume == {
        "updated_since": first.cursor,
        "page": 3,
        "per_page": 100,
        "started_at": "2026-03-02T12:00:00+00:00",
        "torn": True,  # the rows changed within an hour of the start
    }
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


def test_a_walk_of_another_page_size_starts_its_window_again(project, api):
    api.users = users(350)
    broken = break_off(project, api, 3)
    state = {**broken.state, "resume": {**broken.resume, "per_page": 50}}
    assert len(project.sync(api, state=state).rows) == 350
    assert api.requests[0] == (1, None)


@pytest.mark.parametrize("days", [1.01, 30, -1])
def test_a_walk_that_began_over_a_day_ago_starts_its_window_again(project, api, days):
    """By the server's clock, which also may have been set back since."""
    api.users = users(350)
    break_off(project, api, 3)
    api.clock += timedelta(days=days)
    assert len(project.sync(api).rows) == 350
    assert {1, 2, 3, 4} <= set(api.pages_asked())
    assert {since for _, since in api.requests} == {None}


def test_a_walk_of_less_than_a_day_goes_on(project, api):
    api.users = users(350)
    break_off(project, api, 3)
    api.clock += timedelta(hours=23)
    project.sync(api)
    assert 1 not in api.pages_asked()


def test_an_old_walk_that_has_nothing_left_is_read_again(project, api):
    """It would end at once, and take what changed meanwhile on its pages for read."""
    api.users = users(100)
    break_off(project, api, 2)
    api.clock += timedelta(days=2)
    api.change("E00001", balance=0.5)
    assert project.sync(api).rows["E00001"]["balance"] == 0.5


@pytest.mark.parametrize(
    "path, value",
    [
        ("resume", "page 3"),
        ("resume.page", 0),
        ("resume.page", "3"),
        ("resume.page", None),
        ("resume.page", True),
        ("resume.per_page", -1),
        ("resume.started_at", "now"),
        ("resume.started_at", None),
        ("resume.updated_since", "soon"),
    ],
)
def test_a_stored_walk_that_cannot_be_read_is_an_error_that_names_it(project, api, path, value):
    resume = {"updated_since": None, "page": 2, "per_page": 100, "started_at": text(NOON)}
    if path == "resume":
        resume = value
    else:
        resume[path.split(".")[1]] = value
    outcome = project.sync(api, state={"last_sync_time": text(NOON), "resume": resume})
    assert outcome.failed and f"{path} is missing or unreadable" in outcome.log
    assert api.requests == []


def test_an_outage_while_looking_again_keeps_the_doubt(project, api):
    """The second pass dies; what the first was torn by is not forgotten with it."""
    api.users = users(350)
    api.before_page[3] = lambda api: api.change("E00010")
    api.faults = [Fault(page=2, times=99, status=503)]
    api.faults[0].times = 0

    def fail_in_the_second_pass(page):
        if page == 1 and api.pages_asked().count(1) == 2:
            api.faults[0].times = 99

    api.before_answer = fail_in_the_second_pass
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
    assert min(api.pages_asked()) == 3


def test_users_hired_while_it_is_down_arrive(project, api):
    api.users = users(350)
    break_off(project, api, 2)
    api.clock += timedelta(minutes=5)
    api.insert(user(900, api.clock))
    project.sync(api)
    assert "E00900" in project.sync(api).rows
