"""Random answers by the million: ``python -m tests.sanitize.flood [COUNT] [SEED]``.

Made by hand and not by Hypothesis, which looks for the smallest failure and takes its time for it.
"""

from __future__ import annotations

import gzip
import logging
import sys
from itertools import pairwise
from random import Random

from mantlet import OutputSanitizer, Problem
from mantlet.sanitize import Leaks
from tests.sanitize.streams import play_asgi, play_wsgi

SECRET = "Xk29fjQmZ0-secret"
POLICIES = [
    OutputSanitizer(secrets=[SECRET]),
    OutputSanitizer(headers="api", secrets=[SECRET], mask=["password", "/a/*/b"]),
    OutputSanitizer(headers="web", secrets=[SECRET], leaks=Leaks("report"), scan_binary=True),
    OutputSanitizer(
        secrets=[SECRET], leaks=Leaks(detect=["errors", "keys", "jwt", "cards", "iban", "email"])
    ),
]
MEDIA = [
    "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json", "x/y",
    "text/event-stream", "application/x-ndjson", "image/png", "application/octet-stream", "",
]  # fmt: skip
#: What a clean body is made of: no part of it, nor of two of them, is what a rule looks for.
CLEAN = [
    b"the ",
    b"quick. ",
    b"brown\n",
    b"data: 12\n",
    b'{"a": 1}',
    b"\xc3\xa9",
    b"[]",
    b", ",
    b"\t",
]
SCRAPS = [
    *CLEAN, SECRET.encode(), SECRET[:7].encode(), SECRET[7:].encode(), b"Traceback (most recent ",
    b'call last):\n  File "/a.py", line 1\n', b"-----BEGIN PRIVATE KEY-----", b"ghp_", b"AKIA",
    b"\\", b'"', b"<", b"\xe2\x80\xa8"[:2], b"\xa8", b"password", b'": ', b"4111111111111111",
]  # fmt: skip


def flood(count: int, seed: int) -> None:
    """Send random answers through policies on both adapters, and look at what comes out."""
    chance = Random(seed)
    for number in range(count):
        clean = number % 2 == 0
        body = b"".join(chance.choices(CLEAN if clean else SCRAPS, k=chance.randrange(12)))
        media = chance.choice(MEDIA)
        fields = [("content-type", media), ("x-a", chance.choice(["1", "\r\n", SECRET, "é"]))]
        sent = body
        if chance.random() < 0.1:
            sent = gzip.compress(body, 1, mtime=0) if chance.random() < 0.8 else body
            fields.append(("content-encoding", "gzip"))
        cuts = sorted(chance.choices(range(len(sent) + 1), k=chance.randrange(4)))
        chunks = [sent[a:b] for a, b in pairwise([0, *cuts, len(sent)])]
        policy = chance.choice(POLICIES)
        play = chance.choice([play_asgi, play_wsgi])
        try:
            _, got = play(policy, fields, chunks, whole=chance.random() < 0.5)
        except Problem:
            # A stream that is in no coding at all breaks off, once a part of it has gone.
            assert len(fields) == 3, (seed, number)
            continue
        if clean and len(fields) == 2:
            assert b"".join(got) == body, (seed, number, media, chunks)
        elif policy is not POLICIES[2] and media not in ("image/png", "application/octet-stream"):
            assert SECRET.encode() not in b"".join(got), (seed, number, media, chunks)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    numbers = [int(word) for word in sys.argv[1:]] + [1_000_000, 0][len(sys.argv) - 1 :]
    flood(*numbers)
    print("none raised, none harmed a clean body, none let the secret out")  # noqa: T201  # its result
