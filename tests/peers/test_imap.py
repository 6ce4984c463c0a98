"""Programs that read, keep and move mail over IMAP: Python's imaplib, curl, mbsync, Dovecot, offlineimap, interimap, mutt, neomutt."""
import contextlib
import email
import imaplib
import itertools
import os
import poplib
import re
import shlex

from harness import DOMAIN, PASSWORD, SHARED, Case, free_ports, message, run, wait_for


def ok(answer):
    """The data of an answer that must be OK."""
    kind, data = answer
    assert kind == "OK", answer
    return data


class ImapCase(Case):
    """Each test has an account of its own."""

    numbers = itertools.count(1)

    def setUp(self):
        self.user = f"user{next(self.numbers)}@{DOMAIN}"
        self.server.command("account", "add", self.user, "--password-stdin", input=PASSWORD + "\n")

    def login(self):
        client = imaplib.IMAP4_SSL("localhost", self.server.imaps, ssl_context=self.server.trust(), timeout=20)
        self.addCleanup(self.leave, client)
        ok(client.login(self.user, PASSWORD))
        return client

    def leave(self, client):
        with contextlib.suppress(OSError, imaplib.IMAP4.error):    # it may have left
            client.shutdown()

    def fill(self, client, folder, *subjects, flags=""):
        for subject in subjects:
            ok(client.append(folder, flags, None, bytes(message(subject))))

    def contents(self, client, folder):
        """Of a folder: subjects with their flags, in the order of arrival."""
        ok(client.select(f'"{folder}"', readonly=True))
        if int(client.response("EXISTS")[1][0] or 0) == 0:
            return []
        found = []
        for part in ok(client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
            if isinstance(part, tuple):
                subject = part[1].decode().partition(":")[2].strip()
                flags = {flag.decode() for flag in imaplib.ParseFlags(part[0])} - {"\\Recent"}
                found.append((subject, " ".join(sorted(flags))))
        return found

    def subjects(self, client, folder="INBOX"):
        return [subject for subject, _ in self.contents(client, folder)]


FLAGS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}    # of Maildir


def maildir(path):
    """The messages of a Maildir's folder, files by subject."""
    found = {}
    for file in [*path.glob("cur/*"), *path.glob("new/*")]:
        subject = email.message_from_bytes(file.read_bytes())["Subject"]
        assert subject not in found, f"{subject} is there twice"
        found[subject] = file
    return found


def kept(path):
    """Of a Maildir's folder: the subjects with their flags, as `ImapCase.contents` tells them."""
    def flags(file):
        return " ".join(sorted(FLAGS[letter] for letter in file.name.partition(":2,")[2] if letter in FLAGS))
    return sorted((subject, flags(file)) for subject, file in maildir(path).items())


def mark(file, letters):
    """Sets the flags of a message in a Maildir, as a mail program does."""
    file.rename(file.parent.parent / "cur" / (file.name.partition(":2,")[0] + ":2," + letters))


def everything(client):
    """All that an IMAP server holds: by folder and Message-ID the flags, the date and the octets of each message."""
    found = {}
    for line in ok(client.list()):
        attributes, separator, name = re.fullmatch(r'\((.*?)\) "(.)" "?(.*?)"?', line.decode()).groups()
        if "\\Noselect" in attributes or "\\NonExistent" in attributes:
            continue
        ok(client.select(f'"{name}"', readonly=True))
        for part in ok(client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")) if client.response("EXISTS")[1] != [b"0"] else []:
            if isinstance(part, tuple):
                flags = frozenset(imaplib.ParseFlags(part[0])) - {b"\\Recent"}
                text = re.sub(rb"(?m)^X-TUID: .*\r\n", b"", part[1])    # mbsync's own
                key = name.replace(separator, "/"), email.message_from_bytes(text)["Message-ID"]
                assert key not in found, f"{key} is there twice"
                found[key] = flags, imaplib.Internaldate2tuple(part[0]), text
    return found


class Imaplib(ImapCase):
    def test_imaplib_starttls(self):
        client = imaplib.IMAP4("localhost", self.server.imap, timeout=20)
        self.assertIn("LOGINDISABLED", client.capabilities)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "PRIVACYREQUIRED"):
            client.login(self.user, PASSWORD)
        ok(client.starttls(self.server.trust()))
        self.assertNotIn("LOGINDISABLED", client.capabilities)
        ok(client.login(self.user, PASSWORD))
        ok(client.select())
        self.assertEqual(client.logout()[0], "BYE")

    def test_imaplib_authenticate_plain(self):
        client = imaplib.IMAP4_SSL("localhost", self.server.imaps, ssl_context=self.server.trust(), timeout=20)
        self.assertIn("AUTH=PLAIN", client.capabilities)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.authenticate("PLAIN", lambda _: f"\0{self.user}\0wrong".encode())
        ok(client.authenticate("PLAIN", lambda _: f"\0{self.user}\0{PASSWORD}".encode()))
        self.assertEqual(client.state, "AUTH")
        client.logout()

    def test_imaplib_wrong_password(self):
        client = imaplib.IMAP4_SSL("localhost", self.server.imaps, ssl_context=self.server.trust(), timeout=20)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login(self.user, "wrong")
        client.logout()

    def test_imaplib_folders(self):
        client = self.login()
        ok(client.create("Work/2026/May"))
        ok(client.create('"Gr&APwA3w-e"'))
        names = [line.decode() for line in ok(client.list())]
        self.assertTold("\n".join(names), r'(?m)"/" "?INBOX"?$', r'"/" "?Work/2026"?\n', r'"/" "?Work/2026/May"?', r'"/" "?Gr&APwA3w-e"?')
        ok(client.rename("Work", "Home"))
        self.assertIn("Home/2026/May", ok(client.list('""', "Home/2026/*"))[0].decode())
        ok(client.subscribe("Home"))
        self.assertIn("Home", " ".join(line.decode() for line in ok(client.lsub())))
        ok(client.unsubscribe("Home"))
        ok(client.delete("Home/2026/May"))
        self.assertEqual(client.select("Home/2026/May")[0], "NO")
        self.fill(client, "Home", "one", "two", flags="\\Seen")
        self.assertRegex(ok(client.status("Home", "(MESSAGES UNSEEN UIDNEXT)"))[0].decode(), r'\(MESSAGES 2 UNSEEN 0 UIDNEXT 3\)')
        client.logout()

    def test_imaplib_messages(self):
        client = self.login()
        self.fill(client, "INBOX", "pears", "apples", "Re: pears")
        self.assertEqual(ok(client.select()), [b"3"])
        [(_, whole), _] = ok(client.fetch("2", "(RFC822)"))
        self.assertEqual(whole, bytes(message("apples")))
        self.assertEqual(ok(client.store("2", "+FLAGS", "(\\Flagged Red)"))[0].decode().split(" ", 1)[0], "2")
        self.assertEqual(ok(client.search(None, "FLAGGED")), [b"2"])
        self.assertEqual(ok(client.search(None, "KEYWORD", "Red", "SUBJECT", '"appl"')), [b"2"])
        self.assertEqual(ok(client.search("UTF-8", "BODY", '"Grüße"'.encode())), [b"1 2 3"])
        self.assertEqual(ok(client.search(None, "UNSEEN")), [b"1 3"])
        self.assertEqual(ok(client.sort("(SUBJECT)", "UTF-8", "ALL")), [b"2 1 3"])
        self.assertEqual(ok(client.sort("(REVERSE ARRIVAL)", "UTF-8", "ALL")), [b"3 2 1"])
        self.assertIn(b"(1 3)", ok(client.thread("ORDEREDSUBJECT", "UTF-8", "ALL"))[0].replace(b"(1(3))", b"(1 3)"))
        self.assertEqual(ok(client.thread("REFERENCES", "UTF-8", "ALL"))[0].count(b"("), 2)
        ok(client.create("Other"))
        ok(client.copy("1:2", "Other"))
        ok(client.uid("MOVE", "3", "Other"))
        self.assertEqual(ok(client.search(None, "ALL")), [b"1 2"])
        ok(client.store("1", "+FLAGS.SILENT", "\\Deleted"))
        client.response("EXPUNGE")    # imaplib gathers them: that of MOVE
        self.assertEqual(ok(client.expunge()), [b"1"])
        ok(client.close())
        self.assertEqual(self.subjects(client), ["apples"])
        self.assertEqual(self.contents(client, "Other"), [("pears", ""), ("apples", "Red \\Flagged \\Seen"), ("Re: pears", "")])
        client.logout()

    def test_imaplib_a_big_message_and_its_pieces(self):
        client = self.login()
        made = message(self.subject)
        made.add_attachment(os.urandom(3_000_000), maintype="application", subtype="octet-stream", filename="noise.bin")
        raw = bytes(made)
        ok(client.append("INBOX", "(\\Seen)", imaplib.Time2Internaldate(1_000_000_000), raw))
        ok(client.select())
        [(_, whole), _] = ok(client.uid("FETCH", "1", "(INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
        self.assertEqual(whole, raw)
        pieces = [ok(client.fetch("1", f"(BODY.PEEK[]<{at}.500000>)"))[0][1] for at in range(0, len(raw), 500_000)]
        self.assertEqual(b"".join(pieces), raw)
        structure = ok(client.fetch("1", "(BODYSTRUCTURE)"))[0].decode()
        self.assertIn("noise.bin", structure)
        [(_, binary), _] = ok(client.fetch("1", "(BINARY.PEEK[2])"))
        self.assertEqual(binary, made.get_payload(1).get_payload(decode=True))
        client.logout()

    def test_imaplib_idle(self):
        # imaplib knows IDLE from Python 3.14 only: the words are sent by hand.
        client, other = self.login(), self.login()
        self.assertIn(b" IDLE", ok(client.capability())[0])
        ok(client.select())
        client.send(b"i IDLE\r\n")
        self.assertRegex(client.readline(), rb"\+ ")
        self.server.submit(message(self.subject), to=[self.user])
        self.assertEqual(client.readline(), b"* 1 EXISTS\r\n")
        ok(other.select())
        ok(other.store("1", "+FLAGS", "\\Deleted"))
        ok(other.expunge())
        said = [client.readline()]
        while b"EXPUNGE" not in said[-1]:
            said.append(client.readline())
        self.assertRegex(b"".join(said), rb"^(\* \d RECENT\r\n)?\* 1 FETCH \(.*FLAGS \(\\Deleted.*\)\r\n\* 1 EXPUNGE")
        client.send(b"DONE\r\n")
        while not (line := client.readline()).startswith(b"i "):
            pass
        self.assertRegex(line, rb"^i OK")
        client.logout()

    def test_imaplib_beside_pop3(self):
        client = self.login()
        self.fill(client, "INBOX", "one", "two", "three")
        pop = poplib.POP3_SSL("localhost", self.server.pop3s, context=self.server.trust(), timeout=20)
        pop.user(self.user)
        pop.pass_(PASSWORD)
        self.assertEqual(pop.stat()[0], 3)
        ok(client.select())
        self.assertIn(b"Subject: two", pop.retr(2)[1])
        ok(client.store("1", "+FLAGS", "\\Deleted"))
        ok(client.expunge())
        pop.dele(2)
        self.assertIn(b"Subject: three", pop.retr(3)[1])
        pop.quit()
        wait_for("only the third", lambda: ok(client.noop()) and ok(client.search(None, "ALL")) == [b"1"])
        self.assertEqual(self.subjects(client), ["three"])
        client.logout()


class CurlImap(ImapCase):
    def curl(self, path, *words, status=0, url=None, **more):
        url = url or f"imaps://localhost:{self.server.imaps}"
        return run(["curl", "--silent", "--show-error", "--cacert", self.server.certificate, "--user", f"{self.user}:{PASSWORD}",
                    "--login-options", "AUTH=PLAIN", *words, f"{url}/{path}"], status=status, **more)

    def look_around(self, url, *words):
        made = self.folder("curl").write("message", bytes(message(self.subject)).decode())
        self.curl("INBOX", "--upload-file", made, *words, url=url)
        self.curl("INBOX", "--upload-file", made, *words, url=url)
        self.assertTold(self.curl("", *words, url=url), r'\* LIST \(.*\) "/" "?INBOX"?')
        self.assertEqual(self.curl("INBOX/;UID=2", *words, url=url).replace("\r\n", "\n"), bytes(message(self.subject)).decode().replace("\r\n", "\n"))
        self.assertRegex(self.curl("INBOX/;MAILINDEX=1/;SECTION=HEADER.FIELDS%20(SUBJECT)", *words, url=url), rf"^Subject: {self.subject}\r?\n\r?\n$")
        self.assertIn("* SEARCH 1 2", self.curl("INBOX", "-X", f'SEARCH SUBJECT "{self.subject}"', *words, url=url))
        self.assertIn("* SEARCH 2", self.curl("INBOX?UID%202%20TEXT%20dots", *words, url=url))
        self.curl("INBOX", "-X", "STORE 1 +FLAGS.SILENT \\Deleted", *words, url=url)
        self.assertIn("* 1 EXPUNGE", self.curl("INBOX", "-X", "EXPUNGE", *words, url=url))
        self.curl("Absent/;UID=1", *words, url=url, status=67)

    def test_curl_imaps(self):
        self.look_around(f"imaps://localhost:{self.server.imaps}")

    def test_curl_imap_with_starttls(self):
        self.look_around(f"imap://localhost:{self.server.imap}", "--ssl-reqd")

    def test_curl_no_imap_login_without_tls(self):
        self.assertRegex(self.curl("INBOX", url=f"imap://localhost:{self.server.imap_plain}", status=None), r"curl: \((67|8|9)\)")


class Mbsync(ImapCase):
    def configure(self, home, far, near):
        (home.path / "state").mkdir()
        return home.write("mbsyncrc", f"""\
{far}
{near}
Channel both
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState {home.path}/state/
""")

    def ours(self, name="far", tls="IMAPS"):
        return f"""\
IMAPAccount waypost
Host localhost
Port {self.server.imaps if tls == "IMAPS" else self.server.imap}
User {self.user}
Pass "{PASSWORD}"
SSLType {tls}
SystemCertificates no
CertificateFile {self.server.certificate}

IMAPStore {name}
Account waypost
"""

    def local(self, home):
        return f"""\
MaildirStore near
SubFolders Verbatim
Path {home.path}/mail/
Inbox {home.path}/mail/INBOX
"""

    def sync(self, settings):
        return run(["mbsync", "--config", settings, "both"], limit=100, env={**os.environ, "HOME": str(settings.parent)})

    def assertEqualEnds(self, client, mail, *folders):
        for folder in folders:
            self.assertEqual(sorted(self.contents(client, folder)), kept(mail / folder), folder)

    def two_ways(self, tls):
        home = self.folder("mbsync")
        mail = home.path / "mail"
        mail.mkdir()
        settings = self.configure(home, self.ours(tls=tls), self.local(home))
        client = self.login()
        ok(client.create("Work/2026"))
        self.fill(client, "INBOX", "one", "two", "three", "four", "five")
        self.fill(client, "Work/2026", "six", "seven", flags="(\\Seen \\Flagged)")
        self.sync(settings)
        self.assertEqual(len(kept(mail / "INBOX")), 5)
        self.assertEqualEnds(client, mail, "INBOX", "Work/2026")

        # On the server: new, seen, gone, a new folder.
        self.fill(client, "INBOX", "eight")
        ok(client.create("Server"))
        self.fill(client, "Server", "nine")
        ok(client.select())
        ok(client.store("2", "+FLAGS", "(\\Answered \\Seen)"))
        ok(client.store("1", "+FLAGS", "\\Deleted"))
        ok(client.expunge())
        # Here: new, flagged, gone, a new folder.
        files = maildir(mail / "INBOX")
        mark(files["three"], "FS")
        files["four"].unlink()
        for folder, name in (("INBOX", "ten"), ("Local", "eleven")):
            for part in ("cur", "new", "tmp"):
                (mail / folder / part).mkdir(parents=True, exist_ok=True)
            (mail / folder / "new" / f"1.{name}.here").write_bytes(bytes(message(name)).replace(b"\r\n", b"\n"))
        self.sync(settings)
        expected = {"two": "\\Answered \\Seen", "three": "\\Flagged \\Seen", "five": "", "eight": "", "ten": ""}
        self.assertEqual(dict(self.contents(client, "INBOX")), expected)
        self.assertEqual(self.subjects(client, "Local"), ["eleven"])
        self.assertEqualEnds(client, mail, "INBOX", "Work/2026", "Server", "Local")

        # Nothing is left to do.
        before = sorted(mail.rglob("*:2,*")), ok(client.status("INBOX", "(UIDNEXT HIGHESTMODSEQ)"))
        self.sync(settings)
        self.assertEqual((sorted(mail.rglob("*:2,*")), ok(client.status("INBOX", "(UIDNEXT HIGHESTMODSEQ)"))), before)

        # All gone here, and flags taken away there.
        for file in maildir(mail / "Work/2026").values():
            mark(file, "ST")
        ok(client.select())
        ok(client.store("1:*", "FLAGS", "()"))
        self.sync(settings)
        self.assertEqual(self.contents(client, "Work/2026"), [])
        self.assertEqual({flags for _, flags in self.contents(client, "INBOX")}, {""})
        self.assertEqualEnds(client, mail, "INBOX", "Work/2026", "Server", "Local")

    def test_mbsync_two_ways(self):
        self.two_ways("IMAPS")

    def test_mbsync_two_ways_starttls(self):
        self.two_ways("STARTTLS")

    def test_mbsync_from_dovecot(self):
        home = self.folder("mbsync")
        dovecot = Dovecot(self, home)
        there = dovecot.login()
        ok(there.create("Archive.2026"))
        dates = itertools.count(1_000_000_000, 86_400)
        for number in range(300):
            made = message(f"{self.subject} {number}", text=f"Nummer {number} grüßt\n" * (number % 50 * 20))
            made["Message-ID"] = f"<{number}@dovecot.test>"
            flags = " ".join(flag for bit, flag in enumerate(["\\Seen", "\\Answered", "\\Flagged", "\\Draft"]) if number >> bit & 1)
            ok(there.append("Archive.2026" if number % 3 else "INBOX", f"({flags})", imaplib.Time2Internaldate(next(dates)), bytes(made)))
        settings = self.configure(home, self.ours("far"), f"""\
IMAPAccount dovecot
Host 127.0.0.1
Port {dovecot.imap}
User box@dovecot.test
Pass pass
SSLType None
AuthMechs PLAIN

IMAPStore near
Account dovecot
""")
        self.sync(settings)
        here = self.login()
        self.assertEqual(len(everything(here)), 300)
        self.assertEqual(everything(here), everything(there))

        ok(here.select("Archive/2026"))
        ok(here.store("1:50", "+FLAGS.SILENT", "\\Deleted"))
        ok(here.expunge())
        ok(there.select("INBOX"))
        ok(there.store("1:50", "+FLAGS.SILENT", "\\Deleted"))
        ok(there.expunge())
        self.sync(settings)
        self.assertEqual(len(everything(here)), 200)
        self.assertEqual(everything(here), everything(there))


class Dovecot:
    """Debian's, with a mailbox for `box@dovecot.test`, in a folder of a test."""

    def __init__(self, test, folder):
        self.test, self.home = test, folder.path / "dovecot"
        self.imap, lmtp = free_ports(2)
        helper = SHARED / "peers/dovecot"
        test.addCleanup(run, [helper, "down", self.home])
        run([helper, "up", self.home, self.imap, lmtp])

    def login(self):
        client = imaplib.IMAP4("127.0.0.1", self.imap, timeout=20)
        self.test.addCleanup(self.test.leave, client)
        ok(client.login("box@dovecot.test", "pass"))
        return client


class DovecotAsClient(ImapCase):
    def doveadm(self, dovecot, *words):
        settings = {
            "imapc_host": "localhost", "imapc_port": self.server.imaps, "imapc_user": self.user, "imapc_password": PASSWORD, "imapc_ssl": "imaps",
            "ssl_client_ca_file": self.server.certificate, "imapc_features": "rfc822.size fetch-headers fetch-bodystructure", "mail_prefetch_count": 20,
            "namespace/inbox/separator": "/",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return run(["doveadm", "-c", dovecot.home / "dovecot.conf", *options, *words], limit=60)

    def test_dovecot_backup_and_sync(self):
        dovecot = Dovecot(self, self.folder("dovecot"))
        here = self.login()
        ok(here.create("Archive/2026"))
        for number in range(60):
            made = message(f"{self.subject} {number}", text=f"Nummer {number} grüßt\n" * (number * 20))
            made["Message-ID"] = f"<{number}@waypost.test>"
            flags = " ".join(flag for bit, flag in enumerate(["\\Seen", "\\Answered", "\\Flagged", "\\Draft"]) if number >> bit & 1)
            ok(here.append("Archive/2026" if number % 3 else "INBOX", f"({flags})", imaplib.Time2Internaldate(1_000_000_000 + number), bytes(made)))
        self.doveadm(dovecot, "backup", "-R", "-u", "box@dovecot.test", "imapc:")
        there = dovecot.login()
        self.assertEqual(len(everything(there)), 60)
        self.assertEqual(everything(there), everything(here))

        # Both ways: what is new, gone and flagged at either end.
        made = message("from Dovecot")
        made["Message-ID"] = "<new@dovecot.test>"
        ok(there.append("INBOX", "(\\Flagged)", imaplib.Time2Internaldate(1_200_000_000), bytes(made)))
        ok(there.select("INBOX"))
        ok(there.store("1:5", "+FLAGS.SILENT", "\\Deleted"))
        ok(there.expunge())
        ok(here.select("Archive/2026"))
        ok(here.store("1:5", "+FLAGS.SILENT", "\\Deleted"))
        ok(here.expunge())
        ok(here.store("1:5", "+FLAGS.SILENT", "\\Seen"))
        self.doveadm(dovecot, "sync", "-u", "box@dovecot.test", "imapc:")
        self.assertEqual(len(everything(there)), 51)
        self.assertEqual(everything(there), everything(here))


class Offlineimap(ImapCase):
    def test_offlineimap_two_ways(self):
        home = self.folder("offlineimap")
        mail = home.path / "mail"
        settings = home.write("offlineimaprc", f"""\
[general]
accounts = both
metadata = {home.path}/state
ui = basic
[Account both]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = {mail}
sep = /
[Repository there]
type = IMAP
remotehost = localhost
remoteport = {self.server.imaps}
remoteuser = {self.user}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {self.server.certificate}
""")

        def sync():
            return run(["offlineimap", "-o", "-c", settings], limit=100, env={**os.environ, "HOME": str(home.path)})
        client = self.login()
        ok(client.create("Work/2026"))
        self.fill(client, "INBOX", "one", "two", "three", "four")
        self.fill(client, "Work/2026", "five", "six", flags="(\\Seen \\Flagged)")
        sync()
        for folder in ("INBOX", "Work/2026"):
            self.assertEqual(kept(mail / folder), sorted(self.contents(client, folder)))
        files = maildir(mail / "INBOX")
        mark(files["three"], "FS")
        files["four"].unlink()
        (mail / "INBOX/new/1.seven.here").write_bytes(bytes(message("seven")).replace(b"\r\n", b"\n"))
        self.fill(client, "INBOX", "eight")
        ok(client.select())
        ok(client.store("1", "+FLAGS", "\\Deleted"))
        ok(client.expunge())
        sync()
        self.assertEqual(dict(self.contents(client, "INBOX")), {"two": "", "three": "\\Flagged \\Seen", "seven": "", "eight": ""})
        self.assertEqual(kept(mail / "INBOX"), sorted(self.contents(client, "INBOX")))


class Interimap(ImapCase):
    """It counts on QRESYNC (RFC 7162) at both ends."""

    def test_interimap_with_dovecot(self):
        home = self.folder("interimap")
        dovecot = Dovecot(self, home)
        here, there = self.login(), dovecot.login()
        for client, end in ((here, "here"), (there, "there")):
            for number in range(20):
                made = message(f"{self.subject} {end} {number}")
                made["Message-ID"] = f"<{number}@{end}.test>"
                ok(client.append("INBOX", "", imaplib.Time2Internaldate(1_000_000_000 + number), bytes(made)))
        settings = home.write("interimap", f"""\
database = {home.path}/interimap.db
list-mailbox = "INBOX"
[local]
type = imap
host = 127.0.0.1
port = {dovecot.imap}
STARTTLS = NO
auth = LOGIN PLAIN
username = box@dovecot.test
password = pass
[remote]
type = imaps
host = localhost
port = {self.server.imaps}
username = {self.user}
password = {PASSWORD}
SSL_CAfile = {self.server.certificate}
compress = YES
""")

        def sync():
            return run(["interimap", "--config", settings], limit=60, env={**os.environ, "HOME": str(home.path)})
        sync()
        self.assertEqual(len(everything(here)), 40)
        self.assertEqual(everything(here), everything(there))
        for client, end in ((here, b"here"), (there, b"there")):    # at each end its own messages come first
            ok(client.select())
            ok(client.store("1:3", "+FLAGS.SILENT", "\\Deleted"))
            ok(client.expunge())
            ok(client.store("1:3", "+FLAGS.SILENT", "(\\Seen \\Flagged)"))
            ok(client.append("INBOX", "(\\Seen)", None, b"Message-ID: <late@%s>\r\n\r\nnew\r\n" % end))
        sync()
        self.assertEqual(len(everything(here)), 36)
        self.assertEqual(everything(here), everything(there))


class Terminal:
    """A program in a terminal of tmux."""

    def __init__(self, test, folder, words):
        self.tmux = ["tmux", "-S", folder.path / "tmux", "-f", "/dev/null"]
        self.environment = {"HOME": str(folder.path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm", "SHELL": "/bin/sh"}
        command = shlex.join(str(word) for word in words) + f" 2>{folder.path}/stderr.log"
        test.addCleanup(self.call, "kill-server", status=None)
        self.call("-u", "new-session", "-d", "-x", "120", "-y", "40", command)

    def call(self, *words, status=0):
        return run([*self.tmux, *words], env=self.environment, status=status)

    def press(self, *keys):
        """Keys as tmux names them."""
        self.call("send-keys", *keys)

    def type(self, text):
        """A line at a prompt, in the place of what is proposed there."""
        self.press("C-a", "C-k")
        self.call("send-keys", "-l", text)
        self.press("Enter")

    def screen(self):
        return self.call("capture-pane", "-p")

    def shows(self, *patterns):
        """Waits until all are on the screen."""
        last = ""

        def found():
            nonlocal last
            last = self.screen()
            return all(re.search(pattern, last) for pattern in patterns)
        try:
            wait_for(f"{patterns}", found, 30)
        except AssertionError as e:
            raise AssertionError(f"{e} on the screen:\n{last}") from None

    def ended(self):
        return "no server" in self.call("has-session", status=None) or "error connecting" in self.call("has-session", status=None)


class Mutt(ImapCase):
    def settings(self, folder, scheme):
        return folder.write("rc", f"""\
set folder = "{scheme}://localhost:{self.server.imaps if scheme == "imaps" else self.server.imap}/"
set spoolfile = "+INBOX"
set record = "" postponed = "+Drafts"
set imap_user = "{self.user}" imap_pass = "{PASSWORD}"
set ssl_force_tls = yes ssl_starttls = yes
set certificate_file = "{self.server.certificate}" ssl_ca_certificates_file = "{self.server.certificate}"
set imap_idle = yes mail_check = 1 timeout = 2
set sort = date-received
set quit = yes delete = yes move = no mark_old = no confirmcreate = no confirmappend = no
set read_inc = 0 write_inc = 0 sleep_time = 0
set index_format = "%Z {{%s}}"
""")

    def session(self, program, scheme):
        client = self.login()
        for number, subject in enumerate(["one", "two", "three", "four", "five"]):
            made = message(subject, text=f"Grüße Nummer {number}\n")
            ok(client.append("INBOX", "", imaplib.Time2Internaldate(1_000_000_000 + number), bytes(made)))
        folder = self.folder(program)
        mutt = Terminal(self, folder, [program, "-n", "-F", self.settings(folder, scheme)])
        mutt.shows(*(f"{{{subject}}}" for subject in ["one", "two", "three", "four", "five"]))
        mutt.press("1", "Enter", "Enter")    # to the first, and into it
        mutt.shows("Subject: one", "Grüße Nummer 0")
        mutt.press("i")
        mutt.shows("{five}")

        # The server searches the texts.
        mutt.press("l")
        mutt.shows("Limit to")
        mutt.type('=b "Nummer 2"')
        mutt.shows(r"(?s)^(?!.*\{one\}).*\{three\}")
        mutt.press("s")
        mutt.shows("Save to")
        mutt.type("=Archive/2026")
        mutt.shows(r"D.* \{three\}")
        mutt.press("l")
        mutt.shows("Limit to")
        mutt.type("all")
        mutt.shows("{one}")

        mutt.press("4", "Enter")
        mutt.press("d")
        mutt.shows(r"D.* \{four\}")
        mutt.press("5", "Enter", "F")
        mutt.shows(r"! \{five\}")
        mutt.press("$")
        mutt.shows(r"(?s)^(?!.*\{four\})(?!.*\{three\}).*\{five\}")
        self.assertEqual(self.contents(client, "INBOX"), [("one", "\\Seen"), ("two", ""), ("five", "\\Flagged")])
        self.assertEqual(self.subjects(client, "Archive/2026"), ["three"])

        # What arrives is shown, and what another client removes goes.
        self.server.submit(message("six"), to=[self.user])
        mutt.shows(r"\{six\}")
        ok(client.select())
        ok(client.store("2", "+FLAGS", "\\Deleted"))
        ok(client.expunge())
        mutt.shows(r"(?s)^(?!.*\{two\}).*\{six\}")

        mutt.press("c")
        mutt.shows("Open mailbox")
        mutt.type("=Archive/2026")
        mutt.shows(r"(?s)^(?!.*\{six\}).*\{three\}")
        mutt.press("Enter")
        mutt.shows("Subject: three", "Grüße Nummer 2")
        mutt.press("i")
        mutt.press("C")    # copies
        mutt.shows("Copy to")
        mutt.type("=INBOX")
        mutt.press("q")
        wait_for(f"the end of {program}", mutt.ended)
        self.assertEqual(self.subjects(client), ["one", "five", "six", "three"])
        self.assertEqual(self.contents(client, "Archive/2026"), [("three", "\\Seen")])

    def test_mutt_imaps(self):
        self.session("mutt", "imaps")

    def test_mutt_imap_with_starttls(self):
        self.session("mutt", "imap")

    def test_neomutt_imaps(self):
        self.session("neomutt", "imaps")

    def test_neomutt_imap_with_starttls(self):
        self.session("neomutt", "imap")
