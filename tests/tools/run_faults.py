"""Check that the suite notices each fault of tests/faults.py.

`make test-faults` runs it. Arguments choose faults: those of which the name, or the section,
contains one of them. Each fault is put, alone, into a copy of the project, where the test that it
names then runs. Before that, all these tests must pass without a fault. What is printed of each:

    caught      the test failed, or took too long
    NOT CAUGHT  the test passed
    misfit      what to replace does not stand in its place once; the nearest statement is shown
    broken      connector.py cannot be loaded or uses a name that is not defined, which any test
                would notice, or the test did not get as far as to fail

The exit code is 1 unless all are caught.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import indent

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

FAULTS = import_module("faults").FAULTS
MisfitError = import_module("fault").MisfitError
fivetran_api = import_module("fivetran_api")

CORES = os.cpu_count() or 1
LIMIT_SECONDS = 120  # for one fault
OUT_OF_TIME = "caught (time-out)"


def run_pytest(project: Path, *arguments, limit: float | None = None) -> tuple[int | None, str]:
    """Run tests in a copy of the project, slow ones too.

    Returns:
        The exit code, None where the limit was reached, and the output.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
    with subprocess.Popen(
        [*command, "-m", "", f"--basetemp={project}-tmp", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with the processes that the test started
            return None, ""
    return process.returncode, output


def find_undefined_names(project: Path) -> str:
    """What ruff says of names in connector.py that are not defined."""
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--isolated"]
    command += ["--select", "F821,F823", "--output-format", "concise", "connector.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8")
    return done.stdout + done.stderr


def try_fault(clean: Path, fault) -> tuple[str, float, str]:
    """Put a fault into a copy and run its test there.

    Returns:
        What came out, after how many seconds, and what to print about it.
    """
    began = time.monotonic()
    try:
        faulty = fault.put_into((clean / "connector.py").read_text(encoding="utf-8"))
    except MisfitError as misfit:
        return "misfit", 0, str(misfit)
    with tempfile.TemporaryDirectory(dir=clean.parent, ignore_cleanup_errors=True) as folder:
        # With the compiled tests: compiling takes longer than most of them do.
        project = Path(shutil.copytree(clean, Path(folder) / "project"))
        shutil.rmtree(project / "__pycache__", ignore_errors=True)
        (project / "connector.py").write_text(faulty, encoding="utf-8")
        if undefined := find_undefined_names(project):
            return "broken", time.monotonic() - began, undefined
        status, output = run_pytest(project, "-x", fault.test_id, limit=LIMIT_SECONDS)
    verdict = judge(status, output)
    return verdict, time.monotonic() - began, explain(output) if verdict == "broken" else ""


def judge(status: int | None, output: str) -> str:
    if status is None:
        return OUT_OF_TIME
    if status == 0:
        return "NOT CAUGHT"
    if status != 1 or "ERROR at setup of" in output:
        return "broken"
    return OUT_OF_TIME if "from pytest-timeout" in output else "caught"


def explain(output: str) -> str:
    """The errors in what pytest printed, or the end of it."""
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join([line for line in lines if line.startswith(("E ", "ERROR"))] or lines[-5:])


def choose(names: list) -> dict:
    """The faults to try, each with its section: those of which the name or the section has one of
    the names, or all."""
    return {
        fault: section
        for section, faults in FAULTS.items()
        for fault in faults
        if not names or any(name in f"{section}: {fault.name}" for name in names)
    }


def try_all(clean: Path, faults: dict) -> Counter:
    """Try the faults, print what came out of each, and count it."""
    verdicts, shown = Counter(), None
    with ThreadPoolExecutor(CORES) as pool:
        outcomes = pool.map(partial(try_fault, clean), faults)
        for (fault, section), (verdict, seconds, detail) in zip(
            faults.items(), outcomes, strict=True
        ):
            if section != shown:
                print(f"\n{section}")
                shown = section
            print(f"  {verdict:<17} {seconds:>5.1f} s  {fault.name}", flush=True)
            if detail:
                print(indent(detail, " " * 29))
            verdicts[verdict] += 1
    return verdicts


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("name", nargs="*", help="part of the name of a fault or a section to try")
    faults = choose(options.parse_args().name)
    if not faults:
        options.error("no fault has such a name")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clean = Path(
            shutil.copytree(
                fivetran_api.PROJECT,
                Path(folder) / "clean",
                ignore=fivetran_api.not_of_the_project,
            )
        )
        tests = dict.fromkeys(fault.test_id for fault in faults)
        status, output = run_pytest(clean, "-n", str(CORES), *tests)
        if status != 0:
            print(f"{output}\nNo fault was tried: its test must pass without it.")
            return 1
        verdicts = try_all(clean, faults)
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    return 0 if all(verdict.startswith("caught") for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
