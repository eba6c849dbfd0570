"""Make a home folder in which Fivetran's command line neither looks for news nor tells any.

It would check for newer releases, on a machine that may reach no more than a package registry, and
send usage figures. Used by run_mock.py, and by the tests.
"""

import json
import time
from pathlib import Path


def make_quiet_home(home: Path) -> Path:
    """Write the settings below `home` and return it; they hold for six hours."""
    now = int(time.time())
    sdk = home / ".fivetran" / "connector_sdk"
    core = home / ".fivetran" / "connector_sdk_core"
    sdk.mkdir(parents=True, exist_ok=True)
    core.mkdir(parents=True, exist_ok=True)
    (sdk / "_config.json").write_text(json.dumps({"is_telemetry_enabled": False}))
    (sdk / "_last_version_check").write_text(str(now))
    (core / "_config.json").write_text(
        json.dumps({"lastVersionCheck": now, "licenseNoticeShown": True})
    )
    return home
