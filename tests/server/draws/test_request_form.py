"""The request's step bar: what is typed is what the file says, step by step; the file and the form are one thing."""

from __future__ import annotations

import html
import re
import tomllib

import pytest

from server.handlers.request_steps import STEPS, shown, shown_rows, taken
from server.keeper.draw_verbs import MOST_GROUPS, ChanceGroup
from server.keeper.draws import without_few
from server.request import parse_request
from server.request_text import request_text
from tests.server.draws.site import CLERK

NOW = 1_795_600_000
PROJECT = (
    ("regime", "ZTB"), ("number", "DEMO-FORM-1"), ("name", "演示项目"), ("section", "1"), ("procedure", "open"), ("kind", "works"), ("sector", ""),
    ("budget_yuan", "48000000"), ("complex", "no"), ("social_impact", "no"), ("responsible", "演示负责人"), ("source", "演示评标专家库"),
    ("legal_ground", "招标投标法实施条例第四十六条"),
)  # fmt: skip
TIME = (("starts", "+40m"), ("days", "1"), ("remote", "no"), ("window_minutes", "15"), ("minutes_before", "60"), ("supervisors", "2"))
SEATS = (
    ("representatives", "2"), ("seat_professions", "A0801"), ("seat_count", "3"), ("seat_reserves", "1"), ("seat_site", ""), ("seat_main_only", "no"),
    ("seat_professions", "A0601"), ("seat_count", "2"), ("seat_reserves", "0"), ("seat_site", ""), ("seat_main_only", "no"),
)  # fmt: skip
LIMITS = (("method", "uniform/1"), ("recent_days", "90"), ("recent_max", "2"), ("regions", ""), ("region_reason", ""))
PARTIES = (
    ("party_role", "tenderer"), ("party_name", "演示新中造价咨询股份有限公司"), ("party_code", "91110108MA0000000A"),
    ("party_role", "supervision"), ("party_name", "演示市住房和城乡建设委员会"), ("party_code", ""),
)  # fmt: skip
WIDEN = (
    ("widen_seat", "1"),
    ("widen_professions", "A08"),
    ("widen_any_site", "no"),
    ("widen_any_region", "no"),
    ("widen_recent_max", ""),
    ("widen_reason", "专业人员不足"),
)


def carried(text):
    return html.unescape(re.search(r'name="text" value="([^"]*)"', text)[1])


def at(text):
    return re.search(r'name="step" value="(\w+)"', text)[1]


class Walk:
    def __init__(self, visitor):
        self.visitor = visitor
        self.text = visitor.open("/draws/new").text

    def send(self, *fields, go="next", status=200):
        hidden = (("step", at(self.text)), ("text", carried(self.text)), ("once", re.search(r'name="once" value="(\w+)"', self.text)[1]))
        answer = self.visitor.post("/draws/new", (*hidden, *fields, ("go", go)))
        assert answer.status == status, (answer.status, at(answer.text) if "step" in answer.text else "")
        if status in (200, 422):
            self.text = answer.text
        return answer


def filled(walk):
    for name, fields in (
        ("project", PROJECT),
        ("time", TIME),
        ("seats", SEATS),
        ("limits", LIMITS),
        ("parties", PARTIES),
        ("widen", WIDEN),
    ):
        assert at(walk.text) == name
        walk.send(*fields)
    assert at(walk.text) == "review"
    return walk


def test_what_a_request_says_is_written_and_read_again_through_the_form(site):
    sections = tomllib.loads(site.request())
    assert tomllib.loads(request_text(sections)) == sections
    for step in STEPS[:-1]:
        given = {name: (value,) for name, value in shown(step, sections).items()}
        for rows in step.rows:
            for n, column in enumerate(rows.columns):
                given[column.name] = tuple(row[n] for row in shown_rows(rows, sections))
        sections, wrong = taken(step, sections, given)
        assert not wrong
    one, two = (parse_request(each.encode(), "request", NOW) for each in (site.request(), request_text(sections)))
    assert {**one.plan()} == two.plan()
    assert one.values["parties"] == two.values["parties"] and one.values["widen"] == two.values["widen"]


@pytest.mark.parametrize("text", ['a"b\\c', "新", "tab\there", "line\nbreak", "\u2028"])
def test_any_text_survives_the_file(text):
    assert tomllib.loads(request_text({"regime": text, "project": {"name": text}})) == {"regime": text, "project": {"name": text}}


def test_a_clerk_fills_the_steps_and_the_draw_begins_once(site):
    walk = filled(Walk(site.voter(CLERK)))
    assert "未违反任何规则" in walk.text
    first = walk.send(go="begin", status=303)
    second = walk.send(go="begin", status=303)
    assert first.headers["Location"] == second.headers["Location"]
    site.run(site.hall.follow(first.headers["Location"].rpartition("/")[2]))
    site.run(site.hall.ready())


def test_a_wrong_step_is_shown_again_with_what_was_typed(site):
    walk = Walk(site.voter(CLERK))
    walk.send(*(("budget_yuan", "viel") if name == "budget_yuan" else (name, value) for name, value in PROJECT), status=422)
    assert at(walk.text) == "project" and 'value="viel"' in walk.text and "DEMO-FORM-1" in walk.text
    walk.send(*PROJECT)
    walk.send(*TIME)
    walk.send(*(("seat_professions", "Z99") if value == "A0801" else (name, value) for name, value in SEATS), status=422)
    assert at(walk.text) == "seats" and 'aria-invalid="true"' in walk.text


def test_every_rule_that_a_request_breaks_is_named_with_its_article(site):
    walk = Walk(site.voter(CLERK))
    walk.send(*PROJECT)
    walk.send(*TIME)
    walk.send(*((name, "1" if name == "representatives" else value) for name, value in SEATS))
    walk.send(*LIMITS)
    walk.send(*PARTIES[:3])
    walk.send(*WIDEN)
    assert {"C1", "C11"} <= set(re.findall(r'<span class="chip">(\w+)</span>', walk.text))
    assert "第三十七条" in walk.text or "37" in walk.text
    walk.send(go="begin", status=422)


def test_feasibility_says_enough_or_not_and_withholds_small_counts(site):
    walk = filled(Walk(site.voter(CLERK)))
    walk.send(go="feasible")
    numbers = [int(each) for each in re.findall(r'<dd class="number">(\d+)</dd>', walk.text)]
    assert numbers and min(numbers) >= 10
    chances = re.findall(r'nowrap">([0-9.]+)(?:–([0-9.]+))? %</td>', walk.text)
    assert chances and all(0 < float(low) <= float(high or low) <= 100 for low, high in chances)
    people = [int(each) for each in re.findall(r'class="right number">(\d+)</td>', walk.text)]
    assert people and min(people) >= 10 and sum(people) <= numbers[0]


def group(people, least=5, most=7):
    return ChanceGroup(f"e{people}", least, most, people, 6, f"z{people}")


@pytest.mark.parametrize(
    ("sizes", "named", "others"),
    [
        ((30, 12), (30, 12), None),
        ((30, 12, 9, 1), (30, 12), 10),
        ((30, 12, 9), (30,), 21),  # nine would follow from the sum of all
        ((9,), (), 0),
        ((3, 4), (), 0),
        ((3, 8), (), 11),
    ],
)
def test_kinds_of_few_people_are_told_together_so_that_no_small_number_follows(sizes, named, others):
    told = without_few([group(size) for size in sizes])
    assert tuple(each.people for each in told if each.zh) == named
    rest = [each for each in told if not each.zh]
    assert [each.people for each in rest] == ([] if others is None else [others])


def test_no_more_kinds_are_told_than_fit_and_the_largest_are():
    told = without_few([group(20 + n, n, 100 + n) for n in range(60)])
    assert len(told) == MOST_GROUPS and {each.people for each in told[:-1]} == set(range(41, 80))
    assert (told[-1].least, told[-1].most, told[-1].people) == (0, 120, sum(range(20, 41)))


def test_a_file_is_taken_along_and_brought_again(site):
    visitor = site.voter(CLERK)
    taken_along = filled(Walk(visitor)).send(go="take")
    answer = visitor.upload("/draws/new/file", {}, ("file", "request.toml", taken_along.body))
    assert answer.status == 200 and at(answer.text) == "review" and "DEMO-FORM-1" in answer.text
