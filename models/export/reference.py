"""Writes a model's reference.json: what its reference makes of the golden pictures and of a few texts.

usage: python models/export/reference.py NAME|FOLDER[:VARIANT] ...      a variant's file is reference.VARIANT.json

Nothing here comes from this project's own program: pictures are opened, resized and scaled by Pillow and numpy, by
transformers' image processor where the manifest's [proof] names it, texts are cut into tokens by transformers or
tokenizers, and the graphs run in onnxruntime. `models doctor NAME` then holds the program against the file.

Where a model's weights are not on this machine its vectors are null, and the rest is written all the same.
The exporters beside this file use it as a module, and give vectors of the framework that the checkpoint is from.
"""
import argparse
import base64
import hashlib
import html
import json
import os
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Without this transformers warns that there is no torch, which is as it should be.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
from PIL import Image, ImageOps

MODELS = Path(__file__).resolve().parents[1]
GOLDEN = MODELS / "golden"
PICTURES = ["cat.png", "coffee.jpg", "shirt.jpg", "shoes.png", "canyon.png"]
TEXTS = [
    "a photo of a cat",
    "hello world",
    "RED DRESS, Size XL!!! (50% off)",
    "Café crème à São Paulo – déjà vu",
    "一只猫坐在红色的椅子上",
    "running shoes 👟🔥 for women 👩🏽‍🦱",
    "",
    "  two   spaces,\ta tab\nand a new line ",
    "black &amp; white “quotes”, it’s",
    " ".join("number %d of a list of things that is longer than any model reads," % i for i in range(1, 16)),
]
# First numbers of normalised vectors that others have published, by model and text.
PUBLISHED = {
    "clip-vit-b-32": {
        "hello world": {
            "first": [0.0083, 0.0103, -0.0138, 0.0199, -0.0069],
            "within": 0.00006,  # they are rounded to four decimals
            "from": "fastembed, tests/test_text_onnx_embeddings.py, Qdrant/clip-ViT-B-32-text",
        }
    },
    "siglip2-b-16": {
        "hello world": {
            "first": [-0.01181389, 0.00737596, 0.01118064, 0.0103095, 0.3451049],
            "within": 0.001,  # the tolerance of that test: another export of the same weights
            "from": "fastembed, tests/test_text_onnx_embeddings.py, google/siglip2-base-patch16-224",
        }
    },
}
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


class Problem(Exception):
    """Something that the user can put right: what is wrong, and what to do."""

    def __init__(self, what, hint):
        super().__init__(what)
        self.hint = hint


def run(main):
    """Runs `main`, and ends with status 1 and two lines where it meets a Problem."""
    try:
        main()
    except ModuleNotFoundError as error:
        problem = Problem("the Python package %s is not installed" % error.name,
                          "pip install -r models/export/requirements-%s.txt" % Path(sys.argv[0]).stem)
    except Problem as found:
        problem = found
    else:
        return
    print("error: %s\nhint: %s" % (problem, problem.hint), file=sys.stderr)
    sys.exit(1)


# Pictures

def open_picture(path):
    """Upright, transparency on white, RGB."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode in ("LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if picture.mode == "RGBA":
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture.convert("RGB"), mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB")


def whole(rule, value):
    """A length as whole pixels: cut off, or to the nearest with halves to even."""
    return int(value) if rule == "floor" else round(value)


def resized(vision, picture):
    """The picture as the manifest's [vision.resize] says, still bytes."""
    rule = vision["resize"]
    kernel = FILTERS[rule["filter"]]
    target = (vision["width"], vision["height"])
    if rule["rule"] == "exact":
        return picture.resize(target, kernel)
    short = min(picture.size)
    size = tuple(
        rule["edge"] if side == short else whole(rule["long_side"], rule["edge"] * side / short) for side in picture.size
    )
    left, top = (whole(rule["crop_offset"], (have - want) / 2) for have, want in zip(size, target))
    return picture.resize(size, kernel).crop((left, top, left + target[0], top + target[1]))


def scaled(vision, picture):
    """Bytes to the tensor that the graph takes, without its batch axis."""
    pixels = np.asarray(picture, np.float32)
    if vision["channels"] == "bgr":
        pixels = pixels[:, :, ::-1]
    divide_by, mean, std = (np.asarray(vision[key], np.float32) for key in ("divide_by", "mean", "std"))
    pixels = (pixels / divide_by - mean) / std
    return np.ascontiguousarray(pixels if vision["layout"] == "nhwc" else pixels.transpose(2, 0, 1))


def processor(vision, reference):
    """The image processor of transformers that `reference` names, set as the manifest says; None where it names none."""
    found = re.search(r"\b(CLIP|Siglip|ViT)ImageProcessor\b", reference)
    if not found:
        return None
    from transformers.models.clip.image_processing_clip import CLIPImageProcessor
    from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor
    from transformers.models.vit.image_processing_vit import ViTImageProcessor

    rule = vision["resize"]
    edges = {"height": vision["height"], "width": vision["width"]}
    settings = {
        "resample": int(FILTERS[rule["filter"]]), "rescale_factor": 1 / vision["divide_by"],
        "image_mean": vision["mean"], "image_std": vision["std"],
    }
    if found[1] == "CLIP" and rule["rule"] == "shortest-edge":
        return CLIPImageProcessor(size={"shortest_edge": rule["edge"]}, crop_size=edges, **settings)
    kind = {"CLIP": CLIPImageProcessor, "Siglip": SiglipImageProcessor, "ViT": ViTImageProcessor}[found[1]]
    if found[1] == "CLIP":
        settings["do_center_crop"] = False
    return kind(size=edges, **settings)


def prepare(vision, picture, reference=""):
    """The resized picture as bytes [height, width, 3], and the tensor of the graph."""
    pixels = np.asarray(resized(vision, picture))
    tensor = scaled(vision, Image.fromarray(pixels))
    package = processor(vision, reference)
    if package is None:
        return pixels, tensor
    # The package has the say; the plain form must agree with it, or the manifest says something else than the package does.
    theirs = package(picture, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
    theirs = np.asarray(theirs).transpose(1, 2, 0).astype(np.uint8)
    values = np.asarray(package(picture, return_tensors="np")["pixel_values"][0], np.float32)
    if vision["channels"] == "bgr" or vision["layout"] != "nchw":
        raise Problem("%s gives RGB planes, and the manifest asks for something else" % type(package).__name__,
                      "correct [vision] layout and channels, or [proof] reference, in model.toml")
    if not np.array_equal(theirs, pixels):
        raise Problem("%s gives other pixels than the manifest's [vision] (%d of %d bytes)"
                      % (type(package).__name__, (theirs != pixels).sum(), pixels.size),
                      "correct [vision.resize] in model.toml: rounding, filter, or rule")
    if np.abs(values - tensor).max() > 1e-6:
        raise Problem("%s gives other numbers than the manifest's [vision] (by %g)"
                      % (type(package).__name__, np.abs(values - tensor).max()),
                      "correct divide_by, mean and std in model.toml")
    return theirs, values


# Texts

class Tokeniser:
    """Token ids as the manifest's [text] says: special tokens, no padding, cut so that the closing token stays."""

    def __init__(self, folder, text, reference):
        from tokenizers import Tokenizer

        path = folder / text["tokenizer"]
        self.text = text
        self.plain = Tokenizer.from_file(str(path))
        self.plain.no_padding()
        self.plain.enable_truncation(text["context_length"])
        self.package = None
        if "CLIPTokenizer" in reference:
            from transformers import CLIPTokenizerFast

            self.package = CLIPTokenizerFast(tokenizer_file=str(path))

    def ids(self, text):
        if self.text.get("clean") == "openai":
            import ftfy

            text = html.unescape(html.unescape(ftfy.fix_text(text)))
            text = re.sub(r"\s+", " ", text.strip()).strip()
        if self.text.get("lower_case"):
            text = text.lower()
        ids = self.plain.encode(text).ids
        if self.package is not None:
            theirs = self.package(text, truncation=True, max_length=self.text["context_length"])["input_ids"]
            if theirs != ids:
                raise Problem("CLIPTokenizerFast and tokenizers differ on %r: %s, %s" % (text, theirs, ids),
                              "look for another tokenizer.json, or other versions of the two packages")
        return ids

    def padded(self, ids):
        """The ids and the attention mask of a batch of one."""
        length = self.text["context_length"] if self.text["padding"] == "fixed" else len(ids)
        fill = length - len(ids)
        return np.array([ids + [self.text["pad_id"]] * fill]), np.array([[1] * len(ids) + [0] * fill])


# Graphs

class Graph:
    """One ONNX graph of the manifest, run on one item at a time."""

    TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32}

    def __init__(self, folder, settings, inputs):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        source = str(folder / settings["file"])
        if settings.get("cut"):
            import onnx
            from onnx.utils import Extractor

            model = onnx.shape_inference.infer_shapes(onnx.load(source))
            source = Extractor(model).extract_model(inputs, [settings["output"]]).SerializeToString()
        self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.settings = settings

    def __call__(self, **inputs):
        mask = inputs.get(self.settings.get("attention_mask", ""))
        batch = self.settings.get("batch", 1)
        feeds = {
            told.name: np.repeat(inputs[told.name], batch, 0).astype(self.TYPES[told.type])
            for told in self.session.get_inputs()
        }
        output = self.session.run([self.settings["output"]], feeds)[0][:1]
        return pool(self.settings.get("pooling", "none"), output, mask)[0].astype(np.float32)


def pool(rule, output, mask):
    """One vector an item, as the manifest's `pooling` says."""
    if rule == "cls":
        return output[:, 0]
    if rule == "global-average":
        return output.mean((2, 3))
    if rule == "mean":
        weights = np.ones(output.shape[:2], output.dtype) if mask is None else mask.astype(output.dtype)
        return (output * weights[:, :, None]).sum(1) / weights.sum(1)[:, None]
    return output


def finish(folder, manifest, side, pooled):
    """From the pooled vector to the one that is stored: dense layer, then length 1."""
    dense = manifest[side].get("dense")
    vector = pooled.astype(np.float64)
    if dense:
        from safetensors.numpy import load_file

        vector = load_file(folder / dense["file"])[dense["tensor"]].astype(np.float64) @ vector
    if manifest["normalise"] == "l2":
        vector = vector / np.linalg.norm(vector)
    return vector.astype(np.float32)


def graphs(folder, manifest):
    """Functions from tensor and from ids to pooled vector, None where the model or this machine has no such graph."""
    image = text = None
    settings = manifest["vision"].get("onnx")
    if settings and (folder / settings["file"]).is_file():
        vision = Graph(folder, settings, [settings["input"]])
        image = lambda tensor: vision(**{settings["input"]: tensor[None]})
    settings_text = manifest.get("text", {}).get("onnx")
    if settings_text and (folder / settings_text["file"]).is_file():
        names = [settings_text[key] for key in ("input_ids", "attention_mask") if key in settings_text]
        words = Graph(folder, settings_text, names)
        text = lambda ids, mask: words(**dict(zip(names, (ids, mask))))
    return image, text


# reference.json

def encoded(values, kind="<f4"):
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def sha256(values, kind):
    return hashlib.sha256(np.ascontiguousarray(values).astype(kind).tobytes()).hexdigest()


def sample(pixels):
    """The places of 16 x 16 pixels in the middles of as many equal fields: [row, column, channel]."""
    height, width = pixels.shape[:2]
    rows, columns = ([(2 * i + 1) * side // 32 for i in range(16)] for side in (height, width))
    return pixels[np.ix_(rows, columns)]


def image_entry(folder, manifest, name, reference, embed):
    vision = manifest["vision"]
    picture = open_picture(GOLDEN / name)
    decoded = np.asarray(picture)
    pixels, tensor = prepare(vision, picture, reference)
    pooled = embed(tensor) if embed else None
    # Without a graph the tensor is the vector; to write it twice would only make the file larger.
    vector = tensor.reshape(-1) if "onnx" not in vision else pooled
    as_rows = tensor if vision["layout"] == "nhwc" else tensor.transpose(1, 2, 0)
    bytes_of = lambda pixels: {
        "width": pixels.shape[1], "height": pixels.shape[0], "sha256": sha256(pixels, "u1"), "sample": encoded(sample(pixels), "u1"),
    }
    return {
        "picture": name,
        "decoded": bytes_of(decoded),
        "resized": bytes_of(pixels),
        "tensor": {"sha256": sha256(tensor, "<f4"), "sample": encoded(sample(as_rows))},
        "pooled": None if pooled is None else encoded(pooled),
        "embedding": None if vector is None else encoded(finish(folder, manifest, "vision", vector)),
    }


def text_entry(folder, manifest, text, tokeniser, embed):
    ids = tokeniser.ids(text)
    pooled = embed(*tokeniser.padded(ids)) if embed else None
    return {
        "text": text,
        "ids": ids,
        "pooled": None if pooled is None else encoded(pooled),
        "embedding": None if pooled is None else encoded(finish(folder, manifest, "text", pooled)),
        **published(manifest).get(text, {}),
    }


def published(manifest):
    return PUBLISHED.get(manifest["name"].split(":")[0], {})


def versions(*packages):
    """Names and versions of what is installed of `packages`."""
    told = []
    for package in packages:
        try:
            told.append("%s %s" % (package, version(package)))
        except PackageNotFoundError:
            pass
    return ", ".join(told)


def load(folder):
    path = folder / "model.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem("%s is not there" % path, "give the name of a folder in models/, or the path of a model's folder") from None
    except tomllib.TOMLDecodeError as error:
        raise Problem("%s: %s" % (path, error), "correct the file") from None


def variant(folder, manifest, name):
    """The manifest with the keys of [variants.NAME] laid over it, as the program does: tables merge, another rule replaces."""
    def lay(below, above):
        for key, value in above.items():
            merges = isinstance(value, dict) and isinstance(below.get(key), dict) and not {"rule", "kind"} & set(value)
            below[key] = lay(dict(below[key]), value) if merges else value
        return below

    variants = manifest.get("variants", {})
    if name not in variants:
        raise Problem("%s has no variant %r" % (folder / "model.toml", name), "it has: %s" % (", ".join(variants) or "none"))
    return lay(dict(manifest), variants[name])


def write(folder, manifest, image, text, reference, packages, file="reference.json"):
    """Writes reference.json. `image` takes a tensor, `text` ids and mask of a batch of one; both give the pooled vector."""
    images = [image_entry(folder, manifest, name, reference, image) for name in PICTURES]
    texts = []
    if "text" in manifest and (folder / manifest["text"]["tokenizer"]).is_file():
        tokeniser = Tokeniser(folder, manifest["text"], reference)
        texts = [text_entry(folder, manifest, item, tokeniser, text) for item in TEXTS]
    elif "text" in manifest:
        # Without the tokeniser only what others have published is known.
        texts = [{"text": item, "ids": None, **trio} for item, trio in published(manifest).items()]
    head = {"version": 1, "reference": reference, "made_with": "%s, Python %d.%d" % (versions(*packages), *sys.version_info[:2])}
    lines = [" %s: %s" % (json.dumps(key), json.dumps(value, ensure_ascii=False)) for key, value in head.items()]
    for key, entries in (("images", images), ("texts", texts)):
        rows = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in entries)
        lines.append(" %s: [%s]" % (json.dumps(key), "\n%s\n " % rows if rows else ""))
    path = folder / file
    path.write_text("{\n%s\n}\n" % ",\n".join(lines), encoding="utf-8")
    return images, texts


def main():
    parser = argparse.ArgumentParser(description="Writes a model's reference.json.")
    parser.add_argument("models", nargs="+", metavar="NAME|FOLDER[:VARIANT]")
    for model in parser.parse_args().models:
        model, _, form = model.partition(":")
        folder = MODELS / model if (MODELS / model / "model.toml").is_file() else Path(model)
        manifest = variant(folder, load(folder), form) if form else load(folder)
        file = "reference.%s.json" % form if form else "reference.json"
        reference = manifest.get("proof", {}).get("reference", "Pillow and numpy")
        image, text = graphs(folder, manifest)
        packages = ["onnxruntime", "transformers", "tokenizers", "pillow", "numpy"]
        if not image and not text:
            packages.remove("onnxruntime")
        if "ImageProcessor" not in reference and "CLIPTokenizer" not in reference:
            packages.remove("transformers")
        if "text" not in manifest:
            packages.remove("tokenizers")
        images, texts = write(folder, manifest, image, text, reference, packages, file)
        vectors = sum(entry.get("embedding") is not None for entry in images + texts)
        print("%s: %d pictures, %d texts, %d vectors" % (folder / file, len(images), len(texts), vectors))


if __name__ == "__main__":
    run(main)
