"""Sealed metadata of Orrery files: records to dictionary and back, written from docs/FORMAT.md."""
import bisect
import struct

from orrery_format import ARCHIVE, AUTH, REGIONS, UNSUPPORTED, align, require

LENGTHS = {2: 8, 3: 12, 4: 4, 5: 16, 6: 32, 7: 19, 9: 12, 10: 16}
ALWAYS = {1, 2, 3, 4, 5, 7, 9}
MOST_REGIONS = 2**20


def records_of(plain):
    """Known records by tag; the rest is checked and left out."""
    records, at, last = {}, 0, 0
    while any(plain[at:]):
        require(len(plain) - at >= 8, AUTH, "metadata: cut record")
        tag, zero, length = struct.unpack_from("<HHI", plain, at)
        require(tag > last and zero == 0 and length <= len(plain) - at - 8, AUTH, f"metadata: bad record {tag}")
        require(tag <= 13 or tag >= 0x8000, UNSUPPORTED, f"metadata: unknown record {tag}")
        records[tag] = plain[at + 8 : at + 8 + length]
        at, last = at + 8 + length, tag
    return records


def safe_path(path):
    return (1 <= len(path) <= 4096 and b"\0" not in path and
            all(part not in (b"", b".", b"..") for part in path.split(b"/")))


def safe_label(label):
    """Whether these bytes are a label: UTF-8 without control characters."""
    try:
        text = label.decode()
    except UnicodeDecodeError:
        return False
    return len(label) <= 63 and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def moment(value, what):
    seconds, nanoseconds = struct.unpack("<qI", value)
    require(nanoseconds < 10**9, AUTH, f"metadata: {what}")
    return seconds, nanoseconds


def holes_of(value, length):
    require(value and len(value) % 16 == 0, AUTH, "metadata: holes")
    holes, end = [], -1
    for offset, size in struct.iter_unpack("<QQ", value):
        require(size and offset > end and offset + size <= length, AUTH, "metadata: holes")
        holes.append((offset, size))
        end = offset + size
    return holes


def regions_of(value):
    """Rectangles (page, x, y, width, height), ascending and without overlap; pages are checked elsewhere."""
    require(value and len(value) % 20 == 0 and len(value) <= 20 * MOST_REGIONS, AUTH, "metadata: regions")
    regions, last, open_columns = [], (-1, 0, 0), []  # open_columns: (x, end of x, end of y), by x
    for page, x, y, width, height in struct.iter_unpack("<5I", value):
        require(width and height and (page, y, x) > last, AUTH, "metadata: regions")
        if page != last[0]:
            open_columns = []
        at = bisect.bisect_left(open_columns, (x,))
        while at < len(open_columns) and open_columns[at][0] < x + width:
            require(open_columns[at][2] <= y, AUTH, "metadata: regions overlap")
            del open_columns[at]
        while at and open_columns[at - 1][1] > x:
            require(open_columns[at - 1][2] <= y, AUTH, "metadata: regions overlap")
            at -= 1
            del open_columns[at]
        open_columns.insert(at, (x, x + width, y + height))
        regions.append((page, x, y, width, height))
        last = (page, y, x)
    return regions


def decode(plain, header):
    """What the metadata say; step 10."""
    records = records_of(plain)
    require(ALWAYS <= records.keys(), AUTH, "metadata: a record is missing")
    for tag, length in LENGTHS.items():
        require(tag not in records or len(records[tag]) == length, AUTH, f"metadata: record {tag}")
    archive = header.profile == ARCHIVE
    require((8 in records) != archive, AUTH, "metadata: record 8 and the profile")
    require((12 in records) == bool(header.features & REGIONS), AUTH, "metadata: record 12 and the features")
    require(archive or 11 not in records, AUTH, "metadata: holes of a paper-profile file")
    require(safe_path(records[1]), AUTH, "metadata: unsafe path")
    mode = struct.unpack("<I", records[4])[0]
    require(mode <= 0o7777, AUTH, "metadata: mode")
    shape = "".join("0" if chr(c) in "0123456789" else chr(c) for c in records[7])
    require(shape == "00-00-0000 00:00:00", AUTH, "metadata: timestamp")
    label = records.get(13)
    require(label is None or label and safe_label(label), AUTH, "metadata: label")
    seconds, nanoseconds = moment(records[3], "time")
    written, written_ns = moment(records[9], "time of writing")
    return {"path": records[1], "size": struct.unpack("<Q", records[2])[0], "mtime": seconds, "mtime_ns": nanoseconds,
            "mode": mode, "digest": records[5], "sha256": records.get(6), "timestamp": records[7].decode(),
            "paper": records.get(8), "written": written, "written_ns": written_ns, "vault": records.get(10),
            "holes": holes_of(records[11], header.length) if 11 in records else [],
            "regions": regions_of(records[12]) if 12 in records else [], "label": label}


# ---- writing ---------------------------------------------------------------------------------

def record(tag, value, zero=0):
    return struct.pack("<HHI", tag, zero, len(value)) + value


def encode(values):
    """Records of a dictionary tag -> bytes, ascending; None is left out."""
    return b"".join(record(tag, value) for tag, value in sorted(values.items()) if value is not None)


def sealed_length(records_length, profile):
    """The smallest m that holds records of this length."""
    return align(records_length + 32, 1024 if profile == ARCHIVE else 4096)
