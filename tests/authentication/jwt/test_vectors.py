"""Wycheproof's vectors and the JOSE cookbook (RFC 7520), each through a whole stack.

The payloads of the vectors are not claims, so no token of theirs gets through. What tells a valid
signature from an invalid one is why the token is refused: for its payload, or before anyone has
read it.
"""

from __future__ import annotations

import logging
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Authenticator, Jwt
from tests.authentication.jwt.test_scheme import assert_refused, whoami
from tests.authentication.jwt.vectors import load
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import Iterator

WYCHEPROOF = load("wycheproof")
COOKBOOK = load("cookbook")

#: Valid in Wycheproof, though a character was inserted that Base64url does not have.
NOT_CANONICAL = {372, 373}
#: Valid in Wycheproof, though the key's ``alg`` is ES521, which no RFC has, or not the token's.
OTHER_ALG = {346, 347, 350, 351}
#: Invalid in Wycheproof, though they are the same token as the valid 357.
SAME_AS_A_VALID_ONE = {367, 370}


def scheme(key: dict[str, Any], algorithm: str) -> Jwt | None:
    """Return a scheme for the key of a group; None if it takes no such key."""
    options: dict[str, Any] = {
        "issuer": "https://id.example",
        "audience": "https://api.example",
        "typ": None,
        "claims": {"token_use": "access"},
    }
    members = key.get("keys", [key])
    try:
        if all(member["kty"] == "oct" for member in members):
            if len({member.get("kid") for member in members}) < len(members):
                return None  # secrets have no ids here
            if any(member.get("alg") != algorithm for member in members):
                return None
            secrets = [urlsafe_b64decode(member["k"] + "==") for member in members]
            return Jwt(algorithms=[algorithm], secret=secrets, **options)
        return Jwt(algorithms=[algorithm], keys={"keys": members}, **options)
    except ValueError:
        return None


def groups() -> Iterator[Any]:
    for kind in ("jws", "jwk"):
        for group in WYCHEPROOF[kind]:
            first = group["tests"][0][0]
            yield pytest.param(kind, group, id=f"{kind}-{group['comment']}-{first}")


def reason(adapter: Adapter, jwt: Jwt, token: str, caplog: pytest.LogCaptureFixture) -> str:
    """Return why a stack refuses a token, by its log."""
    caplog.clear()
    app = adapter.wrap(whoami, Authenticator(jwt))
    assert_refused(adapter.drive(app, headers=[("Authorization", f"Bearer {token}")]))
    (record,) = caplog.records
    message = record.getMessage()
    for part in token.split("."):
        assert len(part) < 8 or part not in message
    return message


@both_adapters
@pytest.mark.parametrize(("kind", "group"), list(groups()))
def test_wycheproof_signatures_and_keys(
    adapter: Adapter, kind: str, group: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "mantlet.authentication")
    members = group["key"].get("keys", [group["key"]])
    algorithm = members[-1].get("alg", "RS256")
    jwt = scheme(group["key"], algorithm)
    caplog.set_level(logging.WARNING, "mantlet.authentication")
    results = {number: result for number, result, _, _ in group["tests"]}
    valid = {number for number, result in results.items() if result == "valid"}
    if jwt is None:
        assert valid <= OTHER_ALG
        return
    for number, _, comment, token in group["tests"]:
        if "," in token:  # as a list in ``Authorization``, which is 400
            assert number not in valid
            continue
        why = reason(adapter, jwt, token, caplog)
        is_signed = "payload" in why
        expected = number in valid - NOT_CANONICAL - OTHER_ALG | SAME_AS_A_VALID_ONE
        assert is_signed == expected, (number, comment, why)


@both_adapters
def test_encrypted_tokens_of_wycheproof_are_refused(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are tried with a key of each kind, though none could decrypt them."""
    key = WYCHEPROOF["jws"][1]["key"]
    for name, comment, token in WYCHEPROOF["jwe"]:
        jwt = scheme(key, "ES256")
        assert jwt is not None
        if "," not in token and token:
            assert "payload" not in reason(adapter, jwt, token, caplog), (name, comment)


@both_adapters
@pytest.mark.parametrize("example", COOKBOOK["signed"], ids=lambda example: example["name"])
def test_signed_examples_of_the_cookbook(
    adapter: Adapter, example: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Their payload is text, or a document that is not claims."""
    jwt = scheme(example["key"] | {"alg": example["alg"]}, example["alg"])
    if jwt is None:
        pytest.fail("the key of the example is not accepted")
    token = example["compact"]
    assert "payload" in reason(adapter, jwt, token, caplog)
    head, payload, signature = token.split(".")
    for other in (
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload[:-4]}AAAA.{signature}",
        f"{head}..{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{payload}.{head}.{signature}",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}.{signature}=",
    ):
        if other != token:
            assert "payload" not in reason(adapter, jwt, other, caplog), other


@both_adapters
@pytest.mark.parametrize("example", COOKBOOK["other"], ids=lambda example: example[0])
def test_other_examples_of_the_cookbook_are_refused(adapter: Adapter, example: list[str]) -> None:
    """JSON serialization, detached and unencoded payloads, several signatures, encryption."""
    jwt = scheme(COOKBOOK["signed"][0]["key"], COOKBOOK["signed"][0]["alg"])
    assert jwt is not None
    app = adapter.wrap(whoami, Authenticator(jwt))
    answer = adapter.drive(app, headers=[("Authorization", f"Bearer {example[1]}")])
    if "," in example[1]:
        assert answer.status == 400
    else:
        assert_refused(answer)
