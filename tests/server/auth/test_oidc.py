"""Single sign-on against a real provider (tests/oidc), and every way in which its answer can be wrong."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
import socket
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from drawing.errors import Refused
from server.adapters.oidc_http import ClientHttp
from server.auth.logins import token
from server.auth.model import NEVER_AUTOMATIC, CentreId, Role
from server.auth.oidc import Answer, Identity, Pending, Provider, Settings, check_settings, grants_of

HERE = CentreId("1" * 32)
FOLDER = Path(__file__).parents[2] / "oidc"
REDIRECT = "http://127.0.0.1:9/signed-in"
BROWSER, OTHER_BROWSER = token(bytes(32))[0], token(bytes([1]) * 32)[0]
CHANCE = bytes(range(96))


class PendingsInMemory:
    def __init__(self) -> None:
        self.rows: dict[bytes, Pending] = {}

    async def add(self, pending: Pending) -> None:
        self.rows[pending.state] = pending

    async def take(self, state: bytes) -> Pending | None:
        return self.rows.pop(state, None)


def settings(issuer: str, **more) -> Settings:
    made = Settings(
        issuer, "lotroom", "a secret: of/the test+ client", REDIRECT, {"clerks": (Role.DRAW_CLERK, HERE)}, insecure_loopback=True
    )
    return replace(made, **more)


async def refused(code: str, awaitable, place: str = "") -> Refused:
    with pytest.raises(Refused) as caught:
        await awaitable
    assert (caught.value.code, caught.value.place) == (code, place or caught.value.place)
    return caught.value


# A real provider.


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode:
            pytest.skip("oidc-provider cannot be fetched here: " + done.stderr[-200:])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["node", str(FOLDER / "provider.mjs"), str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
async def http() -> AsyncIterator[ClientHttp]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield ClientHttp(session)


async def as_browser(url: str, who: str) -> Mapping[str, str]:
    """Sign in at the provider's own pages as a person does; the parameters it sends back."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        form = None
        for _ in range(12):
            async with session.request("GET" if form is None else "POST", url, data=form, allow_redirects=False) as got:
                if got.status in (302, 303):
                    url, form = urljoin(url, got.headers["Location"]), None
                    if url.startswith(REDIRECT):
                        return dict(parse_qsl(urlsplit(url).query))
                    continue
                page = await got.text()
                assert got.status == 200, page
                url = urljoin(url, re.search(r'action="([^"]+)"', page)[1])
                form = {"prompt": re.search(r'name="prompt" value="(\w+)"', page)[1], "login": who, "password": "any"}
    raise AssertionError("the provider goes round in circles")


def now() -> int:
    return int(time.clock_gettime(time.CLOCK_REALTIME))


async def answered(
    provider: Provider, who: str = "zhang.wei+clerks+supervisors", then: str = "/draws"
) -> tuple[Mapping[str, str], PendingsInMemory]:
    store = PendingsInMemory()
    url, pending = await provider.begin(BROWSER, then, CHANCE, now())
    await store.add(pending)
    return await as_browser(url, who), store


async def test_somebody_signs_in_at_a_real_provider(issuer, http):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    got = await provider.finish(query, BROWSER, store, now())
    assert got == Identity(issuer, "zhang.wei+clerks+supervisors", ("clerks", "supervisors"), "/draws")
    assert {grant.role for grant in grants_of(got.groups, provider.settings)} == {Role.DRAW_CLERK}


async def test_a_public_client_shows_its_verifier_only(issuer, http):
    provider = Provider(settings(issuer, client_id="public", client_secret=""), http)
    query, store = await answered(provider, "li.na")
    assert (await provider.finish(query, BROWSER, store, now())).groups == ()


async def test_an_answer_is_looked_at_once(issuer, http):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    pending = next(iter(store.rows.values()))
    got = await asyncio.gather(*(provider.finish(query, BROWSER, store, now()) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(each, Identity) for each in got) == 1
    assert {(each.code, each.place) for each in got if isinstance(each, Refused)} == {("provider_state", "state")}
    await store.add(pending)  # a replayed code: our side forgotten, the provider's not
    why = await refused("provider_answer", provider.finish(query, BROWSER, store, now()), "status")
    assert why.params == {"status": 400}


async def test_another_verifier_is_refused_by_the_provider(issuer, http):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    (pending,) = store.rows.values()
    await store.add(replace(pending, verifier=token(bytes([7]) * 32)[0]))
    await refused("provider_answer", provider.finish(query, BROWSER, store, now()), "status")


async def test_another_nonce_is_refused(issuer, http):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    (pending,) = store.rows.values()
    await store.add(replace(pending, nonce=token(bytes([7]) * 32)[0]))
    await refused("provider_token", provider.finish(query, BROWSER, store, now()), "nonce")


async def test_another_client_s_code_and_secret_are_refused(issuer, http):
    other = Provider(settings(issuer, client_id="other"), http)
    query, store = await answered(other)
    await refused("provider_answer", Provider(settings(issuer), http).finish(query, BROWSER, store, now()), "status")
    wrong = Provider(settings(issuer, client_secret="guess"), http)
    query, store = await answered(wrong)
    assert (await refused("provider_answer", wrong.finish(query, BROWSER, store, now()), "status")).params == {"status": 401}


async def test_the_token_of_a_real_provider_for_another_client_is_refused(issuer, http):
    class Swapped:
        """Asks as "other" and hands the answer to "lotroom"."""

        def __init__(self) -> None:
            self.get = http.get

        async def post(self, url, form, authorization):
            pair = base64.b64encode(b"other:" + base64.b64decode(authorization[6:]).partition(b":")[2])
            return await http.post(url, form, "Basic " + pair.decode())

    query, store = await answered(Provider(settings(issuer, client_id="other"), http))
    await refused("provider_token", Provider(settings(issuer), Swapped()).finish(query, BROWSER, store, now()), "aud")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"state": token(bytes([9]) * 32)[0]}, "state"),
        ({"state": ""}, "state"),
        ({"state": "x" * 43}, "state"),
    ],
)
async def test_another_state_is_refused_and_uses_nothing_up(issuer, http, change, place):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    await refused("provider_state", provider.finish({**query, **change}, BROWSER, store, now()), place)
    assert (await provider.finish(query, BROWSER, store, now())).subject


async def test_an_answer_in_another_browser_is_refused(issuer, http):
    provider = Provider(settings(issuer), http)
    for browser in (OTHER_BROWSER, "", "x"):
        query, store = await answered(provider)
        await refused("provider_state", provider.finish(query, browser, store, now()), "browser")


async def test_an_answer_names_its_issuer(issuer, http):
    provider = Provider(settings(issuer), http)
    for iss in (None, "https://elsewhere.example", issuer + "/"):
        query, store = await answered(provider)
        changed = {key: value for key, value in {**query, "iss": iss}.items() if value is not None}
        await refused("provider_answer", provider.finish(changed, BROWSER, store, now()), "iss")


async def test_an_answer_has_its_time(issuer, http):
    provider = Provider(settings(issuer), http)
    query, store = await answered(provider)
    await refused("provider_late", provider.finish(query, BROWSER, store, now() + 600), "state")


async def test_clocks_may_differ_by_a_minute(issuer, http):
    provider = Provider(settings(issuer), http)
    for skew, place in [(-55, ""), (55, ""), (-70, "iat")]:
        query, store = await answered(provider)
        if place:
            await refused("provider_token", provider.finish(query, BROWSER, store, now() + skew), place)
        else:
            assert (await provider.finish(query, BROWSER, store, now() + skew)).subject


async def test_a_no_is_told_in_the_provider_s_word(issuer, http):
    provider = Provider(settings(issuer), http)
    for said, shown in [("access_denied", "access_denied"), ("<script>", "error"), ("x" * 41, "error")]:
        query, store = await answered(provider)
        why = await refused("provider_refused", provider.finish({**query, "error": said}, BROWSER, store, now()))
        assert why.params == {"error": shown}


# A forger who signs what he likes, with a provider's keys or with his own.

NOW = 1_800_000_000
ISSUER = "https://id.example"
KEY, STRANGER = RSAKey.generate_key(2048, auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)
with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024, auto_kid=True)
CURVE = ECKey.generate_key("P-256", auto_kid=True)
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/auth",
    "token_endpoint": ISSUER + "/token",
    "jwks_uri": ISSUER + "/jwks",
    "code_challenge_methods_supported": ["S256"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "response_types_supported": ["code"],
}
NONCE = token(CHANCE[32:64])[0]
CLAIMS = {"iss": ISSUER, "aud": "lotroom", "sub": "zhang.wei", "exp": NOW + 300, "iat": NOW, "nonce": NONCE, "groups": ["clerks"]}


def public(key, **more) -> dict[str, object]:
    return {**key.as_dict(private=False), **more}


class Forger:
    """Answers as told, and remembers what it was asked."""

    def __init__(self, id_token: str = "", metadata: object = METADATA, keys: object = None, **answer: object) -> None:
        self.pages = {
            ISSUER + "/.well-known/openid-configuration": metadata,
            ISSUER + "/jwks": {"keys": [public(KEY)]} if keys is None else keys,
            ISSUER + "/token": {"token_type": "Bearer", "access_token": "x", "id_token": id_token, **answer},
        }
        self.asked: list[str] = []

    async def get(self, url: str) -> Answer:
        self.asked.append(url)
        page = self.pages[url]
        if isinstance(page, Exception):
            raise page
        return page if isinstance(page, Answer) else Answer(200, json.dumps(page).encode())

    async def post(self, url: str, form: Mapping[str, str], authorization: str) -> Answer:
        return await self.get(url)


def signed(key=KEY, header: Mapping[str, object] | None = None, **claims: object) -> str:
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    top = {"alg": "RS256", "kid": KEY.kid, **(header or {})}
    return jwt.encode(
        {name: value for name, value in top.items() if value is not None}, body, key, algorithms=["RS256", "HS256", "ES256", "PS256"]
    )


def unsigned(alg: str, signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({"alg": alg, "kid": KEY.kid}, CLAIMS)]
    return ".".join((*parts, signature))


def keyed(secret: bytes) -> str:
    """HS256 by hand: the library itself does not take a public key for a secret."""
    head, body, _ = unsigned("HS256").split(".")
    made = hmac.new(secret, f"{head}.{body}".encode(), sha256).digest()
    return f"{head}.{body}." + base64.urlsafe_b64encode(made).decode().rstrip("=")


def raw(header: Mapping[str, object], **claims: object) -> str:
    """Signed rightly under a header that the library would not write."""
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, {**CLAIMS, **claims})]
    made = KEY.private_key.sign(".".join(parts).encode(), PKCS1v15(), SHA256())
    return ".".join((*parts, base64.urlsafe_b64encode(made).decode().rstrip("=")))


async def finishes(forger: Forger, when: int = NOW) -> Identity:
    provider = Provider(Settings(ISSUER, "lotroom", "s", "https://lotroom.example/signed-in"), forger)
    store = PendingsInMemory()
    _, pending = await provider.begin(BROWSER, "/", CHANCE, when)
    await store.add(pending)
    return await provider.finish({"state": token(CHANCE[:32])[0], "code": "c"}, BROWSER, store, when)


async def test_what_the_forger_makes_rightly_is_taken():
    assert await finishes(Forger(signed())) == Identity(ISSUER, "zhang.wei", ("clerks",), "/")
    assert (await finishes(Forger(signed(aud=["lotroom"], azp="lotroom")))).subject == "zhang.wei"
    assert (await finishes(Forger(signed(header={"kid": None})))).subject == "zhang.wei"  # there is one key only
    assert (await finishes(Forger(signed(groups=None)))).groups == ()
    assert (await finishes(Forger(raw({"alg": "RS256", "kid": KEY.kid})))).subject == "zhang.wei"
    assert (await finishes(Forger(signed(groups=["a", 1, None])))).groups == ("a",)


PEM = KEY.as_pem(private=False)
TOKENS = {
    "alg none": (unsigned("none"), "alg"),
    "alg None": (unsigned("None"), "alg"),
    "alg NONE with a signature": (unsigned("NONE", "AAAA"), "alg"),
    "RS256 without a signature": (unsigned("RS256"), "signature"),
    "HS256 with the public key as the secret": (keyed(PEM), "alg"),
    "HS256 with the client's secret": (keyed(b"s"), "alg"),
    "ES256": (signed(CURVE, {"alg": "ES256", "kid": CURVE.kid}), "alg"),
    "PS256 by the right key": (signed(header={"alg": "PS256"}), "alg"),
    "no alg": (".".join((base64.urlsafe_b64encode(b'{"kid":"x"}').decode().rstrip("="), "e30", "AAAA")), "alg"),
    "a stranger's key under the right name": (signed(STRANGER), "signature"),
    "a stranger's key under its own name": (signed(STRANGER, {"kid": STRANGER.kid}), "kid"),
    "a key that comes along": (signed(STRANGER, {"kid": None, "jwk": public(STRANGER)}), "signature"),
    "a list that comes along": (signed(STRANGER, {"kid": "x", "jku": "https://evil.example/jwks"}), "kid"),
    "a key's name that is no text": (raw({"alg": "RS256", "kid": [KEY.kid]}), "kid"),
    "what must be understood": (raw({"alg": "RS256", "kid": KEY.kid, "crit": ["b64"], "b64": True}), "alg"),
    "an access token": (signed(header={"typ": "at+jwt"}), "alg"),
    "another issuer": (signed(iss="https://elsewhere.example"), "iss"),
    "an issuer with a slash": (signed(iss=ISSUER + "/"), "iss"),
    "no issuer": (signed(iss=None), "iss"),
    "another audience": (signed(aud="other"), "aud"),
    "two audiences": (signed(aud=["lotroom", "other"]), "aud"),
    "no audience": (signed(aud=None), "aud"),
    "an empty audience": (signed(aud=[]), "aud"),
    "another party": (signed(azp="other"), "azp"),
    "over": (signed(exp=NOW - 60), "exp"),
    "without an end": (signed(exp=None), "exp"),
    "an end in words": (signed(exp=str(NOW + 300)), "exp"),
    "an end that is true": (signed(exp=True), "exp"),
    "an end in fractions": (signed(exp=NOW + 300.5), "exp"),
    "an end beyond all time": (signed(exp=1 << 60), "exp"),
    "a beginning in words": (signed(nbf="now"), "nbf"),
    "made long ago": (signed(iat=NOW - 661), "iat"),
    "made tomorrow": (signed(iat=NOW + 61), "iat"),
    "without its time": (signed(iat=None), "iat"),
    "not yet": (signed(nbf=NOW + 61), "nbf"),
    "another nonce": (signed(nonce=token(bytes(32))[0]), "nonce"),
    "no nonce": (signed(nonce=None), "nonce"),
    "a nonce that is no text": (signed(nonce=[NONCE]), "nonce"),
    "nobody": (signed(sub=None), "sub"),
    "an empty name": (signed(sub=""), "sub"),
    "a long name": (signed(sub="x" * 256), "sub"),
    "a name with a line feed": (signed(sub="a\nb"), "sub"),
    "a number for a name": (signed(sub=7), "sub"),
    "groups that are one text": (signed(groups="clerks"), "groups"),
    "too many groups": (signed(groups=["x"] * 1_001), "groups"),
    "two parts": (signed().rpartition(".")[0], "format"),
    "four parts": (signed() + ".AAAA", "format"),
    "a header that is no base64": ("!" + signed(), "format"),
}


@pytest.mark.parametrize("what", TOKENS)
async def test_a_wrong_token_is_refused_with_what_is_wrong(what):
    id_token, place = TOKENS[what]
    await refused("provider_token", finishes(Forger(id_token)), place)


async def test_a_changed_byte_of_the_signed_part_is_refused():
    whole = signed()
    head, body, signature = whole.split(".")
    for at in range(0, len(body), 7):
        changed = body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1 :]
        await refused("provider_token", finishes(Forger(f"{head}.{changed}.{signature}")), "signature")


@pytest.mark.parametrize(
    ("forger", "code", "place"),
    [
        (Forger("x" * 16_385), "provider_answer", "id_token"),
        (Forger(""), "provider_answer", "id_token"),
        (Forger(7), "provider_answer", "id_token"),
        (Forger(signed(), token_type="mac"), "provider_answer", "id_token"),
        (Forger(signed(), metadata=Answer(200, b"{" + b" " * 70_000 + b"}")), "provider_answer", "status"),
        (Forger(signed(), metadata=Answer(302, b"{}")), "provider_answer", "status"),
        (Forger(signed(), metadata=Answer(200, b'{"issuer":"a","issuer":"b"}')), "provider_answer", "discovery"),
        (Forger(signed(), metadata=Answer(200, b"[" * 50_000)), "provider_answer", "discovery"),
        (Forger(signed(), metadata=Answer(200, b"\xff")), "provider_answer", "discovery"),
        (Forger(signed(), metadata=[]), "provider_answer", "discovery"),
        (Forger(signed(), metadata={**METADATA, "issuer": "https://elsewhere.example"}), "provider_answer", "issuer"),
        (
            Forger(signed(), metadata={**METADATA, "code_challenge_methods_supported": ["plain"]}),
            "provider_lacks",
            "code_challenge_methods_supported",
        ),
        (Forger(signed(), metadata={**METADATA, "id_token_signing_alg_values_supported": ["HS256"]}), "provider_lacks", ""),
        (Forger(signed(), metadata={**METADATA, "response_types_supported": "code"}), "provider_lacks", ""),
        (Forger(signed(), metadata={**METADATA, "token_endpoint": "http://id.example/token"}), "provider_address", ""),
        (Forger(signed(), metadata={**METADATA, "jwks_uri": "file:///etc/passwd"}), "provider_address", ""),
        (Forger(signed(), metadata={**METADATA, "jwks_uri": "http://127.0.0.1/jwks"}), "provider_address", ""),
        (Forger(signed(), metadata={**METADATA, "jwks_uri": None}), "provider_address", ""),
        (Forger(signed(), metadata=TimeoutError()), "provider_silent", ""),
        (Forger(signed(), metadata=OSError()), "provider_silent", ""),
        (Forger(signed(), keys={"keys": "none"}), "provider_token", "kid"),
        (Forger(signed(), keys={"keys": [1, {}, public(CURVE)]}), "provider_token", "kid"),
        (Forger(signed(), keys={"keys": [public(KEY, use="enc")]}), "provider_token", "kid"),
        (Forger(signed(), keys={"keys": [public(KEY, alg="HS256")]}), "provider_token", "kid"),
        (Forger(signed(), keys={"keys": [public(KEY, n="!!")]}), "provider_token", "kid"),
        (Forger(signed(SHORT, {"kid": SHORT.kid}), keys={"keys": [public(SHORT)]}), "provider_token", "kid"),
        (Forger(signed(header={"kid": None}), keys={"keys": [public(KEY), public(STRANGER)]}), "provider_token", "kid"),
    ],
)
async def test_a_provider_that_answers_wrongly_is_refused(forger, code, place):
    await refused(code, finishes(forger), place)


async def test_a_new_key_is_looked_up_once_a_minute():
    forger = Forger(signed(STRANGER, {"kid": STRANGER.kid}))
    provider = Provider(Settings(ISSUER, "lotroom", "s", "https://lotroom.example/signed-in"), forger)

    async def again(when: int) -> Identity:
        store = PendingsInMemory()
        await store.add((await provider.begin(BROWSER, "/", CHANCE, when))[1])
        return await provider.finish({"state": token(CHANCE[:32])[0], "code": "c"}, BROWSER, store, when)

    for second in range(5):
        await refused("provider_token", again(NOW + second), "kid")
    assert forger.asked.count(ISSUER + "/jwks") == 1
    forger.pages[ISSUER + "/jwks"] = {"keys": [public(KEY), public(STRANGER)]}
    await refused("provider_token", again(NOW + 59), "kid")
    assert (await again(NOW + 60)).subject == "zhang.wei"
    assert (await again(NOW + 200)).subject == "zhang.wei"
    assert forger.asked.count(ISSUER + "/jwks") == 2  # a known key is not looked up again
    assert forger.asked.count(ISSUER + "/.well-known/openid-configuration") == 1


async def test_what_is_sent_to_the_provider_is_pkce_with_s256():
    forger = Forger()
    provider = Provider(Settings(ISSUER, "lotroom", "s", "https://lotroom.example/signed-in"), forger)
    url, pending = await provider.begin(BROWSER, "/draws?page=2", CHANCE, NOW)
    sent = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(ISSUER + "/auth?")
    assert sent["code_challenge_method"] == "S256"
    assert sent["code_challenge"] == base64.urlsafe_b64encode(sha256(pending.verifier.encode()).digest()).decode().rstrip("=")
    assert len({sent["state"], sent["nonce"], pending.verifier}) == 3
    assert pending.verifier not in url
    assert sha256(CHANCE[:32]).digest() == pending.state
    assert pending.verifier not in repr(pending)
    with pytest.raises(ValueError, match="256 bits"):
        await provider.begin(BROWSER, "/", CHANCE[1:], NOW)
    with pytest.raises(ValueError, match="256 bits"):
        await provider.begin(BROWSER, "/", CHANCE + b"x", NOW)
    await refused("provider_answer", provider.begin("no cookie", "/", CHANCE, NOW), "begin")


@pytest.mark.parametrize("code", ["", "a b", "x" * 2049, "cödé", "a\nb"])
async def test_a_code_that_is_none_is_not_sent_on(code):
    forger = Forger(signed())
    provider = Provider(Settings(ISSUER, "lotroom", "s", "https://lotroom.example/signed-in"), forger)
    store = PendingsInMemory()
    await store.add((await provider.begin(BROWSER, "/", CHANCE, NOW))[1])
    await refused("provider_answer", provider.finish({"state": token(CHANCE[:32])[0], "code": code}, BROWSER, store, NOW), "code")
    assert ISSUER + "/token" not in forger.asked


@pytest.mark.parametrize("then", ["", "draws", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "/" + "x" * 600, "/ä"])
async def test_nobody_is_sent_elsewhere_afterwards(then):
    with pytest.raises(Refused, match="provider_answer"):
        await Provider(Settings(ISSUER, "lotroom", "s", "https://lotroom.example/x"), Forger()).begin(BROWSER, then, CHANCE, NOW)


@pytest.mark.parametrize("role", sorted(NEVER_AUTOMATIC))
def test_no_group_makes_a_supervisor_or_an_administrator(role):
    bad = settings(ISSUER, roles={"bosses": (role, HERE)})
    with pytest.raises(Refused, match="provider_role"):
        check_settings(bad)
    assert grants_of(["bosses"], bad) == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://id.example"},
        {"issuer": "https://"},
        {"issuer": "https://user@id.example"},
        {"issuer": "https://id.example/#x"},
        {"issuer": "https://[::"},
        {"redirect_uri": "http://lotroom.example/"},
        {"client_id": ""},
        {"scopes": ("profile",)},
    ],
)
def test_settings_that_cannot_be_safe_stop_the_start_up(change):
    good = Settings(ISSUER, "lotroom", "secret", "https://lotroom.example/signed-in")
    check_settings(good)
    with pytest.raises(Refused):
        check_settings(replace(good, **change))
    assert "secret" not in repr(good)


async def test_the_way_out_follows_no_redirect_and_reads_no_more_than_it_must(http):
    from aiohttp import web as aioweb

    async def bounce(_: aioweb.Request) -> aioweb.Response:
        return aioweb.Response(status=302, headers={"Location": "/long"})

    async def long(_: aioweb.Request) -> aioweb.Response:
        return aioweb.Response(body=b"x" * 5_000_000)

    app = aioweb.Application()
    app.add_routes([aioweb.get("/bounce", bounce), aioweb.get("/long", long)])
    runner = aioweb.AppRunner(app)
    await runner.setup()
    site = aioweb.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        assert (await http.get(f"http://127.0.0.1:{port}/bounce")).status == 302
        assert 65_536 < len((await http.get(f"http://127.0.0.1:{port}/long")).body) < 400_000
    finally:
        await runner.cleanup()
    with pytest.raises(OSError, match="Client"):
        await http.get(f"http://127.0.0.1:{port}/gone")
