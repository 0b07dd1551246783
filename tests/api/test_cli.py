"""The command line: training on digits and on a user's table, predicting, and what it says when something is wrong."""

import os
import subprocess
import sys

import numpy as np
import pytest

import hotloop as keras
from hotloop.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys):
    return capsys.readouterr().out


# -- digits ----------------------------------------------------------------------------------------------------------


def test_train_without_arguments_reads_digits_and_leaves_a_model_that_loads(folder, capsys):
    assert main(["train"]) == 0
    out = printed(capsys)
    accuracy = float(out.split("Test accuracy: ")[1].split()[0])
    assert accuracy >= 0.97
    assert "load_model('digits.safetensors')" in out
    _, (x_test, y_test) = keras.datasets.digits.load_data()
    probabilities = keras.models.load_model("digits.safetensors").predict(x_test, verbose=0)
    assert np.mean(probabilities.argmax(axis=1) == y_test) == pytest.approx(accuracy, abs=1e-4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_digits_network(folder):
    for name in ("a", "b"):
        assert main(["train", "--epochs", "1", "--seed", "3", "-o", f"{name}.safetensors"]) == 0
    a, b = (keras.models.load_model(f"{name}.safetensors").get_weights() for name in ("a", "b"))
    assert all(np.array_equal(first, second) for first, second in zip(a, b, strict=True))


def test_the_learning_curve_is_a_picture(folder, capsys):
    pytest.importorskip("matplotlib")
    assert main(["train", "--epochs", "2"]) == 0
    assert "digits.png" in printed(capsys)
    assert (folder / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_training_works_without_matplotlib(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["train", "--epochs", "1"]) == 0
    assert "hotloop[plot]" in printed(capsys)
    assert (folder / "digits.safetensors").exists()
    assert not (folder / "digits.png").exists()


def test_predict_reads_plain_numbers_for_a_network_without_a_table(folder, capsys):
    pd = pytest.importorskip("pandas")
    assert main(["train", "--epochs", "1"]) == 0
    _, (x_test, _) = keras.datasets.digits.load_data()
    pd.DataFrame(x_test[:5].reshape(5, 64)).to_csv("pixels.csv", index=False)
    assert main(["predict", "digits.safetensors", "pixels.csv", "-o", "out.csv"]) == 0
    expected = keras.models.load_model("digits.safetensors").predict(x_test[:5], verbose=0)
    np.testing.assert_allclose(pd.read_csv("out.csv").to_numpy(), expected, rtol=1e-5)


# -- tables ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def houses(folder):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    n = 1200
    area, age = rng.lognormal(4, 0.5, n), rng.integers(0, 80, n).astype(float)
    kind = rng.choice(["flat", "house"], n)
    price = 1000 * area * np.where(kind == "house", 1.2, 1.0) - 300 * age + rng.normal(0, 3000, n)
    frame = pd.DataFrame({"area": area, "age": age, "kind": kind, "price": price})
    frame.loc[::50, "age"] = np.nan
    frame.loc[::70, "kind"] = None
    frame.to_csv("houses.csv", index=False)
    return frame


def test_a_table_with_gaps_and_categories_is_learnt_and_predicted(houses, capsys):
    import pandas as pd

    assert main(["train", "houses.csv", "--target", "price", "--epochs", "30"]) == 0
    out = printed(capsys)
    assert "regression" in out
    r2 = float(out.split("r2: ")[1].split()[0])
    assert r2 > 0.95
    houses.drop(columns="price").to_csv("new.csv", index=False)
    assert main(["predict", "houses.safetensors", "new.csv", "-o", "out.csv"]) == 0
    found = pd.read_csv("out.csv")
    assert list(found.columns) == ["price"]
    assert np.corrcoef(found["price"], houses["price"])[0, 1] > 0.97


def test_classes_are_told_from_the_target_and_predicted_with_probabilities(folder, capsys):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    label = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "sign": label}).to_csv("signs.csv", index=False)
    assert main(["train", "signs.csv", "--target", "sign", "--epochs", "40"]) == 0
    out = printed(capsys)
    assert "classification" in out
    assert float(out.split("accuracy: ")[1].split()[0]) > 0.9
    assert main(["predict", "signs.safetensors", "signs.csv"]) == 0
    lines = printed(capsys).splitlines()
    assert lines[0] == "sign,probability other,probability same"
    first = lines[1].split(",")
    assert first[0] == ("same" if float(first[2]) > float(first[1]) else "other")
    assert float(first[1]) + float(first[2]) == pytest.approx(1)


def test_a_table_model_predicts_the_same_after_loading(houses):
    from hotloop.table import TableModel

    model = TableModel.train(houses, "price", epochs=2, seed=0, verbose=0)
    model.save("m.safetensors")
    again = TableModel.load("m.safetensors")
    assert again.spec == model.spec
    np.testing.assert_array_equal(again.predict(houses), model.predict(houses))


def test_training_twice_on_one_table_overwrites_the_first_model(houses, folder, capsys):
    train = ["train", "houses.csv", "--target", "price", "--epochs", "1"]
    assert main(train) == 0
    first = (folder / "houses.safetensors").read_bytes()
    (folder / "houses-2.png").write_bytes(b"a picture of the user's own")
    assert main([*train, "--seed", "1"]) == 0
    assert "Model: houses-3.safetensors" in printed(capsys)
    assert (folder / "houses.safetensors").read_bytes() == first
    assert (folder / "houses-3.safetensors").exists()
    assert (folder / "houses-2.png").read_bytes() == b"a picture of the user's own"


def test_a_model_file_asked_for_is_not_replaced(houses, folder):
    train = ["train", "houses.csv", "--target", "price", "--epochs", "1", "-o", "mine.safetensors"]
    assert main(train) == 0
    first = (folder / "mine.safetensors").read_bytes()
    assert main([*train, "--seed", "1"]) == 0
    assert (folder / "mine.safetensors").read_bytes() != first
    assert not list(folder.glob("mine-*"))


def test_a_column_of_names_is_learnt_by_heart_without_a_word(houses, folder, capsys):
    houses.head(60).assign(owner=[f"owner {i}" for i in range(60)]).to_csv("small.csv", index=False)
    assert main(["train", "small.csv", "--target", "price", "--epochs", "1"]) == 0
    assert "different in every row: owner" in printed(capsys)


def test_unknown_categories_are_predicted_without_a_word(houses, capsys):
    assert main(["train", "houses.csv", "--target", "price", "--epochs", "1"]) == 0
    houses.head(10).assign(kind=["boat", "castle", *["flat"] * 8]).to_csv("new.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "houses.safetensors", "new.csv", "-o", "out.csv"]) == 0
    said = capsys.readouterr().err
    assert "'kind'" in said
    assert "2 of 10 rows" in said
    assert said.count("\n") == 1
    assert main(["predict", "houses.safetensors", "houses.csv", "-o", "out.csv"]) == 0
    assert capsys.readouterr().err == ""


def test_no_test_rows_means_no_test(houses, capsys):
    assert main(["train", "houses.csv", "--target", "price", "--epochs", "1", "--test-split", "0"]) == 0
    assert "Test " not in printed(capsys)


# -- info ------------------------------------------------------------------------------------------------------------


def test_info_names_version_and_kernels(capsys):
    assert main(["info"]) == 0
    out = printed(capsys)
    assert keras.__version__ in out
    assert keras._core.row("float32") in out
    assert "generic" in out
    assert "threads" in out
    assert "devices" in out


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "hotloop", "info"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hotloop ")


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "absent.csv", "--target", "price"], "absent.csv"),
        (["train", "houses.csv"], "--target"),
        (["train", "--target", "price"], "expected a table"),
        (["train", "houses.csv", "--target", "prise"], "Did you mean 'price'"),
        (["train", "houses.csv", "--target", "price", "--test-split", "1.5"], "fraction"),
        (["train", "houses.csv", "--target", "price", "--epochs", "0"], "epoch"),
        (["train", "houses.csv", "--target", "price", "-o", "absent/m.safetensors"], "folder"),
        (["train", "--epochs", "-1"], "epoch"),
        (["train", "-o", "model.pkl"], ".safetensors"),
        (["train", "empty.csv", "--target", "price"], "No columns"),
        (["train", "bytes.csv", "--target", "price"], "decode"),
        (["train", "ragged.csv", "--target", "price"], "fields"),
        (["train", "words.csv", "--target", "price", "--task", "regression"], "'dear' in row 0"),
        (["predict", "absent.safetensors", "houses.csv"], "absent.safetensors"),
        (["predict", "houses.csv", "houses.csv"], ".safetensors"),
    ],
)
def test_mistakes_are_told_in_one_line(houses, folder, capsys, arguments, message):
    (folder / "empty.csv").write_text("")
    (folder / "bytes.csv").write_bytes(bytes(range(128, 256)))
    (folder / "ragged.csv").write_text("a,price\n1,2\n1,2,3,4\n")
    (folder / "words.csv").write_text("a,price\n" + "1,dear\n2,cheap\n" * 10)
    assert main(arguments) == 1
    streams = capsys.readouterr()
    assert streams.err.startswith("hotloop: ")
    assert streams.err.count("\n") == 1
    assert message in streams.err
    assert "Traceback" not in streams.err


def test_a_misspelt_target_is_found_out_after_the_learning_began(houses, capsys):
    assert main(["train", "houses.csv", "--target", "prise"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Did you mean 'price'" in streams.err


def test_predictions_replace_the_table_or_the_model_they_are_made_from(houses, folder, capsys):
    assert main(["train", "houses.csv", "--target", "price", "--epochs", "1"]) == 0
    for name, what in (("houses.csv", "the table"), ("./houses.csv", "the table"), ("houses.safetensors", "the model")):
        before = (folder / name).read_bytes()
        assert main(["predict", "houses.safetensors", "houses.csv", "-o", name]) == 1
        assert f"expected another file than {what}" in capsys.readouterr().err
        assert (folder / name).read_bytes() == before


def test_a_table_that_lacks_a_column_is_refused_at_prediction(houses, capsys):
    assert main(["train", "houses.csv", "--target", "price", "--epochs", "1"]) == 0
    houses.drop(columns="area").to_csv("new.csv", index=False)
    assert main(["predict", "houses.safetensors", "new.csv", "-o", "out.csv"]) == 1
    assert "'area'" in capsys.readouterr().err


def test_an_interrupt_ends_the_command_quietly(folder, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("hotloop.recipes.train_digits", interrupted)
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "hotloop: interrupted\n"


def test_a_reader_that_stops_reading_is_no_error_to_report():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "hotloop", "info"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.stderr == b""


def test_a_long_prediction_can_be_cut_with_head(houses, folder):
    import pandas as pd

    assert main(["train", "houses.csv", "--target", "price", "--epochs", "1"]) == 0
    pd.concat([houses] * 20).to_csv("many.csv", index=False)
    command = [sys.executable, "-m", "hotloop", "predict", "houses.safetensors", "many.csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder) as child:
        assert child.stdout.readline() == b"price\n"
        child.stdout.close()
        assert child.stderr.read() == b""


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert printed(capsys) == f"hotloop {keras.__version__}\n"


def test_unknown_commands_and_options_are_usage_errors(capsys):
    for arguments in ([], ["trian"], ["train", "--targe"], ["train", "--epochs", "many"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
