"""A real Iceberg REST catalog on 127.0.0.1, from PyPI, and the environment in which to use it.

SeaweedFS is the catalog and its S3 storage. DuckDB's extensions come from PyPI too, because a test
may reach no more than a package registry. `query` asks DuckDB in a process of its own, because the
one that the extensions fit is not the one that the tests import.
"""

import json
import os
import platform
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

from quiet_home import make_quiet_home

REQUIREMENTS = Path(__file__).parents[1] / "requirements-iceberg.txt"
DUCKDB_PLATFORMS = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}
CLIENT_ID, CLIENT_SECRET = "catalog-client", "a-secret-0f-the-catalog-61"
S3_KEY_ID, S3_SECRET = "storage-key", "a-secret-0f-the-storage-72"
PORTS = ["master.port", "volume.port", "filer.port", "admin.port", "s3.port", "s3.port.iceberg"]
ROLE = "arn:aws:iam::000000000000:role/Vended"


def _policy(**statement) -> dict:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def _identity(key: str, secret: str) -> dict:
    credentials = [{"accessKey": key, "secretKey": secret}]
    return {"name": key, "credentials": credentials, "actions": ["Admin"]}


IAM = {
    "identities": [_identity(CLIENT_ID, CLIENT_SECRET), _identity(S3_KEY_ID, S3_SECRET)],
    "sts": {"tokenDuration": "1h", "issuer": "tests", "signingKey": "YS1zaWduaW5nLWtleS04Mw=="},
    "policies": [{"name": "Anything", "document": _policy(Action=["*"], Resource=["*"])}],
    # With any other trust the catalog vends no credentials, and says so only in its own log.
    "roles": [
        {
            "roleName": "Vended",
            "roleArn": ROLE,
            "trustPolicy": _policy(
                Principal={"Federated": "iceberg-catalog"},
                Action=["sts:AssumeRoleWithCredentials"],
            ),
            "attachedPolicies": ["Anything"],
        }
    ],
}


# --- Its clients ---------------------------------------------------------------------------------


def environment_with(packages: Path, home: Path) -> dict:
    """A home folder that holds the extensions, and the variables that lead to the packages."""
    make_quiet_home(home)
    for extension in packages.glob("duckdb_extension_*/extensions/*/*.duckdb_extension"):
        version = extension.parent.name
        kind = DUCKDB_PLATFORMS[platform.machine()]
        place = home / ".duckdb" / "extensions" / version / kind / extension.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(extension)
    return {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(packages)}


# --- The catalog ---------------------------------------------------------------------------------


class Catalog:
    """A catalog with one warehouse. It serves from entry to exit, and starts empty.

    Where it vends no credentials, its clients need a key of its storage.
    """

    def __init__(self, packages: Path, folder: Path, warehouse: str, vends: bool = True):
        self.packages, self.folder = packages, folder
        self.warehouse, self.vends = warehouse, vends

    def __enter__(self):
        for _ in range(3):  # another process may take a port first
            self._start()
            try:
                if self._comes_up():
                    return self
            except BaseException:
                self.kill()
                raise
            self.kill()
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port_of('s3.port.iceberg')}"

    @property
    def s3_endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port_of('s3.port')}"

    def _start(self):
        self.port = _free_ports(len(PORTS))
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("data", "home"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "iam.json").write_text(json.dumps(IAM))
        command = [self.packages / "bin" / "weed", "mini"]
        command += [f"-{name}={value}" for name, value in self._options().items()]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "home")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _options(self) -> dict:
        return {
            "dir": "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "tableBucket": self.warehouse,
            "s3.config": "iam.json",
            "s3.iam.config": "iam.json",
            "s3.externalUrl": self.s3_endpoint,
            "s3.iceberg.credentialRole": ROLE if self.vends else "",
            "s3.port.lance": "0",
            "admin.ui": "false",
            "webdav": "false",
            **{name: self._port_of(name) for name in PORTS},
        }

    def _port_of(self, name: str) -> int:
        return self.port + PORTS.index(name)

    def _comes_up(self) -> bool:
        """Wait until it can be used, which is later than its port opens; False if it ended."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if self._lists_namespaces():
                    return True
            except (requests.RequestException, KeyError):
                pass
            time.sleep(0.05)
        return False

    def _lists_namespaces(self) -> bool:
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        form = {"grant_type": "client_credentials", **client}
        namespaces = f"{self.uri}/v1/{self.warehouse}/namespaces"
        with requests.Session() as session:
            session.trust_env = False  # no proxy
            granted = session.post(f"{self.uri}/v1/oauth/tokens", data=form, timeout=5)
            headers = {"Authorization": f"Bearer {granted.json()['access_token']}"}
            return session.get(namespaces, headers=headers, timeout=5).status_code == 200


def _free_ports(count: int) -> int:
    """The first of `count` free ports in a row; SeaweedFS also takes each one's port + 10000.

    Below 32768, from where on a system gives ports to whoever asks for any.
    """
    while True:
        first = random.SystemRandom().randrange(11000, 22000)
        wanted = range(first, first + count)
        if all(_is_free(port) and _is_free(port + 10000) for port in wanted):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# --- Reading it ----------------------------------------------------------------------------------


def query(sql: str, destination: dict, environment: dict) -> list:
    """Ask DuckDB about the catalog that a destination.json describes, which is `lake` in SQL.

    Returns:
        A list of rows, each a dict; times are text in ISO 8601.
    """
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps({"sql": sql, "destination": destination}),
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _answer():
    import duckdb

    asked = json.load(sys.stdin)
    catalog = {name: os.path.expandvars(text) for name, text in asked["destination"].items()}
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("LOAD httpfs; LOAD iceberg")
        con.execute(
            "CREATE SECRET catalog (TYPE iceberg, "
            f"CLIENT_ID '{catalog['client_id']}', CLIENT_SECRET '{catalog['client_secret']}', "
            f"OAUTH2_SERVER_URI '{catalog['uri']}/v1/oauth/tokens')"
        )
        mode = "vended_credentials"
        if "s3.endpoint" in catalog:
            mode = "none"
            con.execute(
                f"CREATE SECRET storage (TYPE s3, REGION '{catalog['s3.region']}', "
                f"KEY_ID '{catalog['s3.access-key-id']}', "
                f"SECRET '{catalog['s3.secret-access-key']}', "
                f"ENDPOINT '{catalog['s3.endpoint'].partition('://')[2]}', "
                "URL_STYLE path, USE_SSL false)"
            )
        con.execute(
            f"ATTACH '{catalog['warehouse']}' AS lake (TYPE iceberg, SECRET catalog, "
            f"ENDPOINT '{catalog['uri']}', ACCESS_DELEGATION_MODE '{mode}')"
        )
        found = con.execute(asked["sql"])
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    json.dump(rows, sys.stdout, default=lambda value: value.isoformat())


if __name__ == "__main__":
    _answer()
