"""Notes, with all policies that most APIs need. README.md says how to run it."""

import os
from hashlib import sha256

from flask import Blueprint, Flask, Request, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

import mantlet
from mantlet import Allow, ApiKeys, Identity, Rule, Secret
from mantlet.secrets import Environment

NOTES = {1: {"text": "Buy milk", "author": "writer"}}
views = Blueprint("notes", __name__)


class Keys(mantlet.SecretModel, prefix="NOTES_"):
    """The API keys of the clients, from ``NOTES_READER_KEY`` and ``NOTES_WRITER_KEY``."""

    reader_key: Secret[str]
    writer_key: Secret[str]


class Note(BaseModel):
    """The body of ``POST /notes``."""

    text: str = Field(min_length=1, max_length=500)


@views.get("/notes")
def list_notes() -> ResponseReturnValue:
    return list(NOTES.values())


@views.get("/notes/<int:number>")
def show_note(number: int) -> ResponseReturnValue:
    if number not in NOTES:
        raise mantlet.Problem(404, detail="There is no such note.")
    return NOTES[number]


@views.post("/notes")
def add_note() -> ResponseReturnValue:
    note = {"text": request.get_json()["text"], "author": author(request)}
    NOTES[len(NOTES) + 1] = note
    return note, 201


def author(request: Request) -> str:
    """Return who sends a request."""
    who = mantlet.state(request).identity  # None while the policies are off
    return who.subject if who else "nobody"


def client(name: str, key: Secret[str], *scopes: str) -> dict[str, Identity]:
    """Return a client by the digest of its API key."""
    digest = sha256(key.reveal().encode()).hexdigest()
    return {digest: Identity(name, "api_key", scopes=frozenset(scopes))}


def make_policies(limits: mantlet.Mode) -> tuple[mantlet.Policy, ...]:
    """Return the policies, the outermost first."""
    secrets = mantlet.SecretLoader(Keys, sources=[Environment()])
    reader = client("reader", secrets.current.reader_key, "notes:read")
    writer = client("writer", secrets.current.writer_key, "notes:read", "notes:write")
    return (
        mantlet.OutputSanitizer(headers="api", secrets=secrets),
        mantlet.ErrorEnvelope(exceptions={ConnectionError: 503}),
        secrets,
        mantlet.Health(),
        mantlet.Cors(origins="https://app.example", headers=["Content-Type", "X-API-Key"]),
        mantlet.Hosts(allowed=os.environ.get("NOTES_HOSTS", "localhost:8000").split(",")),
        mantlet.RateLimiter(
            "30/minute",
            count_if=mantlet.on_status(401),  # guesses of keys, by the client's address
            namespace="guesses",
            headers=None,
            mode=limits,
        ),
        mantlet.Authenticator(ApiKeys(reader | writer)),
        mantlet.Authorizer(
            rules=[
                Allow("GET /notes", scope="notes:read"),
                Allow("GET /notes/{number}", scope="notes:read"),
                Allow("POST /notes", scope="notes:write"),
            ]
        ),
        mantlet.CrossOrigin(trusted="https://app.example"),
        mantlet.RateLimiter(
            "100/minute",
            key=mantlet.keys.identity(),
            rules=[Rule("POST /notes", "10/hour")],
            mode=limits,
        ),
        mantlet.SchemaGuard({"GET /notes": None, "GET /notes/{number}": None, "POST /notes": Note}),
    )


def create_app(limits: mantlet.Mode = "enforce") -> Flask:
    """Return the app; a test may turn its limits off."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(views)
    return mantlet.install(app, *make_policies(limits))


app = create_app()
