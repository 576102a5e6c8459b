"""What the rules find, over any cut, and what they leave alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import DETECTORS, PUBLIC_IDS, RULES
from tests.sanitize.rules.samples import (
    INNER,
    errors,
)

if TYPE_CHECKING:
    from mantlet.redact.scanner import Scanner

SCANNER = Leaks().scanner(())
ERRORS = errors()


class Told(list[str]):
    def __call__(self, rule: str, _fingerprint: str | None, _leak: bytes, _at: int) -> None:
        self.append(rule)


def scanned(
    body: bytes, media: str | None = "text/plain", scanner: Scanner = SCANNER
) -> tuple[bytes, Told]:
    """Return what comes of a body that is there whole, and what was told."""
    told = Told()
    return StreamScan(scanner, told, media)(body, False), told


def streamed(chunks: list[bytes], media: str | None, scanner: Scanner = SCANNER) -> bytes:
    scan = StreamScan(scanner, Told(), media)
    out = [scan(chunk, True) for chunk in chunks]
    return b"".join(out) + scan(b"", False)


def test_the_default_rules_are_few_enough() -> None:
    """Each literal takes memory; that they are rare matters more, as `test_clean_corpus` has it."""
    literals = [literal for rules in ("errors", "keys", "urls") for rule in RULES[rules]
                for literal in rule.literals]  # fmt: skip
    assert len(set(literals)) <= 900
    assert not [literal for literal in literals if literal[:1].isspace() or literal[:1] in b",;"]


def test_every_id_is_in_the_docs() -> None:
    """Findings are looked up by it, and rules are ignored by it."""
    page = (Path(__file__).resolve().parents[3] / "docs/output-sanitizer/leaks.md").read_text()
    ids = {rule.id for rules in RULES.values() for rule in rules}
    ids = ids.union(PUBLIC_IDS, *(detector.ids for detector in DETECTORS.values()))
    assert [name for name in sorted(ids) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_found_and_nothing_internal_is_left(name: str) -> None:
    """Whatever wrote it; all of its message is masked."""
    rule, media, body = ERRORS[name]
    assert rule == "sqlite-error" or INNER in body
    out, told = scanned(body.encode(), media)
    assert rule in told
    assert INNER.encode() not in out
    assert b"inner_detail_4711" not in out
    assert len(out) == len(body.encode())


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_masked_alike_over_any_cut(name: str) -> None:
    """In single bytes, and at random."""
    _, media, text = ERRORS[name]
    body = text.encode()
    whole, _ = scanned(body, media)
    if len(body) < 3000:
        assert streamed([body[at : at + 1] for at in range(len(body))], media) == whole
    chance = Random(3)
    for _ in range(10):
        edges = [0, *sorted(chance.choices(range(len(body)), k=12)), len(body)]
        assert streamed([body[a:b] for a, b in pairwise(edges)], media) == whole


@pytest.mark.parametrize("name", ["plain-json", "sqlalchemy-json"])
def test_json_around_an_error_stays_json(name: str) -> None:
    """The string that it stands in is masked to its end, and what follows stays."""
    _, media, body = ERRORS[name]
    out, _ = scanned(body.encode(), media)
    assert out.endswith(b'", "b": 2}')


@pytest.mark.parametrize(
    "text",
    [
        "Python prints Traceback (most recent call last) above the frames.",
        "Traceback (most recent call last):\n  ...\nValueError: x",
        'Traceback (most recent call last):\n  File "<stdin>", line 1, in <module>\n',
        '>>> 1/0\nTraceback (most recent call last):\n  File "<console>", line 1, in <module>\n',
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END CERTIFICATE-----",
        "java.lang.NullPointerException is thrown when null is used",
        "see java.lang.Object and javax.servlet.http.HttpServlet",
        "the goroutine 1 is running",
        "ORA-00942 means that a table is missing; FLORA-12345: a plant",
        "[SQL: the language]",
        "SQLSTATE codes are five characters long",
        "<title>Page not found at last</title>",
        "Request Method: GET is what the log says",
    ],
    ids=range(14),
)
def test_what_only_looks_like_a_leak_is_left_alone(text: str) -> None:
    """Words about leaks, examples and placeholders."""
    assert scanned(text.encode()) == (text.encode(), [])
    assert streamed([text[at : at + 1].encode() for at in range(len(text))], None) == text.encode()


def test_an_event_is_not_held_back_for_what_can_t_become_a_leak() -> None:
    """As soon as the bytes behind a literal say that it is none."""
    scan = StreamScan(SCANNER, Told(), "text/event-stream")
    for text in ("AKIA", "Traceback (most recent call last)", "ghp_abc", "java.lang.Error"):
        event = f"data: {text}\n\n".encode()
        assert scan(event, True) == event


@pytest.mark.parametrize("group", [*RULES, *DETECTORS])
def test_every_group_can_be_asked_for_alone(group: str) -> None:
    """And none finds anything in nothing."""
    assert scanned(b"", None, Leaks(detect=group).scanner(())) == (b"", [])


def test_a_stream_of_words_waits_for_no_key() -> None:
    """The last byte is held back only where a key may begin."""
    scanner = Leaks(detect=["keys"]).scanner(())
    held = 0
    for word in ("thousands", "dog", "index", "hazy", "top", "can", "GPS", "A_s"):
        scan = StreamScan(scanner, _no_leak, "text/plain")
        held += len(word) - len(scan(word.encode(), True))
    assert held == 0


def _no_leak(id: str, fingerprint: str | None, leak: bytes, at: int) -> None:
    raise AssertionError(id)
