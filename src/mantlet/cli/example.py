"""The example file: a line for each secret, and what is asked of it."""

from collections.abc import Iterator

from mantlet.secrets.model import SecretModel, SecretSpec, specs

__all__ = ["example_file"]


def example_file(model: type[SecretModel]) -> str:
    """Return a ``.env`` file with the names of all secrets, and no value."""
    parts = ["\n".join([*_comments(spec), f"{spec.field.env}="]) for spec in specs(model)]
    return "\n\n".join(parts) + "\n"


def _comments(spec: SecretSpec) -> Iterator[str]:
    for line in spec.description.splitlines():
        yield f"# {line}".rstrip()
    yield f"# {'Required' if spec.required else 'Optional'}: {_kind(spec)}."
    if spec.pattern is not None:
        yield f"# Matches {spec.pattern.pattern!r}."


def _kind(spec: SecretSpec) -> str:
    unit = "bytes" if spec.type is bytes else "characters"
    if spec.type in (str, bytes):
        kind = "text" if spec.type is str else f"bytes in {spec.encoding or 'UTF-8'}"
        return f"{kind}, {spec.min_length} {unit} or more"
    name = getattr(spec.type, "__name__", None)
    return name if isinstance(spec.type, type) and name else str(spec.type).replace("typing.", "")
