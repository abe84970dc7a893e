"""A coverage-guided fuzz target for signature and envelope, for atheris: it has its own tools.

`.tools/fuzz/bin/python tests/fuzz_envelope.py -max_total_time=10`; options are libFuzzer's. An
input is the body; where its last byte is odd its beginning is headers. Right or wrong, the
only exceptions are the ones that the rooms name, and only the right signature is taken.
"""

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1] / "src")]

with atheris.instrument_imports(include=["handler", "json"]):
    from handler.events import AccountEvent, NotAnEnvelope, parse, usable
    from handler.signature import NotAuthentic, sign, verify

KEY, NOW = b"whsec_invented_for_the_fuzzer", 1767225600


def check(data: bytes) -> None:
    """Try one input."""
    provider = atheris.FuzzedDataProvider(data)
    if provider.ConsumeBool():
        forged(provider)
    envelope(provider.ConsumeBytes(provider.remaining_bytes()))


def forged(provider: atheris.FuzzedDataProvider) -> None:
    """Let nothing in that was not signed with the key."""
    values = [provider.ConsumeUnicode(60) for _ in range(3)]
    body = provider.ConsumeBytes(100)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: [value] for name, value in zip(names, values, strict=True)}
    try:
        webhook_id = verify(headers, body, keys=[KEY], now=NOW)
    except NotAuthentic:
        return
    assert sign(webhook_id, values[1], body, key=KEY) in values[2].split(" ")


def envelope(body: bytes) -> None:
    """Take the very bytes when they are signed, and read them or say why not."""
    stamp = str(NOW)
    right = sign("msg", stamp, body, key=KEY)
    headers = {"webhook-id": ["msg"], "webhook-timestamp": [stamp], "webhook-signature": [right]}
    assert verify(headers, body, keys=[KEY], now=NOW) == "msg"
    try:
        event = parse(body)
    except NotAnEnvelope as why:
        if "\n" in str(why):
            raise RuntimeError("more than one line") from why
        return
    if isinstance(event, AccountEvent) and event.account:
        assert usable(event.account.user_id)
        assert event.account.id.isascii()


def main() -> None:
    """Fuzz until libFuzzer's options say stop."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
