"""A draw's sealed files, from its end to their destruction."""

from __future__ import annotations

from server.services import draws
from tests.server.desk.site import CENTRE, problem
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import caller
from tests.server.draws.test_oversight import complained, files, given_up, requested


def test_a_dry_run_has_nothing_that_must_be_kept(site):
    text = site.request()
    draw = site.run(draws.begin(site.desk, CENTRE, text.encode(), caller(site, CLERK), dry_run=True))
    site.run(site.hall.follow(draw))
    site.run(site.hall.ready())
    site.run(site.hall.attest())
    given_up(site, draw, "演练结束")
    archivist = site.voter(ARCHIVIST)
    archivist.open(f"/draws/{draw}/complaints")
    assert archivist.post(f"/draws/{draw}/files/destroy", (("gone", "演练结束"),)).status == 303


def test_files_go_when_their_time_is_over_by_an_archivist_and_the_audit_administrator(site):
    draw = requested(site, site.request())
    asker = site.voter(APPROVER)

    def ask(wait=""):
        asker.open(f"/draws/{draw}/complaints")
        answer = asker.post(f"/draws/{draw}/files/destroy", (("gone", "保存期满"),))
        assert answer.status == (422 if wait else 303), answer.text[-500:]
        assert wait in problem(answer)

    ask("尚未结束")
    given_up(site, draw, "资料不全")
    ask("保存至")
    site.house.move_clock(15 * 366 * 86_400)
    row = complained(site, draw)
    asker = site.voter(APPROVER)
    ask("冻结")
    archivist = site.voter(ARCHIVIST)
    archivist.open(f"/draws/{draw}/complaints")
    assert archivist.post(f"/draws/{draw}/complaints/lift", (("complaint", row["id"]), ("why", "处理完毕"))).status == 303
    for name in (APPROVER, OTHER):
        assert site.voter(name).vote(name).status == 303
    asker = site.voter(APPROVER)
    assert "销毁" in asker.open(f"/draws/{draw}/complaints").text
    assert site.voter(CLERK).get(f"/draws/{draw}/complaints").status == 403
    ask()
    ask("批准")
    assert site.voter(ARCHIVIST).vote(ARCHIVIST).status == 303
    assert files(site, draw)
    assert site.voter("shen.ji").vote("shen.ji").status == 303
    assert not files(site, draw)
    assert "已销毁" in site.voter(SUPERVISOR).open(f"/draws/{draw}/complaints").text
    ask("已依法销毁")
    assert site.voter(CLERK).open(f"/draws/{draw}").status == 200
