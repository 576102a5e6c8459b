"""`Authorizer`: who may do what, by rules on routes."""

from mantlet.authorization.cedar import Cedar
from mantlet.authorization.decisions import authorize
from mantlet.authorization.engine import Engine
from mantlet.authorization.policy import AccessRow, AccessTable, Authorizer
from mantlet.authorization.rules import Allow

__all__ = ["AccessRow", "AccessTable", "Allow", "Authorizer", "Cedar", "Engine", "authorize"]
