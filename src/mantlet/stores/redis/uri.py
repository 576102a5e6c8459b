"""Storage URIs of Redis and Valkey: addresses, credentials and TLS, and a form without secrets."""

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from ssl import SSLContext
from typing import Final, Literal, NamedTuple, cast
from urllib.parse import unquote

__all__ = [
    "RedisCredentials",
    "RedisUri",
    "ServerAddress",
    "make_address",
    "parse_address",
    "parse_redis_uri",
    "redact_redis_uri",
    "tls_context",
]

Topology = Literal["single", "cluster", "sentinel"]

# A label has at most 63 octets, a name 253 (RFC 1035, 2.3.4). Container networks use underscores.
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
_SCHEME = re.compile(
    r"(?:redis(s)?|valkey(s)?)(?:\+(cluster|sentinel))?|(?:(?:redis|valkey)\+)?unix"
)
# The only @ is the one after the user info, so that no part of a password that contains an @ is
# mistaken for a host.
_URI = re.compile(
    r"[a-z+]+://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^@?#]*)?"
    r"(?:\?(?P<query>[^@#]*))?"
)
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?"
# The parts of a malformed URI that are safe to show: nothing that a misplaced password looks like.
_SAFE = re.compile(rf"(?:{_HOST}(?:,{_HOST})*)?(?:/[A-Za-z0-9_.%/-]*)?")
_TLS_OPTIONS: Final = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)
_SECRETS: Final = ("username", "password", "sentinel_username", "sentinel_password")
_OPTIONS: Final = (*_SECRETS, "db", "client_name", *_TLS_OPTIONS)
_OPTION_NAME = re.compile(r"[A-Za-z_]{1,40}")
_DB = re.compile(r"[0-9]{1,9}")
_SERVICE = re.compile(r"[A-Za-z0-9_.-]{1,200}")
# The server rejects spaces and control characters.
_CLIENT_NAME = re.compile(r"[!-~]{1,100}")
_EXAMPLES: Final = {
    "single": "redis://:password@localhost:6379/0",
    "cluster": "redis+cluster://10.0.0.1:6379,10.0.0.2:6379",
    "sentinel": "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/service",
    "unix": "unix:///run/valkey/valkey.sock?db=0",
}


class ServerAddress(NamedTuple):
    """The address that a server listens on.

    Attributes:
        host: a name or an IP address; for a Unix socket, its path.
        port: 0 for a Unix socket.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def make_address(host: str, port: int) -> ServerAddress | None:
    """Return the address of a host and a port; None if either is invalid."""
    if not 1 <= port <= 65535:
        return None
    if ":" in host:
        try:
            IPv6Address(host)
        except ValueError:
            return None
    elif not _HOST_NAME.fullmatch(host):
        return None
    return ServerAddress(host, port)


def parse_address(text: str, default_port: int) -> ServerAddress | None:
    """Parse ``host``, ``host:port`` or ``[ipv6]:port``; return None if it is invalid."""
    match = _ADDRESS.fullmatch(text)
    if match is None or (match["v6"] and ":" not in match["v6"]):
        return None
    return make_address(match["v6"] or match["name"], int(match["port"] or default_port))


@dataclass(frozen=True, slots=True)
class RedisCredentials:
    """A user name and a password, neither of which is shown in ``repr()``."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RedisUri:
    """The parts of a storage URI.

    Attributes:
        safe_uri: the URI with its secrets hidden.
        topology: a single server, a cluster, or a master known to sentinels.
        addresses: of the server, of some nodes of the cluster, or of the sentinels.
        service: the sentinels' name of the master.
        db: the database's number.
        credentials: for the server or the nodes.
        sentinel_credentials: for the sentinels.
        client_name: shown in the server's ``CLIENT LIST``.
        tls: None for plain connections.
    """

    safe_uri: str
    topology: Topology
    addresses: tuple[ServerAddress, ...]
    service: str
    db: int
    credentials: RedisCredentials
    sentinel_credentials: RedisCredentials
    client_name: str | None
    tls: SSLContext | None


def redact_redis_uri(uri: str) -> str:
    """Return a URI with its user info and its secret options hidden."""
    scheme, match = uri.partition("://")[0], _URI.fullmatch(uri)
    if not _SCHEME.fullmatch(scheme):
        return "***"
    if match is None or not _SAFE.fullmatch(match["hosts"] + (match["path"] or "")):
        return f"{scheme}://***"
    shown = f"{scheme}://" + ("" if match["user"] is None else "***@")
    shown += match["hosts"] + (match["path"] or "")
    if match["query"] is not None:
        shown += "?" + "&".join(map(_redact_option, match["query"].split("&")))
    return shown


def _redact_option(option: str) -> str:
    name = option.partition("=")[0]
    if name in _OPTIONS and name not in _SECRETS and option.isprintable():
        return option
    return f"{name}=***" if name in _SECRETS else "***"


def parse_redis_uri(uri: str) -> RedisUri:
    """Parse a storage URI.

    Args:
        uri: ``redis://``, ``rediss://`` (with TLS), ``valkey://`` or ``valkeys://``, then
            ``[[user]:password@]host[:port][/db]``. With ``+cluster``, several hosts; with
            ``+sentinel``, several sentinels and ``/service[/db]``; ``unix://`` or
            ``redis+unix://`` and a path. The user info is for the server, not for the sentinels.
            Options in the query: ``username``, ``password``, ``db``, ``client_name``,
            ``sentinel_username``, ``sentinel_password``, ``ssl_ca_certs``, ``ssl_certfile``,
            ``ssl_keyfile``, ``ssl_cert_reqs`` and ``ssl_check_hostname``.

    Raises:
        TypeError: the URI is not a string.
        ValueError: the URI is malformed, or a file that it names can't be read.
    """
    if not isinstance(uri, str):
        raise TypeError(f"a store's URI must be a string such as {_EXAMPLES['single']!r}")
    try:
        return _parse(uri)
    except ValueError as error:
        kind = next((kind for kind in _EXAMPLES if kind in uri.partition("://")[0]), "single")
        raise ValueError(
            f"a store's URI must be such as {_EXAMPLES[kind]}, not {redact_redis_uri(uri)}: {error}"
        ) from None


def _parse(uri: str) -> RedisUri:
    scheme, match = _SCHEME.fullmatch(uri.partition("://")[0]), _URI.fullmatch(uri)
    if scheme is None:
        raise ValueError("the scheme must be redis, rediss, valkey, valkeys or unix")
    if match is None:
        raise ValueError(
            "in a user name, a password or a path, @ / ? # must be written %40 %2F %3F %23"
        )
    topology = cast("Topology", scheme[3] or "single")
    options = _parse_options(match["query"])
    uses_tls = bool(scheme[1] or scheme[2])
    if not uses_tls and options.keys() & {*_TLS_OPTIONS}:
        raise ValueError("options that start with ssl_ need rediss:// or valkeys://")
    if topology != "sentinel" and options.keys() & {"sentinel_username", "sentinel_password"}:
        raise ValueError("options that start with sentinel_ need redis+sentinel://")
    client_name = options.get("client_name")
    if client_name is not None and not _CLIENT_NAME.fullmatch(client_name):
        raise ValueError("client_name must be 1 to 100 characters of ASCII without spaces")
    addresses, path = _parse_addresses(match["hosts"], match["path"] or "", topology, scheme[0])
    service, db = _parse_path(path, options.get("db"), topology)
    return RedisUri(
        safe_uri=redact_redis_uri(uri),
        topology=topology,
        addresses=addresses,
        service=service,
        db=db,
        credentials=_parse_credentials(match["user"], options, ""),
        sentinel_credentials=_parse_credentials(None, options, "sentinel_"),
        client_name=client_name,
        tls=tls_context(options) if uses_tls else None,
    )


def _parse_options(query: str | None) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in query.split("&") if query else ():
        name, equals, value = option.partition("=")
        if name not in _OPTIONS:
            # After a secret, or if it is not a name, it may be part of a password with an &.
            is_name = equals and _OPTION_NAME.fullmatch(name)
            is_safe = is_name and options.keys().isdisjoint(_SECRETS)
            unknown = f"unknown option {name}" if is_safe else "unknown option"
            raise ValueError(f"{unknown} (the options are: {', '.join(_OPTIONS)})")
        if name in options:
            raise ValueError(f"duplicate option {name}")
        if not value:
            raise ValueError(f"the option {name} has no value")
        options[name] = _decode(value)
    return options


def _parse_addresses(
    hosts: str, path: str, topology: Topology, scheme: str
) -> tuple[tuple[ServerAddress, ...], str]:
    """Return the addresses, and the rest of the path."""
    if scheme.endswith("unix"):
        socket_path = _decode(path)
        if hosts or not socket_path.strip("/") or not socket_path.isprintable():
            raise ValueError("unix:// needs an absolute path, so three slashes in all")
        if not hasattr(socket, "AF_UNIX"):
            raise ValueError("this system has no Unix sockets")
        return (ServerAddress(socket_path, 0),), ""
    default_port = 26379 if topology == "sentinel" else 6379
    addresses = tuple(parse_address(host, default_port) for host in hosts.split(","))
    if None in addresses:
        raise ValueError(
            "a host must be a name or an IP address (IPv6 in brackets), and a port at most 65535"
        )
    if len(addresses) > 1 and topology == "single":
        raise ValueError("several hosts need redis+cluster:// or redis+sentinel://")
    return cast("tuple[ServerAddress, ...]", addresses), path


def _parse_path(path: str, db_option: str | None, topology: Topology) -> tuple[str, int]:
    """Return the service that the path names, and the database."""
    service, db = "", path[1:]
    if topology == "sentinel":
        service, _, db = db.partition("/")
        if not _SERVICE.fullmatch(service):
            raise ValueError("the path must name the service that the sentinels monitor")
    if db and db_option is not None:
        raise ValueError("db is both in the path and in the query")
    db = db or db_option or "0"
    if not _DB.fullmatch(db):
        raise ValueError("db must be a number")
    if topology == "cluster" and int(db):
        raise ValueError("a cluster has no database other than 0")
    return service, int(db)


def _parse_credentials(
    user_info: str | None, options: Mapping[str, str], prefix: str
) -> RedisCredentials:
    found: dict[str, str | None] = {}
    parts = dict(zip(("username", "password"), (user_info or "").split(":", 1), strict=False))
    for name in ("username", "password"):
        first, second = _decode(parts.get(name, "")), options.get(prefix + name)
        if first and second:
            raise ValueError(f"the {name} is both before the host and in the query")
        found[name] = first or second
    if found["username"] and not found["password"]:
        raise ValueError(
            "a user name needs a password; a password without a user name needs a colon before it"
        )
    return RedisCredentials(found["username"], found["password"])


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("percent-encoded text must be UTF-8") from None


def tls_context(options: Mapping[str, str]) -> SSLContext:
    """Return a TLS context for the options of a URI. By default, the server's name is verified.

    Args:
        options: as in the URI. ``ssl_cert_reqs=none`` disables all verification.

    Raises:
        ValueError: an option is invalid, or its file can't be read.
    """
    required = _choose(options, "ssl_cert_reqs", {"required": True, "none": False}, default=True)
    check = _choose(options, "ssl_check_hostname", {"true": True, "false": False}, default=required)
    if check and not required:
        raise ValueError("ssl_check_hostname=true needs ssl_cert_reqs=required")
    certfile, keyfile = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if keyfile is not None and certfile is None:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    except OSError as error:
        raise ValueError(f"ssl_ca_certs can't be read: {_reason(error)}") from None
    context.check_hostname = check
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
    if certfile is not None:
        try:
            # Without a password, OpenSSL would prompt for one at the terminal.
            context.load_cert_chain(certfile, keyfile, password="")
        except OSError as error:
            raise ValueError(
                f"ssl_certfile, with ssl_keyfile, can't be read: {_reason(error)}"
            ) from None
    return context


def _choose(
    options: Mapping[str, str], name: str, values: Mapping[str, bool], *, default: bool
) -> bool:
    chosen = options.get(name)
    if chosen is None:
        return default
    if chosen not in values:
        raise ValueError(f"{name} must be {' or '.join(values)}, not {chosen!r}")
    return values[chosen]


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
