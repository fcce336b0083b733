"""A chart of chances as SVG: one bar a group, from the least to the most, with a line at what it should be. For a clerk, on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from xml.sax.saxutils import escape

from server.chances import Group, Report, decimal
from server.texts import tell

MOST_BARS = 60
NAME, PLOT, NOTE = 300, 460, 230  # widths: the group's name, the bars, people and chances
ROW, TOP, FOOT = 26, 86, 30
STYLE = """
text { font: 13px system-ui, "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif; fill: #1c1c1e }
.page { fill: #ffffff } .title { font-size: 16px; font-weight: 600 } .soft { fill: #5c5f66 }
.grid { stroke: #d6d8dc } .body { fill: #b9d3ee } .bar { fill: #1f5a9c } .target { stroke: #b3261e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #ececee } .page { fill: #17181b } .soft { fill: #a6a9b0 } .grid { stroke: #3a3d43 } .body { fill: #2c4d70 } .bar { fill: #8fc0f5 } .target { stroke: #ff8a80 }
}
"""


def chart(report: Report, lang: str) -> str:
    """The SVG of a report."""
    groups = report.groups[:MOST_BARS]
    left_out = len(report.groups) - len(groups)
    step = _step(max([group.most for group in groups] + [group.target for group in groups], default=Fraction(1)))
    steps = int(max([group.most for group in groups] + [group.target for group in groups], default=Fraction(1)) / step) + 1
    width, height = NAME + PLOT + NOTE, TOP + ROW * len(groups) + FOOT + (ROW if left_out else 0)

    def at(chance: Fraction) -> str:
        return decimal(NAME + chance / (step * steps) * PLOT, 2)

    title = tell("chart_title", lang, method=report.method, people=report.people, panel=report.panel)
    bottom = TOP + ROW * len(groups)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" lang="{lang}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text class="title" x="16" y="28">{escape(title)}</text>',
        f'<text class="soft" x="16" y="50">{escape(tell("chart_legend", lang))}</text>',
    ]
    for n in range(steps + 1):
        x = at(step * n)
        out.append(f'<line class="grid" x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{bottom}"/>')
        out.append(f'<text class="soft" x="{x}" y="{TOP - 14}" text-anchor="middle">{_percent(step * n, step)}</text>')
    for n, group in enumerate(groups):
        out += _bar(group, TOP + ROW * n, at, lang)
    if left_out:
        out.append(f'<text class="soft" x="16" y="{bottom + 20}">{escape(tell("chart_more", lang, count=left_out))}</text>')
    return "\n".join([*out, "</svg>", ""])


def _bar(group: Group, y: int, at: object, lang: str) -> Sequence[str]:
    assert callable(at)
    name = group.zh if lang == "zh" else group.en
    least, most = at(group.least), at(group.most)
    width = max(Fraction(most) - Fraction(least), Fraction(3))
    low, high = decimal(group.least * 100, 2), decimal(group.most * 100, 2)
    note = f"{low} %" if low == high else f"{low}–{high} %"
    people = tell("chart_people", lang, people=group.people)
    start = decimal(max(Fraction(least) - (width - (Fraction(most) - Fraction(least))) / 2, Fraction(0)), 2)
    return [
        f'<text x="{NAME - 10}" y="{y + 17}" text-anchor="end">{escape(_short(name))}</text>',
        f'<rect class="body" x="{NAME}" y="{y + 6}" width="{decimal(Fraction(most) - NAME, 2)}" height="14"/>',
        f'<rect class="bar" x="{start}" y="{y + 6}" width="{decimal(width, 2)}" height="14"/>',
        f'<line class="target" x1="{at(group.target)}" y1="{y + 2}" x2="{at(group.target)}" y2="{y + 24}"/>',
        f'<text class="soft" x="{NAME + PLOT + 12}" y="{y + 17}">{escape(people)} · {note}</text>',
    ]


def _short(name: str, most: int = 40) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _step(largest: Fraction) -> Fraction:
    """A round step that divides the axis into at most eight parts."""
    step = Fraction(1, 10**6)
    while True:
        for times in (1, 2, 5):
            if largest / (step * times) < 8:
                return step * times
        step *= 10


def _percent(chance: Fraction, step: Fraction) -> str:
    places = 0
    while (step * 100 * 10**places).denominator != 1:
        places += 1
    return f"{decimal(chance * 100, places)} %"
