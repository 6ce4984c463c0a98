"""What the system around Waypost has: sockets that a service manager opened, and fail2ban, which reads the log."""
import poplib
import shutil
import smtplib
import socket
import sys
import threading
import unittest

from harness import ANNA, PASSWORD, ROOT, Case, message, run, wait_for

# What a service manager does (sd_listen_fds(3)): its sockets become 3, 4, …, and the environment says so. Arguments: the sockets,
# then the program.
LAUNCHER = """\
import fcntl, os, sys
passed, words = [int(number) for number in sys.argv[1].split(",")], sys.argv[2:]
apart = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in passed]
for number, one in enumerate(apart):
    os.dup2(one, 3 + number)
    os.close(one)
os.environ.update(LISTEN_FDS=str(len(passed)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(["waypost.socket"] * len(passed)))
os.execv(words[0], words)
"""


class SocketActivation(Case):
    """The ports are open before Waypost is there, and stay open when it is not."""

    @classmethod
    def prepare(cls, server):
        # Of a port that is open already, Waypost could not open another: that it starts shows that it took these.
        cls.sockets = [socket.create_server(("127.0.0.1", getattr(server, name))) for name in server.PORTS if name != "lmtp"]
        cls.unknown = socket.create_server(("127.0.0.1", 0))
        cls.lmtp = server.folder.path / "lmtp.sock"
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(cls.lmtp))
        unix.listen()
        cls.sockets += [cls.unknown, unix]
        server.config.write_text(server.config.read_text().replace(f'"127.0.0.1:{server.lmtp}"', f'"unix:{cls.lmtp}"'))
        passed = [one.fileno() for one in cls.sockets]
        server.launcher = [sys.executable, "-c", LAUNCHER, ",".join(map(str, passed))]
        server.passed = passed

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for one in cls.sockets:
            one.close()

    def test_what_was_passed_is_served(self):
        self.server.submit(message(self.subject))
        self.server.received(self.subject)
        with smtplib.LMTP(str(self.lmtp)) as client:
            self.assertEqual(client.sendmail("a@elsewhere.test", [ANNA], f"Subject: {self.subject} by LMTP\r\n\r\n"), {})
        self.server.received(f"{self.subject} by LMTP")

    def test_a_socket_that_nobody_listens_at_is_warned_about(self):
        log = (self.server.folder.path / "serve.log").read_text()
        self.assertRegex(log, rf"WARN .*this socket was passed to us, but no listener is configured for it at=127\.0\.0\.1:{self.unknown.getsockname()[1]}\b")

    def test_who_calls_while_it_restarts_is_answered_after(self):
        self.server.halt()
        self.assertTrue(self.lmtp.exists(), "the socket's file is the service manager's")
        with socket.create_connection(("127.0.0.1", self.server.smtp), timeout=60) as early:
            self.server.run()
            self.assertRegex(early.recv(200), rb"^220 ")


@unittest.skipUnless(shutil.which("systemd-socket-activate"), "systemd is not installed")
class SystemdSocketActivation(Case):
    """The same by systemd's own program, which starts Waypost when the first client calls."""

    @classmethod
    def prepare(cls, server):
        server.launcher = ["systemd-socket-activate", *[f"--listen=127.0.0.1:{getattr(server, name)}" for name in server.PORTS]]
        cls.greetings = []

        def call():
            try:
                with socket.create_connection(("127.0.0.1", server.smtp), timeout=60) as client:
                    cls.greetings.append(client.recv(200))
                return True
            except ConnectionRefusedError:
                return False
        cls.caller = threading.Thread(target=wait_for, args=("systemd's socket", call), daemon=True)
        cls.caller.start()

    def test_the_first_client_is_greeted(self):
        self.caller.join(60)
        self.assertRegex(self.greetings[0], rb"^220 ")
        self.server.submit(message(self.subject))
        self.server.received(self.subject)


class Fail2ban(Case):
    """The filter of dist/ finds the failed logins of all protocols in the log, and nothing that a client made up."""

    FORMAT = "text"
    # What a client says to have somebody else shut out.
    FORGED = 'x" WARN policy::gate: auth failed protocol=smtp peer=192.0.2.66 user="y'

    @classmethod
    def prepare(cls, server):
        text = server.config.read_text()
        server.config.write_text(text.replace("[log]\n", f'[log]\nformat = "{cls.FORMAT}"\nfile = "waypost.log"\n'))
        cls.log = server.folder.path / "waypost.log"
        # The filter, and what it includes.
        cls.settings = server.folder.path / "fail2ban"
        (cls.settings / "filter.d").mkdir(parents=True)
        for file in ("/etc/fail2ban/filter.d/common.conf", ROOT / "dist/fail2ban/filter.d/waypost.conf"):
            shutil.copy(file, cls.settings / "filter.d")

    def found(self, wanted):
        """The addresses that fail2ban finds, as often as it finds them, when there are as many as wanted."""
        def look():
            found = run(["fail2ban-regex", "-c", self.settings, "-o", "ip", self.log, "waypost"], status=None).split()
            return found if len(found) >= wanted else None
        return sorted(wait_for("the failed logins in the log", look))

    def test_failed_logins_are_found_and_forged_ones_are_not(self):
        self.smtp("127.0.0.2", self.server.submission, ANNA, "wrong")
        self.smtp("127.0.0.3", self.server.submission, self.FORGED, "wrong")
        # Not a name at all: refused before it is a failed login.
        self.smtp("127.0.0.3", self.server.submission, self.FORGED + "\r\n" + self.FORGED, "wrong")
        self.pop3("127.0.0.4", "wrong")
        # Who gets in, and who only connects, is left alone.
        self.smtp("127.0.0.5", self.server.submission, ANNA, PASSWORD)
        with smtplib.SMTP("localhost", self.server.smtp, local_hostname=self.FORGED, source_address=("127.0.0.6", 0)) as client:
            client.docmd(f"EHLO {self.FORGED}")
            client.docmd(f"MAIL FROM:<{self.FORGED}@elsewhere.test>")
        self.assertEqual(self.found(3), ["127.0.0.2", "127.0.0.3", "127.0.0.4"])

    def smtp(self, source, port, user, password):
        with smtplib.SMTP("localhost", port, source_address=(source, 0), timeout=60) as client:
            client.starttls(context=self.server.trust())
            client.ehlo()
            client.user, client.password = user, password
            try:
                client.auth("PLAIN", client.auth_plain)
            except smtplib.SMTPAuthenticationError:
                self.assertNotEqual(password, PASSWORD)
            else:
                self.assertEqual(password, PASSWORD)

    def pop3(self, source, password):
        # poplib cannot choose where it calls from.
        class From(poplib.POP3_SSL):
            def _create_socket(self, timeout):
                plain = socket.create_connection((self.host, self.port), timeout, source_address=(source, 0))
                return self.context.wrap_socket(plain, server_hostname=self.host)
        client = From("localhost", self.server.pop3s, context=self.server.trust(), timeout=60)
        try:
            client.user(ANNA)
            with self.assertRaises(poplib.error_proto):
                client.pass_(password)
        finally:
            client.quit()


class Fail2banJson(Fail2ban):
    """The same of the log in JSON."""

    FORMAT = "json"
    FORGED = 'x","message":"auth failed","protocol":"smtp","peer":"192.0.2.66","user":"y'
