#!/usr/bin/env python3
"""docs/schema: what the program writes is as the schemas say, and they name all that it writes."""
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

try:
    from jsonschema import Draft202012Validator as Validator
except ImportError:
    print("skipped: the Python package jsonschema is missing (scripts/requirements.txt)")
    sys.exit(77)

from support.cli import SOURCE, Case, needs_evidence, needs_onednn, png, run, slowly, write_gray_tiff

SCHEMAS = SOURCE / "docs" / "schema"
# Members that no run of this test has: they need a GPU, a disk behind /var/tmp, a damaged slot, a killed job, numbers that are not there.
RARE = {"bench": {"driver", "clocks", "disk"},
        "json-lines": {"damaged_slot", "unlike_slot", "first_page_damaged", "unauthenticated", "seconds_remaining", "kept_segments"}}


def load(name):
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def strict(schema):
    """The schema with every member that it does not name refused: readers ignore those, the program shall not write any."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    return closed | {"additionalProperties": False} if "properties" in schema and isinstance(schema["properties"], dict) else closed


def members(schema):
    """The members of objects that the schema names, each with its own schema."""
    if isinstance(schema, list):
        return [m for part in schema for m in members(part)]
    if not isinstance(schema, dict):
        return []
    own = list(schema["properties"].items()) if isinstance(schema.get("properties"), dict) else []
    return own + [m for part in schema.values() for m in members(part)]


def keys(value):
    """All names of members in a document."""
    if isinstance(value, list):
        return set().union(*map(keys, value)) if value else set()
    return set(value) | keys(list(value.values())) if isinstance(value, dict) else set()


@needs_onednn
@needs_evidence
class Schemas(Case):
    def holds(self, name, documents):
        """Each document is valid, also where what the schema does not name is refused; all of its members occur."""
        validator = Validator(strict(load(name)))
        for document in documents:
            error = next(validator.iter_errors(document), None)
            self.assertIsNone(error, error and f"{error.json_path}: {error.message[:300]} in {json.dumps(document)[:600]}")
        named = {key for key, _ in members(load(name))}
        self.assertEqual(named - keys(documents) - RARE.get(name, set()), set(), "members that no document has")

    def refuses(self, name, document, damage):
        damaged = copy.deepcopy(document)
        damage(damaged)
        self.assertFalse(Validator(load(name)).is_valid(damaged), "a damaged document passes")

    def lines(self, *arguments, status=0, **options):
        done, out, err = run(*arguments, "--json", **options)
        self.assertEqual(done, status, err)
        return [json.loads(line) for line in out.splitlines()]

    def test_are_schemas_that_describe_every_member(self):
        for path in sorted(SCHEMAS.iterdir()):
            schema = json.loads(path.read_text())
            Validator.check_schema(schema)
            for key, part in members(schema):
                part = part if "$ref" not in part or "description" in part else schema["$defs"][part["$ref"].split("/")[-1]]
                told = "description" in part or "const" in part or "properties" in part
                self.assertTrue(told, f"{path.name}: {key} has no description")

    def test_report(self):
        write_gray_tiff("scan.tif", 64, 64)
        Path("bits").write_bytes(random.Random(5).randbytes(125000))
        reports = []
        for out, *given in (("a", "scan.tif", "--quick"), ("b", "--bits", "bits")):
            self.lines("analyze", "-o", out, *given)
            reports.append(json.loads(Path(out, "report.json").read_text()))
        self.holds("report", reports)
        whole = reports[0]
        self.refuses("report", whole, lambda r: r.update(schema=2))
        self.refuses("report", whole, lambda r: r["run"].pop("seed"))
        self.refuses("report", whole, lambda r: r["findings"][0].update(passed="yes"))
        self.refuses("report", whole, lambda r: r["differential"]["fresh_key"][0].update(npcr_mean=99.6))
        self.refuses("report", whole, lambda r: r["nist"]["runs"][0]["tests"].pop())

    def test_bench(self):
        done = subprocess.run([os.environ["ORRERY"], "bench", "--quick", "--json", "record"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        record = json.loads(Path("record").read_text())
        kept = [json.loads(path.read_text()) for path in sorted((SOURCE / "bench" / "results").glob("bench-*.json"))]
        self.holds("bench", [record, *kept])
        self.refuses("bench", record, lambda r: r.update(version=2))
        self.refuses("bench", record, lambda r: r["results"][0]["seconds"].pop("median"))
        self.refuses("bench", record, lambda r: r["conditions"].update(cores="two"))

    def test_json_lines(self):
        key = self.keyring("plain")
        lines = self.lines("keyring", "add", "-k", "plain", "--label", "2027")
        lines += self.lines("keyring", "set-state", "-k", "plain", "2027", "active") + self.lines("keyring", "set-state", "-k", "plain", key, "active")
        lines += self.lines("keyring", "list", "-k", "plain") + self.lines("keyring", "unlock", "list", "-k", "plain")
        shutil.copy("plain", "copy")
        lines += self.lines("keyring", "merge", "-k", "plain", "copy")
        self.assertEqual({m["message_type"] for m in lines}, {"key", "unlock", "summary"})
        lines += self.jobs() + self.generator()
        lines += self.lines("devices") + self.lines("version") + self.lines("analyze", "tree/b.tif", "--quick", "--only", "statistics", "-o", "report")
        Path("bits").write_bytes(random.Random(5).randbytes(125000))
        lines += self.lines("analyze", "--bits", "bits", "-o", "judged") + self.lines("encrypt", "--no-such", status=2)
        self.holds("json-lines", lines)
        done = next(m for m in lines if m.get("outcome") == "done")
        for damage in (lambda m: m.pop("status"), lambda m: m.update(bytes=-1), lambda m: m.update(message_type="fil"),
                       lambda m: m.update(file_id="XYZ"), lambda m: m.update(outcome="finished")):
            self.refuses("json-lines", done, damage)

    def jobs(self):
        """Lines of every job command, with damaged files, a name that is no UTF-8, and the paper profile."""
        os.makedirs("tree/sub")
        Path("tree/sub/a.bin").write_bytes(os.urandom(300000))
        Path(os.fsdecode(b"tree/\xe9.bin")).write_bytes(b"x")
        write_gray_tiff("tree/b.tif", 40, 30)
        lines = self.lines("encrypt", "-k", "plain", "tree", "-o", "v", "--sha256", "--dry-run")
        for _ in range(2):
            lines += self.lines("encrypt", "-k", "plain", "tree", "-o", "v", "--sha256")
        self.lines("keyring", "export", "-k", "plain", "-o", "to.orrpub")
        for _ in range(2):
            lines += self.lines("encrypt", "--to", "to.orrpub", "--writer-key", "w", "tree", "-o", "written")
        lines += self.lines("verify", "-k", "plain", "written") + self.lines("reencrypt", "-k", "plain", "--adopt", "written", "-o", "adopted")
        lines += self.lines("encrypt", "-k", "plain", "--profile", "paper", "tree/b.tif", "-o", "p.orr.tif")
        Path("v/readme").write_text("not an archive's")
        lines += self.lines("verify", "-k", "plain", "v") + self.lines("verify", "-k", "plain", "p.orr.tif")
        lines += self.lines("decrypt", "-k", "plain", "v", "-o", "r") + self.lines("rewrap", "-k", "plain", "v")
        lines += self.lines("reencrypt", "-k", "plain", "v", "-o", "v2")
        os.mkdir("slow")  # more than a second of work: a line of progress
        for n in range(40):
            Path(f"slow/{n}").write_bytes(b"y")
        lines += self.lines("encrypt", "-k", "plain", "slow", "-o", "vs", "-j", "1", env=slowly("slow/"))
        key = self.lines("keyring", "add", "-k", "plain", "--label", "x")[0]["key_id"]
        lines += self.lines("keyring", "set-state", "-k", "plain", key, "destroyed", "--yes", "--vault", "v")
        sealed = Path("v/tree/sub/a.bin.orr.tif")
        sealed.write_bytes(sealed.read_bytes()[:200000] + bytes(9) + sealed.read_bytes()[200009:])
        lines += self.lines("keyring", "export", "-k", "plain", "-o", "site.orrpub")
        lines += self.lines("inspect", str(sealed), "p.orr.tif", "decoy.png", "site.orrpub", status=3)
        lines += self.lines("verify", "-k", "plain", "v", status=4) + self.lines("repair", "-k", "plain", "v", status=4)
        lines += self.lines("repair", "-k", "plain", "v", "--from", "v2", "--dry-run", status=4)
        return lines + self.lines("decrypt", "-k", "plain", "--salvage", str(sealed), "-o", "s", status=4)

    def generator(self):
        """Lines of train, generate and of a keyring whose decoys a generator drew."""
        os.mkdir("data")
        for n in range(24):
            png(Path(f"data/{n}.png"), 9 * n)
        Path("data/none.png").write_text("no image")
        small = ("--image", "32", "--width", "4", "--latent", "8", "--batch", "8", "--device", "cpu", "--threads", "1")
        lines = self.lines("train", "--data", "data", "-o", "run", *small, "--epochs", "1", "--snapshot-every", "1")
        weights = "run/generator.safetensors"
        return lines + self.lines("generate", "--weights", weights, "-n", "2", "-o", "images", "--device", "cpu")


if __name__ == "__main__":
    unittest.main()
