"""Keyring files, from docs/FORMAT.md alone: what orrery_reader.py needs to open one."""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AUTH, KEY, UNSUPPORTED, NOT_ORRERY = 4, 5, 8, 10


class Refused(Exception):
    """A file that a reader must refuse: exit status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def require(condition, status, text):
    if not condition:
        raise Refused(status, text)


def hkdf_extract(salt, ikm):
    return hmac.digest(salt, ikm, "sha512")


def hkdf_expand(prk, info, length):
    out, block, n = b"", b"", 0
    while len(out) < length:
        n += 1
        block = hmac.digest(prk, block + info + bytes([n]), "sha512")
        out += block
    return out[:length]


def master_key_id(key):
    return hkdf_expand(hkdf_extract(b"orrery v1 master key", key), b"orrery v1 key id", 16)


def read_code(text):
    """The 32 bytes of a recovery code."""
    digits = [b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(c) for c in
              text.upper().translate(bytes.maketrans(b"ILO", b"110"), b" -\t\r")]
    require(len(digits) == 56 and -1 not in digits, KEY, "not a recovery code")
    whole = sum(digit << 5 * (55 - i) for i, digit in enumerate(digits)).to_bytes(35, "big")
    code = whole[:32]
    require(hashlib.sha512(b"orrery v1 recovery code" + code).digest()[:3] == whole[32:], KEY,
            "mistyped recovery code")
    return code


def unlock_key(kind, cost, salt, passphrase, code):
    if kind == 1:
        return passphrase and hashlib.scrypt(passphrase, salt=salt, n=1 << cost[0], r=cost[1], p=cost[2], dklen=32,
                                             maxmem=2**31 - 1)
    if kind == 2:
        return code and hkdf_expand(hkdf_extract(salt, code), b"orrery v1 recovery code", 32)
    return hkdf_expand(hkdf_extract(salt, b"orrery v1 keyring without passphrase"), b"orrery v1 keyring key", 32)


def read_unlocks(path, whole, count):
    """(type, cost, salt, wrapped keyring key) of each."""
    unlocks, work, seen = [], 0, set()
    for i in range(count):
        kind, zero, *cost, ident, salt, wrapped, _ = struct.unpack_from("<HH3I16s32s40sq", whole, 64 + 128 * i)
        log2_n, r, p = cost
        require(1 <= kind <= 3 and not zero and not any(whole[176 + 128 * i : 192 + 128 * i]) and ident not in seen,
                UNSUPPORTED, f"{path}: unlock {i}")
        if kind == 1:
            require(1 <= log2_n <= 24 and 1 <= r <= 64 and 1 <= p <= 4 and log2_n < 16 * r and
                    (128 * r) << log2_n <= 1 << 30, UNSUPPORTED, f"{path}: scrypt cost")
            work += (r * p) << log2_n
        else:
            require(cost == [0, 0, 0] and (kind == 2 or count == 1), UNSUPPORTED, f"{path}: unlock {i}")
        seen.add(ident)
        unlocks.append((kind, cost, salt, wrapped))
    require(work <= 1 << 23, UNSUPPORTED, f"{path}: scrypt work")
    return unlocks


def open_keyring_key(path, unlocks, passphrase, code):
    none = unlocks[0][0] == 3
    require(none == (passphrase is None and code is None), KEY, f"{path}: a passphrase is missing, or not taken")
    for kind, cost, salt, wrapped in unlocks:
        key = unlock_key(kind, cost, salt, passphrase, code)
        if key:
            try:
                return keywrap.aes_key_unwrap_with_padding(key, wrapped)
            except keywrap.InvalidUnwrap:
                pass
    raise Refused(KEY, f"{path}: wrong passphrase or code, or damaged")


def open_payload(path, whole, count, keyring_key):
    head, nonce, salt = 64 + 128 * count, whole[16:28], whole[32:64]
    key = hkdf_expand(hkdf_extract(salt, keyring_key), b"orrery v1 keyring payload", 32)
    try:
        return AESGCM(key).decrypt(nonce, whole[head:], whole[:head])
    except InvalidTag:
        raise Refused(KEY, f"{path}: damaged") from None


def read_key_record(path, record):
    key_id, key, state, zero = struct.unpack_from("<16s32sII", record)
    label, private, public = record[64:128], record[128:160], record[160:]
    text = label.rstrip(b"\0")
    try:
        clean = b"\0" not in text and len(text) < 64 and all(ord(c) >= 32 and not 127 <= ord(c) < 160 for c in text.decode())
    except UnicodeDecodeError:
        clean = False
    require(1 <= state <= 3 and not zero and clean, UNSUPPORTED, f"{path}: a key record")
    if state == 3:
        require(not any(key) and not any(private), UNSUPPORTED, f"{path}: a destroyed key")
    else:
        require(master_key_id(key) == key_id, UNSUPPORTED, f"{path}: a key's ID")
        require(X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw() == public, UNSUPPORTED,
                f"{path}: a key's X25519 pair")
    return key_id, key, state


def read_keyring(path, passphrase, code=None):
    """Master keys of a keyring file of version 2, by ID."""
    with open(path, "rb") as stream:
        whole = stream.read()
    require(whole[:8] == b"ORRKEYRG", NOT_ORRERY, f"{path}: not a keyring")
    require(len(whole) >= 64, KEY, f"{path}: truncated")
    version, count, length, zero = struct.unpack_from("<HHI12xI", whole, 8)
    require(version == 2 and 1 <= count <= 8 and not zero, UNSUPPORTED, f"{path}: version or unlocks")
    fixed, head = 40 + 64 * count, 64 + 128 * count
    require(fixed + 192 <= length <= fixed + 192 * 256 + 24 * 65536, UNSUPPORTED, f"{path}: payload length")
    require(len(whole) == head + length + 16, KEY, f"{path}: wrong length")
    keyring_key = open_keyring_key(path, read_unlocks(path, whole, count), passphrase, code)
    payload = open_payload(path, whole, count, keyring_key)
    keys, decoys = struct.unpack_from("<II", payload)
    require(1 <= keys <= 256 and decoys <= 65536 and length == fixed + 192 * keys + 24 * decoys, UNSUPPORTED,
            f"{path}: payload")
    records = [read_key_record(path, payload[fixed + 192 * i : fixed + 192 * (i + 1)]) for i in range(keys)]
    require(len({r[0] for r in records}) == keys and sum(r[2] == 1 for r in records) <= 1, UNSUPPORTED,
            f"{path}: an ID twice, or two active keys")
    return {key_id: key for key_id, key, state in records if state < 3}
