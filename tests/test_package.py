"""What `fivetran package` puts into the file to upload, and what it says about imports."""

import re
from zipfile import ZipFile

import pathspec
import pytest

from fivetran_api import (
    AWARDCO_KEY,
    DEPLOY_KEY,
    PROJECT,
    VENV_BIN,
    Run,
    contents,
    copy_project,
    ignored_kinds,
    run_fivetran,
)

# Everything that .gitignore does not name is uploaded: a new file belongs here or there.
MAY_BE_UPLOADED = {
    ".gitignore",  # always is
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "connector.py",
    *(
        f"docs/{page}.md"
        for page in ("errors", "how-it-syncs", "iceberg", "modelling", "operations")
    ),
    "docs/dbt/dbt_project.yml",
    "docs/dbt/macros/optional_columns.sql",
    "docs/dbt/models/intermediate/_intermediate.yml",
    "docs/dbt/models/intermediate/int_users_joined_and_left.sql",
    "docs/dbt/models/marts/_marts.yml",
    "docs/dbt/models/marts/active_users.sql",
    "docs/dbt/models/marts/fct_monthly_headcount.sql",
    "docs/dbt/models/staging/_staging.yml",
    "docs/dbt/models/staging/stg_awardco__users.sql",
    "docs/dbt/snapshots/_snapshots.yml",
    *(
        f"docs/dbt/tests/{test}.sql"
        for test in (
            "headcount_adds_up",
            "no_change_lies_in_the_future",
            "somebody_has_a_status",
        )
    ),
    "mock_data/users.json",
    "pyproject.toml",
    "requirements.txt",
}
FORM = "configuration_form.pb"


class Packaged:
    """A package, and the copy of the project it was made of."""

    def __init__(self, folder):
        self.project = copy_project(folder)
        self.scan_log = folder / "scan.log"
        self.before = contents(self.project)
        pipreqs = self._local_pipreqs(folder)
        self.run: Run = run_fivetran(self.project, "package", pipreqs=pipreqs)
        if self.run.status != 0:  # it asked: take the answer yes, to see what would be uploaded
            run_fivetran(self.project, "package", "--yes", pipreqs=pipreqs)
        self.files = self._read_package()

    def _local_pipreqs(self, folder):
        """The real pipreqs, run as the command line runs it, but without its look-ups online."""
        pipreqs = folder / "bin" / "pipreqs"
        pipreqs.parent.mkdir()
        pipreqs.write_text(
            f'#!/bin/sh\nexec "{VENV_BIN}/pipreqs" --use-local --debug "$@" 2>"{self.scan_log}"\n'
        )
        pipreqs.chmod(0o755)
        return pipreqs.parent

    def _read_package(self) -> dict:
        with ZipFile(self.project / "files" / f"{self.project.name}.zip") as package:
            return {name: package.read(name) for name in package.namelist()}


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    return Packaged(tmp_path_factory.mktemp("package"))


def test_packaging_needs_no_answer_from_a_person(packaged):
    assert packaged.run.status == 0, packaged.run.output
    assert "package created at" in packaged.run.output
    assert "(Y/n)" not in packaged.run.output


def test_the_package_holds_the_connector_and_nothing_unexpected(packaged):
    """No tests, no rows of people and no crash report."""
    assert set(packaged.files) == {FORM} | (MAY_BE_UPLOADED & set(packaged.before))
    assert packaged.files["connector.py"] == packaged.before["connector.py"]


@pytest.mark.parametrize("secret", [AWARDCO_KEY, DEPLOY_KEY], ids=["Awardco key", "deploy key"])
def test_no_key_is_uploaded_wherever_people_keep_it(packaged, secret):
    """In configuration.json too, where `fivetran configuration` writes it."""
    assert [name for name, data in packaged.before.items() if secret.encode() in data]
    assert [name for name, data in packaged.files.items() if secret.encode() in data] == []
    assert secret not in packaged.run.output


def test_no_code_and_no_page_is_ignored_because_of_its_name():
    """A line may not begin with an exclamation mark either: it would upload configuration.json."""
    ignored = pathspec.PathSpec.from_lines("gitignore", ignored_kinds())
    tests = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("tests/**/*.py")}
    names = {"configuration.py", "docs/Configuration.md", ".github/workflows/deploy.yml"}
    assert "tests/test_configuration.py" in tests
    assert list(ignored.match_files(tests | names | MAY_BE_UPLOADED)) == []
    assert [line for line in ignored_kinds() if line.startswith("!")] == []


def test_the_package_holds_the_setup_form(packaged):
    fields, tests = read_form(packaged.files[FORM])
    assert fields == ["api_key", "base_url", "source", "updated_since_param", "full_sync_days"]
    assert tests == ["connection_test", "users_test", "filter_test"]


def test_connector_py_imports_only_what_fivetran_preinstalls(packaged):
    """Any other import, one in tests/ too, is reported as missing, and a deploy stops to ask."""
    found = re.search("Found imports: (.*)", packaged.scan_log.read_text()).group(1)
    assert set(found.split(", ")) == {"fivetran_connector_sdk", "Requests"}
    assert "Include the following dependency libraries" not in packaged.run.output


def test_packaging_changes_no_file_of_the_project(packaged):
    """Without a pyproject.toml the command line deletes a requirements.txt that names nothing."""
    after = contents(packaged.project)
    assert set(after) - set(packaged.before) == {f"files/{packaged.project.name}.zip"}
    assert {name: after.get(name) for name in packaged.before} == packaged.before


def read_form(data: bytes) -> tuple:
    """The names of a serialised form's fields and of its tests."""
    entries = list(read_message(data))
    names = {kind: [] for kind in (3, 4)}
    for kind, entry in entries:
        names[kind].append(dict(read_message(entry))[1].decode())
    return names[3], names[4]


def read_message(data: bytes):
    """The fields of a protobuf message, as (number, value): text and messages are bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        value = varint()
        if kind == 2:  # so far the length of what follows
            at, value = at + value, data[at : at + value]
        yield number, value
