"""Private keys are masked from the first to the last line, whatever stands between the lines."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import pytest

from tests.sanitize.rules.keys.samples import ALNUM, text
from tests.sanitize.rules.keys.scanning import in_steps, scanned, streamed

LINES = [text(number, 64, ALNUM + "+/") for number in range(8)] + [text(9, 22) + "=="]
LABELS = (
    "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK",
)  # fmt: skip


def key(label: str = "RSA PRIVATE KEY") -> list[str]:
    return [f"-----BEGIN {label}-----", *LINES, f"-----END {label}-----"]


PEM = "\n".join(key()) + "\n"
QUOTED = [line.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D") for line in LINES]

PROSE = (
    "The header -----BEGIN PRIVATE KEY----- is followed by base64."
    ' See <a href="/documentation/reference/keys/of/all/kinds/2024/index.html">'
)

#: How keys are written, and what must stay behind them.
FORMS = {
    "plain": (PEM + "tail", "\ntail"),
    "crlf": (PEM.replace("\n", "\r\n") + "tail", "\r\ntail"),
    "json": (json.dumps({"k": PEM, "id": "a" * 40}), '\\n", "id": "' + "a" * 40 + '"}'),
    "json in json": (
        json.dumps({"x": json.dumps({"k": PEM, "id": "a" * 40}), "y": 1}),
        '\\\\n\\", \\"id\\": \\"' + "a" * 40 + '\\"}", "y": 1}',
    ),
    "list": (json.dumps({"k": key(), "id": "Ab1" * 20}), '"], "id": "' + "Ab1" * 20 + '"}'),
    "indented list": (json.dumps({"k": key(), "id": "Ab1" * 20}, indent=2), "Ab1" * 20 + '"\n}'),
    "objects": (
        json.dumps([{"n": n, "t": line} for n, line in enumerate([*key(), "tail"])]), 'tail"}]'
    ),
    "lines of json": ("\n".join(json.dumps({"line": x}) for x in [*key(), "tail"]), 'tail"}'),
    "slashes": (json.dumps({"k": PEM}).replace("/", "\\/"), '\\n"}'),
    "br": ("<p>" + "<br>".join(key()) + "</p><p>tail", "</p><p>tail"),
    "spans": (
        "<pre>" + "\n".join(f'<span class="l">{x}</span>' for x in key()) + "</pre>tail",
        "</span></pre>tail",
    ),
    "table": (
        "".join(f'<tr><td class="n">{n}</td><td>{x}</td></tr>' for n, x in enumerate(key()))
        + "tail",
        "</td></tr>tail",
    ),
    "references": ("&#10;".join(key()) + " tail", " tail"),
    "indented": ("\n".join("    " + line for line in key()) + "\ntail", "\ntail"),
    "events": (
        "\n".join("data: " + line for line in key()) + "\n\ndata: tail\n\n", "\n\ndata: tail\n\n"
    ),
    "url": (
        "k=-----BEGIN+PRIVATE+KEY-----%0A" + "%0A".join(QUOTED)
        + "%0A-----END+PRIVATE+KEY-----%0A&x=tail",
        "%0A&x=tail",
    ),
    "script": ("var k = " + " +\n ".join(f"'{x}\\n'" for x in key()) + "; tail", "\\n'; tail"),
    "one line": (" ".join(key()) + " tail", " tail"),
    "headers": (
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        + "0123456789ABCDEF" * 2 + "\n\n" + "\n".join(key()[1:]) + "\ntail",
        "\ntail",
    ),
    "pgp": (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n" + "\n".join(LINES)
        + "\n=aBcD\n-----END PGP PRIVATE KEY BLOCK-----\ntail",
        "\ntail",
    ),
    "ssh2": (
        '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: "rsa-key"\n' + "\n".join(LINES)
        + "\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\ntail",
        "\ntail",
    ),
    "putty": (
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPublic-Lines: 1\n"
        + text("public", 64) + "\nPrivate-Lines: 9\n" + "\n".join(LINES)
        + f"\nPrivate-MAC: {text('mac', 64, '0123456789abcdef')}\ntail",
        "\ntail",
    ),
    "base64": ("tls.key: " + base64.b64encode(PEM.encode()).decode() + " tail", " tail"),
}  # fmt: skip


@pytest.mark.few_cases(12)
@pytest.mark.parametrize("form", FORMS)
def test_a_private_key_is_masked_and_nothing_beyond(form: str) -> None:
    """In whatever it is written, and over cuts."""
    body, tail = FORMS[form]
    out, rules = scanned(body.encode())
    assert rules == ["private-key"]
    assert len(out) == len(body)
    assert out.endswith(tail.encode())
    assert not [line for line in LINES if line[:12].encode() in out or line[-12:].encode() in out]
    assert b"END" not in out
    for step in (1, 7, 50, 999):
        assert streamed(in_steps(body.encode(), step)) == out


@pytest.mark.parametrize("label", LABELS)
def test_private_keys_of_every_label_are_masked(label: str) -> None:
    """From the first dash to the last one."""
    body = "a\n" + "\n".join(key(label)) + "\nb\n"
    out, rules = scanned(body.encode())
    assert rules == ["private-key"]
    assert out == b"a\n" + b"*" * (len(body) - 5) + b"\nb\n"


@pytest.mark.parametrize("form", ["json", "list", "indented list", "objects", "json in json"])
def test_json_with_a_private_key_stays_json(form: str) -> None:
    """What follows the key is what it was."""
    body, _ = FORMS[form]
    out = scanned(body.encode(), "application/json")[0]
    before, after = json.loads(body), json.loads(out)
    assert type(before) is type(after)
    if isinstance(before, dict):
        assert set(before) == set(after)
        assert after.get("id") == before.get("id")


def test_the_key_of_a_service_account_is_masked_with_its_id() -> None:
    """And the rest of its JSON stays."""
    account = {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": text("id", 40, "0123456789abcdef"),
        "private_key": PEM.replace("RSA ", ""),
        "client_email": "shop@shop.iam.gserviceaccount.com",
        "client_id": "123456789012345678901",
    }
    out, rules = scanned(json.dumps(account).encode(), "application/json")
    assert rules == ["google-service-account-key-id", "private-key"]
    after = json.loads(out)
    assert after.pop("private_key_id") == "*" * 40
    assert not after.pop("private_key").strip("*\n")
    assert after == {name: account[name] for name in after}


def test_markup_around_a_private_key_stays_balanced() -> None:
    """No tag is left open that was closed."""

    class Depth(HTMLParser):
        depth = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.depth += tag != "br"

        def handle_endtag(self, tag: str) -> None:
            self.depth -= 1

    for form in ("spans", "table", "br"):
        depths = []
        for page in (FORMS[form][0].encode(), scanned(FORMS[form][0].encode(), "text/html")[0]):
            parser = Depth()
            parser.feed(page.decode())
            depths.append(parser.depth)
        assert depths[0] == depths[1]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (json.dumps({"k": PEM[:300], "id": "Ab1" * 20}), '"id": "' + "Ab1" * 20 + '"}'),
        (PEM[:300] + "\n\nThen internationalization", "\n\nThen internationalization"),
        (f"<pre>{PEM[:300]}</pre><p>internationalization", "</pre><p>internationalization"),
        (json.dumps({"k": key()[:4], "id": "Ab1" * 20}), '], "id": "' + "Ab1" * 20 + '"}'),
    ],
    ids=range(4),
)
def test_a_private_key_that_was_cut_off_ends_where_its_text_ends(body: str, kept: str) -> None:
    """Its lines are masked all the same."""
    out, rules = scanned(body.encode())
    assert rules == ["private-key"]
    assert out.endswith(kept.encode())
    assert not [line for line in LINES[:3] if line[:16].encode() in out]


def test_a_private_key_that_never_ends_is_masked_to_the_end() -> None:
    """Longer than any key; no more than a part of it is held back."""
    body = PEM.partition("-----END")[0].rstrip().encode() + b"AbC1" * 25_000
    assert streamed(in_steps(body, 7000)) == b"*" * len(body)
    assert scanned(body)[0] == b"*" * len(body)


@pytest.mark.parametrize(
    "body",
    [
        PROSE,
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC...\n-----END RSA",
        "<code>-----BEGIN PRIVATE KEY-----</code> and <code>-----END PRIVATE KEY-----</code>",
        "-----BEGIN PRIVATE KEY-----\n<your key goes here>\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" + "x" * 64 + "\n-----END PRIVATE KEY-----",
        PEM.replace("RSA PRIVATE", "PUBLIC"),
        PEM.replace("RSA PRIVATE KEY", "CERTIFICATE"),
        "Private-Lines: 14 is the number of lines",
        "if line.startswith('-----BEGIN RSA PRIVATE KEY-----'): kind = 'internationalization'",
    ],
    ids=range(10),
)
def test_prose_about_private_keys_is_left_alone(body: str) -> None:
    """It has no base64."""
    assert scanned(body.encode()) == (body.encode(), [])
    assert streamed(in_steps(body.encode(), 5)) == body.encode()
