"""Holds this crate's preprocessing and tokenisation against the reference packages', and writes the README's table.

    python run.py            all 1,400 pictures and 10,000 texts: results.json, and the table in README.md
    python run.py --check    the same, and compares with the committed results instead of writing
    python run.py --also DIR also every picture below DIR; told, not written
    python run.py --torch    torch.json anew, by the packages that need torch (requirements-torch.txt); needs no cargo

Ends with 1 where a bound is broken: to the bit for every picture but CMYK TIFF, a mean error of at most 0.3
(0.5 over CMYK TIFF alone) and 99.9 % of values within 2, of 255, in every pipeline; all token ids but those of quirks that reference.py names.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np

import pictures
import reference
import texts
from reference import PIPELINES, TOKENISERS

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
SCRATCH = REPO / ".local/proof"
MEAN_ERROR, P999 = 0.3, 2
# CMYK TIFF alone: its colours are rounded down here, to the nearest in Pillow.
MEAN_ERROR_OTHERWISE = 0.5
EXAMPLES = 12
MEMORY = 6 << 30
# Kinds that this crate says it does not decode; a picture of any other kind must not be rejected.
REJECTED_KINDS = {"tiff-p"}


# ---- this crate ----------------------------------------------------------------------------------------------------

def built():
    """The program that answers, built by cargo."""
    command = ["cargo", "build", "--locked", "--features", "model-tests", "--test", "proof", "--message-format", "json"]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, check=True, text=True)
    found = [message["executable"] for message in map(json.loads, done.stdout.splitlines())
             if message.get("executable") and message["target"]["name"] == "proof"]
    return found[-1]


class Ours:
    """The program, answering one question after the other."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "answer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the program died"}')
        if "floats" in answer:
            answer["tensor"] = np.frombuffer(self.process.stdout.read(answer["floats"] * 4), "<f4")
        return answer


def write_models(folder):
    """What to ask for each pipeline: the shipped model, or one without weights that is written here."""
    shutil.rmtree(folder, ignore_errors=True)
    asked = {}
    for pipeline in PIPELINES:
        name, _, variant = (pipeline.model or "").partition(":")
        if not name:
            name = "proof-" + pipeline.name.lower().replace(" ", "-")
            (folder / name).mkdir(parents=True)
            (folder / name / "model.toml").write_text(pipeline.rule.manifest(name))
            name = str(folder / name)
        asked[pipeline.name] = {"model": name, "variant": variant or None}
    return asked


# ---- both sides ----------------------------------------------------------------------------------------------------

class Worker:
    """One process of the pool: its own program, its own references."""

    def __init__(self, program, asked, heavy):
        self.ours, self.asked, self.heavy = Ours(program), asked, heavy

    def picture(self, job):
        """For one picture: what each pipeline found."""
        place, path, kind, exact = job
        row = {"place": place, "path": path, "kind": kind, "exact": exact, "found": {}}
        try:
            picture = reference.opened(path)
        except Exception as error:
            row["reference_error"] = f"{type(error).__name__}: {error}"
            picture = None
        answers = {}
        for pipeline in PIPELINES:
            asked = self.asked[pipeline.name]
            same = asked["model"], asked["variant"]
            if same not in answers:
                answers = {same: self.ours.ask(**asked, picture=path)}
            answer = answers[same]
            if "error" in answer:
                row["error"] = answer["error"]
                break
            if picture is None:
                break
            row["size"] = picture.size
            if (answer["width"], answer["height"]) != picture.size:
                row["found"][pipeline.name] = {"size": [answer["width"], answer["height"]]}
                continue
            row["found"][pipeline.name] = self.compared(pipeline, picture, answer["tensor"], place)
        return row

    def compared(self, pipeline, picture, ours, place):
        pixels = None if pipeline.light else pipeline.rule.resized(picture)
        right = pipeline.light(picture) if pipeline.light else pipeline.rule.tensor(pixels)
        found = {}
        if pipeline.heavy and place is not None and reference.digest(pixels) != self.heavy["pictures"][pipeline.name][place * 12:][:12]:
            found["not_torch"] = True
        assert right.dtype == np.float32 and right.shape == pipeline.rule.shape, (right.dtype, right.shape)
        ours = ours.reshape(right.shape)
        found["equal"] = bool((ours.view(np.uint32) == right.view(np.uint32)).all())
        if not found["equal"]:
            steps = np.abs(pipeline.rule.bytes_of(ours) - pipeline.rule.bytes_of(right))
            found["steps"] = np.bincount(steps.ravel(), minlength=1).tolist()
        return found

    def text(self, job):
        place, text = job
        found = {}
        for tokeniser in TOKENISERS:
            right = tokeniser.ids(text)
            if tokeniser.heavy and reference.text_digest(right) != self.heavy["texts"][tokeniser.name][place * 8:][:8]:
                found[tokeniser.name] = {"not_torch": True}
                continue
            name, _, variant = tokeniser.model.partition(":")
            answer = self.ours.ask(model=name, variant=variant or None, text=text)
            if answer.get("ids") != right:
                found[tokeniser.name] = {"ours": answer.get("ids", answer.get("error")), "reference": right, "quirk": tokeniser.quirk(text)}
        return found


def start(*settings):
    global WORKER
    # Strangers' pictures (--also) may ask for more than there is: an error of theirs, not of the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    WORKER = Worker(*settings)


def picture_of(job):
    return WORKER.picture(job)


def text_of(job):
    return WORKER.text(job)


def heavy_picture(path):
    """What torch makes of a picture: the digest of each pipeline; its floats must be those of the statement."""
    picture, digests = reference.opened(path), {}
    for pipeline in PIPELINES:
        if pipeline.heavy:
            tensor = np.ascontiguousarray(pipeline.heavy(picture))
            assert tensor.dtype == np.float32 and tensor.shape == pipeline.rule.shape, (path, tensor.shape)
            pixels = pipeline.rule.pixels_of(tensor)
            same = (pipeline.rule.tensor(pixels).view(np.uint32) == tensor.view(np.uint32)).all()
            assert same, f"{path}: {pipeline.name} scales otherwise than numpy"
            digests[pipeline.name] = reference.digest(pixels)
    return digests


def heavy_text(text):
    return {tokeniser.name: reference.text_digest(tokeniser.heavy(text)) for tokeniser in TOKENISERS if tokeniser.heavy}


# ---- figures -------------------------------------------------------------------------------------------------------

class Steps:
    """How far values are apart, in steps of a byte."""

    def __init__(self):
        self.counts = np.zeros(512, np.int64)

    def add(self, steps):
        self.counts[:len(steps)] += steps

    def figures(self):
        total = int(self.counts.sum())
        if not total:
            return {"mean_error": 0.0, "p99.9": 0, "worst": 0}
        mean = float((self.counts * np.arange(512)).sum() / total)
        p999 = int(np.searchsorted(np.cumsum(self.counts), total * 0.999))
        return {"mean_error": round(mean, 4), "p99.9": p999, "worst": int(np.flatnonzero(self.counts)[-1])}


def stated(pipeline, manifest):
    """Whether a model's manifest states this pipeline."""
    return reference.Rule.of(manifest["vision"]) == pipeline.rule


def pipeline_results(pipeline, rows):
    values = int(np.prod(pipeline.rule.shape))
    every, others, kinds = Steps(), Steps(), {}
    result = {"name": pipeline.name, "reference": pipeline.title, "pictures": 0, "equal": 0, "exact_pictures": 0, "exact_equal": 0}
    result["models"] = [name for name, manifest in reference.shipped() if stated(pipeline, manifest)]
    wrong, worst = [], (0.0, "")
    for row in rows:
        found = row["found"].get(pipeline.name)
        if found is None:
            continue
        if "size" in found or "not_torch" in found:
            wrong.append({"picture": row["path"], **{key: found[key] for key in ("size", "not_torch") if key in found}})
            continue
        result["pictures"] += 1
        result["equal"] += found["equal"]
        result["exact_pictures"] += row["exact"]
        result["exact_equal"] += row["exact"] and found["equal"]
        if row["exact"] and not found["equal"]:
            wrong.append({"picture": row["path"], "steps": found["steps"][:8], "worst": len(found["steps"]) - 1})
        steps = found.get("steps", [values])
        every.add(steps)
        kinds.setdefault(row["kind"], Steps()).add(steps)
        if not row["exact"]:
            others.add(steps)
            mean = sum(step * count for step, count in enumerate(steps)) / values
            worst = max(worst, (round(mean, 4), row["path"]))
    by_kind = {kind: steps.figures() for kind, steps in kinds.items()}
    far = sorted((kind for kind in by_kind if by_kind[kind]["worst"]), key=lambda kind: -by_kind[kind]["mean_error"])
    return {**result, "all": every.figures(), "others": others.figures(), "worst_picture": {"picture": worst[1], "mean_error": worst[0]},
            "worst_kinds": {kind: by_kind[kind] for kind in far[:5]}, "differences": wrong[:EXAMPLES], "differences_count": len(wrong)}


def tokeniser_results(tokeniser, rows, found):
    different = [{"kind": row["kind"], "text": row["text"], **found[place][tokeniser.name]} for place, row in enumerate(rows) if tokeniser.name in found[place]]
    unexplained = [row for row in different if not row.get("quirk")]
    return {"name": tokeniser.name, "model": tokeniser.model, "reference": tokeniser.title, "texts": len(rows), "equal": len(rows) - len(different),
            "quirks": dict(Counter(row["quirk"] for row in different if row.get("quirk"))), "unexplained": len(unexplained),
            "unexplained_kinds": dict(Counter(row["kind"] for row in unexplained)), "unexplained_first": unexplained[:EXAMPLES]}


def broken(results):
    """Bounds that do not hold, in words."""
    for found in results["pipelines"]:
        name = f"pipeline {found['name']}"
        if found["differences_count"]:
            yield f"{name}: {found['differences_count']} pictures are not as they must be, such as {found['differences'][0]}"
        for which, most in (("all", MEAN_ERROR), ("others", MEAN_ERROR_OTHERWISE)):
            if found[which]["mean_error"] > most or found[which]["p99.9"] > P999:
                yield f"{name}: {which} pictures are {found[which]}, more than a mean error of {most} or a p99.9 of {P999}"
        if not found["pictures"]:
            yield f"{name}: nothing was compared"
    for pipeline, found in zip(PIPELINES, results["pipelines"]):
        if pipeline.model and pipeline.model not in found["models"]:
            yield f"pipeline {pipeline.name}: the manifest of {pipeline.model} states another one"
    for row in results["rejected"]:
        if row["kind"] not in REJECTED_KINDS:
            yield f"{row['picture']} is rejected: {row['reason']}"
    for found in results["tokenisers"]:
        if found["unexplained"]:
            yield f"tokeniser {found['name']}: {found['unexplained']} texts differ: {found['unexplained_kinds']}, such as {found['unexplained_first'][0]}"


# ---- the README ----------------------------------------------------------------------------------------------------

def table(results, embeddings):
    """The tables as Markdown. `embeddings`: the rows of embeddings.json."""
    def count(number):
        return f"{number:,}"

    def share(equal, total):
        return f"all {count(total)}" if equal == total else f"{count(equal)} of {count(total)}"

    def models(found):
        # A name stands for its variants, where they do not differ in this.
        names = [name for name in found["models"] if ":" not in name or name.split(":")[0] not in found["models"]]
        return ", ".join(f"`{name}`" for name in names) or "none shipped"
    lines = ["| preprocessing | reference | models | to the bit | CMYK TIFF: to the bit | their mean error | p99.9 | worst value |", "|---|---|---|---|---|---|---|---|"]
    for found in results["pipelines"]:
        others = found["others"]
        some = found["pictures"] - found["exact_pictures"]
        lines.append(f"| {found['name']} | {found['reference']} | {models(found)} | {share(found['exact_equal'], found['exact_pictures'])} | "
                     f"{share(found['equal'] - found['exact_equal'], some)} | {others['mean_error']:.3f} | {others['p99.9']} | {others['worst']} |")
    lines += ["", "| tokens | reference | model | equal |", "|---|---|---|---|"]
    for found in results["tokenisers"]:
        lines.append(f"| {found['name']} | {found['reference']} | `{found['model']}` | {share(found['equal'], found['texts'])} |")
    for found in results["tokenisers"]:
        lines += [f"\nOf the texts that differ, {many}: {quirk}." for quirk, many in found["quirks"].items()]
    reasons = Counter(row["reason"] for row in results["rejected"])
    lines += [f"\nRejected, though the references open them, {many} pictures: {reason}." for reason, many in reasons.items()]
    if embeddings:
        lines += ["", "| vectors | weights | reference | pictures | worst cosine, CMYK TIFF apart | with it | mean | texts | worst cosine |", "|---|---|---|---|---|---|---|---|---|"]
        for row in embeddings:
            of_texts = f"{row['texts']} | {row['worst_text']:.6f}" if "texts" in row else "none |"
            lines.append(f"| {row['model']} | {row['weights']} | {row['reference']} | {count(row['pictures'])} | {row['worst_exact']:.6f} | {row['worst_cosine']:.6f} | "
                         f"{row['mean_cosine']:.6f} | {of_texts} |")
    return "\n".join(lines)


def readme_with(text, tables):
    start_mark, end_mark = "<!-- proof -->", "<!-- /proof -->"
    if start_mark not in text or end_mark not in text:
        raise SystemExit(f"error: README.md has no place for the table: put the lines {start_mark} and {end_mark} where it belongs")
    head, tail = text.split(start_mark, 1)[0], text.split(end_mark, 1)[1]
    return f"{head}{start_mark}\n{tables}\n{end_mark}{tail}"


# ---- runs ----------------------------------------------------------------------------------------------------------

def load(name):
    path = HERE / name
    return json.loads(path.read_text()) if path.is_file() else None


def dump(name, content):
    (HERE / name).write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n")


def run_heavy(pool, index, rows):
    def join(digests):
        return {name: "".join(row[name] for row in digests) for name in digests[0]}
    names = [str(SCRATCH / "pictures" / row["path"]) for row in index]
    pictures_found = join(list(pool.map(heavy_picture, names, chunksize=8)))
    texts_found = join(list(pool.map(heavy_text, [row["text"] for row in rows], chunksize=100)))
    packages = {package for entry in (*PIPELINES, *TOKENISERS) for package in entry.packages} | {"torch"}
    made_with = {package: reference.pinned(package) for package in sorted(packages)}
    dump("torch.json", {"made_with": made_with, "stamp": stamp(index, rows), "pictures": pictures_found, "texts": texts_found})


def stamp(index, rows):
    """Names the corpora, so that digests are not held against other ones."""
    return {"pictures": pictures.stamp(index), "texts": reference.hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]}


def run_light(pool, index, rows, root):
    jobs = [(place if root else None, str(root / row["path"]) if root else row["path"], row["kind"], row["exact"]) for place, row in enumerate(index)]
    found = list(pool.map(picture_of, jobs, chunksize=4))
    said = list(pool.map(text_of, [(place, row["text"]) for place, row in enumerate(rows)], chunksize=50))
    for job, row in zip(index, found):
        row["path"] = job["path"]
    rejected = [{"picture": row["path"], "kind": row["kind"], "reason": row["error"]} for row in found if "error" in row and "reference_error" not in row]
    refused = [{"picture": row["path"], "reason": row["reference_error"]} for row in found if "error" not in row and "reference_error" in row]
    return {
        "pictures": len(index), "texts": len(rows), "rejected": rejected, "rejected_by_the_reference_alone": refused,
        "rejected_by_both": sum("error" in row and "reference_error" in row for row in found),
        "pipelines": [pipeline_results(pipeline, found) for pipeline in PIPELINES],
        "models_not_compared": sorted(name for name, manifest in reference.shipped() if not any(stated(pipeline, manifest) for pipeline in PIPELINES)),
        "tokenisers": [tokeniser_results(tokeniser, rows, said) for tokeniser in TOKENISERS] if rows else [],
    }


def told(results):
    for found in results["pipelines"]:
        print(f"{found['name']:28} {found['exact_equal']:5} of {found['exact_pictures']:5} exact, {found['equal']:5} of {found['pictures']:5} in all; the others {found['others']}")
    for found in results["tokenisers"]:
        print(f"{found['name']:28} {found['equal']:5} of {found['texts']:5} texts")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed results instead of writing")
    parser.add_argument("--torch", action="store_true", help="make torch.json anew")
    parser.add_argument("--also", type=Path, metavar="DIR", help="also compare every picture below this folder")
    parser.add_argument("--program", help="the program that answers, where it is built already")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    return parser.parse_args()


def checked(results):
    """What differs from the committed results and table."""
    if results != load("results.json"):
        dump("results.json.new", results)
        yield "results.json is not what this run gives (results.json.new): run `make proof` and look at what changed"
    readme = (REPO / "README.md").read_text()
    if readme_with(readme, table(results, load("embeddings.json"))) != readme:
        yield "README.md's table is not what results.json says: run `make proof`"


def main():
    args = arguments()
    index, rows = pictures.build(SCRATCH / "pictures"), texts.write(SCRATCH / "texts.jsonl")
    if args.torch:
        with ProcessPoolExecutor(args.jobs) as pool:
            run_heavy(pool, index, rows)
        return 0
    heavy = load("torch.json")
    if heavy is None or heavy["stamp"] != stamp(index, rows):
        raise SystemExit("error: torch.json was made from other pictures or texts: run `python run.py --torch` where requirements-torch.txt is installed")
    settings = (args.program or built(), write_models(SCRATCH / "models"), heavy)
    with ProcessPoolExecutor(args.jobs, initializer=start, initargs=settings) as pool:
        results = run_light(pool, index, rows, SCRATCH / "pictures")
        more = run_light(pool, pictures.also(args.also), [], None) if args.also else None
    results = {"stamp": heavy["stamp"], **results}
    told(results)
    faults = list(broken(results))
    if more:
        print(f"\nbelow {args.also}: {more['pictures']} pictures, {len(more['rejected'])} rejected by us alone, "
              f"{len(more['rejected_by_the_reference_alone'])} by the reference alone, {more['rejected_by_both']} by both")
        told(more)
        (SCRATCH / "also.json").write_text(json.dumps(more, indent=1))
    if args.check:
        faults += checked(results)
    else:
        dump("results.json", results)
        if not faults:
            readme = REPO / "README.md"
            readme.write_text(readme_with(readme.read_text(), table(results, load("embeddings.json"))))
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
