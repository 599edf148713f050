"""repair: files damaged in every way are mended in place, byte for byte what they were; nothing but authentic bytes is written."""
import shutil
import struct
import unittest
from pathlib import Path

from support.cli import SOURCE
from support.repairs import PAGE, SEED, TIMES, Repairs, Tail, orrery_reader
from support.repairs import set_up as setUpModule  # noqa: N812

try:
    import xxhash
except ImportError:
    pass  # setUpModule skips


class Whole(Repairs):
    def test_whole(self):
        files = {"archive": self.sealed(100000), "parity": self.sealed(100000, "--parity", "5"), "empty": self.sealed(0, "--parity", "5"),
                 "paper": self.paper(50, 40), "paper-parity": self.paper(50, 40, "--parity", "5")}
        for name, (said, data) in self.repair(files, status=0).items():
            self.assertEqual((said["outcome"], said["repaired_pages"]), ("present", 0), name)
            self.assertEqual(data, files[name])


class Pages(Repairs):
    def each_page(self, good):
        self.assert_mended(good, {f"{page}-{how}": self.spoil(good, [page], how) for page in range(len(good) // PAGE)
                                  for how in ("noise", "bit")}, status=0)

    def test_archive(self):
        for percent in ("1", "5", "20"):
            self.each_page(self.sealed(130000, "--parity", percent))

    def test_paper(self):
        for percent in ("1", "5", "20"):
            self.each_page(self.paper(200, 180, "--parity", percent))


    def test_paper_of_two_pages(self):
        """Bytes of directories and of the gaps between pages, too, which are determined; without repair data as well."""
        where = self.dir / "two"
        where.mkdir()
        shutil.copy(SOURCE / "tests/vectors/files/two-pages.tif", where)
        good = self.encrypted(where, "--profile", "paper", "--parity", "10")
        self.each_page(good)
        self.assert_mended(good, {str(at): good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 97)}, status=0)
        shutil.rmtree(self.dir / "two-sealed")
        good = self.encrypted(where, "--profile", "paper")
        files = {str(at): good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 97)}
        outcomes = set()
        for name, (said, data) in self.repair(files).items():
            self.assert_nothing_else_written(good, files[name], data)
            self.assertEqual(said["outcome"] == "done", data == good, (name, said))
            outcomes.add(said["outcome"])
        self.assertEqual(outcomes, {"done", "failed"})


class Runs(Repairs):
    """Any run of as many pages as there are repair pages, wherever it starts."""

    def runs(self, good, starts=None):
        tail = Tail(good)
        length = len(tail.repair)
        starts = range(1 - length, tail.pages) if starts is None else [self.rng.randrange(1 - length, tail.pages) for _ in range(starts)]
        return {str(start): self.spoil(good, range(max(start, 0), min(start + length, tail.pages)), self.rng.choice(("noise", "zero")))
                for start in starts}

    def test_small(self):
        for size, percent in ((0, "5"), (9000, "20"), (130000, "1"), (130000, "5"), (130000, "20"), (130000, "50")):
            good = self.sealed(size, "--parity", percent)
            self.assert_mended(good, self.runs(good), status=0)

    def test_paper(self):
        for percent in ("1", "5", "20"):
            good = self.paper(200, 180, "--parity", percent)
            self.assert_mended(good, self.runs(good), status=0)

    def test_large(self):
        """Two segments and several groups."""
        for percent in ("2", "20"):
            good = self.sealed(7000000, "--parity", percent)
            for _ in range(5 * TIMES):
                self.assert_mended(good, self.runs(good, 10), status=0)


class Scattered(Repairs):
    def scattered(self, good, most):
        """Up to `most` pages of each group: at least one of some."""
        tail, pages = Tail(good), []
        groups = {}
        for page in [*tail.body, *tail.repair]:
            groups.setdefault(tail.group(page), []).append(page)
        for members in groups.values():
            pages += self.rng.sample(members, min(len(members), self.rng.randint(0, most)))
        return pages or [tail.body.start]

    def test_within(self):
        for make, times in ((lambda p: self.sealed(1000000, "--parity", p), 100), (lambda p: self.sealed(60000, "--parity", p), 150),
                            (lambda p: self.paper(300, 300, "--parity", p), 80)):
            for percent in ("1", "5", "20"):
                good = make(percent)
                most = Tail(good).tail.parity
                for _ in range(TIMES):
                    files = {str(i): self.spoil(good, self.scattered(good, most)) for i in range(times)}
                    self.assert_mended(good, files, status=0)

    def beyond(self, good, most):
        for _ in range(TIMES):
            files = {str(i): self.spoil(good, self.scattered(good, most)) for i in range(40)}
            for name, (said, data) in self.repair(files).items():
                self.assert_nothing_else_written(good, files[name], data)
                if said["outcome"] == "done":
                    self.assertTrue(data == good, (name, SEED))
                    continue
                self.assertEqual((said["outcome"], said["exit_status"]), ("failed", 4), said)
                self.assertRegex(said["reason"], "lost: its repair data do not reach; give --from COPY")

    def test_beyond(self):
        good = self.sealed(700000, "--parity", "5")
        self.beyond(good, 2 * Tail(good).tail.parity)
        good = self.paper(300, 300, "--parity", "5")
        self.beyond(good, 2 * Tail(good).tail.parity)

    def test_what_is_lost_is_counted(self):
        """A tile that is lost, in a file of which all else is mended."""
        good = self.sealed(700000, "--parity", "1")
        tail = Tail(good)
        units = list(tail.units())
        damaged = self.spoil(good, [0, 1, *units[3], tail.pages - 2], "noise")
        (said, data), = self.repair({"file": damaged}, status=4).values()
        self.assertEqual((said["lost_bytes"], said["outcome"]), (49152, "failed"))
        self.assertRegex(said["reason"], r"1 of its 15 tiles \(49152 bytes of the original\) is lost: its repair data do not reach")
        self.assertEqual(self.pages_that_differ(good, data), units[3])


class Ends(Repairs):
    """Of the file: its front gone, its end cut, or something behind it."""

    def test_front(self):
        good = self.sealed(700000, "--parity", "20")
        tail = Tail(good)
        self.assert_mended(good, {str(n): self.spoil(good, range(n), "noise") for n in range(1, 4 + len(tail.repair))}, status=0)

    def test_cut(self):
        for good in (self.sealed(130000, "--parity", "20"), self.paper(200, 180, "--parity", "20")):
            tail = Tail(good)
            most = tail.pages - tail.repair.stop + tail.tail.parity_pages
            files = {str(n): good[: len(good) - n] for n in [1, 17, 4095, *range(PAGE, PAGE * most + 1, PAGE), PAGE * most - 5]}
            self.assert_mended(good, files, status=0)

    def test_cut_too_far(self):
        good = self.sealed(130000, "--parity", "5")
        for name, (said, data) in self.repair({str(n): good[:n] for n in (40000, 70000)}, status=4).items():
            self.assertEqual((said["outcome"], len(data)), ("failed", len(good)))
            self.assert_nothing_else_written(good, good[: int(name)], data)

    def test_grown(self):
        good = self.sealed(130000, "--parity", "5")
        text = good[:300] + b"?" + good[301:]
        files = {str(n): self.spoil(damaged, pages) + self.rng.randbytes(n)
                 for n, damaged, pages in ((1, good, []), (4096, good, [7]), (10000, text, [9]), (100000, good, [11, 20]))}
        self.assert_mended(good, files, status=0)
        lost = self.spoil(good, range(9, 30), "noise") + bytes(100)
        (said, data), = self.repair({"file": lost}, status=4).values()
        self.assertEqual(len(data), len(good) + 100, said)

    def test_second_head_only(self):
        """Page 0, all metadata in front and both slots there."""
        for good in (self.sealed(130000, "--parity", "5"), self.paper(200, 180, "--parity", "5")):
            self.assert_mended(good, {"file": self.spoil(good, range(0, 4), "noise")}, status=0)

    def test_nothing_is_left(self):
        good = self.sealed(130000, "--parity", "5")
        last = len(good) // PAGE - 1
        files = {"heads": self.spoil(good, [0, last], "noise"), "slots": self.spoil(good, [1, 2, last - 1], "noise")}
        for (said, data), damaged in zip(self.repair(files).values(), files.values()):
            self.assertIn(said["exit_status"], (4, 10), said)
            self.assertEqual(data, damaged)


class WithoutRepairData(Repairs):
    def test_damaged(self):
        good = self.sealed(130000)
        tail_page = len(good) // PAGE - 1
        files = {"tile": self.spoil(good, [10]), "cut": good[:-100], "last": self.spoil(good, [tail_page])}
        for name, (said, data) in self.repair(files, status=4).items():
            self.assertEqual((said["outcome"], said["exit_status"], data), ("failed", 4, files[name]), said)
            self.assertRegex(said["reason"], "has no repair data[:;] give --from COPY, or restore a copy")

    def test_what_follows_from_the_rest(self):
        """A slot has its like; description, directory and zero bytes are determined."""
        good = self.sealed(130000)
        files = {"A": self.spoil(good, [1]), "B": self.spoil(good, [2])}
        for name, at in (("text", 300), ("behind", 4000), ("directory", 4096 * 3 + 1024 + 20), ("head", 16384 + 4000), ("gap", 16383)):
            files[name] = good[:at] + bytes([good[at] ^ 8]) + good[at + 1:]
        self.assert_mended(good, files, status=0)


class Manipulated(Repairs):
    """By somebody who has no keys, and puts checksums right."""

    def sums(self, data, pages=()):
        """The file with the checksums of these pages of the file (all of them: None) as its pages are now, and sealed."""
        tail, data = Tail(data), bytearray(data)
        count = tail.tail.body_pages + tail.tail.parity_pages
        numbers = [page - tail.body.start if page in tail.body else tail.tail.body_pages + page - tail.repair.start for page in pages]
        for copy in tail.tail.sums:
            for number in numbers:
                at = tail.tail.page_offset(number)
                sum_ = xxhash.xxh3_64_intdigest(bytes(data[at : at + PAGE]), seed=number)
                struct.pack_into("<Q", data, copy + number // 510 * PAGE + number % 510 * 8, sum_)
            for i in range(-(-count // 510)):
                at = copy + i * PAGE
                seal = xxhash.xxh3_128(tail.header.file_id + struct.pack("<Q", i) + bytes(data[at : at + 4080]))
                data[at + 4080 : at + PAGE] = seal.digest()
        return bytes(data)

    def outcome(self, good, files):
        """Nothing that is not authentic is written in the body, whatever else."""
        tail = Tail(good)
        for name, (said, data) in self.repair(files).items():
            end = tail.tail.end
            self.assert_nothing_else_written(good[:end], files[name][:end], data[:end])
            if said["exit_status"] == 0:
                self.assertTrue(data == good, (name, self.pages_that_differ(good, data), SEED))
            else:
                self.assertEqual(said["exit_status"], 4, said)
            yield name, said

    def test_checksums_of_damaged_pages(self):
        """A damaged page that has its checksum: its tile does not open, and all of it counts as damaged."""
        good = self.sealed(300000, "--parity", "20")
        tail = Tail(good)
        files = {str(page): self.sums(self.spoil(good, [page]), [page]) for page in tail.body}
        for name, said in self.outcome(good, files):
            self.assertEqual(said["exit_status"], 0, (name, said))

    def test_checksums_of_good_pages(self):
        """Wrong checksums, well sealed: what authenticates is not touched, and they are made anew."""
        good = self.sealed(300000, "--parity", "5")
        tail, files = Tail(good), {}
        for i in range(30):
            data = bytearray(good)
            for number in self.rng.sample(range(tail.tail.body_pages), self.rng.randint(1, 20)):
                for copy in tail.tail.sums if i % 3 else tail.tail.sums[:1]:
                    data[copy + number // 510 * PAGE + number % 510 * 8] ^= 1
            files[str(i)] = self.sums(bytes(data))
        for name, said in self.outcome(good, files):
            self.assertEqual(said["exit_status"], 0, (name, said))

    def test_other_repair_pages(self):
        """Repair pages of somebody's making, with checksums: what they give does not authenticate."""
        for good in (self.sealed(300000, "--parity", "5"), self.paper(300, 300, "--parity", "5")):
            tail, files = Tail(good), {}
            for i in range(40):
                pages = self.rng.sample([*tail.repair], self.rng.randint(1, len(tail.repair)))
                files[str(i)] = self.spoil(self.sums(self.spoil(good, pages, "noise"), pages), [self.rng.choice(tail.body)])
            statuses = [said["exit_status"] for _, said in self.outcome(good, files)]
            self.assertIn(4, statuses)

    def test_any(self):
        """Bytes anywhere, with all checksums of the file put right."""
        for good in (self.sealed(300000, "--parity", "20"), self.paper(300, 300, "--parity", "20")):
            tail = Tail(good)
            for _ in range(TIMES):
                files = {}
                for i in range(60):
                    pages = self.rng.sample([*tail.body, *tail.repair], self.rng.randint(1, 10))
                    files[str(i)] = self.sums(self.spoil(good, pages), pages)
                list(self.outcome(good, files))

    def test_tail_of_another_file(self):
        good, other = (self.sealed(300000, "--parity", "5") for _ in range(2))
        end = Tail(good).tail.end
        files = {"whole": good[:end] + other[end:], "damaged": self.spoil(good, [20])[:end] + other[end:]}
        said = dict(self.outcome(good, files))
        self.assertEqual(said["whole"]["exit_status"], 0, said)
        self.assertEqual(said["damaged"]["exit_status"], 4, said)

    def test_slots_of_another_file(self):
        """With the same keyring: they are good, and do not open here."""
        good, other = (self.sealed(300000, "--parity", "5") for _ in range(2))
        files = {"A": good[:PAGE] + other[PAGE : 2 * PAGE] + good[2 * PAGE :], "B": good[: 2 * PAGE] + other[2 * PAGE : 3 * PAGE] + good[3 * PAGE :],
                 "head": other[:PAGE] + good[PAGE:], "both": other[: 2 * PAGE] + good[2 * PAGE :],
                 "three": other[: 3 * PAGE] + good[3 * PAGE :]}
        said = dict(self.outcome(good, files))
        self.assertEqual({name: m["exit_status"] for name, m in said.items()},
                         {"A": 0, "B": 0, "head": 0, "both": 0, "three": 0})


class SecondReader(Repairs):
    """What the second implementation makes of the same damage, byte for byte."""

    def test_same(self):
        makes = (lambda: self.sealed(400000, "--parity", "5"), lambda: self.sealed(20000, "--parity", "20"), lambda: self.paper(150, 150, "--parity", "10"))
        for make in makes:
            good = make()
            files = {}
            for i in range(12 * TIMES):
                pages = self.rng.sample(range(len(good) // PAGE), self.rng.randint(1, 2 * Tail(good).tail.parity))
                files[str(i)] = self.spoil(good, pages)
            for name, (said, data) in self.repair(files).items():
                Path("damaged").write_bytes(files[name])
                Path("theirs").unlink(missing_ok=True)
                status = orrery_reader.main(["--keyring", "keys", "damaged", "--repair", "-o", "theirs"])
                if status == 0:
                    self.assertEqual((said["outcome"], data == Path("theirs").read_bytes()), ("done", True), (name, said, SEED))
                elif said["outcome"] == "done":  # zero bytes in a head are put right before its tiles are
                    self.assertTrue(data == good, (name, said, SEED))


if __name__ == "__main__":
    unittest.main()
