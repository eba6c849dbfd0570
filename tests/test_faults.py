"""The list of faults is kept up to date, and `make test-faults` tells what its tests notice."""

import re
import shutil
import subprocess
import sys

import pytest

from faults import FAULTS, Fault
from fivetran_api import PROJECT

CONNECTOR = (PROJECT / "connector.py").read_text(encoding="utf-8")
ALL = [fault for section in FAULTS.values() for fault in section]


def test_each_fault_is_there_once_and_has_a_name_of_its_own():
    names = [fault.name for fault in ALL]
    assert [name for name in names if names.count(name) > 1] == []
    places = [(fault.find, fault.replace) for fault in ALL]
    assert [fault.name for fault in ALL if places.count((fault.find, fault.replace)) > 1] == []


def test_each_fault_replaces_a_text_that_stands_once_in_the_connector():
    if misfits := list(filter(None, (fault.find_misfit(CONNECTOR) for fault in ALL))):
        pytest.fail("\n".join(misfits), pytrace=False)


def test_a_text_that_has_changed_is_shown_with_the_nearest_line():
    fault = Fault("It is off by one", "    return pages + 1\n", "    return pages\n", "tests")
    source = "def count(pages):\n    log.info(pages)\n    return (pages or 0) + 1\n"
    assert fault.find_misfit(source) == (
        "It is off by one: its text is missing, and line 3 is nearest:\n"
        "  - return pages + 1\n"
        "  + return (pages or 0) + 1"
    )


def test_each_fault_names_a_test_that_exists():
    assert [fault.test for fault in ALL if not exists(fault.test)] == []


def exists(test: str) -> bool:
    file, name = re.fullmatch(
        r"(tests/test_\w+\.py)::(?:\w+::)?(test_\w+)(?:\[.+\])?", test
    ).groups()
    text = (PROJECT / file).read_text(encoding="utf-8")
    return re.search(rf"^ *def {name}\(", text, re.MULTILINE) is not None


# --- The script ----------------------------------------------------------------------------------

SUM = """
def add(a, b):
    return a + b
"""
TESTS = """
import pytest
import connector

@pytest.fixture
def three():
    return connector.add(1, 2) + connector.add(0, 0)

@pytest.mark.slow
def test_add():
    assert connector.add(1, 2) == 3

def test_nothing():
    connector.add(1, 2)

@pytest.mark.timeout(1)
def test_ends():
    connector.add(1, 2)

def test_three(three):
    assert three == 3
"""
FAULTY = """
FAULTS = {
    "Sums": [
        Fault("the sum is a product", "a + b", "a * b", "tests/test_add.py::test_add"),
        Fault("no test looks", "a + b", "a * b", "tests/test_add.py::test_nothing"),
    ],
    "Others": [
        Fault("a loop", "return a + b", "while a: pass", "tests/test_add.py::test_ends"),
        Fault("not there", "return a - b", "pass", "tests/test_add.py::test_add"),
        Fault("there twice", "b", "c", "tests/test_add.py::test_add"),
        Fault("fails when loaded", "a + b", "a\\n1 / 0", "tests/test_add.py::test_add"),
        Fault("fails in a fixture", "a + b", "a / 0", "tests/test_add.py::test_three"),
        Fault("knows no such name", "a + b", "a + c", "tests/test_add.py::test_add"),
    ],
}
"""


@pytest.fixture
def sums(tmp_path):
    """A project of one function, with a fault for each thing that the script can say."""
    for name in ("pyproject.toml", "tests/tools/run_faults.py", "tests/helpers/fivetran_api.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "tests/helpers/quiet_home.py", tmp_path / "tests/helpers")
    definition = (PROJECT / "tests/faults.py").read_text(encoding="utf-8").split("FAULTS = ")[0]
    (tmp_path / "tests/faults.py").write_text(definition + FAULTY)
    (tmp_path / "tests/test_add.py").write_text(TESTS)
    (tmp_path / "connector.py").write_text(SUM)
    return tmp_path


def run(project, *names) -> subprocess.CompletedProcess:
    script = project / "tests" / "tools" / "run_faults.py"
    return subprocess.run(
        [sys.executable, script, *names], capture_output=True, encoding="utf-8", timeout=100
    )


def test_what_came_of_each_fault_is_reported(sums):
    done = run(sums)
    told = re.findall(r"^  (\S.*?) +\d+\.\d s  (.+)$", done.stdout, re.MULTILINE)
    assert told == [
        ("caught", "the sum is a product"),
        ("NOT CAUGHT", "no test looks"),
        ("caught (time-out)", "a loop"),
        ("text not found", "not there"),
        ("text not found", "there twice"),
        ("broken", "fails when loaded"),
        ("broken", "fails in a fixture"),
        ("broken", "knows no such name"),
    ]
    assert done.stdout.endswith(
        "\n1 caught, 1 NOT CAUGHT, 1 caught (time-out), 2 text not found, 3 broken\n"
    )
    assert "E   ZeroDivisionError" in done.stdout  # why it is broken
    assert "Undefined name `c`" in done.stdout
    assert "- return a - b" in done.stdout and "+ return a + b" in done.stdout  # the nearest line
    assert done.returncode == 1


def test_no_fault_is_tried_where_a_test_fails_without_one(sums):
    """Of the two that a part of their name or section chooses."""
    (sums / "connector.py").write_text(SUM.replace("a + b", "a + b + 1"))
    done = run(sums, "product", "twice")
    assert done.returncode == 1 and "tests/test_add.py::test_add" in done.stdout
    assert done.stdout.endswith("No fault was tried: its test must pass without it.\n")
    assert "1 failed" in done.stdout and "passed" not in done.stdout
