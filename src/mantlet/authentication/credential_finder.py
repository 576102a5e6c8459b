"""`CredentialFinder`: the one credential of a request, among those that several schemes read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mantlet.authentication.errors import AmbiguousCredential, InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, HeaderNames

__all__ = ["BEARER", "DPOP", "CredentialFinder", "CredentialSource"]

#: The auth-schemes of tokens (RFC 6750, 2.1; RFC 9449, 7.1).
BEARER: Final = "Bearer"
DPOP: Final = "DPoP"


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """A place of credentials, with the schemes that read it.

    Attributes:
        name: the auth-scheme of its challenge.
        place: see `Authentication.source()`.
        earlier: the schemes of which the first that accepts a credential verifies it.
        last: the one that verifies it if none does, and refuses by itself what it does not accept.
        is_private: whether caches don't know that it holds a credential.
        is_ambient: whether the browser or the connection adds the credential; see `Scheme`.
    """

    name: str
    place: str
    earlier: tuple[Scheme, ...]
    last: Scheme
    is_private: bool
    is_ambient: bool = False


#: A credential with its source.
Found = tuple[CredentialSource, str]


class CredentialFinder:
    """Finds the credential of a request, and refuses requests that have several.

    Args:
        schemes: the schemes, which read ``Authorization`` or a place of their own.
        takes_dpop: whether tokens may be sent as ``Authorization: DPoP``.

    Attributes:
        names: the headers that are read.
        places: where credentials are read; see `Authentication.source()`.
        has_private: whether one of the sources is private.

    Raises:
        ValueError: a scheme would never be used, two schemes read the same header, or there are no
            tokens to take as DPoP.
    """

    __slots__ = ("_ambient", "_by_auth_scheme", "_others", "has_private", "names", "places")

    def __init__(self, schemes: Sequence[Scheme], *, takes_dpop: bool) -> None:
        self._by_auth_scheme = _authorization_sources(schemes, takes_dpop=takes_dpop)
        own = [scheme for scheme in schemes if not scheme.authorization]
        others = [(one, _own_source(one)) for one in own]
        self._others = [pair for pair in others if not pair[0].is_ambient]
        self._ambient = [pair for pair in others if pair[0].is_ambient]
        self.has_private = bool(own)
        places = [source.place for _, source in others]
        for place in places:
            if places.count(place) > 1:
                raise ValueError(f"two schemes read the same credential, {place}; pass one of them")
        self.places = frozenset(
            (*places, *(source.place for source in self._by_auth_scheme.values()))
        )
        headers = (scheme.header for scheme in own if scheme.header)
        self.names = HeaderNames(*dict.fromkeys(("authorization", *headers)))

    def find(self, request: Request) -> Found | None:
        """Return the request's credential.

        Raises:
            InvalidCredential: it is malformed.
            AmbiguousCredential: there are several.
        """
        headers = request.declared_headers(self.names)
        value = headers.get("authorization")
        found = self._read_authorization(value) if value else None
        if self._others or (found is None and self._ambient):
            return self._find_elsewhere(request, headers, found)
        return found

    def _read_authorization(self, value: str) -> Found | None:
        """Return the credential of ``Authorization``; None for an auth-scheme of the app's own."""
        name, _, credential = value.partition(" ")
        source = self._by_auth_scheme.get(name) or self._by_auth_scheme.get(name.lower())
        if source is None:
            if value == OVERSIZED:
                raise InvalidCredential("Authorization is too long", error="invalid_token")
            return None
        if "," in credential:  # as servers join lines; no credential has one
            raise AmbiguousCredential("Authorization must be sent once")
        return source, credential.strip(" ")

    def _find_elsewhere(
        self, request: Request, headers: Mapping[str, str], found: Found | None
    ) -> Found | None:
        for scheme, source in self._others:
            if (not scheme.header or scheme.header in headers) and (own := scheme.find(request)):
                if found is not None:
                    raise AmbiguousCredential("a request must have one credential")
                found = source, own
        if found is not None:
            return found
        for scheme, source in self._ambient:
            if (not scheme.header or scheme.header in headers) and (own := scheme.find(request)):
                return source, own
        return None


def _authorization_sources(
    schemes: Sequence[Scheme], *, takes_dpop: bool
) -> dict[str, CredentialSource]:
    """Return the sources in ``Authorization`` by the auth-scheme, as usual and in lower case."""
    by_name: dict[str, list[Scheme]] = {}
    for scheme in schemes:
        for name in scheme.authorization:
            readers = by_name.setdefault(name, [])
            if readers and type(readers[-1]).accepts is Scheme.accepts:
                raise ValueError(
                    f"{type(scheme).__name__} would never be used: {type(readers[-1]).__name__} "
                    f"before it takes every {name} credential; pass it earlier"
                )
            if scheme.issuer and any(scheme.issuer == one.issuer for one in readers):
                raise ValueError(
                    f"two schemes are for tokens of {scheme.issuer}, and the second would never be "
                    f"used; pass one; its audience may be a list"
                )
            readers.append(scheme)
    if not takes_dpop:
        by_name.pop(DPOP, None)
    elif BEARER not in by_name:
        raise ValueError("dpop is for tokens, so it needs a scheme such as Jwt(...)")
    else:
        by_name[DPOP] = by_name[BEARER]
    sources: dict[str, CredentialSource] = {}
    for name, readers in by_name.items():
        place = (BEARER if name == DPOP else name).lower()
        *earlier, last = readers
        source = CredentialSource(name, place, tuple(earlier), last, is_private=False)
        sources[name] = sources[name.lower()] = source
    return sources


def _own_source(scheme: Scheme) -> CredentialSource:
    """Return the source of a scheme that does not read ``Authorization``."""
    name = scheme.challenge.partition(" ")[0]
    place = "mutual tls" if scheme.name == "client_certificate" else scheme.source.lower()
    return CredentialSource(name, place, (), scheme, True, scheme.is_ambient)
