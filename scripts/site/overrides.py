"""Edit what mkdocstrings shows: only public names, and docstrings as Markdown."""

import re
from collections.abc import Iterator
from typing import Any

import griffe

__all__ = ["HideOverrides", "HidePrivateParameters", "LiteralBlocks"]

_LITERAL_BLOCK = re.compile(r"^[ \t]*::\n|:(?=:$)", re.MULTILINE)
_PRIVATE_DEFAULT = re.compile(r"(?:\(lambda: )?(_[A-Za-z]\w*)(?:\)\(\))?")
_PRIVATE_NAME = re.compile(r"(?<![\w.])_[A-Za-z]")


class HideOverrides(griffe.Extension):
    """Document a method once, in the outermost class that has it."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Remove overriding methods, once all classes are known."""
        for member in _walk(pkg):
            if isinstance(member, griffe.Class):
                _remove_overrides(member)


class HidePrivateParameters(griffe.Extension):
    """Leave private parameters out of signatures, and show the values of private defaults.

    It comes after griffe's extension `dataclasses`, which makes their `__init__`.
    """

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Edit the parameters of all functions."""
        for member in _walk(pkg):
            if isinstance(member, griffe.Function):
                _edit_parameters(member)


class LiteralBlocks(griffe.Extension):
    """Remove the second of the two colons that precede an example: Markdown has no use for it."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Edit all docstrings, which are parsed later."""
        for member in _walk(pkg):
            if member.docstring:
                member.docstring.value = _LITERAL_BLOCK.sub("", member.docstring.value)


def _walk(pkg: griffe.Module) -> Iterator[griffe.Object]:
    pending: list[griffe.Object] = [pkg]
    while pending:
        found = pending.pop()
        yield found
        pending += [one for one in found.members.values() if isinstance(one, griffe.Object)]


def _remove_overrides(kind: griffe.Class) -> None:
    documented = {
        name
        for base in kind.mro()
        if not base.name.startswith("_")
        for name, member in base.members.items()
        if member.has_docstring
    }
    for name in documented & kind.members.keys():
        del kind.members[name]


def _edit_parameters(function: griffe.Function) -> None:
    kept = []
    for parameter in function.parameters:
        if parameter.name.startswith("_") and parameter.default is not None:
            continue
        if name := _PRIVATE_DEFAULT.fullmatch(str(parameter.default)):
            parameter.default = _value(function.module, name[1])
        kept.append(parameter)
    function.parameters = griffe.Parameters(*kept)


def _value(module: griffe.Module, name: str) -> str | griffe.Expr:
    """Return the value of a constant, or `...` if it says nothing to a reader."""
    constant = module.members.get(name)
    if isinstance(constant, griffe.Attribute) and constant.value is not None:
        text = str(constant.value)
        if text != "object()" and not _PRIVATE_NAME.search(text):
            return constant.value
    return "..."
