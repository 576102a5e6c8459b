"""Generate requests with schemathesis and send them: ``generate.py URL EXAMPLES``.

It runs in an environment of its own, which has schemathesis and not Mantlet, and prints what was
sent and what was answered wrongly as JSON. What schemathesis means to be bad may be good once it is
on the wire (a number is text in a query), so a bad request that gets through is read anew there by
the standard library, and held against the document by another validator than the guard's own code.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jsonschema_rs
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

DOCUMENT = json.loads(Path(__file__).with_name("document.json").read_text())
GOOD = schemathesis.GenerationMode.POSITIVE
BAD = schemathesis.GenerationMode.NEGATIVE


def is_valid(schema: Any, value: Any) -> bool:
    whole = {**schema, "components": DOCUMENT["components"]}
    return bool(jsonschema_rs.validator_for(whole).is_valid(value))


def made(text: str) -> list[Any]:
    """Return what a text may stand for: JSON's own scalars, or itself."""
    values: list[Any] = [text]
    if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false", text):
        values.append(json.loads(text))
    return values


def is_good(operation: Any, prepared: Any) -> bool:
    """Return whether a request as it was sent is what the document declares."""
    url = urlsplit(prepared.url)
    template = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.path)
    path = re.fullmatch(template, unquote(url.path))
    item = DOCUMENT["paths"][operation.path]
    declared = item[operation.method.lower()]
    parameters = [*item.get("parameters", []), *declared.get("parameters", [])]
    query = parse_qs(url.query, keep_blank_values=True)
    names = {one["name"] for one in parameters if one["in"] == "query"}
    if path is None or not query.keys() <= names:
        return False
    sent = {
        "path": {name: [text] for name, text in path.groupdict().items()},
        "header": {name: [text] for name, text in prepared.headers.items()},
        "query": query,
    }
    return all(
        is_good_parameter(one, sent[one["in"]].get(one["name"], [])) for one in parameters
    ) and is_good_body(declared, prepared)


def is_good_parameter(declared: Any, texts: list[str]) -> bool:
    schema = declared["schema"]
    if not texts:
        return not declared.get("required", False)
    if schema.get("type") == "array":
        return is_valid(schema, texts)
    return len(texts) == 1 and any(is_valid(schema, value) for value in made(texts[0]))


def is_good_body(declared: Any, prepared: Any) -> bool:
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    content = declared.get("requestBody", {}).get("content")
    if not content:
        return not body
    ((kind, media),) = content.items()
    if prepared.headers.get("Content-Type", "").partition(";")[0].strip() != kind:
        return False
    if kind == "application/json":
        try:
            return is_valid(media["schema"], json.loads(body))
        except ValueError:
            return False
    value: dict[str, Any] = {}
    for name, text in parse_qsl(body.decode(), keep_blank_values=True):
        if name in value:
            return False
        member = media["schema"]["properties"].get(name, {})
        number = text.isdecimal() and member.get("type") == "integer"
        value[name] = int(text) if number else text
    return is_valid(media["schema"], value)


def main(url: str, examples: int) -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    session = requests.Session()

    def send(operation: Any, case: Any, mode: Any) -> None:
        prepared = session.prepare_request(requests.Request(**{
            key: value
            for key, value in case.as_transport_kwargs(base_url=url).items()
            if key in ("method", "url", "headers", "params", "data", "json", "cookies", "files")
        }))  # fmt: skip
        answer = session.send(prepared, allow_redirects=False)
        reached = answer.content == b"reached"
        counts[f"{mode.value} {answer.status_code}"] += 1
        right = 200 if reached else answer.status_code
        good = is_good(operation, prepared)
        if reached != good or not (right == 200 or 400 <= right < 500):
            told = f"{prepared.method} {prepared.url} {prepared.body!r} {dict(prepared.headers)}"
            wrong.append(f"{mode.value}, {'good' if good else 'bad'}: {told}: {answer.content!r}")

    def sending(operation: Any, mode: Any) -> Any:
        return lambda case: send(operation, case, mode)

    bounded = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        operation = found.ok()
        for mode in (GOOD, BAD):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Exception as error:  # there is nothing to negate
                counts[type(error).__name__] += 1
                continue

            run = bounded(given(case=strategy)(sending(operation, mode)))
            try:
                run()
            except Exception as error:
                if "Unsatisfiable" not in type(error).__name__:
                    raise
                counts["Unsatisfiable"] += 1
    sys.stdout.write(json.dumps({"counts": counts, "wrong": wrong[:20]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
