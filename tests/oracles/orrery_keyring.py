"""Keyring files of version 2, written from docs/FORMAT.md ("Keyring file"): reading, and writing for tests."""
import hashlib
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import hpke_oracle
from orrery_format import KEY, NOT_ORRERY, UNSUPPORTED, Refused, require
from orrery_keys import MasterKey, hkdf, master_key, master_key_id
from orrery_metadata import safe_label

PASSPHRASE, RECOVERY, NONE = 1, 2, 3
HEAD, UNLOCK, KEY_RECORD = struct.Struct("<8sHHI12sI32s"), struct.Struct("<HHIII16s32s40sq"), 192
UNLOCK_BYTES, LABEL_BYTES, DECOY_BYTES = 128, 64, 24
MOST_WORK, MOST_MEMORY, MOST_PAYLOAD = 2**23, 2**28, 256 * KEY_RECORD + 65536 * DECOY_BYTES
PAYLOAD_INFO = b"orrery v1 keyring payload"
RECOVERY_INFO = b"orrery v1 recovery code"
OPEN_KEY, OPEN_INFO = b"orrery v1 keyring without passphrase", b"orrery v1 keyring key"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


# ---- recovery code ---------------------------------------------------------------------------

def recovery_code(key):
    """What is printed of the 32 bytes of a recovery key: they and 3 check bytes, in base32."""
    number = int.from_bytes(key + hashlib.sha512(RECOVERY_INFO + key).digest()[:3], "big")
    text = "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(56)))
    return "-".join(text[at : at + 7] for at in range(0, 56, 7))


def recovery_key(text):
    """The 32 bytes of a typed code."""
    text = text.upper().translate(str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None, "\t": None}))
    require(len(text) == 56 and all(c in CROCKFORD for c in text), KEY, "a recovery code has 56 letters and digits")
    number = 0
    for c in text:
        number = number << 5 | CROCKFORD.index(c)
    key = number.to_bytes(35, "big")[:32]
    require(recovery_code(key).replace("-", "") == text, KEY, "the recovery code is mistyped")
    return key


# ---- unlocks ---------------------------------------------------------------------------------

class Unlock:
    def __init__(self, raw):
        self.kind, zero, self.log2_n, self.r, self.p, self.unlock_id, self.salt, self.wrapped, self.created = UNLOCK.unpack_from(raw)
        require(1 <= self.kind <= 3, UNSUPPORTED, f"keyring: unknown unlock {self.kind}")
        require(zero == 0 and not any(raw[UNLOCK.size :]), UNSUPPORTED, "keyring: unlock")
        if self.kind == PASSPHRASE:
            require(1 <= self.log2_n <= 24 and 1 <= self.r <= 64 and 1 <= self.p <= 4 and self.log2_n < 16 * self.r and
                    self.work() <= MOST_WORK and (128 * self.r) << self.log2_n <= MOST_MEMORY, UNSUPPORTED, "keyring: scrypt cost")
        else:
            require((self.log2_n, self.r, self.p) == (0, 0, 0), UNSUPPORTED, "keyring: scrypt cost without scrypt")

    def work(self):
        return (self.r * self.p) << self.log2_n if self.kind == PASSPHRASE else 0

    def open(self, secret):
        """The keyring key, or None; `secret` is the passphrase, the recovery key, or None."""
        try:
            return keywrap.aes_key_unwrap_with_padding(unlock_key(self.kind, self.salt, secret, self.log2_n, self.r, self.p), self.wrapped)
        except keywrap.InvalidUnwrap:
            return None


def unlock_key(kind, salt, secret, log2_n, r, p):
    if kind == PASSPHRASE:
        return hashlib.scrypt(secret, salt=salt, n=1 << log2_n, r=r, p=p, dklen=32, maxmem=2**31 - 1)
    return hkdf(salt, secret, RECOVERY_INFO, 32) if kind == RECOVERY else hkdf(salt, OPEN_KEY, OPEN_INFO, 32)


def label_of(raw, what):
    label = raw.rstrip(b"\0")
    require(len(raw) == 64 and b"\0" not in label and safe_label(label), UNSUPPORTED, f"keyring: label of {what}")
    return label


# ---- reading ---------------------------------------------------------------------------------

def keyring_key(unlocks, passphrase, recovery):
    given = {PASSPHRASE: passphrase, RECOVERY: recovery, NONE: b""}
    require(unlocks[0].kind != NONE or (passphrase, recovery) == (None, None), KEY, "the keyring takes no passphrase")
    tried = [unlock for unlock in unlocks if given[unlock.kind] is not None]
    require(tried, KEY, "the keyring needs a passphrase or a recovery code")
    for unlock in tried:
        key = unlock.open(given[unlock.kind])
        if key is not None and len(key) == 32:
            return key
    raise Refused(KEY, "wrong passphrase or recovery code, or a damaged keyring")


def key_of(raw):
    """(state, MasterKey) of a key record."""
    key_id, master, state, zero, _ = struct.unpack_from("<16s32sIIq", raw)
    private, public = raw[128:160], raw[160:192]
    label_of(raw[64:128], "a key")
    require(1 <= state <= 3 and zero == 0, UNSUPPORTED, "keyring: state of a key")
    if state == 3:
        require(not any(master + private), UNSUPPORTED, "keyring: a destroyed key that is there")
        return state, MasterKey(key_id, None)
    require(master_key_id(master) == key_id, UNSUPPORTED, "keyring: ID of a key")
    require(hpke_oracle.public_of(private) == public, UNSUPPORTED, "keyring: public key of a key")
    return state, MasterKey(key_id, master, private)


def decode_payload(payload, unlocks):
    keys, decoys = struct.unpack_from("<II", payload)
    at = 40 + LABEL_BYTES * unlocks
    require(1 <= keys <= 256 and decoys <= 65536 and len(payload) == at + KEY_RECORD * keys + DECOY_BYTES * decoys, UNSUPPORTED,
            "keyring: payload length")
    for n in range(unlocks):
        label_of(payload[40 + LABEL_BYTES * n :][:LABEL_BYTES], "an unlock")
    found = [key_of(payload[at + KEY_RECORD * n :][:KEY_RECORD]) for n in range(keys)]
    require(len({key.key_id for _, key in found}) == keys, UNSUPPORTED, "keyring: a key twice")
    require(sum(state == 1 for state, _ in found) <= 1, UNSUPPORTED, "keyring: two active keys")
    for sums in struct.iter_unpack("<QQQ", payload[at + KEY_RECORD * keys :]):
        require(max(sums) <= 255 * 2**26, UNSUPPORTED, "keyring: decoy")
    return {key.key_id: key for state, key in found if state < 3}


def unlocks_of(path, whole):
    """The unlocks of a whole keyring file, after everything that is checked before any work."""
    require(whole[:8] == b"ORRKEYRG" and len(whole) >= HEAD.size, NOT_ORRERY, f"{path}: not a keyring")
    _, version, count, length, _, zero, _ = HEAD.unpack_from(whole)
    require(version == 2 and 1 <= count <= 8, UNSUPPORTED, f"{path}: unknown version, or too many unlocks")
    least = 40 + LABEL_BYTES * count
    require(zero == 0 and least + KEY_RECORD <= length <= least + MOST_PAYLOAD, UNSUPPORTED, f"{path}: header")
    require(len(whole) == HEAD.size + UNLOCK_BYTES * count + length + 16, KEY, f"{path}: wrong length")
    unlocks = [Unlock(whole[HEAD.size + UNLOCK_BYTES * n :][:UNLOCK_BYTES]) for n in range(count)]
    require(sum(unlock.work() for unlock in unlocks) <= MOST_WORK, UNSUPPORTED, f"{path}: scrypt cost")
    require(count == 1 or all(unlock.kind != NONE for unlock in unlocks), UNSUPPORTED, f"{path}: an open unlock beside others")
    require(len({unlock.unlock_id for unlock in unlocks}) == count, UNSUPPORTED, f"{path}: an unlock twice")
    return unlocks


def open_payload(path, whole, unlocks, key):
    """The payload under the keyring key."""
    *_, nonce, _, salt = HEAD.unpack_from(whole)
    at = HEAD.size + UNLOCK_BYTES * unlocks
    try:
        return AESGCM(hkdf(salt, key, PAYLOAD_INFO, 32)).decrypt(nonce, whole[at:], whole[:at])
    except InvalidTag:
        raise Refused(KEY, f"{path}: damaged") from None


def read_keyring(path, passphrase=None, recovery=None):
    """MasterKeys of a keyring file, by ID; `passphrase` bytes, `recovery` the 32 bytes of a code."""
    with open(path, "rb") as stream:
        whole = stream.read()
    unlocks = unlocks_of(path, whole)
    key = keyring_key(unlocks, passphrase, recovery)
    return decode_payload(open_payload(path, whole, len(unlocks), key), len(unlocks))


def read_keys(path):
    """MasterKeys of a text file: a master key a line in hexadecimal, behind it perhaps an X25519 private key."""
    keys = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            parts = [bytes.fromhex(word) for word in line.split("#")[0].split()]
            if parts:
                require(len(parts) <= 2 and all(len(part) == 32 for part in parts), KEY, f"{path}: 64 hexadecimal digits a key")
                key = master_key(*parts)
                keys[key.key_id] = key
    return keys


# ---- writing ---------------------------------------------------------------------------------

def key_record(key, state=1, created=0, label=b"", public=None):
    destroyed = state == 3
    master, private = (bytes(32), bytes(32)) if destroyed else (key.master, key.private)
    public = public or hpke_oracle.public_of(key.private)
    return struct.pack("<16s32sIIq64s", key.key_id, master, state, 0, created, label) + private + public


def write_keyring(records, unlocks, draw, decoys=(), generator=bytes(32), edit=()):
    """Bytes of a keyring file. `unlocks`: (kind, secret, log2_n, r, p, created, label); `draw(name, length)` gives
    random or, for vectors, fixed bytes. `edit` maps payload, head, unlock N and file to functions from bytes to bytes:
    what is sealed after them is right."""
    edits = dict(edit)
    edited = lambda stage, data: edits[stage](data) if stage in edits else data
    secret, salt, nonce = draw("keyring key", 32), draw("keyring salt", 32), draw("keyring nonce", 12)
    payload = struct.pack("<II", len(records), len(decoys)) + generator
    payload += b"".join(unlock[6].ljust(LABEL_BYTES, b"\0") for unlock in unlocks)
    payload = edited("payload", payload + b"".join(records) + b"".join(struct.pack("<QQQ", *sums) for sums in decoys))
    head = edited("head", HEAD.pack(b"ORRKEYRG", 2, len(unlocks), len(payload), nonce, 0, salt))
    for number, (kind, given, log2_n, r, p, created, _) in enumerate(unlocks):
        own = draw(f"unlock salt {number}", 32)
        wrapped = keywrap.aes_key_wrap_with_padding(unlock_key(kind, own, given, log2_n, r, p), secret)
        raw = UNLOCK.pack(kind, 0, log2_n, r, p, draw(f"unlock ID {number}", 16), own, wrapped, created).ljust(UNLOCK_BYTES, b"\0")
        head += edited(f"unlock {number}", raw)
    return edited("file", head + AESGCM(hkdf(salt, secret, PAYLOAD_INFO, 32)).encrypt(nonce, payload, head))
