"""Whatever JSON can hold in a field: the sync goes on, every user lands, and values stay exact."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import NOON, FakeAwardco, Fault, text, user, users
from harness import Project

CONFIGURED = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],  # to shrink a failure by syncs takes minutes
}


def land(project, api, **fields):
    """The row of a user with these fields."""
    api.users = [{**user(1, NOON - timedelta(days=2)), **fields}]
    outcome = project.sync(api)
    assert not outcome.failed, outcome.log
    return next(iter(outcome.rows.values()))


# --- users


@pytest.mark.parametrize(
    "unusable",
    [{}, {"employeeId": None}, {"employeeId": ""}, {"employeeId": " \t"}, {"employeeId": "\x00"}]
    + [{"employeeId": {"id": 1}}, {"employeeId": [1]}, {"employeeId": True}]
    + [None, "E00001", 17, ["E00001"]],
)
def test_a_user_without_an_identifier_is_skipped_and_told_once(project, api, unusable):
    api.users = [user(1, NOON - timedelta(days=2)), user(2)]
    body = {"users": [unusable, *api.users, unusable]}
    api.faults = [Fault(page=1, status=200, body=body)]
    outcome = project.sync(api)
    assert sorted(outcome.rows) == ["E00001", "E00002"]
    told = outcome.log_lines("2 users without a usable employeeId, skipped")
    assert len(told) == 2  # in the log, and as the warning that the dashboard shows


def test_a_skipped_user_does_not_move_the_cursor(project, api):
    newest = {**user(2, NOON - timedelta(hours=2)), "employeeId": None}
    body = {"users": [user(1, NOON - timedelta(days=2)), newest]}
    api.faults = [Fault(page=1, status=200, body=body)]
    assert project.sync(api).cursor == text(NOON - timedelta(days=2))


@pytest.mark.parametrize(
    "identifier, stored",
    [
        ("9" * 5000, "9" * 5000),
        ("00042", "00042"),
        (42, "42"),
        ("T", "T"),
        (" 7 ", " 7 "),
        (10**30, str(10**30)),
    ]
    + [("2026-01-01", "2026-01-01"), ("ß😀", "ß😀"), (0, "0"), (1.5, "1.5")],
)
def test_an_identifier_is_kept_as_it_is(project, api, identifier, stored):
    assert land(project, api, employeeId=identifier)["employee_id"] == stored


@pytest.mark.parametrize(
    "rows, unusable, fails",
    [(100, 50, False), (100, 51, True), (100, 100, True), (20, 10, False), (20, 11, True)]
    + [(19, 19, False)],
)
def test_a_page_of_which_most_is_unusable_ends_the_sync(project, api, rows, unusable, fails):
    api.users = users(100 + rows)
    api.page_cap = 100
    renamed = [{"id": row["employeeId"]} for row in api.users[100 : 100 + unusable]]
    body = {"users": [*renamed, *api.users[100 + unusable :]]}
    api.faults = [Fault(page=2, times=2, status=200, body=body)]
    outcome = project.sync(api)
    assert outcome.failed == fails
    if fails:
        told = f"{unusable} of the {rows} users of page 2 have no usable employeeId"
        assert outcome.log_lines(f"Error: failed while executing update() error: {told}")
        assert len(outcome.rows) == 100 and outcome.resume["page"] == 2
    else:
        assert len(outcome.rows) >= 100 and "have no usable employeeId" not in outcome.log


# --- declared columns


@pytest.mark.parametrize(
    "value, stored",
    [(16777217.25, 16777217.25), (0.1, 0.1), (7, 7.0), ("12.50", 12.5), (" 3 ", 3.0), (None, None)]
    + [(-1e300, -1e300), ("1e3", 1000.0), (10**30, 1e30), ("", None)],
)
def test_a_balance_is_a_number_of_64_bits(project, api, value, stored):
    api.users = []
    row = land(project, api, balance=value)
    assert row["balance"] == stored


@pytest.mark.parametrize("column", ["balance", "updated_at", "created_at"])
@pytest.mark.parametrize("value", ["lots", True, {}, [], float("nan"), "1_000", "inf", "1e999"])
def test_a_cell_that_cannot_be_read_is_null_and_its_user_lands(project, api, column, value):
    api.users = [{**user(1, NOON - timedelta(days=2)), column: value}]
    outcome = project.sync(api)
    assert outcome.rows["E00001"][column] is None
    assert len(outcome.log_lines(f"1 unreadable values of {column}, stored as null")) == 2


def test_a_number_beyond_a_double_is_null(project, api):
    body = b'{"users": [{"employeeId": "1", "balance": 1e999}, {"employeeId": "2"}]}'
    api.faults = [Fault(page=1, status=200, body=body)]
    outcome = project.sync(api)
    assert outcome.rows["1"]["balance"] is None and "2" in outcome.rows


@pytest.mark.parametrize(
    "value, stored",
    [("T", "T"), ("true", "true"), ("00042", "00042"), ("NaN", "NaN"), ("", ""), (None, None)]
    + [(7, "7"), (True, "true"), ({"a": "é"}, '{"a": "é"}'), ([1], "[1]"), ("٣", "٣")]
    + [("a\r\nb", "a\r\nb"), ('"', '"'), ("9" * 5000, "9" * 5000), ("👩‍🚀", "👩‍🚀")],
)
def test_text_stays_text(project, api, value, stored):
    assert land(project, api, firstName=value)["first_name"] == stored


def test_times_are_stored_as_instants(project, api):
    row = land(project, api, created_at="2020-01-01 10:00:00.123456789+0200")
    assert row["created_at"].isoformat() == "2020-01-01T08:00:00.123456+00:00"


# --- other columns


@pytest.mark.parametrize(
    "value, stored",
    [
        ("9" * 5000, "9" * 5000),
        (16777217.25, 16777217.25),
        (1e300, 1e300),
        (5e-324, 0.0),
        (1e22, 1e22),
        (True, True),
    ]
    + [(2**62, 2**62), (2**63, str(2**63)), (10**400, str(10**400)), ("Ω", "Ω"), ([1], "[1]")]
    + [("a" * 1_000_000, "a" * 1_000_000), (-(2**63), -(2**63))],
)
def test_an_undeclared_value_is_exact(project, api, value, stored):
    assert land(project, api, extra=value)["extra"] == stored


def test_a_time_without_seconds_is_the_time_it_means(project, api):
    """Java writes a full minute so; taken for a time, it is then refused for want of seconds."""
    row = land(project, api, hired="2024-05-06T07:08Z")
    assert row["hired"].isoformat() == "2024-05-06T07:08:00+00:00"


@pytest.mark.parametrize("value", ["٣", "٢٠٢٤-٠١-٠١", "１２", "2024-01-01T10:00+99:99"])
def test_text_that_the_sdk_takes_for_a_number_it_cannot_read_is_kept_aside(project, api, value):
    row = land(project, api, extra=value)
    assert "extra" not in row
    assert json.loads(row["other_fields"]) == {"extra": value}


def test_nested_values_are_json(project, api):
    value = {"a": [1, 2.5, None, "\x00"], "b": {"": "😀"}}
    assert json.loads(land(project, api, extra=value)["extra"]) == value


@pytest.mark.parametrize("where", ["email", "extra", "nested", "name", "employeeId"])
def test_half_an_emoji_is_replaced(project, api, where):
    half = "x\ud83d"
    fields = {"nested": {"a": [half]}} if where == "nested" else {where: half}
    fields = {half: "value"} if where == "name" else fields
    row = land(project, api, **fields)
    assert "x\ufffd" in str(row) or "x_" in row or "\\ufffd" in str(row)


def test_a_whole_emoji_in_two_escapes_is_kept(project, api):
    body = rb'{"users": [{"employeeId": "1", "email": "\ud83d\ude00", "extra": "\ud83d"}]}'
    api.faults = [Fault(page=1, status=200, body=body)]
    assert project.sync(api).rows["1"]["email"] == "😀"


def test_a_nul_is_dropped_and_ends_nothing(project, api):
    assert land(project, api, email="a\x00b", extra="c\x00d")["email"] == "ab"


@pytest.mark.parametrize("name", ["", "€", "---", "_fivetran_deleted", "_fivetranSynced"])
def test_a_field_whose_name_can_be_no_column_is_kept_aside(project, api, name):
    row = land(project, api, **{name: "value"})
    assert json.loads(row["other_fields"]) == {name: "value"}


@pytest.mark.parametrize("naming", [None, "SOURCE_NAMING"])
def test_two_fields_of_one_column_are_both_kept(project, api, naming):
    """The spelling met first has the column; another has it not, whatever row it comes in."""
    api.users = [{**user(1), "dept": "a", "Dept": "b"}, {**user(2), "Dept": "c"}]
    api.users += [{**user(3), "DEPT": "d", "dept": "e"}, {**user(4), "dept": "f", "_dept": "g"}]
    rows = project.sync(api, naming=naming).rows
    kept = {key: (row["dept"], json.loads(row["other_fields"])) for key, row in rows.items()}
    assert kept == {
        "E00001": ("a", {"Dept": "b"}),
        "E00002": (None, {"Dept": "c"}),
        "E00003": ("e", {"DEPT": "d"}),
        "E00004": ("f", {"_dept": "g"}),
    }


@pytest.mark.parametrize("name", ["first_name", "FirstName", "FIRST-NAME", "firstNamé"])
def test_another_spelling_of_a_declared_column_does_not_take_its_place(project, api, name):
    api.users = [user(1, **{name: "No"}), user(2, **{name: "T"})]
    del api.users[1]["firstName"]
    rows = project.sync(api).rows
    assert rows["E00001"]["first_name"] == "First1" and rows["E00002"]["first_name"] is None
    assert json.loads(rows["E00001"]["other_fields"]) == {name: "No"}
    assert json.loads(rows["E00002"]["other_fields"]) == {name: "T"}


def test_a_field_named_as_what_keeps_others_aside_is_kept_aside(project, api):
    row = land(project, api, other_fields="mine")
    assert json.loads(row["other_fields"]) == {"other_fields": "mine"}


def test_a_column_may_hold_another_kind_of_value_in_every_row(project, api):
    values = [1, "T", 2.5, {"a": 1}, [2], None, "2024-01-01", True, "2024-01-01T00:00Z", 10**30]
    api.users = [user(n, extra=value) for n, value in enumerate(values)]
    assert len(project.sync(api).rows) == len(values)
    api.users = [user(n, extra=value) for n, value in enumerate(reversed(values))]
    outcome = project.sync(api, state={})
    assert not outcome.failed and len(outcome.rows) == len(values)


@given(st.text())
@example("costCentre2")
@example("_Cost-Centre_2")
@example("é")
def test_names_that_fivetran_makes_one_column_are_one_here(name):
    """What is left of a name here is what Fivetran leaves of it, but for the underscores."""
    assert connector.simplify(name) == redshift_safe(name).replace("_", "")


# --- anything


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**17, max_value=10**22)
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.from_regex(r"\A[-+]?[0-9.:TtZ -]{1,20}\Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    st.sampled_from(list(connector.schema({})[0]["columns"]))
    | st.sampled_from(["extra", "Extra", "EXTRA", "other_fields", "first_name", "a b", "A_B"])
    | st.text(st.characters(exclude_categories=()), max_size=6)
)
ODD = ["T", "00042", "٣", "2024-01-01T10:00Z", "2024-01-01T10:00+99:99", "NaN", "1e5", "-"]
ODD += ["x\ud800", {"\udfff": ["\ud83d"]}, "a\x00b", 2**63, -(10**40), 1e300, float("nan")]
FIELDS = st.dictionaries(NAMES, st.sampled_from(ODD) | JSON, min_size=2, max_size=8)
USERS = st.lists(  # many, since a sync costs the same for one as for all; too few to end one
    st.builds(lambda key, fields: {"employeeId": key, **fields}, st.integers(0, 99), FIELDS)
    | FIELDS
    | JSON,
    min_size=8,
    max_size=19,
)


def usable(value) -> bool:
    if isinstance(value, str):
        return bool(value.replace("\x00", "").strip())
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@settings(max_examples=12, **CONFIGURED)
@given(first=USERS, second=USERS, naming=st.sampled_from([None, "SOURCE_NAMING"]))
def test_any_json_in_any_field_lands_every_user_with_an_identifier(capsys, first, second, naming):
    """Two syncs into the same table, so that columns also have to take what comes later; with
    SOURCE_NAMING into two, since DuckDB refuses another spelling of a column that it has."""
    with TemporaryDirectory() as folder, FakeAwardco() as api:
        for table, found in (("1", first), ("2" if naming else "1", second)):
            (Path(folder) / table).mkdir(exist_ok=True)
            api.faults = [Fault(page=1, status=200, body={"users": found})]
            outcome = Project(Path(folder) / table, capsys).sync(api, state={}, naming=naming)
            assert not outcome.failed, outcome.log
            for row in found:
                if isinstance(row, dict) and usable(row.get("employeeId")):
                    assert identifier(row["employeeId"]) in outcome.rows


def identifier(value) -> str:
    if isinstance(value, float) and value != value or value in (float("inf"), float("-inf")):
        return json.dumps(value)
    value = value if isinstance(value, str) else json.dumps(value)
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value).replace("\x00", "")


EXACT = st.fixed_dictionaries(
    {
        "firstName": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        "balance": st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        "extra": st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        "amount": st.integers(-(2**63), 2**63 - 1),
    }
)


@settings(max_examples=6, **CONFIGURED)
@given(found=st.lists(EXACT, min_size=8, max_size=50))
def test_values_that_a_column_can_hold_are_exact(capsys, found):
    with TemporaryDirectory() as folder, FakeAwardco() as api:
        api.users = [user(number, **fields) for number, fields in enumerate(found)]
        rows = Project(Path(folder), capsys).sync(api).rows
        assert len(rows) == len(found)
        for number, fields in enumerate(found):
            row = rows[f"E{number:05d}"]
            assert row["first_name"] == fields["firstName"]
            for name in ("balance", "extra", "amount"):
                assert row[name] == fields[name]


@given(JSON)
def test_the_row_of_any_value_is_made_without_an_error(value):
    connector.read_row(value, {}, Counter())
    connector.read_row({"employeeId": "1", "x": value}, {}, Counter())
