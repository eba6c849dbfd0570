"""What people paste is understood or refused, before any request and without showing it."""

import json
from contextlib import suppress
from pathlib import Path
from time import process_time
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

import connector
from fake_awardco import KEY, PAGE_PARAM, PATH, PER_PAGE_PARAM, UPDATED_SINCE, key_header, users
from harness import Memory

URL = "https://api.example.com"
REQUIRED = {"api_key": KEY, "base_url": URL}
UNSET = ["", None, " <SOME_PLACEHOLDER> ", "“ ‘’ ”"]
SECRET = "s3cr3t/7Qx"


def checked(**configuration) -> dict:
    return connector.validate_configuration({**REQUIRED, **configuration})


@pytest.fixture
def sent(monkeypatch):
    """The addresses that requests were sent to; there must be none."""
    addresses = []

    def send(adapter, request, **_):
        addresses.append(request.url)
        raise requests.ConnectionError()

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return addresses


def refusal(sent, **configuration) -> str:
    """The message with which a sync refuses a configuration, before it does anything."""
    destination = Memory()
    with pytest.raises(connector.ConfigurationError) as caught:
        destination.sync(**{**REQUIRED, **configuration})
    assert sent == [] and destination.operations == []
    return str(caught.value)


# --- what is understood


@pytest.mark.parametrize("unset", UNSET)
def test_an_optional_setting_left_unset_has_its_default(unset):
    names = ("updated_since_param", "use_mock", "source", "full_sync_days")
    assert checked(**dict.fromkeys(names, unset)) == checked()
    assert checked()["source"] == "users"
    assert checked()["updated_since_param"] == UPDATED_SINCE
    assert checked()["base_url"] == URL


@pytest.mark.parametrize("pasted", [f" {URL}\n", f"{URL}//", f"{URL}/api/", f"{URL}{PATH}"])
def test_an_address_is_understood_however_it_was_pasted(pasted):
    assert checked(base_url=pasted)["base_url"] == URL


@pytest.mark.parametrize("around", ["'{}'", "\n“ '{}\t’”\r\n", '"{}'])
def test_quotation_marks_around_a_value_are_dropped_as_spaces_are(around):
    """They come along from a mail, a JSON file or a command line."""
    values = {**REQUIRED, "updated_since_param": "modified_after", "use_mock": "false"}
    pasted = {name: around.format(value) for name, value in values.items()}
    assert connector.validate_configuration(pasted) == connector.validate_configuration(values)


def test_a_quotation_mark_inside_a_value_is_kept():
    assert checked(api_key="""'k"e'y" """)["api_key"] == """k"e'y"""
    assert checked(updated_since_param="a'b")["updated_since_param"] == "a'b"


@pytest.mark.parametrize("url", ["https://api:8443/awardco", "https://example.com/apis"])
def test_no_other_part_of_an_address_is_lost(url):
    assert checked(base_url=url)["base_url"] == url


@settings(deadline=None)
@given(
    host=st.sampled_from(["api", "api.example.com", "users", "example.com:8443"]),
    path=st.lists(st.sampled_from(["", "api", "users", "v1", "apis"]), max_size=4),
)
@example("api", ["users"])
def test_requests_go_to_the_host_that_was_given(host, path):
    base_url = checked(base_url="/".join([f"https://{host}", *path]))["base_url"]
    assert urlsplit(base_url)[:2] == ("https", host)


@pytest.mark.parametrize("url", ["HTTP://LOCALHOST:8080", "http://127.8.8.8:1", "http://[::1]:9"])
def test_http_will_do_for_this_machine(url):
    assert checked(base_url=url)["base_url"] == url


def test_mock_mode_needs_neither_key_nor_address():
    assert connector.validate_configuration({"use_mock": " True\n"})["api_key"] == "mock"


def test_a_sync_does_with_what_people_paste(project, api):
    api.users = users(3)
    outcome = project.sync(
        api_key=f"\t“{KEY}” \n",
        base_url=f" '{api.url}/api/' ",
        updated_since_param=" <OPTIONAL> ",
        use_mock=" False ",
    )
    assert not outcome.failed and len(outcome.rows) == 3
    assert all(key_header().items() <= headers.items() for headers in api.headers)


# --- what is refused

ADDRESS = "the address of Awardco's API, such as https://api.awardco.com"
MACHINES = "127.0.0.1.example.com localhost.example.com 127.999.999.999 127.0.0.256 127.1"
PASTED = "https://me:pass@host https://h/?key=1 https://h#top https://h\\@127.0.0.1"
REFUSED = {  # what is wrong and the remedy: of which values
    "api_key is missing: copy the key of your Awardco tenant, or set use_mock to true": UNSET,
    "api_key cannot be used: it is encrypted; run `fivetran debug`": ["fivetran_encrypted:aBcD9="],
    "api_key cannot be used: copy it again, without spaces, line breaks or accents": [
        *("left right", "left\r\nright", "clé", "k\x7f", "to\u212aen")
    ],
    f"base_url is missing: set it to {ADDRESS}": UNSET,
    f"base_url cannot be used: begin it with https://, as in {ADDRESS}": [
        *("api.example.com", "ftp://api.example.com", "https:\\\\h", "http\u017f://h")
    ],
    f"base_url cannot be used: it names no host; set it to {ADDRESS}": [
        *("https://", "https://:8443", "https:///api")
    ],
    "base_url cannot be used: leave out user name, query, blanks and backslashes, as in the": [
        *PASTED.split(),
        "https://host name",
    ],
    "base_url cannot be used: http would send the key unencrypted; use https://": [
        *(f"http://{host}" for host in MACHINES.split()),
        "HTTP://10.0.0.1",
    ],
    "source cannot be used: set it to users or report": ["report9", "u\u017fers", "mock"],
    "updated_since_param cannot be used: set it to the name of the filter, not of another one": [
        *(PAGE_PARAM, f" {PER_PAGE_PARAM.title()} ")
    ],
    "full_sync_days cannot be used: set it to a whole number of days from 1, or leave it blank": [
        *("0", "1.5", "a week", "100000", "٣")
    ],
    "use_mock cannot be used: set it to true or false": ["yes", "1", "fal\u017fe"],
}


@pytest.mark.parametrize("remedy", REFUSED, ids=lambda remedy: remedy[:50])
def test_a_useless_setting_is_refused_by_name_with_a_remedy(sent, remedy):
    name = remedy.partition(" ")[0]
    for value in REFUSED[remedy]:
        assert refusal(sent, **{name: value}).startswith(remedy), value


@pytest.mark.parametrize("sign", [" ", "'", "“\n", "/", "/api", "a ", "<", "1", ":"])
def test_a_long_setting_is_read_in_linear_time(sign):
    for name in ("api_key", "base_url", "source", "updated_since_param", "full_sync_days"):
        begin = process_time()
        with suppress(connector.ConfigurationError):
            checked(**{name: f"https://a{sign * (1_000_000 // len(sign))}a"})
        assert process_time() - begin < 1, name


def test_a_setting_that_nothing_reads_is_named_unless_its_name_may_be_a_secret(in_memory, api):
    """full_sync_day passes every test; a proxy agent of Fivetran's sets host and hosts."""
    api.users, other = users(3), {"host": "h", "hosts": "[]"}
    wrong = {"full_sync_day": "7", "s3cr3t": "1", "x" * 41: "2", "a-b": "3", **other}
    in_memory.sync(api, **wrong)
    (warning,) = in_memory.destination.warnings
    assert "not know these settings: `full_sync_day`; correct the name" in warning
    assert "the value null" in warning and in_memory.lines.count(warning) == 1
    in_memory.sync(api, **{"Bearer-s3cr3t": "1"}, **other)
    assert ["not named" in told for told in in_memory.destination.warnings] == [True]
    in_memory.lines.clear()
    assert connector.connector.run_test("users_test", {**REQUIRED, "base_url": api.url, **wrong})
    assert in_memory.lines == [warning]  # a setup test has no dashboard


@pytest.mark.parametrize("deployment", [None, "hybrid"])
def test_made_up_people_never_reach_a_warehouse(sent, monkeypatch, deployment):
    monkeypatch.delenv("FIVETRAN_DEPLOYMENT_MODEL")
    if deployment is not None:
        monkeypatch.setenv("FIVETRAN_DEPLOYMENT_MODEL", deployment)
    message = refusal(sent, use_mock="true")
    assert message.startswith("use_mock") and "remove it" in message


def test_the_configuration_as_it_is_cloned_says_what_to_set(project, sent):
    path = Path(connector.__file__).with_name("configuration.json")
    configuration = json.loads(path.read_text())
    if not all(value.startswith("<") and value.endswith(">") for value in configuration.values()):
        pytest.skip("configuration.json has been filled in")
    outcome = project.sync(**configuration)
    assert outcome.failed and sent == []
    assert outcome.log_lines("Error: Connector Sdk Task. Message: api_key is missing")
    assert outcome.state == {} and outcome.rows == {}


# --- what a refusal shows

junk = st.text(st.characters(codec="utf-8") | st.sampled_from("/:@?#<>[]%\\ \r\n"), max_size=12)
starts = st.sampled_from(["", "https://", "http://", "https://h", "https://u:", "https://h/?k="])


@settings(deadline=None)
@given(
    name=st.sampled_from(["api_key", "base_url", "updated_since_param", "use_mock"]),
    value=st.builds("{}{}{}{}".format, starts, junk, st.just(SECRET), junk),
)
@example("api_key", f"{SECRET}\n{SECRET}")
@example("base_url", f"https://u:{SECRET}@h")
@example("base_url", f"https://h:{SECRET}")
@example("base_url", f"https://[{SECRET}")
@example("base_url", f"http://{SECRET}")
def test_a_refusal_shows_no_value(name, value):
    """People paste keys into the wrong field."""
    try:
        checked(**{name: value})
    except connector.ConfigurationError as refusal:
        assert name in str(refusal) and SECRET not in str(refusal)
        assert refusal.__context__ is None  # a crash report shows those too
