"""Selection beside the peer: sortition-algorithms and Lotroom over the same pools, in one run, each as a whole process.

`python -m bench --part peer [--pools DIR] [--limit SECONDS] [--peer-sizes 200,1000,…] [--write docs/benchmarks.md]`. The peer lives in an
environment of its own (dist/peer, made by `python -m bench --install-peer`): it is no part of the program. Public pools are looked for in
`--pools` or the environment variable LOTROOM_POOLS; whatever is not there is left out, and the table says so.
"""

from __future__ import annotations

import csv
import datetime as dt
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from bench.pools import LARGE, SMALL, synthetic
from drawing.certificate import UNIT, check_fairness, percent
from drawing.fair import Field, Need, numerators, work
from drawing.lottery import gini

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "dist" / "peer"
PUBLIC = (  # folder, respondents, quotas, panel
    ("example_small_20", "respondents.csv", "categories.csv", 20),
    ("sf_fixture_150", "candidates.csv", "features.csv", 22),
    ("opendlp_monitoring_100", "respondents.csv", "categories.csv", 30),
)
ONCE_FROM = 10.0  # what takes longer is measured once
Row = dict[str, object]


def pinned() -> list[str]:
    """The peer's pinned requirements."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return [str(each) for each in groups["bench"]]


def install() -> None:
    """Make the peer's environment."""
    venv.create(PEER, with_pip=True, clear=True)
    subprocess.run([PEER / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *pinned()], check=True)


def peer_python() -> Path | None:
    """The peer's interpreter, where it is installed."""
    path = PEER / "bin" / "python"
    return path if path.exists() else None


def timed_run(words: list[str], limit: float) -> tuple[float, dict[str, object]]:
    """Whole-process wall seconds and the JSON it printed; {} where it gave none in time or failed."""
    begin = time.perf_counter()
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=limit, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return limit, {"why": f"no result in {limit:.0f} s"}
    seconds = time.perf_counter() - begin
    try:
        value: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        return seconds, {"why": f"failed: {last[:90]}"}
    return seconds, value


def medians(words: list[str], limit: float) -> tuple[float, dict[str, object]]:
    """The median of three runs, of one where it takes long."""
    seconds, value = timed_run(words, limit)
    if seconds > ONCE_FROM or "why" in value or "missing" in value:
        return seconds, value
    return statistics.median([seconds, timed_run(words, limit)[0], timed_run(words, limit)[0]]), value


def for_the_peer(folder: Path, respondents: Path, quotas: Path) -> tuple[Path, Path]:
    """The same pool with the peer's header titles and an identity column."""
    with quotas.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        titles = reader.fieldnames or []
        feature = "category" if "category" in titles else "feature"
        value = "value" if "value" in titles else "name" if "name" in titles else "feature"
        rows = [(row[feature], row[value], row["min"], row["max"]) for row in reader]
    wanted = list(dict.fromkeys(row[0] for row in rows))
    own = (folder / "peer-people.csv", folder / "peer-quotas.csv")
    with own[1].open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("feature", "value", "min", "max"), *rows])
    with respondents.open(newline="", encoding="utf-8-sig") as source, own[0].open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["bench_id", *wanted])
        writer.writerows([n, *(row[each] for each in wanted)] for n, row in enumerate(csv.DictReader(source), 1))
    return own


def assembly(name: str, people: int, respondents: Path, quotas: Path, panel: int, folder: Path, limit: float) -> list[Row]:
    """One pool: the peer's algorithms, then leximin/1."""
    rows: list[Row] = []

    def row(who: str, seconds: float, found: dict[str, object], smallest: str = "smallest") -> None:
        note = str(found.get("why") or (f"needs {found['missing']}" if "missing" in found else ""))
        rows.append(
            {"pool": name, "people": people, "who": who, "seconds": None if "missing" in found else round(seconds, 3),
             "smallest": found.get(smallest), "gini": found.get("gini"), "ratio": found.get("ratio"), "note": note}
        )  # fmt: skip

    python = peer_python()
    if python is not None:
        files = for_the_peer(folder, respondents, quotas)
        for algorithm in ("leximin", "maximin", "legacy"):
            words = [str(python), str(ROOT / "bench" / "peer_run.py"), str(files[0]), str(files[1]), str(panel), algorithm]
            row(f"peer {algorithm.upper()}", *medians(words, limit))
    words = [sys.executable, "-m", "server", "chances", "--respondents", str(respondents), "--categories", str(quotas)]
    row("leximin/1", *medians([*words, "--panel", str(panel), "--json"], limit), smallest="smallest_chance")
    return rows


def committee_as_assembly(field: Field, need: Need, folder: Path, size: int) -> tuple[Path, Path]:
    """A synthetic pool as two csv files: main profession (the first seat), site, recent. Employers are left out: quotas cannot say them."""
    people, quotas = folder / f"people-{size}.csv", folder / f"quotas-{size}.csv"
    with people.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("profession", "site", "recent"))
        words = [(f"p{kind.seats[0]}", f"s{kind.site}", "yes" if kind.recent else "no") for kind in field.types]
        writer.writerows(words[kind] for kind in field.type_numbers)
    panel = sum(need.counts)
    rows: list[tuple[str, str, int, int]] = [("profession", f"p{seat}", count, count) for seat, count in enumerate(need.counts)]
    rows += [("site", f"s{site}", int(site in need.sites), panel) for site in (-1, 0, 1)]
    rows += [("recent", "no", 0, panel), ("recent", "yes", 0, need.recent_left)]
    with quotas.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("feature", "value", "min", "max"), *rows])
    return people, quotas


def median_of(times: int, work_of: Callable[[], object]) -> float:
    """Processor seconds: what others do on the machine at the time is not counted."""
    spent = []
    for _ in range(times):
        begin = time.process_time()
        work_of()
        spent.append(time.process_time() - begin)
    return statistics.median(spent)


def committee(name: str, field: Field, need: Need) -> list[Row]:
    """fair/1 and uniform/1 over the whole request (all professions, one per employer, sites, recent), inside this process."""
    from server.fit import fit, with_table

    def fresh(weights: Field) -> Field:
        return Field(weights.types, weights.type_numbers, weights.employers, weights.weights)

    begin = time.process_time()
    table = fit(fresh(field), need)
    fitted = time.process_time() - begin
    rows: list[Row] = []
    for who, people in (("fair/1", with_table(field, table)), ("uniform/1", field)):
        _ = people.classes  # set-up: who works where
        exact = median_of(3, lambda people=people: numerators(fresh(people), need))  # type: ignore[misc]
        fairness = check_fairness(people, need, table)
        total = work(people, need).total
        check = median_of(3, lambda people=people: check_fairness(fresh(people), need, table))  # type: ignore[misc]
        spread = [
            (Fraction(crowd.least * UNIT, total * fairness.targets[group]), Fraction(crowd.most * UNIT, total * fairness.targets[group]))
            for group, crowd in fairness.groups.items()
        ]
        shares: dict[int, int] = {}
        for numerator in numerators(people, need):
            shares[numerator] = shares.get(numerator, 0) + 1
        rows.append(
            {"pool": name, "people": len(field.type_numbers), "who": who, "fit": round(fitted, 3) if who == "fair/1" else None,
             "exact": round(exact, 3), "check": round(check, 3), "smallest": float(fairness.smallest),
             "ratio": percent(fairness.smallest, fairness.bound), "low": percent(min(each for each, _ in spread), Fraction(1)),
             "high": percent(max(each for _, each in spread), Fraction(1)),
             "gini": float(gini((Fraction(each), number) for each, number in shares.items()))}
        )  # fmt: skip
    return rows


def measure(pools: Path | None, limit: float, sizes: list[int], folder: Path, rfc: Callable[[int, int], object]) -> dict[str, object]:
    """All rows of this part."""
    beside: list[Row] = []
    own: list[Row] = []
    left_out: list[str] = []
    if peer_python() is None:
        left_out.append("the peer is not installed: `python -m bench --install-peer` (or `make bench`) does it")
    for name, respondents, quotas, panel in PUBLIC:
        place = pools / name if pools is not None else None
        if place is None or not (place / respondents).exists():
            left_out.append(f"{name}: not there (`--pools DIR` or LOTROOM_POOLS says where the public pools are)")
            continue
        with (place / respondents).open(encoding="utf-8-sig") as stream:
            people = sum(1 for _ in csv.DictReader(stream))
        beside += assembly(name, people, place / respondents, place / quotas, panel, folder, limit)
        say(beside[-1])
    for size in sizes:
        field, need = synthetic(size)
        name = f"synthetic {size:,}"
        files = committee_as_assembly(field, need, folder, size)
        beside += assembly(name, len(field.type_numbers), *files, sum(need.counts), folder, limit)
        seconds = median_of(3, lambda field=field, need=need: rfc(len(field.type_numbers), sum(need.counts)))  # type: ignore[misc]
        beside.append({"pool": name, "people": len(field.type_numbers), "who": "RFC 3797", "seconds": round(seconds, 4), "smallest": None,
                       "gini": None, "ratio": None, "note": "no quotas, no chances"})  # fmt: skip
        own += committee(name, field, need)
        say(beside[-2])
        say(own[-2])
    for label, shape, employers in (("12 employers", SMALL, 12), ("25 employers", SMALL, 25), ("six professions", LARGE, 0)):
        field, need = synthetic(5_000, shape=shape, employers=employers)
        try:
            own += committee(f"synthetic 5,000, {label}", field, need)
        except Exception as wrong:  # a shape that cannot be counted or fitted is a result
            left_out.append(f"synthetic 5,000, {label}: {wrong}")
    return {"beside": beside, "own": own, "left_out": left_out, "load": round(os.getloadavg()[1], 1)}


def say(row: Row) -> None:
    """Progress."""
    print("  ".join(f"{key} {value}" for key, value in row.items() if value not in (None, "")), flush=True)


def versions() -> dict[str, str]:
    """What was measured, on what."""
    out = {name: importlib.metadata.version(name) for name in ("lotroom", "highspy", "numpy")}
    python = peer_python()
    if python is not None:
        for name in ("sortition-algorithms", "gurobipy"):
            code = f"import importlib.metadata as m; print(m.version({name!r}))"
            done = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)
            if done.returncode == 0:
                out[name] = done.stdout.strip()
    return out


def _shown(value: object, pattern: str = "{}") -> str:
    return "" if value is None else pattern.format(value)


def page(found: dict[str, object], machine: dict[str, object], command: str, limit: float) -> str:
    """docs/benchmarks.md."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    named = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{command}` on {today}; {machine['cores']} cores, {machine['cpu']}, Python {machine['python']}; {named}.",
        f"Load average at the end of the run: {found['load']} (the program itself keeps it near 1; more means that others were at work, and times",
        "of all rows are longer than on a machine of one's own). Nothing here passes or fails; run the command to measure your own machine.",
        "",
        "## Beside the peer",
        "",
        "The same two csv files, each algorithm as a whole process, wall seconds (median of three where a run takes less than ten seconds), in one",
        f"run. The peer is sortition-algorithms; it gets {limit:.0f} s. Smallest chance and Gini coefficient are the peer's floats and our exact",
        "numbers. LEGACY draws once and knows no chances. Synthetic pools here ask for the main profession, the site and the cap on recent people;",
        "the rule of one person per employer is left out for both, for quotas cannot say it.",
        "",
        "| pool | people | method | seconds | smallest chance | Gini | remark |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    beside: list[Row] = found["beside"]  # type: ignore[assignment]
    own: list[Row] = found["own"]  # type: ignore[assignment]
    left_out: list[str] = found["left_out"]  # type: ignore[assignment]
    for row in beside:
        ratio = f"{float(str(row['ratio'])) * 100:.2f} % of the bound" if row["ratio"] is not None else ""
        note = str(row["note"] or ratio)
        cells = (row["pool"], f"{row['people']:,}", row["who"], _shown(row["seconds"], "{:.3f}"))
        lines.append(f"| {' | '.join(map(str, cells))} | {_shown(row['smallest'], '{:.9f}')} | {_shown(row['gini'], '{:.4f}')} | {note} |")
    lines += [
        "",
        "## Whole requests",
        "",
        "Four, two and one people of three professions that overlap, one per employer, somebody from each of two sites, at most two drawn recently.",
        "Processor seconds of one process, median of three but for the fit: the work has one thread, and neighbours are not counted.",
        "`exact` is the exact chance of everybody after set-up, `certificate` the whole check of F2 and F3 in integers, without solver or numpy;",
        "`low` and `high` are the smallest and the largest chance as a share of its target.",
        "",
        "| pool | eligible | method | fit s | exact s | certificate s | smallest chance | of the bound | low | high | Gini |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in own:
        lines.append(
            f"| {row['pool']} | {row['people']:,} | {row['who']} | {_shown(row['fit'])} | {row['exact']} | {row['check']} "
            f"| {row['smallest']:.9f} | {row['ratio']} | {row['low']} | {row['high']} | {row['gini']:.4f} |"
        )
    if left_out:
        lines += ["", "Left out:", "", *(f"- {each}" for each in left_out)]
    return "\n".join(lines) + "\n"


def run(given: object, machine: dict[str, object], folder: Path, rfc: Callable[[int, int], object]) -> dict[str, object]:
    """This part: measured, printed, written."""
    pools = getattr(given, "pools", None) or (Path(os.environ["LOTROOM_POOLS"]) if "LOTROOM_POOLS" in os.environ else None)
    limit, target = float(getattr(given, "limit")), getattr(given, "write")  # noqa: B009
    sizes = [int(each) for each in str(getattr(given, "peer_sizes")).split(",") if each]  # noqa: B009
    found = measure(pools, limit, sizes, folder, rfc)
    text = page(found, machine, "make bench", limit)
    print(text)
    if target is not None:
        target.write_text(text, "utf-8")
    return found
