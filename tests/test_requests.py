"""An API that refuses, breaks off, says nonsense or says nothing: what is tried again, and how."""

import threading
from datetime import timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
import requests

import connector
from fake_awardco import KEY, NOON, FakeAwardco, Fault, user, users
from harness import Memory

ATTEMPTS = getattr(connector, "__MAX_ATTEMPTS")  # noqa: B009 - a class would mangle the name
BUSY = {"message": "busy"}
PASSING = {
    **{f"HTTP {n}": {"status": n, "body": BUSY} for n in (408, 425, 429, 500, 502, 503, 504)},
    "connection reset": {"kind": "reset"},
    "body cut short": {"kind": "cut"},
    "broken gzip": {"kind": "gzip"},
    "never answered": {"kind": "silent"},
    "HTML": {"status": 200, "body": b"<html>Be back soon</html>"},
    "no body": {"status": 200},
    "half of a JSON": {"status": 200, "body": b'{"users": [{"employeeId'},
    "not UTF-8": {"status": 200, "body": b'{"users": ["\xff"]}'},
    "nested too deep": {"status": 200, "body": b"[" * 100_000},
}


@pytest.fixture
def impatient(monkeypatch):
    """A read timeout for a server that never answers, where the others have their usual one."""

    def shorten(fault, seconds=0.2):
        if fault.get("kind") == "silent":
            monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (1, seconds))

    return shorten


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(connector, "__PAGE_SIZE", 10)


@pytest.fixture
def told(monkeypatch):
    """The warnings in the log."""
    lines = []
    monkeypatch.setattr(connector.log, "warning", lines.append)
    return lines


def sync(api, destination=None, **configuration) -> Memory:
    destination = destination or Memory()
    destination.sync(**{"api_key": KEY, "base_url": api.url, **configuration})
    return destination


def failure(api, destination=None, **configuration) -> str:
    with pytest.raises(connector.SyncError) as caught:
        sync(api, destination, **configuration)
    return str(caught.value)


def landed(api, destination) -> bool:
    return sorted(destination.rows) == sorted(row["employeeId"] for row in api.users)


# --- what is tried again


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_got_over(api, impatient, fault, times):
    impatient(fault)
    api.users = users(3)
    api.faults = [Fault(page=1, times=times, **fault)]
    assert landed(api, sync(api))
    assert api.pages_asked() == [1] * (times + 1) + [2]


def test_faults_of_all_kinds_in_a_row_are_got_over(api):
    api.users = users(3)
    for kinds in (["HTTP 503", "HTML", "broken gzip"], ["connection reset", "body cut short"]):
        api.faults += [Fault(page=1, **PASSING[kind]) for kind in kinds]
    assert landed(api, sync(api))


@pytest.mark.parametrize(
    "kind, why",
    [("HTTP 503", "HTTP 503; the API said: busy"), ("HTML", "HTTP 200, but the body is not JSON")]
    + [("connection reset", "the connection failed (Connection reset by peer)")]
    + [("never answered", "no answer in time (ReadTimeout)")],
)
def test_a_lasting_fault_ends_the_sync_with_its_reason(api, impatient, kind, why):
    impatient(PASSING[kind], 0.05)
    assert ATTEMPTS >= 5
    api.faults = [Fault(times=99, **PASSING[kind])]
    message = f"Page 1 of the users could not be read (attempt {ATTEMPTS}): {why}"
    assert failure(api) == message
    assert api.pages_asked() == [1] * ATTEMPTS


def test_a_server_that_is_gone_is_asked_again_and_then_named_as_such(clock):
    with FakeAwardco() as api:
        url = api.url
    assert "the connection failed (Connection refused)" in failure(api, base_url=url)
    assert len(clock.sleeps) == ATTEMPTS - 1


def test_connections_are_kept(api, small_pages, monkeypatch):
    accept, accepted = api.server.process_request, []

    def counted(request, address):
        accepted.append(address)
        accept(request, address)

    monkeypatch.setattr(api.server, "process_request", counted)
    api.users = users(200)
    assert landed(api, sync(api))
    assert len(api.requests) > 20 and len(accepted) <= 4


def test_each_request_carries_the_headers(api):
    sync(api)
    for headers in api.headers:
        assert headers["apiKey"] == KEY
        assert headers["Accept"] == "application/json"
        assert headers["User-Agent"].startswith("fivetran-awardco")


# --- how long it waits


def waits(api, clock, attempts) -> list:
    clock.sleeps.clear()
    api.faults = [Fault(times=attempts - 1, status=503)]
    sync(api)
    return clock.sleeps.copy()


def test_waits_double_up_to_a_minute(api, clock, monkeypatch):
    monkeypatch.setattr(connector, "__MAX_ATTEMPTS", 13)
    slept = waits(api, clock, 13)
    assert len(slept) == 12
    assert all(0.75 <= wait / 2**n <= 1.26 for n, wait in enumerate(slept[:6]))
    assert slept[7:] == pytest.approx([60] * 5)
    assert max(slept) < 60.001


def test_waits_have_jitter_so_that_clients_do_not_return_together(api, clock):
    assert waits(api, clock, 5) != waits(api, clock, 5)
    first = [waits(api, clock, 2)[0] for _ in range(20)]
    assert max(first) - min(first) > 0.1


@pytest.fixture
def noon(monkeypatch):
    """urllib3 reads the date of a Retry-After against this clock."""
    stopped = SimpleNamespace(time=lambda: NOON.timestamp())
    monkeypatch.setattr(requests.packages.urllib3.util.retry, "time", stopped)


def http_date(**later) -> str:
    return format_datetime(NOON + timedelta(**later), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "value, seconds",
    [("17", 17), (" 600 ", 600), (http_date(seconds=90), 90), (http_date(seconds=600), 600)],
)
def test_the_api_says_how_long_to_wait(api, clock, noon, status, value, seconds):
    api.faults = [Fault(status=status, headers={"Retry-After": value})]
    sync(api)
    assert clock.sleeps == pytest.approx([seconds])


@pytest.mark.parametrize(
    "value",
    ["soon", "", "-5", "1.5", "Wed, 99 Foo 2026 99:99:99 GMT", "Wed, 01 Jan 99999 00:00:00 GMT"]
    + ["0", http_date(hours=-1), "\xff"],
)
def test_nonsense_for_a_wait_means_the_ordinary_one(api, clock, noon, value):
    api.faults = [Fault(status=503, headers={"Retry-After": value})]
    sync(api)
    assert len(clock.sleeps) == 1 and 0.74 < clock.sleeps[0] < 1.26


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "value, seconds",
    [("601", 601), (http_date(minutes=11), 660), ("86400", 86400), (http_date(days=7), 604800)],
)
def test_hours_of_waiting_are_not_slept_but_told(api, clock, noon, status, value, seconds):
    api.faults = [Fault(times=99, status=status, headers={"Retry-After": value}, body=BUSY)]
    message = failure(api)
    assert f"HTTP {status}" in message and f"asks to wait {seconds} s" in message
    assert clock.sleeps == [] and api.pages_asked() == [1]


def test_no_number_is_too_long_to_fail_on(api, clock):
    api.faults = [Fault(status=503, headers={"Retry-After": "9" * 4000})]
    assert "asks to wait" in failure(api)
    assert clock.sleeps == []


# --- what it tells of it


def test_each_retry_is_one_line_with_page_attempt_reason_and_wait(project, api, clock):
    api.users = users(100)
    api.faults = [Fault(page=2, status=503, body={"message": "try\nlater"})]
    api.faults += [Fault(page=2, kind="reset"), Fault(page=2, status=200, body=b"<html>")]
    lines = project.sync(api).log_lines("attempt")
    reasons = [
        "HTTP 503; the API said: try later",
        "the connection failed (Connection reset by peer)",
        "HTTP 200, but the body is not JSON",
    ]
    assert len(lines) == 3 and all("WARNING" in line for line in lines)
    for number, (line, reason, wait) in enumerate(zip(lines, reasons, clock.sleeps, strict=True)):
        said = f"Page 2: attempt {number + 1} of {ATTEMPTS}: {reason}; next in {wait:.1f} s"
        assert line.endswith(said)


def test_half_an_emoji_in_an_error_is_no_reason_to_fail(api, told):
    """It cannot be printed nor saved: telling of it would end the sync, or hide why it did."""
    api.users = users(3)
    api.faults = [Fault(status=503, body=b'{"message": "busy \\ud83d"}')]
    assert landed(api, sync(api))
    api.faults = [Fault(status=403, body=b'{"message": "no \\ud83d"}')]
    for text in [*told, failure(api)]:
        assert "the API said" in text and text.encode()


# --- requests that are in flight at the same time


class Asleep:
    """A sleep in which time passes once `count` threads sleep, until the first of them wakes."""

    def __init__(self, clock, count):
        self.clock = clock
        self.wakes = []
        self.begun = threading.Event()
        self.barrier = threading.Barrier(count, self.pass_time, timeout=5)

    def pass_time(self):
        self.clock.seconds = min(self.wakes)
        self.wakes.clear()

    def __call__(self, closed, seconds):
        self.wakes.append(self.clock.seconds + seconds)
        self.begun.set()
        self.barrier.wait()


@pytest.mark.parametrize("told_so", [{"status": 429}, {"status": 503}])
def test_a_wait_that_the_api_asks_for_holds_all_requests_back(
    api, clock, monkeypatch, small_pages, told_so
):
    """Four are in flight, and one is told to wait while the others fail on their own account."""
    asleep, all_asked, arrivals = Asleep(clock, 4), threading.Event(), []
    monkeypatch.setattr(connector, "sleep", asleep)

    def before_answer(page):
        arrivals.append((page, clock.seconds))
        if len(arrivals) == 5:
            all_asked.set()

    api.before_answer = before_answer
    api.users = users(60)
    api.faults = [Fault(page=2, headers={"Retry-After": "30"}, gate=all_asked, **told_so)]
    api.faults += [Fault(page=page, status=503, gate=asleep.begun) for page in (3, 4, 5)]
    assert landed(api, sync(api))
    assert sorted(page for page, seconds in arrivals if seconds < 1029.9) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("retry_after", [{}, {"Retry-After": "30"}])
def test_after_a_refusal_for_rate_pages_are_asked_for_one_at_a_time_and_then_four_again(
    api, clock, told, small_pages, retry_after
):
    class FiveSecondsAPage(Memory):
        def checkpoint(self, checkpoint):
            super().checkpoint(checkpoint)
            clock.seconds += 5

    destination = FiveSecondsAPage()
    behind = {}  # page to the pages not yet applied when it was asked for
    api.before_answer = lambda page: behind.update({page: page - destination.checkpoints - 1})
    api.users = users(400)
    four_at_once = threading.Barrier(4)
    api.faults = [Fault(page=2, status=429, headers=retry_after)]
    api.faults += [Fault(page=n, kind="late", gate=four_at_once) for n in (25, 26, 27, 28)]
    assert landed(api, sync(api, destination))
    assert [behind[page] for page in range(6, 11)] == [0] * 5
    assert len(told) == 1 and "HTTP 429" in told[0]  # so the four did come together


def test_an_error_ends_what_is_in_flight(api, monkeypatch, small_pages):
    """Page 3 waits for minutes when page 2 fails for good."""
    asked, waiting, woken = threading.Event(), threading.Event(), []

    def sleep(closed, seconds):
        waiting.set()
        woken.append(closed.wait(5))

    monkeypatch.setattr(connector, "sleep", sleep)
    api.users = users(200)
    api.before_page = {2: lambda _: asked.set()}
    api.faults = [Fault(page=2, status=401, gate=waiting)]
    api.faults += [Fault(page=3, times=9, status=503, headers={"Retry-After": "500"}, gate=asked)]
    assert "Page 2 of the users could not be read (attempt 1): HTTP 401" in failure(api)
    assert woken and all(woken)
    assert max(api.pages_asked()) <= 5 and api.pages_asked().count(3) == 1


# --- what fails at once

FATAL = {
    400: "check updated_since_param and base_url",
    401: "check api_key",
    403: "check that api_key has the permission",
    404: "check base_url",
    405: "check base_url",
    418: "check base_url",
    501: "check base_url",
    201: "check base_url",
    206: "check base_url",
}


@pytest.mark.parametrize("status, advice", FATAL.items())
def test_a_refusal_fails_at_once_and_says_what_to_check(api, clock, status, advice):
    api.faults = [Fault(times=99, status=status, body={"message": "because\n  of this"})]
    message = failure(api)
    assert message.startswith(
        f"Page 1 of the users could not be read (attempt 1): HTTP {status}; {advice}"
    )
    assert message.endswith("; the API said: because of this")
    assert api.pages_asked() == [1] and clock.sleeps == []


def test_an_answer_without_a_body_fails_at_once(api):
    api.faults = [Fault(times=99, status=204)]
    assert failure(api).endswith("(attempt 1): HTTP 204; check base_url")


def test_the_real_refusals_of_the_fake_api_are_told(api):
    api.key = "another"
    assert "HTTP 401; check api_key" in failure(api)
    api.key = KEY
    assert "HTTP 404; check base_url" in failure(api, base_url=f"{api.url}/elsewhere")


@pytest.mark.parametrize(
    "body, said",
    [
        (b"plain text", "plain text"),
        (b"<html>\n<body>  Forbidden\r\n</body></html>", "<html> <body> Forbidden </body></html>"),
        ({"message": "m" * 201}, "m" * 200),
        (b"t" * 5000, "t" * 200),
        ({"message": "Größe"}, "Größe"),
    ],
)
def test_what_the_api_said_is_quoted_on_one_line_of_200_characters(api, body, said):
    api.faults = [Fault(status=403, body=body)]
    assert failure(api).partition("; the API said: ")[2] == said


def test_what_the_api_said_cannot_steer_a_terminal(api):
    api.faults = [Fault(status=403, body={"message": "\x1b[2J\x07all is well\x9b31m\u202e"})]
    message = failure(api)
    assert "all is well" in message and message.isprintable()


@pytest.mark.parametrize("body", [{"message": None}, {"message": {}}, {"message": [1]}, [], b"\0"])
def test_whatever_an_error_says_it_stays_an_error_that_helps(api, body):
    api.faults = [Fault(status=403, body=body)]
    assert "HTTP 403; check that api_key has the permission" in failure(api)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_host_is_named(api, status):
    with FakeAwardco(users(3)) as other:
        location = other.url.replace("127.0.0.1", "localhost") + "/api/users"
        api.faults = [Fault(times=99, status=status, headers={"Location": location})]
        message = failure(api)
        assert other.requests == []
    assert f"HTTP {status}, a redirect to localhost" in message
    assert "set base_url to the final address" in message
    assert api.pages_asked() == [1]


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "/login"}])
def test_a_redirect_to_no_host_fails_at_once_too(api, headers):
    api.faults = [Fault(times=99, status=302, headers=headers)]
    message = failure(api)
    assert "HTTP 302, a redirect to" in message and "base_url" in message
    assert api.pages_asked() == [1]


@pytest.mark.parametrize("location", ["http://[", "http://", "\xff", "http://a..b/"])
def test_a_redirect_to_nonsense_is_an_error_that_helps(api, location):
    """requests reads the location even where it must not follow it, and raises."""
    api.faults = [Fault(times=99, status=302, headers={"Location": location})]
    assert "base_url" in failure(api)
    assert api.pages_asked() == [1]


@pytest.mark.parametrize("host", ["a..b.example.com", "a" * 64 + ".example.com", ".example.com"])
def test_an_address_that_no_request_can_go_to_is_an_error_that_helps(host):
    """No look-up is made of such names."""
    with pytest.raises((connector.SyncError, connector.ConfigurationError), match="base_url"):
        Memory().sync(api_key=KEY, base_url=f"https://{host}")


SHAPELESS = [{}, [], None, 17, "users", {"users": None}, {"users": {}}, {"users": "none"}]
SHAPELESS += [[user(1)], {"data": [user(1)]}]


@pytest.mark.parametrize("body", SHAPELESS)
def test_a_body_without_a_list_of_users_is_asked_for_once_more(api, body):
    api.faults = [Fault(times=99, status=200, body=body)]
    message = failure(api)
    assert "(attempt 2): HTTP 200, but the body holds no list `users`; check base_url" in message
    assert api.pages_asked() == [1, 1]


@pytest.mark.parametrize("users_too", [{}, {"users": []}])
def test_an_error_inside_a_200_is_asked_for_once_more(api, users_too):
    body = {"success": False, "message": "Tenant is locked", **users_too}
    api.faults = [Fault(times=99, status=200, body=body)]
    message = failure(api)
    assert "(attempt 2): HTTP 200 with success: false; check api_key" in message
    assert message.endswith("; the API said: Tenant is locked")
    assert api.pages_asked() == [1, 1]


@pytest.mark.parametrize("body", [{"success": False}, {}, []])
def test_a_wrong_answer_that_passes_is_got_over(api, body):
    api.users = users(3)
    api.faults = [Fault(status=200, body=body)]
    assert landed(api, sync(api))


def test_what_a_body_without_users_says_is_quoted(api):
    api.faults = [Fault(times=99, status=200, body={"message": "Closed until noon"})]
    assert failure(api).endswith("; the API said: Closed until noon")


# --- what a failed sync leaves


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 503}, {"status": 200, "body": {}}])
def test_a_sync_that_reads_nothing_leaves_the_state_as_it_was(api, fault):
    before = {"last_sync_time": "2026-02-01T00:00:00+02:00"}
    destination = Memory(state=before)
    api.faults = [Fault(times=99, **fault)]
    failure(api, destination)
    assert destination.state == before and destination.operations == []


def test_what_was_read_before_a_failure_is_kept_and_not_read_again(project, api):
    api.users = users(450)
    project.sync(api, state={"last_sync_time": "2001-01-01T00:00:00Z"})
    for row in api.users:
        row["firstName"] = "New"
    api.faults = [Fault(page=3, times=99, status=401, body={"message": "expired"})]
    failed = project.sync(api, state={"last_sync_time": "2001-01-01T00:00:00Z"})
    assert failed.failed
    error = "Error: failed while executing update() error: Page 3 of the users could not be read"
    assert failed.log_lines(error)
    renewed = [row for row in failed.rows.values() if row["first_name"] == "New"]
    assert len(renewed) == 200
    assert failed.resume["page"] == 3 and failed.resume["updated_since"] == "2001-01-01T00:00:00Z"

    api.faults, asked = [], len(api.requests)
    outcome = project.sync(api)
    assert not outcome.failed
    assert {row["first_name"] for row in outcome.rows.values()} == {"New"}
    assert min(api.pages_asked()[asked:]) == 3
    assert outcome.state == {"last_sync_time": api.users[-1]["updated_at"]}


def test_a_page_that_fails_ahead_of_its_turn_does_not_cost_those_before_it(api, small_pages):
    api.users = users(60)
    api.faults = [Fault(page=n, kind="late", gate=threading.Event()) for n in (2, 3)]
    api.faults += [Fault(page=4, times=99, status=403)]
    opened = [fault.gate for fault in api.faults[:2]]
    api.before_page = {5: lambda _: [gate.set() for gate in opened]}
    destination = Memory()
    assert failure(api, destination).startswith("Page 4 of the users")
    assert len(destination.rows) == 30 and destination.state["resume"]["page"] == 4


def test_one_request_in_five_failing_loses_nobody(api, small_pages):
    kinds = [kind for kind in PASSING if kind != "never answered"]
    api.users = users(500)
    number = iter(range(1_000_000))

    def before_answer(page):
        count = next(number)
        if count % 5 == 0:
            api.faults = [Fault(page=page, **PASSING[kinds[count % len(kinds)]])]

    api.before_answer = before_answer
    destination = sync(api)
    assert landed(api, destination)
    upserts = [row["employeeId"] for what, row in destination.operations if what == "upsert"]
    assert upserts == [row["employeeId"] for row in api.users]  # in order, each once
