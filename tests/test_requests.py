"""An API that refuses, breaks off, says nonsense or says nothing: what is tried again, and how."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

import connector
from fake_awardco import KEY, NOON, FakeAwardco, Fault, user, users
from harness import Memory

ATTEMPTS = getattr(connector, "__ATTEMPTS")
BUSY = {"message": "busy"}
PASSING = {
    **{f"HTTP {n}": {"status": n, "body": BUSY} for n in (408, 425, 429, 500, 503)},
    "connection reset": {"kind": "reset"},
    "body cut short": {"kind": "cut"},
    "broken gzip": {"kind": "gzip"},
    "never answered": {"kind": "silent"},
    "HTML": {"status": 200, "body": b"<html>Be back soon</html>"},
    "no body": {"status": 200},
    "half of a JSON": {"status": 200, "body": b'{"users": [{"employeeId'},
    "nested too deep": {"status": 200, "body": b"[" * 100_000},
}


@pytest.fixture(autouse=True)
def one_size(monkeypatch):
    """No large pages, which would be given up before the attempts are."""
    monkeypatch.setattr(connector, "__LARGE_PAGE", getattr(connector, "__SMALL_PAGE"))


@pytest.fixture
def impatient(monkeypatch):
    """A read timeout for a server that never answers, where the others have their usual one."""

    def shorten(fault, seconds=0.2):
        if fault.get("kind") == "silent":
            monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (1, seconds))

    return shorten


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


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_got_over(api, impatient, fault):
    impatient(fault)
    api.users = users(3)
    api.faults = [Fault(page=1, times=2, **fault)]
    assert landed(api, sync(api))
    assert api.pages_asked() == [1, 1, 1, 2]


@pytest.mark.parametrize("status", [501, 520, 599])
def test_every_fault_of_a_server_or_a_proxy_is_got_over(api, status):
    """Cloudflare has 520 to 530 of its own."""
    api.users = users(3)
    api.faults = [Fault(page=1, status=status)]
    assert landed(api, sync(api))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418])
def test_any_status_with_a_retry_after_is_waited_for(api, clock, status):
    """403 is a rate limit at many an API."""
    api.users, body = users(3), {"message": "Quota exceeded"}
    api.faults = [Fault(page=2, status=status, headers={"Retry-After": "2"}, body=body)]
    assert landed(api, sync(api))
    assert clock.sleeps == [2] and api.pages_asked() == [1, 2, 2]


@pytest.mark.parametrize("status", [201, 203, 206])
def test_every_2xx_with_users_is_an_answer(api, status):
    api.users, api.page_cap, api.status = users(250), 100, status
    assert landed(api, sync(api))


def test_a_202_without_users_is_asked_again(api):
    """The list is still being made."""
    api.users = users(3)
    api.faults = [Fault(page=1, times=2, status=202, body={})]
    assert landed(api, sync(api)) and api.pages_asked() == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "kind, why",
    [("HTTP 503", "HTTP 503; the API said: busy")]
    + [("HTML", "HTTP 200, but the body is not JSON but a web page, as of a login or a firewall")]
    + [("half of a JSON", "HTTP 200, but the body is not JSON")]
    + [("broken gzip", "the body cannot be decoded as Content-Encoding says")]
    + [("connection reset", "the connection failed (Connection reset by peer)")]
    + [("never answered", "no answer in time (ReadTimeout)")],
)
def test_a_lasting_fault_ends_the_sync_with_its_reason(api, impatient, kind, why):
    impatient(PASSING[kind], 0.1)
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
    assert len(api.requests) > 20 and len(accepted) == 1


# --- how long it waits


def waits(api, clock, attempts) -> list:
    clock.sleeps.clear()
    api.faults = [Fault(times=attempts - 1, status=503)]
    sync(api)
    return clock.sleeps.copy()


def test_waits_double_up_to_a_minute(api, clock, monkeypatch):
    monkeypatch.setattr(connector, "__ATTEMPTS", 13)
    slept = waits(api, clock, 13)
    assert len(slept) == 12
    assert all(0.75 <= wait / 2**n <= 1.26 for n, wait in enumerate(slept[:6]))
    assert slept[7:] == pytest.approx([60] * 5)
    assert max(slept) < 60.001


def test_waits_have_jitter_so_that_clients_do_not_return_together(api, clock):
    assert waits(api, clock, 5) != waits(api, clock, 5)
    first = [waits(api, clock, 2)[0] for _ in range(20)]
    assert max(first) - min(first) > 0.1


def http_date(**later) -> str:
    return format_datetime(NOON + timedelta(**later), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "value, seconds",
    [("17", 17), (" 600 ", 600), ("25.0", 25), ("2.5", 2.5)]
    + [(http_date(seconds=90), 90), (http_date(seconds=600), 600)],
)
def test_the_api_says_how_long_to_wait(api, clock, status, value, seconds):
    api.faults = [Fault(status=status, headers={"Retry-After": value})]
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


@pytest.mark.parametrize(
    "value",
    ["soon", "", "-5", "Wed, 99 Foo 2026 99:99:99 GMT", "Wed, 01 Jan 99999 00:00:00 GMT"]
    + ["0", http_date(hours=-1), "\xff", "\xb2"],
)
def test_nonsense_for_a_wait_means_the_ordinary_one(api, clock, value):
    api.faults = [Fault(status=503, headers={"Retry-After": value})]
    sync(api)
    assert len(clock.sleeps) == 1 and 0.74 < clock.sleeps[0] < 1.26


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "value, seconds",
    [("601", 601), (http_date(minutes=11), 660), ("86400", 86400), (http_date(days=7), 604800)],
)
def test_hours_of_waiting_are_not_slept_but_told(api, clock, status, value, seconds):
    api.faults = [Fault(times=99, status=status, headers={"Retry-After": value}, body=BUSY)]
    message = failure(api)
    assert f"HTTP {status}" in message and f"asks to wait {seconds} s" in message
    assert clock.sleeps == [] and api.pages_asked() == [1]


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

FATAL = {
    400: "check updated_since_param, and lower __SMALL_PAGE in connector.py",
    401: "check api_key",
    403: "check that api_key has the permission",
    404: "check base_url",
    407: "the proxy on the way refuses",
    418: "check base_url",
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


def test_a_refusal_later_in_a_sync_does_not_send_people_to_settings_that_work(api, small_pages):
    api.users = users(30)
    api.before_page = {2: lambda _: api.faults.append(Fault(times=99, status=404))}
    assert "HTTP 404; the pages before were answered, so the settings are right" in failure(api)


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
        ({"message": "  not\r\n yours\t"}, "not yours"),
        ({"error": "invalid_key"}, "invalid_key"),
        ({"detail": "b", "error": "e", "message": "a"}, "a"),
        ({"message": {"text": "x"}, "error": " ", "detail": "why"}, "why"),
        (
            {"error": {"code": "Forbidden", "message": "not on the allow list"}},
            "not on the allow list",
        ),
        ({"errors": [{"code": 7}, {"detail": "50 or less"}]}, "50 or less"),
        ({"errors": ["50 or less"]}, "50 or less"),
        ({"message": "m" * 201}, "m" * 200),
        ({"message": "Größe"}, "Größe"),
    ],
)
def test_what_the_api_says_of_an_error_is_quoted_on_one_line_of_200_characters(api, body, said):
    api.faults = [Fault(times=99, status=403, body=body)]
    assert failure(api).partition("; the API said: ")[2] == said


@pytest.mark.parametrize(
    "body",
    [b"\0", b"<html><title>Quux</title></html>", b'{"message": "Quux"', b"[" * 10**5, "Quux"]
    + [[{"message": "Quux"}], {"users": ["Quux"], "title": "Quux", "Message": "Quux"}]
    + [{"message": {"text": "Quux"}}, {"errors": [{"email": "Quux"}]}, {"detail": True}],
)
def test_nothing_else_of_an_error_is_quoted(api, body):
    """It may be a user's."""
    api.faults = [Fault(status=403, body=body)]
    message = failure(api)
    assert message.endswith("HTTP 403; check that api_key has the permission to read users")


def test_what_the_api_said_cannot_steer_a_terminal(api):
    api.faults = [Fault(status=403, body={"message": "\x1b[2J\x07all is well\x9b31m\u202e"})]
    message = failure(api)
    assert "all is well" in message and message.isprintable()


@pytest.mark.parametrize("status", [301, 307])
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


SHAPELESS = [{}, [], None, 17, "users", {"users": None}, {"users": "none"}, [user(1)]]
SHAPELESS += [{"data": [user(1)]}, {"users": {"items": [user(1)]}}, False]


@pytest.mark.parametrize("body", SHAPELESS)
def test_a_body_without_a_list_of_users_fails_at_once(api, body):
    api.faults = [Fault(times=99, status=200, body=body)]
    message = failure(api)
    assert "(attempt 1): HTTP 200, but the body holds no list `users`; check base_url" in message
    assert api.pages_asked() == [1]


TELLS_ERROR = [
    {"success": False, "users": [user(1)]},
    {"success": 0},
    {"success": "False", "users": []},
    {"ok": False, "users": []},
    {"status": "error", "users": []},
    {"error": "denied", "users": [user(1)]},
    {"errors": [{"code": 7}], "users": []},
    {"error_code": "INTERNAL", "users": []},
    {"errorMessage": "Task timed out after 3.00 seconds"},
    {"message": "Internal server error"},
]


@pytest.mark.parametrize("body", TELLS_ERROR, ids=str)
def test_an_error_inside_a_200_is_tried_again_and_then_an_error(api, body):
    api.faults = [Fault(times=99, status=200, body=body)]
    assert f"(attempt {ATTEMPTS}): HTTP 200, but the answer tells an error" in failure(api)
    api.users, api.faults = users(3), [Fault(status=200, body=body)]
    assert landed(api, sync(api))


@pytest.mark.parametrize("value", [None, "", [], {}, False, 0, "0", "OK", "none"])
def test_a_field_for_errors_that_holds_none_is_no_error(api, value):
    """Some APIs write it with each answer."""
    body = {"success": True, "users": users(3), "error": value, "errors": value, "message": "OK"}
    api.faults = [Fault(page=1, status=200, body=body)]
    assert len(sync(api).rows) == 3


@pytest.mark.parametrize(
    "found", [{"0": user(1), "2": user(3)}, {**user(1), "manager": {}}], ids=["PHP", "XML"]
)
def test_users_that_are_no_list_are_users(api, found):
    """PHP writes a list with a gap as an object, and gateways from XML a list of one."""
    api.faults = [Fault(page=1, status=200, body={"success": True, "users": found})]
    assert sorted(sync(api).rows) in (["E00001"], ["E00001", "E00003"])


def test_what_a_body_without_users_says_is_quoted(api):
    api.faults = [Fault(times=99, status=200, body={"message": "Closed until noon"})]
    assert failure(api).endswith("; the API said: Closed until noon")


# --- how a body is written

ZOE = '{"users": [{"employeeId": "1", "firstName": "Zoë"}]}'
BODIES = {
    "UTF-8": (ZOE.encode(), "", "Zoë"),
    "a byte order mark": (ZOE.encode("utf-8-sig"), "", "Zoë"),
    "ISO-8859-1": (ZOE.encode("latin-1"), "; charset=ISO-8859-1", "Zoë"),
    "UTF-16": (ZOE.encode("utf-16"), "; charset=UTF-16", "Zoë"),
    "UTF-8 by another name": (ZOE.encode(), "; charset=ISO-8859-1", "Zoë"),
    "a name that nobody knows": (ZOE.encode(), "; charset=utf8mb4", "Zoë"),
    "a single bad byte": (ZOE.encode("latin-1"), "; charset=utf-8", "Zo\ufffd"),
    "a bad byte, no known name": (ZOE.encode("latin-1"), "; charset=hex", "Zo\ufffd"),
    "half an emoji": (ZOE.replace("ë", "\\ud83d").encode(), "", "Zo\ufffd"),
    "a whole emoji": (ZOE.replace("ë", "\\ud83d\\ude00").encode(), "", "Zo\U0001f600"),
    "a control character": (ZOE.replace("ë", "\x01").encode(), "", "Zo\x01"),
}


@pytest.mark.parametrize("body, charset, name", BODIES.values(), ids=BODIES)
def test_a_body_is_read_as_apis_write_it(api, body, charset, name):
    headers = {"Content-Type": f"application/json{charset}"}
    api.faults = [Fault(page=1, status=200, headers=headers, body=body)]
    assert sync(api).rows["1"]["firstName"] == name and api.pages_asked() == [1, 2]


# --- with whom it speaks, and what it takes along


def test_each_request_carries_the_headers(api):
    sync(api)
    for headers in api.headers:
        assert headers["apiKey"] == KEY
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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_http_to_this_machine_goes_past_every_proxy(api, proxy, host):
    """A proxy would see the key, which goes unencrypted."""
    api.users = users(3)
    assert landed(api, sync(api, base_url=api.url.replace("127.0.0.1", host)))
    assert proxy.met == []


def test_https_goes_through_the_proxy_that_the_environment_names(proxy):
    """Where it is the only way out; the key stays inside."""
    assert "the connection failed" in failure(None, base_url="https://awardco.example")
    assert [path for path, _ in proxy.met] == ["awardco.example:443"] * ATTEMPTS
    assert KEY not in str(proxy.met)


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


def test_an_authority_that_the_environment_names_is_trusted(api, trusted):
    api.users = users(3)
    url = secure(api, trusted.issue_cert("127.0.0.1"))
    assert landed(api, sync(api, base_url=url))


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    "issue",
    [
        lambda known: trustme.CA().issue_cert("127.0.0.1"),
        lambda known: known.issue_cert("awardco.example"),
        lambda known: known.issue_cert("127.0.0.1", not_after=YESTERDAY),
    ],
    ids=["unknown authority", "of another host", "expired"],
)
def test_a_certificate_that_does_not_verify_fails_at_once_and_is_named(api, clock, trusted, issue):
    url, connections = secure(api, issue(trusted)), accepted(api)
    message = failure(api, base_url=url)
    assert "(attempt 1): the server's certificate does not verify (" in message
    assert "check base_url" in message
    assert len(connections) == 1 and clock.sleeps == [] and api.requests == []


def test_a_server_that_speaks_no_tls_is_tried_again_as_a_connection_that_failed(api, clock):
    url = api.url.replace("http://", "https://")
    assert f"(attempt {ATTEMPTS}): the connection failed (" in failure(api, base_url=url)
    assert len(clock.sleeps) == ATTEMPTS - 1


def test_a_handshake_that_is_cut_off_is_got_over(api, clock, trusted):
    """As when a load balancer restarts."""
    api.users = users(3)
    url, process = secure(api, trusted.issue_cert("127.0.0.1")), api.server.process_request

    def cut(request, address):
        api.server.process_request = process
        api.server.shutdown_request(request)

    api.server.process_request = cut
    assert landed(api, sync(api, base_url=url))
    assert len(clock.sleeps) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_password_of_the_home_folder_goes_along(
    api, trusted, tmp_path, monkeypatch, scheme, host
):
    """requests sends what ~/.netrc holds for a host, unless it is told not to."""
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text(f"machine {host} login somebody password secret\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    api.users = users(3)
    url = api.url if scheme == "http" else secure(api, trusted.issue_cert(host))
    assert landed(api, sync(api, base_url=url.replace("127.0.0.1", host)))
    assert len(api.headers) == 2 and not any("Authorization" in sent for sent in api.headers)


# --- what a failed sync leaves


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 503}, {"status": 200, "body": {}}])
def test_a_sync_that_reads_nothing_leaves_the_state_as_it_was(api, fault):
    before = {"last_sync_time": "2026-02-01T00:00:00+02:00"}
    destination = Memory(state=before)
    api.faults = [Fault(times=99, **fault)]
    failure(api, destination)
    assert destination.state == before and destination.operations == []


def test_what_was_read_before_a_failure_is_kept(project, api, small_pages):
    api.users = users(45)
    api.faults = [Fault(page=3, times=99, status=401, body={"message": "expired"})]
    failed = project.sync(api)
    assert failed.failed and len(failed.rows) == 20 and failed.state == {}
    assert failed.log_lines(
        "Error: failed while executing update() error: Page 3 of the users could not be read "
        "(attempt 1): HTTP 401; the pages before were answered"
    )
    api.faults = []
    assert len(project.sync(api).rows) == 45


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
