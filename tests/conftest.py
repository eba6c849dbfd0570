"""Fixtures: a quiet home, a project folder, the fake API, and a clock that does not wait."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from quiet_home import make_quiet_home

TESTS = Path(__file__).parent

# These start shell scripts, make, a terminal, the command line with a script as a stand-in, or end
# processes by a signal.
if sys.platform == "win32":
    names = ("commands", "deploy", "faults", "package", "setup_form", "workflows")
    collect_ignore = [f"test_{name}.py" for name in names]

# The suite tries the same examples each time; the tests marked slow try new ones.
settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def quiet_home(tmp_path_factory):
    """The SDK runs pipreqs from PATH (see tools/bin) and keeps its settings in the home folder."""
    home = make_quiet_home(tmp_path_factory.mktemp("home"))
    os.environ["HOME"] = os.environ["USERPROFILE"] = str(home)
    path = [str(TESTS / "tools" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    os.environ["PATH"] = os.pathsep.join(path)
    return home


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time passes only by sleeping, and sleeping takes none: see harness.Clock."""
    import connector
    from harness import Clock

    clock = Clock()
    monkeypatch.setattr(connector, "time", clock)
    monkeypatch.setenv("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    return clock


@pytest.fixture(autouse=True)
def declared():
    """Each test begins with the declared columns, as a sync does, and with those of no other test:
    the SDK keeps them for as long as the process lives."""
    from fivetran_connector_sdk_cli import schema_processing

    import connector

    schema_processing.reset()
    schema_processing.process_tables(connector.schema({}), {})


@pytest.fixture
def project(tmp_path, capsys):
    from harness import Project

    return Project(tmp_path, capsys)


@pytest.fixture
def in_memory(monkeypatch):
    """For hundreds of syncs: a project without DuckDB."""
    from harness import InMemory

    return InMemory(monkeypatch)


@pytest.fixture
def api():
    from fake_awardco import FakeAwardco

    with FakeAwardco() as api:
        yield api


@pytest.fixture(scope="session")
def kills():
    from kills import Kills

    if not hasattr(os, "fork"):
        pytest.skip("needs fork(), which Windows lacks")
    with Kills() as kills:
        yield kills
