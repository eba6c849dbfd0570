# make run            sync the made-up users of mock mode into DuckDB, and show them
# make leavers        the same with a full read, which marks the two who have left
# make test           formatter, linters, type checker and tests
# make test-all       the same, test-iceberg, test-dbt and test-postgres, with each supported Python on this machine; then test-faults
# make test-iceberg   fivetran run into a real Iceberg catalog from PyPI (Linux, about a minute)
# make test-dbt       the dbt project docs/dbt on the mock users, in dbt from PyPI (Linux, about two minutes)
# make test-postgres  syncs behind a real PostgreSQL from PyPI (Linux, about a minute)
# make test-faults    put each fault of tests/faults.py into a copy and check that its test fails (minutes)
# make bench          the benchmark, which says how long it takes
# make lock           renew tests/requirements-deploy.txt, which the deploy from GitHub installs
# They make .venv first, once. `make PYTHON=python3.12 run` chooses the Python, 3.11 or newer, and `make VENV=... run`
# another place.

VENV = .venv

.PHONY: run leavers test test-all test-iceberg test-dbt test-postgres test-faults bench lock set-up

# Both sync in $(VENV)/mock, and leave files/ to your own users.
run: set-up
	@"$(VENV)/bin/python" tests/tools/run_mock.py

leavers: set-up
	@"$(VENV)/bin/python" tests/tools/run_mock.py --leavers

test: set-up
	@"$(VENV)/bin/black" --quiet --check --diff .
	@"$(VENV)/bin/flake8"
	@"$(VENV)/bin/ruff" check --quiet .
	@"$(VENV)/bin/complexipy" --plain
	@"$(VENV)/bin/mypy"
	@"$(VENV)/bin/python" -m pytest -q -n 2

test-all:
	@tests/tools/test_all.sh

test-iceberg: set-up
	@"$(VENV)/bin/python" -m pytest -q -m slow tests/test_iceberg.py

test-dbt: set-up
	@"$(VENV)/bin/python" -m pytest -q -m slow tests/test_dbt.py

test-postgres: set-up
	@"$(VENV)/bin/python" -m pytest -q -m slow tests/test_postgres.py

test-faults: set-up
	@"$(VENV)/bin/python" tests/tools/run_faults.py

bench: set-up
	@"$(VENV)/bin/python" tests/tools/benchmark.py

# The SDK, in the version of tests/requirements.txt, and what it needs, in the newest versions. All are wheels, so
# installing them runs no code of theirs. pipreqs has none, and would bring 45 packages more: the workflow does
# without it.
lock: set-up
	@"$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check --no-user --upgrade --target "$(VENV)/uv" uv==0.13.8
	@echo pipreqs-fivetran >"$(VENV)/uv/left-out.txt"
	@grep '^fivetran-connector-sdk==' tests/requirements.txt \
	  | "$(VENV)/uv/bin/uv" pip compile - --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --only-binary :all: --emit-build-options --excludes "$(VENV)/uv/left-out.txt" \
	    --custom-compile-command "make lock" --output-file tests/requirements-deploy.txt

set-up:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tests/tools/set_up.sh
