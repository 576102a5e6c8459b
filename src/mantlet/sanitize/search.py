"""The search for leaks in all that an app sends, and what is done about one."""

from typing import Any

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import OnMatch, Scanner, StreamScan
from mantlet.redact.variants import SecretVariant
from mantlet.sanitize.findings import Finding, Findings
from mantlet.sanitize.head import joined_values
from mantlet.sanitize.leaks import Leaks

__all__ = ["Search"]


class Search:
    """The search for leaks and secrets.

    Args:
        leaks: what is looked for, and what is done.
        registry: the secrets, if there are any.
        findings: who is told.
    """

    def __init__(self, leaks: Leaks, registry: Registry | None, findings: Findings) -> None:
        self._leaks = leaks
        self._registry = registry
        self._findings = findings
        self._masks = leaks.action == "redact"
        if registry is None:
            self._scanner = leaks.scanner(())
        else:
            registry.attach(self)

    def rebuild(self, needles: tuple[SecretVariant, ...]) -> None:
        """Search for these secrets from now on."""
        self._scanner = self._leaks.scanner(needles)

    def scanner(self) -> Scanner:
        """Return what to search with now."""
        if self._registry is not None:
            self._registry.expire()
        return self._scanner

    def body(self, request: Request, scanner: Scanner, media: str | None) -> StreamScan:
        """Return the search through a body: a filter."""
        return StreamScan(scanner, self._tell(request, "body"), media, masks=self._masks)

    # Any: native pairs, of bytes under ASGI and of str under WSGI.
    def fields(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return header fields without leaks."""
        return [self._field(request, scanner, pair, "header") for pair in raw]

    def trailers(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return the fields behind a body without leaks: the same object where there are none."""
        if scanner.is_clean(joined_values(raw)):
            return raw
        return [self._field(request, scanner, pair, "trailer") for pair in raw]

    def _field(self, request: Request, scanner: Scanner, pair: Any, where: str) -> Any:
        name, value = pair
        text = isinstance(value, str)
        shown = name if isinstance(name, str) else name.decode("latin-1")
        clean = self._mask(
            request,
            scanner,
            value.encode("latin-1", "replace") if text else bytes(value),
            f"{where} {shown.lower()}",
        )
        return name, clean.decode("latin-1") if text else clean

    def message(self, request: Request, scanner: Scanner, data: str | bytes) -> str | bytes:
        """Return a WebSocket message without leaks: the same object where there are none."""
        if isinstance(data, bytes):
            return self._mask(request, scanner, data, "message")
        encoded = data.encode(errors="surrogatepass")
        clean = self._mask(request, scanner, encoded, "message")
        return data if clean is encoded else clean.decode(errors="surrogatepass")

    def _mask(self, request: Request, scanner: Scanner, data: bytes, place: str) -> bytes:
        media = "application/json" if data[:1] in (b"{", b"[") else None
        if scanner.is_clean(data, media):
            return data
        return StreamScan(scanner, self._tell(request, place), media, masks=self._masks)(
            data, False
        )

    def _tell(self, request: Request, place: str) -> OnMatch:
        """Return what is told of each leak; it raises a Problem where leaks are blocked."""

        def tell(rule: str, fingerprint: str | None, leak: bytes, at: int) -> None:
            known = fingerprint or self._findings.fingerprint(leak)
            self._findings.tell(request, Finding(rule, f"{place}, byte {at}", known))
            if self._leaks.action == "block":
                raise Problem(500)

        return tell
