"""orrery train when system calls fail, and death at them (at every one with ORRERY_LONG=1): the run goes on as if nothing had
been, and nothing of what went wrong stays behind."""
import hashlib
import json
import os
import random
import shutil
import signal
import unittest
from pathlib import Path

from support.cli import Case, needs_onednn, run
from support.faults import SEED, broken, require
from support.training import picture

OPTIONS = ["--image", "32", "--width", "2", "--latent", "2", "--batch", "4", "--device", "cpu", "--threads", "1", "--epochs", "3",
           "--snapshot-every", "1", "--keep", "2", "--resume", "-q"]


LONG = os.environ.get("ORRERY_LONG")


def sampled(calls):
    """Every fiftieth, from a random start, and all about the first file; all with ORRERY_LONG set."""
    start = random.Random(SEED).randrange(50)
    return calls if LONG else [(n, call) for n, call in calls if n % 50 == start or "options.json" in call]


def setUpModule():
    require()


@needs_onednn
class Faults(Case):
    def setUp(self):
        super().setUp()
        self.draw = draw = random.Random(SEED)
        Path("data").mkdir()
        for i in range(8):
            picture(Path(f"data/{i}.png"), draw)
        self.assertEqual(run(*self.command())[0], 0)
        shutil.move("out", "whole")
        self.whole = self.contents("whole")

    def command(self):
        return ["train", "--data", "data", "-o", "out/run", *OPTIONS]

    def contents(self, where):
        """Everything in a run directory that does not depend on the clock."""
        found = {}
        for path in Path(where, "run").rglob("*"):
            name, data = str(path.relative_to(where)), path.read_bytes() if path.is_file() else b""
            if path.name == "statistics.jsonl":
                lines = [json.loads(line) for line in data.splitlines()]
                data = repr([{k: v for k, v in l.items() if k not in ("time", "images_per_second")} for l in lines]).encode()
            if not path.name.startswith("events."):
                found[name] = hashlib.sha256(data).hexdigest()
        return found

    def assert_goes_on(self):
        status, _, err = run(*self.command())
        self.assertEqual(status, 0, err)
        self.assertEqual(self.contents("out"), self.whole)

    def calls(self):
        shutil.rmtree("out", ignore_errors=True)
        Path("log").unlink(missing_ok=True)
        status, _, err = broken("change:0:count", *self.command(), log="log")
        self.assertEqual(status, 0, err)
        self.assertEqual(self.contents("out"), self.whole)
        calls = Path("log").read_text().splitlines()
        self.assertGreater(len(calls), 100)
        return list(enumerate(calls, 1))

    def one_of(self, *choices):
        return choices if LONG else [self.draw.choice(choices)]

    def test_death_at_every_change(self):
        for n, call in sampled(self.calls()):
            for action in self.one_of("kill", "tear"):
                with self.subTest(n=n, call=call, action=action, seed=SEED):
                    shutil.rmtree("out", ignore_errors=True)
                    status, _, err = broken(f"change:{n}:{action}", *self.command())
                    self.assertEqual(status, -signal.SIGKILL, err)
                    self.assert_goes_on()

    def test_errors(self):
        for n, call in sampled(self.calls()):
            for error in self.one_of("EIO", "ENOSPC"):
                with self.subTest(n=n, call=call, error=error, seed=SEED):
                    shutil.rmtree("out", ignore_errors=True)
                    status, _, err = broken(f"change:{n}:{error}", *self.command())
                    if status == 0:  # of an older checkpoint, which a later one removes; of what is tried in another way
                        self.assertRegex(call, r"^(unlink |rename |fchmod |open \.orrery-)")
                    else:
                        self.assertEqual(status, 7, err)
                        self.assertRegex(err, "orrery: out.*(Input/output error|No space left on device)")
                        left = [str(p) for p in Path("out").rglob("*partial*")]
                        self.assertEqual([] if call.split()[0] != "unlink" else left, left)
                        if Path("out/run").exists():
                            self.assertTrue(any(Path("out/run").iterdir()))
                    self.assert_goes_on()


if __name__ == "__main__":
    unittest.main()
