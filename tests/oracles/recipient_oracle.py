#!/usr/bin/env python3
"""Recipient files, from docs/FORMAT.md alone.

recipient_oracle.py DIRECTORY writes recipient.txt there. Every key is a TEST key.
"""
import hashlib
import struct
import sys

import xxhash

from hpke_oracle import named, public_of

MAX_SUM = 255 << 26


def encode(key_id, public, label, created, decoys):
    head = b"ORRPUBL1" + struct.pack("<HHI16s32s64sq", 1, 0, len(decoys), key_id, public, label, created)
    body = head + b"".join(struct.pack("<3Q", *sums) for sums in decoys)
    return body + xxhash.xxh3_128_digest(body)


def decode(file):
    """key ID, public key, label, created, decoys"""
    assert file[:8] == b"ORRPUBL1" and file[-16:] == xxhash.xxh3_128_digest(file[:-16])
    version, zero, count, key_id, public, label, created = struct.unpack_from("<HHI16s32s64sq", file, 8)
    assert version == 1 and zero == 0 and 1 <= count <= 256 and len(file) == 152 + 24 * count
    decoys = [struct.unpack_from("<3Q", file, 136 + 24 * n) for n in range(count)]
    return key_id, public, label.rstrip(b"\0"), created, decoys


def fingerprint(file):
    digest = hashlib.sha256(b"orrery v1 recipient\0" + file[:-16]).digest()[:20].hex()
    return " ".join(digest[n:n + 4] for n in range(0, 40, 4))


def write(out):
    print("# Written by tests/oracles/recipient_oracle.py; TEST keys only.", file=out)
    print("# recipient KEY_ID PUBLIC_KEY LABEL CREATED DECOYS FILE FINGERPRINT", file=out)
    print("# (hexadecimal, - for no bytes; decoys n have the sums of R, G, B: n, n + 1 and 255 * 2^26 - n)", file=out)
    for label, created, count in (("Röntgen 2027", 1732406400, 3), ("", -1, 1), ("x" * 63, 2**63 - 1, 256)):
        key_id, public = named(f"id {label}", 16), public_of(named(f"key {label}", 32))
        file = encode(key_id, public, label.encode(), created, [(n, n + 1, MAX_SUM - n) for n in range(count)])
        assert decode(file)[:4] == (key_id, public, label.encode(), created)
        print("recipient", key_id.hex(), public.hex(), label.encode().hex() or "-", created, count, file.hex(),
              fingerprint(file).replace(" ", "-"), file=out)


if __name__ == "__main__":
    with open(f"{sys.argv[1]}/recipient.txt", "w", encoding="ascii") as text:
        write(text)
