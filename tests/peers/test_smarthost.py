"""A smart host that wants a login: a real Postfix, whose passwords Dovecot knows, and certificates of a CA made here.

With credentials TLS must be verified: they are shown to nobody else, and the trail says why not.
"""
import json
import re

from harness import Case, Daemon, free_ports, message, run, wait_for
from test_servers import Postfix

USER, SECRET = "waypost-relay", "let us through"
RELAY = "relay.test"
NOT_SHOWN = f"the login as {USER} was not shown"


class Authority:
    """A certificate authority."""

    NEW = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def __init__(self, folder, name="An authority of the peer tests"):
        self.folder, self.certificate = folder, folder.path / "ca.pem"
        run(["openssl", "req", "-x509", *self.NEW, "-days", "30", "-subj", f"/CN={name}", "-keyout", folder.path / "ca.key",
             "-out", self.certificate, "-addext", "keyUsage=critical,keyCertSign"])

    def sign(self, home, alternative):
        """Replaces the key and certificate of a Postfix by one for this name."""
        key, request, made = home / "etc/key.pem", self.folder.path / "request", home / "etc/cert.pem"
        run(["openssl", "req", *self.NEW, "-subj", f"/CN={RELAY}", "-keyout", key, "-out", request])
        extensions = self.folder.write("extensions", f"subjectAltName={alternative}\n")
        run(["openssl", "x509", "-req", "-days", "30", "-in", request, "-CA", self.certificate, "-CAkey", self.folder.path / "ca.key",
             "-CAcreateserial", "-extfile", extensions, "-out", made])


class Passwords:
    """Dovecot, for nothing but to tell Postfix whether a login is right."""

    def __init__(self, case):
        folder = case.folder("dovecot-auth")
        self.socket = folder.path / "auth"
        users = folder.write("users", f"{USER}:{{PLAIN}}{SECRET}\n", mode=0o644)
        settings = folder.write("dovecot.conf", f"""\
base_dir = {folder.path}/run
log_path = {folder.path}/log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {self.socket} {{
    mode = 0666
  }}
}}
""")
        daemon = Daemon(["dovecot", "-F", "-c", settings], folder.path / "start.log")
        case.addCleanup(daemon.stop)
        wait_for("Dovecot's socket", self.socket.exists)


class SmartHost(Case):
    """All mail goes to the smart host of `[delivery]`; the routes are smart hosts each with a fault."""

    FAULTS = ("untrusted", "stranger", "misnamed", "clear", "no-auth", "refused")

    @classmethod
    def routes(cls):
        cls.ports = dict(zip(("right", "tls", *cls.FAULTS), free_ports(2 + len(cls.FAULTS))))
        written = [f"""\
[delivery]
smarthost = "smtp://localhost:{cls.ports["right"]}"
username = "{USER}"
password-file = "password"
"""]
        written += [f"""\
[[route]]
domain = "{name}.test"
smarthost = "{"smtps" if name == "tls" else "smtp"}://localhost:{port}"
username = "{USER}"
password-file = "{"wrong" if name == "refused" else "password"}"
""" for name, port in cls.ports.items() if name != "right"]
        return "".join(written)

    @classmethod
    def prepare(cls, server):
        server.folder.write("password", SECRET + "\n")
        server.folder.write("wrong", "let me through\n")
        cls.authority = Authority(server.folder)
        server.environment["SSL_CERT_FILE"] = str(cls.authority.certificate)
        server.environment.pop("SSL_CERT_DIR", None)

    def postfix(self, port, alternative="DNS:localhost", authority=None, **settings):
        """A Postfix that takes mail only from who has logged in, over TLS."""
        asked = dict(smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot", smtpd_sasl_path=Passwords(self).socket, smtpd_tls_auth_only="yes",
                     smtpd_sasl_authenticated_header="yes", smtpd_tls_received_header="yes",
                     smtpd_recipient_restrictions="permit_sasl_authenticated, reject") | settings

        def certify(home):
            alternative and (authority or self.authority).sign(home, alternative)
        return Postfix(self, self.ports[port], tls=True, before_start=certify, **asked)

    def submit(self, domain):
        to = f"box@{domain}.test"
        self.server.submit(message(self.subject, to=to), to=[to])
        return to

    def relayed(self, peer, domain):
        to = self.submit(domain)
        [kept] = wait_for("the message at the smart host", lambda: peer.held(to))
        self.assertIn(self.subject, kept)
        self.assertRegex(kept, rf"using TLSv1\.3[\s\S]*Authenticated sender: {USER}")

    def deferred(self, peer, domain, *why, commands=()):
        """The message waits here, its trail says why, and the smart host got no other commands than these."""
        to = self.submit(domain)
        wait_for("an attempt", lambda: self.attempts(to))
        told = self.server.command("trail", to)
        self.assertTold(told, "waiting in the queue", "not delivered for now", *why)
        self.assertNotIn(SECRET, told)
        self.assertEqual(peer.held(to), [])
        for session in wait_for("the end of our session in Postfix's log", lambda: self.sessions(peer)):
            self.assertLessEqual(set(session), {"ehlo", "quit", *commands})

    def attempts(self, to):
        entries = json.loads(self.server.command("queue", "list", "--json"))
        [found] = [one["attempts"] for entry in entries for one in entry["recipients"] if one["address"] == to]
        return found

    @staticmethod
    def sessions(peer):
        """The commands of each session that ended: Postfix counts them, also those that it refused ("auth=0/1")."""
        log = (peer.home / "mail/log").read_text(errors="replace")
        ended = re.findall(r"disconnect from \S+ (.*) commands=", log)
        return [re.findall(r"(\w+)=", counts) for counts in ended]

    def test_login_over_starttls(self):
        self.relayed(self.postfix("right"), "anywhere")

    def test_login_over_tls_from_the_start(self):
        self.relayed(self.postfix("tls", smtpd_tls_wrappermode="yes"), "tls")

    def test_certificate_of_nobody_we_trust(self):
        self.deferred(self.postfix("untrusted", alternative=None), "untrusted", "the certificate is self-signed, and not one that this system trusts",
                      NOT_SHOWN, commands=["starttls"])

    def test_certificate_of_an_authority_nobody_trusts(self):
        self.deferred(self.postfix("stranger", authority=Authority(self.folder("authority"), "Nobody")), "stranger",
                      "the certificate is from nobody whom this system trusts", NOT_SHOWN, commands=["starttls"])

    def test_certificate_of_another_name(self):
        self.deferred(self.postfix("misnamed", alternative=f"DNS:{RELAY}"), "misnamed",
                      rf"the certificate is not for localhost, but for {re.escape(RELAY)}", NOT_SHOWN, commands=["starttls"])

    def test_no_starttls(self):
        peer = self.postfix("clear", smtpd_tls_security_level="none", smtpd_tls_auth_only="no")
        self.deferred(peer, "clear", "the server does not offer STARTTLS", NOT_SHOWN)

    def test_no_auth(self):
        self.deferred(self.postfix("no-auth", smtpd_sasl_auth_enable="no"), "no-auth",
                      "there are credentials for this server, and it does not offer AUTH", commands=["starttls"])

    def test_wrong_password(self):
        self.deferred(self.postfix("refused"), "refused", r"the answer: 535 5\.7\.8",
                      f"the server refused the login as {USER}: correct username or password-file", commands=["starttls", "auth"])
