"""Holds the decoders against Pillow's own test pictures: odd, broken, malicious.

Every file ends with pixels or with a reason; none crashes, hangs or leaks. Of
the files in our formats that Pillow decodes, those that are refused are the
ones that expected.json lists, each with a reason, and at most 2 in 100. Of
the TIFFs the pixels are Pillow's, to the bit, but for those that pixels.json
lists, each with the largest difference and the reason.
"""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import warnings

from PIL import Image, ImageChops

HERE = pathlib.Path(__file__).parent
OURS = {"PNG", "TIFF", "BMP", "JPEG", "GIF", "WEBP", "MPO"}
MOST_KIB = 1_500_000
MOST_SECONDS = 60


def pictures(work):
    """Pillow's source package, once; its folder of pictures."""
    pin = (HERE / "requirements.txt").read_text().strip()
    name = pin.replace("==", "-")
    folder = work / name / "Tests" / "images"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--disable-pip-version-check", "--no-binary", ":all:", "--dest", str(work), pin]
        subprocess.run(pip, check=True)
        with tarfile.open(work / f"{name}.tar.gz") as archive:
            archive.extractall(work, filter="data")
    return folder


def decodes(path):
    """Whether the file is in one of our formats and Pillow reads its pixels."""
    try:
        with Image.open(path) as image:
            if image.format not in OURS:
                return False
            image.load()
            return True
    except Exception:  # Pillow raises whatever its plugins stumble on.
        return False


def on_white(image):
    """The picture as RGB, laid on white where it is transparent."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def difference(path, line, pixels):
    """Largest difference between our pixels of a TIFF and Pillow's; nothing if Pillow reads none."""
    try:
        with Image.open(path) as image:
            image.load()
    except Exception:  # As above.
        return None
    if image.size != (line["width"], line["height"]):
        return 255
    ours = Image.frombytes("RGB", image.size, pixels.read_bytes())
    return max(most for _, most in ImageChops.difference(ours, on_white(image)).getextrema())


def tiffs(root, ends, folder):
    """Problems with the pixels of TIFFs, how many were compared, and how many are equal."""
    listed = json.loads((HERE / "pixels.json").read_text())
    found = {}
    for file, line in ends.items():
        pixels = folder / file.replace("/", "__")
        if pixels.is_file():
            found[file] = difference(root / file, line, pixels)
    found = {file: most for file, most in found.items() if most is not None}
    far = {file: most for file, most in found.items() if most}
    problems = [f"{f}: pixels {most} off, and not listed" for f, most in far.items() if f not in listed]
    problems += [f"{f}: pixels {far.get(f, 0)} off, listed with {most}"
                 for f, (most, _) in listed.items() if far.get(f, 0) != most]
    return problems, len(found), len(found) - len(far)


def main():
    warnings.simplefilter("ignore")
    work = pathlib.Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    root = pictures(work)
    command = ["cargo", "test", "--quiet", "--locked", "--features", "hostile-tests"]
    with tempfile.TemporaryDirectory() as pixels:
        command += ["--test", "hostile", "--", str(root.resolve()), pixels]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=1200, check=True)
        lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
        ends = {line["file"]: line for line in lines}
        problems, compared, equal = tiffs(root, ends, pathlib.Path(pixels))
    files = [p for p in root.rglob("*") if p.is_file()]
    problems += [f"{p}: no outcome" for p in files if str(p.relative_to(root)) not in ends]
    problems += [
        f"{line['file']}: {line['seconds']:.0f} s" for line in lines if line["seconds"] > MOST_SECONDS
    ]
    most = max((line["memory"] or [0])[0] for line in lines)
    if most > MOST_KIB:
        problems.append(f"{most} KiB of memory, {MOST_KIB} allowed")

    readable = [str(p.relative_to(root)) for p in sorted(files) if decodes(p)]
    refused = {file: ends[file]["reason"] for file in readable if ends[file]["outcome"] == "reject"}
    listed = json.loads((HERE / "expected.json").read_text())
    problems += [f"{f}: refused ({why}), and not listed" for f, why in refused.items() if f not in listed]
    problems += [f"{f}: listed as refused, but decoded" for f in listed if f not in refused]
    if len(refused) > 0.02 * len(readable):
        problems.append(f"{len(refused)} of {len(readable)} refused: more than 2 in 100")

    embedded = sum(line["outcome"] == "embed" for line in lines)
    print(f"{len(lines)} files: {embedded} decoded, {len(lines) - embedded} refused with a reason")
    print(f"Pillow decodes {len(readable)} in our formats; of these {len(refused)} are refused, all listed"
          if not problems else "\n".join(["error:", *problems]))
    print(f"of {compared} TIFFs {equal} are Pillow's to the bit")
    print(f"most memory: {most // 1024} MiB; slowest: {max(l['seconds'] for l in lines):.1f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    os.chdir(HERE.parent.parent)
    sys.exit(main())
