"""Figures for supervisors: as a page with charts, as a table for a spreadsheet, and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web as aioweb

from server.handlers.ask import Ask
from server.handlers.forms import Shape
from server.handlers.i18n import N_
from server.handlers.imports import as_csv
from server.handlers.render import page
from server.handlers.status import as_json
from server.handlers.views import Badge, Tone
from server.keeper.draw_verbs import Tallied, TallyRow
from server.library.codes import professions
from server.services import figures
from server.services.figures import Chart, Figure, Figures

KINDS: Mapping[str, str] = {"left": N_("Declined"), "no_answer": N_("No answer")}
GROUPS: Mapping[str, str] = {"clerk": N_("by clerk"), "profession": N_("by profession")}
SIDES: Mapping[str, tuple[str, Tone]] = {
    "": (N_("within the limits"), Tone.GOOD),
    "above": (N_("more often than chance explains"), Tone.BAD),
    "below": (N_("less often than chance explains"), Tone.WARN),
}
LEFT, WIDTH, STEP, TOP = 120, 480, 28, 18  # of a chart, in its own units


@dataclass(frozen=True, slots=True)
class PointRow:
    """A group with its place in the chart: the limits from `x1` to `x2`, its share at `x`, all at height `y`."""

    name: str
    label: str
    count: int
    size: int
    share: str
    limits: str
    side: Badge
    outside: bool
    x1: int
    x2: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class ChartBox:
    """A chart; `mean_x` is where all groups together are."""

    id: str
    title: str
    mean: str
    mean_x: int
    height: int
    rows: tuple[PointRow, ...]


@dataclass(frozen=True, slots=True)
class TallyLine:
    """Somebody of the library, by their entry."""

    expert: str
    drawn: int
    expected: str
    limits: str
    side: Badge


@dataclass(frozen=True, slots=True)
class TallyBox:
    """How often people were drawn in `draws` closed draws, of which `counted` are counted. `people`: with a chance; `drawn`: of them, ever drawn."""

    counted: int
    draws: int
    people: int
    drawn: int
    rows: tuple[TallyLine, ...]


@dataclass(frozen=True, slots=True)
class StatisticsPage:
    """All charts."""

    draws: int
    asked: int
    charts: tuple[ChartBox, ...]
    late: tuple[tuple[str, str, int], ...]
    tally: TallyBox


async def show(ask: Ask) -> aioweb.StreamResponse:
    """The page."""
    found = await figures.figures(ask.desk, ask.caller)
    late = tuple((each.draw, each.number, each.found) for each in found.late)
    charts = tuple(_chart(ask, each) for each in found.charts)
    return page(ask, "statistics.html", StatisticsPage(found.draws, found.asked, charts, late, _tally(ask, found.tallied)))


def _tally(ask: Ask, found: Tallied) -> TallyBox:
    def line(each: TallyRow) -> TallyLine:
        text, tone = SIDES[_side(each)]
        return TallyLine(each.expert, each.drawn, _expected(each), f"{each.low} – {each.high}", Badge(ask.language.say(text), tone))

    return TallyBox(found.counted, found.draws, found.people, found.drawn, tuple(map(line, found.rows)))


def _side(each: TallyRow) -> str:
    return "below" if each.drawn < each.low else "above" if each.drawn > each.high else ""


def _expected(each: TallyRow) -> str:
    return f"{each.expected / 10**6:.4f}"


async def table(ask: Ask) -> aioweb.StreamResponse:
    """The same as a file."""
    found = await figures.figures(ask.desk, ask.caller)
    titles = ("answer", "group", "name", "count", "asked", "share", "lower", "upper", "outside")
    rows = [[each.kind, each.group, *_cells(one)] for each in found.charts for one in each.figures]
    rows += [["late_conflict", "draw", each.number, str(each.found), "", "", "", "", ""] for each in found.late]
    rows += [
        [
            "drawn",
            "expert",
            each.expert,
            str(each.drawn),
            str(found.tallied.draws),
            _expected(each),
            str(each.low),
            str(each.high),
            _side(each),
        ]
        for each in found.tallied.rows
    ]
    return as_csv(ask, "statistics", titles, rows)


def _cells(each: Figure) -> list[str]:
    point = each.point
    shares = (point.share, point.lower, point.upper)
    return [each.name, str(point.count), str(point.size), *(f"{one:.4f}" for one in shares), point.side]


def _chart(ask: Ask, chart: Chart) -> ChartBox:
    say = ask.language.say
    known = professions() if chart.group == "profession" else {}

    def row(n: int, each: Figure) -> PointRow:
        point = each.point
        text, tone = SIDES[point.side]
        label = " ".join(filter(None, (known.get(code, "") for code in each.name.split())))
        limits = f"{point.lower:.1%} – {point.upper:.1%}"
        places = _x(point.lower), _x(point.upper), _x(point.share), TOP + STEP * n
        return PointRow(
            each.name, label, point.count, point.size, f"{point.share:.1%}", limits, Badge(say(text), tone), bool(point.side), *places
        )

    rows = tuple(row(n, each) for n, each in enumerate(chart.figures))
    title = f"{say(KINDS[chart.kind])} {say(GROUPS[chart.group])}"
    return ChartBox(f"{chart.kind}-{chart.group}", title, f"{chart.mean:.1%}", _x(chart.mean), TOP + STEP * len(rows), rows)


def _x(share: float) -> int:
    return LEFT + round(WIDTH * share)


# For programs -----------------------------------------------------------------------------------------------------------------------------------


class FigureJson(Shape):
    """A group: `count` of the `asked` gave this answer; the limits of a group of this size in millionths; `outside`: "", above or below."""

    name: str
    count: int
    asked: int
    lower_millionths: int
    upper_millionths: int
    outside: str


class ChartJson(Shape):
    """One kind of answer (left, no_answer) by clerk or profession."""

    answer: str
    group: str
    figures: tuple[FigureJson, ...]


class LateJson(Shape):
    """Seats of a draw that a conflict emptied after the lots fell."""

    draw: str
    project: str
    found: int


class TallyRowJson(Shape):
    """An entry of the library: how often it was drawn, what was to be expected, and between which counts chance explains it; `outside`: "", above or below."""

    expert: str
    drawn: int
    expected_millionths: int
    low: int
    high: int
    outside: str


class TallyJson(Shape):
    """How often people were drawn in the newest closed draws; while `counted` is below `draws` it is still being counted."""

    counted: int
    draws: int
    people: int
    drawn: int
    rows: tuple[TallyRowJson, ...]


class FiguresJson(Shape):
    """Figures of the centres that the caller supervises."""

    draws: int
    asked: int
    charts: tuple[ChartJson, ...]
    late: tuple[LateJson, ...]
    tally: TallyJson


async def figures_json(ask: Ask) -> aioweb.StreamResponse:
    """The same for programs."""
    return as_json(_json(await figures.figures(ask.desk, ask.caller)))


def _json(found: Figures) -> FiguresJson:
    def figure(each: Figure) -> FigureJson:
        point = each.point
        lower, upper = round(point.lower * 1e6), round(point.upper * 1e6)
        return FigureJson(
            name=each.name, count=point.count, asked=point.size, lower_millionths=lower, upper_millionths=upper, outside=point.side
        )

    charts = tuple(ChartJson(answer=each.kind, group=each.group, figures=tuple(map(figure, each.figures))) for each in found.charts)
    late = tuple(LateJson(draw=each.draw, project=each.number, found=each.found) for each in found.late)
    counts = found.tallied
    rows = tuple(
        TallyRowJson(
            expert=each.expert, drawn=each.drawn, expected_millionths=each.expected, low=each.low, high=each.high, outside=_side(each)
        )
        for each in counts.rows
    )
    tally = TallyJson(counted=counts.counted, draws=counts.draws, people=counts.people, drawn=counts.drawn, rows=rows)
    return FiguresJson(draws=found.draws, asked=found.asked, charts=charts, late=late, tally=tally)
