"""Does describe_api.py find how an API behaves, and say what to change, without a value of a user
and without the key?"""

import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from importlib import util
from pathlib import Path

import pytest
from fivetran_connector_sdk_cli import configuration_decryption

from fake_awardco import KEY, NOON, UPDATED_SINCE, Fault, listing, text, user, users
from fake_report import ALL_COLUMNS, person
from harness import connector

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tests" / "tools" / "describe_api.py"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILTER = f"The filter `{UPDATED_SINCE}`"
LATER = f"{FILTER}, users who changed later"
FIRST = getattr(connector, "__FIRST_PAGE")
BEFORE = f"Page {FIRST - 1}, compared with page {FIRST}"
COLUMNS = getattr(connector, "__COLUMNS")
TIMES = [f"Times in {name}" for name, kind in COLUMNS.items() if kind == "UTC_DATETIME"]
PAST = f"Page 10,000, compared with page {FIRST}"
ORDER = "The order of the Users report"
SAME = "the same users in the same order"
SET_FILTER = "set updated_since_param in configuration.json to the name that your API uses"


@pytest.fixture
def script():
    spec = util.spec_from_file_location("describe_api", SCRIPT)
    script = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def headings(change: str) -> list:
    """The headings that a change or an error names; they must exist, and so must its constants."""
    assert all(hasattr(connector, name) for name in re.findall("__[A-Z_]+", change))
    named = re.findall('"([^"]+)"', change.partition("; see ")[2])
    assert [heading for heading in named if f"## {heading}\n" not in CONTRIBUTING] == []
    assert named or "__" not in change
    return named


@pytest.fixture
def describe(script, tmp_path, capsys):
    """Run it against an API. Returns the findings, by what they are about, what to do about them,
    and the error."""
    path = tmp_path / "configuration.json"

    def describe(api, **configuration) -> dict:
        path.write_text(json.dumps({"api_key": KEY, "base_url": api.url, **configuration}))
        capsys.readouterr()
        error = ""
        try:
            script.main(path)
        except SystemExit as end:
            error = end.code
        found, to_do = {}, {}
        for line in capsys.readouterr().out.splitlines():
            verdict, said, change = line[:7].strip(), line[7:], ""
            if verdict == "to do":
                said, _, change = said.rpartition(" - ")
            about, _, finding = said.partition(": ")
            assert about not in found and (verdict == "ok" or change)
            found[about] = finding
            to_do.update({about: change} if change else {})
        for change in (*to_do.values(), error):
            headings(change)
        return {**found, "to do": to_do, "error": error}

    return describe


def test_an_api_as_it_is_assumed_is_described_in_eight_requests(describe, api):
    api.users, api.total = users(1200), "totalCount"
    found = describe(api)
    assert "`employeeId` string" in found.pop("Fields of 1200 users")
    place = next(iter(listing([])))
    kind = "object" if "." in getattr(connector, "__LIST") else "list"
    assert found == {
        "The answer": f"`{place}` {kind}, `success` boolean, `totalCount` number, "
        "`totalPages` number, `page` number",
        "Declared fields that are missing": "none",
        "Users without a usable employeeId": "0; that share one with another: 0",
        **dict.fromkeys(TIMES, "1200 `9999-99-99T99:99:99Z` with a zone"),
        "Page 1 of 1,000": "1000 users",
        "Page 1 of 100": "100 users",
        "Total that the API reports": "1200",
        "Page 1, asked for again": SAME,
        "Page 2, compared with page 1": "200 users, 0 of them the same",
        FILTER: "202 users pass, 0 of them are older",
        LATER: "0 left out",
        f"{FILTER}, of a future time": "no users",
        BEFORE: "100 users, 100 of them the same",
        PAST: "no users",
        "Requests": "8",
        "to do": {},
        "error": "",
    }


def test_the_shape_of_the_fields_is_reported(describe, api):
    """Nulls, a field that some or all lack, keys. Another spelling is fine."""
    api.names, api.order = {"updated_at": "updatedAt", "lastName": "familyName"}, "storage"
    api.users = [user(1), *users(30)[1:], {**user(2), "tags": [], "address": {"city": "Ghent"}}]
    api.users[4]["employeeId"] = None
    api.users[5]["balance"] = "12"
    found = describe(api)
    fields = found["Fields of 31 users"].split(", ")
    assert "`updated_at` null or string" in fields and "`balance` number or string" in fields
    assert "`tags` list or missing" in fields and "`address` object or missing" in fields
    assert found["Declared fields that are missing"] == "lastName"
    assert found["Users without a usable employeeId"] == "1; that share one with another: 2"
    assert found["error"] == ""
    missing, keys = found["to do"].values()
    assert headings(missing) == ["Read a field under another name"]
    assert keys == "ask Awardco: they are skipped, or share a row"


def test_the_notation_of_times_is_reported(describe, api):
    api.order = "storage"
    times = ["2026-02-01 10:00:00.123", "2026-02-02", "2026-02-03T10:00:00+02:00", "2/1/2026 AM"]
    api.users = [user(n, time) for n, time in enumerate(times)]
    found = describe(api)
    assert headings(found["to do"]["Times in updated_at"]) == ["Read times in another notation"]
    assert found["Times in updated_at"].split(", ") == [
        "1 `9999-99-99 99:99:99.999` without a zone",
        "1 `9999-99-99` without a zone",
        "1 `9999-99-99T99:99:99+99:99` with a zone",
        "1 `9/9/9999 aa` (unreadable)",
    ]


def pages_of(size: int, step: int | None = None):
    """What an API does that gives pages of one size, the next one so many users further."""
    step = size if step is None else step

    def page(number: int, per_page: int, since) -> list | None:
        return EVERYBODY[(number - 1) * step :][:size] or None

    return page


EVERYBODY = users(1300)
PAGE_2 = "Page 2, compared with page 1"
KEYS = "Users without a usable employeeId"
PARAMETERS = "Change the page parameters"
AN_ERROR = "Change what counts as an error, or as the end"
ZERO = "Count pages from 0"
LISTED = "Read the list of users from another place"
FORBIDDEN = [Fault(page=10_000, times=9, status=403)]
FAILED = [Fault(page=10_000, times=9, status=200, body={"success": False})]

# What an API does, the line that tells it, what that says to change, and the heading.
DIFFERENT = [
    ({"page": pages_of(50)}, "Page 1 of 100: 50 users", "__PER_PAGE_PARAM", PARAMETERS),
    ({"page": pages_of(250)}, "Page 1 of 100: 250 users", "__PER_PAGE_PARAM", PARAMETERS),
    ({"page": pages_of(100, 0)}, f"{PAGE_2}: {SAME}", "check __PAGE_PARAM", PARAMETERS),
    (
        {"page": pages_of(100, 1)},
        f"{PAGE_2}: 100 users, 99 of them",
        "counts users",
        "Count users instead of pages",
    ),
    (
        {"accepts": lambda size: size <= 100},
        "Page 1 of 1,000: ",
        "__LARGE_PAGE to 100",
        PARAMETERS,
    ),
    (
        {"first_page": FIRST - 1},  # a sync cannot notice
        f"{BEFORE}: 100 users, 0 of them",
        f"set __FIRST_PAGE to {FIRST - 1}",
        ZERO,
    ),
    (
        {"first_page": FIRST - 1, "users": EVERYBODY[:30]},
        f"{BEFORE}: 30",
        "set __FIRST_PAGE",
        ZERO,
    ),
    ({"faults": FORBIDDEN}, f"{PAST}: ", "__REFUSALS", AN_ERROR),
    ({"faults": FAILED}, f"{PAST}: ", "__FAILURES", AN_ERROR),
    ({"filter_param": None}, f"{FILTER}: 1000 users pass", SET_FILTER, None),
    ({"filter_takes": lambda since: False}, f"{FILTER}: ", SET_FILTER, None),
    ({"users": [user(1)]}, f"{FILTER}: cannot be tried", "every sync reads everybody", None),
    (
        # It takes UTC for local time: the API would have to write seven hours later.
        {"passes": lambda row, since: row["updated_at"] >= text(NOON)},
        f"{LATER}: 1 left out",
        "__CURSOR_MARGIN",
        "Change the margin of the cursor",
    ),
    (
        {"names": {"employeeId": "staffNumber"}},
        f"{KEYS}: 1300;",
        "as the employeeId",
        "Read a field under another name",
    ),
    ({"list_name": "a.people"}, "A list of 100 objects at `a.people`: `emp", "a.people", LISTED),
    ({"list_name": ""}, "A list of 100 objects at ``: `employeeId` str", '""', LISTED),
]


@pytest.mark.parametrize("behaviour, line, change, heading", DIFFERENT)
def test_what_differs_is_reported_with_its_recipe(describe, api, behaviour, line, change, heading):
    vars(api).update({"users": EVERYBODY, **behaviour})
    found = describe(api)
    about, _, finding = line.partition(": ")
    assert found[about].startswith(finding)
    assert change in found["to do"][about]
    assert headings(found["to do"][about]) == ([heading] if heading else [])
    assert "the body holds no list" in found["error"] or not found["error"]


def test_an_order_that_is_another_one_each_time_is_fine(describe, api):
    api.users, api.order = users(400), "shuffled"
    found = describe(api)
    assert "of them the same" in found["Page 1, asked for again"]
    assert found["to do"] == {}


@pytest.mark.parametrize(
    "past_end, told",
    {
        "404": "no list of users, HTTP 404; the API said: Invalid page.",
        "null": "no list of users, HTTP 200",
        "around": SAME,
    }.items(),
)
def test_what_lies_past_the_end_is_reported(describe, api, past_end, told):
    api.users, api.past_end = users(150), past_end
    api.page_cap = 100
    found = describe(api)
    assert found[PAST] == told and found["to do"] == {}


@pytest.mark.parametrize(
    "fault, told, named",
    [
        ({"status": 401}, "check api_key", "Send the key as a Bearer token"),
        ({"status": 403}, "permission to read users", None),
        ({"kind": "reset"}, "the connection failed", None),
        ({"status": 200, "body": b"<html>"}, "but the body is not JSON", None),
        ({"status": 204}, "HTTP 204", LISTED),
    ],
)
def test_an_api_that_does_not_answer_is_reported_in_the_words_of_the_connector(
    describe, api, fault, told, named
):
    api.faults = [Fault(times=99, **fault)]
    error = describe(api)["error"]
    assert told in error and headings(error) == ([named] if named else [])


def test_a_host_that_cannot_be_reached_is_the_first_line(describe, api):
    found = describe(api, base_url="http://127.0.0.1:9")
    assert found.keys() == {"to do", "error"}
    assert "the connection failed (Connection refused); check base_url" in found["error"]


# --- the Users report


@pytest.fixture
def report(api):
    api.report.rows = [person(n, **{"Meta : Department": "Sales"}) for n in range(1500)]
    return api.report


def test_the_report_is_ordered_and_its_columns_are_named(describe, api, report):
    report.statuses = ["queued", "completed"]
    found = describe(api, source="report")
    told = found.pop("The Users report")
    assert re.fullmatch(r"2 pages after 0\.\d s, 1000 users on page 1", told)
    assert found == {
        ORDER: "taken; wait until the report is ready",
        "Its columns": "`employeeId` string, `firstName` string, `Preferred Name` string, "
        "`lastName` string, `email` string",
        "Declared columns that are missing": "none",
        "Users without a usable employeeId": "0; that share one with another: 0",
        "Requests": "4",
        "to do": {},
        "error": "",
    }
    report.columns = [name for name in ALL_COLUMNS if name != "Email"]
    report.rows[7].update({"Created Date": "05/13/2020 4:01:02 PM", "Employee Id": "E00008"})
    found = describe(api, source="report")
    assert "`Archived Date` null, `Meta : Department` string" in found["Its columns"]
    times = "999 without a value, 1 `9999-99-99T99:99:99` without a zone"
    assert found["Times in created_at"] == times
    missing, keys = found["to do"].values()
    assert missing.startswith("choose them in __REPORT_OPTIONS") and "ask Awardco" in keys
    assert len(headings(missing)) == 2


def test_an_api_without_a_method_for_users_is_asked_for_the_report(describe, api, report):
    api.path = "/elsewhere"
    found = describe(api)
    assert found["to do"]["The method for users"].startswith("set source to report")
    assert found["Declared columns that are missing"] == "none" and found["error"] == ""
    api.faults = [Fault("order", times=9, status=404)]
    assert "no Users report there" in describe(api)["error"]


@pytest.mark.parametrize(
    "change, named",
    [
        ({"address": "https://files.example{path}"}, "Read the report from another host"),
        (
            {"columns": ["First Name", "Last Name"]},
            "Read a column of the report under another name",
        ),
    ],
)
def test_what_ends_the_report_names_its_recipe(describe, api, report, change, named):
    vars(report).update(change)
    assert headings(describe(api, source="report")["error"]) == [named]


# --- privacy

NOBODY = ("Xanthippe", "Quillfeather", "home.example", "98765", "Zwiebelgasse", "E77", KEY)


def test_no_value_of_a_user_and_no_key_is_shown(describe, api):
    for number in range(30):
        row = user(
            number,
            "Quillfeather" if number == 3 else NOON - timedelta(days=2),
            employeeId=f"E77-{number}",
            firstName="Xanthippe",
            lastName="Quillfeather",
            email="x.q@home.example",
            balance=98765.43,
            address={"Zwiebelgasse": 7},
        )
        api.users.append({**row, "x.q@home.example": 1, "E77": 2})
    found = describe(api)
    assert found["error"] == ""
    assert ", 2 more, whose names are not shown" in found["Fields of 30 users"]
    assert [name for name in NOBODY if name in str(found)] == []
    api.list_name = "x@home_example.people"
    assert [name for name in NOBODY if name in str(describe(api))] == []
    cells = {"Created Date": "Quillfeather", "Meta : E77": "Xanthippe", "Username": KEY}
    api.report.rows, api.report.columns = [person(77, **cells)], [*ALL_COLUMNS, "Meta : E77"]
    found = describe(api, source="report")
    assert "1 more, whose names are not shown" in found["Its columns"]
    assert [name for name in NOBODY if name in str(found)] == []


def test_an_error_of_the_script_itself_shows_no_value(describe, script, api, monkeypatch):
    api.users = users(30)
    monkeypatch.setattr(script, "describe_times", lambda *values: int(f"Xanthippe {values}"))
    assert describe(api)["error"].startswith("ValueError in line ")


# --- the command


def test_it_reads_configuration_json_and_decrypts_it_as_the_command_line_does(tmp_path, api):
    api.users = users(30)
    for name in ("connector.py", "tests/tools/describe_api.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    secret = configuration_decryption.get_or_create_key()
    encrypted = configuration_decryption.encrypt_value(KEY, "api_key", secret)
    settings = {"api_key": encrypted, "base_url": api.url}
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(settings))
    command = [sys.executable, "tests/tools/describe_api.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Page 1 of 1,000: 30 users" in run.stdout and run.stderr == ""


@pytest.mark.parametrize(
    "written, told",
    [
        ("{}", "api_key is missing"),
        ('{"api_key": "k", "base_url": "http://a.example"}', "base_url cannot be used"),
        ('{"api_key": "fivetran_encrypted:AAAA"}', "failed to decrypt configuration field"),
        ('{"api_key": ', "Expecting value"),
        (None, "No such file"),
    ],
)
def test_settings_that_cannot_be_used_are_reported_in_a_line(script, tmp_path, written, told):
    path = tmp_path / "configuration.json"
    configuration_decryption.get_or_create_key()
    if written is not None:
        path.write_text(written)
    with pytest.raises(SystemExit) as end:
        script.main(path)
    assert told in end.value.code and "\n" not in end.value.code


def test_it_can_be_tried_in_mock_mode_and_its_output_cut_off():
    command = [sys.executable, SCRIPT, ROOT / "mock_data" / "configuration.json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as run:
        assert run.stdout.readline().startswith("ok     The answer: ")
        run.stdout.close()  # as `head -1` does
        assert run.stderr.read() == ""
    assert run.returncode == 0
