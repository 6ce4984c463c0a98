"""A domain from `domain add` to `check dns` without a complaint: what Waypost says to publish is published, with DNSSEC, and the
hosts and the policy that the records name are those that `waypost serve` shows, on ports 25 and 443 of a network of its own."""
import hashlib
import json
import os
import ssl
import subprocess

from harness import DOMAIN, HOST, Case, SignedNames, program, run

ADDRESS = "198.18.0.25"    # one for measurements (RFC 2544), which nobody has: those for documentation are not called
REVERSE = ".".join(reversed(ADDRESS.split("."))) + ".in-addr.arpa"


class Published(Case):
    @classmethod
    def prepare(cls, server):
        # Nothing leaves a network whose one interface is loopback, and its ports are all free.
        space = f"waypost-peers-{os.getpid()}"
        run(["ip", "netns", "add", space])
        cls.addClassCleanup(run, ["ip", "netns", "delete", space])
        run(["ip", "-n", space, "link", "set", "lo", "up"])
        run(["ip", "-n", space, "address", "add", f"{ADDRESS}/32", "dev", "lo"])
        cls.inside = server.launcher = ["ip", "netns", "exec", space]
        cls.make_certificate(server)
        cls.names = SignedNames(server.folder, cls.inside)
        cls.addClassCleanup(cls.names.stop)
        server.config.write_text(f"""\
hostname = "{HOST}"
data = "data"
[listen]
smtp = ["{ADDRESS}:25"]
https = ["{ADDRESS}:443"]
submissions = ["{ADDRESS}:465"]
imaps = ["{ADDRESS}:993"]
[tls]
certificate = "cert.pem"
key = "key.pem"
[dns]
servers = ["{cls.names.address}"]
trust-anchor = "{cls.names.anchor}"
[log]
level = "debug"
""")

    @classmethod
    def make_certificate(cls, server):
        folder, names = server.folder.path, f"subjectAltName=DNS:{HOST},DNS:mta-sts.{DOMAIN}"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", f"/CN={HOST}", "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", folder / "key.pem", "-out", server.certificate])
        server.environment["SSL_CERT_FILE"] = str(server.certificate)

    def own_records(self):
        """What `domain dns` says to publish, by name and type."""
        table = {}
        for record in json.loads(self.server.command("domain", "dns", DOMAIN, "--json")):
            table.setdefault(record["name"], {}).setdefault(record["type"], []).append(record["value"])
        return table

    def publish(self, **changes):
        """That, what only a person can know, and `changes` by name."""
        host = {"A": [ADDRESS]}
        table = self.own_records()
        table.setdefault(HOST, {}).update(host)
        table.update({f"mta-sts.{DOMAIN}": host, f"autoconfig.{DOMAIN}": host, REVERSE: {"PTR": [f"{HOST}."]},
                      f"_25._tcp.{HOST}": {"TLSA": [f"3 0 1 {self.fingerprint()}"]}})
        table[DOMAIN]["CAA"] = ['0 issue "ca.test"']
        table.update(changes)
        self.names.publish(table)

    def fingerprint(self):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.server.certificate.read_text())).hexdigest()

    def check(self, status):
        """The findings of each subject: how it stands, and what was found."""
        words = [*self.inside, program(), "check", "dns", DOMAIN, "--dns", self.names.address, "--config", self.server.config, "--json"]
        done = subprocess.run(words, capture_output=True, env=self.server.environment, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout.decode() + done.stderr.decode())
        found = {}
        for finding in json.loads(done.stdout)["checks"]:
            found.setdefault(finding["check"], []).append((finding["status"], finding["found"]))
        return found

    def setUp(self):
        self.server.command("domain", "mta-sts", DOMAIN, "enforce")

    def test_all_is_well(self):
        self.publish()
        found = self.check(0)
        told = json.dumps(found, indent=1)
        self.assertEqual({status for all in found.values() for status, _ in all}, {"pass"}, told)
        self.assertLessEqual({"mx", "reverse", "spf", "dkim", "dmarc", "mta-sts", "dane", "tls-rpt", "services", "autoconfig", "caa"},
                             set(found), told)
        self.assertTold(found["dane"][0][1], f"^_25._tcp.{HOST}: 3 0 1 .*: the host shows it$")
        self.assertTold(found["mta-sts"][0][1], "^mode enforce, for [0-9]+ days, id [0-9]+[0-9a-f]{8}$")

    def test_the_host_shows_another_certificate(self):
        self.publish(**{f"_25._tcp.{HOST}": {"TLSA": ["3 0 1 " + "00" * 32]}})
        ((status, found),) = self.check(1)["dane"]
        self.assertEqual(status, "fail", found)

    def test_mail_goes_to_a_host_that_the_policy_does_not_name(self):
        records = self.own_records()[DOMAIN]
        other = f"other.{DOMAIN}"
        self.publish(**{DOMAIN: {**records, "MX": [f"10 {HOST}.", f"20 {other}."]}, other: {"A": [ADDRESS]}})
        found = self.check(1)["mta-sts"]
        self.assertIn(("fail", f"{other} is no mx of the policy"), found)

    def test_nobody_serves_the_policy(self):
        self.publish(**{f"mta-sts.{DOMAIN}": {"A": ["192.0.2.26"]}})
        ((status, found),) = self.check(1)["mta-sts"]
        self.assertEqual(status, "fail", found)
