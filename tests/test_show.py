import numpy as np
import pytest
import soundfile

from asc_tf import build, dataset
from asc_tf.evaluation import show
from asc_tf.features import axes
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import registry
from asc_tf.recipe import resolve as recipes
from asc_tf.runs.folder import RunFolder
from asc_tf.show import main as program


@pytest.fixture(scope="module")
def tone():
    """Half a second of silence, then half a second of 1 kHz."""
    seconds = np.arange(show.RATE_HZ) / show.RATE_HZ
    return (np.sin(2 * np.pi * 1000 * seconds) * (seconds > 0.5)).astype("f")


def test_a_tone_is_drawn_at_its_frequency_and_its_time(tone):
    shown = show.panels(tone)
    assert [panel[0] for panel in shown] == sorted(registry.names("feature"), key=list(show.SETTINGS).index)
    for name, level, hz, seconds in shown:
        assert level.shape == (len(hz), len(seconds)) == (128, len(seconds))
        assert np.all(np.diff(hz) > 0)
        loud = np.abs(seconds - 0.75).argmin()
        assert hz[level[:, loud].argmax()] == pytest.approx(1000, rel=0.03), name
        band = level[np.abs(hz - 1000).argmin()]
        begins = seconds[np.flatnonzero(band > band.max() - 6)[0]]  # half the amplitude: the window's middle
        assert begins == pytest.approx(0.5, abs=0.02), name


def test_axes_of_the_other_front_ends():
    ast = {"flavour": "ast", "bands": 3, "min_hz": 0.0, "max_hz": 8000.0, "window_samples": 400, "hop_samples": 160}
    ast |= {"sample_rate_hz": 16000}
    assert axes.frames_s("log_mel", ast, 2) == pytest.approx([0.0125, 0.0225])
    assert np.log1p(axes.bands_hz("log_mel", ast) / 700) == pytest.approx(np.arange(1, 4) / 4 * np.log1p(8000 / 700))


def test_draws_a_png(tone, tmp_path):
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], 1)[::2], 22050)
    assert program(["features", str(tmp_path / "tone.wav"), "--out", str(tmp_path / "tone.png")]) == 0
    assert (tmp_path / "tone.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("samples", "arguments", "message"),
    [
        (30000, ["--start-s", "3"], "behind its end"),
        (2000, [], "too short|shorter|longer than"),
        (30000, ["--out", "nowhere/x.png"], "cannot be written"),
    ],
)
def test_mistakes_are_one_line(samples, arguments, message, tone, tmp_path, capsys):
    soundfile.write(tmp_path / "tone.wav", tone[:samples], show.RATE_HZ)
    assert program(["features", str(tmp_path / "tone.wav"), "--out", str(tmp_path / "x.png"), *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and any(word in error for word in message.split("|"))


def test_data_are_counted_by_class_device_city_and_split(tiny, tmp_path, capsys):
    table = tmp_path / "split.csv"
    table.write_text("""filename,split,device,city
low/low0.wav,train,a,paris
low/low1.wav,train,b,paris
low/low2.wav,test,s5,oslo
middle/middle0.wav,train,a,oslo
middle/middle1.wav,test,a,paris
high/high0.wav,train,a,paris
high/high1.wav,test,,paris
""")
    assert program(["data", str(tiny), "--set", f"dataset.split_csv={table}"]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    for row in ("low 2 1", "middle 1 1", "a 3 1", "s5 0 1", "unknown 0 1", "paris 3 2", "oslo 1 1", "all 4 3"):
        assert row.split() in printed, row


def test_the_sheet_shows_every_class_as_it_is_and_as_it_is_trained_on(tiny):
    recipe = recipes.load(str(tiny))
    data = dataset.load(recipe, quiet=True)
    rows = show.sheet(recipe, data)
    assert [name.split(":")[0] for name, _, _ in rows] == list(data.classes)
    for name, hz, pictures in rows:
        assert [title for title, _ in pictures] == ["as it is", *(f"in training, draw {n}" for n in (1, 2, 3))]
        assert all(mel.shape == (64, 33) for _, mel in pictures) and len(hz) == 64
        file, second = name.split(": ")[1].split("#")
        wave = TrainedRun(RunFolder(tiny.parent, recipe)).segments(data.listing.root / file)[int(second)]
        np.testing.assert_allclose(pictures[0][1], build.front_end(recipe)(wave[None])[0, ..., 0], atol=1e-4)
        drawn = [mel for _, mel in pictures]
        assert all(np.abs(one - other).max() > 0.1 for one, other in zip(drawn, drawn[1:], strict=False))


@pytest.mark.slow
def test_draws_the_sheet(tiny, tmp_path, capsys):
    assert program(["data", str(tiny), "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    assert program(["data", str(tiny), "--out", str(tmp_path / "nowhere/sheet.png")]) == 2
    assert "cannot be written" in capsys.readouterr().err
