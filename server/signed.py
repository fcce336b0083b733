"""Requests between us and a gateway, in either direction: signed over the time and the exact body with a secret that both have.

Lotroom-Timestamp: Unix seconds        Lotroom-Signature: v1=hex(HMAC-SHA256(secret, timestamp || "." || body))
"""

from __future__ import annotations

import hmac

TIMESTAMP, SIGNATURE = "Lotroom-Timestamp", "Lotroom-Signature"
SKEW_SECONDS = 300  # an older request is somebody's copy, or a clock is wrong


def signature_of(secret: str, at: int, body: bytes) -> str:
    """The header's value."""
    return "v1=" + hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()


def fault_of(secret: str, timestamps: list[str], signatures: list[str], body: bytes, now: int) -> str:
    """What is wrong with a request: unsigned, forged, old; nothing where it is the other side's own and new."""
    if not secret or len(timestamps) != 1 or len(signatures) != 1 or not (timestamps[0].isascii() and timestamps[0].isdigit()):
        return "unsigned"
    if len(timestamps[0]) > 12 or abs(now - int(timestamps[0])) > SKEW_SECONDS:
        return "old"
    right = signature_of(secret, int(timestamps[0]), body)
    return "" if hmac.compare_digest(right.encode(), signatures[0].encode("utf-8", "replace")) else "forged"
