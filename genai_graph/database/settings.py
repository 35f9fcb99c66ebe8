"""What decides where the graph lives: arguments, then the environment, then a `.env` file.

Which file that is says the environment variable `GENAI_GRAPH_ENV_FILE`; none, if it is empty.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from genai_graph.errors import SettingsError

_log = logging.getLogger("genai_graph")
SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(str(error)) from None


UserPath = Annotated[Path, AfterValidator(_expanded)]  # a shell leaves ~ alone in a .env file


class Settings(BaseSettings):
    """The settings of a connection; the names of their environment variables are the aliases.

    Secrets are held as `SecretStr`: they show as asterisks wherever settings are printed.
    """

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    uri: str | None = Field(
        None,
        validation_alias="NEO4J_URI",
        description="a server, such as `neo4j://host:7687`; without it, a managed engine",
    )
    username: str = Field(
        "neo4j", validation_alias="NEO4J_USERNAME", description="who enters there"
    )
    password: SecretStr | None = Field(
        None,
        validation_alias="NEO4J_PASSWORD",
        description="the password; where it is missing, a command asks on a terminal",
    )
    password_file: UserPath | None = Field(
        None, validation_alias="NEO4J_PASSWORD_FILE", description="a file with the password instead"
    )
    database: str | None = Field(
        None,
        validation_alias="NEO4J_DATABASE",
        description="which database of the server; without it, the user's home database",
    )
    trusted_certificates: UserPath | None = Field(
        None,
        validation_alias="NEO4J_TRUSTED_CERTIFICATES",
        description="a file of certificate authorities of your own: TLS, checked by them",
    )
    allow_plaintext: bool = Field(
        False,
        validation_alias="NEO4J_ALLOW_PLAINTEXT",
        description="1 allows `bolt://` and `neo4j://` to other machines, unencrypted",
    )
    engine: Literal["embedded", "neo4j"] = Field(
        "embedded",
        validation_alias="GENAI_GRAPH_ENGINE",
        description="which managed engine: `embedded` or `neo4j`",
    )
    home: UserPath = Field(
        default_factory=lambda: platformdirs.user_data_path("genai-graph"),
        validation_alias="GENAI_GRAPH_HOME",
        description="the managed engines' data folder; without it, in the user's data folder",
    )
    writer_timeout: float = Field(
        60.0,
        ge=0,
        validation_alias="GENAI_GRAPH_WRITER_TIMEOUT",
        description="seconds to wait for another writer of the embedded engine",
    )
    keys: SecretStr | None = Field(
        None,
        validation_alias="GENAI_GRAPH_KEYS",
        description="keys that encrypt what is sensitive; the first encrypts, all decrypt",
    )
    encrypted: str | None = Field(
        None,
        validation_alias="GENAI_GRAPH_ENCRYPTED",
        description="what they encrypt instead, such as `metadata,Dataset.creator`",
    )

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        parts = urlsplit(uri)
        direct = parts.scheme.startswith("bolt")
        if (
            parts.scheme not in SCHEMES
            or not parts.hostname
            or not _has_port(parts)
            or (direct and parts.query)
        ):
            raise ValueError(
                f"expected an address such as neo4j://host:7687 ({', '.join(SCHEMES)})"
            )
        if parts.username is not None or parts.password is not None:
            raise ValueError("give the user in NEO4J_USERNAME and the password in NEO4J_PASSWORD")
        if parts.path.strip("/"):
            raise ValueError("expected no path behind the port: NEO4J_DATABASE names a database")
        return uri

    def secret(self) -> SecretStr | None:
        """Return the password, from its file where it is not given itself.

        Raises `SettingsError` for a file that can't be read.
        """
        if self.password is not None or self.password_file is None:
            return self.password
        return _read_secret(self.password_file)

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        absolute = home.absolute()
        if "\0" in str(absolute):
            raise ValueError("expected the path of a folder")
        return absolute


def read_settings(**given: object) -> Settings:
    """Read the settings; what is given (and not None) comes before the environment.

    Raises `SettingsError` for one that can't be understood. No value is repeated in the message,
    since it may be a secret.
    """
    names = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    arguments = {str(names[name]): value for name, value in given.items() if value is not None}
    env_file = os.environ.get("GENAI_GRAPH_ENV_FILE", ".env")
    try:
        return Settings(_env_file=env_file or None, **arguments)  # type: ignore[arg-type,call-arg]
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file}: is not UTF-8 text") from None
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def _read_secret(path: Path) -> SecretStr:
    """Read a password from a file, without the end of its line."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = SecretStr(file.read().removesuffix("\n"))
    except UnicodeDecodeError:
        raise SettingsError(f"NEO4J_PASSWORD_FILE: {path} is not UTF-8 text") from None
    except OSError as error:
        message = f"NEO4J_PASSWORD_FILE: {path} can't be read: {error.strerror}"
        raise SettingsError(message) from None
    if not secret.get_secret_value():
        raise SettingsError(f"NEO4J_PASSWORD_FILE: {path} is empty")
    # No more than a warning: in a container such files are open to all by default.
    if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("NEO4J_PASSWORD_FILE: others may read %s: chmod 600 it", path)
    return secret


def _has_port(parts: SplitResult) -> bool:
    try:
        _ = parts.port
    except ValueError:  # no number, or none of a port
        return False
    return True


def _explain(error: ValidationError) -> str:
    faults = (f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_input=False))
    return "; ".join(fault.replace("Value error, ", "") for fault in faults)
