"""What `orrery train` says before a run and at its end: of images that lack their end, of folders and directories that are of
no use, and of a generator that is of none."""
import json
import os
import unittest
from pathlib import Path

from support.cli import run, without_rights
from support.training import IMAGES, SMALL, TrainCase

# 24 x 24 pixels of gray.
JPEG = bytes.fromhex("""
ffd8ffe000104a46494600010100000100010000ffdb004300281c1e231e19282321232d2b28303c64413c37373c7b585d4964918099968f808c8aa0b4e6c3a0
aadaad8a8cc8ffcbdaeef5ffffff9bc1fffffffaffe6fdfff8ffc0000b080018001801011100ffc4001500010100000000000000000000000000000405ffc400
161000030000000000000000000000000000000203ffda0008010100003f0099251925172526c945c9464949b25172517253ffd9""")


class Told(TrainCase):
    def test_files_without_their_end_are_taken_with_a_warning(self):
        """Where only the end of the format is missing; where pixels are, an image is left out."""
        whole = {"end.jpg": JPEG, "end.png": Path("data/000.png").read_bytes()}
        Path("cut").mkdir()
        Path("sound").mkdir()
        for i in range(4):
            Path(f"cut/{i}.jpg").write_bytes(JPEG[:-2])
            Path(f"cut/{i}.png").write_bytes(whole["end.png"][:-12])
            for name, data in whole.items():
                Path(f"sound/{i}.{name[-3:]}").write_bytes(data)
        Path("cut/half.jpg").write_bytes(JPEG[:-20])
        Path("cut/half.png").write_bytes(whole["end.png"][:-40])
        status, out, err = run("train", "--data", "cut", "-o", "run", *SMALL, "--dry-run")
        self.assertEqual(status, 0, err)
        self.assertIn("cut/0.jpg: taken, though its end-of-image marker is missing, but no pixel is\n", err)
        self.assertIn("cut/0.png: taken, though its end (the IEND chunk) is missing, but no pixel is\n", err)
        self.assertEqual((err.count(": taken, though"), "3 more images were taken like that; -v names them" in err), (5, True), err)
        self.assertIn("cut/half.jpg: left out: not usable: it is cut short: pixels are missing", err)
        self.assertIn("cut/half.png: left out: not usable: the file is truncated", err)
        self.assertIn("8 images; ", err)
        self.assertEqual(run("train", "--data", "cut", "-o", "run", *SMALL, "--dry-run", "-v")[2].count(": taken, though"), 8)
        hashes = []
        for folder in ("cut", "sound"):
            out = run("train", "--data", folder, "-o", "run", *SMALL, "--dry-run", "--json")[1]
            hashes.append(json.loads(out.splitlines()[-1])["data_sha256"])
            self.assertEqual(out.count(": taken, though"), 8 if folder == "cut" else 0)
        self.assertEqual(*hashes)  # the very same pixels
        status, _, err = run("keyring", "new", "-o", "k", "--no-passphrase", "--decoy", "cut/1.jpg", "cut/1.png", "sound/1.jpg")
        self.assertEqual((status, err.count(": taken, though"), "cut/1.jpg: taken, though" in err), (0, 2, True), err)
        status, _, err = run("keyring", "new", "-o", "k2", "--no-passphrase", "--decoy", "cut/half.jpg")
        self.assertEqual((status, "cut/half.jpg: not usable: it is cut short" in err), (8, True), err)

    def test_a_generator_of_no_use_is_told(self):
        """By the measure that `keyring new` refuses by, in a warning, the last line, the page and the last JSON line."""
        def refused(name):
            status, _, err = run("keyring", "new", "-o", "k", "--no-passphrase", "--dry-run", "--weights", name + "/generator.safetensors")
            self.assertEqual(status, 0, err)  # a look at the file makes no images
            status, _, err = run("keyring", "new", "-o", "k", "--no-passphrase", "--weights", name + "/generator.safetensors")
            if status == 0:
                os.unlink("k")
            return status == 8 and ("images hardly differ" in err or "too few different images" in err)
        err = self.done("poor", "--learning-rate", "1e-9", epochs="1")[1]
        self.assertTrue(refused("poor"))
        warning = "the generator is of no use for decoys, and `keyring new` will refuse it: its images hardly differ, by "
        self.assertIn(warning, err)
        self.assertIn("where 2 are the least, after 5 steps, which are few: more images", err)
        self.assertIn("few steps (5): a generator takes some thousands", err)
        last = err.splitlines()[-1]
        self.assertIn("done, but the generator is of no use, as warned", last)
        self.assertIn("This generator is of no use for decoys", Path("poor/report.html").read_text())
        # A finished run that is looked at again says it again; in JSON too.
        out, err = self.done("poor", "--resume", "--json", epochs="1")
        messages = [json.loads(line) for line in out.splitlines()]
        self.assertTrue(any(warning in m.get("text", "") for m in messages if m["message_type"] == "warning"), out)
        self.assertEqual((messages[-1]["useful"], messages[-1]["exit_status"]), (False, 0))
        self.assertLess(messages[-1]["diversity"], 2)
        # One that keyring new takes is not warned of.
        out, err = self.done("fair", "--json", "--learning-rate", "0.005", epochs="20")
        summary = json.loads(out.splitlines()[-1])
        self.assertEqual((summary["useful"], refused("fair")), (True, False), summary)
        self.assertGreater(summary["diversity"], 2)
        self.assertNotIn("of no use", out + Path("fair/report.html").read_text())
        out, _ = self.done("never", "--json", "--dry-run")
        self.assertNotIn("useful", json.loads(out.splitlines()[-1]))

    def test_a_batch_of_more_images_than_there_are(self):
        for path in sorted(p for p in Path("data").rglob("*") if p.is_file())[2:]:
            path.unlink()
        out, _ = self.done("short", "--json", epochs="1")
        self.assertEqual([m["epoch"] for m in map(json.loads, out.splitlines()) if m["message_type"] == "snapshot"][-1], 1)
        self.assertIn("epoch 1.0 of 1.", Path("short/report.html").read_text())

    def test_what_cannot_be_written_is_found_before_the_images_are_read(self):
        Path("file").write_text("x")
        status, _, err = self.train("file", "--dry-run")
        self.assertEqual((status, "file: not a directory; name one that is to be made" in err), (7, True), err)
        status, _, err = self.train("never", "--precision", "bf16")
        self.assertEqual((status, "the CPU computes in float32 only" in err, "left out" in err, Path("never").exists()), (8, True, False, False),
                         err)
        rights = without_rights()
        if rights is None:
            self.skipTest("root cannot become nobody here")
        os.mkdir("closed", 0o555)
        os.chmod(".", 0o755)
        if rights:
            os.chown("closed", rights["user"], rights["group"])
        status, _, err = self.train("closed", **rights)
        self.assertEqual((status, "closed: cannot write into this directory: Permission denied" in err, "left out" in err), (7, True, False),
                         err)
        self.assertEqual(os.listdir("closed"), [])

    def test_an_empty_folder_among_others_is_told(self):
        Path("unmounted").mkdir()
        status, _, err = run("train", "--data", "data", "unmounted", "-o", "run", *SMALL, "--dry-run")
        self.assertEqual((status, "unmounted: left out: no image is in this folder" in err, f"{IMAGES} images; " in err), (0, True, True), err)
        self.assertNotIn("no image is", self.train("run", "--dry-run")[2])


if __name__ == "__main__":
    unittest.main()
