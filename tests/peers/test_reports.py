"""DMARC of domains and messages, and reports about our domain, as other programs pack them."""
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
