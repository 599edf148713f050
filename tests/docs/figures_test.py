#!/usr/bin/env python3
"""The figures of docs/BENCHMARKS.md are what scripts/figures makes of bench/results/, and none stands outside its blocks."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SOURCE", Path(__file__).resolve().parent.parent.parent))


def figures(root, *options):
    done = subprocess.run([root / "scripts" / "figures", *options], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


class Figures(unittest.TestCase):
    def test_the_documents_say_what_the_records_say(self):
        self.assertEqual(figures(SOURCE, "--check"), (0, ""))

    def test_no_figure_stands_outside_the_blocks(self):
        text = (SOURCE / "docs" / "BENCHMARKS.md").read_text()
        prose = re.sub(r"<!-- figures: .*?<!-- end of figures -->", "", text, flags=re.S)
        self.assertEqual(re.findall(r".*\d\.\d.*", prose), [], "decimals: let scripts/figures write them")

    def test_a_figure_that_was_written_by_hand_is_found_and_put_right(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for part in ("docs", "bench/results"):
                shutil.copytree(SOURCE / part, root / part)
            (root / "scripts").mkdir()
            for script in ("figures", "prose.py"):
                shutil.copy(SOURCE / "scripts" / script, root / "scripts")
            page = root / "docs" / "BENCHMARKS.md"
            right = page.read_text()
            page.write_text(re.sub(r"(\| one core, encrypt.*?\| )\d", r"\g<1>9", right))
            self.assertNotEqual(page.read_text(), right)
            status, said = figures(root, "--check")
            self.assertEqual((status, "BENCHMARKS.md; run scripts/figures" in said), (1, True), said)
            self.assertEqual((figures(root), page.read_text() == right), ((0, ""), True))
            record = root / "bench" / "results" / "cipher.json"  # a new record shows
            found = json.loads(record.read_text())
            found["results"][0]["ns_per_byte"]["median"] = 1.0
            record.write_text(json.dumps(found))
            self.assertEqual(figures(root, "--check")[0], 1)
            page.write_text(right.replace("<!-- figures: swd -->", ""))
            status, said = figures(root)
            self.assertEqual((status, "swd" in said), (1, True), said)


if __name__ == "__main__":
    unittest.main()
