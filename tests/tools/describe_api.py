"""Describe how a tenant's API behaves: to adapt the connector to it, or to report a problem.

    python tests/tools/describe_api.py [configuration.json]

It makes about ten requests with the connector's own functions and prints a line for each finding.
No line holds the key or a value of a user, so all of them can be pasted into an issue. A field is
named only if its name consists of letters and `_`: another may be a value, such as an address.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from fivetran_connector_sdk_cli.configuration_decryption import decrypt_configuration_values

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
connector = import_module("connector")

PROJECT = Path(connector.__file__).parent
LARGE, SMALL = connector.__LARGE_PAGE, connector.__SMALL_PAGE
FIRST_PAGE, KEY = connector.__FIRST_PAGE, connector.__KEY
SMALLEST_CAP, CLEARLY_OLDER = connector.__SMALLEST_CAP, connector.__CLEARLY_OLDER
LIMITS = connector.__SETUP_LIMITS
FAR = 10_000  # a page that no company has
TYPES = {str: "string", bool: "boolean", dict: "object", list: "list", type(None): "null"}


class Reader:
    """Asks for pages as a sync does, and keeps the answers as they came."""

    def __init__(self, api: connector.Api):
        self.api, self.responses, self.largest = api, [], LARGE
        api.session.hooks["response"].append(lambda response, **_: self.responses.append(response))

    def page(self, number: int, size: int, since: str | None = None) -> connector.Answer:
        """A page of users; where there is none, the answer says why. Raises SyncError."""
        try:
            answer = connector.make_request_with_retry(self.api, number, size, since)
        except connector.PageError as error:
            return connector.Answer([], refusal=str(error))
        if answer.refusal and number != 1:  # without the advice for syncs
            said = connector.quote_error(self.responses[-1])
            answer.refusal = f"no list of users, HTTP {self.responses[-1].status_code}{said}"
        return answer

    def body(self):
        """The last answer as it came; None if it is not JSON."""
        with suppress(IndexError, connector.AttemptFailed):
            return connector.parse_json(self.responses[-1])


def describe(reader: Reader) -> Iterator[str]:
    """A line for each finding. Raises SyncError where there is nothing to describe."""
    first = large = reader.page(1, LARGE)
    if large.refusal:
        reader.largest = SMALL
        first = reader.page(1, SMALL)
    body = reader.body()
    yield f"The answer: {list_fields([body]) if isinstance(body, dict) else name_type(body)}"
    if first.refusal:
        for place, rows in find_lists(body):
            yield f"A list of {len(rows)} objects at `{place}`: {list_fields(rows)}"
        raise connector.SyncError(first.refusal)
    raw = connector.find_list(body)
    if first.users:
        second = reader.page(2, max(len(first.users), SMALLEST_CAP))
        raw = raw + (connector.find_list(reader.body()) if second.users else [])
        yield from describe_fields(raw, connector.Answer(raw))
        yield from describe_pages(reader, first, second, large.refusal)
        yield from describe_order(first, second)
        yield from describe_filter(reader, first)
    else:
        yield "Page 1 holds no users"
    before, past = reader.page(0, SMALL), reader.page(FAR, SMALL)
    is_first = before.users and before.people.isdisjoint(first.people)
    hint = "; so pages are counted from another number" if is_first else ""
    yield f"Page {FIRST_PAGE - 1}, compared with page {FIRST_PAGE}: {compare(before, first)}{hint}"
    yield f"Page {FAR:,}, compared with page {FIRST_PAGE}: {compare(past, first)}"
    yield f"Headers about limits: {list_limits(reader.responses)}"


def describe_fields(raw: list, read: connector.Answer) -> Iterator[str]:
    """The fields of the users as they came, and as the connector reads them."""
    yield f"Fields of {len(raw)} users: {list_fields(raw)}"
    columns = connector.schema({})[0]["columns"]
    names = tuple({name: 0 for user in raw if isinstance(user, dict) for name in user})
    others = connector.find_spellings(names)
    spelled = [f"`{name}` for {column}" for name, column in others.items()]
    yield f"Declared fields in another spelling: {', '.join(spelled) or 'none'}"
    missing = [column for column in columns if column not in {*names, *others.values()}]
    yield f"Declared fields that are missing: {', '.join(missing) or 'none'}"
    unusable = sum(not isinstance(key, str) for key in read.keys)
    shared = sum(times for times in Counter(read.keys).values() if times > 1)
    yield f"Users without a usable {KEY}: {unusable}; that share one with another: {shared}"
    for column in [name for name, kind in columns.items() if kind == "UTC_DATETIME"]:
        yield f"Times in {column}: {describe_times([get(user, column) for user in read.users])}"


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


def describe_times(values: list) -> str:
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
    return ", ".join(f"{number} {how}" for how, number in written.most_common(5))


def is_shown(name: str) -> bool:
    return connector.name_fields({name: 0}) == f"`{name}`"


def name_type(value) -> str:
    return TYPES.get(type(value), "number")


def get(user, column: str):
    return user.get(column) if isinstance(user, dict) else None


def describe_pages(reader: Reader, first, second, refusal: str) -> Iterator[str]:
    """Sizes, total, and whether pages hold what they held before."""
    small, size = reader.page(1, SMALL), len(first.users)
    yield f"Page 1 of {LARGE:,}: {refusal or f'{size} users'}"
    yield f"Page 1 of {SMALL}: {len(small.users)} users"
    yield f"Total that the API reports: {first.total or 'none that is larger than a page'}"
    yield f"Page 1, asked for again: {compare(reader.page(1, SMALL), small)}"
    is_shifted = size > 2 and len(first.people & second.people) == size - 1
    hint = "; so the parameter counts users, not pages" if is_shifted else ""
    yield f"Page 2, compared with page 1: {compare(second, first)}{hint}"
    if second.users and size < reader.largest:
        other = compare(reader.page(2, reader.largest), second)
        yield f"Page 2 of {reader.largest:,}, compared with page 2 of {size}: {other}"


def compare(answer: connector.Answer, other: connector.Answer) -> str:
    if answer.refusal or not answer.users:
        return answer.refusal or "no users"
    if answer.keys == other.keys:
        return "the same users in the same order"
    return f"{len(answer.users)} users, {len(answer.people & other.people)} of them the same"


def describe_order(first: connector.Answer, second: connector.Answer) -> Iterator[str]:
    """By which field pages 1 and 2 are in order, and whether that decides who is on which."""
    users, keys = [*first.users, *second.users], [*first.keys, *second.keys]
    times = [connector.parse_timestamp(get(user, "updated_at")) for user in users]
    yield f"Order by updated_at: {name_order([time for time in times if time])}"
    texts = [key for key in keys if isinstance(key, str)]
    is_number = all(text.isdecimal() for text in texts)
    yield f"Order by {KEY}: {name_order(list(map(int, texts)) if is_number else texts)}"
    borders = {*range(SMALL, len(users), SMALL), len(first.users)} - {len(users)}
    tied = sum(times[at] is not None and times[at - 1] == times[at] for at in borders)
    yield f"Borders between pages at which updated_at is the same: {tied} of {len(borders)}"


def name_order(values: list) -> str:
    if len(set(values)) < 2:
        return "cannot be told"
    orders = {"ascending": sorted(values), "descending": sorted(values, reverse=True)}
    return next((name for name, ordered in orders.items() if ordered == values), "none")


def describe_filter(reader: Reader, first: connector.Answer) -> Iterator[str]:
    """Ask for changes since the second newest time on page 1, and since a future time, as the
    setup test does."""
    name = f"The filter `{reader.api.updated_since_param}`"
    times = connector.find_times(first.users)
    if not times:
        yield f"{name}: cannot be tried, since no user has a readable updated_at"
        return
    since_at, since, _ = ([time for time in times if time[0] < times[-1][0]] or times)[-1]
    answer = reader.page(1, reader.largest, since)
    if answer.refusal:
        yield f"{name}: {answer.refusal}"
        return
    found = connector.find_times(answer.users)
    older = sum(at < since_at for at, *_ in found)
    ignored = "; so it is not known, or compares dates alone" if older else ""
    yield f"{name}: {len(answer.users)} users pass, {older} of them are older{ignored}"
    is_full = len(answer.users) >= len(first.users)
    equal = {key for at, _, key in times if at == since_at}
    later = {key for at, _, key in times if at > since_at}
    yield f"{name}, users with its own time: {tell(equal, answer, is_full)}"
    yield f"{name}, users who changed later: {tell(later, answer, is_full)}"
    yield f"{name}, users without a time: {len(answer.users) - len(found)} kept"
    to_come = f"{(reader.api.answered_at + CLEARLY_OLDER).date()}{since[10:]}"
    yield f"{name}, of a future time: {compare(reader.page(1, reader.largest, to_come), first)}"


def tell(people: set, answer: connector.Answer, is_full: bool) -> str:
    """Whether an answer holds these users; who is not on a full page may be on the next one."""
    if people <= answer.people:
        return "kept" if people else "cannot be told"
    return "cannot be told" if is_full else "left out"


def list_limits(responses: list) -> str:
    """The headers about rate limits, with their last values where these are numbers."""
    headers = {name: value for response in responses for name, value in response.headers.items()}
    shown = {
        name: f" {value}" if re.fullmatch(r"[\d.]{1,12}", value) else ""
        for name, value in headers.items()
        if re.fullmatch(r"[\w-]*(rate-?limit|retry-after|quota)[\w-]*", name, re.IGNORECASE)
    }
    return ", ".join(f"`{name}`{value}" for name, value in shown.items()) or "none"


def main(path: Path):
    os.environ.setdefault("FIVETRAN_DEPLOYMENT_MODEL", "local_debug")  # mock mode works too
    connector.log.LOG_LEVEL = connector.log.Level.SEVERE  # a retry needs no line
    try:
        settings = decrypt_configuration_values(json.loads(path.read_text(encoding="utf-8")))
        api = connector.open_api(connector.validate_configuration(settings), *LIMITS)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    reader = Reader(api)
    try:
        with api.session:
            for line in describe(reader):
                print(line)
    except connector.SyncError as error:
        sys.exit(str(error))
    except Exception as error:
        sys.exit(f"{type(error).__name__} in line {error.__traceback__.tb_next.tb_lineno}")
    print(f"Requests: {len(reader.responses)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "configuration.json")
