"""Show the newest rows that `fivetran debug` landed in files/warehouse.db, and the counts."""

import shutil
import sys
from pathlib import Path

import duckdb

WAREHOUSE = Path(__file__).parents[2] / "files" / "warehouse.db"
COLUMNS = {  # by the width that they take
    130: "employee_id, first_name, last_name, email, currency_code, balance, updated_at",
    110: "employee_id, first_name, last_name, email, balance, updated_at",
    0: "employee_id, first_name, last_name, balance, updated_at",
}


def main():
    if not WAREHOUSE.exists():
        sys.exit(f"{WAREHOUSE} is missing: run fivetran debug first.")
    width = shutil.get_terminal_size().columns  # 80 where the output is no terminal
    columns = next(names for needed, names in COLUMNS.items() if width >= needed)
    with duckdb.connect(str(WAREHOUSE), read_only=True) as connection:
        connection.sql("SET TimeZone = 'UTC'")
        if not connection.sql("FROM duckdb_tables() WHERE table_name = 'user'"):
            sys.exit("No users have arrived yet: run fivetran debug first.")
        connection.sql(
            f"SELECT {columns} "
            "FROM tester.user ORDER BY updated_at DESC NULLS LAST, employee_id LIMIT 10"
        ).show(max_width=width)
        connection.sql(
            "SELECT count(*) AS users, count(updated_at) AS ever_updated, "
            "count(DISTINCT currency_code) AS currencies, max(updated_at) AS newest "
            "FROM tester.user"
        ).show(max_width=width)


if __name__ == "__main__":
    main()
