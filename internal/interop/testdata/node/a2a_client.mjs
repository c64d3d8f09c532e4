// Goes through every operation of an agent, on the official JavaScript SDK, and prints what it sees.
//
// node a2a_client.mjs BINDING URL HOOK; BINDING is JSONRPC, HTTP+JSON or GRPC, HOOK takes push notifications.
// AUTHORIZATION is sent.
import {
  AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest,
  ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse, ListTasksRequest, ListTasksResponse, Message,
  SendMessageRequest, StreamResponse, SubscribeToTaskRequest, Task, TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { randomUUID } from 'node:crypto';

const [binding, url, hook] = process.argv.slice(2);
const sorted = (v) =>
  Array.isArray(v) ? v.map(sorted) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v;
const tell = (what, value) => console.log(JSON.stringify([what, sorted(value ?? null)]));
const attempt = async (what, type, call) => {
  try {
    const value = await call();
    tell(what, type ? type.toJSON(value) : null);
    return value;
  } catch (err) {
    tell(what + ' fails', [err.name]);
  }
};
const stream = async (what, events) => {
  let last;
  try {
    for await (const event of events()) {
      tell(what, StreamResponse.toJSON(event));
      last = event.payload?.value ?? last;
    }
  } catch (err) {
    tell(what + ' fails', [err.name]);
  }
  return last;
};
const request = (scenario, rest = {}, configuration) =>
  SendMessageRequest.fromJSON({
    message: { messageId: `${scenario}-${randomUUID()}`, role: 'ROLE_USER', parts: [{ text: 'Please, for jane.doe@example.org.' }], ...rest },
    ...(configuration ? { configuration } : {}),
  });
// What comes of a message is a message or a task.
const answer = { toJSON: (v) => ('messageId' in v ? { message: Message.toJSON(v) } : { task: Task.toJSON(v) }) };

const authorization = process.env.AUTHORIZATION;
const fetchImpl = (input, init = {}) => {
  const headers = new Headers(init.headers);
  if (authorization) headers.set('Authorization', authorization);
  return fetch(input, { ...init, headers });
};
const transports = [new JsonRpcTransportFactory({ fetchImpl }), new RestTransportFactory({ fetchImpl })];
const factory = new ClientFactory({ transports, preferredTransports: [binding], cardResolver: new DefaultAgentCardResolver({ fetchImpl }) });
const client = await factory.createFromUrl(url.endsWith('/') ? url : url + '/'); // the card is looked for beside the last name of a path

await attempt('message', answer, () => client.sendMessage(request('tck-message-response')));
const last = await stream('stream', () => client.sendMessageStream(request('tck-stream')));
const done = last?.taskId ?? last?.id ?? '';
await attempt('get', Task, () => client.getTask(GetTaskRequest.fromJSON({ id: done })));
await attempt('get unknown', Task, () => client.getTask(GetTaskRequest.fromJSON({ id: 'no-such-task' })));
await attempt('cancel done', Task, () => client.cancelTask(CancelTaskRequest.fromJSON({ id: done })));
await attempt('say more to done', answer, () => client.sendMessage(request('tck-complete-task', { taskId: done })));
const waiting = await attempt('wait', answer, () => client.sendMessage(request('tck-input-required')));
await attempt('list', ListTasksResponse, () => client.listTasks(ListTasksRequest.fromJSON({ contextId: waiting.contextId })));
const config = { taskId: waiting.id, id: 'hook', url: hook, authentication: { scheme: 'Bearer', credentials: 'hook-secret' } };
const which = { taskId: waiting.id, id: 'hook' };
await attempt('push', TaskPushNotificationConfig, () => client.createTaskPushNotificationConfig(TaskPushNotificationConfig.fromJSON(config)));
await attempt('push get', TaskPushNotificationConfig, () => client.getTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest.fromJSON(which)));
await attempt('push list', ListTaskPushNotificationConfigsResponse, () =>
  client.listTaskPushNotificationConfig(ListTaskPushNotificationConfigsRequest.fromJSON({ taskId: waiting.id })),
);
await attempt('say more', answer, () => client.sendMessage(request('tck-complete-task', { taskId: waiting.id, contextId: waiting.contextId })));
await new Promise((done) => setTimeout(done, 1000)); // agents send notifications after they have answered
await attempt('push delete', null, () => client.deleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest.fromJSON(which)));
const other = await attempt('wait again', answer, () => client.sendMessage(request('tck-input-required')));
await new Promise((done) => setTimeout(done, 300)); // agents need a moment before what waits can be canceled
await attempt('cancel', Task, () => client.cancelTask(CancelTaskRequest.fromJSON({ id: other.id })));
const slow = await attempt('slow', answer, () => client.sendMessage(request('scrim-late', {}, { returnImmediately: true })));
await stream('subscribe', () => client.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id: slow.id })));
await attempt('extended card', AgentCard, () => client.getAgentCard());
process.exit(0);
