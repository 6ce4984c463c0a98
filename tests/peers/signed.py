#!/usr/bin/python3
"""A DNS server on loopback with DNSSEC, for programs that validate: everything is in the root zone, which is signed as it is asked for.

  signed.py TABLE ANCHOR     TABLE: JSON, {"mx.signed.test": {"A": ["127.0.0.1"], "TLSA": ["3 1 1 …"]}}, read anew for each question
                             ANCHOR: where the root's key is written

Prints its address. It is a program of its own because Debian's Python has dnspython, and the one that runs the tests may not."""
import json
import socket
import sys
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.NSEC
import dns.rrset
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT, TTL = dns.name.root, 60
SOA = "ns. hostmaster. 1 3600 600 86400 60"


class Zone:
    def __init__(self, table, anchor):
        self.table, self.key = table, Ed25519PrivateKey.generate()
        self.dnskey = dns.dnssec.make_dnskey(self.key.public_key(), dns.dnssec.Algorithm.ED25519, 257)
        flags, protocol, algorithm, *key = self.dnskey.to_text().split()
        with open(anchor, "w") as file:
            file.write(f". {TTL} IN DNSKEY {flags} {protocol} {algorithm} {''.join(key)}\n")

    def find(self, name):
        with open(self.table) as file:
            table = json.load(file)
        if name == ROOT:
            return {"SOA": [SOA], "NS": ["ns."], "DNSKEY": [self.dnskey.to_text()]}
        return table.get(name.to_text(omit_final_dot=True).lower(), {})

    def signed(self, section, rrset):
        signature = dns.dnssec.sign(rrset, self.key, ROOT, self.dnskey, inception=time.time() - 3600, lifetime=86400)
        section.append(rrset)
        section.append(dns.rrset.from_rdata(rrset.name, TTL, signature))

    def answer(self, query):
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        question = query.question[0]
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        there = self.find(name)
        if values := there.get(kind):
            self.signed(reply.answer, dns.rrset.from_text_list(name, TTL, "IN", kind, values))
        else:
            # "There is the name, and it has these types only" (RFC 4470): the next name is the least that can be.
            self.signed(reply.authority, dns.rrset.from_text(ROOT, TTL, "IN", "SOA", SOA))
            types = " ".join(sorted({*there, "RRSIG", "NSEC"}))
            following = dns.name.Name((b"\0", *name.labels))
            self.signed(reply.authority, dns.rrset.from_text(name, TTL, "IN", "NSEC", f"{following} {types}"))
        return reply


def main():
    zone = Zone(*sys.argv[1:])
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    print("127.0.0.1:%d" % server.getsockname()[1], flush=True)
    while True:
        question, client = server.recvfrom(4096)
        server.sendto(zone.answer(dns.message.from_wire(question)).to_wire(), client)


main()
