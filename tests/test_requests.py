"""An API that refuses, breaks off, says nonsense or says nothing: what is tried again, and how."""

import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import process_time

import pytest
import requests
import trustme

import connector
from fake_awardco import (
    KEY,
    NOON,
    PATH,
    FakeAwardco,
    Fault,
    key_header,
    listing,
    listing_text,
    user,
    users,
)
from harness import Memory

ATTEMPTS = getattr(connector, "__ATTEMPTS")
SIZES = [getattr(connector, "__LARGE_PAGE"), getattr(connector, "__SMALL_PAGE")]
BUSY = {"message": "busy"}


@pytest.fixture
def api(api):
    api.users = users(3)
    return api


@pytest.fixture
def small_pages(api, monkeypatch):
    """Pages of 10, which is also the largest that the API gives."""
    monkeypatch.setattr(connector, "__SMALL_PAGE", 10)
    monkeypatch.setattr(connector, "__LARGE_PAGE", 10)
    api.page_cap = 10


@pytest.fixture
def told(monkeypatch):
    """The warnings in the log."""
    lines = []
    monkeypatch.setattr(connector.log, "warning", lines.append)
    return lines


def sync(api, destination=None, **configuration) -> Memory:
    destination = destination or Memory()
    configuration.setdefault("base_url", api and api.url)
    destination.sync(api_key=KEY, **configuration)
    return destination


def failure(api, destination=None, **configuration) -> str:
    with pytest.raises(connector.SyncError) as caught:
        sync(api, destination, **configuration)
    return str(caught.value)


def landed(api, destination) -> bool:
    return sorted(destination.rows) == sorted(row["employeeId"] for row in api.users)


# --- what is tried again

NOT_JSON = "HTTP 200, but the body is not JSON"
UNDECODABLE = {"status": 200, "headers": {"Content-Encoding": "gzip"}, "body": listing([])}
PASSING = {
    "connection reset": ({"kind": "reset"}, "the connection failed (Connection reset by peer)"),
    "body cut short": ({"kind": "cut"}, "the connection broke off"),
    "gzip that is none": (UNDECODABLE, "the body is not encoded as Content-Encoding says"),
    "HTML": (
        {"status": 200, "body": b"<html>Be back soon</html>"},
        f"{NOT_JSON} (a web page, such as a login page)",
    ),
    "no body": ({"status": 200}, f"{NOT_JSON} (or it is cut off)"),
    "nested too deep": ({"status": 200, "body": b"[" * 100_000}, f"{NOT_JSON} (or it is cut off)"),
    "never answered": ({"kind": "silent"}, "no answer in time"),
    "304": ({"status": 304}, "HTTP 304"),
}


@pytest.mark.parametrize("fault, why", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_got_over_and_reported(api, told, monkeypatch, fault, why):
    monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (5, 0.5))
    api.faults = [Fault(page=2, **fault)]
    assert landed(api, sync(api))
    assert api.pages_asked() == [1, 2, 2]
    assert told[0].startswith(f"Page 2 of the users: attempt 1 of {ATTEMPTS}: {why}; next in ")


def test_a_status_of_an_outage_is_got_over(api):
    """Cloudflare has 520 to 530 of its own."""
    api.faults = [Fault(page=2, status=status) for status in (408, 425, 429, 500, 503, 520, 599)]
    assert landed(api, sync(api))
    assert api.pages_asked() == [1] + [2] * ATTEMPTS


@pytest.mark.parametrize("status", [302, 403, 404])
def test_any_status_with_a_retry_after_is_waited_for(api, clock, status):
    """403 is a rate limit at many APIs, and a redirect leads to a page for maintenance."""
    headers = {"Retry-After": "2", "Location": "https://maintenance.example"}
    api.users, body = users(3), {"message": "Quota exceeded"}
    api.faults = [Fault(page=2, status=status, headers=headers, body=body)]
    assert landed(api, sync(api))
    assert clock.sleeps == [2] and api.pages_asked() == [1, 2, 2]


@pytest.mark.parametrize("status", [203, 206])
def test_every_2xx_with_users_is_an_answer(api, status):
    api.users, api.page_cap, api.status = users(250), 100, status
    assert landed(api, sync(api))


def test_a_202_without_users_is_asked_again(api, clock):
    """The list is still being made."""
    api.faults = [Fault(page=1, status=202, body={})]
    assert landed(api, sync(api)) and len(clock.sleeps) == 1


def test_a_lasting_fault_ends_the_sync_with_its_reason(api):
    """Two attempts in large pages, since the size may be the reason, and all in small ones."""
    api.faults = [Fault(times=99, status=503, body=BUSY)]
    assert failure(api) == (
        "Page 1 of the users could not be read: HTTP 503; the API said: busy; run the sync again, "
        "and if it persists, ask Awardco"
    )
    assert ATTEMPTS == 8 and api.sizes == [SIZES[0]] * 2 + [SIZES[1]] * 8


@pytest.mark.parametrize("before", [503, 400])
def test_the_reason_of_a_failure_is_not_that_of_the_one_before(api, before):
    """Page 1 is asked for without the filter while the first error is handled."""
    api.faults = [Fault(times=2, status=before), Fault(times=99, kind="reset")]
    message = failure(api, Memory(state={"last_sync_time": "2026-02-01T00:00:00Z"}))
    assert "read: the connection failed (Connection reset by peer); check" in message


def test_connections_are_kept_until_the_sync_ends(api, small_pages, monkeypatch):
    accept, accepted = api.server.process_request, []
    close, closed = requests.Session.close, []

    def counted(request, address):
        accepted.append(address)
        accept(request, address)

    def noted(session):
        closed.append(len(api.requests))
        close(session)

    monkeypatch.setattr(api.server, "process_request", counted)
    monkeypatch.setattr(requests.Session, "close", noted)
    api.users = users(200)
    assert landed(api, sync(api))
    assert len(api.requests) > 20 and len(accepted) == 1
    assert closed == [len(api.requests)]


# --- how long it waits


def waits(api, clock, attempts=ATTEMPTS) -> list:
    clock.sleeps.clear()
    api.faults = [Fault(page=2, times=attempts - 1, status=503)]
    sync(api)
    return clock.sleeps.copy()


def test_waits_double_up_to_a_minute(api, clock, monkeypatch):
    monkeypatch.setattr(connector.random, "uniform", lambda least, most: most)
    slept = waits(api, clock)
    assert slept == pytest.approx([slept[0] * 2**n for n in range(6)] + [60])
    assert 1 <= slept[0] <= 1.25


def test_waits_have_jitter_so_that_clients_do_not_return_together(api, clock):
    first, second = waits(api, clock), waits(api, clock)
    assert first != second
    assert all(0.74 <= wait / 2**n <= 1.26 for n, wait in enumerate(first[:6]))


def http_date(**later) -> str:
    return format_datetime(NOON + timedelta(**later), usegmt=True)


@pytest.mark.parametrize(
    "value, seconds",
    [("25.0", 25), ("2.5", 2.5), (" 3600 ", 3600), (http_date(seconds=90), 90)],
)
def test_the_api_says_how_long_to_wait(api, clock, value, seconds):
    api.faults = [Fault(status=429, headers={"Retry-After": value})]
    sync(api)
    assert clock.sleeps == pytest.approx([seconds])


def test_a_date_to_wait_for_is_read_by_the_clock_of_the_server(api, clock):
    """This machine's may be wrong by years."""
    api.clock = datetime(1999, 12, 31, 23, 59, tzinfo=UTC)
    until = format_datetime(api.clock + timedelta(seconds=45), usegmt=True)
    api.faults = [Fault(status=503, headers={"Retry-After": until})]
    sync(api)
    assert clock.sleeps == pytest.approx([45])


def test_a_date_to_wait_for_is_read_by_this_clock_where_the_server_sends_none(
    api, clock, monkeypatch
):
    monkeypatch.setattr(connector, "now", lambda: NOON)
    api.clock = None
    api.faults = [Fault(status=503, headers={"Retry-After": http_date(seconds=45)})]
    sync(api)
    assert clock.sleeps == pytest.approx([45])


def test_nonsense_for_a_wait_means_the_ordinary_one(api, clock, told):
    nonsense = ["soon", "", "-5", "Wed, 99 Foo 2026 99:99:99 GMT", "\xb2"]
    nonsense += ["Wed, 01 Jan 99999 00:00:00 GMT", http_date(hours=-1)]
    api.faults = [Fault(page=2, status=503, headers={"Retry-After": n}) for n in nonsense]
    assert landed(api, sync(api))
    assert all(0.74 <= wait / 2**n <= 1.26 for n, wait in enumerate(clock.sleeps[:6]))
    assert not any("asks to wait" in line for line in told)


@pytest.mark.parametrize("status", [403, 429, 503])
@pytest.mark.parametrize("value, wait", [("3601", "3,601 s"), (http_date(days=7), "604,800 s")])
def test_hours_of_waiting_are_not_slept_but_reported(api, clock, status, value, wait):
    api.faults = [Fault(times=99, status=status, headers={"Retry-After": value}, body=BUSY)]
    message = failure(api)
    assert f"HTTP {status}; the API said: busy; the API asks to wait {wait}; sync less" in message
    assert clock.sleeps == [] and api.pages_asked() == [1]


def test_hours_of_waiting_after_the_last_attempt_in_large_pages_are_reported_too(api, clock):
    """Small pages would meet the same limit."""
    api.faults = [Fault(status=503), Fault(times=99, status=503, headers={"Retry-After": "7200"})]
    assert "HTTP 503; the API asks to wait 7,200 s; sync less" in failure(api)
    assert api.sizes == SIZES[:1] * 2 and len(clock.sleeps) == 1


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_wait_of_an_hour_is_slept(api, clock, status):
    """Limits are counted by the hour, and a sync that fails meets the same one again."""
    api.faults = [Fault(page=2, status=status, headers={"Retry-After": "3600"})]
    assert landed(api, sync(api)) and clock.sleeps == [3600]


# --- what it tells of it


def test_each_retry_is_one_line_with_page_attempt_reason_and_wait(project, api, clock):
    api.users = users(100)
    api.faults = [Fault(page=2, status=503, body={"message": "try\nlater"})]
    api.faults += [Fault(page=2, kind="reset")]
    lines = project.sync(api).log_lines("attempt")
    reasons = ["HTTP 503; the API said: try later"]
    reasons += ["the connection failed (Connection reset by peer)"]
    assert len(lines) == 2 and all("WARNING" in line for line in lines)
    for number, (line, reason, wait) in enumerate(zip(lines, reasons, clock.sleeps, strict=True)):
        said = f"attempt {number + 1} of {ATTEMPTS}: {reason}; next in {wait:.1f} s"
        assert line.endswith(f"Page 2 of the users: {said}")


def test_half_an_emoji_in_an_error_is_no_reason_to_fail(api, told):
    """It cannot be printed nor saved: telling of it would end the sync, or hide why it did."""
    api.faults = [Fault(status=503, body=b'{"message": "busy \\ud83d"}')]
    assert landed(api, sync(api))
    assert told[0].partition("; next in")[0].endswith("the API said: busy \ufffd")


# --- the page ahead


def test_a_page_that_fails_ahead_of_its_turn_does_not_cost_the_one_before_it(api, small_pages):
    refused = threading.Event()

    class Slow(Memory):
        def record(self, record):
            assert self.checkpoints == 0 or refused.wait(10)
            super().record(record)

    api.users = users(30)
    api.faults = [Fault(page=3, times=99, status=403)]
    api.before_page = {3: lambda _: refused.set()}
    destination = Slow()
    assert failure(api, destination).startswith("Page 3 of the users")
    assert len(destination.rows) == 20 and destination.state == {}


# --- what fails at once

REFUSALS = [
    {"status": status} for status in (400, 404, 410, 413, 416, 422, 401, 402, 403, 407, 418)
]
SHAPELESS = [{}, None, [user(1)], listing("none"), listing({"items": [user(1)]})]
SHAPELESS += [{"success": True, "message": "Nobody has changed"}]
REFUSALS += [{"status": 200, "body": body} for body in SHAPELESS] + [{"status": 204}]


@pytest.mark.parametrize("fault", REFUSALS, ids=str)
def test_a_refusal_fails_at_once(api, clock, fault):
    """What smaller pages may help against is asked for once in those."""
    api.faults = [Fault(times=99, **fault)]
    failure(api)
    is_final = fault["status"] in (401, 402, 403, 407, 418)
    assert api.sizes == (SIZES[:1] if is_final else SIZES) and clock.sleeps == []


def test_a_refusal_later_in_a_sync_does_not_send_people_to_settings_that_work(api, small_pages):
    api.users = users(30)
    api.before_page = {2: lambda _: api.faults.append(Fault(times=99, status=404))}
    assert "HTTP 404; the pages before were answered, so the settings are right" in failure(api)


SPRING = {"status": 403, "error": "Forbidden", "message": "outside the office"}
REASONS = {
    "on one line": ({"error": "e", "message": "  not\r\n yours\t"}, "not yours"),
    "not an object, not a blank": ({"message": {"text": "x"}, "error": " ", "detail": "y"}, "y"),
    "inside an error": ({"error": {"code": "Forbidden", "message": "not here"}}, "not here"),
    "inside a list": ({"errors": [{"code": 7}, {"detail": "50 or less"}]}, "50 or less"),
    "in a list": ({"errors": ["50 or less"]}, "50 or less"),
    "cut": ({"message": "m" * 201}, "m" * 200),
    ".NET": ({"Message": "not here"}, "not here"),
    "Apigee": ({"fault": {"faultstring": "not here"}}, "not here"),
    "Tomcat": ({"title": "not here", "description": ""}, "not here"),
    "RFC 9457": ({"title": "Forbidden", "detail": "outside the office"}, "outside the office"),
    "Spring": (SPRING, "outside the office"),
    "with the key": ({"title": f"No key {KEY.upper()}"}, "No key ****"),
}


@pytest.mark.parametrize("body, said", REASONS.values(), ids=REASONS)
def test_what_the_api_says_of_an_error_is_quoted_in_200_characters(api, body, said):
    api.faults = [Fault(times=99, status=403, body=body)]
    assert f"HTTP 403; the API said: {said}; check that api_key" in failure(api)


PRIVATE = [
    (403, b"<html><title>Quux</title></html>"),
    (403, [{"message": "Quux"}]),
    (403, {"message": {"text": "Quux"}}),
    (403, listing(["Quux"], name="Quux")),
    (403, {"errors": [{"email": "Quux"}]}),
    (200, listing([user(1)], success=False, title="Quux", description="Quux")),
]


@pytest.mark.parametrize("status, body", PRIVATE)
def test_nothing_else_of_an_error_is_quoted(api, status, body):
    """It may be a user's, such as the title of a person in a 200."""
    api.faults = [Fault(times=99, status=status, body=body)]
    message = failure(api)
    assert f"HTTP {status}" in message and "Quux" not in message and "said" not in message


def test_what_the_api_said_cannot_steer_a_terminal(api):
    api.faults = [Fault(status=403, body={"message": "\x1b[2J\x07all is well\x9b31m\u202e"})]
    message = failure(api)
    assert "all is well" in message and message.isprintable()


def test_a_redirect_is_not_followed_and_its_host_is_named(api):
    """The key would go along. The address is not shown: it may hold more than the host."""
    with FakeAwardco(users(3)) as other:
        location = other.url.replace("127.0.0.1", "localhost") + f"{PATH}?token=Quux"
        api.faults = [Fault(times=99, status=307, headers={"Location": location})]
        message = failure(api)
        assert other.requests == []
    assert "HTTP 307, a redirect to localhost; set base_url to the final address" in message
    assert api.pages_asked() == [1]


def test_a_host_and_names_of_fields_are_quoted_in_200_characters_without_the_key(api):
    key = "Key_of_letters"
    configuration = {"api_key": key, "base_url": api.url}
    api.key, location = key, f"https://{key}.{'x' * 300}.example/"
    api.faults = [Fault(status=307, headers={"Location": location})]
    api.faults += [Fault(times=2, status=200, body={key.upper(): 1, "x" * 300: 2})]
    for start in ("a redirect to ****.xxx", "the fields are `****`, `xxx"):
        with pytest.raises(connector.SyncError) as caught:
            Memory().sync(**configuration)
        quoted = str(caught.value).partition(start)[2].partition(";")[0]
        assert 100 < len(quoted) <= 200 and key.lower() not in str(caught.value).lower()


@pytest.mark.parametrize("location", ["", "/login", "http://[", "\xff"])
def test_a_redirect_to_nowhere_is_an_error_that_helps(api, location):
    """requests reads the location even where it must not follow it, and raises."""
    api.faults = [Fault(times=99, status=302, headers={"Location": location})]
    assert "base_url" in failure(api)
    assert api.pages_asked() == [1]


@pytest.mark.parametrize("host", ["a..b.example.com", ".example.com"])
def test_an_address_that_no_request_can_go_to_is_an_error_that_helps(clock, host):
    """No look-up is made of such names."""
    assert "check base_url" in failure(None, base_url=f"https://{host}")
    assert clock.sleeps == []


TELLS_ERROR = [
    listing([user(1)], success=False),
    listing([], success=0),
    listing([], success="False"),
    listing([], ok=False),
    listing([], status="error"),
    listing([user(1)], error={"code": 17}),
    listing([], errors=[{"code": 7}]),
    listing([], error={"code": "E17", "log_id": "7f3a"}),
    listing([], fault={"faultstring": "quota"}),
    listing([], error_code="INTERNAL"),
    listing([], errcode=90002),
    listing([], code=500),
    listing([], statusCode=503),
    listing([], StatusCode="400"),
    listing([], status="Failed"),
    listing([], isSuccess=False),
    listing([], is_success="false"),
    listing([], timedOut=True),
    {"errorMessage": "Task timed out after 3.00 seconds"},
    {"message": "Internal server error"},
]


@pytest.mark.parametrize("body", TELLS_ERROR, ids=str)
def test_an_error_inside_a_200_is_tried_again_and_then_an_error(api, body):
    api.faults = [Fault(page=2, times=ATTEMPTS - 1, status=200, body=body)]
    assert landed(api, sync(api)) and api.pages_asked() == [1] + [2] * ATTEMPTS
    api.faults = [Fault(times=99, status=200, body=body)]
    assert "HTTP 200, but it reports an error" in failure(api)


def test_what_the_api_says_of_an_error_inside_a_200_is_quoted(api):
    body = listing([user(1)], success=False, message="Closed until noon")
    api.faults = [Fault(times=99, status=200, body=body)]
    assert "; the API said: Closed until noon; " in failure(api)


NO_ERROR = [None, "", [], False, "0", "OK", {"code": 0, "message": ""}]
NO_ERROR += [{"code": "ok", "log_id": "7f3a"}, {"Code": 200, "Message": "Success", "id": "7f3a"}]


@pytest.mark.parametrize("value", NO_ERROR, ids=str)
def test_a_field_for_errors_that_holds_none_is_no_error(api, value):
    """Some APIs write it with each answer, with the number of the request beside it."""
    body = listing(users(3), success=True, error=value, errors=value, message="Done")
    api.faults = [Fault(page=1, status=200, body=body)]
    assert landed(api, sync(api)) and api.pages_asked() == [1, 2]


GOOD = {"success": 1, "isSuccess": "true", "status": "active", "statusCode": 200, "code": 0}
GOOD |= {"timedOut": False, "errcode": 0, "errorMessage": None, "fault": {}, "message": "Done"}


@pytest.mark.parametrize("field", GOOD)
def test_a_field_that_tells_of_success_is_no_error(api, field):
    api.faults = [Fault(page=1, status=200, body=listing(users(3), **{field: GOOD[field]}))]
    assert landed(api, sync(api)) and api.pages_asked() == [1, 2]


# --- how a body is written

ZOE = listing_text('[{"employeeId": "1", "lastName": "Zoë"}]')
WESTERN = ZOE.encode("cp1252")
BODIES = {
    "a byte order mark": (ZOE.encode("utf-8-sig"), "", "Zoë"),
    "ISO-8859-1": (WESTERN, "; charset=ISO-8859-1", "Zoë"),
    "UTF-8 by another name": (ZOE.encode(), "; charset=ISO-8859-1", "Zoë"),
    "Windows-1252, no charset": (WESTERN, "", "Zoë"),
    "Windows-1252, no header": (ZOE.replace("ë", "€ß").encode("cp1252"), None, "Zo€ß"),
    "Windows-1252, no known name": (WESTERN, "; charset=utf8mb4", "Zoë"),
    "a bad byte in UTF-8": (ZOE.replace("ë", "日").encode().replace(b"Z", b"\xd6"), "", "Öo日"),
    "a byte that is in neither": (WESTERN.replace(b"\xeb", b"\x81"), "", "Zo\ufffd"),
    "half an emoji": (ZOE.replace("ë", "\\ud83d").encode(), "", "Zo\ufffd"),
    "a whole emoji": (ZOE.replace("ë", "\\ud83d\\ude00").encode(), "", "Zo\U0001f600"),
    "byte 0x01": (ZOE.replace("ë", "\x01").encode(), "", "Zo\x01"),
}


@pytest.mark.parametrize("body, charset, name", BODIES.values(), ids=BODIES)
def test_a_body_is_read_as_apis_write_it(api, body, charset, name):
    headers = {} if charset is None else {"Content-Type": f"application/json{charset}"}
    api.faults = [Fault(page=1, status=200, headers=headers, body=body)]
    assert sync(api).rows["1"]["lastName"] == name and api.pages_asked() == [1, 2]


# --- with whom it speaks, and what it takes along


def test_each_request_carries_the_headers(api):
    sync(api)
    for headers in api.headers:
        assert key_header().items() <= headers.items()
        assert headers["Accept"] == "application/json"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["User-Agent"].startswith("fivetran-awardco")


def test_no_cookie_is_sent_back(api):
    """A load balancer's cookie can lead to a server that does not know the session."""
    api.users, api.page_cap, api.cookie = users(250), 100, True
    assert landed(api, sync(api))


PROXIES = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy and no authority of the machine that runs the tests."""
    for name in (*PROXIES, "no_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


class Proxy(BaseHTTPRequestHandler):
    """Notes who wants to go where, and lets nobody through."""

    def do_GET(self):
        self.server.met.append((self.path, str(self.headers)))
        self.send_error(self.server.status)

    do_CONNECT = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(monkeypatch):
    """What a proxy meets that the environment names for everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.met, server.status = [], 502
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        yield server
        server.shutdown()


def test_http_to_this_machine_goes_past_every_proxy(api, proxy):
    """A proxy would see the key, which goes unencrypted."""
    assert landed(api, sync(api))
    assert proxy.met == []


def test_https_goes_through_the_proxy_that_the_environment_names(proxy):
    """Where it is the only way out; the key stays inside."""
    assert "the connection broke off" in failure(None, base_url="https://awardco.example")
    assert {path for path, _ in proxy.met} == {"awardco.example:443"}
    assert KEY not in str(proxy.met)


BROKEN_SETTINGS = {
    "a bundle that is missing": {"REQUESTS_CA_BUNDLE": "/nowhere/authorities.pem"},
    "a SOCKS proxy without its package": {"HTTPS_PROXY": "socks5://127.0.0.1:9"},
    "a proxy without a host": {"HTTPS_PROXY": "http://:8080"},
    "a proxy that is no address": {"HTTPS_PROXY": "http://["},
}


@pytest.mark.parametrize("settings", BROKEN_SETTINGS.values(), ids=BROKEN_SETTINGS)
def test_a_machine_from_which_no_request_can_go_is_reported_with_what_to_check(
    clock, monkeypatch, settings
):
    """No request can cure it, and it is no bug of the connector."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    message = failure(None, base_url="https://127.0.0.1:9")
    assert "check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE" in message
    assert "in connector.py" not in message and clock.sleeps == []


def test_a_proxy_that_asks_for_a_password_fails_at_once_and_is_named(proxy, clock):
    proxy.status = 407
    message = failure(None, base_url="https://awardco.example")
    assert "HTTP 407; the proxy on the way refuses" in message
    assert len(proxy.met) == 1 and clock.sleeps == []


@pytest.fixture(scope="module")
def authority():
    """A certificate authority that nobody knows yet."""
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """That authority, known to requests by the environment."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    return authority


def secure(api, certificate) -> str:
    """Let the API speak TLS, from now on; return its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    api.server.socket = context.wrap_socket(
        api.server.socket, server_side=True, do_handshake_on_connect=False
    )
    return api.url.replace("http://", "https://")


def accepted(api) -> list:
    """The connections from now on."""
    process, found = api.server.process_request, []

    def noted(request, address):
        found.append(request)
        process(request, address)

    api.server.process_request = noted
    return found


def test_a_certificate_that_does_not_verify_fails_at_once_and_is_named(api, clock, trusted):
    url, connections = secure(api, trustme.CA().issue_cert("127.0.0.1")), accepted(api)
    message = failure(api, base_url=url)
    assert "read: the server's certificate does not verify (" in message
    assert "check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE" in message
    assert len(connections) == 1 and clock.sleeps == [] and api.requests == []


BUNDLES = {
    "empty": b"",
    "no certificate": b"authorities of the office, see the wiki\n",
    "damaged": b"-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("content", BUNDLES.values(), ids=BUNDLES)
def test_a_bundle_of_authorities_that_cannot_be_read_fails_at_once_and_is_named(
    api, clock, trusted, tmp_path, content
):
    """No request can cure it: ten attempts would take minutes, and blame the connection."""
    (tmp_path / "authority.pem").write_bytes(content)
    message = failure(api, base_url=secure(api, trusted.issue_cert("127.0.0.1")))
    assert "certificate does not verify (the bundle of certificates is unreadable); " in message
    assert message.endswith("the proxy settings of this machine and REQUESTS_CA_BUNDLE")
    assert clock.sleeps == [] and api.requests == []


def test_a_handshake_that_is_cut_off_is_got_over(api, clock, trusted):
    """As when a load balancer restarts."""
    url, process = secure(api, trusted.issue_cert("127.0.0.1")), api.server.process_request

    def cut(request, address):
        api.server.process_request = process
        api.server.shutdown_request(request)

    api.server.process_request = cut
    assert landed(api, sync(api, base_url=url))
    assert len(clock.sleeps) == 1


def test_no_password_of_the_home_folder_goes_along(api, trusted, tmp_path, monkeypatch):
    """requests sends what ~/.netrc holds for a host, unless it is told not to."""
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login somebody password secret\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    url = secure(api, trusted.issue_cert("127.0.0.1"))
    assert landed(api, sync(api, base_url=url))
    own = key_header().get("Authorization")
    assert [sent.get("Authorization") for sent in api.headers] == [own, own]


# --- what a failed sync leaves


def test_what_was_read_before_a_failure_is_kept(project, api, small_pages):
    api.users = users(45)
    api.faults = [Fault(page=3, times=99, status=401, body={"message": "expired"})]
    failed = project.sync(api)
    assert failed.failed and len(failed.rows) == 20 and failed.state == {}
    assert failed.log_lines(
        "Error: Connector Sdk Task. Message: Page 3 of the users could not be read: "
        "HTTP 401; the API said: expired; check api_key"
    )
    api.faults = []
    assert len(project.sync(api).rows) == 45


# --- a megabyte in every place that a pattern reads

SIGNS = ["-", "_", " ", "a", "1", "é", "a-", "\n", "٣", ":", "Z ", "9 +"]
FAILURES = ("error", "status", "success", "errors", "code", "message")
COLUMNS = ("employeeId", "balance", "updated_at", "email", "extra")
BODIES_WITH = {
    "names of fields": lambda text: listing([{"employeeId": 1, text: 1, f"A{text}é": 1}]),
    "names beside the list": lambda text: listing([user(1)], **{text: 1, f"_{text}é": 1}),
    "names without a list": lambda text: {text: 1, f"a{text}é": 1},
    "values": lambda text: listing([user(n, **{name: text}) for n, name in enumerate(COLUMNS)]),
    "times": lambda text: listing([user(1, extra=f"2026-01-01T00:00{text}Z", updated_at=text)]),
    "failures": lambda text: listing([], **dict.fromkeys(FAILURES, text)),
    "totals": lambda text: listing(users(3), total=text, hasMore=text, page={"count": text}),
}
PLACES = {
    **{name: lambda text, of=of: {"body": of(text)} for name, of in BODIES_WITH.items()},
    "no JSON": lambda text: {"body": f"[{text}".encode()},
    "a reason": lambda text: {"status": 401, "body": {"message": f"{text}{KEY}{text}"}},
    **{
        name: lambda text, name=name: {
            "status": 503,
            "headers": {name: f"a; charset={text[:60_000]}"},
        }
        for name in ("Content-Type", "Retry-After", "Date", "Location", "X-Total-Count")
    },
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_long_text_is_read_in_linear_time(api, place):
    """Ten names of 20 kB held a sync for half a minute, in a pattern of quadratic time."""
    for sign in SIGNS:  # a megabyte in all, which takes less than a second
        text = sign * (1_000_000 // len(SIGNS) // len(sign.encode()))
        api.faults = [Fault(page=1, **{"status": 200, **place(text)})]
        begin = process_time()
        with suppress(connector.SyncError):
            sync(api)
        assert process_time() - begin < 1 and api.faults[0].times == 0
