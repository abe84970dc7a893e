"""What the package costs stays where it is: ratios and counts, never a time.

The limits are data, in `bench/limits.py`; `make bench` measures what takes longer.
"""

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


def test_package_is_small(package: Path, figures: list[str]) -> None:
    size = packages.megabytes(package)
    figures.append(f"package: {size:.1f} MB, target {limits.PACKAGE_MEGABYTES.target}")

    assert size <= limits.PACKAGE_MEGABYTES.gate


def test_every_module_has_bytecode_that_counts(package: Path) -> None:
    assert packages.stale(package) == []


def test_stale_bytecode_is_seen(package: Path, tmp_path: Path) -> None:
    handler = packages.without_bytecode(package / "handler", tmp_path / "handler")
    assert "webhook.py" in packages.stale(handler)
    bundle.compile_all(handler, workers=1)
    assert packages.stale(handler) == []
    (handler / "webhook.py").write_text("changed")
    assert packages.stale(handler) == ["webhook.py"]


def test_every_native_library_is_of_the_machine_that_it_claims(package: Path) -> None:
    assert packages.foreign(package) == []


def test_a_native_library_under_a_false_name_is_seen(tmp_path: Path) -> None:
    (tmp_path / "core.cpython-313-aarch64-linux-gnu.so").write_bytes(
        b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little")
    )

    assert packages.foreign(tmp_path) == ["core.cpython-313-aarch64-linux-gnu.so"]


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
