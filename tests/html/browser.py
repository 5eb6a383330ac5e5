"""A headless Chromium, driven over its debugging pipe; nothing but Python's own library."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"]


def find():
    given = os.environ.get("CHROMIUM")
    found = given or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise SystemExit("error: no Chromium is here\nhint: apt-get install chromium, or name one in CHROMIUM")
    return found


class Browser:
    """One browser with one page; every event that it tells of is kept."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory()
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def hand_over():
            # Far from 3 and 4 first: either may stand there already.
            high_in, high_out = os.dup(theirs_in), os.dup(theirs_out)
            for source, target in [(high_in, 100), (high_out, 101), (100, 3), (101, 4)]:
                os.dup2(source, target, inheritable=True)

        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
        flags += " --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
        command = [find(), *flags.split(), f"--user-data-dir={self.profile.name}", "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=hand_over, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.inward, self.outward = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0)
        self.numbers, self.events, self.rest, self.session = itertools.count(1), [], b"", None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Log", "Runtime"]:
            self.call(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.rest:
            piece = self.inward.read(1 << 20)
            if not piece:
                raise SystemExit(f"error: the browser ended ({self.process.poll()})")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        self.outward.write(json.dumps(request).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == number:
                if "error" in message:
                    raise SystemExit(f"error: {method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"error: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, address):
        self.events.clear()
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + 60
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            if time.monotonic() > deadline:
                raise SystemExit(f"error: {address} does not load")
            self.events.append(self.message())
        self.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0))).then(() => 0)")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.profile.cleanup()
