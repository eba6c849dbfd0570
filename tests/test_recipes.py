"""The recipes of CONTRIBUTING.md, followed literally: is each one change, and does it suffice?"""

import json
import re
import shutil
from ast import literal_eval
from pathlib import Path

import pytest

import connector
from fake_awardco import KEY, FakeAwardco, Fault, users
from harness import InMemory, Memory, use_copy

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
    constants = re.findall(r"^-(__\w+)(?:: dict)? = (.+?)(?:  #.*)?$", section, re.MULTILINE)
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


RECIPES = {
    "Change the page parameters": {"page_param": "pageNumber", "per_page_param": "pageSize"},
    "Count pages from 0": {"first_page": 0},
    "Count users instead of pages": {"counts_users": True},
    "Send the key as a Bearer token": {
        "key_header": lambda key: {"Authorization": f"Bearer {key}"}
    },
    "Read the list of users from another place": {"list_name": "data.items"},
    "Send a parameter with every request": {"other_params": {"include_archived": "true"}},
    "Read a field under another name": {"names": {"updated_at": "lastModified"}},
}


@pytest.mark.parametrize("title, behaviours", RECIPES.items(), ids=RECIPES)
def test_a_recipe_is_all_that_such_an_api_needs(in_memory, adapt, title, behaviours):
    change = follow(title)
    with FakeAwardco(users(1300), **behaviours) as api:
        unchanged = in_memory.sync(api)
        assert unchanged.cursor is None or len(unchanged.rows) < 1300
        adapted, project = adapt(change)
        outcome = project.sync(api)
        assert len(outcome.rows) == 1300 and outcome.cursor == api.users[-1]["updated_at"]
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
