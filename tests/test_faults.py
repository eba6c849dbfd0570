"""The list of faults is kept up to date, and `make test-faults` tells what its tests notice."""

import ast
import re
import shutil
import subprocess
import sys

import pytest

from fault import Fault, MisfitError
from faults import FAULTS
from fivetran_api import PROJECT

CONNECTOR = (PROJECT / "connector.py").read_text(encoding="utf-8")
ALL = [fault for section in FAULTS.values() for fault in section]


def misfit(fault: Fault, source: str) -> str:
    """Why a fault cannot be put into a connector; else `""`."""
    try:
        fault.put_into(source)
    except MisfitError as error:
        return str(error)
    return ""


def test_each_fault_fits_the_connector():
    if misfits := list(filter(None, (misfit(fault, CONNECTOR) for fault in ALL))):
        pytest.fail("\n".join(misfits), pytrace=False)


def test_each_fault_is_there_once_and_has_a_name_of_its_own():
    for told in ([fault.name for fault in ALL], [fault.change for fault in ALL]):
        assert [one for one in told if told.count(one) > 1] == []


def test_each_fault_names_a_test_that_exists():
    assert [fault.test for fault in ALL if not exists(fault.test_id)] == []


def exists(test: str) -> bool:
    file, name = re.fullmatch(r"(tests/test_\w+\.py)::(test_\w+)(?:\[.+\])?", test).groups()
    text = (PROJECT / file).read_text(encoding="utf-8")
    return re.search(rf"^def {name}\(", text, re.MULTILINE) is not None


# --- A fault -------------------------------------------------------------------------------------

SOURCE = """
LIMIT = 5  # pages

def read(pages):
    '''Read up to a limit.'''
    if not pages:
        return []
    elif len(pages) > LIMIT:  # too many
        log.info(f"{len(pages)} pages, 'few' are read")
    return [
        page.strip()
        for page in pages  # in order
    ]
"""
CHANGES = {
    "LIMIT: 5 => 6": ("5  # pages", "6"),
    "read: len(pages)>LIMIT => False": ("len(pages) > LIMIT:  # too many", "False:"),
    "read: [page . strip() for page in (pages)] => pages": (
        SOURCE[SOURCE.rindex("[") :],
        "pages\n",
    ),
    "read: return [] => pages = []; LIMIT": ("return []", "pages = []\n        LIMIT"),
    "read: ' pages, \\'few\\'' => ' pages, \\'all\\''": ("few", "all"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fault_is_put_in_its_place_whatever_the_layout(change):
    expected = SOURCE.replace(*CHANGES[change])
    assert expected != SOURCE
    faulty = Fault("A fault", change, "sums::add").put_into(SOURCE)
    assert ast.dump(ast.parse(faulty)) == ast.dump(ast.parse(expected))


MISFITS = {
    "read: return pages => pass": "it is not in read, and line 10, in read, is nearest:\n",
    "count: len(every) => 0": "there is no count, and line 8, in read, is nearest:\n  + if len(",
    "read: pages => []": "it stands in read 4 times",
    "read: return [] => return  []": "it changes nothing",
    "read: return [ => pass": "'[' was never closed: return [",
    "return [] => pass": "write it as `place: find => replace`",
}


@pytest.mark.parametrize("change", MISFITS)
def test_a_fault_that_does_not_fit_is_told_with_the_nearest_statement(change):
    told = misfit(Fault("A fault", change, "sums::add"), SOURCE)
    assert told.startswith(f"A fault: {MISFITS[change]}")


# --- The script ----------------------------------------------------------------------------------

SUM = """
START = 0

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
from fault import Fault

FAULTS = {
    "Sums": [
        Fault("the sum is a product", "add: a + b => a * b", "add::add"),
        Fault("no test looks", "add: a + b => a * b", "add::nothing"),
    ],
    "Others": [
        Fault("a loop", "add: return a + b => while a: pass", "add::ends"),
        Fault("not there", "add: a - b => a", "add::add"),
        Fault("fails when loaded", "START: 0 => 1 / 0", "add::add"),
        Fault("fails in a fixture", "add: a + b => a / 0", "add::three"),
        Fault("knows no such name", "add: a + b => a + c", "add::add"),
    ],
}
"""


@pytest.fixture
def sums(tmp_path):
    """A project of one function, with a fault for each thing that the script can say."""
    helpers = [f"tests/helpers/{name}.py" for name in ("fault", "fivetran_api", "quiet_home")]
    for name in (".gitignore", "pyproject.toml", "tests/tools/run_faults.py", *helpers):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    (tmp_path / "tests/faults.py").write_text(FAULTY)
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
        ("misfit", "not there"),
        ("broken", "fails when loaded"),
        ("broken", "fails in a fixture"),
        ("broken", "knows no such name"),
    ]
    assert done.stdout.endswith(
        "\n1 caught, 1 NOT CAUGHT, 1 caught (time-out), 1 misfit, 3 broken\n"
    )
    assert "E   ZeroDivisionError" in done.stdout  # why it is broken
    assert "Undefined name `c`" in done.stdout
    assert "+ return a + b" in done.stdout and "- a - b" in done.stdout  # what is nearest
    assert done.returncode == 1


def test_no_fault_is_tried_where_a_test_fails_without_one(sums):
    """Of the two that a part of their name or section chooses."""
    (sums / "connector.py").write_text(SUM.replace("a + b", "a + b + 1"))
    done = run(sums, "product", "loaded")
    assert done.returncode == 1 and "tests/test_add.py::test_add" in done.stdout
    assert done.stdout.endswith("No fault was tried: its test must pass without it.\n")
    assert "1 failed" in done.stdout and "passed" not in done.stdout
