"""Trees and their proofs against the recursive definitions of RFC 6962, for every size up to some dozens and for paths that belong to none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest

from drawing import merkle
from drawing.errors import Refused

Path = Sequence[bytes]
SIZES = range(1, 20)
LEAVES = [sha256(bytes([n])).digest() for n in range(40)]
OTHERS = [sha256(b"other" + bytes([n])).digest() for n in range(8)]


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below a size."""
    return max(2**n for n in range(size.bit_length()) if 2**n < size)


def root(leaves: Path) -> bytes:
    """RFC 6962 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    at = split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def inclusion(index: int, leaves: Path) -> list[bytes]:
    """RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*inclusion(index, leaves[:at]), root(leaves[at:])]
    return [*inclusion(index - at, leaves[at:]), root(leaves[:at])]


def consistency(old: int, leaves: Path, whole: bool = True) -> list[bytes]:
    """RFC 6962 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    at = split(len(leaves))
    if old <= at:
        return [*consistency(old, leaves[:at], whole), root(leaves[at:])]
    return [*consistency(old - at, leaves[at:], False), root(leaves[:at])]


def led_to(leaf: bytes, index: int, size: int, path: Path) -> bytes | None:
    """The root that an inclusion path leads to, down the tree; None where it is too long or too short."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else None
    at, last = split(size), path[-1]
    below = led_to(leaf, index, at, path[:-1]) if index < at else led_to(leaf, index - at, size - at, path[:-1])
    if below is None:
        return None
    return node(below, last) if index < at else node(last, below)


def refusal(check: Callable[..., object], *values: object) -> str:
    """The code with which something is refused; "" where it is not."""
    try:
        check(*values)
    except Refused as refused:
        return refused.code
    return ""


def test_hashes_have_their_prefixes():
    assert merkle.leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert merkle.node_hash(b"x", b"y") == sha256(b"\x01xy").digest()


def test_roots_and_proofs_are_the_recursive_ones():  # spec: log-1
    assert merkle.root([]) == merkle.Tree([]).root == merkle.EMPTY == sha256(b"").digest()
    for size in SIZES:
        leaves = LEAVES[:size]
        tree = merkle.Tree(leaves)
        assert merkle.root(leaves) == tree.root == root(leaves)
        assert merkle.levels(leaves) == tree.levels
        assert [len(level) for level in tree.levels] == [-(-size // 2**n) for n in range(len(tree.levels))]
        for index in range(size):
            assert tree.inclusion(index) == merkle.inclusion_proof(leaves, index) == inclusion(index, leaves)
        for old in SIZES[: size - 1]:
            assert merkle.consistency_proof(leaves, old) == consistency(old, leaves)


def test_there_is_no_proof_of_what_lies_outside():
    for index in (-1, 5, 6):
        assert refusal(merkle.inclusion_proof, LEAVES[:5], index) == "index_outside_tree"
    assert refusal(merkle.inclusion_proof, [], 0) == "index_outside_tree"
    assert [refusal(merkle.consistency_proof, LEAVES[:5], old) for old in (-1, 6)] == ["index_outside_tree"] * 2
    assert [merkle.consistency_proof(LEAVES[:5], old) for old in (0, 5)] == [[], []]


def test_an_inclusion_path_leads_to_one_root_and_to_none_where_it_is_too_long_or_too_short():
    for size in SIZES:
        for index in range(size):
            for length in range(7):
                path = OTHERS[:length]
                expected = led_to(LEAVES[index], index, size, path)
                if expected is None:
                    assert refusal(merkle.root_from_inclusion, LEAVES[index], index, size, path) == "path_of_wrong_length"
                else:
                    assert merkle.root_from_inclusion(LEAVES[index], index, size, path) == expected


def test_a_leaf_is_in_its_own_place_of_its_own_tree_alone():
    for size in SIZES:
        leaves = LEAVES[:size]
        for index in range(size):
            path, top = inclusion(index, leaves), root(leaves)
            merkle.check_inclusion(leaves[index], index, size, path, top)
            assert refusal(merkle.check_inclusion, leaves[index], index, size, path, OTHERS[0]) == "not_in_the_tree"
            assert refusal(merkle.check_inclusion, OTHERS[0], index, size, path, top) == "not_in_the_tree"
            assert all(refusal(merkle.check_inclusion, leaves[index], other, size, path, top) for other in range(size) if other != index)
            for at, each in enumerate(path):
                assert refusal(merkle.check_inclusion, leaves[index], index, size, [*path[:at], each[1:], *path[at + 1 :]], top)
    for index, size in ((-1, 4), (4, 4), (5, 4), (0, 0)):
        assert refusal(merkle.check_inclusion, LEAVES[0], index, size, [], LEAVES[0]) == "index_outside_tree"
    assert refusal(merkle.check_inclusion, LEAVES[0][1:], 0, 1, [], LEAVES[0][1:]) == "index_outside_tree"
    short = OTHERS[0][1:]
    assert refusal(merkle.check_inclusion, LEAVES[0], 0, 2, [short], node(LEAVES[0], short)) == "path_of_wrong_length"


def test_a_tree_extends_every_smaller_one_and_nothing_else():  # spec: log-2
    for new in SIZES:
        for old in SIZES[: new - 1]:
            path, before, after = consistency(old, LEAVES[:new]), root(LEAVES[:old]), root(LEAVES[:new])
            merkle.check_consistency(old, new, path, before, after)
            assert refusal(merkle.check_consistency, old, new, path, OTHERS[0], after) == "not_consistent"
            assert refusal(merkle.check_consistency, old, new, path, before, OTHERS[0]) == "not_consistent"
            for at, each in enumerate(path):
                changed = [*path[:at], OTHERS[1], *path[at + 1 :]]
                assert refusal(merkle.check_consistency, old, new, changed, before, after) == "not_consistent"
                assert refusal(merkle.check_consistency, old, new, [*path[:at], each[1:], *path[at + 1 :]], before, after)


def halves(old: int, new: int, path: Path, before: bytes, whole: bool = True) -> tuple[bytes, bytes]:
    """The two roots that a consistency path leads to, from the top down; `before` stands for the old tree where the path leaves it out."""
    if old == new:
        return (before, before) if whole else (path[0], path[0])
    at, last = split(new), path[-1]
    if old <= at:
        one, two = halves(old, at, path[:-1], before, whole)
        return one, node(two, last)
    one, two = halves(old - at, new - at, path[:-1], before, False)
    return node(last, one), node(last, two)


def test_a_path_too_long_or_too_short_extends_nothing_whatever_roots_are_claimed():
    """Each wrong path comes with the very roots to which a verifier that overlooks its length would compute."""
    for new in SIZES:
        for old in SIZES[: new - 1]:
            path, before = consistency(old, LEAVES[:new]), root(LEAVES[:old])
            assert halves(old, new, path, before) == (before, root(LEAVES[:new]))
            one, two = halves(old, new, path, before)
            for left, right in ((before, two), (node(OTHERS[0], one), node(OTHERS[0], two)), (before, node(two, OTHERS[0]))):
                assert refusal(merkle.check_consistency, old, new, [*path, OTHERS[0]], left, right) == "path_of_wrong_length"
            at = split(new)
            whole = old <= at
            if len(path) > 1:
                one, two = halves(old - (not whole) * at, at if whole else new - at, path[:-1], before, whole)
            assert refusal(merkle.check_consistency, old, new, path[:-1], one, two) == "path_of_wrong_length"
            assert refusal(merkle.check_consistency, old, new, [], before, before) == "path_of_wrong_length"


def test_equal_sizes_need_equal_roots_and_no_path_and_an_empty_tree_proves_nothing():
    merkle.check_consistency(5, 5, [], OTHERS[0], OTHERS[0])
    assert refusal(merkle.check_consistency, 5, 5, [], OTHERS[0], OTHERS[1]) == "not_consistent"
    assert refusal(merkle.check_consistency, 5, 5, [OTHERS[2]], OTHERS[0], OTHERS[0]) == "not_consistent"
    for old, new in ((0, 0), (0, 5), (-1, 5), (6, 5)):
        assert refusal(merkle.check_consistency, old, new, [], merkle.EMPTY, merkle.EMPTY) == "sizes_disordered"
    short = OTHERS[0][1:]
    assert refusal(merkle.check_consistency, 1, 2, [short], LEAVES[0], node(LEAVES[0], short)) == "path_of_wrong_length"
    with pytest.raises(Refused):
        merkle.check_consistency(3, 4, [], LEAVES[0], LEAVES[0])
