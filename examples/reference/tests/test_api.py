"""What clients can do, under both frameworks."""

from examples.reference.adapters.database import outbox
from examples.reference.tests.conftest import Api

from mantlet.database import relay_outbox
from mantlet.events import Event


def test_an_order_from_its_placing_to_its_delivery(api: Api) -> None:
    order_id = api.place(lamp=2, vase=1)
    assert api.pay(order_id).json()["amount"] == {"cents": 11_050, "currency": "EUR"}
    shipped = {"jsonrpc": "2.0", "id": 1, "result": True}
    assert api.call("orders.ship", order_id, "clerk").json() == shipped
    assert api.send("GET", f"/v2/orders/{order_id}").json()["status"] == "shipped"
    found = api.query(f'{{ order(id: "{order_id}") {{ status total lines {{ item }} }} }}').json()
    lines = [{"item": "lamp"}, {"item": "vase"}]
    assert found == {"data": {"order": {"status": "shipped", "total": 11_050, "lines": lines}}}


def test_versions_differ_in_how_money_is_written(api: Api) -> None:
    order_id = api.place()
    old, new = (api.send("GET", f"/v{version}/orders/{order_id}") for version in (1, 2))
    assert old.json()["total"] == "98.00"
    assert new.json()["total"] == {"cents": 9_800, "currency": "EUR"}
    assert old.headers["Deprecation"].startswith("@")
    assert "Deprecation" not in new.headers
    by_header = api.send("GET", f"/orders/{order_id}", headers={"API-Version": "1"})
    assert by_header.json() == old.json()
    for response, version in ((old, "1"), (new, "2"), (api.send("GET", "/orders"), "2")):
        assert response.headers["API-Version"] == version


def test_pages(api: Api) -> None:
    ids = sorted(api.place(key=f"place-{number}") for number in range(5))
    first = api.send("GET", "/v2/orders?limit=3").json()["orders"]
    rest = api.send("GET", f"/v2/orders?after={first[-1]['id']}").json()["orders"]
    assert [order["id"] for order in first + rest] == ids
    query = f'{{ orders(first: 2, after: "{ids[0]}") {{ id }} }}'
    assert api.query(query).json() == {"data": {"orders": [{"id": one} for one in ids[1:3]]}}


def test_a_repeated_request_gets_the_first_response(api: Api) -> None:
    order_id = api.place(key="a")
    assert api.place(key="a") == order_id != api.place(key="b")
    first, second = api.pay(order_id), api.pay(order_id)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_events_are_kept_for_other_systems_in_the_same_transaction(api: Api) -> None:
    order_id = api.place()
    assert api.send("POST", "/v2/orders", key="b", json={"lines": {"yacht": 1}}).status_code == 422
    api.pay(order_id)
    events = list[Event]()
    relay_outbox(api.backend.sessions, events.append, outbox=outbox)
    assert [event.type for event in events] == ["order.placed", "order.paid"]


def test_health(api: Api) -> None:
    assert api.send("GET", "/-/health", None).json() == {"status": "live"}
    assert api.send("GET", "/-/ready", None).json()["status"] == "ready"
