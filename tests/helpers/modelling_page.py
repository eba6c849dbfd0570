"""The code of docs/modelling.md as a reader copies it, and a sync that marks who left."""

import re
from pathlib import Path

from fivetran_connector_sdk import Connector
from fivetran_connector_sdk import Operations as op

import connector
from harness import Project, ending_process

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
    """End as a full read does that marks who left: mark all rows, then write who is there."""

    def update(configuration: dict, state: dict):
        op.truncate(table="USER")
        for user in users:
            op.upsert(table="USER", data=user)
        op.checkpoint(state=state)

    with ending_process():
        sync = Connector(update=update, schema=connector.schema)
        sync.debug(str(project.folder), {}, project.state())
