"""The lottery of `leximin/1` against brute force: all panels listed, the best chances by a simplex in fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product

from drawing.lottery import Kind, Quota, Task, lottery_bytes, parse_lottery
from server.leximin import make_lottery
from tests.conftest import counts


def panels_of(task: Task) -> list[tuple[int, ...]]:
    """Every lawful panel as people per type."""
    return [
        each
        for each in product(*(range(kind.people + 1) for kind in task.kinds))
        if sum(each) == task.panel and task.lawful([(n, seated) for n, seated in enumerate(each) if seated])
    ]


def largest(goal: list[Fraction], rows: list[tuple[list[Fraction], Fraction]]) -> Fraction:
    """The maximum of goal * x over x >= 0 with row * x = right side: two-phase simplex in fractions, Bland's rule."""
    width, height = len(goal), len(rows)
    table = []
    for n, (row, right) in enumerate(rows):
        sign = -1 if right < 0 else 1
        table.append([sign * each for each in row] + [Fraction(int(n == m)) for m in range(height)] + [sign * right])
    basis = list(range(width, width + height))

    def run(costs: list[Fraction], columns: int) -> Fraction:
        while True:
            price = [costs[basis[n]] for n in range(height)]
            for column in range(columns):
                if costs[column] - sum(p * row[column] for p, row in zip(price, table) if p and row[column]) > 0:
                    break
            else:
                return sum((p * row[-1] for p, row in zip(price, table)), Fraction(0))
            out = min(((row[-1] / row[column], basis[n], n) for n, row in enumerate(table) if row[column] > 0))[2]
            lead = table[out][column]
            table[out] = [each / lead for each in table[out]]
            for n in range(height):
                if n != out and table[n][column]:
                    factor = table[n][column]
                    table[n] = [each - factor * other for each, other in zip(table[n], table[out])]
            basis[out] = column

    assert run([Fraction(0)] * width + [Fraction(-1)] * height, width + height) == 0
    for n in range(height):  # whatever is artificial and still in the basis is 0: exchange it
        if basis[n] >= width:
            column = next((c for c in range(width) if table[n][c]), None)
            if column is not None:
                lead = table[n][column]
                table[n] = [each / lead for each in table[n]]
                for m in range(height):
                    if m != n and table[m][column]:
                        factor = table[m][column]
                        table[m] = [each - factor * other for each, other in zip(table[m], table[n])]
                basis[n] = column
    return run(goal + [Fraction(0)] * height, width)


def leximin(task: Task) -> list[Fraction]:
    """The best chances by type: nobody's can be raised without lowering one that is not larger."""
    panels = panels_of(task)
    kinds = range(len(task.kinds))
    fixed: dict[int, Fraction] = {}
    while len(fixed) < len(task.kinds):
        free = [n for n in kinds if n not in fixed]

        def rows_for(level: Fraction | None) -> list[tuple[list[Fraction], Fraction]]:
            # columns: panels, one slack per free type, v
            rows = [([Fraction(1)] * len(panels) + [Fraction(0)] * (len(free) + 1), Fraction(1))]
            for n in kinds:
                row = [Fraction(panel[n], task.kinds[n].people) for panel in panels] + [Fraction(0)] * (len(free) + 1)
                if n in fixed:
                    rows.append((row, fixed[n]))
                else:
                    row[len(panels) + free.index(n)] = Fraction(-1)
                    row[-1] = Fraction(-1) if level is None else Fraction(0)
                    rows.append((row, Fraction(0) if level is None else level))
            return rows

        level = largest([Fraction(0)] * (len(panels) + len(free)) + [Fraction(1)], rows_for(None))
        for n in free:
            own = [Fraction(panel[n], task.kinds[n].people) for panel in panels]
            if largest(own + [Fraction(0)] * (len(free) + 1), rows_for(level)) == level:
                fixed[n] = level
    return [fixed[n] for n in kinds]


def a_task(chance: random.Random, *, lawful: bool = True) -> Task:
    """A tiny task; its quotas lie around some panel, so it can be kept unless it should not."""
    features = chance.randint(1, 3)
    quotas = [(feature, value) for feature in range(features) for value in range(chance.randint(2, 3))]
    number = {quota: n for n, quota in enumerate(quotas)}
    people = [
        tuple(number[chance.choice([q for q in quotas if q[0] == feature])] for feature in range(features))
        for _ in range(chance.randint(4, 9))
    ]
    panel = chance.randint(1, min(4, len(people)))
    seated = chance.sample(people, panel)
    limits = []
    for n, (feature, value) in enumerate(quotas):
        here = sum(n in person for person in seated)
        least, most = max(0, here - chance.randint(0, 1)), here + chance.choice((0, 0, 1, 2))
        if not lawful and chance.random() < 0.4:
            least = most = chance.randint(0, 2)
        limits.append(Quota(feature, least, most, f"v{value}"))
    kinds = tuple(Kind(people.count(kind), kind) for kind in sorted(set(people)))
    return Task(panel, tuple(f"f{n}" for n in range(features)), tuple(limits), kinds)


def test_chances_equal_the_leximin_of_brute_force():  # spec: leximin-1
    chance, over_panels = random.Random(20), 0
    for _ in range(counts("leximin instances against brute force", 120, 1_000)):
        task = a_task(chance)
        lottery = make_lottery(task)
        assert list(lottery.chances) == leximin(task)
        assert lottery.smallest <= lottery.bound
        assert sum(chance * kind.people for chance, kind in zip(lottery.chances, task.kinds)) == task.panel
        assert parse_lottery(lottery_bytes(lottery)) == lottery
        over_panels += not lottery.is_best
    assert over_panels < 0.2 * 120
