"""What a power cut leaves on a disk. A `Disk` is a directory and what is known to be flushed of it: it runs programs whose calls
tests/support/preload/record.c records, and builds the directories ("images") that a cut at this moment can leave.

A file that was flushed (fsync) holds what it held then; a name is there when its directory was flushed since, or all was
(syncfs). Whatever came later may be there or not, each by itself: that is all that POSIX promises. The ways of a cut:
  least    only what was flushed
  names    every name, but of the files only what was flushed: the rest is missing
  zeros    every name and size; bytes that were not flushed are zero
  data     every byte, but only the names that were flushed
  ordered  as a journalling file system: names up to some moment after the last flush of anything; files that were not
           flushed are whole or have no bytes that are new
  random   each name, sector, size and mode by itself: old, new or, where nothing was before, zero
  most     everything, as when only the program is killed
Of writes that were under way, each sector may have come (data, ordered, random, most)."""
import copy
import itertools
import os
import signal
import subprocess
from pathlib import Path

from support.cli import ORRERY

RECORD = os.environ.get("RECORD")
SECTOR = 512
WAYS = ("least", "names", "zeros", "data", "ordered", "random", "most")
DISORDERLY = WAYS[:-1]


class Node:
    """A file or directory: as the program sees it, and as it was when it was flushed last."""
    def __init__(self, directory, mode):
        self.directory, self.mode, self.time = directory, mode, None
        self.now = {} if directory else b""
        self.between = []  # of a directory: (moment, name, node) of each naming since it was flushed
        self.flights = {}  # of a file: by their places, writes under way, of which any part may have come
        self.flush(self.seen(-1))

    def seen(self, moment):
        """What a flush that begins at this moment takes to the disk."""
        return moment, self.now.copy() if self.directory else self.now, self.mode, self.time

    def flush(self, seen):
        self.since, self.flushed, self.flushed_mode, self.flushed_time = seen
        self.between = [naming for naming in self.between if naming[0] > self.since]

    def name(self, moment, name, node):
        self.between.append((moment, name, node))
        if node is None:
            self.now.pop(name, None)
        else:
            self.now[name] = node

    def write(self, at, data):
        self.flights.pop(at, None)
        old = self.now.ljust(at, b"\0")
        self.now = old[:at] + data + old[at + len(data):]


def parse(records):
    """(name, words, data) of each call that record.c wrote down."""
    at = 0
    while at < len(records):
        end = records.index(b"\n", at)
        call, *words, size = records[at:end].split()
        yield call.decode(), words, records[end + 1:end + 1 + int(size)]
        at = end + 2 + int(size)


class Disk:
    def __init__(self, root, rng):
        self.root, self.rng, self.nodes, self.ordered = Path(root).resolve(), rng, {}, []
        self.moment, self.flushing = 0, {}  # calls so far; what flushes that are under way have seen
        self.top = self.load(self.root)
        self.log = self.root.parent / (self.root.name + ".log")

    def load(self, path):
        """Takes what is there for flushed."""
        info = path.lstat()
        node = self.nodes[info.st_ino] = Node(path.is_dir(), info.st_mode & 0o7777)
        node.time = info.st_mtime_ns
        node.now = {os.fsencode(child.name): self.load(child) for child in path.iterdir()} if node.directory else path.read_bytes()
        node.flush(node.seen(0))
        return node

    def run(self, *arguments, program=ORRERY, kill=0, **environment):
        """Runs orrery (or another program) in the directory, killed once it has made `kill` calls. Returns (status, what it said:
        both streams, output first); self.calls says how many calls it made."""
        self.land(self.top, self.root)
        self.before = self.copy()
        self.log.unlink(missing_ok=True)
        env = {**os.environ, "LD_PRELOAD": RECORD, "ORRERY_RECORD": str(self.log), "ORRERY_RECORD_ROOT": str(self.root),
               "ORRERY_RECORD_KILL": str(kill), **environment}
        done = subprocess.run([program, *arguments], cwd=self.root, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False)
        self.records = self.log.read_bytes() if self.log.exists() else b""
        self.calls = self.replay(self.records)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")

    def land(self, node, path):
        """What became of the writes that a killed program had under way."""
        for name, child in node.now.items() if node.directory else ():
            self.land(child, path / os.fsdecode(name))
        if node.flights:
            node.now, node.flights = path.read_bytes(), {}

    def copy(self):
        """The same knowledge of the same disk, to take another course."""
        other = copy.copy(self)
        other.top, other.nodes, other.ordered, other.flushing = copy.deepcopy((self.top, self.nodes, self.ordered, self.flushing))
        return other

    def cut(self, moment, way, to):
        """The image of a cut after the first `moment` calls of the last run."""
        then = self.before.copy()
        then.replay(self.records, moment)
        return then.image(way, to)

    def names_of_calls(self):
        """What each call of the last run was, in order."""
        return [call for call, _, _ in parse(self.records)]

    def replay(self, records, until=None):
        """Takes up what was recorded, the first `until` calls of it; returns how many there were."""
        count = 0
        for call, words, data in itertools.islice(parse(records), until):
            self.moment += 1
            getattr(self, "on_" + call)(data, *words)
            count += 1
        return count

    def note_order(self, since=0):
        """What the names are at this moment, for the way "ordered"; `since`: when a flush began that has ended now."""
        self.ordered.append((self.moment, {node: node.now.copy() for node in self.nodes.values() if node.directory}))
        while len(self.ordered) > 1 and self.ordered[1][0] <= since:
            self.ordered.pop(0)

    def on_create(self, _, parent, name, inode, kind, mode):
        node = self.nodes[int(inode)] = Node(kind == b"d", int(mode, 8))
        self.nodes[int(parent)].name(self.moment, bytes.fromhex(name.decode()), node)
        self.note_order()

    def on_link(self, _, inode, parent, name):
        self.nodes[int(parent)].name(self.moment, bytes.fromhex(name.decode()), self.nodes[int(inode)])
        self.note_order()

    def on_unlink(self, _, parent, name):
        self.nodes[int(parent)].name(self.moment, bytes.fromhex(name.decode()), None)
        self.note_order()

    def on_rename(self, _, old, old_name, new, new_name, flags):
        places = [(self.nodes[int(d)], bytes.fromhex(n.decode())) for d, n in ((old, old_name), (new, new_name))]
        (source, name), (target, final) = places
        node, other = source.now[name], target.now.get(final) if int(flags) & 2 else None  # RENAME_EXCHANGE
        target.name(self.moment, final, node)
        source.name(self.moment, name, other)
        self.note_order()

    def on_write(self, data, inode, at):
        self.nodes[int(inode)].write(int(at), data)

    def on_flight(self, data, inode, at):
        self.nodes[int(inode)].flights[int(at)] = data

    def on_lost(self, _, inode, at):
        self.nodes[int(inode)].flights.pop(int(at))

    def on_size(self, _, inode, size):
        node, size = self.nodes[int(inode)], int(size)
        node.now = node.now[:size].ljust(size, b"\0")

    def on_hole(self, _, inode, size):
        pass

    def on_mode(self, _, inode, mode):
        self.nodes[int(inode)].mode = int(mode, 8)

    def on_time(self, _, inode, seconds, nanoseconds):
        self.nodes[int(inode)].time = int(seconds) * 10**9 + int(nanoseconds)

    def on_sync(self, _, inode):
        self.on_flushing(None, inode, b"")
        self.on_flushed(None, inode, b"")

    def on_flushing(self, _, inode, thread):
        self.flushing[inode, thread] = self.nodes[int(inode)].seen(self.moment)

    def on_flushed(self, _, inode, thread):
        node, seen = self.nodes[int(inode)], self.flushing.pop((inode, thread))
        if seen[0] >= node.since:  # of two flushes that overlap the later one counts
            node.flush(seen)
        self.note_order(since=seen[0])

    def on_syncfs(self, _):
        for node in self.nodes.values():
            node.flush(node.seen(self.moment))
        self.note_order(since=self.moment)

    # ---- images

    def image(self, way, to):
        """Builds what a cut leaves into the new directory `to`."""
        at = self.rng.choice(self.ordered)[1] if way == "ordered" and self.ordered else None
        self.build(self.top, Path(to), way, at, {})
        return Path(to).resolve()

    def names_of(self, node, way, at):
        if way == "random":
            names = dict(node.flushed)
            for name in {naming[1] for naming in node.between}:
                names[name] = self.rng.choice([node.flushed.get(name), *(n for _, other, n in node.between if other == name)])
            return {name: child for name, child in names.items() if child}
        if at:
            return at.get(node, node.flushed)
        return node.flushed if way in ("least", "data") else node.now

    def bytes_of(self, node, way):
        made = self.bytes_there(node, way)
        for at, data in node.flights.items() if way in ("data", "ordered", "random", "most") else ():
            for start in range(0, len(data), SECTOR):
                if self.rng.random() < 0.5:
                    old, part = made.ljust(at + start, b"\0"), data[start:start + SECTOR]
                    made = old[:at + start] + part + old[at + start + len(part):]
        return made

    def bytes_there(self, node, way):
        if node.now == node.flushed or way in ("data", "most"):
            return node.now
        if way in ("least", "names"):
            return node.flushed
        if way == "ordered":
            return self.rng.choice((node.flushed, node.now))
        if way == "zeros":
            return node.flushed[:len(node.now)].ljust(len(node.now), b"\0")
        sizes = sorted((len(node.flushed), len(node.now)))
        size = self.rng.choice((*sizes, self.rng.randint(*sizes)))
        made = bytearray()
        for start in range(0, size, SECTOR):
            old, new = node.flushed[start:start + SECTOR], node.now[start:start + SECTOR]
            # Only room that was not in use before can come up as zeros.
            made += self.rng.choice((old, new) if old else (bytes(SECTOR), new)).ljust(SECTOR, b"\0")
        return bytes(made[:size])

    def build(self, node, path, way, at, built):
        old = way in ("least", "names", "zeros") or (way in ("random", "ordered") and self.rng.random() < 0.5)
        mode, time = (node.flushed_mode, node.flushed_time) if old else (node.mode, node.time)
        if node in built:
            os.link(built[node], path)
            return
        built[node] = path
        if node.directory:
            path.mkdir()
            for name, child in self.names_of(node, way, at).items():
                self.build(child, path / os.fsdecode(name), way, at, built)
        else:
            path.write_bytes(self.bytes_of(node, way))
        path.chmod(mode)
        if time is not None:
            os.utime(path, ns=(time, time))


def is_killed(status):
    return status == -signal.SIGKILL
