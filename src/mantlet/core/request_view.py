"""The request as a policy in report mode gets it: it can be read, and changes are discarded."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from mantlet.core.body import SpooledBody
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.core.state import State
from mantlet.http.header_name import FixedHeaders, HeaderName
from mantlet.http.headers import HeaderNames, Headers

__all__ = ["RequestView"]

T = TypeVar("T")
#: Attributes of the state that the app may read, whatever the mode of the policy that set them; and
#: the policy that authenticates, whose challenges other policies send, and the proofs that it has
#: used up.
_SHARED: Final = (
    *("_authentication", "_csp_nonce", "_proofs", "_rate_limit", "_request_id", "secrets"),
    "validated",
    "version",
)


class RequestView(Request):
    """A request that a policy can read but not change.

    Its state is a copy; `share()` passes on those attributes that the app may read.
    """

    __slots__ = ("_request", "is_async", "method_key", "protocol")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.raw = request.raw
        self.state = State()
        vars(self.state).update(vars(request.state))
        self.protocol = request.protocol
        self.is_async = request.is_async
        self.method_key = request.method_key
        self._cleanups = self._local = self._deadline = None
        self._handed_over = False
        self._own_headers = None
        self._response_headers = {}

    def share(self) -> None:
        """Copy the attributes that the app may read to the request's own state."""
        own, shared = vars(self.state), vars(self._request.state)
        for name in _SHARED:
            if name in own:
                shared.setdefault(name, own[name])

    @property
    def app_response(self) -> Response | None:
        """A copy of the app's own response to the error, or None."""
        response = self._request.app_response
        return None if response is None else response._copy()

    def add_cleanup(self, cleanup: Callable[[], object]) -> None:
        """Call something once the exchange has ended."""
        self._request.add_cleanup(cleanup)

    async def pause(self, seconds: float) -> None:
        """Delay nothing."""

    async def checkpoint(self) -> None:
        """Let the event loop go on with other tasks."""
        await self._request.checkpoint()

    # Any: the arguments of any function.
    async def run_in_thread(self, fn: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread of the event loop's pool."""
        return await self._request.run_in_thread(fn, *args)

    def add_response_header(
        self, name: str, value: str, *, replace: bool = False, unless_set: bool = False
    ) -> None:
        """Discard the header."""

    def replace_header(self, name: str, value: str | None) -> None:
        """Discard the header."""

    def _add_header(self, name: HeaderName, value: str) -> None:
        """Discard the header."""

    def _add_fixed(self, headers: FixedHeaders) -> None:
        """Discard the headers."""

    def _add_to_both(self, name: HeaderName, value: str) -> None:
        """Discard the header."""

    def replace_body(self, body: bytes | SpooledBody, *, content_type: str | None = None) -> None:
        """Discard the body."""
        if isinstance(body, SpooledBody):
            body.close()

    def set_content_length(self) -> None:
        """Leave the length as it is."""

    def replace_path(self, path: str) -> None:
        """Discard the path."""

    @property
    def method(self) -> str:
        """The method as sent."""
        return self._request.method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        return self._request.path

    @property
    def route_paths(self) -> tuple[str, ...]:
        """See `Request.route_paths`."""
        return self._request.route_paths

    @property
    def route_path(self) -> str:
        """The decoded path within the wrapped app."""
        return self._request.route_path

    @property
    def literal_path(self) -> str | None:
        """See `Request.literal_path`."""
        return self._request.literal_path

    @property
    def raw_path(self) -> bytes:
        """The path as sent."""
        return self._request.raw_path

    @property
    def query(self) -> bytes:
        """The query as sent."""
        return self._request.query

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return self._request.headers

    def get_headers(self, names: HeaderNames) -> dict[str, str]:
        """Return the values of those headers of ``names`` that are present."""
        return self._request.get_headers(names)

    def declared_headers(self, names: HeaderNames) -> Mapping[str, str]:
        """See `Request.declared_headers()`."""
        return self._request.declared_headers(names)

    @property
    def scheme(self) -> str:
        """The scheme as the server reports it."""
        return self._request.scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        return self._request.client

    async def body(self, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body; see `Request.body()`."""
        return await self._request.body(limit, headers)

    def body_eagerly(
        self, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes | Awaitable[bytes]:
        """Read the whole body; see `Request.body_eagerly()`."""
        return self._request.body_eagerly(limit, headers)

    def chunks(
        self, limit: int, *, memory: int, directory: str | None = None, disk: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read the body in chunks; see `Request.chunks()`."""
        return self._request.chunks(limit, memory=memory, directory=directory, disk=disk)
