"""The workflows of GitHub: pinned, the same for a fork, and the deploy's steps run as they are."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fivetran_api import (
    AWARDCO_KEY,
    DEPLOY_KEY,
    GROUP,
    PROJECT,
    SETTINGS,
    VENV_BIN,
    FivetranApi,
    Run,
    copy_project,
)
from quiet_home import make_quiet_home

WORKFLOWS = {path.name: path for path in sorted((PROJECT / ".github" / "workflows").iterdir())}
EXPRESSION = re.compile(r"\${{ (secrets|vars)\.(\w+)(?: \|\| '([^']*)')? }}")
SECRETS = {"FIVETRAN_API_KEY": DEPLOY_KEY, "AWARDCO_API_KEY": AWARDCO_KEY}
VARIABLES = {
    "FIVETRAN_DESTINATION_NAME": GROUP["name"],
    "FIVETRAN_CONNECTION_NAME": "awardco",
    "AWARDCO_BASE_URL": SETTINGS["base_url"],
}
SET = {"source": "users", "updated_since_param": "changed_after", "full_sync_days": "7"}
OPTIONAL = {f"AWARDCO_{name.upper()}": value for name, value in SET.items()}


@pytest.fixture(params=WORKFLOWS)
def workflow(request):
    return WORKFLOWS[request.param].read_text(encoding="utf-8")


def test_every_action_is_pinned_to_a_commit_and_tells_its_version(workflow):
    """A tag can be moved to other code, and the deploy's job holds the keys."""
    actions = re.findall(r"uses: (?!\./)(.+)", workflow)
    assert actions or "uses: ./" in workflow
    for action in actions:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_a_fork_runs_the_same_workflow(workflow):
    assert not re.search(r"github\.(repository|actor|event\.repository)", workflow)


def test_the_tests_run_on_each_python_that_make_test_all_knows():
    script = (PROJECT / "tests" / "tools" / "test_all.sh").read_text()
    known = re.search(r"for version in ([\d. ]+);", script).group(1).split()
    matrix = re.search(r"python: (\[.+\])", WORKFLOWS["test.yml"].read_text()).group(1)
    assert json.loads(matrix) == known


def test_the_slow_tests_run_on_tags_and_by_hand_on_one_python():
    """A tag's workflow is deploy.yml, which runs this one before it deploys."""
    events, jobs = WORKFLOWS["test.yml"].read_text().split("\njobs:\n")
    each_push, slow = jobs.split("\n  slow:")
    assert re.findall("run: (.+)", each_push) == ["make test"]
    assert re.findall("run: (.+)", slow) == [
        "make test-iceberg",
        "make test-dbt",
        "make test-postgres",
        "make test-faults",
    ]
    assert "if: github.ref_type == 'tag' || github.event_name == 'workflow_dispatch'\n" in slow
    assert "  workflow_call:\n  workflow_dispatch:\n" in events and "matrix" not in slow
    deploy = WORKFLOWS["deploy.yml"].read_text()
    assert 'tags: ["v*"]' in deploy and "    needs: test\n" in deploy
    assert "uses: ./.github/workflows/test.yml" in deploy


def test_the_deploy_reads_the_secrets_and_variables_that_its_first_lines_name():
    comment, text = WORKFLOWS["deploy.yml"].read_text().split("\nname:")
    read = {
        kind: {name for k, name, _ in EXPRESSION.findall(text) if k == kind}
        for kind in ("secrets", "vars")
    }
    named = comment.split("variables  ")
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", named[0])) == read["secrets"] == set(SECRETS)
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", named[1])) == read["vars"]
    assert read["vars"] == {*VARIABLES, *OPTIONAL, "FIVETRAN_PYTHON_VERSION"}
    assert "\n    environment: fivetran" in text and '"fivetran"' in comment


def test_the_deploy_installs_its_lock_file_and_no_other_package():
    text = WORKFLOWS["deploy.yml"].read_text()
    install = "--no-deps --require-hashes --requirement tests/requirements-deploy.txt"
    assert re.findall("pip install --quiet (.+)", text) == [install]
    lock = (PROJECT / "tests" / "requirements-deploy.txt").read_text()
    assert "--only-binary :all:\n" in lock  # building one downloads more, without hashes
    pinned = (PROJECT / "tests" / "requirements.txt").read_text()
    (sdk,) = re.findall("^fivetran-connector-sdk==.+", pinned, re.MULTILINE)
    assert f"\n{sdk} \\\n    --hash=sha256:" in lock, "run `make lock`"


# --- The deploy, step by step --------------------------------------------------------------------


def steps(text: str) -> dict:
    """What the named steps of a workflow run, and their environment, by name."""
    found = {}
    for step in re.split(r"\n      - ", text)[1:]:
        if name := re.match("name: (.+)", step):
            script = re.search(r"\n        run: (?:\|\n)?((?:.+\n?)+)", step).group(1)
            found[name.group(1)] = re.sub("^ {10}", "", script, flags=re.M), variables(step)
    return found


def variables(text: str) -> dict:
    return dict(re.findall(r"^ +([A-Z_]+): (.+?)(?: +#.*)?$", text, re.MULTILINE))


class Runner:
    """A copy of the project in which the deploy's steps run as on GitHub."""

    def __init__(self, folder: Path, api: FivetranApi):
        self.project = copy_project(folder)
        (self.project / "configuration.local.json").unlink()
        home = make_quiet_home(folder / "home")
        settings = home / ".fivetran" / "connector_sdk" / "_config.json"
        settings.write_text(json.dumps({"production_base_url": api.url}))
        self.environment = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(self._installed(folder)), os.defpath]),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            "DO_NOT_TRACK": "1",
        }
        text = WORKFLOWS["deploy.yml"].read_text()
        job, _ = text[text.index("\n  deploy:") :].split("    steps:")
        self.environment.update(variables(job))
        self.steps = steps(text)

    def _installed(self, folder: Path) -> Path:
        """What there is after the lock file is installed: no pipreqs, for one."""
        for command in ("python", "fivetran"):
            script = folder / "bin" / command
            script.parent.mkdir(exist_ok=True)
            script.write_text(f'#!/bin/sh\nexec "{VENV_BIN}/{command}" "$@"\n')
            script.chmod(0o755)
        return folder / "bin"

    def deploy(self, **configured):
        for name in self.steps:
            ended = self.run(name, configured={**VARIABLES, **configured})
            assert ended.status == 0, ended.output
            assert AWARDCO_KEY not in ended.output and DEPLOY_KEY not in ended.output

    def run(self, name: str, secrets: dict = SECRETS, configured: dict = VARIABLES) -> Run:
        def value(found) -> str:
            kind, name, default = found.groups()
            return {"secrets": secrets, "vars": configured}[kind].get(name, default or "")

        script, environment = self.steps[name]
        own = {key: EXPRESSION.sub(value, text).strip('"') for key, text in environment.items()}
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.project,
            env={**self.environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
        )
        return Run(done.returncode, done.stdout)


@pytest.fixture
def fivetran():
    with FivetranApi() as api:
        yield api
    assert api.unknown == []


@pytest.fixture
def runner(tmp_path, fivetran):
    if not shutil.which("jq"):
        pytest.skip("jq is missing, which GitHub's machines have")
    return Runner(tmp_path, fivetran)


def test_the_steps_of_the_deploy_make_a_connection_and_leave_no_key(runner, fivetran):
    assert list(runner.steps)[-1] == "Remove the configuration"
    runner.deploy()
    (sent,) = fivetran.sent("POST", "/v1/connectors")
    assert fivetran.settings() == {**SETTINGS, **dict.fromkeys(SET, "")}
    assert sent.payload["config"]["python_version"] == "3.14"
    assert not (runner.project / "configuration.deploy.json").exists()


def test_a_variable_that_is_removed_makes_its_setting_blank(runner, fivetran):
    """Fivetran would keep a setting that the next deploy does not name."""
    runner.deploy(**OPTIONAL)
    assert fivetran.settings() == {**SETTINGS, **SET}
    runner.deploy(AWARDCO_SOURCE="users")
    blank = {"updated_since_param": "", "full_sync_days": ""}
    assert fivetran.settings() == {**SETTINGS, **SET, **blank}


def test_a_repository_without_its_secrets_ends_before_the_deploy(runner, fivetran):
    """As a fork is at first."""
    write, check, *_ = runner.steps
    assert runner.run(write, secrets={}).status == 0
    ended = runner.run(check)
    assert ended.status != 0
    assert "api_key is missing" in ended.output
    assert fivetran.sent("POST") == []
