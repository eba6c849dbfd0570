"""The Users report: ordered, waited for, read without losing anybody, and the key kept at home."""

import itertools
import json
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import duckdb
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_awardco import KEY, FakeAwardco, Fault, key_header, users
from fake_report import ABSENT, ALL_COLUMNS, COLUMNS, ORDER, page_text, people, person
from fivetran_api import PROJECT, run_fivetran
from harness import Memory, Project, connector, utc

ATTEMPTS = getattr(connector, "__ATTEMPTS")
DUE = {"last_full_sync": "2020-01-01T00:00:00+00:00", "users": 25, "source": "report"}

# What the messages must say, in lower case.
CELLS = ("cells",)
BROKEN = ("csv",)
TWICE = ("preferred name", "twice")
TWO_NAMES = ("employee id", "employee_id")
NO_KEY = ("no column is the employeeid", "employee number")
EMPTY = ("no users", "page 2")
SAME = ("page 2", "the page before")
NOBODY = ("no users",)
NO_COUNT = ("totalpages",)
NO_ADDRESS = ("paginatedapibaseurl",)
NO_TASK = ("taskid",)
HTML = ("web page",)
NO_DISK = ("no disk",)
NOT_READY = ("queued", "hour")
NO_PERMISSION = ("403", "permission", "reports")
DOUBT = ("users may be missing", "places")
FEWER = ("25", "40")
CHOOSE_REPORT = ("set source to report",)
OTHER_FOLDER = ("another folder", "fivetran reset")


@pytest.fixture
def api(api):
    """25 people on three pages."""
    api.report.rows, api.report.page_size = people(25), 10
    return api


@pytest.fixture
def due(in_memory, api):
    """Runs a sync that marks who left: one person is in the table, but not in the report."""

    def run(**given):
        in_memory.destination.rows = {"GONE": {}}
        given = {"state": DUE, "source": "report", "full_sync_days": "7", **given}
        return in_memory.sync(api, **given)

    run.gone = in_memory.destination.gone
    return run


@pytest.fixture
def fails(in_memory, api, due):
    """Runs one that fails with these words, stores nothing after the pages that were good, marks
    nobody, and shows nobody and no key."""

    def run(*words, **given):
        good = [fault.page - 1 for fault in api.faults if isinstance(fault.page, int)] or [0]
        outcome = due(**given)
        assert outcome.failed, outcome.log
        error = in_memory.lines[-1].lower()
        assert [word for word in words if word not in error] == [], error
        assert len(outcome.rows) == min(10 * good[0], 25) + 1
        assert due.gone == {} and outcome.state == DUE
        assert "Quillfeather" not in outcome.log and KEY not in outcome.log.lower()
        assert all("\n" not in line and len(line) < 800 for line in in_memory.lines)
        return error

    return run


def answers(step, body, kind="text/csv", status=200, **headers) -> dict:
    """An API that answers a step like this, however often it is asked."""
    body = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": kind, **headers}
    return {"faults": [Fault(page=step, times=99, status=status, headers=headers, body=body)]}


def pages_read(api) -> list:
    return [step for step in api.pages_asked() if isinstance(step, int)]


# --- the main job


@pytest.mark.timeout(300)
def test_20000_people_land_a_kill_loses_nobody_and_who_left_is_marked(tmp_path, api, kills):
    """With `fivetran debug`, which waits for real: a second before it asks for the status."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("connector.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder)
    project = Project(folder, None)
    chosen = {"source": "report", "full_sync_days": "7"}
    settings = {"api_key": KEY, "base_url": api.url, **chosen}
    (folder / "configuration.json").write_text(json.dumps(settings))
    api.report.rows, api.report.page_size = people(20_000), 1000
    api.report.statuses = ["completed"]

    def debug():
        run = run_fivetran(folder, "debug")
        assert run.status == 0, run.output
        assert api.pages_asked() == ["order", "status", *range(1, 21)]
        api.requests.clear()

    def marked():
        with duckdb.connect(str(folder / "files" / "warehouse.db"), read_only=True) as found:
            rows = found.execute("SELECT _fivetran_deleted, employee_id FROM tester.user")
            rows = rows.fetchall()
            return len(rows), [key for is_deleted, key in rows if is_deleted]

    debug()
    first = project.state()
    assert first["users"] == 20_000 and marked() == (20_000, [])
    state = {**first, "last_full_sync": DUE["last_full_sync"]}
    (folder / "files" / "state.json").write_text(json.dumps(state))
    del api.report.rows[7_776]
    kills.sync(project, api, "upsert 10500", **chosen)
    assert marked() == (20_000, []) and project.state() == state
    api.requests.clear()
    debug()
    assert marked() == (20_000, ["E07777"])
    assert project.state()["users"] == 19_999
    assert project.state()["last_full_sync"] >= first["last_full_sync"]


def test_each_request_is_what_the_api_takes_and_each_checkpoint_repeats_the_state(
    in_memory, api, due
):
    outcome = due()
    assert api.pages_asked() == ["order", "status", "status", 1, 2, 3]
    assert all(key_header().items() <= headers.items() for headers in api.headers)
    accepted = [headers["Accept"] for headers in api.headers]
    assert accepted == ["text/csv", "*/*", "*/*", "text/csv", "text/csv", "text/csv"]
    assert api.report.orders == [ORDER]
    assert in_memory.destination.operations.count(("checkpoint", DUE)) == 3
    assert outcome.state == {**DUE, "last_full_sync": outcome.state["last_full_sync"]}
    assert outcome.state["last_full_sync"] > DUE["last_full_sync"]
    assert due.gone.keys() == {"GONE"} and in_memory.destination.warnings == []
    assert not outcome.log_lines("__PER_PAGE_PARAM")


TEXTS = {"Preferred Name", "Secondary Email", "Username", "Phone Number", "Language"}
TEXTS |= {"Birth Date", "Country", "Nomination Approval IDs"}
CELLS_IN_THEM = ["T", "00042", "+12345678910", "05/19", "1e5", "2020-01-01"]
CREATED = {
    "05/13/2020 4:01:02 PM": "2020-05-13T16:01:02Z",
    "05/13/2020 12:00:00 AM": "2020-05-13T00:00:00Z",
    "12/01/2020 12:30:00 PM": "2020-12-01T12:30:00Z",
    "2020-05-13T16:01:02Z": "2020-05-13T16:01:02Z",
    "": None,
    "13/05/2020 4:01:02 PM": None,
}


@pytest.mark.parametrize("spelled", [str, str.upper], ids=["as it is", "in capitals"])
def test_every_column_that_awardco_names_lands_as_it_was_sent(project, api, spelled):
    """As `T` would become true, and `00042` a number, if the columns were not declared."""
    cells = dict(zip(sorted(TEXTS), itertools.cycle(CELLS_IN_THEM), strict=False))
    others = dict.fromkeys(["Hire Date", *ALL_COLUMNS[-2:]], "05/19")
    rows = [person(n, **cells, **others) for n in range(len(CREATED))]
    rows = [{**row, "Created Date": cell} for row, cell in zip(rows, CREATED, strict=True)]
    api.report.rows = [{spelled(name): row[name] for name in row} for row in rows]
    api.report.columns = [spelled(name) for name in ALL_COLUMNS]
    outcome = project.sync(api, source="report")
    found = [outcome.rows[f"E{n:05d}"] for n in range(len(rows))]
    for name, cell in cells.items():
        column = name.lower().replace(" ", "_")
        assert outcome.columns[column] == "VARCHAR", column
        assert {row[column] for row in found} == {cell}
    assert [row["created_at"] for row in found] == [at and utc(at) for at in CREATED.values()]
    assert outcome.log_lines("created_at: ")
    assert {"hire_date", "archived_date", "meta_department"} < outcome.columns.keys()


def test_the_notation_of_the_report_is_read_for_the_report_only(in_memory, api):
    api.users = [{**row, "created_at": "05/13/2020 4:01:02 PM"} for row in users(3)]
    assert "created_at: " in in_memory.sync(api).log


def test_the_options_choose_columns_and_names_that_compare_equal_keep_their_values(
    in_memory, api, monkeypatch
):
    sizes = {"Meta : T-Shirt": "large", "Meta : TShirt": "small"}
    options = {"selectedColumns": ["Employee Id", "Country", *sizes]}
    monkeypatch.setattr(connector, "__REPORT_OPTIONS", options)
    api.report.rows = [person(1, **sizes)]
    row = in_memory.sync(api, source="report").rows["E00001"]
    assert api.report.orders == [{**ORDER, **options}]
    assert row["Country"] is None and "email" not in row and "other_fields" in row
    assert all(size in str(row) for size in sizes.values())


def test_empty_cells_are_null_and_empty_lines_nobody(in_memory, api):
    api.report.rows = people(1)
    api.faults = answers(1, page_text([person(1, Email="")]) + "\r\n\r\n")["faults"]
    rows = in_memory.sync(api, source="report").rows
    assert [*rows] == ["E00001"] and rows["E00001"]["email"] is None


# The SDK drops U+0000.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TEXT |= st.text('",\r\n; \ufeffa', max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(texts=st.lists(TEXT, min_size=1, max_size=25))
def test_any_text_in_a_cell_arrives_exactly(clock, texts):
    with FakeAwardco() as api:
        cells = [dict.fromkeys(("First Name", "Preferred Name", "Email"), text) for text in texts]
        api.report.rows = [person(number, **row) for number, row in enumerate(cells)]
        api.report.page_size = 10
        destination = Memory()
        destination.sync(api_key=KEY, base_url=api.url, source="report")
    for number, text in enumerate(texts):
        row = destination.rows[f"E{number:05d}"]
        found = {name: row.get(name) for name in ("firstName", "Preferred Name", "email")}
        assert found == dict.fromkeys(found, text or None)


# --- waiting


def test_the_status_is_asked_for_less_and_less_often_whatever_its_word(in_memory, api, clock):
    words = ["in progress", "queued", "Warming up", "", None, 7, "in progress"]
    api.report.statuses = [*words, "Completed"]
    outcome = in_memory.sync(api, source="report")
    assert len(outcome.rows) == 25 and clock.sleeps == [1, 2, 4, 8, 16, 30, 30, 30]
    for word in ("queued", "Warming up"):
        assert len(outcome.log_lines(word)) == 1


@pytest.mark.parametrize("seconds", [0, 600], ids=["at once", "after ten minutes"])
def test_a_report_that_is_not_ready_in_an_hour_by_the_clock_is_given_up(
    fails, api, clock, seconds
):
    api.report.statuses = ["in progress", "queued"]
    api.before_answer = lambda step: step == "status" and clock.passes(seconds)
    began = clock.now
    fails(*NOT_READY)
    assert 3_500 < clock.now - began < 3_700 + seconds


def test_an_attempt_that_failed_is_made_again(in_memory, api):
    api.faults = [Fault(page=step, status=503) for step in ("order", "status", 1)]
    api.faults += [Fault(page=2, status=200, body=b"<html>"), Fault(page=3, kind="cut")]
    assert len(in_memory.sync(api, source="report").rows) == 25


def test_a_task_that_is_gone_ends_the_sync(fails, api):
    api.before_page["status"] = lambda api: api.report.orders.append({})
    assert "base_url" not in fails("404")


# --- what ends a sync: behaviours of the API, and what is said

COUNTS = (0, -1, "three", 2.5, True, None, ABSENT)
STATUSES = [({"totalPages": count}, NO_COUNT) for count in COUNTS]
STATUSES += [({"paginatedApiBaseUrl": url}, NO_ADDRESS) for url in (None, "", 7, ABSENT)]
FAILED = {"message": "Too late", "errorCode": 17}
STATUSES += [({"status": word, **FAILED}, ("too late", "17")) for word in ("error", "ERROR")]
CASES = {f"status with {task}": ({"task": task}, words) for task, words in STATUSES}
for task in (ABSENT, None, "", [17]):
    CASES[f"order with task {task}"] = ({"ticket": {"taskId": task}}, NO_TASK)

CASES["order refused in a 200"] = (
    {"ticket": {"taskId": ABSENT, "message": "Not yours"}},
    (*NO_TASK, "not yours"),
)

CASES["a failure with a task"] = (
    {"ticket": {"taskId": 0, "success": False, "message": "Not yours"}},
    ("the order", "not yours"),
)
CASES["a failure with a status"] = (
    {"task": {"status": "failed", "success": False, "message": "Too late"}},
    ("the status", "too late"),
)

FIRST, SECOND = page_text(people(10)), page_text(people(20)[10:])
NAMES, OTHERS = SECOND.split("\r\n", 1)
PAGES = {  # in the place of page 2
    "cut inside a cell": (SECOND[: SECOND.rindex("user20")] + '"user', BROKEN),
    "cut inside a line": (SECOND[: SECOND.rindex(",Quill")], CELLS),
    "a footer": (f"{SECOND}Total: 10\r\n", CELLS),
    "without its names": (OTHERS, ()),
    "empty": (f"{NAMES}\r\n", EMPTY),
    "without anything": ("", ()),
    "people of one name, without a heading": ("E00011" + ",Quillfeather" * 4, ("perhaps cells",)),
    "the page before": (FIRST, SAME),
}
CHANGES = {  # what becomes of a text in it
    "a line too short": ("E00015,", "", CELLS),
    "a line too long": ("E00015,", "E00015,more,", CELLS),
    "an open quote": ("First15", '"First15', BROKEN),
    "an open quote before another": (",First15,Preferred15,", ',"First15,"Preferred15",', BROKEN),
    "text after a quote": ("First15", '"First15"x', BROKEN),
    "a huge cell": ("First15", "x" * 200_000, BROKEN),
    "a bare carriage return": ("First15", "First\r15", ()),
    "a name twice": ("Email", "Preferred Name", TWICE),
    "the name of the key twice": ("Email", "Employee Id", ("twice",)),
    "two names of one column": ("Preferred Name", "employee_id", TWO_NAMES),
}
PAGES |= {name: (SECOND.replace(a, b, 1), words) for name, (a, b, words) in CHANGES.items()}
for name, (page, words) in PAGES.items():
    CASES[f"page 2: {name}"] = (answers(2, page), ("page 2", *words))
RETRIED = {("page 2", *words) for words in (CELLS, BROKEN, TWICE, TWO_NAMES)}

LOGIN, FAILURE = "\n<html><title>Sign in</title>", '{"success": false, "message": "No disk"}'
for step in ("order", "status", 1, 2):
    for kind in ("text/html", "text/csv"):
        CASES[f"a login page as {kind} at {step}"] = (answers(step, LOGIN, kind), HTML)
    for kind in ("application/json", "text/csv"):
        CASES[f"a failure as {kind} at {step}"] = (answers(step, FAILURE, kind), NO_DISK)
for kind in ("text/html; charset=utf-8", "application/json"):
    CASES[f"pages as {kind}"] = ({"content_type": kind}, ("page 1",))

# A first line that is a person must not be named as columns are.
PERSON = OTHERS.replace("Preferred", "").replace("First", "Quillfeather")
CASES |= {
    "no key": ({"columns": ["Employee Number", *COLUMNS[1:]]}, NO_KEY),
    "no names": (answers(1, PERSON), NO_KEY[:1]),
    "nobody": ({"rows": []}, NOBODY),
    "no permission": (answers("order", "", status=403), NO_PERMISSION),
}

# In all of them the fixture looks for the key.
SECRET = {"message": f"Unknown key {KEY}\n\x1b[31m{KEY.upper()}" + "x" * 5_000}
REFUSAL, LINK = json.dumps(SECRET), f"https://{KEY}.example/{KEY}"
for step in ("order", "status", 2):
    CASES[f"key in a refusal at {step}"] = (answers(step, REFUSAL, status=401), ("401",))
    redirect = answers(step, "", status=302, Location=LINK)
    CASES[f"key in a redirect at {step}"] = (redirect, ("302",))
CASES |= {
    "key in an error": ({"task": {**SECRET, "status": "error", "errorCode": f"{KEY}-17"}}, ()),
    "key in an error code": ({"task": {"status": "error", "errorCode": [KEY]}}, ()),
    "key in an address": ({"address": LINK}, ()),
    "key in a status": ({"statuses": [f"waits for\n{KEY}" + "x" * 5_000]}, ()),
    "key as a column": ({"columns": [KEY, "Employee Number"]}, ()),
}


@pytest.mark.parametrize("given, words", CASES.values(), ids=CASES)
def test_what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody(fails, api, given, words):
    for name, value in given.items():
        setattr(api if name == "faults" else api.report, name, value)
    fails(*words)
    if words in RETRIED | {HTML, NO_DISK}:
        assert api.pages_asked().count(api.faults[0].page) == ATTEMPTS


def test_fewer_pages_than_were_said_are_an_error(fails, api):
    api.report.task = {"totalPages": 4}
    api.faults = [Fault(page=4, times=0)]
    assert "base_url" not in fails("page 4", "404")


TYPES = {
    "utf-8-sig": ["text/csv", "TEXT/CSV", "text/plain", "application/octet-stream", None],
    "utf-8": [f"text/csv; charset={name}" for name in ("utf-8", "ISO-8859-1", "utf8mb4")],
    "utf-16": ["text/csv; charset=utf-16"],
    "cp1252": ["text/csv; charset=windows-1252", "text/csv"],
}


@pytest.mark.parametrize(
    "encoding, kind", [(name, kind) for name in TYPES for kind in TYPES[name]]
)
def test_names_arrive_whatever_the_page_calls_itself(in_memory, api, encoding, kind):
    api.report.encoding, api.report.content_type = encoding, kind
    api.report.rows[4]["First Name"] = "Zoë Žižek €"
    outcome = in_memory.sync(api, source="report")
    assert outcome.rows["E00005"]["firstName"] == "Zoë Žižek €" and len(outcome.rows) == 25


# --- the key

AWARDCO = "https://api.awardco.com"
ALLOWED = ["https://api.awardco.com{path}", "HTTPS://API.AWARDCO.COM:443{path}", "{path}"]
# With a Cyrillic letter in one of them.
REFUSED = """
https://evil.example{path}  https://evil.example\\@api.awardco.com{path}  //evil.example{path}
https://api.awardco.com@evil.example{path}  https://api.awardco.com.evil.example{path}
https://api.awardco.com:8443{path}  https://api.awardco.com:port{path}  ftp://api.awardco.com{path}
http://api.awardco.com{path}  http://api.awardco.com:443{path}  https://files.awardco.com{path}
https://somebody:else@api.awardco.com{path}  https://аpi.awardco.com{path}  https://[evil{path}
file:///etc/passwd
"""
HOSTS = ("https://evil.example", "com.evil.example", "8443", "files.awardco.com")


@pytest.fixture
def other(api):
    """Another server, which would give the pages to anybody."""
    with FakeAwardco(report=api.report) as other:
        yield other


@pytest.fixture
def internet(api, other, monkeypatch):
    """Requests to Awardco's host reach the fake, and those to any other that server."""
    send = requests.adapters.HTTPAdapter.send

    def rerouted(adapter, request, **options):
        url = urlsplit(request.url)
        home = f"{url.scheme}://{url.netloc.lower()}".removesuffix(":443") == AWARDCO
        request = request.copy()
        request.url = f"{api.url if home else other.url}{url.path}?{url.query}"
        return send(adapter, request, **{**options, "proxies": {}})

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", rerouted)


@pytest.mark.parametrize("base", [AWARDCO, "https://API.awardco.com:443/"])
@pytest.mark.parametrize("address", ALLOWED)
def test_pages_may_be_at_the_host_of_base_url(in_memory, api, internet, base, address):
    api.report.address = address
    assert len(in_memory.sync(api, source="report", base_url=base).rows) == 25
    assert pages_read(api) == [1, 2, 3]


@pytest.mark.parametrize("address", REFUSED.split())
def test_the_key_goes_to_no_other_host_scheme_or_port(fails, api, other, internet, address):
    api.report.address = address
    named = [host.removeprefix("https://") for host in HOSTS if host in address]
    assert "set base_url" not in fails(*named, base_url=AWARDCO)
    assert other.requests == [] and pages_read(api) == []


def test_further_hosts_may_be_named_in_a_constant(
    in_memory, fails, api, other, internet, monkeypatch
):
    monkeypatch.setattr(connector, "__REPORT_HOSTS", ("files.awardco.com",))
    api.report.address = "http://files.awardco.com:443{path}"
    fails("files.awardco.com", base_url=AWARDCO)
    assert other.requests == []
    api.report.address = "https://files.awardco.com{path}"
    outcome = in_memory.sync(api, source="report", base_url=AWARDCO)
    assert len(outcome.rows) == 26 and pages_read(other) == [1, 2, 3]


@pytest.mark.parametrize("step", ["status", 2])
def test_a_redirect_is_not_followed_and_its_host_is_no_base_url(fails, api, other, step):
    link = f"{other.url}/storage?signature=1"
    api.faults = answers(step, "", status=302, Location=link)["faults"]
    assert "set base_url" not in fails("302", "127.0.0.1")
    assert other.requests == []


def test_a_real_server_on_another_port_gets_no_request(fails, api, other):
    api.report.address = f"{other.url}{{path}}"
    fails(other.url.rpartition(":")[2])
    assert other.requests == []


# --- who left


def test_a_person_on_two_pages_shows_that_the_pages_are_of_different_moments(in_memory, api, due):
    """Somebody may be on none of them."""
    api.before_page[2] = lambda api: api.report.rows.insert(0, person(99))
    outcome = due()
    assert not outcome.failed and due.gone == {} and outcome.state == DUE
    warned = "\n".join(in_memory.destination.warnings).lower()
    assert [word for word in DOUBT if word not in warned] == []


@pytest.mark.parametrize("size", [10, 12])
def test_a_page_that_is_shorter_than_page_1_may_have_been_cut(in_memory, api, due, size):
    api.report.page_size = size
    api.faults = answers(2, page_text(people(size + 5)[size:]))["faults"]
    outcome = due()
    assert not outcome.failed and "E00025" in outcome.rows and due.gone == {}
    assert "a page was short" in "".join(in_memory.destination.warnings)


@pytest.mark.parametrize("left, is_marked", [(19, False), (20, True), (24, True)])
def test_four_fifths_of_the_last_complete_read_must_be_there(api, due, left, is_marked):
    del api.report.rows[left:]
    outcome = due()
    assert (due.gone.keys() == {"GONE"}) == is_marked
    assert outcome.state["users"] == (left if is_marked else 25)


def test_a_report_that_is_not_due_marks_nobody_and_leaves_the_state_as_it_was(due):
    """It reads everybody too: were it to move last_full_sync, no sync would ever be due."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    state = {**DUE, "last_full_sync": yesterday.isoformat(timespec="seconds")}
    for days in ("7", ""):
        outcome = due(state=state, full_sync_days=days)
        assert len(outcome.rows) == 26 and due.gone == {} and outcome.state == state


# --- another source


@pytest.mark.parametrize("is_named", [True, False])
def test_a_change_of_source_marks_nobody_and_sends_no_filter(in_memory, api, due, is_named):
    """`001` here may be `1` there."""
    api.users = users(25)
    before = {**in_memory.sync(api).state, "last_full_sync": DUE["last_full_sync"]}
    assert before["source"] == "users" and "last_sync_time" in before
    if not is_named:  # as an older version left it
        del before["source"]
    in_memory.destination.operations.clear()
    outcome = due(state=before)
    assert outcome.state.keys() == DUE.keys() and outcome.state["source"] == "report"
    operations = in_memory.destination.operations
    assert operations.count(("checkpoint", before)) == 3
    api.requests.clear()
    back = due(state={**outcome.state, "last_full_sync": "2020-01-01T00:00:00Z"}, source="users")
    assert back.state["source"] == "users" and {since for _, since in api.requests} == {None}
    assert back.cursor == before["last_sync_time"]
    assert due.gone == {}


def test_a_source_with_far_fewer_people_marks_nobody_until_a_re_sync(in_memory, due):
    state = {**DUE, "users": 40, "source": "users"}
    outcome = due(state=state)
    warned = "\n".join(in_memory.destination.warnings)
    assert not outcome.failed and all(number in warned for number in FEWER)
    again = due(state={**outcome.state, "last_full_sync": DUE["last_full_sync"]})
    assert due.gone == {} and again.state["users"] != 25
    outcome = due(state={})
    due(state={**outcome.state, "last_full_sync": DUE["last_full_sync"]})
    assert due.gone.keys() == {"GONE"}


def test_mock_mode_reads_the_mock_users_and_no_other_source_goes_on_from_them(in_memory, api):
    mock = in_memory.sync(api, source="report", use_mock="true")
    assert len(mock.rows) == 250 and mock.state["source"] == "mock" and api.requests == []
    assert connector.schema({"source": "report", "use_mock": "true"}) == connector.schema({})
    outcome = in_memory.sync(api, source="report")
    assert outcome.failed and api.requests == []
    assert all(word in in_memory.lines[-1] for word in OTHER_FOLDER)


# --- advice


def test_a_tenant_without_one_method_is_told_of_the_other_unless_it_is_set(in_memory, fails, api):
    api.faults = [Fault(page="order", times=99, status=404)]
    assert CHOOSE_REPORT[0] not in fails("404")
    api.path = "/elsewhere"
    assert in_memory.sync(api, state={}).failed
    assert CHOOSE_REPORT[0] in in_memory.lines[-1].lower()


def test_the_setup_test_orders_one_report_and_does_not_wait_for_it(api, clock):
    given = {"api_key": KEY, "base_url": api.url, "source": "report"}
    test = partial(connector.connector.run_test, configuration=given)
    for name in ("connection_test", "users_test", "filter_test"):
        assert test(name).success is True
    assert api.pages_asked() == ["order"] and clock.sleeps == []
    api.faults = [Fault(page="order", times=99, status=403)]
    failure = test("connection_test").failure.lower()
    assert [word for word in NO_PERMISSION if word not in failure] == []
