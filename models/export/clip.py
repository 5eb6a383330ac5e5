"""Turns a CLIP or SigLIP model into a model's folder: a graph for pictures, one for texts, and the tokeniser.

usage: python clip.py FOLDER --out FOLDER [--licence TEXT]      a Hugging Face folder: config.json, model.safetensors,
                                                                tokenizer.json, preprocessor_config.json
       python clip.py FILE.pt --out FOLDER [--licence TEXT]     OpenAI's own file, such as ViT-B-32.pt

Folders of CLIPModel (fashion-clip is one) and of SiglipModel are known, by config.json's `model_type`.
"""
import json
import logging
import os
import shutil
import warnings

# transformers would load TensorFlow beside torch, where it is installed.
os.environ["USE_TF"] = "0"

import numpy as np

import reference
from exporting import Runner, arguments, check_preprocessing, compare, export, pictures, unreadable, write_folder
from reference import MODELS, Problem

FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def main():
    args = arguments(__doc__.splitlines()[0], lambda parser: None, "a folder of Hugging Face, or OpenAI's file")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    source = HuggingFace(args.checkpoint) if args.checkpoint.is_dir() else OpenAI(args.checkpoint)
    source.write_tokeniser(args.out / "tokenizer.json")
    vision, text = source.vision(), source.text()

    check_preprocessing(args.checkpoint.name, vision, source.prepare)
    export_towers(source, args.out, vision, text)
    images = [(reference.prepare(vision, picture)[1],) for picture in pictures().values()]
    compare("image.onnx", Runner(args.out / "image.onnx"), source.image, images)
    tokeniser = reference.Tokeniser(args.out, text, source.reference())
    ids = [tokeniser.ids(item) for item in reference.TEXTS]
    source.check_ids(ids)
    alone = [(tokeniser.padded(item)[0][0],) for item in ids]
    longest = max(len(item) for item, in alone)
    padded = [(np.pad(item, (0, longest - len(item)), constant_values=text["pad_id"]),) for item, in alone]
    compare("text.onnx", Runner(args.out / "text.onnx"), source.words, alone, padded)

    manifest = {
        "title": source.title, "licence": args.licence, "dimension": len(source.image(np.stack(images[0]))[0]),
        "vision": vision, "text": text, "proof": {"reference": source.reference()},
    }
    write_folder(args.out, manifest, ["Exported by `models export clip` from %s." % args.checkpoint.name],
                 ["image.onnx", "text.onnx", "tokenizer.json"],
                 lambda tensor: source.image(tensor[None])[0], lambda ids, _: source.words(ids)[0],
                 source.packages + ["tokenizers", "pillow", "numpy"])


def export_towers(source, folder, vision, text):
    import torch

    class Tower(torch.nn.Module):
        def __init__(self, run):
            super().__init__()
            self.net, self.run = source.net, run

        def forward(self, values):
            return self.run(values)

    picture = torch.zeros(2, 3, vision["height"], vision["width"])
    tokens = torch.full((2, text["context_length"]), text["pad_id"])
    # Position ids are looked up by the texts' length, so that it may be any; SigLIP always takes the full length.
    free = {0: "batch"} if text["padding"] == "fixed" else {0: "batch", 1: "tokens"}
    export(Tower(source.run_image), picture, folder / "image.onnx", ["pixel_values"], ["image_embeds"],
           {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}})
    export(Tower(source.run_text), tokens, folder / "text.onnx", ["input_ids"], ["text_embeds"],
           {"input_ids": free, "text_embeds": {0: "batch"}})


class Source:
    """A model in its own framework. Subclasses set `net` (a torch module) and `title`, and say what they are."""

    def run(self, function, values):
        import torch

        with torch.no_grad():
            return function(torch.from_numpy(np.asarray(values))).numpy()

    def image(self, pixels):
        return self.run(self.run_image, pixels)

    def words(self, ids):
        return self.run(self.run_text, ids.astype(np.int64))

    def graph(self, side):
        if side == "image":
            return {"file": "image.onnx", "input": "pixel_values", "dtype": "float32", "output": "image_embeds"}
        return {"file": "text.onnx", "input_ids": "input_ids", "dtype": "int64", "output": "text_embeds"}


class HuggingFace(Source):
    """A folder as transformers' save_pretrained() writes it."""

    packages = ["transformers", "torch"]

    def __init__(self, folder):
        self.folder = folder
        self.config = self.read("config.json")
        self.kind = self.config.get("model_type")
        if self.kind not in ("clip", "siglip"):
            raise Problem("%s/config.json: model_type is %r" % (folder, self.kind), "only clip and siglip are exported")
        self.processor_config = self.read("preprocessor_config.json")
        self.title = "%s (%s), text and images" % ("CLIP" if self.kind == "clip" else "SigLIP", folder.resolve().name)
        self.net = self.load()

    def read(self, name):
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Problem("%s is not there" % path, "the folder needs config.json, model.safetensors, tokenizer.json and preprocessor_config.json") from None
        except ValueError as error:
            raise Problem("%s: %s" % (path, error), "fetch the file again") from None

    def load(self):
        import torch
        from transformers import CLIPModel, SiglipModel

        kind = {"clip": CLIPModel, "siglip": SiglipModel}[self.kind]
        files = sorted(list(self.folder.glob("*.safetensors")) + list(self.folder.glob("pytorch_model*.bin")))
        if not files:
            raise Problem("%s has no weights" % self.folder, "put model.safetensors there")
        try:
            net, told = kind.from_pretrained(self.folder, local_files_only=True, output_loading_info=True,
                                             ignore_mismatched_sizes=True,
                                             attn_implementation="eager", torch_dtype=torch.float32)
        except Exception as error:
            self.explain(files, error)
        # transformers fills what is missing or does not fit with chance, and only warns.
        for key in told["mismatched_keys"]:
            key = key if isinstance(key, str) else key[0]
            raise Problem("%s: %s has another shape than config.json says, %s" % (files[0], key, list(net.state_dict()[key].shape)),
                          "config.json and the weights are of different models: fetch both again")
        missing = sorted(key for key in told["missing_keys"] if not key.endswith("position_ids"))
        if missing:
            raise Problem("%s lacks the key %s (%d are missing)" % (files[0], missing[0], len(missing)),
                          "it is not the checkpoint of this config.json, or not whole: fetch both again")
        return net.eval()

    def explain(self, files, error):
        """Ends with the file that cannot be read, or with what transformers said."""
        from safetensors import safe_open

        for path in files:
            if path.suffix != ".safetensors":
                continue
            try:
                with safe_open(path, "pt") as opened:
                    opened.keys()
            except Exception as broken:
                raise unreadable(path, broken) from None
        said = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise Problem("%s: %s" % (files[0], said), "config.json and the weights are of different models, or damaged: fetch both again") from None

    def run_image(self, pixels):
        return self.net.get_image_features(pixel_values=pixels)

    def run_text(self, ids):
        return self.net.get_text_features(input_ids=ids)

    def reference(self):
        names = {"clip": "CLIPModel, CLIPImageProcessor (Pillow), CLIPTokenizerFast", "siglip": "SiglipModel, SiglipImageProcessor (Pillow), tokenizer.json"}
        return "%s: %s" % (reference.versions("transformers"), names[self.kind])

    def processor(self):
        from transformers.models.clip.image_processing_clip import CLIPImageProcessor
        from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

        return {"clip": CLIPImageProcessor, "siglip": SiglipImageProcessor}[self.kind].from_pretrained(self.folder, local_files_only=True)

    def prepare(self, picture):
        return self.processor()(picture, return_tensors="np")["pixel_values"][0]

    def vision(self):
        theirs = self.processor()
        size = self.config["vision_config"].get("image_size", 224)
        kernel = FILTERS.get(int(theirs.resample))
        path = self.folder / "preprocessor_config.json"
        if kernel is None:
            raise Problem("%s: resample is %s" % (path, theirs.resample), "only bilinear (2), bicubic (3) and lanczos (1) are known")
        cropped = self.kind == "clip" and theirs.do_center_crop
        if cropped:
            rule = {"rule": "shortest-edge", "edge": theirs.size.get("shortest_edge"), "filter": kernel, "long_side": "floor", "crop_offset": "floor"}
        else:
            rule = {"rule": "exact", "filter": kernel}
        found = theirs.crop_size if cropped else theirs.size
        if (found.get("height"), found.get("width")) != (size, size) or (cropped and rule["edge"] is None):
            raise Problem("%s makes pictures of %s, and config.json wants %d x %d" % (path, dict(found), size, size), "fetch both files again")
        return {
            "width": size, "height": size, "layout": "nchw", "channels": "rgb", "divide_by": float(round(1 / theirs.rescale_factor, 6)),
            "mean": list(map(float, theirs.image_mean)), "std": list(map(float, theirs.image_std)), "resize": rule, "onnx": self.graph("image"),
        }

    def text(self):
        settings = self.config["text_config"]
        length = settings.get("max_position_embeddings", {"clip": 77, "siglip": 64}[self.kind])
        text = {"tokenizer": "tokenizer.json", "context_length": length, "padding": "longest", "pad_id": self.tokeniser().pad_token_id}
        if self.kind == "siglip":
            # SigLIP reads the last place, so that every text must be filled up; it was trained on lower case.
            text |= {"padding": "fixed", "lower_case": True}
        return text | {"onnx": self.graph("text")}

    def tokeniser(self):
        from transformers import AutoTokenizer, CLIPTokenizerFast

        try:
            kind = CLIPTokenizerFast if self.kind == "clip" else AutoTokenizer
            return kind.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:
            raise Problem("%s: its tokeniser cannot be read: %s" % (self.folder, str(error).splitlines()[0][:200]), "put tokenizer.json and tokenizer_config.json there") from None

    def write_tokeniser(self, path):
        theirs = self.folder / "tokenizer.json"
        if theirs.is_file():
            shutil.copyfile(theirs, path)
            return
        tokeniser = self.tokeniser()
        if not tokeniser.is_fast:
            raise Problem("%s has no tokenizer.json" % self.folder, "put it there")
        tokeniser.backend_tokenizer.save(str(path))

    def check_ids(self, ids):
        tokeniser, text = self.tokeniser(), self.text()
        for item, ours in zip(reference.TEXTS, ids):
            item = item.lower() if text.get("lower_case") else item
            theirs = tokeniser(item, truncation=True, max_length=text["context_length"])["input_ids"]
            if theirs != ours:
                raise Problem("%r has the tokens %s, and in transformers %s" % (item, ours, theirs), "tokenizer.json and tokenizer_config.json contradict each other: fetch both again")


class OpenAI(Source):
    """OpenAI's own file, by way of open_clip."""

    packages = ["open_clip_torch", "torch", "torchvision"]

    def __init__(self, path):
        from exporting import load_torch

        try:
            import torch

            state = torch.jit.load(str(path), map_location="cpu").state_dict()
        except RuntimeError:
            state = load_torch(path)
        state = dict(state.get("state_dict", state)) if isinstance(state, dict) else {}
        state.pop("attn_mask", None)  # no weight: it is made anew
        lacking = [key for key in ("visual.conv1.weight", "visual.proj", "text_projection", "positional_embedding", "token_embedding.weight") if key not in state]
        if lacking:
            raise Problem("%s lacks the key %s" % (path, lacking[0]), "give OpenAI's ViT file, or a Hugging Face folder; its keys are such as %s" % ", ".join(map(str, list(state)[:3])))
        from open_clip.model import build_model_from_openai_state_dict

        try:
            self.net = build_model_from_openai_state_dict(state).float().eval()
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise Problem("%s: %s" % (path, " ".join(lines[-1:])[:300] or type(error).__name__), "the file is not whole, or not OpenAI's: fetch it again") from None
        self.size = self.net.visual.image_size[0] if isinstance(self.net.visual.image_size, tuple) else self.net.visual.image_size
        self.title = "CLIP (%s of OpenAI), text and images, English" % path.name

    def run_image(self, pixels):
        return self.net.encode_image(pixels)

    def run_text(self, ids):
        return self.net.encode_text(ids)

    def reference(self):
        return "%s: CLIP, image_transform, tokenize" % reference.versions("open_clip_torch")

    def prepare(self, picture):
        from open_clip import image_transform

        return image_transform(self.size, is_train=False, mean=CLIP_MEAN, std=CLIP_STD)(picture).numpy()

    def vision(self):
        rule = {"rule": "shortest-edge", "edge": self.size, "filter": "bicubic", "long_side": "floor", "crop_offset": "round"}
        return {
            "width": self.size, "height": self.size, "layout": "nchw", "channels": "rgb", "divide_by": 255.0,
            "mean": CLIP_MEAN, "std": CLIP_STD, "resize": rule, "onnx": self.graph("image"),
        }

    def text(self):
        # The full length: open_clip adds its position table to texts of that length alone.
        return {"tokenizer": "tokenizer.json", "context_length": self.net.context_length, "padding": "fixed", "pad_id": 0,
                "clean": "openai", "onnx": self.graph("text")}

    def write_tokeniser(self, path):
        shutil.copyfile(MODELS / "clip-vit-b-32" / "tokenizer.json", path)

    def check_ids(self, ids):
        import open_clip

        for item, ours in zip(reference.TEXTS, ids):
            theirs = open_clip.tokenize([item], self.net.context_length)[0].tolist()
            if theirs != ours + [0] * (len(theirs) - len(ours)):
                raise Problem("%r has the tokens %s, and in open_clip %s" % (item, ours, theirs), "report this with the versions of open_clip_torch and ftfy")


if __name__ == "__main__":
    reference.run(main)
