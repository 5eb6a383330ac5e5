"""Turns a SimCLR ResNet-50 checkpoint into a model's folder.

usage: python simclr.py CHECKPOINT --out FOLDER [--article] [--licence TEXT]

CHECKPOINT is one of
  simclr_imagenet.ckpt   PyTorch Lightning Bolts (keys encoder.*)
  *.torch                VISSL, rn50 (classy_state_dict ... trunk, keys _feature_blocks.*)
  model.ckpt-225206      Google's TensorFlow checkpoint, SimCLR v1 or v2, ResNet50 1x without selective kernels: the common
                         beginning of its .index and .data files (needs requirements-simclr-tf.txt)
"""
from pathlib import Path

import numpy as np

import reference
from exporting import arguments, check_preprocessing, fit, is_state, load_torch, without_prefix, write_folder
from reference import Problem

BLOCKS = [3, 4, 6, 3]
HINT = "the layouts that are known: PyTorch Lightning Bolts, VISSL, Google's TensorFlow checkpoint; models/export/README.md names the files"
BATCH_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def main():
    args = arguments(__doc__.splitlines()[0], extra)
    from resnet import empty, vision, write_graph

    net = empty()
    source, library, says = None, ["torch", "torchvision"], "ResNet-50 and its transforms on Pillow's pictures"
    if tensorflow_prefix(args.checkpoint):
        origin, edge = google(args.checkpoint, net), 256
        source, library = tensorflow_network(net), ["tensorflow", "tensorflow-cpu"]
        says = "the network of google-research/simclr, resnet.py, in TensorFlow's operators; Pillow"
        # Google feeds [0, 1], and resizes by bicubic.
        base = vision(edge, "bicubic", mean=[0.0] * 3, std=[1.0] * 3)
    else:
        origin, edge = pytorch(args.checkpoint, net)
        base = vision(edge)
    article = {"width": 64, "height": 64, "resize": {"rule": "exact", "filter": "bilinear"}}
    small = base | article
    variants = {"article": {"title": "%s, pictures squeezed to 64 x 64" % origin, "vision": article}}
    if args.article:
        eval_size = {"width": 224, "height": 224, "resize": base["resize"]}
        variants = {"library": {"title": "%s, the library's own pictures of 224 x 224" % origin, "vision": eval_size}}
    main_vision, other = (small, base) if args.article else (base, small)

    if source is None:
        check_preprocessing("shortest side %d" % edge, base, transforms(base))
    run = write_graph(net, args.out, main_vision, False, source, [other])
    manifest = {
        "title": "SimCLR ResNet-50 (%s), pooled features, images only" % origin,
        "licence": args.licence, "dimension": 2048, "vision": main_vision, "variants": variants,
        "proof": {"reference": "%s: %s" % (reference.versions(*library), says)},
    }
    comments = ["SimCLR's encoder, exported by `models export simclr` from a checkpoint of", "%s: %s." % (origin, args.checkpoint.name)]
    write_folder(args.out, manifest, comments, ["model.onnx"], lambda tensor: run(tensor[None])[0], None,
                 library + ["pillow", "numpy"])


def extra(parser):
    parser.add_argument("--article", action="store_true", help="make the article's 64 x 64 pictures the default, and 224 the variant")


def transforms(settings):
    """torchvision's own form of the preprocessing."""
    from torchvision import transforms as t

    steps = [t.Resize(settings["resize"]["edge"]), t.CenterCrop(settings["width"]), t.ToTensor(), t.Normalize(settings["mean"], settings["std"])]
    return lambda picture: t.Compose(steps)(picture).numpy()


# PyTorch

def pytorch(path, net):
    """Fills `net` from a checkpoint of Bolts or VISSL. Returns whose it is, and the shortest side of its eval transform."""
    found = load_torch(path)
    if not isinstance(found, dict):
        raise Problem("%s holds a %s and no named tensors" % (path, type(found).__name__), HINT)
    state = found
    for key in ("classy_state_dict", "base_model", "model", "trunk"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    for key in ("model_state_dict", "state_dict"):
        if isinstance(state.get(key), dict) and not is_state(state):
            state = state[key]
    for origin, prefix, edge in (("PyTorch Lightning Bolts", "encoder.", 246), ("VISSL", "_feature_blocks.", 256)):
        encoder = without_prefix(state, prefix)
        if is_state(encoder):
            fit(path, net, encoder, prefix)
            return origin, edge
    if "conv1.weight" in state:
        raise Problem("%s is a plain ResNet state dict: its keys do not say how it was trained" % path,
                      "export it with `models export resnet50`, or give the original SimCLR checkpoint")
    raise Problem("%s has no keys that begin with encoder. or _feature_blocks., but such as %s"
                  % (path, ", ".join(map(str, list(state)[:3])) or "none at all"), HINT)


# TensorFlow

def tensorflow_prefix(path):
    """Whether `path` is, or stands for, the files of a TensorFlow checkpoint."""
    return path.suffix in (".index", ".meta") or ".data-" in path.name or Path(str(path) + ".index").is_file()


def google(path, net):
    """Fills `net` from Google's checkpoint, and gives it TensorFlow's padding. Returns whose it is."""
    import torch

    try:
        # After torchvision, which main() loads: each brings an LLVM, and the other order ends in an abort.
        import tensorflow as tf
    except ImportError:
        raise Problem("%s is a TensorFlow checkpoint, and TensorFlow is not installed" % path,
                      "pip install -r models/export/requirements-simclr-tf.txt, in the environment of requirements-simclr.txt") from None
    name = str(path).removesuffix(".index").removesuffix(".meta").split(".data-")[0]
    try:
        reader = tf.train.load_checkpoint(name)
        known = reader.get_variable_to_shape_map()
    except Exception as error:
        raise Problem("%s cannot be read as a TensorFlow checkpoint: %s" % (name, str(error).splitlines()[0][:200]),
                      "it needs %s.index and %s.data-00000-of-00001 side by side, both whole" % (Path(name).name, Path(name).name)) from None
    state = {}
    # The variables are numbered as the network is built: a block's shortcut first, then its three convolutions.
    for index, (convolution, norm) in enumerate(layers()):
        number = "_%d" % index if index else ""
        keys = {convolution + ".weight": "base_model/conv2d%s/kernel" % number}
        keys |= {"%s.%s" % (norm, own): "base_model/batch_normalization%s/%s" % (number, theirs) for own, theirs in BATCH_NORM.items()}
        for own, theirs in keys.items():
            if theirs not in known:
                raise Problem("%s lacks the variable %s" % (name, theirs), "it must be SimCLR's ResNet50 1x without selective kernels")
            try:
                value = reader.get_tensor(theirs)
            except Exception as error:
                raise Problem("%s: %s cannot be read: %s" % (name, theirs, str(error).splitlines()[0][:200]),
                              "fetch the .data file again: it is cut off or damaged") from None
            state[own] = torch.from_numpy(np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value))
    fit(name, net, state)
    # Google pads its convolutions as torch does, and its first pool by TensorFlow's SAME: here, one row and column after.
    net.maxpool = torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), torch.nn.MaxPool2d(3, 2))
    return "Google"


def layers():
    """Names of each convolution and its batch norm, in the order in which Google's network makes them."""
    yield "conv1", "bn1"
    for stage, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            at = "layer%d.%d." % (stage, block)
            if block == 0:
                yield at + "downsample.0", at + "downsample.1"
            for part in (1, 2, 3):
                yield "%sconv%d" % (at, part), "%sbn%d" % (at, part)


def tensorflow_network(net):
    """Google's network in TensorFlow's own operators, from tensor [n, 3, height, width] to pooled features: what right is."""
    import tensorflow as tf

    weights = {key: value.numpy() for key, value in net.state_dict().items()}
    kernels = {key: tf.constant(value.transpose(2, 3, 1, 0)) for key, value in weights.items() if value.ndim == 4}

    def step(pixels, convolution, norm, stride=1, relu=True):
        kernel = kernels[convolution + ".weight"]
        side = (kernel.shape[0] - 1) // 2
        if stride > 1:  # fixed padding, whatever the size
            pixels = tf.pad(pixels, [[0, 0], [side, side], [side, side], [0, 0]])
        pixels = tf.nn.conv2d(pixels, kernel, stride, "VALID" if stride > 1 else "SAME")
        gamma, beta, mean, variance = (weights["%s.%s" % (norm, key)] for key in BATCH_NORM)
        pixels = tf.nn.batch_normalization(pixels, mean, variance, beta, gamma, 1e-5)
        return tf.nn.relu(pixels) if relu else pixels

    def run(pixels):
        pixels = step(tf.constant(pixels.transpose(0, 2, 3, 1)), "conv1", "bn1", 2)
        pixels = tf.nn.max_pool2d(pixels, 3, 2, "SAME")
        for stage, blocks in enumerate(BLOCKS, 1):
            for block in range(blocks):
                at = "layer%d.%d." % (stage, block)
                stride = 2 if block == 0 and stage > 1 else 1
                shortcut = step(pixels, at + "downsample.0", at + "downsample.1", stride, False) if block == 0 else pixels
                pixels = step(pixels, at + "conv1", at + "bn1")
                pixels = step(pixels, at + "conv2", at + "bn2", stride)
                pixels = tf.nn.relu(shortcut + step(pixels, at + "conv3", at + "bn3", relu=False))
        return tf.reduce_mean(pixels, [1, 2]).numpy()

    return run


if __name__ == "__main__":
    reference.run(main)
