"""`SchemaGuard`: reject requests that the API's schema does not allow."""

from mantlet.exceptions import DocumentError
from mantlet.guard.bodies.body_validator import Validated
from mantlet.guard.bodies.forms.file import File
from mantlet.guard.bodies.forms.uploads import UploadedFile
from mantlet.guard.contract import Contract
from mantlet.guard.coverage import Coverage
from mantlet.guard.credentials import Credential
from mantlet.guard.findings.finding import Finding
from mantlet.guard.graphql import GraphQL, GraphQLRequest
from mantlet.guard.jsonrpc import JsonRpc, RpcCall
from mantlet.guard.limits import BodyLimits
from mantlet.guard.options import RouteOptions
from mantlet.guard.policy import SchemaGuard
from mantlet.guard.versioned import VersionedGuard

__all__ = [
    "BodyLimits",
    "Contract",
    "Coverage",
    "Credential",
    "DocumentError",
    "File",
    "Finding",
    "GraphQL",
    "GraphQLRequest",
    "JsonRpc",
    "RouteOptions",
    "RpcCall",
    "SchemaGuard",
    "UploadedFile",
    "Validated",
    "VersionedGuard",
]
