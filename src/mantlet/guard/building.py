"""Build the router of a guard: from its options to settings, and from a source to validators.

The modules of models and documents are imported where they are needed, so that a guard of contracts
loads nothing of OpenAPI.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from mantlet._internal.extras import import_extra
from mantlet.core.modes import Mode, ModeOption, RouteModes, check_mode
from mantlet.guard.combined import CombinedSource
from mantlet.guard.coverage import OperationSource
from mantlet.guard.credentials import (
    Judge,
    make_security,
    validate_authentication,
    validate_checks,
)
from mantlet.guard.limits import BodyLimits
from mantlet.guard.operation_validator import operation_validator
from mantlet.guard.options import (
    DocumentOptions,
    OperationPattern,
    OperationSettings,
    RouteOptions,
    ValidatorMessages,
    check_literal,
    settings_by_operation,
)
from mantlet.guard.routing.exemptions import Exemptions
from mantlet.guard.routing.paths import PathChecker
from mantlet.guard.routing.route_logs import log_crossings, log_unmatched
from mantlet.guard.routing.router import OperationRouter, UndeclaredOptions

__all__ = ["Contracts", "RouterBuilder", "decide_modes", "guard_settings"]

# Any: a model, a Contract, a JsonRpc or a GraphQL.
Contracts = Mapping[str, Any]


def decide_modes(
    option: ModeOption, patterns: list[OperationPattern]
) -> tuple[Mode | RouteModes, Mode | RouteModes]:
    """Return the mode of the policy, and that of operations that have none of their own.

    Where operations have their own modes, the guard applies all modes itself.

    Args:
        option: the option ``mode``.
        patterns: the options of operations; their modes are removed where ``MANTLET_MODE``
            overrides every mode.

    Raises:
        ValueError: the mode is unknown, or modes by route are set in two ways.
    """
    modes = check_mode(option)
    by_operation = [pattern for pattern in patterns if pattern.options.mode is not None]
    if check_mode("enforce") != "enforce":  # MANTLET_MODE overrides every mode
        for pattern in by_operation:
            pattern.options = replace(pattern.options, mode=None)
    elif by_operation:
        if not isinstance(modes, str):
            raise ValueError(
                "modes by route must be set either by mode={...} or by RouteOptions(mode=...), "
                "not by both"
            )
        return "enforce", modes
    return modes, modes


def guard_settings(
    options: RouteOptions, mode: Mode | RouteModes, messages: ValidatorMessages
) -> OperationSettings:
    """Return the settings of operations without options of their own.

    Raises:
        ValueError: ``validator_messages`` is unknown.
    """
    check_literal("validator_messages", messages, ValidatorMessages)
    settings = OperationSettings(limits=BodyLimits(), validator_messages=messages)
    return replace(settings.override(options), mode=mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterBuilder:
    """Builds routers by the options of one guard.

    Attributes:
        settings: the settings of operations without options of their own.
        patterns: the options of some operations.
        paths: how to check the form of paths.
        undeclared_options: what to do with an OPTIONS request that is not declared.
        exempt: the requests that pass unchecked, or None.
        document: how to read documents.
    """

    settings: OperationSettings
    patterns: list[OperationPattern]
    paths: PathChecker
    undeclared_options: UndeclaredOptions
    exempt: Exemptions | None
    document: DocumentOptions

    # Any: whatever openapi= takes, or the document of an app.
    def read(self, contracts: Contracts | None, document: Any) -> OperationSource:
        """Return the operations of contracts, of a document, or of both.

        Raises:
            TypeError: a model can't be compiled.
            ValueError: a name or the document is wrong.
            ImportError: a library is not installed.
        """
        if document is None:
            return _contract_source(contracts or {})
        source = self._read_document(document)
        if contracts is None:
            return source
        return CombinedSource(source, _contract_source(contracts))

    # Any: whatever openapi= takes.
    def replace_document(self, source: OperationSource, document: Any) -> OperationSource:
        """Return a source with another document in the place of its own.

        Raises:
            TypeError: the source is made of models.
            ValueError: the document is wrong.
        """
        if not source.reloads:
            raise TypeError("reload() needs a guard made of a document; make another guard")
        new = self._read_document(document)
        return source.with_document(new) if isinstance(source, CombinedSource) else new

    # Any: whatever openapi= takes, or the document of an app.
    def _read_document(self, document: Any) -> OperationSource:
        limits = self.settings.limits
        source: OperationSource
        if hasattr(document, "source"):  # the routes of an app
            source = document.source(self.document, limits)
        else:
            import_extra("jsonschema_rs", "openapi")
            kind = import_module("mantlet.guard.openapi.document").DocumentSource
            source = kind(document, self.document, limits)
        return source

    def build(
        self,
        source: OperationSource,
        security: Judge,
        *,
        allow_unused: bool = False,
    ) -> OperationRouter:
        """Compile the operations of a source, and return their router.

        Args:
            source: the source.
            security: who judges credentials.
            allow_unused: whether there may be checks of schemes that no operation has.

        Raises:
            TypeError: a model can't be compiled.
            ValueError: an operation, a route pattern or a check is wrong.
        """
        settings = settings_by_operation(self.settings, self.patterns, source.names())
        operations = list(source.compile(settings))
        if isinstance(security, Mapping):
            validate_checks(operations, security, allow_unused=allow_unused)
        elif security is not None:
            validate_authentication(operations, security)
        source.log_ignored()
        validators = [
            operation_validator(
                operation,
                settings[operation.method, operation.template],
                make_security(operation, security),
            )
            for operation in operations
        ]
        router = OperationRouter(
            validators,
            paths=self.paths,
            allow=self.settings.allow,
            undeclared_options=self.undeclared_options,
            servers=self.document.servers,
            routes=source.app_routes,
            exempt=self.exempt,
            on_unmatched=partial(log_unmatched, operations) if source.reloads else None,
        )
        log_crossings(router.crossings)
        return router


def _contract_source(contracts: Contracts) -> OperationSource:
    import_extra("pydantic", "guard")
    import_extra("jiter", "guard")
    kind = import_module("mantlet.guard.models.compiling").ContractSource
    source: OperationSource = kind(contracts)
    return source
