"""Awardco users into the warehouse: a Fivetran Connector SDK connector.

It pages through `GET {base_url}/api/users` with the `updated_since` filter, or reads the Users
report of Awardco, upserts each user into the table `USER` and checkpoints after each page. The
order of the users, the largest page, what follows the last page and whose clock applies are not
public, so no rule below relies on them.

    sync     one call of update()
    window   the users that the filter of a sync lets through
    pass     one reading of the window, page by page, from page 1 to its end
    whole    a pass is whole if it cannot have missed a user whom the sync does not know
    cursor   last_sync_time in the state: what the next sync uses as its filter
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import math
import os
import random
import re
import socket
import ssl
import time
import traceback
import unicodedata
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
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import requests
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

# What is assumed of the API, and where each assumption comes from. Compare it with Awardco's
# reference, https://api.awardco.com/api, and change it here where your tenant's API differs.
# CONTRIBUTING.md has an example of each change.
__PATH = "/api/users"  # Fivetran's example
__KEY_HEADER = {"apiKey": "{key}"}  # public clients
__LIST = "users"  # Fivetran's example; `data.items` means `items` inside `data`
__PAGE_PARAM = "page"  # Fivetran's example, public clients
__PER_PAGE_PARAM = "per_page"  # Fivetran's example; public clients of other methods: `limit`
__FIRST_PAGE = 1  # the number of the first page: Fivetran's example, public clients
__UPDATED_SINCE_PARAM = "updated_since"  # Fivetran's example
__OTHER_PARAMS: dict = {}  # sent with every request for users

__REPORT_PATH = "/api/v2/reports"  # public clients
__REPORT_NUMBER = 9  # the Users report: public clients
__REPORT_OPTIONS: dict = {}  # added to the order of the report, such as `selectedColumns`
__REPORT_HOSTS: tuple = ()  # hosts that may get the key, besides that of base_url

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
# Texts in the report: Awardco's help centre. Undeclared, a language `T` would become true.
__REPORT_TEXTS: tuple = ("Preferred Name", "Secondary Email", "Username", "Phone Number")
__REPORT_TEXTS += ("Language", "Country", "Nomination Approval Ids", "Birth Date")
__REPORT_COLUMNS = dict.fromkeys(__REPORT_TEXTS, "STRING")
__REPORT_NAMES = {"Created Date": "created_at"}  # Awardco's help centre; others by comparison
__OTHER_FIELDS = "other_fields"  # JSON: fields without a column, and values that do not fit one
__TIME_NAMES = ("last_sync_time", "last_full_sync")  # in the state, with the two below
__STATE_NAMES = (*__TIME_NAMES, "users", "source")
__SOURCES = ("users", "report", "mock")

__LARGE_PAGE = 1_000  # users a page at first
__SMALL_PAGE = 100  # users a page where the API does not give large ones
__LARGEST_PAGE = 10_000  # users a page in the pass that asks for all at once
__SMALLEST_CAP = 10  # users a page; caps are multiples of it, and a smaller page 1 shows none
__MAX_PASSES = 5  # a source that changes during each of them will change during a sixth, too
__PASS_ALL_AT_ONCE = 3  # one page has no border at which users can be missed
__NEXT_SIZE_SHARE = 0.75  # of the smallest page so far: what passes 2, 4 and 5 ask for
__MIN_USERS_TO_JUDGE = 20  # fewer can be alike, or odd, by chance
__MAX_TIMES_EACH = 3  # if users come more often on average, the API sends them without end
__MIN_SHARE_TO_MARK = 0.8  # of the last complete read; Okta's limit for one import is the same
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
__REPORT_PAUSES_SECONDS = (1, 2, 4, 8, 16, 30)  # public clients; the last one is repeated
__REPORT_TIMEOUT_SECONDS = 3_600
__RETRIED_STATUSES = {304, 408, 425, *range(500, 600)}  # and rate limits

# Problems: a status, or a word. What to do about one, and what it means for the request.
__AGAIN_ADVICE = "run the sync again, and if it persists, ask Awardco"
__FILTER_ADVICE = "set updated_since_param to the name that your API uses"
__KEY_ADVICE = f"add its new name to find_spellings() in connector.py, as the {__KEY}"
__RIGHTS_ADVICE = "check that the key may see all users of your tenant"
__CONNECTION_ADVICE = "check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE"
__WEB_PAGE_ADVICE = "a firewall or a login may have answered: check base_url, and your network"
__RESTART_ADVICE = "re-sync on Fivetran, but read `Before a re-sync` in docs/operations.md first;"
__RESTART_ADVICE += " or locally run `fivetran reset`, which deletes the local table and its state"
__ADVICE: dict = {
    400: "check updated_since_param, and lower __SMALL_PAGE in connector.py",
    401: "check api_key: the API does not accept it",
    403: "check that api_key has the permission to read users",
    404: f"check base_url: no {__PATH} there; or set source to report, if your tenant lacks it",
    407: "the proxy on the way refuses: check the proxy settings of this machine",
    413: "lower __SMALL_PAGE in connector.py: the API refuses pages of this size",
    "no list": "check base_url, and __LIST in connector.py",
    "no column": f"add the name of the {__KEY} to __REPORT_NAMES in connector.py",
    "outage": __AGAIN_ADVICE,
    "rate limit": "sync less often, or ask Awardco for a higher limit",
    **dict.fromkeys(("connection", "no connection", "no way"), __CONNECTION_ADVICE),
    **dict.fromkeys(("web page", "firewall"), __WEB_PAGE_ADVICE),
    "redirect": "set base_url to the final address, unless it is a login page of your network",
    "other path": f"set __PATH in connector.py to `{__PATH}/`",
}
__REPORT_ADVICE: dict = {
    400: "check __REPORT_OPTIONS in connector.py",
    403: "check that api_key has the permission to read reports",
    404: "check base_url: no Users report there; if it is right, ask Awardco for it",
    "redirect": "check base_url",
}
__ALWAYS_ADVISED = (401, 403, 407, "rate limit", "firewall", "no column")  # on later pages, too
__RETRIED = ("outage", "rate limit", "connection", "no connection", "web page")
__REFUSALS = (400, 404, 410, 416, 422, "no list")  # what APIs answer past their last page
__CURED_BY_SMALLER_PAGES = ("outage", "connection", "web page", 413)  # a refused connection is not
__PAGE_1_REFUSALS = (*__REFUSALS, *__CURED_BY_SMALLER_PAGES)  # no filter may help, too
__BEGIN_AGAIN = (*__CURED_BY_SMALLER_PAGES, "page 1", "lost page")  # the last two are of a pass
__MAX_QUOTED_CHARACTERS = 200
__MAX_NAMED_FIELDS = 10

# How answers are read. Names stand here as fold_name() makes them.
__ERROR = r"(?!(0|200|false|none|null|ok|success|\[\])$).+"  # in a field for errors
__FAILURES = {  # how an answer reports a failure: names of fields, and values
    "success ok issuccess": "false|0",
    "status statuscode code": r"error|fail|failed|[4-9]\d\d|\d{4,}",
    "timedout": "true",
    "error errors errorcode errcode errormessage fault": __ERROR,
}
__REASONS = "message detail error errors fault faultstring"  # what may be quoted, best first
__REASONS_OF_A_STATUS = "description title"  # from 400; in a 200 they can be somebody's
__TOTALS = "total count totalcount totalusers totalrecords totalitems totalresults totalelements"
__TOTALS += " totalentries totalrows"
__MORE_FLAGS = "hasmore hasnext hasnextpage"
__ENVELOPES = "meta pagination paging page pageinfo"  # objects in which totals and flags stand


class ConfigurationError(ValueError):
    """A setting that cannot be used; the message names it and says what to do."""


class SyncError(RuntimeError):
    """What ended an attempt, a sync or a setup test; in the end the message says what to do."""

    def __init__(self, message: str, problem: str | int = "", retry_after: float = 0.0):
        """problem: see __ADVICE. retry_after: the seconds that the API asks to wait."""
        super().__init__(message)
        self.problem = problem
        self.retry_after = retry_after


def schema(configuration: dict) -> list:
    """Declare the table and the columns that inference would mistake, such as a first name `T`."""
    is_mock = get_setting(configuration, "use_mock").lower() == "true"
    is_report = get_setting(configuration, "source").lower() == "report" and not is_mock
    columns = {**__COLUMNS, **__REPORT_COLUMNS} if is_report else __COLUMNS
    return [{"table": __TABLE, "primary_key": [__KEY], "columns": columns}]


def update(configuration: dict, state: dict):
    """Sync users changed since the last sync, or all. Raises ConfigurationError or SyncError."""
    try:
        run_sync(configuration, state)  # not here: crash reports print the variables of this frame
    except (ConfigurationError, SyncError) as error:
        op.error(message=str(error))  # for the dashboard, without a stack; it may return
        raise type(error)(str(error)) from None
    except Exception as error:
        raise SyncError(describe_unforeseen(error)) from None


def run_sync(configuration: dict, state: dict):
    """Sync from the source that the settings name."""
    settings = validate_configuration(configuration)
    api = open_api(settings, state)
    with api.session:
        sync = start_sync(api, state)
        warn_of_unknown_settings(configuration, op.warning)
        if api.source == "report":
            current = read_report(sync)
            finish_sync(sync, current, find_doubt(sync, current, None))
        else:
            sync_users(sync)


# --- The sync and its passes --------------------------------------------------------------------
# Users move between pages while they are read. Six users, two a page, in order of `updated_at`:
#     page 1   A B
#              Now A changes and moves to the end: the source holds B C, D E, F A.
#     page 2   D E      C has moved to page 1, which was already read: nobody sees it.
#     page 3   F A      A is met a second time.
#
# The pages had 6 places, as many as the source has users, but only 5 different users took them.
# This holds for every order of rows, for changes, moves and hires, if pages are answered in order:
# whoever is missed leaves a place to somebody who is met twice. So if the sync knows as many users
# as a pass had places, it knows everybody: the pass is whole, unless something else is doubtful.
# Here it knows 5 of 6, and the window is read again. Deletions break this rule: only a total that
# falls shows them.
@dataclass
class Sync:
    """What one sync knows. It only grows, but for a filter that is refused."""

    api: Api
    state: dict  # as the sync before left it; the checkpoint after each page repeats it
    earlier: dict  # what counts of it, see read_state()
    is_due: bool  # full_sync_days asks to mark who left: everybody is read
    filter: str | None  # frozen; only read_window() drops it, if it is refused
    started_at: datetime  # by this machine's clock; for last_full_sync only
    cursor: str | None  # where last_sync_time may stand so far, as the API wrote it
    cursor_at: datetime | None  # the cursor, parsed
    known: dict = field(default_factory=dict)  # employeeId to updated_at: 40 MB for 200,000 users
    pages: list = field(default_factory=list)  # of each page: the API's total, and who came
    delivered: list = field(default_factory=list)  # the rows of each page, for mark_leavers()
    filled: set = field(default_factory=set)  # declared columns in which somebody has a value
    filter_refusal: str = ""  # why everybody is read despite the filter


@dataclass
class Pass:
    """One reading of the window: the pages as they came, and the answers that showed its end,
    that for the page after the last one first. All else is derived from them."""

    asked: int  # users asked for with page 1; in a report, the users on it
    pages: list[Page] = field(default_factory=list)
    end: list[Page] = field(default_factory=lambda: [Page([])])

    @property
    def places(self) -> int:
        """The users of each page, summed: who is on two pages takes two places."""
        return sum(page.places for page in self.pages)

    @property
    def count(self) -> int:
        """The rows of each page, summed, those without a key among them."""
        return sum(page.count for page in self.pages)

    @property
    def total(self) -> int:
        """How many users the API says there are; 0 if it does not say."""
        return max((page.total for page in self.pages), default=0)

    @property
    def met(self) -> Counter:
        """How often each employeeId came."""
        return Counter(key for page in self.pages for key in page.keys if key is not None)

    @property
    def is_page_ignored(self) -> bool:
        """Whether page 2 was page 1 again: what ends a pass has users only if they repeat."""
        return len(self.pages) == 1 and self.end[0].count > 0


def sync_users(sync: Sync):
    """Read the window until a pass was whole, then store and report what that proves. Each pass
    has other borders between pages: users with equal times can sort differently on either side."""
    previous = None
    asked = smallest = __LARGE_PAGE
    for number in range(1, __MAX_PASSES + 1):
        current = read_window(sync, asked)
        doubt = find_doubt(sync, current, previous)
        if not doubt or number == __MAX_PASSES:
            break
        log.info(f"Reading again, pass {number + 1}: {doubt}")
        previous = current
        smallest = min(smallest, find_page_size(current))
        asked = choose_page_size(sync, number + 1, smallest)
    if current.is_page_ignored and current.count == current.asked:
        advice = "set __PAGE_PARAM in connector.py to the name that your API uses"
        raise SyncError(f"The API ignores `{__PAGE_PARAM}`: every page is page 1; {advice}")
    finish_sync(sync, current, doubt)


def choose_page_size(sync: Sync, number: int, smallest: int) -> int:
    """What pass `number`, from 2, asks for with page 1. smallest: the smallest page size yet."""
    smaller = max(int(smallest * __NEXT_SIZE_SHARE), 1)
    if number == __PASS_ALL_AT_ONCE:
        return min(max(2 * len(sync.known), smaller), __LARGEST_PAGE)
    return smaller


def find_page_size(current: Pass) -> int:
    """How many users the pages after page 1 ask for: as many as it brought, if that looks like a
    cap, since an API may count capped pages by what was asked for. Asked for 1,000:

        page 1 has    pages have
        1,000, 250    as many
        7             1,000: fewer than any cap, so these are all
        973           1,000: the API hides some users of each page, so page 1 is short
    """
    came = current.pages[0].count
    is_cap = came <= current.asked // 2 or came % __SMALLEST_CAP == 0
    return came if came >= __SMALLEST_CAP and is_cap else current.asked


def read_window(sync: Sync, asked: int) -> Pass:
    """Read a pass. If page 1 fails with the filter, it is asked for without, then with it again:

        without     with it again    the pass
        fails       -                the error
        answered    answered         is read now: an outage has passed
        answered    no list          is empty: nobody has changed
        answered    fails            is of everybody, and a warning quotes why

    Raises SyncError."""
    try:
        return read_pass(sync, asked)
    except SyncError as error:
        if error.problem != "page 1" or sync.filter is None:
            raise
        refusal = str(error)
    log.info(f"Asking for page 1 without the filter, which may be refused: {refusal}")
    ask = partial(request_page, sync.api, refusals=__PAGE_1_REFUSALS)
    if failure := ask(1, __SMALL_PAGE, None, __LARGE_PAGE_ATTEMPTS).refusal:
        raise SyncError(failure)
    with_filter = ask(1, __SMALL_PAGE, sync.filter, __LARGE_PAGE_ATTEMPTS)
    if not with_filter.refusal:
        return read_pass(sync, asked)
    if with_filter.is_nobody:
        return Pass(asked, [Page([])])
    sync.filter_refusal = refusal
    sync.filter = None
    return read_pass(sync, __LARGE_PAGE)


def read_pass(sync: Sync, asked: int) -> Pass:
    """Read the window once, and again from page 1 in small pages if large ones fail."""
    current = Pass(asked)
    try:
        for page in fetch_users(sync, current):
            deliver_page(sync, page)
            log_progress(sync, current)
        return current
    except SyncError as error:
        is_last_try = asked == __SMALL_PAGE  # not <=: an API that refuses 75 may give 100
        was_small = bool(current.pages) and current.pages[0].count <= __SMALL_PAGE
        if is_last_try or was_small or error.problem not in __BEGIN_AGAIN:
            raise
        log.info(f"Reading again in pages of {__SMALL_PAGE} users: {error}")
    return read_pass(sync, __SMALL_PAGE)


def deliver_page(sync: Sync, page: Page):
    """Upsert the users of a page who are new to the sync or newer, and checkpoint."""
    if not sync.pages:
        check_shape(sync.api, page)
    users = zip(page.users, page.keys, strict=True)
    taken = [take_user(sync, page, user, key) for user, key in users if key is not None]
    rows = [row for row in taken if row]
    for row in rows:
        op.upsert(table=__TABLE, data=row)  # inserts the row, or replaces the one with its key
    # Commits the rows with the old state: pages not yet read may hold older changes.
    op.checkpoint(state=sync.state)
    if sync.is_due:
        sync.delivered.append(zlib.compress(json.dumps(rows, default=datetime.isoformat).encode()))
    page.users = []  # the pass keeps its pages, but no longer needs their users
    sync.pages.append((page.total, page.count))


def log_progress(sync: Sync, current: Pass):
    """Log a line every ten pages, and one if pages are small, since these take long to read."""
    size = find_page_size(current)
    if len(sync.pages) == 2 and size < __SMALL_PAGE <= current.asked:
        log.info(f"Page 1 has {size} of {current.asked:,} users asked for: check __PER_PAGE_PARAM")
    if len(sync.pages) % __PAGES_PER_PROGRESS_LINE == 0:
        of_all = f" of {current.total:,}" if current.total and sync.filter is None else ""
        log.info(f"{len(sync.pages)} pages read, {len(sync.known):,}{of_all} users so far")


def check_shape(api: Api, page: Page):
    """Raise SyncError if the API has changed its shape: nobody on the first page has a key."""
    if page.count >= __MIN_USERS_TO_JUDGE and not page.places:
        found = name_fields(api, page.users[0])
        raise SyncError(f"No user has a usable {__KEY}; the users have {found}; {__KEY_ADVICE}")


def take_user(sync: Sync, page: Page, user: dict, key: str) -> dict | None:
    """Record a user. Returns the row if the user is new to this sync, or newer."""
    row = read_row(user, key, page)
    if len(sync.filled) < len(__COLUMNS):
        sync.filled.update(name for name in __COLUMNS if row.get(name) not in (None, ""))
    changed_at = row.get("updated_at") or __NEVER
    if key in sync.known and changed_at <= sync.known[key]:
        return None
    sync.known[key] = changed_at
    if row.get("updated_at"):
        move_cursor(sync, changed_at, user["updated_at"].strip())
    return row


def move_cursor(sync: Sync, updated_at: datetime, text: str):
    """Move the cursor to a newer time, if the sync's first answer is later by the margin."""
    if sync.cursor_at is None or updated_at > sync.cursor_at:
        margin = __CURSOR_MARGIN if read_iso(text).tzinfo else __CURSOR_MARGIN_WITHOUT_ZONE
        if sync.api.answered_at - updated_at >= margin:
            sync.cursor = text
            sync.cursor_at = updated_at


# --- Is a pass whole? ---------------------------------------------------------------------------
def find_doubt(sync: Sync, current: Pass, previous: Pass | None) -> str:
    """Why a pass may have missed a user whom the sync does not know; "" if it is whole. This alone
    decides whether a pass is believed, and it changes nothing. previous: the pass before."""
    is_full = ends_with_full_page(sync, current)
    is_larger = current.total > current.count
    # An empty page after it refutes a flag of the last page, but nothing refutes one of that page.
    says_more = any(page.has_more for page in current.end)
    fell = has_fallen([(page.total, page.count) for page in current.pages])
    expected = count_expected(sync, current)
    is_everybody = current.places == expected or has_met_the_same(current, previous)
    counts = f"{expected} different users, but the pages had {current.places} places for them"
    # Any of these is a doubt. The first that is true is quoted.
    rules = [
        (has_short_page(current), "a page was short, but the page after it brought users"),
        (fell, "the API's total fell: users were deleted, so others moved"),
        (is_endless(sync, current), "the same users came again and again, without end"),
        (is_refusal_doubtful(sync, current), "the page after a full page is refused"),
        (is_full and current.is_page_ignored, "every page is page 1: check __PAGE_PARAM"),
        (is_full and is_larger, "the users end at a full page, but the API's total is larger"),
        (says_more, "after the last page the API still says that there is more"),
        (not is_everybody, f"{counts}, so some may have been passed over"),
    ]
    return next((doubt for is_true, doubt in rules if is_true), "")


def has_short_page(current: Pass) -> bool:
    """Whether users came after a page that was empty, or less full than pages were asked to be."""
    size = find_page_size(current)
    is_short = any(page.count < size for page in current.pages[:-1])
    # look_beyond() keeps an empty page only if the page after it brought users.
    is_gap_at_the_end = len(current.pages) > 1 and current.pages[-1].count == 0
    return is_short or is_gap_at_the_end


def has_fallen(pages: list) -> bool:
    """Whether the API's own total fell, in a list of each page's total and number of users. If it
    counts the users who remain, such as 350, 250, 150 in pages of 100, it does not fall."""
    with_total = itertools.pairwise((total, came) for total, came in pages if total)
    falls = [(before - after, came) for (before, came), (after, _) in with_total]
    return any(fall > 0 and fall != came for fall, came in falls)


def is_endless(sync: Sync, current: Pass) -> bool:
    """Whether users come again more often than second records and moves can explain."""
    return current.places > __MAX_TIMES_EACH * len(sync.known)


def ends_with_full_page(sync: Sync, current: Pass) -> bool:
    """Whether more users may follow the last page, which is no doubt by itself. They may follow

    a page that says so in a flag, unless it is empty,
    a page that is as full as was asked for,
    page 1 if it is as full as a usual cap, such as 50 or 250; but with a filter only 100, 200,
        500 and 1,000 count, since 50 or 250 changes can come by chance.
    """
    last = current.pages[-1]
    if last.has_more and last.count:
        return True
    if len(current.pages) > 1:
        return last.count >= find_page_size(current)
    is_usual_cap = last.count >= __SMALLEST_CAP and __LARGE_PAGE % last.count == 0
    is_no_chance = sync.filter is None or last.count % __SMALL_PAGE == 0
    return last.count >= current.asked or (is_usual_cap and is_no_chance)


def is_cut_off(sync: Sync, current: Pass) -> bool:
    """Whether the page after a full page was refused: it may not exist, or be too deep."""
    return bool(current.end[0].refusal) and ends_with_full_page(sync, current)


def is_refusal_doubtful(sync: Sync, current: Pass) -> bool:
    """Whether a pass that was cut off is in doubt. After two or more pages of everybody that is
    only a gap, see find_gaps(): else an API that reaches no further would be read in full by
    every sync."""
    is_deep = len(current.pages) > 1 and sync.filter is None
    return is_cut_off(sync, current) and not is_deep


def count_expected(sync: Sync, current: Pass) -> int:
    """How many places a pass has that missed nobody: as many as users are known. But sync.known
    keeps who was deleted. So once the total fell, a pass is compared with itself, and nobody may
    take two places in it."""
    return len(current.met) if has_fallen(sync.pages) else len(sync.known)


def has_met_the_same(current: Pass, previous: Pass | None) -> bool:
    """Whether the pass before, with other borders, met the same users, each as often: those with
    two records come twice in every pass. It proves nothing if a row stood on two pages: an
    unstable sort shows one twice, and hides another in every pass alike."""
    if previous is None or find_page_size(current) == find_page_size(previous):
        return False
    pages_of_row = Counter(row for page in current.pages for row in page.fingerprints)
    is_stable = all(number == 1 for number in pages_of_row.values())
    is_enough = len(current.met) >= __MIN_USERS_TO_JUDGE
    return is_enough and is_stable and current.met == previous.met


# --- The beginning and the end of a sync --------------------------------------------------------
def start_sync(api: Api, state: dict) -> Sync:
    """Begin a sync, with a filter unless everybody is read. Raises SyncError."""
    if api.source == "mock":
        log.info("Mock mode: these users are made up, see mock_data/users.json")
    earlier = read_state(state, api.source)
    cursor = None if api.source == "report" else earlier.get("last_sync_time")
    is_due = is_full_read_due(api, earlier)
    since = None if is_due else cursor
    everybody = "Full sync: all users (full_sync_days)" if is_due else "Full sync: all users"
    log.info(f"Incremental sync: users changed since {since}" if since else everybody)
    return Sync(api, state, earlier, is_due, since, now(), cursor, parse_timestamp(cursor))


def read_state(state: dict, source: str) -> dict:
    """What counts of a state: `last_sync_time`; `last_full_sync`, when the last whole sync of
    everybody began; `users`, how many the last complete one found, which alone counts if another
    `source` left it. Raises SyncError if it is damaged, or mixes made-up users with real ones."""
    earlier = {name: state[name] for name in __STATE_NAMES if name in state}
    for name, value in earlier.items():
        readable = {"users": type(value) is int, "source": value in __SOURCES}
        if not readable.get(name, parse_timestamp(value)):
            raise SyncError(f"The state cannot be used: {name} is unreadable; {__RESTART_ADVICE}")
    came_from = earlier.get("source", "users")  # old versions stored none
    if not earlier or source == came_from:
        return earlier
    if "mock" in (source, came_from):
        mixture = f"The last sync read {came_from}, this one reads {source}, and mock is made up"
        advice = "use another folder, or run `fivetran reset`, which deletes the local table"
        raise SyncError(f"{mixture}; {advice} and its state")
    return {"users": earlier["users"]} if "users" in earlier else {}


def is_full_read_due(api: Api, state: dict) -> bool:
    """Whether full_sync_days asks to read everybody and mark who left."""
    is_first = not any(name in state for name in __TIME_NAMES)
    if is_first or not api.full_sync_days:
        return False
    if "last_sync_time" not in state and api.source != "report":
        return True  # without a cursor, each sync reads everybody anyway
    last = parse_timestamp(state.get("last_full_sync")) or __NEVER
    # abs(): a time to come only shows that a clock was wrong.
    return abs(now() - last) >= timedelta(days=api.full_sync_days)


def finish_sync(sync: Sync, current: Pass, doubt: str):
    """Mark who left, store what this sync has proved, and report it, without user data. doubt: see
    find_doubt(). Raises SyncError if a sync from nothing found nobody."""
    check_anybody(sync, current)
    gaps = find_gaps(sync, current, doubt)
    obstacles = list(gaps)
    if not gaps and "users" not in sync.earlier:  # all could be marked at once
        obstacles = ["no complete read had counted the users before; the next one can mark"]
    if sync.is_due and not obstacles:
        mark_leavers(sync)
    state = make_state(sync, doubt, gaps)
    op.checkpoint(state=state)  # commits the last rows, and what the next sync begins with
    counts = f"{write_count(len(sync.known), 'user')} from {write_count(len(sync.pages), 'page')}"
    log.info(f"Synced {counts}; last_sync_time: {state.get('last_sync_time')}")
    unmarked = f"Nobody was marked as deleted: {'; '.join(obstacles)}"
    reasons = [unmarked] if sync.is_due and obstacles else gaps
    for warning in (*reasons, *find_warnings(sync, current, doubt)):
        log.warning(f"{warning}.")
        op.warning(f"{warning}.")


def check_anybody(sync: Sync, current: Pass):
    """Raise SyncError if a sync from nothing found nobody: it may be a re-sync, after which
    Fivetran would mark everybody."""
    is_continued = any(name != "users" for name in sync.earlier)  # not from another source
    if not sync.known and not is_continued:
        no_key = f"No user has a usable {__KEY}, so nothing was stored; {__KEY_ADVICE}"
        nobody = f"The API returned no users, and nothing was stored; {__RIGHTS_ADVICE}"
        raise SyncError(no_key if current.count else nobody)


def find_gaps(sync: Sync, current: Pass, doubt: str) -> list:
    """Why users may be missing. A sync of everybody is complete if nothing is found."""
    gaps = []
    if doubt:
        again = "last_sync_time stays where it was, and the next sync reads the same users again"
        gaps.append(f"Users may be missing: no pass was whole ({doubt}). {again}")
    if is_cut_off(sync, current):
        refusal = current.end[0].refusal
        gaps.append(f"The users end at a full page, so there may be more: {refusal}")
    if sync.filter is not None:
        return gaps
    if current.count < current.total:
        came = f"but its pages brought {current.count}"
        gaps.append(f"The API reports {current.total} users, {came}: {__RIGHTS_ADVICE}")
    users = len(current.met)  # not of all passes: a key can lose rights between two
    before = sync.earlier.get("users", 0)
    if not users:
        gaps.append(f"The API returned no users to store: {__RIGHTS_ADVICE}")
    elif users < min(before * __MIN_SHARE_TO_MARK, before - 1):
        came = f"{write_count(users, 'user')} came, fewer than four fifths of the {before} of the"
        left = f"If the others have really left, {__RESTART_ADVICE}"
        gaps.append(f"{came} last complete read: {__RIGHTS_ADVICE}. {left}")
    return gaps


def mark_leavers(sync: Sync):
    """Mark all rows as deleted, and deliver this sync's again: one transaction with SDK 3.0.0."""
    before = write_count(sync.earlier["users"], "user")
    log.info(f"Marking who left: {before} at the last complete read, {len(sync.known)} now")
    log.info("The SDK marks all rows first (`table truncated`), and restores those who remain")
    op.truncate(table=__TABLE)
    for page in sync.delivered:
        for row in json.loads(zlib.decompress(page)):
            op.upsert(table=__TABLE, data=row)


def make_state(sync: Sync, doubt: str, gaps: list) -> dict:
    """What the next sync begins with: only what this one has proved moves."""
    state = {**sync.earlier, "source": sync.api.source}
    is_report = sync.api.source == "report"
    if not doubt and not is_report and sync.cursor is not None:
        state["last_sync_time"] = sync.cursor
    # Not after a filter that is refused: everybody would be read each time, and nobody marked.
    has_read_all = sync.filter is None and not sync.filter_refusal and bool(sync.known)
    # Each sync of a report reads everybody: those between two that are due must not put one off.
    is_between = is_report and not sync.is_due and "last_full_sync" in state
    if has_read_all and not is_between and not doubt:
        state["last_full_sync"] = sync.started_at.isoformat(timespec="seconds")
    if sync.filter is None and not gaps:
        state["users"] = len(sync.known)
    return state


# --- Pages --------------------------------------------------------------------------------------
@dataclass
class Page:
    """A page of users under their declared names, as the API answered."""

    users: list  # let go once they are delivered
    total: int = 0  # how many users there are on all pages, where the API says so
    has_more: bool = False  # it says in a flag that there are more
    refusal: str = ""  # why there are none, where the API refused the page
    is_nobody: bool = False  # it sent 204, or no list: with a filter, perhaps nobody has changed
    columnless: frozenset = frozenset()  # fields whose column would be another field's too
    unreadable: Counter = field(default_factory=Counter)  # values that are null now, by column

    def __post_init__(self):
        self.users = [rename_fields(user) for user in self.users]
        self.count = len(self.users)
        self.keys = [identify(user) for user in self.users]
        self.places = len({key for key in self.keys if key is not None})  # two records take one
        self.fingerprints = frozenset(map(fingerprint, self.users))


def fetch_users(sync: Sync, current: Pass) -> Iterator[Page]:
    """Add the pages of a pass to it, and yield those that hold users. While one is delivered, the
    next is on its way, but no other: a hire could move a user from a page not yet answered to one
    that was."""
    attempts = __ATTEMPTS if current.asked == __SMALL_PAGE else __LARGE_PAGE_ATTEMPTS
    ask = partial(request_page, sync.api, refusals=__PAGE_1_REFUSALS)
    page: Page | None = ask(1, current.asked, sync.filter, attempts)
    if page.refusal:
        raise SyncError(page.refusal, "page 1")
    # The caller delivers each page before it asks for more: the sync knows the users of them all.
    while page is not None and not is_endless(sync, current):
        current.pages.append(page)
        ahead = request_ahead(sync, current)
        if page.count:
            yield page
        page = ahead.result()
        if not is_news(current, page):
            page = look_beyond(sync, current, page)


def request_ahead(sync: Sync, current: Pass) -> Future:
    """Ask for the next page on a thread of its own, which the process does not wait for."""
    ahead: Future = Future()
    number = len(current.pages) + 1
    ask = partial(request_page, sync.api, number, find_page_size(current), sync.filter)

    def run():
        try:
            ahead.set_result(ask())
        except BaseException as error:  # raised again by ahead.result()
            ahead.set_exception(error)

    Thread(target=run, name="awardco-request", daemon=True).start()
    return ahead


def is_news(current: Pass, page: Page) -> bool:
    """Whether a page has users, but not those of page 1 or of the page before it."""
    return bool(page.count) and page.fingerprints not in (
        current.pages[0].fingerprints,
        current.pages[-1].fingerprints,
    )


def look_beyond(sync: Sync, current: Pass, page: Page) -> Page | None:
    """Decide what follows a page that is no news: it is empty, refused, or repeats another one.
    The next page and this page again, see ask_around(), decide it. Returns the page to go on with:

        this page again    next page    go on with
        news               any          this page, as it is now
        no news            no news      None: the users end here
        no news            news         this page, as it was: if it is empty, has_short_page() sees
                                        it; if it repeats, its users take places twice; but if it
                                        was refused, that is an error

    A window of fewer users than any cap, such as that of an idle sync, ends at an empty page 2.
    """
    is_small_window = len(current.pages) == 1 and current.pages[0].count < __SMALLEST_CAP
    is_empty = page.count == 0 and not page.refusal
    if is_small_window and is_empty:
        current.end = [page]
        return None
    following, again = ask_around(sync, current, page)
    if is_news(current, again):
        return again
    if not is_news(current, following):
        current.end = [page, following, again]
        return None
    if page.refusal:
        raise SyncError(page.refusal, "lost page")
    return page


def ask_around(sync: Sync, current: Pass, page: Page) -> tuple:
    """The next page, which is only evidence, and then this page again, so that an outage has most
    time to pass. After a refusal page 1 must still be answered, since a route may be gone for
    seconds. Raises SyncError."""
    number = len(current.pages) + 1
    ask = partial(request_page, sync.api, since=sync.filter)
    following = ask(number + 1, find_page_size(current))
    if page.refusal and ask(1, current.asked).refusal:
        raise SyncError(page.refusal, "lost page")
    return following, ask(number, find_page_size(current))


def request_page(
    api: Api, number: int, per_page: int, since, attempts=__ATTEMPTS, refusals=__REFUSALS
) -> Page:
    """Ask for a page of users, from 1. Its refusal may only mean that it lies past the end; that
    of page 1, that smaller pages or no filter may help. since: the filter, in the API's own
    notation; None asks for everybody. refusals: which problems are a refusal, and no error."""
    params: dict = {__PAGE_PARAM: number - 1 + __FIRST_PAGE, __PER_PAGE_PARAM: per_page}
    if since is not None:
        params[api.updated_since_param] = since
    request = {"url": api.base_url + __PATH, "params": {**params, **__OTHER_PARAMS}}
    name = f"Page {number} of the users"
    is_first = number == 1
    try:
        return make_request_with_retry(api, name, read_users, is_first, attempts, **request)
    except SyncError as error:
        if error.problem not in refusals:
            raise
        return Page([], refusal=str(error), is_nobody=error.problem == "no list")


# --- Requests -----------------------------------------------------------------------------------
@dataclass
class Api:
    """What the requests of a sync share."""

    session: requests.Session
    key: str = field(repr=False)
    source: str  # users, report or mock
    base_url: str
    updated_since_param: str
    full_sync_days: int  # 0 for never
    attempts: int  # for one request, at most
    max_retry_after_seconds: int  # where the API asks to wait longer, a request fails at once
    answered_at: datetime | None = None  # when the first answer came; the margins count from it


def open_api(settings: dict, state: dict, attempts=__ATTEMPTS, wait=__MAX_RETRY_AFTER_SECONDS):
    """The Api with its session, which the caller closes. state: with one, mock users have left."""
    session = requests.Session()
    session.headers.update({"Accept": "application/json", "Cache-Control": "no-cache"})
    session.headers["User-Agent"] = "fivetran-awardco-users"
    key = settings["api_key"]
    session.headers.update({name: form.format(key=key) for name, form in __KEY_HEADER.items()})
    session.auth = lambda request: request  # or requests adds a password from ~/.netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if settings["base_url"].lower().startswith("http:"):
        session.trust_env = False  # this machine: no proxy on the way
    param = settings["updated_since_param"]
    if settings["source"] == "mock":
        mock = requests.adapters.HTTPAdapter()
        mock.send = partial(answer_mock, param, "users" in state)  # type: ignore[method-assign]
        session.mount(__MOCK_BASE_URL, mock)
    days = int(settings["full_sync_days"] or 0)
    address = settings["base_url"]
    return Api(session, key, settings["source"], address, param, days, attempts, wait)


def make_request_with_retry(
    api: Api, name: str, read: Callable, is_first=False, attempts=__ATTEMPTS, **request
):
    """Make a request, again where another attempt may help. Returns what read(api, response) makes
    of a 2xx. Raises SyncError, whose `problem` says what may help. is_first: no answer has shown
    yet that the settings are right. attempts: how many where smaller pages may help instead.
    request: arguments for requests, such as url and params."""
    for attempt in itertools.count(1):
        try:
            return read(api, send_request(api, request))
        except SyncError as error:
            failure = error
        may_shrink = failure.problem in __CURED_BY_SMALLER_PAGES
        limit = min(api.attempts, attempts) if may_shrink else api.attempts
        is_too_long = failure.retry_after > api.max_retry_after_seconds
        if failure.problem not in __RETRIED or attempt >= limit or is_too_long:
            advice = advise(api, is_first, failure.problem)
            raise SyncError(f"{name} could not be read: {failure}; {advice}", failure.problem)
        backoff = 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        wait = max(min(backoff, __MAX_BACKOFF_SECONDS), failure.retry_after)
        tried = f"{name}: attempt {attempt} of {limit}"
        log.warning(f"{tried}: {failure}; next in {wait:.1f} s")
        time.sleep(wait)


def send_request(api: Api, request: dict) -> requests.Response:
    """One attempt. Raises SyncError, which quotes no header."""
    try:
        # requests would take the key along to whatever host a redirect names.
        limits: dict = {"timeout": __TIMEOUT_SECONDS, "allow_redirects": False}
        response = api.session.request(**{"method": "GET", **request, **limits})
    except requests.ConnectTimeout:
        raise SyncError("no connection in time", "no connection") from None
    except requests.Timeout:
        raise SyncError("no answer in time", "connection") from None
    except requests.exceptions.ContentDecodingError:
        raise SyncError("the body is not encoded as Content-Encoding says", "outage") from None
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise describe_connection_failure(error) from None
    except (OSError, ValueError) as error:  # no request can go there
        raise SyncError(type(error).__name__, "no way") from None
    if api.answered_at is None:
        # Either clock may be wrong. The earlier one costs at worst some users who are read again.
        api.answered_at = min(now(), read_date(response, "Date") or now())
    if response.status_code >= 300:
        raise describe_status(api, response)
    return response


def now() -> datetime:
    """This machine's clock, in UTC."""
    return datetime.now(UTC)


def describe_connection_failure(error: BaseException) -> SyncError:
    """Why no answer came, as the innermost error names it."""
    while error.__context__:
        error = error.__context__
    if isinstance(error, ssl.SSLCertVerificationError) or getattr(error, "library", "") == "X509":
        why = getattr(error, "verify_message", "the bundle of certificates is unreadable")
        return SyncError(f"the server's certificate does not verify ({why})", "no way")
    if "failed: 407" in str(error):  # as http.client tells of a CONNECT that was refused
        return SyncError("HTTP 407", 407)
    reason = getattr(error, "strerror", None)
    said = f"the connection failed ({reason})" if reason else "the connection broke off"
    is_refused = isinstance(error, (ConnectionRefusedError, socket.gaierror))
    return SyncError(said, "no connection" if is_refused else "connection")


def describe_status(api: Api, response: requests.Response) -> SyncError:
    """What a status of 300 or more means."""
    status = response.status_code
    said = f"HTTP {status}{quote_error(api, response)}"
    if status == 429 or "Retry-After" in response.headers:  # many APIs limit rates with 403
        wait = read_retry_after(response)
        asked = f"; the API asks to wait {wait:,.0f} s" if wait else ""
        return SyncError(f"{said}{asked}", "rate limit", wait)
    if status in __RETRIED_STATUSES:
        return SyncError(said, "outage")
    if status < 400:
        target = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
        problem = "other path" if target.path.endswith(f"{__PATH}/") else "redirect"
        host = quote_text(api, target.hostname or "no host")
        return SyncError(f"HTTP {status}, a redirect to {host}", problem)
    is_web_page = status == 403 and response.content.lstrip()[:1] == b"<"
    return SyncError(said, "firewall" if is_web_page else status)


def advise(api: Api, is_first: bool, problem: str | int) -> str:
    """What to do about a problem. Later pages show that the settings are right."""
    if not is_first and problem not in __ALWAYS_ADVISED:
        before = "requests" if api.source == "report" else "pages"
        return f"the {before} before were answered, so the settings are right: {__AGAIN_ADVICE}"
    advice = {**__ADVICE, **__REPORT_ADVICE} if api.source == "report" else __ADVICE
    return advice.get(400 if problem == 422 else problem, "check base_url")


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


def quote_error(api: Api, response: requests.Response) -> str:
    """What the API said of an error; the rest of an answer may hold users."""
    names = __REASONS if response.status_code < 400 else f"{__REASONS} {__REASONS_OF_A_STATUS}"
    with suppress(SyncError, RecursionError):
        said = parse_json(response)
        if isinstance(said, dict) and (text := quote_text(api, find_message(said, names))):
            return f"; the API said: {text}"
    return ""


def quote_text(api: Api, text: str) -> str:
    """A text of the API's on one line of 200 characters at most, without the key."""
    # Any sign of the key may be echoed URL-encoded.
    echoed = "".join(f"(?:{re.escape(sign)}|%{ord(sign):02x})" for sign in api.key)
    text = re.sub(echoed, "****", text, flags=re.IGNORECASE)
    line = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split()))
    return line[:__MAX_QUOTED_CHARACTERS]


def find_message(said, names: str) -> str:
    """The first text under one of these names, also inside each other."""
    if isinstance(said, dict):
        said = [value for name in names.split() for value in list_values([said], name)]
    if isinstance(said, list):
        return next(filter(None, (find_message(value, names) for value in said)), "")
    return said.strip() if isinstance(said, str) else ""


def read_users(api: Api, response: requests.Response) -> Page:
    """The users in a body. Raises SyncError."""
    status = response.status_code
    body = None if status == 204 else parse_json(response)
    users = look_up(body, __LIST)
    if tells_error(body, users) or (status == 202 and users is None):
        why = f"it reports an error, see tells_error(){quote_error(api, response)}"
        raise SyncError(f"HTTP {status}, but {why}", "outage")
    if isinstance(users, list):
        places = find_envelopes(body)
        totals = [*list_values(places, __TOTALS), response.headers.get("X-Total-Count")]
        flags = [str(flag).lower() for flag in list_values(places, __MORE_FLAGS)]
        return Page(users, find_total(totals, len(users)), "true" in flags)
    found = f"the fields are {name_fields(api, body)}{quote_error(api, response)}"
    raise SyncError(f"HTTP {status}, but the body holds no list `{__LIST}`; {found}", "no list")


def look_up(body, path: str):
    """What a body holds at a path of names, or None. The exact name wins over other spellings."""
    for name in filter(None, path.split(".")):
        fields = body if isinstance(body, dict) else {}
        spelled = {fold_name(other): value for other, value in fields.items()}
        body = fields.get(name, spelled.get(fold_name(name)))
    return body


def list_values(objects: list, names: str) -> list:
    """What these objects hold in fields of these names, which are as fold_name() makes them."""
    wanted = set(names.split())
    fields = [field for place in objects if isinstance(place, dict) for field in place.items()]
    return [value for name, value in fields if fold_name(name) in wanted]


def find_envelopes(body) -> list:
    """What may hold a total or a flag: the answer, the object with the list, and envelopes."""
    found = [body, look_up(body, __LIST.rpartition(".")[0])]
    for place in found:  # it grows while it is read
        found += list_values([place], __ENVELOPES)
    return found


def find_total(values: list, on_page: int) -> int:
    """The largest of these whole numbers; 0 if none exceeds the page, of which it may be."""
    texts = [str(value).strip() for value in values]
    totals = [int(text) for text in texts if re.fullmatch(r"\d{1,15}", text, re.ASCII)]
    return max((total for total in totals if total > on_page), default=0)


def name_fields(api: Api, fields) -> str:
    """The names of fields, for whoever adapts the connector; but none that may be user data."""
    names = fields if isinstance(fields, dict) else {}
    objects = [set(value) for value in names.values() if isinstance(value, dict)]
    if 1 < len(objects) == len(names) and set.intersection(*objects):
        return "not named, as they may be people"
    found = [f"`{name}`" for name in names if re.fullmatch("[A-Za-z_ ]+", name)]
    return quote_text(api, ", ".join(found[:__MAX_NAMED_FIELDS])) or "not named"


def tells_error(body, users) -> bool:
    """Whether an answer says that it failed. Change this if your API ends its list that way."""
    failures = dict(__FAILURES)
    if users is None and not look_up(body, "success"):
        failures["message detail"] = __ERROR
    return any(
        re.fullmatch(values, text.strip(), re.IGNORECASE | re.DOTALL)
        for names, values in failures.items()
        for value in list_values([body], names)
        for text in list_texts(value)
    )


def list_texts(value) -> list:
    """A field's texts: of an object, which can hold a request id, its code and message, if any."""
    if not isinstance(value, dict):
        return [str(value)]
    return [str(text) for text in list_values([value], "code message") or value.values()]


def parse_json(response: requests.Response):
    """Parse a body. Raises SyncError."""
    text = decode(response)
    with suppress(ValueError, RecursionError):
        content = load_json(text)
        if b"\\ud" in response.content.lower():  # half an emoji, at which the SDK raises
            text = json.dumps(content, ensure_ascii=False)
            content = load_json(re.sub("[\ud800-\udfff]", "\ufffd", text))
        return content
    said = f"HTTP {response.status_code}, but the body is not JSON"
    if text.lstrip()[:1] == "<":
        raise SyncError(f"{said} (a web page, such as a login page)", "web page")
    raise SyncError(f"{said} (or it is cut off)", "outage")


# What Python or the SDK cannot hold stays text: integers beyond 64 bits, `1e999`. NaN is null.
load_json = partial(
    json.loads,
    strict=False,
    parse_int=lambda text: int(text) if len(text) < 20 and abs(int(text)) < 2**63 else text,
    parse_float=lambda text: float(text) if math.isfinite(float(text)) else text,
    parse_constant=lambda name: None,
)


def decode(response: requests.Response) -> str:
    """The text of a body: UTF-8, or the charset that its header names, or UTF-8 in which each byte
    that is none is read as Windows-1252."""
    named = re.search(r"charset=[\"']?([\w-]+)", response.headers.get("Content-Type", ""), re.I)
    for charset in ("utf-8-sig", named[1] if named else "utf-8"):
        with suppress(LookupError, ValueError):
            return response.content.decode(charset)
    return response.content.decode("utf-8-sig", "windows-1252")


def read_windows_1252(error) -> tuple:
    """What the bytes at an error of bytes.decode() mean, and where it goes on."""
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("windows-1252", read_windows_1252)


# --- The Users report ---------------------------------------------------------------------------
# The report is ordered, made ready by the API, and read in pages of CSV. It is of everybody.
# That all pages are cut from one snapshot is said nowhere, so find_doubt() judges them too.
def read_report(sync: Sync) -> Pass:
    """Order the report, wait until it is ready, and deliver its pages. Raises SyncError."""
    address, last = wait_for_report(sync.api, order_report(sync.api))
    current = Pass(asked=0)
    for number in range(1, last + 1):
        name = f"Page {number} of the Users report"
        request = {"url": address, "params": {"page": number}, "headers": {"Accept": "text/csv"}}
        page = make_request_with_retry(sync.api, name, read_csv, **request)
        if not page.count:
            raise SyncError(f"{name} has no users; {__AGAIN_ADVICE}")
        if current.pages and page.fingerprints == current.pages[-1].fingerprints:
            raise SyncError(f"{name} repeats the page before; {__AGAIN_ADVICE}")
        current.pages.append(page)
        current.asked = current.pages[0].count  # as full as pages are but for the last
        deliver_page(sync, page)
        log_progress(sync, current)
    return current


def order_report(api: Api) -> str:
    """Order the report. Returns the number of the task that makes it. Raises SyncError."""
    name = "The order of the Users report"
    url = f"{api.base_url}{__REPORT_PATH}/{__REPORT_NUMBER}"
    order = {"reportId": __REPORT_NUMBER, "selectedFilters": {}, "timezone": "UTC"}
    order = {**order, "paginate": True, **__REPORT_OPTIONS}
    request = {"method": "POST", "url": url, "json": order, "headers": {"Accept": "text/csv"}}
    answer = make_request_with_retry(api, name, read_object, True, **request)
    task = look_up(answer, "taskId")
    if type(task) not in (int, str) or task == "":
        said = quote_text(api, find_message(answer, __REASONS)) or "nothing more"
        raise SyncError(f"{name} has no usable taskId; the API said: {said}; {__AGAIN_ADVICE}")
    return str(task)


def read_object(api: Api, response: requests.Response) -> dict:
    """The JSON object in a body. Its `status` is that of the report, so `error` is no failure of
    the request. Raises SyncError."""
    body = parse_json(response)
    fields = body if isinstance(body, dict) else {}
    others = {name: value for name, value in fields.items() if fold_name(name) != "status"}
    has_failed = str(look_up(fields, "status")).lower() == "error"
    if isinstance(body, dict) and (has_failed or not tells_error(others, users=[])):
        return fields
    said = quote_error(api, response)
    raise SyncError(f"HTTP {response.status_code}, but it reports an error{said}", "outage")


def wait_for_report(api: Api, task: str) -> tuple:
    """Wait until the report is ready. Returns the address of its pages, and how many there are."""
    name = "The status of the Users report"
    url = f"{api.base_url}{__REPORT_PATH}/tasks/{quote(task, safe='')}/status"
    request = {"url": url, "headers": {"Accept": "*/*"}}
    end = time.monotonic() + __REPORT_TIMEOUT_SECONDS
    pauses = iter(__REPORT_PAUSES_SECONDS)
    status = ""
    while status != "completed":
        time.sleep(next(pauses, __REPORT_PAUSES_SECONDS[-1]))
        answer = make_request_with_retry(api, name, read_object, **request)
        said = quote_text(api, str(look_up(answer, "status")))
        log.info(f"{name}: {said}")
        status = said.lower()
        if status == "error":
            reasons = (find_message(answer, "message"), look_up(answer, "errorCode"))
            texts = [str(reason) for reason in reasons if type(reason) in (int, str)]
            said = quote_text(api, ", ".join(texts))
            raise SyncError(f"Awardco could not make the Users report ({said}); {__AGAIN_ADVICE}")
        if status != "completed" and time.monotonic() >= end:
            raise SyncError(f"{name} is still `{status}` after an hour; {__AGAIN_ADVICE}")
    last = look_up(answer, "totalPages")
    if type(last) is not int or last < 1:
        raise SyncError(f"The Users report has no usable totalPages; {__AGAIN_ADVICE}")
    return check_address(api, look_up(answer, "paginatedApiBaseUrl")), last


def check_address(api: Api, address) -> str:
    """The address of the report's pages. The key goes to no other host: raises SyncError."""
    try:
        if not 0 < len(address) <= 2_000:  # requests takes minutes for a megabyte
            raise ValueError
        url = str(requests.Request("GET", urljoin(f"{api.base_url}/", address)).prepare().url)
        origin = find_origin(url)
    except (AttributeError, TypeError, ValueError):
        why = "The Users report has no usable paginatedApiBaseUrl"
        raise SyncError(f"{why}; {__AGAIN_ADVICE}") from None
    trusted = [find_origin(f"https://{host}") for host in __REPORT_HOSTS]
    if "@" in urlsplit(url).netloc or origin not in (find_origin(api.base_url), *trusted):
        host = quote_text(api, origin)
        advice = "ask Awardco; if you trust that host over https, add it to __REPORT_HOSTS"
        raise SyncError(f"The pages of the Users report are elsewhere, at {host}; {advice}")
    return url


def find_origin(url: str) -> str:
    """Scheme, host and port of an address, as requests goes there. Raises ValueError."""
    parts = urlsplit(str(requests.Request("GET", url).prepare().url))
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def read_csv(api: Api, response: requests.Response) -> Page:
    """The users in a page of CSV. Raises SyncError."""
    text = decode(response)
    kind = response.headers.get("Content-Type", "").lower()
    if "html" in kind or "json" in kind or text.lstrip()[:1] in ("{", "<"):
        said = quote_error(api, response) or " (a web page, such as a login page)"
        raise SyncError(f"HTTP {response.status_code}, but the body is not CSV{said}", "web page")
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise SyncError(f"the CSV is broken: {error}", "outage") from None
    names = name_columns(api, lines[0] if lines else [])
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            why = f"line {number} has {len(line)} cells, but there are {len(names)} columns"
            raise SyncError(f"the CSV is broken: {why}", "outage")
    times = Counter(map(fold_name, names))
    columnless = frozenset(name for name in names if times[fold_name(name)] > 1)
    return Page([read_cells(names, line) for line in lines[1:]], columnless=columnless)


def name_columns(api: Api, written: list) -> list:
    """The names of the columns, the declared ones as they are declared. Raises SyncError."""
    declared = {fold_name(name): name for name in (*__COLUMNS, *__REPORT_COLUMNS)}
    declared.update({fold_name(name): column for name, column in __REPORT_NAMES.items()})
    names = [declared.get(fold_name(name), name) for name in written]
    if __KEY not in names:
        is_heading = sum(name in declared.values() for name in names) > 1
        found = name_fields(api, dict.fromkeys(written)) if is_heading else "perhaps cells"
        problem = "no column" if is_heading else "outage"
        raise SyncError(f"no column is the {__KEY} (there are {found})", problem)
    times = Counter(names)
    twice = [name for name, column in zip(written, names, strict=True) if times[column] > 1]
    if twice:
        found = name_fields(api, dict.fromkeys(twice))
        raise SyncError(f"the CSV is broken: a column comes twice ({found})", "outage")
    return names


def read_cells(names: list, cells: list) -> dict:
    """A user of the report. Empty cells are null. Times are written `05/13/2020 4:01:02 PM`."""
    user = {name: cell or None for name, cell in zip(names, cells, strict=True)}
    with suppress(TypeError, ValueError):  # it stays as it is
        created_at = datetime.strptime(user.get("created_at"), "%m/%d/%Y %I:%M:%S %p")
        user["created_at"] = created_at.isoformat()
    return user


# --- Rows ---------------------------------------------------------------------------------------
@lru_cache(maxsize=10_000)
def fold_name(name: str) -> str:
    """A name as it is compared, by its letters and digits: `updatedAt` is `Updated.At`."""
    return re.sub(r"[\W_]+", "", name).lower()


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


def identify(user) -> str | None:
    """The `employeeId` as text, without signs that nobody sees, and `1001.0` as `1001`."""
    value = user.get(__KEY) if isinstance(user, dict) else None
    if type(value) in (int, float):  # no boolean
        value = str(value if value % 1 else int(value))
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = "".join(sign for sign in value if unicodedata.category(sign) not in ("Cc", "Cf"))
    return value.strip() or None


def fingerprint(user) -> int:
    """A hash of the declared fields; others may hold links that are signed anew in each answer."""
    values = tuple(map(user.get, __COLUMNS)) if isinstance(user, dict) else ()
    try:
        return hash(values if any(values) else str(user))
    except TypeError:  # an object or a list
        return hash(str(values))


def read_row(user: dict, key: str, page: Page) -> dict:
    """Turn a user as the API sent it into a row that the SDK can store. `other_fields` holds what
    can have no column, or not as it came. page: where unreadable values are counted."""
    row = {__KEY: key}  # the key first, since of two spellings the SDK keeps the first
    others = {}
    for name, value in user.items():
        if name in __COLUMNS:
            row[name] = key if name == __KEY else read_declared(name, value)
            if row[name] is None and value not in (None, ""):
                page.unreadable[name] += 1
                others[name] = value
        elif name in page.columnless or not is_column_name(name) or is_foreign_number(value):
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
    if __COLUMNS[column] == "NAIVE_DATE":
        return read_iso(value).date().isoformat() if parse_timestamp(value) else None
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
    taken = ("", *map(fold_name, (*__COLUMNS, __OTHER_FIELDS)))
    is_own = bool(re.match(r"[\W_]+fivetran", name, re.IGNORECASE))
    return name.isascii() and name.isprintable() and not is_own and fold_name(name) not in taken


def encode_undeclared(value):
    """The value for a column of inferred type, written so that the inference keeps it exact."""
    if isinstance(value, float):
        return re.sub(r"\A(-?\d+)e", r"\1.0e", repr(value))  # a DOUBLE: floats get 32 bits
    if isinstance(value, str):  # SDK 3.0.0 fails on times with a zone and without seconds
        minute_and_zone = r"(?ai)\A(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)\Z"
        return re.sub(minute_and_zone, r"\1:00\2", value)
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
def find_warnings(sync: Sync, current: Pass, doubt: str) -> Iterator[str]:
    """What is read again needlessly, and what the table does not hold as the API sent it. The most
    important comes first, since Fivetran shows ten warnings a sync."""
    name = sync.api.updated_since_param
    if is_filter_ignored(sync):
        yield f"The API does not know the filter `{name}`: {__FILTER_ADVICE}"
    if sync.filter_refusal:
        yield f"The API refuses the filter `{name}`, so everybody was read: {sync.filter_refusal}"
    empty = find_empty_columns(sync)
    if empty and len(sync.known) >= __MIN_USERS_TO_JUDGE:
        yield f"No user has a value in {empty}: check whether the API has renamed or hides it"
    if without_key := sum(page.keys.count(None) for page in current.pages):
        yield f"{write_count(without_key, 'user')} without a usable {__KEY}, skipped"
    met = current.met
    shared = [times for times in met.values() if times > 1]
    if shared and not doubt and len(met) == len(sync.known):
        rows = write_count(len(shared), "row")
        yield f"{sum(shared)} users share an {__KEY} with another; stored as {rows}"
    unreadable = sum((page.unreadable for page in current.pages), Counter())
    if unreadable:
        values = write_count(unreadable.total(), "unreadable value")
        columns = ", ".join(f"{column}: {times}" for column, times in sorted(unreadable.items()))
        yield f"{values} stored as null ({columns}); see {__OTHER_FIELDS}"


def find_empty_columns(sync: Sync) -> str:
    """The declared columns in which nobody has a value; of a report, the first four."""
    expected = [*__COLUMNS][:4] if sync.api.source == "report" else __COLUMNS
    return ", ".join(column for column in expected if column not in sync.filled)


def is_filter_ignored(sync: Sync) -> bool:
    """Whether at least half of who came are clearly older than the filter. A few can be: the API
    may compare a time that it does not show."""
    since = parse_timestamp(sync.filter)
    if since is None:
        return False
    older = [at for at in sync.known.values() if at > __NEVER and since - at > __CLEARLY_OLDER]
    return bool(older) and 2 * len(older) >= len(sync.known)


def write_count(number: int, noun: str) -> str:
    """`1 user`, `2 users`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def describe_unforeseen(error: Exception) -> str:
    """Name an error and where it arose. An error in this file is not quoted: it may hold users."""
    places = traceback.extract_tb(error.__traceback__)
    path = ", ".join(f"{at.name}() {at.lineno}" for at in places if at.filename == __file__)
    said = "" if places[-1].filename == __file__ else f": {error}"
    advice = "run the sync again, and if it persists, report this line as a bug"
    return f"{type(error).__name__} in connector.py (function and line: {path}){said}; {advice}"


# --- The configuration --------------------------------------------------------------------------
# What a setting must not be, and what to do then. The first pattern that matches counts.
__THIS_MACHINE = r"(localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(:|/|$)"
__TAKEN = "(?i)" + "|".join(map(re.escape, [__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS]))
__HOST = "the address of Awardco's API, such as https://api.awardco.com"
__FAULTS = {
    "api_key": {
        "": "copy the key of your Awardco tenant, or set use_mock to true to try mock mode",
        "fivetran_encrypted:.*": "it is encrypted; run `fivetran debug`, which decrypts it",
        ".*[^!-~].*": "copy it again, without spaces, line breaks or accents",
    },
    "base_url": {
        "": f"set it to {__HOST}",
        f"(?i)http://(?!{__THIS_MACHINE}).*": "http would send the key unencrypted; use https://",
        "(?i)(?!https?://).*": f"begin it with https://, as in {__HOST}",
        r".*[@?#\s\\].*": f"leave out user name, query, blanks and backslashes, as in {__HOST}",
        "(?i)https?:(?!//[^/:]).*": f"it names no host; set it to {__HOST}",
    },
    "source": {"(?i)(?!(users|report)?$).*": "set it to users or report"},
    "updated_since_param": {__TAKEN: "set it to the name of the filter, not of another one"},
    "full_sync_days": {
        "(?!([1-9][0-9]{0,4})?$).*": "set it to a whole number of days from 1, or leave it blank"
    },
    "use_mock": {"(?i)(?!(true|false)?$).*": "set it to true or false"},
}
__MOCK_BASE_URL = "https://mock.awardco.invalid"


def validate_configuration(configuration: dict) -> dict:
    """The settings as texts by name, without what is pasted around them, and with their defaults.
    Raises ConfigurationError, which names the setting and the remedy, and shows no value."""
    settings = {name: get_setting(configuration, name) for name in __FAULTS}
    is_mock = settings["use_mock"].lower() == "true"
    if is_mock:
        settings.update(api_key="mock", base_url=__MOCK_BASE_URL)
    for name, value in settings.items():
        if remedy := find_remedy(name, value):
            said = "cannot be used" if value else "is missing"
            raise ConfigurationError(f"{name} {said}: {remedy}.")
    if is_mock and os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":
        raise ConfigurationError("use_mock is for `fivetran debug` and `fivetran run`: remove it.")
    parent, _, leaf = __PATH.rpartition("/")  # pasted along; not the host of https://api
    url = re.sub(f"(?<!/){parent}(/{leaf})?$", "", settings["base_url"].rstrip("/")).rstrip("/")
    source = "mock" if is_mock else settings["source"].lower() or "users"
    param = settings["updated_since_param"] or __UPDATED_SINCE_PARAM
    return {**settings, "base_url": url, "source": source, "updated_since_param": param}


def find_remedy(name: str, value: str) -> str:
    """What to do about a setting; "" if it can be used."""
    remedies = __FAULTS[name].items()
    found = (remedy for fault, remedy in remedies if re.fullmatch(fault, value, re.A | re.S))
    return next(found, "")


def get_setting(configuration: dict, name: str) -> str:
    """A setting without the blanks and quotes that are pasted around it; "" if it is not set."""
    value = str(configuration.get(name) or "").strip(" \t\r\n\u00a0\"'“”‘’")
    is_placeholder = value.startswith("<") and value.endswith(">")
    return "" if is_placeholder else value


def warn_of_unknown_settings(configuration: dict, *dashboard: Callable):
    """Warn of settings that nothing reads, such as a misspelled one, in the log and elsewhere."""
    known = (*__FAULTS, "host", "hosts")  # Fivetran sets these two where a proxy agent is used
    unknown = [name for name in configuration if name not in known]
    named = [f"`{name}`" for name in unknown if re.fullmatch("[A-Za-z_]{1,40}", name)]
    names = ", ".join(named[:__MAX_NAMED_FIELDS]) or "not named, as they may be secrets"
    advice = "correct the name; on Fivetran, deploy the wrong one once with the value null"
    for warn in (log.warning, *dashboard) if unknown else ():
        warn(f"The connector does not know these settings: {names}; {advice}.")


# --- The setup form -----------------------------------------------------------------------------
def setup_test(find_problem: Callable) -> Callable:
    """Make a setup test of a function that gets the API and returns what is wrong. The test never
    raises: a crash report would show settings unmasked."""

    def test(configuration: dict):
        try:
            settings = validate_configuration(configuration)
            warn_of_unknown_settings(configuration)
            api = open_api(settings, {}, *__SETUP_LIMITS)
            with api.session:
                problem = find_problem(api)
        except (ConfigurationError, SyncError) as error:
            problem = str(error)
        except Exception as error:
            problem = f"The test itself failed ({type(error).__name__}): report it as a bug."
        return Test().failure(problem) if problem else Test().success()

    test.__name__ = find_problem.__name__
    return test


@setup_test
def connection_test(api: Api) -> str | None:
    """The API is reachable and accepts the key. With `report`, it takes an order for one."""
    if api.source == "report":
        order_report(api)
        return None
    return request_page(api, 1, __SMALL_PAGE, None).refusal


@setup_test
def users_test(api: Api) -> str | None:
    """There are users, with the fields that a sync needs."""
    if api.source == "report":
        return None
    page = request_page(api, 1, __SMALL_PAGE, None)
    found = [user for user in page.users if identify(user)]
    if not page.users:
        return page.refusal or f"The API returns no users: {__RIGHTS_ADVICE}."
    if not found:
        return f"The users have no {__KEY} but {name_fields(api, page.users[0])}: {__KEY_ADVICE}."
    if find_times(found) or all(user.get("updated_at", "missing") is None for user in found):
        return None  # nobody has been updated yet
    return (
        "No user has a readable updated_at, so every sync reads everybody: ask Awardco about it."
    )


@setup_test
def filter_test(api: Api) -> str | None:
    """The API takes one of its own times as a filter, returns later changes, and leaves out
    users older than a future time. If it refuses that one, this proves nothing."""
    if api.source == "report":
        return None
    ask = partial(request_page, api, 1, __SMALL_PAGE)
    page = ask(None)
    name = api.updated_since_param
    times = find_times(page.users)
    earlier = [time_of_user for time_of_user in times if time_of_user[0] < times[-1][0]] or times
    since_at, since, _ = earlier[-1] if earlier else (None, None, None)
    later = {key for at, _, key in times if at > since_at}
    answer = ask(since)
    if answer.refusal and not answer.is_nobody:
        return answer.refusal
    # A page as full as the one without a filter may leave the rest to the next page.
    if later.difference(answer.keys) and answer.count < page.count:
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
    form = ConfigurationForm()
    text = form_field.TextField
    said = "With read access to users. In Awardco: Admin, Platform, Integrations, API Settings."
    form.add_field(text("api_key", "API key", text.password, description=said, required=True))
    said = f"The address of the Awardco API, without {__PATH}."
    host = "https://api.awardco.com"
    form.add_field(text("base_url", "Base URL", description=said, required=True, placeholder=host))
    said = f"users: {__PATH}. If your tenant lacks that, report: the Users report."
    options = [form_field.DropdownFieldParam(source) for source in ("users", "report")]
    form.add_field(form_field.DropdownField("source", "Source", fields=options, description=said))
    said = f"For changes since a time; blank: {__UPDATED_SINCE_PARAM}. For the source users."
    form.add_field(text("updated_since_param", "Name of the timestamp filter", description=said))
    said = "Read all users after this many days and mark leavers. Recommended: 7; blank: never."
    form.add_field(text("full_sync_days", "Days between full syncs", description=said))
    form.add_test(label="The API accepts the key", func=connection_test)
    form.add_test(label="The API returns users as expected (source users)", func=users_test)
    form.add_test(label="The timestamp filter works (source users)", func=filter_test)
    return form


# --- Mock mode ----------------------------------------------------------------------------------
def answer_mock(updated_since_param: str, have_left: bool, request, **_) -> requests.Response:
    """What mock mode answers, from mock_data/users.json; if have_left, without its leavers."""
    data = json.loads((Path(__file__).parent / "mock_data/users.json").read_text("utf-8"))
    gone = data["leavers"] if have_left else []
    rows = [user for user in data["users"] if user["employeeId"] not in gone]
    query = dict(parse_qsl(urlsplit(request.url).query))
    since = parse_timestamp(query.get(updated_since_param)) or __NEVER
    found = [user for user in rows if (parse_timestamp(user["updated_at"]) or __NEVER) >= since]
    size = min(int(query[__PER_PAGE_PARAM]), __SMALL_PAGE)
    first = (int(query[__PAGE_PARAM]) - __FIRST_PAGE) * size
    body: list | dict = found[first : first + size]
    for name in reversed(__LIST.split(".") if __LIST else []):
        body = {name: body}
    response = requests.Response()
    response.status_code = 200
    response.request = request
    response.raw = io.BytesIO(json.dumps(body).encode())
    return response


# --- The connector ------------------------------------------------------------------------------
connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":  # `python connector.py`, without Fivetran's command line
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")
    connector.debug(configuration=json.loads(Path("configuration.json").read_text("utf-8")))
