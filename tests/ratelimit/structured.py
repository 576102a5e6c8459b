"""Read the header fields of a rate limit as RFC 9651 says, and no more leniently."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.drive import Answer

# RFC 9651, 4.2.5: a string holds %x20-7E, with DQUOTE and backslash escaped.
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
# RFC 9651, 3.1.2 and 3.3.1: a parameter's key, and an integer of at most 15 digits.
_PARAMETER = re.compile(r"; *([a-z*][a-z0-9_.*-]*)=(-?[0-9]{1,15})(?![0-9.])")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


@dataclass(frozen=True)
class Item:
    """A string with its integer parameters."""

    value: str
    parameters: dict[str, int]


def parse_list(text: str) -> list[Item]:
    """Return the items of a List whose members are Strings with integer parameters.

    Raises:
        ValueError: the field is malformed, so RFC 9651, 4.2 has it ignored as a whole.
    """
    items: list[Item] = []
    text = text.strip(" ")
    position = 0
    while position < len(text):
        if items:
            comma = _COMMA.match(text, position)
            if comma is None or comma.end() == len(text):
                raise ValueError(f"no comma, or one too many, at {position} of {text!r}")
            position = comma.end()
        string = _STRING.match(text, position)
        if string is None:
            raise ValueError(f"no string at {position} of {text!r}")
        position = string.end()
        parameters: dict[str, int] = {}
        while found := _PARAMETER.match(text, position):
            parameters[found[1]] = int(found[2])
            position = found.end()
        items.append(Item(re.sub(r"\\(.)", r"\1", string[1]), parameters))
    return items


def limits_of(answer: Answer) -> tuple[list[Item], list[Item]]:
    """Return the items of an answer's ``RateLimit-Policy`` and ``RateLimit``, which must be there.

    Each item has the parameters of draft-ietf-httpapi-ratelimit-headers-10, and a limit's own
    policy.
    """
    policy, limit = answer.get("RateLimit-Policy"), answer.get("RateLimit")
    assert policy is not None
    assert limit is not None
    policies, limits = parse_list(policy), parse_list(limit)
    assert [item.value for item in policies] == [item.value for item in limits]
    for item in policies:
        assert item.parameters.keys() == {"q", "w"}
        assert item.parameters["q"] >= 1
        assert item.parameters["w"] >= 1
    for item in limits:
        assert item.parameters.keys() == {"r", "t"}
        assert item.parameters["r"] >= 0
        assert item.parameters["t"] >= 0
    return policies, limits
