"""The texts within a value are found, and decide whether two values are equal."""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter

from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel
from mantlet.secrets.secret import canonical_text, iter_texts

OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"


class Hidden(BaseModel):
    password: SecretStr


class Protected(BaseModel):
    password: Secret[str]


@dataclass
class Account:
    password: str


def _as(annotation: Any, password: str) -> Any:
    return TypeAdapter(annotation).validate_python({"password": password})


MADE = {
    "text": lambda password: password,
    "bytes": lambda password: password.encode(),
    "pydantic-text": SecretStr,
    "pydantic-bytes": lambda password: SecretBytes(password.encode()),
    "secret": Secret,
    "model": lambda password: _as(Hidden, password),
    "model-of-secrets": lambda password: _as(Protected, password),
    "dataclass": Account,
    "mapping": lambda password: {"password": password},
    "list": lambda password: [password],
    "deque": lambda password: deque([password]),
    "set": lambda password: {password},
    "nested": lambda password: ({"accounts": [Account(password)]}, 1, None, True, 0.5),
    "other": lambda password: UUID(bytes=password.encode()[:16]),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_values_are_told_apart_by_what_they_consist_of(made: Any) -> None:
    """Equal content makes them equal."""
    assert Secret(made(OLD)) == Secret(made(OLD))
    assert Secret(made(OLD)) != Secret(made(NEW))
    assert len({Secret(made(OLD)), Secret(made(OLD)), Secret(made(NEW))}) == 2


TEXTS = {name: one for name, one in MADE.items() if name != "other"}


@pytest.mark.parametrize("made", TEXTS.values(), ids=TEXTS)
def test_the_texts_of_a_value_are_found(made: Any) -> None:
    """They are the texts to mask."""
    texts = [one.decode() if isinstance(one, bytes) else one for one in iter_texts(made(OLD))]
    assert texts == [OLD]


def test_the_order_counts_where_there_is_one() -> None:
    """The order of dict keys and of sets does not count."""
    assert canonical_text({"a": 1, "b": 2}) == canonical_text({"b": 2, "a": 1})
    assert canonical_text({8, 16, 0}) == canonical_text({0, 16, 8})
    assert canonical_text([1, 2]) != canonical_text([2, 1])
    assert canonical_text(["1"]) != canonical_text([1])


@pytest.mark.parametrize("annotation", [Hidden, Protected, Account], ids=lambda one: one.__name__)
def test_a_new_password_within_a_value_is_a_change(annotation: Any) -> None:
    """Even if ``str()`` of the whole is the same; and it is masked."""
    model = type("App", (SecretModel,), {"__annotations__": {"account": Secret[annotation]}})
    environ = {"ACCOUNT": json.dumps({"password": OLD})}
    loader: Any = SecretLoader(model, sources=[Environment(environ)], example_file=None)
    assert OLD in loader.registry
    environ["ACCOUNT"] = json.dumps({"password": NEW})
    assert loader.reload() == {"account"}
    assert OLD in loader.registry
    assert NEW in loader.registry
    assert NEW in list(iter_texts(loader.current.account))
