"""The SQL of docs/modelling.md as a reader copies it, the results that the page shows beside it,
and a sync that marks who left."""

import json
import re
from pathlib import Path

import duckdb

from fake_awardco import FakeAwardco
from harness import Project

DOCS = Path(__file__).parents[2] / "docs"
DBT = DOCS / "dbt"
PAGE = (DOCS / "modelling.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(?:sql|yaml)\n(?:--|#) (\S+)\n(.*?)```", re.DOTALL)
RESULT = re.compile(
    r"```sql\n-- (\S+)\n(?:(?!```).)*```\n\n(?:[^`#|]+:\n\n)?((?:\|[^\n]*\n)+)", re.DOTALL
)


def blocks(page: str) -> dict:
    """The SQL and YAML of a page, by the file name in the first line of each block."""
    found = dict(BLOCK.findall(page))
    assert len(found) == len(re.findall("```(?:sql|yaml)", page)), "a block without its name"
    return found


CODE = blocks(PAGE) | blocks((DOCS / "operations.md").read_text(encoding="utf-8"))
RESULTS = {name: table.splitlines() for name, table in RESULT.findall(PAGE)}


class Warehouse:
    """The DuckDB file that a project's syncs wrote, and the SQL of both pages for it."""

    def __init__(self, project: Project):
        self.path = project.folder / "files" / "warehouse.db"

    def run(self, sql: str) -> list:
        return self._ask(sql)[1]

    def rows(self, name: str) -> list:
        return self.run(self.sql(name))

    def table(self, name: str) -> list:
        """The result of a block as the page shows it: a table in Markdown."""
        names, rows = self._ask(self.sql(name))
        lines = [names, ["---"] * len(names), *(map(_written, row) for row in rows)]
        return [f"| {' | '.join(line)} |" for line in lines]

    def sql(self, name: str) -> str:
        sql = re.sub(r"\bawardco\.user\b", "tester.user", CODE[name])
        return sql.replace("'awardco' in (table_catalog", "'tester' in (table_catalog")

    def _ask(self, sql: str) -> tuple:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            result = connection.execute(sql)
            return [column for column, *_ in result.description or []], result.fetchall()


def _written(value) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def read_everybody(project: Project, users: list):
    """A full read that is due, and marks who is not among these users."""
    state = {name: value for name, value in project.state().items() if name != "source"}
    state["last_full_sync"] = "2020-01-01T00:00:00+00:00"
    with FakeAwardco(users) as api:
        outcome = project.sync(api, state=state, full_sync_days="7")
    assert not outcome.failed and "Nobody was marked" not in outcome.log
