"""Whoever was drawn looks like whoever was not: sizes and times of what staff may open before the unsealing. Each person of the library has a twin whose
record has the same lengths, so that nothing but the draw could make a difference.
"""

from __future__ import annotations

import base64
import math
import os
import random
import shutil
import statistics
import time
import zlib
from hashlib import sha256

import pytest

from server.library.columns import COLUMNS
from server.library.demo import people
from server.library.read_sheet import read_library
from server.library.write_sheet import write_table
from tests.conftest import counts
from tests.server.desk.site import CENTRE, id_of
from tests.server.draws.site import APPROVER, CLERK, SUPERVISOR, Site
from tests.server.draws.test_approvals import begun

PEOPLE = 120
MOST_T = 4.5
OWN = ("id_number", "birthday", "gender", "phone")  # what a twin has of somebody else


@pytest.fixture(scope="module")
def site(templates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alike")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    url = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    made = Site(folder, url, url, settled=False)
    made.run(made.hall.publish_keys())
    yield made
    made.stop()


def twins(folder):
    """(record, its twin's) of everybody."""
    names = [each.alias for each in COLUMNS]
    rows = []
    for row, other in zip(people(PEOPLE, 7), people(PEOPLE, 8), strict=True):
        theirs = dict(zip(names, other, strict=True))
        rows += [row, [theirs[name] if name in OWN else cell for name, cell in zip(names, row, strict=True)]]
    write_table(folder / "library.csv", [each.title for each in COLUMNS], rows)
    records = read_library(folder / "library.csv").records
    assert len(records) == 2 * PEOPLE
    return list(zip(records[::2], records[1::2], strict=True))


async def put_in(site, pairs):
    keeper, staging = site.keeper, "5" * 32
    records = [each for pair in pairs for each in pair]
    for batch, start in enumerate(range(0, len(records), 20)):
        lines = records[start : start + 20]
        await keeper.stage_experts(CENTRE, staging, batch, base64.b64encode(zlib.compress(b"\n".join(lines))).decode())
        await keeper.keep_experts(CENTRE, staging, batch, [expert_of(each) for each in lines])

    async def rows(tx):
        for each in records:
            values = {"number_index": os.urandom(32), "record_digest": os.urandom(32), "status": "active", "added_at": tx.now}
            await tx.insert("expert", {"id": expert_of(each), "centre": CENTRE, **values}, "test")

    await site.store.write(rows, site.clock.now())


def expert_of(record):
    return sha256(record).hexdigest()[:32]


def welch(one, other):
    """Welch's t; 0 where nothing varies and nothing differs."""
    spread = math.sqrt(statistics.variance(one) / len(one) + statistics.variance(other) / len(other))
    difference = statistics.fmean(one) - statistics.fmean(other)
    return difference / spread if spread else math.copysign(math.inf, difference) if difference else 0.0


def test_pages_of_the_drawn_have_the_size_and_the_time_of_their_twins(site):
    pairs = twins(site.hall.folder)
    site.run(put_in(site, pairs))
    draw = begun(site)
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    assert site.run(hall.contribute()).waiting == "answers"
    phones = {content["phone"] for _, content in site.run(hall.messages()).values()}
    by_twin = {expert_of(a): expert_of(b) for pair in pairs for a, b in (pair, pair[::-1])}
    drawn = {expert_of(each) for pair in pairs for each in pair if any(f'"{phone}"'.encode() in each for phone in phones)}
    compared = sorted(each for each in drawn if by_twin[each] not in drawn)
    assert len(compared) >= 4
    clerk, chance = site.voter(CLERK), random.Random(draw)
    clerk.open("/library")

    def asked(expert, page):
        began = time.perf_counter()
        answer = (
            clerk.get(f"/library/experts/{expert}")
            if page == "card"
            else clerk.post(f"/library/experts/{expert}/open", (("reason", "核对"),))
        )
        took = time.perf_counter() - began
        assert answer.status == 200, answer.status
        return took, len(answer.body)

    number = counts("pairs of a drawn expert and a twin, each page", 150, 10_000)
    for page in ("card", "record"):
        found = {True: [], False: []}
        for n in range(number):
            one = compared[n % len(compared)]
            both = [(True, one), (False, by_twin[one])]
            chance.shuffle(both)
            for is_drawn, expert in both:
                found[is_drawn].append(asked(expert, page))
            if n % 500 == 499:
                clerk = site.voter(CLERK)  # a step-up lasts five minutes
                clerk.open("/library")
        times = welch([took for took, _ in found[True]], [took for took, _ in found[False]])
        sizes = welch([float(size) for _, size in found[True]], [float(size) for _, size in found[False]])
        print(f"{page}: {number} pairs, t of times {times:.2f}, t of sizes {sizes:.2f}")
        assert abs(times) < MOST_T and abs(sizes) < MOST_T, (page, times, sizes)
