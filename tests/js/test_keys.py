"""A contributor's browser beside `server.contribute`: the same orders are answered with the same bytes, and the same ones are refused."""

from __future__ import annotations

import json
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from drawing import vrf
from drawing.canonical import dumps
from drawing.events import Contributed, RoundContributed
from drawing.keys import keys_bytes, parse_keys
from drawing.model import shape_of
from server.contribute import RoundAsked, contribute
from server.key_refusals import IN_BROWSER
from server.keyfiles import from_secrets, parse_key, write_key
from tests.conformance.histories import Setting, dried, successor, widened
from tests.conftest import counts
from tests.scenario import World
from tests.server.test_contribute import NAME, committed, order_of, quorum
from tools.make_texts import texts_module

ROOT = Path(__file__).parents[2]


class Answerer:
    def __init__(self):
        self.process = subprocess.Popen(
            ["node", str(ROOT / "tests/js/answer.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, world, order, *, keys=b"", pinned=b"", nth=1, name=NAME):
        holder = world.holders[name]
        key = from_secrets(name, "contributor", holder.body, holder.secret("sign"), holder.secret("vrf"), b"")
        given = {"keys": (keys or world.keys()).decode(), "nth": nth, "order": order.to_bytes().decode(), "pinned": pinned.decode()}
        self.process.stdin.write(json.dumps({**given, "secret": key.secret_bytes().decode()}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def browser():
    made = Answerer()
    yield made
    made.process.stdin.close()
    made.process.stdout.close()
    made.process.wait(10)


def ours(world, order, folder):
    holder = world.holders[NAME]
    key = from_secrets(NAME, "contributor", holder.body, holder.secret("sign"), holder.secret("vrf"), b"")
    path = folder / "c.key"
    write_key(key, path)
    return contribute(order, key, path, parse_keys(world.keys()))


def test_the_browser_answers_with_the_same_bytes(browser, tmp_path):
    world = committed()
    order = order_of(world, quorum(world))
    made = ours(world, order, tmp_path)
    assert browser(world, order)["made"] == dumps({"type": "contributed", **shape_of(Contributed).write(made)}).decode()


def test_it_answers_a_replacement_round_with_the_same_bytes(browser, tmp_path):
    world = committed()
    order = replace(order_of(world, quorum(world)), round=RoundAsked(2, bytes.fromhex("0000000102000100010001")))
    made = ours(world, order, tmp_path)
    assert browser(world, order, nth=0)["made"] == dumps({"type": "round_contributed", **shape_of(RoundContributed).write(made)}).decode()


def test_it_answers_an_extension_under_the_newest_list(browser):
    world = widened(dried(Setting(116)))
    assert browser(world, order_of(world, 1)) == {"code": "commit_without_quorum"}
    assert "made" in browser(world, order_of(world, quorum(world)))


def test_it_refuses_what_lacks_the_quorum(browser):
    world = committed()
    assert browser(world, order_of(world, quorum(world) - 1)) == {"code": "commit_without_quorum"}
    assert browser(world, order_of(world, 0)) == {"code": "commit_without_quorum"}
    second = committed(second_quorum=True)
    assert browser(second, order_of(second, 3)) == {"code": "commit_without_quorum"}
    assert browser(second, order_of(second, 3, 1)) == {"code": "commit_without_quorum"}
    assert "made" in browser(second, order_of(second, 3, 3))


def test_it_refuses_another_log_another_list_and_another_leaf(browser):
    world, other = committed(), committed(seed=2)
    order = order_of(world, 3)
    assert browser(world, replace(order, log=other.log_key.vkey)) == {"code": "order_of_another_log"}
    assert browser(world, order, keys=other.keys()) == {"code": "other_key_list"}
    moved = replace(order.proof, path=(bytes(32), *order.proof.path[1:]))
    assert browser(world, replace(order, proof=moved)) == {"code": "not_in_the_tree"}
    begun = World()
    begun.open()
    assert browser(begun, order_of(begun, 3)) == {"code": "not_a_commit"}


def test_it_follows_signed_successors_of_the_list_that_it_pinned_and_nothing_else(browser):
    world = committed()
    order, further = order_of(world, 3), keys_bytes([world.key_list, successor(world)])
    assert browser(world, order)["how"] == "first"
    assert browser(world, order, pinned=world.keys())["how"] == "same"
    assert browser(world, order, pinned=world.keys(), keys=further)["how"] == "further"
    assert browser(world, order, pinned=further, keys=world.keys())["how"] == "same"  # an older copy takes nothing back
    forged = replace(world.key_list, entries=tuple(replace(each, held="operator") for each in world.key_list.entries))
    assert browser(world, order, pinned=world.keys(), keys=keys_bytes([forged])) == {"code": "list_not_a_successor"}


def test_a_contributor_whom_the_commit_does_not_name_gives_nothing(browser):
    world = committed()
    order = order_of(world, 3)
    name = next(name for name, holder in world.holders.items() if holder.role == "contributor" and name != NAME)
    assert "made" in browser(world, order, name=name)
    stranger = {**world.holders, "somebody/c": world.holders[NAME]}
    world.holders = stranger
    assert browser(world, order, name="somebody/c") == {"code": "not_a_contributor"}


def test_keys_made_in_the_browser_are_those_of_python():
    amount = counts("keys compared with Python's", 20, 1_000)
    chance = random.Random(5)
    cases = [(chance.randbytes(32), chance.randbytes(chance.randrange(200))) for _ in range(amount)]
    program = (
        'import { boxPublic, prove, sign, signingPublic, vrfPublic } from "./web/static/js/keys/prove.js";\n'
        'import { fromHex, hex } from "./web/static/js/verify/bytes.js";\n'
        f"for (const [seed, message] of {json.dumps([[a.hex(), b.hex()] for a, b in cases])}) {{\n"
        "  const [s, m] = [fromHex(seed), fromHex(message)];\n"
        "  console.log([signingPublic(s), sign(s, m), vrfPublic(s), prove(s, m), boxPublic(s)].map(hex).join(' '));\n}\n"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == amount
    for (seed, message), line in zip(cases, lines, strict=True):
        key = SigningKey(seed)
        made = (bytes(key.verify_key), key.sign(message).signature, vrf.public_key(seed), vrf.prove(seed, message))
        assert line == " ".join(each.hex() for each in (*made, bytes(PrivateKey(seed).public_key)))


def test_files_of_keys_are_spelled_as_in_python():
    program = (
        'import { makeKey, publicBytes, secretBytes } from "./web/static/js/keys/keyfile.js";\n'
        'import { fromUtf8 } from "./web/static/js/verify/bytes.js";\n'
        "const chance = (length) => crypto.getRandomValues(new Uint8Array(length));\n"
        'for (const role of ["supervisor", "contributor"]) {\n'
        '  const key = makeKey(role, "市公证处", "lotroom.test", chance);\n'
        "  console.log(JSON.stringify([fromUtf8(publicBytes(key)), fromUtf8(secretBytes(key))]));\n}\n"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True, cwd=ROOT, check=True)
    for line in done.stdout.splitlines():
        public, secret = json.loads(line)
        key = parse_key(secret.encode(), "key")
        assert key.public_bytes() == public.encode()
        assert parse_key(public.encode(), "key").entry().held == "body"
        assert key.secret_bytes().rstrip(b"\n") == secret.encode()


def test_every_refusal_of_the_pages_programs_has_its_text():
    codes = set()
    for path in sorted((ROOT / "web" / "static" / "js" / "keys").glob("*.js")):
        source = path.read_text("utf-8")
        codes |= set(re.findall(r'Refused\("([a-z_0-9]+)"', source))
        codes |= {code for pair in re.findall(r'\? "([a-z]+_[a-z_]+)" : "([a-z]+_[a-z_]+)"', source) for code in pair}
    known = texts_module()
    assert {"wrong_password", "commit_without_quorum", "order_of_another_log"} <= codes
    for code in codes:
        assert code in IN_BROWSER or f'"{code}": [' in known, code
    assert set(IN_BROWSER) <= codes, set(IN_BROWSER) - codes
