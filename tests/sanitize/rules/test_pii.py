"""Personal data: numbers that their issuers publish as examples, and their neighbours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from tests.sanitize.rules.test_rules import Told, scanned, streamed

#: Numbers that stand as examples with the payment networks, the SWIFT registry, the NHS data
#: dictionary and the like; none of them is anybody's.
SAMPLES: dict[str, dict[str, list[str]]] = {
    "cards": {
        "payment-card": [
            "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444",
            "378282246310005", "3782 822463 10005", "6011111111111117", "3056 930902 5904",
            "3530111333300000", "2223003122003222", "6200000000000005",
        ],
    },
    "iban": {
        "iban": [
            "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819",
            "FR1420041010050500013M02606", "NO9386011117947", "MT84MALT011000012345MTLCAST001S",
        ],
    },
    "email": {
        "email-address": ["a@example.com", "first.last+tag@mail.example.co.uk", "x_y@a-b.example"],
    },
    "national": {
        "us-ssn": ["078-05-1120"],
        "uk-nhs-number": ["943 476 5919"],
        "fr-nir": ["2 55 08 14 168 025 38"],
        "es-dni": ["12345678-Z", "X1234567-L"],
        "it-codice-fiscale": ["RSSMRA85T10A562S"],
        "br-cpf": ["111.444.777-35"],
        "ca-sin": ["130 692 007"],
        "in-aadhaar": ["2341 2341 2346"],
    },
}  # fmt: skip
#: Without separators they could be anything: found behind a label alone.
LABELLED = {
    "payment-card": [("card", "30569309025904"), ("cardNumber", "6304000000000000")],
    "us-ssn": [("ssn", "078051120"), ("Social Security number", "078051120")],
    "uk-nhs-number": [("nhs_number", "943-476-5919"), ("NHS no", "9434765919")],
    "fr-nir": [
        ("nir", "255081416802538"),
        ("num\u00e9ro de s\u00e9curit\u00e9 sociale", "255081416802538"),
    ],
    "es-dni": [("dni", "12345678Z"), ("NIE", "X1234567L")],
    "pl-pesel": [("pesel", "44051401359"), ("PESEL", "44051401359")],
    "br-cpf": [("cpf", "11144477735")],
    "ca-sin": [("sin", "130692007"), ("NAS", "130692007")],
    "in-aadhaar": [("aadhaar_number", "234123412346")],
}  # fmt: skip
LABELS = [(rule, name, text) for rule, pairs in LABELLED.items() for name, text in pairs]
labels = pytest.mark.parametrize(("rule", "name", "text"), LABELS, ids=range(len(LABELS)))
CASES = [
    (group, rule, text)
    for group, rules in SAMPLES.items()
    for rule, texts in rules.items()
    for text in texts
]
cases = pytest.mark.parametrize(("group", "rule", "text"), CASES, ids=range(len(CASES)))


@cases
@pytest.mark.parametrize("frame", ["%s", '{"a": "%s"}', "it is %s, or so", "<b>%s</b>"])
def test_a_number_is_masked_over_any_cut(group: str, rule: str, text: str, frame: str) -> None:
    """And nothing around it."""
    scanner = Leaks(detect=group).scanner(())
    body = (frame % text).encode()
    expected = (frame % ("*" * len(text))).encode()
    assert scanned(body, None, scanner) == (expected, [rule])
    for at in range(len(body)):
        assert streamed([body[:at], body[at:]], None, scanner) == expected
    assert streamed([body[at : at + 1] for at in range(len(body))], None, scanner) == expected


@labels
@pytest.mark.parametrize("frame", ['{"%s": "%s"}', "%s: %s", "<td>%s</td><td>%s</td>", "%s=%s&x=1"])
def test_a_number_without_separators_needs_a_label(
    rule: str, name: str, text: str, frame: str
) -> None:
    """A name as it is written in JSON, forms and tables; over any cut."""
    scanner = Leaks(detect=list(SAMPLES)).scanner(())
    body, expected = (frame % (name, one) for one in (text, "*" * len(text)))
    assert scanned(body.encode(), None, scanner) == (expected.encode(), [rule])
    data = body.encode()
    assert streamed([data[at : at + 1] for at in range(len(data))], None, scanner) == (
        expected.encode()
    )
    other = (frame % ("value", text)).encode()
    assert scanned(other, None, scanner) == (other, [])


@pytest.mark.parametrize("name", ["id", "order_id", "orderId", "ID"])
def test_the_number_of_an_id_is_no_card(name: str) -> None:
    """Unless its name says that it is one."""
    scanner = Leaks(detect="cards").scanner(())
    body = f'{{"{name}": 4111111111111111}}'.encode()
    assert scanned(body, "application/json", scanner) == (body, [])
    assert scanned(b'{"card_id": 4111111111111111}', None, scanner)[1] == ["payment-card"]


@cases
def test_a_wrong_digit_makes_it_another_number(group: str, rule: str, text: str) -> None:
    """Of those that have check digits."""
    if rule in ("email-address", "us-ssn"):
        return
    at = max(place for place, char in enumerate(text) if char.isdigit())
    for step in range(1, 10):
        digit = (int(text[at]) + step) % 10
        wrong = f"{text[:at]}{digit}{text[at + 1 :]}"
        assert scanned(wrong.encode(), None, Leaks(detect=group).scanner(()))[1] in ([], [rule])
    found = [
        scanned(
            f"{text[:at]}{digit}{text[at + 1 :]}".encode(), None, Leaks(detect=group).scanner(())
        )[1]
        for digit in range(10)
    ]
    assert sum(told == [rule] for told in found) == 1


@pytest.mark.parametrize(
    "text",
    [
        "41111111111111110", "04111111111111111", "x4111111111111111", "4111111111111111.5",
        "0.4111111111111111", "4111 1111-1111 1111", "0000000000000000", "1699999999999",
        "c0ffee41-1111-1111-1111-111111111111", "000-12-3456", "666-12-3456", "900-12-3456",
        "DE8937040044053201300", "XX89370400440532013000", "a@b", "@example.com", "a@-.",
        "943-476 5919", "943-476-5919", "call 943 476 5919", "+1 943 476 5919", "99999999999",
        "4222222222222", "501234567896", "30569309025904", "6304000000000000", "255081416802538",
        "12345678Z", "44051401359", "11144477735", "250 000 000", "2341 2341 2346 1111",
        "logo@2x.png", "img/icon@3x.webp", "left-pad@1.3.0-beta.rc", "git@github.com:a/b.git",
        "111.111.111-11", "20231315123", "2024-11-23",
    ],
)  # fmt: skip
def test_what_is_no_such_number_is_left_alone(text: str) -> None:
    """Longer ones, parts of others, and those that are never given out."""
    scanner = Leaks(detect=list(SAMPLES)).scanner(())
    assert scanned(text.encode(), None, scanner) == (text.encode(), [])
    assert streamed([text[at : at + 1].encode() for at in range(len(text))], None, scanner) == (
        text.encode()
    )


def test_a_number_in_json_becomes_a_number() -> None:
    """Where no asterisk may stand."""
    scanner = Leaks(detect="cards").scanner(())
    body = b'{"card": 4111111111111111}'
    assert scanned(body, "application/json", scanner)[0] == b'{"card": 9999999999999999}'


@given(
    st.lists(st.sampled_from([b"4111", b" ", b"1111", b"11", b"-", b"x", b"@", b"a.de", b"DE89"]))
)
def test_any_text_is_masked_alike_over_any_cut(parts: list[bytes]) -> None:
    """What is found depends on the text alone."""
    scanner = Leaks(detect=list(SAMPLES)).scanner(())
    whole = StreamScan(scanner, Told())(b"".join(parts), False)
    assert streamed(parts, None, scanner) == whole


def test_a_number_of_one_country_can_be_ignored() -> None:
    """By its id, and a group whose ids are all ignored is not looked for."""
    text = b"078-05-1120, 111.444.777-35"
    scanner = Leaks(detect="national", ignore=["us-ssn"]).scanner(())
    assert scanned(text, None, scanner) == (b"078-05-1120, **************", ["br-cpf"])
    assert Leaks(detect="cards", ignore=["payment-card"]).detectors == ()
