"""Sync the made-up users of mock mode, and show them. With --leavers, two of them have left.

This happens in a folder of its own, `mock` in the virtual environment, so that made-up users never
stand among the real ones in `files`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from quiet_home import make_quiet_home  # noqa: E402

SETTINGS = "mock_data/configuration.json"
QUESTION = (
    "select department, count(*) as users from awardco.user "
    "where not _fivetran_deleted group by department"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--leavers", action="store_true", help="read everybody, mark who left")
    options = parser.parse_args()
    if sys.prefix == sys.base_prefix:
        sys.exit("Activate the environment first, or type `make run`.")
    folder = Path(sys.prefix) / "mock"
    shutil.copytree(ROOT / "mock_data", folder / "mock_data", dirs_exist_ok=True)
    shutil.copy(ROOT / "connector.py", folder)
    state = folder / "files" / "state.json"
    if options.leavers:
        if not state.exists():
            sync(folder)
        make_full_read_due(state)
    sync(folder)
    show(folder / "files" / "warehouse.db")


def make_full_read_due(state: Path):
    """Forget when the last full read was: with full_sync_days, the next one is due."""
    values = json.loads(state.read_text("utf-8"))
    values.pop("last_full_sync", None)
    state.write_text(json.dumps(values), "utf-8")


def sync(folder: Path):
    """What `fivetran debug` does, with a home folder in which it looks for no news."""
    home = str(make_quiet_home(Path(sys.prefix) / "home"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {"HOME": home, "USERPROFILE": home, "PATH": path, "PYTHONUTF8": "1"}
    fivetran = shutil.which("fivetran", path=path)
    command = [fivetran, "debug", "--configuration", SETTINGS]
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **own})
    if ended.returncode:
        sys.exit(ended.returncode)


def show(warehouse: Path):
    tool = Path(__file__).parent / "show_rows.py"
    command = [sys.executable, str(tool), "--database", str(warehouse)]
    subprocess.run(command, check=True)
    command.append("--sql")
    parts = [os.path.relpath(part) if os.path.isabs(part) else part for part in command]
    shown = " ".join(f'"{part}"' if " " in part else part for part in [*parts, QUESTION])
    print(f"These users are made up. To ask another question:\n{shown}")


if __name__ == "__main__":
    main()
