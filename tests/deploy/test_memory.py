"""What the embedded service costs when it has nothing to do."""

from bench import memory


def test_the_idle_service_fits_in_its_share_of_memory(tmp_path):
    rows = memory.measure(tmp_path)
    memory.show(rows)
    totals = [row for row in rows if "aim_mib" in row]
    assert len(rows) == 12 and len(totals) == 2  # supervisor, nursery, keeper, courier, web and all, twice
    assert all(row["pss_mib"] <= memory.AIM_MIB for row in totals)
    assert all(row["pss_mib"] > row["floor_mib"] for row in totals)  # it measured processes that are more than an interpreter
