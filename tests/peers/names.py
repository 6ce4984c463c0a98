"""A DNS server on loopback that knows what its table says, over UDP, for programs that are told its port."""
import socket
import struct
import threading

A, PTR, MX, TXT = 1, 12, 15, 16
TYPES = {"A": A, "PTR": PTR, "MX": MX, "TXT": TXT}
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


class Names:
    """`{"example.test": {"A": ["192.0.2.1"], "MX": ["mail.example.test"], "TXT": ["…"]}}`. A name that is not there does
    not exist, unless something below it does; one whose table is None cannot be asked now; `*.example.test` stands for all
    names below it that are not there. The table may change while it serves."""

    def __init__(self, table):
        self.table = dict(table)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def stop(self):
        self.socket.close()

    def serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(question), client)
            except OSError:
                return

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii").lower())
            at += 1 + question[at]
        name, (kind,) = ".".join(labels), struct.unpack("!H", question[at + 1:at + 3])
        status, records = self.find(name, kind)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data for data in records)
        # A response to a standard query, authoritative, with recursion.
        flags = 0x8580 | status
        return question[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question[12:at + 5] + answers

    def find(self, name, kind):
        found = self.table.get(name, self.table.get("*." + name.partition(".")[2], {}))
        if found is None:
            return SERVER_FAILURE, []
        values = [value for wanted, values in found.items() if TYPES[wanted] == kind for value in values]
        exists = found or any(other.endswith("." + name) for other in self.table)
        return NO_ERROR if exists else NO_SUCH_NAME, [encoded(kind, value) for value in values]


def encoded(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == TXT:
        octets = value.encode()
        pieces = [octets[at:at + 255] for at in range(0, len(octets), 255)]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces)
    name = b"".join(bytes([len(label)]) + label.encode("ascii") for label in value.split(".")) + b"\0"
    return struct.pack("!H", 10) + name if kind == MX else name
