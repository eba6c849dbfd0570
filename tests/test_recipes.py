"""The recipes of CONTRIBUTING.md, followed literally: is each one change, and does it suffice?"""

import json
import re
import shutil
from ast import literal_eval
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

import connector
import fake_report
from fake_awardco import KEY, FakeAwardco, Fault, instant, users
from fake_report import ALL_COLUMNS, people
from harness import InMemory, Memory, use_copy, utc

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SOURCE = Path(connector.__file__).read_text(encoding="utf-8")
TESTS = ("connection_test", "users_test", "filter_test")


def follow(title: str):
    """What makes the change of a recipe, given by its lines with - and +, in a source."""
    section = re.split(r"\n##+ ", PAGE.split(f"## {title}\n")[1])[0]
    blocks = re.findall(r"```diff\n(.*?)```", section, re.DOTALL)
    changes = [(without(block, "+"), without(block, "-")) for block in blocks]
    # A project that is adapted to its tenant has made a change already.
    constants = re.findall(r"^-(__\w+)(?:: \w+)? = (.+?)(?:  #.*)?$", section, re.MULTILINE)
    is_adapted = [getattr(connector, name) != literal_eval(was) for name, was in constants]
    if any(is_adapted) or any(after in SOURCE for _, after in changes):
        pytest.skip("connector.py has been adapted already")

    def change(source: str) -> str:
        for before, after in changes:
            assert source.count(before) == 1, before
            source = source.replace(before, after)
        return source

    return change


def without(block: str, sign: str) -> str:
    return "".join(line[1:] for line in block.splitlines(True) if line[0] != sign)


@pytest.fixture
def adapt(tmp_path, monkeypatch, clock):
    """Let a copy of the connector, changed like this, take its place; return it, and a project."""

    def adapt(change):
        folder = tmp_path / "adapted"
        shutil.copytree(ROOT / "mock_data", folder / "mock_data")
        return use_copy(folder, monkeypatch, clock, change), InMemory(monkeypatch)

    return adapt


def mock_mode() -> Memory:
    """What mock mode leaves of a first sync."""
    destination = Memory()
    destination.sync(use_mock="true")
    return destination


US = "%m/%d/%Y %H:%M:%S"


def is_since(row: dict, since: str) -> bool:
    """The filter of an API that writes, and compares, such times; it takes ISO 8601 too."""
    asked_at = instant(since) or datetime.strptime(since, US)
    return instant(row["updated_at"]) >= asked_at.replace(tzinfo=UTC)


RECIPES = {
    "Read the users from another path": {"path": "/api/v2/users"},
    "Change the page parameters": {"page_param": "pageNumber", "per_page_param": "pageSize"},
    "Count pages from 0": {"first_page": 0},
    "Count users instead of pages": {"counts_users": True},
    "Send the key as a Bearer token": {
        "key_header": lambda key: {"Authorization": f"Bearer {key}"}
    },
    "Read the list of users from another place": {"list_name": "data.items"},
    "Send a parameter with every request": {"other_params": {"include_archived": "true"}},
    "Read a field under another name": {"names": {"updated_at": "lastModified"}},
    "Read times in another notation": {
        "zone": UTC,
        "notation": lambda moment, employee_id: moment.strftime(US),
        "passes": is_since,
    },
}


@pytest.mark.parametrize("title, behaviours", RECIPES.items(), ids=RECIPES)
def test_a_recipe_is_all_that_such_an_api_needs(in_memory, adapt, title, behaviours):
    change = follow(title)
    with FakeAwardco(users(1300), **behaviours) as api:
        unchanged = in_memory.sync(api)
        assert unchanged.cursor is None or len(unchanged.rows) < 1300
        adapted, project = adapt(change)
        outcome = project.sync(api)
        assert len(outcome.rows) == 1300
        assert outcome.cursor in api.written(api.users[-1], 0).values()
        assert project.destination.warnings == []
        api.requests.clear()
        assert len(project.sync(api).rows) == 1300
        assert {since for _, since in api.requests} == {outcome.cursor}
        for name in TESTS:
            settings = {"api_key": KEY, "base_url": api.url}
            assert adapted.connector.run_test(name, settings).failure is None
    mocked = mock_mode()
    assert len(mocked.rows) == 250
    assert mocked.checkpoints == 4  # three pages, each read once


def test_a_bearer_token_that_the_api_echoes_is_masked(adapt, api):
    api.key_header = lambda key: {"Authorization": f"Bearer {key}"}
    said = f"Bearer {KEY} is unknown, and so is {KEY}"
    api.faults = [Fault(times=99, status=401, body={"message": said})]
    _, project = adapt(follow("Send the key as a Bearer token"))
    outcome = project.sync(api)
    assert outcome.failed and "Bearer **** is unknown, and so is ****" in outcome.log
    assert KEY not in outcome.log


def test_an_answer_that_is_the_list_itself_is_read_as_the_recipe_says(adapt, api):
    assert 'Set it to `""` if the whole answer is the list' in PAGE
    api.list_name, api.users = "", users(30)
    _, project = adapt(lambda source: re.sub("(?m)^__LIST = .*$", '__LIST = ""', source))
    assert len(project.sync(api).rows) == 30
    assert len(mock_mode().rows) == 250


def test_a_parameter_with_brackets_in_its_name_can_be_sent_too(adapt, api):
    """As PHP and JSON:API write lists."""
    api.other_params, api.users = {"fields[]": "balance", "page[number": "x"}, users(30)
    written = f"__OTHER_PARAMS: dict = {api.other_params}"
    adapted, project = adapt(lambda source: re.sub("(?m)^__OTHER_PARAMS.*$", written, source))
    assert len(project.sync(api).rows) == 30
    with pytest.raises(adapted.ConfigurationError, match="updated_since_param cannot be used"):
        project.sync(api, updated_since_param="fields[]")


@pytest.fixture
def report(api):
    """The API, with 30 people in its report."""
    api.report.rows, api.report.page_size = people(30), 20
    for row in api.report.rows:
        row["Created Date"] = "05/13/2020 4:01:02 PM"
    return api.report


def test_the_columns_of_the_report_can_be_chosen(in_memory, adapt, api, report):
    rows = in_memory.sync(api, source="report").rows
    assert "Preferred Name" in rows["E00001"] and "created_at" not in rows["E00001"]
    _, project = adapt(follow("Choose the columns of the report"))
    row = project.sync(api, source="report").rows["E00030"]
    assert utc(row.pop("created_at").replace(" ", "T")) == utc("2020-05-13T16:01:02Z")
    assert row == {
        "employeeId": "E00030",
        "firstName": "First30",
        "lastName": "Quillfeather",
        "email": "user30@example.com",
    }
    assert set(report.orders[-1]["selectedColumns"]) <= set(ALL_COLUMNS)
    assert project.destination.warnings == []


def test_the_report_can_be_read_from_another_host(in_memory, adapt, api, report, monkeypatch):
    send = requests.adapters.HTTPAdapter.send

    def to_the_fake(adapter, request, **options):
        request = request.copy()
        request.url = api.url + request.path_url
        return send(adapter, request, **{**options, "proxies": {}})

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", to_the_fake)
    settings = {"source": "report", "base_url": "https://api.awardco.com"}
    (host,) = re.findall(r'__REPORT_HOSTS: tuple = \("(.+)",\)', PAGE)
    report.address = f"https://{host}{{path}}"
    outcome = in_memory.sync(api, **settings)
    assert outcome.failed and host in outcome.log and "__REPORT_HOSTS" in outcome.log
    _, project = adapt(follow("Read the report from another host"))
    assert len(project.sync(api, **settings).rows) == 30


def test_the_report_can_have_another_number(in_memory, adapt, api, report, monkeypatch):
    (number,) = re.findall(r"\+__REPORT_NUMBER = (\d+)", PAGE)
    monkeypatch.setattr(fake_report, "NUMBER", int(number))
    monkeypatch.setitem(fake_report.ORDER, "reportId", int(number))
    assert in_memory.sync(api, source="report").failed
    _, project = adapt(follow("Read the report under another number"))
    assert len(project.sync(api, source="report").rows) == 30


def test_the_key_can_have_another_name_in_the_report(in_memory, adapt, api, report):
    report.columns = ["Employee Number", "First Name", "Last Name", "Email"]
    report.rows = [{**row, "Employee Number": row["Employee Id"]} for row in report.rows]
    outcome = in_memory.sync(api, source="report")
    assert outcome.failed and "`Employee Number`" in outcome.log
    _, project = adapt(follow("Read a column of the report under another name"))
    assert len(project.sync(api, source="report").rows) == 30
    assert project.destination.warnings == []


def test_an_added_column_keeps_the_text_and_needs_a_value_in_the_mock_users(adapt, api):
    title = "Add a column or change its type"
    adapted, project = adapt(follow(title))
    assert adapted.schema({})[0]["columns"]["costCentre"] == "STRING"
    api.users = [{**row, "costCentre": "4.10"} for row in users(30)]
    rows = project.sync(api).rows
    assert {row["costCentre"] for row in rows.values()} == {"4.10"}
    (warning,) = mock_mode().warnings
    assert warning.startswith("No user has a value in costCentre")
    path = Path(adapted.__file__).parent / "mock_data" / "users.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    body["users"][0]["costCentre"] = "R&D"
    path.write_text(json.dumps(body), encoding="utf-8")
    assert mock_mode().warnings == []


def test_one_bad_value_in_a_column_of_dates_does_not_end_the_sync(adapt, api, project):
    """As the table of types says."""
    change = follow("Add a column or change its type")
    adapt(lambda source: change(source).replace('Centre": "STRING"', 'Centre": "NAIVE_DATE"'))
    read = {
        "2020-02-29": "2020-02-29",
        "2020-02-29T23:30:00-05:00": "2020-02-29",
        "02/29/2020": "None",
        5: "None",
        None: "None",
        "": "None",
    }
    api.users = users(len(read))
    for row, written in zip(api.users, read, strict=True):
        row["costCentre"] = written
    outcome = project.sync(api)
    assert not outcome.failed
    landed = [outcome.rows[row["employeeId"]] for row in api.users]
    assert [str(row["cost_centre"]) for row in landed] == [*read.values()]
    others = [json.loads(row["other_fields"] or "{}").get("costCentre") for row in landed]
    assert others == [None, None, "02/29/2020", 5, None, None]
