"""A headless Chromium, spoken to by the DevTools protocol through a pair of pipes: neither a driver nor a port."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_PATIENCE = 300  # seconds, on a busy machine


class Browser:
    def __init__(self, profile):
        ends = [*os.pipe(), *os.pipe()]
        requests, self._requests, self._answers, answers = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
        for end in ends:  # which may be 3 and 4 themselves
            os.close(end)
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{requests} 4>&{answers} 2>/dev/null', "bash", CHROMIUM),
                *("--headless", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
                *("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"),
                *("--force-color-profile=srgb", "--hide-scrollbars", "about:blank"),
            ],
            pass_fds=(requests, answers),
            start_new_session=True,
        )
        os.close(requests)
        os.close(answers)
        self._count, self._read, self.events = 0, b"", []
        self._session = None

    def begin(self):
        """Opens the one tab."""
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method, **params):
        """The answer to a command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        return self._wait(lambda answer: answer.get("id") == self._count)["result"]

    def _wait(self, wanted):
        end = time.monotonic() + _PATIENCE
        while True:
            while b"\0" not in self._read:
                ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
                assert ready, "Chromium does not answer"
                received = os.read(self._answers, 2**20)
                if not received:
                    raise EOFError("Chromium has gone")
                self._read += received
            message, self._read = self._read.split(b"\0", 1)
            answer = json.loads(message)
            assert "error" not in answer, answer
            self.events.append(answer)
            if wanted(answer):
                return answer

    def open(self, path, size, *, touch=False, pixel_ratio=1):
        self.events.clear()
        width, height = size
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=pixel_ratio,
            mobile=touch,
        )
        self("Emulation.setTouchEmulationEnabled", enabled=touch)
        self("Page.navigate", url=path.as_uri())
        self._wait(lambda event: event.get("method") == "Page.loadEventFired")
        self.settle()

    def evaluate(self, script):
        answer = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def settle(self):
        self.evaluate(_SETTLED)

    def screenshot(self):
        """Pixels of the screen [H, W, 3]."""
        self.settle()
        file = base64.b64decode(self("Page.captureScreenshot", format="png", optimizeForSpeed=True)["data"])
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)

    def box(self, selector):
        """Left, top, width and height of an element, in CSS pixels."""
        values = "({ x, y, width, height }) => [x, y, width, height]"
        return self.evaluate(f"({values})(document.querySelector({selector!r}).getBoundingClientRect())")

    def drag(self, *points):
        """With the mouse, from the first point to the last."""
        for index, (x, y) in enumerate([*points, points[-1]]):
            kind = "mousePressed" if index == 0 else "mouseReleased" if index == len(points) else "mouseMoved"
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def touch(self, *moments):
        """With fingers: their points at each moment, as many at all of them."""
        for index, points in enumerate(moments):
            kind = "touchMove" if index else "touchStart"
            self("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])
        self("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def turn(self, x, y, distance):
        self("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=distance)

    def press(self, *keys):
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}
            code = codes.get(key, ord(key[0].upper()))
            self("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
            self("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def close(self):
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._requests)
        os.close(self._answers)


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    try:
        try:
            browser.begin()
        except (EOFError, BrokenPipeError):
            pytest.skip("Chromium does not start here")
        yield browser
    finally:
        browser.close()
