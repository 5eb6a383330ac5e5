"""Rebuilds objects/ and its rows of names.csv from the npm package of Fluent 3D emoji.

    pip install -r requirements.txt
    python build.py [the package's .tgz, if it is already here]

Every object is painted in one colour, in OKLab. For each pixel:
  lightness  = target's + 0.75 * (pixel's - median of the object's opaque pixels), kept within 0.04 .. 0.97:
               light and shade stay, the whole moves to the colour's own lightness;
  hue        = target's;
  chroma     = target's * min(1, L / Lt, (1 - L) / (1 - Lt)) ** 0.6, then lowered in steps of 7 % until the
               colour is one that sRGB has: it fades towards black and white, as on a real thing;
  alpha      = unchanged.
Saved as lossy WebP with exact alpha. The same pins give the same bytes.
"""
import csv, hashlib, io, shutil, subprocess, sys, tarfile, tempfile, zlib
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
SHA256 = "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58"
LICENCE = "MIT"

KINDS = {  # the word used in names and queries -> the emoji's code point
    "backpack": "1f392",
    "handbag": "1f45c",
    "dress": "1f457",
    "t-shirt": "1f455",
    "cap": "1f9e2",
    "running shoe": "1f45f",
    "high-heeled shoe": "1f460",
    "scarf": "1f9e3",
    "gloves": "1f9e4",
    "umbrella": "2602-fe0f",
    "wrist watch": "231a",
    "sunglasses": "1f576-fe0f",
}
COLOURS = {
    "red": (214, 24, 32),
    "orange": (245, 124, 16),
    "green": (28, 150, 50),
    "blue": (24, 84, 214),
    "purple": (124, 36, 168),
    "pink": (250, 130, 180),
    "black": (30, 30, 32),
}

# sRGB <-> OKLab (Bjoern Ottosson's matrices)
TO_LMS = np.array([[.4122214708, .5363325363, .0514459929],
                   [.2119034982, .6806995451, .1073969566],
                   [.0883024619, .2817188376, .6299787005]])
TO_LAB = np.array([[.2104542553, .7936177850, -.0040720468],
                   [1.9779984951, -2.4285922050, .4505937099],
                   [.0259040371, .7827717662, -.8086757660]])
FROM_LMS, FROM_LAB = np.linalg.inv(TO_LMS), np.linalg.inv(TO_LAB)


def oklab(srgb):
    linear = np.where(srgb <= .04045, srgb / 12.92, ((srgb + .055) / 1.055) ** 2.4)
    return np.cbrt(linear @ TO_LMS.T) @ TO_LAB.T


def linear_rgb(lab):
    lms = lab @ FROM_LAB.T
    return lms * lms * lms @ FROM_LMS.T


def srgb(linear):
    c = np.clip(linear, 0, 1)
    return np.where(c <= .0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - .055)


def recolour(picture, colour):
    rgba = np.asarray(picture.convert("RGBA"), np.float64) / 255
    alpha = rgba[..., 3]
    light = oklab(rgba[..., :3])[..., 0]
    t, a, b = oklab(np.array(colour) / 255)
    light = np.clip(t + .75 * (light - np.median(light[alpha > .5])), .04, .97)
    chroma = np.clip(np.minimum(light / t, (1 - light) / (1 - t)), 0, 1) ** .6
    for _ in range(24):
        linear = linear_rgb(np.stack([light, a * chroma, b * chroma], -1))
        outside = ((linear < -1e-4) | (linear > 1.0001)).any(-1)
        if not outside.any():
            break
        chroma = np.where(outside, chroma * .93, chroma)
    out = np.dstack([srgb(linear), alpha])
    return Image.fromarray(np.rint(out * 255).astype(np.uint8), "RGBA")


def price(name):
    """A made-up price that depends on the name alone."""
    return 9 + zlib.crc32(name.encode()) % 191


def package(argument):
    if argument:
        data = Path(argument).read_bytes()
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            data = next(Path(folder).glob("*.tgz")).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"{PACKAGE}: sha256 is {found}, expected {SHA256}; the package is not the one this gallery is made of")
    return tarfile.open(fileobj=io.BytesIO(data))


def main():
    tar = package(sys.argv[1] if len(sys.argv) > 1 else None)
    folder = HERE / "objects"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rows = []
    for kind, code in KINDS.items():
        asset = f"assets/{code}.webp"
        picture = Image.open(tar.extractfile(f"package/{asset}")).convert("RGBA")
        picture = picture.resize((256, 256), Image.LANCZOS)
        for colour, rgb in COLOURS.items():
            name = f"{colour} {kind}"
            path = folder / (name.replace(" ", "-") + ".webp")
            recolour(picture, rgb).save(path, quality=90, alpha_quality=100)
            title = name.title()
            rows.append(dict(path=f"objects/{path.name}", productDisplayName=title, kind=kind, colour=colour,
                             licence=LICENCE, price=price(title), source=f"npm {PACKAGE} {asset}, recoloured"))
    # the rows of the photographs are written by hand and kept
    with open(HERE / "names.csv", encoding="utf-8", newline="") as f:
        reader = csv.DictReader(f)
        header, kept = reader.fieldnames, [r for r in reader if not r["path"].startswith("objects/")]
    with open(HERE / "names.csv", "w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows + kept)


main()
