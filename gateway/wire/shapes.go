package wire

// a2aShapes are the places of A2A 1.0 (specification/a2a.proto in its JSON form).
const a2aShapes = `
Extras = Metadata
  https:~1~1scrim.dev~1ext~1privacy~1v1 = Note

Part
  text = Text
  data = Data
  raw = Bytes
  url = FileURL
  filename = FileName
  mediaType = Protocol:media
  metadata : Extras

Message
  messageId = MessageID:id
  contextId = ContextID:id
  taskId = TaskID:id
  role = Protocol(ROLE_USER|ROLE_AGENT|ROLE_UNSPECIFIED)
  parts/* : Part
  metadata : Extras
  extensions/* = Protocol:extension
  referenceTaskIds/* = TaskID:id

Artifact
  artifactId = OtherID:id
  name = Text
  description = Text
  parts/* : Part
  metadata : Extras
  extensions/* = Protocol:extension

Status
  state : TaskState
  message : Message
  timestamp = Protocol:time

TaskState = Protocol(TASK_STATE_UNSPECIFIED|TASK_STATE_SUBMITTED|TASK_STATE_WORKING|TASK_STATE_COMPLETED|TASK_STATE_FAILED|TASK_STATE_CANCELED|TASK_STATE_INPUT_REQUIRED|TASK_STATE_REJECTED|TASK_STATE_AUTH_REQUIRED)

Task
  id = TaskID:id
  contextId = ContextID:id
  status : Status
  artifacts/* : Artifact
  history/* : Message
  metadata : Extras

SendMessageParams
  tenant = OtherID:id
  message : Message
  metadata : Extras
  configuration/acceptedOutputModes/* = Protocol:mediarange
  configuration/returnImmediately = Protocol:bool
  configuration/historyLength = Protocol:int
  configuration/taskPushNotificationConfig = Refuse

SendResult
  task : Task
  message : Message

StreamResponse
  task : Task
  message : Message
  statusUpdate/taskId = TaskID:id
  statusUpdate/contextId = ContextID:id
  statusUpdate/status : Status
  statusUpdate/metadata : Extras
  artifactUpdate/taskId = TaskID:id
  artifactUpdate/contextId = ContextID:id
  artifactUpdate/artifact : Artifact
  artifactUpdate/append = Protocol:bool
  artifactUpdate/lastChunk = Protocol:bool
  artifactUpdate/metadata : Extras

GetTaskParams
  tenant = OtherID:id
  id = TaskID:id
  historyLength = Protocol:int

ListTasksParams
  tenant = OtherID:id
  contextId = ContextID:id
  status : TaskState
  pageSize = Protocol:int
  pageToken = Opaque
  historyLength = Protocol:int
  statusTimestampAfter = Protocol:time
  includeArtifacts = Protocol:bool

TaskList
  tasks/* : Task
  totalSize = Protocol:int
  pageSize = Protocol:int
  nextPageToken = Opaque

CancelTaskParams
  tenant = OtherID:id
  id = TaskID:id
  metadata : Extras

SubscribeParams
  tenant = OtherID:id
  id = TaskID:id

CardParams
  tenant = OtherID:id

AgentCard = Card

A2AError
  code = Protocol:int
  message = Text
  data/* : ErrorDetail

ErrorDetail
  @type = Protocol(type.googleapis.com/google.rpc.ErrorInfo|type.googleapis.com/google.rpc.BadRequest|type.googleapis.com/google.protobuf.Struct)
  reason = Protocol(PARSE_ERROR|INVALID_REQUEST|METHOD_NOT_FOUND|INVALID_PARAMS|INTERNAL_ERROR|SERVER_ERROR|TASK_NOT_FOUND|TASK_NOT_CANCELABLE|PUSH_NOTIFICATION_NOT_SUPPORTED|UNSUPPORTED_OPERATION|CONTENT_TYPE_NOT_SUPPORTED|INVALID_AGENT_RESPONSE|EXTENDED_AGENT_CARD_NOT_CONFIGURED|EXTENSION_SUPPORT_REQUIRED|VERSION_NOT_SUPPORTED|UNAUTHENTICATED|UNAUTHORIZED|POLICY_DENIED|TOO_LARGE|ID_CONFLICT|UNAVAILABLE|HEADER_MISMATCH|FORBIDDEN)
  domain = Protocol(a2a-protocol.org|scrim.dev)
  metadata = Metadata
  metadata/timestamp = Protocol:time
  metadata/taskId = TaskID:id
  fieldViolations/*/field = Text
  fieldViolations/*/description = Text
`

// mcpShapes are the places of MCP 2025-11-25 and 2026-07-28. What only the later version has stands in Result, which
// says whether an answer is whole and how long it keeps, and in DiscoverResult.
const mcpShapes = `
Meta = Metadata
  progressToken = OtherID:rpcid
  traceparent = Trace:traceparent
  tracestate = Uncarried
  baggage = Uncarried
  io.modelcontextprotocol~1protocolVersion = Protocol:version
  io.modelcontextprotocol~1clientInfo = Software
  io.modelcontextprotocol~1serverInfo = Software
  io.modelcontextprotocol~1clientCapabilities : ClientCapabilities
  io.modelcontextprotocol~1logLevel : LogLevel
  io.modelcontextprotocol~1subscriptionId = OtherID:rpcid
  io.modelcontextprotocol~1related-task = Refuse
  dev.scrim~1flow-id = MessageID:id
  dev.scrim~1privacy = Note

LogLevel = Protocol(debug|info|notice|warning|error|critical|alert|emergency)

ClientCapabilities
  {} = Uncarried

ServerCapabilities
  tools/listChanged = Protocol:bool
  resources/listChanged = Protocol:bool
  resources/subscribe = Uncarried
  logging = Structure
  {} = Uncarried

NoticeParams
  _meta : Meta

EmptyResult
  _meta : Meta
  resultType = Protocol(complete)

InitializeParams
  protocolVersion = Protocol:version
  capabilities : ClientCapabilities
  clientInfo = Software
  _meta : Meta

InitializeResult
  protocolVersion = Protocol:version
  capabilities : ServerCapabilities
  serverInfo = Software
  instructions = Text
  _meta : Meta

SetLevelParams
  level : LogLevel
  _meta : Meta

ListParams
  cursor = Opaque
  _meta : Meta

Listed
  nextCursor = Opaque
  + Result

Annotations
  audience/* = Protocol(user|assistant)
  priority = Protocol:unit
  lastModified = Protocol:time

ToolList
  tools/* : Tool
  + Listed

Tool
  name = Name:name
  title = Text
  description = Text
  inputSchema = Schema
  outputSchema = Schema
  annotations/title = Text
  annotations/readOnlyHint = Protocol:bool
  annotations/destructiveHint = Protocol:bool
  annotations/idempotentHint = Protocol:bool
  annotations/openWorldHint = Protocol:bool
  execution = Uncarried
  icons = Uncarried
  _meta : Meta

CallToolParams
  name = Name:name
  arguments = Data
  task = Refuse
  inputResponses = Refuse
  requestState = Opaque
  _meta : Meta

CallToolResult
  content/* : Content
  structuredContent = Data
  isError = Protocol:bool
  task = Refuse
  inputRequests = Refuse
  requestState = Opaque
  + Result

Content
  type = Protocol(text|image|audio|resource|resource_link)
  text = Text
  data = Bytes
  resource : ResourceContents
  + Linked

Linked
  uri = FileURL
  name = FileName
  title = Text
  description = Text
  mimeType = Protocol:media
  size = Protocol:int
  annotations : Annotations
  icons = Uncarried
  _meta : Meta

ResourceContents
  uri = FileURL
  mimeType = Protocol:media
  text = Text
  blob = Bytes
  _meta : Meta

ResourceList
  resources/* : Linked
  + Listed

TemplateList
  resourceTemplates/* : Template
  + Listed

Template
  uriTemplate = FileURL
  name = FileName
  title = Text
  description = Text
  mimeType = Protocol:media
  annotations : Annotations
  icons = Uncarried
  _meta : Meta

ReadParams
  uri = FileURL
  inputResponses = Refuse
  requestState = Opaque
  _meta : Meta

ReadResult
  contents/* : ResourceContents
  inputRequests = Refuse
  requestState = Opaque
  + Result

CancelledParams
  requestId = OtherID:rpcid
  reason = Text
  _meta : Meta

ProgressParams
  progressToken = OtherID:rpcid
  progress = Protocol:number
  total = Protocol:number
  message = Text
  _meta : Meta

LogParams
  level : LogLevel
  logger = Text
  data = Data
  _meta : Meta

MCPError
  code = Protocol:int
  message = Text
  data = Data
  data/supported/* = Protocol:version
  data/requested = Protocol:version
Result
  resultType = Protocol(complete|input_required)
  ttlMs = Protocol:int
  cacheScope = Protocol(public|private)
  _meta : Meta

DiscoverResult
  supportedVersions/* = Protocol:version
  capabilities : ServerCapabilities
  serverInfo = Software
  instructions = Text
  + Result
`
