"""Runs in the peer's own environment: one algorithm of sortition-algorithms over two csv files, JSON on standard output.

`python peer_run.py respondents.csv quotas.csv PANEL maximin|leximin|legacy`. The probabilities are the floats the peer computes with.
"""

import csv
import json
import sys
import time

begun = time.perf_counter()

from sortition_algorithms import core  # noqa: E402
from sortition_algorithms.committee_generation import leximin, maximin  # noqa: E402
from sortition_algorithms.features import read_in_features  # noqa: E402
from sortition_algorithms.people import read_in_people  # noqa: E402
from sortition_algorithms.settings import Settings  # noqa: E402


def main() -> None:
    """One run."""
    respondents, quotas, panel, algorithm = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with open(quotas, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        features, feature_column, _ = read_in_features(reader.fieldnames or [], list(reader), panel)
    with open(respondents, newline="", encoding="utf-8-sig") as stream:
        people_reader = csv.DictReader(stream)
        head, body = list(people_reader.fieldnames or []), list(people_reader)
    settings = Settings(id_column="bench_id", columns_to_keep=[])
    people, _ = read_in_people(head, body, features, settings, feature_column)
    if algorithm == "legacy":
        core.find_random_sample_legacy(people, features, panel, [], max_attempts=100)
        print(json.dumps({"seconds": time.perf_counter() - begun}))
        return
    if algorithm == "leximin" and not leximin.GUROBI_AVAILABLE:
        print(json.dumps({"missing": "gurobipy"}))
        return
    find = leximin.find_distribution_leximin if algorithm == "leximin" else maximin.find_distribution_maximin
    committees, probabilities, _ = find(features, people, panel, [])
    chance = dict.fromkeys(people, 0.0)
    for committee, probability in zip(committees, probabilities, strict=True):
        for person in committee:
            chance[person] += probability
    shares = sorted(chance.values())
    number, total = len(shares), sum(shares)
    spread = sum((2 * (n + 1) - number - 1) * share for n, share in enumerate(shares))
    print(json.dumps({"seconds": time.perf_counter() - begun, "smallest": shares[0], "gini": spread / (number * total)}))


main()
