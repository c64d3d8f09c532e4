// A server of every feature, on the official TypeScript SDK: node mcp_server.mjs v1|v2 PORT, or without a port on
// standard input.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';

const [line, port] = process.argv.slice(2);
const old = line === 'v1';
const lib = await import(old ? '@modelcontextprotocol/sdk/server/mcp.js' : '@modelcontextprotocol/server');
const { McpServer, ResourceTemplate } = lib;
const completable = old ? (await import('@modelcontextprotocol/sdk/server/completable.js')).completable : lib.completable;
const touched = new Set();

function build() {
  const server = new McpServer(
    { name: 'everything', version: '1.0.0' },
    { instructions: 'Ask for people.', capabilities: { logging: {}, resources: { subscribe: old }, completions: {} } },
  );
  const text = (s) => ({ content: [{ type: 'text', text: s }] });
  const shape = (o) => (old ? o : z.object(o));
  server.registerTool('add', { description: 'The sum of two numbers.', inputSchema: shape({ a: z.number(), b: z.number() }), outputSchema: shape({ sum: z.number() }) }, async ({ a, b }) => ({
    ...text(String(a + b)),
    structuredContent: { sum: a + b },
  }));
  const jane = { name: 'Jane Doe', email: 'jane.doe@example.org', age: 61 };
  server.registerTool(
    'whois',
    { description: 'Somebody, by number.', inputSchema: shape({ id: z.string() }), outputSchema: shape({ name: z.string(), email: z.string(), age: z.number() }) },
    async () => ({ ...text(JSON.stringify(jane)), structuredContent: jane }),
  );
  server.registerTool('fails', { description: 'Never works.' }, async () => {
    throw new Error('nothing works');
  });
  server.registerTool('report', { description: 'Says how far it is.', inputSchema: shape({ steps: z.number() }) }, async ({ steps }, ctx) => {
    const token = old ? ctx._meta?.progressToken : ctx.mcpReq._meta?.progressToken;
    const notify = old ? ctx.sendNotification : (n) => ctx.mcpReq.notify(n);
    for (let n = 1; n <= steps; n++) {
      if (token !== undefined) await notify({ method: 'notifications/progress', params: { progressToken: token, progress: n, total: steps, message: `step ${n}` } });
      if (old) await notify({ method: 'notifications/message', params: { level: 'info', data: `did step ${n}` } });
    }
    return text('reported');
  });
  server.registerTool('sleep', { description: 'Takes too long.' }, async () => {
    await new Promise((done) => setTimeout(done, 5_000).unref());
    return text('awake');
  });
  if (old) {
    server.registerTool('think', { description: "Asks the client's model." }, async () => {
      const said = await server.server.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: 'What do you think?' } }], maxTokens: 20 });
      return text(`the model said: ${said.content.text}`);
    });
    server.registerTool('confirm', { description: "Asks the client's user." }, async () => {
      const said = await server.server.elicitInput({ message: 'May I?', requestedSchema: { type: 'object', properties: { sure: { type: 'boolean' } }, required: ['sure'] } });
      return text(`${said.action}: ${said.content?.sure}`);
    });
    server.registerTool('where', { description: "Asks for the client's roots." }, async () => text((await server.server.listRoots()).roots.map((r) => r.uri).join(', ')));
    server.registerTool('touch', { description: 'Changes a resource.' }, async () => {
      if (touched.has('note://one')) await server.server.sendResourceUpdated({ uri: 'note://one' });
      return text('touched');
    });
  }
  server.registerResource('one', 'note://one', { mimeType: 'text/plain' }, async (uri) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'The first note, by jane.doe@example.org.' }] }));
  server.registerResource('picture', 'note://picture', { mimeType: 'image/png' }, async (uri) => ({ contents: [{ uri: uri.href, mimeType: 'image/png', blob: 'iVBORyBub3QgcmVhbGx5' }] }));
  server.registerResource('about', new ResourceTemplate('note://about/{name}', { list: undefined }), {}, async (uri, { name }) => ({ contents: [{ uri: uri.href, text: `All about ${name}.` }] }));
  const name = completable(z.string(), (v) => ['jane', 'jon', 'ada'].filter((n) => n.startsWith(v)));
  server.registerPrompt('greet', { description: 'Greets somebody.', argsSchema: shape({ name }) }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }],
  }));
  return server;
}

if (!port) {
  if (old) {
    const { StdioServerTransport } = await import('@modelcontextprotocol/sdk/server/stdio.js');
    await subscribable(build()).connect(new StdioServerTransport());
  } else {
    const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
    serveStdio(build);
  }
} else if (old) {
  const { StreamableHTTPServerTransport } = await import('@modelcontextprotocol/sdk/server/streamableHttp.js');
  const sessions = new Map();
  createServer(async (req, res) => {
    let transport = sessions.get(req.headers['mcp-session-id']);
    if (!transport) {
      transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => randomUUID(), onsessioninitialized: (id) => sessions.set(id, transport) });
      await subscribable(build()).connect(transport);
    }
    await transport.handleRequest(req, res);
  }).listen(Number(port), '127.0.0.1');
} else {
  const handler = lib.createMcpHandler(build);
  createServer(async (req, res) => {
    const body = req.method === 'POST' ? Buffer.concat(await Array.fromAsync(req)) : undefined;
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    const response = await handler.fetch(new Request(`http://${req.headers.host}${req.url}`, { method: req.method, headers: req.headers, body, signal: gone.signal }));
    res.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) for await (const chunk of response.body) res.write(chunk);
    res.end();
  }).listen(Number(port), '127.0.0.1');
}

// subscribable adds what the SDK leaves to its users.
function subscribable(server) {
  import('@modelcontextprotocol/sdk/types.js').then(({ SubscribeRequestSchema, UnsubscribeRequestSchema }) => {
    server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => (touched.add(params.uri), {}));
    server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => (touched.delete(params.uri), {}));
  });
  return server;
}
