"""Makes the Lambda package: the handler, what it imports, and nothing else.

Run by `src/Makefile`, which `sam build` runs: `uv run … python bundle.py ARTIFACTS_DIR`.
Only the standard library, and the Python version that the functions run on: it compiles.
"""

import compileall
import fcntl
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
# SAM does not tell a makefile which architecture was chosen: the package runs on both.
LAMBDA_PLATFORMS = ("aarch64-manylinux2014", "x86_64-manylinux2014")
# Also for the machine that builds, which may be neither (the emulator runs the package on it).
ALSO_THIS_MACHINE = "BUNDLE_ALSO_FOR_THIS_MACHINE"
# The AWS services that the handler calls, as botocore names their models.
SERVICES = frozenset({"dynamodb", "events", "secretsmanager", "sqs"})
# Of the utilities, the logger uses this one.
UTILITIES_IMPORTED = frozenset({"__init__.py", "jmespath_utils"})
NATIVE = (".so", ".pyd", ".dylib")
# A fixed time for every file: the same sources make the same package.
MODIFIED = 315_532_800  # 1980-01-01, the first day that a zip can tell


def install(target: Path, platform: str | None, requirements: str = "requirements.txt") -> None:
    """Install locked requirements into a folder, for a platform of uv's or for this machine.

    Raises:
        subprocess.CalledProcessError: uv refused (a hash, no wheel for the platform, no network).
    """
    # `uv run` says which uv it is.
    command = [os.environ["UV"], "pip", "install", "--quiet", "--require-hashes"]
    command += ["--only-binary", ":all:", "--no-compile-bytecode", "--target", str(target)]
    command += ["--python", sys.executable, "--requirement", str(SOURCE / requirements)]
    if platform:
        command += ["--python-platform", platform, "--python-version", "3.13"]
    subprocess.run(command, check=True)  # noqa: S603 -- no shell, and nothing of it is foreign


def left_out(folder: str, names: Iterable[str]) -> set[str]:
    """Return which of the names in an installed folder the package does without."""
    path = Path(folder)
    if path.name.endswith(".dist-info"):
        # Name and version stay: scanners of deployed functions read them from METADATA.
        return {name for name in names if name != "METADATA"}
    if path.parts[-2:] == ("botocore", "data"):
        # Files (endpoints, partitions, retry and default settings) are botocore's own: kept.
        return {name for name in names if (path / name).is_dir() and name not in SERVICES}
    if path.name == "boto3":
        # The descriptions of boto3's resources, which nothing here uses; clients are botocore's.
        return {"__pycache__", "data", "examples"} & set(names)
    if path.name == "dateutil":
        # Its copy of the time zone database: botocore uses only the parser and fixed zones.
        return {"__pycache__", "zoneinfo"} & set(names)
    if path.parts[-2:] == ("aws_lambda_powertools", "utilities"):
        return set(names) - UTILITIES_IMPORTED
    if path.name == "aws_lambda_powertools":
        return {"__pycache__", "event_handler", "py.typed"} & set(names)
    unused = {"__pycache__", "bin", ".lock", "py.typed"}
    return {name for name in names if name in unused or name.endswith(".pyi")}


def trim_endpoints(package: Path) -> None:
    """Leave botocore's endpoints of the services that are called, in all regions.

    The file is 1.2 MB and read at each start; what a service's own rules say is elsewhere.
    """
    path = package / "botocore" / "data" / "endpoints.json"
    content = json.loads(path.read_text())
    for partition in content["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES & services.keys()}
    path.write_text(json.dumps(content, sort_keys=True))


def natives(folder: Path) -> dict[str, Path]:
    """Find the native libraries in a folder: path relative to the folder -> file."""
    files = (path for path in folder.rglob("*") if path.suffix in NATIVE)
    return {path.relative_to(folder).as_posix(): path for path in files}


def add_natives(package: Path, installed: Path) -> None:
    """Add the native libraries of the same requirements, installed for another platform.

    Raises:
        SystemExit: A library exists for one platform only, or has the same name on both
            (and so would take the other's place).
    """
    here, there = natives(package), natives(installed)
    modules_here = {name.split(".")[0] for name in here}
    modules_there = {name.split(".")[0] for name in there}
    if odd := modules_here ^ modules_there:
        raise SystemExit(f"native libraries for one platform only: {sorted(odd)}")
    for name, path in there.items():
        target = package / name
        if target.exists() and target.read_bytes() != path.read_bytes():
            raise SystemExit(f"a native library has one name for two platforms: {name}")
        shutil.copyfile(path, target)


def add_authorities(package: Path, tools: Path) -> None:
    """Add certifi's authorities as OpenSSL finds them fast; `tools` has what that needs."""
    paths = (SOURCE / "authorities.py", package / "certifi" / "cacert.pem", package / "authorities")
    environment = os.environ | {"PYTHONPATH": str(tools)}
    subprocess.run([sys.executable, *paths], check=True, env=environment)  # noqa: S603


def compile_all(package: Path, workers: int = 0) -> None:
    """Compile every module, in a way that holds on Lambda and does not tell where it was built.

    `workers` is the number of processes; 0 is one for each processor.

    Raises:
        SystemExit: A module does not compile.
    """
    done = compileall.compile_dir(
        package,
        quiet=1,
        workers=workers,
        stripdir=str(package),
        prependdir="/var/task",
        # A zip may change a file's time, and a time that differs would make the code stale.
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise SystemExit("a module does not compile")


def make(package: Path) -> None:
    """Make the package in a folder, which need not exist."""
    platforms: list[str | None] = [*LAMBDA_PLATFORMS]
    if os.environ.get(ALSO_THIS_MACHINE):
        platforms.append(None)
    with tempfile.TemporaryDirectory(prefix="bundle-") as scratch:
        for number, platform in enumerate(platforms):
            install(installed := Path(scratch, str(number)), platform)
            if number == 0:
                shutil.copytree(installed, package, ignore=left_out, dirs_exist_ok=True)
            else:
                add_natives(package, installed)
        install(tools := Path(scratch, "tools"), None, "requirements-build.txt")
        add_authorities(package, tools)
    shutil.copytree(SOURCE / "handler", package / "handler", ignore=left_out)
    trim_endpoints(package)
    compile_all(package)
    files = [path for path in package.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (MODIFIED, MODIFIED))
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"package: {len(files)} files, {size:.1f} MB")  # noqa: T201 -- a command prints


def fingerprint() -> str:
    """Tell apart what is made of other sources, or for other machines."""
    text = [sys.version, os.environ.get(ALSO_THIS_MACHINE, "")]
    for path in sorted([*SOURCE.glob("*.*"), *SOURCE.glob("handler/*.*")]):
        text += [str(path), path.read_text()]
    return hashlib.sha256(repr(text).encode()).hexdigest()


def main(package: Path) -> None:
    """Make the package, once for all functions: sam builds each by itself, some at once.

    What is in the folder already stays. The first package made is kept beside it, and the others
    are links to that.
    """
    made = package.parent / f".package-{fingerprint()}"
    with (package.parent / ".package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix=".", dir=package.parent) as scratch:
                make(Path(scratch, "package"))
                Path(scratch, "package").rename(made)
    shutil.copytree(made, package, copy_function=os.link, dirs_exist_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
