"""Names given to the service on every way that there is today, then looked for in all that it leaves: files, logs, backups, memory."""

import os
import time

import pytest

from server.auth.model import Role
from server.forgetting import FORGET_SECONDS
from server.keeper.verbs import At, Field
from tests.server.desk.site import CENTRE, id_of
from tests.server.keeper.house import LOGIN
from tests.server.service.canaries import CANARIES, FORMS, hits, hits_in
from tests.server.service.machine import running
from tests.server.service.people import People
from tests.server.service.test_backup import back_up, key_file
from tests.server.service.test_killed import of

NEW = "Ferry lantern quietly orbits 77"


def memory(pid):
    """Everything that the process could write: heap, stacks, what is mapped for it alone."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as whole:
        for line in maps:
            span, rights, *rest = line.split()
            if "w" not in rights or (len(rest) > 3 and rest[3] in ("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            whole.seek(begin)
            try:
                yield whole.read(end - begin)
            except OSError:
                continue


def hits_in_memory(pid, forms=FORMS):
    looked, found = 0, set()
    for part in memory(pid):
        looked += len(part)
        found |= hits(part, forms)
    return looked, found


def use(service, people):
    """Each way by which a name, a number, a phone, an employer reaches the service."""
    name, second, phone, number, employer, quoted = CANARIES
    fields = [Field("name", "name", "e1", "person", name.encode()), Field("phone", "equal", "e1", "person", phone.encode())]
    fields += [Field("number", "equal", "e1", "person", number.encode()), Field("employer", "none", "e1", "person", employer.encode())]
    people.run(people.keeper.seal_fields(f"person:{CENTRE}:e1", fields))
    people.run(people.keeper.seal_fields(f"draw:{CENTRE}:d1", [Field("seat-0", "none", "d1", "draw", second.encode())], least=2))
    people.settle("he.xiaowen", Role.DRAW_CLERK, passkey=True)

    async def opened():
        keeper = people.keeper
        asked = await keeper.login_challenge(id_of("he.xiaowen"))
        token = await keeper.check_passkey(asked.challenge, people.keys["he.xiaowen"].get(asked.options), LOGIN)
        got = await keeper.open_fields(token, LOGIN, quoted, [At("name", "e1", "person"), At("phone", "e1", "person")])
        assert got == [name.encode(), phone.encode()]
        assert await keeper.search_names(token, LOGIN, CENTRE, name) == ["e1"]
        assert await keeper.blind_index("person", "phone", phone.encode()) == ["e1"]

    people.run(opened())
    # an invitation, through the pages
    admin = people.visitor().as_("sun.xitong")
    admin.open("/people")
    answer = admin.post("/people", (("name", name), ("new_account", "xin.ren"), ("centre", CENTRE)))
    assert answer.status == 200, answer.text[-600:]
    code = answer.text.split("/invitation/")[1][:43]
    guest = people.visitor()
    guest.open(f"/invitation/{code}")
    answer = guest.post(f"/invitation/{code}", (("new", NEW),))
    assert answer.status in (200, 303), answer.text[-600:]
    # what somebody types in the wrong place, or tries
    for text in CANARIES:
        visitor = people.visitor()
        visitor.open("/sign-in")
        assert visitor.post("/sign-in", (("account", text), ("password", text))).status in (422, 429)
        assert visitor.post("/sign-in", (("account", "he.xiaowen"), ("password", text), (text, text))).status in (400, 422, 429)
        admin.post("/people", (("name", text * 9), ("new_account", text), ("centre", text)))
        admin.get(f"/people?{_query(text)}")
        admin.get(f"/{_query(text)}", **{"User-Agent": text.encode().decode("latin-1"), "X-Name": text.encode().decode("latin-1")})
        service.get("/", **{"Accept-Language": "zh", "Cookie": f"name={_query(text)}", "Referer": f"http://x/{_query(text)}"})
        people.ask("POST", "/api/status", text.encode(), {"Content-Type": "application/json"})
    assert admin.get("/people").status == 200


def _query(text):
    from urllib.parse import quote

    return "q=" + quote(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of another process")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_name_is_in_files_logs_backups_or_the_memory_of_the_web_process(tmp_path, engine, request):
    cluster = request.getfixturevalue("cluster") if engine == "postgresql" else None
    with running(tmp_path / "d", of(cluster) if cluster else None, real=True) as service:
        with People(service, service.console) as people:
            use(service, people)
        back_up(service, tmp_path / "backups", key_file(tmp_path))
        time.sleep(FORGET_SECONDS + 1)
        for path in ("/", "/status", "/sign-in", "/verify"):  # others come after
            assert service.get(path)[0] == 200
        looked = {}
        for role, pid in {"supervisor": service.process.pid, **service.pids()}.items():
            if role != "keeper":  # which has them to seal and to open
                looked[role], found = hits_in_memory(pid)
                assert not found, (role, found)
        places = [tmp_path / "d", tmp_path / "backups", service.out, *([cluster.folder, cluster.log] if cluster else [])]
        assert not hits_in(*places), hits_in(*places)  # as it lies there while the service runs, write-ahead logs and all
        service.stop()
        assert not hits_in(*places), hits_in(*places)
    print(f"{len(FORMS)} forms of {len(CANARIES)} canaries: 0 in files, logs and a backup, 0 in memory ({looked} bytes)")
