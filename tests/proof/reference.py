"""What "right" means: the reference packages' own pipelines, picture to tensor and text to token ids.

Light references run here. Heavy ones need torch: `run.py --torch` runs them once over all pictures and texts and keeps
their digests in torch.json. A light run states the same pipeline in Pillow and numpy, holds that statement against the
digests, and so compares with what torch gave, without torch.

Every picture is opened the same way: upright by EXIF, transparency on white, sixteen bits scaled to eight, RGB.
"""
import hashlib
import html
import os
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from PIL import Image, ImageOps

MODELS = Path(__file__).resolve().parents[2] / "models"
Image.MAX_IMAGE_PIXELS = None

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CAFFE = ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
AS_IT_IS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


# ---- pictures ------------------------------------------------------------------------------------------------------

def opened(path):
    """The picture, upright, on white, RGB."""
    with Image.open(path) as picture:
        picture.load()
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        # convert() would cut everything above 255 off, which leaves a white picture.
        return Image.fromarray(((np.asarray(picture, np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture)
        return white
    return picture.convert("RGB")


@dataclass(frozen=True)
class Rule:
    """A pipeline in Pillow and numpy. `edge` None: straight to the size."""
    edge: int | None
    filter: str
    numbers: tuple
    long_side: str = "floor"
    crop_offset: str = "floor"
    size: tuple = (224, 224)  # width, height
    divide_by: float = 255.0
    channels: str = "rgb"
    layout: str = "nchw"

    def resized(self, picture):
        """The eight-bit picture after resize and crop: rows, columns, RGB."""
        if self.edge is None:
            return np.asarray(picture.resize(self.size, FILTERS[self.filter]))
        short = min(picture.size)
        whole = round if self.long_side == "round" else int
        size = tuple(self.edge if side == short else whole(self.edge * side / short) for side in picture.size)
        if size != picture.size:
            picture = picture.resize(size, FILTERS[self.filter])
        spare = [(have - want) / 2 for have, want in zip(size, self.size)]
        left, top = (round(s) if self.crop_offset == "round" else int(s) for s in spare)
        return np.asarray(picture.crop((left, top, left + self.size[0], top + self.size[1])))

    def tensor(self, pixels):
        mean, std = (np.array(numbers, np.float32) for numbers in self.numbers)
        if self.channels == "bgr":
            pixels = pixels[..., ::-1]
        tensor = (pixels.astype(np.float32) / np.float32(self.divide_by) - mean) / std
        return np.ascontiguousarray(tensor.transpose(2, 0, 1) if self.layout == "nchw" else tensor)

    def pixels_of(self, tensor):
        """The picture that a tensor was made of: rows, columns, RGB."""
        pixels = self.bytes_of(tensor).astype(np.uint8)
        pixels = pixels.transpose(1, 2, 0) if self.layout == "nchw" else pixels
        return np.ascontiguousarray(pixels[..., ::-1] if self.channels == "bgr" else pixels)

    def bytes_of(self, tensor):
        """The eight-bit values that a tensor was made of, in the tensor's order."""
        mean, std = (np.array(numbers, np.float32) for numbers in self.numbers)
        if self.layout == "nchw":
            mean, std = mean[:, None, None], std[:, None, None]
        return np.rint((tensor * std + mean) * np.float32(self.divide_by)).astype(np.int16)

    @property
    def shape(self):
        width, height = self.size
        return (3, height, width) if self.layout == "nchw" else (height, width, 3)

    @classmethod
    def of(cls, vision):
        """The rule that a manifest states."""
        resize = vision["resize"]
        return cls(
            resize.get("edge"), resize["filter"], (tuple(vision["mean"]), tuple(vision["std"])), resize.get("long_side", "floor"),
            resize.get("crop_offset", "floor"), (vision["width"], vision["height"]), vision["divide_by"], vision["channels"], vision["layout"])

    def manifest(self, name):
        """A model.toml without a network: the tensor is the embedding."""
        width, height = self.size
        resize = f'rule = "exact"\nfilter = "{self.filter}"' if self.edge is None else (
            f'rule = "shortest-edge"\nedge = {self.edge}\nfilter = "{self.filter}"\n'
            f'long_side = "{self.long_side}"\ncrop_offset = "{self.crop_offset}"')
        # Most pipelines' tensors are larger than the largest vector, so a network is named that is never opened.
        return (
            f'version = 1\nname = "{name}"\ntitle = "Proof"\nlicence = "none"\ndimension = 1\nnormalise = "none"\n'
            f'[source]\nkind = "shipped"\n[[files]]\npath = "none.onnx"\n'
            f'[vision]\nwidth = {width}\nheight = {height}\nlayout = "{self.layout}"\nchannels = "{self.channels}"\n'
            f'divide_by = {self.divide_by}\nmean = {list(self.numbers[0])}\nstd = {list(self.numbers[1])}\n'
            f'[vision.resize]\n{resize}\n'
            f'[vision.onnx]\nfile = "none.onnx"\ninput = "input"\ndtype = "float32"\noutput = "output"\n')


@dataclass(frozen=True)
class Pipeline:
    name: str
    reference: str
    packages: tuple
    rule: Rule
    model: str | None = None  # a shipped one, with a variant, whose own manifest is driven
    light: object = None      # picture -> tensor, by the package itself
    heavy: object = None      # the same, and needs torch

    @property
    def title(self):
        return self.reference + " (" + ", ".join(f"{package} {pinned(package)}" for package in self.packages) + ")"


@cache
def pinned(package):
    """Version in the requirements: the heavy packages are not here in a light run."""
    here = Path(__file__).parent
    lines = [line for file in ("requirements.txt", "requirements-torch.txt") for line in (here / file).read_text().splitlines()]
    return next(line.split("==")[1] for line in lines if line.split("==")[0].lower() == package.lower())


@cache
def transformers_processor(name, **options):
    import transformers
    return getattr(transformers, name)(**options)


def by_transformers(name, **options):
    def run(picture):
        # Told which axis holds the colours: of itself the package takes pictures of one or three rows for channels first.
        processor = transformers_processor(name, **options)
        return processor(picture, return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
    return run


@cache
def open_clip_transform(architecture, tag, size=224):
    from open_clip.pretrained import get_pretrained_cfg
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict
    cfg = PreprocessCfg(**merge_preprocess_dict(PreprocessCfg(size=size), get_pretrained_cfg(architecture, tag)))
    return image_transform_v2(cfg, is_train=False)


def by_open_clip(*which):
    return lambda picture: open_clip_transform(*which)(picture).numpy()


@cache
def torchvision_transform(name):
    import torchvision
    from torchvision import transforms as t
    if name == "simclr":
        return t.Compose([t.Resize(246), t.CenterCrop(224), t.ToTensor(), t.Normalize(*IMAGENET)])
    if name == "article":
        return t.Compose([t.Resize((64, 64)), t.ToTensor(), t.Normalize(*IMAGENET)])
    if name == "caffe":
        return t.Compose([t.Resize(256), t.CenterCrop(224), t.PILToTensor(), t.Lambda(lambda pixels: pixels.flip(0).float()), t.Normalize(*CAFFE)])
    return torchvision.models.ResNet50_Weights[name].transforms()


def by_torchvision(name):
    return lambda picture: torchvision_transform(name)(picture).numpy()


@cache
def timm_transform():
    from timm.data import create_transform
    return create_transform((3, 224, 224), is_training=False, interpolation="bicubic", crop_pct=0.875, mean=IMAGENET[0], std=IMAGENET[1])


def by_timm(picture):
    return timm_transform()(picture).numpy()


@cache
def sentence_transformer():
    """The published clip-ViT-B-32's layout with made-up weights: only the preprocessing before them is looked at."""
    import json
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CLIPModel
    folder = Path(tempfile.mkdtemp())
    tiny = dict(hidden_size=8, intermediate_size=8, num_attention_heads=1, num_hidden_layers=1)
    config = transformers.CLIPConfig(text_config=tiny, vision_config=dict(tiny, patch_size=112), projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)
    stored = json.loads((folder / "preprocessor_config.json").read_text())
    assert stored["image_processor_type"] == "CLIPImageProcessor", stored
    return SentenceTransformer(modules=[CLIPModel(str(folder))])


def by_sentence_transformers(picture):
    # One and three rows are taken for channels here too, and it cannot be told otherwise: such pictures go in as they
    # come out of the resize.
    if picture.height in (1, 3):
        picture = transformers_resized(picture)
    return sentence_transformer().preprocess([picture])["pixel_values"][0].numpy()


def transformers_resized(picture):
    return Image.fromarray(Rule(224, "bicubic", CLIP).resized(picture))


CLIP_RULE = Rule(224, "bicubic", CLIP)
SQUASHED = Rule(None, "bicubic", HALF)
PIPELINES = [
    Pipeline("CLIP", "CLIPImageProcessor, Pillow-backed", ("transformers",), CLIP_RULE, "clip-vit-b-32", light=by_transformers("CLIPImageProcessor")),
    Pipeline("CLIP of sentence-transformers", "SentenceTransformer of a CLIPModel", ("sentence-transformers",), CLIP_RULE, "clip-vit-b-32",
             heavy=by_sentence_transformers),
    Pipeline("CLIP of open_clip", "image_transform_v2, ViT-B-32/openai", ("open_clip_torch",), Rule(224, "bicubic", CLIP, crop_offset="round"),
             "clip-vit-b-32:openai", heavy=by_open_clip("ViT-B-32-quickgelu", "openai")),
    Pipeline("SigLIP", "SiglipImageProcessor, Pillow-backed", ("transformers",), SQUASHED, "siglip-b-16", light=by_transformers("SiglipImageProcessor")),
    Pipeline("SigLIP 2", "SiglipImageProcessor, resample bilinear, Pillow-backed", ("transformers",), Rule(None, "bilinear", HALF), "siglip2-b-16",
             light=by_transformers("SiglipImageProcessor", resample=2)),
    Pipeline("SigLIP of open_clip", "image_transform_v2, ViT-B-16-SigLIP/webli", ("open_clip_torch",), SQUASHED, "marqo-fashion-siglip",
             heavy=by_open_clip("ViT-B-16-SigLIP", "webli")),
    Pipeline("MobileCLIP", "image_transform_v2, MobileCLIP-S1/datacompdr", ("open_clip_torch",),
             Rule(256, "bilinear", AS_IT_IS, crop_offset="round", size=(256, 256)), heavy=by_open_clip("MobileCLIP-S1", "datacompdr", 256)),
    Pipeline("ResNet-50 V1", "ResNet50_Weights.IMAGENET1K_V1.transforms()", ("torchvision",), Rule(256, "bilinear", IMAGENET, crop_offset="round"),
             "resnet50-zoo", heavy=by_torchvision("IMAGENET1K_V1")),
    Pipeline("ResNet-50 V2", "ResNet50_Weights.IMAGENET1K_V2.transforms()", ("torchvision",), Rule(232, "bilinear", IMAGENET, crop_offset="round"),
             heavy=by_torchvision("IMAGENET1K_V2")),
    Pipeline("ResNet-50 of timm", "create_transform, bicubic, crop_pct 0.875", ("timm",), Rule(256, "bicubic", IMAGENET, crop_offset="round"),
             "resnet50-zoo:timm", heavy=by_timm),
    Pipeline("SimCLR", "Resize(246), CenterCrop(224), ToTensor, Normalize", ("torchvision",), Rule(246, "bilinear", IMAGENET, crop_offset="round"),
             "simclr-resnet50", heavy=by_torchvision("simclr")),
    Pipeline("SimCLR of the article", "Resize((64, 64)), ToTensor, Normalize", ("torchvision",), Rule(None, "bilinear", IMAGENET, size=(64, 64)),
             "simclr-resnet50:article", heavy=by_torchvision("article")),
    Pipeline("ResNet-50 of Keras, torchvision's resize", "Resize(256), CenterCrop(224), PILToTensor, BGR, Normalize", ("torchvision",),
             Rule(256, "bilinear", CAFFE, crop_offset="round", divide_by=1.0, channels="bgr"), "resnet50:torchvision", heavy=by_torchvision("caffe")),
    Pipeline("ResNet-50 of Keras", "models/resnet50/README.md in Pillow and numpy", ("pillow", "numpy"),
             Rule(256, "bicubic", CAFFE, divide_by=1.0, channels="bgr"), "resnet50"),
    Pipeline("lit-b0", "models/lit-b0/model-card.md in Pillow and numpy", ("pillow", "numpy"), Rule(224, "bicubic", IMAGENET, long_side="round"), "lit-b0"),
    Pipeline("pixels", "resize((60, 80), BILINEAR) / 255", ("pillow", "numpy"), Rule(None, "bilinear", AS_IT_IS, size=(60, 80), layout="nhwc"), "pixels"),
]


def shipped():
    """Name, variant included, and manifest of every model in models/."""
    for path in sorted(MODELS.glob("*/model.toml")):
        manifest = tomllib.loads(path.read_text())
        variants = manifest.pop("variants", {})
        yield manifest["name"], manifest
        for name, changes in variants.items():
            yield f"{manifest['name']}:{name}", overlaid(manifest, changes)


def overlaid(base, changes):
    """`base` with a variant's keys: tables are merged, unless they name another rule or kind."""
    merged = dict(base)
    for key, change in changes.items():
        both = isinstance(change, dict) and isinstance(base.get(key), dict) and not {"rule", "kind"} & change.keys()
        merged[key] = overlaid(base[key], change) if both else change
    return merged


def digest(pixels):
    """Twelve hex digits of rows x columns x RGB."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:12]


# ---- texts ---------------------------------------------------------------------------------------------------------

@cache
def clip_tokenizer():
    from transformers import CLIPTokenizerFast
    return CLIPTokenizerFast(tokenizer_file=str(MODELS / "clip-vit-b-32/tokenizer.json"), model_max_length=77)


def clip_ids(text):
    return clip_tokenizer()(text, truncation=True)["input_ids"]


@cache
def lit_tokenizer():
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(MODELS / "lit-b0/tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(64)
    return tokenizer


def lit_ids(text):
    return lit_tokenizer().encode(text).ids


class OpenClip:
    """open_clip's SimpleTokenizer without torch: its clean-up word for word, and byte pairs from tokenizer.json.

    Copied and shortened from open_clip 3.3.0, MIT, (c) 2021 OpenAI. torch.json says that it gives what open_clip gives.
    """

    def __init__(self):
        import json
        import regex
        model = json.loads((MODELS / "clip-vit-b-32/tokenizer.json").read_text())["model"]
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.ids = dict(model["vocab"], **{"<start_of_text>": 49406, "<end_of_text>": 49407})
        letters = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
        others = [byte for byte in range(256) if byte not in letters]
        self.letter = {**{byte: chr(byte) for byte in letters}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}
        self.pattern = regex.compile(
            r"""<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""", regex.IGNORECASE)
        self.known = {special: [self.ids[special]] for special in ("<start_of_text>", "<end_of_text>")}

    @staticmethod
    def clean(text):
        import ftfy
        text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
        return " ".join(text.split()).strip().lower()

    def pieces(self, word):
        if word not in self.known:
            parts = [*word[:-1], word[-1] + "</w>"]
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                merged, at = [], 0
                while at < len(parts):
                    two = tuple(parts[at:at + 2]) == best
                    merged.append("".join(best) if two else parts[at])
                    at += 2 if two else 1
                parts = merged
            self.known[word] = [self.ids[part] for part in parts]
        return self.known[word]

    def __call__(self, text):
        ids = [49406]
        for word in self.pattern.findall(self.clean(text)):
            ids += self.pieces("".join(self.letter[byte] for byte in word.encode()))
        return ids + [49407] if len(ids) < 77 else ids[:76] + [49407]


@cache
def open_clip_statement():
    return OpenClip()


def open_clip_ids(text):
    return open_clip_statement()(text)


def open_clip_quirk(text):
    """What is left to open_clip alone: a text may not name special tokens here, and 's is not written with other letters."""
    text = OpenClip.clean(text)
    if "<start_of_text>" in text or "<end_of_text>" in text:
        return "open_clip takes `<start_of_text>` and `<end_of_text>` in a text for its special tokens"
    if "'\u017f" in text or "\u0345" in text:
        return "open_clip's pattern ignores case, so that U+017F is an s and U+0345 a letter"
    return None


def heavy_open_clip_ids(text):
    import open_clip
    ids = open_clip.tokenize([text])[0].tolist()
    return ids[:len(ids) - ids[::-1].index(49407)]


def heavy_sentence_transformers_ids(text):
    return sentence_transformer().preprocess([text])["input_ids"][0].tolist()


@dataclass(frozen=True)
class Tokeniser:
    name: str
    reference: str
    packages: tuple
    model: str
    ids: object         # text -> ids, without padding
    heavy: object = None
    quirk: object = lambda text: None  # text -> why the reference and this crate may differ on it

    title = Pipeline.title


TOKENISERS = [
    Tokeniser("CLIP", "CLIPTokenizerFast", ("transformers",), "clip-vit-b-32", clip_ids),
    Tokeniser("CLIP of sentence-transformers", "SentenceTransformer of a CLIPModel", ("sentence-transformers",), "clip-vit-b-32", clip_ids,
              heavy=heavy_sentence_transformers_ids),
    Tokeniser("CLIP of open_clip", "tokenize", ("open_clip_torch", "ftfy"), "clip-vit-b-32:openai", open_clip_ids, heavy=heavy_open_clip_ids,
              quirk=open_clip_quirk),
    Tokeniser("lit-b0", "Tokenizer", ("tokenizers",), "lit-b0", lit_ids),
]


def text_digest(ids):
    """Eight hex digits of token ids."""
    return hashlib.sha256(np.array(ids, "<u4").tobytes()).hexdigest()[:8]
