package wire

// cardShapes are the places of an agent card that a gateway has rewritten, of A2A 1.0 and 0.3. What a foreign agent says
// in it is text for the caller, ids and names of formats too; addresses and security schemes are the gateway's own by then.
const cardShapes = `
ShownCard
  name = Text
  description = Text
  version = Text
  documentationUrl = FileURL
  iconUrl = FileURL
  provider/organization = Text
  provider/url = FileURL
  supportedInterfaces = Card
  url = Card
  preferredTransport = Card
  additionalInterfaces = Card
  protocolVersion = Card
  securitySchemes = Card
  capabilities/streaming = Protocol:bool
  capabilities/pushNotifications = Protocol:bool
  capabilities/stateTransitionHistory = Protocol:bool
  capabilities/extendedAgentCard = Protocol:bool
  capabilities/extensions/*/uri = Protocol:extension
  capabilities/extensions/*/description = Text
  capabilities/extensions/*/required = Protocol:bool
  capabilities/extensions/*/params = Data
  defaultInputModes/* = Text
  defaultOutputModes/* = Text
  skills/*/id = Text
  skills/*/name = Text
  skills/*/description = Text
  skills/*/tags/* = Text
  skills/*/examples/* = Text
  skills/*/inputModes/* = Text
  skills/*/outputModes/* = Text
`
