"""Holds this crate's vectors against the reference pipelines', and writes embeddings.json for run.py's table.

    python embeddings.py            every picture and a sample of the texts of run.py
    python embeddings.py --every 9  every ninth picture; told, not written

Two kinds of rows. Trained weights (lit-b0, resnet50): Pillow and numpy by the manifest's rule, onnxruntime on the same graph;
all that can differ is decode, preprocessing, pooling, normalisation and the way the graph is driven. Made-up weights: the
layouts of tests/fixtures/graphs against the library that the architecture comes from.

Ends with 1 where a cosine is below 0.9999 (trained weights), or below 0.999 on a CMYK TIFF, which decoders read otherwise.
"""
import argparse
import base64
import json
import os
import sys
import tempfile
import tomllib
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

import reference
import run

FIXTURES = run.REPO / "tests/fixtures/graphs"
LEAST, LEAST_OTHERWISE = 0.9999, 0.999
TEXTS = 500


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


class Cosines:
    """Of one row of the table."""

    def __init__(self):
        self.exact, self.others, self.texts = [], [], []

    def row(self, **head):
        pictures = self.exact + self.others
        told = {"pictures": len(pictures), "worst_cosine": min(pictures), "mean_cosine": sum(pictures) / len(pictures)}
        if self.exact:
            told["worst_exact"] = min(self.exact)
        if self.texts:
            told |= {"texts": len(self.texts), "worst_text": min(self.texts)}
        return {**head, **{key: round(value, 7) for key, value in told.items()}}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def trained(name, ours, index, rows):
    """The reference pipeline and this crate on every picture."""
    folder = reference.MODELS / name
    manifest = tomllib.loads((folder / "model.toml").read_text())
    rule, graph = reference.Rule.of(manifest["vision"]), manifest["vision"]["onnx"]
    vision, cosines = session(folder / graph["file"]), Cosines()
    for entry in index:
        path = run.SCRATCH / "pictures" / entry["path"]
        answer = ours.ask(model=name, picture=str(path), vector=True)
        if "error" in answer:
            continue  # run.py tells of these
        tensor = rule.tensor(rule.resized(reference.opened(path)))
        right = vision.run([graph["output"]], {graph["input"]: tensor[None]})[0][0]
        (cosines.exact if entry["exact"] else cosines.others).append(cosine(answer["tensor"], right))
    if "text" in manifest:
        side, graph = manifest["text"], manifest["text"]["onnx"]
        text = session(folder / graph["file"])
        tokeniser = Tokenizer.from_file(str(folder / side["tokenizer"]))
        tokeniser.no_padding()
        tokeniser.enable_truncation(side["context_length"])
        for entry in rows[::max(1, len(rows) // TEXTS)]:
            encoded = tokeniser.encode(entry["text"])
            fed = {graph["input_ids"]: np.array([encoded.ids]), graph["attention_mask"]: np.array([encoded.attention_mask])}
            right = text.run([graph["output"]], fed)[0][0]
            cosines.texts.append(cosine(ours.ask(model=name, text=entry["text"], vector=True)["tensor"], right))
    return cosines.row(model=name, weights="trained", reference=f"Pillow, numpy, onnxruntime {onnxruntime.__version__}")


def made_up(name, ours, scratch):
    """A layout with made-up weights: the library's vectors were written when the fixture was built."""
    folder = scratch / name
    folder.mkdir()
    for file in (FIXTURES / name).iterdir():
        (folder / file.name).symlink_to(file)
    if not (folder / "tokenizer.json").exists():
        (folder / "tokenizer.json").symlink_to(reference.MODELS / "clip-vit-b-32/tokenizer.json")
    golden = json.loads((folder / "golden.json").read_text())
    manifest = tomllib.loads((folder / "model.toml").read_text())
    vector = lambda entry: np.frombuffer(base64.b64decode(entry["embedding"]), "<f4")
    cosines = Cosines()
    for entry in golden["images"]:
        answer = ours.ask(model=str(folder), picture=str(run.REPO / entry["picture"]), vector=True)
        cosines.exact.append(cosine(answer["tensor"], vector(entry)))
    for entry in golden.get("texts", []):
        answer = ours.ask(model=str(folder), text=entry["text"], vector=True)
        cosines.texts.append(cosine(answer["tensor"], vector(entry)))
    return cosines.row(model=name, weights="made-up", reference=manifest["proof"]["reference"])


def main():
    parser = argparse.ArgumentParser(description="Writes embeddings.json.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth picture only")
    every = parser.parse_args().every
    index = run.pictures.build(run.SCRATCH / "pictures")[::every]
    rows = run.texts.write(run.SCRATCH / "texts.jsonl")
    ours = run.Ours(run.built())
    table = [trained(name, ours, index, rows) for name in ("lit-b0", "resnet50")]
    with tempfile.TemporaryDirectory() as scratch:
        names = sorted(folder.name for folder in FIXTURES.iterdir() if (folder / "golden.json").is_file())
        table += [made_up(name, ours, Path(scratch)) for name in names]
    for row in table:
        print(json.dumps(row))
    if every == 1:
        run.dump("embeddings.json", table)
    bad = [row for row in table if row["weights"] == "trained" and (row["worst_cosine"] < LEAST_OTHERWISE or row["worst_exact"] < LEAST)]
    for row in bad:
        print(f"error: {row['model']} is below its bound", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
