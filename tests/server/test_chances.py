"""`lotroom chances`: the numbers of a commit before there is one, of two csv files, as text, JSON, table and chart."""

from __future__ import annotations

import csv
import json
import stat
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from drawing.events import Committed
from drawing.fair import Field, Need, Type, work
from drawing.lottery import parse_lottery
from drawing.proof import parse_proof
from server.__main__ import cli
from server.chances import Group, Report, _shares, decimal, of_library
from server.chart import chart
from server.folder import State
from server.library.demo import make_library
from server.library.read_sheet import read_library
from server.request import read_request
from server.texts import tell

ROOT = Path(__file__).parents[2]
WORKS = ROOT / "docs/examples/works.toml"
WANTED = {
    "smallest_chance", "largest_chance", "mean_chance", "gini", "bound", "ratio", "people", "panel", "types", "tickets", "method", "seconds",
}  # fmt: skip


def lotroom(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.csv"
    make_library(500, 3, path)
    return path


def request_by(method: str, folder: Path) -> Path:
    path = folder / f"{method[:4]}.toml"
    path.write_text(WORKS.read_text("utf-8") + f'\n[lot]\nmethod = "{method}"\n', "utf-8")
    return path


@pytest.mark.parametrize("method", ["fair/1", "uniform/1"])
def test_chances_are_those_that_the_commit_of_a_real_draw_holds(method, library, tmp_path):
    request = request_by(method, tmp_path)
    (tmp_path / "answers.csv").write_text("", "utf-8")
    done = lotroom("draw", "run", library, request, "--out", tmp_path / "draw", "--answers", tmp_path / "answers.csv")
    assert done.exit_code == 0, done.output
    events = parse_proof((tmp_path / "draw/proof.json").read_bytes()).events
    terms = next(logged.event.body.terms for logged in events if isinstance(logged.event.body, Committed))
    state = State.parse((tmp_path / "draw/ceremony.json").read_bytes())  # relative times count from the draw's own beginning
    standing = of_library(read_library(library).records, read_request(request, state.started_at))
    assert work(standing.material.roll.field, standing.need).total == terms.total
    assert standing.report.smallest == Fraction(terms.chances.smallest, terms.total)
    assert standing.report.largest == Fraction(terms.chances.largest, terms.total)
    assert standing.report.small_pool == terms.small_pool


def test_the_table_has_everybody_and_adds_up_to_the_panel(library, tmp_path):
    done = lotroom("chances", library, WORKS, "--csv", tmp_path / "t.csv", "--svg", tmp_path / "t.svg", "--lang", "en")
    assert done.exit_code == 0, done.output
    assert "private" in done.output
    assert stat.S_IMODE((tmp_path / "t.csv").stat().st_mode) == 0o600
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(Fraction(int(row["numerator"]), int(row["denominator"])) for row in rows) == 5
    for row in rows:
        exact = Fraction(int(row["numerator"]), int(row["denominator"]))
        assert row["chance"] == decimal(exact, 9)
        assert abs(exact / Fraction(row["target"]) - 1) < Fraction(5, 100)
    numbers = [row["证件号码"] for row in rows]
    assert len(set(numbers)) == len(numbers)
    assert not any(number in done.output for number in numbers)
    assert not any(number in (tmp_path / "t.svg").read_text("utf-8") for number in numbers)
    again = lotroom("chances", library, WORKS, "--csv", tmp_path / "t.csv")
    assert again.exit_code == 2  # nothing is overwritten


def test_json_has_the_exact_numbers_and_the_methods_differ_as_they_should(library):
    found = {}
    for method in ("fair/1", "uniform/1"):
        done = lotroom("chances", library, WORKS, "--method", method, "--json")
        found[method] = json.loads(done.output)
        assert WANTED - {"tickets"} <= found[method].keys()
        exact = {name: Fraction(value) for name, value in found[method]["exact"].items()}
        assert exact["mean_chance"] == Fraction(5, found[method]["people"])
        assert exact["ratio"] == exact["smallest_chance"] / exact["bound"]
        assert all(float(exact[name]) == found[method][name] for name in exact)
        assert all(people == "<10" or people >= 10 for people in found[method]["excluded"].values())
    assert found["fair/1"]["lawful_panels"] == found["uniform/1"]["lawful_panels"]
    assert found["fair/1"]["exact"]["bound"] == found["uniform/1"]["exact"]["bound"]
    assert found["uniform/1"]["ratio"] < 0.97 <= found["fair/1"]["ratio"] <= 1


def test_leximin_of_a_library_applies_only_where_quotas_can_say_the_request(library, tmp_path):
    done = lotroom("chances", library, WORKS, "--method", "leximin/1", "--lang", "en")
    assert done.exit_code == 1
    assert "method_does_not_apply" in done.output
    with library.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    seen: set[str] = set()
    kept = []
    for row in rows:
        seats = {code[:5] for code in row["评审专业"].split(";")} & {"A0801", "A0601"}
        if len(seats) == 1 and row["统一社会信用代码"] and row["统一社会信用代码"] not in seen:
            seen.add(row["统一社会信用代码"])
            kept.append(row)
    alone = tmp_path / "alone.csv"
    with alone.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    done = lotroom("chances", alone, WORKS, "--method", "leximin/1", "--json")
    assert done.exit_code == 0, done.output
    best, fair = json.loads(done.output), json.loads(lotroom("chances", alone, WORKS, "--json").output)
    assert best["is_best"]
    assert best["exact"]["bound"] == fair["exact"]["bound"]
    assert Fraction(best["exact"]["smallest_chance"]) >= Fraction(fair["exact"]["smallest_chance"])


PLAN = SimpleNamespace(
    seats=[SimpleNamespace(professions=("A",)), SimpleNamespace(professions=("B",))],
    sites=[SimpleNamespace(id="home"), SimpleNamespace(id="guest")],
)


@pytest.mark.parametrize(
    ("rows", "need", "reason"),
    [
        ([((0,), 0, False, "a"), ((0,), 0, False, "b"), ((0,), 0, True, "c")], Need((1, 0), 0), "recent"),
        ([((0,), 0, False, "a"), ((0,), 0, False, "b"), ((0,), 1, False, "c")], Need((1, 0), 1, frozenset({0})), "sites"),
        ([((0,), 0, False, "a"), ((0,), 1, False, "b"), ((1,), 0, False, "b")], Need((1, 1), 1), "employers"),
        ([((0,), 0, False, "a"), ((0,), 1, True, "b"), ((1,), 0, False, "b")], Need((1, 1), 0), "together"),
    ],
)
def test_whoever_cannot_be_drawn_is_told_which_rule_is_why(rows, need, reason):
    types = sorted({Type(seats, site, recent, 1) for seats, site, recent, _ in rows}, key=lambda t: (t.seats, t.site, t.recent))
    field = Field(tuple(types), [types.index(Type(s, site, r, 1)) for s, site, r, _ in rows], [e.encode() * 8 for *_, e in rows])
    shares, impossible = _shares(work(field, need), PLAN, need)
    assert [each.reason for each in impossible] == [reason]
    assert sum(people for numerator, people in shares if not numerator) == impossible[0].people == 1
    assert tell(f"never_{reason}", "zh") != tell(f"never_{reason}", "en")


def test_charts_are_well_formed_and_readable_on_light_and_dark_pages(library, tmp_path):
    for lang in ("zh", "en"):
        assert lotroom("chances", library, WORKS, "--svg", tmp_path / f"{lang}.svg", "--lang", lang).exit_code == 0
        text = (tmp_path / f"{lang}.svg").read_text("utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme: dark" in text
        assert not {"script", "image", "a"} & {each.tag.rpartition("}")[2] for each in root.iter()}
        bars = [each for each in root.iter() if each.get("class") == "bar"]
        assert all(300 <= float(bar.get("x") or 0) + float(bar.get("width") or 0) <= 762 for bar in bars)


def test_a_chart_escapes_names_and_draws_a_bounded_number_of_bars():
    groups = tuple(Group("<b>&", "<b>&", 1, Fraction(n, 99), Fraction(n, 99), Fraction(n, 99)) for n in range(1, 99))
    empty = Fraction(0)
    text = chart(Report("leximin/1", 2, 98, 98, groups, empty, empty, empty, empty), "en")
    root = ElementTree.fromstring(text)
    assert sum(each.get("class") == "bar" for each in root.iter()) == 60
    assert "38 more groups" in text


# Two csv files -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def assembly(tmp_path) -> tuple[Path, Path]:
    people = ["id,sex,side"] + [f"{n},{'woman' if n % 3 else 'man'},{'north' if n % 2 else 'south'}" for n in range(60)]
    (tmp_path / "r.csv").write_text("\n".join(people) + "\n", "utf-8")
    (tmp_path / "c.csv").write_text("feature,value,min,max\nsex,woman,6,6\nsex,man,6,6\nside,north,5,7\nside,south,5,7\n", "utf-8")
    return tmp_path / "r.csv", tmp_path / "c.csv"


def test_two_csv_files_give_chances_a_lottery_and_a_draw_that_can_be_done_again(assembly, tmp_path):
    words = ("chances", "--respondents", assembly[0], "--categories", assembly[1], "--panel", 12)
    done = lotroom(*words, "--json", "--lottery", tmp_path / "l.json", "--csv", tmp_path / "t.csv", "--svg", tmp_path / "t.svg")
    assert done.exit_code == 0, done.output
    value = json.loads(done.output)
    assert value.keys() >= WANTED
    assert (value["people"], value["panel"], value["types"], value["method"]) == (60, 12, 4, "leximin/1")
    assert value["exact"] == {
        "smallest_chance": "3/20", "largest_chance": "3/10", "mean_chance": "1/5", "gini": "1/6", "bound": "3/20", "ratio": "1",
    }  # fmt: skip
    assert value["is_best"]
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert sum(Fraction(int(row["numerator"]), int(row["denominator"])) for row in csv.DictReader(stream)) == 12
    lottery = parse_lottery((tmp_path / "l.json").read_bytes())
    assert lottery.is_best
    drawn = [lotroom("lottery", tmp_path / "l.json", "--seed", "07" * 32, "--json") for _ in range(2)]
    assert drawn[0].output == drawn[1].output
    named = lotroom(
        "lottery", tmp_path / "l.json", "--seed", "07" * 32, "--json", "--respondents", assembly[0], "--categories", assembly[1]
    )
    places = json.loads(named.output)["respondents"]
    assert len(set(places)) == 12
    assert sum(1 for place in places if (place - 1) % 3) == 6
    assert "签" in lotroom("lottery", tmp_path / "l.json", "--seed", "07" * 32).output
    assert lotroom("lottery", tmp_path / "l.json", "--seed", "zz").exit_code == 1
    assembly[0].write_text(assembly[0].read_text("utf-8") + "60,man,north\n", "utf-8")
    other = lotroom("lottery", tmp_path / "l.json", "--seed", "07" * 32, "--respondents", assembly[0], "--categories", assembly[1])
    assert (other.exit_code, "lottery_of_other_files" in other.output) == (1, True)


def test_the_words_of_the_report_are_there_in_both_languages(assembly):
    words = ("chances", "--respondents", assembly[0], "--categories", assembly[1], "--panel", 12)
    chinese, english = (lotroom(*words, "--lang", lang).output for lang in ("zh", "en"))
    assert "15.0000 % (3/20)" in chinese
    assert "proven" in english
    assert "{" not in chinese + english


def test_impossible_quotas_are_refused_with_what_conflicts(assembly):
    text = assembly[1].read_text("utf-8")
    assembly[1].write_text(text.replace("north,5,7", "north,11,12").replace("south,5,7", "south,1,1"), "utf-8")
    assembly[0].write_text("id,sex,side\n" + "".join(f"{n},{'woman,north' if n % 2 else 'man,south'}\n" for n in range(60)), "utf-8")
    done = lotroom("chances", "--respondents", assembly[0], "--categories", assembly[1], "--panel", 12, "--lang", "en")
    assert done.exit_code == 1
    assert "quotas_conflict" in done.output
    assert "sex=man 6–6; side=south 1–1" in done.output


def test_half_of_one_form_and_half_of_the_other_is_bad_use(assembly, library):
    assert lotroom("chances", library).exit_code == 2
    assert lotroom("chances", "--respondents", assembly[0], "--panel", 3).exit_code == 2
    assert lotroom("chances", library, WORKS, "--panel", 3).exit_code == 2
    assert lotroom("chances").exit_code == 2
