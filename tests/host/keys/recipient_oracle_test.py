#!/usr/bin/env python3
"""tests/vectors/recipient.txt is what its oracle writes."""
import io
import os
import pathlib
import sys

try:
    import recipient_oracle
except ImportError as missing:
    print(f"SKIPPED: {missing} (scripts/deps installs it)")
    sys.exit(77)

out = io.StringIO()
recipient_oracle.write(out)
kept = pathlib.Path(os.environ["SOURCE"], "tests/vectors/recipient.txt").read_text(encoding="ascii")
assert out.getvalue() == kept, "tests/vectors/recipient.txt is not what the oracle writes"
