"""Leave methods that override a documented one out of the reference: their base has them."""

from typing import Any

import griffe

__all__ = ["HideOverrides"]


class HideOverrides(griffe.Extension):
    """Document a method once, in the outermost class that has it."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Remove overriding methods, once all classes are known."""
        pending: list[griffe.Module | griffe.Class] = [pkg]
        while pending:
            for member in pending.pop().members.values():
                if isinstance(member, griffe.Class):
                    _remove_overrides(member)
                if isinstance(member, griffe.Module | griffe.Class):
                    pending.append(member)


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
