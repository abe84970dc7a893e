"""Builds the application and deploys it to an emulator: as a user would, or fast for tests."""

import dataclasses
import io
import re
import zipfile
from pathlib import Path

import boto3
from botocore import xform_name
from botocore.exceptions import WaiterError

from local.emulated_stack import Parameters, Stack, connection, fill_secret
from local.emulator import REGION, ROOT, aws_environment
from local.sam import Progress, sam, silent

_BUCKET = "packages"
# Stack tags are passed on to the API, and the emulator names it by this one.
_API_ID_TAG = "ms-custom-id"


def build(folder: Path, progress: Progress = silent) -> Path:
    """Run the real `sam build`; takes some 5 seconds.

    Args:
        folder: A folder for this build alone (`local.emulator.run_folder`): sam also writes a
            file beside the build.
        progress: Called with each line that sam prints.

    Returns:
        The folder with the built template and the packages, for `deploy` and `create`.

    Raises:
        local.sam.SamError: It failed.
    """
    build_dir = folder / "build"
    sam("build", "--build-dir", str(build_dir), environment={}, progress=progress)
    return build_dir


def deploy(
    endpoint_url: str, build_dir: Path, parameters: Parameters, progress: Progress = silent
) -> Stack:
    """Deploy with the real `sam deploy`, and fill the secret; raises as `build` does."""
    overrides = [f"{name}={value}" for name, value in parameters.overrides(endpoint_url).items()]
    sam(
        "deploy",
        "--template-file",
        str(build_dir / "template.yaml"),
        # sam would look for it beside the template, which is not where it is.
        "--config-file",
        str(ROOT / "samconfig.toml"),
        "--stack-name",
        parameters.stack_name,
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--parameter-overrides",
        *overrides,
        "--tags",
        f"{_API_ID_TAG}={parameters.api_id}",
        environment=aws_environment(endpoint_url),
        progress=progress,
    )
    return _filled(endpoint_url, parameters)


def create(endpoint_url: str, build_dir: Path, parameters: Parameters) -> Stack:
    """Create the stack from what was built, without sam: a second or two.

    The same template and package as with `deploy`; for tests, which need many stacks.

    Raises:
        RuntimeError: A resource was not created; the message names it and says why.
    """
    template_url = _upload(endpoint_url, build_dir)
    client = boto3.client("cloudformation", **connection(endpoint_url))
    overrides = parameters.overrides(endpoint_url).items()
    client.create_stack(
        StackName=parameters.stack_name,
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in overrides],
        Tags=[{"Key": _API_ID_TAG, "Value": parameters.api_id}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    try:
        client.get_waiter("stack_create_complete").wait(
            StackName=parameters.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    except WaiterError as error:
        events = client.describe_stack_events(StackName=parameters.stack_name)["StackEvents"]
        failed = [event for event in events if "FAILED" in event.get("ResourceStatus", "")]
        reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in failed]
        raise RuntimeError("; ".join(reasons) or str(error)) from error
    return _filled(endpoint_url, parameters)


def _upload(endpoint_url: str, build_dir: Path) -> str:
    """Put the packages and the template into a bucket, and return the template's URL.

    The template is too long to be sent in the request (51,200 bytes).
    """
    client = boto3.client("s3", **connection(endpoint_url))
    client.create_bucket(Bucket=_BUCKET)

    def packed(found: re.Match[str]) -> str:
        client.put_object(Bucket=_BUCKET, Key=found[2], Body=_zip(build_dir / found[2]))
        return f"{found[1]}s3://{_BUCKET}/{found[2]}"

    template = (build_dir / "template.yaml").read_text()
    # Only what sam has built: its folder is named after the function.
    template = re.sub(r"^(\s+CodeUri: )(\w+)$", packed, template, flags=re.MULTILINE)
    client.put_object(Bucket=_BUCKET, Key="template.yaml", Body=template.encode())
    return f"{endpoint_url}/{_BUCKET}/template.yaml"


def _zip(folder: Path) -> bytes:
    """Zip a package without compression, as it stays on this machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _filled(endpoint_url: str, parameters: Parameters) -> Stack:
    """Read the outputs, and fill the secret."""
    client = boto3.client("cloudformation", **connection(endpoint_url))
    found = client.describe_stacks(StackName=parameters.stack_name)["Stacks"][0]
    # `TableName` becomes `table_name`, and so on.
    outputs = {xform_name(out["OutputKey"]): out["OutputValue"] for out in found["Outputs"]}
    fill_secret(
        endpoint_url,
        outputs["secret_id"],
        composio_api_key=parameters.composio_api_key,
        webhook_secrets=[parameters.webhook_secret],
    )
    known = {
        "stack_name": parameters.stack_name,
        "api_url": parameters.api_url(endpoint_url),
        "aws_endpoint_url": endpoint_url,
        "region": REGION,
        "composio_url": parameters.composio_url,
        "webhook_secret": parameters.webhook_secret,
    }
    rest = {field.name for field in dataclasses.fields(Stack)} - known.keys()
    return Stack(**known, **{name: outputs[name] for name in rest})
