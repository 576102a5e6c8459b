"""`wrap()`: which protocol an app speaks, and what comes around it."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import pytest
import quart
from fastapi import FastAPI
from litestar import Litestar
from starlette.applications import Starlette

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Contract,
    ErrorEnvelope,
    OutputSanitizer,
    Policy,
    RateLimiter,
    Rule,
    SchemaGuard,
    keys,
)
from tests.drive import ADAPTERS, Adapter, both_adapters, drive_asgi, drive_wsgi, hello
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable

ASGI, WSGI = mantlet.asgi.Stack, mantlet.wsgi.Stack


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        (flask.Flask(__name__), WSGI),
        (flask.Flask(__name__).wsgi_app, WSGI),
        (falcon.App(), WSGI),
        (falcon.asgi.App(), ASGI),
        (quart.Quart(__name__), ASGI),
        (quart.Quart(__name__).asgi_app, ASGI),
        (Starlette(), ASGI),
        (FastAPI(), ASGI),
        (Litestar([], openapi_config=None, logging_config=None), ASGI),
    ],
    ids=lambda value: "" if isinstance(value, type) else type(value).__module__,
)
def test_a_frameworks_app_is_wrapped_in_its_own_protocol(app: Any, kind: type) -> None:
    """By its signature alone."""
    assert type(mantlet.wrap(app)) is kind


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_djangos_app_is_wrapped_in_its_own_protocol(adapter: Adapter) -> None:
    """Both of its handlers."""
    with django_site(adapter.name, index=lambda _: "hello") as site:
        app = mantlet.wrap(site)
        assert isinstance(app, adapter.module.Stack)
        assert adapter.drive(app, headers=[("host", "localhost")]).body == b"hello"


async def asgi_function(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_function(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


class AsgiCallable:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asgi_function(scope, receive, send)

    async def method(self, scope: Any, receive: Any, send: Any) -> None:
        await asgi_function(scope, receive, send)

    @staticmethod
    async def static(scope: Any, receive: Any, send: Any) -> None:
        await asgi_function(scope, receive, send)

    @classmethod
    async def of_class(cls, scope: Any, receive: Any, send: Any) -> None:
        await asgi_function(scope, receive, send)


class SyncAsgiCallable:
    """Returns a coroutine, as a middleware compiled or written without async does."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return asgi_function(scope, receive, send)


class WsgiCallable:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return wsgi_function(environ, start_response)

    def method(self, environ: Any, start_response: Any) -> list[bytes]:
        return wsgi_function(environ, start_response)

    @staticmethod
    def static(environ: Any, start_response: Any) -> list[bytes]:
        return wsgi_function(environ, start_response)


async def asgi_configured(config: Any, scope: Any, receive: Any, send: Any) -> None:
    await asgi_function(scope, receive, send)


def wsgi_configured(config: Any, environ: Any, start_response: Any) -> list[bytes]:
    return wsgi_function(environ, start_response)


def wsgi_generator(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [])
    yield b"hello"


async def asgi_variadic(*args: Any) -> None:
    await asgi_function(*args)


@functools.wraps(asgi_function)
async def asgi_wrapped(*args: Any, **kwargs: Any) -> None:
    await asgi_function(*args, **kwargs)


@functools.wraps(asgi_function)
def asgi_wrapped_in_sync(*args: Any, **kwargs: Any) -> Any:
    return asgi_function(*args, **kwargs)


@functools.wraps(wsgi_function)
def wsgi_wrapped(*args: Any, **kwargs: Any) -> list[bytes]:
    return wsgi_function(*args, **kwargs)


async def asgi_with_default(scope: Any, receive: Any, send: Any = None) -> None:
    await asgi_function(scope, receive, send)


ASGI_APPS = {
    "function": asgi_function,
    "callable instance": AsgiCallable(),
    "sync callable instance": SyncAsgiCallable(),
    "bound method": AsgiCallable().method,
    "static method": AsgiCallable.static,
    "class method": AsgiCallable.of_class,
    "lambda": lambda scope, receive, send: AsgiCallable()(scope, receive, send),  # noqa: PLW0108  # what is tested
    "partial": functools.partial(asgi_configured, {"a": 1}),
    "partial of a partial": functools.partial(functools.partial(asgi_configured, {"a": 1})),
    "partial of an instance": functools.partial(AsgiCallable()),
    "variadic": asgi_variadic,
    "partial of a variadic": functools.partial(asgi_variadic),
    "decorated": asgi_wrapped,
    "decorated by a def": asgi_wrapped_in_sync,
    "send has a default": asgi_with_default,
    "partial by keyword": functools.partial(asgi_configured, None),
}
WSGI_APPS = {
    "function": wsgi_function,
    "callable instance": WsgiCallable(),
    "bound method": WsgiCallable().method,
    "static method": WsgiCallable.static,
    "lambda": lambda environ, start_response: WsgiCallable()(environ, start_response),  # noqa: PLW0108  # what is tested
    "partial": functools.partial(wsgi_configured, {"a": 1}),
    "generator": wsgi_generator,
    "decorated": wsgi_wrapped,
}


@pytest.mark.parametrize("app", ASGI_APPS.values(), ids=ASGI_APPS)
def test_whatever_can_be_called_with_three_arguments_is_an_asgi_app(app: Any) -> None:
    """It is wrapped, and it answers."""
    wrapped = mantlet.wrap(app)
    assert isinstance(wrapped, ASGI)
    assert drive_asgi(wrapped).body == b"hello"


@pytest.mark.parametrize("app", WSGI_APPS.values(), ids=WSGI_APPS)
def test_whatever_can_be_called_with_two_arguments_is_a_wsgi_app(app: Any) -> None:
    """It is wrapped, and it answers."""
    wrapped = mantlet.wrap(app)
    assert isinstance(wrapped, WSGI)
    assert drive_wsgi(wrapped).body == b"hello"


@pytest.mark.parametrize(
    ("app", "nature"),
    [
        (lambda *_: None, "could be WSGI or ASGI"),
        (lambda _environ, _start_response, _extra=None: None, "could be WSGI or ASGI"),
        (functools.partial(lambda *_: None, 1), "could be WSGI or ASGI"),
        (lambda _scope: None, "is neither WSGI nor ASGI"),
        (lambda _a, _b, _c, _d: None, "is neither WSGI nor ASGI"),
        (lambda _scope, _receive, *, _send: None, ""),
        (lambda *, _scope, _receive, _send: None, "is neither WSGI nor ASGI"),
        (max, "is neither WSGI nor ASGI"),
    ],
    ids=[
        "variadic",
        "optional third",
        "partial variadic",
        "double callable of ASGI 2",
        "four",
        "keyword-only send",
        "keywords",
        "builtin without a signature",
    ],
)
def test_what_is_neither_or_could_be_both_is_a_type_error_that_names_the_two(
    app: Any, nature: str
) -> None:
    """No guess is made, and the message shows the way out."""
    with pytest.raises(TypeError) as refused:
        mantlet.wrap(app)
    message = str(refused.value)
    assert nature in message
    assert "mantlet.wsgi.wrap()" in message
    assert "mantlet.asgi.wrap()" in message


@pytest.mark.parametrize("app", [None, "module:app", 5, {}, AsgiCallable, WsgiCallable], ids=str)
def test_what_is_no_app_at_all_is_a_type_error_that_shows_it(app: Any) -> None:
    """A class is no app either: its instance may be, and one of ASGI 2 is one."""
    with pytest.raises(TypeError, match="app must be a WSGI or ASGI app") as refused:
        mantlet.wrap(app)
    message = str(refused.value)
    assert repr(app) in message
    assert ("mantlet.asgi.wrap()" in message) is isinstance(app, type)


def test_an_app_that_could_be_both_is_taken_as_what_is_said() -> None:
    """The two explicit functions ask no signature."""

    def both(*args: Any) -> Any:
        return (asgi_function if len(args) == 3 else wsgi_function)(*args)

    assert drive_asgi(mantlet.asgi.wrap(both)).body == b"hello"
    assert drive_wsgi(mantlet.wsgi.wrap(both)).body == b"hello"


# -- the policies around it -----------------------------------------------------------------------


@both_adapters
def test_without_policies_the_app_gets_the_baseline(adapter: Adapter) -> None:
    """A sanitizer and an error envelope, and no rate: that would be a decision."""
    for stack in (mantlet.wrap(adapter.app(hello)), adapter.module.wrap(adapter.app(hello))):
        assert [type(policy) for policy in stack.policies] == [OutputSanitizer, ErrorEnvelope]
        assert "x-request-id" in adapter.drive(stack).names


@both_adapters
def test_named_policies_come_inside_the_baseline(adapter: Adapter) -> None:
    """Protection is not lost by adding some."""
    limiter = RateLimiter("5/hour")
    ways: list[Any] = [mantlet.wrap, adapter.module.wrap]
    for wrap in ways:
        stack = wrap(adapter.app(hello), limiter)
        assert [type(policy) for policy in stack.policies] == [
            *(OutputSanitizer, ErrorEnvelope, RateLimiter)
        ]
        assert stack.policies[-1] is limiter
        assert "x-request-id" in adapter.drive(stack).names


@both_adapters
def test_without_the_baseline_there_are_the_named_policies_alone(adapter: Adapter) -> None:
    """Also none at all."""
    limiter = RateLimiter("5/hour")
    stack: Any = mantlet.wrap(adapter.app(hello), limiter, baseline=False)
    assert stack.policies == (limiter,)
    assert "x-request-id" not in adapter.drive(stack).names
    bare: Any = mantlet.wrap(adapter.app(hello), baseline=False)
    assert bare.policies == ()
    assert adapter.drive(bare).body == b"hello"


class Envelope(ErrorEnvelope):
    """A subclass, as an app may have one."""


@both_adapters
@pytest.mark.parametrize("kind", [OutputSanitizer, ErrorEnvelope, Envelope])
def test_a_policy_takes_the_place_of_the_baselines_of_its_class(
    adapter: Adapter, kind: type[Policy]
) -> None:
    """The other one stays."""
    own, limiter = kind(), RateLimiter("5/hour")
    stack: Any = mantlet.wrap(adapter.app(hello), own, limiter)
    sanitizer, envelope, inner = stack.policies
    assert isinstance(sanitizer, OutputSanitizer)
    assert isinstance(envelope, ErrorEnvelope)
    assert own in (sanitizer, envelope)
    assert inner is limiter


@both_adapters
def test_the_baseline_is_merged_at_its_place(adapter: Adapter) -> None:
    """The envelope comes inside the sanitizer that is passed, and outside the rest."""
    one, own, two = Policy(), OutputSanitizer(), Policy()
    stack: Any = mantlet.wrap(adapter.app(hello), one, own, two)
    assert [type(policy) for policy in stack.policies] == [
        *(Policy, OutputSanitizer, ErrorEnvelope, Policy)
    ]
    assert stack.policies[0] is one
    assert stack.policies[-1] is two


# -- an app that is wrapped already ---------------------------------------------------------------


@both_adapters
def test_wrapping_a_wrapped_app_does_not_double_the_baseline(adapter: Adapter) -> None:
    """It moves out to its place, so that it protects the new policies as well."""
    app: Any = adapter.app(hello)
    one, two = RateLimiter("5/hour"), Policy()
    inner: Any = mantlet.wrap(app, one)
    outer: Any = mantlet.wrap(inner, two)
    assert outer.policies == (*inner.policies[:2], two, one)
    assert outer.app is app
    assert len(inner.policies) == 3
    again: Any = mantlet.wrap(outer)
    assert again.policies == outer.policies


@both_adapters
def test_wrapping_again_replaces_the_baselines_policy_by_the_one_that_is_passed(
    adapter: Adapter,
) -> None:
    """Also after more than one wrapping."""
    own, limiter = ErrorEnvelope(), RateLimiter("5/hour")
    twice: Any = mantlet.wrap(mantlet.wrap(adapter.app(hello), limiter))
    again: Any = mantlet.wrap(twice, own)
    assert [type(policy) for policy in again.policies] == [
        *(OutputSanitizer, ErrorEnvelope, RateLimiter)
    ]
    assert again.policies[1] is own


@both_adapters
def test_wrapping_again_keeps_policies_that_were_passed(adapter: Adapter) -> None:
    """Two envelopes of the app's own are its decision."""
    first, second = ErrorEnvelope(), ErrorEnvelope()
    inner: Any = mantlet.wrap(adapter.app(hello), first)
    stack: Any = mantlet.wrap(inner, second)
    assert stack.policies[1:] == (second, first)
    moved: Any = mantlet.wrap(inner, Policy())
    assert moved.policies[1] is first


# -- their order ----------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("way", ["wrap", "wrap alone", "stack", "fused"])
def test_an_order_that_cannot_work_is_a_warning_that_names_both(adapter: Adapter, way: str) -> None:
    """At construction, in the line of the app that makes the mistake."""
    module: Any = adapter.module
    app: Any = adapter.app(hello)
    limiter, envelope = RateLimiter("5/hour"), ErrorEnvelope()
    ways: dict[str, Callable[[], Any]] = {
        "wrap": lambda: mantlet.wrap(app, limiter, envelope),
        "wrap alone": lambda: module.wrap(app, limiter, envelope, baseline=False),
        "stack": lambda: module.Stack(app, policies=[limiter, envelope]),
        "fused": lambda: module.Stack(module.Stack(app, [envelope]), [limiter]),
    }
    with pytest.warns(UserWarning, match="ErrorEnvelope is inside RateLimiter, so") as caught:
        ways[way]()
    assert len(caught) == 1
    assert "pass ErrorEnvelope before RateLimiter" in str(caught[0].message)
    assert caught[0].filename == __file__


@both_adapters
@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ([ErrorEnvelope, OutputSanitizer], "OutputSanitizer is inside ErrorEnvelope, so the resp"),
        ([SchemaGuard, ErrorEnvelope], "ErrorEnvelope is inside SchemaGuard, so an exception"),
        ([RateLimiter, OutputSanitizer], "OutputSanitizer is inside RateLimiter"),
    ],
)
def test_each_misplaced_policy_says_what_goes_wrong(
    adapter: Adapter, policies: list[Any], message: str
) -> None:
    """The reason is that of the policy which has to be outside."""
    options: dict[Any, Any] = {RateLimiter: ["5/hour"], SchemaGuard: [{"GET /": Contract()}]}
    app: Any = adapter.app(hello)
    with pytest.warns(UserWarning, match=message):
        mantlet.wrap(app, *(kind(*options.get(kind, ())) for kind in policies))


@both_adapters
def test_an_order_that_works_is_not_warned_about(adapter: Adapter) -> None:
    """Also unusual ones: a limiter inside a guard may count by validated values."""
    app: Any = adapter.app(hello)
    limiter, guard = RateLimiter("5/hour"), SchemaGuard({"GET /": Contract()})
    mantlet.wrap(app, Policy(), limiter, guard)
    mantlet.wrap(app, guard, limiter)
    mantlet.wrap(app, limiter, limiter)


@both_adapters
@pytest.mark.parametrize(
    "outer",
    [
        Authorizer(rules=[Allow("GET /", scope="orders:read")]),
        RateLimiter("5/hour", key=keys.client_address() & keys.identity()),
        RateLimiter(rules=[Rule("GET /", "5/hour", key=keys.identity())]),
    ],
    ids=["authorizer", "limiter", "rule"],
)
def test_a_policy_that_cannot_know_who_is_asking_is_warned_about(
    adapter: Adapter, outer: Policy
) -> None:
    """Where it is outside the first policy that finds out."""
    app: Any = adapter.app(hello)
    inner = Authenticator(ApiKeys({}))
    message = rf"so {type(outer).__name__} doesn't know who is asking; pass Authenticator before "
    with pytest.warns(UserWarning, match=message) as caught:
        mantlet.wrap(app, outer, inner)
    assert caught[0].filename == __file__
    mantlet.wrap(app, inner, outer)
    mantlet.wrap(app, inner, outer, Authenticator(ApiKeys({})))
    mantlet.wrap(app, outer)


@both_adapters
def test_a_policy_of_ones_own_has_a_place(adapter: Adapter) -> None:
    """By the same two attributes."""

    class Outside(Policy):
        position = 15
        position_reason = "{} is not seen"

    own = Outside()
    app: Any = adapter.app(hello)
    with pytest.warns(UserWarning, match="Outside is inside RateLimiter, so RateLimiter is not se"):
        mantlet.wrap(app, RateLimiter("5/hour"), own)
    stack: Any = mantlet.wrap(app, own)
    assert [type(policy) for policy in stack.policies] == [OutputSanitizer, Outside, ErrorEnvelope]


@both_adapters
def test_wrapping_twice_makes_one_stack_with_the_policies_in_their_order(adapter: Adapter) -> None:
    """Whichever of the ways each wrapping takes."""
    app: Any = adapter.app(hello)
    one, two, three = ErrorEnvelope(), RateLimiter("5/hour"), Policy()
    module: Any = adapter.module
    stack = module.wrap(
        mantlet.wrap(module.Stack(app, [three]), two, baseline=False), one, baseline=False
    )
    assert type(stack) is module.Stack
    assert stack.policies == (one, two, three)
    assert stack.app is app
    assert adapter.drive(stack).status == 200


@both_adapters
def test_the_wrapped_stack_itself_stays_as_it_was(adapter: Adapter) -> None:
    """A stack that is wrapped again can still be used by itself."""
    module: Any = adapter.module
    inner = module.wrap(adapter.app(hello), Policy(), baseline=False)
    outer = module.wrap(inner, ErrorEnvelope(), baseline=False)
    assert len(inner.policies) == 1
    assert len(outer.policies) == 2
    assert "x-request-id" not in adapter.drive(inner).names
    assert "x-request-id" in adapter.drive(outer).names


@both_adapters
@pytest.mark.breaks_rules("the app itself is looked at")
def test_the_repr_of_a_stack_says_what_it_is(adapter: Adapter) -> None:
    """The policies' names and the app."""
    stack: Any = adapter.wrap(hello, ErrorEnvelope(), RateLimiter("5/hour"))
    assert "Stack [ErrorEnvelope, RateLimiter] around <function" in repr(stack)


def test_a_flask_app_stays_a_flask_app_when_its_wsgi_app_is_wrapped() -> None:
    """Flask's documented way of adding a middleware."""
    app = flask.Flask(__name__)
    app.get("/")(lambda: "hello")
    app.wsgi_app = mantlet.wrap(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way
    answer = app.test_client().get("/")
    answer.close()
    assert answer.text == "hello"
    assert "X-Request-ID" in answer.headers


# -- what is imported -----------------------------------------------------------------------------

FRAMEWORKS = (
    "flask", "django", "quart", "starlette", "werkzeug", "fastapi", "falcon", "litestar", "blinker"
)  # fmt: skip
IMPORTING = """
import sys
import mantlet

async def asgi(scope, receive, send): ...
def wsgi(environ, start_response):
    start_response("200 OK", [])
    return []

mantlet.wrap(asgi)
stack = mantlet.wrap(wsgi, mantlet.ErrorEnvelope(), mantlet.RateLimiter("5/hour"))
list(stack({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None))
print(*sys.modules)
"""


def test_no_framework_is_imported_that_was_not_loaded() -> None:
    """Neither by the import of the package, nor by wrapping and calling a bare app."""
    loaded = subprocess.run(
        [sys.executable, "-c", IMPORTING], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "mantlet.ratelimit.policy" in loaded
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(FRAMEWORKS)
