"""The documentation says what is so: commands, settings, columns, messages, output and links."""

import ast
import json
import re
from datetime import timedelta
from pathlib import Path

import complexipy
import duckdb
import fivetran_connector_sdk_cli as sdk_cli
import fivetran_connector_sdk_core as sdk_core
import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe

import connector
from fake_awardco import users

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "tests" / "README.md"]
}
README, ERRORS, SYNCING = (
    PAGES[name] for name in ("README.md", "docs/errors.md", "docs/how-it-syncs.md")
)
SOURCE = (ROOT / "connector.py").read_text(encoding="utf-8")
# In the order in which Fivetran wants them.
SECTIONS = """
Connector overview, Requirements, Getting started, Features, Configuration file, Requirements file
Authentication, Pagination, Data handling, Error handling, Tables created, Additional files
Additional considerations
"""
SECTIONS = re.split(r", |\n", SECTIONS.strip())


def rows(page: str, header: str) -> list:
    """The cells of every row in the tables whose first line begins so."""
    tables = [part.split("\n\n")[0].splitlines()[2:] for part in page.split(f"\n{header}")[1:]]
    assert tables, header
    cells = [re.split(r" ?\| ?", line.strip("| ")) for table in tables for line in table]
    return [[cell.strip() for cell in row] for row in cells]


def code(text: str) -> list:
    return re.findall(r"`([^`]+)`", text)


def section(page: str, title: str) -> str:
    return re.split(r"\n#+ ", page.split(f"\n## {title}\n")[1])[0]


def without_code(page: str) -> str:
    return re.sub("```.*?```", "", page, flags=re.DOTALL)


def block(page: str, name: str) -> str:
    """The SQL of a block that begins with its name."""
    (found,) = re.findall(rf"-- {name}\n(.*?)```", PAGES[page], re.DOTALL)
    return found


def plain(page: str) -> str:
    return " ".join(page.split())


# --- The README as a whole -----------------------------------------------------------------------


def test_the_sections_are_those_of_a_fivetran_connector_in_their_order():
    prose = without_code(README)
    assert re.findall("^## (.+)$", prose, re.MULTILINE) == ["Try it", *SECTIONS]
    assert len(re.findall("^# ", prose, re.MULTILINE)) == 1


def test_the_pythons_are_those_that_are_tested():
    script = (ROOT / "tests" / "tools" / "test_all.sh").read_text()
    versions = re.search(r"for version in ([\d. ]+);", script).group(1).split()
    assert README.count(f"Python {versions[0]} to {versions[-1]}") == 2


# --- Settings ------------------------------------------------------------------------------------


SETTINGS = {row[0].strip("`"): row[1:] for row in rows(README, "| Setting |")}


def test_the_settings_are_those_of_the_configuration_file():
    assert list(SETTINGS) == list(json.loads((ROOT / "configuration.json").read_text()))


def test_the_json_equals_the_configuration_file():
    (shown,) = re.findall(r"```json\n(.*?)```", section(README, "Configuration file"), re.DOTALL)
    assert shown == (ROOT / "configuration.json").read_text()


def test_the_defaults_are_those_of_the_connector():
    given = {"api_key": "k", "base_url": "https://example.com"}
    settings = connector.validate_configuration(given)
    defaults = {name: default.strip("`") for name, (_, default, _) in SETTINGS.items()}
    assert defaults == {
        "api_key": "",
        "base_url": "",
        "source": settings["source"],
        "updated_since_param": settings["updated_since_param"],
        "full_sync_days": "never",
        "use_mock": "false",
    }
    assert settings["full_sync_days"] == settings["use_mock"] == ""


def test_the_settings_said_to_be_required_are():
    required = [name for name, row in SETTINGS.items() if row[0] == "yes"]
    assert required == ["api_key", "base_url"]
    for missing in required:
        given = {"api_key": "k", "base_url": "https://example.com", missing: ""}
        with pytest.raises(connector.ConfigurationError, match=f"^{missing} is missing"):
            connector.validate_configuration(given)


def test_the_state_that_it_shows_is_one_that_a_sync_goes_on_from(project, api):
    shown = re.findall(r'^\{"source".*?\}', SYNCING, re.MULTILINE)
    assert len(shown) == 1
    api.users = users(3)
    state = json.loads(shown[0])
    outcome = project.sync(api, state=state)
    assert not outcome.failed and api.requests[0] == (1, state["last_sync_time"])
    assert outcome.state.keys() == state.keys()


@pytest.mark.parametrize("place", ["in the file", "on Fivetran"])
def test_a_full_read_is_forced_as_the_page_says(project, api, place):
    """Not by an empty state, with which it would mark nobody."""
    api.users = users(5)
    state = project.sync(api, full_sync_days="7").state
    api.users = api.users[1:]
    del state["last_full_sync"]  # what the page says of the file
    if place == "on Fivetran":
        (sent,) = re.findall(r"^state='(.+)'$", PAGES["docs/operations.md"], re.MULTILINE)
        copied = {name: state[name] for name in ("source", "last_sync_time", "users")}
        state = {**json.loads(sent), **copied}
    outcome = project.sync(api, state=state, full_sync_days="7")
    assert outcome.log_lines("Full sync: all users (full_sync_days)")
    assert outcome.log_lines("Marking who left: 5 users at the last complete read, 4 now")


# --- Columns -------------------------------------------------------------------------------------


def test_the_columns_are_those_of_the_schema():
    (declared,) = connector.schema({})
    columns = {redshift_safe(field): kind for field, kind in declared["columns"].items()}
    shown = {name: row[1] for row in rows(README, "| Columns |") for name in code(row[0])}
    assert shown == columns
    described = {
        row[0].strip("`"): row[1] for row in rows(PAGES["docs/modelling.md"], "| Column |")
    }
    assert {name: described[name] for name in columns} == columns
    assert "`USER`" in section(README, "Tables created") and declared["table"] == "USER"


# --- Messages ------------------------------------------------------------------------------------


def written_texts(tree: ast.AST) -> list:
    """Each text of a program. Constants of the connector are filled in, the rest becomes NUL."""
    pieces, texts = set(), []
    for node in ast.walk(tree):  # a text comes before its pieces
        if isinstance(node, ast.JoinedStr):
            pieces.update(map(id, node.values))
            texts.append("".join(map(part_of_text, node.values)))
        elif isinstance(getattr(node, "value", None), str) and id(node) not in pieces:
            texts.append(node.value)
    return texts


def part_of_text(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return value.value
    if isinstance(value.value, ast.Name):
        known = getattr(connector, value.value.id, None)
        if isinstance(known, (int, str)):
            return str(known)
    return "\0"


TREE = ast.parse(SOURCE)
ADVICE = [  # on a status; where there is none, the error before the advice has words of its own
    advice
    for table in ("__ADVICE", "__REPORT_ADVICE")
    for problem, advice in getattr(connector, table).items()
    if type(problem) is int
]
FAULTS_OF_SETTINGS = ("is missing", "cannot be used")
TEXTS = written_texts(TREE) + ADVICE
TEXTS += [f"{name} {fault}" for name in SETTINGS for fault in FAULTS_OF_SETTINGS]
MESSAGES = {
    message
    for page, header in [(README, "| Message |"), (ERRORS, "| Message |")]
    for row in rows(page, header)
    for message in code(row[0])
}
OF_THE_SDK = {
    message
    for row in rows(ERRORS.split("\n## Errors of Fivetran's command line")[1], "| Message |")
    for message in code(row[0])
}


@pytest.mark.parametrize("message", sorted(MESSAGES - OF_THE_SDK))
def test_each_message_is_one_that_the_connector_writes(message):
    assert any(message in text for text in TEXTS)


def test_the_messages_of_the_command_line_are_those_of_the_sdk():
    folders = [Path(package.__file__).parent for package in (sdk_cli, sdk_core)]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    texts = [text for path in files for text in written_texts(ast.parse(path.read_bytes()))]
    for message in OF_THE_SDK - {"schema definition changes"}:  # that one is of Fivetran's service
        written = message.replace("created", "\0")  # or updated
        assert any(written in text for text in texts), message


def test_the_messages_of_the_readme_are_among_all_messages():
    short = {message for row in rows(README, "| Message |") for message in code(row[0])}
    everything = {message for row in rows(ERRORS, "| Message |") for message in code(row[0])}
    assert len(short) == 4 and short <= everything


def told_texts() -> list:
    """What the connector raises or returns as an error of its own, yields as a warning, counts as
    a gap, returns as what a setup test has found, and advises on a status."""
    own = {node.name for node in TREE.body if isinstance(node, ast.ClassDef)}
    told = []
    for node in ast.walk(TREE):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in own:
            told += node.args[:1]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "gaps.append":
            told += node.args
        elif isinstance(node, ast.Yield) and node.value:
            told.append(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_test"):
            told += [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
    texts = [text for part in told if part for text in written_texts(part)]
    return [text for text in texts if len(re.findall("[a-z]{2,}", text)) > 3] + ADVICE


UNSEEN = ("could not be read", "The sync has ended")  # of others' texts; nobody waits for it
CLEAR = MESSAGES - {"check base_url"}  # which is in many


def test_every_error_and_warning_of_the_connector_is_in_a_table():
    found = [text for text in told_texts() if not any(part in text for part in UNSEEN)]
    assert len(found) > 40
    assert [text for text in found if not any(message in text for message in CLEAR)] == []


# --- Numbers -------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_connector():
    large, small = getattr(connector, "__LARGE_PAGE"), getattr(connector, "__SMALL_PAGE")
    assert f"pages of {large:,} users one after the other, or of {small}" in plain(README)
    assert f"asks for {large:,} users (`__LARGE_PAGE`)" in plain(SYNCING)
    assert f"pages of {small} (`__SMALL_PAGE`)" in plain(SYNCING)
    passes = getattr(connector, "__MAX_PASSES")
    assert f"at most {passes} times in all" in plain(README) and passes == 5  # "five" in docs
    margin = getattr(connector, "__CURSOR_MARGIN")
    without_zone = getattr(connector, "__CURSOR_MARGIN_WITHOUT_ZONE")
    assert margin == timedelta(hours=1) and without_zone == timedelta(hours=39)
    for page in (README, SYNCING):
        assert "at least an hour old" in plain(page) and "39 hours" in page


def test_the_retries_are_those_of_the_connector():
    text = plain(ERRORS)
    attempts, pause, longest = (
        getattr(connector, name)
        for name in ("__ATTEMPTS", "__MAX_BACKOFF_SECONDS", "__MAX_RETRY_AFTER_SECONDS")
    )
    assert f"tried up to {attempts} times, with random waits that double up to {pause}" in text
    assert f"tries a request up to {attempts} times" in README
    assert longest == 3600 and "`Retry-After` is obeyed up to an hour" in text
    connect, read = getattr(connector, "__TIMEOUT_SECONDS")
    assert f"no connection within {connect} seconds, or no data for {read} seconds" in text
    assert getattr(connector, "__RETRIED_STATUSES") == {304, 408, 425, *range(500, 600)}
    assert "status 304, 408, 425, 429 or any 5xx" in text
    refused = {status for status in getattr(connector, "__REFUSALS") if type(status) is int}
    *others, last = sorted(refused | {413})
    assert f"After {', '.join(map(str, others))} and {last} to page 1" in text


def test_the_budget_of_lines_is_kept():
    (budget,) = re.findall(r"at most ([\d,]+) lines", PAGES["CONTRIBUTING.md"])
    added = len(getattr(connector, "__COLUMNS")) - 8
    assert len(SOURCE.splitlines()) - added <= int(budget.replace(",", ""))


# --- The log of syncs ----------------------------------------------------------------------------


def test_the_sync_and_its_pages_are_as_simple_as_the_budget_says():
    (most,) = re.findall(r"at most (\d+) in the sections", PAGES["CONTRIBUTING.md"])
    lines = SOURCE.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("# --- The sync and"))
    last = next(at for at, line in enumerate(lines) if line.startswith("# --- Requests"))
    found = complexipy.file_complexity(str(ROOT / "connector.py")).functions
    judged = [function for function in found if first < function.line_start <= last]
    assert len(judged) > 20
    assert [(item.name, item.complexity) for item in judged if item.complexity > int(most)] == []


def test_a_connection_whose_syncs_fail_does_not_look_fresh():
    """Since December 2021 Fivetran's log has a sync_end for each outcome, not only for success."""
    ends = [
        ("01", "your_connection_id", "sync_end", '{"status":"SUCCESSFUL"}'),
        ("02", "your_connection_id", "sync_end", '{"status" : "SUCCESSFUL", "syncId": "1"}'),
        ("03", "your_connection_id", "sync_end", '{"status":"FAILURE_WITH_TASK"}'),
        ("04", "your_connection_id", "sync_end", '{"reason":"UNSUCCESSFUL","status":"FAILURE"}'),
        ("05", "another_connection", "sync_end", '{"status":"SUCCESSFUL"}'),
        ("06", "your_connection_id", "sync_start", "{}"),
    ]
    with duckdb.connect() as warehouse:
        columns = "time_stamp text, connection_id text, message_event text, message_data text"
        warehouse.execute(
            f"create schema fivetran_metadata; create table fivetran_metadata.log ({columns})"
        )
        warehouse.executemany("insert into fivetran_metadata.log values (?, ?, ?, ?)", ends)
        query = block("docs/operations.md", "last_sync.sql")
        assert warehouse.execute(query).fetchall() == [("02",)]


def test_the_counts_of_each_sync_are_found_in_the_log_of_fivetran(project):
    """In the columns that Fivetran's own dbt package reads from connector_sdk_log."""
    log = project.sync(use_mock="true").log
    lines = [line.partition("connector ")[2] for line in log.splitlines() if "connector " in line]
    rows = [(number, "your_connection_id", line) for number, line in enumerate(lines)]
    with duckdb.connect() as warehouse:
        columns = "event_time int, connection_id text, message text"
        warehouse.execute(
            "create schema fivetran_metadata;"
            f"create table fivetran_metadata.connector_sdk_log ({columns})"
        )
        warehouse.executemany(
            "insert into fivetran_metadata.connector_sdk_log values (?, ?, ?)", rows
        )
        ((_, found),) = warehouse.execute(block("docs/operations.md", "counts.sql")).fetchall()
    assert found.startswith("Synced 250 users from 3 pages")


# --- Output, commands, names, links --------------------------------------------------------------


def test_the_output_it_shows_is_what_mock_mode_prints(project):
    """make runs it in a folder of its own: see test_commands.py."""
    settings = json.loads((ROOT / "mock_data" / "configuration.json").read_text())
    syncs = [project.sync(**settings) for _ in "12"]
    state = {name: value for name, value in project.state().items() if name != "last_full_sync"}
    syncs.append(project.sync(state=state, **settings))
    shown = re.findall(r"^make (?:run|leavers) +# (.+)$", README, re.MULTILINE)
    assert len(shown) == 3
    for line, sync in zip(shown, syncs, strict=True):
        assert sync.log_lines(line), line
    table = re.findall(r"^│ (\d{5}) │ (\S+) │ (\S+) │", re.sub(" +", " ", README), re.MULTILINE)
    rows = sorted(syncs[0].rows.values(), key=lambda row: str(row["updated_at"] or ""))
    newest = [(row["employee_id"], row["first_name"], row["last_name"]) for row in rows[:-3:-1]]
    assert table == newest


@pytest.mark.parametrize("name", PAGES)
def test_the_make_targets_that_it_names_exist(name):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", PAGES[name], re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", PAGES)
def test_the_functions_and_constants_that_it_names_exist(name):
    for function in re.findall(r"`(\w+)\(\)`", PAGES[name]):
        assert re.search(rf"^def {function}\(", SOURCE, re.MULTILINE), function
    for constant in re.findall(r"`(__[A-Z_]+)`", PAGES[name]):
        assert re.search(rf"^{constant}(: \w+)? = ", SOURCE, re.MULTILINE), constant


@pytest.mark.parametrize("name", PAGES)
def test_its_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[name])
    links += re.findall(r'href="(?!https?:)([^"]+)"', PAGES[name])
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(page: str) -> set:
    """What GitHub makes of the titles of a page."""
    titles = re.findall("^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_each_test_file_is_in_the_list_of_questions():
    listed = set(code(PAGES["tests/README.md"]))
    there = {path.name for path in ROOT.glob("tests/test_*.py")}
    assert there == {name for name in listed if re.fullmatch(r"test_\w+\.py", name)}


def test_no_page_holds_a_key_or_a_place_on_somebodys_machine():
    for page in PAGES.values():
        assert not re.search(r"/(home|Users|work|tmp)/\w", page)
        assert not re.search(r"\b[0-9a-f]{32}\b|\b[A-Za-z0-9+/]{40,}={0,2}\b", page)
