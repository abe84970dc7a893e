"""A fuzzer that sees which code it reaches finds nothing wrong with signature and envelope.

atheris is made for Linux on x86-64 only (Python 3.12 to 3.14); elsewhere this is left out.
"""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.prove,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not LINUX_X86, reason="there is no atheris for this platform"),
]

SECONDS = 90 if "PROVE" in os.environ else 4


def test_fuzzer_finds_nothing_wrong_with_signature_and_envelope(
    tmp_path: Path, figures: list[str]
) -> None:
    for sample in Path("events").glob("*.json"):
        body = json.loads(sample.read_text()).get("body") or ""
        (tmp_path / sample.stem).write_bytes(body.encode() + b"\0")
    options = [
        f"-max_total_time={SECONDS}",
        "-print_final_stats=1",
        f"-artifact_prefix={tmp_path}/",
    ]
    ran = subprocess.run(  # noqa: S603 - all of it is from here
        [".tools/fuzz/bin/python", "tests/fuzz_envelope.py", *options, tmp_path],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    executed = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
    covered = re.findall(r"cov: (\d+)", ran.stderr)
    assert executed
    assert int(executed[1]) > 1000
    figures.append(f"{int(executed[1]):,} fuzzed inputs, {covered[-1]} edges of the code reached")
