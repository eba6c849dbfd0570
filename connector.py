"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, upserts each user into
the table `USER` and checkpoints after each page. The API documents neither the order of its rows
nor its page size, its last page or its clock, so no rule below relies on them.

Terms:

    sync     one call of update()
    window   the users that the filter of a sync lets through
    pass     one reading of the window, page by page, from page 1 to its end
    whole    a pass is whole if it cannot have missed a user
    cursor   last_sync_time in the state: what the next sync uses as its filter
"""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import random
import re
import ssl
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import parse_qs, urlsplit

import requests
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

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
__OTHER_FIELDS = "other_fields"  # JSON: what has no column of its own, or not as it came
__UPDATED_SINCE_PARAM = "updated_since"
__MOCK_BASE_URL = "https://mock.awardco.invalid"

__LARGE_PAGE = 1_000  # users a page at first
__SMALL_PAGE = 100  # users a page where the API does not give large ones
__MAX_PASSES = 5  # a source that changes during each of so many will not rest for a sixth
__MIN_USERS_TO_JUDGE = 20  # fewer can be alike, or odd, by chance
__PAGES_PER_PROGRESS_LINE = 10

__CURSOR_MARGIN = timedelta(hours=1)  # for changes that are committed late
__CURSOR_MARGIN_WITHOUT_ZONE = timedelta(hours=39)  # + 14 for the zone, + 24 for a date alone
__CLEARLY_OLDER = timedelta(days=2)  # more than a missing zone and a date alone can cause

__USER_AGENT = "fivetran-awardco-users"
__TIMEOUT_SECONDS = (10, 60)  # to connect, for each read
__ATTEMPTS = 8  # with the waits between them, about two minutes
__LARGE_PAGE_ATTEMPTS = 2  # for page 1; then small pages, rather than two minutes in each sync
__FIRST_BACKOFF_SECONDS = 1
__MAX_BACKOFF_SECONDS = 60
__MAX_RETRY_AFTER_SECONDS = 600  # where the API asks to wait longer, the sync fails now
__RETRIED_STATUSES = {408, 425, 429, *range(500, 600)}
__REFUSING_STATUSES = {400, 404, 410, 416, 422}  # what APIs answer past their last page
__PARAMETERS_ADVICE = "check updated_since_param, and lower __SMALL_PAGE in connector.py"
__ADVICE = {
    **dict.fromkeys((400, 413, 422), __PARAMETERS_ADVICE),
    401: "check api_key: the API does not accept it",
    403: "check that api_key has the permission to read users",
    404: "check base_url: there is no /api/users below it",
    407: "the proxy on the way refuses: check the proxy settings of this machine",
}
__FILTER_ADVICE = "set updated_since_param to the name that your API uses."
__MAX_QUOTED_CHARACTERS = 200
__NO_ERROR = {"", "0", "false", "none", "null", "ok", "success"}  # in an error field
__TOTAL = re.compile("count|total((?!page).)*", re.IGNORECASE)  # such as totalCount
__COLUMN_NAME = re.compile(r"(?!_fivetran)[ -~]*[A-Za-z0-9][ -~]*")
__LOOKS_TYPED = re.compile(r"[-+.:TtZzEe \d]+")
__ZONED_MINUTE = re.compile(r"\A(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)\Z", re.A | re.I)
__DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ].+)?", re.ASCII)
__DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
__LONE_SURROGATE = re.compile("[\ud800-\udfff]")
__THIS_MACHINE = re.compile(r"localhost|127(\.\d+){3}|::1")
__PASTED = re.compile(r"^[\s\"'“”‘’]+|[\s\"'“”‘’]+$")


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended a sync or a setup test; the message is written for the user."""


class PageError(SyncError):
    """A page that could not be read. Smaller pages, or no filter, may help."""


class PageRefused(PageError):
    """The API refused a page in a way that APIs also use past their last page."""


class NoUsers(PageRefused):
    """An answer without a list of users, which some APIs give where there is nobody."""


class AttemptFailed(Exception):
    """An attempt that is worth another one: why it failed, and how long the API asks to wait."""


def schema(configuration: dict) -> list:
    """Declare the table `USER` and the columns that inference would mistake: the first name `T`
    for a boolean, a balance for a number of 32 bits. Other fields get columns as they come."""
    return [{"table": __TABLE, "primary_key": [__KEY], "columns": __COLUMNS}]


def update(configuration: dict, state: dict):
    """Sync the users that changed since the last sync; on the first sync, all users.

    Args:
        configuration, state: see `validate_configuration()` and `start_sync()`.
    Raises:
        ConfigurationError, SyncError: without frames, whose variables a crash report would print.
    """
    try:
        settings = validate_configuration(configuration)
        api = open_api(settings)
        with api.session:
            sync_users(start_sync(api, settings.full_sync_days, state))
    except (ConfigurationError, SyncError) as error:
        raise type(error)(str(error)) from None
    except Exception as error:
        raise SyncError(describe_unforeseen(error)) from None


# --- The sync and its passes --------------------------------------------------------------------
#
# Users move between pages while they are read. Six users, two a page, in order of `updated_at`:
#
#     page 1   A B
#              Now A changes and moves to the end: the source holds B C, D E, F A.
#     page 2   D E      C has moved to page 1, which was already read: nobody sees it.
#     page 3   F A      A is met a second time.
#
# The pages brought 6 rows, as many as the source has users, but only 5 different users. That holds
# for every order of rows and for changes, moves and hires alike: as long as pages are answered in
# their order, a pass that missed somebody has met somebody else twice. So a pass is whole when it
# brought as many rows as the sync knows users. If not, the window is read again.


@dataclass
class Sync:
    """What one sync knows."""

    api: Api
    state: dict  # as the sync before left it
    updated_since: str | None  # the filter, frozen; only read_without_filter() drops it
    began: datetime  # by this machine's clock; for last_full_sync only
    cursor: str | None  # where last_sync_time may stand so far, as the API wrote it
    cursor_at: datetime | None  # the cursor, parsed
    known: dict = field(default_factory=dict)  # employeeId to updated_at: 40 MB for 200,000 users
    without_key: set = field(default_factory=set)  # rows that have no employeeId, see identify()
    pages: int = 0  # with users
    oldest: datetime | None = None  # the oldest updated_at so far
    filter_refusal: str = ""  # why the window is read without the filter


@dataclass
class Pass:
    """What one pass has brought so far."""

    first_size: int  # users asked for with page 1
    per_page: int  # and with the pages after it
    rows: int = 0  # different users of each page, summed: who is on two pages counts twice
    times: Counter = field(default_factory=Counter)  # how often each user came, see identify()
    has_gap: bool = False  # a page without users had users after it
    total: int | None = None  # how many users there are, as the API says
    end_in_doubt: str = ""  # why there may be more users after a full page
    problems: Counter = field(default_factory=Counter)  # what could not be used, by reason
    filled: set = field(default_factory=set)  # declared columns in which somebody has a value
    retyped: set = field(default_factory=set)  # undeclared fields, see is_retyped_by_sdk()


def start_sync(api: Api, full_sync_days: int | None, state: dict) -> Sync:
    """What a sync knows at its start, from `{"last_sync_time": text, "last_full_sync": text}`: the
    cursor in the API's own notation, and when the last whole sync of everybody began. Everybody is
    read again once that is `full_sync_days` ago. Raises SyncError."""
    for name, value in state.items():
        if parse_timestamp(value) is None:
            raise SyncError(f"The state cannot be used: {name} is unreadable. Start a re-sync.")
    cursor, began = state.get("last_sync_time"), now()
    last = parse_timestamp(state.get("last_full_sync")) or datetime.min.replace(tzinfo=UTC)
    # abs(): a time in the future only shows that a clock was wrong.
    is_due = full_sync_days is not None and abs(began - last) >= timedelta(days=full_sync_days)
    updated_since = None if is_due else cursor
    window = f"users changed since {updated_since}" if updated_since else "all users"
    reason = " (full_sync_days)" if is_due and cursor else ""
    log.info(f"{'Incremental' if updated_since else 'Full'} sync: {window}{reason}")
    return Sync(api, state, updated_since, began, cursor, parse_timestamp(cursor))


def sync_users(sync: Sync):
    """Read the window until a pass was whole, store the cursor, and report. Each pass has other
    borders between pages: users with equal times can sort differently on either side of one."""
    current, per_page = None, __LARGE_PAGE
    for number in range(1, __MAX_PASSES + 1):
        if number > 1:
            log.info(f"Reading again, pass {number}: users may have moved between pages")
        previous, current = current, read_pass(sync, per_page)
        whole = is_whole(sync, current, previous)
        if whole:
            break
        per_page = max(current.per_page * 3 // 4, 1)
    state = dict(sync.state)
    if whole and sync.cursor is not None:
        state["last_sync_time"] = sync.cursor
    if whole and sync.updated_since is None and sync.known:
        state["last_full_sync"] = sync.began.isoformat(timespec="seconds")
    # Only now is the window complete: until here, a sync that fails is begun again from page 1.
    op.checkpoint(state=state)
    report(sync, current, whole, state)


def read_pass(sync: Sync, per_page: int) -> Pass:
    """Read the window once, and deliver who is new or newer. A pass that fails is begun again in
    small pages, and without the filter if that is why it fails. Raises SyncError."""
    current = Pass(per_page, per_page)
    try:
        for answer in fetch_users(sync, current):
            deliver_page(sync, current, answer)
            # Commits the rows. The old state, since pages not yet read may hold older changes.
            op.checkpoint(state=sync.state)
        return current
    except PageError as error:
        if per_page != __SMALL_PAGE:
            log.info(f"Reading again in pages of {__SMALL_PAGE} users: {error}")
            return read_pass(sync, __SMALL_PAGE)
        if sync.updated_since is None or current.rows:
            raise
        return read_without_filter(sync, error)


def read_without_filter(sync: Sync, error: PageError) -> Pass:
    """Read everybody if page 1 can be read without the filter: APIs refuse its notation, its name,
    or a time that is too old. After an answer without users, nobody changed. Raises PageError."""
    make_request_with_retry(sync.api, 1, __SMALL_PAGE, attempts=__LARGE_PAGE_ATTEMPTS)
    if isinstance(error, NoUsers):
        return Pass(__SMALL_PAGE, __SMALL_PAGE)
    log.warning(f"Reading everybody, since the API does not take the filter: {error}")
    sync.updated_since, sync.filter_refusal = None, str(error)
    return read_pass(sync, __LARGE_PAGE)


def deliver_page(sync: Sync, current: Pass, answer: Answer):
    """Upsert the users of a page that are new or newer, and count the page. Raises SyncError."""
    has_key = any(isinstance(key, str) for key in answer.keys)
    if sync.pages == 0 and not has_key and len(answer.users) >= __MIN_USERS_TO_JUDGE:
        raise SyncError(f"No user has a usable {__KEY}: the API has changed its shape.")
    for user, key in zip(answer.users, answer.keys, strict=True):
        if isinstance(key, str):
            deliver_user(sync, current, user, key)
        else:
            sync.without_key.add(key)
            current.problems[f"users without a usable {__KEY}, skipped"] += 1
    current.rows += len(set(answer.keys))  # twice on one page is twice in the source
    current.times.update(answer.keys)
    current.total = answer.total
    sync.pages += 1
    if sync.pages % __PAGES_PER_PROGRESS_LINE == 0:
        log.info(f"{sync.pages} pages read, {len(sync.known)} users so far")


def deliver_user(sync: Sync, current: Pass, user: dict, key: str):
    """Upsert a user who is new to this sync, has no known time, or was changed later."""
    row = read_row(user, key, current)
    note_fields(current, user, row)
    updated_at, known = row.get("updated_at"), sync.known.get(key)
    if known is None or (updated_at is not None and updated_at > known):
        # An upsert, so that users who are read again replace themselves.
        op.upsert(table=__TABLE, data=row)
        sync.known[key] = updated_at
    if updated_at is not None:
        if sync.oldest is None or updated_at < sync.oldest:
            sync.oldest = updated_at
        move_cursor(sync, updated_at, user["updated_at"].strip())


def move_cursor(sync: Sync, updated_at: datetime, text: str):
    """Move the cursor to the newest time that is older than the sync's first answer by the margin:
    the next sync then finds what was committed late."""
    if sync.cursor_at is None or updated_at > sync.cursor_at:
        margin = __CURSOR_MARGIN if read_iso(text).tzinfo else __CURSOR_MARGIN_WITHOUT_ZONE
        if sync.api.started_at - updated_at >= margin:
            sync.cursor, sync.cursor_at = text, updated_at


def is_whole(sync: Sync, current: Pass, previous: Pass | None) -> bool:
    """Whether a pass cannot have missed a user: see the example above. Who is in the source twice,
    after a rehire, say, is met twice in every pass; so a pass is whole too if it brought the same
    users as the one before with other borders. After a gap, which hides rows, only this counts."""
    if current.rows == len(sync.known) + len(sync.without_key) and not current.has_gap:
        return True
    if previous is None or current.per_page == previous.per_page:
        return False
    is_alike = current.times.keys() == previous.times.keys()
    return is_alike and len(current.times) >= __MIN_USERS_TO_JUDGE


# --- Pages --------------------------------------------------------------------------------------
def fetch_users(sync: Sync, current: Pass) -> Iterator[Answer]:
    """Yield the pages of a pass that hold users, from page 1 to its end. Raises SyncError.

    One request at a time: if answers overtook each other, a hire could move a user from a page not
    yet read to one that was. While the destination takes page p, page p + 1 is on its way. After
    page 1, as many users are asked for as that brought: an API that caps its pages may still count
    them by what was asked for.
    """
    size = current.first_size
    attempts = __ATTEMPTS if size == __SMALL_PAGE else __LARGE_PAGE_ATTEMPTS
    answer = make_request_with_retry(sync.api, 1, size, sync.updated_since, attempts)
    current.per_page = len(answer.users) or size
    for page in itertools.count(2):
        ahead = run_in_background(look_at, sync, current, page)
        if answer.users:
            yield answer
        before, answer = answer, ahead.result()
        if brings_somebody_new(current, answer):
            # Page 2 in the first size, see look_at(), may skip users that follow page 1.
            current.has_gap |= page == 2 and current.per_page > len(before.users)
        elif is_end(sync, current, page, before, answer):
            return


def is_end(sync: Sync, current: Pass, page: int, before: Answer, answer: Answer) -> bool:
    """Whether the users end before `page`, which brought nobody new. Asks for the next page and
    for `page` again, and notes in `current` what is in doubt. After a refusal page 1 must be
    answered: a route may be gone for seconds, and back for the last look. Raises SyncError."""
    if page == 2 and len(before.users) < __SMALL_PAGE and not answer.users and not answer.refusal:
        return True  # a small window is read in two requests, as most syncs are
    looks = [look_at(sync, current, page + 1)]
    if answer.refusal and look_at(sync, current, 1).refusal:
        raise answer.refusal
    looks.append(look_at(sync, current, page))
    has_users_now = not answer.users and any(look.users for look in looks)
    if has_users_now or any(brings_somebody_new(current, look) for look in looks):
        if answer.refusal and not looks[-1].users:
            raise answer.refusal
        current.has_gap |= not answer.users
        return False
    if any(set(each.keys) != set(before.keys) for each in (answer, *looks)):
        current.rows += len(set(answer.keys))  # moved here, so others may be missed
    check_end(sync, current, page, before, answer)
    return True


def brings_somebody_new(current: Pass, answer: Answer) -> bool:
    """Whether a page holds a user whom the pass has not met."""
    return any(key not in current.times for key in answer.keys)


def check_end(sync: Sync, current: Pass, page: int, before: Answer, answer: Answer):
    """Note in `current` if the end is in doubt. Raises PageRefused if small pages may be answered,
    SyncError if the API ignores `page`: page 2 is page 1, and full in just over half the size."""
    size = current.per_page if page > 2 else current.first_size
    if answer.refusal and len(before.users) == size:
        if size == __LARGE_PAGE:
            raise answer.refusal
        current.end_in_doubt = str(answer.refusal)
    brought, half = len(answer.users), len(answer.users) // 2 + 1
    step = 1 if sync.updated_since is None else __SMALL_PAGE  # changes can be 250 by chance
    may_be_cut = brought >= __MIN_USERS_TO_JUDGE and __LARGE_PAGE % brought == brought % step == 0
    if page == 2 and set(answer.keys) == set(before.keys) and may_be_cut:
        found = len(look_at(sync, replace(current, per_page=half, first_size=half), 2).users)
        if found > half:
            current.end_in_doubt = f"every page brings the same {brought} users, in any size"
        if found == half:
            raise SyncError(
                f"Every page brings the same {brought} users: the API does not count pages by the "
                "parameter `page`. Adapt the parameters in make_request_with_retry()."
            )


def look_at(sync: Sync, current: Pass, page: int) -> Answer:
    """Ask for a page that may lie past the end; a refusal becomes an answer without users. If it
    refuses page 2 in the size that page 1 had, go back to the size asked for first."""
    size = current.first_size if page == 1 else current.per_page
    try:
        return make_request_with_retry(sync.api, page, size, sync.updated_since)
    except PageRefused as refusal:
        log.info(f"This may be the end of the users: {refusal}")
        if page == 2 and size != current.first_size:
            current.per_page = current.first_size
            answer = look_at(sync, current, page)
            current.per_page = current.first_size if answer.users else size
            return answer if answer.users else Answer([], refusal=refusal)
        return Answer([], refusal=refusal)


def run_in_background(function: Callable, *arguments) -> Future:
    """Run a function on a thread of its own, which the process does not wait for at its end."""
    future: Future = Future()

    def run():
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="awardco-request", daemon=True).start()
    return future


# --- Requests -----------------------------------------------------------------------------------
@dataclass
class Api:
    """What the requests of a sync share. The session alone holds the key, in its headers."""

    session: requests.Session
    url: str
    updated_since_param: str
    started_at: datetime | None = None  # when the first answer came; the margins count from it


@dataclass
class Answer:
    """A page of users as the API sent them."""

    users: list
    total: int | None = None  # how many users there are on all pages, where the API says so
    refusal: PageRefused | None = None  # why there are none, where the API refused the page

    def __post_init__(self):
        self.keys = [identify(user) for user in self.users]


def open_api(settings: Settings) -> Api:
    """The API with its session, which the caller closes."""
    session = requests.Session()
    session.headers.update({"apiKey": settings.api_key, "User-Agent": __USER_AGENT})
    session.headers.update({"Accept": "application/json", "Cache-Control": "no-cache"})
    session.auth = lambda request: request  # or requests adds a password from ~/.netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if settings.base_url.lower().startswith("http:"):
        session.trust_env = False  # this machine: no proxy on the way
    if settings.use_mock:
        session.mount(__MOCK_BASE_URL, MockAwardco(settings.updated_since_param))
    return Api(session, f"{settings.base_url}/api/users", settings.updated_since_param)


def make_request_with_retry(
    api: Api,
    page: int,
    per_page: int,
    updated_since: str | None = None,
    attempts: int = __ATTEMPTS,
    max_retry_after_seconds: float = __MAX_RETRY_AFTER_SECONDS,
) -> Answer:
    """Ask for a page of users, again where another attempt may help.

    Args:
        page, per_page: which page, from 1, and how many users; the API may give another number.
        updated_since: the filter, in the API's own notation; None asks for everybody.
        attempts: how often to ask, with waits that double from about one second to a minute; if
            the API asks to wait longer than `max_retry_after_seconds`, fail at once.
    Raises:
        PageRefused: the page may lie past the end. PageError: smaller pages may help.
        SyncError: they would not. The message says what to check, and what the API said.
    """
    since = {} if updated_since is None else {api.updated_since_param: updated_since}
    params = {"page": page, "per_page": per_page, **since}
    failed, attempt = f"Page {page} of the users could not be read", 0
    while True:
        attempt += 1
        try:
            return send_request(api, params, page)
        except SyncError as error:
            raise type(error)(f"{failed} (attempt {attempt}): {error}") from None
        except AttemptFailed as failure:
            why, retry_after = failure.args
            if retry_after > max_retry_after_seconds:
                raise SyncError(f"{failed} (attempt {attempt}): {why}") from None
            if attempt == attempts:
                raise PageError(f"{failed} (attempt {attempt}): {why}") from None
            backoff = __FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
            wait = max(min(backoff, __MAX_BACKOFF_SECONDS), retry_after)
            log.warning(
                f"Page {page}: attempt {attempt} of {attempts}: {why}; next in {wait:.1f} s"
            )
            time.sleep(wait)
            continue


def send_request(api: Api, params: dict, page: int) -> Answer:
    """One attempt. Raises AttemptFailed where another may help, else SyncError; neither quotes a
    header, since one holds the key."""
    try:
        # requests would take the key along to whatever host a redirect names.
        response = api.session.get(
            api.url, params=params, timeout=__TIMEOUT_SECONDS, allow_redirects=False
        )
    except requests.Timeout as error:
        raise AttemptFailed(f"no answer in time ({type(error).__name__})", 0) from None
    except requests.exceptions.ContentDecodingError:
        raise AttemptFailed("the body cannot be decoded as Content-Encoding says", 0) from None
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise describe_connection_failure(error) from None
    except (requests.RequestException, ValueError) as error:  # no request can go there
        raise SyncError(f"{type(error).__name__}; check base_url") from None
    if api.started_at is None:
        # Either clock may be wrong. The earlier one costs at worst some users who are read again.
        api.started_at = min(now(), read_date(response, "Date") or now())
    check_status(response, page)
    return read_answer(response, page)


def now() -> datetime:
    """This machine's clock, in UTC."""
    return datetime.now(UTC)


def describe_connection_failure(error: BaseException) -> AttemptFailed | SyncError:
    """Why no answer came, as the innermost error names it; but not one of an attempt before."""
    while error.__context__ and not isinstance(error.__context__, (SyncError, AttemptFailed)):
        error = error.__context__
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return SyncError(f"the server's certificate does not verify ({why}); check base_url")
    if "failed: 407" in str(error):  # as http.client tells of a CONNECT that was refused
        return SyncError(f"HTTP 407; {__ADVICE[407]}")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return AttemptFailed(f"the connection failed ({reason})", 0)


def check_status(response: requests.Response, page: int):
    """Raise AttemptFailed or SyncError unless the answer can hold users."""
    status = response.status_code
    if status == 204:
        raise NoUsers(f"HTTP 204; {advise(204, page)}")
    if status < 300:
        return
    if status < 400:
        host = urlsplit(response.headers.get("Location", "")).hostname or "no host"
        raise SyncError(f"HTTP {status}, a redirect to {host}; set base_url to the final address")
    said = quote_error(response)
    if status in __RETRIED_STATUSES or "Retry-After" in response.headers:
        wait = read_retry_after(response)
        asked = f"; the API asks to wait {wait:.0f} s" if wait else ""
        raise AttemptFailed(f"HTTP {status}{said}{asked}", wait)
    message = f"HTTP {status}; {advise(status, page)}{said}"
    if status in (401, 403, 407):
        raise SyncError(message)  # it is not the page that is refused
    raise (PageRefused if status in __REFUSING_STATUSES else PageError)(message)


def advise(status: int, page: int) -> str:
    """What to check after a status that fails at once."""
    if page > 1:
        return (
            "the pages before were answered, so the settings are right: run the sync again, and "
            "if it fails at the same page, report it to Awardco"
        )
    return __ADVICE.get(status, "check base_url")


def read_retry_after(response: requests.Response) -> float:
    """The seconds that the API asks to wait; 0 where it asks for none or writes nonsense."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d*)?", value, re.ASCII):
        return float(value)
    server_date = read_date(response, "Date") or now()
    date = read_date(response, "Retry-After") or server_date
    return max((date - server_date).total_seconds(), 0.0)


def read_date(response: requests.Response, header: str) -> datetime | None:
    """The date in a header; None where there is none in HTTP's notation."""
    with suppress(IndexError, OverflowError, TypeError, ValueError):
        return parsedate_to_datetime(response.headers.get(header, "")).astimezone(UTC)
    return None


def quote_error(response: requests.Response) -> str:
    """What the API said about an error: on one line, cut short, without the key should it echo it.
    Nothing else of a body is quoted: it may hold users."""
    text = ""
    with suppress(AttemptFailed):
        said = parse_json(response)
        text = find_message(said) if isinstance(said, dict) else ""
    key = re.escape(str(response.request.headers["apiKey"]))
    line = " ".join(re.sub(key, "****", text, flags=re.IGNORECASE).split())
    line = "".join(c if c.isprintable() else "\ufffd" for c in line)[:__MAX_QUOTED_CHARACTERS]
    return f"; the API said: {line}" if line else ""


def find_message(said) -> str:
    """The first text under `message`, `error`, `errors` or `detail`, also inside each other."""
    if isinstance(said, dict):
        said = [said.get(name) for name in ("message", "error", "errors", "detail")]
    if isinstance(said, list):
        return next(filter(None, map(find_message, said)), "")
    return said.strip() if isinstance(said, str) else ""


def read_answer(response: requests.Response, page: int) -> Answer:
    """The users in a body. Raises AttemptFailed, NoUsers, or PageError for any other shape."""
    content, status = parse_json(response), f"HTTP {response.status_code}"
    fields = content if isinstance(content, dict) else {}
    users = fields.get("users")
    if isinstance(users, dict) and __KEY in users:
        users = [users]  # as XML gateways write a list of one
    elif isinstance(users, dict) and all(isinstance(user, dict) for user in users.values()):
        users = list(users.values())  # as PHP writes a list with gaps
    if tells_error(fields) or (response.status_code == 202 and users is None):
        said = quote_error(response)
        raise AttemptFailed(f"{status}, but the answer reports an error (tells_error()){said}", 0)
    if isinstance(users, list):
        return Answer(users, find_total(fields))
    message = f"{status}, but the body holds no list `users`; {advise(200, page)}"
    kind = NoUsers if content is None or (users is None and content is fields) else PageError
    raise kind(message + quote_error(response))


def tells_error(fields: dict) -> bool:
    """Whether an answer says that it failed, whatever users it brings along. If that is how an API
    ends its list of users, this is the place to say so."""
    flags = {str(fields.get(name)).lower() for name in ("success", "ok")} & {"false", "0"}
    if flags or str(fields.get("status")).lower() in ("error", "fail", "failed"):
        return True
    names = ["error", "errors", "error_code", "errorMessage", "fault"]
    if "users" not in fields and not fields.get("success"):
        names += ["message", "detail"]
    values = [v.values() if isinstance(v, dict) else [v] for v in map(fields.get, names)]
    return any(str(v or "").strip().lower() not in __NO_ERROR for v in itertools.chain(*values))


def find_total(fields: dict) -> int | None:
    """The largest number that is named as a count of users, here or one level below."""
    levels = [level for level in (fields, *fields.values()) if isinstance(level, dict)]
    named = [item for level in levels for item in level.items() if __TOTAL.fullmatch(item[0])]
    return max((number for _, number in named if type(number) is int), default=None)


def parse_json(response: requests.Response):
    """Parse a body; half an emoji becomes U+FFFD. Raises AttemptFailed."""
    try:
        content = load_json(decode(response))
        if b"\\ud" in response.content.lower():  # half an emoji, at which the SDK raises
            text = json.dumps(content, ensure_ascii=False)
            content = load_json(__LONE_SURROGATE.sub("\ufffd", text))
        return content
    except (ValueError, RecursionError):
        is_html = response.content.lstrip()[:1] == b"<"
        said = "not JSON but a web page, as of a login or a firewall" if is_html else "not JSON"
        raise AttemptFailed(f"HTTP {response.status_code}, but the body is {said}", 0) from None


def decode(response: requests.Response) -> str:
    """A body as text: UTF-8, or the charset that its header names. What is neither becomes U+FFFD,
    since a single byte must not stop every sync."""
    charset = re.search(r"charset=[\"']?([\w.-]+)", response.headers.get("Content-Type", ""))
    for name in ("utf-8-sig", charset.group(1) if charset else "utf-8"):
        with suppress(LookupError, ValueError):
            return response.content.decode(name)
    return response.content.decode("utf-8-sig", errors="replace")


def load_json(text: str):
    """Parse JSON, with control characters in texts. What Python or the SDK cannot hold exactly
    stays text: integers beyond 64 bits, and what no double can hold. NaN is null."""
    return json.loads(
        text,
        strict=False,
        parse_int=lambda n: int(n) if len(n) < 20 and abs(int(n)) < 2**63 else n,
        parse_float=lambda digits: float(digits) if math.isfinite(float(digits)) else digits,
        parse_constant=lambda name: None,
    )


# --- Rows ---------------------------------------------------------------------------------------
def identify(user) -> str | int:
    """The `employeeId` as text, `1001.0` as `1001`; without one, a hash of the row."""
    value = user.get(__KEY) if isinstance(user, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value.strip():
        return value
    named = [user.get(name) for name in __COLUMNS] if isinstance(user, dict) else []
    return hash(json.dumps(named if any(named) else user, sort_keys=True))  # links may change


def read_row(user: dict, key: str, current: Pass) -> dict:
    """Turn a user as the API sent it into a row that the SDK can store; count the unreadable."""
    row, others = {__KEY: key}, {}  # the key first, since of two spellings the SDK keeps the first
    for name, value in user.items():
        if name in __COLUMNS:
            row[name] = key if name == __KEY else read_declared(name, value)
            if row[name] is None and value not in (None, ""):
                current.problems[
                    f"unreadable values of {name}, stored as null; see {__OTHER_FIELDS}"
                ] += 1
                others[name] = value
        elif can_be_column(name, value):
            row[name] = encode_undeclared(value)
        else:
            others[name] = value
    return {**row, __OTHER_FIELDS: others} if others else row


def note_fields(current: Pass, user: dict, row: dict):
    """Note what warn_of_fields() needs."""
    if len(current.filled) < len(__COLUMNS):
        current.filled.update(name for name in __COLUMNS if row.get(name) not in (None, ""))
    undeclared = user.keys() - __COLUMNS.keys()
    current.retyped.update(name for name in undeclared if is_retyped_by_sdk(user[name]))


def read_declared(column: str, value):
    """The value for a declared column; None where it cannot be read."""
    if __COLUMNS[column] == "UTC_DATETIME":
        return parse_timestamp(value)
    if __COLUMNS[column] == "DOUBLE":
        return read_number(value)
    if value is None or isinstance(value, str) or __COLUMNS[column] != "STRING":
        return value  # of another type, the SDK checks it
    # Not an object or a list, which the SDK would store in Python's notation.
    return None if isinstance(value, (dict, list)) else json.dumps(value)


def read_number(value) -> float | None:
    """A finite number, also from text such as `12.50`; None for anything else."""
    with suppress(OverflowError, TypeError, ValueError):
        number = float(value)
        return number if math.isfinite(number) and not isinstance(value, bool) else None
    return None


def can_be_column(name: str, value) -> bool:
    """Whether a field can have a column: not one whose name has no ASCII letter or digit or is
    Fivetran's own, nor a number in digits of other scripts, at which SDK 3.0.0 fails."""
    is_ascii = not isinstance(value, str) or value.isascii()
    is_storable = is_ascii or not __LOOKS_TYPED.fullmatch(value)
    return is_storable and bool(__COLUMN_NAME.fullmatch(name))


def encode_undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        # As a float it would be stored with 32 bits; as text with a point it becomes a DOUBLE.
        digits = repr(value)
        return digits if "." in digits else digits.replace("e", ".0e")
    if isinstance(value, str):
        # SDK 3.0.0 infers a timestamp but rejects it without seconds, which Java omits when 0.
        return __ZONED_MINUTE.sub(r"\1:00\2", value)
    return value


def is_retyped_by_sdk(value) -> bool:
    """Whether inference makes another value of a text: `F` becomes false, `4.10` becomes 4.1."""
    if isinstance(value, str) and __DECIMAL.fullmatch(value):
        return repr(float(value)) != value
    return value in ("t", "T", "f", "F", "NaN", "Infinity")


def parse_timestamp(text) -> datetime | None:
    """Read an ISO 8601 timestamp, such as `2026-03-01T12:00:00.123Z`, `2026-03-01 12:00 +0100` or
    `2026-03-01`, as UTC, which is also assumed if it names no zone; None if unreadable."""
    with suppress(AttributeError, OverflowError, TypeError, ValueError):
        written = read_iso(text)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    return None


@lru_cache(maxsize=8)  # the cursor looks once more at what a row has just read
def read_iso(text: str) -> datetime:
    """What a timestamp says, aware only if it names a zone. Raises ValueError."""
    text = text.strip().upper().replace("UTC", "Z").replace(" Z", "Z")
    text = text.replace(" +", "+").replace(" -", "-")
    if not __DATE_OR_TIME.fullmatch(text):  # digits, which Python would read in its own way
        raise ValueError
    return datetime.fromisoformat(text)


# --- Reports ------------------------------------------------------------------------------------
def report(sync: Sync, current: Pass, whole: bool, state: dict):
    """Write the last line of the log, and what a person should know, without a value of a user."""
    users, pages = len(sync.known), sync.pages
    counts = f"{users} user{'s' * (users != 1)} from {pages} page{'s' * (pages != 1)}"
    log.info(f"Synced {counts}; last_sync_time: {state.get('last_sync_time')}")
    for warning in (*warn_of_window(sync, current, whole), *warn_of_fields(sync, current)):
        log.warning(warning)
        op.warning(warning)


def warn_of_window(sync: Sync, current: Pass, whole: bool) -> Iterator[str]:
    """Who may be missing, or is read again needlessly."""
    name, brought = sync.api.updated_since_param, current.times.total()
    if not whole:
        yield (
            f"Users moved between pages in each of {__MAX_PASSES} passes, so last_sync_time stays "
            "where it was."
        )
    if sync.updated_since is None and brought < (current.total or 0):
        yield f"The API reports {current.total} users, but its pages brought {brought}."
    if current.end_in_doubt:
        yield f"The users end at a full page, so there may be more: {current.end_in_doubt}"
    since = parse_timestamp(sync.updated_since)
    if since and sync.oldest and since - sync.oldest > __CLEARLY_OLDER:
        yield f"The API does not know the filter `{name}`: {__FILTER_ADVICE}"
    if sync.filter_refusal:
        yield f"The API refuses the filter `{name}`, so everybody was read: {sync.filter_refusal}"


def warn_of_fields(sync: Sync, current: Pass) -> Iterator[str]:
    """What the table does not hold as the API sent it."""
    yield from (f"{number} {reason}" for reason, number in sorted(current.problems.items()))
    shared = [n for key, n in current.times.items() if n > 1 and isinstance(key, str)]
    if shared and len(current.times) == len(sync.known) + len(sync.without_key):
        yield f"{sum(shared)} users share an {__KEY} with another; {len(shared)} rows are stored."
    empty = ", ".join(name for name in __COLUMNS if name not in current.filled)
    if empty and sync.updated_since is None and len(sync.known) >= __MIN_USERS_TO_JUDGE:
        yield f"No user has a value in {empty}: check whether the API has renamed or hides it."
    if current.retyped:
        names = ", ".join(sorted(current.retyped))
        yield f"Fivetran retypes text (`F`, `4.10`) of {names}: add them to __COLUMNS as STRING."


def describe_unforeseen(error: Exception) -> str:
    """Name an error and where it arose. One of this file is not quoted: it may hold users."""
    places = traceback.extract_tb(error.__traceback__)
    path = ", ".join(f"{at.name}() {at.lineno}" for at in places if at.filename == __file__)
    said = "" if places[-1].filename == __file__ else f": {error}"
    return f"{type(error).__name__} in connector.py (function and line: {path}){said}"


# --- The configuration --------------------------------------------------------------------------
@dataclass(frozen=True)
class Settings:
    """The checked configuration."""

    api_key: str = field(repr=False)
    base_url: str
    updated_since_param: str
    full_sync_days: int | None
    use_mock: bool


def validate_configuration(configuration: dict) -> Settings:
    """Check the configuration: texts by name, as in configuration.json; blank or `<...>` means not
    set. Raises ConfigurationError, which names the setting and the remedy, and shows no value."""
    use_mock = (read_setting(configuration, "use_mock") or "false").lower()
    require(use_mock in ("true", "false"), "use_mock must be true or false: correct it.")
    param = read_setting(configuration, "updated_since_param") or __UPDATED_SINCE_PARAM
    require(
        param.lower() not in ("page", "per_page"),
        "updated_since_param must not be page or per_page: set it to the name of the filter.",
    )
    days = read_setting(configuration, "full_sync_days")
    require(
        not days or re.fullmatch("[1-9][0-9]{0,4}", days),
        "full_sync_days must be a whole number of days from 1, or blank for never.",
    )
    key, url = "mock", __MOCK_BASE_URL
    if use_mock == "false":
        key, url = read_api_key(configuration), read_base_url(configuration)
    require(
        use_mock == "false" or os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") == "local_debug",
        "use_mock is for `fivetran debug` and `fivetran run` on your own machine: remove it.",
    )
    return Settings(key, url, param, int(days) if days else None, use_mock == "true")


def require(is_met, message: str):
    """Raise ConfigurationError unless a condition is met."""
    if not is_met:
        raise ConfigurationError(message)


def read_setting(configuration: dict, name: str) -> str:
    """A setting without what is pasted around it; `""` where it is not set."""
    value = re.sub(__PASTED, "", str(configuration.get(name) or ""))
    return "" if value.startswith("<") and value.endswith(">") else value


def read_api_key(configuration: dict) -> str:
    """The key. Raises ConfigurationError where no header can hold it."""
    key = read_setting(configuration, "api_key")
    require(
        key,
        "api_key is missing: set it to the API key of your Awardco tenant, or set use_mock to "
        "true to try the connector without one.",
    )
    require(
        re.fullmatch(r"(?!fivetran_encrypted:)[\x21-\x7e]+", key),
        "api_key holds a space, a line break or another character that no HTTP header can hold "
        "(copy the key again), or is encrypted (run `fivetran debug`, not connector.py).",
    )
    return key


def read_base_url(configuration: dict) -> str:
    """The address, without what follows the API's root. Raises ConfigurationError."""
    url, parts = read_setting(configuration, "base_url"), None
    require(url, "base_url is missing: set it to the address of the Awardco API.")
    with suppress(ValueError):
        found = urlsplit(url)
        is_address = found.scheme in ("http", "https") and found.hostname and found.port != 0
        parts = found if is_address and not re.search(r"[\s\\]", url) else None
    require(parts, "base_url is not a web address: write it with scheme and host.")
    require(
        not re.search("[@?#]", url),
        "base_url holds a user name, a query or a fragment: give scheme, host and path only.",
    )
    require(
        parts.scheme == "https" or re.fullmatch(__THIS_MACHINE, parts.hostname),
        "base_url uses http, which would send the key unencrypted: use https.",
    )
    return re.sub(r"(?<!/)/api(/users)?$", "", url.rstrip("/")).rstrip("/")  # not of //api


# --- The setup form -----------------------------------------------------------------------------
def setup_test(find_problem: Callable) -> Callable:
    """Make a setup test of a function that gets the API, a way to ask it, and its first users, and
    tells what is wrong. The test never raises: a crash report would show settings unmasked."""

    def test(configuration: dict):
        try:
            api = open_api(validate_configuration(configuration))
            with api.session:
                # A person is waiting.
                limits: dict = {"attempts": 2, "max_retry_after_seconds": 10}
                ask = partial(make_request_with_retry, api, 1, __SMALL_PAGE, **limits)
                problem = find_problem(api, ask, ask().users)
        except (ConfigurationError, SyncError) as error:
            problem = str(error)
        except Exception as error:
            problem = f"The test itself failed ({type(error).__name__})."
        return Test().failure(problem) if problem else Test().success()

    test.__name__ = find_problem.__name__
    return test


@setup_test
def connection_test(api: Api, ask: Callable, users: list) -> str | None:
    """The API is reachable and accepts the key, or setup_test() would have no users."""


@setup_test
def users_test(api: Api, ask: Callable, users: list) -> str | None:
    """There are users, with the fields that a sync needs."""
    found = [user for user in users if isinstance(identify(user), str)]
    if not users:
        return "The API returns no users: check that api_key may see those of your tenant."
    if not found:
        return f"The users have no {__KEY}: this is not the API that the connector is made for."
    if find_times(found) or all(user.get("updated_at", "missing") is None for user in found):
        return None  # never updated, as yet
    return "No user has a readable updated_at: without it every sync reads everybody."


@setup_test
def filter_test(api: Api, ask: Callable, users: list) -> str | None:
    """The API takes its own times as a filter, and does not ignore it: users older than a
    future time show that it does; a refusal of such a time shows nothing."""
    times = find_times(users)
    with suppress(NoUsers):
        ask(max(times, key=parse_timestamp, default=None))
    sample = times[0] if times else "2000-01-01T00:00:00Z"
    later, found = f"{(api.started_at + timedelta(days=2)).date()}{sample[10:]}", []
    with suppress(PageRefused):
        found = find_times(ask(later).users)
    if any(parse_timestamp(text) < parse_timestamp(later) for text in found):
        return f"The API does not know the filter `{api.updated_since_param}`: {__FILTER_ADVICE}"
    return None


def find_times(users: list) -> list:
    """The readable `updated_at` of users, as the API wrote them."""
    times = [user.get("updated_at") for user in users if isinstance(user, dict)]
    return [text.strip() for text in times if parse_timestamp(text)]


def configuration_form() -> ConfigurationForm:
    """The setup form of the dashboard and of `fivetran configuration`, with its tests."""
    form, text = ConfigurationForm(), form_field.TextField
    key = "A key that may read users. In Awardco: Admin, Platform, Integrations, API Settings."
    url = "The address of your tenant's Awardco API, without /api/users."
    param = f"The parameter for users changed since a time: {__UPDATED_SINCE_PARAM} if left blank."
    like, usual = "https://api.awardco.com", __UPDATED_SINCE_PARAM
    days = "Read everybody again after so many days, to find who left and what the filter hides."
    form.add_field(text("api_key", "API key", text.password, description=key, required=True))
    form.add_field(text("base_url", "Base URL", description=url, required=True, placeholder=like))
    label = "Name of the timestamp filter"
    form.add_field(text("updated_since_param", label, description=param, placeholder=usual))
    form.add_field(text("full_sync_days", "Days between full syncs", description=days))
    form.add_test(label="The API accepts the key", func=connection_test)
    form.add_test(label="The API returns users as expected", func=users_test)
    form.add_test(label="The timestamp filter works", func=filter_test)
    return form


# --- Mock mode ----------------------------------------------------------------------------------
class MockAwardco(requests.adapters.HTTPAdapter):
    """Answers in place of the API from mock_data/users.json, in pages of at most 100."""

    def __init__(self, updated_since_param: str):
        super().__init__()
        self.updated_since_param = updated_since_param
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "mock_data", "users.json"), encoding="utf-8") as file:
            self.users = json.load(file)["users"]

    def send(self, request: requests.PreparedRequest, *_, **__) -> requests.Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        since = parse_timestamp(query.get(self.updated_since_param))
        times = [(user, parse_timestamp(user.get("updated_at"))) for user in self.users]
        found = [user for user, at in times if not since or (at and at >= since)]
        page, per_page = int(query["page"]), min(int(query["per_page"]), 100)
        body = {"users": found[(page - 1) * per_page : page * per_page]}
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response.headers["Date"] = format_datetime(now(), usegmt=True)
        response.raw = io.BytesIO(json.dumps(body).encode())
        return response


# --- The connector ------------------------------------------------------------------------------
connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    with open("configuration.json", encoding="utf-8") as configuration_file:
        connector.debug(configuration=json.load(configuration_file))
