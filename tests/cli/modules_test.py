"""What the program links and what it loads: nothing but what encrypting needs is linked, and a module that is missing, of
another build, or without its own libraries is one sentence that says what to install."""
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from support.cli import BUILD, ORRERY, Case, has_module, png, run
from support.generators import generator, safetensors

LINKED = {"libc", "libcjson", "libcrypto", "libjpeg", "libm", "libpng16", "libtiff", "libxxhash"}
# Each module: what the person is told it is, its package, and commands that fail without it.
MODULES = {
    "gan_onednn": ("the DCGAN on the CPU", "orrery", [["train", "--data", "data", "-o", "out"], ["generate", "--weights", "w", "-o", "out"],
                                                      ["generate", "--weights", "w", "-o", "out", "--dry-run"],
                                                      ["keyring", "new", "--weights", "w", "-o", "out", "--no-passphrase"],
                                                      ["bench", "gan", "--device", "cpu", "--json", "out"]]),
    "cuda": ("the CUDA backend", "orrery-cuda", [["encrypt", "-k", "keys", "data", "-o", "out", "--device", "cuda"]]),
    "evidence": ("the evidence suite", "orrery", [["analyze", "-o", "out"], ["analyze", "--bits", "w", "-o", "out"]]),
    "gan_cuda": ("the DCGAN on CUDA devices", "orrery-cuda", [["generate", "--weights", "w", "-o", "out", "--device", "cuda"]]),
}


def needed(path):
    """The libraries that the dynamic loader brings with a file, without versions."""
    said = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True, env=dict(os.environ, LC_ALL="C")).stdout
    return {name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[(.*)\]", said)}


class Linked(unittest.TestCase):
    def test_the_program_links_what_encrypting_needs(self):
        libraries = needed(ORRERY)
        if "libasan" in libraries:
            self.skipTest("sanitizers bring libraries of their own")
        optional = {"libisal", "liburing"}  # where repair data is built; where io_uring is
        self.assertEqual((libraries | {"libm"}) - optional, LINKED)

    def test_a_module_shows_one_function(self):
        modules = sorted(BUILD.glob("liborrery_*.so"))
        for module in modules:
            said = subprocess.run(["nm", "-D", "--defined-only", module], capture_output=True, text=True, check=True).stdout
            names = [line.split()[2] for line in said.splitlines() if line.split()[1] in "TtDdBbRrVvWwi"]
            self.assertEqual(len(names), 1, (module, names))


class Missing(Case):
    def setUp(self):
        super().setUp()
        self.keyring()
        Path("data").mkdir()
        for n in range(3):
            png(Path(f"data/{n}.png"), 9 * n)
        Path("w").write_bytes(safetensors(generator()[0]))
        Path("alone").mkdir()
        self.program = shutil.copy(ORRERY, "alone")
        self.place = Path("alone").resolve()

    def fails(self, name, *said):
        for command in MODULES[name][2]:
            status, out, err = run(*command, program=self.program)
            self.assertEqual((status, out), (8, ""), (command, err))
            self.assertEqual(err.count("\n"), 1, err)
            for text in said:
                self.assertIn(text, err)
            self.assertFalse(Path("out").exists(), command)

    def test_a_missing_module_is_one_sentence(self):
        for name, (what, package, _) in MODULES.items():
            self.fails(name, f"{what} is not installed: install the Debian package {package}, or build with ",
                       f"(liborrery_{name}.so is neither in {self.place} nor in {self.place.parent}/lib")

    def test_an_archive_needs_no_module(self):
        for command in (["encrypt", "data", "-o", "v"], ["verify", "v"], ["decrypt", "v", "-o", "back"], ["reencrypt", "v", "-o", "v2"]):
            status, _, err = run(command[0], "-k", "keys", *command[1:], program=self.program)
            self.assertEqual(status, 0, err)
        self.assertEqual(Path("back/data/1.png").read_bytes(), Path("data/1.png").read_bytes())
        self.assertEqual(run("devices", program=self.program)[0], 0)

    def test_nothing_but_the_programs_own_places_is_looked_at(self):
        """Neither the working directory nor the environment says where a module is."""
        for name in MODULES:
            if has_module(name):
                shutil.copy(BUILD / f"liborrery_{name}.so", ".")
        here = dict(os.environ, LD_LIBRARY_PATH=str(self.dir), PATH=f"{self.dir}:{os.environ['PATH']}")
        for name, (what, *_) in MODULES.items():
            for command in MODULES[name][2]:
                status, _, err = run(*command, program=self.program, env=here)
                self.assertEqual(status, 8, err)
                self.assertIn(f"{what} is not installed", err)

    def test_an_installed_program_finds_its_modules(self):
        if not has_module("gan_onednn"):
            self.skipTest("built without the DCGAN on CPUs (oneDNN)")
        err = run("generate", "--weights", "w", "-o", "out", program=self.program)[2]
        place = Path(re.search(r" nor in (/.*?)\)", err)[1])
        self.assertEqual((place.name, place.parents[len(place.relative_to(self.dir).parts) - 1]), ("orrery", self.dir.resolve()))
        place.mkdir(parents=True)
        shutil.copy(BUILD / "liborrery_gan_onednn.so", place)
        Path("links").mkdir()
        Path("links/orrery").symlink_to(Path(self.program).resolve())
        for n, program in enumerate((self.program, "links/orrery")):
            status, _, err = run("generate", "--weights", "w", "-n", "1", "-o", f"out{n}", program=program)
            self.assertEqual(status, 0, err)

    def test_modules_of_another_build_and_foreign_files(self):
        for name in MODULES:
            path = self.place / f"liborrery_{name}.so"
            for file, said in (("libwrong_abi.so", f"{path} has ABI number 12345, this program needs "),
                               ("libno_entry.so", f"{path} is not {MODULES[name][0]} (no "),
                               ("liblacking.so", f"{path} cannot be loaded: libnowhere.so.7: cannot open shared object file")):
                shutil.copy(BUILD / file, path)
                self.fails(name, said)
            path.write_text("no library")
            self.fails(name, f"{path} cannot be loaded: {path}: file too short")
            path.unlink()


if __name__ == "__main__":
    unittest.main()
