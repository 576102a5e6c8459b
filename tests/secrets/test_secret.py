"""Only `reveal()` shows the value of a secret."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import sys
import traceback
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
import rich.console
import rich.pretty
import rich.traceback
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from mantlet.redact.variants import encoded_variants
from mantlet.secrets import Secret, SecretModel

VALUE = "kR7-vT2_qX9.mB4w"
SHOWN = "Secret('***')"


@dataclasses.dataclass
class Holder:
    password: Secret[str]


class Model(BaseModel):
    password: Secret[str]
    port: int = 1


class Kept(SecretModel):
    password: Secret[str]


def hidden(text: str | bytes) -> bool:
    """Return whether a text contains no encoding of the value."""
    data = text.encode() if isinstance(text, str) else text
    return not any(form in data for form in encoded_variants(VALUE.encode()))


def test_reveal_is_the_way_in() -> None:
    """It returns the value itself."""
    value = ["the same object"]
    assert Secret(value).reveal() is value


TEXTS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "format-spec": "{:>40}".format,
    "percent-s": lambda s: "%s" % s,  # noqa: UP031  # what is tested
    "percent-r": lambda s: "%r" % s,  # noqa: UP031  # what is tested
    "f-string": lambda s: f"{s} {s!r} {s!a}",
    "list": lambda s: str([s]),
    "dict": lambda s: str({"password": s}),
    "json-default": lambda s: json.dumps({"password": s}, default=str),
    "vars-of-holder": lambda s: str(vars(Holder(s))),
    "asdict": lambda s: str(dataclasses.asdict(Holder(s))),
    "dataclass": lambda s: repr(Holder(s)),
    "snapshot": lambda s: repr(Kept(password=s)),
    "vars-of-snapshot": lambda s: str(vars(Kept(password=s))),
    "model": lambda s: repr(Model(password=s)),
    "model-dump": lambda s: str(Model(password=s).model_dump()),
    "model-dump-json": lambda s: Model(password=s).model_dump_json(),
    "rich": lambda s: rich.pretty.pretty_repr({"password": s, "holder": Holder(s)}),
    "copy": lambda s: repr(copy.copy(s)) + repr(copy.deepcopy([s])),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_of_a_secret_shows_three_stars(text: Callable[[Any], str]) -> None:
    """In every way to make text of an object."""
    shown = text(Secret(VALUE))
    assert hidden(shown)
    assert "***" in shown


def _pickled(protocol: int, value: object) -> bytes:
    return pickle.dumps(value, protocol)


REFUSED: dict[str, Callable[[Any], object]] = {
    "json": json.dumps,
    "vars": vars,
    "attribute": lambda s: setattr(s, "reveal", None),
    "new-attribute": lambda s: setattr(s, "other", None),
    "delete": lambda s: delattr(s, "reveal"),
    "state": methodcaller("__getstate__"),
    "snapshot-attribute": lambda s: setattr(Kept(password=s), "password", s),
    "snapshot-delete": lambda s: delattr(Kept(password=s), "password"),
    "snapshot-json": lambda s: json.dumps(Kept(password=s)),
    "iteration": list,
    "length": len,
    **{
        f"pickle-{protocol}": partial(_pickled, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "pickled-snapshot": lambda s: pickle.dumps(Kept(password=s)),
    "pickled-holder": lambda s: pickle.dumps(Holder(s)),
}


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_what_would_take_the_value_along_is_refused(operation: Callable[[Any], object]) -> None:
    """The error does not show the value either."""
    with pytest.raises((TypeError, AttributeError)) as refused:
        operation(Secret(VALUE))
    assert hidden(repr(refused.value))


def test_the_attributes_hold_no_value() -> None:
    """Code that walks the attributes of an object finds a function."""
    found = Secret(VALUE)
    assert not hasattr(found, "__dict__")
    assert all(hidden(repr(getattr(found, name))) for name in dir(found) if name != "reveal")
    assert hidden(repr(found.reveal))


def test_locals_in_a_rich_traceback_show_none() -> None:
    """Although it shows the variables of each frame."""
    password = Secret(VALUE)
    out = io.StringIO()
    try:
        Holder(password).missing  # type: ignore[attr-defined]
    except AttributeError:
        shown = rich.traceback.Traceback(show_locals=True)
        rich.console.Console(file=out, width=200).print(shown)
    assert "password" in out.getvalue()
    assert hidden(out.getvalue())


def test_logs_show_none(caplog: pytest.LogCaptureFixture) -> None:
    """With the standard library and with the renderers of structlog."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("app").warning("is %s, or %r", Secret(VALUE), {"it": Secret(VALUE)})
    renderers: list[Any] = [
        structlog.processors.JSONRenderer(),
        structlog.processors.KeyValueRenderer(),
        structlog.processors.LogfmtRenderer(),
        structlog.dev.ConsoleRenderer(),
    ]
    texts = [str(r(None, "info", {"event": "x", "password": Secret(VALUE)})) for r in renderers]
    assert hidden("\n".join([caplog.text, *texts]))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Secret("a"), Secret("a"), True),
        (Secret("a"), Secret("b"), False),
        (Secret("a"), Secret(b"a"), False),
        (Secret("1"), Secret(1), False),
        (Secret("\udcff"), Secret("\udcff"), True),
        (Secret("x\ud800"), Secret("x\ud800"), True),
        (Secret("\ud800\udcff"), Secret("\ud800\udcfe"), False),
        (Secret({"a": 1}), Secret({"a": 1}), True),
        (Secret("a"), "a", False),
    ],
    ids=[
        "same",
        "other",
        "bytes",
        "number",
        "surrogate",
        "lone",
        "lone-others",
        "mapping",
        "plain",
    ],
)
def test_secrets_are_equal_by_type_and_value(one: Secret[Any], other: object, equal: bool) -> None:
    """A plain value never equals a secret."""
    assert (one == other) is equal
    assert (one != other) is not equal
    if equal:
        assert len({one, other}) == 1


def test_pydantic_makes_secrets_and_does_not_show_what_it_refuses() -> None:
    """Its own error shows the input; ours does not, and neither does the chain."""
    assert Model(password=VALUE).password.reveal() == VALUE  # type: ignore[arg-type]  # coerced
    made = TypeAdapter(Secret[int]).validate_python("12")
    assert made.reveal() == 12
    with pytest.raises(Exception, match="does not have the type") as refused:
        TypeAdapter(Secret[int]).validate_python(VALUE)
    assert hidden("".join(traceback.format_exception(refused.value)))
    with pytest.raises(ValidationError) as other:
        Model(password=Secret(VALUE), port="none")  # type: ignore[arg-type]  # what is tested
    assert hidden(str(other.value))


def test_the_frames_of_a_refusal_hold_no_value() -> None:
    """A traceback with the variables of the package's frames does not show it."""
    with pytest.raises(Exception, match="does not have the type") as refused:
        TypeAdapter(Secret[int]).validate_python(VALUE)
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    own = [frame for frame in told.stack if frame.filename.endswith("mantlet/secrets/secret.py")]
    assert own
    assert hidden(str([frame.locals for frame in own]))


def test_a_schema_says_that_it_is_a_password() -> None:
    """Without a default or an example."""
    schema = Model.model_json_schema()["properties"]["password"]
    assert (schema["format"], schema["writeOnly"]) == ("password", True)


def test_the_reference_count_is_the_callers() -> None:
    """A secret keeps no reference to a revealed value."""
    value = "".join(["a value ", "of its own"])
    before = sys.getrefcount(value)
    found = Secret(value)
    for _ in range(10):
        found.reveal()
    assert sys.getrefcount(value) == before + 1
