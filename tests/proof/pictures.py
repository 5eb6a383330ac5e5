"""Writes the pictures of the proof: 1,400 files of every kind that is decoded, from the gallery and the fixtures.

    python pictures.py [FOLDER]          (default: .local/proof/pictures)

The same pins give the same bytes. FOLDER/index.json lists, in order, for each file its path, its kind, its sha256, and
whether the reference's decoder and ours must agree to the bit: `exact` is false for JPEG, whose standard leaves the
rounding to the decoder, and for CMYK TIFF.
"""
import hashlib
import json
import shutil
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

REPO = Path(__file__).resolve().parents[2]
GALLERY = REPO / "tests/gallery"
FIXTURES = REPO / "tests/fixtures"
FOLDER = REPO / ".local/proof/pictures"

ORIENTATION = 0x0112
MOST_PIXELS = 50_000_000
# Nobody can say what Pillow makes of these: it cuts 16-bit colour to its high byte, where half of the values round up.
# tests/fixtures/images/build.py holds them against the values that were written.
SIXTEEN_BIT_COLOUR = {"rgb16.png", "rgb16.tiff", "rgba16.png"}


def photographs():
    """54 photographs, upright RGB."""
    names = sorted(p for folder in ("fashion", "photos") for p in (GALLERY / folder).rglob("*") if p.suffix in (".jpg", ".png"))
    return [Image.open(name).convert("RGB") for name in names]


def objects():
    """84 cut-out objects, RGBA with soft edges."""
    return [Image.open(name).convert("RGBA") for name in sorted((GALLERY / "objects").glob("*.webp"))]


def is_exact(picture):
    """Whether both sides must give the same pixels.

    Not so for two kinds of TIFF: JPEG within TIFF is read by another decoder, and CMYK becomes RGB by rounding down in ours, to
    the nearest in Pillow: one step apart at most.
    """
    compression = str(picture.info.get("compression"))
    return picture.format != "TIFF" or ("jpeg" not in compression and picture.mode != "CMYK")


class Corpus:
    def __init__(self, folder):
        self.folder, self.index, self.numbers = folder, [], {}

    def path(self, kind, suffix):
        number = self.numbers.get(kind, 0)
        self.numbers[kind] = number + 1
        path = self.folder / kind / f"{number:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def listed(self, kind, path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as picture:
            exact = is_exact(picture)
        self.index.append({"path": str(path.relative_to(self.folder)), "kind": kind, "exact": exact, "sha256": digest})

    def save(self, kind, picture, suffix, **options):
        path = self.path(kind, suffix)
        picture.save(path, **options)
        self.listed(kind, path)

    def copy(self, kind, source):
        path = self.path(kind, "-" + source.name)
        shutil.copyfile(source, path)
        self.listed(kind, path)

    def write(self, kind, data, suffix):
        path = self.path(kind, suffix)
        path.write_bytes(data)
        self.listed(kind, path)


def cover(picture, width, height):
    """Scaled until it covers width x height, and cut to that from the middle."""
    scale = max(width / picture.width, height / picture.height)
    size = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return picture.resize(size, Image.Resampling.LANCZOS).crop((left, top, left + width, top + height))


def stretched(picture, width, height):
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def cut(picture, number):
    """A part of the picture, of a size that no other number has."""
    width = picture.width * (40 + number * 7 % 53) // 100
    height = picture.height * (40 + number * 11 % 53) // 100
    left = (picture.width - width) * (number * 13 % 29) // 29
    top = (picture.height - height) * (number * 17 % 31) // 31
    return picture.crop((left, top, left + width, top + height))


def faded(picture, number):
    """The picture with an alpha channel that has every value."""
    x = np.arange(picture.width)[None, :] * (1 + number % 5)
    y = np.arange(picture.height)[:, None] * (1 + number % 3)
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(((x + y) % 256).astype(np.uint8)))
    return picture


def inked(picture):
    """CMYK with as much black as there is, as printers have it; Pillow's own has none."""
    ink = 255 - np.asarray(picture, np.int32)
    black = ink.min(axis=2, keepdims=True)
    colours = (ink - black) * 255 // np.maximum(255 - black, 1)
    return Image.fromarray(np.dstack([colours, black]).astype(np.uint8), "CMYK")


def sixteen_bit(picture):
    """Grey with all its sixteen bits in use."""
    red, green, blue = np.moveaxis(np.asarray(picture, np.uint32), -1, 0)
    return ((red * 19595 + green * 38470 + blue * 7471) * 257 >> 16).astype(np.uint16)


def png(width, height, bits, colour, rows):
    """A PNG that Pillow does not write; `rows` are the samples, big-endian. Stored, so that no zlib changes the bytes."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def as_they_are(corpus):
    for source in sorted(p for p in GALLERY.rglob("*") if p.suffix in (".jpg", ".png", ".webp")):
        corpus.copy("gallery", source)
    good = [row["file"] for row in json.loads((FIXTURES / "images/manifest.json").read_text()) if row["outcome"] == "ok"]
    for name in good:
        if name not in SIXTEEN_BIT_COLOUR:
            corpus.copy("fixtures", FIXTURES / "images" / name)
    for folder in ("lit-b0/images", "preprocess/source"):
        for source in sorted((FIXTURES / folder).iterdir()):
            corpus.copy("fixtures", source)


def photos(corpus, pictures):
    """Photographs as they come from shops and cameras: crops, thumbnails, reductions, enlargements."""
    for number, picture in enumerate(pictures):
        corpus.save("crop-png", cut(picture, number), ".png")
        corpus.save("crop-jpeg", cut(picture, number + 100), ".jpg", quality=85 + number % 11)
        corpus.save("thumbnail-jpeg", cover(picture, 60, 80), ".jpg", quality=75 + number % 21)
        if number % 2:
            corpus.save("thumbnail-png", cover(picture, *((80, 60), (60, 80), (64, 64))[number // 2 % 3]), ".png")
        share = 25 + number
        small = stretched(picture, picture.width * share // 100, picture.height * share // 100)
        corpus.save("reduced-jpeg", small, ".jpg", quality=60 + number * 3 % 36)
        if number % 3 == 0:
            large = stretched(picture, picture.width * 5 // 2 + number, picture.height * 5 // 2 - number)
            corpus.save("enlarged-jpeg", large, ".jpg", quality=88)
    for number, (width, height) in enumerate([(4000, 3000), (3000, 4000), (4032, 3024), (3264, 2448), (2448, 3264), (2500, 2500)]):
        large = cover(pictures[40 + number * 2], width, height)
        corpus.save("large-jpeg", large, ".jpg", quality=80 + number * 3, subsampling=(2, 0)[number % 2], progressive=number == 3)
    corpus.save("large-png", cover(pictures[44], 4000, 3000), ".png", compress_level=1)
    corpus.save("large-png", cover(pictures[46], 2001, 3001), ".png", compress_level=1)


def jpegs(corpus, pictures):
    for number, picture in enumerate(pictures):
        picture = cut(picture, number + 50)
        for step in range(2):
            turn = number * 2 + step
            corpus.save(
                ("jpeg-444", "jpeg-422", "jpeg-420")[turn % 3], picture, ".jpg", subsampling=turn % 3,
                quality=(5, 15, 30, 50, 70, 80, 90, 95, 100)[turn // 3 % 9], progressive=turn % 4 == 3, optimize=turn % 5 == 4)
        if number % 2:
            corpus.save("jpeg-progressive", picture, ".jpg", quality=50 + number, subsampling=number // 2 % 3, progressive=True)
        if number % 3 == 0:
            corpus.save("jpeg-grey", picture.convert("L"), ".jpg", quality=70 + number // 2)
        if number % 3 == 1:
            corpus.save("jpeg-cmyk", inked(picture), ".jpg", quality=70 + number // 2)
        if number % 4 == 0:
            corpus.save("jpeg-restarts", picture, ".jpg", quality=80, restart_marker_rows=1 + number % 3)


def transparent(corpus, pictures, things):
    for number, thing in enumerate(things):
        corpus.save("png-rgba", thing if number % 2 else thing.resize((97 + number, 211 + number)), ".png")
        if number % 3 == 0:
            corpus.save("png-la", thing.convert("LA"), ".png")
        if number % 3 == 1:
            corpus.save("png-palette-alpha", thing.quantize(32 + number * 2, Image.Quantize.FASTOCTREE), ".png")
        if number % 3 == 2:
            corpus.save("webp-lossless-alpha", thing, ".webp", lossless=True)
        if number % 6 == 0:
            corpus.save("webp-lossy-alpha", thing, ".webp", quality=30 + number * 2 // 3)
    for number, picture in enumerate(pictures):
        picture = cut(picture, number + 150)
        if number % 2:
            corpus.save("png-rgba", faded(picture, number), ".png")
        if number % 5 == 0:
            colour = picture.getpixel((0, 0))
            corpus.save("png-transparent-colour", picture, ".png", transparency=colour)
        if number % 5 == 1:
            corpus.save("png-la", faded(picture, number).convert("LA"), ".png")
        if number % 5 == 2:
            corpus.save("tiff-rgba", faded(picture, number), ".tiff", compression=(None, "tiff_lzw", "tiff_adobe_deflate")[number % 3])


def shallow_and_deep(corpus, pictures):
    """One, two, four, eight and sixteen bits a sample."""
    for number, picture in enumerate(pictures):
        picture = cut(picture, number + 200)
        if number % 2 == 0:
            corpus.save("png-grey", picture.convert("L"), ".png")
        if number % 3 == 0:
            palette = picture.quantize((2, 4, 16, 37, 200, 256)[number // 3 % 6])
            corpus.save("png-palette", palette, ".png")
        if number % 6 == 1:
            corpus.save("png-one-bit", picture.convert("1"), ".png")
        if number % 2 == 1:
            corpus.save("png-grey16", Image.fromarray(sixteen_bit(picture)), ".png")
        if number % 6 == 2:
            corpus.save("tiff-grey16", Image.fromarray(sixteen_bit(picture)), ".tiff", compression=(None, "tiff_lzw")[number // 6 % 2])
        if number % 6 == 3:
            # Bytes told twice: cutting off and rounding give the same.
            rows = [np.repeat(row, 2).tobytes() for row in np.asarray(picture).reshape(picture.height, -1)]
            corpus.write("png-rgb16", png(*picture.size, 16, 2, rows), ".png")
        if number % 6 == 4:
            rows = [np.repeat(row, 2).tobytes() for row in np.asarray(faded(picture, number)).reshape(picture.height, -1)]
            corpus.write("png-rgba16", png(*picture.size, 16, 6, rows), ".png")


def turned(corpus, pictures):
    """Everything a camera can note, in every format that can hold it."""
    for number, source in enumerate((pictures[3], pictures[45])):
        for orientation in range(1, 9):
            picture = cut(source, number * 8 + orientation)
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            corpus.save("turned-jpeg", picture, ".jpg", quality=92, exif=exif)
            corpus.save("turned-png", picture, ".png", exif=exif)
            corpus.save("turned-webp", picture, ".webp", lossless=True, exif=exif)
            corpus.save("turned-tiff", picture, ".tiff", tiffinfo={ORIENTATION: orientation})


def sizes(corpus, pictures):
    number = 0

    def add(kind, width, height, how=cover):
        nonlocal number
        corpus.save(kind, how(pictures[number * 5 % len(pictures)], width, height), ".png")
        number += 1

    around = (223, 224, 225, 255, 256, 257)
    for width in around:
        for height in around:
            add("around-224-256", width, height)
    for edge in (231, 232, 233, 245, 246, 247, 447, 448, 449):
        add("around-edges", edge, edge * 4 // 3)
        add("around-edges", edge * 3 // 2, edge)
    primes = (2, 3, 5, 7, 11, 13, 31, 61, 97, 127, 211, 227, 257, 331, 499, 601, 797, 997)
    for place, width in enumerate(primes):
        add("primes", width, primes[-1 - place])
        add("primes", width, primes[(place * 7 + 3) % len(primes)], stretched)
    for short, ratio in [(120, 2), (100, 3), (90, 4), (77, 5), (64, 7), (41, 10), (33, 15), (30, 20), (25, 30), (24, 50), (300, 5), (230, 9)]:
        for width, height in ((short * ratio + 1, short), (short, short * ratio + 1)):
            add("long", width, height)
            add("long", width, height, stretched)
    for length in (1, 2, 3, 4, 17, 60, 100, 223, 224, 225, 500):
        add("one-pixel", 1, length, stretched)
        if length > 1:
            add("one-pixel", length, 1, stretched)
    for length in (1, 2, 3, 40, 150, 300):
        for thin in (2, 3):
            add("few-pixels", thin, length, stretched)
            add("few-pixels", length, thin, stretched)


def other_formats(corpus, pictures, things):
    for number, picture in enumerate(pictures):
        picture = cut(picture, number + 250)
        corpus.save("webp-lossy", picture, ".webp", quality=(10, 30, 50, 75, 80, 90, 100)[number % 7], method=number % 7)
        if number % 2:
            corpus.save("webp-lossless", picture, ".webp", lossless=True, method=number % 5)
        else:
            corpus.save("gif", picture.quantize((4, 16, 60, 256)[number // 2 % 4]), ".gif", interlace=number // 8 % 2)
        if number % 2:
            mode = ("RGB", "RGB", "L", "1", "P")[number // 2 % 5]
            corpus.save("bmp", picture.quantize() if mode == "P" else picture.convert(mode), ".bmp")
        else:
            mode = ("RGB", "L", "CMYK", "1", "P")[number // 2 % 5]
            compression = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")[number // 2 % 4]
            converted = picture.quantize() if mode == "P" else inked(picture) if mode == "CMYK" else picture.convert(mode)
            corpus.save("tiff-" + mode.lower(), converted, ".tiff", compression=compression)
    for number in range(0, len(things), 4):
        thing = things[number]
        corpus.save("gif-transparent", thing.quantize(64, Image.Quantize.FASTOCTREE), ".gif")
        if number % 16 == 0:
            frames = [things[number + step].quantize(64, Image.Quantize.FASTOCTREE) for step in range(3)]
            corpus.save("gif-animated", frames[0], ".gif", save_all=True, append_images=frames[1:], duration=80)
            corpus.save("webp-animated", thing, ".webp", save_all=True, append_images=things[number + 1:number + 3], lossless=True)


def build(folder=FOLDER):
    """Writes all pictures below `folder`; returns the index."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    corpus, pictures, things = Corpus(folder), photographs(), objects()
    as_they_are(corpus)
    photos(corpus, pictures)
    jpegs(corpus, pictures)
    transparent(corpus, pictures, things)
    shallow_and_deep(corpus, pictures)
    turned(corpus, pictures)
    sizes(corpus, pictures)
    other_formats(corpus, pictures, things)
    (folder / "index.json").write_text(json.dumps(corpus.index, indent=0) + "\n")
    return corpus.index


def stamp(index):
    """One digest of the whole corpus."""
    return hashlib.sha256("".join(row["sha256"] for row in index).encode()).hexdigest()[:16]


def also(folder):
    """Index of the pictures below a folder that Pillow opens; nothing about them is known beforehand."""
    index = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            with Image.open(path) as picture:
                kind, exact, (width, height) = picture.format.lower(), is_exact(picture), picture.size
        except Exception:
            continue
        # The references resize all of a long strip, and need gigabytes for what a crop leaves of it.
        if width * height > MOST_PIXELS or max(width, height) > 500 * min(width, height):
            continue
        index.append({"path": str(path), "kind": f"also-{kind}", "exact": exact})
    return index


if __name__ == "__main__":
    index = build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    kinds = {}
    for row in index:
        kinds.setdefault(row["kind"], []).append(row)
    for kind, rows in kinds.items():
        print(f"{len(rows):5} {kind}")
    print(f"{len(index):5} in all, {sum(row['exact'] for row in index)} of them to the bit, stamp {stamp(index)}")
