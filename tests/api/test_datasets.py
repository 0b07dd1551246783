"""Data sets: the embedded digits, the cache, downloads that are checked, and words where there is no network."""

import gzip
import hashlib
import http.server
import io
import threading

import numpy as np
import pytest

from hotloop.datasets import cache, california_housing, digits, fashion_mnist, mnist


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLOOP_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


@pytest.fixture
def server(monkeypatch):
    """A local stand-in for the storage; `files` maps names to bytes."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path.lstrip("/"))
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{httpd.server_port}/"
        for module in (mnist, fashion_mnist, california_housing):
            monkeypatch.setattr(module, "STORAGE", address)
        yield files
        httpd.shutdown()


@pytest.fixture
def no_network(monkeypatch):
    for module in (mnist, fashion_mnist, california_housing):
        monkeypatch.setattr(module, "STORAGE", "http://127.0.0.1:1/")


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


SMALL = {
    "x_train": np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28),
    "y_train": np.array([5, 0, 4], np.uint8),
    "x_test": np.ones((2, 28, 28), np.uint8),
    "y_test": np.array([7, 2], np.uint8),
}


def assert_small(split):
    (x_train, y_train), (x_test, y_test) = split
    for name, array in zip(SMALL, (x_train, y_train, x_test, y_test), strict=True):
        np.testing.assert_array_equal(array, SMALL[name])


# -- digits ----------------------------------------------------------------------------------------------------------


def test_digits_are_there_without_network_or_cache(no_network, tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLOOP_HOME", str(tmp_path / "absent"))
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, y_train.shape) == ((1438, 8, 8), (1438,))
    assert (x_test.shape, y_test.shape) == ((359, 8, 8), (359,))
    assert x_train.dtype == y_train.dtype == np.uint8
    assert not (tmp_path / "absent").exists()


def test_digits_are_the_known_data_in_the_known_split():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert int(x_train.sum(dtype=np.int64) + x_test.sum(dtype=np.int64)) == 561_718
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert y_train[:8].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert y_test[:4].tolist() == [4, 9, 4, 9]
    assert x_train.max() == 16


def test_digits_equal_scikit_learns_copy():
    sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    test = np.arange(1797) % 5 == 4
    np.testing.assert_array_equal(x_train, sklearn.images[~test])
    np.testing.assert_array_equal(y_test, sklearn.target[test])
    np.testing.assert_array_equal(x_test, sklearn.images[test])
    np.testing.assert_array_equal(y_train, sklearn.target[~test])


# -- cache and download ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
def test_a_file_in_the_cache_is_used(home, no_network, module):
    (home / f"{module.__name__.split('.')[-1]}.npz").write_bytes(npz(**SMALL))
    assert_small(module.load_data())


def test_the_cache_is_in_the_home_folder_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("HOTLOOP_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache.folder() == tmp_path / ".hotloop" / "datasets"


def test_a_download_is_kept(tmp_path, server, monkeypatch):
    monkeypatch.setenv("HOTLOOP_HOME", str(tmp_path / "new" / "home"))
    server["mnist.npz"] = data = npz(**SMALL)
    monkeypatch.setattr(mnist, "_SHA256", sha256(data))
    assert_small(mnist.load_data())
    del server["mnist.npz"]
    assert_small(mnist.load_data())
    assert [p.name for p in cache.folder().iterdir()] == ["mnist.npz"]


def test_a_download_that_is_not_what_it_should_be_is_thrown_away(home, server):
    server["mnist.npz"] = npz(**SMALL)
    with pytest.raises(ConnectionError, match="SHA-256"):
        mnist.load_data()
    assert list(home.iterdir()) == []


def test_fashion_mnist_is_put_together_from_its_four_files(home, server, monkeypatch):
    def idx(array):
        sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
        return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())

    sources = []
    for (name, _), array in zip(fashion_mnist._SOURCES, SMALL.values(), strict=True):
        server[name] = idx(array)
        sources.append((name, sha256(server[name])))
    monkeypatch.setattr(fashion_mnist, "_SOURCES", tuple(sources))
    assert_small(fashion_mnist.load_data())
    server.clear()
    assert_small(fashion_mnist.load_data())


@pytest.mark.parametrize(
    ("load", "file"),
    [
        (mnist.load_data, "mnist.npz"),
        (fashion_mnist.load_data, "fashion_mnist.npz"),
        (california_housing.load_data, "california_housing.npz"),
    ],
)
def test_without_network_the_message_names_path_and_address(home, no_network, load, file):
    with pytest.raises(ConnectionError, match=r"http://127\.0\.0\.1:1/") as caught:
        load()
    assert str(home / file) in str(caught.value)
    assert "HOTLOOP_HOME" in str(caught.value)
    assert not (home / file).exists()


@pytest.mark.parametrize("damage", [b"", b"PK", npz(x_train=SMALL["x_train"]), npz(**SMALL)[:-300]])
def test_a_damaged_file_in_the_cache_is_named(home, no_network, damage):
    (home / "mnist.npz").write_bytes(damage)
    with pytest.raises(ValueError, match=r"mnist\.npz"):
        mnist.load_data()


def test_a_pickle_in_the_cache_is_never_opened(home, no_network):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    (home / "mnist.npz").write_bytes(npz(**{name: np.array([Bomb()], object) for name in SMALL}))
    with pytest.raises(ValueError, match=r"mnist\.npz"):
        mnist.load_data()


# -- California housing ----------------------------------------------------------------------------------------------

HEADER = ",".join(california_housing._RAW) + ",ocean_proximity\n"


def write_table(home, n=700):
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 1000, (n, 9))
    lines = [",".join(f"{value}.0" for value in row) + ",INLAND\n" for row in rows]
    fields = lines[5].split(",")
    lines[5] = ",".join([*fields[:4], "", *fields[5:]])
    (home / "california_housing.csv").write_text(HEADER + "".join(lines))
    return rows.astype(float)


def test_housing_features_are_computed_from_the_census_table(home, no_network):
    rows = write_table(home)
    (x_train, y_train), (x_test, y_test) = california_housing.load_data(test_split=0.25)
    assert (x_train.shape, x_test.shape) == ((525, 8), (175, 8))
    order = np.arange(700)
    np.random.RandomState(113).shuffle(order)
    x = np.concatenate([x_train, x_test])[np.argsort(order)]
    y = np.concatenate([y_train, y_test])[np.argsort(order)]
    np.testing.assert_array_equal(y, rows[:, 8])
    np.testing.assert_allclose(x[:, 2], rows[:, 3] / rows[:, 6], rtol=1e-6)
    np.testing.assert_array_equal(x[:, 6:], rows[:, [1, 0]])
    bedrooms = np.delete(rows[:, 4] / rows[:, 6], 5)
    assert x[5, 3] == pytest.approx(np.median(bedrooms), rel=1e-6)


def test_housing_prefers_keras_file(home, no_network):
    write_table(home)
    (home / "california_housing.npz").write_bytes(npz(x=np.ones((10, 8)), y=np.arange(10.0)))
    (x_train, y_train), (_, y_test) = california_housing.load_data()
    assert x_train.shape == (8, 8)
    assert sorted(np.concatenate([y_train, y_test])) == list(range(10))


def test_housing_small_is_the_first_600_rows(home, no_network):
    rows = write_table(home)
    (x_train, y_train), (x_test, y_test) = california_housing.load_data(version="small")
    assert len(x_train) == 480
    assert len(x_test) == 120
    assert sorted(np.concatenate([y_train, y_test])) == sorted(rows[:600, 8])


def test_housing_splits_depend_on_the_seed_alone(home, no_network):
    write_table(home)
    first, again, other = (california_housing.load_data(seed=seed)[0][1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("argument", [{"version": "medium"}, {"test_split": 1.0}, {"test_split": -0.1}])
def test_housing_refuses_unknown_arguments(argument):
    with pytest.raises(ValueError, match=r"\[california_housing\] expected .* received"):
        california_housing.load_data(**argument)


def test_a_table_without_the_columns_is_named(home, no_network):
    (home / "california_housing.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"california_housing\.csv"):
        california_housing.load_data()
