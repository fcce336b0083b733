"""The ways out for messages: a signed webhook for gateways of text messages and of calls, and mail by SMTP. docs/notices.md is their description.

The webhook's body is signed with a secret that the gateway has too (HMAC-SHA256), together with the time, so that nobody else has messages sent in
our name and none is sent again later. Nothing of a message is in what these functions say of a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

import aiohttp

from server.ports import Message, Outcome, Sent
from server.signed import SIGNATURE, TIMESTAMP, signature_of

SECONDS = 8.0  # less than a job has
MOST_ANSWER = 4_096
MOST_WAIT = 60


@dataclass(frozen=True, slots=True)
class Webhook:
    """A gateway behind an address. It knows a message by its id: the same one asked for twice is sent once."""

    channel: str
    address: str
    now: Callable[[], int]
    callback: str  # where it tells what became of a message, and what was answered
    secret: str = field(repr=False)
    repeatable: bool = True

    async def send(self, message: Message) -> Sent:
        body = json.dumps(self._body(message), ensure_ascii=False, sort_keys=True).encode()
        at = self.now()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.id,
            SIGNATURE: signature_of(self.secret, at, body),
            TIMESTAMP: str(at),
        }
        timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=3)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
                session.post(self.address, data=body, headers=headers, allow_redirects=False) as got,
            ):
                answer = await got.content.read(MOST_ANSWER)
                return _judged(got.status, got.headers.get("Retry-After", ""), answer)
        except aiohttp.ClientConnectorError:
            return Sent(Outcome.LATER, "gateway_down")  # the request never left
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return Sent(Outcome.UNKNOWN, "gateway_silent")

    def _body(self, message: Message) -> dict[str, object]:
        asked = {"answers": {"1": "accepted", "2": "left"}, "until": message.until} if message.kind == "call" else {}
        return {
            "callback": self.callback,
            "channel": message.channel,
            "id": message.id,
            "kind": message.kind,
            "text": dict(message.text),
            "to": message.to,
            "token": message.token,
            **asked,
        }


def _judged(status: int, retry_after: str, answer: bytes) -> Sent:
    """An answer by its status; its words are looked at only for a code."""
    if status in (200, 201, 202, 208):
        return Sent(Outcome.SENT)
    if status in (429, 503):  # it says itself that it took nothing
        seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else 5
        return Sent(Outcome.LATER, "gateway_busy", min(max(1, seconds), MOST_WAIT))
    if status in (401, 403):
        return Sent(Outcome.LATER, "gateway_refuses_us", 30)  # a secret that is set wrong: somebody mends it
    if 400 <= status < 500 and status not in (408, 409, 425):
        return Sent(Outcome.REFUSED, "bad_address" if b'"bad_address"' in answer else "gateway_refused")
    return Sent(Outcome.UNKNOWN, "gateway_failed")


@dataclass(frozen=True, slots=True)
class Mail:
    """Mail by SMTP. A server that takes a message and is not heard any more may have sent it: such a one is never sent again by itself."""

    host: str
    port: int
    security: str  # tls, starttls, none
    user: str
    sender: str
    password: str = field(repr=False)
    channel: str = "mail"
    repeatable: bool = False

    async def send(self, message: Message) -> Sent:
        return await asyncio.to_thread(self._send, message)

    def _send(self, message: Message) -> Sent:
        made = EmailMessage()
        made["From"], made["To"], made["Date"] = self.sender, message.to, formatdate()
        made["Message-ID"] = f"<{message.id}@{self.sender.rpartition('@')[2]}>"
        made["Subject"] = "评标通知 / Evaluation" if message.kind == "call" else "评标取消通知 / Evaluation cancelled"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content("\n\n".join(message.text.values()))
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException):
            return Sent(Outcome.LATER, "mail_down")
        try:
            return self._handed(server, message.to, made.as_bytes())
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):  # what it has it has
                server.quit()

    def _handed(self, server: smtplib.SMTP, to: str, content: bytes) -> Sent:
        begun = False
        try:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            server.ehlo_or_helo_if_needed()
            if self.user:
                server.login(self.user, self.password)
            if server.mail(self.sender)[0] >= 400:
                return Sent(Outcome.LATER, "mail_refused", 30)  # of us, not of this message: somebody mends it
            code, _ = server.rcpt(to)
            if code >= 400:
                return Sent(Outcome.REFUSED, "bad_address") if code >= 500 else Sent(Outcome.LATER, "mail_busy")
            begun = True
            code, _ = server.data(content)
        except smtplib.SMTPResponseException as said:
            if not begun:
                return Sent(Outcome.LATER, "mail_refused", 30)
            code = said.smtp_code
        except (OSError, smtplib.SMTPException):
            return Sent(Outcome.UNKNOWN if begun else Outcome.LATER, "mail_silent")
        if code >= 400:
            return Sent(Outcome.REFUSED, "mail_refused") if code >= 500 else Sent(Outcome.LATER, "mail_busy")
        return Sent(Outcome.SENT)

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=ssl.create_default_context())
        return smtplib.SMTP(self.host, self.port, timeout=SECONDS)
