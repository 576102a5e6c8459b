"""The decoding of form fields, and the error for forms that parsers read differently."""

__all__ = ["MalformedForm", "decode_text"]


class MalformedForm(ValueError):
    """A form that parsers read differently, or that exceeds a limit.

    Args:
        code: the kind of fault, for programs.
        detail: a sentence for people, without any value of the form.
        field: the name of the field at fault, as the client sent it; None for the whole form.
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


def decode_text(octets: bytes | bytearray) -> str | None:
    """Decode the octets of a field; None if they are not UTF-8 or contain a NUL.

    Some parsers reject invalid UTF-8, some replace it, some read it as latin-1; some end at a NUL.
    """
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
