"""Names of the contenders, in the results and in the report."""

from typing import Final

BARE: Final = "bare"
TWO: Final = "Mantlet: ErrorEnvelope + RateLimiter"
TWO_NESTED: Final = "Mantlet: the same two, nested"
ENVELOPE: Final = "Mantlet: ErrorEnvelope"
LIMITER: Final = "Mantlet: RateLimiter"
EMPTY: Final = "Mantlet: no policy"
FIVE: Final = "Mantlet: five passing policies"
FIVE_NESTED: Final = "Mantlet: five passing policies, nested"

MEMORY: Final = "Mantlet: memory"
LMDB: Final = "Mantlet: LMDB"
VALKEY: Final = "Mantlet: Valkey"
LEASED: Final = "Mantlet: Valkey, prefetch=50"
SQLITE: Final = "pyrate-limiter: SQLite"

SLOWAPI_ASGI: Final = "slowapi: ASGI middleware"
SLOWAPI: Final = "slowapi: decorator"
FLASK_LIMITER: Final = "flask-limiter"

STARLETTE_PROBLEM: Final = "starlette-problem"
FASTAPI_PROBLEM: Final = "fastapi-problem"
SILENT: Final = "Mantlet: no log record"
STORM: Final = "Mantlet: log records of a repeated error"
RECORD: Final = "Mantlet: one log record per error"

ALTERNATION: Final = "re: 60 patterns in alternation"
LOOPS: Final = "in: 60 patterns, one after the other"
HEAD: Final = "Mantlet: OutputSanitizer, headers alone"
SECURE: Final = "secure: ASGI middleware"
TALISMAN: Final = "flask-talisman"

FASTAPI_GUARD: Final = "fastapi-guard: its rate limit"

SANITIZER: Final = "Mantlet: OutputSanitizer"
GUARD: Final = "Mantlet: SchemaGuard"
SECRETS_ALONE: Final = "Mantlet: SecretLoader"
ALL_FIVE: Final = "Mantlet: all five policies"

SNAPSHOT: Final = "Mantlet: the secrets of an exchange"
CURRENT: Final = "Mantlet: SecretLoader.current"
LOADER: Final = "Mantlet: SecretLoader"
PYDANTIC_SETTINGS: Final = "pydantic-settings"

MODEL: Final = "Mantlet: SchemaGuard, a model"
TAKEN: Final = "Mantlet: the same, and the app uses the model"
OPENAPI: Final = "Mantlet: SchemaGuard, OpenAPI"
PYDANTIC: Final = "pydantic: validate_json alone"
FASTAPI: Final = "FastAPI: its own validation"
CONNEXION: Final = "connexion"
OPENAPI_CORE: Final = "openapi-core"
SPECTREE: Final = "spectree"
FLASK_OPENAPI3: Final = "flask-openapi3"

JWT: Final = "Mantlet: Jwt, cached"
API_KEYS: Final = "Mantlet: ApiKeys"
PYJWT: Final = "PyJWT in a FastAPI dependency"
FASTAPI_USERS: Final = "fastapi-users: JWT strategy"
STARLETTE_PYJWT: Final = "Starlette: AuthenticationMiddleware with PyJWT"
JWT_EXTENDED: Final = "flask-jwt-extended"
AUTHORIZER: Final = "Mantlet: Authorizer"
AUTHORIZER_OBJECT: Final = "Mantlet: Authorizer, the app asks a check"
AUTHORIZER_CEDAR: Final = "Mantlet: Authorizer, the app asks Cedar"
NAMED_USER: Final = "Starlette: AuthenticationMiddleware alone"
CASBIN: Final = "fastapi-authz: casbin"
CEDARPY: Final = "cedarpy: ASGI middleware"
PASSING: Final = "Mantlet: a request hook that passes"
CORS: Final = "Mantlet: Cors, an allowed origin"
CORS_SAME_ORIGIN: Final = "Mantlet: Cors, no Origin"
STARLETTE_CORS: Final = "Starlette: CORSMiddleware"
FLASK_CORS: Final = "flask-cors"
CROSS_ORIGIN: Final = "Mantlet: CrossOrigin, cookies from the same origin"
CROSS_ORIGIN_NO_COOKIE: Final = "Mantlet: CrossOrigin, no cookie"
DJANGO_CSRF: Final = "Django: CsrfViewMiddleware"
HOSTS: Final = "Mantlet: Hosts"
TRUSTED_HOST: Final = "Starlette: TrustedHostMiddleware"
VERSIONS: Final = "Mantlet: Versions, by a header"
VERSIONS_PATH: Final = "Mantlet: Versions, by the path, forwarded as a header"
IDEMPOTENCY_UNUSED: Final = "Mantlet: Idempotency, no key"
IDEMPOTENCY_REPLAY: Final = "Mantlet: Idempotency, a replay"
WORK_UNUSED: Final = "Mantlet: UnitOfWork, unused"
WORK: Final = "Mantlet: UnitOfWork, a plain session"
WORK_ASYNC: Final = "Mantlet: UnitOfWork, an AsyncSession"
SESSION: Final = "a plain session of the app, in the event loop"

#: A document that is measured as it is loaded.
GITHUB: Final = "GitHub's OpenAPI document"
#: Contenders that servers serve, and their cases of `benchmarks.hot_path`.
SERVED: Final = {
    BARE: "bare",
    ENVELOPE: "envelope",
    LIMITER: "limiter",
    SANITIZER: "sanitizer",
    GUARD: "guard",
    SECRETS_ALONE: "secrets",
    TWO: "two",
    ALL_FIVE: "five",
}
#: The peers that servers serve beside them.
SERVED_PEERS: Final = {
    "FastAPI": (SLOWAPI_ASGI, SLOWAPI, FASTAPI_GUARD, STARLETTE_PROBLEM, SECURE),
    "Flask": (FLASK_LIMITER, TALISMAN),
}

#: Titles of the groups: contenders of one group share a baseline, and are measured side by side.
HOT_PATH: Final = {protocol: f"the hot path, {protocol}" for protocol in ("ASGI", "WSGI")}
SIZES: Final = ("small", "medium", "streamed")
STARLETTE: Final = "Starlette"
FLASK: Final = "Flask"
CHECKS: Final = "one check"
DECISIONS: Final = "one decision of a store"
RULES: Final = "rules"
CLIENTS: Final = "live clients"
FAILING: Final = "an error response, Starlette"
FAILING_ASGI: Final = "an error response, ASGI"
FAILING_WSGI: Final = "an error response, WSGI"
FAILURES: Final = (FAILING, FAILING_ASGI, FAILING_WSGI)
SEARCHES: Final = "a search through 64 KiB"
HEADS_STARLETTE: Final = "security headers, Starlette"
HEADS_FLASK: Final = "security headers, Flask"
HEADS: Final = (HEADS_STARLETTE, HEADS_FLASK)
VALIDATED_ASGI: Final = "a POST validated, ASGI"
VALIDATED_WSGI: Final = "a POST validated, WSGI"
VALIDATED_QUERY: Final = "a GET with three parameters validated, ASGI"
VALIDATED_STARLETTE: Final = "a POST validated, Starlette"
VALIDATED_FLASK: Final = "a POST validated, Flask"
VALIDATED_ROUTES: Final = "a POST validated, by number of routes"
VALIDATED: Final = (
    VALIDATED_ASGI,
    VALIDATED_WSGI,
    VALIDATED_QUERY,
    VALIDATED_STARLETTE,
    VALIDATED_FLASK,
    VALIDATED_ROUTES,
)
TOKENS: Final = {protocol: f"a bearer token, {protocol}" for protocol in ("ASGI", "WSGI")}
TOKENS_FASTAPI: Final = "a bearer token, ES256, FastAPI"
TOKENS_FLASK: Final = "a bearer token, ES256, Flask"
AUTHORIZED: Final = {
    protocol: f"authorization, {protocol}, behind Authenticator" for protocol in ("ASGI", "WSGI")
}
AUTHORIZED_STARLETTE: Final = "authorization, Starlette"
ORIGINS: Final = {protocol: f"origins, {protocol}" for protocol in ("ASGI", "WSGI")}
#: The same around the baseline, which nearly every app has.
ORIGINS_AND_BASELINE: Final = {
    protocol: f"origins beside the baseline, {protocol}" for protocol in ("ASGI", "WSGI")
}
ORIGINS_STARLETTE: Final = "origins, Starlette"
ORIGINS_FLASK: Final = "origins, Flask"
ORIGINS_DJANGO: Final = "origins, Django"
IDENTITY_PEERS: Final = (
    TOKENS_FASTAPI,
    TOKENS_FLASK,
    AUTHORIZED_STARLETTE,
    ORIGINS_STARLETTE,
    ORIGINS_FLASK,
    ORIGINS_DJANGO,
)
#: All groups of `benchmarks.identity`.
IDENTITY: Final = (
    *(
        title
        for titles in (TOKENS, AUTHORIZED, ORIGINS, ORIGINS_AND_BASELINE)
        for title in titles.values()
    ),
    *IDENTITY_PEERS,
)
PATTERNS: Final = {
    protocol: f"back-end patterns beside the baseline, {protocol}" for protocol in ("ASGI", "WSGI")
}
SESSIONS: Final = {protocol: f"a session that commits, {protocol}" for protocol in ("ASGI", "WSGI")}
#: All groups of `benchmarks.patterns`.
PATTERN_GROUPS: Final = (*PATTERNS.values(), *SESSIONS.values())
ROUTES: Final = (10, 100, 1000, 10000)
#: How many secrets the policies have that sanitize answers.
SECRETS: Final = (0, 10)
#: Answers that are sanitized: the protocol, how large they are, and the title.
ANSWERS: Final = tuple(
    (protocol, kib, f"a response of {kib} KiB, {protocol}")
    for protocol in ("ASGI", "WSGI")
    for kib in (1, 64)
)


def searched(patterns: int) -> str:
    """Return the name of a search for this number of patterns."""
    return f"Mantlet: {patterns:,} patterns"


def sanitized(secrets: int) -> str:
    """Return the name of the policy with this number of secrets."""
    return f"Mantlet: OutputSanitizer, {searched_for(secrets)}"


def searched_for(secrets: int) -> str:
    """Return what a policy with this number of secrets searches for."""
    return f"defaults and {secrets} secrets" if secrets else "defaults"


def routed(routes: int) -> str:
    """Return the name of a guard of this number of routes."""
    return f"Mantlet: SchemaGuard, {routes:,} routes"


def verified(algorithm: str) -> str:
    """Return the name of the policy that gets tokens that are not in its cache."""
    return f"Mantlet: Jwt, {algorithm}, not cached"


def raw(algorithm: str) -> str:
    """Return the name of the signature's verification alone."""
    return f"cryptography alone, {algorithm}"
