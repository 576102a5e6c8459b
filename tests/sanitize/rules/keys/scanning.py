"""Scan a body, whole and in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks

if TYPE_CHECKING:
    from mantlet.redact.scanner import Scanner

SCANNER = Leaks().scanner(())


def scanned(
    body: bytes, media: str | None = None, scanner: Scanner = SCANNER
) -> tuple[bytes, list[str]]:
    """Return what comes of a body that is there whole, and the rules that found something."""
    rules: list[str] = []

    def on_match(rule: str, _fingerprint: str | None, _leak: bytes, _at: int) -> None:
        rules.append(rule)

    return StreamScan(scanner, on_match, media)(body, False), rules


def streamed(chunks: list[bytes], media: str | None = None, scanner: Scanner = SCANNER) -> bytes:
    """Return what comes of a body in chunks."""
    scan = StreamScan(scanner, lambda *_: None, media)
    out = [scan(chunk, True) for chunk in chunks]
    return b"".join(out) + scan(b"", False)


def in_steps(body: bytes, step: int) -> list[bytes]:
    """Return a body in chunks of this size."""
    return [body[at : at + step] for at in range(0, len(body), step)]
