"""The Lambda package has only what is needed, for both architectures."""

import json
from itertools import product
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver

import bundle


def lay(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_botocore_keeps_only_the_services_that_are_called(tmp_path: Path) -> None:
    names = ["endpoints.json", "dynamodb/2012/service-2.json", "ec2/2016/service-2.json"]
    data = lay(tmp_path / "botocore" / "data", *names)
    names = [path.name for path in data.iterdir()]
    assert bundle.left_out(str(data), names) == {"ec2"}


def test_native_libraries_of_both_platforms_are_kept(tmp_path: Path) -> None:
    package = lay(tmp_path / "arm", "core/_core.cpython-313-aarch64-linux-gnu.so")
    other = lay(tmp_path / "x86", "core/_core.cpython-313-x86_64-linux-gnu.so")
    bundle.add_natives(package, other)
    assert len(bundle.natives(package)) == 2


def test_a_native_library_for_one_platform_only_fails_the_build(tmp_path: Path) -> None:
    package = lay(tmp_path / "arm", "core/_core.aarch64.so", "fast.aarch64.so")
    other = lay(tmp_path / "x86", "core/_core.x86_64.so")
    with pytest.raises(SystemExit, match="one platform only: \\['fast'\\]"):
        bundle.add_natives(package, other)


def test_a_native_library_with_one_name_on_both_platforms_fails_the_build(tmp_path: Path) -> None:
    package = lay(tmp_path / "arm", "core.abi3.so")
    other = lay(tmp_path / "x86", "core.abi3.so")
    (other / "core.abi3.so").write_text("another machine's code")
    with pytest.raises(SystemExit, match=r"one name for two platforms: core\.abi3\.so"):
        bundle.add_natives(package, other)


@pytest.mark.parametrize(
    ("folder", "kept", "left_out"),
    [
        ("", ["boto3", "botocore", "s3transfer", "httpx"], ["httpx.pyi", "py.typed"]),
        ("/httpx-0.28.1.dist-info", ["METADATA"], ["RECORD", "licenses"]),
        ("/boto3", ["session.py"], ["data", "examples"]),
        ("/dateutil", ["tz"], ["zoneinfo"]),
        ("/aws_lambda_powertools", ["logging"], ["event_handler"]),
        ("/aws_lambda_powertools/utilities", ["__init__.py", "jmespath_utils"], ["batch"]),
    ],
)
def test_what_is_not_imported_is_left_out(
    folder: str, kept: list[str], left_out: list[str]
) -> None:
    assert bundle.left_out(f"target{folder}", kept + left_out) == set(left_out)


def test_our_services_have_the_same_endpoints_in_every_region(tmp_path: Path) -> None:
    whole = Loader().load_data("endpoints")
    data = tmp_path / "botocore" / "data"
    data.mkdir(parents=True)
    (data / "endpoints.json").write_text(json.dumps(whole))

    bundle.trim_endpoints(tmp_path)

    trimmed = json.loads((data / "endpoints.json").read_text())
    before, after = EndpointResolver(whole), EndpointResolver(trimmed)
    regions = [name for one in whole["partitions"] for name in one["regions"]]
    assert len(regions) > 30
    for asked in product(bundle.SERVICES, [*regions, "xx-nowhere-9"]):
        assert after.construct_endpoint(*asked) == before.construct_endpoint(*asked)
    left = {name for one in trimmed["partitions"] for name in one["services"]}
    assert left == bundle.SERVICES


def test_functions_share_one_build_of_the_same_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = lay(tmp_path / "src", "bundle.py", "requirements.txt", "handler/webhook.py")
    monkeypatch.setattr(bundle, "SOURCE", sources)
    made: list[str] = []

    def make(package: Path) -> None:
        made.append((sources / "requirements.txt").read_text())
        lay(package, "handler/webhook.py")

    monkeypatch.setattr(bundle, "make", make)
    (tmp_path / "build").mkdir()
    for name in ("One", "Other"):
        bundle.main(tmp_path / "build" / name)
        assert (tmp_path / "build" / name / "handler" / "webhook.py").exists()
    assert made == ["requirements.txt"]
    (sources / "requirements.txt").write_text("a newer version")
    bundle.main(tmp_path / "build" / "Third")
    assert made == ["requirements.txt", "a newer version"]
