"""orrery devices and --device of the cipher's commands, on make-believe CUDA devices (tests/support/modules/cuda_on_cpu.cc)."""
import os
import unittest
from pathlib import Path

from support.cli import Case, on_a_device, run

OLD = "not usable: Make-believe GPU 0 (device 0) has compute capability 7.5; 8.0 or later is needed"
WRONG = "failed the check of its own work on the device: do not trust this device"


class Devices(Case):
    def setUp(self):
        super().setUp()
        Path("bin").mkdir()
        self.program = on_a_device("bin", "liborrery_cuda.so")
        if not self.program:
            self.skipTest("no make-believe CUDA device in this build")

    def on(self, shim, *arguments, status=0, **environment):
        """`shim`: devices, how many of them are too old, the call that fails, a flipped bit."""
        got, out, err = run(*arguments, program=self.program, env=dict(os.environ, ORRERY_CUDA_SHIM=shim, **environment))
        self.assertEqual(got, status, err)
        return out, err

    def test_all_work(self):
        out, err = self.on("2 0 0 0", "devices")
        self.assertEqual(err, "")
        self.assertRegex(out, r"\Acpu     cpu .*, [0-9]+ threads; self-test ok\n"
                              r"cuda:0  Make-believe GPU 0; self-test ok\ncuda:1  Make-believe GPU 1; self-test ok\n\Z")
        cpu, gpu = [m for m in self.messages(self.on("1 0 0 0", "devices", "--json")[0], 0) if m["message_type"] == "device"]
        self.assertEqual(set(cpu) - {"message_type"}, {"device", "name", "simd", "threads", "usable", "self_test_passed"})
        self.assertEqual(gpu, {"message_type": "device", "device": "cuda:0", "name": "Make-believe GPU 0", "usable": True, "self_test_passed": True})

    def test_too_old_is_no_failure(self):
        out, err = self.on("2 1 0 0", "devices")
        self.assertEqual(err, "")
        self.assertIn(f"cuda:0  Make-believe GPU 0; {OLD}\ncuda:1  Make-believe GPU 1; self-test ok\n", out)
        gpu = self.messages(self.on("1 1 0 0", "devices", "--json")[0], 0)[1]
        self.assertEqual((gpu["usable"], "self_test_passed" in gpu, gpu["reason"]), (False, False, OLD.split(": ", 1)[1]))

    def test_a_failed_self_test_ends_with_13(self):
        out, err = self.on("1 0 0 1", "devices", status=13)
        self.assertIn("cuda:0  Make-believe GPU 0; self-test FAILED: ", out)
        self.assertIn(WRONG, out)
        self.assertIn("a device failed: see the list", err)
        gpu = self.messages(self.on("1 0 0 1", "devices", "--json", status=13)[0], 13)[1]
        self.assertEqual((gpu["usable"], gpu["self_test_passed"]), (False, False))
        self.keyring()
        Path("in").mkdir()
        Path("in/a").write_bytes(b"a" * 100000)
        for verb in ("encrypt", "decrypt"):
            _, err = self.on("1 0 0 1", verb, "-k", "keys", "in", "-o", "out", "--device", "cuda", status=13)
            self.assertIn(WRONG, err)
            self.assertFalse(Path("out").exists())  # nothing was processed
        _, err = self.on("1 0 0 1", "encrypt", "-k", "keys", "in", "-o", "out")
        self.assertIn(WRONG + "; the device is not used any more, the CPU goes on", err)
        self.on("1 0 0 0", "verify", "-k", "keys", "out", "--device", "cuda")

    def test_a_device_that_does_not_answer_is_listed(self):
        seen = set()
        for call in range(2, 9):  # the first one counts the devices
            got, out, err = run("devices", program=self.program, env=dict(os.environ, ORRERY_CUDA_SHIM=f"1 0 {call} 0"))
            self.assertIn("\ncuda:0  ", out, call)
            self.assertIn(got, (0, 13))
            self.assertEqual(got == 13, "FAILED" in out, out)
            self.assertEqual(got == 13, "see the list" in err, err)
            seen.add(out.split("cuda:0  ")[1].split(": ")[0])
        self.assertIn("Make-believe GPU 0; FAILED", seen)

    def test_memory_on_the_device(self):
        self.keyring()
        Path("scan").write_bytes(bytes(range(256)) * 400)

        def peak(name, *options):
            self.on("1 0 0 0", "encrypt", "-k", "keys", "scan", "-o", name, "--device", "cuda", *options, ORRERY_CUDA_PEAK="peak")
            return int(Path("peak").read_text())
        self.assertGreater(peak("a"), 100 << 20)
        self.assertLess(peak("b", "--mem", "64M"), 64 << 20)
        self.assertLess(peak("c", "--mem", "100M"), 100 << 20)


if __name__ == "__main__":
    unittest.main()
