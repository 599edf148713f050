#!/usr/bin/env python3
"""HPKE base mode (RFC 9180) with DHKEM(X25519, HKDF-SHA256) and HKDF-SHA256, and X25519 (RFC 7748),
from the texts of the RFCs; AES-GCM is the `cryptography` package's.

hpke_oracle.py DIRECTORY writes hpke.txt there. Every key is a TEST key.
"""
import hashlib
import hmac
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

P = 2**255 - 19
KEM = b"KEM\x00\x20"
KEY_BYTES = {1: 16, 2: 32}  # by AEAD: AES-128-GCM, AES-256-GCM

# Published values: AEAD_ID IKM_E SK_E IKM_R SK_R PK_R ENC SHARED_SECRET KEY_SCHEDULE_CONTEXT SECRET KEY BASE_NONCE SEALED;
# info, plaintext and the first message's aad are the same everywhere.
INFO = b"Ode on a Grecian Urn"
PLAIN = b"Beauty is truth, truth beauty"
AAD = b"Count-0"
PUBLISHED = [
    # RFC 9180, A.1.1
    "1 7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234 "
    "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736 "
    "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037 "
    "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8 "
    "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d "
    "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431 "
    "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc "
    "00725611c9d98c07c03f60095cd32d400d8347d45ed67097bbad50fc56da742d"
    "07cb6cffde367bb0565ba28bb02c90744a20f5ef37f30523526106f637abb05449 "
    "12fff91991e93b48de37e7daddb52981084bd8aa64289c3788471d9a9712f397 "
    "4531685d41d65f03dc48f6b8302c05b0 56d890e5accaaf011cff4b7d "
    "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
    # test-vectors.json beside the RFC (github.com/cfrg/draft-irtf-cfrg-hpke): mode 0, KEM 32, KDF 1, AEAD 2
    "2 2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9 "
    "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11 "
    "- "
    "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d "
    "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c "
    "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256 "
    "3101c54c3a4f87439eaac080699ed9bbcc726ffe44e860c0424ccb7e3e2ead7b "
    "004ce5472ecdd5093ba0aecb8f871ff13f1fbc90ee76f0e18ace1a1b7e565bafa3"
    "06f6ef962c9ee7cea40407b5d60f0f26990472faae3ac44c78366f1cac1ecde1 "
    "2058ac9b02c1f52c1aaf08bedbec9198219751a94ef67b7d5f0c8b6e2b54ebfb "
    "f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f 151d9929e2449747889bc923 "
    "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a",
]
# The u coordinates of the points of order 1, 2, 4 and 8 of the curve and its twist.
LOW_ORDER = [0, 1, P - 1,
             325606250916557431795983626356110631294008115727848805560023387167927233504,
             39382357235489614581723060781553021112529911719440698176882885853963445705823]


def x25519(private, public):
    """The ladder of RFC 7748, section 5."""
    k = int.from_bytes(private, "little") & ((1 << 254) - 8) | 1 << 254
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in range(254, -1, -1):
        swap = k >> bit & 1
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        x3, z3 = (d * a + c * b) ** 2 % P, u * (d * a - c * b) ** 2 % P
        e = (a * a - b * b) % P
        x2, z2 = a * a * b * b % P, e * (a * a + 121665 * e) % P
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public_of(private):
    return x25519(private, (9).to_bytes(32, "little"))


def extract(suite, salt, label, ikm):
    return hmac.new(salt, b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def expand(suite, prk, label, info, length):
    text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(prk, text + b"\x01", hashlib.sha256).digest()[:length]  # length <= 32


def derive_private(ikm):
    return expand(KEM, extract(KEM, b"", b"dkp_prk", ikm), b"sk", b"", 32)


def kem_secret(dh, enc, recipient):
    return expand(KEM, extract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + recipient, 32)


def key_schedule(aead, shared, info):
    """key_schedule_context, secret, key, base_nonce"""
    suite = b"HPKE\x00\x20\x00\x01" + aead.to_bytes(2, "big")
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    return (context, secret, expand(suite, secret, b"key", context, KEY_BYTES[aead]),
            expand(suite, secret, b"base_nonce", context, 12))


def not_zero(dh):
    if not any(dh):
        raise ValueError("a public key of low order")
    return dh


def seal(seed, recipient, info, aad, plain):
    """enc, ciphertext || tag"""
    private = derive_private(seed)
    enc = public_of(private)
    dh = not_zero(x25519(private, recipient))
    _, _, key, nonce = key_schedule(2, kem_secret(dh, enc, recipient), info)
    return enc, AESGCM(key).encrypt(nonce, plain, aad)


def open_sealed(private, enc, info, aad, sealed):
    dh = not_zero(x25519(private, enc))
    _, _, key, nonce = key_schedule(2, kem_secret(dh, enc, public_of(private)), info)
    return AESGCM(key).decrypt(nonce, sealed, aad)


def named(text, length):
    """`length` bytes that stand for a secret or random value of a test."""
    return hashlib.shake_256(b"orrery test " + text.encode()).digest(length)


def spellings(u):
    """All 32 bytes that mean this coordinate: below and above P, bit 255 clear and set."""
    return [(v | top << 255).to_bytes(32, "little") for v in (u, u + P) if v < 1 << 255 for top in (0, 1)]


def special_publics():
    """Small ones, near P, of few bits, with long runs of one bit; on the curve or its twist."""
    numbers = [*range(2, 20), P - 2, P - 9, P + 2, P + 9, 2**255 - 1]
    numbers += [1 << n for n in range(5, 255, 23)] + [(1 << n) - 1 for n in range(8, 255, 13)]
    numbers += [sum(((1 << run) - 1) << n for n in range(0, 255, 2 * run)) for run in (1, 8, 25, 26, 32, 51, 64)]
    return [(n % 2**255).to_bytes(32, "little") for n in numbers] + [(9 | 1 << 255).to_bytes(32, "little")]


def write(out):
    def line(kind, *values):
        print(kind, *[v.hex() or "-" for v in values], file=out)
    print("# Written by tests/oracles/hpke_oracle.py; bytes in hexadecimal, '-' for none. TEST keys only.", file=out)
    print("# x25519 PRIVATE PUBLIC SHARED; the first two are of RFC 7748, section 5.2", file=out)
    for private, public in (
            ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
             "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")):
        private, public = bytes.fromhex(private), bytes.fromhex(public)
        line("x25519", private, public, x25519(private, public))
    for n, public in enumerate(special_publics()):
        private = named(f"private {n}", 32)
        line("x25519", private, public, x25519(private, public))
    print("# pair PRIVATE PUBLIC", file=out)
    for private in (bytes(32), b"\xff" * 32, b"\x01" + bytes(31), *(named(f"pair {n}", 32) for n in range(8))):
        line("pair", private, public_of(private))
    print("# low PUBLIC: every spelling of the points whose shared secret is zero", file=out)
    for u in LOW_ORDER:
        for public in spellings(u):
            line("low", public)
    print("# hpke SEED PRIVATE_R PUBLIC_R INFO AAD PLAIN ENC SEALED; the first is the published one", file=out)
    words = PUBLISHED[1].split()
    cases = [(bytes.fromhex(words[1]), bytes.fromhex(words[4]), INFO, AAD, PLAIN),
             (named("seed", 32), named("recipient", 32), b"orrery v1 wrap\x00" + named("digest", 64), b"",
              named("file secret", 96))]
    for n, (info, aad, plain) in enumerate([(0, 0, 1), (1, 0, 15), (15, 1, 16), (16, 16, 17), (255, 33, 31),
                                            (1023, 3, 257), (1024, 1000, 4096)]):
        cases.append((named(f"seed {n}", 32), named(f"recipient {n}", 32), named(f"info {n}", info),
                      named(f"aad {n}", aad), named(f"plain {n}", plain)))
    for seed, private, info, aad, plain in cases:
        public = public_of(private)
        line("hpke", seed, private, public, info, aad, plain, *seal(seed, public, info, aad, plain))


if __name__ == "__main__":
    with open(f"{sys.argv[1]}/hpke.txt", "w", encoding="ascii") as file:
        write(file)
