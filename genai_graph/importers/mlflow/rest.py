"""Requests to an MLflow tracking server: credentials, retries, and errors in one line."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from genai_graph.errors import ImportSourceError, MissingExtraError, SettingsError
from genai_graph.importers.safe_yaml import replace_surrogates
from genai_graph.properties.redaction import strip_credentials

EXTRA = "mlflow"
_ATTEMPTS = 5
_DEFAULT_TIMEOUT = 120.0
_LONGEST_PAUSE = 60.0
_RETRIED = frozenset([429, 500, 502, 503, 504])
_WORKSPACE = "X-MLFLOW-WORKSPACE"
_LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


class TrackingServer:
    """A client of the REST API. Credentials are sent as headers, never as part of a URL.

    Raises `MissingExtraError` without httpx, `SettingsError` for credentials over plain HTTP to
    another machine, and `ImportSourceError` if a request fails or the server is not MLflow.
    """

    def __init__(self, uri: str) -> None:
        self._httpx = _import_httpx()
        try:
            parts = urlsplit(uri)
            port = f":{parts.port}" if parts.port else ""
        except ValueError as error:
            raise ImportSourceError(strip_credentials(uri), f"is not a URL: {error}") from None
        host = parts.hostname or ""
        shown_host = f"[{host}]" if ":" in host else host
        self.location = f"{shown_host}{port}{parts.path.rstrip('/')}"
        self.title = f"{parts.scheme}://{self.location}"
        auth, headers = _credentials(parts.username, parts.password)
        self.workspace = os.environ.get("MLFLOW_WORKSPACE")  # of the following requests
        if self.workspace:  # what is in other workspaces is not pruned
            self.location += f"?workspace={self.workspace}"
        if (auth or headers) and parts.scheme == "http" and not _is_loopback(host):
            raise SettingsError(
                f"{self.title}: credentials are not sent unencrypted to another machine: use https"
            )
        self._client = self._httpx.Client(
            base_url=f"{self.title}/",
            auth=auth,
            headers=headers,
            timeout=_timeout(),
            # No proxy may see the credentials.
            trust_env=parts.scheme == "https" or not _is_loopback(host),
            verify=_verify(),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, parameters: Any = None, *, missing_ok: bool = False) -> Any:
        """Return the JSON of a GET request; with `missing_ok`, None for the status 404."""
        return self._request("GET", path, missing_ok=missing_ok, params=parameters)

    def pages(self, method: str, path: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the pages of a search, or none if the server does not have the API."""
        token, seen = None, set()
        while True:
            given = {**arguments, **({"page_token": token} if token else {})}
            where = {"json": given} if method == "POST" else {"params": given}
            page = self._request(method, path, missing_ok=True, **where)
            if page is None:
                return
            yield page
            token = page.get("next_page_token")
            if not isinstance(token, str) or not token:
                return
            if token in seen:
                raise ImportSourceError(self.title, f"repeats a page of {path}")
            seen.add(token)

    def _request(self, method: str, path: str, *, missing_ok: bool, **options: Any) -> Any:
        attempt = 0
        if self.workspace:
            options["headers"] = {_WORKSPACE: self.workspace}
        while True:
            attempt += 1
            is_last = attempt == _ATTEMPTS
            try:
                response = self._client.request(method, path, **options)
            except self._httpx.TimeoutException:
                raise ImportSourceError(
                    self.title, "does not answer in time (MLFLOW_HTTP_REQUEST_TIMEOUT)"
                ) from None
            except self._httpx.ConnectError as error:
                raise ImportSourceError(
                    self.title, f"can't be reached: {_first_line(error)}"
                ) from None
            except self._httpx.TransportError as error:  # the connection was closed half-way
                if is_last:
                    problem = f"closed the connection: {_first_line(error)}"
                    raise ImportSourceError(self.title, problem) from None
                time.sleep(_pause(attempt, None))
                continue
            if response.status_code in _RETRIED and not is_last:
                time.sleep(_pause(attempt, response.headers.get("Retry-After")))
                continue
            return self._decode(response, missing_ok)

    def _decode(self, response: Any, missing_ok: bool) -> Any:
        status = response.status_code
        if missing_ok and status == 404:
            return None
        if status in (401, 403):
            raise ImportSourceError(self.title, f"refused the login (HTTP {status}): {_LOGIN}")
        try:
            content = json.loads(response.content)  # accepts the NaN of some answers
            if b"\\ud" in response.content.lower():
                content = replace_surrogates(content)
        except (ValueError, RecursionError):
            content = None
        if response.has_redirect_location:
            target = strip_credentials(response.headers["Location"])
            raise ImportSourceError(self.title, f"redirects to {target}: use its URL")
        if status != 200:
            message = content.get("message") if isinstance(content, dict) else None
            text = f": {str(message)[:200]}" if message else ""
            raise ImportSourceError(self.title, f"answered with HTTP {status}{text}")
        if not isinstance(content, dict):
            kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
            raise ImportSourceError(
                self.title, f"is not an MLflow server: it answered with {kind}, not with JSON"
            )
        return content


def _import_httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError("httpx, for MLflow servers,", EXTRA) from None
    return httpx


def _credentials(user: str | None, password: str | None) -> tuple[Any, dict[str, str]]:
    """Return the user and the password, and the headers with a token."""
    if user is not None:
        return (unquote(user), unquote(password or "")), {}
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if user:
        return (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")), {}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return None, {"Authorization": f"Bearer {token}"} if token else {}


def _timeout() -> float:
    text = os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "")
    try:
        return float(text) if text else _DEFAULT_TIMEOUT
    except ValueError:
        raise SettingsError(
            f"MLFLOW_HTTP_REQUEST_TIMEOUT: expected seconds, got {text!r}"
        ) from None


def _verify() -> Any:
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"):
        return False
    path = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    if not path:
        return True
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise SettingsError(f"MLFLOW_TRACKING_SERVER_CERT_PATH: {path}: {error}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pause(attempt: int, retry_after: str | None) -> float:
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE)
    return float(0.25 * 2 ** (attempt - 1))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
