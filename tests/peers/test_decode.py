"""What tcpdump captures of other programs' dialogues with Waypost, read by `waypost decode`."""
import json
import shutil
import smtplib
import ssl
import subprocess
import threading
import unittest

from harness import ANNA, HOST, PASSWORD, PATIENCE, Case, message, program, run, wait_for

PLAIN = "AGFubmFA"    # how AUTH PLAIN with Anna's address begins, in base64


class Capture:
    """tcpdump on the loopback interface, for some ports; the file grows with each packet."""

    def __init__(self, folder, *ports):
        self.file = folder.path / "capture.pcap"
        expression = " or ".join(f"port {port}" for port in ports)
        self.child = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-s", "0", "-U", "--immediate-mode", "-Z", "root", "-w", self.file, expression],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        reader = threading.Thread(target=lambda: said.append(self.child.stderr.readline()), daemon=True)
        reader.start()
        reader.join(PATIENCE)
        # It says so when packets are being captured; else why it may not.
        if not said or "listening on" not in said[0]:
            self.stop()
            raise unittest.SkipTest(f"capturing is not possible here: {said}")

    def stop(self):
        self.child.terminate()
        self.child.wait(PATIENCE)
        self.child.stderr.close()


@unittest.skipUnless(shutil.which("tcpdump"), "tcpdump is not installed")
class Decode(Case):
    def capture(self, *ports):
        folder = self.folder("decode")
        capture = Capture(folder, *ports)
        self.addCleanup(capture.stop)
        return folder, capture

    def decode(self, capture, *words):
        """The dialogues, when as many as there are have ended."""
        def ended():
            said = subprocess.run([program(), "decode", capture.file, "--json", *map(str, words)],
                                  capture_output=True, timeout=30)
            if said.returncode != 0:
                return None    # the header of the file may not be written yet
            dialogues = json.loads(said.stdout)
            # A client that closes before it has read close_notify breaks off.
            return dialogues if dialogues and all(one["ending"] in ("closed", "reset") for one in dialogues) else None
        return wait_for("whole dialogues in the capture", ended)

    def lines(self, dialogue, side):
        return [line["text"] for line in dialogue["lines"] if line["from"] == side]

    def test_decode_swaks_in_the_clear(self):
        folder, capture = self.capture(self.server.smtp_plain)
        run(["swaks", "--server", f"127.0.0.1:{self.server.smtp_plain}", "--from", "you@elsewhere.test", "--to", ANNA,
             "--header", f"Subject: {self.subject}", "--body", "QUIT\n.\nand more"])
        saved = folder.path / "saved"
        [dialogue] = self.decode(capture, "--port", self.server.smtp_plain)
        client, server = self.lines(dialogue, "client"), self.lines(dialogue, "server")
        self.assertTrue(server[0].startswith(f"220 {HOST} "), server)
        self.assertEqual([line.split()[0] for line in client], ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"])
        self.assertEqual(dialogue["missing"], {"client": 0, "server": 0})
        run([program(), "decode", capture.file, "--port", self.server.smtp_plain, "--save", saved])
        [file] = saved.iterdir()
        [told] = dialogue["messages"]
        self.assertEqual((told["from"], told["to"], told["complete"]), ("you@elsewhere.test", [ANNA], True))
        self.assertEqual(len(file.read_bytes()), told["octets"])
        self.assertIn(f"Subject: {self.subject}\r\n", file.read_bytes().decode())

    def test_decode_smtplib_with_a_key_log(self):
        for version, name in [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")]:
            with self.subTest(name):
                folder, capture = self.capture(self.server.submission)
                keys = folder.path / "keys.txt"
                context = self.server.trust()
                context.minimum_version = context.maximum_version = version
                context.keylog_filename = str(keys)
                made = message(self.subject)
                with smtplib.SMTP("localhost", self.server.submission, timeout=20) as client:
                    client.starttls(context=context)
                    client.login(ANNA, PASSWORD)
                    client.send_message(made, from_addr=ANNA, to_addrs=[ANNA])
                port = ("--port", self.server.submission)
                [sealed] = self.decode(capture, *port)
                self.assertEqual(self.lines(sealed, "client")[-1], "STARTTLS")
                self.assertFalse(sealed["tls"]["decrypted"])
                saved = folder.path / "saved"
                [dialogue] = self.decode(capture, *port, "--keylog", keys)
                run([program(), "decode", capture.file, *map(str, port), "--keylog", keys, "--save", saved])
                self.assertEqual((dialogue["tls"]["version"], dialogue["tls"]["decrypted"]), (name, True))
                client = self.lines(dialogue, "client")
                self.assertTrue(any(line.startswith("AUTH ") for line in client), client)
                self.assertNotIn(PLAIN, json.dumps(dialogue))
                self.assertEqual(client[-1].upper(), "QUIT")
                [told] = dialogue["messages"]
                self.assertTrue(told["complete"] and told["reply"].startswith("250 "), told)
                [file] = saved.iterdir()
                self.assertIn(f"Subject: {self.subject}\r\n".encode(), file.read_bytes())

    def test_decode_openssl_from_the_first_octet(self):
        for suite in ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]:
            with self.subTest(suite):
                folder, capture = self.capture(self.server.submissions)
                keys = folder.path / "keys.txt"
                run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{self.server.submissions}", "-servername", HOST,
                     "-ciphersuites", suite, "-keylogfile", keys, "-ign_eof"],
                    input="EHLO client.test\r\nNOOP\r\nQUIT\r\n", status=None)
                [dialogue] = self.decode(capture, "--port", self.server.submissions, "--keylog", keys)
                self.assertEqual(dialogue["tls"]["cipher"], suite)
                self.assertEqual(dialogue["tls"]["server_name"], HOST)
                self.assertEqual(self.lines(dialogue, "client"), ["EHLO client.test", "NOOP", "QUIT"])
                self.assertTrue(self.lines(dialogue, "server")[-1].startswith("221 "))
