"""RemoteMonitor: posts every epoch's logs to a web address."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .callback import Callback


class RemoteMonitor(Callback):
    """Posts every epoch's logs, as JSON, to a web address. A server that does not answer is warned of.

    Parameters
    ----------
    root, path : str
        Of the address.
    field : str
        Name of the form field that holds the JSON.
    headers : mapping of str to str, optional
        Of the HTTP request.
    send_as_json : bool
        Whether the body is the JSON itself.

    Examples
    --------
    >>> callback = RemoteMonitor("http://localhost:9000")
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        if not root.startswith(("http://", "https://")):
            raise ValueError(f"[RemoteMonitor] expected root to begin with http:// or https://, received {root!r}.")
        self.root, self.path, self.field, self.headers = root, path, field, headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        import urllib.parse
        import urllib.request

        numbers = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **numbers})
        body, kind = text, "application/json"
        if not self.send_as_json:
            body, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})}
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError as error:
            warnings.warn(f"RemoteMonitor cannot reach {self.root}: {error}.", stacklevel=2)
