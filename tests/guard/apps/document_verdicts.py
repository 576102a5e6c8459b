"""The verdicts of apps and of guards that are made of their documents."""

import json
from collections import Counter
from typing import Any

from tests.drive import Answer
from tests.guard.apps.document_requests import Case
from tests.guard.apps.fastapi_requests import Asked

#: The ways in which a guard is stricter than the app, by their codes in problems, as in
#: docs/schema-guard/litestar-and-flask-smorest.md.
STRICTER = {
    "ambiguous_cookie",
    "control_character",
    "duplicate_field",
    "duplicate_parameter",
    "empty file",
    "encoded_slash",
    "media_type",
    "missing_body",
    "non_ascii",
    "not_a_file",
    "another type of JSON",
    "undeclared_body",
    "undeclared_field",
    "undeclared_parameter",
}
#: What came of the requests, for those who look for differences longer.
SEEN: Counter[str] = Counter()


def codes(answer: Answer, asked: Asked) -> set[str]:
    """Return the codes of a refusal, or words for what a general code says of a request."""
    return {_word(error, asked) for error in answer.json()["errors"]}


def _word(error: dict[str, str], asked: Asked) -> str:
    code = error["code"]
    if error["in"] != "body" or code == "":
        return code
    if code == "missing" and b'filename=""' in asked.body:
        return "empty file"
    if code in ("type", "oneOf", "anyOf", "enum") and asked.body[:1] == b"{":
        value: Any = json.loads(asked.body)
        for step in error["pointer"].split("/")[1:]:
            value = value[int(step) if isinstance(value, list) else step]
        scalars = value if isinstance(value, list) else [value]
        return "another type of JSON" if any(one is not None for one in scalars) else code
    return code


def compare(case: Case, asked: Asked, own: Answer, guarded: Answer) -> None:
    """Require that a guard lets in whom the app lets in, save as the documentation lists."""
    told = f"{case.told}\n{asked}\napp: {own.text()}\nguarded: {guarded.text()}"
    assert (own.error, guarded.error) == (None, None), told
    if guarded.get("content-type") != "application/problem+json":
        SEEN["laxer" if own.status != 200 else "ran"] += 1
        assert (guarded.status, guarded.body) == (own.status, own.body), told
    elif own.status == 200:
        found = codes(guarded, asked)
        SEEN.update(found)
        assert found <= STRICTER, f"refused an honest client\n{told}"
    else:
        SEEN["refused"] += 1
