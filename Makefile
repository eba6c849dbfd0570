# make run            mock mode into DuckDB, and the rows that landed
# make test           formatter, linter and tests
# make test-all       the same, and test-iceberg, with each supported Python that this machine has
# make test-iceberg   fivetran run into a real Iceberg catalog from PyPI (Linux, about a minute)
# make bench          the benchmark, which says how long it takes
# They make .venv first, once. PYTHON=python3.12 chooses the Python, 3.10 or newer; VENV=... another place.

VENV ?= .venv

.PHONY: run test test-all test-iceberg bench set-up

# What `. .venv/bin/activate` and `fivetran debug` do, with a home folder in which fivetran looks for no news.
run: set-up
	@venv=$$(cd "$(VENV)" && pwd) && PATH="$$venv/bin:$$PATH" && HOME="$$venv/home" && export PATH HOME \
	  && python tests/helpers/quiet_home.py "$$HOME" \
	  && fivetran debug --configuration mock_data/configuration.json \
	  && python tests/tools/show_rows.py

test: set-up
	@"$(VENV)/bin/ruff" format --check .
	@"$(VENV)/bin/ruff" check .
	@"$(VENV)/bin/python" -m pytest -q -n 2

test-all:
	@tests/tools/test_all.sh

test-iceberg: set-up
	@"$(VENV)/bin/python" -m pytest -q -m slow tests/test_iceberg.py

bench: set-up
	@"$(VENV)/bin/python" tests/tools/benchmark.py

set-up:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tests/tools/set_up.sh
