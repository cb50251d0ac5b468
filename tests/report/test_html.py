"""The HTML report: whole, escaped, self-contained, and as a browser shows it."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess

import pytest

from pytest_layercount.checks.facts import renamed
from pytest_layercount.report import pictures
from pytest_layercount.report.drawing import dot_text
from pytest_layercount.report.pictures import laid_out, leave
from tests.graphs import chain
from tests.report.runs import FAILED, GROWN, GROWTH, judged, large, suite_of

pytest.importorskip("jinja2")

from pytest_layercount.report.html import html

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
EVIL = "<script>document.title='caught'</script>"


def drawing(folder):
    from pytest_layercount.folding.planner import plan_graph

    graph = chain("InputLayer", "Conv2D", "BatchNormalization", name="detector")
    return leave(dot_text(*renamed(graph, plan_graph(graph), EVIL)), folder)


def test_it_says_what_the_run_found_out():
    page = html(suite_of(FAILED, GROWN, judged("small")), {"Keras": "3.15.0"})
    for text in (
        "<title>layercount: 2 models judged, 1 failed</title>",
        "Keras 3.15.0",
        '<p class="message">187 layers &gt; max 150 (+37)</p>',
        '<p class="message">150 -&gt; 187 layers (+37)</p>',
        "Since __layercount__/detector.txt: 150 layers, 2M parameters",
        '<b class="more">+36</b><span>2 blocks more: 12 Conv2D and 24 others',
        "<code>block_7</code> <code>block_8</code>",
        '<i class="before" style="width: 52.0%"></i><i class="after" style="width: 1.0%"></i>',
        "<code>nonlinear</code> <b>1</b>",
        "<code>block/bn</code> ReLU is in the way",
        "<code>test_a.py::test_it</code>",
        '<details class="model failed" id="model-1" open>',
        '<details class="model passed" id="model-2">',
        '<a href="#model-2">small</a>',
    ):
        assert text in page, text


def test_a_run_without_models_and_a_model_that_could_not_be_read_have_pages_too():
    assert "No test judged a model." in html(suite_of(), {})
    unread = judged("net.keras", facts=None, outcome="failed", message="no file net.keras")
    assert "no file net.keras" in html(suite_of(unread), {})


@pytest.mark.skipif(not shutil.which("dot"), reason="needs Graphviz")
def test_it_needs_no_network_and_runs_nothing(tmp_path):
    facts = dataclasses.replace(FAILED.facts, types={EVIL: 3}, folded_types={EVIL: 2})
    evil = judged(EVIL, test=EVIL, facts=facts, outcome="failed", message=EVIL)
    page = html(
        suite_of(dataclasses.replace(evil, picture=drawing(tmp_path))), {EVIL: EVIL}, tmp_path
    )
    assert "<script" not in page
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    addresses = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", page)
    assert {re.split("[:-]", address)[0] for address in addresses} == {"data", "#model"}
    assert "data:image/svg+xml;base64," in page


def test_without_graphviz_it_says_how_to_get_a_picture(tmp_path, monkeypatch):
    found = judged(picture=drawing(tmp_path))
    monkeypatch.setenv("PATH", "")
    page = html(suite_of(found), {}, tmp_path)
    assert '<p class="muted">drawing needs Graphviz, and its program dot is not on the PATH' in page
    assert "<img" not in page


def test_pictures_are_few_and_small(tmp_path, monkeypatch):
    for name in "abcd":
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("pytest_layercount.report.graphviz.run_dot", lambda text, form: b"x" * 60)
    monkeypatch.setattr(pictures, "BYTES", 100)
    monkeypatch.setattr(pictures, "MOST", 3)
    assert laid_out(["a", "a", "b", "c", "d"], tmp_path) == {
        "a": (b"x" * 60, ""),
        "b": (b"", "No picture: it would make the page too large."),
        "c": (b"", "No picture: it would make the page too large."),
        "d": (b"", "No picture: the page shows those of the first 3 models."),
    }


def test_the_same_drawing_is_left_once(tmp_path):
    assert drawing(tmp_path) == drawing(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


PROBE = """<script>
const all = [...document.querySelectorAll("main *")];
const addresses = () => performance.getEntriesByType("resource").map((one) => one.name);
addEventListener("load", () => {
  const style = getComputedStyle(document.body);
  document.title = JSON.stringify({
    room: innerWidth,
    width: document.documentElement.scrollWidth,
    back: style.backgroundColor,
    text: style.color,
    headings: all.filter((one) => one.tagName == "H2").map((one) => one.textContent),
    picture: document.querySelector("img").naturalWidth,
    network: addresses().filter((name) => !name.startsWith("data:")).length,
  });
});
</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
@pytest.mark.skipif(not shutil.which("dot"), reason="needs Graphviz")
@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (390, True)], ids=["desktop, light", "phone, dark"]
)
def test_a_browser_shows_it_without_sideways_scrolling(tmp_path, width, dark):
    growth = dataclasses.replace(GROWTH, baseline=f"__layercount__/{'name_' * 40}.txt")
    summary = suite_of(
        dataclasses.replace(FAILED, picture=drawing(tmp_path)),
        dataclasses.replace(GROWN, growth=growth),
        judged("small"),
        judged("name_" * 40),
    )
    page = html(summary, {"Keras": "3.15.0"}, tmp_path)
    policy = re.search(r"<meta http-equiv.*>", page)[0]
    file = tmp_path / "page.html"
    file.write_text(page.replace(policy, "").replace("</body>", f"{PROBE}</body>"), "utf-8")
    dom = browse(
        tmp_path,
        "--dump-dom",
        f"--window-size={width},900",
        *["--blink-settings=preferredColorScheme=0"] * dark,
        file.as_uri(),
    )
    seen = json.loads(re.search(r"<title>(.*)</title>", dom)[1])
    assert seen["width"] <= seen["room"]
    assert seen["headings"][:2] == ["detector", "name_" * 40]
    assert seen["picture"] > 100
    assert seen["network"] == 0
    assert (brightness(seen["back"]) < 60) is dark
    assert abs(brightness(seen["back"]) - brightness(seen["text"])) > 170


def browse(folder, *options):
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={folder / 'profile'}",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_a_large_run_stays_readable_in_size():
    assert len(html(large(300), {})) < 3_000_000
