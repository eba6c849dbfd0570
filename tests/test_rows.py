"""Whatever JSON can hold in a field: the sync goes on, every user lands, and values stay exact."""

import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import KEY, NOON, FakeAwardco, Fault, listing, listing_text, text, user, users
from harness import Memory, Project, utc

CONFIGURED = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],  # to shrink a failure by syncs takes minutes
}
TWO_DAYS_AGO = NOON - timedelta(days=2)
NAN = float("nan")


def sync_users(project, api, found, state=None):
    """A sync in which page 1 holds these, whatever they are."""
    body = listing_text(found).encode() if isinstance(found, str) else listing(found)
    api.faults = [Fault(page=1, status=200, body=body)]
    outcome = project.sync(api, state=state)
    assert not outcome.failed, outcome.log
    return outcome


def land(project, api, **fields):
    """The row of a user with these fields."""
    found = [{**user(1, TWO_DAYS_AGO), **fields}]
    return next(iter(sync_users(project, api, found).rows.values()))


def land_each(project, api, name, column, values):
    """What lands of each value in a declared column: a user for each, in one sync."""
    found = [{**user(n, TWO_DAYS_AGO), name: value} for n, value in enumerate(values)]
    rows = sync_users(project, api, found).rows
    return [rows[row["employeeId"]][column] for row in found]


def land_in_columns(project, api, values):
    """The row of a user with each value in an undeclared column of its own, and what has none."""
    fields = {f"x{chr(97 + n)}": value for n, value in enumerate(values)}
    row = land(project, api, **fields)
    return [row.get(name) for name in fields], json.loads(row.get("other_fields") or "{}")


# --- users


def test_users_without_an_identifier_are_skipped_counted_and_reported_once(project, api):
    unusable = [{"employeeId": value} for value in (None, "", " \t", {"id": 1}, [1], True, False)]
    unusable += [{"employeeId": NAN, "firstName": "A"}, {"employeeId": NAN, "firstName": "B"}]
    unusable += [{}, None, "E00001", 17, ["E00001"]]
    outcome = sync_users(project, api, [*unusable, user(1, TWO_DAYS_AGO), user(2), unusable[0]])
    assert sorted(outcome.rows) == ["E00001", "E00002"]
    told = outcome.log_lines("15 users without a usable employeeId, skipped")
    assert len(told) == 2  # in the log, and as the warning that the dashboard shows


def test_a_skipped_user_does_not_move_the_cursor(project, api):
    newest = {**user(2, NOON - timedelta(hours=2)), "employeeId": None}
    outcome = sync_users(project, api, [user(1, TWO_DAYS_AGO), newest])
    assert outcome.cursor == text(TWO_DAYS_AGO)


def test_an_identifier_is_kept_as_it_is(project, api):
    identifiers = {
        "00042": "00042",
        "T": "T",
        "1001.0": "1001.0",
        "2026-01-01": "2026-01-01",
        "N/A": "N/A",
        "ß😀": "ß😀",
        42: "42",
        0: "0",
        1.5: "1.5",
        10**30: str(10**30),
    }
    found = [{"employeeId": identifier} for identifier in identifiers]
    assert sorted(sync_users(project, api, found).rows) == sorted(identifiers.values())


UNSEEN = "\u200b\ufeff\u00ad\u200e\u202e\u2060\x00\x1f\x7f\x9f\U000e0041"


def test_what_nobody_sees_in_an_identifier_makes_no_second_person(project, api):
    """Sheets and web pages leave such signs; blanks count at the ends only."""
    sync_users(project, api, [user(n, TWO_DAYS_AGO, employeeId=f"E {n}") for n in range(30)])
    found = [user(n, employeeId=f"{sign}E{sign} {n}{sign}") for n, sign in enumerate(UNSEEN)]
    found += [user(20, employeeId=" E 20\u00a0"), user(21, employeeId="\u3000E 21\t")]
    rows = sync_users(project, api, found).rows
    assert sorted(rows) == sorted(f"E {n}" for n in range(30))
    assert sync_users(project, api, [user(1, employeeId=UNSEEN)]).rows.keys() == rows.keys()


def test_an_identifier_with_a_point_one_day_is_the_same_user(project, api):
    """A spreadsheet upload makes floats of the identifiers: 1001.0 is 1001."""
    found = [{**user(n, TWO_DAYS_AGO), "employeeId": 1000 + n} for n in range(30)]
    sync_users(project, api, found)
    found = [{**row, "employeeId": float(row["employeeId"]), "balance": 0.5} for row in found]
    rows = sync_users(project, api, found).rows
    assert sorted(rows) == [str(1000 + n) for n in range(30)]
    assert {row["balance"] for row in rows.values()} == {0.5}


@pytest.mark.parametrize("state", [{}, {"last_sync_time": text(NOON - timedelta(days=90))}])
def test_a_first_page_without_any_identifier_is_an_error_before_anything_is_stored(
    project, api, state
):
    api.users, api.page_cap, api.order = users(120), 20, "storage"
    for row in api.users[:20]:
        row["id"] = row.pop("employeeId")
    outcome = project.sync(api, state=state)
    assert outcome.failed and "No user has a usable employeeId; the users have " in outcome.log
    assert outcome.rows == {} and "last_sync_time" not in outcome.state


def test_a_first_page_of_few_users_without_an_identifier_proves_nothing(project, api):
    api.users, api.page_cap, api.order = users(50), 19, "storage"
    for row in api.users[:19]:
        del row["employeeId"]
    outcome = project.sync(api)
    assert len(outcome.rows) == 31
    assert outcome.log_lines("19 users without a usable employeeId")


def test_guests_without_an_identifier_on_a_later_page_are_counted(project, api):
    """They may fill it."""
    for guests in (60, 100):
        api.users, api.page_cap, api.order = users(250), 100, "storage"
        for row in api.users[100 : 100 + guests]:
            row["employeeId"] = None
        outcome = project.sync(api, state={})
        assert not outcome.failed and outcome.log_lines(f"{guests} users without a usable")
        assert outcome.log_lines(f"Synced {250 - guests} users")


# --- declared columns


def test_a_balance_is_a_number_of_64_bits(project, api):
    balances = {16777217.25: 16777217.25, 0.1: 0.1, 7: 7.0, "12.50": 12.5, " 3 ": 3.0, None: None}
    balances |= {-1e300: -1e300, "1e3": 1000.0, 10**30: 1e30, "": None, 0: 0.0}
    landed = land_each(project, api, "balance", "balance", balances)
    assert landed == list(balances.values())


@pytest.mark.parametrize("column", ["balance", "updated_at", "created_at"])
def test_what_cannot_be_read_is_null_counted_and_kept_as_it_came(project, api, column):
    unreadable = ["1,250 points", "lots", True, {"amount": 5}, [], "inf", "1e999", "NaN", " "]
    found = [{**user(n, TWO_DAYS_AGO), column: value} for n, value in enumerate(unreadable)]
    outcome = sync_users(project, api, found)
    rows = [outcome.rows[row["employeeId"]] for row in found]
    assert [row[column] for row in rows] == [None] * len(unreadable)
    kept = [json.loads(row["other_fields"]) for row in rows]
    assert kept == [{column: value} for value in unreadable]
    told = outcome.log_lines(f"9 unreadable values stored as null ({column}: 9); see other_fields")
    assert len(told) == 2


def test_numbers_that_no_double_can_hold_are_kept_aside_or_null(project, api):
    found = '[{"employeeId": "1", "balance": 1e999}, {"employeeId": "2", "balance": NaN}]'
    outcome = sync_users(project, api, found)
    assert outcome.rows["1"]["balance"] is None and outcome.rows["2"]["balance"] is None
    assert json.loads(outcome.rows["1"]["other_fields"]) == {"balance": "1e999"}
    assert outcome.log_lines("1 unreadable value stored as null (balance: 1)")  # null is readable


def test_text_stays_text(project, api):
    texts = ["T", "true", "00042", "NaN", "", "٣", "1e5", "2026-01-01", "a\r\nb", '"', "\x01"]
    texts += ["👩‍🚀", "Null", "N/A", "O'Brien", "김민준", "محمد", "X Æ A-12", "𠮷野家"]
    values = {**{value: value for value in texts}, None: None, 7: "7", 1.5: "1.5"}
    landed = land_each(project, api, "firstName", "first_name", [*values, True])
    assert landed == [*values.values(), "true"]


def test_an_object_where_a_text_belongs_is_null_counted_and_kept(project, api):
    outcome = sync_users(project, api, [user(1, email={"work": "é"}, lastName=["A"])])
    row = outcome.rows["E00001"]
    assert row["email"] is None and row["last_name"] is None
    assert json.loads(row["other_fields"]) == {"email": {"work": "é"}, "lastName": ["A"]}
    assert outcome.log_lines("2 unreadable values stored as null (email: 1, lastName: 1)")


def test_times_are_stored_as_instants(project, api):
    row = land(project, api, created_at="2020-01-01 10:00:00.123456789+0200")
    assert row["created_at"].isoformat() == "2020-01-01T08:00:00.123456+00:00"


# --- other columns


def test_undeclared_values_are_exact(project, api):
    values = {16777217.25: 16777217.25, 1e300: 1e300, 5e-324: 0.0, 1e22: 1e22, 2**62: 2**62}
    values |= {-(2**63): -(2**63), 2**63: str(2**63), 10**400: str(10**400), "Ω": "Ω"}
    values |= {"a" * 1_000_000: "a" * 1_000_000, "01234": "01234", "+49123": "+49123"}
    landed, kept = land_in_columns(project, api, values)
    assert landed == list(values.values()) and kept == {}
    assert land_in_columns(project, api, [True, [1, {"a": None}], NAN])[0] == [
        True,
        '[1, {"a": null}]',
        None,
    ]


def test_a_time_without_seconds_is_the_time_it_means(project, api):
    """Java writes a full minute so. The SDK takes it for a time, and then fails the sync."""
    texts = ["2024-05-06T07:08Z", "2024-05-06T07:08-02:00", "2024-05-06t07:08Z"]
    landed, _ = land_in_columns(project, api, texts)
    assert landed == [utc(f"2024-05-06T{hour:02}:08:00Z") for hour in (7, 9, 7)]


def test_a_time_in_the_middle_of_a_text_is_left_alone(project, api):
    notes = ["since 2024-05-06T07:08Z", "2024-05-06T07:08Z to 2024-05-07T07:08Z"]
    assert land_in_columns(project, api, notes) == (notes, {})


def test_text_that_the_sdk_takes_for_a_number_it_cannot_read_is_kept_aside(project, api):
    texts = ["٣", "٢٠٢٤-٠١-٠١", "１２", "٣T"]
    landed, kept = land_in_columns(project, api, texts)
    assert landed == [None] * 4 and list(kept.values()) == texts


def test_nested_values_are_json(project, api):
    value = {"a": [1, 2.5, None, "\x00"], "b": {"": "😀"}, "ids": [2**60, 2**63 - 1]}
    assert json.loads(land(project, api, extra=value)["extra"]) == value


def test_half_an_emoji_is_replaced_wherever_it_stands(project, api):
    half = "x\ud83d"
    fields = {"email": half, "extra": half, "nested": {half: [half]}, half: "kept"}
    row = land(project, api, employeeId=half, **fields)
    assert row["employee_id"] == row["email"] == row["extra"] == "x\ufffd"
    assert json.loads(row["nested"]) == {"x\ufffd": ["x\ufffd"]}
    assert json.loads(row["other_fields"]) == {"x\ufffd": "kept"}


def test_control_characters_end_nothing(project, api):
    fields = '"nickname": "a\x01b", "email": "a\tb\n", "x": "\\u0000y"'
    row = sync_users(project, api, '[{"employeeId": "1", ' + fields + "}]").rows["1"]
    assert (row["nickname"], row["email"], row["x"]) == ("a\x01b", "a\tb\n", "y")


def test_fields_whose_names_can_be_no_column_are_kept_aside(project, api):
    """Of names in other scripts Fivetran leaves `_`, the same for all of them."""
    names = ["", "€", "---", "部署", "Größe", "_fivetran_deleted", "_fivetranSynced"]
    names += ["_Fivetran_Synced", " _FIVETRAN_ID", "other_fields", "OtherFields", "other-fields"]
    row = land(project, api, **{name: f"value of {name}" for name in names})
    assert json.loads(row["other_fields"]) == {name: f"value of {name}" for name in names}


def test_a_column_may_hold_another_kind_of_value_in_every_row(project, api):
    values = [1, "T", 2.5, {"a": 1}, [2], None, "2024-01-01", True, "2024-01-01T00:00Z", 10**30]
    for found in (values, values[::-1]):
        rows = sync_users(project, api, [user(n, extra=v) for n, v in enumerate(found)]).rows
        assert len(rows) == len(values)


# --- anything


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**17, max_value=10**22),
        st.floats(),
        st.text(st.characters(exclude_categories=())),
        st.from_regex(r"\A[-+]?[0-9.:TtZ -]{1,20}\Z"),
        st.from_regex(r"\A20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-9:.]{2,12}[-+Zz0-9:]{0,6}\Z"),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.one_of(
    st.sampled_from(list(connector.schema({})[0]["columns"])),
    st.sampled_from(["extra", "Extra", "EXTRA", "other_fields", "first_name", "a b", "A_B"]),
    st.text(st.characters(exclude_categories=()), max_size=6),
)
ODD = ["T", "00042", "٣", "2024-01-01T10:00Z", "2024-01-01t10:00+99:99", "NaN", "1e5", "-"]
ODD += ["x\ud800", {"\udfff": ["\ud83d"]}, "a\x00b", 2**63, -(10**40), 1e300, NAN]
FIELDS = st.dictionaries(NAMES, st.sampled_from(ODD) | JSON, min_size=2, max_size=8)
USERS = st.lists(  # many, since a sync costs the same for one as for all; too few to end one
    st.one_of(
        st.builds(lambda key, fields: {"employeeId": key, **fields}, st.integers(0, 99), FIELDS),
        FIELDS,
        JSON,
    ),
    min_size=8,
    max_size=19,
)


@settings(max_examples=6, **CONFIGURED)
@given(first=USERS, second=USERS)
def test_any_json_in_any_field_lands_every_user_with_an_identifier(capsys, first, second):
    """Two syncs into one table, so that its columns also have to take what comes later."""
    with TemporaryDirectory() as folder, FakeAwardco() as api:
        for found in (first, second):
            rows = sync_users(Project(Path(folder), capsys), api, found, state={}).rows
            assert {expected_key(row) for row in found} - {None} <= rows.keys()


def expected_key(row) -> str | None:
    """Under which employee_id a user should land; None for one who has no identifier."""
    value = row.get("employeeId") if isinstance(row, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, float):
        if value - value != 0:
            return None  # infinity, as NaN, is null in JSON
        value = int(value) if value.is_integer() else value
    kept = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in str(value))
    return kept.replace("\x00", "") if kept.replace("\x00", "").strip() else None


@settings(max_examples=15, **CONFIGURED)
@given(found=USERS)
def test_any_json_is_the_same_when_it_is_delivered_once_more(found):
    """As it is from memory, to mark who left."""
    destination = Memory(state={"last_sync_time": text(NOON), "users": 1})
    with FakeAwardco() as api:
        api.faults = [Fault(page=1, status=200, body=listing(found))]
        destination.sync(api_key=KEY, base_url=api.url, full_sync_days="7")
    kinds = [kind for kind, _ in destination.operations]
    rows = [cells(row) for kind, row in destination.operations if kind == "upsert"]
    once = kinds[: kinds.index("truncate")].count("upsert") if rows else 0
    assert rows[:once] == rows[once:]


def cells(row: dict) -> list:
    """What the SDK tells apart: JSON and text, for example."""
    return [(name, type(cell), cell) for name, cell in row.items()]
