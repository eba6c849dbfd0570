#!/bin/sh
# Make the virtual environment $VENV (.venv) with $PYTHON (python3), unless it is there already: made from
# the same requirements and, where a Python is asked for, with that one.
set -eu
cd "$(dirname "$0")/../.."
venv=${VENV:-.venv}
python=${PYTHON:-python3}

fail() {
  echo "$1" >&2
  exit 1
}

made_from() {
  (cd "$venv" && pwd -P) # an environment that was moved does not work
  cat tests/requirements.txt
}

which_python() {
  "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
}

# $venv/installed says what an environment was made from. It is empty while a set-up is not finished.
is_there() {
  [ -e "$venv/installed" ] && [ "$(made_from)" = "$(cat "$venv/installed")" ] || return 1
  made_with=$(which_python "$venv/bin/python") || return 1
  [ -z "${PYTHON:-}" ] || [ "$(which_python "$python")" = "$made_with" ]
}

if is_there; then
  exit
fi

command -v "$python" >/dev/null || fail "$python is missing: install Python 3.11 or newer."
# pyenv, for one, puts a python3.X on PATH that ends with an error while that version is not activated.
said=$("$python" -c '' 2>&1) \
  || fail "$python does not run ($(echo "$said" | head -n 1)): activate it, or name another: make PYTHON=/usr/bin/python3 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || fail "$python is too old: install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null \
  || fail "$python has no venv: install it (on Debian and Ubuntu: apt install python3-venv)."
# Two set-ups at once would delete each other's files: the second waits until the first has ended.
exec 9<tests/requirements.txt
"$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' 2>/dev/null || : # a file system without locks
if is_there; then
  exit
fi
[ ! -e "$venv" ] || [ -e "$venv/installed" ] \
  || fail "$venv was not made by make: remove it, or name another place: make VENV=..."

echo "Setting up $venv with $("$python" -V), once: this takes about a minute."
rm -rf "$venv"
mkdir -p "$venv"
: >"$venv/installed"
"$python" -m venv "$venv"
# --no-user: PIP_USER=1, or "user = true" in a pip.conf, would have pip install somewhere else.
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-user -r tests/requirements.txt
"$venv/bin/python" tests/tools/quiet_pipreqs.py
made_from >"$venv/installed"
