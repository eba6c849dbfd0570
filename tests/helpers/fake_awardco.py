"""A fake Awardco API on 127.0.0.1 that can misbehave in every way that the sync contract names.

Its rows live in `users`, a list of dicts in storage order. Behaviours are attributes, to be set
before or while a sync runs; what happens between two pages is a hook or a scripted `Fault`.
"""

import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-0f-the-tenant-51"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


def text(instant: datetime) -> str:
    """The API's usual notation: `2026-03-01T12:00:00Z`."""
    return instant.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def instant(value) -> datetime:
    """What the API means by a timestamp; None for null and for what is none."""
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None


def user(number: int, updated_at=None, **fields) -> dict:
    """A user such as the API sends; `updated_at` is an instant, a text or None."""
    if isinstance(updated_at, datetime):
        updated_at = text(updated_at)
    return {
        "employeeId": f"E{number:05d}",
        "firstName": f"First{number}",
        "lastName": f"Last{number}",
        "email": f"user{number}@example.com",
        "currencyCode": "USD",
        "balance": number + 0.25,
        "updated_at": updated_at,
        "created_at": text(NOON - timedelta(days=1000)),
        **fields,
    }


def users(count: int, newest: datetime = NOON - timedelta(days=2)) -> list:
    """`count` users, each changed a minute after the one before, the last at `newest`."""
    return [user(n, newest - timedelta(minutes=count - n)) for n in range(1, count + 1)]


class Fault:
    """What a request meets instead of an answer, for the next `times` requests that it matches.

    With a `gate`, a threading.Event or Barrier, the request meets it only once that has opened.
    """

    def __init__(
        self, page=None, times=1, status=None, headers=None, body=b"", kind=None, gate=None
    ):
        self.page, self.times, self.status = page, times, status
        self.headers, self.kind, self.gate = headers or {}, kind, gate
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def matches(self, page: int) -> bool:
        return self.times > 0 and self.page in (None, page)


class FakeAwardco:
    """The API. A context manager: it serves from entry to exit.

    Behaviours:
        order: "storage", "updated_at", "-updated_at", "id", or "shuffled" (anew for each request).
        page_cap: rows of a page at most, whatever `per_page` asks for.
        filters_after_paging: the filter thins out full pages: short ones have more after them.
        page_ignored, page_clamped: page 1, or the last page, for every number (past the end).
        filter_param: the filter's name; None where the API has no filter. `strict`: `>`, not `>=`.
        keeps_nulls: users without `updated_at` pass the filter.
        clock: the server's time; None sends no `Date`. `tick` passes with each request.
        latency: seconds before an answer.
        faults: `Fault`s, tried in order. before_page: hooks by page number, each called once.
    """

    def __init__(self, rows=(), **behaviours):
        self.users = list(rows)
        self.order = "updated_at"
        self.page_cap = 1000
        self.filters_after_paging = False
        self.page_ignored = False
        self.page_clamped = False
        self.filter_param = "updated_since"
        self.strict = False
        self.keeps_nulls = False
        self.clock = NOON
        self.tick = timedelta(0)
        self.latency = 0.0
        self.key = KEY
        self.faults = []
        self.before_page = {}
        self.before_answer = None  # called with the page of each request
        self.requests = []  # (page, filter) in the order of arrival
        self.headers = []
        self.dates = []  # the clock at each request that met no fault
        self.lock = threading.RLock()
        for name, value in behaviours.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    # -- the source

    def change(self, employee_id: str, **fields):
        """Change a user now: it gets the clock's `updated_at`, unless one is given."""
        with self.lock:
            row = next(row for row in self.users if row["employeeId"] == employee_id)
            row.update({"updated_at": text(self.clock), **fields})

    def insert(self, row: dict, position: int = None):
        with self.lock:
            self.users.insert(len(self.users) if position is None else position, row)

    def move(self, employee_id: str, position: int):
        """Move a user to another place in storage, unchanged."""
        with self.lock:
            row = next(row for row in self.users if row["employeeId"] == employee_id)
            self.users.remove(row)
            self.users.insert(position, row)

    # -- the answers

    def page(self, number: int, per_page: int, since) -> list:
        rows = self.ordered()
        if since is not None and not self.filters_after_paging:
            rows = [row for row in rows if self.passes(row, since)]
        size = min(per_page, self.page_cap)
        last = max(1, -(-len(rows) // size))
        if self.page_ignored:
            number = 1
        elif self.page_clamped:
            number = min(number, last)
        found = rows[(number - 1) * size : number * size]
        if self.filters_after_paging:
            found = [row for row in found if self.passes(row, since)]
        return found

    def ordered(self) -> list:
        oldest = datetime.min.replace(tzinfo=timezone.utc)
        by_time = lambda row: (instant(row.get("updated_at")) or oldest, row["employeeId"])  # noqa: E731
        if self.order == "updated_at":
            return sorted(self.users, key=by_time)
        if self.order == "-updated_at":
            return sorted(self.users, key=by_time, reverse=True)
        if self.order == "id":
            return sorted(self.users, key=lambda row: row["employeeId"])
        if self.order == "shuffled":
            salt = len(self.requests)
            shuffle = lambda row: hashlib.md5(f"{salt} {row['employeeId']}".encode()).digest()  # noqa: E731
            return sorted(self.users, key=shuffle)
        assert self.order == "storage", self.order
        return list(self.users)

    def passes(self, row: dict, since) -> bool:
        if since is None:
            return True
        changed_at = instant(row.get("updated_at"))
        if changed_at is None:
            return self.keeps_nulls
        return changed_at > since if self.strict else changed_at >= since

    # -- serving

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def pages_asked(self) -> list:
        return [page for page, _ in self.requests]

    def __enter__(self):
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.api = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that gave up, or a connection that a fault has cut


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        api = self.server.api
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        page = int(query.get("page", 1))
        with api.lock:
            api.clock = api.clock and api.clock + api.tick
            api.requests.append((page, query.get(api.filter_param)))
            api.headers.append(dict(self.headers))
            hook = api.before_page.pop(page, None)
            if hook:
                hook(api)
            if api.before_answer:
                api.before_answer(page)
            fault = next((fault for fault in api.faults if fault.matches(page)), None)
            if fault:
                fault.times -= 1
            else:
                api.dates.append(api.clock)
            body = self.answer(api, address.path, query, page)
        if api.latency:
            time.sleep(api.latency)
        if fault:
            return self.fail(fault, body)
        self.reply(*body)

    def answer(self, api, path: str, query: dict, page: int) -> tuple:
        if self.headers.get("apiKey") != api.key:
            return 401, {}, json.dumps({"success": False, "message": "Unauthorized"}).encode()
        if path != "/api/users":
            return 404, {}, json.dumps({"message": "Not found"}).encode()
        since = instant(query[api.filter_param]) if query.get(api.filter_param) else None
        found = api.page(page, int(query["per_page"]), since)
        return 200, {}, json.dumps({"success": True, "users": found}).encode()

    def reply(self, status: int, headers: dict, body: bytes):
        """Everything in one write: small ones would meet Nagle's delay."""
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}"]
        clock = self.server.api.clock
        if clock is not None:
            lines.append(f"Date: {format_datetime(clock, usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def fail(self, fault: Fault, answer: tuple):
        if fault.gate:
            fault.gate.wait(10)
        getattr(self, f"fail_{fault.kind or 'status'}")(fault, answer)

    def fail_status(self, fault, answer):
        self.reply(fault.status, fault.headers, fault.body)

    def fail_late(self, fault, answer):
        """No fault but the gate's delay."""
        self.reply(*answer)

    def fail_reset(self, fault, answer):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def fail_cut(self, fault, answer):
        """Announce the whole body, send half of it."""
        status, headers, body = answer
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.wfile.write(head + body[: len(body) // 2])
        self.close_connection = True

    def fail_gzip(self, fault, answer):
        """A compressed body with its middle damaged."""
        body = bytearray(gzip.compress(answer[2]))
        body[8 : len(body) - 8] = bytes(len(body) - 16)
        self.reply(200, {"Content-Encoding": "gzip"}, bytes(body))

    def fail_silent(self, fault, answer):
        """Accept, and never answer, until the client gives up."""
        self.connection.settimeout(10)
        try:
            self.connection.recv(1)
        except OSError:
            pass
        self.close_connection = True
