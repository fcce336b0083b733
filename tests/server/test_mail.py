"""Mail through a real mail server: what it says of a message is what becomes of it, and a message that may have left is never sent again by itself."""

import asyncio
import email
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.adapters.gateways import Mail
from server.ports import Message, Outcome, Sent

CALL = Message(
    "5f2c", "mail", "call", "wang@example.cn", {"zh": "评标时间 12 月 1 日 9 时，北京市。", "en": "9:00 on 1 December, Beijing."}, "tok", 1
)


class Post:
    """What the server says at each step, and the messages that it has taken. `hangs_up`: it takes the message and is not heard any more."""

    def __init__(self, **said):
        self.said, self.taken = said, []

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return self.said.get("rcpt", "250 OK")

    async def handle_DATA(self, server, session, envelope):
        answer = self.said.get("data", "250 OK")
        if answer == "hangs up" or answer.startswith("2"):
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=policy.SMTP)))
        if answer == "hangs up":
            server.transport.abort()
        return answer

    async def handle_QUIT(self, server, session, envelope):
        return self.said.get("quit", "221 Bye")


class Served(Controller):
    def __init__(self, handler, **more):
        super().__init__(handler, hostname="127.0.0.1", port=0)
        self.more = more

    def factory(self):
        return SMTP(self.handler, **self.more)

    def _trigger_server(self):  # port 0: the port is known once it listens
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def serving(handler, **more):
    server = Served(handler, **more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def send(server, security="none", user="", password="", host="127.0.0.1"):
    return asyncio.run(Mail(host, server.port, security, user, "draw@example.cn", password).send(CALL))


def test_a_message_arrives_with_its_own_id_and_both_languages():
    post = Post()
    with serving(post) as server:
        assert send(server) == Sent(Outcome.SENT)
    ((sender, receivers, made),) = post.taken
    assert sender == "draw@example.cn" and receivers == ["wang@example.cn"]
    assert made["To"] == "wang@example.cn" and made["Message-ID"] == "<5f2c@example.cn>"
    assert made["Subject"] == "评标通知 / Evaluation" and made["Auto-Submitted"] == "auto-generated"
    assert all(text in made.get_content() for text in CALL.text.values())


@pytest.mark.parametrize(
    ("said", "outcome", "fault", "taken"),
    [
        ({"rcpt": "550 no such mailbox"}, Outcome.REFUSED, "bad_address", 0),
        ({"rcpt": "451 greylisted"}, Outcome.LATER, "mail_busy", 0),
        ({"data": "554 looks like spam"}, Outcome.REFUSED, "mail_refused", 0),
        ({"data": "452 disk full"}, Outcome.LATER, "mail_busy", 0),
        ({"data": "hangs up"}, Outcome.UNKNOWN, "mail_silent", 1),
        ({"quit": "500 what?"}, Outcome.SENT, "", 1),  # it has the message: how it says goodbye changes nothing
    ],
)
def test_what_the_server_says_becomes_of_the_message(said, outcome, fault, taken):
    post = Post(**said)
    with serving(post) as server:
        found = send(server)
    assert (found.outcome, found.fault, len(post.taken)) == (outcome, fault, taken)


def test_a_server_that_is_down_is_tried_later():
    with serving(Post()) as server:
        pass
    assert send(server) == Sent(Outcome.LATER, "mail_down")


def test_a_password_is_right_or_nothing_is_sent(tmp_path, monkeypatch):
    def right(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"draw", b"secret"))

    post, more = Post(), {"authenticator": right, "auth_required": True, "tls_context": certified(tmp_path, monkeypatch)}
    with serving(post, **more) as server:
        assert send(server, "starttls", "draw", "guess", "localhost").outcome is Outcome.LATER and not post.taken
        assert send(server, "starttls", "draw", "secret", "localhost") == Sent(Outcome.SENT)
    assert len(post.taken) == 1


def test_nothing_is_said_to_a_server_that_is_not_who_it_should_be(tmp_path, monkeypatch):
    post = Post()
    with serving(post, tls_context=certified(tmp_path, monkeypatch), require_starttls=True) as server:
        assert send(server, "starttls", host="localhost") == Sent(Outcome.SENT)
        assert send(server, "starttls", host="127.0.0.1").outcome is Outcome.LATER  # the certificate is for another name
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nobody"))
        assert send(server, "starttls", host="localhost").outcome is Outcome.LATER  # nobody whom we know vouches for it
        assert send(server, "none").outcome is Outcome.LATER  # it does not take mail that others can read
    assert len(post.taken) == 1


def certified(folder, monkeypatch):
    """A server's side of TLS, with a certificate for localhost that this process believes."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key").write_bytes(key.private_bytes(*form))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context
