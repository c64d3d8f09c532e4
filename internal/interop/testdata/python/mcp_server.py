"""A server of every feature, on the official Python SDK: python mcp_server.py PORT, or without one on standard input."""

import sys
from typing import Annotated

import anyio
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp.types import Completion, CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("everything", version="1.0.0", instructions="Ask for people.")


class Person(BaseModel):
    name: str
    email: str
    age: int


class Choice(BaseModel):
    sure: bool


@server.tool()
def whois(id: str) -> Person:
    """Somebody, by number."""
    return Person(name="Jane Doe", email="jane.doe@example.org", age=61)


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@server.tool()
def fails() -> str:
    """Never works."""
    raise ValueError("nothing works")


@server.tool()
async def report(steps: int, ctx: Context) -> str:
    """Says how far it is."""
    for n in range(steps):
        await ctx.report_progress(n + 1, steps, f"step {n + 1}")
        await ctx.info(f"did step {n + 1}")
    return "reported"


@server.tool()
async def sleep(ctx: Context) -> str:
    """Takes too long."""
    await anyio.sleep(5)
    return "awake"


async def opinion() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="What do you think?"))], max_tokens=20)


async def permission() -> Elicit[Choice]:
    return Elicit("May I?", Choice)


async def places() -> ListRoots:
    return ListRoots()


@server.tool()
async def think(said: Annotated[CreateMessageResult, Resolve(opinion)]) -> str:
    """Asks the client's model."""
    return f"the model said: {said.content.text}"


@server.tool()
async def confirm(outcome: Annotated[ElicitationResult[Choice], Resolve(permission)]) -> str:
    """Asks the client's user."""
    return f"{outcome.action}: {outcome.data.sure if isinstance(outcome, AcceptedElicitation) else ''}"


@server.tool()
async def where(roots: Annotated[ListRootsResult, Resolve(places)]) -> str:
    """Asks for the client's roots."""
    return ", ".join(str(r.uri) for r in roots.roots)


@server.tool()
async def touch(ctx: Context) -> str:
    """Changes a resource."""
    await ctx.notify_resource_updated("note://one")
    return "touched"


@server.resource("note://one", mime_type="text/plain")
def one() -> str:
    """A note."""
    return "The first note, by jane.doe@example.org."


@server.resource("note://about/{name}")
def about(name: str) -> str:
    """A note about somebody."""
    return f"All about {name}."


@server.resource("note://picture", mime_type="image/png")
def picture() -> bytes:
    """A note that is not text."""
    return b"\x89PNG not really"


@server.prompt()
def greet(name: str) -> str:
    """Greets somebody."""
    return f"Say hello to {name}."


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=[n for n in ("jane", "jon", "ada") if n.startswith(argument.value)], total=3, has_more=False)


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run("stdio")
