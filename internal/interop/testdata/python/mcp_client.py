"""Goes through every feature of a server, on the official Python SDK, and prints what it sees.

python mcp_client.py MODE URL, or MODE COMMAND ARGUMENT...; MODE is auto, legacy or a version. AUTHORIZATION is sent.
"""

import json
import os
import sys

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    ResourceTemplateReference,
    Root,
    TextContent,
)

heard = []


def tell(what, value):
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    print(json.dumps([what, value], sort_keys=True), flush=True)


async def sampling(context, params):
    tell("asked for an opinion", params)
    return CreateMessageResult(role="assistant", model="none", content=TextContent(type="text", text="I think so."))


async def elicitation(context, params):
    tell("asked for permission", params.message)
    return ElicitResult(action="accept", content={"sure": True})


async def roots(context):
    return ListRootsResult(roots=[Root(uri="file:///home/jane", name="home")])


async def logging(params):
    heard.append(["log", params.level, params.data])


async def message(m):
    if getattr(m, "method", "") == "notifications/resources/updated":
        heard.append(["updated", str(m.params.uri)])


async def progress(done, total, text):
    heard.append(["progress", done, total, text])


async def attempt(what, call):
    try:
        tell(what, await call)
    except MCPError as err:
        tell(what + " fails", [err.error.code, err.error.message])


async def session(client):
    tell("version", client.protocol_version)
    tell("capabilities", client.server_capabilities)
    tell("instructions", client.instructions)
    names = []
    for tool in (await client.list_tools()).tools:
        tell("tool", tool)
        names.append(tool.name)
    await attempt("add", client.call_tool("add", {"a": 2, "b": 40}))
    await attempt("whois", client.call_tool("whois", {"id": "r-17"}))
    await attempt("fails", client.call_tool("fails", {}))
    await attempt("unknown", client.call_tool("no_such_tool", {}))
    await attempt("report", client.call_tool("report", {"steps": 3}, progress_callback=progress))
    for name in ("think", "confirm", "where"):
        if name in names:
            await attempt(name, client.call_tool(name, {}))
    for r in (await client.list_resources()).resources:
        tell("resource", r)
    for t in (await client.list_resource_templates()).resource_templates:
        tell("template", t)
    for uri in ("note://one", "note://about/jane", "note://picture", "note://nowhere"):
        await attempt(uri, client.read_resource(uri))
    for p in (await client.list_prompts()).prompts:
        tell("prompt", p)
    await attempt("greet", client.get_prompt("greet", {"name": "Jane"}))
    if client.server_capabilities.completions:
        await attempt("complete", client.complete(PromptReference(type="ref/prompt", name="greet"), {"name": "name", "value": "j"}))
        ref = ResourceTemplateReference(type="ref/resource", uri="note://about/{name}")
        await attempt("complete about", client.complete(ref, {"name": "name", "value": "a"}))
    if "touch" in names and client.protocol_version >= "2026":
        async with client.listen(resource_subscriptions=["note://one"]) as sub:
            await attempt("touch", client.call_tool("touch", {}))
            with anyio.fail_after(10):
                async for event in sub:
                    tell("changed", type(event).__name__)
                    break
    try:
        with anyio.fail_after(0.5):
            await client.call_tool("sleep", {})
        tell("sleep", "ended")
    except TimeoutError:
        tell("sleep", "given up")
    await attempt("add again", client.call_tool("add", {"a": 1, "b": 1}))
    await anyio.sleep(0.3)
    for h in sorted(heard, key=str):
        tell("heard", h)


async def main(mode, *server):
    options = dict(
        mode=mode, read_timeout_seconds=20, sampling_callback=sampling, elicitation_callback=elicitation,
        list_roots_callback=roots, logging_callback=logging, message_handler=message, log_level="info",
    )
    if not server[0].startswith("http"):
        target = StdioServerParameters(command=server[0], args=list(server[1:]), env=dict(os.environ))
        async with Client(target, **options) as client:
            await session(client)
        return
    headers = {"Authorization": os.environ["AUTHORIZATION"]} if os.environ.get("AUTHORIZATION") else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(server[0], http_client=http), **options) as client:
            await session(client)


anyio.run(main, *sys.argv[1:])
