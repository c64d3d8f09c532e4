package program

// What tests outside of the package need. They are outside because they run gateways, and those run this program.

type Report = report

const (
	Done   = done
	Failed = failed
	Misuse = misuse
)
