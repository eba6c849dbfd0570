"""What a sync warns of: each thing once, in the log and the dashboard, without a user's value."""

from datetime import timedelta

import pytest

from fake_awardco import NOON, UPDATED_SINCE, user, users

TWO_DAYS = timedelta(days=2)
LONG_AGO = NOON - timedelta(days=9)


@pytest.fixture
def project(in_memory):
    return in_memory


@pytest.fixture
def warn(in_memory, api):
    """The warnings of a first sync of these users, or of an incremental sync of them."""

    def warn(found, state=None):
        api.users, api.order = found, "storage"
        outcome = in_memory.sync(api, state=state or {})
        assert not outcome.failed, outcome.log
        warnings = in_memory.destination.warnings
        assert [in_memory.lines.count(warning) for warning in warnings] == [1] * len(warnings)
        return warnings

    return warn


def test_a_sync_in_which_all_is_well_warns_of_nothing(warn, api):
    api.total = "total"
    assert warn(users(250)) == []
    assert warn(users(250), {"last_sync_time": users(250)[100]["updated_at"]}) == []


# --- users who share an identifier


def test_users_who_share_an_identifier_are_counted(project, warn, api):
    api.page_cap = 100
    found = users(150)
    for place, same in ((3, 2), (50, 49), (149, 0)):  # two pairs on page 1, one across pages
        found[place]["employeeId"] = found[same]["employeeId"]
    (warning,) = warn(found)
    assert warning.startswith("6 users share an employeeId")
    assert len(project.destination.rows) == 147


def test_a_placeholder_for_a_missing_identifier_is_counted(project, warn):
    found = users(150)
    for row in found[60:100]:
        row["employeeId"] = "N/A"
    (warning,) = warn(found)
    assert warning.startswith("40 users share an employeeId")
    assert len(project.destination.rows) == 111 and "N/A" not in warning


def test_users_who_move_in_each_pass_share_no_identifier(warn, api):
    """Each pass meets one of them twice. The second is whole: it missed only who was known."""
    api.page_cap = 100
    api.before_answer = lambda page: page == 2 and api.move(api.users[0]["employeeId"], 249)
    assert warn(users(250)) == []
    assert api.pages_asked().count(1) == 2


# --- columns without a value


def test_declared_columns_in_which_no_user_has_a_value_are_named(warn):
    found = users(150)
    for row in found:
        del row["balance"]
        row["email"] = ""
        row["givenName"] = row.pop("firstName")
    (warning,) = warn(found)
    assert "No user has a value in firstName, email, balance" in warning


def test_one_value_in_a_column_is_enough_and_zero_is_one(warn):
    found = [{**row, "email": None, "balance": None} for row in users(150)]
    found[149]["email"] = "somebody@example.com"
    found[0]["balance"] = 0
    assert warn(found) == []


def test_columns_are_judged_by_20_users_at_least(warn):
    found = [{**row, "email": None} for row in users(20)]
    assert len(warn(found)) == 1
    assert warn(found[1:]) == []


def test_columns_are_judged_by_changes_too(warn):
    """An API may send only what changed."""
    found = [{**row, "email": None} for row in users(20)]
    assert len(warn(found, {"last_sync_time": found[0]["updated_at"]})) == 1
    assert warn(found, {"last_sync_time": found[1]["updated_at"]}) == []


def test_a_source_without_any_change_date_is_reported(warn):
    (warning,) = warn([user(n) for n in range(20)])
    assert "No user has a value in updated_at" in warning


# --- unreadable values, and the API's own total


@pytest.mark.parametrize("total", ["count", "total", "totalCount", "meta.total_records"])
def test_fewer_users_than_the_apis_own_total_are_reported(warn, api, total):
    api.total, api.unlisted = total, 3
    (warning,) = warn(users(150))
    assert "153 users" in warning and "150" in warning
    api.unlisted = 0
    assert warn(users(150)) == []


@pytest.mark.parametrize(
    "total", ["totalPoints", "total_balance", "totalAmount", "totalPageCount", "meta.totalPoints"]
)
def test_a_total_of_something_else_is_not_taken_for_a_number_of_users(warn, api, total):
    """Else each sync would tell that most users are missing, and nobody would ever be marked."""
    api.total, api.unlisted = total, 900_000
    assert warn(users(150)) == []


def test_the_total_of_everybody_is_no_reason_to_warn_an_incremental_sync(warn, api):
    api.total, api.unlisted = "total", 500
    assert warn(users(150), {"last_sync_time": users(150)[100]["updated_at"]}) == []


def test_a_full_read_that_finds_nobody_is_reported(warn):
    (warning,) = warn([])
    assert warning.startswith("The API returned no users to store: check that the key may see")
    assert warn([], {"last_sync_time": "2026-01-01T00:00:00Z"}) == []


# --- the filter


def test_a_filter_that_is_ignored_is_reported(warn, api):
    api.filter_param = None
    found = [user(1, LONG_AGO - TWO_DAYS - timedelta(seconds=1)), *users(30, LONG_AGO)[1:]]
    (warning,) = warn(found, {"last_sync_time": found[-1]["updated_at"]})
    assert f"filter `{UPDATED_SINCE}`" in warning and "updated_since_param" in warning


def test_users_two_days_older_than_the_filter_are_no_reason_to_warn(warn, api):
    """A date alone, a missing zone and a settling time of the API can explain them."""
    api.filter_param = None
    found = [user(1, LONG_AGO - TWO_DAYS), *users(30, LONG_AGO)[1:]]
    assert warn(found, {"last_sync_time": found[-1]["updated_at"]}) == []


def test_a_filter_that_is_refused_is_reported_with_what_the_api_said(warn, api):
    api.filter_takes = lambda since: False
    (warning,) = warn(users(30), {"last_sync_time": users(30)[0]["updated_at"]})
    assert f"filter `{UPDATED_SINCE}`" in warning
    assert "updated_since must not be older than 90 days" in warning
