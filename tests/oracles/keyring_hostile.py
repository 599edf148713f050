"""Hostile keyring and recipient files with the status that docs/FORMAT.md asks for.

keyrings() yields (name, bytes of the file, status) for a keyring that opens without a passphrase, locked_keyrings() for
one whose passphrase is PASSPHRASE; recipient_files() likewise. Each is right but for what its name says.
"""
import struct

import orrery_keys as k
import recipient_oracle
from orrery_format import xxh3
from orrery_hostile import KEY, LOW_ORDER, OTHER, STRANGER
from orrery_keyring import NONE, PASSPHRASE as BY_PASSPHRASE, key_record, write_keyring
from orrery_writer import drawn, flip, put

PASSPHRASE = b"test passphrase, not a secret"
FIRST, SECOND = 40 + 64, 40 + 64 + 192  # offsets of two key records in a payload with one unlock
DECOY = SECOND + 192


def keyring(records=None, unlocks=((NONE, None, 0, 0, 0, 0, b""),), decoys=((1, 2, 3),), **edit):
    records = [key_record(KEY, 1), key_record(OTHER, 2)] if records is None else records
    stages = {stage.replace("_", " "): change for stage, change in edit.items()}
    return write_keyring(records, unlocks, lambda name, length: drawn("hostile ", name, length), decoys, edit=stages)


PAYLOAD = [  # name, offset, bytes, status
    ("no key", 0, bytes(4), 8), ("a key more", 0, b"\3", 8), ("257 keys", 0, b"\1\1", 8), ("2^32-1 keys", 0, b"\xff" * 4, 8),
    ("a decoy more", 4, b"\2", 8), ("65,537 decoys", 4, b"\1\0\1", 8), ("2^32-1 decoys", 4, b"\xff" * 4, 8),
    ("label of an unlock", 40, b"\n", 8), ("label of an unlock without end", 40, b"x" * 64, 8), ("bytes behind a label", 50, b"x", 8),
    ("ID", FIRST, b"\0\0", 8), ("key", FIRST + 16, b"\xff", 8), ("state 0", FIRST + 48, b"\0", 8), ("state 4", FIRST + 48, b"\4", 8),
    ("state 2^31", FIRST + 51, b"\x80", 8), ("two active", SECOND + 48, b"\1", 8), ("zero field", FIRST + 52, b"\1", 8),
    ("destroyed with a key", FIRST + 48, b"\3", 8), ("label DEL", FIRST + 64, b"\x7f", 8), ("label C1", FIRST + 64, b"\xc2\x85", 8),
    ("label no UTF-8", FIRST + 64, b"\xff", 8), ("label behind zero", FIRST + 70, b"x", 8), ("label of 64", FIRST + 64, b"x" * 64, 8),
    ("label of 63", FIRST + 64, b"x" * 63, 0), ("private key", FIRST + 130, b"\xff\xff", 8), ("public key", FIRST + 160, b"\0\0", 8),
    ("created", FIRST + 56, b"\xff" * 8, 0), ("weights", 8, b"x" * 32, 0), ("decoy at its limit", DECOY, struct.pack("<Q", 255 << 26), 0),
    ("decoy over its limit", DECOY, struct.pack("<Q", (255 << 26) + 1), 8), ("decoy 2^64-1", DECOY + 16, b"\xff" * 8, 8)]
HEAD = [("magic", 0, b"X", 10), ("version 0", 8, b"\0", 8), ("version 3", 8, b"\3", 8), ("no unlock", 10, b"\0", 8), ("9 unlocks", 10, b"\x09", 8),
        ("65535 unlocks", 10, b"\xff\xff", 8), ("payload 0", 12, bytes(4), 8), ("payload 2^32-1", 12, b"\xff" * 4, 8),
        ("payload at its cap", 12, struct.pack("<I", 104 + 1622016), 5), ("payload over its cap", 12, struct.pack("<I", 105 + 1622016), 8),
        ("zero field", 28, b"\1", 8), ("zero field 31", 31, b"\1", 8)]
UNLOCK = [("type 0", 0, b"\0", 8), ("type 4", 0, b"\4", 8), ("type 65535", 0, b"\xff\xff", 8), ("zero", 2, b"\1", 8), ("log2 N", 4, b"\1", 8),
          ("r", 8, b"\1", 8), ("p", 12, b"\1", 8), ("wrap", 64, b"\0\0", 5), ("salt", 32, b"\0\0", 0), ("ID", 16, bytes(16), 0),
          ("created", 104, b"\xff" * 8, 0), ("behind", 112, b"\1", 8), ("last", 127, b"\1", 8)]
COSTS = [(0, 8, 1), (25, 1, 1), (10, 0, 1), (10, 65, 1), (10, 8, 0), (10, 8, 5), (16, 1, 1), (24, 8, 1), (21, 8, 1), (23, 1, 2), (18, 16, 4), (18, 9, 1), (19, 8, 1),
         (2**32 - 1, 8, 1), (10, 2**32 - 1, 1), (10, 8, 2**32 - 1)]


def keyrings():
    yield "right", keyring(), 0
    for name, at, data, status in PAYLOAD:
        yield f"payload: {name}", keyring(payload=put(at, data)), status
    for name, at, data, status in HEAD:
        yield f"head: {name}", keyring(head=put(at, data)), status
    for name, at, data, status in UNLOCK:
        if name != "salt":  # that of type 3 makes its key
            yield f"unlock: {name}", keyring(unlock_0=put(at, data)), status
    yield "unlock: salt", keyring(unlock_0=put(32, b"\0\0")), 5
    whole = keyring()
    for name, data in (("cut", whole[:-1]), ("grown", whole + b"\0"), ("head only", whole[:64]), ("tag", flip(len(whole) - 1)(whole)),
                       ("ciphertext", flip(200)(whole)), ("nonce", flip(20)(whole)), ("salt", flip(40)(whole))):
        yield name, data, 5
    yield "a key twice", keyring([key_record(KEY, 1), key_record(KEY, 2)]), 8
    gone = key_record(STRANGER, 3)
    yield "a destroyed key", keyring([key_record(KEY, 1), gone]), 0
    yield "a destroyed key without a public one", keyring([key_record(KEY, 1), gone[:160] + bytes(32)]), 0
    yield "a destroyed key with a private one", keyring([key_record(KEY, 1), gone[:128] + b"\1" + gone[129:]]), 8
    yield "a payload of 41 bytes more", keyring(payload=lambda payload: payload + bytes(41)), 8
    yield "two open unlocks", keyring(unlocks=[(NONE, None, 0, 0, 0, 0, b"")] * 2), 8


def locked_keyrings():
    by = lambda log2_n, r, p: (BY_PASSPHRASE, PASSPHRASE, log2_n, r, p, 0, b"")
    yield "right", keyring(unlocks=[by(4, 8, 1)]), 0
    yield "eight", keyring(unlocks=[by(4, 8, 1)] * 8), 0
    yield "an open unlock beside", keyring(unlocks=[by(4, 8, 1), (NONE, None, 0, 0, 0, 0, b"")]), 8
    yield "an ID twice", keyring(unlocks=[by(4, 8, 1)] * 2, unlock_1=put(16, drawn("hostile ", "unlock ID 0", 16))), 8
    for cost in COSTS:
        yield f"cost {cost}", keyring(unlocks=[by(4, 8, 1)], unlock_0=put(4, struct.pack("<3I", *cost))), 8
    dear = put(4, struct.pack("<3I", 18, 8, 2))
    yield "the cost of all together", keyring(unlocks=[by(4, 8, 1)] * 3, unlock_0=dear, unlock_1=dear, unlock_2=dear), 8
    yield "the wrong one first", keyring(unlocks=[by(4, 8, 1)] * 2, unlock_0=put(64, b"\0\0")), 0


def recipient_files():
    right = lambda count=1, public=k.public_key(KEY): recipient_oracle.encode(KEY.key_id, public, b"site", 5, [(1, 2, 3)] * count)
    summed = lambda data: data[:-16] + xxh3(data[:-16])
    yield "right", right(), 0
    yield "256 decoys", right(256), 0
    for name, at, data, status in (
            ("magic", 0, b"X", 10), ("version 0", 8, b"\0", 8), ("version 2", 8, b"\2", 8), ("zero", 10, b"\1", 8), ("no decoy", 12, b"\0", 8),
            ("257 decoys", 12, b"\1\1", 8), ("2^32-1 decoys", 12, b"\xff" * 4, 8), ("two decoys", 12, b"\2", 4), ("label", 64, b"\n", 8),
            ("label without end", 64, b"x" * 64, 8), ("label behind zero", 70, b"x", 8), ("decoy", 136, struct.pack("<Q", (255 << 26) + 1), 8),
            ("public key above the prime", 32, b"\xff" * 32, 8)):
        yield name, summed(put(at, data)(right())), status
    for number, point in enumerate(LOW_ORDER):
        yield f"low order {number}", right(public=point), 8
    yield "checksum", flip(len(right()) - 1)(right()), 4
    yield "cut", right()[:-1], 4
    yield "grown", right() + b"\0", 4
