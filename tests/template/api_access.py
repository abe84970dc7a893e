"""Which callers may use which route, by the policy of the API and the rules of AWS.

docs.aws.amazon.com/apigateway, "How API Gateway resource policies affect authorization workflow".
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any, Literal, NamedTuple

type Verdict = Literal["allow", "neither", "deny"]

type Account = Literal["same", "other"] | None
"""The account of a caller; None for somebody without an identity."""


class Route(NamedTuple):
    """A route, and whether it asks for a signature of IAM."""

    method: str
    path: str
    iam: bool


RANGES = "192.0.2.0/24,198.51.100.0/24"
"""Two address ranges, as the operator gives them."""

INSIDE = ("192.0.2.7", "198.51.100.7")
OUTSIDE = ("203.0.113.7", "192.0.3.7")


class Calls(NamedTuple):
    """A kind of caller, and whether it may call routes with and without IAM."""

    account: Account
    own_policy: Verdict
    with_iam: bool
    without_iam: bool


CALLS = {
    "nobody known": Calls(None, "neither", with_iam=False, without_iam=True),
    "same account, no policy": Calls("same", "neither", with_iam=False, without_iam=True),
    "same account, allowed": Calls("same", "allow", with_iam=True, without_iam=True),
    "same account, denied": Calls("same", "deny", with_iam=False, without_iam=True),
    "other account, no policy": Calls("other", "neither", with_iam=False, without_iam=True),
    "other account, allows itself": Calls("other", "allow", with_iam=False, without_iam=True),
}
"""What is promised within the address ranges; from outside nobody may call."""


class Api(NamedTuple):
    """The routes of the API and the statements of its policy, which decide about a call."""

    routes: frozenset[Route]
    statements: tuple[dict[str, Any], ...]

    def assert_promised(self, calls: Calls) -> None:
        """Assert for every route what is promised to a kind of caller."""
        for route in self.routes:
            expected = calls.with_iam if route.iam else calls.without_iam
            for address in (*INSIDE, *OUTSIDE):
                allowed = self._allows(calls, route, address)
                assert allowed == (expected and address in INSIDE), route

    def _allows(self, calls: Calls, route: Route, address: str) -> bool:
        """Return what API Gateway decides."""
        policy = self._verdict(route, address)
        if not route.iam:
            # The identity of a signed call does not count: the API's policy alone must allow it.
            return policy == "allow"
        verdicts = {calls.own_policy, policy}
        if calls.account == "same":  # table A: one has to allow, none may deny
            return "allow" in verdicts and "deny" not in verdicts
        return calls.account == "other" and verdicts == {"allow"}  # table B: both have to allow

    def _verdict(self, route: Route, address: str) -> Verdict:
        effects = {
            statement["Effect"]
            for statement in self.statements
            if _is_about(statement, route) and _holds(statement.get("Condition", {}), address)
        }
        if "Deny" in effects:
            return "deny"
        return "allow" if effects else "neither"


def _is_about(statement: dict[str, Any], route: Route) -> bool:
    assert statement["Principal"] == "*"
    assert statement["Action"] == "execute-api:Invoke"
    asked = f"execute-api:/live/{route.method}{route.path.replace('{user_id}', 'user_1')}"
    return any(fnmatchcase(asked, pattern) for pattern in _listed(statement["Resource"]))


def _holds(condition: dict[str, Any], address: str) -> bool:
    return all(one for operator in condition.items() for one in _each_holds(*operator, address))


def _each_holds(operator: str, keys: dict[str, Any], address: str) -> Iterator[bool]:
    wanted = {"IpAddress": True, "NotIpAddress": False}[operator]
    for key, ranges in keys.items():
        assert key == "aws:SourceIp"
        inside = any(ip_address(address) in ip_network(each) for each in _listed(ranges))
        yield inside == wanted


def _listed(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case {"Fn::Split": [str(separator), str(text)]}:
            return text.split(separator)
        case [*several]:
            return several
    raise AssertionError(f"neither text, list nor Fn::Split: {value}")
