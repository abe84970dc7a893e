"""The Lambda package: what goes in, and that it runs on both architectures."""

from pathlib import Path

import pytest

import bundle


def lay(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_botocore_keeps_its_own_data_and_the_services_that_are_called(tmp_path: Path) -> None:
    data = lay(
        tmp_path / "botocore" / "data",
        "endpoints.json",
        "dynamodb/2012/service-2.json",
        "ec2/2016/service-2.json",
    )
    names = [path.name for path in data.iterdir()]
    assert bundle.left_out(str(data), names) == {"ec2"}


def test_of_an_installed_package_only_its_name_and_version_stay() -> None:
    left_out = bundle.left_out("target/httpx-0.28.1.dist-info", ["METADATA", "RECORD", "licenses"])
    assert left_out == {"RECORD", "licenses"}


def test_native_libraries_of_two_platforms_stand_side_by_side(tmp_path: Path) -> None:
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
