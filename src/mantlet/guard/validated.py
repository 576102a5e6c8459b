"""What the app gets of a request: its values as they were validated, so that it need not parse."""

from typing import Any

__all__ = ["Validated"]


class Validated:
    """The values of a request, each a model or a plain value, as its schema has it.

    The app finds it as ``mantlet.state(...).validated``.

    Attributes:
        operation: the name of the operation, such as ``"GET /items/{item_id}"``.
        body: the body: of JSON the value; of a form its fields; of a sequence of JSON texts the
            list of them; of other types the bytes; None where there is none.
        path: the parameters of the path.
        query: those of the query.
        headers: the declared header fields.
        cookies: the declared cookies.
        files: the files of a form by the names of their fields.
    """

    # Said here, since each attribute that is set takes time.
    # Any: what a schema makes of a value is the user's to know.
    body: Any = None
    path: Any = None
    query: Any = None
    headers: Any = None
    cookies: Any = None
    files: Any = None

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __repr__(self) -> str:
        # Values are the client's, and may be secrets.
        return f"Validated({self.operation!r})"
