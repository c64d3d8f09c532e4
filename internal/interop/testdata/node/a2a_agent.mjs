// An agent on the official JavaScript SDK: node a2a_agent.mjs PORT. A message's id names what becomes of it.
import express from 'express';
import { AgentCard, Message, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import { AgentEvent, DefaultExecutionEventBusManager, DefaultPushNotificationSender, DefaultRequestHandler, InMemoryPushNotificationStore, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, restHandler } from '@a2a-js/sdk/server/express';
import { randomUUID } from 'node:crypto';

const port = Number(process.argv[2]);
const base = `http://127.0.0.1:${port}`;
const card = (name) =>
  AgentCard.fromJSON({
    name, description: 'Does what it is asked to do.', version: '1.0.0',
    supportedInterfaces: [
      { url: base + '/rpc', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
      { url: base + '/rest', protocolBinding: 'HTTP+JSON', protocolVersion: '1.0' },
    ],
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true },
    defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    skills: [{ id: 'play', name: 'Play', description: 'Plays.', tags: ['test'] }],
  });

const player = {
  async execute(context, bus) {
    const said = context.userMessage;
    const ids = { taskId: context.taskId, contextId: context.contextId };
    const words = (text) => ({ messageId: randomUUID(), role: 'ROLE_AGENT', parts: [{ text }], ...ids });
    const status = (state, text) => {
      const status = { state, timestamp: new Date().toISOString(), ...(text ? { message: words(text) } : {}) };
      bus.publish(AgentEvent.statusUpdate(TaskStatusUpdateEvent.fromJSON({ ...ids, status })));
    };
    const artifact = (artifactId, part, rest) =>
      bus.publish(AgentEvent.artifactUpdate(TaskArtifactUpdateEvent.fromJSON({ ...ids, artifact: { artifactId, name: artifactId, parts: [part] }, ...rest })));
    if (said.messageId.startsWith('tck-message-response')) {
      bus.publish(AgentEvent.message(Message.fromJSON({ ...words('An answer without a task.'), taskId: '' })));
      bus.finished();
      return;
    }
    bus.publish(
      AgentEvent.task(context.task ?? Task.fromJSON({ id: ids.taskId, contextId: ids.contextId, status: { state: 'TASK_STATE_SUBMITTED' }, history: [Message.toJSON(said)] })),
    );
    if (said.messageId.startsWith('tck-input-required') && !context.task) {
      status('TASK_STATE_INPUT_REQUIRED', 'Say more.');
      bus.finished();
      return;
    }
    status('TASK_STATE_WORKING', 'At work.');
    if (said.messageId.startsWith('scrim-late')) await new Promise((done) => setTimeout(done, 1500));
    artifact('story', { text: 'Once upon a time, ' }, { lastChunk: false });
    artifact('story', { text: 'written to jane.doe@example.org.' }, { append: true, lastChunk: true });
    artifact('data', { data: { email: 'jane.doe@example.org', count: 42 } }, { lastChunk: true });
    status('TASK_STATE_COMPLETED', 'Done.');
    bus.finished();
  },
  async cancelTask(taskId, bus) {
    bus.publish(AgentEvent.statusUpdate(TaskStatusUpdateEvent.fromJSON({ taskId, contextId: '', status: { state: 'TASK_STATE_CANCELED' } })));
    bus.finished();
  },
};

const configs = new InMemoryPushNotificationStore();
const requestHandler = new DefaultRequestHandler(
  card('player'), new InMemoryTaskStore(), player, new DefaultExecutionEventBusManager(), configs, new DefaultPushNotificationSender(configs), card('player, all of it'),
);
const userBuilder = async () => ({ isAuthenticated: true, userName: 'anybody' });
const app = express();
app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: requestHandler }));
app.use('/rpc', jsonRpcHandler({ requestHandler, userBuilder }));
app.use('/rest', restHandler({ requestHandler, userBuilder }));
app.listen(port, '127.0.0.1');
