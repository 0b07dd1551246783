"""Tables: what is learnt from a user's columns, and what raw rows become."""

import json

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from hotloop.table import TableModel, TableSpec, split_rows  # noqa: E402


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "area": rng.lognormal(3, 1, n),
            "age": rng.integers(0, 50, n).astype(float),
            "north": rng.normal(size=n),
            "kind": rng.choice(["flat", "house", "boat"], n, p=[0.6, 0.3, 0.1]),
            "new": rng.random(n) < 0.5,
            "price": rng.normal(1000, 50, n),
        }
    )
    table.loc[[3, 50], "age"] = np.nan
    table.loc[7, "kind"] = None
    return table


def column(spec, name):
    return next(c for c in spec.columns if c.name == name)


def features(spec, frame, name):
    start = sum(c.width for c in spec.columns[: [c.name for c in spec.columns].index(name)])
    return spec.transform(frame)[:, start : start + column(spec, name).width]


def test_numbers_are_standardised_and_encoded_by_quantiles(frame):
    spec = TableSpec.learn(frame, "price", bins=4)
    x = features(spec, frame, "north")
    assert x.shape == (200, 5)
    assert x.dtype == np.float32
    assert abs(x[:, 0].mean()) < 1e-5
    assert x[:, 0].std() == pytest.approx(1, abs=1e-4)
    bins = x[:, 1:]
    assert bins.min() == 0
    assert bins.max() == 1
    assert (bins[:, :-1] >= bins[:, 1:]).all()  # a bin fills only when the one before is full
    assert (bins == 1).sum(axis=0).tolist() == pytest.approx([150, 100, 50, 1], abs=1)


def test_the_encoding_rises_linearly_inside_a_bin():
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 4.0, 8.0], "y": [0.1, 0.2, 0.3, 0.4, 0.5]})
    spec = TableSpec.learn(table, "y", bins=2)
    assert column(spec, "x").edges == (0.0, 2.0, 8.0)
    query = pd.DataFrame({"x": [-5.0, 0.5, 2.0, 5.0, 99.0]})
    np.testing.assert_allclose(spec.transform(query)[:, 1:], [[0, 0], [0.25, 0], [1, 0], [1, 0.5], [1, 1]])


def test_skewed_nonnegative_numbers_are_read_on_a_logarithmic_scale(frame):
    spec = TableSpec.learn(frame, "price")
    assert column(spec, "area").logarithm
    assert not column(spec, "north").logarithm


def test_a_far_outlier_does_not_reach_the_network(frame):
    spec = TableSpec.learn(frame, "price")
    far = frame.head(2).copy()
    far["north"] = [1e300, -1e300]
    assert np.abs(spec.transform(far)).max() <= 6


def test_missing_numbers_become_the_median_and_are_marked(frame):
    spec = TableSpec.learn(frame, "price", bins=4)
    age = features(spec, frame, "age")
    assert age[:, -1].nonzero()[0].tolist() == [3, 50]
    typical = frame.head(1).assign(age=frame["age"].median())
    np.testing.assert_array_equal(age[3, :-1], features(spec, typical, "age")[0, :-1])


def test_a_number_missing_only_at_prediction_becomes_the_median(frame):
    spec = TableSpec.learn(frame, "price")
    assert not column(spec, "north").indicator
    gap = frame.head(1).assign(north=np.nan)
    typical = frame.head(1).assign(north=frame["north"].median())
    np.testing.assert_array_equal(spec.transform(gap), spec.transform(typical))


def test_categories_have_a_place_each_and_one_for_the_unknown(frame):
    spec = TableSpec.learn(frame, "price")
    assert column(spec, "kind").categories == ("flat", "house", "boat")
    kinds = pd.concat([frame.head(1)] * 5).assign(kind=["flat", "house", "boat", "castle", None])
    np.testing.assert_array_equal(features(spec, kinds, "kind"), np.eye(4)[[1, 2, 3, 0, 0]])


def test_truth_values_are_categories(frame):
    assert set(column(TableSpec.learn(frame, "price"), "new").categories) == {"True", "False"}


def test_whole_numbers_as_labels_survive_a_missing_value():
    table = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0, 5.0], "y": ["a", "b", "a", "b"], "c": pd.Series([1, 2, None, 1], dtype=object)}
    )
    spec = TableSpec.learn(table, "y")
    assert column(spec, "c").categories == ("1", "2")
    assert features(spec, table.assign(c=[1.0, 2.0, np.nan, 1.0]), "c")[:, 1].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("useless", [["same"] * 200, [None] * 200, [1.5] * 200, [np.nan] * 200])
def test_a_column_that_never_changes_is_left_out(frame, useless):
    assert "u" not in [c.name for c in TableSpec.learn(frame.assign(u=useless), "price").columns]


@pytest.mark.parametrize("n", [12, 1000])
def test_names_of_rows_are_left_out(n):
    table = pd.DataFrame({"id": [f"customer {i}" for i in range(n)], "x": np.arange(n) * 1.5, "y": np.arange(n) * 0.1})
    assert [c.name for c in TableSpec.learn(table, "y").columns] == ["x"]


def test_rare_categories_share_the_place_of_the_unknown():
    n = 4000
    table = pd.DataFrame({"c": [f"c{i % 400}" for i in range(n)], "y": np.arange(n) * 0.1})
    spec = TableSpec.learn(table, "y")
    assert spec.width == 257
    assert features(spec, table, "c")[:, 0].sum() == 10 * (400 - 256)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["yes", "no"] * 50, "ClassTarget"),
        ([True, False] * 50, "ClassTarget"),
        (list(range(3, 9)) * 20, "ClassTarget"),
        ([0.0, 1.0] * 50, "ClassTarget"),
        (list(range(100)), "NumberTarget"),
        ([0.5, 1.5] * 50, "NumberTarget"),
    ],
)
def test_the_task_is_told_from_the_target(values, kind):
    table = pd.DataFrame({"x": np.arange(len(values)) * 1.0, "y": values})
    assert type(TableSpec.learn(table, "y").target).__name__ == kind


def test_the_task_can_be_told_by_the_user():
    table = pd.DataFrame({"x": np.arange(60) * 1.0, "y": [3, 4, 5] * 20})
    assert type(TableSpec.learn(table, "y", task="regression").target).__name__ == "NumberTarget"


def test_class_labels_come_back_in_natural_order():
    table = pd.DataFrame({"x": np.arange(30) * 1.0, "y": ["10", "9", "red"] * 10})
    target = TableSpec.learn(table, "y").target
    assert target.classes == ("9", "10", "red")
    codes = target.encode(table["y"])
    assert target.decode(np.eye(3)[codes]).tolist() == table["y"].tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([2, -1, 30], "int64"),
        (np.array([0, 1, 2], np.uint8), "uint8"),
        ([True, False, True], "bool"),
        ([1.0, 2.0, 4.0], "float64"),
        (pd.array([1, 2, 3], "Int32"), "int32"),
        (pd.Categorical([5, 6, 7]), "int64"),
        (["10", "9", "8"], "object"),
    ],
)
def test_predicted_labels_are_of_another_type_than_the_column(values, dtype):
    table = pd.DataFrame({"x": np.arange(30) * 1.0, "y": list(values) * 10})
    table["y"] = pd.Series(values).take(np.tile(np.arange(3), 10)).reset_index(drop=True)
    spec = TableSpec.from_dict(json.loads(json.dumps(TableSpec.learn(table, "y").to_dict())))
    found = spec.target.decode(np.eye(spec.target.outputs)[spec.encode_target(table)])
    assert found.dtype == np.dtype(dtype)
    assert found.tolist() == table["y"].tolist()


def test_a_file_from_before_labels_had_a_dtype_cannot_be_read():
    table = pd.DataFrame({"x": np.arange(30) * 1.0, "y": [3, 4, 5] * 10})
    description = TableSpec.learn(table, "y").to_dict()
    del description["target"]["dtype"]
    assert TableSpec.from_dict(description).target.decode(np.eye(3)).tolist() == ["3", "4", "5"]


@pytest.mark.parametrize(("dtype", "classes"), [("int64", ["1", "red"]), ("int8", ["1", "300"]), ("bool", ["1", "0"]),
                                                ("V8", ["1", "2"]), ("float64", ["a", "b"])])  # fmt: skip
def test_a_file_with_labels_of_no_such_dtype_is_refused_only_at_prediction(dtype, classes):
    table = pd.DataFrame({"x": np.arange(30) * 1.0, "y": [3, 4, 5] * 10})
    description = TableSpec.learn(table, "y").to_dict()
    description["target"].update(dtype=dtype, classes=classes)
    with pytest.raises(ValueError, match="dtype"):
        TableSpec.from_dict(description)


def test_number_targets_are_standardised_and_predictions_stay_in_range(frame):
    spec = TableSpec.learn(frame, "price")
    y = spec.encode_target(frame)
    assert y.dtype == np.float32
    assert abs(y.mean()) < 1e-5
    np.testing.assert_allclose(spec.target.decode(y[:, None]), frame["price"], rtol=1e-6)
    assert spec.target.decode(np.array([[99.0], [-99.0]], np.float32)).tolist() == [
        frame["price"].max(),
        frame["price"].min(),
    ]


def test_a_spec_survives_the_model_file(frame):
    spec = TableSpec.learn(frame, "price")
    again = TableSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    np.testing.assert_array_equal(again.transform(frame), spec.transform(frame))


def test_the_number_of_features_is_bounded_for_wide_tables():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(100, 500)), columns=[f"x{i}" for i in range(500)]).assign(
        y=rng.normal(size=100)
    )
    assert TableSpec.learn(table, "y").width <= 4096 + 500


def test_small_tables_get_few_bins_and_large_ones_at_most_128():
    def bins(n):
        table = pd.DataFrame({"x": np.arange(n) * 0.1, "y": np.arange(n) * 0.1})
        return max(len(column(TableSpec.learn(table, "y"), "x").edges) - 1, 0)

    assert [bins(n) for n in (50, 150, 1000, 50_000)] == [0, 1, 10, 128]


def test_a_split_is_scikit_learns():
    model_selection = pytest.importorskip("sklearn.model_selection")
    for n, fraction, seed in ((10, 0.2, 0), (1001, 0.25, 42)):
        learn, held_out = split_rows(n, fraction, seed)
        theirs = model_selection.train_test_split(np.arange(n), test_size=fraction, random_state=seed)
        assert [learn.tolist(), held_out.tolist()] == [part.tolist() for part in theirs]


def test_a_split_uses_every_row_once_and_refuses_to_leave_none():
    learn, held_out = split_rows(101, 0.3, 5)
    assert sorted([*learn, *held_out]) == list(range(101))
    assert len(held_out) == 31
    assert len(split_rows(5, 0.0, 0)[1]) == 0
    for n, fraction in ((1, 0.2), (10, 1.0), (10, -0.1), (0, 0.2), (10, float("nan"))):
        with pytest.raises(ValueError, match=r"\[split\] expected"):
            split_rows(n, fraction, 0)


# -- the model -------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_table_model(frame):
    first, again = (TableModel.train(frame, "price", epochs=2, seed=4, verbose=0) for _ in range(2))
    np.testing.assert_array_equal(first.predict(frame), again.predict(frame))


def test_training_stops_early_and_keeps_the_best_weights():
    rng = np.random.default_rng(0)
    noise = pd.DataFrame({"x": rng.normal(size=300), "y": rng.normal(size=300)})
    model = TableModel.train(noise, "y", epochs=60, seed=0, verbose=0)
    losses = model.network.history.history["val_loss"]
    assert len(losses) < 60
    assert np.argmin(losses) == len(losses) - 1 - 20


def test_a_prediction_does_not_depend_on_the_other_rows(frame):
    model = TableModel.train(frame, "price", epochs=1, seed=0, verbose=0)
    together = model.predict(frame)
    alone = [model.predict(frame.iloc[[i]])[0] for i in range(5)]
    np.testing.assert_array_equal(together[:5], alone)


def test_a_network_of_few_steps_predicts_with_statistics_of_its_start():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=400), "y": rng.normal(size=400)})
    model = TableModel.train(table, "y", epochs=4, seed=0, verbose=0)
    x = model.spec.transform(table)
    first = model.network.layers[0](x)
    moving = model.network.layers[1].get_weights()[3]
    assert np.median(np.abs(moving / first.var(axis=0) - 1)) < 0.3


def test_labels_without_a_place_of_their_own_are_named(frame):
    spec = TableSpec.learn(frame, "price")
    assert spec.unknown(frame) == {}
    kinds = frame.head(4).assign(kind=["castle", None, "flat", "tent"])
    assert spec.unknown(kinds) == {"kind": ["castle", "tent"]}


def test_scores_are_in_the_targets_unit(frame):
    model = TableModel.train(frame, "price", epochs=1, seed=0, verbose=0)
    error = model.predict(frame) - frame["price"].to_numpy()
    scores = model.evaluate(frame)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert scores["mae"] == pytest.approx(np.abs(error).mean())
    assert scores["r2"] == pytest.approx(1 - np.mean(error**2) / frame["price"].var(ddof=0))


def test_probabilities_belong_to_classes_alone(frame):
    model = TableModel.train(frame, "price", epochs=1, seed=0, verbose=0)
    with pytest.raises(TypeError, match="Use predict"):
        model.predict_proba(frame)


def test_a_class_that_training_has_not_seen_counts_as_an_error():
    table = pd.DataFrame({"x": np.arange(200) % 2 * 1.0, "y": ["even", "odd"] * 100})
    model = TableModel.train(table, "y", epochs=20, seed=0, verbose=0)
    assert model.evaluate(table)["accuracy"] == 1
    assert model.evaluate(pd.DataFrame({"x": [0.0, 1.0], "y": ["even", "prime"]}))["accuracy"] == 0.5


@pytest.mark.parametrize("epochs", [0, -1, 2.5, "10", True])
def test_bad_numbers_of_epochs_are_refused(frame, epochs):
    with pytest.raises(ValueError, match="epochs"):
        TableModel.train(frame, "price", epochs=epochs, verbose=0)


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="north"), "expected a column 'north'"),
        (lambda t: t.rename(columns={"north": "noth"}), "Did you mean 'noth'"),
        (lambda t: t.assign(north=["oops"] * len(t)), "'oops' in row 0"),
        (lambda t: t.assign(north=[0.0] * 5 + [np.inf] + [0.0] * (len(t) - 6)), "'inf' in row 5"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(frame, change, message):
    spec = TableSpec.learn(frame, "price")
    with pytest.raises(ValueError, match=message):
        spec.transform(change(frame))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.head(0), "at least one row"),
        (lambda t: t[["price"]], "at least one column"),
        (lambda t: t.rename(columns={"price": "pric"}), "Did you mean 'pric'"),
        (lambda t: t.assign(price=[np.nan] + [1.0] * (len(t) - 1)), "none in row 0"),
        (lambda t: t.assign(price=["one"] * len(t)), "two classes"),
        (lambda t: t.assign(north=np.inf), "'inf' in row 0"),
        (lambda t: t.rename(columns={"north": "age"}), "differ"),
        (lambda t: t.rename(columns={"north": 3}), "texts"),
    ],
)
def test_tables_that_cannot_be_learnt_from_are_refused(frame, change, message):
    with pytest.raises(ValueError, match=message):
        TableSpec.learn(change(frame), "price")


def test_an_unknown_class_at_evaluation_is_refused():
    table = pd.DataFrame({"x": np.arange(20) * 1.0, "y": ["a", "b"] * 10})
    with pytest.raises(ValueError, match=r"'c' in row 1"):
        TableSpec.learn(table, "y").encode_target(pd.DataFrame({"y": ["a", "c"]}))


def damaged(spec_dict):
    def change(path, value):
        copy = json.loads(json.dumps(spec_dict))
        place = copy
        for key in path[:-1]:
            place = place[key]
        if value is KeyError:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return copy

    first, target = ("columns", 0), ("target",)
    return [
        None,
        [],
        {},
        change(("columns",), {}),
        change(("columns",), []),
        change(("columns",), [None]),
        change((*first, "kind"), "os.system"),
        change((*first, "kind"), "regression"),
        change((*first, "median"), "0"),
        change((*first, "median"), True),
        change((*first, "median"), KeyError),
        change((*first, "logarithm"), 1),
        change((*first, "scale"), 0.0),
        change((*first, "scale"), -1),
        change((*first, "edges"), [1.0]),
        change((*first, "edges"), [1.0, 1.0]),
        change((*first, "edges"), [2.0, 1.0]),
        change((*first, "edges"), [[1.0], [2.0]]),
        change((*first, "path"), "/etc/passwd"),
        change((*first, "name"), "price"),
        change((*target, "kind"), "numeric"),
        change((*target, "low"), None),
        change(("extra",), 1),
        change(("columns", 3, "categories"), ["a", "a"]),
        change(("columns", 3, "categories"), ["a", 1]),
    ]


def test_a_damaged_description_is_refused(frame):
    for description in damaged(TableSpec.learn(frame, "price").to_dict()):
        with pytest.raises(ValueError, match=r"\[table"):
            TableSpec.from_dict(description)
