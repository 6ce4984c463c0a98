"""Mail authentication, held against other implementations of it."""
import concurrent.futures
import contextlib
import gzip
import json
import os
import re
import smtplib
import socket
import socketserver
import struct
import subprocess
import threading
import unittest
import unittest.mock
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import harness
import spf
import yaml

# The community's test suite of RFC 7208, as python3-spf has it.
SUITE = Path("/usr/share/doc/python3-spf/rfc7208-tests.yml.gz")
AT_ONCE = 8       # runs of the program, most of which wait for the DNS
LIMIT = 60        # seconds for one run


class Zone:
    """Records by name and type; a name of `silent` is not answered for, except with what it has."""

    def __init__(self):
        self.records, self.silent = {}, set()

    def add(self, name, kind, data):
        self.records.setdefault(name.rstrip(".").lower(), {}).setdefault(kind, []).append(data)

    def answer(self, query):
        """The reply to a query, or None: silence."""
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AA
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        labels = [label.decode("latin-1").lower() for label in question.name.labels if label]
        owner, name = question.name, ".".join(labels)
        for _ in range(8):
            found = self.records.get(name)
            if found is None and name not in self.silent:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                return reply
            if found and kind in found:
                reply.answer.append(rrset(owner, kind, found[kind]))
                return reply
            if name in self.silent:
                return None
            if "CNAME" not in found:
                return reply
            target = found["CNAME"][0]
            reply.answer.append(rrset(owner, "CNAME", [target]))
            owner, name = dns.name.from_text(target), target.rstrip(".").lower()
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply


def rrset(owner, kind, data):
    made = dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    made.update_ttl(60)
    for one in data:
        made.items[rdata(kind, one)] = None
    return made


def literal(name):
    """A name whose characters stand for themselves."""
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".")] if name.rstrip(".") else []
    return dns.name.Name([*labels, b""])


def rdata(kind, data):
    if kind == "TXT":
        strings = b"".join(bytes([len(part)]) + part for part in data) or b"\0"
        return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, strings, 0, len(strings))
    if kind == "MX":
        wire = struct.pack("!H", data[0]) + literal(data[1]).to_wire()
        return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.MX, wire, 0, len(wire))
    if kind in ("PTR", "CNAME"):
        wire = literal(data).to_wire()
        return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.from_text(kind), wire, 0, len(wire))
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), data)


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        wire, sock = self.request
        reply = self.server.zone.answer(dns.message.from_wire(wire))
        if reply is not None:
            sock.sendto(reply.to_wire(max_size=1232), self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        size = self.request.recv(2, socket.MSG_WAITALL)
        if len(size) == 2:
            wire = self.request.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
            reply = self.server.zone.answer(dns.message.from_wire(wire))
            if reply is not None:
                wire = reply.to_wire()
                self.request.sendall(struct.pack("!H", len(wire)) + wire)


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True


@contextlib.contextmanager
def name_server(zone):
    """Serves the zone on loopback over UDP and TCP; gives ADDRESS:PORT."""
    with UdpServer(("127.0.0.1", 0), Udp) as udp, TcpServer(udp.server_address, Tcp) as tcp:
        for server in (udp, tcp):
            server.zone = zone
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "%s:%d" % udp.server_address
        finally:
            for server in (udp, tcp):
                server.shutdown()


def suite():
    """The suite's parts: a zone and its cases by name."""
    for part in yaml.safe_load_all(gzip.open(SUITE, "rt", encoding="utf-8")):
        zone = Zone()
        for name, entries in part["zonedata"].items():
            add_entries(zone, str(name), entries)
        yield zone, part["tests"]


def add_entries(zone, name, entries):
    kinds = {kind for entry in entries if isinstance(entry, dict) for kind in entry}
    zone.records.setdefault(name.rstrip(".").lower(), {})
    for entry in entries:
        if entry == "TIMEOUT":
            zone.silent.add(name.lower())
            continue
        (kind, data), = entry.items()
        if kind in ("SPF", "TXT"):
            # The type of experimental times: nobody may ask for it. Where a name has no TXT records, they are meant to
            # have the same content.
            if data == "NONE" or (kind == "SPF" and "TXT" in kinds):
                continue
            strings = [data] if isinstance(data, str) else data
            zone.add(name, "TXT", [part.encode("latin-1") for part in strings])
        elif kind == "MX":
            zone.add(name, "MX", tuple(data))
        else:
            zone.add(name, kind, str(data))


def check(server, ip, mail_from, helo):
    words = [harness.program(), "check", "spf", "--json", "--dns", server, "--ip", str(ip), "--from", mail_from, "--helo", helo]
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=LIMIT, cwd="/",
                          env={key: value for key, value in os.environ.items() if key != "WAYPOST_HOME"})
    return done.returncode, json.loads(done.stdout)


class Spf(unittest.TestCase):
    maxDiff = None

    def check_all(self, cases):
        """Runs `(name, judge)` cases, `AT_ONCE` at a time; `judge` gives what is wrong, or None."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [(name, words) for name, words in pool.map(lambda case: (case[0], case[1]()), cases) if words]
        self.assertEqual(wrong, [])

    def test_every_case_of_the_suite(self):
        count = 0
        with contextlib.ExitStack() as servers:
            cases = []
            for zone, tests in suite():
                server = servers.enter_context(name_server(zone))
                cases += [(name, lambda case=case, server=server: self.judge(case, server)) for name, case in tests.items()]
            count = len(cases)
            self.check_all(cases)
        self.assertGreater(count, 180)

    def judge(self, case, server):
        status, found = check(server, case["host"], case["mailfrom"], case["helo"])
        wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
        if found["result"] not in wanted:
            return f"{found['result']} instead of {wanted}: {found['reason']}"
        if status != {"pass": 0, "temperror": 75}.get(found["result"], 1):
            return f"status {status}"
        explanation = case.get("explanation", found["explanation"])
        # DEFAULT is the text of a program for its users: there is none in the document.
        if found["explanation"] != (None if explanation == "DEFAULT" else explanation):
            return f"{found['explanation']!r} instead of {explanation!r}"
        return None


class AgainstPySpf(unittest.TestCase):
    """The same answers as the module `spf`, where the specification leaves nothing open."""
    RECORDS = [
        "v=spf1 ip4:192.0.2.0/25 -all", "v=spf1 a mx ~all", "v=spf1 a:mail.%{d}/31 mx:other.test//48 ?all",
        "v=spf1 include:other.test -all", "v=spf1 redirect=other.test", "v=spf1 exists:%{l}.%{o}.users.test -all",
        "v=spf1 exists:%{ir}.%{v}.hosts.test -all", "v=spf1 exists:%{d2}.%{l1r-}.users.test ip6:2001:db8::/33 ~all",
        "v=spf1 ptr:other.test -all", "v=spf1 a:none.test a:none2.test a:none3.test -all", "v=spf1 ip4:192.0.2.1/33 -all",
        "v=spf1 include:none.test -all", "v=spf1 a:%{h} -all", "v=spf1 -all exp=exp.test", "v=spf1 +all moo", "v=spf1 mx:ten.test -all",
        "v=spf1 " + "a:mail.check.test " * 11 + "-all", "v=spf1 " + "a:mail.check.test " * 10 + "ip4:198.51.100.1 -all",
    ]
    HOSTS = ["192.0.2.1", "192.0.2.77", "192.0.2.130", "198.51.100.1", "2001:db8::1", "2001:db8:ffff::9"]
    SENDERS = ["joe@check.test", "joe-bad@check.test"]

    def zone(self, record):
        zone = Zone()
        zone.add("check.test", "TXT", [record.encode()])
        zone.add("check.test", "A", "192.0.2.1")
        zone.add("check.test", "MX", (10, "mail.check.test"))
        zone.add("mail.check.test", "A", "192.0.2.130")
        zone.add("mail.check.test", "AAAA", "2001:db8::1")
        zone.add("other.test", "TXT", [b"v=spf1 ip4:198.51.100.0/24 ", b"a:mail.check.test -all exp=exp.test"])
        zone.add("other.test", "MX", (5, "mail.check.test"))
        zone.add("1.100.51.198.in-addr.arpa", "PTR", "host.other.test")
        zone.add("host.other.test", "A", "198.51.100.1")
        zone.add("joe.check.test.users.test", "A", "127.0.0.2")
        zone.add("check.test.joe.users.test", "A", "127.0.0.2")
        zone.add("77.2.0.192.in-addr.hosts.test", "A", "127.0.0.2")
        zone.add("exp.test", "TXT", [b"%{s} at %{c} is not for %{d}: http://%{o}/?s=%{S}"])
        for number in range(10):
            zone.add("ten.test", "MX", (number, f"m{number}.ten.test"))
            zone.add(f"m{number}.ten.test", "A", f"192.0.2.{70 + number}")
        return zone

    def test_the_same_result_and_explanation(self):
        with contextlib.ExitStack() as servers:
            cases = []
            for record in self.RECORDS:
                zone = self.zone(record)
                server = servers.enter_context(name_server(zone))
                for host in self.HOSTS:
                    for sender in self.SENDERS:
                        wanted = self.ask_module(zone, host, sender)
                        cases.append((f"{record} {host} {sender}", lambda *_, a=(server, host, sender), w=wanted: self.judge(a, w)))
            Spf.check_all(self, cases)

    def ask_module(self, zone, host, sender):
        def look_up(name, kind, *_, **__):
            query = dns.message.make_query(literal(name), kind)
            return [((name, one), value) for found in zone.answer(query).answer for one, value in self.values(found)]

        query = spf.query(host, sender, "mail.check.test", receiver="mx.test", strict=True)
        query.set_default_explanation("DEFAULT")
        with unittest.mock.patch.object(spf, "DNSLookup", look_up):
            word, _, explanation = query.check()
        return word, explanation

    @staticmethod
    def values(found):
        kind = dns.rdatatype.to_text(found.rdtype)
        for one in found:
            if kind == "TXT":
                yield kind, one.strings
            elif kind == "MX":
                yield kind, (one.preference, one.exchange.to_text(omit_final_dot=True))
            elif kind in ("PTR", "CNAME"):
                yield kind, one.target.to_text(omit_final_dot=True)
            else:
                yield kind, one.address

    @staticmethod
    def judge(asked, wanted):
        server, host, sender = asked
        _, found = check(server, host, sender, "mail.check.test")
        if found["result"] != wanted[0]:
            return f"{found['result']} instead of {wanted[0]}: {found['reason']}"
        if wanted[0] == "fail" and (found["explanation"] or "DEFAULT") != wanted[1]:
            return f"{found['explanation']!r} instead of {wanted[1]!r}"
        return None


class Sink(socketserver.StreamRequestHandler):
    """A server of another provider that takes everything: what it heard is the server's `heard`, pairs of sender and recipient."""

    def handle(self):
        self.say("220 far.test ESMTP")
        sender = None
        for line in self.rfile:
            words = line.decode().strip()
            if words.upper().startswith("MAIL FROM:"):
                sender = re.search("<(.*?)>", words)[1]
            elif words.upper().startswith("RCPT TO:"):
                self.server.heard.append((sender, re.search("<(.*?)>", words)[1]))
            elif words.upper() == "DATA":
                self.say("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            elif words.upper() == "QUIT":
                self.say("221 bye")
                return
            self.say("250 ok")

    def say(self, words):
        self.wfile.write(words.encode() + b"\r\n")


class Forwarding(harness.Case):
    """An alias that leads to another provider: SPF passes there, and notifications find their way home."""

    @classmethod
    def routes(cls):
        cls.sink = TcpServer(("127.0.0.1", 0), Sink)
        cls.sink.heard = []
        threading.Thread(target=cls.sink.serve_forever, daemon=True).start()
        to = "smtp://127.0.0.1:%d" % cls.sink.server_address[1]
        return "".join(f'[[route]]\ndomain = "{domain}"\nto = "{to}"\n' for domain in ("far.test", "stranger.test"))

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.sink.shutdown()
        cls.sink.server_close()

    def heard(self, recipient):
        def found():
            return [sender for sender, to in self.sink.heard if to == recipient]
        return harness.wait_for(f"mail for {recipient}", found)[-1]

    def test_a_stranger_is_rewritten_and_comes_back(self):
        self.server.command("alias", "add", f"info@{harness.DOMAIN}", "friend@far.test")
        with smtplib.SMTP("127.0.0.1", self.server.smtp, timeout=20) as client:
            client.sendmail("joe@stranger.test", [f"info@{harness.DOMAIN}"], "Subject: to the house\r\n\r\n")
            sender = self.heard("friend@far.test")
            self.assertRegex(sender, rf"^SRS0=[A-Z2-7]+=[A-Z2-7]+=stranger\.test=joe@{re.escape(harness.DOMAIN)}$")
            # The other provider could not deliver it; case may have changed on the way.
            client.sendmail("", [sender.lower()], "Subject: Undelivered\r\n\r\n")
            self.assertEqual(self.heard("joe@stranger.test"), "")
            for forged, path in (("", sender.replace("=joe", "=ann")), ("eve@stranger.test", sender)):
                with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
                    client.sendmail(forged, [path], "Subject: relay me\r\n\r\n")
                self.assertEqual(refused.exception.recipients[path][0], 550)
