"""Strict readers of what people and programs send: forms, query strings, JSON. One spelling per value; what is unclear is refused, never guessed.

A form that cannot be read at all ends the request (`Stop`); one with wrong values comes back as a `Form` with faults per field, so that the
handler shows the page again with everything that was typed, the faults listed above it and linked to their fields.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from drawing.errors import Refused
from server.handlers.ask import Ask
from server.handlers.i18n import N_, Language
from server.handlers.problems import OF_REFUSALS, FieldFault, Stop
from server.refusals import text_of

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MOST_FIELDS = 300
MOST_DEPTH = 16
TOKEN_FIELD = "csrf"  # noqa: S105  the name of a field
HEX_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Control, direction, invisible, private-use and never-assigned code points. Unassigned ones are let through: names are written with
# characters that are newer than the tables of this Python.
UNWANTED = (
    *((0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F)),
    *((0xE000, 0xF8FF), (0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xFFFE, 0xFFFF)),
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0x10000, 0xF0000, 0x10000)),
    *((0xE0000, 0xE0FFF), (0xF0000, 0x10FFFF)),
)


def _escaped(point: int) -> str:
    return f"\\u{point:04x}" if point < 0x10000 else chr(point)


UNWANTED_CLASS = "".join(_escaped(first) + ("-" + _escaped(last) if last > first else "") for first, last in UNWANTED)
UNWANTED_OR_SURROGATE = re.compile(f"[{UNWANTED_CLASS}\ud800-\udfff]")
CLEAN_PATTERN = f"^[^{UNWANTED_CLASS}]*$"  # the same for the API's description; JSON has no surrogates
BACK = re.compile(r"/(?!/)[A-Za-z0-9/_.~?=&%-]{0,1000}", re.ASCII)  # a page of ours to go back to
T = TypeVar("T", bound=BaseModel)

FAULTS: Mapping[str, str] = {
    "missing": N_("Please fill this in."),
    "characters": N_("Remove control and invisible characters."),
    "too_short": N_("At least %(min_length)s characters are needed."),
    "too_long": N_("At most %(max_length)s characters fit."),
    "pattern": N_("This is not of the expected form."),
    "number": N_("Please give a whole number in digits."),
    "too_small": N_("At least %(ge)s, please."),
    "too_great": N_("At most %(le)s, please."),
    "choice": N_("Please choose one of the given answers."),
    "unknown_field": N_("This field is not known here."),
    "twice": N_("This may be given once only."),
    "type": N_("This value is of the wrong kind."),
    "wrong": N_("This value is not accepted."),
}
OF_PYDANTIC = {
    "missing": "missing",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
    "string_pattern_mismatch": "pattern",
    "int_parsing": "number",
    "int_from_float": "number",
    "int_parsing_size": "number",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_great",
    "literal_error": "choice",
    "enum": "choice",
    "extra_forbidden": "unknown_field",
    "string_type": "type",
    "int_type": "type",
    "bool_type": "type",
    "list_type": "type",
    "tuple_type": "type",
    "dict_type": "type",
    "model_type": "type",
    "none_required": "type",
    "characters": "characters",
    "twice": "twice",
}


def clean(text: str) -> str:
    """Text in NFC without UNWANTED characters. Raises a pydantic error `characters`."""
    if UNWANTED_OR_SURROGATE.search(text):
        raise PydanticCustomError("characters", "characters that are not allowed")
    return unicodedata.normalize("NFC", text)


def clean_lines(text: str) -> str:
    """As `clean`, over several lines; line ends become line feeds."""
    return "\n".join(clean(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _trimmed(text: str) -> str:
    return clean(text).strip()


_described = Field(json_schema_extra={"pattern": CLEAN_PATTERN})
Line = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_trimmed), _described]  # one line of text
Lines = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(clean_lines)]
Exact = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(clean), _described]  # spaces at the ends count: passwords
Answer = Annotated[str, StringConstraints(min_length=2, max_length=16_384), AfterValidator(clean)]  # of a passkey, as JSON
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Fields(BaseModel):
    """Base of every form, query and JSON body: unknown names are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False, regex_engine="rust-regex")


class Shape(Fields):
    """Base of JSON bodies and answers: a string is no number and a number no string."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="rust-regex")


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """A form as it came in: `value` where all is well, else what was typed and what is wrong with it."""

    given: Mapping[str, str]
    value: T | None = None
    faults: tuple[FieldFault, ...] = ()

    def text(self, field: str) -> str:
        """What to show in a field again."""
        return self.given.get(field, "")

    def fault(self, field: str) -> str:
        """What is wrong with a field, or nothing."""
        return next((each.text for each in self.faults if each.field == field), "")

    def with_fault(self, field: str, code: str, text: str) -> Form[T]:
        """One more, found by a service."""
        return Form(self.given, None, (*self.faults, FieldFault(field, code, text)))


def refused(ask: Ask, form: Form[T], why: Refused, **fields: str) -> Form[T]:
    """The form with what a service refused, at the field of that name or the one that `fields` names for it ("" for all others).

    Raises it again where it is no matter of a form: somebody must sign in, the service is sealed.
    """
    if why.code in OF_REFUSALS and why.code not in ("too_many", "busy"):
        raise why
    place = fields.get(why.place.replace(".", "_"), fields.get("otherwise", why.place))
    return form.with_fault(
        place, why.code, text_of(why.code, {"place": why.place, **why.params}, "zh" if ask.language.name == "zh_CN" else "en")
    )


def empty(**given: str) -> Form[Any]:
    """A form to be filled in."""
    return Form(given)


def form(ask: Ask, model: type[T]) -> Form[T]:
    """The body of a page's request. A field that the model does not know ends it: no page of ours has it."""
    return checked(pairs(ask.body, plus=True), model, ask.language, hide=TOKEN_FIELD)


def query(ask: Ask, model: type[T]) -> Form[T]:
    """The query string, by the same rules."""
    return checked(pairs(ask.request.rel_url.raw_query_string.encode("ascii", "surrogateescape"), plus=True), model, ask.language)


def pairs(data: bytes, *, plus: bool) -> tuple[tuple[str, str], ...]:
    """Names and values of a urlencoded string. Raises Stop `bad_request` or `not_utf8`."""
    if not data:
        return ()
    pieces = data.split(b"&")
    if len(pieces) > MOST_FIELDS:
        raise Stop("bad_request")
    return tuple((_decoded(name, plus), _decoded(value, plus)) for name, _, value in (piece.partition(b"=") for piece in pieces))


def _decoded(raw: bytes, plus: bool) -> str:
    if HEX_ESCAPE.search(raw) or any(byte < 0x21 or byte > 0x7E for byte in raw):
        raise Stop("bad_request")
    raw = raw.replace(b"+", b" ") if plus else raw
    parts = raw.split(b"%")
    try:
        return (parts[0] + b"".join(bytes((int(part[:2], 16),)) + part[2:] for part in parts[1:])).decode("utf-8")
    except UnicodeDecodeError:
        raise Stop("not_utf8") from None


def checked(given: tuple[tuple[str, str], ...], model: type[T], language: Language, hide: str = "") -> Form[T]:
    """A model of names and values. A name that stands twice is a list where the model has one, a fault elsewhere."""
    values: dict[str, Any] = {}
    typed: dict[str, str] = {}
    faults = []
    for name, value in given:
        if name == hide:
            continue
        field = model.model_fields.get(name)
        if field is None:
            raise Stop("unknown_field")
        if str(field.annotation).startswith("tuple"):
            values.setdefault(name, []).append(value)
        elif name in values:
            faults.append(_fault(name, "twice", language))
        else:
            values[name] = value
            typed[name] = value
    try:
        made = model.model_validate(values, strict=False)
    except ValidationError as wrong:
        return Form(typed, None, (*faults, *field_faults(wrong, language)))
    return Form(typed, None if faults else made, tuple(faults))


def field_faults(wrong: ValidationError, language: Language) -> tuple[FieldFault, ...]:
    """Pydantic's findings in our words, one per field; nothing that was typed is repeated in them."""
    found: dict[str, FieldFault] = {}
    for each in wrong.errors(include_url=False, include_input=False):
        place = ".".join(map(str, each["loc"]))
        code = OF_PYDANTIC.get(each["type"], "wrong")
        code = "missing" if code == "too_short" and each.get("ctx", {}).get("min_length") == 1 else code
        found.setdefault(place, _fault(place, code, language, **each.get("ctx", {})))
    return tuple(found.values())


def _fault(place: str, code: str, language: Language, **params: object) -> FieldFault:
    return FieldFault(place, code, language.say(FAULTS[code]) % params)


def _once(found: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(found)
    if len(value) != len(found):
        raise Stop("duplicate_key")
    return value


def _number(digits: str) -> int:
    if len(digits) > 17:
        raise Stop("not_json")
    return int(digits)


def _real(digits: str) -> int | float:
    """JSON Schema calls 14.0 an integer, so we do."""
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise Stop("not_json")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _constant(_: str) -> NoReturn:
    raise Stop("not_json")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_int=_number, parse_float=_real, parse_constant=_constant)


def json_value(data: bytes) -> Any:
    """A JSON text (RFC 8259) in UTF-8, without a mark, with every name once, of bounded depth. Raises Stop."""
    depth = 0
    for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', data, re.DOTALL):
        depth += 1 if bracket in (b"[", b"{") else -1 if bracket in (b"]", b"}") else 0
        if depth > MOST_DEPTH:
            raise Stop("not_json")
    try:
        return _decoder.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise Stop("not_utf8") from None
    except (json.JSONDecodeError, RecursionError, ValueError):
        raise Stop("not_json") from None


def json_body(ask: Ask, model: type[T]) -> T:
    """The body of an api request. Raises Stop `unprocessable` with the faults."""
    try:
        return model.model_validate_json(json.dumps(json_value(ask.body)), strict=True)  # as JSON, so that a list may be a tuple
    except ValidationError as wrong:
        raise Stop("unprocessable", faults=field_faults(wrong, ask.language)) from None


def api_query(ask: Ask, model: type[T]) -> T:
    """The query of an api request. Raises Stop `unprocessable` with the faults."""
    found = query(ask, model)
    if found.value is None:
        raise Stop("unprocessable", faults=found.faults)
    return found.value
