"""Programs that read, keep and move mail over IMAP: Python's imaplib, curl."""
import contextlib
import imaplib
import itertools
import os
import poplib

from harness import DOMAIN, PASSWORD, Case, message, run, wait_for


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
