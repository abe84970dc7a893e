"""`sam build` finds a usable uv, or says why it cannot run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEW, OLD = "exit 0", 'echo "unexpected argument" >&2; exit 2'


def command(path: Path, body: str) -> None:
    """Create a uv that prints its path, its arguments and the current folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n[ $1 = run ] && echo "$0|$*|$PWD"\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of what the build needs, in a folder with a space in its name."""
    project = tmp_path / "a project"
    for part in ("Makefile", "src/Makefile", ".python-version"):
        (project / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(part, project / part)
    command(project / ".tools" / "uv" / "bin" / "uv", NEW)
    return project


def build(folder: Path, makefile: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make as sam does, with no tools but those that it needs and those in `machine`."""
    scratch, tools = folder / "scratch", folder / "tools"
    for made in (scratch, tools):
        made.mkdir(exist_ok=True)
    for name in {"make", "sh", "dirname", "cat"} - {one.name for one in tools.iterdir()}:
        (tools / name).symlink_to(shutil.which(name) or name)
    path = os.pathsep.join([str(folder / "machine"), str(tools)])
    return subprocess.run(  # noqa: S603 -- of our own making
        [str(tools / "make"), "--makefile", str(makefile), "build-WebhookFunction"],
        cwd=scratch,
        env={"PATH": path, "ARTIFACTS_DIR": str(scratch / "made here"), **environment},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("machine", "used"), [(NEW, "machine"), (OLD, ".tools"), ("", ".tools")])
def test_the_uv_of_the_machine_is_used_if_it_is_new_enough(
    tmp_path: Path, project: Path, machine: str, used: str
) -> None:
    if machine:
        command(tmp_path / "machine" / "uv", machine)

    done = build(tmp_path, project / "src" / "Makefile")

    assert (done.returncode, done.stderr) == (0, "")
    called, asked, where = done.stdout.strip().split("|")
    assert used in called
    assert asked.endswith(f"python src/bundle.py {tmp_path / 'scratch' / 'made here'}")
    assert Path(where) == project


def test_a_build_in_a_container_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    shutil.copy("src/Makefile", tmp_path / "source")

    done = build(tmp_path, tmp_path / "source" / "Makefile")

    assert done.returncode
    assert "without --use-container" in done.stderr


@pytest.mark.parametrize("makefile", ["src/Makefile", "Makefile"])
def test_windows_is_refused_with_a_remedy(tmp_path: Path, project: Path, makefile: str) -> None:
    done = build(tmp_path, project / makefile, OS="Windows_NT")

    assert done.returncode
    assert "WSL" in done.stderr
