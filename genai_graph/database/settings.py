"""Settings of a connection: arguments, then environment variables, then a `.env` file.

`GENAI_GRAPH_ENV_FILE` names another file; if it is empty, no file is read.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from genai_graph.database.addresses import split_uri
from genai_graph.errors import SettingsError

_log = logging.getLogger("genai_graph")
# `foreign` begins the assignments of YAML, JSON, Docker, and other shells.
_VARIABLE = re.compile(
    r"\ufeff?\s*(?:export\s+)?(?P<foreign>[-{$]\s*(?:env:)?|(?:set|setx|setenv|env|let)\s+)?"
    r"(?P<quote>['\"]?)(?P<name>\w+)(?P=quote)\s*(?P<equals>=?)",
    re.IGNORECASE,
)
SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def _expand_user(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # unknown user
        raise ValueError(str(error)) from None


UserPath = Annotated[Path, AfterValidator(_expand_user)]  # no shell expands ~ in a .env file


def _setting(variable: str, description: str, default: Any = None, **options: Any) -> Any:
    """Return the field for an environment variable."""
    return Field(default, validation_alias=variable, description=description, **options)


class Settings(BaseSettings):
    """Settings of a connection; the aliases are the names of the environment variables.

    Secrets are `SecretStr`, which prints as asterisks.
    """

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    uri: str | None = _setting(
        "NEO4J_URI",
        "address of a server, such as `neo4j://host:7687`, or several of a cluster, "
        "comma-separated; default: a managed engine",
    )
    username: str = _setting("NEO4J_USERNAME", "user name", "neo4j")
    password: SecretStr | None = _setting(
        "NEO4J_PASSWORD", "password; if missing, commands prompt for it on a terminal"
    )
    password_file: UserPath | None = _setting(
        "NEO4J_PASSWORD_FILE", "file that contains the password"
    )
    database: str | None = _setting(
        "NEO4J_DATABASE", "database on the server; default: the user's home database"
    )
    trusted_certificates: UserPath | None = _setting(
        "NEO4J_TRUSTED_CERTIFICATES", "file of private certificate authorities (PEM); implies TLS"
    )
    allow_plaintext: bool = _setting(
        "NEO4J_ALLOW_PLAINTEXT",
        "1 allows unencrypted connections (`bolt://`, `neo4j://`) to other machines",
        False,
    )
    unsupported_server: bool = _setting(
        "GENAI_GRAPH_UNSUPPORTED_SERVER",
        "1 allows servers that are not Neo4j; data can be lost or duplicated there",
        False,
    )
    engine: Literal["embedded", "neo4j"] = _setting(
        "GENAI_GRAPH_ENGINE", "managed engine: `embedded` or `neo4j`", "embedded"
    )
    home: UserPath = Field(
        default_factory=lambda: platformdirs.user_data_path("genai-graph"),
        validation_alias="GENAI_GRAPH_HOME",
        description="directory of managed engines, journals of runs, and the history of the shell; "
        "default: in the user's data directory",
    )
    writer_timeout: float = _setting(
        "GENAI_GRAPH_WRITER_TIMEOUT",
        "seconds to wait for another writer of the embedded engine",
        60.0,
        ge=0,
    )
    retry_timeout: float = _setting(
        "GENAI_GRAPH_RETRY_TIMEOUT",
        "seconds to keep retrying after lost connections, leader changes and deadlocks",
        60.0,
        ge=0,
    )
    statement_timeout: float = _setting(
        "GENAI_GRAPH_STATEMENT_TIMEOUT",
        "seconds to wait for the response to a statement, or for the answer to a question",
        300.0,
        gt=0,
        le=10_000_000,
    )
    reads: Literal["followers", "leader"] = _setting(
        "NEO4J_READS", "members of a cluster to read from: `followers` or `leader`", "followers"
    )
    keys: SecretStr | None = _setting(
        "GENAI_GRAPH_KEYS",
        "keys for sensitive values, comma-separated; the first encrypts, all decrypt",
    )
    encrypted: str | None = _setting(
        "GENAI_GRAPH_ENCRYPTED",
        "properties to encrypt, such as `metadata,Dataset.creator`; default: sensitive ones",
    )

    models: str | None = _setting(
        "GENAI_GRAPH_MODELS", "modules with your own node classes and properties, comma-separated"
    )
    questions: UserPath | None = _setting(
        "GENAI_GRAPH_QUESTIONS", "directory with your own questions, one `.cypher` file each"
    )

    offline: bool = _setting(
        "GENAI_GRAPH_OFFLINE", "1 keeps runs in their journals until `runs sync` sends them", False
    )

    @property
    def graph(self) -> str:
        """The name of the graph: its address, or the directory of its managed engine."""
        return f"{self.uri or f'{self.engine}:{self.home}'} {self.database or ''}".rstrip()

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        addresses = split_uri(uri)
        for address in addresses:
            cls._check_address(address)
        if len(addresses) > 1 and not uri.startswith("neo4j"):
            raise ValueError(
                "expected the scheme neo4j, neo4j+s or neo4j+ssc for several addresses"
            )
        return uri

    @staticmethod
    def _check_address(uri: str) -> None:
        parts = urlsplit(uri)
        try:
            _ = parts.port  # raises an error unless it is a number from 0 to 65535
            is_valid = parts.scheme in SCHEMES and bool(parts.hostname)
        except ValueError:
            is_valid = False
        if not is_valid or (parts.scheme.startswith("bolt") and parts.query):
            raise ValueError(
                f"expected an address such as neo4j://host:7687 ({', '.join(SCHEMES)})"
            )
        if parts.username is not None or parts.password is not None:
            raise ValueError("set the user in NEO4J_USERNAME and the password in NEO4J_PASSWORD")
        if parts.path.strip("/"):
            raise ValueError("expected no path after the port: set the database in NEO4J_DATABASE")

    def secret(self) -> SecretStr | None:
        """Return the password, or the content of the password file.

        Raises `SettingsError` if the file can't be read.
        """
        if self.password is not None or self.password_file is None:
            return self.password
        return _read_secret(self.password_file)

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        absolute = home.absolute()
        if "\0" in str(absolute):
            raise ValueError("expected the path of a directory")
        return absolute


def read_settings(**arguments: object) -> Settings:
    """Read the settings; arguments that are not None override the environment.

    Raises `SettingsError` for invalid settings. The message contains no values: they may be secret.
    """
    aliases = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    values = {str(aliases[name]): value for name, value in arguments.items() if value is not None}
    env_file = os.environ.get("GENAI_GRAPH_ENV_FILE", ".env")
    try:
        _check_lines(env_file, {str(alias) for alias in aliases.values()})
        return Settings(_env_file=env_file or None, **values)  # type: ignore[arg-type,call-arg]
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file}: not UTF-8 text: save the file as UTF-8") from None
    except ValidationError as error:
        errors = (f"{item['loc'][0]}: {item['msg']}" for item in error.errors(include_input=False))
        raise SettingsError("; ".join(errors).replace("Value error, ", "")) from None


def _check_lines(env_file: str, variables: set[str]) -> None:
    """Raise `SettingsError` for a line that begins with a variable but does not set it.

    python-dotenv ignores such lines, for example those of YAML.
    """
    try:
        text = Path(env_file).read_text(encoding="utf-8") if env_file else ""
    except OSError:  # usually because the file does not exist
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = _VARIABLE.match(line)
        if match is not None and match["name"].upper() in variables:
            name, place = match["name"], f"{env_file}:{number}"
            if line.startswith("\ufeff"):
                raise SettingsError(
                    f"{place}: starts with a byte order mark: save the file without"
                )
            if match["foreign"] or not match["equals"]:
                raise SettingsError(f"{place}: {name}: expected NAME=VALUE: write {name}=...")


def _read_secret(path: Path) -> SecretStr:
    """Read a password from a file, without a newline at the end."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = SecretStr(file.read().removesuffix("\n"))
    except UnicodeDecodeError:
        raise SettingsError(
            f"NEO4J_PASSWORD_FILE: {path}: not UTF-8 text: save it as UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"NEO4J_PASSWORD_FILE: {path}: can't be read: {error.strerror}"
        ) from None
    if not secret.get_secret_value():
        raise SettingsError(f"NEO4J_PASSWORD_FILE: {path}: the file is empty")
    # Only a warning: in containers, secret files are readable by all users by default.
    if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("NEO4J_PASSWORD_FILE: %s: readable by other users: run chmod 600 on it", path)
    return secret
