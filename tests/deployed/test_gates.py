"""Gates for what the package costs: ratios and counts, never times.

The limits are data, in `bench/limits.py`; `make bench` measures what takes longer.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import bundle
from bench import limits, measure, packages
from bench.running import VALGRIND, Subject
from bench.setup import Setup, started
from tests.deployed.conftest import Infrastructure

PEERS = Path("bench/peers").resolve()
ALONE = """
import json, sys
sys.path[:] = [path for path in sys.path if not path.endswith("-packages")]
sys.path.insert(0, sys.argv[1])
import handler.announcer, handler.webhook, handler.worker
from handler.clients import client
for service in sys.argv[2:]:
    client(service)
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([file for file in files if file]))
"""
"""What a function imports, with nothing but its package."""


@pytest.fixture(scope="session")
def package(infrastructure: Infrastructure) -> Path:
    return infrastructure.build_dir / "WebhookFunction"


@pytest.fixture(scope="session")
def webhook(package: Path) -> Subject:
    return Subject("webhook", "handler.webhook", (package,))


@pytest.fixture(scope="session")
def worker(package: Path) -> Subject:
    return Subject("worker", "handler.worker", (package,), queued=True)


@pytest.fixture(scope="session")
def setup() -> Iterator[Setup]:
    with started() as one:
        yield one


def test_package_has_all_that_its_clients_need_and_no_other_service(package: Path) -> None:
    command = [sys.executable, "-I", "-c", ALONE, str(package), *sorted(bundle.SERVICES)]

    said = subprocess.run(  # noqa: S603 -- of our own making
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_METRICS_NAMESPACE": "test"},
    )

    loaded = [Path(file) for file in json.loads(said.stdout)]
    assert package / "boto3" / "__init__.py" in loaded
    library = Path(json.__file__).parents[1]
    assert all(path.is_relative_to(package) or path.is_relative_to(library) for path in loaded)
    services = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == bundle.SERVICES


def test_package_is_small(package: Path, figures: list[str]) -> None:
    size = packages.megabytes(package)
    figures.append(f"package: {size:.1f} MB, target {limits.PACKAGE_MEGABYTES.target}")
    assert size <= limits.PACKAGE_MEGABYTES.gate


def test_every_module_has_bytecode_that_is_up_to_date(package: Path, tmp_path: Path) -> None:
    assert packages.stale(package) == []

    handler = packages.without_bytecode(package / "handler", tmp_path / "handler")
    assert "webhook.py" in packages.stale(handler)
    bundle.compile_all(handler, workers=1)
    (handler / "webhook.py").write_text("changed")
    assert packages.stale(handler) == ["webhook.py"]


def test_every_native_library_is_for_the_machine_in_its_name(package: Path, tmp_path: Path) -> None:
    assert packages.foreign(package) == []

    false = tmp_path / "core.cpython-313-aarch64-linux-gnu.so"
    false.write_bytes(b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little"))
    assert packages.foreign(tmp_path) == [false.name]


def test_a_start_imports_no_more_than_it_needs(
    setup: Setup, webhook: Subject, worker: Subject, figures: list[str]
) -> None:
    for one in (webhook, worker):
        found = measure.modules(setup, one)
        figures.append(
            f"{one.name}: {len(found)} modules at start, target {limits.MODULES[one.name].target}"
        )

        assert len(found) <= limits.MODULES[one.name].gate
        assert not limits.NOT_IMPORTED & set(found)


@pytest.mark.parametrize("name", ["webhook", "worker"])
def test_an_event_costs_so_many_round_trips_and_units(
    setup: Setup, name: str, request: pytest.FixtureRequest
) -> None:
    subject: Subject = request.getfixturevalue(name)
    warm = {kind: all_[-1] for kind, all_ in measure.events(setup, subject, 2).items()}

    assert {kind: one.trips for kind, one in warm.items()} == {
        kind: limits.TRIPS[kind] for kind in warm
    }
    assert {kind: (one.reads, one.writes) for kind, one in warm.items()} == {
        kind: limits.UNITS[kind] for kind in warm
    }


@pytest.mark.timeout(180)
def test_a_start_is_near_the_floor(
    setup: Setup, webhook: Subject, worker: Subject, figures: list[str]
) -> None:
    if not VALGRIND:
        pytest.skip("NO VALGRIND HERE: the instructions of a start are not counted")
    with tempfile.TemporaryDirectory() as folder:
        floor = Subject("floor", "floor", (PEERS, packages.floor(Path(folder))))
        found = measure.start_instructions(setup, [floor, webhook, worker])
    for one in ("webhook", "worker"):
        name, ratio = f"{one}: start / floor", found[one] / found["floor"]
        figures.append(f"{name}: {ratio:.2f}, target {limits.RATIOS[name].target}")

        assert ratio <= limits.RATIOS[name].gate


def test_bytecode_is_what_makes_the_start_short(
    setup: Setup, webhook: Subject, package: Path, tmp_path: Path, figures: list[str]
) -> None:
    bare = packages.without_bytecode(package, tmp_path / "bare")
    slow = Subject("without", "handler.webhook", (bare,))
    found = measure.starts(setup, [webhook, slow], rounds=2)
    ratio = found["webhook"].cpu_ms / found["without"].cpu_ms
    figures.append(f"webhook: start / without bytecode: {ratio:.2f} of the processor time")

    # Of processor time, which is noisier than instructions: half is far from either.
    assert ratio <= 0.5
