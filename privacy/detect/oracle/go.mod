module github.com/scrimhq/scrim/privacy/detect/oracle

go 1.26.0

require (
	github.com/nyaruka/phonenumbers v1.8.1
	github.com/scrimhq/scrim v0.0.0
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/scrimhq/scrim => ../../..
