"""`Outbox`: events are stored in the transaction of what they tell of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select
from sqlalchemy.orm import sessionmaker

from mantlet.database import Outbox, relay_outbox
from mantlet.events.event import Event
from tests.database.outbox.tables import Published, Sessions, on_two_databases, store, stored


@on_two_databases
def test_events_are_stored_with_their_transaction(sessions: Sessions, outbox: Outbox) -> None:
    """And with nothing if that rolls back."""
    store(sessions, outbox, 1, 2)
    with sessions() as session:
        outbox.add(session, Event("order.placed", 3))
        session.flush()
        session.rollback()
    assert stored(sessions, outbox) == [1, 2]


@on_two_databases
def test_an_event_is_published_as_it_was_stored(sessions: Sessions, outbox: Outbox) -> None:
    """With its id, by which a subscriber can tell a repetition."""
    event = Event("order.placed", {"id": 5, "note": "é\0\ud800", "big": 2**70, "none": None})
    with sessions.begin() as session:
        outbox.add(session, event)
    published: list[Event] = []
    assert relay_outbox(sessions, published.append, outbox=outbox) == 1
    assert published == [event]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).filter(lambda value: "inf" not in repr(value))


@given(json_values)
def test_any_json_value_is_data(value: Any) -> None:
    """It is read as it was written, also surrogates and large numbers."""
    engine = create_engine("sqlite://")
    outbox = Outbox()
    outbox.table.create(engine)
    published = Published()
    store(sessionmaker(engine), outbox, value)
    relay_outbox(sessionmaker(engine), published, outbox=outbox)
    assert published == [value]
    engine.dispose()


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        ("order.placed", TypeError, "stores events such as"),
        (Event("a", object()), TypeError, "not JSON serializable"),
        (Event("a", {1, 2}), TypeError, "not JSON serializable"),
        (Event("a", float("nan")), ValueError, "not JSON compliant"),
        (Event("a", "x" * 99), ValueError, "take 101 bytes of JSON; max_size is 100"),
    ],
    ids=["text", "object", "set", "nan", "large"],
)
def test_an_unusable_event_is_refused_where_it_is_published(
    event: Any, error: type[Exception], message: str
) -> None:
    """Not at the commit, and not by the relay."""
    with (
        create_engine("sqlite://").connect() as connection,
        sessionmaker(connection)() as session,
        pytest.raises(error, match=message),
    ):
        Outbox(max_size=100).add(session, event)


def test_the_table_belongs_to_the_metadata_of_the_team() -> None:
    """So that migrations find it."""
    metadata = MetaData()
    outbox = Outbox(metadata=metadata, name="events_to_publish")
    assert metadata.tables["events_to_publish"] is outbox.table
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    assert inspect(engine).get_table_names() == ["events_to_publish"]
    engine.dispose()


def test_an_app_that_is_made_twice() -> None:
    """Its outboxes share the table; another table of that name is told from it."""
    metadata = MetaData()
    outboxes = [Outbox(metadata=metadata) for _ in range(2)]
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    sessions = sessionmaker(engine)
    for number, outbox in enumerate(outboxes):
        store(sessions, outbox, number)
    assert stored(sessions, outboxes[0]) == [0, 1]
    engine.dispose()
    Table("events", metadata)
    with pytest.raises(ValueError, match="another table named 'events' already: give this one"):
        Outbox(metadata=metadata, name="events")


@on_two_databases
def test_counting_by_the_database(sessions: Sessions, outbox: Outbox) -> None:
    """An operator sees how many events wait, and since when."""
    store(sessions, outbox, 1, 2)
    with sessions() as session:
        count, oldest = session.execute(
            select(func.count(), func.min(outbox.table.c.created_at))
        ).one()
    assert count == 2
    assert oldest is not None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metadata": "outbox"}, TypeError, "metadata must be a MetaData"),
        ({"name": ""}, ValueError, "name must be a table's name"),
        ({"name": 5}, TypeError, "name must be a table's name"),
        ({"max_size": 0}, ValueError, "max_size must be from 1 to 16777215"),
        ({"nam": "outbox"}, TypeError, "did you mean 'name'"),
    ],
)
def test_an_option_of_the_outbox_that_is_wrong(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """It is said what would be right."""
    with pytest.raises(error, match=message):
        Outbox(**options)
