"""The progress bar: Keras's text, silence where nobody watches, and every kind of stream."""

import io
import re
import sys
import time

import numpy as np
import pytest

import hotloop as keras
from hotloop import progress
from hotloop.progress import Progbar, is_interactive, resolve_verbose, say


class Stream(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, watched):
        super().__init__()
        self.isatty = lambda: watched


class Terminal:
    """What a terminal has been sent."""

    def __init__(self, capsys):
        self._capsys, self._text = capsys, ""

    def getvalue(self):
        self._text += self._capsys.readouterr().out
        return self._text


@pytest.fixture
def terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "is_interactive", lambda: True)
    return Terminal(capsys)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless told."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def plain(text):
    return re.sub(r"\x1b\[\d*m", "", text)


@pytest.mark.parametrize("watched", [True, False])
def test_someone_watches_a_terminal_and_nobody_a_file(monkeypatch, watched):
    monkeypatch.setattr(sys, "stdout", Stream(watched))
    assert is_interactive() == watched
    assert resolve_verbose("auto") == watched


def test_the_last_line_of_a_bar_is_keras_line(terminal, clock):
    bar = Progbar(40)
    clock[0] += 0.4
    bar.update(40, [("loss", 0.25), ("tiny", 0.00012)])
    assert plain(terminal.getvalue()) == f"\r40/40 {'━' * 20} 0s 10ms/step - loss: 0.2500 - tiny: 1.2000e-04\n"


def test_a_running_bar_shows_the_share_done_and_the_time_left(terminal, clock):
    bar = Progbar(200, width=10)
    clock[0] += 1.0
    bar.update(1)
    clock[0] += 49.0
    bar.update(50)
    line = terminal.getvalue().split("\r")[-1]
    assert plain(line).rstrip() == f" 50/200 {'━' * 10} 2:30 1s/step"
    assert "\x1b[32m━━\x1b[0m\x1b[37m━━━━━━━━\x1b[0m" in line


@pytest.mark.parametrize(
    ("seconds", "text"), [(5e-6, "5us/step"), (0.02, "20ms/step"), (3.0, "3s/step"), (2000.0, "2000s/step")]
)
def test_the_time_of_a_step_has_a_readable_unit(terminal, clock, seconds, text):
    bar = Progbar(2)
    bar.update(1)
    clock[0] += seconds
    bar.update(2)
    assert text in plain(terminal.getvalue())


def test_hours_are_written_as_hours(terminal, clock):
    bar = Progbar(10)
    bar.update(1)
    clock[0] += 4000
    bar.update(2)
    assert " 8:53:20 " in plain(terminal.getvalue())


def test_the_bar_is_drawn_at_most_once_in_an_interval(terminal, clock):
    bar = Progbar(1000)
    for i in range(1, 1000):
        clock[0] += 0.001
        bar.update(i)
    assert 15 <= terminal.getvalue().count("\r") <= 21
    bar.update(1000)
    assert terminal.getvalue().endswith("\n")


def test_a_shorter_line_wipes_the_rest_of_a_longer_one(terminal, clock):
    bar = Progbar(2)
    bar.update(1, [("a_long_name", 1.0)])
    first = plain(terminal.getvalue())
    bar._values.clear()
    bar.update(2, [("b", 1.0)])
    assert len(plain(terminal.getvalue()).split("\r")[2].rstrip("\n")) >= len(first) - 1


def test_values_are_averaged_over_steps_unless_they_are_shown_as_they_are(terminal, clock):
    bar = Progbar(None, stateful_metrics=["state"])
    bar.update(1, [("mean", 1.0), ("state", 1.0)], finalize=False)
    clock[0] += 1
    bar.update(4, [("mean", 2.0), ("state", 2.0)], finalize=False)
    assert plain(terminal.getvalue()).split("\r")[-1].startswith("      4/Unknown")
    assert "mean: 1.7500 - state: 2.0000" in plain(terminal.getvalue())


def test_verbose_2_prints_one_line_at_the_end(terminal, clock):
    bar = Progbar(3, verbose=2)
    clock[0] += 2
    for i in (1, 2, 3):
        bar.update(i, [("loss", 1.0)])
    assert terminal.getvalue() == "3/3 - 2s - 0s/step - loss: 1.0000\n"


def fit(epochs=2, **options):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(20.0).reshape(10, 2) / 20
    model.fit(x, x[:, :1], batch_size=5, epochs=epochs, **options)
    return model, x


def test_training_is_silent_where_nobody_watches(capsys):
    model, x = fit()
    model.evaluate(x, x[:, :1])
    model.predict(x)
    assert capsys.readouterr().out == ""


def test_training_shows_a_bar_on_a_terminal(terminal):
    fit(validation_split=0.5)
    lines = plain(terminal.getvalue()).split("\n")
    assert lines[0] == "Epoch 1/2"
    assert re.fullmatch(r"(.*\r)?1/1 ━{20} \d+s \d+[mu]?s/step - loss: [\d.e-]+ - val_loss: [\d.e-]+ *", lines[1])
    assert lines[2] == "Epoch 2/2"
    assert len(lines) == 5  # validation has no bar of its own


def test_verbose_1_prints_also_into_a_file_one_plain_line_an_epoch(capsys):
    fit(verbose=1)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 5
    assert re.fullmatch(r"2/2 ━{20} \d+s \d+[mu]?s/step - loss: [\d.e-]+", lines[1])


def test_one_epoch_has_no_heading_and_predict_no_numbers(capsys):
    model, x = fit(epochs=1, verbose=2)
    assert re.fullmatch(r"2/2 - \d+s - \d+[mu]?s/step - loss: [\d.e-]+\n", capsys.readouterr().out)
    model.predict(x, verbose=1)
    assert re.fullmatch(r"1/1 ━{20} \d+s \d+[mu]?s/step\n", capsys.readouterr().out)


@pytest.mark.parametrize(("given", "level"), [(0, 0), (1, 1), (2, 2), (True, 1), (False, 0)])
def test_verbose_levels(given, level):
    assert resolve_verbose(given) == level


@pytest.mark.parametrize("bad", ["loud", 3, -1, None, 1.5])
def test_an_unknown_verbosity_is_refused(bad):
    with pytest.raises(ValueError, match="verbose"):
        resolve_verbose(bad)


def test_a_terminal_without_unicode_gets_ascii_lines(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("┃ 2/2 ━━ é\n")
    assert raw.getvalue() == b"| 2/2 == ?\n"


def test_a_process_without_standard_output_trains(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    model, _ = fit(verbose=1)
    assert model.optimizer.iterations == 4
