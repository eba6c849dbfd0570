"""The commands of the README on a clean copy of the project, as a user types them."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import pytest

from fivetran_api import (
    COPIES,
    PROJECT,
    VENV_BIN,
    Run,
    contents,
    copy_project,
    not_of_the_project,
)
from quiet_home import make_quiet_home

MOCK = "mock_data/configuration.json"
ALARMING = re.compile(r"\b(WARNING|ERROR|SEVERE|CRITICAL|Error|Traceback)\b")


def clean_copy(folder: Path) -> Path:
    return Path(shutil.copytree(PROJECT, folder / "awardco-users", ignore=not_of_the_project))


def run(project: Path, *command, **environment) -> Run:
    """Run a command in the quiet home of conftest.py, without what this run of the tests set."""
    own = ("COLUMNS", "FIVETRAN_", "GIT_", "MAKE", "MFLAGS", "PYENV_", "PYTEST_", "PYTHON", "VENV")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=project,
        env={**variables, "PYTHONUTF8": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    return Run(done.returncode, done.stdout)


# --- Mock mode, as make runs it ------------------------------------------------------------------


class MockMode:
    """A copy of the project that holds real people, in which make ran mock mode twice, with a new
    virtual environment that borrows the packages of this one."""

    def __init__(self, folder: Path):
        self.project = clean_copy(folder)
        write_script(self.project / "tests" / "tools" / "set_up.sh", "")
        for name, text in {"warehouse.db": "real people", "state.json": "their state"}.items():
            (self.project / "files").mkdir(exist_ok=True)
            (self.project / "files" / name).write_text(text)
        self.before = contents(self.project)
        venv = self.project / ".venv"
        run(folder, sys.executable, "-m", "venv", "--without-pip", venv)
        self.warehouse = venv / "mock" / "files" / "warehouse.db"
        self.leavers = self.make("leavers")  # which runs a first sync before, where there was none
        self.run = self.make("run")
        self.output = self.leavers.output + self.run.output

    def make(self, target: str) -> Run:
        packages = Path(distribution("fivetran-connector-sdk").locate_file("."))
        ended = run(self.project, "make", target, PYTHONPATH=str(packages))
        assert ended.status == 0, ended.output
        return ended


@pytest.fixture(scope="module")
def mock_mode(tmp_path_factory):
    return MockMode(tmp_path_factory.mktemp("mock"))


def test_the_first_run_lands_250_users_and_the_next_is_incremental(mock_mode):
    assert mock_mode.output.count("Mock mode: these users are made up") == 3
    assert "Synced 250 users" in mock_mode.leavers.output
    assert "Incremental sync: users changed since 2025-" in mock_mode.run.output
    assert "Synced 1 user from 1 page" in mock_mode.run.output


def test_make_leavers_shows_who_left_as_marked(mock_mode):
    shown = mock_mode.leavers.output
    assert "Marking who left: 250 users at the last complete read, 248 now" in shown
    assert re.search(r"│ +248 │ +2 │", shown)
    users = json.loads((PROJECT / "mock_data" / "users.json").read_text("utf-8"))
    for employee_id in users["leavers"]:
        assert f"│ {employee_id} " in shown.split("_fivetran_deleted")[1]


def test_made_up_users_stay_apart_from_real_ones(mock_mode):
    """And requirements.txt stays, which the command line deletes where it finds no package."""
    after = contents(mock_mode.project)
    assert {name: after.get(name) for name in mock_mode.before} == mock_mode.before
    assert {Path(name).parts[0] for name in set(after) - set(mock_mode.before)} == {".venv"}


def test_the_query_that_a_run_ends_with_works_as_it_is_shown(mock_mode):
    command = mock_mode.run.output.splitlines()[-1]
    packages = Path(distribution("fivetran-connector-sdk").locate_file("."))
    shown = run(mock_mode.project, "sh", "-c", command, PYTHONPATH=str(packages))
    assert shown.status == 0 and "│ Engineering │" in shown.output, shown.output


def test_mock_mode_prints_nothing_alarming(mock_mode):
    assert [line for line in mock_mode.output.splitlines() if ALARMING.search(line)] == []


def test_mock_mode_without_an_environment_says_what_to_do(tmp_path):
    """Else it would write below the Python of the machine."""
    base = Path(sys.base_prefix) / "bin" / "python3"
    ended = run(tmp_path, base, PROJECT / "tests" / "tools" / "run_mock.py")
    assert ended.output == "Activate the environment first, or type `make run`.\n"


@pytest.mark.parametrize("columns", [None, "80", "200"], ids=["pipe", "80", "200"])
def test_the_rows_that_landed_fit_the_terminal(mock_mode, columns):
    """In 80 columns, what is wider than that wraps into rubble."""
    width = {"COLUMNS": columns} if columns else {}
    tool = ("tests/tools/show_rows.py", "--database", mock_mode.warehouse)
    shown = run(mock_mode.project, sys.executable, *tool, **width)
    assert shown.status == 0, shown.output
    assert max(map(len, shown.output.splitlines())) <= int(columns or 80)
    assert "…" not in shown.output
    for name in ("employee_id", "last_name", "balance", "updated_at"):
        assert name in shown.output
    assert ("@example.com" in shown.output) == (columns == "200")


def test_where_no_real_users_have_arrived_those_of_mock_mode_are_shown_as_such(
    mock_mode, tmp_path
):
    packages = Path(distribution("fivetran-connector-sdk").locate_file("."))
    python = mock_mode.project / ".venv" / "bin" / "python"
    tool = clean_copy(tmp_path) / "tests" / "tools" / "show_rows.py"
    shown = run(tmp_path, python, tool, PYTHONPATH=str(packages))
    assert "these are the made-up users of make run" in shown.output
    assert re.search(r"│ +248 │ +2 │", shown.output)


def test_rows_before_the_first_run_are_asked_for_in_a_line(tmp_path):
    tool = ("tests/tools/show_rows.py", "--database", "files/warehouse.db")
    shown = run(clean_copy(tmp_path), sys.executable, *tool)
    assert shown.status == 1
    assert shown.output.endswith("warehouse.db is missing: run fivetran debug first.\n")
    assert len(shown.output.splitlines()) == 1


# --- Without the command line, and without a key -------------------------------------------------


def test_connector_py_runs_by_itself_in_mock_mode(tmp_path):
    project = clean_copy(tmp_path)
    shutil.copy(project / MOCK, project / "configuration.json")
    before = contents(project)
    ended = run(project, sys.executable, "connector.py")
    assert ended.status == 0, ended.output
    assert "Synced 250 users" in ended.output
    assert {name: contents(project).get(name) for name in before} == before


# --- fivetran debug, where the package index cannot be reached -----------------------------------


def without_network(folder: Path) -> dict:
    """The environment of an activated .venv with the real pipreqs, and no way off this machine."""
    nowhere = "http://127.0.0.1:9"
    return {
        "HOME": str(make_quiet_home(folder)),
        "PATH": os.pathsep.join([str(VENV_BIN), os.defpath]),
        "PYTHONPATH": str(folder),
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
    }


def test_fivetran_debug_does_not_look_for_requests_online(tmp_path):
    """Plain, as typed in an environment of `make`: without its line in requests' list of names,
    it waits for 13 seconds and prints a traceback."""
    installed = Path(distribution("requests").locate_file("."))
    (found,) = installed.glob("requests-*.dist-info")
    copy = Path(shutil.copytree(found, tmp_path / found.name))
    (copy / "top_level.txt").write_text("requests\n")  # as pip left it
    environment = without_network(tmp_path)
    for _ in "12":  # the second time it changes nothing
        run(
            tmp_path,
            sys.executable,
            PROJECT / "tests" / "tools" / "quiet_pipreqs.py",
            **environment,
        )
        assert (copy / "top_level.txt").read_text() == "requests\nRequests\n"
    project = clean_copy(tmp_path)
    found = run(project, "pipreqs", "--print", "--ignore", "tests", ".", **environment)
    assert found.status == 0 and "requests==" in found.output
    ended = run(project, "fivetran", "debug", "--configuration", MOCK, **environment)
    assert ended.status == 0 and "Synced 250 users" in ended.output
    assert [line for line in ended.output.splitlines() if ALARMING.search(line)] == []


def test_the_line_about_requests_is_still_needed():
    """Where pipreqs no longer calls it Requests, quiet_pipreqs.py can go."""
    mapping = Path(distribution("pipreqs-fivetran").locate_file("pipreqs")) / "mapping"
    assert "requests:Requests" in mapping.read_text().splitlines()


# --- make's virtual environment ------------------------------------------------------------------


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


SET_UP = ["Makefile", "tests/requirements.txt", "tests/tools/set_up.sh"]


@pytest.fixture
def folder(tmp_path):
    """A project folder that holds what sets it up."""
    folder = tmp_path / "a project"
    for name in SET_UP:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    return folder


def pretend_python(path: Path, pretence: str) -> Path:
    """A Python that runs code given with -c after a pretence, and nothing else."""
    return write_script(
        path,
        f"""[ "$1" = -c ] && exec "{sys.executable}" -c '{pretence}; exec(sys.argv[2])' "$@"\n"""
        f'echo ran > "{path.parent}/ran"',
    )


OLD = 'import sys; sys.version_info = (3, 10, 13, "final", 0)'
NO_VENV = 'import sys; sys.modules["venv"] = None'
NO_ENSUREPIP = 'import sys; sys.modules["ensurepip"] = None'  # as on Debian, without python3-venv


def refusal(folder: Path, command: str, *arguments) -> str:
    """The one line in which make says why it does nothing."""
    ended = run(folder, "make", command, *arguments)
    assert ended.status != 0
    (line,) = [line for line in ended.output.splitlines() if not line.startswith("make:")]
    return line


@pytest.mark.parametrize("command", ["run", "test"])
@pytest.mark.parametrize(
    "pretence, missing",
    [
        (None, "is missing: install Python 3.11 or newer"),
        (OLD, "is too old: install Python 3.11 or newer"),
        (NO_VENV, "has no venv: install it"),
        (NO_ENSUREPIP, "has no venv: install it"),
    ],
    ids=["no python3", "python3 too old", "python3 without venv", "python3 without ensurepip"],
)
def test_make_says_in_a_line_what_is_missing(folder, command, pretence, missing):
    python = folder / "python3"
    if pretence:
        pretend_python(python, pretence)
    assert refusal(folder, command, f"PYTHON={python}").startswith(f"{python} {missing}")
    assert not (folder / ".venv").exists() and not (folder / "ran").exists()


@pytest.mark.parametrize("others", ["thesis.tex", "pyvenv.cfg"])
def test_a_folder_that_make_did_not_make_is_not_cleared(folder, tmp_path, others):
    """Neither any folder nor the virtual environment of another project."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / others).touch()
    line = refusal(folder, "run", f"PYTHON={sys.executable}", f"VENV={mine}")
    assert line.startswith(f"{mine} was not made by make: remove it, or name another place")
    assert [path.name for path in mine.iterdir()] == [others]


class Maker:
    """make set-up, with Pythons that only note when they make a virtual environment."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.made = folder / "made"
        self.python = self.add_python("python3", "3.12.1")
        self.path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])

    def add_python(self, name: str, version: str, pip: str = "exit") -> Path:
        """Its virtual environments hold a Python that tells its version, and installs nothing."""
        return write_script(
            self.folder / "bin" / name,
            f"""case "$1 $2" in
            *base_prefix*) echo "{version}";;
            *flock*) exec "{sys.executable}" "$@";;
            "-V "*) echo "Python {version}";;
            "-m pip") {pip};;
            "-m venv")
                echo "$3 with {version}" >>"{self.made}"
                mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" && cp "$0" "$3/bin/python";;
            esac""",
        )

    def __call__(self, *arguments, **environment) -> list:
        """The virtual environments that it made."""
        self.made.write_text("")
        self.run(*arguments, **environment)
        return self.made.read_text().splitlines()

    def run(self, *arguments, **environment):
        ended = run(self.folder, "make", "set-up", *arguments, PATH=self.path, **environment)
        assert ended.status == 0, ended.output


@pytest.fixture
def make(folder):
    return Maker(folder)


def test_the_environment_is_made_once(make):
    assert make() == [".venv with 3.12.1"]
    assert make() == [] and make(f"PYTHON={make.python}") == []


def test_another_python_makes_the_environment_anew(make):
    """It was ignored once there was an environment."""
    other = make.add_python("python3.13", "3.13.0")
    assert make() == [".venv with 3.12.1"]
    assert make(f"PYTHON={other}") == [".venv with 3.13.0"]
    assert make() == [], "without a word about Python, any will do"


def test_other_requirements_make_the_environment_anew(make):
    make()
    with (make.folder / "tests" / "requirements.txt").open("a") as requirements:
        requirements.write("another==1.0\n")
    assert make() == [".venv with 3.12.1"] and make() == []


def test_an_environment_that_does_not_run_is_made_anew(make):
    make()
    (make.folder / ".venv" / "bin" / "python").unlink()
    assert make() == [".venv with 3.12.1"]


def test_a_set_up_that_was_cut_short_is_done_again(make):
    make.add_python("python3", "3.12.1", pip="kill $PPID")
    assert run(make.folder, "make", "set-up", PATH=make.path).status != 0
    make.add_python("python3", "3.12.1")
    assert make() == [".venv with 3.12.1"] and make() == []


def test_the_environment_of_another_project_is_left_alone(make, tmp_path):
    """Other projects, and people, keep theirs in the variable VENV."""
    others = tmp_path / "another project" / "venv"
    others.mkdir(parents=True)
    for name in ("pyvenv.cfg", "notes.md"):
        (others / name).touch()
    assert make(VENV=str(others)) == [".venv with 3.12.1"]
    assert sorted(path.name for path in others.iterdir()) == ["notes.md", "pyvenv.cfg"]


def test_two_set_ups_at_once_make_one_environment(make):
    """As `make run` and `make test` in two terminals: each removed the other's files."""
    make.add_python("python3", "3.12.1", pip="sleep 0.5")
    make.made.write_text("")
    with ThreadPoolExecutor() as terminals:
        for ended in [terminals.submit(make.run) for _ in "12"]:
            ended.result()
    assert make.made.read_text().splitlines() == [".venv with 3.12.1"]


def test_an_environment_that_was_moved_is_made_anew(make, tmp_path):
    """The commands in an environment name their Python by its path."""
    make()
    shutil.copytree(make.folder / ".venv", tmp_path / "moved")
    assert make(f"VENV={tmp_path / 'moved'}") == [f"{tmp_path / 'moved'} with 3.12.1"]


@pytest.mark.parametrize("place", ["elsewhere", "{}/else where"], ids=["relative", "absolute"])
def test_make_run_takes_an_environment_at_any_place(folder, tmp_path, place):
    venv = folder / place.format(tmp_path)
    write_script(venv / "bin" / "python", 'echo "$0 runs $1"')
    write_script(folder / "tests" / "tools" / "set_up.sh", "")
    ended = run(folder, "make", "run", f"VENV={place.format(tmp_path)}")
    python = f"{place.format(tmp_path)}/bin/python"
    assert ended.output == f"{python} runs tests/tools/run_mock.py\n"


# --- git -----------------------------------------------------------------------------------------

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is missing")


def git(folder: Path, *arguments) -> str:
    """Run git as somebody who has set a name and nothing else."""
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    ended = run(folder, "git", *identity, *arguments)
    assert ended.status == 0, ended.output
    return ended.output


def repository(project: Path) -> Path:
    """Make a repository of a project, with what this one has in git."""
    git(project, "init", "--quiet")
    git(project, "add", "--force", ".")
    git(project, "commit", "--quiet", "--message", "first")
    return project


@needs_git
def test_a_clone_by_git_for_windows_has_scripts_that_run_in_wsl(tmp_path):
    """It writes CRLF, with which `make` ends in "set_up.sh: not found"."""
    upstream = repository(clean_copy(tmp_path))
    git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=true", upstream, "clone")
    clone = tmp_path / "clone"
    assert "w/crlf" not in git(clone, "ls-files", "--eol")
    assert refusal(clone, "run", "PYTHON=nowhere").startswith("nowhere is missing")


@needs_git
def test_git_adds_no_file_that_holds_a_key_or_people(tmp_path):
    """Nor the copies that editors leave of such files."""
    project = copy_project(tmp_path)
    git(project, "init", "--quiet")
    git(project, "add", ".")
    added = set(git(project, "ls-files").splitlines())
    assert "connector.py" in added
    assert added & {*COPIES, "configuration.local.json", ".env"} == set()
    assert [name for name in added if name.startswith(("files/", "crash-reports/"))] == []


@pytest.fixture
def clone(tmp_path):
    """A clone with settings of its own, of a repository whose template has changed since."""
    upstream = repository(clean_copy(tmp_path))
    git(tmp_path, "clone", "--quiet", upstream, "clone")
    clone = tmp_path / "clone"
    readme = (clone / "README.md").read_text(encoding="utf-8")
    (step,) = re.findall(r"^git (update-index \S+ \S+)", readme, re.MULTILINE)
    git(clone, *step.split())
    (clone / "configuration.json").write_text('{"api_key": "mine"}')
    template = upstream / "configuration.json"
    template.write_text(template.read_text().replace("{", '{\n    "new": "<NEW_SETTING>",', 1))
    git(upstream, "commit", "--quiet", "--all", "--message", "second")
    return clone


@needs_git
def test_the_commands_of_an_upgrade_bring_a_new_template_and_keep_the_settings(clone):
    """`git pull` alone refuses to, and `git status` does not show why."""
    assert "configuration.json" in run(clone, "git", "pull").output
    assert git(clone, "status", "--porcelain") == ""
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"\n## Upgrade\n[^#]*?```console\n(.*?)```", page, re.DOTALL)
    ended = run(clone, "sh", "-e", "-c", commands)
    assert ended.status == 0, ended.output
    assert (clone / "configuration.json").read_text() == '{"api_key": "mine"}'
    assert "<NEW_SETTING>" in git(clone, "show", "HEAD:configuration.json")
    git(clone, "add", "--all")
    assert git(clone, "status", "--porcelain") == "", "the settings stay out of commits"


# --- make test-all -------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path):
    """A machine with Python 3.11 and 3.12, and a stub for make."""
    (tmp_path / "project" / "tests" / "tools").mkdir(parents=True)
    shutil.copy(
        PROJECT / "tests" / "tools" / "test_all.sh", tmp_path / "project" / "tests" / "tools"
    )
    found = tmp_path / "bin"
    found.mkdir()
    for tool in ("bash", "dirname", "grep"):
        (found / tool).symlink_to(shutil.which(tool))
    write_script(found / "python3.11", "echo '3.11.7 (main)'")
    write_script(found / "python3.12", "echo '3.12.1 (main)'")
    write_script(
        found / "make", f'echo "$@" >> "{tmp_path}/asked"\ncase "$*" in $FAILING) exit 2; esac'
    )
    return tmp_path


def run_all(machine: Path, **environment) -> Run:
    script = machine / "project" / "tests" / "tools" / "test_all.sh"
    path = str(machine / "bin")
    return run(machine, script, PATH=path, HOME=str(machine), **environment)


def test_make_test_all_tells_what_it_skipped(machine):
    ended = run_all(machine)
    assert ended.status == 0
    assert ended.output.splitlines()[-5:] == [
        "Python 3.11 passed",
        "Python 3.12 passed",
        "Python 3.13 skipped: not on this machine",
        "Python 3.14 skipped: not on this machine",
        "test-faults with Python 3.12 passed",
    ]


def test_make_test_all_gives_each_python_a_venv_of_its_own_and_the_newest_the_faults(machine):
    run_all(machine)
    newest = f"PYTHON={machine}/bin/python3.12 VENV=.venv-3.12"
    tests = "--no-print-directory test test-iceberg test-dbt test-postgres"
    assert (machine / "asked").read_text().splitlines() == [
        f"{tests} PYTHON={machine}/bin/python3.11 VENV=.venv-3.11",
        f"{tests} {newest}",
        f"--no-print-directory test-faults {newest}",
    ]


@pytest.mark.parametrize(
    "failing, name", [("*3.11*", "Python 3.11"), ("*-faults*", "test-faults with Python 3.12")]
)
def test_make_test_all_fails_where_a_part_fails_and_runs_the_others(machine, failing, name):
    ended = run_all(machine, FAILING=failing)
    assert ended.status == 1
    assert f"{name} FAILED\n" in ended.output and "\nPython 3.12 passed\n" in ended.output


def test_make_test_all_fails_where_it_tested_nothing(machine):
    for version in ("3.11", "3.12"):
        (machine / "bin" / f"python{version}").unlink()
    assert run_all(machine).status == 1
