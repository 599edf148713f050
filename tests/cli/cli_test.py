"""The command line, from outside: help texts, mistakes, and the commands on single files.

Help is compared with tests/cli/help/*.txt; `tests/cli/cli_test.py --update` writes those anew.
"""
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support.cli import ORRERY, SOURCE, Case, png, run

GOLDEN = SOURCE / "tests" / "cli" / "help"
UPDATE = "--update" in sys.argv

COMMANDS = [name.replace("keyring_", "keyring ").replace("_", "-")
            for name in re.findall(r"^    X\((\w+)\)", (SOURCE / "cli" / "commands.c").read_text(), re.M)]


class Help(Case):
    def check(self, name, *arguments):
        status, out, err = run(*arguments)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line for line in out.splitlines() if len(line) > 80], [])
        golden = GOLDEN / (name + ".txt")
        if UPDATE:
            golden.write_text(out)
        self.assertEqual(out, golden.read_text(), f"{golden}: run tests/cli/cli_test.py --update if this is meant")

    def test_help_texts(self):
        self.check("help", "--help")
        self.check("help", "-h")
        self.check("help-keyring", "keyring", "--help")
        for command in COMMANDS:
            with self.subTest(command=command):
                self.check("help-" + command.replace(" ", "-"), *command.split(), "--help")
                self.check("help-" + command.replace(" ", "-"), *command.split(), "-h")

    def test_help_names_what_matters(self):
        for command in COMMANDS:
            out = run(*command.split(), "--help")[1]
            for part in ["usage: orrery " + command, "Options:", "Example:\n  orrery " + command, "Exit status:\n  0 "]:
                self.assertIn(part, out)
        everything = "".join(run(*command.split(), "--help")[1] for command in COMMANDS) + run("--help")[1]
        for later in ["--passphrase "]:
            self.assertNotIn(later, everything)

    def test_version(self):
        status, out, err = run("version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\Aorrery \d+\.\d+\.\d+\ncommit ([0-9a-f]{12}(-dirty)?|unknown)\n((present|missing|refused)  .*\n)+\Z")
        self.assertEqual(run("--version"), (status, out, err))
        found = json.loads(run("version", "--json")[1].splitlines()[0])
        self.assertEqual([out.splitlines()[0], out.splitlines()[1]], [f"orrery {found['version']}", f"commit {found['commit']}"])
        for module, line in zip(found["modules"], out.splitlines()[2:], strict=True):
            self.assertEqual(line, f"{module['state']}  {module.get('reason', module['what'])}")

    def test_help_command(self):
        for words in ([], ["keyring"], *(command.split() for command in COMMANDS)):
            self.assertEqual(run("help", *words), run(*words, "--help"))

    def test_help_to_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ORRERY, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 7)


# (arguments, what stderr must say, which help it points to)
MISTAKES = [
    ([], "a command is needed", ""),
    (["frobnicate"], 'unknown command "frobnicate"', ""),
    (["generate"], "generate needs --weights FILE", "generate "),
    (["generate", "--weights", "w"], "generate needs -o OUT", "generate "),
    (["generate", "--weights", "w", "-n", "65537"], "--count takes a whole number from 1 to 65536", "generate "),
    (["generate", "--weights", "w", "-o", "o", "--latents", "z", "-n", "3"], "--latents says how many images", "generate "),
    (["generate", "--weights", "w", "-o", "o", "--latents", "z", "--seed", "3"], "exclude each other", "generate "),
    (["analyze"], "analyze needs -o REPORTDIR", "analyze "),
    (["bench", "gpu"], 'SUITE takes cipher, pipeline, disk, gan or all, not "gpu"', "bench "),
    (["bench", "cipher", "pipeline"], 'bench does not take "pipeline"', "bench "),
    (["keyring"], "keyring needs one of new, add, list, set-state, passwd", "keyring "),
    (["keyring", "burn"], 'unknown command "keyring burn"', "keyring "),
    (["keyring new"], 'unknown command "keyring new"', ""),
    (["--frob"], 'unknown option "--frob" before the command', ""),
    (["encrypt", "--frob"], 'unknown option "--frob"', "encrypt "),
    (["encrypt", "-Z"], 'unknown option "-Z"', "encrypt "),
    (["encrypt", "--profle", "paper"], 'unknown option "--profle"; did you mean --profile?', "encrypt "),
    (["encrypt", "--sha265"], 'unknown option "--sha265"; did you mean --sha256?', "encrypt "),
    (["verify", "--salvge"], 'unknown option "--salvge"', "verify "),
    (["encyrpt"], 'unknown command "encyrpt"; did you mean encrypt?', ""),
    (["keyring", "ad"], 'unknown command "keyring ad"; did you mean keyring add?', "keyring "),
    (["keyrin"], 'unknown command "keyrin"; did you mean keyring?', ""),
    (["help", "encyrpt"], 'unknown command "encyrpt"; did you mean encrypt?', "help "),
    (["help", "keyring", "ad"], 'did you mean keyring add?', "help "),
    (["help", "encrypt", "x"], 'encrypt has no command "x"', "help "),
    (["help", "--completion", "csh"], "--completion takes bash, zsh or fish", "help "),
    (["help", "--share", "d", "encrypt"], "it takes no COMMAND", "help "),
    (["version", "x"], 'version does not take "x"', "version "),
    (["e"], 'unknown command "e"', ""),
    (["x" * 300], f'unknown command "{"x" * 300}"', ""),
    (["encrypt", "--frob=3"], 'unknown option "--frob"', "encrypt "),
    (["encrypt", "--keyr", "x"], 'unknown option "--keyr"; it is spelled --keyring', "encrypt "),
    (["encrypt", "--keyr=x"], "it is spelled --keyring", "encrypt "),
    (["encrypt", "--pass=x"], 'unknown option "--pass"', "encrypt "),
    (["encrypt", "--keyring"], "--keyring needs an argument", "encrypt "),
    (["encrypt", "-k"], "-k needs an argument", "encrypt "),
    (["encrypt", "-k", ""], "--keyring must not be empty", "encrypt "),
    (["encrypt", "a"], "encrypt needs -o OUT", "encrypt "),
    (["encrypt", "-k", "k", "a"], "encrypt needs -o OUT", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o"], "encrypt needs files or directories", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o", ""], "a name is empty", "encrypt "),
    (["encrypt", "-k", "k", "-k", "l", "-o", "o", "a"], "--keyring is given twice", "encrypt "),
    (["encrypt", "--subset", "1/2"], "encrypt does not take --subset", "encrypt "),
    (["encrypt", "--salvage"], "encrypt does not take --salvage", "encrypt "),
    (["encrypt", "--passphrase", "x"], 'unknown option "--passphrase"', "encrypt "),
    (["verify", "-k", "k", "-o", "out", "a"], "verify does not take -o", "verify "),
    (["verify", "--output=out"], "verify does not take --output", "verify "),
    (["rewrap", "--device", "cpu"], "rewrap does not take --device", "rewrap "),
    (["inspect"], "inspect needs encrypted files", "inspect "),
    (["inspect", "-k", "k", "a"], "inspect does not take -k", "inspect "),
    (["train", "-o", "r"], "train needs --data DIR...", "train "),
    (["train", "--data", "d"], "train needs -o RUNDIR", "train "),
    (["train", "-o", "r", "d"], 'train does not take "d"; folders follow --data', "train "),
    (["train", "--image", "48"], "--image takes 32, 64 or 128", "train "),
    (["train", "--channels", "4"], "--channels takes 1 or 3", "train "),
    (["train", "--batch", "0"], "--batch takes a whole number from 1 to 4096", "train "),
    (["train", "--width", "257"], "--width takes a whole number from 1 to 256", "train "),
    (["train", "--epochs", "x"], "--epochs takes a whole number", "train "),
    (["train", "--learning-rate", "0"], "--learning-rate takes a number above 0", "train "),
    (["train", "--window", "9:9"], "--window takes two whole numbers", "train "),
    (["train", "--window", "1:2x"], "--window takes two whole numbers", "train "),
    (["train", "--precision", "fp8"], "--precision takes float32, tf32 or bf16", "train "),
    (["train", "--seed", "-1"], "--seed takes a whole number", "train "),
    (["encrypt", "--epochs", "3"], "encrypt does not take --epochs", "encrypt "),
    (["devices", "x"], 'devices does not take "x"', "devices "),
    (["keystream", "--json"], "keystream does not take --json", "keystream "),
    (["keystream", "x"], 'keystream does not take "x"', "keystream "),
    (["keystream", "--seed", "abc"], "--seed takes 1 to 64 bytes in hexadecimal", "keystream "),
    (["keystream", "--seed", "zz"], "--seed takes 1 to 64 bytes in hexadecimal", "keystream "),
    (["keystream", "--seed", "00" * 65], "--seed takes 1 to 64 bytes in hexadecimal", "keystream "),
    (["keystream", "--bytes", "-1"], "--bytes takes a size", "keystream "),
    (["keystream", "--bytes", "1X"], "--bytes takes a size", "keystream "),
    (["keystream", "--bytes", "99999999999T"], "--bytes takes a size", "keystream "),
    (["encrypt", "--profile", "x"], "--profile takes archive or paper", "encrypt "),
    (["encrypt", "--rule", "0"], "--rule takes a whole number from 1 to 40320", "encrypt "),
    (["encrypt", "--rule", "40321"], "--rule takes a whole number from 1 to 40320", "encrypt "),
    (["encrypt", "--rule", "1e3"], "--rule takes a whole number", "encrypt "),
    (["encrypt", "--mu", "nan"], "--mu takes a decimal number", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o", "--mu", "0.05", "a"], "--mu needs --profile paper", "encrypt "),
    (["encrypt", "--jobs", "0"], "--jobs takes a whole number from 1 to 1024", "encrypt "),
    (["encrypt", "-j", "1025"], "--jobs takes a whole number from 1 to 1024", "encrypt "),
    (["encrypt", "-j", " 2"], "--jobs takes a whole number", "encrypt "),
    (["encrypt", "--mem", "63M"], "--mem must be at least 64M", "encrypt "),
    (["encrypt", "--mem", "lots"], "--mem takes a size", "encrypt "),
    (["encrypt", "--device", "tpu"], "--device takes auto, cpu, cuda or cuda:N", "encrypt "),
    (["encrypt", "--device", "cuda:x"], "--device takes auto, cpu, cuda or cuda:N", "encrypt "),
    (["encrypt", "--names", "short"], "--names takes keep or opaque", "encrypt "),
    (["encrypt", "--check", "gpu"], "--check takes cpu", "encrypt "),
    (["encrypt", "--shard", "0/4"], "--shard takes two numbers", "encrypt "),
    (["encrypt", "--shard", "5/4"], "--shard takes two numbers", "encrypt "),
    (["encrypt", "--shard", "1/4x"], "--shard takes two numbers", "encrypt "),
    (["verify", "--subset", "0%"], "--subset takes a part", "verify "),
    (["verify", "--subset", "101%"], "--subset takes a part", "verify "),
    (["verify", "--subset", "3"], "--subset takes a part", "verify "),
    (["verify", "--subset", "8/7"], "--subset takes a part", "verify "),
    (["rewrap", "--to", ""], "--to must not be empty", "rewrap "),
    (["encrypt", "-k", "k", "-o", "o", "-q", "-v", "a"], "--quiet and --verbose exclude each other", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o", "--files-from", "a", "--files-from0", "b"], "exclude each other", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o", "--passphrase-fd", "3", "--passphrase-file", "p", "a"],
     "--passphrase-file and --passphrase-fd exclude each other", "encrypt "),
    (["encrypt", "-k", "k", "-o", "o", "--passphrase-fd", "0", "--files-from", "-"],
     "standard input cannot be both", "encrypt "),
    (["encrypt", "--passphrase-fd", "x"], "--passphrase-fd takes a whole number", "encrypt "),
    (["keyring", "new", "-o", "k"], "keyring new needs --weights FILE, or --decoy IMAGE...", "keyring new "),
    (["keyring", "new", "-o", "k", "a.png"], 'keyring new does not take "a.png"', "keyring new "),
    (["keyring", "new", "--decoy", "a.png"], "keyring new needs -o KEYRING", "keyring new "),
    (["keyring", "new", "-o", "k", "--weights", "w", "--decoy", "a.png"], "--weights and --decoy exclude", "keyring new "),
    (["keyring", "new", "-o", "k", "--decoys", "3", "--decoy", "a.png"], "--decoys needs --weights", "keyring new "),
    (["keyring", "new", "-o", "k", "--save-decoys", "d", "--decoy", "a.png"], "--save-decoys needs --weights",
     "keyring new "),
    (["keyring", "new", "--decoys", "0"], "--decoys takes a whole number from 1 to 65536", "keyring new "),
    (["keyring", "new", "--label", "x" * 64], "--label takes 1 to 63 bytes", "keyring new "),
    (["keyring", "new", "-o", "k", "--no-passphrase", "--passphrase-file", "p", "--decoy", "a"],
     "--no-passphrase excludes", "keyring new "),
    (["keyring", "list"], "keyring list needs -k KEYRING", "keyring list "),
    (["keyring", "list", "-k", "k", "extra"], 'keyring list does not take "extra"', "keyring list "),
    (["keyring", "set-state", "-k", "k", "abcd"], "keyring set-state needs KEY and STATE", "keyring set-state "),
    (["keyring", "set-state", "-k", "k", "abcd", "asleep"], "STATE takes active, decrypt-only or destroyed",
     "keyring set-state "),
    (["keyring", "set-state", "-k", "k", "--yes", "abcd", "active"], "--yes only goes with", "keyring set-state "),
    (["keyring", "set-state", "-k", "k", "--vault", "v", "abcd", "active"], "--vault only goes with", "keyring set-state "),
    (["keyring", "set-state", "-k", "k", "--ignore-unread", "abcd", "destroyed"], "--ignore-unread needs --vault", "keyring set-state "),
    (["keyring", "list", "-k", "k", "--recovery-code-file", "c", "--passphrase-fd", "3"], "exclude each other", "keyring list "),
    (["keyring", "list", "-k", "k", "--recovery-code-file", "-"], "--recovery-code-fd 0 reads standard input", "keyring list "),
    (["encrypt", "-k", "k", "-o", "o", "--recovery-code-fd", "0", "--files-from", "-"],
     "standard input cannot be both the list of files and the recovery code", "encrypt "),
    (["keyring", "new", "-o", "k", "--no-recovery-code", "--save-recovery-code", "c", "--decoy", "a"], "exclude each other",
     "keyring new "),
    (["keyring", "new", "-o", "k", "--no-passphrase", "--save-recovery-code", "c", "--decoy", "a"], "exclude each other",
     "keyring new "),
    (["keyring", "unlock", "-k", "k"], "keyring unlock needs add, remove or list", "keyring unlock "),
    (["keyring", "unlock", "-k", "k", "burn"], "ACTION takes add, remove or list", "keyring unlock "),
    (["keyring", "unlock", "remove", "-k", "k"], "keyring unlock remove needs UNLOCK", "keyring unlock "),
    (["keyring", "unlock", "list", "-k", "k", "x"], "keyring unlock list takes no UNLOCK", "keyring unlock "),
    (["keyring", "unlock", "list", "-k", "k", "--yes"], "--yes has no use with keyring unlock list", "keyring unlock "),
    (["keyring", "unlock", "remove", "-k", "k", "x", "--label", "y"], "--label has no use with", "keyring unlock "),
    (["keyring", "unlock", "add", "-k", "k", "--save-recovery-code", "c"], "needs --new-recovery-code", "keyring unlock "),
    (["keyring", "unlock", "add", "-k", "k", "--new-recovery-code", "--json"], "--save-recovery-code FILE", "keyring unlock "),
    (["keyring", "unlock", "add", "-k", "k", "--new-recovery-code", "--new-passphrase-fd", "3"], "exclude each other",
     "keyring unlock "),
    (["keyring", "unlock", "add", "-k", "k", "--label", "x" * 64], "--label takes 1 to 63 bytes", "keyring unlock "),
    (["keyring", "merge", "-k", "k"], "keyring merge needs OTHER", "keyring merge "),
    (["keyring", "passwd", "-k", "k", "--no-passphrase", "--same-key"], "exclude each other", "keyring passwd "),
    (["keyring", "passwd", "-k", "k", "--no-passphrase", "--new-passphrase-fd", "3"], "exclude each other",
     "keyring passwd "),
    (["keyring", "passwd", "-k", "k", "--passphrase-fd", "3", "--new-passphrase-fd", "3"], "must differ",
     "keyring passwd "),
]


class Mistakes(Case):
    def test_each_is_one_line_a_pointer_and_status_2(self):
        for arguments, said, pointer in MISTAKES:
            if "--json" in arguments:
                continue  # the next test
            with self.subTest(arguments=arguments):
                status, out, err = run(*arguments)
                self.assertEqual((status, out), (2, ""), err)
                lines = err.splitlines()
                self.assertEqual(len(lines), 2, err)
                self.assertTrue(lines[0].startswith("orrery: "), err)
                self.assertIn(said, lines[0])
                self.assertFalse(lines[0].endswith("."), err)
                self.assertEqual(lines[1], f"try `orrery {pointer}--help`")

    def test_with_json_they_are_json(self):
        for arguments, said, _ in MISTAKES:
            if arguments in ([], ["keyring"]) or arguments[-1] in ("--keyring", "-k") or \
                    (arguments[0] in ("keystream", "bench", "help") and "--json" not in arguments):
                continue  # --json would become the missing word, or the mistake; that of bench names a file
            with self.subTest(arguments=arguments):
                status, out, err = run(*arguments, *[] if "--json" in arguments else ["--json"])
                self.assertEqual((status, err), (2, ""))
                error, summary = self.messages(out, 2)
                self.assertEqual((error["message_type"], error["status"], error["exit_status"]), ("error", "usage", 2))
                self.assertIn(said, error["text"])
                self.assertEqual(summary["status"], "usage")

    def test_help_wins(self):
        self.assertEqual(run("encrypt", "a", "--help")[0], 0)
        self.assertEqual(run("encrypt", "-h", "--frob")[0], 0)

    def test_no_option_after_two_dashes(self):
        self.keyring()
        Path("--help").write_bytes(b"x")
        status, _, err = run("encrypt", "-k", "keys", "-o", "out", "--", "--help")
        self.assertEqual(status, 0, err)
        self.assertTrue(Path("out/--help.orr.tif").exists())

    def test_control_characters_do_not_reach_the_terminal(self):
        err = run("\x1b[31mred\u202e\xff\n".encode("utf-8") + b"\xff")[2]
        self.assertEqual(err.splitlines()[0],
                         'orrery: unknown command "\\x1B[31mred\\xE2\\x80\\xAE\xff\\x0A\\xFF"')


class Keyring(Case):
    def test_life(self):
        first = self.keyring("keys", "--label", "föhn")
        self.assertEqual(os.stat("keys").st_mode & 0o777, 0o600)
        status, out, _ = run("keyring", "list", "-k", "keys")
        self.assertEqual(status, 0)
        self.assertRegex(out, rf"\A{first}  active +\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  föhn\nopens without a passphrase\n1 decoy, from images\n\Z")
        status, out, err = run("keyring", "add", "-k", "keys", "--label", "2027")
        self.assertEqual(status, 0, err)
        second = out.strip()
        self.assertIn(f"set-state -k keys {second[:8]} active", err)
        shutil.copy("keys", "two words")  # no word for a shell as it stands
        self.assertIn("set-state -k KEYRING ", run("keyring", "add", "-k", "two words")[2])
        self.assertEqual(run("keyring", "set-state", "-k", "keys", second[:8], "active")[0], 0)
        messages = self.messages(run("keyring", "list", "-k", "keys", "--json")[1], 0)
        self.assertEqual([(m["key_id"], m["state"], m["label"]) for m in messages[:-1]],
                         [(first, "decrypt-only", "föhn"), (second, "active", "2027")])
        self.assertEqual((messages[-1]["keys"], messages[-1]["decoys"], messages[-1]["has_passphrase"]), (2, 1, False))
        # destroying: asked for on a terminal, --yes elsewhere
        status, _, err = run("keyring", "set-state", "-k", "keys", first, "destroyed")
        self.assertEqual(status, 2)
        self.assertIn("--yes", err)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", "--yes", first, "destroyed")[0], 0)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", first, "active")[0], 5)
        # Four digits that neither ID, both random, begins with.
        none = next(n for n in ("0000", "1111", "2222") if not first.startswith(n) and not second.startswith(n))
        self.assertEqual(run("keyring", "set-state", "-k", "keys", none, "active")[0], 5)

    def test_new_says_what_a_loss_means_and_never_overwrites(self):
        png(Path("d.png"), 1)
        status, out, err = run("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", "d.png", "d.png")
        self.assertEqual(status, 0)
        self.assertIn("losing it loses everything", err)
        self.assertIn("2 decoys", err)
        before = Path("keys").read_bytes()
        status, _, err = run("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", "d.png")
        self.assertEqual(status, 6)
        self.assertIn("never overwritten", err)
        self.assertEqual(Path("keys").read_bytes(), before)
        self.assertEqual(run("keyring", "new", "-o", "q", "-q", "--no-passphrase", "--decoy", "d.png")[2], "")

    def test_decoys_must_be_images(self):
        Path("text.png").write_text("not a picture")
        for name in ("text.png", "missing.png"):
            status, _, err = run("keyring", "new", "-o", "keys", "--no-passphrase", "--decoy", name)
            self.assertIn(status, (7, 8))
            self.assertIn(name, err)
            self.assertFalse(Path("keys").exists())

    def test_dry_runs_write_nothing(self):
        png(Path("d.png"), 1)
        self.assertEqual(run("keyring", "new", "-o", "no", "--dry-run", "--decoy", "d.png")[0], 0)
        self.assertFalse(Path("no").exists())
        key = self.keyring()
        before = Path("keys").read_bytes()
        for command in (["add"], ["passwd", "--no-passphrase"]):
            self.assertEqual(run("keyring", command[0], "-k", "keys", "--dry-run", *command[1:])[0], 0)
        self.assertEqual(run("keyring", "set-state", "-k", "keys", "--dry-run", key, "decrypt-only")[0], 0)
        self.assertEqual(Path("keys").read_bytes(), before)

    def test_passphrases(self):
        png(Path("d.png"), 1)
        for name, text in (("pw", "correct horse\n"), ("pw2", "battery staple\n")):
            Path(name).write_text(text)
            os.chmod(name, 0o600)
        status, _, err = run("keyring", "new", "-o", "both", "--passphrase-file", "pw", "--decoy", "d.png")
        self.assertEqual(status, 0, err)
        self.assertIn("losing it or all that opens it", err)
        status, _, err = run("keyring", "new", "-o", "keys", "--no-recovery-code", "--passphrase-file", "pw", "--decoy", "d.png")
        self.assertEqual(status, 0, err)
        self.assertIn("losing it or the passphrase", err)
        listing = ("keyring", "list", "-k", "keys")
        self.assertEqual(run(*listing, "--passphrase-file", "pw")[0], 0)
        self.assertEqual(run(*listing, "--passphrase-fd", "0", input=b"correct horse\n")[0], 0)
        self.assertEqual(run(*listing, "--passphrase-file", "pw2")[0], 5)
        self.assertEqual(run(*listing, "--passphrase-fd", "0", input=b"\n")[0], 5)
        status, _, err = run(*listing, start_new_session=True)
        self.assertEqual(status, 5)
        self.assertIn("--passphrase-file", err)
        status, _, err = run("keyring", "passwd", "-k", "keys", "--passphrase-file", "pw", "--new-passphrase-file", "pw2")
        self.assertEqual(status, 0, err)
        self.assertEqual(run(*listing, "--passphrase-file", "pw")[0], 5)
        self.assertEqual(run(*listing, "--passphrase-file", "pw2")[0], 0)
        self.assertEqual(run("keyring", "passwd", "-k", "keys", "--passphrase-file", "pw2", "--no-passphrase")[0], 0)
        self.assertEqual(run(*listing, "--passphrase-file", "pw2")[0], 5)
        self.assertEqual(run(*listing)[0], 0)

    def test_readable_secrets_are_warned_of(self):
        self.keyring()
        os.chmod("keys", 0o644)
        status, _, err = run("keyring", "list", "-k", "keys")
        self.assertEqual(status, 0)
        self.assertIn("orrery: warning: keys: mode 0644", err)
        self.assertEqual(run("keyring", "list", "-k", "keys", "-q")[2], "")

    def test_what_is_no_keyring(self):
        Path("text").write_text("hello")
        self.assertEqual(run("keyring", "list", "-k", "text")[0], 10)
        self.assertEqual(run("keyring", "list", "-k", "missing")[0], 5)
        self.messages(run("keyring", "list", "-k", "text", "--json")[1], 10)


class Inspect(Case):
    def test_text_and_json(self):
        key = self.keyring()
        Path("scan").write_bytes(b"x" * 50_000)
        run("encrypt", "-k", "keys", "-q", "scan", "-o", "out")
        name = "out/scan.orr.tif"
        status, out, err = run("inspect", name)
        self.assertEqual((status, err), (0, ""))
        size = os.stat(name).st_size
        for part in [name + "\n", "Orrery version 1, suite 2, profile archive", "VPD rule 37241, map constant 2825054457",
                     "50000 bytes (48.8 KiB)", f"{size} bytes", "classic, 128 x 131 RGB, 2 tiles in 1 segment\n",
                     "sealed metadata  1024 bytes\n", "repair data      none\n",
                     f"wrap slot A      generation 1 (in use)\n    master key     {key}\n  wrap slot B      generation 1\n    master key     {key}\n",
                     "confidentiality and integrity: AES-256-GCM; the planet layer adds no claimed bits"]:
            self.assertIn(part, out)
        shown = self.messages(run("inspect", "--json", name)[1], 0)[0]
        self.assertEqual((shown["bytes"], shown["file_bytes"], shown["overhead_bytes"], shown["tiles"], shown["rows"]),
                         (50_000, size, size - 50_000, 2, 131))
        self.assertEqual([(s["slot"], s["damaged"], s["active"]) for s in shown["slots"]],
                         [("A", False, True), ("B", False, False)])
        self.assertEqual([s["wraps"] for s in shown["slots"]], [[{"type": "master key", "key_id": key}]] * 2)
        self.assertEqual((shown["metadata_bytes"], shown["slot_pages"], shown["repair_pages"], shown["repair_groups"]), (1024, 1, 0, 0))
        damaged = bytearray(Path(name).read_bytes())
        damaged[4096 + 30] ^= 1
        Path("half.tif").write_bytes(damaged)
        self.assertIn("wrap slot A      damaged\n", run("inspect", "half.tif")[1])

    def test_statuses(self):
        self.keyring()
        Path("scan").write_bytes(b"x")
        run("encrypt", "-k", "keys", "-q", "scan", "-o", "out")
        good = "out/scan.orr.tif"
        Path("text").write_text("hello")
        Path("cut.tif").write_bytes(Path(good).read_bytes()[:-1])
        os.mkfifo("pipe")
        for names, expected in [([good], 0), (["text"], 10), (["cut.tif"], 4), (["missing"], 7), (["out"], 8),
                                (["pipe"], 8), ([good, "text"], 3), ([good, "text", "cut.tif"], 4),
                                (["cut.tif", "missing", "text"], 7)]:
            with self.subTest(names=names):
                status, _, err = run("inspect", *names)
                self.assertEqual(status, expected, err)
                self.assertEqual(bool(err), expected != 0)
                messages = self.messages(run("inspect", "--json", *names)[1], expected)
                self.assertEqual(messages[-1]["files"], len(names))
        self.assertEqual(run("inspect", "-q", good)[:2], (0, ""))
        self.assertEqual(run("inspect", "--files-from", "-", input=good.encode())[0], 0)


class Keystream(Case):
    """Against the definition: docs/FORMAT.md, "Initial states" and "The map"."""
    MASK = (1 << 64) - 1

    def step(self, u):
        high, low = u >> 32, u & 0xffffffff
        v = 2825054457 * (high * high + ((high * low) >> 31)) & self.MASK
        return (v if v >> 63 else ~v) & 0x7fffffffffffffff

    def lane(self, state, number):
        z = (state + (number + 1) * 0x9e3779b97f4a7c15) & self.MASK
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & self.MASK
        u = (z ^ (z >> 31)) >> 1
        words = []
        for i in range(26):
            u = self.step(u)
            if i >= 2:
                words.append(struct.pack("<I", (u >> 20) & 0xffffffff))
        return words

    @staticmethod
    def zigzag(rows, columns):
        order = []
        for d in range(rows + columns - 1):
            cells = [(i, d - i) for i in range(rows) if 0 <= d - i < columns]
            order += cells if d % 2 else cells[::-1]
        return order

    def stream(self, state, order):
        out = bytearray(49152)
        for number, (row, column) in enumerate(order):
            for w, word in enumerate(self.lane(state, number)):
                at = 16384 * (w % 3) + 128 * (8 * row + w // 3) + 4 * column
                out[at:at + 4] = word
        return bytes(out)

    def tile(self, seed, number):
        states = struct.unpack(">8Q", hashlib.sha512(seed.ljust(64, b"\0") + struct.pack(">Q", number)).digest())
        rows = [(i, j) for i in range(16) for j in range(32)]
        return self.stream(states[3], self.zigzag(16, 32)) + self.stream(states[7], rows)

    def raw(self, *arguments):
        done = subprocess.run([ORRERY, "keystream", *arguments], stdout=subprocess.PIPE, timeout=60, check=True)
        return done.stdout

    def test_the_layout_of_tiles(self):
        seed = bytes(range(9))
        expected = self.tile(seed, 0) + self.tile(seed, 1)
        self.assertEqual(self.raw("--seed", seed.hex(), "--bytes", "192K"), expected)
        self.assertEqual(self.raw("--seed", seed.hex().upper(), "--bytes", "100001"), expected[:100001])
        self.assertEqual(self.raw("--bytes", "49152"), self.tile(b"", 0)[:49152])
        self.assertEqual(self.raw("--bytes", "0"), b"")

    def test_ends_with_its_reader(self):
        with subprocess.Popen([ORRERY, "keystream"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertEqual(len(process.stdout.read(1_000_000)), 1_000_000)
            process.stdout.close()
            self.assertEqual((process.wait(timeout=60), process.stderr.read()), (0, b""))

    def test_a_full_disk_is_status_7(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ORRERY, "keystream", "--bytes", "1M"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 7)

    def test_closed_streams_are_filled(self):
        """Else the next file that is opened gets number 2, and messages are written into it."""
        command = f"exec '{ORRERY}' keystream 0<&- 2>&-"
        with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE) as process:
            process.stdout.read(1)
            try:
                links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 2)]
            except PermissionError:
                self.skipTest("only root may look at the descriptors of a hardened process")
            finally:
                process.stdout.close()
        self.assertEqual(links, ["/dev/null", "/dev/null"])

    def test_stops_and_leaves_no_core(self):
        with subprocess.Popen([ORRERY, "keystream"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(1)
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ")
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            self.assertEqual(process.wait(timeout=60), 75)


class Devices(Case):
    def test_bench_writes_its_report_and_replaces_none(self):
        with tempfile.TemporaryDirectory() as work:
            record, page = Path(work) / "r.json", Path(work) / "r.html"
            options = ["bench", "pipeline", "--quick", "--device", "cpu", "--json", str(record),
                       "--html", str(page)]
            status, out, err = run(*options)
            self.assertEqual(status, 0, err)
            self.assertIn("pipeline: file to file", out)
            found = json.loads(record.read_text())
            self.assertEqual((found["format"], found["version"]), ("orrery-bench", 1))
            self.assertLess({"encrypt", "verify", "decrypt"}, {r["name"] for r in found["results"]})
            self.assertTrue(page.read_text().startswith("<!doctype html>"))
            self.assertEqual(sorted(os.listdir(work)), ["r.html", "r.json"])
            status, out, err = run(*options)
            self.assertEqual((status, out), (6, ""))
            self.assertIn("exists already", err)
            status, _, err = run("bench", "--json", str(Path(work) / "no" / "r.json"))
            self.assertEqual(status, 7, err)

    def test_devices(self):
        status, out, err = run("devices")
        self.assertEqual(status, 0, err)
        self.assertRegex(out, r"\Acpu +cpu \w+, \d+ threads?; self-test ok\n(cuda:\d+ .*; self-test ok\n)*\Z")
        self.assertEqual("cuda:" not in out, "no CUDA device: " in err, "either a device or the reason why not")
        device = self.messages(run("devices", "--json")[1], 0)[0]
        self.assertEqual((device["message_type"], device["device"], device["self_test_passed"]), ("device", "cpu", True))
        self.assertGreaterEqual(device["threads"], 1)
        self.assertIn(device["simd"], ("portable", "avx2", "avx512"))


if __name__ == "__main__":
    unittest.main(argv=[a for a in sys.argv if a != "--update"])
