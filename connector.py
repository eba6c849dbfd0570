"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, upserts each user into
the table `USER` and checkpoints after each page. The order of the users, the largest page, what
follows the last page and whose clock applies are not public, so no rule below relies on them.

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
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

# What is assumed of the API. Compare it with Awardco's reference, https://api.awardco.com/api, and
# change it here where your tenant's API differs. CONTRIBUTING.md has an example of each change.
__PATH = "/api/users"
__KEY_HEADER = {"apiKey": "{key}"}
__LIST = "users"  # where the users are in an answer; `data.items` means `items` inside `data`
__PAGE_PARAM = "page"
__PER_PAGE_PARAM = "per_page"
__FIRST_PAGE = 1  # the number of the first page
__UPDATED_SINCE_PARAM = "updated_since"
__OTHER_PARAMS: dict = {}  # sent with every request

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
__OTHER_FIELDS = "other_fields"  # JSON: fields without a column, and values that do not fit one

__LARGE_PAGE = 1_000  # users a page at first
__SMALL_PAGE = 100  # users a page where the API does not give large ones
__LARGEST_PAGE = 10_000  # users a page in the pass that asks for all at once
__SMALLEST_CAP = 10  # users a page; caps are multiples of it, and a smaller page 1 shows none
__MAX_PASSES = 5  # a source that changes during each of so many will not rest for a sixth
__PASS_ALL_AT_ONCE = 3  # one page has no border at which users can be missed
__NEXT_SIZE_SHARE = 0.75  # of the smallest page so far: what passes 2, 4 and 5 ask for
__MIN_USERS_TO_JUDGE = 20  # fewer can be alike, or odd, by chance
__MAX_TIMES_EACH = 3  # if users come more often on average, the API sends them without end
__MIN_SHARE_TO_MARK = 0.5  # of the users of the last complete read; if fewer came, mark nobody
__PAGES_PER_PROGRESS_LINE = 10

__CURSOR_MARGIN = timedelta(hours=1)  # for changes that are committed late
__CURSOR_MARGIN_WITHOUT_ZONE = timedelta(hours=39)  # + 14 for the zone, + 24 for a date alone
__CLEARLY_OLDER = timedelta(days=2)  # more than a missing zone and a date alone can cause
__NEVER = datetime.min.replace(tzinfo=UTC)

__TIMEOUT_SECONDS = (10, 60)  # to connect, for each read
__ATTEMPTS = 8  # with the waits between them, about two minutes
__LARGE_PAGE_ATTEMPTS = 2  # for page 1; then small pages, rather than two minutes in each sync
__MAX_BACKOFF_SECONDS = 60
__MAX_RETRY_AFTER_SECONDS = 3_600  # where the API asks to wait longer, the sync fails now
__SETUP_LIMITS = (2, 10)  # attempts, seconds as above: in a setup test a person is waiting
__RETRIED_STATUSES = {408, 425, *range(500, 600)}  # and rate limits
__REFUSING_STATUSES = {400, 404, 410, 413, 416, 422}  # what APIs answer past their last page
__CONNECTION_ADVICE = "check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE"
__FILTER_ADVICE = "set updated_since_param to the name that your API uses"
__ADVICE = {
    **dict.fromkeys((400, 413, 422), "check updated_since_param, and lower __SMALL_PAGE"),
    200: "check base_url, and __LIST in connector.py",
    401: "check api_key: the API does not accept it",
    403: "check that api_key has the permission to read users",
    404: f"check base_url: no {__PATH} there; or your tenant's API lacks this method: ask Awardco",
    407: "the proxy on the way refuses: check the proxy settings of this machine",
}
__MAX_QUOTED_CHARACTERS = 200
__MAX_NAMED_FIELDS = 10
__ERROR = r"(?!(0|200|false|none|null|ok|success|\[\])$).+"  # in a field for errors
__FAILURES = {  # how an answer reports a failure: folded field names, see fold_name(), and values
    "success ok issuccess": "false|0",
    "status statuscode code": r"error|fail|failed|[4-9]\d\d|\d{4,}",
    "timedout": "true",
    "error errors errorcode errcode errormessage fault": __ERROR,
}
__COLUMN_NAME = re.compile(r"(?![\W_]+fivetran)[ -~]*[A-Z0-9][ -~]*", re.ASCII | re.IGNORECASE)
__ZONED_MINUTE = re.compile(r"\A(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)\Z", re.A | re.I)
__TAKEN = "|".join(map(re.escape, [__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS]))
__SETTINGS = {  # what each must match
    "api_key": r"(?!fivetran_encrypted:)[!-~]+",
    "base_url": r"(https://|http://(?=(localhost|127(\.\d+){3}|\[::1\])(:|/|$)))[^\s\\/@?#][^\s\\@?#]*",
    "updated_since_param": f"(?!({__TAKEN})$).*",
    "full_sync_days": "([1-9][0-9]{0,4})?",
    "use_mock": "(true|false)?",
}
__REMEDIES = {  # and what to do where it does not
    "api_key": "copy the key of your Awardco tenant, without spaces or line breaks; if it is "
    "encrypted, run `fivetran debug`, not connector.py; or set use_mock to true to try mock mode",
    "base_url": "set it to the address of Awardco's API, such as https://api.awardco.com, without "
    "user name or query; http would send the key unencrypted",
    "updated_since_param": "set it to the name of the filter, not of another parameter",
    "full_sync_days": "set it to a whole number of days from 1, or leave it blank for never",
    "use_mock": "set it to true or false",
}
__MOCK_BASE_URL = "https://mock.awardco.invalid"


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended a sync or a setup test; the message is written for the user."""


class PageError(SyncError):
    """A page that could not be read. Smaller pages, or no filter, may help."""


class AttemptFailed(Exception):
    """An attempt failed, but another may succeed: why, and how long a rate limit asks to wait."""


def schema(configuration: dict) -> list:
    """Declare the table and the columns that inference would mistake, such as a first name `T`."""
    return [{"table": __TABLE, "primary_key": [__KEY], "columns": __COLUMNS}]


def update(configuration: dict, state: dict):
    """Sync users changed since the last sync, or all. Raises ConfigurationError or SyncError."""
    try:
        api = open_api(validate_configuration(configuration))
        with api.session:
            sync_users(start_sync(api, state))
    except (ConfigurationError, SyncError) as error:
        op.error(message=str(error))  # for the dashboard, without a stack; it may return
        raise type(error)(str(error)) from None  # no frames: crash reports print variables
    except Exception as error:
        raise SyncError(describe_unforeseen(error)) from None


# --- The sync and its passes --------------------------------------------------------------------
# Users move between pages while they are read. Six users, two a page, in order of `updated_at`:
#     page 1   A B
#              Now A changes and moves to the end: the source holds B C, D E, F A.
#     page 2   D E      C has moved to page 1, which was already read: nobody sees it.
#     page 3   F A      A is met a second time.
#
# The pages brought 6 rows, as many as the source has users, but only 5 different users. This holds
# for every order of rows, for changes, moves and hires: if pages are answered in order, a pass
# that missed somebody met somebody else twice. So it is whole if it brought as many rows as the
# sync knows users, and nothing else is doubtful. If not, the window is read again.


@dataclass
class Sync:
    """What one sync knows."""

    api: Api
    state: dict  # as the sync before left it
    updated_since: str | None  # the filter, frozen; only read_pass() drops it, if it is refused
    is_due: bool  # full_sync_days asks to mark who left: everybody is read
    started_at: datetime  # by this machine's clock; for last_full_sync only
    cursor: str | None  # where last_sync_time may stand so far, as the API wrote it
    cursor_at: datetime | None  # the cursor, parsed
    known: dict = field(default_factory=dict)  # employeeId to updated_at: 40 MB for 200,000 users
    without_key: set = field(default_factory=set)  # rows that have no employeeId, see identify()
    delivered: list = field(default_factory=list)  # the rows of each page, for mark_leavers()
    pages: int = 0  # with users
    total: int = 0  # how many users there are, where the API says so
    has_deletions: bool = False  # it fell, so `known` holds users who are gone
    filter_refusal: str = ""  # why the window is read without the filter


@dataclass
class Pass:
    """What one pass has brought so far."""

    first_size: int  # users asked for with page 1
    per_page: int  # and with the pages after it
    first: Answer | None = None  # page 1
    brought: int = 0  # distinct users of each page, summed: who is on two pages counts twice
    met: Counter = field(default_factory=Counter)  # how often each user came, see identify()
    rows: set = field(default_factory=set)  # what came, see fingerprint()
    has_repeats: bool = False  # a row came again on another page, just as it was
    doubt: str = ""  # what counts against the pass: why somebody may be missing
    cut_off: str = ""  # the refusal that ended it after a full page
    is_page_ignored: bool = False  # page 2 was page 1 again, and full
    is_whole: bool = False
    problems: Counter = field(default_factory=Counter)  # what could not be used, by reason
    filled: set = field(default_factory=set)  # declared columns in which somebody has a value


def start_sync(api: Api, state: dict) -> Sync:
    """Begin a sync. A state holds `last_sync_time`; `last_full_sync`, when the last whole sync of
    everybody began; and `users`, how many the last complete one found. Raises SyncError."""
    times = {name: state[name] for name in ("last_sync_time", "last_full_sync") if name in state}
    unreadable = [name for name, text in times.items() if parse_timestamp(text) is None]
    if unreadable or type(state.get("users", 0)) is not int:
        name = (*unreadable, "users")[0]
        raise SyncError(f"The state cannot be used: {name} is unreadable. Start a re-sync.")
    cursor, last = times.get("last_sync_time"), parse_timestamp(times.get("last_full_sync"))
    began, period = now(), timedelta(days=api.full_sync_days)
    # abs(): a future time only shows that a clock was wrong. Without a cursor all are read anyway.
    is_due = bool(period and times) and (not cursor or abs(began - (last or __NEVER)) >= period)
    since = None if is_due else cursor
    everybody = "Full sync: all users (full_sync_days)" if is_due else "Full sync: all users"
    log.info(f"Incremental sync: users changed since {since}" if since else everybody)
    return Sync(api, state, since, is_due, began, cursor, parse_timestamp(cursor))


def sync_users(sync: Sync):
    """Read the window until a pass was whole, store the cursor, and report. Each pass has other
    borders between pages: users with equal times can sort differently on either side of one."""
    previous, per_page, smallest = None, __LARGE_PAGE, __LARGE_PAGE
    for number in range(1, __MAX_PASSES + 1):
        current = read_pass(sync, per_page)
        current.is_whole = is_whole(sync, current, previous)
        if current.is_whole or number == __MAX_PASSES:
            break
        log.info(f"Reading again, pass {number + 1}: {current.doubt or 'users may have moved'}")
        previous, smallest = current, min(smallest, current.per_page)
        per_page = max(int(smallest * __NEXT_SIZE_SHARE), 1)
        if number + 1 == __PASS_ALL_AT_ONCE:
            per_page = min(max(per_page, 2 * len(sync.known)), __LARGEST_PAGE)
    if current.is_page_ignored and len(current.met) == current.first_size:
        raise SyncError(f"The API ignores `{__PAGE_PARAM}`: adapt __PAGE_PARAM in connector.py.")
    finish_sync(sync, current)


def finish_sync(sync: Sync, current: Pass):
    """Store the cursor, mark leavers, and report what people need to know, without user data."""
    names, users = ("last_sync_time", "last_full_sync", "users"), len(sync.known)
    state = {name: sync.state[name] for name in names if name in sync.state}
    is_full, gaps = sync.updated_since is None, list(find_gaps(sync, current))
    if current.is_whole and sync.cursor is not None:
        state["last_sync_time"] = sync.cursor
    if current.is_whole and is_full and sync.known:
        state["last_full_sync"] = sync.started_at.isoformat(timespec="seconds")
    if is_full and not gaps:
        state["users"] = users
    if sync.is_due and not gaps and "users" not in sync.state:  # all could be marked at once
        gaps = ["no complete read had counted the users before"]
    if sync.is_due and gaps:
        gaps[0] = f"Nobody was marked as deleted: {gaps[0]}"
    elif sync.is_due:
        mark_leavers(sync)
    op.checkpoint(state=state)  # commits the last rows, and what the next sync begins with
    counts = f"{users} user{'s' * (users != 1)} from {sync.pages} page{'s' * (sync.pages != 1)}"
    log.info(f"Synced {counts}; last_sync_time: {state.get('last_sync_time')}")
    for warning in (*gaps, *find_warnings(sync, current)):
        log.warning(f"{warning}.")
        op.warning(f"{warning}.")


def find_gaps(sync: Sync, current: Pass) -> Iterator[str]:
    """Why users may be missing. A sync of everybody is complete if nothing is found."""
    users, before, rows_met = len(sync.known), sync.state.get("users", 0), current.met.total()
    if not current.is_whole:
        why = current.doubt or "some came twice, so others may have been passed over"
        why += ", and every page is page 1: check __PAGE_PARAM" * current.is_page_ignored
        yield f"Users may be missing: no pass was whole ({why}). last_sync_time stays where it was"
    if current.cut_off:
        yield f"The users end at a full page, so there may be more: {current.cut_off}"
    if sync.updated_since is not None:
        return
    if rows_met < sync.total:
        yield f"The API reports {sync.total} users, but its pages brought {rows_met}"
    if not users:
        yield "The API returned no users to store: check that the key may see those of your tenant"
    elif users < before * __MIN_SHARE_TO_MARK:
        yield f"{users} users came, fewer than half of the {before} of the last complete read"


def mark_leavers(sync: Sync):
    """Mark all rows as deleted, and deliver this sync's again: one transaction with SDK 3.0.0."""
    op.truncate(table=__TABLE)
    for page in sync.delivered:
        for row in json.loads(zlib.decompress(page)):
            op.upsert(table=__TABLE, data=row)
    log.info("Users whom the API no longer returns are marked: _fivetran_deleted is true")


def read_pass(sync: Sync, per_page: int) -> Pass:
    """Read the window once, and deliver who is new or newer. A pass that fails is begun again in
    small pages, and then without the filter if that is refused: its name, notation or age.

    Args:
        per_page: users to ask for with page 1.
    Raises:
        SyncError: a page could not be read.
    """
    is_filter_taken = False
    while True:
        current = Pass(per_page, per_page)
        try:
            for answer in fetch_users(sync, current):
                deliver_page(sync, current, answer)
                # Commits the rows with the old state: pages not yet read may hold older changes.
                op.checkpoint(state=sync.state)
            return current
        except PageError as error:
            if per_page != __SMALL_PAGE:
                per_page = __SMALL_PAGE
            elif sync.updated_since is None or current.met or is_filter_taken:
                raise  # the filter is not to blame
            elif is_filter_answered(sync):
                is_filter_taken = True  # an outage has passed
            elif current.first and current.first.is_nobody:
                return current  # nobody has changed
            else:
                sync.updated_since, sync.filter_refusal = None, str(error)
                per_page = __LARGE_PAGE
            log.info(f"Reading again in pages of {per_page} users: {error}")


def is_filter_answered(sync: Sync) -> bool:
    """Whether page 1 is now answered with the filter. Raises PageError if it fails without too."""
    ask = partial(make_request_with_retry, sync.api, 1, __SMALL_PAGE)
    if refusal := ask(attempts=__LARGE_PAGE_ATTEMPTS).refusal:
        raise PageError(refusal)
    with suppress(PageError):
        return not ask(sync.updated_since, attempts=1).refusal
    return False


def deliver_page(sync: Sync, current: Pass, answer: Answer):
    """Upsert the users of a page that are new or newer, and count the page. Raises SyncError."""
    users, has_key = answer.users, any(isinstance(key, str) for key in answer.keys)
    if sync.pages == 0 and not has_key and len(users) >= __MIN_USERS_TO_JUDGE:
        found = f"the API has changed its shape. Its users have {name_fields(users[0])}"
        raise SyncError(f"No user has a usable {__KEY}: {found}: adapt find_spellings().")
    taken = (take_user(sync, current, *user) for user in zip(users, answer.keys, strict=True))
    rows = [row for row in taken if row]
    for row in rows:
        op.upsert(table=__TABLE, data=row)  # inserts the row, or replaces the one with its key
    if sync.is_due:
        sync.delivered.append(zlib.compress(json.dumps(rows, default=datetime.isoformat).encode()))
    current.brought += len(answer.people)  # twice on one page is twice in the source
    current.met.update(answer.keys)
    current.has_repeats |= not answer.rows.isdisjoint(current.rows)
    current.rows |= answer.rows
    if 0 < answer.total < sync.total:
        current.doubt = "the API's total fell: users were deleted, so others have moved"
        sync.has_deletions = True
    sync.total = answer.total or sync.total
    sync.pages += 1
    if sync.pages % __PAGES_PER_PROGRESS_LINE == 0:
        of_all = f" of {sync.total:,}" if sync.total and sync.updated_since is None else ""
        log.info(f"{sync.pages} pages read, {len(sync.known):,}{of_all} users so far")


def take_user(sync: Sync, current: Pass, user: dict, key: str | int) -> dict | None:
    """Record a user. Returns the row if the user is new to this sync, or newer."""
    if not isinstance(key, str):
        sync.without_key.add(key)
        current.problems[f"users without a usable {__KEY}, skipped"] += 1
        return None
    row = read_row(user, key, current)
    if len(current.filled) < len(__COLUMNS):
        current.filled.update(name for name in __COLUMNS if row.get(name) not in (None, ""))
    if updated_at := row.get("updated_at"):
        move_cursor(sync, updated_at, user["updated_at"].strip())
    known, changed_at = sync.known.get(key), updated_at or __NEVER
    if known is not None and changed_at <= known:
        return None
    sync.known[key] = changed_at
    return row


def move_cursor(sync: Sync, updated_at: datetime, text: str):
    """Move the cursor to a newer time, if the sync's first answer is later by the margin."""
    if sync.cursor_at is None or updated_at > sync.cursor_at:
        margin = __CURSOR_MARGIN if read_iso(text).tzinfo else __CURSOR_MARGIN_WITHOUT_ZONE
        if sync.api.answered_at - updated_at >= margin:
            sync.cursor, sync.cursor_at = text, updated_at


def is_whole(sync: Sync, current: Pass, previous: Pass | None) -> bool:
    """Whether a pass cannot have missed a user whom the sync does not know: see above. A user with
    two records comes twice in every pass. So it is whole too if it met the same users as the pass
    before, each as often, at another page size, and no row on two pages (an unstable sort).

    Args:
        previous: the pass before; None for the first.
    """
    if current.doubt:
        return False
    is_everybody = current.brought == len(sync.known) + len(sync.without_key)
    if is_everybody and (current.brought == len(current.met) or not sync.has_deletions):
        return True
    if previous is None or current.per_page == previous.per_page or current.has_repeats:
        return False
    return current.met == previous.met and len(current.met) >= __MIN_USERS_TO_JUDGE


# --- Pages --------------------------------------------------------------------------------------
def fetch_users(sync: Sync, current: Pass) -> Iterator[Answer]:
    """Yield the pages of a pass that hold users. While one is delivered, the next is on its way,
    but no other: a hire could move a user from a page not yet answered to one that was.

    Args:
        current: the pass; notes what counts against it. The caller counts each page in it.
    Raises:
        PageError: a page could not be read, but smaller ones may be. SyncError: they would not.
    """
    answer = request_first_page(sync, current)
    for page in itertools.count(2):
        ahead: Future = Future()
        asked = (ahead, sync.api, page, current.per_page, sync.updated_since)
        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()
        if answer.users:
            yield answer
        last, answer = answer, ahead.result()
        if not answer.users or answer.people in (last.people, current.first.people):
            answer = find_rest(sync, current, page, answer, last)
        if answer is None:
            return
        log_small_pages(current, page)
        if answer.users and len(last.users) < current.per_page:
            current.doubt = f"page {page - 1} was short, but page {page} brought users"
        if current.brought > __MAX_TIMES_EACH * len(current.met):
            current.doubt = f"page {page} still brought users, but each had come several times"
            return


def request_first_page(sync: Sync, current: Pass) -> Answer:
    """Ask for page 1. Later pages have the size it brought, as an API may count capped pages by
    what was asked for; but not if it is below any cap, or users seem hidden. Raises PageError."""
    asked = current.first_size
    attempts = __ATTEMPTS if asked == __SMALL_PAGE else __LARGE_PAGE_ATTEMPTS
    answer = make_request_with_retry(sync.api, 1, asked, sync.updated_since, attempts)
    current.first, came = answer, len(answer.users)
    if answer.refusal:
        raise PageError(answer.refusal)
    is_thinned = asked // 2 < came < asked and came % __SMALLEST_CAP != 0  # as 97 of 100
    if came >= __SMALLEST_CAP and not is_thinned:
        current.per_page = came
    return answer


def log_small_pages(current: Pass, page: int):
    """Log that the API may call the page size by another name: small pages take long to read."""
    came, asked = len(current.first.users), current.first_size
    if page == 2 and came < __SMALL_PAGE and asked == __LARGE_PAGE:
        log.info(f"Page 1 has {came} of {asked:,} users asked for: check __PER_PAGE_PARAM")


def find_rest(sync: Sync, current: Pass, page: int, answer: Answer, last: Answer) -> Answer | None:
    """The page to go on with after one that has no users, or those of the last page or of page 1.
    None at the end: neither the next page nor this one, asked again, brings others. A refusal is
    an end only if page 1 is answered, as a route may be gone for seconds. Raises PageError."""
    is_small = len(last.users) < __MIN_USERS_TO_JUDGE and len(last.users) != __SMALLEST_CAP
    if page == 2 and is_small and not answer.users and not answer.refusal:
        return None  # as most syncs end, after two requests
    ask = partial(make_request_with_retry, sync.api, updated_since=sync.updated_since)
    if page == 2 and answer.refusal and current.per_page != current.first_size:
        answer = ask(page, current.first_size)
        if answer.users:
            current.per_page = current.first_size
            return answer
    following = ask(page + 1, current.per_page)
    if answer.refusal and ask(1, current.first_size).refusal:
        raise PageError(answer.refusal)
    again = ask(page, current.per_page)
    no_others = {frozenset(), last.people, current.first.people} if answer.users else {frozenset()}
    if again.people not in no_others:  # after a page without users, any are others
        return again
    if following.people in no_others:
        check_end(sync, current, page, answer, last)
        return None
    if answer.refusal:
        raise PageError(answer.refusal)
    if not answer.users:
        current.doubt = f"page {page} was empty, but page {page + 1} brought users"
    return answer


def check_end(sync: Sync, current: Pass, page: int, answer: Answer, last: Answer):
    """Judge an end after a page as full as asked for, or as a usual cap. Against it: page 2 is
    page 1, a refusal, a larger total. Raises PageError if small pages may be answered."""
    asked, came = current.first_size if page == 2 else current.per_page, len(last.users)
    is_round = sync.updated_since is None or came % __SMALL_PAGE == 0  # 250 can come by chance
    is_cap = came >= __SMALLEST_CAP and __LARGE_PAGE % came == 0 and is_round
    if answer.refusal and came >= asked:
        if asked == __LARGE_PAGE:
            raise PageError(answer.refusal)
        current.cut_off = answer.refusal
    is_page_ignored = page == 2 and bool(answer.users)
    is_refused = answer.refusal and (page == 2 or sync.updated_since is not None)
    has_more = current.met.total() < sync.total
    if (came >= asked or is_cap) and (is_page_ignored or is_refused or has_more):
        current.doubt, current.is_page_ignored = "the users end at a full page", is_page_ignored


def request_ahead(ahead: Future, *arguments):
    """Ask for a page on a thread of its own, which the process does not wait for at its end."""
    try:
        ahead.set_result(make_request_with_retry(*arguments))
    except BaseException as error:  # raised again by ahead.result()
        ahead.set_exception(error)


# --- Requests -----------------------------------------------------------------------------------
@dataclass
class Api:
    """What the requests of a sync share. The session alone holds the key, in its headers."""

    session: requests.Session
    url: str
    updated_since_param: str
    full_sync_days: int  # 0 for never
    attempts: int  # for one request, at most
    max_retry_after_seconds: int  # where the API asks to wait longer, a request fails at once
    answered_at: datetime | None = None  # when the first answer came; the margins count from it


@dataclass
class Answer:
    """A page of users under their declared names; `keys`, `people` and `rows` are made of it."""

    users: list
    total: int = 0  # how many users there are on all pages, where the API says so
    refusal: str = ""  # why there are none, where the API refused the page
    is_nobody: bool = False  # it sent 204, or no list: with a filter, nobody may have changed

    def __post_init__(self):
        self.users = [rename_fields(user) for user in self.users]
        self.keys = [identify(user) for user in self.users]
        self.people = frozenset(self.keys)
        self.rows = {fingerprint(user) for user in self.users if isinstance(user, dict)}


def open_api(settings: dict, attempts=__ATTEMPTS, wait=__MAX_RETRY_AFTER_SECONDS) -> Api:
    """The API with its session, which the caller closes, from checked settings."""
    session, param = requests.Session(), settings["updated_since_param"]
    session.headers.update({"User-Agent": "fivetran-awardco-users", "Accept": "application/json"})
    session.headers["Cache-Control"] = "no-cache"
    for header, value in __KEY_HEADER.items():
        session.headers[header] = value.format(key=settings["api_key"])
    session.auth = lambda request: request  # or requests adds a password from ~/.netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if settings["base_url"].lower().startswith("http:"):
        session.trust_env = False  # this machine: no proxy on the way
    if settings["base_url"] == __MOCK_BASE_URL:
        mock = requests.adapters.HTTPAdapter()
        mock.send = partial(answer_mock, param)  # type: ignore[method-assign]
        session.mount(__MOCK_BASE_URL, mock)
    days = int(settings["full_sync_days"] or 0)
    return Api(session, settings["base_url"] + __PATH, param, days, attempts, wait)


def make_request_with_retry(
    api: Api, page: int, per_page: int, updated_since: str | None = None, attempts=__ATTEMPTS
) -> Answer:
    """Ask for a page of users, again where another attempt may help.

    Args:
        page, per_page: which page, from 1, and how many users; the API may give another number.
        updated_since: the filter, in the API's own notation; None asks for everybody.
        attempts: how often to ask; rate limits, which smaller pages make worse, get all of `api`.
    Returns:
        The page. A refusal, which may only mean that the page lies past the end, is noted in it.
    Raises:
        PageError: smaller pages may help. SyncError: they would not.
    """
    since = {} if updated_since is None else {api.updated_since_param: updated_since}
    params = {__PAGE_PARAM: page - 1 + __FIRST_PAGE, __PER_PAGE_PARAM: per_page, **since}
    attempt = 0
    while True:
        attempt += 1
        failed = f"Page {page} of the users could not be read (attempt {attempt})"
        try:
            answer = send_request(api, {**params, **__OTHER_PARAMS}, page)
            answer.refusal = answer.refusal and f"{failed}: {answer.refusal}"
            return answer
        except SyncError as error:
            raise type(error)(f"{failed}: {error}") from None
        except AttemptFailed as error:
            why, retry_after = error.args
        limit = min(api.attempts, attempts if retry_after is None else __ATTEMPTS)
        if attempt >= limit or (retry_after or 0) > api.max_retry_after_seconds:
            raise (PageError if retry_after is None else SyncError)(f"{failed}: {why}")
        backoff = 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        wait = max(min(backoff, __MAX_BACKOFF_SECONDS), retry_after or 0)
        log.warning(f"Page {page}: attempt {attempt} of {limit}: {why}; next in {wait:.1f} s")
        time.sleep(wait)


def send_request(api: Api, params: dict, page: int) -> Answer:
    """One attempt. Raises AttemptFailed if another may help, else SyncError; quotes no header."""
    try:
        # requests would take the key along to whatever host a redirect names.
        response = api.session.get(
            api.url, params=params, timeout=__TIMEOUT_SECONDS, allow_redirects=False
        )
    except requests.Timeout as error:
        raise AttemptFailed(f"no answer in time ({type(error).__name__})", None) from None
    except requests.exceptions.ContentDecodingError:
        raise AttemptFailed("the body is not encoded as Content-Encoding says", None) from None
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise describe_connection_failure(error) from None
    except (OSError, ValueError) as error:  # no request can go there
        raise SyncError(f"{type(error).__name__}; {__CONNECTION_ADVICE}") from None
    if api.answered_at is None:
        # Either clock may be wrong. The earlier one costs at worst some users who are read again.
        api.answered_at = min(now(), read_date(response, "Date") or now())
    is_good = response.status_code < 300
    return read_answer(response, page) if is_good else check_status(response, page)


def now() -> datetime:
    """This machine's clock, in UTC."""
    return datetime.now(UTC)


def describe_connection_failure(error: BaseException) -> AttemptFailed | SyncError:
    """Why no answer came, as the innermost error names it; but not one of an attempt before."""
    while error.__context__ and not isinstance(error.__context__, (SyncError, AttemptFailed)):
        error = error.__context__
    if isinstance(error, ssl.SSLCertVerificationError) or getattr(error, "library", "") == "X509":
        why = getattr(error, "verify_message", "the bundle of certificates is unreadable")
        said = f"the server's certificate does not verify ({why}); {__CONNECTION_ADVICE}"
        return SyncError(said)
    if "failed: 407" in str(error):  # as http.client tells of a CONNECT that was refused
        return SyncError(f"HTTP 407; {__ADVICE[407]}")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return AttemptFailed(f"the connection failed ({reason})", None)


def check_status(response: requests.Response, page: int) -> Answer:
    """Judge a status of 300 or more. Raises like send_request(), unless the users may end."""
    status, said = response.status_code, quote_error(response)
    is_limit = status == 429 or "Retry-After" in response.headers  # many APIs limit rates with 403
    if is_limit or status in __RETRIED_STATUSES:
        wait = read_retry_after(response) if is_limit else None
        asked = f"; the API asks to wait {wait:.0f} s" if wait else ""
        raise AttemptFailed(f"HTTP {status}{said}{asked}", wait)
    if status < 400:
        host = urlsplit(response.headers.get("Location", "")).hostname or "no host"
        advice = "set base_url to the final address" if page == 1 else advise(status, page)
        raise SyncError(f"HTTP {status}, a redirect to {host}; {advice}")
    message = f"HTTP {status}; {advise(status, page)}{said}"
    if status not in __REFUSING_STATUSES:
        raise SyncError(message)
    return Answer([], refusal=message)


def advise(status: int, page: int) -> str:
    """What to check after a status that fails at once."""
    if page == 1 or status in (401, 403, 407):  # keys are replaced while syncs run
        return __ADVICE.get(status, "check base_url")
    answered = "the pages before were answered, so the settings are right"
    return f"{answered}: run the sync again, and if it fails at the same page, ask Awardco"


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
    """What the API said of an error, on one line, without the key; the rest may hold users."""
    text = ""
    with suppress(AttemptFailed):
        said = parse_json(response)
        text = find_message(said) if isinstance(said, dict) else ""
    for header, form in __KEY_HEADER.items():
        before, _, after = form.partition("{key}")
        key = str(response.request.headers[header]).removeprefix(before).removesuffix(after)
        for written in filter(None, (key, quote(key), quote(key, safe=""))):
            text = re.sub(re.escape(written), "****", text, flags=re.IGNORECASE)
    line = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split()))
    return f"; the API said: {line[:__MAX_QUOTED_CHARACTERS]}" if line else ""


def find_message(said) -> str:
    """The first text under `message`, `error`, `errors` or `detail`, also inside each other."""
    if isinstance(said, dict):
        said = [said.get(name) for name in ("message", "error", "errors", "detail")]
    if isinstance(said, list):
        return next(filter(None, map(find_message, said)), "")
    return said.strip() if isinstance(said, str) else ""


def read_answer(response: requests.Response, page: int) -> Answer:
    """The users in a body. Raises AttemptFailed, or PageError for a shape that tells nothing."""
    status = response.status_code
    body = None if status == 204 else parse_json(response)
    users, fields = find_list(body), body if isinstance(body, dict) else {}
    if tells_error(fields, users) or (status == 202 and users is None):
        why = f"it reports an error, see tells_error(){quote_error(response)}"
        raise AttemptFailed(f"HTTP {status}, but {why}", None)
    if isinstance(users, list):
        return Answer(users, find_total(fields, len(users)))
    message = f"HTTP {status}, but the body holds no list `{__LIST}`; {advise(200, page)}"
    message += f": the fields are {name_fields(fields)}{quote_error(response)}"
    if users is None and isinstance(body, (dict, type(None))):
        return Answer([], refusal=message, is_nobody=True)
    raise PageError(message)


def find_list(body):
    """What a body holds at `__LIST`; None if nothing."""
    for name in filter(None, __LIST.split(".")):
        fields = body if isinstance(body, dict) else {}
        spelled = {fold_name(other): value for other, value in fields.items()}
        body = fields.get(name, spelled.get(fold_name(name)))
    return body


def name_fields(fields) -> str:
    """The names of fields, for whoever adapts the connector; none that may be user data."""
    names = fields if isinstance(fields, dict) else {}
    found = [f"`{name}`" for name in names if re.fullmatch("[A-Za-z_]+", name)]
    return ", ".join(found[:__MAX_NAMED_FIELDS]) or "not named"


def tells_error(fields: dict, users) -> bool:
    """Whether an answer says that it failed. Change this if your API ends its list that way."""
    failures, folded = dict(__FAILURES), {fold_name(name): fields[name] for name in fields}
    if users is None and not folded.get("success"):
        failures["message detail"] = __ERROR
    return any(
        re.fullmatch(values, text.strip(), re.IGNORECASE | re.DOTALL)
        for names, values in failures.items()
        for name in names.split()
        for text in list_texts(folded.get(name))
    )


def list_texts(value) -> list:
    """A field's texts: of an object, which can hold a request id, its code and message, if any."""
    if not isinstance(value, dict):
        return [str(value)]
    inner = {fold_name(name): str(said) for name, said in value.items()}
    return [inner[name] for name in ("code", "message") if name in inner] or [*inner.values()]


def find_total(fields: dict, on_page: int) -> int:
    """The largest number named as a total, such as `totalCount`; 0 if none exceeds the page."""
    levels = [level for level in (fields, *fields.values()) if isinstance(level, dict)]
    is_total = re.compile("count|total((?!page|point|balance|amount).)*", re.I).fullmatch
    named = [number for level in levels for name, number in level.items() if is_total(name)]
    return max((number for number in named if type(number) is int and number > on_page), default=0)


def parse_json(response: requests.Response):
    """Parse a body in UTF-8 or its header's charset; else U+FFFD. Raises AttemptFailed."""
    try:
        text = response.content.decode("utf-8-sig")
    except ValueError:
        response.encoding = response.encoding or "utf-8"  # or requests guesses
        text = response.text
    with suppress(ValueError, RecursionError):
        content = load_json(text)
        if b"\\ud" in response.content.lower():  # half an emoji, at which the SDK raises
            text = json.dumps(content, ensure_ascii=False)
            content = load_json(re.sub("[\ud800-\udfff]", "\ufffd", text))
        return content
    is_html = response.content.lstrip()[:1] == b"<"
    why = "but a web page, such as a login page" if is_html else "or cut off"
    raise AttemptFailed(f"HTTP {response.status_code}, but the body is not JSON, {why}", None)


# What Python or the SDK cannot hold stays text: integers beyond 64 bits, `1e999`. NaN is null.
load_json = partial(
    json.loads,
    strict=False,
    parse_int=lambda text: int(text) if len(text) < 20 and abs(int(text)) < 2**63 else text,
    parse_float=lambda text: float(text) if math.isfinite(float(text)) else text,
    parse_constant=lambda name: None,
)


# --- Rows ---------------------------------------------------------------------------------------
@lru_cache(maxsize=10_000)
def fold_name(name: str) -> str:
    """A name as it is compared: `updatedAt`, `Updated-At` and `updated_at` are the same."""
    return re.sub(r"[-_\s]+", "", name).lower()


def rename_fields(user):
    """A user with the declared fields under their declared names."""
    names = find_spellings(tuple(user)) if isinstance(user, dict) else {}
    return {names.get(name, name): value for name, value in user.items()} if names else user


@lru_cache(maxsize=1_000)
def find_spellings(names: tuple) -> dict:
    """Other spellings of declared names that are not there, as `{"updatedAt": "updated_at"}`."""
    columns = {fold_name(column): column for column in __COLUMNS if column not in names}
    found = {columns.get(fold_name(name)): name for name in reversed(names)}
    return {name: column for column, name in found.items() if column}


def identify(user) -> str | int:
    """The `employeeId` as text, `1001.0` as `1001`; without one a number, a hash of the row."""
    value = user.get(__KEY) if isinstance(user, dict) else None
    if type(value) in (int, float):  # no boolean
        value = str(value if value % 1 else int(value))
    if isinstance(value, str) and value.strip():
        return value.strip()
    is_named = isinstance(user, dict) and any(map(user.get, __COLUMNS))
    return fingerprint(user) if is_named else hash(json.dumps(user, sort_keys=True))


def fingerprint(user: dict) -> int:
    """A hash of the declared fields; others may hold links that are signed anew in each answer."""
    values = tuple(map(user.get, __COLUMNS))
    try:
        return hash(values)
    except TypeError:  # an object or a list
        return hash(str(values))


def read_row(user: dict, key: str, current: Pass) -> dict:
    """Turn a user as the API sent it into a row that the SDK can store.

    Args:
        key: the employeeId, see identify().
        current: where unreadable values are counted.
    Returns:
        The values by column; `other_fields` holds what can have no column, or not as it came.
    """
    row, others = {__KEY: key}, {}  # the key first, since of two spellings the SDK keeps the first
    for name, value in user.items():
        if name in __COLUMNS:
            row[name] = key if name == __KEY else read_declared(name, value)
            if row[name] is None and value not in (None, ""):
                current.problems[f"unreadable values of {name} (null; see {__OTHER_FIELDS})"] += 1
                others[name] = value
        elif not is_column_name(name) or is_foreign_number(value):
            others[name] = value
        else:
            row[name] = encode_undeclared(value)
    return {**row, __OTHER_FIELDS: others} if others else row


def is_foreign_number(value) -> bool:
    """Whether a text is a number in digits of other scripts, at which SDK 3.0.0 fails."""
    is_foreign = isinstance(value, str) and not value.isascii()
    return is_foreign and bool(re.fullmatch(r"[-+.:TtZzEe \d]+", value))


def read_declared(column: str, value):
    """The value for a declared column; None where it cannot be read. `12.50` is a number too."""
    if __COLUMNS[column] == "UTC_DATETIME":
        return parse_timestamp(value)
    if __COLUMNS[column] == "DOUBLE":
        try:
            number = float(value)
        except (OverflowError, TypeError, ValueError):
            return None
        return number if math.isfinite(number) and not isinstance(value, bool) else None
    if value is None or isinstance(value, str) or __COLUMNS[column] != "STRING":
        return value  # of another type, the SDK checks it
    # Not an object or a list, which the SDK would store in Python's notation.
    return None if isinstance(value, (dict, list)) else json.dumps(value)


@lru_cache(maxsize=10_000)
def is_column_name(name: str) -> bool:
    """Whether a field can have a column: not if its name is non-ASCII, Fivetran's, or declared."""
    taken = map(fold_name, (*__COLUMNS, __OTHER_FIELDS))
    return bool(__COLUMN_NAME.fullmatch(name)) and fold_name(name) not in taken


def encode_undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        return re.sub(r"\A(-?\d+)e", r"\1.0e", repr(value))  # a DOUBLE: floats get 32 bits
    if isinstance(value, str):
        return __ZONED_MINUTE.sub(r"\1:00\2", value)  # SDK 3.0.0 fails on times without seconds
    return value


def parse_timestamp(text) -> datetime | None:
    """Read an ISO 8601 timestamp, such as `2026-03-01T12:00:00.123Z`, `2026-03-01 12:00 +0100` or
    `2026-03-01`, as UTC, which is also assumed if it names no zone; None if unreadable."""
    try:
        written = read_iso(text)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, OverflowError, TypeError, ValueError):
        return None


@lru_cache(maxsize=8)  # the cursor looks once more at what a row has just read
def read_iso(text: str) -> datetime:
    """What a timestamp says, aware only if it names a zone. Raises ValueError."""
    text = text.strip().upper().replace("UTC", "Z").replace(" Z", "Z")
    text = text.replace(" +", "+").replace(" -", "-")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([T ].+)?", text, re.ASCII):
        raise ValueError  # Python would read some other notations, in ways of its own
    return datetime.fromisoformat(text)


# --- Reports ------------------------------------------------------------------------------------
def find_warnings(sync: Sync, current: Pass) -> Iterator[str]:
    """What is read again needlessly, and what the table does not hold as the API sent it."""
    name, since = sync.api.updated_since_param, parse_timestamp(sync.updated_since)
    oldest = min((at for at in sync.known.values() if at > __NEVER), default=since)
    if since and since - oldest > __CLEARLY_OLDER:
        yield f"The API does not know the filter `{name}`: {__FILTER_ADVICE}"
    if sync.filter_refusal:
        yield f"The API refuses the filter `{name}`, so everybody was read: {sync.filter_refusal}"
    yield from (f"{number} {reason}" for reason, number in sorted(current.problems.items()))
    shared = [count for key, count in current.met.items() if count > 1 and isinstance(key, str)]
    if shared and current.is_whole and len(current.met) == len(sync.known) + len(sync.without_key):
        yield f"{sum(shared)} users share an {__KEY} with another; {len(shared)} rows are stored"
    empty = ", ".join(name for name in __COLUMNS if name not in current.filled)
    if empty and len(sync.known) >= __MIN_USERS_TO_JUDGE:
        yield f"No user has a value in {empty}: check whether the API has renamed or hides it"


def describe_unforeseen(error: Exception) -> str:
    """Name an error and where it arose. An error in this file is not quoted: it may hold users."""
    places = traceback.extract_tb(error.__traceback__)
    path = ", ".join(f"{at.name}() {at.lineno}" for at in places if at.filename == __file__)
    said = "" if places[-1].filename == __file__ else f": {error}"
    return f"{type(error).__name__} in connector.py (function and line: {path}){said}"


# --- The configuration --------------------------------------------------------------------------
def validate_configuration(configuration: dict) -> dict:
    """The settings as texts by name, without what is pasted around them, and with their defaults.

    Args:
        configuration: texts by name, as in configuration.json; blank or `<...>` means not set.
    Raises:
        ConfigurationError: it names the setting and the remedy, and shows no value.
    """
    settings = {}
    for name in __SETTINGS:
        value = re.sub(r"^[\s\"'“”‘’]+|[\s\"'“”‘’]+$", "", str(configuration.get(name) or ""))
        settings[name] = "" if re.fullmatch("<.*>", value, re.DOTALL) else value
    if is_mock := settings["use_mock"].lower() == "true":
        settings.update(api_key="mock", base_url=__MOCK_BASE_URL)
    for name, value in settings.items():
        if not re.fullmatch(__SETTINGS[name], value, re.IGNORECASE | re.DOTALL):
            fault = "cannot be used" if value else "is missing"
            raise ConfigurationError(f"{name} {fault}: {__REMEDIES[name]}.")
    if is_mock and os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":
        raise ConfigurationError("use_mock is for `fivetran debug` and `fivetran run`: remove it.")
    parent, _, leaf = __PATH.rpartition("/")  # pasted along; not the host of https://api
    url = re.sub(f"(?<!/){parent}(/{leaf})?$", "", settings["base_url"].rstrip("/")).rstrip("/")
    param = settings["updated_since_param"] or __UPDATED_SINCE_PARAM
    return {**settings, "base_url": url, "updated_since_param": param}


# --- The setup form -----------------------------------------------------------------------------
def setup_test(find_problem: Callable) -> Callable:
    """Make a setup test of a function that gets the API, a way to ask it, and its first users, and
    returns what is wrong. The test never raises: a crash report would show settings unmasked."""

    def test(configuration: dict):
        try:
            api = open_api(validate_configuration(configuration), *__SETUP_LIMITS)
            with api.session:
                ask = partial(make_request_with_retry, api, 1, __SMALL_PAGE)
                first = ask()
                problem = first.refusal or find_problem(api, ask, first.users)
        except (ConfigurationError, SyncError) as error:
            problem = str(error)
        except Exception as error:
            problem = f"The test itself failed ({type(error).__name__})."
        return Test().failure(problem) if problem else Test().success()

    test.__name__ = find_problem.__name__
    return test


@setup_test
def connection_test(api: Api, ask: Callable, users: list) -> str | None:
    """The API is reachable and accepts the key: setup_test() has already asked for page 1."""


@setup_test
def users_test(api: Api, ask: Callable, users: list) -> str | None:
    """There are users, with the fields that a sync needs."""
    found = [user for user in users if isinstance(identify(user), str)]
    if not users:
        return "The API returns no users: check that api_key may see those of your tenant."
    if not found:
        return f"The users have no {__KEY} but {name_fields(users[0])}: adapt find_spellings()."
    if find_times(found) or all(user.get("updated_at", "missing") is None for user in found):
        return None  # nobody has been updated yet
    return "No user has a readable updated_at: without it every sync reads everybody."


@setup_test
def filter_test(api: Api, ask: Callable, users: list) -> str | None:
    """The API takes one of its own times as a filter, returns later changes, and leaves out
    users older than a future time. If it refuses that one, this proves nothing."""
    name, times = api.updated_since_param, find_times(users)
    earlier = [time_of_user for time_of_user in times if time_of_user[0] < times[-1][0]] or times
    since_at, since, _ = earlier[-1] if earlier else (None, None, None)
    later = {key for at, _, key in times if at > since_at}
    answer = ask(since)
    if answer.refusal and not answer.is_nobody:
        return answer.refusal
    # A page as full as the one without a filter may leave the rest to the next page.
    if later - answer.people and len(answer.users) < len(users):
        return f"The filter `{name}` leaves out later changes, as in another zone: ask Awardco."
    sample = times[-1][1] if times else "2000-01-01T00:00:00Z"
    to_come = f"{(api.answered_at + __CLEARLY_OLDER).date()}{sample[10:]}"
    is_ignored = any(at < parse_timestamp(to_come) for at, *_ in find_times(ask(to_come).users))
    return f"The API does not know the filter `{name}`: {__FILTER_ADVICE}." if is_ignored else None


def find_times(users: list) -> list:
    """The readable `updated_at` of users, in order: as UTC, as the API wrote it, of whom."""
    times = [(parse_timestamp(one.get("updated_at")), one) for one in users if type(one) is dict]
    written = [(at, one["updated_at"].strip(), identify(one)) for at, one in times if at]
    return sorted(written, key=lambda time_of_user: time_of_user[0])


def configuration_form() -> ConfigurationForm:
    """The setup form of the dashboard and of `fivetran configuration`, with its tests."""
    form, text, param = ConfigurationForm(), form_field.TextField, __UPDATED_SINCE_PARAM
    said = "With read access to users. In Awardco: Admin, Platform, Integrations, API Settings."
    form.add_field(text("api_key", "API key", text.password, description=said, required=True))
    said, host = f"The address of the Awardco API, without {__PATH}.", "https://api.awardco.com"
    form.add_field(text("base_url", "Base URL", description=said, required=True, placeholder=host))
    label, said = "Name of the timestamp filter", f"For changes since a time; blank: {param}."
    form.add_field(text("updated_since_param", label, description=said, placeholder=param))
    label = "Days between full syncs"
    said = "Read all users after this many days and mark leavers. Recommended: 7; blank: never."
    form.add_field(text("full_sync_days", label, description=said, placeholder="7"))
    form.add_test(label="The API accepts the key", func=connection_test)
    form.add_test(label="The API returns users as expected", func=users_test)
    form.add_test(label="The timestamp filter works", func=filter_test)
    return form


# --- Mock mode ----------------------------------------------------------------------------------
def answer_mock(updated_since_param: str, request, **_) -> requests.Response:
    """What mock mode answers in place of the API, from mock_data/users.json."""
    rows = json.loads((Path(__file__).parent / "mock_data/users.json").read_text("utf-8"))["users"]
    query = dict(parse_qsl(urlsplit(request.url).query))
    since = parse_timestamp(query.get(updated_since_param)) or __NEVER
    found = [user for user in rows if (parse_timestamp(user["updated_at"]) or __NEVER) >= since]
    size = min(int(query[__PER_PAGE_PARAM]), __SMALL_PAGE)
    first = (int(query[__PAGE_PARAM]) - __FIRST_PAGE) * size
    body: list | dict = found[first : first + size]
    for name in reversed(__LIST.split(".") if __LIST else []):
        body = {name: body}
    response = requests.Response()
    response.status_code, response.request = 200, request
    response.raw = io.BytesIO(json.dumps(body).encode())
    return response


# --- The connector ------------------------------------------------------------------------------
connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":  # `python connector.py`, without Fivetran's command line
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    connector.debug(configuration=json.loads(Path("configuration.json").read_text("utf-8")))
