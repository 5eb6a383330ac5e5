"""ResNet-50 as both simclr.py and resnet50.py export it."""
import torch
from torchvision.models import resnet50

from exporting import Runner, compare, export, pictures
from reference import prepare

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Pooled(torch.nn.Module):
    """Pooled features before the classifier, and what the classifier makes of them where there is one."""

    def __init__(self, net, logits):
        super().__init__()
        self.net, self.logits = net, logits

    def forward(self, pixels):
        net = self.net
        pixels = net.maxpool(net.relu(net.bn1(net.conv1(pixels))))
        pooled = net.layer4(net.layer3(net.layer2(net.layer1(pixels)))).mean((2, 3))
        return (pooled, net.fc(pooled)) if self.logits else pooled


def empty(classes=0):
    """A ResNet-50 to be filled, with a classifier of so many classes, or none."""
    net = resnet50(weights=None)
    net.fc = torch.nn.Linear(2048, classes) if classes else torch.nn.Identity()
    return net


def vision(edge=256, kernel="bilinear", size=224, mean=IMAGENET["mean"], std=IMAGENET["std"]):
    """The manifest's [vision], as torchvision resizes and crops."""
    return {
        "width": size, "height": size, "layout": "nchw", "channels": "rgb", "divide_by": 255.0, "mean": list(mean), "std": list(std),
        "resize": {"rule": "shortest-edge", "edge": edge, "filter": kernel, "long_side": "floor", "crop_offset": "round"},
        "onnx": {"file": "model.onnx", "input": "image", "dtype": "float32", "output": "embedding"},
    }


def write_graph(net, folder, vision, logits, source=None, sizes=()):
    """Writes model.onnx and holds it against `source`, by default the module itself. Returns the source's function."""
    module = Pooled(net, logits).eval()
    outputs = ["embedding", "logits"] if logits else ["embedding"]
    free = {"image": {0: "batch", 2: "height", 3: "width"}} | {name: {0: "batch"} for name in outputs}
    path = folder / "model.onnx"
    export(module, torch.zeros(1, 3, vision["height"], vision["width"]), path, ["image"], outputs, free)

    def run(pixels):
        with torch.no_grad():
            found = module(torch.from_numpy(pixels))
        return (found[0] if logits else found).numpy()

    run = source or run
    for size in (vision, *sizes):
        items = [(prepare(size, picture)[1],) for picture in pictures().values()]
        compare("%s at %d x %d" % (path.name, size["width"], size["height"]), Runner(path), run, items)
    return run
