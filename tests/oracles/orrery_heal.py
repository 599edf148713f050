"""Reading past damage with repair data: authentic bytes of a damaged Orrery file, and the corrected file.

Checksums only locate. What comes from the code is taken when the structure that holds it then authenticates: a tile
by its tag, a segment head by its digest and its tiles, metadata by their tag, directories and zero bytes because the
header and the metadata determine them, pixels of the paper profile by the digest of all of them.
"""
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import orrery_keys as k
import orrery_repair
from orrery_format import PAGE, SEGMENT_TILES

HEAD_DIGEST, HEAD_SALT, HEAD_ZERO = 2048, 2080, 2096


class Image:
    """A file's bytes as they stand, zeros behind its end, with corrected pages laid over them."""

    def __init__(self, data):
        self.data, self.length, self.pages = data, len(data), {}

    def raw(self, offset, length):
        return bytes(self.data[offset : offset + length]).ljust(length, b"\0")

    def read(self, offset, length):
        if not self.pages or not length:
            return self.raw(offset, length)
        first, last = offset // PAGE, (offset + length - 1) // PAGE
        whole = b"".join(self.pages.get(page) or self.raw(PAGE * page, PAGE) for page in range(first, last + 1))
        return whole[offset - PAGE * first :][:length]

    def write(self, offset, data):
        """Lays bytes over the file."""
        first, end = offset // PAGE * PAGE, offset + len(data)
        whole = self.read(first, offset - first) + data + self.read(end, -end % PAGE)
        for at in range(0, len(whole), PAGE):
            self.pages[(first + at) // PAGE] = whole[at : at + PAGE]


class Healer:
    """Repairs the body of a file in its image. `proven` holds the numbers of body pages that are authentic."""

    def __init__(self, image, header, keys):
        self.image, self.header, self.keys, self.tail = image, header, keys, header.tail
        self.damage = orrery_repair.Damage(self.tail, header.file_id, image.read)
        self.proven = set()

    def number(self, offset):
        return (offset - self.tail.body_offset) // PAGE

    def prove(self, offset, length):
        """Marks the pages that lie wholly inside."""
        self.proven.update(range(self.number(offset + PAGE - 1), self.number(offset + length)))

    def determined(self, offset, data):
        """Bytes that are known: laid over the file where they differ."""
        if self.image.read(offset, len(data)) != data:
            self.image.write(offset, data)
        self.prove(offset, len(data))

    def candidates(self):
        """What the code gives for pages not proven: by the checksums' word, then without it. Number -> bytes."""
        suspect = self.damage.suspect - self.proven
        yield self.damage.solved(suspect)
        yield self.damage.solved(suspect | set(range(self.tail.body_pages)) - self.proven)

    def metadata(self):
        """The sealed metadata as the code gives them, or None."""
        first, length = self.tail.body_offset, self.header.metadata_length
        own = set(range(self.number(first + length + PAGE - 1)))
        for missing in (self.damage.suspect, self.damage.suspect | own):
            solved = self.damage.solved(missing)
            pages = b"".join(solved.get(number) or self.damage.page(number) for number in sorted(own))
            if k.open_metadata(self.keys, pages[:length]) is not None:
                return pages[:length]
        return None

    # ---- archive profile

    def archive(self):
        """Repairs what it can of the segments; their heads and tiles are proven where they authenticate."""
        geometry = self.header.geometry
        end = geometry.data_offset + PAGE * geometry.segments + 384 * geometry.rows
        self.determined(end, bytes(self.tail.end - end))
        for segment in range(geometry.segments):
            self.settle(segment, {})
        progress = True
        while progress and len(self.proven) < self.tail.body_pages:
            before = len(self.proven)
            for solved in self.candidates():
                for segment in range(geometry.segments):
                    first = self.number(geometry.segment_offset(segment))
                    if any(number in solved for number in range(first, first + 1 + 12 * SEGMENT_TILES)):
                        self.settle(segment, solved)
            progress = len(self.proven) > before

    def settle(self, segment, solved):
        """Takes of one segment, from the file or from the solved pages, what authenticates."""
        geometry, read = self.header.geometry, self.image.read
        at = geometry.segment_offset(segment)
        heads = [read(at, PAGE)]
        if self.number(at) in solved and self.number(at) not in self.proven:
            heads.append(solved[self.number(at)])
        tiles = range(SEGMENT_TILES * segment, SEGMENT_TILES * segment + geometry.segment_tiles(segment))
        right, tags = None, {}
        for head in heads:
            base, nonce = k.segment_nonces(self.keys, segment, head[HEAD_SALT:HEAD_ZERO])
            if right is None and k.gcm_open(self.keys["digest key"], nonce, head[HEAD_DIGEST:HEAD_SALT]) is not None:
                right = head
            for i, tile in enumerate(tiles):
                tag = head[16 * i : 16 * i + 16]
                if tile not in tags and self.settle_tile(tile, k.tile_nonce(base, i), tag, solved):
                    tags[tile] = tag
        if right and tags:
            head = b"".join(tags.get(tile, right[16 * i :][:16]) for i, tile in enumerate(tiles))
            head = (head.ljust(HEAD_DIGEST, b"\0") + right[HEAD_DIGEST:HEAD_ZERO]).ljust(PAGE, b"\0")
            if len(tags) == len(tiles):
                self.determined(at, head)
            elif head != heads[0]:
                self.image.write(at, head)

    def settle_tile(self, tile, nonce, tag, solved):
        """Whether the tile opens with this tag: as it stands, or with the solved pages, which are then laid over it."""
        geometry, gcm = self.header.geometry, AESGCM(self.keys["tile key"])
        at, length = geometry.tile_offset(tile), geometry.tile_bytes(tile)
        stands = self.image.read(at, length)
        pages = range(self.number(at), self.number(at + length + PAGE - 1))
        versions = [stands]
        if any(number in solved for number in pages):
            mixed = b"".join(solved.get(number) or self.damage.page(number) for number in pages)
            versions.append(mixed[:length])
        for version in versions:
            try:
                gcm.decrypt(nonce, version + tag, None)
            except InvalidTag:
                continue
            if version != stands:
                self.image.write(at, version)
            if tile == geometry.tiles - 1:  # zeros behind the last tile are determined
                length = self.tail.end - at
            self.prove(at, length)
            return True
        return False

    # ---- paper profile

    def paper(self, paper, right):
        """Repairs pixels until `right()`, which reads the image, says that their digest is right."""
        for offset, length in paper.gaps():
            self.determined(offset, bytes(length))
        if right():
            return
        kept = dict(self.image.pages)
        for solved in self.candidates():
            self.image.pages = dict(kept)
            for number, data in solved.items():
                if number not in self.proven:
                    self.image.write(self.tail.page_offset(number), data)
            for offset, length in paper.gaps():
                self.determined(offset, bytes(length))
            if right():
                return
        self.image.pages = kept


def whole_file(image, header, unlocked, page0, sealed):
    """The corrected file, after its body was repaired in the image: head, body and everything behind E."""
    tail = header.tail
    body = image.read(tail.body_offset, tail.end - tail.body_offset)
    best = unlocked.slots[unlocked.best]
    slots = [slot if state == "good" else best for slot, state in zip(unlocked.slots, unlocked.states)]
    out = page0 + slots[0] + slots[1] + body
    return out + tail_bytes(header, body, sealed, slots[2], page0) if header.parity else out


def tail_bytes(header, body, sealed, slot, page0):
    """Everything behind E."""
    tail = header.tail
    pages = np.frombuffer(body, np.uint8).reshape(-1, PAGE)
    parity = orrery_repair.encode(pages, tail)
    sums = orrery_repair.sum_pages(header.file_id, orrery_repair.page_sums([*pages, *parity]))
    return sums + parity.tobytes() + sums + sealed.ljust(PAGE * tail.metadata_pages, b"\0") + slot + page0


def check_tail(header, image, unlocked, page0, sealed, damage):
    """Step 13: sentences on what differs behind E."""
    tail = header.tail
    if image.raw(tail.page0, PAGE) != page0:
        yield "the second page 0 differs"
    if image.raw(tail.metadata, PAGE * tail.metadata_pages) != sealed.ljust(PAGE * tail.metadata_pages, b"\0"):
        yield "the second metadata differ"
    if not damage.sums_good:
        yield "checksum pages are damaged"
    if damage.suspect:
        yield f"{len(damage.suspect)} pages do not fit their checksums"
