package wire

// a2a03Shapes are the places of A2A 0.3 over JSON-RPC. A result tells by its member "kind" what it is, and lies bare.
const a2a03Shapes = `
Part03
  kind = Protocol(text|file|data)
  text = Text
  data = Data
  file/bytes = Bytes
  file/uri = FileURL
  file/name = FileName
  file/mimeType = Protocol:media
  metadata : Extras

Said03
  messageId = MessageID:id
  contextId = ContextID:id
  taskId = TaskID:id
  role = Protocol(user|agent)
  parts/* : Part03
  metadata : Extras
  extensions/* = Protocol:extension
  referenceTaskIds/* = TaskID:id

Message03
  kind = Protocol(message)
  + Said03

Artifact03
  artifactId = OtherID:id
  name = Text
  description = Text
  parts/* : Part03
  metadata : Extras
  extensions/* = Protocol:extension

Status03
  state : TaskState03
  message : Message03
  timestamp = Protocol:time

TaskState03 = Protocol(submitted|working|input-required|completed|canceled|failed|rejected|auth-required|unknown)

Task03
  kind = Protocol(task)
  id = TaskID:id
  contextId = ContextID:id
  + Done03
  metadata : Extras

Done03
  status : Status03
  artifacts/* : Artifact03
  history/* : Message03

SendResult03
  kind = Protocol(task|message)
  id = TaskID:id
  + Done03
  + Said03

StreamResult03
  kind = Protocol(task|message|status-update|artifact-update)
  id = TaskID:id
  + Done03
  + Said03
  final = Protocol:bool
  artifact : Artifact03
  append = Protocol:bool
  lastChunk = Protocol:bool

SendParams03
  message : Message03
  metadata : Extras
  configuration/acceptedOutputModes/* = Protocol:mediarange
  configuration/blocking = Protocol:bool
  configuration/historyLength = Protocol:int
  configuration/pushNotificationConfig : PushConfig03

TaskParams03
  id = TaskID:id
  historyLength = Protocol:int
  metadata : Extras

Error03
  code = Protocol:int
  message = Text
  data = Data
`
