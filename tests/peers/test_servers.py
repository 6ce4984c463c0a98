"""Other mail servers, in both directions: Postfix, Exim, OpenSMTPD, and Dovecot over LMTP."""
import json
import os
import poplib
import re
import smtplib
import subprocess
from pathlib import Path

from harness import ANNA, EXIM, OPENSMTPD, ROOT, SHARED, Case, Daemon, free_ports, message, opens, run, wait_for

STRANGER = "someone@elsewhere.test"


def send(port, subject, sender=STRANGER, to=ANNA):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.send_message(message(subject, sender, to), sender, [to])


class Postfix:
    """A private Postfix; without a port to relay to it keeps what it takes."""

    def __init__(self, case, port, relay=None, tls=False, before_start=None, **settings):
        self.folder = case.folder("postfix")
        self.home, self.port = self.folder.path / "home", port
        helper = SHARED / "peers/postfix"
        case.addCleanup(run, [helper, "down", self.home])
        run([helper, "tls" if tls else "up", self.home, port, *([relay] if relay else [])])
        if settings:
            run(["postconf", "-c", self.home / "etc", *[f"{name}={value}" for name, value in settings.items()]])
            before_start and before_start(self.home)
            # Not a reload: a process with the old settings could still answer.
            run(["postfix", "-c", self.home / "etc", "stop"])
            run(["postfix", "-c", self.home / "etc", "start"])
            wait_for("Postfix's port", lambda: opens(port))

    def held(self, to):
        """The messages in its queue for a recipient, as text; none yet: an empty list."""
        listed = run(["postqueue", "-c", self.home / "etc", "-j"])
        entries = [json.loads(line) for line in listed.splitlines()]
        ids = [one["queue_id"] for one in entries if to in [recipient["address"] for recipient in one["recipients"]]]
        return [run(["postcat", "-c", self.home / "etc", "-q", one]) for one in ids]


class Exim:
    """A private Exim; without a port to relay to it keeps what it takes."""

    def __init__(self, case, port, relay=None, tls=False):
        self.folder = case.folder("exim")
        self.home, self.port = self.folder.path / "home", port
        environment = dict(os.environ, **({"TLS": "1"} if tls else {}))
        words = [SHARED / "peers/exim", "up", EXIM, self.home, port, *([relay] if relay else [])]
        daemon = Daemon(words, self.folder.path / "exim.log", env=environment)
        case.addCleanup(daemon.stop)
        wait_for("Exim's greeting", lambda: answers(port))

    def held(self, to):
        """The messages in its spool for a recipient, header and text, as Exim writes them."""
        found = []
        for head in (self.home / "spool/input").glob("**/*-H"):
            text = head.read_text(errors="replace")
            body = Path(str(head)[:-1] + "D")
            if f"\n{to}\n" in text and body.exists():
                found.append(text + body.read_text(errors="replace"))
        return found


class OpenSmtpd:
    """A private OpenSMTPD; without a URL to relay to it keeps what it takes."""

    def __init__(self, case, port, relay=None, tls=False):
        self.folder = case.folder("opensmtpd")
        self.home, self.port = self.folder.path / "home", port
        environment = dict(os.environ, **({"TLS": "1"} if tls else {}))
        words = [ROOT / "tests/peers/opensmtpd", "up", OPENSMTPD, self.home, port, *([relay] if relay else [])]
        daemon = Daemon(words, self.folder.path / "opensmtpd.log", env=environment, stdout=subprocess.DEVNULL)
        case.addCleanup(daemon.stop)
        wait_for("OpenSMTPD's greeting", lambda: answers(port))

    def held(self, to):
        """The messages in its queue for a recipient."""
        found = []
        for kept in (self.home / "spool/smtpd/queue").glob("*/*/message"):
            envelopes = [one.read_text() for one in kept.parent.iterdir() if one != kept]
            if any(f"\nrcpt: {to}\n" in one for one in envelopes):
                found.append(kept.read_text(errors="replace"))
        return found


def answers(port):
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=2):
            return True
    except OSError:
        return False


class FromOthers(Case):
    """Another server relays to Waypost."""

    def test_postfix_to_waypost(self):
        [port] = free_ports(1)
        Postfix(self, port, relay=self.server.smtp_plain)
        send(port, self.subject)
        received = self.server.received(self.subject)
        self.assertEqual(received["Return-Path"], f"<{STRANGER}>")
        self.assertRegex(received.get_all("Received")[0], r"from postfix\.test[\s\S]*\bwith ESMTP\b")

    def test_postfix_to_waypost_starttls(self):
        [port] = free_ports(1)
        Postfix(self, port, relay=self.server.smtp, smtp_tls_security_level="encrypt")
        send(port, self.subject)
        self.assertRegex(self.server.received(self.subject).get_all("Received")[0], r"from postfix\.test[\s\S]*\bwith ESMTPS\b")

    def test_exim_to_waypost(self):
        [port] = free_ports(1)
        Exim(self, port, relay=self.server.smtp_plain)
        send(port, self.subject)
        self.assertRegex(self.server.received(self.subject).get_all("Received")[0], r"from exim\.test[\s\S]*\bwith ESMTP\b")

    def test_exim_to_waypost_starttls(self):
        [port] = free_ports(1)
        Exim(self, port, relay=self.server.smtp)
        send(port, self.subject)
        self.assertRegex(self.server.received(self.subject).get_all("Received")[0], r"from exim\.test[\s\S]*\bwith ESMTPS\b")

    def test_opensmtpd_to_waypost(self):
        [port] = free_ports(1)
        OpenSmtpd(self, port, relay=f"smtp+notls://127.0.0.1:{self.server.smtp_plain}")
        send(port, self.subject)
        received = self.server.received(self.subject)
        self.assertEqual(received["Return-Path"], f"<{STRANGER}>")
        self.assertRegex(received.get_all("Received")[0], r"from opensmtpd\.test[\s\S]*\bwith ESMTP\b")

    def test_opensmtpd_to_waypost_starttls(self):
        [port] = free_ports(1)
        OpenSmtpd(self, port, relay=f"smtp+tls://127.0.0.1:{self.server.smtp}")
        send(port, self.subject)
        self.assertRegex(self.server.received(self.subject).get_all("Received")[0], r"from opensmtpd\.test[\s\S]*\bwith ESMTPS\b")


class ToOthers(Case):
    """Waypost relays to another server, by a route for its domain."""

    @classmethod
    def routes(cls):
        names = ("postfix", "postfix_tls", "refusing", "exim", "exim_tls", "opensmtpd", "opensmtpd_starttls", "dovecot")
        cls.ports = dict(zip(names, free_ports(len(names))))
        return "\n".join(f"""\
[[route]]
domain = "{name.replace("_", "-")}.test"
to = "{"lmtp" if name == "dovecot" else "smtp"}://127.0.0.1:{port}"
tls = "{"required" if name.endswith("_tls") else "opportunistic"}"
""" for name, port in cls.ports.items())

    def relayed(self, peer, to):
        """Submits a message; returns it as the other server keeps it."""
        self.server.submit(message(self.subject, to=to), to=[to])
        [kept] = wait_for(f"the message for {to}", lambda: peer.held(to))
        self.assertIn(self.subject, kept)
        self.assertIn(ANNA, kept)
        return kept

    def test_waypost_to_postfix(self):
        self.relayed(Postfix(self, self.ports["postfix"]), "box@postfix.test")

    def test_waypost_to_postfix_starttls(self):
        peer = Postfix(self, self.ports["postfix_tls"], tls=True, smtpd_tls_received_header="yes")
        self.assertRegex(self.relayed(peer, "box@postfix-tls.test"), r"\(using TLSv1\.[23]")

    def test_waypost_to_exim(self):
        self.relayed(Exim(self, self.ports["exim"]), "box@exim.test")

    def test_waypost_to_exim_starttls(self):
        peer = Exim(self, self.ports["exim_tls"], tls=True)
        self.assertRegex(self.relayed(peer, "box@exim-tls.test"), r"with esmtps\s+\(TLS1\.[23]\)")

    def test_waypost_to_opensmtpd(self):
        self.relayed(OpenSmtpd(self, self.ports["opensmtpd"]), "box@opensmtpd.test")

    def test_waypost_to_opensmtpd_starttls(self):
        # Debian 12's offers STARTTLS and cannot shake hands (its libtls and OpenSSL 3): the message goes without, and
        # the trail says so.
        peer = OpenSmtpd(self, self.ports["opensmtpd_starttls"], tls=True)
        kept = self.relayed(peer, "box@opensmtpd-starttls.test")
        if not re.search(r"\(TLSv1\.[23]:", kept):
            self.assertTold(self.server.command("trail", "box@opensmtpd-starttls.test"), r"sent without TLS to .* as TLS handshake .* failed")

    def test_postfix_refuses_and_the_sender_is_told(self):
        Postfix(self, self.ports["refusing"], smtpd_recipient_restrictions="check_recipient_access static:{REJECT no such user}, reject")
        self.server.submit(message(self.subject, to="nobody@refusing.test"), to=["nobody@refusing.test"])

        def told():
            return [one for one in self.server.mailbox() if one.get_content_type() == "multipart/report" and self.subject in one.as_string()]
        [notice] = wait_for("the notification", told)
        self.assertEqual(notice["Return-Path"], "<>")
        text, status, *_ = notice.iter_parts()
        self.assertIn("no such user", text.get_content())
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        self.assertRegex(status.as_string(), r"Action: failed[\s\S]*Status: 5\.")

    def test_waypost_to_a_server_that_comes_later(self):
        self.server.submit(message(self.subject, to="later@postfix.test"), to=["later@postfix.test"])
        wait_for("a failed attempt", lambda: "deferred" in self.server.command("queue", "list", "--json"))
        peer = Postfix(self, self.ports["postfix"])
        wait_for("the message", lambda: peer.held("later@postfix.test"))

    def test_waypost_to_dovecot_lmtp(self):
        folder = self.folder("dovecot")
        helper, home = SHARED / "peers/dovecot", folder.path / "home"
        imap, pop3 = free_ports(2)
        self.addCleanup(run, [helper, "down", home])
        run([helper, "up", home, imap, self.ports["dovecot"], pop3])
        self.server.submit(message(self.subject, to="box@dovecot.test"), to=["box@dovecot.test"])

        def kept():
            client = poplib.POP3("127.0.0.1", pop3, timeout=10)
            try:
                client.user("box@dovecot.test")
                client.pass_("pass")
                return [b"\n".join(client.retr(number + 1)[1]).decode() for number in range(client.stat()[0])]
            finally:
                client.quit()
        [one] = wait_for("the message in Dovecot", kept)
        self.assertIn(self.subject, one)
