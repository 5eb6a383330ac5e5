"""Opens pages in a real browser, narrow and wide, light and dark, and holds them to what the README says.

    check.py OUT PAGE...    screenshots go to OUT
"""

import base64
import pathlib
import sys

from browser import Browser

WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}

# What is wrong with the page that is open, as a list of sentences.
FAULTS = """(() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll('main *')].filter(
      e => e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest('.scroll'));
    faults.push(`wider than the window: ${root.scrollWidth} of ${root.clientWidth}: ` +
      wide.slice(0, 3).map(e => e.outerHTML.slice(0, 200)).join(' | '));
  }
  for (const image of document.images) {
    const shown = image.getBoundingClientRect();
    if (!image.complete || image.naturalWidth === 0) faults.push('not decoded: ' + image.alt);
    if (image.naturalWidth !== image.width * 0 + Number(image.getAttribute('width')))
      faults.push('its width is not as the tag says: ' + image.alt);
    if (!image.alt) faults.push('without alt text: ' + image.outerHTML.slice(-120));
    if (shown.width < 8 && shown.height < 8) faults.push('not to be seen: ' + image.alt);
    const shape = (shown.width / shown.height) / (image.naturalWidth / image.naturalHeight);
    if (Math.min(shown.width, shown.height) > 8 && Math.abs(Math.log(shape)) > 0.05)
      faults.push(`squeezed by ${shape.toFixed(2)}: ` + image.alt);
  }
  if (document.scripts.length) faults.push('has scripts');
  for (const link of document.links)
    if (!link.href.startsWith('file:///') && !link.hash) faults.push('leads away: ' + link.href);
  if (!document.querySelector('h1') || !document.title || !root.lang) faults.push('without heading, title or language');
  const wanted = document.querySelectorAll('.hit, .nothing').length;
  if (!wanted) faults.push('shows no hits, and does not say so');
  return faults;
})()"""

# Lowest contrast of a text with what is behind it; WCAG wants 4.5.
CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d');
  const light = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return [0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b), a];
  };
  let worst = [99, ''];
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (element.closest('style, title, .skip')) continue;
    let behind = element;
    while (behind && light(getComputedStyle(behind).backgroundColor)[1] < 255) behind = behind.parentElement;
    const pair = [light(getComputedStyle(element).color)[0], light(getComputedStyle(behind || document.body).backgroundColor)[0]];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < worst[0]) worst = [contrast, element.outerHTML.slice(0, 120)];
  }
  return worst;
})()"""


def outside(browser):
    """Requests for anything but the page itself and what is in it, and what the page's policy refused."""
    for event in browser.events:
        if event.get("method") == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            is_page = event["params"].get("type") == "Document"
            if not is_page and not address.startswith("data:"):
                yield f"asks for {address[:100]}"
        if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            yield f"the browser says {str(event['params'])[:300]}"


def stops(browser):
    """Elements that the tab key reaches, in order."""
    reached = []
    for _ in range(6):
        for kind in ["keyDown", "keyUp"]:
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.evaluate("document.activeElement.className || document.activeElement.tagName"))
    return reached


def main(out, pages):
    out.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    failed = 0
    try:
        for page in pages:
            for name, (width, height) in WIDTHS.items():
                for scheme in ["light", "dark"]:
                    browser.call(
                        "Emulation.setDeviceMetricsOverride",
                        width=width, height=height, deviceScaleFactor=2 if name == "phone" else 1, mobile=name == "phone",
                    )
                    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                    browser.open(page.resolve().as_uri())
                    faults = [*browser.evaluate(FAULTS), *outside(browser)]
                    contrast, where = browser.evaluate(CONTRAST)
                    if contrast < 4.5:
                        faults.append(f"contrast {contrast:.2f}: {where}")
                    reached = stops(browser)
                    if reached[0] != "skip":
                        faults.append(f"the tab key reaches {reached}")
                    picture = browser.call("Page.captureScreenshot", captureBeyondViewport=True, format="png",
                                           clip={"x": 0, "y": 0, "width": width, "scale": 1,
                                                 "height": min(4000, browser.evaluate("document.documentElement.scrollHeight"))})
                    shot = out / f"{page.stem}-{name}-{scheme}.png"
                    shot.write_bytes(base64.b64decode(picture["data"]))
                    verdict = "ok" if not faults else "FAILED"
                    print(f"{verdict} {page.name} {name} {scheme}: {browser.evaluate('document.images.length')} pictures, "
                          f"lowest contrast {contrast:.1f}")
                    for fault in faults:
                        print(f"  {fault}")
                    failed += bool(faults)
    finally:
        browser.close()
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), [pathlib.Path(page) for page in sys.argv[2:]]) > 0)
