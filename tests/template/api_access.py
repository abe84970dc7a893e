"""Who may call which route: AWS's two outcome tables, applied to the policy of the API.

docs.aws.amazon.com/apigateway, "How API Gateway resource policies affect authorization workflow".
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any, Literal, NamedTuple

type Verdict = Literal["allow", "neither", "deny"]

SAME_ACCOUNT: dict[tuple[Verdict, Verdict], bool] = {
    ("allow", "allow"): True,
    ("allow", "neither"): True,
    ("allow", "deny"): False,
    ("neither", "allow"): True,
    ("neither", "neither"): False,
    ("neither", "deny"): False,
    ("deny", "allow"): False,
    ("deny", "neither"): False,
    ("deny", "deny"): False,
}
"""Table A: (what the identity's own policy says, what the API's policy says) -> let in."""

OTHER_ACCOUNT = {said: said == ("allow", "allow") for said in SAME_ACCOUNT}
"""Table B: of another account, both have to allow."""


class Route(NamedTuple):
    """A route, and whether it asks for a signature of IAM."""

    method: str
    path: str
    iam: bool


class Caller(NamedTuple):
    """Who calls: `account` is "same", "other" or None for somebody without an identity."""

    account: Literal["same", "other"] | None
    own_policy: Verdict
    address: str


RANGES = "192.0.2.0/24,198.51.100.0/24"
"""Two address ranges, as the operator gives them."""

INSIDE = ("192.0.2.7", "198.51.100.7")
OUTSIDE = ("203.0.113.7", "192.0.3.7")


class Calls(NamedTuple):
    """A kind of caller, and whether he gets in at a route with and without IAM."""

    account: Literal["same", "other"] | None
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
"""What is promised, from within the address ranges; from outside nobody gets in."""


class Api(NamedTuple):
    """What decides about a call: the routes, and the statements of the API's policy."""

    routes: frozenset[Route]
    statements: tuple[dict[str, Any], ...]

    def promised(self, calls: Calls) -> None:
        """Hold every route to what is promised of a kind of caller."""
        for route in self.routes:
            expected = calls.with_iam if route.iam else calls.without_iam
            for address in (*INSIDE, *OUTSIDE):
                caller = Caller(calls.account, calls.own_policy, address)
                assert self.lets_in(caller, route) == (expected and address in INSIDE), route

    def lets_in(self, caller: Caller, route: Route) -> bool:
        """Say what API Gateway decides."""
        policy = self._verdict(route, caller.address)
        if not route.iam:
            # Also a signed call is nobody's there: the API's policy alone has to allow it.
            return policy == "allow"
        if caller.account is None:
            return False
        table = SAME_ACCOUNT if caller.account == "same" else OTHER_ACCOUNT
        return table[caller.own_policy, policy]

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
    return any(_matches(pattern, asked) for pattern in _listed(statement["Resource"]))


def _matches(pattern: str, text: str) -> bool:
    return (
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
    )


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
