"""What the functions read from their environment; no default here could be wrong unnoticed."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from issuebridge.domain.errors import Misconfigured


class Settings(BaseModel):
    """Names are the environment variables of template.yaml, in lower case."""

    model_config = ConfigDict(frozen=True)
    table_name: str
    history_days: int
    prompt_dead_letters_url: str
    installation_secret: str
    prompt_intents: str
    poll_schedule: str

    @property
    def intents(self) -> list[str]:
        return self.prompt_intents.split(",")


def read_settings(environment: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate({k.lower(): v for k, v in environment.items()})
    except ValidationError as error:
        wrong = ", ".join(str(problem["loc"][0]).upper() for problem in error.errors())
        raise Misconfigured(
            f"environment: {wrong} is missing or wrong; template.yaml sets it"
        ) from error
