"""Random requests against whole guards: ``python -m tests.guard.flood [SECONDS] [SEED]``.

Each goes through a guard of models and one of a document, on both adapters. It fails where an
exception leaves, where a guard answers with a 5xx, and where an answer tells a value that was sent.

With atheris (``pip install atheris``, for Linux and macOS), what is sent is made of what covers
more of the guard; without it, of random numbers.
"""

from __future__ import annotations

import gzip
import json
import logging
import sys
import time
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, Field

from mantlet.guard import BodyLimits, Contract, File, GraphQL, JsonRpc, SchemaGuard
from tests.drive import ADAPTERS
from tests.guard.asking import Guarded
from tests.guard.flooding import DOCUMENT, SAMPLES, SCRAPS, SECRET, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.drive import Answer

_T = TypeVar("_T")


class Chance(Protocol):
    """What decides: random numbers, or a fuzzer's bytes."""

    def below(self, most: int) -> int:
        """Return a number from 0 to one less than that."""
        ...


class RandomChance:
    """Decides by random numbers."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, most: int) -> int:
        return self._random.randrange(most)


class BytesChance:
    """Decides by bytes, and for the first of all choices once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, most: int) -> int:
        number = next(self._data, 0)
        if most > 256:
            number = number << 8 | next(self._data, 0)
        return number % most


# -- the guards -----------------------------------------------------------------------------------


class Owner(BaseModel):
    name: str = Field(max_length=20)
    age: int | None = None


class Item(BaseModel):
    name: str
    price: float = Field(default=1, gt=0)
    tags: list[str] = Field(default=[], max_length=5)
    owner: Owner | None = None
    more: dict[str, int] = {}


class ItemPath(BaseModel):
    item_id: int


class ItemQuery(BaseModel):
    limit: int = 20
    fields: list[str] = []


class Headers(BaseModel):
    x_count: int | None = None


class Cookies(BaseModel):
    session: str | None = Field(default=None, pattern="^[a-z]+$")


class Upload(BaseModel):
    title: str
    sizes: list[int] = []


CONTRACTS: dict[str, Any] = {
    "POST /items": Item,
    "GET /items/{item_id}": Contract(path=ItemPath, query=ItemQuery, headers=Headers),
    "GET /items/mine": Contract(cookies=Cookies),
    "POST /lines": Contract(lines=Item),
    "POST /form": Contract(form=Upload),
    "POST /upload": Contract(
        form=Upload, files={"photo": File(max_size=500, types=["image/png"], required=False)}
    ),
    "PUT /raw": Contract(raw=["text/*", "image/png"]),
    "POST /rpc": Contract(body=JsonRpc({"add": Owner, "ping": None})),
    "POST /graphql": Contract(body=GraphQL(schema="type Query { user(id: ID!): String }")),
}
LIMITS = BodyLimits(body=5_000, decoded=10_000, depth=8, members=20, items=20, lines=20, digits=40)


def guards() -> list[Guarded]:
    """Return apps behind guards of every kind, on both adapters."""
    made = []
    for adapter in ADAPTERS:
        for options in ({}, {"forward": "canonical", "paths": "normalize"}, {"mode": "report"}):
            for source in ({"contracts": CONTRACTS}, {"openapi": DOCUMENT}):
                guard = SchemaGuard(**source, limits=LIMITS, **options)  # type: ignore[arg-type]  # each has its own
                made.append(Guarded(adapter, guard))
    return made


# -- a request ------------------------------------------------------------------------------------


def pick(chance: Chance, choices: Sequence[_T]) -> _T:
    return choices[chance.below(len(choices))]


def mutated(chance: Chance, text: bytes) -> bytes:
    """Return a text with some of it gone, doubled, or something else put in."""
    for _ in range(chance.below(4)):
        start, size = chance.below(len(text) + 1), pick(chance, [0, 0, 0, 1, 1, 2, 5, 50, 1000])
        change = chance.below(4)
        put = pick(chance, SCRAPS) if change else text[start : start + size] * 2
        if change == 1:
            put *= pick(chance, [1, 2, 30, 300])
        elif change == 2:
            put = bytes([chance.below(256)])
        text = text[:start] + put + text[start + size :]
    return text


def request(chance: Chance) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """Return a random request: its method, its target, its fields and its body."""
    sample: Sample = pick(chance, SAMPLES)
    other: Sample = pick(chance, SAMPLES) if chance.below(8) == 7 else sample
    method = (
        sample.method if chance.below(20) < 19 else pick(chance, ["GET", "OPTIONS", "QUERY", "X"])
    )
    target, body = sample.target.encode(), other.body
    what = chance.below(8)
    if what & 1:
        body = mutated(chance, body)
    if what & 2:
        # What no server lets through, or splits the target at, stays out of it.
        target = b"/" + mutated(chance, target[1:])
        target = bytes(byte for byte in target if byte > 0x20 and byte not in b"\x7f#")
    fields = list(other.fields)
    if what == 4 and fields:
        at = chance.below(len(fields))
        value = mutated(chance, fields[at][1].encode("latin-1")).decode("latin-1")
        fields[at] = fields[at][0], "".join(letter for letter in value if letter.isprintable())
        if chance.below(3) == 2:
            fields.append(pick(chance, fields))
    coding = chance.below(30)
    if coding > 26 and body:
        fields.append(("Content-Encoding", pick(chance, ["gzip", "deflate", "gzip, gzip", "br"])))
        body = gzip.compress(body, 1, mtime=0)
        body = mutated(chance, body) if coding == 29 else body
    return method, target.decode("latin-1"), fields, body


def check(answer: Answer) -> None:
    """See that nothing has gone wrong with an answer."""
    if answer.error is not None:
        raise answer.error
    assert answer.status is not None
    assert answer.status < 500, answer.text()
    if answer.status < 400:
        return
    told = answer.text()
    if answer.get("content-type") == "application/problem+json":
        problem = answer.json()
        for error in problem.get("errors", ()):
            error["pointer"] = ""  # names may stand there
        told = json.dumps([problem, [field for field in answer.headers if field[0] != "allow"]])
    assert SECRET not in told, told


def send(chance: Chance, apps: list[Guarded]) -> int:
    """Send a request to one app; return the status."""
    app = pick(chance, apps)
    method, target, fields, body = request(chance)
    try:
        answer = app.ask(method, target, headers=fields, body=body)
        check(answer)
    except BaseException:
        print(app.adapter.name, (method, target, fields, body))  # noqa: T201  # to be sent again
        raise
    app.seen.clear()
    app.bodies.clear()
    app.carriers.clear()
    assert answer.status is not None
    return answer.status


def flood(seconds: float, seed: int) -> dict[int, int]:
    """Send random requests for so long; return how often each status was answered."""
    chance, apps = RandomChance(seed), guards()
    end = time.monotonic() + seconds
    statuses: dict[int, int] = {}
    while time.monotonic() < end:
        status = send(chance, apps)
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def main(seconds: str = "60", seed: str = "0") -> None:
    """Flood, with atheris where it is installed."""
    logging.disable(logging.CRITICAL)
    try:
        atheris = import_module("atheris")
    except ImportError:
        print(dict(sorted(flood(float(seconds), int(seed)).items())))  # noqa: T201  # its result
        return
    apps = guards()
    atheris.instrument_all()
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", f"-seed={int(seed) + 1}", "-max_len=400"],
        lambda data: send(BytesChance(data), apps),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
