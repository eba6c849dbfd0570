"""A dbt project of the page's blocks over a DuckDB file, and dbt itself to run it.

dbt runs with packages of its own, DuckDB among them, and none of the environment's. It may send
nothing: usage statistics are switched off, and anything else would meet a proxy that counts.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements-dbt.txt"
SCHEMA = "analytics"  # of the target
PROJECT = """
name: people
profile: people
flags:
  send_anonymous_usage_stats: false
"""
PROFILES = """
people:
  target: dev
  outputs:
    dev: {{type: duckdb, path: {path}, schema: {schema}, threads: 1}}
"""


class DbtProject:
    """From entry to exit, a folder in which dbt can be run; then nothing may have been sent."""

    def __init__(self, folder: Path, packages: Path, warehouse: Path, blocks: dict):
        self.folder, self.packages = folder, packages
        files = {name: code for name, code in blocks.items() if "/" in name}
        files["dbt_project.yml"] = PROJECT
        files["profiles.yml"] = PROFILES.format(path=json.dumps(str(warehouse)), schema=SCHEMA)
        for name, code in files.items():
            path = folder / "dbt" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(re.sub(r"\bschema: awardco\b", "schema: tester", code))

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

    def run(self, command: str) -> dict:
        """Run a command of dbt, which must go well and warn of nothing.

        Returns:
            What became of each model, snapshot and test, by its name.
        """
        proxy = f"http://127.0.0.1:{self.proxy.getsockname()[1]}"
        # -S: without the packages of the environment that runs the tests
        dbt = [sys.executable, "-S", self.packages / "bin" / "dbt", "--no-use-colors"]
        done = subprocess.run(
            [*dbt, "--warn-error", command],
            cwd=self.folder / "dbt",
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
        assert done.returncode == 0, done.stdout
        results = json.loads((self.folder / "dbt" / "target" / "run_results.json").read_text())
        return {each["unique_id"].split(".")[2]: each["status"] for each in results["results"]}
