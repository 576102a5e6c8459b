"""Find and redact leaks in headers, bodies, trailers and WebSocket messages."""

from typing import Any

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import OnMatch, Scanner, StreamScan
from mantlet.redact.variants import SecretVariant
from mantlet.sanitize.headers import joined_values
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.reporting import Finding, FindingReporter

__all__ = ["Redactor"]


class Redactor:
    """Apply the `Leaks` option to everything that the app sends.

    Args:
        leaks: the leaks to search for, and the action to take.
        registry: the secrets to search for, if there are any.
        reporter: reports the findings.

    Attributes:
        scanner: the current scanner; another object after the secrets have changed.
        secrets_scanner: a scanner for the secrets alone.
        blocks: whether a response with a leak is replaced.
    """

    def __init__(self, leaks: Leaks, registry: Registry | None, reporter: FindingReporter) -> None:
        self._leaks = leaks
        self._reporter = reporter
        self._masks = leaks.action == "redact"
        self.blocks = leaks.action == "block"
        self.scanner: Scanner
        self.secrets_scanner = Scanner(())
        if registry is None:
            self.scanner = leaks.scanner(())
        else:
            registry.attach(self)

    def rebuild(self, variants: tuple[SecretVariant, ...]) -> None:
        """Search for these secrets from now on."""
        self.scanner = self._leaks.scanner(variants)
        self.secrets_scanner = Scanner((variant.pattern, variant) for variant in variants)

    def body_filter(self, request: Request, scanner: Scanner, media: str | None) -> StreamScan:
        """Return a filter for a body."""
        return StreamScan(scanner, self._on_match(request, "body"), media, masks=self._masks)

    # Any: native pairs, of bytes under ASGI and of str under WSGI.
    def redact_headers(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return headers without leaks."""
        return [self._redact_header(request, scanner, pair, "header") for pair in raw]

    def redact_trailers(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return trailers without leaks: the same object without any."""
        if scanner.is_clean(joined_values(raw)):
            return raw
        return [self._redact_header(request, scanner, pair, "trailer") for pair in raw]

    def _redact_header(self, request: Request, scanner: Scanner, pair: Any, where: str) -> Any:
        name, value = pair
        is_text = isinstance(value, str)
        shown = name if isinstance(name, str) else name.decode("latin-1")
        redacted = self._redact(
            request,
            scanner,
            value.encode("latin-1", "replace") if is_text else bytes(value),
            f"{where} {shown.lower()}",
        )
        return name, redacted.decode("latin-1") if is_text else redacted

    def redact_message(self, request: Request, scanner: Scanner, data: str | bytes) -> str | bytes:
        """Return a WebSocket message without leaks: the same object without any."""
        if isinstance(data, bytes):
            return self._redact(request, scanner, data, "message")
        encoded = data.encode(errors="surrogatepass")
        redacted = self._redact(request, scanner, encoded, "message")
        return data if redacted is encoded else redacted.decode(errors="surrogatepass")

    def _redact(self, request: Request, scanner: Scanner, data: bytes, place: str) -> bytes:
        media = "application/json" if data[:1] in (b"{", b"[") else None
        if scanner.is_clean(data, media):
            return data
        scan = StreamScan(scanner, self._on_match(request, place), media, masks=self._masks)
        return scan(data, False)

    def _on_match(self, request: Request, place: str) -> OnMatch:
        """Return a callback that reports leaks, and raises a Problem if they are blocked."""

        def on_match(rule: str, fingerprint: str | None, leak: bytes, at: int) -> None:
            known = fingerprint or self._reporter.fingerprint(leak)
            self._reporter.report(request, Finding(rule, f"{place}, byte {at}", known))
            if self.blocks:
                raise Problem(500)

        return on_match
