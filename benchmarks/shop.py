"""An app that fails in all the usual ways, and the data of each error that must not leak."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import slowapi
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from sqlalchemy import create_engine, text

from benchmarks.stacks import GENEROUS


@dataclass(frozen=True)
class Error:
    """One way to fail, and the data of it that must not leak.

    Attributes:
        text: the error, as the table names it.
        view: fails, or None where the app has no such route.
        needles: the data that must not leak, by its name in the table.
        body: the request's, as JSON.
        methods: those that the route takes; requests are always a POST.
        keeps: the header field that the answer has to have.
        model: the response model of the view.
    """

    text: str
    view: Callable[..., Any] | None
    needles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ("POST",)
    keeps: str | None = None
    model: type[BaseModel] | None = None


class Account(BaseModel):
    email: str
    password: str = Field(min_length=20)


class CardOnFile(BaseModel):
    card_number: int


class LegacyGateway:
    """An object without the requested attributes."""


class OutOfStockError(Exception):
    """The app has a handler for it, which fails."""


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Shop:
    """The views, each of which fails in its own way, with a secret where it can have one."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def plain(self) -> NoReturn:
        raise RuntimeError(f"db-7.internal refused {self.secret}")

    def taken(self) -> None:
        with create_engine("sqlite://").begin() as connection:
            connection.execute(text("CREATE TABLE customers (email TEXT UNIQUE)"))
            for _ in range(2):
                insert = text("INSERT INTO customers (email) VALUES (:email)")
                connection.execute(insert, {"email": self.secret})

    def no_file(self) -> None:
        Path("/srv/shop/keys", f"{self.secret}.pem").read_bytes()

    def no_key(self) -> None:
        dict[str, str]()[self.secret]

    def no_attribute(self) -> None:
        getattr(LegacyGateway(), f"token_{self.secret}")

    def chained(self) -> None:
        try:
            self.plain()
        except RuntimeError as error:
            raise ValueError("step 3 of the ledger") from error

    def group(self) -> None:
        raise ExceptionGroup("ledger and mail", [RuntimeError(self.secret), ValueError("mail")])

    def refused(self, account: Account) -> None:
        raise AssertionError(account)

    def invalid_inside(self) -> None:
        CardOnFile.model_validate({"card_number": self.secret})

    def invalid_answer(self) -> dict[str, str]:
        return {"card_number": self.secret}

    def told(self) -> None:
        try:
            self.plain()
        except RuntimeError as error:
            raise HTTPException(500, detail=str(error)) from error

    def not_found(self) -> None:
        raise HTTPException(404, detail="No such order", headers={"Retry-After": "30"})

    def late(self) -> StreamingResponse:
        def rows() -> Iterator[str]:
            yield "order,amount\n"
            self.plain()

        return StreamingResponse(rows(), media_type="text/csv")

    def handled(self) -> None:
        raise OutOfStockError

    def handle(self, _request: Request, _error: Exception) -> NoReturn:
        """Fail too: the handler of `OutOfStockError`."""
        self.plain()

    def unprintable(self) -> None:
        raise UnprintableError


def errors(shop: Shop) -> list[Error]:
    """Return the errors, with the needles of each."""
    secret = shop.secret
    its_own = {"secret": (secret,), "class": ("RuntimeError",)}
    return [
        Error("`RuntimeError` with a secret in its text", shop.plain, its_own),
        Error(
            "unique key violated (SQLAlchemy, SQLite)",
            shop.taken,
            {
                "secret": (secret,),
                "SQL": ("INSERT INTO", "customers.email"),
                "class": ("IntegrityError",),
            },
        ),
        Error(
            "`FileNotFoundError`",
            shop.no_file,
            {"secret": (secret,), "path": ("/srv/shop",), "class": ("FileNotFoundError",)},
        ),
        Error("`KeyError`", shop.no_key, {"secret": (secret,), "class": ("KeyError",)}),
        Error(
            "`AttributeError`",
            shop.no_attribute,
            {"secret": (secret,), "class": ("AttributeError", "LegacyGateway")},
        ),
        Error(
            "an exception whose cause has a secret",
            shop.chained,
            {**its_own, "text": ("step 3 of the ledger",), "class": ("ValueError",)},
        ),
        Error(
            "`ExceptionGroup`",
            shop.group,
            {**its_own, "text": ("ledger and mail",), "class": ("ExceptionGroup",)},
        ),
        Error(
            "a password in the body that is too short",
            shop.refused,
            {"password": (secret,)},
            body={"email": "ada@example.com", "password": secret},
        ),
        Error(
            "a body with a password and a missing field",
            shop.refused,
            {"password": (secret,)},
            body={"password": secret * 2},
        ),
        Error(
            "pydantic's `ValidationError` inside the view",
            shop.invalid_inside,
            {"secret": (secret,), "class": ("CardOnFile",), "field": ("card_number",)},
        ),
        Error(
            "a response that does not match its `response_model`",
            shop.invalid_answer,
            {"secret": (secret,), "class": ("ValidationError",), "field": ("card_number",)},
            model=CardOnFile,
        ),
        Error("`HTTPException(500, detail=str(exc))`", shop.told, {"secret": (secret,)}),
        Error(
            '`HTTPException(404, headers={"Retry-After": ...})`',
            shop.not_found,
            keeps="Retry-After",
        ),
        Error("no such route", None),
        Error("no such method", shop.plain, methods=("PUT",), keeps="Allow"),
        Error("an exception after the first chunk", shop.late, its_own),
        Error("an exception inside an exception handler", shop.handled, its_own),
        Error(
            "an exception whose `__str__` raises",
            shop.unprintable,
            {"class": ("UnprintableError",)},
        ),
    ]


def app(shop: Shop) -> FastAPI:
    """Return the app, with a route for each error, inside slowapi's middleware."""
    app = FastAPI()
    app.state.limiter = slowapi.Limiter(key_func=get_remote_address, default_limits=[GENEROUS])
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIASGIMiddleware)
    app.add_exception_handler(OutOfStockError, shop.handle)
    for number, error in enumerate(errors(shop)):
        if error.view is not None:
            app.add_api_route(
                f"/{number}", error.view, methods=list(error.methods), response_model=error.model
            )
    return app
