"""Signatures and chains, made here and checked by dkimpy and opendkim, and the other way round; what our server sends, verified by a Postfix with
opendkim; keys rotated under a server."""
import base64
import json
import re
import sqlite3
import subprocess
import unittest
from pathlib import Path

import harness
from harness import ANNA, Case, Folder, Strangers, free_ports, message, program, run, wait_for
from names import Names
from test_servers import Postfix

PYTHON = "/usr/bin/python3"    # Debian's, whose modules are Debian's packages
PEER = Path(__file__).resolve().parent / "dkimpy_peer.py"
SIGNER = "example.org"
KEYS = {"r1024": ["RSA", "rsa_keygen_bits:1024"], "r2048": ["RSA", "rsa_keygen_bits:2048"],
        "r4096": ["RSA", "rsa_keygen_bits:4096"], "ed": ["ed25519"]}
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]

HEADER = b"From: Joe <joe@example.org>\r\nTo: Sue <sue@example.net>\r\nSubject:  Is   dinner\r\n\tready? \r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <1@example.org>\r\n\r\n"
BODIES = {"text": b"Hi.\r\n\r\nWe lost  the game. \t\r\n", "empty": b"", "blank": b"\r\n\r\n\r\n",
          "trailing": b" \t Hi \r\n \r\n\t\r\n\r\n", "eight bits": "Grüße  an\talle\r\n".encode()}


def sh(words, data=b"", status=0):
    """Runs a program on octets; its standard output."""
    done = subprocess.run([str(word) for word in words], input=data, capture_output=True, timeout=60)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout!r}\n{done.stderr.decode(errors='replace')}"
    return done.stdout


class Signatures(unittest.TestCase):
    """Without a server: `waypost sign` and `waypost check`."""

    @classmethod
    def setUpClass(cls):
        cls.texts = {}
        cls.folder, cls.names = Folder("dkim"), Names({})
        for selector, (kind, *options) in KEYS.items():
            key = cls.folder.path / f"{selector}.pem"
            more = [word for option in options for word in ("-pkeyopt", option)]
            key.write_bytes(sh(["openssl", "genpkey", "-algorithm", kind, *more]))
            der = sh(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"])
            public, word = (der[-32:], "ed25519") if kind == "ed25519" else (der, "rsa")
            record = f"v=DKIM1; k={word}; p={base64.b64encode(public).decode()}"
            name = f"{selector}._domainkey.{SIGNER}"
            cls.texts[name], cls.names.table[name] = record, {"TXT": [record]}
        cls.records = cls.folder.path / "records.json"
        cls.records.write_text(json.dumps(cls.texts))
        public = "".join(f"{name}\t{record}\n" for name, record in cls.texts.items())
        cls.folder.write("public-keys", public)
        cls.opendkim = cls.folder.write("opendkim.conf", f"Mode v\nTestPublicKeys {cls.folder.path}/public-keys\nMinimumKeyBits 1024\n")

    @classmethod
    def tearDownClass(cls):
        cls.names.stop()
        cls.folder.remove()

    def waypost(self, *words, data=b"", status=0):
        return sh([program(), *words], data, status)

    def sign(self, selector, data, *more):
        key = self.folder.path / f"{selector}.pem"
        signed = self.waypost("sign", "--key", key, "--domain", SIGNER, "--selector", selector, *more, data=data)
        self.assertTrue(signed.endswith(data), "no other octet is changed")
        return signed

    def check(self, what, data, status=0):
        return json.loads(self.waypost("check", what, "-", "--json", "--dns", self.names.address, data=data, status=status))

    def dkimpy(self, what, data, *more):
        return sh([PYTHON, PEER, what, self.records, *more], data)

    def each(self):
        for selector in KEYS:
            for form in FORMS if selector in ("r2048", "ed") else FORMS[::3]:
                for name, body in BODIES.items():
                    yield selector, form, name, HEADER + body

    def test_dkimpy_verifies_our_signatures(self):
        for selector, form, name, data in self.each():
            if name in ("text", "blank") or form == FORMS[-1]:
                with self.subTest(selector=selector, form=form, body=name):
                    signed = self.sign(selector, data, "--canonicalization", form)
                    self.assertEqual(self.dkimpy("verify", signed).split(), [b"pass"])

    def test_we_verify_signatures_of_dkimpy(self):
        for selector, form, name, data in self.each():
            if name in ("text", "trailing") and selector != "r4096":
                with self.subTest(selector=selector, form=form, body=name):
                    signed = self.dkimpy("sign", data, selector, SIGNER, self.folder.path / f"{selector}.pem", form)
                    [found] = self.check("dkim", signed)["signatures"]
                    self.assertEqual((found["domain"], found["selector"], found["result"]), (SIGNER, selector, "pass"))

    def test_opendkim_and_we_agree(self):
        for selector, body in [("r1024", "text"), ("r2048", "trailing"), ("r4096", "eight bits")]:
            with self.subTest(selector=selector):
                data = HEADER + BODIES[body]
                ours = self.folder.path / "ours.eml"
                # As a milter it is not told the white space after a field's name, which simple form keeps.
                for form in FORMS[2:]:
                    ours.write_bytes(self.sign(selector, data, "--canonicalization", form))
                    said = run(["opendkim", "-x", self.opendkim, "-v", "-t", ours])
                    self.assertRegex(said, "verification .*succeeded")
                key = self.folder.path / f"{selector}.pem"
                theirs = sh(["opendkim-testmsg", "-C", "-d", SIGNER, "-k", key, "-s", selector], data)
                # It signs with SHA-1, which nobody may take any more (RFC 8301 §3.1).
                [found] = self.check("dkim", theirs, status=1)["signatures"]
                self.assertEqual((found["selector"], found["result"]), (selector, "policy"))

    def test_a_file_with_lf_is_signed_as_mail_with_crlf(self):
        data = (HEADER + BODIES["text"]).replace(b"\r\n", b"\n")
        signed = self.sign("ed", data)
        self.assertNotIn(b"\r", signed)
        self.assertEqual(self.check("dkim", signed)["signatures"][0]["result"], "pass")
        self.assertEqual(self.dkimpy("verify", signed.replace(b"\n", b"\r\n")).split(), [b"pass"])

    def test_results_have_reasons(self):
        signed = self.sign("ed", self.sign("r2048", HEADER + BODIES["text"]))
        self.assertEqual([s["result"] for s in self.check("dkim", signed)["signatures"]], ["pass", "pass"])
        changed = self.check("dkim", signed.replace(b"lost", b"won"), status=1)["signatures"]
        self.assertEqual([s["result"] for s in changed], ["fail", "fail"])
        self.assertIn("body hash", changed[0]["reason"])
        other = self.check("dkim", self.sign("ed", HEADER).replace(b"s=ed;", b"s=no;"), status=1)["signatures"]
        self.assertEqual(other[0]["result"], "permerror")
        self.assertIn("no key at no._domainkey.example.org", other[0]["reason"])
        self.assertEqual(self.check("dkim", HEADER, status=1), {"signatures": []})
        expired = self.sign("ed", HEADER, "--expires", "1").replace(b"t=", b"t=1")    # in a far future
        self.assertEqual(self.check("dkim", expired, status=1)["signatures"][0]["result"], "permerror")
        limited = self.sign("ed", HEADER + BODIES["text"], "--body-length")
        [found] = self.check("dkim", limited + b"more\r\n")["signatures"]
        self.assertEqual(found["result"], "pass")
        self.assertIn("unsigned", found["reason"])

    def seal(self, selector, data, name):
        return self.sign(selector, data, "--arc", name, "--dns", self.names.address)

    def test_chains_are_made_in_turn(self):
        data = HEADER + BODIES["text"]
        self.assertEqual(self.check("arc", data, status=1)["result"], "none")
        ours = self.seal("r2048", data, "first.example.org")
        self.assertEqual(self.check("arc", ours), {"result": "pass", "oldest_pass": 0, "reason": self.check("arc", ours)["reason"]})
        self.assertEqual(self.dkimpy("arc-verify", ours).split(), [b"pass"])
        # dkimpy seals what we sealed; it needs an Authentication-Results of its own.
        arrived = f"Authentication-Results: {SIGNER}; arc=pass; dkim=pass\r\n".encode() + ours
        theirs = self.dkimpy("arc-sign", arrived, "r2048", SIGNER, self.folder.path / "r2048.pem", "relaxed/relaxed")
        self.assertIn(b"i=2;", theirs)
        self.assertEqual(self.check("arc", theirs)["result"], "pass")
        again = self.seal("r1024", theirs, "third.example.org")
        self.assertEqual(self.check("arc", again)["result"], "pass")
        self.assertEqual(self.dkimpy("arc-verify", again).split(), [b"pass"])
        # A list changes the subject and seals: the chain holds, from its own set on.
        listed = theirs.replace(b"Subject:  Is", b"Subject: [list] Is")
        self.assertEqual(self.check("arc", listed, status=1)["result"], "fail")
        arrived = b"Authentication-Results: list.example.org; arc=pass\r\n" + listed
        sealed = self.seal("ed", arrived, "list.example.org")
        self.assertEqual(self.check("arc", sealed)["oldest_pass"], 3)
        broken = sealed.replace(b"cv=none", b"cv=pass")
        self.assertEqual(self.dkimpy("arc-verify", broken).split(), [b"fail"])
        found = self.check("arc", broken, status=1)
        self.assertEqual((found["result"], found["oldest_pass"]), ("fail", 0))
        self.assertIn("set 1", found["reason"])


class Outgoing(Case):
    """What our users send, as a Postfix sees it whose opendkim verifies."""

    FAR = "someone@far.test"

    @classmethod
    def routes(cls):
        (cls.port,) = free_ports(1)
        return f'[[route]]\ndomain = "far.test"\nto = "smtp://127.0.0.1:{cls.port}"\n'

    def verifier(self, keys):
        """opendkim, which knows these keys; its port."""
        folder = self.folder("opendkim")
        records = ((key["record"]["name"], "".join(re.findall(r'"([^"]*)"', key["record"]["value"]))) for key in keys)
        public = folder.write("public-keys", "".join(f"{name}\t{text}\n" for name, text in records))
        # What comes from loopback is not to be taken for mail to be signed.
        return self.opendkim(folder, f"""\
Mode v
TestPublicKeys {public}
InternalHosts 192.0.2.1
AuthservID mx.far.test
AlwaysAddARHeader yes
""")

    def test_what_we_sign_passes_at_postfix_with_opendkim(self):
        """RFC 6376 and RFC 8601, at a real receiver."""
        keys = json.loads(self.server.command("domain", "dkim", "status", harness.DOMAIN, "--json"))["keys"]
        milter = f"inet:127.0.0.1:{self.verifier(keys)}"
        postfix = Postfix(self, self.port, smtpd_milters=milter, milter_default_action="tempfail", myhostname="mx.far.test")
        self.server.submit(message(self.subject, to=self.FAR))
        [held] = wait_for("the message at Postfix", lambda: postfix.held(self.FAR))
        [results] = re.findall(r"^Authentication-Results: ((?:.*\n)(?:[ \t].*\n)*)", held, re.M)
        results = " ".join(results.split())
        rsa = next(key["selector"] for key in keys if "rsa" in json.dumps(key))
        self.assertTold(results, r"^mx\.far\.test; ", rf"dkim=pass [^;]*header\.d={harness.DOMAIN} [^;]*header\.s={rsa}\b")
        self.assertNotIn("dkim=fail", results)


class Rotation(Strangers):
    """Keys under a server whose DNS is this test's."""

    def status(self, verb="status"):
        return json.loads(self.server.command("domain", "dkim", verb, harness.DOMAIN, "--json"))["keys"]

    def stages(self):
        return {key["selector"]: key["stage"] for key in self.status()}

    def publish(self, keys):
        for key in keys:
            if key["record"]:
                text = "".join(re.findall(r'"([^"]*)"', key["record"]["value"]))
                self.names.table[key["record"]["name"]] = {"TXT": [text]}

    def signed(self, subject):
        self.server.submit(message(subject))
        found = self.server.received(subject)
        return {re.search(r"\bs=(\w+);", str(field)).group(1) for field in found.get_all("DKIM-Signature")}

    def test_keys_are_rotated_in_stages(self):
        self.publish(self.status())
        self.assertEqual(self.stages(), {"w1": "active", "w2": "active"})
        self.assertEqual(self.signed(self.subject + " before"), {"w1", "w2"})
        made = self.status("rotate")
        self.assertEqual([key["stage"] for key in made], ["active", "active", "waiting", "waiting"])
        self.assertEqual(self.signed(self.subject + " waiting"), {"w1", "w2"})
        self.publish(made)
        self.assertEqual(self.stages(), {"w1": "retiring", "w2": "retiring", "w3": "active", "w4": "active"})
        # Sessions keep keys for half a minute.
        wait_for("the new keys sign", lambda: self.signed(self.subject + str(len(self.server.mailbox()))) == {"w3", "w4"})
        # What was begun with them may be on its way for an hour, which passes here.
        with sqlite3.connect(self.server.folder.path / "data/waypost.db", timeout=60) as db:
            db.execute("UPDATE signing_key SET since = since - 3600000")
        db.close()
        wait_for("the old keys are not needed", lambda: self.stages()["w1"] == "removable")
        for selector in ("w1", "w2"):
            del self.names.table[f"{selector}._domainkey.{harness.DOMAIN}"]
        wait_for("the old keys are forgotten", lambda: self.stages() == {"w3": "active", "w4": "active"})
