"""How far a leak is masked: what a user has written harms no more than his own text.

For every rule and detector: a comment that has a leak in it, as a user can type it, stands in a
page, in JSON, in a text and in events, between those of other users.
"""

from __future__ import annotations

import html
import json
from typing import Final

import pytest

from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import DETECTORS, RULES
from tests.sanitize.rules.keys.samples import keys
from tests.sanitize.rules.keys.test_private_keys import PEM
from tests.sanitize.rules.samples import errors

SCANNER: Final = Leaks(detect=[*RULES, *DETECTORS]).scanner(())
#: What a user may type: each sample of a leak, and the literals of each rule behind markup.
COMMENTS: Final = {
    **{name: text for name, (_, _, text) in errors().items()},
    **{f"{name}-key": key for name, (_, key) in keys().items()},
    "private-key": PEM,
    "private-key-begun": "-----BEGIN RSA PRIVATE KEY-----",
    "card": "4111 1111 1111 1111",
    "email": "bob@example.org",
    "iban": "GB29NWBK60161331926819",
    "debugger": "?__debugger__=yes",
    "opened": "a = \"b = ('c: UNIQUE constraint failed: docs.id",
    "unclosed": '&quot; \\" =\\\\\\" UNIQUE constraint failed: docs.id \\',
    **{
        f"literals-{rule.id}-{index}": "".join(
            f" {literal.decode()} x" for literal in rule.literals
        )
        for rules in RULES.values()
        for index, rule in enumerate(rules)
    },
}


def sent(body: str, media: str | None) -> str:
    return StreamScan(SCANNER, lambda *_: None, media)(body.encode(), False).decode()


@pytest.mark.parametrize("name", COMMENTS)
def test_a_comment_in_a_page_harms_no_other(name: str) -> None:
    """Escaped, as templates do it: in an element, and in an attribute."""
    comment = html.escape(COMMENTS[name])
    begin = "<!doctype html>\n<html>\n<head><title>Comments</title></head>\n<body><p>first</p>\n<p>"
    end = '</p>\n<p>second</p><a href="/x">link</a>\n</body></html>\n'
    for media in ("text/html", None):
        out = sent(begin + comment + end, media)
        assert out.startswith(begin)
        assert out.endswith(end)
    begin = '<!doctype html>\n<html><head><title>x</title></head><body><a title="'
    end = '" href="/x">link</a><p>second</p>\n</body></html>\n'
    out = sent(begin + comment + end, "text/html")
    assert out.startswith(begin)
    assert out.endswith(end)


@pytest.mark.parametrize("name", COMMENTS)
def test_a_comment_as_the_title_of_a_page_harms_nothing_else(name: str) -> None:
    """The title is the user's: the page is still no debugger's."""
    end = '</title>\n<meta name="robots" content="x"></head><body><p>other</p></body></html>'
    out = sent(f"<!doctype html>\n<html lang=en>\n<head><title>{html.escape(COMMENTS[name])}{end}",
               "text/html")  # fmt: skip
    assert out.endswith(end)


@pytest.mark.parametrize("name", COMMENTS)
@pytest.mark.parametrize("media", ["application/json", "text/html", "text/plain", None])
def test_a_comment_in_json_harms_no_other(name: str, media: str | None) -> None:
    """Whatever the type that the app says."""
    document = ["first", {"text": COMMENTS[name], "at": 1}, "second"]
    for body in (json.dumps(document), json.dumps(document, indent=1, ensure_ascii=False)):
        after = json.loads(sent(body, media))
        assert [after[0], after[1]["at"], after[2]] == ["first", 1, "second"]


@pytest.mark.parametrize("name", COMMENTS)
def test_a_comment_in_a_text_harms_no_other_paragraph(name: str) -> None:
    """A comment has no blank lines here, which would make paragraphs of it."""
    lines = [line for line in COMMENTS[name].splitlines() if line.strip()]
    if "-----BEGIN" in COMMENTS[name]:
        return  # a private key goes on to its last line, over blank ones
    out = sent("first\n\n" + "\n".join(lines) + "\n\nsecond = 2\n", "text/plain")
    assert out.startswith("first\n\n")
    assert out.endswith("\n\nsecond = 2\n")


@pytest.mark.parametrize("name", COMMENTS)
def test_a_comment_in_an_event_harms_no_other(name: str) -> None:
    """As lines of text, and as JSON."""
    lines = [line for line in COMMENTS[name].splitlines() if line.strip()]
    for data in ("\ndata: ".join(lines), json.dumps(COMMENTS[name])):
        end = "\n\nevent: b\ndata: second\n\n"
        out = sent(f"event: a\ndata: first\n\nevent: a\ndata: {data}{end}", "text/event-stream")
        assert out.startswith("event: a\ndata: first\n\nevent: a\ndata: ")
        assert out.endswith(end)


def test_a_debug_page_is_masked_to_its_end() -> None:
    """It is one from its head on."""
    page = "<!doctype html>\n<html lang=en>\n  <head>\n    <title>x // Werkzeug Debugger</title>\n"
    out = sent(page + "<body><p>inner</p>\n\n</body>", "text/html")
    assert set(out[len("<!doctype html>\n") :]) == {"*"}
