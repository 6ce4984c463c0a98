#!/usr/bin/python3
"""Debian's dkimpy with keys from a file instead of the DNS: its own commands ask the system's resolver.

  dkimpy_peer.py verify|arc-verify KEYS.json < message
  dkimpy_peer.py sign|arc-sign KEYS.json SELECTOR DOMAIN KEY.pem HEADER/BODY < message

KEYS.json maps names to TXT records. `verify` prints a word for each signature, `arc-verify` the chain's; the others the message.
"""
import base64
import json
import re
import sys

import dkim


def main():
    what, records = sys.argv[1], json.load(open(sys.argv[2]))
    message = sys.stdin.buffer.read()

    def txt(name, timeout=5):
        found = records.get(name.decode().rstrip("."))
        return found and found.encode()

    if what == "verify":
        checked = dkim.DKIM(message)
        count = sum(1 for name, _ in checked.headers if name.lower() == b"dkim-signature")
        for index in range(count):
            print("pass" if checked.verify(idx=index, dnsfunc=txt) else "fail")
    elif what == "arc-verify":
        print(dkim.arc_verify(message, dnsfunc=txt)[0].decode())
    else:
        selector, domain, key, form = sys.argv[3:]
        pem = open(key, "rb").read()
        ed25519 = len(pem) < 200
        if ed25519:
            # dkimpy wants the bare seed, which ends the PKCS#8.
            der = base64.b64decode(re.sub(rb"-----.*-----|\s", b"", pem))
            pem = base64.b64encode(der[-32:])
        header, body = (half.encode() for half in form.split("/"))
        kind = b"ed25519-sha256" if ed25519 else b"rsa-sha256"
        if what == "sign":
            made = dkim.sign(message, selector.encode(), domain.encode(), pem, canonicalize=(header, body), signature_algorithm=kind)
        else:
            made = b"".join(dkim.arc_sign(message, selector.encode(), domain.encode(), pem, domain.encode(), signature_algorithm=kind))
        sys.stdout.buffer.write(made + message)


main()
