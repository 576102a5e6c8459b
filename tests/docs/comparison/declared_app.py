"""The app of the other module, as connexion makes it from an OpenAPI document."""

from __future__ import annotations

from typing import Any

import connexion

from tests.docs.comparison.apps import DSN, INTERNAL

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Items", "version": "1"},
    "paths": {
        "/": {"get": {"operationId": "home", "responses": {"200": {"description": "OK"}}}},
        "/items/{id}": {
            "get": {
                "operationId": "item",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "OK"}},
            }
        },
        "/items": {
            "post": {
                "operationId": "create",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"name": {"type": "string"}},
                                "additionalProperties": False,
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "OK"}},
            }
        },
        "/private": {
            "get": {
                "operationId": "private",
                "security": [{"key": []}],
                "responses": {"200": {"description": "OK"}},
            }
        },
        "/secret": {"get": {"operationId": "secret", "responses": {"200": {"description": "OK"}}}},
        "/crash": {"get": {"operationId": "crash", "responses": {"200": {"description": "OK"}}}},
    },
    "components": {
        "securitySchemes": {
            "key": {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "x-apikeyInfoFunc": f"{__name__}.known_key",
            }
        }
    },
}


def known_key(key: str, required_scopes: Any = None) -> dict[str, str] | None:
    """Return whose a key is."""
    return {"sub": "someone"} if key == "a-known-key" else None


async def _view(name: str) -> Any:
    if name == "crash":
        raise RuntimeError(INTERNAL)
    return {"dsn": DSN} if name == "secret" else {"ok": True}


def connexion_app() -> connexion.AsyncApp:
    """Return an app of connexion, which routes by the document."""
    app = connexion.AsyncApp(__name__)

    def resolve(name: str) -> Any:
        async def view(id: Any = None, body: Any = None) -> Any:
            return await _view(name)

        return view

    app.add_api(DOCUMENT, resolver=connexion.Resolver(resolve), strict_validation=True)
    return app
