"""The headers of every answer (security.md 2.2), also of errors, of 304 and of streams. One place, so that no handler can forget one.

Referrer-Policy is `same-origin` and not `no-referrer`: under the latter browsers send `Origin: null` with a form (Fetch, "append a request
Origin header"), and the check of the origin would refuse every form. Nobody else's site is ever told anything by either.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from server.config import Settings

CSP: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
FEATURES = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
FIXED: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in CSP.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Permissions-Policy": ", ".join(
        [f"{name}=()" for name in FEATURES] + ["publickey-credentials-get=(self)", "publickey-credentials-create=(self)"]
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Server": "Lotroom",
}
HSTS = "max-age=63072000; includeSubDomains"


def csp(**changed: str) -> str:
    """The policy with other values, for a page that says why: underscores stand for hyphens, an empty value drops the directive."""
    policy = {**CSP, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return "; ".join(f"{name} {value}" for name, value in policy.items() if value)


def secure(headers: MutableMapping[str, str], settings: Settings) -> None:
    """Add what is not there yet: an answer may narrow its policy or, for static files, be kept."""
    for name, value in FIXED.items():
        headers.setdefault(name, value)
    headers["Server"] = FIXED["Server"]  # the library has written its own by now
    if settings.encrypted:
        headers.setdefault("Strict-Transport-Security", HSTS)
