"""The README says what is so: commands, settings, columns, messages and output."""

import json
import re
from pathlib import Path

import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe

import connector
from fake_awardco import users

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE = (ROOT / "connector.py").read_text(encoding="utf-8")


def table(header: str) -> list:
    """The rows of the table whose first line begins so, as lists of cells."""
    lines = README[README.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def code(text: str) -> list:
    return re.findall(r"`([^`]+)`", text)


def constant(name: str):
    return getattr(connector, name)


def test_the_settings_are_those_of_the_configuration_file():
    named = [code(row[0])[0] for row in table("| Setting |")]
    assert named == list(json.loads((ROOT / "configuration.json").read_text()))


def test_the_defaults_are_those_of_the_connector():
    defaults = {code(row[0])[0]: code(row[2]) for row in table("| Setting |")}
    settings = connector.validate_configuration(
        {"api_key": "k", "base_url": "https://example.com"}
    )
    assert defaults["updated_since_param"] == [settings.updated_since_param]
    assert defaults["use_mock"] == [str(settings.use_mock).lower()]
    assert defaults["api_key"] == defaults["base_url"] == []


@pytest.mark.parametrize("missing", ["api_key", "base_url"])
def test_the_settings_said_to_be_required_are(missing):
    required = [code(row[0])[0] for row in table("| Setting |") if row[1] == "yes"]
    assert missing in required and len(required) == 2
    given = {"api_key": "k", "base_url": "https://example.com", missing: ""}
    with pytest.raises(connector.ConfigurationError, match=f"^{missing} is missing"):
        connector.validate_configuration(given)


def test_the_columns_are_those_of_the_schema():
    (declared,) = connector.schema({})
    rows = table("| Column |")
    assert {code(row[0])[0]: row[1] for row in rows} == declared["columns"]
    for row in rows:
        field, column = code(row[0])
        assert redshift_safe(field) == column


@pytest.mark.parametrize("header", ["| Message |", "| Warning |"])
def test_the_messages_are_those_that_the_connector_writes(header):
    written = re.sub(r'"\s*\n?\s*f?"', "", SOURCE)
    for row in table(header):
        for message in code(row[0]):
            pattern = re.sub(r"\d+", r"(\\d+|{[^}]+})", re.escape(message))
            advised = [
                f"HTTP {status}; {advice}" for status, advice in constant("__ADVICE").items()
            ]
            found = re.search(pattern, written.replace("{__KEY}", "employeeId"))
            assert found or any(message in line for line in advised), message


def test_every_refusal_of_a_setting_is_in_the_table():
    listed = [message for row in table("| Message |") for message in code(row[0])]
    refusals = re.findall(r'ConfigurationError\(\s*f?"([^"]+)"', SOURCE)
    assert len(refusals) >= 9
    for refusal in refusals:
        assert any(refusal.startswith(message) for message in listed), refusal


def test_its_numbers_are_those_of_the_connector():
    text, policy = " ".join(README.split()), connector.RetryPolicy()
    least, most = policy.first_backoff_seconds, policy.max_backoff_seconds
    assert f"tried up to {policy.attempts} times, about {least} to {most} seconds apart" in text
    connect, read = constant("__TIMEOUT_SECONDS")
    assert f"no connection within {connect} seconds, no answer within {read} seconds" in text
    minutes = policy.max_retry_after_seconds // 60
    assert f"`Retry-After` is obeyed up to {minutes} minutes" in text
    assert f"no complete one within {constant('__ANSWER_SECONDS')} seconds" in text
    assert f"`page=1&per_page={constant('__PAGE_SIZE')}`" in text
    assert f"asks for {constant('__LARGE_PAGE_SIZE'):,} users instead" in text
    statuses = constant("__RETRIED_STATUSES")
    assert statuses == {408, 425, 429, *range(500, 600)}
    assert "after status 408, 425, 429 or any 5xx" in text
    hours = [
        connector.get_settling_time(value).total_seconds() / 3600
        for value in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01")
    ]
    assert hours == [1, 15, 39]
    assert re.search(
        "at least an hour before .*15 hours if times have no zone, 39 if they are dates", text
    )


def test_the_state_that_it_shows_is_one_that_a_sync_goes_on_from(project, api):
    (shown,) = re.findall(r'^\{"last_sync_time".*\}$', README, re.MULTILINE)
    api.users = users(3)
    assert not project.sync(api, state=json.loads(shown)).failed
    resume = json.loads(shown)["resume"]
    assert api.requests[0] == (resume["page"], resume["updated_since"])
    assert api.sizes[0] == resume["per_page"]


def test_the_configuration_that_it_shows_has_the_settings_and_defaults():
    (shown,) = re.findall(r'```json\n(\{\s+"api_key".*?)```', README, re.DOTALL)
    settings = {"api_key": "k", "base_url": "https://api.awardco.com"}
    given = {**json.loads(shown), "api_key": "k"}
    assert list(given) == list(json.loads((ROOT / "configuration.json").read_text()))
    assert connector.validate_configuration(given) == connector.validate_configuration(settings)


def test_the_output_it_shows_is_what_mock_mode_prints(project):
    shown = re.findall(r"^⚡ connector (.+)$", README, re.MULTILINE)
    assert len(shown) == 4
    first, second = project.sync(use_mock="true"), project.sync(use_mock="true")
    assert [bool(first.log_lines(line)) for line in shown[:2]] == [True, True]
    assert [bool(second.log_lines(line)) for line in shown[2:]] == [True, True]
    for line in re.findall(r"^│ (\d{5}) │ (\S+) +│ (\S+) +│", README, re.MULTILINE):
        row = first.rows[line[0]]
        assert (row["first_name"], row["last_name"]) == line[1:]


def test_the_make_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", README))
    assert {"run", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_files_it_links_to_exist():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_sections_it_links_to_exist():
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_sections_of_a_fivetran_connector_are_there():
    for title in [
        "Connector overview",
        "Requirements",
        "Getting started",
        "Features",
        "Configuration file",
        "Requirements file",
        "Authentication",
        "Pagination",
        "Data handling",
        "Error handling",
        "Tables created",
        "Additional considerations",
    ]:
        assert f"\n## {title}\n" in README


def test_the_tests_that_the_list_of_faults_names_exist():
    listed = set(code((ROOT / "tests" / "README.md").read_text(encoding="utf-8")))
    named = {name for name in listed if re.fullmatch(r"test_\w+", name)}
    written = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_*.py"))
    assert len(named) > 30
    for name in named:
        assert f"def {name}(" in written, name
