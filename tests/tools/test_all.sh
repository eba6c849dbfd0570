#!/usr/bin/env bash
# Test with every supported Python that this machine has, each in a virtual environment of its own, and with
# the newest of them run the faults. At the end say what passed, failed or was skipped. Pythons are looked
# for on PATH and among pyenv's versions.
set -u
cd "$(dirname "$0")/../.." || exit 1

find_python() {
  local candidate
  for candidate in "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    # pyenv's own python3.X on PATH answers with an error where that version is not chosen.
    if "$candidate" -c 'import sys; print(sys.version)' 2>/dev/null | grep -q "^$1\."; then
      echo "$candidate"
      return
    fi
  done
}

# Arguments: what to call it, the version of $python, and what to make.
run() {
  local name=$1 version=$2
  shift 2
  echo "--- $name ($python)"
  if make --no-print-directory "$@" PYTHON="$python" VENV=".venv-$version"; then
    summary="$summary$name passed"$'\n'
  else
    summary="$summary$name FAILED"$'\n'
    status=1
  fi
}

status=0
summary=
newest=
for version in 3.11 3.12 3.13 3.14; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    summary="${summary}Python $version skipped: not on this machine"$'\n'
    continue
  fi
  run "Python $version" "$version" test test-iceberg test-dbt test-postgres
  newest=$version
done
if [ -n "$newest" ]; then
  python=$(find_python "$newest")
  run "test-faults with Python $newest" "$newest" test-faults
else
  status=1 # nothing was tested
fi
printf '\n%s' "$summary"
exit "$status"
