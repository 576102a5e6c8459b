"""Networks that are never limited, and networks that are refused: the lists allow and deny.

A list has networks, addresses, and paths of files with one network a line. A file is read again
once it has changed: while requests come, its modification time is looked at once a second, and no
thread is started. Of all networks that contain an address the one with the longest prefix decides,
so that an office inside of a denied network can be allowed, and a host of an allowed network can be
denied; a network in both lists is denied.

What it costs: one set lookup for each prefix length in the lists, however many networks they have.
Reading a file of 100,000 networks again takes about a tenth of a second and blocks the event loop.
"""

import logging
import os
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple

from mantlet.core.request import Request
from mantlet.ratelimit.keys.key import Key

__all__ = ["NetworkEntry", "NetworkLists", "Verdict"]

#: A network, an address, or the path of a file of these.
NetworkEntry = str | os.PathLike[str] | IPv4Network | IPv6Network | IPv4Address | IPv6Address
Address = IPv4Address | IPv6Address

_log = logging.getLogger("mantlet.ratelimit")

#: How often files are looked at, in nanoseconds.
_CHECK_INTERVAL: Final = 1_000_000_000
_COMMENT: Final = re.compile(r"[#;].*")
_MAPPED: Final = 0xFFFF


class Verdict(NamedTuple):
    """The verdict of the lists on a client.

    Attributes:
        address: the client's address.
        denied: whether it is denied; else it is allowed.
    """

    address: Address
    denied: bool


#: The version, the prefix as a number, and its length in bits.
_Prefix = tuple[int, int, int]


class _Networks:
    """A set of networks, by version and length of the prefix.

    Args:
        prefixes: the networks.
    """

    __slots__ = ("_by_length", "count")

    def __init__(self, prefixes: Iterable[_Prefix]) -> None:
        found: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for version, prefix, length in prefixes:
            found[version].setdefault(length, set()).add(prefix)
        #: The prefixes of each length, the longest first.
        self._by_length = {
            version: sorted(lengths.items(), reverse=True) for version, lengths in found.items()
        }
        self.count = sum(len(own) for lengths in found.values() for own in lengths.values())

    def longest(self, version: int, value: int, bits: int) -> int:
        """Return the length of the longest prefix that contains an address, or -1."""
        for length, prefixes in self._by_length[version]:
            if value >> (bits - length) in prefixes:
                return length
        return -1


class _NetworkFile:
    """The networks in a file, read again when it changes.

    Args:
        option: the option that names the file.
        path: of the file.

    Raises:
        OSError: it can't be read.
        ValueError: it is malformed.
    """

    def __init__(self, option: str, path: str | os.PathLike[str]) -> None:
        self._option = option
        self._path = Path(path)
        #: The version of the file that was read last, and one that did not look finished.
        self._signature: tuple[int, int, int] | None = self._sign()
        self._unfinished: tuple[int, int, int] | None = None
        self.networks = _read_networks(self._read())

    def refresh(self) -> None:
        """Read the file if it has changed; the networks stay if it can't be read."""
        try:
            signature = self._sign()
        except OSError as error:
            self._complain(None, error)
            return
        if signature == self._signature:
            return
        try:
            text = self._read()
            if self._sign() != signature:
                return  # written meanwhile: read it next time
            if not text.endswith("\n") and signature != self._unfinished:
                self._unfinished = signature  # most likely being written: half a network is another
                return
            networks = _read_networks(text)
        except (OSError, ValueError) as error:
            self._complain(signature, error)
            return
        self._signature = signature
        self.networks = networks
        _log.info(
            "The %s list %s was read again: %d networks", self._option, self._path, networks.count
        )

    def _complain(self, signature: tuple[int, int, int] | None, error: Exception) -> None:
        """Log once that a version of the file can't be read."""
        if signature == self._signature:
            return
        self._signature = signature
        _log.error(
            "The %s list %s can't be read, so its %d networks stay as they were: %s",
            self._option,
            self._path,
            self.networks.count,
            error,
        )

    def _sign(self) -> tuple[int, int, int]:
        stat = self._path.stat()
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> str:
        return self._path.read_text("utf-8-sig")


def _read_networks(text: str) -> _Networks:
    """Read the networks of a file, one a line.

    Raises:
        ValueError: a line is malformed.
    """
    prefixes = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = _COMMENT.sub("", line).strip()
        if entry:
            try:
                prefixes.append(_parse(entry))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return _Networks(prefixes)


class NetworkLists:
    """The lists ``allow`` and ``deny`` of a limiter.

    Args:
        allow: networks that are never limited.
        deny: networks whose requests are refused.
        address: the key that finds the client's address.
        clock: in nanoseconds.

    Raises:
        TypeError: an entry is neither text, a path, a network nor an address; or the key does not
            find addresses.
        ValueError: an entry is neither a network nor a file that can be read.
    """

    def __init__(
        self,
        allow: Iterable[NetworkEntry],
        deny: Iterable[NetworkEntry],
        address: Key,
        clock: Callable[[], int],
    ) -> None:
        found = next((part.addresses for part in address.parts if part.addresses), None)
        if found is None:
            raise TypeError(
                f"allow and deny need the client's address, which the key {address!r} does not "
                f"have: give address=keys.client_address(), with its trusted_proxies"
            )
        self._find_addresses = found
        self._allow = _sources("allow", allow)
        self._deny = _sources("deny", deny)
        every = (*self._allow, *self._deny)
        self._files = tuple(one for one in every if isinstance(one, _NetworkFile))
        self._clock = clock
        self._next_check = clock() + _CHECK_INTERVAL

    def find(self, request: Request) -> Verdict | None:
        """Return the verdict on a client; None if no list has it, or it has no address.

        Where a forwarding header can't be read, the address is the proxy's, which allows nothing: a
        client must not pass for one of the proxy's network. An IPv6 address that contains the
        client's IPv4 address counts as both: it is denied if one of them is, else allowed if one of
        them is.
        """
        addresses, is_known = self._find_addresses(request)
        if self._files and (now := self._clock()) >= self._next_check:
            self._next_check = now + _CHECK_INTERVAL  # first, so that other threads go on
            for file in self._files:
                file.refresh()
        verdict = None
        for address in addresses:
            denied = _longest(self._deny, address)
            allowed = _longest(self._allow, address)
            if denied >= 0 and denied >= allowed:
                return Verdict(address, denied=True)
            if allowed >= 0 and is_known:
                verdict = Verdict(address, denied=False)
        return verdict


_Source = _Networks | _NetworkFile


def _longest(sources: tuple[_Source, ...], address: Address) -> int:
    longest = -1
    for source in sources:
        networks = source.networks if isinstance(source, _NetworkFile) else source
        found = networks.longest(address.version, int(address), address.max_prefixlen)
        longest = max(longest, found)
    return longest


def _sources(option: str, entries: Iterable[NetworkEntry]) -> tuple[_Source, ...]:
    """Return the entries of a list: all networks as one source, and each file."""
    if isinstance(entries, str | bytes | os.PathLike) or not isinstance(entries, Iterable):
        raise TypeError(f'{option} must be a list such as ["192.0.2.0/24"], not {entries!r}')
    prefixes: list[_Prefix] = []
    files: list[_Source] = []
    for entry in entries:
        if isinstance(entry, IPv4Network | IPv6Network | IPv4Address | IPv6Address):
            prefixes.append(_parse(str(entry)))
        elif isinstance(entry, os.PathLike):
            files.append(_open(option, entry))
        elif isinstance(entry, str):
            if _looks_like_network(entry):
                prefixes.append(_checked(option, entry))
            else:
                files.append(_open(option, entry))
        else:
            raise TypeError(
                f'{option} must have networks such as "192.0.2.0/24", or paths, not {entry!r}'
            )
    return (*([_Networks(prefixes)] if prefixes else []), *files)


def _looks_like_network(text: str) -> bool:
    """Return whether a text is a network, or was probably meant to be one."""
    return re.fullmatch(r"[0-9.]+(/.*)?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.%]*(/[0-9]*)?", text) is not None


def _checked(option: str, text: str) -> _Prefix:
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _open(option: str, path: str | os.PathLike[str]) -> _NetworkFile:
    try:
        return _NetworkFile(option, path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{option} has {os.fspath(path)!r}, which is neither a network nor a file of networks "
            f"that can be read: {error}"
        ) from error


def _parse(text: str) -> _Prefix:
    """Parse a network or an address; one of IPv4-mapped addresses becomes the IPv4 one.

    Raises:
        ValueError: it is neither, or has host bits set.
    """
    host, slash, digits = text.partition("/")
    is_v6 = ":" in host
    bits = 128 if is_v6 else 32
    # ip_network() takes ten times as long.
    try:
        value = int.from_bytes(inet_pton(AF_INET6 if is_v6 else AF_INET, host), "big")
        length = int(digits) if slash else bits
    except (OSError, ValueError):
        length = -1
        value = 0
    if not 0 <= length <= bits or (slash and not (digits.isascii() and digits.isdigit())):
        raise ValueError(
            f'a network must be like "192.0.2.0/24", "2001:db8::/32" or "192.0.2.7", not {text!r}'
        )
    prefix = value >> (bits - length)
    if prefix << (bits - length) != value:
        network = ip_network(text, strict=False)
        raise ValueError(f'a network must not have host bits: "{network}" instead of {text!r}')
    if is_v6 and length >= 96 and value >> 32 == _MAPPED:
        length -= 96
        return 4, (value & 0xFFFFFFFF) >> (32 - length), length
    return (6 if is_v6 else 4), prefix, length
