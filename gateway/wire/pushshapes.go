package wire

// pushShapes are the places of push notification configs, of A2A 1.0 and 0.3. On the road address and token are the
// gateway's own, which stand in for the caller's; credentials never travel.
const pushShapes = `
PushConfig
  tenant = Tenant:id
  id = OtherID:id
  taskId = TaskID:id
  url = Protocol:visible
  token = Protocol:visible
  authentication = Uncarried

PushParams
  tenant = Tenant:id
  taskId = TaskID:id
  id = OtherID:id

PushListParams
  tenant = Tenant:id
  taskId = TaskID:id
  pageSize = Protocol:int
  pageToken = Opaque

PushConfigList
  configs/* : PushConfig
  nextPageToken = Opaque

PushConfig03
  id = OtherID:id
  url = Protocol:visible
  token = Protocol:visible
  authentication = Uncarried

TaskPush03
  taskId = TaskID:id
  pushNotificationConfig : PushConfig03
  metadata : Extras

TaskPushList03
  * : TaskPush03

PushParams03
  id = TaskID:id
  pushNotificationConfigId = OtherID:id
  metadata : Extras

Nothing = Structure
`
