"""`Cedar`: policies are read, checked and decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Allow, Authorizer, Cedar, Identity
from tests.authorization.identities import TestAuthentication, user
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from pathlib import Path

    from tests.drive import Said


@dataclass
class Order:
    """An object of an app's own."""

    id: int
    owner: str


READER = Identity("reader", "jwt", scopes=frozenset({"orders:read"}))
CLERK = Identity("clerk", "jwt", roles=frozenset({"clerk"}))

OWNERS = """
// Owners; and a semicolon in a "comment";
@id("own")
permit(principal, action in [Action::"read", Action::"write"], resource is Order)
when { resource.owner == principal };
"""
CLERKS = 'permit(principal in Role::"clerk", action == Action::"read", resource);\n'
SCHEMA = """
entity Role;
entity User in [Role] { scopes: Set<String>, roles: Set<String>, scheme: String };
entity Order { owner: User };
action read, write appliesTo { principal: User, resource: Order };
"""


def entities(_identity: Identity | None, _action: str, order: Any) -> list[Mapping[str, Any]]:
    """Return the entity of an order."""
    owner = {"__entity": {"type": "User", "id": order.owner}}
    return [
        {"uid": {"type": "Order", "id": str(order.id)}, "attrs": {"owner": owner}, "parents": []}
    ]


MINE, OTHERS = Order(7, "reader"), Order(8, "writer")


@pytest.mark.parametrize(
    ("identity", "action", "order", "allowed"),
    [
        (READER, "read", MINE, True),
        (READER, "write", MINE, True),
        (READER, "delete", MINE, False),
        (READER, "read", OTHERS, False),
        (CLERK, "read", OTHERS, True),
        (CLERK, "write", OTHERS, False),
        (None, "read", MINE, False),
    ],
)
def test_policies_decide(
    identity: Identity | None, action: str, order: Order, allowed: bool
) -> None:
    engine = Cedar(OWNERS + CLERKS, entities=entities)
    assert engine.decide(identity, action, order, None) is allowed


def test_policies_are_read_from_a_file_and_a_directory(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "owners.cedar").write_text(OWNERS)
    (tmp_path / "more" / "clerks.cedar").write_text(CLERKS)
    (tmp_path / "notes.txt").write_text("not a policy")
    directory = Cedar(tmp_path, entities=entities)
    assert repr(directory) == "Cedar(2 policies)"
    assert directory.decide(READER, "read", MINE, None)
    assert directory.decide(CLERK, "read", OTHERS, None)
    file = Cedar(str(tmp_path / "owners.cedar"), entities=entities)
    assert file.decide(READER, "read", MINE, None)
    assert not file.decide(CLERK, "read", OTHERS, None)


def test_a_fault_is_named_by_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text(OWNERS)
    (tmp_path / "b.cedar").write_text(f"{CLERKS}\n\npermit(principal, action);\n")
    with pytest.raises(ValueError, match=r"b\.cedar:4: "):
        Cedar(tmp_path)
    with pytest.raises(ValueError, match="policies:1: "):
        Cedar("permit(principal, action, resource")


def test_a_policy_that_does_not_fit_the_schema_is_named_by_its_file_and_line(
    tmp_path: Path,
) -> None:
    assert Cedar(OWNERS + CLERKS, schema=SCHEMA, entities=entities).decide(
        READER, "read", MINE, None
    )
    (tmp_path / "schema.cedarschema").write_text(SCHEMA)
    (tmp_path / "a.cedar").write_text(
        f'{CLERKS}\n\npermit(principal, action == Action::"raed", resource);'
    )
    with pytest.raises(ValueError, match=r"a\.cedar:4: .*raed"):
        Cedar(tmp_path / "a.cedar", schema=tmp_path / "schema.cedarschema")
    with pytest.raises(ValueError, match="schema: "):
        Cedar(OWNERS, schema="entity User {")


def test_a_policy_that_fails_refuses(caplog: pytest.LogCaptureFixture) -> None:
    # Cedar itself would leave out the forbid, and allow.
    policies = f"{CLERKS}forbid(principal, action, resource) when {{ resource.locked }};"
    engine = Cedar(policies)
    assert not engine.decide(CLERK, "read", Order(9, "secret-owner"), None)
    assert "policies:2" in caplog.text
    assert "Order" not in caplog.text


def test_the_principal_has_scopes_roles_and_a_scheme() -> None:
    engine = Cedar(
        'permit(principal, action, resource) when { principal.scopes.contains("orders:read") && '
        'principal.scheme == "jwt" && !principal.roles.contains("clerk") };'
    )
    assert engine.decide(READER, "read", None, None)
    assert not engine.decide(CLERK, "read", None, None)
    assert not engine.decide(None, "read", None, None)


def test_types_objects_and_the_context_are_the_apps_own() -> None:
    engine = Cedar(
        'permit(principal == App::Person::"reader", action == App::Action::"read", '
        'resource == Thing::"x") when { context.internal };',
        principal="App::Person",
        action="App::Action",
        resource=lambda thing: ("Thing", thing),
        context=lambda request: {"internal": request == "inside"},
    )
    assert engine.decide(READER, "read", "x", "inside")
    assert not engine.decide(READER, "read", "x", "outside")
    assert not engine.decide(READER, "read", "y", "inside")


@pytest.mark.parametrize("subject", ['"; permit', "a\nb", 'reader"', "é\\u{0}", 'User::"x"'])
def test_a_subject_is_never_syntax(subject: str) -> None:
    engine = Cedar('permit(principal == User::"reader", action, resource);')
    assert not engine.decide(Identity(subject, "jwt"), "read", None, None)
    named = Cedar('permit(principal, action, resource) when { principal in Role::"admin" };')
    assert not named.decide(Identity("x", "jwt", roles=frozenset({subject})), "read", None, None)


def test_an_object_without_an_id_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="has no id: pass resource="):
        Cedar(CLERKS).decide(CLERK, "read", object(), None)


def test_entities_that_cedar_does_not_accept_are_an_error_without_values() -> None:
    engine = Cedar(CLERKS, entities=lambda *_: [{"uid": "secret"}])
    with pytest.raises(ValueError, match="Cedar") as caught:
        engine.decide(CLERK, "read", MINE, None)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policies": 3}, TypeError, "policies must be"),
        ({"policies": CLERKS, "principal": "a b"}, ValueError, "principal must be"),
        ({"policies": CLERKS, "action": "Act"}, ValueError, "action must be"),
        ({"policies": CLERKS, "principal": 3}, TypeError, "principal must be"),
        ({"policies": CLERKS, "entities": []}, TypeError, "entities must be a callable"),
        ({"policies": CLERKS, "schema": 3}, TypeError, "schema must be"),
        ({"policies": "/nowhere/at/all"}, OSError, "nowhere"),
        ({"policies": CLERKS, "entitys": entities}, TypeError, "did you mean 'entities'"),
    ],
)
def test_bad_options_are_errors_at_construction(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Cedar(**options)


@pytest.mark.parametrize("slot", ["principal == ?principal", "principal"])
def test_a_template_which_would_never_apply_is_an_error(slot: str) -> None:
    resource = "resource" if "?" in slot else "resource in ?resource"
    text = f"permit(principal, action, resource);\nforbid({slot}, action, {resource});"
    with pytest.raises(ValueError, match="policies:2: a template never applies"):
        Cedar(text)


def test_a_directory_without_policies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one policy"):
        Cedar(tmp_path)


@both_adapters
def test_it_decides_for_views(adapter: Adapter) -> None:
    def handler(raw: MutableMapping[str, Any]) -> Said:
        path = raw.get("PATH_INFO", raw.get("path", ""))
        mantlet.authorize(raw, "read", MINE if path.endswith("7") else OTHERS)
        return 200, [], b"shown"

    authorizer = Authorizer(
        rules=[Allow("GET /orders/{id}", check="object")],
        engine=Cedar(OWNERS, entities=entities),
    )
    app = adapter.wrap(handler, mantlet.ErrorEnvelope(), TestAuthentication(), authorizer)
    assert adapter.drive(app, path="/orders/7", headers=user("reader")).status == 200
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == 403
