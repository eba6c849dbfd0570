"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, upserts each user into
the table `USER` (key `employeeId`) and checkpoints after each page. The API documents neither its
order of rows nor its filter, page size or clock, so nothing here rests on them. Three values are
kept apart:

- the filter of a sync, frozen while pages are counted: moving it would skip rows;
- the progress of the walk, in the state as `resume` only while a sync is unfinished;
- the cursor, `last_sync_time`: the newest `updated_at` delivered, but never later than an hour
  before the sync began, so that a change which the reader could not see yet is read next time.

Read from the top: configuration, requests, pages, rows, the sync, mock mode, the connector.
"""

import html
import io
import ipaddress
import itertools
import json
import math
import os
import random
import re
import sys
import threading
import time
import traceback
import unicodedata
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

# By way of requests: Fivetran's CLI would ask to declare urllib3, which comes with it.
from requests.packages.urllib3.exceptions import HTTPError
from requests.packages.urllib3.util.retry import Retry

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

__DEFAULT_UPDATED_SINCE_PARAM = "updated_since"
__MOCK_BASE_URL = "https://mock.awardco.invalid"

__USER_AGENT = "fivetran-awardco-users"
__TIMEOUT_SECONDS = (10, 60)  # to connect, to read
__MAX_ATTEMPTS = 8
__MAX_ATTEMPTS_AT_A_BAD_ANSWER = 2
__FIRST_BACKOFF_SECONDS = 1
__MAX_BACKOFF_SECONDS = 60
__MAX_RETRY_AFTER_SECONDS = 600
__SETUP_TEST_MAX_ATTEMPTS = 2
__SETUP_TEST_MAX_RETRY_AFTER_SECONDS = 10  # a person is waiting
__CALM_SECONDS = 60  # after a refusal for rate, pages are asked for one at a time for so long
__RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}
__RETRIED_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
__ADVICE = {
    400: "check updated_since_param and base_url",
    401: "check api_key: the API does not accept it",
    403: "check that api_key has the permission to read users",
    404: "check base_url: there is no /api/users below it",
}
__MAX_QUOTED_CHARACTERS = 200

__PAGE_SIZE = 100
__PAGES_IN_FLIGHT = 4
__PAGES_A_PROGRESS_LINE = 10
__FAR_PAGES = 1_000_000  # so far past the end that only a server which ignores `page` has rows
__MAX_IDLE_PAGES = 10_000

__MAX_PASSES = 5
__SETTLING_TIME = timedelta(hours=1)
__MAX_RESUME_AGE = timedelta(days=1)
__CLEARLY_OLDER = timedelta(days=1)  # more than a mistaken time zone explains

__TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:([T ])(\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
__ZONED_MINUTE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)", re.ASCII | re.I)
__LOOKS_TYPED = re.compile(r"[-+.:TtZzEe \d]+")
__NOT_IN_A_NAME = re.compile(r"\W", re.ASCII)
__WORD_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=\D)|(?<=\D)(?=\d)")
__LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended a sync or a setup test; the message is written for the user."""


# --- Configuration ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """The checked configuration."""

    api_key: str = field(repr=False)
    base_url: str
    updated_since_param: str
    use_mock: bool


def validate_configuration(configuration: dict) -> Settings:
    """Check the configuration, before any request is made.

    Args:
        configuration: flat strings: `api_key` and `base_url`, optionally `updated_since_param` and
            `use_mock`. A blank value or a placeholder (`<...>`) counts as not set.
    Returns:
        The settings, without the spaces, trailing slash and trailing `/api` that people paste.
    Raises:
        ConfigurationError: names the setting and the remedy, and shows no value.
    """
    use_mock = (_setting(configuration, "use_mock") or "false").lower()
    if use_mock not in ("true", "false"):
        raise ConfigurationError("use_mock must be true or false: correct it, or leave it out.")
    updated_since_param = _updated_since_param(configuration)
    if use_mock == "true":
        _refuse_mock_on_fivetran()
        return Settings("mock", __MOCK_BASE_URL, updated_since_param, True)
    return Settings(_api_key(configuration), _base_url(configuration), updated_since_param, False)


def _setting(configuration: dict, name: str) -> str:
    value = str(configuration.get(name) or "").strip()
    return "" if value.startswith("<") and value.endswith(">") else value


def _refuse_mock_on_fivetran():
    # The SDK sets this for local runs only: made-up people must not reach a warehouse.
    if os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":
        raise ConfigurationError(
            "use_mock is for `fivetran debug` on your own machine, and refused elsewhere: remove "
            "it, and set api_key and base_url."
        )


def _api_key(configuration: dict) -> str:
    key = _setting(configuration, "api_key")
    if not key:
        raise ConfigurationError(
            "api_key is missing: set it to the API key of your Awardco tenant, or set use_mock to "
            "true to try the connector without one."
        )
    if key.startswith("fivetran_encrypted:"):
        raise ConfigurationError(
            "api_key is encrypted: run `fivetran debug`, which decrypts it, not connector.py."
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigurationError(
            "api_key holds a space, a line break or another character that no HTTP header can "
            "hold: copy the key again."
        )
    return key


def _base_url(configuration: dict) -> str:
    url = _setting(configuration, "base_url")
    if not url:
        raise ConfigurationError(
            "base_url is missing: set it to the address of the Awardco API, such as "
            "https://api.awardco.com."
        )
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or re.search(r"[\s\\]", url):
        raise ConfigurationError(
            "base_url is not a web address: write it with scheme and host, such as "
            "https://api.awardco.com."
        )
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigurationError(
            "base_url holds a user name, a query or a fragment: give scheme, host and path only; "
            "the key belongs in api_key."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigurationError(
            "base_url uses http, which would send the key unencrypted: use https (http is "
            "accepted for this machine only, for development)."
        )
    return re.sub(r"(?<!/)/api(/users)?$", "", url.rstrip("/")).rstrip("/")  # not of //api


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _updated_since_param(configuration: dict) -> str:
    name = _setting(configuration, "updated_since_param") or __DEFAULT_UPDATED_SINCE_PARAM
    if name.lower() in ("page", "per_page"):
        raise ConfigurationError(
            "updated_since_param must not be page or per_page, which count the pages: set it to "
            f"the name of the API's timestamp filter (default {__DEFAULT_UPDATED_SINCE_PARAM})."
        )
    return name


# --- Requests -----------------------------------------------------------------------------------


@dataclass
class Api:
    """What the requests of a sync share. The session alone holds the key, in its headers."""

    session: requests.Session
    url: str
    updated_since_param: str
    max_attempts: int
    max_retry_after: float  # seconds
    pool: ThreadPoolExecutor  # its size is the number of requests in flight
    lock: threading.Lock = field(default_factory=threading.Lock)
    held_until: float = 0.0  # time.monotonic() before which the API wants no request
    calm_until: float = 0.0  # time.monotonic() before which pages are asked for one at a time


@dataclass
class Answer:
    """A page of users as the API sent them, and the server's clock (None where it has none)."""

    users: list
    date: datetime


class AnswerProblem(Exception):
    """An attempt that brought no page; `attempts` is how often the page is worth asking for."""

    def __init__(self, message: str, attempts: int, status: int = None, retry_after: float = None):
        super().__init__(message)
        self.attempts = attempts
        self.status = status
        self.retry_after = retry_after


class Cancelled(Exception):
    """Ends a request whose page is not wanted any more."""


def _open_api(settings: Settings, max_attempts: int, max_retry_after: float) -> Api:
    session = requests.Session()
    session.headers.update(
        {"apiKey": settings.api_key, "Accept": "application/json", "User-Agent": __USER_AGENT}
    )
    if settings.use_mock:
        session.mount(__MOCK_BASE_URL, MockAwardco(settings.updated_since_param))
    url = f"{settings.base_url}/api/users"
    pool = ThreadPoolExecutor(__PAGES_IN_FLIGHT, thread_name_prefix="page")
    return Api(session, url, settings.updated_since_param, max_attempts, max_retry_after, pool)


def make_request_with_retry(
    api: Api, page: int, updated_since: str = None, closed: threading.Event = None
) -> Answer:
    """Ask for a page of users, again where another attempt may help.

    Args:
        api: the session, and what its requests share.
        page: from 1.
        updated_since: the filter, in the API's own notation; None asks for everybody.
        closed: once it is set, no attempt is made any more.
    Returns:
        The page; past the end, one without users.
    Raises:
        SyncError: with the last attempt's status, what to check, and what the API said.
        Cancelled: `closed` is set.
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
            if attempt >= attempts or (problem.retry_after or 0) > api.max_retry_after:
                raise SyncError(_final_message(api, page, attempt, problem)) from None
            log.warning(
                f"Page {page}: attempt {attempt} of {attempts}: {problem}; next in {wait:.1f} s"
            )
            not_before = time.monotonic() + wait
            _hold_back(api, problem, not_before)


def _wait_for_turn(api: Api, not_before: float, closed: threading.Event):
    while not closed.is_set():
        seconds = max(not_before, api.held_until) - time.monotonic()
        if seconds <= 0:
            return
        _sleep(closed, seconds)
    raise Cancelled()


def _sleep(closed: threading.Event, seconds: float):
    closed.wait(seconds)


def _wait_seconds(problem: AnswerProblem, attempt: int) -> float:
    """Exponential backoff with jitter, or longer where the API asked for it."""
    backoff = __FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    return max(min(backoff, __MAX_BACKOFF_SECONDS), problem.retry_after or 0)


def _hold_back(api: Api, problem: AnswerProblem, until: float):
    """A refusal for rate and a `Retry-After` are meant for all requests, not for one."""
    with api.lock:
        if problem.status == 429:
            api.calm_until = max(api.calm_until, until + __CALM_SECONDS)
        if problem.status == 429 or problem.retry_after is not None:
            api.held_until = max(api.held_until, until)


def _final_message(api: Api, page: int, attempt: int, problem: AnswerProblem) -> str:
    message = f"Page {page} of the users could not be read (attempt {attempt}): {problem}"
    if (problem.retry_after or 0) > api.max_retry_after:
        message += (
            f"; the API asks to wait {problem.retry_after:.0f} s, longer than the "
            f"{api.max_retry_after} s that are waited here: start again after that"
        )
    return message


def _request(api: Api, params: dict) -> Answer:
    """One attempt. Raises AnswerProblem, which quotes no header: one of them is the key."""
    try:
        # The key's header is not a standard one: it would follow a redirect to any host.
        response = api.session.get(
            api.url, params=params, timeout=__TIMEOUT_SECONDS, allow_redirects=False
        )
    except __RETRIED_ERRORS as error:
        raise AnswerProblem(_connection_message(error), __MAX_ATTEMPTS) from None
    except (requests.RequestException, HTTPError, ValueError) as error:
        # An address that no request can go to: base_url, or where a redirect leads.
        raise AnswerProblem(f"{type(error).__name__}; check base_url", 1) from None
    if response.status_code != 200:
        raise _status_problem(response)
    try:
        body = _parse_json(response.content)
    except (ValueError, RecursionError):
        raise AnswerProblem("HTTP 200, but the body is not JSON", __MAX_ATTEMPTS) from None
    return Answer(_users(body, response), _server_date(response))


def _connection_message(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer in time ({type(error).__name__})"
    while error.__context__ is not None:  # the innermost one names the reason
        error = error.__context__
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"the connection failed ({reason})"


def _status_problem(response: requests.Response) -> AnswerProblem:
    status = response.status_code
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("Location", "")).hostname or "no host"
        advice = f"a redirect to {_masked(response, host)}; set base_url to the final address"
        return AnswerProblem(f"HTTP {status}, {advice}", 1, status)
    if status in __RETRIED_STATUSES:
        message = f"HTTP {status}{_quoted(response)}"
        return AnswerProblem(message, __MAX_ATTEMPTS, status, _retry_after(response))
    advice = __ADVICE.get(status, "check base_url")
    return AnswerProblem(f"HTTP {status}; {advice}{_quoted(response)}", 1, status)


def _retry_after(response: requests.Response) -> float:
    """The seconds that the API asks to wait; None where it asks for none or writes nonsense."""
    reader = Retry()
    reader.retry_after_max = 10**9  # its own cap would hide how long the API really asks for
    try:
        return float(reader.parse_retry_after(response.headers["Retry-After"]))  # or a date
    except (KeyError, HTTPError, ValueError, OverflowError):
        return None


def _quoted(response: requests.Response) -> str:
    """What the API said of an error: on one line, cut short, without the key should it echo it."""
    try:
        said = json.loads(response.content)
    except (ValueError, RecursionError):
        said = response.text
    if isinstance(said, dict) and isinstance(said.get("message"), str):
        said = said["message"]
    elif response.ok:
        said = ""  # what is no error may hold users
    elif not isinstance(said, str):
        said = json.dumps(said, ensure_ascii=False)
    # In a link or a page the key is in disguise, unless it merely looks so.
    said = html.unescape(unquote(_masked(response, said)))
    said = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(said.split()))
    said = _masked(response, said)[:__MAX_QUOTED_CHARACTERS]
    return f"; the API said: {said}" if said else ""


def _masked(response: requests.Response, text: str) -> str:
    key = re.escape(response.request.headers["apiKey"])
    return re.sub(key, "****", text, flags=re.IGNORECASE)  # a host has lost its capitals


def _users(body: dict, response: requests.Response) -> list:
    if isinstance(body, dict) and body.get("success") is False:
        message = f"HTTP 200 with success: false; check api_key{_quoted(response)}"
        raise AnswerProblem(message, __MAX_ATTEMPTS_AT_A_BAD_ANSWER)
    if not isinstance(body, dict) or not isinstance(body.get("users"), list):
        message = (
            f"HTTP 200, but the body holds no list `users`; check base_url{_quoted(response)}"
        )
        raise AnswerProblem(message, __MAX_ATTEMPTS_AT_A_BAD_ANSWER)
    return body["users"]


def _server_date(response: requests.Response) -> datetime:
    try:
        date = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def _parse_json(content: bytes):
    """Parse a body into values that the SDK encodes as they are."""
    body = _loads(content)
    if b"\\ud" in content.lower() or b"\xed" in content:
        # Half an emoji makes the SDK raise; whole ones, written as two escapes, are one by now.
        body = _loads(__LONE_SURROGATE.sub("\ufffd", json.dumps(body, ensure_ascii=False)))
    return body


def _loads(text):
    return json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=str)


def _integer(digits: str):
    return int(digits) if len(digits) < 19 else digits  # beyond 64 bits, text alone is exact


def _finite(digits: str):
    return float(digits) if math.isfinite(float(digits)) else digits


# --- Pages --------------------------------------------------------------------------------------


def _pages(api: Api, updated_since: str, first: int):
    """Yield the Answer of each page from `first` on, in order; one without users is the last.

    Pages are fetched ahead, so that the network and the destination work at the same time, but
    only once a full or a second page has come: a small sync costs two requests.
    """
    closed = threading.Event()
    in_flight, ahead, previous = deque(), itertools.count(first), None

    def ask(count: int):
        while len(in_flight) < count:
            request = (api, next(ahead), updated_since, closed)
            in_flight.append(api.pool.submit(make_request_with_retry, *request))

    try:
        for page in itertools.count(first):
            ask(1)
            answer = in_flight.popleft().result()
            if answer.users == previous and _is_end(api, page, updated_since, answer):
                return
            if len(answer.users) >= __PAGE_SIZE or previous and answer.users:
                ask(__PAGES_IN_FLIGHT if time.monotonic() >= api.calm_until else 0)
            yield answer
            if not answer.users:
                return
            previous = answer.users
    finally:
        closed.set()
        for task in in_flight:
            task.cancel()


def _is_end(api: Api, page: int, updated_since: str, answer: Answer) -> bool:
    """Whether a page that equals the one before it means that there are no more.

    A server that ignores `page`, or repeats its last page, answers so for any page. Rows that
    moved down by exactly a page look the same once, and to end there would lose all that follow.
    """
    far = api.pool.submit(make_request_with_retry, api, page + __FAR_PAGES, updated_since)
    return far.result().users == answer.users


# --- Rows ---------------------------------------------------------------------------------------


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 timestamp.

    Takes `Z`, `+02:00`, `+0200`, a space for the `T`, 0 to 9 fraction digits (of which
    microseconds are kept), and a date alone. Without a zone it is UTC.

    Returns:
        An aware UTC datetime; None where `text` is no such timestamp.
    """
    match = __TIMESTAMP.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    date, _, minute, second, fraction, zone = match.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    try:
        # Python 3.10 reads this form, and few others.
        read = datetime.fromisoformat(
            f"{date}T{minute or '00:00'}{second or ':00'}.{micros}+00:00"
        )
        return read - _offset(zone)
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    """The offset of `+02:00`, `+0200`, `+02` or `Z`. Raises ValueError beyond a day."""
    if not zone or zone in "Zz":
        return timedelta(0)
    return datetime.strptime(zone.replace(":", "").ljust(5, "0"), "%z").utcoffset()


def _like(sample: str, instant: datetime) -> str:
    """Write `instant` in the notation of `sample`, rounded down to what that can hold."""
    _, separator, _, second, fraction, zone = __TIMESTAMP.fullmatch(sample.strip()).groups()
    local = (instant + _offset(zone)).replace(tzinfo=None).isoformat(timespec="microseconds")
    if not separator:
        return local[:10]
    digits = f".{local[20:].ljust(9, '0')[: len(fraction)]}" if fraction else ""
    return f"{local[:10]}{separator}{local[11:19] if second else local[11:16]}{digits}{zone or ''}"


class Columns(dict):
    """The column of each field name met so far; None for a name that can have none.

    Fivetran gives `costCentre`, `Cost-Centre` and `cost_centre` one column, in which a row keeps
    one value: the spelling met first is used for all, and a second one in the same row goes to
    `other_fields`. So do names without a letter or digit, and those that Fivetran reserves.
    """

    def __init__(self, taken: dict):
        super().__init__()
        self.taken = taken  # the column of each name in Fivetran's notation

    def __missing__(self, name: str):
        snake = _snake_case(name)
        usable = re.search(r"[a-z0-9]", snake) and not snake.startswith("_fivetran")
        printable = "".join(c if c.isprintable() else "_" for c in name)
        self[name] = self.taken.setdefault(snake, printable) if usable else None
        return self[name]


def _new_columns() -> Columns:
    return Columns({**{_snake_case(name): name for name in __COLUMNS}, __OTHER_FIELDS: None})


def _snake_case(name: str) -> str:
    """The name that Fivetran's naming makes of a field's."""
    plain = (c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) != "Mn")
    words = __WORD_BOUNDARY.sub("_", __NOT_IN_A_NAME.sub("_", "".join(plain)))
    return re.sub("_+", "_", words).lower()


def _row(user: dict, columns: Columns, problems: Counter) -> dict:
    """Turn a user as the API sent it into a row that the SDK can store.

    Args:
        user: any JSON value.
        columns: the columns of the fields met so far.
        problems: counts what cannot be used, by reason.
    Returns:
        The row; None where there is no usable `employeeId`.
    """
    if not isinstance(user, dict) or not _is_identifier(user.get(__KEY)):
        problems["users without a usable employeeId, skipped"] += 1
        return None
    row = {name: _declared(name, user[name], problems) for name in __COLUMNS if name in user}
    others = {}
    for name, value in user.items():
        if name in __COLUMNS:
            continue
        column = columns[name]
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
        return bool(value.replace("\x00", "").strip())  # the destination drops NUL
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _declared(column: str, value, problems: Counter):
    """The value for a declared column; None, and counted, where it cannot be read."""
    if value is None or isinstance(value, str) and __COLUMNS[column] == "STRING":
        return value
    if __COLUMNS[column] == "STRING":
        return json.dumps(value, ensure_ascii=False)  # the SDK would store Python's notation
    read = _number(value) if __COLUMNS[column] == "DOUBLE" else parse_timestamp(value)
    if read is None and value != "":
        problems[f"unreadable values of {column}, stored as null"] += 1
    return read


def _number(value) -> float:
    """A finite number, also from text such as `12.50`; None for anything else."""
    python_only = isinstance(value, str) and "_" in value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or python_only:
        return None
    try:
        return float(value) if math.isfinite(float(value)) else None
    except ValueError:
        return None


def _is_misleading(value) -> bool:
    """Whether the SDK takes a text for a number or a time, and then fails to read it as one."""
    if not isinstance(value, str) or not __LOOKS_TYPED.fullmatch(value):
        return False
    if not value.isascii():
        return True  # digits of other scripts
    return bool(__ZONED_MINUTE.fullmatch(value)) and parse_timestamp(value) is None


def _undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        # As a float it would be stored with 32 bits; as text with a point it becomes a DOUBLE.
        digits = repr(value)
        return digits if "." in digits else digits.replace("e", ".0e")
    if isinstance(value, str) and __ZONED_MINUTE.fullmatch(value):
        # Taken for a time, but refused without seconds: Java leaves them out on a full minute.
        return __ZONED_MINUTE.sub(r"\1:00\2", value)
    return value


# --- The sync -----------------------------------------------------------------------------------


@dataclass
class Pass:
    """What one walk over the window, page by page to its end, has shown so far."""

    page: int = 1  # the next one
    started_at: datetime = None  # by the server's clock
    resumed: bool = False  # an earlier sync read the pages before
    torn_before: bool = False  # and found that rows may have slipped
    pages: int = 0
    rows: int = 0
    ascending: bool = True  # within each page: requests that overlap in time blur it across pages
    recent: bool = False  # a row changed after the pass began
    unsettled: bool = False  # or may have, since a change can take the settling time to be seen
    sequence: int = 0  # a hash of the rows in their order


@dataclass
class Sync:
    """What one sync knows."""

    updated_since: str  # the filter, frozen: every request of the sync carries it
    cursor: str  # last_sync_time as it was
    unfinished: Pass = None  # the walk that an earlier sync did not finish
    started_at: datetime = None  # of the first pass
    newest: datetime = None
    newest_text: str = None  # as the API wrote it
    filter_ignored: bool = False
    delivered: dict = field(default_factory=dict)  # employeeId to updated_at
    pages: int = 0
    columns: Columns = field(default_factory=_new_columns)
    problems: Counter = field(default_factory=Counter)  # of the last pass


def update(configuration: dict, state: dict):
    """Sync the users that changed since the last sync; all of them where there was none.

    Args:
        configuration: see `validate_configuration()`.
        state: `{"last_sync_time": text}`, with `resume` where the last sync did not finish.
    Raises:
        ConfigurationError, SyncError: raised anew here, because the frames below hold settings and
            users, and a crash report prints what frames hold.
    """
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # the SDK reads any text of digits as a number, to type it
    try:
        settings = validate_configuration(configuration)
        api = _open_api(settings, __MAX_ATTEMPTS, __MAX_RETRY_AFTER_SECONDS)
        try:
            _sync(api, _read_state(state))
        finally:
            api.pool.shutdown(wait=False, cancel_futures=True)
    except (ConfigurationError, SyncError) as error:
        raise type(error)(str(error)) from None
    except Exception as error:
        raise SyncError(_unexpected_message(error)) from None


def _unexpected_message(error: Exception) -> str:
    """Where an error came up; what it says only where the SDK or a library does, not of users."""
    places = traceback.extract_tb(error.__traceback__)
    line = [place.lineno for place in places if place.filename == __file__][-1]
    said = "" if places[-1].filename == __file__ else f": {error}"
    return f"{type(error).__name__} in line {line} of connector.py{said}"


def _read_state(state: dict) -> Sync:
    cursor = _stored_timestamp(state, "last_sync_time")
    resume = state.get("resume")
    if resume is None:
        return Sync(cursor, cursor)
    if not isinstance(resume, dict):
        raise _unreadable("resume")
    for name in ("page", "per_page"):
        if type(resume.get(name)) is not int or resume[name] < 1:
            raise _unreadable(f"resume.{name}")
    started_at = parse_timestamp(_stored_timestamp(resume, "started_at", "resume."))
    if started_at is None:
        raise _unreadable("resume.started_at")
    updated_since = _stored_timestamp(resume, "updated_since", "resume.")
    unfinished = Pass(resume["page"], started_at, True, resume.get("torn") is True)
    return Sync(updated_since, cursor, unfinished if resume["per_page"] == __PAGE_SIZE else None)


def _stored_timestamp(values: dict, name: str, path: str = "") -> str:
    if values.get(name) is not None and parse_timestamp(values[name]) is None:
        raise _unreadable(path + name)
    return values.get(name)


def _unreadable(path: str) -> SyncError:
    return SyncError(
        f"The state cannot be used: {path} is missing or unreadable. Correct it, or start a "
        "re-sync, which reads everybody again."
    )


def _sync(api: Api, sync: Sync):
    """Read the window until a pass can be trusted to have missed nobody, then move the cursor."""
    log.info(_opening_line(sync))
    sequence = None
    for number in range(1, __MAX_PASSES + 1):
        walk = _walk(api, sync) or _walk(api, sync)
        # The same rows in the same order again: who comes twice stands twice in the source.
        stable = walk.rows >= __PAGE_SIZE and walk.sequence == sequence
        settled = stable or not _is_torn(sync, walk, number)
        if settled:
            break
        sequence = walk.sequence
        log.info(f"Users may have moved between pages while pass {number} read them")
    cursor = _cursor(sync) if settled else sync.updated_since
    op.checkpoint(_state(cursor))
    users, pages = len(sync.delivered), sync.pages
    log.info(f"Synced {users} users from {pages} pages; last_sync_time: {cursor}")
    for warning in _warnings(api, sync, settled):
        log.warning(warning)
        op.warning(warning)


def _opening_line(sync: Sync) -> str:
    window = f"users changed since {sync.updated_since}" if sync.updated_since else "all users"
    if sync.unfinished:
        return f"Resuming an unfinished sync of {window} at page {sync.unfinished.page}"
    return f"Incremental sync: {window}" if sync.updated_since else f"Full sync: {window}"


def _walk(api: Api, sync: Sync) -> Pass:
    """Read the window to its end and deliver its rows, checkpointing after each page.

    Goes on where an unfinished walk ended; returns None where that is too old to go on with.
    """
    walk, sync.unfinished = sync.unfinished or Pass(), None
    sync.problems.clear()
    for answer in _pages(api, sync.updated_since, walk.page):
        if not walk.pages and not _date(sync, walk, answer.date or _now()):
            log.info("The unfinished sync began over a day ago: its window is read from page 1")
            return None
        if answer.users:
            _deliver(sync, walk, answer.users)
            op.checkpoint(_state(_cursor(sync), _resume(sync, walk)))
            _watch(sync, walk)
    return walk


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _date(sync: Sync, walk: Pass, now: datetime) -> bool:
    """Date a pass by the server's clock; False where it began too long ago."""
    walk.started_at = walk.started_at or now
    is_young = timedelta(0) <= now - walk.started_at <= __MAX_RESUME_AGE
    sync.started_at = sync.started_at or (walk.started_at if is_young else now)
    return is_young


def _deliver(sync: Sync, walk: Pass, users: list):
    """Upsert the users of a page that this sync has not delivered as they are."""
    read = [(user, _row(user, sync.columns, sync.problems)) for user in users]
    read = [(user, row) for user, row in read if row is not None]
    if len(users) >= __PAGE_SIZE and len(read) * 2 < len(users):
        raise SyncError(
            f"{len(users) - len(read)} of the {len(users)} users of page {walk.page} have no "
            f"usable {__KEY}: the API's answer has changed its shape. Nothing of this page is "
            "stored; adapt the connector to the field's new name."
        )
    _judge(sync, walk, [row for _, row in read])
    for user, row in read:
        key, changed_at = row[__KEY], row.get("updated_at")
        if changed_at is not None and (sync.newest is None or changed_at > sync.newest):
            sync.newest = changed_at
            sync.newest_text = (user.get("updated_at") or changed_at.isoformat()).strip()
        if _is_news(sync.delivered, key, changed_at):
            op.upsert(__TABLE, row)
            sync.delivered[key] = changed_at


def _is_news(delivered: dict, key: str, changed_at: datetime) -> bool:
    """Whether a row is new to the sync. Of pages read at the same time a later may be older."""
    known = delivered.get(key, "nothing")
    if known is None or changed_at is None or known == "nothing":
        return changed_at != known
    return changed_at > known


def _judge(sync: Sync, walk: Pass, rows: list):
    """Note what the rows of a page say of the pass: their order, and changes while it ran."""
    walk.page += 1
    walk.pages += 1
    sync.pages += 1
    walk.rows += len({row[__KEY] for row in rows})  # twice on one page is the source's own doing
    walk.sequence = hash((walk.sequence, *((row[__KEY], row.get("updated_at")) for row in rows)))
    instants = [row["updated_at"] for row in rows if row.get("updated_at") is not None]
    if not instants:
        return
    walk.ascending &= all(one <= next_one for one, next_one in itertools.pairwise(instants))
    walk.recent |= max(instants) >= walk.started_at  # >=, because Date has whole seconds
    walk.unsettled |= max(instants) >= walk.started_at - __SETTLING_TIME
    if sync.updated_since is not None:
        since = parse_timestamp(sync.updated_since)
        sync.filter_ignored |= min(instants) < since - __CLEARLY_OLDER


def _is_torn(sync: Sync, walk: Pass, number: int) -> bool:
    """Whether rows may have slipped from one page to another unread.

    A row slips past the reader when another leaves a page already read for one that is not. The
    pages of a pass hold as many rows as the source has users, so a pass that missed one has met
    another twice, and brought more rows than the sync knows users. Where rows ascend, a change
    seen during the first pass is reason enough to look again; and in any order where an earlier
    sync read some of the pages, since whom they held is not known any more.
    """
    met_twice = walk.rows > len(sync.delivered)
    if walk.resumed:
        return met_twice or walk.unsettled or walk.torn_before
    return walk.pages > 1 and (met_twice or number == 1 and walk.ascending and walk.recent)


def _cursor(sync: Sync) -> str:
    """Where `last_sync_time` may stand: at the newest value, but with room for late changes."""
    if sync.newest is None:
        return sync.cursor
    limit = sync.started_at - __SETTLING_TIME
    text = sync.newest_text if sync.newest <= limit else _like(sync.newest_text, limit)
    if sync.cursor is not None and parse_timestamp(text) < parse_timestamp(sync.cursor):
        return sync.cursor
    return text


def _state(cursor: str, resume: dict = None) -> dict:
    state = {} if cursor is None else {"last_sync_time": cursor}
    return {**state, "resume": resume} if resume else state


def _resume(sync: Sync, walk: Pass) -> dict:
    return {
        "updated_since": sync.updated_since,
        "page": walk.page,
        "per_page": __PAGE_SIZE,
        "started_at": walk.started_at.isoformat(),
        "torn": walk.torn_before or walk.unsettled or walk.rows > len(sync.delivered),
    }


def _watch(sync: Sync, walk: Pass):
    """Tell of the progress, and end a walk that has stopped to make any."""
    if sync.pages % __PAGES_A_PROGRESS_LINE == 0:
        users, newest = len(sync.delivered), sync.newest_text or "none"
        log.info(f"Page {walk.page - 1}: {users} users so far, newest change: {newest}")
    if walk.pages > 3 * len(sync.delivered) + __MAX_IDLE_PAGES:
        raise SyncError(
            f"{walk.pages} pages held no more than {len(sync.delivered)} users, and none was "
            "empty: the API does not count pages by the parameter `page`. Check base_url."
        )


def _warnings(api: Api, sync: Sync, settled: bool) -> list:
    """What a person should know of the sync, without a value of any user."""
    warnings = [f"{count} {reason}" for reason, count in sorted(sync.problems.items())]
    if not settled:
        warnings.append(
            f"Users moved between pages in each of {__MAX_PASSES} passes, so last_sync_time stays "
            "where it was and the next sync reads the same users again."
        )
    if sync.filter_ignored:
        warnings.append(
            f"The API does not know the filter `{api.updated_since_param}`, so every sync reads "
            "everybody: set updated_since_param to the name that your API uses."
        )
    if sync.delivered and sync.newest is None and sync.cursor is None:
        warnings.append("No user has a readable updated_at, so every sync reads everybody.")
    if sync.cursor and sync.started_at and parse_timestamp(sync.cursor) > sync.started_at:
        warnings.append(
            "last_sync_time lies in the future, so no change is found: start a re-sync."
        )
    return warnings


# --- Mock mode ----------------------------------------------------------------------------------


class MockAwardco(requests.adapters.BaseAdapter):
    """Answers in place of the API from mock_data/users.json, with paging and the filter."""

    def __init__(self, updated_since_param: str):
        super().__init__()
        self.updated_since_param = updated_since_param
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "mock_data", "users.json"), encoding="utf-8") as file:
            self.users = json.load(file)["users"]

    def send(self, request: requests.PreparedRequest, **_) -> requests.Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        since = parse_timestamp(query.get(self.updated_since_param))
        found = [user for user in self.users if since is None or _changed_since(user, since)]
        page, per_page = int(query["page"]), int(query["per_page"])
        body = {"users": found[(page - 1) * per_page : page * per_page]}
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response.headers["Date"] = format_datetime(_now(), usegmt=True)
        response.raw = io.BytesIO(json.dumps(body).encode())
        return response

    def close(self):
        pass


def _changed_since(user: dict, since: datetime) -> bool:
    changed_at = parse_timestamp(user.get("updated_at"))
    return changed_at is not None and changed_at >= since


# --- The connector ------------------------------------------------------------------------------


def schema(configuration: dict) -> list:
    """Declare the table `USER` and the columns whose type must not be left to inference.

    Inference makes the first name `T` a boolean, `00042` and `42` two types, and a balance a
    number of 32 bits. Other fields that the API sends get columns of their own as they come.
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
            description="Of your Awardco tenant, with the permission to read users. An Awardco "
            "administrator, or your Awardco contact, can give you one.",
            required=True,
        )
    )
    form.add_field(
        form_field.TextField(
            "base_url",
            "Base URL",
            description="The address of your tenant's Awardco API, without /api/users. It comes "
            "with the API key.",
            required=True,
            placeholder="https://api.awardco.com",
        )
    )
    form.add_field(
        form_field.TextField(
            "updated_since_param",
            "Name of the timestamp filter",
            description="The query parameter that makes the API return only users changed since a "
            f"time. Leave it blank for {__DEFAULT_UPDATED_SINCE_PARAM}; the last setup test tells "
            "whether it works.",
            placeholder=__DEFAULT_UPDATED_SINCE_PARAM,
        )
    )
    form.add_test(label="The API accepts the key", func=connection_test)
    form.add_test(label="The API returns users as expected", func=users_test)
    form.add_test(label="The timestamp filter works", func=filter_test)
    return form


def connection_test(configuration: dict):
    """Setup test: the API is reachable and accepts the key."""
    return _setup_test(configuration, lambda api, users: None)


def users_test(configuration: dict):
    """Setup test: there are users, with the fields that a sync needs."""
    return _setup_test(configuration, _users_problem)


def filter_test(configuration: dict):
    """Setup test: asked for changes since the far future, the API returns nobody."""
    return _setup_test(configuration, _filter_problem)


def _setup_test(configuration: dict, check):
    """Give `check` the API and its first page; what it returns is what is wrong, or None.

    Never raises: the crash report of a setup test shows messages and locals as they are.
    """
    try:
        settings = validate_configuration(configuration)
        patience = (__SETUP_TEST_MAX_ATTEMPTS, __SETUP_TEST_MAX_RETRY_AFTER_SECONDS)
        api = _open_api(settings, *patience)
        problem = check(api, make_request_with_retry(api, 1).users)
    except (ConfigurationError, SyncError) as error:
        problem = str(error)
    except Exception as error:
        problem = f"The test itself failed ({type(error).__name__})."
    return Test().failure(problem) if problem else Test().success()


def _users_problem(api: Api, users: list) -> str:
    if not users:
        return "The API returns no users: check that api_key may see those of your tenant."
    found = [user for user in users if _row(user, _new_columns(), Counter())]
    if not found:
        return f"The users have no {__KEY}: this is not the API that the connector is made for."
    never_updated = all(user.get("updated_at", "missing") is None for user in found)
    if not never_updated and not _readable_times(found):
        return "No user has a readable updated_at: without it every sync reads everybody."
    return None


def _filter_problem(api: Api, users: list) -> str:
    sample = next(iter(_readable_times(users)), "2000-01-01T00:00:00Z")
    far_future = _like(sample, datetime(2999, 12, 31, tzinfo=timezone.utc))
    if not _readable_times(make_request_with_retry(api, 1, far_future).users):
        return None  # users without a time may pass any filter
    return (
        "Asked for changes since the year 2999 the API still returns users, so it does not know "
        f"the filter `{api.updated_since_param}` and every sync would read everybody: set "
        "updated_since_param to the name that your API uses."
    )


def _readable_times(users: list) -> list:
    times = [user.get("updated_at") for user in users if isinstance(user, dict)]
    return [text for text in times if parse_timestamp(text)]


connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    with open("configuration.json", encoding="utf-8") as configuration_file:
        connector.debug(configuration=json.load(configuration_file))
