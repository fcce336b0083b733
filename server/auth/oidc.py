"""Signing in at an organisation's own identity provider: OpenID Connect, code flow with PKCE (OpenID Connect Core 3.1, RFC 7636, RFC 9207).

The provider's word stands for a password and for nothing more: the second factor is ours. It may bring roles by its groups, never those of
people who check on the centre. Signatures are RS256 by a key of the provider's own list; what else a header proposes is not looked at.
Nothing a provider sends is followed blindly: addresses come from its discovery document, are on the issuer's scheme, and answers are bounded.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard
from urllib.parse import quote, urlencode, urlsplit

from drawing.errors import Refused
from server.auth.logins import token, token_hash
from server.auth.model import NEVER_AUTOMATIC, NEVER_GRANTED, CentreId, Grant, Role, check_grants
from server.auth.people import Account

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey  # imported where a token comes: 14 MiB that a service without a provider does without

MOST_ANSWER, MOST_TOKEN = 65_536, 16_384  # bytes
SKEW = 60  # seconds that clocks may differ
FRESH = 600  # an ID token older than this was not made for this sign-in
PENDING_SECONDS = 600
KEYS_AGAIN = 60  # at most one look at the key list per minute, however many unknown keys are named
METADATA_AGAIN = 86_400
LEAST_BITS = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Http(Protocol):
    """The way out. No redirects, a deadline, at most MOST_ANSWER bytes. Raises OSError or TimeoutError where nobody answers."""

    async def get(self, url: str) -> Answer: ...

    async def post(self, url: str, form: Mapping[str, str], authorization: str) -> Answer:
        """`authorization` as the header, or "" for none."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """One provider. `roles`: group -> (role, centre). `insecure_loopback` allows http to this machine, for tests and demonstrations."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    roles: Mapping[str, tuple[Role, CentreId]] = field(default_factory=dict)
    groups_claim: str = "groups"
    scopes: tuple[str, ...] = ("openid",)
    insecure_loopback: bool = False


def check_settings(settings: Settings) -> None:
    """Raises Refused; called at start-up."""
    for address in (settings.issuer, settings.redirect_uri):
        _check_address(address, settings)
    if not settings.client_id or "openid" not in settings.scopes:
        raise Refused("provider_settings", "client_id")
    for group, (role, _) in settings.roles.items():
        if role in NEVER_AUTOMATIC | NEVER_GRANTED:
            raise Refused("provider_role", group, role=role.value)


def grants_of(groups: Iterable[str], settings: Settings) -> frozenset[Grant]:
    """The roles that groups bring. Never one of NEVER_AUTOMATIC, whatever the settings say. Raises Refused for roles that exclude each other."""
    found = (settings.roles[group] for group in groups if group in settings.roles)
    grants = frozenset(Grant(role, centre) for role, centre in found if role not in NEVER_AUTOMATIC | NEVER_GRANTED)
    check_grants((grant.role for grant in grants), "groups")
    return grants


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way, kept by the hash of its state and taken once. `browser` is the hash of a cookie of the browser that began it."""

    state: bytes
    browser: bytes
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    then: str  # the path to go on to
    expires: int


class Pendings(Protocol):
    """The port."""

    async def add(self, pending: Pending) -> None: ...

    async def take(self, state: bytes) -> Pending | None:
        """Delete and return it: one caller of any number gets it, all others None."""
        ...


class Subjects(Protocol):
    """The port: accounts by the provider's own name for a person. Names and mail addresses are never compared: they are given to others again."""

    async def account(self, issuer: str, subject: str) -> Account | None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    issuer: str
    subject: str
    groups: tuple[str, ...]
    then: str


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool  # RFC 9207: answers carry `iss`
    read_at: int


class Provider:
    """One provider as this process knows it. The only state is what was read from it: its addresses and its keys."""

    def __init__(self, settings: Settings, http: Http) -> None:
        check_settings(settings)
        self.settings, self._http = settings, http
        self._metadata: _Metadata | None = None
        self._keys: dict[str, RSAKey] = {}
        self._keys_at = -KEYS_AGAIN

    async def begin(self, browser_secret: str, then: str, chance: bytes, now: int) -> tuple[str, Pending]:
        """Where to send the browser, and what to keep. `chance`: 96 random bytes. Raises Refused."""
        if len(chance) != 96:
            raise ValueError("state, nonce and verifier have 256 bits each")
        metadata = await self._known(now)
        (state, hashed), (nonce, _), (verifier, _) = (token(chance[at : at + 32]) for at in (0, 32, 64))
        browser = token_hash(browser_secret)
        if browser is None or not _is_own_path(then):
            raise Refused("provider_answer", "begin")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.settings.client_id,
                "redirect_uri": self.settings.redirect_uri,
                "scope": " ".join(self.settings.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("="),
                "code_challenge_method": "S256",
            }
        )
        pending = Pending(hashed, browser, nonce, verifier, then, now + PENDING_SECONDS)
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return metadata.authorization_endpoint + joint + query, pending

    async def finish(self, query: Mapping[str, str], browser_secret: str, pendings: Pendings, now: int) -> Identity:
        """Who the provider says it is. `query`: the parameters of the answer, none of them twice. Raises Refused.

        The pending sign-in is taken first: an answer is looked at once, right or wrong.
        """
        state = token_hash(query.get("state", ""))
        pending = await pendings.take(state) if state is not None else None
        if pending is None:
            raise Refused("provider_state", "state")
        browser = token_hash(browser_secret)
        if browser is None or not hmac.compare_digest(browser, pending.browser):  # somebody else's answer, pushed into this browser
            raise Refused("provider_state", "browser")
        if now >= pending.expires:
            raise Refused("provider_late", "state")
        metadata = await self._known(now)
        if query.get("iss", self.settings.issuer if not metadata.names_itself else "") != self.settings.issuer:
            raise Refused("provider_answer", "iss")
        if "error" in query:
            said = query["error"] if re.fullmatch(r"[a-z_]{1,40}", query["error"], re.ASCII) else "error"
            raise Refused("provider_refused", "login", error=said)
        code = query.get("code", "")
        if not re.fullmatch(r"[\x21-\x7e]{1,2048}", code, re.ASCII):
            raise Refused("provider_answer", "code")
        claims = await self._claims(await self._exchange(metadata, code, pending.verifier), pending.nonce, metadata, now)
        groups = claims.get(self.settings.groups_claim, [])
        if not isinstance(groups, list) or len(groups) > 1_000:
            raise Refused("provider_token", self.settings.groups_claim)
        return Identity(self.settings.issuer, claims["sub"], tuple(each for each in groups if isinstance(each, str)), pending.then)

    async def _exchange(self, metadata: _Metadata, code: str, verifier: str) -> str:
        """The ID token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": verifier,
        }
        authorization = ""
        if self.settings.client_secret:  # RFC 6749 2.3.1
            pair = f"{quote(self.settings.client_id, safe='')}:{quote(self.settings.client_secret, safe='')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form["client_id"] = self.settings.client_id
        answer = _object(await self._ask(metadata.token_endpoint, form, authorization), "token")
        found = answer.get("id_token")
        if not isinstance(found, str) or not 0 < len(found) <= MOST_TOKEN or str(answer.get("token_type", "")).lower() != "bearer":
            raise Refused("provider_answer", "id_token")
        return found

    async def _claims(self, id_token: str, nonce: str, metadata: _Metadata, now: int) -> Mapping[str, Any]:
        """The claims of an ID token that is for us, for this sign-in, now (OpenID Connect Core 3.1.3.7). Raises Refused with the claim."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        key = await self._key(_header(id_token), metadata, now)
        try:
            claims = jwt.decode(id_token, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError, TypeError):
            raise Refused("provider_token", "signature") from None
        if claims.get("iss") != self.settings.issuer:
            raise Refused("provider_token", "iss")
        audience = claims.get("aud")
        if audience not in (self.settings.client_id, [self.settings.client_id]):  # shared with others: not ours to trust
            raise Refused("provider_token", "aud")
        if claims.get("azp", self.settings.client_id) != self.settings.client_id:
            raise Refused("provider_token", "azp")
        ends, made, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        if not _is_time(ends) or now >= ends + SKEW:
            raise Refused("provider_token", "exp")
        if not _is_time(made) or not now - FRESH - SKEW <= made <= now + SKEW:
            raise Refused("provider_token", "iat")
        if not _is_time(begins) or begins > now + SKEW:
            raise Refused("provider_token", "nbf")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise Refused("provider_token", "nonce")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not re.fullmatch(r"[\x20-\x7e]{1,255}", subject, re.ASCII):
            raise Refused("provider_token", "sub")
        return claims

    async def _key(self, header: Mapping[str, Any], metadata: _Metadata, now: int) -> RSAKey:
        if header.get("alg") != "RS256" or "crit" in header or header.get("typ", "JWT") != "JWT":  # an access token is no ID token
            raise Refused("provider_token", "alg")
        name = header.get("kid", "")
        if not isinstance(name, str):
            raise Refused("provider_token", "kid")
        if name not in self._keys and not (name == "" and len(self._keys) == 1) and now >= self._keys_at + KEYS_AGAIN:
            self._keys_at = now
            self._keys = _rsa_keys(_object(await self._ask(metadata.jwks_uri), "jwks"))
        if name == "" and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if name not in self._keys:
            raise Refused("provider_token", "kid")
        return self._keys[name]

    async def _known(self, now: int) -> _Metadata:
        """The discovery document (OpenID Connect Discovery 4)."""
        if self._metadata is not None and self._metadata.read_at <= now < self._metadata.read_at + METADATA_AGAIN:
            return self._metadata
        found = _object(await self._ask(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"), "discovery")
        if found.get("issuer") != self.settings.issuer:
            raise Refused("provider_answer", "issuer")
        for name, wanted in (
            ("code_challenge_methods_supported", "S256"),
            ("id_token_signing_alg_values_supported", "RS256"),
            ("response_types_supported", "code"),
        ):
            offered = found.get(name)
            if not isinstance(offered, list) or wanted not in offered:
                raise Refused("provider_lacks", name, wanted=wanted)
        begin, exchange, keys = (
            _check_address(found.get(name), self.settings) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        )
        self._metadata = _Metadata(begin, exchange, keys, found.get("authorization_response_iss_parameter_supported") is True, now)
        return self._metadata

    async def _ask(self, url: str, form: Mapping[str, str] | None = None, authorization: str = "") -> bytes:
        try:
            answer = await (self._http.get(url) if form is None else self._http.post(url, form, authorization))
        except (OSError, TimeoutError):
            raise Refused("provider_silent", "login") from None
        if answer.status != 200 or len(answer.body) > MOST_ANSWER:
            raise Refused("provider_answer", "status", status=answer.status)
        return answer.body


def _check_address(address: object, settings: Settings) -> str:
    """The address: https, or with `insecure_loopback` http to this machine; no user, no fragment. Raises Refused."""
    plain = address if isinstance(address, str) else ""
    try:
        parts = urlsplit(plain)
        loopback = settings.insecure_loopback and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
        good = bool(parts.hostname) and (parts.scheme == "https" or loopback) and parts.port != 0
        good = good and not parts.fragment and parts.username is None and plain.isprintable() and plain.isascii()
    except ValueError:
        good = False
    if not good:
        raise Refused("provider_address", plain[:100])
    return plain


def _is_own_path(path: str) -> bool:
    """A path of this site: what is not may lead to somebody else's."""
    return re.fullmatch(r"/(?![/\\])[A-Za-z0-9/_.?=&%-]{0,500}", path, re.ASCII) is not None


def _is_time(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 40


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key twice")
    return made


def _object(data: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(data.decode(), object_pairs_hook=_no_twice)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused("provider_answer", place)
    return value


def _header(id_token: str) -> dict[str, Any]:
    if id_token.count(".") != 2:
        raise Refused("provider_token", "format")
    first = id_token.partition(".")[0]
    try:
        data = base64.b64decode(first + "=" * (-len(first) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused("provider_token", "format") from None
    return _object(data, "header")


def _rsa_keys(found: Mapping[str, Any]) -> dict[str, RSAKey]:
    """The keys that may sign ID tokens: RSA of 2048 bits and more, for signatures."""
    listed = found.get("keys")
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    out: dict[str, RSAKey] = {}
    for each in listed[:32] if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") != "RSA":
            continue
        if each.get("use", "sig") != "sig" or each.get("alg", "RS256") != "RS256" or not isinstance(each.get("kid", ""), str):
            continue
        try:
            modulus = base64.urlsafe_b64decode(each["n"] + "=" * (-len(each["n"]) % 4))
            if int.from_bytes(modulus, "big").bit_length() >= LEAST_BITS:
                out[each.get("kid", "")] = RSAKey.import_key({"kty": "RSA", "n": each["n"], "e": each["e"]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return out
