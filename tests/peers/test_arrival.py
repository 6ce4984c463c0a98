"""Mail from strangers: Postfix with opendkim signs and sends, through a proxy that says it comes from somewhere else."""
import re
import smtplib

from harness import ANNA, HOST, Strangers, free_ports, message, run, wait_for
from test_servers import Postfix

CLIENT = Strangers.CLIENT
SENDER = "joe@sender.test"

RECORDS = {
    "9.2.0.192.in-addr.arpa": {"PTR": ["mx.sender.test"]},
    "mx.sender.test": {"A": [CLIENT]},
    "sender.test": {"MX": ["mx.sender.test"], "TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
    "_dmarc.sender.test": {"TXT": ["v=DMARC1; p=reject"]},
    "strict.test": {"TXT": ["v=spf1 -all"]},
    "_dmarc.strict.test": {"TXT": ["v=DMARC1; p=reject"]},
    "careful.test": {"TXT": ["v=spf1 -all"]},
    "_dmarc.careful.test": {"TXT": ["v=DMARC1; p=quarantine"]},
    "_dmarc.broken.test": None,
    # A list that is one, and what it has.
    "2.0.0.127.bad.test": {"A": ["127.0.0.2"]},
    "66.100.51.198.bad.test": {"A": ["127.0.0.4"], "TXT": ["see https://bad.test/"]},
}

SETTINGS = """
[[policy.list]]
zone = "bad.test"
points = 10
[[policy.list]]
zone = "gone.test"
points = 10
"""


class Arrival(Strangers):
    RECORDS = RECORDS

    @classmethod
    def routes(cls):
        return SETTINGS

    def signer(self):
        """opendkim, which signs for sender.test; its port."""
        folder = self.folder("opendkim")
        key = folder.path / "key.pem"
        run(["openssl", "genrsa", "-out", key, "2048"])
        public = run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "PEM"])
        data = "".join(re.search(r"-----BEGIN PUBLIC KEY-----(.*)-----END", public, re.S)[1].split())
        self.names.table["s1._domainkey.sender.test"] = {"TXT": [f"v=DKIM1; k=rsa; p={data}"]}
        # The key is in a folder of a test, which others can enter.
        return self.opendkim(folder, f"""\
Domain sender.test
Selector s1
KeyFile {key}
RequireSafeKeys no
Canonicalization relaxed/relaxed
Mode s
""")

    def send(self, made, sender=SENDER, client=CLIENT, helo="mx.sender.test"):
        with smtplib.SMTP("127.0.0.1", self.proxy(client), local_hostname=helo, timeout=60) as smtp:
            smtp.send_message(made, sender, [ANNA])

    def refused(self, *arguments, **more):
        with self.assertRaises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)) as caught:
            self.send(*arguments, **more)
        error = caught.exception
        code, words = list(error.recipients.values())[0] if hasattr(error, "recipients") else error.args
        return f"{code} {words.decode()}"

    def test_what_opendkim_signs_passes(self):
        """RFC 6376, 7208, 8601 and 9989, from a real sender."""
        (port,) = free_ports(1)
        milter = f"inet:127.0.0.1:{self.signer()}"
        Postfix(self, port, relay=self.proxy(), smtpd_milters=milter, myhostname="mx.sender.test")
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.send_message(message(self.subject, SENDER), SENDER, [ANNA])
        results = " ".join(self.server.received(self.subject)["Authentication-Results"].split())
        self.assertTold(results, f"^{HOST}; iprev=pass policy.iprev={CLIENT}; spf=pass smtp.mailfrom={SENDER}; dkim=pass ",
                        r"header.d=sender.test header.i=@sender.test header.s=s1 header.a=rsa-sha256 ",
                        r"dmarc=pass header.from=sender.test policy.dmarc=reject policy.aligned=dkim policy.aligned=spf$")
        told = self.server.command("trail", SENDER)
        self.assertTold(told, "found: iprev=pass: 192.0.2.9 is mx.sender.test", "found: spf=pass", "found: dkim=pass: signed by sender.test",
                        "found: dmarc=pass")

    def test_a_forged_author_is_refused(self):
        """What its domain asks for; Postfix hears the reason and returns the message."""
        (port,) = free_ports(1)
        postfix = Postfix(self, port, relay=self.proxy(), myhostname="mx.sender.test")
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.send_message(message(self.subject, "boss@strict.test"), SENDER, [ANNA])
        log = postfix.home / "mail/log"
        wait_for("the refusal in Postfix's log", lambda: "status=bounced" in log.read_text())
        self.assertTold(log.read_text(), r"550 5\.7\.1 dmarc=fail")
        self.assertTold(self.server.command("trail", ANNA), r"our reply: 550 5\.7\.1 dmarc=fail", "found: spf=pass")

    def test_a_careful_domain_has_its_forgeries_in_junk(self):
        self.send(message(self.subject, "boss@careful.test"))
        found = wait_for("it in Junk", lambda: self.server.command(
            "mail", "--user", ANNA, "search", self.subject, "--folder", "Junk"))
        self.assertIn(self.subject, found)
        self.assertFalse([one for one in self.server.mailbox() if one["Subject"] == self.subject])

    def test_what_the_dns_does_not_tell_is_put_off(self):
        self.assertTold(self.refused(message(self.subject, "boss@broken.test")), r"^451 4\.4\.3 dmarc cannot be checked now")

    def test_a_host_that_never_sends_is_refused(self):
        self.assertTold(self.refused(message(self.subject, SENDER), helo="strict.test"), r"^550 5\.7\.23 helo-sends=fail")

    def test_lists_refuse_and_a_dead_one_does_not(self):
        log = self.server.folder.path / "serve.log"
        wait_for("the test of the lists", lambda: "a list passed its test" in log.read_text())
        wait_for("the alert", lambda: re.search('alert="?list-dead"? .*gone.test', log.read_text()))
        refused = self.refused(message(self.subject, SENDER), client="198.51.100.66")
        self.assertTold(refused, r"^550 5\.7\.1 10 points of lists", "198.51.100.66 is in bad.test", "see https://bad.test/")
        # It begins to list everybody: it is left out after a reload, and mail from everybody passes.
        self.names.table["*.0.0.127.bad.test"] = {"A": ["127.0.0.2"]}
        self.addCleanup(self.names.table.pop, "*.0.0.127.bad.test")
        self.server.daemon.child.send_signal(1)
        wait_for("the second alert", lambda: re.search('alert="?list-dead"? .*bad.test', log.read_text()))
        self.send(message(self.subject, "joe@plain.test"), "joe@plain.test", client="198.51.100.66")
        self.server.received(self.subject)

    def test_forged_results_are_removed(self):
        made = message(self.subject, SENDER)
        made["Authentication-Results"] = f"{HOST}; dmarc=pass header.from=bank.test"
        self.send(made)
        results = self.server.received(self.subject).get_all("Authentication-Results")
        self.assertEqual(len(results), 1)
        self.assertNotIn("bank.test", results[0])
