"""The Users report: ordered, waited for, read without losing anybody, and the key kept at home."""

import csv
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
CSV = {"Content-Type": "text/csv"}

# What the messages must say, in lower case.
CELLS = ("cells",)
BROKEN = ("csv",)
TWICE = ("employee id", "twice")
NO_KEY = ("no employee id", "employee number")
EMPTY = ("no users", "page 2")
SAME = ("page 2", "page 1")
NOBODY = ("no users",)
NO_COUNT = ("totalpages",)
NO_ADDRESS = ("paginatedapibaseurl",)
NO_TASK = ("taskid",)
HTML = ("web page",)
NOT_READY = ("queued", "hour")
NO_PERMISSION = ("403", "permission", "reports")
DOUBT = ("users may be missing", "two pages")
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
def fails(in_memory, due):
    """Runs one that fails with these words, marks nobody, and tells of nobody."""

    def run(*words, landed=0, **given):
        outcome = due(**given)
        assert outcome.failed, outcome.log
        error = in_memory.lines[-1].lower()
        assert [word for word in words if word not in error] == [], error
        assert len(outcome.rows) == landed + 1 and due.gone == {} and outcome.state == DUE
        assert "Quillfeather" not in outcome.log and KEY not in outcome.log.lower()
        assert all("\n" not in line and len(line) < 800 for line in in_memory.lines)
        return error

    return run


def pages_read(api) -> list:
    return [step for step in api.pages_asked() if isinstance(step, int)]


# --- the main job


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
    operations = in_memory.destination.operations
    states = [state for what, state in operations if what == "checkpoint"]
    assert states == [DUE] * 3 + [outcome.state]
    assert outcome.state == {**DUE, "last_full_sync": outcome.state["last_full_sync"]}
    assert outcome.state["last_full_sync"] > DUE["last_full_sync"]
    assert due.gone.keys() == {"GONE"} and in_memory.destination.warnings == []


TEXTS = {
    "Preferred Name": "T",
    "Secondary Email": "f",
    "Username": "00042",
    "Phone Number": "+12345678910",
    "Language": "true",
    "Birth Date": "05/19",
    "Country": "NO",
    "Nomination Approval IDs": "89231",
}
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
    """As a first name `T` would become true, and `00042` a number."""
    cells = {"Hire Date": "09/26/2018", "Archived Date": "05/19/2025", "Meta : Department": "x"}
    rows = [person(n, **TEXTS, **cells) for n in range(len(CREATED))]
    rows = [{**row, "Created Date": cell} for row, cell in zip(rows, CREATED, strict=True)]
    api.report.rows = [{spelled(name): row[name] for name in row} for row in rows]
    api.report.columns = [spelled(name) for name in ALL_COLUMNS]
    outcome = project.sync(api, source="report")
    found = list(outcome.rows.values())
    for name, cell in TEXTS.items():
        column = name.lower().replace(" ", "_")
        assert outcome.columns[column] == "VARCHAR" and {row[column] for row in found} == {cell}
    expected = [at and utc(at) for at in CREATED.values()]
    assert [row["created_at"] for row in found] == expected
    assert outcome.log_lines("1 unreadable value of created_at")
    assert {"hire_date", "archived_date", "meta_department"} < outcome.columns.keys()
    assert [row["first_name"] for row in found] == [f"First{n}" for n in range(len(CREATED))]


def test_the_notation_of_the_report_is_read_for_the_report_only(in_memory, api):
    api.users = [{**row, "created_at": "05/13/2020 4:01:02 PM"} for row in users(3)]
    assert "3 unreadable values of created_at" in in_memory.sync(api).log


def test_the_options_choose_columns(in_memory, api, monkeypatch):
    options = {"selectedColumns": ["Employee Id", "Country"]}
    monkeypatch.setattr(connector, "__REPORT_OPTIONS", options)
    row = in_memory.sync(api, source="report").rows["E00001"]
    assert row["Country"] is None and "email" not in row
    assert api.report.orders == [{**ORDER, **options}]


def test_columns_whose_names_compare_equal_both_keep_their_values(in_memory, api):
    sizes = {"Meta : T-Shirt": "large", "Meta : TShirt": "small"}
    api.report.rows = [person(1, **sizes)]
    api.report.columns = [*COLUMNS, *sizes]
    row = in_memory.sync(api, source="report").rows["E00001"]
    assert all(size in str(row) for size in sizes.values()) and "other_fields" in row


def test_empty_cells_are_null_and_empty_lines_nobody(in_memory, api):
    body = page_text([person(1, Email="")]) + "\r\n\r\n"
    api.report.rows, api.faults = people(1), [
        Fault(page=1, status=200, headers=CSV, body=body.encode())
    ]
    rows = in_memory.sync(api, source="report").rows
    assert [*rows] == ["E00001"] and rows["E00001"]["email"] is None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEXT |= st.text('",\r\n; \ufeff\x00a', max_size=8)
LINES = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=25)
LENIENT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=40, deadline=None, suppress_health_check=LENIENT)
@given(lines=LINES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_any_text_in_a_cell_arrives_exactly(clock, lines, quoting):
    names = {"First Name": "firstName", "Last Name": "lastName", "Preferred Name": None}
    with FakeAwardco() as api:
        cells = [dict(zip(names, line, strict=True)) for line in lines]
        api.report.rows = [person(number, **texts) for number, texts in enumerate(cells)]
        api.report.page_size, api.report.quoting = 10, quoting
        destination = Memory()
        destination.sync(api_key=KEY, base_url=api.url, source="report")
    for number, texts in enumerate(cells):
        row = destination.rows[f"E{number:05d}"]
        expected = {column or name: texts[name] or None for name, column in names.items()}
        assert {name: row.get(name) for name in expected} == expected


# --- waiting


def test_the_status_is_asked_for_less_and_less_often_whatever_its_word(in_memory, api, clock):
    words = ["in progress", "queued", "Warming up", "", None, 7, "in progress"]
    api.report.statuses = [*words, "completed"]
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


def test_a_status_that_fails_once_is_asked_for_again(in_memory, api):
    api.faults = [Fault(page=step, status=503) for step in ("order", "status", 2)]
    assert len(in_memory.sync(api, source="report").rows) == 25


TASKS = [({"totalPages": count}, NO_COUNT) for count in (0, -1, "three", 2.5, True, None, ABSENT)]
TASKS += [({"paginatedApiBaseUrl": url}, NO_ADDRESS) for url in (None, "", 7, ABSENT)]
TASKS += [({"status": "error", "message": "Too late", "errorCode": 17}, ("too late", "17"))]


@pytest.mark.parametrize("task, words", TASKS, ids=str)
def test_a_status_that_leads_to_no_pages_is_an_error_that_says_why(fails, api, task, words):
    api.report.task = task
    fails(*words)
    assert pages_read(api) == []


@pytest.mark.parametrize("task", [ABSENT, None, "", [17]], ids=repr)
def test_an_order_without_a_task_is_an_error(fails, api, task):
    api.report.ticket = {"taskId": task}
    fails(*NO_TASK)
    assert api.pages_asked()[-1] == "order"


def test_a_task_that_is_gone_ends_the_sync(fails, api):
    api.before_page["status"] = lambda api: api.report.orders.append({})
    assert "base_url" not in fails("404")


# --- pages that are none

FIRST, SECOND = page_text(people(10)), page_text(people(20)[10:])
NAMES, OTHERS = SECOND.split("\r\n", 1)
BAD_PAGES = {  # in the place of page 2, and what is said
    "cut inside a cell": (SECOND[: SECOND.rindex("user20")] + '"user', BROKEN),
    "cut inside a line": (SECOND[: SECOND.rindex(",Quill")], CELLS),
    "a footer": (f"{SECOND}Total: 10\r\n", CELLS),
    "without its names": (OTHERS, ()),
    "empty": (f"{NAMES}\r\n", EMPTY),
    "without anything": ("", ()),
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
    "a name twice": ("Email", "Employee Id", TWICE),
    "two names of one column": ("Preferred Name", "employee_id", TWICE),
}
for name, (before, after, words) in CHANGES.items():
    BAD_PAGES[name] = (SECOND.replace(before, after, 1), words)


@pytest.mark.parametrize("page, words", BAD_PAGES.values(), ids=BAD_PAGES)
def test_nothing_of_a_page_that_cannot_be_right_lands(fails, due, api, page, words):
    fault = Fault(page=2, times=99, status=200, headers=CSV, body=page.encode())
    api.faults = [fault]
    fails("page 2", *words, landed=10)
    if words in (CELLS, BROKEN, TWICE):  # another attempt may help
        assert pages_read(api).count(2) == ATTEMPTS
        fault.times = 1
        assert len(due().rows) == 25 and due.gone.keys() == {"GONE"}


def test_fewer_pages_than_were_said_are_an_error(fails, api):
    api.report.task = {"totalPages": 4}
    error = fails("page 4", "404", landed=25)
    assert "base_url" not in error and "set source" not in error


def test_a_report_without_employee_id_names_its_columns_and_stores_nothing(fails, api):
    api.report.columns = ["Employee Number", *COLUMNS[1:]]
    fails(*NO_KEY)


def test_a_report_without_its_line_of_names_shows_nobody(fails, api):
    """Its first line is a person, whom the message must not name."""
    body = FIRST.split("\r\n", 1)[1].replace("Preferred", "").replace("First", "Quillfeather")
    api.faults = [Fault(page=1, times=99, status=200, headers=CSV, body=body.encode())]
    fails("no employee id")


def test_a_report_without_anybody_is_an_error(fails, api):
    api.report.rows = []
    fails(*NOBODY)
    fails(*NOBODY)


REFUSED_BODIES = {  # by Content-Type and body, and what is said
    "a login page": ("text/html", b"<!DOCTYPE html><title>Sign in</title>", HTML),
    "a login page as CSV": ("text/csv", b"\n <html><title>Sign in</title>", HTML),
    "a failure": ("application/json", b'{"success": false, "message": "No disk"}', ("no disk",)),
    "a failure as CSV": ("text/csv", b'{"success": false, "message": "No disk"}', ("no disk",)),
}


@pytest.mark.parametrize("step", ["order", "status", 1, 2])
@pytest.mark.parametrize("kind, body, words", REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_a_web_page_or_a_failure_is_no_answer_at_any_step(fails, api, step, kind, body, words):
    headers = {"Content-Type": kind}
    api.faults = [Fault(page=step, times=99, status=200, headers=headers, body=body)]
    fails(*words, landed=10 if step == 2 else 0)
    assert api.pages_asked().count(step) == ATTEMPTS


TYPES = [  # encoding and Content-Type
    ("utf-8-sig", "text/csv"),
    ("utf-8", "text/csv; charset=utf-8"),
    ("utf-8", "text/csv; charset=ISO-8859-1"),
    ("utf-8", "text/csv; charset=utf8mb4"),
    ("utf-16", "text/csv; charset=utf-16"),
    ("cp1252", "text/csv; charset=windows-1252"),
    ("cp1252", "text/csv"),
    ("utf-8-sig", "TEXT/CSV"),
    ("utf-8-sig", "text/plain"),
    ("utf-8-sig", "application/octet-stream"),
    ("utf-8-sig", None),
]


@pytest.mark.parametrize("encoding, kind", TYPES, ids=str)
def test_names_arrive_whatever_the_page_calls_itself(in_memory, api, encoding, kind):
    api.report.encoding, api.report.content_type = encoding, kind
    api.report.rows[4]["First Name"] = "Zoë Žižek €"
    outcome = in_memory.sync(api, source="report")
    assert outcome.rows["E00005"]["firstName"] == "Zoë Žižek €" and len(outcome.rows) == 25


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_page_that_calls_itself_no_csv_is_none(fails, api, kind):
    api.report.content_type = kind
    fails("page 1")


# --- the key

ALLOWED = ["https://api.awardco.com{path}", "HTTPS://API.AWARDCO.COM:443{path}", "{path}"]
REFUSED = {  # an address, and what of it is named
    "https://evil.example{path}": "evil.example",
    "https://evil.example\\@api.awardco.com{path}": "evil.example",
    "https://api.awardco.com@evil.example{path}": "evil.example",
    "https://api.awardco.com.evil.example{path}": "api.awardco.com.evil.example",
    "https://api.awardco.com:8443{path}": "8443",
    "https://api.awardco.com:80{path}": "80",
    "https://somebody:else@api.awardco.com{path}": "",
    "https://files.awardco.com{path}": "files.awardco.com",
    "https://аpi.awardco.com{path}": "",  # with a Cyrillic letter
    "http://api.awardco.com{path}": "http",
    "ftp://api.awardco.com{path}": "ftp",
    "//evil.example{path}": "evil.example",
    "\\\\evil.example{path}": "",
    "https:///evil.example{path}": "",
    "file:///etc/passwd": "",
    "https://[evil{path}": "",
    "https://api.awardco.com:port{path}": "",
}


@pytest.fixture
def asked(api, monkeypatch):
    """The hosts that are asked for anything. Whatever the host, the fake answers."""
    send, hosts = requests.adapters.HTTPAdapter.send, set()

    def rerouted(adapter, request, **options):
        address = urlsplit(request.url)
        hosts.add((address.scheme, address.netloc.lower().removesuffix(":443")))
        request = request.copy()
        request.url = f"{api.url}{address.path}?{address.query}"
        return send(adapter, request, **{**options, "proxies": {}})

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", rerouted)
    return hosts


@pytest.mark.parametrize("base", ["https://api.awardco.com", "https://API.awardco.com:443/"])
@pytest.mark.parametrize("address", ALLOWED)
def test_pages_may_be_at_the_host_of_base_url(in_memory, api, asked, base, address):
    api.report.address = address
    assert len(in_memory.sync(api, source="report", base_url=base).rows) == 25
    assert asked == {("https", "api.awardco.com")}


@pytest.mark.parametrize("address, named", REFUSED.items(), ids=REFUSED)
def test_the_key_goes_to_no_other_host_scheme_or_port(fails, api, asked, address, named):
    api.report.address = address
    error = fails(named, base_url="https://api.awardco.com")
    assert asked == {("https", "api.awardco.com")} and pages_read(api) == []
    assert "set base_url" not in error


def test_further_hosts_may_be_named_in_a_constant(in_memory, fails, api, asked, monkeypatch):
    monkeypatch.setattr(connector, "__REPORT_HOSTS", ("files.awardco.com",))
    api.report.address = "http://files.awardco.com{path}"
    fails("http", base_url="https://api.awardco.com")
    api.report.address = "https://files.awardco.com{path}"
    outcome = in_memory.sync(api, source="report", base_url="https://api.awardco.com")
    assert not outcome.failed and ("https", "files.awardco.com") in asked


@pytest.fixture
def other(api):
    """Another server, which would give the pages to anybody."""
    with FakeAwardco(report=api.report) as other:
        yield other
    assert other.requests == []


OTHER = [
    "http://{other}{{path}}",
    "http://{other}\\@{own}{{path}}",
    "http://{own}@{other}{{path}}",
]
OTHER += ["//{other}{{path}}"]


@pytest.mark.parametrize("address", OTHER)
def test_a_real_server_on_another_port_gets_no_request(fails, api, other, address):
    hosts = {"own": api.url.removeprefix("http://"), "other": other.url.removeprefix("http://")}
    api.report.address = address.format(**hosts)
    fails(hosts["other"].partition(":")[2])


@pytest.mark.parametrize("step", ["order", "status", 2])
def test_a_redirect_is_not_followed_and_its_host_is_no_base_url(fails, api, other, step):
    headers = {"Location": f"{other.url}/storage?signature=1"}
    api.faults = [Fault(page=step, times=99, status=302, headers=headers)]
    error = fails("302", "127.0.0.1", landed=10 if step == 2 else 0)
    assert step == "order" or "set base_url" not in error


SECRET = {"message": f"Unknown key {KEY}\n\x1b[31m{KEY.upper()}" + "x" * 5_000}
MESSAGES = {
    "refused order": {"faults": [Fault(page="order", status=401, body=SECRET)]},
    "refused status": {"faults": [Fault(page="status", status=401, body=SECRET)]},
    "refused page": {"faults": [Fault(page=2, status=401, body=SECRET)]},
    "failed page": {
        "faults": [Fault(page=2, times=99, status=200, body={"success": False, **SECRET})]
    },
    "redirect": {
        "faults": [Fault(page=2, status=302, headers={"Location": f"https://{KEY}.example"})]
    },
    "error": {"task": {**SECRET, "status": "error", "errorCode": f"{KEY}-17"}},
    "errors in another shape": {"task": {"status": "error", "errorCode": [KEY]}},
    "address": {"address": f"https://{KEY}.example/{KEY}"},
    "status word": {"statuses": [f"waits for\n{KEY}" + "x" * 5_000]},
    "names": {"columns": [KEY, "Employee Number"]},
}


@pytest.mark.parametrize("told", MESSAGES.values(), ids=MESSAGES)
def test_no_message_holds_the_key_or_goes_on_without_end(fails, api, told):
    """See the fixture, which looks into the whole log."""
    for name, value in told.items():
        setattr(api if name == "faults" else api.report, name, value)
    for fault in api.faults:
        fault.times = 99
    fails(landed=10 if any(fault.page == 2 for fault in api.faults) else 0)


# --- who left


def test_a_person_on_two_pages_shows_that_the_pages_are_of_different_moments(in_memory, api, due):
    """Somebody may be on none of them."""
    api.before_page[2] = lambda api: api.report.rows.insert(0, person(99))
    outcome = due()
    assert not outcome.failed and due.gone == {} and outcome.state == DUE
    warned = "\n".join(in_memory.destination.warnings).lower()
    assert [word for word in DOUBT if word not in warned] == []


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


def checkpoints(project) -> list:
    return [state for what, state in project.destination.operations if what == "checkpoint"]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_change_of_source_marks_nobody_and_sends_no_filter(in_memory, api, due, is_named):
    """`001` here may be `1` there."""
    api.users = users(25)
    before = {**in_memory.sync(api).state, "last_full_sync": DUE["last_full_sync"]}
    assert before.pop("source") == "users" and "last_sync_time" in before
    before |= {"source": "users"} if is_named else {}
    in_memory.destination.operations.clear()
    outcome = due(state=before)
    assert outcome.state.keys() == DUE.keys() and outcome.state["source"] == "report"
    assert checkpoints(in_memory)[:-1] == [before] * 3
    api.requests.clear()
    back = due(state={**outcome.state, "last_full_sync": "2020-01-01T00:00:00Z"}, source="users")
    assert back.state["source"] == "users" and {since for _, since in api.requests} == {None}
    assert back.cursor == before["last_sync_time"]
    assert due.gone == {}


def test_a_report_neither_uses_nor_moves_the_cursor(api, due):
    outcome = due(state={**DUE, "last_sync_time": "2026-01-01T00:00:00Z"})
    assert len(outcome.rows) == 26 and {since for _, since in api.requests} == {None}
    assert outcome.cursor in (None, "2026-01-01T00:00:00Z")


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
    outcome = in_memory.sync(api, source="report")
    assert outcome.failed and api.requests == []
    assert all(word in in_memory.lines[-1] for word in OTHER_FOLDER)


# --- advice


def test_a_key_that_may_not_read_reports_is_told_so(fails, api):
    api.faults = [Fault(page="order", times=99, status=403)]
    fails(*NO_PERMISSION)


def test_a_tenant_without_one_method_is_told_of_the_other_unless_it_is_set(in_memory, fails, api):
    api.faults = [Fault(page="order", times=99, status=404)]
    assert CHOOSE_REPORT[0] not in fails("404")
    api.path = "/elsewhere"
    assert in_memory.sync(api, state={}).failed
    assert CHOOSE_REPORT[0] in in_memory.lines[-1].lower()


def test_the_setup_test_orders_one_report_and_does_not_wait_for_it(api, clock):
    test = partial(connector.connector.run_test, "connection_test")
    given = {"api_key": KEY, "base_url": api.url, "source": "report"}
    assert test(given).success is True
    assert api.pages_asked() == ["order"] and clock.sleeps == []
    api.faults = [Fault(page="order", times=99, status=403)]
    failure = test(given).failure.lower()
    assert [word for word in NO_PERMISSION if word not in failure] == []
