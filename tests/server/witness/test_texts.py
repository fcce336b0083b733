"""Everything that the witness's code says or refuses has a text in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from drawing import texts as drawing_texts
from server.refusals import REFUSED
from server.texts import TEXT
from tests.conftest import ROOT

SOURCES = "".join(path.read_text("utf-8") for path in Path(ROOT / "server/witness").glob("*.py"))


def test_every_refusal_has_a_text():
    codes = set(re.findall(r'Refused\("([a-z_]+)"', SOURCES)) | set(
        re.findall(r'"(witness_(?:silent|malformed|distrusts|knows|saw_other|ahead|of)[a-z_]*)"', SOURCES)
    )
    assert {"log_behind_witness", "witness_silent", "witness_saw_other_history"} <= codes
    assert codes <= {*REFUSED, *drawing_texts.TEXT}


def test_every_difference_and_message_has_a_text():
    kinds = set(re.findall(r'Difference\([^"]*?"([a-z_]+)"', SOURCES))
    assert "wrong_map_root" in kinds
    said = set(re.findall(r'(?:say|tell)\("([a-z_]+)"', SOURCES))
    assert {f"monitor_{kind}" for kind in kinds} | said | {"waiting_witnesses"} <= set(TEXT)
