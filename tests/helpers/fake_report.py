"""The Users report of the fake Awardco API: ordered, waited for, and read in pages of CSV.

Awardco's help centre and a public client of the API name every field, status and column here. The
client takes the address of the pages from the API, so what that looks like is made up.
"""

import csv
import io
import json
import re

import connector

PATH = getattr(connector, "__REPORT_PATH", "/api/v2/reports")
NUMBER = getattr(connector, "__REPORT_NUMBER", 9)
ORDER = {"reportId": NUMBER, "selectedFilters": {}, "timezone": "UTC", "paginate": True}
COLUMNS = ["Employee Id", "First Name", "Preferred Name", "Last Name", "Email"]  # unless chosen
ALL_COLUMNS = [*COLUMNS, "Secondary Email", "Username", "Phone Number", "Language", "Hire Date"]
ALL_COLUMNS += ["Birth Date", "Country", "Nomination Approval IDs", "Created Date"]
ALL_COLUMNS += ["Archived Date", "Meta : Department"]


class Absent:
    """A field that an answer lacks."""

    def __repr__(self):
        return "absent"


ABSENT = Absent()


def person(number: int, **cells) -> dict:
    """A line of the report, by column."""
    return {
        "Employee Id": f"E{number:05d}",
        "First Name": f"First{number}",
        "Preferred Name": f"Preferred{number}",
        "Last Name": "Quillfeather",
        "Email": f"user{number}@example.com",
        **cells,
    }


def people(count: int) -> list:
    return [person(number) for number in range(1, count + 1)]


def page_text(rows: list, columns: list = COLUMNS) -> str:
    """A page: the line of names and the lines, without the byte order mark."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(columns)
    lines.writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue()


class Report:
    """What `FakeAwardco.report` is. In `faults` and hooks of the API, its steps are called
    "order", "status", and 1, 2 and so on for the pages.

    rows: dicts by column. Pages are cut from them as they are at that moment.
    columns: where the order chooses none. page_size: rows of a page.
    statuses: one for each time that it is asked for; the last one stays.
    ticket, task: fields of the answer to an order and of a status; ABSENT takes one out.
    address: of the pages; `{base}`, `{port}` and `{path}` are filled in.
    encoding, content_type (None sends none): of the pages.
    orders: the JSON of each order.
    """

    def __init__(self):
        self.rows = []
        self.columns = COLUMNS
        self.page_size = 1000
        self.statuses = ["in progress", "completed"]
        self.ticket = {}
        self.task = {}
        self.address = "{base}{path}"
        self.encoding = "utf-8-sig"
        self.content_type = "text/csv"
        self.orders = []
        self.polls = 0

    @property
    def task_id(self) -> int:
        return 54_000 + len(self.orders)

    def step(self, method: str, path: str, page: str):
        """Which step a request is; None for another address."""
        if (method, path) == ("POST", f"{PATH}/{NUMBER}"):
            return "order"
        found = re.fullmatch(rf"{PATH}/tasks/(\w+)/(status|pages)", path)
        if method != "GET" or not found or found[1] != str(self.task_id):
            return None
        return "status" if found[2] == "status" else int(page)

    def answer(self, base: str, step, sent: bytes) -> tuple:
        """Status, headers and body."""
        if step == "order":
            return self.take_order(json.loads(sent))
        if step == "status":
            return self.tell_status(base)
        if step is None or not 1 <= step <= self.pages():
            return self.json(404, {"message": "Not found"})
        first = (step - 1) * self.page_size
        chosen = self.orders[-1].get("selectedColumns", self.columns)
        text = page_text(self.rows[first : first + self.page_size], chosen)
        kind = {"Content-Type": self.content_type} if self.content_type else {}
        return 200, kind, text.encode(self.encoding)

    def take_order(self, order: dict) -> tuple:
        if not ORDER.items() <= order.items():
            return self.json(400, {"message": "Invalid report request"})
        self.orders.append(order)
        self.polls = 0
        return self.json(200, {"taskId": self.task_id, **self.ticket})

    def tell_status(self, base: str) -> tuple:
        status = self.statuses[min(self.polls, len(self.statuses) - 1)]
        self.polls += 1
        told = {"taskId": self.task_id, "status": status, "errorCode": None, "message": None}
        if str(status).lower() == "completed":
            path, port = f"{PATH}/tasks/{self.task_id}/pages", base.rpartition(":")[2]
            told["paginatedApiBaseUrl"] = self.address.format(base=base, port=port, path=path)
            told["totalPages"] = self.pages()
        return self.json(200, {**told, **self.task})

    def pages(self) -> int:
        return max(1, -(-len(self.rows) // self.page_size))

    def json(self, status: int, said: dict) -> tuple:
        kept = {name: value for name, value in said.items() if value is not ABSENT}
        return status, {"Content-Type": "application/json"}, json.dumps(kept).encode()
