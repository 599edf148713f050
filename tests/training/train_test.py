"""orrery train from outside: what a run leaves behind, and that nothing is lost: kill -9, signals, full disks,
damaged checkpoints, wrong data."""
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import ORRERY, SOURCE, on_a_device, run
from support.training import IMAGES, SEED, SMALL, TrainCase, picture


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def protobuf(data):
    """(field, value) pairs: varints and fixed as integers, the rest as bytes."""
    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
    at = 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        else:
            length, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(at)
            value, at = data[at:at + length], at + length
        yield key >> 3, value


def events(path):
    """(step, {tag: value}) of a TensorBoard file, every checksum verified."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        length, crc = struct.unpack_from("<QI", data, at)
        assert crc == masked(data[at:at + 8])
        record = data[at + 12:at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(record)
        at += 16 + length
        fields = dict(protobuf(record))
        if 3 in fields:
            assert not found and fields[3] == b"brain.Event:2"
            continue
        scalars = [dict(protobuf(value)) for number, value in protobuf(fields[5]) if number == 1]
        found.append((fields[2], {s[1].decode(): struct.unpack("<f", s[2])[0] for s in scalars}))
    return found


class Train(TrainCase):
    def test_what_a_run_leaves(self):
        out, err = self.done("run", "--snapshot-every", "2")
        self.assertEqual(out, "")
        self.assertIn("notes.txt: left out", err)
        self.assertIn("link.png: left out: a symbolic link", err)
        folder = Path("run")
        options = json.loads((folder / "options.json").read_text())
        manifest = (folder / "data.txt").read_bytes()
        self.assertEqual(options["data_sha256"], hashlib.sha256(manifest).hexdigest())
        self.assertEqual((options["images"], options["skipped"], options["seed"]), (IMAGES, 2, "1"))
        names = [line.split("  ", 1)[1] for line in manifest.decode().splitlines()]
        self.assertEqual(names, sorted(n for n in names if "/" not in n) + sorted(n for n in names if "/" in n))
        self.assertEqual(len(names), IMAGES)
        self.assertIn("notes.txt", (folder / "skipped.txt").read_text())
        steps = 4 * IMAGES // 8
        self.assertEqual(sorted(self.states("run")), [f"step-{n:010}" for n in (0, steps // 2, steps)])
        lines = self.lines("run")
        self.assertEqual([l["step"] for l in lines if l["kind"] == "snapshot"], [0, steps // 2, steps])
        self.assertEqual([l["step"] for l in lines if l["kind"] == "steps"], list(range(1, steps + 1)))
        seen = events(folder / "events.out.tfevents.1.orrery")
        for line, (step, scalars) in zip(lines, seen, strict=True):
            self.assertEqual(step, line["step"])
            key, tag = ("loss_g", "loss/generator") if line["kind"] == "steps" else ("swd", "quality/swd")
            self.assertAlmostEqual(scalars[tag], line[key], places=3)
        for step in (0, steps // 2, steps):
            for kind, size in (("grid", (8 * 34 + 2, 8 * 34 + 2)), ("nearest", (8 * 66 + 2, 8 * 34 + 2))):
                data = (folder / f"{kind}-{step:010}.png").read_bytes()
                self.assertEqual(struct.unpack(">II", data[16:24]), size)
        page = (folder / "report.html").read_text()
        self.assertEqual(page.count("data:image/png"), 4)
        final = folder / "checkpoints" / f"step-{steps:010}"
        for name in ("generator.safetensors", "discriminator.safetensors"):
            weights = (folder / name).read_bytes()
            self.assertEqual((final / name).read_bytes(), weights)
            header = json.loads(weights[8:8 + struct.unpack("<Q", weights[:8])[0]])
            self.assertIn("main.0.weight", header)
            self.assertEqual((header["__metadata__"]["steps"], header["__metadata__"]["data_sha256"]),
                             (str(steps), options["data_sha256"]))
        for name in ("loss.svg", "swd.svg"):
            self.assertIn("</svg>", (folder / name).read_text())
        for path in folder.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o777, 0o700 if path.is_dir() else 0o600, path)
        self.assertEqual([p for p in folder.rglob("*") if "partial" in p.name], [])

    def test_the_tool_measures_what_a_run_measures(self):
        self.done("run", "--seed", "5", epochs="2")
        last = [l for l in self.lines("run") if l["kind"] == "snapshot"][-1]
        tool = [str(Path(ORRERY).parent / "swd"), "--data", "data", "--image", "32", "--seed", "5"]
        done = subprocess.run([*tool, "--bytes", "images", "run/generator.safetensors"], capture_output=True, check=True, text=True)
        data, weights = (json.loads(line) for line in done.stdout.splitlines())
        options = json.loads(Path("run/options.json").read_text())
        self.assertEqual((data["images"], data["data_sha256"]), (IMAGES, options["data_sha256"]))
        self.assertAlmostEqual(data["swd_of_real_halves"], last["swd_of_real_halves"], delta=1e-6)
        # A pixel on the edge between two values may be rounded otherwise in another batch size.
        self.assertAlmostEqual(weights["swd"], last["swd"], delta=0.01)
        images, size = Path("images").read_bytes(), 32 * 32 * 3
        digests = [hashlib.sha256(images[i:i + size]).hexdigest() for i in range(0, len(images), size)]
        self.assertEqual(digests, [line.split()[0] for line in Path("run/data.txt").read_text().splitlines()])
        for arguments, status in ((["run/discriminator.safetensors"], 8), (["--image", "64", "run/generator.safetensors"], 8),
                                  (["missing"], 7), (["--bytes", "no/such/file"], 7)):
            self.assertEqual(subprocess.run([*tool, *arguments], capture_output=True, check=False).returncode, status, arguments)

    def test_never_overwritten(self):
        self.done("run", epochs="1")
        before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
        status, _, err = self.train("run")
        self.assertEqual(status, 6)
        self.assertIn("--resume", err)
        Path("other").mkdir()
        Path("other/file").write_text("precious")
        self.assertEqual(self.train("other")[0], 6)
        self.assertEqual(self.train("other", "--resume")[0], 6)
        self.assertEqual({p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}, before)
        self.assertEqual([p.name for p in Path("other").iterdir()], ["file"])

    def test_what_is_called_like_a_file_in_the_making_stays(self):
        """It may be somebody's: only what has the mark of a partial file is one."""
        self.done("run", epochs="1")
        kept = ["generator.safetensors.partial", "discriminator.safetensors.partial", ".report.html.partial", ".options.json.partial",
                ".orrery-0123456789abcdef.partial", "checkpoints/.partial/state", "checkpoints/.partial/generator.safetensors",
                "checkpoints/.orrery-0123456789abcdef.partial/state"]
        for name in kept:
            Path("run", name).parent.mkdir(exist_ok=True)
            Path("run", name).write_text("precious " + name)
        self.done("run", "--resume", epochs="2")
        self.assertEqual([Path("run", name).read_text() for name in kept], ["precious " + name for name in kept])

    def test_the_same_again_is_the_same_and_a_seed_is_another(self):
        for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
            self.done(name, "--seed", seed, epochs="2")
        self.assertEqual(self.states("a"), self.states("b"))
        self.assertNotEqual(self.states("a"), self.states("c"))

    def start(self, where, *options):
        return subprocess.Popen([ORRERY, "train", "--data", "data", "-o", where, *SMALL, *options],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def wait_for_steps(self, where, step):
        for _ in range(6000):
            try:
                if any(l["step"] >= step and l["kind"] == "steps" for l in self.lines(where)):
                    return
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            time.sleep(0.01)
        self.fail("the run does not get on")

    def test_killed_and_resumed_is_as_if_never_killed(self):
        draw = random.Random(SEED + 1)
        self.done("whole", "--snapshot-every", "1", epochs="8")
        for attempt in range(3):
            run_name = f"killed{attempt}"
            command = ["--epochs", "8", "--snapshot-every", "1", "--resume"]
            for _ in range(2):
                process = self.start(run_name, *command)
                self.wait_for_steps(run_name, draw.randrange(1, 30))
                process.kill()
                process.stderr.close()
                process.wait()
            self.done(run_name, "--snapshot-every", "1", "--resume", epochs="8")
            self.assertEqual(self.states(run_name), self.states("whole"), f"ORRERY_SEED={SEED}")
            strip = [{k: v for k, v in l.items() if k not in ("time", "images_per_second")} for l in self.lines(run_name)]
            self.assertEqual([l["step"] for l in strip], sorted(l["step"] for l in strip))
            whole = [{k: v for k, v in l.items() if k not in ("time", "images_per_second")} for l in self.lines("whole")]
            self.assertEqual(strip, whole)
            for path in Path("whole").glob("*.png"):
                self.assertEqual(path.read_bytes(), Path(run_name, path.name).read_bytes())

    def test_signals_leave_a_checkpoint_and_status_75(self):
        self.done("whole", epochs="30")
        for number in (signal.SIGINT, signal.SIGTERM):
            for attempt in range(5):  # on a busy machine the run may end before the signal comes
                name = f"signal{number}-{attempt}"
                process = self.start(name, "--epochs", "30")
                self.wait_for_steps(name, 7)
                process.send_signal(number)
                err = process.stderr.read().decode()
                process.stderr.close()
                status = process.wait()
                if status != 0:
                    break
            self.assertEqual(status, 75, err)
            self.assertIn("--resume goes on from there", err)
            last = max(l["step"] for l in self.lines(name))
            self.assertIn(f"step-{last:010}", self.states(name))
            self.assertLess(last, 150)
            self.done(name, "--resume", epochs="30")
            self.assertEqual(self.states(name)["step-0000000150"], self.states("whole")["step-0000000150"])
        # And with more epochs than were asked for at first.
        self.done("longer", epochs="1")
        self.done("longer", "--resume", epochs="30")
        self.assertEqual(self.states("longer")["step-0000000150"], self.states("whole")["step-0000000150"])

    def test_waiting_threads_sleep(self):
        """libgomp is told so when it is loaded, unless somebody has said otherwise."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}

        def said(**more):
            status, _, err = self.train("dry", "--dry-run", env=plain | {"OMP_DISPLAY_ENV": "VERBOSE"} | more)
            self.assertEqual(status, 0, err)
            return dict(re.findall(r"(OMP_WAIT_POLICY|GOMP_SPINCOUNT) = '([^']*)'", err))
        if not said():
            self.skipTest("another OpenMP than libgomp")
        self.assertEqual(said(), {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"})
        self.assertEqual(said(OMP_WAIT_POLICY="ACTIVE")["OMP_WAIT_POLICY"], "ACTIVE")
        self.assertEqual(said(GOMP_SPINCOUNT="1000")["GOMP_SPINCOUNT"], "1000")

        # The same bytes as with threads that spin.
        for name, more in (("asleep", {}), ("awake", {"OMP_WAIT_POLICY": "ACTIVE"})):
            done = run("train", "--data", "data", "-o", name, *SMALL[:-1], "2", "--epochs", "2", env=plain | more)
            self.assertEqual(done[0], 0, done[2])
        self.assertEqual(self.states("asleep"), self.states("awake"))

    def test_damaged_checkpoints(self):
        self.done("run", "--snapshot-every", "1")
        whole = self.states("run")
        names = sorted(whole)
        newest = Path("run/checkpoints", names[-1], "state")
        data = bytearray(newest.read_bytes())
        data[random.Random(SEED).randrange(len(data))] ^= 1
        newest.write_bytes(data)
        _, err = self.done("run", "--resume")
        self.assertIn(names[-1], err)
        self.assertIn("an earlier one is taken", err)
        self.assertEqual(self.states("run"), whole)
        for name in names:
            path = Path("run/checkpoints", name, "state")
            path.write_bytes(path.read_bytes()[:-1])
        status, _, err = self.train("run", "--resume")
        self.assertEqual(status, 8)
        self.assertIn("none of the 3 checkpoints is whole", err)
        # Begun again, the run would replace its generator.
        shutil.rmtree("run/checkpoints")
        before = {p: p.read_bytes() for p in Path("run").iterdir()}
        status, _, err = self.train("run", "--resume")
        self.assertEqual((status, "its checkpoints are gone: it cannot go on" in err), (8, True), err)
        self.assertEqual({p: p.read_bytes() for p in Path("run").iterdir()}, before)
        for name in ("generator", "discriminator"):
            Path(f"run/{name}.safetensors").unlink()
        self.done("run", "--resume", "--snapshot-every", "1")
        self.assertEqual(self.states("run"), whole)

    def test_data_that_cannot_be_used(self):
        Path("empty").mkdir()
        Path("one").mkdir()
        Path("one/a.png").write_bytes(Path("data/000.png").read_bytes())
        Path("one/b.png").write_bytes(Path("data/000.png").read_bytes()[:60])
        Path("set.tar").write_bytes(bytes(1024))
        for folder, status, said in (("empty", 8, "no images found"), ("one", 8, "only one image found (and 1 other file)"),
                                     ("missing", 7, "cannot open this folder"), ("set.tar", 8, "unpack an archive")):
            done = run("train", "--data", folder, "-o", "never", *SMALL)
            self.assertEqual(done[0], status, done[2])
            self.assertIn(said, done[2])
            self.assertFalse(Path("never").exists())  # nothing was begun
        self.done("never", epochs="1")
        # A directory that was there stays; so do those above one.
        Path("there").mkdir()
        self.assertEqual(run("train", "--data", "empty", "-o", "there", *SMALL)[0], 8)
        self.assertEqual(run("train", "--data", "empty", "-o", "there/more/run", *SMALL)[0], 8)
        self.assertEqual(list(Path("there").rglob("*")), [Path("there/more")])
        status, _, err = run("train", "-o", "there/more", "--resume")
        self.assertEqual((status, "there/more: there is no run in it to go on with" in err), (2, True), err)
        # A slash behind the name makes no difference.
        self.assertEqual(run("train", "--data", "empty", "-o", "slash//", *SMALL)[0], 8)
        self.assertFalse(Path("slash").exists())
        self.assertEqual(self.train("slash/", epochs="1")[0], 0)
        self.assertEqual(Path("slash").stat().st_mode & 0o777, 0o700)
        status, _, err = self.train("small", "--learning-rate", "1e-50")  # nothing, as a float
        self.assertEqual((status, Path("small").exists()), (2, False), err)

    def test_a_resumed_run_keeps_its_options_and_its_data(self):
        self.done("run", epochs="1")
        begun = Path("run/options.json").read_text()
        for option, *value in (("--seed", "9"), ("--batch", "4"), ("--width", "8"), ("--learning-rate", "0.1"), ("--image", "64"),
                               ("--channels", "1"), ("--latent", "9"), ("--no-flip",), ("--window", "0:9"), ("--precision", "bf16"),
                               ("--precision", "tf32")):
            status, _, err = run("train", "--data", "data", "-o", "run", "--resume", "--epochs", "2", option, *value)
            self.assertEqual(status, 2, err)
            self.assertIn(f"begun with another {option}; leave the option out to resume it", err)
        self.assertEqual(Path("run/options.json").read_text(), begun)
        self.done("run", "--resume", "--seed", "1", "--precision", "float32", "--learning-rate", "0.0002", epochs="1")
        for name, damaged in (("precision", "half"), ("precision", 3), ("device", "cpu, onednn, half, 1 threads"), ("batch", 0)):
            options = json.loads(begun)
            if name == "device":
                del options["precision"]
            Path("run/options.json").write_text(json.dumps(dict(options, **{name: damaged})))
            status, _, err = self.train("run", "--resume")
            self.assertEqual((status, "options.json: damaged" in err), (8, True), err)
        Path("run/options.json").write_text(begun)
        os.rename("data", "moved")
        status, _, err = run("train", "-o", "run", "--resume")
        self.assertEqual(status, 7)
        self.assertIn("the run was begun with it, from the directory that was then the current one: name with --data", err)
        self.assertEqual(run("train", "-o", "run", "--resume", "--data", "moved/")[0], 0)
        picture(Path("moved/new.png"), random.Random(SEED))
        status, _, err = run("train", "-o", "run", "--resume", "--data", "moved", "--epochs", "2")
        self.assertEqual(status, 8)
        self.assertIn("not those that the run was begun with", err)

    def test_a_run_cannot_become_shorter_than_it_is(self):
        self.done("run", epochs="3")
        before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
        status, _, err = self.train("run", "--resume", epochs="2")
        self.assertEqual(status, 2)
        self.assertIn("run: the run in it has done 3.0 epochs, more than 2", err)
        self.assertEqual({p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}, before)
        self.done("run", "--resume", epochs="3")

    def test_options_are_written_as_they_were_given(self):
        self.done("run", "--learning-rate", "0.0003", epochs="1")
        text = Path("run/options.json").read_text()
        for line in ('"learning_rate":\t0.0003,', '"beta1":\t0.5,', '"beta2":\t0.999,', '"epsilon":\t1e-08,'):
            self.assertIn(line, text)
        self.done("run", "--resume", "--learning-rate", "0.0003", epochs="2")
        self.assertEqual(Path("run/options.json").read_text(), text.replace('"epochs":\t1', '"epochs":\t2'))

    def test_names_of_any_bytes(self):
        Path("data/line\nbreak.png").write_bytes(Path("data/000.png").read_bytes())
        Path("data/line\nbad.png").write_bytes(b"x")
        Path(os.fsdecode(b"data/\xff\x1bbad.png")).write_bytes(b"x")
        self.done("run", epochs="1")
        self.assertIn(b"  line\\x0Abreak.png\n", Path("run/data.txt").read_bytes())
        lines = Path("run/skipped.txt").read_bytes().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertTrue(any(line.startswith(b"data/line\\x0Abad.png: not usable") for line in lines), lines)
        self.assertTrue(any(line.startswith(b"data/\xff\\x1Bbad.png: not usable") for line in lines), lines)

    def test_copies_and_likeness_are_told_in_their_time(self):
        copies, alike = "images have the same pixels as another one", "images are much alike"
        err = self.done("run", "--learning-rate", "1e-9", "--snapshot-every", "1", epochs="9")[1]
        self.assertFalse(copies in err or alike in err, err)
        err = self.done("run", "--resume", "--snapshot-every", "20", epochs="40")[1]  # 200 steps
        self.assertIn(alike, err)
        shutil.copytree("data", "data/again", symlinks=True, ignore=shutil.ignore_patterns("again"))
        status, _, err = self.train("doubled", epochs="1")
        self.assertEqual(status, 0, err)
        self.assertIn(f"{IMAGES} of the {2 * IMAGES} {copies}", err)
        first = [next(l for l in self.lines(name) if l["kind"] == "snapshot") for name in ("run", "doubled")]
        self.assertGreater(first[1]["nearest_median_of_real"], 1)

    def test_runs_below_the_data_are_no_data(self):
        out, err = self.done("data/run", epochs="2")
        self.assertIn("data/run: left out: the directory of this training run\n", err)
        self.assertEqual(len(list(Path("data/run").glob("*.png"))), 4)
        self.done("whole", epochs="4")  # an older run is there, and its grids
        self.assertEqual(json.loads(Path("whole/options.json").read_text())["images"], IMAGES)
        self.assertIn("data/run: the directory of another training run, with all in it\n", Path("whole/skipped.txt").read_text())
        self.done("data/run", "--resume", epochs="4")
        self.assertIn("data/run: the directory of this training run\n", Path("data/run/skipped.txt").read_text())
        self.assertEqual(self.states("data/run")["step-0000000020"], self.states("whole")["step-0000000020"])
        # Named itself, it is none either; a folder is not one for the name of a file in it.
        status, _, err = run("train", "--data", "data/run", "-o", "never", *SMALL)
        self.assertEqual(status, 8, err)
        self.assertIn("no images found", err)
        for text in ("{}", "[" * 2000, '{"program": "another"}', '{"program": 1}'):
            Path("data/sub/options.json").write_text(text)
            self.done("other" + hashlib.sha256(text.encode()).hexdigest(), epochs="1")
        self.assertIn("%d images" % IMAGES, self.train("data/new", "--dry-run")[2])

    def test_files_that_cannot_be_written_leave_the_checkpoint(self):
        self.done("run", epochs="2")
        before = self.states("run")
        size = self.files("run")[0].stat().st_size
        for limit in (size - 1, 500):
            done = self.train("run", "--resume", epochs="3", restore_signals=False,  # Python ignores SIGXFSZ
                              preexec_fn=lambda most=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
            self.assertEqual(done[0], 7, done[2])
            self.assertIn("cannot write", done[2])
            self.assertEqual(self.states("run"), before)
        self.done("whole", epochs="3")
        self.done("run", "--resume", epochs="3")
        self.assertEqual(self.states("run")["step-0000000015"], self.states("whole")["step-0000000015"])

    def test_dry_run_and_two_at_once(self):
        status, _, err = self.train("run", "--dry-run")
        self.assertEqual(status, 0, err)
        self.assertIn("40 images; 20 steps for 4 epochs", err)
        self.assertFalse(Path("run").exists())
        process = self.start("run", "--epochs", "1000")
        self.wait_for_steps("run", 1)
        status, _, err = self.train("run", "--resume")
        self.assertEqual(status, 7)
        self.assertIn("another training run is at work", err)
        process.kill()
        process.stderr.close()
        process.wait()

    def test_a_resumed_run_keeps_its_precision(self):
        Path("bin").mkdir()
        program = on_a_device("bin")
        if not program:
            self.skipTest("no make-believe CUDA device in this build")

        def train(name, *options, status=0):
            done = run("train", "--data", "data", "-o", name, "--image", "32", "--width", "2", "--latent", "4", "--batch", "20",
                       "--resume", *options, program=program, env=dict(os.environ, ORRERY_SHIM="1 0 0"))
            self.assertEqual(done[0], status, done[2])
            return done[2]

        def options(name):
            return json.loads(Path(name, "options.json").read_text())
        for name, precision in (("float32", "float32"), ("whole", "bf16")):
            train(name, "--epochs", "2", "--snapshot-every", "1", "--precision", precision)
            self.assertEqual(options(name)["precision"], precision)
        self.assertNotEqual(self.states("whole"), self.states("float32"))
        train("halves", "--epochs", "1", "--snapshot-every", "1", "--precision", "bf16")
        self.assertIn("another --precision", train("halves", "--epochs", "2", "--precision", "float32", status=2))
        self.assertIn("the CPU computes in float32 only: resume it on a GPU", train("halves", "--device", "cpu", status=8))
        older = options("halves")
        del older["precision"]  # as versions before this option wrote it
        Path("halves/options.json").write_text(json.dumps(older))
        train("halves", "--epochs", "2")
        self.assertEqual(options("halves")["precision"], "bf16")
        self.assertEqual(self.states("halves"), self.states("whole"))

    def test_auto_passes_over_a_device_that_is_too_old(self):
        Path("bin").mkdir()
        program = on_a_device("bin")
        if not program:
            self.skipTest("no make-believe CUDA device in this build")
        small = ["train", "--data", "data", "--image", "32", "--width", "2", "--latent", "4", "--batch", "20", "--epochs", "1"]
        for shim, options, device in (("2 1 0", ["-v"], "cuda:1, cudnn"), ("1 1 0", ["-v"], "cpu, onednn"), ("1 0 0", [], "cuda:0, cudnn")):
            name = "run" + shim[:3].replace(" ", "")
            status, _, err = run(*small, "-o", name, *options, program=program, env=dict(os.environ, ORRERY_SHIM=shim))
            self.assertEqual(status, 0, err)
            self.assertEqual("passes over a device: Make-believe GPU 0 (cuda:0) has compute capability 7.5" in err, bool(options))
            self.assertTrue(json.loads(Path(name, "options.json").read_text())["device"].startswith(device))

    def test_json(self):
        for i in range(6):
            Path(f"data/more{i}.txt").write_text("more than are told in words")
        out, err = self.done("run", "--json", epochs="2")
        self.assertEqual(err, "")
        messages = [json.loads(line) for line in out.splitlines()]
        kinds = [m["message_type"] for m in messages]
        self.assertEqual(kinds[-1], "summary")
        self.assertEqual(kinds.count("skipped"), 8)
        self.assertNotIn("-v names them", out)
        self.assertEqual(kinds.count("start"), 1)
        self.assertEqual(kinds.count("snapshot"), 2)
        self.assertEqual((messages[-1]["exit_status"], messages[-1]["steps"], messages[-1]["images"]), (0, 10, IMAGES))

    def test_gray_and_quiet(self):
        out, err = self.done("run", "--channels", "1", "-q", epochs="1")
        self.assertEqual((out, err), ("", ""))
        self.assertEqual(Path("run/grid-0000000000.png").read_bytes()[25], 0)  # colour type: gray


if __name__ == "__main__":
    unittest.main()
