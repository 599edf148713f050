#!/usr/bin/env python3
"""Keys, file secrets and keyring files, from docs/FORMAT.md alone.

Writes the golden vectors: secret_oracle.py DIRECTORY writes secret.txt there.
Needs the `cryptography` package for AES; everything else is the standard library.
"""
import hashlib
import hmac
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
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


def pair(key):
    private = hkdf(b"orrery v1 master key", key, b"orrery v1 key x25519", 32)
    return private, X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def key_record(key, state, created, label, version):
    held, (private, public) = (bytes(32) if state == 3 else key), pair(key)
    record = struct.pack("<16s32sIIq64s", key_id(key), held, state, 0, created, label.encode())
    return record + ((bytes(32) if state == 3 else private) + public if version == 2 else b"")


def payload_of(version, labels=()):
    keys = [key_record(stuff("a", 32), 2, 1700000000, "Röntgen 2023", version),
            key_record(stuff("b", 32), 1, 1732406400, "", version),
            key_record(stuff("c", 32), 3, -1, "lost", version)]
    decoys = [(0, 255 << 26, 12345), (1, 2, 3)]
    payload = struct.pack("<II", len(keys), len(decoys)) + stuff("generator", 32)
    payload += b"".join(label.encode().ljust(64, b"\0") for label in labels)
    return payload + b"".join(keys) + b"".join(struct.pack("<3Q", *d) for d in decoys)


def scrypt(passphrase, salt, cost):
    log2_n, r, p = cost
    return hashlib.scrypt(passphrase, salt=salt, n=1 << log2_n, r=r, p=p, dklen=32)


def without_passphrase(salt):
    return hkdf(salt, b"orrery v1 keyring without passphrase", b"orrery v1 keyring key", 32)


def keyring1(passphrase, cost):
    """Version 1."""
    payload, salt, nonce = payload_of(1), stuff("salt", 32), stuff("nonce", 12)
    head = b"ORRKEYRG" + struct.pack("<HH3I", 1, 1 if passphrase else 0, *cost) + salt + nonce
    head += struct.pack("<I", len(payload))
    key = scrypt(passphrase, salt, cost) if passphrase else without_passphrase(salt)
    return head + AESGCM(key).encrypt(nonce, payload, head)


def code_text(code):
    """A recovery code as it is printed: 35 bytes in Crockford's base32."""
    number = int.from_bytes(code + hashlib.sha512(b"orrery v1 recovery code" + code).digest()[:3], "big")
    text = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> 5 * (55 - i) & 31] for i in range(56))
    return "-".join(text[i:i + 7] for i in range(0, 56, 7))


def unlock(number, keyring_key, secret, cost):
    """`secret` is a passphrase with its cost, or (without one) a recovery code, or None."""
    salt, ident = stuff(f"unlock salt {number}", 32), stuff(f"unlock ID {number}", 16)
    if cost:
        kind, key = 1, scrypt(secret, salt, cost)
    elif secret:
        kind, key = 2, hkdf(salt, secret, b"orrery v1 recovery code", 32)
    else:
        kind, key = 3, without_passphrase(salt)
    wrapped = aes_key_wrap_with_padding(key, keyring_key)
    return struct.pack("<HH3I16s32s40sq16x", kind, 0, *(cost or (0, 0, 0)), ident, salt, wrapped, 1700000000 + number)


def keyring(*secrets):
    """Version 2; each secret is (passphrase or code or None, cost or None, label)."""
    payload, salt, nonce = payload_of(2, [s[2] for s in secrets]), stuff("salt", 32), stuff("nonce", 12)
    keyring_key = stuff("keyring key", 32)
    head = b"ORRKEYRG" + struct.pack("<HHI12s4x32s", 2, len(secrets), len(payload), nonce, salt)
    head += b"".join(unlock(n, keyring_key, s[0], s[1]) for n, s in enumerate(secrets))
    key = hkdf(salt, keyring_key, b"orrery v1 keyring payload", 32)
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
        print("# pair MASTER_KEY X25519_PRIVATE X25519_PUBLIC", file=out)
        print("# code RECOVERY_CODE ITS_TEXT", file=out)
        print("# keyring TYPE SECRET FILE (- for none; keys a, b, c of tests/oracles/secret_oracle.py)", file=out)
        print("# keyring1 PASSPHRASE FILE: version 1", file=out)
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
            print("pair", stuff(name, 32).hex(), *(half.hex() for half in pair(stuff(name, 32))), file=out)
        code = stuff("code", 32)
        for each in (bytes(32), b"\xff" * 32, code):
            print("code", each.hex(), code_text(each), file=out)
        phrases = [(b"correct horse", (10, 8, 1), "night shift"), ("Grüße\x00 ".encode(), (12, 2, 3), "")]
        print("keyring none -", keyring((None, None, "")).hex(), file=out)
        print("keyring code", code.hex(), keyring((code, None, "Tresor")).hex(), file=out)
        both = keyring(phrases[0], (code, None, ""), phrases[1]).hex()
        print("keyring code", code.hex(), both, file=out)
        for phrase in phrases:
            print("keyring passphrase", phrase[0].hex(), keyring(phrase).hex(), file=out)
            print("keyring passphrase", phrase[0].hex(), both, file=out)
        print("keyring1 -", keyring1(b"", (0, 0, 0)).hex(), file=out)
        for passphrase, cost, _ in phrases:
            print("keyring1", passphrase.hex(), keyring1(passphrase, cost).hex(), file=out)
        for seed, path in [(b"1", b"a/b.tif"), (b"seed", b"\xff\n x")]:
            print("draw", seed.hex(), path.hex(), draws(seed, path, 100).hex(), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
