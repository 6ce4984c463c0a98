"""Starts `waypost serve` with its own settings, data and free ports, and looks into its mailboxes.

A test is a method of a `Case`; the class's server is `cls.server`. Each has a deadline, and when it fails the ends of
all logs are printed.
"""
import email
import email.policy
import json
import os
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from email.message import EmailMessage
from pathlib import Path

from names import Names

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("WAYPOST_SHARED", ROOT / "../shared")).resolve()
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EXIM = Path(os.environ.get("WAYPOST_EXIM", TARGET / "peers/exim")).resolve()
OPENSMTPD = Path(os.environ.get("WAYPOST_OPENSMTPD", TARGET / "peers/opensmtpd")).resolve()
DEADLINE = 120    # seconds for one test, and for the start of its class
PATIENCE = 60     # seconds for one thing to happen
LOG_LINES = 60    # of each log, shown when a test fails

HOST, DOMAIN = "mail.example.test", "example.test"
ANNA, PASSWORD = f"anna@{DOMAIN}", "correct horse battery staple"
CARL = f"carl@{DOMAIN}"    # his password is kept so that CRAM-MD5 works


def program():
    """The `waypost` under test."""
    if "WAYPOST" in os.environ:
        return Path(os.environ["WAYPOST"]).resolve()
    built = [path for path in (TARGET / "debug/waypost", TARGET / "release/waypost") if path.exists()]
    if not built:
        raise SystemExit(f"no waypost in {TARGET}: run `cargo build -p waypost` first")
    return max(built, key=lambda path: path.stat().st_mtime).resolve()


def free_ports(count):
    """Ports that nobody has now. All are held until the last is known, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(what, found, limit=PATIENCE):
    """Asks `found` until it answers with something true; `what` names it when it does not within `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)


def opens(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def message(subject, sender=ANNA, to=ANNA, text="Grüße\n.\n..two dots\nand the end\n"):
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made.set_content(text)
    return made


class Folder:
    """A temporary folder that other users (Postfix's, Exim's, OpenSMTPD's) can enter."""

    def __init__(self, name):
        self.path = Path(tempfile.mkdtemp(prefix=f"waypost-peers-{name}-"))
        self.path.chmod(0o755)

    def write(self, name, text, mode=0o600):
        file = self.path / name
        file.write_text(text)
        file.chmod(mode)
        return file

    def logs(self):
        for file in sorted(self.path.rglob("*log*")):
            if file.is_file() and b"\0" not in file.read_bytes():
                yield file, file.read_text(errors="replace").splitlines()[-LOG_LINES:]

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def run(words, *, status=0, input="", limit=30, **more):
    """Runs a program to its end and returns what it said, standard error included."""
    done = subprocess.run([str(word) for word in words], input=input.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=limit, **more)
    said = done.stdout.decode(errors="replace")
    if status is not None and done.returncode != status:
        raise AssertionError(f"{words[0]} ended with {done.returncode} instead of {status}:\n{said}")
    return said


class Daemon:
    """A program that runs until it is stopped."""

    def __init__(self, words, log, **more):
        self.log = open(log, "wb")
        self.child = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stderr=self.log,
                                      start_new_session=True, **more)

    def stop(self, limit=10):
        """Ends it politely, else by force; returns its status."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            return self.child.wait()
        finally:
            self.log.close()


class SignedNames:
    """A DNS server with signatures (`signed.py`), its files in a folder; `within` is what starts it elsewhere."""

    def __init__(self, folder, within=()):
        self.table, self.anchor = folder.write("table.json", "{}"), folder.path / "anchor"
        words = [*within, "/usr/bin/python3", Path(__file__).with_name("signed.py"), self.table, self.anchor]
        self.daemon = Daemon(words, folder.path / "dns.log", stdout=subprocess.PIPE)
        self.address = self.daemon.child.stdout.readline().decode().strip()
        self.stop = self.daemon.stop

    def publish(self, table):
        self.table.write_text(json.dumps(table))


class Waypost:
    """`waypost serve` for `example.test`, with the accounts of Anna and Carl."""

    PORTS = ("smtp", "smtp_plain", "submission", "submissions", "lmtp", "pop3", "pop3s", "imap", "imap_plain", "imaps")

    def __init__(self, routes=""):
        self.folder = Folder("serve")
        self.daemon, self.environment = None, dict(os.environ)
        self.launcher, self.passed = [], []    # what starts it, and the sockets given to that
        for name, port in zip(self.PORTS, free_ports(len(self.PORTS))):
            setattr(self, name, port)
        self.certificate = self.folder.path / "cert.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1",
             "-keyout", self.folder.path / "key.pem", "-out", self.certificate])
        self.certificate.chmod(0o644)
        self.config = self.folder.write("waypost.toml", self.settings(routes))

    def settings(self, routes):
        return f"""\
hostname = "{HOST}"
data = "data"
[listen]
smtp = ["127.0.0.1:{self.smtp}", {{ address = "127.0.0.1:{self.smtp_plain}", tls = false }}]
submission = ["127.0.0.1:{self.submission}"]
submissions = ["127.0.0.1:{self.submissions}"]
lmtp = ["127.0.0.1:{self.lmtp}"]
pop3 = ["127.0.0.1:{self.pop3}"]
pop3s = ["127.0.0.1:{self.pop3s}"]
imap = ["127.0.0.1:{self.imap}", {{ address = "127.0.0.1:{self.imap_plain}", tls = false }}]
imaps = ["127.0.0.1:{self.imaps}"]
[tls]
certificate = "cert.pem"
key = "key.pem"
[dns]
servers = ["127.0.0.1:1"]    # nobody: nothing here needs DNS
[limits]
exempt = ["127.0.0.0/8"]
[queue]
first-retry = "1 s"
[log]
level = "debug"
{routes}
"""

    def command(self, *words, **more):
        return run([program(), *words, "--config", self.config], **more)

    def start(self):
        self.command("domain", "add", DOMAIN)
        self.command("account", "add", ANNA, "--password-stdin", input=PASSWORD + "\n")
        self.command("account", "add", CARL, "--cram-md5", "--password-stdin", input=PASSWORD + "\n")
        self.run()

    def run(self):
        self.begin()
        self.until_ready()

    def begin(self):
        self.daemon = Daemon([*self.launcher, program(), "serve", "--config", self.config], self.folder.path / "serve.log",
                             stdout=subprocess.PIPE, env=self.environment, pass_fds=self.passed)

    def until_ready(self):
        """It prints one line when every listener is open; if it ends instead, the line is empty."""
        first = []
        reader = threading.Thread(target=lambda: first.append(self.daemon.child.stdout.readline()), daemon=True)
        reader.start()
        reader.join(PATIENCE)
        if first != [b"ready\n"]:
            raise AssertionError(f"serve said {first} instead of ready")

    def halt(self):
        status = self.daemon.stop()
        if status != 0:
            raise AssertionError(f"serve ended with {status} after SIGTERM")

    def stop(self):
        status = self.daemon.stop() if self.daemon else None
        self.folder.remove()
        return status

    def trust(self):
        """TLS that takes the server's certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def submit(self, made, *, to=None, user=ANNA):
        with smtplib.SMTP("localhost", self.submission, timeout=20) as client:
            client.starttls(context=self.trust())
            client.login(user, PASSWORD)
            refused = client.send_message(made, from_addr=user, to_addrs=to)
            assert refused == {}, refused

    def mailbox(self, user=ANNA):
        """All messages of an account, over POP3S."""
        client = poplib.POP3_SSL("localhost", self.pop3s, context=self.trust(), timeout=20)
        try:
            client.user(user)
            client.pass_(PASSWORD)
            raw = [b"".join(line + b"\n" for line in client.retr(number + 1)[1]) for number in range(client.stat()[0])]
        finally:
            client.quit()
        return [email.message_from_bytes(one, policy=email.policy.default) for one in raw]

    def received(self, subject, user=ANNA):
        """Waits for the message of this subject in an account's mailbox; it must be there once."""
        def found():
            return [one for one in self.mailbox(user) if one["Subject"] == subject]
        messages = wait_for(f"{subject!r} in the mailbox of {user}", found)
        assert len(messages) == 1, f"{subject!r} is there {len(messages)} times"
        return messages[0]


class Case(unittest.TestCase):
    """Tests that share one server; `routes` is added to its settings."""

    server = None
    maxDiff = None
    folders = []

    @classmethod
    def setUpClass(cls):
        cls.folders = []
        with deadline("the start of the server"):
            cls.server = Waypost(cls.routes())
            cls.folders.append(cls.server.folder)
            try:
                cls.prepare(cls.server)
                cls.server.start()
            except BaseException:
                cls.server.daemon and cls.server.daemon.stop()
                print(logs(cls.folders), flush=True)
                cls.server.stop()
                raise

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"serve ended with {status} after SIGTERM"

    @classmethod
    def routes(cls):
        return ""

    @classmethod
    def prepare(cls, server):
        """What a class changes about its server before it starts."""

    def run(self, result=None):
        self.subject = f"{self._testMethodName} {os.getpid()}"
        with deadline(self.id()):
            super().run(result)

    def folder(self, name):
        """A folder of this test's own, whose logs are shown if it fails."""
        made = Folder(name)
        self.folders.append(made)
        self.addCleanup(made.remove)
        self.addCleanup(self.folders.remove, made)
        return made

    def opendkim(self, folder, settings):
        """The milter with these settings, in a folder of this test's; its port."""
        (port,) = free_ports(1)
        own = f"Socket inet:{port}@127.0.0.1\nUserID root\nPidFile {folder.path / 'pid'}\n"
        daemon = Daemon(["opendkim", "-f", "-x", folder.write("opendkim.conf", settings + own)], folder.path / "opendkim.log")
        self.addCleanup(daemon.stop)
        wait_for("opendkim's port", lambda: opens(port))
        return port

    def assertTold(self, text, *patterns):
        for pattern in patterns:
            self.assertRegex(text, pattern)


class Strangers(Case):
    """Tests whose server asks a DNS server of theirs, which has RECORDS, and takes mail from strangers at a port of its own."""

    RECORDS = {}
    CLIENT = "192.0.2.9"    # whom `proxy` lets call
    names = None

    @classmethod
    def setUpClass(cls):
        cls.names = Names(cls.RECORDS)
        cls.addClassCleanup(cls.names.stop)
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        (server.proxied,) = free_ports(1)
        text = server.config.read_text().replace("127.0.0.1:1\"", f"{cls.names.address}\"")
        place = f'{{ address = "127.0.0.1:{server.proxied}", proxy-from = ["127.0.0.0/8"] }}'
        server.config.write_text(text.replace("smtp = [", f"smtp = [{place}, "))

    def proxy(self, client=CLIENT):
        """The port at which one is `client` to the server."""
        made = Proxy(self.server.proxied, client)
        self.addCleanup(made.stop)
        return made.port


class Proxy:
    """Passes connections on with a PROXY header that says they come from another address."""

    def __init__(self, to, client):
        self.to, self.client = to, client
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        family, own = ("TCP6", "::1") if ":" in self.client else ("TCP4", "127.0.0.1")
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            onward = socket.create_connection(("127.0.0.1", self.to))
            onward.sendall(f"PROXY {family} {self.client} {own} 40000 25\r\n".encode())
            for one, other in ((connection, onward), (onward, connection)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()

    def stop(self):
        self.listener.close()


def pump(source, target):
    try:
        while octets := source.recv(65536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class deadline:
    """Nothing inside may take longer than DEADLINE."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        def late(*_):
            raise TimeoutError(f"{self.what}: not done within {DEADLINE} s")
        signal.signal(signal.SIGALRM, late)
        signal.alarm(DEADLINE)

    def __exit__(self, *_):
        signal.alarm(0)


def logs(folders):
    parts = []
    for folder in folders:
        for file, lines in folder.logs():
            parts.append("\n".join([f"---- {file}", *lines]))
    return "\n".join(parts)


class Result(unittest.TextTestResult):
    """Shows the logs at once under a test that failed: its folders are gone later."""

    def addError(self, test, err):
        super().addError(test, err)
        self.show(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.show(test)

    def show(self, test):
        self.stream.writeln(logs(getattr(test, "folders", [])))
