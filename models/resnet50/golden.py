"""Reference results of model.onnx, for tests of other implementations.

usage: golden.py            golden/*.png -> golden/golden.json, the vectors of the small pictures, and gallery.json, the labels of
                            every picture in tests/gallery
       golden.py <photos>   also, before that: the small pictures themselves

Preprocessing: upright RGB on white; Pillow bicubic (antialiased) to shortest edge 256, the other edge int(256 * long / short); centre
crop 224, offset floor((edge - 224) / 2); float32; BGR; minus the mean; NCHW.
"""
import base64
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
import PIL
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
GALLERY = HERE.parents[1] / "tests" / "gallery"
RESIZE, CROP = 256, 224
MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
PREPROCESSING = {
    "colour": "BGR", "resize": "shortest edge, other edge truncated", "size": RESIZE, "filter": "bicubic, antialiased",
    "crop": "centre, offset floored", "crop_size": CROP, "scale": 1.0, "mean": [103.939, 116.779, 123.68], "std": [1.0, 1.0, 1.0],
}
# All CC0: a wide, an upright, a very wide and a square-ish one.
SMALL = ["chelsea.png", "acanthus-mollis.jpg", "french-alpine-landscape.jpg", "coffee.png"]
SMALL_EDGE = 320


def upright_rgb(path):
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (255, 255, 255, 255)), picture)
    return picture.convert("RGB")


def preprocess(picture):
    width, height = picture.size
    short = min(width, height)
    size = (RESIZE * width // short, RESIZE * height // short)
    left, top = (size[0] - CROP) // 2, (size[1] - CROP) // 2
    picture = picture.resize(size, Image.BICUBIC).crop((left, top, left + CROP, top + CROP))
    return (np.asarray(picture, np.float32)[:, :, ::-1] - MEAN_BGR).transpose(2, 0, 1)


class Model:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.labels = (HERE / "labels.txt").read_text().splitlines()

    def run(self, pixels):
        embedding, probabilities = self.session.run(["embedding", "probabilities"], {"image": pixels[None]})
        best = np.argsort(-probabilities[0], kind="stable")[:5]
        return embedding[0], [[self.labels[i], round(float(probabilities[0][i]), 4)] for i in best]


def dump(path, content):
    made_with = "onnxruntime %s, Pillow %s, one picture at a time" % (onnxruntime.__version__, PIL.__version__)
    path.write_text(json.dumps({"made_with": made_with, "preprocessing": PREPROCESSING, **content}, indent=1) + "\n")


def small_pictures(photos):
    (HERE / "golden").mkdir(exist_ok=True)
    for name in SMALL:
        picture = upright_rgb(photos / name)
        picture.thumbnail((SMALL_EDGE, SMALL_EDGE), Image.BICUBIC, reducing_gap=None)
        picture.save(HERE / "golden" / (Path(name).stem + ".png"), optimize=True)


def gallery(model):
    rows = []
    for path in sorted(GALLERY.glob("*/**/*")):
        if path.suffix in (".jpg", ".png", ".webp"):
            best = model.run(preprocess(upright_rgb(path)))[1]
            rows.append({"file": path.relative_to(GALLERY).as_posix(), "top1": best[0][0], "score": best[0][1], "second": best[1][1]})
    dump(HERE / "gallery.json", {"pictures": rows})


def vectors(model):
    rows = []
    for path in sorted((HERE / "golden").glob("*.png")):
        pixels = preprocess(upright_rgb(path))
        embedding, top5 = model.run(pixels)
        rows.append({
            "file": path.name, "top1": top5[0][0], "top5": top5,
            "pixel_mean_bgr": [round(float(value), 3) for value in pixels.astype(np.float64).mean((1, 2))],
            "norm": round(float(np.linalg.norm(embedding.astype(np.float64))), 4),
            "first8": [round(float(value), 5) for value in embedding[:8]],
            "embedding": base64.b64encode(embedding.astype("<f4").tobytes()).decode(),
        })
    dump(HERE / "golden" / "golden.json", {"encoding": "embedding: base64 of 2048 little-endian float32", "pictures": rows})


def main():
    model = Model()
    if len(sys.argv) > 1:
        small_pictures(Path(sys.argv[1]))
    vectors(model)
    gallery(model)


if __name__ == "__main__":
    main()
