"""The README says what is so: commands, settings, columns, messages and output."""

import inspect
import json
import re
from pathlib import Path

import pytest

import connector

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
        assert connector._snake_case(field) == column


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


def test_the_functions_it_names_exist():
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    named = {name for name in code(prose) if re.fullmatch(r"_[a-z_]+|make_request\w+", name)}
    assert {"make_request_with_retry", "_pages", "_walk", "_cursor", "_is_torn", "_sync"} <= named
    for name in named:
        assert inspect.isfunction(getattr(connector, name)), name


def test_its_numbers_are_those_of_the_connector():
    assert f"asks up to {constant('__MAX_ATTEMPTS')} times" in README
    assert f"about {constant('__FIRST_BACKOFF_SECONDS')} to" in README
    assert f"{constant('__MAX_BACKOFF_SECONDS')} seconds" in README
    minutes = constant("__MAX_RETRY_AFTER_SECONDS") // 60
    assert f"`Retry-After` is obeyed up to {minutes} minutes" in README
    assert f"no answer within {constant('__TIMEOUT_SECONDS')[1]} seconds" in README
    assert f"per_page={constant('__PAGE_SIZE')}" in README
    statuses = sorted(constant("__RETRIED_STATUSES"))
    assert ", ".join(map(str, statuses[:-1])) + f" and {statuses[-1]}" in " ".join(README.split())


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
