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
  tenant = Tenant:id
  message : Message
  metadata : Extras
  configuration/acceptedOutputModes/* = Protocol:mediarange
  configuration/returnImmediately = Protocol:bool
  configuration/historyLength = Protocol:int
  configuration/taskPushNotificationConfig : PushConfig

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
  tenant = Tenant:id
  id = TaskID:id
  historyLength = Protocol:int

ListTasksParams
  tenant = Tenant:id
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
  tenant = Tenant:id
  id = TaskID:id
  metadata : Extras

SubscribeParams
  tenant = Tenant:id
  id = TaskID:id

CardParams
  tenant = Tenant:id

AgentCard = Card

A2AError
  code = Protocol:int
  message = Text
  data/* : ErrorDetail

ErrorDetail
  @type = Protocol(type.googleapis.com/google.rpc.ErrorInfo|type.googleapis.com/google.rpc.BadRequest|type.googleapis.com/google.protobuf.Struct)
  reason = Protocol(PARSE_ERROR|INVALID_REQUEST|METHOD_NOT_FOUND|INVALID_PARAMS|INTERNAL_ERROR|SERVER_ERROR|TASK_NOT_FOUND|TASK_NOT_CANCELABLE|PUSH_NOTIFICATION_NOT_SUPPORTED|UNSUPPORTED_OPERATION|CONTENT_TYPE_NOT_SUPPORTED|INVALID_AGENT_RESPONSE|EXTENDED_AGENT_CARD_NOT_CONFIGURED|EXTENSION_SUPPORT_REQUIRED|VERSION_NOT_SUPPORTED|UNAUTHENTICATED|UNAUTHORIZED|POLICY_DENIED|TOO_LARGE|ID_CONFLICT|UNAVAILABLE|HEADER_MISMATCH|FORBIDDEN|TOO_MANY_REQUESTS|BUSY)
  domain = Protocol(a2a-protocol.org|scrim.dev)
  metadata = Metadata
  metadata/timestamp = Protocol:time
  metadata/taskId = TaskID:id
  fieldViolations/*/field = Text
  fieldViolations/*/description = Text
`
