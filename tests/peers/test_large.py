"""A message of 50 MB goes through `waypost serve` piece by piece."""
import base64
import hashlib
import re
import threading
from pathlib import Path

from harness import ANNA, PATIENCE, wait_for
from test_imap import ImapCase, ok

LARGE = 50_000_000        # octets of base64
WARM = 1_000_000          # of the message before it, after which the server has what it needs for any
LINE, WRITTEN = 57, 78    # octets of a line: what it says, and as base64 with its end
GROWTH = 8 << 20          # octets of memory that a large message may cost
LOOK = 0.02               # seconds between two looks at memory
QUIET = 1                 # seconds without work after which a server has none


class Letter:
    """A text, and as its second part so many octets of base64 that nothing can compress."""

    def __init__(self, octets):
        lines = octets // WRITTEN
        self.content = hashlib.shake_256(b"%d" % octets).digest(lines * LINE)
        self.encoded = base64.encodebytes(self.content).replace(b"\n", b"\r\n")
        head = (f"From: {ANNA}\r\nTo: {ANNA}\r\nSubject: {octets} octets\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/mixed; boundary=part\r\n\r\n"
                "--part\r\nContent-Type: text/plain\r\n\r\nsee there\r\n"
                "--part\r\nContent-Type: application/octet-stream; name=large.bin\r\n"
                "Content-Disposition: attachment; filename=large.bin\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n")
        self.octets = head.encode() + self.encoded + b"\r\n--part--\r\n"


def hashed(octets):
    return len(octets), hashlib.sha256(octets).hexdigest()


class Memory:
    """The highest memory (PSS) of a process while this is entered, over that before."""

    def __init__(self, process):
        self.process, self.over = process, threading.Event()
        self.before = self.highest = self.now()

    def now(self):
        rollup = Path(f"/proc/{self.process}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+) kB$", rollup, re.M)[1]) * 1024

    def watch(self):
        while not self.over.wait(LOOK):
            self.highest = max(self.highest, self.now())

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.highest = max(self.highest, self.now())

    @property
    def growth(self):
        return self.highest - self.before


class Large(ImapCase):
    def section(self, client, number, what, answered=None):
        """The octets of a section."""
        (said, octets), *_ = ok(client.fetch(number, f"({what})"))
        self.assertIn((answered or what.replace(".PEEK", "")).encode(), said)
        return octets

    def worked(self):
        """Processor time of the server so far."""
        stat = Path(f"/proc/{self.server.daemon.child.pid}/stat").read_text()
        return sum(int(field) for field in stat.rpartition(") ")[2].split()[11:13])

    def wait_until_idle(self):
        """What is done behind a delivery, such as the index, is done."""
        idle = threading.Event()

        def is_idle():
            before = self.worked()
            idle.wait(QUIET)
            return self.worked() == before
        wait_for("the server has nothing to do", is_idle)

    def goes_through(self, client, number, letter):
        """Appends it as the message of this number, and has all of it back in every way."""
        ok(client.append("INBOX", "", None, letter.octets))
        ok(client.noop())
        whole = letter.octets
        self.assertEqual(hashed(self.section(client, number, "BODY.PEEK[]")), hashed(whole))
        for start in (0, len(whole) // 3, len(whole) - 1000):
            part = self.section(client, number, f"BODY.PEEK[]<{start}.300000>", f"BODY[]<{start}>")
            self.assertEqual(hashed(part), hashed(whole[start:start + 300_000]))
        self.assertEqual(hashed(self.section(client, number, "BODY.PEEK[2]")), hashed(letter.encoded))
        self.assertEqual(hashed(self.section(client, number, "BINARY.PEEK[2]")), hashed(letter.content))
        start = len(letter.content) // 2
        part = self.section(client, number, f"BINARY.PEEK[2]<{start}.300000>", f"BINARY[2]<{start}>")
        self.assertEqual(hashed(part), hashed(letter.content[start:start + 300_000]))
        (said,) = ok(client.fetch(number, "(RFC822.SIZE BINARY.SIZE[2] BODYSTRUCTURE)"))
        self.assertIn(f"RFC822.SIZE {len(whole)}".encode(), said)
        self.assertIn(f"BINARY.SIZE[2] {len(letter.content)}".encode(), said)
        self.assertRegex(said, rb'(?i)"octet-stream" .*"base64" %d ' % len(letter.encoded))
        self.wait_until_idle()

    def test_50_mb_take_no_more_memory_than_a_small_message(self):
        client = self.login()
        client.sock.settimeout(PATIENCE)
        ok(client.select("INBOX"))
        self.goes_through(client, "1", Letter(WARM))
        large = Letter(LARGE)
        with Memory(self.server.daemon.child.pid) as memory:
            self.goes_through(client, "2", large)
        self.assertLess(memory.growth, GROWTH)
        print(f"{memory.growth >> 10} KiB of memory ", end="", flush=True)
