"""The setup form and its tests: what a person meets between a key and the first sync."""

import json
import os
import re
import shutil
import socket
import subprocess
from datetime import timedelta

import pytest
from fivetran_connector_sdk import form_field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_awardco import (
    KEY,
    NOON,
    PAGE_PARAM,
    UPDATED_SINCE,
    FakeAwardco,
    Fault,
    instant,
    listing,
    text,
    user,
    users,
)
from fivetran_api import STUB_PIPREQS, VENV_BIN, Run, contents, copy_project, run_fivetran
from harness import connector
from quiet_home import make_quiet_home

TESTS = {
    "connection_test": "The API accepts the key",
    "users_test": "The API returns users as expected (source users)",
    "filter_test": "The timestamp filter works (source users)",
}


GOOD = {"api_key": KEY, "base_url": "https://a.example"}


def run_test(name: str, configuration: dict):
    """What a setup test says is wrong, or None; run by the SDK, as on Fivetran."""
    result = connector.connector.run_test(name, configuration)
    assert (result.success is True) != bool(result.failure)
    return result.failure


def check(name: str, api: FakeAwardco, **configuration):
    return run_test(name, {"api_key": KEY, "base_url": api.url, **configuration})


@pytest.fixture
def closed_url():
    """An address of this machine at which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


# --- The form ------------------------------------------------------------------------------------


def checked(configuration: dict) -> dict:
    return connector.validate_configuration(configuration)


def form():
    return connector.configuration_form().to_response()


def test_the_form_asks_for_what_a_customer_has_to_give():
    fields = {field.name: field for field in form().fields}
    assert sorted([*fields, "use_mock"]) == sorted(getattr(connector, "__FAULTS"))
    assert list(fields)[:3] == ["api_key", "base_url", "source"]
    offered = [option.value for option in fields["source"].dropdown_options]
    assert [checked({**GOOD, "source": one})["source"] for one in offered] == ["users", "report"]
    assert [name for name in fields if fields[name].required] == ["api_key", "base_url"]
    assert all(field.label and field.description for field in fields.values())


def test_only_the_key_is_typed_unseen_and_stored_encrypted():
    kinds = {one.name: one.text_field for one in form().fields if one.text_field is not None}
    plain = form_field.TextField.plain_text
    assert kinds.pop("api_key") == form_field.TextField.password
    assert set(kinds.values()) == {plain}


def test_the_form_names_the_filter_that_a_blank_answer_means():
    answers = {field.name: field for field in form().fields}
    default = checked(GOOD)["updated_since_param"]
    assert f"blank: {default}" in answers["updated_since_param"].description


def test_the_form_registers_the_tests_from_the_key_to_the_filter():
    assert {test.name: test.label for test in form().tests} == TESTS


# --- What each test finds ------------------------------------------------------------------------


def test_a_good_setup_passes_with_one_request_or_three(api):
    api.users = users(250)
    for name, requests in zip(TESTS, (1, 1, 3), strict=True):
        api.requests.clear()
        assert check(name, api) is None
        assert len(api.requests) == requests


def test_an_api_that_refuses_even_small_pages_names_the_constant_to_lower(api):
    api.accepts = lambda per_page: per_page <= 50
    message = check("connection_test", api)
    assert "Invalid per_page" in message and "lower __SMALL_PAGE" in message


def test_an_api_that_is_down_is_asked_twice_not_for_minutes(api, clock):
    api.faults = [Fault(status=503, times=99)]
    assert "HTTP 503; run the sync again" in check("connection_test", api)
    assert len(api.requests) == 2
    assert sum(clock.sleeps) < 3


def test_a_setup_test_does_not_wait_for_minutes_on_the_api_s_word(api, clock):
    """The person is waiting, and Fivetran ends a test that takes too long."""
    api.faults = [Fault(status=429, headers={"Retry-After": "300"}, times=99)]
    message = check("connection_test", api)
    assert "HTTP 429; the API asks to wait 300 s; sync less often" in message
    assert clock.sleeps == []


NO_TIMES = ("No user has a readable updated_at, so every sync reads ", ": ask Awardco about it.")
UNUSABLE = {  # the users, and what is said of them: the beginning and the end
    "nobody": ([], "The API returns no users", "the key may see all users of your tenant."),
    "other keys": ([{"id": 1}, {"id": 2}], "The users have no employeeId but `id`", "employeeId."),
    "other times": ([user(1, "31/12/2025"), user(2, "31/12/2025")], *NO_TIMES),
    "numbers as times": ([user(1, 1767225600)], *NO_TIMES),
}


@pytest.mark.parametrize("found, start, end", UNUSABLE.values(), ids=UNUSABLE)
def test_users_that_a_sync_could_not_use_are_reported_with_what_to_do(api, found, start, end):
    api.faults = [Fault(status=200, body=listing(found))]
    message = check("users_test", api)
    assert message.startswith(start) and message.endswith(end)


def test_one_good_user_among_odd_ones_is_enough(api):
    odd = [None, 7, "text", [], {}, {"employeeId": None}, user(1, "never")]
    api.faults = [Fault(status=200, body=listing([*odd, *users(1)]))]
    assert check("users_test", api) is None


def test_a_filter_that_the_api_ignores_is_reported_with_the_setting_to_change(api):
    api.users = users(3)
    api.filter_param = None
    message = check("filter_test", api)
    assert f"`{UPDATED_SINCE}`" in message and "set updated_since_param" in message


def test_a_user_dated_2099_does_not_hide_that_the_filter_works(api):
    api.users = [*users(3), user(9, "2099-01-01T00:00:00Z")]
    assert check("filter_test", api) is None
    api.filter_param = None
    assert "does not know the filter" in check("filter_test", api)


def test_a_filter_under_another_name_works_once_the_configuration_names_it(api):
    api.users = users(3)
    api.filter_param = "modified_after"
    assert "does not know the filter" in check("filter_test", api)
    assert check("filter_test", api, updated_since_param="modified_after") is None


REFUSALS = {
    "HTTP 400": {"status": 400, "body": {"message": "Not in the future"}},
    "HTTP 204": {"status": 204},
    "users: null": {"status": 200, "body": listing(None)},
}


def answer_the_filter(api, **fault):
    """Let only the request with a future time meet a fault: the third."""
    refusal = Fault(times=9, **fault)
    api.before_answer = lambda _: len(api.requests) == 3 and api.faults.append(refusal)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_an_api_that_refuses_a_time_to_come_passes(api, refusal):
    """It knows the filter, or it could not refuse it; or it means nobody by that."""
    api.users = users(3)
    answer_the_filter(api, **refusal)
    assert check("filter_test", api) is None
    assert len(api.requests) == 3


@pytest.mark.parametrize("refusal", [(400, "older than 90 days"), (410, "gone")])
def test_an_api_that_refuses_its_own_times_fails_with_what_it_said(api, refusal):
    """A quiet tenant, whose newest change is older than the filter reaches; another notation."""
    api.users, (status, said) = users(3), refusal
    api.filter_takes, api.filter_refusal = lambda since: False, (status, {"message": said})
    message = check("filter_test", api)
    assert f"HTTP {status}" in message and f"the API said: {said}" in message


@pytest.mark.parametrize("past_end", ["no users", "204"])
def test_a_strict_filter_that_finds_nobody_is_no_refusal(api, past_end):
    """Nobody is newer than the only user, and the API writes nobody in its own way."""
    api.users, api.strict, api.past_end = users(1), True, past_end
    assert check("filter_test", api) is None


@pytest.mark.parametrize("status, attempts", [(503, 2), (401, 1)])
def test_an_api_that_fails_at_the_filter_does_not_pass(api, status, attempts):
    api.users = users(3)
    answer_the_filter(api, status=status)
    assert f"read: HTTP {status}; " in check("filter_test", api)
    assert len(api.requests) == 2 + attempts


@pytest.mark.parametrize(
    "newest, second, two_days_ahead",
    [
        (
            "2026-02-27 11:00:00.123+02:00",
            "2026-02-27 07:30:00.5+00:00",
            "2026-03-03 11:00:00.123+02:00",
        ),
        ("2026-02-27", "2026-02-26", "2026-03-03"),
    ],
)
def test_the_filter_is_asked_in_the_notation_of_the_api(api, newest, second, two_days_ahead):
    """In another one an API may fail to read it, and ignore a filter that works; a year that is
    far ahead it may refuse."""
    api.users = [user(1, None), user(2, newest), user(3, "2026-01-01"), user(4, second)]
    api.order = "storage"
    assert check("filter_test", api) is None
    assert api.requests == [(1, None), (1, second), (1, two_days_ahead)]


@pytest.mark.parametrize("hours", [-8, 5.5])
def test_a_filter_that_reads_times_in_another_zone_is_reported(api, hours):
    """It takes UTC for local time: west of it, who changed within eight hours is left out."""
    api.users = [*users(30), user(99, NOON - timedelta(days=2, hours=-1))]
    serve, shift = api.passes, timedelta(hours=-hours)
    api.passes = lambda row, since: serve(row, text(instant(since) + shift))
    message = check("filter_test", api)
    if hours < 0:
        assert "leaves out later changes, as in another zone" in message
    else:
        assert message is None  # too many come, which loses nobody


def test_a_busy_filter_is_not_taken_for_one_in_another_zone(api):
    """300 users share the newest time: page 1 of them need not hold those that are looked for."""
    api.users = [user(n, NOON - timedelta(days=2)) for n in range(300)]
    api.insert(user(999, NOON - timedelta(days=3)))
    api.order, api.before_answer = "storage", lambda page: api.users.reverse()
    assert check("filter_test", api) is None


def test_a_filter_can_be_tried_where_no_time_is_readable(api):
    api.users = [user(1, None), user(2, "yesterday")]
    api.order = "storage"
    assert check("filter_test", api) is None
    assert api.requests == [(1, None), (1, None), (1, "2026-03-03T00:00:00Z")]


def test_a_filter_works_even_where_users_never_updated_pass_it(api):
    api.users = [*users(3), user(9, None)]
    api.keeps_nulls = True
    assert check("filter_test", api) is None


@pytest.mark.parametrize("name", ["users_test", "filter_test"])
def test_a_first_page_of_users_never_updated_does_not_stop_a_good_setup(api, name):
    """Sources that sort nulls first open with them."""
    api.users = [user(number, None) for number in range(1000, 1150)] + users(20)
    api.order = "storage"
    assert check(name, api) is None


# --- What they must not do -----------------------------------------------------------------------


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
ANY_USER = ANY_JSON | st.fixed_dictionaries(
    {"employeeId": ANY_JSON, "updated_at": ANY_JSON | st.datetimes().map(str)}
)
reused_fixtures = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("name", ["users_test", "filter_test"])
@reused_fixtures
@given(found=st.lists(ANY_USER, max_size=4) | ANY_JSON)
def test_no_answer_makes_a_test_raise(api, name, found):
    api.faults = [Fault(status=200, body=listing(found), times=9)]
    check(name, api)


MARK = "5ecret"  # in every key below, and in no message of the connector's own
LOOKS_SET = ["", " ", "<YOUR_VALUE>", "true", "TRUE", "no", PAGE_PARAM, UPDATED_SINCE]
ODD_ADDRESSES = ["http://", "http://[", "https://a:b", "http://127.0.0.1:0", "http://127.0.0.1:x"]
OUTSIDE = ["http://awardco.example", "https://key@awardco.example", "ftp://127.0.0.1"]


@reused_fixtures
@given(data=st.data())
def test_no_configuration_makes_a_test_raise_or_tell_the_key(api, monkeypatch, closed_url, data):
    """Required settings are not checked before a test runs, and values are any text."""
    monkeypatch.setattr(socket, "getaddrinfo", only_loopback)
    value = st.sampled_from(LOOKS_SET) | st.text()
    addresses = [api.url, api.url + "/api/", closed_url, *ODD_ADDRESSES, *OUTSIDE]
    configuration = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "api_key": st.builds("{0}{1}{0}".format, st.just(MARK), value),
                "base_url": st.one_of(
                    st.sampled_from(addresses),
                    st.builds("{}{}".format, st.sampled_from([api.url, "", "http://"]), value),
                ),
                "updated_since_param": value,
                "full_sync_days": value,
                "use_mock": value,
                "something_else": value,
            },
        )
    )
    message = run_test("filter_test", configuration)
    assert MARK not in (message or "")


LOOK_UP = socket.getaddrinfo


def only_loopback(host, *arguments, **options):
    """A look-up that finds this machine and no other."""
    if host not in ("127.0.0.1", "localhost"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return LOOK_UP(host, *arguments, **options)


def test_a_value_that_is_no_text_does_not_make_a_test_raise(closed_url):
    names = ("api_key", "base_url", "updated_since_param", "full_sync_days", "use_mock")
    for junk in (None, 7, ["a"], {"a": 1}):
        assert run_test("users_test", dict.fromkeys(names, junk))
        settings = {"api_key": KEY, "base_url": closed_url, "full_sync_days": junk}
        assert run_test("users_test", settings)


# --- `fivetran configuration` --------------------------------------------------------------------


class Desk:
    """A clone, and a person's home folder, which holds the key that configuration.json needs."""

    def __init__(self, folder):
        self.project = copy_project(folder)
        shutil.rmtree(self.project / "files")  # of another project's run
        self.home = make_quiet_home(folder / "desk")

    def fivetran(self, *arguments) -> Run:
        return run_fivetran(self.project, *arguments, HOME=str(self.home))

    def fill_in(self, answers: list):
        """Run `fivetran configuration` and answer its questions."""
        path = os.pathsep.join([str(STUB_PIPREQS), str(VENV_BIN), os.defpath])
        done = subprocess.run(
            [VENV_BIN / "fivetran", "configuration"],
            cwd=self.project,
            env={"HOME": str(self.home), "PATH": path, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"},
            input="".join(f"{answer}\n" for answer in answers),
            capture_output=True,
            encoding="utf-8",
            start_new_session=True,  # or the key is asked for at the terminal of the tests
            timeout=60,
        )
        assert done.returncode == 0 and KEY not in done.stdout, done.stdout + done.stderr

    def files_that_tell_the_key(self) -> list:
        files = {**contents(self.project), **contents(self.home)}
        own = "tests/helpers/fake_awardco.py"  # where it comes from
        return [name for name, data in files.items() if KEY.encode() in data and name != own]


@pytest.fixture(scope="module")
def served():
    with FakeAwardco(users(120)) as api:
        yield api


@pytest.fixture(scope="module")
def desk(tmp_path_factory, served):
    """A desk whose configuration.json `fivetran configuration` has written."""
    desk, given = Desk(tmp_path_factory.mktemp("desk")), {"api_key": KEY, "base_url": served.url}
    overwrite = "y"  # the clone has one, with placeholders
    desk.fill_in([overwrite, *(given.get(field.name, "") for field in form().fields)])
    return desk


def test_what_the_form_wrote_is_what_fivetran_debug_needs_and_shows_no_key(desk):
    stored = json.loads((desk.project / "configuration.json").read_text())
    assert sorted(stored) == sorted(field.name for field in form().fields)
    assert stored["api_key"].startswith("fivetran_encrypted:")
    run = desk.fivetran("debug")
    assert run.status == 0 and "Synced 120 users" in run.output, run.output
    assert KEY not in run.output and desk.files_that_tell_the_key() == []


def test_all_setup_tests_pass_with_five_requests_and_exit_0(desk, served):
    served.requests.clear()
    run = desk.fivetran("configuration", "--test")
    assert run.status == 0, run.output
    for name, label in TESTS.items():
        assert f"[{name} - {label}]: PASSED" in run.output
    assert len(served.requests) == 5
    assert KEY not in run.output


def test_a_setup_test_that_fails_exits_1_with_its_message_and_stops(desk, served, monkeypatch):
    monkeypatch.setattr(served, "key", "a-newer-key-of-the-tenant-52")
    run = desk.fivetran("configuration", "--test")
    assert run.status == 1
    assert re.search(
        r"\[connection_test - .*\]: .*HTTP 401; the API said: .*; check api_key", run.output
    )
    assert "users_test" not in run.output
    # Not the terminal, not a crash report, not any other file that the run left.
    assert KEY not in run.output and "Traceback" not in run.output
    assert desk.files_that_tell_the_key() == []
    reports = {path.name for path in (desk.project / "crash-reports").iterdir()}
    assert reports == {"crash_20260301-120000.log"}  # the one that copy_project put there
