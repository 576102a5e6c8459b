"""`SchemaGuard`: nothing reaches the app that its schema does not allow.

It stands in front of any framework and is made of pydantic models, or of an OpenAPI document. It
is closed by default: a path, a method, a media type, a name in the query or a body that is not
declared is refused, and so is what two parsers may read differently. The structure of a body is
bounded while it is read, before any of it is understood. All that is wrong is told at once in a
problem (RFC 9457) whose ``errors`` name each place, and never a value of the client's.

What it does not stop: values that fit the schema and mean harm all the same, such as another user's
id; what the app reads of a request besides what is declared, such as other header fields; and a
schema that allows too much.

When it is unsafe: with ``forward="original"``, the default, the app parses the body again. What
parsers are known to read differently is refused, but only ``forward="canonical"``, or an app that
takes ``mantlet.state(...).validated``, rules out that it reads something else.

What it costs: a few microseconds for a small body, most of them the schema library's own.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from importlib import import_module
from os import PathLike
from typing import Any, Final, Literal, Self

from mantlet._internal.extras import import_extra
from mantlet.core.policy import Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.guard.answers import problem_of
from mantlet.guard.coverage import Coverage
from mantlet.guard.credentials import Checker, Credentials, check_checkers
from mantlet.guard.declaration import Declaration, DocumentOptions
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.operation_validator import Entry
from mantlet.guard.options import Forward, Mode, Opening, RouteOptions, Settings, settings_of
from mantlet.guard.paths import PathForm
from mantlet.guard.reports import Reports
from mantlet.guard.router import Book, Options
from mantlet.guard.watching import Watching

__all__ = ["SchemaGuard"]

#: What a guard is made of with models.
Contracts = Mapping[str, Any]
#: What is counted under where no operation was found.
_UNDECLARED: Final = "undeclared"


class SchemaGuard(Watching, Policy):
    """Refuse requests that the API does not declare, with all that is wrong in one problem.

    What has been validated is in ``mantlet.state(...).validated``, a `Validated`.

    Args:
        contracts: what each operation takes, by names such as ``"POST /items"`` or ``"WS /live"``:
            a model of the JSON body, a `Contract`, a `JsonRpc` or a `GraphQL`.
        openapi: in place of that an OpenAPI document (3.0, 3.1, 3.2): its path, or what it says as
            a dict.
        ref_root: where the files must lie that a document refers to; by default its own folder.
            Nothing is read from the network.
        mode: ``"enforce"``, or ``"report"``: log and count what would be refused, and let it pass.
        sample_rate: the share of requests that is looked at, from 0 to 1.
        allow: what is let through undeclared; see `RouteOptions`.
        forward: what the app gets: the client's bytes (``"original"``), or the body written anew
            from what was validated (``"canonical"``). Streamed bodies, such as forms with files,
            are always the client's.
        responses: ``"report"`` or ``"enforce"`` to look at the app's answers too; an answer that is
            not as declared is then logged, or becomes a 500 as well.
        limits: bounds on the structure of requests.
        routes: a `RouteOptions` for some operations, by patterns such as ``"* /legacy/*"``.
        paths: what becomes of a path that may be read in two ways: ``"refuse"``, ``"normalize"`` or
            ``"raw"``; see `mantlet.guard.paths`.
        undeclared_options: what to do with an OPTIONS request that is not declared: let it
            ``"pass"``, ``"answer"`` with the allowed methods, or ``"refuse"`` it.
        security: callables that check credentials, by the names of the document's schemes.
        formats: whether a document's ``format`` of strings is asserted: True for those that are
            known, or what checks each, by name.
        regex_lookaround: what to do with a ``pattern`` of the document that no linear-time engine
            supports: ``"refuse"`` it at construction, or match it with ``"bounded"`` effort.
        use_servers: whether request paths include the base paths of the document's ``servers``,
            and the path that the app is mounted under; else paths are relative to the app.
        require_bounds: whether the document's schemas must bound every string, array and object.

    Raises:
        TypeError: neither or both of ``contracts`` and ``openapi`` are given, or a model can't be
            compiled.
        ValueError: an option, a name or the document is wrong. `DocumentError` lists all that is
            wrong with a document.
        ImportError: a library is not installed; the message names the extra.
    """

    position = 100

    def __init__(
        self,
        contracts: Contracts | None = None,
        *,
        openapi: str | PathLike[str] | Mapping[str, Any] | None = None,
        ref_root: str | PathLike[str] | None = None,
        mode: Mode = "enforce",
        sample_rate: float = 1.0,
        allow: Collection[Opening] = (),
        forward: Forward = "original",
        responses: Literal["off", "report", "enforce"] = "off",
        limits: BodyLimits | None = None,
        routes: Mapping[str, RouteOptions] | None = None,
        paths: Literal["refuse", "normalize", "raw"] = "refuse",
        undeclared_options: Options = "pass",
        security: Mapping[str, Checker] | None = None,
        formats: bool | Mapping[str, Callable[[str], bool]] = False,
        regex_lookaround: Literal["refuse", "bounded"] = "refuse",
        use_servers: bool = True,
        require_bounds: bool = False,
    ) -> None:
        if (contracts is None) is (openapi is None):
            raise TypeError("a SchemaGuard needs contracts or openapi, and not both")
        if undeclared_options not in ("pass", "answer", "refuse"):
            raise ValueError(
                'undeclared_options must be "pass", "answer" or "refuse", '
                f"not {undeclared_options!r}"
            )
        said = RouteOptions(
            mode=mode,
            sample_rate=sample_rate,
            allow=allow,
            forward=forward,
            responses=responses,
            limits=limits,
        )
        self._settings = Settings(limits=BodyLimits()).under(said)
        self._routes = dict(routes or {})
        self._paths = PathForm(paths)
        self._options: Options = undeclared_options
        self._security = dict(security or {})
        self._reading = DocumentOptions(
            formats, regex_lookaround, require_bounds, use_servers, ref_root
        )
        self.reports = Reports()
        self._declaration = self._read(openapi) if contracts is None else _modeled(contracts)
        self._book = self._bind(self._declaration, self._security)
        idle = set()
        if not self._book.sockets:
            idle.add("on_message")
        every = [self._settings.responses, *(said.responses for said in self._routes.values())]
        if not {"report", "enforce"} & set(every):
            idle.add("on_response")
        self.disabled_hooks = frozenset(idle)

    @classmethod
    # Any: an app's class is the framework's; the options are those of the constructor.
    def from_app(cls, app: Any, **options: Any) -> Self:
        """Return a guard made of the OpenAPI document that an app has of itself.

        Args:
            app: of FastAPI or Litestar. Wrap it behind this: ``mantlet.wrap(app, guard)``.
            options: those of `SchemaGuard` that go with ``openapi``.

        Raises:
            TypeError: the app has no document.
            ValueError: see `SchemaGuard`.
        """
        import_extra("jsonschema_rs", "openapi")
        document = import_module("mantlet.guard.openapi.from_app").document_of(app)
        return cls(openapi=document, **options)

    def _read(self, document: Any) -> Declaration:
        import_extra("jsonschema_rs", "openapi")
        made: Declaration = import_module("mantlet.guard.openapi.declaration").DocumentDeclaration(
            document, self._reading, self._settings.limits
        )
        return made

    def _bind(
        self, declaration: Declaration, security: Mapping[str, Checker], *, spare: bool = False
    ) -> Book:
        """Return the operations of a declaration with how strictly each is dealt with."""
        settings = settings_of(self._settings, self._routes, declaration.names())
        operations = list(declaration.compile(settings))
        schemes = {
            scheme.name
            for operation in operations
            for requirement in operation.security
            for scheme, _ in requirement
        }
        check_checkers(schemes, security, spare=spare)
        declaration.tell()
        entries = [
            Entry(
                operation,
                settings[operation.declared],
                Credentials(operation.security, security) if operation.security else None,
            )
            for operation in operations
        ]
        return Book(entries, paths=self._paths, allow=self._settings.allow, options=self._options)

    def reload(
        self,
        document: str | PathLike[str] | Mapping[str, Any],
        *,
        security: Mapping[str, Checker] | None = None,
    ) -> tuple[str, ...]:
        """Put another document in the place of the one that the guard was made of.

        It is built and checked first; a request sees the old operations or the new ones.

        Args:
            document: as ``openapi`` is to `SchemaGuard`.
            security: callables for its schemes, beside those that the guard has and in their place.

        Returns:
            What the old document accepted and the new one does not, or may not, in words; none
            where it accepts all.

        Raises:
            TypeError: the guard is made of models.
            ValueError: the document is wrong; the old one stays.
        """
        old = self._declaration
        if not old.reloads:
            raise TypeError("reload() is for a guard made of a document; make another guard")
        new = self._read(document)
        checkers = {**self._security, **(security or {})}
        book = self._bind(new, checkers, spare=True)
        narrower = new.narrower_than(old)
        self._declaration, self._book, self._security = new, book, checkers
        return narrower

    @property
    def coverage(self) -> Coverage:
        """What of the API is checked, and what is not, in words."""
        return self._declaration.coverage([entry.operation for entry in self._book.entries])

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """How often an operation had a fault that was let through, by its name and the code."""
        return self.reports.counts

    # -- the hooks --------------------------------------------------------------------------------

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Judge a request; see `SchemaGuard`."""
        entry = None
        try:
            found = self._book.find(request)
            if not isinstance(found, tuple):
                return found
            entry, captured = found
            if entry.sampled and entry.passes_by():
                waiting = entry.admit_unseen(request)
            else:
                if entry.noted:
                    request.local(self)["entry"] = entry
                waiting = entry.admit(request, captured)
        except (Invalid, Problem) as error:
            return self._refuse(request, entry, error)
        return None if waiting is None else self._wait(request, entry, waiting)

    async def _wait(self, request: Request, entry: Entry, waiting: Awaitable[None]) -> Reply | None:
        try:
            await waiting
        except (Invalid, Problem) as error:
            return self._refuse(request, entry, error)
        return None

    def _refuse(
        self, request: Request, entry: Entry | None, error: Invalid | Problem
    ) -> Reply | None:
        """Answer a request that may not pass, or report it."""
        settings = self._settings if entry is None else entry.settings
        problem = problem_of(error) if isinstance(error, Invalid) else error
        if settings.mode == "enforce":
            return problem.reply(request)
        faults = error.faults if isinstance(error, Invalid) else (_unread(problem),)
        name = _UNDECLARED if entry is None else entry.operation.name
        self.reports.tell(
            request, name, "a request is not as declared", faults, level=logging.WARNING
        )
        return None


def _unread(problem: Problem) -> Fault:
    """Return the fault that a body has which the core can't read."""
    return Fault("body", "", "unreadable_body", problem.title)


def _modeled(contracts: Contracts) -> Declaration:
    import_extra("pydantic", "guard")
    made: Declaration = import_module("mantlet.guard.models.declaration").ModelDeclaration(
        contracts
    )
    return made
