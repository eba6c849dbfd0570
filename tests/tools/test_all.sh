#!/usr/bin/env bash
# Test with every supported Python that this machine has, each in a virtual environment of its own, and say
# at the end which passed, failed or were skipped. Looked for on PATH and among pyenv's versions.
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

test_with() {
  local python=$1 venv=$2
  make --no-print-directory test test-iceberg PYTHON="$python" VENV="$venv"
}

status=0
summary=
for version in 3.10 3.11 3.12 3.13 3.14; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    outcome="skipped: not on this machine"
  else
    echo "--- Python $version ($python)"
    if test_with "$python" ".venv-$version"; then
      outcome=passed
    else
      outcome=FAILED
      status=1
    fi
  fi
  summary="${summary}Python $version $outcome"$'\n'
done
case "$summary" in
  *passed*) ;;
  *) status=1 ;; # nothing was tested
esac
printf '\n%s' "$summary"
exit "$status"
