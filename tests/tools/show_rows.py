"""Show who arrived in the local DuckDB file, or the answer to a query; nothing is written.

A query finds the table as `awardco.user`, as docs/modelling.md calls it, and the view
`analytics.active_users` of that page.
"""

import argparse
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
WAREHOUSE = ROOT / "files" / "warehouse.db"
MOCK_WAREHOUSE = Path(sys.prefix) / "mock" / "files" / "warehouse.db"  # see run_mock.py
PAGE = ROOT / "docs" / "modelling.md"
TOTALS = """
    SELECT count(*) FILTER (NOT _fivetran_deleted) AS users,
        count(*) FILTER (_fivetran_deleted) AS marked_as_deleted,
        max(_fivetran_synced)::timestamp(0) AS last_write
    FROM awardco.user"""
MARKED = """
    SELECT employee_id, first_name, last_name, _fivetran_deleted,
        _fivetran_synced::date AS last_seen
    FROM awardco.user WHERE _fivetran_deleted ORDER BY 5 DESC, employee_id LIMIT 10"""


def main():
    options = read_arguments()
    database = options.database or WAREHOUSE
    if not options.database and not holds_users(WAREHOUSE) and MOCK_WAREHOUSE.exists():
        print("files/warehouse.db has no users yet, so these are the made-up users of make run:")
        database = MOCK_WAREHOUSE
    if not database.exists():
        sys.exit(f"{database} is missing: run fivetran debug first.")
    width = shutil.get_terminal_size().columns  # 80 where the output is no terminal
    with open_table(database) as connection:
        for query in [options.sql] if options.sql else choose_queries(connection, width):
            show(connection, query, width)


def holds_users(database: Path) -> bool:
    """A sync that fails before its first row leaves a file without the table."""
    if not database.exists():
        return False
    with duckdb.connect(str(database), read_only=True) as connection:
        return bool(connection.sql("FROM duckdb_tables() WHERE table_name = 'user'"))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sql", metavar='"SELECT ..."', help="a query on awardco.user")
    parser.add_argument("--database", metavar="PATH", type=Path)
    return parser.parse_args()


def open_table(database: Path) -> duckdb.DuckDBPyConnection:
    """Connect to the file, for reading only, and add the names of the page in memory."""
    connection = duckdb.connect()
    path, name = str(database).replace("'", "''"), f'"{database.stem}"'
    connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY); USE {name}")
    connection.execute("SET TimeZone = 'UTC'")
    if not connection.sql("FROM duckdb_tables() WHERE table_name = 'user'"):
        sys.exit("No users have arrived yet: the last fivetran debug failed, or there was none.")
    connection.execute("ATTACH ':memory:' AS awardco")
    connection.execute(f"CREATE VIEW awardco.user AS FROM {name}.tester.user")
    if not connection.sql("FROM duckdb_schemas() WHERE schema_name = 'analytics'"):
        add_active_users(connection)
    connection.execute("SET enable_external_access = false")  # COPY could write files
    return connection


def add_active_users(connection: duckdb.DuckDBPyConnection):
    """Create the view of the page, without the lines for columns that the table lacks."""
    connection.execute("ATTACH ':memory:' AS analytics")
    there = find_columns(connection)
    for view in re.findall(
        r"-- active_users\w*\.sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    ):
        for line in re.findall(".*-- leave out.*\n", view):
            if there.isdisjoint(re.findall(r"\w+", line)):
                view = view.replace(line, "")
        with suppress(duckdb.BinderException, duckdb.CatalogException):  # not that of this table
            connection.execute(view)


def find_columns(connection: duckdb.DuckDBPyConnection) -> set:
    return {name for name, *_ in connection.sql("DESCRIBE awardco.user").fetchall()}


def choose_queries(connection: duckdb.DuckDBPyConnection, width: int) -> list:
    """The newest users, the totals, and who is marked, if anybody is."""
    there = find_columns(connection)
    time = "updated_at" if "updated_at" in there else "created_at"
    columns = ["employee_id", "first_name", "last_name", "balance", time]
    columns[3:3] = ["email"] if width >= 110 else []
    columns[4:4] = ["currency_code"] if width >= 130 else []
    newest = (
        f"SELECT {', '.join(name for name in columns if name in there)} FROM awardco.user "
        f"WHERE NOT _fivetran_deleted ORDER BY {time} DESC NULLS LAST, employee_id LIMIT 10"
    )
    return [newest, TOTALS, MARKED] if connection.sql(MARKED).fetchone() else [newest, TOTALS]


def show(connection: duckdb.DuckDBPyConnection, query: str, width: int):
    try:
        rows = connection.sql(query)
        if rows is not None:
            rows.show(max_width=width, max_rows=100)
    except duckdb.Error as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
