"""Find and redact leaks in headers, bodies, trailers and WebSocket messages."""

from typing import Any, Final

from mantlet.core.body_filters import filter_in_slices, join_pieces
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import OnMatch, StreamScan
from mantlet.redact.variants import SecretVariant
from mantlet.sanitize.headers import joined_headers
from mantlet.sanitize.joined_events import Joiner
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.reporting import MAX_FINDINGS, Finding, FindingReporter
from mantlet.sanitize.rules import PUBLIC_IDS

__all__ = ["Redactor"]

_JSON: Final = "application/json"


class Redactor:
    """Apply the `Leaks` option to everything that the app sends.

    Args:
        leaks: the leaks to search for, and the action to take.
        registry: the secrets to search for, if there are any.
        reporter: reports the findings.

    Attributes:
        scanner: the current scanner; another object after the secrets have changed.
        secrets_scanner: a scanner for the secrets alone.
        masks: whether leaks are masked.
        blocks: whether a response with a leak is replaced.
        across: the most events or messages that are held back.
    """

    def __init__(self, leaks: Leaks, registry: Registry | None, reporter: FindingReporter) -> None:
        self._leaks = leaks
        self._reporter = reporter
        self.across = leaks.across
        self.masks = leaks.action == "redact"
        self.blocks = leaks.action == "block"
        self.scanner: Scanner
        self.secrets_scanner = self._joined_scanner = Scanner(())
        if registry is None:
            self.scanner = leaks.scanner(())
            self._joined_scanner = leaks.joined_scanner(())
        else:
            registry.attach(self)

    def rebuild(self, variants: tuple[SecretVariant, ...]) -> None:
        """Search for these secrets from now on."""
        scanner = self._leaks.scanner(variants)
        if hasattr(self, "scanner"):
            scanner.literals.hits(b"")  # built by the rotation, and not for the next response
        self.scanner = scanner
        self._joined_scanner = self._leaks.joined_scanner(variants)
        self.secrets_scanner = Scanner((variant.pattern, variant) for variant in variants)

    def body_filter(self, request: Request, scanner: Scanner, media: str | None) -> StreamScan:
        """Return a filter for a body."""
        return StreamScan(scanner, self._on_match(request, "body"), media, masks=self.masks)

    def joiner(self, request: Request, scanner: Scanner, place: str) -> Joiner:
        """Return a search of the joined texts of events or messages.

        Args:
            request: the request.
            scanner: the scanner for each of them.
            place: where they are, for the findings.
        """
        joined = scanner if scanner is self.secrets_scanner else self._joined_scanner
        on_match = self._on_match(request, place)

        def make_scan(is_json: bool) -> StreamScan:
            return StreamScan(joined, on_match, _JSON if is_json else None, masks=self.masks)

        return Joiner(self.across, joined, make_scan)

    # Any: native pairs, of bytes under ASGI and of str under WSGI.
    def redact_headers(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return headers without leaks; one whose name has a leak is left out."""
        pairs = (self._redact_header(request, scanner, pair, "header") for pair in raw)
        return [pair for pair in pairs if pair is not None]

    def redact_trailers(self, request: Request, scanner: Scanner, raw: Any) -> Any:
        """Return trailers without leaks: the same object without any."""
        if scanner.is_clean(joined_headers(raw)):
            return raw
        pairs = (self._redact_header(request, scanner, pair, "trailer") for pair in raw)
        return [pair for pair in pairs if pair is not None]

    def _redact_header(self, request: Request, scanner: Scanner, pair: Any, where: str) -> Any:
        name, value = pair
        shown = name if isinstance(name, str) else bytes(name).decode("latin-1")
        if self.redact_text(request, scanner, shown, f"{where} name") != shown:
            return None
        is_text = isinstance(value, str)
        redacted = self._redact(
            request,
            scanner,
            value.encode("latin-1", "replace") if is_text else bytes(value),
            f"{where} {shown.lower()}",
        )
        return name, redacted.decode("latin-1") if is_text else redacted

    def redact_text(self, request: Request, scanner: Scanner, text: str, place: str) -> str:
        """Return a text without leaks: the same object without any."""
        encoded = text.encode(errors="surrogatepass")
        redacted = self._redact(request, scanner, encoded, place)
        return text if redacted is encoded else redacted.decode(errors="surrogatepass")

    def redact_message(self, request: Request, scanner: Scanner, data: str | bytes) -> str | bytes:
        """Return a WebSocket message without leaks: the same object without any."""
        if isinstance(data, bytes):
            return self._redact(request, scanner, data, "message")
        return self.redact_text(request, scanner, data, "message")

    async def redact_long_message(
        self, request: Request, scanner: Scanner, data: str | bytes
    ) -> str | bytes:
        """Return a long WebSocket message without leaks, without blocking the event loop."""
        encoded = data.encode(errors="surrogatepass") if isinstance(data, str) else data
        scan = self._message_scan(request, scanner, encoded, "message")
        redacted = join_pieces(await filter_in_slices(scan, encoded, False, request))
        if redacted is encoded:
            return data
        return redacted.decode(errors="surrogatepass") if isinstance(data, str) else redacted

    def _redact(self, request: Request, scanner: Scanner, data: bytes, place: str) -> bytes:
        if scanner.is_clean(data, _media_of(data)):
            return data
        return self._message_scan(request, scanner, data, place)(data, False)

    def _message_scan(
        self, request: Request, scanner: Scanner, data: bytes, place: str
    ) -> StreamScan:
        on_match = self._on_match(request, place)
        return StreamScan(scanner, on_match, _media_of(data), masks=self.masks)

    def _on_match(self, request: Request, place: str) -> OnMatch:
        """Return a callback that reports leaks, and raises a Problem if they are blocked."""
        count = 0

        def on_match(rule: str, fingerprint: str | None, leak: bytes, at: int) -> None:
            nonlocal count
            count += 1
            if count > MAX_FINDINGS:
                return  # masked, but not reported one by one
            known = fingerprint or self._reporter.fingerprint(leak)
            self._reporter.report(request, Finding(rule, f"{place}, byte {at}", known))
            if self.blocks and rule not in PUBLIC_IDS:
                raise Problem(500)

        return on_match


def _media_of(data: bytes) -> str | None:
    """Return the media type that is assumed for a text without one."""
    return _JSON if data[:1] in (b"{", b"[") else None
