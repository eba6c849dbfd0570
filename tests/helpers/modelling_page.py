"""The code of docs/modelling.md as a reader copies it, and a sync that marks who left."""

import re
from pathlib import Path

from fake_awardco import FakeAwardco
from harness import Project

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "modelling.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(?:sql|yaml)\n(?:--|#) (\S+)\n(.*?)```", re.DOTALL)


def blocks(page: str) -> dict:
    """The SQL and YAML of a page, by the file name in the first line of each block."""
    found = dict(BLOCK.findall(page))
    assert len(found) == len(re.findall("```(?:sql|yaml)", page)), "a block without its name"
    return found


def without_status(found: dict) -> dict:
    """The blocks for a table that has no column `status`, as the page says in them."""
    return {
        name: re.sub(".*leave out if there is no status\n", "", code)
        for name, code in found.items()
        if "leave out this test if there is no status" not in code
    }


def read_everybody(project: Project, users: list):
    """A full read that is due, and marks who is not among these users."""
    state = {**project.state(), "last_full_sync": "2020-01-01T00:00:00+00:00"}
    with FakeAwardco(users) as api:
        outcome = project.sync(api, state=state, full_sync_days="7")
    assert "Users whom the API no longer returns are marked" in outcome.log
