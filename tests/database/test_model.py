"""Random requests against a model: the database has what the model says, and so had the client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.exc import OperationalError

from mantlet import ErrorEnvelope, Policy, UnitOfWork, uow
from tests.database.ways import WAYS, Item, Way, block, done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mantlet import Request, Response
    from tests.database.ways import Raw

#: A step of a view: its kind, and the steps within, how they end and whether that is caught.
Step = tuple[Any, ...]


class AppError(Exception):
    """An exception of the app."""


class FlushError(Exception):
    """In the model, an item whose name is taken has been flushed."""


steps = st.recursive(
    st.sampled_from([("add",), ("add",), ("clash",), ("undo",), ("after", False), ("after", True)])
    | st.just(("raise",)),
    lambda inner: st.tuples(
        st.just("block"), st.lists(inner, max_size=4), st.booleans(), st.booleans()
    ),
    max_leaves=8,
)


@dataclass(frozen=True)
class Plan:
    """A request.

    Attributes:
        steps: the view's.
        status: of its response.
        hook: whether another policy writes before the commit, and whether it fails.
        fails: whether the commit fails.
    """

    steps: list[Step]
    status: int
    hook: str | None
    fails: bool


plans = st.builds(
    Plan,
    st.lists(steps, max_size=5),
    st.sampled_from([200, 200, 201, 303, 404, 500]),
    st.sampled_from([None, None, "writes", "fails"]),
    st.sampled_from([False, False, True]),
)


@dataclass
class Model:
    """What should become of a request."""

    pending: list[str] = field(default_factory=list)
    callbacks: int = 0
    used: bool = False
    failed: bool = False
    count: int = 0

    def run(self, steps: list[Step]) -> None:
        """Do what a view does."""
        for step in steps:
            match step:
                case ("add",):
                    self.used = True
                    self.pending.append(f"item {self.count}")
                    self.count += 1
                case ("clash",):
                    self.used = True
                    self.pending.append("taken")
                case ("undo",):
                    self.used = True
                    self.roll_back()
                    self.failed = False
                case ("after", _):
                    self.callbacks += 1
                case ("raise",):
                    raise AppError
                case ("block", inner, raises, catches):
                    self.used = True
                    try:
                        self.run(inner)
                        if raises:
                            raise AppError
                        if "taken" in self.pending:
                            raise FlushError
                    except (AppError, FlushError):
                        self.roll_back()
                        self.failed = True
                        if not catches:
                            raise

    def roll_back(self) -> None:
        """Forget everything."""
        self.pending, self.callbacks = [], 0

    def outcome(self, plan: Plan) -> tuple[int, list[str], int]:
        """Return the status that the client gets, what is stored, and how many calls follow."""
        try:
            self.run(plan.steps)
        except (AppError, FlushError) as error:
            return 500 if isinstance(error, AppError) else 409, [], 0
        if not self.used or plan.status >= 400:
            return plan.status, [], 0
        for fails, status in (
            (self.failed, 500),
            ("taken" in self.pending, 409),
            (plan.hook == "fails", 500),
            (plan.fails, 503),
        ):
            if fails:
                return status, [], 0
        noted = ["noted"] if plan.hook else []
        return plan.status, self.pending + noted, self.callbacks


class Hook(Policy):
    """Writes before the commit."""

    position = 110

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def on_request(self, request: Request) -> None:
        if self.plan.hook is not None:
            request.state._before_commit += (self.write,)

    def write(self, session: Any, response: Response) -> Any:
        if self.plan.hook == "fails":
            raise AppError
        return session.execute(insert(Item).values(name="noted"))


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Each way, with a database that all examples share."""
    directory = tmp_path_factory.mktemp("model")
    made = Way(request.param, f"/{directory}/database", ("sqlite", "sqlite+aiosqlite"))
    yield made
    made.dispose()


@given(plan=plans)
def test_random_requests(way: Way, plan: Plan) -> None:
    """No client hears of a success without a commit, nor of a failure after one."""
    called: list[bool] = []
    count = 0

    def call(fails: bool) -> None:
        called.append(fails)
        if fails:
            raise AppError

    async def run(work: Any, steps: list[Step]) -> None:
        nonlocal count
        for step in steps:
            match step:
                case ("add",):
                    work.session.add(Item(name=f"item {count}"))
                    count += 1
                case ("clash",):
                    work.session.add(Item(name="taken"))
                case ("undo",):
                    await done(work.rollback())
                case ("after", fails):
                    work.after_commit(call, fails)
                case ("raise",):
                    raise AppError
                case ("block", inner, raises, catches):
                    try:
                        async with block(work):
                            await run(work, inner)
                            if raises:
                                raise AppError
                    except Exception:
                        if not catches:
                            raise

    async def view(raw: Raw) -> int:
        await run(uow(raw), plan.steps)
        return plan.status

    class Failing(way.factory.class_):  # type: ignore[misc,name-defined]
        def commit(self) -> Any:
            return self._fail(self.flush()) if plan.fails else super().commit()

        def _fail(self, flushing: Any) -> Any:
            if flushing is not None:
                return self._fail_later(flushing)
            raise OperationalError("COMMIT", {}, Exception())

        async def _fail_later(self, flushing: Any) -> None:
            await flushing
            self._fail(None)

    with way.plain.begin() as connection:
        connection.execute(delete(Item))
        connection.execute(insert(Item).values(name="taken"))
    policy = UnitOfWork(type(way.factory)(way.engine, class_=Failing))
    answer = way.ask(view, policy, ErrorEnvelope(), Hook(plan))
    status, stored, calls = Model().outcome(plan)
    assert (answer.status, way.names()[1:], len(called)) == (status, stored, calls)
