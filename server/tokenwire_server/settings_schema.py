"""The JSON Schema of tokenwire.toml, for editors."""

import json

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from tokenwire_server.settings import Settings


class _Generator(GenerateJsonSchema):
    """Leaves out what TOML has no word for, and titles that repeat the key."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def get_default_value(self, schema: WithDefaultSchema) -> object:
        default = super().get_default_value(schema)
        return NoDefault if default is None or isinstance(default, BaseModel) else default

    def field_title_should_be_set(self, _: object) -> bool:
        return False


def schema() -> str:
    """The JSON Schema as a text, the same in each process. Says less than `load` checks."""
    found = Settings.model_json_schema(schema_generator=_Generator)
    whole = {"$schema": _Generator.schema_dialect} | found | {"title": "tokenwire.toml"}
    return json.dumps(whole, indent=2, ensure_ascii=False)
