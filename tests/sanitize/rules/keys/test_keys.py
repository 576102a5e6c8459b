"""Keys of providers are masked, and nothing around them; what only looks like one stays."""

from __future__ import annotations

import html
import json
import urllib.parse

import pytest

from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import RULES
from mantlet.sanitize.rules.keys.prefixes import FORMS
from tests.sanitize.rules.keys.samples import (
    ALNUM,
    HEX,
    LABELS,
    encoded,
    keys,
    labeled,
    text,
    with_crc,
)
from tests.sanitize.rules.keys.scanning import in_steps, scanned, streamed

KEYS = keys()
LABELED = labeled()
FRAMES = ("%s", '{"key": "%s"}', "https://a.b/?key=%s&x=1", "<td>%s</td>", "a %s b", "a\\n%s\\nb")
ENCRYPTED = f"{text('iv', 16)}.{text('ct', 50)}.{text('t', 22)}"
JWTS = Leaks(detect="jwt").scanner(())


def stars(frame: str, key: str) -> bytes:
    return (frame % ("*" * len(key))).encode()


def test_the_table_has_many_forms() -> None:
    """Each with an id, a source and bounds."""
    assert len({rule.id for rule in RULES["keys"]}) >= 100
    assert all(form.source and 0 < form.least <= form.most <= 2000 for form in FORMS)
    assert {rule.id for rule in RULES["keys"]} == (
        {rule for rule, _ in KEYS.values()}
        | {rule for rule, _, _ in LABELED.values()}
        | {"azure-ad-secret", "azure-sas", "discord-webhook", "teams-webhook", "telegram-token",
           "terraform-token", "private-key"}
    )  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_masked_and_nothing_around_it(name: str) -> None:
    """In text, JSON, HTML and URLs, after an escape, and over cuts."""
    rule, key = KEYS[name]
    for frame in FRAMES:
        body = (frame % key).encode()
        assert scanned(body) == (stars(frame, key), [rule])
        for at in {*range(0, len(body), len(body) // 24 + 1), len(frame) // 2, len(body) - 1}:
            assert streamed([body[:at], body[at:]]) == stars(frame, key)
        assert streamed(in_steps(body, 3)) == stars(frame, key)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_found_as_encoders_write_it(name: str) -> None:
    """Where base64 and paths of URLs are escaped."""
    _, key = KEYS[name]
    for body in (json.dumps(key).replace("/", "\\/"), html.escape(key)):
        out, rules = scanned(body.encode())
        assert len(rules) == 1
        assert key[-24:].encode() not in out
    if "$" not in key and "/" not in key[:20] and ":" not in key and "{" not in key:
        out, rules = scanned(urllib.parse.quote_plus(key).encode())
        assert len(rules) == 1, name


@pytest.mark.parametrize("name", KEYS)
def test_part_of_a_longer_word_is_no_key(name: str) -> None:
    """Nor is one that is too short."""
    _, key = KEYS[name]
    if key[0].isalnum():
        body = f"a{key}".encode()
        assert scanned(body) == (body, [])
    body = key[: max(8, len(key) // 6)].encode()
    assert scanned(body) == (body, [])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.id}-{form.prefixes[:12]}")
def test_a_placeholder_is_no_key(form: object) -> None:
    """Letters that stand for a key, and words."""
    for prefix in form.prefixes.split():  # type: ignore[attr-defined]
        for filler in (
            "x",
            "X",
            "a",
            "0",
            "*",
            "your-key-here-",
            "YOUR_KEY_",
            "abcdef",
            "example-",
        ):
            body = (prefix + filler * 100)[: len(prefix) + form.least].encode()  # type: ignore[attr-defined]
            assert scanned(body) == (body, [])


CHECKED = ["github ghp_", "github ghs_", "npm", "gitlab routable", "age", "grafana", "atlassian"]


@pytest.mark.parametrize("name", CHECKED)
def test_a_random_key_with_a_wrong_checksum_is_masked(name: str) -> None:
    """Of a mistyped key, or one with a checksum of a new kind, nearly all would be disclosed."""
    rule, key = KEYS[name]
    letters = list(key)
    letters[-1] = "2" if letters[-1] != "2" else "3"
    assert scanned("".join(letters).encode()) == (b"*" * len(key), [rule])


@pytest.mark.parametrize("prefix", ["ghp_", "npm_"])
def test_a_checksum_tells_a_key_from_words(prefix: str) -> None:
    """With the right one it is a key, however it looks."""
    body = "thisisaverylongnameofaparame"[:30].ljust(30, "t")
    key = f"{prefix}{with_crc(body)}"
    assert scanned(key.encode())[0] == b"*" * len(key)
    word = f"{prefix}{body}etersx".encode()
    assert scanned(word) == (word, [])


@pytest.mark.parametrize("name", LABELED)
def test_a_labeled_value_is_masked_alone(name: str) -> None:
    """Its label stays, and without the label it is no key."""
    rule, label, value = LABELED[name]
    for frame in LABELS:
        begin = frame % label
        body = f"{begin}{value}' x".encode()
        expected = f"{begin}{'*' * len(value)}' x".encode()
        assert scanned(body) == (expected, [rule])
        for at in range(0, len(body), len(body) // 16 + 1):
            assert streamed([body[:at], body[at:]]) == expected
    if "." not in value:
        body = f'{{"sha": "{value}"}}'.encode()
        assert scanned(body) == (body, [])


def test_the_secret_of_an_aws_key_is_found_next_to_its_id() -> None:
    """In a row, a list or a pair; hexadecimal digests are none."""
    key = "AKIA" + text("aws", 16, ALNUM[26:52])
    secret = text("secret", 38) + "/+"
    for frame in ("%s:%s", "%s,%s", "%s\n%s\n", "<td>%s</td><td>%s</td>", '["%s", "%s"]'):
        body = (frame % (key, secret)).encode()
        out, rules = scanned(body)
        assert rules == ["aws-access-key"]
        assert key.encode() not in out
        assert secret[:20].encode() not in out
        assert secret[20:].encode() not in out
        for at in range(len(body)):
            assert streamed([body[:at], body[at:]]) == out
    body = f"{key} {text('sha', 40, HEX)}".encode()
    assert scanned(body)[0] == b"*" * 20 + body[20:]


@pytest.mark.parametrize(
    "body",
    [
        "https://s3.example/?X-Amz-Credential=%s%%2F20260101%%2Fus-east-1%%2Fs3%%2Faws4_request&x=1",
        "https://s3.example/?X-Amz-Credential=%s/20260101/us-east-1/s3/aws4_request",
        '{"x-amz-credential": "%s/20260101/us-east-1/s3/aws4_request"}',
        '{"X-Amz-Credential": "%s\\/20260101\\/us-east-1"}',
        "https://s3.example/x?AWSAccessKeyId=%s&Expires=1&Signature=x",
        "https://s3.example/x?Expires=1&amp;AWSAccessKeyId=%s&amp;Signature=x",
        '{"AWSAccessKeyId": "%s", "policy": "x"}',
        '<input type="hidden" name="AWSAccessKeyId" value="%s">',
        "https://storage.example/x?GoogleAccessId=%s&Signature=x",
        "<AWSAccessKeyId>%s</AWSAccessKeyId>",
    ],
    ids=range(10),
)
def test_the_id_of_a_signed_url_or_form_stays(body: str) -> None:
    """Everyone who is given the URL sees it."""
    sent = (body % ("AKIA" + text("aws", 16, ALNUM[26:52]))).encode()
    assert scanned(sent) == (sent, [])
    for at in range(len(sent)):
        assert streamed([sent[:at], sent[at:]]) == sent


def test_the_secrets_of_azure_are_found() -> None:
    """Of its directory, and shared access signatures but those that read a single blob."""
    key = f"{text('ad', 3)}8Q~{text('azure', 34)}"
    assert scanned(f'{{"s": "{key}"}}'.encode()) == (
        f'{{"s": "{key[:4]}{"*" * 36}"}}'.encode(), ["azure-ad-secret"]
    )  # fmt: skip
    sig = encoded(text("sig", 30)).replace("=", "")[:42] + "8%3D"
    account = f"?sv=2022-11-02&ss=bfqt&srt=sco&sp=rwdlacup&se=2026-12-01&spr=https&sig={sig}"
    out, rules = scanned(account.encode())
    assert (out, rules) == (account.replace(sig, "*" * len(sig)).encode(), ["azure-sas"])
    blob = f"?sp=r&st=2026-11-01&se=2026-12-01&spr=https&sv=2022-11-02&sr=b&sig={sig}".encode()
    assert scanned(blob) == (blob, [])


def test_a_token_of_terraform_is_found_behind_its_id() -> None:
    """The fourteen characters of the id stay."""
    token = f"{text('id', 14)}.atlasv1.{text('terraform', 67)}"
    out, rules = scanned(f"TF={token} x".encode())
    assert (out, rules) == (f"TF={token[:14]}{'*' * 76} x".encode(), ["terraform-token"])


def test_the_urls_and_tokens_of_messengers_are_found() -> None:
    """Of Discord, Teams and Telegram; the ids before them are public."""
    token = text("discord hook", 68)
    for slash in ("/", "\\/"):
        url = f"https://discord.com/api/webhooks/10932109865093284370/{token}".replace("/", slash)
        out, rules = scanned(url.encode())
        assert (token.encode() in out, rules) == (False, ["discord-webhook"])
    group = "6f1c2d3e-9b8a-4c7d-8e5f-a0b1c9d2e3f4"
    hook = f"https://x.webhook.office.com/webhookb2/{group}@{group}/IncomingWebhook/"
    out, rules = scanned(f"{hook}{text('t', 32, HEX)}/{group} x".encode())
    assert (text("t", 32, HEX).encode() in out, rules) == (False, ["teams-webhook"])
    assert out.endswith(b" x")
    bot = f"bot123456789:AA{text('telegram', 33)}"
    assert scanned(f"/{bot}/sendMessage".encode()) == (
        f"/bot123456789{'*' * 36}/sendMessage".encode(), ["telegram-token"]
    )  # fmt: skip


def jwt(header: dict[str, object], payload: str | None = None) -> str:
    body = encoded({"sub": "1", "name": "x"}) if payload is None else payload
    return f"{encoded(header)}.{body}.{text('jwt', 43)}"


@pytest.mark.parametrize(
    "token",
    [
        jwt({"alg": "HS256"}),
        jwt({"alg": "RS256", "typ": "JWT", "kid": "1"}),
        jwt({"typ": "JWT", "alg": "RS256"}),
        jwt({"kid": "1", "alg": "ES256"}),
        jwt({"b64": False, "crit": ["b64"], "alg": "HS256"}),
        jwt({"x5t": "abc", "zip": "DEF", "alg": "PS256"}),
        jwt({"alg": "EdDSA"}, payload=""),
        f"{encoded({'alg': 'dir', 'enc': 'A128GCM'})}..{ENCRYPTED}",
        f"{encoded({'enc': 'A128GCM', 'alg': 'RSA-OAEP'})}.{text('k', 342)}.{ENCRYPTED}",
    ],
    ids=range(9),
)
def test_a_json_web_token_is_masked_by_option(token: str) -> None:
    """In whatever order the members of its header are; apps send them on purpose."""
    body = f'{{"token": "{token}"}}'.encode()
    assert scanned(body) == (body, [])
    expected = b'{"token": "' + b"*" * len(token) + b'"}'
    assert scanned(body, None, JWTS) == (expected, ["jwt"])
    for at in range(0, len(body), 7):
        assert streamed([body[:at], body[at:]], None, JWTS) == expected


@pytest.mark.parametrize(
    "token",
    [
        f"{encoded({'typ': 'JWT'})}.{encoded({'sub': '1'})}.{text('jwt', 43)}",
        f"{encoded({'alg': 1})}.{encoded({'sub': '1'})}.{text('jwt', 43)}",
        f"eyJ{text('no', 40)}.{encoded({'sub': '1'})}.{text('jwt', 43)}",
        "eyJhbGciOiJIUzI1NiJ9.short.x",
        f"{encoded('[' * 600)}.{encoded({'sub': '1'})}.{text('jwt', 43)}",
    ],
    ids=range(5),
)
def test_what_has_no_header_is_no_json_web_token(token: str) -> None:
    """Its header is JSON that names an algorithm."""
    assert scanned(token.encode(), None, JWTS) == (token.encode(), [])


@pytest.mark.parametrize(
    "body",
    [
        "AKIAIOSFODNN7EXAMPLE is the example of the documentation",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = YOUR_SECRET_ACCESS_KEY_GOES_HERE_PLEASE1",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "OPENAI_API_KEY=sk-proj-your-api-key-goes-here-please",
        "AKIA" + "A" * 16,
        "$1$2$3 and $5$6 of a replacement; $2a$ is the prefix of bcrypt",
        "pbkdf2:sha256 and pbkdf2_sha256 are names, scrypt: too",
        "private_key_id: the id of the key",
        "the discord server and twilio and mailgun and datadog",
        "NASDAQ:AAPL 12345678:AAPL",
        "task-abcdefghijklmnopqrstuvwxyz0123456789abcd",
        "https://pkg.example/sha256~short",
        "hvs.short, npm_config_registry, sk-ant-colony, ya29.no",
        "skghp_" + with_crc(text("x", 30)),
        "const xoxb = require('xoxb-parser')",
        "https://cdnjs.cloudflare.com/ajax/libs/" + text("lib", 40),
        "sig=" + text("flickr", 32, HEX),
        "/api/webhooks/",
        "AccountKey=" + "A" * 86 + "==",
        "/favicon.ico-" + text("digest", 32, HEX) + ".png",
        "xoxe.xoxp-1-SlackAppConfigurationAccessTokenHere",
    ],
    ids=range(22),
)
def test_what_only_looks_like_a_key_is_left_alone(body: str) -> None:
    """Documented examples, placeholders, names, digests."""
    assert scanned(body.encode()) == (body.encode(), [])
    assert streamed(in_steps(body.encode(), 1)) == body.encode()


def test_no_event_is_held_back_for_what_is_no_key() -> None:
    """Each is sent as soon as the bytes behind a literal say that it is none."""
    from mantlet.redact.stream_scan import StreamScan

    scan = StreamScan(Leaks().scanner(()), lambda *_: None, "text/event-stream")
    for word in ("AKIA", "ghp_abc", "sk-", "discord", "client_token", "sig=", "private_key_id",
                 "-----BEGIN PRIVATE KEY-----", "https://user:", "AccountKey"):  # fmt: skip
        event = f"data: {word}\n\n".encode()
        assert scan(event, True) == event


def test_few_literals_are_short() -> None:
    """They cost time wherever they occur in innocent text."""
    literals = [literal for rule in RULES["keys"] for literal in rule.literals]
    assert len(literals) <= 420
    assert [literal for literal in literals if len(literal) < 3] == [b"Q~"]  # of Azure AD
    assert sum(len(literal) == 3 for literal in literals) <= 33


def test_a_rule_can_be_ignored() -> None:
    """By its id."""
    key = KEYS["npm"][1].encode()
    scanner = Leaks(ignore=["npm-token"]).scanner(())
    assert scanned(key, None, scanner) == (key, [])
