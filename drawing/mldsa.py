"""ML-DSA-44 signatures (FIPS 204, pure, empty context): the one place that touches a library for them.

The library is imported where a signature is judged and nowhere else: whoever lacks it verifies all the rest, and is told that this was skipped.
"""

from __future__ import annotations

from drawing.errors import Refused

PUBLIC_BYTES, SIGNATURE_BYTES = 1_312, 2_420


def verify_mldsa(public: bytes, message: bytes, signature: bytes) -> None:
    """Raises Refused `bad_signature` unless the signature is valid, and `no_mldsa_library` where cryptography (50 or newer) is missing or was
    built without ML-DSA: then nothing is known either way.
    """
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Refused("bad_signature", "")
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    except ImportError:
        raise Refused("no_mldsa_library", "") from None
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except UnsupportedAlgorithm:
        raise Refused("no_mldsa_library", "") from None
    except (InvalidSignature, ValueError):
        raise Refused("bad_signature", "") from None
