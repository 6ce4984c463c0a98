"""Programs that send: swaks, gsasl, msmtp, curl, mutt, Python's smtplib; nmap and openssl look at the doors."""
import smtplib
import os

from harness import ANNA, CARL, DOMAIN, PASSWORD, Case, message, run

STRANGER = "someone@elsewhere.test"


class Swaks(Case):
    def swaks(self, port, *words, status=0, to=ANNA):
        return run(["swaks", "--server", f"127.0.0.1:{port}", "--from", ANNA, "--to", to, "--ehlo", "client.test", "--timeout", "20",
                    "--h-Subject", self.subject, "--body", "one line\n.\nand another", *words], status=status)

    def login(self, mechanism, user=ANNA, password=PASSWORD):
        return ["--auth", mechanism, "--auth-user", user, "--auth-password", password]

    def test_swaks_auth_plain(self):
        said = self.swaks(self.server.submission, "--tls", *self.login("PLAIN"))
        self.assertTold(said, r"~> AUTH PLAIN", r"<~  235 2\.7\.0")
        received = self.server.received(self.subject)
        self.assertEqual(received.get_content().rstrip().splitlines(), ["one line", ".", "and another"])
        self.assertRegex(received["Received"], r"\bESMTPSA\b")

    def test_swaks_auth_login(self):
        self.assertTold(self.swaks(self.server.submission, "--tls", *self.login("LOGIN")), r"<~  334 VXNlcm5hbWU6", r"<~  235 2\.7\.0")
        self.server.received(self.subject)

    def test_swaks_auth_cram_md5(self):
        said = self.swaks(self.server.submission, "--tls", "--from", CARL, *self.login("CRAM-MD5", CARL))
        self.assertTold(said, r"~> AUTH CRAM-MD5", r"<~  235 2\.7\.0")
        self.server.received(self.subject)

    def test_swaks_auth_cram_md5_needs_a_password_kept_for_it(self):
        self.assertTold(self.swaks(self.server.submission, "--tls", *self.login("CRAM-MD5"), status=28), r"<~\* 535 5\.7\.8")

    def test_swaks_tls_from_the_start(self):
        said = self.swaks(self.server.submissions, "--tls-on-connect", *self.login("PLAIN"))
        self.assertTold(said, r"TLS started with cipher TLSv1\.3", r"<~  235 2\.7\.0")
        self.server.received(self.subject)

    def test_swaks_wrong_password(self):
        told = [self.swaks(self.server.submission, "--tls", *self.login("PLAIN", user, "wrong"), status=28) for user in (ANNA, f"nobody@{DOMAIN}")]
        refusals = [[line for line in text.splitlines() if line.startswith("<~*")] for text in told]
        self.assertRegex(refusals[0][0], r"535 5\.7\.8")
        self.assertEqual(refusals[0], refusals[1], "the same words whoever the user is")

    def test_swaks_no_login_without_tls(self):
        said = self.swaks(self.server.submission, *self.login("PLAIN"), status=28)
        self.assertNotRegex(said, r"250.AUTH")

    def test_swaks_submission_wants_a_login(self):
        self.assertTold(self.swaks(self.server.submission, "--tls", status=23), r"<~\* 530 5\.7\.0")

    def test_swaks_mail_for_an_account_comes_in(self):
        self.swaks(self.server.smtp, "--from", STRANGER)
        received = self.server.received(self.subject)
        self.assertEqual(received["Return-Path"], f"<{STRANGER}>")
        self.assertRegex(received["Received"], r"from client\.test .*\[127\.0\.0\.1\][\s\S]*\bESMTP\b")

    def test_swaks_relaying_is_refused(self):
        self.assertTold(self.swaks(self.server.smtp, "--from", STRANGER, to=STRANGER, status=24), r"<\*\* 550 5\.7\.1")

    def test_swaks_unknown_recipient(self):
        self.assertTold(self.swaks(self.server.smtp, to=f"nobody@{DOMAIN}", status=24), r"<\*\* 550 5\.1\.1")

    def test_swaks_pipelining(self):
        self.swaks(self.server.smtp, "--pipeline")
        self.server.received(self.subject)

    def test_swaks_lmtp(self):
        said = self.swaks(self.server.lmtp, "--protocol", "LMTP")
        self.assertTold(said, r"-> LHLO", r"<-  250 2\.[16]\.")
        self.server.received(self.subject)


class Gsasl(Case):
    """The mechanisms that swaks does not know. It sends nothing: it logs in and leaves."""

    # When it has logged in it may write to a connection that QUIT has closed, and end by a signal: no status is expected.
    def gsasl(self, mechanism, status=None, password=PASSWORD):
        return run(["gsasl", "--smtp", "--connect", f"localhost:{self.server.submission}", "--starttls", "--x509-ca-file", self.server.certificate,
                    *([] if mechanism.endswith("PLUS") else ["--no-cb"]), "--mechanism", mechanism, "--authentication-id", ANNA, "--password", password], input="QUIT\r\n", status=status)

    def test_gsasl_scram_sha_1(self):
        self.assertTold(self.gsasl("SCRAM-SHA-1"), "235 2.7.0")

    def test_gsasl_scram_sha_256(self):
        self.assertTold(self.gsasl("SCRAM-SHA-256"), "235 2.7.0")

    def test_gsasl_scram_sha_1_plus(self):
        self.assertTold(self.gsasl("SCRAM-SHA-1-PLUS"), "235 2.7.0")

    def test_gsasl_scram_sha_256_plus(self):
        self.assertTold(self.gsasl("SCRAM-SHA-256-PLUS"), "235 2.7.0")

    def test_gsasl_scram_wrong_password(self):
        self.assertTold(self.gsasl("SCRAM-SHA-256", status=1, password="wrong"), r"535 5\.7\.8")


class Msmtp(Case):
    def msmtp(self, port, *more):
        settings = ["account default", "host localhost", f"port {port}", f"from {ANNA}", "auth plain", f"user {ANNA}", f'password "{PASSWORD}"',
                    "tls on", f"tls_trust_file {self.server.certificate}", *more]
        file = self.folder("msmtp").write("msmtprc", "\n".join(settings) + "\n")
        run(["msmtp", "-C", file, ANNA], input=message(self.subject).as_string())
        self.assertIn("Grüße\n.\n..two dots\n", self.server.received(self.subject).get_content())

    def test_msmtp_starttls(self):
        self.msmtp(self.server.submission)

    def test_msmtp_tls_from_the_start(self):
        self.msmtp(self.server.submissions, "tls_starttls off")


class Curl(Case):
    def curl(self, url, *words):
        letter = self.folder("curl").write("letter", message(self.subject).as_string())
        run(["curl", "--silent", "--show-error", "--cacert", self.server.certificate, "--url", url, "--user", f"{ANNA}:{PASSWORD}", "--login-options", "AUTH=PLAIN",
             "--mail-from", ANNA, "--mail-rcpt", ANNA, "--mail-rcpt", CARL, "--upload-file", letter, *words])
        self.server.received(self.subject)
        self.server.received(self.subject, CARL)

    def test_curl_starttls(self):
        self.curl(f"smtp://localhost:{self.server.submission}/client.test", "--ssl-reqd")

    def test_curl_tls_from_the_start(self):
        self.curl(f"smtps://localhost:{self.server.submissions}/client.test")


class Mutt(Case):
    def test_mutt_smtp(self):
        folder = self.folder("mutt")
        picture = folder.write("picture.bin", "not really a picture\n")
        settings = folder.write("muttrc", f"""\
set from = "{ANNA}"
set realname = "Anna Ä"
set use_from = yes
set use_envelope_from = yes
set smtp_url = "smtp://{ANNA.replace('@', '%40')}@localhost:{self.server.submission}/"
set smtp_pass = "{PASSWORD}"
set smtp_authenticators = "plain"
set ssl_force_tls = yes
set certificate_file = "{self.server.certificate}"
set ssl_ca_certificates_file = "{self.server.certificate}"
set copy = no
set charset = "utf-8"
set send_charset = "utf-8"
""")
        environment = dict(os.environ, HOME=str(folder.path), LC_ALL="C.UTF-8", TERM="dumb")
        run(["mutt", "-n", "-F", settings, "-s", self.subject, "-a", picture, "--", ANNA], input="Grüße\n", env=environment)
        received = self.server.received(self.subject)
        self.assertEqual([part.get_filename() for part in received.iter_attachments()], ["picture.bin"])
        self.assertEqual(received.get_body().get_content(), "Grüße\n")


class Smtplib(Case):
    def test_smtplib_login_and_send(self):
        made = message(self.subject)
        self.server.submit(made)
        received = self.server.received(self.subject)
        self.assertEqual(received.get_content(), made.get_content())
        self.assertTrue(received["Date"] and received["Message-ID"], "submission adds what is missing")

    def test_smtplib_many_messages_and_recipients(self):
        with smtplib.SMTP("localhost", self.server.smtp, timeout=20) as client:
            for number in range(5):
                client.send_message(message(f"{self.subject} {number}"), STRANGER, [ANNA, CARL])
        for number in range(5):
            for user in (ANNA, CARL):
                self.server.received(f"{self.subject} {number}", user)

    def test_smtplib_utf8(self):
        with smtplib.SMTP("localhost", self.server.smtp, timeout=20) as client:
            client.ehlo()
            client.sendmail("jürgen@elsewhere.test", [ANNA], f"Subject: {self.subject}\r\nFrom: jürgen@elsewhere.test\r\n\r\nGrüße\r\n".encode(),
                            mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        self.assertIn("UTF8SMTP", self.server.received(self.subject)["Received"])

    def test_smtplib_sender_must_be_own(self):
        with self.assertRaises(smtplib.SMTPException) as refused:
            self.server.submit(message(self.subject, sender=CARL))
        self.assertRegex(str(refused.exception), r"5\.7\.")

    def test_smtplib_too_large(self):
        with smtplib.SMTP("localhost", self.server.smtp, timeout=20) as client:
            client.ehlo()
            self.assertEqual(client.esmtp_features["size"], str(50 << 20))
            code, text = client.mail(STRANGER, [f"SIZE={(50 << 20) + 1}"])
            self.assertEqual((code, text[:5]), (552, b"5.3.4"))

    def test_smtplib_account_added_meanwhile(self):
        new = f"new-{os.getpid()}@{DOMAIN}"
        with smtplib.SMTP("localhost", self.server.smtp, timeout=20) as client:
            client.ehlo()
            client.mail(STRANGER)
            self.assertEqual(client.rcpt(new)[0], 550)
            self.server.command("account", "add", new, "--password-stdin", input=PASSWORD + "\n")
            self.assertEqual(client.rcpt(new)[0], 250)


class Doors(Case):
    def test_nmap_smtp_open_relay(self):
        said = run(["nmap", "-Pn", "-n", "-sT", "-p", self.server.smtp, "--script", "+smtp-open-relay", "127.0.0.1"], limit=50)
        self.assertTold(said, r"smtp-open-relay: Server doesn't seem to be an open relay, all tests failed")

    def s_client(self, port, *words, status=0):
        return run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.server.certificate, "-verify_hostname", "localhost",
                    "-verify_return_error", *words], input="QUIT\r\n", status=status)

    def test_openssl_every_door(self):
        for port, words in ((self.server.smtp, ("-starttls", "smtp")), (self.server.submission, ("-starttls", "smtp")), (self.server.submissions, ()),
                            (self.server.pop3, ("-starttls", "pop3")), (self.server.pop3s, ())):
            with self.subTest(port=port, words=words):
                self.assertTold(self.s_client(port, "-tls1_3", *words), r"TLSv1\.3, Cipher is TLS_", r"Verify return code: 0")
                self.assertTold(self.s_client(port, "-tls1_2", *words), r"TLSv1\.2", r"Verify return code: 0", r"Extended master secret: yes")

    def test_openssl_old_tls_is_refused(self):
        # With @SECLEVEL=0 it is the server that refuses, not openssl.
        for version in ("-tls1", "-tls1_1"):
            said = self.s_client(self.server.submissions, version, "-cipher", "ALL:@SECLEVEL=0", status=1)
            self.assertTold(said, r"alert (protocol version|handshake failure)")
