"""The lottery of `leximin/1` against brute force: all panels listed, the best chances by a simplex in fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product

import pytest

from drawing.errors import Refused
from drawing.lottery import Kind, Quota, Task, gini, lottery_bytes, parse_lottery
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
    instances = counts("leximin instances against brute force", 150, 1_500)
    for _ in range(instances):
        task = a_task(chance)
        lottery = make_lottery(task)
        assert list(lottery.chances) == leximin(task)
        assert lottery.smallest <= lottery.bound
        assert sum(each * kind.people for each, kind in zip(lottery.chances, task.kinds)) == task.panel
        assert parse_lottery(lottery_bytes(lottery)) == lottery
        over_panels += not lottery.is_best
    assert over_panels < instances / 10


def test_quotas_that_interlock_are_solved_over_whole_panels():  # spec: leximin-1
    """A triangle: each two of three features exclude each other, so half a person of each would fit but no whole ones do."""
    quotas = tuple(Quota(feature, 0, 1 if value == "in" else 3, value) for feature in range(3) for value in ("in", "out"))
    kinds = tuple(sorted((Kind(1, (0, 2, 5)), Kind(1, (0, 3, 4)), Kind(1, (1, 2, 4)), Kind(2, (1, 3, 5))), key=lambda kind: kind.values))
    task = Task(2, ("a", "b", "c"), quotas, kinds)
    lottery = make_lottery(task)
    assert list(lottery.chances) == leximin(task)
    assert not lottery.is_best
    assert lottery.smallest < lottery.bound


def test_the_same_task_gives_the_same_file():
    task = a_task(random.Random(5))
    assert lottery_bytes(make_lottery(task)) == lottery_bytes(make_lottery(task))


def an_assembly(people: int, panel: int, seed: int) -> Task:
    """A middle-sized task with tight quotas around a random panel's own numbers."""
    chance = random.Random(seed)
    sizes = (2, 4, 4, 8)
    quotas = [(feature, value) for feature, size in enumerate(sizes) for value in range(size)]
    number = {quota: n for n, quota in enumerate(quotas)}
    everybody = [
        tuple(number[f, chance.choices(range(size), [1 / (v + 1) for v in range(size)])[0]] for f, size in enumerate(sizes))
        for _ in range(people)
    ]
    seated = [sum(n in person for person in everybody[:panel]) for n in range(len(quotas))]
    limits = tuple(
        Quota(f, max(0, seated[n] - chance.randint(0, 1)), seated[n] + chance.randint(0, 1), f"v{v}") for n, (f, v) in enumerate(quotas)
    )
    kinds = tuple(Kind(everybody.count(kind), kind) for kind in sorted(set(everybody)))
    return Task(panel, tuple(f"f{n}" for n in range(len(sizes))), limits, kinds)


@pytest.mark.parametrize(("people", "panel"), [(80, 12), (150, 22), (150, 30)])
def test_a_middle_sized_assembly_reaches_the_certified_optimum_exactly(people, panel):  # spec: leximin-1
    for seed in range(counts(f"assemblies of {people}", 2, 12)):
        lottery = make_lottery(an_assembly(people, panel, seed))
        assert parse_lottery(lottery_bytes(lottery)).is_best
        assert lottery.smallest == lottery.bound


def test_a_pool_with_a_known_optimum():
    """Sixty women and thirty men for six and six: 1/10 and 1/5; with equal numbers everybody has the same and the spread is 0."""
    quotas = (Quota(0, 6, 6, "woman"), Quota(0, 6, 6, "man"))
    lottery = make_lottery(Task(12, ("sex",), quotas, (Kind(60, (0,)), Kind(30, (1,)))))
    assert lottery.chances == (Fraction(1, 10), Fraction(1, 5))
    assert (lottery.size, lottery.is_best) == (1, True)
    even = make_lottery(Task(12, ("sex",), quotas, (Kind(60, (0,)), Kind(60, (1,)))))
    assert gini(zip(even.chances, (60, 60))) == 0


@pytest.mark.parametrize(
    ("panel", "limits", "people", "code", "params"),
    [
        (3, ((1, 2), (1, 2)), (1, 1), "panel_too_large", {"panel": 3, "people": 2}),
        (2, ((2, 1), (0, 2)), (2, 2), "least_above_most", {"name": "side=v0"}),
        (2, ((2, 2), (0, 2)), (1, 2), "too_few_people", {"name": "side=v0", "least": 2, "people": 1}),
        (2, ((2, 2), (1, 2)), (2, 2), "feature_off_panel", {"name": "side", "least": 3}),
        (3, ((0, 1), (0, 1)), (2, 2), "feature_off_panel", {"name": "side", "most": 2}),
    ],
)
def test_quotas_that_cannot_be_kept_are_named(panel, limits, people, code, params):
    quotas = tuple(Quota(0, least, most, f"v{n}") for n, (least, most) in enumerate(limits))
    with pytest.raises(Refused) as refused:
        make_lottery(Task(panel, ("side",), quotas, tuple(Kind(number, (n,)) for n, number in enumerate(people))))
    assert refused.value.code == code
    assert params.items() <= refused.value.params.items()


def test_quotas_that_conflict_only_together_are_named_and_no_others():
    quotas = (Quota(0, 1, 1, "woman"), Quota(0, 1, 1, "man"), Quota(1, 1, 1, "young"), Quota(1, 1, 1, "old"), Quota(2, 0, 2, "north"))
    kinds = (Kind(2, (0, 2, 4)), Kind(2, (1, 2, 4)))  # everybody is young, but one old person is asked for
    with pytest.raises(Refused) as refused:
        make_lottery(Task(2, ("sex", "age", "side"), quotas, (*kinds, Kind(1, (1, 3, 4)))[:2]))
    assert refused.value.code == "too_few_people"
    quotas = (Quota(0, 1, 1, "woman"), Quota(0, 1, 1, "man"), Quota(1, 0, 2, "young"), Quota(1, 2, 2, "old"), Quota(2, 0, 2, "north"))
    kinds = (Kind(2, (0, 2, 4)), Kind(2, (1, 3, 4)))  # all the old are men, one man and two old people are asked for
    with pytest.raises(Refused) as refused:
        make_lottery(Task(2, ("sex", "age", "side"), quotas, kinds))
    assert refused.value.code == "quotas_conflict"
    assert "age=old 2–2" in refused.value.params["names"]
    assert "side" not in refused.value.params["names"]


def test_whom_no_panel_can_hold_has_no_chance_and_lowers_nobody_s():
    quotas = (Quota(0, 0, 0, "none"), Quota(0, 2, 2, "some"))
    lottery = make_lottery(Task(2, ("x",), quotas, (Kind(3, (0,)), Kind(4, (1,)))))
    assert lottery.chances == (0, Fraction(1, 2))
    assert lottery.smallest == lottery.bound == Fraction(1, 2)
    assert lottery.is_best
