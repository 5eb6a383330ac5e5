"""What the exporters share: reading a checkpoint, writing ONNX, holding it against the source, writing the model's folder."""
import argparse
import collections
import hashlib
import logging
import os
import pickle
import re
import types
import warnings
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np

import reference
from reference import Problem

OPSET = 17
LEAST_COSINE = 0.99999
# Largest error of one number, as a share of the largest number of its vector.
LARGEST_ERROR = 1e-3


# Arguments

def arguments(description, extra, checkpoint="the checkpoint's file", optional=False):
    """CHECKPOINT --out FOLDER and what `extra` adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?" if optional else None, type=Path, help=checkpoint)
    parser.add_argument("--out", metavar="FOLDER", required=True, type=Path, help="the model's folder; its name is the model's name")
    parser.add_argument("--licence", default="unknown: that of the checkpoint", help="what model.toml says of the licence")
    extra(parser)
    args = parser.parse_args()
    name = args.out.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
        raise Problem("the folder's name %r cannot be a model's name" % name, "use letters, digits, `-`, `_` and `.`")
    # A TensorFlow checkpoint is named by what its files' names begin with.
    given = args.checkpoint
    if given is not None and not given.exists() and not Path("%s.index" % given).is_file():
        raise Problem("%s is not there" % given, "give the path of the checkpoint; README.md beside this script says where to get it")
    args.out.mkdir(parents=True, exist_ok=True)
    return args


# Checkpoints

class Inert(dict):
    """Stands for every class that a checkpoint holds beside its numbers (settings of a trainer, say). Does nothing."""

    def __init__(self, *_, **__):
        super().__init__()

    def __setstate__(self, state):
        pass

    def append(self, item):
        pass

    def extend(self, items):
        pass


def loads_nothing_else():
    """A stand-in for the module `pickle` that knows tensors and plain containers alone, so that no checkpoint can run code.

    torch's own safe loader refuses a checkpoint for one unknown class; this one reads past it."""
    allowed = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("builtins", "set"): set,
        ("_codecs", "encode"): __import__("_codecs").encode,
    }

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) in allowed:
                return allowed[module, name]
            if module in ("torch._utils", "torch._tensor") and name.startswith("_rebuild_"):
                return super().find_class(module, name)
            if module in ("torch", "torch.storage") and (name.endswith("Storage") or name == "Size" or name in DTYPES):
                return super().find_class(module, name)
            return Inert

    def load(file, **settings):
        return Unpickler(file, **settings).load()

    return types.SimpleNamespace(Unpickler=Unpickler, load=load, __name__="pickle")


DTYPES = {"float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"}


def load_torch(path):
    """What torch.save() wrote, or a safetensors file: nested dicts with tensors."""
    import torch

    if path.is_dir():
        raise Problem("%s is a folder" % path, "give the checkpoint's file")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:
            raise unreadable(path, error) from None
    warnings.filterwarnings("ignore", module="torch")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass  # perhaps only a class that torch does not know
    except Exception as error:
        raise unreadable(path, error) from None
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=loads_nothing_else())
    except Exception as error:
        raise unreadable(path, error) from None


def unreadable(path, error):
    said = (str(error) or type(error).__name__).splitlines()[0][:200]
    return Problem("%s cannot be read as a checkpoint of PyTorch: %s" % (path, said),
                   "fetch it again: it is cut off, damaged, or another kind of file (%d bytes)" % path.stat().st_size)


def is_state(found):
    """Whether `found` is a dict of names and tensors."""
    return isinstance(found, dict) and bool(found) and any(hasattr(value, "shape") for value in found.values())


def fit(path, module, found, prefix="", optional=()):
    """Loads the tensors `found` into `module`, or says which of them is missing or of another shape.

    `prefix` is what their names in the file begin with. Keys of `module` that begin with one of `optional` may be missing."""
    wanted = module.state_dict()
    state = {}
    for key, own in wanted.items():
        if key.endswith("num_batches_tracked"):
            state[key] = own
            continue
        if key not in found:
            if key.startswith(tuple(optional)):
                state[key] = own
                continue
            raise Problem("%s lacks the key %s%s" % (path, prefix, key),
                          "is it a checkpoint of this architecture, and whole? It has %d keys, such as %s"
                          % (len(found), ", ".join(prefix + name for name in sorted(found)[:3])))
        value = found[key]
        if tuple(value.shape) != tuple(own.shape):
            raise Problem("%s: %s%s has the shape %s, and not %s" % (path, prefix, key, list(value.shape), list(own.shape)),
                          "this is another architecture, wider or deeper than the one that is exported")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise Problem("%s: %s%s holds numbers that are not finite" % (path, prefix, key), "fetch the checkpoint again")
        state[key] = value.float()
    module.load_state_dict(state)
    return module.eval()


def without_prefix(state, prefix):
    return {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}


# ONNX

def export(module, example, path, names, outputs, dynamic):
    """Writes `module` as ONNX by torch's classic exporter. `dynamic` names the free axes of each input and output."""
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # Its fast path is one fused operator that ONNX does not have.
    torch.backends.mha.set_fastpath_enabled(False)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, example, str(path), dynamo=False, opset_version=OPSET, do_constant_folding=True,
                          input_names=names, output_names=outputs, dynamic_axes=dynamic)


class Runner:
    """A graph in ONNX Runtime, on one thread, for batches."""

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, int(os.environ.get("OMP_NUM_THREADS", "1")))
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, *inputs):
        feeds = {told.name: value for told, value in zip(self.session.get_inputs(), inputs)}
        return self.session.run(None, feeds)[0]


def compare(what, graph, source, items, together=None):
    """Holds the graph against the source framework, on each item alone and on eight at a time. Fails with the number.

    `together` are the items in the form in which they can be in one batch, where that is another one."""
    together = together or items
    eight = [together[index % len(together)] for index in range(8)]
    worst, largest, count = 1.0, 0.0, 0
    for batch in [[item] for item in items] + [eight]:
        inputs = [np.stack(parts) for parts in zip(*batch)]
        ours, theirs = (np.asarray(run(*inputs), np.float64) for run in (graph, source))
        if ours.shape != theirs.shape:
            raise Problem("%s: the graph gives %s, and the source %s" % (what, ours.shape, theirs.shape), "report this: it is a fault of the exporter")
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        if not (lengths > 0).all():
            raise Problem("%s: a vector is zero or not finite" % what, "the checkpoint's weights are damaged: fetch it again")
        worst = min(worst, float(((ours * theirs).sum(1) / lengths).min()))
        largest = max(largest, float((np.abs(ours - theirs).max(1) / np.abs(theirs).max(1)).max()))
        count += len(batch)
    print("%s: ONNX Runtime against the source, %d vectors, batch 1 and 8: least cosine %.7f, largest error %.1e of the largest number"
          % (what, count, worst, largest))
    if worst < LEAST_COSINE or largest > LARGEST_ERROR:
        raise Problem("%s: the graph differs from the source: cosine %.7f (at least %s), error %.1e (at most %.0e)"
                      % (what, worst, LEAST_COSINE, largest, LARGEST_ERROR), "report this with the versions of torch and onnxruntime; no model.toml was written")


# Pictures

def pictures():
    """The golden pictures, upright RGB, by name."""
    return {name: reference.open_picture(reference.GOLDEN / name) for name in reference.PICTURES}


def check_preprocessing(what, vision, theirs):
    """Holds the manifest's [vision] against a function of the source's library from picture to tensor [3, height, width]."""
    largest = 0.0
    for name, picture in pictures().items():
        ours = reference.prepare(vision, picture)[1]
        other = np.asarray(theirs(picture), np.float32)
        if ours.shape != other.shape:
            raise Problem("%s: %s becomes %s, and in the source %s" % (what, name, ours.shape, other.shape), "correct the preprocessing that was asked for")
        largest = max(largest, float(np.abs(ours - other).max()))
    print("%s: preprocessing against the source's library, %d pictures: largest difference %.1e" % (what, len(reference.PICTURES), largest))
    if largest > 1e-5:
        raise Problem("%s: the preprocessing differs from the source's library by %.1e" % (what, largest), "report this with the versions of the packages")


# The model's folder

def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(toml(item) for item in value)
    return repr(value)


def tables(name, table):
    """A TOML table: first its values, then the tables inside it."""
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = ["\n[%s]" % name] if values else []
    lines += ["%s = %s" % (key, toml(value)) for key, value in values.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += tables("%s.%s" % (name, key), value)
    return lines


def file_entry(folder, name):
    path = folder / name
    with open(path, "rb") as file:
        return {"path": name, "bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_folder(folder, manifest, comments, files, image, text, packages):
    """Writes model.toml and reference.json; `manifest` lacks version, name, source and files, which are filled in here."""
    head = {"version": 1, "name": folder.resolve().name, "title": manifest.pop("title"), "licence": manifest.pop("licence")}
    head |= {"dimension": manifest.pop("dimension"), "normalise": "l2"}
    proof = {"reference": manifest["proof"]["reference"], "weights": "trained"}
    manifest["proof"] = proof
    variants = manifest.pop("variants", {})
    lines = ["# " + comment for comment in comments] + ["%s = %s" % (key, toml(value)) for key, value in head.items()]
    lines += tables("source", {"kind": "shipped"})
    for name in files:
        lines += ["\n[[files]]"] + ["%s = %s" % (key, toml(value)) for key, value in file_entry(folder, name).items()]
    for key, value in manifest.items():
        lines += tables(key, value)
    for key, value in variants.items():
        lines += tables("variants.%s" % toml(key) if "." in key else "variants.%s" % key, value)
    whole = head | manifest
    # A model.toml says that the folder is whole, so it comes last.
    reference.write(folder, whole, image, text, proof["reference"], packages)
    (folder / "model.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    reference.load(folder)
    print("%s: %s" % (folder, ", ".join(sorted(path.name for path in folder.iterdir()))))
