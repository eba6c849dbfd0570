"""Show the rows that `fivetran debug` landed in files/warehouse.db, and the counts."""

from pathlib import Path

import duckdb

WAREHOUSE = Path(__file__).parents[2] / "files" / "warehouse.db"


def main():
    with duckdb.connect(str(WAREHOUSE), read_only=True) as connection:
        connection.sql("SET TimeZone = 'UTC'")
        connection.sql(
            "SELECT employee_id, first_name, last_name, email, currency_code, balance, updated_at "
            "FROM tester.user ORDER BY updated_at DESC NULLS LAST, employee_id LIMIT 10"
        ).show(max_width=120)
        connection.sql(
            "SELECT count(*) AS users, count(updated_at) AS ever_updated, "
            "count(DISTINCT currency_code) AS currencies, max(updated_at) AS newest "
            "FROM tester.user"
        ).show(max_width=120)


if __name__ == "__main__":
    main()
