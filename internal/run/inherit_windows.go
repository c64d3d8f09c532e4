package run

// inherited are the variables that a server's program gets from the gateway's own environment. Without the last two no
// program starts on Windows.
var inherited = []string{"PATH", "HOME", "USERPROFILE", "SystemRoot"}
