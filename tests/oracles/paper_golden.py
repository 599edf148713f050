"""Small uncompressed TIFFs, their page tables and volumes, for make_container_vectors.py and tests.

A page is ((width, height, samples, bits, sample format, tags beside the usual ones), pixels)."""
import struct

import orrery_paper

SHORT, LONG, RATIONAL, UNDEFINED, ASCII = 3, 4, 5, 7, 2


def golden_pages(named):
    """Those of files/two-pages.tif."""
    yield (7, 5, 3, 8, 1, [(270, ASCII, b"TEST phantom, page 1\0"), (282, RATIONAL, struct.pack("<II", 300, 1)),
                           (65000, UNDEFINED, b"private")]), named("page 1", 7 * 5 * 3)
    yield (6, 4, 2, 16, 2, [(338, SHORT, struct.pack("<H", 2))]), named("page 2", 6 * 4 * 2 * 2)


def source(pages):
    """An uncompressed little-endian classic TIFF, and for each page its tags in file order."""
    out, link, tables = b"II*\0" + bytes(4), 4, []
    for (width, height, samples, bits, sample_format, more), pixels in pages:
        entries = [(256, SHORT, struct.pack("<H", width)), (257, SHORT, struct.pack("<H", height)),
                   (258, SHORT, struct.pack("<H", bits) * samples), (259, SHORT, struct.pack("<H", 1)),
                   (262, SHORT, struct.pack("<H", 2 if samples == 3 else 1)), (273, LONG, struct.pack("<I", len(out))),
                   (277, SHORT, struct.pack("<H", samples)), (278, LONG, struct.pack("<I", height)),
                   (279, LONG, struct.pack("<I", len(pixels))), (339, SHORT, struct.pack("<H", sample_format) * samples)]
        entries = sorted(entries + more)
        out += pixels + bytes(-len(pixels) % 2)
        at = len(out)
        out = out[:link] + struct.pack("<I", at) + out[link + 4 :]
        values_at, ifd, values = at + 2 + 12 * len(entries) + 4, struct.pack("<H", len(entries)), b""
        for tag, kind, value in entries:
            count = len(value) // orrery_paper.TYPE_BYTES[kind]
            field = value.ljust(4, b"\0")
            if len(value) > 4:
                field, values = struct.pack("<I", values_at + len(values)), values + value + bytes(len(value) % 2)
            ifd += struct.pack("<HHI", tag, kind, count) + field
        link = at + len(ifd)
        out += ifd + bytes(4) + values
        tables.append([(tag, kind, len(value) // orrery_paper.TYPE_BYTES[kind], value) for tag, kind, value in entries
                       if tag not in (273, 279)])
    return out, tables


def page_table(pages, tables):
    out = struct.pack("<HHI", 1, 0, len(tables))
    for ((width, height, samples, bits, sample_format, _), _), tags in zip(pages, tables):
        # planar, compression, predictor, fill order, converted, tiled
        out += struct.pack("<II10HIIII", width, height, samples, bits, sample_format, 2 if samples == 3 else 1, 1, 1, 1, 1,
                           0, 0, width, height, 0, len(tags))
        for tag, kind, count, value in tags:
            out += struct.pack("<HHII", tag, kind, count, len(value)) + value
    return out


def volumes(pages, table):
    return [orrery_paper.volume_of(page, pixels) for page, (_, pixels) in zip(orrery_paper.decode_table(table), pages)]
