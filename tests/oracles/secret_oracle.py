#!/usr/bin/env python3
"""Keys, file secrets and keyring files, from docs/FORMAT.md alone.

Writes the golden vectors: secret_oracle.py DIRECTORY writes secret.txt there.
Needs the `cryptography` package for AES; everything else is the standard library.
"""
import hashlib
import hmac
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding


def stuff(name, length):
    """Bytes that look random and are the same each time."""
    out = b""
    while len(out) < length:
        out += hashlib.sha512(f"{name} {len(out)}".encode()).digest()
    return out[:length]


def hkdf(salt, ikm, info, length):
    prk = hmac.new(salt, ikm, hashlib.sha512).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha512).digest()[:length]  # length <= 64


def key_id(key):
    return hkdf(b"orrery v1 master key", key, b"orrery v1 key id", 16)


def planet_secret(sums, timestamp, r):
    text = "".join(str(s + 1) for s in sums) + timestamp
    return hashlib.sha512(text.encode("ascii") + r).digest()


def key_record(key, state, created, label):
    held = bytes(32) if state == 3 else key
    return struct.pack("<16s32sIIq64s", key_id(key), held, state, 0, created, label.encode())


def keyring(passphrase, cost):
    keys = [key_record(stuff("a", 32), 2, 1700000000, "Röntgen 2023"),
            key_record(stuff("b", 32), 1, 1732406400, ""),
            key_record(stuff("c", 32), 3, -1, "lost")]
    decoys = [(0, 255 << 26, 12345), (1, 2, 3)]
    payload = struct.pack("<II", len(keys), len(decoys)) + stuff("generator", 32)
    payload += b"".join(keys) + b"".join(struct.pack("<3Q", *d) for d in decoys)
    salt, nonce = stuff("salt", 32), stuff("nonce", 12)
    head = b"ORRKEYRG" + struct.pack("<HH3I", 1, 1 if passphrase else 0, *cost) + salt + nonce
    head += struct.pack("<I", len(payload))
    if passphrase:
        log2_n, r, p = cost
        key = hashlib.scrypt(passphrase, salt=salt, n=1 << log2_n, r=r, p=p, dklen=32)
    else:
        key = hkdf(salt, b"orrery v1 keyring without passphrase", b"orrery v1 keyring key", 32)
    return head + AESGCM(key).encrypt(nonce, payload, head)


def draws(seed, path, length):
    """The stream of the test build (host/keys/secret.h)."""
    key = hashlib.sha512(seed + b"\x00" + path).digest()
    blocks = (length + 63) // 64
    return b"".join(hashlib.sha512(key + struct.pack(">Q", i)).digest() for i in range(blocks))[:length]


def main(directory):
    with open(f"{directory}/secret.txt", "w", encoding="ascii") as out:
        print("# secret R_SUM G_SUM B_SUM DATE TIME R PLANET_SECRET (hexadecimal from here on)", file=out)
        print("# id MASTER_KEY KEY_ID", file=out)
        print("# wrap MASTER_KEY FILE_SECRET WRAPPED", file=out)
        print("# keyring PASSPHRASE FILE (- for none; keys a, b, c of tests/oracles/secret_oracle.py)", file=out)
        print("# draw SEED PATH FIRST_100_BYTES", file=out)
        cases = [((0, 0, 0), "01-01-1970 00:00:00", bytes(32)),
                 ((1234567, 89, 4294967295), "24-11-2024 13:05:09", stuff("r", 32)),
                 ((255 << 26, 255 << 26, 255 << 26), "31-12-9999 23:59:59", b"\xff" * 32),
                 ((9, 99, 999), "29-02-2028 12:00:00", stuff("s", 32))]
        for sums, timestamp, r in cases:
            print("secret", *sums, timestamp, r.hex(), planet_secret(sums, timestamp, r).hex(), file=out)
        for name in "abc":
            print("id", stuff(name, 32).hex(), key_id(stuff(name, 32)).hex(), file=out)
        for name in "abc":
            secret = stuff("file " + name, 96)
            wrapped = aes_key_wrap_with_padding(stuff(name, 32), secret)
            print("wrap", stuff(name, 32).hex(), secret.hex(), wrapped.hex(), file=out)
        print("keyring -", keyring(b"", (0, 0, 0)).hex(), file=out)
        for passphrase, cost in [(b"correct horse", (10, 8, 1)), ("Grüße\x00 ".encode(), (12, 2, 3))]:
            print("keyring", passphrase.hex(), keyring(passphrase, cost).hex(), file=out)
        for seed, path in [(b"1", b"a/b.tif"), (b"seed", b"\xff\n x")]:
            print("draw", seed.hex(), path.hex(), draws(seed, path, 100).hex(), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
