"""Any conventions together: two syncs leave the table equal to the source, or say why they do not.

Pages hold 4 users, large ones 12, so that few users make many pages.
"""

from datetime import timedelta, timezone

import pytest
import pytz
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import KEY, NOON, PAST_END, FakeAwardco, users
from harness import Clock, Memory

PAGE_SIZE, LARGE_PAGE_SIZE = 4, 12
ZONES = [timezone(timedelta(hours=hours)) for hours in (-8, -7, 0, 5.5, 13)]

CONVENTIONS = st.fixed_dictionaries(
    {
        "past_end": st.sampled_from(list(PAST_END)),
        "signed": st.booleans(),
        "order": st.sampled_from(["storage", "updated_at", "-updated_at", "id"]),
        "page_cap": st.sampled_from([1, 2, 3, 4, 5, 11, 12, 1000]),
        "offset_from_asked": st.booleans(),
        "accepts": st.sampled_from(
            [
                lambda per_page: True,
                lambda per_page: per_page <= 4,
                lambda per_page: per_page in (2, 4),
            ]
        ),
        "size_refusal": st.sampled_from([400, 422]),
        "strict": st.booleans(),
        "keeps_nulls": st.booleans(),
        "total": st.sampled_from([None, "total", "meta.count"]),
        "zone": st.sampled_from([None, *ZONES, pytz.timezone("America/New_York")]),
        "dates_only": st.booleans(),
        "mixed": st.booleans(),
    }
)


def is_beyond_anybody(api: FakeAwardco) -> bool:
    """Whether nobody could read all of this API, or know that there is more."""
    if api.past_end == "page 1":  # it ignores `page`, and its cap looks like the end of its users
        return api.page_cap < len(api.users) and api.page_cap not in (PAGE_SIZE, LARGE_PAGE_SIZE)
    # It skips users, and its cap is no usual one: nothing shows that the small window went on.
    return api.offset_from_asked and api.page_cap in (1, 3)


def sync(api: FakeAwardco, destination: Memory) -> bool:
    """Whether a sync ended well; if not, it must have said why."""
    try:
        destination.sync(api_key=KEY, base_url=api.url)
        return True
    except connector.SyncError as error:
        assert "Page" in str(error) or "page" in str(error), error
        return False


def stays_complete(conventions: dict, count: int, changed: list, hours: float):
    with FakeAwardco(users(count, NOON - timedelta(minutes=1)), **conventions) as api:
        if is_beyond_anybody(api):
            event("nobody could read all of it")
            return
        destination = Memory()
        if sync(api, destination):
            assert len(destination.rows) == count
        api.clock += timedelta(seconds=1)
        for number in {number % count + 1 for number in changed}:
            api.change(f"E{number:05d}", version="2")
        api.clock += timedelta(hours=hours)
        if sync(api, destination):
            found = {key: row.get("version") for key, row in destination.rows.items()}
            assert found == {row["employeeId"]: row.get("version") for row in api.users}
            event("complete")
        else:
            event("an error that says why")
            # Of a page that is full and comes for ever, and of which no other size tells whether
            # it is all, it must be assumed that it is not. No other convention may end so.
            assert api.past_end in ("page 1", "last page")


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connector, "__PAGE_SIZE", PAGE_SIZE)
        patch.setattr(connector, "__LARGE_PAGE_SIZE", LARGE_PAGE_SIZE)
        patch.setattr(connector, "__USUAL_CAPS", {2, PAGE_SIZE})
        patch.setattr(connector, "sleep", Clock().sleep)
        patch.setenv("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
        yield


CONFIGURED = {"deadline": None, "suppress_health_check": list(HealthCheck)}
SITUATION = {
    "conventions": CONVENTIONS,
    "count": st.integers(1, 40),
    "changed": st.lists(st.integers(0, 40), max_size=20),
    "hours": st.sampled_from([0, 0.5, 5, 30, 100]),
}


@given(**SITUATION)
@settings(max_examples=150, **CONFIGURED)
def test_whatever_the_conventions_two_syncs_leave_nobody_out(conventions, count, changed, hours):
    stays_complete(conventions, count, changed, hours)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(**SITUATION)
@settings(max_examples=5000, derandomize=False, **CONFIGURED)
def test_whatever_the_conventions_two_syncs_leave_nobody_out_at_length(
    conventions, count, changed, hours
):
    stays_complete(conventions, count, changed, hours)
