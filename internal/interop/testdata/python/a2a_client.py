"""Goes through every operation of an agent, on the official Python SDK, and prints what it sees.

python a2a_client.py BINDING URL HOOK; BINDING is JSONRPC, HTTP+JSON or GRPC, HOOK takes push notifications.
AUTHORIZATION is sent.
"""

import asyncio
import json
import os
import sys
import uuid

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import (
    AuthenticationInfo,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict

run = uuid.uuid4().hex


def tell(what, value):
    if hasattr(value, "DESCRIPTOR"):
        value = MessageToDict(value)
    print(json.dumps([what, value], sort_keys=True), flush=True)


def message(scenario, text="Please, for jane.doe@example.org.", **rest):
    m = Message(message_id=f"{scenario}-{run}-{uuid.uuid4().hex[:6]}", role=Role.ROLE_USER, parts=[Part(text=text)], **rest)
    return SendMessageRequest(message=m)


async def attempt(what, call):
    try:
        value = await call
        tell(what, value)
        return value
    except (A2AClientError, A2AError) as err:
        tell(what + " fails", type(err).__name__)


async def stream(what, events, of=("task", "message", "status_update", "artifact_update")):
    last = None
    try:
        async for event in events:
            tell(what, event)
            for name in of:
                if event.HasField(name):
                    last = getattr(event, name)
    except (A2AClientError, A2AError) as err:
        tell(what + " fails", type(err).__name__)
    return last


async def session(client, whole, hook):
    await stream("message", client.send_message(message("tck-message-response")))
    done = await stream("stream", client.send_message(message("tck-stream")))
    done = getattr(done, "task_id", "") or getattr(done, "id", "")
    await attempt("get", client.get_task(GetTaskRequest(id=done)))
    await attempt("get unknown", client.get_task(GetTaskRequest(id="no-such-task")))
    await attempt("cancel done", client.cancel_task(CancelTaskRequest(id=done)))
    await stream("say more to done", client.send_message(message("tck-complete-task", task_id=done)))
    waiting = await stream("wait", whole.send_message(message("tck-input-required")))
    if waiting is None:
        return
    await attempt("list", client.list_tasks(ListTasksRequest(context_id=waiting.context_id)))
    config = TaskPushNotificationConfig(
        task_id=waiting.id, id="hook", url=hook, authentication=AuthenticationInfo(scheme="Bearer", credentials="hook-secret")
    )
    await attempt("push", client.create_task_push_notification_config(config))
    which = dict(task_id=waiting.id, id="hook")
    await attempt("push get", client.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(**which)))
    await attempt("push list", client.list_task_push_notification_configs(ListTaskPushNotificationConfigsRequest(task_id=waiting.id)))
    await stream("say more", whole.send_message(message("tck-complete-task", task_id=waiting.id, context_id=waiting.context_id)))
    await asyncio.sleep(1)  # agents send notifications after they have answered
    await attempt("push delete", client.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(**which)))
    other = await stream("wait again", whole.send_message(message("tck-input-required")))
    await asyncio.sleep(0.3)  # agents need a moment before what waits can be canceled
    await attempt("cancel", client.cancel_task(CancelTaskRequest(id=other.id)))
    slow = message("scrim-late")
    slow.configuration.CopyFrom(SendMessageConfiguration(return_immediately=True))
    slow = await stream("slow", whole.send_message(slow))
    await stream("subscribe", client.subscribe(SubscribeToTaskRequest(id=slow.id)))
    await attempt("extended card", client.get_extended_agent_card(GetExtendedAgentCardRequest()))


async def main(binding, url, hook):
    headers = {"Authorization": os.environ["AUTHORIZATION"]} if os.environ.get("AUTHORIZATION") else {}
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        def make(**options):
            return ClientFactory(ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], **options)).create_from_url(url)

        async with await make(streaming=True) as client, await make(streaming=False) as whole:
            await session(client, whole, hook)


asyncio.run(main(*sys.argv[1:]))
