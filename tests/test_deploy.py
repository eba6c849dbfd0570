"""`fivetran deploy` as the README has it, against a stand-in for Fivetran's REST API."""

import json
from base64 import b64encode

import pytest

from fivetran_api import (
    AWARDCO_KEY,
    DEPLOY,
    DEPLOY_KEY,
    SETTINGS,
    FivetranApi,
    contents,
    copy_project,
    run_fivetran,
)
from harness import connector

REDEPLOY = ("--python-version", "3.13", "--yes")
SECRETS = [{"key": key, "value": value} for key, value in SETTINGS.items()]


def deploy(project, api, *arguments, **environment):
    return run_fivetran(project, "deploy", *arguments, api=api, **{**DEPLOY, **environment})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("deploy"))


@pytest.fixture
def fivetran():
    with FivetranApi() as api:
        yield api
    assert api.unknown == []


@pytest.fixture
def deployed(fivetran):
    """Fivetran with the connection as a first deploy left it."""
    fivetran.packages["package_1"] = {"connector.py": b""}
    fivetran.connections["connection_1"] = {
        "id": "connection_1",
        "service": "connector_sdk",
        "schema": DEPLOY["FIVETRAN_CONNECTION_NAME"],
        "destination_schema_names": "FIVETRAN_NAMING",
        "config": {"package_id": "package_1", "python_version": "3.14", "secrets_list": SECRETS},
    }
    return fivetran


@pytest.fixture(scope="module")
def first(project):
    """What a first deploy sent and printed, and the files of the project before it."""
    before = contents(project)
    with FivetranApi() as api:
        run = deploy(project, api)
    assert run.status == 0, run.output
    assert api.unknown == []
    return api, run, before


def test_a_first_deploy_makes_a_paused_connection_with_just_the_settings_given(first):
    fivetran, run, _ = first
    assert "✓ connection created" in run.output
    (sent,) = fivetran.sent("POST", "/v1/connectors")
    assert sent.payload["paused"] and sent.payload["run_setup_tests"]
    assert sent.payload["service"] == "connector_sdk"
    assert sent.payload["config"] == {
        "schema": DEPLOY["FIVETRAN_CONNECTION_NAME"],
        "secrets_list": SECRETS,
        "python_version": "3.14",
        "package_id": "package_1",
    }


def test_a_deploy_uploads_the_connector_with_its_form_and_no_tests_or_keys(project, first):
    (package,) = first[0].packages.values()
    assert package["connector.py"] == (project / "connector.py").read_bytes()
    assert b"api_key" in package["configuration_form.pb"]
    assert [name for name in package if name.startswith(("tests/", "files/"))] == []
    assert [name for name, data in package.items() if AWARDCO_KEY.encode() in data] == []


def test_a_deploy_changes_no_file_of_the_project_and_prints_no_key(project, first):
    """Of the deploy key its first 8 characters are shown, which are less than its public half."""
    _, run, before = first
    assert contents(project) == before
    assert f"--api-key {DEPLOY_KEY[:8]}********" in run.output
    assert_prints_no_key(run)


def assert_prints_no_key(run):
    for secret in (AWARDCO_KEY, DEPLOY_KEY, DEPLOY_KEY[8:]):
        assert secret not in run.output


def test_a_first_deploy_from_a_desk_keeps_no_key_in_the_home_folder(project, fivetran):
    """Outside CI the command line saves the options of this and all other connections there."""
    before = contents(project)
    run = deploy(project, fivetran, CI="")
    assert run.status == 0, run.output
    assert contents(project) == before
    home = contents(project.parent / "home")
    assert b'connection = "awardco"' in home[".fivetran/connector_sdk/options.toml"]
    assert [name for name, data in home.items() if AWARDCO_KEY.encode() in data] == []
    assert [name for name, data in home.items() if DEPLOY_KEY.encode() in data] == []


def test_a_redeploy_replaces_code_and_settings_of_the_same_connection(project, deployed):
    run = deploy(project, deployed, *REDEPLOY)
    assert run.status == 0, run.output
    assert "✓ connection updated" in run.output
    assert_prints_no_key(run)
    assert deployed.sent("POST", "/v1/connectors") == []
    (sent,) = deployed.sent("PATCH", "/v1/connectors/connection_1")
    assert sent.payload["config"]["package_id"] == "package_2"
    assert sent.payload["config"]["python_version"] == "3.13"
    assert sent.payload["config"]["secrets_list"] == SECRETS
    assert "connector.py" in deployed.packages["package_2"]


def test_a_redeploy_keeps_the_settings_that_it_does_not_name_and_null_deletes_one(
    project, deployed
):
    """So a setting with a misspelt name stays until it is deployed as null."""
    extra = {"full_sync_days": "7", "full_sync_day": "7"}
    secrets = [{"key": key, "value": value} for key, value in {**SETTINGS, **extra}.items()]
    deployed.connections["connection_1"]["config"]["secrets_list"] = secrets
    deletion = project / "configuration.null.json"
    deletion.write_text('{"full_sync_day": null}')
    run = deploy(project, deployed, *REDEPLOY, FIVETRAN_CONFIGURATION=deletion.name)
    deletion.unlink()
    assert run.status == 0, run.output
    assert deployed.settings() == {**SETTINGS, "full_sync_days": "7"}


def test_a_redeploy_takes_the_python_version_from_the_environment_too(project, deployed):
    run = deploy(project, deployed, "--yes", FIVETRAN_PYTHON_VERSION="3.13")
    assert run.status == 0, run.output
    assert deployed.connections["connection_1"]["config"]["python_version"] == "3.13"


def test_a_redeploy_without_a_python_version_says_so_before_it_uploads(project, deployed):
    run = deploy(project, deployed, "--yes")
    assert run.status == 1
    assert "--python-version is required when deploying to an existing connection" in run.output
    assert deployed.sent("POST") + deployed.sent("PATCH") == []


def test_a_redeploy_without_yes_changes_nothing(project, deployed):
    run = deploy(project, deployed, "--python-version", "3.13", "--non-interactive")
    assert run.status == 1
    assert "update cancelled" in run.output
    assert deployed.sent("POST") + deployed.sent("PATCH") == []


def test_a_redeploy_that_names_no_configuration_would_send_the_placeholders(project, deployed):
    """So the README names it each time; the setup tests, which Fivetran runs, refuse them."""
    placeholders = {"api_key": "<YOUR_AWARDCO_API_KEY>", "base_url": "<YOUR_AWARDCO_BASE_URL>"}
    kept = (project / "configuration.json").read_bytes()
    (project / "configuration.json").write_text(json.dumps(placeholders))
    try:
        deploy(project, deployed, *REDEPLOY, FIVETRAN_CONFIGURATION="")
    finally:
        (project / "configuration.json").write_bytes(kept)
    (sent,) = deployed.sent("PATCH")
    received = {each["key"]: each["value"] for each in sent.payload["config"]["secrets_list"]}
    assert received == placeholders
    with pytest.raises(connector.ConfigurationError, match="api_key is missing"):
        connector.validate_configuration(received)


def test_a_wrong_deploy_key_is_named_and_uploads_nothing(project, fivetran):
    wrong = b64encode(b"a-deploy-key-1:and-a-wrong-secret-4").decode()
    run = deploy(project, fivetran, FIVETRAN_API_KEY=wrong)
    assert run.status == 1
    assert "401" in run.output
    assert "ensure you're using a valid base64-encoded API key" in run.output
    assert wrong not in run.output
    assert fivetran.sent("POST") == []


def test_a_failing_setup_test_ends_a_deploy_with_its_message(project, fivetran):
    """The connection stands all the same: the next deploy is a redeploy, with its options."""
    fivetran.fail_a_setup_test("The API accepts the key", "401: check api_key")
    run = deploy(project, fivetran)
    assert run.status == 1
    assert "connection created but setup tests failed" in run.output
    assert "test: The API accepts the key" in run.output
    assert "message: 401: check api_key" in run.output
    assert list(fivetran.connections) == ["connection_1"]


def test_a_refused_connection_leaves_no_package_behind(project, fivetran):
    fivetran.refusal = "The schema name is taken"
    run = deploy(project, fivetran)
    assert run.status == 1
    assert "failed to create connection error: The schema name is taken" in run.output
    assert len(fivetran.sent("DELETE", "/package_1")) == 1
    assert fivetran.packages == {}
