"""Making a key together: honest, silent and cheating dealers, boards that differ, a node that was away."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from drawing.beacon import verify_round
from drawing.errors import Refused
from server.beacon.group import Group, make_group
from server.beacon.setup import (
    Board,
    Complaint,
    Confirmation,
    Deal,
    Justification,
    Message,
    Outcome,
    Party,
    agreement,
    evaluate_board,
    followed,
    in_time,
    parse_message,
)
from server.beacon.shares import ORDER, combine, commitments, evaluate, partial_fits, public_share, scalar, share_fits, sign_partial
from server.keyfiles import KeyFile, make_key
from tests.conftest import counts

NODES = 5


def group_of(count: int) -> tuple[Group, list[KeyFile]]:
    keys = [make_key("node", body=f"body {n}") for n in range(count)]
    group = make_group([(key, f"http://127.0.0.1:{18_000 + n}") for n, key in enumerate(keys)], name="t", period=3, setup_at=1000, phase=10)
    return group, sorted(keys, key=lambda key: key.public)


class Room:
    """Nodes in one room: what is said is heard by all, unless a test takes it away or puts something else."""

    def __init__(self, count: int = NODES, seed: int = 1) -> None:
        self.group, keys = group_of(count)
        chance = random.Random(seed)
        self.parties = [Party(self.group, n, key.sign, key.box_secret) for n, key in enumerate(keys, 1)]
        self.polynomials = [tuple(scalar(chance.randbytes(48)) for _ in range(self.group.threshold)) for _ in keys]
        self.boards = [Board(self.group) for _ in keys]

    def tell(self, message: Message, to: list[int] | None = None) -> None:
        for number, board in enumerate(self.boards, 1):
            if to is None or number in to:
                board.add(parse_message(message.data, self.group))

    def deal(self, *silent: int) -> None:
        for party, polynomial in zip(self.parties, self.polynomials, strict=True):
            if party.number not in silent:
                self.tell(party.deal(polynomial))

    def bad_deal(self, number: int, victims: tuple[int, ...]) -> None:
        """A deal whose sealed shares for the victims do not fit the commitments."""
        party, polynomial = self.parties[number - 1], self.polynomials[number - 1]
        good = party.deal(polynomial).content
        other = party.deal(tuple(each + 1 for each in polynomial)).content
        assert isinstance(good, Deal)
        assert isinstance(other, Deal)
        shares = tuple(other.shares[n - 1] if n in victims else good.shares[n - 1] for n in range(1, len(self.parties) + 1))
        self.tell(party.say(replace(good, shares=shares)))

    def complain(self, *silent: int) -> None:
        for party in self.parties:
            if party.number not in silent:
                self.tell(party.complain(self.boards[party.number - 1]))

    def justify(self, *silent: int) -> None:
        for party in self.parties:
            if party.number not in silent:
                answer = party.justify(self.boards[party.number - 1], self.polynomials[party.number - 1])
                if answer is not None:
                    self.tell(answer)

    def conclude(self, *silent: int) -> list[Outcome]:
        outcomes = [evaluate_board(self.group, board) for board in self.boards]
        for party, outcome in zip(self.parties, outcomes, strict=True):
            if party.number not in silent:
                self.tell(party.confirm(outcome))
        return outcomes

    def check(self, *away: int) -> Outcome:
        """Everybody found the same; any t of those who were there sign rounds that verify; fewer cannot."""
        outcomes = self.conclude(*away)
        outcome = outcomes[0]
        assert {each.transcript for each in outcomes} == {outcome.transcript}
        shares = {}
        for party, board in zip(self.parties, self.boards, strict=True):
            if party.number not in away:
                assert agreement(self.group, board, outcome, 3)
                shares[party.number] = party.share(board, outcome)
        values = set()
        t = self.group.threshold
        for number, (node, share) in enumerate(shares.items()):
            partial = sign_partial(share, 77)
            assert partial_fits(outcome.public_shares[node - 1], 77, partial)
            assert not partial_fits(outcome.public_shares[node % len(self.parties)], 77, partial), number
        for chosen in itertools.islice(itertools.combinations(shares, t), 12):
            values.add(combine({n: sign_partial(shares[n], 77) for n in chosen}))
        assert len(values) == 1
        assert verify_round(outcome.public_key, 77, values.pop())
        fewer = list(shares)[: t - 1]
        assert not verify_round(outcome.public_key, 77, combine({n: sign_partial(shares[n], 77) for n in fewer}))
        return outcome


def test_polynomials_and_their_commitments_say_the_same():
    chance = random.Random(3)
    for _ in range(counts("polynomials shared", 20, 500)):
        coefficients = tuple(scalar(chance.randbytes(48)) for _ in range(chance.randrange(2, 5)))
        points = commitments(coefficients)
        x = chance.randrange(1, 20)
        share = evaluate(coefficients, x)
        assert share_fits(points, x, share)
        assert not share_fits(points, x + 1, share)
        assert not share_fits(points, x, share + ORDER)
    assert public_share([points], 0) == points[0]


@pytest.mark.parametrize("count", [3, 5, 7])
def test_honest_nodes_make_a_key_that_any_t_of_them_use(count):
    room = Room(count)
    room.deal(), room.complain(), room.justify()
    outcome = room.check()
    assert (outcome.qualified, outcome.out) == (tuple(range(1, count + 1)), {})
    assert outcome.present == frozenset(range(1, count + 1))


def test_a_silent_node_has_no_part_in_the_key_and_may_still_sign():
    room = Room()
    room.deal(2), room.complain(), room.justify()
    outcome = room.check()
    assert (outcome.qualified, outcome.out) == ((1, 3, 4, 5), {2: "silent"})


def test_two_nodes_that_are_away_do_not_stop_the_others():
    room = Room()
    room.deal(2, 4), room.complain(2, 4), room.justify()
    outcome = room.check(2, 4)
    assert outcome.present == frozenset({1, 3, 5})


def test_a_bad_share_that_is_not_answered_puts_its_dealer_out():
    room = Room()
    room.deal(3)
    room.bad_deal(3, (1,))
    room.complain()
    assert room.boards[0].of(1, "complain") == (Complaint((3,), "complain"),)
    room.justify(3)
    outcome = room.check()
    assert (outcome.qualified, outcome.out) == ((1, 2, 4, 5), {3: "bad_share"})


def test_a_bad_share_that_is_shown_rightly_is_used_as_shown():
    room = Room()
    room.deal(3)
    room.bad_deal(3, (1, 2))
    room.complain(), room.justify()
    outcome = room.check()
    assert outcome.qualified == (1, 2, 3, 4, 5)


def test_a_false_complaint_is_answered_and_harms_nobody():
    room = Room()
    room.deal()
    for party in room.parties:
        room.tell(
            party.say(Complaint((1,), "complain"))
            if party.number == 4
            else party.complain(room.boards[0])
            if party.number == 1
            else party.say(Complaint((), "complain"))
        )
    room.justify()
    assert room.check().qualified == (1, 2, 3, 4, 5)


def test_t_complaints_put_a_dealer_out_whatever_it_shows():
    room = Room()
    room.deal(3)
    room.bad_deal(3, (1, 2, 4))
    room.complain(), room.justify()
    assert room.check().out == {3: "too_many_complaints"}


def test_a_wrong_answer_to_a_complaint_is_none():
    room = Room()
    room.deal(3)
    room.bad_deal(3, (1,))
    room.complain()
    answer = room.parties[2].justify(room.boards[2], room.polynomials[2])
    assert answer is not None
    assert isinstance(answer.content, Justification)
    shown = replace(answer.content.shares[0], share=bytes(31) + b"\x05")
    room.tell(room.parties[2].say(Justification("justify", (shown,))))
    assert room.check().out == {3: "bad_share"}


@pytest.mark.parametrize("spoil", ["few", "many", "infinity", "junk"])
def test_a_deal_that_is_none_needs_no_complaint(spoil):
    room = Room()
    room.deal(3)
    deal = room.parties[2].deal(room.polynomials[2]).content
    assert isinstance(deal, Deal)
    points = {
        "few": deal.commitments[:-1],
        "many": (*deal.commitments, deal.commitments[0]),
        "infinity": (b"\xc0" + bytes(95), *deal.commitments[1:]),
        "junk": (bytes(96), *deal.commitments[1:]),
    }[spoil]
    room.tell(room.parties[2].say(replace(deal, commitments=points)))
    room.complain(), room.justify()
    assert room.check().out == {3: "bad_deal"}


def test_who_deals_twice_is_out_and_both_deals_prove_it():
    room = Room()
    room.deal()
    room.tell(room.parties[1].deal(room.polynomials[0]))
    assert len(room.boards[4].of(2, "deal")) == 2
    room.complain(), room.justify()
    assert room.check().out == {2: "two_deals"}


def test_fewer_than_t_good_dealers_end_it_clearly():
    room = Room()
    room.deal(1, 2, 3)
    room.complain(), room.justify()
    with pytest.raises(Refused) as refused:
        evaluate_board(room.group, room.boards[3])
    assert refused.value.code == "too_few_dealers"
    assert refused.value.params["qualified"] == 2
    assert "1 silent" in str(refused.value.params["out"])


def test_boards_that_differ_end_it_and_name_who_signed_something_else():
    room = Room()
    room.deal(2)
    room.tell(room.parties[1].deal(room.polynomials[1]), to=[1, 2, 3])
    room.tell(room.parties[1].deal(room.polynomials[0]), to=[4, 5])
    room.complain(), room.justify()
    room.conclude()
    mine = evaluate_board(room.group, room.boards[0])
    with pytest.raises(Refused) as refused:
        agreement(room.group, room.boards[0], mine, 3)
    assert (refused.value.code, refused.value.params["nodes"]) == ("transcripts_differ", "4, 5")


def test_nothing_is_used_before_all_who_were_there_signed_or_t_did_and_time_passed():
    room = Room()
    room.deal(), room.complain(), room.justify()
    outcome = room.conclude(4, 5)[0]
    assert not agreement(room.group, room.boards[0], outcome, 3)
    assert not agreement(room.group, room.boards[0], outcome, 4)
    assert agreement(room.group, room.boards[0], outcome, 5)
    room = Room()
    room.deal(), room.complain(), room.justify()
    outcome = room.conclude(3, 4, 5)[0]
    assert not agreement(room.group, room.boards[0], outcome, 50)


def test_a_node_that_was_away_takes_what_t_others_signed():
    room = Room()
    room.deal(5), room.complain(5), room.justify(5)
    outcome = room.conclude(5)[0]
    seen = followed(room.group, room.boards[0])
    assert seen == outcome
    share = room.parties[4].share(room.boards[0], outcome)
    assert partial_fits(outcome.public_shares[4], 9, sign_partial(share, 9))
    few = Room()
    few.deal(5), few.complain(5), few.justify(5), few.conclude(3, 4, 5)
    assert followed(few.group, few.boards[0]) is None


def test_a_node_that_was_away_and_got_a_bad_share_cannot_sign():
    room = Room()
    room.deal(3)
    room.bad_deal(3, (5,))
    room.complain(5), room.justify()
    outcome = evaluate_board(room.group, room.boards[4])
    with pytest.raises(Refused) as refused:
        room.parties[4].share(room.boards[4], outcome)
    assert refused.value.code == "share_unusable"


def test_a_message_is_of_one_set_up_and_of_whom_it_names():
    room, other = Room(), Room()
    message = room.parties[0].deal(room.polynomials[0])
    assert parse_message(message.data, room.group) == message
    with pytest.raises(Refused) as refused:
        parse_message(message.data, other.group)
    assert refused.value.code == "other_session"
    for bad in (
        replace(message, sender=2),
        replace(message, sig=bytes(64)),
        replace(message, sender=9),
        replace(message, content=Complaint((), "complain")),
    ):
        with pytest.raises(Refused):
            parse_message(bad.data, room.group)
    for data in (b"", b"{}", b"[]", message.data + b" ", message.data.replace(b'"kind":"deal"', b'"kind":"dear"')):
        with pytest.raises(Refused):
            parse_message(data, room.group)


def test_a_message_counts_in_its_phase_alone():
    room = Room()
    deal, complaint = room.parties[0].deal(room.polynomials[0]), room.parties[0].say(Complaint((), "complain"))
    confirmation = room.parties[0].say(Confirmation("confirm", bytes(96), bytes(32)))
    assert [in_time(deal, phase) for phase in (-1, 0, 1, 2, 3)] == [False, True, False, False, False]
    assert [in_time(complaint, phase) for phase in (-1, 0, 1, 2, 3)] == [False, False, True, False, False]
    assert [in_time(confirmation, phase) for phase in (0, 2, 3, 9)] == [False, False, True, True]
    assert [room.group.phase_at(at) for at in (999, 1000, 1009.9, 1010, 1035)] == [-1, 0, 0, 1, 3]


def test_a_board_keeps_two_statements_at_most():
    room = Room()
    board = Board(room.group)
    messages = [room.parties[0].deal(room.polynomials[n]) for n in range(3)]
    assert [board.add(each) for each in (messages[0], messages[0], messages[1], messages[2])] == [True, False, True, False]


def test_groups_are_of_different_bodies_and_odd():
    for bodies, code in ((["a", "a", "b"], "nodes_of_one_body"), (["a", "b", "c", "d"], "wrong_node_count")):
        keys = [make_key("node", body=body) for body in bodies]
        with pytest.raises(Refused) as refused:
            make_group([(key, "http://h:1") for key in keys], name="t", period=3, setup_at=0, phase=1)
        assert refused.value.code == code
    keys = [make_key("node", body=body) for body in "abc"]
    for address in ("ftp://x", "http://a b", "http://h:1?x", ""):
        with pytest.raises(Refused):
            make_group([(key, address) for key in keys], name="t", period=3, setup_at=0, phase=1)
    with pytest.raises(Refused):
        make_group([(make_key("staff"), "http://h:1")], name="t", period=3, setup_at=0, phase=1)
    with pytest.raises(Refused):
        make_group([(key, "http://h:1") for key in keys], name="t", period=3, setup_at=100, phase=1, genesis_time=103)
