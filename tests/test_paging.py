"""Where a pass ends: whatever the API makes of `page` and `per_page`, nobody is cut off."""

from datetime import timedelta

import pytest

import connector
from fake_awardco import NOON, user, users

ORDERS = ["storage", "updated_at", "-updated_at", "id"]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 350])
def test_pages_that_are_exactly_full_lose_nobody(project, api, count):
    api.users = users(count)
    assert len(project.sync(api).rows) == count


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cap", [1, 7])
def test_a_server_that_caps_per_page_is_read_to_its_end(project, api, cap, order):
    api.users, api.page_cap, api.order = users(22), cap, order
    assert len(project.sync(api).rows) == 22


def test_an_empty_source_leaves_no_cursor_and_costs_one_request(project, api):
    outcome = project.sync(api)
    assert outcome.state == {} and outcome.rows == {} and not outcome.failed
    assert len(api.requests) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_a_short_page_with_more_after_it_is_not_the_end(project, api, order):
    """The server filters after paging: 3 of 300 changed, and each page holds one of them."""
    api.users, api.order = users(300, NOON - timedelta(days=9)), order
    project.sync(api)
    api.filters_after_paging, api.order = True, "id"
    for number in (50, 150, 250):
        api.change(f"E{number:05d}", balance=0.5)
    rows = project.sync(api).rows
    changed = {number for number, row in rows.items() if row["balance"] == 0.5}
    assert changed == {"E00050", "E00150", "E00250"}


def test_a_server_that_ignores_page_is_read_once(project, api):
    api.users, api.page_ignored = users(80), True
    outcome = project.sync(api)
    assert len(outcome.rows) == 80
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}
    assert len(api.requests) <= 6


def test_a_server_that_repeats_its_last_page_is_read_to_its_end(project, api):
    api.users, api.page_clamped = users(230), True
    outcome = project.sync(api)
    assert len(outcome.rows) == 230
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}
    assert len(api.requests) <= 9


@pytest.mark.parametrize("cap", [1, 10])
def test_rows_that_move_down_by_exactly_a_page_are_not_the_end(project, api, cap):
    """As many users are hired between two requests as a page holds: page 2 is page 1 again."""
    api.users, api.order, api.page_cap = users(22), "-updated_at", cap

    def hire(api):
        for number in range(100, 100 + cap):
            api.insert(user(number, api.clock))

    api.before_page[2] = hire
    outcome = project.sync(api)
    assert {row["employeeId"] for row in api.users[:22]} <= set(outcome.rows)


@pytest.mark.parametrize("order", ORDERS)
def test_users_with_one_and_the_same_timestamp_all_land(project, api, order):
    same = NOON - timedelta(days=3)
    api.users, api.order = [user(n, same) for n in range(1, 351)], order
    assert len(project.sync(api).rows) == 350
    assert len(project.sync(api).rows) == 350


@pytest.mark.parametrize("order", [*ORDERS, "shuffled"])
def test_any_order_lands_everybody(project, api, order):
    api.users, api.order = users(350), order
    for _ in range(4):  # a source without any order may need more than one sync
        outcome = project.sync(api)
    assert len(outcome.rows) == 350


def test_the_published_example_shape_loses_nobody(project, api):
    """5,000 users by change date: to move the filter while counting pages lands 900 of them."""
    api.users = users(5000)
    assert len(project.sync(api).rows) == 5000


def test_a_walk_that_never_ends_and_brings_nobody_new_is_an_error(project, api, monkeypatch):
    """The server ignores `page`, and no page equals the one before: the order is ever new."""
    monkeypatch.setattr(connector, "__MAX_IDLE_PAGES", 50)
    api.users, api.order, api.page_ignored = users(20), "shuffled", True
    outcome = project.sync(api)
    assert outcome.failed and "does not count pages by the parameter `page`" in outcome.log
    assert len(outcome.rows) == 20
    assert outcome.resume["updated_since"] is None
