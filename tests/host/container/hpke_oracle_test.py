#!/usr/bin/env python3
"""The oracle behind tests/vectors/hpke.txt gives every published intermediate value, and that file."""
import io
import os
import pathlib
import sys

try:
    import hpke_oracle as o
except ImportError as missing:
    print(f"SKIPPED: {missing} (scripts/deps installs it)")
    sys.exit(77)


def published():
    for row in o.PUBLISHED:
        aead, *words = row.split()
        ikm_e, sk_e, ikm_r, sk_r, pk_r, enc, *schedule, sealed = (
            None if word == "-" else bytes.fromhex(word) for word in words)
        shared, *steps = schedule
        assert o.derive_private(ikm_e) == sk_e, "DeriveKeyPair"
        assert ikm_r is None or o.derive_private(ikm_r) == sk_r, "DeriveKeyPair of the recipient"
        assert o.public_of(sk_e) == enc and o.public_of(sk_r) == pk_r, "public keys"
        assert o.kem_secret(o.x25519(sk_e, pk_r), enc, pk_r) == shared, "shared_secret of the sender"
        assert o.kem_secret(o.x25519(sk_r, enc), enc, pk_r) == shared, "shared_secret of the recipient"
        assert o.key_schedule(int(aead), shared, o.INFO) == tuple(steps), "key schedule"
        assert o.AESGCM(steps[2]).encrypt(steps[3], o.PLAIN, o.AAD) == sealed, "ciphertext"


def vectors():
    out = io.StringIO()
    o.write(out)
    kept = pathlib.Path(os.environ["SOURCE"], "tests/vectors/hpke.txt").read_text(encoding="ascii")
    assert out.getvalue() == kept, "tests/vectors/hpke.txt is not what the oracle writes"
    shared = [line.split()[3] for line in kept.splitlines() if line.startswith("x25519")]
    assert shared[0] == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", "RFC 7748"
    assert shared[1] == "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957", "RFC 7748"
    for line in kept.splitlines():
        if line.startswith("low"):
            assert not any(o.x25519(b"\x07" * 32, bytes.fromhex(line.split()[1]))), line


published()
vectors()
