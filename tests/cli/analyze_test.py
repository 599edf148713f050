#!/usr/bin/env python3
"""orrery analyze: what it refuses, what it writes, and that the same seed gives the same figures."""
import hashlib
import json
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import unittest
import zlib

from support.cli import needs_evidence, without_rights

SOURCE = pathlib.Path(__file__).resolve().parents[2]
ORRERY = os.environ["ORRERY"]
DATA = pathlib.Path(os.environ.get("ORRERY_DATA", SOURCE.parent / "shared" / "data"))


def png(path, width, height, pixel):
    """An 8-bit gray PNG with pixel(x, y)."""
    rows = b"".join(b"\0" + bytes(pixel(x, y) & 255 for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def run(*arguments):
    done = subprocess.run([ORRERY, "analyze", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def untimed(value):
    """A report without what depends on the clock."""
    if isinstance(value, dict):
        return {k: untimed(v) for k, v in value.items() if "seconds" not in k and k != "timing"}
    if isinstance(value, list):
        return [untimed(v) for v in value if not (isinstance(v, dict) and v.get("section") == "timing")]
    return value


@needs_evidence
class Analyze(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.dir = pathlib.Path(self.holder.name)
        self.image = self.dir / "slope <&>.png"
        png(self.image, 60, 40, lambda x, y: 3 * x + 2 * y)

    def test_refusals(self):
        out = self.dir / "report"
        out.mkdir()
        (out / "mine").write_text("precious")
        status, _, err = run(self.image, "-o", out, "--quick")
        self.assertEqual(status, 6, err)
        self.assertIn("nothing was touched", err)
        self.assertEqual(os.listdir(out), ["mine"])
        self.assertEqual(run(self.image, "-o", out / "mine")[0], 6)
        self.assertEqual(run(self.dir / "missing.png", "-o", self.dir / "a")[0], 7)
        (self.dir / "text.png").write_text("not an image")
        status, _, err = run(self.dir / "text.png", "-o", self.dir / "a")
        self.assertEqual(status, 8, err)
        self.assertIn("text.png", err)
        small = self.dir / "small.png"
        png(small, 8, 8, lambda x, y: x)
        status, _, err = run(small, "-o", self.dir / "a")
        self.assertEqual(status, 8, err)
        self.assertIn("too few", err)
        self.assertFalse((self.dir / "a").exists(), "a failed run leaves no directory")
        self.assertEqual(run("-o", self.dir / "no" / "such" / "place")[0], 7)
        status, _, err = run(self.image, "--bits", self.image, "-o", self.dir / "a")
        self.assertEqual(status, 2, err)
        status, _, err = run("--only", "keys,beauty", "-o", self.dir / "a")
        self.assertEqual(status, 2, err)
        self.assertIn('no section "beauty"', err)
        self.assertEqual(run(self.image, "--weights", self.image, "--only", "adversarial", "-o", self.dir / "a")[0], 8)
        self.assertFalse((self.dir / "a").exists())

    def test_what_is_wrong_is_found_before_the_work(self):
        out = self.dir / "a"
        (self.dir / "images").mkdir()
        for given, status, said in (([self.dir / "images"], 8, "images: a directory; name the image files in it"),
                                    ([self.image, "--weights", self.dir / "none"], 7, "none: No such file"),
                                    ([self.image, "--weights", self.image], 8, "slope"),
                                    ([self.image, "--weights", self.image, "--only", "images"], 2, "--only leaves that section out")):
            got, _, err = run(*given, "-o", out)
            self.assertEqual((got, said in err), (status, True), err)
            self.assertFalse(out.exists())
        self.assertIn("these sections show, and measure nothing", run(self.image, "-o", out, "--only", "images")[2])
        rights = without_rights()
        if rights is None:
            self.skipTest("root cannot become nobody here")
        closed = self.dir / "closed"
        closed.mkdir(0o555)
        self.dir.chmod(0o755)
        done = subprocess.run([ORRERY, "analyze", self.image, "-o", closed], capture_output=True, text=True, check=False, **rights)
        self.assertEqual((done.returncode, "closed: cannot write into this directory: Permission denied" in done.stderr), (7, True), done.stderr)

    def test_attacks(self):
        report, page, _ = self.report("attacks", "--only", "attacks,files,adversarial")
        attacks, files = report["attacks"], report["files"]
        for one in attacks["rules"]["linearity"]:
            shares = [f"{100 * one[k]:.3f}" for k in ("breaking_share", "breaking_share_without_last_step")]
            affine = "yes" if one["affine"] else "no"
            row = f'<tr><td class="r">{one["rule"]}</td><td>{affine}</td>' + "".join(f'<td class="r">{s}</td>' for s in shares)
            self.assertTrue(row in page, row)
        self.assertEqual([(a["recovered"], a["unseen_text_decrypted"]) for a in attacks["reused_key"]], [(True, True)] * 2)
        self.assertTrue(attacks["state"]["initial_state_found"])
        self.assertFalse(files["chosen_texts"]["recovered"])
        self.assertEqual(files["known_words"]["states"], 0)
        self.assertEqual({(t["status"], t["bytes_released"]) for t in files["tampering"]}, {("authentication", 0)})
        self.assertFalse(report["adversarial"]["trained"])
        self.assertTrue(all(a["class_changed"] for a in report["adversarial"]["attacks"]))
        left = os.listdir(self.dir / "attacks")
        self.assertEqual(sorted(left), ["report.html", "report.json"], "working files are removed")

    def test_bits(self):
        bits = self.dir / "bits"
        # The same bits in every run: of a million random ones, one file in a million has a P-value below 1e-6.
        bits.write_bytes(hashlib.shake_256(b"orrery").digest(125000) + bytes(125000))
        out = self.dir / "report"
        status, _, err = run("--bits", bits, "-o", out)
        self.assertEqual(status, 0, err)
        report = json.loads((out / "report.json").read_text())
        runs = report["nist"]["runs"]
        self.assertEqual([(r["subject"], r["sequences"]) for r in runs], [("file", 2)])
        frequency = runs[0]["tests"][0]["parts"][0]
        self.assertGreater(frequency["p_values"][0], 1e-6)
        self.assertLess(frequency["p_values"][1], 1e-6, "zeros are not random")
        self.assertEqual((runs[0]["verdict"], report["findings"][0]["passed"]), ("fail", False), "half of it is garbage")
        self.assertEqual(run("--bits", self.image, "-o", self.dir / "b")[0], 8, "too few bits")

    def test_an_image_without_its_end(self):
        cut = self.dir / "cut <x>.png"
        cut.write_bytes(self.image.read_bytes()[:-12])
        out = self.dir / "report"
        status, _, err = run(cut, self.image, "-o", out, "--quick", "--only", "images")
        self.assertEqual((status, err.count(": taken, though its end (the IEND chunk) is missing")), (0, 1), err)
        self.assertIn("cut &lt;x&gt;.png was taken, though its end", (out / "report.html").read_text())

    def judged(self, name, data):
        """The finding, the run and the page of --bits on these bytes, which are also given as standard input."""
        (self.dir / name).write_bytes(data)
        out = self.dir / f"{name}-report"
        status, stdout, err = run("--bits", self.dir / name, "-o", out, "--json")
        self.assertEqual(status, 0, err)
        report, summary = json.loads((out / "report.json").read_text()), json.loads(stdout.splitlines()[-1])
        (finding,), (tested,) = report["findings"], report["nist"]["runs"]
        self.assertEqual(finding["passed"], tested["verdict"] == "pass")
        self.assertEqual((finding["value"], finding["critical_low"], finding["critical_high"], finding["unit"]),
                         (tested["passed"], tested["needed"], tested["applicable"], f"of {tested['applicable']}"))
        self.assertEqual((summary["verdict"], summary["passed"] + summary["failed"]), (tested["verdict"], 1))
        page = (out / "report.html").read_text()
        self.assertIn(f">{tested['verdict'].upper()}: {tested['passed']} of the {tested['applicable']} tests that apply passed;", page)
        return finding["passed"], tested, page

    def test_bits_that_must_fail(self):
        draw = random.Random(20261201)
        biased = bytes(sum((draw.random() < 0.51) << bit for bit in range(8)) for _ in range(125000))
        for name, data in (("zeros", bytes(125000)), ("zeros10", bytes(1250000)), ("ones", b"\xff" * 125000), ("aa", b"\xaa" * 125000),
                           ("aa10", b"\xaa" * 1250000), ("bytes", bytes(range(256)) * 489), ("biased", biased),
                           ("words", b"".join(struct.pack(">I", i) for i in range(31250)))):
            passed, tested, page = self.judged(name, data)
            self.assertFalse(passed, name)
            self.assertIn("Failed: ", page)
            self.assertGreaterEqual(tested["applicable"], 13)

    def test_bits_that_must_pass(self):
        stream = subprocess.run([ORRERY, "keystream", "--bytes", "1250005"], stdout=subprocess.PIPE, check=True).stdout
        for name, data in (("one", stream[:125000]), ("ten", stream), ("shake", hashlib.shake_256(b"orrery").digest(250000))):
            passed, tested, page = self.judged(name, data)
            self.assertTrue(passed, name)
            self.assertEqual(tested["format"], "bytes")
            self.assertEqual("(not the last 40 bits, less than a sequence)" in page, name == "ten")

    def test_bits_as_text(self):
        data = hashlib.shake_256(b"orrery").digest(125000)
        digits = format(int.from_bytes(data, "big"), "01000000b")
        lines = "\r\n".join(digits[i:i + 25] for i in range(0, 1000000, 25)) + "\n"
        _, plain, _ = self.judged("plain", data)
        for name, text in (("digits", digits), ("lines", lines)):
            _, tested, page = self.judged(name, text.encode())
            self.assertEqual(tested.pop("format"), "digits")
            self.assertEqual(tested, {k: v for k, v in plain.items() if k != "format"})
            self.assertIn("read as the digits 0 and 1 as text", page)
        passed, tested, page = self.judged("hex", data.hex().encode())
        self.assertEqual((passed, tested["format"]), (False, "text"))
        self.assertIn("all of which print", page)
        (self.dir / "two").write_text(digits + "2")
        status, _, err = run("--bits", self.dir / "two", "-o", self.dir / "b")
        self.assertEqual((status, "byte 1000000 is neither" in err), (8, True), err)
        for given in (["--only", "nist"], ["--weights", self.image]):
            status, _, err = run("--bits", self.dir / "plain", "-o", self.dir / "b", *given)
            self.assertEqual((status, "--bits runs the SP 800-22 battery alone" in err), (2, True), err)
        status, _, err = run("--bits", self.dir, "-o", self.dir / "b")
        self.assertEqual((status, "is a directory" in err), (8, True), err)
        self.assertFalse((self.dir / "b").exists())
        with open(self.dir / "lines", "rb") as pipe:
            done = subprocess.run([ORRERY, "analyze", "--bits", "-", "-o", self.dir / "b"], stdin=pipe, capture_output=True, text=True,
                                  check=False)
        self.assertIn("standard input: PASS: ", done.stderr)

    def report(self, name, *more):
        out = self.dir / name
        status, stdout, err = run(self.image, "-o", out, "--quick", *more)
        self.assertEqual(status, 0, err)
        page = (out / "report.html").read_text()
        for table in re.findall(r"<table>.*?</table>", page, re.S):
            columns = table.count("<th ")
            for row in re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], re.S):
                self.assertEqual(row.count("<td"), columns, table[:300])
        return json.loads((out / "report.json").read_text()), page, stdout

    def test_report(self):
        quick = "images,statistics,differential,keys,robustness,timing"
        first, page, stdout = self.report("one", "--json", "-j", 1, "--only", quick)
        second, _, _ = self.report("two", "-j", 2, "--only", quick)
        self.assertEqual(untimed(first), untimed(second))
        last = json.loads(stdout.splitlines()[-1])
        self.assertEqual((last["message_type"], last["command"], last["status"]), ("summary", "analyze", "ok"))
        self.assertEqual(last["findings"], len(first["findings"]))
        self.assertEqual(first["schema"], 1)
        for finding in first["findings"]:
            self.assertLessEqual({"section", "measure", "value", "published", "ideal", "critical_low",
                                  "critical_high", "passed", "headline"}, set(finding))
            self.assertIn(finding["passed"], (True, False, None))
        # self-contained, escaped, and the page says what passing does not mean
        for part in ("http://", "https://", "<script", "slope <&>"):
            self.assertNotIn(part, page.replace("http://www.w3.org/2000/svg", ""))
        self.assertIn("slope &lt;&amp;&gt;.png", page)
        self.assertIn("They do not show security", page)
        # MSE and PSNR agree with each other
        by = {(f["measure"], f.get("subject")): f for f in first["findings"]}
        mse = by["MSE", "paper"]["value"]
        self.assertAlmostEqual(by["PSNR", "paper"]["value"], 10 * math.log10(255**2 / mse), places=9)
        # the control that never changes its key stream is noticed, the one without a secret is not
        self.assertFalse(by["NPCR, mean", "control-fixed"]["passed"])
        self.assertTrue(by["entropy", "control-hash"]["passed"])
        # what failed is counted, the controls apart, and named at the top of the page
        failed = [f for f in first["findings"] if f["passed"] is False]
        controls = [f for f in failed if f.get("subject", "").startswith("control-")]
        self.assertEqual((first["run"]["failed"], first["run"]["failed_controls"]), (len(failed), len(controls)))
        self.assertEqual((last["failed"], last["failed_controls"]), (len(failed), len(controls)))
        top = page[:page.index("<table>")]
        self.assertIn(f"there to be caught: {len(controls)}<", top)
        for measure in {f["measure"] for f in failed if f not in controls}:
            self.assertIn(f"<li>{measure}: {sum(f['measure'] == measure for f in failed if f not in controls)}</li>", top)
        self.assertTrue("K3 and K7 order the channels" in page, "the image is gray")

    def test_real_scans(self):
        scans = DATA / "scans"
        names = ["mr-sella-256-s16.tif", "skin-ham-0024306-200.jpg", "us-palette-800x600.tif"]
        if not all((scans / n).exists() for n in names):
            self.skipTest("the scans are not here")
        out = self.dir / "scans"
        status, _, err = run(*(scans / n for n in names[:2]), "-o", out, "--quick", "--only", "images,statistics")
        self.assertEqual(status, 0, err)
        report = json.loads((out / "report.json").read_text())
        self.assertEqual([(i["bits"], i["channels"]) for i in report["images"]["images"]], [(16, 1), (8, 3)])


if __name__ == "__main__":
    unittest.main()
