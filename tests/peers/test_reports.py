"""DMARC of domains and messages, held against opendmarc, and reports about our domain, as other programs pack them."""
import ctypes
import gzip
import io
import json
import smtplib
import zipfile

from harness import DOMAIN, Case, message, program, run, wait_for
from names import Names
from test_arrival import CLIENT

RECORDS = {
    "good.test": {"A": ["192.0.2.1"], "TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
    "_dmarc.good.test": {"TXT": ["v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; rua=mailto:rua@good.test"]},
    "news.good.test": {"A": ["192.0.2.1"]},
    "_dmarc.testing.test": {"TXT": ["v=DMARC1; p=reject; pct=0"]},
    "_dmarc.broken.test": {"TXT": ["v=DMARC1; p=maybe"]},
    "_dmarc.later.test": None,
}

REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>{name}</org_name><email>a@reporter.test</email>
<report_id>{name}</report_id><date_range><begin>1720000000</begin><end>1720086399</end></date_range></report_metadata>
<policy_published><domain>{domain}</domain><p>none</p></policy_published>
<record><row><source_ip>198.51.100.7</source_ip><count>4</count><policy_evaluated><disposition>none</disposition>
<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>{domain}</header_from></identifiers></record>
<record><row><source_ip>2001:db8::7</source_ip><count>2</count><policy_evaluated><disposition>reject</disposition>
<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row></record></feedback>"""

# opendmarc's words for what to do (dmarc.h).
WORDS = {15: ("pass", "none"), 16: ("fail", "reject"), 17: ("fail", "quarantine"), 18: ("fail", "none")}


def opendmarc(record, author, spf_domain, passes):
    """What opendmarc's library makes of a record of good.test, by SPF alone."""
    library = ctypes.CDLL("libopendmarc.so.2")
    library.opendmarc_policy_connect_init.restype = ctypes.c_void_p
    policy = ctypes.c_void_p(library.opendmarc_policy_connect_init(CLIENT.encode(), 0))
    organization = b"good.test" if author != "good.test" else None
    library.opendmarc_policy_store_from_domain(policy, author.encode())
    library.opendmarc_policy_store_spf(policy, spf_domain.encode(), 1 if passes else 2, 1, b"")
    library.opendmarc_policy_store_dmarc(policy, record.encode(), author.encode(), organization)
    word = WORDS[library.opendmarc_get_policy_to_enforce(policy)]
    library.opendmarc_policy_connect_shutdown(policy)
    return word


class Reports(Case):
    names = None

    @classmethod
    def setUpClass(cls):
        cls.names = Names(RECORDS)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.names.stop()

    def check(self, *words, status):
        said = run([program(), "check", "dmarc", *words, "--dns", self.names.address, "--json"], status=status)
        return json.loads(said)

    def test_the_policy_of_a_domain(self):
        for domain, status, result, policy, disposition in [
            ("good.test", 0, "pass", "reject", "reject"),
            ("news.good.test", 0, "pass", "quarantine", "quarantine"),
            ("nowhere.good.test", 0, "pass", "none", "none"),
            ("testing.test", 0, "pass", "reject", "quarantine"),
            ("broken.test", 1, "permerror", None, "none"),
            ("silent.test", 1, "none", None, "none"),
            ("later.test", 75, "temperror", None, "none"),
        ]:
            found = self.check(domain, status=status)
            self.assertEqual((found["result"], found["policy"], found["disposition"]), (result, policy, disposition), found)
        found = self.check("good.test", status=0)
        self.assertEqual(found["alignment"], {"dkim": "strict", "spf": "relaxed"})
        self.assertEqual(found["rua"], ["mailto:rua@good.test"])

    def test_a_message(self):
        file = self.folder("dmarc").write("message.eml", message("hello", "joe@news.good.test").as_string())
        passed = self.check(file, "--ip", CLIENT, "--from", "bounce@good.test", "--helo", "mx.good.test", status=0)
        self.assertEqual((passed["result"], passed["alignment"]), ("pass", {"dkim": "none", "spf": "relaxed"}), passed)
        failed = self.check(file, "--ip", "192.0.2.77", "--from", "bounce@good.test", status=1)
        self.assertEqual((failed["result"], failed["policy"], failed["disposition"]), ("fail", "quarantine", "quarantine"))
        two = message("hello", "joe@good.test, jim@testing.test").as_string()
        file = self.folder("two").write("message.eml", two)
        self.assertEqual(self.check(file, "--ip", CLIENT, status=1)["result"], "permerror")

    def test_opendmarc_agrees(self):
        """Records, subdomains and alignment; siblings are left out, as opendmarc needs a list of public suffixes for them."""
        names = Names({
            "good.test": {"TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
            "bounce.good.test": {"TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
            "news.good.test": {"A": [CLIENT], "TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
            "evil.test": {"TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
        })
        self.addCleanup(names.stop)
        folder = self.folder("opendmarc")
        for record in ["v=DMARC1; p=reject", "v=DMARC1; p=quarantine; aspf=s", "v=DMARC1;p=none;sp=reject",
                       "v=DMARC1; p=REJECT ; sp = none; adkim=s; rua=mailto:a@good.test!10m", "v=DMARC1; p=quarantine; fo=1:d:s;"]:
            names.table["_dmarc.good.test"] = {"TXT": [record]}
            for author, senders in [("good.test", ["good.test", "bounce.good.test", "evil.test"]),
                                    ("news.good.test", ["good.test", "news.good.test", "evil.test"])]:
                file = folder.write("message.eml", message("hello", f"joe@{author}").as_string())
                for sender in senders:
                    for ip, passes in ((CLIENT, True), ("198.51.100.9", False)):
                        with self.subTest(record=record, author=author, sender=sender, ip=ip):
                            said = run([program(), "check", "dmarc", file, "--ip", ip, "--from", f"b@{sender}",
                                        "--dns", names.address, "--json"], status=None)
                            found = json.loads(said)
                            wanted = opendmarc(record, author, sender, passes)
                            self.assertEqual((found["result"], found["disposition"]), wanted, found)

    def reports(self):
        return json.loads(self.server.command("domain", "reports", DOMAIN, "--json"))

    def test_reports_that_come_are_tables(self):
        """Zip and gzip, under the media types that reporters use; a bomb and a foreign domain's report are left alone."""
        def zipped(xml):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("report.xml", xml)
            return out.getvalue()

        def send(content, subtype, name):
            made = message(f"Report Domain: {DOMAIN}", "a@reporter.test", f"postmaster@{DOMAIN}")
            made.add_attachment(content, maintype="application", subtype=subtype, filename=name)
            with smtplib.SMTP("127.0.0.1", self.server.smtp, timeout=60) as smtp:
                smtp.send_message(made, "a@reporter.test", [f"postmaster@{DOMAIN}"])

        report = lambda name, domain=DOMAIN: REPORT.format(name=name, domain=domain).encode()  # noqa: E731
        send(zipped(report("one")), "zip", "a!b!1!2.zip")
        send(zipped(b"<feedback>" + b"a" * (17 << 20)), "zip", "bomb.zip")
        send(gzip.compress(report("foreign", "foreign.test")), "gzip", "a.xml.gz")
        send(gzip.compress(report("two")), "x-gzip", "a!b!1!2.xml.gz")
        wait_for("both reports", lambda: len(self.reports()["reports"]) == 2)
        found = self.reports()
        self.assertEqual({one["organization"] for one in found["reports"]}, {"one", "two"})
        sources = {one["ip"]: (one["messages"], one["dkim"], one["failed"], one["rejected"]) for one in found["sources"]}
        self.assertEqual(sources, {"198.51.100.7": (8, 8, 0, 0), "2001:db8::7": (4, 0, 4, 4)})
        self.assertTold(self.server.command("domain", "reports", DOMAIN), r"198\.51\.100\.7 +8 +8")
