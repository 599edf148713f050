"""orrery generate and keyring new --weights, from outside: images against the layers written out in Python, outputs,
and what is refused."""
import hashlib
import json
import math
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path

from support.cli import BUILD, ORRERY, SOURCE, Case, needs_onednn, on_a_device, run
from support.generators import LATENT, LAYERS, SIZE, evaluate, floats, generator, npy, png_pixels, safetensors, single


@needs_onednn
class Folder(Case):
    def path(self, name):
        return str(self.dir / name)


class Generate(Folder):
    def setUp(self):
        super().setUp()
        tensors, self.plain = generator()
        self.weights = Path(self.path("w.safetensors"))
        self.weights.write_bytes(safetensors(tensors))

    def ask(self, *arguments, status=0):
        got, out, err = run("generate", "--weights", str(self.weights), *arguments)
        self.assertEqual(got, status, err)
        return out, err

    def test_images_are_those_of_the_layers_written_out(self):
        draw = random.Random(5)
        latents = [[single(draw.gauss(0, 1)) for _ in range(LATENT)] for _ in range(5)]
        for kind in ("<f4", "<f8"):
            file, folder = self.path("z.npy"), self.path("out" + kind[2])
            Path(file).write_bytes(npy(latents, kind))
            out, _ = self.ask("--latents", file, "-o", folder, "--json")
            lines = [json.loads(line) for line in out.splitlines()]
            self.assertEqual([line["message_type"] for line in lines], ["image"] * 5 + ["summary"])
            self.assertEqual(lines[-1]["images"], 5)
            self.assertEqual(lines[-1]["generator_sha256"], hashlib.sha256(self.weights.read_bytes()).hexdigest())
            self.assertEqual(sorted(os.listdir(folder)), [f"{i:05}.png" for i in range(5)])
            for i, z in enumerate(latents):
                image = evaluate(self.plain, z)
                width, height, rows = png_pixels(f"{folder}/{i:05}.png")
                self.assertEqual((width, height), (SIZE, SIZE))
                sums = [0, 0, 0]
                for y in range(SIZE):
                    for x in range(SIZE):
                        for c in range(3):
                            self.assertAlmostEqual(rows[y][3 * x + c], (image[c][y][x] + 1) * 127.5, delta=0.51)
                            sums[c] += rows[y][3 * x + c]
                self.assertEqual(lines[i]["channel_sums"], sums)

    def test_a_grid_holds_the_same_images_as_the_files(self):
        self.ask("-n", "7", "--seed", "9", "-o", self.path("grid.png"))
        self.ask("-n", "7", "--seed", "9", "-o", self.path("files"))
        self.ask("-n", "7", "--seed", "10", "-o", self.path("others"))
        width, height, rows = png_pixels(self.path("grid.png"))
        self.assertEqual((width, height), (3 * 18 - 2, 3 * 18 - 2))
        for i in range(7):
            _, _, one = png_pixels(f"{self.path('files')}/{i:05}.png")
            x, y = i % 3 * 18 * 3, i // 3 * 18
            self.assertEqual([row[x:x + 48] for row in rows[y:y + 16]], one)
        self.assertEqual(set(rows[17]), {255})
        self.assertNotEqual(Path(f"{self.path('files')}/00000.png").read_bytes(),
                            Path(f"{self.path('others')}/00000.png").read_bytes())
        self.assertEqual(os.stat(self.path("grid.png")).st_mode & 0o777, 0o600)

    def test_images_do_not_depend_on_threads_or_count(self):
        self.ask("-n", "70", "-j", "1", "-o", self.path("a"))
        self.ask("-n", "65", "-j", "2", "-o", self.path("b"))
        for i in range(65):
            self.assertEqual(Path(f"{self.path('a')}/{i:05}.png").read_bytes(),
                             Path(f"{self.path('b')}/{i:05}.png").read_bytes())

    def test_outputs_are_not_overwritten(self):
        grid, folder = Path(self.path("grid.png")), Path(self.path("files"))
        grid.write_bytes(b"x")
        self.assertIn("exists", self.ask("-o", str(grid), status=6)[1])
        self.assertEqual(grid.read_bytes(), b"x")
        folder.mkdir()
        self.ask("-n", "1", "-o", str(folder))
        self.assertIn("not empty", self.ask("-n", "1", "-o", str(folder), status=6)[1])
        self.assertIn("no directory", self.ask("-n", "1", "-o", str(self.weights), status=6)[1])
        self.ask("-n", "1", "-o", self.path("no/such/grid.png"), status=7)
        self.ask("-n", "2", "--dry-run", "-o", self.path("dry"))
        self.assertFalse(os.path.exists(self.path("dry")))

    def test_a_kill_leaves_no_half_picture(self):
        fault = os.environ.get("FAULT")
        if not fault or "libasan" in Path("/proc/self/maps").read_text():
            self.skipTest("no FAULT library (run by ctest), or AddressSanitizer")
        command = ("generate", "-q", "--weights", str(self.weights), "--device", "cpu", "-n", "4", "-o", "sub/grid.png")
        self.assertEqual(run(*command[:-1], "whole.png")[0], 0)
        for n in range(1, 100):
            shutil.rmtree("sub", ignore_errors=True)
            os.mkdir("sub")
            status, _, err = run(*command, env={**os.environ, "LD_PRELOAD": fault, "ORRERY_FAULT": f"change:{n}:tear:sub"})
            if status == 0:
                break
            self.assertEqual(status, -9, err)
            if not os.path.exists("sub/grid.png"):
                self.assertEqual(run(*command)[0], 0)
                self.assertEqual(os.listdir("sub"), ["grid.png"])
            self.assertEqual(png_pixels("sub/grid.png"), png_pixels("whole.png"), n)
        self.assertGreater(n, 2)

    def test_bad_weights(self):
        whole = self.weights.read_bytes()
        wrong, _ = generator(latent=LATENT)
        discriminator = {"main.0.weight": ("F32", [2, 3, 4, 4], floats([0] * 96)),
                         "main.2.weight": ("F32", [4, 2, 4, 4], floats([0] * 128)),
                         "main.5.weight": ("F32", [1, 4, 4, 4], floats([0] * 64))}
        shape = dict(wrong, **{"main.1.bias": ("F32", [5], floats([0] * 5))})
        bias = dict(wrong, **{"main.0.bias": ("F32", [4], floats([0] * 4))})
        missing = {k: v for k, v in wrong.items() if k != "main.4.running_var"}
        for content, text in ((whole[:-1], "sound"), (whole[:100], "truncated"), (b"", "sound"), (b"\x89PNG" * 99, "sound"),
                              (safetensors(discriminator), "weights of a discriminator, not of a generator"),
                              (safetensors(shape), "main.1.bias has another shape"), (safetensors(bias), "shape has not: main.0.bias"),
                              (safetensors(missing), "main.4.running_var is missing")):
            self.weights.write_bytes(content)
            self.assertIn(text, self.ask("-o", self.path("g.png"), status=8)[1])
        self.weights.unlink()
        self.ask("-o", self.path("g.png"), status=7)
        self.assertFalse(os.path.exists(self.path("g.png")))

    def test_a_file_beyond_the_limit_is_an_error(self):
        done = run("generate", "--weights", str(self.weights), "-o", self.path("g.png"), restore_signals=True,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)))
        self.assertEqual(done[0], 7, done[2])
        self.assertIn("File too large", done[2])
        self.assertEqual(sorted(os.listdir(self.dir)), ["w.safetensors"])

    def test_bad_latents_and_mistakes(self):
        file = Path(self.path("z.npy"))
        for content in (b"", npy([[1.0] * 4]), npy([[1.0] * LATENT])[:-1], npy([[math.inf] * LATENT])):
            file.write_bytes(content)
            self.ask("--latents", str(file), "-o", self.path("g.png"), status=8)
        self.ask("--latents", str(file), "-n", "3", "-o", self.path("g.png"), status=2)
        self.ask("--latents", str(file), "--seed", "3", "-o", self.path("g.png"), status=2)
        self.ask("-n", "0", "-o", self.path("g.png"), status=2)
        self.ask(status=2)
        self.assertEqual(run("generate", "-o", self.path("g.png"))[0], 2)


class OnADevice(Folder):
    """--device, with the CUDA implementation on a make-believe device."""

    def setUp(self):
        super().setUp()
        self.weights = self.path("w.safetensors")
        Path(self.weights).write_bytes(safetensors(generator()[0]))
        os.mkdir(self.path("bin"))
        self.program = on_a_device(self.path("bin"))
        if not self.program:
            self.skipTest("no make-believe CUDA device in this build")

    def ask(self, shim, *arguments, status=0):
        """shim: devices, how many of them are too old, call that fails."""
        got, out, err = run(*arguments, "--weights", self.weights, program=self.program, env=dict(os.environ, ORRERY_SHIM=shim))
        self.assertEqual(got, status, err)
        return out, err

    def images(self, shim, name, *options, status=0):
        out, err = self.ask(shim, "generate", "-n", "70", "-o", self.path(name), *options, status=status)
        return [png_pixels(f"{self.path(name)}/{i:05}.png")[2] for i in range(70)] if status == 0 else None, err

    def assert_close(self, a, b):
        for one, other in zip(a, b, strict=True):
            for x, y in zip(b"".join(one), b"".join(other), strict=True):
                self.assertLessEqual(abs(x - y), 1)

    def test_the_device_makes_the_images(self):
        cpu, err = self.images("1 0 0", "cpu", "--device", "cpu")
        for number, device in enumerate(("auto", "cuda", "cuda:0")):
            found, err = self.images("1 0 0", f"gpu{number}", "--device", device, "-v")
            self.assertEqual(err.count("passes over"), 0)
            self.assert_close(found, cpu)
        # That it was the device: one that fails is noticed.
        _, err = self.images("1 0 29", "failing", "--device", "cuda", status=1)
        self.assertIn("Make-believe GPU 0 (cuda:0)", err)

    def test_auto_passes_over_devices_that_are_too_old(self):
        cpu, _ = self.images("2 1 0", "cpu", "--device", "cpu")
        found, err = self.images("2 1 0", "second", "-v")
        self.assertIn("--device auto passes over a device: Make-believe GPU 0 (cuda:0) has compute capability 7.5; 8.0 or", err)
        self.assert_close(found, cpu)
        _, err = self.images("2 1 0", "quiet")
        self.assertNotIn("passes over", err)
        found, err = self.images("2 2 0", "none", "-v")
        self.assertEqual(err.count("passes over a device"), 2)
        self.assertEqual(found, cpu)
        _, err = self.images("2 1 0", "old", "--device", "cuda:0", status=8)
        self.assertIn("compute capability 7.5", err)
        _, err = self.images("2 1 0", "missing", "--device", "cuda:2", status=8)
        self.assertIn("--device cuda:2: there is no CUDA device 2: this machine has 2; --device auto runs on what is there", err)

    def test_auto_goes_on_with_the_cpu(self):
        cpu, _ = self.images("1 0 0", "cpu", "--device", "cpu")
        warned = 0
        for call in (1, 8, 15, 22, 30):
            found, err = self.images(f"1 0 {call}", f"auto{call}")
            self.assertEqual(found, cpu, call)
            warned += "the device is not used any more, the CPU goes on" in err
        self.assertGreaterEqual(warned, 3)  # the first calls fail before there is a device

    def test_decoys(self):
        new = ("keyring", "new", "--no-passphrase", "--decoys", "70")
        out, err = self.ask("1 0 0", *new, "-o", self.path("a"), "--device", "cuda")
        self.assertIn("70 decoys", err)
        _, err = self.ask("1 0 30", *new, "-o", self.path("b"), "--device", "cuda", status=1)
        self.assertFalse(os.path.exists(self.path("b")))
        _, err = self.ask("1 0 30", *new, "-o", self.path("b"))
        self.assertIn("the CPU goes on", err)
        for name in "ab":
            self.assertIn("70 decoys", run("keyring", "list", "-k", self.path(name))[1])


class WithoutADevice(Folder):
    def test_the_reason_comes_before_anything_is_done(self):
        Path(self.path("w")).write_bytes(safetensors(generator()[0]))
        os.mkdir(self.path("bin"))
        alone = shutil.copy(ORRERY, self.path("bin"))  # no module beside it
        for command in (("generate", "-o", self.path("out")), ("keyring", "new", "-o", self.path("out"))):
            for dry in ((), ("--dry-run",)):
                status, out, err = run(*command, *dry, "--weights", self.path("w"), "--device", "cuda", program=alone)
                self.assertEqual((status, out), (8, ""), err)
                self.assertIn("--device cuda: the DCGAN on CUDA devices is not installed: install the Debian package orrery-cuda", err)
                self.assertIn(f"(liborrery_gan_cuda.so is neither in {Path(alone).resolve().parent} nor in ", err)
                self.assertIn("--device auto runs on what is there", err)
        self.assertFalse(os.path.exists(self.path("out")))
        shutil.copy(BUILD / "liborrery_gan_onednn.so", self.path("bin"))
        done = run("generate", "-n", "2", "-o", self.path("out"), "--weights", self.path("w"), program=alone)
        self.assertEqual(done[0], 0, done[2])
        for device in ("cuda:", "gpu", ""):
            self.assertEqual(run("generate", "-o", self.path("x"), "--weights", self.path("w"), "--device", device)[0], 2)


def scaled(tensors, name, factor):
    dtype, shape, raw = tensors[name]
    values = struct.unpack(f"<{len(raw) // 4}f", raw)
    return dict(tensors, **{name: (dtype, shape, floats([v * factor for v in values]))})


class Stopping(Folder):
    def test_a_signal_ends_with_75(self):
        weights = Path(self.path("w"))
        weights.write_bytes(safetensors(generator()[0]))
        for command in (["generate", "-n", "65536", "-o", self.path("out"), "--device", "cpu"],
                        ["keyring", "new", "--no-passphrase", "--decoys", "65536", "-o", self.path("keys"), "--save-decoys", self.path("saved")]):
            folder = Path(command[-1] if command[0] == "keyring" else self.path("out"))
            with subprocess.Popen([ORRERY, *command, "--weights", str(weights)], stderr=subprocess.PIPE) as process:
                while process.poll() is None and not (folder.is_dir() and any(folder.iterdir())):
                    time.sleep(0.01)
                process.send_signal(signal.SIGTERM)
                self.assertIn(b"stopped by a signal", process.stderr.read())
                self.assertEqual(process.wait(timeout=60), 75)
            self.assertIn("\n  75  stopped by a signal\n", run(*command[:2 if command[0] == "keyring" else 1], "--help")[1])
        self.assertFalse(Path(self.path("keys")).exists() or Path(self.path("saved")).exists())


class KeyringFromAGenerator(Folder):
    def setUp(self):
        super().setUp()
        self.weights = Path(self.path("w.safetensors"))
        self.weights.write_bytes(safetensors(generator()[0]))

    def new(self, name, *arguments, status=0):
        got, out, err = run("keyring", "new", "-o", self.path(name), "--no-passphrase", "--weights", str(self.weights),
                            *arguments)
        self.assertEqual(got, status, err)
        return out, err

    def test_pool_and_hash(self):
        self.assertIn("256 decoys", self.new("a")[1])
        self.new("b", "--decoys", "70", "--save-decoys", self.path("saved"))
        out = run("keyring", "list", "-k", self.path("b"), "--json")[1]
        summary = json.loads(out.splitlines()[-1])
        self.assertEqual(summary["decoys"], 70)
        self.assertEqual(summary["generator_sha256"], hashlib.sha256(self.weights.read_bytes()).hexdigest())
        self.assertEqual(sorted(os.listdir(self.path("saved"))), [f"{i:05}.png" for i in range(70)])
        images = {Path(self.path("saved"), name).read_bytes() for name in os.listdir(self.path("saved"))}
        self.assertGreater(len(images), 60)
        self.new("c", "--decoys", "70", "--save-decoys", self.path("again"))
        again = {Path(self.path("again"), name).read_bytes() for name in os.listdir(self.path("again"))}
        self.assertLess(len(images & again), 10)  # fresh latents each time

    def test_no_decoys_without_their_keyring(self):
        saved = Path(self.path("saved"))
        for there in (False, True):  # a folder that was there stays
            if there:
                saved.mkdir()
            err = self.new("no/such/k", "--decoys", "70", "--save-decoys", str(saved), status=7)[1]
            self.assertIn("cannot open its directory", err)
            self.assertEqual(list(saved.iterdir()) if there else saved.exists(), [] if there else False)

    def test_the_keyring_encrypts(self):
        self.new("k", "--decoys", "3")
        source = Path(self.path("scan"))
        source.write_bytes(b"data" * 5000)
        self.assertEqual(run("encrypt", "-k", self.path("k"), str(source), "-o", self.path("s.orr.tif"))[0], 0)
        self.assertEqual(run("decrypt", "-k", self.path("k"), self.path("s.orr.tif"), "-o", self.path("back"))[0], 0)
        self.assertEqual(Path(self.path("back/scan")).read_bytes(), source.read_bytes())

    def test_a_collapsed_generator(self):
        tensors = generator()[0]
        last = f"main.{3 * len(LAYERS) - 3}.weight"
        # Nearly one picture, though its channel sums differ from image to image; in pools of any size.
        self.weights.write_bytes(safetensors(scaled(tensors, last, 0.02)))
        for decoys in ("256", "100", "2", "1"):
            err = self.new("k", "--decoys", decoys, "--save-decoys", self.path("none"), status=8)[1]
            self.assertRegex(err, "hardly differ: by [01][.][0-9]+ grey levels in the mean of 64 images, and less than 2 is refused")
            self.assertFalse(os.path.exists(self.path("none")) or os.path.exists(self.path("k")))
            self.assertEqual(run("generate", "--weights", str(self.weights), "-n", "64", "-o", self.path("g" + decoys))[0], 0)
        images = {Path(self.path("g256"), name).read_bytes() for name in os.listdir(self.path("g256"))}
        self.assertGreater(len(images), 32)
        # Two pictures, as different as can be.
        two = generator(latent=1, layers=[(1, *LAYERS[0][1:]), *LAYERS[1:]])[0]
        for name in (last, "main.0.weight"):
            two = scaled(two, name, 1e9)
        self.weights.write_bytes(safetensors(two))
        self.assertIn("too few different images: 2 among 256", self.new("k", status=8)[1])
        # What a run has trained for a while, if not well, is taken.
        self.weights.write_bytes(safetensors(scaled(tensors, last, 0.3)))
        self.new("k", "--decoys", "1")

    def test_the_shipped_generator(self):
        self.weights = SOURCE / "models" / "skin64" / "generator.safetensors"
        self.assertIn("70 decoys", self.new("k", "--decoys", "70")[1])

    def test_refusals(self):
        self.new("k", "--decoys", "0", status=2)
        self.new("k", "--decoys", "70000", status=2)
        self.new("k", "--decoy", self.path("x.png"), status=2)
        self.new("k", "stray", status=2)
        status, _, err = run("keyring", "new", "-o", self.path("k"), "--device", "cpu", "--decoy", "x")
        self.assertEqual((status, "--device needs --weights" in err), (2, True), err)
        self.assertEqual(run("keyring", "new", "-o", self.path("k"), "--decoys", "3", "--decoy", "x")[0], 2)
        os.mkdir(self.path("full"))
        Path(self.path("full/x")).write_bytes(b"")
        self.assertIn("not empty", self.new("k", "--save-decoys", self.path("full"), status=6)[1])
        self.assertIn("would make", self.new("k", "--dry-run", "--save-decoys", self.path("d"))[1])
        self.assertFalse(os.path.exists(self.path("k")) or os.path.exists(self.path("d")))
        self.weights.write_bytes(safetensors(generator(constant=True)[0]))
        self.assertIn("hardly differ: by 0.00 grey levels", self.new("k", status=8)[1])
        self.weights.write_bytes(b"no weights")
        self.new("k", status=8)
        self.weights.unlink()
        self.new("k", status=7)
        self.assertFalse(os.path.exists(self.path("k")))


if __name__ == "__main__":
    unittest.main()
