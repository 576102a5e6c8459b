"""The peers, each set up as its documentation says, around the apps of `benchmarks.apps`."""

import json
from typing import Annotated, Any
from uuid import UUID

import casbin
import cedarpy
import django
import flask_cors
import flask_jwt_extended
import jwt
from casbin.persist.adapters.string_adapter import StringAdapter
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi_authz import CasbinMiddleware
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import BaseUserDatabase
from flask import Flask
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationError,
    SimpleUser,
    requires,
)
from starlette.authentication import AuthenticationBackend as StarletteBackend
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from benchmarks.apps import (
    fastapi_app,
    flask_app,
    flask_endpoint,
    starlette_app,
)
from benchmarks.identity.serving import FRONT_END, HOST
from benchmarks.identity.tokens import AUDIENCE, ISSUER, ROLE, SUBJECT, Issuer
from benchmarks.traffic import Order

#: The secret of the forms of `django_csrf`, in their cookie and their header field.
CSRF_SECRET = "benchmark" * 3 + "token"

# -- tokens ---------------------------------------------------------------------------------------


def _accepted(order: Order) -> dict[str, object]:
    return {"item": order.item, "amount": order.amount, "accepted": True}


def pyjwt_dependency(issuer: Issuer) -> FastAPI:
    """Return an app whose endpoint depends on claims that PyJWT decodes."""
    key = jwt.PyJWK(issuer.key)
    bearer = HTTPBearer()

    async def claims(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
    ) -> dict[str, Any]:
        try:
            return jwt.decode(
                credentials.credentials,
                key,
                algorithms=[issuer.algorithm],
                audience=AUDIENCE,
                issuer=ISSUER,
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error

    async def endpoint(
        order: Order, _claims: Annotated[dict[str, Any], Depends(claims)]
    ) -> dict[str, object]:
        return _accepted(order)

    return fastapi_app(endpoint)


class _User:
    id = SUBJECT
    email = "ann@example.com"
    hashed_password = ""
    is_active = True
    is_superuser = False
    is_verified = True


class _Users(BaseUserDatabase[_User, UUID]):
    """Has one user, in memory."""

    async def get(self, id: UUID) -> _User | None:
        return _User() if id == SUBJECT else None


class _Manager(UUIDIDMixin, BaseUserManager[_User, UUID]):
    pass


def fastapi_users(issuer: Issuer) -> FastAPI:
    """Return an app whose endpoint depends on the user of fastapi-users' JWT strategy."""

    async def manager() -> Any:
        yield _Manager(_Users())

    def strategy() -> JWTStrategy[_User, UUID]:
        return JWTStrategy(
            secret="",
            lifetime_seconds=None,
            token_audience=[AUDIENCE],
            algorithm=issuer.algorithm,
            public_key=issuer.pem,
        )

    transport = BearerTransport(tokenUrl="login")
    backend = AuthenticationBackend("jwt", transport=transport, get_strategy=strategy)
    user = FastAPIUsers(manager, [backend]).current_user(active=True)

    async def endpoint(order: Order, _user: Annotated[Any, Depends(user)]) -> dict[str, object]:
        return _accepted(order)

    return fastapi_app(endpoint)


class _PyJwtBackend(StarletteBackend):
    def __init__(self, issuer: Issuer) -> None:
        self._key = jwt.PyJWK(issuer.key)
        self._algorithms = [issuer.algorithm]

    async def authenticate(self, conn: HTTPConnection) -> Any:
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(
                token, self._key, algorithms=self._algorithms, audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.InvalidTokenError as error:
            raise AuthenticationError("invalid token") from error
        return AuthCredentials(["authenticated"]), SimpleUser(claims["sub"])


def _unauthorized(_conn: HTTPConnection, error: AuthenticationError) -> Response:
    return PlainTextResponse(str(error), 401, {"WWW-Authenticate": "Bearer"})


def starlette_authentication(issuer: Issuer) -> FastAPI:
    """Return an app in Starlette's AuthenticationMiddleware, with a backend of PyJWT."""

    @requires("authenticated")
    async def endpoint(request: Request, order: Order) -> dict[str, object]:  # noqa: ARG001  # `requires` reads it
        return _accepted(order)

    app = fastapi_app(endpoint)
    app.add_middleware(
        AuthenticationMiddleware, backend=_PyJwtBackend(issuer), on_error=_unauthorized
    )
    return app


def jwt_extended(issuer: Issuer) -> Flask:
    """Return an app whose endpoint requires a token, by flask-jwt-extended."""
    app = flask_app(flask_jwt_extended.jwt_required()(flask_endpoint))
    app.config |= {
        "JWT_ALGORITHM": issuer.algorithm,
        "JWT_PUBLIC_KEY": issuer.pem,
        "JWT_DECODE_AUDIENCE": AUDIENCE,
        "JWT_DECODE_ISSUER": ISSUER,
    }
    flask_jwt_extended.JWTManager(app)
    return app


# -- authorization --------------------------------------------------------------------------------

_CASBIN_MODEL = """
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub) && keyMatch2(r.obj, p.obj) && r.act == p.act
"""
_CASBIN_POLICY = f"""
p, {ROLE}, /orders, GET
p, {ROLE}, /orders, POST
p, {ROLE}, /orders/:id, GET
g, {SUBJECT}, {ROLE}
"""
_CEDAR_POLICY = f"""
permit (principal in Role::"{ROLE}", action == Action::"GET", resource == Route::"/orders");
permit (principal in Role::"{ROLE}", action == Action::"POST", resource == Route::"/orders");
permit (principal in Role::"{ROLE}", action == Action::"GET", resource == Route::"/orders/{{id}}");
"""


class _NamedUser(StarletteBackend):
    """Believes the client who it is, so that authorization is all that is measured."""

    async def authenticate(self, conn: HTTPConnection) -> Any:
        user = conn.headers.get("x-user", str(SUBJECT))
        return AuthCredentials(["authenticated"]), SimpleUser(user)


def named_user(app: Starlette | None = None) -> Starlette:
    """Return an app in AuthenticationMiddleware, with a backend that verifies nothing."""
    app = app or starlette_app()
    app.add_middleware(AuthenticationMiddleware, backend=_NamedUser())
    return app


def with_casbin() -> Starlette:
    """Return an app in fastapi-authz' CasbinMiddleware, behind that authentication."""
    model = casbin.Enforcer.new_model(text=_CASBIN_MODEL)
    app = starlette_app()
    enforcer = casbin.Enforcer(model, StringAdapter(_CASBIN_POLICY))
    app.add_middleware(CasbinMiddleware, enforcer=enforcer)
    return named_user(app)


class _CedarMiddleware:
    """Asks cedarpy about each request, with policies and roles that were parsed once."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._policies = cedarpy.PolicySet.from_str(_CEDAR_POLICY)
        role = {"type": "Role", "id": ROLE}
        user = {"type": "User", "id": str(SUBJECT)}
        self._entities = cedarpy.Entities.from_json_str(
            json.dumps(
                [
                    {"uid": user, "attrs": {}, "parents": [role]},
                    {"uid": role, "attrs": {}, "parents": []},
                ]
            )
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = {
            "principal": f'User::"{scope["user"].display_name}"',
            "action": f'Action::"{scope["method"]}"',
            "resource": f'Route::"{scope["path"]}"',
            "context": {},
        }
        allowed = cedarpy.is_authorized(asked, self._policies, self._entities).allowed
        answer = self._app if allowed else PlainTextResponse("Forbidden", 403)
        await answer(scope, receive, send)


def with_cedar() -> Starlette:
    """Return an app in a middleware of cedarpy, behind that authentication."""
    app = starlette_app()
    app.add_middleware(_CedarMiddleware)
    return named_user(app)


# -- origins --------------------------------------------------------------------------------------


def starlette_cors() -> Starlette:
    app = starlette_app()
    app.add_middleware(CORSMiddleware, allow_origins=[FRONT_END], allow_methods=["GET", "POST"])
    return app


def trusted_host() -> Starlette:
    app = starlette_app()
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST])
    return app


def with_flask_cors() -> Flask:
    app = flask_app()
    flask_cors.CORS(app, origins=[FRONT_END], methods=["GET", "POST"])
    return app


def _django_orders(request: HttpRequest) -> JsonResponse:
    order = Order.model_validate_json(request.body)
    return JsonResponse(_accepted(order))


urlpatterns = [path("orders", _django_orders)]


def django_app(*middleware: str) -> WSGIHandler:
    """Return a Django app with these middlewares alone."""
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=[HOST], MIDDLEWARE=[])
        django.setup()
    with override_settings(MIDDLEWARE=list(middleware)):
        return WSGIHandler()


def django_csrf() -> WSGIHandler:
    return django_app("django.middleware.csrf.CsrfViewMiddleware")
