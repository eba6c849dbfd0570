"""Users who left are marked as deleted, and nobody else ever is."""

import json
import re
import shutil
from datetime import timedelta

import duckdb
import pytest

import connector
from fake_awardco import NOON, Fault, listing, text, user, users

DUE = "2020-01-01T00:00:00+00:00"  # a last full sync after which the next one is due
MARKED = "Marking who left: "
NOBODY = "Nobody was marked as deleted: "


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """What the first sync of a tenant leaves, made once."""
    return tmp_path_factory.mktemp("template") / "files"


@pytest.fixture
def tenant(project, api, template):
    """30 users, who are in the table."""
    api.users = users(30)
    if not template.exists():
        project.sync(api)
        api.requests.clear()
        shutil.copytree(project.folder / "files", template)
    shutil.copytree(template, project.folder / "files", dirs_exist_ok=True)
    return api


def set_state(project, **values):
    """Change the stored state; None removes a value."""
    state = {**project.state(), **values}
    state = {name: value for name, value in state.items() if value is not None}
    (project.folder / "files" / "state.json").write_text(json.dumps(state))


def sync(project, api, **given):
    outcome = project.sync(api, **{"full_sync_days": "7", **given})
    assert not outcome.failed, outcome.log
    return outcome


def full_read(project, api, **given):
    """A sync that is due to read everybody."""
    set_state(project, last_full_sync=DUE)
    return sync(project, api, **given)


def read(project, columns: str) -> list:
    with duckdb.connect(str(project.folder / "files" / "warehouse.db"), read_only=True) as found:
        found.execute("SET TimeZone = 'UTC'")
        found.execute(f"SELECT {columns} FROM tester.user ORDER BY employee_id")
        return found.fetchall()


def marked(project) -> list:
    """The numbers of the users who are marked as deleted."""
    rows = read(project, "employee_id, _fivetran_deleted")
    assert {mark for _, mark in rows} <= {True, False}
    return [int(key[1:]) for key, mark in rows if mark]


def warnings(outcome) -> list:
    """What the dashboard shows."""
    shown = [line.split("sdk")[1].strip() for line in outcome.log_lines("WARNING  ⚡ sdk")]
    assert [len(outcome.log_lines(warning)) for warning in shown] == [2] * len(shown)
    return shown


# --- who is marked


def test_who_left_is_marked_and_the_others_live(project, tenant):
    del tenant.users[:3]
    outcome = full_read(project, tenant)
    assert marked(project) == [1, 2, 3] and len(outcome.rows) == 30
    assert outcome.log_lines(f"{MARKED}30 users at the last complete read, 27 now")
    assert warnings(outcome) == []
    assert outcome.state["users"] == 27 and outcome.state["last_full_sync"] > DUE


def test_where_nobody_has_left_the_log_explains_what_the_sdk_says(project, tenant):
    """`table truncated` alone would be alarming."""
    outcome = full_read(project, tenant)
    assert marked(project) == [] and warnings(outcome) == []
    assert outcome.log_lines(f"{MARKED}30 users at the last complete read, 30 now")
    assert outcome.log_lines("and restores those who remain")
    assert len(outcome.log_lines("truncated")) == 2


def test_30_who_left_of_1250_are_marked_and_the_others_live(project, api):
    """On large pages, and from all over the list."""
    everybody = users(1250)
    api.users = everybody
    sync(project, api)
    api.users = [row for n, row in enumerate(everybody, 1) if n % 40 or n > 1200]
    full_read(project, api)
    assert marked(project) == list(range(40, 1201, 40))


def test_who_came_back_is_live_again_after_the_next_sync_of_changes(project, tenant):
    *tenant.users, comes_back = tenant.users
    full_read(project, tenant)
    assert marked(project) == [30]
    tenant.insert({**comes_back, "updated_at": text(NOON - timedelta(hours=2)), "balance": 0.5})
    outcome = sync(project, tenant)
    assert outcome.log_lines("Incremental sync")
    assert marked(project) == [] and outcome.rows["E00030"]["balance"] == 0.5
    assert outcome.state["users"] == 29  # not 1, who came now


def test_mock_mode_shows_a_mark_in_its_first_sync_that_is_due(project):
    """Two of its users have left once a complete read has counted them."""
    assert "users are made up" in sync(project, None, use_mock="true").log
    assert marked(project) == []
    outcome = full_read(project, None, use_mock="true")
    assert marked(project) == [14, 24] and len(outcome.rows) == 250
    assert outcome.state["users"] == 248 and warnings(outcome) == []


# --- only in a sync that was due


@pytest.mark.parametrize("days", ["", "7"])
def test_a_sync_of_changes_marks_nobody(project, tenant, days):
    """Only who changed comes, and all others are there."""
    if days == "":
        set_state(project, last_full_sync=DUE)
    del tenant.users[:3]
    outcome = sync(project, tenant, full_sync_days=days)
    assert outcome.log_lines("Incremental sync") and not outcome.log_lines("marked")
    assert marked(project) == []


def test_a_re_sync_marks_nobody(project, tenant):
    """Fivetran itself decides what becomes of the rows."""
    del tenant.users[:3]
    outcome = sync(project, tenant, state={})
    assert marked(project) == [] and not outcome.log_lines("marked")
    assert not outcome.log_lines("full_sync_days")  # which is not why everybody is read


@pytest.mark.parametrize("date", [DUE, None], ids=["with a date", "of an old version"])
def test_where_the_filter_is_always_refused_a_sync_still_becomes_due_and_marks(
    project, tenant, date
):
    """Each reads everybody, and counts them, but marks nobody. Were it to put off the one that is
    due, none would ever be."""
    tenant.filter_takes = lambda since: False
    set_state(project, last_full_sync=date)
    del tenant.users[:3]
    outcome = sync(project, tenant, full_sync_days="")
    assert outcome.state.get("last_full_sync") == date and outcome.state["users"] == 27
    assert marked(project) == [] and not outcome.log_lines("marked")
    sync(project, tenant)
    assert marked(project) == [1, 2, 3]


def test_a_source_without_change_dates_is_marked_too(project, tenant):
    """The state has no last_sync_time then, and each sync reads everybody: were it to put off the
    one that is due, none would ever be."""
    set_state(project, last_sync_time=None)
    tenant.users = [{**row, "updated_at": None} for row in tenant.users[3:]]
    sync(project, tenant)
    assert marked(project) == [1, 2, 3]


# --- only after a complete read


def leave_and_move(api):
    """One user is ahead of every page that is read."""
    api.order, api.page_cap = "storage", 10
    api.before_answer = lambda page: api.move("E00015", 26 if page == 1 else 0)


def leave_and_refuse(api):
    """The API reaches 20 users deep."""
    api.page_cap, api.depth, api.past_end = 10, 20, "400"


def leave_and_hide(api):
    """The API counts 32 users, of whom the key may see 27."""
    api.total, api.unlisted = "total", 5


def leave_all(api):
    api.users.clear()


def leave_in_crowds(api):
    """23 of 30 are there."""
    del api.users[:4]


INCOMPLETE = {
    leave_and_move: "Users may be missing: no pass was whole",
    leave_and_refuse: "The users end at a full page, so there may be more: Page 3",
    leave_and_hide: "The API reports 32 users, but its pages brought 27",
    leave_all: "The API returned no users",
    leave_in_crowds: "23 users came, fewer than four fifths of the 30 of the last complete read",
}


@pytest.mark.parametrize("happen", INCOMPLETE, ids=lambda happen: happen.__name__)
def test_after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why(
    project, tenant, happen
):
    del tenant.users[:3]
    happen(tenant)
    outcome = full_read(project, tenant)
    assert marked(project) == [] and not outcome.log_lines(MARKED)
    (warning,) = warnings(outcome)
    assert warning.startswith(NOBODY + INCOMPLETE[happen])
    assert outcome.state["users"] == 30


@pytest.fixture
def hundred(in_memory, api):
    """100 users in pages of 10, who are in the table. Runs a sync that is due, and notes who is
    marked then."""
    api.users, api.page_cap, api.order = users(100), 10, "storage"
    before = in_memory.sync(api).state

    def run():
        state = {**before, **in_memory.state(), "last_full_sync": DUE}
        outcome = in_memory.sync(api, state=state, full_sync_days="7")
        assert not outcome.failed, outcome.log
        outcome.gone = sorted(int(key[1:]) for key in in_memory.destination.gone)
        return outcome

    return run


def test_a_key_that_loses_rights_while_users_are_read_marks_nobody(api, hundred):
    """Pass 1 meets 89 of 100 users, one of them twice. Then the key sees 40, and the passes after
    it are alike. The sync knows four fifths, but its last pass does not."""
    everybody, visible = api.users, users(40)

    def happen(page):
        if page == 2 and api.users is everybody:
            api.move("E00001", 45)
        if page == 10:
            api.users = visible

    api.before_answer = happen
    for _ in range(2):
        outcome = hundred()
        assert outcome.gone == [] and outcome.state["users"] == 100
        said = "40 users came, fewer than four fifths of the 100 of the last complete read"
        assert outcome.log_lines(NOBODY + said)


def empty(page, *flags) -> list:
    """Empty lists where a page, the next one and the first of them again are asked for; each may
    have a flag."""
    asked = zip((page, page + 1, page), flags or ({}, {}, {}), strict=True)
    return [Fault(number, status=200, body=listing([], **flag)) for number, flag in asked]


@pytest.mark.parametrize("page, gone", [(7, []), (8, []), (9, [*range(81, 101)])])
def test_three_empty_answers_in_a_row_mark_fewer_than_a_fifth(api, hundred, page, gone):
    """Nobody can tell them from the end. The next full read brings who was marked back."""
    api.faults = empty(page)
    outcome = hundred()
    said = f"{10 * page - 10} users came, fewer than four fifths of the 100"
    assert outcome.gone == gone and bool(outcome.log_lines(said)) == (gone == [])
    outcome = hundred()
    assert outcome.gone == [] and len(outcome.rows) == outcome.state["users"] == 100


@pytest.mark.parametrize(
    "flags",
    [
        ({"hasMore": True}, {}, {"hasMore": False}),
        ({}, {"pagination": {"has_next": "true"}}, {}),
        ({}, {}, {"meta": {"page": {"hasNextPage": True}}}),
    ],
    ids=str,
)
def test_empty_answers_of_which_one_says_that_there_is_more_are_not_the_end(api, hundred, flags):
    api.faults = empty(9, *flags)
    outcome = hundred()
    assert outcome.log_lines("Reading again, pass 2: after the last page the API still says")
    assert outcome.gone == [] and len(outcome.rows) == outcome.state["users"] == 100


def test_a_read_that_fails_marks_nobody_and_is_due_again(project, tenant):
    del tenant.users[:3]
    tenant.page_cap, tenant.faults = 10, [Fault(page=3, times=99, status=503)]
    set_state(project, last_full_sync=DUE)
    assert project.sync(tenant, full_sync_days="7").failed
    assert marked(project) == []
    tenant.faults = []
    sync(project, tenant)
    assert marked(project) == [1, 2, 3]


def test_four_fifths_of_the_users_of_the_last_complete_read_are_enough_or_all_but_one(
    project, tenant
):
    """Who left before is in the table, but does not count."""
    for left in (24, 20, 16, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1):
        tenant.users = tenant.users[-left:]
        full_read(project, tenant)
        assert marked(project) == list(range(1, 31 - left))


def test_the_number_to_compare_with_stays_until_a_re_sync_clears_it(project, tenant):
    """A key that lost a permission must not mark on the second attempt."""
    del tenant.users[:16]
    assert full_read(project, tenant).state["users"] == 30
    assert marked(project) == []
    assert sync(project, tenant, state={}).state["users"] == 14
    full_read(project, tenant)
    assert marked(project) == list(range(1, 17))


def test_a_state_of_an_older_version_has_no_number_to_compare_with_and_marks_nobody(
    project, tenant
):
    """Else a key that has lost its permission in the meantime would mark everybody."""
    set_state(project, users=None)
    del tenant.users[:20]
    outcome = full_read(project, tenant)
    assert outcome.state["users"] == 10 and marked(project) == []
    (warning,) = warnings(outcome)
    assert warning.startswith(f"{NOBODY}no complete read had counted the users before")
    full_read(project, tenant)
    assert marked(project) == list(range(1, 21))


# --- what is delivered once more


def test_a_user_who_changes_while_pages_are_read_is_marked_in_no_pass_and_is_newest(
    project, tenant
):
    """E00021 leaves page 3 for page 2 unseen, so there is a second pass."""
    del tenant.users[:3]
    tenant.page_cap = 10
    tenant.before_page[2] = lambda api: api.change("E00010", balance=0.5)
    tenant.before_page[3] = lambda api: api.insert(user(31, api.clock, balance=1.5))
    outcome = full_read(project, tenant)
    assert outcome.log_lines("Reading again, pass 2")
    assert marked(project) == [1, 2, 3]
    assert outcome.rows["E00010"]["balance"] == 0.5 and outcome.rows["E00031"]["balance"] == 1.5


def test_a_read_that_begins_again_in_small_pages_marks_as_well(project, tenant, monkeypatch):
    """What the large pages brought counts too."""
    monkeypatch.setattr(connector, "__SMALL_PAGE", 5)
    del tenant.users[:3]
    tenant.page_cap, tenant.faults = 10, [Fault(page=2, times=8, status=503)]
    outcome = full_read(project, tenant)
    assert outcome.log_lines("Reading again in pages of 5 users")
    assert marked(project) == [1, 2, 3]


AWKWARD = {
    "nested": {"b": [1, 2.5, 1e300, None, {"": "é"}], "a": 2**60, "half": ["x\ud83d"]},
    "list": [1, "1", True, []],
    "emoji": "👩‍🚀",
    "control": "a\x00b\x01\u2028",
    "single": 16777217.25,
    "tiny": 5e-324,
    "minus": -0.0,
    "large": 2**62,
    "larger": 10**40,
    "digits": "4.10",
    "zeros": "00042",
    "letter": "T",
    "flag": False,
    "day": "2026-01-01",
    "minute": "2024-05-06T07:08Z",
    "local": "2024-05-06 07:08:09.123456789",
    "zoned": "2024-05-06t07:08:09-02:00",
    "foreign": "٣",
    "部署": {"経理": 1.5},
    "_fivetran_deleted": True,
    "blank": "",
    "balance": "12.50",
    "firstName": 7,
    "lastName": ["A"],
    "email": 'a\r\n"b"@example.com',
}
TIMES = ["0001-01-01", "9999-12-31T23:59:59.999999Z", "2020-01-01 10:00:00.1234567 +0530"]
TIMES += ["2020-01-01T10:00Z", "2020-01-01T10:00:00.5", "2020-02-29", "never", None, 7]


def test_values_and_types_are_the_same_after_the_second_delivery(project, api):
    """Compared with a re-sync, which delivers each row once."""
    alone = [user(n, None, **{name: value}) for n, (name, value) in enumerate(AWKWARD.items())]
    times = [user(50 + n, time, created_at=time) for n, time in enumerate(TIMES)]
    mixed = [user(70 + n, NOON, mixed=value) for n, value in enumerate(AWKWARD.values())]
    api.users, api.order = [*alone, *times, *mixed, user(99, None, **AWKWARD)], "storage"
    assert len(sync(project, api).rows) == len(api.users)
    once = sync(project, api, state={})
    rows = read(project, "* EXCLUDE _fivetran_synced")
    twice = full_read(project, api)
    assert twice.log_lines(MARKED) and twice.columns == once.columns
    assert read(project, "* EXCLUDE _fivetran_synced") == rows


# --- killed at any moment


def is_completed_after_a_kill(project, tenant, kills, point: str):
    """A full read is killed. No living user is marked then, and the next sync completes it."""
    tenant.page_cap = 10
    del tenant.users[:6]
    for number in range(7, 31):
        tenant.change(f"E{number:05d}", balance=0.5)
    set_state(project, last_full_sync=DUE)
    kills.sync(project, tenant, point, full_sync_days="7")
    assert set(marked(project)) <= set(range(1, 7))
    outcome = sync(project, tenant)
    assert marked(project) == list(range(1, 7))
    assert [row["balance"] for row in outcome.rows.values()].count(0.5) == 24


# A full read of three pages makes 6 requests, since page 4 is empty, and so are page 5 and page 4
# asked again. It delivers 24 users twice, and has 4 checkpoints.
OPERATIONS = {"request": 6, "upsert": 48, "truncate": 1, "flush": 5, "state": 4}


@pytest.mark.parametrize("point", ["truncate 1", "upsert 25"])
def test_a_kill_while_users_are_marked_marks_nobody_who_lives(project, tenant, kills, point):
    is_completed_after_a_kill(project, tenant, kills, point)


def test_the_operations_of_a_full_read_are_all_that_it_has(project, tenant):
    """So that the list of points is complete."""
    tenant.page_cap = 10
    del tenant.users[:6]
    counts = re.findall(
        r"(Upserts|Truncates|Checkpoints) +\| (\d+)", full_read(project, tenant).log
    )
    assert dict(counts) == {"Upserts": "48", "Truncates": "1", "Checkpoints": "4"}
    assert len(tenant.requests) == OPERATIONS["request"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", [f"{what} {n}" for what, count in OPERATIONS.items() for n in range(1, count + 1)]
)
def test_a_kill_before_any_operation_of_a_full_read_marks_nobody_who_lives(
    project, tenant, kills, point
):
    is_completed_after_a_kill(project, tenant, kills, point)
