"""The OWASP API Security Top 10 (2023): attempts at each risk, under both frameworks.

API7 (server side request forgery) and API10 (unsafe consumption of APIs) do not apply: the back end
sends no requests, as ``test_layers.py`` checks.
"""

import base64
import hashlib
import hmac
import json
import time

import pytest
from examples.reference.adapters.database import metadata
from examples.reference.tests.conftest import Api

UNKNOWN = "0" * 32


def b64(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class TestApi1BrokenObjectLevelAuthorization:
    def test_others_orders_look_like_orders_that_do_not_exist(self, api: Api) -> None:
        order_id = api.place()
        for path in ("/v2/orders/{}", "/v1/orders/{}"):
            theirs, none = (api.send("GET", path.format(one), "ben") for one in (order_id, UNKNOWN))
            assert theirs.status_code == none.status_code == 404
            of_request = ("instance", "request_id")
            seen = [one.json() | dict.fromkeys(of_request) for one in (theirs, none)]
            assert seen[0] == seen[1]

    def test_nor_can_they_be_paid_queried_or_listed(self, api: Api) -> None:
        order_id = api.place()
        assert api.pay(order_id, "ben").status_code == 404
        query = f'{{ order(id: "{order_id}") {{ id }} orders {{ id }} }}'
        assert api.query(query, "ben").json()["data"] == {"order": None, "orders": []}
        assert api.send("GET", "/v2/orders", "ben").json() == {"orders": []}

    def test_nor_does_a_stolen_key_show_anothers_response(self, api: Api) -> None:
        body = {"lines": {"lamp": 2}}
        own = api.place(key="same")
        theirs = api.send("POST", "/v2/orders", "ben", key="same", json=body)
        assert theirs.json().get("id", own) != own


class TestApi2BrokenAuthentication:
    def test_forged_and_foreign_tokens(self, api: Api) -> None:
        header, payload, signature = api.provider.token("ann").split(".")
        public = api.provider.jwks_file.read_bytes()
        symmetric = b64({"alg": "HS256", "typ": "at+jwt"}) + "." + payload
        digest = hmac.digest(public, symmetric.encode(), hashlib.sha256)
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        tokens = {
            "alg none": b64({"alg": "none", "typ": "at+jwt"}) + f".{payload}.",
            "a public key as the secret": f"{symmetric}.{b64(digest)}",
            "another payload": f"{header}.{b64(claims | {'sub': 'ben'})}.{signature}",
            "expired": api.provider.token("ann", exp=int(time.time()) - 60),
            "another audience": api.provider.token("ann", aud="https://other.example"),
            "another issuer": api.provider.token("ann", iss="https://evil.example"),
            "not yet valid": api.provider.token("ann", nbf=int(time.time()) + 600),
            "not a token": "ann",
        }
        for what, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            response = api.send("GET", "/v2/orders", None, headers=headers)
            assert response.status_code in {400, 401}, what
            assert "sub" not in response.text

    def test_a_token_in_the_url_is_no_token(self, api: Api) -> None:
        token = api.provider.token("ann")
        response = api.send("GET", f"/v2/orders?access_token={token}", None)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.environ(SHOP_GUESSES="20/minute")
    def test_guesses_are_limited(self, api: Api) -> None:
        statuses = [api.send("GET", "/v2/orders", None).status_code for _ in range(25)]
        assert statuses[:20] == [401] * 20
        assert statuses[-1] == 429


class TestApi3BrokenObjectPropertyLevelAuthorization:
    @pytest.mark.parametrize("extra", ["status", "customer", "price", "id", "revision"])
    def test_nothing_undeclared_can_be_set(self, api: Api, extra: str) -> None:
        body = {"lines": {"lamp": 1}, extra: "paid"}
        response = api.send("POST", "/v2/orders", key="1", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == f"/{extra}"

    def test_nothing_else_is_shown(self, api: Api) -> None:
        order = api.send("GET", f"/v2/orders/{api.place()}").json()
        assert order.keys() == {"id", "status", "total", "lines"}
        assert order["lines"][0].keys() == {"item", "quantity", "price"}
        assert api.query("{ orders { customer } }").status_code in {400, 422}


class TestApi4UnrestrictedResourceConsumption:
    @pytest.mark.parametrize(
        ("body", "statuses"),
        [
            (b'{"lines": {"lamp": 1}, "x": "' + b"x" * 100_000 + b'"}', {413}),
            (b"[" * 1_000 + b"]" * 1_000, {400}),
            (b'{"lines": {' + b",".join(b'"%d":1' % i for i in range(30)) + b"}}", {422}),
            (b'{"lines": {"lamp": 1e9}}', {422}),
        ],
        ids=["size", "depth", "lines", "quantity"],
    )
    def test_bodies(self, api: Api, body: bytes, statuses: set[int]) -> None:
        headers = {"Content-Type": "application/json"}
        response = api.send("POST", "/v2/orders", key="1", content=body, headers=headers)
        assert response.status_code in statuses

    @pytest.mark.parametrize(
        "query",
        [
            "{" + " ".join(f"a{i}: orders(first: 50) {{ id }}" for i in range(20)) + "}",
            "{ orders(first: 100000) { id } }",
            "query { orders " + "{ lines " * 10 + "{ item }" + "}" * 11,
            "{ __schema { types { name } } }",
            "{ " + "order(id: 1) { id } " * 1_000 + "}",
        ],
        ids=["aliases", "first", "depth", "introspection", "tokens"],
    )
    def test_queries(self, api: Api, query: str) -> None:
        assert api.query(query).status_code in {400, 422}

    def test_pages_and_batches(self, api: Api) -> None:
        assert api.send("GET", "/v2/orders?limit=1000").status_code == 422
        call = {"jsonrpc": "2.0", "id": 1, "method": "orders.ship", "params": {"id": UNKNOWN}}
        response = api.send("POST", "/rpc", "claire", roles=["clerk"], json=[call] * 11)
        assert response.status_code == 400

    @pytest.mark.environ(SHOP_QUOTA="5/minute")
    def test_requests_by_client(self, api: Api) -> None:
        statuses = [api.send("GET", "/v2/orders").status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        assert api.send("GET", "/v2/orders", "ben").status_code == 200


class TestApi5BrokenFunctionLevelAuthorization:
    def test_customers_are_no_clerks(self, api: Api) -> None:
        assert api.call("orders.ship", api.place()).status_code == 403

    def test_a_token_for_reading_changes_nothing(self, api: Api) -> None:
        claims = {"scope": "orders:read"}
        assert api.send("POST", "/v2/orders", key="1", json={}, claims=claims).status_code == 403

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
    def test_other_methods(self, api: Api, method: str) -> None:
        path = f"/v2/orders/{api.place()}"
        assert api.send(method, path).status_code in {403, 405}
        override = api.send("POST", path, headers={"X-HTTP-Method-Override": method})
        assert override.status_code in {400, 403, 405}

    @pytest.mark.parametrize(
        "path", ["/RPC", "/rpc/", "//rpc", "/v2/rpc", "/%72pc", "/x/../rpc", "/rpc%0A"]
    )
    def test_other_spellings(self, api: Api, path: str) -> None:
        body = {"jsonrpc": "2.0", "method": "orders.ship", "params": {"id": api.place()}}
        assert api.send("POST", path, json=body).status_code in {400, 403, 404}


class TestApi6UnrestrictedAccessToSensitiveBusinessFlows:
    def test_a_payment_is_made_once(self, api: Api) -> None:
        order_id = api.place()
        assert api.pay(order_id, key="a").status_code == 201
        assert api.pay(order_id, key="a").headers["Idempotency-Replayed"] == "true"
        assert api.pay(order_id, key="b").status_code == 409
        assert api.pay(api.place(key="other"), key="a").status_code == 422

    def test_a_payment_needs_a_key(self, api: Api) -> None:
        assert api.send("POST", f"/v2/orders/{api.place()}/payment").status_code == 400

    def test_an_order_is_shipped_only_when_it_is_paid(self, api: Api) -> None:
        order_id = api.place()
        answer = api.call("orders.ship", order_id, "clerk").json()
        assert answer["error"] == {"code": -32002, "message": "Wrong status"}


class TestApi8SecurityMisconfiguration:
    def test_headers(self, api: Api) -> None:
        headers = api.send("GET", "/v2/orders").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"]
        assert "Server" not in headers

    def test_pages_of_other_origins_read_nothing(self, api: Api) -> None:
        for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
            response = api.send("GET", "/v2/orders", headers={"Origin": origin})
            assert ("Access-Control-Allow-Origin" in response.headers) is allowed

    def test_other_hosts(self, api: Api) -> None:
        headers = {"Host": "evil.example"}
        assert api.send("GET", "/v2/orders", headers=headers).status_code == 421

    def test_errors_tell_nothing(self, api: Api) -> None:
        metadata.drop_all(api.backend.engine)
        for response in (api.send("GET", "/v2/orders"), api.query("{ orders { id } }")):
            assert response.status_code >= 500
            assert not {"orders", "sqlite", "SELECT"} & set(response.text.replace('"', " ").split())


class TestApi9ImproperInventoryManagement:
    def test_old_and_unknown_versions(self, api: Api) -> None:
        assert api.send("GET", "/v0/orders").status_code == 410
        assert api.send("GET", "/v9/orders").status_code == 404
        assert api.send("GET", "/orders", headers={"API-Version": "9"}).status_code == 400
        assert api.send("GET", "/v2/orders", headers={"API-Version": "1"}).status_code == 400

    @pytest.mark.parametrize(
        "path", ["/docs", "/redoc", "/admin", "/static/app.js", "/.env", "/v2/graphql", "/metrics"]
    )
    def test_what_is_not_declared_is_closed(self, api: Api, path: str) -> None:
        assert api.send("GET", path, None).status_code in {401, 404}
        assert api.send("GET", path, "claire", roles=["clerk"]).status_code in {403, 404}
