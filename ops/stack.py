"""A deployed stack as its operator sees it: in AWS, or on this machine."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.domain.config import Config, switched_on
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.mark import Installation
from issuebridge.domain.rename import renamed_config
from issuebridge.settings import Settings
from issuebridge.systems import SYSTEMS
from issuebridge.wiring import Wiring, config_store, connection_store, proven

POLLERS = {kind: f"Poll{kind.title()}" for kind in SYSTEMS}
_PATIENT = ClientConfig(read_timeout=180, retries={"max_attempts": 0})


class StackError(Exception):
    """A function of the stack failed; the message is the function's own."""


@dataclass(frozen=True)
class Stack:
    """`outputs` are those of template.yaml."""

    session: boto3.Session
    outputs: Mapping[str, str]

    @classmethod
    def named(cls, name: str, session: boto3.Session) -> "Stack":
        try:
            answer = session.client("cloudformation").describe_stacks(StackName=name)
        except (ClientError, BotoCoreError) as error:
            raise Misconfigured(
                f"stack {name}: {error}: deploy it with `make deploy`, name another with --stack, "
                "or use --local while `make local` runs"
            ) from error
        outputs = answer["Stacks"][0].get("Outputs", [])
        return cls(session, {o["OutputKey"]: o["OutputValue"] for o in outputs})

    def wiring(self) -> Wiring:
        """The stores and use cases, with the rights of whoever runs this."""
        running = config_store(self.session, self.table_name).load()
        settings = Settings(
            table_name=self.table_name,
            history_days=int(self.output("HistoryDays")),
            prompt_dead_letters_url=self.output("PromptDeadLettersUrl"),
            installation_secret=self.output("InstallationSecret"),
            prompt_intents=self.output("PromptIntents"),
            poll_schedule=self.output("PollSchedule"),
        )
        return Wiring(settings, self.session, running.config, running.tag)

    def demand_secrets(self, config: Config) -> None:
        """Misconfigured where the functions could not read a key, without a word of its name."""
        prefix = self.output("SecretPrefix")
        wrong = [n for n, c in config.connections.items() if not c.secret.startswith(prefix)]
        if wrong:
            places = ", ".join(f"connections.{name}.secret" for name in wrong)
            raise Misconfigured(
                f"{places}: the functions may read only secrets whose names begin with {prefix}, "
                "the stack's SecretPrefix: give the name, never the key"
            )

    def output(self, name: str) -> str:
        """Misconfigured where the stack is of another version than this command."""
        if name not in self.outputs:
            raise Misconfigured(
                f"the stack has no output {name}: it was deployed by another version of "
                "issuebridge, or is another stack: deploy this one with `make deploy`"
            )
        return self.outputs[name]

    @property
    def table_name(self) -> str:
        return self.output("TableName")

    def invoke(self, function: str, event: Mapping[str, object]) -> dict[str, object]:
        """The function's answer; StackError with its message if it failed."""
        answer = self.session.client("lambda", config=_PATIENT).invoke(
            FunctionName=self.output(f"{function}FunctionName"), Payload=json.dumps(event).encode()
        )
        payload: dict[str, object] = json.loads(answer["Payload"].read() or b"null") or {}
        if "FunctionError" in answer:
            raise StackError(f"{function}: {payload.get('errorMessage', payload)}")
        return payload

    def send_prompt(self, body: str, *, group: str, key: str) -> None:
        self.session.client("sqs").send_message(
            QueueUrl=self.output("PromptQueueUrl"),
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=key,
        )

    def running_config(self) -> Config | None:
        try:
            return config_store(self.session, self.table_name).load().config
        except Misconfigured:
            return None

    def push_config(self, config: Config, names: Mapping[str, str] | None = None) -> Config:
        """Store it, with `since: now` fixed; from then on the functions work by it. `names`: what
        connections are called from now on."""
        self.demand_proof(config, names or {})
        running = self.running_config()
        renamed = renamed_config(running, names or {}) if running else None
        fixed = switched_on(config, renamed, datetime.now(UTC))
        tag = installation(self.session, self.output("InstallationSecret")).tag
        config_store(self.session, self.table_name).save(fixed, tag)
        return fixed

    def demand_proof(self, config: Config, names: Mapping[str, str]) -> None:
        """What no document says can be written must have been shown to be."""
        proofs = connection_store(self.session, self.table_name)
        former = {new: old for old, new in names.items()}
        for name, policy in proven(config).policies.items():
            link, url = policy.fields["external_link"], config.connections[name].base_url
            unproven = link.carrier == "native" and link.capability != "native"
            shown = (proofs.is_proven(each, url) for each in (name, former.get(name, name)))
            if unproven and not any(shown):
                raise Misconfigured(
                    f"connections.{name}.carriers.external_link: no document says that it can be "
                    f"written; push with another carrier, run `issuebridge probe {name} ISSUE` on "
                    "an issue for tests, then push this"
                )


def installation(session: boto3.Session, name: str) -> Installation:
    """The stack's own tag and key, made at the first push; they outlive its table."""
    client = session.client("secretsmanager")
    made = Installation.new()
    try:
        client.create_secret(Name=name, SecretString=json.dumps(asdict(made)))
    except client.exceptions.ResourceExistsException:
        return Installation(**json.loads(client.get_secret_value(SecretId=name)["SecretString"]))
    return made


def put_secrets(session: boto3.Session, secrets: Mapping[str, str]) -> None:
    """Create or replace these secrets."""
    client = session.client("secretsmanager")
    for name, value in secrets.items():
        try:
            client.create_secret(Name=name, SecretString=value)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=value)
