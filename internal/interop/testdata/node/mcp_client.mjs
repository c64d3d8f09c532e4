// Goes through every feature of a server, on the official TypeScript SDK, and prints what it sees.
//
// node mcp_client.mjs v1|v2 MODE URL, or MODE COMMAND ARGUMENT...; MODE is legacy or auto. AUTHORIZATION is sent.
const [line, mode, ...target] = process.argv.slice(2);
const old = line === 'v1';
const { Client } = await import(old ? '@modelcontextprotocol/sdk/client/index.js' : '@modelcontextprotocol/client');
const { StreamableHTTPClientTransport } = await import(old ? '@modelcontextprotocol/sdk/client/streamableHttp.js' : '@modelcontextprotocol/client');
const { StdioClientTransport } = await import(old ? '@modelcontextprotocol/sdk/client/stdio.js' : '@modelcontextprotocol/client/stdio');
const types = old ? await import('@modelcontextprotocol/sdk/types.js') : {};

const sorted = (v) =>
  Array.isArray(v) ? v.map(sorted) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v;
const tell = (what, value) => console.log(JSON.stringify([what, sorted(value)]));
const heard = [];
const attempt = async (what, call) => {
  try {
    const value = await call();
    tell(what, value);
    return value;
  } catch (err) {
    tell(what + ' fails', [err.code ?? err.name, err.message]);
  }
};

const client = new Client(
  { name: 'interop', version: '1.0.0' },
  {
    capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } },
    ...(old ? {} : { versionNegotiation: { mode } }),
  },
);
const answers = {
  'sampling/createMessage': (request) => {
    tell('asked for an opinion', request.params.messages);
    return { role: 'assistant', model: 'none', content: { type: 'text', text: 'I think so.' } };
  },
  'elicitation/create': (request) => {
    tell('asked for permission', request.params.message);
    return { action: 'accept', content: { sure: true } };
  },
  'roots/list': () => ({ roots: [{ uri: 'file:///home/jane', name: 'home' }] }),
};
const notices = {
  'notifications/message': (n) => heard.push(['log', n.params.level, n.params.data]),
  'notifications/resources/updated': (n) => heard.push(['updated', n.params.uri]),
};
const schemas = {
  'sampling/createMessage': types.CreateMessageRequestSchema,
  'elicitation/create': types.ElicitRequestSchema,
  'roots/list': types.ListRootsRequestSchema,
  'notifications/message': types.LoggingMessageNotificationSchema,
  'notifications/resources/updated': types.ResourceUpdatedNotificationSchema,
};
for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(old ? schemas[method] : method, answer);
for (const [method, notice] of Object.entries(notices)) client.setNotificationHandler(old ? schemas[method] : method, notice);

const headers = process.env.AUTHORIZATION ? { Authorization: process.env.AUTHORIZATION } : {};
const transport = target[0].startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(target[0]), { requestInit: { headers } })
  : new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env });
await client.connect(transport);

const call = (name, args, options) => () => (old ? client.callTool({ name, arguments: args }, undefined, options) : client.callTool({ name, arguments: args }, options));
tell('capabilities', client.getServerCapabilities());
tell('instructions', client.getInstructions());
const names = [];
for (const tool of (await client.listTools()).tools) {
  tell('tool', tool);
  names.push(tool.name);
}
const capabilities = client.getServerCapabilities() ?? {};
if (capabilities.logging && (old || mode === 'legacy')) await attempt('level', () => client.setLoggingLevel('info'));
await attempt('add', call('add', { a: 2, b: 40 }));
await attempt('whois', call('whois', { id: 'r-17' }));
await attempt('fails', call('fails', {}));
await attempt('unknown', call('no_such_tool', {}));
await attempt('report', call('report', { steps: 3 }, { onprogress: (p) => heard.push(['progress', p.progress, p.total, p.message]) }));
for (const name of ['think', 'confirm', 'where']) if (names.includes(name)) await attempt(name, call(name, {}));
for (const r of (await client.listResources()).resources) tell('resource', r);
for (const r of (await client.listResourceTemplates()).resourceTemplates) tell('template', r);
for (const uri of ['note://one', 'note://about/jane', 'note://picture', 'note://nowhere']) await attempt(uri, () => client.readResource({ uri }));
if (capabilities.resources?.subscribe && (old || mode === 'legacy')) {
  await new Promise((done) => setTimeout(done, 500)); // the stream on which news comes is opened beside the calls
  await attempt('subscribe', () => client.subscribeResource({ uri: 'note://one' }));
  await attempt('touch', call('touch', {}));
  for (let n = 0; n < 100 && !heard.some(([what]) => what === 'updated'); n++) await new Promise((done) => setTimeout(done, 50));
  await attempt('unsubscribe', () => client.unsubscribeResource({ uri: 'note://one' }));
}
for (const p of (await client.listPrompts()).prompts) tell('prompt', p);
await attempt('greet', () => client.getPrompt({ name: 'greet', arguments: { name: 'Jane' } }));
if (capabilities.completions) {
  await attempt('complete', () => client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'name', value: 'j' } }));
}
const stop = new AbortController();
setTimeout(() => stop.abort('enough'), 500);
try {
  await call('sleep', {}, { signal: stop.signal })();
  tell('sleep', 'ended');
} catch {
  tell('sleep', 'given up');
}
await attempt('add again', call('add', { a: 1, b: 1 }));
await new Promise((done) => setTimeout(done, 300));
for (const h of heard.map((h) => JSON.stringify(h)).sort()) tell('heard', JSON.parse(h));
await client.close();
process.exit(0);
