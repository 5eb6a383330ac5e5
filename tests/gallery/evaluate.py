"""Writes expected.json: what the demo model finds in this gallery, by the reference pipeline.

    pip install -r requirements.txt
    python evaluate.py <folder with image.onnx, text.onnx, tokenizer.json>

Pipeline: Pillow open, alpha over white, bicubic to shortest edge 224 (the other edge rounded), centre crop,
/255, mean and standard deviation of the model card, NCHW, batches of one; score = dot product.
"""
import csv, json, sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import PIL
from PIL import Image
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

# queries over the photographs (photos/ and fashion/): what counts as right is a kind, or one of some paths
REAL = {
    "a cat": ["photos/chelsea.png", "photos/locomotion-house-cat.jpg"],
    "a cup of coffee": ["photos/coffee.jpg"],
    "an espresso": ["photos/coffee.jpg"],
    "a rocket": ["photos/rocket.jpg"],
    "an astronaut": ["photos/astronaut.jpg"],
    "galaxies": ["photos/hubble_deep_field.jpg"],
    "stars in the night sky": ["photos/hubble_deep_field.jpg"],
    "an airplane": ["photos/airplane-from-above.jpg"],
    "a flower": ["photos/acanthus-mollis.jpg", "photos/allium-oreophilum.jpg"],
    "boats": ["photos/nagasaki-boats.jpg"],
    "a boat on the water": ["photos/nagasaki-boats.jpg"],
    "a mountain": ["photos/french-alpine-landscape.jpg", "photos/black-canyon.jpg"],
    "mountains with snow": ["photos/french-alpine-landscape.jpg"],
    "a canyon": ["photos/black-canyon.jpg"],
    "a valley": ["photos/black-canyon.jpg", "photos/french-alpine-landscape.jpg"],
    "an old house": ["photos/dust-bowl-home.jpg"],
    "sheep": ["photos/march-pastoral.jpg"],
    "a pair of shoes": "shoes",
    "boots": ["fashion/shoes/5e577f40.jpg"],
    "white sneakers": ["fashion/shoes/454fd50e.jpg"],
    "a skirt": "skirt",
    "black skirt": ["fashion/skirt/ea6195ca.jpg"],
    "pink skirt": ["fashion/skirt/740e3cc1.jpg", "fashion/skirt/a122ba8d.jpg"],
    "a dress": "dress",
    "red dress": ["fashion/dress/80915bfe.jpg"],
    "blue dress": ["fashion/dress/e4cee22b.jpg"],
    "a hat": "hat",
    "a cowboy hat": ["fashion/hat/4ac3d6f0.jpg"],
    "a pair of jeans": "pants",
    "blue jeans": ["fashion/pants/0982f691.jpg"],
    "trousers": "pants",
    "shorts": "shorts",
    "a jacket": "outwear",
    "yellow jacket": ["fashion/outwear/8d985e5b.jpg"],
    "a shirt": "shirt",
    "checked shirt": ["fashion/shirt/a85064d6.jpg"],
    "blue shirt": ["fashion/shirt/1b00c860.jpg"],
    "a t-shirt": "t-shirt",
    "white t-shirt": ["fashion/t-shirt/bc9b690a.jpg"],
    "red t-shirt": ["fashion/t-shirt/5b93d648.jpg"],
    "green cardigan": ["fashion/longsleeve/6072c8c3.jpg"],
    "a long-sleeved top": "longsleeve",
}
# pictures searched with; the nearest other picture of the whole gallery is written down
IMAGES = [
    "objects/red-handbag.webp", "objects/blue-backpack.webp", "objects/green-dress.webp", "objects/pink-t-shirt.webp",
    "objects/orange-cap.webp", "objects/purple-running-shoe.webp", "objects/red-high-heeled-shoe.webp",
    "objects/black-umbrella.webp", "objects/green-scarf.webp", "objects/blue-gloves.webp",
    "objects/black-wrist-watch.webp", "objects/black-sunglasses.webp",
    "photos/chelsea.png", "photos/rocket.jpg", "photos/black-canyon.jpg",
    "fashion/shirt/1b00c860.jpg", "fashion/pants/1e9ba1e2.jpg", "fashion/shoes/d1ced6ee.jpg",
    "fashion/skirt/a122ba8d.jpg", "fashion/t-shirt/c40c81ed.jpg", "fashion/dress/e4cee22b.jpg",
    "fashion/shorts/5dcffea5.jpg",
]


def pixel_values(path):
    rgba = Image.open(path).convert("RGBA")
    rgb = Image.new("RGB", rgba.size, "white")
    rgb.paste(rgba, mask=rgba.getchannel("A"))
    w, h = rgb.size
    scale = 224 / min(w, h)
    rgb = rgb.resize((max(224, round(w * scale)), max(224, round(h * scale))), Image.BICUBIC)
    w, h = rgb.size
    left, top = (w - 224) // 2, (h - 224) // 2
    pixels = np.asarray(rgb.crop((left, top, left + 224, top + 224)), np.float32)
    return ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)[None]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: evaluate.py <folder with image.onnx, text.onnx, tokenizer.json>")
    model = Path(sys.argv[1])
    with open(HERE / "names.csv", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    paths, kind = [r["path"] for r in rows], {r["path"]: r["kind"] for r in rows}
    session = ort.InferenceSession(model / "image.onnx", providers=["CPUExecutionProvider"])
    vectors = np.concatenate([session.run(None, {"pixel_values": pixel_values(HERE / p)})[0] for p in paths])
    session = ort.InferenceSession(model / "text.onnx", providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def embed(text):
        e = tokenizer.encode(text)
        feed = {"input_ids": np.array([e.ids], np.int64), "attention_mask": np.array([e.attention_mask], np.int64)}
        return session.run(None, feed)[0][0]

    def ranked(vector, among):
        """-> [(path, score)], best first; equal scores in the order of names.csv"""
        scores = vectors @ vector
        order = sorted((i for i, p in enumerate(paths) if among(p)), key=lambda i: -scores[i])
        return [(paths[i], round(float(scores[i]), 4)) for i in order]

    def objects(p): return p.startswith("objects/")
    def photographs(p): return not objects(p)
    def whole(p): return True
    def hits(found, n=5): return [dict(path=p, score=s) for p, s in found[:n]]

    out = dict(made_with=f"onnxruntime {ort.__version__}, Pillow {PIL.__version__}, batch 1", recall={}, objects=[],
               photographs=[], photographs_dropped=[], images=[])
    ranks = {"objects": [], "gallery": []}
    for r in rows:
        if not objects(r["path"]):
            continue
        query = f"{r['colour']} {r['kind']}"
        v = embed(query)
        entry = dict(query=query, right=r["path"])
        for name, among in (("objects", objects), ("gallery", whole)):
            found = ranked(v, among)
            entry["rank_in_" + name] = 1 + [p for p, _ in found].index(r["path"])
            ranks[name].append(entry["rank_in_" + name])
        entry["top5"] = hits(found)
        out["objects"].append(entry)
    for name, r in ranks.items():
        out["recall"][name] = {f"at_{n}": round(sum(x <= n for x in r) / len(r), 4) for n in (1, 5)}
    out["recall"]["queries"] = len(out["objects"])
    for query, right in REAL.items():
        found = ranked(embed(query), photographs)
        right = right if isinstance(right, list) else [p for p in paths if photographs(p) and kind[p] == right]
        ok = found[0][0] in right
        margin = round(found[0][1] - found[1][1], 4)
        out["photographs" if ok else "photographs_dropped"].append(
            dict(query=query, right=right, margin=margin, top5=hits(found)))
    for p in IMAGES:
        found = ranked(vectors[paths.index(p)], lambda q: q != p)
        out["images"].append(dict(path=p, kind=kind[p], nearest=found[0][0], nearest_kind=kind[found[0][0]],
                                  same_kind=kind[found[0][0]] == kind[p], top5=hits(found)))
    (HERE / "expected.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    print("recall", out["recall"])
    for e in out["objects"]:
        if e["rank_in_gallery"] > 1:
            print(f"  {e['query']}: rank {e['rank_in_gallery']} (objects {e['rank_in_objects']}), first is {e['top5'][0]['path']}")
    print(f"photographs: {len(out['photographs'])} of {len(REAL)} queries right; dropped:")
    for e in out["photographs_dropped"]:
        print(f"  {e['query']}: {[h['path'] for h in e['top5'][:3]]}")
    print(f"images: {sum(e['same_kind'] for e in out['images'])} of {len(IMAGES)} have a picture of their kind nearest; not:")
    for e in out["images"]:
        if not e["same_kind"]:
            print(f"  {e['path']}: {e['nearest']} ({e['nearest_kind']})")


main()
