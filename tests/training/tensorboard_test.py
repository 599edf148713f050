"""The event file of `orrery train`, read by TensorBoard itself: every scalar of every line of statistics.jsonl. Skipped (exit
status 77) without the package, which is no requirement of the tests."""
import json
import random
import sys
import unittest
from pathlib import Path

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("SKIPPED: TensorBoard is not installed (pip install tensorboard, in an environment of its own)")
    sys.exit(77)

from support.cli import Case, needs_onednn, run
from support.training import SMALL, picture

TAGS = {  # kind of line: {tag: name in statistics.jsonl}
    "steps": {"train/epoch": "epoch", "loss/discriminator": "loss_d", "loss/generator": "loss_g", "discriminator/real": "d_real",
              "discriminator/fake_before": "d_fake_before", "discriminator/fake_after": "d_fake_after",
              "train/images_per_second": "images_per_second"},
    "snapshot": {"quality/swd": "swd", "quality/nearest_least": "nearest_least", "quality/nearest_median": "nearest_median",
                 "quality/diversity": "diversity"},
}


@needs_onednn
class TensorBoard(Case):
    def test_reads_every_scalar(self):
        Path("data").mkdir()
        for i in range(16):
            picture(Path(f"data/{i}.png"), random.Random(i))
        status, _, err = run("train", "--data", "data", "-o", "run", *SMALL, "--epochs", "2", "--snapshot-every", "1")
        self.assertEqual(status, 0, err)
        lines = [json.loads(line) for line in Path("run/statistics.jsonl").read_text().splitlines()]
        seen = EventAccumulator("run", size_guidance={"scalars": 0})
        seen.Reload()
        self.assertEqual(sorted(seen.Tags()["scalars"]), sorted(tag for tags in TAGS.values() for tag in tags))
        for kind, tags in TAGS.items():
            of_kind = [line for line in lines if line["kind"] == kind]
            self.assertGreater(len(of_kind), 2)
            for tag, name in tags.items():
                events = seen.Scalars(tag)
                self.assertEqual([e.step for e in events], [line["step"] for line in of_kind], tag)
                for event, line in zip(events, of_kind):
                    self.assertAlmostEqual(event.value, line[name], delta=1e-6 * max(1, abs(line[name])), msg=tag)


if __name__ == "__main__":
    unittest.main()
