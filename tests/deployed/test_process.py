"""`provisioner` as a process: in any environment it works, or says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployed.checkout import ROOT
from tests.deployed.operator_commands import Operator
from tests.deployed.processes import command, environment

NOWHERE = "/nowhere/at/all"

UNTOUCHED: dict[str, dict[str, str]] = {
    "C locale, dumb terminal without a width": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TERM": "dumb",
        "COLUMNS": "0",
        "LINES": "x",
        "TERMINAL_WIDTH": "x",
    },
    "ASCII, unknown locale and time zone": {
        "PYTHONIOENCODING": "ascii:strict",
        "LC_ALL": "zz_ZZ.KOI8",
        "TZ": "Nowhere/Atall",
    },
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
    "colours in a pipe, no terminal, no rich": {
        "FORCE_COLOR": "1",
        "TTY_COMPATIBLE": "1",
        "NO_COLOR": "",
        "TERM": "",
        "TYPER_USE_RICH": "0",
    },
    "proxies, but not for this machine": {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "NO_PROXY": "127.0.0.1,10.0.0.0/8,fd00::/8,[fd00::]/8",
    },
    "no home, Lambda's variables, warnings": {
        "HOME": NOWHERE,
        "TMPDIR": NOWHERE,
        "PATH": "",
        "AWS_LAMBDA_RUNTIME_API": "x",
        "POWERTOOLS_LOGGER_SAMPLE_RATE": "x",
        "POWERTOOLS_LOG_LEVEL": "none",
        "POWERTOOLS_DEV": "what",
        "PYTHONWARNINGS": "error",
        "PYTHONDEVMODE": "1",
    },
}
"""In each of these, the command works."""

ENVIRONMENTS: dict[str, dict[str, str]] = {
    **UNTOUCHED,
    "a proxy for all": {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "fd00::/8,[fd00::]/8"},
    "no proxy": {"https_proxy": "http://[::1", "http_proxy": "what://", "no_proxy": "["},
    "SOCKS": {"ALL_PROXY": "socks5://127.0.0.1:1"},
    "no authorities": {"SSL_CERT_FILE": NOWHERE},
    "no authorities of AWS": {"AWS_CA_BUNDLE": NOWHERE, "REQUESTS_CA_BUNDLE": NOWHERE},
    "no key log": {"SSLKEYLOGFILE": f"{NOWHERE}/keys"},
    "no profile": {"AWS_PROFILE": "none"},
    "no configuration": {"AWS_CONFIG_FILE": str(ROOT / "LICENSE")},
    "no credentials file": {"AWS_SHARED_CREDENTIALS_FILE": str(ROOT / "LICENSE")},
    "no region": {"AWS_REGION": "no region!"},
    "no endpoint": {"AWS_ENDPOINT_URL": "nonsense"},
    "another endpoint": {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"},
    "no retry mode": {"AWS_RETRY_MODE": "none"},
    "no number of attempts": {"AWS_MAX_ATTEMPTS": "x"},
    "no defaults mode": {"AWS_DEFAULTS_MODE": "none"},
    "half of a key": {"AWS_SECRET_ACCESS_KEY": ""},
    "a web identity": {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_ROLE_ARN": "x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": NOWHERE,
    },
    "credentials of a container": {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.invalid",
    },
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_in_any_environment_it_works_or_says_what_to_do(
    name: str, operator: Operator, tmp_path: Path
) -> None:
    ran = subprocess.run(  # noqa: S603 - our own
        command("doctor", "--json"),
        cwd=tmp_path,
        env=environment(operator.environment, ENVIRONMENTS[name]),
        capture_output=True,
        check=False,
    )

    encoding = "utf-16" if name == "UTF-16" else "utf-8"
    out, err = ran.stdout.decode(encoding), ran.stderr.decode(encoding)
    assert "Traceback" not in err
    assert "fault of this program" not in err
    assert ran.returncode == 1, (out, err)  # the webhook is not connected
    result = json.loads(out or err)
    if isinstance(result, dict):
        assert name not in UNTOUCHED
        assert result["error"]
        assert result["remedy"]
    else:
        assert {one["check"] for one in result} >= {"stack", "secret", "queue"}
        assert all(one["remedy"] for one in result if one["level"] == "error")


@pytest.mark.parametrize(
    "redirection", [">&-", "<&- 2>&-", "> /dev/full", "2> /dev/full", "2>&1 | true"]
)
def test_with_any_streams_it_ends_in_order(
    redirection: str, operator: Operator, tmp_path: Path
) -> None:
    script = f'"$0" -m provisioner list {redirection}; echo "ended ${{PIPESTATUS[0]}}"'
    ran = subprocess.run(  # noqa: S603 - our own
        ["/bin/bash", "-c", script, sys.executable],
        cwd=tmp_path,
        env=environment(operator.environment, {}),
        capture_output=True,
        text=True,
        check=False,
    )

    *_, last = ran.stdout.splitlines()
    assert last in {"ended 0", "ended 1"}
    assert "Traceback" not in ran.stderr + ran.stdout
    assert "Exception ignored" not in ran.stderr
    if ">&-" in redirection.split() or redirection == "> /dev/full":
        assert last == "ended 1"
        assert "→" in ran.stderr


def test_in_a_folder_that_is_gone_it_works(operator: Operator, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'rmdir "$1"; "$0" -m provisioner list'
    ran = subprocess.run(  # noqa: S603 - our own
        ["/bin/sh", "-c", script, sys.executable, folder],
        cwd=folder,
        env=environment(operator.environment, {}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("0 in all" in ran.stdout, ran.returncode) == (True, 0), ran.stderr
