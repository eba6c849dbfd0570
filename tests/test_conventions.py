"""Any conventions together: two syncs leave the table equal to the source, or say why they do not.

Pages hold 5 users, large ones 20, so that few users make many pages.
"""

import os
from datetime import timedelta, timezone

import pytest
import pytz
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import ENCODINGS, KEY, NOON, PAST_END, FakeAwardco, users
from harness import Clock, Memory

SMALL_PAGE, LARGE_PAGE = 5, 20
ZONES = [timezone(timedelta(hours=hours)) for hours in (-8, -7, 0, 5.5, 13)]

# Which sizes of a page the API does not refuse, and how it refuses the others.
SIZES = [
    (lambda per_page: True, 400),
    (lambda per_page: per_page <= 5, 400),
    (lambda per_page: per_page <= 5, 413),
    (lambda per_page: per_page <= 5, 504),
    (lambda per_page: per_page in (5, 20), 422),
]

CONVENTIONS = st.fixed_dictionaries(
    {
        "past_end": st.sampled_from(list(PAST_END)),
        "signed": st.booleans(),
        "order": st.sampled_from(["storage", "updated_at", "-updated_at", "id"]),
        "page_cap": st.sampled_from([5, 7, 20, 1000]),
        "offset_from_asked": st.booleans(),
        "sizes": st.sampled_from(SIZES),
        "filter_takes": st.sampled_from([lambda since: True, lambda since: len(since) == 10]),
        "status": st.sampled_from([200, 203, 206]),
        "encoding": st.sampled_from(list(ENCODINGS)),
        "float_keys": st.booleans(),
        "cookie": st.booleans(),
        "rate_limit": st.sampled_from([None, 3]),
        "strict": st.booleans(),
        "keeps_nulls": st.booleans(),
        "total": st.sampled_from([None, "total", "meta.count"]),
        "zone": st.sampled_from([None, *ZONES, pytz.timezone("America/New_York")]),
        "dates_only": st.booleans(),
        "mixed": st.booleans(),
    }
)


def is_beyond_anybody(api: FakeAwardco, count: int) -> bool:
    """Whether nobody could read all of this API, or know that there is more."""
    if api.past_end == "page 1":  # it ignores `page`, and a full page may not be all
        return count >= min(api.page_cap, SMALL_PAGE)
    if api.past_end == "last page" and count == SMALL_PAGE and not api.accepts(SMALL_PAGE - 1):
        return True  # so is its only page, if no smaller ones show that it has others
    return not api.accepts(api.page_cap) and count > api.page_cap  # it refuses the size of its cap


def sync(api: FakeAwardco, destination: Memory) -> bool:
    """Whether a sync ended well; if not, it must have said why."""
    try:
        destination.sync(api_key=KEY, base_url=api.url)
        return True
    except connector.SyncError as error:
        assert "Page" in str(error) or "page" in str(error), error
        return False


def stays_complete(conventions: dict, count: int, changed: list, hours: float):
    accepts, refusal = conventions["sizes"]
    others = {name: value for name, value in conventions.items() if name != "sizes"}
    source = users(count, NOON - timedelta(minutes=1))
    with FakeAwardco(source, accepts=accepts, size_refusal=refusal, **others) as api:
        if is_beyond_anybody(api, count):
            event("nobody could read all of it")
            return
        destination = Memory()
        if sync(api, destination):
            assert len(destination.rows) == count, api.requests
        api.clock += timedelta(seconds=1)
        for number in {number % count + 1 for number in changed}:
            api.change(f"E{number:05d}", version="2")
        api.clock += timedelta(hours=hours)
        if sync(api, destination):
            found = {key: row.get("version") for key, row in destination.rows.items()}
            assert found == {
                connector.identify(api.written(row, 0)): row.get("version") for row in api.users
            }
            event("complete")
        else:
            raise AssertionError("no convention that can be read may end so")


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connector, "__SMALL_PAGE", SMALL_PAGE)
        patch.setattr(connector, "__LARGE_PAGE", LARGE_PAGE)
        patch.setattr(connector, "__SMALLEST_CAP", 5)
        patch.setattr(connector, "time", Clock())
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
@settings(max_examples=50, **CONFIGURED)
def test_whatever_the_conventions_two_syncs_leave_nobody_out(conventions, count, changed, hours):
    stays_complete(conventions, count, changed, hours)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(**SITUATION)
@settings(max_examples=int(os.environ.get("EXAMPLES", "1000")), derandomize=False, **CONFIGURED)
def test_whatever_the_conventions_two_syncs_leave_nobody_out_at_length(
    conventions, count, changed, hours
):
    stays_complete(conventions, count, changed, hours)
