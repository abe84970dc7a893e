"""docs/operations.md covers everything that can fail or be set."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.settings import Settings
from handler.targets import Status
from provisioner.main import COMMANDS
from tests.handler.modules import HANDLER, parsed
from tests.template.sam_template import TEMPLATE, of_type

OPERATIONS = Path("docs/operations.md").read_text()
ALARMS = of_type("AWS::CloudWatch::Alarm")
NODES = [node for path in HANDLER.glob("*.py") for node in ast.walk(parsed(path))]


def messages() -> Iterator[str]:
    """Yield the fixed part of what the handler logs and reports as a problem."""
    for node in NODES:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        log = isinstance(node.func, ast.Attribute) and node.func.attr in {
            "info", "warning", "error", "exception",
        }  # fmt: skip
        problem = isinstance(node.func, ast.Name) and node.func.id in {
            "Problem", "SecretUnusable",
        }  # fmt: skip
        match node.args[0]:
            case ast.Constant(value=str(text)) if log or problem:
                yield text
            case ast.JoinedStr(values=parts) if log or problem:
                fixed = [str(one.value) for one in parts if isinstance(one, ast.Constant)]
                yield max(fixed, key=len).strip()


def refused() -> Iterator[int]:
    """Yield every status with which the API refuses a request."""
    for node in NODES:
        match node:
            case ast.Call(func=ast.Name(id="Refused"), args=[ast.Constant(value=int(status)), *_]):
                yield status
            case ast.keyword(arg="status", value=ast.Constant(value=int(status))):
                yield status


def section(title: str) -> str:
    return OPERATIONS.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_names_its_commands_and_its_section(name: str) -> None:
    text = ALARMS[name]["AlarmDescription"]["Fn::Sub"]
    called = re.findall(r"provisioner --stack-name \$\{AWS::StackName\} ([a-z-]+)", text)

    assert called
    assert set(called) <= set(COMMANDS)
    assert text.endswith(f"See docs/operations.md, {name}.")
    (found,) = re.findall(
        rf"^### {name}\n\n(.*?)(?=^##)", OPERATIONS, flags=re.MULTILINE | re.DOTALL
    )
    assert len(text) <= 1024
    assert re.search(r"`(provisioner|aws) logs .+` |logs nothing", found)


def test_the_runbook_has_exactly_the_alarms() -> None:
    assert re.findall(r"^### (\w+)$", section("Alarms"), flags=re.MULTILINE) == list(ALARMS)


def test_the_runbook_covers_each_status() -> None:
    text = section("Status of a target")

    assert [one for one in Status if f"\n| `{one}` |" not in text] == []


def test_the_runbook_covers_each_parameter_and_setting() -> None:
    text = section("Change a parameter") + section("Alarms")
    names = [*TEMPLATE["Parameters"], *map(str.upper, Settings.model_fields)]

    assert [one for one in names if f"`{one}`" not in text] == []


def test_the_runbook_uses_only_commands_that_exist() -> None:
    called = re.findall(r"`provisioner(?: --stack-name \w+)? ([a-z-]+)", OPERATIONS)

    assert set(called) <= set(COMMANDS)


def test_the_runbook_explains_each_log_message_and_problem() -> None:
    text, found = " ".join(OPERATIONS.split()), set(messages())

    assert len(found) > 20
    assert [one for one in found if one not in text] == []


def test_the_runbook_explains_each_status_of_the_api() -> None:
    rows = "".join(re.findall(r"^\| .*", section("Answers of our API"), flags=re.MULTILINE))

    assert set(refused()) <= set(map(int, re.findall(r"\b\d{3}\b", rows)))


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "path", sorted([*Path("docs").glob("*.md"), *Path().glob("*.md")]), ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for file, fragment in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([^)]*))?\)", path.read_text()):
        target = path.parent / file if file else path
        assert target.exists(), file
        if fragment:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
            assert fragment in {anchor(one) for one in headings}, fragment


def test_the_runbook_names_only_outputs_that_exist() -> None:
    named = set(re.findall(r"`(\w+(?:FunctionName|Url))`", OPERATIONS))

    assert named <= TEMPLATE["Outputs"].keys() | TEMPLATE["Parameters"].keys()


@pytest.mark.parametrize("page", ["README.md", *map(str, sorted(Path("docs").glob("*.md")))])
def test_no_example_sets_a_parameter_that_the_next_deploy_undoes(page: str) -> None:
    examples = re.findall(r"^```\w*\n(.*?)^```", Path(page).read_text(), re.DOTALL | re.MULTILINE)
    lines = "".join(examples).replace("\\\n", "").splitlines()

    assert not [one for one in lines if "sam deploy" in one and "--parameter-overrides" in one]
