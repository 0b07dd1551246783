"""The table of a model's layers: Keras's text."""

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers


def text_of(model, **options):
    texts = []
    model.summary(print_fn=texts.append, **options)
    assert len(texts) == 1  # the whole text at once
    return texts[0]


def chain():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, name="dense"),
            layers.BatchNormalization(name="batch_normalization"),
            layers.Dropout(0.2, name="a_rather_long_name_for_a_dropout_layer"),
            layers.Dense(1000, name="out"),
        ],
        name="net",
    )


def wide_and_deep():
    wide, deep = keras.Input((4,), name="wide"), keras.Input((6,), name="deep")
    hidden = layers.Dense(30, activation="relu", name="hidden")(deep)
    joined = layers.Concatenate(name="join")([wide, hidden])
    return keras.Model([wide, deep], layers.Dense(1, name="output")(joined), name="wide_and_deep")


CHAIN = """\
Model: "net"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 3)              │            15 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ batch_normalization             │ (None, 3)              │            12 │
│ (BatchNormalization)            │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ a_rather_long_name_for_a_dropo… │ (None, 3)              │             0 │
│ (Dropout)                       │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ out (Dense)                     │ (None, 1000)           │         4,000 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 4,027 (15.73 KB)
 Trainable params: 4,021 (15.71 KB)
 Non-trainable params: 6 (24.00 B)
"""
GRAPH = """\
Model: "wide_and_deep"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)               ┃ Output Shape           ┃        Param # ┃ Connected to            ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ deep (InputLayer)          │ (None, 6)              │              0 │ -                       │
├────────────────────────────┼────────────────────────┼────────────────┼─────────────────────────┤
│ wide (InputLayer)          │ (None, 4)              │              0 │ -                       │
├────────────────────────────┼────────────────────────┼────────────────┼─────────────────────────┤
│ hidden (Dense)             │ (None, 30)             │            210 │ deep[0][0]              │
├────────────────────────────┼────────────────────────┼────────────────┼─────────────────────────┤
│ join (Concatenate)         │ (None, 34)             │              0 │ wide[0][0],             │
│                            │                        │                │ hidden[0][0]            │
├────────────────────────────┼────────────────────────┼────────────────┼─────────────────────────┤
│ output (Dense)             │ (None, 1)              │             35 │ join[0][0]              │
└────────────────────────────┴────────────────────────┴────────────────┴─────────────────────────┘
 Total params: 245 (980.00 B)
 Trainable params: 245 (980.00 B)
 Non-trainable params: 0 (0.00 B)
"""


def test_a_stack_of_layers_is_printed_as_keras_prints_it():
    assert text_of(chain(), line_length=76) == CHAIN


def test_a_graph_is_printed_with_its_connections():
    assert text_of(wide_and_deep(), line_length=98) == GRAPH


def test_the_table_is_as_wide_as_the_terminal_and_no_wider_than_keras(monkeypatch):
    for columns, width in ((80, 76), (60, 56), (200, 88)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert len(text_of(chain()).split("\n")[1]) == width


def test_a_trained_model_lists_optimizer_numbers_apart_from_its_own():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5)])
    model.compile("adam", "mse")
    assert "Optimizer" not in text_of(model)
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 5)))
    text = text_of(model)
    assert " Total params: 25 (100.00 B)\n" in text
    assert text.endswith(" Optimizer params: 52 (208.00 B)\n")


def test_frozen_layers_are_marked_and_counted_as_not_trainable():
    model = chain()
    model.layers[0].trainable = False
    text = text_of(model, show_trainable=True, line_length=100)
    marks = [line.split("│")[-2].strip() for line in text.split("\n") if line.startswith("│") and "None" in line]
    assert marks == ["N", "Y", "-", "Y"]
    assert " Trainable params: 4,006 (" in text
    assert " Non-trainable params: 21 (84.00 B)\n" in text


def test_layers_without_weights_yet_are_marked():
    model = keras.Sequential([layers.Dense(3, name="x")], name="u")
    assert "│ x (Dense)                       │ ?                      │   0 (unbuilt) │" in text_of(
        model, line_length=76
    )
    model(np.ones((2, 4)))
    assert "│ x (Dense)                       │ (None, 3)              │            15 │" in text_of(
        model, line_length=76
    )


def test_nested_models_show_their_layers_when_asked():
    model = keras.Sequential([keras.Input((4,)), chain(), layers.Dense(2, name="top")])
    assert "└" not in text_of(model).split("Total")[0].replace("└─", "")
    text = text_of(model, expand_nested=True)
    assert "│    └ dense (Dense) " in text
    assert "│ net (Sequential) " in text


def test_a_shared_layer_is_one_row_counted_once_and_connected_twice():
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    tower = layers.Dense(3, name="tower")
    model = keras.Model([left, right], layers.Add(name="sum")([tower(left), tower(right)]))
    text = text_of(model, line_length=140)
    assert text.count("tower (Dense)") == 1
    assert "left[0][0], right[0][0]" in text
    assert "tower[0][0], tower[1][0]" in text
    assert " Total params: 15 " in text


def test_a_layer_that_is_called_twice_in_a_row_shows_both_calls():
    source, layer = keras.Input((4,), name="source"), layers.Dense(4, name="twice")
    text = text_of(keras.Model(source, layer(layer(source))), line_length=140)
    assert "source[0][0], twice[0][0]" in text


def test_a_range_of_layers_is_given_by_names_or_patterns():
    text = text_of(chain(), layer_range=["batch", "a_rather"])
    assert "dense (Dense)" not in text
    assert "batch_normalization" in text
    assert "out (Dense)" not in text
    for bad in (["nothing", "out"], ["dense"], [0, 1]):
        with pytest.raises(ValueError, match="layer_range"):
            text_of(chain(), layer_range=bad)


def test_a_line_too_short_for_the_columns_is_refused():
    with pytest.raises(ValueError, match="long enough"):
        text_of(chain(), line_length=10)


def test_without_print_fn_the_table_goes_to_standard_output(capsys):
    model = chain()
    model.summary(line_length=76)
    assert capsys.readouterr().out == CHAIN
