"""The package that `sam build` makes starts by itself, with nothing installed beside it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bundle
from tests.deployed.conftest import Infrastructure
from tests.template.sam_template import FUNCTIONS

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


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_package_has_all_that_its_clients_need_and_no_other_service(
    infrastructure: Infrastructure, name: str
) -> None:
    package = infrastructure.build_dir / name
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
