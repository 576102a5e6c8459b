"""docs/authenticator/possession.md: every example runs, and every figure is true."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Authenticator, ClientCertificate, Dpop, Identity
from mantlet.authentication.possession import proof
from tests.authentication.possession.certificates import SPIFFE, Authority
from tests.authentication.possession.dpop_client import Client
from tests.authentication.possession.known_tokens import KnownTokens, whoami
from tests.docs import pages
from tests.docs.pages import DOCS, blocks
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "authenticator/possession.md"
BOUND, NONCES, CERTIFICATE, SUBJECT = blocks(PAGE)


@both_adapters
def test_the_policy_refuses_as_shown(adapter: Adapter, tmp_path: Path) -> None:
    code = BOUND.replace("/var/lib/app", str(tmp_path))
    keys = {"keys": [{**Client().jwk, "kid": "1"}]}
    code = code.replace('algorithms=["ES256"]', 'algorithms=["ES256"], keys=KEYS')
    shown = pages.run(PAGE, code, KEYS=keys)["auth"]
    assert isinstance(shown, Authenticator)
    client = Client()
    tokens = KnownTokens({"token": {"cnf": {"jkt": client.thumbprint}}})
    auth = Authenticator(tokens, dpop=Dpop(origin="https://api.example"))
    wrong = client.prove("POST", "https://api.example/", "token", time.time())
    headers = [("Authorization", "DPoP token"), ("DPoP", wrong)]
    answer = adapter.drive(adapter.wrap(whoami, auth), headers=headers)
    (example,) = blocks(PAGE, "http")
    status, challenge = example.strip().split("\n")
    assert f"HTTP/1.1 {answer.status} Unauthorized" == status
    assert f"WWW-Authenticate: {answer.get('www-authenticate')}" == challenge


def test_nonces_need_a_secret_as_shown() -> None:
    pages.run(PAGE, "from mantlet import Dpop\n" + NONCES)


@both_adapters
def test_a_function_names_the_subject(adapter: Adapter) -> None:
    found: list[Identity | None] = []

    def app(raw: Any) -> Any:
        found.append(mantlet.state(raw).identity)
        return 200, [], b""

    names = pages.run(PAGE, CERTIFICATE, SUBJECT)
    scheme = ClientCertificate(
        header="ClientCert", trusted_proxies=["10.0.0.0/8"], subject=names["service"]
    )
    wrapped = adapter.wrap(app, Authenticator(scheme))
    authority = Authority()
    for issued in (authority.issue(), authority.issue(uris=[f"{SPIFFE}/x"])):
        headers = [("ClientCert", issued.as_nginx())]
        adapter.drive(wrapped, headers=headers, client="10.0.0.7")
    (identity,) = found
    assert identity == Identity("billing", "service", roles=frozenset({"service"}))


def test_the_figures_are_those_of_the_code() -> None:
    text = (DOCS / PAGE).read_text()
    defaults = Dpop.__init__.__kwdefaults__ or {}
    assert f"({defaults['max_proofs']:,}, up to 600 bytes" in text
    window = defaults["max_age"] + 2 * defaults["leeway"] + 1
    per_second = int(defaults["max_proofs"] / 2 / window)
    assert f"({per_second:,} a second by default)" in text
    assert f"at most {proof._MAX_SIZE:,} characters" in text
    assert f"`max_age` seconds ({defaults['max_age']})" in text
    assert f"`leeway` seconds ({defaults['leeway']})" in text


@pytest.mark.parametrize("form", ["pem", "xfcc", "rfc9440", "base64"])
def test_each_form_has_a_row(form: Any) -> None:
    text = (DOCS / PAGE).read_text()
    assert re.search(rf"^\|[^|]*\|[^|]*\|[^|]*`\"{form}\"[^|]*\|$", text, re.MULTILINE)
    assert ClientCertificate(header="A", trusted_proxies=["::1"], form=form).source == "A"
