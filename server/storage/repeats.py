"""Requests that carry a key and may come again: the key is taken before the work and the answer kept with it afterwards, for a day.

Whoever crashes in between leaves a key without an answer: the same request again is told so and does nothing. The answer lies sealed under
the request's own key, of which the database has a digest only, so that a stolen database shows no link or code that an answer had in it.
"""

from __future__ import annotations

from hashlib import blake2b

from nacl.secret import SecretBox

from drawing.canonical import TH
from drawing.errors import Refused
from server.storage.tx import Tx

KEPT_SECONDS = 86_400
_PENDING = b""


def _name(person: str, key: str) -> str:
    return TH("lotroom/v1/repeat", person.encode(), key.encode()).hex()


def _box(person: str, key: str) -> SecretBox:
    return SecretBox(blake2b(f"{person}\n{key}".encode(), digest_size=32, person=b"lotroom-repeat").digest())


async def begin(tx: Tx, person: str, key: str, digest: bytes) -> bytes | None:
    """None where the key was free, and is taken now; else the answer that this request got.

    Raises Refused `key_of_another_request`, `key_pending`.
    """
    await tx.remove("idempotency", {"at <": tx.now - KEPT_SECONDS})
    name = _name(person, key)
    found = await tx.one("idempotency", person=person, request_key=name)
    if found is None:
        row = {"person": person, "request_key": name, "request_digest": digest, "response": _PENDING, "at": tx.now}
        await tx.put("idempotency", row)
        return None
    if found["request_digest"] != digest:
        raise Refused("key_of_another_request", "idempotency")
    if bytes(found["response"]) == _PENDING:
        raise Refused("key_pending", "idempotency")
    return bytes(_box(person, key).decrypt(bytes(found["response"])))


async def end(tx: Tx, person: str, key: str, answer: bytes) -> None:
    """Keep the answer."""
    await tx.set(
        "idempotency",
        {"response": bytes(_box(person, key).encrypt(answer, tx.chance(SecretBox.NONCE_SIZE)))},
        person=person,
        request_key=_name(person, key),
    )


async def free(tx: Tx, person: str, key: str) -> None:
    """Nothing was done: the key may be used again."""
    await tx.remove("idempotency", person=person, request_key=_name(person, key))
