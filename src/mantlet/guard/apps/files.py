"""Convert uploaded files to the types that an app's validators expect."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, get_args

from mantlet.guard.bodies.forms.uploads import UploadedFile

__all__ = ["class_names", "file_converter"]


# Any: annotations, which may be any object.
def class_names(kind: Any) -> frozenset[str]:
    """Return the names of a class and of those that it inherits from."""
    return frozenset(base.__name__ for base in getattr(kind, "__mro__", ()))


def file_converter(info: Any) -> Callable[[Any], Any] | None:
    """Return a function that converts an uploaded file to the type of a field.

    Args:
        info: the field's ``FieldInfo``.

    Returns:
        None for a field that takes no file.
    """
    kinds = list(_classes(info.annotation))
    uploads = [kind for kind in kinds if "UploadFile" in class_names(kind)]
    if uploads:
        return _upload_converter(uploads[0])
    takes_bytes = any(issubclass(kind, bytes) for kind in kinds)
    return _content if takes_bytes and "File" in class_names(type(info)) else None


def _classes(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)


# Any: the app's class of files, and a file of it.
def _upload_converter(kind: type[Any]) -> Callable[[Any], Any]:
    headers = type(kind(BytesIO()).headers)

    def convert(value: Any) -> Any:
        if not isinstance(value, UploadedFile):
            return value
        stated = {"content-type": value.content_type} if value.content_type else {}
        value.file.seek(0)  # another field's validator may have read it
        return kind(value.file, size=value.size, filename=value.name, headers=headers(stated))

    return convert


def _content(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return value
    value.file.seek(0)
    content = value.read()
    value.file.seek(0)
    return content
