"""Does describe_api.py find how an API behaves, without a value of a user and without the key?"""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from importlib import util
from pathlib import Path

import pytest
from fivetran_connector_sdk_cli import configuration_decryption

from fake_awardco import KEY, NOON, UPDATED_SINCE, Fault, listing, text, user, users
from harness import connector

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tests" / "tools" / "describe_api.py"
FILTER = f"The filter `{UPDATED_SINCE}`"
FIRST = getattr(connector, "__FIRST_PAGE")
BEFORE = f"Page {FIRST - 1}, compared with page {FIRST}"
COLUMNS = getattr(connector, "__COLUMNS")
TIMES = [f"Times in {name}" for name, kind in COLUMNS.items() if kind == "UTC_DATETIME"]
PAST = f"Page 10,000, compared with page {FIRST}"
SAME = "the same users in the same order"


@pytest.fixture
def script():
    spec = util.spec_from_file_location("describe_api", SCRIPT)
    script = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.fixture
def describe(script, tmp_path, capsys):
    """Run it against an API. Returns the findings, by what they are about, and the error."""
    path = tmp_path / "configuration.json"

    def describe(api, **configuration) -> dict:
        path.write_text(json.dumps({"api_key": KEY, "base_url": api.url, **configuration}))
        capsys.readouterr()
        error = ""
        try:
            script.main(path)
        except SystemExit as end:
            error = end.code
        lines = [line.partition(": ") for line in capsys.readouterr().out.splitlines()]
        found = {about: finding for about, _, finding in lines}
        assert len(found) == len(lines)
        return {**found, "error": error}

    return describe


def test_an_api_as_it_is_assumed_is_described_in_eight_requests(describe, api):
    api.users, api.total, api.sends = users(1200), "totalCount", {"X-RateLimit-Remaining": "99"}
    found = describe(api)
    assert "`employeeId` string" in found.pop("Fields of 1200 users")
    place = next(iter(listing([])))
    kind = "object" if "." in getattr(connector, "__LIST") else "list"
    assert found == {
        "The answer": f"`{place}` {kind}, `success` boolean, `totalCount` number, "
        "`totalPages` number, `page` number",
        "Declared fields in another spelling": "none",
        "Declared fields that are missing": "none",
        "Users without a usable employeeId": "0; that share one with another: 0",
        **dict.fromkeys(TIMES, "1200 `9999-99-99T99:99:99Z` with a zone"),
        "Page 1 of 1,000": "1000 users",
        "Page 1 of 100": "100 users",
        "Total that the API reports": "1200",
        "Page 1, asked for again": SAME,
        "Page 2, compared with page 1": "200 users, 0 of them the same",
        "Order by updated_at": "ascending",
        "Order by employeeId": "ascending",
        "Borders between pages at which updated_at is the same": "0 of 11",
        FILTER: "202 users pass, 0 of them are older",
        f"{FILTER}, users with its own time": "kept",
        f"{FILTER}, users who changed later": "kept",
        f"{FILTER}, users without a time": "0 kept",
        f"{FILTER}, of a future time": "no users",
        BEFORE: "100 users, 100 of them the same",
        PAST: "no users",
        "Headers about limits": "`X-RateLimit-Remaining` 99",
        "Requests": "8",
        "error": "",
    }


def test_the_shape_of_the_fields_is_reported(describe, api):
    """Another spelling, nulls, a field that some lack, a declared one that all lack, keys."""
    api.names, api.order = {"updated_at": "updatedAt", "lastName": "familyName"}, "storage"
    api.users = [user(1), *users(30)[1:], {**user(2), "tags": [], "address": {"city": "Ghent"}}]
    api.users[4]["employeeId"] = None
    api.users[5]["balance"] = "12"
    found = describe(api)
    fields = found["Fields of 31 users"].split(", ")
    assert "`updatedAt` null or string" in fields and "`balance` number or string" in fields
    assert "`tags` list or missing" in fields and "`address` object or missing" in fields
    assert found["Declared fields in another spelling"] == "`updatedAt` for updated_at"
    assert found["Declared fields that are missing"] == "lastName"
    assert found["Users without a usable employeeId"] == "1; that share one with another: 2"
    assert found["error"] == ""


def test_the_notation_of_times_is_reported(describe, api):
    api.order = "storage"
    times = ["2026-02-01 10:00:00.123", "2026-02-02", "2026-02-03T10:00:00+02:00", "2/1/2026 AM"]
    api.users = [user(n, time) for n, time in enumerate(times)]
    written = describe(api)["Times in updated_at"].split(", ")
    assert written == [
        "1 `9999-99-99 99:99:99.999` without a zone",
        "1 `9999-99-99` without a zone",
        "1 `9999-99-99T99:99:99+99:99` with a zone",
        "1 `9/9/9999 aa` (unreadable)",
    ]


def test_an_api_of_small_pages_that_counts_them_by_what_was_asked_for_is_reported(describe, api):
    api.users, api.page_cap, api.offset_from_asked = users(1100), 50, True
    found = describe(api)
    assert found["Page 1 of 1,000"] == found["Page 1 of 100"] == "50 users"
    assert found["Page 2, compared with page 1"] == "50 users, 0 of them the same"
    assert found["Page 2 of 1,000, compared with page 2 of 50"] == "50 users, 0 of them the same"
    api.offset_from_asked = False
    assert describe(api)["Page 2 of 1,000, compared with page 2 of 50"] == SAME


def test_an_api_that_refuses_large_pages_is_described_in_small_ones(describe, api):
    api.users, api.accepts = users(150), lambda per_page: per_page <= 100
    found = describe(api)
    assert "HTTP 400" in found["Page 1 of 1,000"] and found["Page 1 of 100"] == "100 users"
    assert found[FILTER] == "52 users pass, 0 of them are older" and found["error"] == ""


def test_the_order_and_ties_at_borders_are_reported(describe, api):
    """150 users have one time, so that a border is among them."""
    api.users = [user(n, NOON - timedelta(days=n // 150)) for n in range(400)]
    api.order, api.page_cap = "-updated_at", 100
    found = describe(api)
    assert found["Order by updated_at"] == "descending"
    assert found["Borders between pages at which updated_at is the same"] == "1 of 1"
    api.order = "id"
    assert describe(api)["Order by employeeId"] == "ascending"
    api.order = "shuffled"
    found = describe(api)
    assert found["Order by updated_at"] == found["Order by employeeId"] == "none"
    assert found["Page 1, asked for again"] != SAME


def test_numbers_are_ordered_as_numbers(describe, api):
    api.order, api.users = "storage", [user(n, employeeId=n) for n in range(7, 13)]
    found = describe(api)
    assert found["Order by employeeId"] == "ascending"
    assert found["Order by updated_at"] == "cannot be told"
    assert found[FILTER] == "cannot be tried, since no user has a readable updated_at"


def test_what_the_filter_does_is_reported(describe, api):
    api.users, api.order = [*users(30), user(31)], "id"
    api.strict, api.keeps_nulls = True, True
    found = describe(api)
    assert found[f"{FILTER}, users with its own time"] == "left out"
    assert found[f"{FILTER}, users who changed later"] == "kept"
    assert found[f"{FILTER}, users without a time"] == "1 kept"
    api.filter_param = None
    found = describe(api)
    assert found[FILTER].endswith(
        "28 of them are older; so it is not known, or compares dates alone"
    )
    assert found[f"{FILTER}, of a future time"] == SAME
    assert describe(api, updated_since_param="after")["The filter `after`"] == found[FILTER]


def test_a_filter_in_another_zone_is_reported(describe, api):
    """It takes UTC for local time: the API would have to write seven hours later."""
    api.users = users(30)
    api.passes = lambda row, since: row["updated_at"] >= text(NOON)
    assert describe(api)[f"{FILTER}, users who changed later"] == "left out"


def test_a_filter_that_is_refused_is_reported_with_what_the_api_said(describe, api):
    api.users, api.filter_takes = users(3), lambda since: False
    found = describe(api)
    assert found[FILTER].endswith("the API said: updated_since must not be older than 90 days")
    assert PAST in found


@pytest.mark.parametrize(
    "past_end, told",
    {
        "404": "no list of users, HTTP 404; the API said: Invalid page.",
        "null": "no list of users, HTTP 200",
        "page 1": SAME,
    }.items(),
)
def test_what_lies_past_the_end_is_reported(describe, api, past_end, told):
    api.users, api.past_end = users(150), past_end
    api.page_cap = 100
    assert describe(api)[PAST] == told


@pytest.mark.parametrize("count", [30, 1300])
def test_pages_that_are_counted_from_another_number_are_reported(describe, api, count):
    """A sync cannot notice."""
    api.users, api.first_page = users(count), FIRST - 1
    found = describe(api)
    assert found[BEFORE].endswith("0 of them the same; so pages are counted from another number")
    assert found["error"] == ""


def test_a_page_parameter_that_counts_users_is_reported(describe, api):
    api.users = users(300)
    api.page = lambda number, per_page, since: api.users[number - 1 : number - 1 + 100]
    page_2 = describe(api)["Page 2, compared with page 1"]
    assert page_2.endswith("99 of them the same; so the parameter counts users, not pages")


def test_a_list_elsewhere_is_reported_with_its_place_and_its_fields(describe, api):
    api.users, api.list_name = users(30), "result.people"
    found = describe(api)
    assert found["The answer"] == "`result` object, `success` boolean"
    assert found["A list of 30 objects at `result.people`"].startswith("`employeeId` string, ")
    assert "the body holds no list" in found["error"]


@pytest.mark.parametrize(
    "fault, told",
    [
        ({"status": 401}, "check api_key"),
        ({"status": 404, "body": b"<html>"}, "check base_url"),
        ({"kind": "reset"}, "the connection failed"),
        ({"status": 200, "body": b"<html>"}, "but the body is not JSON"),
        ({"status": 204}, "HTTP 204"),
    ],
)
def test_an_api_that_does_not_answer_is_reported_in_the_words_of_the_connector(
    describe, api, fault, told
):
    api.faults = [Fault(times=99, **fault)]
    assert told in describe(api)["error"]


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
    api.sends = {"X-RateLimit-Key": KEY}
    found = describe(api)
    assert found["error"] == "" and found["Headers about limits"] == "`X-RateLimit-Key`"
    assert ", 2 more, whose names are not shown" in found["Fields of 30 users"]
    assert [name for name in NOBODY if name in str(found)] == []
    api.list_name = "x@home_example.people"
    assert [name for name in NOBODY if name in str(describe(api))] == []


def test_an_error_of_the_script_itself_shows_no_value(describe, script, api, monkeypatch):
    api.users = users(30)
    monkeypatch.setattr(script, "describe_times", lambda values: int(f"Xanthippe {values}"))
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


def test_it_can_be_tried_in_mock_mode(script, capsys):
    script.main(ROOT / "mock_data" / "configuration.json")
    assert "Order by employeeId: ascending" in capsys.readouterr().out
