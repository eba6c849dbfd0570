"""An API that drips, floods or dawdles: how long an answer may take, and how large it may be."""

import os
import subprocess
import sys

import pytest

import connector
from fake_awardco import KEY, Fault, users
from fivetran_api import PROJECT
from harness import Memory

HELPERS = PROJECT / "tests" / "helpers"
DRIPS = {
    "in the body": b"HTTP/1.1 200 -\r\nContent-Length: 1000000\r\n\r\n",
    "in a body without length": b"HTTP/1.1 200 -\r\nConnection: close\r\n\r\n",
    "in the headers": b"HTTP/1.1 200 -\r\nX-Long: ",
    "in the first line": b"HTTP/1.1 ",
}
each_drip = pytest.mark.parametrize("begin", DRIPS.values(), ids=DRIPS)


@pytest.fixture
def told(monkeypatch):
    """The warnings in the log."""
    lines = []
    monkeypatch.setattr(connector.log, "warning", lines.append)
    return lines


def sync(api) -> Memory:
    destination = Memory()
    destination.sync(api_key=KEY, base_url=api.url)
    return destination


def landed(api, destination) -> bool:
    return sorted(destination.rows) == sorted(row["employeeId"] for row in api.users)


# --- how long an answer may take


@each_drip
@pytest.mark.parametrize("page", [1, 2])
def test_an_answer_that_drips_is_given_up_and_asked_for_again(api, monkeypatch, told, begin, page):
    """Each byte comes well within the timeout of a read."""
    monkeypatch.setattr(connector, "__ANSWER_SECONDS", 0.3)
    api.users = users(3)
    api.faults = [Fault(page=page, kind="drip", body=begin)]
    assert landed(api, sync(api))
    assert api.pages_asked() == [1, 1, 2] if page == 1 else [1, 2, 2]
    assert len(told) == 1 and f"Page {page}: attempt 1 of 8: no complete answer within" in told[0]


def test_a_setup_test_does_not_wait_for_an_answer_that_drips(api, monkeypatch):
    monkeypatch.setattr(connector, "__ANSWER_SECONDS", 0.3)
    api.users = users(3)
    api.faults = [Fault(kind="drip", body=DRIPS["in the body"])]
    configuration = {"api_key": KEY, "base_url": api.url}
    assert connector.connector.run_test("connection_test", configuration).success
    assert api.pages_asked() == [1, 1]


def test_an_api_whose_every_answer_is_slow_is_read_to_its_end(api, monkeypatch, clock):
    """The time is for an answer, not for a sync."""
    monkeypatch.setattr(connector, "__ANSWER_SECONDS", 1)
    api.users = users(600)
    api.page_cap = 100
    api.latency = 0.15
    assert landed(api, sync(api))
    assert len(api.requests) * api.latency > 1 and clock.sleeps == []


# --- how large it may be


@pytest.mark.parametrize("kind", ["endless", "gigabyte"])
def test_an_answer_that_is_no_page_of_users_fails_at_once_and_says_so(
    api, monkeypatch, clock, kind
):
    monkeypatch.setattr(connector, "__MAX_BODY_BYTES", 1024 * 1024)
    api.faults = [Fault(times=99, kind=kind)]
    with pytest.raises(connector.SyncError) as caught:
        sync(api)
    assert "(attempt 1): the answer is larger than 1 MB, so it is no page" in str(caught.value)
    assert "check base_url" in str(caught.value)
    assert api.pages_asked() == [1] and clock.sleeps == []


def test_a_body_of_just_the_largest_size_is_read(api, monkeypatch):
    body = b'{"users": []}'
    api.faults = [Fault(status=200, body=body + b" " * (1024 * 1024 - len(body)))]
    monkeypatch.setattr(connector, "__MAX_BODY_BYTES", 1024 * 1024)
    assert sync(api).rows == {}


# --- to the exit of a real process


def run(script: str, *arguments) -> subprocess.CompletedProcess:
    """Run a script in a process of its own; the test fails where that does not end in seconds."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(HELPERS)])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


MEASURED = """
import resource, sys
import connector
from harness import Memory

def measure():  # in MB; Linux counts in KB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (
        20 if sys.platform == "darwin" else 10)

before = measure()
try:
    Memory().sync(api_key=sys.argv[1], base_url=sys.argv[2])
except connector.SyncError as error:
    print(measure() - before, error)
"""


@pytest.mark.parametrize("status", [200, 302, 404])
def test_a_gigabyte_in_a_megabyte_of_gzip_does_not_fill_the_memory(api, status):
    """Fivetran gives a connector one gigabyte. (A peak can be inherited from the process of the
    tests, so what counts is by how much it grows.)"""
    headers = {"Location": f"{api.url}/elsewhere"}
    api.faults = [Fault(times=99, kind="gigabyte", status=status, headers=headers)]
    ran = run(MEASURED, KEY, api.url)
    assert "the answer is larger than 64 MB" in ran.stdout, ran.stderr
    assert int(ran.stdout.split()[0]) < 180


DEBUGGED = """
import resource, sys, time
import connector

folder, key, url, largest_file = sys.argv[1:]
deliver_page = connector.deliver_page

def deliver_a_little_later(*arguments):
    time.sleep(0.3)  # so that page 2 is on its way
    deliver_page(*arguments)

connector.deliver_page = deliver_a_little_later
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest_file), limits[1]))
connector.connector.debug(folder, {"api_key": key, "base_url": url})
"""
ROOMY, FULL = 10**9, 10**6


@pytest.mark.parametrize(
    "page_1, largest_file, why",
    [
        ([{"id": number} for number in range(100)], ROOMY, "the API's answer has changed"),
        ([{**row, "about": "x" * 50_000} for row in users(100)], FULL, "File too large"),
    ],
    ids=["page 1 is useless", "the destination is full"],
)
def test_the_process_of_a_sync_that_failed_ends_although_the_page_ahead_drips(
    api, tmp_path, page_1, largest_file, why
):
    (tmp_path / "connector.py").touch()
    api.faults = [Fault(page=1, times=2, status=200, body={"users": page_1})]
    api.faults += [Fault(page=2, times=99, kind="drip", body=DRIPS["in the body"])]
    ran = run(DEBUGGED, tmp_path, KEY, api.url, largest_file)
    assert ran.returncode == 1 and why in ran.stdout
    assert api.pages_asked() == [1, 1, 2]
