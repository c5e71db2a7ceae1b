"""A writer of role-playing dialogues: a reasoning model that must call one function, streamed."""

import asyncio

from pydantic.dataclasses import dataclass

from tokenwire import AsyncClient, Shape
from tokenwire.events import ReasoningDelta, ToolCallDelta

NAME = "generate_interaction"
WRITER = "Tu écris les dialogues d'un jeu de rôle : une réplique, puis les choix du joueur."
SCENE = """<scene>
  <lieu>Une auberge, tard le soir</lieu>
  <personnage nom="Maëlle">aubergiste, méfiante</personnage>
</scene>"""


@dataclass
class Choice:
    text: str
    test: str
    condition: str


@dataclass
class Node:
    speaker: str
    line: str
    choices: list[Choice]


@dataclass
class Interaction:
    title: str
    node: Node


async def main() -> None:
    interaction = Shape(Interaction)
    async with (
        AsyncClient() as client,
        client.stream(
            SCENE,
            model="openai/gpt-5.2",
            system=WRITER,
            tools=[{"name": NAME, "parameters": interaction.schema}],
            tool_choice=[NAME],
            reasoning={"effort": "medium", "summary": "auto"},
            top_p=0.9,
        ) as stream,
    ):
        async for event in stream:
            match event:
                case ReasoningDelta(text=text) | ToolCallDelta(arguments_json=text):
                    print(text, end="", flush=True)
        answer = await stream.final()
    (call,) = answer.tool_calls
    scene = interaction.read(call.arguments_json)
    print(f"\n{scene.title}: {scene.node.speaker}, {len(scene.node.choices)} choix")
    print("left out:", *(warning.field for warning in answer.warnings))


asyncio.run(main())
