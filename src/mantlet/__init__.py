"""Mantlet wraps any WSGI or ASGI app in composable protections.

The public names are here. Each is imported when it is first used (PEP 562), so that an app loads
only the policies that it has.
"""

TYPE_CHECKING = False  # as type checkers know it, without the import of typing
if TYPE_CHECKING:
    from mantlet import (
        asgi,
        authentication,
        authorization,
        core,
        database,
        errors,
        events,
        exceptions,
        guard,
        health,
        http,
        idempotency,
        origins,
        ratelimit,
        redact,
        sanitize,
        secrets,
        stores,
        testing,
        versions,
        wsgi,
    )
    from mantlet._wrap import install, wrap
    from mantlet.authentication import (
        ApiKeys,
        Authenticator,
        Basic,
        ClientCertificate,
        Dpop,
        Jwt,
        PresentedCertificate,
        Session,
    )
    from mantlet.authentication.introspection import Introspection
    from mantlet.authentication.keys.discovery import Discovery
    from mantlet.authentication.keys.jwks_file import JwksFile
    from mantlet.authentication.keys.jwks_url import JwksUrl
    from mantlet.authorization import Allow, Authorizer, Cedar, authorize
    from mantlet.core.identity import Identity
    from mantlet.core.modes import Mode, ModeOption, check_mode
    from mantlet.core.policy import Close, HealthState, Message, Policy
    from mantlet.core.problem import BodyTooLarge, MalformedRequest, Problem
    from mantlet.core.request import Request
    from mantlet.core.response import Reply, Response
    from mantlet.core.state import State, state
    from mantlet.core.statuses import below
    from mantlet.database import UnitOfWork, uow
    from mantlet.errors.policy import ErrorEnvelope
    from mantlet.events import Event, Events, RedisStreams, server_sent_events
    from mantlet.exceptions import (
        ClientDisconnected,
        MantletError,
        NoResponse,
        ResponseTooLarge,
        StartupError,
        StoreError,
        StoreOutage,
    )
    from mantlet.guard import (
        BodyLimits,
        Contract,
        DocumentError,
        File,
        Finding,
        GraphQL,
        JsonRpc,
        RouteOptions,
        SchemaGuard,
        VersionedGuard,
    )
    from mantlet.health import Health
    from mantlet.http import html
    from mantlet.http.headers import Headers, MutableHeaders
    from mantlet.idempotency import Idempotency
    from mantlet.origins import Cors, CrossOrigin, Hosts
    from mantlet.ratelimit import Ban, Concurrency, Quota, RateLimiter, Rule, keys, on_status
    from mantlet.sanitize import OutputSanitizer, csp_nonce, csp_nonce_context
    from mantlet.secrets import Secret, SecretLoader, SecretModel, SecretsError, secret_field
    from mantlet.versions import Version, Versions

__version__ = "0.1.0"

__all__ = [
    "Allow",
    "ApiKeys",
    "Authenticator",
    "Authorizer",
    "Ban",
    "Basic",
    "BodyLimits",
    "BodyTooLarge",
    "Cedar",
    "ClientCertificate",
    "ClientDisconnected",
    "Close",
    "Concurrency",
    "Contract",
    "Cors",
    "CrossOrigin",
    "Discovery",
    "DocumentError",
    "Dpop",
    "ErrorEnvelope",
    "Event",
    "Events",
    "File",
    "Finding",
    "GraphQL",
    "Headers",
    "Health",
    "HealthState",
    "Hosts",
    "Idempotency",
    "Identity",
    "Introspection",
    "JsonRpc",
    "JwksFile",
    "JwksUrl",
    "Jwt",
    "MalformedRequest",
    "MantletError",
    "Message",
    "Mode",
    "ModeOption",
    "MutableHeaders",
    "NoResponse",
    "OutputSanitizer",
    "Policy",
    "PresentedCertificate",
    "Problem",
    "Quota",
    "RateLimiter",
    "RedisStreams",
    "Reply",
    "Request",
    "Response",
    "ResponseTooLarge",
    "RouteOptions",
    "Rule",
    "SchemaGuard",
    "Secret",
    "SecretLoader",
    "SecretModel",
    "SecretsError",
    "Session",
    "StartupError",
    "State",
    "StoreError",
    "StoreOutage",
    "UnitOfWork",
    "Version",
    "VersionedGuard",
    "Versions",
    "asgi",
    "authentication",
    "authorization",
    "authorize",
    "below",
    "check_mode",
    "core",
    "csp_nonce",
    "csp_nonce_context",
    "database",
    "errors",
    "events",
    "exceptions",
    "guard",
    "health",
    "html",
    "http",
    "idempotency",
    "install",
    "keys",
    "on_status",
    "origins",
    "ratelimit",
    "redact",
    "sanitize",
    "secret_field",
    "secrets",
    "server_sent_events",
    "state",
    "stores",
    "testing",
    "uow",
    "versions",
    "wrap",
    "wsgi",
]

#: The module of each public name.
_ORIGINS = {
    name: module
    for module, names in {
        "mantlet._wrap": ["install", "wrap"],
        "mantlet.authentication": [
            *("ApiKeys", "Authenticator", "Basic", "ClientCertificate", "Dpop"),
            *("Jwt", "PresentedCertificate", "Session"),
        ],
        "mantlet.authentication.introspection": ["Introspection"],
        "mantlet.authentication.keys.discovery": ["Discovery"],
        "mantlet.authentication.keys.jwks_file": ["JwksFile"],
        "mantlet.authentication.keys.jwks_url": ["JwksUrl"],
        "mantlet.authorization": ["Allow", "Authorizer", "Cedar", "authorize"],
        "mantlet.core.identity": ["Identity"],
        "mantlet.core.modes": ["Mode", "ModeOption", "check_mode"],
        "mantlet.core.policy": ["Close", "HealthState", "Message", "Policy"],
        "mantlet.core.problem": ["BodyTooLarge", "MalformedRequest", "Problem"],
        "mantlet.core.request": ["Request"],
        "mantlet.core.response": ["Reply", "Response"],
        "mantlet.core.state": ["State", "state"],
        "mantlet.core.statuses": ["below"],
        "mantlet.database": ["UnitOfWork", "uow"],
        "mantlet.errors.policy": ["ErrorEnvelope"],
        "mantlet.events": ["Event", "Events", "RedisStreams", "server_sent_events"],
        "mantlet.exceptions": [
            *("ClientDisconnected", "DocumentError", "MantletError", "NoResponse"),
            *("ResponseTooLarge", "StartupError", "StoreError", "StoreOutage"),
        ],
        "mantlet.guard": [
            *("BodyLimits", "Contract", "File", "Finding", "GraphQL", "JsonRpc"),
            *("RouteOptions", "SchemaGuard", "VersionedGuard"),
        ],
        "mantlet.health": ["Health"],
        "mantlet.http.headers": ["Headers", "MutableHeaders"],
        "mantlet.idempotency": ["Idempotency"],
        "mantlet.origins": ["Cors", "CrossOrigin", "Hosts"],
        "mantlet.ratelimit": ["Ban", "Concurrency", "Quota", "RateLimiter", "Rule", "on_status"],
        "mantlet.sanitize": ["OutputSanitizer", "csp_nonce", "csp_nonce_context"],
        "mantlet.secrets": [
            "Secret",
            "SecretLoader",
            "SecretModel",
            "SecretsError",
            "secret_field",
        ],
        "mantlet.versions": ["Version", "Versions"],
    }.items()
    for name in names
}
#: The modules that are public names themselves.
_MODULES = {"html": "mantlet.http.html", "keys": "mantlet.ratelimit.keys"} | {
    name: f"mantlet.{name}"
    for name in (
        *(
            "asgi",
            "authentication",
            "authorization",
            "core",
            "database",
            "errors",
            "events",
            "exceptions",
            "guard",
            "health",
            "http",
            "idempotency",
        ),
        *("origins", "ratelimit", "redact", "sanitize", "secrets", "stores", "testing"),
        *("versions", "wsgi"),
    )
}

if not TYPE_CHECKING:  # a type checker would take it for any name

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        from importlib import import_module  # not loaded before it is needed

        if name in _MODULES:
            value = import_module(_MODULES[name])
        elif name in _ORIGINS:
            value = getattr(import_module(_ORIGINS[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
