"""An API that differs from what is assumed of it: what still works, and what names the change."""

import json
from datetime import timedelta

import pytest

from fake_awardco import KEY, LIST, NOON, PER_PAGE_PARAM, Fault, listing, text, user, users
from harness import Memory, Project, connector

TESTS = ("connection_test", "users_test", "filter_test")


@pytest.fixture
def project(in_memory):
    return in_memory


def setup_problems(api) -> list:
    """What the setup tests find."""
    configuration = {"api_key": KEY, "base_url": api.url}
    found = [connector.connector.run_test(name, configuration).failure for name in TESTS]
    return [problem for problem in found if problem]


def kept_aside(row: dict) -> dict:
    return json.loads(row["other_fields"])


# --- names in another spelling


def test_times_in_camel_case_keep_the_cursor_and_make_the_next_sync_incremental(project, api):
    api.names = {"updated_at": "updatedAt", "created_at": "createdAt"}
    api.users = users(150)
    outcome = project.sync(api)
    assert outcome.cursor == api.users[-1]["updated_at"]
    assert project.destination.warnings == []
    assert outcome.rows["E00150"].keys() == connector.schema({})[0]["columns"].keys()
    assert setup_problems(api) == []
    api.requests.clear()
    assert len(project.sync(api).rows) == 150
    assert {since for _, since in api.requests} == {outcome.cursor}


@pytest.mark.parametrize(
    "name",
    ["EmployeeID", "employee_id", "EMPLOYEE-ID", "Employee Id", "employee.id", "(employee/id)"],
)
def test_the_key_is_found_in_any_spelling(project, api, name):
    api.names, api.users = {"employeeId": name}, users(30)
    outcome = project.sync(api)
    assert sorted(outcome.rows) == [row["employeeId"] for row in api.users]
    assert all(name not in row or name == "employeeId" for row in outcome.rows.values())
    assert setup_problems(api) == []


@pytest.mark.parametrize("name", [LIST.title(), LIST.upper(), f"{LIST[:2]}_{LIST[2:]}"])
def test_the_list_of_users_is_found_in_any_spelling(project, api, name):
    api.list_name, api.users = name, users(30)
    assert len(project.sync(api).rows) == 30
    assert setup_problems(api) == []


def test_the_exact_name_wins_and_the_other_spelling_is_kept_aside(project, api):
    """The destination drops every sign, so it would give both one column."""
    others = {"first_name": "Bea", "Updated-At": "2099-01-01T00:00:00Z", "EMPLOYEEID": "E9"}
    others |= {"first.name": "Bea", "currency.code": "XXX", "updated/at": "2098", "last·name": "B"}
    others |= {"balance ()": 7, "e-mail": "b@home.example", "employee:id#": None}
    api.users = [{**others, **user(1, NOON - timedelta(days=2))}]
    outcome = project.sync(api)
    (row,) = outcome.rows.values()
    assert (row["employeeId"], row["firstName"]) == ("E00001", "First1")
    assert (row["currencyCode"], row["balance"], row["lastName"]) == ("USD", 1.25, "Last1")
    assert kept_aside(row) == others
    assert outcome.cursor == text(NOON - timedelta(days=2))


@pytest.mark.parametrize(
    "name", ["other_fields", "otherFields", "Other Fields", "_Fivetran_Synced", "_FIVETRAN_ID"]
)
def test_a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside(
    project, api, name
):
    api.users = [user(1, **{name: "kept"})]
    (row,) = project.sync(api).rows.values()
    assert kept_aside(row) == {name: "kept"}
    assert [column for column in row if column not in user(1)] == ["other_fields"]


# --- another shape: the message names what is there


def failure(project, api) -> str:
    """The message of a sync that fails, which the dashboard and the setup test show too."""
    outcome = project.sync(api)
    assert outcome.failed and outcome.rows == {}
    (message,) = project.destination.errors
    assert setup_problems(api)[0].partition(": ")[2] == message.partition(": ")[2]
    return message


def test_users_without_the_key_are_reported_with_the_names_of_their_fields(project, api):
    api.names, api.users = {"employeeId": "id", "email": "workEmail"}, users(30)
    outcome = project.sync(api)
    assert outcome.failed and outcome.rows == {}
    (message,), (problem,) = project.destination.errors, setup_problems(api)
    for told in (message, problem):
        assert "employeeId" in told and "add its new name to find_spellings()" in told
        assert "`id`, `firstName`, `lastName`, `workEmail`" in told


def test_no_name_that_may_be_a_value_is_reported_and_ten_names_at_most(project, api):
    """A user's address is a name where an API sends users by address."""
    odd = {"x.q@home.example": 1, "E77aZ9": 2, "Größe": 4, "": 5}
    names = [f"field_{letter}" for letter in "abcdefghijkl"]
    found = {**odd, **dict.fromkeys(names, "Xanthippe")}
    api.faults = [Fault(times=99, status=200, body=found)]
    message = failure(project, api)
    assert f"; the fields are {', '.join(f'`{name}`' for name in names[:10])}; check" in message
    project.destination.errors.clear()
    api.faults = [Fault(times=99, status=200, body=listing([found] * 30))]
    outcome = project.sync(api)
    told = [*project.destination.errors, *setup_problems(api), outcome.log]
    assert len(told) == 3
    for line in told:
        assert "`field_a`" in line and "`field_j`" in line and "field_k" not in line
        assert not any(name in line for name in ("@", "E77", "Gr", "Xan", "``"))


XAN, QUILL = {"id": 1, "email": "x@home.example"}, {"id": 2, "phone": "555"}
SHAPES = {  # what comes in place of the list, and which of its names are shown
    "a list elsewhere": (
        {"data": [XAN], "totalCount": 3, "ok": True},
        "`data`, `totalCount`, `ok`",
    ),
    "a list alone": (["Xanthippe"], "not named"),
    "objects without a field in common": (
        {"data": {"items": []}, "meta": {"page": 1}},
        "`data`, `meta`",
    ),
    "an object": ({"data": {"items": []}, "page": 1}, "`data`, `page`"),
    "people by login name": ({"xanthippe": XAN, "quillfeather": QUILL}, "not named, as they may"),
    "people by full name": (
        {"Xanthippe Q": XAN, "Quill X": QUILL, "Bea": XAN},
        "not named, as they may",
    ),
}


@pytest.mark.parametrize("body, named", SHAPES.values(), ids=SHAPES)
def test_another_shape_names_what_is_there_but_no_person(project, api, body, named):
    api.faults = [Fault(times=99, status=200, body=body)]
    message = failure(project, api)
    assert f"no list `{LIST}`; the fields are {named}" in message
    assert "anthippe" not in message and "uill" not in message


# --- pages of ten


def told_of_small_pages(outcome) -> list:
    return outcome.log_lines("check __PER_PAGE_PARAM")


def test_an_api_that_knows_the_page_size_by_another_name_is_reported_once(project, api):
    api.users, api.per_page_param, api.tick = users(45), f"{PER_PAGE_PARAM}s", timedelta(0)
    outcome = project.sync(api)
    assert len(outcome.rows) == 45 and project.destination.warnings == []
    (line,) = told_of_small_pages(outcome)
    assert line == "Page 1 has 10 of 1,000 users asked for: check __PER_PAGE_PARAM"


@pytest.mark.parametrize("count, cap", [(99, 1000), (250, 100)])
def test_a_small_tenant_and_pages_of_a_hundred_are_no_reason_to_report(project, api, count, cap):
    api.users, api.page_cap = users(count), cap
    assert told_of_small_pages(project.sync(api)) == []


# --- how an error is shown


@pytest.mark.parametrize("base_url", ["/elsewhere", "?key=1"])
def test_fivetran_debug_shows_a_sentence_without_a_traceback_or_a_crash_report(
    tmp_path, capsys, api, base_url
):
    """A stack would bury what to do."""
    outcome = Project(tmp_path, capsys).sync(base_url=api.url + base_url, api_key=KEY)
    (line,) = outcome.log_lines("Error: ")
    assert outcome.failed and "base_url" in line.partition("Message: ")[2]
    assert "Traceback" not in outcome.log and "connector.py" not in outcome.log
    assert not (tmp_path / "crash-reports").exists()


def test_deployed_the_dashboard_gets_the_sentence_and_the_sync_fails(api):
    """There op.error() returns."""
    api.path, destination = "/elsewhere", Memory()
    with pytest.raises(connector.SyncError) as caught:
        destination.sync(api_key=KEY, base_url=api.url)
    assert destination.errors == [str(caught.value)]
