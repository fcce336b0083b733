"""Shapes of public data: what a JSON value must look like, declared once per field and used to read and to write.

A frozen dataclass names its fields with `Annotated[type, shape]`; `shape_of(cls)` joins them into a shape for the whole object.
Reading refuses unknown, missing and ill-typed fields with the exact place; writing is its inverse. No field has a default:
two spellings of one thing would be two leaf hashes (docs/spec/canonical.md). An `optional` field is there with a value or is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from drawing.canonical import unhex
from drawing.errors import Refused

T = TypeVar("T")

MAX_TIME = 1 << 42  # integer Unix seconds; far beyond any calendar, far below 2**53


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How one JSON value is read (raising Refused with the place) and written."""

    read: Callable[[Any, str], T]
    write: Callable[[T], Any]
    optional: bool = False  # the field may be missing; then its value is None


def _same(value: Any) -> Any:
    return value


def text(most: int, pattern: str = r"[ -~]*") -> Shape[str]:
    """A string of at most `most` printable ASCII characters that matches `pattern` wholly."""
    rule = re.compile(pattern, re.ASCII)

    def read(value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise Refused("not_text", place)
        if len(value) > most or not rule.fullmatch(value):
            raise Refused("bad_text", place, pattern=pattern, most=most)
        return value

    return Shape(read, _same)


def choice(*values: str) -> Shape[str]:
    """One of a closed list of words."""

    def read(value: Any, place: str) -> str:
        if not isinstance(value, str) or value not in values:
            raise Refused("not_a_choice", place, choices=", ".join(values))
        return value

    return Shape(read, _same)


def whole(least: int, most: int) -> Shape[int]:
    """An integer between `least` and `most`, both included; a boolean is not an integer."""

    def read(value: Any, place: str) -> int:
        if type(value) is not int:
            raise Refused("not_an_integer", place)
        if not least <= value <= most:
            raise Refused("out_of_range", place, least=least, most=most)
        return value

    return Shape(read, _same)


def _read_flag(value: Any, place: str) -> bool:
    if type(value) is not bool:
        raise Refused("not_a_boolean", place)
    return value


def unicode_text(most: int) -> Shape[str]:
    """A string of 1 to `most` characters of any script."""

    def read(value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise Refused("not_text", place)
        if not 0 < len(value) <= most:
            raise Refused("bad_text", place, pattern="", most=most)
        return value

    return Shape(read, _same)


def hexes(length: int, *others: int) -> Shape[bytes]:
    """Exactly `length` bytes (or one of the other lengths) as lower-case hex."""

    def read(value: Any, place: str) -> bytes:
        if not isinstance(value, str):
            raise Refused("not_text", place)
        return unhex(value, len(value) // 2 if len(value) // 2 in others else length, place)

    return Shape(read, bytes.hex)


def natural(digits: int) -> Shape[int]:
    """A natural number of any size as a decimal string without leading zeros."""
    rule = re.compile(r"0|[1-9][0-9]*", re.ASCII)

    def read(value: Any, place: str) -> int:
        if not isinstance(value, str):
            raise Refused("not_text", place)
        if len(value) > digits or not rule.fullmatch(value):
            raise Refused("not_a_natural", place, most=digits)
        return int(value)

    return Shape(read, str)


def many(item: Shape[T], least: int, most: int) -> Shape[tuple[T, ...]]:
    """A list of `least` to `most` items of one shape, as a tuple."""

    def read(value: Any, place: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Refused("not_a_list", place)
        if not least <= len(value) <= most:
            raise Refused("wrong_length", place, least=least, most=most)
        return tuple(item.read(each, f"{place}[{n}]") for n, each in enumerate(value))

    return Shape(read, lambda items: [item.write(each) for each in items])


def optional(item: Shape[T]) -> Shape[T | None]:
    """A field that is either there or not; None is never written."""
    return Shape(item.read, lambda value: None if value is None else item.write(value), optional=True)


def tagged(field: str, classes: Mapping[str, type[Any]]) -> Shape[Any]:
    """An object of one of several dataclasses, told apart by the word in `field`."""

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise Refused("not_an_object", place)
        if field not in value:
            raise Refused("missing_field", place, field=field)
        kind = value[field]
        if not isinstance(kind, str) or kind not in classes:
            raise Refused("not_a_choice", f"{place}.{field}", choices=", ".join(classes))
        return shape_of(classes[kind]).read(value, place)

    return Shape(read, lambda obj: shape_of(type(obj)).write(obj))


def read_object(value: Any, place: str, names: frozenset[str] | set[str], optionals: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The value as an object with exactly these names, and perhaps the optional ones."""
    if not isinstance(value, dict):
        raise Refused("not_an_object", place)
    for name in sorted(names - value.keys()):
        raise Refused("missing_field", place, field=name)
    for name in sorted(value.keys() - names - optionals):
        raise Refused("unknown_field", place, field=name)
    return value


_shapes: dict[type[Any], Shape[Any]] = {}


def shape_of(cls: type[T]) -> Shape[T]:
    """The shape of a dataclass whose fields are `Annotated[type, Shape]` or dataclasses of the same kind; made once per class."""
    if cls not in _shapes:
        _shapes[cls] = _make_shape(cls)
    return _shapes[cls]


def _make_shape(cls: type[T]) -> Shape[T]:
    hints = get_type_hints(cls, include_extras=True)
    shapes: dict[str, Shape[Any]] = {}
    for each in fields(cls):  # type: ignore[arg-type]  # every caller passes a dataclass type
        hint = hints[each.name]
        shapes[each.name] = get_args(hint)[1] if get_origin(hint) is Annotated else shape_of(hint)
    optionals = frozenset(name for name, shape in shapes.items() if shape.optional)
    names = frozenset(shapes) - optionals

    def read(value: Any, place: str) -> T:
        got = read_object(value, place, names, optionals)
        return cls(**{name: shape.read(got[name], f"{place}.{name}") if name in got else None for name, shape in shapes.items()})

    def write(obj: T) -> dict[str, Any]:
        values = {name: getattr(obj, name) for name in shapes}
        return {name: shape.write(values[name]) for name, shape in shapes.items() if values[name] is not None}

    return Shape(read, write)


def nested(cls: type[T]) -> Shape[T]:
    """The shape of a dataclass, for use inside `many`."""
    return Shape(lambda value, place: shape_of(cls).read(value, place), lambda obj: shape_of(cls).write(obj))


flag: Shape[bool] = Shape(_read_flag, _same)
time = whole(0, MAX_TIME)
digest = hexes(32)
name = text(128, r"[!-*,-~]+")  # a C2SP key name: printable, no space, no plus
word = text(64, r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
big = natural(4000)
