"""An agent on the official Python SDK: python a2a_agent.py PORT. A message's id names what becomes of it."""

import asyncio
import sys

import uvicorn
from a2a.helpers.proto_helpers import new_data_part, new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Role
from starlette.applications import Starlette

port = int(sys.argv[1])
base = f"http://127.0.0.1:{port}"


def card(name):
    return AgentCard(
        name=name, description="Does what it is asked to do.", version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=base + "/rpc", protocol_binding="JSONRPC", protocol_version="1.0"),
            AgentInterface(url=base + "/rest", protocol_binding="HTTP+JSON", protocol_version="1.0"),
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=True),
        default_input_modes=["text/plain"], default_output_modes=["text/plain"],
        skills=[AgentSkill(id="play", name="Play", description="Plays.", tags=["test"])],
    )


class Player(AgentExecutor):
    async def execute(self, context, queue):
        scenario = context.message.message_id
        if scenario.startswith("tck-message-response"):
            await queue.enqueue_event(new_text_message("An answer without a task.", context_id=context.context_id, role=Role.ROLE_AGENT))
            return
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            await queue.enqueue_event(task)
        updater = TaskUpdater(queue, task.id, task.context_id)
        if scenario.startswith("tck-input-required") and context.current_task is None:
            await updater.requires_input(updater.new_agent_message([new_text_part("Say more.")]))
            return
        await updater.start_work(updater.new_agent_message([new_text_part("At work.")]))
        if scenario.startswith("scrim-late"):
            await asyncio.sleep(1.5)
        await updater.add_artifact([new_text_part("Once upon a time, ")], artifact_id="story", name="story", last_chunk=False)
        await updater.add_artifact([new_text_part("written to jane.doe@example.org.")], artifact_id="story", name="story", append=True, last_chunk=True)
        await updater.add_artifact([new_data_part({"email": "jane.doe@example.org", "count": 42})], artifact_id="data", name="data")
        await updater.complete(updater.new_agent_message([new_text_part("Done.")]))

    async def cancel(self, context, queue):
        await TaskUpdater(queue, context.task_id, context.context_id).cancel()


import httpx  # noqa: E402

configs = InMemoryPushNotificationConfigStore()
handler = DefaultRequestHandler(
    agent_executor=Player(), task_store=InMemoryTaskStore(), agent_card=card("player"), push_config_store=configs,
    push_sender=BasePushNotificationSender(httpx.AsyncClient(), configs), extended_agent_card=card("player, all of it"),
)
app = Starlette(routes=[
    *create_agent_card_routes(card("player")), *create_jsonrpc_routes(handler, "/rpc"), *create_rest_routes(handler, path_prefix="/rest"),
])
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
