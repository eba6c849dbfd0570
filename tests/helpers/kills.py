"""Syncs that are killed just before one of their operations, each in a process of its own.

Run as a script, this file imports the connector once and forks for each sync: to start Python
takes longer than to sync.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from fake_awardco import KEY


class Kills:
    """From entry to exit, the process that forks."""

    def __enter__(self):
        command = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def sync(self, project, api, point: str, **configuration):
        """Run a sync from the state of `project`, and kill it at a point: `upsert 3` is just
        before the third upsert."""
        configuration = {"api_key": KEY, "base_url": api.url, **configuration}
        order = [str(project.folder), configuration, project.state(), point]
        self.process.stdin.write(f"{json.dumps(order)}\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        output = (project.folder / "killed.log").read_text("utf-8")
        assert status == -signal.SIGKILL, f"{point}: {output}"


def fork_for_each_line():
    import duckdb  # noqa: F401  # imported here, it is in every child

    import connector  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            sync_until_killed(*json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def sync_until_killed(folder: str, configuration: dict, state: dict, point: str):
    from fivetran_connector_sdk_core import runner

    import connector

    log = os.open(Path(folder) / "killed.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    places = {
        "request": (connector, "send_request"),
        "upsert": (connector.op, "upsert"),
        "truncate": (connector.op, "truncate"),
        "flush": (runner._Sync, "flush"),  # in each checkpoint, and once at the end of a sync
        "state": (runner, "_write_atomically"),  # in each checkpoint, after the flush
    }
    what, number = point.split()
    kill_before(*places[what], int(number))
    try:
        connector.connector.debug(folder, configuration, state)
    finally:
        os._exit(0)


def kill_before(owner, name: str, number: int):
    function, calls = getattr(owner, name), 0

    def counted(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    setattr(owner, name, counted)


if __name__ == "__main__":
    fork_for_each_line()
