package wire

// mcpShapes are the places of MCP, 2024-11-05 to 2026-07-28. A place that only some versions have is declared for all:
// what it means does not depend on the version, and methods that a version lacks have no table in it.
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
  io.modelcontextprotocol~1subscriptionId = CallID:rpcid
  io.modelcontextprotocol~1related-task/taskId = TaskID:id
  io.modelcontextprotocol~1relatedTaskIds/* = TaskID:id
  dev.scrim~1flow-id = MessageID:id
  dev.scrim~1privacy = Note

LogLevel = Protocol(debug|info|notice|warning|error|critical|alert|emergency)

Ability
  {} = Uncarried

ClientCapabilities
  roots/listChanged = Protocol:bool
  sampling/tools : Ability
  sampling/context : Ability
  sampling/{} = Uncarried
  elicitation/form/applyDefaults = Protocol:bool
  elicitation/form/{} = Uncarried
  elicitation/url : Ability
  elicitation/{} = Uncarried
  tasks/list : Ability
  tasks/cancel : Ability
  tasks/requests/sampling/createMessage : Ability
  tasks/requests/elicitation/create : Ability
  extensions/io.modelcontextprotocol~1tasks : Ability
  extensions/{} = Uncarried
  {} = Uncarried

ServerCapabilities
  tools/listChanged = Protocol:bool
  prompts/listChanged = Protocol:bool
  resources/listChanged = Protocol:bool
  resources/subscribe = Protocol:bool
  logging : Ability
  completions : Ability
  tasks/list : Ability
  tasks/cancel : Ability
  tasks/requests/tools/call : Ability
  extensions/io.modelcontextprotocol~1tasks : Ability
  extensions/{} = Uncarried
  {} = Uncarried

NoticeParams
  _meta : Meta

Result
  resultType = Protocol(complete|input_required|task)
  ttlMs = Protocol:int
  cacheScope = Protocol(public|private)
  _meta : Meta

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

DiscoverResult
  supportedVersions/* = Protocol:version
  capabilities : ServerCapabilities
  serverInfo = Software
  instructions = Text
  + Result

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

Icons
  */src = FileURL
  */mimeType = Protocol:media
  */sizes/* = Protocol:pixels
  */theme = Protocol(light|dark)

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
  execution/taskSupport = Protocol(forbidden|optional|required)
  icons : Icons
  _meta : Meta

CallToolParams
  name = Name:name
  arguments = Data
  task/ttl = Protocol:int
  + Resumed

Resumed
  inputResponses/{} : InputResponse
  requestState = Opaque
  _meta : Meta

CallToolResult
  task : MCPTask
  + ToolAnswer
  + MCPTask
  + Asked

Asked
  inputRequests/{} : InputRequest
  requestState = Opaque
  + Result

ToolAnswer
  content/* : Content
  structuredContent = Data
  isError = Protocol:bool

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
  icons : Icons
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
  icons : Icons
  _meta : Meta

ReadParams
  uri = FileURL
  + Resumed

ReadResult
  contents/* : ResourceContents
  + Asked

URIParams
  uri = FileURL
  _meta : Meta

ListenParams
  notifications : Filter
  _meta : Meta

Filter
  toolsListChanged = Protocol:bool
  promptsListChanged = Protocol:bool
  resourcesListChanged = Protocol:bool
  resourceSubscriptions/* = FileURL
  taskIds/* = TaskID:id

PromptList
  prompts/* : Prompt
  + Listed

Prompt
  name = Name:name
  title = Text
  description = Text
  arguments/*/name = Name:name
  arguments/*/title = Text
  arguments/*/description = Text
  arguments/*/required = Protocol:bool
  icons : Icons
  _meta : Meta

GetPromptParams
  name = Name:name
  arguments = Data
  + Resumed

GetPromptResult
  + PromptAnswer
  + Asked

PromptAnswer
  description = Text
  messages/*/role = Protocol(user|assistant)
  messages/*/content : Content

CompleteParams
  ref/type = Protocol(ref/prompt|ref/resource)
  ref/name = Name:name
  ref/title = Text
  ref/uri = FileURL
  argument/name = Name:name
  argument/value = Text
  context/arguments = Data
  _meta : Meta

CompleteResult
  completion/values/* = Text
  completion/total = Protocol:int
  completion/hasMore = Protocol:bool
  + Result

CancelledParams
  requestId = CallID:rpcid
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

ElicitedParams
  elicitationId = OtherID:id
  _meta : Meta

MCPError
  code = Protocol:int
  message = Text
  data = Data
  data/supported/* = Protocol:version
  data/requested = Protocol:version
  data/requiredCapabilities : ClientCapabilities
  data/elicitations/* : ElicitParams

MCPTask
  taskId = TaskID:id
  status = Protocol(working|input_required|completed|failed|cancelled)
  statusMessage = Text
  createdAt = Protocol:time
  lastUpdatedAt = Protocol:time
  ttl = Protocol:int
  pollInterval = Protocol:int
  pollIntervalMs = Protocol:int

TaskParams
  taskId = TaskID:id
  _meta : Meta

TaskUpdateParams
  taskId = TaskID:id
  inputResponses/{} : InputResponse
  _meta : Meta

TaskResult
  + MCPTask
  + Result

TaskDetails
  result : AnyAnswer
  error : MCPError
  + MCPTask
  + Asked

TaskDetailsNotice
  result : AnyAnswer
  error : MCPError
  inputRequests/{} : InputRequest
  requestState = Opaque
  ttlMs = Protocol:int
  _meta : Meta
  + MCPTask

TaskNotice
  _meta : Meta
  + MCPTask

TaskPage
  tasks/* : MCPTask
  + Listed

AnyAnswer
  contents/* : ResourceContents
  + ToolAnswer
  + PromptAnswer
  + Result

InputRequest
  method = Protocol(sampling/createMessage|elicitation/create|roots/list)
  params : InputRequestParams

InputRequestParams
  + SamplingPlaces
  + ElicitPlaces
  _meta : Meta

InputResponse
  role = Protocol(user|assistant)
  content : SamplingContent
  model = Text
  stopReason = Text
  roots/* : Root
  _meta : Meta
  ? action : ElicitAnswer

SamplingParams
  task/ttl = Protocol:int
  _meta : Meta
  + SamplingPlaces

SamplingPlaces
  messages/* : SamplingMessage
  modelPreferences/hints/*/name = Text
  modelPreferences/costPriority = Protocol:unit
  modelPreferences/speedPriority = Protocol:unit
  modelPreferences/intelligencePriority = Protocol:unit
  systemPrompt = Text
  includeContext = Protocol(none|thisServer|allServers)
  temperature = Protocol:number
  maxTokens = Protocol:int
  stopSequences/* = Text
  metadata = Metadata
  tools/* : Tool
  toolChoice/mode = Protocol(auto|required|none)

SamplingMessage
  role = Protocol(user|assistant)
  content : SamplingContent
  _meta : Meta

SamplingContent
  * : SamplingBlock
  + SamplingBlock

SamplingBlock
  type = Protocol(text|image|audio|tool_use|tool_result)
  text = Text
  data = Bytes
  mimeType = Protocol:media
  annotations : Annotations
  id = OtherID:id
  name = Name:name
  input = Data
  toolUseId = OtherID:id
  content/* : Content
  structuredContent = Data
  isError = Protocol:bool
  _meta : Meta

SamplingResult
  role = Protocol(user|assistant)
  content : SamplingContent
  model = Text
  stopReason = Text
  task : MCPTask
  + Result

ElicitParams
  task/ttl = Protocol:int
  _meta : Meta
  + ElicitPlaces

ElicitPlaces
  mode = Protocol(form|url)
  message = Text
  requestedSchema = Schema
  url = FileURL
  elicitationId = OtherID:id

ElicitAnswer
  action = Protocol(accept|decline|cancel)
  content = Data
  _meta : Meta

ElicitResult
  action = Protocol(accept|decline|cancel)
  content = Data
  task : MCPTask
  + Result

Root
  uri = FileURL
  name = FileName
  _meta : Meta

RootsResult
  roots/* : Root
  + Result

ClientPayload
  role = Protocol(user|assistant)
  content : SamplingContent
  model = Text
  stopReason = Text
  _meta : Meta
  ? action : ElicitAnswer

Passing
  method = Text
  params = Data
  result = Data
  error = Data
`
