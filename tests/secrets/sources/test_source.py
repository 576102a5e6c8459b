"""Similar names."""

from difflib import get_close_matches

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.secrets.sources import source
from mantlet.secrets.sources.source import find_similar_names

names = st.lists(st.text("ABC_abcé\U0001f600", max_size=12), max_size=6)


@given(names, names)
def test_names_are_as_alike_as_difflib_says(found: list[str], known: list[str]) -> None:
    """The names that are skipped are not similar."""
    close = {
        name: near[0]
        for name in found
        if name not in known and (near := get_close_matches(name, known, n=1, cutoff=0.85))
    }
    assert dict(find_similar_names(found, known)) == close


def test_thousands_of_names_are_not_compared_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod in a cluster with many services has as many variables."""
    compared: list[str] = []

    def close(name: str, known: list[str], **_how: object) -> list[str]:
        compared.append(name)
        return known[:1]

    monkeypatch.setattr(source, "get_close_matches", close)
    found = [f"SERVICE_{n}_PORT_{port}_TCP_ADDR" for n in range(200) for port in (80, 443)]
    known = ["SHOP_DATABASE_URL", "SHOP_SIGNING_KEY"]
    assert list(find_similar_names([*found, "SHOP_DATABASE_ULR"], known)) == [
        ("SHOP_DATABASE_ULR", "SHOP_DATABASE_URL")
    ]
    assert compared == ["SHOP_DATABASE_ULR"]
