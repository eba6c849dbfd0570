"""A fake Awardco API on 127.0.0.1 that can misbehave in every way that the connector must bear.

Its rows live in `users`, a list of dicts in storage order. Behaviours are attributes, to be set
before or while a sync runs; what happens between two pages is a hook or a scripted `Fault`. What
the connector assumes of the API, in constants, is what it does by default.
"""

import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import connector
from fake_report import PATH as REPORT_PATH
from fake_report import Report
from postgres_sort import sort_page

KEY = "a-key-0f-the-tenant-51"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PATH, LIST = getattr(connector, "__PATH"), getattr(connector, "__LIST")
KEY_HEADER = getattr(connector, "__KEY_HEADER")
PAGE_PARAM = getattr(connector, "__PAGE_PARAM")
PER_PAGE_PARAM = getattr(connector, "__PER_PAGE_PARAM")
FIRST_PAGE = getattr(connector, "__FIRST_PAGE")
UPDATED_SINCE = getattr(connector, "__UPDATED_SINCE_PARAM")
OTHER_PARAMS = getattr(connector, "__OTHER_PARAMS")
(TABLE,) = connector.schema({})
SAMPLES = {  # a value for a declared column, by its type, of the user with this number
    "STRING": lambda column, number: f"{column} {number}",
    "DOUBLE": lambda column, number: number + 0.5,
    "UTC_DATETIME": lambda column, number: text(NOON - timedelta(days=2000)),
    "BOOLEAN": lambda column, number: True,
    "INT": lambda column, number: number,
    "NAIVE_DATE": lambda column, number: "2020-02-29",
}


def text(instant: datetime) -> str:
    """The API's usual notation: `2026-03-01T12:00:00Z`."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


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
    kinds = {name: str(kind) for name, kind in TABLE["columns"].items()}
    return {
        **{name: SAMPLES[kind](name, number) for name, kind in kinds.items() if kind in SAMPLES},
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


def key_header(key: str = KEY) -> dict:
    """The headers in which a request carries the key."""
    return {name: value.format(key=key) for name, value in KEY_HEADER.items()}


def listing(found, at: str = LIST, **fields):
    """An answer that holds these users, or whatever is given in their place, and other fields."""
    for name in reversed(at.split(".") if at else []):
        found = {name: found}
    return {**found, **fields} if at else found


def listing_text(users_text: str) -> str:
    """The JSON of an answer whose list of users is written like this."""
    return json.dumps(listing(None)).replace("null", users_text)


class Fault:
    """What a request meets instead of an answer, for the next `times` requests that it matches.

    The kind "late" is no fault but a delay: the answer is made once the `gate`, a threading.Event,
    has opened, or after half a second; `hook` is called just before that.
    """

    def __init__(
        self,
        page=None,
        times=1,
        status=None,
        headers=None,
        body=b"",
        kind=None,
        gate=None,
        hook=None,
    ):
        self.page, self.times, self.status = page, times, status
        self.headers, self.kind, self.gate, self.hook = headers or {}, kind, gate, hook
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def matches(self, page: int) -> bool:
        return self.times > 0 and self.page in (None, page)


# What comes past the last page: status, and body by the place of the list. "last page", "page 1"
# and "around" (page 1 again, past the last one) are pages of users, unless there is nobody at all.
MESSAGE = {"message": "Invalid page."}
PAST_END = {
    "[]": (200, lambda at: listing([], at, success=True)),
    "null": (200, lambda at: listing(None, at, success=True)),
    "no users": (200, lambda at: {"success": True}),
    "204": (204, lambda at: None),
    **{str(status): (status, lambda at: MESSAGE) for status in (400, 404, 410, 416, 422)},
}
PAST_END.update(dict.fromkeys(("last page", "page 1", "around"), PAST_END["[]"]))

# How an API may say in a 200 that it failed.
FAILURES = {
    "error": listing([], error="directory service unavailable"),
    "errors": listing([], errors=[{"detail": "directory service unavailable"}]),
    "success: false": {"success": False},
    "success: 0": listing([], success=0),
    "success as text": listing([], success="false"),
    "isSuccess: false": listing([], isSuccess=False),
    "status": listing([], status="error"),
    "statusCode": listing([], statusCode=503),
    "code": listing([], code=500),
    "errcode": listing([], errcode=90002),
    "timedOut": listing([], timedOut=True),
    "a message alone": {"message": "Internal server error"},
    "a list of some and an error": listing([], success=True, error={"code": 17}),
}

# How an API may write a body: a function of the text, and the Content-Type.
JSON = "application/json"
ENCODINGS = {
    "UTF-8": (str.encode, JSON),
    "byte order mark": (lambda text: text.encode("utf-8-sig"), JSON),
    "ISO-8859-1": (lambda text: text.encode("latin-1"), f"{JSON}; charset=ISO-8859-1"),
    "UTF-8 called ISO-8859-1": (str.encode, f"{JSON}; charset=ISO-8859-1"),
    "a charset that nobody knows": (str.encode, f"{JSON}; charset=utf8mb4"),
}


class FakeAwardco:
    """The API. A context manager: it serves from entry to exit.

    Order:
        order: "storage", "updated_at", "-updated_at", "id", or "shuffled" (anew for each request).
        unstable_ties: users with one timestamp sort upwards on odd pages, downwards on even ones.
        sorted_by: a function of a user; each page is sorted by it as PostgreSQL does it, which
            settles ties in its own way, from rows in `order`. See postgres_sort.py.
    Names:
        path, page_param, per_page_param, list_name (such as "data.items"), key_header (a function
            of the key), other_params (without them, a request is refused). names: under which
            others the fields of a user are written.
    Pages:
        page_cap: rows of a page at most, whatever `per_page` asks for.
        offset_from_asked: where the cap applies, pages are counted by what was asked for.
        accepts: the `per_page` that is not refused (with `size_refusal`, a status), a function.
        first_page: its number; 0 with Spring. The tests count pages from 1 all the same.
            counts_users: a page is asked for by the number of its first user.
        past_end: what comes past the last page, see PAST_END. signed: users hold links that are
            signed anew for each answer.
        total: where the number of users stands, such as "total" or "meta.totalCount".
        unlisted: how many more users that number counts. depth: pages that would reach beyond so
            many users lie past the end.
    Filter and times:
        filter_param: the filter's name; None where the API has no filter. `strict`: `>`, not `>=`.
        keeps_nulls: users without `updated_at` pass the filter.
            filter_takes: the filter that is not refused (with `filter_refusal`), a function.
        zone: a tzinfo; times are written, and the filter is read, as local times without zone.
        dates_only: times are written, and compared, as dates. mixed: notations differ by row.
    Serving:
        status: of an answer that holds users. encoding: see ENCODINGS.
        float_keys: `1001.0`. sends: other headers of such an answer.
        cookie: sets one with page 1, and answers 404 to whoever sends it back.
        fails_from: the page from which on every answer tells a `failure`, see FAILURES.
        rate_limit: how many requests are answered before one gets 403 and a Retry-After.
        clock: the server's time; None sends no `Date`. `date` overrides what the header says.
        `tick` passes with each request.
        latency: seconds before an answer. latency_of: the same, by `per_page`.
        cache: seconds (of `clock`) for which an address keeps its answer.
        faults: `Fault`s, tried in order. before_page: hooks by page number, each called once.
        report: the Users report, see fake_report.py.
    """

    def __init__(self, rows=(), **behaviours):
        self.users = list(rows)
        self.report = Report()
        self.order = "updated_at"
        self.unstable_ties = False
        self.sorted_by = None
        self.page_cap = 1000
        self.offset_from_asked = False
        self.accepts = lambda per_page: True
        self.size_refusal = 400
        self.path = PATH
        self.page_param = PAGE_PARAM
        self.per_page_param = PER_PAGE_PARAM
        self.list_name = LIST
        self.names = {}
        self.key_header = key_header
        self.other_params = OTHER_PARAMS
        self.first_page = FIRST_PAGE
        self.counts_users = False
        self.past_end = "[]"
        self.signed = False
        self.total = None
        self.unlisted = 0
        self.depth = None
        self.filter_takes = lambda since: True
        self.filter_refusal = (400, {"message": "updated_since must not be older than 90 days"})
        self.status = 200
        self.encoding = "UTF-8"
        self.float_keys = False
        self.sends = {}
        self.cookie = False
        self.fails_from = None
        self.failure = "error"
        self.rate_limit = None
        self.filter_param = UPDATED_SINCE
        self.strict = False
        self.keeps_nulls = False
        self.zone = None
        self.dates_only = False
        self.mixed = False
        self.clock = NOON
        self.date = None
        self.tick = timedelta(0)
        self.latency = 0.0
        self.latency_of = lambda per_page: 0.0
        self.cache = 0
        self.cached = {}
        self.key = KEY
        self.faults = []
        self.before_page = {}
        self.before_answer = None  # called with the page of each request
        self.requests = []  # (page, filter) in the order of arrival
        self.sizes = []  # per_page of the same
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

    def insert(self, row: dict, position: int | None = None):
        with self.lock:
            self.users.insert(len(self.users) if position is None else position, row)

    def delete(self, employee_id: str):
        with self.lock:
            self.users = [row for row in self.users if row["employeeId"] != employee_id]

    def move(self, employee_id: str, position: int):
        """Move a user to another place in storage, unchanged."""
        with self.lock:
            row = next(row for row in self.users if row["employeeId"] == employee_id)
            self.users.remove(row)
            self.users.insert(position, row)

    # -- the answers

    def page(self, number: int, per_page: int, since) -> list | None:
        """The users of a page; None past the end, or where a window holds nobody."""
        rows = self.ordered(number)
        if since is not None:
            rows = [row for row in rows if self.passes(row, since)]
        size = min(per_page, self.page_cap)
        step = per_page if self.offset_from_asked else size
        number = max(number - 1, 0)
        if self.depth is not None and (number + 1) * step > self.depth:
            return None
        last = max(0, -(-len(rows) // step) - 1)
        if self.past_end == "page 1":
            number = 0
        elif self.past_end == "last page":
            number = min(number, last)
        elif self.past_end == "around":
            number = number if number <= last else 0
        if number > last or not rows:
            return None
        if self.sorted_by:
            return sort_page(rows, self.sorted_by, number * step, size)
        return rows[number * step : number * step + size]

    def ordered(self, page: int = 1) -> list:
        oldest = datetime.min.replace(tzinfo=UTC)
        by_time = lambda row: instant(row.get("updated_at")) or oldest  # noqa: E731
        by_id = lambda row: row["employeeId"]  # noqa: E731
        if self.order in ("updated_at", "-updated_at"):
            rows = sorted(self.users, key=by_id, reverse=self.unstable_ties and page % 2 == 0)
            return sorted(rows, key=by_time, reverse=self.order == "-updated_at")
        if self.order == "id":
            return sorted(self.users, key=by_id)
        if self.order == "shuffled":
            salt = f"{len(self.requests)} "
            digest = lambda row: hashlib.md5((salt + by_id(row)).encode()).digest()  # noqa: E731
            return sorted(self.users, key=digest)
        assert self.order == "storage", self.order
        return self.users

    def passes(self, row: dict, since: str) -> bool:
        """Whether a user passes the filter, as a database would decide by what it has stored."""
        changed_at = instant(row.get("updated_at"))
        if changed_at is None:
            return self.keeps_nulls
        changed_at, since = self.comparable(changed_at), self.comparable(instant(since))
        return changed_at > since if self.strict else changed_at >= since

    def comparable(self, moment: datetime):
        if self.zone is not None:
            if moment.tzinfo is not None:
                moment = moment.astimezone(self.zone)
            moment = moment.replace(tzinfo=UTC)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.date() if self.dates_only else moment

    def written(self, row: dict, number: int) -> dict:
        """A user as the API writes it."""
        row = dict(row)
        if self.signed:
            row["photo"] = f"https://cdn.example.com/{row['employeeId']}?signature={number}"
        moment = instant(row.get("updated_at"))
        if moment is not None and (self.zone or self.dates_only or self.mixed):
            row["updated_at"] = self.notation(moment, row["employeeId"])
        if self.float_keys:
            row["employeeId"] = float(row["employeeId"].lstrip("E"))
        return {self.names.get(name, name): value for name, value in row.items()}

    def notation(self, moment: datetime, employee_id: str) -> str:
        local = moment.astimezone(self.zone or UTC)
        if self.dates_only:
            return local.date().isoformat()
        if not self.mixed:
            return local.replace(tzinfo=None).isoformat(sep=" ")
        elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
        styles = [text(moment), elsewhere.isoformat(), local.replace(tzinfo=None).isoformat()]
        styles.append(moment.isoformat(sep=" ", timespec="milliseconds"))
        return styles[sum(map(ord, employee_id)) % len(styles)]

    def with_total(self, body: dict, since) -> dict:
        """An answer with the number of users, and other numbers that are none of them."""
        if self.total:
            rows = [row for row in self.users if since is None or self.passes(row, since)]
            *outer, name = self.total.split(".")
            level = body.setdefault(outer[0], {}) if outer else body
            level.update({name: len(rows) + self.unlisted, "totalPages": 99_999, "page": 1})
        return body

    # -- serving

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def pages_asked(self) -> list:
        return [page for page, _ in self.requests]

    def __enter__(self):
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.api = self
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.005,), daemon=True
        )
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

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        api = self.server.api
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.command == "POST" or address.path.startswith(f"{REPORT_PATH}/"):
            return self.serve_report(api, address.path, query)
        per_page = int(query.get(api.per_page_param, 10))
        number = int(query.get(api.page_param, api.first_page)) - api.first_page
        page = (number // per_page if api.counts_users else number) + 1
        answer = partial(self.answer_cached, api, address.path, query, page, per_page)
        self.serve(page, query.get(api.filter_param), per_page, answer)

    def serve_report(self, api, path: str, query: dict):
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        step = api.report.step(self.command, path, query.get("page", "0"))

        def answer() -> tuple:
            if not self.has_key(api):
                return 401, {}, b'{"message": "Unauthorized"}'
            return api.report.answer(api.url, step, sent)

        self.serve(step, None, None, answer)

    def serve(self, page, since, per_page, make_answer):
        """Note a request, let happen what is to happen before its answer, and send that."""
        api = self.server.api
        with api.lock:
            api.clock = api.clock and api.clock + api.tick
            api.requests.append((page, since))
            api.sizes.append(per_page)
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
            answer = make_answer()
        time.sleep(api.latency or api.latency_of(per_page))
        if fault and fault.gate:
            fault.gate.wait(0.5)
            with api.lock:
                fault.hook(api)
                answer = make_answer()
        if fault:
            return self.fail(fault, answer)
        self.reply(*answer)

    def answer(self, api, path: str, query: dict, page: int, per_page: int) -> tuple:
        since = query.get(api.filter_param) or None
        refusal = self.refusal(api, path, query, per_page, since)
        if refusal is not None:
            status, headers, body = refusal
            return status, headers, json.dumps(body).encode()
        if api.fails_from and page >= api.fails_from:
            return 200, {}, json.dumps(FAILURES[api.failure]).encode()
        found = api.page(page, per_page, since)
        if found is None:
            return self.nobody(api, page)
        rows = [api.written(row, len(api.requests)) for row in found]
        answer = api.with_total(listing(rows, api.list_name, success=True), since)
        encode, content_type = ENCODINGS[api.encoding]
        cookie = {"Set-Cookie": "session=abc"} if api.cookie else {}
        text = json.dumps(answer, ensure_ascii=api.encoding == "UTF-8")
        return api.status, {"Content-Type": content_type, **cookie, **api.sends}, encode(text)

    def refusal(self, api, path: str, query: dict, per_page: int, since) -> tuple | None:
        """Status, headers and body for a request that the API refuses."""
        if not self.has_key(api):
            return 401, {}, {"success": False, "message": "Unauthorized"}
        if any(query.get(name) != str(value) for name, value in api.other_params.items()):
            return 400, {}, {"message": f"Missing parameter: {', '.join(api.other_params)}"}
        if path != api.path or (api.cookie and self.headers.get("Cookie")):
            return 404, {}, {"message": "Not found"}
        if api.rate_limit and len(api.requests) % api.rate_limit == 0:
            return 403, {"Retry-After": "2"}, {"message": "Quota exceeded"}
        if not api.accepts(per_page):
            return api.size_refusal, {}, {"message": "Invalid per_page"}
        if since is not None and not api.filter_takes(since):
            status, body = api.filter_refusal
            return status, {}, body
        return None

    def has_key(self, api) -> bool:
        return api.key_header(api.key).items() <= dict(self.headers).items()

    def answer_cached(self, api, *request) -> tuple:
        until, answer = api.cached.get(self.path, (None, None))
        if answer is None or api.clock >= until:
            answer = self.answer(api, *request)
            if api.cache:
                api.cached[self.path] = api.clock + timedelta(seconds=api.cache), answer
        return answer

    def nobody(self, api, page: int) -> tuple:
        """What comes past the end, and on page 1 of an API that writes nobody as null or 204."""
        if page == 1 and PAST_END[api.past_end][0] >= 400:
            return self.nobody_as(api, "[]")  # as Django REST does
        return self.nobody_as(api, api.past_end)

    def nobody_as(self, api, past_end: str) -> tuple:
        status, body = PAST_END[past_end][0], PAST_END[past_end][1](api.list_name)
        return status, {}, b"" if body is None else json.dumps(body).encode()

    def reply(self, status: int, headers: dict, body: bytes):
        """Everything in one write: small ones would meet Nagle's delay."""
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}"]
        clock = self.server.api.date or self.server.api.clock
        if clock is not None:
            lines.append(f"Date: {format_datetime(clock, usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def fail(self, fault: Fault, answer: tuple):
        getattr(self, f"fail_{fault.kind or 'status'}")(fault, answer)

    def fail_status(self, fault, answer):
        self.reply(fault.status, fault.headers, fault.body)

    def fail_late(self, fault, answer):
        self.reply(*answer)

    def fail_reset(self, fault, answer):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def fail_cut(self, fault, answer):
        """Announce the whole body, send half of it."""
        status, _, body = answer
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
        with suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True
