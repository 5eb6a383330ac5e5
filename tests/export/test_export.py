"""Tests of models/export: made-up checkpoints in the published layouts, exported, and held against their frameworks.

usage: python tests/export/test_export.py      in an environment with models/export/requirements-{simclr,resnet50,clip}.txt;
                                               with requirements-simclr-tf.txt too, Google's layout is tested as well

The made-up ResNet-50 has batch norms that were fitted to the golden pictures. With plain random weights all pictures get
nearly the same vector, and a wrong pad or a swapped layer would hide behind a cosine of 1.
"""
import base64
import collections
import contextlib
import importlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import tomllib
import types
import unittest
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# transformers would load TensorFlow beside torch, where it is installed.
os.environ["USE_TF"] = "0"
EXPORT = Path(__file__).resolve().parents[2] / "models" / "export"
sys.path.insert(0, str(EXPORT))

import numpy as np
import torch
import torchvision

import exporting
import reference
import resnet

WORK = Path(tempfile.mkdtemp(prefix="test-export-"))
TOKENISER = reference.MODELS / "clip-vit-b-32" / "tokenizer.json"


def tearDownModule():
    shutil.rmtree(WORK, ignore_errors=True)


def run(script, *arguments):
    """Runs an exporter in this process. Returns its exit status, and what it wrote to stdout and stderr."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "argv", [script + ".py", *map(str, arguments)]):
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                reference.run(importlib.import_module(script).main)
            except SystemExit as end:
                status = end.code
    return status, out.getvalue(), err.getvalue()


def vectors(folder, side="images", key="embedding"):
    entries = json.loads((folder / "reference.json").read_text())[side]
    return np.stack([np.frombuffer(base64.b64decode(entry[key]), "<f4") for entry in entries])


def graph(folder, name, *inputs):
    return exporting.Runner(folder / name)(*inputs)


def fitted_resnet(classes=1000):
    """A torchvision ResNet-50 with made-up weights that tells pictures apart."""
    torch.manual_seed(0)
    net = torchvision.models.resnet50(weights=None, num_classes=classes)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias, 0, 0.2)
    pixels = [reference.prepare(resnet.vision(), picture)[1] for picture in exporting.pictures().values()]
    with torch.no_grad():
        net.train()(torch.from_numpy(np.stack(pixels)))
    return net.eval()


def pooled(net, picture, *steps):
    """Vector of length 1 by torchvision's own forward pass and transforms: nothing of models/export is in it."""
    t = torchvision.transforms
    settings = t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    plain = torch.nn.Sequential(*list(net.children())[:-1], torch.nn.Flatten())
    with torch.no_grad():
        found = plain(t.Compose([*steps, t.ToTensor(), settings])(picture)[None]).numpy()[0]
    return found / np.linalg.norm(found)


class Case(unittest.TestCase):
    def exported(self, script, *arguments):
        out = WORK / ("out-%s" % self.id().rsplit(".", 1)[-1])
        status, told, error = run(script, *arguments, "--out", out)
        self.assertEqual(status, 0, told + error)
        self.assertIn("ONNX Runtime against the source", told)
        manifest = tomllib.loads((out / "model.toml").read_text())
        self.assertEqual((manifest["name"], manifest["source"]["kind"]), (out.name, "shipped"))
        for file in manifest["files"]:
            self.assertEqual(exporting.file_entry(out, file["path"]), file)
        return out, manifest

    def refused(self, script, path, *says):
        """The exporter ends with status 1, names the file and what is wrong, and leaves no model.toml."""
        out = WORK / "refused"
        shutil.rmtree(out, ignore_errors=True)
        status, _, error = run(script, path, "--out", out)
        self.assertEqual(status, 1, error)
        self.assertRegex(error, r"\Aerror: .+\nhint: .+\n\Z")
        for part in (Path(path).name, *says):
            self.assertIn(part, error)
        self.assertFalse((out / "model.toml").exists())


class ResNet(Case):
    @classmethod
    def setUpClass(cls):
        cls.net = fitted_resnet()
        cls.state = cls.net.state_dict()
        cls.bolts = {"encoder." + key: value for key, value in cls.state.items()} | {"projection.model.0.weight": torch.zeros(4, 4)}
        cls.pictures = list(exporting.pictures().values())

    def save(self, name, content):
        torch.save(content, WORK / name)
        return WORK / name

    def equal(self, folder, *steps):
        ours, theirs = vectors(folder), np.stack([pooled(self.net, picture, *steps) for picture in self.pictures])
        self.assertLess(np.abs(ours - theirs).max(), 1e-5)
        between = (theirs @ theirs.T)[np.triu_indices(len(theirs), 1)]
        self.assertLess(between.mean(), 0.97, "the made-up network does not tell pictures apart: the test says nothing")

    def test_bolts(self):
        # Lightning keeps a class of its own beside the weights; it may not be installed where the export runs.
        trainer = types.ModuleType("made_up_trainer")
        trainer.Settings = type("Settings", (dict,), {"__module__": "made_up_trainer"})
        with mock.patch.dict(sys.modules, made_up_trainer=trainer):
            content = {"state_dict": collections.OrderedDict(self.bolts), "hyper_parameters": trainer.Settings(rate=0.1)}
            path = self.save("simclr_imagenet.ckpt", content)
        out, manifest = self.exported("simclr", path)
        t = torchvision.transforms
        self.equal(out, t.Resize(246), t.CenterCrop(224))
        self.assertEqual(manifest["vision"]["resize"]["edge"], 246)
        self.assertEqual(manifest["variants"]["article"]["vision"]["width"], 64)

    def test_vissl_and_the_articles_pictures(self):
        trunk = {"_feature_blocks." + key: value for key, value in self.state.items() if not key.startswith("fc.")}
        path = self.save("vissl.torch", {"classy_state_dict": {"base_model": {"model": {"trunk": trunk, "heads": {}}}}, "phase_idx": 1})
        out, manifest = self.exported("simclr", path, "--article")
        self.equal(out, torchvision.transforms.Resize((64, 64)))
        self.assertEqual(manifest["variants"]["library"]["vision"]["resize"]["edge"], 256)

    def test_google(self):
        try:
            version = __import__("importlib.metadata").metadata.version("tensorflow-cpu")
        except Exception:
            self.skipTest("TensorFlow is not installed: requirements-simclr-tf.txt")
        state = self.save("plain.pth", self.state)
        (WORK / "google").mkdir()
        # Processes of their own: TensorFlow has to be loaded after torchvision.
        subprocess.run([sys.executable, __file__, "--write-google", str(state), str(WORK / "google" / "model.ckpt-1")], check=True, capture_output=True)
        out = WORK / "out-google"
        command = [sys.executable, str(EXPORT / "simclr.py"), str(WORK / "google" / "model.ckpt-1"), "--out", str(out)]
        ended = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(version, (out / "reference.json").read_text()[:300])
        # Its first pool is padded otherwise than torch's: the same weights in torchvision's network give other vectors.
        vision = tomllib.loads((out / "model.toml").read_text())["vision"]
        pixels = np.stack([reference.prepare(vision, picture)[1] for picture in self.pictures])
        ours = graph(out, "model.onnx", pixels)
        with torch.no_grad():
            theirs = resnet.Pooled(self.net, False)(torch.from_numpy(pixels)).numpy()
        cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        self.assertLess(cosines.min(), 0.9995)
        data = WORK / "google" / "model.ckpt-1.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:30_000_000])
        ended = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"(?m)^error: .*model\.ckpt-1.*base_model/.*")

    def test_torchvision(self):
        out, manifest = self.exported("resnet50", self.save("resnet50.pth", self.state))
        t = torchvision.transforms
        self.equal(out, t.Resize(256), t.CenterCrop(224))
        self.assertEqual(sorted(manifest["variants"]), ["timm", "v2"])
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out / "model.onnx"), providers=["CPUExecutionProvider"])
        pixels = np.stack([reference.prepare(manifest["vision"], picture)[1] for picture in self.pictures])
        with torch.no_grad():
            theirs = self.net(torch.from_numpy(pixels)).numpy()
        self.assertLess(np.abs(session.run(["logits"], {"image": pixels})[0] - theirs).max(), 1e-4)

    def test_timm(self):
        import timm
        from safetensors.torch import save_file

        net = timm.create_model("resnet50", pretrained=False)
        net.load_state_dict(self.state)
        save_file(net.state_dict(), WORK / "timm.safetensors")
        out, manifest = self.exported("resnet50", WORK / "timm.safetensors", "--preprocess", "timm")
        t = torchvision.transforms
        self.equal(out, t.Resize(256, t.InterpolationMode.BICUBIC), t.CenterCrop(224))
        pixels = np.stack([reference.prepare(manifest["vision"], picture)[1] for picture in self.pictures])
        with torch.no_grad():
            theirs = net.eval().forward_head(net.forward_features(torch.from_numpy(pixels)), pre_logits=True).numpy()
        self.assertLess(np.abs(graph(out, "model.onnx", pixels) - theirs).max(), 1e-4)

    def test_without_a_classifier(self):
        state = {"module." + key: value for key, value in self.state.items() if not key.startswith("fc.")}
        out, _ = self.exported("resnet50", self.save("headless.pth", {"epoch": 3, "state_dict": state}), "--preprocess", "v2")
        t = torchvision.transforms
        self.equal(out, t.Resize(232), t.CenterCrop(224))

    def test_damaged_files(self):
        path = self.save("cut.ckpt", {"state_dict": self.bolts})
        path.write_bytes(path.read_bytes()[:20_000_000])
        self.refused("simclr", path, "20000000 bytes")
        for name, content in (("words.ckpt", b"not found\n"), ("empty.ckpt", b""), ("page.pth", b"<!DOCTYPE html>" * 40)):
            (WORK / name).write_bytes(content)
            self.refused("simclr", WORK / name)
            self.refused("resnet50", WORK / name)
        self.refused("simclr", WORK / "nowhere.ckpt", "is not there")

    def test_other_contents(self):
        lacking = {key: value for key, value in self.bolts.items() if key != "encoder.layer3.4.bn2.running_var"}
        self.refused("simclr", self.save("lacking.ckpt", {"state_dict": lacking}), "lacks the key encoder.layer3.4.bn2.running_var")
        wide = self.bolts | {"encoder.conv1.weight": torch.zeros(128, 3, 7, 7)}
        self.refused("simclr", self.save("wide.ckpt", {"state_dict": wide}), "encoder.conv1.weight has the shape [128, 3, 7, 7]")
        broken = self.bolts | {"encoder.bn1.bias": torch.full((64,), float("nan"))}
        self.refused("simclr", self.save("nan.ckpt", {"state_dict": broken}), "encoder.bn1.bias", "not finite")
        self.refused("simclr", self.save("plain.pth", self.state), "models export resnet50")
        self.refused("simclr", self.save("other.ckpt", {"state_dict": {"backbone.weight": torch.zeros(3)}}), "backbone.weight", "known")
        self.refused("simclr", self.save("list.ckpt", [1, 2]), "no named tensors")
        self.refused("resnet50", self.save("bolts.ckpt", {"state_dict": self.bolts}), "models export simclr")
        small = torchvision.models.resnet18(weights=None).state_dict()
        self.refused("resnet50", self.save("resnet18.pth", small), "layer1.0.conv1.weight has the shape [64, 64, 3, 3]")

    def test_a_checkpoint_runs_no_code(self):
        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(WORK / "harm"),)

        self.save("harm.ckpt", {"state_dict": self.bolts, "callbacks": Harm()})
        found = exporting.load_torch(WORK / "harm.ckpt")
        self.assertEqual(set(found["state_dict"]), set(self.bolts))
        (WORK / "harm.pkl").write_bytes(pickle.dumps(Harm()))
        self.refused("simclr", WORK / "harm.pkl")
        self.assertFalse((WORK / "harm").exists())


class Clip(Case):
    @classmethod
    def setUpClass(cls):
        from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast
        from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipImageProcessor, SiglipModel

        torch.manual_seed(0)
        tower = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
        words = tower | {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "projection_dim": 32}
        clip = CLIPConfig(text_config=words, vision_config=tower | {"patch_size": 32, "image_size": 224, "projection_dim": 32}, projection_dim=32)
        siglip = SiglipConfig(text_config=words | {"max_position_embeddings": 64}, vision_config=tower | {"patch_size": 16, "image_size": 224})
        for name, net, processor in (("clip", CLIPModel(clip), CLIPImageProcessor()), ("siglip", SiglipModel(siglip), SiglipImageProcessor())):
            cls.scatter(net).save_pretrained(WORK / name)
            processor.save_pretrained(WORK / name)
        CLIPTokenizerFast(tokenizer_file=str(TOKENISER)).save_pretrained(WORK / "clip")
        PreTrainedTokenizerFast(tokenizer_file=str(TOKENISER), pad_token="!").save_pretrained(WORK / "siglip")

    @staticmethod
    def scatter(net):
        for parameter in net.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, 0, 0.08)
        return net.eval()

    def copied(self, name, change):
        """A copy of the CLIP folder with `change` made to it."""
        folder = WORK / name
        shutil.copytree(WORK / "clip", folder)
        change(folder)
        return folder

    def test_clip(self):
        from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

        out, manifest = self.exported("clip", WORK / "clip")
        self.assertEqual((manifest["text"]["pad_id"], manifest["text"]["context_length"], manifest["dimension"]), (49407, 77, 32))
        net = CLIPModel.from_pretrained(WORK / "clip").eval()
        pixels = CLIPImageProcessor.from_pretrained(WORK / "clip")(list(exporting.pictures().values()), return_tensors="pt")
        # All texts in one batch, padded, with a mask: the graph takes none.
        tokeniser = CLIPTokenizerFast.from_pretrained(WORK / "clip")
        tokens = tokeniser(reference.TEXTS, return_tensors="pt", padding=True, truncation=True, max_length=77)
        with torch.no_grad():
            theirs = net.get_image_features(**pixels).numpy(), net.get_text_features(**tokens).numpy()
        for side, found in zip(("images", "texts"), theirs):
            self.assertLess(np.abs(vectors(out, side, "pooled") - found).max(), 1e-5)
        ours = graph(out, "text.onnx", tokens["input_ids"].numpy())
        self.assertLess(np.abs(ours - theirs[1]).max(), 1e-5)

    def test_siglip(self):
        out, manifest = self.exported("clip", WORK / "siglip")
        self.assertEqual((manifest["text"]["padding"], manifest["text"]["context_length"]), ("fixed", 64))
        self.assertEqual(manifest["vision"]["resize"]["rule"], "exact")

    def test_openai(self):
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

        net = self.scatter(CLIP(32, CLIPVisionCfg(image_size=224, layers=2, width=64, head_width=64, patch_size=32),
                                CLIPTextCfg(context_length=77, vocab_size=49408, width=64, heads=1, layers=2), quick_gelu=True))
        torch.save(net.state_dict(), WORK / "state.pt")
        # OpenAI's own files are archives of TorchScript.
        inputs = {"encode_image": torch.zeros(1, 3, 224, 224), "encode_text": torch.zeros(1, 77, dtype=torch.long)}
        torch.jit.save(torch.jit.trace_module(net, inputs, check_trace=False), WORK / "archive.pt")
        self.exported("clip", WORK / "archive.pt")
        out, manifest = self.exported("clip", WORK / "state.pt")
        self.assertEqual((manifest["text"]["clean"], manifest["vision"]["resize"]["crop_offset"]), ("openai", "round"))
        import open_clip

        with torch.no_grad():
            theirs = net.encode_text(open_clip.tokenize(reference.TEXTS)).numpy()
        self.assertLess(np.abs(vectors(out, "texts", "pooled") - theirs).max() / np.abs(theirs).max(), 1e-2)  # fp16 in between

    def test_refusals(self):
        from safetensors.torch import load_file, save_file

        def cut(folder):
            path = folder / "model.safetensors"
            path.write_bytes(path.read_bytes()[:1_000_000])

        def lacking(folder):
            state = load_file(folder / "model.safetensors")
            del state["visual_projection.weight"]
            save_file(state, folder / "model.safetensors", {"format": "pt"})

        def other(folder):
            state = load_file(folder / "model.safetensors")
            state["visual_projection.weight"] = torch.zeros(16, 64)
            save_file(state, folder / "model.safetensors", {"format": "pt"})

        def bert(folder):
            (folder / "config.json").write_text('{"model_type": "bert"}')

        for change, file, says in (
            (cut, "model.safetensors", "cut off"),
            (lacking, "model.safetensors", "lacks the key visual_projection.weight"),
            (other, "model.safetensors", "visual_projection.weight has another shape than config.json says, [32, 64]"),
            (bert, "config.json", "model_type is 'bert'"),
            (lambda folder: (folder / "model.safetensors").unlink(), "bare", "put model.safetensors there"),
            (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json", "is not there"),
            (lambda folder: (folder / "config.json").write_text("{"), "config.json", "fetch the file again"),
        ):
            name = "bare" if file == "bare" else "bad-" + (change.__name__ if change.__name__ != "<lambda>" else file + says[:5].replace(" ", ""))
            with self.subTest(name):
                self.refused("clip", self.copied(name, change), file, says)
        torch.save({"conv1.weight": torch.zeros(1)}, WORK / "not-clip.pt")
        self.refused("clip", WORK / "not-clip.pt", "lacks the key visual.conv1.weight")


class Comparison(unittest.TestCase):
    def test_a_graph_that_differs_is_refused_with_the_number(self):
        items = [(np.random.default_rng(index).normal(size=64),) for index in range(3)]
        same = lambda values: values
        with contextlib.redirect_stdout(io.StringIO()):
            exporting.compare("same", same, same, items)
            for wrong in (lambda values: values + 0.02 * np.roll(values, 1, 1), lambda values: values * 1.01):
                with self.assertRaisesRegex(reference.Problem, r"cosine [01]\.\d{7}.*error \d"):
                    exporting.compare("wrong", wrong, same, items)
            with self.assertRaisesRegex(reference.Problem, "zero or not finite"):
                exporting.compare("dead", lambda values: values * 0, same, items)

    def test_preprocessing_that_differs_is_refused(self):
        vision = resnet.vision(246)
        with contextlib.redirect_stdout(io.StringIO()), self.assertRaisesRegex(reference.Problem, "differs"):
            exporting.check_preprocessing("246", vision, lambda picture: reference.prepare(resnet.vision(256), picture)[1])


def write_google(state, path):
    """Writes a state dict of torchvision as Google's SimCLR writes its checkpoint."""
    import simclr
    import tensorflow as tf

    values = torch.load(state)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for index, (convolution, norm) in enumerate(simclr.layers()):
            number = "_%d" % index if index else ""
            kernel = values[convolution + ".weight"].numpy().transpose(2, 3, 1, 0).copy()
            v1.get_variable("base_model/conv2d%s/kernel" % number, initializer=kernel)
            for own, theirs in simclr.BATCH_NORM.items():
                v1.get_variable("base_model/batch_normalization%s/%s" % (number, theirs), initializer=values["%s.%s" % (norm, own)].numpy())
        v1.get_variable("global_step", initializer=1)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write-google"]:
        write_google(*sys.argv[2:])
        shutil.rmtree(WORK)
    else:
        unittest.main(verbosity=2)
