"""The demonstration's people in one file, 0600 in its data folder: what each signs in with. Outside a demonstration there is no such file.

    {"invitation": path, "password": text, "people": [{"account", "centre", "keys": [{"id", "seed", "user"}], "name", "role", "secret"}]}

The file is written when the demonstration is made, and again when a reader makes a further software passkey on a page.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from drawing.errors import Refused
from server.demo.passkeys import SoftwarePasskey, allowed, make_passkey, makes_one
from server.files import read_bounded, write_whole
from server.handlers.ask import DemoLogin
from server.keeper.people import STEP, code_at

MOST = 1 << 20
MOST_KEYS = 16  # of one person, as at the keeper


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demonstration. `secret` is the authenticator's in base32; `role` a value of `auth.model.Role`, or nothing yet."""

    account: str
    name: str
    role: str
    centre: str
    secret: str = field(repr=False)
    keys: tuple[SoftwarePasskey, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """All of them; one password for everybody, so that a reader need not look it up each time."""

    password: str
    invitation: str
    people: tuple[Person, ...]


class DemoPeople:
    """The port `ask.DemoPeople` over the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = read_book(path)

    @property
    def password(self) -> str:
        """Everybody's."""
        return self._book.password

    @property
    def invitation(self) -> str:
        """The path of an invitation that nobody has taken up."""
        return self._book.invitation

    def logins(self, now: int) -> tuple[DemoLogin, ...]:
        """Everybody with the code of now."""
        return tuple(
            DemoLogin(each.account, each.name, each.role, each.centre, each.secret, code_of(each, now), bool(each.keys))
            for each in self._book.people
            if each.secret
        )

    def answer(self, account: str, options: str, origin: str) -> str:
        """What this person's software passkey answers to the browser's options, or a new one's registration. Raises Refused."""
        found = next((each for each in self._book.people if each.account == account), Person(account, account, "", "", ""))
        if makes_one(options):
            return self._make(found, options, origin)
        named = allowed(options)
        fitting = [key for key in found.keys if not named or key.id in named]
        if not fitting:
            raise Refused("demo_no_passkey", "account")
        return fitting[0].answer(options, origin)

    def _make(self, person: Person, options: str, origin: str) -> str:
        if len(person.keys) >= MOST_KEYS:
            raise Refused("too_many_passkeys", "person", most=MOST_KEYS)
        key, told = make_passkey(options, origin, secrets.token_bytes(64))
        others = tuple(each for each in self._book.people if each.account != person.account)
        made = replace(self._book, people=(*others, replace(person, keys=(*person.keys, key))))
        write_book(made, self._path)
        self._book = made
        return told


def code_of(person: Person, now: int) -> str:
    """The code that the person's app shows now."""
    return code_at(base64.b32decode(person.secret), now // STEP)


def read_book(path: Path) -> Book:
    """Raises Refused where there is none, or it is not ours."""
    try:
        value: Any = json.loads(read_bounded(path, MOST))
        people = tuple(Person(**{**each, "keys": tuple(_key(key) for key in each["keys"])}) for each in value["people"])
        return Book(value["password"], value["invitation"], people)
    except (ValueError, KeyError, TypeError):
        raise Refused("cannot_read", str(path)) from None


def write_book(book: Book, path: Path) -> None:
    """Whole or not at all, for its owner alone."""
    value = asdict(book)
    for person in value["people"]:
        person["keys"] = [{"id": key["id"].hex(), "seed": key["seed"].hex(), "user": key["user"]} for key in person["keys"]]
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n", mode=0o600)


def _key(value: dict[str, str]) -> SoftwarePasskey:
    return SoftwarePasskey(bytes.fromhex(value["id"]), value["user"], bytes.fromhex(value["seed"]))
