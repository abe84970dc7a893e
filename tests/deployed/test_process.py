"""`provisioner` as a process: whatever its environment is, it ends in a sentence and a remedy."""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from provisioner.locate import NEEDED
from tests.deployed.checkout import ROOT
from tests.deployed.operator_commands import Operator

NOWHERE = "/nowhere/at/all"
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no such locale": {"LC_ALL": "zz_ZZ.KOI8"},
    "ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "UTF-16": {"PYTHONIOENCODING": "utf-16"},
    "dumb terminal": {"TERM": "dumb"},
    "no terminal": {"TERM": ""},
    "no width": {"COLUMNS": "0", "LINES": "x", "TERMINAL_WIDTH": "x"},
    "colours in a pipe": {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "NO_COLOR": ""},
    "no rich": {"TYPER_USE_RICH": "0"},
    "a proxy for all, and a range": {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "NO_PROXY": "10.0.0.0/8,fd00::/8,[fd00::]/8",
    },
    "a proxy that is none": {
        "https_proxy": "http://[::1",
        "http_proxy": "what://",
        "no_proxy": "[",
    },
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
    "no home": {"HOME": NOWHERE, "TMPDIR": NOWHERE, "PATH": ""},
    "Lambda's": {"AWS_LAMBDA_RUNTIME_API": "x", "POWERTOOLS_LOGGER_SAMPLE_RATE": "x"},
    "no log level": {"POWERTOOLS_LOG_LEVEL": "none", "POWERTOOLS_DEV": "what"},
    "no time zone": {"TZ": "Nowhere/Atall"},
    "warnings": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "provisioner", *arguments]


def environment(base: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    paths = {"PATH": os.defpath, "HOME": "/", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return {**paths, **base, **changes}


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
        timeout=60,
    )

    encoding = "utf-16" if name == "UTF-16" else "utf-8"
    out, err = ran.stdout.decode(encoding), ran.stderr.decode(encoding)
    assert "Traceback" not in err
    assert "fault of this program" not in err
    assert ran.returncode == 1, (out, err)  # the webhook is not connected
    told = json.loads(out or err)
    if isinstance(told, dict):
        assert told["error"]
        assert told["remedy"]
    else:
        assert {one["check"] for one in told} >= {"stack", "secret", "queue"}
        assert all(one["remedy"] for one in told if one["level"] == "error")


@pytest.mark.parametrize(
    "redirection",
    ["<&-", ">&-", "2>&-", "<&- 2>&-", "> /dev/full", "2> /dev/full", "| true", "2>&1 | true"],
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
        timeout=60,
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


class Hanging(http.server.BaseHTTPRequestHandler):
    """AWS that finds a stack and then says no more, until the test is over."""

    over = threading.Event()
    asked = threading.Event()

    def do_POST(self) -> None:
        """Answer DescribeStacks, and hold everything else."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if parse_qs(body.decode()).get("Action") == ["DescribeStacks"]:
            self._found()
        else:
            self.asked.set()
            self.over.wait()
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _found(self) -> None:
        def members(kind: str, values: Mapping[str, str]) -> str:
            return "".join(
                f"<member><{kind}Key>{k}</{kind}Key><{kind}Value>{v}</{kind}Value></member>"
                for k, v in values.items()
            )

        outputs = dict.fromkeys(NEEDED, "http://127.0.0.1:1")
        parameters = {"McpServerIds": "*", "ComposioBaseUrl": "http://127.0.0.1:1"}
        body = (
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
            "<StackName>here</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
            f"<Outputs>{members('Output', outputs)}</Outputs>"
            f"<Parameters>{members('Parameter', parameters)}</Parameters>"
            "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hanging() -> Iterator[str]:
    Hanging.over.clear()
    Hanging.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Hanging.over.set()
        server.shutdown()
        thread.join()


def ended_by(running: subprocess.Popen[bytes], number: signal.Signals) -> tuple[float, int, bytes]:
    """Send a signal, and return the seconds until the end, the exit code and what was said."""
    began = time.monotonic()
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    return time.monotonic() - began, running.returncode, said


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["user", "user_1"],
        ["doctor"],
        ["watch"],
        ["events"],
        ["logs", "--follow"],
        ["retry", "--all-failed"],
        ["dead-letters", "show"],
        ["send"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_ctrl_c_ends_it_within_a_second(
    arguments: list[str], number: signal.Signals, hanging: str, tmp_path: Path
) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "r"}
    with subprocess.Popen(  # noqa: S603 - our own
        command("--stack-name", "here", *arguments),
        cwd=tmp_path,
        env=environment(credentials, {"AWS_ENDPOINT_URL": hanging}),
        stderr=subprocess.PIPE,
    ) as running:
        assert Hanging.asked.wait(20)
        time.sleep(0.2)
        took, code, said = ended_by(running, number)
    assert (code, said) == (128 + number, b"")
    if number is signal.SIGINT:
        assert took < 1.2


def test_ctrl_c_ends_also_what_cannot_be_interrupted() -> None:
    endless = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
    program = (
        f"from provisioner import interrupt; interrupt.install(); print(flush=True); {endless}"
    )
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", program],
        env=environment({}, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        running.stdout.readline()
        time.sleep(0.5)
        took, code, said = ended_by(running, signal.SIGINT)
    assert (code, said) == (130, b"")
    assert took < 1.2


def test_ctrl_c_during_the_start_is_no_traceback(tmp_path: Path) -> None:
    for delay in (0.05, 0.15, 0.3):
        with (
            contextlib.suppress(subprocess.TimeoutExpired),
            subprocess.Popen(  # noqa: S603 - our own
                command("--help"),
                cwd=tmp_path,
                env=environment({}, {}),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as running,
        ):
            time.sleep(delay)
            _, code, said = ended_by(running, signal.SIGINT)
            # Python itself was not started yet, or the program: then there is nothing to end.
            assert b"provisioner" not in said or code in {0, 130}, said


def test_sigterm_lets_a_background_job_clean_up_and_ctrl_c_is_not_for_it() -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from provisioner import interrupt; interrupt.install()\n"
        "try: print(flush=True); time.sleep(30)\n"
        "finally: print('cleaned up')"
    )
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", program], env=environment({}, {}), stdout=subprocess.PIPE
    ) as running:
        assert running.stdout
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=30)[0] == b"cleaned up\n"
    assert running.returncode == 143
