"""DANE and MTA-STS towards a real Postfix: with the right records mail arrives, with others it waits."""
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from harness import Case, SignedNames, free_ports, message, program, run, wait_for
from test_servers import Postfix

DOMAIN, MX = "signed.test", "mx.signed.test"
THERE = f"someone@{DOMAIN}"
POLICY_HOST = "127.0.0.77"    # where port 443 is nobody's


class Signed(Case):
    """A server whose DNS has signatures, and a Postfix that takes the mail of signed.test."""

    @classmethod
    def prepare(cls, server):
        cls.names = SignedNames(server.folder)
        cls.addClassCleanup(cls.names.stop)
        (cls.port,) = free_ports(1)
        text = server.config.read_text()
        dns = f'[dns]\nservers = ["{cls.names.address}"]\ntrust-anchor = "{cls.names.anchor}"\n[delivery]\nport = {cls.port}\n'
        server.config.write_text(text.replace('[dns]\nservers = ["127.0.0.1:1"]    # nobody: nothing here needs DNS\n', dns))
        cls.policy = None
        cls.make_certificates(server)

    @classmethod
    def make_certificates(cls, server):
        """What the server trusts: the policy host's certificate and a good one for the MX."""
        folder = server.folder.path
        for name in (MX, f"mta-sts.{DOMAIN}"):
            run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
                 "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"])
        bundle = folder / "trusted.pem"
        bundle.write_bytes(b"".join((folder / f"{name}.pem").read_bytes() for name in (MX, f"mta-sts.{DOMAIN}")))
        bundle.chmod(0o644)
        server.environment["SSL_CERT_FILE"] = str(bundle)

    def publish(self, **more):
        """The zone: MX and address, and what `more` adds by name."""
        table = {DOMAIN: {"MX": [f"10 {MX}."]}, MX: {"A": ["127.0.0.1"]}}
        for name, records in more.items():
            table[name] = records
        self.names.publish(table)

    def tlsa(self):
        return f"_{self.port}._tcp.{MX}"

    def postfix(self, tls=True, certificate=None):
        def own_certificate(home):
            if certificate:
                for kind in ("key", "pem"):
                    source = self.server.folder.path / f"{certificate}.{kind}"
                    (home / "etc" / ("key.pem" if kind == "key" else "cert.pem")).write_bytes(source.read_bytes())
        # Everything is kept in its queue; the setting has it started anew with its certificate.
        return Postfix(self, self.port, tls=tls, before_start=own_certificate, mydestination="", relay_domains=DOMAIN,
                       defer_transports="smtp, relay")

    def fingerprint(self, postfix):
        """Of the key of its certificate, as TLSA 3 1 1 has it."""
        certificate = postfix.home / "etc/cert.pem"
        key = run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"])
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.encode(), capture_output=True, check=True)
        return subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der.stdout, capture_output=True, check=True).stdout.decode().split()[0]

    def submit(self):
        self.server.submit(message(self.subject, to=THERE), to=[THERE])

    def arrives(self, postfix):
        def held():
            return [one for one in postfix.held(THERE) if self.subject in one]
        wait_for("the message in Postfix's queue", held)

    def waits(self, postfix, why):
        """It is put off, and the trail says why."""
        found = wait_for("an attempt in the trail", lambda: why in self.trail() and self.trail())
        self.assertEqual(postfix.held(THERE), [], found)

    def check_tls(self):
        words = [program(), "check", "tls", f"{MX}:{self.port}", "--json", "--config", self.server.config]
        done = subprocess.run(words, capture_output=True, env=self.server.environment, timeout=60)
        return json.loads(done.stdout)

    def trail(self):
        return self.server.command("trail", THERE)


class Dane(Signed):
    def test_mail_goes_to_the_server_whose_key_the_records_name(self):
        postfix = self.postfix()
        self.publish(**{self.tlsa(): {"TLSA": ["3 1 1 " + "00" * 32, "3 1 1 " + self.fingerprint(postfix)]}})
        self.submit()
        self.arrives(postfix)
        self.assertTold(self.trail(), "by DANE", "TLSv1.3")
        report = self.check_tls()
        self.assertEqual((report["dane"]["state"], report["mta_sts"]["state"]), ("valid", "none"), report)


class DaneOfAnother(Signed):
    def test_mail_waits_when_the_server_has_another_key(self):
        postfix = self.postfix()
        self.publish(**{self.tlsa(): {"TLSA": ["3 1 1 " + "00" * 32]}})
        self.submit()
        self.waits(postfix, "TLSA")


class DaneWithoutTls(Signed):
    def test_mail_waits_when_starttls_is_missing(self):
        postfix = self.postfix(tls=False)
        self.publish(**{self.tlsa(): {"TLSA": ["3 1 1 " + "00" * 32]}})
        self.submit()
        self.waits(postfix, "does not offer STARTTLS")


class MtaSts(Signed):
    """The policy is served on port 443 of a loopback address."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.served = f"version: STSv1\r\nmode: enforce\r\nmx: {MX}\r\nmax_age: 86400\r\n"

        class Policy(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(cls.served.encode())

            def log_message(self, *_):
                pass

        host = HTTPServer((POLICY_HOST, 443), Policy)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = server.folder.path
        context.load_cert_chain(folder / f"mta-sts.{DOMAIN}.pem", folder / f"mta-sts.{DOMAIN}.key")
        host.socket = context.wrap_socket(host.socket, server_side=True)
        threading.Thread(target=host.serve_forever, daemon=True).start()
        cls.addClassCleanup(host.server_close)
        cls.addClassCleanup(host.shutdown)

    def announce(self):
        self.publish(**{f"_mta-sts.{DOMAIN}": {"TXT": ['"v=STSv1; id=1;"']}, f"mta-sts.{DOMAIN}": {"A": [POLICY_HOST]}})

    def test_1_mail_waits_for_a_valid_certificate(self):
        postfix = self.postfix()
        self.announce()
        self.submit()
        self.waits(postfix, "certificate")

    def test_2_mail_goes_where_the_certificate_is_valid(self):
        postfix = self.postfix(certificate=MX)
        self.announce()
        self.submit()
        self.arrives(postfix)
        self.assertTold(self.trail(), "by MTA-STS")
        policy = self.check_tls()["mta_sts"]
        self.assertEqual((policy["state"], policy["mode"], policy["domain"]), ("valid", "enforce", DOMAIN))
