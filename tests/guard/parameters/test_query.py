"""Queries: what is read, what is refused, and what attackers send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mantlet.guard import BodyLimits
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import TEXT, Coercer, Parameter
from tests.guard.parameters.support import array, members, of, one, query, refused

INTEGER, BOOLEAN = of("integer"), of("boolean")
SHOP = [one("q"), one("limit", INTEGER), one("in_stock", BOOLEAN)]


def read_json(text: str) -> Any:
    """Read JSON as a parameter with content does."""
    try:
        return json.loads(text)
    except ValueError:
        raise ValidationFailed(400, [ErrorItem("query", "/x", "json", "It is no JSON.")]) from None


def check_json(text: str) -> Any:
    """Refuse what is readable."""
    raise ValidationFailed(422, [ErrorItem("body", "/x", "type", "It is wrong.")])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"", {}),
        (b"q=shoes&limit=20&in_stock=true", {"q": "shoes", "limit": 20, "in_stock": True}),
        (b"limit=20", {"limit": 20}),
        (b"limit=x", {"limit": "x"}),
        (b"q", {"q": ""}),
        (b"q=", {"q": ""}),
        (b"&&q=1&", {"q": "1"}),
        (b"q=a=b=c", {"q": "a=b=c"}),
        (b"q=a+b%20c", {"q": "a b c"}),
        (b"q=a%2Bb%26c%3Dd%3Be%25", {"q": "a+b&c=d;e%"}),
        (b"%71=%73", {"q": "s"}),
        (b"q=%C3%BC%f0%9f%98%80", {"q": "\u00fc\U0001f600"}),
        (b"q=:/?@!$'()*,[]{}|^`~\\\"<>-._", {"q": ":/?@!$'()*,[]{}|^`~\\\"<>-._"}),
        (b"limit=%31%30&q=%2531", {"limit": 10, "q": "%31"}),
        (b"q=%EF%BF%BD", {"q": "\ufffd"}),
    ],
)
def test_scalars(text: bytes, values: dict[str, Any]) -> None:
    """Scalars are decoded once and become what their schemas say."""
    assert query(*SHOP)(text) == values


@pytest.mark.parametrize(
    ("text", "status", "faults"),
    [
        # the same name twice, in whatever spelling
        (b"q=1&q=2", 400, [("/q", "duplicate_parameter")]),
        (b"q=1&q=1", 400, [("/q", "duplicate_parameter")]),
        (b"q&q", 400, [("/q", "duplicate_parameter")]),
        (b"%71=1&q=2", 400, [("/q", "duplicate_parameter")]),
        (b"q=1&%71=2&q=3", 400, [("/q", "duplicate_parameter")]),
        # names that are not declared
        (b"Q=1", 422, [("/Q", "undeclared_parameter")]),
        (b"q[]=1", 422, [("/q[]", "undeclared_parameter")]),
        (b"q%00=1", 400, [("", "control_character")]),
        (b"q%20=1", 422, [("/q ", "undeclared_parameter")]),
        (b"+q=1", 422, [("/ q", "undeclared_parameter")]),
        (b"=1", 422, [("/", "undeclared_parameter")]),
        (b"a%2Fb~c=1", 422, [("/a~1b~0c", "undeclared_parameter")]),
        (b"__proto__=1", 422, [("/__proto__", "undeclared_parameter")]),
        (b"constructor[prototype]=1", 422, [("/constructor[prototype]", "undeclared_parameter")]),
        (b"__class__.__init__=1", 422, [("/__class__.__init__", "undeclared_parameter")]),
        (b"x" * 500 + b"=1", 422, [("/" + "x" * 64, "undeclared_parameter")]),
        (b"x=1&x=2", 422, [("/x", "undeclared_parameter")]),
        # what can't be read, or in two ways
        (b"q=%zz", 400, [("/q", "invalid_percent_escape")]),
        (b"q=%", 400, [("/q", "invalid_percent_escape")]),
        (b"q=%4", 400, [("/q", "invalid_percent_escape")]),
        (b"q=%u0041", 400, [("/q", "invalid_percent_escape")]),
        (b"%zz=1", 400, [("", "invalid_percent_escape")]),
        (b"q=%c0%af", 400, [("/q", "invalid_utf8")]),
        (b"q=%ff", 400, [("/q", "invalid_utf8")]),
        (b"q=%ed%a0%80", 400, [("/q", "invalid_utf8")]),
        (b"%c0%af=1", 400, [("", "invalid_utf8")]),
        (b"q=%00", 400, [("/q", "control_character")]),
        (b"q=%0b", 400, [("/q", "control_character")]),
        (b"q=%1b[2J", 400, [("/q", "control_character")]),
        (b"q%0a=1", 400, [("", "control_character")]),
        (b"%0d%0aq=1", 400, [("", "control_character")]),
        (b"q=%7f", 400, [("/q", "control_character")]),
        (b"q=%c2%85", 400, [("/q", "control_character")]),
        (b"limit=%31%00", 400, [("/limit", "control_character")]),
        (b"q=1;limit=2", 400, [("/q", "reserved_character")]),
        (b"q;limit=2", 400, [("", "reserved_character")]),
        (b"q=\xc3\xbc", 400, [("", "invalid_character")]),
        (b"q=\xff", 400, [("", "invalid_character")]),
        (b"q=\x00", 400, [("", "invalid_character")]),
        (b"q=a b", 400, [("", "invalid_character")]),
        (b"q=a\tb", 400, [("", "invalid_character")]),
        (b"q=1#x", 400, [("", "invalid_character")]),
        # what is not declared is read as strictly
        (b"x=%zz", 400, [("", "invalid_percent_escape")]),
        (b"x=1;q=2", 400, [("", "reserved_character")]),
        # all at once
        (b"q=1&q=2&x=1&limit=%zz", 400,
         [("/x", "undeclared_parameter"), ("/q", "duplicate_parameter"),
          ("/limit", "invalid_percent_escape")]),
    ],
)  # fmt: skip
def test_refused(text: bytes, status: int, faults: list[tuple[str, str]]) -> None:
    """What is not declared is a 422; what can't be read in one way only is a 400."""
    read_status, read_faults = refused(query(*SHOP), text)
    assert read_status == status
    assert sorted(read_faults) == sorted(faults)


def test_values_may_have_several_lines() -> None:
    """Tabs and line ends, as in the text of a search box that is a textarea."""
    read = query(*SHOP)
    assert read(b"q=a%0D%0Ab%09c%0A") == {"q": "a\r\nb\tc\n"}
    assert read(b"q=a%0Ab&limit=2") == {"q": "a\nb", "limit": 2}
    assert query(one("a", array()))(b"a=1%0A&a=%092") == {"a": ["1\n", "\t2"]}
    deep = one("a", members(x=TEXT), style="deepObject")
    assert query(deep)(b"a[x]=1%0D%0A2") == {"a": {"x": "1\r\n2"}}
    assert read(b"limit=1%0A") == {"limit": "1\n"}  # which no schema of an integer allows


def test_text_of_a_body_may_have_all_characters_but_nul() -> None:
    """Pasted text has form feeds, vertical tabs and C1 characters; names have none."""
    read = query(*SHOP, body=True)
    assert read(b"q=%01%0B%0C%1B%7F%C2%85%0D%0A") == {"q": "\x01\x0b\x0c\x1b\x7f\x85\r\n"}
    assert refused(read, b"q=%00") == (400, [("/q", "control_character")])
    assert refused(read, b"q%0a=1") == (400, [("", "control_character")])


@pytest.mark.parametrize("text", [b"+1", b"01", b"1e3", b"%EF%BC%91", b"1_000", b"+", b"1.0", b""])
def test_integers_of_other_readers(text: bytes) -> None:
    """What some language takes for an integer is handed to the schema as text."""
    value = query(*SHOP)(b"limit=" + text)["limit"]
    assert isinstance(value, str)


def test_limits() -> None:
    """A long query is a 414, one of many fields a 400, before anything is read of it."""
    small = query(one("q"), limits=BodyLimits(query=10, parameters=2))
    assert small(b"q=12345678") == {"q": "12345678"}
    assert refused(small, b"q=123456789") == (414, [("", "query_too_long")])
    assert refused(small, b"q=\xff" + b"%" * 10) == (414, [("", "query_too_long")])
    assert small(b"&q=1") == {"q": "1"}
    assert refused(small, b"&&q=1") == (400, [("", "too_many_parameters")])
    three = query(one("p"), one("q"), one("r"), limits=BodyLimits(parameters=2))
    assert three(b"p=1&q=2&r=3") == {"p": "1", "q": "2", "r": "3"}
    assert refused(three, b"p=1&q=2&r=3&s=4") == (400, [("", "too_many_parameters")])
    large = query(one("q"), limits=BodyLimits(query=1_000_000))
    many = b"&".join(b"p%d=1" % number for number in range(10_000))
    assert refused(large, many) == (400, [("", "too_many_parameters")])


def test_faults_are_bounded() -> None:
    """No more faults are told than the limits say."""
    read = query(limits=BodyLimits(errors=3))
    status, faults = refused(read, b"&".join(b"p%d" % number for number in range(90)))
    assert (status, len(faults)) == (422, 3)
    # a 400 stays one where the fault that makes it so has no place left
    assert refused(read, b"a&b&c&%zz") == (
        400,
        [(f"/{name}", "undeclared_parameter") for name in "abc"],
    )


def test_opened() -> None:
    """Names that are not declared may be let through, and are left out, but must be readable."""
    read = query(*SHOP, closed=False)
    assert read(b"x=1&q=2&y[]=3") == {"q": "2"}
    assert refused(read, b"x=%zz") == (400, [("", "invalid_percent_escape")])
    assert refused(read, b"x=1;q=2") == (400, [("", "reserved_character")])


def test_duplicates_may_be_let_through() -> None:
    """Where duplicates are let through the last one counts."""
    read = query(one("q"), one("o", members(a=INTEGER)), unique=False)
    assert read(b"q=1&q=2&a=3&a=4") == {"q": "2", "o": {"a": 4}}


def test_required() -> None:
    """A parameter that is required and not there is a 422; one without value is there."""
    read = query(one("a", required=True), one("b", required=True), one("c"))
    assert refused(read, b"c=1") == (
        422, [("/a", "missing_parameter"), ("/b", "missing_parameter")]
    )  # fmt: skip
    assert refused(read, b"") == (422, [("/a", "missing_parameter"), ("/b", "missing_parameter")])
    assert refused(read, b"a=%zz") == (
        400, [("/a", "invalid_percent_escape"), ("/b", "missing_parameter")]
    )  # fmt: skip
    assert read(b"a&b=") == {"a": "", "b": ""}


def test_allow_empty() -> None:
    """A parameter that may be empty counts as not there when it is, though it is required."""
    read = query(one("a", INTEGER, required=True, allow_empty=True), one("b"))
    assert read(b"a=&b=1") == {"b": "1"}
    assert read(b"a") == {}
    assert read(b"a=5") == {"a": 5}
    assert refused(read, b"b=1") == (422, [("/a", "missing_parameter")])
    assert refused(read, b"a=&a=") == (400, [("/a", "duplicate_parameter")])


def test_allow_reserved() -> None:
    """A semicolon may be raw in a value where reserved characters may; a plus is a space still."""
    read = query(one("a", allow_reserved=True), one("b"))
    assert read(b"a=:/?[]@!$'()*,;=%3B+&b=1") == {"a": ":/?[]@!$'()*,;=; ", "b": "1"}
    assert refused(read, b"a=1&b=1;2") == (400, [("/b", "reserved_character")])
    assert refused(read, b"a;b=1") == (400, [("", "reserved_character")])
    assert refused(read, b"a=%;") == (400, [("/a", "invalid_percent_escape")])


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        # a delimiter is one whether it is encoded or not, as to an app that splits the decoded text
        (one(shape=array(), explode=False), b"a=b%2Cc%2cd", ["b", "c", "d"]),
        (one(shape=array(), explode=False), b"a=", [""]),
        (one(shape=array(), explode=False), b"a=,", ["", ""]),
        (one(shape=array(INTEGER), explode=False), b"a=1,02,%33", [1, "02", 3]),
        (one(shape=array()), b"a=b,c", ["b,c"]),
        (one(shape=array(INTEGER)), b"a=1&b=&a=2", [1, 2]),
        (one(shape=array(INTEGER, "null")), b"a=5", [5]),
        (one(shape=array(INTEGER, "null")), b"a=", None),
        (one(shape=array(TEXT, "integer")), b"a=5", 5),
        (one(shape=array(TEXT, "integer")), b"a=x", ["x"]),
        (one(shape=array(TEXT, "string")), b"a=x", "x"),
        (one(shape=array(TEXT, "string")), b"a=x&a=y", ["x", "y"]),
        (one(shape=array(TEXT, "string"), explode=False), b"a=x%2Cy", ["x", "y"]),
        (one(shape=Coercer(types=frozenset({"array"}), prefix=(INTEGER, BOOLEAN))),
         b"a=1&a=true&a=3", [1, True, "3"]),
        (one(shape=array(), style="spaceDelimited"), b"a=b+c%20d%2Be", ["b", "c", "d+e"]),
        (one(shape=array(), style="pipeDelimited"), b"a=b|c%7cd%7Ce,f", ["b", "c", "d", "e,f"]),
        (one(shape=members(x=INTEGER), explode=False), b"a=x%2C1%2Cy%2C2", {"x": 1, "y": "2"}),
        (one(shape=members(x=INTEGER), explode=False), b"a=", {}),
        (one(shape=members("null", x=INTEGER), explode=False), b"a=", None),
        (one(shape=members("integer", x=INTEGER), explode=False), b"a=5", 5),
        (one(shape=members(x=INTEGER, y=TEXT)), b"y=a%26b&x=1", {"y": "a&b", "x": 1}),
        (one(shape=members(x=INTEGER, additional=BOOLEAN)), b"x=1&z=true&__proto__=false",
         {"x": 1, "z": True, "__proto__": False}),
        (one(shape=members(x=INTEGER), style="deepObject"), b"a[x]=1&a%5By%5d=2",
         {"x": 1, "y": "2"}),
        (one(shape=members(x=INTEGER), style="deepObject"), b"a[__proto__]=1", {"__proto__": "1"}),
        (one(decode=read_json), b'a={"b":[1,%22+%22]}', {"b": [1, " "]}),
        (one(decode=read_json, style="deepObject"), b"a=1", 1),
    ],
)  # fmt: skip
def test_structures(declared: Parameter, text: bytes, value: Any) -> None:
    """Arrays, objects and content are read in their style."""
    assert query(declared, one("b"))(text)["a"] == value


@pytest.mark.parametrize(
    ("declared", "text", "status", "faults"),
    [
        (one(shape=array(), explode=False), b"a=1&a=2", 400, [("/a", "duplicate_parameter")]),
        (one(shape=array(), explode=False), b"a=1,%zz", 400, [("/a", "invalid_percent_escape")]),
        (one(shape=array()), b"a[]=1", 422, [("/a[]", "undeclared_parameter")]),
        (one(shape=array()), b"a=1&a=%00", 400, [("/a", "control_character")]),
        (one(shape=members(), explode=False), b"a=x", 400, [("/a", "malformed_parameter")]),
        (one(shape=members(), explode=False), b"a=x,1,y", 400, [("/a", "malformed_parameter")]),
        (one(shape=members(), explode=False), b"a=x,1,%78,2", 400,
         [("/a/x", "duplicate_parameter")]),
        (one(shape=members(), explode=False), b"a=" + b"x" * 99 + b",1," + b"x" * 99 + b",1", 400,
         [("/a/" + "x" * 64, "duplicate_parameter")]),
        (one(shape=members(x=TEXT)), b"x=1&x=2", 400, [("/a/x", "duplicate_parameter")]),
        (one(shape=members(x=TEXT)), b"x=1&y=2", 422, [("/y", "undeclared_parameter")]),
        (one(shape=members(x=TEXT)), b"a=1", 422, [("/a", "undeclared_parameter")]),
        (one(shape=members(x=TEXT), style="deepObject"), b"a[x]=1&a[x]=2", 400,
         [("/a/x", "duplicate_parameter")]),
        *[
            (one(shape=members(x=TEXT), style="deepObject"), text, 400,
             [("/a", "malformed_parameter")])
            for text in (b"a[]=1", b"a[x=1", b"a=1", b"a[[x]]=1", b"a[x]]=1",
                         b"a[x]y=1", b"a[=1", b"a%5Bx=1")
        ],
        *[
            (one(shape=members(x=TEXT), style="deepObject"), text, 400,
             [("/a/x", "malformed_parameter")])
            for text in (b"a[x][y]=1", b"a[x]%5B%5D=1")
        ],
        (one(shape=members(x=TEXT), style="deepObject"), b"ax]=1", 422,
         [("/ax]", "undeclared_parameter")]),
        (one(decode=read_json), b"a=%7B", 400, [("/a/x", "json")]),
        (one(decode=check_json), b"a=1", 422, [("/a/x", "type")]),
        (one(decode=read_json), b"a=1&a=2", 400, [("/a", "duplicate_parameter")]),
        (one(decode=read_json), b'a="%00"', 400, [("/a", "control_character")]),
        (one(shape=array(), explode=False), b"a=b%2Cc,d", 400, [("/a", "malformed_parameter")]),
        (one(shape=members(x=TEXT), explode=False), b"a=x,1%2Cy,2", 400,
         [("/a", "malformed_parameter")]),
        (one(shape=members(x=TEXT), explode=False), b"a=x%0a,1", 400,
         [("/a", "control_character")]),
    ],
)  # fmt: skip
def test_malformed_structures(
    declared: Parameter, text: bytes, status: int, faults: list[tuple[str, str]]
) -> None:
    """What is not in a parameter's style, or twice in it, is refused."""
    assert refused(query(declared, one("b")), text) == (status, faults)


def whole(**options: Any) -> Any:
    """Return what reads a query that is one value."""
    return query(
        Parameter(**{"name": "all", "place": "querystring", "decode": read_json, **options})
    )


def test_whole_query() -> None:
    """A query may be one value, whose plus is no space (3.2.0, "Parameter Object Examples")."""
    read = whole()
    text = b"%7B%22numbers%22%3A%5B1%2C2%5D%2C%22flag%22%3Anull%7D"
    assert read(text) == {"all": {"numbers": [1, 2], "flag": None}}
    assert read(b'"a+b;c&d"') == {"all": "a+b;c&d"}
    assert read(b"") == {}
    assert whole(decode=str)(b"%24.a.b%5B1%3A1%5D") == {"all": "$.a.b[1:1]"}
    assert whole(decode=str, raw=True)(b"foo=a+%2B+b&bar=true") == {"all": "foo=a+%2B+b&bar=true"}


def test_whole_query_refused() -> None:
    """A query that is one value is read as strictly as any."""
    assert refused(whole(), b"%zz") == (400, [("/all", "invalid_percent_escape")])
    assert refused(whole(), b"%7B") == (400, [("/all/x", "json")])
    assert refused(whole(decode=check_json), b"1") == (422, [("/all/x", "type")])
    assert refused(whole(), b"1#2") == (400, [("", "invalid_character")])
    assert refused(whole(raw=True), b"\xff") == (400, [("", "invalid_character")])
    assert refused(whole(), b"1" * 8193) == (414, [("", "query_too_long")])
    assert refused(whole(required=True), b"") == (422, [("/all", "missing_parameter")])


SECRET = "hunter2-9bf3"


@pytest.mark.parametrize(
    "text", ["q=%FF{}", "q={}%zz", "q={}&q={}", "q={}%00", "x={}", "q={};", "q={}#", "o=a,{},b"]
)
def test_values_are_never_told(text: str) -> None:
    """No fault, and no exception beneath it, has a client's value."""
    read = query(one("q"), one("o", members(), explode=False))
    with pytest.raises(ValidationFailed) as caught:
        read(text.format(SECRET, SECRET).encode())
    error: BaseException | None = caught.value
    while error is not None:
        told = f"{error!r} {error.args} {vars(error)}"
        assert SECRET not in told
        assert SECRET.encode().hex() not in told
        error = error.__cause__ or error.__context__
