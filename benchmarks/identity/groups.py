"""The groups: what is measured side by side, and the requests that show that it does its work."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

import mantlet
from benchmarks import names
from benchmarks.apps import fastapi_app, flask_app, starlette_app, starlette_endpoint
from benchmarks.identity import peers, policies
from benchmarks.identity.serving import FRONT_END, TokenServer, server_for
from benchmarks.identity.tokens import ALGORITHMS, forged
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app, wsgi_app
from benchmarks.stacks import Passing
from benchmarks.traffic import SMALL
from mantlet import Policy

#: Tokens that are sent in turns, more than the cache of a case of them has room for.
_TOKENS = 400
_CACHED = 100
_ELSEWHERE = "https://evil.example"
_SHARES = "access-control-allow-origin"
# Any: an app of either protocol.
MakeApp = Callable[[], Any]


@dataclass(frozen=True)
class Sent:
    """Requests: tokens, which are sent in turns, and header fields."""

    tokens: Sequence[str] = ("",)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """An app, made when it is its turn, and its requests.

    Attributes:
        make: makes the app.
        sent: the requests that are timed. The response is the bare app's.
        refused: requests that the app refuses.
        shares: whether it lets the origin of ``sent`` read the response, and not that of
            ``refused``, which is all that a policy of CORS does.
    """

    make: MakeApp
    sent: Sent = field(default_factory=Sent)
    refused: Sent | None = None
    shares: bool = False


Group = tuple[str, dict[str, Case]]


async def contenders(title: str) -> tuple[list[Contender], dict[str, str]]:
    """Return a group's contenders that do their work, and by name why the others do not."""
    protocol, cases = _GROUPS[title]()
    server = server_for(protocol)
    timed: list[Contender] = []
    missing: dict[str, str] = {}
    expected: Any = None
    for name, case in cases.items():
        try:
            app = case.make()
            serving = server(app, case.sent.tokens, case.sent.fields)
            found = await _accepted(serving, case)
            expected = found if name == names.BARE else expected
            assert found == expected, f"it answers {found}"
            if case.refused is not None:
                await _check(server(app, case.refused.tokens, case.refused.fields), case)
        except Exception as error:  # noqa: BLE001  # the report says it
            missing[name] = f"{type(error).__name__}: {error}"
        else:
            timed.append(Contender(name, serving.serve))
    return ([] if names.BARE in missing else timed), missing


async def _accepted(serving: TokenServer, case: Case) -> Any:
    for _ in case.sent.tokens:
        status, fields, body = await serving.exchange()
        assert status == 200, f"it answers {status}: {body[:200]!r}"
    assert fields.get(_SHARES) == (FRONT_END if case.shares else None), f"it sends {fields}"
    return json.loads(body)


async def _check(refused: TokenServer, case: Case) -> None:
    try:
        status, fields, _ = await refused.exchange()
    except mantlet.Problem as problem:  # of an app that asks; no policy here answers for errors
        status, fields = problem.status, {}
    is_refused = _SHARES not in fields if case.shares else 400 <= status < 500
    assert is_refused, f"it answers {status} to what it should refuse"


# -- apps -----------------------------------------------------------------------------------------


def _plain(protocol: str) -> Any:
    return asgi_app(SMALL) if protocol == "ASGI" else wsgi_app(SMALL)


def _in(
    protocol: str, make: MakeApp, *makes: Callable[[], Policy], baseline: bool = False
) -> MakeApp:
    """Return what makes an app with policies around it."""
    module = mantlet.asgi if protocol == "ASGI" else mantlet.wsgi
    return lambda: module.wrap(make(), *(one() for one in makes), baseline=baseline)


def _verifying(protocol: str, calls: Iterator[Callable[[], None]]) -> MakeApp:
    """Return what makes a plain app that makes the next call with each request."""
    app = _plain(protocol)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        next(calls)()
        await app(scope, receive, send)

    def wsgi(environ: Any, start_response: Any) -> Any:
        next(calls)()
        return app(environ, start_response)

    return lambda: asgi if protocol == "ASGI" else wsgi


# -- tokens ---------------------------------------------------------------------------------------


def _many(algorithm: str) -> Sent:
    return Sent([policies.issuer(algorithm).token() for _ in range(_TOKENS)])


def _with_small_cache(algorithm: str = "ES256") -> Callable[[], Policy]:
    return lambda: policies.authenticator(policies.jwt(algorithm, cache=_CACHED))


def _tokens(protocol: str) -> Group:
    def app() -> Any:
        return _plain(protocol)

    many = {algorithm: _many(algorithm) for algorithm in ALGORITHMS}
    one, wrong = _once(many["ES256"])
    cases = {
        names.BARE: Case(app, one),
        names.JWT: Case(_in(protocol, app, policies.authenticator), one, wrong),
        names.API_KEYS: Case(
            _in(protocol, app, policies.api_keys),
            Sent(fields={"x-api-key": policies.API_KEY}),
            Sent(fields={"x-api-key": "another"}),
        ),
    }
    for algorithm, sent in many.items():
        raw = policies.issuer(algorithm).raw
        wrapped = _in(protocol, app, _with_small_cache(algorithm))
        cases |= {
            names.verified(algorithm): Case(wrapped, sent, _once(sent)[1]),
            names.raw(algorithm): Case(
                _verifying(protocol, cycle(map(raw, sent.tokens))),
                sent,
            ),
        }
    return protocol, cases


def _once(sent: Sent) -> tuple[Sent, Sent]:
    """Return the first token alone, and one with a wrong signature."""
    token = sent.tokens[0]
    return Sent([token]), Sent([forged(token)])


def _tokens_fastapi() -> Group:
    many, issuer = _many("ES256"), policies.issuer("ES256")
    one, wrong = _once(many)
    return "ASGI", {
        names.BARE: Case(fastapi_app, one),
        names.JWT: Case(_in("ASGI", fastapi_app, policies.authenticator), one, wrong),
        names.verified("ES256"): Case(_in("ASGI", fastapi_app, _with_small_cache()), many, wrong),
        names.PYJWT: Case(lambda: peers.pyjwt_dependency(issuer), many, wrong),
        names.FASTAPI_USERS: Case(lambda: peers.fastapi_users(issuer), many, wrong),
        names.STARLETTE_PYJWT: Case(lambda: peers.starlette_authentication(issuer), many, wrong),
    }


def _tokens_flask() -> Group:
    many = _many("ES256")
    one, wrong = _once(many)
    return "WSGI", {
        names.BARE: Case(flask_app, one),
        names.JWT: Case(_in("WSGI", flask_app, policies.authenticator), one, wrong),
        names.verified("ES256"): Case(_in("WSGI", flask_app, _with_small_cache()), many, wrong),
        names.JWT_EXTENDED: Case(lambda: peers.jwt_extended(policies.issuer("ES256")), many, wrong),
    }


# -- authorization --------------------------------------------------------------------------------


def _asking(protocol: str, app: Any) -> MakeApp:
    """Return what makes an app that asks whether the client may do this."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        mantlet.authorize(scope, "write")
        await app(scope, receive, send)

    def wsgi(environ: Any, start_response: Any) -> Any:
        mantlet.authorize(environ, "write")
        return app(environ, start_response)

    return lambda: asgi if protocol == "ASGI" else wsgi


def _authorized(protocol: str) -> Group:
    issuer = policies.issuer("ES256")
    sent, no_role = Sent([issuer.token()]), Sent([issuer.token(roles=[])])
    no_scope = Sent([issuer.token(scope="orders:read")])
    plain = _plain(protocol)
    asking = _asking(protocol, plain)

    def behind(make: MakeApp, *makes: Callable[[], Policy]) -> MakeApp:
        return _in(protocol, make, policies.authenticator, *makes)

    return protocol, {
        names.BARE: Case(behind(lambda: plain), sent),
        names.AUTHORIZER: Case(behind(lambda: plain, policies.authorizer), sent, no_scope),
        names.AUTHORIZER_OBJECT: Case(behind(asking, policies.object_check), sent, no_role),
        names.AUTHORIZER_CEDAR: Case(behind(asking, policies.cedar), sent, no_role),
    }


def _authorized_starlette() -> Group:
    issuer = policies.issuer("ES256")
    sent, no_role = Sent([issuer.token()]), Sent([issuer.token(roles=[])])
    no_scope = Sent([issuer.token(scope="orders:read")])
    behind = _in("ASGI", starlette_app, policies.authenticator)
    stranger = Sent(fields={"x-user": "stranger"})

    async def asking(request: Request) -> JSONResponse:
        mantlet.authorize(request, "write")
        return await starlette_endpoint(request)

    return "ASGI", {
        names.BARE: Case(starlette_app, sent),
        names.JWT: Case(behind, sent),
        names.AUTHORIZER: Case(
            _in("ASGI", starlette_app, policies.authenticator, policies.authorizer),
            sent,
            no_scope,
        ),
        names.AUTHORIZER_CEDAR: Case(
            _in(
                "ASGI",
                lambda: starlette_app(asking),
                policies.authenticator,
                policies.cedar,
            ),
            sent,
            no_role,
        ),
        names.NAMED_USER: Case(peers.named_user),
        names.CASBIN: Case(peers.with_casbin, refused=stranger),
        names.CEDARPY: Case(peers.with_cedar, refused=stranger),
    }


# -- origins --------------------------------------------------------------------------------------

_COOKIE = {"cookie": "session=6b1f8e3d2c7a4d59; theme=dark"}
_SAME_ORIGIN = {"sec-fetch-site": "same-origin", "origin": f"http://{peers.HOST}"}
_ANOTHER_SITE = {"sec-fetch-site": "cross-site", "origin": _ELSEWHERE}
_SHARED, _NOT_SHARED = Sent(fields={"origin": FRONT_END}), Sent(fields={"origin": _ELSEWHERE})
_WRONG_HOST = Sent(fields={"host": "evil.example"})


def _origins(protocol: str, *, baseline: bool = False) -> Group:
    def around(*makes: Callable[[], Policy]) -> MakeApp:
        return _in(protocol, lambda: _plain(protocol), *makes, baseline=baseline)

    cors = around(policies.cors)
    cross_origin = around(policies.cross_origin)
    refused = Sent(fields=_ANOTHER_SITE | _COOKIE)
    bare = around() if baseline else lambda: _plain(protocol)
    return protocol, {
        names.BARE: Case(bare),
        names.PASSING: Case(around(Passing)),
        names.CORS: Case(cors, _SHARED, _NOT_SHARED, shares=True),
        names.CORS_SAME_ORIGIN: Case(cors),
        names.CROSS_ORIGIN: Case(cross_origin, Sent(fields=_SAME_ORIGIN | _COOKIE), refused),
        names.CROSS_ORIGIN_NO_COOKIE: Case(cross_origin, refused=refused),
        names.HOSTS: Case(around(policies.hosts), refused=_WRONG_HOST),
    }


def _origins_starlette() -> Group:
    return "ASGI", {
        names.BARE: Case(starlette_app, _SHARED),
        names.CORS: Case(
            _in("ASGI", starlette_app, policies.cors), _SHARED, _NOT_SHARED, shares=True
        ),
        names.STARLETTE_CORS: Case(peers.starlette_cors, _SHARED, _NOT_SHARED, shares=True),
        names.HOSTS: Case(_in("ASGI", starlette_app, policies.hosts), refused=_WRONG_HOST),
        names.TRUSTED_HOST: Case(peers.trusted_host, refused=_WRONG_HOST),
    }


def _origins_flask() -> Group:
    return "WSGI", {
        names.BARE: Case(flask_app, _SHARED),
        names.CORS: Case(_in("WSGI", flask_app, policies.cors), _SHARED, _NOT_SHARED, shares=True),
        names.FLASK_CORS: Case(peers.with_flask_cors, _SHARED, _NOT_SHARED, shares=True),
    }


def _origins_django() -> Group:
    cookie = {"cookie": f"csrftoken={peers.CSRF_SECRET}; {_COOKIE['cookie']}"}
    sent = Sent(fields=_SAME_ORIGIN | cookie | {"x-csrftoken": peers.CSRF_SECRET})
    refused = Sent(fields=_ANOTHER_SITE | cookie)
    return "WSGI", {
        names.BARE: Case(peers.django_app, sent),
        names.CROSS_ORIGIN: Case(
            _in("WSGI", peers.django_app, policies.cross_origin), sent, refused
        ),
        names.DJANGO_CSRF: Case(peers.django_csrf, sent, refused),
    }


_GROUPS: dict[str, Callable[[], Group]] = {
    **{title: lambda p=protocol: _tokens(p) for protocol, title in names.TOKENS.items()},
    names.TOKENS_FASTAPI: _tokens_fastapi,
    names.TOKENS_FLASK: _tokens_flask,
    **{title: lambda p=protocol: _authorized(p) for protocol, title in names.AUTHORIZED.items()},
    names.AUTHORIZED_STARLETTE: _authorized_starlette,
    **{title: lambda p=protocol: _origins(p) for protocol, title in names.ORIGINS.items()},
    **{
        title: lambda p=protocol: _origins(p, baseline=True)
        for protocol, title in names.ORIGINS_AND_BASELINE.items()
    },
    names.ORIGINS_STARLETTE: _origins_starlette,
    names.ORIGINS_FLASK: _origins_flask,
    names.ORIGINS_DJANGO: _origins_django,
}
