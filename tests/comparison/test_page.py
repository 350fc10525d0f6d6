"""The page in a browser. Its pictures tell where each of their pixels is: red and green are x and y, blue is which."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.cli.app import main
from scales_cli.comparison.page import Base64Writer, Page

DESKTOP, PHONE = (640, 440), (360, 640)
WIDTH, HEIGHT = 240, 160
REQUEST, THROWN = "Network.requestWillBeSent", "Runtime.exceptionThrown"
NAMES = ("bicubic", "base", "photo")
BLUE = (0, 100, 200)


@pytest.fixture(scope="module")
def pictures():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return [np.stack([x, y, np.full_like(x, blue)], axis=2).astype(np.uint8) for blue in BLUE]


@pytest.fixture(scope="module")
def write(pictures, tmp_path_factory):
    """Writes a page with this title, and gives its path."""

    def make(title, names=NAMES):
        path = tmp_path_factory.mktemp("page") / "page.html"
        with path.open("wb") as stream:
            page = Page(stream, title, "30 x 20 pixels")
            for name, pixels in zip(names, pictures, strict=True):
                with page.picture(WIDTH, HEIGHT) as sink:
                    Image.fromarray(pixels).save(sink, "PNG")
                page.tell(name, "0.12 s", f"{title} by {name}")
            page.close()
        return path

    return make


@pytest.fixture(scope="module")
def page(write):
    return write("photo.jpg")


@pytest.fixture
def desktop(browser, page):
    browser.open(page, DESKTOP)
    return browser


@pytest.fixture
def phone(browser, page):
    browser.open(page, PHONE, touch=True)
    return browser


def look(browser):
    """The stage's pixels, without the labels at its top and what lies around the picture."""
    _, top, _, height = map(round, browser.box("main"))
    return browser.screenshot()[top + 50 : top + height - 50]


def sides(row):
    """How many pixels of a row are of each picture."""
    return [int((np.abs(row[:, 2] - blue) < 3).sum()) for blue in BLUE]


def share(browser):
    """The part of the picture's width that the left picture takes, measured above the handle."""
    seen = look(browser)
    left, right, _ = sides(seen[len(seen) // 2 - 40])
    return left / (left + right)


def divide(browser, percent):
    browser.evaluate(f"split({percent})")


def spots(browser):
    """Red and green, which tell x and y, of all of the stage with the left picture in front and the right one."""
    seen = []
    for percent in (100, 0):
        divide(browser, percent)
        seen.append(look(browser)[:, 60:-60, :2])
    return seen


def in_register(browser):
    first, second = spots(browser)
    return np.array_equal(first, second)


def zoom(browser):
    return browser.evaluate("view.zoom")


def focus(browser, selector):
    browser.evaluate(f"document.querySelector({selector!r}).focus()")


def test_the_left_picture_is_left_and_the_right_one_right(desktop):
    seen = look(desktop)
    row = seen[len(seen) // 2 - 40]
    assert set(row[80:310, 2]) == {BLUE[0]}
    assert set(row[330:-80, 2]) == {BLUE[1]}
    assert share(desktop) == pytest.approx(0.5, abs=0.01)


def test_the_mouse_drags_the_handle(desktop):
    desktop.press("+", "+")  # or the handle would follow wherever the mouse is dragged
    _, y, width, height = desktop.box("main")
    before, middle = desktop.evaluate("[view.x, view.y]"), y + height / 2
    desktop.drag((width / 2, middle), (0.7 * width, middle + 9), (0.75 * width, middle))
    assert share(desktop) == pytest.approx(0.75, abs=0.01)
    assert desktop.evaluate("[view.x, view.y]") == before


def test_keys_move_the_handle(desktop):
    focus(desktop, "input")
    desktop.press("ArrowRight", "ArrowRight", "ArrowRight")
    assert desktop.evaluate("slider.valueAsNumber") == 53
    desktop.press("Home")
    assert share(desktop) == 0
    desktop.press("End")
    assert share(desktop) == 1
    assert desktop.evaluate("slider.getAttribute('aria-valuetext')") == "100 % left, 0 % right"


def test_a_finger_drags_the_handle(phone):
    phone.press(*"++++")
    _, y, width, height = phone.box("main")
    phone.touch([(width / 2, y + height / 2)], [(width / 3, y + height / 2)], [(width / 4, y + height / 2)])
    assert share(phone) == pytest.approx(0.25, abs=0.02)


def test_a_finger_on_a_whole_picture_moves_the_handle_there(phone):
    _, y, width, height = phone.box("main")
    phone.touch([(0.8 * width, y + height / 2 + 60)], [(0.75 * width, y + height / 2 + 70)])
    assert share(phone) == pytest.approx(0.75, abs=0.02)


def test_the_wheel_enlarges_what_is_under_the_mouse(desktop):
    _, y, width, height = desktop.box("main")
    point = (0.3 * width, y + 0.6 * height)
    spot = desktop.screenshot()[round(point[1]), round(point[0])]
    before = zoom(desktop)
    desktop.turn(*point, -400)
    assert zoom(desktop) == pytest.approx(2 * before, rel=0.01)
    assert np.abs(desktop.screenshot()[round(point[1]), round(point[0])] - spot).max() <= 1
    assert in_register(desktop)


def test_zoom_and_pan_keep_the_pictures_in_register(desktop):
    focus(desktop, "main")
    assert in_register(desktop)
    for keys, dragged in (("+", None), ("++", (-70, 33)), ("-", (41, -90)), ("1", None), ("0", None), ("+++", (9, 9))):
        desktop.press(*keys)
        if dragged is not None:
            desktop.drag((300, 300), (300 + dragged[0], 300 + dragged[1]))
        assert in_register(desktop), keys


def test_the_mouse_moves_enlarged_pictures(desktop):
    desktop.press("+", "+")
    divide(desktop, 100)
    before = look(desktop)[200, 400]
    desktop.drag((400, 300), (420, 310), (437, 321))
    assert np.array_equal(look(desktop)[221, 437], before)
    assert desktop.evaluate("slider.value") == "100"


def test_arrow_keys_move_enlarged_pictures_but_never_off_the_stage(desktop):
    desktop.press("+", "+", "+")
    focus(desktop, "main")
    for keys, left, top in ((["ArrowLeft", "ArrowUp"], True, True), (["ArrowRight", "ArrowDown"], False, False)):
        desktop.press(*keys * 30)
        divide(desktop, 100)
        seen = look(desktop)
        assert (seen[0, 60, 0] < 20) == left
        assert (seen[0, -60, 0] > WIDTH - 20) != left
        assert set(seen[:, 60:-60, 2].ravel()) == {BLUE[0]}, top


def test_one_to_one_shows_each_pixel_once(desktop, pictures):
    desktop.press("1")
    divide(desktop, 100)
    x, y = (round(value) for value in desktop.evaluate("[view.x, view.y]"))
    top = round(desktop.box("main")[1]) + y
    assert np.array_equal(desktop.screenshot()[top : top + HEIGHT - 60, x : x + WIDTH - 60], pictures[0][:-60, :-60])
    assert desktop.evaluate("document.querySelector('output').value") == "100 %"


def test_two_fingers_enlarge_what_is_between_them(phone):
    _, y, width, height = phone.box("main")
    phone.press(*"++++")
    middle = (round(width / 2) - 60, round(y + height / 2) - 30)
    spot, before = phone.screenshot()[middle[1], middle[0]], zoom(phone)
    phone.touch(*([(middle[0] - d, middle[1]), (middle[0] + d, middle[1])] for d in (20, 30, 40)))
    assert zoom(phone) == pytest.approx(2 * before, rel=0.02)
    assert np.abs(phone.screenshot()[middle[1], middle[0]] - spot).max() <= 1
    assert in_register(phone)


def test_both_sides_are_chosen(desktop):
    choice = "selects[{}].selectedIndex = {}; selects[{}].dispatchEvent(new Event('change'))"
    for side, index, shown in ((1, 2, [0, 2]), (0, 1, [1, 2]), (0, 2, [2, 1]), (1, 2, [1, 2])):
        desktop.evaluate(choice.format(side, index, side))
        seen = look(desktop)
        row = seen[len(seen) // 2 - 40]
        assert [row[200, 2], row[-200, 2]] == [BLUE[index] for index in shown]
        assert desktop.evaluate("selects.map(select => select.value)") == [NAMES[index] for index in shown]


def test_all_fits_on_a_phone(phone):
    assert phone.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [*PHONE]
    for selector in ("h1", "p", "main", "select", "output", *(f"button:nth-of-type({n})" for n in (1, 2, 3, 4))):
        x, y, width, height = phone.box(selector)
        assert x >= 0, selector
        assert x + width <= PHONE[0], selector
        assert y + height <= PHONE[1], selector
        assert height >= 40 or selector in ("h1", "p", "output")
    assert phone.box("main")[3] > PHONE[1] / 2


def test_names_and_roles_are_told(desktop):
    nodes = desktop("Accessibility.getFullAXTree")["nodes"]
    told = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    assert {
        ("heading", "photo.jpg"),
        ("image", "photo.jpg by bicubic"),
        ("image", "photo.jpg by base"),
        ("slider", "How much of the left picture is seen"),
        ("combobox", "Left"),
        ("combobox", "Right"),
        ("button", "Smaller"),
        ("button", "Larger"),
        ("button", "Fit"),
        ("button", "1:1"),
    } <= told
    assert ("image", "photo.jpg by photo") not in told  # which is not seen


def test_all_is_reached_by_tab_and_the_focus_is_seen(desktop):
    plain, reached = desktop.screenshot(), []
    for _ in range(8):
        desktop.press("Tab")
        reached.append(desktop.evaluate("document.activeElement.localName"))
        assert (desktop.screenshot() != plain).any()
    assert reached == ["main", "input", "select", "select", "button", "button", "button", "button"]


def test_dark_and_light(browser, page):
    darkness = []
    for scheme in ("light", "dark"):
        browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(page, DESKTOP)
        darkness.append(browser.screenshot()[2, 500].mean())
    browser("Emulation.setEmulatedMedia", features=[])
    assert darkness[0] > 230 > 50 > darkness[1]


def test_nothing_is_asked_of_the_network(desktop, page):
    for key in ("+", "-", "0"):
        desktop.press(key)
    asked = [event["params"]["request"]["url"] for event in desktop.events if event.get("method") == REQUEST]
    assert {url for url in asked if not url.startswith("data:image/")} == {page.as_uri()}
    assert not [event for event in desktop.events if event.get("method") in ("Log.entryAdded", THROWN)]
    text = re.sub(r"base64,[^\"]*|xmlns=\"[^\"]*\"|^ *//.*$|[ ;]//.*$", "", page.read_text("utf-8"), flags=re.MULTILINE)
    assert not [name for name in ("http:", "https:", "//", "@import") if name in text]


def test_nothing_can_be_asked_of_the_network(desktop):
    refused = (
        "new Promise(done => document.addEventListener('securitypolicyviolation', event => done(event.blockedURI)))"
    )
    desktop.evaluate(f"refused = {refused}; fetch('http://127.0.0.1:9/a').catch(() => 0); 0")
    assert desktop.evaluate("refused") == "http://127.0.0.1:9/a"


@pytest.mark.parametrize(
    "title",
    [
        '"><script>pwned = 1</script>.png',
        "'\" onerror=pwned=1 x='.png",
        "<!-- figures -->$title</title>&amp;.png",
        "a\nb\x1b[31m.png",
        "\u202egnp.png",
        "\udcff\udcfe.png",
    ],
    ids=ascii,
)
def test_titles_are_only_text(title, browser, write):
    browser.open(write(title), DESKTOP)
    shown = title.encode("utf-8", "backslashreplace").decode()
    assert browser.evaluate("typeof pwned") == "undefined"
    assert browser.evaluate("document.querySelector('h1').textContent") == shown
    assert browser.evaluate("document.querySelector('img').alt") == f"{shown} by bicubic"
    assert share(browser) == pytest.approx(0.5, abs=0.01)


def test_without_a_script_the_pictures_stand_below_each_other(browser, page, tmp_path):
    plain = tmp_path / "plain.html"
    plain.write_text(re.sub("<script>.*</script>", "", page.read_text("utf-8"), flags=re.DOTALL), "utf-8")
    browser.open(plain, (300, 620))
    seen = browser.screenshot()
    assert [sorted(set(seen[y, 50:200, 2])) for y in (100, 300, 500)] == [[blue] for blue in BLUE]


def test_base64_does_not_depend_on_the_pieces(rng):
    data = rng.bytes(1000)
    for sizes in ((1000,), (1, 1, 998), (7,) * 142 + (6,), (0, 3, 997)):
        stream, rest = io.BytesIO(), data
        with Base64Writer(stream) as writer:
            for size in sizes:
                writer.write(memoryview(rest)[:size])
                rest = rest[size:]
        assert stream.getvalue() == base64.b64encode(data)


def test_profiles_are_heeded(browser, tmp_path, random_weights):
    """The profile calls red green: its two columns are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ") + 4, profile.index(b"gXYZ") + 4
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    Image.new("RGB", (60, 40), (200, 30, 60)).save(tmp_path / "a.png", icc_profile=bytes(profile))
    random_weights(scale=2).save(tmp_path / "scales-a-x2.safetensors")
    arguments = ["compare", "a.png", "-s", "2", "-m", "scales-a-x2.safetensors", "-o", "page.html"]
    assert main([str(tmp_path / word) if "." in word else word for word in arguments]) == 0
    browser.open(tmp_path / "page.html", DESKTOP)
    seen = look(browser)
    assert np.abs(seen[len(seen) // 2 - 40, 200] - (30, 200, 60)).max() <= 2
