"""Turns a supervised ResNet-50 of torchvision or timm into a model's folder: pooled features, and the logits beside them.

usage: python resnet50.py CHECKPOINT --out FOLDER [--preprocess v1|v2|timm] [--licence TEXT]
       python resnet50.py --from-torchvision IMAGENET1K_V1|IMAGENET1K_V2 --out FOLDER
       python resnet50.py --from-timm resnet50.a1_in1k --out FOLDER

CHECKPOINT is a state dict as torchvision (.pth) or timm (.pth, .safetensors) save it. With --from-... the library fetches
its own weights, from its own server.
"""
import math

import reference
from exporting import arguments, check_preprocessing, fit, is_state, load_torch, without_prefix, write_folder
from reference import Problem

# What the evaluation of each set of weights does with a picture: shortest side, filter; then the centre 224 x 224.
PIPELINES = {"v1": (256, "bilinear"), "v2": (232, "bilinear"), "timm": (256, "bicubic")}
TITLES = {"v1": "as torchvision's IMAGENET1K_V1", "v2": "as torchvision's IMAGENET1K_V2", "timm": "as timm with a crop of 0.875, and towhee"}


def extra(parser):
    parser.add_argument("--preprocess", choices=PIPELINES, help="the pictures that the weights were made for (default: v1)")
    parser.add_argument("--from-torchvision", metavar="WEIGHTS", choices=("IMAGENET1K_V1", "IMAGENET1K_V2"), help="let torchvision fetch them")
    parser.add_argument("--from-timm", metavar="NAME", help="let timm fetch them, such as resnet50.a1_in1k or resnet50.tv_in1k")


def main():
    args = arguments(__doc__.splitlines()[0], extra, "the state dict's file", optional=True)
    given = [value for value in (args.checkpoint, args.from_torchvision, args.from_timm) if value]
    if len(given) != 1:
        raise Problem("%d sources of weights were given" % len(given), "give one: CHECKPOINT, --from-torchvision, or --from-timm")
    from resnet import vision, write_graph

    state, pipeline, preprocess, origin = fetched(args) if args.checkpoint is None else (load(args.checkpoint), None, "v1", args.checkpoint.name)
    name = args.preprocess or preprocess
    pipelines = {key: vision(*value) for key, value in PIPELINES.items()}
    if pipeline and not args.preprocess:
        pipelines[name] = vision(*pipeline)
    base = pipelines[name]
    net = fill(args.checkpoint or origin, state)
    for key, settings in pipelines.items():
        check_preprocessing("pipeline %s" % key, settings, transforms(key, settings))
    logits = net.fc.out_features if hasattr(net.fc, "out_features") else 0
    run = write_graph(net, args.out, base, bool(logits))
    variants = {
        key: {"title": "ResNet-50, pictures %s" % TITLES[key],
              "vision": {name: value for name, value in settings.items() if value != base[name]}}
        for key, settings in pipelines.items() if settings != base
    }
    manifest = {
        "title": "ResNet-50 (%s), pooled features, images only" % origin, "licence": args.licence, "dimension": 2048,
        "vision": base, "variants": variants,
        "proof": {"reference": "%s: ResNet-50 and its transforms on Pillow's pictures" % reference.versions("torch", "torchvision", "timm")},
    }
    comments = ["ResNet-50, exported by `models export resnet50` from %s." % origin,
                "The output `embedding` is the pooled features%s." % (", `logits` the %d classes" % logits if logits else "")]
    write_folder(args.out, manifest, comments, ["model.onnx"], lambda tensor: run(tensor[None])[0], None,
                 ["torch", "torchvision", "timm", "pillow", "numpy"])


def load(path):
    """The tensors of a state dict, also where it lies inside a checkpoint of a trainer."""
    state = load_torch(path)
    for key in ("state_dict", "model", "state_dict_ema"):
        if isinstance(state, dict) and not is_state(state) and isinstance(state.get(key), dict):
            state = state[key]
    if not is_state(state):
        raise Problem("%s holds no named tensors" % path, "give a state dict as torchvision or timm save it")
    prefixes = ("module.", "model.", "backbone.")
    for prefix in prefixes:
        state = without_prefix(state, prefix) or state
    if "encoder.conv1.weight" in state or any(key.startswith("_feature_blocks.") for key in state):
        raise Problem("%s is a SimCLR checkpoint" % path, "export it with `models export simclr`")
    return state


def fill(where, state):
    from resnet import empty

    classifier = state.get("fc.weight")
    classes = classifier.shape[0] if classifier is not None and "fc.bias" in state else 0
    return fit(where, empty(classes), state)


def fetched(args):
    """State dict, the pipeline that the library states, its name, and the name of the weights."""
    try:
        if args.from_torchvision:
            from torchvision.models import ResNet50_Weights

            state = ResNet50_Weights[args.from_torchvision].get_state_dict(progress=True)
            return state, None, args.from_torchvision[-2:].lower(), "torchvision " + args.from_torchvision
        import timm

        net = timm.create_model(args.from_timm, pretrained=True)
    except Exception as error:
        raise Problem("the weights could not be fetched: %s" % str(error).splitlines()[0][:200],
                      "check the network and the name, or fetch the file by other means and give it as CHECKPOINT") from None
    settings = net.pretrained_cfg
    edge = math.floor(224 / settings["crop_pct"])
    return net.state_dict(), (edge, settings["interpolation"], 224, settings["mean"], settings["std"]), "timm", "timm " + args.from_timm


def transforms(key, settings):
    """The library's own form of a pipeline."""
    if key == "timm":
        from timm.data import create_transform

        edge = settings["resize"]["edge"]
        theirs = create_transform((3, 224, 224), interpolation=settings["resize"]["filter"], mean=settings["mean"], std=settings["std"],
                                  crop_pct=224 / edge)
    else:
        from torchvision.models import ResNet50_Weights

        theirs = ResNet50_Weights["IMAGENET1K_" + key.upper()].transforms()
    return lambda picture: theirs(picture).numpy()


if __name__ == "__main__":
    reference.run(main)
