"""Moving from Dovecot and back: over IMAP, from its Maildir, and into one that it reads."""
import imaplib
import json
import re
import shutil
import subprocess

from harness import DOMAIN, PASSWORD, SHARED, Case, free_ports, message, program, run, wait_for

HELPER = SHARED / "peers/dovecot"
USER, MANY = "ann", 1_000
# With the names that modified UTF-7 has for them.
FOLDERS = {"INBOX": "INBOX", "Archive": "Archive", "Archive.2024": "Archive/2024", "Archive.2024.Q&-A": "Archive/2024/Q&-A",
           "Entw&APw-rfe": "Entw&APw-rfe"}
FLAGS = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged $Work", "\\Seen $Forwarded Later", "\\Draft"]


def ok(answer):
    """The data of an answer that must be OK."""
    kind, data = answer
    assert kind == "OK", answer
    return data


def contents(client, folder):
    """Of a folder: what each message is, has and when it came, in no order."""
    ok(client.select(f'"{folder}"', readonly=True))
    if int(client.response("EXISTS")[1][0] or 0) == 0:
        return []
    found = []
    for part in ok(client.fetch("1:*", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
        if isinstance(part, tuple):
            subject = part[1].decode().partition(":")[2].strip()
            flags = {flag.decode() for flag in imaplib.ParseFlags(part[0])} - {"\\Recent"}
            date = imaplib.Internaldate2tuple(part[0])
            size = re.search(rb"RFC822.SIZE (\d+)", part[0])[1]
            found.append((subject, " ".join(sorted(flags)), date, int(size)))
    return sorted(found)


class Moving(Case):
    def setUp(self):
        self.place = self.folder("dovecot").path
        self.port, lmtp = free_ports(2)
        run([HELPER, "up", self.place, str(self.port), str(lmtp)], limit=60)
        self.addCleanup(run, [HELPER, "down", self.place])
        self.account = f"{self._testMethodName.replace('_', '-')}@{DOMAIN}"
        self.server.command("account", "add", self.account, "--password-stdin", input=PASSWORD + "\n")

    def dovecot(self, user=USER):
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        self.addCleanup(client.shutdown)
        ok(client.login(user, "pass"))
        return client

    def waypost(self):
        client = imaplib.IMAP4_SSL("localhost", self.server.imaps, ssl_context=self.server.trust(), timeout=30)
        self.addCleanup(client.shutdown)
        ok(client.login(self.account, PASSWORD))
        return client

    def fill(self, count):
        client = self.dovecot()
        for name in list(FOLDERS)[1:]:
            ok(client.create(f'"{name}"'))
            ok(client.subscribe(f'"{name}"'))
        for number in range(count):
            folder = list(FOLDERS)[number % len(FOLDERS)]
            date = f'"{number % 28 + 1:02}-Mar-20{number % 20 + 10} 12:00:00 +0100"'
            made = bytes(message(f"number {number}", text="x" * (number * 7)))
            ok(client.append(f'"{folder}"', f"({FLAGS[number % len(FLAGS)]})", date, made))
        # One that is not held in one piece.
        ok(client.append('"Archive"', "", '"01-Feb-2020 00:00:00 +0000"', bytes(message("large", text="0123456789\n" * 300_000))))
        return client

    def compare(self, theirs):
        ours = self.waypost()
        for there, here in FOLDERS.items():
            with self.subTest(there):
                self.assertEqual(contents(theirs, there), contents(ours, here))
        subscribed = b"\n".join(ok(ours.lsub()))
        for name in list(FOLDERS.values())[1:]:
            self.assertIn(name.encode(), subscribed)

    def imap_words(self, server=None):
        return ["import", "imap", "--server", f"imap://127.0.0.1:{server or self.port}", "--user", USER,
                "--password-stdin", "--account", self.account, "--json"]

    def imported(self, words, **more):
        return json.loads(self.server.command(*words, limit=300, **more))["folders"]

    def last_run(self, words, **more):
        """Imports, lets people go on there, and imports what they did."""
        theirs = self.fill(60)
        self.imported(words, **more)
        ok(theirs.select("INBOX"))
        ok(theirs.store("1:3", "+FLAGS", "(\\Seen Later)"))
        ok(theirs.store("4", "-FLAGS", "(\\Flagged \\Seen)"))
        ok(theirs.copy("5", '"Archive"'))
        ok(theirs.store("5:6", "+FLAGS", "(\\Deleted)"))
        ok(theirs.expunge())
        ok(theirs.append("INBOX", "", None, bytes(message("later"))))
        folders = self.imported([*words, "--remove-gone"], **more)
        self.assertEqual([sum(folder[what] for folder in folders) for what in ("imported", "removed", "failed")], [2, 2, 0])
        self.compare(theirs)
        folders = self.imported([*words, "--remove-gone"], **more)
        self.assertEqual([sum(folder[what] for folder in folders) for what in ("imported", "changed", "removed")], [0, 0, 0])

    def test_dovecot_s_changes_come_with_the_last_run_over_imap(self):
        self.last_run(self.imap_words(), input="pass\n")

    def test_dovecot_s_changes_come_with_the_last_run_from_its_maildir(self):
        self.last_run(["import", "maildir", self.place / "mail" / USER, "--account", self.account, "--json"])

    def test_dovecot_over_imap_killed_and_resumed(self):
        theirs = self.fill(MANY)
        child = subprocess.Popen([program(), *self.imap_words(), "--config", self.server.config], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL)
        child.stdin.write(b"pass\n")
        child.stdin.close()

        def begun():
            listed = self.server.command("mail", "list", "--folders", "--user", self.account, "--json")
            return sum(folder["messages"] for folder in json.loads(listed)) > 0
        wait_for("the first messages", begun)
        child.kill()
        child.wait()
        folders = self.imported(self.imap_words(), input="pass\n")
        self.assertTrue(all(folder["verified"] for folder in folders), folders)
        self.assertGreater(sum(folder["known"] for folder in folders), 0)
        self.assertEqual(sum(folder["messages"] for folder in folders), MANY + 1)
        self.compare(theirs)
        # Nothing was marked there, and what comes later comes alone.
        ok(theirs.append("INBOX", "", None, bytes(message("later"))))
        folders = self.imported(self.imap_words(), input="pass\n")
        self.assertEqual(sum(folder["imported"] for folder in folders), 1)

    def test_dovecot_maildir(self):
        theirs = self.fill(60)
        path = self.place / "mail" / USER
        words = ["import", "maildir", path, "--account", self.account, "--json"]
        self.assertEqual(sum(folder["imported"] for folder in self.imported(words)), 61)
        self.assertEqual(sum(folder["imported"] for folder in self.imported(words)), 0)
        self.compare(theirs)

    def test_dovecot_reads_what_is_exported(self):
        theirs = self.fill(60)
        self.imported(["import", "maildir", self.place / "mail" / USER, "--account", self.account, "--json"])
        target = self.place / "mail" / "back"
        self.server.command("export", "maildir", target, "--account", self.account)
        shutil.chown(target, "vmailtest")
        for path in target.rglob("*"):
            shutil.chown(path, "vmailtest")
        back = self.dovecot("back")
        for name in FOLDERS:
            with self.subTest(name):
                self.assertEqual(contents(theirs, name), contents(back, name))
        subscribed = b"\n".join(ok(back.lsub()))
        for name in list(FOLDERS)[1:]:
            self.assertIn(name.encode(), subscribed)
