"""What tests/support/preload/seals.c records: the seals of AES-256-GCM that a program made."""
import collections
import os

LIBRARY = os.environ.get("SEALS")


def environment(log, *more):
    """In which a program records its seals in the file `log`; `more`: other libraries to load before it starts."""
    libraries = " ".join(filter(None, (LIBRARY, *more)))
    return dict(os.environ, LD_PRELOAD=libraries, ORRERY_SEALS=str(log))


def read(log):
    """[(key, nonce, hash of AAD and text)...], keys as their hashes."""
    if not os.path.exists(log):
        return []
    with open(log, encoding="ascii") as lines:
        seals = [tuple(line.split(" ")) for line in lines.read().splitlines()]
    for seal in seals:
        if [len(part) for part in seal] != [64, 24, 64]:
            raise ValueError(f"{log}: no record of a seal: {seal}")
    return seals


def twice(seals):
    """The (key, nonce) that sealed more than once, be it the same text: whoever seals again draws a new salt."""
    counts = collections.Counter((key, nonce) for key, nonce, _ in seals)
    return {pair for pair, count in counts.items() if count > 1}


def with_two_texts(seals):
    """The (key, nonce) that sealed two different texts."""
    texts = {}
    return {(key, nonce) for key, nonce, text in seals if texts.setdefault((key, nonce), text) != text}
