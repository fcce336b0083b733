"""How likely everybody is to be drawn, before any draw: of a library and a request as a draw would commit to it, or of an assembly's two files.

All numbers are exact fractions; decimals are only how they are shown. Names appear nowhere but in the private list of one row per expert.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from drawing.certificate import UNIT, certify, crowds, employers_of, table_bytes
from drawing.errors import Refused
from drawing.events import FAIR, UNIFORM, Plan
from drawing.fair import Cell, Field, Need, Type, Work, count, work
from drawing.lots import first_need
from drawing.lottery import METHOD as LEXIMIN
from drawing.lottery import Kind, Lottery, Quota, Task, gini
from drawing.pool import employer_tag
from drawing.roll import small_pool
from server.fit import find_targets, fit
from server.leximin import make_lottery
from server.material import Material, Secret, make_material, read_plan
from server.quotas import Assembly
from server.request import Request
from server.rules import rules_of
from server.texts import tell
from server.why import OF_THE_PLAN

NOBODYS = Secret(bytes(32))  # tags and labels of this pool are never published: nothing that is shown depends on them


@dataclass(frozen=True, slots=True)
class Group:
    """People whose chances belong together: what they are in both languages, from the least to the most, what it should be."""

    zh: str
    en: str
    people: int
    least: Fraction
    most: Fraction
    target: Fraction


@dataclass(frozen=True, slots=True)
class Impossible:
    """People whom no lawful panel can hold, and which rule alone is why ("together": no single one)."""

    zh: str
    en: str
    people: int
    reason: str


@dataclass(frozen=True)
class Report:
    """All that is told of a pool's chances."""

    method: str
    panel: int
    people: int
    types: int
    groups: tuple[Group, ...]
    gini: Fraction
    mean: Fraction  # of all, also of those who cannot be drawn
    bound: Fraction
    reached: Fraction  # the smallest chance as the bound counts it: where a regulation gives weights, by weight
    impossible: tuple[Impossible, ...] = ()
    tickets: int = 0
    is_best: bool = False
    panels: int = 0  # lawful ones
    excluded: tuple[tuple[str, str, str, int], ...] = ()  # (rule, zh, en, people)
    small_pool: bool = False

    @property
    def smallest(self) -> Fraction:
        return min((group.least for group in self.groups), default=Fraction(0))

    @property
    def largest(self) -> Fraction:
        return max((group.most for group in self.groups), default=Fraction(0))

    @property
    def ratio(self) -> Fraction:
        """The share of the certified bound that is reached."""
        return self.reached / self.bound if self.bound else Fraction(0)

    def as_json(self, seconds: float) -> dict[str, Any]:
        """For machines: each number as a decimal and, under `exact`, as a fraction."""
        exact = {
            "smallest_chance": self.smallest,
            "largest_chance": self.largest,
            "mean_chance": self.mean,
            "gini": self.gini,
            "bound": self.bound,
            "ratio": self.ratio,
        }
        value: dict[str, Any] = {
            "method": self.method,
            "people": self.people,
            "panel": self.panel,
            "types": self.types,
            **{name: float(number) for name, number in exact.items()},
            "exact": {name: str(number) for name, number in exact.items()},
            "groups": [
                {"name": group.en, "people": group.people, "least": str(group.least), "most": str(group.most), "target": str(group.target)}
                for group in self.groups
            ],
            "impossible": [{"name": each.en, "people": each.people, "reason": each.reason} for each in self.impossible],
            "seconds": round(seconds, 3),
        }
        if self.tickets:
            return {**value, "tickets": self.tickets, "is_best": self.is_best}
        excluded = {rule: people or "<10" for rule, _, _, people in self.excluded}
        return {**value, "lawful_panels": str(self.panels), "excluded": excluded, "small_pool": self.small_pool}


# An assembly -------------------------------------------------------------------------------------------------------------------------------


def of_lottery(lottery: Lottery) -> Report:
    """The chances of a lottery; its groups are the people of equal chance and target."""
    task = lottery.task
    targets = lottery.certified.targets
    people: Counter[tuple[Fraction, Fraction]] = Counter()
    kinds: Counter[tuple[Fraction, Fraction]] = Counter()
    for kind, chance, target in zip(task.kinds, lottery.chances, targets, strict=True):
        if chance:
            people[chance, target or Fraction(0)] += kind.people
            kinds[chance, target or Fraction(0)] += 1
    return Report(
        method=LEXIMIN,
        panel=task.panel,
        people=task.size,
        types=len(task.kinds),
        groups=tuple(
            Group(f"{kinds[each]} 类", f"{kinds[each]} type{'s' * (kinds[each] > 1)}", people[each], each[0], each[0], each[1])
            for each in sorted(people)
        ),
        gini=gini(zip(lottery.chances, (kind.people for kind in task.kinds), strict=True)),
        mean=Fraction(task.panel, task.size),
        bound=lottery.bound,
        reached=lottery.smallest,
        impossible=tuple(
            Impossible(_values(task, kind), _values(task, kind), kind.people, "quotas")
            for kind, chance in zip(task.kinds, lottery.chances, strict=True)
            if not chance
        ),
        tickets=lottery.size,
        is_best=lottery.is_best,
    )


def assembly_rows(assembly: Assembly, lottery: Lottery) -> Iterator[tuple[str, ...]]:
    """(place among the respondents from 1, numerator, denominator, decimal, type, target), in the respondents' order."""
    named: dict[int, tuple[str, ...]] = {}
    for number, (chance, target) in enumerate(zip(lottery.chances, lottery.certified.targets, strict=True)):
        exact = (str(chance.numerator), str(chance.denominator), decimal(chance, 9))
        row = (*exact, _values(lottery.task, lottery.task.kinds[number]), decimal(target or Fraction(0), 9))
        named |= dict.fromkeys(assembly.rows[number], row)
    for place in sorted(named):
        yield (str(place + 1), *named[place])


def _values(task: Task, kind: Kind) -> str:
    return ", ".join(task.named(value) for value in kind.values)


# A library and a request -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """The pool as a commit would hold it, and its report."""

    material: Material
    need: Need
    report: Report
    targets: Mapping[tuple[int, int], Fraction]  # (type, class of employer if it is priced, else -1) -> target

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Private: (document number, numerator, denominator, decimal, type, target) of each eligible expert, in the library's order."""
        pool, roll = self.material.pool, self.material.roll
        doing = work(roll.field, self.need)
        total = doing.total
        numbers = {kind: n for n, kind in enumerate(pool.types)}
        secret = self.material.secret.of("draw-secret")
        names = [group_name(self.material.plan, kind)[1] for kind in pool.types]
        tags: dict[str, bytes] = {}
        known: dict[tuple[Cell, int], tuple[str, ...]] = {}
        for place in sorted(range(len(pool.order)), key=pool.order.__getitem__):
            fate = pool.fates[place]
            if not isinstance(fate, Type):
                continue
            employer = pool.employers[place]
            if employer not in tags:
                tags[employer] = employer_tag(secret, employer)
            cell, kind = doing.cell_of(tags[employer]), numbers[fate]
            if (cell, kind) not in known:
                numerator = sum(doing.numerators_of(cell, kind))
                target = self.targets.get((kind, cell.number), self.targets.get((kind, -1), Fraction(0)))
                shown = (decimal(Fraction(numerator, total), 9), names[kind], decimal(target, 9))
                known[cell, kind] = (str(numerator), str(total), *shown)
            number = json.loads(self.material.entries[pool.order[place]].record)["id_number"]
            yield (number, *known[cell, kind])


def of_library(records: Sequence[bytes], request: Request, method: str = "") -> Standing:
    """The chances under a request, and under another method if one is named. Raises Refused as a draw would."""
    method = method or request.method
    if method == LEXIMIN:
        return _by_leximin(records, request)
    asked = replace(request, values={**request.values, "lot": {**request.values["lot"], "method": method}})
    made, need = pool_of(records, asked, NOBODYS)
    if count(made.roll.field, need) == 0:
        raise Refused("no_lawful_panel", "request")
    return of_pool(made, need, asked)


def of_pool(made: Material, need: Need, request: Request) -> Standing:
    """The chances in a pool that has a lawful panel, under the request's method: `fair/1` or `uniform/1`."""
    roll, method = made.roll, request.method
    if method == FAIR:
        table = fit(roll.field, need)
        made = made.with_table(table_bytes(table))
        levels, priced = table.levels, table.priced
    else:
        levels = find_targets(roll.field, need).levels
        priced = frozenset(each.number for level in levels for each in level.employers)
    doing = work(made.roll.field, need)
    groups = crowds(doing, priced)
    certified = certify(groups, levels, need, employers_of(doing))
    total = doing.total
    targets = {group: Fraction(target, UNIT) for group, target in certified.targets.items()}
    named = []
    for (kind, number), crowd in groups.items():
        zh, en = group_name(made.plan, made.roll.types[kind])
        extra = (f" · 大单位 {number}", f" · large employers {number}") if number >= 0 else ("", "")
        least, most = Fraction(crowd.least, total), Fraction(crowd.most, total)
        named.append(Group(zh + extra[0], en + extra[1], crowd.people, least, most, targets[kind, number]))
    shares, impossible = _shares(doing, made.plan, need)
    people = sum(number for _, number in shares)
    report = Report(
        method=method,
        panel=sum(need.counts),
        people=people,
        types=len(made.roll.types),
        groups=tuple(sorted(named, key=lambda group: (group.target, group.en))),
        gini=gini((Fraction(numerator), number) for numerator, number in shares),
        mean=Fraction(sum(need.counts), people),
        bound=certified.bounds[0],
        reached=min(Fraction(crowd.least, total * crowd.weight) for crowd in groups.values()),
        impossible=impossible,
        panels=count(made.roll.field.weighed(None), need),
        excluded=excluded(made, request),
        small_pool=small_pool(made.roll, made.plan),
    )
    return Standing(made, need, report, targets)


def pool_of(records: Sequence[bytes], request: Request, secret: Secret) -> tuple[Material, Need]:
    """The pool as a commit at the time of evaluation would hold it, and what it is asked for."""
    plan = read_plan(request.plan())
    made = make_material(request, records, secret, "snapshot-0", plan, request.evaluation_at)
    return made, first_need(made.roll, plan)


def _shares(doing: Work, plan: Plan, need: Need) -> tuple[list[tuple[int, int]], tuple[Impossible, ...]]:
    """(numerator, people) of everybody, and who has 0 and why."""
    shares: list[tuple[int, int]] = []
    never: Counter[tuple[Cell, int]] = Counter()
    for cell, employers in doing.cells.items():
        for kind, number in cell.kinds:
            numerator = sum(doing.numerators_of(cell, kind))
            shares.append((numerator, number * employers))
            if not numerator:
                never[cell, kind] = number * employers
    why: Counter[tuple[int, str]] = Counter()
    for (cell, kind), number in never.items():
        why[kind, _reason(doing.field, need, cell, kind)] += number
    names = {kind: group_name(plan, doing.field.types[kind]) for kind, _ in why}
    return shares, tuple(Impossible(*names[kind], number, reason) for (kind, reason), number in sorted(why.items()))


def _reason(people: Field, need: Need, cell: Cell, kind: int) -> str:
    """The one rule without which such a person could be drawn."""
    if need.recent_left < sum(need.counts):
        doing = work(people, replace(need, recent_left=sum(need.counts)))
        if any(doing.numerators_of(cell, kind)):
            return "recent"
    if need.sites:
        doing = work(people, replace(need, sites=frozenset()))
        if any(doing.numerators_of(cell, kind)):
            return "sites"
    number = next(n for n, kinds in enumerate(people.classes) if kinds == cell.kinds)
    inside = {employer for employer, of in people.class_of.items() if of == number}
    apart = [n.to_bytes(8, "big") if e in inside else e for n, e in enumerate(people.employers)]
    alone = Field(people.types, people.type_numbers, apart)
    single = alone.class_of[next(e for e, of in zip(apart, people.type_numbers, strict=True) if of == kind and len(alone.members[e]) == 1)]
    if any(work(alone, need).numerators_of(Cell(single, alone.classes[single]), kind)):
        return "employers"
    return "together"


def group_name(plan: Plan, kind: Type) -> tuple[str, str]:
    """What a type is, for a clerk: the professions of the seats it can fill, the site, whether drawn recently, the weight."""
    seats = " / ".join("+".join(plan.seats[seat].professions) for seat in kind.seats)
    zh, en = [seats], [seats]
    if kind.site >= 0:
        zh.append(plan.sites[kind.site].id)
        en.append(plan.sites[kind.site].id)
    if kind.recent:
        zh.append("近期抽中")
        en.append("drawn recently")
    if kind.weight != 1:
        zh.append(f"权重 {kind.weight}")
        en.append(f"weight {kind.weight}")
    return " · ".join(zh), " · ".join(en)


def excluded(made: Material, request: Request) -> tuple[tuple[str, str, str, int], ...]:
    """How many people each rule keeps out, with its text; numbers below ten are given as 0: they could name somebody."""
    rules = rules_of(request.regime)
    counted = {each.rule: each.count for each in made.pool.rule_counts()}
    codes = sorted({code for fate in made.pool.fates if isinstance(fate, tuple) for code in fate})
    out = []
    for code in codes:
        zh, en = OF_THE_PLAN[code] if code in OF_THE_PLAN else (rules.conflict[code].zh, rules.conflict[code].en)
        out.append((code, zh, en, counted.get(code, 0)))
    return tuple(out)


def _by_leximin(records: Sequence[bytes], request: Request) -> Standing:
    """Where nobody can fill two seats and no employer has two people, a request is an assembly's task."""
    made, need = pool_of(records, replace(request, values={**request.values, "lot": {"method": UNIFORM}}), NOBODYS)
    if count(made.roll.field, need) == 0:
        raise Refused("no_lawful_panel", "request")
    people = made.roll.field
    if any(len(kind.seats) > 1 for kind in people.types):
        raise Refused("method_does_not_apply", "--method", method=LEXIMIN, why="seats")
    if len(people.groups) < len(people.employers):
        raise Refused("method_does_not_apply", "--method", method=LEXIMIN, why="employers")
    panel = sum(need.counts)
    quotas = [Quota(0, number, number, f"seat {seat}") for seat, number in enumerate(need.counts)]
    sites = sorted({kind.site for kind in people.types} | need.sites)
    first_site = len(quotas)
    quotas += [Quota(1, int(site in need.sites), panel, f"site {site}") for site in sites]
    first_recent = len(quotas)
    quotas += [Quota(2, 0, panel, "no"), Quota(2, 0, max(0, need.recent_left), "yes")]
    number = Counter(people.type_numbers)
    values = [(kind.seats[0], first_site + sites.index(kind.site), first_recent + kind.recent) for kind in people.types]
    kinds = sorted((each, number[n]) for n, each in enumerate(values))
    lottery = make_lottery(Task(panel, ("seat", "site", "recent"), tuple(quotas), tuple(Kind(many, each) for each, many in kinds)))
    report = replace(
        of_lottery(lottery),
        panels=count(people.weighed(None), need),
        excluded=excluded(made, request),
        small_pool=small_pool(made.roll, made.plan),
    )
    at = {kind.values: target or Fraction(0) for kind, target in zip(lottery.task.kinds, lottery.certified.targets, strict=True)}
    return Standing(made, need, report, {(n, -1): at[each] for n, each in enumerate(values)})


# How numbers are shown ---------------------------------------------------------------------------------------------------------------------


def decimal(number: Fraction, places: int) -> str:
    """A number of at least 0 with so many decimals, rounded, without floats."""
    unit = 10**places
    whole = (number * unit * 2 + 1) // 2
    return f"{whole // unit}.{whole % unit:0{places}d}" if places else str(whole)


def chance_words(number: Fraction) -> str:
    """A chance for people: percent, and the exact fraction where it is short."""
    short = f" ({number})" if len(str(number)) <= 24 else ""
    return f"{decimal(number * 100, 4)} %{short}"


def lines(report: Report, lang: str) -> Iterable[str]:
    """The report in words."""
    yield tell("chances_head", lang, method=report.method, people=report.people, panel=report.panel, types=report.types)
    if report.panels:
        yield tell("chances_panels", lang, panels=report.panels)
    if report.tickets:
        yield tell("chances_tickets", lang, tickets=report.tickets)
    yield tell(
        "chances_range", lang, least=chance_words(report.smallest), mean=chance_words(report.mean), most=chance_words(report.largest)
    )
    yield tell("chances_bound", lang, bound=chance_words(report.bound), ratio=f"{decimal(report.ratio * 100, 2)} %")
    yield tell("chances_gini", lang, gini=decimal(report.gini, 4))
    if report.is_best:
        yield tell("chances_best", lang)
    for group in report.groups:
        name = group.zh if lang == "zh" else group.en
        least, most, target = (f"{decimal(each * 100, 3)} %" for each in (group.least, group.most, group.target))
        yield "  " + tell("chances_group", lang, name=name, people=group.people, least=least, most=most, target=target)
    for each in report.impossible:
        reason = tell(f"never_{each.reason}", lang)
        yield "  " + tell("chances_never", lang, name=each.zh if lang == "zh" else each.en, people=each.people, reason=reason)
    for rule, zh, en, people in report.excluded:
        yield "  " + tell("chances_excluded", lang, rule=rule, text=zh if lang == "zh" else en, people=people or "<10")
    if report.small_pool:
        yield tell("small_pool", lang)
