"""Programs that read mail over POP3: fetchmail, curl, Python's poplib."""
import poplib

from harness import ANNA, CARL, PASSWORD, Case, message, run, wait_for


class Fetchmail(Case):
    def test_fetchmail_pop3s(self):
        self.server.submit(message(self.subject), to=[CARL])
        self.server.received(self.subject, CARL)
        folder = self.folder("fetchmail")
        settings = folder.write("fetchmailrc", f"""\
poll localhost protocol pop3 service {self.server.pop3s}
  username "{CARL}" password "{PASSWORD}"
  ssl sslcertck sslcertfile "{self.server.certificate}"
  mda "cat >>{folder.path}/fetched" nokeep fetchall
""")
        run(["fetchmail", "--fetchmailrc", settings, "--pidfile", folder.path / "pid", "--nodetach", "--nosyslog"],
            env={"FETCHMAILHOME": str(folder.path), "HOME": str(folder.path), "PATH": "/usr/bin:/bin"})
        self.assertIn(f"Subject: {self.subject}", (folder.path / "fetched").read_text())
        self.assertEqual(self.server.mailbox(CARL), [], "what was fetched is gone")

    def test_fetchmail_stls(self):
        self.server.submit(message(self.subject))
        self.server.received(self.subject)
        folder = self.folder("fetchmail")
        settings = folder.write("fetchmailrc", f"""\
poll localhost protocol pop3 service {self.server.pop3}
  username "{ANNA}" password "{PASSWORD}"
  sslproto "TLS1.2+" sslcertck sslcertfile "{self.server.certificate}"
  mda "cat >>{folder.path}/fetched" keep fetchall
""")
        run(["fetchmail", "--fetchmailrc", settings, "--pidfile", folder.path / "pid", "--nodetach", "--nosyslog"],
            env={"FETCHMAILHOME": str(folder.path), "HOME": str(folder.path), "PATH": "/usr/bin:/bin"})
        self.assertIn(f"Subject: {self.subject}", (folder.path / "fetched").read_text())


class CurlPop3(Case):
    def curl(self, url, *words):
        self.server.submit(message(self.subject))
        self.server.received(self.subject)
        number = len(self.server.mailbox())
        said = run(["curl", "--silent", "--show-error", "--cacert", self.server.certificate, "--user", f"{ANNA}:{PASSWORD}", "--login-options", "AUTH=PLAIN", *words, f"{url}/{number}"])
        self.assertIn(f"Subject: {self.subject}", said)

    def test_curl_pop3s(self):
        self.curl(f"pop3s://localhost:{self.server.pop3s}")

    def test_curl_pop3_with_stls(self):
        self.curl(f"pop3://localhost:{self.server.pop3}", "--ssl-reqd")

    def test_curl_no_login_without_tls(self):
        said = run(["curl", "--silent", "--show-error", "--user", f"{ANNA}:{PASSWORD}", f"pop3://localhost:{self.server.pop3}"], status=None)
        self.assertRegex(said, r"curl: \((67|8|9)\)")


class Poplib(Case):
    def client(self):
        client = poplib.POP3("localhost", self.server.pop3, timeout=20)
        client.stls(context=self.server.trust())
        client.user(CARL)
        client.pass_(PASSWORD)
        return client

    def test_poplib_whole_session(self):
        emptied = self.client()
        for number in range(emptied.stat()[0]):
            emptied.dele(number + 1)
        emptied.quit()
        for number in range(3):
            self.server.submit(message(f"{self.subject} {number}"), to=[CARL])
        wait_for("three messages", lambda: len(self.server.mailbox(CARL)) == 3)
        client = self.client()
        self.assertLessEqual({"UIDL", "TOP", "RESP-CODES", "PIPELINING", "UTF8"}, set(client.capa()))
        count, octets = client.stat()
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        uids = client.uidl()[1]
        self.assertEqual((count, len(sizes), sum(sizes)), (3, 3, octets))
        self.assertEqual(len({line.split()[1] for line in uids}), 3)
        top = client.top(1, 1)[1]
        self.assertEqual(top[top.index(b"") + 1:], ["Grüße".encode()])
        self.assertIn(b"..two dots", client.retr(1)[1])
        client.dele(2)
        client.rset()
        client.dele(1)
        client.quit()
        after = self.client()
        self.assertEqual([line.split()[1] for line in after.uidl()[1]], [line.split()[1] for line in uids[1:]], "unique ids stay")
        for number in (1, 2):
            after.dele(number)
        after.quit()

    def test_poplib_deletions_without_quit_do_not_count(self):
        self.server.submit(message(self.subject), to=[CARL])
        self.server.received(self.subject, CARL)
        client = self.client()
        client.dele(1)
        client.close()

        def there_again():
            try:
                return [one for one in self.server.mailbox(CARL) if one["Subject"] == self.subject]
            except poplib.error_proto:      # the maildrop is still in use by the session that is ending
                return None
        wait_for("the message that was not deleted", there_again)

    def test_poplib_wrong_password(self):
        client = poplib.POP3_SSL("localhost", self.server.pop3s, context=self.server.trust(), timeout=20)
        client.user(ANNA)
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[AUTH\]"):
            client.pass_("wrong")
