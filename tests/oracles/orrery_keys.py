"""Keys, nonces and wraps of Orrery files, written from docs/FORMAT.md ("Keys", "Wrap slot")."""
import hashlib
import hmac
from typing import NamedTuple, Optional

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import hpke_oracle
from orrery_format import AUTH, KEY, Refused, Wrap, be64, decode_slot, require


def hkdf_extract(salt, ikm):
    return hmac.digest(salt, ikm, "sha512")


def hkdf_expand(prk, info, length):
    out, block, n = b"", b"", 0
    while len(out) < length:
        n += 1
        block = hmac.digest(prk, block + info + bytes([n]), "sha512")
        out += block
    return out[:length]


def hkdf(salt, ikm, info, length):
    return hkdf_expand(hkdf_extract(salt, ikm), info, length)


# ---- keys of a file --------------------------------------------------------------------------

KEY_SIZES = {"tile key": 32, "digest key": 32, "metadata key": 32, "nonce key": 64, "header mac": 32, "commitment": 32}


def file_keys(secret, header):
    """Every key of the file secret (seal_root || planet_secret), by label."""
    prk = hkdf_extract(header[16:48], secret)
    bound = hashlib.sha512(header).digest()
    return {label: hkdf_expand(prk, b"orrery v1 " + label.encode() + b"\0" + bound, size)
            for label, size in KEY_SIZES.items()}


def segment_nonces(keys, segment, salt):
    """Base nonce of the tiles, nonce of the digest."""
    both = hkdf_expand(keys["nonce key"], b"segment\0" + be64(segment) + salt, 24)
    return both[:12], both[12:]


def tile_nonce(base, tile):
    """Nonce of tile number `tile` (in its segment)."""
    return base[:11] + bytes([base[11] & 0x80 | tile])


def metadata_nonce(keys, salt):
    return hkdf_expand(keys["nonce key"], b"metadata\0" + salt, 12)


def gcm_open(key, nonce, sealed_then_tag):
    """The plaintext, or None when it does not open."""
    try:
        return AESGCM(key).decrypt(nonce, sealed_then_tag, None)
    except InvalidTag:
        return None


def open_metadata(keys, sealed):
    salt = sealed[:16]
    return gcm_open(keys["metadata key"], metadata_nonce(keys, salt), sealed[16:])


def seal_metadata(keys, salt, plain):
    return salt + AESGCM(keys["metadata key"]).encrypt(metadata_nonce(keys, salt), plain, None)


# ---- master keys and wraps -------------------------------------------------------------------

class MasterKey(NamedTuple):
    """A key of a keyring: `master` opens wraps of type 1, `private` (X25519) those of type 2."""
    key_id: bytes
    master: Optional[bytes]
    private: Optional[bytes] = None


def master_key_id(key):
    return hkdf(b"orrery v1 master key", key, b"orrery v1 key id", 16)


def master_key(master, private=None):
    """The X25519 key is the one that writers derive, if no other is given."""
    private = private or hkdf(b"orrery v1 master key", master, b"orrery v1 key x25519", 32)
    return MasterKey(master_key_id(master), master, private)


def public_key(key):
    return hpke_oracle.public_of(key.private)


def wrap_key(master, header):
    return hkdf(b"orrery v1 wrap key", master, hashlib.sha512(header).digest(), 32)


def wrap_info(header):
    return b"orrery v1 wrap\0" + hashlib.sha512(header).digest()


def master_wrap(key, header, secret):
    """Type 1 for the holder of a MasterKey."""
    return Wrap(1, key.key_id, keywrap.aes_key_wrap_with_padding(wrap_key(key.master, header), secret))


def recipient_wrap(key_id, public, seed, header, secret):
    """Type 2 for the owner of a public key; from the 32 bytes of `seed` comes the key of this message."""
    return Wrap(2, key_id, b"".join(hpke_oracle.seal(seed, public, wrap_info(header), b"", secret)))


def open_wrap(wrap, key, header):
    """The file secret of 96 bytes, or None."""
    if wrap.kind == 1:
        try:
            secret = keywrap.aes_key_unwrap_with_padding(wrap_key(key.master, header), wrap.body)
        except keywrap.InvalidUnwrap:
            return None
    else:
        try:
            secret = hpke_oracle.open_sealed(key.private, wrap.body[:32], wrap_info(header), b"", wrap.body[32:])
        except (ValueError, InvalidTag):
            return None
    return secret if secret is not None and len(secret) == 96 else None


def opener(wrap, keys):
    """The MasterKey that can open this wrap, or None."""
    key = keys.get(wrap.key_id)
    usable = key and (key.master if wrap.kind == 1 else key.private if wrap.kind == 2 else None)
    return key if usable else None


class Unlocked:
    """Steps 6 to 9: secret, keys, whether the origin is known, and what each slot is.

    `slots` are the raw slots A, B and, with repair data, C. `states` says of each: good, damaged or wrong; `best` is
    the number of the highest authenticated slot."""

    def __init__(self, header, commitment, slots, keys):
        self.header, self.commitment, self.slots = header.raw, commitment, slots
        decoded = [decode_slot(slot) for slot in slots]
        order = sorted((i for i, slot in enumerate(decoded) if slot), key=lambda i: -decoded[i][0])
        require(order, AUTH, "every wrap slot is damaged")
        self.find([decoded[i][1] for i in order], keys)
        self.states = ["damaged"] * len(slots)
        for i in order:
            mac = hmac.digest(self.keys["header mac"], slots[i][:-48], "sha256")
            require(hmac.compare_digest(mac, slots[i][-48:-16]), AUTH, "a slot was made without the file's keys")
            self.states[i] = "good" if self.fits(decoded[i][1], keys) else "wrong"
        self.best = next((i for i in order if self.states[i] == "good"), order[0])
        self.generations = [slot and slot[0] for slot in decoded]
        self.wraps = decoded[self.best][1]

    def find(self, slots, keys):
        named = False
        for wraps in slots:
            for wrap in sorted(wraps, key=lambda w: w.kind):  # stable: of one type in their order
                key = opener(wrap, keys)
                if not key:
                    continue
                named = True
                secret = open_wrap(wrap, key, self.header)
                if secret is None:
                    continue
                derived = file_keys(secret, self.header)
                if hmac.compare_digest(derived["commitment"], self.commitment):
                    self.secret, self.keys, self.known_origin = secret, derived, wrap.kind == 1
                    return
        ids = sorted({wrap.key_id.hex() for wraps in slots for wrap in wraps})
        require(named, KEY, "no master key for " + ", ".join(ids))
        raise Refused(AUTH, "no wrap opens to the secret of this file")

    def fits(self, wraps, keys):
        """Whether each wrap that the reader can open opens to the file's secret."""
        of_type_1 = {wrap.key_id for wrap in wraps if wrap.kind == 1}
        for wrap in wraps:
            key = opener(wrap, keys)
            if key and not (wrap.kind == 2 and wrap.key_id in of_type_1):
                if open_wrap(wrap, key, self.header) != self.secret:
                    return False
        return True
