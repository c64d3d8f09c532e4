// Package interop holds no code of its own. Its tests run the protocols' official clients, servers and conformance
// kits, unchanged, against a gateway, and compare what they see with what they see without one.
//
// They need tools that are not part of the module; .ci/kits DIRECTORY installs them, and SCRIM_INTEROP=DIRECTORY tells
// the tests where they are. Without it they skip, and with SCRIM_REQUIRE=1 they fail instead. docs/interop.md has the results.
package interop
