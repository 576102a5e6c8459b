"""Mantlet's policies, set up as an app would, for the requests of `benchmarks.identity.serving`."""

from functools import cache
from hashlib import sha256
from typing import Any

import mantlet
from benchmarks.identity.serving import FRONT_END, HOST
from benchmarks.identity.tokens import AUDIENCE, ISSUER, ROLE, SCOPE, Issuer
from mantlet import Policy

API_KEY = "benchmark-kR7vT2qX9mB4w"


@cache
def issuer(algorithm: str) -> Issuer:
    """Return the issuer of this process for an algorithm."""
    return Issuer(algorithm)


def jwt(algorithm: str = "ES256", **options: Any) -> Any:
    return mantlet.Jwt(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=[algorithm],
        keys={"keys": [issuer(algorithm).key]},
        roles="roles",
        **options,
    )


def authenticator(*schemes: Any) -> Policy:
    return mantlet.Authenticator(*(schemes or [jwt()]))


def api_keys() -> Policy:
    return authenticator(mantlet.ApiKeys({sha256(API_KEY.encode()).hexdigest(): "ann"}))


def authorizer(check: Any = None, engine: Any = None) -> Policy:
    return mantlet.Authorizer(
        rules=[
            mantlet.Allow("GET /orders", scope="orders:read"),
            mantlet.Allow("POST /orders", scope=SCOPE, check=check),
            mantlet.Allow("GET /orders/{id}", scope="orders:read"),
        ],
        engine=engine,
    )


def object_check() -> Policy:
    """Return a policy of which the app asks whether the client is a clerk."""
    return authorizer(lambda identity, _action, _order: ROLE in identity.roles)


def cedar() -> Policy:
    """Return a policy that has Cedar answer what the app asks."""
    permits = (
        f'permit (principal in Role::"{ROLE}", action == Action::"{action}", resource);'
        for action in ("read", "write", "list")
    )
    return authorizer("object", mantlet.Cedar("\n".join(permits)))


def cors() -> Policy:
    return mantlet.Cors(origins=[FRONT_END], methods=["GET", "POST"])


def cross_origin() -> Policy:
    return mantlet.CrossOrigin()


def hosts() -> Policy:
    return mantlet.Hosts(allowed=[HOST])
