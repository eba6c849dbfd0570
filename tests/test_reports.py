"""What a sync warns of: each thing once, in the log and the dashboard, without a user's value."""

from datetime import timedelta

import pytest

from fake_awardco import NOON, UPDATED_SINCE, text, user, users

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


def test_a_source_without_any_change_date_is_reported(warn, api):
    api.keeps_nulls = True
    for state in ({}, {"last_sync_time": text(LONG_AGO)}):  # nor is the filter called unknown
        (warning,) = warn([user(n) for n in range(20)], state)
        assert "No user has a value in updated_at" in warning


# --- unreadable values, and the API's own total


def test_the_total_of_everybody_is_no_reason_to_warn_an_incremental_sync(warn, api):
    api.total, api.unlisted = "total", 500
    assert warn(users(150), {"last_sync_time": users(150)[100]["updated_at"]}) == []


def test_a_full_read_that_finds_nobody_is_reported(project, warn):
    """From nothing it fails: it can be a re-sync, after which Fivetran would mark everybody."""
    for users_before in (150, 0):
        state = {"users": users_before, "last_full_sync": "2026-01-01T00:00:00Z"}
        (warning,) = warn([], state)
        assert warning.startswith("The API returned no users to store: check that the key may see")
    assert warn([], {"last_sync_time": "2026-01-01T00:00:00Z"}) == []


# --- the filter


@pytest.mark.parametrize(
    "older, others, seconds, is_told",
    [
        (15, 15, 1, True),
        (14, 16, 1, False),
        (5, 295, 1, False),
        (300, 0, 1, True),
        (30, 0, 0, False),
    ],
)
def test_a_filter_is_called_unknown_if_half_of_who_came_are_two_days_older_than_it(
    warn, api, older, others, seconds, is_told
):
    """A date alone, a missing zone, and times that the API compares but does not show can explain
    fewer, or less."""
    api.filter_param, long_before = None, LONG_AGO - TWO_DAYS - timedelta(seconds=seconds)
    found = [user(n, long_before if n < older else LONG_AGO) for n in range(older + others)]
    warnings = warn(found, {"last_sync_time": text(LONG_AGO)})
    advice = f"The API does not know the filter `{UPDATED_SINCE}`: set updated_since_param"
    assert [warning.startswith(advice) for warning in warnings] == [True] * is_told


def test_a_filter_that_is_refused_is_reported_with_what_the_api_said(project, warn, api):
    api.filter_takes = lambda since: False
    (warning,) = warn(users(30), {"last_sync_time": users(30)[0]["updated_at"]})
    assert f"filter `{UPDATED_SINCE}`" in warning
    assert "updated_since must not be older than 90 days" in warning
    (line,) = [line for line in project.lines if line.startswith("Asking for page 1 without")]
    assert "HTTP 400; the API said: updated_since must not be older" in line


# --- all together


IN_ORDER = [
    "Users may be missing: no pass was whole",
    "The users end at a full page, so there may be more: Page ",
    "The API reports 153 users, but its pages brought ",
    "83 users came, fewer than four fifths of the 1000 of the last complete read: ",
    "No user has a value in email, balance, updated_at, created_at: ",
    "1 user without a usable employeeId, skipped",
    "249 unreadable values stored as null (balance: 83, created_at: 83, updated_at: 83); see",
]


def test_the_most_important_warnings_come_first_and_fivetran_shows_all(project, api):
    """The SDK drops all after the tenth."""
    api.users, api.order, api.page_cap = users(150), "storage", 100
    api.depth, api.past_end, api.total, api.unlisted = 100, "404", "total", 3
    for number, row in enumerate(api.users):
        wrong = {"balance": "much", "created_at": "once", "updated_at": "PRIVATE", "email": None}
        row.update({**wrong, "employeeId": None if number == 7 else row["employeeId"]})
    project.sync(api, state={"users": 1_000}, full_sync_day="7")
    told = [one for one in project.destination.warnings if "these settings" not in one]
    assert [line.startswith(start) for line, start in zip(told, IN_ORDER, strict=True)] == [
        True
    ] * 7
    assert "PRIVATE" not in str(told)
