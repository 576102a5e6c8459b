"""What a real browser runs of what was cleaned or escaped: nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mantlet.http.html import clean, json_script
from mantlet.sanitize.body import JsonEscape, escape_json
from tests.sanitize.browser.pages import browser, framed, judge, page
from tests.sanitize.browser.payloads import CONTROLS, PAYLOADS, from_package

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    browser() is None, reason="no browser here: install chromium to have XSS payloads judged"
)


def payloads() -> list[str]:
    """Return all that there are."""
    return [*PAYLOADS, *from_package()]


def test_payloads_that_are_left_as_they_are_run(tmp_path: Path) -> None:
    """Or else the other tests would say nothing."""
    controls = [text.replace("(1)", f"({index})") for index, text in enumerate(CONTROLS)]
    verdict = judge(tmp_path, page(fragments=controls))
    assert {f"alert {index}" for index in range(len(CONTROLS))} <= set(verdict.ran)
    assert verdict.broken


@pytest.mark.exhaustive
def test_most_payloads_run_where_they_are_left_as_they_are(tmp_path: Path) -> None:
    """Each in a frame; those that need a click, or a browser of old, do not."""
    verdict = judge(tmp_path, page(scripts=[frame.encode() for frame in framed(PAYLOADS)]))
    assert verdict.ran.count("alert 1") > len(PAYLOADS) // 3


@pytest.mark.parametrize("preset", ["text", "strict", "ugc"])
def test_nothing_runs_of_what_was_cleaned(tmp_path: Path, preset: str) -> None:
    """Nor after it was parsed again, and it stays where it was put."""
    fragments = [clean(text, preset) for text in payloads()]
    verdict = judge(tmp_path, page(fragments=fragments))
    assert (verdict.ran, verdict.broken, verdict.cages) == ([], [], len(fragments))


def test_nothing_runs_of_json_in_a_script(tmp_path: Path) -> None:
    """It ends no script, begins no comment in it, and is the value that it was."""
    texts = payloads()
    scripts = []
    for text in texts:
        made = escape_json(json.dumps({"<&>": text}, ensure_ascii=False).encode())
        scripts.append(b"<script>got.push(" + made + b")</script>")
    verdict = judge(tmp_path, page(scripts=scripts, expected=[{"<&>": text} for text in texts]))
    assert (verdict.ran, verdict.broken, verdict.got) == ([], [], len(texts))


def test_nothing_runs_of_data_for_a_script(tmp_path: Path) -> None:
    """Nor does it end its element, by `json_script()` or by hand."""
    texts = payloads()
    scripts: list[bytes] = []
    for text in texts:
        made = str(json_script({text: text}, f"id{len(scripts)}"))
        scripts.append(made.replace("<script ", "<script class=data ", 1).encode())
        whole = json.dumps(text, ensure_ascii=False).encode()
        parts = [JsonEscape()(whole, False)]
        scripts += [b"<script class=data type=application/json>", *parts, b"</script>"]
    verdict = judge(tmp_path, page(scripts=scripts))
    assert (verdict.ran, verdict.broken, verdict.got) == ([], [], 2 * len(texts))


def test_nothing_runs_of_json_that_is_taken_for_html(tmp_path: Path) -> None:
    """Where a browser is made to show an answer as a page."""
    made = escape_json(json.dumps(payloads(), ensure_ascii=False).encode())
    verdict = judge(tmp_path, page(scripts=[made]))
    assert (verdict.ran, verdict.broken) == ([], [])
