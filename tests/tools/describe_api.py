"""Describe how a tenant's API behaves: to adapt the connector to it, or to report a problem.

    python tests/tools/describe_api.py [configuration.json]

It makes about ten requests with the connector's own functions. A line begins with `ok`, or with
`to do`: then it ends with what to change, and the heading in CONTRIBUTING.md that shows how. With
the setting `source: report`, or if the API has no method for users, it orders the Users report and
shows the names of its columns.

No line holds the key or a value of a user, so all of them can be pasted into an issue. A field is
named only if its name has no digits and few signs: another may be a value, such as an address.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from fivetran_connector_sdk_cli.configuration_decryption import decrypt_configuration_values

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
connector = import_module("connector")

PROJECT = Path(connector.__file__).parent
LARGE, SMALL = connector.__LARGE_PAGE, connector.__SMALL_PAGE
FIRST_PAGE, KEY = connector.__FIRST_PAGE, connector.__KEY
FAR = 10_000  # a page that no company has
NO_LIST = "no list of users"
write_users = partial(connector.write_count, noun="user")
TYPES = {str: "string", bool: "boolean", dict: "object", list: "list", type(None): "null"}


class Reader:
    """Asks for pages as a sync does, and keeps the answers as they came."""

    def __init__(self, api: connector.Api):
        self.api, self.responses = api, []
        api.session.hooks["response"].append(lambda response, **_: self.responses.append(response))

    def page(self, number: int, size: int, since: str | None = None) -> connector.Page:
        """A page of users; where there is none, it says why."""
        try:
            page = connector.request_page(self.api, number, size, since)
        except connector.SyncError as error:
            return connector.Page([], refusal=str(error))
        if page.refusal and number != 1:  # without the advice for syncs
            said = connector.quote_error(self.api, self.responses[-1])
            page.refusal = f"{NO_LIST}, HTTP {self.responses[-1].status_code}{said}"
        return page

    def body(self):
        """The last answer as it came; None if it is not JSON."""
        with suppress(ValueError):
            return json.loads(self.responses[-1].content)


def describe(reader: Reader) -> Iterator[tuple]:
    """Findings, each with what to change, or "". Raises SyncError if nothing can be described."""
    if reader.api.source == "report":
        yield from describe_report(reader)
        return
    large = first = reader.page(1, LARGE)
    if not reader.responses:  # nothing has answered
        raise connector.SyncError(first.refusal)
    if reader.responses[-1].status_code == 404:
        yield "The method for users: HTTP 404", "set source to report, or change __PATH"
        reader.api.source = "report"  # for the advice in messages
        yield from describe_report(reader)
        return
    if large.refusal:
        first = reader.page(1, SMALL)
    body = reader.body()
    yield f"The answer: {list_fields([body]) if isinstance(body, dict) else name_type(body)}", ""
    if first.refusal:
        for place, rows in find_lists(body):
            change = f"set __LIST to `{place}`" if place else 'set __LIST to ""'
            yield f"A list of {len(rows)} objects at `{place}`: {list_fields(rows)}", change
        raise connector.SyncError(first.refusal)
    if first.users:
        second = reader.page(2, max(first.count, connector.__SMALLEST_CAP))
        yield from describe_fields(first.users + second.users, first.keys + second.keys)
        yield from describe_pages(reader, first, second, large.refusal)
        yield from describe_filter(reader, first, SMALL if large.refusal else LARGE)
    else:
        yield "Page 1: no users", "check that the key may see all users of your tenant"
    yield from describe_ends(reader, first)


def describe_fields(rows: list, keys: list) -> Iterator[tuple]:
    """The fields of the users, the declared ones under their declared names."""
    yield f"Fields of {len(rows)} users: {list_fields(rows)}", ""
    columns = connector.schema({})[0]["columns"]
    users = [row for row in rows if isinstance(row, dict)]
    names = set().union(*users)
    missing = [column for column in columns if column not in names]
    change = "if they have other names, add these to find_spellings()" if missing else ""
    yield f"Declared fields that are missing: {', '.join(missing) or 'none'}", change
    yield describe_keys(keys)
    for column in [name for name, kind in columns.items() if kind == "UTC_DATETIME"]:
        yield describe_times(column, [user.get(column) for user in users])


def describe_keys(keys: list) -> tuple:
    """Whether each user has a key of his or her own."""
    unusable = keys.count(None)
    shared = sum(times for key, times in Counter(keys).items() if key and times > 1)
    finding = f"Users without a usable {KEY}: {unusable}; that share one with another: {shared}"
    if unusable == len(keys):
        return finding, f"add its name to find_spellings(), as the {KEY}"
    change = "ask Awardco: they are skipped, or share a row"
    return finding, change if unusable or shared else ""


def list_fields(rows: list) -> str:
    """The names of fields with their JSON types."""
    objects = [row for row in rows if isinstance(row, dict)]
    types: dict = {}
    for row in objects:
        for name, value in row.items():
            types.setdefault(name, Counter())[name_type(value)] += 1
    for found in types.values():
        if found.total() < len(objects):
            found["missing"] += 1
    shown = [f"`{name}` {' or '.join(types[name])}" for name in types if is_shown(name)]
    hidden = len(types) - len(shown)
    return ", ".join(shown + [f"{hidden} more, whose names are not shown"] * bool(hidden))


def find_lists(body, place: str = "") -> Iterator[tuple]:
    """The lists of objects in an answer, each after its place, such as `data.items`."""
    if isinstance(body, list) and any(isinstance(row, dict) for row in body):
        yield place, body
    if isinstance(body, dict):
        for name in filter(is_shown, body):
            yield from find_lists(body[name], f"{place}.{name}".lstrip("."))


def describe_times(column: str, values: list) -> tuple:
    """How times are written: `9` is any digit; in what is unreadable, `a` is any letter."""
    written: Counter = Counter()
    for value in values:
        if value is None:
            written["without a value"] += 1
        elif connector.parse_timestamp(value):
            zone = "with a zone" if connector.read_iso(value).tzinfo else "without a zone"
            written[f"`{re.sub('[0-9]', '9', value.strip())}` {zone}"] += 1
        else:
            masked = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", str(value)))
            written[f"`{masked[:30]}` (unreadable)"] += 1
    found = ", ".join(f"{number} {how}" for how, number in written.most_common(5))
    change = "read this notation in read_iso()" if "(unreadable)" in "".join(written) else ""
    return f"Times in {column}: {found}", change


def is_shown(name: str) -> bool:
    return bool(re.fullmatch("[A-Za-z_ :]+", name))


def name_type(value) -> str:
    return TYPES.get(type(value), "number")


def describe_pages(reader: Reader, first, second, refusal: str) -> Iterator[tuple]:
    """Sizes, total, and whether pages hold what they held before."""
    small, size = reader.page(1, SMALL), first.count
    change = f"set __LARGE_PAGE to {SMALL}, or each sync tries in vain" if refusal else ""
    yield f"Page 1 of {LARGE:,}: {refusal or write_users(size)}", change
    is_fixed = small.count > SMALL or (small.count == size < SMALL and second.count)
    change = "check __PER_PAGE_PARAM: the API may ignore it" if is_fixed else ""
    yield f"Page 1 of {SMALL}: {write_users(small.count)}", change
    yield f"Total that the API reports: {first.total or 'none'}", ""
    yield f"Page 1, asked for again: {compare(reader.page(1, SMALL), small)}", ""
    shared = len(set(first.keys) & set(second.keys))
    change = ""
    if size > 2 and shared == size - 1:
        change = "the parameter counts users, not pages: change request_page()"
    elif second.users and first.fingerprints == second.fingerprints:
        change = "the API may ignore the parameter: check __PAGE_PARAM"
    yield f"Page 2, compared with page 1: {compare(second, first)}", change


def compare(page: connector.Page, other: connector.Page) -> str:
    if page.refusal or not page.users:
        return page.refusal or "no users"
    if page.keys == other.keys:
        return "the same users in the same order"
    return f"{write_users(page.count)}, {len(set(page.keys) & set(other.keys))} of them the same"


def describe_filter(reader: Reader, first: connector.Page, size: int) -> Iterator[tuple]:
    """Ask for changes since the second newest time on page 1, and since a future time, as the
    setup test does."""
    name = f"The filter `{reader.api.updated_since_param}`"
    times = connector.find_times(first.users)
    if not times:
        why = "no user has a readable updated_at, so every sync reads everybody"
        yield f"{name}: cannot be tried", f"ask Awardco: {why}"
        return
    since_at, since, _ = ([time for time in times if time[0] < times[-1][0]] or times)[-1]
    page = reader.page(1, size, since)
    correct = "set updated_since_param in configuration.json to the name that your API uses"
    if page.refusal and not page.is_nobody:
        yield f"{name}: {page.refusal}", correct
        return
    older = sum(at < since_at for at, *_ in connector.find_times(page.users))
    yield f"{name}: {page.count} users pass, {older} of them are older", correct if older else ""
    # Who is not on a full page may be on the next one.
    later = {key for at, _, key in times if at > since_at}
    lost = later.difference(page.keys) if page.count < first.count else ()
    change = "raise __CURSOR_MARGIN to a day, as the API may compare in another zone"
    yield f"{name}, users who changed later: {len(lost)} left out", change if lost else ""
    to_come = f"{(reader.api.answered_at + connector.__CLEARLY_OLDER).date()}{since[10:]}"
    page = reader.page(1, size, to_come)
    yield f"{name}, of a future time: {compare(page, first)}", correct if page.users else ""


def describe_ends(reader: Reader, first: connector.Page) -> Iterator[tuple]:
    """What comes before page 1 and after the last page."""
    before, past = reader.page(0, SMALL), reader.page(FAR, SMALL)
    is_first = before.users and set(before.keys).isdisjoint(first.keys)
    change = f"set __FIRST_PAGE to {FIRST_PAGE - 1}" if is_first else ""
    compared = f"compared with page {FIRST_PAGE}"
    yield f"Page {FIRST_PAGE - 1}, {compared}: {compare(before, first)}", change
    is_error = past.refusal and not past.refusal.startswith(NO_LIST)
    change = "if it means the end, change __REFUSALS or __FAILURES" if is_error else ""
    yield f"Page {FAR:,}, {compared}: {compare(past, first)}", change


def describe_report(reader: Reader) -> Iterator[tuple]:
    """Order the Users report, wait for it as a sync does, and read its first page."""
    task = connector.order_report(reader.api)
    yield "The order of the Users report: taken; wait until the report is ready", ""
    started = time.monotonic()
    address, last = connector.wait_for_report(reader.api, task)
    seconds = time.monotonic() - started
    asked = {"url": address, "params": {"page": 1}, "headers": {"Accept": "text/csv"}}
    read, name = connector.read_csv, "Page 1 of the Users report"
    page = connector.make_request_with_retry(reader.api, name, read, **asked)
    pages = f"{connector.write_count(last, 'page')} after {seconds:.1f} s"
    yield f"The Users report: {pages}, {write_users(page.count)} on page 1", ""
    yield f"Its columns: {list_fields(page.users)}", ""
    names = set().union(*page.users)
    declared = [*connector.schema({})[0]["columns"]][:4]  # no report has the others
    missing = [column for column in declared if column not in names]
    change = "choose them in __REPORT_OPTIONS, or add their names to __REPORT_NAMES"
    found = ", ".join(missing) or "none"
    yield f"Declared columns that are missing: {found}", change if missing else ""
    yield describe_keys(page.keys)
    if "created_at" in names:
        yield describe_times("created_at", [user["created_at"] for user in page.users])


def add_recipes(change: str) -> str:
    """What to change, and where CONTRIBUTING.md names that first."""
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Adapt it")[2]
    sections = re.split("\n##+ ", page)[1:]
    named = re.findall(r"__[A-Z_]+|[a-z_]+\(\)", change)
    found = [next(filter(lambda section: name in section, sections), "") for name in named]
    headings = dict.fromkeys(f'"{section.partition(chr(10))[0]}"' for section in found if section)
    return f"{change}; see {' and '.join(headings)} in CONTRIBUTING.md" if headings else change


def main(path: Path):
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")  # mock mode works too
    connector.log.LOG_LEVEL = connector.log.Level.SEVERE  # a retry needs no line
    try:
        settings = decrypt_configuration_values(json.loads(path.read_text(encoding="utf-8")))
        settings = connector.validate_configuration(settings)
        api = connector.open_api(settings, {}, *connector.__SETUP_LIMITS)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    reader = Reader(api)
    try:
        with api.session:
            for finding, change in describe(reader):
                advice = f" - {add_recipes(change)}" if change else ""
                print(f"{'to do' if change else 'ok':7}{finding}{advice}", flush=True)
        print(f"{'ok':7}Requests: {len(reader.responses)}", flush=True)
    except BrokenPipeError:  # `| head`: what is left at the exit has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except connector.SyncError as error:
        other_header = ", or change __KEY_HEADER" * ("HTTP 401" in str(error))
        sys.exit(add_recipes(f"{error}{other_header}"))
    except Exception as error:
        sys.exit(f"{type(error).__name__} in line {error.__traceback__.tb_next.tb_lineno}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "configuration.json")
