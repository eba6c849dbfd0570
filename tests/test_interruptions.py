"""A sync that fails or is killed keeps what it delivered, and the next one begins at page 1."""

from datetime import timedelta

import pytest

from fake_awardco import NOON, Fault, text, user, users

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
    outcome.filters = {since for _, since in api.requests}
    api.faults, api.requests = [], []
    return outcome


@pytest.mark.parametrize("page", [1, 3, 4])
def test_what_was_read_before_an_outage_is_kept_and_the_next_sync_begins_at_page_1(
    in_memory, api, page
):
    api.users = users(350)
    broken = break_off(in_memory, api, page)
    assert len(broken.rows) == 100 * (page - 1) and broken.state == {}
    outcome = in_memory.sync(api)
    assert len(outcome.rows) == 350 and api.pages_asked()[:2] == [1, 2]
    assert outcome.cursor == api.users[-1]["updated_at"]


def test_a_sync_that_fails_leaves_the_state_and_the_filter_as_they_were(in_memory, api):
    """The newest users come first: their times must not become the filter. Nor is it dropped,
    since a later page that fails is no refusal of it."""
    api.users, api.order = users(350), "-updated_at"
    before = in_memory.sync(api).state
    api.clock += timedelta(days=1)
    for number in range(1, 351):
        api.change(f"E{number:05d}", balance=0.5)
    api.clock += timedelta(days=1)  # so that each change could be the cursor
    api.requests.clear()
    broken = break_off(in_memory, api, 3)
    assert broken.state == before and broken.filters == {before["last_sync_time"]}
    outcome = in_memory.sync(api)
    assert {since for _, since in api.requests} == {before["last_sync_time"]}
    assert all(row["balance"] == 0.5 for row in outcome.rows.values())


def test_each_page_is_checkpointed_with_the_state_that_the_sync_began_with(in_memory, api):
    api.users = users(350)
    began = {"last_sync_time": text(NOON - timedelta(days=30))}
    ended = in_memory.sync(api, state=began).state
    operations = in_memory.destination.operations
    assert [what for what, _ in operations].count("upsert") == 350
    states = [state for what, state in operations if what == "checkpoint"]
    assert states == [began] * 4 + [ended] and ended["last_sync_time"] > began["last_sync_time"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("changed", ["E00010", "E00230"])
def test_users_that_change_between_a_failed_sync_and_the_next_cost_nobody_else(
    in_memory, api, order, changed
):
    """In ascending order a change on page 1 moves the first row of page 3 to page 2."""
    api.users, api.order = users(350), order
    break_off(in_memory, api, 3)
    api.clock += timedelta(minutes=30)
    api.change(changed, balance=0.5)
    api.insert(user(900, api.clock))
    outcome = in_memory.sync(api)
    assert len(outcome.rows) == 351 and outcome.rows[changed]["balance"] == 0.5


def test_other_names_in_a_state_are_passed_over(project, api):
    """A newer version has been rolled back."""
    api.users = users(350)
    began = {"last_sync_time": text(NOON - timedelta(days=30)), "bookmark": {"page": 3}}
    outcome = project.sync(api, state=began)
    assert len(outcome.rows) == 350 and set(outcome.state) == {"last_sync_time", "source"}


# --- killed


def completes_after_a_kill(project, api, kills, point: str):
    api.users = users(350)
    project.sync(api, state={"last_sync_time": text(NOON)})  # makes the warehouse
    (project.folder / "files" / "state.json").write_text("{}")
    kills.sync(project, api, point)
    assert "last_sync_time" not in project.state() or point == "flush 6"
    outcome = project.sync(api)
    assert len(outcome.rows) == 350 and not outcome.failed
    assert outcome.cursor == api.users[-1]["updated_at"]


def test_a_kill_between_two_checkpoints_loses_nobody(project, api, kills):
    completes_after_a_kill(project, api, kills, "upsert 201")


# A first sync of four pages makes 7 requests, since page 5 is empty, and so are page 6 and page 5
# asked again; and 5 checkpoints.
OPERATIONS = {
    "request": range(1, 8),
    "upsert": (1, 100, 101, 200, 201, 300, 301, 350),
    "flush": range(1, 7),
    "state": range(1, 6),
}


def test_the_operations_of_a_sync_are_all_that_it_has(in_memory, api):
    """So that the list is complete."""
    api.users = users(350)
    in_memory.sync(api)
    checkpoints = [what for what, _ in in_memory.destination.operations if what == "checkpoint"]
    assert (len(api.requests), len(checkpoints)) == (7, 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", [f"{what} {number}" for what, numbers in OPERATIONS.items() for number in numbers]
)
def test_a_kill_at_any_point_loses_nobody(project, api, kills, point):
    completes_after_a_kill(project, api, kills, point)
