"""Makes the golden pictures of this folder out of the photographs in tests/gallery. The same bytes with the same Pillow.

usage: python models/golden/build.py      (needs Pillow as pinned in models/export/requirements-reference.txt)

Each one is there for something that a picture can get wrong on its way to a model:
  cat.png      a photograph, lossless, of a shape whose long side and crop change with their rounding: nothing but the resize
  coffee.jpg   baseline JPEG, colours at half the resolution (4:2:0), odd sides: the decoder's own choices
  shirt.jpg    stored lying, upright by its EXIF orientation (6): the rotation
  shoes.png    a photograph with soft and full transparency: the white ground
  canyon.png   25 times as wide as high: rounding of the long side, a crop far from the edge
"""
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
GALLERY = HERE.parents[1] / "tests" / "gallery"


def photo(name, width, height):
    """The middle of a photograph that has the shape of `width` x `height`, in that size."""
    picture = Image.open(GALLERY / name).convert("RGB")
    scale = max(width / picture.width, height / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def vignette(width, height):
    """Opacity that falls from 255 in the middle to 0 in the corners, by way of every value between."""
    x = np.linspace(-1, 1, width)[None, :]
    y = np.linspace(-1, 1, height)[:, None]
    return Image.fromarray(np.clip((1.5 - np.hypot(x, y) * 1.3) * 255, 0, 255).astype(np.uint8))


def main():
    photo("photos/chelsea.png", 203, 125).save(HERE / "cat.png", optimize=True)
    photo("photos/coffee.jpg", 241, 161).save(HERE / "coffee.jpg", quality=88, subsampling="4:2:0")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be shown turned by 90 degrees clockwise
    lying = photo("fashion/shirt/a85064d6.jpg", 180, 240).transpose(Image.Transpose.ROTATE_90)
    lying.save(HERE / "shirt.jpg", quality=85, subsampling="4:4:4", exif=exif)
    shoes = photo("fashion/shoes/454fd50e.jpg", 160, 117)
    shoes.putalpha(vignette(*shoes.size))
    shoes.save(HERE / "shoes.png", optimize=True)
    photo("photos/black-canyon.jpg", 400, 16).save(HERE / "canyon.png", optimize=True)


if __name__ == "__main__":
    main()
