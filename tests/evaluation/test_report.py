import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from asc_tf import dataset, metrics
from asc_tf.evaluation import evaluate, report
from asc_tf.recipe import resolve
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

LOG = """epoch,accuracy,label_loss,loss,teacher_loss,learning_rate,val_macro_accuracy
1,0.3,1.1,0.9,nan,0.01,0.4
2,0.5,0.8,0.7,0.2,0.001,0.6
"""
LAYERS = [
    {"layer": "a", "operation": "CONV_2D", "error": 0.03, "own_error": 0.01},
    {"layer": "b", "operation": "CONV_2D", "error": 0.03, "own_error": 0.02},
]
CHECK = """<script>window.onload = async () => {
  const audio = document.querySelector("audio");
  const seconds = await new Promise(resolve => {
    audio.oncanplaythrough = () => resolve(audio.duration); audio.onerror = () => resolve(-1); audio.load(); });
  document.body.dataset.found = JSON.stringify({seconds, pictures: [...document.images].map(one => one.naturalWidth)});
};</script></body>"""


@pytest.fixture(scope="module")
def written(tiny_in, tmp_path_factory):
    """A run's folder with the report of probabilities that were drawn; its metrics.json and data."""
    folder = tmp_path_factory.mktemp("report")
    recipe = resolve.load(tiny_in(folder).with_name("tiny_teacher.toml"))
    out, data = RunFolder(folder / "run", recipe), dataset.load(recipe)
    out.write(layout.RECIPE, resolve.to_toml(recipe) + "\n# <script>alert(1)</script>\n")
    out.write(layout.LOG, LOG)
    out.write_json(layout.PARITY, {"layers": LAYERS, "network_sha256": ""})
    rng, labels = np.random.default_rng(0), data.labels(data.test)
    cost = {"parameters": 5540, "bytes": 5540, "macs": 31_000_000}
    logits = rng.standard_normal((2, len(labels), 3)) + 2 * np.eye(3)[labels]
    predictions = {name: (cost, metrics.softmax(one)) for name, one in zip(("float", "int8"), logits, strict=True)}
    found = evaluate.write_report(out, data, predictions)
    return out, found, data, predictions


def page(written):
    return (written[0].path / layout.REPORT).read_text(encoding="utf-8")


def cells(text):
    """Rows of the tables, as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [[html.unescape(cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]


def test_values_are_those_of_metrics_json(written):
    _, found, *_ = written
    assert found == json.loads((written[0].path / layout.METRICS).read_text())
    rows = {row[0]: row[1:] for row in cells(page(written))}
    for column, scores in enumerate(found.values()):
        lower, upper = scores["interval"]["macro_accuracy"]
        accuracy = f"{100 * scores['macro_accuracy']:.1f} % ({100 * lower:.1f} to {100 * upper:.1f})"
        assert rows["macro accuracy"][column] == accuracy
        assert rows["log loss"][column].startswith(f"{scores['log_loss']:.3f} (")
        assert rows["MACs"][column] == "31,000,000 over" and rows["bytes of parameters"][column] == "5,540"
        for label, share in scores["by_class"].items():
            assert f"{label}, {list(found)[column]}: {100 * share:.1f} % (" in page(written)
    assert rows["a"] == ["CONV_2D", "1.0 %", "3.0 %"]


def test_the_page_needs_no_other_file_and_text_is_escaped(written):
    text = page(written)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert addresses and all(one.startswith("data:") for one in addresses)
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    assert "http" not in re.sub(r"http://www.w3.org\S*", "", text)


def test_the_most_wrong_segments_are_shown(written):
    _, _, data, predictions = written
    probabilities, labels = predictions["int8"][1], data.labels(data.test)
    own = probabilities[np.arange(len(labels)), labels]
    wrong = [index for index in own.argsort()[: report.WRONG_CLIPS] if probabilities[index].argmax() != labels[index]]
    shown = re.findall(r'<div class="clip"><h3>(.*?)</h3>', page(written))
    assert shown == data.names(data.test[wrong]).tolist()


def test_the_model_card_has_the_figures(written):
    text = (written[0].path / layout.MODEL_CARD).read_text(encoding="utf-8")
    figure = f"{100 * written[1]['int8']['macro_accuracy']:.1f} %"
    assert text.startswith("# tiny") and f"- int8: macro accuracy {figure}" in text
    assert all(f"## {heading}" in text for heading in ("Data", "Intended use", "Figures", "Limits"))


@pytest.mark.slow
def test_a_browser_shows_it_without_errors(written, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed")
    file = tmp_path / "checked.html"
    file.write_text(page(written).replace("</body>", CHECK), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    shown = subprocess.run(
        [*command, "--enable-logging=stderr", file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = json.loads(html.unescape(re.search(r'data-found="(.*?)"', shown.stdout)[1]))
    assert found["seconds"] == pytest.approx(1.0) and found["pictures"] and all(found["pictures"])
    assert "CONSOLE" not in shown.stderr
