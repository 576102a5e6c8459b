"""Text to measure the leak rules by: innocent files, and files with made-up personal data.

Everything is made from a seed, or taken from the installed packages. The numbers with check
digits are random: none of them is known to be anybody's.
"""

import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

__all__ = ["INNOCENT", "PERSONAL", "Sample", "innocent", "package_files", "personal"]

_MEDIA: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".rst": "text/plain",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
#: Larger files are left out: they are few, and tables of one kind.
_MAX_FILE: Final = 200_000


class Sample(NamedTuple):
    """A body, and the part of it that has to be found.

    Attributes:
        body: the body.
        media: its media type.
        leak: the made-up personal data in it; empty in an innocent body.
    """

    body: bytes
    media: str
    leak: bytes = b""


def package_files(count: int) -> list[Sample]:
    """Return text files of the installed packages, at most ``count``, from all over them."""
    root = Path(sysconfig.get_path("purelib"))
    files = sorted(
        path
        for path in root.rglob("*")
        if (path.suffix in _MEDIA or path.name == "METADATA")
        and "mantlet" not in str(path.relative_to(root))
        and path.is_file()
        and 0 < path.stat().st_size < _MAX_FILE
    )
    Random(1).shuffle(files)
    return [
        Sample(path.read_bytes(), _MEDIA.get(path.suffix, "text/plain")) for path in files[:count]
    ]


# -- innocent -------------------------------------------------------------------------------------


def _digits(random: Random, count: int, first: str = "123456789") -> str:
    return random.choice(first) + "".join(random.choices("0123456789", k=count - 1))


def _ean13(random: Random) -> str:
    start = _digits(random, 12, "0123456789")
    total = sum(int(digit) * (1 + 2 * (at % 2)) for at, digit in enumerate(start))
    return f"{start}{-total % 10}"


def _snowflake(random: Random) -> str:
    """Return an id as Discord and Twitter make them: milliseconds since their epoch, and a rest."""
    return str(random.randrange(10**9, 4 * 10**11) << 22 | random.randrange(1 << 22))


def _phone(random: Random) -> str:
    area, exchange = random.randrange(201, 990), random.randrange(200, 1000)
    parts = area, exchange, random.randrange(10_000)
    form = random.choice(
        ("%d-%d-%04d", "(%d) %d-%04d", "%d.%d.%04d", "+1 %d %d %04d", "1-%d-%d-%04d")
    )
    return form % parts


def _path(random: Random) -> str:
    steps = (
        f"{random.choice('MLHVCSQTAmlhvcsqta')}"
        + random.choice((" ", ",")).join(
            f"{random.choice(('', '-'))}{random.randrange(1000)}.{random.randrange(10**6)}"
            for _ in range(random.randrange(1, 7))
        )
        for _ in range(30)
    )
    return f'<svg viewBox="0 0 512 512"><path d="{"".join(steps)}z"/></svg>'


def _images(random: Random) -> str:
    name = random.choice(("logo", "icons/user", "hero-image", "bg"))
    ending = random.choice(("png", "jpg", "webp", "avif", "svg"))
    return f'<img src="{name}.{ending}" srcset="{name}@2x.{ending} 2x, {name}@3x.{ending} 3x">'


def _hash(random: Random) -> str:
    digits = random.choice(("0123456789abcdef", "0123456789ABCDEF"))
    return "".join(random.choices(digits, k=random.choice((32, 40, 64))))


def _price(random: Random) -> str:
    amount = random.randrange(10**6, 10**10)
    return f"{amount:,}.{random.randrange(100):02} {random.choice(('EUR', 'USD', 'JPY', '₹'))}"


def _grouped(random: Random) -> str:
    return f"{random.randrange(10**8, 10**10) * 1000:,}".replace(",", " ") + " people"


def _place(random: Random) -> str:
    return f"[{random.uniform(-180, 180):.15f}, {random.uniform(-90, 90):.15f}]"


def _version(random: Random) -> str:
    number = ".".join(str(random.randrange(40)) for _ in range(3))
    name = random.choice(("@types/node", "left-pad", "@babel/core", "lodash"))
    return f"{name}@{number}{random.choice(('', '-beta.2', '-rc.candidate', '-next.canary'))}"


def _time(random: Random) -> str:
    seconds = random.randrange(10**9, 2 * 10**9)
    return str(seconds * random.choice((1, 10**3, 10**6, 10**9)))


def _uuid(random: Random) -> str:
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _part(random: Random) -> str:
    letters = "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=2))
    return (
        f"{letters}{_digits(random, random.choice((8, 10, 12, 18)))}{random.choice(('', 'A', 'X'))}"
    )


def _tracking(random: Random) -> str:
    number = _digits(random, random.choice((12, 15, 20, 22)))
    return number if random.random() < 0.6 else "1Z" + _part(random)


#: Makes one innocent value of each kind.
INNOCENT: Final[Mapping[str, Callable[[Random], str]]] = {
    "EAN-13": _ean13,
    "id of 9 digits": lambda random: _digits(random, 9),
    "id of 10 digits": lambda random: _digits(random, 10),
    "id of 11 digits": lambda random: _digits(random, 11),
    "serial number": lambda random: (
        f"{_digits(random, 8)}{random.choice('ABCDEFGHJKLMNPQRSTVWXYZ')}"
    ),
    "id of 12 digits": lambda random: _digits(random, 12),
    "id of 13 digits": lambda random: _digits(random, 13),
    "id of 14 digits": lambda random: _digits(random, 14),
    "id of 16 digits": lambda random: _digits(random, 16),
    "snowflake id": _snowflake,
    "US phone number": _phone,
    "SVG path": _path,
    "image for dense screens": _images,
    "hash": _hash,
    "price": _price,
    "grouped number": _grouped,
    "coordinates": _place,
    "package version": _version,
    "timestamp": _time,
    "UUID": _uuid,
    "part number": _part,
    "tracking number": _tracking,
}
_FIELDS: Final = ("id", "value", "code", "ref", "item", "number", "data")


def innocent(count: int, *, seed: int = 2) -> Iterator[tuple[str, Sample]]:
    """Yield the kind of each of ``count`` innocent bodies, and the body: ten values in each."""
    random = Random(seed)
    kinds = list(INNOCENT.items())
    for at in range(count):
        kind, make = kinds[at % len(kinds)]
        yield kind, _written(random, [make(random) for _ in range(10)])


def _written(random: Random, values: list[str]) -> Sample:
    """Return a body with some values, in one of the forms that apps send."""
    form = random.randrange(5)
    name = random.choice(_FIELDS)
    if form == 0:
        rows = ", ".join(f'{{"{name}": "{_in_json(value)}"}}' for value in values)
        return Sample(f"[{rows}]".encode(), "application/json")
    if form == 1:
        numbers = (value if value.isdigit() else f'"{_in_json(value)}"' for value in values)
        return Sample(f'{{"{name}s":[{",".join(numbers)}]}}'.encode(), "application/json")
    if form == 2:
        rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for value in values)
        return Sample(f"<table>{rows}</table>".encode(), "text/html")
    if form == 3:
        rows = "\n".join(f"{at};{value};x" for at, value in enumerate(values))
        return Sample(f"row;{name};note\n{rows}\n".encode(), "text/csv")
    rows = "\n".join(f"The {name} is {value}, as was said." for value in values)
    return Sample(rows.encode(), "text/plain")


def _in_json(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


# -- personal data --------------------------------------------------------------------------------


def _luhn(start: str) -> str:
    digits = [int(digit) for digit in reversed(start)]
    total = sum(digits[1::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])
    return f"{start}{-total % 10}"


def _card(random: Random) -> str:
    prefix, size = random.choice(
        (("4", 16), ("51", 16), ("55", 16), ("2223", 16), ("6011", 16), ("3530", 16), ("34", 15),
         ("37", 15))
    )  # fmt: skip
    rest = "".join(random.choices("0123456789", k=size - len(prefix) - 1))
    number = _luhn(prefix + rest)
    sizes = (4, 6, 5) if size == 15 else (4, 4, 4, 4)
    return random.choice(("", " ", "-")).join(_groups(number, sizes))


def _groups(text: str, sizes: tuple[int, ...]) -> Iterator[str]:
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size


def _iban(random: Random) -> str:
    country, size = random.choice((("DE", 18), ("AT", 16), ("ES", 20), ("BE", 12), ("CH", 17)))
    account = "".join(random.choices("0123456789", k=size))
    number = int("".join(str(int(char, 36)) for char in f"{account}{country}00"))
    text = f"{country}{98 - number % 97:02}{account}"
    return text if random.random() < 0.5 else " ".join(_groups(text, (4,) * 9)).rstrip()


def _email(random: Random) -> str:
    first = random.choice(("ada", "grace.hopper", "a.turing", "j_doe", "kim+shop", "o'neil"))
    domain = random.choice(
        ("example.com", "mail.example.co.uk", "uni-bonn.example", "x.example.org")
    )
    return f"{first.replace(chr(39), '')}{random.randrange(1000)}@{domain}"


def _checked(random: Random, size: int, right: Callable[[str], bool], first: str) -> str:
    """Return random digits that have the right check digit."""
    while True:
        number = _digits(random, size, first)
        if right(number):
            return number


def _ssn(random: Random) -> str:
    area = random.choice([*range(1, 666), *range(667, 900)])
    return f"{area:03}-{random.randrange(1, 100):02}-{random.randrange(1, 10_000):04}"


def _nhs(random: Random) -> str:
    def right(number: str) -> bool:
        total = sum(int(digit) * (10 - at) for at, digit in enumerate(number[:9]))
        return 11 - total % 11 == (int(number[9]) or 11)

    return " ".join(_groups(_checked(random, 10, right, "4679"), (3, 3, 4)))


def _nir(random: Random) -> str:
    start = (
        f"{random.choice('12')}{random.randrange(100):02}{random.randrange(1, 13):02}"
        f"{random.randrange(1, 96):02}{random.randrange(1, 990):03}{random.randrange(1, 1000):03}"
    )
    number = f"{start}{97 - int(start) % 97:02}"
    return " ".join(_groups(number, (1, 2, 2, 2, 3, 3, 2)))


def _dni(random: Random) -> str:
    number = random.randrange(10**7, 10**8)
    return f"{number}-{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _cpf(random: Random) -> str:
    digits = [random.randrange(10) for _ in range(9)]
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        digits.append(sum(a * b for a, b in zip(digits, weights, strict=True)) * 10 % 11 % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _sin(random: Random) -> str:
    number = _luhn(_digits(random, 8, "1234567"))
    return random.choice((" ", "-")).join(_groups(number, (3, 3, 3)))


#: Makes one value of each group of the rules for personal data.
PERSONAL: Final[Mapping[str, tuple[Callable[[Random], str], ...]]] = {
    "cards": (_card,),
    "iban": (_iban,),
    "email": (_email,),
    "national": (_ssn, _nhs, _nir, _dni, _cpf, _sin),
}


def personal(group: str, count: int, *, seed: int = 3) -> Iterator[Sample]:
    """Yield ``count`` bodies with one value of a group each, among innocent ones."""
    random = Random(seed)
    for at in range(count):
        value = PERSONAL[group][at % len(PERSONAL[group])](random)
        values = [str(random.randrange(1000)) for _ in range(9)]
        values.insert(random.randrange(10), value)
        yield _written(random, values)._replace(leak=value.encode())
