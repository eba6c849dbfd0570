"""A stand-in for Fivetran's REST API on 127.0.0.1, and the command line run against it.

`FivetranApi` answers the calls that `fivetran deploy` makes, and no others. It was written from
its source: connector_helper.py, resolution.py, migration.py of fivetran_connector_sdk_cli 3.0.0.
"""

import fnmatch
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from base64 import b64encode
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

from quiet_home import make_quiet_home

PROJECT = Path(__file__).parents[2]
STUB_PIPREQS = PROJECT / "tests" / "tools" / "bin"
VENV_BIN = Path(sys.executable).parent
DEPLOY_KEY = b64encode(b"a-deploy-key-1:and-its-deploy-secret-2").decode()
AWARDCO_KEY = "an-awardco-key-that-must-stay-here-3"
SETTINGS = {"api_key": AWARDCO_KEY, "base_url": "https://awardco.example"}
GROUP = {"id": "group_one", "name": "Warehouse"}
CONNECTION_NAME = "awardco"
DEPLOY = {  # the environment of a deploy
    "FIVETRAN_API_KEY": DEPLOY_KEY,
    "FIVETRAN_DESTINATION_NAME": GROUP["name"],
    "FIVETRAN_CONNECTION_NAME": CONNECTION_NAME,
    "FIVETRAN_CONFIGURATION": "configuration.local.json",
}
SUFFIXES = ["bak", "old", "txt", "yaml", "mine", "prod", "json~", "json.orig", "py.bak"]
COPIES = [  # which people, editors and browsers leave beside a file that holds a key
    *(f"configuration.{suffix}" for suffix in SUFFIXES),
    "#configuration.json#",
    ".configuration.json.swp",
    "CONFIG.YML",
    "Configuration.json",
    "Destination.old",
    "api.awardco.com.har",
    "config.json",
    "config/prod",
    "configuration",
    "configuration (1).json",
    "configuration~",
    "destination.json.bak",
    "docs/awardco-config.toml",
    "prod.env~",
]


# --- The project and the command line ------------------------------------------------------------


def copy_project(folder: Path) -> Path:
    """A copy of the project, with what work leaves behind: a warehouse, crash reports, keys."""
    project = Path(shutil.copytree(PROJECT, folder / "awardco-users", ignore=not_of_the_project))
    for name, text in {
        **dict.fromkeys(COPIES, AWARDCO_KEY),  # first: not every system tells Configuration.json
        "files/warehouse.db": "rows of people",
        "crash-reports/crash_20260301-120000.log": "rows of people",
        "configuration.json": json.dumps(SETTINGS),  # where `fivetran configuration` puts them
        "configuration.local.json": json.dumps(SETTINGS),
        ".env": f"FIVETRAN_API_KEY={DEPLOY_KEY}",
        "another-venv/pyvenv.cfg": "home = /usr/bin",
        "another-venv/site.py": "import a_package_of_the_venv",
    }.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    return project


def not_of_the_project(folder: str, names: list) -> set:
    """Names to leave out of a copy: what tools make, and where a developer may keep real keys."""
    kinds = [".git", *(kind.rstrip("/") for kind in ignored_kinds())]
    found = {name for kind in kinds for name in fnmatch.filter(names, kind)}
    return found - {"configuration.json"}


def ignored_kinds() -> list:
    lines = (PROJECT / ".gitignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def contents(project: Path) -> dict:
    """Every file's bytes, by its path in the project; without what Python compiles."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@dataclass
class Run:
    """What a command did, as a user sees it."""

    status: int
    output: str  # and errors, in the order in which they were printed


def run_fivetran(project: Path, *arguments, api=None, pipreqs=STUB_PIPREQS, **environment) -> Run:
    """Run `fivetran` with a new home folder, no terminal, and no way off this machine."""
    shutil.rmtree(project.parent / "home", ignore_errors=True)
    home = make_quiet_home(project.parent / "home")
    if api:
        settings = home / ".fivetran" / "connector_sdk" / "_config.json"
        known = json.loads(settings.read_text())
        settings.write_text(json.dumps({**known, "production_base_url": api.url}))
    path = os.pathsep.join([str(pipreqs), str(VENV_BIN), os.defpath])
    nowhere = "http://127.0.0.1:9"
    variables = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PATH": path,
        "PYTHONUTF8": "1",
        "DO_NOT_TRACK": "1",
        "CI": "true",  # else a deploy saves the settings of every connection in the home folder
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1",
        **environment,
    }
    done = subprocess.run(
        [shutil.which("fivetran", path=path), *arguments],
        cwd=project,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    return Run(done.returncode, done.stdout)


# --- The REST API --------------------------------------------------------------------------------


@dataclass
class Call:
    """A request as it came in."""

    method: str
    path: str
    query: dict
    body: bytes
    content_type: str

    @property
    def payload(self) -> dict:
        return json.loads(self.body)

    @property
    def uploaded(self) -> bytes:
        """The bytes of the multipart field `file`."""
        boundary = re.search("boundary=(.+)", self.content_type).group(1).encode()
        (part,) = self.body.split(b"--" + boundary)[1:-1]
        head, data = part.split(b"\r\n\r\n", 1)
        assert b'name="file"' in head
        return data[: -len(b"\r\n")]


class FivetranApi:
    """Fivetran's REST API on 127.0.0.1, with one destination and, at first, nothing in it."""

    def __init__(self):
        self.connections = {}  # identifier to its data, as the API returns it
        self.packages = {}  # identifier to the files in it, as a dict of bytes by name
        self.calls = []
        self.unknown = []  # calls that the stand-in has no answer for: the command line hides some
        self.setup_tests = [{"title": "The API answers", "status": "PASSED", "message": ""}]
        self.refusal = None  # the message with which connections are neither made nor changed
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *problem):
        self._server.shutdown()
        self._server.server_close()

    def sent(self, method: str, path: str = "") -> list:
        """The calls of a method whose path ends so."""
        return [call for call in self.calls if call.method == method and call.path.endswith(path)]

    def fail_a_setup_test(self, title: str, message: str):
        self.setup_tests += [{"title": title, "status": "FAILED", "message": message}]

    def answer(self, call: Call) -> tuple:
        """A status, and either data or, for an error, a message."""
        for method, path, respond in _ROUTES:
            found = re.fullmatch(path, call.path)
            if found and method == call.method:
                return respond(self, call, *found.groups())
        self.unknown.append(call)
        return 404, f"The stand-in knows no {call.method} {call.path}"

    def _groups(self, call: Call):
        return 200, {"items": [GROUP]}

    def _connections_of(self, call: Call, group: str):
        (name,) = call.query["schema"]
        found = [each for each in self.connections.values() if each["schema"] == name]
        return 200, {"items": found}

    def _destination(self, call: Call, group: str):
        return 200, {"id": group, "hybrid_deployment_agent_id": None}

    def _connection(self, call: Call, identifier: str):
        return 200, self.connections[identifier]

    def _to_migrate(self, call: Call):
        return 200, {"items": []}

    def _upload(self, call: Call):
        identifier = f"package_{len(self.packages) + 1}"
        with ZipFile(io.BytesIO(call.uploaded)) as package:
            self.packages[identifier] = {name: package.read(name) for name in package.namelist()}
        return 200, {"id": identifier}

    def _package(self, call: Call, identifier: str):
        users = [
            key
            for key, each in self.connections.items()
            if each["config"]["package_id"] == identifier
        ]
        return 200, {"id": identifier, "connection_ids": users}

    def _delete_package(self, call: Call, identifier: str):
        del self.packages[identifier]
        return 200, {}

    def _create(self, call: Call):
        if self.refusal:
            return 400, self.refusal
        identifier = f"connection_{len(self.connections) + 1}"
        payload = call.payload
        self.connections[identifier] = {
            "id": identifier,
            "service": payload["service"],
            "schema": payload["config"]["schema"],
            "destination_schema_names": payload["destination_schema_names"],
            "config": payload["config"],
        }
        return 201, self._with_setup_tests(identifier)

    def _change(self, call: Call, identifier: str):
        """Since November 2026 a setting that is not given stays; null deletes one."""
        if self.refusal:
            return 400, self.refusal
        config = self.connections[identifier]["config"]
        given = call.payload["config"]
        known = config["secrets_list"] + given["secrets_list"]
        values = {each["key"]: each["value"] for each in known}
        kept = [{"key": key, "value": value} for key, value in values.items() if value is not None]
        config.update(given, secrets_list=kept)
        return 200, self._with_setup_tests(identifier)

    def settings(self, identifier: str = "connection_1") -> dict:
        secrets = self.connections[identifier]["config"]["secrets_list"]
        return {each["key"]: each["value"] for each in secrets}

    def _with_setup_tests(self, identifier: str) -> dict:
        return {**self.connections[identifier], "setup_tests": self.setup_tests}


_ROUTES = [
    ("GET", r"/v1/groups", FivetranApi._groups),
    ("GET", r"/v1/groups/(\w+)/connectors", FivetranApi._connections_of),
    ("GET", r"/v1/destinations/(\w+)", FivetranApi._destination),
    ("GET", r"/v1/connections/(\w+)", FivetranApi._connection),
    ("GET", r"/v1/connectors/(\w+)", FivetranApi._connection),
    ("GET", r"/v1/connector-sdk/migration/connections", FivetranApi._to_migrate),
    ("GET", r"/v1/connector-sdk/packages/(\w+)", FivetranApi._package),
    ("POST", r"/v1/connector-sdk/packages", FivetranApi._upload),
    ("DELETE", r"/v1/connector-sdk/packages/(\w+)", FivetranApi._delete_package),
    ("POST", r"/v1/connectors", FivetranApi._create),
    ("PATCH", r"/v1/connectors/(\w+)", FivetranApi._change),
]


def _handler_for(api: FivetranApi):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self):
            length = int(self.headers.get("Content-Length") or 0)
            url = urlsplit(self.path)
            call = Call(
                self.command,
                url.path,
                parse_qs(url.query),
                self.rfile.read(length),
                self.headers.get("Content-Type", ""),
            )
            api.calls.append(call)
            if self.headers.get("Authorization") != f"Basic {DEPLOY_KEY}":
                status, found = 401, "Invalid authorization credentials"
            else:
                status, found = api.answer(call)
            self._send(status, {"message": found} if status >= 400 else {"data": found})

        do_GET = do_POST = do_PATCH = do_DELETE = _respond

        def _send(self, status: int, answer: dict):
            code = "Success" if status < 400 else "Failed"
            body = json.dumps({"code": code, **answer}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler
