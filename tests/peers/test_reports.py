"""DMARC of domains and messages, held against opendmarc; reports about our domain, as other programs pack them; and our own
reports, held against the schema of RFC 9990."""
import ctypes
import gzip
import io
import json
import smtplib
import sqlite3
import subprocess
import xml.etree.ElementTree
import zipfile
from pathlib import Path

from harness import ANNA, DOMAIN, Strangers, message, program, run, wait_for
from names import Names

CLIENT = Strangers.CLIENT
SCHEMA = Path(__file__).resolve().parent / "dmarc-2.0.xsd"
SPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"

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


class Reports(Strangers):
    RECORDS = RECORDS

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


class Written(Strangers):
    """Reports of mail that came, a day later."""

    RECORDS = {
        "mx.sender.test": {"A": [CLIENT]},
        "sender.test": {"TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
        "news.sender.test": {"A": [CLIENT]},
        "_dmarc.sender.test": {"TXT": [f"v=DMARC1; p=reject; sp=none; fo=1:d; rua=mailto:{ANNA}"]},
        "trial.test": {"TXT": ["v=spf1 ?all"]},
        "_dmarc.trial.test": {"TXT": [f"v=DMARC1; p=quarantine; t=y; adkim=s; rua=mailto:{ANNA}"]},
        # The address is another domain's, which says that it wants them.
        f"sender.test._report._dmarc.{DOMAIN}": {"TXT": ["v=DMARC1"]},
        f"trial.test._report._dmarc.{DOMAIN}": {"TXT": ["v=DMARC1"]},
    }

    def send(self, author, sender, client=CLIENT, refused=False, **fields):
        made = message(self.subject, author)
        for name, value in fields.items():
            made[name.replace("_", "-")] = value
        with smtplib.SMTP("127.0.0.1", self.proxy(client), local_hostname="mx.sender.test", timeout=60) as smtp:
            if refused:
                self.assertRaises(smtplib.SMTPDataError, smtp.send_message, made, sender, [ANNA])
            else:
                smtp.send_message(made, sender, [ANNA])

    def a_day_passes(self):
        """What was counted today was counted the day before yesterday."""
        self.server.halt()
        with sqlite3.connect(self.server.folder.path / "data/waypost.db") as db:
            changed = db.execute("UPDATE report_tally SET day = day - 2").rowcount
        db.close()
        self.server.run()
        return changed

    def report(self, domain):
        """The XML of the report about a domain that came to Anna."""
        def found():
            return [one for one in self.server.mailbox() if str(one["Subject"]).startswith(f"Report Domain: {domain} ")]
        (came,) = wait_for(f"the report about {domain}", found)
        (attached,) = came.iter_attachments()
        self.assertEqual(attached.get_content_type(), "application/gzip")
        return gzip.decompress(attached.get_content())

    def valid(self, report):
        done = subprocess.run(["xmllint", "--noout", "--schema", SCHEMA, "-"], input=report, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode() + report.decode())
        return xml.etree.ElementTree.fromstring(report)

    def rows(self, report):
        """Source, number, what was done, aligned by DKIM and SPF, and the results of signatures."""
        def text(record, path):
            return record.findtext("/".join(SPACE + name for name in path.split("/")))
        paths = ["row/source_ip", "row/count", "row/policy_evaluated/disposition", "row/policy_evaluated/dkim",
                 "row/policy_evaluated/spf", "row/policy_evaluated/reason/type", "auth_results/dkim/result"]
        return {tuple(text(record, path) for path in paths) for record in report.iter(f"{SPACE}record")}

    def test_they_keep_to_the_schema(self):
        """RFC 9990, Appendix A."""
        signed = "v=1; a=rsa-sha256; d=sender.test; s=gone; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
        self.send("joe@sender.test", "joe@sender.test")
        self.send("joe@sender.test", "joe@sender.test", DKIM_Signature=signed)
        self.send("boss@sender.test", "x@other.test", client="2001:db8::9", refused=True)
        self.send("joe@news.sender.test", "x@other.test", client="198.51.100.9")
        self.send("joe@trial.test", "", client="198.51.100.9")
        self.assertEqual(self.a_day_passes(), 5)
        rows = self.rows(self.valid(self.report("sender.test")))
        self.assertEqual(rows, {
            (CLIENT, "1", "pass", "fail", "pass", None, None),
            (CLIENT, "1", "pass", "fail", "pass", None, "permerror"),
            ("2001:db8::9", "1", "reject", "fail", "fail", None, None),
            ("198.51.100.9", "1", "none", "fail", "fail", None, None),
        })
        rows = self.rows(self.valid(self.report("trial.test")))
        self.assertEqual(rows, {("198.51.100.9", "1", "none", "fail", "fail", "policy_test_mode", None)})
