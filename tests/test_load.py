"""100,000 users, and one request in twenty fails."""

import random

import pytest

from fake_awardco import FakeAwardco, Fault, users

FAULTS = [dict(status=status) for status in (408, 425, 429, 500, 502, 503, 504)]
FAULTS += [dict(kind=kind) for kind in ("reset", "cut", "gzip")]
FAULTS += [dict(status=200, body=b"<html>busy</html>")]


@pytest.fixture(scope="module")
def api():
    """Fails at random, but the same at each run."""
    chance = random.Random(20)
    with FakeAwardco(users(100_000), order="storage", page_cap=100) as api:

        def fail_at_random(page):
            if chance.random() < 0.05:
                api.faults = [Fault(page=page, **chance.choice(FAULTS))]

        api.before_answer = fail_at_random
        yield api


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_users_land_although_one_request_in_twenty_fails(project, api):
    outcome = project.sync(api)
    assert len(outcome.rows) == 100_000
    assert outcome.cursor == api.users[-1]["updated_at"]
    assert len(api.requests) > 1001 + 20  # some did fail
