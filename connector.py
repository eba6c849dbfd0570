"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, upserts each user into the
table `USER` (key `employeeId`), and checkpoints after each page. The API documents neither its order
of rows nor its filter, page size or clock, so nothing here rests on them. Three values are kept apart:

- the filter of a sync, frozen while pages are counted: moving it would skip rows;
- the progress of the walk, in the state as `resume` only while a sync is unfinished;
- the cursor, `last_sync_time`: the newest `updated_at` delivered, and never later than an hour
  before the sync began, so that a change which the reader could not see yet is read next time.

Read from the top: configuration, requests, pages, rows, the sync, mock mode, the connector.
"""

import io
import ipaddress
import itertools
import json
import math
import os
import random
import re
import threading
import time
import unicodedata
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import requests
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

__TABLE = "USER"
__KEY = "employeeId"
__COLUMNS = {
    "employeeId": "STRING",
    "firstName": "STRING",
    "lastName": "STRING",
    "email": "STRING",
    "currencyCode": "STRING",
    "balance": "DOUBLE",
    "updated_at": "UTC_DATETIME",
    "created_at": "UTC_DATETIME",
}
__OTHER_FIELDS = "other_fields"  # JSON: what no column of its own can hold

__PAGE_SIZE = 100
__PAGES_IN_FLIGHT = 4
__PAGES_PER_PROGRESS_LINE = 10
__FAR_PAGES = (
    1_000_000  # so far past any end that only a server which ignores `page` has rows there
)
__MAX_IDLE_PAGES = 10_000
__MAX_PASSES = 5
__SETTLING_TIME = timedelta(hours=1)
__RESUME_MAX_AGE = timedelta(days=1)
__CLEARLY_OLDER = timedelta(days=1)  # more than any time zone could explain

__DEFAULT_UPDATED_SINCE_PARAM = "updated_since"
__MOCK_BASE_URL = "https://mock.awardco.invalid"
__USER_AGENT = "fivetran-awardco-users-connector"
__CONNECT_AND_READ_TIMEOUT_SECONDS = (10, 60)
__MAX_ATTEMPTS = 8
__MAX_ATTEMPTS_BAD_ANSWER = 2
__MAX_ATTEMPTS_SETUP_TEST = 2
__FIRST_BACKOFF_SECONDS = 1
__MAX_BACKOFF_SECONDS = 60
__MAX_RETRY_AFTER_SECONDS = 600
__CALM_SECONDS = 60  # how long one page at a time is asked for after the API refused for rate
__RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}
__RETRIED_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
__QUOTED_CHARACTERS = 200

__TIMESTAMP = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:(?P<separator>[T ])(?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:[.,](?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
__NON_WORD = re.compile(r"\W", re.ASCII)
__LONE_SURROGATE = re.compile("[\ud800-\udfff]")
__LOOKS_TYPED = re.compile(r"[-+.:TtZzEe \d]+")  # what the SDK may take for a number or a time
__MAX_TYPED_CHARACTERS = 4000  # Python refuses to read an integer of more than 4,300 digits
__ZONED_MINUTE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)", re.ASCII | re.I)


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended a sync or a setup test; the message is written for the user."""


# --- Configuration ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """The checked configuration."""

    api_key: str = field(repr=False)
    base_url: str
    updated_since_param: str
    use_mock: bool


def validate_configuration(configuration: dict) -> Settings:
    """Check the configuration before any request is made.

    Args:
        configuration: flat strings: `api_key`, `base_url`, and optionally `updated_since_param` and
            `use_mock`. Blank values and placeholders (`<...>`) count as not set.
    Returns:
        The settings, without the spaces, trailing slash and trailing `/api` that people paste.
    Raises:
        ConfigurationError: names the setting and the remedy, and never shows a value.
    """
    use_mock = (_setting(configuration, "use_mock") or "false").lower()
    if use_mock not in ("true", "false"):
        raise ConfigurationError("use_mock must be true or false: correct it, or leave it out.")
    return Settings(
        api_key="mock" if use_mock == "true" else _checked_api_key(configuration),
        base_url=_checked_mock() if use_mock == "true" else _checked_base_url(configuration),
        updated_since_param=_checked_updated_since_param(configuration),
        use_mock=use_mock == "true",
    )


def _setting(configuration: dict, name: str) -> str:
    """The value without surrounding spaces; empty where it is blank or still a placeholder."""
    value = str(configuration.get(name) or "").strip()
    return "" if value.startswith("<") and value.endswith(">") else value


def _checked_mock() -> str:
    # Only the command line of the SDK sets this value: made-up people must never reach a warehouse.
    if os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":
        raise ConfigurationError(
            "use_mock is for `fivetran debug` on your own machine and is refused elsewhere: remove it "
            "from the configuration, and set api_key and base_url."
        )
    return __MOCK_BASE_URL


def _checked_api_key(configuration: dict) -> str:
    key = _setting(configuration, "api_key")
    if not key:
        raise ConfigurationError(
            "api_key is missing: set it to the API key of your Awardco tenant, or set use_mock to "
            "true to try the connector without one."
        )
    if key.startswith("fivetran_encrypted:"):
        raise ConfigurationError(
            "api_key is encrypted: run `fivetran debug`, which decrypts it, instead of this file."
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigurationError(
            "api_key holds a space, a line break or another character that an HTTP header cannot "
            "hold: copy the key again."
        )
    return key


def _checked_base_url(configuration: dict) -> str:
    url = _setting(configuration, "base_url")
    if not url:
        raise ConfigurationError(
            "base_url is missing: set it to the address of the Awardco API, such as "
            "https://api.awardco.com."
        )
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\\]", url):
        raise ConfigurationError(
            "base_url is not a web address: write it with scheme and host, such as "
            "https://api.awardco.com."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            "base_url holds a user name, a query or a fragment: give scheme, host and path only; the "
            "key belongs in api_key."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigurationError(
            "base_url uses http, which would send the key unencrypted: use https (http is accepted "
            "for this machine only, for development)."
        )
    return re.sub(r"(/api(/users)?)?/*$", "", url.rstrip("/"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_updated_since_param(configuration: dict) -> str:
    name = _setting(configuration, "updated_since_param") or __DEFAULT_UPDATED_SINCE_PARAM
    if name.lower() in ("page", "per_page"):
        raise ConfigurationError(
            "updated_since_param must not be page or per_page, which count the pages: set it to the "
            f"name of the API's timestamp filter (default {__DEFAULT_UPDATED_SINCE_PARAM})."
        )
    return name


# --- Requests --------------------------------------------------------------------------------------


@dataclass
class Api:
    """What all requests of a sync share. `session` alone holds the key, in its headers."""

    session: requests.Session
    url: str
    updated_since_param: str
    max_attempts: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    held_until: float = 0.0  # time.monotonic() before which the API asked not to be asked
    calm_until: float = 0.0  # time.monotonic() before which pages are asked for one at a time


@dataclass
class Answer:
    """One page: its users as the API sent them, and the server's clock (None if it has none)."""

    users: list
    date: datetime


class AnswerProblem(Exception):
    """A request that brought no page: `attempts` says how often it is worth asking in all."""

    def __init__(self, message: str, attempts: int, status: int = None, retry_after: float = None):
        super().__init__(message)
        self.attempts = attempts
        self.status = status
        self.retry_after = retry_after


class Cancelled(Exception):
    """Ends a request whose page nobody waits for any more."""


def _open_api(settings: Settings, max_attempts: int) -> Api:
    session = requests.Session()
    session.headers.update(
        {"apiKey": settings.api_key, "Accept": "application/json", "User-Agent": __USER_AGENT}
    )
    if settings.use_mock:
        session.mount(__MOCK_BASE_URL, MockAwardco(settings.updated_since_param))
    return Api(
        session, f"{settings.base_url}/api/users", settings.updated_since_param, max_attempts
    )


def make_request_with_retry(
    api: Api, page: int, updated_since: str = None, closed: threading.Event = None
) -> Answer:
    """Ask for one page of users, again where another try may help.

    Args:
        api: the session and what its requests share.
        page: from 1.
        updated_since: the filter, in the API's own format; None asks for everybody.
        closed: once set, no further attempt is made.
    Returns:
        The page; a page past the end has no users.
    Raises:
        SyncError: the last attempt's problem, with the status, what to check and what the API said.
        Cancelled: `closed` was set.
    """
    closed = closed or threading.Event()
    params = {"page": page, "per_page": __PAGE_SIZE}
    if updated_since is not None:
        params[api.updated_since_param] = updated_since
    not_before = 0.0
    for attempt in itertools.count(1):
        _wait_for_turn(api, not_before, closed)
        try:
            return _request(api, params)
        except AnswerProblem as problem:
            attempts = min(problem.attempts, api.max_attempts)
            wait = _wait_seconds(problem, attempt)
            if attempt >= attempts or wait > __MAX_RETRY_AFTER_SECONDS:
                raise SyncError(_final_message(page, attempt, problem)) from None
            log.warning(
                f"Page {page}: attempt {attempt} of {attempts} failed ({problem}); next in {wait:.1f} s"
            )
            not_before = time.monotonic() + wait
            _hold_back(api, problem, not_before)


def _sleep(closed: threading.Event, seconds: float):
    closed.wait(seconds)  # ends early when the page is no longer wanted


def _wait_for_turn(api: Api, not_before: float, closed: threading.Event):
    while not closed.is_set():
        seconds = max(not_before, api.held_until) - time.monotonic()
        if seconds <= 0:
            return
        _sleep(closed, seconds)
    raise Cancelled()


def _wait_seconds(problem: AnswerProblem, attempt: int) -> float:
    """Exponential backoff with jitter; longer where the API asked for more."""
    backoff = __FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    return max(min(backoff, __MAX_BACKOFF_SECONDS), problem.retry_after or 0)


def _hold_back(api: Api, problem: AnswerProblem, until: float):
    """A refusal for rate, or a `Retry-After`, is meant for every request in flight."""
    with api.lock:
        if problem.status == 429:
            api.calm_until = max(api.calm_until, until + __CALM_SECONDS)
        if problem.status == 429 or problem.retry_after is not None:
            api.held_until = max(api.held_until, until)


def _final_message(page: int, attempt: int, problem: AnswerProblem) -> str:
    if problem.retry_after and problem.retry_after > __MAX_RETRY_AFTER_SECONDS:
        problem = (
            f"{problem}, and the API asked to wait {problem.retry_after:.0f} s, which is longer than a "
            f"sync waits ({__MAX_RETRY_AFTER_SECONDS} s): start the sync again later"
        )
    tries = "" if attempt == 1 else f" after {attempt} attempts"
    return f"Awardco users, page {page}, failed{tries}: {problem}"


def _request(api: Api, params: dict) -> Answer:
    """One attempt. Raises AnswerProblem, which never quotes a header: one of them is the key."""
    try:
        # Without allow_redirects=False the key would follow a redirect to whatever host it names.
        response = api.session.get(
            api.url,
            params=params,
            timeout=__CONNECT_AND_READ_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except __RETRIED_ERRORS as error:
        raise AnswerProblem(_connection_message(error), __MAX_ATTEMPTS) from None
    except requests.RequestException as error:
        raise AnswerProblem(f"{type(error).__name__}: check base_url and api_key", 1) from None
    if response.status_code != 200:
        raise _status_problem(response)
    try:
        body = _parse_json(response.content)
    except (ValueError, RecursionError):
        raise AnswerProblem("HTTP 200, but the body is not JSON", __MAX_ATTEMPTS) from None
    return Answer(_users(body, response), _server_date(response))


def _connection_message(error: Exception) -> str:
    """The innermost reason; the outer ones repeat the address."""
    if isinstance(error, requests.Timeout):
        return (
            f"no answer within {__CONNECT_AND_READ_TIMEOUT_SECONDS[1]} s ({type(error).__name__})"
        )
    while error.__context__ is not None:
        error = error.__context__
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"the connection failed ({reason}); check base_url if this stays so"


def _status_problem(response: requests.Response) -> AnswerProblem:
    status = response.status_code
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("Location", "")).hostname or "an unnamed host"
        advice = f"a redirect to {_masked(response, host)}: set base_url to the final address"
        return AnswerProblem(f"HTTP {status}, {advice}", 1, status)
    advice = {
        400: "check updated_since_param and base_url",
        401: "check api_key: the API does not accept it",
        403: "check that api_key has the permission to read users",
        404: "check base_url: there is no /api/users below it",
    }.get(status, "check base_url, and the API's status page")
    message = f"HTTP {status}; {advice}{_quoted(response)}"
    if status not in __RETRIED_STATUSES:
        return AnswerProblem(message, 1, status)
    return AnswerProblem(
        f"HTTP {status}{_quoted(response)}", __MAX_ATTEMPTS, status, _retry_after(response)
    )


def _retry_after(response: requests.Response) -> float:
    """Seconds that the API asked to wait; None where it did not, or wrote nonsense."""
    try:
        # Retry reads seconds and HTTP dates; its own cap (6 hours) is above ours.
        return Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, HTTPError, ValueError, OverflowError):
        return None


def _quoted(response: requests.Response) -> str:
    """What the API said, as the end of a sentence: one line, short, with the key masked."""
    try:
        said = json.loads(response.content)["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        said = response.text
    said = _masked(response, " ".join(str(said).split()))[:__QUOTED_CHARACTERS]
    return f"; the API said: {said}" if said else ""


def _masked(response: requests.Response, text: str) -> str:
    return text.replace(response.request.headers["apiKey"], "****")


def _users(body: dict, response: requests.Response) -> list:
    if isinstance(body, dict) and body.get("success") is False:
        problem = f"HTTP 200 with success: false; check api_key and its rights{_quoted(response)}"
        raise AnswerProblem(problem, __MAX_ATTEMPTS_BAD_ANSWER)
    if not isinstance(body, dict) or not isinstance(body.get("users"), list):
        problem = "HTTP 200, but the body has no list `users`; check base_url"
        raise AnswerProblem(problem, __MAX_ATTEMPTS_BAD_ANSWER)
    return body["users"]


def _server_date(response: requests.Response) -> datetime:
    try:
        date = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def _parse_json(content: bytes):
    """Parse a body into values that the SDK can encode exactly."""
    body = _loads(content)
    if b"\\ud" in content.lower() or b"\xed" in content:
        # Half an emoji makes the SDK raise; whole ones, escaped in two halves, are kept.
        body = _loads(__LONE_SURROGATE.sub("\ufffd", json.dumps(body, ensure_ascii=False)))
    return body


def _loads(text):
    return json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=str)


def _integer(digits: str):
    return int(digits) if len(digits) < 19 else digits  # beyond 64 bits, text alone is exact


def _finite(digits: str):
    number = float(digits)
    return number if math.isfinite(number) else digits


# --- Pages -----------------------------------------------------------------------------------------


def _pages(api: Api, updated_since: str, first: int):
    """Yield the Answer of each page from `first` on, in page order; an empty one is the last.

    A few pages are fetched ahead, so that the network and the destination work at the same time, but
    only once a full or a second page has come: a small sync costs two requests.
    """
    closed = threading.Event()
    pool = ThreadPoolExecutor(__PAGES_IN_FLIGHT)
    numbers = itertools.count(first)
    in_flight = deque()
    width, previous = 1, None
    try:
        for number in itertools.count(first):
            while len(in_flight) < width:
                task = (make_request_with_retry, api, next(numbers), updated_since, closed)
                in_flight.append(pool.submit(*task))
            answer = in_flight.popleft().result()
            if answer.users == previous and _is_end(api, updated_since, number, answer):
                return
            yield answer
            if not answer.users:
                return
            full_or_second = len(answer.users) >= __PAGE_SIZE or previous is not None
            calm = time.monotonic() < api.calm_until
            width = __PAGES_IN_FLIGHT if full_or_second and not calm else 1
            previous = answer.users
    finally:
        closed.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _is_end(api: Api, updated_since: str, page: int, answer: Answer) -> bool:
    """Whether a page equal to the one before it is the server's way to say that there are no more.

    A server that ignores `page` or repeats its last page does so for any page. Rows that moved down
    by exactly a page look the same once, and ending there would lose everybody after them.
    """
    far = make_request_with_retry(api, page + __FAR_PAGES, updated_since)
    return far.users == answer.users


# --- Rows ------------------------------------------------------------------------------------------


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 timestamp.

    Takes `Z`, `+02:00`, `+0200`, a space for the `T`, 0 to 9 fraction digits (microseconds are
    kept), and a date alone. No zone means UTC.

    Returns:
        An aware UTC datetime, or None where `text` is not such a timestamp.
    """
    match = __TIMESTAMP.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    date, _, minute, second, fraction, zone = match.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    try:
        # Python 3.10 reads exactly this form.
        read = datetime.fromisoformat(
            f"{date}T{minute or '00:00'}{second or ':00'}.{micros}+00:00"
        )
        return read - _offset(zone) if zone and zone not in "Zz" else read
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    """The offset of `+02:00`, `+0200` or `+02`. Raises ValueError beyond a day."""
    return datetime.strptime(zone.replace(":", "").ljust(5, "0"), "%z").utcoffset()


def _like(sample: str, instant: datetime) -> str:
    """Write `instant` as the API wrote `sample`, rounded down to its precision."""
    _, separator, _, second, fraction, zone = __TIMESTAMP.fullmatch(sample.strip()).groups()
    if zone and zone not in "Zz":
        instant = instant + _offset(zone)
    date, clock = instant.replace(tzinfo=None).isoformat(timespec="microseconds").split("T")
    if not separator:
        return date
    digits = f".{clock[9:].ljust(9, '0')[: len(fraction)]}" if fraction else ""
    return f"{date}{separator}{clock[:8] if second else clock[:5]}{digits}{zone or ''}"


class Columns(dict):
    """The column of each field name met so far; None for a name that can be no column.

    Fivetran gives `costCentre`, `Cost-Centre` and `cost_centre` one column, of which a row keeps one
    value: the first spelling met is used for all of them, and a second one in the same row goes to
    `other_fields`. So do names without a letter or digit, and those that Fivetran reserves.
    """

    def __init__(self, taken: dict):
        super().__init__()
        self.taken = taken  # snake case to column

    def __missing__(self, name: str):
        snake = _snake_case(name)
        usable = re.search(r"[a-z0-9]", snake) and not snake.startswith("_fivetran")
        printable = "".join(c if c.isprintable() else "_" for c in name)
        self[name] = self.taken.setdefault(snake, printable) if usable else None
        return self[name]


def _new_columns() -> Columns:
    return Columns({**{_snake_case(name): name for name in __COLUMNS}, __OTHER_FIELDS: None})


def _snake_case(name: str) -> str:
    """The name that Fivetran's naming gives a field."""
    plain = "".join(
        c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) != "Mn"
    )
    words = re.sub(
        r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=\D)|(?<=\D)(?=\d)", "_", __NON_WORD.sub("_", plain)
    )
    return re.sub("_+", "_", words).lower()


def _row(user: dict, columns: Columns, problems: Counter) -> dict:
    """Turn a user as the API sent it into a row that the SDK can store.

    Args:
        user: any JSON value.
        columns: the columns of the fields met so far.
        problems: counts what could not be used, by reason.
    Returns:
        The row, or None where there is no usable `employeeId`.
    """
    if not isinstance(user, dict) or not _is_identifier(user.get(__KEY)):
        problems["users without a usable employeeId, skipped"] += 1
        return None
    row = {name: _declared(name, user[name], problems) for name in __COLUMNS if name in user}
    others = {}
    for name in user.keys() - row.keys() if len(user) > len(row) else ():
        column, value = columns[name], user[name]
        if column is None or column in row or _is_misleading(value):
            others[name] = value
        elif column in __COLUMNS:
            row[column] = _declared(column, value, problems)
        else:
            row[column] = _undeclared(value)
    if others:
        row[__OTHER_FIELDS] = others
    return row


def _is_identifier(value) -> bool:
    if isinstance(value, str):
        return bool(value.replace("\x00", "").strip())  # the destination drops NUL characters
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _declared(column: str, value, problems: Counter):
    """The value for a declared column; None, and counted, where it is unreadable."""
    kind = __COLUMNS[column]
    if kind == "STRING":
        # The SDK would store Python's notation of what is not text.
        is_text = value is None or isinstance(value, str)
        return value if is_text else json.dumps(value, ensure_ascii=False)
    if value is None or value == "":
        return None
    read = _number(value) if kind == "DOUBLE" else parse_timestamp(value)
    if read is None:
        problems[f"unreadable values of {column}, stored as null"] += 1
    return read


def _number(value) -> float:
    """A finite number, also from text such as `"12.50"`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or "_" in str(value):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_misleading(value) -> bool:
    """Whether the SDK would take a text for a number or a time, and then fail to read it as one."""
    if not isinstance(value, str) or not __LOOKS_TYPED.fullmatch(value):
        return False
    if not value.isascii() or len(value) > __MAX_TYPED_CHARACTERS:
        return True
    return bool(__ZONED_MINUTE.fullmatch(value)) and parse_timestamp(value) is None


def _undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        # As a float it would be stored with 32 bits; as text with a point it becomes a DOUBLE.
        digits = repr(value)
        return digits if "." in digits else digits.replace("e", ".0e")
    if isinstance(value, str) and __ZONED_MINUTE.fullmatch(value):
        return __ZONED_MINUTE.sub(
            r"\1:00\2", value
        )  # taken for a time, but refused without seconds
    return value


# --- The sync --------------------------------------------------------------------------------------


@dataclass
class Resume:
    """The progress of an unfinished pass, as the state holds it."""

    page: int
    per_page: int
    started_at: str
    torn: bool


@dataclass
class Pass:
    """What one walk over the window showed."""

    page: int  # the next one
    started_at: datetime = None  # by the server's clock
    resumed: bool = False
    torn_before: bool = False  # in the part that an earlier sync read
    dated: bool = False  # its first answer has come
    pages: int = 0
    rows: int = 0
    ascending: bool = True  # within each page: requests that overlap in time blur it across pages
    recent: bool = False  # a row changed while the pass was under way
    sequence: int = 0  # a hash of the rows in their order


@dataclass
class Sync:
    """What one sync knows."""

    updated_since: str  # the filter, frozen: every request of the sync carries it
    cursor: str  # last_sync_time as the state had it
    resume: Resume = None
    filter_from: datetime = None  # the filter as an instant
    started_at: datetime = None  # of its first pass
    newest: datetime = None
    newest_text: str = None  # as the API wrote it
    filter_ignored: bool = False
    delivered: dict = field(default_factory=dict)  # employeeId to updated_at
    upserts: int = 0
    pages: int = 0
    columns: Columns = field(default_factory=_new_columns)
    problems: Counter = field(default_factory=Counter)


def update(configuration: dict, state: dict):
    """Sync the users that changed since the last sync; all of them where there was none.

    Args:
        configuration: see `validate_configuration()`.
        state: `{"last_sync_time": text}`, with `resume` where the last sync did not finish; `{}` at first.
    Raises:
        ConfigurationError, SyncError: written for the user. Both are raised again here, because the
            frames below hold users and settings, and a crash report prints what frames hold.
    """
    try:
        settings = validate_configuration(configuration)
        _sync(_open_api(settings, __MAX_ATTEMPTS), _read_state(state))
    except (ConfigurationError, SyncError) as error:
        raise type(error)(str(error)) from None


def _read_state(state: dict) -> Sync:
    cursor = _read_stored(state, "last_sync_time", "last_sync_time")
    if state.get("resume") is None:
        return Sync(cursor, cursor, filter_from=parse_timestamp(cursor))
    resume = state["resume"] if isinstance(state["resume"], dict) else {}
    for name in ("page", "per_page"):
        if type(resume.get(name)) is not int or resume[name] < 1:
            raise SyncError(_unreadable_state(f"resume.{name}"))
    if resume.get("started_at") is None:
        raise SyncError(_unreadable_state("resume.started_at"))
    started_at = _read_stored(resume, "started_at", "resume.started_at")
    updated_since = _read_stored(resume, "updated_since", "resume.updated_since")
    walk = Resume(resume["page"], resume["per_page"], started_at, resume.get("torn") is True)
    return Sync(updated_since, cursor, walk, parse_timestamp(updated_since))


def _read_stored(values: dict, name: str, path: str) -> str:
    text = values.get(name)
    if text is not None and parse_timestamp(text) is None:
        raise SyncError(_unreadable_state(path))
    return text


def _unreadable_state(path: str) -> str:
    return (
        f"The state cannot be used: {path} is missing or unreadable. Correct it in the state, or start "
        "a re-sync, which reads everybody again."
    )


def _sync(api: Api, sync: Sync):
    """Read the window until a pass can be trusted to have missed nobody, then move the cursor."""
    log.info(_opening_line(sync))
    sequence = None
    for number in range(1, __MAX_PASSES + 1):
        walk = _walk(api, sync) or _walk(api, sync)
        settled = not _is_torn(sync, walk, number) or walk.sequence == sequence
        if settled:
            break
        sequence = walk.sequence
        log.info(f"Users may have moved between pages during pass {number}")
    cursor = _cursor(sync) if settled else sync.updated_since
    op.checkpoint(_state(cursor))
    _report(api, sync, cursor, settled)


def _opening_line(sync: Sync) -> str:
    if sync.resume is not None:
        since = sync.updated_since or "ever"
        return f"Going on at page {sync.resume.page} of an unfinished sync of users changed since {since}"
    if sync.updated_since is None:
        return "Full sync: the state holds no last_sync_time"
    return f"Incremental sync: users changed since {sync.updated_since}"


def _walk(api: Api, sync: Sync) -> Pass:
    """Read the window once and deliver its rows, checkpointing after each page.

    Goes on where an unfinished sync left off; None where that walk is too old to go on with.
    """
    walk = _take_up(sync)
    for answer in _pages(api, sync.updated_since, walk.page):
        if not _date(sync, walk, answer):
            log.info("The unfinished sync began too long ago; its window is read from page 1")
            return None
        if answer.users:
            _deliver(sync, walk, answer.users)
            op.checkpoint(_state(_cursor(sync), _progress(sync, walk)))
            _watch(sync, walk)
    return walk


def _take_up(sync: Sync) -> Pass:
    resume, sync.resume = sync.resume, None
    if resume is None:
        return Pass(page=1)
    if resume.per_page != __PAGE_SIZE:
        log.info("The page size has changed since; the window is read from page 1")
        return Pass(page=1)
    return Pass(resume.page, parse_timestamp(resume.started_at), True, resume.torn)


def _date(sync: Sync, walk: Pass, answer: Answer) -> bool:
    """Date a pass by its first answer; False where a resumed one began over a day before it."""
    if walk.dated:
        return True
    now = answer.date or _now()
    walk.dated = True
    walk.started_at = walk.started_at or now
    if not timedelta(0) <= now - walk.started_at <= __RESUME_MAX_AGE:
        return False
    sync.started_at = sync.started_at or walk.started_at
    return True


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _deliver(sync: Sync, walk: Pass, users: list):
    """Upsert the users of a page whom this sync has not delivered as they are now."""
    pairs = [(user, _row(user, sync.columns, sync.problems)) for user in users]
    pairs = [(user, row) for user, row in pairs if row is not None]
    if len(users) >= __PAGE_SIZE and len(pairs) * 2 < len(users):
        raise SyncError(
            f"{len(users) - len(pairs)} of the {len(users)} users on page {walk.page} have no usable "
            f"{__KEY}: the API's answer has changed shape. Nothing of this page was stored; adapt "
            "the connector to the new field."
        )
    _judge(sync, walk, [row for _, row in pairs])
    for user, row in pairs:
        key, changed_at = row[__KEY], row.get("updated_at")
        if changed_at is not None and (sync.newest is None or changed_at > sync.newest):
            sync.newest = changed_at
            sync.newest_text = user.get("updated_at") or changed_at.isoformat()
        if _is_news(sync.delivered, key, changed_at):
            op.upsert(__TABLE, row)
            sync.delivered[key] = changed_at
            sync.upserts += 1


def _is_news(delivered: dict, key: str, changed_at: datetime) -> bool:
    """Whether a row is new to this sync. Of pages asked for at the same time, the later may be older."""
    if key not in delivered:
        return True
    known = delivered[key]
    return changed_at != known and (changed_at is None or known is None or changed_at > known)


def _judge(sync: Sync, walk: Pass, rows: list):
    """Note what the rows of a page say about the pass: their order, and changes while it ran."""
    walk.page += 1
    walk.pages += 1
    sync.pages += 1
    walk.rows += len({row[__KEY] for row in rows})  # twice on one page is the source's own doing
    instants = [row["updated_at"] for row in rows if row.get("updated_at") is not None]
    walk.ascending &= all(a <= b for a, b in zip(instants, instants[1:]))
    if instants and max(instants) >= walk.started_at:  # >=, because Date has whole seconds
        walk.recent = True
    if sync.filter_from is not None and instants:
        sync.filter_ignored |= min(instants) < sync.filter_from - __CLEARLY_OLDER
    walk.sequence = hash((walk.sequence, *((row[__KEY], row.get("updated_at")) for row in rows)))


def _is_torn(sync: Sync, walk: Pass, number: int) -> bool:
    """Whether rows may have slipped between two pages of a pass.

    A row slips when another one moves from a page already read to one that is not. The pages of a pass
    hold as many rows as the source has users, so a pass that missed one met another one twice, and has
    brought more rows than the sync knows users. Where rows come in ascending order a change seen during
    the first pass is reason enough to look again; so it is in any order where an earlier sync read a
    part of the pass, and whom that part held is not known any more.
    """
    if walk.pages < 2 and not walk.resumed:
        return False
    changed = walk.recent and (walk.resumed or walk.ascending and number == 1)
    return walk.rows > len(sync.delivered) or changed or walk.torn_before


def _cursor(sync: Sync) -> str:
    """Where `last_sync_time` may stand: at the newest value, an hour before the sync's start, or as it was."""
    if sync.newest is None:
        return sync.cursor
    limit = sync.started_at - __SETTLING_TIME
    text = sync.newest_text if sync.newest <= limit else _like(sync.newest_text, limit)
    if sync.cursor is not None and parse_timestamp(text) < parse_timestamp(sync.cursor):
        return sync.cursor
    return text


def _state(cursor: str, resume: dict = None) -> dict:
    state = {} if cursor is None else {"last_sync_time": cursor}
    return state if resume is None else {**state, "resume": resume}


def _progress(sync: Sync, walk: Pass) -> dict:
    return {
        "updated_since": sync.updated_since,
        "page": walk.page,
        "per_page": __PAGE_SIZE,
        "started_at": walk.started_at.isoformat(),
        "torn": walk.torn_before or walk.recent or walk.rows > len(sync.delivered),
    }


def _watch(sync: Sync, walk: Pass):
    """Tell of the progress; end a walk that brings nobody new for thousands of pages."""
    if sync.pages % __PAGES_PER_PROGRESS_LINE == 0:
        log.info(
            f"Page {walk.page - 1}: {sync.upserts} users so far, newest change {sync.newest_text or 'unknown'}"
        )
    if walk.pages > 3 * len(sync.delivered) + __MAX_IDLE_PAGES:
        raise SyncError(
            f"{walk.pages} pages held only {len(sync.delivered)} different users, and no page was empty: "
            "the API does not page as it should. Check base_url, and the `page` parameter."
        )


def _report(api: Api, sync: Sync, cursor: str, settled: bool):
    """The totals, and once per sync what a person should know; never a value of a user."""
    log.info(f"Synced {sync.upserts} users from {sync.pages} pages; last_sync_time is {cursor}")
    warnings = [f"{count} {reason}" for reason, count in sorted(sync.problems.items())]
    if not settled:
        warnings.append(
            f"Users moved between pages in each of {__MAX_PASSES} passes: last_sync_time stays where it "
            "was, and the next sync reads the same window again."
        )
    if sync.filter_ignored:
        warnings.append(
            f"The API does not know the filter `{api.updated_since_param}`, so every sync reads everybody: "
            "set updated_since_param to the name that your API uses."
        )
    if sync.upserts and sync.newest is None and sync.cursor is None:
        warnings.append(
            "No user has an updated_at that can be read, so every sync reads everybody."
        )
    if sync.filter_from is not None and sync.started_at and sync.filter_from > sync.started_at:
        warnings.append(
            "last_sync_time in the state lies in the future, so changes are not found: start a re-sync."
        )
    for warning in warnings:
        log.warning(warning)
        op.warning(warning)


# --- Mock mode -------------------------------------------------------------------------------------


class MockAwardco(BaseAdapter):
    """Answers for the API from mock_data/users.json, with paging and the filter, without a network."""

    def __init__(self, updated_since_param: str):
        super().__init__()
        self.updated_since_param = updated_since_param
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "mock_data", "users.json"), encoding="utf-8") as file:
            self.users = json.load(file)["users"]

    def send(self, request, **_) -> requests.Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        since = parse_timestamp(query.get(self.updated_since_param))
        matching = [user for user in self.users if since is None or _changed_since(user, since)]
        page, per_page = int(query["page"]), int(query["per_page"])
        users = matching[(page - 1) * per_page : page * per_page]
        response = requests.Response()
        response.status_code = 200
        response.request, response.url = request, request.url
        response.headers["Date"] = format_datetime(_now(), usegmt=True)
        response.raw = io.BytesIO(json.dumps({"users": users}).encode())
        return response

    def close(self):
        pass


def _changed_since(user: dict, since: datetime) -> bool:
    changed_at = parse_timestamp(user.get("updated_at"))
    return changed_at is not None and changed_at >= since


# --- The connector ---------------------------------------------------------------------------------


def schema(configuration: dict) -> list:
    """Declare the table `USER` and the columns whose type must not be left to inference.

    Inference would make the first name `T` a boolean, and of `00042` and `42` two types; it would keep
    a balance with 32 bits only. Other fields that the API sends get columns of their own as they come.
    """
    return [{"table": __TABLE, "primary_key": [__KEY], "columns": __COLUMNS}]


def configuration_form() -> ConfigurationForm:
    """The setup form of the dashboard and of `fivetran configuration`, with its tests."""
    form = ConfigurationForm()
    form.add_field(
        form_field.TextField(
            "api_key",
            "API key",
            form_field.TextField.password,
            description="From the integration settings of your Awardco tenant, or from your Awardco "
            "contact. It needs the permission to read users.",
            required=True,
        )
    )
    form.add_field(
        form_field.TextField(
            "base_url",
            "Base URL",
            description="The address of the Awardco API of your tenant, without /api/users; your Awardco "
            "contact gives it together with the key.",
            required=True,
            placeholder="https://api.awardco.com",
        )
    )
    form.add_field(
        form_field.TextField(
            "updated_since_param",
            "Name of the timestamp filter",
            description="The query parameter with which the API returns only users changed since a time. "
            f"Leave it blank for {__DEFAULT_UPDATED_SINCE_PARAM}; the last setup test tells whether it works.",
            placeholder=__DEFAULT_UPDATED_SINCE_PARAM,
        )
    )
    form.add_test(label="The API answers and accepts the key", func=connection_test)
    form.add_test(label="The answer has users as expected", func=users_test)
    form.add_test(label="The timestamp filter works", func=filter_test)
    return form


def connection_test(configuration: dict):
    """Setup test: the API is reachable and the key is accepted."""
    return _setup_test(configuration, lambda api: make_request_with_retry(api, 1) and None)


def users_test(configuration: dict):
    """Setup test: there are users, with the fields that the sync needs."""
    return _setup_test(
        configuration, lambda api: _check_users(make_request_with_retry(api, 1).users)
    )


def filter_test(configuration: dict):
    """Setup test: asked for changes since the far future, the API returns nobody."""
    return _setup_test(configuration, _check_filter)


def _check_users(users: list) -> str:
    rows = [row for user in users if (row := _row(user, _new_columns(), Counter()))]
    if not users:
        return "The API has no users: check that api_key may see the users of your tenant."
    if not rows:
        return (
            f"The users have no {__KEY}: the API differs from the one this connector was made for."
        )
    if not any(row.get("updated_at") for row in rows):
        return "No user has an updated_at that can be read: without it every sync reads everybody."
    return None


def _check_filter(api: Api) -> str:
    users = make_request_with_retry(api, 1).users
    samples = [user.get("updated_at") for user in users if isinstance(user, dict)]
    sample = next((text for text in samples if parse_timestamp(text)), "2000-01-01T00:00:00Z")
    far_future = _like(sample, datetime(2999, 12, 31, tzinfo=timezone.utc))
    if not make_request_with_retry(api, 1, far_future).users:
        return None
    return (
        f"Asked for changes since {far_future[:4]}, the API still returns users: it does not know the filter "
        f"`{api.updated_since_param}`, and every sync would read everybody. Set updated_since_param to the "
        "name that your API uses."
    )


def _setup_test(configuration: dict, check):
    """Run a check, which returns a failure's message or None. Never raises: a crash report of a setup
    test is not redacted."""
    try:
        failure = check(
            _open_api(validate_configuration(configuration), __MAX_ATTEMPTS_SETUP_TEST)
        )
    except (ConfigurationError, SyncError) as error:
        failure = str(error)
    except Exception as error:  # a message of its own could quote what must not be shown
        failure = f"The test could not be carried out ({type(error).__name__})."
    return Test().failure(failure) if failure else Test().success()


connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    with open("configuration.json", encoding="utf-8") as configuration_file:
        connector.debug(configuration=json.load(configuration_file))
