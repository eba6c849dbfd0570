"""The key leaves the connector in one request header only, and no person's data in a log."""

import json
import re
import shutil
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from urllib.parse import quote

import duckdb
import pytest
import requests
from fivetran_connector_sdk import ConfigurationForm, Connector

import harness
from fake_awardco import NOON, FakeAwardco, Fault, key_header, listing, user
from fivetran_api import PROJECT, run_fivetran
from harness import Memory, Project, connector, ending_process, use_copy

SECRET = "Zq7+Wx9/Kd&Mv==Jb2'Rt"
PERSONAL = {"E77aZ9", "Xanthippe", "Quillfeather", "x.q@home.example", "98765.43", "Zwiebelgasse"}
PIECE = 5  # so many characters of a key in a row are too many


class Output:
    """What pytest has captured, errors included."""

    def __init__(self, capsys):
        self.capsys = capsys

    def readouterr(self):
        return SimpleNamespace(out="".join(self.capsys.readouterr()))


@pytest.fixture
def project(tmp_path, capsys, monkeypatch, clock):
    """A project with the connector in it: crash reports show the variables of no other file."""
    folder = tmp_path / "project"
    folder.mkdir()
    copied = use_copy(folder, monkeypatch, clock)
    monkeypatch.setattr(copied, "__SMALL_PAGE", 10)
    return Project(folder, Output(capsys))


@pytest.fixture
def api():
    with FakeAwardco(key=SECRET, page_cap=10) as api:
        api.users = [person(number) for number in range(25)]
        yield api


def person(number: int) -> dict:
    """A user of whom nothing may be told; each has the personal values, and an own number."""
    return user(
        number,
        NOON - timedelta(days=2),
        employeeId=f"E77aZ9-{number}",
        firstName="Xanthippe",
        lastName="Quillfeather",
        email=f"{number}x.q@home.example",
        balance=98765.43,
        address={"street": "Zwiebelgasse"},
    )


def leftovers(project) -> dict:
    """Every file below the project folder, and every table of the warehouse, as bytes."""
    found = {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in project.folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    with duckdb.connect(str(project.folder / "files" / "warehouse.db"), read_only=True) as tables:
        for schema, name in tables.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall():
            rows = tables.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall()
            found[f"table {name}"] = repr(rows).encode()
    return found


def holding(texts, found: dict) -> set:
    """The names of what holds one of the texts, in capitals or not."""
    sought = [text.lower().encode() for text in texts]
    return {name for name, data in found.items() if any(text in data.lower() for text in sought)}


def pieces(key: str) -> list:
    """All that must not be found of a key: a part of it gives it away too."""
    size = min(PIECE, len(key))
    return [key[at : at + size] for at in range(len(key) - size + 1)]


def failing_sync(project, api, key=SECRET, **configuration) -> dict:
    """All that a sync leaves which fails, with the log: the key pasted so that the SDK cannot
    recognise it, and an address that the SDK does not take for a secret to mask."""
    pasted = {"api_key": f"\n{key} ", "base_url": f"{api.url}/api/ ", **configuration}
    outcome = project.sync(**pasted)
    assert outcome.failed
    found = {"log": outcome.log.encode(), **leftovers(project)}
    return found


def crash_report(found: dict) -> bytes:
    """The report of an error that nobody foresaw; it shows variables."""
    report = next(data for name, data in found.items() if name.startswith("crash-reports/"))
    assert b"in update" in report and b"configuration = keys" in report
    return report


# --- the key

ECHOED = {
    "as it is": f"Unknown key {SECRET}",
    "escaped by JSON": SECRET.translate({ord(c): f"\\u{ord(c):04X}" for c in "+&'=Zq7"}),
    "in capitals, twice": f"{SECRET}{SECRET}".upper(),
    "as in an address": quote(SECRET),
    "as in a query": quote(SECRET, safe="").lower(),
    "where the text is cut": "x" * 190 + SECRET,
}


@pytest.mark.parametrize("message", ECHOED.values(), ids=ECHOED)
def test_a_key_that_the_api_echoes_is_not_shown(api, monkeypatch, message):
    told = []
    monkeypatch.setattr(connector.log, "warning", told.append)
    body = f'{{"success": false, "errors": [{{"message": "{message}"}}]}}'.encode()
    api.faults = [Fault(status=503, body=body), Fault(status=401, body=body)]
    with pytest.raises(connector.SyncError) as caught:
        Memory().sync(api_key=SECRET, base_url=api.url)
    told.append(str(caught.value))
    assert len(told) == 2 and all("the API said: " in text and "****" in text for text in told)
    assert holding(pieces(SECRET), {text: text.encode() for text in told}) == set()


FORMS = {
    "after words": "Token token={key}",
    "between words": 'Token token="{key}", version=2',
    "alone": "{key}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_is_masked_where_the_api_echoes_it_without_what_stands_around_it(
    api, monkeypatch, form
):
    """The header holds `Token token=...`, but the API names the key alone."""
    monkeypatch.setattr(connector, "__KEY_HEADER", {"Authorization": form})
    api.faults = [Fault(status=401, body={"message": f"Unknown key {SECRET}, see {SECRET}."})]
    with pytest.raises(connector.SyncError) as caught:
        Memory().sync(api_key=SECRET, base_url=api.url)
    assert api.headers[0]["Authorization"] == form.format(key=SECRET)
    assert "the API said: Unknown key ****, see ****.; check api_key" in str(caught.value)


def test_a_header_that_is_always_the_same_masks_nothing(api, monkeypatch):
    """Its value is no secret, and an error with `****` in it would not say what to do."""
    monkeypatch.setattr(connector, "__KEY_HEADER", {"X-Tenant": "points", "apiKey": "{key}"})
    api.faults = [Fault(status=401, body={"message": f"{SECRET} may not read points"})]
    with pytest.raises(connector.SyncError) as caught:
        Memory().sync(api_key=SECRET, base_url=api.url)
    assert "the API said: **** may not read points; check api_key" in str(caught.value)


def test_a_failing_sync_leaves_the_key_nowhere(project, api):
    body = {"message": f"The key {SECRET} has expired"}
    api.faults = [Fault(page=2, status=429, body=body), Fault(page=3, status=403, body=body)]
    found = failing_sync(project, api)
    assert {"log", "files/state.json", "files/warehouse.db", "table user"} < set(found)
    assert holding(["Quillfeather"], found) == {
        "files/warehouse.db",
        "table user",
    }  # it looks well
    assert b"has expired" in found["log"] and found["files/state.json"] == b"{}"
    assert holding(pieces(SECRET), found) == set()
    assert all(key_header(SECRET).items() <= headers.items() for headers in api.headers)


def test_fivetran_debug_leaves_the_key_nowhere_but_where_it_was_put(tmp_path, api):
    """As a command of its own, with the crash report that it writes as it exits."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("connector.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, project)
    configuration = {"api_key": SECRET, "base_url": f"{api.url}/"}
    (project / "configuration.json").write_text(json.dumps(configuration))
    api.users = [person(number) for number in range(250)]
    api.page_cap = 100
    api.faults = [Fault(page=3, status=401, body={"error": f"Unknown key {SECRET}"})]
    run = run_fivetran(project, "debug")
    assert run.status == 1 and "Unknown key ****" in run.output
    found = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not any(name.startswith("crash_") for name in found)  # the message says it all
    assert holding(pieces(SECRET), {"output": run.output.encode(), **found}) == {
        "configuration.json"
    }


@pytest.mark.parametrize("between", ["\n", "日"])
def test_no_part_of_a_malformed_key_is_shown(project, api, between):
    left, right = SECRET[:10], SECRET[10:]
    found = failing_sync(project, api, f"{left}{between}{right}")
    assert b"api_key cannot be used: copy it again, without spaces, line breaks" in found["log"]
    assert holding(pieces(left) + pieces(right), found) == set()
    assert api.requests == []


def test_a_request_holds_the_key_in_its_header_only(api, monkeypatch):
    """Servers and proxies write addresses into their logs."""
    send, sent = requests.adapters.HTTPAdapter.send, []

    def noted(adapter, request, **options):
        headers = {**request.headers}
        for name, value in key_header(SECRET).items():
            assert headers.pop(name) == value
        sent.append(f"{request.method} {request.url} {headers} {request.body}")
        return send(adapter, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", noted)
    api.page_cap = 100
    api.faults = [Fault(status=503)]
    Memory().sync(api_key=SECRET, base_url=api.url)
    assert len(sent) >= 3
    as_a_parameter = quote(SECRET, safe="")
    found = {text: text.encode() for text in sent}
    assert holding([*pieces(SECRET), as_a_parameter], found) == set()


def test_what_holds_the_key_does_not_show_it_when_printed(api, monkeypatch):
    """A crash report prints the variables of the connector."""
    opened, open_api = [], connector.open_api

    def noted(*arguments):
        opened.append(open_api(*arguments))
        return opened[-1]

    monkeypatch.setattr(connector, "open_api", noted)
    Memory().sync(api_key=SECRET, base_url=api.url)
    assert key_header(SECRET).items() <= opened[-1].session.headers.items()
    assert holding(pieces(SECRET), {"variables": repr(opened).encode()}) == set()


# --- the key, in setup tests, whose crash reports the SDK does not mask at all


@pytest.fixture
def setup_test(project, capsys):
    """Run one setup test as `fivetran configuration --test` does, to the exit of the process,
    which is when the SDK writes its crash report; return all that it shows and leaves."""

    def run(name: str, **configuration) -> dict:
        form = ConfigurationForm()
        form.add_test(label="As it is", func=getattr(harness.connector, name))
        tested = Connector(update=harness.connector.update, configuration_form=lambda: form)
        settings = project.folder / "configuration.json"
        settings.write_text(json.dumps(configuration))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end, ending_process():
            tested.generate_configuration(str(project.folder), run_tests=True)
        settings.unlink()
        assert end.value.code == 1
        files = [path for path in project.folder.rglob("*") if path.suffix not in (".py", ".pyc")]
        left = {path.name: path.read_bytes() for path in files if path.is_file()}
        return {"output": "".join(capsys.readouterr()).encode(), **left}

    return run


def test_a_setup_test_that_fails_shows_no_key(setup_test, api):
    api.faults = [Fault(times=9, status=503, body={"message": f"Unknown key {SECRET}"})]
    found = setup_test("filter_test", api_key=f"\n{SECRET}", base_url=f"{api.url}/")
    assert b"Unknown key ****" in found["output"] and set(found) == {"output"}
    assert holding(pieces(SECRET), found) == set()


@pytest.mark.parametrize("where", ["open_api", "send_request"])
def test_a_setup_test_that_breaks_shows_no_key(setup_test, api, monkeypatch, where):
    def broken(*arguments):
        raise KeyError(SECRET, arguments)

    monkeypatch.setattr(harness.connector, where, broken)
    found = setup_test("connection_test", api_key=SECRET, base_url=api.url)
    assert b"The test itself failed (KeyError)" in found["output"] and set(found) == {"output"}
    assert holding(pieces(SECRET), found) == set()


# --- personal values

PEOPLE = [person(number) for number in range(10, 30)]
PAGES = {
    "half a JSON": {"status": 200, "body": json.dumps(listing(PEOPLE)).encode()[:1000]},
    "list renamed": {"status": 200, "body": {"elsewhere": PEOPLE}},
    "refused with users": {"status": 422, "body": listing(PEOPLE, errors=PEOPLE)},
    "users in a message": {"status": 200, "body": {"message": listing(PEOPLE)}},
    "an error and users": {"status": 200, "body": listing(PEOPLE, success=False)},
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_sync_that_fails_later_shows_nobody(project, api, page):
    api.before_page = {2: lambda _: api.faults.append(Fault(times=99, **page))}
    found = failing_sync(project, api)
    assert b"Page 2" in found["log"] or b"of page 2" in found["log"]
    assert holding(PERSONAL, found) == {"files/warehouse.db", "table user"}


def test_an_error_of_the_connector_itself_names_its_line_and_shows_nobody(
    project, api, monkeypatch
):
    api.users = [{**row, "address": "Zwiebelgasse"} for row in api.users]
    monkeypatch.setattr(harness.connector, "encode_undeclared", int)  # its error quotes the value
    found = failing_sync(project, api)
    path = rb"update\(\) \d+, [^\n]*sync_users\(\) \d+, [^\n]*, read_row\(\) \d+"
    assert re.search(rb"ValueError in connector.py .function and line: %s\);" % path, found["log"])
    assert b"ValueError" in crash_report(found)
    assert holding(PERSONAL, found) == set()


def test_an_error_on_the_thread_of_a_request_names_its_line_and_shows_nobody(
    project, api, monkeypatch
):
    """It carries the frames of that thread along, which hold the users of the answer."""
    broken = partial(monkeypatch.setattr, harness.connector, "find_total", int)
    api.before_page = {2: lambda _: broken()}
    found = failing_sync(project, api)
    path = rb"update\(\) \d+, [^\n]*, request_page\(\) \d+, [^\n]*\d+"
    assert re.search(rb"TypeError in connector.py .function and line: %s\);" % path, found["log"])
    assert b"TypeError" in crash_report(found)
    assert holding(PERSONAL, found) <= {"files/warehouse.db", "table user"}
    assert holding(pieces(SECRET), found) == set()


@pytest.mark.parametrize(
    "page, fault", [(1, {"kind": "reset"}), (2, {"status": 401}), (2, None)], ids=str
)
def test_no_frame_of_an_error_holds_the_key_or_a_user(api, monkeypatch, page, fault):
    """Whatever reads them: the SDK, or an error tracker of the machine it runs on."""
    monkeypatch.setattr(connector, "__SMALL_PAGE", 10)
    if fault:
        api.faults = [Fault(page=page, times=99, **fault)]
    else:
        api.before_page = {page: lambda _: monkeypatch.setattr(connector, "find_total", int)}
    with pytest.raises(connector.SyncError) as caught:
        Memory().sync(api_key=SECRET, base_url=api.url)
    names, variables = [], {}
    place = caught.value.__traceback__
    while place is not None:
        if place.tb_frame.f_code.co_filename == connector.__file__:
            names.append(place.tb_frame.f_code.co_name)
            held = {**place.tb_frame.f_locals, "configuration": "that the SDK leaves out"}
            variables[f"{len(names)}"] = repr(held).encode()
        place = place.tb_next
    assert names == ["update"] and caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert holding([*pieces(SECRET), *PERSONAL], variables) == set()


def test_what_the_sdk_says_of_an_error_is_shown_without_the_users(project, api, monkeypatch):
    def full(table, data):
        raise OSError("No space left on device")

    monkeypatch.setattr(harness.connector.op, "upsert", full)
    found = failing_sync(project, api)
    told = rb"OSError in connector.py .function and line: [^\n]*\): No space left on device;"
    assert re.search(told, found["log"])
    assert b"OSError" in crash_report(found)
    assert holding(PERSONAL, found) == set()


def test_users_that_cannot_be_read_are_reported_of_without_their_values(project, api):
    api.users = [
        {**person(1), "employeeId": None},
        {**person(2), "employeeId": {"id": "E77aZ9"}},
        {**person(3), "balance": "98765.43 Quillfeather"},
        {**person(4), "updated_at": "Xanthippe", "created_at": "Quillfeather"},
        {**person(5), "x.q@home.example": "Xanthippe", "X.Q@home.example": "1:2:3Z"},
    ]
    api.order = "storage"
    outcome = project.sync(api, api_key=SECRET)
    assert not outcome.failed and len(outcome.rows) == 3
    for told in (
        "2 users without a usable employeeId, skipped",
        "3 unreadable values stored as null (balance: 1, created_at: 1, updated_at: 1)",
    ):
        assert outcome.log_lines(told)
    assert holding(PERSONAL - {"x.q@home.example"}, {"log": outcome.log.encode()}) == set()
