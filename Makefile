# make run    mock mode into DuckDB, and the rows that landed
# make test   formatter, linter and tests
# Both make .venv first, with Python 3.10 or newer: choose one with PYTHON=...

PYTHON ?= python3
VENV ?= .venv
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# fivetran runs pipreqs, so both must be on PATH: see tests/tools/bin/pipreqs.
RUN_ENV = PATH="$(CURDIR)/tests/tools/bin:$(CURDIR)/$(VENV)/bin:$$PATH" HOME="$(CURDIR)/$(VENV)/home"

.PHONY: run test test-all bench

run: $(VENV)/installed
	@$(VENV)/bin/python tests/helpers/quiet_home.py "$(VENV)/home"
	@$(RUN_ENV) fivetran debug --configuration mock_data/configuration.json
	@$(VENV)/bin/python tests/tools/show_rows.py

test: $(VENV)/installed
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/python -m pytest -q -n 2

test-all:
	@tests/tools/test_all.sh

bench: $(VENV)/installed
	@$(VENV)/bin/python tests/tools/benchmark.py

$(VENV)/installed: tests/requirements.txt
	@command -v "$(PYTHON)" >/dev/null \
	  || { echo "$(PYTHON) is missing: install Python 3.10 or newer."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "$(PYTHON) is too old: install Python 3.10 or newer, or name one: make PYTHON=python3.12 ..."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv: install it (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "Setting up $(VENV), once: this takes about a minute."
	@"$(PYTHON)" -m venv --clear "$(VENV)"
	@"$(VENV)/bin/python" -m pip install -qq -r tests/requirements.txt
	@touch "$@"
