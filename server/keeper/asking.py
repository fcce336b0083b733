"""What a verb is: its parameters' type, its answer's type, how often, and from whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Ask(Generic[R]):
    """Parameters of a verb whose answer is an R."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say but that it happened."""


@dataclass(frozen=True, slots=True)
class Rate:
    each: float
    burst: int


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. `sealed`: whether it works while the service is sealed."""

    params: type[Any]
    result: type[Any]
    rate: Rate
    who: frozenset[str]
    sealed: bool = False


CALLERS = ("console", "courier", "web")
ALL = frozenset(CALLERS)
WEB = frozenset({"web"})
