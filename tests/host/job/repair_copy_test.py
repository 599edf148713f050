"""repair --from: a file and a copy of it, both perhaps damaged, give a whole one."""
import shutil
import unittest
from pathlib import Path

from support.cli import run
from support.repairs import PAGE, SEED, TIMES, Repairs, Tail
from support.repairs import set_up as setUpModule  # noqa: N812


class Copies(Repairs):
    def mended_from(self, good, files, copies, **more):
        """Files in a directory, copies of the same names in another."""
        where = self.dir / "copies"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        for name, data in copies.items():
            (where / f"{name}.orr.tif").write_bytes(data)
        result = self.repair(files, "--from", str(where), **more)
        for name, data in copies.items():
            self.assertEqual((where / f"{name}.orr.tif").read_bytes(), data)  # only read
        if good:
            for name, (said, data) in result.items():
                self.assertTrue(data == good, (name, said, self.pages_that_differ(good, data), SEED))
                self.assertEqual(said["outcome"], "done")
        return result

    def test_whole_copy(self):
        """Without repair data, too: every page that is damaged."""
        for good in (self.sealed(130000), self.paper(200, 180), self.sealed(130000, "--parity", "1")):
            pages = len(good) // PAGE
            files = {str(page): self.spoil(good, [page]) for page in range(pages)}
            files |= {"cut": good[:20000], "all-but-a-tile": self.spoil(good, range(5, pages)), "grown": self.spoil(good, [9]) + b"?"}
            result = self.mended_from(good, files, {name: good for name in files}, status=0)
            self.assertEqual(result["cut"][0]["lost_bytes"], 0)
            self.assertGreater(sum(said["pages_from_copy"] for said, _ in result.values()), pages // 2)

    def test_disjoint_damage(self):
        """Of each tile another page in file and copy, and heads; without repair data."""
        good = self.sealed(500000)
        files, copies = {}, {}
        for i in range(20 * TIMES):
            pages = list(range(3, len(good) // PAGE))
            self.rng.shuffle(pages)
            half = pages[: len(pages) // 3]
            files[str(i)] = self.spoil(good, half, "noise")
            copies[str(i)] = self.spoil(good, [page for page in pages[len(pages) // 3 :] if self.rng.random() < 0.2], "noise")
        result = self.mended_from(None, files, copies)
        for name, (said, data) in result.items():
            self.assert_nothing_else_written(good, files[name], data)
        done = [data == good for said, data in result.values() if said["outcome"] == "done"]
        self.assertTrue(all(done))
        self.assertGreater(len(done), 0)

    def test_disjoint_halves(self):
        good = self.sealed(500000)
        tail_pages = len(good) // PAGE
        middle = 5 + 12 * 5
        files = {"file": self.spoil(good, range(5, middle), "noise"), "front": self.spoil(good, [1, *range(3, middle)], "noise")}
        copies = {"file": self.spoil(good, [0, 1, 2, *range(middle, tail_pages)], "noise"),
                  "front": self.spoil(good, [2, *range(middle, tail_pages)], "noise")}
        self.mended_from(good, files, copies, status=0)

    def test_repair_data_and_copy(self):
        """More than either gives."""
        good = self.sealed(500000, "--parity", "5")
        units = list(Tail(good).units())
        files = {"file": self.spoil(good, [*units[2], *units[3], units[5][0], units[7][3]], "noise")}
        copies = {"file": self.spoil(good, [units[2][0], units[3][1], units[5][0], units[7][3]], "noise")}
        self.mended_from(good, files, copies, status=0)

    def test_paper_mixture(self):
        good = self.paper(200, 180)
        files = {"file": self.spoil(good, [5, 6], "noise"), "zero": self.spoil(good, [5, 6, 7, 8, 9], "zero")}
        copies = {"file": self.spoil(good, [4, 9], "noise"), "zero": self.spoil(good, [10, 11, 12], "noise")}
        self.mended_from(good, files, copies, status=0)
        pages = range(4, 4 + 9)
        (said, data), = self.mended_from(None, {"file": self.spoil(good, pages, "noise")}, {"file": self.spoil(good, pages, "noise")}, status=4).values()
        self.assertRegex(said["reason"], "it has no repair data, nor does the copy")

    def test_rewrapped(self):
        """The newest slot wins, wherever it is."""
        good = self.sealed(130000)
        new = self.dir / "new"
        shutil.copy("keys", new)
        Path("old.orr.tif").write_bytes(good)
        second = run("keyring", "add", "-k", "keys")[1].strip()
        self.assertEqual(run("rewrap", "-q", "-k", "keys", "--to", second, "old.orr.tif")[0], 0)
        later = Path("old.orr.tif").read_bytes()
        self.assertNotEqual(good, later)
        self.mended_from(later, {"file": self.spoil(good, [20], "noise")}, {"file": later}, status=0)
        self.mended_from(later, {"file": self.spoil(later, [1, 20], "noise")}, {"file": good}, status=0)

    def test_rewrapped_for_others(self):
        """The newest slot is for a key that is not at hand: what opens the file here stays."""
        good = self.sealed(130000)
        Path("old.orr.tif").write_bytes(good)
        second = run("keyring", "add", "-k", "keys")[1].strip()
        shutil.copy("keys", "both")
        self.assertEqual(run("keyring", "set-state", "-q", "-k", "keys", second, "destroyed", "--yes")[0], 0)
        self.assertEqual(run("rewrap", "-q", "-k", "both", "--to", second, "old.orr.tif")[0], 0)
        later = Path("old.orr.tif").read_bytes()
        mixed = good[:PAGE] + later[PAGE : 2 * PAGE] + good[2 * PAGE :]
        (said, data), = self.repair({"file": self.spoil(mixed, [3], "bit")}, status=None).values()
        self.assertEqual(data[PAGE : 3 * PAGE], mixed[PAGE : 3 * PAGE])
        result = self.mended_from(None, {"file": self.spoil(good, [20], "noise")}, {"file": later}, status=0)
        self.assertTrue(result["file"][1] == good)

    def test_refused(self):
        good, other = self.sealed(130000), self.sealed(130000)
        damaged = self.spoil(good, [20], "noise")
        (said, data), = self.mended_from(None, {"file": damaged}, {"file": other}, status=4).values()
        self.assertEqual(data, damaged)
        self.assertRegex(said["reason"], "is no copy of it: its header is another file's")
        (said, data), = self.mended_from(None, {"file": self.rng.randbytes(200000)}, {"file": good}, status=3).values()
        self.assertRegex(said["reason"], "nothing in it is of the file that the copy is of|not an Orrery file")
        (said, data), = self.mended_from(None, {"file": damaged}, {"another": good}, status=4).values()
        self.assertRegex(said["reason"], "copies/file.orr.tif is not there: look for another copy")
        Path("a.orr.tif").write_bytes(damaged)
        for arguments, message in ((("--from", "a.orr.tif", "a.orr.tif"), "is the file itself"),
                                   (("--from", "a.orr.tif", "."), "is one file, a copy of one file"),
                                   (("--from", "missing", "a.orr.tif"), "missing")):
            status, _, err = run("repair", "-k", "keys", *arguments)
            self.assertIn(status, (2, 7), err)
            self.assertIn(message, err)
        self.assertEqual(Path("a.orr.tif").read_bytes(), damaged)

    def test_one_file(self):
        good = self.sealed(130000)
        Path("a.orr.tif").write_bytes(self.spoil(good, [20], "noise"))
        Path("copy").write_bytes(good)
        self.assertEqual(run("repair", "-q", "-k", "keys", "--from", "copy", "a.orr.tif")[0], 0)
        self.assertEqual(Path("a.orr.tif").read_bytes(), good)


if __name__ == "__main__":
    unittest.main()
