"""Signatures, proofs and points that a careless verifier would take: malleable, of small order, outside the subgroup, spelled otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256, sha512

from nacl import bindings as sodium
from py_arkworks_bls12381 import G1Point, G2Point

from drawing import randomness, vrf
from drawing.beacon import Drand
from drawing.errors import Refused
from drawing.events import Body, Committed, Contributed, Event, NoBeacon, Result, RoundContributed, Signature
from drawing.note import Checkpoint, cosigned_message, signature_line
from drawing.proof import Proof
from drawing.verify import Files
from drawing.vrf import ORDER
from tests.conformance.cases import Case, Planned
from tests.conformance.histories import BARE, listed, successor, to_the_result
from tests.lies import with_proof
from tests.scenario import Holder, World, swap

PRIME = (1 << 255) - 19
SMALL = tuple(
    bytes.fromhex(each)
    for each in (
        "0100000000000000000000000000000000000000000000000000000000000000",  # the neutral point
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
        "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)
ODD = tuple(
    bytes.fromhex(each)
    for each in (
        "0100000000000000000000000000000000000000000000000000000000000080",  # x = 0 with its sign
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # y = p
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # y = p + 1
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000",  # on no curve
    )
)
TORSION = SMALL[4]
Make = Callable[[], Case]


def number_of(data: bytes) -> int:
    return int.from_bytes(data, "little")


def scalar(value: int) -> bytes:
    return (value % ORDER).to_bytes(32, "little")


def base(value: int) -> bytes:
    return bytes(sodium.crypto_scalarmult_ed25519_base_noclamp(scalar(value))) if value % ORDER else SMALL[0]


def plus(one: bytes, two: bytes) -> bytes:
    return bytes(sodium.crypto_core_ed25519_add(one, two))


def secret_scalar(seed: bytes) -> int:
    wide = bytearray(sha512(seed).digest()[:32])
    wide[0] &= 248
    wide[31] = (wide[31] & 127) | 64
    return number_of(bytes(wide))


# Ed25519 ----------------------------------------------------------------------------------------------------------------------------------


def forged(
    secret: int,
    public: bytes,
    message: bytes,
    *,
    key_torsion: int = 1,
    nonce_torsion: bytes = b"",
    nonce: int | None = None,
    raw: bytes = b"",
) -> bytes:
    """A signature whose equation holds as far as its maker can make it: k is a multiple of `key_torsion`."""
    for counter in range(10_000):
        r = (
            number_of(sha512(b"forged" + message + public + bytes([counter & 255, counter >> 8])).digest()) % ORDER
            if nonce is None
            else nonce
        )
        point = raw or (plus(base(r), nonce_torsion) if nonce_torsion else base(r))
        k = number_of(sha512(point + public + message).digest()) % ORDER
        if k % key_torsion == 0:
            return point + scalar(r + k * secret)
        if nonce is not None and key_torsion > 1:
            break
    raise AssertionError("nothing found")


@dataclass
class Crooked(Holder):
    """A holder whose key is not what it should be."""

    point: bytes = b""
    known: int = 0
    torsion: int = 1

    @property
    def public(self) -> bytes:
        return self.point

    def sign(self, message: bytes) -> bytes:
        return forged(self.known, self.point, message, key_torsion=self.torsion)


def crooked(role: str, point: Callable[[bytes], bytes], torsion: int, *, known: bool) -> World:
    """A world where one holder's key is another point."""
    world = World()
    honest = world.holders[role]
    secret = secret_scalar(honest.secret("sign"))
    world.holders[role] = Crooked(honest.name, honest.role, honest.body, honest.seed, point(honest.public), secret if known else 0, torsion)
    entries = tuple(sorted((holder.entry for holder in world.holders.values()), key=lambda entry: entry.vkey.partition("+")[0]))
    world.key_list = replace(world.key_list, entries=entries)
    return world


def resigned(world: World, name: str, target: str, sign: Callable[[Holder, bytes], bytes]) -> World:
    """The signature of one holder under the first event of a type is made otherwise."""
    done: list[int] = []

    def retell(event: Event) -> Event:
        if event.type != target or done:
            return event
        done.append(1)
        sigs = tuple(replace(each, sig=sign(world.holders[name], event.payload)) if each.key == name else each for each in event.sigs)
        return Event(event.head, event.body, sigs)

    world.retell = retell
    return world


def malleable(times: int) -> Callable[[Holder, bytes], bytes]:
    def sign(holder: Holder, message: bytes) -> bytes:
        good = holder.sign(message)
        return good[:32] + (number_of(good[32:]) + times * ORDER).to_bytes(32, "little")

    return sign


def bent(**how: object) -> Callable[[Holder, bytes], bytes]:
    return lambda holder, message: forged(secret_scalar(holder.secret("sign")), holder.public, message, **how)  # type: ignore[arg-type]


def flip(position: int, mask: int) -> Callable[[Holder, bytes], bytes]:
    def sign(holder: Holder, message: bytes) -> bytes:
        good = bytearray(holder.sign(message))
        good[position] ^= mask
        return bytes(good)

    return sign


SIGNATURES: dict[str, Callable[[Holder, bytes], bytes]] = {
    **{f"s_plus_{n}_q": malleable(n) for n in (1, 2, 8, 14)}, "nothing": lambda holder, message: bytes(64),
    "ones": lambda holder, message: b"\xff" * 64, "r_negated": flip(31, 0x80), "s_bit": flip(40, 1), "s_high_bit": flip(63, 0x80),
    "r_and_s_exchanged": lambda holder, message: holder.sign(message)[32:] + holder.sign(message)[:32],
    "of_something_else": lambda holder, message: holder.sign(message[12:]),
    "r_neutral": bent(nonce=0), "r_neutral_spelled_otherwise": bent(nonce=0, raw=ODD[3]), "r_with_torsion": bent(nonce_torsion=TORSION),
    "r_of_order_2": bent(nonce=0, raw=SMALL[1]), "r_of_order_8": bent(nonce=0, raw=SMALL[6]), "s_zero": bent(nonce=0, raw=SMALL[0]),
}  # fmt: skip


def ed25519() -> Iterator[tuple[str, Make]]:
    for name, sign in SIGNATURES.items():
        for who, target in (("centre/staff", "opened"), ("bureau/two", "checked"), ("centre/operator", "result")):
            yield (
                f"ed25519-{name}-{target}",
                lambda sign=sign, who=who, target=target: Case(resigned(World(), who, target, sign).whole().files(openings=False), ("A3",)),  # type: ignore[misc]
            )
        yield f"ed25519-{name}-contribution", lambda sign=sign: Case(inner(sign, Contributed), ("A3",))  # type: ignore[misc]
        yield f"ed25519-{name}-round", lambda sign=sign: Case(inner(sign, RoundContributed), ("A3",))  # type: ignore[misc]
        yield f"ed25519-{name}-monitor", lambda sign=sign: Case(of_monitor(sign), ("C3",))  # type: ignore[misc]
        yield f"ed25519-{name}-map", lambda sign=sign: Case(of_map(sign), ("A3",))  # type: ignore[misc]
        yield f"ed25519-{name}-successor", lambda sign=sign: Case(of_successor(sign), ("A4",))  # type: ignore[misc]
        yield f"ed25519-{name}-cosignature", lambda sign=sign: Case(of_note(sign, cosignature=True), ("A2",))  # type: ignore[misc]
        yield f"ed25519-{name}-checkpoint", lambda sign=sign: Case(of_note(sign, cosignature=False), ("A2",))  # type: ignore[misc]
    for number, point in enumerate((*SMALL, *ODD)):
        order = 1 if number == 0 else 8

        def small(point=point, order=order) -> Case:  # type: ignore[no-untyped-def]
            return Case(crooked("centre/staff", lambda honest: point, order, known=False).whole().files(openings=False), ("A3",))

        yield f"ed25519-key_of_small_order-{number}", small
    for number, point in enumerate(SMALL[1:]):
        order = (2, 4, 4, 8, 8, 8, 8)[number]

        def mixed(point=point, order=order) -> Case:  # type: ignore[no-untyped-def]
            return Case(crooked("centre/staff", lambda honest: plus(honest, point), order, known=True).whole().files(openings=False), ())

        yield f"ed25519-key_with_torsion_and_equation-{number}", mixed

    def cofactor() -> Case:
        world = crooked("centre/staff", lambda honest: plus(honest, TORSION), 1, known=True)
        return Case(world.whole().files(openings=False), ("A3",))

    yield "ed25519-key_with_torsion_up_to_the_cofactor", cofactor


def inner(sign: Callable[[Holder, bytes], bytes], kind: type[Body]) -> Files:
    world = World(plan=BARE)

    def change(body: Body) -> Body:
        assert isinstance(body, Contributed | RoundContributed)
        draw = world.project.draw
        leaf = draw.stages[-1].leaf if isinstance(body, Contributed) else draw.commits[-1].leaf_hash
        return replace(body, sig=sign(world.holders[body.key], body.statement(leaf)))

    world.tamper = swap(kind, change)
    return world.whole(left=(0,)).files(openings=False)


def of_monitor(sign: Callable[[Holder, bytes], bytes]) -> Files:
    world = World().whole()

    def change(proof: Proof) -> Proof:
        seen = proof.monitors[0]
        return replace(
            proof, monitors=(replace(seen, sigs=(Signature("bureau/monitor", sign(world.holders["bureau/monitor"], seen.payload)),)),)
        )

    return with_proof(world.files(openings=False), change)


def of_map(sign: Callable[[Holder, bytes], bytes]) -> Files:
    """The last map leaf is logged with the operator's other signature."""
    world = to_the_result(World())
    world.answer(), world.check(), world.unseal()
    operator = world.holders["centre/operator"]
    honest = operator.sign
    log_map = world.log_map

    def last() -> None:
        operator.sign = lambda message: sign(Plain(operator, honest), message)  # type: ignore[method-assign]
        log_map()
        operator.sign = honest  # type: ignore[method-assign]

    world.log_map = last  # type: ignore[method-assign]
    world.close()
    return world.files(openings=False)


class Plain:
    """A holder with the signing that was put aside."""

    def __init__(self, holder: Holder, sign: Callable[[bytes], bytes]) -> None:
        self.secret, self.public, self.sign = holder.secret, holder.public, sign


def of_successor(sign: Callable[[Holder, bytes], bytes]) -> Files:
    world = World()
    first = world.key_list
    second = successor(world)
    payload = replace(second, sigs=()).payload
    second = replace(second, sigs=(replace(second.sigs[0], sig=sign(world.holders["bureau/one"], payload)), second.sigs[1]))
    return listed(world, first, second).whole().files(openings=False)


def of_note(sign: Callable[[Holder, bytes], bytes], *, cosignature: bool) -> Files:
    """The last checkpoint with one line made otherwise."""
    world = World().whole()
    size = max(world.notes)
    text, _, lines = world.notes[size].decode().rpartition("\n\n")
    text += "\n"
    listed_lines = lines.splitlines(keepends=True)
    if cosignature:
        key, time = world.witness_keys[1], world.clock
        listed_lines[2] = signature_line(key.vkey, time.to_bytes(8, "big") + sign(key, cosigned_message(text, time)))
    else:
        listed_lines[0] = signature_line(world.log_key.vkey, sign(world.log_key, text.encode()))
    world.notes[size] = (text + "\n" + "".join(listed_lines)).encode()
    assert Checkpoint.parse(text, "").size == size
    return world.files(openings=False)


# ECVRF ------------------------------------------------------------------------------------------------------------------------------------


def crafted(secret: bytes, alpha: bytes, *, key_torsion: bytes = b"", gamma_torsion: bytes = b"", add: int = 0) -> bytes:
    """A proof that RFC 9381's equations accept (but for `add` times q on s), whose key or Gamma has torsion."""
    number = secret_scalar(secret)
    public = plus(base(number), key_torsion) if key_torsion else base(number)
    point = vrf._encode_to_curve(public, alpha)
    gamma = bytes(sodium.crypto_scalarmult_ed25519_noclamp(scalar(number), point))
    gamma = plus(gamma, gamma_torsion) if gamma_torsion else gamma
    for counter in range(1_000):
        nonce = number_of(sha512(b"crafted" + alpha + secret + bytes([counter & 255, counter >> 8])).digest()) % ORDER
        c = vrf._challenge(public, point, gamma, base(nonce), bytes(sodium.crypto_scalarmult_ed25519_noclamp(scalar(nonce), point)))
        if number_of(c) % 8 == 0:
            return gamma + c + (number_of(scalar(nonce + number_of(c) * number)) + add * ORDER).to_bytes(32, "little")
    raise AssertionError("nothing found")


def set_gamma(point: bytes) -> Callable[[bytes, bytes], bytes]:
    return lambda secret, alpha: point + vrf.prove(secret, alpha)[32:]


PROOFS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "s_plus_q": lambda secret, alpha: crafted(secret, alpha, add=1), "s_plus_8_q": lambda secret, alpha: crafted(secret, alpha, add=8),
    **{f"gamma_with_torsion_{n}": (lambda secret, alpha, n=n: crafted(secret, alpha, gamma_torsion=SMALL[n])) for n in range(1, 8)},
    **{f"gamma_of_small_order_{n}": set_gamma(point) for n, point in enumerate(SMALL)},
    **{f"gamma_spelled_otherwise_{n}": set_gamma(point) for n, point in enumerate(ODD)},
    "nothing": lambda secret, alpha: bytes(80), "ones": lambda secret, alpha: b"\xff" * 80, "of_another_input": lambda secret, alpha: vrf.prove(secret, alpha + b"x"),
    "c_changed": lambda secret, alpha: vrf.prove(secret, alpha)[:32] + bytes(16) + vrf.prove(secret, alpha)[48:],
    "gamma_negated": lambda secret, alpha: bytes(b ^ (0x80 if n == 31 else 0) for n, b in enumerate(vrf.prove(secret, alpha))),
}  # fmt: skip


def honest_proof(secret: bytes, alpha: bytes) -> bytes:
    """Another nonce, the same beta: a lawful proof that no honest prover of RFC 9381 makes."""
    return crafted(secret, alpha)


def contributed(make: Callable[[bytes, bytes], bytes], kind: type[Body], seed: bytes = b"") -> Files:
    """One contribution is made otherwise; with a seed given, the panel's seed is that one."""
    world = World(plan=BARE)

    def change(body: Body) -> Body:
        assert isinstance(body, Contributed | RoundContributed)
        holder, draw = world.holders[body.key], world.project.draw
        leaf = draw.stages[-1].leaf if isinstance(body, Contributed) else draw.commits[-1].leaf_hash
        body = replace(body, pi=make(holder.secret("vrf"), alpha_of(world, body)))
        return replace(body, sig=holder.sign(body.statement(leaf)))

    world.tamper = swap(kind, change)
    lots = world.lots

    def lots_or_nothing() -> tuple[bytes, bytes]:
        try:
            value, right = lots()
            return value, right if world.project.draw.stages[-1].kind == "round" or not seed else seed
        except Refused:
            return bytes(80), bytes(32)  # without every beta no seed can be computed, whoever looks

    world.lots = lots_or_nothing  # type: ignore[method-assign]
    return world.whole(left=(0,)).files(openings=False)


def alpha_of(world: World, body: Contributed | RoundContributed) -> bytes:
    draw = world.project.draw
    if isinstance(body, Contributed):
        return draw.stages[-1].alpha()
    from drawing.draw import states_bytes

    return randomness.round_alpha(draw.commits[-1].leaf_hash, draw.round, states_bytes(draw.slots))


def draw_key_value(make: Callable[[bytes, bytes], bytes]) -> Files:
    """The draw key's own value of the panel is made otherwise; the seed is what would follow from it."""
    world = World()

    def change(body: Result) -> Result:
        stage = world.project.draw.stages[-1]
        pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
        return replace(body, value=make(world.secret("draw key"), randomness.last_alpha(stage.leaf, pairs)))

    world.tamper = swap(Result, change)  # type: ignore[arg-type]
    return world.whole().files(openings=False)


def crooked_vrf_key(point: Callable[[bytes], bytes], torsion: bytes) -> Files:
    """A contributor whose listed VRF key is another point, and who proves as well as that can be."""
    world = World(plan=BARE)
    key = point(vrf.public_key(world.holders["notary/c"].secret("vrf")))
    entries = tuple(replace(each, vrf=key) if each.vkey.startswith("notary/c+") else each for each in world.key_list.entries)
    world.key_list = replace(world.key_list, entries=entries)

    def tamper(body: Body) -> Body:
        if not isinstance(body, Contributed | RoundContributed) or body.key != "notary/c":
            return body
        draw, holder = world.project.draw, world.holders["notary/c"]
        leaf = draw.stages[-1].leaf if isinstance(body, Contributed) else draw.commits[-1].leaf_hash
        pi = crafted(holder.secret("vrf"), alpha_of(world, body), key_torsion=torsion) if torsion else body.pi
        body = replace(body, pk=key, pi=pi)
        return replace(body, sig=holder.sign(body.statement(leaf)))

    world.tamper = tamper
    return world.whole(left=(0,)).files(openings=False)


def crooked_draw_key(point: Callable[[bytes], bytes], torsion: bytes) -> Files:
    world = World()
    key: list[bytes] = []

    def tamper(body: Body) -> Body:
        if isinstance(body, Committed) and isinstance(body.beacon, NoBeacon):
            key[:] = [point(body.beacon.draw_key)]
            escrow = replace(body.beacon.escrow, points=(key[0], *body.beacon.escrow.points[1:]))
            return replace(body, beacon=replace(body.beacon, draw_key=key[0], escrow=escrow))
        if isinstance(body, Result) and torsion:
            stage = world.project.draw.stages[-1]
            pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
            return replace(body, value=crafted(world.secret("draw key"), randomness.last_alpha(stage.leaf, pairs), key_torsion=torsion))
        return body

    world.tamper = tamper
    return world.whole().files(openings=False)


def ecvrf() -> Iterator[tuple[str, Make]]:
    for name, make in PROOFS.items():
        yield f"ecvrf-{name}-contribution", lambda make=make: Case(contributed(make, Contributed), ("R3",))  # type: ignore[misc]
        yield f"ecvrf-{name}-round", lambda make=make: Case(contributed(make, RoundContributed), ("R3",))  # type: ignore[misc]
        yield f"ecvrf-{name}-draw_key", lambda make=make: Case(draw_key_value(make), ("R2",))  # type: ignore[misc]
    for name, rest in (("s_plus_q", ()), ("gamma_with_torsion_1", ("R4",)), ("c_changed", ("R4",))):
        yield (
            f"ecvrf-{name}-contribution_and_a_seed_of_choice",
            lambda name=name, rest=rest: Case(contributed(PROOFS[name], Contributed, bytes(32)), ("R3", *rest)),  # type: ignore[misc]
        )
    yield "ecvrf-another_nonce-contribution", lambda: Case(contributed(honest_proof, Contributed), ())
    yield "ecvrf-another_nonce-draw_key", lambda: Case(draw_key_value(honest_proof), ())
    for number, point in enumerate((*SMALL, *ODD)):
        yield f"ecvrf-key_{number}-contribution", lambda point=point: Case(crooked_vrf_key(lambda honest: point, b""), ("R3",))  # type: ignore[misc]
        yield f"ecvrf-key_{number}-draw_key", lambda point=point: Case(crooked_draw_key(lambda honest: point, b""), ("R2",))  # type: ignore[misc]
    for number, point in enumerate(SMALL[1:]):
        yield (
            f"ecvrf-key_with_torsion_{number}-contribution",
            lambda p=point: Case(crooked_vrf_key(lambda honest: plus(honest, p), p), ("R3",)),
        )  # type: ignore[misc]
        yield (
            f"ecvrf-key_with_torsion_{number}-draw_key",
            lambda p=point: Case(crooked_draw_key(lambda honest: plus(honest, p), p), ("R2",)),
        )  # type: ignore[misc]


# BLS12-381 --------------------------------------------------------------------------------------------------------------------------------

P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
R = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
Affine = tuple[int, int] | None


def unpacked(data: bytes) -> Affine:
    x = int.from_bytes(data, "big") & ((1 << 381) - 1)
    return with_x(x, bool(data[0] & 0x20))


def with_x(x: int, large: bool = False) -> Affine:
    square = (x**3 + 4) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return (x, P - y if (y > P - y) != large else y)


def packed(point: Affine) -> bytes:
    if point is None:
        return b"\xc0" + bytes(47)
    x, y = point
    head = bytearray(x.to_bytes(48, "big"))
    head[0] |= 0x80 | (0x20 if y > P - y else 0)
    return bytes(head)


def added(one: Affine, two: Affine) -> Affine:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    slope = (3 * one[0] ** 2 * pow(2 * one[1], -1, P) if one == two else (two[1] - one[1]) * pow(two[0] - one[0], -1, P)) % P
    x = (slope**2 - one[0] - two[0]) % P
    return (x, (slope * (one[0] - x) - one[1]) % P)


def times(point: Affine, number: int) -> Affine:
    total: Affine = None
    for bit in f"{number:b}":
        total = added(total, total)
        if bit == "1":
            total = added(total, point)
    return total


def off_subgroup() -> Affine:
    return next(point for x in range(1, 100) if (point := with_x(x)) is not None and times(point, R) is not None)


def with_cofactor_part(good: bytes) -> bytes:
    """The pairing equation still holds: what is added has an order prime to r."""
    return packed(added(unpacked(good), times(off_subgroup(), R)))


def x_plus_p(good: bytes) -> bytes:
    x = (int.from_bytes(good, "big") & ((1 << 381) - 1)) + P
    if x >= 1 << 381:
        return b""
    head = bytearray(x.to_bytes(48, "big"))
    head[0] |= good[0] & 0xE0
    return bytes(head)


def masked(mask: int) -> Callable[[bytes], bytes]:
    return lambda good: bytes([good[0] ^ mask]) + good[1:]


VALUES: dict[str, Callable[[bytes], bytes]] = {
    "infinity": lambda good: b"\xc0" + bytes(47), "infinity_with_sign": lambda good: b"\xe0" + bytes(47), "infinity_with_x": lambda good: b"\xc0" + bytes(46) + b"\1",
    "infinity_uncompressed": lambda good: b"\x40" + bytes(47), "negated": masked(0x20), "compression_bit_off": masked(0x80), "infinity_bit_on": masked(0x40),
    "nothing": lambda good: bytes(48), "ones": lambda good: b"\xff" * 48, "off_the_subgroup": lambda good: packed(off_subgroup()),
    "with_cofactor_part": with_cofactor_part, "on_no_curve": lambda good: next(
        bytes([0x80]) + x.to_bytes(47, "big") for x in range(1, 100) if with_x(x) is None),
    "doubled": lambda good: packed(added(unpacked(good), unpacked(good))), "of_the_generator": lambda good: bytes(G1Point().to_compressed_bytes()),
    "last_bit": lambda good: good[:-1] + bytes([good[-1] ^ 1]), "turned": lambda good: good[::-1], "x_plus_p": x_plus_p,
    "x_is_p": lambda good: bytes([0x80 | (P >> 376)]) + P.to_bytes(48, "big")[1:],
}  # fmt: skip


def beacon_value(make: Callable[[bytes], bytes], again: bool) -> Files:
    """The value of the panel, or of a round, is made otherwise; the seed follows from what is written."""
    for more in range(200):
        world = World(beacon="local" if again else "drand", plan=BARE)
        world.clock += 3 * more
        sign = world.toy.sign
        if again:
            world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
            named = world.project.draw.named
            assert named is not None
            value = make(sign(named.lots))
        else:
            world.open(), world.commit(), world.contribute()
            value = make(sign(world.project.draw.stages[0].lots))
        if not value:
            continue  # this round's x is too large for the trick: another day
        world.sign_round = lambda number, value=value: value  # type: ignore[method-assign, misc]
        if again:
            world.replace()
        else:
            world.result()
        world.sign_round = sign  # type: ignore[method-assign]
        world.finish()
        return world.files(openings=False)
    raise AssertionError("no such round")


def network_key(key: bytes, value: bytes) -> Files:
    world = World(beacon="drand")
    network = world.toy.network
    assert isinstance(network, Drand)
    other = replace(network, public_key=key)
    world.key_list = replace(world.key_list, networks=(other,))

    class Other:
        network = other

    world.toy = Other()  # type: ignore[assignment]
    world.sign_round = lambda number: value  # type: ignore[method-assign]
    return world.whole().files(openings=False)


def bls() -> Iterator[tuple[str, Make]]:
    for name, make in VALUES.items():
        for again in (False, True):
            yield (
                f"bls-{name}-{'round' if again else 'panel'}",
                lambda make=make, again=again: Case(beacon_value(make, again), ("R2",), ("curve",)),
            )  # type: ignore[misc]
    infinity = b"\xc0" + bytes(95)
    keys = {
        "infinity": infinity, "nothing": bytes(96), "ones": b"\xff" * 96, "generator": bytes(G2Point().to_compressed_bytes()),
        "infinity_with_sign": b"\xe0" + bytes(95), "any": b"\x80" + sha256(b"x").digest() * 2 + bytes(31),
    }  # fmt: skip
    for name, key in keys.items():
        yield f"bls-network_key_{name}-infinity", lambda key=key: Case(network_key(key, b"\xc0" + bytes(47)), ("R2",), ("curve",))  # type: ignore[misc]


def cases() -> Iterator[Planned]:
    for kind, family in (("ed25519", ed25519), ("ecvrf", ecvrf), ("bls", bls)):
        for name, make in family():
            yield Planned(f"curve/{name}", kind, lambda chance, make=make: make())  # type: ignore[misc]
