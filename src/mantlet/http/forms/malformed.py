"""What a form is that can't be read in one way only."""

__all__ = ["Malformed"]


class Malformed(ValueError):
    """A form that parsers read differently, or that is over a bound.

    Args:
        code: what kind of fault, for programs.
        detail: the same for people, without a value of the form in it.
        field: the name of the field whose fault it is, as the client says it; None where it is
            the whole form's.
        too_large: whether only its size is wrong.
    """

    def __init__(
        self, code: str, detail: str, field: str | None = None, *, too_large: bool = False
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field
        self.too_large = too_large
