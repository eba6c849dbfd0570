"""Each message that ends a sync or a setup test says what to do; no request is made in vain."""

import socket
from contextlib import contextmanager

import pytest

import connector
from fake_awardco import KEY, NOON, PATH, Fault, listing, text, users
from harness import Memory

ATTEMPTS = getattr(connector, "__ATTEMPTS")
LARGE, SMALL = getattr(connector, "__LARGE_PAGE"), getattr(connector, "__SMALL_PAGE")
STATE = {"last_sync_time": text(NOON), "users": 450}

AGAIN = "run the sync again, and if it persists, ask Awardco"
LATER = f"the pages before were answered, so the settings are right: {AGAIN}"
CONNECTION = "check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE"
FIREWALL = "check base_url, and your network"
LESS = "sync less often, or ask Awardco for a higher limit"
THE_KEY = "check api_key: the API does not accept it"
PERMISSION = "check that api_key has the permission to read users"
PROXY = "check the proxy settings of this machine"
METHOD = f"check base_url: no {PATH} there; or set source to report, if your tenant lacks it"
FILTER = "check updated_since_param, and lower __SMALL_PAGE in connector.py"
SIZE = "lower __SMALL_PAGE in connector.py: the API refuses pages of this size"
ADDRESS = "set base_url to the final address, unless it is a login page of your network"
SLASH = f"set __PATH in connector.py to `{PATH}/`"
SHAPE = "check base_url, and __LIST in connector.py"
RIGHTS = "check that the key may see all users of your tenant"
RESET = "or locally run `fivetran reset`, which deletes the local table and its state"
FOLDER = "use another folder, or run `fivetran reset`, which deletes the local table and its state"


@pytest.fixture
def api(api):
    api.users, api.page_cap = users(450), 100
    return api


@pytest.fixture(autouse=True)
def short_time_outs(monkeypatch):
    monkeypatch.setattr(connector, "__TIMEOUT_SECONDS", (0.1, 0.1))


def failure(api, state=None, **configuration) -> str:
    """The message with which a sync fails."""
    destination = Memory(state=state or {})
    with pytest.raises(connector.SyncError) as caught:
        destination.sync(**{"api_key": KEY, "base_url": api.url, **configuration})
    told = destination.errors[0] if destination.errors else str(caught.value)
    assert told == str(caught.value)  # what the dashboard shows; of a bug, it shows the stack
    return checked(str(caught.value))


def setup_failure(api, **configuration) -> str:
    settings = {"api_key": KEY, "base_url": api.url, **configuration}
    return checked(connector.connector.run_test("connection_test", settings).failure)


def checked(message: str) -> str:
    """A message without its full stop. The attempts are in the log."""
    assert "attempt" not in message and KEY not in message and message.isprintable()
    return message.rstrip(".")


# --- answers that do not get better


def web_page(status: int) -> dict:
    return {"status": status, "body": b"\r\n<html><title>Just a moment...</title></html>"}


def header(status: int, name: str, value: str) -> dict:
    return {"status": status, "headers": {name: value}, "body": listing([])}


def answer(body) -> dict:
    return {"status": 200, "body": body}


LASTING = [  # what comes, what is said of it, and the advice: on page 1, on page 4
    ({"status": 500}, "HTTP 500;", AGAIN, LATER),
    (web_page(503), "HTTP 503;", AGAIN, LATER),
    ({"status": 304}, "HTTP 304;", AGAIN, LATER),
    (answer(b'{"users": ['), "the body is not JSON (or it is cut off)", AGAIN, LATER),
    (answer(listing([], error="x")), "it reports an error", AGAIN, LATER),
    (header(200, "Content-Encoding", "gzip"), "the body is not encoded as", AGAIN, LATER),
    (web_page(200), "the body is not JSON (a web page, such", FIREWALL, LATER),
    (web_page(403), "HTTP 403; a firewall or a login", FIREWALL, FIREWALL),
    ({"kind": "reset"}, "the connection failed (Connection reset by peer)", CONNECTION, LATER),
    ({"kind": "cut"}, "the connection broke off", CONNECTION, LATER),
    ({"kind": "silent"}, "no answer in time", CONNECTION, LATER),
    ({"status": 429}, "HTTP 429;", LESS, LESS),
    (header(403, "Retry-After", "3601"), "403; the API asks to wait 3,601 s;", LESS, LESS),
    (header(429, "Retry-After", "7201"), "429; the API asks to wait 7,201 s;", LESS, LESS),
    (header(503, "Retry-After", "604800"), "503; the API asks to wait 604,800 s;", LESS, LESS),
    ({"status": 401}, "HTTP 401;", THE_KEY, THE_KEY),
    ({"status": 403}, "HTTP 403;", PERMISSION, PERMISSION),
    ({"status": 407}, "HTTP 407; the proxy on the way refuses", PROXY, PROXY),
    ({"status": 400}, "HTTP 400;", FILTER, LATER),
    ({"status": 402}, "HTTP 402;", "check base_url", LATER),
    ({"status": 404}, "HTTP 404;", METHOD, LATER),
    ({"status": 413}, "HTTP 413;", SIZE, LATER),
    ({"status": 422}, "HTTP 422;", FILTER, LATER),
    (header(302, "Location", "https://b.example/?t=1"), "redirect to b.example;", ADDRESS, LATER),
    (header(307, "Location", f"{PATH}/?page=1"), "HTTP 307, a redirect to", SLASH, LATER),
    (answer({"data": [], "n": 4}), "the fields are `data`, `n`", SHAPE, LATER),
    (answer(listing("none")), "holds no list `users`", SHAPE, LATER),
    ({"status": 204}, "HTTP 204", SHAPE, LATER),
]


@pytest.mark.parametrize("fault, said, first, later", LASTING, ids=[row[1] for row in LASTING])
def test_whatever_the_api_answers_the_last_message_says_what_to_do(api, fault, said, first, later):
    """Pages of 100 are no second attempt at pages of 100, which would take minutes."""
    api.faults = [Fault(times=99, **fault)]
    for message in (failure(api), setup_failure(api)):
        assert message.startswith("Page 1 of the users could not be read: ")
        assert said in message and message.endswith((f"; {first}", f": {first}"))
    api.faults = [Fault(page=4, times=99, **fault)]
    api.requests.clear()
    api.sizes.clear()
    message = failure(api)
    assert message.startswith("Page 4 of the users could not be read: ")
    assert said in message and message.endswith(later)
    asked = list(zip(api.pages_asked(), api.sizes, strict=True))
    assert asked[:3] == [(1, LARGE), (2, 100), (3, 100)] and (1, SMALL) not in asked
    assert asked.count((4, 100)) <= ATTEMPTS


# --- what no answer can cure


@contextmanager
def refused(monkeypatch):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nothing listens there
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def unknown(monkeypatch):
    def look_up(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield "https://api.awardco.example"


@contextmanager
def full(monkeypatch):
    """A server that is too busy to take another connection: Linux then lets it wait."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


UNREACHABLE = {
    refused: "the connection failed (Connection refused)",
    unknown: "the connection failed (Name or service not known)",
    full: "no connection in time",
}


@pytest.mark.parametrize("place", UNREACHABLE, ids=lambda place: place.__name__)
@pytest.mark.parametrize("state", [{}, STATE], ids=["everybody", "changes"])
def test_where_no_connection_can_be_made_page_1_gets_all_attempts_once(
    api, clock, monkeypatch, place, state
):
    """Smaller pages, or no filter, cannot cure it."""
    with place(monkeypatch) as url:
        message = failure(api, state, base_url=url)
        assert len(clock.sleeps) == ATTEMPTS - 1
        assert message.endswith(f": {UNREACHABLE[place]}; {CONNECTION}")
        assert setup_failure(api, base_url=url) == message


# --- users, states and bugs

KEY_ADVICE = "add its new name to find_spellings() in connector.py, as the employeeId"
PAGE_ADVICE = "set __PAGE_PARAM in connector.py to the name that your API uses"
SHAPES = {  # how the API differs, and the beginning and the end of the message
    "nobody": ({"users": []}, "The API returned no users, and nothing was stored; ", RIGHTS),
    "few without a key": (
        {"users": users(3), "names": {"employeeId": "id"}},
        "No user has a usable employeeId, so nothing was stored; ",
        KEY_ADVICE,
    ),
    "page ignored": ({"page_param": "p"}, "The API ignores `page`: every page", PAGE_ADVICE),
    "no key": ({"names": {"employeeId": "id"}}, "No user has a usable employeeId; ", KEY_ADVICE),
}


@pytest.mark.parametrize("differs, said, advice", SHAPES.values(), ids=SHAPES)
def test_users_that_cannot_be_used_end_a_sync_with_what_to_do(api, differs, said, advice):
    for name, value in differs.items():
        setattr(api, name, value)
    message = failure(api)
    assert message.startswith(said) and message.endswith(f"; {advice}")


BAD = {"last_sync_time": ("soon", "", None, 7), "last_full_sync": ("2026-13-01", [])}
BAD |= {"users": ("450", 4.5, True, None), "source": ("Users", None, 1)}
DAMAGED = [(name, value) for name, values in BAD.items() for value in values]


@pytest.mark.parametrize("name, value", DAMAGED)
def test_a_damaged_state_names_both_ways_back_and_what_they_cost(api, name, value):
    """A re-sync marks everybody whom it does not deliver."""
    message = failure(api, {**STATE, name: value})
    start = f"The state cannot be used: {name} is unreadable; re-sync on Fivetran, but read"
    assert message.startswith(start) and message.endswith(RESET)
    assert api.requests == []


MIXED = {  # the state, and whether the sync that follows is in mock mode
    "real users after made-up ones": ({**STATE, "source": "mock"}, "false"),
    "made-up users after real ones": ({**STATE, "source": "users"}, "true"),
    "made-up users after a report": ({"last_full_sync": text(NOON), "source": "report"}, "true"),
    "made-up users after version 1": ({"last_sync_time": text(NOON)}, "true"),
}


@pytest.mark.parametrize("state, use_mock", MIXED.values(), ids=MIXED)
def test_made_up_people_never_stand_among_real_ones(api, state, use_mock):
    message = failure(api, state, use_mock=use_mock)
    before, now = state.get("source", "users"), "mock" if use_mock == "true" else "users"
    assert message.startswith(f"The last sync read {before}, this one reads {now}, and mock")
    assert message.endswith(f"; {FOLDER}") and api.requests == []


def test_mock_mode_says_first_that_its_users_are_made_up_and_goes_on_from_itself(in_memory, api):
    for count in (250, 248):
        outcome = in_memory.sync(api, use_mock="true", full_sync_days="1")
        assert outcome.state["source"] == "mock" and len(outcome.rows) == count
        assert in_memory.lines[0].startswith("Mock mode: these users are made up")
        in_memory.destination.state["last_full_sync"] = text(NOON)


@pytest.mark.parametrize("is_of_python", [False, True])
def test_an_error_that_nobody_foresaw_says_what_to_do_too(api, monkeypatch, is_of_python):
    def full(**_):
        raise OSError("No space left on device")

    if is_of_python:
        monkeypatch.setattr(connector.op, "upsert", full)
    else:
        monkeypatch.setattr(connector, "find_total", int)
    message = failure(api)
    assert "in connector.py (function and line: update() " in message
    assert message.endswith("report this line as a bug")
    monkeypatch.setattr(connector, "find_total", int)
    assert setup_failure(api).endswith(": report it as a bug")
