"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, upserts each user into
the table `USER` (key `employeeId`) and checkpoints after each page. The API documents neither the
order of its rows nor its filter, page size, last page or clock, so each rule below assumes the
worst of them, or checks.

The words of this file:

    sync     one call of update()
    window   the users that the filter of a sync lets through
    pass     one reading of the window, page by page, from page 1 to its end
    whole    a pass is whole if it cannot have missed a user
    cursor   last_sync_time in the state: what the next sync uses as its filter

Read from the top: the connector's two functions, the sync and its passes, what it reports, pages,
requests, rows, timestamps, the configuration, the setup form, mock mode, the connector.
"""

from __future__ import annotations

import io
import ipaddress
import itertools
import json
import math
import os
import random
import re
import ssl
import sys
import threading
import traceback
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
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
__OTHER_FIELDS = "other_fields"  # JSON: fields that cannot have a column of their own
__TAKEN_NAMES = {name.replace("_", "").lower() for name in (*__COLUMNS, __OTHER_FIELDS)}

__DEFAULT_UPDATED_SINCE_PARAM = "updated_since"
__MOCK_BASE_URL = "https://mock.awardco.invalid"

__PAGE_SIZE = 100  # users a page at first; lower it where an API refuses so many
__LARGE_PAGE_SIZE = 1_000  # tried once page 1 came full
__FAR_PAGES = 1_000_000  # so far past the end that only an API which ignores `page` has users
__MAX_PASSES = 5
__USUAL_CAPS = {10, 20, 25, 50, 100, 500}  # so many users on page 1 may be all that the API gives
__MIN_ROWS_TO_JUDGE = 20  # fewer rows can be alike, or unusable, by chance
__MAX_PAGES_WITHOUT_NEW_USERS = 1_000
__PAGES_PER_PROGRESS_LINE = 10

__SETTLING_TIME = timedelta(hours=1)  # for late commits
__LARGEST_UTC_OFFSET = timedelta(hours=14)
__CLEARLY_OLDER = timedelta(days=1)  # more than a wrong time zone can cause

__USER_AGENT = "fivetran-awardco-users"
__TIMEOUT_SECONDS = (10, 60)  # to connect, for each read
__ANSWER_SECONDS = 120  # for an answer as a whole, however steadily it drips
__MAX_BODY_BYTES = 64 * 1024 * 1024
__CHUNK_BYTES = 16 * 1024  # small, because gzip can expand a chunk a thousandfold
__RETRIED_STATUSES = {408, 425, 429, *range(500, 600)}
__REFUSING_STATUSES = {400, 404, 410, 416, 422}  # what APIs answer past their last page
__RETRIED_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
__PARAMETERS_ADVICE = (
    f"check updated_since_param, and lower __PAGE_SIZE in connector.py if {__PAGE_SIZE} users are "
    "too many for a page"
)
__ADVICE = {
    400: __PARAMETERS_ADVICE,
    401: "check api_key: the API does not accept it",
    403: "check that api_key has the permission to read users",
    404: "check base_url: there is no /api/users below it",
    422: __PARAMETERS_ADVICE,
}
__MAX_QUOTED_CHARACTERS = 200

__TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:([T ])(\d\d:\d\d)(:\d\d)?([.,]\d{1,9})?( ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII | re.IGNORECASE,
)
__ZONED_MINUTE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)", re.ASCII | re.I)
__LOOKS_TYPED = re.compile(r"[-+.:TtZzEe \d]+")
__LONE_SURROGATE = re.compile("[\ud800-\udfff]")
__PASTED = re.compile(r"[\s\"'“”‘’]*(.*?)[\s\"'“”‘’]*", re.DOTALL)


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended a sync or a setup test; the message is written for the user."""


class PageRefused(SyncError):
    """The API refused a page in a way that APIs also use past their last page."""


class NoUsersInAnswer(PageRefused):
    """An answer without a list of users, which some APIs give where there is nobody."""


def schema(configuration: dict) -> list:
    """Declare the table `USER` and the columns whose type must not be left to inference.

    Inference makes the first name `T` a boolean, `00042` and `42` two types, and a balance a
    number of 32 bits. Other fields that the API sends get columns of their own as they come.

    Args:
        configuration: not used.
    Returns:
        The table, its key and its declared columns, as the SDK wants them.
    """
    return [{"table": __TABLE, "primary_key": [__KEY], "columns": __COLUMNS}]


def update(configuration: dict, state: dict):
    """Sync the users that changed since the last sync; on the first sync, all users.

    Args:
        configuration: see `validate_configuration()`.
        state: see `start_from()`.
    Raises:
        ConfigurationError, SyncError: raised again without the traceback, because crash reports
            print local variables, which hold settings and users.
    """
    if hasattr(sys, "set_int_max_str_digits"):
        # SDK 3.0.0 reads any text of digits as a number, to see which type it is, and from 4,300
        # digits on Python refuses. This can go once test_an_identifier_is_kept_as_it_is passes
        # without it.
        sys.set_int_max_str_digits(0)
    try:
        settings = validate_configuration(configuration)
        with open_api(settings, RetryPolicy()) as api:
            sync_users(api, start_from(state))
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
# brought no more rows than the sync knows users. If it brought more, the window is read again.
# (A page that came short hides rows that were met twice: see is_whole().)


@dataclass
class Sync:
    """What one sync knows."""

    updated_since: str | None  # the filter, frozen: every request of the sync carries it
    resume: dict | None = None  # where the sync before broke off, see start_from()
    delivered: dict = field(default_factory=dict)  # employeeId to updated_at, of all users so far
    newest: datetime | None = None  # the latest updated_at so far
    newest_text: str | None = None  # the same, as the API wrote it
    settling_time: timedelta = timedelta(0)  # see get_settling_time()
    filter_ignored: bool = False
    large_pages: bool = True  # whether to try them
    pages: int = 0  # with users
    columns: dict = field(default_factory=dict)  # see claim_column()


@dataclass
class Pass:
    """What one pass has brought so far."""

    pages: int = 0  # with users
    page_1_rows: int = 0
    rows: int = 0
    met: int = 0  # different users of each page, summed: who is on two pages counts twice
    unusable: int = 0  # rows without an employeeId
    order: int = 0  # a hash of the users in their order
    total: int | None = None  # how many users there are, as the API says
    last_was_short: bool = False  # the last page brought fewer rows than were asked for
    short_inside: bool = False  # such a page had users after it
    problems: Counter = field(default_factory=Counter)  # what could not be used, by reason


def sync_users(api: Api, sync: Sync):
    """Read the window until a pass was whole, store the cursor, and report.

    Raises:
        SyncError: a page could not be read; what was read before is delivered and checkpointed.
    """
    log.info(describe_start(sync))
    ask = partial(make_request_with_retry, api, updated_since=sync.updated_since)
    if sync.resume is not None:
        finish_interrupted_pass(api, sync, ask)
    current, whole = None, False
    for number in range(1, __MAX_PASSES + 1):
        if number > 1:
            log.info(f"Reading again, pass {number}: users may have moved between pages")
        previous = current
        per_page, page_1 = open_pass(sync, ask, number, previous)
        current = read_pass(api, sync, ask, per_page, 1, page_1)
        whole = is_whole(current, previous, sync)
        if whole:
            break
    cursor = compute_cursor(api, sync) if whole else sync.updated_since
    op.checkpoint(make_state(cursor))
    users, pages = count(len(sync.delivered), "user"), count(sync.pages, "page")
    log.info(f"Synced {users} from {pages}; last_sync_time: {cursor}")
    for warning in list_warnings(api, sync, current, whole):
        log.warning(warning)
        op.warning(warning)


def finish_interrupted_pass(api: Api, sync: Sync, ask: Callable):
    """Read on where an earlier sync broke off.

    This cannot prove that nobody was missed: users may have moved on the pages before. So a pass
    from page 1 always follows, and a refusal (for example of a page that no longer exists) only
    ends this one. A large page that fails again also only ends it, and small ones are used.
    """
    page, per_page = sync.resume["page"], sync.resume["per_page"]
    try:
        read_pass(api, sync, ask, per_page, page, ask(page, per_page))
    except SyncError as error:
        if per_page <= __PAGE_SIZE and not isinstance(error, PageRefused):
            raise
        sync.large_pages = per_page <= __PAGE_SIZE
        log.warning(f"The interrupted pass ends here, and a pass from page 1 follows: {error}")


def open_pass(sync: Sync, ask: Callable, number: int, previous: Pass | None) -> tuple[int, Answer]:
    """Choose the page size of a pass; return it with the answer to page 1.

    A pass that follows another asks for fewer users than its page 1 brought, so that the borders
    between pages fall elsewhere: users with equal timestamps can sort differently on either side
    of a border, each time in the same way. A cache in front of the API sees new addresses too. One
    user fewer is mostly enough; after that, a quarter fewer separates larger groups.
    """
    if previous is not None and previous.page_1_rows > 1:
        rows = previous.page_1_rows
        fewer = rows - 1 if number == 2 else rows * 3 // 4
        answer = try_page(ask, 1, fewer)
        if answer is not None and len(answer.users) >= fewer:
            return fewer, answer
    return choose_page_size(sync, ask)


def choose_page_size(sync: Sync, ask: Callable) -> tuple[int, Answer]:
    """Find the largest page size that the API gives; return it with the answer to page 1.

    A size is used only after the API has given it: some APIs refuse a larger one, others give
    fewer users and yet count pages by the size that was asked for, which skips users.
    """
    try:
        answer = ask(1, __PAGE_SIZE)
    except NoUsersInAnswer:
        if sync.updated_since is None or not ask(1, __PAGE_SIZE, updated_since=None).users:
            raise
        answer = Answer([])  # nobody has changed: some APIs write that without a list
    rows = len(answer.users)
    if rows >= __PAGE_SIZE and sync.large_pages:
        large = try_page(ask, 1, __LARGE_PAGE_SIZE)
        if large is not None and len(large.users) > __PAGE_SIZE:
            return len(large.users), large
    if rows < __PAGE_SIZE and (rows in __USUAL_CAPS or rows < (answer.total or 0)):
        capped = try_page(ask, 1, rows)
        if capped is not None and len(capped.users) == rows:
            return rows, capped
    return __PAGE_SIZE, answer


def read_pass(
    api: Api, sync: Sync, ask: Callable, per_page: int, start_page: int, start: Answer
) -> Pass:
    """Deliver the users from a page on, of which `start` is the answer, and checkpoint each page.

    Raises:
        SyncError: a page could not be read, or the pages do not end.
    """
    current = Pass()
    for page, answer in fetch_users(ask, per_page, start_page, start):
        if answer.users:
            deliver_page(sync, current, page, answer)
            resume = {"updated_since": sync.updated_since, "page": page + 1, "per_page": per_page}
            op.checkpoint(make_state(compute_cursor(api, sync), resume))
            log_progress(sync, page)
        current.last_was_short = len(answer.users) < per_page
        if current.pages > 3 * len(sync.delivered) + __MAX_PAGES_WITHOUT_NEW_USERS:
            raise SyncError(
                f"{current.pages} pages held no more than {count(len(sync.delivered), 'user')}, "
                "and none was the last: the API does not count pages by the parameter `page`, or "
                "repeats its last page with other users each time."
            )
    return current


def deliver_page(sync: Sync, current: Pass, page: int, answer: Answer):
    """Check a page, upsert the users that are new or have changed since this sync delivered them,
    and count the page.

    Raises:
        SyncError: so many are unusable that the API must have changed; none is stored.
    """
    rows = [read_row(user, sync.columns, current.problems) for user in answer.users]
    usable = [(user, row) for user, row in zip(answer.users, rows, strict=True) if row is not None]
    unusable = len(rows) - len(usable)
    if len(rows) >= __MIN_ROWS_TO_JUDGE and unusable > len(usable):
        raise SyncError(
            f"{unusable} of the {len(rows)} users of page {page} have no usable {__KEY}: the "
            "API's answer has changed its shape. Nothing of this page is stored; adapt "
            "connector.py to the field's new name."
        )
    for user, row in usable:
        key, updated_at = row[__KEY], row.get("updated_at")
        if must_deliver(sync.delivered, key, updated_at):
            op.upsert(__TABLE, row)
            sync.delivered[key] = updated_at
        if updated_at is not None:
            note_updated_at(sync, updated_at, user["updated_at"].strip())
    sync.pages += 1
    count_page(current, answer, [row[__KEY] for _, row in usable])


def must_deliver(delivered: dict, key: str, updated_at: datetime | None) -> bool:
    """Whether to upsert a row: the user is new to this sync, has no known time, or was changed
    later. Of two rows of one user, the newer counts."""
    known = delivered.get(key)
    return known is None or (updated_at is not None and updated_at > known)


def note_updated_at(sync: Sync, updated_at: datetime, text: str):
    """Note what a user's time means for the cursor, and for whether the API knows the filter."""
    sync.settling_time = max(sync.settling_time, get_settling_time(text))
    if sync.newest is None or updated_at > sync.newest:
        sync.newest, sync.newest_text = updated_at, text
    if sync.updated_since is not None:
        age = parse_timestamp(sync.updated_since) - updated_at
        sync.filter_ignored |= age > __CLEARLY_OLDER


def count_page(current: Pass, answer: Answer, keys: list):
    """Add a page with users to what the pass has brought."""
    current.short_inside |= current.last_was_short
    current.page_1_rows = current.page_1_rows or len(answer.users)
    current.pages += 1
    current.rows += len(answer.users)
    current.met += len(set(keys))  # twice on one page is a duplicate in the source
    current.unusable += len(answer.users) - len(keys)
    for key in keys:
        current.order = hash((current.order, key))
    current.total = answer.total


def is_whole(current: Pass, previous: Pass | None, sync: Sync) -> bool:
    """Whether a pass from page 1 cannot have missed a user (see the example above).

    A pass that brought fewer users than are known has lost a page, or ended too early.

    A page that came short although users follow may have skipped some of them, and so hidden that
    a row was met twice. The first such pass is never whole. If the next one has such a page too,
    it is taken for the way of this API.

    Rows without an employeeId can be the ones that are met twice. So more of them than in the pass
    before count as users met twice.

    A user who is in the source twice, for example after a rehire, is met twice in every pass. If
    two passes with different borders between pages bring the same users in the same order, the
    duplicates are in the source.
    """
    if current.met < len(sync.delivered):
        return False
    if current.pages < 2:
        return True  # one answer is one moment, in which nobody moves
    if current.short_inside and not (previous and previous.short_inside):
        return False
    unusable = min(current.unusable, previous.unusable) if previous else 0
    if current.met + current.unusable <= len(sync.delivered) + unusable:
        return True
    return (
        previous is not None
        and current.order == previous.order
        and current.rows >= __MIN_ROWS_TO_JUDGE
        and current.page_1_rows != previous.page_1_rows
    )


def compute_cursor(api: Api, sync: Sync) -> str | None:
    """Where `last_sync_time` may stand: at the newest value, but with room for late changes.

    Never later than the settling time before the first answer of this sync: later changes may not
    be visible yet. Times in the future are cut to this limit too. Never earlier than the window
    began.
    """
    if sync.newest is None:
        return sync.updated_since
    cap = api.started_at - sync.settling_time
    text = sync.newest_text if sync.newest <= cap else write_like(sync.newest_text, cap)
    if sync.updated_since and parse_timestamp(text) < parse_timestamp(sync.updated_since):
        return sync.updated_since
    return text


def make_state(cursor: str | None, resume: dict | None = None) -> dict:
    """The state to checkpoint: `last_sync_time`, and `resume` while a sync is unfinished."""
    state = {} if cursor is None else {"last_sync_time": cursor}
    return state if resume is None else {**state, "resume": resume}


def start_from(state: dict) -> Sync:
    """What a sync knows at its start.

    An unfinished sync is continued with its own filter; `last_sync_time` is computed anew from
    what it reads.

    Args:
        state: `{"last_sync_time": text, "resume": {"updated_since": text or None, "page": number,
            "per_page": number}}`, `resume` only after a sync that did not finish.
    Raises:
        SyncError: names the stored value that cannot be used.
    """
    cursor, resume = state.get("last_sync_time"), state.get("resume")
    is_usable = {"last_sync_time": cursor is None or parse_timestamp(cursor) is not None}
    if resume is not None:
        is_usable["resume"] = isinstance(resume, dict)
        values = resume if isinstance(resume, dict) else {}
        cursor = values.get("updated_since")
        is_usable["resume.updated_since"] = cursor is None or parse_timestamp(cursor) is not None
        for name in ("page", "per_page"):
            is_usable[f"resume.{name}"] = type(values.get(name)) is int and values[name] > 0
    for path in is_usable:
        if not is_usable[path]:
            raise SyncError(
                f"The state cannot be used: {path} is missing or unreadable. Correct it, or start "
                "a re-sync, which reads everybody again."
            )
    return Sync(cursor, resume)


# --- What a sync reports ------------------------------------------------------------------------


def describe_start(sync: Sync) -> str:
    """The first line of the log."""
    window = f"users changed since {sync.updated_since}" if sync.updated_since else "all users"
    if sync.resume is not None:
        return f"Resuming an unfinished sync of {window} at page {sync.resume['page']}"
    return f"{'Incremental' if sync.updated_since else 'Full'} sync: {window}"


def log_progress(sync: Sync, page: int):
    """Write a line every few pages."""
    if sync.pages % __PAGES_PER_PROGRESS_LINE == 0:
        users, newest = count(len(sync.delivered), "user"), sync.newest_text or "none"
        log.info(f"Page {page}: {users} so far, newest change: {newest}")


def list_warnings(api: Api, sync: Sync, current: Pass, whole: bool) -> list:
    """What a person should know of the sync, without a value of any user."""
    warnings = [f"{number} {reason}" for reason, number in sorted(current.problems.items())]
    if not whole:
        warnings.append(
            f"Users moved between pages in each of {__MAX_PASSES} passes, or the API gives the "
            "same user twice, so last_sync_time stays where it was and the next sync reads the "
            "same users again."
        )
    if sync.updated_since is None and current.total is not None and current.rows < current.total:
        warnings.append(
            f"The API reports {current.total} users, but its pages brought {current.rows}. "
            "Check whether it counts pages from 0 or by offset, ends at a largest page, or counts "
            "users that api_key may not see."
        )
    if sync.filter_ignored:
        warnings.append(
            f"The API does not know the filter `{api.updated_since_param}`, so every sync reads "
            "everybody: set updated_since_param to the name that your API uses."
        )
    if sync.updated_since is None and sync.delivered and sync.newest is None:
        warnings.append("No user has a readable updated_at, so every sync reads everybody.")
    if sync.updated_since and parse_timestamp(sync.updated_since) > now():
        warnings.append(
            "last_sync_time lies in the future, so no change is found: start a re-sync."
        )
    return warnings


def count(number: int, noun: str) -> str:
    """`1 user`, `2 users`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe_unforeseen(error: Exception) -> str:
    """Name an error and the functions that led to it.

    Its own text is quoted only if the SDK or a library raised it: one of this file may hold users.
    """
    places = traceback.extract_tb(error.__traceback__)
    path = ", ".join(f"{at.name}() {at.lineno}" for at in places if at.filename == __file__)
    said = "" if places[-1].filename == __file__ else f": {error}"
    return f"{type(error).__name__} in connector.py (function and line: {path}){said}"


# --- Pages --------------------------------------------------------------------------------------


def fetch_users(
    ask: Callable, per_page: int, start_page: int, answer: Answer
) -> Iterator[tuple[int, Answer]]:
    """Yield number and answer of each page to the end of the pass, also of pages without users.

    One request at a time: page p + 1 is asked for only when page p has been answered, or a hire
    between two answers that overtake each other could move a user from a page not yet read to one
    that was. While the destination takes page p, page p + 1 is on its way.

    Args:
        ask: make_request_with_retry() for this sync; takes a page and its size.
        per_page: users to ask for; the API may give another number.
        start_page, answer: where to begin, and what the API answered there.
    Raises:
        SyncError: a page could not be read, or the API gives the same page for every number.
    """
    page, previous = start_page, None
    while answer is not None:
        if not answer.users:
            if is_end_if_empty(previous, page - start_page):
                return
            answer = look_at(ask, page, per_page) or answer  # the API may have had a hiccup
        if previous is not None and identify(answer) == identify(previous):
            if is_last_page_repeated(ask, page, per_page, answer):
                return
        ahead = run_in_background(ask, page + 1, per_page)
        yield page, answer
        previous, page = answer, page + 1
        try:
            answer = ahead.result()
        except PageRefused as refusal:
            was_full = may_be_cut(previous, per_page)
            answer = ask_again_unless_past_end(ask, page, per_page, was_full, refusal)


def is_end_if_empty(previous: Answer | None, pages_before: int) -> bool:
    """Whether a page without users is the end, or the next one must be without users too.

    An API that filters after paging may have a page without users before its last one. But one
    page before it with fewer than 100 users is all of a small window, which is to be read in two
    requests.
    """
    if previous is None or not previous.users:
        return True
    rows = len(previous.users)
    return pages_before == 1 and rows < __PAGE_SIZE and rows not in __USUAL_CAPS


def is_last_page_repeated(ask: Callable, page: int, per_page: int, answer: Answer) -> bool:
    """Whether a page equals the one before it because the API repeats its last page, or ignores
    `page`: then a page far away is the same again.

    If rows shift by exactly a page, two pages look the same once, and to end there would lose all
    that follow.

    Raises:
        SyncError: the API ignores `page`, and may have more users than it gave.
    """
    far = try_page(ask, page + __FAR_PAGES, per_page)
    if far is None or identify(far) != identify(answer):
        return False
    if page == 2 and may_be_cut(answer, per_page):
        # Either there are just so many users, or these filled page 1 and there may be more. In the
        # first case page 2, with one user fewer a page, holds only the last of them.
        fewer = try_page(ask, 2, per_page - 1)
        if fewer is None or len(fewer.users) >= per_page - 1:
            raise SyncError(
                f"Every page brings the same {per_page} users: the API does not count pages by "
                "the parameter `page`. Adapt the parameters in make_request_with_retry()."
            )
    return True


def may_be_cut(answer: Answer, per_page: int) -> bool:
    """Whether a page brought the number of users that was asked for, so that there may be more.

    Not if that is the number that page 1 brought when 1,000 were asked for: then it is all.
    """
    return len(answer.users) == per_page in {*__USUAL_CAPS, __LARGE_PAGE_SIZE}


def identify(answer: Answer) -> list:
    """Which users a page holds, each as last changed, in any order. Other fields are not compared:
    links may be signed anew for each answer."""
    return sorted(
        repr((user.get(__KEY), user.get("updated_at")) if isinstance(user, dict) else user)
        for user in answer.users
    )


def ask_again_unless_past_end(
    ask: Callable, page: int, per_page: int, was_full: bool, refusal: PageRefused
) -> Answer | None:
    """Return the refused page if it comes after all, or None where it lies past the end.

    Past the end a page far away is refused too (or fails: some databases do not reach so far),
    while page 1 is answered. The page itself is asked for last: a route that was gone for some
    seconds refuses everything, and may be back by then.

    After a full page the end is less likely, so a far page that fails is no proof, and the page
    is asked for three times: one of several servers may be broken.

    Raises:
        PageRefused: the refusal is a fault.
    """
    try:
        ask(page + __FAR_PAGES, per_page)
        is_fault = True
    except PageRefused:
        is_fault = False
    except SyncError:
        is_fault = was_full
    if is_fault or look_at(ask, 1, per_page) is None:
        raise refusal
    for _ in range(3 if was_full else 1):
        answer = look_at(ask, page, per_page)
        if answer is not None:
            return answer
    return None


def look_at(ask: Callable, page: int, per_page: int) -> Answer | None:
    """Ask for a page; None where the API refuses it. Raises SyncError on any other failure."""
    try:
        return ask(page, per_page)
    except PageRefused:
        return None


def try_page(ask: Callable, page: int, per_page: int) -> Answer | None:
    """Ask for a page once; None on any failure."""
    try:
        return ask(page, per_page, policy=RetryPolicy(attempts=1))
    except SyncError:
        return None


# --- Requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RetryPolicy:
    """How often a page is asked for, and how long to wait in between."""

    attempts: int = 8
    first_backoff_seconds: float = 1
    max_backoff_seconds: float = 60
    max_retry_after_seconds: float = 600  # where the API asks to wait longer, the sync fails

    def calculate_backoff(self, attempt: int) -> float:
        """Seconds: twice as many after each attempt, with jitter."""
        seconds = self.first_backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        return min(seconds, self.max_backoff_seconds)


@dataclass
class Api:
    """What the requests of a sync share. The session alone holds the key, in its headers."""

    session: requests.Session
    url: str
    updated_since_param: str
    policy: RetryPolicy
    closed: threading.Event = field(default_factory=threading.Event)
    started_at: datetime | None = None  # of the sync: when its first answer came


@dataclass
class Answer:
    """A page of users as the API sent them."""

    users: list
    total: int | None = None  # how many users there are on all pages, where the API says so


class FailedAttempt(Exception):
    """An attempt that brought no page. It is worth another one, unless `error` says what to raise.

    `retry_after` is how many seconds the API asks to wait.
    """

    def __init__(self, message: str, error: type | None = None, retry_after: float = 0.0):
        super().__init__(message)
        self.error = error
        self.retry_after = retry_after


@contextmanager
def open_api(settings: Settings, policy: RetryPolicy) -> Iterator[Api]:
    """Open the session of a sync or a setup test, and close it at the end."""
    with requests.Session() as session:
        session.headers.update(
            {
                "apiKey": settings.api_key,
                "Accept": "application/json",
                "Cache-Control": "no-cache",
                "User-Agent": __USER_AGENT,
            }
        )
        session.auth = lambda request: request  # or requests adds a password from ~/.netrc
        # Or requests reads the whole body of a redirect, for a request that is never sent.
        session.resolve_redirects = lambda *_, **__: iter(())
        if urlsplit(settings.base_url).scheme == "http":
            session.trust_env = False  # this machine: no proxy on the way
        if settings.use_mock:
            session.mount(__MOCK_BASE_URL, MockAwardco(settings.updated_since_param))
        api = Api(session, f"{settings.base_url}/api/users", settings.updated_since_param, policy)
        try:
            yield api
        finally:
            api.closed.set()


def make_request_with_retry(
    api: Api,
    page: int,
    per_page: int,
    updated_since: str | None = None,
    policy: RetryPolicy | None = None,
) -> Answer:
    """Ask for a page of users, again where another attempt may help.

    Args:
        api: the session, and what its requests share.
        page: from 1. per_page: users to ask for.
        updated_since: the filter, in the API's own notation; None asks for everybody.
        policy: how often to try and how long to wait; the api's own by default.
    Returns:
        The page; past the end, mostly one without users.
    Raises:
        SyncError: with the last attempt's status, what to check, and what the API said.
        PageRefused: the same, where it may also mean that the page lies past the end.
    """
    policy = policy or api.policy
    params = {"page": page, "per_page": per_page}
    if updated_since is not None:
        params[api.updated_since_param] = updated_since
    for attempt in itertools.count(1):
        try:
            return send_request_in_time(api, params)
        except FailedAttempt as failure:
            error = failure.error
            if attempt == policy.attempts or failure.retry_after > policy.max_retry_after_seconds:
                error = error or SyncError
            if error:
                message = f"Page {page} of the users could not be read (attempt {attempt})"
                raise error(f"{message}: {failure}") from None
            wait = max(policy.calculate_backoff(attempt), failure.retry_after)
            progress = f"Page {page}: attempt {attempt} of {policy.attempts}"
            log.warning(f"{progress}: {failure}; next in {wait:.1f} s")
        sleep(api, wait)


def sleep(api: Api, seconds: float):
    """Wait between two attempts. Raises SyncError as soon as the sync has ended."""
    if api.closed.wait(seconds):
        raise SyncError("The sync has ended.")


def now() -> datetime:
    """This machine's clock, in UTC."""
    return datetime.now(timezone.utc)


def run_in_background(function: Callable, *arguments) -> Future:
    """Run a function on a thread of its own, which the process does not wait for at its end."""
    future = Future()

    def run():
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="awardco-request", daemon=True).start()
    return future


def send_request_in_time(api: Api, params: dict) -> Answer:
    """One attempt, on a thread that is left behind when it takes too long.

    A timeout of requests begins anew with each byte, so a server that drips would never meet one.

    Raises:
        FailedAttempt: the attempt brought no page.
    """
    try:
        return run_in_background(send_request, api, params).result(timeout=__ANSWER_SECONDS)
    except FutureTimeoutError:
        raise FailedAttempt(f"no complete answer within {__ANSWER_SECONDS} s") from None


def send_request(api: Api, params: dict) -> Answer:
    """One attempt. Raises FailedAttempt, which quotes no header: one of them is the key."""
    try:
        # requests would take the key along to whatever host a redirect names.
        with api.session.get(
            api.url, params=params, timeout=__TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as response:
            body = read_body(response)
    except FailedAttempt:
        raise
    except __RETRIED_ERRORS as error:
        raise describe_connection_failure(error) from None
    except Exception as error:
        # An address that no request can go to.
        raise FailedAttempt(f"{type(error).__name__}; check base_url", SyncError) from None
    note_start(api, response)
    check_status(response, body, params["page"])
    return read_answer(response, body, params["page"])


def note_start(api: Api, response: requests.Response):
    """Date the sync by its first answer: the earliest time that this machine or the server tells,
    as either clock may be wrong. At worst, the next sync reads too much."""
    server_date = parse_http_date(response.headers.get("Date")) or now()
    api.started_at = min(api.started_at or now(), server_date)


def read_body(response: requests.Response) -> bytes:
    """The whole body. Raises FailedAttempt if it is larger than any page of users."""
    chunks, size = [], 0
    for chunk in response.iter_content(__CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > __MAX_BODY_BYTES:
            megabytes = __MAX_BODY_BYTES // 1024**2
            message = f"the answer is larger than {megabytes} MB, so it is no page of users"
            raise FailedAttempt(f"{message}; check base_url", SyncError)
    return b"".join(chunks)


def describe_connection_failure(error: Exception) -> FailedAttempt:
    """Why no answer came; a certificate that does not verify is no passing fault."""
    if isinstance(error, requests.Timeout):
        return FailedAttempt(f"no answer in time ({type(error).__name__})")
    while error.__context__ is not None:  # the innermost one names the reason
        error = error.__context__
    if isinstance(error, ssl.SSLCertVerificationError):
        return FailedAttempt(
            f"the server's certificate does not verify ({error.verify_message}); check base_url, "
            "and whether a proxy on the way answers in place of the API",
            SyncError,
        )
    reason = getattr(error, "strerror", None) or type(error).__name__
    return FailedAttempt(f"the connection failed ({reason})")


def check_status(response: requests.Response, body: bytes, page: int):
    """Raise FailedAttempt unless the status is 200."""
    status = response.status_code
    if status == 200:
        return
    if status == 204:
        raise FailedAttempt(f"HTTP 204; {advise(204, page)}", NoUsersInAnswer)
    if 300 <= status < 400:
        host = find_host(response.headers.get("Location", ""))
        advice = f"a redirect to {mask_key(response, host)}; set base_url to the final address"
        raise FailedAttempt(f"HTTP {status}, {advice}", SyncError)
    said = quote_error(response, body)
    if status in __RETRIED_STATUSES:
        wait = read_retry_after(response)
        asked = f"; the API asks to wait {wait:.0f} s" if wait else ""
        raise FailedAttempt(f"HTTP {status}{said}{asked}", retry_after=wait)
    final = PageRefused if status in __REFUSING_STATUSES else SyncError
    raise FailedAttempt(f"HTTP {status}; {advise(status, page)}{said}", final)


def find_host(address: str) -> str:
    """The host that a redirect names."""
    try:
        return urlsplit(address).hostname or "no host"
    except ValueError:
        return "no host"


def advise(status: int, page: int) -> str:
    """What to check after a status that fails at once."""
    if page > 1 and status in {200, 204, *__REFUSING_STATUSES}:
        return (
            "the pages before were answered, so the settings are right: run the sync again, and "
            "if it fails at the same page, report it to Awardco"
        )
    return __ADVICE.get(status, "check base_url")


def read_retry_after(response: requests.Response) -> float:
    """The seconds that the API asks to wait; 0 where it asks for none or writes nonsense."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), 1e9)
    date = parse_http_date(value)
    if date is None:
        return 0.0
    server_date = parse_http_date(response.headers.get("Date")) or now()
    return max((date - server_date).total_seconds(), 0.0)


def parse_http_date(value: str | None) -> datetime | None:
    """An aware UTC datetime; None where there is no date in HTTP's notation."""
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=timezone.utc) if date.tzinfo is None else date
    except (IndexError, OverflowError, TypeError, ValueError):
        return None


def quote_error(response: requests.Response, body: bytes) -> str:
    """What the API said of an error: on one line, cut short, without the key should it echo it.

    Nothing else of a body is quoted: it may hold users.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    fields = said if isinstance(said, dict) else {}
    texts = [fields.get(name) for name in ("message", "error", "detail")]
    text = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    line = " ".join(mask_key(response, text).split())
    line = "".join(c if c.isprintable() else "\ufffd" for c in line)[:__MAX_QUOTED_CHARACTERS]
    return f"; the API said: {line}" if line else ""


def mask_key(response: requests.Response, text: str) -> str:
    """`text` without the key of the request."""
    key = re.escape(response.request.headers["apiKey"])
    return re.sub(key, "****", text, flags=re.IGNORECASE)  # hosts ignore case


def read_answer(response: requests.Response, body: bytes, page: int) -> Answer:
    """The page of users in a body. Raises FailedAttempt where there is none."""
    try:
        content = parse_json(body)
    except (ValueError, RecursionError):
        raise FailedAttempt("HTTP 200, but the body is not JSON") from None
    if isinstance(content, dict) and content.get("success") is False:
        advice = "check api_key" if page == 1 else advise(200, page)
        message = f"HTTP 200 with success: false; {advice}{quote_error(response, body)}"
        raise FailedAttempt(message, PageRefused)
    if not isinstance(content, dict) or not isinstance(content.get("users"), list):
        message = f"HTTP 200, but the body holds no list `users`; {advise(200, page)}"
        raise FailedAttempt(message + quote_error(response, body), NoUsersInAnswer)
    return Answer(content["users"], find_total(content))


def find_total(content: dict) -> int | None:
    """How many users there are on all pages: the largest number under a name that says so, such as
    `count`, `total` or `totalElements` (but not `totalPages`), here or one level below."""
    totals = [
        number
        for level in (content, *content.values())
        if isinstance(level, dict)
        for name, number in level.items()
        if type(number) is int and re.fullmatch("count|total((?!page).)*", name, re.IGNORECASE)
    ]
    return max(totals, default=None)


def parse_json(body: bytes):
    """Parse a body into values that the SDK encodes as they are."""
    content = load_json(body)
    if b"\\ud" in body.lower() or b"\xed" in body:  # 0xed begins each surrogate in UTF-8
        # A lone surrogate makes the SDK raise. Valid pairs have been joined by now.
        content = load_json(
            __LONE_SURROGATE.sub("\ufffd", json.dumps(content, ensure_ascii=False))
        )
    return content


def load_json(text: str | bytes):
    """Parse JSON. What Python or the SDK cannot hold exactly stays text: integers of 19 digits and
    more, and what no double can hold. (The SDK gives text of digits the type of a number.)"""
    return json.loads(
        text,
        parse_int=lambda digits: int(digits) if len(digits) < 19 else digits,
        parse_float=lambda digits: float(digits) if math.isfinite(float(digits)) else digits,
        parse_constant=str,
    )


# --- Rows ---------------------------------------------------------------------------------------


def read_row(user, columns: dict, problems: Counter) -> dict | None:
    """Turn a user as the API sent it into a row that the SDK can store.

    Args:
        user: any JSON value.
        columns: see `claim_column()`.
        problems: counts what cannot be used, by reason.
    Returns:
        The row; None where there is no usable `employeeId`.
    """
    if not isinstance(user, dict) or not is_identifier(user.get(__KEY)):
        problems[f"users without a usable {__KEY}, skipped"] += 1
        return None
    row, others = {}, {}
    for name, value in user.items():
        if name in __COLUMNS:
            row[name] = read_declared(name, value, problems)
        elif claim_column(columns, name) and not is_misread_by_sdk(value):
            row[name] = encode_undeclared(value)
        else:
            others[name] = value
    if others:
        row[__OTHER_FIELDS] = others
    return row


def is_identifier(value) -> bool:
    """Whether a value can be the key of a row."""
    if isinstance(value, str):
        return bool(value.replace("\x00", "").strip())  # the destination drops NUL
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_declared(column: str, value, problems: Counter):
    """The value for a declared column; None, and counted, where it cannot be read."""
    if value is None or isinstance(value, str) and __COLUMNS[column] == "STRING":
        return value
    if __COLUMNS[column] == "STRING":
        return json.dumps(value, ensure_ascii=False)  # the SDK would store Python's notation
    read = read_number(value) if __COLUMNS[column] == "DOUBLE" else parse_timestamp(value)
    if read is None and value != "":
        problems[f"unreadable values of {column}, stored as null"] += 1
    return read


def read_number(value) -> float | None:
    """A finite number, also from text such as `12.50`; None for anything else."""
    python_only = isinstance(value, str) and "_" in value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or python_only:
        return None
    try:
        return float(value) if math.isfinite(float(value)) else None
    except ValueError:
        return None


def claim_column(columns: dict, name: str) -> bool:
    """Give a field a column of its own, if it can have one; the spelling met first gets it.

    Fivetran makes one column of `costCentre`, `Cost-Centre` and `cost_centre`, in which a row
    would keep one value.

    Args:
        columns: the spelling that has each column, by its letters and digits; a new one is added.
        name: of the field.
    Returns:
        Whether the field has the column.
    """
    plain = simplify(name)
    if not plain or plain.startswith("fivetran") or not name.isprintable():
        return False  # a name that can be no column, or that Fivetran may use for its own
    return plain not in __TAKEN_NAMES and columns.setdefault(plain, name) == name


@lru_cache(maxsize=10_000)
def simplify(name: str) -> str:
    """The letters and digits of a name, small and without accents."""
    decomposed = unicodedata.normalize("NFD", name)
    return "".join(c for c in decomposed if c.isascii() and c.isalnum()).lower()


def is_misread_by_sdk(value) -> bool:
    """Whether the SDK takes a text for a number or a time, and then fails to read it as one."""
    if not isinstance(value, str) or not __LOOKS_TYPED.fullmatch(value):
        return False
    if not value.isascii():
        return True  # digits of other scripts
    return bool(__ZONED_MINUTE.fullmatch(value)) and parse_timestamp(value) is None


def encode_undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        # As a float it would be stored with 32 bits; as text with a point it becomes a DOUBLE.
        digits = repr(value)
        return digits if "." in digits else digits.replace("e", ".0e")
    if isinstance(value, str) and __ZONED_MINUTE.fullmatch(value):
        # The SDK infers a timestamp but rejects it without seconds, which Java omits when 0.
        return __ZONED_MINUTE.sub(r"\1:00\2", value)
    return value


# --- Timestamps ---------------------------------------------------------------------------------


def parse_timestamp(text) -> datetime | None:
    """Read an ISO 8601 timestamp.

    Takes `Z`, `+02:00`, `+0200`, a space for the `T`, 0 to 9 fraction digits (of which
    microseconds are kept), and a date alone. Without a zone it is read as UTC.

    Returns:
        An aware UTC datetime; None where `text` is no such timestamp.
    """
    match = __TIMESTAMP.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    date, _, minute, second, fraction, zone = match.groups()
    micros = (fraction or "")[1:7].ljust(6, "0")
    try:
        # Python 3.10 reads this form, and few others.
        read = datetime.fromisoformat(
            f"{date}T{minute or '00:00'}{second or ':00'}.{micros}+00:00"
        )
        return read - get_offset(zone)
    except (ValueError, OverflowError):
        return None


def get_offset(zone: str | None) -> timedelta:
    """The offset of `+02:00`, `+0200`, `+02` or `Z`. Raises ValueError beyond a day."""
    digits = (zone or "Z").replace(":", "").strip()
    if digits in "Zz":
        return timedelta(0)
    return datetime.strptime(digits.ljust(5, "0"), "%z").utcoffset()


def get_settling_time(text: str) -> timedelta:
    """How far the cursor must stay behind the start of a sync, given how a time is written.

    Without a zone it may be the local time of anywhere: read as UTC, a change of today can look
    14 hours old. A date alone can look another day older.
    """
    _, separator, _, _, _, zone = __TIMESTAMP.fullmatch(text).groups()
    settling_time = __SETTLING_TIME if zone else __SETTLING_TIME + __LARGEST_UTC_OFFSET
    return settling_time if separator else settling_time + timedelta(days=1)


def write_like(sample: str, instant: datetime) -> str:
    """Write `instant` in the notation of `sample`, rounded down to what that can hold."""
    _, separator, _, second, fraction, zone = __TIMESTAMP.fullmatch(sample.strip()).groups()
    local = (instant + get_offset(zone)).replace(tzinfo=None).isoformat(timespec="microseconds")
    if not separator:
        return local[:10]
    digits = fraction[0] + local[20:].ljust(9, "0")[: len(fraction) - 1] if fraction else ""
    return f"{local[:10]}{separator}{local[11:19] if second else local[11:16]}{digits}{zone or ''}"


# --- The configuration --------------------------------------------------------------------------


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
        The settings, without the spaces, quotation marks, trailing slash and trailing `/api` that
        people paste.
    Raises:
        ConfigurationError: names the setting and the remedy, and shows no value.
    """
    use_mock = (read_setting(configuration, "use_mock") or "false").lower()
    if use_mock not in ("true", "false"):
        raise ConfigurationError("use_mock must be true or false: correct it, or leave it out.")
    updated_since_param = read_updated_since_param(configuration)
    if use_mock == "true":
        refuse_mock_on_fivetran()
        return Settings("mock", __MOCK_BASE_URL, updated_since_param, True)
    return Settings(
        read_api_key(configuration), read_base_url(configuration), updated_since_param, False
    )


def read_setting(configuration: dict, name: str) -> str:
    """A setting without what is pasted around it; `""` where it is not set."""
    value = __PASTED.fullmatch(str(configuration.get(name) or "")).group(1)
    return "" if value.startswith("<") and value.endswith(">") else value


def refuse_mock_on_fivetran():
    """Raise ConfigurationError unless this is a local run: no warehouse wants made-up people."""
    if os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":  # set by the SDK's CLI
        raise ConfigurationError(
            "use_mock is for `fivetran debug` and `fivetran run` on your own machine, and refused "
            "elsewhere: remove it, and set api_key and base_url."
        )


def read_api_key(configuration: dict) -> str:
    """The key. Raises ConfigurationError where no header can hold it."""
    key = read_setting(configuration, "api_key")
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


def read_base_url(configuration: dict) -> str:
    """The address, without what follows the API's root. Raises ConfigurationError."""
    url = read_setting(configuration, "base_url")
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
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigurationError(
            "base_url uses http, which would send the key unencrypted: use https (http is "
            "accepted for this machine only, for development)."
        )
    return re.sub(r"(?<!/)/api(/users)?$", "", url.rstrip("/")).rstrip("/")  # not of //api


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_updated_since_param(configuration: dict) -> str:
    """The name of the filter. Raises ConfigurationError where it is another parameter's."""
    name = read_setting(configuration, "updated_since_param") or __DEFAULT_UPDATED_SINCE_PARAM
    if name.lower() in ("page", "per_page"):
        raise ConfigurationError(
            "updated_since_param must not be page or per_page, which count the pages: set it to "
            f"the name of the API's timestamp filter (default {__DEFAULT_UPDATED_SINCE_PARAM})."
        )
    return name


# --- The setup form -----------------------------------------------------------------------------


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
    return run_setup_test(configuration, lambda api, users: None)


def users_test(configuration: dict):
    """Setup test: there are users, with the fields that a sync needs."""
    return run_setup_test(configuration, find_problem_of_users)


def filter_test(configuration: dict):
    """Setup test: asked for changes since two days from now, the API returns nobody."""
    return run_setup_test(configuration, find_problem_of_filter)


def run_setup_test(configuration: dict, find_problem: Callable):
    """Give `find_problem` the API and its first users; it returns what is wrong, or None.

    Never raises: the crash report of a setup test shows messages and locals as they are.
    """
    try:
        settings = validate_configuration(configuration)
        policy = RetryPolicy(attempts=2, max_retry_after_seconds=10)  # a person is waiting
        with open_api(settings, policy) as api:
            problem = find_problem(api, make_request_with_retry(api, 1, __PAGE_SIZE).users)
    except (ConfigurationError, SyncError) as error:
        problem = str(error)
    except Exception as error:
        problem = f"The test itself failed ({type(error).__name__})."
    return Test().failure(problem) if problem else Test().success()


def find_problem_of_users(api: Api, users: list) -> str | None:
    """What a sync would miss in the users of page 1."""
    if not users:
        return "The API returns no users: check that api_key may see those of your tenant."
    found = [user for user in users if read_row(user, {}, Counter())]
    if not found:
        return f"The users have no {__KEY}: this is not the API that the connector is made for."
    never_updated = all(user.get("updated_at", "missing") is None for user in found)
    if not never_updated and not list_readable_times(found):
        return "No user has a readable updated_at: without it every sync reads everybody."
    return None


def find_problem_of_filter(api: Api, users: list) -> str | None:
    """Whether the API ignores the filter. If it refuses a future time, that says nothing."""
    sample = next(iter(list_readable_times(users)), "2000-01-01T00:00:00Z")
    later = write_like(sample, api.started_at + timedelta(days=2))
    try:
        found = make_request_with_retry(api, 1, __PAGE_SIZE, later).users
    except PageRefused:
        return None
    # Users without a time, and one dated 2099, may pass it.
    if not any(
        parse_timestamp(text) < parse_timestamp(later) for text in list_readable_times(found)
    ):
        return None
    return (
        "Asked for changes since two days from now the API still returns users, so it does not "
        f"know the filter `{api.updated_since_param}` and every sync would read everybody: set "
        "updated_since_param to the name that your API uses."
    )


def list_readable_times(users: list) -> list:
    """The readable `updated_at` of users, as the API wrote them."""
    times = [user.get("updated_at") for user in users if isinstance(user, dict)]
    return [text for text in times if parse_timestamp(text)]


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
        times = [parse_timestamp(user["updated_at"]) for user in self.users]
        found = [
            user
            for user, at in zip(self.users, times, strict=True)
            if not since or at and at >= since
        ]
        page, per_page = int(query["page"]), min(int(query["per_page"]), 100)
        body = {"users": found[(page - 1) * per_page : page * per_page]}
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response.headers["Date"] = format_datetime(now(), usegmt=True)
        response.raw = io.BytesIO(json.dumps(body).encode())
        return response

    def close(self):
        pass


# --- The connector ------------------------------------------------------------------------------

connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    with open("configuration.json", encoding="utf-8") as configuration_file:
        connector.debug(configuration=json.load(configuration_file))
