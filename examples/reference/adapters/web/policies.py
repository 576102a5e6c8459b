"""The policies around the app, outermost first. All security settings are in this file."""

from typing import Any, Literal

from examples.reference.adapters.web import graphql, jsonrpc
from examples.reference.adapters.web.versions import DOCUMENTS
from examples.reference.application.access import CLERK, may
from examples.reference.config import Settings
from examples.reference.domain.orders import Order, OrderNotFound, UnknownItem, UserId, WrongStatus

import mantlet
from mantlet.stores.records import RecordStore
from mantlet.versions import header, path

_READ, _WRITE = "orders:read", "orders:write"


def is_allowed(identity: mantlet.Identity | None, action: str, order: Order | None) -> bool:
    """Decide for `mantlet.authorize()`, using the application's rule."""
    if identity is None:
        return False
    return may(UserId(identity.subject), identity.roles, action, order)


def make_policies(
    settings: Settings, uow: mantlet.UnitOfWork, records: RecordStore
) -> tuple[mantlet.Policy, ...]:
    """Return the policies, for either framework."""
    return (
        mantlet.OutputSanitizer(secrets=settings.secrets),
        mantlet.ErrorEnvelope(
            exceptions={
                OrderNotFound: mantlet.Problem(404, detail="There is no such order."),
                UnknownItem: mantlet.Problem(422, detail="One of the items is not for sale."),
                WrongStatus: mantlet.Problem(409, detail="The order's status does not allow this."),
            }
        ),
        settings.secrets,
        mantlet.Health(),
        mantlet.Cors(
            origins=settings.front_end,
            methods=["GET", "POST"],
            headers=["Authorization", "Content-Type", "Idempotency-Key", "API-Version"],
        ),
        mantlet.Hosts(allowed=settings.hosts),
        mantlet.Versions(
            {
                "0": mantlet.Version(deprecated="2024-01-01", sunset="2025-01-01"),
                "1": mantlet.Version(deprecated="2026-01-01", sunset="2036-01-01"),
                "2": mantlet.Version(),
            },
            read=[path("/v{version}"), header("API-Version")],
            default="2",
            forward=header("API-Version"),
            neutral=["POST /graphql", "POST /rpc", "GET /events"],  # they add fields and methods
        ),
        # Failed tokens are limited by address, then requests by client.
        mantlet.RateLimiter(
            settings.guesses,
            count_if=mantlet.on_status(401),
            store=settings.limits,
            namespace="guesses",
            headers=None,
        ),
        mantlet.Authenticator(
            mantlet.Jwt(
                issuer=settings.issuer,
                audience=settings.audience,
                algorithms=["ES256"],
                keys=mantlet.JwksFile(settings.jwks_file),
                roles="roles",
            ),
            close_expired=True,
        ),
        mantlet.Authorizer(
            rules=[
                mantlet.Allow("GET /orders", scope=_READ, check=is_allowed),
                mantlet.Allow("POST /orders", scope=_WRITE),
                mantlet.Allow("GET /orders/{id}", scope=_READ, check=is_allowed),
                mantlet.Allow("POST /orders/{id}/payment", scope=_WRITE, check=is_allowed),
                mantlet.Allow("POST /graphql", scope=_READ, check=is_allowed),
                mantlet.Allow("POST /rpc", scope=_WRITE, role=CLERK, check=is_allowed),
                mantlet.Allow("GET /events", scope=_READ),
            ]
        ),
        mantlet.RateLimiter(
            settings.quota,
            key=mantlet.keys.identity(),
            store=settings.limits,
            rules=[mantlet.Rule("POST /graphql", settings.quota, cost=lambda _request: 3)],
        ),
        _make_guard(),
        mantlet.Idempotency(
            store=records,
            required=["POST /orders", "POST /orders/{id}/payment"],
            lease=settings.lease,
            encryption_keys=[settings.secrets.current.records_key],
        ),
        uow,
    )


def _make_guard() -> mantlet.VersionedGuard:
    """Return the guard: an OpenAPI document per REST version, contracts for the rest."""
    limits = mantlet.BodyLimits(body="64 KB", depth=8)
    rest = {
        version: mantlet.SchemaGuard(
            openapi=document, security="app", responses="enforce", limits=limits
        )
        for version, document in DOCUMENTS.items()
    }
    others: dict[str, Any] = {"POST /graphql": graphql.SERVICE, "POST /rpc": jsonrpc.SERVICE}
    others |= {"GET /events": None, "WS /events": mantlet.Contract(message=Literal["ping"])}
    return mantlet.VersionedGuard(rest, unversioned=mantlet.SchemaGuard(others, limits=limits))
