"""Two csv files become a task: all header styles that are in use, and clear words for what is wrong."""

from __future__ import annotations

import pytest

from drawing.errors import Refused
from drawing.lottery import Kind, Quota
from drawing.texts import say
from server.quotas import read_assembly

PEOPLE = "id,sex,side\n1,woman,north\n2,man,south\n3,woman,north\n\n4, man ,north\n"
STYLES = {
    "category,feature": "category,feature,min,max\nsex,woman,1,2\nsex,man,0,1\nside,north,0,2\nside,south,0,2\n",
    "feature,value,flex": "feature,value,min,max,min_flex,max_flex\nsex,woman,1,2,0,3\nsex,man,0,1,0,2\nside,north,0,2,0,2\nside,south,0,2,0,2\n",
    "category,name": "category,name,suggest min,suggest max,Current #,min,max\nsex,woman,,,,1,2\nsex,man,,,,0,1\nside,north,,,,0,2\nside,south,,,,0,2\n",
    "mark, spaces, case": "\ufeffCategory, Feature ,Min,Max\n sex ,woman,1,2\nsex,man,0,1\nside,north,0,2\n\nside,south,0,2\n",
}


def files(folder, people: str, quotas: str):  # type: ignore[no-untyped-def]
    (folder / "r.csv").write_text(people, "utf-8")
    (folder / "c.csv").write_text(quotas, "utf-8")
    return folder / "r.csv", folder / "c.csv"


@pytest.mark.parametrize("style", STYLES)
def test_each_header_style_gives_the_same_task(style, tmp_path):
    assembly = read_assembly(*files(tmp_path, PEOPLE, STYLES[style]), 2)
    assert assembly.task.features == ("sex", "side")
    assert assembly.task.quotas == (Quota(0, 1, 2, "woman"), Quota(0, 0, 1, "man"), Quota(1, 0, 2, "north"), Quota(1, 0, 2, "south"))
    assert assembly.task.kinds == (Kind(2, (0, 2)), Kind(1, (1, 2)), Kind(1, (1, 3)))
    assert assembly.rows == ((0, 2), (3,), (1,))


def test_a_file_of_a_chinese_spreadsheet_is_read(tmp_path):
    (tmp_path / "r.csv").write_bytes("性别\n女\n男\n".encode("gb18030"))
    (tmp_path / "c.csv").write_bytes("feature,value,min,max\n性别,女,1,1\n性别,男,0,1\n".encode("gb18030"))
    assert read_assembly(tmp_path / "r.csv", tmp_path / "c.csv", 1).task.features == ("性别",)


GOOD = STYLES["category,feature"]


@pytest.mark.parametrize(
    ("people", "quotas", "code", "place"),
    [
        (PEOPLE.replace("man ,north", "men,north"), GOOD, "unknown_value", "r.csv 6"),
        ("sex,side,sex\nman,north,man\n", GOOD, "column_twice", "r.csv"),
        ("sex\nman\n", GOOD, "feature_column_missing", "r.csv"),
        ("sex,side\nman\n", GOOD, "unknown_value", "r.csv 2"),
        ("sex,side\n", GOOD, "empty_file", "r.csv"),
        ("", GOOD, "empty_file", "r.csv"),
        (PEOPLE, GOOD.replace("woman,1,2", "woman,3,2"), "least_above_most", "c.csv 2"),
        (PEOPLE, GOOD.replace("woman,1,2", "woman,1.5,2"), "not_an_integer", "c.csv 2 min"),
        (PEOPLE, GOOD.replace("woman,1,2", "woman,-1,2"), "not_an_integer", "c.csv 2 min"),
        (PEOPLE, GOOD.replace("woman,1,2", "woman,1,9999999999"), "out_of_range", "c.csv 2 max"),
        (PEOPLE, GOOD + "sex,man,0,1\n", "quota_twice", "c.csv 6"),
        (PEOPLE, GOOD + "sex,,0,1\n", "missing_cell", "c.csv 6"),
        (PEOPLE, GOOD.replace("min,max", "min,min"), "column_twice", "c.csv"),
        (PEOPLE, GOOD.replace("min,max", "low,high"), "quota_columns_missing", "c.csv"),
        (PEOPLE, "category,feature,min,max\n", "empty_file", "c.csv"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_in_both_languages(people, quotas, code, place, tmp_path):
    with pytest.raises(Refused) as refused:
        read_assembly(*files(tmp_path, people, quotas), 2)
    assert (refused.value.code, refused.value.place) == (code, place)
    assert say(refused.value, "zh") != say(refused.value, "en")
