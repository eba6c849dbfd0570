"""dbt itself, to run the project of docs/dbt over a DuckDB file.

It runs with packages of its own, DuckDB among them, and none of the environment's. What it writes
goes to a folder elsewhere, and so does its profile. It may send nothing: usage statistics are
switched off, and anything else would meet a proxy that counts.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from modelling_page import DBT

REQUIREMENTS = Path(__file__).parents[1] / "requirements-dbt.txt"
PROFILES = """
awardco:
  target: dev
  outputs:
    dev: {{type: duckdb, path: {path}, schema: analytics, threads: 1}}
"""


class DbtProject:
    """From entry to exit, a project that can be run; then nothing may have been sent."""

    def __init__(self, folder: Path, packages: Path, warehouse: Path, **variables):
        self.folder, self.packages = folder, packages
        variables = json.dumps({"awardco_schema": "tester", **variables})
        self.options = ["--project-dir", DBT, "--profiles-dir", folder, "--vars", variables]
        self.options += ["--target-path", folder / "target"]
        folder.mkdir()
        profiles = PROFILES.format(path=json.dumps(str(warehouse)))
        (folder / "profiles.yml").write_text(profiles)

    def __enter__(self):
        self.proxy = socket.create_server(("127.0.0.1", 0))
        self.proxy.setblocking(False)
        return self

    def __exit__(self, kind, *_):
        with self.proxy:
            assert kind or not self._has_sent(), "dbt wanted to reach another machine"

    def _has_sent(self) -> bool:
        try:
            self.proxy.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def run(self, *command: str) -> list:
        """Run a command of dbt, which may warn of nothing.

        Returns:
            The models, snapshots and tests that did not go well.
        """
        proxy = f"http://127.0.0.1:{self.proxy.getsockname()[1]}"
        # -S: without the packages of the environment that runs the tests
        dbt = [sys.executable, "-S", self.packages / "bin" / "dbt", "--no-use-colors"]
        results = self.folder / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            [*dbt, "--log-path", self.folder / "logs", "--warn-error", *command, *self.options],
            cwd=self.folder,
            env={
                "HOME": str(self.folder),
                "TMPDIR": str(self.folder),
                "PATH": os.defpath,
                "PYTHONPATH": str(self.packages),
                "PYTHONUTF8": "1",
                "DO_NOT_TRACK": "1",
                "HTTP_PROXY": proxy,
                "HTTPS_PROXY": proxy,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
        )
        if not results.exists():
            assert done.returncode == 0, done.stdout
            return []
        found = json.loads(results.read_text())["results"]
        failed = [each["unique_id"] for each in found if each["status"] not in ("pass", "success")]
        assert found and bool(failed) == bool(done.returncode), done.stdout
        return [name.split(".")[2] for name in failed]
